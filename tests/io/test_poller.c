/* Each poller backend keeps the same contract. */
#include "io/poller.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "on_loop.h"

static const enum sf_poller_kind kinds[] = {SF_POLLER_EPOLL, SF_POLLER_POLL};

static const struct sf_poller_ops *ops;
static struct sf_poller *poller;

static void begin(int i)
{
    ops = sf_poller_find(kinds[i]);
    ck_assert_ptr_nonnull(ops);
    ck_assert_int_eq(ops->open(&poller), 0);
}

static void set(struct sf_watch *w, unsigned want)
{
    ck_assert_int_eq(ops->set(poller, w, want), 0);
    w->want = want;
}

START_TEST(it_reports_what_is_wanted_and_ready)
{
    struct sf_ready r[4];
    struct sf_watch w = {0};
    int fds[2];

    begin(_i);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    w.fd = fds[0];
    set(&w, SF_READ);
    ck_assert_int_eq(ops->wait(poller, 0, r, 4), 0);
    set(&w, SF_READ | SF_WRITE);
    ck_assert_int_eq(ops->wait(poller, 0, r, 4), 1);
    ck_assert_ptr_eq(r[0].watch, &w);
    ck_assert_uint_eq(r[0].events, SF_WRITE);
    ck_assert_int_eq((int)write(fds[1], "x", 1), 1);
    ck_assert_int_eq(ops->wait(poller, -1, r, 4), 1);
    ck_assert_uint_eq(r[0].events, SF_READ | SF_WRITE);
    close(fds[1]);
    ck_assert_int_eq(ops->wait(poller, -1, r, 4), 1);
    ck_assert(r[0].events & SF_HUP);
    set(&w, 0);
    ck_assert_int_eq(ops->wait(poller, 0, r, 4), 0);
    close(fds[0]);
    ops->close(poller);
}
END_TEST

START_TEST(none_starves_when_room_is_short)
{
    enum { N = 40 };
    struct sf_watch w[N];
    struct sf_ready r[3];
    int seen[N] = {0}, fds[N][2];

    begin(_i);
    memset(w, 0, sizeof w);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]), 0);
        w[i].fd = fds[i][0];
        set(&w[i], SF_WRITE);
    }
    for (int turn = 0; turn < 2 * N; turn++) {
        int n = ops->wait(poller, 0, r, 3);

        ck_assert_int_eq(n, 3);
        for (int i = 0; i < n; i++)
            seen[r[i].watch - w]++;
    }
    for (int i = 0; i < N; i++)
        ck_assert_int_gt(seen[i], 0);
    for (int i = 0; i < N; i += 2) /* the rest moves up */
        set(&w[i], 0);
    for (int turn = 0; turn < N; turn++) {
        int n = ops->wait(poller, 0, r, 3);

        for (int i = 0; i < n; i++)
            ck_assert_int_eq((int)(r[i].watch - w) % 2, 1);
    }
    for (int i = 0; i < N; i++) {
        set(&w[i], 0);
        close(fds[i][0]);
        close(fds[i][1]);
    }
    ops->close(poller);
}
END_TEST

START_TEST(a_closed_descriptor_is_refused)
{
    struct sf_watch w = {.fd = -1};

    begin(_i);
    ck_assert_int_eq(ops->set(poller, &w, SF_READ), -EBADF);
    ops->close(poller);
}
END_TEST

static void fill(TCase *tc)
{
    tcase_add_loop_test(tc, it_reports_what_is_wanted_and_ready, 0, 2);
    tcase_add_loop_test(tc, none_starves_when_room_is_short, 0, 2);
    tcase_add_loop_test(tc, a_closed_descriptor_is_refused, 0, 2);
}

int main(void)
{
    return test_main("poller", fill);
}
