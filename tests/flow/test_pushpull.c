/* PUSH and PULL: a pipeline that loses nothing, shares out in turn and stops the writer whom nobody reads. */
#include "support.h"

#include <stdatomic.h>

START_TEST(messages_of_any_size_arrive_whole)
{
    static const size_t sizes[] = {0,    1,     31,    32,    33,    34,     127,    255,     256,      257,     4096,
                                   8191, 8192,  8193,  32768, 65535, 65536,  262144, 262145,  1048576,  10485760};
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    for (int i = 0; i < COUNT(sizes); i++) {
        send_filled(push, sizes[i], (unsigned)i, 0);
        recv_filled(pull, sizes[i], (unsigned)i, false);
    }
    for (int i = 0; i < COUNT(sizes) - 1; i++)
        send_filled(push, sizes[i], (unsigned)i, 0);
    for (int i = 0; i < COUNT(sizes) - 1; i++)
        recv_filled(pull, sizes[i], (unsigned)i, false);
    recv_nothing(pull);
}
END_TEST

START_TEST(parts_arrive_together_in_order_and_empty_ones_too)
{
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    send_parts(push, "one");
    send_parts(push, "a", "bc", "def");
    send_parts(push, "", "", "");
    send_parts(push, "");
    send_parts(push, "", "after an empty one");
    recv_parts(pull, "one");
    recv_parts(pull, "a", "bc", "def");
    recv_parts(pull, "", "", "");
    recv_parts(pull, "");
    recv_parts(pull, "", "after an empty one");
    recv_nothing(pull);
}
END_TEST

START_TEST(parts_of_mixed_sizes_stay_one_message)
{
    static const size_t sizes[] = {5, 300000, 0, 33, 1048577, 8192, 1, 70000, 0};
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    for (int turn = 0; turn < 3; turn++)
        for (int i = 0; i < COUNT(sizes); i++)
            send_filled(push, sizes[i], (unsigned)i, i + 1 < COUNT(sizes) ? SIFR_SNDMORE : 0);
    for (int turn = 0; turn < 3; turn++)
        for (int i = 0; i < COUNT(sizes); i++)
            recv_filled(pull, sizes[i], (unsigned)i, i + 1 < COUNT(sizes));
}
END_TEST

START_TEST(a_message_of_2000_parts_arrives_whole)
{
    enum { PARTS = 2000 };
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    for (int i = 0; i < PARTS; i++)
        send_bytes(push, &i, sizeof i, i + 1 < PARTS ? SIFR_SNDMORE : 0);
    for (int i = 0; i < PARTS; i++)
        recv_bytes(pull, &i, sizeof i, i + 1 < PARTS);
}
END_TEST

START_TEST(nothing_is_seen_of_a_message_before_its_last_part)
{
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    send_parts(push, "before");
    recv_parts(pull, "before");
    send_text(push, "first", SIFR_SNDMORE);
    send_text(push, "second", SIFR_SNDMORE);
    ck_assert(!readable_within(pull, 50));
    recv_nothing(pull);
    send_text(push, "last", 0);
    recv_parts(pull, "first", "second", "last");
}
END_TEST

/* ---- Order --------------------------------------------------------------------------------------------------- */

enum { NUMBERED = 100000 };

static void *send_numbered(void *push)
{
    for (uint32_t i = 0; i < NUMBERED; i++) {
        uint32_t body[16] = {i};

        if (i % 5 == 0)
            send_bytes(push, &i, sizeof i, SIFR_SNDMORE);
        send_bytes(push, body, sizeof i * (1 + i % 16), 0);
    }
    return NULL;
}

START_TEST(a_hundred_thousand_messages_keep_their_order)
{
    sifr_socket_t *push, *pull;
    pthread_t sender;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    sender = start_thread(send_numbered, push);
    for (uint32_t i = 0; i < NUMBERED; i++) {
        uint32_t body[16] = {0};

        if (i % 5 == 0) {
            ck_assert_int_eq(sifr_recv(pull, body, sizeof body, 0), sizeof i);
            ck_assert_uint_eq(body[0], i);
            ck_assert_int_eq(get_int(pull, SIFR_RCVMORE), 1);
        }
        ck_assert_int_eq(sifr_recv(pull, body, sizeof body, 0), sizeof i * (1 + i % 16));
        ck_assert_uint_eq(body[0], i);
    }
    pthread_join(sender, NULL);
    recv_nothing(pull);
}
END_TEST

/* ---- Shares -------------------------------------------------------------------------------------------------- */

