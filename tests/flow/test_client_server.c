/* CLIENT and SERVER: messages of one frame, clients known by number. */
#include "numbered.h"

START_TEST(questions_are_answered_by_number)
{
    sifr_socket_t *server = new_socket(SIFR_SERVER), *a = new_socket(SIFR_CLIENT), *b = new_socket(SIFR_CLIENT);
    struct endpoint e = bind_fresh(server, (enum transport)_i);
    uint32_t id_a, id_b;

    connect_to(a, &e);
    connect_to(b, &e);
    send_text(a, "from a", 0);
    id_a = recv_of(server, "from a");
    send_text(b, "from b", 0);
    id_b = recv_of(server, "from b");
    ck_assert(id_a && id_b && id_a != id_b);
    ck_assert_int_eq(send_to(server, id_b, "to b", 0), 4);
    ck_assert_int_eq(send_to(server, id_a, "to a", 0), 4);
    ck_assert_int_eq(send_to(server, id_a, "once more", 0), 9);
    ck_assert_uint_eq(recv_of(a, "to a"), 0);
    ck_assert_uint_eq(recv_of(a, "once more"), 0);
    ck_assert_uint_eq(recv_of(b, "to b"), 0);
}
END_TEST

START_TEST(sizes_come_through_both_ways)
{
    static const size_t sizes[] = {0, 1, 33, 34, 255, 256, 8192, 65536, 1048576};
    sifr_socket_t *client, *server;
    sifr_msg_t m;

    new_link(&client, SIFR_CLIENT, &server, SIFR_SERVER, _i);
    for (int i = 0; i < COUNT(sizes); i++) {
        send_filled(client, sizes[i], (unsigned)i, 0);
        sifr_msg_init(&m);
        ck_assert_int_eq(sifr_msg_recv(&m, server, 0), (int)sizes[i]);
        ck_assert_uint_eq(good_bytes(sifr_msg_data(&m), sizes[i], (unsigned)i), sizes[i]);
        ck_assert_int_eq(sifr_msg_send(&m, server, 0), (int)sizes[i]); /* what was received says to whom */
        recv_filled(client, sizes[i], (unsigned)i, false);
    }
}
END_TEST

START_TEST(messages_of_several_frames_can_not_be_sent)
{
    sifr_socket_t *client, *server;
    sifr_msg_t m;
    uint32_t id;

    new_link(&client, SIFR_CLIENT, &server, SIFR_SERVER, _i);
    ck_works(sifr_msg_init_buffer(&m, "still here", 10));
    ck_fails(sifr_msg_send(&m, client, SIFR_SNDMORE), EINVAL);
    ck_assert_uint_eq(sifr_msg_size(&m), 10);
    ck_assert_mem_eq(sifr_msg_data(&m), "still here", 10);
    ck_assert_int_eq(sifr_msg_send(&m, client, 0), 10);
    id = recv_of(server, "still here");
    ck_fails(send_to(server, id, "x", SIFR_SNDMORE), EINVAL);
    ck_assert_int_eq(send_to(server, id, "y", 0), 1);
    recv_parts(client, "y");
    ck_fails(sifr_send(client, "x", 1, SIFR_SNDMORE | SIFR_DONTWAIT), EINVAL);
    recv_nothing(client);
}
END_TEST

START_TEST(a_server_without_a_routing_id_to_send_to_says_so)
{
    sifr_socket_t *client, *server;
    uint32_t id;

    new_link(&server, SIFR_SERVER, &client, SIFR_CLIENT, 2 * _i);
    ck_fails(sifr_send(server, "x", 1, 0), EHOSTUNREACH);
    send_text(client, "hello", 0);
    id = recv_of(server, "hello");
    ck_fails(sifr_send(server, "x", 1, 0), EHOSTUNREACH);
    ck_fails(send_to(server, id + 1 ? id + 1 : 1, "x", 0), EHOSTUNREACH);
    drop(client);
    eventually(send_to(server, id, "x", SIFR_DONTWAIT) == -1 && errno == EHOSTUNREACH);
    ck_fails(sifr_disconnect_peer(server, id), EHOSTUNREACH);
}
END_TEST

