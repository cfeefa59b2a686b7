/* DGRAM: an address and a body, no more and no less. */
#include "fake.h"

#include "patterns/collect.c"
#include "patterns/dgram.c"
#include "patterns/rotate.c"

START_TEST(messages_have_exactly_two_frames)
{
    open_socket(&sf_pattern_dgram);
    ck_assert_int_eq(events(), 0);
    ck_assert_int_eq(send_frame("a", false), -EINVAL);
    ck_assert_int_eq(send_frame("a", true), -EAGAIN);
    dial(0);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_assert_int_eq(send_frame("a", false), -EINVAL);
    ck_assert_int_eq(send_frame("a", true), 0);
    ck_assert_int_eq(send_frame("b", true), -EINVAL);
    ck_assert_int_eq(send_frame("b", false), 0);
    ck_sent(0, "a|b");
    ck_assert_int_eq(send_text("c|"), 0);
    ck_sent(0, "c|");
    fakes[0].room = 0;
    ck_assert_int_eq(send_frame("d", true), -EAGAIN);
    ck_assert_int_eq(events(), 0);
    fakes[0].room = 1;
    sock.pattern->writable(&sock, peer(0));
    ck_assert_int_eq(send_text("d|e"), 0);
    close_socket();
}
END_TEST

START_TEST(what_comes_has_its_address_in_front)
{
    open_socket(&sf_pattern_dgram);
    dial(0), dial(1);
    arrive(0, "1.2.3.4:5|x");
    arrive(1, "1.2.3.4:6|");
    ck_assert_int_eq(events(), SIFR_POLLIN | SIFR_POLLOUT);
    ck_recv("1.2.3.4:5|x");
    ck_recv("1.2.3.4:6|");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(a_message_whose_way_is_gone_is_begun_anew)
{
    open_socket(&sf_pattern_dgram);
    dial(0), dial(1);
    ck_assert_int_eq(send_frame("a", true), 0);
    detach(0);
    ck_assert_int_eq(send_bytes("b", 1, false, true), 0); /* swallowed, as the first part was */
    ck_sent(1, "nothing");
    ck_assert_int_eq(send_text("c|d"), 0);
    ck_sent(1, "c|d");
    fakes[1].broken = true;
    ck_assert_int_eq(send_frame("e", true), -ENOMEM);
    fakes[1].broken = false;
    ck_assert_int_eq(send_text("e|f"), 0);
    ck_sent(1, "e|f");
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, messages_have_exactly_two_frames);
    tcase_add_test(tcase, what_comes_has_its_address_in_front);
    tcase_add_test(tcase, a_message_whose_way_is_gone_is_begun_anew);
}

int main(void)
{
    return run_suite("dgram", add);
}
