/* PLAIN, and NULL with a handler: who comes in, what is told to whom, and what peers by hand are answered. */
#include "secure.h"

#define PROTOCOL(name) SIFR_PROTOCOL_ERROR_##name

/* Two sockets, and what is told of both. */
struct pair {
    sifr_socket_t *server, *client, *of_server, *of_client;
    struct endpoint at;
};

/* Not joined yet. */
static struct pair join_pair(void)
{
    struct pair p = {.server = new_socket(SIFR_PULL), .client = new_socket(SIFR_PUSH)};

    p.of_server = watch(p.server);
    p.of_client = watch(p.client);
    set_int(p.server, SIFR_RECONNECT_IVL, 10);
    set_int(p.client, SIFR_RECONNECT_IVL, 10);
    return p;
}

static struct pair join_plain(void)
{
    struct pair p = join_pair();

    set_int(p.server, SIFR_PLAIN_SERVER, 1);
    set_text(p.server, SIFR_ZAP_DOMAIN, "global");
    set_text(p.server, SIFR_ROUTING_ID, "the server");
    set_text(p.client, SIFR_PLAIN_USERNAME, "admin");
    set_text(p.client, SIFR_PLAIN_PASSWORD, "secret");
    return p;
}

static void link_pair(struct pair *p, int way)
{
    p->at = link_sockets(p->server, p->client, way);
}

/* The first event of each side. */
static void expect_begun(const struct pair *p, int way)
{
    if (way % 2) {
        expect(p->of_server, CONNECTED);
        expect(p->of_client, ACCEPTED);
    } else {
        expect(p->of_server, ACCEPTED);
        expect(p->of_client, CONNECTED);
    }
}

START_TEST(a_client_that_the_handler_knows_comes_in)
{
    static const char properties[] = "\5Hello\0\0\0\5World\7User-Id\0\0\0\5other";
    sifr_socket_t *handler = new_handler();
    struct pair p = join_plain();
    sifr_msg_t m;

    link_pair(&p, _i);
    if (_i / 2 == TCP) {
        expect_question(handler, "global", _i % 2 ? own_host() : "127.0.0.1", "the server", "PLAIN", "admin", "secret");
    } else {
        struct question q = recv_question(handler);

        ck_assert_int_eq(q.count, 8);
        ck_assert_msg(strncmp(q.frames[3], "localhost:", 10) == 0, "%s", q.frames[3]);
    }
    recv_nothing(p.server);
    answer(handler, "200", "user-1", properties, sizeof properties - 1);
    send_text(p.client, "hi", 0);
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, p.server, 0), 2);
    ck_assert_str_eq(sifr_msg_gets(&m, "User-Id"), "user-1");
    ck_assert_str_eq(sifr_msg_gets(&m, "Hello"), "World");
    ck_assert_str_eq(sifr_msg_gets(&m, "Socket-Type"), "PUSH");
    ck_assert_ptr_nonnull(sifr_msg_gets(&m, "Peer-Address"));
    sifr_msg_close(&m);
    expect_begun(&p, _i);
    expect(p.of_server, HANDSHAKE_SUCCEEDED);
    expect(p.of_client, HANDSHAKE_SUCCEEDED);
    ck_assert_int_eq(get_int(p.server, SIFR_MECHANISM), SIFR_PLAIN);
    ck_assert_int_eq(get_int(p.client, SIFR_MECHANISM), SIFR_PLAIN);
}
END_TEST

/* What a handler may say besides 200. */
static const struct {
    const char *status;
    uint32_t server, client; /* events */
    uint32_t value;          /* of the server's */
    bool again;              /* the client tries again */
} refusals[] = {
    {"400", SIFR_EVENT_HANDSHAKE_FAILED_AUTH, SIFR_EVENT_HANDSHAKE_FAILED_AUTH, 400, false},
    {"500", SIFR_EVENT_HANDSHAKE_FAILED_AUTH, SIFR_EVENT_HANDSHAKE_FAILED_AUTH, 500, false},
    {"300", SIFR_EVENT_HANDSHAKE_FAILED_AUTH, SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL, 300, true},
    {"201", SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL, SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL,
     SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE, true},
    {"", SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL, SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL,
     SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE, true},
};

