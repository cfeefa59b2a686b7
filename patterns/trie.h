#ifndef SF_PATTERNS_TRIE_H
#define SF_PATTERNS_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "patterns/pattern.h"

/*
 * Topics, found by what begins with them. A radix trie: a node stands for a
 * topic, an edge for the bytes that its end has more than its start.
 *
 *   ""  --"a"--> "a" --"pple"--> "apple"       topics: "" apple ape b
 *    |            +----"pe"----> "ape"
 *    +--"b"--> "b"
 *
 * Nodes keep their address as long as their count is not 0.
 */
struct sf_trie_node {
    struct sf_trie_node *up;    /* NULL: the root */
    struct sf_trie_edge *edges; /* owns; by ascending first byte */
    unsigned n_edges, room;     /* n_edges <= room */
    uint8_t *label;             /* the last label_size bytes of the topic; within `bytes` */
    uint8_t *bytes;             /* owns */
    size_t label_size;
    size_t size;          /* of the whole topic */
    size_t count;         /* holders; 0: is there only for those below */
    struct sf_list links; /* struct sf_trie_link.in_topic, for tries of peers */
    struct sf_list groups; /* those of group.h that hold it; their peers' links are not in `links` */
    bool popular;          /* group.h: it counts for the sets of its holders */
};

struct sf_trie_edge {
    struct sf_trie_node *to;
    uint8_t first; /* byte of its label */
};

struct sf_trie {
    struct sf_trie_node root; /* topic "" */
    size_t topics;            /* nodes with a count */
    struct sf_map links;      /* struct sf_trie_link.by_pair */
};

void sf_trie_init(struct sf_trie *t);

/* Frees all topics; no links may be left. */
void sf_trie_fini(struct sf_trie *t);

/* Counts one holder more of a topic: 0 or -ENOMEM. `out` may be NULL. */
int sf_trie_add(struct sf_trie *t, const void *topic, size_t size, struct sf_trie_node **out);

/* Counts one holder less of a node whose count is not 0; at 0 it goes away. */
void sf_trie_drop(struct sf_trie *t, struct sf_trie_node *n);

/* The node of exactly this topic, if anybody holds it, or NULL. */
struct sf_trie_node *sf_trie_find(struct sf_trie *t, const void *topic, size_t size);

/* Whether the bytes begin with any topic held. */
bool sf_trie_match(const struct sf_trie *t, const void *bytes, size_t size);

/* The next node below `n` whose topic the bytes begin with (its count may be 0), or NULL. */
struct sf_trie_node *sf_trie_deeper(const struct sf_trie_node *n, const uint8_t *bytes,
                                    size_t size);

/* The topics held, ascending: the one after `n` (NULL: the first), or NULL. */
struct sf_trie_node *sf_trie_next(struct sf_trie *t, struct sf_trie_node *n);

/* Writes the node's topic, n->size bytes. */
void sf_trie_topic(const struct sf_trie_node *n, uint8_t *out);

/* A peer that holds a topic. */
struct sf_trie_link {
    struct sf_trie_node *topic;
    struct sf_peer *peer;
    struct sf_list in_topic; /* sf_trie_node.links */
    struct sf_list in_peer;  /* the list of that peer's links, oldest first */
    struct sf_map_node by_pair;
    uint8_t pair[2 * sizeof(void *)];
};

/*
 * Lets a peer hold a topic; `links` is the list of its links in this trie.
 * 1: now it does, 0: it did before, -ENOMEM. `out` is the topic's node.
 */
int sf_trie_join(struct sf_trie *t, struct sf_peer *p, struct sf_list *links, const void *topic,
                 size_t size, struct sf_trie_node **out);

/* The link of a peer to a topic, or NULL. */
struct sf_trie_link *sf_trie_link_find(struct sf_trie *t, const struct sf_peer *p,
                                       const void *topic, size_t size);

/* The link of a peer to the topic of a node, or NULL. */
struct sf_trie_link *sf_trie_link_to(struct sf_trie *t, const struct sf_peer *p,
                                     const struct sf_trie_node *n);

/* Ends and frees a link. */
void sf_trie_part(struct sf_trie *t, struct sf_trie_link *l);

#endif
