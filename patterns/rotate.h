#ifndef SF_PATTERNS_ROTATE_H
#define SF_PATTERNS_ROTATE_H

#include "patterns/pattern.h"

/*
 * Sending in turn: each message goes to the next peer that has room, all its
 * frames to the same one. A full peer loses its turn until it is writable.
 */
struct sf_rotate {
    struct sf_list ready;    /* sf_peer.out_node, the next first: all with out_active */
    struct sf_peer *current; /* has the first frames of a message; NULL: none */
    struct sf_peer **sole;   /* sf_socket.sole_out, or NULL: there is more to a send than this */
    bool lost;    /* the peer of the message begun has gone, the sender does not know yet */
    bool swallow; /* the rest of the message goes nowhere */
};

/* `sole`: set while one peer is the only one in the row and no message is open; or NULL. */
void sf_rotate_init(struct sf_rotate *r, struct sf_peer **sole);

/* A new peer, at the end of the row. */
void sf_rotate_add(struct sf_rotate *r, struct sf_peer *p);

/* The peer has room again. */
void sf_rotate_activate(struct sf_rotate *r, struct sf_peer *p);

/* The peer takes nothing any more; harmless when it is not in the row. */
void sf_rotate_remove(struct sf_rotate *r, struct sf_peer *p);

/* Whether a frame could be sent now. */
bool sf_rotate_ready(struct sf_rotate *r);

/* Sends a frame, as sf_pattern.send: 0, -EAGAIN, -ENOMEM. */
int sf_rotate_send(struct sf_rotate *r, struct sf_msg *m, bool more, bool wait);

/*
 * For messages with an envelope, while no message is open (sf_rotate_idle): the
 * peer whose turn it is, or NULL; and afterwards the word that it was given
 * the first frames. If it has ended instead, sf_rotate_remove and pick anew.
 */
struct sf_peer *sf_rotate_pick(struct sf_rotate *r);
void sf_rotate_took(struct sf_rotate *r, struct sf_peer *p, bool more);

/* Whether the next frame is the first of a message. */
static inline bool sf_rotate_idle(const struct sf_rotate *r)
{
    return !r->current && !r->lost && !r->swallow;
}

#endif
