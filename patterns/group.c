/* Subscribers that hold the same topics. */
#include "patterns/group.h"

#include "base/alloc.h"

#include <errno.h>

enum {
    POPULAR = 3,      /* holders that make a topic popular, and peers that make a crowd */
    TOPICS_MAX = 256, /* of a group: that many links change when a peer changes groups */
    LINKS_MAX = 1024, /* of a peer in a group: that many are looked at then */
};

void sf_groups_init(struct sf_groups *g, struct sf_trie *topics)
{
    g->topics = topics;
    sf_list_init(&g->changed);
}

void sf_groups_fini(struct sf_groups *g)
{
    sf_map_fini(&g->by_key);
}

void sf_group_peer_init(struct sf_group_peer *gp, struct sf_peer *p, struct sf_list *links)
{
    gp->peer = p;
    gp->links = links;
    gp->group = NULL;
    gp->joined = false;
    sf_list_init(&gp->node);
    sf_list_init(&gp->changed);
}

/* ---- What changes ---- */

static void change(struct sf_groups *g, struct sf_group_peer *gp)
{
    if (sf_list_empty(&gp->changed))
        sf_list_push(&g->changed, &gp->changed);
}

void sf_group_holds(struct sf_groups *g, struct sf_group_peer *gp, struct sf_trie_node *topic,
                    struct sf_group_peer *(*of)(struct sf_peer *))
{
    if (topic->popular) {
        change(g, gp);
        return;
    }
    if (topic->count < POPULAR)
        return;
    topic->popular = true; /* so far no group holds it, and all its holders are in `links` */
    SF_LIST_EACH(it, after, &topic->links)
    change(g, of(SF_CONTAINER(it, struct sf_trie_link, in_topic)->peer));
}

bool sf_group_drops(struct sf_groups *g, struct sf_group_peer *gp, const struct sf_trie_node *topic)
{
    bool begun;

    if (!topic->popular)
        return false;
    begun = sf_group_leave(g, gp);
    change(g, gp);
    return begun;
}

/* ---- Crowds ---- */

/* The peer's links to the group's topics go out of the nodes' lists, or back into them. */
static void hide_links(struct sf_groups *g, struct sf_group_peer *gp, bool hide)
{
    for (size_t i = 0; i < gp->group->n_topics; i++) {
        struct sf_trie_node *n = gp->group->links[i].topic;
        struct sf_trie_link *l = sf_trie_link_to(g->topics, gp->peer, n);

        if (!l)
            continue;
        sf_list_remove(&l->in_topic);
        if (!hide)
            sf_list_push(&n->links, &l->in_topic);
    }
}

/* A peer that the crowd does not take stays as it is. */
static void join_crowd(struct sf_groups *g, struct sf_group_peer *gp)
{
    if (sf_crowd_join(gp->group->crowd, gp->peer) != 0)
        return;
    hide_links(g, gp, true);
    gp->joined = true;
}

/* The group becomes a crowd. Without memory it stays what it is until the next peer comes. */
static void gather(struct sf_groups *g, struct sf_group *grp)
{
    if (sf_crowd_new(&grp->crowd) != 0)
        return;
    for (size_t i = 0; i < grp->n_topics; i++)
        sf_list_push(&grp->links[i].topic->groups, &grp->links[i].in_topic);
    SF_LIST_EACH(it, after, &grp->members)
    join_crowd(g, SF_CONTAINER(it, struct sf_group_peer, node));
}

/* ---- Groups ---- */

static void free_group(struct sf_groups *g, struct sf_group *grp)
{
    sf_list_remove(&grp->taking);
    for (size_t i = 0; i < grp->n_topics; i++)
        sf_list_remove(&grp->links[i].in_topic);
    sf_crowd_free(grp->crowd);
    sf_map_remove(&g->by_key, &grp->by_key);
    sf_free(grp->links);
    sf_free(grp);
}

