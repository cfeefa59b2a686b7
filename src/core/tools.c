/* What programs around a messaging library want besides: counters, stopwatch, threads, sleep. */
#include <sifr.h>

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

/* --- Counters ------------------------------------------------------------ */

struct sifr_counter {
    _Atomic int value;
};

sifr_counter_t *sifr_atomic_counter_new(void)
{
    struct sifr_counter *c = sf_alloc(sizeof *c);

    if (!c)
        errno = ENOMEM;
    return c;
}

void sifr_atomic_counter_set(sifr_counter_t *counter, int value)
{
    if (counter)
        atomic_store(&counter->value, value);
}

int sifr_atomic_counter_inc(sifr_counter_t *counter)
{
    return counter ? atomic_fetch_add(&counter->value, 1) : 0;
}

int sifr_atomic_counter_dec(sifr_counter_t *counter)
{
    return counter ? atomic_fetch_sub(&counter->value, 1) != 1 : 0;
}

int sifr_atomic_counter_value(sifr_counter_t *counter)
{
    return counter ? atomic_load(&counter->value) : 0;
}

void sifr_atomic_counter_destroy(sifr_counter_t **counter)
{
    if (!counter)
        return;
    sf_free(*counter);
    *counter = NULL;
}

/* --- Stopwatch ----------------------------------------------------------- */

struct sifr_stopwatch {
    uint64_t start; /* us */
};

sifr_stopwatch_t *sifr_stopwatch_start(void)
{
    struct sifr_stopwatch *w = sf_alloc(sizeof *w);

    if (w)
        w->start = sf_clock_us();
    else
        errno = ENOMEM;
    return w;
}

unsigned long sifr_stopwatch_intermediate(sifr_stopwatch_t *watch)
{
    return watch ? (unsigned long)(sf_clock_us() - watch->start) : 0;
}

unsigned long sifr_stopwatch_stop(sifr_stopwatch_t *watch)
{
    unsigned long us = sifr_stopwatch_intermediate(watch);

    sf_free(watch);
    return us;
}

/* --- Sleep and threads ---------------------------------------------------- */

void sifr_sleep(int seconds)
{
    struct timespec left = {.tv_sec = seconds > 0 ? seconds : 0};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

struct sifr_thread {
    pthread_t id;
    sifr_thread_fn *fn;
    void *arg;
};

static void *run(void *arg)
{
    struct sifr_thread *t = arg;

#ifdef __linux__
    pthread_setname_np(pthread_self(), "sifr/app");
#endif
    t->fn(t->arg);
    return NULL;
}

sifr_thread_t *sifr_threadstart(sifr_thread_fn *fn, void *arg)
{
    struct sifr_thread *t = fn ? sf_alloc(sizeof *t) : NULL;
    sigset_t all, before;
    int err;

    if (!t) {
        errno = fn ? ENOMEM : EFAULT;
        return NULL;
    }
    t->fn = fn;
    t->arg = arg;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&t->id, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        sf_free(t);
        errno = ENOMEM;
        return NULL;
    }
    return t;
}

void sifr_threadclose(sifr_thread_t *thread)
{
    if (!thread)
        return;
    pthread_join(thread->id, NULL);
    sf_free(thread);
}
