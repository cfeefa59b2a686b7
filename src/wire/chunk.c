/* Counted blocks of bytes, plain and as pieces of a pipe. */
#include "wire/chunk.h"
#include "base/alloc.h"
#include "base/block.h"

struct sf_owner *sf_owner_new(size_t size)
{
    uint16_t block;
    struct sf_owner *o = sf_block_new(16 + size, &block);

    if (!o)
        return NULL;
    atomic_init(&o->refs, 1);
    o->kind = SF_OWNER_HEAP;
    o->block = block;
    return o;
}

struct sf_owner *sf_owner_grow(struct sf_owner *o, size_t size)
{
    o = sf_realloc(o, 16 + size);
    if (o)
        o->block = 0; /* no more of the size that it stands for */
    return o;
}

struct sf_pins *sf_pins_new(bool copy_all)
{
    struct sf_pins *p = sf_alloc(sizeof *p);

    if (!p)
        return NULL;
    atomic_init(&p->refs, 1);
    p->copy_all = copy_all;
    return p;
}

struct sf_pins *sf_pins_ref(struct sf_pins *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void sf_pins_unref(struct sf_pins *p)
{
    if (p && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        sf_free(p);
}

struct sf_chunk *sf_chunk_new(size_t size, struct sf_meta *meta)
{
    struct sf_chunk *c;
    uint16_t block;

    /* Round up, so that segments at the end are aligned. */
    size = (size + sizeof *c + 63) / 64 * 64 - sizeof *c;
    c = sf_block_new(sizeof *c + size, &block);
    if (!c)
        return NULL;
    atomic_init(&c->owner.refs, 1);
    c->owner.kind = SF_OWNER_CHUNK;
    c->owner.block = block;
    c->meta = sf_meta_ref(meta);
    c->size = (uint32_t)size;
    c->wanted = 0;
    atomic_init(&c->pins, NULL);
    atomic_init(&c->done, 0);
    atomic_init(&c->n_segs, 0);
    atomic_init(&c->next, NULL);
    return c;
}

void sf_chunk_leave(struct sf_chunk *c, struct sf_pins *pins, uint32_t slices, uint64_t bytes)
{
    uint32_t held = atomic_load_explicit(&c->owner.refs, memory_order_acquire) - 1;
    struct sf_pins *none = NULL;

    /* Set before our reference goes: whoever gives back the last one sees it. */
    if (held && pins && slices && atomic_compare_exchange_strong(&c->pins, &none, pins)) {
        sf_pins_ref(pins);
        c->wanted = (uint32_t)(held < slices ? bytes / slices * held : bytes);
        atomic_fetch_add_explicit(&pins->chunks, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&pins->bytes, c->size, memory_order_relaxed);
        atomic_fetch_add_explicit(&pins->wanted, c->wanted, memory_order_relaxed);
    }
    sf_owner_unref(&c->owner);
}

void sf_chunk_free(struct sf_chunk *c)
{
    struct sf_pins *pins = atomic_load_explicit(&c->pins, memory_order_relaxed);
    uint32_t n = atomic_load_explicit(&c->n_segs, memory_order_relaxed);

    if (pins) {
        atomic_fetch_sub_explicit(&pins->chunks, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&pins->bytes, c->size, memory_order_relaxed);
        atomic_fetch_sub_explicit(&pins->wanted, c->wanted, memory_order_relaxed);
        sf_pins_unref(pins);
    }

    for (uint32_t i = 0; i < n; i++)
        sf_owner_unref(sf_chunk_segment(c, i)->owner);
    sf_meta_unref(c->meta);
    sf_block_free(c, c->owner.block);
}
