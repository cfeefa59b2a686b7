/* Sockets: handles, turns, waiting; sending and receiving; binding and connecting. */
#include "core/socket.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fork.h"
#include "core/conn.h"
#include "core/lease.h"
#include "core/listener.h"
#include "core/monitor.h"
#include "wire/pipe.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- Handles ----------------------------------------------------------- */

/*
 * Memory of sockets comes from slabs that are kept for ever, so that a stale
 * handle can be looked at. Free ones wait in a queue, so that an address is
 * used again as late as possible.
 */
enum { SLAB = 16, REST_MIN = 64 };
static struct sf_lock pool_lock;
static struct sf_list pool;
static size_t pool_size;

void sf_socket_pool_hold(void)
{
    sf_lock_take(&pool_lock);
}

void sf_socket_pool_release(void)
{
    sf_lock_drop(&pool_lock);
}

static struct sifr_socket *pool_take(void)
{
    struct sifr_socket *s = NULL;

    sf_lock_take(&pool_lock);
    if (!pool.next)
        sf_list_init(&pool);
    if (pool_size <= REST_MIN) {
        struct sifr_socket *slab = sf_alloc(SLAB * sizeof *slab);

        for (size_t i = 0; slab && i < SLAB; i++, pool_size++)
            sf_list_push(&pool, &slab[i].node);
    }
    if (pool_size) {
        s = SF_CONTAINER(pool.next, struct sifr_socket, node);
        sf_list_remove(&s->node);
        pool_size--;
    }
    sf_lock_drop(&pool_lock);
    return s;
}

static void pool_give(struct sifr_socket *s)
{
    sf_lock_take(&pool_lock);
    sf_list_push(&pool, &s->node);
    pool_size++;
    sf_lock_drop(&pool_lock);
}

struct sifr_socket *sf_socket_ref(struct sifr_socket *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void sf_socket_forget_profile(struct sifr_socket *s)
{
    if (s->profile)
        sf_profile_unref(s->profile);
    s->profile = NULL;
}

/* Nobody knows the socket any more. */
static void bury(struct sifr_socket *s)
{
    struct sifr_ctx *ctx = s->ctx;
    int fd = atomic_exchange(&s->fd, -1);

    if (fd >= 0)
        close(fd);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    sf_socket_forget_profile(s);
    sf_options_fini(&s->opt);
    sf_free(s->base.state);
    sf_free(s->last_endpoint);
    sf_free(s->next_endpoint);
    sf_pins_unref(s->pins);
    s->pins = NULL;
    s->base.state = NULL;
    s->last_endpoint = NULL;
    pool_give(s);
    sf_ctx_leave(ctx);
}

void sf_socket_unref(struct sifr_socket *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        bury(s);
}

static void init_socket(struct sifr_socket *s, struct sifr_ctx *ctx, const struct sf_pattern *pattern)
{
    /* The turn, the bell and the locks stay as they are: a late caller may still be at them. */
    s->birth++;
    atomic_fetch_add_explicit(&s->calls, 1, memory_order_relaxed);
    atomic_store(&s->followed, 0);
    s->generation = sf_fork_generation();
    memset(&s->base, 0, sizeof s->base);
    s->base.pattern = pattern;
    sf_list_init(&s->base.peers);
    sf_counters_init(&s->counts);
    s->ctx = ctx;
    sf_options_init(&s->opt);
    s->profile = NULL;
    s->opt.stream.groups = !(pattern->flags & SF_PATTERN_UDP_ALONE);
    if (pattern->flags & SF_PATTERN_NO_LINGER)
        s->opt.linger = 0;
    sf_list_init(&s->endpoints);
    sf_list_init(&s->parked);
    sf_list_init(&s->finished);
    sf_list_init(&s->leases);
    s->n_leases = s->fruitless = 0;
    s->wake_fd = -1;
    s->ticks_rest = s->asked = s->news = false;
    s->streak = s->stays = 0;
    s->spin = s->send_spin = (struct sf_spin){0};
    s->pace = (struct sf_pace){0};
    s->n_inproc = 0;
    s->rush = 0;
    sf_list_init(&s->node);
    s->monitor = NULL;
    atomic_store(&s->monitored, 0);
    atomic_store(&s->hwm[0], s->opt.snd_hwm);
    atomic_store(&s->hwm[1], s->opt.rcv_hwm);
    s->rcvmore = s->sndmore = s->starved = false;
    s->strays = 0;
    s->last_endpoint = s->next_endpoint = NULL;
    atomic_store(&s->refs, 1);
    atomic_store(&s->inbox, NULL);
    atomic_store(&s->closed, 0);
    atomic_store(&s->fd, -1);
    atomic_store(&s->fd_rung, 0);
    atomic_store(&s->hook, NULL);
    if (!s->watchers.next)
        sf_list_init(&s->watchers);
}

static int socket_new(struct sifr_socket **out, struct sifr_ctx *ctx, int type, bool extra)
{
    const struct sf_pattern *pattern = sf_pattern_find(type);
    struct sifr_socket *s;
    bool zero_copy;
    int err;

    if (atomic_load(&ctx->terminating))
        return -SIFR_ETERM;
    if (!pattern)
        return -EINVAL;
    err = sf_ctx_start(ctx);
    if (err)
        return err;
    s = pool_take();
    if (!s)
        return -ENOMEM;
    if (s->generation && s->generation != sf_fork_generation()) /* whoever was at it is not in this process */
        memset(&s->turn, 0, sizeof s->turn);
    sf_turn_take(&s->turn);
    init_socket(s, ctx, pattern);
    s->extra = extra;
    sf_lock_take(&ctx->lock);
    s->opt.ipv6 = ctx->ipv6;
    if (!ctx->blocky)
        s->opt.linger = 0;
    zero_copy = ctx->zero_copy;
    sf_lock_drop(&ctx->lock);
    s->base.state = sf_alloc(pattern->size);
    s->pins = sf_pins_new(!zero_copy);
    err = s->base.state && s->pins ? 0 : -ENOMEM;
    if (err == 0 && pattern->init)
        err = pattern->init(&s->base);
    if (err == 0) {
        sf_lock_take(&ctx->lock);
        if (atomic_load(&ctx->terminating))
            err = -SIFR_ETERM;
        else if (!extra && ctx->n_sockets >= ctx->socket_limit)
            err = -EMFILE;
        if (err == 0) {
            ctx->n_sockets += !extra;
            sf_ctx_enter(ctx);
            sf_list_push(&ctx->sockets, &s->node);
        }
        sf_lock_drop(&ctx->lock);
        if (err && pattern->fini)
            pattern->fini(&s->base);
    }
    if (err) {
        sf_options_fini(&s->opt);
        sf_free(s->base.state);
        sf_pins_unref(s->pins);
        s->base.state = NULL;
        s->pins = NULL;
        sf_turn_drop(&s->turn);
        pool_give(s);
        return err;
    }
    atomic_store_explicit(&s->tag, sf_socket_tag(s), memory_order_release);
    sf_turn_drop(&s->turn);
    *out = s;
    return 0;
}

int sf_socket_new(struct sifr_socket **out, struct sifr_ctx *ctx, int type)
{
    return socket_new(out, ctx, type, false);
}

int sf_socket_new_extra(struct sifr_socket **out, struct sifr_ctx *ctx, int type)
{
    return socket_new(out, ctx, type, true);
}

sifr_socket_t *sifr_socket(sifr_ctx_t *ctx, int type)
{
    struct sifr_ctx *c = sf_ctx_check(ctx);
    struct sifr_socket *s;
    int err = c ? 0 : -EFAULT;

    if (err == 0 && c->generation != sf_fork_generation())
        err = -SIFR_ETERM; /* the parent's: its threads are not here */
    if (err == 0)
        err = sf_socket_new(&s, c, type);
    if (err) {
        errno = err == -ENFILE ? EMFILE : err == -EAGAIN ? ENOMEM : -err;
        return NULL;
    }
    return s;
}

/* --- Turns ------------------------------------------------------------- */

static void write_fd(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);

    (void)n; /* full: it is readable then */
}

void sf_socket_watch(struct sifr_socket *s, struct sf_watcher *w)
{
    sf_lock_take(&s->watch_lock);
    sf_list_push(&s->watchers, &w->node);
    atomic_fetch_add(&s->n_watchers, 1);
    sf_lock_drop(&s->watch_lock);
}

void sf_socket_unwatch(struct sifr_socket *s, struct sf_watcher *w)
{
    sf_lock_take(&s->watch_lock);
    if (!sf_list_empty(&w->node)) {
        sf_list_remove(&w->node);
        atomic_fetch_sub(&s->n_watchers, 1);
    }
    sf_lock_drop(&s->watch_lock);
}

