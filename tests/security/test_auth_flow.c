/* Servers whose clients the authenticator lets in, or does not: over every transport that is asked about. */
#include "folder.h"
#include "secure.h"

static sifr_auth_t *auth;
static bool has_curve; /* the library was built with it */
static struct {
    char public[41], secret[41];
} server_key, client_key, other_key;

static void open_auth(void)
{
    open_world();
    ck_works(sifr_ctx_set(world.ctx, SIFR_IO_THREADS, 2));
    open_folder();
    auth = sifr_auth_new(world.ctx);
    ck_assert_ptr_nonnull(auth);
    has_curve = sifr_has("curve");
    if (!has_curve)
        return;
    ck_works(sifr_curve_keypair(server_key.public, server_key.secret));
    ck_works(sifr_curve_keypair(client_key.public, client_key.secret));
    ck_works(sifr_curve_keypair(other_key.public, other_key.secret));
}

static void close_auth(void)
{
    if (auth)
        ck_works(sifr_auth_destroy(&auth));
    close_world();
    close_folder();
}

/* ---- Both sides ---------------------------------------------------------------------------------------------- */

static sifr_socket_t *new_server(int mechanism, const char *domain)
{
    sifr_socket_t *s = new_socket(SIFR_REP);

    set_text(s, SIFR_ZAP_DOMAIN, domain);
    if (mechanism == SIFR_PLAIN)
        set_int(s, SIFR_PLAIN_SERVER, 1);
    if (mechanism == SIFR_CURVE) {
        set_int(s, SIFR_CURVE_SERVER, 1);
        set_text(s, SIFR_CURVE_SECRETKEY, server_key.secret);
    }
    return s;
}

static sifr_socket_t *null_client(void)
{
    return new_socket(SIFR_REQ);
}

static sifr_socket_t *plain_client(const char *name, const char *password)
{
    sifr_socket_t *s = new_socket(SIFR_REQ);

    set_text(s, SIFR_PLAIN_USERNAME, name);
    set_text(s, SIFR_PLAIN_PASSWORD, password);
    return s;
}

static sifr_socket_t *curve_client(bool known)
{
    sifr_socket_t *s = new_socket(SIFR_REQ);

    set_text(s, SIFR_CURVE_SERVERKEY, server_key.public);
    set_text(s, SIFR_CURVE_PUBLICKEY, known ? client_key.public : other_key.public);
    set_text(s, SIFR_CURVE_SECRETKEY, known ? client_key.secret : other_key.secret);
    return s;
}

/* A request and its answer; who has asked is this user. */
static void comes_in(sifr_socket_t *client, const struct endpoint *e, sifr_socket_t *server, const char *user)
{
    sifr_msg_t m;

    connect_to(client, e);
    send_text(client, "hello", 0);
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, server, 0), 5);
    if (user)
        ck_assert_str_eq(sifr_msg_gets(&m, "User-Id"), user);
    else
        ck_assert_ptr_null(sifr_msg_gets(&m, "User-Id"));
    sifr_msg_close(&m);
    send_text(server, "world", 0);
    recv_text(client, "world", false);
}

/* The client is told that it may not, and does not come again. */
static void stays_out(sifr_socket_t *client, const struct endpoint *e, sifr_socket_t *server)
{
    sifr_socket_t *monitor = watch(client);

    connect_to(client, e);
    expect(monitor, CONNECTED);
    expect_value(monitor, HANDSHAKE_FAILED_AUTH, 400);
    expect(monitor, DISCONNECTED);
    ck_assert(!readable_within(server, 0));
    ck_works(sifr_socket_monitor(client, NULL, 0));
    drop(monitor);
}

/* ---- Tests --------------------------------------------------------------------------------------------------- */

START_TEST(addresses_decide_over_tcp)
{
    sifr_socket_t *server = new_server(SIFR_NULL, "null");
    struct endpoint e = bind_fresh(server, TCP);

    comes_in(null_client(), &e, server, NULL);
    ck_works(sifr_auth_allow(auth, "null", "10.0.0.0/8"));
    stays_out(null_client(), &e, server);
    ck_works(sifr_auth_allow(auth, "null", "127.0.0.0/24")); /* they come from 127.0.0.1, wherever they go */
    comes_in(null_client(), &e, server, NULL);
    ck_works(sifr_auth_deny(auth, NULL, "127.0.0.1"));
    stays_out(null_client(), &e, server);
    ck_works(sifr_auth_forget(auth, NULL));
    comes_in(null_client(), &e, server, NULL);
}
END_TEST

