/* PAIR: two sockets that have nobody else. */
#include "support.h"

START_TEST(messages_go_both_ways_whole)
{
    static const size_t sizes[] = {0, 1, 33, 34, 255, 256, 8192, 65536, 1048576, 10485760};
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    for (int i = 0; i < COUNT(sizes); i++) {
        send_filled(a, sizes[i], 1, SIFR_SNDMORE);
        send_filled(a, 0, 0, 0);
        send_filled(b, sizes[i], 2, 0);
        recv_filled(a, sizes[i], 2, false);
        recv_filled(b, sizes[i], 1, true);
        recv_filled(b, 0, 0, false);
    }
}
END_TEST

enum { NUMBERED = 100000 };

static void *send_numbered(void *s)
{
    for (uint32_t i = 0; i < NUMBERED; i++)
        send_bytes(s, &i, sizeof i, 0);
    return NULL;
}

static void *recv_numbered(void *s)
{
    for (uint32_t i = 0; i < NUMBERED; i++)
        recv_bytes(s, &i, sizeof i, false);
    return NULL;
}

START_TEST(a_hundred_thousand_messages_keep_their_order)
{
    sifr_socket_t *a, *b;
    pthread_t sender;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    sender = start_thread(send_numbered, a);
    recv_numbered(b);
    pthread_join(sender, NULL);
    recv_nothing(b);
}
END_TEST

START_TEST(both_may_talk_at_once)
{
    sifr_socket_t *a, *b;
    int sent_a = 0, sent_b = 0, got_a = 0, got_b = 0;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    for (int64_t end = now_ms() + 2 * WAIT_MS; got_a < 20000 || got_b < 20000;) {
        ck_assert_int_lt(now_ms(), end);
        for (int n = 0; n < 100 && sent_a < 20000 && sifr_send(a, &sent_a, sizeof sent_a, SIFR_DONTWAIT) > 0; n++)
            sent_a++;
        for (int n = 0; n < 100 && sent_b < 20000 && sifr_send(b, &sent_b, sizeof sent_b, SIFR_DONTWAIT) > 0; n++)
            sent_b++;
        for (int got; sifr_recv(b, &got, sizeof got, SIFR_DONTWAIT) > 0; got_b++)
            ck_assert_int_eq(got, got_b);
        for (int got; sifr_recv(a, &got, sizeof got, SIFR_DONTWAIT) > 0; got_a++)
            ck_assert_int_eq(got, got_a);
    }
}
END_TEST

START_TEST(a_pair_alone_has_no_room)
{
    sifr_socket_t *a = new_socket(SIFR_PAIR);

    send_full(a);
    recv_nothing(a);
    bind_fresh(a, (enum transport)_i);
    send_full(a);
    recv_nothing(a);
    ck_assert_int_eq(get_int(a, SIFR_EVENTS), 0);
}
END_TEST

START_TEST(inproc_marks_of_both_sides_add_up_each_way)
{
    sifr_socket_t *a = new_socket(SIFR_PAIR), *b = new_socket(SIFR_PAIR);

    set_int(a, SIFR_SNDHWM, 2);
    set_int(a, SIFR_RCVHWM, 3);
    set_int(b, SIFR_SNDHWM, 4);
    set_int(b, SIFR_RCVHWM, 5);
    link_sockets(a, b, 2 * INPROC + _i);
    ck_assert_int_eq(fill_up(a, 100), 2 + 5);
    ck_assert_int_eq(fill_up(b, 100), 4 + 3);
    ck_assert_int_eq(drain(b), 7);
    ck_assert_int_eq(drain(a), 7);
}
END_TEST

START_TEST(a_third_party_is_not_heard)
{
    sifr_socket_t *a = new_socket(SIFR_PAIR), *b = new_socket(SIFR_PAIR), *third = new_socket(SIFR_PAIR);
    struct endpoint e = bind_fresh(a, (enum transport)_i);

    connect_to(b, &e);
    send_parts(b, "first");
    recv_parts(a, "first");
    connect_to(third, &e);
    sifr_send(third, "me too", 6, SIFR_DONTWAIT);
    ck_assert(!readable_within(a, 50));
    for (int n = 0; n < 10; n++)
        send_parts(a, "to b");
    for (int n = 0; n < 10; n++)
        recv_parts(b, "to b");
    recv_nothing(third);
    send_parts(b, "still", "here");
    recv_parts(a, "still", "here");
}
END_TEST

START_TEST(the_third_party_takes_the_place_that_becomes_free)
{
    sifr_socket_t *a = new_socket(SIFR_PAIR), *b = new_socket(SIFR_PAIR), *third = new_socket(SIFR_PAIR);
    struct endpoint e = bind_fresh(a, (enum transport)_i);

    connect_to(b, &e);
    send_parts(b, "first");
    recv_parts(a, "first");
    connect_to(third, &e);
    send_parts(third, "waiting");
    drop(b);
    recv_parts(a, "waiting");
    send_parts(a, "welcome");
    recv_parts(third, "welcome");
}
END_TEST

START_TEST(a_new_peer_may_follow_the_old_one)
{
    sifr_socket_t *a = new_socket(SIFR_PAIR);
    struct endpoint e = bind_fresh(a, (enum transport)_i);

    for (int n = 0; n < 5; n++) {
        sifr_socket_t *b = new_socket(SIFR_PAIR);

        connect_to(b, &e);
        send_bytes(b, &n, sizeof n, 0);
        recv_bytes(a, &n, sizeof n, false);
        send_bytes(a, &n, sizeof n, 0);
        recv_bytes(b, &n, sizeof n, false);
        drop(b);
        eventually(!writable_within(a, 0));
    }
}
END_TEST

START_TEST(a_connecting_pair_finds_its_peer_again)
{
    sifr_socket_t *a = new_socket(SIFR_PAIR), *b = new_socket(SIFR_PAIR);
    struct endpoint e = bind_fresh(b, (enum transport)_i);

    set_int(a, SIFR_RECONNECT_IVL, 5);
    connect_to(a, &e);
    for (int n = 0; n < 5; n++) {
        send_text(b, "life", SIFR_SNDMORE);
        send_bytes(b, &n, sizeof n, 0);
        recv_text(a, "life", true);
        recv_bytes(a, &n, sizeof n, false);
        drop(b);
        b = new_socket(SIFR_PAIR);
        rebind_to(b, &e);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("PAIR");
    TCase *c = new_case(s, "messages");

    tcase_add_loop_test(c, messages_go_both_ways_whole, 0, WAYS);
    tcase_add_loop_test(c, a_hundred_thousand_messages_keep_their_order, 0, WAYS);
    tcase_add_loop_test(c, both_may_talk_at_once, 0, WAYS);
    tcase_add_loop_test(c, a_pair_alone_has_no_room, 0, TRANSPORTS);
    tcase_add_loop_test(c, inproc_marks_of_both_sides_add_up_each_way, 0, 2);
    c = new_case(s, "peers");
    tcase_add_loop_test(c, a_third_party_is_not_heard, 0, TRANSPORTS);
    tcase_add_loop_test(c, the_third_party_takes_the_place_that_becomes_free, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_new_peer_may_follow_the_old_one, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_connecting_pair_finds_its_peer_again, 0, INPROC);
    return run_suite(s);
}