enum { PEERS = 3, SHARE = 10 };

START_TEST(a_connecting_push_serves_its_peers_in_turn)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull[PEERS];

    for (int i = 0; i < PEERS; i++) {
        struct endpoint e = bind_fresh(pull[i] = new_socket(SIFR_PULL), (enum transport)_i);

        connect_to(push, &e);
    }
    for (int i = 0; i < PEERS * SHARE; i++)
        send_bytes(push, &i, sizeof i, i % 2 ? 0 : SIFR_DONTWAIT);
    for (int n = 0; n < SHARE; n++)
        for (int i = 0; i < PEERS; i++) {
            int want = n * PEERS + i;

            recv_bytes(pull[i], &want, sizeof want, false);
        }
    for (int i = 0; i < PEERS; i++)
        recv_nothing(pull[i]);
}
END_TEST

START_TEST(parts_of_a_message_go_to_one_peer)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull[PEERS];

    for (int i = 0; i < PEERS; i++) {
        struct endpoint e = bind_fresh(pull[i] = new_socket(SIFR_PULL), (enum transport)_i);

        connect_to(push, &e);
    }
    for (int n = 0; n < SHARE; n++)
        for (int i = 0; i < PEERS; i++)
            send_parts(push, "a", "b", "c");
    for (int n = 0; n < SHARE; n++)
        for (int i = 0; i < PEERS; i++)
            recv_parts(pull[i], "a", "b", "c");
}
END_TEST

START_TEST(a_bound_push_serves_its_peers_in_turn)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull[PEERS];
    struct endpoint e = bind_fresh(push, (enum transport)_i);
    int sent = 0, got = 0;

    for (int i = 0; i < PEERS; i++)
        connect_to(pull[i] = new_socket(SIFR_PULL), &e);
    for (int i = 0; i < PEERS; i++) /* until all have come */
        for (bool here = false; !here;) {
            send_text(push, "hello", 0);
            sent++;
            here = readable_within(pull[i], 1);
        }
    for (int64_t end = now_ms() + WAIT_MS; got < sent;) {
        ck_assert_int_lt(now_ms(), end);
        for (int i = 0; i < PEERS; i++)
            got += drain(pull[i]);
    }
    for (int i = 0; i < PEERS * SHARE; i++)
        send_text(push, "share", 0);
    for (int i = 0; i < PEERS; i++)
        for (int n = 0; n < SHARE; n++)
            recv_parts(pull[i], "share");
    for (int i = 0; i < PEERS; i++)
        recv_nothing(pull[i]);
}
END_TEST

START_TEST(a_full_peer_is_passed_over)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *full = new_socket(SIFR_PULL), *free_one = new_socket(SIFR_PULL);
    struct endpoint e;

    set_int(push, SIFR_SNDHWM, 1);
    set_int(full, SIFR_RCVHWM, 1);
    set_int(free_one, SIFR_RCVHWM, 9);
    e = bind_fresh(full, INPROC);
    connect_to(push, &e);
    e = bind_fresh(free_one, INPROC);
    connect_to(push, &e);
    ck_assert_int_eq(fill_up(push, 100), (1 + 1) + (1 + 9));
    ck_assert_int_eq(drain(full), 2);
    ck_assert_int_eq(drain(free_one), 10);
}
END_TEST

START_TEST(queued_messages_are_read_from_each_peer_in_turn)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push[PEERS];
    struct endpoint e = bind_fresh(pull, INPROC);

    for (int i = 0; i < PEERS; i++)
        connect_to(push[i] = new_socket(SIFR_PUSH), &e);
    for (int i = 0; i < PEERS; i++)
        for (int n = 0; n < SHARE; n++) {
            send_bytes(push[i], &i, sizeof i, SIFR_SNDMORE);
            send_bytes(push[i], &n, sizeof n, 0);
        }
    for (int n = 0; n < SHARE; n++) {
        unsigned seen = 0;

        for (int i = 0; i < PEERS; i++) {
            int who;

            ck_assert_int_eq(sifr_recv(pull, &who, sizeof who, 0), sizeof who);
            recv_bytes(pull, &n, sizeof n, false);
            seen |= 1u << who;
        }
        ck_assert_uint_eq(seen, (1u << PEERS) - 1);
    }
}
END_TEST

