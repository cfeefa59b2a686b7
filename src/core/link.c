/* A socket's ties to its partners, and what the patterns call peers. */
#include "core/link.h"
#include "base/alloc.h"
#include "core/conn.h"
#include "core/counters.h"
#include "core/lease.h"
#include "core/socket.h"
#include "wire/frame.h"

#include <errno.h>
#include <string.h>

int sf_link_new(struct sf_link **out, struct sifr_socket *s)
{
    struct sf_link *l = sf_alloc(sizeof *l);

    if (!l)
        return -ENOMEM;
    if (s->base.pattern->peer_size) {
        l->peer.own = sf_alloc(s->base.pattern->peer_size);
        if (!l->peer.own) {
            sf_free(l);
            return -ENOMEM;
        }
    }
    atomic_init(&l->refs, 1);
    l->socket = sf_socket_ref(s);
    atomic_init(&l->in, sf_pipe_none());
    atomic_init(&l->out, sf_pipe_none());
    sf_list_init(&l->peer.in_node);
    sf_list_init(&l->peer.out_node);
    sf_list_init(&l->peer.node);
    sf_list_init(&l->finish);
    sf_list_init(&l->parked);
    sf_list_init(&l->leased); /* and with it `pending` */
    sf_list_init(&l->counted);
    *out = l;
    return 0;
}

struct sf_link *sf_link_ref(struct sf_link *l)
{
    atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    return l;
}

void sf_link_unref(struct sf_link *l)
{
    if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    sf_counters_settle(l);
    sf_pipe_unref(l->in);
    sf_pipe_unref(l->out);
    if (l->conn)
        sf_conn_unref(l->conn);
    if (l->socket)
        sf_socket_unref(l->socket);
    sf_link_unref(atomic_load(&l->other));
    sf_free(l->peer.own);
    sf_free(l->peer.id);
    sf_free(l->peer.given_id);
    if (l->peer.inproc) {
        sf_free(l->learnt);
        sf_free(l->name);
    }
    sf_free(l);
}

void sf_link_post(struct sf_link *l, uint32_t events)
{
    /*
     * Who sets the first bit pushes the link; who takes it out clears the bits
     * after, so a bit is either seen by that taker or pushes again.
     */
    if (atomic_fetch_or(&l->events, events) == 0)
        sf_socket_post(l->socket, sf_link_ref(l));
}

void sf_link_wake_reader(struct sf_link *l)
{
    if (l->conn)
        sf_conn_poke(l->conn, SF_TODO_DRAIN);
    else if (atomic_load(&l->other))
        sf_link_post(atomic_load(&l->other), SF_EVENT_READABLE);
}

void sf_link_wake_writer(struct sf_link *l)
{
    if (l->conn) {
        if (atomic_load_explicit(&l->conn->reader, memory_order_relaxed) == SF_READER_LOOP)
            sf_conn_poke(l->conn, SF_TODO_RESUME);
    } else if (atomic_load(&l->other))
        sf_link_post(atomic_load(&l->other), SF_EVENT_WRITABLE);
}

void sf_link_taken(struct sf_link *l)
{
    if (SF_RARE(sf_pipe_says_taken(l->in)) && sf_pipe_tell_half(l->in))
        sf_link_wake_writer(l);
}

static int make_in(struct sf_link *l, bool conflate)
{
    struct sifr_socket *s = l->socket;
    struct sf_pipe *p;
    int mark = atomic_load(&s->hwm[1]);
    int err = sf_pipe_new(&p, conflate);

    if (err)
        return err;
    sf_pipe_set_mark(p, 0, -1);
    sf_pipe_set_mark(p, 1, mark);
    sf_pipe_set_pins(p, s->pins);
    p->meta = sf_meta_ref(l->conn->meta);
    sf_pipe_lull(p); /* nothing is there: its first message is news */
    atomic_store(&l->in, p);
    /*
     * A new mark is stored, then given to the pipes: that has met this one, or
     * we meet the mark. Again, since what we have set may have come after it.
     */
    while (atomic_load(&s->hwm[1]) != mark) {
        mark = atomic_load(&s->hwm[1]);
        sf_pipe_set_mark(p, 1, mark);
    }
    return 0;
}

static int make_out(struct sf_link *l, bool conflate)
{
    struct sf_pipe *p;
    int err = sf_pipe_new(&p, conflate);

    if (err)
        return err;
    sf_pipe_set_mark(p, 1, -1);
    sf_pipe_set_mark(p, 0, atomic_load(&l->socket->hwm[0]));
    sf_pipe_lull(p); /* who reads it has found nothing */
    atomic_store(&l->out, p);
    return 0;
}

int sf_link_need_in(struct sf_link *l)
{
    return atomic_load_explicit(&l->in, memory_order_relaxed) == sf_pipe_none() ? make_in(l, false)
                                                                              : 0;
}

int sf_link_need_out(struct sf_link *l)
{
    return atomic_load_explicit(&l->out, memory_order_relaxed) == sf_pipe_none()
               ? make_out(l, false)
               : 0;
}

