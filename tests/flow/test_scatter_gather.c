/* SCATTER and GATHER: work in messages of one frame, dealt out in turn and taken in fairly. */
#include "support.h"

START_TEST(work_is_dealt_out_in_turn)
{
    sifr_socket_t *from = new_socket(SIFR_SCATTER), *to[3];
    struct endpoint e = bind_fresh(from, (enum transport)_i);

    for (int i = 0; i < 3; i++) {
        to[i] = new_socket(SIFR_GATHER);
        connect_to(to[i], &e);
        send_text(from, "alone", 0); /* waits until there is somebody */
        if (i == 0)
            recv_parts(to[0], "alone");
    }
    for (int i = 0; i < 30; i++)
        send_text(from, "work", 0);
    for (int got = 0; got < 32;) {
        for (int i = 0; i < 3; i++)
            got += drain(to[i]);
        poll(NULL, 0, 1);
    }
}
END_TEST

START_TEST(results_come_in_from_all)
{
    static const size_t sizes[] = {0, 1, 33, 34, 255, 256, 8192, 65536, 1048576};
    sifr_socket_t *from, *to;

    new_link(&from, SIFR_SCATTER, &to, SIFR_GATHER, _i);
    for (int i = 0; i < COUNT(sizes); i++)
        send_filled(from, sizes[i], (unsigned)i, 0);
    for (int i = 0; i < COUNT(sizes); i++)
        recv_filled(to, sizes[i], (unsigned)i, false);
    recv_nothing(to);
}
END_TEST

START_TEST(each_has_one_direction)
{
    sifr_socket_t *from, *to;

    new_link(&from, SIFR_SCATTER, &to, SIFR_GATHER, _i);
    ck_fails(sifr_recv(from, NULL, 0, SIFR_DONTWAIT), ENOTSUP);
    ck_fails(sifr_send(to, "x", 1, SIFR_DONTWAIT), ENOTSUP);
    ck_fails(sifr_send(to, "x", 1, SIFR_SNDMORE), ENOTSUP);
    ck_fails(sifr_send(from, "x", 1, SIFR_SNDMORE), EINVAL);
    send_text(from, "x", 0);
    recv_parts(to, "x");
    ck_assert_int_eq(get_int(to, SIFR_EVENTS), 0);
    eventually(get_int(from, SIFR_EVENTS) == SIFR_POLLOUT);
}
END_TEST

START_TEST(marks_hold)
{
    sifr_socket_t *from = new_socket(SIFR_SCATTER), *to = new_socket(SIFR_GATHER);

    set_int(from, SIFR_SNDHWM, 2);
    set_int(to, SIFR_RCVHWM, 3);
    send_full(from);
    link_sockets(from, to, 2 * INPROC + _i);
    ck_assert_int_eq(fill_up(from, 100), 5);
    ck_assert_int_eq(drain(to), 5);
    ck_assert_int_eq(fill_up(from, 100), 3); /* told when half of them were read */
}
END_TEST

START_TEST(frames_that_do_not_belong_are_dropped_whole)
{
    sifr_socket_t *to = new_socket(SIFR_GATHER), *odd = new_socket(SIFR_PUSH);
    struct endpoint e = bind_fresh(to, INPROC);

    connect_to(odd, &e);
    send_parts(odd, "a", "b");
    recv_nothing(to);
    send_parts(odd, "c", "d", "e");
    send_parts(odd, "f");
    recv_parts(to, "f");
    recv_nothing(to);
}
END_TEST

enum { THREADS = 4, EACH = 5000 };

static void *send_some(void *s)
{
    for (int i = 0; i < EACH; i++)
        send_bytes(s, "12345678", 8, 0);
    return NULL;
}

static void *recv_some(void *s)
{
    for (int i = 0; i < EACH; i++)
        recv_bytes(s, "12345678", 8, false);
    return NULL;
}

START_TEST(threads_share_both_ends)
{
    sifr_socket_t *from, *to;
    pthread_t threads[2 * THREADS];

    new_link(&from, SIFR_SCATTER, &to, SIFR_GATHER, _i);
    for (int i = 0; i < THREADS; i++) {
        threads[2 * i] = start_thread(send_some, from);
        threads[2 * i + 1] = start_thread(recv_some, to);
    }
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    recv_nothing(to);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scatter_gather");
    TCase *c = new_case(s, "scatter_gather");

    tcase_add_loop_test(c, work_is_dealt_out_in_turn, 0, TRANSPORTS);
    tcase_add_loop_test(c, results_come_in_from_all, 0, WAYS);
    tcase_add_loop_test(c, each_has_one_direction, 0, WAYS);
    tcase_add_loop_test(c, marks_hold, 0, 2);
    tcase_add_test(c, frames_that_do_not_belong_are_dropped_whole);
    tcase_add_loop_test(c, threads_share_both_ends, 0, WAYS);
    return run_suite(s);
}
