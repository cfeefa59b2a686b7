/*
 * CURVE without sockets: two sides that talk to each other, the streams recorded of real peers, and whatever somebody in
 * between could do to either. Chance is what the test says (the linker has brought sf_random_key here).
 */
#include "security/security.h"
#include "base/secret.h"
#include "quick_check.h"
#include "wire/frame.h"
#include "wire/handshake.h"
#include "wire/metadata.h"

#include <errno.h>
#include <sifr.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROTOCOL(name) SIFR_PROTOCOL_ERROR_##name

enum { KEY = SF_KEY_SIZE, ROOM = 8192, OVERHEAD = 33 };

/* ---- Chance ----------------------------------------------------------------------------------------------------- */

static struct {
    uint8_t bytes[512]; /* what comes next, then what the system has */
    size_t size, at;
    bool fails;
} chance;

int __real_sf_random_key(void *to, size_t n);
int __wrap_sf_random_key(void *to, size_t n);

int __wrap_sf_random_key(void *to, size_t n)
{
    if (chance.fails)
        return -EIO;
    if (chance.at + n > chance.size)
        return __real_sf_random_key(to, n);
    memcpy(to, chance.bytes + chance.at, n);
    chance.at += n;
    return 0;
}

static void foresee(const void *bytes, size_t n)
{
    ck_assert_uint_le(chance.size + n, sizeof chance.bytes);
    memcpy(chance.bytes + chance.size, bytes, n);
    chance.size += n;
}

static void forget(void)
{
    memset(&chance, 0, sizeof chance);
}

/* ---- Two sides -------------------------------------------------------------------------------------------------- */

static const struct sf_hello push = {.type_name = "PUSH", .talks_to = 1u << SIFR_PULL};
static const struct sf_hello pull = {.type_name = "PULL", .talks_to = 1u << SIFR_PUSH};

struct side {
    uint8_t public[KEY], secret[KEY], server_key[KEY];
    struct sf_credentials own;
    struct sf_security s;
    struct sf_peer_info info;
    struct sf_refusal why;
    const struct sf_hello *hello;
};

static struct side client, server;

static void set_up_side(struct side *side, bool serves)
{
    memset(&side->s, 0, sizeof side->s);
    memset(&side->info, 0, sizeof side->info);
    memset(&side->why, 0, sizeof side->why);
    side->hello = serves ? &pull : &push;
    side->own = (struct sf_credentials){
        .server = serves,
        .public_key = side->public,
        .secret_key = side->secret,
        .server_key = side->server_key,
    };
}

static void new_sides(void)
{
    forget();
    crypto_box_keypair(client.public, client.secret);
    crypto_box_keypair(server.public, server.secret);
    memcpy(client.server_key, server.public, KEY);
    memset(server.public, 0, KEY); /* a server needs no more than the secret one */
    set_up_side(&client, false);
    set_up_side(&server, true);
}

static void begin_side(struct side *side)
{
    ck_assert_int_eq(sf_security_init(&side->s, &sf_mechanism_curve, &side->own), 0);
}

static void end_side(struct side *side)
{
    sf_peer_info_fini(&side->info);
    sf_security_fini(&side->s);
}

/* The next command of a side: its body, and its size. */
static size_t say(struct side *side, uint8_t *body)
{
    uint8_t frame[ROOM];
    struct sf_frame f;
    int n, header;

    ck_assert_int_eq(side->s.turn, SF_SECURITY_SAY);
    n = sf_handshake_say(&side->s, side->hello, frame, sizeof frame);
    ck_assert_int_gt(n, 0);
    header = sf_frame_get(&f, frame, (size_t)n);
    ck_assert_int_gt(header, 0);
    ck_assert_uint_eq(f.flags, SF_FRAME_COMMAND);
    ck_assert_uint_eq(f.size, (size_t)(n - header));
    memcpy(body, frame + header, f.size);
    return f.size;
}

static int hear(struct side *side, uint8_t *body, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1); /* of exactly its size, for sanitizers */
    int err;

    ck_assert_ptr_nonnull(copy);
    ck_assert_int_eq(side->s.turn, SF_SECURITY_HEAR);
    if (n)
        memcpy(copy, body, n);
    err = sf_handshake_hear(&side->s, side->hello, &side->info, copy, n, &side->why);
    if (err == 0 && side->s.turn == SF_SECURITY_ASK) {
        ck_assert_uint_eq(side->s.n_shows, 1);
        ck_assert_uint_eq(side->s.shows[0].size, KEY);
        ck_assert_mem_eq(side->s.shows[0].data, client.public, KEY);
        side->s.turn = SF_SECURITY_SAY;
    }
    if (n)
        memcpy(body, copy, n);
    free(copy);
    return err;
}

