#ifndef SF_PATTERNS_XPUB_H
#define SF_PATTERNS_XPUB_H

#include "patterns/fanout.h"
#include "patterns/trie.h"

struct sf_request;

/*
 * What PUB, XPUB and RADIO have in common: a PUB is an XPUB that delivers nothing, and a RADIO one
 * whose subscriptions are asked for by other commands.
 */
struct sf_xpub {
    struct sf_fanout out;
    struct sf_trie topics; /* who gets what */
    struct sf_groups groups; /* of peers that get the same by `topics` */
    struct sf_trie asked;  /* manual: who asked for what */
    struct sf_list items;  /* struct item.node: what recv gives, oldest first */
    uint64_t stamp;        /* number of the message being matched */

    struct sf_peer *last; /* manual: sent the request read last; NULL: none, or gone */
    bool only_last;       /* manual last value: the next message is for `last` alone */

    bool deaf; /* a PUB */
    /* A RADIO: understands its commands, whether it is one; messages are none. NULL: others. */
    bool (*group_request)(struct sf_xpub *x, struct sf_request *r, struct sf_msg *m);
    bool verbose, verboser, manual, last_value, nodrop, invert, only_first;
    struct sf_msg welcome; /* empty: none */
};

/* sf_peer.own */
struct sf_xpub_peer {
    struct sf_group_peer group;
    uint64_t stamp;            /* of the last message that matched */
    struct sf_list links;      /* struct sf_trie_link.in_peer in `topics` */
    struct sf_list asked;      /* and in `asked` */
    struct sf_list items;      /* struct item.of_peer: what it sent and nobody read yet */
    size_t requests, messages; /* how many of them are what */
    bool gone;                 /* it has ended and has been forgotten */
};

int sf_xpub_init(struct sf_socket *s);
void sf_xpub_fini(struct sf_socket *s);
int sf_xpub_attach(struct sf_socket *s, struct sf_peer *p);
void sf_xpub_joined(struct sf_socket *s, struct sf_peer *p);
void sf_xpub_lost(struct sf_socket *s, struct sf_peer *p);
void sf_xpub_ended(struct sf_socket *s, struct sf_peer *p);
void sf_xpub_detach(struct sf_socket *s, struct sf_peer *p);
void sf_xpub_readable(struct sf_socket *s, struct sf_peer *p);
void sf_xpub_writable(struct sf_socket *s, struct sf_peer *p);
int sf_xpub_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait);

/* Sends the first frame of a message, to who holds what `key` begins with; the rest is sf_fanout_rest's. */
int sf_xpub_begin(struct sf_socket *s, const void *key, size_t size, struct sf_msg *m, bool more);
int sf_xpub_set(struct sf_socket *s, int option, const void *value, size_t size);
int sf_xpub_get(struct sf_socket *s, int option, void *value, size_t *size);

#endif
