/* REQ: a request, then its reply, strictly in turn (RFC 28). */
#include "patterns/collect.h"
#include "patterns/option.h"
#include "patterns/probe.h"
#include "patterns/rotate.h"

#include "base/random.h"

/*
 *   READY --first frame--> ASKING --last frame--> WAITING --envelope--> READING --last frame--> READY
 *
 * With SIFR_REQ_RELAXED also WAITING and READING --first frame--> ASKING.
 */
enum req_state { READY, ASKING, WAITING, READING };

struct req {
    struct sf_rotate out;
    struct sf_collect in;
    enum req_state state;
    struct sf_peer *asked; /* has the request; NULL: gone, or none */
    uint32_t number;       /* of the last request */
    bool numbered;         /* the request carries its number */
    bool probe, correlate, relaxed;
};

static int req_init(struct sf_socket *s)
{
    struct req *q = s->state;

    sf_rotate_init(&q->out, NULL);
    sf_collect_init(&q->in, NULL);
    q->number = sf_random32();
    return 0;
}

static int req_attach(struct sf_socket *s, struct sf_peer *p)
{
    struct req *q = s->state;
    int err = q->probe ? sf_probe_put(p) : 0;

    if (err)
        return err;
    sf_rotate_add(&q->out, p);
    sf_collect_add(&q->in, p);
    return 0;
}

static void req_ended(struct sf_socket *s, struct sf_peer *p)
{
    struct req *q = s->state;

    sf_rotate_remove(&q->out, p);
    sf_collect_ended(&q->in, p);
}

static void req_detach(struct sf_socket *s, struct sf_peer *p)
{
    struct req *q = s->state;

    sf_rotate_remove(&q->out, p);
    sf_collect_remove(&q->in, p);
    if (q->asked == p)
        q->asked = NULL;
}

static void req_readable(struct sf_socket *s, struct sf_peer *p)
{
    struct req *q = s->state;

    sf_collect_activate(&q->in, p);
}

static void req_writable(struct sf_socket *s, struct sf_peer *p)
{
    struct req *q = s->state;

    sf_rotate_activate(&q->out, p);
}

/* Everything received so far answers no question that is still open. */
static void discard_received(struct sf_socket *s)
{
    struct req *q = s->state;
    struct sf_msg m;

    sf_msg_init(&m);
    while (sf_collect_recv(&q->in, &m, NULL) == 0)
        if (!sf_msg_more(&m))
            sf_drop(s, SF_DROP_UNWANTED);
    sf_msg_close(&m);
}

/* [number, if asked for][empty][first frame of the request] */
static int put_start(struct req *q, struct sf_peer *p, struct sf_msg *m, bool more)
{
    uint32_t number = q->number + 1;
    struct sf_msg head;
    int err = 0;

    if (q->correlate) {
        err = sf_msg_init_copy(&head, &number, sizeof number);
        if (err)
            return err;
        err = sf_peer_put(p, &head, true);
        sf_msg_close(&head);
    }
    if (err)
        return err;
    sf_msg_init(&head);
    err = sf_peer_put(p, &head, true);
    sf_msg_close(&head);
    return err ? err : sf_peer_put(p, m, more);
}

static int begin_request(struct sf_socket *s, struct sf_msg *m, bool more)
{
    struct req *q = s->state;
    struct sf_peer *p;
    int err;

    if (q->state != READY && !q->relaxed)
        return -SIFR_EFSM;
    while ((p = sf_rotate_pick(&q->out))) {
        discard_received(s);
        err = put_start(q, p, m, more);
        if (err == 0) {
            sf_rotate_took(&q->out, p, more);
            q->asked = p;
            q->number++;
            q->numbered = q->correlate;
            q->state = more ? ASKING : WAITING;
        } else if (q->state == READING) {
            q->state = WAITING; /* its reply has just been discarded */
        }
        if (err != -EPIPE)
            return err;
        sf_rotate_remove(&q->out, p);
    }
    return -EAGAIN;
}

static int req_send(struct sf_socket *s, struct sf_msg *m, bool more, bool wait)
{
    struct req *q = s->state;
    int err;

    if (q->state != ASKING)
        return begin_request(s, m, more);
    err = sf_rotate_send(&q->out, m, more, wait);
    if (!more && err == 0)
        q->state = WAITING;
    else if (!more)
        q->state = READY; /* the request was taken back or is lost, and its sender knows */
    return err;
}

/* Reads the envelope of a message, `m` being its first frame: whether it is the reply. */
static bool open_reply(struct req *q, struct sf_msg *m, const struct sf_peer *from)
{
    if (q->asked && from != q->asked)
        return false;
    if (q->numbered) {
        if (sf_msg_size(m) != sizeof q->number || !sf_msg_more(m) ||
            memcmp(sf_msg_data(m), &q->number, sizeof q->number) != 0)
            return false;
        if (sf_collect_recv(&q->in, m, NULL) != 0)
            return false;
    }
    return sf_msg_size(m) == 0 && sf_msg_more(m);
}

/* Goes on to the reply, dropping what is none; `m` is for scratch. 0 or -EAGAIN. */
static int find_reply(struct sf_socket *s, struct sf_msg *m)
{
    struct req *q = s->state;
    struct sf_peer *from;

    while (q->state == WAITING) {
        if (sf_collect_recv(&q->in, m, &from) != 0)
            return -EAGAIN;
        if (open_reply(q, m, from)) {
            q->state = READING;
        } else {
            sf_drop(s, SF_DROP_UNWANTED);
            sf_collect_skip(&q->in, m);
        }
    }
    return 0;
}

static int req_recv(struct sf_socket *s, struct sf_msg *m)
{
    struct req *q = s->state;
    int err;

    if (q->state == READY || q->state == ASKING)
        return -SIFR_EFSM;
    err = find_reply(s, m);
    if (err == 0)
        err = sf_collect_recv(&q->in, m, NULL);
    if (err == 0 && !sf_msg_more(m)) {
        q->state = READY;
        q->asked = NULL;
    }
    return err;
}

static int req_events(struct sf_socket *s)
{
    struct req *q = s->state;
    struct sf_msg m;
    int events = 0;

    if (q->state == WAITING || q->state == READING) {
        sf_msg_init(&m);
        if (find_reply(s, &m) == 0)
            events |= SIFR_POLLIN;
        sf_msg_close(&m);
        if (!q->relaxed)
            return events;
    }
    return sf_rotate_ready(&q->out) ? events | SIFR_POLLOUT : events;
}

static int req_set(struct sf_socket *s, int option, const void *value, size_t size)
{
    struct req *q = s->state;

    switch (option) {
    case SIFR_PROBE_ROUTER: return sf_option_flag(&q->probe, value, size);
    case SIFR_REQ_CORRELATE: return sf_option_flag(&q->correlate, value, size);
    case SIFR_REQ_RELAXED: return sf_option_flag(&q->relaxed, value, size);
    }
    return -EINVAL;
}

const struct sf_pattern sf_pattern_req = {
    .name = "REQ",
    .type = SIFR_REQ,
    .talks_to = SF_TYPE(REP) | SF_TYPE(ROUTER),
    .flags = SF_PATTERN_IDENTITY | SF_PATTERN_ENVELOPE | SF_PATTERN_ONCE | SF_PATTERN_HELLO |
             SF_PATTERN_HICCUP,
    .size = sizeof(struct req),
    .init = req_init,
    .attach = req_attach,
    .ended = req_ended,
    .detach = req_detach,
    .readable = req_readable,
    .writable = req_writable,
    .send = req_send,
    .recv = req_recv,
    .events = req_events,
    .set = req_set,
};