static bool leave(struct sf_groups *g, struct sf_group_peer *gp)
{
    struct sf_group *grp = gp->group;
    bool begun = false;

    if (!grp)
        return false;
    if (gp->joined) {
        begun = sf_crowd_leave(grp->crowd, gp->peer);
        hide_links(g, gp, false);
        gp->joined = false;
    }
    gp->group = NULL;
    sf_list_remove(&gp->node);
    if (--grp->n_members == 0)
        free_group(g, grp);
    return begun;
}

bool sf_group_leave(struct sf_groups *g, struct sf_group_peer *gp)
{
    sf_list_remove(&gp->changed);
    return leave(g, gp);
}

/* Spreads the bits of an address, so that the sum over a set tells sets apart. */
static uint64_t mix(const void *p)
{
    uint64_t x = (uint64_t)(uintptr_t)p;

    x = (x ^ x >> 32) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 32;
}

/* The key of the peer's popular topics and their number; 0: it shall be in no group. */
static size_t topics_of(const struct sf_group_peer *gp, uint64_t *key)
{
    size_t n = 0, links = 0;

    *key = 0;
    SF_LIST_EACH(it, after, gp->links)
    {
        const struct sf_trie_node *topic = SF_CONTAINER(it, struct sf_trie_link, in_peer)->topic;

        if (++links > LINKS_MAX)
            return 0;
        if (topic->popular) {
            *key += mix(topic);
            n++;
        }
    }
    return n <= TOPICS_MAX ? n : 0;
}

/* Whether the peer's n popular topics are those of the group: keys may be equal by chance. */
static bool fits(struct sf_groups *g, const struct sf_group_peer *gp, size_t n,
                 const struct sf_group *grp)
{
    if (grp->n_topics != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!sf_trie_link_to(g->topics, gp->peer, grp->links[i].topic))
            return false;
    return true;
}

/* A group of a peer's popular topics, n of them, without members; NULL: no memory. */
static struct sf_group *new_group(struct sf_groups *g, const struct sf_group_peer *gp, uint64_t key,
                                  size_t n)
{
    struct sf_group *grp = sf_alloc(sizeof *grp);
    struct sf_group_link *l = grp ? sf_alloc(n * sizeof *l) : NULL;

    if (!l) {
        sf_free(grp);
        return NULL;
    }
    grp->key = key;
    grp->n_topics = n;
    grp->links = l;
    sf_list_init(&grp->members);
    sf_list_init(&grp->taking);
    SF_LIST_EACH(it, after, gp->links)
    {
        struct sf_trie_node *topic = SF_CONTAINER(it, struct sf_trie_link, in_peer)->topic;

        if (!topic->popular)
            continue;
        l->topic = topic;
        l->group = grp;
        sf_list_init(&l->in_topic);
        l++;
    }
    if (sf_map_put(&g->by_key, &grp->by_key, &grp->key, sizeof grp->key) != 0) {
        sf_free(grp->links);
        sf_free(grp);
        return NULL;
    }
    return grp;
}

/* Puts a peer where it belongs. Where there is no memory it is served alone. */
static void settle(struct sf_groups *g, struct sf_group_peer *gp)
{
    struct sf_map_node *node;
    struct sf_group *grp;
    uint64_t key;
    size_t n = topics_of(gp, &key);

    if (gp->group && n == gp->group->n_topics && key == gp->group->key)
        return;
    leave(g, gp);
    if (n == 0)
        return;
    node = sf_map_get(&g->by_key, &key, sizeof key);
    grp = node ? SF_CONTAINER(node, struct sf_group, by_key) : new_group(g, gp, key, n);
    if (!grp || (node && !fits(g, gp, n, grp)))
        return;
    gp->group = grp;
    grp->n_members++;
    sf_list_push(&grp->members, &gp->node);
    if (grp->crowd)
        join_crowd(g, gp);
    else if (grp->n_members >= POPULAR)
        gather(g, grp);
}

void sf_groups_settle(struct sf_groups *g)
{
    while (!sf_list_empty(&g->changed)) {
        struct sf_group_peer *gp = SF_CONTAINER(g->changed.next, struct sf_group_peer, changed);

        sf_list_remove(&gp->changed);
        settle(g, gp);
    }
}
