/* How options choose a mechanism, what the keys of CURVE open, and whose tickets GSSAPI shows to whom. */
#include "support.h"

#include "realm.h"

/* ---- The choice -------------------------------------------------------------------------------------------------------- */

static const char key[32] = "a key of thirty-two bytes, or so";

/* Each step is done on what the steps before have left. */
static const struct step {
    int option;
    const void *value;
    size_t size;
    int mechanism;
    bool plain_server, curve_server;
} steps[] = {
#define ON &(const int){1}, sizeof(int)
#define OFF &(const int){0}, sizeof(int)
#define KEY_ key, sizeof key
    {SIFR_PLAIN_USERNAME, "u", 1, SIFR_PLAIN, false, false},
    {SIFR_PLAIN_USERNAME, NULL, 0, SIFR_NULL, false, false},
    {SIFR_PLAIN_PASSWORD, "p", 1, SIFR_PLAIN, false, false},
    {SIFR_PLAIN_PASSWORD, NULL, 0, SIFR_NULL, false, false},
    {SIFR_PLAIN_SERVER, ON, SIFR_PLAIN, true, false},
    {SIFR_PLAIN_USERNAME, "u", 1, SIFR_PLAIN, false, false},
    {SIFR_PLAIN_SERVER, ON, SIFR_PLAIN, true, false},
    {SIFR_PLAIN_USERNAME, NULL, 0, SIFR_NULL, false, false},
    {SIFR_PLAIN_SERVER, ON, SIFR_PLAIN, true, false},
    {SIFR_PLAIN_SERVER, OFF, SIFR_NULL, false, false},
    {SIFR_CURVE_SERVER, ON, SIFR_CURVE, false, true},
    {SIFR_CURVE_PUBLICKEY, KEY_, SIFR_CURVE, false, true},
    {SIFR_CURVE_SECRETKEY, KEY_, SIFR_CURVE, false, true},
    {SIFR_CURVE_SERVERKEY, KEY_, SIFR_CURVE, false, false},
    {SIFR_CURVE_SERVER, ON, SIFR_CURVE, false, true},
    {SIFR_PLAIN_SERVER, ON, SIFR_PLAIN, true, false},
    {SIFR_CURVE_PUBLICKEY, KEY_, SIFR_CURVE, false, true}, /* the role stays */
    {SIFR_CURVE_SERVER, OFF, SIFR_NULL, false, false},
    {SIFR_CURVE_SECRETKEY, KEY_, SIFR_CURVE, false, false},
    {SIFR_PLAIN_PASSWORD, "p", 1, SIFR_PLAIN, false, false},
    {SIFR_ZAP_DOMAIN, "d", 1, SIFR_PLAIN, false, false},
    {SIFR_ZAP_ENFORCE_DOMAIN, ON, SIFR_PLAIN, false, false},
    {SIFR_CURVE_SERVERKEY, KEY_, SIFR_CURVE, false, false},
    {SIFR_PLAIN_SERVER, OFF, SIFR_NULL, false, false},
#undef ON
#undef OFF
#undef KEY_
};

START_TEST(the_last_that_is_set_chooses_the_mechanism)
{
    sifr_socket_t *s = new_socket(_i);
    bool curve = sifr_has("curve");
    char text[64];
    size_t size;

    for (int i = 0; i < COUNT(steps); i++) {
        const struct step *step = &steps[i];
        bool of_curve = step->option == SIFR_CURVE_SERVER || step->option == SIFR_CURVE_PUBLICKEY ||
                        step->option == SIFR_CURVE_SECRETKEY || step->option == SIFR_CURVE_SERVERKEY;

        if (of_curve && !curve) {
            ck_fails(sifr_setsockopt(s, step->option, step->value, step->size), EINVAL);
            continue;
        }
        ck_works(sifr_setsockopt(s, step->option, step->value, step->size));
        if (!curve)
            continue;
        ck_assert_msg(get_int(s, SIFR_MECHANISM) == step->mechanism, "step %d chooses %d", i,
                      get_int(s, SIFR_MECHANISM));
        ck_assert_msg(get_int(s, SIFR_PLAIN_SERVER) == step->plain_server, "step %d", i);
        ck_assert_msg(get_int(s, SIFR_CURVE_SERVER) == step->curve_server, "step %d", i);
    }
    size = sizeof text; /* what was said stays, whatever is chosen */
    ck_works(sifr_getsockopt(s, SIFR_PLAIN_USERNAME, text, &size));
    ck_assert_str_eq(text, "u");
    size = sizeof key;
    if (curve)
        ck_works(sifr_getsockopt(s, SIFR_CURVE_SECRETKEY, text, &size));
    if (curve)
        ck_assert_mem_eq(text, key, sizeof key);
}
END_TEST

