/* PUB and SUB: everybody gets what begins as he asked, and nobody holds up the others. */
#include "support.h"

#include <stdatomic.h>

static sifr_socket_t *new_sub(const char *topic)
{
    sifr_socket_t *sub = new_socket(SIFR_SUB);

    set_text(sub, SIFR_SUBSCRIBE, topic);
    return sub;
}

/*
 * Until the publisher knows all that these have subscribed to so far. To find out they subscribe to something new, and
 * get a message a round of it until all have got the same one, so that nothing is left behind.
 */
static void await_subscribers(sifr_socket_t *pub, sifr_socket_t **subs, int count)
{
    static int times;
    int64_t end = now_ms() + WAIT_MS;
    int seen[100] = {0}, all = 0;
    char topic[16];

    snprintf(topic, sizeof topic, "~%d", times++); /* a topic used before might still be known from then */
    for (int i = 0; i < count; i++)
        set_text(subs[i], SIFR_SUBSCRIBE, topic);
    for (int round = 1; all < count; round++) {
        ck_assert_int_lt(now_ms(), end);
        send_text(pub, topic, SIFR_SNDMORE);
        send_bytes(pub, &round, sizeof round, 0);
        all = 0;
        for (int i = 0; i < count; i++) {
            while (seen[i] < round && (seen[i] || readable_within(subs[i], 1))) {
                recv_text(subs[i], topic, true);
                ck_assert_int_eq(sifr_recv(subs[i], &seen[i], sizeof seen[i], 0), sizeof seen[i]);
            }
            all += seen[i] == round;
        }
    }
    for (int i = 0; i < count; i++)
        set_text(subs[i], SIFR_UNSUBSCRIBE, topic);
}

static void await_subscriber(sifr_socket_t *pub, sifr_socket_t *sub)
{
    await_subscribers(pub, &sub, 1);
}

START_TEST(a_subscriber_gets_what_begins_as_he_asked)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("abc");

    set_text(sub, SIFR_SUBSCRIBE, "x");
    link_sockets(pub, sub, _i);
    await_subscriber(pub, sub);
    send_parts(pub, "ab");
    send_parts(pub, "abc");
    send_parts(pub, "abd", "abc", "x");
    send_parts(pub, "");
    send_parts(pub, "abcdef", "", "more");
    send_parts(pub, " abc");
    send_parts(pub, "xylophone");
    send_parts(pub, "x");
    recv_parts(sub, "abc");
    recv_parts(sub, "abcdef", "", "more");
    recv_parts(sub, "xylophone");
    recv_parts(sub, "x");
    recv_nothing(sub);
}
END_TEST

START_TEST(the_empty_topic_is_everything_and_none_is_nothing)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *subs[] = {new_sub(""), new_socket(SIFR_SUB)};
    struct endpoint e = bind_fresh(pub, (enum transport)_i);

    connect_to(subs[0], &e);
    connect_to(subs[1], &e);
    await_subscribers(pub, subs, 2);
    send_parts(pub, "");
    send_parts(pub, "", "empty");
    send_parts(pub, "anything");
    recv_parts(subs[0], "");
    recv_parts(subs[0], "", "empty");
    recv_parts(subs[0], "anything");
    recv_nothing(subs[1]);
}
END_TEST

START_TEST(messages_of_any_size_reach_every_subscriber)
{
    static const size_t sizes[] = {1, 32, 33, 34, 255, 256, 8192, 65536, 1048576, 10485760};
    sifr_socket_t *pub = new_socket(SIFR_PUB), *subs[3];
    struct endpoint e = bind_fresh(pub, (enum transport)_i);

    for (int i = 0; i < COUNT(subs); i++)
        connect_to(subs[i] = new_sub(""), &e);
    await_subscribers(pub, subs, COUNT(subs));
    for (int n = 0; n < COUNT(sizes); n++) {
        send_filled(pub, sizes[n], (unsigned)n, SIFR_SNDMORE);
        send_filled(pub, sizes[COUNT(sizes) - 1 - n], 9, 0);
        for (int i = 0; i < COUNT(subs); i++) {
            recv_filled(subs[i], sizes[n], (unsigned)n, true);
            recv_filled(subs[i], sizes[COUNT(sizes) - 1 - n], 9, false);
        }
    }
}
END_TEST

