/* Sleeping on a word: futex on Linux. */
#include "base/park.h"
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { HOUR_MS = 3600 * 1000 };

static long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

void sf_lock_wait(struct sf_lock *l)
{
    while (atomic_exchange_explicit(&l->state, 2, memory_order_acquire) != 0)
        futex(&l->state, FUTEX_WAIT, 2, NULL);
}

void sf_lock_wake(struct sf_lock *l)
{
    futex(&l->state, FUTEX_WAKE, 1, NULL);
}

void sf_word_wait(_Atomic uint32_t *word, uint32_t value)
{
    futex(word, FUTEX_WAIT, value, NULL);
}

void sf_word_wake(_Atomic uint32_t *word)
{
    futex(word, FUTEX_WAKE, INT_MAX, NULL);
}

uint32_t sf_bell_enter(struct sf_bell *b)
{
    atomic_fetch_add(&b->waiters, 1);
    return atomic_load(&b->rings);
}

void sf_bell_leave(struct sf_bell *b)
{
    atomic_fetch_sub(&b->waiters, 1);
}

int sf_bell_wait(struct sf_bell *b, uint32_t ticket, int64_t timeout_ms)
{
    /* Always with a limit: without one, a signal with SA_RESTART would not end the wait. */
    int64_t slice = timeout_ms < 0 || timeout_ms > HOUR_MS ? HOUR_MS : timeout_ms;
    struct timespec t = {.tv_sec = slice / 1000, .tv_nsec = slice % 1000 * 1000000};

    if (timeout_ms == 0)
        return -EAGAIN;
    if (futex(&b->rings, FUTEX_WAIT, ticket, &t) == 0)
        return 0;
    switch (errno) {
    case EINTR: return -EINTR;
    case ETIMEDOUT: return slice == timeout_ms ? -EAGAIN : 0;
    default: return 0; /* EAGAIN: rung before the sleep began */
    }
}

/* This thread's: the words of bells whose sleepers are to be woken. Only their addresses are used. */
enum { HELD_MAX = 8 };
static _Thread_local struct {
    bool holds;
    int n;
    _Atomic uint32_t *words[HELD_MAX];
} held;

static void wake_later(_Atomic uint32_t *word)
{
    for (int i = 0; i < held.n; i++)
        if (held.words[i] == word)
            return;
    if (held.n == HELD_MAX)
        sf_bells_flush();
    held.words[held.n++] = word;
}

void sf_bell_ring(struct sf_bell *b)
{
    atomic_fetch_add(&b->rings, 1);
    if (atomic_load(&b->waiters) == 0)
        return;
    if (held.holds)
        wake_later(&b->rings);
    else
        futex(&b->rings, FUTEX_WAKE, INT_MAX, NULL);
}

void sf_bells_hold(void)
{
    held.holds = true;
}

void sf_bells_flush(void)
{
    for (int i = 0; i < held.n; i++)
        futex(held.words[i], FUTEX_WAKE, INT_MAX, NULL);
    held.n = 0;
}

bool sf_bells_release(void)
{
    bool held_them = held.holds;

    sf_bells_flush();
    held.holds = false;
    return held_them;
}
