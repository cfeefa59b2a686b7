/* Round robin among the peers that have room. */
#include "patterns/rotate.h"

#include <errno.h>

void sf_rotate_init(struct sf_rotate *r, struct sf_peer **sole)
{
    sf_list_init(&r->ready);
    r->sole = sole;
    r->current = NULL;
    r->lost = r->swallow = false;
}

static void note_sole(struct sf_rotate *r, struct sf_peer *p)
{
    if (r->sole)
        *r->sole = p;
}

static void pass_over(struct sf_rotate *r, struct sf_peer *p)
{
    note_sole(r, NULL);
    sf_list_remove(&p->out_node);
    p->out_active = false;
}

void sf_rotate_add(struct sf_rotate *r, struct sf_peer *p)
{
    sf_list_init(&p->out_node);
    p->out_active = false;
    sf_rotate_activate(r, p);
}

void sf_rotate_activate(struct sf_rotate *r, struct sf_peer *p)
{
    if (p->out_active || p->ended)
        return;
    p->out_active = true;
    sf_list_push(&r->ready, &p->out_node);
    note_sole(r, NULL);
}

void sf_rotate_remove(struct sf_rotate *r, struct sf_peer *p)
{
    if (p->out_active)
        pass_over(r, p);
    if (r->current == p) {
        sf_peer_rollback(p);
        r->current = NULL;
        r->lost = true;
    }
}

struct sf_peer *sf_rotate_pick(struct sf_rotate *r)
{
    while (!sf_list_empty(&r->ready)) {
        struct sf_peer *p = SF_CONTAINER(r->ready.next, struct sf_peer, out_node);

        if (sf_peer_room(p))
            return p;
        pass_over(r, p);
    }
    return NULL;
}

void sf_rotate_took(struct sf_rotate *r, struct sf_peer *p, bool more)
{
    bool alone = r->ready.next == &p->out_node && r->ready.prev == &p->out_node;

    r->current = more ? p : NULL;
    note_sole(r, !more && alone ? p : NULL);
    if (!more && p->out_active && r->ready.prev != &p->out_node) {
        sf_list_remove(&p->out_node);
        sf_list_push(&r->ready, &p->out_node);
    }
}

bool sf_rotate_ready(struct sf_rotate *r)
{
    return !sf_rotate_idle(r) || sf_rotate_pick(r);
}

static int send_first(struct sf_rotate *r, struct sf_msg *m, bool more)
{
    struct sf_peer *p;

    while ((p = sf_rotate_pick(r))) {
        int err = sf_peer_put(p, m, more);

        if (err == 0)
            sf_rotate_took(r, p, more);
        if (err != -EPIPE)
            return err;
        pass_over(r, p);
    }
    return -EAGAIN;
}

/* The message can not be completed: who waits is not told, since it could do nothing about it. */
static int give_up(struct sf_rotate *r, bool more, bool wait)
{
    r->current = NULL;
    r->lost = false;
    r->swallow = more;
    return wait ? 0 : -EAGAIN;
}

static int send_next(struct sf_rotate *r, struct sf_msg *m, bool more, bool wait)
{
    struct sf_peer *p = r->current;
    int err;

    if (r->swallow) {
        r->swallow = more;
        return 0;
    }
    if (r->lost)
        return give_up(r, more, wait);
    err = sf_peer_put(p, m, more);
    if (err == 0) {
        sf_rotate_took(r, p, more);
        return 0;
    }
    if (err == -EPIPE) {
        if (p->out_active)
            pass_over(r, p);
        return give_up(r, more, wait);
    }
    r->current = NULL;
    r->swallow = more;
    return err;
}

int sf_rotate_send(struct sf_rotate *r, struct sf_msg *m, bool more, bool wait)
{
    return sf_rotate_idle(r) ? send_first(r, m, more) : send_next(r, m, more, wait);
}
