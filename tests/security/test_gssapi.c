/* GSSAPI with tickets of a realm of this program's own: who comes in, what is sealed, and peers that mean harm. */
#include "secure.h"

#include "realm.h"

#include "security/guest.h"
#include "security/security.h"
#include "wire/frame.h"
#include "wire/handshake.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/ioctl.h>

#define PROTOCOL(name) SIFR_PROTOCOL_ERROR_##name

enum { ROOM = 70000, HEAD = 12, CLIENT = 0, SERVER = 1 };

/* Those built without are to find nothing of it here. */
#ifdef SF_HAVE_GSSAPI

/* ---- Two sides without sockets ---------------------------------------------------------------------------------- */

static const struct sf_hello push = {.type_name = "PUSH", .talks_to = 1u << SIFR_PULL};
static const struct sf_hello pull = {.type_name = "PULL", .talks_to = 1u << SIFR_PUSH};

struct side {
    struct sf_credentials own;
    struct sf_security s;
    struct sf_peer_info info;
    struct sf_refusal why;
    const struct sf_hello *hello;
};

static struct side sides[2];

static struct sf_octets octets(const char *text)
{
    return (struct sf_octets){text, strlen(text)};
}

static void begin_sides(const char *service)
{
    memset(sides, 0, sizeof sides);
    sides[CLIENT].hello = &push;
    sides[SERVER].hello = &pull;
    sides[CLIENT].own.service = octets(service);
    sides[SERVER].own.server = true;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(sf_security_init(&sides[i].s, &sf_mechanism_gssapi, &sides[i].own), 0);
}

static void end_sides(void)
{
    for (int i = 0; i < 2; i++) {
        sf_peer_info_fini(&sides[i].info);
        sf_security_fini(&sides[i].s);
    }
}

/* What blocks. 0 or as worked(). */
static int work(struct side *side)
{
    if (side->s.turn != SF_SECURITY_WORK)
        return 0;
    sf_mechanism_gssapi.work(side->s.keys, &side->own);
    return sf_mechanism_gssapi.worked(&side->s);
}

static size_t say(struct side *side, uint8_t *body)
{
    static uint8_t frame[ROOM];
    struct sf_frame f = {0, 0};
    int n, header;

    ck_assert_int_eq(side->s.turn, SF_SECURITY_SAY);
    n = sf_handshake_say(&side->s, side->hello, frame, sizeof frame);
    ck_assert_int_gt(n, 0);
    header = sf_frame_get(&f, frame, (size_t)n);
    ck_assert_int_eq(header + (int)f.size, n);
    memcpy(body, frame + header, f.size);
    return f.size;
}

/* Hears a copy of exactly its size, for sanitizers, and works on it. */
static int hear(struct side *side, const uint8_t *body, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    int err;

    ck_assert_ptr_nonnull(copy);
    ck_assert_int_eq(side->s.turn, SF_SECURITY_HEAR);
    memcpy(copy, body, n);
    err = sf_handshake_hear(&side->s, side->hello, &side->info, copy, n, &side->why);
    if (err == 0)
        err = work(side);
    if (err == 0 && side->s.turn == SF_SECURITY_ASK) {
        ck_assert_uint_eq(side->s.n_shows, 1);
        ck_assert_uint_eq(side->s.shows[0].size, strlen("client@" REALM));
        ck_assert_mem_eq(side->s.shows[0].data, "client@" REALM, side->s.shows[0].size);
        side->s.turn = SF_SECURITY_SAY;
    }
    free(copy);
    return err;
}

/* Commands in order, and who says them. */
enum { TICKET, REPLY, NOTHING, SERVERS_READY, CLIENTS_READY, COMMANDS };

static struct side *speaker(int command)
{
    return &sides[command == REPLY || command == SERVERS_READY ? SERVER : CLIENT];
}

static struct side *hearer(int command)
{
    return &sides[command == REPLY || command == SERVERS_READY ? CLIENT : SERVER];
}

/* Goes on until `command` has been said, which is returned but not heard. */
static size_t shake_until(int command, uint8_t *body)
{
    ck_assert_int_eq(work(&sides[CLIENT]), 0);
    for (int i = 0;; i++) {
        size_t n = say(speaker(i), body);

        if (i == command)
            return n;
        ck_assert_int_eq(hear(hearer(i), body, n), 0);
    }
}

static void shake(void)
{
    uint8_t body[ROOM];
    size_t n = shake_until(CLIENTS_READY, body);

    ck_assert_int_eq(hear(&sides[SERVER], body, n), 0);
    ck_assert_int_eq(sides[CLIENT].s.turn, SF_SECURITY_DONE);
    ck_assert_int_eq(sides[SERVER].s.turn, SF_SECURITY_DONE);
    ck_assert_int_eq(sides[SERVER].info.type, SIFR_PUSH);
    ck_assert_int_eq(sides[CLIENT].info.type, SIFR_PULL);
}

static size_t seal(struct side *side, uint8_t *to, unsigned flags, const void *data, size_t n)
{
    ck_assert_int_eq(sf_mechanism_gssapi.seal(side->s.keys, to, flags, data, n), 0);
    return n + side->s.overhead;
}

static ssize_t open_body(struct side *side, uint8_t *to, unsigned *flags, const uint8_t *body, size_t n,
                         uint32_t *error)
{
    uint8_t *copy = malloc(n ? n : 1);
    ssize_t size;

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, body, n);
    size = sf_mechanism_gssapi.open(side->s.keys, to, flags, copy, n, error);
    free(copy);
    return size;
}

