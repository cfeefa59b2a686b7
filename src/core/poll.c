/* Waiting for several sockets and descriptors. */
#include "base/alloc.h"
#include "base/clock.h"
#include "core/lease.h"
#include "core/socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { FEW = 16 };

struct round {
    sifr_pollitem_t *items;
    int n;
    struct sf_bell bell;
    struct sf_watcher *watchers; /* one an item */
    struct pollfd *fds;          /* the descriptors, and behind them our eventfd */
    int n_fds;
    int wake_fd;
    int watching; /* how many watchers are in their sockets' lists */
};

static void watch(struct sifr_socket *s, struct sf_watcher *w)
{
    sf_lock_take(&s->watch_lock);
    sf_list_push(&s->watchers, &w->node);
    atomic_fetch_add(&s->n_watchers, 1);
    sf_lock_drop(&s->watch_lock);
}

static void unwatch(struct sifr_socket *s, struct sf_watcher *w)
{
    sf_lock_take(&s->watch_lock);
    sf_list_remove(&w->node);
    atomic_fetch_sub(&s->n_watchers, 1);
    sf_lock_drop(&s->watch_lock);
}

/* Asks each socket: how many items are ready, or -errno. */
static int ask_sockets(struct round *r)
{
    int ready = 0;

    for (int i = 0; i < r->n; i++) {
        sifr_pollitem_t *item = &r->items[i];
        int err, events;

        if (!item->socket)
            continue;
        item->revents = 0;
        err = sf_socket_enter(item->socket);
        if (err)
            return err;
        if (sf_direct_glance(item->socket))
            sf_socket_take_in(item->socket);
        events = sf_socket_events(item->socket);
        sf_socket_leave(item->socket);
        item->revents = (short)(events & item->events);
        ready += item->revents != 0;
    }
    return ready;
}

static int set_up(struct round *r, struct sf_watcher *few, struct pollfd *few_fds)
{
    r->watchers = few;
    r->fds = few_fds;
    if (r->n > FEW) {
        r->watchers = sf_alloc((size_t)r->n * sizeof *r->watchers);
        r->fds = sf_alloc(((size_t)r->n + 1) * sizeof *r->fds);
        if (!r->watchers || !r->fds)
            return -ENOMEM;
    }
    for (int i = 0; i < r->n; i++) {
        const sifr_pollitem_t *item = &r->items[i];
        struct pollfd *f = &r->fds[r->n_fds];

        if (item->socket)
            continue;
        f->fd = item->fd;
        f->events = (short)((item->events & SIFR_POLLIN ? POLLIN : 0) |
                            (item->events & SIFR_POLLOUT ? POLLOUT : 0) |
                            (item->events & SIFR_POLLPRI ? POLLPRI : 0));
        f->revents = 0;
        r->n_fds++;
    }
    return 0;
}

static void tear_down(struct round *r, const struct sf_watcher *few, const struct pollfd *few_fds)
{
    for (int i = 0; i < r->watching; i++)
        if (r->items[i].socket)
            unwatch(r->items[i].socket, &r->watchers[i]);
    if (r->wake_fd >= 0)
        close(r->wake_fd);
    if (r->watchers != few)
        sf_free(r->watchers);
    if (r->fds != few_fds)
        sf_free(r->fds);
}

/* From now on the sockets wake us. 0 or -errno. */
static int start_watching(struct round *r)
{
    bool sockets = false;

    for (int i = 0; i < r->n; i++)
        sockets |= r->items[i].socket != NULL;
    if (r->n_fds && sockets) {
        r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (r->wake_fd < 0)
            return -EMFILE;
        r->fds[r->n_fds] = (struct pollfd){.fd = r->wake_fd, .events = POLLIN};
    }
    for (int i = 0; i < r->n; i++, r->watching++) {
        sifr_socket_t *s = r->items[i].socket;
        struct sf_watcher *w = &r->watchers[i];

        if (!s)
            continue;
        sf_list_init(&w->node);
        w->bell = &r->bell;
        w->fd = r->wake_fd;
        watch(s, w);
    }
    return 0;
}

/* Looks at the descriptors, waiting up to `ms`: how many items are ready, or -errno. */
static int ask_descriptors(struct round *r, int ms)
{
    int n = r->n_fds + (r->wake_fd >= 0), ready = 0, at = 0;

    if (n == 0)
        return 0;
    if (poll(r->fds, (nfds_t)n, ms) < 0)
        return errno == EINTR ? -EINTR : -EINVAL;
    for (int i = 0; i < r->n; i++) {
        sifr_pollitem_t *item = &r->items[i];
        short got;

        if (item->socket)
            continue;
        got = r->fds[at++].revents;
        item->revents = (short)((got & POLLIN ? SIFR_POLLIN : 0) |
                                (got & POLLOUT ? SIFR_POLLOUT : 0) |
                                (got & POLLPRI ? SIFR_POLLPRI : 0) |
                                (got & (POLLERR | POLLHUP | POLLNVAL) ? SIFR_POLLERR : 0));
        ready += item->revents != 0;
    }
    if (r->wake_fd >= 0 && (r->fds[r->n_fds].revents & POLLIN)) {
        uint64_t count;
        ssize_t got = read(r->wake_fd, &count, sizeof count);

        (void)got;
    }
    return ready;
}

static int left_ms(uint64_t deadline)
{
    uint64_t now;

    if (deadline == UINT64_MAX)
        return 3600 * 1000;
    now = sf_clock_ms();
    if (now >= deadline)
        return 0;
    return deadline - now > 3600 * 1000 ? 3600 * 1000 : (int)(deadline - now);
}

/* One look at everything, without waiting. */
static int ask(struct round *r)
{
    int sockets = ask_sockets(r), fds;

    if (sockets < 0)
        return sockets;
    fds = ask_descriptors(r, 0);
    return fds < 0 ? fds : sockets + fds;
}

static int wait_round(struct round *r, uint64_t deadline)
{
    for (;;) {
        uint32_t ticket = sf_bell_enter(&r->bell);
        int n = ask(r), err = 0, ms = left_ms(deadline);

        if (n == 0 && (ms > 0 || deadline == UINT64_MAX)) {
            if (r->n_fds)
                err = ask_descriptors(r, ms);
            else
                err = sf_bell_wait(&r->bell, ticket, ms);
        }
        sf_bell_leave(&r->bell);
        if (n)
            return n;
        if (err < 0 && err != -EAGAIN)
            return err;
        if (err <= 0 && left_ms(deadline) == 0)
            return ask(r);
    }
}

static int poll_items(sifr_pollitem_t *items, int n, long timeout)
{
    struct sf_watcher few[FEW];
    struct pollfd few_fds[FEW + 1];
    struct round r = {.items = items, .n = n, .wake_fd = -1};
    uint64_t deadline = timeout < 0 ? UINT64_MAX : sf_clock_ms() + (uint64_t)timeout;
    int result;

    for (int i = 0; i < n; i++) {
        result = items[i].socket ? sf_socket_check(items[i].socket) : 0;
        if (result)
            return result;
    }
    result = set_up(&r, few, few_fds);
    if (result == 0)
        result = ask(&r);
    if (result == 0 && timeout != 0) {
        result = start_watching(&r);
        if (result == 0)
            result = wait_round(&r, deadline);
    }
    tear_down(&r, few, few_fds);
    return result;
}

int sifr_poll(sifr_pollitem_t *items, int n, long timeout)
{
    int result = -EINVAL;

    if (n >= 0)
        result = n && !items ? -EFAULT : poll_items(items, n, timeout);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}
