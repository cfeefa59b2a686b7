/* DEALER and ROUTER: messages in turn to anybody, and to the one who is named. */
#include "support.h"

enum { PEERS = 3, SHARE = 10 };

/* Reads the id part of a message, or of one that has just the id. */
static size_t recv_id(sifr_socket_t *router, uint8_t id[256])
{
    int n = sifr_recv(router, id, 256, 0);

    ck_assert_msg(n >= 0, "no id: errno %d (%s)", errno, strerror(errno));
    ck_assert_int_eq(get_int(router, SIFR_RCVMORE), 1);
    return (size_t)n;
}

/* Until this id is known to the router, and what was sent to find out has been read. */
static void await_route(sifr_socket_t *router, const char *id, sifr_socket_t *peer)
{
    set_int(router, SIFR_ROUTER_MANDATORY, 1);
    eventually(sifr_send(router, id, strlen(id), SIFR_SNDMORE | SIFR_DONTWAIT) == (int)strlen(id));
    send_text(router, "route", 0);
    if (get_int(peer, SIFR_TYPE) == SIFR_ROUTER)
        ck_assert_int_ge(sifr_recv(peer, NULL, 0, 0), 0);
    recv_text(peer, "route", false);
    set_int(router, SIFR_ROUTER_MANDATORY, 0);
}

START_TEST(a_router_learns_who_sent_and_answers)
{
    static const size_t sizes[] = {0, 1, 33, 34, 255, 256, 8192, 65536, 1048576, 10485760};
    sifr_socket_t *dealer, *router;
    uint8_t id[256];

    new_link(&dealer, SIFR_DEALER, &router, SIFR_ROUTER, _i);
    for (int i = 0; i < COUNT(sizes); i++) {
        send_filled(dealer, sizes[i], 1, SIFR_SNDMORE);
        send_filled(dealer, 0, 0, SIFR_SNDMORE);
        send_filled(dealer, 3, 3, 0);
        ck_assert_uint_eq(recv_id(router, id), 5);
        ck_assert_uint_eq(id[0], 0);
        recv_filled(router, sizes[i], 1, true);
        recv_filled(router, 0, 0, true);
        recv_filled(router, 3, 3, false);
        send_bytes(router, id, 5, SIFR_SNDMORE);
        send_filled(router, 7, 7, SIFR_SNDMORE);
        send_filled(router, sizes[i], 2, 0);
        recv_filled(dealer, 7, 7, true);
        recv_filled(dealer, sizes[i], 2, false);
    }
}
END_TEST

enum { NUMBERED = 100000 };

static void *send_numbered(void *dealer)
{
    for (uint32_t i = 0; i < NUMBERED; i++)
        send_bytes(dealer, &i, sizeof i, 0);
    return NULL;
}

START_TEST(a_hundred_thousand_messages_keep_their_order)
{
    sifr_socket_t *dealer, *router;
    pthread_t sender;

    new_link(&dealer, SIFR_DEALER, &router, SIFR_ROUTER, _i);
    sender = start_thread(send_numbered, dealer);
    for (uint32_t i = 0; i < NUMBERED; i++) {
        uint8_t id[256];
        uint32_t got;

        ck_assert_uint_eq(recv_id(router, id), 5);
        ck_assert_int_eq(sifr_recv(router, &got, sizeof got, 0), sizeof got);
        ck_assert_uint_eq(got, i);
    }
    pthread_join(sender, NULL);
}
END_TEST

START_TEST(each_peer_has_an_id_of_its_own)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *dealer[PEERS];
    struct endpoint e = bind_fresh(router, (enum transport)_i);
    uint8_t id[PEERS][256];

    for (int i = 0; i < PEERS; i++) {
        connect_to(dealer[i] = new_socket(SIFR_DEALER), &e);
        send_bytes(dealer[i], &i, sizeof i, 0);
        ck_assert_uint_eq(recv_id(router, id[i]), 5);
        recv_bytes(router, &i, sizeof i, false);
        for (int k = 0; k < i; k++)
            ck_assert_mem_ne(id[i], id[k], 5);
    }
    for (int n = 0; n < SHARE; n++)
        for (int i = PEERS - 1; i >= 0; i--) {
            send_bytes(router, id[i], 5, SIFR_SNDMORE);
            send_bytes(router, &i, sizeof i, 0);
        }
    for (int i = 0; i < PEERS; i++)
        for (int n = 0; n < SHARE; n++)
            recv_bytes(dealer[i], &i, sizeof i, false);
}
END_TEST

