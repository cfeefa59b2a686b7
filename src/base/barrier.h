#ifndef SF_BASE_BARRIER_H
#define SF_BASE_BARRIER_H

#include <stdatomic.h>
#include <stdbool.h>

/*
 * Dekker's pattern where one side runs a million times as often as the other:
 * each stores, then looks at what the other stores, and one of them at least is
 * to see the other. The frequent side puts sf_barrier_light between its store
 * and its look, the rare one sf_barrier_heavy.
 *
 * Why that is enough: heavy makes every running thread of the process pass a
 * full barrier (membarrier(2), private expedited), and a thread that does not
 * run passed one when it was stopped. If that of the frequent thread fell
 * behind its store, the rare one sees the store; else its look, which the
 * compiler keeps behind the store, comes after the barrier, and sees what the
 * rare one stored before.
 *
 * Without the system call both are full fences. A program that enters a sandbox
 * which forbids it finds them so from then on, but heavy waits a millisecond,
 * for those that rely on what sf_barrier_asks said before. Any thread.
 */
static inline void sf_barrier_light(void);
void sf_barrier_heavy(void);

/* Asks the kernel, once; before the first use of either. */
void sf_barrier_begin(void);

extern _Atomic bool sf_barrier_cheap; /* light costs nothing; set by begin, cleared by a sandbox */

/* Whether light costs nothing, and heavy a system call. */
static inline bool sf_barrier_asks(void)
{
    return atomic_load_explicit(&sf_barrier_cheap, memory_order_relaxed);
}

static inline void sf_barrier_light(void)
{
    if (atomic_load_explicit(&sf_barrier_cheap, memory_order_relaxed))
        atomic_signal_fence(memory_order_seq_cst);
    else
        atomic_thread_fence(memory_order_seq_cst);
}

#endif
