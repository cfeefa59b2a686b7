#ifndef SF_PATTERNS_ROUTER_H
#define SF_PATTERNS_ROUTER_H

#include "patterns/collect.h"
#include "patterns/route.h"

/* What ROUTER and STREAM have in common: a STREAM is a ROUTER of raw connections. */
struct sf_router {
    struct sf_route route;
    struct sf_collect in;

    /* Sending. */
    bool sending;       /* the id frame was accepted, others are due */
    struct sf_peer *to; /* NULL: the message goes nowhere */

    /* Receiving. */
    enum { SF_ROUTER_NOTHING, SF_ROUTER_BOTH, SF_ROUTER_BODY } ahead; /* what is ready for recv */
    struct sf_msg id;       /* BOTH: where `body` comes from */
    struct sf_msg body;     /* BOTH, BODY: the message's first frame */
    struct sf_msg room;     /* for the next `id`, before anything is read: then none is lost */
    bool long_ids;          /* some id was too long for a message that needs no memory */
    struct sf_list notices; /* struct notice.node: peers that came or went */
    uint32_t noted, told;   /* notices that were put there, and taken, ever */
    size_t farewells;       /* peers of which `farewell` is set */

    size_t nameless; /* dialed peers whose id another one has */
    bool mandatory, handover, probe;
};

/* sf_peer.own */
struct sf_router_peer {
    struct sf_route_id id; /* the first */
    uint32_t noted; /* sf_router.noted when it ended: what came before goes before its rest */
    bool joined;
    bool nameless;  /* counted there */
    bool farewell;  /* has ended; the notice follows what is still to be read */
    bool displaced; /* its id was taken over */
};

int sf_router_init(struct sf_socket *s);
void sf_router_fini(struct sf_socket *s);
int sf_router_attach(struct sf_socket *s, struct sf_peer *p);
void sf_router_joined(struct sf_socket *s, struct sf_peer *p);
void sf_router_lost(struct sf_socket *s, struct sf_peer *p);
void sf_router_ended(struct sf_socket *s, struct sf_peer *p);
void sf_router_detach(struct sf_socket *s, struct sf_peer *p);
void sf_router_readable(struct sf_socket *s, struct sf_peer *p);
int sf_router_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait);
int sf_router_recv(struct sf_socket *s, struct sf_msg *m);
int sf_router_events(struct sf_socket *s);

#endif
