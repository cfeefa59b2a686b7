/* Connections whose handler lies, dies or is slow, whatever the mechanism: what both sides are told, and who gets in. */
#include "secure.h"

#include "security/zap.h"

static char server_public[41], server_secret[41];

static const int mechanisms[] = {SIFR_NULL, SIFR_PLAIN, SIFR_CURVE};

/* A server and a client of a mechanism, not joined yet; false if it is not built in. */
static bool new_sides(int mechanism, sifr_socket_t **server, sifr_socket_t **client)
{
    char public[41], secret[41];

    if (mechanism == SIFR_CURVE && !sifr_has("curve"))
        return false;
    *server = new_socket(SIFR_PULL);
    *client = new_socket(SIFR_PUSH);
    set_text(*server, SIFR_ZAP_DOMAIN, "dom");
    set_int(*client, SIFR_RECONNECT_IVL, 1);
    if (mechanism == SIFR_PLAIN) {
        set_int(*server, SIFR_PLAIN_SERVER, 1);
        set_text(*client, SIFR_PLAIN_USERNAME, "admin");
        set_text(*client, SIFR_PLAIN_PASSWORD, "secret");
    } else if (mechanism == SIFR_CURVE) {
        ck_works(sifr_curve_keypair(server_public, server_secret));
        ck_works(sifr_curve_keypair(public, secret));
        set_int(*server, SIFR_CURVE_SERVER, 1);
        set_text(*server, SIFR_CURVE_SECRETKEY, server_secret);
        set_text(*client, SIFR_CURVE_SERVERKEY, server_public);
        set_text(*client, SIFR_CURVE_PUBLICKEY, public);
        set_text(*client, SIFR_CURVE_SECRETKEY, secret);
    }
    return true;
}

static void passes(sifr_socket_t *client, sifr_socket_t *server)
{
    send_text(client, "hello", 0);
    recv_text(server, "hello", false);
}

