/* Things of one size that come and go together, out of the heap's way. */
#include "base/slab.h"
#include "base/alloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature) /* clang's way to say what gcc has a macro for */
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

/* The address sanitizer is to see each thing: then all are the heap's. */
#ifdef SANITIZED
static const bool singly = true;
#else
static const bool singly = false;
#endif

enum { SLAB_BYTES = 16384, ALIGN = 16 };

/* Before each thing. */
struct head {
    _Alignas(ALIGN) struct sf_slab *slab; /* that it is of; NULL: of none */
    struct head *next;                 /* the next that is free */
};

struct sf_slab {
    _Alignas(ALIGN) struct sf_list node; /* in sf_slabs.partial, while it has room and is not empty */
    struct head *free;   /* that were in use before */
    size_t used;         /* things in use */
    size_t touched;      /* the first so many have ever been */
};

static size_t stride(const struct sf_slabs *s)
{
    return (sizeof(struct head) + s->size + ALIGN - 1) / ALIGN * ALIGN;
}

/* How many things a slab has; 0: they are too large for that. */
static size_t capacity(const struct sf_slabs *s)
{
    return (SLAB_BYTES - sizeof(struct sf_slab)) / stride(s);
}

static bool is_full(const struct sf_slabs *s, const struct sf_slab *b)
{
    return b->used == capacity(s);
}

static struct sf_slab *slab_new(struct sf_slabs *s)
{
    struct sf_slab *b = s->spare;

    /* While requests are counted each is one: nothing kept stands in for it. */
    if (b && !sf_alloc_counts()) {
        s->spare = NULL;
        return b;
    }
    b = sf_alloc_pages(SLAB_BYTES);
    if (b) {
#ifdef MADV_DONTDUMP
        if (s->secret) /* that it may fail is no reason to do without */
            madvise(b, SLAB_BYTES, MADV_DONTDUMP);
#endif
        sf_list_init(&b->node);
        s->count++;
    }
    return b;
}

static void slab_free(struct sf_slabs *s, struct sf_slab *b)
{
    if (!s->spare) {
        s->spare = b;
        return;
    }
    s->count--;
    sf_free_pages(b, SLAB_BYTES);
}

/* One with room. */
static struct sf_slab *find(struct sf_slabs *s)
{
    if (sf_list_empty(&s->partial) || sf_alloc_counts())
        return slab_new(s);
    return SF_CONTAINER(s->partial.next, struct sf_slab, node);
}

static struct head *take(struct sf_slabs *s, struct sf_slab *b)
{
    struct head *h = b->free;

    if (h)
        b->free = h->next;
    else
        h = (struct head *)(void *)((uint8_t *)(b + 1) + b->touched++ * stride(s));
    h->slab = b;
    if (b->used++ == 0)
        sf_list_push(&s->partial, &b->node);
    if (is_full(s, b))
        sf_list_remove(&b->node);
    return h;
}

void *sf_slab_new(struct sf_slabs *s, size_t size)
{
    struct head *h;
    struct sf_slab *b;

    if (s->size == 0) {
        s->size = size;
        sf_list_init(&s->partial);
    }
    if (singly || capacity(s) == 0) {
        h = sf_alloc(sizeof *h + size);
        return h ? h + 1 : NULL;
    }
    b = find(s);
    if (!b)
        return NULL;
    h = take(s, b);
    return memset(h + 1, 0, size);
}

void sf_slab_free(struct sf_slabs *s, void *p)
{
    struct head *h = p ? (struct head *)p - 1 : NULL;
    struct sf_slab *b = h ? h->slab : NULL;

    if (!b) {
        sf_free(h);
        return;
    }
    if (is_full(s, b)) /* behind the others: it is given time to get empty */
        sf_list_push(&s->partial, &b->node);
    h->next = b->free;
    b->free = h;
    if (--b->used > 0)
        return;
    sf_list_remove(&b->node);
    slab_free(s, b);
}

void sf_slabs_fini(struct sf_slabs *s)
{
    if (s->spare)
        sf_free_pages(s->spare, SLAB_BYTES);
    memset(s, 0, sizeof *s);
}