/* Commands of a handshake, in order; even ones are the client's. */
enum { HELLO, WELCOME, INITIATE, READY, COMMANDS };

static struct side *speaker(int command)
{
    return command % 2 ? &server : &client;
}

static struct side *hearer(int command)
{
    return command % 2 ? &client : &server;
}

/* Goes on until `command` has been said, which is returned but not heard. */
static size_t shake_until(int command, uint8_t *body)
{
    begin_side(&client);
    begin_side(&server);
    for (int i = 0;; i++) {
        size_t n = say(speaker(i), body);

        if (i == command)
            return n;
        ck_assert_int_eq(hear(hearer(i), body, n), 0);
    }
}

static void shake(void)
{
    uint8_t body[ROOM];
    size_t n = shake_until(READY, body);

    ck_assert_int_eq(hear(&client, body, n), 0);
    ck_assert_int_eq(client.s.turn, SF_SECURITY_DONE);
    ck_assert_int_eq(server.s.turn, SF_SECURITY_DONE);
}

static void end_sides(void)
{
    end_side(&client);
    end_side(&server);
}

static int seal(struct side *side, uint8_t *to, unsigned flags, const void *data, size_t n)
{
    return sf_mechanism_curve.seal(side->s.keys, to, flags, data, n);
}

/* 0 or as open(), which gives all that was sealed. */
static int open_body(struct side *side, uint8_t *to, unsigned *flags, const uint8_t *body, size_t n, uint32_t *error)
{
    uint8_t *copy = malloc(n ? n : 1);
    ssize_t size;

    ck_assert_ptr_nonnull(copy);
    if (n)
        memcpy(copy, body, n);
    size = sf_mechanism_curve.open(side->s.keys, to, flags, copy, n, error);
    free(copy);
    if (size < 0)
        return (int)size;
    ck_assert_uint_eq((size_t)size, n - OVERHEAD);
    return 0;
}

/* ---- What they agree on ----------------------------------------------------------------------------------------- */

