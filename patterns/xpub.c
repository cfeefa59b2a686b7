/* XPUB: each message to those that subscribed to it; their subscriptions can be received (RFC 29). */
#include "patterns/xpub.h"
#include "patterns/option.h"
#include "patterns/request.h"

#include "base/alloc.h"

/*
 * Requests must take effect even if the application never receives, so peers
 * are read as soon as they are readable and what is for the application waits
 * here. Nobody may fill memory that way: a peer of which so much waits is read
 * on only when the application has received.
 */
enum { MESSAGES_MAX = 1000, REQUESTS_MAX = 100000 };

/* What recv gives: one frame. */
struct item {
    struct sf_list node;
    struct sf_list of_peer;
    struct sf_peer *peer; /* NULL: gone */
    bool request;
    struct sf_msg msg;
};

int sf_xpub_init(struct sf_socket *s)
{
    struct sf_xpub *x = s->state;

    sf_fanout_init(&x->out);
    sf_trie_init(&x->topics);
    sf_trie_init(&x->asked);
    sf_groups_init(&x->groups, &x->topics);
    sf_list_init(&x->items);
    sf_msg_init(&x->welcome);
    return 0;
}

static void free_item(struct item *i)
{
    sf_list_remove(&i->node);
    sf_list_remove(&i->of_peer);
    sf_msg_close(&i->msg);
    sf_free(i);
}

void sf_xpub_fini(struct sf_socket *s)
{
    struct sf_xpub *x = s->state;

    SF_LIST_EACH(it, after, &x->items)
    free_item(SF_CONTAINER(it, struct item, node));
    sf_groups_fini(&x->groups);
    sf_trie_fini(&x->topics);
    sf_trie_fini(&x->asked);
    sf_msg_close(&x->welcome);
}

/* ---- What the application receives ---- */

/* An item in no list, its message empty, or NULL. */
static struct item *new_item(struct sf_peer *p, bool request)
{
    struct item *i = sf_alloc(sizeof *i);

    if (!i)
        return NULL;
    sf_list_init(&i->node);
    sf_list_init(&i->of_peer);
    sf_msg_init(&i->msg);
    i->peer = p;
    i->request = request;
    return i;
}

/* From now on the item waits to be received. */
static void queue_item(struct sf_xpub *x, struct item *i)
{
    struct sf_xpub_peer *own = i->peer->own;

    sf_list_remove(&i->node);
    sf_list_push(&x->items, &i->node);
    sf_list_push(&own->items, &i->of_peer);
    if (i->request)
        own->requests++;
    else if (!sf_msg_more(&i->msg))
        own->messages++;
}

/* The item that tells of a request: 01 or 00 and the topic; NULL: no memory. */
static struct item *new_notice(struct sf_peer *p, bool subscribe, size_t size)
{
    struct item *i = new_item(p, true);

    if (!i)
        return NULL;
    if (sf_msg_init_size(&i->msg, 1 + size) != 0) {
        sf_free(i);
        return NULL;
    }
    sf_msg_data(&i->msg)[0] = subscribe;
    return i;
}

/* Tells that a peer which went away no longer holds a topic. Without memory it is not told. */
static void notice_end(struct sf_xpub *x, struct sf_peer *p, const struct sf_trie_node *topic)
{
    struct item *i = x->deaf ? NULL : new_notice(p, false, topic->size);

    if (!i)
        return;
    sf_trie_topic(topic, sf_msg_data(&i->msg) + 1);
    queue_item(x, i);
}

/* ---- Subscriptions ---- */

static struct sf_group_peer *group_of(struct sf_peer *p)
{
    struct sf_xpub_peer *own = p->own;

    return &own->group;
}

/* Lets a peer have what begins with a topic. As sf_trie_join. */
static int hold(struct sf_xpub *x, struct sf_peer *p, const void *bytes, size_t size,
                struct sf_trie_node **topic)
{
    struct sf_xpub_peer *own = p->own;
    int err = sf_trie_join(&x->topics, p, &own->links, bytes, size, topic);

