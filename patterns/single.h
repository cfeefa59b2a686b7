#ifndef SF_PATTERNS_SINGLE_H
#define SF_PATTERNS_SINGLE_H

#include "patterns/collect.h"

/*
 * Receiving fairly, by a type whose messages have one frame: those of several
 * are dropped whole. Peers are added to `in` and taken from it as with sf_collect.
 */
struct sf_single {
    struct sf_collect in;
    bool has_ahead;      /* `ahead` was read to know that there is one */
    struct sf_msg ahead;
};

void sf_single_init(struct sf_single *g);
void sf_single_fini(struct sf_single *g);

/* Takes the next message into `m`, with the number of its peer: 0 or -EAGAIN. */
int sf_single_recv(struct sf_socket *s, struct sf_single *g, struct sf_msg *m);

/* Whether there is one. */
bool sf_single_ready(struct sf_socket *s, struct sf_single *g);

#endif
