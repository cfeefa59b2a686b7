/* REQ. */
#include "fake.h"

#include "patterns/collect.c"
#include "patterns/req.c"
#include "patterns/rotate.c"

START_TEST(requests_and_replies_alternate)
{
    open_socket(&sf_pattern_req);
    ck_assert_int_eq(events(), 0);
    ck_recv("EFSM");
    ck_assert_int_eq(send_text("x"), -EAGAIN);
    attach(0);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_assert_int_eq(send_frame("a", true), 0);
    ck_recv("EFSM");
    ck_assert_int_eq(send_frame("b", false), 0);
    ck_sent(0, "|a|b");
    ck_assert_int_eq(send_text("c"), -SIFR_EFSM);
    ck_assert_int_eq(events(), 0);
    ck_recv("EAGAIN");
    arrive(0, "|r|s");
    ck_assert_int_eq(events(), SIFR_POLLIN);
    ck_recv("r|s");
    ck_recv("EFSM");
    ck_assert_int_eq(send_text("c"), 0);
    close_socket();
}
END_TEST

START_TEST(only_the_peer_asked_can_reply_and_only_with_an_envelope)
{
    open_socket(&sf_pattern_req);
    attach(0), attach(1);
    arrive(1, "|early");
    arrive(0, "|early");
    ck_assert_int_eq(send_text("a"), 0);
    arrive(1, "|other");
    arrive(0, "bad");
    arrive(0, "bad|worse");
    arrive(0, "");
    ck_assert_int_eq(events(), 0);
    arrive(0, "|right");
    ck_recv("right");
    close_socket();
}
END_TEST

START_TEST(anybody_can_reply_when_the_peer_asked_has_gone)
{
    open_socket(&sf_pattern_req);
    attach(0), attach(1);
    ck_assert_int_eq(send_text("a"), 0);
    end(0);
    detach(0);
    ck_assert_int_eq(send_text("b"), -SIFR_EFSM);
    arrive(1, "|r");
    ck_recv("r");
    close_socket();
}
END_TEST

START_TEST(a_relaxed_request_gives_up_the_one_before_and_numbers_tell_their_replies)
{
    char reply[16];
    struct sf_msg *frames;
    uint32_t first, second;

    open_socket(&sf_pattern_req);
    ck_assert_int_eq(set_int(SIFR_REQ_RELAXED, 1), 0);
    ck_assert_int_eq(set_int(SIFR_REQ_CORRELATE, 1), 0);
    attach(0);
    ck_assert_int_eq(send_text("a"), 0);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_assert_int_eq(send_text("b"), 0);
    frames = fakes[0].out.frames;
    ck_assert_uint_eq(fakes[0].out.whole, 6);
    memcpy(&first, sf_msg_data(&frames[0]), 4);
    memcpy(&second, sf_msg_data(&frames[3]), 4);
    ck_assert_uint_eq(second, first + 1);
    ck_assert_uint_eq(sf_msg_size(&frames[1]), 0);
    for (int i = 0; i < 2; i++) { /* an old reply, then the right one */
        struct sf_msg m;

        make(&m, (const char *)(i ? &second : &first), 4);
        fake_append(&fakes[0].in, &m, SF_MSG_MORE);
        sf_msg_close(&m);
        snprintf(reply, sizeof reply, "|r%d", i);
        arrive(0, reply);
    }
    sock.pattern->readable(&sock, peer(0));
    ck_assert_int_eq(events(), SIFR_POLLIN | SIFR_POLLOUT);
    ck_recv("r1");
    close_socket();
}
END_TEST

START_TEST(a_request_for_which_there_is_no_memory_was_never_made)
{
    open_socket(&sf_pattern_req);
    attach(0);
    fakes[0].broken = true;
    ck_assert_int_eq(send_text("a"), -ENOMEM);
    fakes[0].broken = false;
    ck_recv("EFSM");
    ck_assert_int_eq(send_text("b"), 0);
    ck_sent(0, "|b");
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, requests_and_replies_alternate);
    tcase_add_test(tcase, only_the_peer_asked_can_reply_and_only_with_an_envelope);
    tcase_add_test(tcase, anybody_can_reply_when_the_peer_asked_has_gone);
    tcase_add_test(tcase, a_relaxed_request_gives_up_the_one_before_and_numbers_tell_their_replies);
    tcase_add_test(tcase, a_request_for_which_there_is_no_memory_was_never_made);
}

int main(void)
{
    return run_suite("req", add);
}
