/*
 * PLAIN and CURVE, both roles: a command or a frame that is due is changed as the input says, on its way from one who
 * does all rightly; what is changed in CURVE is refused. Then CURVE's frames from one who has the keys and means harm.
 */
#include "fuzz.h"

#include <errno.h>
#include <sifr.h>

#include "security/security.h"
#include "wire/frame.h"
#include "wire/handshake.h"

#ifndef SF_HAVE_SODIUM

SEEDS(SEED(""));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
    return 0;
}

#else

#include <sodium.h>

/*
 * The first octet: PLAIN or CURVE (bit 0), which step is changed (bits 1 to 3; 4: of traffic), and how (bits 4 to 6:
 * flipped, cut, lengthened, put in its place). The second: which octet, of 256. What follows is said in its place, or
 * behind it.
 */
SEEDS(SEED("\x00\7\1"), SEED("\x01\x50\1"), SEED("\x03\x20\x80"), SEED("\x05\x70\4"), SEED("\x07\x0e\2"),
      SEED("\x09\x0c\1"), SEED("\x12\4"), SEED("\x13\x20"), SEED("\x15\xf0"), SEED("\x17\x11"), SEED("\x19\x1f"),
      SEED("\x21\1more"), SEED("\x24\1x\0\0\0\1y"), SEED("\x25\1more"), SEED("\x29\1more"),
      SEED("\x30\0\5HELLO\1u\1p"), SEED("\x34\0\10INITIATE\13Socket-Type\0\0\0\4PUSH"), SEED("\x32\0\7WELCOME"),
      SEED("\x36\0\5READY\13Socket-Type\0\0\0\4PULL"), SEED("\x31\0\5HELLO\1\0"), SEED("\x35\0\10INITIATE"),
      SEED("\x37\0\5ERROR\3\x34\x30\x30"), SEED("\x39\0\7MESSAGE\0\0\0\0\0\0\0\2"), SEED("\x40\0"), SEED("\x43\0"));

enum { STEPS = 4, BODY_MAX = 2048, KEY = SF_KEY_SIZE };

/* One side; the client's is first. */
struct side {
    struct sf_credentials own;
    struct sf_security s;
    struct sf_hello hello;
    struct sf_peer_info info;
};

static uint8_t server_public[KEY], server_secret[KEY], client_public[KEY], client_secret[KEY];
static bool has_keys;

static void begin(struct side *sides, bool curve)
{
    static const char user[] = "admin", password[] = "secret";

    if (!has_keys) {
        CHECK(sodium_init() >= 0);
        crypto_box_keypair(server_public, server_secret);
        crypto_box_keypair(client_public, client_secret);
        has_keys = true;
    }
    memset(sides, 0, 2 * sizeof *sides);
    sides[0].own = (struct sf_credentials){.user = {user, 5}, .password = {password, 6}, .public_key = client_public,
                                           .secret_key = client_secret, .server_key = server_public};
    sides[1].own = (struct sf_credentials){.server = true, .secret_key = server_secret};
    sides[0].hello = (struct sf_hello){.type_name = "PUSH", .talks_to = 1u << SIFR_PULL};
    sides[1].hello = (struct sf_hello){.type_name = "PULL", .talks_to = 1u << SIFR_PUSH};
    for (int i = 0; i < 2; i++)
        CHECK(sf_security_init(&sides[i].s, curve ? &sf_mechanism_curve : &sf_mechanism_plain, &sides[i].own) == 0);
}

static void end(struct side *sides)
{
    for (int i = 0; i < 2; i++) {
        sf_peer_info_fini(&sides[i].info);
        sf_security_fini(&sides[i].s);
    }
}

/* The body of what this side says next. */
static size_t say(struct side *from, uint8_t *body)
{
    uint8_t frame[BODY_MAX];
    struct sf_frame f = {0, 0};
    int n = sf_handshake_say(&from->s, &from->hello, frame, sizeof frame), header;

    CHECK(n > 0);
    header = sf_frame_get(&f, frame, (size_t)n);
    CHECK(header > 0 && header + (int)f.size == n);
    memcpy(body, frame + header, f.size);
    return (size_t)f.size;
}

