/*
 * Waiting for several sockets and descriptors.
 *
 * A thread keeps what it has learnt from one call to the next: at each socket a
 * watcher, which a ring marks, and what the socket answered last. A socket is
 * asked again only if it may answer otherwise:
 *
 *   it was rung          its watcher is marked, whatever was posted to it
 *   it was called        its number of calls is another one: a change by a call rings nobody
 *   it had what we want  that may be gone without a ring (a partner's mark, say)
 *   it has leases        what arrives shows at descriptors alone
 *
 * That nothing has become ready without one of these is what makes SIFR_FD
 * trustworthy too. A watcher is put into its place under the socket's turn, and
 * the socket asked after it. Its mark is cleared before the socket is asked: who
 * posts and marks after that finds it clear and marks it anew, and of who has
 * marked before, the exchange that clears acquires what was posted.
 *
 * A wait with few connections takes leases (lease.h) and reads by itself, as
 * recv does. At each socket it either polls the leased descriptors itself, or
 * another call does, or they are given back. It stays so until the wait ends:
 * whose place at the descriptors becomes empty rings the others when it leaves.
 * A wait that goes on after it was woken rings nobody: it takes its places
 * again, if nobody else has taken them; two waits that woke each other so would
 * never rest.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fork.h"
#include "core/lease.h"
#include "core/socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { FEW = 16, HOUR_MS = 3600 * 1000 };

/* What is known of an item. */
struct seen {
    struct sf_watcher watcher;
    struct sifr_socket *socket; /* NULL: a descriptor; else its memory, whatever it is by now */
    uint64_t calls;             /* the socket's, when it was asked */
    uint32_t birth;             /* the socket's, when `watcher` was put there; 0: nowhere */
    int n_peers;                /* sf_lease_peers, when it was asked */
    short events;               /* its answer */
    bool sure;                  /* which stands as long as it is not rung or called */
    bool leased;                /* it has leases */
    bool leads;                 /* we are its lease_poller: a reference */
    bool led;                   /* we have been in this call: the same reference */
    uint8_t first, n;           /* where its descriptors are, among the leased */
};

/* What a thread keeps. */
struct set {
    uint32_t generation; /* of the process that made it */
    bool busy;           /* a call uses it; one within that, by a free function, does not */
    bool kept;           /* it is the thread's */
    struct sf_waiter waiter;
    struct sf_spin spin;
    struct seen *seen;   /* owns; of the items of the last call */
    struct pollfd *fds;  /* owns; room + SF_LEASES_MAX + 1: items', leased, the waiter's */
    int n, room;
    int n_peers;         /* of all sockets */
};

/* A call. */
struct round {
    sifr_pollitem_t *items;
    int n;
    uint64_t deadline;   /* ms of sf_clock_ms; UINT64_MAX: none */
    bool glance;         /* it will not wait */
    const sigset_t *mask; /* of the signals blocked while it sleeps; NULL: as they are */
    struct set *set;     /* NULL: few are asked once */
    struct pollfd *fds;
    int n_fds, n_leased; /* of items; behind them, leased */
    int ready;           /* items with revents */
    uint32_t ticket;
    int got;             /* what poll said */
};

/* --- What a thread keeps ------------------------------------------------ */

/* Ends what the item of a call left unfinished. */
static void let_go(struct seen *seen)
{
    struct sifr_socket *s = seen->socket;

    if (!seen->led)
        return;
    seen->led = false;
    if (seen->leads) {
        seen->leads = false;
        atomic_store(&s->lease_poller, SF_POLLER_NONE);
        if (sf_socket_visit(s) == 0) {
            sf_lease_waited(s);
            sf_socket_leave(s);
        }
    }
    sf_socket_pass_on(s);
    sf_socket_unref(s);
}

static void forget(struct set *set, struct seen *seen)
{
    if (!seen->socket)
        return;
    let_go(seen);
    if (seen->birth)
        sf_socket_unwatch(seen->socket, &seen->watcher);
    set->n_peers -= seen->n_peers;
    *seen = (struct seen){0};
}

