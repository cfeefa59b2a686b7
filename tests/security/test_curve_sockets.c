/* CURVE between sockets: patterns, sizes, queues, reconnection, heartbeats; and peers that hold keys, but mean harm. */
#include "secure.h"

#include <sodium.h>
#include <sys/wait.h>

#include "base/secret.h"
#include "security/security.h"
#include "wire/frame.h"
#include "wire/handshake.h"

#ifdef SF_HAVE_OPENSSL
#include <openssl/crypto.h>
#endif

#define PROTOCOL(name) SIFR_PROTOCOL_ERROR_##name

enum { OVERHEAD = 33 };

struct keys {
    char public[41], secret[41];
};

static struct keys of_server, of_client;

static void open_curve_world(void)
{
    open_world();
    ck_works(sifr_curve_keypair(of_server.public, of_server.secret));
    ck_works(sifr_curve_keypair(of_client.public, of_client.secret));
}

static void serve(sifr_socket_t *s)
{
    set_int(s, SIFR_CURVE_SERVER, 1);
    set_text(s, SIFR_CURVE_SECRETKEY, of_server.secret);
    set_int(s, SIFR_RECONNECT_IVL, 10);
}

static void trust(sifr_socket_t *s)
{
    set_text(s, SIFR_CURVE_SERVERKEY, of_server.public);
    set_text(s, SIFR_CURVE_PUBLICKEY, of_client.public);
    set_text(s, SIFR_CURVE_SECRETKEY, of_client.secret);
    set_int(s, SIFR_RECONNECT_IVL, 10);
}

/* Two new sockets, joined; the first is the server. Ways as link_sockets has them. */
static struct endpoint new_curve_link(sifr_socket_t **a, int type_a, sifr_socket_t **b, int type_b, int way)
{
    *a = new_socket(type_a);
    *b = new_socket(type_b);
    serve(*a);
    trust(*b);
    return link_sockets(*a, *b, way);
}

/* ---- Who comes in ----------------------------------------------------------------------------------------------- */

START_TEST(without_a_handler_whoever_knows_the_server_comes_in)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *at_server = watch(server), *at_client = watch(client);
    sifr_msg_t m;

    serve(server);
    trust(client);
    link_sockets(server, client, _i);
    expect_at(__LINE__, at_server, _i % 2 ? SIFR_EVENT_CONNECTED : SIFR_EVENT_ACCEPTED, "begin");
    expect_at(__LINE__, at_client, _i % 2 ? SIFR_EVENT_ACCEPTED : SIFR_EVENT_CONNECTED, "begin");
    expect(at_server, HANDSHAKE_SUCCEEDED);
    expect(at_client, HANDSHAKE_SUCCEEDED);
    send_text(client, "hi", 0);
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, server, 0), 2);
    ck_assert_str_eq(sifr_msg_gets(&m, "Socket-Type"), "PUSH");
    ck_assert_ptr_null(sifr_msg_gets(&m, "User-Id"));
    sifr_msg_close(&m);
    ck_assert_int_eq(get_int(server, SIFR_MECHANISM), SIFR_CURVE);
    ck_assert_int_eq(get_int(client, SIFR_MECHANISM), SIFR_CURVE);
}
END_TEST

START_TEST(the_handler_is_shown_the_clients_key)
{
    sifr_socket_t *handler = new_handler(), *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    struct question q;
    uint8_t key[32];
    sifr_msg_t m;

    serve(server);
    trust(client);
    set_text(server, SIFR_ZAP_DOMAIN, "dom");
    link_sockets(server, client, _i);
    q = recv_question(handler);
    ck_assert_int_eq(q.count, 7);
    ck_assert_str_eq(q.frames[2], "dom");
    ck_assert_str_eq(q.frames[5], "CURVE");
    ck_assert_uint_eq(q.sizes[6], 32);
    ck_assert_ptr_nonnull(sifr_z85_decode(key, of_client.public));
    ck_assert_mem_eq(q.frames[6], key, 32);
    answer(handler, "200", "alice", "\4Role\0\0\0\5guest", 14);
    send_text(client, "hi", 0);
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, server, 0), 2);
    ck_assert_str_eq(sifr_msg_gets(&m, "User-Id"), "alice");
    ck_assert_str_eq(sifr_msg_gets(&m, "Role"), "guest");
    sifr_msg_close(&m);
}
END_TEST

START_TEST(whom_the_handler_refuses_is_told_so)
{
    static const char *const statuses[] = {"400", "500", "300"};
    sifr_socket_t *handler = new_handler(), *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *at_server = watch(server), *at_client = watch(client);

    serve(server);
    trust(client);
    link_sockets(server, client, 0);
    recv_question(handler);
    answer_status(handler, statuses[_i]);
    expect(at_server, ACCEPTED);
    expect(at_client, CONNECTED);
    expect_value(at_server, HANDSHAKE_FAILED_AUTH, (uint32_t)atoi(statuses[_i]));
    if (_i < 2)
        expect_value(at_client, HANDSHAKE_FAILED_AUTH, (uint32_t)atoi(statuses[_i]));
    else
        expect(at_client, HANDSHAKE_FAILED_NO_DETAIL);
    expect(at_server, DISCONNECTED);
    expect(at_client, DISCONNECTED);
    if (_i < 2)
        expect_silence(at_client, 50);
    else
        expect_retry(at_client);
}
END_TEST