START_TEST(a_peer_may_choose_any_id_of_1_to_255_bytes)
{
    static const size_t sizes[] = {1, 2, 5, 100, 254, 255};
    sifr_socket_t *router = new_socket(SIFR_ROUTER);
    struct endpoint e = bind_fresh(router, (enum transport)_i);

    for (int i = 0; i < COUNT(sizes); i++) {
        sifr_socket_t *dealer = new_socket(SIFR_DEALER);
        uint8_t want[256], id[256];
        size_t room = sizeof id;

        for (size_t k = 0; k < sizes[i]; k++)
            want[k] = (uint8_t)(255 - i - k); /* a zero byte may stand anywhere but first */
        ck_works(sifr_setsockopt(dealer, SIFR_ROUTING_ID, want, sizes[i]));
        ck_works(sifr_getsockopt(dealer, SIFR_ROUTING_ID, id, &room));
        ck_assert_uint_eq(room, sizes[i]);
        ck_assert_mem_eq(id, want, sizes[i]);
        connect_to(dealer, &e);
        send_parts(dealer, "hello");
        recv_bytes(router, want, sizes[i], true);
        recv_parts(router, "hello");
        send_bytes(router, want, sizes[i], SIFR_SNDMORE);
        send_parts(router, "you");
        recv_parts(dealer, "you");
    }
}
END_TEST

START_TEST(messages_to_nobody_are_swallowed_whole)
{
    sifr_socket_t *dealer = new_socket(SIFR_DEALER), *router = new_socket(SIFR_ROUTER);

    set_text(dealer, SIFR_ROUTING_ID, "peer");
    send_parts(router, "nobody", "at", "all");
    link_sockets(dealer, router, _i);
    send_parts(dealer, "hello");
    recv_parts(router, "peer", "hello");
    ck_assert_int_eq(get_int(router, SIFR_EVENTS), SIFR_POLLOUT);
    send_parts(router, "nobody", "is", "called", "so");
    send_parts(router, "peer"); /* just an id */
    send_parts(router, "nobody");
    send_parts(router, "", "empty name");
    send_parts(router, "peer", "you", "");
    recv_parts(dealer, "you", "");
    recv_nothing(dealer);
}
END_TEST

START_TEST(a_mandatory_router_reports_who_is_unknown_at_the_first_part)
{
    sifr_socket_t *dealer = new_socket(SIFR_DEALER), *router = new_socket(SIFR_ROUTER);

    set_text(dealer, SIFR_ROUTING_ID, "peer");
    set_int(router, SIFR_ROUTER_MANDATORY, 1);
    ck_assert_int_eq(get_int(router, SIFR_EVENTS), 0);
    ck_fails(sifr_send(router, "nobody", 6, SIFR_SNDMORE), EHOSTUNREACH);
    link_sockets(dealer, router, _i);
    send_parts(dealer, "hello");
    recv_parts(router, "peer", "hello");
    ck_assert_int_eq(get_int(router, SIFR_EVENTS), SIFR_POLLOUT);
    ck_fails(sifr_send(router, "nobody", 6, SIFR_SNDMORE), EHOSTUNREACH);
    send_parts(router, "peer", "the next part is a first one again");
    recv_parts(dealer, "the next part is a first one again");
    drop(dealer);
    if (_i / 2 != INPROC && _i % 2 == 0)
        return; /* the router dials and keeps the place for him */
    eventually(sifr_send(router, "peer", 4, SIFR_SNDMORE | SIFR_DONTWAIT) == -1 || sifr_send(router, "", 0, 0) != 0);
    ck_fails(sifr_send(router, "peer", 4, SIFR_SNDMORE), EHOSTUNREACH);
    eventually(get_int(router, SIFR_EVENTS) == 0);
}
END_TEST

