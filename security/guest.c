/* Keeps threads out of libkrb5 when it ends, and its end waiting for who is inside. */
#include "security/guest.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/park.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* How long an exit waits for who does not wait for a server; and for all, which only a lock can outlast. */
enum { MOMENT_MS = 500, MOST_MS = 10000 };

/* A thread that stays. */
struct guest {
    struct sf_list node;
    pthread_t thread;
    bool stopped; /* for good, or it has been asked to */
    bool leaving; /* the thread ends: what libkrb5 keeps for it goes in this round of its destructors */
};

static struct {
    _Atomic uint32_t inside; /* calls and threads */
    _Atomic bool over;       /* nobody comes in */
    struct sf_bell left;     /* rung then, when somebody leaves */

    struct sf_lock lock; /* guards the list */
    struct sf_list stay; /* struct guest.node; owns */
    pthread_key_t key;   /* of a thread: its struct guest */
    _Atomic bool ready;  /* there is a list and a key */
} house;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_house(void);

bool sf_guest_enter(void)
{
    pthread_once(&once, open_house); /* or a child of a fork takes the parent's guests for its own */
    atomic_fetch_add(&house.inside, 1); /* before the look: either it is seen by who closes, or it sees that */
    if (!atomic_load(&house.over))
        return true;
    sf_guest_leave();
    return false;
}

void sf_guest_leave(void)
{
    atomic_fetch_sub(&house.inside, 1);
    if (atomic_load(&house.over))
        sf_bell_ring(&house.left);
}

/* ---- Who stays ---- */

/*
 * Called as a thread ends; a second time if in the first round it asks for that. What libkrb5
 * keeps for the thread has gone then, as others' come in the first.
 */
static void go(void *arg)
{
    struct guest *g = arg;

    if (!g->leaving) {
        g->leaving = true;
        if (pthread_setspecific(house.key, g) == 0)
            return;
    }
    sf_lock_take(&house.lock);
    sf_list_remove(&g->node);
    sf_lock_drop(&house.lock);
    sf_free(g);
    sf_guest_leave();
}

static void lock_house(void)
{
    sf_lock_take(&house.lock);
}

static void unlock_house(void)
{
    sf_lock_drop(&house.lock);
}

/* The child has none of the threads. */
static void empty_house(void)
{
    sf_list_init(&house.stay);
    atomic_store(&house.inside, 0);
    sf_lock_drop(&house.lock);
}

static void open_house(void)
{
    sf_list_init(&house.stay);
    house.ready = pthread_key_create(&house.key, go) == 0 &&
                  pthread_atfork(lock_house, unlock_house, empty_house) == 0;
}

/* Makes the calling thread one that stays; NULL: it may not. */
static struct guest *move_in(void)
{
    struct guest *g = sf_alloc(sizeof *g);

    if (!g)
        return NULL;
    if (!sf_guest_enter()) {
        sf_free(g);
        return NULL;
    }
    g->thread = pthread_self();
    sf_lock_take(&house.lock);
    sf_list_push(&house.stay, &g->node);
    sf_lock_drop(&house.lock);
    if (pthread_setspecific(house.key, g) != 0) {
        g->leaving = true;
        go(g);
        return NULL;
    }
    return g;
}

/* Where it waited it stays, and whatever it holds. */
static void stop(void *arg)
{
    (void)arg;
    sf_guest_leave();
    for (;;)
        pause();
}

bool sf_guest_stay(void (*visit)(void *arg), void *arg)
{
    struct guest *g;
    int before;

    pthread_once(&once, open_house);
    if (!house.ready || atomic_load(&house.over))
        return false;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before); /* for good, but for visits */
    g = pthread_getspecific(house.key);
    if (!g)
        g = move_in();
    if (!g)
        return false;
    pthread_cleanup_push(stop, NULL);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    visit(arg);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    pthread_cleanup_pop(0);
    return true;
}

/* ---- The end ---- */

/* Who waits anywhere below a visit goes on with stop(). */
static void stop_all(void)
{
#ifdef __GLIBC__ /* which aborts when it does not find this, of which it needs little for that */
    if (!dlopen("libgcc_s.so.1", RTLD_LAZY))
        return;
#endif
    sf_lock_take(&house.lock);
    SF_LIST_EACH(it, after, &house.stay) {
        struct guest *g = SF_CONTAINER(it, struct guest, node);

        if (!g->stopped)
            pthread_cancel(g->thread);
        g->stopped = true;
    }
    sf_lock_drop(&house.lock);
}

/* Waits until nobody is inside, or so long. */
static bool wait_for_all(int64_t limit_ms)
{
    int64_t end = (int64_t)sf_clock_ms() + limit_ms, left = limit_ms;
    bool empty;

    for (;;) {
        uint32_t ticket = sf_bell_enter(&house.left);

        empty = atomic_load(&house.inside) == 0;
        if (!empty && left > 0)
            sf_bell_wait(&house.left, ticket, left);
        sf_bell_leave(&house.left);
        if (empty || left <= 0)
            return empty;
        left = end - (int64_t)sf_clock_ms();
    }
}

/* Of libraries those end first that need others; so this comes before libkrb5 does the same. */
__attribute__((destructor)) static void close_house(void)
{
    struct guest *own = house.ready ? pthread_getspecific(house.key) : NULL;

    atomic_store(&house.over, true);
    if (own) { /* the thread that ends the process is not in there */
        pthread_setspecific(house.key, NULL);
        own->leaving = true;
        go(own);
    }
    if (wait_for_all(MOMENT_MS))
        return;
    stop_all();
    wait_for_all(MOST_MS);
}
