/* Contexts: the threads and names that sockets share. */
#include "core/ctx.h"
#include "base/alloc.h"
#include "base/barrier.h"
#include "base/block.h"
#include "base/fork.h"
#include "core/socket.h"
#include "security/zap.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SOCKET_LIMIT = 65535 };

/*
 * Contexts are few; their memory is kept in a list when they have gone and
 * used again, oldest first, so that a stale handle meets a cleared tag.
 */
static struct sf_lock pool_lock;
static struct sifr_ctx *pool_first, **pool_last = &pool_first;
enum { POOL_MIN = 16 }; /* so many rest before one is used again */
static size_t pool_size;

static uint32_t proof_of(const void *p)
{
    uintptr_t a = (uintptr_t)p;

    return (uint32_t)(a >> 4) * 2654435761u ^ (uint32_t)(a >> 32) ^ SF_CTX_TAG;
}

/* The pool's link stands behind the tag and the proof, which stay what they are. */
static struct sifr_ctx **pool_next(struct sifr_ctx *c)
{
    return (struct sifr_ctx **)(void *)&c->loops;
}

static struct sifr_ctx *pool_take(void)
{
    struct sifr_ctx *c = NULL;

    sf_lock_take(&pool_lock);
    if (pool_size > POOL_MIN) {
        c = pool_first;
        pool_first = *pool_next(c);
        if (!pool_first)
            pool_last = &pool_first;
        pool_size--;
    }
    sf_lock_drop(&pool_lock);
    if (c)
        memset((char *)c + sizeof c->tag, 0, sizeof *c - sizeof c->tag);
    return c ? c : sf_alloc(sizeof *c);
}

static void pool_give(struct sifr_ctx *c)
{
    sf_lock_take(&pool_lock);
    *pool_next(c) = NULL;
    *pool_last = c;
    pool_last = pool_next(c);
    pool_size++;
    sf_lock_drop(&pool_lock);
}

struct sifr_ctx *sf_ctx_check(sifr_ctx_t *ctx)
{
    if (!ctx || (uintptr_t)ctx % _Alignof(struct sifr_ctx) ||
        atomic_load_explicit(&ctx->tag, memory_order_acquire) != SF_CTX_TAG ||
        ctx->proof != proof_of(ctx))
        return NULL;
    return ctx;
}

static void hold_pools(void)
{
    sf_lock_take(&pool_lock);
    sf_socket_pool_hold();
}

static void release_pools(void)
{
    sf_socket_pool_release();
    sf_lock_drop(&pool_lock);
}

static void follow_forks(void)
{
    pthread_atfork(hold_pools, release_pools, release_pools);
}

sifr_ctx_t *sifr_ctx_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sifr_ctx *c;

    pthread_once(&once, follow_forks);
    c = pool_take();
    if (!c) {
        errno = ENOMEM;
        return NULL;
    }
    c->proof = proof_of(c);
    c->generation = sf_fork_generation();
    c->io_threads = SIFR_IO_THREADS_DFLT;
    c->max_sockets = SIFR_MAX_SOCKETS_DFLT;
    c->policy = c->priority = -1;
    c->max_msgsz = INT_MAX;
    c->zero_copy = 1;
    c->blocky = true;
    sf_list_init(&c->sockets);
    sf_list_init(&c->pending);
    sf_list_init(&c->zaps);
    atomic_store_explicit(&c->tag, SF_CTX_TAG, memory_order_release);
    return c;
}

static int cpu_add(struct sifr_ctx *c, int cpu)
{
    for (size_t i = 0; i < c->n_cpus; i++)
        if (c->cpus[i] == cpu)
            return 0;
    if (cpu >= SF_CTX_CPUS)
        return -EINVAL;
    c->cpus[c->n_cpus++] = (uint16_t)cpu;
    return 0;
}

static int cpu_remove(struct sifr_ctx *c, int cpu)
{
    for (size_t i = 0; i < c->n_cpus; i++)
        if (c->cpus[i] == cpu) {
            c->cpus[i] = c->cpus[--c->n_cpus];
            return 0;
        }
    return -EINVAL;
}

