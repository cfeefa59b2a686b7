/* PEER: messages of one frame to and from others of its kind, which it names by number (RFC 51). */
#include "patterns/server.h"

const struct sf_pattern sf_pattern_peer = {
    .name = "PEER",
    .type = SIFR_PEER,
    .talks_to = SF_TYPE(PEER),
    .flags = SF_PATTERN_SINGLE | SF_PATTERN_HELLO | SF_PATTERN_FAREWELL | SF_PATTERN_HICCUP,
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
