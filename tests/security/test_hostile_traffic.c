/*
 * Peers that have come in by every mechanism and mean harm then: what they may not send ends their connection, what
 * nobody needs is passed over, and what has no end is not taken.
 */
#include "hostile.h"

#include <malloc.h>
#include <stdatomic.h>

extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

enum { KINDS = COUNT(kinds), LONG_MS = 30000 };

/* One that has come in. */
static struct foe foe_in(struct scene *s, int transport)
{
    struct foe f = foe_to(&s->at[transport], s->mechanism, !s->server);

    foe_reach(&f, TRAFFIC);
    expect_event(s, "in", SIFR_EVENT_ACCEPTED);
    expect_event(s, "in", SIFR_EVENT_HANDSHAKE_SUCCEEDED);
    return f;
}

static size_t message(struct foe *f, uint8_t *to, const char *text)
{
    return foe_message(f, to, 0, text, strlen(text));
}

/* ---- CURVE: what ends it ----------------------------------------------------------------------------------------- */

enum {
    REPLAYED,
    OLD_NONCE,
    SAME_NONCE,
    NONCE_0,
    NONCE_OF_THE_HANDSHAKE,
    LAST_NONCE_TWICE,
    BEHIND_THE_LAST_NONCE,
    SWAPPED,
    OTHER_CONNECTION,
    OTHER_DIRECTION,
    IN_CLEAR,
    PING_IN_CLEAR,
    HANDSHAKE_AGAIN,
    NO_NONCE,
    NO_FLAGS,
    ONLY_A_NAME,
    LONGER_NAME,
    RESERVED_BITS,
    ENDLESS,
    TOO_LARGE,
    HARMS
};

/* Goes behind "1" and "2", whose frames are at `good`. How many octets, and what comes of it. */
static size_t make_harm(struct foe *f, int harm, uint8_t *to, const uint8_t *good, size_t size, uint32_t *outcome)
{
    static const uint8_t zeros[64];
    uint64_t now = f->nonce;
    struct foe other = *f;
    uint8_t body[256];
    size_t n;

    *outcome = PROTOCOL(ZMTP_INVALID_SEQUENCE);
    switch (harm) {
    case REPLAYED: memcpy(to, good, size); return size;
    case OLD_NONCE: f->nonce = now - 2; return message(f, to, "old");
    case SAME_NONCE: f->nonce = now - 1; return message(f, to, "the same");
    case NONCE_0: f->nonce = UINT64_MAX; return message(f, to, "0");
    case NONCE_OF_THE_HANDSHAKE: f->nonce = now - 3; return message(f, to, "handshake");
    case LAST_NONCE_TWICE:
        f->nonce = UINT64_MAX - 1;
        n = message(f, to, "3");
        f->nonce = UINT64_MAX - 1;
        return n + message(f, to + n, "again");
    case BEHIND_THE_LAST_NONCE:
        f->nonce = UINT64_MAX - 1;
        n = message(f, to, "3");
        return n + message(f, to + n, "from the start");
    case SWAPPED: /* what comes first counts */
        n = message(f, body, "late");
        size = message(f, to, "3");
        memcpy(to + size, body, n);
        return size + n;
    default: break;
    }
    *outcome = PROTOCOL(ZMTP_CRYPTOGRAPHIC);
    switch (harm) {
    case OTHER_CONNECTION:
        crypto_box_keypair(other.public, other.secret);
        return message(&other, to, "another");
    case OTHER_DIRECTION:
        other.server = !other.server;
        return message(&other, to, "turned round");
    default: break;
    }
    *outcome = PROTOCOL(ZMTP_UNEXPECTED_COMMAND);
    switch (harm) {
    case IN_CLEAR: return put_frame(to, 0, "clear", 5);
    case PING_IN_CLEAR: return put_frame(to, 4, "\4PING\0\0", 7);
    case HANDSHAKE_AGAIN: return foe_make(f, SECOND, to);
    case LONGER_NAME:
        memcpy(body, "\10MESSAGES", 9);
        memcpy(body + 9, zeros, 40);
        return put_frame(to, 0, body, 49);
    default: break;
    }
    *outcome = PROTOCOL(ZMTP_MALFORMED_COMMAND_MESSAGE);
    switch (harm) {
    case NO_NONCE: return put_frame(to, 0, "\7MESSAGE\0\0\0", 11);
    case NO_FLAGS: /* a box with nothing in it, not even flags */
        memcpy(body, "\7MESSAGE", 8);
        put64(body + 8, ++f->nonce);
        put_box(body + 16, zeros, 0, f->server ? "CurveZMQMESSAGES" : "CurveZMQMESSAGEC", body + 8, f->theirs,
                f->secret);
        return put_frame(to, 0, body, 32);
    case ONLY_A_NAME: return put_frame(to, 0, "\7MESSAGE", 8);
    default: break;
    }
    *outcome = SILENT;
    n = message(f, to, "never");
    if (harm == RESERVED_BITS)
        to[0] |= 0x40;
    if (harm == ENDLESS)
        memcpy(to, "\2\x80\0\0\0\0\0\0\0", 9);
    if (harm == TOO_LARGE)
        memcpy(to, "\2\0\0\0\0\0\0\x10\1", 9);
    return n < 9 ? 9 : n;
}