START_TEST(who_waits_for_room_at_a_client_that_goes_is_told)
{
    sifr_socket_t *client = new_socket(SIFR_CLIENT), *server = new_socket(SIFR_SERVER);
    uint32_t id;
    int n = 0;

    set_int(client, SIFR_RCVHWM, 1);
    set_int(server, SIFR_SNDHWM, 1);
    set_int(client, SIFR_RCVBUF, 4096);
    set_int(server, SIFR_SNDBUF, 4096);
    link_sockets(server, client, 2 * _i);
    send_text(client, "hello", 0);
    id = recv_of(server, "hello");
    set_int(server, SIFR_SNDTIMEO, 0);
    for (char big[4000] = {0}; n < 100000; n++) {
        memset(big, 'x', sizeof big - 1);
        if (send_to(server, id, big, 0) < 0)
            break;
    }
    ck_assert_int_eq(errno, EAGAIN);
    ck_fails(send_to(server, id, "x", 0), EAGAIN);
    set_int(server, SIFR_SNDTIMEO, WAIT_MS);
    drop(client);
    for (int i = 0; send_to(server, id, "x", 0) >= 0; i++)
        ck_assert_int_lt(i, 10);
    ck_assert_int_eq(errno, EHOSTUNREACH);
}
END_TEST

START_TEST(a_server_may_send_one_client_away)
{
    sifr_socket_t *server = new_socket(SIFR_SERVER), *a = new_socket(SIFR_CLIENT), *b = new_socket(SIFR_CLIENT);
    struct endpoint e = bind_fresh(server, (enum transport)_i);
    uint32_t id_a, id_b;

    set_int(a, SIFR_RECONNECT_IVL, 1);
    set_text(a, SIFR_HELLO_MSG, "it's me");
    connect_to(a, &e);
    recv_of(server, "it's me");
    connect_to(b, &e);
    send_text(a, "a", 0);
    id_a = recv_of(server, "a");
    send_text(b, "b", 0);
    id_b = recv_of(server, "b");
    ck_works(sifr_disconnect_peer(server, id_a));
    ck_fails(sifr_disconnect_peer(server, id_a), EHOSTUNREACH);
    ck_fails(send_to(server, id_a, "x", 0), EHOSTUNREACH);
    ck_assert_int_eq(send_to(server, id_b, "still", 0), 5);
    recv_parts(b, "still");
    ck_fails(sifr_disconnect_peer(a, 1), ENOTSUP);
    ck_fails(sifr_disconnect_peer(new_socket(SIFR_ROUTER), 1), ENOTSUP);
    if (_i == INPROC)
        return;
    ck_assert_uint_ne(recv_of(server, "it's me"), id_a); /* it dials again, and is another one */
}
END_TEST

START_TEST(frames_that_do_not_belong_are_dropped_whole)
{
    sifr_socket_t *server = new_socket(SIFR_SERVER), *odd = new_socket(SIFR_PAIR);
    struct endpoint e = bind_fresh(server, INPROC);

    connect_to(odd, &e); /* there is no check of types within the process */
    send_parts(odd, "a", "b");
    send_parts(odd, "", "", "");
    ck_assert(!readable_within(server, 20));
    recv_nothing(server);
    send_parts(odd, "c");
    ck_assert_uint_ne(recv_of(server, "c"), 0);
}
END_TEST

enum { THREADS = 4, EACH = 2000 };

static void *ask(void *s)
{
    for (int i = 0; i < EACH; i++) {
        send_bytes(s, "ask", 3, 0);
        recv_bytes(s, "ask", 3, false);
    }
    return NULL;
}

static void *answer(void *s)
{
    for (int i = 0; i < EACH; i++) {
        sifr_msg_t m;

        sifr_msg_init(&m);
        ck_assert_int_eq(sifr_msg_recv(&m, s, 0), 3);
        ck_assert_int_eq(sifr_msg_send(&m, s, 0), 3);
    }
    return NULL;
}

START_TEST(threads_share_both_ends)
{
    sifr_socket_t *client, *server;
    pthread_t threads[2 * THREADS];

    new_link(&client, SIFR_CLIENT, &server, SIFR_SERVER, _i);
    for (int i = 0; i < THREADS; i++) {
        threads[2 * i] = start_thread(answer, server);
        threads[2 * i + 1] = start_thread(ask, client);
    }
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    recv_nothing(client);
    recv_nothing(server);
}
END_TEST

START_TEST(a_blocked_receive_keeps_no_send_out)
{
    sifr_socket_t *client, *server;
    pthread_t asker;
    uint32_t id;

    new_link(&client, SIFR_CLIENT, &server, SIFR_SERVER, _i);
    send_text(client, "first", 0);
    id = recv_of(server, "first");
    asker = start_thread(answer, server); /* waits for EACH questions */
    ck_assert_int_eq(send_to(server, id, "meanwhile", 0), 9);
    recv_parts(client, "meanwhile");
    ask(client);
    pthread_join(asker, NULL);
}
END_TEST

