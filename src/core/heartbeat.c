/* PING and PONG: noticing peers that have gone without a word. RFC 37, Connection heartbeating. */
#include "base/alloc.h"
#include "core/conn.h"
#include "core/socket.h"
#include "wire/command.h"

#include <errno.h>

static void dead(struct sf_conn *c)
{
    sf_conn_lost(c);
}

static void beat(struct sf_timer *t)
{
    struct sf_heart *h = SF_CONTAINER(t, struct sf_heart, beat);
    struct sf_conn *c = h->conn;
    const struct sf_options *o = &c->profile->opt;
    int limit = o->heartbeat_timeout < 0 ? o->heartbeat_ivl : o->heartbeat_timeout;
    uint8_t ping[SF_PING_SIZE_MAX];

    sf_loop_timer(c->loop, t, (uint64_t)o->heartbeat_ivl);
    if (c->lane.size == 0) /* one that is not sent yet says as much */
        sf_send_lane(c, ping, sf_ping_put(ping, (uint32_t)o->heartbeat_ttl, NULL, 0));
    /* While we do not read, silence is ours. */
    if (limit > 0 && !c->paused && !sf_timer_armed(&h->silence))
        sf_loop_timer(c->loop, &h->silence, (uint64_t)limit);
    sf_send_flush(c);
}

static void silent(struct sf_timer *t)
{
    struct sf_conn *c = SF_CONTAINER(t, struct sf_heart, silence)->conn;

    if (!c->paused)
        dead(c);
}

static void ttl_over(struct sf_timer *t)
{
    struct sf_conn *c = SF_CONTAINER(t, struct sf_heart, ttl)->conn;

    if (!c->paused)
        dead(c);
}

static int make(struct sf_conn *c)
{
    if (c->heart)
        return 0;
    c->heart = sf_alloc(sizeof *c->heart);
    if (!c->heart)
        return -ENOMEM;
    c->heart->conn = c;
    c->heart->beat.fire = beat;
    c->heart->silence.fire = silent;
    c->heart->ttl.fire = ttl_over;
    return 0;
}

int sf_heart_start(struct sf_conn *c)
{
    int ivl = c->profile->opt.heartbeat_ivl;

    /* A DISH of libzmq takes a PING for a frame of its own, and closes (wire.md 11). */
    if (ivl <= 0 || (c->socket->base.pattern->flags & SF_PATTERN_GROUPS))
        return 0;
    if (make(c) != 0)
        return -ENOMEM;
    sf_loop_timer(c->loop, &c->heart->beat, (uint64_t)ivl);
    return 0;
}

void sf_heart_heard(struct sf_conn *c)
{
    if (!c->heart)
        return;
    sf_loop_cancel(c->loop, &c->heart->silence);
    if (!c->heart->ttl_fresh)
        sf_loop_cancel(c->loop, &c->heart->ttl);
    c->heart->ttl_fresh = false;
}

void sf_heart_ttl(struct sf_conn *c, uint32_t ttl_ms)
{
    if (make(c) != 0)
        return; /* no memory: we do without */
    sf_loop_timer(c->loop, &c->heart->ttl, ttl_ms);
    c->heart->ttl_fresh = true; /* the frame that brought it does not count */
}

void sf_heart_stop(struct sf_conn *c)
{
    if (!c->heart)
        return;
    sf_loop_cancel(c->loop, &c->heart->beat);
    sf_loop_cancel(c->loop, &c->heart->silence);
    sf_loop_cancel(c->loop, &c->heart->ttl);
    sf_free(c->heart);
    c->heart = NULL;
}
