/* The library's only calls of malloc and its kin. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Number of the request that fails; 0 none. Written by tests only, while nothing else runs. */
static _Atomic long fail_at;
static _Atomic int fail_sticky;
static _Atomic long requests;

static int refused(void)
{
    long at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    long n;

    if (at == 0) /* the way of every program but a test: one load, no shared write */
        return 0;
    n = atomic_fetch_add(&requests, 1) + 1;
    return n == at || (n > at && atomic_load(&fail_sticky));
}

void *sf_alloc(size_t size)
{
    return refused() ? NULL : calloc(1, size ? size : 1);
}

void *sf_alloc_raw(size_t size)
{
    return refused() ? NULL : malloc(size ? size : 1);
}

void *sf_realloc(void *p, size_t size)
{
    return refused() ? NULL : realloc(p, size ? size : 1);
}

char *sf_alloc_text(const void *from, size_t n)
{
    char *to = sf_alloc_raw(n + 1);

    if (!to)
        return NULL;
    if (n)
        memcpy(to, from, n);
    to[n] = 0;
    return to;
}

void sf_free(void *p)
{
    free(p);
}

void *sf_alloc_pages(size_t size)
{
    void *p;

    if (refused())
        return NULL;
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void sf_free_pages(void *p, size_t size)
{
    munmap(p, size);
}

bool sf_alloc_counts(void)
{
    return atomic_load_explicit(&fail_at, memory_order_relaxed) != 0;
}

long sf_alloc_fail(long n, int sticky)
{
    long seen = atomic_exchange(&requests, 0);

    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, n);
    return seen;
}
