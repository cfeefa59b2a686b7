#ifndef SF_CORE_COUNTERS_H
#define SF_CORE_COUNTERS_H

#include <stdint.h>

#include "base/list.h"
#include "base/park.h"
#include "patterns/pattern.h"
#include "wire/pipe.h"

struct sf_link;
struct sifr_socket;

/*
 * What a socket has done since it was made. Messages are counted by the pipes
 * they go through, by whoever moves them, in fields of its own. Here they are
 * added up when somebody asks: those of the links that are there, and the sums
 * of those that were. Whatever else is counted is rare.
 */
struct sf_counters {
    struct sf_flow in;  /* put: whole messages that came; took: read by the pattern */
    struct sf_flow out; /* put: by the pattern; took: by the system or the other socket */
    uint64_t drops[SF_DROPS]; /* by reason, enum sf_drop */
    uint64_t reconnects;      /* connections dialed again that became usable */
};

/* In each socket. */
struct sf_count_sum {
    struct sf_lock lock;     /* guards the rest; no other is taken inside */
    struct sf_list links;    /* struct sf_link.counted */
    struct sf_counters gone; /* of links that are no more, and what no link counts */
};

void sf_counters_init(struct sf_count_sum *sum); /* the lock stays as it is */

/* The link has its pipes: from now on it is counted. Any thread. */
void sf_counters_enter(struct sf_link *l);

/* Nobody knows the link any more: what its pipes hold is discarded. Harmless without enter. */
void sf_counters_settle(struct sf_link *l);

/* `n` messages were lost outside of the socket's turn. Any thread. */
void sf_counters_lost(struct sifr_socket *s, enum sf_drop why, uint64_t n);

void sf_counters_reconnected(struct sifr_socket *s); /* any thread */

/*
 * All of it, with the turn. Numbers of what goes on meanwhile may be of
 * slightly different moments; none ever falls but depth.
 */
void sf_socket_counters(struct sifr_socket *s, struct sf_counters *out);

#endif
