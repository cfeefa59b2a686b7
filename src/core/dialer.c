/* Dialing: name look-up, attempts, back-off. */
#include "base/random.h"
#include "core/conn.h"
#include "core/socket.h"

#include <errno.h>

/* Closes the stream of an attempt that failed. */
static void abandon(struct sf_conn *c)
{
    int fd;

    sf_loop_cancel(c->loop, &c->timer);
    if (!c->stream)
        return;
    fd = c->stream->fd;
    sf_loop_unwatch(c->loop, &c->watch);
    c->stream->ops->close(c->stream);
    c->stream = NULL;
    c->watch.fd = -1;
    sf_conn_event(c, SIFR_EVENT_CLOSED, (uint64_t)fd);
}

static void back_off(struct sf_conn *c)
{
    const struct sf_options *o = &c->profile->opt;
    uint64_t base = (uint64_t)(o->reconnect_ivl > 0 ? o->reconnect_ivl : 0), wait = base;

    if (base == 0) { /* no reconnection: the endpoint and its queue stay as they are */
        if (c->closing) {
            sf_conn_close(c);
            return;
        }
        c->state = SF_CONN_WAITING;
        return;
    }
    if (o->reconnect_ivl_max > 0) {
        uint64_t most = (uint64_t)o->reconnect_ivl_max;

        wait = c->attempt < 32 ? base << c->attempt : most;
        if (wait > most)
            wait = most;
    } else {
        wait += sf_random32() % base;
    }
    if (c->attempt < 32)
        c->attempt++;
    c->state = SF_CONN_WAITING;
    sf_loop_timer(c->loop, &c->timer, wait);
    sf_conn_event(c, SIFR_EVENT_CONNECT_RETRIED, wait);
}

static void opened(struct sf_conn *c, bool delayed);

static void dial(struct sf_conn *c, const struct sf_address *to)
{
    const struct sf_options *o = &c->profile->opt;
    struct sf_endpoint e;
    bool delayed_event;
    int err = sf_endpoint_parse(&e, c->text, c->bound);

    if (err) {
        sf_dial_failed(c, err);
        return;
    }
    err = e.transport->dial(&e, &o->stream, to, &c->stream);
    delayed_event = e.transport->delayed_event;
    sf_endpoint_fini(&e);
    if (err == 0 && o->framing == SF_FRAMING_BARE) {
        err = sf_stream_bare(&c->stream, (size_t)o->frame_most);
        if (err) {
            c->stream->ops->close(c->stream);
            c->stream = NULL;
        }
    }
    if (err) { /* ipc says so at once: there is no descriptor any more to name */
        sf_conn_event(c, SIFR_EVENT_CLOSED, (uint64_t)-1);
        sf_dial_failed(c, err);
        return;
    }
    opened(c, delayed_event);
}

/* There is a stream: goes on with it. */
static void opened(struct sf_conn *c, bool delayed)
{
    const struct sf_options *o = &c->profile->opt;

    c->watch.fd = c->stream->fd;
    c->state = SF_CONN_OPENING;
    if (o->connect_timeout > 0)
        sf_loop_timer(c->loop, &c->timer, (uint64_t)o->connect_timeout);
    if (delayed)
        sf_conn_event(c, SIFR_EVENT_CONNECT_DELAYED, EINPROGRESS);
    sf_dial_open(c);
}

static void looked_up(struct sf_lookup *l)
{
    struct sf_conn *c = l->arg;

    sf_conn_ref(c);
    if (l->error || l->n == 0) {
        sf_lookup_free(l);
        c->lookup = NULL;
        back_off(c);
    } else {
        c->next_address = 1;
        dial(c, &l->list[0]);
    }
    sf_conn_unref(c);
}

void sf_dial_attempt(struct sf_conn *c)
{
    const struct sf_options *o = &c->profile->opt;
    char host[SF_ADDR_HOST_MAX];
    uint16_t port;
    struct sf_endpoint e;
    int n;

    if (c->stream) { /* bound: it was opened by who called */
        opened(c, false);
        return;
    }
    n = sf_endpoint_parse(&e, c->text, c->bound);

    if (n == 0) {
        n = e.transport->host ? e.transport->host(&e, &o->stream, host, &port) : 0;
        sf_endpoint_fini(&e);
    }
    if (n == 0) {
        dial(c, NULL);
        return;
    }
    if (n > 0 &&
        sf_lookup_start(&c->lookup, c->loop, host, port, o->ipv6, looked_up, c) == 0) {
        c->state = SF_CONN_LOOKUP;
        return;
    }
    back_off(c);
}

static bool has_next_address(const struct sf_conn *c)
{
    return c->lookup && c->next_address < c->lookup->n;
}

void sf_dial_failed(struct sf_conn *c, int err)
{
    if (err == -ECONNREFUSED && !has_next_address(c) &&
        (c->profile->opt.reconnect_stop & SIFR_RECONNECT_STOP_CONN_REFUSED)) {
        abandon(c);
        atomic_store(&c->stopped, 2);
        sf_conn_close(c);
        return;
    }
    sf_dial_again(c);
}

void sf_dial_again(struct sf_conn *c)
{
    abandon(c);
    if (has_next_address(c)) {
        dial(c, &c->lookup->list[c->next_address++]);
        return;
    }
    sf_lookup_free(c->lookup);
    c->lookup = NULL;
    back_off(c);
}
