/* sifr and libzmq understand each other: every pair of socket types, either library at either end, either one binding. */
#include "sides.h"

static const size_t sizes[] = {0, 1, 255, 256, 8192, 65536, 1048576};

static const struct {
    const char *name;
    int a, b; /* a sends first */
    bool answers;
} pairs[] = {
    {"REQ-REP", ZMQ_REQ, ZMQ_REP, true},
    {"REQ-ROUTER", ZMQ_REQ, ZMQ_ROUTER, true},
    {"DEALER-REP", ZMQ_DEALER, ZMQ_REP, true},
    {"DEALER-ROUTER", ZMQ_DEALER, ZMQ_ROUTER, true},
    {"DEALER-DEALER", ZMQ_DEALER, ZMQ_DEALER, true},
    {"ROUTER-ROUTER", ZMQ_ROUTER, ZMQ_ROUTER, true},
    {"PUB-SUB", ZMQ_PUB, ZMQ_SUB, false},
    {"PUB-XSUB", ZMQ_PUB, ZMQ_XSUB, false},
    {"XPUB-SUB", ZMQ_XPUB, ZMQ_SUB, false},
    {"XPUB-XSUB", ZMQ_XPUB, ZMQ_XSUB, true},
    {"PUSH-PULL", ZMQ_PUSH, ZMQ_PULL, false},
    {"PAIR-PAIR", ZMQ_PAIR, ZMQ_PAIR, true},
};

/* A case is a pair, and one bit each: who is sifr, who binds, over what. */
enum { CASES = COUNT(pairs) * 8 };

struct party {
    struct end end;
    int type, peer_type;
    const char *peer; /* its routing id */
};

/* What stands before the body of a message to, or from, the peer. */
static bool has_id(const struct party *p)
{
    return p->type == ZMQ_ROUTER;
}

static bool has_delimiter(const struct party *p)
{
    return (p->type == ZMQ_ROUTER && p->peer_type == ZMQ_REQ) || (p->type == ZMQ_DEALER && p->peer_type == ZMQ_REP);
}

static void send_envelope(struct party *p)
{
    if (has_id(p))
        end_send(&p->end, p->peer, strlen(p->peer), ZMQ_SNDMORE);
    if (has_delimiter(p))
        end_send(&p->end, "", 0, ZMQ_SNDMORE);
}

static void recv_envelope(struct party *p)
{
    if (has_id(p))
        end_recv(&p->end, p->peer, strlen(p->peer), true);
    if (has_delimiter(p))
        end_recv(&p->end, "", 0, true);
}

/*
 * A body: "body", size bytes, an empty part, size bytes again. No part starts with 0 or 1, which libzmq would take for a
 * subscription wherever it stands in a message of XSUB.
 */
static void send_body(struct party *p, const void *bytes, size_t size)
{
    send_envelope(p);
    end_send(&p->end, "body", 4, ZMQ_SNDMORE);
    end_send(&p->end, bytes, size, ZMQ_SNDMORE);
    end_send(&p->end, "", 0, ZMQ_SNDMORE);
    end_send(&p->end, bytes, size, 0);
}

static void recv_body(struct party *p, const void *bytes, size_t size)
{
    recv_envelope(p);
    end_recv(&p->end, "body", 4, true);
    end_recv(&p->end, bytes, size, true);
    end_recv(&p->end, "", 0, true);
    end_recv(&p->end, bytes, size, false);
}

static void subscribe(struct party *p)
{
    if (p->type == ZMQ_SUB)
        end_set_text(&p->end, ZMQ_SUBSCRIBE, "");
    else if (p->type == ZMQ_XSUB)
        end_send(&p->end, "\1", 1, 0);
}

/* Until what a sends will reach b, and nothing sent to find out is left. */
static void await_peer(struct party *a, struct party *b)
{
    if (a->type == ZMQ_XPUB) {
        end_readable_within(&b->end, 0); /* a bound libzmq socket subscribes at its next call */
        while (!end_readable_within(&a->end, 1))
            end_readable_within(&b->end, 0);
        end_recv(&a->end, "\1", 1, false);
    } else if (a->type == ZMQ_PUB) {
        eventually(a->end.lib->send(a->end.socket, "sync", 4, 0) == 4 && end_readable_within(&b->end, 0));
        end_send(&a->end, "go", 2, 0);
        for (int n = 4; n != 2;) {
            n = b->end.lib->recv(b->end.socket, NULL, 0, 0);
            ck_assert(n == 4 || n == 2);
        }
    } else if (a->type == ZMQ_ROUTER) {
        end_set_int(&a->end, ZMQ_ROUTER_MANDATORY, 1);
        eventually(a->end.lib->send(a->end.socket, a->peer, strlen(a->peer), ZMQ_SNDMORE) >= 0);
        end_send(&a->end, "hello", 5, 0);
        recv_envelope(b);
        end_recv(&b->end, "hello", 5, false);
    }
}

