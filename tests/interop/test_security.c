/*
 * sifr and libzmq understand each other behind PLAIN and CURVE, too: every pair of socket types, either library at
 * either end, in either role, either one binding.
 */
#include "pairs.h"

/* ---- Keys, and handlers of either library ---------------------------------------------------------------------- */

struct keys {
    char public[41], secret[41];
};

static struct keys new_keys(void)
{
    struct keys k;

    ck_works(sifr_curve_keypair(k.public, k.secret));
    return k;
}

/* A handler in the context of an end, which is the test itself. */
static struct end open_handler(const struct end *server)
{
    struct end e = {.lib = server->lib, .ctx = server->ctx};

    e.socket = e.lib->socket(e.ctx, ZMQ_REP);
    ck_assert_ptr_nonnull(e.socket);
    end_set_int(&e, ZMQ_RCVTIMEO, WAIT_MS);
    end_set_int(&e, ZMQ_LINGER, 0);
    ck_assert_int_eq(e.lib->bind(e.socket, "inproc://zeromq.zap.01"), 0);
    return e;
}

static void close_handler(struct end *e)
{
    ck_assert_int_eq(e->lib->close(e->socket), 0);
}

/* Is asked about somebody with these credentials, NULL at the end, and says `status`, and who it is. */
static void handle(struct end *h, const char *mechanism, const void *first, size_t first_size, const char *second,
                   const char *status, const char *user)
{
    char address[64];
    int n;

    end_recv(h, "1.0", 3, true);
    end_recv(h, "1", 1, true);
    end_recv(h, "dom", 3, true);
    n = h->lib->recv(h->socket, address, sizeof address, 0);
    ck_assert(n > 0 && end_more(h));
    end_recv(h, "me", 2, true);
    end_recv(h, mechanism, strlen(mechanism), first != NULL);
    if (first)
        end_recv(h, first, first_size, second != NULL);
    if (second)
        end_recv(h, second, strlen(second), false);
    end_send(h, "1.0", 3, ZMQ_SNDMORE);
    end_send(h, "1", 1, ZMQ_SNDMORE);
    end_send(h, status, 3, ZMQ_SNDMORE);
    end_send(h, "text", 4, ZMQ_SNDMORE);
    end_send(h, user, strlen(user), ZMQ_SNDMORE);
    end_send(h, "\5Hello\0\0\0\5World", 15, 0);
}

static void secure(struct end *server, struct end *client, int mechanism)
{
    if (mechanism == ZMQ_PLAIN) {
        end_set_int(server, ZMQ_PLAIN_SERVER, 1);
        end_set_text(client, ZMQ_PLAIN_USERNAME, "user");
        end_set_text(client, ZMQ_PLAIN_PASSWORD, "password");
    } else {
        struct keys s = new_keys(), c = new_keys();

        end_set_int(server, ZMQ_CURVE_SERVER, 1);
        end_set_text(server, ZMQ_CURVE_SECRETKEY, s.secret);
        end_set_text(client, ZMQ_CURVE_SERVERKEY, s.public);
        end_set_text(client, ZMQ_CURVE_PUBLICKEY, c.public);
        end_set_text(client, ZMQ_CURVE_SECRETKEY, c.secret);
    }
    end_set_text(server, ZMQ_ZAP_DOMAIN, "dom");
}

/* ---- All pairs -------------------------------------------------------------------------------------------------- */

/* A case is a pair, and one bit each: who is sifr, who binds, who has the server's role, which mechanism. */
enum { CASES = COUNT(pairs) * 16 };

START_TEST(every_pair_of_types_exchanges_messages)
{
    int pair = _i / 16, mechanism = _i & 8 ? ZMQ_CURVE : ZMQ_PLAIN;
    bool a_is_ours = _i & 1, a_binds = _i & 2, a_serves = _i & 4;
    struct party a = {open_end(a_is_ours ? &ours : &theirs, pairs[pair].a), pairs[pair].a, pairs[pair].b, "B"};
    struct party b = {open_end(a_is_ours ? &theirs : &ours, pairs[pair].b), pairs[pair].b, pairs[pair].a, "A"};
    struct party *bound = a_binds ? &a : &b, *dialing = a_binds ? &b : &a;
    struct end *server = a_serves ? &a.end : &b.end, *client = a_serves ? &b.end : &a.end;
    struct end handler = {0};
    struct endpoint at;

    secure(server, client, mechanism);
    end_set_text(&a.end, ZMQ_ROUTING_ID, "A");
    end_set_text(&b.end, ZMQ_ROUTING_ID, "B");
    if (mechanism == ZMQ_PLAIN) { /* without a handler nobody comes in */
        end_set_text(server, ZMQ_ROUTING_ID, "me");
        if (a_serves)
            b.peer = "me";
        else
            a.peer = "me";
        handler = open_handler(server);
    }
    at = end_bind_fresh(&bound->end, _i & 16 ? IPC : TCP);
    end_connect(&dialing->end, &at);
    if (mechanism == ZMQ_PLAIN) /* a REQ of libzmq hears nobody who has a name */
        handle(&handler, "PLAIN", "user", 4, "password", "200", "");
    exchange_all(&a, &b, pairs[pair].answers);
    if (mechanism == ZMQ_PLAIN)
        close_handler(&handler);
    close_end(&dialing->end);
    close_end(&bound->end);
}
END_TEST