static int hear(struct side *to, const uint8_t *body, size_t n, struct sf_refusal *why)
{
    struct fuzz_input in = {body, n};
    uint8_t *copy = fuzz_rest(&in);
    int err = sf_handshake_hear(&to->s, &to->hello, &to->info, copy, n, why);

    free(copy);
    if (err == 0 && to->s.turn == SF_SECURITY_ASK)
        to->s.turn = SF_SECURITY_SAY;
    return err;
}

/* Changes n octets as the input says: how many there are now, and whether they are others. */
static size_t change(struct fuzz_input in, unsigned how, unsigned at, uint8_t *body, size_t n, bool *changed)
{
    uint8_t old[BODY_MAX];
    size_t size = n;

    memcpy(old, body, n);
    switch (how) {
    case 0: /* flipped */
        for (size_t i = 0; i < in.left && n; i++)
            body[(at + i) % n] ^= in.at[i];
        break;
    case 1: size = at < n ? at : n; break;
    case 2: /* lengthened */
        size = in.left < BODY_MAX - n ? n + in.left : BODY_MAX;
        memcpy(body + n, in.at, size - n);
        break;
    case 3: /* something else */
        size = in.left < BODY_MAX ? in.left : BODY_MAX;
        memcpy(body, in.at, size);
        break;
    default: break; /* as it is */
    }
    *changed = size != n || memcmp(old, body, n) != 0;
    return size;
}

static const uint8_t fine[] = "fine";

/* A frame that is changed is refused, and whatever it was, the next one opens. */
static void traffic(struct side *sides, struct fuzz_input in, unsigned how, unsigned at)
{
    const struct sf_mechanism *m = &sf_mechanism_curve;
    uint8_t body[BODY_MAX], next[BODY_MAX], opened[BODY_MAX];
    size_t overhead = m->overhead, n = overhead + sizeof fine;
    unsigned flags = 0;
    uint32_t error = 0;
    bool changed;
    uint8_t *copy;
    int from = (int)(at & 1), err;

    CHECK(m->seal(sides[from].s.keys, body, 0, fine, sizeof fine) == 0);
    CHECK(m->seal(sides[from].s.keys, next, SF_SEAL_MORE, fine, sizeof fine) == 0);
    n = change(in, how, at, body, n, &changed);
    in = (struct fuzz_input){body, n};
    copy = fuzz_rest(&in);
    err = m->open(sides[!from].s.keys, opened, &flags, copy, n, &error);
    free(copy);
    CHECK(changed ? err == -EPROTO && error != 0 : err == (int)sizeof fine);
    CHECK(m->open(sides[!from].s.keys, opened, &flags, next, overhead + sizeof fine, &error) ==
          (int)sizeof fine);
    CHECK((flags & SF_SEAL_MORE) && memcmp(opened, fine, sizeof fine) == 0);
    CHECK(m->open(sides[!from].s.keys, opened, &flags, next, overhead + sizeof fine, &error) == -EPROTO);
    CHECK(error == SIFR_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned choice = fuzz_byte(&in), at = fuzz_byte(&in);
    unsigned target = (choice >> 1 & 7) % (STEPS + 1), how = choice >> 4 & 7;
    bool curve = choice & 1, changed = false;
    struct side sides[2];
    int err = 0;

    begin(sides, curve);
    for (unsigned step = 0; step < STEPS && err == 0; step++) {
        struct sf_refusal why = {.error = 7, .status = 7};
        uint8_t body[BODY_MAX];
        size_t n = say(&sides[step % 2], body);

        if (step == target)
            n = change(in, how, at, body, n, &changed);
        err = hear(&sides[1 - step % 2], body, n, &why);
        CHECK(err == 0 || err == -EPROTO);
        CHECK(err == 0 || changed); /* what is right is taken */
        if (err)
            CHECK(why.error != 7 && (why.status == 0 || (why.status % 100 == 0 && !sides[1 - step % 2].own.server)));
    }
    /* X25519 does not look at the last bit of C'; that it is another one shows in the vouch. */
    CHECK(!curve || !changed || err);
    if (err == 0) {
        CHECK(sides[0].s.turn == SF_SECURITY_DONE && sides[1].s.turn == SF_SECURITY_DONE);
        if (curve)
            traffic(sides, in, how, at);
    }
    end(sides);
    return 0;
}

#endif