/* One bit each: a domain is set, it is enforced, there is a handler. */
START_TEST(an_enforced_domain_decides_where_there_is_no_handler)
{
    bool domain = _i & 1, enforce = _i & 2, handled = _i & 4;
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH), *handler = NULL;
    sifr_socket_t *at_server = watch(server);

    if (handled)
        handler = new_handler();
    serve(server);
    trust(client);
    if (domain)
        set_text(server, SIFR_ZAP_DOMAIN, "dom");
    set_int(server, SIFR_ZAP_ENFORCE_DOMAIN, enforce);
    link_sockets(server, client, 0);
    if (handled && (domain || !enforce)) {
        recv_question(handler);
        answer_status(handler, "200");
    }
    expect(at_server, ACCEPTED);
    if (domain && enforce && !handled) {
        expect_value(at_server, HANDSHAKE_FAILED_NO_DETAIL, EFAULT);
        return;
    }
    expect(at_server, HANDSHAKE_SUCCEEDED);
    send_text(client, "hi", 0);
    recv_text(server, "hi", false);
    if (handled)
        recv_nothing(handler);
}
END_TEST

START_TEST(types_that_do_not_fit_part)
{
    sifr_socket_t *server = new_socket(SIFR_PUB), *client = new_socket(SIFR_REQ);
    sifr_socket_t *at_server = watch(server), *at_client = watch(client);

    serve(server);
    trust(client);
    link_sockets(server, client, 0);
    expect(at_server, ACCEPTED);
    expect(at_server, DISCONNECTED);
    expect(at_client, CONNECTED);
    expect(at_client, HANDSHAKE_FAILED_NO_DETAIL);
    expect(at_client, DISCONNECTED);
    expect_retry(at_client);
}
END_TEST

START_TEST(without_keys_nobody_comes_in)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *at_client = watch(client);

    set_int(server, SIFR_CURVE_SERVER, 1); /* and no key */
    if (_i)
        set_text(client, SIFR_CURVE_SERVERKEY, of_server.public);
    else
        set_text(client, SIFR_CURVE_PUBLICKEY, of_client.public);
    link_sockets(server, client, 0);
    expect(at_client, CONNECTED);
    if (_i)
        expect(at_client, HANDSHAKE_FAILED_NO_DETAIL);
    else /* there is nobody whom it could mean */
        expect_value(at_client, HANDSHAKE_FAILED_PROTOCOL, PROTOCOL(ZMTP_CRYPTOGRAPHIC));
}
END_TEST

/* ---- Traffic ---------------------------------------------------------------------------------------------------- */

/* Sizes about all limits on the way: inline, segments, chunks, blocks of their own, sealed or not. */
static const size_t sizes[] = {0,    1,     29,    30,    31,    32,    33,     222,    223,    255,    256,    257,
                               4000, 8191,  8192,  8193,  32700, 32735, 32767,  32768,  32769,  32800,  65470,  65500,
                               65536, 65600, 131072, 262143, 262144, 300000, 1048576, 5000000};

START_TEST(messages_of_all_sizes_arrive_in_order)
{
    sifr_socket_t *server, *client;

    new_curve_link(&server, SIFR_PAIR, &client, SIFR_PAIR, _i);
    for (int turn = 0; turn < 2; turn++) {
        sifr_socket_t *from = turn ? server : client, *to = turn ? client : server;

        for (unsigned n = 0; n < (unsigned)COUNT(sizes); n++) /* under way together, with small ones between them */
            if (sizes[n] < 1048576) {
                send_filled(from, sizes[n], n, n % 3 ? SIFR_SNDMORE : 0);
                if (n % 3)
                    send_text(from, "end", 0);
            }
        for (unsigned n = 0; n < (unsigned)COUNT(sizes); n++)
            if (sizes[n] < 1048576) {
                recv_filled(to, sizes[n], n, n % 3);
                if (n % 3)
                    recv_text(to, "end", false);
            }
        for (unsigned n = 0; n < (unsigned)COUNT(sizes); n++) { /* one by one */
            send_filled(from, sizes[n], n, 0);
            recv_filled(to, sizes[n], n, false);
        }
    }
}
END_TEST

START_TEST(many_messages_arrive_in_order)
{
    enum { MANY = 20000 };
    sifr_socket_t *server, *client;

    new_curve_link(&server, SIFR_PULL, &client, SIFR_PUSH, _i);
    for (unsigned n = 0, got = 0; got < MANY;) {
        for (int k = 0; k < 700 && n < MANY; k++, n++)
            send_filled(client, n * 7919 % 300, n, 0);
        for (; got < n; got++)
            recv_filled(server, got * 7919 % 300, got, false);
    }
}
END_TEST

