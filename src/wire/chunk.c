/* Counted blocks of bytes, plain and as pieces of a pipe. */
#include "wire/chunk.h"
#include "base/alloc.h"

struct sf_owner *sf_owner_new(size_t size)
{
    struct sf_owner *o = sf_alloc_raw(16 + size);

    if (!o)
        return NULL;
    atomic_init(&o->refs, 1);
    o->kind = SF_OWNER_HEAP;
    return o;
}

struct sf_chunk *sf_chunk_new(size_t size, struct sf_meta *meta)
{
    struct sf_chunk *c;

    /* Round up, so that segments at the end are aligned. */
    size = (size + sizeof *c + 63) / 64 * 64 - sizeof *c;
    c = sf_alloc_raw(sizeof *c + size);
    if (!c)
        return NULL;
    atomic_init(&c->owner.refs, 1);
    c->owner.kind = SF_OWNER_CHUNK;
    c->meta = sf_meta_ref(meta);
    c->size = (uint32_t)size;
    atomic_init(&c->done, 0);
    atomic_init(&c->n_segs, 0);
    atomic_init(&c->next, NULL);
    return c;
}

void sf_chunk_free(struct sf_chunk *c)
{
    uint32_t n = atomic_load_explicit(&c->n_segs, memory_order_relaxed);

    for (uint32_t i = 0; i < n; i++)
        sf_owner_unref(sf_chunk_segment(c, i)->owner);
    sf_meta_unref(c->meta);
    sf_free(c);
}