    if (err == 1)
        sf_group_holds(&x->groups, &own->group, *topic, group_of);
    return err;
}

/* Ends that. */
static void let_go(struct sf_xpub *x, struct sf_peer *p, struct sf_trie_link *l)
{
    if (sf_group_drops(&x->groups, group_of(p), l->topic))
        sf_fanout_go_on(&x->out, p);
    sf_trie_part(&x->topics, l);
}

/* 1: the application is to know, 0: not, -ENOMEM. */
static int subscribe(struct sf_xpub *x, struct sf_peer *p, const struct sf_request *r)
{
    struct sf_xpub_peer *own = p->own;
    struct sf_trie_node *topic;
    bool manual = x->manual && !x->deaf;
    int err = manual ? sf_trie_join(&x->asked, p, &own->asked, r->topic, r->size, &topic)
                     : hold(x, p, r->topic, r->size, &topic);

    if (err < 0)
        return err;
    return manual || x->verbose || (err == 1 && topic->count == 1);
}

/* The same. A topic that nobody held is told of, too. */
static int cancel(struct sf_xpub *x, struct sf_peer *p, const struct sf_request *r)
{
    bool manual = x->manual && !x->deaf;
    struct sf_trie *t = manual ? &x->asked : &x->topics;
    struct sf_trie_link *l = sf_trie_link_find(t, p, r->topic, r->size);

    if (l && manual)
        sf_trie_part(t, l);
    else if (l)
        let_go(x, p, l);
    return manual || x->verboser || !sf_trie_find(t, r->topic, r->size);
}

/* Forgets all that a peer holds, and tells of it. */
static void forget(struct sf_xpub *x, struct sf_peer *p)
{
    struct sf_xpub_peer *own = p->own;
    bool manual = x->manual && !x->deaf;

    if (sf_group_leave(&x->groups, &own->group))
        sf_fanout_go_on(&x->out, p);
    SF_LIST_EACH(it, after, &own->asked)
    {
        struct sf_trie_link *l = SF_CONTAINER(it, struct sf_trie_link, in_peer);

        notice_end(x, p, l->topic);
        sf_trie_part(&x->asked, l);
    }
    SF_LIST_EACH(it, after, &own->links)
    {
        struct sf_trie_link *l = SF_CONTAINER(it, struct sf_trie_link, in_peer);

        if (!manual && (x->verboser || l->topic->count == 1))
            notice_end(x, p, l->topic);
        sf_trie_part(&x->topics, l);
    }
}

/* Does what a request says: 0 or -ENOMEM, nothing was done then. `m`: where it is from, or NULL. */
static int obey(struct sf_xpub *x, struct sf_peer *p, const struct sf_request *r, struct sf_msg *m)
{
    struct item *i = NULL;
    int tell;

    if (!x->deaf) {
        i = new_notice(p, r->subscribe, r->size);
        if (!i)
            return -ENOMEM;
        if (r->size > 0)
            memcpy(sf_msg_data(&i->msg) + 1, r->topic, r->size);
        i->msg.meta = m ? sf_meta_ref(m->meta) : NULL;
    }
    tell = r->subscribe ? subscribe(x, p, r) : cancel(x, p, r);
    if (i && tell == 1)
        queue_item(x, i);
    else if (i)
        free_item(i);
    return tell < 0 ? tell : 0;
}

/* ---- Reading peers ---- */

/* One message of a peer, as it is read. */
struct reading {
    struct sf_list frames; /* struct item.node: those for the application */
    bool first, asks;      /* at the first frame; the first frame was a request */
    bool bad;              /* no memory: the message is lost */
    bool unwanted;         /* it has frames for an application that takes none */
};

