#ifndef SF_PATTERNS_XSUB_H
#define SF_PATTERNS_XSUB_H

#include "patterns/collect.h"
#include "patterns/trie.h"

/* What SUB and XSUB have in common: what they subscribe to, and telling it to publishers. */
struct sf_xsub {
    struct sf_collect in;
    struct sf_trie topics; /* counted, without peers */
    uint8_t *text;         /* owns; where topics are put together */
    size_t text_room;      /* of it, bytes */
    size_t unsaid;         /* peers with sf_xsub_peer.unsaid */
    bool groups;           /* a DISH: topics are groups, which are joined and left */
};

/* sf_peer.own */
struct sf_xsub_peer {
    bool joined; /* it has been told the subscriptions and hears of changes */
    bool unsaid; /* for want of memory it has not been told all: again later */
};

int sf_xsub_init(struct sf_xsub *x);
void sf_xsub_fini(struct sf_xsub *x);

/* A new peer. */
void sf_xsub_add(struct sf_xsub *x, struct sf_peer *p);

/* Tells a peer all subscriptions. */
void sf_xsub_replay(struct sf_xsub *x, struct sf_peer *p);

/* The peer has lost its connection, or ended: it hears nothing until the next replay. */
void sf_xsub_silence(struct sf_xsub *x, struct sf_peer *p);

/* Replays again where it failed for want of memory. Cheap when there is nothing. */
void sf_xsub_catch_up(struct sf_socket *s, struct sf_xsub *x);

/* Adds a subscription (0, -ENOMEM), or takes one back (0, -ENOENT), and tells all peers by commands. */
int sf_xsub_subscribe(struct sf_socket *s, struct sf_xsub *x, const void *topic, size_t size);
int sf_xsub_cancel(struct sf_socket *s, struct sf_xsub *x, const void *topic, size_t size);

static inline struct sf_xsub_peer *sf_xsub_peer(const struct sf_peer *p)
{
    return p->own;
}

#endif
