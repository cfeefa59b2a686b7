/* PULL: messages from all peers, fairly (RFC 30). */
#include "patterns/collect.h"

static int pull_init(struct sf_socket *s)
{
    sf_collect_init(s->state, &s->sole_in);
    return 0;
}

static int pull_attach(struct sf_socket *s, struct sf_peer *p)
{
    sf_collect_add(s->state, p);
    return 0;
}

static void pull_readable(struct sf_socket *s, struct sf_peer *p)
{
    sf_collect_activate(s->state, p);
}

static void pull_ended(struct sf_socket *s, struct sf_peer *p)
{
    sf_collect_ended(s->state, p);
}

static void pull_detach(struct sf_socket *s, struct sf_peer *p)
{
    sf_collect_remove(s->state, p);
}

static int pull_recv(struct sf_socket *s, struct sf_msg *m)
{
    return sf_collect_recv(s->state, m, NULL);
}

static int pull_events(struct sf_socket *s)
{
    return sf_collect_ready(s->state) ? SIFR_POLLIN : 0;
}

const struct sf_pattern sf_pattern_pull = {
    .name = "PULL",
    .type = SIFR_PULL,
    .talks_to = SF_TYPE(PUSH),
    .flags = SF_PATTERN_CONFLATES,
    .size = sizeof(struct sf_collect),
    .init = pull_init,
    .attach = pull_attach,
    .ended = pull_ended,
    .detach = pull_detach,
    .readable = pull_readable,
    .recv = pull_recv,
    .events = pull_events,
};
