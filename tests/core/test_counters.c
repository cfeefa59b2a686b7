/* What a socket counts: messages and bytes both ways, each reason to lose one, depth, reconnections. */
#include "base/alloc.h"
#include "core/counters.h"
#include "core/socket.h"
#include "support.h"

#define ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define GREETING \
    "\xff\0\0\0\0\0\0\0\1\x7f" \
    "\3\1NULL" ZEROS_16 "\0" ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define READY_PUSH "\4\x1a\5READY\13Socket-Type\0\0\0\4PUSH"
#define READY_PULL "\4\x1a\5READY\13Socket-Type\0\0\0\4PULL"
#define BYTES(text) "" text, sizeof text - 1

/* ---- Looking ------------------------------------------------------------------------------------------------- */

/* Of an open socket, or of one that a reference keeps. */
static struct sf_counters counters(sifr_socket_t *s)
{
    struct sf_counters c;

    if (sf_socket_enter(s) == 0) {
        sf_socket_counters(s, &c);
        sf_socket_leave(s);
    } else {
        sf_turn_take(&s->turn);
        sf_socket_counters(s, &c);
        sf_turn_drop(&s->turn);
    }
    return c;
}

static uint64_t drops(sifr_socket_t *s, enum sf_drop why)
{
    return counters(s).drops[why];
}

static uint64_t all_drops(sifr_socket_t *s)
{
    struct sf_counters c = counters(s);
    uint64_t n = 0;

    for (int i = 0; i < SF_DROPS; i++)
        n += c.drops[i];
    return n;
}

/* Links that nobody knows any more are in its sums alone. */
static bool has_links(sifr_socket_t *s)
{
    bool has;

    sf_lock_take(&s->counts.lock);
    has = !sf_list_empty(&s->counts.links);
    sf_lock_drop(&s->counts.lock);
    return has;
}

/* So many messages were lost, all for this reason. */
#define ck_drops(s, why, n)                                                                                            \
    do {                                                                                                               \
        eventually(drops(s, why) >= (n));                                                                              \
        ck_assert_uint_eq(drops(s, why), (n));                                                                         \
        ck_assert_uint_eq(all_drops(s), (n));                                                                          \
    } while (0)

#define ck_flow(flow, n_put, n_put_bytes, n_took, n_took_bytes, n_depth)                                               \
    do {                                                                                                               \
        struct sf_flow f_ = (flow);                                                                                    \
        ck_assert_uint_eq(f_.put, n_put);                                                                              \
        ck_assert_uint_eq(f_.put_bytes, n_put_bytes);                                                                  \
        ck_assert_uint_eq(f_.took, n_took);                                                                            \
        ck_assert_uint_eq(f_.took_bytes, n_took_bytes);                                                                \
        ck_assert_uint_eq(f_.depth, n_depth);                                                                          \
    } while (0)

/* Closes a socket whose counters are still to be looked at; forget() ends that. */
static void drop_kept(sifr_socket_t *s)
{
    sf_socket_ref(s);
    drop(s);
}

static void forget(sifr_socket_t *s)
{
    sf_socket_unref(s);
}

/* ---- A peer of bare bytes ------------------------------------------------------------------------------------ */

static struct sockaddr_in address_of(const struct endpoint *e)
{
    struct sockaddr_in a = own_address(0);

    a.sin_port = htons((uint16_t)atoi(strrchr(e->text, ':') + 1));
    return a;
}

static void limit_waits(int fd)
{
    struct timeval limit = {.tv_sec = WAIT_MS / 1000};

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
}

