/* One thread that serves descriptors, timers and tasks from other threads. */
#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#include <sys/prctl.h>
#endif

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/park.h"
#include "base/slab.h"

enum { READY_MAX = 64, SCRATCH_BYTES = 65536, NAME_BYTES = 16,
       WAKE_EVERY = 32, WAKE_NS = 400000 }; /* descriptors served, or so long, before sleepers are woken */

enum { TIMER_OFF, TIMER_IN_HEAP, TIMER_DUE };

struct sf_loop {
    /* Fixed before the thread starts. */
    struct sf_loop_config cfg; /* name and cpus are not kept */
    char name[NAME_BYTES];
    const struct sf_poller_ops *ops;
    struct sf_poller *poller; /* owns */
    pthread_t thread;
    bool started;
    int wake_to;           /* owns; what is written to wake the loop; == wake.fd for an eventfd */
    struct sf_watch wake;  /* owns its fd */

    /* The loop's. */
    struct sf_timer *timers;              /* root of the heap */
    struct sf_soon *soon;                 /* to be run at soon_us */
    uint64_t soon_us;
    struct sf_timer *due;                 /* those of this turn that have not fired yet */
    uint64_t now_ms;
    struct sf_ready ready[READY_MAX];
    uint8_t *scratch; /* owns */
    struct sf_slabs slabs;

    /* Everybody's: see sf_loop_post. */
    _Atomic(struct sf_task *) posted; /* the newest first */
    _Atomic int sleeping;
    _Atomic int stopping;
};

static _Thread_local const struct sf_loop *current;

/* ---- Timers --------------------------------------------------------------------------------- */

/*
 * A pairing heap, ordered by due_ms. `child` is the first child, `next` the
 * next sibling, `prev` the previous sibling or, for a first child, the parent:
 *
 *      root
 *       |child                    a->prev == root
 *       a --next--> b --next--> c     b->prev == a
 */
static struct sf_timer *meld(struct sf_timer *a, struct sf_timer *b)
{
    struct sf_timer *t;

    if (!a)
        return b;
    if (!b)
        return a;
    if (b->due_ms < a->due_ms) {
        t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    return a;
}

/* Makes one heap of a list of siblings: pairs from the left, then all from the right. */
static struct sf_timer *meld_siblings(struct sf_timer *t)
{
    struct sf_timer *pairs = NULL, *heap = NULL;