/* The handle is closed: what becomes of the memory next has no watchers of ours. */
static void unwatch_all(struct sifr_socket *s)
{
    sf_lock_take(&s->watch_lock);
    while (!sf_list_empty(&s->watchers)) {
        sf_list_remove(s->watchers.next);
        atomic_fetch_sub(&s->n_watchers, 1);
    }
    sf_lock_drop(&s->watch_lock);
}

void sf_watcher_ring(struct sf_watcher *w)
{
    struct sf_waiter *waiter = w->waiter;

    /* One that is marked still will look after us: who marked it has woken it. */
    if (atomic_exchange(&w->rung, 1))
        return;
    if (waiter->follows) {
        struct sf_watcher *top = atomic_load_explicit(&waiter->marked, memory_order_relaxed);

        do {
            w->next_marked = top;
        } while (!atomic_compare_exchange_weak(&waiter->marked, &top, w));
    }
    sf_bell_ring(&waiter->bell);
    if (atomic_load(&waiter->at_fd) && atomic_exchange(&waiter->at_fd, 0))
        write_fd(waiter->fd);
}

static void ring_watchers(struct sifr_socket *s)
{
    sf_lock_take(&s->watch_lock);
    SF_LIST_EACH(it, after, &s->watchers) {
        struct sf_watcher *w = SF_CONTAINER(it, struct sf_watcher, node);

        if (w->shows)
            sf_poller_rung(s, w);
        sf_watcher_ring(w);
    }
    sf_lock_drop(&s->watch_lock);
}

/* Wakes all who wait but those at SIFR_FD. */
static void ring_waiters(struct sifr_socket *s)
{
    struct sf_task *hook;

    sf_bell_ring(&s->bell);
    if (atomic_load(&s->lease_poller) == SF_POLLER_RECV)
        write_fd(s->wake_fd);
    if (atomic_load(&s->n_watchers))
        ring_watchers(s);
    if (atomic_load(&s->hook)) {
        sf_lock_take(&s->watch_lock);
        hook = atomic_load(&s->hook);
        if (hook)
            sf_loop_post(s->hook_loop, hook);
        sf_lock_drop(&s->watch_lock);
    }
}

void sf_socket_ring(struct sifr_socket *s)
{
    int fd = atomic_load(&s->fd);

    if (fd >= 0) {
        atomic_store(&s->fd_rung, 1);
        write_fd(fd);
    }
    ring_waiters(s);
}

void sf_socket_pass_on(struct sifr_socket *s)
{
    if (atomic_load(&s->bell.waiters) || atomic_load(&s->n_watchers))
        ring_waiters(s);
}

static void push(struct sifr_socket *s, struct sf_link *l)
{
    struct sf_link *top = atomic_load_explicit(&s->inbox, memory_order_relaxed);

    do {
        l->next_event = top;
    } while (!atomic_compare_exchange_weak(&s->inbox, &top, l));
}

void sf_socket_post(struct sifr_socket *s, struct sf_link *l)
{
    int fd = atomic_load(&s->fd);

    if (fd < 0) {
        push(s, l);
        /*
         * The descriptor may have been made meanwhile, and its first EVENTS have found the inbox
         * empty. Both store, then load, sequentially consistent: one of us sees the other.
         */
        if (atomic_load(&s->fd) >= 0)
            sf_socket_ring(s);
        else
            ring_waiters(s);
        return;
    }
    /* In one: EVENTS may not take in the post, and then find the descriptor readable because of it. */
    sf_lock_take(&s->watch_lock);
    push(s, l);
    atomic_store(&s->fd_rung, 1);
    write_fd(fd);
    sf_lock_drop(&s->watch_lock);
    ring_waiters(s);
}

void sf_socket_hush(struct sifr_socket *s)
{
    bool quiet;

    do {
        sf_socket_take_in(s);
        sf_lock_take(&s->watch_lock);
        quiet = !atomic_load(&s->inbox);
        if (quiet && atomic_exchange(&s->fd_rung, 0)) {
            uint64_t count;
            ssize_t n = read(atomic_load(&s->fd), &count, sizeof count);

            (void)n;
        }
        sf_lock_drop(&s->watch_lock);
    } while (!quiet);
}

static void detach_finished(struct sifr_socket *s)
{
    while (!sf_list_empty(&s->finished)) {
        struct sf_link *l = SF_CONTAINER(s->finished.next, struct sf_link, finish);

        sf_list_remove(&l->finish);
        l->finished = false;
        sf_socket_detach(s, l);
    }
}

/* HELLO_MSG over inproc, where no connection says it. */
static int say_hello(struct sifr_socket *s, struct sf_link *l)
{
    struct sf_msg m;
    int err;

    if (!l->peer.inproc || l->place == SF_LINK_PARKED || !s->opt.hello.data ||
        !(s->base.pattern->flags & SF_PATTERN_HELLO))
        return 0;
    err = sf_msg_init_copy(&m, s->opt.hello.data, s->opt.hello.size);
    if (err == 0) {
        err = sf_peer_put(&l->peer, &m, false);
        sf_msg_close(&m);
    }
    return err;
}

int sf_socket_attach(struct sifr_socket *s, struct sf_link *l)
{
    int err = say_hello(s, l);

    if (l->peer.inproc) {
        l->peer.connected = atomic_load(&l->other) != NULL;
        l->peer.notify = s->base.notify; /* there is no profile */
    }
    if (err == 0)
        err = s->base.pattern->attach(&s->base, &l->peer);

    if (err == 0) {
        l->place = SF_LINK_ATTACHED;
        sf_list_push(&s->base.peers, &l->peer.node);
        if (l->peer.inproc) {
            s->n_inproc++;
            if (l->peer.connected && s->base.pattern->joined)
                s->base.pattern->joined(&s->base, &l->peer);
        }
        return 0;
    }
    if (err != -EBUSY)
        return err;
    if (l->place != SF_LINK_PARKED)
        sf_list_push(&s->parked, &l->parked);
    l->place = SF_LINK_PARKED;
    return 0;
}

/* A handshake came to its end, or a connection to its own. */
static void changed(struct sifr_socket *s, struct sf_link *l)
{
    const struct sf_pattern *pattern = s->base.pattern;
    uint32_t joins = atomic_load(&l->joins);
    bool up = atomic_load(&l->up);

    if (l->peer.connected && (joins != l->joins_seen || !up)) {
        l->peer.connected = false;
        if (l->place == SF_LINK_ATTACHED && pattern->lost)
            pattern->lost(&s->base, &l->peer);
    }
    l->joins_seen = joins;
    l->lease_asked = false;
    if (up && !l->peer.connected) {
        l->peer.connected = true;
        if (l->place == SF_LINK_ATTACHED && pattern->joined)
            pattern->joined(&s->base, &l->peer);
    }
}

/* Makes the pattern look at what may have come before it knew the link. */
static void look(struct sifr_socket *s, struct sf_link *l)
{
    if (l->place == SF_LINK_ATTACHED && sf_peer_readable(&l->peer) && s->base.pattern->readable)
        s->base.pattern->readable(&s->base, &l->peer);
}

static void unpark(struct sifr_socket *s)
{
    SF_LIST_EACH(it, after, &s->parked) {
        struct sf_link *l = SF_CONTAINER(it, struct sf_link, parked);

        sf_list_remove(&l->parked);
        if (sf_socket_attach(s, l) != 0) {
            sf_list_push(&s->parked, &l->parked);
            s->starved = true;
            return;
        }
        if (l->place == SF_LINK_ATTACHED) {
            if (l->peer.connected && !l->peer.inproc && s->base.pattern->joined)
                s->base.pattern->joined(&s->base, &l->peer);
            look(s, l);
        } else {
            sf_list_push(&s->parked, &l->parked);
            return;
        }
    }
}

/* From here on the link is not posted any more; that it is, or just being, is counted. */
static void mark_dead(struct sifr_socket *s, struct sf_link *l)
{
    uint32_t events = atomic_fetch_or(&l->events, SF_EVENT_DEAD);

    if (events && !(events & SF_EVENT_DEAD))
        s->strays++;
}

void sf_socket_abandon(struct sifr_socket *s, struct sf_link *l)
{
    l->place = SF_LINK_GONE;
    mark_dead(s, l);
    if (l->peer.inproc)
        sf_inproc_end(l);
}

void sf_socket_detach(struct sifr_socket *s, struct sf_link *l)
{
    bool attached = l->place == SF_LINK_ATTACHED;

    if (l->place == SF_LINK_GONE)
        return;
    if (attached) {
        sf_peer_rollback(&l->peer);
        s->base.pattern->detach(&s->base, &l->peer);
        sf_list_remove(&l->peer.node);
        s->n_inproc -= l->peer.inproc;
    }
    sf_list_remove(&l->parked);
    sf_list_remove(&l->finish);
    l->finished = false;
    l->place = SF_LINK_GONE;
    mark_dead(s, l);
    sf_lease_return(s, l);
    if (l->peer.inproc && attached)
        sf_inproc_leave(l, s->opt.linger);
    else if (l->peer.inproc)
        sf_inproc_end(l);
    sf_link_unref(l); /* the socket's */
    if (attached && !atomic_load(&s->closed))
        unpark(s);
}

