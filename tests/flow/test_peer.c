/* PEER: sockets that name each other by number. */
#include "numbered.h"

START_TEST(who_connects_knows_the_number_at_once)
{
    sifr_socket_t *a = new_socket(SIFR_PEER), *b = new_socket(SIFR_PEER);
    struct endpoint e = bind_fresh(a, (enum transport)_i);
    uint32_t to_a, to_b;

    to_a = sifr_connect_peer(b, e.text);
    ck_assert_uint_ne(to_a, 0);
    ck_assert_int_eq(send_to(b, to_a, "hello", 0), 5);
    to_b = recv_of(a, "hello");
    ck_assert_uint_ne(to_b, 0);
    ck_assert_int_eq(send_to(a, to_b, "hello yourself", 0), 14);
    ck_assert_uint_eq(recv_of(b, "hello yourself"), to_a);
    ck_assert_str_eq(last_endpoint(b).text, e.text);
}
END_TEST

START_TEST(messages_wait_for_a_peer_that_is_not_there_yet)
{
    sifr_socket_t *a = new_socket(SIFR_PEER), *b = new_socket(SIFR_PEER);
    struct endpoint e = fresh_endpoint((enum transport)_i);
    uint32_t to_a;

    set_int(b, SIFR_RECONNECT_IVL, 1);
    to_a = sifr_connect_peer(b, e.text);
    ck_assert_uint_ne(to_a, 0);
    ck_assert_int_eq(send_to(b, to_a, "early", 0), 5);
    bind_to(a, &e);
    ck_assert_int_eq(send_to(a, recv_of(a, "early"), "thanks", 0), 6);
    ck_assert_uint_eq(recv_of(b, "thanks"), to_a);
}
END_TEST

START_TEST(each_connection_has_a_number_of_its_own)
{
    sifr_socket_t *a = new_socket(SIFR_PEER), *b = new_socket(SIFR_PEER), *c = new_socket(SIFR_PEER);
    struct endpoint at_a = bind_fresh(a, (enum transport)_i), at_b = bind_fresh(b, (enum transport)_i);
    uint32_t a_from_c = sifr_connect_peer(c, at_a.text), b_from_c = sifr_connect_peer(c, at_b.text);

    ck_assert(a_from_c && b_from_c && a_from_c != b_from_c);
    ck_assert_int_eq(send_to(c, b_from_c, "b", 0), 1);
    ck_assert_int_eq(send_to(c, a_from_c, "a", 0), 1);
    recv_of(a, "a");
    recv_of(b, "b");
    ck_works(sifr_disconnect_peer(c, a_from_c));
    ck_fails(send_to(c, a_from_c, "a", 0), EHOSTUNREACH);
    ck_fails(sifr_disconnect(c, at_a.text), ENOENT);
    ck_assert_int_eq(send_to(c, b_from_c, "still", 0), 5);
    recv_of(b, "still");
    ck_works(sifr_disconnect(c, at_b.text));
    ck_fails(sifr_disconnect_peer(c, b_from_c), EHOSTUNREACH);
}
END_TEST

START_TEST(the_number_survives_a_lost_connection)
{
    sifr_socket_t *a = new_socket(SIFR_PEER), *b = new_socket(SIFR_PEER);
    struct endpoint e = bind_fresh(a, (enum transport)_i);
    uint32_t to_a;

    set_text(b, SIFR_HICCUP_MSG, "lost");
    set_int(b, SIFR_RECONNECT_IVL, 1);
    to_a = sifr_connect_peer(b, e.text);
    send_to(b, to_a, "one", 0);
    recv_of(a, "one");
    drop(a);
    ck_assert_uint_eq(recv_of(b, "lost"), to_a);
    a = new_socket(SIFR_PEER);
    rebind_to(a, &e);
    ck_assert_int_eq(send_to(b, to_a, "two", 0), 3);
    recv_of(a, "two");
}
END_TEST

START_TEST(connect_peer_says_what_is_wrong)
{
    sifr_socket_t *p = new_socket(SIFR_PEER);

    errno = 0;
    ck_assert(sifr_connect_peer(new_socket(SIFR_SERVER), "tcp://127.0.0.1:1") == 0 && errno == ENOTSUP);
    ck_assert(sifr_connect_peer(new_socket(SIFR_DEALER), "nonsense") == 0 && errno == ENOTSUP);
    ck_assert(sifr_connect_peer(p, "nonsense") == 0 && errno == EINVAL);
    ck_assert(sifr_connect_peer(p, NULL) == 0 && errno == EINVAL);
    ck_assert(sifr_connect_peer(p, "what://is:1") == 0 && errno == EPROTONOSUPPORT);
    ck_assert(sifr_connect_peer(p, "tcp://127.0.0.1:*") == 0 && errno == EINVAL);
    ck_assert(sifr_connect_peer(NULL, "tcp://127.0.0.1:1") == 0 && errno == ENOTSOCK);
    ck_fails(sifr_disconnect_peer(NULL, 1), ENOTSOCK);
    ck_fails(sifr_disconnect_peer(p, 0), EHOSTUNREACH);
    set_int(p, SIFR_IMMEDIATE, 1);
    ck_assert(sifr_connect_peer(p, "tcp://127.0.0.1:1") == 0 && errno == EFAULT);
    sifr_ctx_shutdown(world.ctx);
    ck_assert(sifr_connect_peer(p, "tcp://127.0.0.1:1") == 0 && errno == SIFR_ETERM);
    ck_fails(sifr_disconnect_peer(p, 1), SIFR_ETERM);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("peer");
    TCase *c = new_case(s, "peer");

    tcase_add_loop_test(c, who_connects_knows_the_number_at_once, 0, TRANSPORTS);
    tcase_add_loop_test(c, messages_wait_for_a_peer_that_is_not_there_yet, 0, TRANSPORTS);
    tcase_add_loop_test(c, each_connection_has_a_number_of_its_own, 0, TRANSPORTS);
    tcase_add_loop_test(c, the_number_survives_a_lost_connection, 0, INPROC);
    tcase_add_test(c, connect_peer_says_what_is_wrong);
    return run_suite(s);
}