START_TEST(subscriptions_are_counted)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("a");

    link_sockets(pub, sub, _i);
    set_text(sub, SIFR_SUBSCRIBE, "a");
    set_text(sub, SIFR_SUBSCRIBE, "ab");
    set_text(sub, SIFR_UNSUBSCRIBE, "unknown");
    set_text(sub, SIFR_UNSUBSCRIBE, "a");
    await_subscriber(pub, sub);
    send_parts(pub, "a1");
    send_parts(pub, "ab1"); /* matches twice, comes once */
    recv_parts(sub, "a1");
    recv_parts(sub, "ab1");
    set_text(sub, SIFR_UNSUBSCRIBE, "a");
    set_text(sub, SIFR_UNSUBSCRIBE, "a");
    await_subscriber(pub, sub);
    send_parts(pub, "a2");
    send_parts(pub, "ab2");
    recv_parts(sub, "ab2");
    set_text(sub, SIFR_UNSUBSCRIBE, "ab");
    await_subscriber(pub, sub);
    send_parts(pub, "ab3");
    set_text(sub, SIFR_SUBSCRIBE, "z");
    await_subscriber(pub, sub);
    send_parts(pub, "z");
    recv_parts(sub, "z");
    recv_nothing(sub);
}
END_TEST

START_TEST(what_is_unsubscribed_is_not_delivered_any_more)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("end");
    char topic[16];

    link_sockets(pub, sub, _i);
    for (int n = 0; n < 20; n++) {
        snprintf(topic, sizeof topic, "%d.", n);
        set_text(sub, SIFR_SUBSCRIBE, topic);
        await_subscriber(pub, sub);
        send_parts(pub, topic, "first");
        send_parts(pub, topic, "second");
        recv_parts(sub, topic, "first");
        set_text(sub, SIFR_UNSUBSCRIBE, topic); /* acts on what has come already */
        ck_assert(!readable_within(sub, 0));
        send_parts(pub, "end");
        recv_parts(sub, "end");
    }
}
END_TEST

START_TEST(who_hears_everything_may_come_to_want_less)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("");

    link_sockets(pub, sub, _i);
    await_subscriber(pub, sub);
    for (int round = 0; round < 4; round++) {
        bool polled = round % 2;

        send_parts(pub, "a1");
        send_parts(pub, "b1");
        send_parts(pub, "a2", "b2");
        send_parts(pub, "a3");
        send_parts(pub, "b3");
        send_parts(pub, "b4");
        send_parts(pub, "a4");
        recv_parts(sub, "a1");
        recv_parts(sub, "b1");
        recv_parts(sub, "a2", "b2");
        recv_parts(sub, "a3");
        set_text(sub, SIFR_SUBSCRIBE, "a");
        if (polled)
            ck_assert(readable_within(sub, WAIT_MS)); /* it is taken out, and stays wanted */
        set_text(sub, SIFR_UNSUBSCRIBE, "");
        if (polled)
            recv_parts(sub, "b3");
        recv_parts(sub, "a4");
        recv_nothing(sub);
        set_text(sub, SIFR_SUBSCRIBE, "");
        set_text(sub, SIFR_UNSUBSCRIBE, "a");
        await_subscriber(pub, sub);
    }
}
END_TEST

START_TEST(what_a_poll_has_seen_comes_first)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("");

    link_sockets(pub, sub, _i);
    await_subscriber(pub, sub);
    for (int n = 0; n < 30; n++) {
        send_parts(pub, "first");
        send_parts(pub, "second");
        send_parts(pub, "third");
        if (n % 3 == 0)
            ck_assert(readable_within(sub, WAIT_MS));
        recv_parts(sub, "first");
        if (n % 2 == 0)
            ck_assert(readable_within(sub, WAIT_MS));
        recv_parts(sub, "second");
        recv_parts(sub, "third");
    }
    recv_nothing(sub);
}
END_TEST

