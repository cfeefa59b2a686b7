/* REQ and REP: one question, one answer, in turn. */
#include "support.h"

START_TEST(requests_and_replies_of_any_size_arrive_whole)
{
    static const size_t sizes[] = {0, 1, 33, 34, 255, 256, 8192, 65536, 1048576, 10485760};
    sifr_socket_t *req, *rep;

    new_link(&req, SIFR_REQ, &rep, SIFR_REP, _i);
    for (int i = 0; i < COUNT(sizes); i++) {
        size_t back = sizes[COUNT(sizes) - 1 - i];

        send_filled(req, sizes[i], 1, 0);
        recv_filled(rep, sizes[i], 1, false);
        send_filled(rep, back, 2, 0);
        recv_filled(req, back, 2, false);
    }
}
END_TEST

START_TEST(requests_and_replies_may_have_parts_also_empty_ones)
{
    sifr_socket_t *req, *rep;

    new_link(&req, SIFR_REQ, &rep, SIFR_REP, _i);
    for (int n = 0; n < 3; n++) {
        send_parts(req, "", "question", "");
        recv_parts(rep, "", "question", "");
        send_parts(rep, "an", "", "", "swer");
        recv_parts(req, "an", "", "", "swer");
        send_parts(req, "");
        recv_parts(rep, "");
        send_parts(rep, "", "");
        recv_parts(req, "", "");
    }
}
END_TEST

START_TEST(ten_thousand_round_trips_stay_in_step)
{
    sifr_socket_t *req, *rep;

    new_link(&req, SIFR_REQ, &rep, SIFR_REP, _i);
    for (uint32_t i = 0; i < 10000; i++) {
        send_bytes(req, &i, sizeof i, 0);
        recv_bytes(rep, &i, sizeof i, false);
        send_bytes(rep, &i, sizeof i, 0);
        recv_bytes(req, &i, sizeof i, false);
    }
}
END_TEST

START_TEST(calls_out_of_turn_are_refused_and_change_nothing)
{
    sifr_socket_t *req, *rep;

    new_link(&req, SIFR_REQ, &rep, SIFR_REP, _i);
    for (int n = 0; n < 3; n++) {
        ck_fails(sifr_recv(req, NULL, 0, 0), SIFR_EFSM);
        ck_fails(sifr_send(rep, "x", 1, 0), SIFR_EFSM);
        send_text(req, "question", SIFR_SNDMORE);
        ck_fails(sifr_recv(req, NULL, 0, 0), SIFR_EFSM);
        send_text(req, "mark", 0);
        ck_fails(sifr_send(req, "x", 1, 0), SIFR_EFSM);
        recv_text(rep, "question", true);
        ck_fails(sifr_send(rep, "x", 1, 0), SIFR_EFSM);
        recv_text(rep, "mark", false);
        ck_fails(sifr_recv(rep, NULL, 0, 0), SIFR_EFSM);
        send_text(rep, "answer", SIFR_SNDMORE);
        ck_fails(sifr_recv(rep, NULL, 0, 0), SIFR_EFSM);
        send_text(rep, "dot", 0);
        ck_fails(sifr_send(rep, "x", 1, 0), SIFR_EFSM);
        recv_text(req, "answer", true);
        ck_fails(sifr_send(req, "x", 1, 0), SIFR_EFSM);
        recv_text(req, "dot", false);
    }
}
END_TEST

START_TEST(a_request_stays_open_when_the_wait_for_its_reply_ends)
{
    sifr_socket_t *req, *rep;

    new_link(&req, SIFR_REQ, &rep, SIFR_REP, _i);
    set_int(req, SIFR_RCVTIMEO, 10);
    send_parts(req, "question");
    ck_fails(sifr_recv(req, NULL, 0, 0), EAGAIN);
    recv_nothing(req);
    ck_fails(sifr_send(req, "x", 1, 0), SIFR_EFSM);
    set_int(req, SIFR_RCVTIMEO, WAIT_MS);
    recv_parts(rep, "question");
    send_parts(rep, "answer");
    recv_parts(req, "answer");
}
END_TEST

