/* SCATTER: each message, of one frame, to one peer, in turn (RFC 49). */
#include "patterns/rotate.h"

static int scatter_init(struct sf_socket *s)
{
    sf_rotate_init(s->state, &s->sole_out);
    return 0;
}

static int scatter_attach(struct sf_socket *s, struct sf_peer *p)
{
    sf_rotate_add(s->state, p);
    return 0;
}

static void scatter_detach(struct sf_socket *s, struct sf_peer *p)
{
    sf_rotate_remove(s->state, p);
}

static void scatter_ended(struct sf_socket *s, struct sf_peer *p)
{
    sf_rotate_remove(s->state, p);
    (void)sf_peer_readable(p); /* the core sees that nothing is left to read */
}

static void scatter_writable(struct sf_socket *s, struct sf_peer *p)
{
    sf_rotate_activate(s->state, p);
}

static int scatter_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    return more ? -EINVAL : sf_rotate_send(s->state, m, false, wait);
}

static int scatter_events(struct sf_socket *s)
{
    return sf_rotate_ready(s->state) ? SIFR_POLLOUT : 0;
}

const struct sf_pattern sf_pattern_scatter = {
    .name = "SCATTER",
    .type = SIFR_SCATTER,
    .talks_to = SF_TYPE(GATHER),
    .flags = SF_PATTERN_SINGLE | SF_PATTERN_DEAF,
    .size = sizeof(struct sf_rotate),
    .init = scatter_init,
    .attach = scatter_attach,
    .ended = scatter_ended,
    .detach = scatter_detach,
    .writable = scatter_writable,
    .send = scatter_send,
    .events = scatter_events,
};