static int set(struct sifr_ctx *c, int option, int value)
{
    if (option == SIFR_THREAD_NAME_PREFIX) {
        c->prefix_number = value;
        c->prefix_is_text = false;
        snprintf(c->prefix, sizeof c->prefix, "%d", value);
        return 0;
    }
    if (value < 0)
        return -EINVAL;
    switch (option) {
    case SIFR_IO_THREADS: c->io_threads = value; return 0;
    case SIFR_MAX_SOCKETS:
        if (value < 1)
            return -EINVAL;
        c->max_sockets = value;
        return 0;
    case SIFR_THREAD_PRIORITY: c->priority = value; return 0;
    case SIFR_THREAD_SCHED_POLICY: c->policy = value; return 0;
    case SIFR_MAX_MSGSZ: c->max_msgsz = value; return 0;
    case SIFR_THREAD_AFFINITY_CPU_ADD: return cpu_add(c, value);
    case SIFR_THREAD_AFFINITY_CPU_REMOVE: return cpu_remove(c, value);
    case SIFR_ZERO_COPY_RECV: c->zero_copy = value != 0; return 0;
    case SIFR_IPV6: c->ipv6 = value; return 0;
    case SIFR_BLOCKY: c->blocky = value; return 0;
    default: return -EINVAL;
    }
}

static int get(struct sifr_ctx *c, int option, int *value)
{
    switch (option) {
    case SIFR_IO_THREADS: *value = c->io_threads; return 0;
    case SIFR_MAX_SOCKETS: *value = c->max_sockets; return 0;
    case SIFR_SOCKET_LIMIT: *value = SOCKET_LIMIT; return 0;
    case SIFR_THREAD_SCHED_POLICY: *value = c->policy; return 0;
    case SIFR_MAX_MSGSZ: *value = c->max_msgsz; return 0;
    case SIFR_MSG_T_SIZE: *value = (int)sizeof(sifr_msg_t); return 0;
    case SIFR_THREAD_NAME_PREFIX: *value = c->prefix_number; return 0;
    case SIFR_ZERO_COPY_RECV: *value = c->zero_copy; return 0;
    case SIFR_IPV6: *value = c->ipv6; return 0;
    case SIFR_BLOCKY: *value = c->blocky; return 0;
    default: return -EINVAL;
    }
}

/* The one option that may be text, 1 to 16 characters; 4 bytes are a number here too. */
static int set_prefix(struct sifr_ctx *c, const char *text, size_t size)
{
    if (size == 0 || size >= sizeof c->prefix)
        return -EINVAL;
    memcpy(c->prefix, text, size);
    c->prefix[size] = 0;
    c->prefix_number = 0;
    c->prefix_is_text = true;
    return 0;
}

int sifr_ctx_set_ext(sifr_ctx_t *ctx, int option, const void *value, size_t size)
{
    struct sifr_ctx *c = sf_ctx_check(ctx);
    int err = -EINVAL, number;

    if (!c)
        err = -EFAULT;
    else if (value && size == sizeof number) {
        memcpy(&number, value, sizeof number);
        return sifr_ctx_set(ctx, option, number);
    } else if (value && option == SIFR_THREAD_NAME_PREFIX) {
        sf_lock_take(&c->lock);
        err = set_prefix(c, value, size);
        sf_lock_drop(&c->lock);
    }
    if (err) {
        errno = -err;
        return -1;
    }
    return 0;
}

int sifr_ctx_set(sifr_ctx_t *ctx, int option, int value)
{
    struct sifr_ctx *c = sf_ctx_check(ctx);
    int err;

    if (!c) {
        errno = EFAULT;
        return -1;
    }
    sf_lock_take(&c->lock);
    err = set(c, option, value);
    sf_lock_drop(&c->lock);
    if (err) {
        errno = -err;
        return -1;
    }
    return 0;
}

/* The prefix as text, if it was given as text or the room is not that of a number. */
static int get_prefix(struct sifr_ctx *c, char *to, size_t room)
{
    size_t size = strlen(c->prefix);

    if (room < size)
        return -EINVAL;
    memcpy(to, c->prefix, room > size ? size + 1 : size);
    return 0;
}

int sifr_ctx_get_ext(sifr_ctx_t *ctx, int option, void *value, size_t *size)
{
    struct sifr_ctx *c = sf_ctx_check(ctx);
    int err, number = 0;

    if (!c || !value || !size) {
        errno = c ? EINVAL : EFAULT;
        return -1;
    }
    sf_lock_take(&c->lock);
    if (option == SIFR_THREAD_NAME_PREFIX && (*size != sizeof number || c->prefix_is_text)) {
        err = get_prefix(c, value, *size);
    } else {
        err = *size == sizeof number ? get(c, option, &number) : -EINVAL;
        if (err == 0)
            memcpy(value, &number, sizeof number);
    }
    sf_lock_drop(&c->lock);
    if (err) {
        errno = -err;
        return -1;
    }
    return 0;
}

int sifr_ctx_get(sifr_ctx_t *ctx, int option)
{
    struct sifr_ctx *c = sf_ctx_check(ctx);
    int err, value = -1;

    if (!c) {
        errno = EFAULT;
        return -1;
    }
    sf_lock_take(&c->lock);
    err = get(c, option, &value);
    sf_lock_drop(&c->lock);
    if (err)
        errno = -err;
    return value;
}

