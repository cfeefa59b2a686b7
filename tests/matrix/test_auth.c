/* The authenticator, which sifr.h has alone: what its calls fail with. */
#include "matrix.h"
#include "security/folder.h"

#include <stdarg.h>
#include <stdatomic.h>

#define KEY "}l/iX1ASmzR{hhHs7*M:+egJ]Pf7J{q1a&4Gu!rX"

static sifr_auth_t *auth;
static sifr_socket_t *asker;
static char long_name[257]; /* of a domain; too long by one */

/* ---- Whether it decides as before ------------------------------------------------------------ */

static void ask(const char *domain, const char *name, const char *status)
{
    sifr_msg_t part;

    send_parts(asker, "1.0", "1", domain, "10.0.0.1", "", "PLAIN", name, "secret");
    sifr_msg_init(&part);
    for (int i = 0; i == 0 || sifr_msg_more(&part); i++) {
        ck_assert_int_ge(sifr_msg_recv(&part, asker, 0), 0);
        if (i == 2)
            ck_assert_mem_eq(sifr_msg_data(&part), status, 3);
    }
    ck_works(sifr_msg_close(&part));
}

/* It knows one user, and nobody is allowed or denied. */
static void it_decides(void)
{
    ask("", "admin", "200");
    ask("d", "admin", "200");
    ask("", "bob", "400");
}

static void open_auth(void)
{
    open_world();
    open_folder();
    ck_works(chmod(folder, 0755)); /* other users are to find the file */
    write_file("users", "admin=secret\n");
    memset(long_name, 'x', sizeof long_name - 1);
    ck_assert_ptr_nonnull(auth = sifr_auth_new(world.ctx));
    ck_works(sifr_auth_plain(auth, NULL, path_of("users").text));
    asker = new_socket(SIFR_REQ);
    ck_works(sifr_connect(asker, "inproc://zeromq.zap.01"));
    it_decides();
    matrix.unharmed = it_decides;
}

static void close_auth(void)
{
    ck_works(sifr_auth_destroy(&auth));
    close_folder();
    close_world();
}

/* ---- Files that cannot be opened ------------------------------------------------------------- */

static _Thread_local bool no_files; /* the system has no room for another one, for this thread */

SEEN_BY_ALL int openat(int dir, const char *path, int flags, ...)
{
    int mode;
    va_list rest;

    va_start(rest, flags);
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
    va_end(rest);
    if (no_files) {
        errno = ENFILE;
        return -1;
    }
    return (int)syscall(SYS_openat, dir, path, flags, mode);
}

SEEN_BY_ALL int open(const char *path, int flags, ...)
{
    int mode;
    va_list rest;

    va_start(rest, flags);
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
    va_end(rest);
    return openat(AT_FDCWD, path, flags, mode);
}

/* Root may read everything: all threads become somebody else, until they are root again. */
enum { SOMEBODY = 65534 };

static bool was_root;

static void leave_root(void)
{
    was_root = geteuid() == 0;
    if (was_root)
        ck_works(seteuid(SOMEBODY));
}

static void become_root(void)
{
    if (was_root)
        ck_works(seteuid(0));
}

static void shut(const char *name)
{
    ck_works(chmod(path_of(name).text, 0));
}

START_TEST(a_file_that_is_not_there)
{
    fails(ENOENT, auth_plain, auth, NULL, path_of("none").text);
    fails(ENOENT, auth_plain, auth, NULL, "");
    fails(ENOENT, auth_curve, auth, NULL, path_of("none").text);
    matrix.unharmed = NULL;
    remove_file("users");
    fails(ENOENT, auth_reload, auth);
    ask("", "admin", "400");
}
END_TEST

START_TEST(a_file_that_is_no_directory)
{
    struct path certs = path_of("certs");

    fails(ENOTDIR, auth_curve, auth, NULL, path_of("users").text);
    ck_works(mkdir(certs.text, 0755));
    ck_works(sifr_auth_curve(auth, NULL, certs.text));
    ck_works(rmdir(certs.text));
    write_file("certs", "");
    fails(ENOTDIR, auth_reload, auth);
}
END_TEST

START_TEST(a_file_that_is_others)
{
    struct path certs = path_of("certs");

    write_file("others", "bob=secret\n");
    shut("others");
    ck_works(mkdir(certs.text, 0755));
    ck_works(sifr_auth_curve(auth, NULL, certs.text));
    ck_works(chmod(certs.text, 0));
    leave_root();
    fails(EACCES, auth_plain, auth, NULL, path_of("others").text);
    fails(EACCES, auth_curve, auth, NULL, certs.text);
    fails(EACCES, auth_reload, auth);
    become_root();
    matrix.unharmed = NULL;
    shut("users");
    leave_root();
    fails(EACCES, auth_reload, auth);
    ask("", "admin", "400");
    become_root();
    ck_works(rmdir(certs.text));
}
END_TEST

