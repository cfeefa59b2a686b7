#ifndef SF_BASE_TURN_H
#define SF_BASE_TURN_H

#include "base/barrier.h"
#include "base/rare.h"
#include "base/park.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A lock that leans to the thread that keeps taking it: for that one it costs
 * no atomic exchange; whoever else comes pays for a barrier to take it back.
 * All zeroes is a ready one; nothing is to be freed. Not recursive: the holder
 * that tries fails.
 *
 * A thread that it leans to has a seat, which is that thread's for ever: only
 * that one stores `in`. So who finds out too late that the turn no longer leans
 * to it has disturbed nobody. When all seats are taken the turn leans to no
 * further thread.
 *
 * It is held by who has `lock` and has seen `in` of the last favourite be 0
 * since the turn ceased to lean to it; or by the favourite, while its `in` is 1
 * and it has seen, after storing that, that it still is the favourite.
 *
 * Why: only a thread itself makes a turn lean to it, with `lock`. Others store
 * NULL in `leans`, with `lock`, pass a heavy barrier, then look at `in`. The
 * favourite stores `in`, passes a light one, then looks at `leans`: so either
 * it sees that it is the favourite no more, and goes the way of all, or the
 * other one sees it inside. Leaving, it stores `in`, then looks at `leans`
 * likewise: so either it sees that somebody may sleep until `in` is 0, and
 * wakes that one, or that one sees 0.
 *
 * Who fails to get it by a try may rely on this: whoever keeps it from it sees,
 * after its drop (or its own take), all that was stored before the try. For
 * the holder of `lock` that is so because drop is a full barrier. A favourite
 * that was seen inside after the heavy barrier looks at `leans` after it, sees
 * NULL, and passes a full fence before it goes on. One that tries, and has
 * `lock` for the moment in which it finds the favourite inside, looks at `in`
 * again after dropping it, and tries again if that is 0 by now.
 */
struct sf_seat {
    _Atomic uintptr_t owner; /* whose; 0: nobody's yet; stored once, with `lock` */
    _Atomic uint32_t in;     /* the owner's */
};

enum { SF_TURN_SEATS = 8 };

struct sf_turn {
    _Atomic(struct sf_seat *) leans; /* to whose; NULL: to nobody */
    struct sf_seat *seat;            /* by which the holder came, or NULL; the holder's */
    struct sf_lock lock;             /* guards what follows */
    uint32_t row, enough;            /* how often `last` came in a row; how many make it lean */
    uintptr_t last;
    struct sf_seat *former;          /* of the last favourite, which may still be inside; or NULL */
    struct sf_seat seats[SF_TURN_SEATS];
};

static inline void sf_turn_take(struct sf_turn *t);
static inline bool sf_turn_try(struct sf_turn *t);
static inline void sf_turn_drop(struct sf_turn *t);

/* For the holder: whether somebody may be waiting for it. */
static inline bool sf_turn_wanted(struct sf_turn *t);

/* The ways that are not the favourite's. */
void sf_turn_take_lock(struct sf_turn *t);
bool sf_turn_try_lock(struct sf_turn *t);
void sf_turn_wake(struct sf_seat *seat); /* whoever may wait for its `in` */

extern _Thread_local char sf_turn_me __attribute__((tls_model("initial-exec")));

/* The seat of the caller if the turn leans to it, or NULL. */
static inline struct sf_seat *sf_turn_seat(struct sf_turn *t)
{
    struct sf_seat *seat = atomic_load_explicit(&t->leans, memory_order_relaxed);

    if (SF_RARE(!seat || atomic_load_explicit(&seat->owner, memory_order_relaxed) !=
                             (uintptr_t)&sf_turn_me))
        return NULL;
    return seat;
}

/*
 * The favourite comes in. False: it is that no more, and is to stand up. It leans only where a light
 * barrier is one for the compiler alone.
 */
static inline bool sf_turn_sit(struct sf_turn *t, struct sf_seat *seat)
{
    atomic_store_explicit(&seat->in, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    return !SF_RARE(atomic_load_explicit(&t->leans, memory_order_relaxed) != seat);
}

/* For who has sat down, and has done nothing since. */
void sf_turn_stand(struct sf_turn *t);

static inline void sf_turn_take(struct sf_turn *t)
{
    struct sf_seat *seat = sf_turn_seat(t);

    if (SF_RARE(!seat)) {
        sf_turn_take_lock(t);
    } else if (SF_RARE(!sf_turn_sit(t, seat))) {
        sf_turn_stand(t);
        sf_turn_take_lock(t);
    } else {
        t->seat = seat;
    }
}

static inline bool sf_turn_try(struct sf_turn *t)
{
    struct sf_seat *seat = sf_turn_seat(t);

    if (!seat)
        return sf_turn_try_lock(t);
    if (atomic_load_explicit(&seat->in, memory_order_relaxed))
        return false; /* we are in it */
    if (!sf_turn_sit(t, seat)) {
        sf_turn_stand(t);
        return sf_turn_try_lock(t);
    }
    t->seat = seat;
    return true;
}

/* The favourite goes out; what may follow is said in sf_turn_drop. */
static inline void sf_turn_rise(struct sf_seat *seat)
{
    atomic_store_explicit(&seat->in, 0, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void sf_turn_drop(struct sf_turn *t)
{
    struct sf_seat *seat = t->seat;

    if (SF_RARE(!seat)) {
        sf_lock_drop(&t->lock);
        return;
    }
    sf_turn_rise(seat);
    if (SF_RARE(atomic_load_explicit(&t->leans, memory_order_relaxed) != seat))
        sf_turn_wake(seat);
}

static inline bool sf_turn_wanted(struct sf_turn *t)
{
    return t->seat ? atomic_load_explicit(&t->lock.state, memory_order_relaxed) != 0
                   : sf_lock_wanted(&t->lock);
}

#endif
