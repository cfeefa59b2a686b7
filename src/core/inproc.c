/* inproc: names in a context, and links that meet there. */
#include "base/alloc.h"
#include "base/clock.h"
#include "core/socket.h"

#include <errno.h>
#include <string.h>

/* A name that is bound; in sifr_ctx.names, under ctx.lock. */
struct sf_inproc_name {
    struct sf_map_node node;
    struct sifr_socket *socket; /* borrows: it unbinds before it goes */
    bool conflate;
    size_t id_size;
    uint8_t *id; /* owns; routing id at the time of the bind */
    char name[];
};

static bool conflates(const struct sifr_socket *s)
{
    return s->opt.conflate && (s->base.pattern->flags & SF_PATTERN_CONFLATES);
}

static bool announces(const struct sifr_socket *s)
{
    return (s->base.pattern->flags & SF_PATTERN_IDENTITY) && s->opt.id.size;
}

/* What a link knows of the other side's routing id. 0 or -ENOMEM. */
static int learn(struct sf_peer *p, const uint8_t *id, size_t size)
{
    if (size == 0 || id[0] == 0)
        return 0;
    p->id = (uint8_t *)sf_alloc_text(id, size);
    if (!p->id)
        return -ENOMEM;
    p->id_size = (uint16_t)size;
    return 0;
}

/* A link of `s` without pipes: 0 or -ENOMEM. */
static int link_new(struct sf_link **out, struct sifr_socket *s, const char *name)
{
    struct sf_link *l;
    int err = sf_link_new(&l, s);

    if (err)
        return err;
    l->peer.inproc = true;
    l->name = sf_alloc_text(name, strlen(name));
    if (!l->name) {
        sf_link_unref(l);
        return -ENOMEM;
    }
    *out = l;
    return 0;
}

/* Pipes of the side that connects; the other side's marks have no say yet. */
static int make_pipes(struct sf_link *l, bool conflate)
{
    struct sf_pipe *in, *out;
    int err = sf_pipe_new(&in, conflate);

    if (err)
        return err;
    err = sf_pipe_new(&out, conflate);
    if (err) {
        sf_pipe_unref(in);
        return err;
    }
    l->in = in;
    l->out = out;
    sf_pipe_set_mark(l->out, 0, l->socket->opt.snd_hwm);
    sf_pipe_set_mark(l->out, 1, -1);
    sf_pipe_set_mark(l->in, 1, l->socket->opt.rcv_hwm);
    sf_pipe_set_mark(l->in, 0, -1);
    sf_pipe_set_pins(l->in, l->socket->pins);
    sf_pipe_lull(l->in);
    sf_counters_enter(l);
    return 0;
}

/* Makes the end of `bound` for the connecting link `a`, which knows nothing of it yet. 0 or -ENOMEM. */
static int make_end(struct sf_link **out, struct sf_link *a, struct sifr_socket *bound)
{
    struct sf_link *b;
    int err = link_new(&b, bound, a->name);

    if (err)
        return err;
    if (announces(a->socket)) {
        err = learn(&b->peer, a->socket->opt.id.data, a->socket->opt.id.size);
        if (err) {
            sf_link_unref(b);
            return err;
        }
    }
    b->bound_end = true;
    b->in = sf_pipe_ref(a->out);
    b->out = sf_pipe_ref(a->in);
    atomic_store(&b->other, sf_link_ref(a));
    *out = b;
    return 0;
}

/* Ties the link for which `b` was made to it. Under ctx.lock. */
static void tie(struct sf_link *b)
{
    struct sifr_socket *bound = b->socket;

    sf_pipe_set_mark(b->in, 1, atomic_load(&bound->hwm[1]));
    sf_pipe_set_mark(b->out, 0, atomic_load(&bound->hwm[0]));
    sf_pipe_set_pins(b->in, bound->pins);
    sf_pipe_lull(b->in);
    b->met = atomic_load(&b->other)->met = true;
    sf_counters_enter(b);
    if (!atomic_load(&b->other)->orphan) /* else nobody is there to be told anything */
        atomic_store(&atomic_load(&b->other)->other, sf_link_ref(b));
}

