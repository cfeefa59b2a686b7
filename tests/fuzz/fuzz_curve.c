/*
 * CURVE from a peer that may say what it likes: the first octet tells what is heard, the rest is it. What was made with
 * the right keys is in the seeds by way of a mark: the command is made here, and the rest is xored onto it.
 */
#include "fuzz.h"

#include <errno.h>
#include <sifr.h>

#include "security/security.h"
#include "wire/frame.h"
#include "wire/handshake.h"

#ifdef SF_HAVE_SODIUM

enum { HELLO, WELCOME, INITIATE, READY, MESSAGE, STATES, MADE = 0x80, ROOM = 1024, OVERHEAD = 33 };

SEEDS(SEED("\0"), SEED("\0\5HELLO\1\0"), SEED("\1\7WELCOME"), SEED("\2\10INITIATE"), SEED("\3\5READY"), SEED("\4\7MESSAGE"),
      SEED("\3\5ERROR\3"
           "400"),
      SEED("\x80"), SEED("\x81"), SEED("\x82"), SEED("\x83"), SEED("\x84"), SEED("\x84\0\0\0\0\0\0\0\0\1"),
      SEED("\x82\0\0\0\0\0\0\0\0\0\1"), SEED("\x80\0\0\0\0\0\0\1"));

static const uint8_t client_public[32] = {
    0x04, 0xd1, 0x69, 0x6d, 0xdc, 0x6e, 0x0b, 0x40, 0x21, 0xfc, 0x23, 0xc1, 0x37, 0xb0, 0xd4, 0x5c,
    0x20, 0xdb, 0x00, 0xda, 0xd2, 0xe1, 0xb9, 0x56, 0xb1, 0x7a, 0xcb, 0xa1, 0xbe, 0xc0, 0xca, 0x2d};
static const uint8_t client_secret[32] = {
    0x6d, 0xe6, 0xfd, 0xfe, 0xe8, 0x3f, 0x04, 0xe2, 0x7c, 0x8f, 0x26, 0xb8, 0x5e, 0xcf, 0x25, 0x60,
    0xf2, 0x63, 0xf3, 0xe6, 0xe2, 0x2e, 0xe3, 0xd1, 0x37, 0xd0, 0x85, 0x2b, 0xcf, 0x2c, 0x96, 0xbd};
static const uint8_t server_public[32] = {
    0xda, 0xb3, 0x35, 0x81, 0xfd, 0xbc, 0xc5, 0x15, 0xc8, 0xdb, 0x06, 0x69, 0xe4, 0xe1, 0xfc, 0xee,
    0x1d, 0xae, 0x2f, 0xab, 0x27, 0x96, 0x12, 0x82, 0xf6, 0x32, 0x19, 0x91, 0x9b, 0xf4, 0x2b, 0x2e};
static const uint8_t server_secret[32] = {
    0xad, 0xc7, 0x19, 0x46, 0x39, 0x51, 0xa9, 0x00, 0x29, 0x74, 0xf5, 0xae, 0x59, 0x51, 0x89, 0xd0,
    0x56, 0x40, 0x41, 0xba, 0x6a, 0x31, 0x3c, 0x1a, 0x28, 0x06, 0x27, 0x4b, 0x43, 0x86, 0x13, 0xdb};

static const struct sf_hello hello = {.type_name = "PAIR", .talks_to = 1u << SIFR_PAIR};
static const struct sf_credentials roles[2] = {
    {.public_key = client_public, .secret_key = client_secret, .server_key = server_public},
    {.server = true, .public_key = server_public, .secret_key = server_secret, .server_key = server_public},
};

static size_t say(struct sf_security *s, uint8_t *body)
{
    uint8_t frame[ROOM];
    struct sf_frame f;
    int n, header;

    CHECK(s->turn == SF_SECURITY_SAY);
    n = sf_handshake_say(s, &hello, frame, sizeof frame);
    CHECK(n > 0);
    header = sf_frame_get(&f, frame, (size_t)n);
    CHECK(header > 0);
    memcpy(body, frame + header, f.size);
    return (size_t)f.size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data + 1, size ? size - 1 : 0};
    unsigned state = size ? (data[0] & ~MADE) % STATES : 0;
    bool made = size && data[0] & MADE, same = true;
    struct sf_security sides[2];
    struct sf_peer_info info[2] = {{0}};
    struct sf_refusal why;
    uint8_t *body, command[ROOM] = "";
    size_t n = 0;
    int err;

    if (size == 0)
        return 0;
    for (int i = 0; i < 2; i++)
        CHECK(sf_security_init(&sides[i], &sf_mechanism_curve, &roles[i]) == 0);
    for (unsigned i = 0;; i++) { /* even commands are the client's */
        struct sf_security *to = &sides[i % 2 ? 0 : 1];

        if (i == MESSAGE) {
            CHECK(sf_mechanism_curve.seal(sides[0].keys, command, 0, client_public, 32) == 0);
            n = 32 + OVERHEAD;
        } else {
            n = say(&sides[i % 2], command);
        }
        if (i == state)
            break;
        CHECK(sf_handshake_hear(to, &hello, &info[i % 2 ? 0 : 1], command, n, &why) == 0);
        if (to->turn == SF_SECURITY_ASK)
            to->turn = SF_SECURITY_SAY;
    }
    if (made) {
        for (size_t i = 0; i < n && i < in.left; i++) {
            command[i] ^= in.at[i];
            same &= in.at[i] == 0;
        }
        in = (struct fuzz_input){command, n};
    } else {
        same = false;
    }
    body = fuzz_rest(&in);
    if (state == MESSAGE) {
        uint8_t *to = malloc(in.left + 1);
        uint32_t error = 0;
        unsigned flags;

        CHECK(to != NULL);
        err = (int)sf_mechanism_curve.open(sides[1].keys, to, &flags, body, in.left, &error);
        CHECK(err < 0 || (size_t)err == in.left - sf_mechanism_curve.overhead);
        if (err > 0)
            err = 0;
        CHECK(err == 0 || (err == -EPROTO && error != 0));
        free(to);
    } else {
        int hearer = state % 2 ? 0 : 1;

        err = sf_handshake_hear(&sides[hearer], &hello, &info[hearer], body, in.left, &why);
        CHECK(err == 0 || err == -EPROTO);
    }
    CHECK(!same || err == 0);
    /* The one bit that may differ: X25519 does not look at it, and INITIATE's vouch tells later. */
    CHECK(same || err != 0 || state == HELLO);
    free(body);
    for (int i = 0; i < 2; i++) {
        sf_peer_info_fini(&info[i]);
        sf_security_fini(&sides[i]);
    }
    return 0;
}

#else

SEEDS(SEED("\0"));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)data, (void)size;
    return 0;
}

#endif