/* At once with what is good, octet by octet, or when the rest has been received. */
START_TEST(what_may_not_be_sent_ends_its_connection)
{
    int harm = _i / 2, kind = 3 + _i % 2;
    struct scene s = open_scene(kind, LONG_MS);
    int64_t max = 4096;

    ck_works(sifr_setsockopt(s.victim, SIFR_MAXMSGSIZE, &max, sizeof max));
    s.at[0] = bind_fresh(s.victim, TCP);
    s.at[1] = bind_fresh(s.victim, IPC);
    for (int how = 0; how < 3; how++) {
        struct foe f = foe_in(&s, how % 2);
        uint8_t bytes[2048];
        size_t first = message(&f, bytes, "1"), n = first + message(&f, bytes + first, "2");
        uint32_t outcome;
        char what[32];

        snprintf(what, sizeof what, "harm %d, way %d", harm, how);
        if (how == 2) {
            foe_send(&f, bytes, n);
            recv_text(s.victim, "1", false);
            recv_text(s.victim, "2", false);
        }
        if (how == 2) {
            size_t more = make_harm(&f, harm, bytes + n, bytes, first, &outcome);

            more += message(&f, bytes + n + more, "never");
            foe_send(&f, bytes + n, more);
        } else {
            n += make_harm(&f, harm, bytes + n, bytes, first, &outcome);
            n += message(&f, bytes + n, "never");
            for (size_t i = 0; i < n; i += how ? 1 : n)
                if (!foe_send(&f, bytes + i, how ? 1 : n))
                    break;
            recv_text(s.victim, "1", false);
            recv_text(s.victim, "2", false);
        }
        if (harm == LAST_NONCE_TWICE || harm == BEHIND_THE_LAST_NONCE || harm == SWAPPED)
            recv_text(s.victim, "3", false);
        raw_expect_end(f.fd);
        close(f.fd);
        expect_end(&s, what, outcome);
        exchange(&s);
    }
    newcomer(&s, TCP);
}
END_TEST

/* ---- All: what is passed over ------------------------------------------------------------------------------------ */

static const struct {
    const char *body;
    size_t n;
} idle[] = {
    {BYTES("")},
    {BYTES("\0")},
    {BYTES("\5PING")},
    {BYTES("\xff")},
    {BYTES("\4PING")},
    {BYTES("\4PING\0")},
    {BYTES("\4PONG")},
    {BYTES("\4PONGtoo much of it, more than sixteen octets")},
    {BYTES("\4WHAT")},
    {BYTES("\5READY\13Socket-Type\0\0\0\4PULL")},
    {BYTES("\5ERROR\3\x34\x30\x30")},
    {BYTES("\5HELLO\0\0")},
    {BYTES("\7WELCOME")},
    {BYTES("\10INITIATE")},
    {BYTES("\7MESSAGE")},
    {BYTES("\11SUBSCRIBE")},
    {BYTES("\6CANCEL")},
    {BYTES("\4JOINg")},
    {BYTES("\5LEAVEg")},
};

START_TEST(commands_that_mean_nothing_are_passed_over)
{
    struct scene s = open_scene(_i, LONG_MS);
    struct foe f = foe_in(&s, TCP);
    uint8_t bytes[FRAME_ROOM];
    size_t n;

    for (int i = 0; i < COUNT(idle); i++) {
        n = foe_message(&f, bytes, 1, "a", 1);
        n += foe_message(&f, bytes + n, 2, idle[i].body, idle[i].n);
        n += foe_message(&f, bytes + n, 0, "b", 1);
        foe_send(&f, bytes, n);
        recv_parts(s.victim, "a", "b");
    }
    for (unsigned flags = 4; s.mechanism == SIFR_CURVE && flags < 256; flags <<= 1) { /* bits that mean nothing */
        n = foe_message(&f, bytes, flags, "x", 1);
        foe_send(&f, bytes, n);
        recv_text(s.victim, "x", false);
    }
    close(f.fd);
    expect_end(&s, "idle", SILENT);
    exchange(&s);
}
END_TEST

/* ---- What has no end --------------------------------------------------------------------------------------------- */

/* Sends a block again and again until it is taken no more, or the other side has closed. False: all was taken. */
struct stream {
    struct foe *f;
    unsigned flags;
    const char *body;
    size_t n;
};

