/* RADIO and DISH. */
#include "fake.h"

#include "patterns/collect.c"
#include "patterns/dish.c"
#include "patterns/fanout.c"
#include "patterns/group.c"
#include "patterns/radio.c"
#include "patterns/trie.c"
#include "patterns/xpub.c"
#include "patterns/xsub.c"

/* Sends to a group. */
static int tell_group(const char *group, const char *text)
{
    struct sf_msg m;
    int err;

    make(&m, text, strlen(text));
    if (*group)
        m.group = sf_label_new(group, strlen(group));
    err = sock.pattern->send(&sock, &m, false, false);
    sf_msg_close(&m);
    return err;
}

/* Receives "group: text" or what recv_text says. */
static const char *hear(void)
{
    static char text[FAKE_TEXT];
    struct sf_msg m;
    int err;

    sf_msg_init(&m);
    err = sock.pattern->recv(&sock, &m);
    if (err)
        snprintf(text, sizeof text, "%s", err == -EAGAIN ? "EAGAIN" : "error");
    else
        snprintf(text, sizeof text, "%s: %.*s", m.group ? m.group->text : "", (int)sf_msg_size(&m),
                 (char *)sf_msg_data(&m));
    ck_assert(!sf_msg_more(&m));
    sf_msg_close(&m);
    return text;
}

#define ck_hear(text) ck_assert_str_eq(hear(), text)

START_TEST(a_message_goes_to_those_that_joined_its_group_alone)
{
    open_socket(&sf_pattern_radio);
    attach(0), attach(1), attach(2);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    arrive(0, "!\4JOINnews");
    arrive(1, "!\4JOINnew");
    arrive(2, "!\4JOIN");
    arrive(1, "!\4JOINnews");
    ck_assert_int_eq(tell_group("news", "1"), 0);
    ck_assert_int_eq(tell_group("new", "2"), 0);
    ck_assert_int_eq(tell_group("newspaper", "3"), 0);
    ck_assert_int_eq(tell_group("", "4"), 0);
    ck_sent(0, "news|1");
    ck_sent(0, "nothing");
    ck_sent(1, "news|1");
    ck_sent(1, "new|2");
    ck_sent(1, "nothing");
    ck_sent(2, "|4");
    ck_sent(2, "nothing");
    close_socket();
}
END_TEST

START_TEST(leaving_ends_it_and_so_does_the_end_of_the_connection)
{
    open_socket(&sf_pattern_radio);
    attach(0), dial(1), join(1);
    arrive(0, "!\4JOINa"), arrive(0, "!\4JOINb");
    arrive(1, "!\4JOINa");
    arrive(0, "!\5LEAVEa");
    arrive(0, "!\5LEAVEa");
    tell_group("a", "1");
    tell_group("b", "2");
    ck_sent(0, "b|2");
    ck_sent(1, "a|1");
    lose(1);
    tell_group("a", "3");
    join(1);
    tell_group("a", "4");
    ck_sent(1, "nothing");
    arrive(1, "!\4JOINa");
    tell_group("a", "5");
    ck_sent(1, "a|5");
    end(0);
    tell_group("b", "6");
    ck_sent(0, "nothing");
    close_socket();
}
END_TEST

START_TEST(what_is_no_group_is_not_joined)
{
    char huge[300] = "!\4JOIN";

    open_socket(&sf_pattern_radio);
    attach(0);
    memset(huge + 6, 'g', 256);
    arrive(0, huge);
    arrive_bytes(0, "!\4JOINa\0b", 9);
    arrive(0, "!\4JOI");
    arrive(0, "!\5LEAV");
    arrive(0, "!\4join");
    arrive(0, "!\011SUBSCRIBE");
    arrive(0, "\1");
    arrive(0, "\1a|b");
    tell_group("a", "1");
    tell_group("", "2");
    huge[6 + 255] = 0;
    tell_group(huge + 6, "3");
    ck_sent(0, "nothing");
    arrive(0, huge); /* of 255 bytes, which are allowed */
    tell_group(huge + 6, "4");
    ck_assert_str_eq(sent(0) + 255, "|4");
    ck_assert_uint_eq(sock.drops[SF_DROP_UNWANTED], 2);
    close_socket();
}
END_TEST