/* DISCONNECT_MSG over inproc: the other side writes no more, so we are the writer. */
static void put_disconnect(struct sifr_socket *s, struct sf_link *l)
{
    struct sf_msg m;

    if (!s->opt.disconnect.data || !(s->base.pattern->flags & SF_PATTERN_FAREWELL) ||
        sf_msg_init_copy(&m, s->opt.disconnect.data, s->opt.disconnect.size) != 0)
        return;
    sf_pipe_rollback(l->in);
    sf_pipe_put(l->in, &m, 0);
    sf_msg_close(&m);
    if (sf_pipe_must_wake(l->in))
        look(s, l);
}

static void take_one(struct sifr_socket *s, struct sf_link *l, uint32_t events)
{
    const struct sf_pattern *pattern = s->base.pattern;

    if (events & SF_EVENT_DEAD) {
        s->strays--;
        return;
    }
    if ((events & SF_EVENT_ATTACH) && l->place == SF_LINK_NEW) {
        sf_link_ref(l); /* the socket's */
        if (l->peer.inproc) {
            /* its marks and its other end were set by who connected */
        } else {
            sf_pipe_set_mark(l->out, 0, s->opt.snd_hwm);
            sf_pipe_set_mark(l->in, 1, s->opt.rcv_hwm);
            l->joins_seen = atomic_load(&l->joins);
            l->peer.connected = true;
        }
        if (sf_socket_attach(s, l) != 0) {
            l->place = SF_LINK_PARKED; /* no memory for it */
            if (l->peer.inproc) { /* nobody dials again: it waits until there is */
                sf_list_push(&s->parked, &l->parked);
                s->starved = true;
                return;
            }
            sf_peer_renew(&l->peer);
            sf_socket_detach(s, l);
            return;
        }
        if (l->place == SF_LINK_ATTACHED && !l->peer.inproc && pattern->joined)
            pattern->joined(&s->base, &l->peer);
        events |= SF_EVENT_READABLE;
    }
    if ((events & SF_EVENT_CHANGED) && l->peer.inproc && !l->peer.connected && !l->peer.ended) {
        l->peer.connected = true; /* somebody bound the name */
        if (l->learnt && l->learnt[0] && !l->peer.id) {
            l->peer.id = l->learnt;
            l->peer.id_size = (uint16_t)l->learnt_size;
            l->learnt = NULL;
        }
        if (l->place == SF_LINK_ATTACHED && pattern->joined)
            pattern->joined(&s->base, &l->peer);
    } else if ((events & SF_EVENT_CHANGED) && l->peer.dialed) {
        changed(s, l);
    }
    if (events & SF_EVENT_LEASED)
        sf_lease_take(s, l);
    if (events & SF_EVENT_RECLAIM)
        sf_lease_return(s, l);
    if ((events & SF_EVENT_RENEWED) && l->place == SF_LINK_ATTACHED && !l->peer.ended) {
        if (pattern->lost)
            pattern->lost(&s->base, &l->peer);
        if (pattern->joined)
            pattern->joined(&s->base, &l->peer);
    }
    if (l->place == SF_LINK_ATTACHED) {
        if ((events & SF_EVENT_WRITABLE) && pattern->writable)
            pattern->writable(&s->base, &l->peer);
        if (events & SF_EVENT_READABLE)
            look(s, l);
    }
    if ((events & SF_EVENT_ENDED) && l->place == SF_LINK_NEW) { /* never ours: nothing to give back */
        sf_socket_abandon(s, l);
        return;
    }
    if ((events & SF_EVENT_ENDED) && !l->peer.ended) {
        if (l->peer.inproc && l->bound_end)
            put_disconnect(s, l);
        l->peer.ended = true;
        l->peer.connected = false;
        sf_peer_rollback(&l->peer);
        if (l->place == SF_LINK_ATTACHED && pattern->ended)
            pattern->ended(&s->base, &l->peer);
        if (l->place != SF_LINK_ATTACHED || !sf_peer_readable(&l->peer))
            sf_socket_detach(s, l);
    }
}

void sf_socket_take_in(struct sifr_socket *s)
{
    if (s->starved) {
        s->starved = false;
        unpark(s);
    }
    while (atomic_load_explicit(&s->inbox, memory_order_relaxed)) {
        struct sf_link *l = atomic_exchange(&s->inbox, NULL), *first = NULL;

        while (l) { /* oldest first */
            struct sf_link *next = l->next_event;

            l->next_event = first;
            first = l;
            l = next;
        }
        while (first) {
            uint32_t events;

            l = first;
            first = l->next_event;
            /* A dead link keeps its mark, so that it is never posted again. */
            events = atomic_fetch_and(&l->events, SF_EVENT_DEAD);
            take_one(s, l, events);
            sf_link_unref(l); /* the inbox's */
        }
    }
    detach_finished(s);
}

/* With the turn: what came meanwhile, for the most part nothing. */
static inline void take_in(struct sifr_socket *s)
{
    if (SF_RARE(atomic_load_explicit(&s->inbox, memory_order_relaxed) || !sf_list_empty(&s->finished)))
        sf_socket_take_in(s);
}

static inline int visit(sifr_socket_t *s)
{
    int err = sf_socket_check(s);

    if (SF_RARE(err))
        return err;
    sf_owner_hold();
    sf_turn_take(&s->turn);
    if (SF_RARE(atomic_load_explicit(&s->tag, memory_order_relaxed) != sf_socket_tag(s)))
        err = -ENOTSOCK; /* closed while we waited */
    else if (SF_RARE(atomic_load_explicit(&s->ctx->terminating, memory_order_relaxed)))
        err = -SIFR_ETERM;
    if (SF_RARE(err)) {
        sf_turn_drop(&s->turn);
        if (atomic_load(&s->inbox)) /* of who tried meanwhile */
            sf_socket_try(s);
        sf_owner_release();
        return err;
    }
    take_in(s);
    return 0;
}

