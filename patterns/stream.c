/* STREAM: bytes to and from peers that speak no ZMTP; the first frame says to whom, or from whom. */
#include "patterns/option.h"
#include "patterns/router.h"

struct stream {
    struct sf_router router; /* the first */
    uint8_t newest[SF_ROUTE_ID_MAX]; /* id of the newest peer that the program did not name itself */
    size_t newest_size;
};

static int stream_init(struct sf_socket *s)
{
    struct stream *t = s->state;

    s->raw = true;
    t->router.mandatory = true;
    s->notify = SIFR_NOTIFY_CONNECT | SIFR_NOTIFY_DISCONNECT;
    return sf_router_init(s);
}

static int stream_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct stream *t = s->state;
    int err = sf_router_attach(s, p);

    if (err == 0 && !p->given_id) {
        const struct sf_route_id *id = sf_route_id(p);

        memcpy(t->newest, id->bytes, id->size);
        t->newest_size = id->size;
    }
    return err;
}

static int stream_events(struct sf_socket *s)
{
    return sf_router_events(s) | SIFR_POLLOUT;
}

static int stream_set(struct sf_socket *s, int option, const void *value, size_t size)
{
    int on;

    if (option != SIFR_STREAM_NOTIFY || sf_option_int(&on, value, size) != 0 || on < 0 || on > 1)
        return -EINVAL;
    s->notify = on ? SIFR_NOTIFY_CONNECT | SIFR_NOTIFY_DISCONNECT : 0;
    return 0;
}

static int stream_get(struct sf_socket *s, int option, void *value, size_t *size)
{
    struct stream *t = s->state;

    if (option != SIFR_ROUTING_ID || !value || *size < t->newest_size)
        return -EINVAL;
    memset(value, 0, *size);
    memcpy(value, t->newest, t->newest_size);
    *size = t->newest_size;
    return 0;
}

const struct sf_pattern sf_pattern_stream = {
    .name = "STREAM",
    .type = SIFR_STREAM,
    .flags = SF_PATTERN_BYTES,
    .size = sizeof(struct stream),
    .peer_size = sizeof(struct sf_router_peer),
    .init = stream_init,
    .fini = sf_router_fini,
    .attach = stream_attach,
    .joined = sf_router_joined,
    .lost = sf_router_lost,
    .ended = sf_router_ended,
    .detach = sf_router_detach,
    .readable = sf_router_readable,
    .send = sf_router_send,
    .recv = sf_router_recv,
    .events = stream_events,
    .set = stream_set,
    .get = stream_get,
};
