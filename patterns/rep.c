/* REP: a request, then the answer to whom it came from, strictly in turn (RFC 28). */
#include "patterns/collect.h"
#include "patterns/option.h"
#include "patterns/probe.h"

#include "base/alloc.h"

/*
 *   IDLE --envelope--> READING --last frame--> DUE --first frame--> ANSWERING --last frame--> IDLE
 */
enum rep_state { IDLE, READING, DUE, ANSWERING };

struct rep {
    struct sf_collect in;
    enum rep_state state;
    struct sf_peer *to;      /* who asks, once a frame was read; NULL: gone, the answer is dropped */
    struct sf_msg *envelope; /* owns; the frames up to the empty one, which go before the answer */
    size_t n, room;          /* n <= room */
    bool probe, mandatory, handover;
};

static int rep_init(struct sf_socket *s)
{
    struct rep *a = s->state;

    sf_collect_init(&a->in, NULL);
    return 0;
}

static void drop_envelope(struct rep *a)
{
    while (a->n > 0)
        sf_msg_close(&a->envelope[--a->n]);
}

static void rep_fini(struct sf_socket *s)
{
    struct rep *a = s->state;

    drop_envelope(a);
    sf_free(a->envelope);
    a->envelope = NULL;
    a->room = 0;
}

static int rep_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct rep *a = s->state;
    int err = a->probe ? sf_probe_put(p) : 0;

    if (err)
        return err;
    sf_collect_add(&a->in, p);
    return 0;
}

static bool is_called(const struct sf_peer *p, const void *id, size_t size)
{
    const uint8_t *name = p->given_id ? p->given_id : p->id;
    size_t name_size = p->given_id ? p->given_id_size : p->id_size;

    return name && name_size == size && memcmp(name, id, size) == 0;
}

/* Requesters of one name are served side by side, unless the newest is to be the only one. */
static void rep_joined(struct sf_socket *s, struct sf_peer *p)
{
    struct rep *a = s->state;

    if (!a->handover || !p->id || p->given_id)
        return;
    SF_LIST_EACH(it, after, &s->peers) {
        struct sf_peer *other = SF_CONTAINER(it, struct sf_peer, node);

        if (other != p && !other->ended && is_called(other, p->id, p->id_size))
            sf_peer_kick(other);
    }
}

static void rep_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct rep *a = s->state;

    if (a->to == p && a->state == ANSWERING) {
        sf_peer_rollback(p);
        a->to = NULL;
    }
    sf_collect_ended(&a->in, p);
}

static void rep_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct rep *a = s->state;

    if (a->to == p)
        a->to = NULL;
    sf_collect_remove(&a->in, p);
}

static void rep_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct rep *a = s->state;

    sf_collect_activate(&a->in, p);
}

/* Room for one more frame of the envelope: 0 or -ENOMEM. */
static int reserve(struct rep *a)
{
    size_t room = a->room ? a->room * 2 : 4;
    struct sf_msg *grown;

    if (a->n < a->room)
        return 0;
    grown = sf_realloc(a->envelope, room * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    a->envelope = grown;
    a->room = room;
    return 0;
}

/*
 * Goes on to the body of a request; `m` is for scratch, and not brief. 0, -EAGAIN, -ENOMEM: then
 * nothing is lost, and the envelope has what was read of it.
 */
static int find_request(struct sf_socket *s, struct sf_msg *m)
{
    struct rep *a = s->state;

    while (a->state == IDLE) {
        int err = reserve(a);
        bool last;

        if (err == 0)
            err = sf_collect_recv(&a->in, m, a->n ? NULL : &a->to);
        if (err)
            return err;
        if (!sf_msg_more(m)) { /* there was no empty frame before it */
            sf_drop(s, SF_DROP_REFUSED);
            drop_envelope(a);
            continue;
        }
        last = sf_msg_size(m) == 0;
        sf_msg_init(&a->envelope[a->n]);
        sf_msg_move(&a->envelope[a->n++], m);
        if (last)
            a->state = READING;
    }
    return 0;
}

static int rep_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct rep *a = s->state;
    struct sf_msg frame; /* of the envelope, which is kept: `m` may be brief */
    int err;

    if (a->state == DUE || a->state == ANSWERING)
        return -SIFR_EFSM;
    sf_msg_init(&frame);
    err = find_request(s, &frame);
    sf_msg_close(&frame);
    if (err == 0)
        err = sf_collect_recv(&a->in, m, NULL);
    if (err == 0 && !sf_msg_more(m))
        a->state = DUE;
    return err;
}