static void keep_frame(struct sf_xpub *x, struct sf_peer *p, struct reading *g, struct sf_msg *m)
{
    struct item *i;

    g->unwanted |= x->deaf;
    if (x->deaf || g->bad)
        return;
    i = new_item(p, false);
    if (!i) {
        g->bad = true;
        return;
    }
    sf_msg_move(&i->msg, m);
    sf_list_push(&g->frames, &i->node);
}

/* Hands over the user frames of a whole message, or none of them. */
static void end_message(struct sf_socket *s, struct reading *g)
{
    SF_LIST_EACH(it, after, &g->frames)
    {
        struct item *i = SF_CONTAINER(it, struct item, node);

        if (g->bad)
            free_item(i);
        else
            queue_item(s->state, i);
    }
    if (g->bad)
        sf_drop(s, SF_DROP_NO_MEMORY);
    if (g->unwanted)
        sf_drop(s, SF_DROP_UNWANTED);
}

/* A request in a message with user frames stays in it as well: its last frame may not be missing. */
static int take_frame(struct sf_xpub *x, struct sf_peer *p, struct reading *g, struct sf_msg *m)
{
    struct sf_xpub_peer *own = p->own;
    struct sf_request r;
    bool asks = (g->first || g->asks || !x->only_first) && !x->group_request &&
                sf_request_of_message(&r, m);
    int err = asks && !own->gone ? obey(x, p, &r, m) : 0;

    if (g->first)
        g->asks = asks;
    g->first = false;
    if (!asks || !sf_list_empty(&g->frames))
        keep_frame(x, p, g, m);
    return err;
}

static int take_command(struct sf_xpub *x, struct sf_peer *p, struct sf_msg *m)
{
    struct sf_xpub_peer *own = p->own;
    struct sf_request r;

    if (!(x->group_request ? x->group_request(x, &r, m) : sf_request_of_command(&r, m)) || own->gone)
        return 0;
    return obey(x, p, &r, m);
}

/* Reads one message or command: whether there was one. `m` is for scratch. */
static bool read_one(struct sf_socket *s, struct sf_peer *p, struct sf_msg *m)
{
    struct reading g = {.first = true};
    bool more;
    int err = 0;

    if (sf_peer_get(p, m) != 0)
        return false;
    sf_list_init(&g.frames);
    if (m->flags & SF_MSG_COMMAND) {
        err = take_command(s->state, p, m);
    } else {
        do {
            if (m->flags & SF_MSG_COMMAND) { /* stands between two frames; `more` is still true */
                if (take_command(s->state, p, m) != 0)
                    err = -ENOMEM;
                continue;
            }
            more = sf_msg_more(m);
            if (take_frame(s->state, p, &g, m) != 0)
                err = -ENOMEM;
        } while (more && sf_peer_get(p, m) == 0);
        end_message(s, &g);
    }
    if (err)
        sf_peer_renew(p); /* a subscription lost would be lost for ever; so it is said anew */
    return true;
}

static bool may_read(const struct sf_xpub_peer *own)
{
    return own->messages < MESSAGES_MAX && own->requests < REQUESTS_MAX;
}

void sf_xpub_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_msg m;

    sf_msg_init(&m);
    while (may_read(p->own) && read_one(s, p, &m))
        ;
    sf_msg_close(&m);
}

void sf_xpub_writable(struct sf_socket *s, struct sf_peer *p)
{
    const struct sf_group *g = sf_group_of(group_of(p));

    (void)s;
    if (g)
        sf_crowd_writable(g->crowd, p);
}

/* ---- Peers ---- */

int sf_xpub_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_xpub *x = s->state;
    struct sf_xpub_peer *own = p->own;

    if (sf_msg_size(&x->welcome) > 0 && sf_peer_put(p, &x->welcome, false) == -ENOMEM)
        return -ENOMEM;
    sf_list_init(&own->links);
    sf_list_init(&own->asked);
    sf_list_init(&own->items);
    sf_group_peer_init(&own->group, p, &own->links);
    sf_fanout_add(p);
    sf_xpub_readable(s, p);
    return 0;
}

