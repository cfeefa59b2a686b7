#ifndef SF_BASE_CELLS_H
#define SF_BASE_CELLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Memory for objects behind public handles: it is never given back to the
 * system while the process lives, so that a stale handle can be told by its
 * tag. What is free waits in a queue, so that an address is used again as late
 * as possible.
 */
struct sf_cell {          /* first in each object */
    _Atomic uint64_t tag; /* made of the kind and the address while the handle is good, else 0 */
    struct sf_cell *next; /* in the queue of the free ones */
};

/* One kind of objects; static, { .tag = a number of its own, .size = sizeof the object }. */
struct sf_cells {
    uint64_t tag;
    size_t size;
    struct sf_cell *first, *last;
    size_t n;
};

/* An object, zeroed, with its tag set; NULL without memory. Any thread. */
void *sf_cells_take(struct sf_cells *kind);

/* Clears the tag and keeps the memory. Of two callers one gets true. Any thread. */
bool sf_cells_retire(struct sf_cells *kind, void *object);

/* What sf_cells_retire cleared may be used again. Any thread. */
void sf_cells_give(struct sf_cells *kind, void *object);

/* Whether `handle`, which may be any pointer, is a good handle of this kind. Reads 8 bytes there at most. */
static inline bool sf_cells_check(const struct sf_cells *kind, const void *handle)
{
    const struct sf_cell *c = handle;

    return c && (uintptr_t)c % _Alignof(max_align_t) == 0 &&
           atomic_load_explicit(&c->tag, memory_order_acquire) == (kind->tag ^ (uintptr_t)c);
}

#endif
