/* SUB: messages that begin with what was subscribed to (RFC 29). */
#include "patterns/xsub.h"
#include "patterns/option.h"

struct sub {
    struct sf_xsub sub; /* the first */
    bool ahead;         /* `first` is the first frame of a message to deliver */
    bool inside;        /* that frame was delivered, others follow */
    bool invert;
    struct sf_msg first;
};

static int sub_init(struct sf_socket *s)
{
    struct sub *u = s->state;

    sf_msg_init(&u->first);
    return sf_xsub_init(&u->sub);
}

static void sub_fini(struct sf_socket *s)
{
    struct sub *u = s->state;

    sf_msg_close(&u->first);
    sf_xsub_fini(&u->sub);
}

/*
 * After a change of what is wanted. Who hears everything is as good as a PULL:
 * a recv that finds a message at sole_in needs nothing of what is below. It is
 * set anew by the next that comes here.
 */
static void wants_change(struct sf_socket *s)
{
    struct sub *u = s->state;

    u->sub.in.sole = u->sub.topics.root.count > 0 && !u->invert ? &s->sole_in : NULL;
    s->sole_in = NULL;
}

static int sub_attach(struct sf_socket *s, struct sf_peer *p)
{
    sf_xsub_add(s->state, p);
    return 0;
}

static void sub_joined(struct sf_socket *s, struct sf_peer *p)
{
    sf_xsub_replay(s->state, p);
    s->sole_in = NULL; /* it may want to catch up */
}

static void sub_lost(struct sf_socket *s, struct sf_peer *p)
{
    sf_xsub_silence(s->state, p);
}

static void sub_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct sub *u = s->state;

    sf_xsub_silence(&u->sub, p);
    sf_collect_ended(&u->sub.in, p);
}

static void sub_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct sub *u = s->state;

    sf_xsub_silence(&u->sub, p);
    sf_collect_remove(&u->sub.in, p);
}

static void sub_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct sub *u = s->state;

    sf_collect_activate(&u->sub.in, p);
}

static bool wanted(const struct sub *u, struct sf_msg *m)
{
    return sf_trie_match(&u->sub.topics, sf_msg_data(m), sf_msg_size(m)) != u->invert;
}

/* Takes the first frame of the next message that is wanted: 0 or -EAGAIN. */
static int take_wanted(struct sf_socket *s, struct sf_msg *m)
{
    struct sub *u = s->state;

    while (sf_collect_recv(&u->sub.in, m, NULL) == 0) {
        if (wanted(u, m))
            return 0;
        sf_drop(s, SF_DROP_UNWANTED);
        sf_collect_skip(&u->sub.in, m);
    }
    return -EAGAIN;
}

static int sub_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct sub *u = s->state;
    int err = 0;

    sf_xsub_catch_up(s, &u->sub);
    if (u->ahead) {
        sf_msg_move(m, &u->first);
        u->ahead = false;
    } else if (u->inside) {
        err = sf_collect_recv(&u->sub.in, m, NULL);
    } else {
        err = take_wanted(s, m);
    }
    u->inside = err == 0 && sf_msg_more(m);
    if (u->sub.unsaid)
        s->sole_in = NULL;
    return err;
}

static int sub_events(struct sf_socket *s)
{
    struct sub *u = s->state;

    sf_xsub_catch_up(s, &u->sub);
    if (!u->ahead && !u->inside)
        u->ahead = take_wanted(s, &u->first) == 0;
    if (u->ahead)
        s->sole_in = NULL; /* whose next message is not the first any more */
    return u->ahead || u->inside ? SIFR_POLLIN : 0;
}

static int sub_set(struct sf_socket *s, int option, const void *value, size_t size)
{
    struct sub *u = s->state;
    int n, err;

    switch (option) {
    case SIFR_SUBSCRIBE:
        err = !value && size > 0 ? -EINVAL : sf_xsub_subscribe(s, &u->sub, value, size);
        wants_change(s);
        return err;
    case SIFR_UNSUBSCRIBE:
        if (!value && size > 0)
            return -EINVAL;
        err = sf_xsub_cancel(s, &u->sub, value, size);
        wants_change(s);
        return err == -ENOENT ? 0 : err;
    case SIFR_INVERT_MATCHING:
        if (sf_option_int(&n, value, size) != 0)
            return -EINVAL;
        u->invert = n != 0;
        wants_change(s);
        return 0;
    }
    return -EINVAL;
}

static int sub_get(struct sf_socket *s, int option, void *value, size_t *size)
{
    struct sub *u = s->state;

    switch (option) {
    case SIFR_INVERT_MATCHING: return sf_option_give(u->invert, value, size);
    case SIFR_TOPICS_COUNT: return sf_option_give_count(u->sub.topics.topics, value, size);
    }
    return -EINVAL;
}

const struct sf_pattern sf_pattern_sub = {
    .name = "SUB",
    .type = SIFR_SUB,
    .talks_to = SF_TYPE(PUB) | SF_TYPE(XPUB),
    .flags = SF_PATTERN_REPLAYS | SF_PATTERN_CONFLATES | SF_PATTERN_NO_LINGER | SF_PATTERN_ONCE,
    .size = sizeof(struct sub),
    .peer_size = sizeof(struct sf_xsub_peer),
    .init = sub_init,
    .fini = sub_fini,
    .attach = sub_attach,
    .joined = sub_joined,
    .lost = sub_lost,
    .ended = sub_ended,
    .detach = sub_detach,
    .readable = sub_readable,
    .recv = sub_recv,
    .events = sub_events,
    .set = sub_set,
    .get = sub_get,
};