START_TEST(topics_are_any_bytes_of_any_length)
{
    static const size_t sizes[] = {0, 1, 2, 244, 245, 246, 247, 253, 254, 255, 256, 257, 1000, 70000};

    for (int n = 0; n < COUNT(sizes); n++) {
        sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_socket(SIFR_SUB);
        uint8_t topic[70001];

        memset(topic, 0, sizeof topic);
        for (size_t k = 0; k < sizes[n]; k++)
            topic[k] = (uint8_t)(k * 3);
        ck_works(sifr_setsockopt(sub, SIFR_SUBSCRIBE, topic, sizes[n]));
        link_sockets(pub, sub, _i);
        await_subscriber(pub, sub);
        send_bytes(pub, topic, sizes[n], 0);
        if (sizes[n] > 0)
            send_bytes(pub, topic, sizes[n] - 1, 0);
        send_bytes(pub, topic, sizes[n] + 1, 0);
        recv_bytes(sub, topic, sizes[n], false);
        recv_bytes(sub, topic, sizes[n] + 1, false);
        recv_nothing(sub);
        drop(pub);
        drop(sub);
    }
}
END_TEST

START_TEST(each_subscriber_gets_his_own_selection)
{
    enum { SUBS = 20 };
    sifr_socket_t *pub = new_socket(SIFR_PUB), *subs[SUBS];
    struct endpoint e = bind_fresh(pub, (enum transport)_i);
    char topic[16];

    for (int i = 0; i < SUBS; i++) {
        subs[i] = new_socket(SIFR_SUB);
        for (int k = 0; k <= i; k++) {
            snprintf(topic, sizeof topic, "topic %d.", k);
            set_text(subs[i], SIFR_SUBSCRIBE, topic);
        }
        connect_to(subs[i], &e);
    }
    await_subscribers(pub, subs, SUBS);
    for (int n = 0; n < 3; n++)
        for (int k = 0; k < SUBS; k++) {
            snprintf(topic, sizeof topic, "topic %d.%d", k, n);
            send_parts(pub, topic);
        }
    for (int i = 0; i < SUBS; i++) {
        for (int n = 0; n < 3; n++)
            for (int k = 0; k <= i; k++) {
                snprintf(topic, sizeof topic, "topic %d.%d", k, n);
                recv_parts(subs[i], topic);
            }
        recv_nothing(subs[i]);
    }
}
END_TEST

START_TEST(thousands_of_subscriptions_all_arrive)
{
    enum { TOPICS = 20000 };
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_socket(SIFR_SUB);
    char topic[16];

    set_int(pub, SIFR_SNDHWM, 0);
    set_int(sub, SIFR_RCVHWM, 0);
    for (int i = 0; i < TOPICS / 2; i++) {
        snprintf(topic, sizeof topic, "%d.", i);
        set_text(sub, SIFR_SUBSCRIBE, topic);
    }
    link_sockets(pub, sub, _i);
    for (int i = TOPICS / 2; i < TOPICS; i++) {
        snprintf(topic, sizeof topic, "%d.", i);
        set_text(sub, SIFR_SUBSCRIBE, topic);
    }
    await_subscriber(pub, sub);
    for (int i = 0; i < TOPICS; i += 7) {
        snprintf(topic, sizeof topic, "%d.", i);
        send_parts(pub, topic);
        topic[strlen(topic) - 1] = '!';
        send_parts(pub, topic);
    }
    for (int i = 0; i < TOPICS; i += 7) {
        snprintf(topic, sizeof topic, "%d.", i);
        recv_parts(sub, topic);
    }
    recv_nothing(sub);
}
END_TEST

/* ---- Flow ---------------------------------------------------------------------------------------------------- */

enum { NUMBERED = 100000 };

static void *send_numbered(void *pub)
{
    for (uint32_t i = 0; i < NUMBERED; i++)
        send_bytes(pub, &i, sizeof i, 0);
    return NULL;
}

START_TEST(a_hundred_thousand_messages_keep_their_order)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *subs[] = {new_sub(""), new_sub("")};
    struct endpoint e;
    pthread_t sender;

    set_int(pub, SIFR_XPUB_NODROP, 1);
    e = bind_fresh(pub, (enum transport)_i);
    connect_to(subs[0], &e);
    connect_to(subs[1], &e);
    await_subscribers(pub, subs, 2);
    sender = start_thread(send_numbered, pub);
    for (uint32_t i = 0; i < NUMBERED; i++) {
        recv_bytes(subs[0], &i, sizeof i, false);
        recv_bytes(subs[1], &i, sizeof i, false);
    }
    pthread_join(sender, NULL);
}
END_TEST