/* Behind the delimiter that REP adds. */
static const struct {
    const char *parts[10];
    uint32_t error;
} lies[] = {
    {{""}, SIFR_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY},
    {{"1.0", "1", "200", "", "x"}, SIFR_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY},
    {{"1.0", "1", "200", "", "x", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY},
    {{"2.0", "1", "200", "", "x", ""}, SIFR_PROTOCOL_ERROR_ZAP_BAD_VERSION},
    {{"1.0", "7", "200", "", "x", ""}, SIFR_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID},
    {{"1.0", "1", "OK", "", "x", ""}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE},
    {{"1.0", "1", "200", "", "x", "\1"}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_METADATA},
};

START_TEST(a_lie_lets_nobody_in_and_the_truth_does)
{
    sifr_socket_t *server, *client, *of_server, *of_client, *handler;
    struct endpoint e;

    if (!new_sides(mechanisms[_i], &server, &client))
        return;
    handler = new_handler();
    of_server = watch(server);
    of_client = watch(client);
    e = bind_fresh(server, TCP);
    connect_to(client, &e);
    for (int i = 0; i < COUNT(lies); i++) {
        recv_question(handler);
        send_parts_at(__LINE__, handler, lies[i].parts);
        expect(of_server, ACCEPTED);
        expect_value(of_server, HANDSHAKE_FAILED_PROTOCOL, lies[i].error);
        expect(of_server, DISCONNECTED);
        expect(of_client, CONNECTED);
        expect(of_client, HANDSHAKE_FAILED_NO_DETAIL);
        expect(of_client, DISCONNECTED);
        expect(of_client, CONNECT_RETRIED);
    }
    recv_question(handler);
    answer_status(handler, "200");
    passes(client, server);
}
END_TEST

/* Also where nobody need be asked if there is no handler: this one was there. */
START_TEST(who_was_asked_and_goes_lets_nobody_in)
{
    sifr_socket_t *server, *client, *of_server, *of_client, *handler;
    struct endpoint e;

    if (!new_sides(mechanisms[_i], &server, &client))
        return;
    set_int(server, SIFR_ZAP_ENFORCE_DOMAIN, 1);
    handler = new_handler();
    of_server = watch(server);
    of_client = watch(client);
    e = bind_fresh(server, TCP);
    connect_to(client, &e);
    recv_question(handler);
    drop(handler);
    expect(of_server, ACCEPTED);
    expect_value(of_server, HANDSHAKE_FAILED_NO_DETAIL, EPIPE);
    expect(of_server, DISCONNECTED);
    expect(of_client, CONNECTED);
    expect(of_client, HANDSHAKE_FAILED_NO_DETAIL);
    drop(of_server);
    drop(of_client);
    handler = new_handler(); /* the next one is asked when the client comes again */
    recv_question(handler);
    answer_status(handler, "200");
    passes(client, server);
}
END_TEST

enum { CLIENTS = 40 };

/* A ROUTER as handler, which lets those wait that came first, and then answers twice each. */
START_TEST(a_handler_that_answers_late_and_twice_lets_in_those_it_means)
{
    sifr_socket_t *server = NULL, *clients[CLIENTS], *handler;
    struct endpoint e = {{0}};
    char ids[CLIENTS][64], name[32];
    int sizes[CLIENTS], number[CLIENTS];

    handler = new_socket(SIFR_ROUTER);
    ck_works(sifr_bind(handler, "inproc://zeromq.zap.01"));
    server = new_socket(SIFR_PULL);
    set_int(server, SIFR_PLAIN_SERVER, 1);
    e = bind_fresh(server, TCP);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = new_socket(SIFR_PUSH);
        snprintf(name, sizeof name, "%d", i);
        set_text(clients[i], SIFR_PLAIN_USERNAME, name);
        connect_to(clients[i], &e);
        send_text(clients[i], name, 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        struct question q;

        sizes[i] = sifr_recv(handler, ids[i], sizeof ids[i], 0);
        ck_assert_int_gt(sizes[i], 0);
        q = recv_question(handler);
        ck_assert_int_eq(q.count, 9); /* with the delimiter */
        number[i] = atoi(q.frames[7]);
    }
    for (int twice = 0; twice < 2; twice++) {
        for (int i = CLIENTS - 1; i >= 0; i--) {
            snprintf(name, sizeof name, "%d", number[i]);
            send_bytes(handler, ids[i], (size_t)sizes[i], SIFR_SNDMORE);
            send_text(handler, "", SIFR_SNDMORE);
            answer(handler, number[i] % 2 ? "400" : "200", name, NULL, 0);
        }
    }
    for (int i = 0; i < CLIENTS / 2; i++) {
        sifr_msg_t m;

        sifr_msg_init(&m);
        ck_assert_int_gt(sifr_msg_recv(&m, server, 0), 0);
        ck_assert_uint_eq(sifr_msg_size(&m), strlen(sifr_msg_gets(&m, "User-Id")));
        ck_assert_mem_eq(sifr_msg_data(&m), sifr_msg_gets(&m, "User-Id"), sifr_msg_size(&m));
        ck_assert_int_eq(atoi(sifr_msg_gets(&m, "User-Id")) % 2, 0);
        sifr_msg_close(&m);
    }
    ck_assert(!readable_within(server, 20));
}
END_TEST

/* A flood of names that wait to be asked about ends with those who brought them, but for what the handler has already. */
START_TEST(peers_that_have_gone_are_not_asked_about)
{
    enum { GONE = SF_ZAP_QUEUES + 100 };
    sifr_socket_t *server, *client, *handler, *of_server;
    struct endpoint e;
    struct question q;
    int asked = 0, lost = 0;

    if (!new_sides(SIFR_PLAIN, &server, &client))
        return;
    handler = new_handler();
    of_server = watch(server);
    set_int(server, SIFR_HANDSHAKE_IVL, 100);
    e = bind_fresh(server, TCP);
    for (int i = 0; i < GONE; i++) {
        int fd = raw_connect(&e);

        raw_greet(fd, "PLAIN");
        raw_send_command(fd, "\5HELLO\1x\1y", 10);
        close(fd);
    }
    while (lost < GONE) { /* the handler sleeps until the server has let go of them */
        uint16_t event;
        uint8_t head[8];

        ck_assert_int_eq(sifr_recv(of_server, head, sizeof head, 0), 6);
        ck_assert_int_ge(sifr_recv(of_server, NULL, 0, 0), 0);
        memcpy(&event, head, sizeof event);
        lost += event == SIFR_EVENT_DISCONNECTED;
    }
    set_int(server, SIFR_HANDSHAKE_IVL, 30000);
    e = bind_fresh(server, TCP);
    connect_to(client, &e);
    do {
        q = recv_question(handler);
        answer_status(handler, "200");
        asked++;
    } while (strcmp(q.frames[6], "admin") != 0);
    ck_assert_int_le(asked, SF_ZAP_QUEUES + 1);
    passes(client, server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("security/zap_flow");
    TCase *c = new_case(suite, "handlers");

    tcase_add_loop_test(c, a_lie_lets_nobody_in_and_the_truth_does, 0, COUNT(mechanisms));
    tcase_add_loop_test(c, who_was_asked_and_goes_lets_nobody_in, 0, COUNT(mechanisms));
    tcase_add_test(c, a_handler_that_answers_late_and_twice_lets_in_those_it_means);
    tcase_add_test(c, peers_that_have_gone_are_not_asked_about);
    return run_suite(suite);
}