START_TEST(no_descriptor_for_a_file)
{
    ck_works(sifr_auth_curve(auth, NULL, folder));
    take_descriptors();
    fails(EMFILE, auth_plain, auth, NULL, path_of("users").text);
    fails(EMFILE, auth_curve, auth, NULL, folder);
    fails(EMFILE, auth_reload, auth);
    give_descriptors();
    ck_works(sifr_auth_reload(auth));
}
END_TEST

START_TEST(a_system_without_descriptors)
{
    ck_works(sifr_auth_curve(auth, NULL, folder));
    no_files = true;
    fails(ENFILE, auth_plain, auth, NULL, path_of("users").text);
    fails(ENFILE, auth_curve, auth, NULL, folder);
    fails(ENFILE, auth_reload, auth);
    no_files = false;
    ck_works(sifr_auth_reload(auth));
}
END_TEST

/* ---- What files say -------------------------------------------------------------------------- */

static const char *const broken[] = {
    "admin",     "=secret", " =secret", "admin=secret\n\n#\nbob", "admin=secret\nadmin=other\n",
    "bob=secret" /* and more, below */
};

START_TEST(a_file_that_is_no_list_of_users)
{
    char text[300] = "";

    if (_i + 1 == COUNT(broken))
        memset(text, 'x', 256);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s", broken[_i]);
    write_file("broken", text);
    fails(EINVAL, auth_plain, auth, NULL, path_of("broken").text);
    matrix.unharmed = NULL;
    write_file("users", text);
    fails(EINVAL, auth_reload, auth);
    ask("", "admin", "400");
}
END_TEST

START_TEST(what_is_no_file_of_users)
{
    struct path large = path_of("large");

    fails(EINVAL, auth_plain, auth, NULL, folder);
    fails(EINVAL, auth_plain, auth, NULL, "/dev/null");
    write_file("large", "");
    ck_works(truncate(large.text, (64 << 20) + 1));
    fails(EINVAL, auth_plain, auth, NULL, large.text);
}
END_TEST

/* ---- Other arguments ------------------------------------------------------------------------- */

START_TEST(what_is_no_authenticator)
{
    sifr_auth_t *h, *before;

    if (_i < FOREIGN) {
        h = foreign(_i, world.ctx);
    } else {
        sifr_ctx_t *ctx = sifr_ctx_new();

        ck_assert_ptr_nonnull(h = before = sifr_auth_new(ctx));
        ck_works(sifr_auth_destroy(&h));
        ck_works(sifr_ctx_term(ctx));
        h = before;
    }
    before = h;
    fails(EFAULT, auth_allow, h, NULL, "10.0.0.1");
    fails(EFAULT, auth_deny, h, NULL, "10.0.0.1");
    fails(EFAULT, auth_plain, h, NULL, NULL);
    fails(EFAULT, auth_curve, h, NULL, SIFR_AUTH_ANY);
    fails(EFAULT, auth_forget, h, NULL);
    fails(EFAULT, auth_reload, h);
    fails(EFAULT, auth_log, h, NULL, NULL);
    fails(EFAULT, auth_destroy, &h);
    ck_assert_ptr_eq(h, before);
    if (_i < FOREIGN)
        fails(EFAULT, auth_new, foreign(_i, auth));
}
END_TEST

START_TEST(an_authenticator_that_is_null)
{
    fails(EFAULT, auth_destroy, NULL);
}
END_TEST

START_TEST(an_authenticator_of_the_parent)
{
    pid_t child = fork();
    int status;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        matrix.grandchild = true;
        matrix.unharmed = NULL;
        alarm(WAIT_MS / 1000);
        fails(EFAULT, auth_deny, auth, NULL, "10.0.0.1");
        fails(EFAULT, auth_forget, auth, NULL);
        fails(EFAULT, auth_destroy, &auth);
        fails(ETERM, auth_new, world.ctx);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    it_decides();
}
END_TEST

static const char *const addresses[] = {"",          "x",         "10.0.0",      "10.0.0.0/33",
                                        "10.0.0.0/", "10.0.0.1 ", "10.0.0.256",  "fe80::/129",
                                        "fe80::/x",  "fe80:::1",  "localhost/8", "10.0.0.0/-1"};

START_TEST(an_address_that_is_none)
{
    fails(EINVAL, auth_allow, auth, NULL, addresses[_i]);
    fails(EINVAL, auth_deny, auth, NULL, addresses[_i]);
}
END_TEST

START_TEST(an_address_that_is_null)
{
    fails(EINVAL, auth_allow, auth, NULL, NULL);
    fails(EINVAL, auth_deny, auth, NULL, NULL);
}
END_TEST

START_TEST(a_domain_of_too_long_a_name)
{
    fails(EINVAL, auth_allow, auth, long_name, "10.0.0.1");
    fails(EINVAL, auth_deny, auth, long_name, "10.0.0.1");
    fails(EINVAL, auth_plain, auth, long_name, path_of("users").text);
    fails(EINVAL, auth_plain, auth, long_name, NULL);
    fails(EINVAL, auth_curve, auth, long_name, folder);
    fails(EINVAL, auth_curve, auth, long_name, SIFR_AUTH_ANY);
    ck_works(sifr_auth_deny(auth, long_name + 1, "10.0.0.1"));
    ask(long_name + 1, "admin", "400");
    it_decides();
}
END_TEST