START_TEST(notices_are_given_as_to_dealers_and_routers)
{
    sifr_socket_t *server = new_socket(SIFR_SERVER), *client = new_socket(SIFR_CLIENT);
    uint32_t id;

    set_text(client, SIFR_HELLO_MSG, "hello");
    set_text(server, SIFR_HELLO_MSG, "welcome");
    set_text(server, SIFR_DISCONNECT_MSG, "gone");
    link_sockets(server, client, 2 * _i);
    id = recv_of(server, "hello");
    recv_parts(client, "welcome");
    drop(client);
    ck_assert_uint_eq(recv_of(server, "gone"), id);
}
END_TEST

START_TEST(a_client_hears_of_a_hiccup)
{
    sifr_socket_t *server = new_socket(SIFR_SERVER), *client = new_socket(SIFR_CLIENT);

    set_text(client, SIFR_HICCUP_MSG, "hiccup");
    link_sockets(server, client, 2 * _i);
    send_text(client, "x", 0);
    recv_of(server, "x");
    drop(server);
    recv_parts(client, "hiccup");
}
END_TEST

START_TEST(its_options_are_those_of_a_shared_socket)
{
    static const int types[] = {SIFR_SERVER, SIFR_CLIENT, SIFR_GATHER, SIFR_SCATTER, SIFR_PEER, SIFR_CHANNEL};
    int fd;

    for (int i = 0; i < COUNT(types); i++) {
        sifr_socket_t *s = new_socket(types[i]);
        size_t size = sizeof fd;

        ck_assert_int_eq(get_int(s, SIFR_THREAD_SAFE), 1);
        ck_fails(sifr_getsockopt(s, SIFR_FD, &fd, &size), EINVAL);
        ck_assert_int_eq(get_int(s, SIFR_EVENTS),
                         types[i] == SIFR_SERVER || types[i] == SIFR_PEER ? SIFR_POLLOUT : 0);
        fd = 1;
        ck_fails(sifr_setsockopt(s, SIFR_ROUTER_MANDATORY, &fd, sizeof fd), EINVAL);
        ck_fails(sifr_setsockopt(s, SIFR_PROBE_ROUTER, &fd, sizeof fd), EINVAL);
        ck_fails(sifr_setsockopt(s, SIFR_CONNECT_ROUTING_ID, "x", 1), EINVAL);
    }
    ck_assert_int_eq(get_int(new_socket(SIFR_DEALER), SIFR_THREAD_SAFE), 0);
}
END_TEST

START_TEST(routing_ids_belong_to_messages)
{
    sifr_msg_t m, copy;

    memset(&m, 0, sizeof m);
    ck_assert_uint_eq(sifr_msg_routing_id(&m), 0);
    ck_fails(sifr_msg_set_routing_id(&m, 1), EFAULT);
    sifr_msg_init(&m);
    sifr_msg_init(&copy);
    ck_assert_uint_eq(sifr_msg_routing_id(&m), 0);
    ck_fails(sifr_msg_set_routing_id(&m, 0), EINVAL);
    ck_works(sifr_msg_set_routing_id(&m, UINT32_MAX));
    ck_assert_uint_eq(sifr_msg_routing_id(&m), UINT32_MAX);
    ck_works(sifr_msg_set_routing_id(&m, 7));
    ck_works(sifr_msg_copy(&copy, &m));
    ck_assert_uint_eq(sifr_msg_routing_id(&copy), 7);
    ck_works(sifr_msg_move(&copy, &m));
    ck_assert_uint_eq(sifr_msg_routing_id(&copy), 7);
    ck_assert_uint_eq(sifr_msg_routing_id(&m), 0);
    sifr_msg_close(&m);
    sifr_msg_close(&copy);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client_server");
    TCase *c = new_case(s, "client_server");

    tcase_add_loop_test(c, questions_are_answered_by_number, 0, TRANSPORTS);
    tcase_add_loop_test(c, sizes_come_through_both_ways, 0, WAYS);
    tcase_add_loop_test(c, messages_of_several_frames_can_not_be_sent, 0, WAYS);
    tcase_add_loop_test(c, a_server_without_a_routing_id_to_send_to_says_so, 0, TRANSPORTS);
    tcase_add_loop_test(c, who_waits_for_room_at_a_client_that_goes_is_told, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_server_may_send_one_client_away, 0, TRANSPORTS);
    tcase_add_test(c, frames_that_do_not_belong_are_dropped_whole);
    tcase_add_loop_test(c, threads_share_both_ends, 0, WAYS);
    tcase_add_loop_test(c, a_blocked_receive_keeps_no_send_out, 0, WAYS);
    tcase_add_loop_test(c, notices_are_given_as_to_dealers_and_routers, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_client_hears_of_a_hiccup, 0, INPROC);
    tcase_add_test(c, its_options_are_those_of_a_shared_socket);
    tcase_add_test(c, routing_ids_belong_to_messages);
    return run_suite(s);
}
