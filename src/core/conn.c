/* One connection: its states, from the first octet to the last. */
#include "core/conn.h"
#include "base/alloc.h"
#include "base/barrier.h"
#include "base/block.h"
#include "core/counters.h"
#include "core/lease.h"
#include "core/listener.h"
#include "core/monitor.h"
#include "core/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    LINGER_TAIL_MS = 5000,
    END_POLL_MS = 2,
    BREAKS_MAX = 3,
    CALM_MS = 10,    /* between looks whether a connection is idle */
    CALM_TICKS = 3,  /* so many are for the blocks that were given back, or follow each other that soon; */
    CALM_DOUBLED = 7 /* then the time doubles so often */
};

/* --- Buffers ----------------------------------------------------------- */

uint8_t *sf_buffer_reserve(struct sf_buffer *b, size_t n)
{
    if (b->at == b->size)
        b->at = b->size = 0;
    if (b->size + n > b->room) {
        size_t room = b->room ? b->room : 64;
        uint8_t *to;

        while (room < b->size + n)
            room *= 2;
        to = sf_realloc(b->data, room);
        if (!to)
            return NULL;
        b->data = to;
        b->room = room;
    }
    return b->data + b->size;
}

int sf_buffer_add(struct sf_buffer *b, const void *bytes, size_t n)
{
    uint8_t *to = sf_buffer_reserve(b, n);

    if (!to)
        return -ENOMEM;
    if (n)
        memcpy(to, bytes, n);
    b->size += n;
    return 0;
}

void sf_buffer_fini(struct sf_buffer *b)
{
    sf_free(b->data);
    memset(b, 0, sizeof *b);
}

struct sf_old *sf_conn_old(struct sf_conn *c)
{
    if (!c->old)
        c->old = sf_alloc(sizeof *c->old);
    return c->old;
}

/* --- Life -------------------------------------------------------------- */