/* ---- Who is let in ---------------------------------------------------------------------------------------------- */

/* Events of a socket of either library, but for those of transports. */
static void *watch(struct end *e)
{
    static int count;
    char at[64];
    void *monitor = e->lib->socket(e->ctx, ZMQ_PAIR);
    int wait = WAIT_MS,
        events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED |
                 ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

    snprintf(at, sizeof at, "inproc://monitor-%d", count++);
    if (e->lib == &ours)
        ck_works(sifr_socket_monitor(e->socket, at, events));
    else
        ck_works(zmq_socket_monitor(e->socket, at, events));
    ck_assert_ptr_nonnull(monitor);
    ck_works(e->lib->set(monitor, ZMQ_RCVTIMEO, &wait, sizeof wait));
    ck_works(e->lib->connect(monitor, at));
    return monitor;
}

#define expect(e, monitor, name) expect_at(__LINE__, e, monitor, ZMQ_EVENT_##name, #name)

static uint32_t expect_at(int line, struct end *e, void *monitor, int number, const char *name)
{
    uint8_t head[16];
    uint16_t event;
    uint32_t value;
    int size = e->lib->recv(monitor, head, sizeof head, 0);

    ck_assert_msg(size == 6, "line %d: no %s of %s", line, name, e->lib->name);
    memcpy(&event, head, 2);
    memcpy(&value, head + 2, 4);
    ck_assert_int_ge(e->lib->recv(monitor, NULL, 0, 0), 0);
    ck_assert_msg(event == number, "line %d: %s has event 0x%x (value 0x%x) instead of %s", line, e->lib->name, event,
                  value, name);
    return value;
}

/* What a handler may say, and events of the server and the client. A server of libzmq leaves the rest to its timer. */
static const struct {
    const char *status;
    int server, client;
    uint32_t value;
    bool again;
} verdicts[] = {
    {"200", ZMQ_EVENT_HANDSHAKE_SUCCEEDED, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0, false},
    {"400", ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 400, false},
    {"500", ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, 500, false},
    {"300", ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 300, true},
};

/* A verdict, and one bit each: who is sifr, which mechanism. */
START_TEST(both_sides_tell_how_the_handler_decided)
{
    const int n = _i / 4, mechanism = _i & 2 ? ZMQ_CURVE : ZMQ_PLAIN;
    const bool server_is_ours = _i & 1;
    struct end server = open_end(server_is_ours ? &ours : &theirs, ZMQ_PULL);
    struct end client = open_end(server_is_ours ? &theirs : &ours, ZMQ_PUSH);
    struct end handler = open_handler(&server);
    void *of_server, *of_client;
    uint8_t key[32];
    size_t size = sizeof key;
    struct endpoint at;
    uint32_t value;

    secure(&server, &client, mechanism);
    end_set_text(&server, ZMQ_ROUTING_ID, "me");
    of_server = watch(&server);
    of_client = watch(&client);
    if (verdicts[n].again)
        end_set_int(&server, ZMQ_HANDSHAKE_IVL, 300);
    at = end_bind_fresh(&server, TCP);
    end_connect(&client, &at);
    if (mechanism == ZMQ_CURVE) {
        ck_works(client.lib->get(client.socket, ZMQ_CURVE_PUBLICKEY, key, &size));
        handle(&handler, "CURVE", key, sizeof key, NULL, verdicts[n].status, "somebody");
    } else {
        handle(&handler, "PLAIN", "user", 4, "password", verdicts[n].status, "somebody");
    }
    expect(&server, of_server, ACCEPTED);
    expect(&client, of_client, CONNECTED);
    value = expect_at(__LINE__, &server, of_server, verdicts[n].server, verdicts[n].status);
    ck_assert_uint_eq(value, verdicts[n].value);
    if (mechanism == ZMQ_PLAIN && !verdicts[n].again && n && !server_is_ours)
        ck_assert_uint_eq(expect(&client, of_client, HANDSHAKE_FAILED_AUTH), verdicts[n].value);
    else if (mechanism == ZMQ_PLAIN && !verdicts[n].again && n) /* libzmq does not know the standard's ERROR there */
        ck_assert_uint_eq(expect(&client, of_client, HANDSHAKE_FAILED_PROTOCOL),
                          ZMQ_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND);
    else
        expect_at(__LINE__, &client, of_client, verdicts[n].client, verdicts[n].status);
    if (n == 0) {
        end_send(&client, "hi", 2, 0);
        end_recv(&server, "hi", 2, false);
    } else {
        expect(&client, of_client, DISCONNECTED);
        if (verdicts[n].again)
            expect(&client, of_client, CONNECT_RETRIED);
    }
    ck_works(server.lib->close(of_server));
    ck_works(client.lib->close(of_client));
    close_handler(&handler);
    close_end(&client);
    close_end(&server);
}
END_TEST

