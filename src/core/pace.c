/* When the next message is due: means of what has been seen, where the newest is an eighth. */
#include "core/pace.h"

enum {
    SHARE = 8,
    GAP_MIN = 40000,    /* ns: a recv that looks again before it sleeps bridges less, */
    GAP_MAX = 20000000, /* and sleeps longer than this end late by more than a look may take */
    OFF_MAX = 20000,    /* ns: what is less steady is not waited for */
    MARGIN = 8000,      /* ns before a message is due, and behind */
    LATE_FIRST = 30000, /* ns, until there is a mean: too long a look at first, and none too late to be one */
    LATE_MAX = 200000,
    DENSE_MAX = 256,
    OTHERS_MAX = 3,
    MISSES_MAX = 4,
    REST_MIN = 32, /* messages */
    REST_MAX = 65536,
};

static void take_in(uint64_t *mean, uint64_t value)
{
    if (value > *mean)
        *mean += (value - *mean + SHARE - 1) / SHARE;
    else
        *mean -= (*mean - value) / SHARE;
}

/* How late a sleep ends, as far as known. */
static uint64_t lateness(const struct sf_pace *p)
{
    return p->late ? p->late : LATE_FIRST;
}

void sf_pace_came(struct sf_pace *p, uint64_t now, bool slept)
{
    uint64_t at = slept ? now - lateness(p) : now; /* about: to be woken takes as long as to wake up */
    uint64_t gap = at > p->last ? at - p->last : 0, off;
    bool dense = p->last && (at < p->seen + GAP_MIN || gap < p->gap / 4);

    p->seen = at;
    p->rest -= p->rest > 0;
    if (slept)
        p->found = 0;
    else if (++p->found / 4 >= p->rests)
        p->rests = 0;
    if (dense) { /* a burst's first is what counts */
        if (++p->dense < DENSE_MAX)
            return;
        gap = 0; /* it has no end: another pace, or none */
    }
    off = gap > p->gap ? gap - p->gap : p->gap - gap;
    p->dense = 0;
    if (p->last == 0 || gap == 0) {
        p->gap = p->off = 0;
        p->others = OTHERS_MAX;
    } else if (off < p->gap / 4) {
        p->others = 0;
        take_in(&p->gap, gap);
        take_in(&p->off, off);
        if (!slept)
            p->misses = 0;
    } else if (++p->others > OTHERS_MAX) { /* another pace */
        p->gap = p->off = gap;
    }
    p->last = at;
}

uint64_t sf_pace_wake(const struct sf_pace *p, uint64_t now)
{
    uint64_t lead = lateness(p) + p->off + MARGIN;
    uint64_t at = p->last + p->gap - lead;

    if (p->rest || p->last == 0 || p->gap < GAP_MIN || p->gap > GAP_MAX || p->off > OFF_MAX ||
        lead > p->gap)
        return 0;
    return at > now ? at : 0;
}

uint64_t sf_pace_woke(struct sf_pace *p, uint64_t planned, uint64_t now)
{
    uint64_t late = now > planned ? now - planned : 0;
    uint64_t end = p->last + p->gap + p->off + MARGIN;
    uint64_t most = planned + LATE_MAX + 2 * (OFF_MAX + MARGIN); /* as sf_pace_wake has planned it */

    if (late < LATE_MAX) { /* else it was not the sleep that took so long */
        p->late = lateness(p);
        take_in(&p->late, late);
    }
    return end < most ? end : most; /* others may have learnt another pace meanwhile */
}

void sf_pace_missed(struct sf_pace *p, bool crowded)
{
    if (crowded) {
        p->rests = p->rests < REST_MIN ? REST_MIN : p->rests < REST_MAX ? 2 * p->rests : REST_MAX;
        p->rest = p->rests;
    } else if (++p->misses >= MISSES_MAX) {
        p->off = p->gap; /* it takes some tens of messages to trust in it again */
        p->misses = 0;
    }
}
