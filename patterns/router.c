/* ROUTER: the first frame says to whom, or from whom (RFC 28). */
#include "patterns/router.h"
#include "patterns/option.h"
#include "patterns/probe.h"

#include "base/alloc.h"

struct notice {
    struct sf_list node;
    size_t size;
    uint8_t id[];
};

int sf_router_init(struct sf_socket *s)
{
    struct sf_router *r = s->state;

    sf_collect_init(&r->in, NULL);
    sf_list_init(&r->notices);
    sf_msg_init(&r->id);
    sf_msg_init(&r->body);
    sf_msg_init(&r->room);
    return sf_route_init(&r->route);
}

void sf_router_fini(struct sf_socket *s)
{
    struct sf_router *r = s->state;

    sf_msg_close(&r->id);
    sf_msg_close(&r->body);
    sf_msg_close(&r->room);
    SF_LIST_EACH(it, after, &r->notices)
    sf_free(SF_CONTAINER(it, struct notice, node));
    sf_list_init(&r->notices);
    sf_route_fini(&r->route);
}

/* Without memory the notice is lost, as nobody could be told of that. */
static void notify(struct sf_router *r, const struct sf_peer *p)
{
    const struct sf_route_id *id = sf_route_id(p);
    struct notice *n = sf_alloc(sizeof *n + id->size);

    if (!n)
        return;
    n->size = id->size;
    memcpy(n->id, id->bytes, id->size);
    sf_list_push(&r->notices, &n->node);
    r->noted++;
}

/* The old holder of an id makes way: it is read to its end under another name. */
static void displace(struct sf_router *r, struct sf_peer *p)
{
    struct sf_router_peer *own = p->own;

    own->displaced = true;
    if (r->to == p)
        r->to = NULL;
    sf_route_retire(&r->route, p);
    sf_peer_kick(p);
}

/* Makes the peer usable. 0, -ENOMEM, -EBUSY. */
static int enter(struct sf_router *r, struct sf_peer *p)
{
    struct sf_peer *holder;
    int err = sf_route_name(&r->route, p, &holder);

    if (err == -EBUSY && r->handover && !p->given_id) {
        displace(r, holder);
        err = sf_route_name(&r->route, p, &holder);
    }
    if (err == 0) {
        r->long_ids |= sf_route_id(p)->size > SF_MSG_INLINE;
        sf_collect_add(&r->in, p);
    }
    return err;
}

/* A dialed peer without a given id gets one when it is known, in `joined`. One that will not say has one now. */
int sf_router_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_router *r = s->state;
    int err = 0;

    sf_list_init(&p->in_node);
    if (p->given_id || p->connected || s->raw)
        err = enter(r, p);
    if (err)
        return err == -EBUSY && p->given_id ? -EINVAL : err;
    if (r->probe)
        err = sf_probe_put(p);
    if (err) {
        sf_collect_remove(&r->in, p);
        sf_route_unname(&r->route, p);
    }
    return err;
}

static void greet(struct sf_router *r, struct sf_peer *p)
{
    struct sf_router_peer *own = p->own;
    bool nameless = enter(r, p) != 0;

    if (nameless != own->nameless)
        r->nameless += nameless ? 1 : (size_t)-1;
    own->nameless = nameless;
    if (!nameless && (p->notify & SIFR_NOTIFY_CONNECT))
        notify(r, p);
}

void sf_router_joined(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_router *r = s->state;
    struct sf_router_peer *own = p->own;

    own->joined = true;
    if (!own->id.named && !p->ended)
        greet(r, p);
    else if (p->notify & SIFR_NOTIFY_CONNECT)
        notify(r, p);
}

/* Whether the application is to hear that this connection has ended. */
static bool says_farewell(const struct sf_peer *p)
{
    const struct sf_router_peer *own = p->own;

    return (p->notify & SIFR_NOTIFY_DISCONNECT) && own->joined && own->id.size && !own->displaced &&
           !p->inproc;
}

void sf_router_lost(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_router *r = s->state;
    struct sf_router_peer *own = p->own;

    if (s->raw) /* it ends as well, and what was received of it comes before the notice */
        return;
    if (says_farewell(p))
        notify(r, p);
    own->joined = false;
}

static void leave(struct sf_router *r, struct sf_peer *p)
{
    struct sf_router_peer *own = p->own;

    if (r->to == p)
        r->to = NULL;
    if (own->nameless)
        r->nameless--;
    own->nameless = false;
    sf_route_unname(&r->route, p);
}

static void end_farewell(struct sf_router *r, struct sf_peer *p)
{
    struct sf_router_peer *own = p->own;

    own->farewell = false;
    r->farewells--;
    notify(r, p);
}

/* What came from a peer that never had a name. */
static void discard_received(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_msg m;

    sf_msg_init(&m);
    while (sf_peer_get(p, &m) == 0)
        if (!sf_msg_more(&m))
            sf_drop(s, SF_DROP_UNWANTED);
    sf_msg_close(&m);
}