static void forget_from(struct set *set, int at)
{
    while (set->n > at)
        forget(set, &set->seen[--set->n]);
}

static void set_free(struct set *set)
{
    if (set->generation == sf_fork_generation())
        forget_from(set, 0); /* a child leaves its parent's sockets alone: nobody rings them here */
    if (set->waiter.fd >= 0)
        close(set->waiter.fd);
    sf_free(set->seen);
    sf_free(set->fds);
    sf_free(set);
}

static pthread_key_t key;
static _Atomic int has_key;

static void at_thread_end(void *set)
{
    set_free(set);
}

static void make_key(void)
{
    atomic_store(&has_key, pthread_key_create(&key, at_thread_end) == 0);
}

void sf_poll_forget(void)
{
    struct set *set = atomic_load(&has_key) ? pthread_getspecific(key) : NULL;

    if (!set || set->busy)
        return;
    pthread_setspecific(key, NULL);
    set_free(set);
}

/* The thread's, or one for this call alone; NULL without memory. */
static struct set *set_take(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    bool keep;
    struct set *set;

    pthread_once(&once, make_key);
    keep = atomic_load(&has_key);
    set = keep ? pthread_getspecific(key) : NULL;
    if (set && !set->busy && set->generation != sf_fork_generation()) {
        pthread_setspecific(key, NULL);
        set_free(set);
        set = NULL;
    }
    keep = keep && !set;
    if (!set || set->busy) {
        set = sf_alloc(sizeof *set);
        if (!set)
            return NULL;
        set->generation = sf_fork_generation();
        set->waiter.fd = -1;
        set->kept = keep && pthread_setspecific(key, set) == 0;
    }
    set->busy = true;
    return set;
}

static void set_give(struct set *set)
{
    set->busy = false;
    if (!set->kept)
        set_free(set);
}

/* Makes room for `n` items. The list's nodes stand in it, so it cannot simply grow. */
static int set_reserve(struct set *set, int n)
{
    int room = set->room;

    forget_from(set, n);
    if (n <= room)
        return 0;
    room = n > FEW ? n : FEW;
    forget_from(set, 0);
    sf_free(set->seen);
    sf_free(set->fds);
    set->seen = sf_alloc((size_t)room * sizeof *set->seen);
    set->fds = sf_alloc(((size_t)room + SF_LEASES_MAX + 1) * sizeof *set->fds);
    set->room = set->seen && set->fds ? room : 0;
    return set->room ? 0 : -ENOMEM;
}

/* Makes the descriptor that wakes a sleep at descriptors. */
static int set_fd(struct set *set)
{
    if (set->waiter.fd < 0)
        set->waiter.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return set->waiter.fd < 0 ? -EMFILE : 0;
}

/* --- Asking ------------------------------------------------------------- */

static void answer(struct round *r, sifr_pollitem_t *item, int events)
{
    r->ready -= item->revents != 0;
    item->revents = (short)events;
    r->ready += item->revents != 0;
}

/* The turn of a socket is ours: we wait at its leased descriptors, or nobody has to. */
static void lead(struct round *r, struct seen *seen, const sifr_pollitem_t *item, bool direct)
{
    struct sifr_socket *s = seen->socket;

    if (direct && (item->events & SIFR_POLLIN) && s->base.pattern->recv) {
        sf_lease_ask(s);
        if (r->n_leased + s->n_leases <= SF_LEASES_MAX && sf_lease_lead(s, SF_POLLER_SET)) {
            if (!seen->led)
                sf_socket_ref(s); /* its descriptors stay until we are back */
            seen->led = seen->leads = true;
            seen->first = (uint8_t)r->n_leased;
            seen->n = (uint8_t)sf_lease_fds(s, &r->fds[r->n_fds + r->n_leased]);
            r->n_leased += seen->n;
        }
    }
    if (s->n_leases && atomic_load(&s->lease_poller) == SF_POLLER_NONE)
        sf_lease_return_all(s);
}