START_TEST(addresses_decide_over_ipv6)
{
    sifr_socket_t *server = new_server(SIFR_NULL, "null"), *client;
    struct endpoint e;

    set_int(server, SIFR_IPV6, 1);
    if (sifr_bind(server, "tcp://[::1]:*") != 0)
        return; /* a machine without IPv6 */
    e = last_endpoint(server);
    ck_works(sifr_auth_allow(auth, "null", "::1"));
    client = null_client();
    set_int(client, SIFR_IPV6, 1);
    comes_in(client, &e, server, NULL);
    ck_works(sifr_auth_deny(auth, "null", "::/64"));
    client = null_client();
    set_int(client, SIFR_IPV6, 1);
    stays_out(client, &e, server);
}
END_TEST

/* Who comes by IPv4 to a socket of both is meant by the IPv4 address. */
START_TEST(an_ipv4_client_of_an_ipv6_server_is_known_by_its_ipv4_address)
{
    sifr_socket_t *server = new_server(SIFR_NULL, "null");
    struct endpoint e;
    int port;

    set_int(server, SIFR_IPV6, 1);
    if (sifr_bind(server, "tcp://[::]:*") != 0)
        return;
    e = last_endpoint(server);
    port = atoi(strrchr(e.text, ':') + 1);
    snprintf(e.text, sizeof e.text, "tcp://%s:%d", own_host(), port);
    ck_works(sifr_auth_allow(auth, "null", "127.0.0.0/8"));
    comes_in(null_client(), &e, server, NULL);
    ck_works(sifr_auth_deny(auth, "null", "127.0.0.1"));
    stays_out(null_client(), &e, server);
}
END_TEST

START_TEST(localhost_stands_for_ipc)
{
    sifr_socket_t *server = new_server(SIFR_NULL, "null");
    struct endpoint e = bind_fresh(server, IPC);

    ck_works(sifr_auth_allow(auth, "null", "127.0.0.0/8"));
    stays_out(null_client(), &e, server);
    ck_works(sifr_auth_allow(auth, "null", "localhost"));
    comes_in(null_client(), &e, server, NULL);
}
END_TEST

START_TEST(plain_users_come_in_by_their_passwords)
{
    sifr_socket_t *server = new_server(SIFR_PLAIN, "plain");
    struct endpoint e = bind_fresh(server, TCP);

    stays_out(plain_client("admin", "secret"), &e, server);
    write_file("users", "admin=secret\nguest=g\n");
    ck_works(sifr_auth_plain(auth, "plain", path_of("users").text));
    comes_in(plain_client("admin", "secret"), &e, server, "admin");
    comes_in(plain_client("guest", "g"), &e, server, "guest");
    stays_out(plain_client("admin", "g"), &e, server);
    stays_out(plain_client("nobody", "secret"), &e, server);
}
END_TEST

/* Who is in stays in; who comes next is judged by the file as it is now. */
START_TEST(a_changed_file_counts_for_those_who_come_next)
{
    sifr_socket_t *server = new_server(SIFR_PLAIN, "plain"), *in = plain_client("admin", "old");
    struct endpoint e = bind_fresh(server, TCP);

    write_file("users", "admin=old\n");
    ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
    comes_in(in, &e, server, "admin");
    replace_file("users", "admin=new\n");
    ck_works(sifr_auth_reload(auth));
    stays_out(plain_client("admin", "old"), &e, server);
    comes_in(plain_client("admin", "new"), &e, server, "admin");
    send_text(in, "still here", 0);
    recv_text(server, "still here", false);
    send_text(server, "good", 0);
    recv_text(in, "good", false);
}
END_TEST

START_TEST(curve_clients_come_in_by_their_certificates)
{
    sifr_socket_t *server, *client;
    struct endpoint e;
    sifr_msg_t m;

    if (!has_curve)
        return;
    server = new_server(SIFR_CURVE, "curve");
    e = bind_fresh(server, TCP);
    stays_out(curve_client(true), &e, server);
    write_cert("joe", client_key.public);
    ck_works(sifr_auth_curve(auth, "curve", folder));
    client = curve_client(true);
    comes_in(client, &e, server, client_key.public);
    stays_out(curve_client(false), &e, server);
    send_text(client, "again", 0);
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, server, 0), 5);
    ck_assert_str_eq(sifr_msg_gets(&m, "name"), "joe"); /* from the certificate */
    sifr_msg_close(&m);
    remove_file("joe");
    write_cert("other", other_key.public);
    ck_works(sifr_auth_reload(auth));
    stays_out(curve_client(true), &e, server);
    drop(server); /* a REP that owes an answer */
    server = new_server(SIFR_CURVE, "any");
    e = bind_fresh(server, TCP);
    ck_works(sifr_auth_curve(auth, "any", SIFR_AUTH_ANY));
    comes_in(curve_client(true), &e, server, client_key.public);
    comes_in(curve_client(false), &e, server, other_key.public);
}
END_TEST

