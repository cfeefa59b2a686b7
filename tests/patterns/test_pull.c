/* PULL, and receiving fairly. */
#include "fake.h"

#include "patterns/collect.c"
#include "patterns/pull.c"

START_TEST(whole_messages_are_taken_in_turn)
{
    open_socket(&sf_pattern_pull);
    attach(0), attach(1);
    ck_assert_int_eq(events(), 0);
    arrive(0, "a|b");
    arrive(0, "c");
    arrive(1, "d");
    arrive(1, "e|f");
    ck_assert_int_eq(events(), SIFR_POLLIN);
    ck_recv("a|b");
    ck_recv("d");
    ck_recv("c");
    ck_recv("e|f");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(what_came_before_the_end_stays_readable)
{
    open_socket(&sf_pattern_pull);
    attach(0);
    arrive(0, "a|b");
    arrive(0, "c");
    end(0);
    ck_recv("a|b");
    ck_recv("c");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(what_ended_peers_left_comes_first_and_in_the_order_of_their_ends)
{
    struct sf_msg m;

    open_socket(&sf_pattern_pull);
    attach(0), attach(1), attach(2);
    arrive(0, "a|b");
    arrive(0, "c");
    arrive(1, "d");
    arrive(1, "e");
    arrive(2, "f|g");
    arrive(2, "h");
    sf_msg_init(&m);
    ck_assert_int_eq(sock.pattern->recv(&sock, &m), 0);
    ck_assert(sf_msg_more(&m));
    sf_msg_close(&m);
    end(2);
    end(1);
    ck_recv("b"); /* but not within a message */
    ck_recv("f|g");
    ck_recv("h");
    ck_recv("d");
    ck_recv("e");
    ck_recv("c");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(a_message_whose_peer_is_removed_while_it_is_read_gets_an_end)
{
    struct sf_msg m;

    open_socket(&sf_pattern_pull);
    attach(0), attach(1);
    arrive(0, "a|b");
    arrive(1, "c");
    sf_msg_init(&m);
    ck_assert_int_eq(sock.pattern->recv(&sock, &m), 0);
    ck_assert(sf_msg_more(&m));
    sf_msg_close(&m);
    detach(0);
    ck_recv("");
    ck_recv("c");
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, whole_messages_are_taken_in_turn);
    tcase_add_test(tcase, what_came_before_the_end_stays_readable);
    tcase_add_test(tcase, what_ended_peers_left_comes_first_and_in_the_order_of_their_ends);
    tcase_add_test(tcase, a_message_whose_peer_is_removed_while_it_is_read_gets_an_end);
}

int main(void)
{
    return run_suite("pull", add);
}
