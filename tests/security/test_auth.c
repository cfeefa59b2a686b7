/* The authenticator, asked as the library asks it: whom it lets in, and that it ends when and how it should. */
#include "folder.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define KEY1 "}l/iX1ASmzR{hhHs7*M:+egJ]Pf7J{q1a&4Gu!rX"
#define KEY2 "oMyMwPW-=F@56k&>W@EX5]{1r:BI*?hsVUXaPF92"

static sifr_auth_t *auth;
static sifr_socket_t *asker;

/* What the last reply said, and the last event. */
static struct {
    int status;
    char text[256], user[256];
    uint8_t metadata[256];
    int metadata_size;
} said;

static struct {
    pthread_mutex_t lock;
    int events;
    int status;
    char reason[256], mechanism[256], domain[256], address[256], user[1200];
} logged = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Atomic int files_logged;

static void note_event(const sifr_auth_event_t *e, void *arg)
{
    ck_assert_ptr_eq(arg, &logged);
    if (e->status == 0) {
        bool gone = strstr(e->reason, "nobody"), there = strstr(e->reason, "again");

        files_logged += gone != there && strstr(e->reason, "/users") && !*e->user && !*e->mechanism;
        return;
    }
    pthread_mutex_lock(&logged.lock);
    logged.status = e->status;
    snprintf(logged.reason, sizeof logged.reason, "%s", e->reason);
    snprintf(logged.mechanism, sizeof logged.mechanism, "%s", e->mechanism);
    snprintf(logged.domain, sizeof logged.domain, "%s", e->domain);
    snprintf(logged.address, sizeof logged.address, "%s", e->address);
    snprintf(logged.user, sizeof logged.user, "%s", e->user);
    logged.events++;
    pthread_mutex_unlock(&logged.lock);
}

static int events(void)
{
    int n;

    pthread_mutex_lock(&logged.lock);
    n = logged.events;
    pthread_mutex_unlock(&logged.lock);
    return n;
}

static bool last_is_of(const char *domain)
{
    bool is;

    pthread_mutex_lock(&logged.lock);
    is = strcmp(logged.domain, domain) == 0;
    pthread_mutex_unlock(&logged.lock);
    return is;
}

static void open_auth(void)
{
    open_world();
    open_folder();
    logged.events = 0;
    files_logged = 0;
    auth = sifr_auth_new(world.ctx);
    ck_assert_ptr_nonnull(auth);
    asker = new_socket(SIFR_REQ);
    ck_works(sifr_connect(asker, "inproc://zeromq.zap.01"));
}

static void close_auth(void)
{
    if (auth)
        ck_works(sifr_auth_destroy(&auth));
    ck_assert_ptr_null(auth);
    close_folder();
    close_world();
}

static int recv_part(void *to, int room, bool more)
{
    int n = sifr_recv(asker, to, (size_t)room - 1, 0);

    ck_assert_int_ge(n, 0);
    ck_assert_int_lt(n, room);
    ((char *)to)[n] = 0;
    ck_assert_int_eq(get_int(asker, SIFR_RCVMORE), more);
    return n;
}

static int hear(void)
{
    char text[64];

    recv_text(asker, "1.0", true);
    recv_part(text, sizeof text, true);
    recv_part(text, sizeof text, true);
    said.status = atoi(text);
    recv_part(said.text, sizeof said.text, true);
    recv_part(said.user, sizeof said.user, true);
    said.metadata_size = recv_part(said.metadata, sizeof said.metadata, false);
    return said.status;
}

static int ask_null(const char *domain, const char *address)
{
    send_parts(asker, "1.0", "1", domain, address, "", "NULL");
    return hear();
}

static int ask_plain(const char *domain, const char *name, const char *password)
{
    send_parts(asker, "1.0", "1", domain, "127.0.0.1", "", "PLAIN", name, password);
    return hear();
}

static int ask_curve(const char *domain, const char *key)
{
    uint8_t bytes[32];

    ck_assert_ptr_nonnull(sifr_z85_decode(bytes, key));
    for (int i = 0; i < 6; i++)
        send_text(asker, ((const char *[]){"1.0", "1", domain, "127.0.0.1", "", "CURVE"})[i], SIFR_SNDMORE);
    send_bytes(asker, bytes, sizeof bytes, 0);
    return hear();
}

/* ---- Decisions ----------------------------------------------------------------------------------------------- */