START_TEST(a_receiver_at_its_mark_holds_its_sender_back)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    int sent = 0;

    serve(server);
    trust(client);
    set_int(server, SIFR_RCVHWM, 5);
    set_int(client, SIFR_SNDHWM, 5);
    set_int(server, SIFR_RCVBUF, 4096);
    set_int(client, SIFR_SNDBUF, 4096);
    link_sockets(server, client, _i);
    ck_assert(writable_within(client, WAIT_MS));
    for (size_t size = _i % 2 ? 50000 : 10;; sent++) { /* until nothing goes for a while */
        sifr_msg_t m;

        ck_works(sifr_msg_init_size(&m, size));
        fill_bytes(sifr_msg_data(&m), size, (unsigned)sent);
        if (sifr_msg_send(&m, client, SIFR_DONTWAIT) < 0) {
            sifr_msg_close(&m);
            if (!writable_within(client, 100))
                break;
            sent--;
        }
        ck_assert_int_lt(sent, 100000);
    }
    for (int n = 0; n < sent; n++)
        recv_filled(server, _i % 2 ? 50000 : 10, (unsigned)n, false);
    recv_nothing(server);
    send_text(client, "on", 0);
    recv_text(server, "on", false);
}
END_TEST

START_TEST(requests_are_answered)
{
    sifr_socket_t *server, *client;

    new_curve_link(&server, SIFR_REP, &client, SIFR_REQ, _i);
    for (unsigned n = 0; n < 500; n++) {
        size_t size = n % 50 == 49 ? 70000 : n;

        send_filled(client, size, n, 0);
        recv_filled(server, size, n, false);
        send_filled(server, size, n + 1, 0);
        recv_filled(client, size, n + 1, false);
    }
}
END_TEST

START_TEST(subscribers_get_what_they_asked_for)
{
    enum { SUBS = 5 };
    sifr_socket_t *pub = new_socket(SIFR_XPUB), *subs[SUBS];
    struct endpoint at;
    char topic[66000];

    serve(pub);
    at = bind_fresh(pub, (enum transport)_i);
    memset(topic, 't', sizeof topic);
    topic[0] = 1;
    for (int i = 0; i < SUBS; i++) {
        subs[i] = new_socket(SIFR_SUB);
        trust(subs[i]);
        connect_to(subs[i], &at);
        ck_works(sifr_setsockopt(subs[i], SIFR_SUBSCRIBE, topic + 1, i == 4 ? sizeof topic - 1 : (size_t)i));
        recv_bytes(pub, topic, i == 4 ? sizeof topic : (size_t)i + 1, false);
    }
    for (int n = 0; n < 300; n++) {
        send_text(pub, "t", SIFR_SNDMORE);
        send_bytes(pub, &n, sizeof n, 0);
        send_text(pub, "tt", 0);
        send_text(pub, "x", 0);
    }
    send_bytes(pub, topic + 1, sizeof topic - 1, 0);
    for (int i = 0; i < SUBS; i++) {
        for (int n = 0; n < 300; n++) {
            if (i < 2) {
                recv_text(subs[i], "t", true);
                recv_bytes(subs[i], &n, sizeof n, false);
            }
            if (i < 3)
                recv_text(subs[i], "tt", false);
            if (i == 0)
                recv_text(subs[i], "x", false);
        }
        recv_bytes(subs[i], topic + 1, sizeof topic - 1, false);
        recv_nothing(subs[i]);
    }
    ck_works(sifr_setsockopt(subs[1], SIFR_UNSUBSCRIBE, "t", 1));
    recv_bytes(pub, "\0t", 2, false);
}
END_TEST

START_TEST(groups_are_joined)
{
    sifr_socket_t *radio, *dish;
    sifr_msg_t m;

    new_curve_link(&radio, SIFR_RADIO, &dish, SIFR_DISH, _i);
    ck_works(sifr_join(dish, "news"));
    for (int64_t end = now_ms() + WAIT_MS;;) {
        ck_works(sifr_msg_init_size(&m, 5));
        memcpy(sifr_msg_data(&m), "hello", 5);
        ck_works(sifr_msg_set_group(&m, "news"));
        ck_assert_int_eq(sifr_msg_send(&m, radio, 0), 5);
        if (readable_within(dish, 5))
            break;
        ck_assert(now_ms() < end);
    }
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, dish, 0), 5);
    ck_assert_str_eq(sifr_msg_group(&m), "news");
    sifr_msg_close(&m);
}
END_TEST

START_TEST(servers_and_peers_answer)
{
    static const int types[][2] = {{SIFR_SERVER, SIFR_CLIENT}, {SIFR_PEER, SIFR_PEER}, {SIFR_CHANNEL, SIFR_CHANNEL},
                                   {SIFR_GATHER, SIFR_SCATTER}};
    sifr_socket_t *server = new_socket(types[_i][0]), *client = new_socket(types[_i][1]);
    uint32_t id = 0;
    struct endpoint at;
    sifr_msg_t m;

    serve(server);
    trust(client);
    at = bind_fresh(server, TCP);
    if (types[_i][1] == SIFR_PEER)
        id = sifr_connect_peer(client, at.text);
    else
        connect_to(client, &at);
    ck_works(sifr_msg_init_size(&m, 3));
    memcpy(sifr_msg_data(&m), "one", 3);
    if (id)
        ck_works(sifr_msg_set_routing_id(&m, id));
    ck_assert_int_eq(sifr_msg_send(&m, client, 0), 3);
    ck_assert_int_eq(sifr_msg_recv(&m, server, 0), 3);
    ck_assert_mem_eq(sifr_msg_data(&m), "one", 3);
    if (types[_i][0] != SIFR_GATHER) {
        ck_assert_int_eq(sifr_msg_send(&m, server, 0), 3);
        ck_assert_int_eq(sifr_msg_recv(&m, client, 0), 3);
    }
    sifr_msg_close(&m);
}
END_TEST

