/* PUB and XPUB. */
#include "fake.h"

#include "patterns/fanout.c"
#include "patterns/group.c"
#include "patterns/pub.c"
#include "patterns/trie.c"
#include "patterns/xpub.c"

#define SUB(topic) "!\x09SUBSCRIBE" topic
#define CANCEL(topic) "!\x06" "CANCEL" topic

START_TEST(a_message_goes_once_to_each_that_subscribed)
{
    open_socket(&sf_pattern_pub);
    attach(0), attach(1), attach(2);
    ck_assert_int_eq(send_text("a"), 0);
    arrive(0, SUB("a"));
    arrive(0, SUB("ab"));
    arrive(1, "\1ab");
    ck_assert_int_eq(send_text("abc|rest"), 0);
    ck_assert_int_eq(send_text("ac"), 0);
    ck_assert_int_eq(send_text("b"), 0);
    ck_sent(0, "abc|rest");
    ck_sent(0, "ac");
    ck_sent(0, "nothing");
    ck_sent(1, "abc|rest");
    ck_sent(1, "nothing");
    ck_sent(2, "nothing");
    ck_assert_int_eq(get_int(SIFR_TOPICS_COUNT), 2);
    arrive_bytes(1, "\0ab", 3);
    arrive(0, CANCEL("a"));
    ck_assert_int_eq(send_text("abd"), 0);
    ck_sent(0, "abd");
    ck_sent(1, "nothing");
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    close_socket();
}
END_TEST

START_TEST(one_cancel_undoes_any_number_of_subscribes)
{
    open_socket(&sf_pattern_pub);
    attach(0);
    arrive(0, SUB(""));
    arrive(0, SUB(""));
    arrive(0, CANCEL(""));
    ck_assert_int_eq(send_text("a"), 0);
    ck_sent(0, "nothing");
    close_socket();
}
END_TEST

START_TEST(a_full_peer_misses_the_whole_message_and_a_newcomer_starts_with_the_next)
{
    open_socket(&sf_pattern_pub);
    attach(0), attach(1);
    arrive(0, SUB("")), arrive(1, SUB(""));
    fakes[0].room = 0;
    ck_assert_int_eq(send_frame("a", true), 0);
    fakes[0].room = 9;
    attach(2);
    arrive(2, SUB(""));
    ck_assert_int_eq(send_frame("b", false), 0);
    ck_assert_int_eq(send_frame("c", false), 0);
    ck_sent(0, "c");
    ck_sent(1, "a|b");
    ck_sent(2, "c");
    ck_assert_uint_eq(sock.drops[SF_DROP_NO_ROOM], 1);
    close_socket();
}
END_TEST

START_TEST(a_peer_that_goes_midway_leaves_the_others_theirs)
{
    open_socket(&sf_pattern_pub);
    attach(0), attach(1);
    arrive(0, SUB("")), arrive(1, SUB(""));
    ck_assert_int_eq(send_frame("a", true), 0);
    end(0);
    detach(0);
    ck_assert_int_eq(send_frame("b", false), 0);
    ck_sent(1, "a|b");
    close_socket();
}
END_TEST

START_TEST(nodrop_gives_nothing_to_anybody_while_one_is_full)
{
    open_socket(&sf_pattern_xpub);
    ck_assert_int_eq(set_int(SIFR_XPUB_NODROP, 1), 0);
    attach(0), attach(1);
    arrive(0, SUB("a")), arrive(1, SUB("a"));
    fakes[1].room = 0;
    ck_assert_int_eq(send_text("a|b"), -EAGAIN);
    ck_assert_int_eq(send_text("b"), 0);
    fakes[1].room = 1;
    ck_assert_int_eq(send_text("a|b"), 0);
    ck_sent(0, "a|b");
    ck_sent(1, "a|b");
    close_socket();
}
END_TEST

