/* CLIENT: messages of one frame, out in turn, in fairly (RFC 41). */
#include "patterns/rotate.h"
#include "patterns/single.h"

struct client {
    struct sf_rotate out;
    struct sf_single in;
};

static int client_init(struct sf_socket *s)
{
    struct client *c = s->state;

    sf_rotate_init(&c->out, NULL);
    sf_single_init(&c->in);
    return 0;
}

static void client_fini(struct sf_socket *s)
{
    struct client *c = s->state;

    sf_single_fini(&c->in);
}

static int client_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct client *c = s->state;

    sf_rotate_add(&c->out, p);
    sf_collect_add(&c->in.in, p);
    return 0;
}

static void client_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct client *c = s->state;

    sf_rotate_remove(&c->out, p);
    sf_collect_ended(&c->in.in, p);
}

static void client_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct client *c = s->state;

    sf_rotate_remove(&c->out, p);
    sf_collect_remove(&c->in.in, p);
}

static void client_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct client *c = s->state;

    sf_collect_activate(&c->in.in, p);
}

static void client_writable(struct sf_socket *s, struct sf_peer *p)
{
    struct client *c = s->state;

    sf_rotate_activate(&c->out, p);
}

static int client_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct client *c = s->state;

    return more ? -EINVAL : sf_rotate_send(&c->out, m, false, wait);
}

static int client_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct client *c = s->state;

    return sf_single_recv(s, &c->in, m);
}

static int client_events(struct sf_socket *s)
{
    struct client *c = s->state;

    return (sf_single_ready(s, &c->in) ? SIFR_POLLIN : 0) |
           (sf_rotate_ready(&c->out) ? SIFR_POLLOUT : 0);
}

const struct sf_pattern sf_pattern_client = {
    .name = "CLIENT",
    .type = SIFR_CLIENT,
    .talks_to = SF_TYPE(SERVER),
    .flags = SF_PATTERN_SINGLE | SF_PATTERN_HELLO | SF_PATTERN_HICCUP,
    .size = sizeof(struct client),
    .init = client_init,
    .fini = client_fini,
    .attach = client_attach,
    .ended = client_ended,
    .detach = client_detach,
    .readable = client_readable,
    .writable = client_writable,
    .send = client_send,
    .recv = client_recv,
    .events = client_events,
};
