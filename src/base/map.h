#ifndef SF_BASE_MAP_H
#define SF_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * A hash map from byte strings to what contains the node. The node's memory,
 * key included, is the caller's. All zeroes is an empty map. Not thread-safe.
 */
struct sf_map_node {
    struct sf_map_node *next; /* in its bucket */
    const void *key;
    uint32_t size; /* of the key, bytes */
    uint32_t hash;
};

struct sf_map {
    struct sf_map_node **buckets;
    size_t n_buckets; /* a power of two, or 0 */
    size_t count;
};

/* The node of the key, or NULL. */
struct sf_map_node *sf_map_get(const struct sf_map *m, const void *key, size_t size);

/* Makes sure that no sf_map_put fails for want of memory. 0 or -ENOMEM. */
int sf_map_reserve(struct sf_map *m);

/*
 * Adds `node` under `key` (which stays where it is as long as the node is in
 * the map). 0, -EEXIST when the key is there already, -ENOMEM.
 */
int sf_map_put(struct sf_map *m, struct sf_map_node *node, const void *key, size_t size);

/* Takes out a node that is in the map. */
void sf_map_remove(struct sf_map *m, struct sf_map_node *node);

/* Any node, or NULL when there is none: for emptying a map. */
struct sf_map_node *sf_map_any(const struct sf_map *m);

/* Calls `visit` for each node; it may not change the map. */
void sf_map_each(const struct sf_map *m, void (*visit)(struct sf_map_node *, void *), void *arg);

/* Frees the map's own memory; nodes are not touched. */
void sf_map_fini(struct sf_map *m);

#endif
