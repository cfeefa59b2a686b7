/* GATHER: messages of one frame from all peers, fairly (RFC 49). */
#include "patterns/single.h"

static int gather_init(struct sf_socket *s)
{
    sf_single_init(s->state);
    return 0;
}

static void gather_fini(struct sf_socket *s)
{
    sf_single_fini(s->state);
}

static int gather_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_single *g = s->state;

    sf_collect_add(&g->in, p);
    return 0;
}

static void gather_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_single *g = s->state;

    sf_collect_activate(&g->in, p);
}

static void gather_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_single *g = s->state;

    sf_collect_ended(&g->in, p);
}

static void gather_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_single *g = s->state;

    sf_collect_remove(&g->in, p);
}

static int gather_recv(struct sf_socket *s, struct sf_msg *m)
{
    return sf_single_recv(s, s->state, m);
}

static int gather_events(struct sf_socket *s)
{
    return sf_single_ready(s, s->state) ? SIFR_POLLIN : 0;
}

const struct sf_pattern sf_pattern_gather = {
    .name = "GATHER",
    .type = SIFR_GATHER,
    .talks_to = SF_TYPE(SCATTER),
    .flags = SF_PATTERN_SINGLE,
    .size = sizeof(struct sf_single),
    .init = gather_init,
    .fini = gather_fini,
    .attach = gather_attach,
    .ended = gather_ended,
    .detach = gather_detach,
    .readable = gather_readable,
    .recv = gather_recv,
    .events = gather_events,
};