/* One that filters for itself is taken to have asked for everything. */
void sf_xpub_joined(struct sf_socket *s, struct sf_peer *p)
{
    const struct sf_request all = {.subscribe = true};

    if (p->subscribes_all && obey(s->state, p, &all, NULL) != 0)
        sf_peer_renew(p);
}

void sf_xpub_lost(struct sf_socket *s, struct sf_peer *p)
{
    sf_xpub_readable(s, p);
    forget(s->state, p);
}

void sf_xpub_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_xpub_peer *own = p->own;

    sf_xpub_readable(s, p);
    if (own->gone)
        return;
    own->gone = true;
    forget(s->state, p);
    sf_fanout_remove(p); /* after it has left its group, with what that has begun */
}

void sf_xpub_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct sf_xpub *x = s->state;
    struct sf_xpub_peer *own = p->own;

    sf_xpub_ended(s, p);
    if (x->last == p)
        x->last = NULL;
    SF_LIST_EACH(it, after, &own->items)
    {
        SF_CONTAINER(it, struct item, of_peer)->peer = NULL;
        sf_list_remove(it);
    }
}

/* ---- Sending ---- */

/* What is done with those that shall have a message. The first error ends it. */
struct visitor {
    int (*group)(struct sf_socket *, struct sf_group *, struct sf_msg *, bool);
    int (*peer)(struct sf_socket *, struct sf_peer *, struct sf_msg *, bool);
};

/* Marks the groups that the message matches, and visits them. */
static int match_groups(struct sf_socket *s, const uint8_t *bytes, size_t size, struct sf_msg *m,
                        bool more, const struct visitor *v)
{
    struct sf_xpub *x = s->state;
    const struct sf_trie_node *n = &x->topics.root;
    int err = 0;

    for (; n && err == 0; n = sf_trie_deeper(n, bytes, size))
        for (struct sf_list *it = n->groups.next; it != &n->groups && err == 0; it = it->next) {
            struct sf_group *g = SF_CONTAINER(it, struct sf_group_link, in_topic)->group;

            if (g->stamp == x->stamp)
                continue;
            g->stamp = x->stamp;
            if (v)
                err = v->group(s, g, m, more);
        }
    return err;
}

/* The same for peers by their own links; those in a crowd that was visited have it. */
static int match_peers(struct sf_socket *s, const uint8_t *bytes, size_t size, struct sf_msg *m,
                       bool more, const struct visitor *v)
{
    struct sf_xpub *x = s->state;
    const struct sf_trie_node *n = &x->topics.root;
    int err = 0;

    for (; n && err == 0; n = sf_trie_deeper(n, bytes, size))
        for (const struct sf_list *it = n->links.next; it != &n->links && err == 0; it = it->next) {
            struct sf_peer *p = SF_CONTAINER(it, struct sf_trie_link, in_topic)->peer;
            struct sf_xpub_peer *own = p->own;
            const struct sf_group *g = sf_group_of(&own->group);

            if (own->stamp == x->stamp || (g && g->stamp == x->stamp))
                continue;
            own->stamp = x->stamp;
            if (v)
                err = v->peer(s, p, m, more);
        }
    return err;
}

/* Whether the message that has been matched matches the peer. */
static bool matched(const struct sf_xpub *x, struct sf_peer *p)
{
    const struct sf_xpub_peer *own = p->own;
    const struct sf_group *g = sf_group_of(&own->group);

    return own->stamp == x->stamp || (g && g->stamp == x->stamp);
}