START_TEST(routers_know_their_peers)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *dealers[3];
    struct endpoint at;

    serve(router);
    at = bind_fresh(router, TCP);
    for (int i = 0; i < 3; i++) {
        char name[2] = {(char)('A' + i)};

        dealers[i] = new_socket(SIFR_DEALER);
        trust(dealers[i]);
        set_text(dealers[i], SIFR_ROUTING_ID, name);
        connect_to(dealers[i], &at);
        send_text(dealers[i], "hello", 0);
        recv_parts(router, name, "hello");
        send_parts(router, name, "", "welcome");
        recv_parts(dealers[i], "", "welcome");
    }
}
END_TEST

START_TEST(only_the_newest_is_kept_by_those_that_conflate)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);

    serve(server);
    trust(client);
    set_int(server, SIFR_CONFLATE, 1);
    link_sockets(server, client, 0);
    for (int n = 0; n < 1000; n++)
        send_bytes(client, &n, sizeof n, 0);
    for (int n = -1; n != 999;)
        ck_assert_int_eq(sifr_recv(server, &n, sizeof n, 0), sizeof n);
}
END_TEST

START_TEST(idle_connections_live_by_heartbeats)
{
    sifr_socket_t *server = new_socket(SIFR_PAIR), *client = new_socket(SIFR_PAIR);
    sifr_socket_t *at_server = watch(server);

    serve(server);
    trust(client);
    set_int(server, SIFR_HEARTBEAT_IVL, 10);
    set_int(server, SIFR_HEARTBEAT_TIMEOUT, 3000);
    set_int(client, SIFR_HEARTBEAT_IVL, 15);
    set_int(client, SIFR_HEARTBEAT_TTL, 3000);
    link_sockets(server, client, _i);
    expect_at(__LINE__, at_server, _i % 2 ? SIFR_EVENT_CONNECTED : SIFR_EVENT_ACCEPTED, "begin");
    expect(at_server, HANDSHAKE_SUCCEEDED);
    for (int n = 0; n < 3; n++) {
        expect_silence(at_server, 60);
        send_filled(server, 40000, 1, 0);
        recv_filled(client, 40000, 1, false);
        send_text(client, "hi", 0);
        recv_text(server, "hi", false);
    }
}
END_TEST

enum { THREADS = 2, EACH = 3000 };

static sifr_socket_t *shared_from, *shared_to;
static _Atomic int received;
static _Atomic uint64_t received_sum;

static void *send_shared(void *arg)
{
    uintptr_t from = (uintptr_t)arg;

    for (uint32_t n = 0; n < EACH; n++) {
        uint8_t bytes[700] = {0};
        uint32_t number = (uint32_t)from * EACH + n;

        memcpy(bytes, &number, sizeof number);
        ck_assert_int_gt(sifr_send(shared_from, bytes, 4 + number % 600, 0), 0);
    }
    return NULL;
}

static void *recv_shared(void *arg)
{
    (void)arg;
    while (received < THREADS * EACH) {
        uint8_t bytes[700];
        uint32_t number;
        int n = sifr_recv(shared_to, bytes, sizeof bytes, SIFR_DONTWAIT);

        if (n < 0) {
            sifr_pollitem_t item = {.socket = shared_to, .events = SIFR_POLLIN};

            ck_assert_int_eq(errno, EAGAIN);
            sifr_poll(&item, 1, 1);
            continue;
        }
        memcpy(&number, bytes, sizeof number);
        ck_assert_int_eq(n, (int)(4 + number % 600));
        received_sum += number;
        received++;
    }
    return NULL;
}

START_TEST(threads_may_share_sealed_sockets)
{
    pthread_t threads[2 * THREADS];

    new_curve_link(&shared_to, SIFR_PULL, &shared_from, SIFR_PUSH, _i);
    received = 0;
    received_sum = 0;
    for (uintptr_t i = 0; i < THREADS; i++) {
        threads[i] = start_thread(send_shared, (void *)i);
        threads[THREADS + i] = start_thread(recv_shared, NULL);
    }
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(received_sum, (uint64_t)THREADS * EACH * (THREADS * EACH - 1) / 2);
}
END_TEST

/* As event loops do it: the descriptor, then the events, then all that there is. */
START_TEST(the_descriptor_tells_of_sealed_messages)
{
    sifr_socket_t *server, *client;
    size_t size = sizeof(int);
    struct pollfd p = {.events = POLLIN};
    int got = 0;

    new_curve_link(&server, SIFR_PULL, &client, SIFR_PUSH, _i);
    ck_works(sifr_getsockopt(server, SIFR_FD, &p.fd, &size));
    for (int n = 0; n < 300; n++) {
        send_filled(client, n % 100 == 99 ? 100000 : 50, 1, 0);
        if (n % 7)
            continue;
        while (got <= n) {
            while (!(get_int(server, SIFR_EVENTS) & SIFR_POLLIN))
                ck_assert_int_gt(poll(&p, 1, WAIT_MS), 0);
            recv_filled(server, got % 100 == 99 ? 100000 : 50, 1, false);
            got++;
        }
    }
}
END_TEST

