/* SUB and XSUB. */
#include "fake.h"

#include "patterns/collect.c"
#include "patterns/fanout.c"
#include "patterns/sub.c"
#include "patterns/trie.c"
#include "patterns/xsub.c"

#define SUB(topic) "!\x09SUBSCRIBE" topic
#define CANCEL(topic) "!\x06" "CANCEL" topic

START_TEST(a_sub_tells_each_subscribe_and_the_last_cancel)
{
    open_socket(&sf_pattern_sub);
    attach(0);
    dial(1);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "a"), 0);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "a"), 0);
    ck_assert_int_eq(set_text(SIFR_UNSUBSCRIBE, "a"), 0);
    ck_sent(0, SUB("a"));
    ck_sent(0, SUB("a"));
    ck_sent(0, "nothing");
    ck_assert_int_eq(set_text(SIFR_UNSUBSCRIBE, "a"), 0);
    ck_sent(0, CANCEL("a"));
    ck_assert_int_eq(set_text(SIFR_UNSUBSCRIBE, "a"), 0);
    ck_sent(0, "nothing");
    ck_sent(1, "nothing");
    ck_assert_int_eq(sock.pattern->set(&sock, SIFR_SUBSCRIBE, NULL, 0), 0);
    ck_assert_int_eq(sock.pattern->set(&sock, SIFR_SUBSCRIBE, NULL, 1), -EINVAL);
    ck_sent(0, SUB(""));
    close_socket();
}
END_TEST

START_TEST(each_connection_is_told_every_topic_once_ascending)
{
    open_socket(&sf_pattern_sub);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "b"), 0);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "ab"), 0);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "a"), 0);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "a"), 0);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, ""), 0);
    ck_assert_int_eq(get_int(SIFR_TOPICS_COUNT), 4);
    dial(0);
    for (int i = 0; i < 2; i++) {
        join(0);
        ck_sent(0, SUB(""));
        ck_sent(0, SUB("a"));
        ck_sent(0, SUB("ab"));
        ck_sent(0, SUB("b"));
        ck_sent(0, "nothing");
        lose(0);
    }
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "c"), 0);
    ck_sent(0, "nothing");
    close_socket();
}
END_TEST

START_TEST(a_sub_delivers_only_what_it_subscribed_to)
{
    open_socket(&sf_pattern_sub);
    attach(0);
    arrive(0, "a");
    ck_assert_int_eq(events(), 0);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "ab"), 0);
    arrive(0, "a|ab");
    arrive(0, "b|ab");
    arrive(0, "abc|a|b");
    arrive(0, "x");
    ck_assert_int_eq(events(), SIFR_POLLIN);
    ck_recv("abc|a|b");
    ck_assert_int_eq(events(), 0);
    ck_recv("EAGAIN");
    ck_assert_int_eq(set_int(SIFR_INVERT_MATCHING, 1), 0);
    arrive(0, "abc");
    arrive(0, "xyz");
    ck_recv("xyz");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(subscriptions_that_found_no_memory_are_told_later)
{
    open_socket(&sf_pattern_sub);
    attach(0);
    fakes[0].broken = true;
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "a"), 0);
    fakes[0].broken = false;
    ck_assert_int_eq(events(), 0);
    ck_sent(0, SUB("a"));
    ck_assert_int_eq(events(), 0);
    ck_sent(0, "nothing");
    sf_alloc_fail(1, 1);
    ck_assert_int_eq(set_text(SIFR_SUBSCRIBE, "b"), -ENOMEM);
    sf_alloc_fail(0, 0);
    ck_assert_int_eq(get_int(SIFR_TOPICS_COUNT), 1);
    close_socket();
}
END_TEST

START_TEST(an_xsub_subscribes_by_messages_and_its_other_messages_go_to_all)
{
    open_socket(&sf_pattern_xsub);
    attach(0), attach(1);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_assert_int_eq(send_text("\1a"), 0);
    ck_assert_int_eq(send_text("\1a"), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(send_bytes("\0a", 2, false, false), 0);
    ck_assert_int_eq(send_text("user|message"), 0);
    for (int i = 0; i < 2; i++) {
        ck_sent(i, "1a");
        ck_sent(i, "1a");
        ck_sent(i, "0a");
        ck_sent(i, "user|message");
        ck_sent(i, "nothing");
    }
    ck_assert_int_eq(set_int(SIFR_XSUB_VERBOSE_UNSUBSCRIBE, 1), 0);
    ck_assert_int_eq(send_bytes("\0a", 2, false, false), 0);
    ck_sent(0, "0a");
    arrive(0, "any|thing");
    ck_recv("any|thing");
    close_socket();
}
END_TEST

START_TEST(an_xsub_at_its_mark_drops_messages_and_no_subscriptions)
{
    open_socket(&sf_pattern_xsub);
    attach(0);
    fakes[0].room = 0;
    ck_assert_int_eq(send_text("user|message"), 0);
    ck_assert_int_eq(send_text("\1a"), 0);
    ck_sent(0, "1a");
    ck_sent(0, "nothing");
    close_socket();
}
END_TEST

START_TEST(a_message_is_never_left_without_its_last_frame)
{
    open_socket(&sf_pattern_xsub);
    attach(0);
    ck_assert_int_eq(send_frame("user", true), 0);
    ck_assert_int_eq(send_bytes("\0unknown", 8, false, false), 0);
    ck_sent(0, "user|0unknown");
    ck_assert_int_eq(send_bytes("\0unknown", 8, true, false), 0);
    ck_assert_int_eq(send_frame("user", false), 0);
    ck_sent(0, "user");
    close_socket();
}
END_TEST

START_TEST(only_first_subscribe_lets_later_frames_pass_as_they_are)
{
    for (int only = 0; only < 2; only++) {
        open_socket(&sf_pattern_xsub);
        ck_assert_int_eq(set_int(SIFR_ONLY_FIRST_SUBSCRIBE, only), 0);
        attach(0);
        ck_assert_int_eq(send_text("user|\1a"), 0);
        ck_sent(0, "user|1a");
        ck_assert_int_eq(get_int(SIFR_TOPICS_COUNT), !only);
        ck_assert_int_eq(send_text("\1b|\1c"), 0);
        ck_assert_int_eq(get_int(SIFR_TOPICS_COUNT), 2 + !only);
        close_socket();
    }
}
END_TEST

START_TEST(an_xsub_replays_by_commands_when_a_connection_is_made)
{
    open_socket(&sf_pattern_xsub);
    dial(0);
    ck_assert_int_eq(send_text("\1a"), 0);
    ck_sent(0, "nothing");
    join(0);
    ck_sent(0, SUB("a"));
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, a_sub_tells_each_subscribe_and_the_last_cancel);
    tcase_add_test(tcase, each_connection_is_told_every_topic_once_ascending);
    tcase_add_test(tcase, a_sub_delivers_only_what_it_subscribed_to);
    tcase_add_test(tcase, subscriptions_that_found_no_memory_are_told_later);
    tcase_add_test(tcase, an_xsub_subscribes_by_messages_and_its_other_messages_go_to_all);
    tcase_add_test(tcase, an_xsub_at_its_mark_drops_messages_and_no_subscriptions);
    tcase_add_test(tcase, a_message_is_never_left_without_its_last_frame);
    tcase_add_test(tcase, only_first_subscribe_lets_later_frames_pass_as_they_are);
    tcase_add_test(tcase, an_xsub_replays_by_commands_when_a_connection_is_made);
}

int main(void)
{
    return run_suite("xsub", add);
}