START_TEST(domains_are_kept_apart)
{
    sifr_socket_t *a = new_server(SIFR_PLAIN, "a"), *b = new_server(SIFR_PLAIN, "b");
    struct endpoint at_a = bind_fresh(a, TCP), at_b = bind_fresh(b, IPC);

    write_file("users", "admin=secret\n");
    write_file("more", "bob=builder\n");
    ck_works(sifr_auth_plain(auth, "a", path_of("users").text));
    ck_works(sifr_auth_plain(auth, "b", path_of("more").text));
    comes_in(plain_client("admin", "secret"), &at_a, a, "admin");
    stays_out(plain_client("admin", "secret"), &at_b, b);
    comes_in(plain_client("bob", "builder"), &at_b, b, "bob");
    stays_out(plain_client("bob", "builder"), &at_a, a);
}
END_TEST

/* Where somebody must be asked and is not there, clients try again until he is. */
START_TEST(who_finds_no_authenticator_waits_for_one)
{
    sifr_socket_t *server = new_server(SIFR_NULL, "null"), *client = null_client(), *monitor = watch(client);
    struct endpoint e;

    set_int(server, SIFR_ZAP_ENFORCE_DOMAIN, 1);
    e = bind_fresh(server, TCP);
    ck_works(sifr_auth_destroy(&auth));
    set_int(client, SIFR_RECONNECT_IVL, 10);
    connect_to(client, &e);
    for (int i = 0; i < 3; i++) {
        expect(monitor, CONNECTED);
        expect(monitor, HANDSHAKE_FAILED_NO_DETAIL);
        expect(monitor, DISCONNECTED);
        expect_retry(monitor);
    }
    auth = sifr_auth_new(world.ctx);
    ck_assert_ptr_nonnull(auth);
    send_text(client, "hello", 0);
    recv_text(server, "hello", false);
}
END_TEST

enum { CLIENTS = 60 };

START_TEST(many_come_at_once_and_the_right_ones_get_in)
{
    sifr_socket_t *server = new_server(SIFR_PLAIN, "plain"), *clients[CLIENTS];
    struct endpoint e = bind_fresh(server, TCP);
    char name[32], line[64], users[CLIENTS * 16] = "";

    for (int i = 0; i < CLIENTS; i += 2) {
        snprintf(line, sizeof line, "user%d=%d\n", i, i);
        strcat(users, line);
    }
    write_file("users", users);
    ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
    for (int i = 0; i < CLIENTS; i++) {
        snprintf(name, sizeof name, "user%d", i);
        snprintf(line, sizeof line, "%d", i);
        clients[i] = plain_client(name, line);
        connect_to(clients[i], &e);
        send_text(clients[i], name, 0);
    }
    for (int i = 0; i < CLIENTS; i += 2) {
        sifr_msg_t m;

        sifr_msg_init(&m);
        ck_assert_int_gt(sifr_msg_recv(&m, server, 0), 0);
        ck_assert_uint_eq(strlen(sifr_msg_gets(&m, "User-Id")), sifr_msg_size(&m));
        ck_assert_mem_eq(sifr_msg_gets(&m, "User-Id"), sifr_msg_data(&m), sifr_msg_size(&m));
        sifr_msg_send(&m, server, 0);
    }
    for (int i = 0; i < CLIENTS; i += 2) {
        snprintf(name, sizeof name, "user%d", i);
        recv_text(clients[i], name, false);
    }
    ck_assert(!readable_within(server, 0));
}
END_TEST

/* However far clients and questions are, both ways of ending end. */
START_TEST(the_context_ends_in_the_midst_of_it)
{
    for (int i = 0; i < 20; i++) {
        sifr_socket_t *server = new_server(SIFR_PLAIN, "plain");
        struct endpoint e = bind_fresh(server, TCP);

        write_file("users", "admin=secret\n");
        ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
        for (int k = 0; k < 5; k++)
            connect_to(plain_client("admin", k % 2 ? "secret" : "wrong"), &e);
        if (i % 2)
            ck_works(sifr_auth_destroy(&auth));
        close_world();
        if (auth)
            ck_works(sifr_auth_destroy(&auth));
        open_world();
        auth = sifr_auth_new(world.ctx);
        ck_assert_ptr_nonnull(auth);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("security/auth_flow");
    TCase *c = tcase_create("authenticator");

    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_auth, close_auth);
    tcase_add_test(c, addresses_decide_over_tcp);
    tcase_add_test(c, addresses_decide_over_ipv6);
    tcase_add_test(c, an_ipv4_client_of_an_ipv6_server_is_known_by_its_ipv4_address);
    tcase_add_test(c, localhost_stands_for_ipc);
    tcase_add_test(c, plain_users_come_in_by_their_passwords);
    tcase_add_test(c, a_changed_file_counts_for_those_who_come_next);
    tcase_add_test(c, curve_clients_come_in_by_their_certificates);
    tcase_add_test(c, domains_are_kept_apart);
    tcase_add_test(c, who_finds_no_authenticator_waits_for_one);
    tcase_add_test(c, many_come_at_once_and_the_right_ones_get_in);
    tcase_add_test(c, the_context_ends_in_the_midst_of_it);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