START_TEST(a_full_peer_costs_its_messages_or_stops_a_mandatory_router)
{
    sifr_socket_t *dealer = new_socket(SIFR_DEALER), *router = new_socket(SIFR_ROUTER);

    set_text(dealer, SIFR_ROUTING_ID, "peer");
    set_int(dealer, SIFR_RCVHWM, 1);
    set_int(router, SIFR_SNDHWM, 1);
    link_sockets(dealer, router, 2 * INPROC + _i);
    send_parts(dealer, "hello");
    recv_parts(router, "peer", "hello");
    send_parts(router, "peer", "1", "one");
    send_parts(router, "peer", "2", "two");
    send_parts(router, "peer", "3", "three"); /* no room: dropped */
    send_parts(router, "peer", "4", "four");
    set_int(router, SIFR_ROUTER_MANDATORY, 1);
    ck_fails(sifr_send(router, "peer", 4, SIFR_SNDMORE | SIFR_DONTWAIT), EAGAIN);
    ck_assert(!writable_within(router, 0));
    set_int(router, SIFR_SNDTIMEO, 50);
    ck_fails(sifr_send(router, "peer", 4, SIFR_SNDMORE), EAGAIN);
    recv_parts(dealer, "1", "one");
    recv_parts(dealer, "2", "two");
    recv_nothing(dealer);
    ck_assert(writable_within(router, WAIT_MS));
    send_parts(router, "peer", "5", "five");
    recv_parts(dealer, "5", "five");
}
END_TEST

START_TEST(a_second_peer_of_the_same_name_waits_until_it_is_free)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *first = new_socket(SIFR_DEALER), *third = new_socket(SIFR_DEALER);
    sifr_socket_t *second = new_socket(SIFR_DEALER);
    struct endpoint e = bind_fresh(router, (enum transport)_i);

    set_text(first, SIFR_ROUTING_ID, "twin");
    set_text(second, SIFR_ROUTING_ID, "twin");
    connect_to(first, &e);
    send_parts(first, "first");
    recv_parts(router, "twin", "first");
    connect_to(second, &e);
    send_parts(second, "second");
    connect_to(third, &e);
    send_parts(third, "third");
    ck_assert_int_eq(sifr_recv(router, NULL, 0, 0), 5);
    recv_parts(router, "third");
    ck_assert(!readable_within(router, 50));
    send_parts(router, "twin", "you");
    recv_parts(first, "you");
    recv_nothing(second);
    drop(first);
    recv_parts(router, "twin", "second");
    send_parts(router, "twin", "you too");
    recv_parts(second, "you too");
}
END_TEST

START_TEST(with_handover_the_newcomer_takes_the_name)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *first = new_socket(SIFR_DEALER);
    sifr_socket_t *second = new_socket(SIFR_DEALER);
    struct endpoint e;

    set_int(router, SIFR_ROUTER_HANDOVER, 1);
    set_text(first, SIFR_ROUTING_ID, "twin");
    set_text(second, SIFR_ROUTING_ID, "twin");
    set_int(first, SIFR_RECONNECT_IVL, -1); /* or the two would take it from each other in turn */
    e = bind_fresh(router, (enum transport)_i);
    connect_to(first, &e);
    send_parts(first, "first");
    recv_parts(router, "twin", "first");
    connect_to(second, &e);
    send_parts(second, "second");
    recv_parts(router, "twin", "second");
    send_parts(router, "twin", "you");
    recv_parts(second, "you");
    recv_nothing(first);
}
END_TEST

START_TEST(a_probe_tells_a_router_of_its_peer)
{
    sifr_socket_t *dealer = new_socket(SIFR_DEALER), *router = new_socket(SIFR_ROUTER);

    set_text(dealer, SIFR_ROUTING_ID, "peer");
    set_int(dealer, SIFR_PROBE_ROUTER, 1);
    link_sockets(dealer, router, _i);
    recv_parts(router, "peer", "");
    send_parts(router, "peer", "welcome");
    recv_parts(dealer, "welcome");
}
END_TEST

START_TEST(two_routers_find_each_other_by_probes)
{
    sifr_socket_t *a = new_socket(SIFR_ROUTER), *b = new_socket(SIFR_ROUTER);

    set_text(a, SIFR_ROUTING_ID, "A");
    set_text(b, SIFR_ROUTING_ID, "B");
    set_int(a, SIFR_PROBE_ROUTER, 1);
    link_sockets(a, b, _i);
    recv_parts(b, "A", "");
    send_parts(b, "A", "from", "B");
    recv_parts(a, "B", "from", "B");
    send_parts(a, "B", "from", "A");
    recv_parts(b, "A", "from", "A");
}
END_TEST