/* The turn of a socket is ours, whose leased descriptors we waited at. */
static void come_back(struct round *r, struct seen *seen)
{
    struct sifr_socket *s = seen->socket;
    bool came = false;

    seen->leads = false;
    atomic_store(&s->lease_poller, SF_POLLER_NONE);
    sf_lease_waited(s);
    for (int i = 0; i < seen->n; i++)
        came |= r->fds[r->n_fds + seen->first + i].revents != 0;
    if (came && sf_direct_read(s))
        sf_socket_take_in(s);
}

/* Whether nobody but us can be waiting for the socket. With its turn. */
static bool alone(struct sifr_socket *s)
{
    return !atomic_load(&s->bell.waiters) && !atomic_load(&s->lease_poller) &&
           atomic_load(&s->n_watchers) == 1;
}

enum how {
    LOOK,   /* what is known already */
    GLANCE, /* and at the leased descriptors, by a call that will not wait */
    LEAD,   /* and then wait at them */
};

/* Asks the socket of the item at `i`. 0 or -errno. */
static int ask(struct round *r, int i, enum how how, bool direct)
{
    sifr_pollitem_t *item = &r->items[i];
    struct seen *seen = &r->set->seen[i];
    struct sifr_socket *s = seen->socket;
    int err;

    seen->sure = false;
    if (atomic_load(&seen->watcher.rung))
        atomic_exchange(&seen->watcher.rung, 0);
    err = sf_socket_visit(s);
    if (err)
        return err;
    if (seen->birth != s->birth) {
        sf_list_init(&seen->watcher.node);
        seen->watcher.waiter = &r->set->waiter;
        sf_socket_watch(s, &seen->watcher);
        seen->birth = s->birth;
        sf_socket_take_in(s);
    }
    if (seen->leads)
        come_back(r, seen);
    if ((item->events & SIFR_POLLIN) &&
        ((how == GLANCE && sf_direct_glance(s)) || (how == LEAD && sf_direct_rest(s))))
        sf_socket_take_in(s);
    seen->events = (short)sf_socket_events(s);
    if (how == LEAD && !(seen->events & item->events))
        lead(r, seen, item, direct);
    r->set->n_peers -= seen->n_peers;
    seen->n_peers = sf_lease_peers(s);
    r->set->n_peers += seen->n_peers;
    seen->calls = atomic_load_explicit(&s->calls, memory_order_relaxed);
    seen->leased = s->n_leases > 0;
    seen->sure = !seen->leased;
    if (s->news && alone(s))
        s->news = false;
    sf_socket_leave(s);
    answer(r, item, seen->events & item->events);
    return 0;
}

/* The same without anything to keep. */
static int ask_once(struct round *r, sifr_pollitem_t *item)
{
    int err = sf_socket_visit(item->socket);

    if (err)
        return err;
    if ((item->events & SIFR_POLLIN) && sf_direct_glance(item->socket))
        sf_socket_take_in(item->socket);
    answer(r, item, sf_socket_events(item->socket) & item->events);
    sf_socket_leave(item->socket);
    return 0;
}

static bool rung(const struct seen *seen)
{
    return atomic_load_explicit(&seen->watcher.rung, memory_order_relaxed);
}

/* Looks at the socket of the item at `i`, which may be no socket at all. */
static int look_at(struct round *r, int i)
{
    const sifr_pollitem_t *item = &r->items[i];
    struct seen *seen = &r->set->seen[i];
    struct sifr_socket *s = item->socket;
    int err = sf_socket_check(s);

    if (err)
        return err;
    if (seen->socket != s) {
        forget(r->set, seen);
        seen->socket = s;
    }
    if (seen->sure && !(seen->events & item->events) && !rung(seen) &&
        seen->calls == atomic_load_explicit(&s->calls, memory_order_relaxed))
        return 0;
    return ask(r, i, r->glance ? GLANCE : LOOK, false);
}

