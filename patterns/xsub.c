/* XSUB: messages from all publishers; what begins with 01 or 00 and is sent subscribes (RFC 29). */
#include "patterns/xsub.h"
#include "patterns/fanout.h"
#include "patterns/option.h"
#include "patterns/request.h"

#include "base/alloc.h"

int sf_xsub_init(struct sf_xsub *x)
{
    sf_collect_init(&x->in, NULL);
    sf_trie_init(&x->topics);
    return 0;
}

void sf_xsub_fini(struct sf_xsub *x)
{
    sf_trie_fini(&x->topics);
    sf_free(x->text);
    x->text = NULL;
    x->text_room = 0;
}

void sf_xsub_add(struct sf_xsub *x, struct sf_peer *p)
{
    sf_collect_add(&x->in, p);
}

/* The topic's bytes, which stand until the next call; NULL: no memory. */
static const uint8_t *text_of(struct sf_xsub *x, const struct sf_trie_node *n)
{
    if (n->size >= x->text_room) { /* one byte at least, as "" is no failure */
        uint8_t *grown = sf_realloc(x->text, n->size + 64);

        if (!grown)
            return NULL;
        x->text = grown;
        x->text_room = n->size + 64;
    }
    sf_trie_topic(n, x->text);
    return x->text;
}

static void set_unsaid(struct sf_xsub *x, struct sf_peer *p, bool unsaid)
{
    if (unsaid && !sf_xsub_peer(p)->unsaid)
        x->unsaid++;
    if (!unsaid && sf_xsub_peer(p)->unsaid)
        x->unsaid--;
    sf_xsub_peer(p)->unsaid = unsaid;
}

/* Tells a peer one change of them. 0 or -ENOMEM. */
static int tell(struct sf_xsub *x, struct sf_peer *p, bool subscribe, const void *topic, size_t size)
{
    const char *name = subscribe ? "SUBSCRIBE" : "CANCEL";

    if (x->groups)
        name = subscribe ? "JOIN" : "LEAVE";
    return sf_peer_command(p, name, topic, size);
}

void sf_xsub_replay(struct sf_xsub *x, struct sf_peer *p)
{
    struct sf_trie_node *n = NULL;
    int err = 0;

    sf_xsub_peer(p)->joined = true;
    while (err == 0 && (n = sf_trie_next(&x->topics, n))) {
        const uint8_t *text = text_of(x, n);

        err = text ? tell(x, p, true, text, n->size) : -ENOMEM;
    }
    set_unsaid(x, p, err != 0);
}

void sf_xsub_silence(struct sf_xsub *x, struct sf_peer *p)
{
    sf_xsub_peer(p)->joined = false;
    set_unsaid(x, p, false);
}

void sf_xsub_catch_up(struct sf_socket *s, struct sf_xsub *x)
{
    if (x->unsaid == 0)
        return;
    SF_LIST_EACH(it, after, &s->peers)
    {
        struct sf_peer *p = SF_CONTAINER(it, struct sf_peer, node);

        if (sf_xsub_peer(p)->unsaid)
            sf_xsub_replay(x, p);
    }
}

/* A peer that misses a SUBSCRIBE is told all anew; one that misses a CANCEL sends more than it must. */
static void tell_all(struct sf_socket *s, struct sf_xsub *x, bool subscribe, const void *topic,
                     size_t size)
{
    SF_LIST_EACH(it, after, &s->peers)
    {
        struct sf_peer *p = SF_CONTAINER(it, struct sf_peer, node);

        if (sf_xsub_peer(p)->joined && tell(x, p, subscribe, topic, size) != 0 && subscribe)
            set_unsaid(x, p, true);
    }
}

int sf_xsub_subscribe(struct sf_socket *s, struct sf_xsub *x, const void *topic, size_t size)
{
    int err = sf_trie_add(&x->topics, topic, size, NULL);

    if (err == 0)
        tell_all(s, x, true, topic, size);
    return err;
}

int sf_xsub_cancel(struct sf_socket *s, struct sf_xsub *x, const void *topic, size_t size)
{
    struct sf_trie_node *n = sf_trie_find(&x->topics, topic, size);

    if (!n)
        return -ENOENT;
    if (n->count == 1)
        tell_all(s, x, false, topic, size);
    sf_trie_drop(&x->topics, n);
    return 0;
}

/* ---- The socket type XSUB ---- */

struct xsub {
    struct sf_xsub sub; /* the first */
    struct sf_fanout out;
    bool inside, asks; /* not at the first frame of what is sent; that one was a request */
    bool only_first, verbose_cancel;
};

static int xsub_init(struct sf_socket *s)
{
    struct xsub *x = s->state;

    sf_fanout_init(&x->out);
    return sf_xsub_init(&x->sub);
}

static void xsub_fini(struct sf_socket *s)
{
    sf_xsub_fini(s->state);
}

