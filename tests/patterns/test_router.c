/* ROUTER. */
#include "fake.h"

#include "patterns/collect.c"
#include "patterns/route.c"
#include "patterns/router.c"

static void attach_named(int i, const char *id)
{
    name_peer(i, id);
    attach(i);
}

START_TEST(the_first_frame_names_the_peer)
{
    open_socket(&sf_pattern_router);
    attach_named(0, "A");
    attach_named(1, "B");
    arrive(1, "|q");
    ck_assert_int_eq(events(), SIFR_POLLIN | SIFR_POLLOUT);
    ck_recv("B||q");
    ck_assert_int_eq(send_text("A||a"), 0);
    ck_sent(0, "|a");
    ck_assert_int_eq(send_text("C|lost"), 0);
    ck_assert_int_eq(send_text("A"), 0);
    ck_sent(0, "nothing");
    ck_sent(1, "nothing");
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    close_socket();
}
END_TEST

START_TEST(nameless_peers_get_a_zero_and_a_growing_number)
{
    struct sf_msg m;
    uint8_t ids[2][5];

    open_socket(&sf_pattern_router);
    attach(0), attach(1);
    sf_msg_init(&m);
    for (int i = 0; i < 2; i++) {
        arrive(i, "x");
        ck_assert_int_eq(sock.pattern->recv(&sock, &m), 0);
        ck_assert_uint_eq(sf_msg_size(&m), 5);
        memcpy(ids[i], sf_msg_data(&m), 5);
        ck_assert_int_eq(sock.pattern->recv(&sock, &m), 0);
        ck_assert(!sf_msg_more(&m));
    }
    sf_msg_close(&m);
    ck_assert_uint_eq(ids[0][0], 0);
    ck_assert_uint_eq((uint8_t)(ids[0][4] + 1), ids[1][4]);
    ck_assert_int_eq(send_bytes((char *)ids[1], 5, true, false), 0);
    ck_assert_int_eq(send_text("a"), 0);
    ck_sent(1, "a");
    close_socket();
}
END_TEST

START_TEST(mandatory_reports_the_unknown_and_the_full)
{
    open_socket(&sf_pattern_router);
    ck_assert_int_eq(set_int(SIFR_ROUTER_MANDATORY, 1), 0);
    ck_assert_int_eq(events(), 0);
    attach_named(0, "A");
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    ck_assert_int_eq(send_text("B|x"), -EHOSTUNREACH);
    fakes[0].room = 0;
    ck_assert_int_eq(send_text("A|x"), -EAGAIN);
    ck_assert_int_eq(events(), 0);
    fakes[0].room = 1;
    ck_assert_int_eq(send_text("A|x"), 0);
    ck_sent(0, "x");
    end(0);
    ck_assert_int_eq(send_text("A|x"), -EHOSTUNREACH);
    close_socket();
}
END_TEST

START_TEST(without_mandatory_a_message_for_a_full_peer_is_dropped_whole)
{
    open_socket(&sf_pattern_router);
    attach_named(0, "A");
    fakes[0].room = 0;
    ck_assert_int_eq(send_frame("A", true), 0);
    ck_assert_int_eq(send_frame("x", true), 0);
    fakes[0].room = 1;
    ck_assert_int_eq(send_frame("y", false), 0);
    ck_sent(0, "nothing");
    ck_assert_uint_eq(sock.drops[SF_DROP_NO_ROOM], 1);
    close_socket();
}
END_TEST

START_TEST(a_second_peer_of_the_same_id_waits_until_the_first_has_gone)
{
    open_socket(&sf_pattern_router);
    attach_named(0, "A");
    name_peer(1, "A");
    fakes[1].peer.connected = true;
    ck_assert_int_eq(try_attach(1), -EBUSY);
    detach(0);
    ck_assert_int_eq(try_attach(1), 0);
    arrive(1, "x");
    ck_recv("A|x");
    close_socket();
}
END_TEST

START_TEST(a_dialed_peer_of_an_id_in_use_gets_it_when_it_is_free)
{
    open_socket(&sf_pattern_router);
    attach_named(0, "A");
    dial(1);
    name_peer(1, "A");
    join(1);
    arrive(1, "x");
    ck_recv("EAGAIN");
    detach(0);
    ck_recv("A|x");
    ck_assert_int_eq(send_text("A|y"), 0);
    ck_sent(1, "y");
    close_socket();
}
END_TEST

