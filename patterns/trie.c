/* A compact radix trie over topics. */
#include "patterns/trie.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>

void sf_trie_init(struct sf_trie *t)
{
    memset(t, 0, sizeof *t);
    sf_list_init(&t->root.links);
    sf_list_init(&t->root.groups);
}

static void free_node(struct sf_trie_node *n)
{
    sf_free(n->edges);
    sf_free(n->bytes);
    sf_free(n);
}

void sf_trie_fini(struct sf_trie *t)
{
    struct sf_trie_node *n = &t->root;

    for (;;) { /* down to a leaf, free it, and again from above it */
        struct sf_trie_node *up = n->up;

        if (n->n_edges > 0) {
            n = n->edges[n->n_edges - 1].to;
            continue;
        }
        if (!up)
            break;
        up->n_edges--;
        free_node(n);
        n = up;
    }
    sf_free(t->root.edges);
    sf_map_fini(&t->links);
    sf_trie_init(t);
}

/* Where the edge that begins with `first` is, or would be. */
static unsigned edge_at(const struct sf_trie_node *n, uint8_t first)
{
    unsigned low = 0, high = n->n_edges;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (n->edges[mid].first < first)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct sf_trie_node *below(const struct sf_trie_node *n, uint8_t first)
{
    unsigned i = edge_at(n, first);

    return i < n->n_edges && n->edges[i].first == first ? n->edges[i].to : NULL;
}

/* Makes room for one edge more: 0 or -ENOMEM. */
static int reserve(struct sf_trie_node *n)
{
    unsigned room = n->room ? n->room * 2 : 2;
    struct sf_trie_edge *grown;

    if (n->n_edges < n->room)
        return 0;
    grown = sf_realloc(n->edges, room * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    n->edges = grown;
    n->room = room;
    return 0;
}

/* Hangs `to` below `n`, which has room. */
static void hang(struct sf_trie_node *n, struct sf_trie_node *to)
{
    uint8_t first = to->label[0];
    unsigned i = edge_at(n, first);

    memmove(&n->edges[i + 1], &n->edges[i], (n->n_edges - i) * sizeof *n->edges);
    n->edges[i].to = to;
    n->edges[i].first = first;
    n->n_edges++;
    to->up = n;
}

static struct sf_trie_node *new_node(const uint8_t *label, size_t label_size, size_t size)
{
    struct sf_trie_node *n = sf_alloc(sizeof *n);

    if (!n)
        return NULL;
    n->bytes = sf_alloc_raw(label_size);
    if (!n->bytes) {
        sf_free(n);
        return NULL;
    }
    memcpy(n->bytes, label, label_size);
    n->label = n->bytes;
    n->label_size = label_size;
    n->size = size;
    sf_list_init(&n->links);
    sf_list_init(&n->groups);
    return n;
}

static size_t common(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    size_t n = a_size < b_size ? a_size : b_size, i = 0;

    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* Puts a node between `n` and the one above it, for the first `k` bytes of its label; NULL: no memory. */
static struct sf_trie_node *split(struct sf_trie_node *n, size_t k)
{
    struct sf_trie_node *up = n->up;
    struct sf_trie_node *mid = new_node(n->label, k, up->size + k);

    if (!mid)
        return NULL;
    if (reserve(mid) != 0) {
        free_node(mid);
        return NULL;
    }
    up->edges[edge_at(up, n->label[0])].to = mid;
    mid->up = up;
    n->label += k;
    n->label_size -= k;
    hang(mid, n);
    return mid;
}

/* Gives an inner node that nobody holds and that leads to one node only into that one. */
static void join_below(struct sf_trie_node *n)
{
    struct sf_trie_node *up = n->up, *to = n->edges[0].to;
    size_t size = n->label_size + to->label_size;

    if ((size_t)(to->label - to->bytes) < n->label_size) {
        uint8_t *bytes = sf_alloc_raw(size);

        if (!bytes)
            return; /* the trie is less compact, and right */
        memcpy(bytes + n->label_size, to->label, to->label_size);
        sf_free(to->bytes);
        to->bytes = bytes;
        to->label = bytes + n->label_size;
    }
    to->label -= n->label_size;
    memcpy(to->label, n->label, n->label_size);
    to->label_size = size;
    up->edges[edge_at(up, to->label[0])].to = to;
    to->up = up;
    free_node(n);
}

/* Removes what nobody needs, from `n` upwards. */
static void prune(struct sf_trie_node *n)
{
    while (n->up && n->count == 0 && n->n_edges == 0) {
        struct sf_trie_node *up = n->up;
        unsigned i = edge_at(up, n->label[0]);

        up->n_edges--;
        memmove(&up->edges[i], &up->edges[i + 1], (up->n_edges - i) * sizeof *up->edges);
        free_node(n);
        n = up;
    }
    if (n->up && n->count == 0 && n->n_edges == 1)
        join_below(n);
}

int sf_trie_add(struct sf_trie *t, const void *topic, size_t size, struct sf_trie_node **out)
{
    const uint8_t *bytes = topic;
    struct sf_trie_node *n = &t->root;

    while (n->size < size) {
        const uint8_t *rest = bytes + n->size;
        size_t left = size - n->size, k;
        struct sf_trie_node *to = below(n, rest[0]);

        if (!to) {
            to = reserve(n) == 0 ? new_node(rest, left, size) : NULL;
            if (to)
                hang(n, to);
            else
                prune(n);
        } else {
            k = common(to->label, to->label_size, rest, left);
            if (k < to->label_size)
                to = split(to, k);
        }
        if (!to)
            return -ENOMEM;
        n = to;
    }
    if (n->count++ == 0)
        t->topics++;
    if (out)
        *out = n;
    return 0;
}

void sf_trie_drop(struct sf_trie *t, struct sf_trie_node *n)
{
    if (--n->count > 0)
        return;
    t->topics--;
    n->popular = false;
    prune(n);
}

struct sf_trie_node *sf_trie_deeper(const struct sf_trie_node *n, const uint8_t *bytes, size_t size)
{
    struct sf_trie_node *to;

    if (n->n_edges == 0 || n->size >= size)
        return NULL;
    to = below(n, bytes[n->size]);
    if (!to || to->size > size || memcmp(to->label, bytes + n->size, to->label_size) != 0)
        return NULL;
    return to;
}

struct sf_trie_node *sf_trie_find(struct sf_trie *t, const void *topic, size_t size)
{
    struct sf_trie_node *n = &t->root;

    while (n && n->size < size)
        n = sf_trie_deeper(n, topic, size);
    return n && n->count ? n : NULL;
}

bool sf_trie_match(const struct sf_trie *t, const void *bytes, size_t size)
{
    const struct sf_trie_node *n = &t->root;

    while (n && n->count == 0)
        n = sf_trie_deeper(n, bytes, size);
    return n;
}

static struct sf_trie_node *next_node(struct sf_trie_node *n)
{
    if (n->n_edges > 0)
        return n->edges[0].to;
    while (n->up) {
        unsigned i = edge_at(n->up, n->label[0]) + 1;

        if (i < n->up->n_edges)
            return n->up->edges[i].to;
        n = n->up;
    }
    return NULL;
}

struct sf_trie_node *sf_trie_next(struct sf_trie *t, struct sf_trie_node *n)
{
    n = n ? next_node(n) : &t->root;
    while (n && n->count == 0)
        n = next_node(n);
    return n;
}

void sf_trie_topic(const struct sf_trie_node *n, uint8_t *out)
{
    for (; n->up; n = n->up)
        memcpy(out + n->up->size, n->label, n->label_size);
}

static void make_pair(uint8_t *pair, const struct sf_trie_node *n, const struct sf_peer *p)
{
    memcpy(pair, &n, sizeof n);
    memcpy(pair + sizeof n, &p, sizeof p);
}

struct sf_trie_link *sf_trie_link_to(struct sf_trie *t, const struct sf_peer *p,
                                     const struct sf_trie_node *n)
{
    uint8_t pair[2 * sizeof(void *)];
    struct sf_map_node *node;

    make_pair(pair, n, p);
    node = sf_map_get(&t->links, pair, sizeof pair);
    return node ? SF_CONTAINER(node, struct sf_trie_link, by_pair) : NULL;
}

int sf_trie_join(struct sf_trie *t, struct sf_peer *p, struct sf_list *links, const void *topic,
                 size_t size, struct sf_trie_node **out)
{
    struct sf_trie_link *l;
    struct sf_trie_node *n;

    if (sf_trie_add(t, topic, size, &n) != 0)
        return -ENOMEM;
    if (n->count > 1 && sf_trie_link_to(t, p, n)) {
        sf_trie_drop(t, n);
        *out = n;
        return 0;
    }
    l = sf_alloc(sizeof *l);
    if (l)
        make_pair(l->pair, n, p);
    if (!l || sf_map_put(&t->links, &l->by_pair, l->pair, sizeof l->pair) != 0) {
        sf_free(l);
        sf_trie_drop(t, n);
        return -ENOMEM;
    }
    l->topic = n;
    l->peer = p;
    sf_list_push(&n->links, &l->in_topic);
    sf_list_push(links, &l->in_peer);
    *out = n;
    return 1;
}

struct sf_trie_link *sf_trie_link_find(struct sf_trie *t, const struct sf_peer *p,
                                       const void *topic, size_t size)
{
    struct sf_trie_node *n = sf_trie_find(t, topic, size);

    return n ? sf_trie_link_to(t, p, n) : NULL;
}

void sf_trie_part(struct sf_trie *t, struct sf_trie_link *l)
{
    sf_list_remove(&l->in_topic);
    sf_list_remove(&l->in_peer);
    sf_map_remove(&t->links, &l->by_pair);
    sf_trie_drop(t, l->topic);
    sf_free(l);
}
