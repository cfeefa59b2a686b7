/* Peers by routing id. */
#include "patterns/route.h"

#include "base/random.h"

#include <errno.h>
#include <string.h>

int sf_route_init(struct sf_route *r)
{
    memset(&r->peers, 0, sizeof r->peers);
    r->next = sf_random32();
    return sf_map_reserve(&r->peers); /* now, for nobody could be told when a peer gets its name */
}

void sf_route_fini(struct sf_route *r)
{
    sf_map_fini(&r->peers);
}

static int name_as(struct sf_route *r, struct sf_peer *p, const void *bytes, size_t size)
{
    struct sf_route_id *id = sf_route_id(p);
    int err;

    memcpy(id->bytes, bytes, size);
    err = sf_map_put(&r->peers, &p->by_id, id->bytes, size);
    id->named = err == 0;
    id->size = err ? 0 : (uint8_t)size;
    return err;
}

enum { GENERATED = 5 };

/* 00, then a number that grows; one that is not in use, though peers may announce such ids too. */
static void generate(struct sf_route *r, uint8_t *bytes)
{
    do {
        uint32_t n = r->next++;

        bytes[0] = 0;
        bytes[1] = (uint8_t)(n >> 24);
        bytes[2] = (uint8_t)(n >> 16);
        bytes[3] = (uint8_t)(n >> 8);
        bytes[4] = (uint8_t)n;
    } while (sf_map_get(&r->peers, bytes, GENERATED));
}

int sf_route_name(struct sf_route *r, struct sf_peer *p, struct sf_peer **holder)
{
    const uint8_t *bytes = p->given_id ? p->given_id : p->id;
    size_t size = p->given_id ? p->given_id_size : p->id_size;

    if (!bytes || size == 0 || size > SF_ROUTE_ID_MAX) {
        uint8_t made[GENERATED];

        generate(r, made);
        return name_as(r, p, made, sizeof made);
    }
    *holder = sf_route_find(r, bytes, size);
    return *holder ? -EBUSY : name_as(r, p, bytes, size);
}

void sf_route_unname(struct sf_route *r, struct sf_peer *p)
{
    struct sf_route_id *id = sf_route_id(p);

    if (id->named)
        sf_map_remove(&r->peers, &p->by_id);
    id->named = false;
}

void sf_route_retire(struct sf_route *r, struct sf_peer *p)
{
    sf_route_unname(r, p);
    generate(r, sf_route_id(p)->bytes);
    sf_route_id(p)->size = GENERATED;
}

struct sf_peer *sf_route_find(const struct sf_route *r, const void *id, size_t size)
{
    struct sf_map_node *node = sf_map_get(&r->peers, id, size);

    return node ? SF_CONTAINER(node, struct sf_peer, by_id) : NULL;
}