static int bare_connect(const struct endpoint *e)
{
    struct sockaddr_in a = address_of(e);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    limit_waits(fd);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void say(int fd, const void *bytes, size_t n)
{
    ck_assert_int_eq(send(fd, bytes, n, MSG_NOSIGNAL), (long)n);
}

/* Reads so many bytes and shows the last of them. */
static void hear(int fd, size_t n, const void *last, size_t size)
{
    uint8_t bytes[4096];

    ck_assert_uint_le(n, sizeof bytes);
    ck_assert_int_eq(recv(fd, bytes, n, MSG_WAITALL), (long)n);
    ck_assert_int_eq(memcmp(bytes + n - size, last, size), 0);
}

/* Says no more, and waits until the other side has closed as well, so that all is read. */
static void end(int fd)
{
    char bytes[512];

    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
    close(fd);
}

/* ---- Messages, bytes, depth ---------------------------------------------------------------------------------- */

START_TEST(messages_and_their_bytes_are_counted_at_both_ends)
{
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    send_text(push, "abc", 0);
    send_parts(push, "ab", "", "cde");
    send_filled(push, 20000, 1, 0); /* shared */
    send_filled(push, 100000, 2, 0);
    send_text(push, "", 0);
    recv_text(pull, "abc", false);
    recv_parts(pull, "ab", "", "cde");
    recv_filled(pull, 20000, 1, false);
    recv_filled(pull, 100000, 2, false);
    recv_text(pull, "", false);
    eventually(counters(push).out.took == 5); /* its loop may not have looked since */
    ck_flow(counters(push).out, 5, 120008, 5, 120008, 0);
    ck_flow(counters(push).in, 0, 0, 0, 0, 0);
    ck_flow(counters(pull).in, 5, 120008, 5, 120008, 0);
    ck_flow(counters(pull).out, 0, 0, 0, 0, 0);
    ck_assert_uint_eq(all_drops(push) + all_drops(pull), 0);
    ck_assert_uint_eq(counters(push).reconnects + counters(pull).reconnects, 0);
}
END_TEST

START_TEST(depth_is_what_waits_to_be_read)
{
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    for (int i = 0; i < 5; i++)
        send_text(push, "xy", 0);
    eventually(counters(pull).in.put == 5);
    ck_flow(counters(pull).in, 5, 10, 0, 0, 5);
    recv_text(pull, "xy", false);
    recv_text(pull, "xy", false);
    ck_flow(counters(pull).in, 5, 10, 2, 4, 3);
    if (_i / 2 == INPROC) /* the same queue */
        ck_flow(counters(push).out, 5, 10, 2, 4, 3);
}
END_TEST

START_TEST(what_waits_for_a_peer_is_the_senders_depth)
{
    struct endpoint e = fresh_endpoint(_i);
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);

    set_int(push, SIFR_RECONNECT_IVL, 10);
    connect_to(push, &e);
    send_text(push, "abc", 0);
    send_parts(push, "d", "e");
    ck_flow(counters(push).out, 2, 5, 0, 0, 2);
    bind_to(pull, &e);
    recv_text(pull, "abc", false);
    recv_parts(pull, "d", "e");
    eventually(counters(push).out.took == 2);
    ck_flow(counters(push).out, 2, 5, 2, 5, 0);
}
END_TEST

START_TEST(commands_are_no_messages)
{
    sifr_socket_t *pub, *sub;

    new_link(&pub, SIFR_XPUB, &sub, SIFR_SUB, _i);
    ck_works(sifr_setsockopt(sub, SIFR_SUBSCRIBE, "a", 1));
    ck_works(sifr_setsockopt(sub, SIFR_SUBSCRIBE, "b", 1));
    recv_text(pub, "\1" "a", false);
    recv_text(pub, "\1" "b", false);
    send_text(pub, "bee", 0);
    recv_text(sub, "bee", false);
    ck_flow(counters(pub).in, 0, 0, 0, 0, 0);
    ck_flow(counters(sub).out, 0, 0, 0, 0, 0);
    ck_flow(counters(sub).in, 1, 3, 1, 3, 0);
    eventually(counters(pub).out.took == 1);
    ck_flow(counters(pub).out, 1, 3, 1, 3, 0);
}
END_TEST

START_TEST(what_links_have_moved_stays_counted_when_they_are_gone)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(pull, _i);

    for (int i = 1; i <= 3; i++) {
        sifr_socket_t *push = new_socket(SIFR_PUSH);

        connect_to(push, &e);
        send_text(push, "four", 0);
        send_text(push, "3rd", 0);
        recv_text(pull, "four", false);
        recv_text(pull, "3rd", false);
        drop(push);
        ck_assert_uint_eq(counters(pull).in.took, 2 * i);
    }
    recv_nothing(pull); /* takes in that they have ended */
    eventually(!has_links(pull));
    ck_flow(counters(pull).in, 6, 21, 6, 21, 0);
    ck_assert_uint_eq(all_drops(pull), 0);
}
END_TEST

