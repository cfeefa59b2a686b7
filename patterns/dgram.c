/* DGRAM: one datagram a message; its first frame says to which address, or from which. */
#include "patterns/collect.h"
#include "patterns/rotate.h"

struct dgram {
    struct sf_rotate out;
    struct sf_collect in;
    bool addressed; /* the address was sent, its body is due */
};

static int dgram_init(struct sf_socket *s)
{
    struct dgram *d = s->state;

    sf_rotate_init(&d->out, NULL);
    sf_collect_init(&d->in, NULL);
    return 0;
}

static int dgram_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct dgram *d = s->state;

    sf_rotate_add(&d->out, p);
    sf_collect_add(&d->in, p);
    return 0;
}

static void dgram_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct dgram *d = s->state;

    sf_rotate_remove(&d->out, p);
    sf_collect_ended(&d->in, p);
}

static void dgram_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct dgram *d = s->state;

    sf_rotate_remove(&d->out, p);
    sf_collect_remove(&d->in, p);
}

static void dgram_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct dgram *d = s->state;

    sf_collect_activate(&d->in, p);
}

static void dgram_writable(struct sf_socket *s, struct sf_peer *p)
{
    struct dgram *d = s->state;

    sf_rotate_activate(&d->out, p);
}

/* Two frames, no more and no less. */
static int dgram_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct dgram *d = s->state;
    int err;

    if (more == d->addressed)
        return -EINVAL;
    err = sf_rotate_send(&d->out, m, more, wait);
    if (err != -EAGAIN || sf_rotate_idle(&d->out)) /* idle: the peer of the first has gone */
        d->addressed = err == 0 && more;
    return err;
}

static int dgram_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct dgram *d = s->state;

    return sf_collect_recv(&d->in, m, NULL);
}

static int dgram_events(struct sf_socket *s)
{
    struct dgram *d = s->state;

    return (sf_collect_ready(&d->in) ? SIFR_POLLIN : 0) |
           (sf_rotate_ready(&d->out) ? SIFR_POLLOUT : 0);
}

const struct sf_pattern sf_pattern_dgram = {
    .name = "DGRAM",
    .type = SIFR_DGRAM,
    .flags = SF_PATTERN_UDP_IN | SF_PATTERN_UDP_ALONE,
    .size = sizeof(struct dgram),
    .init = dgram_init,
    .attach = dgram_attach,
    .ended = dgram_ended,
    .detach = dgram_detach,
    .readable = dgram_readable,
    .writable = dgram_writable,
    .send = dgram_send,
    .recv = dgram_recv,
    .events = dgram_events,
};
