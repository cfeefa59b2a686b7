/* PAIR: one peer at a time; others wait until it has gone (RFC 31). */
#include "patterns/collect.h"
#include "patterns/rotate.h"

#include <errno.h>

struct pair {
    struct sf_rotate out; /* a row of one */
    struct sf_collect in;
    struct sf_peer *peer; /* NULL: free */
};

static int pair_init(struct sf_socket *s)
{
    struct pair *a = s->state;

    sf_rotate_init(&a->out, &s->sole_out);
    sf_collect_init(&a->in, &s->sole_in);
    return 0;
}

static int pair_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct pair *a = s->state;

    if (a->peer)
        return -EBUSY;
    a->peer = p;
    sf_rotate_add(&a->out, p);
    sf_collect_add(&a->in, p);
    return 0;
}

static void pair_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct pair *a = s->state;

    sf_rotate_remove(&a->out, p);
    sf_collect_ended(&a->in, p);
}

static void pair_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct pair *a = s->state;

    sf_rotate_remove(&a->out, p);
    sf_collect_remove(&a->in, p);
    if (a->peer == p)
        a->peer = NULL;
}

static void pair_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct pair *a = s->state;

    sf_collect_activate(&a->in, p);
}

static void pair_writable(struct sf_socket *s, struct sf_peer *p)
{
    struct pair *a = s->state;

    sf_rotate_activate(&a->out, p);
}

static int pair_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct pair *a = s->state;

    return sf_rotate_send(&a->out, m, more, wait);
}

static int pair_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct pair *a = s->state;

    return sf_collect_recv(&a->in, m, NULL);
}

static int pair_events(struct sf_socket *s)
{
    struct pair *a = s->state;

    return (sf_collect_ready(&a->in) ? SIFR_POLLIN : 0) |
           (sf_rotate_ready(&a->out) ? SIFR_POLLOUT : 0);
}

const struct sf_pattern sf_pattern_pair = {
    .name = "PAIR",
    .type = SIFR_PAIR,
    .talks_to = SF_TYPE(PAIR),
    .size = sizeof(struct pair),
    .init = pair_init,
    .attach = pair_attach,
    .ended = pair_ended,
    .detach = pair_detach,
    .readable = pair_readable,
    .writable = pair_writable,
    .send = pair_send,
    .recv = pair_recv,
    .events = pair_events,
};
