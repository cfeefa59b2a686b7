/* DISH: messages of the groups that it joined (RFC 48). */
#include "patterns/xsub.h"

struct dish {
    struct sf_xsub sub; /* the first */
    struct sf_label *last; /* shares; group of the message received last, or NULL */
    bool has_ahead;        /* `ahead` was read to know that there is one */
    struct sf_msg ahead;
};

static int dish_init(struct sf_socket *s)
{
    struct dish *d = s->state;

    sf_msg_init(&d->ahead);
    d->sub.groups = true;
    return sf_xsub_init(&d->sub);
}

static void dish_fini(struct sf_socket *s)
{
    struct dish *d = s->state;

    sf_msg_close(&d->ahead);
    sf_label_unref(d->last);
    sf_xsub_fini(&d->sub);
}

static int dish_attach(struct sf_socket *s, struct sf_peer *p)
{
    sf_xsub_add(s->state, p);
    return 0;
}

static void dish_joined(struct sf_socket *s, struct sf_peer *p)
{
    sf_xsub_replay(s->state, p);
}

static void dish_lost(struct sf_socket *s, struct sf_peer *p)
{
    sf_xsub_silence(s->state, p);
}

static void dish_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct dish *d = s->state;

    sf_xsub_silence(&d->sub, p);
    sf_collect_ended(&d->sub.in, p);
}

static void dish_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct dish *d = s->state;

    sf_xsub_silence(&d->sub, p);
    sf_collect_remove(&d->sub.in, p);
}

static void dish_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct dish *d = s->state;

    sf_collect_activate(&d->sub.in, p);
}

/* Remembers the group whose name is in `m`, for what follows: 0 or -ENOMEM. */
static int note_group(struct dish *d, struct sf_msg *m)
{
    size_t size = sf_msg_size(m);
    struct sf_label *l = NULL;

    if (d->last && d->last->size == size && memcmp(d->last->text, sf_msg_data(m), size) == 0)
        return 0;
    if (size) {
        l = sf_label_new(sf_msg_data(m), size);
        if (!l)
            return -ENOMEM;
    }
    sf_label_unref(d->last);
    d->last = l;
    return 0;
}

/* The next message, two frames on the wire: its group and its body. Whether it is wanted, or why not. */
static int check_and_read(struct dish *d, struct sf_msg *m, enum sf_drop *why)
{
    size_t size = sf_msg_size(m);

    *why = SF_DROP_REFUSED;
    if (!sf_msg_more(m) || size > SF_LABEL_MAX)
        return -EPROTO;
    if (!sf_trie_find(&d->sub.topics, sf_msg_data(m), size)) {
        *why = SF_DROP_UNWANTED;
        return -EPROTO;
    }
    if (note_group(d, m) != 0) {
        *why = SF_DROP_NO_MEMORY;
        return -EPROTO;
    }
    if (sf_collect_recv(&d->sub.in, m, NULL) != 0 || sf_msg_more(m))
        return -EPROTO;
    m->group = sf_label_ref(d->last);
    return 0;
}

static int take(struct sf_socket *s, struct sf_msg *m)
{
    struct dish *d = s->state;
    enum sf_drop why;

    while (sf_collect_recv(&d->sub.in, m, NULL) == 0) {
        if (m->flags & SF_MSG_COMMAND) /* within the process nobody looks at types */
            continue;
        if (check_and_read(d, m, &why) == 0)
            return 0;
        sf_drop(s, why);
        sf_collect_skip(&d->sub.in, m);
    }
    return -EAGAIN;
}

static int dish_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct dish *d = s->state;

    sf_xsub_catch_up(s, &d->sub);
    if (!d->has_ahead)
        return take(s, m);
    d->has_ahead = false;
    sf_msg_move(m, &d->ahead);
    return 0;
}

static int dish_events(struct sf_socket *s)
{
    struct dish *d = s->state;

    sf_xsub_catch_up(s, &d->sub);
    if (!d->has_ahead)
        d->has_ahead = take(s, &d->ahead) == 0;
    return d->has_ahead ? SIFR_POLLIN : 0;
}

static int dish_join(struct sf_socket *s, const char *group, bool join)
{
    struct dish *d = s->state;
    size_t size = strnlen(group, SF_LABEL_MAX + 1);

    if (size > SF_LABEL_MAX || (sf_trie_find(&d->sub.topics, group, size) != NULL) == join)
        return -EINVAL;
    return join ? sf_xsub_subscribe(s, &d->sub, group, size) : sf_xsub_cancel(s, &d->sub, group, size);
}

const struct sf_pattern sf_pattern_dish = {
    .name = "DISH",
    .type = SIFR_DISH,
    .talks_to = SF_TYPE(RADIO),
    .flags = SF_PATTERN_SINGLE | SF_PATTERN_REPLAYS | SF_PATTERN_NO_LINGER |
             SF_PATTERN_UDP_IN,
    .size = sizeof(struct dish),
    .peer_size = sizeof(struct sf_xsub_peer),
    .init = dish_init,
    .fini = dish_fini,
    .attach = dish_attach,
    .joined = dish_joined,
    .lost = dish_lost,
    .ended = dish_ended,
    .detach = dish_detach,
    .readable = dish_readable,
    .recv = dish_recv,
    .events = dish_events,
    .join = dish_join,
};
