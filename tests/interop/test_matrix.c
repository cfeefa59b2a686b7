/* sifr and libzmq understand each other: every pair of socket types, either library at either end, either one binding. */
#include "pairs.h"

/* A case is a pair, and one bit each: who is sifr, who binds, over what. */
enum { CASES = COUNT(pairs) * 8 };

START_TEST(every_pair_of_types_exchanges_messages)
{
    int pair = _i / 8;
    bool a_is_ours = _i & 1, a_binds = _i & 2;
    struct party a = {open_end(a_is_ours ? &ours : &theirs, pairs[pair].a), pairs[pair].a, pairs[pair].b, "B"};
    struct party b = {open_end(a_is_ours ? &theirs : &ours, pairs[pair].b), pairs[pair].b, pairs[pair].a, "A"};
    struct party *server = a_binds ? &a : &b, *client = a_binds ? &b : &a;
    struct endpoint at;

    end_set_text(&a.end, ZMQ_ROUTING_ID, "A");
    end_set_text(&b.end, ZMQ_ROUTING_ID, "B");
    at = end_bind_fresh(&server->end, _i & 4 ? IPC : TCP);
    end_connect(&client->end, &at);
    exchange_all(&a, &b, pairs[pair].answers);
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