START_TEST(two_sides_come_to_terms_whatever_the_kind_of_keys)
{
    static const char *const services[] = {"zmq@localhost", "sealed@localhost", "camellia@localhost"};
    static const size_t sizes[] = {0, 1, 15, 16, 17, 255, 256, 4096, 65000};
    uint8_t data[ROOM], sealed[ROOM], opened[ROOM];

    begin_sides(services[_i]);
    shake();
    ck_assert_uint_eq(sides[CLIENT].s.overhead, sides[SERVER].s.overhead);
    for (int i = 0; i < COUNT(sizes) * 2; i++) {
        struct side *from = &sides[i % 2], *to = &sides[!(i % 2)];
        size_t n = sizes[i / 2], size;
        unsigned flags = 0xff;
        uint32_t error;

        fill_bytes(data, n, (unsigned)i);
        size = seal(from, sealed, (unsigned)i % 4, data, n);
        ck_assert_ptr_null(n > 15 ? memmem(sealed, size, data, n) : NULL);
        ck_assert_int_eq(open_body(to, opened, &flags, sealed, size, &error), (int)n);
        ck_assert_uint_eq(good_bytes(opened, n, (unsigned)i), n);
        ck_assert_uint_eq(flags, (unsigned)i % 4);
        memcpy(sealed + from->s.overhead, data, n); /* as data may stand */
        size = seal(from, sealed, 0, sealed + from->s.overhead, n);
        ck_assert_int_eq(open_body(to, opened, &flags, sealed, size, &error), (int)n);
        ck_assert_uint_eq(good_bytes(opened, n, (unsigned)i), n);
    }
    end_sides();
}
END_TEST

START_TEST(topics_of_newer_peers_are_subscriptions)
{
    uint8_t sealed[512], opened[512];
    unsigned flags = 0xff;
    uint32_t error;
    size_t n;

    begin_sides("zmq@localhost");
    shake();
    n = seal(&sides[CLIENT], sealed, 4, "topic", 5);
    ck_assert_int_eq(open_body(&sides[SERVER], opened, &flags, sealed, n, &error), 6);
    ck_assert_mem_eq(opened, "\1topic", 6);
    ck_assert_uint_eq(flags, 0);
    n = seal(&sides[CLIENT], sealed, 8, "", 0);
    ck_assert_int_eq(open_body(&sides[SERVER], opened, &flags, sealed, n, &error), 1);
    ck_assert_uint_eq(opened[0], 0);
    ck_assert_uint_eq(flags, 0);
    end_sides();
}
END_TEST

/* With those what sealing adds depends on what is sealed, and it is no good besides. */
START_TEST(keys_of_kinds_that_are_broken_are_refused)
{
    static const char *const kinds[] = {"arcfour-hmac", "des3-cbc-sha1 arcfour-hmac"};
    uint8_t body[ROOM];
    char line[128];
    size_t n;
    int err;

    snprintf(line, sizeof line, " permitted_enctypes = %s\n", kinds[_i]);
    realm_config("weak.conf", realm.port, line);
    realm_env("KRB5_CONFIG", "%s/weak.conf");
    if (!new_tickets_of("weak"))
        return; /* of a version that has none of these left */
    begin_sides("weak@localhost");
    n = shake_until(TICKET, body);
    err = hear(&sides[SERVER], body, n);
    ck_assert_int_eq(err, -EPROTO);
    end_sides();
}
END_TEST

START_TEST(metadata_is_no_larger_than_with_other_mechanisms)
{
    static uint8_t extra[5000] = "\7X-Large\0\0";
    struct sf_hello large = push;
    uint8_t body[ROOM];
    size_t n;

    extra[10] = (uint8_t)((sizeof extra - 12) >> 8);
    extra[11] = (uint8_t)(sizeof extra - 12);
    large.extra = extra;
    large.extra_size = sizeof extra;
    begin_sides("zmq@localhost");
    sides[CLIENT].hello = &large;
    n = shake_until(CLIENTS_READY, body);
    ck_assert_int_eq(hear(&sides[SERVER], body, n), -EPROTO);
    ck_assert_uint_eq(sides[SERVER].why.error, PROTOCOL(ZMTP_MALFORMED_COMMAND_READY));
    end_sides();
}
END_TEST

/* Nor is any of its beginnings one, nor is it with something behind. Of a ticket some octets are only hints. */
START_TEST(no_command_survives_a_change)
{
    uint8_t body[ROOM], broken[ROOM];
    size_t n, step, at = 0;

    begin_sides("zmq@localhost");
    n = shake_until(_i, body);
    end_sides();
    step = n > 100 ? 1 + n / 60 : 1;
    for (; at <= n; at += step) {
        for (int cut = 0; cut < 2; cut++) {
            size_t size;

            begin_sides("zmq@localhost");
            size = shake_until(_i, broken);
            if (cut)
                size = at < size ? at : size + 1;
            else if (at < size)
                broken[at] ^= (uint8_t)(1 << at % 8);
            else
                size++;
            broken[size] = 0;
            ck_assert_msg(hear(hearer(_i), broken, size) == -EPROTO || (_i == TICKET && !cut),
                          "octet %zu of %zu, cut %d", at, n, cut);
            end_sides();
        }
    }
}
END_TEST