START_TEST(connections_made_again_are_counted)
{
    struct endpoint e = fresh_endpoint(TCP);
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull;

    set_int(push, SIFR_RECONNECT_IVL, 10);
    set_int(push, SIFR_IMMEDIATE, _i);
    connect_to(push, &e);
    for (int i = 0; i < 3; i++) {
        pull = new_socket(SIFR_PULL);
        rebind_to(pull, &e);
        ck_assert(writable_within(push, WAIT_MS));
        eventually(counters(push).reconnects == (uint64_t)i);
        send_text(push, "x", 0);
        recv_text(pull, "x", false);
        ck_assert_uint_eq(counters(pull).reconnects, 0);
        eventually(counters(push).out.took == (uint64_t)i + 1);
        drop(pull);
        if (_i)
            eventually(!(get_int(push, SIFR_EVENTS) & SIFR_POLLOUT));
    }
    ck_assert_uint_eq(all_drops(push), 0);
}
END_TEST

/* Looks all the time. */
static void *look(void *arg)
{
    struct sf_counters last = {0};
    sifr_socket_t *s = arg;

    while (last.in.took < 20000) {
        struct sf_counters c = counters(s);

        if (c.in.put < last.in.put || c.in.took < last.in.took || c.in.put_bytes < last.in.put_bytes)
            return s;
        last = c;
        sched_yield();
    }
    return NULL;
}

START_TEST(counters_can_be_read_at_any_time_and_never_fall)
{
    sifr_socket_t *push, *pull;
    pthread_t looks, looks_too;
    void *failed;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    looks = start_thread(look, pull);
    looks_too = start_thread(look, pull);
    for (int i = 0; i < 20000; i++) {
        send_text(push, "sixsix", 0);
        if (i % 100 == 99)
            ck_assert_uint_eq(counters(push).out.put, i + 1);
        if (i >= 500)
            recv_text(pull, "sixsix", false);
    }
    for (int i = 0; i < 500; i++)
        recv_text(pull, "sixsix", false);
    pthread_join(looks, &failed);
    ck_assert_ptr_null(failed);
    pthread_join(looks_too, &failed);
    ck_assert_ptr_null(failed);
    ck_flow(counters(pull).in, 20000, 120000, 20000, 120000, 0);
}
END_TEST

/* ---- A crowd: messages that are framed once for all who get them ---------------------------------------------- */

enum { CROWD = 4 };

/* Subscribers to all, by way: who binds. ends[i] is where the i-th is, or all. */
static sifr_socket_t *new_crowd(sifr_socket_t **subs, struct endpoint *ends, int way)
{
    sifr_socket_t *pub = new_socket(SIFR_XPUB);

    set_int(pub, SIFR_XPUB_VERBOSER, 1);
    if (way % 2 == 0)
        ends[0] = bind_fresh(pub, (enum transport)(way / 2));
    for (int i = 0; i < CROWD; i++) {
        subs[i] = new_socket(SIFR_SUB);
        ck_works(sifr_setsockopt(subs[i], SIFR_SUBSCRIBE, "", 0));
        if (way % 2 == 0) {
            connect_to(subs[i], &ends[0]);
        } else {
            ends[i] = bind_fresh(subs[i], (enum transport)(way / 2));
            connect_to(pub, &ends[i]);
        }
    }
    for (int i = 0; i < CROWD; i++)
        recv_text(pub, "\1", false);
    return pub;
}

START_TEST(each_of_a_crowd_counts)
{
    sifr_socket_t *subs[CROWD], *pub;
    struct endpoint ends[CROWD];

    pub = new_crowd(subs, ends, _i);
    send_text(pub, "a", 0);
    send_parts(pub, "b", "cd");
    for (int i = 0; i < CROWD; i++) {
        recv_text(subs[i], "a", false);
        eventually(counters(subs[i]).in.put == 2);
        ck_flow(counters(subs[i]).in, 2, 4, 1, 1, 1);
        recv_parts(subs[i], "b", "cd");
        ck_flow(counters(subs[i]).in, 2, 4, 2, 4, 0);
    }
    eventually(counters(pub).out.took == 2 * CROWD);
    ck_flow(counters(pub).out, 2 * CROWD, 4 * CROWD, 2 * CROWD, 4 * CROWD, 0);
    if (_i % 2)
        ck_works(sifr_disconnect(pub, ends[1].text));
    else
        drop(subs[1]);
    eventually(get_int(pub, SIFR_EVENTS) & SIFR_POLLIN); /* the request that ends its subscription */
    send_text(pub, "last", 0);
    recv_text(subs[0], "last", false);
    ck_assert_uint_eq(counters(pub).out.put, 2 * CROWD + CROWD - 1);
    ck_assert_uint_eq(counters(pub).out.put_bytes, 4 * CROWD + 4 * (CROWD - 1));
    ck_flow(counters(subs[0]).in, 3, 8, 3, 8, 0);
    ck_assert_uint_eq(all_drops(pub) + all_drops(subs[0]), 0);
}
END_TEST