struct sf_conn *sf_conn_ref(struct sf_conn *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void sf_conn_unref(struct sf_conn *c)
{
    struct sifr_socket *s = c->socket;

    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    /* Closed, or never started: only memory is left. */
    sf_profile_unref(c->profile);
    if (c->link)
        sf_link_unref(c->link);
    if (c->listener)
        sf_listener_unref(c->listener);
    else
        sf_free(c->text);
    sf_buffer_fini(&c->lane);
    if (c->old) {
        sf_buffer_fini(&c->old->stage);
        sf_buffer_fini(&c->old->stash);
        sf_free(c->old);
    }
    sf_seal_free(c);
    sf_free(c->far_end);
    sf_free(c);
    sf_socket_unref(s);
}

static void run(struct sf_task *t);
static void timed_out(struct sf_timer *t);
static void linger_over(struct sf_timer *t);
static void ready(struct sf_watch *w, unsigned events);

static struct sf_conn *conn_new(struct sifr_socket *s, struct sf_loop *loop,
                                struct sf_profile *profile)
{
    struct sf_conn *c = sf_alloc(sizeof *c);

    if (!c)
        return NULL;
    atomic_init(&c->refs, 1);
    c->loop = loop;
    c->socket = sf_socket_ref(s);
    c->profile = sf_profile_ref(profile);
    c->task.run = run;
    c->soon.run = sf_send_soon;
    c->timer.fire = timed_out;
    c->linger_timer.fire = linger_over;
    c->watch.fd = -1;
    c->watch.ready = ready;
    sf_list_init(&c->dozing);
    return c;
}

int sf_conn_dial(struct sf_conn **out, struct sifr_socket *s, struct sf_loop *loop,
                 struct sf_profile *profile, const char *text)
{
    struct sf_conn *c = conn_new(s, loop, profile);

    if (!c)
        return -ENOMEM;
    c->text = sf_alloc_text(text, strlen(text));
    if (!c->text) {
        sf_conn_unref(c);
        return -ENOMEM;
    }
    *out = c;
    return 0;
}

const char *sf_conn_text(const struct sf_conn *c)
{
    return c->listener ? c->listener->text : c->text;
}

/* What monitors are told of the other end; it is kept, since a broken stream does not know it. */
static const char *far_end(struct sf_conn *c, unsigned event)
{
    char local[SF_STREAM_NAME_MAX], remote[SF_STREAM_NAME_MAX];
    const char *far = c->listener ? remote : local;

    if (!c->far_end && c->stream && c->stream->ops->names &&
        (c->state > SF_CONN_OPENING || event == SIFR_EVENT_CONNECTED) &&
        sf_monitor_wants_ends(c->socket, event) &&
        c->stream->ops->names(c->stream, local, remote, sizeof local) == 0)
        c->far_end = sf_alloc_text(far, strlen(far));
    return c->far_end;
}

void sf_conn_event(struct sf_conn *c, unsigned event, uint64_t value)
{
    struct sf_ends at = {.local = far_end(c, event), .remote = sf_conn_text(c), .dialed = true};

    if (c->listener)
        at = (struct sf_ends){.local = at.remote, .remote = at.local};
    if (c->profile->opt.framing != SF_FRAMING_OWN) /* datagrams have no connections */
        sf_monitor_emit(c->socket, event, value, at);
}

void sf_conn_poke(struct sf_conn *c, uint32_t todo)
{
    /* Who sets the first bit posts; the task takes all bits at once, so none is left behind. */
    if (atomic_fetch_or(&c->todo, todo) == 0) {
        sf_conn_ref(c);
        sf_loop_post(c->loop, &c->task);
    }
}

bool sf_conn_hold(struct sf_conn *c, uint32_t todo)
{
    if (c->held == 0 && !sf_lock_try(&c->writer)) {
        /*
         * Who has it drops it, then looks at `later`; we store, then try. Both
         * are sequentially consistent, so one of us sees the other.
         */
        atomic_fetch_or(&c->later, todo);
        if (!sf_lock_try(&c->writer))
            return false;
    }
    c->held++;
    return true;
}

bool sf_conn_own(struct sf_conn *c, uint32_t todo)
{
    if (!sf_conn_hold(c, todo))
        return false;
    if (atomic_load(&c->reader) == SF_READER_LOOP)
        return true;
    atomic_fetch_or(&c->later, todo);
    sf_link_post(c->link, SF_EVENT_RECLAIM);
    sf_socket_try(c->socket);
    if (atomic_load(&c->reader) == SF_READER_LOOP)
        return true;
    sf_conn_drop(c);
    return false;
}

void sf_conn_drop(struct sf_conn *c)
{
    if (--c->held)
        return;
    c->direct = c->state == SF_CONN_READY && sf_send_framed(c) && !sf_seal_joint(c) &&
                !c->lane.size && !c->staged && !c->wants_write && !c->write_dead &&
                !c->closing && !c->dying;
    atomic_store_explicit(&c->blocked, c->wants_write, memory_order_relaxed);
    sf_lock_drop(&c->writer);
}

/* What could not be done for want of a token is found to be done later, and the stream rests until then. */
static void put_off(struct sf_conn *c)
{
    c->dying = true;
    sf_loop_watch(c->loop, &c->watch, 0);
}

void sf_conn_watch(struct sf_conn *c)
{
    unsigned want = c->wants_write ? SF_WRITE : 0;

    if (c->dying)
        return;
    if (!c->paused && atomic_load_explicit(&c->reader, memory_order_relaxed) == SF_READER_LOOP)
        want |= SF_READ;
    if (sf_loop_watch(c->loop, &c->watch, want) != 0)
        sf_conn_lost(c);
}

void sf_conn_tell(struct sf_conn *c, uint32_t events)
{
    sf_link_post(c->link, events);
    sf_socket_try(c->socket);
}

void sf_conn_rewatch(struct sf_conn *c)
{
    unsigned want = 0;

    switch (c->state) {
    case SF_CONN_OPENING: want = c->stream->want; break;
    case SF_CONN_GREETING:
    case SF_CONN_HANDSHAKE: want = sf_shake_wants(c); break;
    case SF_CONN_READY: return; /* send.c and recv.c say it themselves */
    case SF_CONN_ENDING: want = SF_READ; break;
    case SF_CONN_IDLE:
    case SF_CONN_WAITING:
    case SF_CONN_LOOKUP:
    case SF_CONN_CLOSED: return;
    }
    if (sf_loop_watch(c->loop, &c->watch, want) != 0)
        sf_conn_lost(c);
}

/* Lets go of the stream and of all that belongs to one connection. */
static void drop_stream(struct sf_conn *c)
{
    sf_loop_cancel(c->loop, &c->timer);
    sf_loop_unsoon(c->loop, &c->soon);
    sf_heart_stop(c);
    sf_crowd_forget(c);
    if (c->shake) {
        sf_shake_free(c->shake, c->loop);
        c->shake = NULL;
    }
    if (c->stream) {
        sf_loop_unwatch(c->loop, &c->watch);
        c->stream->ops->close(c->stream);
        c->stream = NULL;
        c->watch.fd = -1;
    }
    sf_meta_unref(c->meta);
    c->meta = NULL;
    c->paused = c->write_dead = c->staged = c->wants_write = c->dying = false;
    if (atomic_exchange(&c->streaming, 0))
        sf_barrier_heavy(); /* as in sf_send_soon: the next one finds what was sent till now */
    c->soon_wait_us = 0;
    c->lane.at = c->lane.size = 0;
    if (c->old)
        c->old->stage.at = c->old->stage.size = 0;
    c->in_frame_more = c->heard_message = false;
    c->frame_no = c->commands_inside = 0;
    c->message_bytes = 0;
}

void sf_conn_forget_lookup(struct sf_conn *c)
{
    if (c->listener)
        return;
    sf_lookup_free(c->lookup);
    c->lookup = NULL;
}

/* Who unbinds what has no listener waits for this. */
static void free_address(struct sf_conn *c)
{
    atomic_store(&c->stopped, SF_STOPPED_CLOSED);
    sf_bell_ring(&c->socket->bell);
}

static void close_now(struct sf_conn *c)
{
    c->state = SF_CONN_CLOSED;
    sf_loop_cancel(c->loop, &c->linger_timer);
    sf_conn_forget_lookup(c);
    drop_stream(c);
    if (c->link) {
        sf_recv_abort(c);
        atomic_store(&c->link->up, 0);
        sf_conn_tell(c, SF_EVENT_CHANGED | SF_EVENT_ENDED);
        sf_link_unref(c->link); /* each holds the other: here the ring is cut */
        c->link = NULL;
    }
    if (c->listener) /* out of its list; the reference goes with the memory */
        sf_list_remove(&c->node);
    else if (c->bound)
        free_address(c);
    sf_conn_unref(c); /* the loop's */
}

/* Messages that are put locally when a connection is gone: DISCONNECT_MSG, HICCUP_MSG. */
static void put_notice(struct sf_conn *c, const struct sf_bytes *bytes)
{
    struct sf_msg m;

    if (!bytes->data || sf_msg_init_copy(&m, bytes->data, bytes->size) != 0)
        return;
    if (sf_link_need_in(c->link) == 0)
        sf_pipe_put(c->link->in, &m, 0);
    sf_msg_close(&m);
    if (sf_pipe_must_wake(c->link->in))
        sf_conn_tell(c, SF_EVENT_READABLE);
}

static bool has_notices(const struct sf_conn *c, bool accepted)
{
    return c->socket->base.pattern->flags & (accepted ? SF_PATTERN_FAREWELL : SF_PATTERN_HICCUP);
}

/*
 * What was not accepted whole will be sent again. But a message that the peer
 * will not have (it may be above its MAXMSGSIZE, or end it) would come first
 * each time and keep back all behind it: where it has cost three connections it
 * is dropped.
 */
static void rewind_out(struct sf_conn *c)
{
    struct sf_pipe *p = c->link->out;
    bool within = !sf_pipe_at_message(p);
    const uint8_t *data;
    uint64_t size;
    uint8_t flags;

    sf_pipe_rewind(p);
    if (!within)
        return;
    if (c->breaks_at != p->took)
        c->breaks = 0;
    c->breaks_at = p->took;
    if (++c->breaks < BREAKS_MAX)
        return;
    c->breaks = 0;
    do {
        if (sf_pipe_next_frame(p, &flags, &data, &size) != 0)
            return;
    } while (flags & SF_FRAME_MORE);
    if (!(flags & SF_FRAME_COMMAND))
        sf_counters_lost(c->socket, SF_DROP_GIVEN_UP, 1);
    if (sf_pipe_sent_messages(p, 1))
        sf_link_post(c->link, SF_EVENT_WRITABLE);
}

/* What is unsent is said anew to the next connection, or of no use to it. */
static void drop_out(struct sf_conn *c)
{
    struct sf_flow before, after;
    bool credit;

    sf_pipe_flow(c->link->out, &before);
    sf_pipe_drop(c->link->out, &credit);
    sf_pipe_flow(c->link->out, &after);
    if (after.took != before.took)
        sf_counters_lost(c->socket, SF_DROP_DISCARDED, after.took - before.took);
}

/* The stream of this connection is no more; what the socket is to know of it. */
static void disconnected(struct sf_conn *c)
{
    bool was_ready = c->state == SF_CONN_READY;
    int fd = c->stream ? c->stream->fd : -1;

    far_end(c, SIFR_EVENT_DISCONNECTED);
    drop_stream(c);
    if (fd >= 0)
        sf_conn_event(c, SIFR_EVENT_DISCONNECTED, (uint64_t)fd);
    sf_free(c->far_end);
    c->far_end = NULL;
    if (!c->link)
        return;
    sf_recv_abort(c);
    rewind_out(c);
    if (was_ready) {
        if (has_notices(c, c->listener != NULL))
            put_notice(c, c->listener ? &c->profile->opt.disconnect : &c->profile->opt.hiccup);
        atomic_store(&c->link->up, 0);
        if (c->socket->base.pattern->flags & SF_PATTERN_REPLAYS)
            drop_out(c);
        sf_conn_tell(c, SF_EVENT_CHANGED);
    }
}

/* IMMEDIATE, or bytes of which none may be sent twice: the queue goes with its connection. */
static void end_link(struct sf_conn *c)
{
    struct sf_link *l = c->link;

    if (!l)
        return;
    c->link = NULL;
    sf_link_post(l, SF_EVENT_ENDED);
    sf_socket_try(c->socket);
    sf_link_unref(l);
}

static void lose(struct sf_conn *c)
{
    bool was_ready = c->state == SF_CONN_READY;

    if (c->state == SF_CONN_ENDING) {
        close_now(c);
        return;
    }
    disconnected(c);
    if (c->listener) {
        close_now(c);
        return;
    }
    if ((c->profile->opt.immediate && c->profile->opt.framing != SF_FRAMING_OWN) ||
        c->profile->opt.framing == SF_FRAMING_BARE)
        end_link(c);
    if (c->closing && (!c->link || sf_send_done(c) || atomic_load(&c->linger) == 0)) {
        close_now(c);
        return;
    }
    if (!was_ready && (c->profile->opt.reconnect_stop & SIFR_RECONNECT_STOP_HANDSHAKE_FAILED)) {
        atomic_store(&c->stopped, 1); /* known, as after any handshake that is not tried again */
        close_now(c);
        return;
    }
    if (c->profile->opt.reconnect_ivl <= 0) {
        atomic_store(&c->stopped, 2);
        close_now(c);
        return;
    }
    c->state = SF_CONN_IDLE;
    c->attempt = 0;
    sf_conn_forget_lookup(c);
    sf_dial_again(c);
}

static void stop(struct sf_conn *c)
{
    if (c->state != SF_CONN_ENDING)
        disconnected(c);
    atomic_store(&c->stopped, 1);
    close_now(c);
}

/* Ends the connection, for which the loop needs what others may have while it is READY. */
static void end_by(struct sf_conn *c, void (*how)(struct sf_conn *), uint32_t todo)
{
    bool owned = c->state == SF_CONN_READY;

    if (c->state == SF_CONN_CLOSED)
        return;
    if (owned && !sf_conn_own(c, todo)) {
        put_off(c);
        return;
    }
    sf_conn_ref(c);
    how(c);
    if (owned)
        sf_conn_drop(c);
    sf_conn_unref(c);
}

void sf_conn_lost(struct sf_conn *c)
{
    end_by(c, lose, SF_TODO_LOST);
}

void sf_conn_stop(struct sf_conn *c)
{
    end_by(c, stop, SF_TODO_STOP);
}

void sf_conn_close(struct sf_conn *c)
{
    end_by(c, close_now, SF_TODO_KICK);
}

static void kick(struct sf_conn *c)
{
    if (c->state != SF_CONN_ENDING)
        disconnected(c);
    if (!c->listener)
        atomic_store(&c->stopped, 1);
    close_now(c);
}

/* --- What others ask --------------------------------------------------- */

/* All is in the kernel: no more is sent, and the peer gets time to read it. */
static void begin_ending(struct sf_conn *c)
{
    int linger = atomic_load(&c->linger);

    c->state = SF_CONN_ENDING;
    sf_heart_stop(c);
    sf_loop_cancel(c->loop, &c->linger_timer);
    if (linger == 0 || c->write_dead || c->stream->ops->shut(c->stream) != 0) {
        sf_conn_close(c);
        return;
    }
    if (linger < 0 || linger > LINGER_TAIL_MS)
        linger = LINGER_TAIL_MS;
    sf_loop_timer(c->loop, &c->linger_timer, (uint64_t)linger);
    sf_loop_timer(c->loop, &c->timer, END_POLL_MS);
    sf_conn_rewatch(c);
}

void sf_conn_end_if_sent(struct sf_conn *c)
{
    if (c->state == SF_CONN_READY && c->closing && sf_send_done(c))
        begin_ending(c);
}

static void close_lingering(struct sf_conn *c)
{
    int linger = atomic_load(&c->linger);
    bool owned = c->state == SF_CONN_READY, nothing;

    if (c->state == SF_CONN_ENDING || (owned && !sf_conn_own(c, SF_TODO_CLOSE)))
        return;
    nothing = !c->link || (c->state != SF_CONN_READY && sf_pipe_drained(c->link->out));
    if (c->bound && (linger < 0 || linger > SF_LINGER_DATAGRAMS_MS))
        linger = SF_LINGER_DATAGRAMS_MS;
    if (!c->closing) {
        sf_loop_cancel(c->loop, &c->linger_timer);
        if (linger > 0)
            sf_loop_timer(c->loop, &c->linger_timer, (uint64_t)linger);
    }
    c->closing = true;
    if (owned)
        sf_conn_drop(c); /* the socket will not have it any more */
    if (linger == 0 || nothing || (c->bound && c->state != SF_CONN_READY) ||
        (c->state != SF_CONN_READY && !c->listener &&
         (c->profile->opt.reconnect_stop & SIFR_RECONNECT_STOP_AFTER_DISCONNECT))) {
        sf_conn_close(c);
        return;
    }
    if (c->state == SF_CONN_READY) {
        c->paused = false; /* nobody will read: what arrives is discarded by recv.c */
        sf_send_flush(c);
        if (c->state == SF_CONN_READY)
            sf_recv_fill(c);
    }
}

static void run(struct sf_task *t)
{
    struct sf_conn *c = SF_CONTAINER(t, struct sf_conn, task);
    uint32_t todo = atomic_exchange(&c->todo, 0);

    if ((todo & SF_TODO_START) && c->state == SF_CONN_IDLE && !(todo & SF_TODO_KICK)) {
        sf_conn_ref(c); /* the loop's, until sf_conn_close */
        sf_dial_attempt(c);
    }
    if (todo & SF_TODO_CALM)
        sf_conn_calm(c);
    if (c->state == SF_CONN_IDLE || c->state == SF_CONN_CLOSED) {
        sf_conn_unref(c);
        return;
    }
    if (todo & SF_TODO_KICK)
        end_by(c, kick, SF_TODO_KICK);
    if ((todo & SF_TODO_LOST) && c->dying)
        sf_conn_lost(c);
    if ((todo & SF_TODO_STOP) && c->dying)
        sf_conn_stop(c);
    if ((todo & SF_TODO_RENEW) && c->state == SF_CONN_READY)
        sf_conn_lost(c);
    if (c->state == SF_CONN_READY &&
        ((todo & SF_TODO_READ) || ((todo & SF_TODO_RESUME) && c->paused))) {
        c->paused = false;
        sf_recv_fill(c);
    }
    if (todo & SF_TODO_LEASE)
        sf_lease_grant(c);
    if ((todo & SF_TODO_SPARE) && c->state == SF_CONN_READY)
        sf_send_sparing(c);
    if ((todo & SF_TODO_DRAIN) && c->state == SF_CONN_READY)
        sf_send_flush(c);
    if ((todo & SF_TODO_CLOSE) && c->state != SF_CONN_CLOSED)
        close_lingering(c);
    sf_conn_end_if_sent(c);
    sf_conn_unref(c); /* the poke's */
}

void sf_conn_drain(struct sf_conn *c)
{
    sf_conn_ref(c); /* it may end in here */
    if (c->state == SF_CONN_READY)
        sf_send_flush(c);
    sf_conn_end_if_sent(c);
    sf_conn_unref(c);
}

/* Nobody looks whether it is calm any more, so a call that leaves a large chunk has to ask. */
static void end_calming(struct sf_conn *c)
{
    atomic_store_explicit(&c->calming, false, memory_order_relaxed);
}

void sf_conn_calm(struct sf_conn *c)
{
    if (c->state != SF_CONN_READY)
        end_calming(c);
    if (c->state != SF_CONN_READY || c->closing || sf_timer_armed(&c->linger_timer))
        return;
    c->calm = 0;
    sf_loop_timer(c->loop, &c->linger_timer, CALM_MS);
}

/*
 * Gives back what an idle connection does not need. The turn makes us the
 * reader of the in-pipe and the writer of the out-pipe; the other end of the
 * one is the loop's, or a lease's, which nobody uses without the turn, and that
 * of the other goes with the writer's token. False: there is something in them.
 */
static bool shrink(struct sf_conn *c)
{
    bool done = sf_pipe_shrink(c->link->in) & sf_seal_shrink_in(c);

    if (!sf_conn_hold(c, SF_TODO_DRAIN))
        return false;
    done &= sf_pipe_shrink(c->link->out) & sf_seal_shrink_out(c);
    sf_conn_drop(c);
    return done;
}

/* A tick of one that may be idle: it comes more and more seldom while messages lie there. */
static void look_whether_calm(struct sf_conn *c)
{
    struct sifr_socket *s = c->socket;
    bool done = false;

    if (c->state != SF_CONN_READY) {
        end_calming(c);
        return;
    }
    if (sf_turn_try(&s->turn)) {
        uint32_t moved = (uint32_t)(sf_pipe_took(c->link->in) + c->link->out->written);

        if (moved != c->calm_seen)
            c->calm = 0;
        else if (shrink(c))
            done = c->calm >= CALM_TICKS; /* by then nobody else has wanted what it gave back */
        if (done)
            end_calming(c); /* before the next call */
        c->calm_seen = moved;
        sf_turn_drop(&s->turn);
        sf_socket_try(s);
    }
    sf_block_age();
    if (done || c->state != SF_CONN_READY || c->closing)
        return;
    sf_loop_timer(c->loop, &c->linger_timer,
                  (uint64_t)CALM_MS << (c->calm > CALM_TICKS ? c->calm - CALM_TICKS : 0));
    if (c->calm < CALM_TICKS + CALM_DOUBLED)
        c->calm++;
}

static void linger_over(struct sf_timer *t)
{
    struct sf_conn *c = SF_CONTAINER(t, struct sf_conn, linger_timer);

    sf_conn_ref(c); /* it may end in here */
    if (c->closing)
        sf_conn_close(c);
    else
        look_whether_calm(c);
    sf_conn_unref(c);
}

static void timed_out(struct sf_timer *t)
{
    struct sf_conn *c = SF_CONTAINER(t, struct sf_conn, timer);

    sf_conn_ref(c); /* it may end in here */
    switch (c->state) {
    case SF_CONN_WAITING: sf_dial_attempt(c); break;
    case SF_CONN_OPENING: /* CONNECT_TIMEOUT */ sf_dial_again(c); break;
    case SF_CONN_GREETING:
    case SF_CONN_HANDSHAKE: sf_shake_timed_out(c); break;
    case SF_CONN_ENDING:
        if (c->stream->ops->unsent(c->stream) <= 0)
            sf_conn_close(c);
        else
            sf_loop_timer(c->loop, t, 2 * END_POLL_MS);
        break;
    case SF_CONN_IDLE:
    case SF_CONN_LOOKUP:
    case SF_CONN_CLOSED: break;
    case SF_CONN_READY: sf_lease_tick(c); break;
    }
    sf_conn_unref(c);
}

int sf_conn_accepted(struct sf_listener *l, struct sf_stream *stream)
{
    struct sf_conn *c = conn_new(l->socket, l->loop, l->profile);

    if (!c)
        return -ENOMEM;
    if (c->profile->opt.framing == SF_FRAMING_BARE &&
        sf_stream_bare(&stream, (size_t)c->profile->opt.frame_most) != 0) {
        sf_conn_unref(c);
        return -ENOMEM;
    }
    c->listener = sf_listener_ref(l);
    sf_list_push(&l->conns, &c->node);
    c->stream = stream;
    c->watch.fd = stream->fd;
    sf_conn_ref(c); /* it may end in here */
    sf_shake_begin(c);
    sf_conn_unref(c);
    return 0;
}

/* --- Readiness --------------------------------------------------------- */

/* Reads and throws away, until the peer has closed as well. */
static void discard(struct sf_conn *c)
{
    size_t room;
    uint8_t *to = sf_loop_scratch(c->loop, &room);
    struct iovec v = {to, room};

    for (int i = 0; i < 16; i++) {
        ssize_t n = c->stream->ops->readv(c->stream, &v, 1);

        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            sf_conn_close(c);
            return;
        }
    }
}

