#ifndef SF_PATTERNS_GROUP_H
#define SF_PATTERNS_GROUP_H

#include "patterns/pattern.h"
#include "patterns/trie.h"

/*
 * Subscribers that hold the same topics get the same messages: they form a
 * group, and the trie names the group instead of each of them.
 *
 * Only topics that are popular count, those that some peers have held at the
 * same time. What a peer has besides (its own inbox, say) is found through its
 * own link, and it gets that message alone. So are served: peers that are too
 * few for a group, that hold very many topics, or that a crowd does not take.
 *
 *   node "news"    groups: G{news}, H{news, sport}        links: peer 7
 *   node "inbox/3"                                        links: peer 3 (also in G)
 *
 * Who changes a popular topic leaves its group at once, if it gives it up; the
 * next message finds it a new one, so that a burst of requests costs one look.
 */
struct sf_group {
    struct sf_crowd *crowd;  /* owns; NULL: its peers are too few yet and are served one by one */
    struct sf_list taking;   /* in sf_fanout.crowds */
    uint64_t stamp;          /* of the last message that matched; the socket type's */
    struct sf_list members;  /* struct sf_group_peer.node */
    size_t n_members;
    size_t n_topics;
    struct sf_group_link *links; /* owns n_topics of them */
    struct sf_map_node by_key;
    uint64_t key; /* of the topics */
};

/* A topic that a group holds. */
struct sf_group_link {
    struct sf_list in_topic; /* sf_trie_node.groups, while there is a crowd */
    struct sf_trie_node *topic;
    struct sf_group *group;
};

/* What there is of it in a peer. */
struct sf_group_peer {
    struct sf_peer *peer;
    struct sf_list *links;  /* the list of its links */
    struct sf_group *group; /* whose topics are its popular ones; NULL: none */
    bool joined;            /* it is in the crowd; no node lists its links to the group's topics */
    struct sf_list node;    /* in sf_group.members */
    struct sf_list changed; /* in sf_groups.changed */
};

struct sf_groups {
    struct sf_trie *topics;
    struct sf_map by_key;   /* struct sf_group.by_key */
    struct sf_list changed; /* struct sf_group_peer.changed: those that may belong elsewhere */
};

void sf_groups_init(struct sf_groups *g, struct sf_trie *topics);
void sf_groups_fini(struct sf_groups *g); /* no peer is left */

/* A new peer, in no group; `links` is the list of its links in the trie. */
void sf_group_peer_init(struct sf_group_peer *gp, struct sf_peer *p, struct sf_list *links);

/* A peer has begun to hold a topic. `of` finds the part of others who do. */
void sf_group_holds(struct sf_groups *g, struct sf_group_peer *gp, struct sf_trie_node *topic,
                    struct sf_group_peer *(*of)(struct sf_peer *));

/* A peer is about to give a topic up. True: it is to be given the rest of the message under way. */
bool sf_group_drops(struct sf_groups *g, struct sf_group_peer *gp,
                    const struct sf_trie_node *topic);

/* The peer goes away, or gives all its topics up. The same. */
bool sf_group_leave(struct sf_groups *g, struct sf_group_peer *gp);

/* Finds places for those that changed. Between messages. */
void sf_groups_settle(struct sf_groups *g);

/* The group whose messages the peer gets through its crowd, or NULL. */
static inline struct sf_group *sf_group_of(const struct sf_group_peer *gp)
{
    return gp->joined ? gp->group : NULL;
}

#endif
