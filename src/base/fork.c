/* Notices fork: a page that the kernel wipes in the child. */
#include "base/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

_Atomic(_Atomic uint32_t *) sf_fork_word; /* the first of a page of its own */
static _Atomic uint32_t last; /* the last generation given; a child inherits it */
static _Atomic uint32_t plain; /* stands for the page where it can't be had; set by atfork */

static void in_child(void)
{
    atomic_store(&plain, 0);
}

static _Atomic uint32_t *make_page(void)
{
    _Atomic uint32_t *none = NULL;
    void *p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED || madvise(p, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK) != 0) {
        if (p != MAP_FAILED)
            munmap(p, (size_t)sysconf(_SC_PAGESIZE));
        pthread_atfork(NULL, NULL, in_child);
        p = &plain;
    }
    if (!atomic_compare_exchange_strong(&sf_fork_word, &none, (_Atomic uint32_t *)p)) {
        if (p != &plain)
            munmap(p, (size_t)sysconf(_SC_PAGESIZE));
        return none;
    }
    return p;
}

uint32_t sf_fork_begin(void)
{
    _Atomic uint32_t *word = atomic_load_explicit(&sf_fork_word, memory_order_acquire);
    uint32_t now, none = 0;

    if (!word)
        word = make_page();
    now = atomic_load_explicit(word, memory_order_relaxed);
    if (now)
        return now;
    now = atomic_fetch_add(&last, 1) + 1;
    return atomic_compare_exchange_strong(word, &none, now) ? now : none;
}