/* A thread that sends on one socket after the other soon leaves the writing to the loops. */
START_TEST(who_sends_on_many_sockets_in_turn_is_heard_to_the_end)
{
    enum { SOCKETS = 20, ROUNDS = 300 };
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push[SOCKETS];
    struct endpoint e = bind_fresh(pull, (enum transport)_i);
    int due[SOCKETS] = {0};

    for (int i = 0; i < SOCKETS; i++)
        connect_to(push[i] = new_socket(SIFR_PUSH), &e);
    for (int n = 0; n < ROUNDS; n++)
        for (int i = 0; i < SOCKETS; i++) {
            int place[2] = {i, n};

            send_bytes(push[i], place, sizeof place, 0);
        }
    for (int n = 0; n < ROUNDS * SOCKETS; n++) {
        int got[2];

        ck_assert_int_eq(sifr_recv(pull, got, sizeof got, 0), sizeof got);
        ck_assert_int_eq(got[1], due[got[0]]++);
    }
}
END_TEST

static atomic_bool flood_over;

static void *flood(void *push)
{
    while (!atomic_load(&flood_over))
        sifr_send(push, "flood", 5, 0);
    return NULL;
}

START_TEST(a_flood_from_one_peer_does_not_drown_another)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *loud = new_socket(SIFR_PUSH), *quiet = new_socket(SIFR_PUSH);
    struct endpoint e = bind_fresh(pull, (enum transport)_i);
    int64_t end = now_ms() + 2 * WAIT_MS;
    char text[8] = "";
    pthread_t flooder;

    connect_to(loud, &e);
    connect_to(quiet, &e);
    set_int(loud, SIFR_SNDTIMEO, 10);
    flooder = start_thread(flood, loud);
    for (int n = 0; n < 1000; n++)
        recv_text(pull, "flood", false);
    send_text(quiet, "quiet", 0);
    while (strcmp(text, "quiet") != 0) {
        ck_assert_int_eq(sifr_recv(pull, text, sizeof text, 0), 5);
        ck_assert_int_lt(now_ms(), end);
    }
    atomic_store(&flood_over, true);
    pthread_join(flooder, NULL);
}
END_TEST

/* ---- High-water marks ---------------------------------------------------------------------------------------- */

START_TEST(inproc_marks_of_both_sides_add_up)
{
    static const struct {
        int snd, rcv, room;
    } cases[] = {{2, 2, 4}, {5, 1, 6}, {1, 5, 6}, {1, 1, 2}, {100, 23, 123}, {0, 2, 5000}, {2, 0, 5000}, {0, 0, 5000}};
    int way = _i % 2;

    for (int i = 0; i < COUNT(cases); i++) {
        sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
        int half = (cases[i].room + 1) / 2;

        set_int(push, SIFR_SNDHWM, cases[i].snd);
        set_int(pull, SIFR_RCVHWM, cases[i].rcv);
        link_sockets(push, pull, 2 * INPROC + way);
        ck_assert_int_eq(fill_up(push, 5000), cases[i].room);
        ck_assert_int_eq(drain(pull), cases[i].room);
        ck_assert_int_eq(fill_up(push, 5000), cases[i].room / half * half); /* room comes back by halves */
        drop(push);
        drop(pull);
    }
}
END_TEST

START_TEST(inproc_marks_add_up_when_connected_before_bound)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    struct endpoint e = fresh_endpoint(INPROC);

    set_int(push, SIFR_SNDHWM, 2);
    set_int(pull, SIFR_RCVHWM, 3);
    connect_to(push, &e);
    ck_assert_int_eq(fill_up(push, 100), 2);
    bind_to(pull, &e);
    ck_assert_int_eq(fill_up(push, 100), 3);
    ck_assert_int_eq(drain(pull), 5);
}
END_TEST

START_TEST(a_message_of_many_parts_counts_once)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);

    set_int(push, SIFR_SNDHWM, 1);
    set_int(pull, SIFR_RCVHWM, 1);
    link_sockets(push, pull, 2 * INPROC);
    send_parts(push, "a", "b", "c", "d", "e");
    send_parts(push, "f", "g", "h");
    send_full(push);
    recv_parts(pull, "a", "b", "c", "d", "e");
    recv_parts(pull, "f", "g", "h");
}
END_TEST

START_TEST(a_stopped_writer_goes_on_when_half_is_read)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);

    set_int(push, SIFR_SNDHWM, 5);
    set_int(pull, SIFR_RCVHWM, 5);
    link_sockets(push, pull, 2 * INPROC);
    ck_assert_int_eq(fill_up(push, 100), 10);
    for (int n = 0; n < 4; n++) { /* (10 + 1) / 2 make the half */
        recv_text(pull, "x", false);
        ck_assert(!writable_within(push, 0));
    }
    recv_text(pull, "x", false);
    ck_assert(writable_within(push, WAIT_MS));
    ck_assert_int_eq(fill_up(push, 100), 5);
}
END_TEST

