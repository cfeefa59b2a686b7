/*
 * Greetings and handshakes that are cut, changed, repeated, too large, out of turn, or of another connection: each ends
 * its connection with the event that tells why, lets nothing in, and disturbs nobody else.
 */
#include "hostile.h"

#include <dirent.h>
#include <malloc.h>

enum { KINDS = COUNT(kinds), LONG_MS = 30000, SHORT_MS = 100 };

static bool has_step(int kind, enum step step)
{
    return kinds[kind].mechanism != SIFR_NULL || step != SECOND;
}

static struct foe foe_of(struct scene *s, int transport)
{
    return foe_to(&s->at[transport], s->mechanism, !s->server);
}

/* ---- Cut --------------------------------------------------------------------------------------------------------- */

/* Leaves by closing, by half-closing, or by a reset. */
static void leave(struct foe *f, int how)
{
    struct linger hard = {1, 0};

    if (how == 1) {
        shutdown(f->fd, SHUT_WR);
        raw_expect_end(f->fd);
    } else if (how == 2) {
        setsockopt(f->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    close(f->fd);
}

START_TEST(a_step_may_be_cut_anywhere)
{
    int kind = _i / STEPS;
    enum step step = (enum step)(_i % STEPS);
    uint8_t frame[FRAME_ROOM];
    struct scene s;
    size_t size = 1;

    if (!has_step(kind, step))
        return;
    s = open_scene(kind, LONG_MS);
    for (size_t n = 0; n < size; n += SLOW ? 7 : 1) {
        struct foe f = foe_of(&s, n % 2);

        foe_reach(&f, step);
        size = foe_make(&f, step, frame);
        foe_send(&f, frame, n);
        leave(&f, (int)(n % (step == TRAFFIC ? 2 : 3))); /* a reset takes back what was not read yet */
        expect_accepted_end(&s, kinds[kind].name, step == TRAFFIC, step == TRAFFIC ? SILENT : LOST);
        exchange(&s);
    }
    newcomer(&s, TCP);
}
END_TEST

/* ---- Changed ----------------------------------------------------------------------------------------------------- */

enum { COMES_IN = 1000 }; /* besides SILENT.. and errors: nothing is wrong with it */

static uint32_t greeting_outcome(size_t octet, unsigned bit)
{
    if (octet == 0 || (octet == 9 && bit == 0) || (octet == 10 && bit == 1))
        return PROTOCOL(ZMTP_UNSPECIFIED); /* an old version, which can do no mechanism */
    if (octet >= 12 && octet < 32)
        return PROTOCOL(ZMTP_MECHANISM_MISMATCH);
    return COMES_IN;
}

static uint32_t header_outcome(unsigned bit)
{
    return bit == 0 || bit == 2 ? COMES_IN : bit == 1 ? ANY : PROTOCOL(ZMTP_UNSPECIFIED);
}

static uint32_t curve_outcome(bool foe_serves, enum step step, size_t at, unsigned bit)
{
    if (step == FIRST && !foe_serves) {
        if (at < 80)
            return PROTOCOL(ZMTP_MALFORMED_COMMAND_HELLO);
        return at == 111 && bit == 7 ? ANY : PROTOCOL(ZMTP_CRYPTOGRAPHIC); /* X25519 does not look at that one */
    }
    if (step == SECOND && !foe_serves && at == 112 && bit == 1)
        return PROTOCOL(ZMTP_INVALID_SEQUENCE); /* the nonce is 0 then */
    if (step == TRAFFIC && at == 15 && bit < 2)
        return foe_serves && bit == 0 ? PROTOCOL(ZMTP_CRYPTOGRAPHIC) /* 3 for 2 */
                                      : PROTOCOL(ZMTP_INVALID_SEQUENCE);
    return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
}

static uint32_t flip_outcome(const struct scene *s, enum step step, const uint8_t *frame, size_t octet, unsigned bit)
{
    size_t header = frame[0] & 2 ? 9 : 2, at = octet - header, name = frame[header];

    if (step == GREETING)
        return greeting_outcome(octet, bit);
    if (octet == 0)
        return step == TRAFFIC && header_outcome(bit) == PROTOCOL(ZMTP_UNSPECIFIED) ? SILENT : header_outcome(bit);
    if (octet < header || at == 0)
        return ANY;
    if (at <= name)
        return PROTOCOL(ZMTP_UNEXPECTED_COMMAND);
    if (s->mechanism == SIFR_CURVE)
        return curve_outcome(!s->server, step, at, bit);
    if (step == FIRST && s->mechanism == SIFR_PLAIN) /* HELLO: sizes, or name and password */
        return at == 6 || at == 12 ? ANY : 400;
    return octet & 1 ? 0xffff : 0xfffe; /* metadata, which may still make sense */
}

static bool is_metadata(uint32_t outcome)
{
    return outcome == 0xffff || outcome == 0xfffe;
}

/* Goes on as if nothing had happened; what it sends is received. */
static void comes_in(struct scene *s, struct foe *f, enum step step)
{
    foe_hear(f, step + 1);
    foe_go(f, step + 1, TRAFFIC);
    foe_say(f, TRAFFIC);
    recv_text(s->victim, "harm", false);
    close(f->fd);
    expect_accepted_end(s, "comes in", true, SILENT);
}

/* Whether it has come in or not, it goes; neither does harm. */
static void may_come_in(struct scene *s, struct foe *f)
{
    shutdown(f->fd, SHUT_WR);
    raw_expect_end(f->fd);
    close(f->fd);
    while (next_event(s, "metadata").number != SIFR_EVENT_DISCONNECTED)
        ;
}

static void flip(struct scene *s, enum step step, size_t n)
{
    struct foe f = foe_of(s, n / 8 % 2);
    uint8_t frame[FRAME_ROOM];
    uint32_t outcome;
    char what[64];
    size_t size;

    snprintf(what, sizeof what, "step %d, octet %zu, bit %zu", step, n / 8, n % 8);
    foe_reach(&f, step);
    size = foe_make(&f, step, frame);
    outcome = flip_outcome(s, step, frame, n / 8, n % 8);
    frame[n / 8] ^= (uint8_t)(1 << n % 8);
    if (outcome == COMES_IN && step < TRAFFIC) {
        foe_send(&f, frame, size);
        comes_in(s, &f, step);
    } else if (outcome == COMES_IN) {
        foe_send(&f, frame, size);
        recv_text(s->victim, "harm", false);
        close(f.fd);
        expect_accepted_end(s, what, true, SILENT);
    } else if (is_metadata(outcome)) {
        foe_send(&f, frame, size);
        may_come_in(s, &f);
    } else {
        if (outcome == ANY && foe_send(&f, frame, size))
            shutdown(f.fd, SHUT_WR); /* some wait for more */
        foe_is_ended(s, &f, what, frame, outcome == ANY ? 0 : size, step == TRAFFIC, outcome);
    }
}

/* How many bits there are in a step. */
static size_t bits_of(int kind, enum step step)
{
    struct foe f = foe_at(-1, kinds[kind].mechanism, !kinds[kind].server);
    uint8_t frame[FRAME_ROOM];

    memcpy(f.theirs, server_key.public, KEY); /* whoever it is */
    return 8 * foe_make(&f, step, frame);
}

START_TEST(no_bit_can_be_changed_unnoticed)
{
    int kind = _i / STEPS;
    enum step step = (enum step)(_i % STEPS);
    struct scene s;
    size_t bits;

    if (!has_step(kind, step) || (step == TRAFFIC && kinds[kind].mechanism != SIFR_CURVE))
        return;
    s = open_scene(kind, LONG_MS);
    bits = bits_of(kind, step);
    for (size_t n = 0; n < bits; n += SLOW && bits > 100 ? 23 : 1) { /* of each octet's bits some are tried */
        flip(&s, step, n);
        exchange(&s);
    }
    newcomer(&s, IPC);
}
END_TEST

/* ---- Out of turn, or not at all ---------------------------------------------------------------------------------- */

#define Z16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define N16 "NNNNNNNNNNNNNNNN"

static const struct command {
    const char *name, *body;
    size_t n;
    uint32_t error;
} commands[] = {
    {"nothing", BYTES(""), PROTOCOL(ZMTP_MALFORMED_COMMAND_UNSPECIFIED)},
    {"a name of no octets", BYTES("\0"), PROTOCOL(ZMTP_MALFORMED_COMMAND_UNSPECIFIED)},
    {"a name that runs out", BYTES("\6HELLO"), PROTOCOL(ZMTP_MALFORMED_COMMAND_UNSPECIFIED)},
    {"a name of 255 that runs out", BYTES("\xffHELLO"), PROTOCOL(ZMTP_MALFORMED_COMMAND_UNSPECIFIED)},
    {"a name of 255", BYTES("\xff" N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 "NNNNNNNNNNNNNNN"),
     PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"a name with zeros", BYTES("\5HELL\0"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"a name in small letters", BYTES("\5hello\1u\1p"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"the same of READY", BYTES("\5ready"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"a name and a blank", BYTES("\6HELLO \1u\1p"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"HELLO", BYTES("\5HELLO\1u\1p"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"WELCOME", BYTES("\7WELCOME"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"INITIATE", BYTES("\10INITIATE"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"READY", BYTES("\5READY"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"MESSAGE", BYTES("\7MESSAGE" Z16 Z16 Z16), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"PING", BYTES("\4PING\0\0"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"PONG", BYTES("\4PONG"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"SUBSCRIBE", BYTES("\11SUBSCRIBEA"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"CANCEL", BYTES("\6CANCELA"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"JOIN", BYTES("\4JOINg"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"ERROR", BYTES("\5ERROR\3\x34\x30\x30"), 400},
    {"ERROR of another status", BYTES("\5ERROR\3\x32\x30\x30"), SILENT},
    {"ERROR that runs out", BYTES("\5ERROR\4\x34\x30\x30"), PROTOCOL(ZMTP_MALFORMED_COMMAND_ERROR)},
};

static const char *due(int kind, enum step step)
{
    if (kinds[kind].mechanism == SIFR_NULL)
        return "READY";
    if (kinds[kind].server) /* the foe is a client */
        return step == FIRST ? "HELLO" : "INITIATE";
    return step == FIRST ? "WELCOME" : "READY";
}

static uint32_t command_outcome(int kind, const struct command *c)
{
    bool null = kinds[kind].mechanism == SIFR_NULL;

    if (null && c->error == PROTOCOL(ZMTP_MALFORMED_COMMAND_UNSPECIFIED))
        return PROTOCOL(ZMTP_UNEXPECTED_COMMAND);
    if (!null && kinds[kind].server && c->n > 5 && memcmp(c->body, "\5ERROR", 6) == 0)
        return PROTOCOL(ZMTP_UNEXPECTED_COMMAND); /* only servers say it */
    return c->error;
}

/* In frames that say that they are commands, and in others: that is not looked at. */
START_TEST(what_is_not_due_ends_the_handshake)
{
    int kind = _i / 2;
    enum step step = _i % 2 ? SECOND : FIRST;
    uint8_t frame[FRAME_ROOM];
    struct scene s;

    if (!has_step(kind, step))
        return;
    s = open_scene(kind, LONG_MS);
    for (int i = 0; i < 2 * COUNT(commands); i++) {
        const struct command *c = &commands[i / 2];
        struct foe f;

        if (strcmp(c->name, due(kind, step)) == 0)
            continue;
        f = foe_of(&s, i / 2 % 2);
        foe_reach(&f, step);
        foe_is_ended(&s, &f, c->name, frame, put_frame(frame, i % 2 ? 4 : 0, c->body, c->n), false,
                     command_outcome(kind, c));
        exchange(&s);
    }
    newcomer(&s, TCP);
}
END_TEST

/* Whoever is dialled and breaks the rules is left alone; who only goes away is not. */
START_TEST(who_is_dialled_and_breaks_the_rules_is_not_dialled_again)
{
    int kind = _i / 2;
    enum step step = _i % 2 ? SECOND : FIRST;
    uint8_t frame[FRAME_ROOM];
    struct scene s;

    if (!has_step(kind, step))
        return;
    s = open_scene(kind, LONG_MS);
    for (int i = 0; i <= COUNT(commands); i++) {
        const struct command *c = i < COUNT(commands) ? &commands[i] : NULL;
        struct endpoint at;
        struct foe f;
        int listener;

        if (c && strcmp(c->name, due(kind, step)) == 0)
            continue;
        listener = raw_listen(&at);
        connect_to(s.victim, &at);
        f = foe_at(raw_accept(listener), s.mechanism, !s.server);
        foe_reach(&f, step);
        if (c) {
            foe_send(&f, frame, put_frame(frame, 4, c->body, c->n));
            raw_expect_end(f.fd);
        }
        close(f.fd);
        expect_event(&s, "dialled", SIFR_EVENT_CONNECTED);
        expect_end(&s, c ? c->name : "goes away", c ? command_outcome(kind, c) : LOST);
        if (c)
            expect_silence(s.monitor, i % 8 ? 0 : 10);
        else
            expect_event(&s, "goes away", SIFR_EVENT_CONNECT_RETRIED);
        sifr_disconnect(s.victim, at.text); /* gone by itself, perhaps */
        close(listener);
        exchange(&s);
    }
}
END_TEST

/* ---- Too large --------------------------------------------------------------------------------------------------- */

static const uint64_t sizes[] = {UINT64_MAX,       UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1, UINT64_C(1) << 62,
                                 UINT64_C(1) << 32, 16 << 20,         65536,                   4096};

START_TEST(what_is_too_large_is_not_waited_for)
{
    int kind = _i / 2;
    enum step step = _i % 2 ? SECOND : FIRST;
    uint8_t *bytes = calloc(1, 16 << 20);
    struct scene s;

    ck_assert_ptr_nonnull(bytes);
    if (has_step(kind, step)) {
        s = open_scene(kind, LONG_MS);
        for (int i = 0; i < 2 * COUNT(sizes); i++) {
            struct foe f = foe_of(&s, i / 2 % 2);
            size_t n = 9;

            foe_reach(&f, step);
            bytes[0] = i % 2 ? 6 : 2;
            put64(bytes + 1, sizes[i / 2]);
            if (sizes[i / 2] == 16 << 20 && !SLOW) /* and all of it comes */
                n = 16 << 20;
            foe_is_ended(&s, &f, "large", bytes, n, false, PROTOCOL(ZMTP_UNSPECIFIED));
            exchange(&s);
        }
        newcomer(&s, IPC);
    }
    free(bytes);
}
END_TEST

/* ---- Metadata ---------------------------------------------------------------------------------------------------- */

enum { MANY_NAMES, LONG_NAMES, ONE_LARGE, NONE_AT_ALL, HALF_GIGABYTES, FOUR_GIGABYTES, RUNS_OUT, ODD_OCTET, NO_NAME,
       LONG_ID, TYPE_TWICE, LONG_TYPE, OTHER_TYPE, BOMBS };

/* Fills in metadata of at most 3800 octets: its size, and what comes of it. */
static size_t make_bomb(int bomb, uint8_t *to, uint32_t *outcome)
{
    static const char name[256] = N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 N16 "NNNNNNNNNNNNNNN";
    static const uint8_t zeros[3800];
    size_t n = put_property(to, "Socket-Type", "PUSH", 4);

    *outcome = PROTOCOL(ZMTP_INVALID_METADATA);
    switch (bomb) {
    case MANY_NAMES:
        while (n < 3780)
            n += put_property(to + n, "x", "", 0);
        *outcome = COMES_IN;
        break;
    case LONG_NAMES:
        while (n < 3500)
            n += put_property(to + n, name, "v", 1);
        *outcome = COMES_IN;
        break;
    case ONE_LARGE:
        n += put_property(to + n, "X-Large", zeros, 3700);
        *outcome = COMES_IN;
        break;
    case NONE_AT_ALL:
        n = 0;
        *outcome = COMES_IN;
        break;
    case HALF_GIGABYTES: memcpy(to + n, "\3X-a\x80\0\0\0", 8); n += 8; break;
    case FOUR_GIGABYTES: memcpy(to + n, "\3X-a\xff\xff\xff\xff", 8); n += 8; break;
    case RUNS_OUT: n--; break;
    case ODD_OCTET: to[n++] = 5; break;
    case NO_NAME: n += put_property(to + n, "", "v", 1); break;
    case LONG_ID: n += put_property(to + n, "Identity", name, 256); break;
    case TYPE_TWICE:
        n += put_property(to + n, "socket-type", "PULL", 4);
        *outcome = SILENT;
        break;
    case LONG_TYPE:
        n = put_property(to, "Socket-Type", name, 255);
        *outcome = SILENT;
        break;
    default:
        n = put_property(to, "Socket-Type", "SUB", 3);
        *outcome = SILENT;
        break;
    }
    return n;
}

START_TEST(metadata_is_no_bomb)
{
    enum step step = kinds[_i].mechanism == SIFR_NULL ? FIRST : SECOND;
    uint8_t frame[FRAME_ROOM], metadata[4096];
    struct scene s = open_scene(_i, LONG_MS);

    for (int i = 0; i < 2 * BOMBS; i++) {
        struct foe f = foe_of(&s, i % 2);
        uint32_t outcome;
        size_t n = make_bomb(i / 2, metadata, &outcome);

        foe_reach(&f, step);
        if (s.mechanism == SIFR_NULL || f.server)
            n = foe_ready(&f, frame, metadata, n);
        else
            n = foe_initiate(&f, frame, metadata, n);
        if (outcome == PROTOCOL(ZMTP_INVALID_METADATA) && s.mechanism == SIFR_NULL)
            outcome = SILENT;
        if (outcome == COMES_IN) {
            foe_send(&f, frame, n);
            comes_in(&s, &f, step);
        } else {
            char what[32];

            snprintf(what, sizeof what, "bomb %d", i / 2);
            foe_is_ended(&s, &f, what, frame, n, false, outcome);
        }
        exchange(&s);
    }
    newcomer(&s, TCP);
}
END_TEST

/* ---- Replayed, or made by one who has other keys ----------------------------------------------------------------- */

enum {
    WHOLE_HANDSHAKE,
    COOKIE_OF_ANOTHER,
    INITIATE_OF_ANOTHER,
    HELLO_TWICE,
    INITIATE_TWICE,
    NONCE_OF_HELLO,
    NONCE_0_IN_INITIATE,
    LAST_NONCE_IN_INITIATE,
    KEY_OF_ANOTHER,
    KEY_OF_NOBODY,
    VOUCH_FOR_ANOTHER_SERVER,
    VOUCH_FOR_ANOTHER_CONNECTION,
    TRANSIENT_KEY_OF_NOBODY,
    INSIDE_OF_HELLO,
    VERSION_1_1,
    VERSION_2_0,
    PADDING,
    ANOTHER_SERVER,
    REPLAYS
};

/* A connection of one that goes through with it, whose steps are kept. */
static void record(struct scene *s, uint8_t steps[STEPS][FRAME_ROOM], size_t *n, struct foe *out)
{
    struct foe f = foe_of(s, IPC);

    for (enum step step = GREETING; step < TRAFFIC; step++) {
        n[step] = foe_make(&f, step, steps[step]);
        foe_send(&f, steps[step], n[step]);
        foe_hear(&f, step + 1);
    }
    *out = f;
    close(f.fd);
    expect_accepted_end(s, "recorded", true, SILENT);
}

/* What it sends from FIRST on. Returns what comes of it. */
static uint32_t replay(struct scene *s, int how, struct foe *f, uint8_t *to, size_t *n, bool *succeeded)
{
    static uint8_t steps[STEPS][FRAME_ROOM];
    size_t sizes_of[STEPS];
    struct foe other;

    *succeeded = false;
    switch (how) {
    case WHOLE_HANDSHAKE:
        record(s, steps, sizes_of, &other);
        foe_reach(f, FIRST);
        foe_send(f, steps[FIRST], sizes_of[FIRST]);
        raw_recv_frame(f->fd, to, FRAME_ROOM);
        memcpy(to, steps[SECOND], *n = sizes_of[SECOND]);
        return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
    case COOKIE_OF_ANOTHER:
    case INITIATE_OF_ANOTHER:
        record(s, steps, sizes_of, &other);
        foe_reach(f, SECOND);
        memcpy(f->cookie, other.cookie, sizeof f->cookie);
        *n = foe_make(f, SECOND, to);
        if (how == INITIATE_OF_ANOTHER)
            memcpy(to, steps[SECOND], *n = sizes_of[SECOND]);
        return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
    case HELLO_TWICE:
        foe_reach(f, FIRST);
        *n = foe_make(f, FIRST, to);
        foe_send(f, to, *n);
        return PROTOCOL(ZMTP_UNEXPECTED_COMMAND);
    case INITIATE_TWICE:
        foe_reach(f, SECOND);
        *n = foe_make(f, SECOND, to);
        foe_send(f, to, *n);
        foe_hear(f, TRAFFIC);
        *succeeded = true;
        return PROTOCOL(ZMTP_UNEXPECTED_COMMAND);
    case NONCE_OF_HELLO:
    case NONCE_0_IN_INITIATE:
        foe_reach(f, SECOND);
        f->nonce = how == NONCE_OF_HELLO ? 0 : UINT64_MAX;
        *n = foe_make(f, SECOND, to);
        return PROTOCOL(ZMTP_INVALID_SEQUENCE);
    case LAST_NONCE_IN_INITIATE: /* there is none for a message then */
        foe_reach(f, SECOND);
        f->nonce = UINT64_MAX - 1;
        foe_say(f, SECOND);
        foe_hear(f, TRAFFIC);
        *n = foe_make(f, TRAFFIC, to);
        *succeeded = true;
        return PROTOCOL(ZMTP_INVALID_SEQUENCE);
    case KEY_OF_ANOTHER: /* who is not that one cannot vouch for it */
        foe_reach(f, SECOND);
        memcpy(f->long_public, friend_key.public, KEY);
        *n = foe_make(f, SECOND, to);
        return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
    case KEY_OF_NOBODY:
        foe_reach(f, SECOND);
        memset(f->long_public, 0, KEY);
        *n = foe_make(f, SECOND, to);
        return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
    case VOUCH_FOR_ANOTHER_SERVER: /* as one of that server's would have it */
        foe_reach(f, SECOND);
        memcpy(f->vouch_to, friend_key.public, KEY);
        *n = foe_make(f, SECOND, to);
        return PROTOCOL(ZMTP_KEY_EXCHANGE);
    case VOUCH_FOR_ANOTHER_CONNECTION:
        foe_reach(f, SECOND);
        memcpy(f->vouch_for, friend_key.public, KEY);
        *n = foe_make(f, SECOND, to);
        return PROTOCOL(ZMTP_KEY_EXCHANGE);
    case TRANSIENT_KEY_OF_NOBODY:
        memset(f->public, 0, KEY);
        break;
    case INSIDE_OF_HELLO:
        f->hello_inside[63] = 1;
        foe_reach(f, FIRST);
        *n = foe_make(f, FIRST, to);
        return PROTOCOL(ZMTP_MALFORMED_COMMAND_HELLO);
    case VERSION_1_1:
    case VERSION_2_0:
    case PADDING:
        foe_reach(f, FIRST);
        *n = foe_make(f, FIRST, to);
        to[how == VERSION_2_0 ? 2 + 6 : how == VERSION_1_1 ? 2 + 7 : 2 + 79]++;
        return PROTOCOL(ZMTP_MALFORMED_COMMAND_HELLO);
    default: /* what was meant for another server, by one who knows both */
        memcpy(f->their_long, friend_key.public, KEY);
        break;
    }
    foe_reach(f, FIRST);
    *n = foe_make(f, FIRST, to);
    return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
}

START_TEST(a_server_takes_nothing_that_was_not_made_for_this_connection)
{
    struct scene s = open_scene(3, LONG_MS);
    uint8_t frame[FRAME_ROOM];

    for (int round = 0; round < 2; round++) {
        struct foe f = foe_of(&s, round);
        bool succeeded;
        uint32_t outcome;
        char what[32];
        size_t n;

        snprintf(what, sizeof what, "replay %d", _i);
        if (_i == WHOLE_HANDSHAKE || _i == COOKIE_OF_ANOTHER || _i == INITIATE_OF_ANOTHER)
            expect_event(&s, what, SIFR_EVENT_ACCEPTED); /* of this one, before that which is recorded */
        outcome = replay(&s, _i, &f, frame, &n, &succeeded);
        foe_send(&f, frame, n);
        raw_expect_end(f.fd);
        close(f.fd);
        if (_i != WHOLE_HANDSHAKE && _i != COOKIE_OF_ANOTHER && _i != INITIATE_OF_ANOTHER)
            expect_event(&s, what, SIFR_EVENT_ACCEPTED);
        if (succeeded)
            expect_event(&s, what, SIFR_EVENT_HANDSHAKE_SUCCEEDED);
        expect_end(&s, what, outcome);
        exchange(&s);
    }
    newcomer(&s, TCP);
}
END_TEST

enum { OLD_WELCOME, OTHER_SERVER, NO_TRANSIENT_KEY, OLD_READY, READY_TWICE, NOT_THE_SAME_KEY, LIES };

/* What a false server says; it has heard HELLO. Returns what comes of it. */
static uint32_t lie(int how, struct foe *f, uint8_t *to, size_t *n, bool *succeeded)
{
    *succeeded = false;
    switch (how) {
    case OTHER_SERVER: crypto_box_keypair(f->long_public, f->long_secret); break;
    case NO_TRANSIENT_KEY: memset(f->public, 0, KEY); break;
    case OLD_WELCOME: { /* what another client was answered */
        struct foe old = *f;

        crypto_box_keypair(old.theirs, old.secret);
        *n = foe_make(&old, FIRST, to);
        return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
    }
    case OLD_READY: {
        struct foe old = *f;

        foe_go(f, FIRST, SECOND);
        crypto_box_keypair(old.public, old.secret);
        *n = foe_make(&old, SECOND, to);
        return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
    }
    case READY_TWICE:
        foe_go(f, FIRST, SECOND);
        *n = foe_make(f, SECOND, to);
        foe_send(f, to, *n);
        *succeeded = true;
        return PROTOCOL(ZMTP_UNEXPECTED_COMMAND);
    default: /* READY by one that has another key than it announced */
        foe_go(f, FIRST, SECOND);
        crypto_box_keypair(f->public, f->secret);
        *n = foe_make(f, SECOND, to);
        return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
    }
    *n = foe_make(f, FIRST, to);
    return PROTOCOL(ZMTP_CRYPTOGRAPHIC);
}

START_TEST(a_client_knows_its_server)
{
    struct scene s = open_scene(4, LONG_MS);
    uint8_t frame[FRAME_ROOM];

    for (int round = 0; round < 2; round++) {
        struct foe f = foe_of(&s, round);
        bool succeeded;
        uint32_t outcome;
        char what[32];
        size_t n;

        snprintf(what, sizeof what, "lie %d", _i);
        foe_reach(&f, FIRST);
        outcome = lie(_i, &f, frame, &n, &succeeded);
        foe_is_ended(&s, &f, what, frame, n, succeeded, outcome);
        exchange(&s);
    }
    newcomer(&s, TCP);
}
END_TEST

/* ---- Downgrades, and roles --------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *bytes;
    size_t n;
} old_versions[] = {
    {"1.0", BYTES("\1\0\5\0hello")},
    {"1.0 with an identity", BYTES("\4\0old\5\0hello")},
    {"1.0 with a long identity", BYTES("\xff\0\0\0\0\0\0\0\4\0old")},
    {"2.0", BYTES("\xff\0\0\0\0\0\0\0\1\x7f\1\x8\0\0\0\5hello")},
    {"revision 0", BYTES("\xff\0\0\0\0\0\0\0\1\x7f\0\x8\1\0\5\0hello")},
};

static const char *const mechanisms[] = {"NULL", "PLAIN", "CURVE", "GSSAPI", "", "plain", "curve", "CURVEx", "CURV",
                                         "NULL\x01", "ABCDEFGHIJKLMNOPQRST"};

/* All that the other side says until it closes. */
static size_t hear_all(int fd, uint8_t *to, size_t room)
{
    size_t n = 0;
    ssize_t got;

    while (n < room && (got = recv(fd, to + n, room - n, 0)) > 0)
        n += (size_t)got;
    ck_assert_msg(n == room || got == 0 || errno == ECONNRESET, "it goes on: %s", strerror(errno));
    return n;
}

/* And nobody is told a name or a password who does not ask for it in the right way. */
START_TEST(nobody_is_talked_down)
{
    struct scene s = open_scene(_i, LONG_MS);
    uint8_t heard[512], greeting[GREETING_SIZE];

    for (int i = 0; i < 2 * (COUNT(old_versions) + COUNT(mechanisms)); i++) {
        int k = i / 2 - COUNT(old_versions);
        struct foe f = foe_of(&s, i % 2);
        const char *what = k < 0 ? old_versions[i / 2].name : mechanisms[k];
        size_t n;

        if (k < 0) {
            foe_send(&f, old_versions[i / 2].bytes, old_versions[i / 2].n);
        } else if (strcmp(what, mechanism_name(s.mechanism)) == 0) {
            what = "3.0"; /* of the same mechanism, that is no downgrade */
            put_greeting(greeting, mechanisms[k]);
            greeting[11] = 0;
            greeting[32] = (uint8_t)(i % 2); /* the role it claims is not looked at */
            foe_send(&f, greeting, sizeof greeting);
            comes_in(&s, &f, GREETING);
            continue;
        } else {
            put_greeting(greeting, what);
            foe_send(&f, greeting, sizeof greeting);
            foe_send(&f, BYTES("\4\x1a\5READY\13Socket-Type\0\0\0\4PUSH\0\2hi"));
        }
        n = hear_all(f.fd, heard, sizeof heard);
        ck_assert_msg(n <= GREETING_SIZE && !memmem(heard, n, "secret", 6), "%s: %zu octets", what, n);
        close(f.fd);
        if (k < 0 && s.mechanism == SIFR_NULL && !s.server)
            continue;
        expect_accepted_end(&s, what, false,
                            k < 0 ? PROTOCOL(ZMTP_UNSPECIFIED) : PROTOCOL(ZMTP_MECHANISM_MISMATCH));
        exchange(&s);
    }
    newcomer(&s, TCP);
}
END_TEST

START_TEST(two_clients_refuse_each_other_and_two_servers_wait)
{
    struct scene s = open_scene(1 + _i, SHORT_MS);

    for (int round = 0; round < 2; round++) {
        struct foe f = foe_to(&s.at[round], s.mechanism, s.server);

        foe_send(&f, "", 0);
        foe_say(&f, GREETING);
        if (!f.server)
            foe_say(&f, FIRST);
        raw_expect_end(f.fd);
        close(f.fd);
        expect_accepted_end(&s, "the same role", false, s.server ? TIMED_OUT : PROTOCOL(ZMTP_UNEXPECTED_COMMAND));
        exchange(&s);
    }
    newcomer(&s, TCP);
}
END_TEST

static const struct {
    const char *user, *password;
} wrong[] = {
    {"admin", ""}, {"", "secret"}, {"", ""}, {"admin", "secre"}, {"admin", "secrets"}, {"Admin", "secret"},
    {"admin=secret", ""}, {"admin", "secret\n"},
};

START_TEST(wrong_passwords_are_told_so)
{
    struct scene s = open_scene(1, LONG_MS);
    uint8_t frame[FRAME_ROOM];

    for (int i = 0; i < COUNT(wrong); i++) {
        struct foe f = foe_of(&s, i % 2);

        f.user = wrong[i].user;
        f.password = wrong[i].password;
        foe_reach(&f, FIRST);
        foe_send(&f, frame, foe_make(&f, FIRST, frame));
        foe_send(&f, "\0\4more", 6); /* which is not even looked at */
        ck_assert_uint_eq(raw_recv_frame(f.fd, frame, sizeof frame), 10);
        ck_assert_mem_eq(frame, "\5ERROR\3\x34\x30\x30", 10);
        raw_expect_end(f.fd);
        close(f.fd);
        expect_accepted_end(&s, wrong[i].user, false, 400);
        exchange(&s);
    }
}
END_TEST

/* ---- What is left ------------------------------------------------------------------------------------------------ */

extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static int descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/* One of each: cut, changed, too large, out of turn. */
static void harass(struct scene *s, int kind)
{
    uint8_t frame[FRAME_ROOM] = {0};

    for (enum step step = GREETING; step < TRAFFIC; step++) {
        struct foe f;

        if (!has_step(kind, step))
            continue;
        f = foe_of(s, TCP);
        foe_reach(&f, step);
        foe_send(&f, frame, foe_make(&f, step, frame) / 2);
        leave(&f, 1);
        expect_accepted_end(s, "cut", false, LOST);
        if (step != GREETING) {
            f = foe_of(s, IPC);
            foe_reach(&f, step);
            foe_is_ended(s, &f, "large", "\6\0\0\0\1\0\0\0\0", 9, false, PROTOCOL(ZMTP_UNSPECIFIED));
            f = foe_of(s, TCP);
            foe_reach(&f, step);
            memset(frame, 'x', sizeof frame);
            foe_is_ended(s, &f, "out of turn", frame, put_frame(frame, 4, "\4PINGxxxxxxxxxxxxxxxxxxx", 20), false,
                         PROTOCOL(ZMTP_UNEXPECTED_COMMAND));
        }
    }
}

START_TEST(what_attacks_took_is_given_back)
{
    enum { ROUNDS = SLOW ? 60 : 120, SLACK = 192 << 10 }; /* pipes keep some, however many come */
    struct scene s = open_scene(_i, LONG_MS);
    size_t before;
    int fds;

    for (int i = 0; i < 10; i++)
        harass(&s, _i);
    exchange(&s);
    before = allocated();
    fds = descriptors();
    for (int i = 0; i < ROUNDS; i++)
        harass(&s, _i);
    exchange(&s);
    eventually(descriptors() <= fds);
    eventually(allocated() <= before + SLACK);
    newcomer(&s, IPC);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hostile handshakes");
    TCase *c = new_hostile_case(s, "cut and changed");

    tcase_add_loop_test(c, a_step_may_be_cut_anywhere, 0, KINDS * STEPS);
    tcase_add_loop_test(c, no_bit_can_be_changed_unnoticed, 0, KINDS * STEPS);
    c = new_hostile_case(s, "out of turn and too large");
    tcase_add_loop_test(c, what_is_not_due_ends_the_handshake, 0, KINDS * 2);
    tcase_add_loop_test(c, who_is_dialled_and_breaks_the_rules_is_not_dialled_again, 0, KINDS * 2);
    tcase_add_loop_test(c, what_is_too_large_is_not_waited_for, 0, KINDS * 2);
    tcase_add_loop_test(c, metadata_is_no_bomb, 0, KINDS);
    c = new_hostile_case(s, "other connections and keys");
    tcase_add_loop_test(c, a_server_takes_nothing_that_was_not_made_for_this_connection, 0, REPLAYS);
    tcase_add_loop_test(c, a_client_knows_its_server, 0, LIES);
    c = new_hostile_case(s, "downgrades and roles");
    tcase_add_loop_test(c, nobody_is_talked_down, 0, KINDS);
    tcase_add_loop_test(c, two_clients_refuse_each_other_and_two_servers_wait, 0, 4);
    tcase_add_test(c, wrong_passwords_are_told_so);
    c = new_hostile_case(s, "what is left");
    tcase_add_loop_test(c, what_attacks_took_is_given_back, 0, KINDS);
    return run_suite(s);
}
