/*
 * sifr and libzmq understand each other behind GSSAPI, too: every pair of socket types, either library at either end,
 * in either role, either one binding, with all that is said sealed or not.
 */
#include "pairs.h"

#include "realm.h"

/* The server has all keys that there are: of a principal libzmq wants a ticket besides. */
static void secure(struct end *server, struct end *client, bool sealed)
{
    end_set_int(server, ZMQ_GSSAPI_SERVER, 1);
    end_set_int(server, ZMQ_GSSAPI_PLAINTEXT, !sealed);
    end_set_text(client, ZMQ_GSSAPI_SERVICE_PRINCIPAL, "zmq@localhost");
    end_set_int(client, ZMQ_GSSAPI_PLAINTEXT, !sealed);
}

/* libzmq before 4.3.6 loses what is a subscription when it seals it. */
static bool passes(int type, bool sealed)
{
    return !sealed || (type != ZMQ_PUB && type != ZMQ_XPUB && type != ZMQ_SUB && type != ZMQ_XSUB);
}

/* A case is a pair, and one bit each: who is sifr, who binds, who has the server's role, whether it is sealed. */
enum { STEP = SLOW ? 3 : 1, CASES = COUNT(pairs) * 16 / STEP };

START_TEST(every_pair_of_types_exchanges_messages)
{
    int way = _i * STEP, pair = way / 16;
    bool a_is_ours = way & 1, a_binds = way & 2, a_serves = way & 4, sealed = way & 8;
    struct party a = {.type = pairs[pair].a, .peer_type = pairs[pair].b, .peer = "B"};
    struct party b = {.type = pairs[pair].b, .peer_type = pairs[pair].a, .peer = "A"};
    struct party *bound = a_binds ? &a : &b, *dialing = a_binds ? &b : &a;
    struct endpoint at;

    if (!passes(a.type, sealed))
        return;
    a.end = open_end(a_is_ours ? &ours : &theirs, a.type);
    b.end = open_end(a_is_ours ? &theirs : &ours, b.type);
    secure(a_serves ? &a.end : &b.end, a_serves ? &b.end : &a.end, sealed);
    end_set_text(&a.end, ZMQ_ROUTING_ID, "A");
    end_set_text(&b.end, ZMQ_ROUTING_ID, "B");
    at = end_bind_fresh(&bound->end, way & 16 ? IPC : TCP);
    end_connect(&dialing->end, &at);
    exchange_all(&a, &b, pairs[pair].answers);
    close_end(&dialing->end);
    close_end(&bound->end);
}
END_TEST

/* Of both libraries' servers, the handler is asked the same. */
START_TEST(the_handler_is_told_the_principal)
{
    bool server_is_ours = _i & 1;
    struct end server = open_end(server_is_ours ? &ours : &theirs, ZMQ_PULL);
    struct end client = open_end(server_is_ours ? &theirs : &ours, ZMQ_PUSH);
    struct end handler = {.lib = server.lib, .ctx = server.ctx};
    char address[64];
    struct endpoint at;

    handler.socket = handler.lib->socket(handler.ctx, ZMQ_REP);
    end_set_int(&handler, ZMQ_RCVTIMEO, WAIT_MS);
    end_set_int(&handler, ZMQ_LINGER, 0);
    ck_assert_int_eq(handler.lib->bind(handler.socket, "inproc://zeromq.zap.01"), 0);
    secure(&server, &client, true);
    end_set_text(&server, ZMQ_ZAP_DOMAIN, "dom");
    at = end_bind_fresh(&server, TCP);
    end_connect(&client, &at);
    end_recv(&handler, "1.0", 3, true);
    end_recv(&handler, "1", 1, true);
    end_recv(&handler, "dom", 3, true);
    ck_assert_int_gt(handler.lib->recv(handler.socket, address, sizeof address, 0), 0);
    end_recv(&handler, "", 0, true);
    end_recv(&handler, "GSSAPI", 6, true);
    end_recv(&handler, "client@" REALM, strlen("client@" REALM), false);
    end_send(&handler, "1.0", 3, ZMQ_SNDMORE);
    end_send(&handler, "1", 1, ZMQ_SNDMORE);
    end_send(&handler, "200", 3, ZMQ_SNDMORE);
    end_send(&handler, "text", 4, ZMQ_SNDMORE);
    end_send(&handler, "somebody", 8, ZMQ_SNDMORE);
    end_send(&handler, "", 0, 0);
    end_send(&client, "hi", 2, 0);
    end_recv(&server, "hi", 2, false);
    ck_works(handler.lib->close(handler.socket));
    close_end(&client);
    close_end(&server);
}
END_TEST

static Suite *new_suite(void)
{
    Suite *s = suite_create("sifr and libzmq behind GSSAPI");
    TCase *c = new_bare_case(s, "pairs");

    tcase_add_loop_test(c, every_pair_of_types_exchanges_messages, 0, CASES);
    c = new_bare_case(s, "who is let in");
    tcase_add_loop_test(c, the_handler_is_told_the_principal, 0, 2);
    return s;
}

int main(void)
{
    if (zmq_has("gssapi"))
        return run_in_realm(new_suite());
    printf("skipped: libzmq was built without GSSAPI\n");
    return SKIPPED;
}
