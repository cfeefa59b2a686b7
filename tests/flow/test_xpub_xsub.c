/* XPUB and XSUB: subscriptions as messages. */
#include "support.h"

/*
 * A bound subscriber learns of an inproc peer at its next call, and tells it then what it subscribed to. On a wire it
 * needs no call.
 */
static void take_in(sifr_socket_t *sub, int way)
{
    if (way / 2 == INPROC)
        get_int(sub, SIFR_EVENTS);
}

/* A request starts with "\1" to subscribe, "\0" to cancel. */
#define send_request(s, start, topic) send_bytes(s, start topic, sizeof(start topic) - 1, 0)
#define recv_request(s, start, topic) recv_bytes(s, start topic, sizeof(start topic) - 1, false)

static sifr_socket_t *new_sub(const char *topic)
{
    sifr_socket_t *sub = new_socket(SIFR_SUB);

    set_text(sub, SIFR_SUBSCRIBE, topic);
    return sub;
}

START_TEST(a_publisher_reads_who_subscribes_to_what)
{
    sifr_socket_t *xpub, *sub;

    new_link(&xpub, SIFR_XPUB, &sub, SIFR_SUB, _i);
    set_text(sub, SIFR_SUBSCRIBE, "a");
    take_in(sub, _i);
    recv_request(xpub, "\1", "a");
    set_text(sub, SIFR_SUBSCRIBE, "");
    recv_request(xpub, "\1", "");
    set_text(sub, SIFR_SUBSCRIBE, "a");
    set_text(sub, SIFR_UNSUBSCRIBE, "a");
    set_text(sub, SIFR_UNSUBSCRIBE, "a");
    recv_request(xpub, "\0", "a");
    set_text(sub, SIFR_UNSUBSCRIBE, "unknown");
    set_text(sub, SIFR_UNSUBSCRIBE, "");
    recv_request(xpub, "\0", "");
    set_text(sub, SIFR_SUBSCRIBE, "z");
    recv_request(xpub, "\1", "z");
    send_parts(xpub, "a");
    send_parts(xpub, "z", "z");
    recv_parts(sub, "z", "z");
    recv_nothing(xpub);
}
END_TEST

START_TEST(an_xsub_subscribes_by_messages)
{
    sifr_socket_t *xpub, *xsub;

    new_link(&xpub, SIFR_XPUB, &xsub, SIFR_XSUB, _i);
    ck_assert_int_eq(get_int(xsub, SIFR_EVENTS), SIFR_POLLOUT);
    ck_assert_int_eq(get_int(xpub, SIFR_EVENTS), SIFR_POLLOUT);
    send_request(xsub, "\1", "a");
    take_in(xsub, _i);
    recv_request(xpub, "\1", "a");
    send_request(xsub, "\0", "unknown"); /* swallowed */
    send_request(xsub, "\1", "b");
    recv_request(xpub, "\1", "b");
    send_parts(xpub, "a", "1");
    send_parts(xpub, "c", "2");
    send_parts(xpub, "b", "3");
    recv_parts(xsub, "a", "1");
    recv_parts(xsub, "b", "3");
    send_request(xsub, "\0", "a");
    recv_request(xpub, "\0", "a");
    send_parts(xpub, "a", "4");
    send_parts(xpub, "b", "5");
    recv_parts(xsub, "b", "5");
    recv_nothing(xsub);
}
END_TEST

START_TEST(topics_of_any_length_pass_as_requests)
{
    static const size_t sizes[] = {0, 1, 31, 32, 33, 244, 245, 246, 247, 253, 254, 255, 256, 1000, 70000};
    sifr_socket_t *xpub, *xsub;
    uint8_t request[70001];

    new_link(&xpub, SIFR_XPUB, &xsub, SIFR_XSUB, _i);
    for (int start = 1; start >= 0; start--)
        for (int n = 0; n < COUNT(sizes); n++) {
            fill_bytes(request, sizeof request, (unsigned)n);
            request[0] = (uint8_t)start;
            send_bytes(xsub, request, sizes[n] + 1, 0);
            take_in(xsub, _i);
            recv_bytes(xpub, request, sizes[n] + 1, false);
        }
}
END_TEST