/* Visits all that shall have the message once, until there is an error. */
static int each_match(struct sf_socket *s, const uint8_t *bytes, size_t size, struct sf_msg *m,
                      bool more, const struct visitor *v)
{
    struct sf_xpub *x = s->state;
    bool rare = x->invert || x->only_last; /* then peers are looked at one by one */
    int err;

    x->stamp++;
    err = match_groups(s, bytes, size, m, more, rare ? NULL : v);
    if (err == 0)
        err = match_peers(s, bytes, size, m, more, rare ? NULL : v);
    if (!rare)
        return err;
    if (x->only_last && !x->invert)
        return x->last && matched(x, x->last) ? v->peer(s, x->last, m, more) : 0;
    for (struct sf_list *it = s->peers.next; it != &s->peers && err == 0; it = it->next) {
        struct sf_peer *p = SF_CONTAINER(it, struct sf_peer, node);
        const struct sf_xpub_peer *own = p->own;

        if (!matched(x, p) && !own->gone && (p->connected || p->inproc) &&
            (!x->only_last || p == x->last))
            err = v->peer(s, p, m, more);
    }
    return err;
}

static int group_has_room(struct sf_socket *s, struct sf_group *g, struct sf_msg *m, bool more)
{
    (void)s, (void)m, (void)more;
    return sf_crowd_room(g->crowd) ? 0 : -EAGAIN;
}

static int peer_has_room(struct sf_socket *s, struct sf_peer *p, struct sf_msg *m, bool more)
{
    (void)s, (void)m, (void)more;
    return sf_peer_room(p) ? 0 : -EAGAIN;
}

static int spread(struct sf_socket *s, struct sf_group *g, struct sf_msg *m, bool more)
{
    struct sf_xpub *x = s->state;

    sf_fanout_spread(s, &x->out, g, m, more);
    return 0;
}

static int offer(struct sf_socket *s, struct sf_peer *p, struct sf_msg *m, bool more)
{
    struct sf_xpub *x = s->state;

    sf_fanout_offer(s, &x->out, p, m, more);
    return 0;
}

static const struct visitor look_for_room = {group_has_room, peer_has_room};
static const struct visitor deliver = {spread, offer};

int sf_xpub_begin(struct sf_socket *s, const void *key, size_t size, struct sf_msg *m, bool more)
{
    struct sf_xpub *x = s->state;

    sf_groups_settle(&x->groups);
    if (x->nodrop && each_match(s, key, size, m, more, &look_for_room) != 0)
        return -EAGAIN;
    each_match(s, key, size, m, more, &deliver);
    x->out.open = more;
    x->only_last = false;
    return 0;
}

int sf_xpub_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct sf_xpub *x = s->state;

    (void)wait;
    more = more && !s->conflate;
    if (!x->out.open)
        return sf_xpub_begin(s, sf_msg_data(m), sf_msg_size(m), m, more);
    sf_fanout_rest(s, &x->out, m, more);
    return 0;
}

/* ---- Receiving ---- */

static int xpub_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct sf_xpub *x = s->state;
    struct sf_xpub_peer *own;
    struct sf_peer *p;
    struct item *i;
    bool could;

    if (sf_list_empty(&x->items))
        return -EAGAIN;
    x->last = NULL;
    x->only_last = false;
    i = SF_CONTAINER(x->items.next, struct item, node);
    p = i->peer;
    sf_msg_move(m, &i->msg);
    if (i->request && x->manual && p) {
        x->last = p;
        x->only_last = x->last_value;
    }
    if (p) {
        own = p->own;
        could = may_read(own);
        if (i->request)
            own->requests--;
        else if (!sf_msg_more(m))
            own->messages--;
        free_item(i);
        if (!could)
            sf_xpub_readable(s, p);
    } else {
        free_item(i);
    }
    return 0;
}

static int xpub_events(struct sf_socket *s)
{
    struct sf_xpub *x = s->state;

    return SIFR_POLLOUT | (sf_list_empty(&x->items) ? 0 : SIFR_POLLIN);
}

/* ---- Options ---- */

