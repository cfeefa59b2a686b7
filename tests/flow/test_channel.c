/* CHANNEL: two sockets that have nobody else, and messages of one frame. */
#include "support.h"

START_TEST(messages_go_both_ways)
{
    static const size_t sizes[] = {0, 1, 33, 34, 255, 256, 8192, 65536, 1048576};
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_CHANNEL, &b, SIFR_CHANNEL, _i);
    ck_fails(sifr_send(a, "x", 1, SIFR_SNDMORE), EINVAL);
    for (int i = 0; i < COUNT(sizes); i++) {
        send_filled(a, sizes[i], 1, 0);
        send_filled(b, sizes[i], 2, 0);
        recv_filled(a, sizes[i], 2, false);
        recv_filled(b, sizes[i], 1, false);
    }
}
END_TEST

START_TEST(a_channel_alone_has_no_room)
{
    sifr_socket_t *a = new_socket(SIFR_CHANNEL);

    send_full(a);
    recv_nothing(a);
    bind_fresh(a, (enum transport)_i);
    send_full(a);
    ck_assert_int_eq(get_int(a, SIFR_EVENTS), 0);
}
END_TEST

START_TEST(the_third_party_takes_the_place_that_becomes_free)
{
    sifr_socket_t *a = new_socket(SIFR_CHANNEL), *b = new_socket(SIFR_CHANNEL), *third = new_socket(SIFR_CHANNEL);
    struct endpoint e = bind_fresh(a, (enum transport)_i);

    connect_to(b, &e);
    send_parts(b, "first");
    recv_parts(a, "first");
    connect_to(third, &e);
    send_parts(third, "waiting");
    send_parts(a, "to b");
    recv_parts(b, "to b");
    drop(b);
    recv_parts(a, "waiting");
    send_parts(a, "welcome");
    recv_parts(third, "welcome");
}
END_TEST

START_TEST(frames_that_do_not_belong_are_dropped_whole)
{
    sifr_socket_t *a = new_socket(SIFR_CHANNEL), *odd = new_socket(SIFR_PAIR);
    struct endpoint e = bind_fresh(a, INPROC);

    connect_to(odd, &e);
    send_parts(odd, "a", "b");
    send_parts(odd, "c");
    recv_parts(a, "c");
    recv_nothing(a);
}
END_TEST

enum { THREADS = 3, EACH = 3000 };

static void *echo_some(void *s)
{
    char buf[8];

    for (int i = 0; i < EACH; i++) {
        ck_assert_int_eq(sifr_recv(s, buf, sizeof buf, 0), 4);
        send_bytes(s, buf, 4, 0);
    }
    return NULL;
}

static void *ask_some(void *s)
{
    char buf[8];

    for (int i = 0; i < EACH; i++) {
        send_bytes(s, "ping", 4, 0);
        ck_assert_int_eq(sifr_recv(s, buf, sizeof buf, 0), 4);
        ck_assert_mem_eq(buf, "ping", 4);
    }
    return NULL;
}

START_TEST(threads_share_both_ends)
{
    sifr_socket_t *a, *b;
    pthread_t threads[2 * THREADS];

    new_link(&a, SIFR_CHANNEL, &b, SIFR_CHANNEL, _i);
    for (int i = 0; i < THREADS; i++) {
        threads[2 * i] = start_thread(echo_some, a);
        threads[2 * i + 1] = start_thread(ask_some, b);
    }
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("channel");
    TCase *c = new_case(s, "channel");

    tcase_add_loop_test(c, messages_go_both_ways, 0, WAYS);
    tcase_add_loop_test(c, a_channel_alone_has_no_room, 0, TRANSPORTS);
    tcase_add_loop_test(c, the_third_party_takes_the_place_that_becomes_free, 0, TRANSPORTS);
    tcase_add_test(c, frames_that_do_not_belong_are_dropped_whole);
    tcase_add_loop_test(c, threads_share_both_ends, 0, WAYS);
    return run_suite(s);
}
