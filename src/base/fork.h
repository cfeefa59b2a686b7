#ifndef SF_BASE_FORK_H
#define SF_BASE_FORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A number that is another one in a forked child: what was made under one
 * number belongs to the process that had it. Costs one load. Any thread.
 */
static inline uint32_t sf_fork_generation(void);

/* Whether that still is the number, of one that was given once. */
static inline bool sf_fork_same(uint32_t generation);

/* The word that the kernel wipes in a child: 0 there until asked; NULL before anybody has asked. */
extern _Atomic(_Atomic uint32_t *) sf_fork_word;

uint32_t sf_fork_begin(void); /* gives the process its number */

static inline uint32_t sf_fork_generation(void)
{
    _Atomic uint32_t *word = atomic_load_explicit(&sf_fork_word, memory_order_acquire);
    uint32_t now = word ? atomic_load_explicit(word, memory_order_relaxed) : 0;

    return now ? now : sf_fork_begin();
}

static inline bool sf_fork_same(uint32_t generation)
{
    _Atomic uint32_t *word = atomic_load_explicit(&sf_fork_word, memory_order_relaxed);

    return atomic_load_explicit(word, memory_order_relaxed) == generation;
}

#endif