START_TEST(the_connecting_router_may_name_its_peer)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *one = new_socket(SIFR_DEALER), *two = new_socket(SIFR_DEALER);
    struct endpoint e1 = fresh_endpoint((enum transport)_i), e2 = fresh_endpoint((enum transport)_i);

    if (_i == INPROC) { /* a name may be used before its connection is there only on a wire */
        bind_to(one, &e1);
        bind_to(two, &e2);
    }
    set_int(router, SIFR_ROUTER_MANDATORY, 1);
    set_text(one, SIFR_ROUTING_ID, "unused");
    set_text(router, SIFR_CONNECT_ROUTING_ID, "one");
    connect_to(router, &e1);
    set_text(router, SIFR_CONNECT_ROUTING_ID, "two");
    connect_to(router, &e2);
    send_parts(router, "two", "to two");
    send_parts(router, "one", "to one");
    if (_i != INPROC) {
        bind_to(one, &e1);
        bind_to(two, &e2);
    }
    recv_parts(one, "to one");
    recv_parts(two, "to two");
    send_parts(one, "from one");
    recv_parts(router, "one", "from one");
    send_parts(two, "from two");
    recv_parts(router, "two", "from two");
    ck_fails(sifr_send(router, "unused", 6, SIFR_SNDMORE), EHOSTUNREACH);
}
END_TEST

START_TEST(a_name_given_twice_fails_the_connect)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *dealer = new_socket(SIFR_DEALER);
    struct endpoint e = bind_fresh(dealer, (enum transport)_i), other = fresh_endpoint((enum transport)_i);

    set_text(router, SIFR_CONNECT_ROUTING_ID, "one");
    connect_to(router, &e);
    set_text(router, SIFR_CONNECT_ROUTING_ID, "one");
    ck_fails(sifr_connect(router, other.text), EINVAL);
    connect_to(router, &other); /* the name is forgotten, and an automatic one taken */
    send_parts(router, "one", "hello");
    recv_parts(dealer, "hello");
}
END_TEST

START_TEST(a_router_is_told_who_comes_and_goes)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER);
    struct endpoint e;

    set_int(router, SIFR_ROUTER_NOTIFY, SIFR_NOTIFY_CONNECT | SIFR_NOTIFY_DISCONNECT);
    e = bind_fresh(router, (enum transport)_i);
    for (int n = 0; n < 3; n++) {
        sifr_socket_t *dealer = new_socket(SIFR_DEALER);

        set_text(dealer, SIFR_ROUTING_ID, "peer");
        connect_to(dealer, &e);
        recv_parts(router, "peer", "");
        send_parts(dealer, "hello");
        recv_parts(router, "peer", "hello");
        drop(dealer);
        recv_parts(router, "peer", "");
    }
}
END_TEST

START_TEST(who_comes_and_goes_is_told_as_it_was_to_be_at_the_bind)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *a = new_socket(SIFR_DEALER), *b = new_socket(SIFR_DEALER);
    struct endpoint untold = bind_fresh(router, (enum transport)_i), told;

    set_int(router, SIFR_ROUTER_NOTIFY, SIFR_NOTIFY_CONNECT | SIFR_NOTIFY_DISCONNECT);
    told = bind_fresh(router, (enum transport)_i);
    set_int(router, SIFR_ROUTER_NOTIFY, 0);
    set_text(a, SIFR_ROUTING_ID, "a");
    connect_to(a, &untold);
    send_parts(a, "hello");
    recv_parts(router, "a", "hello");
    set_text(b, SIFR_ROUTING_ID, "b");
    connect_to(b, &told);
    recv_parts(router, "b", "");
    drop(a);
    drop(b);
    recv_parts(router, "b", "");
}
END_TEST

START_TEST(hello_is_the_first_message_to_each_peer)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *dealer = new_socket(SIFR_DEALER);

    set_text(router, SIFR_HELLO_MSG, "HELLO");
    link_sockets(router, dealer, _i);
    recv_parts(dealer, "HELLO");
    send_parts(dealer, "hi");
    ck_assert_int_eq(sifr_recv(router, NULL, 0, 0), 5);
    recv_parts(router, "hi");
}
END_TEST