static bool is_not_taken(struct stream *w, size_t most)
{
    static uint8_t block[1 << 16];
    struct pollfd p = {.fd = w->f->fd, .events = POLLOUT};
    size_t n = 0, at = 0;

    for (size_t sent = 0; sent < most;) {
        ssize_t got;

        if (at == n)
            for (n = at = 0; n < sizeof block - 256;)
                n += foe_message(w->f, block + n, w->flags, w->body, w->n);
        if (poll(&p, 1, SLOW ? 1000 : 300) == 0)
            return true;
        got = send(w->f->fd, block + at, n - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (got < 0 && errno != EAGAIN)
            return true;
        at += got > 0 ? (size_t)got : 0;
        sent += got > 0 ? (size_t)got : 0;
    }
    return false;
}

enum { MOST = 128 << 20, BOUND = 16 << 20 }; /* no kernel keeps so much, and we keep less */

START_TEST(who_pings_and_does_not_listen_is_not_read)
{
    struct scene s = open_scene(_i, LONG_MS);
    struct foe f = foe_in(&s, IPC);
    struct stream w = {&f, 2, "\4PING\0\0sixteen octets !!", 23};
    size_t before = allocated();

    ck_assert_msg(is_not_taken(&w, MOST), "whoever does not listen is answered for ever");
    ck_assert_msg(allocated() < before + BOUND, "%zu octets are kept", allocated() - before);
    exchange(&s);
    close(f.fd);
    expect_end(&s, "pings", SILENT);
    newcomer(&s, TCP);
}
END_TEST

START_TEST(what_nobody_receives_is_not_read)
{
    struct scene s = open_scene(_i, LONG_MS);
    struct foe f = foe_in(&s, TCP);
    struct stream w = {&f, 0, "more and more and more and more of it, of which nobody takes anything", 69};
    size_t before = allocated();
    int64_t begin;
    char text[128];

    ck_assert_msg(is_not_taken(&w, MOST), "all is taken");
    ck_assert_msg(allocated() < before + BOUND, "%zu octets are kept", allocated() - before);
    close(f.fd);
    begin = now_ms();
    while (!readable_within(s.monitor, 0)) { /* its end is seen behind all that it has said */
        int n = sifr_recv(s.victim, text, sizeof text, SIFR_DONTWAIT);

        ck_assert_msg(n == 69 || (n < 0 && errno == EAGAIN), "%d: %s", n, strerror(errno));
        ck_assert_int_lt((int)(now_ms() - begin), 3 * WAIT_MS);
    }
    while (sifr_recv(s.victim, text, sizeof text, SIFR_DONTWAIT) == 69)
        ;
    expect_end(&s, "messages", SILENT);
    exchange(&s);
}
END_TEST

START_TEST(a_message_without_end_comes_to_an_end)
{
    struct scene s = open_scene(_i, LONG_MS);
    struct foe f = foe_in(&s, IPC);
    struct stream w = {&f, 1, "", 0};
    enum { FRAMES = 1 << 20, EACH = 3 }; /* the header, and chunks that are not full */
    size_t before = allocated(), kept;

    ck_assert_msg(is_not_taken(&w, SIZE_MAX), "all is taken");
    raw_expect_end(f.fd);
    close(f.fd);
    expect_end(&s, "parts", SILENT);
    kept = allocated() > before ? allocated() - before : 0;
    ck_assert_msg(kept < (size_t)FRAMES * EACH, "%zu octets are kept", kept);
    newcomer(&s, TCP);
}
END_TEST

/* Memory comes with the octets, not with their announcement. */
START_TEST(what_is_announced_takes_no_room)
{
    enum { FOES = 20 };
    struct scene s = open_scene(_i, LONG_MS);
    struct foe foes[FOES];
    uint8_t bytes[64];
    size_t before, n;

    exchange(&s);
    before = allocated();
    for (int i = 0; i < FOES; i++) {
        static const uint64_t sizes[] = {INT64_MAX / 8, UINT64_C(1) << 40, UINT64_C(1) << 32, 1 << 30};

        foes[i] = foe_in(&s, i % 2);
        n = put_header(bytes, 0, sizes[i % 4]);
        memcpy(bytes + n, "\7MESSAGE", 8);
        foe_send(&foes[i], bytes, n + 8);
    }
    for (int i = 0; i < 20; i++)
        exchange(&s);
    ck_assert_msg(allocated() < before + FOES * (1 << 20), "%zu octets", allocated() - before);
    for (int i = 0; i < FOES; i++)
        close(foes[i].fd);
    for (int gone = 0; gone < FOES;)
        gone += next_event(&s, "announced").number == SIFR_EVENT_DISCONNECTED;
    newcomer(&s, TCP);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hostile traffic");
    TCase *c = new_hostile_case(s, "CURVE");

    tcase_add_loop_test(c, what_may_not_be_sent_ends_its_connection, 0, HARMS * 2);
    c = new_hostile_case(s, "passed over");
    tcase_add_loop_test(c, commands_that_mean_nothing_are_passed_over, 0, KINDS);
    c = new_hostile_case(s, "without end");
    tcase_add_loop_test(c, who_pings_and_does_not_listen_is_not_read, 0, KINDS);
    tcase_add_loop_test(c, what_nobody_receives_is_not_read, 0, KINDS);
    c = new_hostile_case(s, "parts without end");
    tcase_add_loop_test(c, a_message_without_end_comes_to_an_end, 0, KINDS);
    c = new_hostile_case(s, "announcements");
    tcase_add_loop_test(c, what_is_announced_takes_no_room, 0, KINDS);
    return run_suite(s);
}