START_TEST(without_settings_only_null_and_gssapi_come_in)
{
    ck_assert_int_eq(ask_null("", "127.0.0.1"), 200);
    ck_assert_str_eq(said.user, "");
    ck_assert_int_eq(said.metadata_size, 0);
    ck_assert_int_eq(ask_null("x", ""), 200);
    ck_assert_int_eq(ask_plain("", "admin", "secret"), 400);
    ck_assert_int_eq(ask_plain("", "", ""), 400);
    ck_assert_int_eq(ask_curve("", KEY1), 400);
    ck_assert_int_eq(strlen(said.user), 0);
    send_parts(asker, "1.0", "1", "", "::1", "", "GSSAPI", "joe@REALM");
    ck_assert_int_eq(hear(), 200);
    ck_assert_str_eq(said.user, "joe@REALM");
}
END_TEST

START_TEST(addresses_are_allowed_and_denied)
{
    ck_works(sifr_auth_allow(auth, NULL, "10.0.0.0/8"));
    ck_works(sifr_auth_allow(auth, "*", "fe80::/10"));
    ck_works(sifr_auth_deny(auth, NULL, "10.1.0.0/16"));
    ck_assert_int_eq(ask_null("x", "10.2.3.4"), 200);
    ck_assert_int_eq(ask_null("x", "fe80::1"), 200);
    ck_assert_int_eq(ask_null("x", "::ffff:10.2.3.4"), 200);
    ck_assert_int_eq(ask_null("x", "10.1.3.4"), 400);
    ck_assert_int_eq(ask_null("x", "::ffff:10.1.3.4"), 400);
    ck_assert_int_eq(ask_null("x", "11.2.3.4"), 400);
    ck_assert_int_eq(ask_null("x", "localhost:0:0:1"), 400);
    ck_assert_int_eq(ask_null("x", ""), 400);
    ck_works(sifr_auth_allow(auth, NULL, "localhost"));
    ck_assert_int_eq(ask_null("x", "localhost:0:0:1"), 200);
    ck_works(sifr_auth_forget(auth, NULL));
    ck_assert_int_eq(ask_null("x", "10.1.3.4"), 200);
    ck_assert_int_eq(ask_null("x", "11.2.3.4"), 200);
}
END_TEST

START_TEST(a_domain_allows_for_itself_and_denies_besides)
{
    ck_works(sifr_auth_allow(auth, NULL, "10.0.0.0/8"));
    ck_works(sifr_auth_deny(auth, NULL, "10.9.9.9"));
    ck_works(sifr_auth_allow(auth, "a", "192.168.0.0/16"));
    ck_works(sifr_auth_allow(auth, "a", "10.9.9.9"));
    ck_works(sifr_auth_deny(auth, "b", "10.5.5.5"));
    ck_assert_int_eq(ask_null("a", "192.168.1.1"), 200);
    ck_assert_int_eq(ask_null("a", "10.2.3.4"), 400);
    ck_assert_int_eq(ask_null("a", "10.9.9.9"), 400); /* denied to all */
    ck_assert_int_eq(ask_null("b", "10.2.3.4"), 200);
    ck_assert_int_eq(ask_null("b", "10.5.5.5"), 400);
    ck_assert_int_eq(ask_null("c", "10.5.5.5"), 200);
    ck_assert_int_eq(ask_null("ab", "192.168.1.1"), 400);
    ck_assert_int_eq(ask_null("", "192.168.1.1"), 400);
    ck_works(sifr_auth_allow(auth, "", "192.168.1.1")); /* the domain without a name, not all */
    ck_assert_int_eq(ask_null("", "192.168.1.1"), 200);
    ck_assert_int_eq(ask_null("c", "192.168.1.1"), 400);
    ck_works(sifr_auth_forget(auth, "a"));
    ck_assert_int_eq(ask_null("a", "10.2.3.4"), 200);
    ck_works(sifr_auth_forget(auth, "never was"));
}
END_TEST

START_TEST(addresses_count_for_every_mechanism)
{
    write_file("users", "admin=secret\n");
    ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
    ck_works(sifr_auth_curve(auth, NULL, SIFR_AUTH_ANY));
    ck_works(sifr_auth_deny(auth, "shut", "127.0.0.0/8"));
    ck_assert_int_eq(ask_plain("open", "admin", "secret"), 200);
    ck_assert_int_eq(ask_curve("open", KEY1), 200);
    ck_assert_int_eq(ask_plain("shut", "admin", "secret"), 400);
    ck_assert_int_eq(ask_curve("shut", KEY1), 400);
    ck_assert_int_eq(ask_null("shut", "127.1.2.3"), 400);
}
END_TEST

