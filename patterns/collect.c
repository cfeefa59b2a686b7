/* Fair queueing of whole messages. */
#include "patterns/collect.h"

#include <errno.h>

void sf_collect_init(struct sf_collect *c, struct sf_peer **sole)
{
    sf_list_init(&c->ready);
    sf_list_init(&c->left);
    c->sole = sole;
    c->current = NULL;
    c->cut = false;
}

static void set_sole(struct sf_collect *c, struct sf_peer *p)
{
    if (c->sole)
        *c->sole = p;
}

static void set_aside(struct sf_collect *c, struct sf_peer *p)
{
    set_sole(c, NULL);
    sf_list_remove(&p->in_node);
    p->in_active = false;
}

void sf_collect_add(struct sf_collect *c, struct sf_peer *p)
{
    sf_list_init(&p->in_node);
    p->in_active = false;
    sf_collect_activate(
        c, p); /* it may have some already, and if not, the first look arms `readable` */
}

void sf_collect_activate(struct sf_collect *c, struct sf_peer *p)
{
    if (p->in_active)
        return;
    p->in_active = true;
    set_sole(c, NULL);
    sf_list_push(p->ended ? &c->left : &c->ready, &p->in_node);
}

void sf_collect_ended(struct sf_collect *c, struct sf_peer *p)
{
    if (p->in_active)
        set_aside(c, p);
    if (sf_peer_readable(p))
        sf_collect_activate(c, p);
}

void sf_collect_remove(struct sf_collect *c, struct sf_peer *p)
{
    if (p->in_active)
        set_aside(c, p);
    if (c->current == p) {
        c->current = NULL;
        c->cut = true;
    }
}

/* Whose turn it is: a message under way goes on, then what ended peers left. NULL: nobody's. */
static struct sf_peer *next_peer(struct sf_collect *c)
{
    if (c->current)
        return c->current;
    if (!sf_list_empty(&c->left))
        return SF_CONTAINER(c->left.next, struct sf_peer, in_node);
    if (!sf_list_empty(&c->ready))
        return SF_CONTAINER(c->ready.next, struct sf_peer, in_node);
    return NULL;
}

bool sf_collect_ready(struct sf_collect *c)
{
    struct sf_peer *p;

    if (c->current || c->cut)
        return true;
    while ((p = next_peer(c))) {
        if (sf_peer_readable(p))
            return true;
        set_aside(c, p);
    }
    return false;
}

/* Whether there is nobody else whose turn it could be. */
static bool alone(const struct sf_collect *c, const struct sf_peer *p)
{
    return sf_list_empty(&c->left) && c->ready.next == &p->in_node && c->ready.prev == &p->in_node;
}

/* The message of a peer that went away gets an end, lest the next message be taken for its rest. */
static int end_cut(struct sf_collect *c, struct sf_msg *m, struct sf_peer **from)
{
    sf_msg_close(m);
    sf_msg_init(m);
    c->cut = false;
    if (from)
        *from = NULL;
    return 0;
}

int sf_collect_recv(struct sf_collect *c, struct sf_msg *m, struct sf_peer **from)
{
    struct sf_peer *p;

    if (c->cut)
        return end_cut(c, m, from);
    while ((p = next_peer(c))) {
        if (sf_peer_get(p, m) != 0) {
            set_aside(c, p);
            if (c->current == p) { /* cannot be: messages are seen whole */
                c->current = NULL;
                return end_cut(c, m, from);
            }
            continue;
        }
        if (from)
            *from = p;
        c->current = sf_msg_more(m) ? p : NULL;
        set_sole(c, c->current || !alone(c, p) ? NULL : p);
        if (!c->current && !p->ended && c->ready.prev != &p->in_node) {
            sf_list_remove(&p->in_node);
            sf_list_push(&c->ready, &p->in_node);
        }
        return 0;
    }
    return -EAGAIN;
}

void sf_collect_skip(struct sf_collect *c, struct sf_msg *m)
{
    while (c->current || c->cut)
        if (sf_collect_recv(c, m, NULL) != 0)
            return;
}