static void add_descriptor(struct round *r, const sifr_pollitem_t *item)
{
    r->fds[r->n_fds++] = (struct pollfd){
        .fd = item->fd,
        .events = (short)((item->events & SIFR_POLLIN ? POLLIN : 0) |
                          (item->events & SIFR_POLLOUT ? POLLOUT : 0) |
                          (item->events & SIFR_POLLPRI ? POLLPRI : 0)),
    };
}

/* What poll said of the items' descriptors. */
static void note_descriptors(struct round *r)
{
    for (int i = 0, at = 0; at < r->n_fds; i++) {
        short got;

        if (r->items[i].socket)
            continue;
        got = r->fds[at++].revents;
        answer(r, &r->items[i],
               (got & POLLIN ? SIFR_POLLIN : 0) | (got & POLLOUT ? SIFR_POLLOUT : 0) |
                   (got & POLLPRI ? SIFR_POLLPRI : 0) |
                   (got & (POLLERR | POLLHUP | POLLNVAL) ? SIFR_POLLERR : 0));
    }
}

static int poll_error(void)
{
    return errno == EINTR ? -EINTR : -EINVAL;
}

/* Looks at everything, without waiting. 0 or -errno. */
static int look(struct round *r)
{
    int err = 0;

    for (int i = 0; i < r->n && err == 0; i++) {
        sifr_pollitem_t *item = &r->items[i];

        item->revents = 0;
        if (r->set && i >= r->set->n) {
            r->set->seen[i] = (struct seen){0};
            r->set->n = i + 1;
        }
        if (item->socket) {
            err = r->set ? look_at(r, i) : ask_once(r, item);
        } else {
            if (r->set)
                forget(r->set, &r->set->seen[i]);
            add_descriptor(r, item);
        }
    }
    if (err == 0 && r->n_fds) {
        if (poll(r->fds, (nfds_t)r->n_fds, 0) < 0)
            return poll_error();
        note_descriptors(r);
    }
    /* Now it is known that we shall not wait: what has arrived at the others counts too. */
    for (int i = 0; i < r->n && err == 0 && r->ready && !r->glance; i++) {
        const struct seen *seen = &r->set->seen[i];

        if (seen->leased && (r->items[i].events & ~seen->events & SIFR_POLLIN))
            err = ask(r, i, GLANCE, false);
    }
    return err;
}

/* --- Waiting ------------------------------------------------------------ */

static int left_ms(uint64_t deadline)
{
    uint64_t now;

    if (deadline == UINT64_MAX)
        return HOUR_MS;
    now = sf_clock_ms();
    if (now >= deadline)
        return 0;
    return deadline - now > HOUR_MS ? HOUR_MS : (int)(deadline - now);
}

/* Asks those that were rung, and sees to it that a descriptor or a ring tells of all that comes. */
static int prepare(struct round *r)
{
    struct set *set = r->set;
    bool direct = set->n_peers > 0 && set->n_peers <= SF_LEASES_MAX && set_fd(set) == 0;
    int err = 0;

    r->n_leased = 0;
    for (int i = 0; i < r->n && err == 0; i++) {
        const struct seen *seen = &set->seen[i];

        if (seen->socket && (rung(seen) || !seen->sure || (direct && seen->n_peers > 0 &&
                                                           (r->items[i].events & SIFR_POLLIN))))
            err = ask(r, i, LEAD, direct);
    }
    return err;
}

/* Leaves the leased descriptors, having read what came, and asks those that were rung. */
static int settle(struct round *r)
{
    int err = 0;

    for (int i = 0; i < r->n && err == 0; i++) {
        const struct seen *seen = &r->set->seen[i];

        if (seen->socket && (seen->leads || rung(seen)))
            err = ask(r, i, LOOK, false);
    }
    return err;
}

static int look_again(void *arg)
{
    struct round *r = arg;
    int all = r->n_fds + r->n_leased;

    r->got = poll(r->fds, (nfds_t)all + 1, 0);
    if (r->got <= 0)
        return 0;
    return r->got == 1 && r->fds[all].revents ? -1 : 1;
}