    while (t) {
        struct sf_timer *a = t, *b = t->next;

        t = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs; /* a root's `next` is free to chain the pairs */
        pairs = a;
    }
    while (pairs) {
        struct sf_timer *a = pairs;

        pairs = a->next;
        a->next = NULL;
        heap = meld(heap, a);
    }
    return heap;
}

/* Takes `t` from among its siblings, or from the list of due timers. */
static void unlink_timer(struct sf_timer **head, struct sf_timer *t)
{
    if (t == *head)
        *head = t->next;
    else if (t->prev->child == t)
        t->prev->child = t->next;
    else
        t->prev->next = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

static void take_from_heap(struct sf_loop *l, struct sf_timer *t)
{
    struct sf_timer *rest = meld_siblings(t->child);

    t->child = NULL;
    if (t == l->timers) {
        l->timers = rest;
    } else {
        unlink_timer(&l->timers, t);
        l->timers = meld(l->timers, rest);
    }
    t->where = TIMER_OFF;
}

/*
 * First all that are due are set aside, so that one which arms itself anew
 * with 0 fires in the next turn and not for ever in this one.
 */
static void fire_timers(struct sf_loop *l)
{
    struct sf_timer *last = NULL, *t;

    while ((t = l->timers) && t->due_ms <= l->now_ms) {
        take_from_heap(l, t);
        t->where = TIMER_DUE;
        t->prev = last;
        if (last)
            last->next = t;
        else
            l->due = t;
        last = t;
    }
    while ((t = l->due)) {
        unlink_timer(&l->due, t);
        t->where = TIMER_OFF;
        t->fire(t);
    }
}

/* How long to wait; for timers in whole milliseconds, rounded up, so that the loop does not wake before the time. */
static int64_t time_left_us(const struct sf_loop *l)
{
    uint64_t due_us, now_us;

    if (!l->timers && !l->soon)
        return -1;
    now_us = sf_clock_us();
    if (l->soon)
        return l->soon_us > now_us ? (int64_t)(l->soon_us - now_us) : 0;
    if (l->timers->due_ms > (uint64_t)INT_MAX * 1000)
        return (int64_t)INT_MAX * 1000;
    due_us = l->timers->due_ms * 1000;
    return due_us > now_us ? (int64_t)((due_us - now_us + 999) / 1000 * 1000) : 0;
}

void sf_loop_soon(struct sf_loop *l, struct sf_soon *s, uint32_t in_us)
{
    uint64_t at_us;

    if (s->link)
        return;
    at_us = sf_clock_us() + in_us;
    if (!l->soon || at_us < l->soon_us)
        l->soon_us = at_us;
    s->next = l->soon;
    if (s->next)
        s->next->link = &s->next;
    s->link = &l->soon;
    l->soon = s;
}

void sf_loop_unsoon(struct sf_loop *l, struct sf_soon *s)
{
    (void)l;
    if (!s->link)
        return;
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    s->link = NULL;
}

static void run_soon(struct sf_loop *l)
{
    struct sf_soon *now = l->soon;

    if (!now || sf_clock_us() < l->soon_us)
        return;
    l->soon = NULL;
    now->link = &now;
    while (now) {
        struct sf_soon *s = now;

        sf_loop_unsoon(l, s);
        s->run(s);
    }
}

void sf_loop_timer(struct sf_loop *l, struct sf_timer *t, uint64_t in_ms)
{
    uint64_t now_us = sf_clock_us(); /* not the turn's: a long turn must not shorten the wait */
    uint64_t from_ms = in_ms ? (now_us + 999) / 1000 : now_us / 1000;

    sf_loop_cancel(l, t);
    t->due_ms = in_ms > UINT64_MAX - from_ms ? UINT64_MAX : from_ms + in_ms;
    t->where = TIMER_IN_HEAP;
    l->timers = meld(l->timers, t);
}

void sf_loop_cancel(struct sf_loop *l, struct sf_timer *t)
{
    if (t->where == TIMER_IN_HEAP)
        take_from_heap(l, t);
    else if (t->where == TIMER_DUE)
        unlink_timer(&l->due, t);
    t->where = TIMER_OFF;
}

uint64_t sf_loop_now(const struct sf_loop *l)
{
    return l->now_ms;
}

/* ---- Tasks ---------------------------------------------------------------------------------- */

static void write_wake(struct sf_loop *l)
{
    uint64_t one = 1;
    ssize_t n;

    do
        n = write(l->wake_to, &one, l->wake_to == l->wake.fd ? sizeof one : 1);
    while (n < 0 && errno == EINTR);
    /* EAGAIN: it is full, so the loop is awake or wakes. */
}

/*
 * Why no wake-up is lost. The poster (1) pushes the task, (2) reads `sleeping`;
 * the loop (3) sets `sleeping`, (4) looks for tasks, and sleeps if there are
 * none. All four are sequentially consistent, so they have one order: if (4)
 * misses the push, it is before (1) and so (3) is before (2), and the poster
 * sees that it has to write. The exchange lets only one of many posters write.
 * A write that comes when the loop has woken by itself makes it turn once in vain.
 *
 * Why what the poster wrote is seen even when it found the task queued: its
 * exchange on `queued` releases; the loop's exchange to 0, before run, reads
 * it or a later one of the same chain, and acquires. If the loop's exchange
 * came first instead, the poster read 0 and queues the task anew.
 *
 * The push takes tasks singly and the loop takes all at once, so there is no
 * ABA; after the push the task is not touched here, as it may be freed.
 */
void sf_loop_post(struct sf_loop *l, struct sf_task *t)
{
    struct sf_task *head;

    if (atomic_exchange_explicit(&t->queued, 1, memory_order_acq_rel))
        return;
    head = atomic_load_explicit(&l->posted, memory_order_relaxed);
    do
        atomic_store_explicit(&t->next, head, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&l->posted, &head, t)); /* (1) */
    if (current == l)
        return;
    if (atomic_load(&l->sleeping) && atomic_exchange(&l->sleeping, 0)) /* (2) */
        write_wake(l);
}

/* Runs what was posted until now, in the order posted. Whether there was anything. */
static bool run_tasks(struct sf_loop *l)
{
    struct sf_task *newest, *oldest = NULL, *t;

    if (!atomic_load_explicit(&l->posted, memory_order_relaxed))
        return false;
    newest = atomic_exchange_explicit(&l->posted, NULL, memory_order_acquire);
    while ((t = newest)) {
        newest = atomic_load_explicit(&t->next, memory_order_relaxed);
        atomic_store_explicit(&t->next, oldest, memory_order_relaxed);
        oldest = t;
    }
    while ((t = oldest)) {
        oldest = atomic_load_explicit(&t->next, memory_order_relaxed);
        atomic_exchange_explicit(&t->queued, 0, memory_order_acq_rel);
        t->run(t);
    }
    return true;
}

static void drain_wake(struct sf_watch *w, unsigned events)
{
    uint64_t bytes[8];

    (void)events;
    while (read(w->fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        ;
}

/* ---- Descriptors ---------------------------------------------------------------------------- */

int sf_loop_watch(struct sf_loop *l, struct sf_watch *w, unsigned want)
{
    int err;

    if (w->want == want)
        return 0;
    err = l->ops->set(l->poller, w, want);
    if (err)
        return err;
    w->want = want;
    return 0;
}

void sf_loop_unwatch(struct sf_loop *l, struct sf_watch *w)
{
    sf_loop_watch(l, w, 0);
    if (w->event) {
        l->ready[w->event - 1].watch = NULL;
        w->event = 0;
    }
}

static void serve(struct sf_loop *l, int n)
{
    uint64_t woken = 0;

    for (int i = 0; i < n; i++)
        l->ready[i].watch->event = i + 1;
    if (n > 1) { /* who waits for several would be woken for each, and on this core take it from us */
        sf_bells_hold();
        woken = sf_clock_ns();
    }
    for (int i = 0; i < n; i++) {
        struct sf_watch *w = l->ready[i].watch;
        unsigned events = l->ready[i].events;

        if (!w) /* unwatched by one served before */
            continue;
        w->event = 0;
        events &= w->want | SF_HUP;
        if (events & SF_HUP)
            events |= w->want;
        if (w->want && events)
            w->ready(w, events);
        if (n > 1 && (i % WAKE_EVERY == WAKE_EVERY - 1 || sf_clock_ns() - woken > WAKE_NS)) {
            sf_bells_flush();
            woken = sf_clock_ns();
        }
    }
    sf_bells_release();
}

uint8_t *sf_loop_scratch(struct sf_loop *l, size_t *size)
{
    *size = SCRATCH_BYTES;
    return l->scratch;
}

struct sf_slabs *sf_loop_slabs(struct sf_loop *l)
{
    return &l->slabs;
}

/* ---- The thread ----------------------------------------------------------------------------- */

static void wait_and_serve(struct sf_loop *l)
{
    int64_t timeout_us = 0;
    int n;

    if (!atomic_load_explicit(&l->posted, memory_order_relaxed)) {
        timeout_us = time_left_us(l);
        if (timeout_us != 0) {
            atomic_store(&l->sleeping, 1);                          /* (3) */
            if (atomic_load(&l->posted) || atomic_load(&l->stopping)) /* (4) */
                timeout_us = 0;
        }
    }
    n = l->ops->wait(l->poller, timeout_us, l->ready, READY_MAX);
    atomic_store_explicit(&l->sleeping, 0, memory_order_relaxed);
    l->now_ms = sf_clock_ms();
    if (n > 0)
        serve(l, n);
}

/* What the system refuses here is left as inherited: a loop with the wrong priority still works. */
static void set_up_thread(struct sf_loop *l)
{
#ifdef __linux__
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL); /* ns: the default rounds waits by 50 us */
    if (l->name[0])
        prctl(PR_SET_NAME, (unsigned long)l->name, 0UL, 0UL, 0UL);
#endif
    if (l->cfg.policy == SCHED_FIFO || l->cfg.policy == SCHED_RR) {
        struct sched_param param = {0};

        param.sched_priority = l->cfg.priority >= 0 ? l->cfg.priority
                                                    : sched_get_priority_min(l->cfg.policy);
        pthread_setschedparam(pthread_self(), l->cfg.policy, &param);
        return;
    }
    if (l->cfg.policy >= 0) {
        struct sched_param param = {0};

        pthread_setschedparam(pthread_self(), l->cfg.policy, &param);
    }
#ifdef __linux__
    if (l->cfg.priority > 0)
        setpriority(PRIO_PROCESS, 0, -20); /* Linux: of the calling thread alone */
#endif
}

static void *loop_main(void *arg)
{
    struct sf_loop *l = arg;

    current = l;
    set_up_thread(l);
    while (!atomic_load(&l->stopping)) {
        wait_and_serve(l);
        run_tasks(l);
        run_soon(l);
        fire_timers(l);
        if (l->cfg.idle)
            l->cfg.idle(l->cfg.idle_arg);
    }
    return NULL;
}

/* ---- Begin and end -------------------------------------------------------------------------- */

static int open_pipe(struct sf_loop *l)
{
    int fds[2];

    if (pipe(fds) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    l->wake.fd = fds[0];
    l->wake_to = fds[1];
    return 0;
}

static int open_wake(struct sf_loop *l)
{
#ifdef __linux__
    if (!l->cfg.use_pipe) {
        l->wake.fd = l->wake_to = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (l->wake.fd >= 0)
            return 0;
        if (errno != ENOSYS && errno != EINVAL)
            return errno == ENOMEM ? -ENOMEM : -EMFILE;
    }
#endif
    return open_pipe(l);
}

#ifdef __linux__
static void set_affinity(pthread_attr_t *attr, const struct sf_loop_config *cfg)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (size_t i = 0; i < cfg->n_cpus; i++)
        if (cfg->cpus[i] < CPU_SETSIZE)
            CPU_SET(cfg->cpus[i], &set);
    pthread_attr_setaffinity_np(attr, sizeof set, &set);
}
#endif

static int start_thread(struct sf_loop *l, const struct sf_loop_config *cfg)
{
    sigset_t all, before;
    pthread_attr_t attr;
    int err;

    if (pthread_attr_init(&attr))
        return -ENOMEM;
#ifdef __linux__
    if (cfg->n_cpus)
        set_affinity(&attr, cfg);
#endif
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the thread */
    err = pthread_create(&l->thread, &attr, loop_main, l);
    if (err && cfg->n_cpus) /* perhaps none of these cpus exists */
        err = pthread_create(&l->thread, NULL, loop_main, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (err)
        return err == ENOMEM ? -ENOMEM : -EAGAIN;
    l->started = true;
    return 0;
}

/* Accepts a half-built loop. */
static void destroy(struct sf_loop *l)
{
    if (l->ops)
        l->ops->close(l->poller);
    if (l->wake_to >= 0 && l->wake_to != l->wake.fd)
        close(l->wake_to);
    if (l->wake.fd >= 0)
        close(l->wake.fd);
    sf_slabs_fini(&l->slabs);
    sf_free(l->scratch);
    sf_free(l);
}

int sf_loop_new(struct sf_loop **out, const struct sf_loop_config *cfg)
{
    struct sf_loop *l;
    int err = -ENOMEM;

    l = sf_alloc(sizeof *l);
    if (!l)
        return -ENOMEM;
    l->cfg = *cfg;
    l->cfg.name = NULL;
    l->cfg.cpus = NULL;
    for (int i = 0; cfg->name && cfg->name[i] && i < NAME_BYTES - 1; i++)
        l->name[i] = cfg->name[i];
    l->wake.fd = l->wake_to = -1;
    l->wake.ready = drain_wake;
    l->now_ms = sf_clock_ms();
    l->scratch = sf_alloc_raw(SCRATCH_BYTES);
    if (!l->scratch)
        goto fail;
    l->ops = sf_poller_find(cfg->poller);
    err = -ENOTSUP;
    if (!l->ops)
        goto fail;
    err = l->ops->open(&l->poller);
    if (err)
        goto fail;
    err = open_wake(l);
    if (err)
        goto fail;
    err = sf_loop_watch(l, &l->wake, SF_READ);
    if (err)
        goto fail;
    err = start_thread(l, cfg);
    if (err)
        goto fail;
    *out = l;
    return 0;
fail:
    destroy(l);
    return err;
}

void sf_loop_free(struct sf_loop *l)
{
    const struct sf_loop *before = current;

    if (!l)
        return;
    if (l->started) {
        atomic_store(&l->stopping, 1);
        write_wake(l);
        pthread_join(l->thread, NULL);
    }
    current = l;
    while (run_tasks(l))
        ;
    current = before;
    destroy(l);
}

void sf_loop_forget(struct sf_loop *l)
{
    if (l)
        destroy(l);
}

bool sf_loop_here(const struct sf_loop *l)
{
    return current == l;
}
