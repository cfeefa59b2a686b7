/* The poller over Linux's epoll: the kernel keeps the set. */
#include "io/poller.h"

#ifdef __linux__

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

enum { BATCH = 64 };

struct sf_poller {
    int fd; /* owns */
    struct epoll_event events[BATCH];
};

static int epoll_open(struct sf_poller **out)
{
    struct sf_poller *p = sf_alloc(sizeof *p);
    int err;

    if (!p)
        return -ENOMEM;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->fd < 0) {
        err = -errno;
        sf_free(p);
        return err;
    }
    *out = p;
    return 0;
}

static void epoll_close(struct sf_poller *p)
{
    if (!p)
        return;
    close(p->fd);
    sf_free(p);
}

static int epoll_set(struct sf_poller *p, struct sf_watch *w, unsigned want)
{
    struct epoll_event ev = {0};
    int op = !want ? EPOLL_CTL_DEL : w->want ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (want == w->want)
        return 0;
    ev.events = (want & SF_READ ? EPOLLIN : 0u) | (want & SF_WRITE ? EPOLLOUT : 0u);
    ev.data.ptr = w;
    if (epoll_ctl(p->fd, op, w->fd, &ev) == 0 || op == EPOLL_CTL_DEL)
        return 0;
    return errno == ENOSPC ? -ENOMEM : -errno; /* ENOSPC: the user's limit of watches */
}

/* Waits for the set as for one descriptor, which knows of finer time. Whether it is worth a look. */
static bool wait_finely(struct sf_poller *p, int64_t us)
{
    struct pollfd set = {.fd = p->fd, .events = POLLIN};
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    return ppoll(&set, 1, &t, NULL) != 0;
}

static int epoll_wait_ready(struct sf_poller *p, int64_t timeout_us, struct sf_ready *to, int room)
{
    int n, timeout_ms;

    if (timeout_us > 0 && timeout_us % 1000) {
        if (!wait_finely(p, timeout_us))
            return 0;
        timeout_us = 0;
    }
    timeout_ms = timeout_us < 0 ? -1 : timeout_us / 1000 > INT_MAX ? INT_MAX : (int)(timeout_us / 1000);
    n = epoll_wait(p->fd, p->events, room < BATCH ? room : BATCH, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        uint32_t got = p->events[i].events;

        to[i].watch = p->events[i].data.ptr;
        to[i].events = (got & EPOLLIN ? SF_READ : 0u) | (got & EPOLLOUT ? SF_WRITE : 0u) |
                       (got & (EPOLLHUP | EPOLLERR) ? SF_HUP : 0u);
    }
    return n;
}

extern const struct sf_poller_ops sf_poller_epoll;
const struct sf_poller_ops sf_poller_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .set = epoll_set,
    .wait = epoll_wait_ready,
};

#else
typedef int sf_poller_epoll_absent; /* an empty file is no C */
#endif
