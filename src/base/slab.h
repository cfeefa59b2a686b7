#ifndef SF_BASE_SLAB_H
#define SF_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

/*
 * Memory for many things of one size that live for a short while only. It
 * stands apart from the heap, so that what is made meanwhile and stays does not
 * stand between the holes they leave; a slab in which nothing is left goes back
 * to the system, but for one. All zeroes is an empty pool. Not thread-safe.
 */
struct sf_slabs {
    size_t size;            /* of a thing, bytes; the first request settles it */
    struct sf_list partial; /* struct sf_slab.node: those that have room */
    struct sf_slab *spare;     /* owns; one that is empty, or NULL */
    size_t count;           /* slabs, the spare included */
    bool secret;            /* kept out of core dumps, where the system allows */
};

/* `size` zeroed bytes, always as many in one pool, or NULL when there is no memory. */
void *sf_slab_new(struct sf_slabs *s, size_t size);

/* NULL is allowed. */
void sf_slab_free(struct sf_slabs *s, void *p);

/* Everything was freed before. */
void sf_slabs_fini(struct sf_slabs *s);

#endif
