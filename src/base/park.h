#ifndef SF_BASE_PARK_H
#define SF_BASE_PARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Waiting and locking on one word. All zeroes is a ready lock or bell; nothing
 * is to be freed. Any thread.
 *
 * The lock's word: 0 free, 1 held, 2 held and somebody may be asleep.
 */
struct sf_lock {
    _Atomic uint32_t state;
};

static inline void sf_lock_take(struct sf_lock *l);
static inline bool sf_lock_try(struct sf_lock *l);
static inline void sf_lock_drop(struct sf_lock *l);

/* For the holder: whether somebody may be asleep waiting for it. */
static inline bool sf_lock_wanted(struct sf_lock *l)
{
    return atomic_load_explicit(&l->state, memory_order_relaxed) == 2;
}

/*
 * A bell is rung by those who changed something and heard by those who wait
 * for it. The waiter: enter, look at what it waits for, and only if that is not
 * so, wait with the ticket that enter gave; a ring between the two ends the
 * wait at once, so none is lost. At last leave.
 *
 * Why: enter increments `waiters` and then reads `rings`; ring increments
 * `rings` and then reads `waiters`, all sequentially consistent. So either the
 * ringer sees the waiter, and wakes it, or the waiter sees the new number, and
 * the kernel's comparison refuses to sleep.
 */
struct sf_bell {
    _Atomic uint32_t rings;
    _Atomic uint32_t waiters;
};

uint32_t sf_bell_enter(struct sf_bell *b);
void sf_bell_leave(struct sf_bell *b);

/*
 * Sleeps until the bell is rung after `ticket` was given, or `timeout_ms` are
 * over (-1: no limit). 0, -EAGAIN when time is over, -EINTR when a signal was
 * caught (also with SA_RESTART).
 */
int sf_bell_wait(struct sf_bell *b, uint32_t ticket, int64_t timeout_ms);

/* Wakes all that wait; a system call only if there are any. */
void sf_bell_ring(struct sf_bell *b);

/*
 * For a thread that is about to ring again and again: until the release those who sleep are woken
 * at a flush, all at once, and not in the middle of what it does. A bell may be gone by then.
 */
void sf_bells_hold(void);
void sf_bells_flush(void);
bool sf_bells_release(void); /* whether it held them */

/* Sleeps while the word is `value`, or not at all; may end for no reason. Wakes all who do. */
void sf_word_wait(_Atomic uint32_t *word, uint32_t value);
void sf_word_wake(_Atomic uint32_t *word);

/* The ways of the lock that need the kernel. */
void sf_lock_wait(struct sf_lock *l);
void sf_lock_wake(struct sf_lock *l);

static inline bool sf_lock_try(struct sf_lock *l)
{
    uint32_t free = 0;

    return atomic_compare_exchange_strong(&l->state, &free, 1);
}

static inline void sf_lock_take(struct sf_lock *l)
{
    if (!sf_lock_try(l))
        sf_lock_wait(l);
}

static inline void sf_lock_drop(struct sf_lock *l)
{
    /* A full barrier: who looks again after dropping must not look before (core/socket.c). */
    if (atomic_exchange(&l->state, 0) == 2)
        sf_lock_wake(l);
}

#endif
