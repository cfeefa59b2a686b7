/* Looks host names up in a few threads of their own. */
#include "io/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/park.h"

enum { WORKERS_MAX = 4 };

enum { IN_LINE, UNDER_WAY, LET_GO, POSTED };

/*
 * The line of look-ups of this process and the threads that serve it. `lock`
 * guards all of it and the `state` of every look-up; it is held for a few
 * instructions, so the loops may wait for it.
 */
static struct {
    struct sf_lock lock;
    struct sf_lookup *first, **last; /* IN_LINE ones; `last` is where the next is put, NULL: at `first` */
    int workers;                     /* threads that will still look at the line */
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

/* The parent's look-ups and threads are not the child's. */
static void forget_pool(void)
{
    pool.first = NULL;
    pool.last = NULL;
    pool.workers = 0;
    sf_lock_drop(&pool.lock);
}

static void follow_forks(void)
{
    pthread_atfork(lock_pool, unlock_pool, forget_pool);
}

/* `error`: errno after the look-up. */
static int translate(int gai, int error)
{
    switch (gai) {
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        if (error == EMFILE || error == ENFILE)
            return -EMFILE;
        return error == ENOMEM ? -ENOMEM : -ENODEV;
    case EAI_AGAIN:
        return -EAGAIN;
    default:
        return -ENODEV;
    }
}

/* What all mean by it, as name servers are not to be asked (RFC 6761, 6.3). */
static int find_localhost(struct sf_address **list, size_t *n, uint16_t port, bool ipv6)
{
    struct sf_address *found = sf_alloc(2 * sizeof *found);
    size_t count = 0;

    if (!found)
        return -ENOMEM;
    if (ipv6 && sf_addr_parse(&found[count], "::1", port, true) == 0)
        count++;
    if (sf_addr_parse(&found[count], "127.0.0.1", port, ipv6) == 0)
        count++;
    *list = found;
    *n = count;
    return 0;
}

int sf_lookup_now(struct sf_address **list, size_t *n, const char *host, uint16_t port, bool ipv6)
{
    struct addrinfo hints = {0}, *all = NULL;
    struct sf_address *found;
    size_t count = 0;
    bool localhost = strcasecmp(host, "localhost") == 0;
    int err;

    /* Only the system knows whether here the name means ::1, too, so with IPv6 it is asked. */
    if (localhost && !ipv6)
        return find_localhost(list, n, port, false);
    hints.ai_family = ipv6 ? AF_INET6 : AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ipv6 ? AI_V4MAPPED | AI_ALL : 0;
    err = getaddrinfo(host, NULL, &hints, &all);
    if (err && localhost) /* /etc/hosts may be missing */
        return find_localhost(list, n, port, ipv6);
    if (err)
        return translate(err, errno);
    for (struct addrinfo *a = all; a; a = a->ai_next)
        count++;
    found = sf_alloc((count ? count : 1) * sizeof *found);
    if (!found) {
        freeaddrinfo(all);
        return -ENOMEM;
    }
    count = 0;
    for (struct addrinfo *a = all; a; a = a->ai_next) {
        if (a->ai_addrlen > sizeof found->storage)
            continue;
        memcpy(&found[count].storage, a->ai_addr, a->ai_addrlen);
        found[count].len = a->ai_addrlen;
        sf_addr_set_port(&found[count], port);
        count++;
    }
    freeaddrinfo(all);
    if (!count) {
        sf_free(found);
        return -ENODEV;
    }
    *list = found;
    *n = count;
    return 0;
}

static void destroy(struct sf_lookup *l)
{
    sf_free(l->list);
    sf_free(l);
}

/* Hands the result to the loop, or drops it if nobody wants it any more. */
static void finish(struct sf_lookup *l)
{
    bool wanted;

    lock_pool();
    wanted = l->state == UNDER_WAY;
    if (wanted) {
        l->state = POSTED;
        sf_loop_post(l->loop, &l->task); /* under the lock: so sf_lookup_free outlives our use of the loop */
    }
    unlock_pool();
    if (!wanted)
        destroy(l);
}

static struct sf_lookup *take(void)
{
    struct sf_lookup *l;

    lock_pool();
    l = pool.first;
    if (l) {
        pool.first = l->next;
        if (!pool.first)
            pool.last = NULL;
        l->next = NULL;
        l->state = UNDER_WAY;
    } else {
        pool.workers--; /* under the same lock as the look at the line: no look-up stays behind */
    }
    unlock_pool();
    return l;
}

static void *worker_main(void *arg)
{
    struct sf_lookup *l;

    (void)arg;
    while ((l = take())) {
        l->error = sf_lookup_now(&l->list, &l->n, l->host, l->port, l->ipv6);
        finish(l);
    }
    return NULL;
}

static int start_worker(void)
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
    err = pthread_create(&thread, &attr, worker_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return err ? -EAGAIN : 0;
}

static void report(struct sf_task *t)
{
    struct sf_lookup *l = SF_CONTAINER(t, struct sf_lookup, task);

    if (l->state == LET_GO) /* by this thread, so no lock is needed to see it */
        destroy(l);
    else
        l->done(l);
}

/* Takes `l` out of the line, in which it is. */
static void leave_line(struct sf_lookup *l)
{
    struct sf_lookup **at = &pool.first;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    if (pool.last == &l->next)
        pool.last = at == &pool.first ? NULL : at;
}

/*
 * A thread could not be started. If none is left, nobody comes to those in
 * line: `mine` is taken out, which returns true, and the others fail.
 */
static bool dismiss(struct sf_lookup *mine)
{
    bool stranded = false;
    struct sf_lookup *l;

    lock_pool();
    if (--pool.workers == 0 && mine->state == IN_LINE) {
        leave_line(mine);
        stranded = true;
        while ((l = pool.first)) {
            leave_line(l);
            l->error = -EAGAIN;
            l->state = POSTED;
            sf_loop_post(l->loop, &l->task);
        }
    }
    unlock_pool();
    return stranded;
}

int sf_lookup_start(struct sf_lookup **out, struct sf_loop *loop, const char *host, uint16_t port,
                    bool ipv6, void (*done)(struct sf_lookup *l), void *arg)
{
    size_t n = strlen(host);
    struct sf_lookup *l;
    bool hire;

    if (n == 0 || n >= SF_ADDR_HOST_MAX)
        return -EINVAL;
    pthread_once(&once, follow_forks);
    l = sf_alloc(sizeof *l);
    if (!l)
        return -ENOMEM;
    memcpy(l->host, host, n + 1);
    l->port = port;
    l->ipv6 = ipv6;
    l->done = done;
    l->arg = arg;
    l->loop = loop;
    l->task.run = report;
    l->state = IN_LINE;

    lock_pool();
    *(pool.last ? pool.last : &pool.first) = l;
    pool.last = &l->next;
    hire = pool.workers < WORKERS_MAX;
    if (hire)
        pool.workers++;
    unlock_pool();

    if (hire && start_worker() && dismiss(l)) {
        destroy(l);
        return -EAGAIN;
    }
    *out = l;
    return 0;
}

void sf_lookup_free(struct sf_lookup *l)
{
    bool ours = true;

    if (!l)
        return;
    lock_pool();
    switch (l->state) {
    case IN_LINE:
        leave_line(l);
        break;
    case UNDER_WAY:
        l->state = LET_GO;
        ours = false;
        break;
    case POSTED:
        ours = !atomic_load_explicit(&l->task.queued, memory_order_acquire); /* 0: done is or was called */
        l->state = LET_GO;
        break;
    }
    unlock_pool();
    if (ours)
        destroy(l);
}