START_TEST(two_sides_come_to_terms_and_exchange_frames_of_all_sizes)
{
    uint8_t *data = malloc(70000), *sealed = malloc(70000 + OVERHEAD), *opened = malloc(70000);
    enum { EACH = 1100 }; /* twice what is made of the stream at once, and more */
    static const size_t more[] = {1503, 1504, 1505, 2015, 2016, 2017, 4096, 65535, 65536, 70000};

    new_sides();
    shake();
    ck_assert_int_eq(server.info.type, SIFR_PUSH);
    ck_assert_int_eq(client.info.type, SIFR_PULL);
    ck_assert_uint_eq(sf_mechanism_curve.overhead, OVERHEAD);
    for (size_t i = 0; i < 70000; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    for (size_t i = 0; i < EACH + sizeof more / sizeof *more; i++) {
        size_t n = i < EACH ? i : more[i - EACH];

        for (int way = 0; way < 2; way++) {
            struct side *from = way ? &server : &client, *to = way ? &client : &server;
            unsigned flags = 77;
            uint32_t error = 77;

            memset(opened, 0xee, n < 70000 ? n + 1 : n);
            memset(sealed, 0xee, n < 70000 ? n + 1 + OVERHEAD : n + OVERHEAD);
            if (i % 2) { /* in place */
                memcpy(sealed + OVERHEAD, data, n);
                ck_assert_int_eq(seal(from, sealed, i % 4, sealed + OVERHEAD, n), 0);
            } else {
                ck_assert_int_eq(seal(from, sealed, i % 4, data, n), 0);
            }
            if (n < 70000)
                ck_assert_uint_eq(sealed[OVERHEAD + n], 0xee);
            ck_assert_mem_eq(sealed, "\7MESSAGE", 8);
            if (n > 16) /* nothing of it is to be seen */
                ck_assert_ptr_null(memmem(sealed, n + OVERHEAD, data + 1, 16));
            ck_assert_int_eq(open_body(to, opened, &flags, sealed, n + OVERHEAD, &error), 0);
            ck_assert_uint_eq(flags, i % 4);
            ck_assert_mem_eq(opened, data, n);
            if (n < 70000)
                ck_assert_uint_eq(opened[n], 0xee);
            ck_assert_uint_eq(error, 77);
        }
    }
    end_sides();
    free(data);
    free(sealed);
    free(opened);
}
END_TEST

START_TEST(a_frame_is_what_the_standards_box_would_be)
{
    enum { MOST = 70000 };
    uint8_t *data = malloc(MOST), *ours = malloc(MOST + OVERHEAD), *theirs = malloc(MOST + 16);
    uint8_t shared[KEY], nonce[24] = "CurveZMQMESSAGEC", secret[KEY], hello[ROOM], welcome[ROOM];
    uint8_t inside[128], welcome_nonce[24] = "WELCOME-", greeted[KEY];
    size_t n;

    new_sides();
    memset(secret, 0x42, KEY);
    foresee(secret, KEY); /* c' */
    begin_side(&client);
    begin_side(&server);
    n = say(&client, hello);
    ck_assert_uint_eq(n, 200);
    crypto_scalarmult_base(greeted, secret);
    ck_assert_mem_eq(hello + 80, greeted, KEY);
    ck_assert_int_eq(hear(&server, hello, n), 0);
    n = say(&server, welcome);
    ck_assert_uint_eq(n, 168);
    memcpy(welcome_nonce + 8, welcome + 8, 16);
    ck_assert_int_eq(crypto_box_open_easy(inside, welcome + 24, 144, welcome_nonce, client.server_key, secret), 0);
    ck_assert_int_eq(crypto_box_beforenm(shared, inside, secret), 0);
    ck_assert_int_eq(hear(&client, welcome, n), 0);
    n = say(&client, hello);
    ck_assert_int_eq(hear(&server, hello, n), 0);
    n = say(&server, hello);
    ck_assert_int_eq(hear(&client, hello, n), 0);
    for (size_t i = 0; i < MOST; i++)
        data[i] = (uint8_t)(i * 11 + (i >> 7));
    data[0] = 1; /* the flags */
    for (size_t size = 1, count = 3; size < MOST; size += size < 1600 ? 1 : size / 3, count++) {
        ck_assert_int_eq(seal(&client, ours, data[0], data + 1, size - 1), 0);
        ck_assert_uint_eq(ours[14] << 8 | ours[15], count); /* HELLO had 1, INITIATE 2 */
        memcpy(nonce + 16, ours + 8, 8);
        crypto_box_easy_afternm(theirs, data, size, nonce, shared);
        ck_assert_mem_eq(ours + 16, theirs, size + 16);
    }
    end_sides();
    free(data);
    free(ours);
    free(theirs);
}
END_TEST

START_TEST(metadata_goes_along)
{
    uint8_t extra[64], body[ROOM];
    struct sf_hello router = {.type_name = "PUSH", .with_identity = true, .id = "me", .id_size = 2, .talks_to = ~0u};
    struct sf_property p;
    size_t n;

    new_sides();
    router.extra = extra;
    router.extra_size = sf_metadata_put(extra, sizeof extra, "X-Name", "value", 5);
    client.hello = &router;
    n = shake_until(INITIATE, body);
    ck_assert_int_eq(hear(&server, body, n), 0);
    ck_assert_uint_eq(server.info.id_size, 2);
    ck_assert_mem_eq(server.info.id, "me", 2);
    ck_assert_int_eq(sf_metadata_find(server.info.properties, server.info.properties_size, "X-Name", &p), 1);
    ck_assert_mem_eq(p.value, "value", 5);
    end_sides();
}
END_TEST

START_TEST(without_chance_nothing_begins)
{
    uint8_t body[ROOM];
    size_t n;

    new_sides();
    chance.fails = true;
    ck_assert_int_eq(sf_security_init(&client.s, &sf_mechanism_curve, &client.own), -EIO);
    chance.fails = false;
    n = shake_until(HELLO, body);
    ck_assert_int_eq(hear(&server, body, n), 0);
    chance.fails = true;
    ck_assert_int_eq(sf_handshake_say(&server.s, server.hello, body, sizeof body), -EIO);
    end_sides();
    chance.fails = false;
    n = shake_until(WELCOME, body);
    ck_assert_int_eq(hear(&client, body, n), 0);
    chance.fails = true;
    ck_assert_int_eq(sf_handshake_say(&client.s, client.hello, body, sizeof body), -EIO);
    end_sides();
    forget();
}
END_TEST

START_TEST(too_little_room_is_said_so)
{
    uint8_t body[ROOM], other[ROOM];

    new_sides();
    for (int command = 0; command < COMMANDS; command++) {
        begin_side(&client);
        begin_side(&server);
        for (int i = 0; i < command; i++) {
            size_t n = say(speaker(i), body);

            ck_assert_int_eq(hear(hearer(i), body, n), 0);
        }
        for (size_t room = 0; room < 160; room += 7) {
            memset(other, 0xee, sizeof other);
            ck_assert_int_eq(sf_handshake_say(&speaker(command)->s, speaker(command)->hello, other, room), -ENOSPC);
            for (size_t k = room; k < 400; k++)
                ck_assert_uint_eq(other[k], 0xee);
            ck_assert_int_eq(speaker(command)->s.turn, SF_SECURITY_SAY);
            if (command == READY && room > 60)
                break;
        }
        end_sides();
    }
}
END_TEST

/* ---- What somebody in between may do ---------------------------------------------------------------------------- */

/* The error that a command has when octet `at` of it was changed. */
static uint32_t error_of(int command, size_t at)
{
    static const size_t names[] = {6, 8, 9, 6};

    if (at < names[command])
        return at == 0 ? 0 : PROTOCOL(ZMTP_UNEXPECTED_COMMAND); /* 0: one of two */
    if (command == HELLO && at < 80)
        return PROTOCOL(ZMTP_MALFORMED_COMMAND_HELLO);
    return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
}

START_TEST(a_changed_bit_anywhere_in_the_handshake_ends_it)
{
    int command = _i;
    uint8_t body[ROOM], broken[ROOM];
    size_t n;

    new_sides();
    for (size_t at = 0;; at++) {
        n = shake_until(command, body);
        if (at == n) {
            end_sides();
            break;
        }
        memcpy(broken, body, n);
        broken[at] ^= (uint8_t)(1 << at % 8);
        if (command == HELLO && at == 111) { /* the bit of a key that X25519 does not look at: the vouch tells */
            ck_assert_int_eq(hear(&server, broken, n), 0);
            n = say(&server, body);
            ck_assert_int_eq(hear(&client, body, n), 0);
            n = say(&client, body);
            ck_assert_int_eq(hear(&server, body, n), -EPROTO);
            ck_assert_uint_eq(server.why.error, PROTOCOL(ZMTP_KEY_EXCHANGE));
            end_sides();
            continue;
        }
        ck_assert_msg(hear(hearer(command), broken, n) == -EPROTO, "command %d, octet %zu", command, at);
        ck_assert_int_eq(hearer(command)->why.status, 0);
        ck_assert_ptr_null(hearer(command)->info.properties);
        if (error_of(command, at) &&
            /* a smaller short nonce is out of order before it is a wrong one */
            hearer(command)->why.error != PROTOCOL(ZMTP_INVALID_SEQUENCE))
            ck_assert_msg(hearer(command)->why.error == error_of(command, at), "command %d, octet %zu: %x", command,
                          at, hearer(command)->why.error);
        end_sides();
    }
}
END_TEST

START_TEST(a_command_cut_or_lengthened_anywhere_ends_the_handshake)
{
    int command = _i;
    uint8_t body[ROOM];
    size_t n, size = 0;

    new_sides();
    for (size_t at = 0; at <= size + 3; at++) {
        n = shake_until(command, body);
        size = n;
        if (at == n) {
            end_sides();
            continue;
        }
        if (at > n)
            memset(body + n, 0, at - n);
        ck_assert_msg(hear(hearer(command), body, at) == -EPROTO, "command %d with %zu octets", command, at);
        ck_assert_uint_ne(hearer(command)->why.error, 0);
        end_sides();
    }
}
END_TEST

START_TEST(a_command_that_is_not_due_ends_the_handshake)
{
    int due = _i / COMMANDS, other = _i % COMMANDS;
    uint8_t commands[COMMANDS][ROOM], body[ROOM];
    size_t sizes[COMMANDS], n;

    new_sides();
    for (int i = 0; i < COMMANDS; i++) { /* of this very pair, even */
        sizes[i] = shake_until(i, commands[i]);
        end_sides();
    }
    n = shake_until(due, body);
    if (due != other) {
        ck_assert_int_eq(hear(hearer(due), commands[other], sizes[other]), -EPROTO);
        ck_assert_uint_eq(hearer(due)->why.error, PROTOCOL(ZMTP_UNEXPECTED_COMMAND));
    } else if (due == HELLO) { /* a replay of what anybody may have said: he cannot go on with it */
        ck_assert_int_eq(hear(&server, commands[HELLO], n), 0);
        n = say(&server, body);
        ck_assert_int_eq(hear(&server, commands[INITIATE], sizes[INITIATE]), -EPROTO);
        ck_assert_uint_eq(server.why.error, PROTOCOL(ZMTP_CRYPTOGRAPHIC));
    } else { /* of another connection */
        ck_assert_int_eq(hear(hearer(due), commands[other], sizes[other]), -EPROTO);
        ck_assert_uint_eq(hearer(due)->why.error, PROTOCOL(ZMTP_CRYPTOGRAPHIC));
    }
    end_sides();
}
END_TEST

START_TEST(keys_that_do_not_belong_together_end_the_handshake)
{
    uint8_t body[ROOM];
    size_t n;

    new_sides(); /* the client knows another server */
    client.server_key[3] ^= 1;
    n = shake_until(HELLO, body);
    ck_assert_int_eq(hear(&server, body, n), -EPROTO);
    ck_assert_uint_eq(server.why.error, PROTOCOL(ZMTP_CRYPTOGRAPHIC));
    end_sides();

    new_sides(); /* the client's pair is none */
    client.public[3] ^= 1;
    n = shake_until(INITIATE, body);
    ck_assert_int_eq(hear(&server, body, n), -EPROTO);
    ck_assert_uint_eq(server.why.error, PROTOCOL(ZMTP_CRYPTOGRAPHIC));
    end_sides();

    new_sides(); /* no server's key was set: with that of nobody no key is shared */
    memset(client.server_key, 0, KEY);
    begin_side(&client);
    ck_assert_int_eq(sf_handshake_say(&client.s, client.hello, body, sizeof body), -EPROTO);
    ck_assert_uint_eq(client.s.error, PROTOCOL(ZMTP_CRYPTOGRAPHIC));
    end_side(&client);
}
END_TEST

/* A peer whose short-term key is of the few with which any secret shares the same. */
START_TEST(keys_of_low_order_are_refused)
{
    static const uint8_t points[][KEY] = {
        {0},
        {1},
        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
         0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    };
    uint8_t body[ROOM];
    size_t n;

    new_sides();
    n = shake_until(HELLO, body);
    memcpy(body + 80, points[_i], KEY);
    ck_assert_int_eq(hear(&server, body, n), -EPROTO);
    ck_assert_uint_eq(server.why.error, PROTOCOL(ZMTP_CRYPTOGRAPHIC));
    end_sides();
}
END_TEST

START_TEST(a_client_is_told_error_and_a_server_is_not)
{
    uint8_t error[] = "\5ERROR\3\x34\x30\x30", body[ROOM];

    new_sides();
    for (int command = 0; command < COMMANDS; command++) {
        shake_until(command, body);
        ck_assert_int_eq(hear(hearer(command), error, sizeof error - 1), -EPROTO);
        ck_assert_int_eq(hearer(command)->why.status, command % 2 ? 400 : 0);
        ck_assert_uint_eq(hearer(command)->why.error, command % 2 ? 0 : PROTOCOL(ZMTP_UNEXPECTED_COMMAND));
        end_sides();
    }
}
END_TEST

static size_t wiped; /* octets (the linker brings the mechanism's calls here) */
void __real_sodium_memzero(void *at, size_t n);
void __wrap_sodium_memzero(void *at, size_t n);

void __wrap_sodium_memzero(void *at, size_t n)
{
    wiped += n;
    __real_sodium_memzero(at, n);
}

/* The peer chooses the nonce: what the stream for it would be is nobody's who comes to read our stack. */
START_TEST(a_refused_frame_leaves_nothing_of_the_stream)
{
    static const size_t sizes[] = {0, 20, 200, 1000};
    static const uint8_t data[1000];
    uint8_t sealed[1000 + OVERHEAD], opened[1000];
    unsigned flags;
    uint32_t error;

    new_sides();
    shake();
    for (int i = 0; i < 4; i++) {
        size_t n = sizes[i], used = KEY + 1 + n < 512 ? KEY + 1 + n : 512;

        ck_assert_int_eq(seal(&client, sealed, 0, data, n), 0);
        sealed[n + OVERHEAD - 1] ^= 1;
        wiped = 0;
        ck_assert_int_eq(open_body(&server, opened, &flags, sealed, n + OVERHEAD, &error), -EPROTO);
        ck_assert_uint_ge(wiped, used);
    }
    end_sides();
}
END_TEST

START_TEST(a_changed_bit_anywhere_in_a_frame_is_seen)
{
    uint8_t sealed[200], broken[200], opened[200];
    static const uint8_t data[100] = "some data";
    unsigned flags;
    uint32_t error;

    new_sides();
    shake();
    ck_assert_int_eq(seal(&client, sealed, 0, data, sizeof data), 0);
    for (size_t at = 0; at < sizeof data + OVERHEAD; at++)
        for (int bit = 0; bit < 8; bit++) {
            uint32_t expected = at < 8 ? PROTOCOL(ZMTP_UNEXPECTED_COMMAND) : PROTOCOL(ZMTP_CRYPTOGRAPHIC);

            memcpy(broken, sealed, sizeof data + OVERHEAD);
            broken[at] ^= (uint8_t)(1 << bit);
            error = 0;
            ck_assert_int_eq(open_body(&server, opened, &flags, broken, sizeof data + OVERHEAD, &error), -EPROTO);
            if (at < 8 || at >= 16 || error != PROTOCOL(ZMTP_INVALID_SEQUENCE))
                ck_assert_msg(error == expected, "octet %zu: %x", at, error);
        }
    for (size_t n = 0; n < sizeof data + OVERHEAD; n++) {
        error = 0;
        ck_assert_int_eq(open_body(&server, opened, &flags, sealed, n, &error), -EPROTO);
        ck_assert_uint_eq(error, n < 8          ? PROTOCOL(ZMTP_UNEXPECTED_COMMAND)
                                 : n < OVERHEAD ? PROTOCOL(ZMTP_MALFORMED_COMMAND_MESSAGE)
                                                : PROTOCOL(ZMTP_CRYPTOGRAPHIC));
    }
    /* All that was in vain: it still opens, once. */
    ck_assert_int_eq(open_body(&server, opened, &flags, sealed, sizeof data + OVERHEAD, &error), 0);
    ck_assert_int_eq(open_body(&server, opened, &flags, sealed, sizeof data + OVERHEAD, &error), -EPROTO);
    ck_assert_uint_eq(error, PROTOCOL(ZMTP_INVALID_SEQUENCE));
    end_sides();
}
END_TEST

START_TEST(frames_may_be_lost_but_not_reordered_or_turned_back)
{
    uint8_t sealed[4][64], opened[64];
    unsigned flags;
    uint32_t error;

    new_sides();
    shake();
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(seal(&client, sealed[i], 0, &i, sizeof i), 0);
    ck_assert_int_eq(open_body(&server, opened, &flags, sealed[0], sizeof(int) + OVERHEAD, &error), 0);
    ck_assert_int_eq(open_body(&server, opened, &flags, sealed[2], sizeof(int) + OVERHEAD, &error), 0);
    ck_assert_int_eq(open_body(&server, opened, &flags, sealed[1], sizeof(int) + OVERHEAD, &error), -EPROTO);
    ck_assert_uint_eq(error, PROTOCOL(ZMTP_INVALID_SEQUENCE));
    ck_assert_int_eq(open_body(&client, opened, &flags, sealed[3], sizeof(int) + OVERHEAD, &error), -EPROTO);
    ck_assert_uint_eq(error, PROTOCOL(ZMTP_CRYPTOGRAPHIC)); /* the ways have keys of their own */
    end_sides();
}
END_TEST

/* ---- Recorded streams ------------------------------------------------------------------------------------------- */

enum { LINE_SIZE = 1 << 18 };

struct recorded {
    uint8_t client_public[KEY], client_secret[KEY], server_public[KEY], server_secret[KEY];
    uint8_t client_ephemeral[KEY], server_ephemeral[KEY], cookie_key[KEY];
    bool has_client_public, has_server_ephemeral;
    char case_name[64];
    /* What both sides sent behind their greetings, in the order of the record. */
    struct unit {
        bool of_client;
        uint8_t *bytes;
        size_t size;
        char plain[256]; /* what the record says is in it */
    } units[64];
    int count;
};

static size_t read_hex(uint8_t *to, const char *hex)
{
    size_t n = 0;

    while (*hex && *hex != '\n') {
        unsigned long times = 1, octet;
        char digits[3] = {0};

        if (*hex == '{') {
            char *star;

            times = strtoul(hex + 1, &star, 10);
            hex = star + 1;
        }
        memcpy(digits, hex, 2);
        octet = strtoul(digits, NULL, 16);
        hex += 2;
        if (*hex == '}')
            hex++;
        while (times--)
            to[n++] = (uint8_t)octet;
    }
    return n;
}

static bool read_key(uint8_t *to, const char *line, const char *name)
{
    char start[64];

    snprintf(start, sizeof start, "# %s: ", name);
    if (strncmp(line, start, strlen(start)) != 0)
        return false;
    ck_assert_uint_eq(read_hex(to, line + strlen(start)), KEY);
    return true;
}

static struct recorded *read_record(const char *name)
{
    static struct recorded r;
    char path[512], *line = malloc(LINE_SIZE), plain[256] = "";
    int greetings = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s/captures/curve/%s.txt", SF_TEST_DATA, name);
    f = fopen(path, "r");
    ck_assert_msg(f != NULL && line != NULL, "%s", path);
    memset(&r, 0, sizeof r);
    snprintf(r.case_name, sizeof r.case_name, "%s", name);
    while (fgets(line, LINE_SIZE, f)) {
        r.has_client_public |= read_key(r.client_public, line, "client-long-term-public");
        read_key(r.client_secret, line, "client-long-term-secret");
        read_key(r.server_public, line, "server-long-term-public");
        read_key(r.server_secret, line, "server-long-term-secret");
        read_key(r.client_ephemeral, line, "client-ephemeral-secret");
        r.has_server_ephemeral |= read_key(r.server_ephemeral, line, "server-ephemeral-secret");
        read_key(r.cookie_key, line, "cookie-key");
        if (line[0] == '#' && strstr(line, "plaintext: flags="))
            sscanf(strstr(line, "flags="), "flags=%2s payload=%250s", plain, plain + 2);
        if ((line[0] != 'C' && line[0] != 'S') || line[1] != '>')
            continue;
        if (greetings < 6) { /* three pieces of each */
            greetings++;
            continue;
        }
        ck_assert_int_lt(r.count, 64);
        r.units[r.count].of_client = line[0] == 'C';
        r.units[r.count].bytes = malloc(strlen(line));
        r.units[r.count].size = read_hex(r.units[r.count].bytes, line + 3);
        memcpy(r.units[r.count].plain, plain, sizeof plain);
        plain[0] = 0;
        r.count++;
    }
    fclose(f);
    free(line);
    crypto_scalarmult_base(r.client_public, r.client_secret);
    return &r;
}

static void free_record(struct recorded *r)
{
    for (int i = 0; i < r->count; i++)
        free(r->units[i].bytes);
}

/* Takes a unit apart: the body of the frame. */
static const uint8_t *body_of(const struct unit *u, size_t *n)
{
    struct sf_frame f;
    int header = sf_frame_get(&f, u->bytes, u->size);

    ck_assert_int_gt(header, 0);
    ck_assert_uint_eq((size_t)header + f.size, u->size);
    *n = (size_t)f.size;
    return u->bytes + header;
}

static const struct sf_hello any = {.type_name = "PAIR", .talks_to = ~0u};

static void play(struct side *side, const struct recorded *r, bool serves)
{
    set_up_side(side, serves);
    side->hello = &any;
    memcpy(side->public, serves ? r->server_public : r->client_public, KEY);
    memcpy(side->secret, serves ? r->server_secret : r->client_secret, KEY);
    memcpy(side->server_key, r->server_public, KEY);
    memcpy(client.public, r->client_public, KEY);
}

static const char *const whole[] = {"curve-success-push-pull", "curve-success-dealer-dealer", "curve-sub-pub",
                                    "curve-heartbeat"};

/* Each in the place of one side, with its keys and its luck: what the other one said opens. */
START_TEST(recorded_handshakes_and_messages_open_at_both_ends)
{
    struct recorded *r = read_record(whole[_i]);
    uint8_t body[ROOM], opened[ROOM], nonce[24], inside[160];
    int told = 0;
    unsigned flags;
    uint32_t error;
    size_t n;

    ck_assert(r->has_server_ephemeral);
    forget();
    play(&client, r, false);
    foresee(r->client_ephemeral, KEY);
    begin_side(&client);
    forget();
    play(&server, r, true);
    begin_side(&server);
    for (int i = 0; i < r->count; i++) {
        struct side *to = r->units[i].of_client ? &server : &client, *from = r->units[i].of_client ? &client : &server;
        const uint8_t *b = body_of(&r->units[i], &n);
        uint8_t ours[ROOM];
        size_t size;

        ck_assert_uint_le(n, ROOM);
        memcpy(body, b, n);
        if (i < COMMANDS) { /* our own says it as it was said, up to what is chance of the box, and of whom it announces */
            forget();
            if (i == WELCOME) {
                memcpy(nonce, "WELCOME-", 8);
                memcpy(nonce + 8, b + 8, 16);
                ck_assert_int_eq(crypto_box_open_easy(inside, b + 24, 144, nonce, r->server_public, r->client_ephemeral),
                                 0);
                foresee(r->server_ephemeral, KEY);
                foresee(r->cookie_key, KEY);
                foresee(inside + KEY, 16);
                foresee(b + 8, 16);
            }
            size = say(from, ours);
            if (i == HELLO || i == WELCOME) {
                ck_assert_uint_eq(size, n);
                ck_assert_mem_eq(ours, b, n);
            }
            ck_assert_msg(hear(to, body, n) == 0, "%s: command %d: %x", r->case_name, i, to->why.error);
            ck_assert(i < INITIATE || to->info.type >= 0);
            continue;
        }
        ck_assert_msg(open_body(to, opened, &flags, b, n, &error) == 0, "%s: unit %d: %x", r->case_name, i, error);
        if (r->units[i].plain[0]) {
            uint8_t expected[1024];

            size = read_hex(expected, r->units[i].plain);
            ck_assert_uint_eq(size, n - OVERHEAD + 1);
            ck_assert_uint_eq(expected[0], flags);
            ck_assert_mem_eq(opened, expected + 1, size - 1);
            told++;
        }
    }
    ck_assert_int_gt(told, 0);
    end_sides();
    free_record(r);
}
END_TEST

/* The rest of them, as far as one side's keys go: what a server says to HELLO, and a client to what comes back. */
static const struct {
    const char *name;
    uint32_t hello; /* why it is refused, or 0 */
    int status;     /* of the ERROR that ends it */
} parts_of[] = {
    {"curve-failure-400", 0, 400},
    {"curve-failure-wrong-server-key", PROTOCOL(ZMTP_CRYPTOGRAPHIC), 0},
    {"curve-raw-bad-cookie", 0, 0},
    {"curve-raw-bad-hello-box", PROTOCOL(ZMTP_CRYPTOGRAPHIC), 0},
    {"curve-raw-bad-hello-version", PROTOCOL(ZMTP_MALFORMED_COMMAND_HELLO), 0},
    {"curve-raw-bad-message-box", 0, 0},
    {"curve-raw-bad-vouch-server-key", 0, 0},
    {"curve-raw-initiate-nonce-not-increasing", 0, 0},
    {"curve-raw-inner-reserved-flags", 0, 0},
    {"curve-raw-message-as-command", 0, 0},
    {"curve-raw-message-outer-more", 0, 0},
    {"curve-raw-nonce-equals-initiate", 0, 0},
    {"curve-raw-nonce-gap", 0, 0},
    {"curve-raw-nonce-reuse", 0, 0},
    {"curve-raw-ok", 0, 0},
    {"curve-raw-plaintext-frame", 0, 0},
    {"curve-raw-wrong-type", 0, 0},
};

START_TEST(recorded_commands_are_taken_or_refused)
{
    struct recorded *r = read_record(parts_of[_i].name);
    uint8_t body[ROOM], ours[ROOM];
    const uint8_t *first;
    size_t n;

    forget();
    play(&server, r, true);
    begin_side(&server);
    play(&client, r, false);
    foresee(r->client_ephemeral, KEY);
    begin_side(&client);
    forget();
    ck_assert_int_gt(r->count, 0);
    first = body_of(&r->units[0], &n);
    memcpy(body, first, n);
    if (parts_of[_i].hello) {
        ck_assert_int_eq(hear(&server, body, n), -EPROTO);
        ck_assert_uint_eq(server.why.error, parts_of[_i].hello);
    } else {
        ck_assert_int_eq(hear(&server, body, n), 0);
        ck_assert_uint_eq(say(&client, ours), n);
        for (int i = 1; i < r->count; i++) { /* all that the server said */
            const uint8_t *b = body_of(&r->units[i], &n);

            if (r->units[i].of_client)
                continue;
            memcpy(body, b, n);
            if (parts_of[_i].status && client.s.step == READY) {
                ck_assert_int_eq(hear(&client, body, n), -EPROTO);
                ck_assert_int_eq(client.why.status, parts_of[_i].status);
                break;
            }
            ck_assert_msg(hear(&client, body, n) == 0, "%s: unit %d: %x", r->case_name, i, client.why.error);
            if (client.s.turn == SF_SECURITY_DONE)
                break;
            say(&client, ours);
        }
    }
    end_sides();
    free_record(r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("curve");
    TCase *c = tcase_create("two sides");
    SRunner *runner;
    int failed;

    tcase_set_timeout(c, 60);
    tcase_add_test(c, two_sides_come_to_terms_and_exchange_frames_of_all_sizes);
    tcase_add_test(c, a_frame_is_what_the_standards_box_would_be);
    tcase_add_test(c, metadata_goes_along);
    tcase_add_test(c, without_chance_nothing_begins);
    tcase_add_test(c, too_little_room_is_said_so);
    suite_add_tcase(suite, c);
    c = tcase_create("in between");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, a_changed_bit_anywhere_in_the_handshake_ends_it, 0, COMMANDS);
    tcase_add_loop_test(c, a_command_cut_or_lengthened_anywhere_ends_the_handshake, 0, COMMANDS);
    tcase_add_loop_test(c, a_command_that_is_not_due_ends_the_handshake, 0, COMMANDS * COMMANDS);
    tcase_add_test(c, keys_that_do_not_belong_together_end_the_handshake);
    tcase_add_loop_test(c, keys_of_low_order_are_refused, 0, 3);
    tcase_add_test(c, a_client_is_told_error_and_a_server_is_not);
    tcase_add_test(c, a_changed_bit_anywhere_in_a_frame_is_seen);
    tcase_add_test(c, a_refused_frame_leaves_nothing_of_the_stream);
    tcase_add_test(c, frames_may_be_lost_but_not_reordered_or_turned_back);
    suite_add_tcase(suite, c);
    c = tcase_create("recorded");
    tcase_add_loop_test(c, recorded_handshakes_and_messages_open_at_both_ends, 0, 4);
    tcase_add_loop_test(c, recorded_commands_are_taken_or_refused, 0, sizeof parts_of / sizeof *parts_of);
    suite_add_tcase(suite, c);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