START_TEST(plain_users_come_from_a_file)
{
    write_file("users", "admin=secret\nguest=\n");
    write_file("others", "bob=builder\n");
    ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
    ck_works(sifr_auth_plain(auth, "b", path_of("others").text));
    ck_assert_int_eq(ask_plain("a", "admin", "secret"), 200);
    ck_assert_str_eq(said.user, "admin");
    ck_assert_int_eq(ask_plain("a", "admin", "Secret"), 400);
    ck_assert_str_eq(said.user, "");
    ck_assert_int_eq(ask_plain("a", "guest", ""), 200);
    ck_assert_int_eq(ask_plain("a", "bob", "builder"), 400);
    ck_assert_int_eq(ask_plain("b", "bob", "builder"), 200);
    ck_assert_int_eq(ask_plain("b", "admin", "secret"), 400);
    ck_works(sifr_auth_plain(auth, "b", NULL));
    ck_assert_int_eq(ask_plain("b", "admin", "secret"), 200);
    ck_works(sifr_auth_plain(auth, NULL, NULL));
    ck_assert_int_eq(ask_plain("b", "admin", "secret"), 400);
}
END_TEST

START_TEST(curve_clients_come_from_a_directory)
{
    write_cert("one", KEY1);
    ck_works(sifr_auth_curve(auth, NULL, folder));
    ck_assert_int_eq(ask_curve("a", KEY1), 200);
    ck_assert_str_eq(said.user, KEY1);
    ck_assert_int_eq(said.metadata_size, 1 + 4 + 4 + 3);
    ck_assert_mem_eq(said.metadata, "\4name\0\0\0\3one", 12);
    ck_assert_int_eq(ask_curve("a", KEY2), 400);
    ck_assert_int_eq(said.metadata_size, 0);
    ck_works(sifr_auth_curve(auth, "any", SIFR_AUTH_ANY));
    ck_assert_int_eq(ask_curve("any", KEY2), 200);
    ck_assert_str_eq(said.user, KEY2);
    ck_assert_int_eq(ask_curve("a", KEY2), 400);
    ck_works(sifr_auth_curve(auth, "any", folder)); /* any no more */
    ck_assert_int_eq(ask_curve("any", KEY2), 400);
    ck_works(sifr_auth_curve(auth, NULL, NULL));
    ck_assert_int_eq(ask_curve("a", KEY1), 400);
    ck_assert_int_eq(ask_curve("any", KEY1), 200);
}
END_TEST

START_TEST(what_changes_is_noticed_and_can_be_asked_for)
{
    write_file("users", "admin=secret\n");
    ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
    ck_works(sifr_auth_curve(auth, NULL, folder));
    ck_assert_int_eq(ask_curve("a", KEY1), 400);
    replace_file("users", "admin=changed\nother=x\n");
    write_cert("one", KEY1);
    eventually(ask_plain("a", "admin", "changed") == 200);
    eventually(ask_curve("a", KEY1) == 200);
    ck_assert_int_eq(ask_plain("a", "admin", "secret"), 400);
    replace_file("users", "admin=again\n");
    remove_file("one");
    ck_works(sifr_auth_reload(auth)); /* at once */
    ck_assert_int_eq(ask_plain("a", "admin", "again"), 200);
    ck_assert_int_eq(ask_plain("a", "other", "x"), 400);
    ck_assert_int_eq(ask_curve("a", KEY1), 400);
    remove_file("users");
    ck_fails(sifr_auth_reload(auth), ENOENT);
    ck_assert_int_eq(ask_plain("a", "admin", "again"), 400);
    write_file("users", "admin=back\nbroken\n");
    ck_fails(sifr_auth_reload(auth), EINVAL);
    ck_assert_int_eq(ask_plain("a", "admin", "back"), 400);
    replace_file("users", "admin=back\n");
    eventually(ask_plain("a", "admin", "back") == 200);
}
END_TEST

