/*
 * The way out, from the pattern to the stream.
 *
 *   sf_peer_put     core/link.c   frames a message into the link's out-pipe
 *   sf_crowd_put    core/crowd.c  or once into a log, for all who get the same
 *  ═══ the pipe's counters; sf_pipe_must_wake: only if the loop sleeps ═══
 *   sf_send_flush   below         chunks -> iovec -> stream.writev, in the loop
 *
 * Our own commands stand in the lane and go between messages. Peers older than
 * 3.1 may need another framing: then one message at a time is written to the
 * stage.
 */
#include "base/barrier.h"
#include "core/conn.h"
#include "core/lease.h"
#include "core/socket.h"
#include "wire/command.h"

#include <errno.h>

enum { IOVECS = 64, BATCH_BYTES = 256 * 1024, BATCHES = 16,
       SPARING_BYTES = 128 * 1024,
       STREAM_US = 5, /* from a message of a stream to the next, at most */
       /* How often the loop looks at a stream, for which its sender does most; it takes the sender's core for that. */
       TICK_MIN_US = 20, TICK_MAX_US = 160, /* between looks at a stream, */
       TICK_DENSE_US = 640, /* and at one whose sender has written since the last */
       STARVED_US = 10000 /* between looks whether there is memory again */ };

int sf_send_lane(struct sf_conn *c, const void *bytes, size_t n)
{
    if (c->write_dead)
        return 0;
    return sf_buffer_add(&c->lane, bytes, n);
}

bool sf_send_done(struct sf_conn *c)
{
    return c->lane.at == c->lane.size && !c->staged && (!c->sealed || c->sealed->stage.size == 0) &&
           (!c->link || sf_pipe_drained(c->link->out));
}

static void want_write(struct sf_conn *c, bool want)
{
    if (c->wants_write == want)
        return;
    c->wants_write = want;
    sf_conn_watch(c);
}

/* How much is written at a time. */
static size_t batch(const struct sf_conn *c, size_t best)
{
    return c->profile->opt.out_batch > 0 ? (size_t)c->profile->opt.out_batch : best;
}

ssize_t sf_send_write(struct sf_conn *c, struct iovec *v)
{
    size_t most = batch(c, SIZE_MAX);

    if (v->iov_len > most)
        v->iov_len = most;
    return c->stream->ops->writev(c->stream, v, 1);
}

/* Hands a buffer's rest to the stream: 0 all gone, -EAGAIN, -errno. */
static int write_buffer(struct sf_conn *c, struct sf_buffer *b)
{
    while (b->at < b->size) {
        struct iovec v = {b->data + b->at, b->size - b->at};
        ssize_t n = sf_send_write(c, &v);

        if (n < 0)
            return (int)n;
        b->at += (size_t)n;
    }
    b->at = b->size = 0;
    return 0;
}

bool sf_send_framed(const struct sf_conn *c)
{
    return c->version >= SF_ZMTP_31 ||
           (c->version != SF_ZMTP_10 && !(c->socket->base.pattern->flags & SF_PATTERN_REPLAYS));
}

static int stage_frame(struct sf_conn *c, uint8_t flags, const uint8_t *data, uint64_t size)
{
    uint8_t head[SF_SUBSCRIPTION_HEAD_MAX];
    struct sf_subscription sub;
    size_t n;
    int err;

    if ((flags & SF_FRAME_COMMAND) && sf_subscription_get(&sub, true, data, size) != 1) {
        if (c->version < SF_ZMTP_30)
            return 0; /* this peer knows no commands */
        n = sf_frame_put(head, SF_FRAME_COMMAND, size);
    } else if (flags & SF_FRAME_COMMAND) {
        n = sf_subscription_put(head, c->version, sub.subscribe, NULL, sub.size);
        data = sub.topic;
        size = sub.size;
    } else if (c->version == SF_ZMTP_10) {
        n = sf_frame1_put(head, flags & SF_FRAME_MORE, size);
    } else {
        n = sf_frame_put(head, flags & SF_FRAME_MORE, size);
    }
    err = sf_conn_old(c) ? sf_buffer_add(&c->old->stage, head, n) : -ENOMEM;
    return err ? err : sf_buffer_add(&c->old->stage, data, size);
}

