/* REP. */
#include "fake.h"

#include "patterns/collect.c"
#include "patterns/rep.c"

START_TEST(an_answer_goes_back_with_the_envelope)
{
    open_socket(&sf_pattern_rep);
    attach(0), attach(1);
    ck_assert_int_eq(events(), 0);
    ck_assert_int_eq(send_text("x"), -SIFR_EFSM);
    arrive(0, "hop1|hop2|hop3|hop4|hop5||q|p");
    arrive(1, "|z");
    ck_assert_int_eq(events(), SIFR_POLLIN);
    ck_recv("q|p");
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_recv("EFSM");
    ck_assert_int_eq(send_text("a|b"), 0);
    ck_sent(0, "hop1|hop2|hop3|hop4|hop5||a|b");
    ck_recv("z");
    ck_assert_int_eq(send_text("c"), 0);
    ck_sent(1, "|c");
    close_socket();
}
END_TEST

START_TEST(a_request_without_delimiter_or_body_is_dropped_whole)
{
    open_socket(&sf_pattern_rep);
    attach(0);
    arrive(0, "a|b");
    arrive(0, "");
    arrive(0, "a|");
    ck_assert_int_eq(events(), 0);
    ck_assert_uint_eq(sock.drops[SF_DROP_REFUSED], 3);
    arrive(0, "|good");
    ck_recv("good");
    close_socket();
}
END_TEST

START_TEST(an_answer_to_a_peer_gone_or_full_is_dropped)
{
    open_socket(&sf_pattern_rep);
    attach(0), attach(1);
    arrive(0, "|a");
    arrive(1, "|b");
    ck_recv("a");
    end(0);
    detach(0);
    ck_assert_int_eq(send_text("x|y"), 0);
    ck_recv("b");
    fakes[1].room = 0;
    ck_assert_int_eq(send_text("x|y"), 0);
    ck_sent(1, "nothing");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(if_it_must_arrive_an_answer_to_a_peer_gone_or_full_is_reported)
{
    open_socket(&sf_pattern_rep);
    ck_assert_int_eq(set_int(SIFR_ROUTER_MANDATORY, 1), 0);
    attach(0), attach(1);
    arrive(0, "|a");
    arrive(1, "|b");
    ck_recv("a");
    end(0);
    ck_assert_int_eq(events(), SIFR_POLLOUT); /* it would not wait */
    ck_assert_int_eq(send_text("x|y"), -EHOSTUNREACH);
    ck_assert_int_eq(send_text("x"), -SIFR_EFSM);
    ck_recv("b");
    fakes[1].room = 0;
    ck_assert_int_eq(events(), 0);
    ck_assert_int_eq(send_text("x"), -EAGAIN);
    fakes[1].room = 1;
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_assert_int_eq(send_text("x"), 0);
    ck_sent(1, "|x");
    close_socket();
}
END_TEST

START_TEST(without_memory_the_answer_is_still_due)
{
    open_socket(&sf_pattern_rep);
    attach(0);
    arrive(0, "|a");
    ck_recv("a");
    fakes[0].broken = true;
    ck_assert_int_eq(send_text("x"), -ENOMEM);
    fakes[0].broken = false;
    ck_assert_int_eq(send_text("x"), 0);
    ck_sent(0, "|x");
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, an_answer_goes_back_with_the_envelope);
    tcase_add_test(tcase, a_request_without_delimiter_or_body_is_dropped_whole);
    tcase_add_test(tcase, an_answer_to_a_peer_gone_or_full_is_dropped);
    tcase_add_test(tcase, if_it_must_arrive_an_answer_to_a_peer_gone_or_full_is_reported);
    tcase_add_test(tcase, without_memory_the_answer_is_still_due);
}

int main(void)
{
    return run_suite("rep", add);
}
