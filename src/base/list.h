#ifndef SF_BASE_LIST_H
#define SF_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A circular list whose nodes are part of what they link. Not thread-safe. */
struct sf_list {
    struct sf_list *next, *prev;
};

/* The structure of type `type` whose member `member` is at `p`. */
#define SF_CONTAINER(p, type, member) ((type *)(void *)((char *)(p) - offsetof(type, member)))

/* Visits each node of `list`; the node at `it` may be removed meanwhile. */
#define SF_LIST_EACH(it, after, list)                                                              \
    for (struct sf_list *it = (list)->next, *after = it->next; it != (list);                       \
         it = after, after = it->next)

static inline void sf_list_init(struct sf_list *l)
{
    l->next = l->prev = l;
}

static inline bool sf_list_empty(const struct sf_list *l)
{
    return l->next == l;
}

/* Puts `node` last. */
static inline void sf_list_push(struct sf_list *l, struct sf_list *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}

/* Takes `node` out of the list it is in; harmless for one that is in none. */
static inline void sf_list_remove(struct sf_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    sf_list_init(node);
}

#endif