START_TEST(the_first_subscription_and_the_last_cancel_are_received)
{
    open_socket(&sf_pattern_xpub);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    attach(0), attach(1);
    arrive(0, SUB("a"));
    ck_assert_int_eq(events(), SIFR_POLLIN | SIFR_POLLOUT);
    arrive(1, SUB("a"));
    arrive(1, SUB("b"));
    arrive(0, CANCEL("a"));
    arrive(0, CANCEL("unknown"));
    ck_recv("1a");
    ck_recv("1b");
    ck_recv("0unknown");
    ck_recv("EAGAIN");
    end(1);
    detach(1);
    ck_recv("0a");
    ck_recv("0b");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(verbose_tells_every_subscription_and_verboser_every_cancel)
{
    open_socket(&sf_pattern_xpub);
    ck_assert_int_eq(set_int(SIFR_XPUB_VERBOSE, 1), 0);
    attach(0), attach(1);
    arrive(0, SUB("a")), arrive(1, SUB("a")), arrive(1, SUB("a"));
    arrive(1, CANCEL("a"));
    ck_recv("1a");
    ck_recv("1a");
    ck_recv("1a");
    ck_recv("EAGAIN");
    ck_assert_int_eq(set_int(SIFR_XPUB_VERBOSER, 1), 0);
    arrive(1, SUB("a"));
    arrive(1, CANCEL("a"));
    ck_recv("1a");
    ck_recv("0a");
    ck_assert_int_eq(set_int(SIFR_XPUB_VERBOSE, 0), 0);
    arrive(1, SUB("a")), arrive(1, CANCEL("a"));
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(user_messages_are_received_whole)
{
    open_socket(&sf_pattern_xpub);
    attach(0);
    arrive(0, "u|\1a");
    ck_recv("1a"); /* by default each frame may subscribe */
    ck_recv("u|1a");
    ck_assert_int_eq(set_int(SIFR_ONLY_FIRST_SUBSCRIBE, 1), 0);
    arrive(0, "u|\1b");
    ck_recv("u|1b");
    arrive(0, "\1c|\1d|u");
    ck_recv("1c");
    ck_recv("1d");
    ck_recv("u");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(a_peer_of_which_much_waits_is_read_on_when_that_was_received)
{
    open_socket(&sf_pattern_xpub);
    attach(0);
    for (int i = 0; i < MESSAGES_MAX + 5; i++)
        arrive(0, "u");
    ck_assert(fake_readable(peer(0)));
    for (int i = 0; i < MESSAGES_MAX + 5; i++)
        ck_recv("u");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(manual_leaves_it_to_the_application_what_the_peer_gets)
{
    open_socket(&sf_pattern_xpub);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "x"), -EINVAL);
    ck_assert_int_eq(set_int(SIFR_XPUB_MANUAL, 1), 0);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "x"), 0);
    attach(0), attach(1);
    arrive(0, SUB("a"));
    arrive(1, SUB("a"));
    ck_recv("1a");
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "xa"), 0);
    ck_recv("1a");
    ck_assert_int_eq(send_text("a"), 0);
    ck_assert_int_eq(send_text("xa"), 0);
    ck_sent(0, "xa");
    ck_sent(1, "nothing");
    ck_assert_int_eq(get_int(SIFR_TOPICS_COUNT), 1);
    end(0);
    detach(0);
    ck_recv("0a");
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "y"), 0);
    ck_assert_int_eq(get_int(SIFR_TOPICS_COUNT), 0);
    close_socket();
}
END_TEST

START_TEST(manual_last_value_sends_the_next_message_to_the_last_asker_alone)
{
    open_socket(&sf_pattern_xpub);
    ck_assert_int_eq(set_int(SIFR_XPUB_MANUAL_LAST_VALUE, 1), 0);
    attach(0), attach(1);
    for (int i = 0; i < 2; i++) {
        arrive(i, SUB("a"));
        ck_recv("1a");
        ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "a"), 0);
    }
    ck_assert_int_eq(send_text("a1"), 0);
    ck_assert_int_eq(send_text("a2"), 0);
    ck_sent(0, "a2");
    ck_sent(1, "a1");
    ck_sent(1, "a2");
    close_socket();
}
END_TEST