START_TEST(a_publisher_never_waits)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB);

    ck_assert_int_eq(get_int(pub, SIFR_EVENTS), SIFR_POLLOUT);
    send_parts(pub, "to", "nobody");
    bind_fresh(pub, (enum transport)_i);
    for (int n = 0; n < 10000; n++)
        send_parts(pub, "to nobody");
    ck_assert_int_eq(get_int(pub, SIFR_EVENTS), SIFR_POLLOUT);
}
END_TEST

START_TEST(a_slow_subscriber_loses_the_newest_whole_messages_and_others_none)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *subs[] = {new_sub(""), new_sub("")};
    struct endpoint e;

    set_int(pub, SIFR_SNDHWM, 5);
    set_int(subs[0], SIFR_RCVHWM, 5);
    set_int(subs[1], SIFR_RCVHWM, 100);
    e = bind_fresh(pub, INPROC);
    connect_to(subs[0], &e);
    connect_to(subs[1], &e);
    await_subscribers(pub, subs, 2);
    for (int turn = 0; turn < 3; turn++) {
        int got = 0;

        get_int(pub, SIFR_EVENTS); /* takes in what they have read */
        for (int n = 0; n < 30; n++) {
            send_bytes(pub, &n, sizeof n, SIFR_SNDMORE);
            send_text(pub, "second", 0);
        }
        for (int n = 0; n < 30; n++) {
            recv_bytes(subs[1], &n, sizeof n, true);
            recv_text(subs[1], "second", false);
        }
        while (readable_within(subs[0], 0)) {
            recv_bytes(subs[0], &got, sizeof got, true);
            recv_text(subs[0], "second", false);
            got++;
        }
        ck_assert(got > 5 && got <= 10); /* 5 + 5, but for a half not yet given back */
    }
}
END_TEST

START_TEST(a_stopped_subscriber_over_a_wire_loses_messages_but_no_order)
{
    enum { SIZE = 50000, SENT = 2000 };
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("");
    int last = -1, got = 0;

    set_int(pub, SIFR_SNDHWM, 10);
    set_int(sub, SIFR_RCVHWM, 10);
    link_sockets(pub, sub, _i);
    await_subscriber(pub, sub);
    for (int n = 0; n < SENT; n++) {
        send_bytes(pub, &n, sizeof n, SIFR_SNDMORE);
        send_filled(pub, SIZE, (unsigned)n, 0);
    }
    while (readable_within(sub, 200)) {
        int n;

        ck_assert_int_eq(sifr_recv(sub, &n, sizeof n, 0), sizeof n);
        ck_assert_int_gt(n, last);
        recv_filled(sub, SIZE, (unsigned)n, false);
        last = n;
        got++;
    }
    ck_assert_int_ge(got, 10);
    ck_assert_int_lt(got, SENT);
    send_parts(pub, "it goes on");
    recv_parts(sub, "it goes on");
}
END_TEST

START_TEST(nodrop_says_when_a_subscriber_is_full)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("");

    int room;

    set_int(pub, SIFR_XPUB_NODROP, 1);
    set_int(pub, SIFR_SNDHWM, 2);
    set_int(sub, SIFR_RCVHWM, 2);
    link_sockets(pub, sub, 2 * INPROC + _i);
    await_subscriber(pub, sub);
    room = fill_up(pub, 100);
    ck_assert(room == 3 || room == 4); /* one read may not have been given back */
    set_int(pub, SIFR_SNDTIMEO, 20);
    ck_fails(sifr_send(pub, "x", 1, 0), EAGAIN);
    ck_assert_int_eq(drain(sub), room);
    room = fill_up(pub, 100);
    ck_assert(room == 3 || room == 4);
    ck_assert_int_eq(drain(sub), room);
}
END_TEST