START_TEST(one_frame_a_message_and_no_other_options)
{
    open_socket(&sf_pattern_radio);
    attach(0);
    arrive(0, "!\4JOIN");
    ck_assert_int_eq(send_frame("x", true), -EINVAL);
    ck_sent(0, "nothing");
    ck_assert_int_eq(set_int(SIFR_XPUB_VERBOSE, 1), -EINVAL);
    ck_assert_int_eq(set_int(SIFR_XPUB_NODROP, -1), -EINVAL);
    ck_assert_int_eq(set_int(SIFR_XPUB_NODROP, 1), 0);
    close_socket();
}
END_TEST

START_TEST(a_full_dish_misses_the_message_or_is_waited_for)
{
    open_socket(&sf_pattern_radio);
    attach(0), attach(1);
    arrive(0, "!\4JOINg"), arrive(1, "!\4JOINg");
    fakes[0].room = 1;
    tell_group("g", "1");
    tell_group("g", "2");
    ck_assert_uint_eq(sock.drops[SF_DROP_NO_ROOM], 1);
    ck_sent(1, "g|1"), ck_sent(1, "g|2");
    ck_assert_int_eq(set_int(SIFR_XPUB_NODROP, 1), 0);
    ck_assert_int_eq(tell_group("g", "3"), -EAGAIN);
    ck_assert_int_eq(tell_group("other", "4"), 0);
    ck_sent(0, "g|1");
    ck_assert_int_eq(tell_group("g", "3"), 0);
    ck_sent(0, "g|3"), ck_sent(1, "g|3");
    close_socket();
}
END_TEST

START_TEST(those_of_one_group_are_a_crowd)
{
    open_socket(&sf_pattern_radio);
    for (int i = 0; i < FAKE_PEERS; i++) {
        attach(i);
        arrive(i, "!\4JOINg");
    }
    for (int k = 0; k < 3; k++) {
        tell_group("g", "x");
        for (int i = 0; i < FAKE_PEERS; i++)
            ck_sent(i, "g|x");
    }
    arrive(3, "!\5LEAVEg");
    tell_group("g", "y");
    for (int i = 0; i < FAKE_PEERS; i++)
        ck_sent(i, i == 3 ? "nothing" : "g|y");
    close_socket();
}
END_TEST

START_TEST(one_that_filters_for_itself_gets_everything)
{
    open_socket(&sf_pattern_radio);
    fakes[0].peer.subscribes_all = true;
    attach(0);
    tell_group("a", "1");
    tell_group("", "2");
    ck_sent(0, "a|1");
    ck_sent(0, "|2");
    close_socket();
}
END_TEST

static int alter(const char *group, bool to)
{
    return sock.pattern->join(&sock, group, to);
}

START_TEST(groups_are_told_to_all_radios_and_told_again)
{
    open_socket(&sf_pattern_dish);
    ck_assert_int_eq(alter("early", true), 0);
    attach(0);
    ck_sent(0, "!\4JOINearly");
    dial(1);
    ck_sent(1, "nothing");
    ck_assert_int_eq(alter("late", true), 0);
    ck_sent(0, "!\4JOINlate");
    join(1);
    ck_sent(1, "!\4JOINearly"), ck_sent(1, "!\4JOINlate");
    ck_assert_int_eq(alter("early", false), 0);
    ck_sent(0, "!\5LEAVEearly"), ck_sent(1, "!\5LEAVEearly");
    lose(1);
    ck_assert_int_eq(alter("", true), 0);
    join(1);
    ck_sent(1, "!\4JOIN"), ck_sent(1, "!\4JOINlate");
    ck_sent(1, "nothing");
    close_socket();
}
END_TEST