START_TEST(what_is_no_request_is_refused)
{
    static const struct {
        const char *parts[12];
        int status;
    } cases[] = {
        {{"1.0"}, 500},
        {{""}, 500},
        {{"1.0", "1", "d", "127.0.0.1", ""}, 500},
        {{"1.1", "1", "d", "127.0.0.1", "", "NULL"}, 500},
        {{"", "1", "d", "127.0.0.1", "", "NULL"}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", ""}, 400},
        {{"1.0", "1", "d", "127.0.0.1", "", "FOO"}, 400},
        {{"1.0", "1", "d", "127.0.0.1", "", "null"}, 400},
        {{"1.0", "1", "d", "127.0.0.1", "", "NULL", ""}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", "PLAIN"}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", "PLAIN", "admin"}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", "PLAIN", "admin", "secret", ""}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", "CURVE"}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", "CURVE", "short"}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", "CURVE", "0123456789abcdef0123456789abcdefx"}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", "CURVE", "0123456789abcdef0123456789abcdef", ""}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", "GSSAPI"}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", "PLAIN", "a", "b", "c", "d", "e"}, 500},
        {{"1.0", "1", "d", "127.0.0.1", "", "CURVE", "0123456789abcdef0123456789abcdef"}, 200},
        {{"1.0", "1", "d", "127.0.0.1", "", "NULL"}, 200},
    };

    write_file("users", "admin=secret\n");
    ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
    ck_works(sifr_auth_curve(auth, NULL, SIFR_AUTH_ANY));
    ck_works(sifr_auth_log(auth, note_event, &logged));
    for (int i = 0; i < COUNT(cases); i++) {
        int before = events();

        send_parts_at(__LINE__, asker, cases[i].parts);
        ck_assert_msg(hear() == cases[i].status, "request %d: %d %s", i, said.status, said.text);
        if (said.status != 200)
            ck_assert_str_eq(said.user, "");
        eventually(events() == before + 1);
        ck_assert_int_eq(logged.status, cases[i].status);
    }
}
END_TEST

START_TEST(the_request_id_is_echoed)
{
    send_parts(asker, "1.0", "another id", "", "", "", "NULL");
    recv_parts(asker, "1.0", "another id", "200", "address is not denied", "", "");
}
END_TEST

/* ---- The log ------------------------------------------------------------------------------------------------- */

START_TEST(decisions_are_logged_with_all_that_was_asked)
{
    write_file("users", "admin=secret\n");
    ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
    ck_works(sifr_auth_curve(auth, NULL, SIFR_AUTH_ANY));
    ck_works(sifr_auth_log(auth, note_event, &logged));
    ask_plain("shop", "admin", "wrong");
    eventually(events() == 1);
    ck_assert_int_eq(logged.status, 400);
    ck_assert_str_eq(logged.mechanism, "PLAIN");
    ck_assert_str_eq(logged.domain, "shop");
    ck_assert_str_eq(logged.address, "127.0.0.1");
    ck_assert_str_eq(logged.user, "admin");
    ck_assert_str_eq(logged.reason, "wrong name or password");
    ck_assert_str_eq(said.text, logged.reason);
    ask_plain("shop", "admin", "secret");
    eventually(events() == 2);
    ck_assert_int_eq(logged.status, 200);
    ask_curve("shop", KEY1);
    eventually(events() == 3);
    ck_assert_str_eq(logged.user, KEY1);
    ck_assert_str_eq(logged.mechanism, "CURVE");
    ask_plain("d", "a\nb\x7f\xff\\\t", "x"); /* nobody forges a line of the log */
    eventually(events() == 4);
    ck_assert_str_eq(logged.user, "a\\x0ab\\x7f\\xff\\x5c\\x09");
    ck_works(sifr_auth_log(auth, NULL, NULL));
    ask_null("d", "");
    ask_null("d", "");
    ck_assert_int_eq(events(), 4);
    ck_works(sifr_auth_log(auth, note_event, &logged)); /* it may yet hear of the second of these, answered before */
    ask_null("e", "");
    eventually(last_is_of("e"));
}
END_TEST

START_TEST(files_that_change_are_logged)
{
    write_file("users", "admin=secret\n");
    ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
    ck_works(sifr_auth_log(auth, note_event, &logged));
    remove_file("users");
    eventually(ask_plain("", "admin", "secret") == 400);
    eventually(files_logged == 1);
    write_file("users", "admin=secret\n");
    eventually(ask_plain("", "admin", "secret") == 200);
    eventually(files_logged == 2);
}
END_TEST

/* What is called may change everything but the authenticator's life. */
static void change_all(const sifr_auth_event_t *e, void *arg)
{
    sifr_auth_t *mine = auth;
    _Atomic int *calls = arg;

    if (e->status == 0)
        return;
    errno = 0;
    if (sifr_auth_destroy(&mine) == -1 && errno == EDEADLK && sifr_auth_deny(auth, "d", "1.2.3.4") == 0 &&
        sifr_auth_curve(auth, NULL, SIFR_AUTH_ANY) == 0 && sifr_auth_reload(auth) == 0 &&
        sifr_auth_log(auth, change_all, arg) == 0 && sifr_auth_forget(auth, "x") == 0)
        atomic_fetch_add(calls, 1);
}