static void send_number(struct party *p, int n)
{
    char text[16];

    send_body(p, text, (size_t)snprintf(text, sizeof text, "#%d", n));
}

static void recv_number(struct party *p, int n)
{
    char text[16];

    recv_body(p, text, (size_t)snprintf(text, sizeof text, "#%d", n));
}

static void exchange(struct party *a, struct party *b, bool answers, const void *bytes, size_t size)
{
    send_body(a, bytes, size);
    recv_body(b, bytes, size);
    if (answers) {
        send_body(b, bytes, size);
        recv_body(a, bytes, size);
    }
}

START_TEST(every_pair_of_types_exchanges_messages)
{
    int pair = _i / 8;
    bool a_is_ours = _i & 1, a_binds = _i & 2;
    struct party a = {open_end(a_is_ours ? &ours : &theirs, pairs[pair].a), pairs[pair].a, pairs[pair].b, "B"};
    struct party b = {open_end(a_is_ours ? &theirs : &ours, pairs[pair].b), pairs[pair].b, pairs[pair].a, "A"};
    struct party *server = a_binds ? &a : &b, *client = a_binds ? &b : &a;
    uint8_t *bytes = malloc(1048576);
    struct endpoint at;

    ck_assert_ptr_nonnull(bytes);
    fill_bytes(bytes, 1048576, 2);
    end_set_text(&a.end, ZMQ_ROUTING_ID, "A");
    end_set_text(&b.end, ZMQ_ROUTING_ID, "B");
    at = end_bind_fresh(&server->end, _i & 4 ? IPC : TCP);
    end_connect(&client->end, &at);
    subscribe(&b);
    await_peer(&a, &b);
    for (int n = 0; n < COUNT(sizes); n++)
        exchange(&a, &b, pairs[pair].answers, bytes, sizes[n]);
    if (pairs[pair].a == ZMQ_REQ) { /* one at a time */
        for (int n = 0; n < 200; n++)
            exchange(&a, &b, true, &n, sizeof n);
    } else { /* many under way */
        int row = b.type == ZMQ_REP ? 1 : 200;

        for (int n = 0; n < 400; n += row) {
            for (int k = n; k < n + row; k++)
                send_number(&a, k);
            for (int k = n; k < n + row; k++)
                recv_number(&b, k);
            for (int k = n; k < n + row && pairs[pair].answers; k++)
                send_number(&b, k);
            for (int k = n; k < n + row && pairs[pair].answers; k++)
                recv_number(&a, k);
        }
    }
    ck_assert(!end_readable_within(&b.end, 0));
    free(bytes);
    close_end(&client->end);
    close_end(&server->end);
}
END_TEST

/* ---- What only shows in pairs that differ -------------------------------------------------------------------- */

/* One bit each: who is sifr, who binds, over what. */
enum { SIMPLE_CASES = 8 };

static void open_two(int i, int type_a, int type_b, struct end *a, struct end *b)
{
    struct endpoint at;

    *a = open_end(i & 1 ? &ours : &theirs, type_a);
    *b = open_end(i & 1 ? &theirs : &ours, type_b);
    at = end_bind_fresh(i & 2 ? a : b, i & 4 ? IPC : TCP);
    end_connect(i & 2 ? b : a, &at);
}

START_TEST(subscriptions_of_all_lengths_are_made_and_cancelled)
{
    static const size_t lengths[] = {0, 1, 2, 100, 243, 244, 245, 256, 257, 300, 1000, 66000}; /* 246..255: theirs fails */
    uint8_t topic[66001];
    struct end pub, sub;

    open_two(_i, ZMQ_XPUB, ZMQ_SUB, &pub, &sub);
    for (int n = 0; n < COUNT(lengths); n++) {
        fill_bytes(topic, sizeof topic, (unsigned)n);
        topic[0] = 1;
        ck_assert_int_eq(sub.lib->set(sub.socket, ZMQ_SUBSCRIBE, topic + 1, lengths[n]), 0);
        eventually(end_readable_within(&sub, 0) || end_readable_within(&pub, 0));
        end_recv(&pub, topic, lengths[n] + 1, false);
        end_send(&pub, topic + 1, lengths[n], 0);
        end_recv(&sub, topic + 1, lengths[n], false);
        topic[0] = 0;
        ck_assert_int_eq(sub.lib->set(sub.socket, ZMQ_UNSUBSCRIBE, topic + 1, lengths[n]), 0);
        end_recv(&pub, topic, lengths[n] + 1, false);
    }
    close_end(&sub);
    close_end(&pub);
}
END_TEST