void sf_router_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_router *r = s->state;
    struct sf_router_peer *own = p->own;

    if (r->sending && r->to == p)
        sf_peer_rollback(p);
    leave(r, p);
    if (own->id.size == 0) {
        discard_received(s, p);
        return;
    }
    sf_collect_ended(&r->in, p);
    if (says_farewell(p) && !own->farewell) {
        own->farewell = true;
        own->noted = r->noted;
        r->farewells++;
        if (!sf_peer_readable(p))
            end_farewell(r, p);
    }
    own->joined = false;
}

void sf_router_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_router *r = s->state;
    struct sf_router_peer *own = p->own;

    leave(r, p);
    sf_collect_remove(&r->in, p);
    if (own->farewell)
        end_farewell(r, p);
    else if (says_farewell(p))
        notify(r, p);
    own->joined = false;
    if (r->nameless == 0)
        return;
    SF_LIST_EACH(it, after, &s->peers)
    { /* perhaps its id was what another one waits for */
        struct sf_peer *other = SF_CONTAINER(it, struct sf_peer, node);

        if (other != p && ((struct sf_router_peer *)other->own)->nameless && !other->ended)
            greet(r, other);
    }
}

void sf_router_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_router *r = s->state;

    if (sf_route_id(p)->size)
        sf_collect_activate(&r->in, p);
}

static int send_id(struct sf_socket *s, struct sf_msg *m, bool more)
{
    struct sf_router *r = s->state;
    struct sf_peer *p;

    if (!more)
        return 0; /* to somebody, but nothing */
    p = sf_route_find(&r->route, sf_msg_data(m), sf_msg_size(m));
    if (p && p->ended)
        p = NULL;
    if (!p && r->mandatory)
        return -EHOSTUNREACH;
    if (p && !sf_peer_room(p)) {
        if (r->mandatory)
            return -EAGAIN;
        sf_drop(s, SF_DROP_NO_ROOM);
        p = NULL;
    } else if (!p) {
        sf_drop(s, SF_DROP_UNROUTABLE);
    }
    r->to = p;
    r->sending = true;
    return 0;
}

/* Raw: an empty frame ends the connection, of which the program will hear no more. */
static void hang_up(struct sf_router *r, struct sf_peer *p)
{
    struct sf_router_peer *own = p->own;

    own->joined = false;
    leave(r, p);
    sf_collect_remove(&r->in, p);
    sf_peer_close(p);
}

int sf_router_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct sf_router *r = s->state;
    int err = 0;

    (void)wait;
    if (!r->sending)
        return send_id(s, m, more);
    if (s->raw)
        more = false;
    if (r->to && s->raw && sf_msg_size(m) == 0)
        hang_up(r, r->to);
    else if (r->to)
        err = sf_peer_put(r->to, m, more);
    if (err) {
        r->to = NULL;
        sf_drop(s, sf_drop_of(err));
    }
    if (!more) {
        r->to = NULL;
        r->sending = false;
    }
    return err == -ENOMEM ? err : 0;
}

/* Sees to it that set_id finds what it needs: 0 or -ENOMEM. */
static int make_room(struct sf_router *r)
{
    if (!r->long_ids || sf_msg_size(&r->room) > 0)
        return 0;
    return sf_msg_init_size(&r->room, SF_ROUTE_ID_MAX);
}

/* Makes the id frame for what `body` holds. make_room has been called. */
static void set_id(struct sf_router *r, const void *bytes, size_t size)
{
    sf_msg_close(&r->id);
    if (size > SF_MSG_INLINE) {
        r->id = r->room;
        sf_msg_init(&r->room);
        r->id.slice.size = size;
    } else {
        sf_msg_init_size(&r->id, size); /* which needs no memory */
    }
    memcpy(sf_msg_data(&r->id), bytes, size);
    r->id.flags |= SF_MSG_MORE;
    r->id.meta = sf_meta_ref(r->body.meta);
}

static void take_notice(struct sf_router *r)
{
    struct notice *n = SF_CONTAINER(r->notices.next, struct notice, node);

    sf_msg_close(&r->body);
    sf_msg_init(&r->body);
    set_id(r, n->id, n->size);
    sf_list_remove(&n->node);
    sf_free(n);
    r->told++;
}

/* Who ended first of those that are to be told of, if that is before what the notices say; or NULL. */
static struct sf_peer *gone_before(const struct sf_router *r)
{
    struct sf_peer *p = sf_list_empty(&r->in.left)
                            ? NULL : SF_CONTAINER(r->in.left.next, struct sf_peer, in_node);
    const struct sf_router_peer *own = p ? p->own : NULL;

    return p && own->farewell && (int32_t)(r->told - own->noted) >= 0 ? p : NULL;
}

/* Its notice, at once. */
static void take_farewell(struct sf_router *r, struct sf_peer *p)
{
    const struct sf_route_id *id = sf_route_id(p);

    ((struct sf_router_peer *)p->own)->farewell = false;
    r->farewells--;
    sf_msg_close(&r->body);
    sf_msg_init(&r->body);
    set_id(r, id->bytes, id->size);
    r->ahead = SF_ROUTER_BOTH;
}

