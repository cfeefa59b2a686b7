#ifndef SF_IO_LOOP_H
#define SF_IO_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/poller.h"

/*
 * One thread that serves descriptors, timers and tasks from other threads.
 * Watches, timers and tasks are the caller's memory; after sf_loop_new nothing
 * here allocates, but for the array of the poll backend. A loop with nothing
 * to do never wakes up.
 *
 * A turn: wait, serve what is ready, run the tasks posted until then, fire the
 * timers that are due, call `idle`.
 */
struct sf_loop;
struct sf_slabs;

/* One-shot. Zeroed with `fire` filled in it is ready for use. */
struct sf_timer {
    void (*fire)(struct sf_timer *t); /* it is no longer armed then and may be armed again */
    uint64_t due_ms;                  /* on the scale of sf_loop_now; the loop's to write */

    /* Private: a pairing heap (loop.c). */
    struct sf_timer *child, *next, *prev;
    int where;
};

/* Something to do again in a moment. Zeroed with `run` filled in it is ready for use. */
struct sf_soon {
    void (*run)(struct sf_soon *s); /* it is no longer queued then and may be queued again */
    struct sf_soon *next, **link; /* private; link NULL: not queued */
};

/* Zeroed with `run` filled in it is ready for use. */
struct sf_task {
    void (*run)(struct sf_task *t); /* in the loop's thread; may free or post the task */
    _Atomic(struct sf_task *) next; /* private */
    _Atomic int queued;             /* private */
};

/* All zeroes means the defaults, but for policy and priority, where -1 does. */
struct sf_loop_config {
    const char *name; /* of the thread, cut at 15 bytes; NULL: inherited. Borrowed, as all pointers here. */
    int policy;       /* SCHED_...; -1: inherited */
    int priority;     /* for that policy; without a real-time policy anything > 0 means nice -20; -1: inherited */
    const uint16_t *cpus; /* those the thread may run on; n_cpus 0: inherited */
    size_t n_cpus;
    enum sf_poller_kind poller;
    bool use_pipe;           /* wake by pipe even where there is eventfd: for tests */
    void (*idle)(void *arg); /* NULL: none; called at the end of each turn */
    void *idle_arg;
};

/*
 * Starts a loop. Its thread blocks all signals. What the system refuses of
 * policy, priority and affinity is left as inherited. 0, or -ENOMEM, -EMFILE,
 * -ENFILE, -EAGAIN (no more threads), -ENOTSUP (no such poller here).
 */
int sf_loop_new(struct sf_loop **out, const struct sf_loop_config *cfg);

/*
 * Stops the loop after the turn it is in and joins its thread; then runs, in
 * the calling thread, what tasks were still queued (sf_loop_here is true in
 * them). Timers and watches that are left are forgotten. Nobody may post any
 * more by then. Not from the loop's own thread. NULL is allowed.
 */
void sf_loop_free(struct sf_loop *l);

/* The same in a forked child, where the thread does not exist: frees, joins and runs nothing. */
void sf_loop_forget(struct sf_loop *l);

/* Whether the caller is the loop's thread. Any thread. */
bool sf_loop_here(const struct sf_loop *l);

/*
 * Has `t` run in the loop; what was written before is visible there. A task
 * that is queued already stays queued once; `queued` is cleared before it is
 * run, so that a post made during the run counts again. Tasks of one thread
 * run in the order posted. Never fails, takes no lock, and pays a system call
 * only if the loop sleeps. Any thread, the loop's included.
 */
void sf_loop_post(struct sf_loop *l, struct sf_task *t);

/* From here on: loop thread only. */

/*
 * Has `w->ready` called as long as `w->fd` is ready for something in `want`;
 * a later call changes `want`, and 0 takes it out of the kernel's set. 0,
 * -ENOMEM, -ENOSPC, -EBADF, -EPERM; after a failure the old want holds.
 */
int sf_loop_watch(struct sf_loop *l, struct sf_watch *w, unsigned want);

/*
 * Ends that, before the descriptor is closed. No event is delivered after it,
 * not even one already fetched in this turn: `w` may be freed at once, also
 * within its own callback. Harmless for a watch that was never registered.
 */
void sf_loop_unwatch(struct sf_loop *l, struct sf_watch *w);

/*
 * Arms `t`, or moves it if it is armed, to fire once after `in_ms`: never
 * before, and not before the next turn. Deadlines saturate.
 */
void sf_loop_timer(struct sf_loop *l, struct sf_timer *t, uint64_t in_ms);

/*
 * Has `s` run once in about `in_us`, or sooner, with the next of the others: for
 * work that gathers while one waits a moment.
 */
void sf_loop_soon(struct sf_loop *l, struct sf_soon *s, uint32_t in_us);

static inline bool sf_soon_queued(const struct sf_soon *s)
{
    return s->link != NULL;
}

/* Takes it back. Harmless for one that is not queued. */
void sf_loop_unsoon(struct sf_loop *l, struct sf_soon *s);

/* Disarms `t`, even if it is due in this turn. Harmless for one that is not armed. */
void sf_loop_cancel(struct sf_loop *l, struct sf_timer *t);

static inline bool sf_timer_armed(const struct sf_timer *t)
{
    return t->where != 0;
}

/* Monotonic milliseconds, read once a turn. */
uint64_t sf_loop_now(const struct sf_loop *l);

/* 64 KiB to read into, valid until the callback returns. `*size` gets its size. */
uint8_t *sf_loop_scratch(struct sf_loop *l, size_t *size);

/* Where this loop's things of one size live that do not stay; its user says which. */
struct sf_slabs *sf_loop_slabs(struct sf_loop *l);

#endif