START_TEST(one_of_a_crowd_that_goes_midway_misses_the_message_and_is_counted)
{
    sifr_socket_t *subs[CROWD], *pub;
    struct endpoint ends[CROWD];

    pub = new_crowd(subs, ends, _i);
    send_text(pub, "a", 0);
    for (int i = 0; i < CROWD; i++)
        recv_text(subs[i], "a", false);
    send_text(pub, "begun", SIFR_SNDMORE);
    eventually(counters(pub).out.took == CROWD);
    if (_i % 2)
        ck_works(sifr_disconnect(pub, ends[1].text));
    else
        drop(subs[1]);
    ck_drops(pub, SF_DROP_UNFINISHED, 1);
    send_text(pub, "ended", 0);
    for (int i = 0; i < CROWD; i++)
        if (i != 1)
            recv_parts(subs[i], "begun", "ended");
    ck_drops(pub, SF_DROP_UNFINISHED, 1);
    ck_assert_uint_eq(counters(pub).out.put, CROWD + CROWD - 1);
    ck_assert_uint_eq(counters(pub).out.put_bytes, CROWD + 10 * (CROWD - 1));
}
END_TEST

/* ---- Reasons to lose a message ------------------------------------------------------------------------------- */

START_TEST(a_message_whose_peer_goes_away_midway_is_taken_back_and_counted)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(push, _i);

    connect_to(pull, &e);
    send_text(push, "all", 0);
    recv_text(pull, "all", false);
    send_text(push, "never", SIFR_SNDMORE);
    drop(pull);
    ck_drops(push, SF_DROP_UNFINISHED, 1);
    eventually(!has_links(push));
    ck_flow(counters(push).out, 1, 3, 1, 3, 0);
}
END_TEST

START_TEST(a_message_that_its_sender_does_not_end_is_counted)
{
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    send_text(push, "all", 0);
    recv_text(pull, "all", false);
    send_text(push, "never", SIFR_SNDMORE);
    send_text(push, "ever", SIFR_SNDMORE);
    eventually(counters(push).out.took == 1);
    drop_kept(push);
    ck_drops(push, SF_DROP_UNFINISHED, 1);
    ck_flow(counters(push).out, 1, 3, 1, 3, 0);
    forget(push);
    ck_assert_uint_eq(all_drops(pull), 0);
}
END_TEST

static const struct {
    const char *bytes;
    size_t size;
} halves[] = {
    {BYTES("\0\12half")},                    /* of a frame */
    {BYTES("\1\4more")},                     /* of a message */
    {BYTES("\1\4more\0\12half")},            /* of both */
    {BYTES("\2\0\0\0\0\0\1\0\0large")},      /* of a frame in a block of its own */
    {BYTES("\0")},                           /* of a header */
};

START_TEST(a_message_that_comes_in_part_is_counted_when_its_connection_ends)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(pull, TCP);
    int fd = bare_connect(&e);

    say(fd, BYTES(GREETING READY_PUSH "\0\3one"));
    recv_text(pull, "one", false);
    say(fd, halves[_i].bytes, halves[_i].size);
    end(fd);
    ck_drops(pull, SF_DROP_UNFINISHED, 1);
    ck_flow(counters(pull).in, 1, 3, 1, 3, 0);
}
END_TEST

START_TEST(half_a_command_is_no_lost_message)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(pull, TCP);
    int fd = bare_connect(&e);

    say(fd, BYTES(GREETING READY_PUSH "\0\3one\4\7\4PI"));
    recv_text(pull, "one", false);
    end(fd);
    recv_nothing(pull);
    eventually(!has_links(pull));
    ck_assert_uint_eq(all_drops(pull), 0);
}
END_TEST