int sf_link_connect(struct sf_link *l, struct sf_conn *c)
{
    const struct sf_pattern *pattern = l->socket->base.pattern;
    int err = 0;

    l->conn = sf_conn_ref(c);
    l->direct = true;
    l->peer.notify = c->profile->opt.notify;
    if (c->profile->opt.conflate && (pattern->flags & SF_PATTERN_CONFLATES)) {
        err = make_in(l, true);
        if (err == 0)
            err = make_out(l, true);
    }
    if (err == 0)
        sf_counters_enter(l);
    return err;
}

/*
 * What was begun will not be ended. In a queue that conflates nothing is begun,
 * and its chunks are the reader's.
 */
static void take_back(struct sf_link *l)
{
    if (l->out->conflate)
        return;
    if (l->out->open)
        sf_drop(&l->socket->base, SF_DROP_UNFINISHED);
    sf_pipe_rollback(l->out);
}

bool sf_peer_room(struct sf_peer *p)
{
    struct sf_pipe *out = sf_link_of(p)->out;

    return !p->ended && (sf_pipe_surely_has_room(out) || sf_pipe_has_room(out));
}

bool sf_peer_make_room(struct sf_peer *p)
{
    return !p->ended && sf_direct_make_room(sf_link_of(p));
}

int sf_peer_put(struct sf_peer *p, struct sf_msg *m, bool more)
{
    struct sf_link *l = sf_link_of(p);
    int err;

    if (p->ended) {
        take_back(l);
        return -EPIPE;
    }
    if (l->member)
        sf_crowd_step_aside(l->member);
    else if (!more && !l->out->conflate && sf_pipe_put_quick(l->out, sf_msg_data(m), sf_msg_size(m)))
        goto sent;
    err = sf_link_need_out(l);
    if (err == 0)
        err = sf_pipe_put(l->out, m, more ? SF_FRAME_MORE : 0);
    if (err)
        return err;
sent:
    if (!more) {
        if (sf_link_noted(l, sf_msg_size(m), false))
            sf_link_tell(l);
    } else if (l->direct) {
        l->unflushed += sf_msg_size(m) + SF_FRAME_HEADER_MAX;
    }
    return 0;
}

int sf_peer_command(struct sf_peer *p, const char *name, const void *body, size_t size)
{
    struct sf_link *l = sf_link_of(p);
    int err;

    if (p->ended)
        return 0;
    if (l->member)
        sf_crowd_step_aside(l->member);
    err = sf_link_need_out(l);
    if (err == 0)
        err = sf_pipe_put_command(l->out, name, body, size);
    if (err == 0 && sf_pipe_must_wake(l->out))
        sf_link_wake_reader(l);
    return err;
}

void sf_peer_rollback(struct sf_peer *p)
{
    take_back(sf_link_of(p));
}

/* Nothing is left to read of a peer that has ended: it goes when no slot runs. */
static void finish(struct sf_link *l)
{
    if (l->peer.ended && !l->finished && l->place != SF_LINK_GONE) {
        l->finished = true;
        sf_list_push(&l->socket->finished, &l->finish);
    }
}

/* Has the in-pipe call when there is something. False: there is something. */
static bool sleep_in(struct sf_link *l)
{
    bool credit, asleep = sf_pipe_sleep(l->in, &credit);

    if (credit)
        sf_link_wake_writer(l);
    if (asleep)
        finish(l);
    return asleep;
}

int sf_peer_get(struct sf_peer *p, struct sf_msg *m)
{
    struct sf_link *l = sf_link_of(p);
    bool brief = m->flags & SF_MSG_BRIEF, credit;

    if ((brief ? sf_pipe_get_quick(l->in, m, true) : sf_pipe_get_quick(l->in, m, false)) >= 0) {
        sf_link_taken(l);
        return 0;
    }
    sf_msg_close(m);
    while ((brief ? sf_pipe_get_brief : sf_pipe_get)(l->in, m, &credit) != 0) {
        if (credit)
            sf_link_wake_writer(l);
        if (sleep_in(l)) {
            sf_msg_init(m);
            m->flags = brief ? SF_MSG_BRIEF : 0;
            return -EAGAIN;
        }
    }
    if (credit)
        sf_link_wake_writer(l);
    return 0;
}

bool sf_peer_readable(struct sf_peer *p)
{
    struct sf_link *l = sf_link_of(p);

    return sf_pipe_ready(l->in) || !sleep_in(l);
}

void sf_peer_kick(struct sf_peer *p)
{
    struct sf_link *l = sf_link_of(p);

    if (l->conn) {
        sf_conn_poke(l->conn, SF_TODO_KICK);
    } else {
        sf_inproc_end(l);
        sf_link_post(l, SF_EVENT_ENDED);
    }
}

void sf_peer_close(struct sf_peer *p)
{
    struct sf_link *l = sf_link_of(p);

    if (l->conn) {
        atomic_store(&l->conn->linger, l->socket->opt.linger);
        sf_conn_poke(l->conn, SF_TODO_CLOSE);
    }
    if (!l->finished && l->place != SF_LINK_GONE) {
        l->finished = true;
        sf_list_push(&l->socket->finished, &l->finish);
    }
}

void sf_peer_renew(struct sf_peer *p)
{
    struct sf_link *l = sf_link_of(p);

    if (l->conn)
        sf_conn_poke(l->conn, SF_TODO_RENEW);
    else if (atomic_load(&l->other))
        sf_link_post(atomic_load(&l->other), SF_EVENT_RENEWED);
}