/* One step that both sides take; the client is the one that dials. */
static void expect_refused(const struct pair *p, int n)
{
    uint32_t value;

    expect(p->of_server, ACCEPTED);
    expect(p->of_client, CONNECTED);
    value = expect_at(__LINE__, p->of_server, (int)refusals[n].server, refusals[n].status);
    ck_assert_uint_eq(value, refusals[n].value);
    value = expect_at(__LINE__, p->of_client, (int)refusals[n].client, refusals[n].status);
    if (refusals[n].client == SIFR_EVENT_HANDSHAKE_FAILED_AUTH)
        ck_assert_uint_eq(value, refusals[n].value);
    expect(p->of_server, DISCONNECTED);
    expect(p->of_client, DISCONNECTED);
    if (refusals[n].again)
        expect_retry(p->of_client);
    else
        expect_silence(p->of_client, 50);
}

START_TEST(a_client_that_the_handler_refuses_stays_out)
{
    sifr_socket_t *handler = new_handler();
    struct pair p = join_plain();

    link_pair(&p, 0);
    recv_question(handler);
    answer_status(handler, refusals[_i].status);
    expect_refused(&p, _i);
    if (refusals[_i].again) { /* and may come in the next time */
        recv_question(handler);
        answer_status(handler, "200");
        send_text(p.client, "hi", 0);
        recv_text(p.server, "hi", false);
    }
}
END_TEST

START_TEST(null_asks_the_handler_where_there_is_a_domain)
{
    sifr_socket_t *handler = new_handler();
    struct pair p = join_pair();

    set_text(p.server, SIFR_ZAP_DOMAIN, "dom");
    link_pair(&p, 0);
    expect_question(handler, "dom", "127.0.0.1", "", "NULL");
    answer_status(handler, refusals[_i].status);
    expect_refused(&p, _i);
}
END_TEST

START_TEST(who_null_lets_in_has_its_properties)
{
    sifr_socket_t *handler = new_handler();
    struct pair p = join_pair();
    sifr_msg_t m;

    set_text(p.server, SIFR_ZAP_DOMAIN, "dom");
    link_pair(&p, _i);
    recv_question(handler);
    answer(handler, "200", "somebody", NULL, 0);
    send_text(p.client, "hi", 0);
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, p.server, 0), 2);
    ck_assert_str_eq(sifr_msg_gets(&m, "User-Id"), "somebody");
    sifr_msg_close(&m);
}
END_TEST

START_TEST(without_a_handler_plain_lets_nobody_in)
{
    struct pair p = join_plain();

    link_pair(&p, 0);
    for (int n = 0; n < 3; n++) {
        expect_begun(&p, 0);
        expect_value(p.of_server, HANDSHAKE_FAILED_NO_DETAIL, EFAULT);
        expect(p.of_server, DISCONNECTED);
        expect(p.of_client, HANDSHAKE_FAILED_NO_DETAIL);
        expect(p.of_client, DISCONNECTED);
        expect_retry(p.of_client);
    }
}
END_TEST

/* Domain, enforced: whether NULL lets in without a handler. */
START_TEST(without_a_handler_null_lets_in_unless_a_domain_is_enforced)
{
    bool domain = _i & 1, enforce = _i & 2;
    struct pair p = join_pair();

    if (domain)
        set_text(p.server, SIFR_ZAP_DOMAIN, "dom");
    set_int(p.server, SIFR_ZAP_ENFORCE_DOMAIN, enforce);
    link_pair(&p, 0);
    expect_begun(&p, 0);
    if (domain && enforce) {
        expect_value(p.of_server, HANDSHAKE_FAILED_NO_DETAIL, EFAULT);
        expect(p.of_client, HANDSHAKE_FAILED_NO_DETAIL);
        return;
    }
    expect(p.of_server, HANDSHAKE_SUCCEEDED);
    send_text(p.client, "hi", 0);
    recv_text(p.server, "hi", false);
}
END_TEST

