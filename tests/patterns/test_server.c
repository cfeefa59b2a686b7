/* SERVER and PEER, and receiving messages of one frame. */
#include "fake.h"

#include "patterns/collect.c"
#include "patterns/number.c"
#include "patterns/peer.c"
#include "patterns/server.c"
#include "patterns/single.c"

static const struct sf_pattern *const types[] = {&sf_pattern_server, &sf_pattern_peer};

/* Sends to the peer of that number. */
static int send_to(uint32_t number, const char *text, bool more)
{
    struct sf_msg m;
    int err;

    make(&m, text, strlen(text));
    m.routing_id = number;
    err = sock.pattern->send(&sock, &m, more, false);
    ck_assert_uint_eq(m.routing_id, number);
    sf_msg_close(&m);
    return err;
}

/* Receives a text from the peer of that number. */
static void recv_from(uint32_t number, const char *text)
{
    struct sf_msg m;

    sf_msg_init(&m);
    ck_assert_int_eq(sock.pattern->recv(&sock, &m), 0);
    ck_assert_uint_eq(m.routing_id, number);
    ck_assert(!sf_msg_more(&m));
    ck_assert_uint_eq(sf_msg_size(&m), strlen(text));
    ck_assert_mem_eq(sf_msg_data(&m), text, strlen(text));
    sf_msg_close(&m);
}

START_TEST(each_peer_has_a_number_by_which_it_is_answered)
{
    uint32_t a, b;

    open_socket(types[_i]);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    attach(0), attach(1);
    a = peer(0)->number, b = peer(1)->number;
    ck_assert(a && b && a != b);
    ck_assert_ptr_eq(sock.pattern->find(&sock, b), peer(1));
    arrive(1, "from b");
    arrive(0, "from a");
    ck_assert_int_eq(events(), SIFR_POLLIN | SIFR_POLLOUT);
    recv_from(a, "from a");
    recv_from(b, "from b");
    ck_recv("EAGAIN");
    ck_assert_int_eq(send_to(a, "to a", false), 0);
    ck_assert_int_eq(send_to(b, "to b", false), 0);
    ck_sent(0, "to a");
    ck_sent(1, "to b");
    close_socket();
}
END_TEST

START_TEST(numbers_are_never_0_and_never_given_twice)
{
    struct sf_server *v;

    open_socket(types[_i]);
    v = sock.state;
    attach(0);
    v->numbers.next = peer(0)->number;
    attach(1);
    ck_assert_uint_eq(peer(1)->number, peer(0)->number + 1 ? peer(0)->number + 1 : 1);
    v->numbers.next = UINT32_MAX;
    attach(2), attach(3);
    ck_assert_uint_eq(peer(2)->number, UINT32_MAX);
    ck_assert_uint_ne(peer(3)->number, 0);
    close_socket();
}
END_TEST

START_TEST(sending_to_nobody_is_an_error)
{
    uint32_t a;

    open_socket(types[_i]);
    ck_assert_int_eq(send_to(0, "x", false), -EHOSTUNREACH);
    attach(0);
    a = peer(0)->number;
    ck_assert_int_eq(send_to(0, "x", false), -EHOSTUNREACH);
    ck_assert_int_eq(send_to(a + 1 ? a + 1 : 1, "x", false), -EHOSTUNREACH);
    ck_assert_int_eq(send_to(a, "x", true), -EINVAL);
    ck_assert_int_eq(send_to(0, "x", true), -EINVAL);
    end(0);
    ck_assert_int_eq(send_to(a, "x", false), -EHOSTUNREACH);
    detach(0);
    ck_assert_int_eq(send_to(a, "x", false), -EHOSTUNREACH);
    ck_assert_ptr_null(sock.pattern->find(&sock, a));
    close_socket();
}
END_TEST

START_TEST(a_full_peer_is_waited_for)
{
    open_socket(types[_i]);
    attach(0), attach(1);
    fakes[0].room = 1;
    ck_assert_int_eq(send_to(peer(0)->number, "1", false), 0);
    ck_assert_int_eq(send_to(peer(0)->number, "2", false), -EAGAIN);
    ck_assert_int_eq(send_to(peer(1)->number, "3", false), 0);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_sent(0, "1");
    ck_assert_int_eq(send_to(peer(0)->number, "2", false), 0);
    fakes[1].broken = true;
    ck_assert_int_eq(send_to(peer(1)->number, "4", false), -ENOMEM);
    close_socket();
}
END_TEST

START_TEST(what_a_peer_left_keeps_its_number)
{
    uint32_t a;

    open_socket(types[_i]);
    attach(0);
    a = peer(0)->number;
    arrive(0, "one");
    arrive(0, "two");
    ck_assert_int_eq(events(), SIFR_POLLIN | SIFR_POLLOUT); /* reads ahead */
    end(0);
    recv_from(a, "one");
    recv_from(a, "two");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(messages_of_several_frames_are_dropped_whole)
{
    open_socket(types[_i]);
    attach(0), attach(1);
    arrive(0, "a|b");
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    arrive(0, "a|b|c");
    arrive(0, "d");
    arrive(1, "|");
    arrive(1, "e");
    recv_from(peer(0)->number, "d");
    recv_from(peer(1)->number, "e");
    ck_recv("EAGAIN");
    ck_assert_uint_eq(sock.drops[SF_DROP_REFUSED], 3);
    close_socket();
}
END_TEST

START_TEST(a_dialed_peer_keeps_its_number_when_it_is_lost)
{
    uint32_t a;

    open_socket(types[_i]);
    dial(0);
    a = peer(0)->number;
    ck_assert_int_eq(send_to(a, "early", false), 0);
    join(0);
    lose(0);
    ck_assert_int_eq(send_to(a, "late", false), 0);
    join(0);
    ck_assert_uint_eq(peer(0)->number, a);
    ck_sent(0, "early");
    ck_sent(0, "late");
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    int n = sizeof types / sizeof *types;

    tcase_add_loop_test(tcase, each_peer_has_a_number_by_which_it_is_answered, 0, n);
    tcase_add_loop_test(tcase, numbers_are_never_0_and_never_given_twice, 0, n);
    tcase_add_loop_test(tcase, sending_to_nobody_is_an_error, 0, n);
    tcase_add_loop_test(tcase, a_full_peer_is_waited_for, 0, n);
    tcase_add_loop_test(tcase, what_a_peer_left_keeps_its_number, 0, n);
    tcase_add_loop_test(tcase, messages_of_several_frames_are_dropped_whole, 0, n);
    tcase_add_loop_test(tcase, a_dialed_peer_keeps_its_number_when_it_is_lost, 0, n);
}

int main(void)
{
    return run_suite("server", add);
}