static sifr_socket_t *subscribed(sifr_socket_t **pub, int way)
{
    sifr_socket_t *sub;

    *pub = new_socket(SIFR_XPUB);
    sub = new_socket(SIFR_SUB);
    set_int(*pub, SIFR_SNDHWM, 2);
    set_int(sub, SIFR_RCVHWM, 3);
    ck_works(sifr_setsockopt(sub, SIFR_SUBSCRIBE, "", 0));
    link_sockets(*pub, sub, way);
    recv_text(*pub, "\1", false);
    return sub;
}

START_TEST(a_message_above_the_mark_is_counted)
{
    sifr_socket_t *pub, *sub = subscribed(&pub, _i);
    uint64_t sent = 0;

    if (_i / 2 == INPROC) {
        for (sent = 0; sent < 9; sent++)
            send_text(pub, "x", 0);
        ck_flow(counters(pub).out, 5, 5, 0, 0, 5);
        ck_drops(pub, SF_DROP_NO_ROOM, 4);
    } else { /* what the system holds comes on top */
        for (; drops(pub, SF_DROP_NO_ROOM) < 4; sent++)
            send_filled(pub, 200000, 0, 0);
        ck_drops(pub, SF_DROP_NO_ROOM, 4);
        ck_assert_uint_eq(counters(pub).out.put, sent - 4);
        ck_assert_uint_eq(counters(pub).out.put_bytes, (sent - 4) * 200000);
    }
    ck_assert_uint_eq(all_drops(sub), 0);
}
END_TEST

START_TEST(a_message_of_several_frames_above_the_mark_counts_once)
{
    sifr_socket_t *pub;

    subscribed(&pub, 2 * INPROC);
    for (int i = 0; i < 7; i++)
        send_parts(pub, "x", "y", "z");
    ck_flow(counters(pub).out, 5, 15, 0, 0, 5);
    ck_drops(pub, SF_DROP_NO_ROOM, 2);
}
END_TEST

START_TEST(a_message_for_nobody_is_counted)
{
    sifr_socket_t *router, *dealer;

    new_link(&router, SIFR_ROUTER, &dealer, SIFR_DEALER, _i);
    for (int i = 0; i < 3; i++)
        send_parts(router, "nobody", "a", "b");
    ck_drops(router, SF_DROP_UNROUTABLE, 3);
    ck_flow(counters(router).out, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(what_nobody_has_subscribed_to_is_not_lost)
{
    sifr_socket_t *pub, *sub;

    new_link(&pub, SIFR_PUB, &sub, SIFR_SUB, _i);
    for (int i = 0; i < 3; i++)
        send_text(pub, "x", 0);
    ck_assert_uint_eq(all_drops(pub), 0);
    ck_assert_uint_eq(counters(pub).out.put, 0);
}
END_TEST

START_TEST(a_message_whose_subscription_has_ended_is_counted)
{
    sifr_socket_t *pub, *sub = subscribed(&pub, _i);

    for (int i = 0; i < 2; i++)
        send_parts(pub, "x", "y");
    eventually(counters(sub).in.put == 2);
    ck_works(sifr_setsockopt(sub, SIFR_UNSUBSCRIBE, "", 0));
    recv_nothing(sub);
    ck_drops(sub, SF_DROP_UNWANTED, 2);
    ck_flow(counters(sub).in, 2, 4, 2, 4, 0);
}
END_TEST

START_TEST(a_message_to_a_pub_is_counted)
{
    sifr_socket_t *pub, *sub;

    new_link(&pub, SIFR_PUB, &sub, SIFR_XSUB, _i);
    send_text(sub, "\1", 0);
    do /* until they have met */
        send_text(pub, "x", 0);
    while (!readable_within(sub, 1));
    send_parts(sub, "hello", "there");
    ck_drops(pub, SF_DROP_UNWANTED, 1);
}
END_TEST

START_TEST(a_message_to_a_push_is_counted)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH);
    struct endpoint e = bind_fresh(push, TCP);
    int fd = bare_connect(&e);

    say(fd, BYTES(GREETING READY_PULL "\0\1a\1\1b\0\1c"));
    ck_drops(push, SF_DROP_UNWANTED, 2);
    end(fd);
    eventually(!has_links(push));
    ck_drops(push, SF_DROP_UNWANTED, 2);
}
END_TEST

