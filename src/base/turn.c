/* Turns: the ways of those that a turn does not lean to. */
#include "base/turn.h"

enum {
    ENOUGH = 32,        /* times in a row that make a turn lean to a thread, */
    ENOUGH_MAX = 4096,  /* and as many after it had to be taken back often */
};

_Thread_local char sf_turn_me;

void sf_turn_wake(struct sf_seat *seat)
{
    atomic_thread_fence(memory_order_seq_cst); /* what we look at next was stored before `leans` was */
    sf_word_wake(&seat->in);
}

void sf_turn_stand(struct sf_turn *t)
{
    struct sf_seat *seat = t->seats;

    /* It has one: only there it has sat down. */
    while (atomic_load_explicit(&seat->owner, memory_order_relaxed) != (uintptr_t)&sf_turn_me)
        seat++;
    sf_turn_rise(seat);
    if (atomic_load_explicit(&t->leans, memory_order_relaxed) != seat)
        sf_turn_wake(seat);
}

/* With `lock`: it leans to nobody any more. The seat that may still be taken, or NULL. */
static struct sf_seat *upright(struct sf_turn *t)
{
    struct sf_seat *seat = atomic_load_explicit(&t->leans, memory_order_relaxed);

    if (seat) {
        t->former = seat;
        t->enough = t->enough < ENOUGH_MAX ? 2 * t->enough : ENOUGH_MAX;
        atomic_store_explicit(&t->leans, NULL, memory_order_relaxed);
        sf_barrier_heavy();
    }
    if (t->former && !atomic_load_explicit(&t->former->in, memory_order_acquire))
        t->former = NULL;
    return t->former;
}

/* The caller's seat, or NULL when others have them all. */
static struct sf_seat *find_seat(struct sf_turn *t, uintptr_t me)
{
    for (struct sf_seat *s = t->seats; s < t->seats + SF_TURN_SEATS; s++) {
        uintptr_t owner = atomic_load_explicit(&s->owner, memory_order_relaxed);

        if (owner == me)
            return s;
        if (owner == 0) {
            atomic_store_explicit(&s->owner, me, memory_order_relaxed);
            return s;
        }
    }
    return NULL;
}

/* Held by `lock`: from now on by a seat if the caller has come often. */
static void came(struct sf_turn *t)
{
    uintptr_t me = (uintptr_t)&sf_turn_me;

    t->seat = NULL;
    t->row = t->last == me ? t->row + 1 : 1;
    t->last = me;
    if (t->enough == 0)
        t->enough = ENOUGH;
    if (t->row < t->enough || !atomic_load_explicit(&sf_barrier_cheap, memory_order_relaxed))
        return;
    t->row = 0;
    t->seat = find_seat(t, me);
    if (!t->seat)
        return;
    atomic_store_explicit(&t->seat->in, 1, memory_order_relaxed);
    atomic_store_explicit(&t->leans, t->seat, memory_order_release);
    sf_lock_drop(&t->lock);
}

void sf_turn_take_lock(struct sf_turn *t)
{
    struct sf_seat *seat;

    sf_lock_take(&t->lock);
    while ((seat = upright(t)))
        sf_word_wait(&seat->in, 1);
    came(t);
}

bool sf_turn_try_lock(struct sf_turn *t)
{
    struct sf_seat *seat;

    do {
        if (!sf_lock_try(&t->lock))
            return false;
        seat = upright(t);
        if (!seat) {
            t->seat = NULL;
            t->row = 0;
            return true;
        }
        sf_lock_drop(&t->lock);
    } while (!atomic_load(&seat->in));
    return false;
}