START_TEST(no_frame_survives_a_change)
{
    uint8_t sealed[512], opened[512];
    char data[64];
    unsigned flags;
    uint32_t error;
    size_t n;

    memset(data, 'x', sizeof data);
    begin_sides("zmq@localhost");
    shake();
    n = seal(&sides[CLIENT], sealed, 1, data, sizeof data);
    for (size_t at = 0; at < n; at++) {
        sealed[at] ^= (uint8_t)(1 << at % 8);
        ck_assert_msg(open_body(&sides[SERVER], opened, &flags, sealed, n, &error) == -EPROTO, "octet %zu", at);
        sealed[at] ^= (uint8_t)(1 << at % 8);
        error = 0;
        ck_assert_int_eq(open_body(&sides[SERVER], opened, &flags, sealed, at, &error), -EPROTO);
        ck_assert_uint_ne(error, 0);
    }
    ck_assert_int_eq(open_body(&sides[SERVER], opened, &flags, sealed, n + 1, &error), -EPROTO);
    ck_assert_int_eq(open_body(&sides[CLIENT], opened, &flags, sealed, n, &error), -EPROTO);
    ck_assert_int_eq(open_body(&sides[SERVER], opened, &flags, sealed, n, &error), sizeof data);
    ck_assert_int_eq(open_body(&sides[SERVER], opened, &flags, sealed, n, &error), -EPROTO);
    ck_assert_uint_eq(error, PROTOCOL(ZMTP_CRYPTOGRAPHIC));
    end_sides();
}
END_TEST

START_TEST(frames_that_are_left_out_or_swapped_are_found_out)
{
    uint8_t sealed[3][256], opened[256];
    unsigned flags;
    uint32_t error;
    size_t n = 0;

    begin_sides("zmq@localhost");
    shake();
    for (int i = 0; i < 3; i++)
        n = seal(&sides[SERVER], sealed[i], 0, &i, sizeof i);
    ck_assert_int_eq(open_body(&sides[CLIENT], opened, &flags, sealed[0], n, &error), sizeof(int));
    ck_assert_int_eq(open_body(&sides[CLIENT], opened, &flags, sealed[2], n, &error), -EPROTO);
    end_sides();
}
END_TEST

/* A ticket shown twice is a replay, and the server keeps note of those it has seen. */
START_TEST(a_ticket_that_was_shown_before_is_refused)
{
    uint8_t body[ROOM];
    size_t n;

    begin_sides("zmq@localhost");
    n = shake_until(TICKET, body);
    ck_assert_int_eq(hear(&sides[SERVER], body, n), 0);
    end_sides();
    begin_sides("zmq@localhost");
    ck_assert_int_eq(hear(&sides[SERVER], body, n), -EPROTO);
    end_sides();
}
END_TEST

/* ---- Sockets ---------------------------------------------------------------------------------------------------- */

static void serve(sifr_socket_t *s)
{
    set_int(s, SIFR_GSSAPI_SERVER, 1);
    set_text(s, SIFR_GSSAPI_PRINCIPAL, "zmq@localhost");
    set_int(s, SIFR_RECONNECT_IVL, 10);
}

static void trust(sifr_socket_t *s)
{
    set_text(s, SIFR_GSSAPI_SERVICE_PRINCIPAL, "zmq@localhost");
    set_int(s, SIFR_RECONNECT_IVL, 10);
}

/* Two new sockets, joined; the first is the server. */
static struct endpoint new_ticket_link(sifr_socket_t **a, int type_a, sifr_socket_t **b, int type_b, int way)
{
    *a = new_socket(type_a);
    *b = new_socket(type_b);
    serve(*a);
    trust(*b);
    return link_sockets(*a, *b, way);
}

START_TEST(without_a_handler_whoever_has_a_ticket_comes_in)
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
    sifr_msg_close(&m);
    ck_assert_int_eq(get_int(server, SIFR_MECHANISM), SIFR_GSSAPI);
}
END_TEST

START_TEST(the_handler_is_told_the_principal)
{
    sifr_socket_t *handler = new_handler(), *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    char address[64];
    sifr_msg_t m;

    serve(server);
    trust(client);
    set_text(client, SIFR_GSSAPI_PRINCIPAL, "client@" REALM);
    set_int(client, SIFR_GSSAPI_PRINCIPAL_NAMETYPE, SIFR_GSSAPI_NT_KRB5_PRINCIPAL);
    set_text(client, SIFR_GSSAPI_SERVICE_PRINCIPAL, "zmq/localhost@" REALM);
    set_int(client, SIFR_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE, SIFR_GSSAPI_NT_KRB5_PRINCIPAL);
    set_text(server, SIFR_ZAP_DOMAIN, "dom");
    set_text(server, SIFR_ROUTING_ID, "me");
    link_sockets(server, client, TCP);
    snprintf(address, sizeof address, "127.0.0.1");
    expect_question(handler, "dom", address, "me", "GSSAPI", "client@" REALM);
    answer(handler, "200", "alice", "\4Role\0\0\0\5guest", 14);
    send_text(client, "hi", 0);
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, server, 0), 2);
    ck_assert_str_eq(sifr_msg_gets(&m, "User-Id"), "alice");
    ck_assert_str_eq(sifr_msg_gets(&m, "Role"), "guest");
    sifr_msg_close(&m);
}
END_TEST

START_TEST(whom_the_handler_refuses_hears_nothing)
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
    expect(at_client, HANDSHAKE_FAILED_NO_DETAIL);
    expect(at_server, DISCONNECTED);
    expect(at_client, DISCONNECTED);
    expect_retry(at_client);
}
END_TEST