START_TEST(a_handler_that_never_answers_is_waited_for_until_the_handshakes_time_is_over)
{
    sifr_socket_t *handler = new_handler();
    struct pair p = join_plain();

    set_int(p.server, SIFR_HANDSHAKE_IVL, 100);
    link_pair(&p, 0);
    recv_question(handler);
    expect_begun(&p, 0);
    expect_value(p.of_server, HANDSHAKE_FAILED_NO_DETAIL, ETIMEDOUT);
    expect(p.of_server, DISCONNECTED);
    expect(p.of_client, HANDSHAKE_FAILED_NO_DETAIL);
    answer_status(handler, "200"); /* too late, and for nobody */
    recv_question(handler);
    answer_status(handler, "200");
    send_text(p.client, "hi", 0);
    recv_text(p.server, "hi", false);
}
END_TEST

START_TEST(sockets_close_while_the_handler_thinks)
{
    sifr_socket_t *handler = new_handler();
    struct pair p = join_plain();

    link_pair(&p, 0);
    recv_question(handler);
    drop(_i ? p.server : p.client);
    answer_status(handler, "200");
}
END_TEST

START_TEST(two_clients_refuse_each_other)
{
    struct pair p = join_plain();

    set_text(p.server, SIFR_PLAIN_USERNAME, "a client, too");
    link_pair(&p, 0);
    expect_begun(&p, 0);
    /* Who hears HELLO first; the other one may meet the end before that. */
    for (;;) {
        uint8_t head[6];
        uint16_t event;
        uint32_t value;

        ck_assert_int_eq(sifr_recv(p.of_client, head, sizeof head, 0), 6);
        memcpy(&event, head, 2);
        memcpy(&value, head + 2, 4);
        sifr_recv(p.of_client, NULL, 0, 0);
        if (event != SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL) {
            ck_assert_msg(event != SIFR_EVENT_HANDSHAKE_SUCCEEDED, "they understand each other");
            continue;
        }
        ck_assert_uint_eq(value, PROTOCOL(ZMTP_UNEXPECTED_COMMAND));
        break;
    }
}
END_TEST

START_TEST(two_servers_wait_until_the_handshakes_time_is_over)
{
    struct pair p = join_plain();

    set_int(p.client, SIFR_PLAIN_SERVER, 1);
    set_int(p.client, SIFR_HANDSHAKE_IVL, 100);
    link_pair(&p, 0);
    expect_begun(&p, 0);
    expect_value(p.of_client, HANDSHAKE_FAILED_NO_DETAIL, ETIMEDOUT);
    expect(p.of_client, DISCONNECTED);
    expect_retry(p.of_client);
}
END_TEST

START_TEST(types_that_do_not_fit_part)
{
    sifr_socket_t *handler = new_handler(), *server = new_socket(SIFR_PUB), *client = new_socket(SIFR_REQ);
    sifr_socket_t *of_server = watch(server), *of_client = watch(client);

    set_int(server, SIFR_PLAIN_SERVER, 1);
    set_text(client, SIFR_PLAIN_USERNAME, "admin");
    link_sockets(server, client, 0);
    recv_question(handler);
    answer_status(handler, "200");
    expect(of_server, ACCEPTED);
    expect(of_server, DISCONNECTED);
    expect(of_client, CONNECTED);
    expect(of_client, HANDSHAKE_FAILED_NO_DETAIL);
}
END_TEST

/* ---- Peers made by hand ----------------------------------------------------------------------------------------- */

#define BYTES(text) text, sizeof text - 1

