/* CLIENT, CHANNEL, SCATTER and GATHER: what is theirs beyond turns and fairness. */
#include "fake.h"

#include "patterns/channel.c"
#include "patterns/client.c"
#include "patterns/collect.c"
#include "patterns/gather.c"
#include "patterns/rotate.c"
#include "patterns/scatter.c"
#include "patterns/single.c"

START_TEST(more_is_refused_and_the_next_message_is_not_touched_by_that)
{
    static const struct sf_pattern *const types[] = {&sf_pattern_client, &sf_pattern_channel, &sf_pattern_scatter};

    open_socket(types[_i]);
    ck_assert_int_eq(send_frame("a", true), -EINVAL); /* before it is asked who there is */
    ck_assert_int_eq(send_frame("a", false), -EAGAIN);
    ck_assert_int_eq(events(), 0);
    attach(0);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_assert_int_eq(send_frame("a", true), -EINVAL);
    ck_assert_int_eq(send_frame("b", false), 0);
    ck_sent(0, "b");
    ck_sent(0, "nothing");
    fakes[0].room = 0;
    ck_assert_int_eq(send_frame("c", false), -EAGAIN);
    ck_assert_int_eq(events(), 0);
    fakes[0].room = 1;
    sock.pattern->writable(&sock, peer(0));
    ck_assert_int_eq(send_frame("c", false), 0);
    close_socket();
}
END_TEST

START_TEST(messages_of_several_frames_are_dropped_whole)
{
    static const struct sf_pattern *const types[] = {&sf_pattern_client, &sf_pattern_channel, &sf_pattern_gather};

    open_socket(types[_i]);
    attach(0);
    arrive(0, "a|b");
    ck_assert_int_eq(events() & SIFR_POLLIN, 0);
    arrive(0, "a||");
    arrive(0, "c");
    ck_assert_int_eq(events() & SIFR_POLLIN, SIFR_POLLIN);
    arrive(0, "d|e");
    arrive(0, "f");
    ck_recv("c");
    ck_recv("f");
    ck_recv("EAGAIN");
    ck_assert_uint_eq(sock.drops[SF_DROP_REFUSED], 3);
    arrive(0, "left");
    end(0);
    ck_recv("left");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(peers_have_their_turns)
{
    static const struct sf_pattern *const types[] = {&sf_pattern_client, &sf_pattern_scatter};

    open_socket(types[_i]);
    attach(0), attach(1), attach(2);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(send_frame(i % 2 ? "odd" : "even", false), 0);
    for (int i = 0; i < 3; i++) {
        ck_sent(i, i % 2 ? "odd" : "even");
        ck_sent(i, i % 2 ? "even" : "odd");
    }
    detach(1);
    ck_assert_int_eq(send_frame("x", false), 0);
    ck_assert_int_eq(send_frame("y", false), 0);
    ck_sent(0, "x");
    ck_sent(2, "y");
    close_socket();
}
END_TEST

START_TEST(all_are_heard_in_turn)
{
    static const struct sf_pattern *const types[] = {&sf_pattern_client, &sf_pattern_gather};

    open_socket(types[_i]);
    attach(0), attach(1);
    arrive(0, "a"), arrive(0, "b");
    arrive(1, "c"), arrive(1, "d");
    ck_recv("a");
    ck_recv("c");
    ck_recv("b");
    ck_recv("d");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(a_channel_has_one_peer_at_a_time)
{
    open_socket(&sf_pattern_channel);
    attach(0);
    ck_assert_int_eq(try_attach(1), -EBUSY);
    detach(0);
    ck_assert_int_eq(try_attach(1), 0);
    ck_assert_int_eq(send_frame("x", false), 0);
    ck_sent(1, "x");
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_loop_test(tcase, more_is_refused_and_the_next_message_is_not_touched_by_that, 0, 3);
    tcase_add_loop_test(tcase, messages_of_several_frames_are_dropped_whole, 0, 3);
    tcase_add_loop_test(tcase, peers_have_their_turns, 0, 2);
    tcase_add_loop_test(tcase, all_are_heard_in_turn, 0, 2);
    tcase_add_test(tcase, a_channel_has_one_peer_at_a_time);
}

int main(void)
{
    return run_suite("single", add);
}