START_TEST(messages_of_all_sizes_pass_in_order)
{
    static const size_t sizes[] = {0, 1, 150, 180, 254, 255, 256, 257, 8192, 32768, 40000, 65536, 300000, 3000000};
    sifr_socket_t *a, *b;

    new_ticket_link(&a, SIFR_DEALER, &b, SIFR_DEALER, _i);
    for (int i = 0; i < COUNT(sizes); i++) {
        send_filled(b, sizes[i], 1, SIFR_SNDMORE);
        send_filled(b, sizes[i], 2, 0);
    }
    for (int i = 0; i < COUNT(sizes); i++) {
        recv_filled(a, sizes[i], 1, true);
        recv_filled(a, sizes[i], 2, false);
        send_filled(a, sizes[i], 3, 0);
        recv_filled(b, sizes[i], 3, false);
    }
}
END_TEST

enum { STREAM = 5000 };

static void *send_stream(void *socket)
{
    for (int i = 0; i < STREAM; i++)
        send_filled(socket, (size_t)i % 300, (unsigned)i, 0);
    return NULL;
}

START_TEST(both_directions_are_busy_at_once)
{
    sifr_socket_t *a, *b;
    pthread_t threads[2];

    new_ticket_link(&a, SIFR_DEALER, &b, SIFR_DEALER, _i);
    threads[0] = start_thread(send_stream, a);
    threads[1] = start_thread(send_stream, b);
    for (int i = 0; i < STREAM; i++) {
        recv_filled(a, (size_t)i % 300, (unsigned)i, false);
        recv_filled(b, (size_t)i % 300, (unsigned)i, false);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(subscriptions_pass)
{
    sifr_socket_t *pub, *sub;

    new_ticket_link(&pub, SIFR_XPUB, &sub, SIFR_SUB, _i);
    ck_works(sifr_setsockopt(sub, SIFR_SUBSCRIBE, "a", 1));
    recv_bytes(pub, "\1a", 2, false);
    send_text(pub, "b", 0);
    send_text(pub, "a1", 0);
    recv_text(sub, "a1", false);
    ck_works(sifr_setsockopt(sub, SIFR_UNSUBSCRIBE, "a", 1));
    recv_bytes(pub, "\0a", 2, false);
}
END_TEST

START_TEST(heartbeats_pass)
{
    sifr_socket_t *rep, *req, *at_server;

    rep = new_socket(SIFR_REP);
    req = new_socket(SIFR_REQ);
    at_server = watch(rep);
    serve(rep);
    trust(req);
    set_int(req, SIFR_HEARTBEAT_IVL, 10);
    set_int(req, SIFR_HEARTBEAT_TIMEOUT, WAIT_MS);
    link_sockets(rep, req, 0);
    expect(at_server, ACCEPTED);
    expect(at_server, HANDSHAKE_SUCCEEDED);
    expect_silence(at_server, 100);
    send_text(req, "q", 0);
    recv_text(rep, "q", false);
    send_text(rep, "a", 0);
    recv_text(req, "a", false);
}
END_TEST

START_TEST(nothing_is_sealed_where_both_agree_on_that)
{
    sifr_socket_t *a = new_socket(SIFR_REP), *b = new_socket(SIFR_REQ);

    serve(a);
    trust(b);
    set_int(a, SIFR_GSSAPI_PLAINTEXT, 1);
    set_int(b, SIFR_GSSAPI_PLAINTEXT, 1);
    link_sockets(a, b, _i);
    send_text(b, "q", 0);
    recv_text(a, "q", false);
    send_text(a, "a", 0);
    recv_text(b, "a", false);
}
END_TEST

START_TEST(nobody_comes_in_who_would_seal_what_the_other_does_not)
{
    sifr_socket_t *a = new_socket(SIFR_PULL), *b = new_socket(SIFR_PUSH), *at_client = watch(b);

    serve(a);
    trust(b);
    set_int(_i ? a : b, SIFR_GSSAPI_PLAINTEXT, 1);
    link_sockets(a, b, 0);
    expect(at_client, CONNECTED);
    expect(at_client, HANDSHAKE_FAILED_PROTOCOL);
    sifr_send(b, "secret", 6, SIFR_DONTWAIT);
    ck_assert(!readable_within(a, 50));
}
END_TEST

/* Names of whom there is no ticket, or no key: nothing of them may do harm, and it is tried again. */
START_TEST(without_tickets_or_keys_it_is_tried_again)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *at_client = watch(client);

    serve(server);
    trust(client);
    if (_i == 0)
        set_text(client, SIFR_GSSAPI_PRINCIPAL, "stranger");
    else if (_i == 1)
        set_text(client, SIFR_GSSAPI_SERVICE_PRINCIPAL, "nobody@localhost");
    else
        set_text(server, SIFR_GSSAPI_PRINCIPAL, "nobody@localhost");
    if (_i == 0)
        set_int(client, SIFR_GSSAPI_PRINCIPAL_NAMETYPE, SIFR_GSSAPI_NT_USER_NAME);
    link_sockets(server, client, 0);
    expect(at_client, CONNECTED);
    expect(at_client, HANDSHAKE_FAILED_NO_DETAIL);
    expect(at_client, DISCONNECTED);
    expect_retry(at_client);
}
END_TEST

START_TEST(what_was_not_delivered_is_sent_again_with_another_ticket)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH), *at_client = watch(client);
    struct endpoint e;

    serve(server);
    trust(client);
    e = link_sockets(server, client, 0);
    send_text(client, "1", 0);
    recv_text(server, "1", false);
    drop(server);
    expect(at_client, CONNECTED);
    expect(at_client, HANDSHAKE_SUCCEEDED);
    expect(at_client, DISCONNECTED);
    send_text(client, "2", 0);
    server = new_socket(SIFR_PULL);
    serve(server);
    rebind_to(server, &e);
    recv_text(server, "2", false);
}
END_TEST