START_TEST(a_lost_peer_leaves_its_disconnect_message_and_the_other_side_a_hiccup)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *dealer = new_socket(SIFR_DEALER);
    struct endpoint e;

    set_text(router, SIFR_DISCONNECT_MSG, "GONE");
    e = bind_fresh(router, (enum transport)_i);
    set_text(dealer, SIFR_ROUTING_ID, "peer");
    connect_to(dealer, &e);
    send_parts(dealer, "hi");
    recv_parts(router, "peer", "hi");
    drop(dealer);
    recv_parts(router, "peer", "GONE");

    if (_i == INPROC)
        return; /* which has no reconnection */
    dealer = new_socket(SIFR_DEALER);
    set_text(dealer, SIFR_HICCUP_MSG, "HICCUP");
    set_int(dealer, SIFR_RECONNECT_IVL, 5);
    connect_to(dealer, &e);
    send_parts(dealer, "hi");
    ck_assert_int_eq(sifr_recv(router, NULL, 0, 0), 5);
    recv_parts(router, "hi");
    drop(router);
    recv_parts(dealer, "HICCUP");
}
END_TEST

/* ---- Turns --------------------------------------------------------------------------------------------------- */

START_TEST(a_dealer_sends_in_turn_and_hears_everybody)
{
    sifr_socket_t *dealer = new_socket(SIFR_DEALER), *peer[PEERS];
    int heard[PEERS] = {0};

    for (int i = 0; i < PEERS; i++) {
        struct endpoint e = bind_fresh(peer[i] = new_socket(SIFR_DEALER), (enum transport)_i);

        connect_to(dealer, &e);
    }
    for (int i = 0; i < PEERS * SHARE; i++) {
        send_bytes(dealer, &i, sizeof i, SIFR_SNDMORE);
        send_text(dealer, "second part", 0);
    }
    for (int n = 0; n < SHARE; n++)
        for (int i = 0; i < PEERS; i++) {
            int want = n * PEERS + i;

            recv_bytes(peer[i], &want, sizeof want, true);
            recv_text(peer[i], "second part", false);
            send_bytes(peer[i], &i, sizeof i, 0);
        }
    for (int n = 0; n < PEERS * SHARE; n++) {
        int who;

        ck_assert_int_eq(sifr_recv(dealer, &who, sizeof who, 0), sizeof who);
        heard[who]++;
    }
    for (int i = 0; i < PEERS; i++)
        ck_assert_int_eq(heard[i], SHARE);
}
END_TEST

START_TEST(queued_messages_are_read_from_each_peer_in_turn)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *dealer[PEERS];
    struct endpoint e = bind_fresh(router, INPROC);

    for (int i = 0; i < PEERS; i++)
        connect_to(dealer[i] = new_socket(SIFR_DEALER), &e);
    for (int i = 0; i < PEERS; i++)
        for (int n = 0; n < SHARE; n++)
            send_bytes(dealer[i], &i, sizeof i, 0);
    for (int n = 0; n < SHARE; n++) {
        unsigned seen = 0;

        for (int i = 0; i < PEERS; i++) {
            uint8_t id[256];
            int who;

            recv_id(router, id);
            ck_assert_int_eq(sifr_recv(router, &who, sizeof who, 0), sizeof who);
            seen |= 1u << who;
        }
        ck_assert_uint_eq(seen, (1u << PEERS) - 1);
    }
}
END_TEST

START_TEST(a_dealer_without_room_waits_or_says_so)
{
    sifr_socket_t *dealer = new_socket(SIFR_DEALER), *peer = new_socket(SIFR_DEALER);

    send_full(dealer);
    set_int(dealer, SIFR_SNDTIMEO, 50);
    ck_fails(sifr_send(dealer, "x", 1, 0), EAGAIN);
    set_int(dealer, SIFR_SNDHWM, 2);
    set_int(peer, SIFR_RCVHWM, 2);
    link_sockets(dealer, peer, 2 * INPROC + _i);
    ck_assert_int_eq(fill_up(dealer, 100), 4);
    ck_assert_int_eq(drain(peer), 4);
    ck_assert_int_eq(fill_up(dealer, 100), 4);
}
END_TEST

