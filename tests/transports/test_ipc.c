/* ipc:// endpoints, listeners and streams. */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "streams.h"

static struct sf_stream_options o;
static char dir[64], path[128]; /* path: "ipc://" and a fresh name in dir */

/* A fresh directory is the working directory and TMPDIR. */
static void begin(void)
{
    sf_stream_options_init(&o);
    strcpy(dir, "/tmp/sifr-ipc-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(setenv("TMPDIR", dir, 1), 0);
    snprintf(path, sizeof path, "ipc://%s/s", dir);
}

static void end(void)
{
    unlink(path + 6);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing else is left in it */
}

START_TEST(endpoints_have_their_limits)
{
    char text[200];
    struct sf_endpoint e;

    memset(text, 'a', sizeof text);
    memcpy(text, "ipc://", 6);
    text[6 + 107] = 0;
    ck_assert_int_eq(sf_endpoint_parse(&e, text, true), 0);
    sf_endpoint_fini(&e);
    text[6 + 107] = 'a';
    text[6 + 108] = 0;
    ck_assert_int_eq(sf_endpoint_parse(&e, text, true), -ENAMETOOLONG);
    ck_assert_int_eq(sf_endpoint_parse(&e, text, false), -ENAMETOOLONG);
    ck_assert_int_eq(sf_endpoint_parse(&e, "ipc://@", true), -EINVAL);
    ck_assert_int_eq(sf_endpoint_parse(&e, "ipc://", true), -EINVAL);
}
END_TEST

static void converse(struct sf_acceptor *a)
{
    char expected[64], got[SF_STREAM_NAME_MAX], local[SF_STREAM_NAME_MAX];
    struct sf_stream *near, *far;

    ck_assert_int_eq(test_dial(a->text, &o, &near), 0);
    far = test_accept(a, &o);
    ck_assert_int_eq(test_open(near), 0);
    snprintf(expected, sizeof expected, "localhost:%u:%u:%d", (unsigned)getuid(),
             (unsigned)getgid(), (int)getpid());
    ck_assert_int_eq(far->ops->peer_address(far, got, sizeof got), 0);
    ck_assert_str_eq(got, expected);
    ck_assert_int_eq(near->ops->names(near, local, got, sizeof got), 0);
    ck_assert_str_eq(got, a->text);
    ck_assert_str_eq(local, "");
    test_talk(near, far);
}

START_TEST(a_path_carries_bytes_and_stays_after_close)
{
    struct sf_acceptor *a;
    struct stat st;

    begin();
    for (int i = 0; i < 2; i++) { /* the second time over the file of the first */
        a = test_listen(path, &o);
        ck_assert_str_eq(a->text, path);
        converse(a);
        a->transport->close(a);
        ck_assert_int_eq(stat(path + 6, &st), 0);
    }
    end();
}
END_TEST

START_TEST(an_abstract_name_has_its_exact_length)
{
    struct sockaddr_un un;
    socklen_t len = sizeof un;
    struct sf_acceptor *a;
    char text[64];

    begin();
    snprintf(text, sizeof text, "ipc://@sifr-%d", (int)getpid());
    a = test_listen(text, &o);
    ck_assert_int_eq(getsockname(a->fd, (struct sockaddr *)&un, &len), 0);
    ck_assert_uint_eq(len, offsetof(struct sockaddr_un, sun_path) + strlen(text) - 6);
    converse(a);
    ck_assert_int_eq(test_try_listen(text, &o), -EADDRINUSE);
    a->transport->close(a);
    end();
}
END_TEST

START_TEST(a_wildcard_makes_a_directory_and_removes_it)
{
    struct sf_acceptor *a;
    struct stat st;
    int status;
    pid_t pid;

    begin();
    a = test_listen("ipc://*", &o);
    ck_assert_int_eq(strncmp(a->text + 6, dir, strlen(dir)), 0);
    ck_assert_str_eq(strrchr(a->text, '/'), "/socket");
    pid = fork();
    if (pid == 0) {
        a->transport->close(a); /* of the child alone */
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(stat(a->text + 6, &st), 0);
    converse(a);
    a->transport->close(a);
    end();
}
END_TEST

START_TEST(failures_have_their_reason)
{
    struct sf_stream *s;
    char text[128];

    begin();
    ck_assert_int_eq(test_dial(path, &o, &s), -ENOENT);
    snprintf(text, sizeof text, "ipc://%s/no/such", dir);
    ck_assert_int_eq(test_try_listen(text, &o), -ENOENT);
    end();
}
END_TEST

START_TEST(filters_let_in_whom_they_name)
{
    uid_t uids[] = {getuid() + 1, getuid()};
    gid_t gids[] = {getgid() + 77777, getgid()};
    pid_t pids[] = {getpid() + 1, getpid()};
    struct sf_stream *near, *far;
    struct sf_acceptor *a;

    begin();
    o.uids = uids;
    o.gids = gids;
    o.pids = pids;
    a = test_listen(path, &o);
    for (size_t kind = 0; kind < 3; kind++)
        for (size_t n = 1; n <= 2; n++) {
            o.n_uids = kind == 0 ? n : 0;
            o.n_gids = kind == 1 ? n : 0;
            o.n_pids = kind == 2 ? n : 0;
            ck_assert_int_eq(test_dial(path, &o, &near), 0);
            test_await(a->fd, SF_READ);
            ck_assert_int_eq(a->transport->accept(a, &o, &far), n == 1 ? -ECONNABORTED : 0);
            if (n == 1) {
                ck_assert_str_eq(test_read(near), "");
                near->ops->close(near);
            } else {
                test_talk(near, far);
            }
        }
    a->transport->close(a);
    end();
}
END_TEST

START_TEST(a_full_listener_is_not_one_that_refuses)
{
    struct sf_stream *list[16];
    struct sf_acceptor *a;
    int n = 0, err = 0;

    begin();
    o.backlog = 1;
    a = test_listen(path, &o);
    while (n < 16 && (err = test_dial(path, &o, &list[n])) == 0)
        n++;
    ck_assert_int_eq(err, -ETIMEDOUT);
    while (n > 0) {
        n--;
        list[n]->ops->close(list[n]);
    }
    a->transport->close(a);
    end();
}
END_TEST

static void fill(TCase *tc)
{
    tcase_add_test(tc, endpoints_have_their_limits);
    tcase_add_test(tc, a_path_carries_bytes_and_stays_after_close);
    tcase_add_test(tc, an_abstract_name_has_its_exact_length);
    tcase_add_test(tc, a_wildcard_makes_a_directory_and_removes_it);
    tcase_add_test(tc, failures_have_their_reason);
    tcase_add_test(tc, filters_let_in_whom_they_name);
    tcase_add_test(tc, a_full_listener_is_not_one_that_refuses);
}

int main(void)
{
    return test_main("ipc", fill);
}
