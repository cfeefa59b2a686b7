/* Receiving messages of one frame. */
#include "patterns/single.h"

void sf_single_init(struct sf_single *g)
{
    sf_collect_init(&g->in, NULL);
    sf_msg_init(&g->ahead);
    g->has_ahead = false;
}

void sf_single_fini(struct sf_single *g)
{
    sf_msg_close(&g->ahead);
}

static int take(struct sf_socket *s, struct sf_single *g, struct sf_msg *m)
{
    struct sf_peer *from;

    while (sf_collect_recv(&g->in, m, &from) == 0) {
        if (m->flags & SF_MSG_COMMAND) /* within the process nobody looks at types */
            continue;
        if (!sf_msg_more(m)) {
            m->routing_id = from ? from->number : 0;
            return 0;
        }
        sf_drop(s, SF_DROP_REFUSED);
        sf_collect_skip(&g->in, m);
    }
    return -EAGAIN;
}

int sf_single_recv(struct sf_socket *s, struct sf_single *g, struct sf_msg *m)
{
    if (!g->has_ahead)
        return take(s, g, m);
    g->has_ahead = false;
    sf_msg_move(m, &g->ahead);
    return 0;
}

bool sf_single_ready(struct sf_socket *s, struct sf_single *g)
{
    if (!g->has_ahead)
        g->has_ahead = take(s, g, &g->ahead) == 0;
    return g->has_ahead;
}
