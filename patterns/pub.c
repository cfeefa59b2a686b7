/* PUB: each message to those that subscribed to it (RFC 29). */
#include "patterns/xpub.h"

static int pub_init(struct sf_socket *s)
{
    struct sf_xpub *x = s->state;

    x->deaf = true;
    return sf_xpub_init(s);
}

static int pub_events(struct sf_socket *s)
{
    (void)s;
    return SIFR_POLLOUT;
}

const struct sf_pattern sf_pattern_pub = {
    .name = "PUB",
    .type = SIFR_PUB,
    .talks_to = SF_TYPE(SUB) | SF_TYPE(XSUB),
    .flags = SF_PATTERN_FANOUT | SF_PATTERN_COMMANDS | SF_PATTERN_CONFLATES | SF_PATTERN_ONCE,
    .size = sizeof(struct sf_xpub),
    .peer_size = sizeof(struct sf_xpub_peer),
    .init = pub_init,
    .fini = sf_xpub_fini,
    .attach = sf_xpub_attach,
    .joined = sf_xpub_joined,
    .lost = sf_xpub_lost,
    .ended = sf_xpub_ended,
    .detach = sf_xpub_detach,
    .readable = sf_xpub_readable,
    .writable = sf_xpub_writable,
    .send = sf_xpub_send,
    .events = pub_events,
    .set = sf_xpub_set,
    .get = sf_xpub_get,
};