START_TEST(only_the_first_subscription_and_the_last_cancel_of_a_topic_are_told)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *subs[3];
    struct endpoint e = bind_fresh(xpub, (enum transport)_i);

    for (int i = 0; i < COUNT(subs); i++) {
        connect_to(subs[i] = new_sub("a"), &e);
        if (i == 0)
            recv_request(xpub, "\1", "a");
        set_text(subs[i], SIFR_SUBSCRIBE, i == 0 ? "0" : i == 1 ? "1" : "2"); /* behind it on the same way */
        recv_bytes(xpub, i == 0 ? "\1" "0" : i == 1 ? "\1" "1" : "\1" "2", 2, false);
    }
    set_text(subs[1], SIFR_UNSUBSCRIBE, "a");
    set_text(subs[1], SIFR_UNSUBSCRIBE, "1");
    recv_request(xpub, "\0", "1");
    set_text(subs[0], SIFR_UNSUBSCRIBE, "a");
    set_text(subs[0], SIFR_UNSUBSCRIBE, "0");
    recv_request(xpub, "\0", "0");
    set_text(subs[2], SIFR_UNSUBSCRIBE, "a");
    recv_request(xpub, "\0", "a");
    recv_nothing(xpub);
}
END_TEST

START_TEST(a_verbose_publisher_reads_every_subscription)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *subs[3];
    struct endpoint e;

    set_int(xpub, SIFR_XPUB_VERBOSE, 1);
    e = bind_fresh(xpub, (enum transport)_i);
    for (int i = 0; i < COUNT(subs); i++) {
        connect_to(subs[i] = new_sub("a"), &e);
        recv_request(xpub, "\1", "a");
    }
    set_text(subs[0], SIFR_SUBSCRIBE, "a"); /* also the same peer's again */
    recv_request(xpub, "\1", "a");
    set_text(subs[0], SIFR_UNSUBSCRIBE, "a");
    set_text(subs[0], SIFR_UNSUBSCRIBE, "a");
    set_text(subs[1], SIFR_UNSUBSCRIBE, "a");
    set_text(subs[2], SIFR_UNSUBSCRIBE, "a");
    recv_request(xpub, "\0", "a"); /* the last cancel alone */
    recv_nothing(xpub);
}
END_TEST

START_TEST(a_more_verbose_publisher_reads_every_cancel_too)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *subs[3];
    struct endpoint e;

    set_int(xpub, SIFR_XPUB_VERBOSER, 1);
    e = bind_fresh(xpub, (enum transport)_i);
    for (int i = 0; i < COUNT(subs); i++) {
        connect_to(subs[i] = new_sub("a"), &e);
        recv_request(xpub, "\1", "a");
    }
    for (int i = 0; i < COUNT(subs); i++) {
        set_text(subs[i], SIFR_UNSUBSCRIBE, "a");
        recv_request(xpub, "\0", "a");
    }
    recv_nothing(xpub);
}
END_TEST

START_TEST(what_a_lost_peer_alone_had_subscribed_to_is_cancelled)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *leaves = new_sub("both"), *stays = new_sub("both");
    struct endpoint e = bind_fresh(xpub, (enum transport)_i);

    connect_to(leaves, &e);
    recv_request(xpub, "\1", "both");
    set_text(leaves, SIFR_SUBSCRIBE, "alone");
    recv_request(xpub, "\1", "alone");
    connect_to(stays, &e);
    set_text(stays, SIFR_SUBSCRIBE, "here");
    recv_request(xpub, "\1", "here");
    drop(leaves);
    recv_request(xpub, "\0", "alone");
    drop(stays);
    for (int n = 0; n < 2; n++) { /* in any order */
        char text[8] = "";
        int size = sifr_recv(xpub, text, sizeof text - 1, 0);

        ck_assert_int_eq(size, 5);
        ck_assert_int_eq(text[0], 0);
        ck_assert(strcmp(text + 1, "both") == 0 || strcmp(text + 1, "here") == 0);
    }
    recv_nothing(xpub);
}
END_TEST

START_TEST(subscriptions_are_told_again_after_reconnection)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *xsub = new_socket(SIFR_XSUB);
    struct endpoint e = bind_fresh(xpub, (enum transport)_i);

    set_int(xsub, SIFR_RECONNECT_IVL, 5);
    connect_to(xsub, &e);
    send_request(xsub, "\1", "a");
    take_in(xsub, _i);
    recv_request(xpub, "\1", "a");
    send_request(xsub, "\1", "gone");
    recv_request(xpub, "\1", "gone");
    send_request(xsub, "\0", "gone");
    recv_request(xpub, "\0", "gone");
    for (int life = 0; life < 5; life++) {
        drop(xpub);
        xpub = new_socket(SIFR_XPUB);
        rebind_to(xpub, &e);
        recv_request(xpub, "\1", "a");
        send_parts(xpub, "a");
        recv_parts(xsub, "a");
        recv_nothing(xpub);
    }
}
END_TEST

