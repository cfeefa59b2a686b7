/* DEALER: out in turn, in fairly, nothing added (RFC 28). */
#include "patterns/collect.h"
#include "patterns/option.h"
#include "patterns/probe.h"
#include "patterns/rotate.h"

struct dealer {
    struct sf_rotate out;
    struct sf_collect in;
    bool probe;
};

static int dealer_init(struct sf_socket *s)
{
    struct dealer *d = s->state;

    sf_rotate_init(&d->out, &s->sole_out);
    sf_collect_init(&d->in, &s->sole_in);
    return 0;
}

static int dealer_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct dealer *d = s->state;
    int err = d->probe ? sf_probe_put(p) : 0;

    if (err)
        return err;
    sf_rotate_add(&d->out, p);
    sf_collect_add(&d->in, p);
    return 0;
}

static void dealer_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct dealer *d = s->state;

    sf_rotate_remove(&d->out, p);
    sf_collect_ended(&d->in, p);
}

static void dealer_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct dealer *d = s->state;

    sf_rotate_remove(&d->out, p);
    sf_collect_remove(&d->in, p);
}

static void dealer_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct dealer *d = s->state;

    sf_collect_activate(&d->in, p);
}

static void dealer_writable(struct sf_socket *s, struct sf_peer *p)
{
    struct dealer *d = s->state;

    sf_rotate_activate(&d->out, p);
}

static int dealer_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct dealer *d = s->state;

    return sf_rotate_send(&d->out, m, more && !s->conflate, wait);
}

static int dealer_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct dealer *d = s->state;

    return sf_collect_recv(&d->in, m, NULL);
}

static int dealer_events(struct sf_socket *s)
{
    struct dealer *d = s->state;

    return (sf_collect_ready(&d->in) ? SIFR_POLLIN : 0) |
           (sf_rotate_ready(&d->out) ? SIFR_POLLOUT : 0);
}

static int dealer_set(struct sf_socket *s, int option, const void *value, size_t size)
{
    struct dealer *d = s->state;

    if (option == SIFR_PROBE_ROUTER)
        return sf_option_flag(&d->probe, value, size);
    return -EINVAL;
}

const struct sf_pattern sf_pattern_dealer = {
    .name = "DEALER",
    .type = SIFR_DEALER,
    .talks_to = SF_TYPE(REP) | SF_TYPE(DEALER) | SF_TYPE(ROUTER),
    .flags = SF_PATTERN_IDENTITY | SF_PATTERN_CONFLATES | SF_PATTERN_ONCE | SF_PATTERN_HELLO |
             SF_PATTERN_HICCUP,
    .size = sizeof(struct dealer),
    .init = dealer_init,
    .attach = dealer_attach,
    .ended = dealer_ended,
    .detach = dealer_detach,
    .readable = dealer_readable,
    .writable = dealer_writable,
    .send = dealer_send,
    .recv = dealer_recv,
    .events = dealer_events,
    .set = dealer_set,
};
