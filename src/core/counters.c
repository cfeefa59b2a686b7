/* What a socket has done, added up. */
#include "core/counters.h"
#include "core/socket.h"

#include <string.h>

void sf_counters_init(struct sf_count_sum *sum)
{
    sf_list_init(&sum->links);
    memset(&sum->gone, 0, sizeof sum->gone);
}

static void add_flow(struct sf_flow *to, struct sf_pipe *p)
{
    struct sf_flow f;

    sf_pipe_flow(p, &f);
    to->put += f.put;
    to->put_bytes += f.put_bytes;
    to->took += f.took;
    to->took_bytes += f.took_bytes;
    to->replaced += f.replaced;
    to->depth += f.depth;
}

static void add_link(struct sf_counters *to, const struct sf_link *l)
{
    uint64_t before = to->out.replaced + (l->conn ? to->in.replaced : 0);

    add_flow(&to->in, l->in);
    add_flow(&to->out, l->out);
    /* Over inproc one socket's out-pipe is another's in-pipe: the writer counts. */
    to->drops[SF_DROP_REPLACED] +=
        to->out.replaced + (l->conn ? to->in.replaced : 0) - before;
    to->drops[SF_DROP_UNWANTED] += atomic_load_explicit(&l->unheard, memory_order_relaxed);
}

void sf_counters_enter(struct sf_link *l)
{
    struct sf_count_sum *sum = &l->socket->counts;

    sf_lock_take(&sum->lock);
    sf_list_push(&sum->links, &l->counted);
    sf_lock_drop(&sum->lock);
}

/* Messages that nobody will take. The other end of inproc sees to its own in-pipe. */
static uint64_t left_over(const struct sf_link *l)
{
    struct sf_flow in, out;

    sf_pipe_flow(l->in, &in);
    sf_pipe_flow(l->out, &out);
    return in.depth + (l->conn || !l->met ? out.depth : 0);
}

void sf_counters_settle(struct sf_link *l)
{
    struct sf_count_sum *sum = &l->socket->counts;

    sf_lock_take(&sum->lock);
    if (!sf_list_empty(&l->counted)) {
        sf_list_remove(&l->counted);
        add_link(&sum->gone, l);
        sum->gone.in.depth = sum->gone.out.depth = 0;
        sum->gone.drops[SF_DROP_DISCARDED] += left_over(l);
    }
    sf_lock_drop(&sum->lock);
}

void sf_counters_lost(struct sifr_socket *s, enum sf_drop why, uint64_t n)
{
    sf_lock_take(&s->counts.lock);
    s->counts.gone.drops[why] += n;
    sf_lock_drop(&s->counts.lock);
}

void sf_counters_reconnected(struct sifr_socket *s)
{
    sf_lock_take(&s->counts.lock);
    s->counts.gone.reconnects++;
    sf_lock_drop(&s->counts.lock);
}

void sf_socket_counters(struct sifr_socket *s, struct sf_counters *out)
{
    sf_lock_take(&s->counts.lock);
    *out = s->counts.gone;
    SF_LIST_EACH(it, after, &s->counts.links)
        add_link(out, SF_CONTAINER(it, struct sf_link, counted));
    sf_lock_drop(&s->counts.lock);
    for (int i = 0; i < SF_DROPS; i++)
        out->drops[i] += s->base.drops[i];
}