START_TEST(the_log_may_change_settings)
{
    _Atomic int calls = 0;

    ck_works(sifr_auth_log(auth, change_all, &calls));
    ask_null("d", "1.2.3.4");
    ck_assert_int_eq(said.status, 200);
    eventually(atomic_load(&calls) == 1);
    ck_assert_int_eq(ask_null("d", "1.2.3.4"), 400);
    ck_assert_int_eq(ask_curve("x", KEY1), 200);
    ck_works(sifr_auth_log(auth, NULL, NULL)); /* no call of it is under way any more */
    ck_assert_int_ge(calls, 2);
}
END_TEST

/* ---- Calls --------------------------------------------------------------------------------------------------- */

START_TEST(bad_arguments_are_refused)
{
    char name[258];
    struct path none = path_of("none");

    memset(name, 'x', sizeof name);
    name[256] = 0;
    write_file("users", "broken\n");
    ck_fails(sifr_auth_allow(auth, NULL, "x"), EINVAL);
    ck_fails(sifr_auth_allow(auth, NULL, NULL), EINVAL);
    ck_fails(sifr_auth_deny(auth, NULL, "1.2.3.4/33"), EINVAL);
    ck_fails(sifr_auth_allow(auth, name, "1.2.3.4"), EINVAL);
    ck_fails(sifr_auth_plain(auth, NULL, none.text), ENOENT);
    ck_fails(sifr_auth_plain(auth, NULL, path_of("users").text), EINVAL);
    ck_fails(sifr_auth_plain(auth, NULL, folder), EINVAL);
    ck_fails(sifr_auth_curve(auth, NULL, none.text), ENOENT);
    ck_fails(sifr_auth_curve(auth, NULL, path_of("users").text), ENOTDIR);
    ck_fails(sifr_auth_curve(auth, name, SIFR_AUTH_ANY), EINVAL);
    name[255] = 0;
    ck_works(sifr_auth_allow(auth, name, "1.2.3.4"));
    ck_assert_int_eq(ask_null("", "10.1.1.1"), 200); /* nothing has changed for others */
    ck_assert_int_eq(ask_curve("", KEY1), 400);
}
END_TEST

START_TEST(what_is_no_authenticator_gives_efault)
{
    char foreign[64] = {0};
    sifr_auth_t *not_one = (sifr_auth_t *)(void *)foreign, *stale = auth, *none = NULL;

    ck_works(sifr_auth_destroy(&auth));
    ck_assert_ptr_null(auth);
    for (int i = 0; i < 3; i++) {
        sifr_auth_t *a = i == 0 ? NULL : i == 1 ? not_one : stale, *copy = a;

        ck_fails(sifr_auth_allow(a, NULL, "1.2.3.4"), EFAULT);
        ck_fails(sifr_auth_deny(a, NULL, "1.2.3.4"), EFAULT);
        ck_fails(sifr_auth_plain(a, NULL, "x"), EFAULT);
        ck_fails(sifr_auth_curve(a, NULL, "x"), EFAULT);
        ck_fails(sifr_auth_forget(a, NULL), EFAULT);
        ck_fails(sifr_auth_reload(a), EFAULT);
        ck_fails(sifr_auth_log(a, NULL, NULL), EFAULT);
        ck_fails(sifr_auth_destroy(&copy), EFAULT);
    }
    ck_fails(sifr_auth_destroy(NULL), EFAULT);
    ck_fails(sifr_auth_destroy(&none), EFAULT);
    ck_fails_null(sifr_auth_new(NULL), EFAULT);
}
END_TEST

/* ---- Life ---------------------------------------------------------------------------------------------------- */

START_TEST(a_context_has_one_handler)
{
    sifr_socket_t *rep;

    ck_fails_null(sifr_auth_new(world.ctx), EADDRINUSE);
    ck_works(sifr_auth_destroy(&auth));
    rep = new_socket(SIFR_REP);
    ck_works(sifr_bind(rep, "inproc://zeromq.zap.01"));
    ck_fails_null(sifr_auth_new(world.ctx), EADDRINUSE);
    drop(rep);
    auth = sifr_auth_new(world.ctx);
    ck_assert_ptr_nonnull(auth);
}
END_TEST