START_TEST(events_follow_the_turns)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *rep = new_socket(SIFR_REP);

    ck_assert_int_eq(get_int(req, SIFR_EVENTS), 0);
    ck_assert_int_eq(get_int(rep, SIFR_EVENTS), 0);
    link_sockets(req, rep, _i);
    for (int n = 0; n < 3; n++) {
        ck_assert(writable_within(req, WAIT_MS));
        ck_assert_int_eq(get_int(req, SIFR_EVENTS), SIFR_POLLOUT);
        ck_assert_int_eq(get_int(rep, SIFR_EVENTS), 0);
        send_parts(req, "question");
        ck_assert_int_eq(get_int(req, SIFR_EVENTS), 0);
        ck_assert(readable(rep));
        ck_assert_int_eq(get_int(rep, SIFR_EVENTS), SIFR_POLLIN);
        recv_parts(rep, "question");
        ck_assert_int_eq(get_int(rep, SIFR_EVENTS), SIFR_POLLOUT);
        send_parts(rep, "answer");
        ck_assert_int_eq(get_int(rep, SIFR_EVENTS), 0);
        ck_assert(readable(req));
        ck_assert_int_eq(get_int(req, SIFR_EVENTS), SIFR_POLLIN);
        recv_parts(req, "answer");
    }
}
END_TEST

START_TEST(a_request_waits_for_the_endpoint)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *rep = new_socket(SIFR_REP);
    struct endpoint e = fresh_endpoint((enum transport)_i);

    connect_to(req, &e);
    send_parts(req, "early");
    bind_to(rep, &e);
    recv_parts(rep, "early");
    send_parts(rep, "answer");
    recv_parts(req, "answer");
}
END_TEST

/* ---- Several peers ------------------------------------------------------------------------------------------- */

enum { PEERS = 3 };

START_TEST(requests_go_to_the_repliers_in_turn)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *rep[PEERS];

    for (int i = 0; i < PEERS; i++) {
        struct endpoint e = bind_fresh(rep[i] = new_socket(SIFR_REP), (enum transport)_i);

        connect_to(req, &e);
    }
    for (int n = 0; n < 4; n++)
        for (int i = 0; i < PEERS; i++) {
            send_bytes(req, &n, sizeof n, 0);
            recv_bytes(rep[i], &n, sizeof n, false);
            send_bytes(rep[i], &i, sizeof i, 0);
            recv_bytes(req, &i, sizeof i, false);
        }
}
END_TEST

START_TEST(each_asker_gets_its_own_answer)
{
    sifr_socket_t *rep = new_socket(SIFR_REP), *req[PEERS];
    struct endpoint e = bind_fresh(rep, (enum transport)_i);

    for (int i = 0; i < PEERS; i++)
        connect_to(req[i] = new_socket(SIFR_REQ), &e);
    for (int n = 0; n < 10; n++) {
        for (int i = 0; i < PEERS; i++) {
            send_bytes(req[i], &n, sizeof n, SIFR_SNDMORE);
            send_bytes(req[i], &i, sizeof i, 0);
        }
        for (int i = 0; i < PEERS; i++) {
            int who;

            recv_bytes(rep, &n, sizeof n, true);
            ck_assert_int_eq(sifr_recv(rep, &who, sizeof who, 0), sizeof who);
            who += 100;
            send_bytes(rep, &who, sizeof who, 0);
        }
        for (int i = 0; i < PEERS; i++) {
            int want = i + 100;

            recv_bytes(req[i], &want, sizeof want, false);
        }
    }
}
END_TEST

START_TEST(the_reply_to_an_asker_who_left_is_dropped)
{
    sifr_socket_t *rep = new_socket(SIFR_REP), *leaves = new_socket(SIFR_REQ), *stays = new_socket(SIFR_REQ);
    struct endpoint e = bind_fresh(rep, (enum transport)_i);

    connect_to(leaves, &e);
    connect_to(stays, &e);
    for (int n = 0; n < 2; n++) {
        send_parts(leaves, "and", "gone");
        recv_parts(rep, "and", "gone");
        drop(leaves);
        send_parts(rep, "too", "late");
        send_parts(stays, "here");
        recv_parts(rep, "here");
        send_parts(rep, "in time");
        recv_parts(stays, "in time");
        connect_to(leaves = new_socket(SIFR_REQ), &e);
    }
}
END_TEST

