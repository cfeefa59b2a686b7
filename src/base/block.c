/* Large blocks of memory that are kept for the next who wants one. */
#include "base/block.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/park.h"

#include <stdbool.h>

#if defined(__has_feature) /* clang's way to say what gcc has a macro for */
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(SANITIZED)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

/*
 * Sizes go up by a quarter of a power of two, and a little more each, for the
 * header of what has a power of two of bytes. Kind k > 0 is of block_size(k).
 */
enum { STEPS = 4, SPARE = 256, FIRST_LOG = 13, KINDS = (20 - FIRST_LOG) * STEPS + 2,
       AGE_MS = 8 };

struct block {
    struct block *next;
};

/*
 * Guards what is kept. Only ever tried: who finds it taken goes to the C
 * library instead, so nobody waits for a thread that has been interrupted, and
 * after a fork in which its holder was lost the child merely keeps nothing.
 */
static struct sf_lock block_lock;
static struct block *kept[KINDS];
static uint16_t n_kept[KINDS], least[KINDS]; /* of the kind; least since sf_block_age */
static uint64_t aged_ms;                     /* when that was */
static size_t kept_bytes;

static size_t block_size(unsigned kind)
{
    size_t base = (size_t)1 << (FIRST_LOG + (kind - 1) / STEPS);

    return base + base / STEPS * ((kind - 1) % STEPS) + SPARE;
}

/* What is kept is as good as freed: the address sanitizer is to tell who uses it. */
static void hide(struct block *b, unsigned kind)
{
    ASAN_POISON_MEMORY_REGION(b + 1, block_size(kind) - sizeof *b);
}

static void show(struct block *b, unsigned kind)
{
    ASAN_UNPOISON_MEMORY_REGION(b + 1, block_size(kind) - sizeof *b);
}

/* The least kind that has `size` bytes; 0 if none has. */
static unsigned block_kind(size_t size)
{
    unsigned kind = 1;

    if (size < SF_BLOCK_MIN || size > SF_BLOCK_MAX + SPARE)
        return 0;
    while (kind < KINDS - 1 && block_size(kind) < size)
        kind++;
    return kind;
}

/* The next that is kept of the kind. Under the lock. */
static struct block *take(unsigned k)
{
    struct block *b = kept[k];

    kept[k] = b->next;
    kept_bytes -= block_size(k);
    if (--n_kept[k] < least[k])
        least[k] = n_kept[k];
    show(b, k);
    return b;
}

static void free_all(struct block *all)
{
    while (all) {
        struct block *b = all;

        all = b->next;
        sf_free(b);
    }
}

void *sf_block_new(size_t size, uint16_t *kind)
{
    struct block *b = NULL;
    unsigned k = block_kind(size);

    *kind = (uint16_t)k;
    if (k == 0)
        return sf_alloc_raw(size);
    if (!sf_alloc_counts() && sf_lock_try(&block_lock)) {
        b = kept[k] ? take(k) : NULL;
        sf_lock_drop(&block_lock);
    }
    return b ? b : sf_alloc_raw(block_size(k));
}

void sf_block_free(void *p, uint16_t kind)
{
    struct block *b = p;

    if (kind && !sf_alloc_counts() && sf_lock_try(&block_lock)) {
        if (kept_bytes + block_size(kind) <= SF_BLOCK_KEPT) {
            b->next = kept[kind];
            kept[kind] = b;
            n_kept[kind]++;
            hide(b, kind);
            kept_bytes += block_size(kind);
            b = NULL;
        }
        sf_lock_drop(&block_lock);
    }
    sf_free(b);
}

size_t sf_block_kept(void)
{
    size_t all;

    sf_lock_take(&block_lock);
    all = kept_bytes;
    sf_lock_drop(&block_lock);
    return all;
}

/* Takes out all of each kind, or as many as were never asked for of late. */
static struct block *take_out(bool all)
{
    struct block *out = NULL;

    for (unsigned k = 1; k < KINDS; k++) {
        for (unsigned n = all ? n_kept[k] : least[k]; n > 0; n--) {
            struct block *b = take(k);

            b->next = out;
            out = b;
        }
        least[k] = n_kept[k];
    }
    return out;
}

void sf_block_age(void)
{
    struct block *out = NULL;
    uint64_t now = sf_clock_ms();

    if (!sf_lock_try(&block_lock))
        return;
    if (now - aged_ms >= AGE_MS) {
        aged_ms = now;
        out = take_out(false);
    }
    sf_lock_drop(&block_lock);
    free_all(out);
}

void sf_block_forget(void)
{
    struct block *out;

    if (!sf_lock_try(&block_lock))
        return;
    out = take_out(true);
    sf_lock_drop(&block_lock);
    free_all(out);
}
