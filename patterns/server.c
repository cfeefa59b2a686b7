/* SERVER: messages of one frame from many clients; each answer names its client by number (RFC 41). */
#include "patterns/server.h"

int sf_server_init(struct sf_socket *s)
{
    struct sf_server *v = s->state;

    sf_single_init(&v->in);
    return sf_numbers_init(&v->numbers);
}

void sf_server_fini(struct sf_socket *s)
{
    struct sf_server *v = s->state;

    sf_single_fini(&v->in);
    sf_numbers_fini(&v->numbers);
}

int sf_server_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_server *v = s->state;
    int err = sf_number_give(&v->numbers, p);

    if (err == 0)
        sf_collect_add(&v->in.in, p);
    return err;
}

void sf_server_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_server *v = s->state;

    sf_number_retire(&v->numbers, p);
    sf_collect_ended(&v->in.in, p);
}

void sf_server_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_server *v = s->state;

    sf_number_retire(&v->numbers, p);
    sf_collect_remove(&v->in.in, p);
}

void sf_server_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_server *v = s->state;

    sf_collect_activate(&v->in.in, p);
}

struct sf_peer *sf_server_find(struct sf_socket *s, uint32_t number)
{
    struct sf_server *v = s->state;

    return sf_number_find(&v->numbers, number);
}

int sf_server_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct sf_peer *p;
    int err;

    (void)wait;
    if (more)
        return -EINVAL;
    p = sf_server_find(s, m->routing_id);
    if (!p)
        return -EHOSTUNREACH;
    if (!sf_peer_room(p))
        return -EAGAIN;
    err = sf_peer_put(p, m, false);
    return err == -EPIPE ? -EHOSTUNREACH : err;
}

int sf_server_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct sf_server *v = s->state;

    return sf_single_recv(s, &v->in, m);
}

int sf_server_events(struct sf_socket *s)
{
    struct sf_server *v = s->state;

    return SIFR_POLLOUT | (sf_single_ready(s, &v->in) ? SIFR_POLLIN : 0);
}

const struct sf_pattern sf_pattern_server = {
    .name = "SERVER",
    .type = SIFR_SERVER,
    .talks_to = SF_TYPE(CLIENT),
    .flags = SF_PATTERN_SINGLE | SF_PATTERN_HELLO | SF_PATTERN_FAREWELL,
    .size = sizeof(struct sf_server),
    .init = sf_server_init,
    .fini = sf_server_fini,
    .attach = sf_server_attach,
    .ended = sf_server_ended,
    .detach = sf_server_detach,
    .readable = sf_server_readable,
    .send = sf_server_send,
    .recv = sf_server_recv,
    .events = sf_server_events,
    .find = sf_server_find,
};