START_TEST(many_come_and_go)
{
    for (int i = 0; i < 100; i++) {
        ck_works(sifr_auth_destroy(&auth));
        auth = sifr_auth_new(world.ctx);
        ck_assert_ptr_nonnull(auth);
        drop(asker);
        asker = new_socket(SIFR_REQ);
        ck_works(sifr_connect(asker, "inproc://zeromq.zap.01"));
        if (i % 2)
            ck_assert_int_eq(ask_null("", ""), 200);
    }
}
END_TEST

START_TEST(it_may_be_stopped_after_its_context)
{
    drop(asker);
    ck_works(sifr_ctx_term(world.ctx)); /* it does not hold that up */
    open_world();
    ck_works(sifr_auth_deny(auth, NULL, "1.2.3.4"));
    ck_works(sifr_auth_destroy(&auth));
    auth = sifr_auth_new(world.ctx);
    ck_assert_ptr_nonnull(auth);
    ck_works(sifr_ctx_shutdown(world.ctx));
    ck_fails_null(sifr_auth_new(world.ctx), SIFR_ETERM);
}
END_TEST

START_TEST(it_needs_one_socket)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *s;
    sifr_auth_t *a;

    ck_works(sifr_ctx_set(ctx, SIFR_MAX_SOCKETS, 1));
    s = sifr_socket(ctx, SIFR_PULL);
    ck_fails_null(sifr_auth_new(ctx), EMFILE);
    ck_works(sifr_close(s));
    a = sifr_auth_new(ctx);
    ck_assert_ptr_nonnull(a);
    ck_fails_null(sifr_socket(ctx, SIFR_PULL), EMFILE);
    ck_works(sifr_auth_destroy(&a));
    s = sifr_socket(ctx, SIFR_PULL);
    ck_assert_ptr_nonnull(s);
    ck_works(sifr_close(s));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(a_child_has_no_part_in_it)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        sifr_auth_t *copy = auth;

        alarm(WAIT_MS / 1000);
        if (sifr_auth_deny(auth, NULL, "1.2.3.4") != -1 || errno != EFAULT)
            _exit(1);
        if (sifr_auth_destroy(&copy) != -1 || errno != EFAULT)
            _exit(2);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(ask_null("", ""), 200);
}
END_TEST

static _Atomic int over;

static void *change_settings(void *arg)
{
    (void)arg;
    while (!over) {
        sifr_auth_allow(auth, "x", "1.2.3.4");
        sifr_auth_curve(auth, "x", folder);
        sifr_auth_plain(auth, "x", path_of("users").text);
        sifr_auth_reload(auth);
        sifr_auth_log(auth, note_event, &logged);
        sifr_auth_forget(auth, "x");
    }
    return NULL;
}

START_TEST(settings_may_change_while_it_decides)
{
    pthread_t threads[2];

    over = 0;
    write_file("users", "admin=secret\n");
    ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
    for (int i = 0; i < 2; i++)
        threads[i] = start_thread(change_settings, NULL);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(ask_plain("y", "admin", "secret"), 200);
        ask_plain("x", "admin", "secret");
    }
    over = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("security/auth");
    const struct {
        const char *name;
        const TTest *tests[12];
    } cases[] = {
        {"decisions",
         {without_settings_only_null_and_gssapi_come_in, addresses_are_allowed_and_denied,
          a_domain_allows_for_itself_and_denies_besides, addresses_count_for_every_mechanism,
          plain_users_come_from_a_file, curve_clients_come_from_a_directory, what_changes_is_noticed_and_can_be_asked_for,
          what_is_no_request_is_refused, the_request_id_is_echoed}},
        {"log", {decisions_are_logged_with_all_that_was_asked, files_that_change_are_logged, the_log_may_change_settings}},
        {"calls", {bad_arguments_are_refused, what_is_no_authenticator_gives_efault}},
        {"life",
         {a_context_has_one_handler, many_come_and_go, it_may_be_stopped_after_its_context, it_needs_one_socket,
          a_child_has_no_part_in_it, settings_may_change_while_it_decides}},
    };

    for (int i = 0; i < COUNT(cases); i++) {
        TCase *c = tcase_create(cases[i].name);

        tcase_set_timeout(c, CASE_SECONDS);
        tcase_add_checked_fixture(c, open_auth, close_auth);
        for (int k = 0; cases[i].tests[k]; k++)
            tcase_add_test(c, cases[i].tests[k]);
        suite_add_tcase(suite, c);
    }
    return run_suite(suite);
}