/* ---- Where there is none to be --------------------------------------------------------------- */

START_TEST(a_context_that_has_a_handler)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *rep = sifr_socket(ctx, SIFR_REP);
    sifr_auth_t *a;

    fails(EADDRINUSE, auth_new, world.ctx);
    ck_works(sifr_bind(rep, "inproc://zeromq.zap.01"));
    fails(EADDRINUSE, auth_new, ctx);
    ck_works(sifr_close(rep));
    ck_assert_ptr_nonnull(a = sifr_auth_new(ctx));
    ck_works(sifr_auth_destroy(&a));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(a_context_without_room)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *s;
    sifr_auth_t *a;

    ck_works(sifr_ctx_set(ctx, SIFR_MAX_SOCKETS, 1));
    ck_assert_ptr_nonnull(s = sifr_socket(ctx, SIFR_PULL));
    fails(EMFILE, auth_new, ctx);
    ck_works(sifr_close(s));
    ck_assert_ptr_nonnull(a = sifr_auth_new(ctx));
    ck_works(sifr_auth_destroy(&a));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(no_descriptor_for_an_authenticator)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_auth_t *a;

    take_descriptors();
    fails(EMFILE, auth_new, ctx);
    give_descriptors();
    ck_assert_ptr_nonnull(a = sifr_auth_new(ctx));
    ck_works(sifr_auth_destroy(&a));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(a_context_that_ends)
{
    sifr_ctx_t *ctx = sifr_ctx_new();

    ck_works(sifr_ctx_shutdown(ctx));
    fails(ETERM, auth_new, ctx);
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

/* ---- Its own thread -------------------------------------------------------------------------- */

static _Atomic int told;

static void end_it(const sifr_auth_event_t *event, void *arg)
{
    sifr_auth_t *mine = auth;

    ck_assert_ptr_eq(arg, &told);
    if (event->status == 0)
        return;
    fails(EDEADLK, auth_destroy, &mine);
    ck_assert_ptr_eq(mine, auth);
    told++;
}

START_TEST(an_end_from_inside)
{
    matrix.unharmed = NULL; /* it cannot answer while it is called */
    ck_works(sifr_auth_log(auth, end_it, &told));
    it_decides();
    eventually(told >= 3); /* or 4: what was answered before may be told only now */
    ck_works(sifr_auth_log(auth, NULL, NULL));
    it_decides();
}
END_TEST

/* ---- Memory ---------------------------------------------------------------------------------- */

START_TEST(no_memory_for_an_authenticator)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_auth_t *a;

    runs_short(a, , auth_new, ctx);
    ck_works(sifr_auth_destroy(&a));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(no_memory_for_an_address)
{
    int err;

    runs_short(err, , auth_allow, auth, "d", "10.0.0.1");
    ck_assert_int_eq(err, 0);
    runs_short(err, , auth_deny, auth, "e", "10.0.0.1");
    ck_assert_int_eq(err, 0);
    it_decides();
    ask("e", "admin", "400");
}
END_TEST

START_TEST(no_memory_for_what_files_say)
{
    int err;

    write_file("others", "bob=secret\nadmin=other\n");
    write_cert("one", KEY);
    runs_short(err, , auth_plain, auth, "e", path_of("others").text);
    ck_assert_int_eq(err, 0);
    runs_short(err, , auth_curve, auth, "e", folder);
    ck_assert_int_eq(err, 0);
    runs_short(err, , auth_reload, auth);
    ck_assert_int_eq(err, 0);
    it_decides();
    ask("e", "bob", "200");
    ask("e", "admin", "400");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/auth");
    TCase *c = tcase_create("files");

    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_auth, close_auth);
    suite_add_tcase(s, c);
    add(c, a_file_that_is_not_there);
    add(c, a_file_that_is_no_directory);
    add(c, a_file_that_is_others);
    add(c, no_descriptor_for_a_file);
    add(c, a_system_without_descriptors);
    add_loop(c, a_file_that_is_no_list_of_users, 0, COUNT(broken));
    add(c, what_is_no_file_of_users);
    add_loop(c, what_is_no_authenticator, 0, FOREIGN + 1);
    add(c, an_authenticator_that_is_null);
    add(c, an_authenticator_of_the_parent);
    add_loop(c, an_address_that_is_none, 0, COUNT(addresses));
    add(c, an_address_that_is_null);
    add(c, a_domain_of_too_long_a_name);
    add(c, a_context_that_has_a_handler);
    add(c, a_context_without_room);
    add(c, no_descriptor_for_an_authenticator);
    add(c, a_context_that_ends);
    add(c, an_end_from_inside);
    add(c, no_memory_for_an_authenticator);
    add(c, no_memory_for_an_address);
    add(c, no_memory_for_what_files_say);
    return run_matrix(s);
}
