/* PUSH: each message to one peer, in turn (RFC 30). */
#include "patterns/rotate.h"

static int push_init(struct sf_socket *s)
{
    sf_rotate_init(s->state, &s->sole_out);
    return 0;
}

static int push_attach(struct sf_socket *s, struct sf_peer *p)
{
    sf_rotate_add(s->state, p);
    return 0;
}

static void push_leave(struct sf_socket *s, struct sf_peer *p)
{
    sf_rotate_remove(s->state, p);
}

static void push_ended(struct sf_socket *s, struct sf_peer *p)
{
    sf_rotate_remove(s->state, p);
    (void)sf_peer_readable(p); /* the core sees that nothing is left to read */
}

static void push_writable(struct sf_socket *s, struct sf_peer *p)
{
    sf_rotate_activate(s->state, p);
}

static int push_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    return sf_rotate_send(s->state, m, more && !s->conflate, wait);
}

static int push_events(struct sf_socket *s)
{
    return sf_rotate_ready(s->state) ? SIFR_POLLOUT : 0;
}

const struct sf_pattern sf_pattern_push = {
    .name = "PUSH",
    .type = SIFR_PUSH,
    .talks_to = SF_TYPE(PULL),
    .flags = SF_PATTERN_DEAF | SF_PATTERN_CONFLATES,
    .size = sizeof(struct sf_rotate),
    .init = push_init,
    .attach = push_attach,
    .ended = push_ended,
    .detach = push_leave,
    .writable = push_writable,
    .send = push_send,
    .events = push_events,
};