/* ---- A KDC that does not answer --------------------------------------------------------------------------------- */

static void stop_kdc(void)
{
    ck_assert(new_tickets());
    ck_assert_int_eq(kill(realm.kdc, SIGSTOP), 0);
}

static void resume_kdc(void)
{
    kill(realm.kdc, SIGCONT);
}

START_TEST(a_kdc_that_is_slow_holds_up_nobody_else)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *rep = new_socket(SIFR_REP), *req = new_socket(SIFR_REQ), *at_client = watch(client);

    set_int(server, SIFR_GSSAPI_SERVER, 1); /* with any key of the keytab */
    set_text(client, SIFR_GSSAPI_SERVICE_PRINCIPAL, "zmq@localhost");
    link_sockets(server, client, 0);
    expect(at_client, CONNECTED);
    link_sockets(rep, req, 0);
    for (int i = 0; i < 100; i++) {
        send_text(req, "q", 0);
        recv_text(rep, "q", false);
        send_text(rep, "a", 0);
        recv_text(req, "a", false);
    }
    expect_silence(at_client, 0);
    resume_kdc();
    expect(at_client, HANDSHAKE_SUCCEEDED);
    send_text(client, "at last", 0);
    recv_text(server, "at last", false);
}
END_TEST

/* The end of the world does not wait for it, which the time limit of the case would tell. */
START_TEST(a_socket_closes_while_the_kdc_is_silent)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH), *at_client = watch(client);
    int64_t begun;

    set_int(server, SIFR_GSSAPI_SERVER, 1);
    set_text(client, SIFR_GSSAPI_SERVICE_PRINCIPAL, "zmq@localhost");
    if (_i)
        set_int(client, SIFR_HANDSHAKE_IVL, 10);
    link_sockets(server, client, 0);
    expect(at_client, CONNECTED);
    if (_i)
        expect_value(at_client, HANDSHAKE_FAILED_NO_DETAIL, ETIMEDOUT);
    begun = now_ms();
    close_world();
    ck_assert_int_lt(now_ms() - begun, 900); /* libkrb5 waits longer than that */
    open_world();
}
END_TEST

/* ---- Peers made by hand ----------------------------------------------------------------------------------------- */

/* A server that goes on serving whatever one of its peers says. */
static sifr_socket_t *new_server(struct endpoint *e, sifr_socket_t **monitor)
{
    sifr_socket_t *server = new_socket(SIFR_PULL);

    *monitor = watch(server);
    serve(server);
    *e = bind_fresh(server, TCP);
    return server;
}

static void expect_service(sifr_socket_t *server, const struct endpoint *e)
{
    sifr_socket_t *client = new_socket(SIFR_PUSH);

    trust(client);
    connect_to(client, e);
    send_text(client, "still", 0);
    recv_text(server, "still", false);
}

START_TEST(nonsense_costs_a_peer_its_connection_and_nobody_else_anything)
{
    static const struct {
        const char *body;
        size_t n;
        uint32_t error;
    } cases[] = {
        {"", 0, PROTOCOL(ZMTP_MALFORMED_COMMAND_UNSPECIFIED)},
        {"\5READY", 6, PROTOCOL(ZMTP_UNEXPECTED_COMMAND)},
        {"\10INITIATE", 9, PROTOCOL(ZMTP_MALFORMED_COMMAND_INITIATE)},
        {"\10INITIATE\0\0\0\0", 13, PROTOCOL(ZMTP_MALFORMED_COMMAND_INITIATE)},
        {"\10INITIATE\377\377\377\377x", 14, PROTOCOL(ZMTP_MALFORMED_COMMAND_INITIATE)},
        {"\10INITIATE\0\0\0\1xy", 15, PROTOCOL(ZMTP_MALFORMED_COMMAND_INITIATE)},
        {"\10INITIATE\0\0\0\1x", 14, PROTOCOL(ZMTP_CRYPTOGRAPHIC)},
        {"\10INITIATE\0\0\0\10\x60\x84\xff\xff\xff\xff\0\0", 21, PROTOCOL(ZMTP_CRYPTOGRAPHIC)},
    };
    sifr_socket_t *server, *monitor;
    struct endpoint e;
    int fd;

    server = new_server(&e, &monitor);
    fd = raw_connect(&e);
    raw_greet(fd, "GSSAPI");
    raw_send_command(fd, cases[_i].body, cases[_i].n);
    raw_expect_end(fd);
    close(fd);
    expect(monitor, ACCEPTED);
    expect_value(monitor, HANDSHAKE_FAILED_PROTOCOL, cases[_i].error);
    expect_service(server, &e);
}
END_TEST

