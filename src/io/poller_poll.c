/* The poller over poll(2), for systems without a better one: the set is an array. */
#include "io/poller.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <stddef.h>

#include "base/alloc.h"

/* Entry i of both arrays is the watch whose `place` is i. */
struct sf_poller {
    struct pollfd *fds;       /* owns */
    struct sf_watch **watches; /* owns */
    int n, room;              /* n <= room */
    int next;                 /* where the next search for ready ones starts, so that none starves */
};

static int poll_open(struct sf_poller **out)
{
    struct sf_poller *p = sf_alloc(sizeof *p);

    if (!p)
        return -ENOMEM;
    *out = p;
    return 0;
}

static void poll_close(struct sf_poller *p)
{
    if (!p)
        return;
    sf_free(p->fds);
    sf_free(p->watches);
    sf_free(p);
}

static int grow(struct sf_poller *p)
{
    int room = p->room ? p->room * 2 : 16;
    struct sf_watch **watches;
    struct pollfd *fds;

    fds = sf_realloc(p->fds, (size_t)room * sizeof *fds);
    if (!fds)
        return -ENOMEM;
    p->fds = fds;
    watches = sf_realloc(p->watches, (size_t)room * sizeof(struct sf_watch *));
    if (!watches)
        return -ENOMEM; /* `fds` is larger than `room` says, which harms nothing */
    p->watches = watches;
    p->room = room;
    return 0;
}

static int poll_set(struct sf_poller *p, struct sf_watch *w, unsigned want)
{
    if (want == w->want)
        return 0;
    if (!want) {
        p->n--;
        p->fds[w->place] = p->fds[p->n];
        p->watches[w->place] = p->watches[p->n];
        p->watches[w->place]->place = w->place;
        return 0;
    }
    if (!w->want) {
        if (w->fd < 0)
            return -EBADF;
        if (p->n == p->room && grow(p))
            return -ENOMEM;
        w->place = p->n++;
        p->watches[w->place] = w;
        p->fds[w->place].fd = w->fd;
    }
    p->fds[w->place].events =
        (short)((want & SF_READ ? POLLIN : 0) | (want & SF_WRITE ? POLLOUT : 0));
    return 0;
}

static int poll_wait(struct sf_poller *p, int64_t timeout_us, struct sf_ready *to, int room)
{
    struct timespec t = {.tv_sec = timeout_us / 1000000, .tv_nsec = timeout_us % 1000000 * 1000};
    int left = ppoll(p->fds, (nfds_t)p->n, timeout_us < 0 ? NULL : &t, NULL);
    int n = 0, at = p->next < p->n ? p->next : 0;

    if (left < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    for (int seen = 0; seen < p->n && left > 0 && n < room; seen++) {
        short got = p->fds[at].revents;

        if (got) {
            to[n].watch = p->watches[at];
            to[n].events = (got & POLLIN ? SF_READ : 0u) | (got & POLLOUT ? SF_WRITE : 0u) |
                           (got & (POLLHUP | POLLERR | POLLNVAL) ? SF_HUP : 0u);
            n++;
            left--;
        }
        at = at + 1 < p->n ? at + 1 : 0;
    }
    p->next = at;
    return n;
}

extern const struct sf_poller_ops sf_poller_poll;
const struct sf_poller_ops sf_poller_poll = {
    .name = "poll",
    .open = poll_open,
    .close = poll_close,
    .set = poll_set,
    .wait = poll_wait,
};
