/* RADIO and DISH over tcp, ipc and inproc; what udp has of its own is in test_udp.c. */
#include "grouped.h"

/* Receives and forgets all up to this text. */
static void skip_to(sifr_socket_t *dish, const char *text)
{
    char got[64];
    int n;

    do {
        n = sifr_recv(dish, got, sizeof got, 0);
        ck_assert_int_ge(n, 0);
    } while (n != (int)strlen(text) || memcmp(got, text, strlen(text)) != 0);
}

/* The DISH's JOINs have come to the RADIO, and what was sent to find out has been read. */
static void settle(sifr_socket_t *radio, sifr_socket_t *dish, const char *group)
{
    int64_t end = now_ms() + WAIT_MS;

    do {
        ck_assert_int_lt(now_ms(), end);
        tell(radio, group, "settle");
    } while (!readable_within(dish, 5));
    tell(radio, group, "settled");
    skip_to(dish, "settled");
}

START_TEST(groups_are_heard_by_those_that_joined_them)
{
    sifr_socket_t *radio, *dish;

    new_link(&radio, SIFR_RADIO, &dish, SIFR_DISH, _i);
    tell(radio, "news", "lost");
    ck_works(sifr_join(dish, "news"));
    settle(radio, dish, "news");
    tell(radio, "sport", "not for us");
    tell(radio, "new", "neither");
    tell(radio, "newspaper", "nor this");
    tell(radio, "", "nor that");
    tell(radio, "news", "hello");
    tell(radio, "news", "");
    hear(dish, "news", "hello");
    hear(dish, "news", "");
    ck_works(sifr_join(dish, ""));
    settle(radio, dish, "");
    send_text(radio, "without a group", 0);
    hear(dish, "", "without a group");
    ck_works(sifr_leave(dish, "news"));
    tell(radio, "news", "gone");
    tell(radio, "", "mark");
    hear(dish, "", "mark");
    recv_nothing(dish);
}
END_TEST

START_TEST(groups_joined_before_are_told_on_each_connection)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    struct endpoint e = fresh_endpoint((enum transport)_i);

    set_int(dish, SIFR_RECONNECT_IVL, 1);
    ck_works(sifr_join(dish, "a"));
    ck_works(sifr_join(dish, "b"));
    connect_to(dish, &e);
    for (int round = 0; round < (_i == INPROC ? 1 : 3); round++) {
        rebind_to(radio, &e);
        settle(radio, dish, "b");
        tell(radio, "a", "x");
        hear(dish, "a", "x");
        drop(radio);
        radio = new_socket(SIFR_RADIO);
    }
}
END_TEST

START_TEST(many_hear_the_same)
{
    enum { MANY = 30, EACH = 200 };
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish[MANY];
    struct endpoint e = bind_fresh(radio, (enum transport)_i);

    for (int i = 0; i < MANY; i++) {
        dish[i] = new_socket(SIFR_DISH);
        ck_works(sifr_join(dish[i], "all"));
        ck_works(sifr_join(dish[i], i % 2 ? "odd" : "even"));
        connect_to(dish[i], &e);
        settle(radio, dish[i], i % 2 ? "odd" : "even");
    }
    tell(radio, "all", "all there");
    for (int i = 0; i < MANY; i++)
        skip_to(dish[i], "all there");
    for (int k = 0; k < EACH; k++) {
        tell(radio, "all", "for all");
        tell(radio, k % 2 ? "odd" : "even", "for half");
    }
    for (int i = 0; i < MANY; i++) {
        for (int k = 0; k < EACH; k++) {
            hear(dish[i], "all", "for all");
            if (k % 2 == i % 2)
                hear(dish[i], i % 2 ? "odd" : "even", "for half");
        }
        recv_nothing(dish[i]);
    }
}
END_TEST

START_TEST(large_messages_and_long_names_come_through)
{
    static const size_t sizes[] = {0, 1, 33, 34, 255, 256, 8192, 8193, 65536, 1048576};
    sifr_socket_t *radio, *dish;
    char name[256];

    memset(name, 'g', 255);
    name[255] = 0;
    new_link(&radio, SIFR_RADIO, &dish, SIFR_DISH, _i);
    ck_works(sifr_join(dish, name));
    settle(radio, dish, name);
    for (int i = 0; i < COUNT(sizes); i++) {
        sifr_msg_t m;

        ck_works(sifr_msg_init_size(&m, sizes[i]));
        fill_bytes(sifr_msg_data(&m), sizes[i], (unsigned)i);
        ck_works(sifr_msg_set_group(&m, name));
        ck_assert_int_eq(sifr_msg_send(&m, radio, 0), (int)sizes[i]);
        ck_assert_str_eq(sifr_msg_group(&m), "");
        ck_assert_int_eq(sifr_msg_recv(&m, dish, 0), (int)sizes[i]);
        ck_assert_str_eq(sifr_msg_group(&m), name);
        ck_assert_uint_eq(good_bytes(sifr_msg_data(&m), sizes[i], (unsigned)i), sizes[i]);
        sifr_msg_close(&m);
    }
}
END_TEST