START_TEST(tokens_may_be_large_but_not_endless)
{
    static const size_t sizes[] = {5000, 20000, 49143, 49144, 1000000};
    static uint8_t body[1000000];
    bool fits = sizes[_i] < 49144;
    sifr_socket_t *server, *monitor;
    struct endpoint e;
    size_t n = sizes[_i] - 13;
    int fd;

    server = new_server(&e, &monitor);
    fd = raw_connect(&e);
    raw_greet(fd, "GSSAPI");
    memcpy(body, "\10INITIATE", 9);
    body[9] = (uint8_t)(n >> 24);
    body[10] = (uint8_t)(n >> 16);
    body[11] = (uint8_t)(n >> 8);
    body[12] = (uint8_t)n;
    raw_send_command(fd, body, sizes[_i]);
    raw_expect_end(fd);
    close(fd);
    expect(monitor, ACCEPTED);
    expect_value(monitor, HANDSHAKE_FAILED_PROTOCOL,
                 fits ? PROTOCOL(ZMTP_CRYPTOGRAPHIC) : PROTOCOL(ZMTP_UNSPECIFIED));
    expect_service(server, &e);
}
END_TEST

/* A frame of a token of this many octets, of which so many are there. */
static void raw_send_part(int fd, size_t n, size_t there)
{
    static uint8_t frame[9 + ROOM];
    size_t body = 13 + n;

    frame[0] = 6;
    for (int i = 0; i < 8; i++)
        frame[1 + i] = (uint8_t)(body >> (8 * (7 - i)));
    memcpy(frame + 9, "\10INITIATE", 9);
    for (int i = 0; i < 4; i++)
        frame[18 + i] = (uint8_t)(n >> (8 * (3 - i)));
    raw_send(fd, frame, 22 + there);
}

/* All together they may have a MiB beyond what others have: who wants more then is sent away, and may try again. */
START_TEST(large_tokens_that_are_not_finished_do_not_add_up)
{
    enum { LARGE = 40000, EACH = 49152 - 4096, FIT = (1 << 20) / EACH, FOES = FIT + 10 };
    sifr_socket_t *server, *monitor;
    struct endpoint e;
    int fds[FOES];

    server = new_server(&e, &monitor);
    for (int i = 0; i < FOES; i++) {
        int there, unread;

        fds[i] = raw_connect(&e);
        there = (int)expect(monitor, ACCEPTED);
        raw_greet(fds[i], "GSSAPI");
        raw_send_part(fds[i], LARGE, LARGE / 2);
        if (i < FIT) {
            eventually(ioctl(there, FIONREAD, &unread) == 0 && unread == 0);
            continue;
        }
        expect_value(monitor, HANDSHAKE_FAILED_NO_DETAIL, ENOMEM);
        expect(monitor, DISCONNECTED);
        raw_expect_end(fds[i]);
    }
    expect_service(server, &e);
    for (int i = 0; i < FOES; i++)
        close(fds[i]);
    for (int i = 0; i < FIT; i++)
        await(monitor, HANDSHAKE_FAILED_NO_DETAIL, EPIPE);
    fds[0] = raw_connect(&e);
    raw_greet(fds[0], "GSSAPI");
    raw_send_part(fds[0], LARGE, LARGE);
    raw_expect_end(fds[0]);
    close(fds[0]);
    await(monitor, HANDSHAKE_FAILED_PROTOCOL, PROTOCOL(ZMTP_CRYPTOGRAPHIC));
}
END_TEST

/* A peer with a ticket, whose handshake we do by hand: each ends as soon as something is wrong. */
static int raw_client(const struct endpoint *e, int until)
{
    static uint8_t body[ROOM];
    int fd = raw_connect(e);

    raw_greet(fd, "GSSAPI");
    begin_sides("zmq@localhost");
    ck_assert_int_eq(work(&sides[CLIENT]), 0);
    for (int i = 0; i < until; i++) {
        if (speaker(i) == &sides[CLIENT])
            raw_send_command(fd, body, say(&sides[CLIENT], body));
        else
            ck_assert_int_eq(hear(&sides[CLIENT], body, raw_recv_frame(fd, body, sizeof body)), 0);
    }
    return fd;
}

static void raw_send_message(int fd, uint8_t *body, size_t n)
{
    uint8_t head[2] = {0, (uint8_t)n};

    ck_assert_uint_lt(n, 256);
    raw_send(fd, head, 2);
    raw_send(fd, body, n);
}

START_TEST(a_peer_with_a_ticket_can_do_no_harm_either)
{
    sifr_socket_t *server, *monitor;
    struct endpoint e;
    uint8_t body[256];
    size_t n;
    int fd;

    server = new_server(&e, &monitor);
    fd = raw_client(&e, COMMANDS);
    n = seal(&sides[CLIENT], body, 0, "good", 4);
    raw_send_message(fd, body, n);
    recv_text(server, "good", false);
    if (_i == 1) /* a replay otherwise */
        n = seal(&sides[CLIENT], body, 0, "bad", 3);
    if (_i == 1)
        body[n - 1] ^= 1;
    if (_i == 2)
        n = 4;
    if (_i == 3)
        memcpy(body, "plain text", n = 10);
    raw_send_message(fd, body, n);
    raw_expect_end(fd);
    close(fd);
    end_sides();
    expect(monitor, ACCEPTED);
    expect(monitor, HANDSHAKE_SUCCEEDED);
    expect(monitor, HANDSHAKE_FAILED_PROTOCOL);
    expect(monitor, DISCONNECTED);
    ck_fails(sifr_recv(server, NULL, 0, SIFR_DONTWAIT), EAGAIN);
    expect_service(server, &e);
}
END_TEST

/* The connection dies while the ticket is being looked at, or before, or after: with whatever then is to be freed. */
START_TEST(a_peer_may_go_at_any_step)
{
    sifr_socket_t *server, *monitor;
    struct endpoint e;

    server = new_server(&e, &monitor);
    for (int i = 0; i < 5; i++) {
        close(raw_client(&e, _i));
        end_sides();
    }
    expect_service(server, &e);
}
END_TEST