START_TEST(marks_change_on_a_live_connection)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    int n;

    set_int(push, SIFR_SNDHWM, 2);
    set_int(pull, SIFR_RCVHWM, 2);
    link_sockets(push, pull, 2 * INPROC);
    ck_assert_int_eq(fill_up(push, 100), 4);
    set_int(push, SIFR_SNDHWM, 7);
    ck_assert_int_eq(drain(pull), 4);
    n = fill_up(push, 100); /* of 7 + 2; what was read comes back by halves */
    ck_assert(n >= 5 && n <= 9);
    set_int(push, SIFR_SNDHWM, 1); /* below the fill: nothing is lost */
    ck_assert_int_eq(drain(pull), n);
    n = fill_up(push, 100);
    ck_assert(n >= 1 && n <= 3);
}
END_TEST

START_TEST(before_there_is_a_peer_just_the_senders_mark_fits)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    struct endpoint e = fresh_endpoint((enum transport)_i);

    set_int(push, SIFR_SNDHWM, 7);
    connect_to(push, &e);
    for (int i = 0; i < 7; i++)
        send_bytes(push, &i, sizeof i, SIFR_DONTWAIT);
    send_full(push);
    bind_to(pull, &e);
    for (int i = 0; i < 7; i++)
        recv_bytes(pull, &i, sizeof i, false);
    recv_nothing(pull);
}
END_TEST

START_TEST(a_bound_socket_without_peers_has_no_room)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);

    bind_fresh(push, (enum transport)_i);
    bind_fresh(pull, (enum transport)_i);
    send_full(push);
    recv_nothing(pull);
    ck_assert(!writable_within(push, 0));
    ck_assert_int_eq(get_int(push, SIFR_EVENTS), 0);
    ck_assert_int_eq(get_int(pull, SIFR_EVENTS), 0);
}
END_TEST

START_TEST(a_slow_reader_stops_the_writer_and_loses_nothing)
{
    enum { SIZE = 100000, LIMIT = 2000 };
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    int sent = 0;

    set_int(push, SIFR_SNDHWM, 10);
    set_int(pull, SIFR_RCVHWM, 10);
    link_sockets(push, pull, _i);
    while (sent < LIMIT && writable_within(push, 300))
        send_filled(push, SIZE, (unsigned)sent++, SIFR_DONTWAIT);
    ck_assert_int_lt(sent, LIMIT);
    ck_assert_int_ge(sent, 20);
    for (int i = 0; i < sent; i++)
        recv_filled(pull, SIZE, (unsigned)i, false);
    recv_nothing(pull);
    ck_assert(writable_within(push, WAIT_MS));
}
END_TEST

/* ---- Waiting ------------------------------------------------------------------------------------------------- */

START_TEST(time_outs_end_a_wait_and_not_early)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    int64_t start;

    bind_fresh(push, (enum transport)_i);
    bind_fresh(pull, (enum transport)_i);
    set_int(push, SIFR_SNDTIMEO, 100);
    set_int(pull, SIFR_RCVTIMEO, 100);
    start = now_ms();
    ck_fails(sifr_send(push, "x", 1, 0), EAGAIN);
    ck_assert_int_ge(now_ms() - start, 99);
    start = now_ms();
    ck_fails(sifr_recv(pull, NULL, 0, 0), EAGAIN);
    ck_assert_int_ge(now_ms() - start, 99);
    start = now_ms(); /* DONTWAIT is stronger than a time-out, and 0 is the same */
    set_int(push, SIFR_SNDTIMEO, 100000);
    set_int(pull, SIFR_RCVTIMEO, 100000);
    send_full(push);
    recv_nothing(pull);
    set_int(push, SIFR_SNDTIMEO, 0);
    set_int(pull, SIFR_RCVTIMEO, 0);
    ck_fails(sifr_send(push, "x", 1, 0), EAGAIN);
    ck_fails(sifr_recv(pull, NULL, 0, 0), EAGAIN);
    ck_assert_int_lt(now_ms() - start, WAIT_MS);
}
END_TEST

static void *send_late(void *push)
{
    send_text(push, "late", 0);
    return NULL;
}