static inline void count_call(struct sifr_socket *s)
{
    atomic_store_explicit(&s->calls, atomic_load_explicit(&s->calls, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static inline int enter(sifr_socket_t *s)
{
    int err = visit(s);

    if (err == 0) {
        count_call(s);
        if (SF_RARE(atomic_load_explicit(&s->followed, memory_order_relaxed)))
            sf_poller_called(s);
    }
    return err;
}

int sf_socket_enter(sifr_socket_t *s)
{
    return enter(s);
}

int sf_socket_visit(sifr_socket_t *s)
{
    return visit(s);
}

/* Empties the inbox of a closed socket: links that nobody knows yet are turned away. */
static void turn_away(struct sifr_socket *s)
{
    struct sf_link *l = atomic_exchange(&s->inbox, NULL);

    while (l) {
        struct sf_link *next = l->next_event;

        if (atomic_fetch_or(&l->events, SF_EVENT_DEAD) & SF_EVENT_DEAD) {
            s->strays--;
        } else if (l->conn) {
            sf_conn_poke(l->conn, SF_TODO_KICK);
        } else {
            sf_inproc_end(l);
        }
        sf_link_unref(l);
        l = next;
    }
}

void sf_socket_try(struct sifr_socket *s)
{
    /*
     * Who fails here leaves the work to the holder, who looks at the inbox
     * again after dropping the turn; both sides have a full barrier between
     * their store (the post, the drop) and their look.
     */
    while (atomic_load(&s->inbox) && sf_turn_try(&s->turn)) {
        sf_owner_hold();
        if (atomic_load(&s->closed))
            turn_away(s);
        else
            sf_socket_take_in(s);
        sf_turn_drop(&s->turn);
        sf_owner_release();
    }
}

/*
 * Something was read at the leased descriptors by a call that may not want all
 * of it, while others wait: at them, who find them empty now and would sleep
 * on, or at their bells. Who waits has counted itself before it looked, under
 * the turn; so we see it here, or it has seen what was read.
 */
static void leave_with_news(struct sifr_socket *s)
{
    bool others = atomic_load(&s->bell.waiters) || atomic_load(&s->lease_poller) ||
                  atomic_load(&s->n_watchers);

    s->news = false;
    if (others)
        sf_socket_ref(s);
    sf_socket_leave(s);
    if (others) {
        ring_waiters(s);
        sf_socket_unref(s);
    }
}

static inline void leave(struct sifr_socket *s)
{
    if (SF_RARE(s->news)) {
        leave_with_news(s);
        return;
    }
    if (SF_RARE(!sf_list_empty(&s->finished)))
        detach_finished(s);
    sf_turn_drop(&s->turn);
    if (SF_RARE(atomic_load(&s->inbox)))
        sf_socket_try(s);
    sf_owner_release();
}

void sf_socket_leave(sifr_socket_t *s)
{
    leave(s);
}

/* Turns a result into the API's: the count or 0, or -1 with errno. */
static int answer(int err)
{
    if (err >= 0)
        return err;
    errno = -err;
    return -1;
}

enum { MS_NS = 1000000 };

/*
 * Waits, with the turn given back meanwhile, until the socket was rung after
 * `ticket`, or until `deadline` (ns; UINT64_MAX: none). With the turn again on
 * 0; without it on an error: -EAGAIN, -EINTR, -ETERM, -ENOTSOCK.
 */
static int wait_ring(struct sifr_socket *s, uint32_t ticket, uint64_t deadline)
{
    uint32_t birth = s->birth;
    int64_t left = -1;
    int err;

    sf_socket_leave(s);
    if (deadline != UINT64_MAX) {
        uint64_t now = sf_clock_ns();

        left = now < deadline ? (int64_t)((deadline - now + MS_NS - 1) / MS_NS) : 0;
    }
    err = sf_bell_wait(&s->bell, ticket, left);
    if (err)
        return err;
    err = sf_socket_enter(s);
    if (err == 0 && s->birth != birth) { /* closed, and another socket by now */
        sf_socket_leave(s);
        err = -ENOTSOCK;
    }
    return err;
}

/*
 * The same at the leased descriptors. Of messages that come at a pace the next is looked for when it
 * is due, and this may end before it has come.
 */
static int wait_leased(struct sifr_socket *s, uint32_t ticket, uint64_t deadline, bool *slept)
{
    uint64_t now = sf_clock_ns(), wake = sf_pace_wake(&s->pace, now), left = UINT64_MAX;
    bool early;
    int err, entered;

    if (deadline != UINT64_MAX)
        left = now < deadline ? deadline - now : 0;
    early = wake && wake - now < left;
    *slept = true;
    err = sf_direct_wait(s, ticket, early ? wake - now : left, early);
    entered = sf_socket_enter(s);
    early &= err == -EAGAIN;
    if (early)
        err = 0; /* it is not the caller's time that is over */
    if (entered == 0) {
        sf_lease_waited(s);
        if (early)
            *slept = !sf_direct_expect(s, wake);
        if (err)
            leave(s);
    } else if (err == 0) {
        err = entered;
    }
    if (err)
        sf_socket_pass_on(s);
    sf_socket_unref(s);
    return err;
}

static uint64_t deadline_of(int timeout_ms)
{
    return timeout_ms < 0 ? UINT64_MAX : sf_clock_ns() + (uint64_t)timeout_ms * MS_NS;
}

/* --- Sending and receiving --------------------------------------------- */

/* What the full queues hold may go out at once; then sends again. */
static int send_again(struct sifr_socket *s, struct sf_msg *m, bool more, bool wait)
{
    if (!sf_direct_drain(s))
        return -EAGAIN;
    sf_socket_take_in(s);
    return s->base.pattern->send(&s->base, m, more, wait);
}

/* Whether the context ends: asked with a ticket, since a ring before that is not heard. */
static bool ended(const struct sifr_socket *s)
{
    return atomic_load(&s->ctx->terminating);
}

/* There was no room: waits for it as long as it may take. The turn is held at the call, and given back. */
static int send_waiting(struct sifr_socket *s, struct sf_msg *m, bool more, bool wait)
{
    int err = send_again(s, m, more, wait);
    uint64_t deadline;

    if (err != -EAGAIN || !wait) {
        leave(s);
        return err;
    }
    sf_lease_return_all(s); /* nobody reads meanwhile but the loop */
    deadline = deadline_of(s->opt.snd_timeout);
    for (;;) {
        uint32_t ticket;
        int waited;

        if (s->n_inproc) /* whatever it finds is looked at below, as without it */
            sf_direct_await(s, &s->send_spin);
        ticket = sf_bell_enter(&s->bell);
        sf_socket_take_in(s);
        err = ended(s) ? -SIFR_ETERM : s->base.pattern->send(&s->base, m, more, true);
        if (err == -EAGAIN)
            err = send_again(s, m, more, true);
        if (err != -EAGAIN) {
            sf_bell_leave(&s->bell);
            leave(s);
            return err;
        }
        waited = wait_ring(s, ticket, deadline);
        sf_bell_leave(&s->bell);
        if (waited)
            return waited;
    }
}

static int recv_step(struct sifr_socket *s, struct sf_msg *m)
{
    int err = s->base.pattern->recv(&s->base, m);

    if (err == 0)
        s->rcvmore = sf_msg_more(m);
    return err;
}

/* The next frame of what is here or can be read without waiting. */
static int recv_directly(struct sifr_socket *s, struct sf_msg *m)
{
    int err = recv_step(s, m);

    while (err == -EAGAIN && s->n_leases && sf_direct_read(s))
        err = recv_step(s, m);
    return err;
}

/* The same of what has been read already. */
static int recv_rest(struct sifr_socket *s, struct sf_msg *m)
{
    int err = recv_step(s, m);

    while (err == -EAGAIN && s->n_leases && sf_direct_rest(s))
        err = recv_step(s, m);
    return err;
}

/* How a recv has waited. */
struct waits {
    bool polled; /* at leased descriptors, */
    bool slept;  /* and the last time to the end of its sleep */
};

/* Waits until there may be something to receive; as wait_ring. */
static int await_input(struct sifr_socket *s, uint32_t ticket, uint64_t deadline, struct waits *w)
{
    sf_lease_ask(s);
    if (!sf_lease_ready(s))
        return wait_ring(s, ticket, deadline);
    w->polled = true;
    return wait_leased(s, ticket, deadline, &w->slept);
}

/* A caller's buffer to receive into. */
struct into {
    void *bytes;
    size_t room, size; /* bytes; of the frame, which may be larger */
};

/* A frame's bytes into a caller's buffer, for the most part a few. */
static inline void copy(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n <= SF_MSG_INLINE)
        sf_msg_copy_small(to, from, n);
    else
        memcpy(to, from, n);
}

/* The turn ends: what is brief is copied before. */
static inline int received(struct sifr_socket *s, struct sf_msg *m, int err, struct into *to)
{
    if (err == 0 && to) {
        to->size = sf_msg_size(m);
        copy(to->bytes, sf_msg_data(m), to->size < to->room ? to->size : to->room);
    }
    leave(s);
    return err;
}

/* What a handle holds that is received into. */
static void let_go(struct sf_msg *m)
{
    uint8_t brief = m->flags & SF_MSG_BRIEF;

    sf_msg_close(m);
    sf_msg_init(m);
    m->flags = brief;
}

/*
 * There was nothing: waits for a frame as long as it may take. The turn is held
 * at the call, and given back.
 */
static int recv_waiting(struct sifr_socket *s, struct sf_msg *m, bool wait, struct into *to)
{
    bool asked = wait && s->asked;
    struct waits w = {false, false};
    int err = -EAGAIN;
    uint64_t deadline;

    if (m->kind == SF_MSG_SLICE) /* most likely of the chunk that what comes next is read into */
        let_go(m);
    /* An answer to what was written just now is not there yet: the wait begins with giving way. */
    if (s->n_leases && !asked && (wait ? sf_direct_read(s) : sf_direct_glance(s)))
        err = recv_directly(s, m);
    if (err != -EAGAIN || !wait)
        return received(s, m, err, to);
    deadline = deadline_of(s->opt.rcv_timeout);
    for (;;) {
        uint32_t ticket;

        if (s->n_leases ? sf_direct_spin(s) : s->n_inproc && sf_direct_gather(s)) {
            sf_socket_take_in(s);
            err = recv_directly(s, m);
            if (err != -EAGAIN)
                break;
        }
        ticket = sf_bell_enter(&s->bell);
        sf_socket_take_in(s);
        /* Nor is it now, most likely; and if it is, the wait at the descriptors ends at once. */
        err = ended(s) ? -SIFR_ETERM : asked ? recv_rest(s, m) : recv_directly(s, m);
        asked = false;
        if (err == -EAGAIN) {
            int waited = await_input(s, ticket, deadline, &w);

            sf_bell_leave(&s->bell);
            if (waited)
                return waited;
            err = recv_directly(s, m);
            if (err != -EAGAIN)
                break;
            continue;
        }
        sf_bell_leave(&s->bell);
        break;
    }
    if (w.polled) {
        /* Another call may wait at its bell for what only the one at the descriptors sees. */
        s->news = true;
        if (err == 0 && sf_msg_size(m) > SF_PIPE_INLINE) /* it came in pieces, and the first ends a sleep */
            s->pace = (struct sf_pace){0};
        else if (err == 0)
            sf_pace_came(&s->pace, sf_clock_ns(), w.slept);
    }
    return received(s, m, err, to);
}

int sf_socket_send_now(struct sifr_socket *s, struct sf_msg *m, bool more, bool wait)
{
    return s->base.pattern->send(&s->base, m, more, wait);
}

/* How far a call came that is in haste. */
enum haste {
    OUTSIDE, /* not at all */
    SEATED,  /* the turn is taken, if it still leans to us */
    INSIDE,  /* as if by enter, but for what is said there */
};

/*
 * The short way of most calls: into an open socket whose turn leans to the caller, and to which
 * nothing was posted: an inproc partner that has closed says so by a post alone, and whoever knows of
 * that must not send to it. It lets go of nothing, so that no free function is to be held up. What
 * cannot be done like that begins with tarry.
 *
 * The tag is not looked at again: who closes the socket takes the turn, which leans to nobody then,
 * and only we can make it lean to us again.
 */
SF_OFTEN enum haste hasten(struct sifr_socket *s, struct sf_seat **seat)
{
    if (SF_RARE(sf_socket_check(s) != 0))
        return OUTSIDE;
    *seat = sf_turn_seat(&s->turn);
    if (SF_RARE(!*seat))
        return OUTSIDE;
    if (SF_RARE(!sf_turn_sit(&s->turn, *seat) ||
                atomic_load_explicit(&s->inbox, memory_order_relaxed) ||
                atomic_load_explicit(&s->ctx->terminating, memory_order_relaxed) ||
                atomic_load_explicit(&s->followed, memory_order_relaxed)))
        return SEATED;
    s->turn.seat = *seat;
    count_call(s);
    return INSIDE;
}

/* Goes on by the ordinary way. As enter. */
static int tarry(struct sifr_socket *s, enum haste came)
{
    if (came == INSIDE) {
        sf_owner_hold();
        take_in(s);
        return 0;
    }
    if (came == SEATED)
        sf_turn_stand(&s->turn);
    return enter(s);
}

static __attribute__((noinline)) int part_late(struct sifr_socket *s, struct sf_seat *seat, int answer)
{
    if (atomic_load_explicit(&s->turn.leans, memory_order_relaxed) != seat)
        sf_turn_wake(seat);
    if (atomic_load(&s->inbox))
        sf_socket_try(s);
    return answer;
}

/* Out again, as sf_turn_drop and leave. Returns `answer`. */
SF_OFTEN int part(struct sifr_socket *s, struct sf_seat *seat, int answer)
{
    sf_turn_rise(seat);
    if (SF_RARE(atomic_load_explicit(&s->turn.leans, memory_order_relaxed) != seat ||
                atomic_load(&s->inbox)))
        return part_late(s, seat, answer);
    return answer;
}

/* Most messages, when the pattern has nothing to add: to whom one went, or NULL. */
SF_OFTEN struct sf_link *send_quick(struct sifr_socket *s, const void *data, size_t size, int flags)
{
    struct sf_peer *p = s->base.sole_out;

    if (SF_RARE(!p || (flags & SIFR_SNDMORE) || !sf_link_put_quick(sf_link_of(p), data, size)))
        return NULL;
    s->rush = 0;
    return sf_link_of(p);
}

/* The same for one that came, into `m`: its size, or -1. Then sf_link_taken is due. */
SF_OFTEN int recv_quick(struct sifr_socket *s, struct sf_msg *m, bool brief)
{
    struct sf_peer *p = s->base.sole_in;
    int size;

    if (SF_RARE(!p))
        return -1;
    size = sf_pipe_get_quick(sf_link_of(p)->in, m, brief);
    if (!SF_RARE(size < 0))
        s->rcvmore = false;
    return size;
}

/* Both, when what follows may be done as well. Whether one came. */
static bool recv_short(struct sifr_socket *s, struct sf_msg *m, bool brief)
{
    if ((brief ? recv_quick(s, m, true) : recv_quick(s, m, false)) < 0)
        return false;
    sf_link_taken(sf_link_of(s->base.sole_in));
    return true;
}

/* One went in haste, of which somebody is to be told. */
static __attribute__((noinline)) int tell_sent(struct sifr_socket *s, struct sf_link *l, size_t size)
{
    sf_owner_hold();
    sf_link_tell(l);
    leave(s);
    return (int)size;
}

static __attribute__((noinline)) int tell_taken(struct sifr_socket *s, int size)
{
    sf_owner_hold();
    sf_link_taken(sf_link_of(s->base.sole_in));
    leave(s);
    return size;
}

/* One came in haste. Returns its size. */
SF_OFTEN int part_with(struct sifr_socket *s, struct sf_seat *seat, int size)
{
    if (SF_RARE(sf_pipe_says_taken(sf_link_of(s->base.sole_in)->in)))
        return tell_taken(s, size);
    return part(s, seat, size);
}

/* Sends on a socket whose turn is held; it is given back. */
static inline int send_entered(struct sifr_socket *s, struct sf_msg *m, int flags)
{
    bool more = flags & SIFR_SNDMORE, wait;
    int err;

    if (!s->base.pattern->send) {
        leave(s);
        return -ENOTSUP;
    }
    m->flags &= (uint8_t)~(SF_MSG_MORE | SF_MSG_COMMAND);
    wait = !(flags & SIFR_DONTWAIT) && s->opt.snd_timeout != 0;
    s->rush = 0;
    err = s->base.pattern->send(&s->base, m, more, wait);
    if (err == -EAGAIN)
        return send_waiting(s, m, more, wait);
    leave(s);
    return err;
}

static int size_result(size_t size)
{
    return size > INT_MAX ? INT_MAX : (int)size;
}

/* The whole of a message's way, when the turn is held. */
static int send_msg(struct sifr_socket *s, struct sf_msg *m, int flags)
{
    struct sf_link *to;
    size_t size;
    int err;

    if (!sf_msg_valid(m)) {
        leave(s);
        return -EFAULT;
    }
    size = sf_msg_size(m);
    to = send_quick(s, sf_msg_data(m), size, flags);
    if (to) {
        if (sf_link_noted(to, size, false))
            sf_link_tell(to);
        leave(s);
    } else {
        err = send_entered(s, m, flags);
        if (err)
            return err;
    }
    sf_msg_close(m);
    sf_msg_init(m);
    return size_result(size);
}

static __attribute__((noinline)) int send_msg_slowly(struct sifr_socket *s, struct sf_msg *m,
                                                     int flags, enum haste came)
{
    int err = tarry(s, came);

    return answer(err ? err : send_msg(s, m, flags));
}

int sifr_msg_send(sifr_msg_t *msg, sifr_socket_t *sock, int flags)
{
    struct sf_msg *m = (struct sf_msg *)(void *)msg;
    struct sf_seat *seat;
    enum haste came = hasten(sock, &seat);
    struct sf_link *to;
    size_t size;

    if (SF_RARE(came != INSIDE || !sf_msg_valid(m)))
        return send_msg_slowly(sock, m, flags, came);
    size = sf_msg_size(m);
    to = send_quick(sock, sf_msg_data(m), size, flags);
    if (SF_RARE(!to))
        return send_msg_slowly(sock, m, flags, INSIDE);
    if (SF_RARE(sf_link_noted(to, size, true)))
        tell_sent(sock, to, size);
    else
        part(sock, seat, 0);
    sf_msg_close(m);
    sf_msg_init(m);
    return (int)size;
}

/* A large buffer becomes a message before the turn is taken: a copy takes its time. */
static __attribute__((noinline)) int send_large(sifr_socket_t *sock, const void *buf, size_t len, int flags)
{
    struct sf_msg m;
    int err = sf_socket_check(sock);

    if (err == 0 && !buf)
        err = -EFAULT;
    if (err == 0)
        err = sf_msg_init_copy(&m, buf, len);
    if (err)
        return answer(err);
    err = enter(sock);
    if (err == 0)
        err = send_entered(sock, &m, flags);
    sf_msg_close(&m);
    return answer(err ? err : size_result(len));
}

/* For the caller's buffer: copied into the queue, which needs no message of its own. With the turn. */
static int send_copied(sifr_socket_t *sock, const void *buf, size_t len, int flags, bool constant)
{
    struct sf_link *to;
    struct sf_msg m;
    int err;

    if (!buf && len) {
        leave(sock);
        return -EFAULT;
    }
    to = send_quick(sock, buf, len, flags);
    if (to) {
        if (sf_link_noted(to, len, false))
            sf_link_tell(to);
        leave(sock);
        return (int)len;
    }
    if (sock->base.conflate && !constant) {
        err = sf_msg_init_copy(&m, buf, len);
        if (err) {
            leave(sock);
            return err;
        }
    } else {
        sf_msg_init_slice(&m, (uint8_t *)(uintptr_t)buf, len, NULL);
        if (!constant)
            m.flags = SF_MSG_BORROWED;
    }
    err = send_entered(sock, &m, flags);
    if (m.slice.owner && m.kind == SF_MSG_SLICE)
        sf_msg_close(&m);
    return err ? err : size_result(len);
}

static __attribute__((noinline)) int send_slowly(sifr_socket_t *sock, const void *buf, size_t len,
                                                 int flags, bool constant, enum haste came)
{
    int err = tarry(sock, came);

    return answer(err ? err : send_copied(sock, buf, len, flags, constant));
}

SF_OFTEN int send_hastily(sifr_socket_t *sock, const void *buf, size_t len, int flags, bool constant)
{
    struct sf_seat *seat;
    struct sf_link *to = NULL;
    enum haste came = hasten(sock, &seat);

    if (!SF_RARE(came != INSIDE || !buf))
        to = send_quick(sock, buf, len, flags);
    if (SF_RARE(!to))
        return send_slowly(sock, buf, len, flags, constant, came);
    if (SF_RARE(sf_link_noted(to, len, true)))
        return tell_sent(sock, to, len);
    return part(sock, seat, (int)len);
}

/* What is more than a few bytes is copied by a call, for which registers have to be saved. */
static __attribute__((noinline)) int send_longer(sifr_socket_t *sock, const void *buf, size_t len,
                                                 int flags, bool constant)
{
    return send_hastily(sock, buf, len, flags, constant);
}

int sifr_send(sifr_socket_t *sock, const void *buf, size_t len, int flags)
{
    if (len <= SF_MSG_INLINE)
        return send_hastily(sock, buf, len, flags, false);
    return len <= SF_PIPE_INLINE ? send_longer(sock, buf, len, flags, false)
                                 : send_large(sock, buf, len, flags);
}

int sifr_send_const(sifr_socket_t *sock, const void *buf, size_t len, int flags)
{
    return len <= SF_MSG_INLINE ? send_hastily(sock, buf, len, flags, true)
                                : send_longer(sock, buf, len, flags, true);
}

/*
 * Receives into `m` on a socket whose turn is held; it is given back. Not the quick way: apart from
 * that, which is brief when this does not stand in it.
 */
static __attribute__((noinline)) int recv_entered(struct sifr_socket *s, struct sf_msg *m, int flags, struct into *to)
{
    int err;

    bool wait = !(flags & SIFR_DONTWAIT) && s->opt.rcv_timeout != 0;

    if (!s->base.pattern->recv) {
        leave(s);
        return -ENOTSUP;
    }
    if (wait && s->rush && s->base.sole_in && sf_direct_linger(s, sf_link_of(s->base.sole_in)) &&
        recv_short(s, m, to))
        return received(s, m, 0, to);
    err = recv_step(s, m);
    if (err == -EAGAIN)
        return recv_waiting(s, m, wait, to);
    return received(s, m, err, to);
}

static __attribute__((noinline)) int recv_msg_slowly(struct sifr_socket *s, struct sf_msg *m,
                                                     int flags, enum haste came)
{
    int err = tarry(s, came);

    if (err)
        return answer(err);
    if (!sf_msg_valid(m)) {
        leave(s);
        return answer(-EFAULT);
    }
    if (came != INSIDE && recv_short(s, m, false))
        leave(s);
    else
        err = recv_entered(s, m, flags, NULL);
    return err ? answer(err) : size_result(sf_msg_size(m));
}

int sifr_msg_recv(sifr_msg_t *msg, sifr_socket_t *sock, int flags)
{
    struct sf_msg *m = (struct sf_msg *)(void *)msg;
    struct sf_seat *seat;
    enum haste came = hasten(sock, &seat);
    int size = -1;

    if (!SF_RARE(came != INSIDE || !sf_msg_valid(m)))
        size = recv_quick(sock, m, false);
    if (SF_RARE(size < 0))
        return recv_msg_slowly(sock, m, flags, came);
    return part_with(sock, seat, size);
}

static __attribute__((noinline)) int recv_slowly(sifr_socket_t *sock, void *buf, size_t len, int flags,
                                                 enum haste came)
{
    struct into to = {.bytes = buf, .room = len};
    struct sf_msg m;
    int err = tarry(sock, came);

    if (err)
        return answer(err);
    if (!buf && len) {
        leave(sock);
        return answer(-EFAULT);
    }
    sf_msg_init(&m);
    m.flags = SF_MSG_BRIEF;
    if (came != INSIDE && recv_short(sock, &m, true))
        received(sock, &m, 0, &to);
    else
        err = recv_entered(sock, &m, flags, &to);
    sf_msg_close(&m);
    return err ? answer(err) : size_result(to.size);
}

int sifr_recv(sifr_socket_t *sock, void *buf, size_t len, int flags)
{
    struct sf_seat *seat;
    enum haste came = hasten(sock, &seat);
    struct sf_msg m;
    int size = -1;

    sf_msg_init(&m);
    m.flags = SF_MSG_BRIEF;
    if (!SF_RARE(came != INSIDE || !buf))
        size = recv_quick(sock, &m, true);
    if (SF_RARE(size < 0))
        return recv_slowly(sock, buf, len, flags, came);
    /* What is brief points to where it stands. */
    copy(buf, m.slice.data, (size_t)size < len ? (size_t)size : len);
    return part_with(sock, seat, size);
}

int sf_socket_events(struct sifr_socket *s)
{
    int events = s->base.pattern->events(&s->base);

    detach_finished(s);
    return events;
}

int sifr_socket_get_peer_state(sifr_socket_t *sock, const void *routing_id, size_t size)
{
    int err = sf_socket_enter(sock);

    if (err)
        return answer(err);
    if (!sock->base.pattern->peer_state)
        err = -ENOTSUP;
    else
        err = !routing_id && size ? -EINVAL
                                  : sock->base.pattern->peer_state(&sock->base, routing_id, size);
    sf_socket_leave(sock);
    return answer(err);
}

/* --- Endpoints --------------------------------------------------------- */

static void entry_free(struct sf_endpoint_entry *e)
{
    sf_list_remove(&e->node);
    if (e->listener)
        sf_listener_unref(e->listener);
    if (e->conn)
        sf_conn_unref(e->conn);
    if (e->link)
        sf_link_unref(e->link);
    sf_free(e);
}

/*
 * An entry for `text`, or for the connection of that text whose reference it takes over on success;
 * not yet in the list. NULL without memory.
 */
static struct sf_endpoint_entry *entry_new(struct sifr_socket *s, const char *text,
                                           struct sf_conn *c)
{
    size_t size = strlen(text) + 1;
    struct sf_endpoint_entry *e;

    sf_free(s->next_endpoint);
    s->next_endpoint = sf_alloc_text(text, size - 1);
    e = s->next_endpoint ? sf_alloc(sizeof *e + (c ? 0 : size)) : NULL;
    if (!e)
        return NULL;
    sf_list_init(&e->node);
    e->conn = c;
    if (!c)
        memcpy(e->own, text, size);
    e->text = c ? sf_conn_text(c) : e->own;
    return e;
}

/* What bind or connect made stands: it is in the list, and the last endpoint. */
static void entry_add(struct sifr_socket *s, struct sf_endpoint_entry *e)
{
    sf_free(s->last_endpoint);
    s->last_endpoint = s->next_endpoint;
    s->next_endpoint = NULL;
    sf_list_push(&s->endpoints, &e->node);
}

/* Whether the socket type may use the transport; `udp`: a flag that it needs for udp. */
static bool carries(const struct sf_pattern *p, const struct sf_transport *t, unsigned udp)
{
    if (t->datagrams)
        return p->flags & udp;
    return !(p->flags & SF_PATTERN_UDP_ALONE) && !(t->inproc && (p->flags & SF_PATTERN_BYTES));
}

static int bind_inproc(struct sifr_socket *s, const char *text, const char *name,
                       struct sf_list *met)
{
    struct sf_endpoint_entry *e = entry_new(s, text, NULL);
    int err;

    if (!e)
        return -ENOMEM;
    err = sf_inproc_bind(s, name, met);
    if (err) {
        entry_free(e);
        return err;
    }
    e->inproc_bind = true;
    entry_add(s, e);
    return 0;
}

static enum sf_framing framing_of(const struct sifr_socket *s, const struct sf_transport *t)
{
    if (t->datagrams)
        return SF_FRAMING_OWN;
    return s->base.raw ? SF_FRAMING_BARE : SF_FRAMING_ZMTP;
}

/* A copy of the options: the last one, while they are the same. With a reference, or NULL. */
static struct sf_profile *profile_of(struct sifr_socket *s, const struct sf_transport *t)
{
    enum sf_framing framing = framing_of(s, t);

    if (s->profile && s->profile->opt.framing != framing)
        sf_socket_forget_profile(s);
    if (!s->profile) {
        s->profile = sf_profile_new(&s->opt, framing);
        if (s->profile)
            s->profile->opt.notify = s->base.notify;
    }
    return s->profile ? sf_profile_ref(s->profile) : NULL;
}

static int bind_stream(struct sifr_socket *s, const struct sf_endpoint *at)
{
    struct sf_loop *loop = sf_ctx_loop(s->ctx, s->opt.affinity);
    struct sf_endpoint_entry *e;
    struct sf_listener *l;
    struct sf_profile *profile;
    int err;

    if (!loop)
        return -SIFR_EMTHREAD;
    profile = profile_of(s, at->transport);
    if (!profile)
        return -ENOMEM;
    err = sf_listener_new(&l, s, loop, profile, at);
    sf_profile_unref(profile);
    if (err)
        return err;
    e = entry_new(s, l->text, NULL);
    if (!e) {
        sf_listener_discard(l);
        return -ENOMEM;
    }
    e->listener = l;
    entry_add(s, e);
    sf_socket_forget_profile(s);
    s->opt.use_fd = -1; /* it is ours now: another bind would close it a second time */
    sf_listener_start(l);
    return 0;
}

static int bind_datagrams(struct sifr_socket *s, const struct sf_endpoint *at);

int sifr_bind(sifr_socket_t *sock, const char *endpoint)
{
    const struct sf_transport *transport;
    struct sf_endpoint at = {0};
    struct sf_list met;
    const char *rest;
    int err = sf_socket_enter(sock);

    if (err)
        return answer(err);
    sf_list_init(&met);
    err = endpoint ? sf_transport_of(&transport, endpoint, &rest) : -EINVAL;
    if (err == 0 && !carries(sock->base.pattern, transport, SF_PATTERN_UDP_IN))
        err = -SIFR_ENOCOMPATPROTO;
    if (err == 0 && !transport->inproc && !sf_ctx_has_loop(sock->ctx, sock->opt.affinity))
        err = -SIFR_EMTHREAD;
    if (err == 0)
        err = sf_endpoint_parse(&at, endpoint, true);
    if (err == 0) {
        if (transport->inproc)
            err = bind_inproc(sock, endpoint, rest, &met);
        else
            err = transport->datagrams ? bind_datagrams(sock, &at) : bind_stream(sock, &at);
        sf_endpoint_fini(&at);
    }
    sf_socket_leave(sock);
    sf_inproc_nudge_all(&met);
    return answer(err);
}

/* A queue for what is dialed, attached to the pattern at once. */
static int make_dialed_link(struct sifr_socket *s, struct sf_conn *c)
{
    struct sf_link *l;
    int err = sf_link_new(&l, s);

    if (err)
        return err;
    l->peer.dialed = true;
    l->peer.subscribes_all = c->profile->opt.framing == SF_FRAMING_OWN;
    err = sf_link_connect(l, c);
    if (err == 0 && s->opt.connect_id.size) {
        l->peer.given_id = (uint8_t *)sf_alloc_text(s->opt.connect_id.data, s->opt.connect_id.size);
        l->peer.given_id_size = (uint8_t)s->opt.connect_id.size;
        if (!l->peer.given_id)
            err = -ENOMEM;
    }
    if (err == 0) {
        err = sf_socket_attach(s, sf_link_ref(l));
        if (err)
            sf_link_unref(l);
    }
    if (err == 0 && l->place == SF_LINK_PARKED && l->peer.given_id_size) {
        sf_socket_detach(s, l); /* CONNECT_ROUTING_ID is in use */
        err = -EINVAL;
    }
    if (err) {
        sf_link_unref(l);
        return err;
    }
    c->link = l;
    return 0;
}

static bool connected_already(struct sifr_socket *s, const char *text)
{
    SF_LIST_EACH(it, after, &s->endpoints) {
        struct sf_endpoint_entry *e = SF_CONTAINER(it, struct sf_endpoint_entry, node);

        if (e->conn && strcmp(e->text, text) == 0 && !atomic_load(&e->conn->stopped))
            return true;
    }
    return false;
}

/* `*number`: the peer's, where it has one. */
static int connect_stream(struct sifr_socket *s, const char *text, const struct sf_transport *t,
                          uint32_t *number)
{
    struct sf_loop *loop = sf_ctx_loop(s->ctx, s->opt.affinity);
    struct sf_endpoint_entry *e;
    struct sf_profile *profile;
    struct sf_conn *c;
    int err;

    if (!loop)
        return -SIFR_EMTHREAD;
    profile = profile_of(s, t);
    if (!profile)
        return -ENOMEM;
    err = sf_conn_dial(&c, s, loop, profile, text);
    sf_profile_unref(profile);
    if (err)
        return err;
    e = entry_new(s, text, c);
    if (!e) {
        sf_conn_unref(c);
        return -ENOMEM;
    }
    if (!s->opt.immediate || t->datagrams) { /* those wait for nobody */
        err = make_dialed_link(s, c);
        if (err) {
            entry_free(e); /* and with it the connection, which was never started */
            return err;
        }
        e->link = sf_link_ref(c->link);
        *number = c->link->peer.number;
    }
    entry_add(s, e);
    sf_conn_poke(c, SF_TODO_START);
    return 0;
}

/* What is heard over udp comes from nobody in particular: one queue, as of what is dialed. */
static int bind_datagrams(struct sifr_socket *s, const struct sf_endpoint *at)
{
    struct sf_loop *loop = sf_ctx_loop(s->ctx, s->opt.affinity);
    struct sf_endpoint_entry *e = NULL;
    char text[SF_STREAM_NAME_MAX], remote[SF_STREAM_NAME_MAX];
    struct sf_stream *stream = NULL;
    struct sf_profile *profile;
    struct sf_conn *c;
    int err;

    if (!loop)
        return -SIFR_EMTHREAD;
    profile = profile_of(s, at->transport);
    if (!profile)
        return -ENOMEM;
    err = at->transport->dial(at, &profile->opt.stream, NULL, &stream);
    if (err == 0) /* should it have to be opened again, then at the port that the system gave */
        err = stream->ops->names(stream, text, remote, sizeof text);
    if (err == 0)
        err = sf_conn_dial(&c, s, loop, profile, text);
    sf_profile_unref(profile);
    if (err == 0) {
        e = entry_new(s, text, c);
        if (e) {
            err = make_dialed_link(s, c);
        } else {
            sf_conn_unref(c);
            err = -ENOMEM;
        }
    }
    if (err) {
        if (e)
            entry_free(e);
        if (stream)
            stream->ops->close(stream);
        return err;
    }
    c->bound = true;
    c->stream = stream;
    e->link = sf_link_ref(c->link);
    entry_add(s, e);
    sf_conn_poke(c, SF_TODO_START);
    return 0;
}

/* `*out`: the link, with a reference for the caller. */
static int connect_inproc(struct sifr_socket *s, const char *text, const char *name,
                          struct sf_link **out)
{
    struct sf_endpoint_entry *e = entry_new(s, text, NULL);
    struct sf_link *l;
    int err;

    if (!e)
        return -ENOMEM;
    err = sf_inproc_connect(s, name, &l);
    if (err) {
        entry_free(e);
        return err;
    }
    e->link = l;
    entry_add(s, e);
    *out = sf_link_ref(l);
    return 0;
}

static void forget_connect_id(struct sifr_socket *s)
{
    if (!s->opt.connect_id.data)
        return;
    sf_socket_forget_profile(s);
    sf_free(s->opt.connect_id.data);
    s->opt.connect_id = (struct sf_bytes){0};
}

/* Connects the socket, whose turn is held. `*met`: a link to be nudged when it is given back, or NULL. */
static int connect_to(struct sifr_socket *sock, const char *endpoint, struct sf_link **met,
                      uint32_t *number)
{
    const struct sf_transport *transport;
    struct sf_endpoint to = {0};
    const char *rest;
    int err = endpoint ? sf_transport_of(&transport, endpoint, &rest) : -EINVAL;

    if (err == 0 && !carries(sock->base.pattern, transport, SF_PATTERN_UDP_OUT))
        err = -SIFR_ENOCOMPATPROTO;
    if (err == 0 && !transport->inproc && !sf_ctx_has_loop(sock->ctx, sock->opt.affinity))
        err = -SIFR_EMTHREAD;
    if (err == 0)
        err = sf_endpoint_parse(&to, endpoint, false);
    if (err == 0) {
        if (transport->inproc)
            err = connect_inproc(sock, endpoint, rest, met);
        else if (!((sock->base.pattern->flags & SF_PATTERN_ONCE) &&
                   connected_already(sock, endpoint)))
            err = connect_stream(sock, endpoint, transport, number);
        sf_endpoint_fini(&to);
        forget_connect_id(sock);
    }
    if (*met)
        *number = (*met)->peer.number;
    return err;
}

static void nudge(struct sf_link *met)
{
    if (!met)
        return;
    sf_inproc_nudge(met);
    sf_link_unref(met);
}

int sifr_connect(sifr_socket_t *sock, const char *endpoint)
{
    struct sf_link *met = NULL;
    uint32_t number;
    int err = sf_socket_enter(sock);

    if (err)
        return answer(err);
    err = connect_to(sock, endpoint, &met, &number);
    sf_socket_leave(sock);
    nudge(met);
    return answer(err);
}

uint32_t sifr_connect_peer(sifr_socket_t *sock, const char *endpoint)
{
    struct sf_link *met = NULL;
    uint32_t number = 0;
    int err = sf_socket_enter(sock);

    if (err == 0) {
        if (sock->base.pattern->type != SIFR_PEER)
            err = -ENOTSUP;
        else if (sock->opt.immediate)
            err = -EFAULT;
        else
            err = connect_to(sock, endpoint, &met, &number);
        sf_socket_leave(sock);
        nudge(met);
    }
    if (err == 0)
        return number;
    answer(err);
    return 0;
}

/*
 * The address is to be free when the call returns. The lease is back, and the loop does not wait for
 * us, unless it runs a program's free function that does: then it is free a little later.
 */
static void await_closed(struct sifr_socket *s, struct sf_conn *c)
{
    uint64_t until = sf_clock_ms() + 2 * SF_LINGER_DATAGRAMS_MS, now;

    if (sf_loop_here(c->loop))
        return; /* a free function that closes: done at the end of this turn */
    while ((now = sf_clock_ms()) < until) {
        uint32_t ticket = sf_bell_enter(&s->bell);
        bool closed = atomic_load(&c->stopped) == SF_STOPPED_CLOSED;

        if (!closed)
            sf_bell_wait(&s->bell, ticket, (int64_t)(until - now));
        sf_bell_leave(&s->bell);
        if (closed)
            return;
    }
}

/* Ends what one bind or connect made. `linger` in ms. */
static void end_entry(struct sifr_socket *s, struct sf_endpoint_entry *e, int linger)
{
    if (e->inproc_bind)
        sf_inproc_unbind(s, strstr(e->text, "://") + 3);
    if (e->listener)
        sf_listener_close(e->listener, linger);
    if (e->link)
        sf_socket_detach(s, e->link);
    if (e->conn) {
        SF_LIST_EACH(it, after, &s->base.peers) { /* IMMEDIATE: its queue is not in the entry */
            struct sf_link *l = sf_link_of(SF_CONTAINER(it, struct sf_peer, node));

            if (l->conn == e->conn) {
                sf_socket_detach(s, l);
                break;
            }
        }
        atomic_store(&e->conn->linger, linger);
        sf_conn_poke(e->conn, SF_TODO_CLOSE);
        if (e->conn->bound)
            await_closed(s, e->conn);
    }
    entry_free(e);
}

static bool removed(const struct sf_endpoint_entry *e)
{
    return e->conn && atomic_load(&e->conn->stopped) == 2;
}

/* Ends all that `text` names: how many. */
static int end_named(struct sifr_socket *s, const char *text, bool bound_only)
{
    int found = 0;

    SF_LIST_EACH(it, after, &s->endpoints) {
        struct sf_endpoint_entry *e = SF_CONTAINER(it, struct sf_endpoint_entry, node);

        if (strcmp(e->text, text) != 0 || (bound_only && !e->listener))
            continue;
        if (removed(e)) {
            entry_free(e);
            continue;
        }
        end_entry(s, e, s->opt.linger);
        found++;
    }
    return found;
}

static int end_endpoint(sifr_socket_t *sock, const char *endpoint)
{
    const struct sf_transport *transport;
    struct sf_endpoint at = {0};
    char canonical[SF_STREAM_NAME_MAX];
    const char *rest;
    int err = sf_socket_enter(sock);

    if (err)
        return err;
    err = endpoint ? sf_transport_of(&transport, endpoint, &rest) : -EINVAL;
    if (err == 0 &&
        !carries(sock->base.pattern, transport, SF_PATTERN_UDP_IN | SF_PATTERN_UDP_OUT))
        err = -SIFR_ENOCOMPATPROTO;
    if (err == 0 && end_named(sock, endpoint, false) == 0) {
        err = -ENOENT;
        /* Another spelling of a bound address? */
        if (transport->canonical && sf_endpoint_parse(&at, endpoint, true) == 0) {
            if (transport->canonical(&at, sock->opt.ipv6, canonical, sizeof canonical) == 0 &&
                end_named(sock, canonical, true))
                err = 0;
            sf_endpoint_fini(&at);
        }
    }
    sf_socket_leave(sock);
    return err;
}

int sifr_unbind(sifr_socket_t *sock, const char *endpoint)
{
    return answer(end_endpoint(sock, endpoint));
}

int sifr_disconnect(sifr_socket_t *sock, const char *endpoint)
{
    return answer(end_endpoint(sock, endpoint));
}

/* What connect made goes with the peer; of what was accepted only the connection. */
static void end_peer(struct sifr_socket *s, struct sf_link *l)
{
    SF_LIST_EACH(it, after, &s->endpoints) {
        struct sf_endpoint_entry *e = SF_CONTAINER(it, struct sf_endpoint_entry, node);

        if (e->link == l || (e->conn && e->conn == l->conn)) {
            end_entry(s, e, s->opt.linger);
            return;
        }
    }
    if (l->conn) {
        atomic_store(&l->conn->linger, s->opt.linger);
        sf_conn_poke(l->conn, SF_TODO_CLOSE);
    }
    sf_socket_detach(s, l);
}

int sifr_disconnect_peer(sifr_socket_t *sock, uint32_t routing_id)
{
    int err = sf_socket_enter(sock);

    if (err)
        return answer(err);
    if (!sock->base.pattern->find) {
        err = -ENOTSUP;
    } else {
        struct sf_peer *p = sock->base.pattern->find(&sock->base, routing_id);

        if (p)
            end_peer(sock, sf_link_of(p));
        else
            err = -EHOSTUNREACH;
    }
    sf_socket_leave(sock);
    return answer(err);
}

/* --- Groups ------------------------------------------------------------ */

static int change_group(sifr_socket_t *sock, const char *group, bool join)
{
    int err = sf_socket_enter(sock);

    if (err)
        return err;
    if (!sock->base.pattern->join)
        err = -ENOTSUP;
    else
        err = group ? sock->base.pattern->join(&sock->base, group, join) : -EINVAL;
    sf_socket_leave(sock);
    return err;
}

int sifr_join(sifr_socket_t *sock, const char *group)
{
    return answer(change_group(sock, group, true));
}

int sifr_leave(sifr_socket_t *sock, const char *group)
{
    return answer(change_group(sock, group, false));
}

/* --- Closing ----------------------------------------------------------- */

int sifr_close(sifr_socket_t *sock)
{
    struct sifr_socket *s = sock;
    struct sf_list links;
    int err = sf_socket_check(s);

    if (err)
        return err == -EINTR ? 0 : answer(err); /* a child leaves its parent's sockets alone */
    sf_owner_hold();
    sf_turn_take(&s->turn);
    if (atomic_exchange(&s->tag, 0) != sf_socket_tag(s)) {
        sf_turn_drop(&s->turn);
        sf_socket_try(s); /* what was posted meanwhile, by who left it to us */
        sf_owner_release();
        return answer(-ENOTSOCK);
    }
    sf_socket_take_in(s);
    atomic_store(&s->closed, 1);

    /* From here on no link is posted. */
    sf_list_init(&links);
    while (!sf_list_empty(&s->parked)) {
        struct sf_list *it = s->parked.next;

        sf_list_remove(it);
        sf_list_push(&links, it);
    }
    SF_LIST_EACH(p, after_p, &s->base.peers) {
        struct sf_link *l = sf_link_of(SF_CONTAINER(p, struct sf_peer, node));

        sf_list_push(&links, &l->parked);
    }
    SF_LIST_EACH(it, after, &links)
        mark_dead(s, SF_CONTAINER(it, struct sf_link, parked));
    while (!sf_list_empty(&s->endpoints))
        end_entry(s, SF_CONTAINER(s->endpoints.next, struct sf_endpoint_entry, node), s->opt.linger);
    SF_LIST_EACH(it, after, &links) {
        struct sf_link *l = SF_CONTAINER(it, struct sf_link, parked);

        if (l->conn) { /* of a listener that was unbound before, too */
            atomic_store(&l->conn->linger, s->opt.linger);
            sf_conn_poke(l->conn, SF_TODO_CLOSE);
        }
        sf_socket_detach(s, l);
    }
    for (turn_away(s); s->strays; turn_away(s))
        sched_yield(); /* a poster stands between setting its bit and pushing */
    sf_monitor_stop(s);
    if (s->base.pattern->fini)
        s->base.pattern->fini(&s->base);
    sf_lock_take(&s->ctx->lock);
    sf_list_remove(&s->node);
    s->ctx->n_sockets -= !s->extra;
    sf_lock_drop(&s->ctx->lock);
    sf_socket_ring(s);
    unwatch_all(s);
    sf_turn_drop(&s->turn);
    sf_socket_try(s);
    sf_owner_release();
    sf_socket_unref(s);
    return 0;
}
