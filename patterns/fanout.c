/* One message to many peers. */
#include "patterns/fanout.h"

void sf_fanout_init(struct sf_fanout *f)
{
    sf_list_init(&f->taking);
    sf_list_init(&f->crowds);
    f->open = false;
}

void sf_fanout_add(struct sf_peer *p)
{
    sf_list_init(&p->out_node);
    p->out_active = false;
}

void sf_fanout_remove(struct sf_peer *p)
{
    if (!p->out_active)
        return;
    sf_list_remove(&p->out_node);
    p->out_active = false;
    sf_peer_rollback(p);
}

void sf_fanout_go_on(struct sf_fanout *f, struct sf_peer *p)
{
    p->out_active = true;
    sf_list_push(&f->taking, &p->out_node);
}

/* A peer for which there is no memory misses the message: others have it, so it can not be sent anew. */
void sf_fanout_give(struct sf_socket *s, struct sf_fanout *f, struct sf_peer *p, struct sf_msg *m,
                    bool more)
{
    int err = sf_peer_put(p, m, more);

    if (err) {
        sf_drop(s, sf_drop_of(err));
    } else if (more) {
        sf_fanout_go_on(f, p);
    }
}

void sf_fanout_spread(struct sf_socket *s, struct sf_fanout *f, struct sf_group *g,
                      struct sf_msg *m, bool more)
{
    if (sf_crowd_put(g->crowd, m, more, s->drops) == 0 && more)
        sf_list_push(&f->crowds, &g->taking);
}

void sf_fanout_rest(struct sf_socket *s, struct sf_fanout *f, struct sf_msg *m, bool more)
{
    SF_LIST_EACH(it, after, &f->taking)
    {
        struct sf_peer *p = SF_CONTAINER(it, struct sf_peer, out_node);
        int err = sf_peer_put(p, m, more);

        if (err || !more) {
            sf_list_remove(it);
            p->out_active = false;
        }
        if (err)
            sf_drop(s, sf_drop_of(err));
    }
    SF_LIST_EACH(it, after, &f->crowds)
    {
        struct sf_group *g = SF_CONTAINER(it, struct sf_group, taking);

        if (sf_crowd_put(g->crowd, m, more, s->drops) != 0 || !more)
            sf_list_remove(it);
    }
    f->open = more;
}