START_TEST(a_waiting_receiver_is_woken)
{
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    for (int n = 0; n < 100; n++) {
        pthread_t sender = start_thread(send_late, push);

        recv_parts(pull, "late");
        pthread_join(sender, NULL);
    }
}
END_TEST

static void *send_twenty(void *push)
{
    for (int i = 0; i < 20; i++)
        send_bytes(push, &i, sizeof i, 0);
    return NULL;
}

START_TEST(a_waiting_sender_is_woken)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    pthread_t sender;

    set_int(push, SIFR_SNDHWM, 1);
    set_int(pull, SIFR_RCVHWM, 1);
    link_sockets(push, pull, _i);
    sender = start_thread(send_twenty, push);
    for (int i = 0; i < 20; i++)
        recv_bytes(pull, &i, sizeof i, false);
    pthread_join(sender, NULL);
}
END_TEST

START_TEST(a_sender_waits_for_the_first_peer)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(push, (enum transport)_i);
    pthread_t sender = start_thread(send_late, push);

    connect_to(pull, &e);
    recv_parts(pull, "late");
    pthread_join(sender, NULL);
}
END_TEST

/* ---- The end of one side ------------------------------------------------------------------------------------- */

START_TEST(what_was_received_stays_readable_when_the_sender_is_gone)
{
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    set_int(push, SIFR_LINGER, -1);
    for (int i = 0; i < 100; i++)
        send_bytes(push, &i, sizeof i, 0);
    drop(push);
    for (int i = 0; i < 100; i++)
        recv_bytes(pull, &i, sizeof i, false);
    recv_nothing(pull);
}
END_TEST

START_TEST(half_a_message_dies_with_its_sender)
{
    sifr_socket_t *push, *pull, *other = new_socket(SIFR_PUSH);
    struct endpoint e;

    push = new_socket(SIFR_PUSH);
    pull = new_socket(SIFR_PULL);
    e = bind_fresh(pull, (enum transport)_i);
    connect_to(push, &e);
    connect_to(other, &e);
    set_int(push, SIFR_LINGER, -1);
    send_parts(push, "whole", "message");
    send_text(push, "half", SIFR_SNDMORE);
    drop(push);
    recv_parts(pull, "whole", "message");
    send_parts(other, "next");
    recv_parts(pull, "next");
    recv_nothing(pull);
}
END_TEST

struct leaving {
    struct endpoint endpoint;
    int count;
    size_t size;
};

/* Connects, sends, closes, and comes back when all has been delivered. */
static void *send_and_leave(void *arg)
{
    const struct leaving *l = arg;
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *push = new_socket_in(ctx, SIFR_PUSH);

    set_int(push, SIFR_LINGER, -1);
    connect_to(push, &l->endpoint);
    for (int i = 0; i < l->count; i++)
        send_filled(push, l->size, (unsigned)i, 0);
    ck_works(sifr_close(push));
    ck_works(sifr_ctx_term(ctx));
    return NULL;
}

START_TEST(term_waits_until_closed_sockets_have_delivered)
{
    static const struct {
        int count;
        size_t size;
    } cases[] = {{1, 1}, {900, 10}, {20, 400000}, {2, 5000000}};
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct leaving l = {.endpoint = bind_fresh(pull, (enum transport)_i)};

    for (int n = 0; n < COUNT(cases); n++) {
        pthread_t sender;

        l.count = cases[n].count;
        l.size = cases[n].size;
        sender = start_thread(send_and_leave, &l);
        for (int i = 0; i < l.count; i++)
            recv_filled(pull, l.size, (unsigned)i, false);
        pthread_join(sender, NULL);
    }
}
END_TEST

START_TEST(term_waits_for_a_peer_that_comes_later)
{
    struct leaving l = {.endpoint = fresh_endpoint((enum transport)_i), .count = 100, .size = 100};
    pthread_t sender = start_thread(send_and_leave, &l);
    sifr_socket_t *pull = new_socket(SIFR_PULL);

    bind_to(pull, &l.endpoint);
    for (int i = 0; i < l.count; i++)
        recv_filled(pull, l.size, (unsigned)i, false);
    pthread_join(sender, NULL);
}
END_TEST