START_TEST(the_reply_that_cannot_arrive_is_reported_if_it_is_mandatory)
{
    sifr_socket_t *rep = new_socket(SIFR_REP), *leaves = new_socket(SIFR_REQ), *stays = new_socket(SIFR_REQ);
    struct endpoint e;

    set_int(rep, SIFR_ROUTER_MANDATORY, 1);
    e = bind_fresh(rep, (enum transport)_i);
    set_text(leaves, SIFR_ROUTING_ID, "leaves");
    connect_to(leaves, &e);
    connect_to(stays, &e);
    send_parts(leaves, "and gone");
    recv_parts(rep, "and gone");
    drop(leaves);
    eventually(sifr_socket_get_peer_state(rep, "leaves", 6) == -1);
    send_parts(stays, "here");
    ck_fails(sifr_send(rep, "too late", 8, 0), EHOSTUNREACH);
    ck_fails(sifr_send(rep, "too late", 8, 0), SIFR_EFSM);
    recv_parts(rep, "here");
    send_parts(rep, "in time");
    recv_parts(stays, "in time");
}
END_TEST

START_TEST(of_two_askers_of_one_name_the_newer_is_served_alone_with_handover)
{
    sifr_socket_t *rep = new_socket(SIFR_REP), *first = new_socket(SIFR_REQ), *second = new_socket(SIFR_REQ);
    struct endpoint e;

    set_int(rep, SIFR_ROUTER_HANDOVER, _i % 2);
    e = bind_fresh(rep, (enum transport)(_i / 2));
    set_text(first, SIFR_ROUTING_ID, "twin");
    set_text(second, SIFR_ROUTING_ID, "twin");
    set_int(first, SIFR_RECONNECT_IVL, -1);
    connect_to(first, &e);
    send_parts(first, "first");
    recv_parts(rep, "first");
    send_parts(rep, "yours");
    recv_parts(first, "yours");
    connect_to(second, &e);
    send_parts(second, "second");
    recv_parts(rep, "second");
    send_parts(rep, "yours");
    recv_parts(second, "yours");
    if (_i % 2) {
        eventually(!writable_within(first, 0)); /* it has nobody to ask any more */
        return;
    }
    send_parts(first, "still there");
    recv_parts(rep, "still there");
    send_parts(rep, "so it is");
    recv_parts(first, "so it is");
}
END_TEST

START_TEST(only_the_peer_asked_may_answer)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *asked = new_socket(SIFR_ROUTER), *other = new_socket(SIFR_ROUTER);
    struct endpoint e = bind_fresh(asked, (enum transport)_i);

    set_text(req, SIFR_ROUTING_ID, "me");
    set_int(other, SIFR_ROUTER_MANDATORY, 1);
    connect_to(req, &e);
    e = bind_fresh(other, (enum transport)_i);
    connect_to(req, &e);
    send_parts(req, "question");
    recv_parts(asked, "me", "", "question");
    eventually(sifr_send(other, "me", 2, SIFR_SNDMORE) == 2);
    send_parts(other, "", "not asked");
    ck_assert(!readable_within(req, 20));
    send_parts(asked, "me", "", "answer");
    recv_parts(req, "answer");
    ck_assert(!readable_within(req, 0));
}
END_TEST

START_TEST(what_came_before_the_question_is_no_answer)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *router = new_socket(SIFR_ROUTER);

    set_text(req, SIFR_ROUTING_ID, "me");
    link_sockets(req, router, 2 * INPROC + _i);
    send_parts(req, "hello");
    recv_parts(router, "me", "", "hello");
    send_parts(router, "me", "", "hi");
    send_parts(router, "me", "", "unasked");
    send_parts(router, "me", "", "unasked", "again");
    recv_parts(req, "hi");
    ck_fails(sifr_recv(req, NULL, 0, 0), SIFR_EFSM);
    send_parts(req, "question");
    recv_parts(router, "me", "", "question");
    ck_assert(!readable_within(req, 0));
    send_parts(router, "me", "", "answer");
    recv_parts(req, "answer");
}
END_TEST

/* ---- Envelopes ----------------------------------------------------------------------------------------------- */

START_TEST(a_request_travels_behind_an_empty_part)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *router = new_socket(SIFR_ROUTER);

    set_text(req, SIFR_ROUTING_ID, "me");
    link_sockets(req, router, _i);
    send_parts(req, "a", "b");
    recv_parts(router, "me", "", "a", "b");
    send_parts(router, "me", "", "c", "d");
    recv_parts(req, "c", "d");
}
END_TEST