START_TEST(each_new_subscriber_is_welcomed)
{
    open_socket(&sf_pattern_pub);
    ck_assert_int_eq(set_text(SIFR_XPUB_WELCOME_MSG, "W"), 0);
    attach(0);
    ck_sent(0, "W");
    ck_assert_int_eq(sock.pattern->set(&sock, SIFR_XPUB_WELCOME_MSG, NULL, 0), 0);
    attach(1);
    ck_sent(1, "nothing");
    close_socket();
}
END_TEST

START_TEST(inverted_a_message_goes_to_those_that_do_not_match)
{
    open_socket(&sf_pattern_pub);
    ck_assert_int_eq(set_int(SIFR_INVERT_MATCHING, -5), 0);
    ck_assert_int_eq(get_int(SIFR_INVERT_MATCHING), 1);
    attach(0), attach(1);
    dial(2);
    arrive(0, SUB("a"));
    ck_assert_int_eq(send_text("a"), 0);
    ck_sent(0, "nothing");
    ck_sent(1, "a");
    ck_sent(2, "nothing");
    close_socket();
}
END_TEST

START_TEST(subscriptions_end_with_the_connection)
{
    open_socket(&sf_pattern_xpub);
    dial(0);
    join(0);
    arrive(0, SUB("a"));
    lose(0);
    ck_recv("1a");
    ck_recv("0a");
    ck_assert_int_eq(send_text("a"), 0);
    ck_sent(0, "nothing");
    fakes[0].peer.subscribes_all = true;
    join(0);
    ck_assert_int_eq(send_text("a"), 0);
    ck_sent(0, "a");
    close_socket();
}
END_TEST

START_TEST(whatever_allocation_fails_a_subscription_is_not_lost_unnoticed)
{
    for (int n = 1; n < 12; n++) {
        open_socket(&sf_pattern_xpub);
        attach(0);
        prepare(1);
        arrive(0, SUB("abc"));
        fakes[0].attached = false;
        arrive(0, SUB("abd"));
        fakes[0].attached = true;
        sf_alloc_fail(n, 1);
        sock.pattern->readable(&sock, peer(0));
        sf_alloc_fail(0, 0);
        ck_assert_int_eq(get_int(SIFR_TOPICS_COUNT), fakes[0].renewed ? 1 : 2);
        close_socket();
    }
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, a_message_goes_once_to_each_that_subscribed);
    tcase_add_test(tcase, one_cancel_undoes_any_number_of_subscribes);
    tcase_add_test(tcase, a_full_peer_misses_the_whole_message_and_a_newcomer_starts_with_the_next);
    tcase_add_test(tcase, a_peer_that_goes_midway_leaves_the_others_theirs);
    tcase_add_test(tcase, nodrop_gives_nothing_to_anybody_while_one_is_full);
    tcase_add_test(tcase, the_first_subscription_and_the_last_cancel_are_received);
    tcase_add_test(tcase, verbose_tells_every_subscription_and_verboser_every_cancel);
    tcase_add_test(tcase, user_messages_are_received_whole);
    tcase_add_test(tcase, a_peer_of_which_much_waits_is_read_on_when_that_was_received);
    tcase_add_test(tcase, manual_leaves_it_to_the_application_what_the_peer_gets);
    tcase_add_test(tcase, manual_last_value_sends_the_next_message_to_the_last_asker_alone);
    tcase_add_test(tcase, each_new_subscriber_is_welcomed);
    tcase_add_test(tcase, inverted_a_message_goes_to_those_that_do_not_match);
    tcase_add_test(tcase, subscriptions_end_with_the_connection);
    tcase_add_test(tcase, whatever_allocation_fails_a_subscription_is_not_lost_unnoticed);
}

int main(void)
{
    return run_suite("xpub", add);
}