int sf_inproc_connect(struct sifr_socket *s, const char *name, struct sf_link **out)
{
    struct sifr_ctx *ctx = s->ctx;
    struct sf_map_node *node;
    struct sf_link *l, *b = NULL;
    int err = link_new(&l, s, name);

    if (err)
        return err;
    if (s->opt.connect_id.size) {
        l->peer.given_id = (uint8_t *)sf_alloc_text(s->opt.connect_id.data, s->opt.connect_id.size);
        l->peer.given_id_size = (uint8_t)s->opt.connect_id.size;
        if (!l->peer.given_id)
            err = -ENOMEM;
    }
    sf_lock_take(&ctx->lock);
    node = sf_map_get(&ctx->names, name, strlen(name));
    if (node && err == 0) {
        struct sf_inproc_name *bound = SF_CONTAINER(node, struct sf_inproc_name, node);

        err = make_pipes(l, conflates(s) || bound->conflate);
        if (err == 0)
            err = learn(&l->peer, bound->id, bound->id_size);
        if (err == 0)
            err = make_end(&b, l, bound->socket);
        if (err == 0) {
            tie(b);
            sf_link_post(b, SF_EVENT_ATTACH);
            sf_link_unref(b);
        }
    } else if (err == 0) {
        err = make_pipes(l, conflates(s));
        if (err == 0)
            sf_list_push(&ctx->pending, &l->pending);
    }
    sf_lock_drop(&ctx->lock);
    if (err == 0) {
        sf_link_ref(l); /* the socket's */
        err = sf_socket_attach(s, l);
        if (err == 0 && l->place == SF_LINK_PARKED && l->peer.given_id_size) {
            sf_socket_detach(s, l); /* CONNECT_ROUTING_ID is in use */
            err = -EINVAL;
        } else if (err) {
            sf_socket_abandon(s, l);
            sf_link_unref(l);
        }
    }
    if (err) {
        sf_link_unref(l);
        return err;
    }
    *out = l;
    return 0;
}

/* Ends the wait of orphans that were to wait no longer than to `now`, ms. */
static void drop_orphans(struct sifr_ctx *ctx, uint64_t now)
{
    struct sf_list gone;

    sf_list_init(&gone);
    sf_lock_take(&ctx->lock);
    SF_LIST_EACH(it, after, &ctx->pending) {
        struct sf_link *l = SF_CONTAINER(it, struct sf_link, pending);

        if (l->orphan && l->orphan_until <= now) {
            sf_list_remove(it);
            sf_list_push(&gone, it);
        }
    }
    sf_lock_drop(&ctx->lock);
    while (!sf_list_empty(&gone)) {
        struct sf_link *l = SF_CONTAINER(gone.next, struct sf_link, pending);

        sf_list_remove(&l->pending);
        sf_link_unref(l); /* the row's; its messages go with it */
    }
}

/* Nothing but memory waits for that, so it is done when somebody comes by. */
static void drop_expired(struct sifr_ctx *ctx)
{
    drop_orphans(ctx, sf_clock_ms());
}

/* Lets one that waits for the name be met by `s`; it is tied later. 0 or -ENOMEM. */
static int prepare(struct sf_link *a, struct sifr_socket *s, const struct sf_inproc_name *n,
                   struct sf_list *met)
{
    struct sf_link *b;
    int err = make_end(&b, a, s);

    if (err)
        return err;
    sf_list_push(met, &b->pending); /* free for our use: it never waits for a bind */
    if (n->id_size == 0 || a->orphan)
        return 0;
    a->learnt = (uint8_t *)sf_alloc_text(n->id, n->id_size);
    a->learnt_size = (uint32_t)n->id_size;
    return a->learnt ? 0 : -ENOMEM;
}

/* All that wait for the name meet `s`, or, without memory, none of them. Under ctx.lock. */
static int meet_all(struct sifr_socket *s, const struct sf_inproc_name *n, struct sf_list *met)
{
    int err = 0;

    SF_LIST_EACH(it, after, &s->ctx->pending) {
        struct sf_link *a = SF_CONTAINER(it, struct sf_link, pending);

        if (err == 0 && strcmp(a->name, n->name) == 0)
            err = prepare(a, s, n, met);
    }
    SF_LIST_EACH(it, after, met) {
        struct sf_link *b = SF_CONTAINER(it, struct sf_link, pending), *a = atomic_load(&b->other);

        if (err == 0) {
            sf_list_remove(&a->pending);
            tie(b);
        } else {
            sf_free(a->learnt);
            a->learnt = NULL;
            sf_list_remove(it);
            sf_link_unref(b);
        }
    }
    return err;
}