void sf_dial_open(struct sf_conn *c)
{
    int fd = c->stream->fd;
    int err = c->stream->ops->open(c->stream);

    if (err == -EAGAIN) {
        sf_conn_rewatch(c);
        return;
    }
    if (err) {
        sf_dial_failed(c, err);
        return;
    }
    c->was_up = true;
    c->attempt = 0;
    sf_conn_event(c, SIFR_EVENT_CONNECTED, (uint64_t)fd);
    sf_shake_begin(c);
}

static void ready(struct sf_watch *w, unsigned events)
{
    struct sf_conn *c = SF_CONTAINER(w, struct sf_conn, watch);

    sf_conn_ref(c); /* it may end in here */
    switch (c->state) {
    case SF_CONN_OPENING: sf_dial_open(c); break;
    case SF_CONN_GREETING:
    case SF_CONN_HANDSHAKE: sf_shake_step(c); break;
    case SF_CONN_READY:
        if (events & (SF_READ | SF_HUP))
            sf_recv_fill(c);
        if (c->state == SF_CONN_READY && (events & (SF_WRITE | SF_HUP)))
            sf_send_flush(c);
        sf_conn_end_if_sent(c);
        break;
    case SF_CONN_ENDING: discard(c); break;
    case SF_CONN_IDLE:
    case SF_CONN_WAITING:
    case SF_CONN_LOOKUP:
    case SF_CONN_CLOSED: break;
    }
    sf_conn_unref(c);
}