/* A server that is none: nothing it says makes the client say more than its ticket. */
START_TEST(a_false_server_gets_no_message)
{
    static const char *const replies[] = {"\10INITIATE\0\0\0\1x", "\5READY", "\5ERROR\00340"};
    static const size_t sizes[] = {14, 6, 9};
    sifr_socket_t *client = new_socket(SIFR_PUSH), *monitor = watch(client);
    static uint8_t body[ROOM];
    struct endpoint e;
    int listener = raw_listen(&e), fd;

    trust(client);
    connect_to(client, &e);
    send_text(client, "secret", 0);
    fd = raw_accept(listener);
    raw_greet(fd, "GSSAPI");
    ck_assert_uint_gt(raw_recv_frame(fd, body, sizeof body), 100);
    raw_send_command(fd, replies[_i], sizes[_i]);
    raw_expect_end(fd);
    close(fd);
    close(listener);
    expect(monitor, CONNECTED);
    expect(monitor, HANDSHAKE_FAILED_PROTOCOL);
    expect(monitor, DISCONNECTED);
}
END_TEST

START_TEST(whoever_has_another_mechanism_is_refused)
{
    static const char *const mechanisms[] = {"NULL", "PLAIN", "CURVE", "GSSAPI2"};
    sifr_socket_t *server, *monitor;
    struct endpoint e;
    int fd;

    server = new_server(&e, &monitor);
    fd = raw_connect(&e);
    raw_greet(fd, mechanisms[_i]);
    raw_expect_end(fd);
    close(fd);
    expect(monitor, ACCEPTED);
    expect_value(monitor, HANDSHAKE_FAILED_PROTOCOL, PROTOCOL(ZMTP_MECHANISM_MISMATCH));
    expect_service(server, &e);
}
END_TEST

/* ---- The process ends ------------------------------------------------------------------------------------------- */

/*
 * Programs of their own: this one, which is told what it is to be in the midst of as it calls exit(). Libraries take
 * their time to end then, so that a thread that is inside of one, or goes there, gets to notice.
 */
enum { WAITING_FOR_A_KDC, SHAKING_HANDS, TALKING, MIDSTS, FORKING = MIDSTS, OWN_STATUS = 7 };

static bool ends_slowly;

/* What libkrb5 does in its end. */
__attribute__((visibility("default"))) int pthread_key_delete(pthread_key_t key);

int pthread_key_delete(pthread_key_t key)
{
    int (*real)(pthread_key_t key);
    void *found = dlsym(RTLD_NEXT, "pthread_key_delete");

    memcpy(&real, &found, sizeof real);
    if (ends_slowly && write(STDOUT_FILENO, "!", 1) == 1)
        poll(NULL, 0, 200);
    return real(key);
}

static void *drink(void *socket)
{
    while (sifr_recv(socket, NULL, 0, 0) >= 0)
        ;
    return NULL;
}

static void *pour(void *socket)
{
    while (sifr_send(socket, "again and again", 15, 0) >= 0)
        ;
    return NULL;
}

/* Both directions are as busy as they can be. */
static void talk(void)
{
    sifr_socket_t *a, *b;

    new_ticket_link(&a, SIFR_DEALER, &b, SIFR_DEALER, 0);
    start_thread(pour, a);
    start_thread(pour, b);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_ge(sifr_recv(a, NULL, 0, 0), 0);
    start_thread(drink, a);
    start_thread(drink, b);
}

/* A server without keys sends everybody away, who come again at once. */
static void shake_again_and_again(void)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *monitor = NULL;
    struct endpoint e;
    uint32_t value;

    set_int(server, SIFR_GSSAPI_SERVER, 1);
    set_text(server, SIFR_GSSAPI_PRINCIPAL, "nobody@localhost");
    e = bind_fresh(server, TCP);
    for (int i = 0; i < 6; i++) {
        sifr_socket_t *client = new_socket(SIFR_PUSH);

        trust(client);
        set_int(client, SIFR_RECONNECT_IVL, 1);
        monitor = watch(client);
        connect_to(client, &e);
    }
    for (int i = 0; i < 40; i++)
        recv_event(__LINE__, monitor, "event", &value);
}

static void wait_for_a_kdc(void)
{
    sifr_socket_t *server = new_socket(SIFR_PULL);
    struct endpoint e;
    char go;

    serve(server);
    e = bind_fresh(server, TCP);
    for (int i = 0; i < 6; i++) {
        sifr_socket_t *client = new_socket(SIFR_PUSH);

        trust(client);
        connect_to(client, &e);
    }
    ck_assert_int_eq(read(STDIN_FILENO, &go, 1), 1);
}