START_TEST(each_has_one_direction_and_one_frame)
{
    sifr_socket_t *radio, *dish;

    new_link(&radio, SIFR_RADIO, &dish, SIFR_DISH, _i);
    ck_fails(sifr_recv(radio, NULL, 0, SIFR_DONTWAIT), ENOTSUP);
    ck_fails(sifr_send(dish, "x", 1, SIFR_DONTWAIT), ENOTSUP);
    ck_fails(sifr_send(radio, "x", 1, SIFR_SNDMORE), EINVAL);
    ck_assert_int_eq(get_int(radio, SIFR_EVENTS), SIFR_POLLOUT);
    ck_assert_int_eq(get_int(dish, SIFR_EVENTS), 0);
    ck_assert_int_eq(get_int(dish, SIFR_THREAD_SAFE), 1);
    ck_assert_int_eq(get_int(radio, SIFR_THREAD_SAFE), 1);
}
END_TEST

START_TEST(a_slow_dish_misses_messages_or_is_waited_for)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    int n = 0, got = 0;

    set_int(radio, SIFR_SNDHWM, 5);
    set_int(dish, SIFR_RCVHWM, 5);
    link_sockets(radio, dish, 2 * INPROC);
    ck_works(sifr_join(dish, "g"));
    settle(radio, dish, "g");
    for (int i = 0; i < 100; i++)
        tell(radio, "g", "x");
    got = drain(dish);
    ck_assert_int_ge(got, 5);
    ck_assert_int_le(got, 10);
    set_int(radio, SIFR_XPUB_NODROP, 1);
    set_int(radio, SIFR_SNDTIMEO, 0);
    while (tell_now(radio, "g", "x") == 1)
        ck_assert_int_lt(n++, 100);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(tell_now(radio, "other", "x"), 1);
    ck_assert_int_eq(drain(dish), n);
    set_int(radio, SIFR_SNDTIMEO, WAIT_MS);
    tell(radio, "g", "again");
    hear(dish, "g", "again");
}
END_TEST

START_TEST(groups_have_names_of_at_most_255_bytes)
{
    sifr_socket_t *dish = new_socket(SIFR_DISH), *other = new_socket(SIFR_SUB);
    char name[257];
    sifr_msg_t m;

    memset(name, 'g', 256);
    name[256] = 0;
    ck_fails(sifr_join(dish, name), EINVAL);
    ck_fails(sifr_join(dish, NULL), EINVAL);
    ck_fails(sifr_leave(dish, NULL), EINVAL);
    ck_fails(sifr_leave(dish, name), EINVAL);
    ck_works(sifr_join(dish, name + 1));
    ck_fails(sifr_join(dish, name + 1), EINVAL);
    ck_fails(sifr_leave(dish, "other"), EINVAL);
    ck_works(sifr_leave(dish, name + 1));
    ck_fails(sifr_leave(dish, name + 1), EINVAL);
    ck_fails(sifr_join(other, "x"), ENOTSUP);
    ck_fails(sifr_leave(other, "x"), ENOTSUP);
    ck_fails(sifr_join(new_socket(SIFR_RADIO), "x"), ENOTSUP);
    ck_fails(sifr_join(NULL, "x"), ENOTSOCK);
    sifr_msg_init(&m);
    ck_assert_str_eq(sifr_msg_group(&m), "");
    ck_works(sifr_msg_set_group(&m, "a"));
    ck_works(sifr_msg_set_group(&m, name + 1));
    ck_assert_str_eq(sifr_msg_group(&m), name + 1);
    ck_fails(sifr_msg_set_group(&m, name), EINVAL);
    ck_fails(sifr_msg_set_group(&m, NULL), EINVAL);
    ck_assert_str_eq(sifr_msg_group(&m), name + 1);
    ck_works(sifr_msg_set_group(&m, ""));
    ck_assert_str_eq(sifr_msg_group(&m), "");
    sifr_msg_close(&m);
    ck_fails(sifr_msg_set_group(&m, "x"), EFAULT);
    ck_assert_ptr_null(sifr_msg_group(&m));
    ck_assert_int_eq(errno, EFAULT);
}
END_TEST

START_TEST(a_message_copied_or_moved_takes_its_group_along)
{
    sifr_msg_t m, copy;

    sifr_msg_init(&m);
    sifr_msg_init(&copy);
    ck_works(sifr_msg_set_group(&m, "group"));
    ck_works(sifr_msg_copy(&copy, &m));
    ck_works(sifr_msg_close(&m));
    ck_assert_str_eq(sifr_msg_group(&copy), "group");
    sifr_msg_init(&m);
    ck_works(sifr_msg_move(&m, &copy));
    ck_assert_str_eq(sifr_msg_group(&copy), "");
    ck_assert_str_eq(sifr_msg_group(&m), "group");
    sifr_msg_close(&m);
    sifr_msg_close(&copy);
}
END_TEST