int sf_inproc_bind(struct sifr_socket *s, const char *name, struct sf_list *met)
{
    struct sifr_ctx *ctx = s->ctx;
    size_t size = strlen(name);
    struct sf_inproc_name *n = sf_alloc(sizeof *n + size + 1);
    int err;

    if (!n)
        return -ENOMEM;
    memcpy(n->name, name, size);
    n->socket = s;
    n->conflate = conflates(s);
    if (announces(s)) {
        n->id = (uint8_t *)sf_alloc_text(s->opt.id.data, s->opt.id.size);
        n->id_size = s->opt.id.size;
        if (!n->id) {
            sf_free(n);
            return -ENOMEM;
        }
    }
    drop_expired(ctx);
    sf_lock_take(&ctx->lock);
    err = sf_map_put(&ctx->names, &n->node, n->name, size);
    if (err == 0) {
        err = meet_all(s, n, met);
        if (err)
            sf_map_remove(&ctx->names, &n->node);
    }
    sf_lock_drop(&ctx->lock);
    if (err) {
        sf_free(n->id);
        sf_free(n);
        return err == -EEXIST ? -EADDRINUSE : err;
    }
    SF_LIST_EACH(it, after, met) {
        struct sf_link *b = SF_CONTAINER(it, struct sf_link, pending);

        struct sf_link *a = atomic_load(&b->other);

        sf_link_post(b, SF_EVENT_ATTACH | (a->orphan ? SF_EVENT_ENDED : 0));
        if (a->orphan)
            sf_link_unref(a); /* the row's; `b` has its own */
        else
            sf_link_post(a, SF_EVENT_CHANGED | SF_EVENT_WRITABLE);
    }
    sf_socket_take_in(s);
    return 0;
}

void sf_inproc_nudge(struct sf_link *l)
{
    struct sifr_ctx *ctx = l->socket->ctx;
    struct sifr_socket *to = NULL;
    struct sf_link *other;

    sf_lock_take(&ctx->lock);
    other = atomic_load(&l->other);
    if (other)
        to = sf_socket_ref(other->socket);
    sf_lock_drop(&ctx->lock);
    if (!to)
        return;
    sf_socket_try(to);
    sf_socket_unref(to);
}

void sf_inproc_nudge_all(struct sf_list *met)
{
    while (!sf_list_empty(met)) {
        struct sf_link *b = SF_CONTAINER(met->next, struct sf_link, pending);

        sf_list_remove(&b->pending);
        sf_inproc_nudge(b);
        sf_link_unref(b);
    }
}

bool sf_inproc_bound(struct sifr_ctx *ctx, const char *name)
{
    bool bound;

    sf_lock_take(&ctx->lock);
    bound = sf_map_get(&ctx->names, name, strlen(name)) != NULL;
    sf_lock_drop(&ctx->lock);
    return bound;
}

void sf_inproc_unbind(struct sifr_socket *s, const char *name)
{
    struct sifr_ctx *ctx = s->ctx;
    struct sf_inproc_name *n = NULL;
    struct sf_map_node *node;

    sf_lock_take(&ctx->lock);
    node = sf_map_get(&ctx->names, name, strlen(name));
    if (node) {
        n = SF_CONTAINER(node, struct sf_inproc_name, node);
        if (n->socket == s)
            sf_map_remove(&ctx->names, node);
        else
            n = NULL;
    }
    sf_lock_drop(&ctx->lock);
    if (n) {
        sf_free(n->id);
        sf_free(n);
    }
}

void sf_inproc_end(struct sf_link *l)
{
    struct sifr_ctx *ctx = l->socket->ctx;
    struct sf_link *other;

    sf_lock_take(&ctx->lock);
    if (!l->bound_end)
        sf_list_remove(&l->pending);
    other = atomic_exchange(&l->other, NULL);
    sf_lock_drop(&ctx->lock);
    if (!other)
        return;
    sf_link_post(other, SF_EVENT_ENDED);
    sf_link_unref(other);
}

void sf_inproc_leave(struct sf_link *l, int linger)
{
    struct sifr_ctx *ctx = l->socket->ctx;

    drop_expired(ctx);
    sf_lock_take(&ctx->lock);
    if (linger != 0 && !l->bound_end && !atomic_load(&l->other) && !sf_list_empty(&l->pending) &&
        !atomic_load(&ctx->terminating) && sf_pipe_ready(l->out)) { /* no reader but us yet */
        l->orphan = true;
        l->orphan_until = linger < 0 ? UINT64_MAX : sf_clock_ms() + (uint64_t)linger;
        sf_link_ref(l); /* the row's */
    }
    sf_lock_drop(&ctx->lock);
    if (!l->orphan)
        sf_inproc_end(l);
}

void sf_inproc_forget(struct sifr_ctx *ctx)
{
    drop_orphans(ctx, UINT64_MAX);
}
