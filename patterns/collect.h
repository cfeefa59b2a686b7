#ifndef SF_PATTERNS_COLLECT_H
#define SF_PATTERNS_COLLECT_H

#include "patterns/pattern.h"

/*
 * Receiving fairly: whole messages, in turn from all peers that have any. But what peers left that
 * have ended comes first: they may be back already, and theirs is to be received in order.
 */
struct sf_collect {
    struct sf_list ready;    /* sf_peer.in_node, the next first: all with in_active, */
    struct sf_list left;     /* and those of them that have ended */
    struct sf_peer *current; /* whose message is being read; NULL: none */
    struct sf_peer **sole;   /* sf_socket.sole_in, or NULL: there is more to a recv than this */
    bool cut;                /* that peer went away: an empty last frame ends the message */
};

/* `sole`: set while one peer is the only one in the row and no message is open; or NULL. */
void sf_collect_init(struct sf_collect *c, struct sf_peer **sole);

/* A new peer, at the end of the row. */
void sf_collect_add(struct sf_collect *c, struct sf_peer *p);

/* The peer has messages. */
void sf_collect_activate(struct sf_collect *c, struct sf_peer *p);

/* The peer has ended: it is read to its end, before others; the core sees then that it can go. */
void sf_collect_ended(struct sf_collect *c, struct sf_peer *p);

/* The peer and what it had are gone. */
void sf_collect_remove(struct sf_collect *c, struct sf_peer *p);

/* Whether a frame could be received now. */
bool sf_collect_ready(struct sf_collect *c);

/*
 * Takes the next frame into `m`: 0 or -EAGAIN. `from` (NULL: nobody asks) is
 * set to its peer, or to NULL when that has gone.
 */
int sf_collect_recv(struct sf_collect *c, struct sf_msg *m, struct sf_peer **from);

/* Drops what is left of the message being read, if one is; `m` is for scratch. */
void sf_collect_skip(struct sf_collect *c, struct sf_msg *m);

#endif