/* Sixteen at most are read by the socket itself: both ways here, and between them. */
START_TEST(many_peers_are_heard_in_turn)
{
    enum { PEERS = 24, ROUNDS = 30 };
    sifr_socket_t *server = new_socket(SIFR_REP), *clients[PEERS];
    struct endpoint at;

    serve(server);
    at = bind_fresh(server, IPC);
    for (int i = 0; i < PEERS; i++) {
        clients[i] = new_socket(SIFR_REQ);
        trust(clients[i]);
        connect_to(clients[i], &at);
        for (int round = 0; round < ROUNDS; round++)
            for (int k = i < 17 ? i : 0; k <= i; k++) {
                send_filled(clients[k], (size_t)round * 100, (unsigned)k, 0);
                recv_filled(server, (size_t)round * 100, (unsigned)k, false);
                send_filled(server, (size_t)round * 50, (unsigned)k, 0);
                recv_filled(clients[k], (size_t)round * 50, (unsigned)k, false);
            }
    }
}
END_TEST

/* ---- Ends, and beginnings anew ----------------------------------------------------------------------------------- */

START_TEST(what_was_queued_goes_to_the_next_connection)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH), *monitor;
    struct endpoint at, e = fresh_endpoint(INPROC);

    serve(server);
    trust(client);
    monitor = new_socket(SIFR_PAIR);
    ck_works(sifr_socket_monitor(client, e.text, SIFR_EVENT_DISCONNECTED));
    connect_to(monitor, &e);
    at = bind_fresh(server, TCP);
    connect_to(client, &at);
    for (int round = 0; round < 5; round++) {
        send_filled(client, 100, (unsigned)round, 0);
        recv_filled(server, 100, (unsigned)round, false);
        drop(server);
        expect(monitor, DISCONNECTED); /* nothing more is handed to the connection that ends */
        for (unsigned n = 0; n < 50; n++)
            send_filled(client, n * 3000, n, 0);
        server = new_socket(SIFR_PULL);
        serve(server);
        rebind_to(server, &at);
        for (unsigned n = 0; n < 50; n++)
            recv_filled(server, n * 3000, n, false);
    }
}
END_TEST

START_TEST(what_was_sent_arrives_though_its_sender_has_closed)
{
    sifr_socket_t *server, *client;

    new_curve_link(&server, SIFR_PULL, &client, SIFR_PUSH, _i);
    set_int(client, SIFR_LINGER, -1);
    for (unsigned n = 0; n < 500; n++)
        send_filled(client, n % 10 ? n : 100 * n, n, 0);
    drop(client);
    for (unsigned n = 0; n < 500; n++)
        recv_filled(server, n % 10 ? n : 100 * n, n, false);
}
END_TEST

/* ---- Peers that hold keys ---------------------------------------------------------------------------------------- */

/* One made by hand: a client, over a descriptor. */
struct rogue {
    uint8_t public[32], secret[32], server_key[32];
    struct sf_credentials own;
    struct sf_security s;
    struct sf_peer_info info;
    struct sf_hello hello;
    int fd;
};

static void rogue_connect(struct rogue *r, const struct endpoint *at)
{
    r->fd = raw_connect(at);
    raw_greet(r->fd, "CURVE");
    ck_assert_int_eq(sf_security_init(&r->s, &sf_mechanism_curve, &r->own), 0);
}

static void rogue_begin(struct rogue *r, const struct endpoint *at)
{
    memset(r, 0, sizeof *r);
    crypto_box_keypair(r->public, r->secret);
    ck_assert_ptr_nonnull(sifr_z85_decode(r->server_key, of_server.public));
    r->own = (struct sf_credentials){.public_key = r->public, .secret_key = r->secret, .server_key = r->server_key};
    r->hello = (struct sf_hello){.type_name = "PUSH", .talks_to = ~0u};
    rogue_connect(r, at);
}

static void rogue_say(struct rogue *r)
{
    uint8_t frame[8192];
    int n = sf_handshake_say(&r->s, &r->hello, frame, sizeof frame);

    ck_assert_int_gt(n, 0);
    raw_send(r->fd, frame, (size_t)n);
}

static void rogue_hear(struct rogue *r)
{
    uint8_t body[4096];
    struct sf_refusal why;
    size_t n = raw_recv_frame(r->fd, body, sizeof body);

    ck_assert_int_eq(sf_handshake_hear(&r->s, &r->hello, &r->info, body, n, &why), 0);
}

static void rogue_shake(struct rogue *r, const struct endpoint *at)
{
    rogue_begin(r, at);
    for (int i = 0; i < 2; i++) {
        rogue_say(r);
        rogue_hear(r);
    }
    ck_assert_int_eq(r->s.turn, SF_SECURITY_DONE);
}

/* A frame with a sealed text: its size. */
static size_t rogue_seal(struct rogue *r, uint8_t *to, unsigned flags, const char *text)
{
    size_t n = strlen(text), header = sf_frame_put(to, 0, n + OVERHEAD);

    ck_assert_int_eq(sf_mechanism_curve.seal(r->s.keys, to + header, flags, (const uint8_t *)text, n), 0);
    return header + n + OVERHEAD;
}