START_TEST(other_messages_of_a_subscriber_go_up)
{
    sifr_socket_t *xpub, *xsub;

    new_link(&xpub, SIFR_XPUB, &xsub, SIFR_XSUB, _i);
    send_request(xsub, "\1", "a"); /* an xpub that can be told has a connection */
    recv_request(xpub, "\1", "a");
    send_parts(xsub, "hello");
    recv_parts(xpub, "hello");
    send_parts(xsub, "");
    recv_parts(xpub, "");
    send_parts(xsub, "several", "parts", "");
    recv_parts(xpub, "several", "parts", "");
    recv_nothing(xpub);
}
END_TEST

START_TEST(with_only_first_subscribe_later_parts_are_left_alone)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *xsub = new_socket(SIFR_XSUB);

    set_int(xpub, SIFR_ONLY_FIRST_SUBSCRIBE, 1);
    set_int(xsub, SIFR_ONLY_FIRST_SUBSCRIBE, 1);
    link_sockets(xpub, xsub, _i);
    send_request(xsub, "\1", "a");
    take_in(xsub, _i);
    recv_request(xpub, "\1", "a");
    send_text(xsub, "user", SIFR_SNDMORE);
    send_bytes(xsub, "\1no topic", 9, SIFR_SNDMORE);
    send_bytes(xsub, "\0nor this", 9, 0);
    recv_text(xpub, "user", true);
    recv_bytes(xpub, "\1no topic", 9, true);
    recv_bytes(xpub, "\0nor this", 9, false);
    send_parts(xpub, "no topic");
    send_parts(xpub, "a");
    recv_parts(xsub, "a");
}
END_TEST

START_TEST(a_chain_carries_subscriptions_up_and_messages_down)
{
    sifr_socket_t *pub, *front, *back, *sub;

    new_link(&pub, SIFR_XPUB, &front, SIFR_XSUB, _i);
    new_link(&back, SIFR_XPUB, &sub, SIFR_SUB, _i);
    set_text(sub, SIFR_SUBSCRIBE, "a");
    take_in(sub, _i);
    recv_request(back, "\1", "a");
    send_request(front, "\1", "a");
    take_in(front, _i);
    recv_request(pub, "\1", "a");
    for (int n = 0; n < 10; n++) {
        send_parts(pub, "b");
        send_parts(pub, "a", "message");
        recv_parts(front, "a", "message");
        send_parts(back, "a", "message");
        recv_parts(sub, "a", "message");
    }
    recv_nothing(front);
}
END_TEST

/* ---- Manual -------------------------------------------------------------------------------------------------- */

START_TEST(a_manual_publisher_decides_for_the_peer_that_asked_last)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *xsub = new_socket(SIFR_XSUB);

    set_int(xpub, SIFR_XPUB_MANUAL, 1);
    set_text(xpub, SIFR_SUBSCRIBE, "nobody asked"); /* succeeds and does nothing */
    link_sockets(xpub, xsub, _i);
    send_request(xsub, "\1", "A");
    take_in(xsub, _i);
    recv_request(xpub, "\1", "A");
    send_parts(xpub, "A", "not granted");
    set_text(xpub, SIFR_SUBSCRIBE, "B");
    set_text(xpub, SIFR_SUBSCRIBE, "C");
    send_parts(xpub, "A");
    send_parts(xpub, "B");
    send_parts(xpub, "C");
    recv_parts(xsub, "B");
    recv_parts(xsub, "C");
    send_request(xsub, "\0", "A");
    recv_request(xpub, "\0", "A");
    set_text(xpub, SIFR_UNSUBSCRIBE, "B");
    send_parts(xpub, "B");
    send_parts(xpub, "C");
    recv_parts(xsub, "C");
    recv_nothing(xsub);
}
END_TEST