/* Notices of peers that have ended and have been read to their end. */
static void end_farewells(struct sf_socket *s)
{
    struct sf_router *r = s->state;

    SF_LIST_EACH(it, after, &s->peers)
    {
        struct sf_peer *p = SF_CONTAINER(it, struct sf_peer, node);

        if (((struct sf_router_peer *)p->own)->farewell && !sf_peer_readable(p))
            end_farewell(r, p);
    }
}

/* Reads the first frame of the next message. 0, -EAGAIN, -ENOMEM. */
static int look_ahead(struct sf_socket *s)
{
    struct sf_router *r = s->state;
    struct sf_peer *from, *gone = gone_before(r);
    int err = make_room(r);

    if (err)
        return err;
    if (gone && !sf_peer_readable(gone)) {
        take_farewell(r, gone);
        return 0;
    }
    if (gone || sf_list_empty(&r->notices)) {
        err = sf_collect_recv(&r->in, &r->body, &from);
        if (err && r->farewells)
            end_farewells(s);
        if (err && sf_list_empty(&r->notices))
            return err;
    } else {
        err = -EAGAIN; /* notices come first */
    }
    if (err == 0)
        set_id(r, sf_route_id(from)->bytes, sf_route_id(from)->size);
    else
        take_notice(r);
    r->ahead = SF_ROUTER_BOTH;
    return 0;
}

int sf_router_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct sf_router *r = s->state;
    int err;

    if (r->ahead == SF_ROUTER_NOTHING && (r->in.current || r->in.cut))
        return sf_collect_recv(&r->in, m, NULL);
    if (r->ahead == SF_ROUTER_NOTHING) {
        err = look_ahead(s);
        if (err)
            return err;
    }
    sf_msg_move(m, r->ahead == SF_ROUTER_BOTH ? &r->id : &r->body);
    r->ahead = r->ahead == SF_ROUTER_BOTH ? SF_ROUTER_BODY : SF_ROUTER_NOTHING;
    return 0;
}

static bool anybody_has_room(const struct sf_socket *s)
{
    SF_LIST_EACH(it, after, &s->peers)
    {
        struct sf_peer *p = SF_CONTAINER(it, struct sf_peer, node);

        if (sf_route_id(p)->named && !p->ended && sf_peer_room(p))
            return true;
    }
    return false;
}

int sf_router_events(struct sf_socket *s)
{
    struct sf_router *r = s->state;
    int events = 0;

    if (r->ahead != SF_ROUTER_NOTHING || r->in.current || r->in.cut || look_ahead(s) == 0)
        events |= SIFR_POLLIN;
    if (!r->mandatory || r->sending || anybody_has_room(s))
        events |= SIFR_POLLOUT;
    return events;
}

static int router_set(struct sf_socket *s, int option, const void *value, size_t size)
{
    struct sf_router *r = s->state;
    int n;

    switch (option) {
    case SIFR_ROUTER_MANDATORY: return sf_option_flag(&r->mandatory, value, size);
    case SIFR_ROUTER_HANDOVER: return sf_option_flag(&r->handover, value, size);
    case SIFR_PROBE_ROUTER: return sf_option_flag(&r->probe, value, size);
    case SIFR_ROUTER_RAW: return sf_option_flag(&s->raw, value, size);
    case SIFR_ROUTER_NOTIFY:
        if (sf_option_int(&n, value, size) != 0 || n < 0 ||
            n > (SIFR_NOTIFY_CONNECT | SIFR_NOTIFY_DISCONNECT))
            return -EINVAL;
        s->notify = (uint8_t)n;
        return 0;
    }
    return -EINVAL;
}

static int router_get(struct sf_socket *s, int option, void *value, size_t *size)
{
    if (option == SIFR_ROUTER_NOTIFY)
        return sf_option_give(s->notify, value, size);
    return -EINVAL;
}

static int router_peer_state(struct sf_socket *s, const void *id, size_t size)
{
    struct sf_router *r = s->state;
    struct sf_peer *p = sf_route_find(&r->route, id, size);

    if (!p || p->ended)
        return -EHOSTUNREACH;
    return sf_peer_room(p) ? SIFR_POLLOUT : 0;
}

const struct sf_pattern sf_pattern_router = {
    .name = "ROUTER",
    .type = SIFR_ROUTER,
    .talks_to = SF_TYPE(REQ) | SF_TYPE(DEALER) | SF_TYPE(ROUTER),
    .flags = SF_PATTERN_IDENTITY | SF_PATTERN_HELLO | SF_PATTERN_FAREWELL,
    .size = sizeof(struct sf_router),
    .peer_size = sizeof(struct sf_router_peer),
    .init = sf_router_init,
    .fini = sf_router_fini,
    .attach = sf_router_attach,
    .joined = sf_router_joined,
    .lost = sf_router_lost,
    .ended = sf_router_ended,
    .detach = sf_router_detach,
    .readable = sf_router_readable,
    .send = sf_router_send,
    .recv = sf_router_recv,
    .events = sf_router_events,
    .peer_state = router_peer_state,
    .set = router_set,
    .get = router_get,
};