START_TEST(a_group_is_joined_once_and_left_once)
{
    char huge[257];

    memset(huge, 'g', 256);
    huge[256] = 0;
    open_socket(&sf_pattern_dish);
    ck_assert_int_eq(alter(huge, true), -EINVAL);
    ck_assert_int_eq(alter(huge + 1, true), 0);
    ck_assert_int_eq(alter(huge + 1, true), -EINVAL);
    ck_assert_int_eq(alter("", false), -EINVAL);
    ck_assert_int_eq(alter("", true), 0);
    ck_assert_int_eq(alter("", true), -EINVAL);
    ck_assert_int_eq(alter("", false), 0);
    ck_assert_int_eq(alter("gg", false), -EINVAL); /* not by the beginning of another */
    ck_assert_int_eq(alter(huge + 1, false), 0);
    close_socket();
}
END_TEST

START_TEST(only_messages_of_its_groups_are_received)
{
    open_socket(&sf_pattern_dish);
    attach(0), attach(1);
    ck_assert_int_eq(alter("news", true), 0);
    arrive(0, "new|1");
    arrive(0, "newspaper|2");
    arrive(0, "|3");
    ck_assert_int_eq(events(), 0);
    ck_assert_uint_eq(sock.drops[SF_DROP_UNWANTED], 3);
    arrive(0, "news|4");
    arrive(1, "news|");
    ck_assert_int_eq(events(), SIFR_POLLIN);
    ck_hear("news: 4");
    ck_hear("news: ");
    ck_hear("EAGAIN");
    ck_assert_int_eq(alter("", true), 0);
    arrive(1, "|5");
    ck_hear(": 5");
    ck_assert_int_eq(alter("news", false), 0);
    arrive(1, "news|6");
    ck_hear("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(what_is_no_message_of_a_radio_is_dropped)
{
    char huge[300];

    open_socket(&sf_pattern_dish);
    attach(0);
    ck_assert_int_eq(alter("g", true), 0);
    memset(huge, 'g', 256);
    strcpy(huge + 256, "|x");
    arrive(0, "g");     /* no body */
    arrive(0, "g|a|b"); /* two */
    arrive(0, huge);    /* too long a name */
    arrive(0, "g|||");
    arrive(0, "!\011SUBSCRIBE");
    ck_assert_int_eq(events(), 0);
    ck_assert_uint_eq(sock.drops[SF_DROP_REFUSED], 4);
    arrive(0, "g|good");
    ck_hear("g: good");
    ck_hear("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(a_radio_without_memory_for_a_join_is_told_again)
{
    open_socket(&sf_pattern_dish);
    attach(0);
    fakes[0].broken = true;
    ck_assert_int_eq(alter("g", true), 0);
    fakes[0].broken = false;
    ck_sent(0, "nothing");
    ck_assert_int_eq(events(), 0);
    ck_sent(0, "!\4JOINg");
    ck_sent(0, "nothing");
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, a_message_goes_to_those_that_joined_its_group_alone);
    tcase_add_test(tcase, leaving_ends_it_and_so_does_the_end_of_the_connection);
    tcase_add_test(tcase, what_is_no_group_is_not_joined);
    tcase_add_test(tcase, one_frame_a_message_and_no_other_options);
    tcase_add_test(tcase, a_full_dish_misses_the_message_or_is_waited_for);
    tcase_add_test(tcase, those_of_one_group_are_a_crowd);
    tcase_add_test(tcase, one_that_filters_for_itself_gets_everything);
    tcase_add_test(tcase, groups_are_told_to_all_radios_and_told_again);
    tcase_add_test(tcase, a_group_is_joined_once_and_left_once);
    tcase_add_test(tcase, only_messages_of_its_groups_are_received);
    tcase_add_test(tcase, what_is_no_message_of_a_radio_is_dropped);
    tcase_add_test(tcase, a_radio_without_memory_for_a_join_is_told_again);
}

int main(void)
{
    return run_suite("radio", add);
}