static int put_start(struct rep *a, struct sf_msg *m, bool more)
{
    int err = 0;

    for (size_t i = 0; i < a->n && err == 0; i++)
        err = sf_peer_put(a->to, &a->envelope[i], true);
    return err ? err : sf_peer_put(a->to, m, more);
}

/* Nobody is left to be answered: the program is told, and may take the next request. */
static int give_up(struct rep *a)
{
    drop_envelope(a);
    a->to = NULL;
    a->state = IDLE;
    return -EHOSTUNREACH;
}

static int rep_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct rep *a = s->state;
    int err = 0;

    (void)wait;
    if (a->state == IDLE || a->state == READING)
        return -SIFR_EFSM;
    if (a->state == DUE) {
        bool gone = !a->to || a->to->ended;

        if (gone && a->mandatory)
            return give_up(a);
        if (gone || !sf_peer_room(a->to)) {
            if (a->mandatory)
                return -EAGAIN;
            sf_drop(s, gone ? SF_DROP_UNROUTABLE : SF_DROP_NO_ROOM);
            a->to = NULL;
        }
        if (a->to)
            err = put_start(a, m, more);
        if (err == -ENOMEM)
            return err;
        drop_envelope(a);
        a->state = ANSWERING;
    } else if (a->to) {
        err = sf_peer_put(a->to, m, more);
    }
    if (err) {
        a->to = NULL;
        sf_drop(s, sf_drop_of(err));
    }
    if (!more) {
        a->to = NULL;
        a->state = IDLE;
    }
    return err == -ENOMEM ? err : 0;
}

static int rep_events(struct sf_socket *s)
{
    struct rep *a = s->state;
    struct sf_msg m;
    int err;

    if (a->state == DUE && a->mandatory && a->to && !a->to->ended)
        return sf_peer_room(a->to) ? SIFR_POLLOUT : 0;
    if (a->state == DUE || a->state == ANSWERING)
        return SIFR_POLLOUT;
    sf_msg_init(&m);
    err = find_request(s, &m);
    sf_msg_close(&m);
    return err == 0 ? SIFR_POLLIN : 0;
}

static int rep_set(struct sf_socket *s, int option, const void *value, size_t size)
{
    struct rep *a = s->state;

    switch (option) {
    case SIFR_PROBE_ROUTER: return sf_option_flag(&a->probe, value, size);
    case SIFR_ROUTER_MANDATORY: return sf_option_flag(&a->mandatory, value, size);
    case SIFR_ROUTER_HANDOVER: return sf_option_flag(&a->handover, value, size);
    }
    return -EINVAL;
}

static int rep_peer_state(struct sf_socket *s, const void *id, size_t size)
{
    SF_LIST_EACH(it, after, &s->peers) {
        struct sf_peer *p = SF_CONTAINER(it, struct sf_peer, node);

        if (!p->ended && is_called(p, id, size))
            return sf_peer_room(p) ? SIFR_POLLOUT : 0;
    }
    return -EHOSTUNREACH;
}

const struct sf_pattern sf_pattern_rep = {
    .name = "REP",
    .type = SIFR_REP,
    .talks_to = SF_TYPE(REQ) | SF_TYPE(DEALER),
    .flags = SF_PATTERN_HELLO | SF_PATTERN_FAREWELL,
    .size = sizeof(struct rep),
    .init = rep_init,
    .fini = rep_fini,
    .attach = rep_attach,
    .joined = rep_joined,
    .ended = rep_ended,
    .detach = rep_detach,
    .readable = rep_readable,
    .send = rep_send,
    .recv = rep_recv,
    .events = rep_events,
    .peer_state = rep_peer_state,
    .set = rep_set,
};