START_TEST(a_client_with_another_servers_key_stays_out)
{
    const bool server_is_ours = _i & 1;
    struct end server = open_end(server_is_ours ? &ours : &theirs, ZMQ_PULL);
    struct end client = open_end(server_is_ours ? &theirs : &ours, ZMQ_PUSH);
    struct keys other = new_keys();
    void *of_server, *of_client;
    struct endpoint at;

    secure(&server, &client, ZMQ_CURVE);
    end_set_text(&client, ZMQ_CURVE_SERVERKEY, other.public);
    of_server = watch(&server);
    of_client = watch(&client);
    at = end_bind_fresh(&server, TCP);
    end_connect(&client, &at);
    for (int n = 0; n < 2; n++) {
        expect(&server, of_server, ACCEPTED);
        expect(&client, of_client, CONNECTED);
        ck_assert_uint_eq(expect(&server, of_server, HANDSHAKE_FAILED_PROTOCOL),
                          ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC);
        expect(&client, of_client, HANDSHAKE_FAILED_NO_DETAIL);
        expect(&server, of_server, DISCONNECTED);
        expect(&client, of_client, DISCONNECTED);
        expect(&client, of_client, CONNECT_RETRIED);
    }
    ck_works(server.lib->close(of_server));
    ck_works(client.lib->close(of_client));
    close_end(&client);
    close_end(&server);
}
END_TEST

/* ---- Traffic of a kind of its own -------------------------------------------------------------------------------- */

START_TEST(subscriptions_and_heartbeats_go_sealed)
{
    struct end pub = open_end(_i & 1 ? &ours : &theirs, ZMQ_XPUB), sub = open_end(_i & 1 ? &theirs : &ours, ZMQ_SUB);
    struct endpoint at;

    secure(_i & 2 ? &pub : &sub, _i & 2 ? &sub : &pub, ZMQ_CURVE);
    end_set_int(&pub, ZMQ_HEARTBEAT_IVL, 20);
    end_set_int(&pub, ZMQ_HEARTBEAT_TIMEOUT, 2000);
    end_set_int(&sub, ZMQ_HEARTBEAT_IVL, 30);
    end_set_int(&sub, ZMQ_HEARTBEAT_TTL, 2000);
    at = end_bind_fresh(&pub, TCP);
    end_connect(&sub, &at);
    for (int n = 0; n < 3; n++) {
        end_set_text(&sub, ZMQ_SUBSCRIBE, "topic");
        eventually(end_readable_within(&sub, 0) || end_readable_within(&pub, 0));
        end_recv(&pub, "\1topic", 6, false);
        ck_assert(!end_readable_within(&sub, 100));
        end_send(&pub, "other", 5, 0);
        end_send(&pub, "topic 1", 7, 0);
        end_recv(&sub, "topic 1", 7, false);
        end_set_text(&sub, ZMQ_UNSUBSCRIBE, "topic");
        end_recv(&pub, "\0topic", 6, false);
    }
    close_end(&sub);
    close_end(&pub);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sifr and libzmq, secured");
    TCase *c = new_bare_case(s, "pairs");

    tcase_add_loop_test(c, every_pair_of_types_exchanges_messages, 0, CASES);
    c = new_bare_case(s, "who is let in");
    tcase_add_loop_test(c, both_sides_tell_how_the_handler_decided, 0, COUNT(verdicts) * 4);
    tcase_add_loop_test(c, a_client_with_another_servers_key_stays_out, 0, 2);
    c = new_bare_case(s, "traffic");
    tcase_add_loop_test(c, subscriptions_and_heartbeats_go_sealed, 0, 4);
    return run_suite(s);
}