START_TEST(a_reply_to_what_was_asked_before_is_counted)
{
    sifr_socket_t *req, *router;
    char id[16];
    int n;

    new_link(&req, SIFR_REQ, &router, SIFR_ROUTER, _i);
    set_int(req, SIFR_REQ_RELAXED, 1);
    set_int(req, SIFR_REQ_CORRELATE, 1);
    for (int i = 0; i < 2; i++)
        send_text(req, "q", 0);
    for (int i = 0; i < 2; i++) { /* answers both, each with its number */
        char number[8];
        int size;

        n = sifr_recv(router, id, sizeof id, 0);
        size = sifr_recv(router, number, sizeof number, 0);
        recv_text(router, "", true);
        recv_text(router, "q", false);
        send_bytes(router, id, (size_t)n, SIFR_SNDMORE);
        send_bytes(router, number, (size_t)size, SIFR_SNDMORE);
        send_parts(router, "", i ? "second" : "first");
    }
    recv_text(req, "second", false);
    ck_drops(req, SF_DROP_UNWANTED, 1);
    ck_assert_uint_eq(counters(req).in.took, 2);
}
END_TEST

START_TEST(a_request_without_envelope_is_counted)
{
    sifr_socket_t *rep, *dealer;

    new_link(&rep, SIFR_REP, &dealer, SIFR_DEALER, _i);
    send_text(dealer, "a", 0);
    send_parts(dealer, "b", "c");
    send_parts(dealer, "", "good");
    recv_text(rep, "good", false);
    ck_drops(rep, SF_DROP_REFUSED, 2);
    ck_assert_uint_eq(counters(rep).in.took, 3);
}
END_TEST

static const struct {
    const char *bytes;
    size_t size;
} offences[] = {
    {BYTES("\0\13eleven byte")},                    /* above MAXMSGSIZE */
    {BYTES("\1\1a\0\13eleven byte")},               /* in its second frame */
    {BYTES("\2\0\0\0\0\0\1\0\0large")},             /* and announced only */
    {BYTES("\x08\3abc")},                           /* a flag that is not there */
    {BYTES("\1\1a\x10\3abc")},                      /* the same within a message */
};

START_TEST(a_message_against_the_rules_is_counted)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    int64_t most = 10;
    struct endpoint e;
    int fd;

    ck_works(sifr_setsockopt(pull, SIFR_MAXMSGSIZE, &most, sizeof most));
    e = bind_fresh(pull, TCP);
    fd = bare_connect(&e);
    say(fd, BYTES(GREETING READY_PUSH "\0\3one"));
    recv_text(pull, "one", false);
    say(fd, offences[_i].bytes, offences[_i].size);
    ck_drops(pull, SF_DROP_REFUSED, 1);
    end(fd);
    ck_drops(pull, SF_DROP_REFUSED, 1);
    ck_flow(counters(pull).in, 1, 3, 1, 3, 0);
}
END_TEST

START_TEST(a_message_without_memory_is_counted)
{
    sifr_socket_t *pub, *sub = subscribed(&pub, _i);
    char large[8000] = "first";

    sf_alloc_fail(1, 0); /* the queue's first chunk */
    ck_assert_int_eq(sifr_send(pub, large, sizeof large, 0), sizeof large);
    sf_alloc_fail(0, 0);
    ck_drops(pub, SF_DROP_NO_MEMORY, 1);
    send_text(pub, "second", 0);
    recv_text(sub, "second", false);
    ck_drops(pub, SF_DROP_NO_MEMORY, 1);
    ck_assert_uint_eq(counters(pub).out.put, 1);
}
END_TEST

START_TEST(a_message_replaced_by_a_newer_one_is_counted)
{
    struct endpoint e = fresh_endpoint(_i);
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);

    set_int(push, SIFR_CONFLATE, 1);
    set_int(push, SIFR_RECONNECT_IVL, 10);
    connect_to(push, &e);
    for (int i = 0; i < 5; i++)
        send_text(push, i == 4 ? "last" : "x", 0);
    ck_drops(push, SF_DROP_REPLACED, 4);
    ck_flow(counters(push).out, 5, 8, 0, 0, 1);
    bind_to(pull, &e);
    recv_text(pull, "last", false);
    eventually(counters(push).out.took == 1);
    ck_flow(counters(push).out, 5, 8, 1, 4, 0);
    ck_drops(push, SF_DROP_REPLACED, 4);
    ck_assert_uint_eq(all_drops(pull), 0);
    ck_assert_uint_eq(counters(pull).in.took, 1);
    drop_kept(push);
    ck_drops(push, SF_DROP_REPLACED, 4);
    forget(push);
}
END_TEST