/* What a server hears first, before it asks anybody. */
static const struct {
    const char *name, *body;
    size_t n;
    uint32_t error;
} hellos[] = {
    {"empty", BYTES(""), PROTOCOL(ZMTP_MALFORMED_COMMAND_UNSPECIFIED)},
    {"a name that runs past the end", BYTES("\6HELLO"), PROTOCOL(ZMTP_MALFORMED_COMMAND_UNSPECIFIED)},
    {"nothing behind the name", BYTES("\5HELLO"), PROTOCOL(ZMTP_MALFORMED_COMMAND_HELLO)},
    {"no password", BYTES("\5HELLO\1u"), PROTOCOL(ZMTP_MALFORMED_COMMAND_HELLO)},
    {"a user past the end", BYTES("\5HELLO\5user"), PROTOCOL(ZMTP_MALFORMED_COMMAND_HELLO)},
    {"a password past the end", BYTES("\5HELLO\1u\5word"), PROTOCOL(ZMTP_MALFORMED_COMMAND_HELLO)},
    {"octets behind it", BYTES("\5HELLO\1u\1wx"), PROTOCOL(ZMTP_MALFORMED_COMMAND_HELLO)},
    {"READY", BYTES("\5READY"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"INITIATE", BYTES("\10INITIATE"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"WELCOME", BYTES("\7WELCOME"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"ERROR", BYTES("\5ERROR\0"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"PING", BYTES("\4PING\0\0"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
};

START_TEST(a_server_ends_with_whoever_does_not_say_hello)
{
    sifr_socket_t *handler = new_handler(), *server = new_socket(SIFR_PULL), *monitor = watch(server);
    struct endpoint at;
    int fd;

    set_int(server, SIFR_PLAIN_SERVER, 1);
    at = bind_fresh(server, TCP);
    fd = raw_connect(&at);
    raw_greet(fd, "PLAIN");
    raw_send_command(fd, hellos[_i].body, hellos[_i].n);
    raw_expect_end(fd);
    expect(monitor, ACCEPTED);
    expect_value(monitor, HANDSHAKE_FAILED_PROTOCOL, hellos[_i].error);
    expect(monitor, DISCONNECTED);
    recv_nothing(handler);
    close(fd);
}
END_TEST

/* What follows WELCOME. */
static const struct {
    const char *name, *body;
    size_t n;
    uint32_t error;
} initiates[] = {
    {"HELLO again", BYTES("\5HELLO\1u\1p"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"READY", BYTES("\5READY"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
    {"metadata cut", BYTES("\10INITIATE\13Socket-Type\0\0\0\4PUS"), PROTOCOL(ZMTP_INVALID_METADATA)},
    {"metadata with more behind it", BYTES("\10INITIATE\13Socket-Type\0\0\0\4PUSHx"), PROTOCOL(ZMTP_INVALID_METADATA)},
    {"another type", BYTES("\10INITIATE\13Socket-Type\0\0\0\4PULL"), 0},
};

START_TEST(a_server_ends_with_whoever_initiates_badly)
{
    sifr_socket_t *handler = new_handler(), *server = new_socket(SIFR_PULL), *monitor = watch(server);
    struct endpoint at;
    uint8_t body[256];
    int fd;

    set_int(server, SIFR_PLAIN_SERVER, 1);
    at = bind_fresh(server, TCP);
    fd = raw_connect(&at);
    raw_greet(fd, "PLAIN");
    raw_send_command(fd, BYTES("\5HELLO\1u\1p"));
    expect_question(handler, "", "127.0.0.1", "", "PLAIN", "u", "p");
    answer_status(handler, "200");
    ck_assert_uint_eq(raw_recv_frame(fd, body, sizeof body), 8);
    ck_assert_mem_eq(body, "\7WELCOME", 8);
    raw_send_command(fd, initiates[_i].body, initiates[_i].n);
    raw_expect_end(fd);
    expect(monitor, ACCEPTED);
    if (initiates[_i].error)
        expect_value(monitor, HANDSHAKE_FAILED_PROTOCOL, initiates[_i].error);
    expect(monitor, DISCONNECTED);
    close(fd);
}
END_TEST

START_TEST(a_server_takes_messages_behind_initiate)
{
    static const char all[] = "\4\x1d\10INITIATE\13Socket-Type\0\0\0\4PUSH\0\5early\0\4next";
    sifr_socket_t *handler = new_handler(), *server = new_socket(SIFR_PULL);
    struct endpoint at;
    uint8_t body[256];
    int fd;

    set_int(server, SIFR_PLAIN_SERVER, 1);
    at = bind_fresh(server, TCP);
    fd = raw_connect(&at);
    raw_greet(fd, "PLAIN");
    raw_send_command(fd, BYTES("\5HELLO\0\0"));
    recv_question(handler);
    answer_status(handler, "200");
    raw_recv_frame(fd, body, sizeof body);
    raw_send(fd, all, sizeof all - 1);
    ck_assert_uint_eq(raw_recv_frame(fd, body, sizeof body), 26);
    ck_assert_mem_eq(body, "\5READY\13Socket-Type\0\0\0\4PULL", 26);
    recv_text(server, "early", false);
    recv_text(server, "next", false);
    close(fd);
}
END_TEST

/* Those who would go below what is asked of them. */
START_TEST(a_server_refuses_peers_that_know_no_mechanism_or_another)
{
    static const char *const mechanisms[] = {"NULL", "CURVE", "plain", "PLAINx", ""};
    sifr_socket_t *server = new_socket(SIFR_PULL), *monitor = watch(server);
    struct endpoint at;
    uint8_t rest[256];
    int fd;

    if (_i & 1)
        set_int(server, SIFR_PLAIN_SERVER, 1);
    else
        set_text(server, SIFR_ZAP_DOMAIN, "dom"); /* NULL, but connections are to be authorised */
    at = bind_fresh(server, TCP);
    fd = raw_connect(&at);
    switch (_i / 2) {
    case 0: raw_send(fd, "\1\0\6\0hello", 9); break;                    /* 1.0 */
    case 1: raw_send(fd, "\xff\0\0\0\0\0\0\0\1\x7f\1\10\0\0", 14); break; /* 2.0 */
    default: {
        uint8_t greeting[GREETING_SIZE];

        put_greeting(greeting, _i & 1 ? mechanisms[_i / 2 - 2] : "PLAIN");
        raw_send(fd, greeting, sizeof greeting);
        raw_send(fd, BYTES("\4\x1a\5READY\13Socket-Type\0\0\0\4PUSH\0\2hi"));
        break;
    }
    }
    while (recv(fd, rest, sizeof rest, 0) > 0)
        ;
    expect(monitor, ACCEPTED);
    expect_value(monitor, HANDSHAKE_FAILED_PROTOCOL,
                 _i / 2 < 2 ? PROTOCOL(ZMTP_UNSPECIFIED) : PROTOCOL(ZMTP_MECHANISM_MISMATCH));
    expect(monitor, DISCONNECTED);
    recv_nothing(server);
    close(fd);
}
END_TEST

/* What a client is answered, to HELLO and then to INITIATE. */
static const struct {
    const char *name, *welcome;
    size_t n_welcome;
    const char *ready;
    size_t n_ready;
    uint32_t error; /* 0: AUTH with `status`, or nothing if that is 0 */
    int status;
} servers[] = {
    {"ERROR for HELLO", BYTES("\5ERROR\3\x34\x30\x30"), NULL, 0, 0, 400},
    {"libzmq's ERROR", BYTES("\x5eRROR\3\x35\x30\x30"), NULL, 0, 0, 500},
    {"ERROR for INITIATE", BYTES("\7WELCOME"), BYTES("\5ERROR\3\x34\x30\x30"), 0, 400},
    {"libzmq's ERROR for INITIATE", BYTES("\7WELCOME"), BYTES("\x5eRROR\3\x33\x30\x30"), 0, 300},
    {"ERROR with text", BYTES("\5ERROR\4text"), NULL, 0, 0, 0},
    {"ERROR cut", BYTES("\5ERROR\4tex"), NULL, 0, PROTOCOL(ZMTP_MALFORMED_COMMAND_ERROR), 0},
    {"libzmq's ERROR cut", BYTES("\x5eRROR\4"), NULL, 0, PROTOCOL(ZMTP_MALFORMED_COMMAND_ERROR), 0},
    {"libzmq's ERROR without anything", BYTES("\x5eRROR"), NULL, 0, PROTOCOL(ZMTP_MALFORMED_COMMAND_ERROR), 0},
    {"WELCOME with more", BYTES("\7WELCOMEx"), NULL, 0, PROTOCOL(ZMTP_MALFORMED_COMMAND_WELCOME), 0},
    {"READY at once", BYTES("\5READY"), NULL, 0, PROTOCOL(ZMTP_UNEXPECTED_COMMAND), 0},
    {"HELLO back", BYTES("\5HELLO\0\0"), NULL, 0, PROTOCOL(ZMTP_UNEXPECTED_COMMAND), 0},
    {"WELCOME twice", BYTES("\7WELCOME"), BYTES("\7WELCOME"), PROTOCOL(ZMTP_UNEXPECTED_COMMAND), 0},
    {"metadata cut", BYTES("\7WELCOME"), BYTES("\5READY\13Socket-Type\0\0\0\4PUL"), PROTOCOL(ZMTP_INVALID_METADATA), 0},
    {"another type", BYTES("\7WELCOME"), BYTES("\5READY\13Socket-Type\0\0\0\4PUSH"), 0, 0},
};

START_TEST(a_client_ends_with_a_server_that_breaks_the_rules_and_does_not_come_back)
{
    sifr_socket_t *client = new_socket(SIFR_PUSH), *monitor = watch(client);
    struct endpoint at;
    uint8_t body[256];
    int listener = raw_listen(&at), fd;

    set_int(client, SIFR_RECONNECT_IVL, 1);
    set_text(client, SIFR_PLAIN_USERNAME, "admin");
    connect_to(client, &at);
    fd = raw_accept(listener);
    raw_greet(fd, "PLAIN");
    ck_assert_uint_eq(raw_recv_frame(fd, body, sizeof body), 13);
    ck_assert_mem_eq(body, "\5HELLO\5admin\0", 13);
    raw_send_command(fd, servers[_i].welcome, servers[_i].n_welcome);
    if (servers[_i].ready) {
        ck_assert_uint_ge(raw_recv_frame(fd, body, sizeof body), 9);
        ck_assert_mem_eq(body, "\10INITIATE", 9);
        raw_send_command(fd, servers[_i].ready, servers[_i].n_ready);
    }
    raw_expect_end(fd);
    expect(monitor, CONNECTED);
    if (servers[_i].error)
        expect_value(monitor, HANDSHAKE_FAILED_PROTOCOL, servers[_i].error);
    else if (servers[_i].status)
        expect_value(monitor, HANDSHAKE_FAILED_AUTH, (uint32_t)servers[_i].status);
    expect(monitor, DISCONNECTED);
    expect_silence(monitor, 30);
    close(fd);
    close(listener);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("plain");
    TCase *c = new_case(s, "both sides");

    tcase_add_loop_test(c, a_client_that_the_handler_knows_comes_in, 0, WIRE_WAYS);
    tcase_add_loop_test(c, a_client_that_the_handler_refuses_stays_out, 0, COUNT(refusals));
    tcase_add_loop_test(c, null_asks_the_handler_where_there_is_a_domain, 0, COUNT(refusals));
    tcase_add_loop_test(c, who_null_lets_in_has_its_properties, 0, WIRE_WAYS);
    tcase_add_test(c, without_a_handler_plain_lets_nobody_in);
    tcase_add_loop_test(c, without_a_handler_null_lets_in_unless_a_domain_is_enforced, 0, 4);
    tcase_add_test(c, a_handler_that_never_answers_is_waited_for_until_the_handshakes_time_is_over);
    tcase_add_loop_test(c, sockets_close_while_the_handler_thinks, 0, 2);
    tcase_add_test(c, two_clients_refuse_each_other);
    tcase_add_test(c, two_servers_wait_until_the_handshakes_time_is_over);
    tcase_add_test(c, types_that_do_not_fit_part);
    c = new_case(s, "peers by hand");
    tcase_add_loop_test(c, a_server_ends_with_whoever_does_not_say_hello, 0, COUNT(hellos));
    tcase_add_loop_test(c, a_server_ends_with_whoever_initiates_badly, 0, COUNT(initiates));
    tcase_add_test(c, a_server_takes_messages_behind_initiate);
    tcase_add_loop_test(c, a_server_refuses_peers_that_know_no_mechanism_or_another, 0, 14);
    tcase_add_loop_test(c, a_client_ends_with_a_server_that_breaks_the_rules_and_does_not_come_back, 0,
                        COUNT(servers));
    return run_suite(s);
}
