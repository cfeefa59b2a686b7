/* DEALER and PAIR. */
#include "fake.h"

#include "patterns/collect.c"
#include "patterns/dealer.c"
#include "patterns/pair.c"
#include "patterns/rotate.c"

START_TEST(a_dealer_probes_each_new_peer_if_told_so)
{
    open_socket(&sf_pattern_dealer);
    attach(0);
    ck_sent(0, "nothing");
    ck_assert_int_eq(set_int(SIFR_PROBE_ROUTER, 1), 0);
    attach(1);
    ck_sent(1, "");
    ck_assert_int_eq(set_int(SIFR_PROBE_ROUTER, -1), -EINVAL);
    ck_assert_int_eq(sock.pattern->set(&sock, SIFR_PROBE_ROUTER, "ab", 2), -EINVAL);
    ck_assert_int_eq(set_int(SIFR_REQ_RELAXED, 1), -EINVAL);
    close_socket();
}
END_TEST

START_TEST(a_dealer_adds_and_removes_nothing)
{
    open_socket(&sf_pattern_dealer);
    attach(0);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_assert_int_eq(send_text("|a"), 0);
    ck_sent(0, "|a");
    arrive(0, "|b");
    ck_assert_int_eq(events(), SIFR_POLLOUT | SIFR_POLLIN);
    ck_recv("|b");
    close_socket();
}
END_TEST

START_TEST(a_pair_has_one_peer_and_takes_another_when_that_has_gone)
{
    open_socket(&sf_pattern_pair);
    attach(0);
    fakes[1].peer.connected = true;
    ck_assert_int_eq(try_attach(1), -EBUSY);
    ck_assert_int_eq(send_text("a|b"), 0);
    ck_sent(0, "a|b");
    arrive(0, "c");
    end(0);
    ck_assert_int_eq(send_text("d"), -EAGAIN);
    ck_assert_int_eq(try_attach(1), -EBUSY);
    ck_recv("c");
    detach(0);
    ck_assert_int_eq(events(), 0);
    ck_assert_int_eq(try_attach(1), 0);
    ck_assert_int_eq(send_text("e"), 0);
    ck_sent(1, "e");
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, a_dealer_probes_each_new_peer_if_told_so);
    tcase_add_test(tcase, a_dealer_adds_and_removes_nothing);
    tcase_add_test(tcase, a_pair_has_one_peer_and_takes_another_when_that_has_gone);
}

int main(void)
{
    return run_suite("dealer", add);
}