/* Somebody is inside, and nobody has been before: in the child nobody is. */
static int fork_inside(void)
{
    pid_t pid;
    int status;

    if (!sf_guest_enter())
        return EXIT_FAILURE;
    pid = fork();
    if (pid == 0)
        exit(OWN_STATUS);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        status = -1;
    sf_guest_leave();
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static int end_in_the_midst(int of)
{
    if (of == FORKING)
        return fork_inside();
    open_world();
    if (of == WAITING_FOR_A_KDC)
        wait_for_a_kdc();
    else if (of == SHAKING_HANDS)
        shake_again_and_again();
    else
        talk();
    ends_slowly = true;
    exit(OWN_STATUS);
}

static pid_t start_program(int of, int in, int out)
{
    extern char **environ;
    char number[8], *argv[] = {(char[]){"/proc/self/exe"}, (char[]){"end"}, number, NULL};
    posix_spawn_file_actions_t files;
    pid_t pid;

    snprintf(number, sizeof number, "%d", of);
    ck_assert_int_eq(posix_spawn_file_actions_init(&files), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO), 0);
    ck_assert_int_eq(posix_spawn(&pid, argv[0], &files, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    return pid;
}

/* One that is asked, and never answers. */
static int silent_kdc(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    realm_config("silent.conf", ntohs(a.sin_port), "");
    return fd;
}

START_TEST(whatever_is_done_in_libkrb5_a_process_ends_with_its_own_status)
{
    int in[2], out[2], kdc = silent_kdc(), asked = -1, status;
    int64_t begun;
    pid_t pid;
    char byte;

    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    ck_assert(new_tickets());
    if (_i == WAITING_FOR_A_KDC)
        realm_env("KRB5_CONFIG", "%s/silent.conf");
    pid = start_program(_i, in[0], out[1]);
    close(out[1]);
    if (_i == WAITING_FOR_A_KDC)
        asked = raw_accept(kdc);
    begun = now_ms();
    ck_assert_int_eq(write(in[1], "!", 1), 1);
    ck_assert_msg(read(out[0], &byte, 1) == 1, "it was over before libkrb5 was");
    close(asked); /* so who waits for it need not any more, at the worst time that there is */
    close(kdc);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == OWN_STATUS, "status 0x%x", status);
    ck_assert_int_lt(now_ms() - begun, 15000); /* libkrb5 waits for 27 s */
    close(out[0]);
    close(in[0]);
    close(in[1]);
}
END_TEST

START_TEST(a_forked_child_does_not_wait_for_who_is_in_libkrb5)
{
    int64_t begun = now_ms();
    pid_t pid = start_program(FORKING, STDIN_FILENO, STDOUT_FILENO);
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == OWN_STATUS, "status 0x%x", status);
    ck_assert_int_lt(now_ms() - begun, 9000); /* it would wait for 10 s */
}
END_TEST

/* ---- Running ---------------------------------------------------------------------------------------------------- */

#define add_all(c, test, n) tcase_add_loop_test(c, test, 0, n)

static Suite *suite_of_realm(void)
{
    Suite *suite = suite_create("gssapi");
    TCase *c = new_bare_case(suite, "sides");

    add_all(c, two_sides_come_to_terms_whatever_the_kind_of_keys, 3);
    tcase_add_test(c, topics_of_newer_peers_are_subscriptions);
    add_all(c, keys_of_kinds_that_are_broken_are_refused, 2);
    tcase_add_test(c, metadata_is_no_larger_than_with_other_mechanisms);
    tcase_add_loop_test(c, no_command_survives_a_change, TICKET, NOTHING);
    tcase_add_loop_test(c, no_command_survives_a_change, SERVERS_READY, COMMANDS);
    tcase_add_test(c, no_frame_survives_a_change);
    tcase_add_test(c, frames_that_are_left_out_or_swapped_are_found_out);
    tcase_add_test(c, a_ticket_that_was_shown_before_is_refused);

    c = new_case(suite, "sockets");
    add_all(c, without_a_handler_whoever_has_a_ticket_comes_in, WIRE_WAYS);
    tcase_add_test(c, the_handler_is_told_the_principal);
    add_all(c, whom_the_handler_refuses_hears_nothing, 3);
    add_all(c, messages_of_all_sizes_pass_in_order, WIRE_WAYS);
    add_all(c, both_directions_are_busy_at_once, WIRE_WAYS);
    add_all(c, subscriptions_pass, WIRE_WAYS);
    tcase_add_test(c, heartbeats_pass);
    add_all(c, nothing_is_sealed_where_both_agree_on_that, WIRE_WAYS);
    add_all(c, nobody_comes_in_who_would_seal_what_the_other_does_not, 2);
    add_all(c, without_tickets_or_keys_it_is_tried_again, 3);
    tcase_add_test(c, what_was_not_delivered_is_sent_again_with_another_ticket);

    c = new_case(suite, "silent KDC");
    tcase_add_checked_fixture(c, stop_kdc, resume_kdc);
    tcase_add_test(c, a_kdc_that_is_slow_holds_up_nobody_else);
    add_all(c, a_socket_closes_while_the_kdc_is_silent, 2);

    c = new_case(suite, "hostile");
    add_all(c, nonsense_costs_a_peer_its_connection_and_nobody_else_anything, 8);
    add_all(c, tokens_may_be_large_but_not_endless, 5);
    tcase_add_test(c, large_tokens_that_are_not_finished_do_not_add_up);
    add_all(c, a_peer_with_a_ticket_can_do_no_harm_either, 4);
    tcase_add_loop_test(c, a_peer_may_go_at_any_step, 0, COMMANDS);
    add_all(c, a_false_server_gets_no_message, 3);
    add_all(c, whoever_has_another_mechanism_is_refused, 4);

    c = new_bare_case(suite, "end of the process");
    add_all(c, whatever_is_done_in_libkrb5_a_process_ends_with_its_own_status, MIDSTS);
    tcase_add_test(c, a_forked_child_does_not_wait_for_who_is_in_libkrb5);
    return suite;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "end") == 0)
        return end_in_the_midst(atoi(argv[2]));
    return run_in_realm(suite_of_realm());
}

#else

int main(void)
{
    printf("skipped: the library was built without GSSAPI\n");
    return SKIPPED;
}

#endif