/* The sleep itself, at `n` descriptors. As poll. */
static int sleep_at(struct round *r, int n, int ms)
{
    struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    return r->mask ? ppoll(r->fds, (nfds_t)n, &limit, r->mask) : poll(r->fds, (nfds_t)n, ms);
}

/* Sleeps at descriptors. 0, -EAGAIN when time was over, -errno. */
static int sleep_at_descriptors(struct round *r)
{
    struct sf_waiter *waiter = &r->set->waiter;
    struct pollfd *ours = &r->fds[r->n_fds + r->n_leased];
    int ms = left_ms(r->deadline);

    if (set_fd(r->set) != 0)
        return -EMFILE;
    *ours = (struct pollfd){.fd = waiter->fd, .events = POLLIN};
    r->got = 0;
    atomic_store(&waiter->at_fd, 1);
    if (atomic_load(&waiter->bell.rings) != r->ticket) {
        atomic_store(&waiter->at_fd, 0);
        return 0;
    }
    if (r->n_leased)
        sf_spin(&r->set->spin, look_again, r);
    if (r->got <= 0)
        r->got = sleep_at(r, r->n_fds + r->n_leased + 1, ms);
    atomic_store(&waiter->at_fd, 0);
    if (r->got < 0)
        return poll_error();
    if (ours->revents) {
        uint64_t count;
        ssize_t size = read(waiter->fd, &count, sizeof count);

        (void)size;
    }
    note_descriptors(r);
    return r->got ? 0 : -EAGAIN;
}

/* Sleeps until something was rung, or a descriptor has something. 0, -EAGAIN, -errno. */
static int sleep_for(struct round *r)
{
    struct sf_bell *bell = &r->set->waiter.bell;
    int err = 0;

    if (r->n_fds + r->n_leased || r->mask) /* the bell's sleep cannot change the mask */
        return sleep_at_descriptors(r);
    if (sf_bell_enter(bell) == r->ticket)
        err = sf_bell_wait(bell, r->ticket, left_ms(r->deadline));
    sf_bell_leave(bell);
    return err;
}

/* Waits until something is ready or time is over. 0 or -errno. */
static int wait_for(struct round *r)
{
    int err = 0;

    while (err == 0 && r->ready == 0) {
        bool over = false;

        r->ticket = atomic_load(&r->set->waiter.bell.rings);
        err = prepare(r);
        if (err == 0 && r->ready == 0) {
            err = sleep_for(r);
            over = left_ms(r->deadline) == 0;
            if (err == -EAGAIN)
                err = 0;
        }
        if (err == 0)
            err = settle(r);
        if (over)
            break;
    }
    for (int i = 0; i < r->set->n; i++)
        let_go(&r->set->seen[i]);
    return err;
}

static int poll_kept(struct round *r)
{
    int err;

    r->set = set_take();
    if (!r->set)
        return -ENOMEM;
    err = set_reserve(r->set, r->n);
    if (err == 0) {
        r->fds = r->set->fds;
        err = look(r);
    }
    if (err == 0 && r->ready == 0 && !r->glance)
        err = wait_for(r);
    set_give(r->set);
    return err;
}

static int poll_items(sifr_pollitem_t *items, int n, long timeout, const sigset_t *mask)
{
    struct pollfd few[FEW];
    struct round r = {
        .items = items, .n = n, .glance = timeout == 0, .mask = mask, .fds = few};
    int err;

    r.deadline = timeout < 0 ? UINT64_MAX : sf_clock_ms() + (uint64_t)timeout;
    err = r.glance && n <= FEW ? look(&r) : poll_kept(&r);
    return err ? err : r.ready;
}

int sifr_ppoll(sifr_pollitem_t *items, int n, long timeout, const sigset_t *mask)
{
    int result = -EINVAL;

    if (n >= 0)
        result = n && !items ? -EFAULT : poll_items(items, n, timeout, mask);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}

int sifr_poll(sifr_pollitem_t *items, int n, long timeout)
{
    return sifr_ppoll(items, n, timeout, NULL);
}