static void rogue_end(struct rogue *r)
{
    sf_peer_info_fini(&r->info);
    sf_security_fini(&r->s);
    close(r->fd);
}

static sifr_socket_t *new_target(sifr_socket_t **monitor, struct endpoint *at)
{
    sifr_socket_t *s = new_socket(SIFR_PULL);

    *monitor = watch(s);
    serve(s);
    *at = bind_fresh(s, TCP);
    return s;
}

/* What comes behind two good frames. */
enum { REPLAYED, REORDERED, FLIPPED, CUT, IN_CLEAR, A_COMMAND, READY_AGAIN, RESERVED_BITS, OVERSIZED, HARMS };

static size_t make_harm(struct rogue *r, int harm, uint8_t *to, const uint8_t *good, size_t n)
{
    switch (harm) {
    case REPLAYED: memcpy(to, good, n); return n;
    case REORDERED: { /* the one that should have come before it is kept back */
        uint8_t late[256];
        size_t size = rogue_seal(r, late, 0, "late");
        size_t first = rogue_seal(r, to, 0, "3");

        memcpy(to + first, late, size);
        return first + size;
    }
    case FLIPPED: {
        size_t size = rogue_seal(r, to, 0, "flipped");

        to[size - 1] ^= 1;
        return size;
    }
    case CUT: {
        size_t size = rogue_seal(r, to, 0, "");

        to[1]--;
        return size - 1;
    }
    case IN_CLEAR: memcpy(to, "\0\5clear", 7); return 7;
    case A_COMMAND: memcpy(to, "\4\7\4PING\0\0", 9); return 9;
    case READY_AGAIN: memcpy(to, "\4\6\5READY", 8); return 8;
    case RESERVED_BITS: memcpy(to, "\x10\5clear", 7); return 7;
    default: memcpy(to, "\2\0\0\0\0\0\0\x10\1", 9); return 9; /* announced, and above MAXMSGSIZE */
    }
}

static uint32_t error_of(int harm)
{
    static const uint32_t errors[HARMS] = {
        [REPLAYED] = PROTOCOL(ZMTP_INVALID_SEQUENCE),      [REORDERED] = PROTOCOL(ZMTP_INVALID_SEQUENCE),
        [FLIPPED] = PROTOCOL(ZMTP_CRYPTOGRAPHIC),          [CUT] = PROTOCOL(ZMTP_MALFORMED_COMMAND_MESSAGE),
        [IN_CLEAR] = PROTOCOL(ZMTP_UNEXPECTED_COMMAND),    [A_COMMAND] = PROTOCOL(ZMTP_UNEXPECTED_COMMAND),
        [READY_AGAIN] = PROTOCOL(ZMTP_UNEXPECTED_COMMAND),
    };

    return errors[harm];
}

/* A harm; and whether it comes in one piece with the rest, octet by octet, or while somebody is in a recv. */
START_TEST(a_harmful_frame_ends_its_connection_and_no_other)
{
    int harm = _i / 3, how = _i % 3;
    sifr_socket_t *monitor, *server, *friend = new_socket(SIFR_PUSH);
    uint8_t bytes[1024];
    struct endpoint at;
    struct rogue r;
    size_t first, n;
    int64_t max = 4096;

    server = new_socket(SIFR_PULL);
    monitor = watch(server);
    serve(server);
    ck_works(sifr_setsockopt(server, SIFR_MAXMSGSIZE, &max, sizeof max));
    at = bind_fresh(server, TCP);
    rogue_shake(&r, &at);
    expect(monitor, ACCEPTED);
    expect(monitor, HANDSHAKE_SUCCEEDED);
    first = rogue_seal(&r, bytes, 0, "1");
    n = first + rogue_seal(&r, bytes + first, 0, "2");
    if (how == 2) { /* from here on the socket reads by itself */
        raw_send(r.fd, bytes, first);
        recv_text(server, "1", false);
        raw_send(r.fd, bytes + first, n - first);
        recv_text(server, "2", false);
        n = 0;
    }
    n += make_harm(&r, harm, bytes + n, bytes, first);
    n += rogue_seal(&r, bytes + n, 0, "never");
    for (size_t i = 0; i < n; i += how == 1 ? 1 : n)
        raw_send(r.fd, bytes + i, how == 1 ? 1 : n);
    if (how != 2) {
        recv_text(server, "1", false);
        recv_text(server, "2", false);
    }
    if (harm == REORDERED)
        recv_text(server, "3", false);
    trust(friend);
    connect_to(friend, &at);
    send_text(friend, "friend", 0);
    recv_text(server, "friend", false);
    raw_expect_end(r.fd);
    for (int left = error_of(harm) ? 2 : 1; left; left--) { /* the friend's may stand between them */
        uint8_t head[6];
        uint16_t event;
        uint32_t value;

        do {
            ck_assert_int_eq(sifr_recv(monitor, head, sizeof head, 0), 6);
            ck_assert_int_ge(sifr_recv(monitor, NULL, 0, 0), 0);
            memcpy(&event, head, 2);
            memcpy(&value, head + 2, 4);
        } while (event == SIFR_EVENT_ACCEPTED || event == SIFR_EVENT_HANDSHAKE_SUCCEEDED);
        ck_assert_uint_eq(event, left == 2 ? SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL : SIFR_EVENT_DISCONNECTED);
        if (left == 2)
            ck_assert_uint_eq(value, error_of(harm));
    }
    recv_nothing(server);
    rogue_end(&r);
}
END_TEST