START_TEST(a_replier_puts_back_the_whole_envelope)
{
    sifr_socket_t *dealer, *rep;

    new_link(&dealer, SIFR_DEALER, &rep, SIFR_REP, _i);
    send_parts(dealer, "", "one");
    send_parts(dealer, "hop", "another hop", "", "two", "", "parts");
    recv_parts(rep, "one");
    send_parts(rep, "ONE");
    recv_parts(rep, "two", "", "parts");
    send_parts(rep, "TWO", "PARTS");
    recv_parts(dealer, "", "ONE");
    recv_parts(dealer, "hop", "another hop", "", "TWO", "PARTS");
}
END_TEST

START_TEST(requests_without_delimiter_are_dropped)
{
    sifr_socket_t *dealer, *rep;

    new_link(&dealer, SIFR_DEALER, &rep, SIFR_REP, _i);
    send_parts(dealer, "bare");
    send_parts(dealer, "no", "delimiter");
    send_parts(dealer, "nothing behind it", "");
    send_parts(dealer, "");
    send_parts(dealer, "", "proper");
    recv_parts(rep, "proper");
    send_parts(rep, "answer");
    recv_parts(dealer, "", "answer");
    ck_fails(sifr_recv(rep, NULL, 0, SIFR_DONTWAIT), EAGAIN);
}
END_TEST

START_TEST(a_chain_of_dealer_and_router_carries_requests)
{
    sifr_socket_t *req, *front, *back, *rep;
    sifr_msg_t m;

    new_link(&req, SIFR_REQ, &front, SIFR_ROUTER, _i);
    new_link(&back, SIFR_DEALER, &rep, SIFR_REP, _i);
    sifr_msg_init(&m);
    for (int n = 0; n < 10; n++) {
        send_parts(req, "quest", "ion");
        for (bool more = true; more; ) {
            ck_assert_int_ge(sifr_msg_recv(&m, front, 0), 0);
            more = sifr_msg_more(&m);
            ck_assert_int_ge(sifr_msg_send(&m, back, more ? SIFR_SNDMORE : 0), 0);
        }
        recv_parts(rep, "quest", "ion");
        send_parts(rep, "answ", "er");
        for (bool more = true; more; ) {
            ck_assert_int_ge(sifr_msg_recv(&m, back, 0), 0);
            more = sifr_msg_more(&m);
            ck_assert_int_ge(sifr_msg_send(&m, front, more ? SIFR_SNDMORE : 0), 0);
        }
        recv_parts(req, "answ", "er");
    }
    sifr_msg_close(&m);
}
END_TEST

/* ---- Relaxed, correlated ------------------------------------------------------------------------------------- */

START_TEST(a_correlated_request_carries_a_number)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *router = new_socket(SIFR_ROUTER);
    uint32_t number, before = 0;

    set_text(req, SIFR_ROUTING_ID, "me");
    set_int(req, SIFR_REQ_CORRELATE, 1);
    link_sockets(req, router, _i);
    for (int n = 0; n < 3; n++) {
        uint32_t wrong;

        send_parts(req, "question");
        recv_text(router, "me", true);
        ck_assert_int_eq(sifr_recv(router, &number, sizeof number, 0), sizeof number);
        recv_parts(router, "", "question");
        ck_assert(n == 0 || number != before);
        wrong = number ^ 0x5a5a5a5a;
        send_text(router, "me", SIFR_SNDMORE);
        send_bytes(router, &wrong, sizeof wrong, SIFR_SNDMORE);
        send_parts(router, "", "wrong");
        send_text(router, "me", SIFR_SNDMORE);
        send_bytes(router, &number, sizeof number, SIFR_SNDMORE);
        send_parts(router, "", "answer", "right");
        recv_parts(req, "answer", "right");
        before = number;
    }
}
END_TEST

START_TEST(a_relaxed_requester_forgets_the_question_it_gave_up)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *rep = new_socket(SIFR_REP);

    set_int(req, SIFR_REQ_RELAXED, 1);
    set_int(req, SIFR_REQ_CORRELATE, 1);
    link_sockets(req, rep, _i);
    for (int n = 0; n < 5; n++) {
        send_parts(req, "first", "try");
        send_parts(req, "second", "try");
        recv_parts(rep, "first", "try");
        send_parts(rep, "answer", "to the first");
        recv_parts(rep, "second", "try");
        send_parts(rep, "answer", "to the second");
        recv_parts(req, "answer", "to the second");
        ck_assert(!readable_within(req, 0));
    }
}
END_TEST

