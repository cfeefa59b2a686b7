#ifndef SF_PATTERNS_ROUTE_H
#define SF_PATTERNS_ROUTE_H

#include "patterns/pattern.h"

enum { SF_ROUTE_ID_MAX = 255 };

/* A peer's routing id; at the start of sf_peer.own. It stays readable after the peer has lost it. */
struct sf_route_id {
    bool named;   /* in the map: may be sent to */
    uint8_t size; /* 0: never named */
    uint8_t bytes[SF_ROUTE_ID_MAX];
};

/* Peers by routing id. */
struct sf_route {
    struct sf_map peers; /* sf_peer.by_id; the keys are in sf_route_id */
    uint32_t next;       /* of the generated ids */
};

int sf_route_init(struct sf_route *r); /* 0 or -ENOMEM */
void sf_route_fini(struct sf_route *r);

/*
 * Gives a peer its id: the one set for it, or announced by it, or a new one of
 * 5 bytes. 0; -ENOMEM; -EBUSY, `holder` is then the peer that has that id.
 */
int sf_route_name(struct sf_route *r, struct sf_peer *p, struct sf_peer **holder);

/* Takes the id from a peer, if it has one: nothing can be sent to it any more. */
void sf_route_unname(struct sf_route *r, struct sf_peer *p);

/* The same, and what is still read of it comes from a newly generated id. */
void sf_route_retire(struct sf_route *r, struct sf_peer *p);

/* The peer with that id, or NULL. */
struct sf_peer *sf_route_find(const struct sf_route *r, const void *id, size_t size);

static inline struct sf_route_id *sf_route_id(const struct sf_peer *p)
{
    return p->own;
}

#endif
