/* Peers by number. */
#include "patterns/number.h"

#include "base/random.h"

#include <errno.h>

int sf_numbers_init(struct sf_numbers *n)
{
    n->next = sf_random32();
    return sf_map_reserve(&n->peers);
}

void sf_numbers_fini(struct sf_numbers *n)
{
    sf_map_fini(&n->peers);
}

int sf_number_give(struct sf_numbers *n, struct sf_peer *p)
{
    do
        p->number = n->next++;
    while (p->number == 0 || sf_number_find(n, p->number));
    return sf_map_put(&n->peers, &p->by_id, &p->number, sizeof p->number);
}

void sf_number_retire(struct sf_numbers *n, struct sf_peer *p)
{
    if (sf_number_find(n, p->number) == p)
        sf_map_remove(&n->peers, &p->by_id);
}

struct sf_peer *sf_number_find(const struct sf_numbers *n, uint32_t number)
{
    struct sf_map_node *node = sf_map_get(&n->peers, &number, sizeof number);

    return node ? SF_CONTAINER(node, struct sf_peer, by_id) : NULL;
}