START_TEST(the_publisher_filters_and_counts_alike)
{
    struct end pub, sub;

    open_two(_i, ZMQ_XPUB, ZMQ_SUB, &pub, &sub);
    end_set_text(&sub, ZMQ_SUBSCRIBE, "a");
    eventually(end_readable_within(&sub, 0) || end_readable_within(&pub, 0));
    end_recv(&pub, "\1a", 2, false);
    end_set_text(&sub, ZMQ_SUBSCRIBE, "a");
    end_set_text(&sub, ZMQ_SUBSCRIBE, "b");
    end_recv(&pub, "\1b", 2, false);
    end_set_text(&sub, ZMQ_UNSUBSCRIBE, "a");
    end_set_text(&sub, ZMQ_SUBSCRIBE, "c");
    end_recv(&pub, "\1c", 2, false);
    for (int n = 0; n < 100; n++) {
        end_send(&pub, "a", 1, ZMQ_SNDMORE);
        end_send(&pub, &n, sizeof n, 0);
        end_send(&pub, "x", 1, 0);
        end_send(&pub, "c", 1, 0);
    }
    for (int n = 0; n < 100; n++) {
        end_recv(&sub, "a", 1, true);
        end_recv(&sub, &n, sizeof n, false);
        end_recv(&sub, "c", 1, false);
    }
    end_set_text(&sub, ZMQ_UNSUBSCRIBE, "a");
    end_recv(&pub, "\0a", 2, false);
    end_send(&pub, "a", 1, 0);
    end_send(&pub, "b", 1, 0);
    end_recv(&sub, "b", 1, false);
    close_end(&sub);
    close_end(&pub);
}
END_TEST

START_TEST(a_correlated_relaxed_request_is_answered)
{
    struct end req, rep;
    struct endpoint at;

    req = open_end(_i & 1 ? &ours : &theirs, ZMQ_REQ);
    rep = open_end(_i & 1 ? &theirs : &ours, ZMQ_REP);
    end_set_int(&req, ZMQ_REQ_CORRELATE, 1);
    end_set_int(&req, ZMQ_REQ_RELAXED, 1);
    at = end_bind_fresh(_i & 2 ? &req : &rep, _i & 4 ? IPC : TCP);
    end_connect(_i & 2 ? &rep : &req, &at);
    for (int n = 0; n < 20; n++) {
        end_send(&req, "given up", 8, 0);
        end_send(&req, &n, sizeof n, 0);
        end_recv(&rep, "given up", 8, false);
        end_send(&rep, "for nothing", 11, 0);
        end_recv(&rep, &n, sizeof n, false);
        end_send(&rep, &n, sizeof n, 0);
        end_recv(&req, &n, sizeof n, false);
    }
    close_end(&req);
    close_end(&rep);
}
END_TEST

START_TEST(heartbeats_keep_an_idle_connection)
{
    struct end a = open_end(_i & 1 ? &ours : &theirs, ZMQ_PAIR), b = open_end(_i & 1 ? &theirs : &ours, ZMQ_PAIR);
    struct endpoint at;

    end_set_int(&a, ZMQ_HEARTBEAT_IVL, 20);
    end_set_int(&a, ZMQ_HEARTBEAT_TIMEOUT, 2000);
    end_set_int(&a, ZMQ_HEARTBEAT_TTL, 2000);
    at = end_bind_fresh(_i & 2 ? &a : &b, _i & 4 ? IPC : TCP);
    end_connect(_i & 2 ? &b : &a, &at);
    for (int n = 0; n < 3; n++) {
        end_send(&a, &n, sizeof n, 0);
        end_recv(&b, &n, sizeof n, false);
        end_send(&b, &n, sizeof n, 0);
        end_recv(&a, &n, sizeof n, false);
        ck_assert(!end_readable_within(&a, 100));
    }
    close_end(&a);
    close_end(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sifr and libzmq");
    TCase *c = new_bare_case(s, "pairs");

    tcase_add_loop_test(c, every_pair_of_types_exchanges_messages, 0, CASES);
    c = new_bare_case(s, "differences");
    tcase_add_loop_test(c, subscriptions_of_all_lengths_are_made_and_cancelled, 0, SIMPLE_CASES);
    tcase_add_loop_test(c, the_publisher_filters_and_counts_alike, 0, SIMPLE_CASES);
    tcase_add_loop_test(c, a_correlated_relaxed_request_is_answered, 0, SIMPLE_CASES);
    tcase_add_loop_test(c, heartbeats_keep_an_idle_connection, 0, SIMPLE_CASES);
    return run_suite(s);
}