START_TEST(a_choice_that_fails_changes_nothing)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER);
    int two = 2;

    set_int(s, SIFR_PLAIN_SERVER, 1);
    ck_fails(sifr_setsockopt(s, SIFR_PLAIN_SERVER, &two, sizeof two), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_PLAIN_USERNAME, "", 0), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_CURVE_SERVER, &two, sizeof two), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_CURVE_SERVERKEY, key, 31), EINVAL);
    ck_assert_int_eq(get_int(s, SIFR_MECHANISM), SIFR_PLAIN);
    ck_assert_int_eq(get_int(s, SIFR_PLAIN_SERVER), 1);
}
END_TEST

/* ---- CURVE --------------------------------------------------------------------------------------------------------------- */

struct keys {
    char public[41], secret[41];
};

static struct keys new_keys(void)
{
    struct keys k;

    ck_works(sifr_curve_keypair(k.public, k.secret));
    return k;
}

static void serve(sifr_socket_t *s, const struct keys *own)
{
    set_int(s, SIFR_CURVE_SERVER, 1);
    set_text(s, SIFR_CURVE_SECRETKEY, own->secret);
}

static sifr_socket_t *new_client(int type, const struct keys *own, const char *server)
{
    sifr_socket_t *s = new_socket(type);

    set_text(s, SIFR_CURVE_SERVERKEY, server);
    set_text(s, SIFR_CURVE_PUBLICKEY, own->public);
    set_text(s, SIFR_CURVE_SECRETKEY, own->secret);
    set_int(s, SIFR_IMMEDIATE, 1);
    return s;
}

START_TEST(a_client_with_the_servers_key_comes_in_and_no_other)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *friend, *stranger, *plain, *mismatched;
    struct keys server, client, other, mixed;
    struct endpoint e;

    if (!sifr_has("curve"))
        return;
    server = new_keys(), client = new_keys(), other = new_keys();
    serve(pull, &server);
    e = bind_fresh(pull, (enum transport)_i);
    stranger = new_client(SIFR_PUSH, &client, other.public);
    connect_to(stranger, &e);
    plain = new_socket(SIFR_PUSH);
    set_int(plain, SIFR_IMMEDIATE, 1);
    connect_to(plain, &e);
    mixed = client;
    memcpy(mixed.secret, other.secret, sizeof mixed.secret);
    mismatched = new_client(SIFR_PUSH, &mixed, server.public);
    connect_to(mismatched, &e);
    friend = new_client(SIFR_PUSH, &client, server.public);
    connect_to(friend, &e);
    send_text(friend, "in the dark", 0);
    recv_text(pull, "in the dark", false);
    ck_assert(!writable_within(stranger, 100));
    ck_assert(!writable_within(plain, 0));
    ck_assert(!writable_within(mismatched, 0));
}
END_TEST

START_TEST(mechanism_and_role_are_those_of_the_bind)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *open = new_socket(SIFR_PUSH), *sealed;
    struct endpoint before = bind_fresh(pull, (enum transport)_i), after;
    struct keys server, client;

    if (!sifr_has("curve"))
        return;
    server = new_keys(), client = new_keys();
    serve(pull, &server);
    after = bind_fresh(pull, (enum transport)_i);
    set_int(pull, SIFR_PLAIN_SERVER, 1); /* for binds to come */
    connect_to(open, &before);
    send_text(open, "to all", 0);
    recv_text(pull, "to all", false);
    sealed = new_client(SIFR_PUSH, &client, server.public);
    connect_to(sealed, &after);
    set_text(sealed, SIFR_PLAIN_USERNAME, "for connects to come");
    send_text(sealed, "to one", 0);
    recv_text(pull, "to one", false);
}
END_TEST

