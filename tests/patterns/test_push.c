/* PUSH, and sending in turn. */
#include "fake.h"

#include "patterns/push.c"
#include "patterns/rotate.c"

START_TEST(messages_go_to_the_peers_in_turn_whole)
{
    open_socket(&sf_pattern_push);
    attach(0), attach(1), attach(2);
    ck_assert_int_eq(send_text("a|b|c"), 0);
    ck_assert_int_eq(send_text("d"), 0);
    ck_assert_int_eq(send_text("e"), 0);
    ck_assert_int_eq(send_text("f"), 0);
    ck_sent(0, "a|b|c");
    ck_sent(0, "f");
    ck_sent(1, "d");
    ck_sent(2, "e");
    close_socket();
}
END_TEST

START_TEST(a_full_peer_is_passed_over_until_it_is_writable)
{
    open_socket(&sf_pattern_push);
    ck_assert_int_eq(events(), 0);
    ck_assert_int_eq(send_text("x"), -EAGAIN);
    attach(0), attach(1);
    fakes[0].room = 1;
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(send_text("a"), 0);
    ck_assert_uint_eq(fake_count(&fakes[0].out), 1);
    ck_assert_uint_eq(fake_count(&fakes[1].out), 3);
    fakes[1].room = 3;
    ck_assert_int_eq(events(), 0);
    ck_assert_int_eq(send_text("a"), -EAGAIN);
    ck_sent(0, "a");
    sock.pattern->writable(&sock, peer(0));
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_assert_int_eq(send_text("b"), 0);
    ck_sent(0, "b");
    close_socket();
}
END_TEST

START_TEST(the_rest_is_swallowed_when_the_peer_vanishes_midway)
{
    for (int wait = 0; wait < 2; wait++) {
        open_socket(&sf_pattern_push);
        attach(0), attach(1);
        ck_assert_int_eq(send_bytes("a", 1, true, wait), 0);
        end(0);
        ck_assert_int_eq(send_bytes("b", 1, true, wait), wait ? 0 : -EAGAIN);
        ck_assert_int_eq(send_bytes("c", 1, true, wait), 0);
        ck_assert_int_eq(send_bytes("d", 1, false, wait), 0);
        ck_assert_int_eq(send_bytes("e", 1, false, wait), 0);
        ck_sent(0, "nothing");
        ck_sent(1, "e");
        close_socket();
    }
}
END_TEST

START_TEST(a_message_is_swallowed_also_when_its_peer_was_detached)
{
    open_socket(&sf_pattern_push);
    attach(0), attach(1);
    ck_assert_int_eq(send_frame("a", true), 0);
    detach(0);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_assert_int_eq(send_frame("b", false), 0);
    ck_assert_int_eq(send_frame("c", false), 0);
    ck_sent(1, "c");
    close_socket();
}
END_TEST

START_TEST(without_memory_the_first_frame_can_be_sent_again)
{
    open_socket(&sf_pattern_push);
    attach(0);
    fakes[0].broken = true;
    ck_assert_int_eq(send_frame("a", true), -ENOMEM);
    fakes[0].broken = false;
    ck_assert_int_eq(send_text("a|b"), 0);
    ck_sent(0, "a|b");
    close_socket();
}
END_TEST

START_TEST(frames_are_messages_with_conflate)
{
    open_socket(&sf_pattern_push);
    sock.conflate = true;
    attach(0);
    ck_assert_int_eq(send_text("a|b"), 0);
    ck_sent(0, "a");
    ck_sent(0, "b");
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, messages_go_to_the_peers_in_turn_whole);
    tcase_add_test(tcase, a_full_peer_is_passed_over_until_it_is_writable);
    tcase_add_test(tcase, the_rest_is_swallowed_when_the_peer_vanishes_midway);
    tcase_add_test(tcase, a_message_is_swallowed_also_when_its_peer_was_detached);
    tcase_add_test(tcase, without_memory_the_first_frame_can_be_sent_again);
    tcase_add_test(tcase, frames_are_messages_with_conflate);
}

int main(void)
{
    return run_suite("push", add);
}