START_TEST(a_relaxed_requester_asks_again_when_the_replier_came_back)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *rep = new_socket(SIFR_REP);
    struct endpoint e = bind_fresh(rep, (enum transport)_i);

    set_int(req, SIFR_REQ_RELAXED, 1);
    set_int(req, SIFR_REQ_CORRELATE, 1);
    set_int(req, SIFR_RECONNECT_IVL, 5);
    connect_to(req, &e);
    send_parts(req, "into the void");
    recv_parts(rep, "into the void");
    drop(rep);
    rep = new_socket(SIFR_REP);
    rebind_to(rep, &e);
    eventually(sifr_send(req, "again", 5, SIFR_DONTWAIT) >= -1 && readable_within(rep, 20));
    recv_parts(rep, "again");
    send_parts(rep, "answer");
    set_int(req, SIFR_RCVTIMEO, 100);
    eventually(sifr_recv(req, NULL, 0, 0) == 6 || /* unless "again" was sent twice: answer that too */
               (sifr_recv(rep, NULL, 0, SIFR_DONTWAIT) == 5 && sifr_send(rep, "answer", 6, 0) != 6));
}
END_TEST

START_TEST(a_second_connect_to_the_same_endpoint_does_nothing)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *one = new_socket(SIFR_REP), *two = new_socket(SIFR_REP);
    struct endpoint first = bind_fresh(one, (enum transport)_i), second = bind_fresh(two, (enum transport)_i);

    connect_to(req, &first);
    connect_to(req, &first);
    connect_to(req, &second);
    for (int n = 0; n < 3; n++) { /* in turn: with two connections the first would get two of three */
        send_parts(req, "1");
        recv_parts(one, "1");
        send_parts(one, "I");
        recv_parts(req, "I");
        send_parts(req, "2");
        recv_parts(two, "2");
        send_parts(two, "II");
        recv_parts(req, "II");
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("REQ and REP");
    TCase *c = new_case(s, "turns");

    tcase_add_loop_test(c, requests_and_replies_of_any_size_arrive_whole, 0, WAYS);
    tcase_add_loop_test(c, requests_and_replies_may_have_parts_also_empty_ones, 0, WAYS);
    tcase_add_loop_test(c, ten_thousand_round_trips_stay_in_step, 0, WAYS);
    tcase_add_loop_test(c, calls_out_of_turn_are_refused_and_change_nothing, 0, WAYS);
    tcase_add_loop_test(c, a_request_stays_open_when_the_wait_for_its_reply_ends, 0, WAYS);
    tcase_add_loop_test(c, events_follow_the_turns, 0, WAYS);
    tcase_add_loop_test(c, a_request_waits_for_the_endpoint, 0, TRANSPORTS);
    c = new_case(s, "peers");
    tcase_add_loop_test(c, requests_go_to_the_repliers_in_turn, 0, TRANSPORTS);
    tcase_add_loop_test(c, each_asker_gets_its_own_answer, 0, TRANSPORTS);
    tcase_add_loop_test(c, the_reply_to_an_asker_who_left_is_dropped, 0, TRANSPORTS);
    tcase_add_loop_test(c, the_reply_that_cannot_arrive_is_reported_if_it_is_mandatory, 0, TRANSPORTS);
    tcase_add_loop_test(c, of_two_askers_of_one_name_the_newer_is_served_alone_with_handover, 0, 2 * TRANSPORTS);
    tcase_add_loop_test(c, only_the_peer_asked_may_answer, 0, TRANSPORTS);
    tcase_add_loop_test(c, what_came_before_the_question_is_no_answer, 0, 2);
    c = new_case(s, "envelopes");
    tcase_add_loop_test(c, a_request_travels_behind_an_empty_part, 0, WAYS);
    tcase_add_loop_test(c, a_replier_puts_back_the_whole_envelope, 0, WAYS);
    tcase_add_loop_test(c, requests_without_delimiter_are_dropped, 0, WAYS);
    tcase_add_loop_test(c, a_chain_of_dealer_and_router_carries_requests, 0, WAYS);
    c = new_case(s, "relaxed and correlated");
    tcase_add_loop_test(c, a_correlated_request_carries_a_number, 0, WAYS);
    tcase_add_loop_test(c, a_relaxed_requester_forgets_the_question_it_gave_up, 0, WAYS);
    tcase_add_loop_test(c, a_relaxed_requester_asks_again_when_the_replier_came_back, 0, INPROC);
    tcase_add_loop_test(c, a_second_connect_to_the_same_endpoint_does_nothing, 0, INPROC);
    return run_suite(s);
}