/* Writes the next message in the peer's framing: 0, -EAGAIN when there is none. */
static int stage_message(struct sf_conn *c)
{
    const uint8_t *data;
    uint64_t size;
    uint8_t flags;
    int err;

    do {
        err = sf_pipe_next_frame(c->link->out, &flags, &data, &size);
        if (err == 0)
            err = stage_frame(c, flags, data, size);
        if (err)
            return err;
    } while (flags & SF_FRAME_MORE);
    c->staged = true;
    return 0;
}

void sf_send_sparing(struct sf_conn *c)
{
    if (c->stream->ops->limit_unsent)
        c->stream->ops->limit_unsent(c->stream, SPARING_BYTES);
}

static void tell_room(struct sf_link *l)
{
    sf_link_post(l, SF_EVENT_WRITABLE);
}

/* One message through the stage: 1 went on, 0 nothing to do, -errno. */
static int flush_stage(struct sf_conn *c)
{
    int err;

    if (!c->staged) {
        err = stage_message(c);
        if (err)
            return err == -EAGAIN ? 0 : err;
    }
    err = c->old ? write_buffer(c, &c->old->stage) : 0; /* none: nothing that the peer knows */
    if (err)
        return err;
    c->staged = false;
    if (sf_pipe_sent_messages(c->link->out, 1))
        tell_room(c->link);
    return 1;
}

/* A batch of chunks as they are: 1 went on, 0 nothing to do, -errno. */
static int flush_chunks(struct sf_conn *c, struct sf_link *l, size_t limit, bool by_writer)
{
    struct sf_pipe *p = l->out;
    struct iovec v[IOVECS];
    size_t bytes;
    ssize_t sent;
    bool credit;
    int n;

    if (c->sealed)
        return sf_seal_flush(c, l, by_writer);
    limit = batch(c, limit) < limit ? batch(c, limit) : limit;
    n = sf_pipe_gather(p, v, IOVECS, limit, &bytes);
    if (n == 0)
        return 0;
    sent = c->stream->ops->writev(c->stream, v, n);
    if (sent < 0)
        return (int)sent;
    if (!by_writer || (size_t)sent < bytes || !sf_pipe_sent_all(p, &credit))
        credit = sf_pipe_sent(p, (size_t)sent);
    if (credit)
        tell_room(l);
    return (size_t)sent < bytes ? -EAGAIN : 1; /* less than offered: the kernel is full */
}

/* One step of whatever is next: 1 went on, 0 nothing to do, -errno. */
static int flush_some(struct sf_conn *c)
{
    if (c->sealed)
        return sf_seal_flush(c, c->link, false);
    if (c->lane.size && !c->staged && sf_pipe_at_message(c->link->out)) {
        int err = write_buffer(c, &c->lane);

        if (err)
            return err;
        if (c->paused) /* perhaps because so much was owed */
            sf_conn_poke(c, SF_TODO_RESUME);
        return 1;
    }
    if (c->staged || !sf_send_framed(c))
        return flush_stage(c);
    if (c->lane.size) { /* it waits for the end of this message */
        uint64_t rest = sf_pipe_rest(c->link->out);

        return flush_chunks(c, c->link, rest < BATCH_BYTES ? rest : BATCH_BYTES,
                            false);
    }
    return flush_chunks(c, c->link, BATCH_BYTES, false);
}

static void write_failed(struct sf_conn *c)
{
    /* What the peer sent before it went is still to be read: its end is met there. */
    c->write_dead = true;
    c->lane.at = c->lane.size = 0;
    want_write(c, false);
    if (c->paused) /* perhaps because so much was owed, which is owed no more */
        sf_conn_poke(c, SF_TODO_RESUME);
    if (atomic_load(&c->reader) == SF_READER_SOCKET) { /* let the loop meet it */
        sf_link_post(c->link, SF_EVENT_RECLAIM);
        sf_socket_try(c->socket);
    } else if (c->state == SF_CONN_READY && !c->paused) {
        sf_recv_fill(c);
        if (c->state == SF_CONN_READY && !c->paused)
            sf_conn_lost(c);
    }
}