START_TEST(linger_bounds_what_term_waits)
{
    static const int lingers[] = {0, 1, 200};

    for (int i = 0; i < COUNT(lingers); i++) {
        struct endpoint e = fresh_endpoint((enum transport)_i);
        sifr_ctx_t *ctx = sifr_ctx_new();
        sifr_socket_t *push = new_socket_in(ctx, SIFR_PUSH);
        int64_t start;

        set_int(push, SIFR_LINGER, lingers[i]);
        connect_to(push, &e);
        send_text(push, "never", 0);
        start = now_ms();
        ck_works(sifr_close(push));
        ck_works(sifr_ctx_term(ctx));
        ck_assert_int_ge(now_ms() - start, lingers[i] - 1);
        ck_assert_int_lt(now_ms() - start, WAIT_MS);
    }
}
END_TEST

START_TEST(the_rest_go_on_when_a_peer_leaves)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *stays = new_socket(SIFR_PULL), *leaves = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(push, (enum transport)_i);

    connect_to(stays, &e);
    connect_to(leaves, &e);
    eventually(sifr_send(push, "x", 1, SIFR_DONTWAIT) == 1 && readable_within(leaves, 0));
    drop(leaves);
    for (int n = 0, row = 0; row < 10; n++) { /* ten in a row: nobody else is served any more */
        int got = -1;

        ck_assert_int_lt(n, 100000);
        send_bytes(push, &n, sizeof n, 0);
        while (got != n && readable_within(stays, 10))
            ck_assert_int_gt(sifr_recv(stays, &got, sizeof got, 0), 0);
        row = got == n ? row + 1 : 0;
    }
}
END_TEST

/* ---- Coming back --------------------------------------------------------------------------------------------- */

START_TEST(messages_wait_for_an_endpoint_bound_later)
{
    sifr_socket_t *a = new_socket(_i % 2 ? SIFR_PULL : SIFR_PUSH), *b = new_socket(_i % 2 ? SIFR_PUSH : SIFR_PULL);
    sifr_socket_t *push = _i % 2 ? b : a, *pull = _i % 2 ? a : b;
    struct endpoint e = fresh_endpoint((enum transport)(_i / 2));

    connect_to(a, &e);
    if (push == a)
        send_parts(push, "early", "bird");
    bind_to(b, &e);
    if (push == b)
        send_parts(push, "early", "bird");
    send_parts(push, "later");
    recv_parts(pull, "early", "bird");
    recv_parts(pull, "later");
}
END_TEST

START_TEST(a_connecting_push_finds_the_endpoint_again)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(pull, (enum transport)_i);
    int sent = 0, last = -1;

    set_int(push, SIFR_RECONNECT_IVL, 5);
    connect_to(push, &e);
    for (int life = 0; life < 5; life++) {
        int first = sent, got = -1;

        for (int64_t end = now_ms() + WAIT_MS; got < first;) { /* one sent in this life arrives */
            ck_assert_int_lt(now_ms(), end);
            if (sifr_send(push, &sent, sizeof sent, SIFR_DONTWAIT) > 0)
                sent++;
            while (readable_within(pull, 1)) {
                ck_assert_int_eq(sifr_recv(pull, &got, sizeof got, 0), sizeof got);
                ck_assert_int_gt(got, last); /* never twice, never out of order */
                last = got;
            }
        }
        drop(pull);
        pull = new_socket(SIFR_PULL);
        rebind_to(pull, &e);
    }
}
END_TEST

START_TEST(a_bound_push_serves_a_peer_that_comes_back)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH);
    struct endpoint e = bind_fresh(push, (enum transport)_i);

    for (int life = 0; life < 5; life++) {
        sifr_socket_t *pull = new_socket(SIFR_PULL);

        connect_to(pull, &e);
        eventually(sifr_send(push, "x", 1, SIFR_DONTWAIT) >= -1 && readable_within(pull, 0));
        recv_parts(pull, "x");
        drop(pull);
    }
}
END_TEST

START_TEST(a_connecting_pull_finds_the_endpoint_again)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct endpoint e = bind_fresh(push, (enum transport)_i);

    set_int(pull, SIFR_RECONNECT_IVL, 5);
    connect_to(pull, &e);
    for (int life = 0; life < 5; life++) {
        for (int i = 0; i < 10; i++) {
            send_bytes(push, &life, sizeof life, 0);
            recv_bytes(pull, &life, sizeof life, false);
        }
        drop(push);
        push = new_socket(SIFR_PUSH);
        rebind_to(push, &e);
    }
}
END_TEST