START_TEST(the_longest_properties_and_name_go_with_keys)
{
    enum { LONGEST = 3072 - 4, ID = 255 };
    sifr_socket_t *dealer, *router = new_socket(SIFR_ROUTER);
    char text[LONGEST] = "X-a:";
    struct keys server, client;
    struct endpoint e;
    sifr_msg_t m;

    if (!sifr_has("curve"))
        return;
    server = new_keys(), client = new_keys();
    memset(text + 4, 'v', sizeof text - 4);
    serve(router, &server);
    dealer = new_client(SIFR_DEALER, &client, server.public);
    ck_works(sifr_setsockopt(router, SIFR_METADATA, text, LONGEST));
    ck_works(sifr_setsockopt(dealer, SIFR_METADATA, text, LONGEST));
    ck_works(sifr_setsockopt(dealer, SIFR_ROUTING_ID, text, ID));
    ck_works(sifr_setsockopt(router, SIFR_ROUTING_ID, text, ID));
    e = bind_fresh(router, TCP);
    connect_to(dealer, &e);
    send_text(dealer, "here", 0);
    ck_works(sifr_msg_init(&m));
    ck_assert_int_eq(sifr_msg_recv(&m, router, 0), ID);
    ck_assert_uint_eq(strlen(sifr_msg_gets(&m, "X-a")), LONGEST - 4);
    send_bytes(router, text, ID, SIFR_SNDMORE);
    send_text(router, "there", 0);
    ck_assert_int_eq(sifr_msg_recv(&m, dealer, 0), 5);
    ck_assert_uint_eq(strlen(sifr_msg_gets(&m, "X-a")), LONGEST - 4);
    ck_works(sifr_msg_close(&m));
}
END_TEST

/* ---- GSSAPI -------------------------------------------------------------------------------------------------------------- */

static bool with_realm;

static void set_up_realm(void)
{
    const char *why = sifr_has("gssapi") ? open_realm() : "the library was built without GSSAPI";

    with_realm = !why;
    if (why)
        printf("without tickets: %s\n", why);
    fflush(stdout);
}

/* Both names as principals, or the service by what it is and where; with all sealed, or nothing. */
START_TEST(a_ticket_is_shown_to_whom_and_by_whom_the_options_name)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH), *other = new_socket(SIFR_PUSH);
    int kind = _i & 1 ? SIFR_GSSAPI_NT_KRB5_PRINCIPAL : SIFR_GSSAPI_NT_HOSTBASED;
    const char *name = _i & 1 ? "zmq/localhost@" REALM : "zmq@localhost";
    struct endpoint e;

    if (!with_realm)
        return;
    set_int(pull, SIFR_GSSAPI_SERVER, 1);
    if (!getenv("MATRIX_LIBZMQ")) /* which has to have a ticket then */
        set_text(pull, SIFR_GSSAPI_PRINCIPAL, name);
    set_int(pull, SIFR_GSSAPI_PRINCIPAL_NAMETYPE, kind);
    set_int(pull, SIFR_GSSAPI_PLAINTEXT, _i >> 1);
    e = bind_fresh(pull, TCP);
    for (int i = 0; i < 2; i++) { /* the other has no ticket of that name */
        sifr_socket_t *s = i ? push : other;

        set_text(s, SIFR_GSSAPI_SERVICE_PRINCIPAL, name);
        set_int(s, SIFR_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE, kind);
        set_text(s, SIFR_GSSAPI_PRINCIPAL, i ? "client" : "stranger");
        set_int(s, SIFR_GSSAPI_PRINCIPAL_NAMETYPE, SIFR_GSSAPI_NT_USER_NAME);
        set_int(s, SIFR_GSSAPI_PLAINTEXT, _i >> 1);
        set_int(s, SIFR_IMMEDIATE, 1);
        connect_to(s, &e);
    }
    send_text(push, "who I am", 0);
    recv_text(pull, "who I am", false);
    ck_assert(!writable_within(other, 50));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/options_security");
    TCase *c = new_case(s, "mechanisms");
    int status;

    tcase_add_loop_test(c, the_last_that_is_set_chooses_the_mechanism, SIFR_PAIR, SIFR_CHANNEL + 1);
    tcase_add_test(c, a_choice_that_fails_changes_nothing);
    tcase_add_loop_test(c, a_client_with_the_servers_key_comes_in_and_no_other, 0, INPROC);
    tcase_add_loop_test(c, mechanism_and_role_are_those_of_the_bind, 0, INPROC);
    tcase_add_test(c, the_longest_properties_and_name_go_with_keys);
    tcase_add_loop_test(c, a_ticket_is_shown_to_whom_and_by_whom_the_options_name, 0, 4);
    set_up_realm();
    status = run_suite(s);
    close_realm();
    return status;
}