START_TEST(what_libzmq_lets_pass_passes)
{
    sifr_socket_t *monitor, *server;
    uint8_t bytes[256];
    struct endpoint at;
    struct rogue r;
    size_t n;

    server = new_target(&monitor, &at);
    rogue_shake(&r, &at);
    n = rogue_seal(&r, bytes, 0, "lost");        /* a gap in the nonces */
    n = rogue_seal(&r, bytes, 0xfc, "reserved"); /* bits that mean nothing inside */
    raw_send(r.fd, bytes, n);
    recv_text(server, "reserved", false);
    n = rogue_seal(&r, bytes, 0, "command");     /* MESSAGE in a frame that says it is a command, or that more follows */
    bytes[0] = 4;
    raw_send(r.fd, bytes, n);
    recv_text(server, "command", false);
    n = rogue_seal(&r, bytes, 0, "more");
    bytes[0] = 1;
    raw_send(r.fd, bytes, n);
    recv_text(server, "more", false);
    n = rogue_seal(&r, bytes, SF_SEAL_MORE, "1");
    n += rogue_seal(&r, bytes + n, SF_SEAL_COMMAND, "\4WHAT");
    n += rogue_seal(&r, bytes + n, 0, "2");
    raw_send(r.fd, bytes, n);
    recv_parts(server, "1", "2");
    rogue_end(&r);
}
END_TEST

/* Steps of a handshake that were recorded, or made for another connection, from one who may even have keys. */
START_TEST(a_handshake_that_is_not_as_it_should_be_ends)
{
    sifr_socket_t *monitor, *server;
    struct endpoint at;
    struct rogue r, other;
    uint8_t hello[512], frame[8192], body[4096];
    uint32_t error = PROTOCOL(ZMTP_UNEXPECTED_COMMAND);
    int n;

    server = new_target(&monitor, &at);
    rogue_begin(&r, &at);
    n = sf_handshake_say(&r.s, &r.hello, hello, sizeof hello);
    switch (_i) {
    case 0: /* INITIATE at once */
        memset(frame, 0, sizeof frame);
        memcpy(frame, "\10INITIATE", 9);
        raw_send_command(r.fd, frame, 300);
        break;
    case 1: /* HELLO twice */
        raw_send(r.fd, hello, (size_t)n);
        raw_send(r.fd, hello, (size_t)n);
        break;
    case 2: /* a message before its time */
        raw_send(r.fd, hello, (size_t)n);
        raw_recv_frame(r.fd, body, sizeof body);
        raw_send(r.fd, "\0\2hi", 4);
        error = PROTOCOL(ZMTP_MALFORMED_COMMAND_UNSPECIFIED);
        break;
    case 3: /* INITIATE of another connection */
        rogue_begin(&other, &at);
        rogue_say(&other);
        rogue_hear(&other);
        n = sf_handshake_say(&other.s, &other.hello, frame, sizeof frame);
        rogue_end(&other);
        raw_send(r.fd, hello, 202);
        raw_recv_frame(r.fd, body, sizeof body);
        raw_send(r.fd, frame, (size_t)n);
        expect(monitor, ACCEPTED);
        error = PROTOCOL(ZMTP_CRYPTOGRAPHIC);
        break;
    case 4: /* a command larger than there are */
        frame[0] = 6;
        memset(frame + 1, 0, 8);
        frame[6] = 1;
        raw_send(r.fd, frame, 9);
        error = PROTOCOL(ZMTP_UNSPECIFIED);
        break;
    default: /* ERROR, which only servers say */
        raw_send_command(r.fd, "\5ERROR\3\x34\x30\x30", 10);
        break;
    }
    raw_expect_end(r.fd);
    expect(monitor, ACCEPTED);
    for (;;) { /* the other connection of case 3 has just gone, or goes */
        uint8_t head[6];
        uint16_t event;
        uint32_t value;

        ck_assert_int_eq(sifr_recv(monitor, head, sizeof head, 0), 6);
        ck_assert_int_ge(sifr_recv(monitor, NULL, 0, 0), 0);
        memcpy(&event, head, 2);
        memcpy(&value, head + 2, 4);
        if (event != SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL)
            continue;
        ck_assert_uint_eq(value, error);
        break;
    }
    recv_nothing(server);
    rogue_end(&r);
}
END_TEST

START_TEST(a_handshake_may_come_octet_by_octet)
{
    sifr_socket_t *monitor, *server;
    struct endpoint at;
    struct rogue r;
    uint8_t frame[8192];
    size_t size;

    server = new_target(&monitor, &at);
    rogue_begin(&r, &at);
    for (int i = 0; i < 2; i++) {
        int n = sf_handshake_say(&r.s, &r.hello, frame, sizeof frame);

        for (int k = 0; k < n; k++)
            raw_send(r.fd, frame + k, 1);
        rogue_hear(&r);
    }
    size = rogue_seal(&r, frame, 0, "at last");
    for (size_t k = 0; k < size; k++)
        raw_send(r.fd, frame + k, 1);
    recv_text(server, "at last", false);
    rogue_end(&r);
}
END_TEST