START_TEST(a_message_replaced_after_it_came_is_counted_by_its_receiver)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);

    set_int(pull, SIFR_CONFLATE, 1);
    link_sockets(push, pull, _i);
    for (int i = 0; i < 5; i++)
        send_text(push, i == 4 ? "last" : "x", 0);
    eventually(counters(pull).in.put == 5);
    ck_flow(counters(pull).in, 5, 8, 0, 0, 1);
    ck_drops(pull, SF_DROP_REPLACED, 4);
    recv_text(pull, "last", false);
    ck_flow(counters(pull).in, 5, 8, 1, 4, 0);
    ck_assert_uint_eq(all_drops(push), 0);
}
END_TEST

/* How a queue to nobody ends: closed, closed with a linger that ends, disconnected. */
enum { CLOSED, LINGERED, DISCONNECTED, ENDS };

START_TEST(what_was_never_sent_is_counted)
{
    enum transport t = _i / ENDS ? INPROC : TCP;
    sifr_socket_t *push = new_socket(SIFR_PUSH);
    struct endpoint e = fresh_endpoint(t);

    connect_to(push, &e);
    for (int i = 0; i < 3; i++)
        send_parts(push, "a", "b");
    sf_socket_ref(push);
    if (_i % ENDS == LINGERED)
        set_int(push, SIFR_LINGER, 20);
    if (_i % ENDS == DISCONNECTED)
        ck_works(sifr_disconnect(push, e.text));
    else
        drop(push);
    if (_i % ENDS == LINGERED && t == INPROC) { /* somebody must come by when the time is over */
        poll(NULL, 0, 25);
        ck_works(sifr_bind(new_socket(SIFR_PULL), fresh_endpoint(INPROC).text));
    }
    ck_drops(push, SF_DROP_DISCARDED, 3);
    ck_flow(counters(push).out, 3, 6, 0, 0, 0);
    forget(push);
}
END_TEST

START_TEST(what_was_never_read_is_counted_by_its_receiver)
{
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    for (int i = 0; i < 4; i++)
        send_parts(push, "a", "b");
    eventually(counters(pull).in.put == 4);
    eventually(_i / 2 == INPROC || counters(push).out.took == 4);
    recv_text(pull, "a", true); /* and not the rest of it */
    drop_kept(pull);
    get_int(push, SIFR_EVENTS); /* over inproc: it learns that it writes for nobody */
    ck_drops(pull, SF_DROP_DISCARDED, 4);
    ck_assert_uint_eq(counters(pull).in.depth, 0);
    forget(pull);
    ck_assert_uint_eq(all_drops(push), 0);
}
END_TEST

START_TEST(what_was_kept_back_for_want_of_room_is_counted_when_its_connection_ends)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct endpoint e;
    int fd;

    set_int(pull, SIFR_RCVHWM, 2);
    e = bind_fresh(pull, TCP);
    fd = bare_connect(&e);
    say(fd, BYTES(GREETING READY_PUSH "\0\1a\0\1b\0\1c\1\1d\0\1e\1\1f\0"));
    eventually(counters(pull).in.put == 2);
    drop_kept(pull);
    eventually(drops(pull, SF_DROP_UNFINISHED));
    ck_assert_uint_eq(drops(pull, SF_DROP_UNFINISHED), 1); /* f */
    eventually(drops(pull, SF_DROP_DISCARDED) == 4);
    ck_assert_uint_eq(all_drops(pull), 5);
    forget(pull);
    close(fd);
}
END_TEST

static int bare_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);

    ck_assert_int_ge(fd, 0);
    limit_waits(fd);
    say(fd, BYTES(GREETING READY_PULL));
    return fd;
}

enum { SHAKE = sizeof(GREETING READY_PUSH) - 1 };