START_TEST(a_dealer_finds_a_router_again)
{
    sifr_socket_t *dealer = new_socket(SIFR_DEALER), *router = new_socket(SIFR_ROUTER);
    struct endpoint e = bind_fresh(router, (enum transport)_i);

    set_text(dealer, SIFR_ROUTING_ID, "peer");
    set_int(dealer, SIFR_RECONNECT_IVL, 5);
    connect_to(dealer, &e);
    for (int life = 0; life < 5; life++) {
        await_route(router, "peer", dealer);
        send_parts(dealer, "hello");
        recv_parts(router, "peer", "hello");
        drop(router);
        router = new_socket(SIFR_ROUTER);
        rebind_to(router, &e);
    }
}
END_TEST

START_TEST(what_a_peer_had_sent_keeps_its_name_when_it_is_gone)
{
    sifr_socket_t *dealer = new_socket(SIFR_DEALER), *router = new_socket(SIFR_ROUTER);

    set_text(dealer, SIFR_ROUTING_ID, "peer");
    link_sockets(dealer, router, _i);
    set_int(dealer, SIFR_LINGER, -1);
    for (int i = 0; i < 10; i++)
        send_parts(dealer, "last", "words");
    drop(dealer);
    for (int i = 0; i < 10; i++)
        recv_parts(router, "peer", "last", "words");
}
END_TEST

START_TEST(messages_tell_of_the_connection_they_came_by)
{
    sifr_socket_t *dealer = new_socket(SIFR_DEALER), *router = new_socket(SIFR_ROUTER);
    sifr_msg_t m;

    set_text(dealer, SIFR_ROUTING_ID, "peer");
    set_text(dealer, SIFR_METADATA, "X-colour:blue");
    link_sockets(dealer, router, _i);
    send_parts(dealer, "hello", "world");
    sifr_msg_init(&m);
    for (int part = 0; part < 3; part++) {
        ck_assert_int_ge(sifr_msg_recv(&m, router, 0), 0);
        ck_assert_str_eq(sifr_msg_gets(&m, "Socket-Type"), "DEALER");
        ck_assert_str_eq(sifr_msg_gets(&m, "Identity"), "peer");
        ck_assert_str_eq(sifr_msg_gets(&m, SIFR_MSG_PROPERTY_ROUTING_ID), "peer");
        ck_assert_str_eq(sifr_msg_gets(&m, "X-colour"), "blue");
        if (_i / 2 == TCP)
            ck_assert_str_eq(sifr_msg_gets(&m, "Peer-Address"), _i % 2 ? "127.0.0.1" : own_host());
        else
            ck_assert_int_eq(strncmp(sifr_msg_gets(&m, "Peer-Address"), "localhost:", 10), 0);
        ck_fails_null(sifr_msg_gets(&m, "socket-type"), EINVAL);
        ck_fails_null(sifr_msg_gets(&m, "User-Id"), EINVAL);
    }
    ck_works(sifr_msg_close(&m));
}
END_TEST