START_TEST(a_group_ends_with_its_message_on_other_sockets)
{
    sifr_socket_t *a, *b;
    sifr_msg_t m;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    ck_works(sifr_msg_init_buffer(&m, "x", 1));
    ck_works(sifr_msg_set_group(&m, "group"));
    ck_works(sifr_msg_set_routing_id(&m, 5));
    ck_assert_int_eq(sifr_msg_send(&m, a, 0), 1);
    ck_assert_int_eq(sifr_msg_recv(&m, b, 0), 1);
    ck_assert_str_eq(sifr_msg_group(&m), "");
    ck_assert_uint_eq(sifr_msg_routing_id(&m), 0);
    sifr_msg_close(&m);
}
END_TEST

START_TEST(frames_that_do_not_belong_are_dropped)
{
    sifr_socket_t *dish = new_socket(SIFR_DISH), *odd = new_socket(SIFR_PAIR);
    struct endpoint e = bind_fresh(dish, INPROC);
    char long_name[300];

    memset(long_name, 'g', 256);
    long_name[256] = 0;
    ck_works(sifr_join(dish, "g"));
    connect_to(odd, &e);
    send_parts(odd, "g");
    send_parts(odd, "g", "a", "b");
    send_parts(odd, long_name, "x");
    send_parts(odd, "", "x");
    send_parts(odd, "g", "good");
    hear(dish, "g", "good");
    recv_nothing(dish);
}
END_TEST

enum { THREADS = 3, EACH = 2000 };

static void *tell_some(void *s)
{
    for (int i = 0; i < EACH; i++)
        tell(s, "g", "from a thread");
    return NULL;
}

static void *hear_some(void *s)
{
    for (int i = 0; i < EACH; i++)
        hear(s, "g", "from a thread");
    return NULL;
}

static void *come_and_go(void *s)
{
    for (int i = 0; i < EACH; i++) {
        ck_works(sifr_join(s, "other"));
        ck_works(sifr_leave(s, "other"));
    }
    return NULL;
}

START_TEST(threads_share_both_ends)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    pthread_t threads[2 * THREADS + 1];

    set_int(radio, SIFR_XPUB_NODROP, 1);
    link_sockets(radio, dish, _i);
    ck_works(sifr_join(dish, "g"));
    settle(radio, dish, "g");
    for (int i = 0; i < THREADS; i++) {
        threads[2 * i] = start_thread(hear_some, dish);
        threads[2 * i + 1] = start_thread(tell_some, radio);
    }
    threads[2 * THREADS] = start_thread(come_and_go, dish);
    for (int i = 0; i < 2 * THREADS + 1; i++)
        pthread_join(threads[i], NULL);
    recv_nothing(dish);
}
END_TEST

START_TEST(a_radio_sends_no_ping)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);

    set_int(radio, SIFR_HEARTBEAT_IVL, 10);
    set_int(radio, SIFR_HEARTBEAT_TIMEOUT, 10);
    set_int(dish, SIFR_HEARTBEAT_IVL, 10); /* which the radio answers */
    set_int(dish, SIFR_HEARTBEAT_TIMEOUT, WAIT_MS);
    link_sockets(radio, dish, _i);
    ck_works(sifr_join(dish, "g"));
    settle(radio, dish, "g");
    for (int i = 0; i < 5; i++) {
        ck_assert(!readable_within(dish, 20));
        tell(radio, "g", "still here");
        hear(dish, "g", "still here");
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("radio_dish");
    TCase *c = new_case(s, "radio_dish");

    tcase_add_loop_test(c, groups_are_heard_by_those_that_joined_them, 0, WAYS);
    tcase_add_loop_test(c, groups_joined_before_are_told_on_each_connection, 0, TRANSPORTS);
    tcase_add_loop_test(c, many_hear_the_same, 0, TRANSPORTS);
    tcase_add_loop_test(c, large_messages_and_long_names_come_through, 0, WAYS);
    tcase_add_loop_test(c, each_has_one_direction_and_one_frame, 0, WAYS);
    tcase_add_test(c, a_slow_dish_misses_messages_or_is_waited_for);
    tcase_add_test(c, groups_have_names_of_at_most_255_bytes);
    tcase_add_test(c, a_message_copied_or_moved_takes_its_group_along);
    tcase_add_loop_test(c, a_group_ends_with_its_message_on_other_sockets, 0, WAYS);
    tcase_add_test(c, frames_that_do_not_belong_are_dropped);
    tcase_add_loop_test(c, threads_share_both_ends, 0, WAYS);
    tcase_add_loop_test(c, a_radio_sends_no_ping, 0, WIRE_WAYS);
    return run_suite(s);
}
