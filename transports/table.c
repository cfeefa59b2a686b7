/* The transports of this library, and how an endpoint finds its own. */
#include "transports/transport.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

static int parse_inproc(struct sf_endpoint *e)
{
    (void)e; /* any name will do, and it is not empty */
    return 0;
}

/* Sockets of one context; the core connects them itself. */
static const struct sf_transport inproc = {
    .scheme = "inproc",
    .inproc = true,
    .parse = parse_inproc,
};

static const struct sf_transport *const table[] = {
    &sf_tcp_transport,
    &sf_ipc_transport,
    &sf_udp_transport,
    &inproc,
};

const struct sf_transport *sf_transport_find(const char *scheme, size_t n)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strlen(table[i]->scheme) == n && memcmp(table[i]->scheme, scheme, n) == 0)
            return table[i];
    return NULL;
}

int sf_transport_of(const struct sf_transport **out, const char *text, const char **rest)
{
    const char *mark = text ? strstr(text, "://") : NULL;
    const struct sf_transport *t;

    if (!mark || mark == text || !mark[3])
        return -EINVAL;
    t = sf_transport_find(text, (size_t)(mark - text));
    if (!t)
        return -EPROTONOSUPPORT;
    *out = t;
    if (rest)
        *rest = mark + 3;
    return 0;
}

int sf_endpoint_parse(struct sf_endpoint *e, const char *text, bool bind)
{
    const struct sf_transport *t;
    const char *rest;
    int err = sf_transport_of(&t, text, &rest);

    if (err)
        return err;
    memset(e, 0, sizeof *e);
    e->transport = t;
    e->bind = bind;
    e->text = sf_alloc_text(text, strlen(text));
    if (!e->text)
        return -ENOMEM;
    e->rest = e->text + (rest - text);
    err = t->parse(e);
    if (err)
        sf_endpoint_fini(e);
    return err;
}

void sf_endpoint_fini(struct sf_endpoint *e)
{
    sf_free(e->text);
    e->text = NULL;
    e->rest = NULL;
}

void sf_stream_options_init(struct sf_stream_options *o)
{
    memset(o, 0, sizeof *o);
    o->sndbuf = o->rcvbuf = -1;
    o->keepalive = o->keepalive_cnt = o->keepalive_idle = o->keepalive_intvl = -1;
    o->backlog = -1;
    o->multicast_hops = 1;
    o->multicast_loop = true;
    o->use_fd = -1;
}