START_TEST(a_manual_publisher_decides_for_each_peer_alone)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *one = new_socket(SIFR_XSUB), *two = new_socket(SIFR_XSUB);
    struct endpoint e;

    set_int(xpub, SIFR_XPUB_MANUAL, 1);
    e = bind_fresh(xpub, (enum transport)_i);
    connect_to(one, &e);
    connect_to(two, &e);
    send_request(one, "\1", "a");
    recv_request(xpub, "\1", "a");
    set_text(xpub, SIFR_SUBSCRIBE, "for one");
    send_request(two, "\1", "a");
    recv_request(xpub, "\1", "a"); /* manual: every request is told */
    set_text(xpub, SIFR_SUBSCRIBE, "for two");
    send_parts(xpub, "for two");
    send_parts(xpub, "for one");
    send_parts(xpub, "a");
    recv_parts(one, "for one");
    recv_parts(two, "for two");
    recv_nothing(one);
    recv_nothing(two);
    drop(one);
    recv_request(xpub, "\0", "a"); /* what it had asked for, not what it had got */
    send_parts(xpub, "for one");
    send_parts(xpub, "for two");
    recv_parts(two, "for two");
}
END_TEST

START_TEST(the_last_value_goes_to_the_newcomer_alone)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *one = new_sub("a"), *two = new_sub("a");
    struct endpoint e;

    set_int(xpub, SIFR_XPUB_MANUAL_LAST_VALUE, 1);
    e = bind_fresh(xpub, (enum transport)_i);
    connect_to(one, &e);
    recv_request(xpub, "\1", "a");
    set_text(xpub, SIFR_SUBSCRIBE, "a");
    send_parts(xpub, "a", "old value for one");
    recv_parts(one, "a", "old value for one");
    connect_to(two, &e);
    recv_request(xpub, "\1", "a");
    set_text(xpub, SIFR_SUBSCRIBE, "a");
    send_parts(xpub, "a", "old value for two");
    send_parts(xpub, "a", "new value for all");
    recv_parts(two, "a", "old value for two");
    recv_parts(two, "a", "new value for all");
    recv_parts(one, "a", "new value for all");
}
END_TEST

/* ---- The rest ------------------------------------------------------------------------------------------------ */

START_TEST(nodrop_waits_for_a_full_subscriber)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *sub = new_socket(SIFR_SUB);

    set_int(xpub, SIFR_XPUB_NODROP, 1);
    set_int(xpub, SIFR_SNDHWM, 2);
    set_int(sub, SIFR_RCVHWM, 2);
    link_sockets(xpub, sub, 2 * INPROC + _i);
    set_text(sub, SIFR_SUBSCRIBE, "x");
    take_in(sub, 2 * INPROC + _i);
    recv_request(xpub, "\1", "x");
    ck_assert_int_eq(fill_up(xpub, 100), 4);
    set_int(xpub, SIFR_SNDTIMEO, 50);
    ck_fails(sifr_send(xpub, "x", 1, 0), EAGAIN);
    send_parts(xpub, "y"); /* matches nobody who is full */
    ck_assert_int_eq(drain(sub), 4);
    ck_assert_int_eq(fill_up(xpub, 100), 4);
    set_int(xpub, SIFR_XPUB_NODROP, 0);
    send_parts(xpub, "x");
    ck_assert_int_eq(drain(sub), 4);
}
END_TEST

START_TEST(a_newcomer_gets_the_welcome_message_first)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *last;
    struct endpoint e;

    set_text(xpub, SIFR_XPUB_WELCOME_MSG, "WELCOME");
    e = bind_fresh(xpub, (enum transport)_i);
    for (int n = 0; n < 3; n++) {
        sifr_socket_t *sub = new_sub("W");

        connect_to(sub, &e);
        recv_request(xpub, "\1", "W");
        send_parts(xpub, "What follows");
        recv_parts(sub, "WELCOME");
        recv_parts(sub, "What follows");
        drop(sub);
        recv_request(xpub, "\0", "W");
    }
    ck_works(sifr_setsockopt(xpub, SIFR_XPUB_WELCOME_MSG, NULL, 0));
    last = new_sub("W");
    connect_to(last, &e);
    recv_request(xpub, "\1", "W");
    send_parts(xpub, "Without");
    recv_parts(last, "Without");
}
END_TEST