START_TEST(handover_gives_the_id_to_the_newcomer_and_ends_the_old_peer)
{
    const char *text;

    open_socket(&sf_pattern_router);
    ck_assert_int_eq(set_int(SIFR_ROUTER_HANDOVER, 1), 0);
    attach_named(0, "A");
    arrive(0, "old");
    attach_named(1, "A");
    ck_assert(fakes[0].kicked);
    arrive(1, "new");
    ck_assert_int_eq(send_text("A|y"), 0);
    ck_sent(0, "nothing");
    ck_sent(1, "y");
    end(0);
    text = recv_text();
    ck_assert(text[0] == '0' && strstr(text, "|old"));
    ck_recv("A|new");
    detach(0);
    ck_assert_int_eq(send_text("A|z"), 0);
    ck_sent(1, "z");
    close_socket();
}
END_TEST

START_TEST(a_given_id_counts_at_once_and_must_be_free)
{
    open_socket(&sf_pattern_router);
    fakes[0].peer.given_id = (uint8_t *)strdup("G");
    fakes[0].peer.given_id_size = 1;
    dial(0);
    ck_assert_int_eq(send_text("G|x"), 0);
    ck_sent(0, "x");
    name_peer(0, "other");
    join(0);
    arrive(0, "y");
    ck_recv("G|y");
    fakes[1].peer.given_id = (uint8_t *)strdup("G");
    fakes[1].peer.given_id_size = 1;
    ck_assert_int_eq(try_attach(1), -EINVAL);
    close_socket();
}
END_TEST

START_TEST(notices_tell_who_came_and_after_its_messages_who_went)
{
    open_socket(&sf_pattern_router);
    ck_assert_int_eq(set_int(SIFR_ROUTER_NOTIFY, 4), -EINVAL);
    ck_assert_int_eq(set_int(SIFR_ROUTER_NOTIFY, 3), 0);
    ck_assert_int_eq(get_int(SIFR_ROUTER_NOTIFY), 3);
    attach_named(0, "A");
    ck_recv("A|");
    arrive(0, "x");
    end(0);
    ck_recv("A|x");
    ck_recv("A|");
    ck_recv("EAGAIN");
    detach(0);
    ck_recv("EAGAIN");
    attach_named(1, "B");
    detach(1);
    ck_recv("B|");
    ck_recv("B|");
    dial(2);
    name_peer(2, "C");
    join(2);
    ck_recv("C|");
    lose(2);
    ck_recv("C|");
    join(2);
    ck_recv("C|");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(a_message_for_a_peer_that_goes_midway_is_dropped)
{
    open_socket(&sf_pattern_router);
    attach_named(0, "A");
    ck_assert_int_eq(send_frame("A", true), 0);
    ck_assert_int_eq(send_frame("x", true), 0);
    detach(0);
    ck_assert_int_eq(send_frame("y", true), 0);
    ck_assert_int_eq(send_frame("z", false), 0);
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, the_first_frame_names_the_peer);
    tcase_add_test(tcase, nameless_peers_get_a_zero_and_a_growing_number);
    tcase_add_test(tcase, mandatory_reports_the_unknown_and_the_full);
    tcase_add_test(tcase, without_mandatory_a_message_for_a_full_peer_is_dropped_whole);
    tcase_add_test(tcase, a_second_peer_of_the_same_id_waits_until_the_first_has_gone);
    tcase_add_test(tcase, a_dialed_peer_of_an_id_in_use_gets_it_when_it_is_free);
    tcase_add_test(tcase, handover_gives_the_id_to_the_newcomer_and_ends_the_old_peer);
    tcase_add_test(tcase, a_given_id_counts_at_once_and_must_be_free);
    tcase_add_test(tcase, notices_tell_who_came_and_after_its_messages_who_went);
    tcase_add_test(tcase, a_message_for_a_peer_that_goes_midway_is_dropped);
}

int main(void)
{
    return run_suite("router", add);
}