static int start_loops(struct sifr_ctx *c)
{
    int n = c->io_threads;

    if (n == 0)
        return 0;
    c->loops = sf_alloc((size_t)n * sizeof *c->loops);
    if (!c->loops)
        return -ENOMEM;
    for (int i = 0; i < n; i++) {
        char name[64];
        struct sf_loop_config cfg = {
            .name = name,
            .policy = c->policy,
            .priority = c->priority,
            .cpus = c->cpus,
            .n_cpus = c->n_cpus,
        };
        int err;

        snprintf(name, sizeof name, "%s%ssifr/io/%d", c->prefix, *c->prefix ? "/" : "", i);
        err = sf_loop_new(&c->loops[i], &cfg);
        if (err) {
            if (i > 0)
                break; /* fewer will do */
            sf_free(c->loops);
            c->loops = NULL;
            return err;
        }
        c->n_loops = (size_t)i + 1;
    }
    return 0;
}

int sf_ctx_start(struct sifr_ctx *c)
{
    int err = 0;

    sf_lock_take(&c->lock);
    if (!c->started) {
        sf_barrier_begin();
        err = start_loops(c);
        c->started = err == 0;
        c->socket_limit = c->max_sockets;
    }
    sf_lock_drop(&c->lock);
    return err;
}

static bool serves(size_t loop, uint64_t affinity)
{
    return affinity == 0 || (loop < 64 && (affinity >> loop & 1));
}

bool sf_ctx_has_loop(const struct sifr_ctx *c, uint64_t affinity)
{
    for (size_t i = 0; i < c->n_loops; i++)
        if (serves(i, affinity))
            return true;
    return false;
}

struct sf_loop *sf_ctx_loop(struct sifr_ctx *c, uint64_t affinity)
{
    static _Atomic unsigned turn;
    unsigned first = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed);

    for (size_t i = 0; i < c->n_loops; i++) {
        size_t at = (first + i) % c->n_loops;

        if (serves(at, affinity))
            return c->loops[at];
    }
    return NULL;
}

void sf_ctx_enter(struct sifr_ctx *c)
{
    atomic_fetch_add(&c->alive, 1);
}

void sf_ctx_leave(struct sifr_ctx *c)
{
    /* The last act on the context: term may free it as soon as `alive` is 0, but the pool keeps the memory. */
    if (atomic_fetch_sub(&c->alive, 1) == 1)
        sf_bell_ring(&c->quiet);
}

static void shut_down(struct sifr_ctx *c)
{
    sf_lock_take(&c->lock);
    if (!atomic_exchange(&c->terminating, 1)) {
        SF_LIST_EACH(it, after, &c->sockets)
            sf_socket_ring(SF_CONTAINER(it, struct sifr_socket, node));
    }
    sf_lock_drop(&c->lock);
    sf_inproc_forget(c);
    sf_zap_stop(c);
}

int sifr_ctx_shutdown(sifr_ctx_t *ctx)
{
    struct sifr_ctx *c = sf_ctx_check(ctx);

    if (!c) {
        errno = EFAULT;
        return -1;
    }
    if (c->generation == sf_fork_generation())
        shut_down(c);
    return 0;
}

/* In a forked child: the threads are not here, the descriptors are. */
static void forget(struct sifr_ctx *c)
{
    for (size_t i = 0; i < c->n_loops; i++)
        sf_loop_forget(c->loops[i]);
    sf_zap_forget(c);
    sf_free(c->loops);
    c->loops = NULL;
    c->n_loops = 0;
    atomic_store(&c->tag, 0);
}

int sifr_ctx_term(sifr_ctx_t *ctx)
{
    struct sifr_ctx *c = sf_ctx_check(ctx);
    int err = 0;

    if (!c) {
        errno = EFAULT;
        return -1;
    }
    if (c->generation != sf_fork_generation()) {
        forget(c);
        return 0;
    }
    shut_down(c);
    for (;;) {
        uint32_t ticket = sf_bell_enter(&c->quiet);

        if (atomic_load(&c->alive) != 0)
            err = sf_bell_wait(&c->quiet, ticket, -1);
        sf_bell_leave(&c->quiet);
        if (atomic_load(&c->alive) == 0)
            break;
        if (err == -EINTR) {
            errno = EINTR;
            return -1;
        }
    }
    for (size_t i = 0; i < c->n_loops; i++)
        sf_loop_free(c->loops[i]);
    sf_zap_forget(c);
    sf_free(c->loops);
    sf_map_fini(&c->names);
    atomic_store(&c->tag, 0);
    pool_give(c);
    sf_poll_forget();
    sf_block_forget();
    return 0;
}