START_TEST(inverted_it_sends_to_those_who_did_not_subscribe)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *one = new_socket(SIFR_XSUB), *two = new_socket(SIFR_XSUB);
    struct endpoint e;

    set_int(xpub, SIFR_INVERT_MATCHING, 1);
    e = bind_fresh(xpub, (enum transport)_i);
    connect_to(one, &e);
    connect_to(two, &e);
    send_request(one, "\1", "a");
    recv_request(xpub, "\1", "a");
    send_request(two, "\1", "b");
    recv_request(xpub, "\1", "b");
    send_parts(xpub, "a");
    send_parts(xpub, "b");
    send_parts(xpub, "c");
    recv_parts(one, "b");
    recv_parts(one, "c");
    recv_parts(two, "a");
    recv_parts(two, "c");
    recv_nothing(one);
    recv_nothing(two);
}
END_TEST

START_TEST(an_xsub_passes_on_repeated_subscriptions_and_the_last_cancel)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *xsub = new_socket(SIFR_XSUB);

    set_int(xpub, SIFR_XPUB_VERBOSER, 1);
    link_sockets(xpub, xsub, _i);
    send_request(xsub, "\1", "hello"); /* or just the distinct topics may be told to a newcomer */
    take_in(xsub, _i);
    recv_request(xpub, "\1", "hello");
    send_request(xsub, "\1", "a");
    send_request(xsub, "\1", "a");
    send_request(xsub, "\0", "a");
    send_request(xsub, "\0", "a");
    send_request(xsub, "\0", "a");
    send_request(xsub, "\1", "b");
    recv_request(xpub, "\1", "a");
    recv_request(xpub, "\1", "a");
    recv_request(xpub, "\0", "a");
    recv_request(xpub, "\1", "b");
    recv_nothing(xpub);
}
END_TEST

START_TEST(an_xsub_asked_for_it_passes_on_every_cancel)
{
    sifr_socket_t *xpub = new_socket(SIFR_XPUB), *xsub = new_socket(SIFR_XSUB);

    set_int(xpub, SIFR_XPUB_VERBOSER, 1);
    set_int(xsub, SIFR_XSUB_VERBOSE_UNSUBSCRIBE, 1);
    link_sockets(xpub, xsub, _i);
    send_request(xsub, "\1", "a");
    take_in(xsub, _i);
    recv_request(xpub, "\1", "a");
    for (int n = 0; n < 3; n++) {
        send_request(xsub, "\0", "a");
        recv_request(xpub, "\0", "a");
    }
    recv_nothing(xpub);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("XPUB and XSUB");
    TCase *c = new_case(s, "requests");

    tcase_add_loop_test(c, a_publisher_reads_who_subscribes_to_what, 0, WAYS);
    tcase_add_loop_test(c, an_xsub_subscribes_by_messages, 0, WAYS);
    tcase_add_loop_test(c, topics_of_any_length_pass_as_requests, 0, WAYS);
    tcase_add_loop_test(c, only_the_first_subscription_and_the_last_cancel_of_a_topic_are_told, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_verbose_publisher_reads_every_subscription, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_more_verbose_publisher_reads_every_cancel_too, 0, TRANSPORTS);
    tcase_add_loop_test(c, what_a_lost_peer_alone_had_subscribed_to_is_cancelled, 0, TRANSPORTS);
    tcase_add_loop_test(c, subscriptions_are_told_again_after_reconnection, 0, INPROC);
    tcase_add_loop_test(c, other_messages_of_a_subscriber_go_up, 0, WAYS);
    tcase_add_loop_test(c, with_only_first_subscribe_later_parts_are_left_alone, 0, WAYS);
    tcase_add_loop_test(c, a_chain_carries_subscriptions_up_and_messages_down, 0, WAYS);
    c = new_case(s, "manual");
    tcase_add_loop_test(c, a_manual_publisher_decides_for_the_peer_that_asked_last, 0, WAYS);
    tcase_add_loop_test(c, a_manual_publisher_decides_for_each_peer_alone, 0, TRANSPORTS);
    tcase_add_loop_test(c, the_last_value_goes_to_the_newcomer_alone, 0, TRANSPORTS);
    c = new_case(s, "the rest");
    tcase_add_loop_test(c, nodrop_waits_for_a_full_subscriber, 0, 2);
    tcase_add_loop_test(c, a_newcomer_gets_the_welcome_message_first, 0, TRANSPORTS);
    tcase_add_loop_test(c, inverted_it_sends_to_those_who_did_not_subscribe, 0, TRANSPORTS);
    tcase_add_loop_test(c, an_xsub_passes_on_repeated_subscriptions_and_the_last_cancel, 0, WAYS);
    tcase_add_loop_test(c, an_xsub_asked_for_it_passes_on_every_cancel, 0, WAYS);
    return run_suite(s);
}