START_TEST(immediate_queues_only_for_peers_that_are_there)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL), *nobody = new_socket(SIFR_PUSH);
    struct endpoint e = fresh_endpoint((enum transport)_i), there = bind_fresh(pull, (enum transport)_i);

    set_int(nobody, SIFR_IMMEDIATE, 1);
    connect_to(nobody, &e);
    send_full(nobody);
    ck_assert(!writable_within(nobody, 0));

    set_int(push, SIFR_IMMEDIATE, 1);
    connect_to(push, &e);
    connect_to(push, &there);
    for (int i = 0; i < 10; i++)
        send_bytes(push, &i, sizeof i, 0);
    for (int i = 0; i < 10; i++)
        recv_bytes(pull, &i, sizeof i, false);
    drop(pull);
    eventually(!writable_within(push, 0));
    send_full(push);
    pull = new_socket(SIFR_PULL);
    bind_to(pull, &e);
    send_text(push, "found", 0);
    recv_parts(pull, "found");
}
END_TEST

START_TEST(unbind_and_disconnect_end_what_they_name)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL), *late = new_socket(SIFR_PUSH);
    struct endpoint e = bind_fresh(pull, (enum transport)_i);

    connect_to(push, &e);
    send_parts(push, "one");
    recv_parts(pull, "one");
    ck_works(sifr_disconnect(push, e.text));
    ck_fails(sifr_disconnect(push, e.text), ENOENT);
    eventually(!writable_within(push, 0));
    send_full(push);
    ck_works(sifr_unbind(pull, e.text));
    ck_fails(sifr_unbind(pull, e.text), ENOENT);
    rebind_to(late, &e); /* the name is free */
    connect_to(pull, &e);
    send_parts(late, "two");
    recv_parts(pull, "two");
}
END_TEST

START_TEST(disconnect_delivers_what_was_accepted)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(pull, (enum transport)_i);

    set_int(push, SIFR_LINGER, -1);
    connect_to(push, &e);
    for (int i = 0; i < 500; i++)
        send_bytes(push, &i, sizeof i, 0);
    ck_works(sifr_disconnect(push, e.text));
    for (int i = 0; i < 500; i++)
        recv_bytes(pull, &i, sizeof i, false);
}
END_TEST

START_TEST(several_endpoints_may_be_bound_and_connected)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push[TRANSPORTS];

    for (int t = 0; t < TRANSPORTS; t++) {
        struct endpoint e = bind_fresh(pull, (enum transport)t);

        connect_to(push[t] = new_socket(SIFR_PUSH), &e);
    }
    for (int t = 0; t < TRANSPORTS; t++) {
        send_bytes(push[t], &t, sizeof t, 0);
        recv_bytes(pull, &t, sizeof t, false);
    }
}
END_TEST

/* ---- The rest ------------------------------------------------------------------------------------------------ */

START_TEST(push_only_sends_and_pull_only_receives)
{
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, _i);
    ck_fails(sifr_recv(push, NULL, 0, SIFR_DONTWAIT), ENOTSUP);
    ck_fails(sifr_send(pull, "x", 1, SIFR_DONTWAIT), ENOTSUP);
    ck_assert(!readable_within(push, 0));
    ck_assert(!writable_within(pull, 0));
}
END_TEST

START_TEST(conflate_keeps_the_newest)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    int got = -1;

    set_int(push, SIFR_CONFLATE, 1);
    set_int(pull, SIFR_CONFLATE, 1);
    link_sockets(push, pull, _i);
    for (int i = 0; i <= 1000; i++)
        send_bytes(push, &i, sizeof i, 0);
    for (int last = -1; got != 1000; last = got) {
        ck_assert_int_eq(sifr_recv(pull, &got, sizeof got, 0), sizeof got);
        ck_assert_int_gt(got, last);
    }
    recv_nothing(pull);
    if (_i / 2 == INPROC) { /* no I/O in between: exactly one is kept */
        for (int i = 0; i <= 1000; i++)
            send_bytes(push, &i, sizeof i, 0);
        recv_bytes(pull, &got, sizeof got, false);
        recv_nothing(pull);
    }
}
END_TEST