START_TEST(who_stops_in_the_handshake_is_not_waited_for)
{
    sifr_socket_t *monitor, *server = new_socket(SIFR_PULL);
    struct endpoint at;
    struct rogue r;

    monitor = watch(server);
    serve(server);
    set_int(server, SIFR_HANDSHAKE_IVL, 50);
    at = bind_fresh(server, TCP);
    rogue_begin(&r, &at);
    if (_i) {
        rogue_say(&r);
        rogue_hear(&r);
    }
    raw_expect_end(r.fd);
    expect(monitor, ACCEPTED);
    expect_value(monitor, HANDSHAKE_FAILED_NO_DETAIL, ETIMEDOUT);
    expect(monitor, DISCONNECTED);
    rogue_end(&r);
}
END_TEST

/* ---- The end of a program --------------------------------------------------------------------------------------- */

/* Sends without end, but for that of the program. */
static void *stream(void *s)
{
    static char large[65536];

    while (sifr_send(s, large, sizeof large, 0) >= 0)
        ;
    return NULL;
}

/* What runs at exit takes down much that threads still use; OpenSSL, for one, if anybody has used it. */
START_TEST(a_program_may_end_in_the_middle_of_a_stream)
{
    for (int i = 0; i < 8; i++) {
        int status;
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
            sifr_socket_t *in, *out;

#ifdef SF_HAVE_OPENSSL
            OPENSSL_init_crypto(0, NULL);
#endif
            open_curve_world();
            new_curve_link(&in, SIFR_PULL, &out, SIFR_PUSH, 0);
            set_int(out, SIFR_SNDHWM, 10);
            start_thread(stream, out);
            for (int n = 0; n < 5 * i; n++)
                if (sifr_recv(in, NULL, 0, 0) != 65536)
                    _exit(1);
            exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("curve between sockets");
    TCase *c = tcase_create("who comes in");

    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_curve_world, close_world);
    suite_add_tcase(s, c);
    tcase_add_loop_test(c, without_a_handler_whoever_knows_the_server_comes_in, 0, WIRE_WAYS);
    tcase_add_loop_test(c, the_handler_is_shown_the_clients_key, 0, WIRE_WAYS);
    tcase_add_loop_test(c, whom_the_handler_refuses_is_told_so, 0, 3);
    tcase_add_loop_test(c, an_enforced_domain_decides_where_there_is_no_handler, 0, 8);
    tcase_add_test(c, types_that_do_not_fit_part);
    tcase_add_loop_test(c, without_keys_nobody_comes_in, 0, 2);
    c = tcase_create("traffic");
    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_curve_world, close_world);
    suite_add_tcase(s, c);
    tcase_add_loop_test(c, messages_of_all_sizes_arrive_in_order, 0, WIRE_WAYS);
    tcase_add_loop_test(c, many_messages_arrive_in_order, 0, WIRE_WAYS);
    tcase_add_loop_test(c, a_receiver_at_its_mark_holds_its_sender_back, 0, WIRE_WAYS);
    tcase_add_loop_test(c, requests_are_answered, 0, WIRE_WAYS);
    tcase_add_loop_test(c, subscribers_get_what_they_asked_for, 0, INPROC);
    tcase_add_loop_test(c, groups_are_joined, 0, WIRE_WAYS);
    tcase_add_loop_test(c, servers_and_peers_answer, 0, 4);
    tcase_add_test(c, routers_know_their_peers);
    tcase_add_test(c, only_the_newest_is_kept_by_those_that_conflate);
    tcase_add_loop_test(c, idle_connections_live_by_heartbeats, 0, WIRE_WAYS);
    tcase_add_loop_test(c, threads_may_share_sealed_sockets, 0, WIRE_WAYS);
    tcase_add_loop_test(c, the_descriptor_tells_of_sealed_messages, 0, WIRE_WAYS);
    tcase_add_test(c, many_peers_are_heard_in_turn);
    c = tcase_create("ends");
    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_curve_world, close_world);
    suite_add_tcase(s, c);
    tcase_add_test(c, what_was_queued_goes_to_the_next_connection);
    tcase_add_loop_test(c, what_was_sent_arrives_though_its_sender_has_closed, 0, WIRE_WAYS);
    c = tcase_create("peers that hold keys");
    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_curve_world, close_world);
    suite_add_tcase(s, c);
    tcase_add_loop_test(c, a_harmful_frame_ends_its_connection_and_no_other, 0, HARMS * 3);
    tcase_add_test(c, what_libzmq_lets_pass_passes);
    tcase_add_loop_test(c, a_handshake_that_is_not_as_it_should_be_ends, 0, 6);
    tcase_add_test(c, a_handshake_may_come_octet_by_octet);
    tcase_add_loop_test(c, who_stops_in_the_handshake_is_not_waited_for, 0, 2);
    c = new_bare_case(s, "the end of a program");
    tcase_add_test(c, a_program_may_end_in_the_middle_of_a_stream);
    return run_suite(s);
}