/*
 * A stream's sender writes when much has gathered, and what it leaves is looked at here: the more
 * rarely the longer it lasts, so that its end never waits for longer than it has lasted.
 */
static void look_soon(struct sf_conn *c)
{
    uint64_t bytes = atomic_load_explicit(&c->link->out->got.bytes, memory_order_relaxed);
    uint32_t most = bytes - c->soon_bytes < SF_DIRECT_FLUSH ? TICK_MAX_US : TICK_DENSE_US;

    c->soon_took = sf_pipe_took(c->link->out);
    c->soon_bytes = bytes;
    c->soon_wait_us = c->soon_wait_us == 0 ? TICK_MIN_US : 2 * c->soon_wait_us;
    if (c->soon_wait_us > most)
        c->soon_wait_us = most;
    sf_loop_soon(c->loop, &c->soon, c->soon_wait_us);
}

static void flush(struct sf_conn *c)
{
    for (int i = 0; i < BATCHES; i++) {
        bool credit;
        int n;

        if (c->write_dead || c->dying)
            return;
        n = flush_some(c);
        if (n > 0)
            continue;
        if (n == -EAGAIN) {
            want_write(c, true);
            return;
        }
        if (n == -ENOMEM) {
            sf_conn_lost(c);
            return;
        }
        if (n < 0) {
            write_failed(c);
            return;
        }
        want_write(c, false);
        if (c->state != SF_CONN_READY)
            return;
        c->starved = sf_pipe_starved(c->link->out);
        if (c->starved) {
            sf_loop_soon(c->loop, &c->soon, STARVED_US);
            return;
        }
        if (atomic_load_explicit(&c->streaming, memory_order_relaxed)) {
            if (!sf_soon_queued(&c->soon))
                look_soon(c);
            return;
        }
        if (sf_pipe_sleep(c->link->out, &credit)) {
            if (sf_pipe_reads_large(c->link->out) || sf_seal_writes_large(c))
                sf_conn_calm(c);
            sf_crowd_await(c);
            if (credit)
                tell_room(c->link);
            return;
        }
    }
    sf_conn_poke(c, SF_TODO_DRAIN); /* there is more; the others of this loop come first */
}

void sf_send_flush(struct sf_conn *c)
{
    if (!sf_conn_hold(c, SF_TODO_DRAIN))
        return;
    sf_conn_ref(c); /* it may end in here */
    flush(c);
    sf_conn_drop(c);
    sf_conn_unref(c);
}

/* So few messages in a moment are no stream: each is written sooner by the socket itself. */
void sf_send_soon(struct sf_soon *s)
{
    struct sf_conn *c = SF_CONTAINER(s, struct sf_conn, soon);
    uint64_t before = c->soon_took;
    uint32_t waited_us = c->soon_wait_us;

    if (c->starved) {
        c->starved = false;
        sf_conn_poke(c, SF_TODO_DRAIN);
        return;
    }
    if (c->state != SF_CONN_READY || !sf_conn_hold(c, SF_TODO_DRAIN))
        return; /* the socket writes, or has ended it */
    sf_conn_ref(c); /* it may end in here */
    flush(c);
    /* Blocked or ended it is not queued again. */
    if (c->state == SF_CONN_READY && sf_soon_queued(&c->soon) &&
        sf_pipe_took(c->link->out) - before < waited_us / STREAM_US) {
        sf_loop_unsoon(c->loop, &c->soon);
        c->soon_wait_us = 0;
        atomic_store(&c->streaming, 0);
        sf_barrier_heavy(); /* what was sent before its sender could see that is seen now */
        flush(c);
    }
    sf_conn_drop(c);
    sf_conn_unref(c);
}

/* ═══ above: the loop; below: a call on the socket, which has its turn and the writer's token ═══ */

int sf_send_batch(struct sf_conn *c, struct sf_link *l)
{
    return flush_chunks(c, l, BATCH_BYTES, true);
}

int sf_send_some(struct sf_conn *c, struct sf_link *l)
{
    int n;

    do
        n = flush_chunks(c, l, BATCH_BYTES, true);
    while (n > 0);
    return n;
}
