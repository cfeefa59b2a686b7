#ifndef SF_WIRE_LOG_H
#define SF_WIRE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/pipe.h"

/*
 * A log holds messages for many pipes, each framed once. A pipe shows a
 * stretch of it through a window, which stands among the pipe's own chunks:
 *
 *   log     [chunk]-->[chunk]-->[chunk]-->[chunk]...      one writer
 *               ^---------^         ^--------------
 *   pipe  [own]-->(window)-->(window, open)               a reader each
 *
 * An open window shows whatever the log gets. It closes where the log ends at
 * that time: when its pipe is full (what comes then is not for it: a gap), or
 * when something else is to stand behind it. A pipe's messages and its mark
 * count as if it had them all itself.
 *
 * Chunks: the log's writer has a reference to the one it fills; an open window
 * has one to each chunk that begins while it is open and to that where it
 * began, and gives them back as its reader passes. So the writer pays once a
 * chunk, whatever the number of pipes, and what is in no window is free.
 *
 * Threads: the log, and opening and closing, are the writer's of the log and of
 * all its pipes. Windows are published like chunks. Sleepers: sf_log_doze.
 */
struct sf_log {
    struct sf_pipe *pipe; /* owns; its chunks, without a reader */
    _Atomic uint32_t refs;
    _Atomic(struct sf_sleeper *) sleepers; /* shares each; newest first */
};

/* Who is to be woken when a log gets something: one for all readers of a thread. Counted. */
struct sf_sleeper {
    void (*wake)(struct sf_sleeper *); /* in the writer's thread; takes over a reference */
    void (*free)(struct sf_sleeper *);
    struct sf_sleeper *next; /* the dozer's until it is in `sleepers`, then the taker's */
    _Atomic uint32_t refs;
    _Atomic int dozing; /* it is in `sleepers`, or will be woken without being there */
};

struct sf_window {
    struct sf_log *log;         /* shares */
    struct sf_sleeper *sleeper; /* shares */
    struct sf_chunk *chunk;     /* where it begins; */
    uint32_t off, seg;          /* ... before which byte and segment */
    uint32_t end_off;           /* bytes of `end` that it shows; written before it */
    _Atomic(struct sf_chunk *) end; /* stored with release, last; NULL: it is open */
    uint64_t first;             /* messages in the log before it */
    uint64_t first_bytes;       /* their payload */
};

/* The window that is this item of a pipe. */
static inline struct sf_window *sf_window_of(struct sf_chunk *item)
{
    return (struct sf_window *)(void *)item->bytes;
}

static inline bool sf_window_open(const struct sf_window *w)
{
    return !atomic_load_explicit(&w->end, memory_order_acquire);
}

/* Called by the last sf_owner_unref. */
void sf_window_free(struct sf_chunk *item);

static inline struct sf_sleeper *sf_sleeper_ref(struct sf_sleeper *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void sf_sleeper_unref(struct sf_sleeper *s); /* NULL is allowed */

int sf_log_new(struct sf_log **out); /* one reference; 0 or -ENOMEM */
void sf_log_unref(struct sf_log *l); /* NULL is allowed */

/* --- The writer's ------------------------------------------------------ */

/*
 * Opens a window at the end of `p`, which is not conflated, has none open and
 * no message under way; nor has the log. The next message, of a first frame of
 * `size` bytes, is the first it shows. 0 or -ENOMEM.
 */
int sf_log_open(struct sf_log *l, struct sf_pipe *p, struct sf_sleeper *s, size_t size);

/* Closes the window of `p`: a message under way is not for it. Harmless when it has none open. */
void sf_log_close(struct sf_pipe *p);

/*
 * The same, but the pipe gets what there is of the message under way for
 * itself, as a message begun. 1: so it is, 0: there is none, or -ENOMEM.
 */
int sf_log_part(struct sf_pipe *p);

/* Appends a frame, as sf_pipe_put; the last shows the message. 0 or -ENOMEM (rolled back). */
int sf_log_put(struct sf_log *l, struct sf_msg *m, bool more);

/* Wakes whoever dozes; after each message. */
void sf_log_wake(struct sf_log *l);

/* --- A reader's -------------------------------------------------------- */

/* Has `s` woken once by the next sf_log_wake; the caller looks again for what is there. */
void sf_log_doze(struct sf_log *l, struct sf_sleeper *s);

#endif