static int xsub_attach(struct sf_socket *s, struct sf_peer *p)
{
    sf_fanout_add(p);
    sf_xsub_add(s->state, p);
    return 0;
}

static void xsub_joined(struct sf_socket *s, struct sf_peer *p)
{
    sf_fanout_remove(p); /* a message begun before is not mixed with the subscriptions */
    sf_xsub_replay(s->state, p);
}

static void xsub_lost(struct sf_socket *s, struct sf_peer *p)
{
    sf_fanout_remove(p);
    sf_xsub_silence(s->state, p);
}

static void xsub_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct xsub *x = s->state;

    xsub_lost(s, p);
    sf_collect_ended(&x->sub.in, p);
}

static void xsub_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct xsub *x = s->state;

    xsub_lost(s, p);
    sf_collect_remove(&x->sub.in, p);
}

static void xsub_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct xsub *x = s->state;

    sf_collect_activate(&x->sub.in, p);
}

/* Sends a frame upstream. Requests are put whatever room there is, but only to who hears replays. */
static void forward(struct sf_socket *s, struct sf_msg *m, bool more, bool request)
{
    struct xsub *x = s->state;

    if (x->out.open) {
        sf_fanout_rest(s, &x->out, m, more);
        return;
    }
    SF_LIST_EACH(it, after, &s->peers)
    {
        struct sf_peer *p = SF_CONTAINER(it, struct sf_peer, node);

        if (p->ended)
            continue;
        if (!request)
            sf_fanout_offer(s, &x->out, p, m, more);
        else if (sf_xsub_peer(p)->joined)
            sf_fanout_give(s, &x->out, p, m, more);
    }
    x->out.open = more;
}

/* Counts a request: 1 when publishers are to know, 0 when not, -ENOMEM. */
static int count(struct xsub *x, const struct sf_request *r)
{
    struct sf_trie_node *n;
    bool last;

    if (r->subscribe)
        return sf_trie_add(&x->sub.topics, r->topic, r->size, NULL) == 0 ? 1 : -ENOMEM;
    n = sf_trie_find(&x->sub.topics, r->topic, r->size);
    last = n && n->count == 1;
    if (n)
        sf_trie_drop(&x->sub.topics, n);
    return last || x->verbose_cancel;
}

/* Not in the middle of a message: commands do not belong there. */
static void catch_up(struct sf_socket *s)
{
    struct xsub *x = s->state;

    if (!x->out.open)
        sf_xsub_catch_up(s, &x->sub);
}

static int xsub_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct xsub *x = s->state;
    struct sf_request r;
    bool asks = (!x->inside || x->asks || !x->only_first) && sf_request_of_message(&r, m);
    int tell = asks ? count(x, &r) : 1;

    (void)wait;
    if (tell < 0)
        return tell;
    if (!x->inside)
        x->asks = asks;
    x->inside = more;
    if (tell || x->out.open) /* what was begun needs its end */
        forward(s, m, more, asks);
    catch_up(s);
    return 0;
}

static int xsub_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct xsub *x = s->state;

    catch_up(s);
    return sf_collect_recv(&x->sub.in, m, NULL);
}

static int xsub_events(struct sf_socket *s)
{
    struct xsub *x = s->state;

    catch_up(s);
    return SIFR_POLLOUT | (sf_collect_ready(&x->sub.in) ? SIFR_POLLIN : 0);
}

static int xsub_set(struct sf_socket *s, int option, const void *value, size_t size)
{
    struct xsub *x = s->state;

    switch (option) {
    case SIFR_ONLY_FIRST_SUBSCRIBE: return sf_option_flag(&x->only_first, value, size);
    case SIFR_XSUB_VERBOSE_UNSUBSCRIBE: return sf_option_flag(&x->verbose_cancel, value, size);
    }
    return -EINVAL;
}

static int xsub_get(struct sf_socket *s, int option, void *value, size_t *size)
{
    struct xsub *x = s->state;

    if (option == SIFR_TOPICS_COUNT)
        return sf_option_give_count(x->sub.topics.topics, value, size);
    return -EINVAL;
}

const struct sf_pattern sf_pattern_xsub = {
    .name = "XSUB",
    .type = SIFR_XSUB,
    .talks_to = SF_TYPE(PUB) | SF_TYPE(XPUB),
    .flags = SF_PATTERN_REPLAYS | SF_PATTERN_NO_LINGER,
    .size = sizeof(struct xsub),
    .peer_size = sizeof(struct sf_xsub_peer),
    .init = xsub_init,
    .fini = xsub_fini,
    .attach = xsub_attach,
    .joined = xsub_joined,
    .lost = xsub_lost,
    .ended = xsub_ended,
    .detach = xsub_detach,
    .readable = xsub_readable,
    .send = xsub_send,
    .recv = xsub_recv,
    .events = xsub_events,
    .set = xsub_set,
    .get = xsub_get,
};
