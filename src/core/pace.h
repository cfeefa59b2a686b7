#ifndef SF_CORE_PACE_H
#define SF_CORE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When the next message is due, of a receiver whose messages come at a steady pace.
 *
 * A core that sleeps takes some ten microseconds to wake up, and to be woken by another costs that
 * one as much. Who knows when wakes up by itself, a moment before, and looks. All zeroes is one that
 * has seen nothing. One thread at a time; times are sf_clock_ns().
 */
struct sf_pace {
    uint64_t last;   /* when a message came that was waited for, the first of a burst; 0: none did */
    uint64_t seen;   /* when the last such came, in a burst or not */
    uint64_t gap;    /* means: from one such to the next, */
    uint64_t off;    /* how far from that they were, */
    uint64_t late;   /* how late a sleep ends here */
    unsigned others; /* gaps in a row that were quite different */
    unsigned dense;  /* messages in a row that came so soon after one that they are part of a burst */
    unsigned misses; /* in a row: sleeps that ended in vain */
    unsigned rest;   /* messages that will not be looked for, as others want the core, */
    unsigned rests;  /* and how many the next time */
    unsigned found;  /* messages in a row that were there when looked for */
};

/* A message came at the end of a wait. `slept`: it has ended a sleep. */
void sf_pace_came(struct sf_pace *p, uint64_t now, bool slept);

/* When a timed sleep is to end that begins now; 0: there is no saying when a message is due. */
uint64_t sf_pace_wake(const struct sf_pace *p, uint64_t now);

/* A sleep until `planned` has ended now. When to sleep again if nothing has come. */
uint64_t sf_pace_woke(struct sf_pace *p, uint64_t planned, uint64_t now);

/* Nothing had come by then. `crowded`: and others want the core. */
void sf_pace_missed(struct sf_pace *p, bool crowded);

#endif