static int set_welcome(struct sf_xpub *x, const void *value, size_t size)
{
    struct sf_msg m;

    if (!value && size > 0)
        return -EINVAL;
    if (sf_msg_init_copy(&m, value, size) != 0)
        return -ENOMEM;
    sf_msg_move(&x->welcome, &m);
    sf_msg_close(&m);
    return 0;
}

/* Manual: what the peer shall have from whom the application has just read. */
static int set_topic(struct sf_xpub *x, bool add, const void *value, size_t size)
{
    struct sf_trie_node *topic;
    struct sf_trie_link *l;
    struct sf_xpub_peer *own;

    if (!x->manual || (!value && size > 0))
        return -EINVAL;
    if (!x->last)
        return 0;
    own = x->last->own;
    if (own->gone)
        return 0;
    if (add)
        return hold(x, x->last, value, size, &topic) < 0 ? -ENOMEM : 0;
    l = sf_trie_link_find(&x->topics, x->last, value, size);
    if (l)
        let_go(x, x->last, l);
    return 0;
}

int sf_xpub_set(struct sf_socket *s, int option, const void *value, size_t size)
{
    struct sf_xpub *x = s->state;
    bool on;
    int n;

    switch (option) {
    case SIFR_XPUB_NODROP: return sf_option_flag(&x->nodrop, value, size);
    case SIFR_ONLY_FIRST_SUBSCRIBE: return sf_option_flag(&x->only_first, value, size);
    case SIFR_XPUB_WELCOME_MSG: return set_welcome(x, value, size);
    case SIFR_INVERT_MATCHING:
        if (sf_option_int(&n, value, size) != 0)
            return -EINVAL;
        x->invert = n != 0;
        return 0;
    case SIFR_XPUB_VERBOSE:
    case SIFR_XPUB_VERBOSER:
    case SIFR_XPUB_MANUAL:
    case SIFR_XPUB_MANUAL_LAST_VALUE:
        if (sf_option_flag(&on, value, size) != 0)
            return -EINVAL;
        if (option == SIFR_XPUB_VERBOSE || option == SIFR_XPUB_VERBOSER) {
            x->verbose = on;
            x->verboser = on && option == SIFR_XPUB_VERBOSER;
        } else {
            x->manual = on;
            x->last_value = on && option == SIFR_XPUB_MANUAL_LAST_VALUE;
        }
        return 0;
    case SIFR_SUBSCRIBE:
    case SIFR_UNSUBSCRIBE:
        return x->deaf ? -EINVAL : set_topic(x, option == SIFR_SUBSCRIBE, value, size);
    }
    return -EINVAL;
}

int sf_xpub_get(struct sf_socket *s, int option, void *value, size_t *size)
{
    struct sf_xpub *x = s->state;

    switch (option) {
    case SIFR_INVERT_MATCHING: return sf_option_give(x->invert, value, size);
    case SIFR_TOPICS_COUNT: return sf_option_give_count(x->topics.topics, value, size);
    }
    return -EINVAL;
}

const struct sf_pattern sf_pattern_xpub = {
    .name = "XPUB",
    .type = SIFR_XPUB,
    .talks_to = SF_TYPE(SUB) | SF_TYPE(XSUB),
    .flags = SF_PATTERN_FANOUT | SF_PATTERN_COMMANDS,
    .size = sizeof(struct sf_xpub),
    .peer_size = sizeof(struct sf_xpub_peer),
    .init = sf_xpub_init,
    .fini = sf_xpub_fini,
    .attach = sf_xpub_attach,
    .joined = sf_xpub_joined,
    .lost = sf_xpub_lost,
    .ended = sf_xpub_ended,
    .detach = sf_xpub_detach,
    .readable = sf_xpub_readable,
    .writable = sf_xpub_writable,
    .send = sf_xpub_send,
    .recv = xpub_recv,
    .events = xpub_events,
    .set = sf_xpub_set,
    .get = sf_xpub_get,
};