START_TEST(conflate_keeps_the_newest)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("");
    int got = -1;

    set_int(sub, SIFR_CONFLATE, 1);
    set_int(pub, SIFR_CONFLATE, 1);
    link_sockets(pub, sub, _i);
    eventually(sifr_send(pub, &got, sizeof got, 0) > 0 && readable_within(sub, 0));
    for (int i = 0; i <= 1000; i++)
        send_bytes(pub, &i, sizeof i, 0);
    while (got != 1000) {
        int last = got;

        ck_assert_int_eq(sifr_recv(sub, &got, sizeof got, 0), sizeof got);
        ck_assert_int_ge(got, last);
    }
    recv_nothing(sub);
}
END_TEST

/* ---- Connections --------------------------------------------------------------------------------------------- */

START_TEST(connecting_first_is_as_good)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("a");
    struct endpoint e = fresh_endpoint((enum transport)(_i / 2));

    connect_to(_i % 2 ? pub : sub, &e);
    bind_to(_i % 2 ? sub : pub, &e);
    set_text(sub, SIFR_SUBSCRIBE, "b");
    await_subscriber(pub, sub);
    send_parts(pub, "a");
    send_parts(pub, "b");
    recv_parts(sub, "a");
    recv_parts(sub, "b");
}
END_TEST

START_TEST(subscriptions_are_told_again_to_a_publisher_who_comes_back)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("a");
    struct endpoint e = bind_fresh(pub, (enum transport)_i);

    set_text(sub, SIFR_SUBSCRIBE, "gone");
    set_text(sub, SIFR_UNSUBSCRIBE, "gone");
    set_int(sub, SIFR_RECONNECT_IVL, 5);
    connect_to(sub, &e);
    for (int life = 0; life < 5; life++) {
        await_subscriber(pub, sub);
        send_parts(pub, "gone");
        send_parts(pub, "b");
        send_parts(pub, "a");
        recv_parts(sub, "a");
        drop(pub);
        pub = new_socket(SIFR_PUB);
        rebind_to(pub, &e);
    }
}
END_TEST

START_TEST(a_bound_subscriber_tells_each_publisher_that_comes)
{
    sifr_socket_t *sub = new_sub("a");
    struct endpoint e = bind_fresh(sub, (enum transport)_i);

    for (int life = 0; life < 5; life++) {
        sifr_socket_t *pub = new_socket(SIFR_PUB);

        connect_to(pub, &e);
        await_subscriber(pub, sub);
        send_parts(pub, "a");
        recv_parts(sub, "a");
        drop(pub);
    }
}
END_TEST

START_TEST(a_subscriber_hears_all_its_publishers)
{
    enum { PUBS = 3, EACH = 50 };
    sifr_socket_t *sub = new_sub("a"), *pubs[PUBS];
    int heard[PUBS] = {0};

    for (int i = 0; i < PUBS; i++) {
        struct endpoint e = bind_fresh(pubs[i] = new_socket(SIFR_PUB), (enum transport)_i);

        connect_to(sub, &e);
    }
    for (int i = 0; i < PUBS; i++)
        await_subscriber(pubs[i], sub);
    for (int n = 0; n < EACH; n++)
        for (int i = 0; i < PUBS; i++) {
            send_text(pubs[i], "a", SIFR_SNDMORE);
            send_bytes(pubs[i], &i, sizeof i, 0);
        }
    for (int n = 0; n < PUBS * EACH; n++) {
        int who;

        recv_text(sub, "a", true);
        ck_assert_int_eq(sifr_recv(sub, &who, sizeof who, 0), sizeof who);
        heard[who]++;
    }
    for (int i = 0; i < PUBS; i++)
        ck_assert_int_eq(heard[i], EACH);
}
END_TEST

START_TEST(a_second_connect_to_the_same_endpoint_does_nothing)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_sub("a");
    struct endpoint e = bind_fresh(pub, (enum transport)_i);

    connect_to(sub, &e);
    connect_to(sub, &e);
    await_subscriber(pub, sub);
    send_parts(pub, "a1");
    send_parts(pub, "a2");
    recv_parts(sub, "a1");
    recv_parts(sub, "a2");
    recv_nothing(sub);
}
END_TEST

