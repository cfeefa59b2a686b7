/* CHANNEL: messages of one frame with one peer at a time; others wait until it has gone (RFC 52). */
#include "patterns/rotate.h"
#include "patterns/single.h"

struct channel {
    struct sf_rotate out; /* a row of one */
    struct sf_single in;
    struct sf_peer *peer; /* NULL: free */
};

static int channel_init(struct sf_socket *s)
{
    struct channel *c = s->state;

    sf_rotate_init(&c->out, NULL);
    sf_single_init(&c->in);
    return 0;
}

static void channel_fini(struct sf_socket *s)
{
    struct channel *c = s->state;

    sf_single_fini(&c->in);
}

static int channel_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct channel *c = s->state;

    if (c->peer)
        return -EBUSY;
    c->peer = p;
    sf_rotate_add(&c->out, p);
    sf_collect_add(&c->in.in, p);
    return 0;
}

static void channel_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct channel *c = s->state;

    sf_rotate_remove(&c->out, p);
    sf_collect_ended(&c->in.in, p);
}

static void channel_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct channel *c = s->state;

    sf_rotate_remove(&c->out, p);
    sf_collect_remove(&c->in.in, p);
    if (c->peer == p)
        c->peer = NULL;
}

static void channel_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct channel *c = s->state;

    sf_collect_activate(&c->in.in, p);
}

static void channel_writable(struct sf_socket *s, struct sf_peer *p)
{
    struct channel *c = s->state;

    sf_rotate_activate(&c->out, p);
}

static int channel_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct channel *c = s->state;

    return more ? -EINVAL : sf_rotate_send(&c->out, m, false, wait);
}

static int channel_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct channel *c = s->state;

    return sf_single_recv(s, &c->in, m);
}

static int channel_events(struct sf_socket *s)
{
    struct channel *c = s->state;

    return (sf_single_ready(s, &c->in) ? SIFR_POLLIN : 0) |
           (sf_rotate_ready(&c->out) ? SIFR_POLLOUT : 0);
}

const struct sf_pattern sf_pattern_channel = {
    .name = "CHANNEL",
    .type = SIFR_CHANNEL,
    .talks_to = SF_TYPE(CHANNEL),
    .flags = SF_PATTERN_SINGLE,
    .size = sizeof(struct channel),
    .init = channel_init,
    .fini = channel_fini,
    .attach = channel_attach,
    .ended = channel_ended,
    .detach = channel_detach,
    .readable = channel_readable,
    .writable = channel_writable,
    .send = channel_send,
    .recv = channel_recv,
    .events = channel_events,
};
