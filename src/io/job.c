/* Does what blocks in a few threads of its own. */
#include "io/job.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/list.h"
#include "base/park.h"

enum { WORKERS_MAX = 4 };

enum { IN_LINE, UNDER_WAY, LET_GO, POSTED };

/* Those in line and the threads that serve them. */
struct crew {
    struct sf_job *first, **last; /* IN_LINE ones; `last` is where the next is put, NULL: at `first` */
    int workers;                  /* threads that will still look at the line */
};

/*
 * Of this process. `lock` guards all of it and the `state` of every job; it is
 * held for a few instructions, so the loops may wait for it.
 */
static struct {
    struct sf_lock lock;
    struct crew crews[SF_CREWS];
} pool;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void lock_pool(void)
{
    sf_lock_take(&pool.lock);
}

static void unlock_pool(void)
{
    sf_lock_drop(&pool.lock);
}

/* The parent's jobs and threads are not the child's. */
static void forget_pool(void)
{
    for (int i = 0; i < SF_CREWS; i++)
        pool.crews[i] = (struct crew){0};
    sf_lock_drop(&pool.lock);
}

static void follow_forks(void)
{
    pthread_atfork(lock_pool, unlock_pool, forget_pool);
}

/* Hands the job back to the loop, or drops it if nobody wants it any more. */
static void finish(struct sf_job *j)
{
    bool wanted;

    lock_pool();
    wanted = j->state == UNDER_WAY;
    if (wanted) {
        j->state = POSTED;
        sf_loop_post(j->loop, &j->task); /* under the lock: so sf_job_end outlives our use of the loop */
    }
    unlock_pool();
    if (!wanted)
        j->destroy(j);
}

static struct sf_job *take(struct crew *c)
{
    struct sf_job *j;

    lock_pool();
    j = c->first;
    if (j) {
        c->first = j->next;
        if (!c->first)
            c->last = NULL;
        j->next = NULL;
        j->state = UNDER_WAY;
    } else {
        c->workers--; /* under the same lock as the look at the line: no job stays behind */
    }
    unlock_pool();
    return j;
}

static void *worker_main(void *arg)
{
    struct sf_job *j;

    while ((j = take(arg))) {
        j->work(j);
        finish(j);
    }
    return NULL;
}

static int start_worker(struct crew *c)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    int err;

    if (pthread_attr_init(&attr))
        return -EAGAIN;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&thread, &attr, worker_main, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return err ? -EAGAIN : 0;
}

static void report(struct sf_task *t)
{
    struct sf_job *j = SF_CONTAINER(t, struct sf_job, task);

    if (j->state == LET_GO) /* by this thread, so no lock is needed to see it */
        j->destroy(j);
    else
        j->done(j);
}

/* Takes `j` out of the line, in which it is. */
static void leave_line(struct crew *c, struct sf_job *j)
{
    struct sf_job **at = &c->first;

    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    if (c->last == &j->next)
        c->last = at == &c->first ? NULL : at;
}

/*
 * A thread could not be started. If none is left, nobody comes to those in
 * line: `mine` is taken out, which returns true, and the others fail.
 */
static bool dismiss(struct crew *c, struct sf_job *mine)
{
    bool stranded = false;
    struct sf_job *j;

    lock_pool();
    if (--c->workers == 0 && mine->state == IN_LINE) {
        leave_line(c, mine);
        stranded = true;
        while ((j = c->first)) {
            leave_line(c, j);
            j->error = -EAGAIN;
            j->state = POSTED;
            sf_loop_post(j->loop, &j->task);
        }
    }
    unlock_pool();
    return stranded;
}

int sf_job_start(struct sf_job *j, enum sf_crew crew, struct sf_loop *loop)
{
    struct crew *c = &pool.crews[crew];
    bool hire;

    pthread_once(&once, follow_forks);
    j->crew = (uint8_t)crew;
    j->loop = loop;
    j->task.run = report;
    j->state = IN_LINE;

    lock_pool();
    *(c->last ? c->last : &c->first) = j;
    c->last = &j->next;
    hire = c->workers < WORKERS_MAX;
    if (hire)
        c->workers++;
    unlock_pool();

    return hire && start_worker(c) && dismiss(c, j) ? -EAGAIN : 0;
}

void sf_job_end(struct sf_job *j)
{
    bool ours = true;

    lock_pool();
    switch (j->state) {
    case IN_LINE:
        leave_line(&pool.crews[j->crew], j);
        break;
    case UNDER_WAY:
        j->state = LET_GO;
        ours = false;
        break;
    case POSTED:
        ours = !atomic_load_explicit(&j->task.queued, memory_order_acquire); /* 0: done is or was called */
        j->state = LET_GO;
        break;
    }
    unlock_pool();
    if (ours)
        j->destroy(j);
}