START_TEST(inproc_hands_over_the_buffer_itself)
{
    sifr_socket_t *push, *pull;
    sifr_msg_t m;
    void *data;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, 2 * INPROC + _i);
    ck_works(sifr_msg_init_size(&m, 1000000));
    data = sifr_msg_data(&m);
    fill_bytes(data, 1000000, 1);
    ck_assert_int_eq(sifr_msg_send(&m, push, 0), 1000000);
    ck_assert_uint_eq(sifr_msg_size(&m), 0);
    ck_assert_int_eq(sifr_msg_recv(&m, pull, 0), 1000000);
    ck_assert_ptr_eq(sifr_msg_data(&m), data);
    ck_assert_uint_eq(good_bytes(data, 1000000, 1), 1000000);
    ck_works(sifr_msg_close(&m));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("PUSH and PULL");
    TCase *c = new_case(s, "messages");

    tcase_add_loop_test(c, messages_of_any_size_arrive_whole, 0, WAYS);
    tcase_add_loop_test(c, parts_arrive_together_in_order_and_empty_ones_too, 0, WAYS);
    tcase_add_loop_test(c, parts_of_mixed_sizes_stay_one_message, 0, WAYS);
    tcase_add_loop_test(c, a_message_of_2000_parts_arrives_whole, 0, WAYS);
    tcase_add_loop_test(c, nothing_is_seen_of_a_message_before_its_last_part, 0, WAYS);
    tcase_add_loop_test(c, a_hundred_thousand_messages_keep_their_order, 0, WAYS);
    c = new_case(s, "shares");
    tcase_add_loop_test(c, a_connecting_push_serves_its_peers_in_turn, 0, TRANSPORTS);
    tcase_add_loop_test(c, parts_of_a_message_go_to_one_peer, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_bound_push_serves_its_peers_in_turn, 0, TRANSPORTS);
    tcase_add_test(c, a_full_peer_is_passed_over);
    tcase_add_test(c, queued_messages_are_read_from_each_peer_in_turn);
    tcase_add_loop_test(c, who_sends_on_many_sockets_in_turn_is_heard_to_the_end, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_flood_from_one_peer_does_not_drown_another, 0, TRANSPORTS);
    c = new_case(s, "marks");
    tcase_add_loop_test(c, inproc_marks_of_both_sides_add_up, 0, 2);
    tcase_add_test(c, inproc_marks_add_up_when_connected_before_bound);
    tcase_add_test(c, a_message_of_many_parts_counts_once);
    tcase_add_test(c, a_stopped_writer_goes_on_when_half_is_read);
    tcase_add_test(c, marks_change_on_a_live_connection);
    tcase_add_loop_test(c, before_there_is_a_peer_just_the_senders_mark_fits, 0, INPROC);
    tcase_add_loop_test(c, a_bound_socket_without_peers_has_no_room, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_slow_reader_stops_the_writer_and_loses_nothing, 0, WAYS);
    c = new_case(s, "waiting");
    tcase_add_loop_test(c, time_outs_end_a_wait_and_not_early, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_waiting_receiver_is_woken, 0, WAYS);
    tcase_add_loop_test(c, a_waiting_sender_is_woken, 0, WAYS);
    tcase_add_loop_test(c, a_sender_waits_for_the_first_peer, 0, TRANSPORTS);
    c = new_case(s, "leaving");
    tcase_add_loop_test(c, what_was_received_stays_readable_when_the_sender_is_gone, 0, WAYS);
    tcase_add_loop_test(c, half_a_message_dies_with_its_sender, 0, TRANSPORTS);
    tcase_add_loop_test(c, term_waits_until_closed_sockets_have_delivered, 0, INPROC);
    tcase_add_loop_test(c, term_waits_for_a_peer_that_comes_later, 0, INPROC);
    tcase_add_loop_test(c, linger_bounds_what_term_waits, 0, INPROC);
    tcase_add_loop_test(c, the_rest_go_on_when_a_peer_leaves, 0, TRANSPORTS);
    c = new_case(s, "coming back");
    tcase_add_loop_test(c, messages_wait_for_an_endpoint_bound_later, 0, WAYS);
    tcase_add_loop_test(c, a_connecting_push_finds_the_endpoint_again, 0, INPROC);
    tcase_add_loop_test(c, a_bound_push_serves_a_peer_that_comes_back, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_connecting_pull_finds_the_endpoint_again, 0, INPROC);
    tcase_add_loop_test(c, immediate_queues_only_for_peers_that_are_there, 0, INPROC);
    tcase_add_loop_test(c, unbind_and_disconnect_end_what_they_name, 0, TRANSPORTS);
    tcase_add_loop_test(c, disconnect_delivers_what_was_accepted, 0, TRANSPORTS);
    tcase_add_test(c, several_endpoints_may_be_bound_and_connected);
    c = new_case(s, "the rest");
    tcase_add_loop_test(c, push_only_sends_and_pull_only_receives, 0, WAYS);
    tcase_add_loop_test(c, conflate_keeps_the_newest, 0, WAYS);
    tcase_add_loop_test(c, inproc_hands_over_the_buffer_itself, 0, 2);
    return run_suite(s);
}
