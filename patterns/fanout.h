#ifndef SF_PATTERNS_FANOUT_H
#define SF_PATTERNS_FANOUT_H

#include "patterns/group.h"

/*
 * Sending to many: the frames after the first go to those that got the first.
 * A peer without room misses the whole message.
 */
struct sf_fanout {
    struct sf_list taking; /* sf_peer.out_node: those that get the message begun */
    struct sf_list crowds; /* sf_group.taking: the same for groups */
    bool open;             /* a message was begun */
};

void sf_fanout_init(struct sf_fanout *f);

/* A new peer. */
void sf_fanout_add(struct sf_peer *p);

/* The peer gets no more of the message begun; harmless when it gets none. */
void sf_fanout_remove(struct sf_peer *p);

/* Gives a first frame to one peer, whatever room it has; if `more`, it gets the rest too. */
void sf_fanout_give(struct sf_socket *s, struct sf_fanout *f, struct sf_peer *p, struct sf_msg *m,
                    bool more);

/* The same if it has room, else it misses the message. */
static inline void sf_fanout_offer(struct sf_socket *s, struct sf_fanout *f, struct sf_peer *p,
                                   struct sf_msg *m, bool more)
{
    if (sf_peer_room(p) || sf_peer_make_room(p))
        sf_fanout_give(s, f, p, m, more);
    else
        sf_drop(s, SF_DROP_NO_ROOM);
}

/* The peer has the frames so far of the message begun: it gets the rest, too. */
void sf_fanout_go_on(struct sf_fanout *f, struct sf_peer *p);

/* Gives a first frame to those of a group with a crowd that have room; the others miss it. */
void sf_fanout_spread(struct sf_socket *s, struct sf_fanout *f, struct sf_group *g,
                      struct sf_msg *m, bool more);

/* Sends a frame that is not the first. */
void sf_fanout_rest(struct sf_socket *s, struct sf_fanout *f, struct sf_msg *m, bool more);

#endif