START_TEST(a_message_that_has_cost_its_connection_three_times_is_counted)
{
    struct endpoint e = fresh_endpoint(TCP);
    struct sockaddr_in a = address_of(&e);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, little = 65536, fd;
    sifr_socket_t *push = new_socket(SIFR_PUSH);

    limit_waits(listener);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    set_int(push, SIFR_RECONNECT_IVL, 1);
    set_int(push, SIFR_SNDBUF, 65536);
    connect_to(push, &e);
    send_filled(push, 4000000, 0, 0);
    send_text(push, "after", 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(all_drops(push), 0);
        fd = bare_accept(listener);
        hear(fd, SHAKE + 9, "\2\0\0\0\0\0\x3d\x09\0", 9);
        close(fd);
    }
    fd = bare_accept(listener);
    hear(fd, SHAKE + 7, "\0\5after", 7);
    ck_drops(push, SF_DROP_GIVEN_UP, 1);
    ck_assert_uint_eq(counters(push).reconnects, 3);
    eventually(counters(push).out.took == 2);
    ck_flow(counters(push).out, 2, 4000005, 2, 4000005, 0);
    end(fd);
    close(listener);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("counters");
    TCase *flow = new_case(suite, "flow"), *lost = new_case(suite, "lost");

    tcase_add_loop_test(flow, messages_and_their_bytes_are_counted_at_both_ends, 0, WAYS);
    tcase_add_loop_test(flow, depth_is_what_waits_to_be_read, 0, WAYS);
    tcase_add_loop_test(flow, what_waits_for_a_peer_is_the_senders_depth, 0, TRANSPORTS);
    tcase_add_loop_test(flow, commands_are_no_messages, 0, WAYS);
    tcase_add_loop_test(flow, what_links_have_moved_stays_counted_when_they_are_gone, 0, TRANSPORTS);
    tcase_add_loop_test(flow, connections_made_again_are_counted, 0, 2);
    tcase_add_loop_test(flow, counters_can_be_read_at_any_time_and_never_fall, 0, WAYS);

    tcase_add_loop_test(flow, each_of_a_crowd_counts, 0, WAYS);
    tcase_add_loop_test(lost, one_of_a_crowd_that_goes_midway_misses_the_message_and_is_counted, 0, WAYS);
    tcase_add_loop_test(lost, a_message_whose_peer_goes_away_midway_is_taken_back_and_counted, 0, TRANSPORTS);
    tcase_add_loop_test(lost, a_message_that_its_sender_does_not_end_is_counted, 0, WAYS);
    tcase_add_loop_test(lost, a_message_that_comes_in_part_is_counted_when_its_connection_ends, 0, COUNT(halves));
    tcase_add_test(lost, half_a_command_is_no_lost_message);
    tcase_add_loop_test(lost, a_message_above_the_mark_is_counted, 0, WAYS);
    tcase_add_test(lost, a_message_of_several_frames_above_the_mark_counts_once);
    tcase_add_loop_test(lost, a_message_for_nobody_is_counted, 0, WAYS);
    tcase_add_loop_test(lost, what_nobody_has_subscribed_to_is_not_lost, 0, WAYS);
    tcase_add_loop_test(lost, a_message_whose_subscription_has_ended_is_counted, 0, WAYS);
    tcase_add_loop_test(lost, a_message_to_a_pub_is_counted, 0, WAYS);
    tcase_add_test(lost, a_message_to_a_push_is_counted);
    tcase_add_loop_test(lost, a_reply_to_what_was_asked_before_is_counted, 0, WAYS);
    tcase_add_loop_test(lost, a_request_without_envelope_is_counted, 0, WAYS);
    tcase_add_loop_test(lost, a_message_against_the_rules_is_counted, 0, COUNT(offences));
    tcase_add_loop_test(lost, a_message_without_memory_is_counted, 0, WAYS);
    tcase_add_loop_test(lost, a_message_replaced_by_a_newer_one_is_counted, 0, TRANSPORTS);
    tcase_add_loop_test(lost, a_message_replaced_after_it_came_is_counted_by_its_receiver, 0, WIRE_WAYS);
    tcase_add_loop_test(lost, what_was_never_sent_is_counted, 0, 2 * ENDS);
    tcase_add_loop_test(lost, what_was_never_read_is_counted_by_its_receiver, 0, WAYS);
    tcase_add_test(lost, what_was_kept_back_for_want_of_room_is_counted_when_its_connection_ends);
    tcase_add_test(lost, a_message_that_has_cost_its_connection_three_times_is_counted);
    return run_suite(suite);
}