START_TEST(a_subscriber_that_leaves_does_not_disturb)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *subs[10];
    struct endpoint e = bind_fresh(pub, (enum transport)_i);

    for (int i = 0; i < COUNT(subs); i++)
        connect_to(subs[i] = new_sub("a"), &e);
    await_subscribers(pub, subs, COUNT(subs));
    for (int left = COUNT(subs); left > 0; left--) {
        send_text(pub, "a", SIFR_SNDMORE);
        send_bytes(pub, &left, sizeof left, 0);
        for (int i = 0; i < left; i++) {
            recv_text(subs[i], "a", true);
            recv_bytes(subs[i], &left, sizeof left, false);
        }
        drop(subs[left - 1]);
    }
    send_parts(pub, "a", "to nobody");
}
END_TEST

/* ---- The rest ------------------------------------------------------------------------------------------------ */

START_TEST(inverted_both_ends_deliver_what_does_not_match)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_socket(SIFR_SUB);

    set_int(pub, SIFR_INVERT_MATCHING, 1);
    set_int(sub, SIFR_INVERT_MATCHING, 1);
    set_text(sub, SIFR_SUBSCRIBE, "no");
    link_sockets(pub, sub, _i);
    eventually(sifr_send(pub, "hello", 5, 0) == 5 && readable_within(sub, 0));
    send_parts(pub, "no");
    send_parts(pub, "nothing of this", "hello");
    send_parts(pub, "end", "of this");
    for (char text[16];;) { /* the hellos, and nothing in between */
        int n = sifr_recv(sub, text, sizeof text, 0);

        ck_assert_int_gt(n, 0);
        if (n == 3)
            break;
        ck_assert_int_eq(n, 5);
        ck_assert_mem_eq(text, "hello", 5);
    }
    recv_parts(sub, "of this");
    recv_nothing(sub);
}
END_TEST

static void count_free(void *data, void *count)
{
    free(data);
    atomic_fetch_add((_Atomic int *)count, 1);
}

/* It waits in the queue when the SUB stops wanting it. */
START_TEST(what_is_passed_over_is_let_go_of)
{
    enum { MANY = 100, SIZE = 9000 };
    sifr_socket_t *pub, *sub;
    static _Atomic int freed;
    char bytes[8];

    new_link(&pub, SIFR_PUB, &sub, SIFR_SUB, 2 * INPROC);
    set_text(sub, SIFR_SUBSCRIBE, "");
    eventually(get_int(pub, SIFR_TOPICS_COUNT) == 1);
    for (int i = 0; i < MANY; i++) {
        char *data = malloc(SIZE);
        sifr_msg_t m;

        ck_assert_ptr_nonnull(data);
        memset(data, 'x', SIZE);
        ck_works(sifr_msg_init_data(&m, data, SIZE, count_free, &freed));
        ck_assert_int_eq(sifr_msg_send(&m, pub, 0), SIZE);
        send_text(pub, "x", 0);
    }
    send_text(pub, "a", 0);
    set_text(sub, SIFR_SUBSCRIBE, "a");
    set_text(sub, SIFR_UNSUBSCRIBE, "");
    if (_i) {
        ck_assert_int_eq(sifr_recv(sub, bytes, sizeof bytes, 0), 1);
    } else {
        sifr_msg_t m;

        sifr_msg_init(&m);
        ck_assert_int_eq(sifr_msg_recv(&m, sub, 0), 1);
        sifr_msg_close(&m);
    }
    drop(sub);
    drop(pub);
    eventually(atomic_load(&freed) == MANY);
}
END_TEST

START_TEST(pub_only_sends_and_sub_only_receives)
{
    sifr_socket_t *pub, *sub;
    int topic = 0;

    new_link(&pub, SIFR_PUB, &sub, SIFR_SUB, _i);
    ck_fails(sifr_recv(pub, NULL, 0, SIFR_DONTWAIT), ENOTSUP);
    ck_fails(sifr_send(sub, "x", 1, SIFR_DONTWAIT), ENOTSUP);
    ck_fails(sifr_setsockopt(pub, SIFR_SUBSCRIBE, "a", 1), EINVAL);
    ck_fails(sifr_setsockopt(pub, SIFR_UNSUBSCRIBE, &topic, sizeof topic), EINVAL);
    ck_assert_int_eq(get_int(sub, SIFR_EVENTS), 0);
}
END_TEST

