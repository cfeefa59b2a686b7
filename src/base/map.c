/* Hash map with nodes that are part of what they map to. */
#include "base/map.h"
#include "base/alloc.h"
#include "base/random.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* Keys come from peers, so the hash starts at a value that they do not know. */
static uint32_t seed(void)
{
    static _Atomic uint32_t value;
    uint32_t now = atomic_load_explicit(&value, memory_order_relaxed), none = 0;

    if (now)
        return now;
    now = sf_random32() | 1;
    return atomic_compare_exchange_strong(&value, &none, now) ? now : none;
}

static uint32_t hash_of(const void *key, size_t size)
{
    const uint8_t *p = key;
    uint64_t h = seed() ^ (size * 0x9e3779b97f4a7c15u);

    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 0x9fb21c651e98df25u, h ^= h >> 29;
    return (uint32_t)(h ^ (h >> 32));
}

static int grow(struct sf_map *m)
{
    size_t n = m->n_buckets ? m->n_buckets * 2 : 8;
    struct sf_map_node **to = sf_alloc(n * sizeof *to);

    if (!to)
        return -ENOMEM;
    for (size_t i = 0; i < m->n_buckets; i++) {
        struct sf_map_node *node = m->buckets[i];

        while (node) {
            struct sf_map_node *next = node->next;

            node->next = to[node->hash & (n - 1)];
            to[node->hash & (n - 1)] = node;
            node = next;
        }
    }
    sf_free(m->buckets);
    m->buckets = to;
    m->n_buckets = n;
    return 0;
}

int sf_map_reserve(struct sf_map *m)
{
    return m->n_buckets ? 0 : grow(m);
}

struct sf_map_node *sf_map_get(const struct sf_map *m, const void *key, size_t size)
{
    uint32_t h;
    struct sf_map_node *node;

    if (m->count == 0)
        return NULL;
    h = hash_of(key, size);
    for (node = m->buckets[h & (m->n_buckets - 1)]; node; node = node->next)
        if (node->hash == h && node->size == size && memcmp(node->key, key, size) == 0)
            return node;
    return NULL;
}

int sf_map_put(struct sf_map *m, struct sf_map_node *node, const void *key, size_t size)
{
    if (sf_map_get(m, key, size))
        return -EEXIST;
    if (m->count >= m->n_buckets && grow(m) != 0 && m->n_buckets == 0)
        return -ENOMEM; /* a map that cannot grow any more only gets slower */
    node->key = key;
    node->size = (uint32_t)size;
    node->hash = hash_of(key, size);
    node->next = m->buckets[node->hash & (m->n_buckets - 1)];
    m->buckets[node->hash & (m->n_buckets - 1)] = node;
    m->count++;
    return 0;
}

void sf_map_remove(struct sf_map *m, struct sf_map_node *node)
{
    struct sf_map_node **at = &m->buckets[node->hash & (m->n_buckets - 1)];

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    node->next = NULL;
    m->count--;
}

struct sf_map_node *sf_map_any(const struct sf_map *m)
{
    for (size_t i = 0; m->count && i < m->n_buckets; i++)
        if (m->buckets[i])
            return m->buckets[i];
    return NULL;
}

void sf_map_each(const struct sf_map *m, void (*visit)(struct sf_map_node *, void *), void *arg)
{
    for (size_t i = 0; i < m->n_buckets; i++)
        for (struct sf_map_node *node = m->buckets[i]; node; node = node->next)
            visit(node, arg);
}

void sf_map_fini(struct sf_map *m)
{
    sf_free(m->buckets);
    memset(m, 0, sizeof *m);
}