START_TEST(the_state_of_each_peer_can_be_asked)
{
    static const int others[] = {SIFR_PAIR, SIFR_PUB, SIFR_SUB, SIFR_REQ, SIFR_DEALER, SIFR_PULL, SIFR_PUSH, SIFR_XPUB,
                                 SIFR_XSUB};
    int type = _i / TRANSPORTS ? SIFR_REP : SIFR_ROUTER;
    sifr_socket_t *s = new_socket(type), *dealer = new_socket(SIFR_DEALER);
    struct endpoint e;
    int n = 0;

    set_int(s, SIFR_SNDHWM, 5);
    set_int(dealer, SIFR_RCVHWM, 5);
    set_text(dealer, SIFR_ROUTING_ID, "it");
    e = bind_fresh(s, (enum transport)(_i % TRANSPORTS));
    ck_fails(sifr_socket_get_peer_state(s, "it", 2), EHOSTUNREACH);
    connect_to(dealer, &e);
    send_parts(dealer, "", "here");
    ck_assert(readable(s));
    ck_assert_int_eq(sifr_socket_get_peer_state(s, "it", 2), SIFR_POLLOUT);
    ck_fails(sifr_socket_get_peer_state(s, "i", 1), EHOSTUNREACH);
    ck_fails(sifr_socket_get_peer_state(s, NULL, 0), EHOSTUNREACH);
    ck_fails(sifr_socket_get_peer_state(s, NULL, 1), EINVAL);
    if (type == SIFR_ROUTER) {
        static const char large[50000];
        int64_t end = now_ms() + WAIT_MS;

        while (sifr_socket_get_peer_state(s, "it", 2) == SIFR_POLLOUT && now_ms() < end) {
            send_text(s, "it", SIFR_SNDMORE);
            send_bytes(s, large, sizeof large, 0);
            n++;
        }
        ck_assert_int_eq(sifr_socket_get_peer_state(s, "it", 2), 0);
        while (n--)
            ck_assert_int_eq(sifr_recv(dealer, NULL, 0, 0), sizeof large);
        eventually(sifr_socket_get_peer_state(s, "it", 2) == SIFR_POLLOUT);
    }
    drop(dealer);
    eventually(sifr_socket_get_peer_state(s, "it", 2) == -1);
    ck_fails(sifr_socket_get_peer_state(s, "it", 2), EHOSTUNREACH);
    for (int i = 0; i < COUNT(others); i++)
        ck_fails(sifr_socket_get_peer_state(new_socket(others[i]), "it", 2), ENOTSUP);
    ck_fails(sifr_socket_get_peer_state(NULL, "it", 2), ENOTSOCK);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("DEALER and ROUTER");
    TCase *c = new_case(s, "messages");

    tcase_add_loop_test(c, a_router_learns_who_sent_and_answers, 0, WAYS);
    tcase_add_loop_test(c, a_hundred_thousand_messages_keep_their_order, 0, WAYS);
    c = new_case(s, "names");
    tcase_add_loop_test(c, each_peer_has_an_id_of_its_own, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_peer_may_choose_any_id_of_1_to_255_bytes, 0, TRANSPORTS);
    tcase_add_loop_test(c, messages_to_nobody_are_swallowed_whole, 0, WAYS);
    tcase_add_loop_test(c, a_mandatory_router_reports_who_is_unknown_at_the_first_part, 0, WAYS);
    tcase_add_loop_test(c, a_full_peer_costs_its_messages_or_stops_a_mandatory_router, 0, 2);
    tcase_add_loop_test(c, a_second_peer_of_the_same_name_waits_until_it_is_free, 0, TRANSPORTS);
    tcase_add_loop_test(c, with_handover_the_newcomer_takes_the_name, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_probe_tells_a_router_of_its_peer, 0, WAYS);
    tcase_add_loop_test(c, two_routers_find_each_other_by_probes, 0, WAYS);
    tcase_add_loop_test(c, the_connecting_router_may_name_its_peer, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_name_given_twice_fails_the_connect, 0, INPROC);
    c = new_case(s, "notices");
    tcase_add_loop_test(c, a_router_is_told_who_comes_and_goes, 0, INPROC);
    tcase_add_loop_test(c, who_comes_and_goes_is_told_as_it_was_to_be_at_the_bind, 0, INPROC);
    tcase_add_loop_test(c, hello_is_the_first_message_to_each_peer, 0, WAYS);
    tcase_add_loop_test(c, a_lost_peer_leaves_its_disconnect_message_and_the_other_side_a_hiccup, 0, TRANSPORTS);
    tcase_add_loop_test(c, messages_tell_of_the_connection_they_came_by, 0, WIRE_WAYS);
    tcase_add_loop_test(c, the_state_of_each_peer_can_be_asked, 0, 2 * TRANSPORTS);
    c = new_case(s, "turns");
    tcase_add_loop_test(c, a_dealer_sends_in_turn_and_hears_everybody, 0, TRANSPORTS);
    tcase_add_test(c, queued_messages_are_read_from_each_peer_in_turn);
    tcase_add_loop_test(c, a_dealer_without_room_waits_or_says_so, 0, 2);
    tcase_add_loop_test(c, a_dealer_finds_a_router_again, 0, INPROC);
    tcase_add_loop_test(c, what_a_peer_had_sent_keeps_its_name_when_it_is_gone, 0, WAYS);
    return run_suite(s);
}