START_TEST(topics_are_told_by_number)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *subs[] = {new_sub("a"), new_sub("a")};
    struct endpoint e = bind_fresh(pub, (enum transport)_i);

    ck_assert_int_eq(get_int(pub, SIFR_TOPICS_COUNT), 0);
    for (int i = 0; i < 2; i++) {
        set_text(subs[i], SIFR_SUBSCRIBE, "a");
        set_text(subs[i], SIFR_SUBSCRIBE, i ? "b" : "c");
        ck_assert_int_eq(get_int(subs[i], SIFR_TOPICS_COUNT), 2);
        connect_to(subs[i], &e);
    }
    eventually(get_int(pub, SIFR_TOPICS_COUNT) == 3);
    drop(subs[0]);
    eventually(get_int(pub, SIFR_TOPICS_COUNT) == 2);
    set_text(subs[1], SIFR_UNSUBSCRIBE, "a");
    ck_assert_int_eq(get_int(subs[1], SIFR_TOPICS_COUNT), 2);
    set_text(subs[1], SIFR_UNSUBSCRIBE, "a");
    ck_assert_int_eq(get_int(subs[1], SIFR_TOPICS_COUNT), 1);
    eventually(get_int(pub, SIFR_TOPICS_COUNT) == 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("PUB and SUB");
    TCase *c = new_case(s, "topics");

    tcase_add_loop_test(c, a_subscriber_gets_what_begins_as_he_asked, 0, WAYS);
    tcase_add_loop_test(c, the_empty_topic_is_everything_and_none_is_nothing, 0, TRANSPORTS);
    tcase_add_loop_test(c, messages_of_any_size_reach_every_subscriber, 0, TRANSPORTS);
    tcase_add_loop_test(c, subscriptions_are_counted, 0, WAYS);
    tcase_add_loop_test(c, what_is_unsubscribed_is_not_delivered_any_more, 0, WAYS);
    tcase_add_loop_test(c, who_hears_everything_may_come_to_want_less, 0, WAYS);
    tcase_add_loop_test(c, what_a_poll_has_seen_comes_first, 0, WAYS);
    tcase_add_loop_test(c, topics_are_any_bytes_of_any_length, 0, WAYS);
    tcase_add_loop_test(c, each_subscriber_gets_his_own_selection, 0, TRANSPORTS);
    tcase_add_loop_test(c, thousands_of_subscriptions_all_arrive, 0, WAYS);
    tcase_add_loop_test(c, topics_are_told_by_number, 0, TRANSPORTS);
    c = new_case(s, "flow");
    tcase_add_loop_test(c, a_hundred_thousand_messages_keep_their_order, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_publisher_never_waits, 0, TRANSPORTS);
    tcase_add_test(c, a_slow_subscriber_loses_the_newest_whole_messages_and_others_none);
    tcase_add_loop_test(c, a_stopped_subscriber_over_a_wire_loses_messages_but_no_order, 0, WIRE_WAYS);
    tcase_add_loop_test(c, nodrop_says_when_a_subscriber_is_full, 0, 2);
    tcase_add_loop_test(c, conflate_keeps_the_newest, 0, WAYS);
    c = new_case(s, "connections");
    tcase_add_loop_test(c, connecting_first_is_as_good, 0, WAYS);
    tcase_add_loop_test(c, subscriptions_are_told_again_to_a_publisher_who_comes_back, 0, INPROC);
    tcase_add_loop_test(c, a_bound_subscriber_tells_each_publisher_that_comes, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_subscriber_hears_all_its_publishers, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_second_connect_to_the_same_endpoint_does_nothing, 0, INPROC);
    tcase_add_loop_test(c, a_subscriber_that_leaves_does_not_disturb, 0, TRANSPORTS);
    c = new_case(s, "the rest");
    tcase_add_loop_test(c, inverted_both_ends_deliver_what_does_not_match, 0, WAYS);
    tcase_add_loop_test(c, what_is_passed_over_is_let_go_of, 0, 2);
    tcase_add_loop_test(c, pub_only_sends_and_sub_only_receives, 0, WAYS);
    return run_suite(s);
}
