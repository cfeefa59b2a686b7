/*
 * The way in, from the stream to the pattern.
 *
 *   stream.readv    transports/   into the in-pipe's own chunk, or a large frame's block
 *   sf_recv_fill    below         hops over headers: counts messages, answers commands, checks
 *  ═══ the pipe's counters; sf_pipe_must_wake: only if somebody waits ═══
 *   sf_peer_get     core/link.c   slices a message out of the chunk
 */
#include "base/alloc.h"
#include "core/conn.h"
#include "core/counters.h"
#include "core/socket.h"
#include "wire/command.h"

#include <errno.h>
#include <string.h>

enum {
    READS = 16,                /* a turn */
    LITTLE = 4096,             /* bytes that are copied into a chunk of their size */
    BIG = 32768,               /* frames above this get a block of their own */
    GROW_FROM = 256 * 1024,    /* what such a block starts with at most */
    COMMAND_MAX = 1 << 24,     /* bytes of a command: topics may be long */
    LANE_MAX = 65536,          /* answers owed; above, the peer is not read */
    FRAMES_MAX = 1 << 20,      /* of one message, and commands within it */
};
#define MESSAGE_MAX ((uint64_t)1 << 36) /* bytes of one message that is not complete */

ssize_t sf_recv_read(struct sf_conn *c, struct iovec *v, int n)
{
    size_t left = c->profile->opt.in_batch > 0 ? (size_t)c->profile->opt.in_batch : SIZE_MAX;

    for (int i = 0; i < n; i++) {
        if (v[i].iov_len > left)
            v[i].iov_len = left;
        left -= v[i].iov_len;
    }
    return c->stream->ops->readv(c->stream, v, n);
}

static void tell_readable(struct sf_conn *c)
{
    sf_pipe_publish(c->link->in);
    if (!sf_pipe_must_wake(c->link->in))
        return;
    sf_link_post(c->link, SF_EVENT_READABLE);
    if (c->socket->base.pattern->flags & SF_PATTERN_COMMANDS)
        sf_socket_try(c->socket); /* subscriptions do not wait for the application */
}

/* Input in an older framing. 0 or -ENOMEM. */
static int stash(struct sf_conn *c, const void *bytes, size_t n)
{
    return sf_conn_old(c) ? sf_buffer_add(&c->old->stash, bytes, n) : -ENOMEM;
}

/* Forgets the block, which is somebody else's or gone. */
static void end_big(struct sf_conn *c)
{
    sf_free(c->big);
    c->big = NULL;
}

/* Messages of which something has come, but that the socket will not get. */
static void count_cut(struct sf_conn *c)
{
    const struct sf_pipe *p = c->link->in;
    const uint8_t *at = p->raw ? sf_pipe_raw(c->link->in) : NULL;
    bool within = p->open || c->big || (c->old && c->old->stash.size) ||
                  (c->sealed && c->sealed->stash.size);
    size_t left = c->big ? 0 : p->raw;
    struct sf_frame f;
    uint64_t whole = 0;
    int header;

    if (c->cut_by != SF_DROP_UNFINISHED) { /* why is known: one is what it was about */
        if (within || left)
            sf_counters_lost(c->socket, c->cut_by, 1);
        return;
    }
    /* Whole ones were kept back for want of room. */
    while (left && (header = sf_frame_get(&f, at, left)) > 0 && left - (size_t)header >= f.size) {
        if (!(f.flags & SF_FRAME_COMMAND)) {
            within = f.flags & SF_FRAME_MORE;
            whole += !within;
        }
        at += (size_t)header + f.size;
        left -= (size_t)header + f.size;
    }
    if (left && !(at[0] & SF_FRAME_COMMAND))
        within = true;
    if (whole)
        sf_counters_lost(c->socket, SF_DROP_DISCARDED, whole);
    if (within)
        sf_counters_lost(c->socket, SF_DROP_UNFINISHED, 1);
}

void sf_recv_abort(struct sf_conn *c)
{
    if (c->link && !(c->socket->base.pattern->flags & SF_PATTERN_DEAF))
        count_cut(c);
    c->cut_by = SF_DROP_UNFINISHED;
    if (c->old)
        c->old->stash.at = c->old->stash.size = 0;
    if (c->big)
        sf_owner_unref(c->big->owner);
    end_big(c);
    sf_seal_free(c);
    if (c->link) {
        tell_readable(c);
        sf_pipe_rollback(c->link->in);
    }
}

/* MAXMSGSIZE is a limit of every frame, commands included. */
static bool too_large(const struct sf_conn *c, const struct sf_frame *f)
{
    int64_t max = c->profile->opt.max_msg_size;

    return max >= 0 && f->size > (uint64_t)max;
}

/* What a frame means for its message: 0, or -EPROTO when it may not be. */
static int note_frame(struct sf_conn *c, const struct sf_frame *f)
{
    bool more = f->flags & SF_FRAME_MORE;

    if (too_large(c, f))
        return -EPROTO;
    c->message_bytes += f->size;
    if (more && (c->message_bytes > MESSAGE_MAX || c->frame_no >= FRAMES_MAX))
        return -EPROTO;
    if (c->socket->base.pattern->flags & SF_PATTERN_ENVELOPE) {
        /* [id of 4 octets] delimiter body.., or first of all a ROUTER's probe, which is empty */
        if (c->frame_no == 0 && !c->heard_message && !more && f->size == 0)
            return 0;
        if (c->frame_no == 0)
            c->first_size4 = f->size == 4;
        if (c->frame_no == 0 && (!more || (f->size != 0 && f->size != 4)))
            return -EPROTO;
        if (c->frame_no == 1 && c->first_size4 && (!more || f->size != 0))
            return -EPROTO;
    }
    return 0;
}

/* A message has come to a socket that takes none. */
static void count_unheard(struct sf_conn *c)
{
    _Atomic uint64_t *n = &c->link->unheard;

    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* A frame of a message is in. */
static void passed_frame(struct sf_conn *c, unsigned flags)
{
    c->in_frame_more = flags & SF_FRAME_MORE;
    if (c->in_frame_more) {
        c->frame_no++;
        return;
    }
    c->frame_no = c->commands_inside = 0;
    c->message_bytes = 0;
    c->heard_message = true;
    if (c->socket->base.pattern->flags & SF_PATTERN_DEAF)
        count_unheard(c);
    else
        sf_pipe_commit(c->link->in);
}

/* Answers a command, or leaves it to the pattern: 1 it is the pattern's, 0, -errno; -EBUSY: only the loop can. */
static int take_command(struct sf_conn *c, const uint8_t *body, size_t size)
{
    struct sf_command cmd;
    struct sf_ping ping;
    uint8_t pong[SF_PONG_SIZE_MAX];

    if (sf_command_get(&cmd, body, size) != 0)
        return 0;
    switch (cmd.kind) {
    case SF_CMD_SUBSCRIBE:
    case SF_CMD_CANCEL: return (c->socket->base.pattern->flags & SF_PATTERN_COMMANDS) != 0;
    case SF_CMD_JOIN:
    case SF_CMD_LEAVE: return (c->socket->base.pattern->flags & SF_PATTERN_GROUPS) != 0;
    case SF_CMD_PING:
        if (sf_ping_get(&ping, &cmd) != 0)
            return 0;
        if (atomic_load_explicit(&c->reader, memory_order_relaxed) != SF_READER_LOOP)
            return -EBUSY;
        if (ping.ttl_ms)
            sf_heart_ttl(c, ping.ttl_ms);
        return sf_send_lane(c, pong, sf_pong_put(pong, ping.context, ping.context_size));
    default: return 0;
    }
}

/* 0; 1: more bytes are needed; -EAGAIN: the socket has enough for now; -EPROTO, -ENOMEM. */
static int hop_command(struct sf_conn *c, struct sf_frame *f, size_t header)
{
    struct sf_pipe *p = c->link->in;
    uint8_t *raw = sf_pipe_raw(p);
    int n;

    if (c->version < SF_ZMTP_30 || f->size > COMMAND_MAX || too_large(c, f))
        return -EPROTO;
    if (p->raw < header + f->size)
        return 1;
    if (p->open && ++c->commands_inside > FRAMES_MAX) /* they stay in memory as long as it */
        return -EPROTO;
    raw[0] &= (uint8_t)~SF_FRAME_MORE; /* means nothing on a command */
    n = take_command(c, raw + header, f->size);
    if (n < 0)
        return n;
    if (n == 1) {
        bool inside = p->open;

        if (!inside && !sf_pipe_has_room(p))
            return -EAGAIN;
        sf_pipe_accept(p, header + f->size);
        if (!inside) /* within a message it is shown with that */
            sf_pipe_commit(p);
    } else {
        sf_pipe_skip(p, header + f->size);
    }
    return 0;
}

/* A frame too large for a chunk: its header stays, its bytes go to a block of their own. */
static int begin_big(struct sf_conn *c, const struct sf_frame *f, size_t header)
{
    struct sf_pipe *p = c->link->in;
    size_t there = p->raw - header;
    size_t room = f->size < GROW_FROM ? f->size : GROW_FROM;

    if (there > f->size)
        there = f->size;
    if (room < there)
        room = there;
    c->big = sf_alloc(sizeof *c->big);
    if (!c->big)
        return -ENOMEM;
    c->big->owner = sf_owner_new(room);
    if (!c->big->owner) {
        end_big(c);
        return -ENOMEM;
    }
    c->big->size = f->size;
    c->big->got = there;
    c->big->room = room;
    c->big->header = header;
    memcpy(sf_owner_bytes(c->big->owner), sf_pipe_raw(p) + header, there);
    memmove(sf_pipe_raw(p) + header, sf_pipe_raw(p) + header + there, p->raw - header - there);
    p->raw -= (uint32_t)there;
    return 0;
}

/* One that has come whole: 0, -EAGAIN the socket has enough for now, -EPROTO. */
static int ask_big(struct sf_conn *c)
{
    struct sf_frame f = {.size = c->big->size, .flags = sf_pipe_raw(c->link->in)[0] & SF_FRAME_MORE};
    int err;

    if (!c->in_frame_more && !sf_pipe_has_room(c->link->in))
        return -EAGAIN;
    err = note_frame(c, &f);
    c->big->unasked = err != 0;
    return err;
}

static int finish_big(struct sf_conn *c)
{
    struct sf_pipe *p = c->link->in;
    unsigned flags = sf_pipe_raw(p)[0];
    int err;

    if (c->socket->base.pattern->flags & SF_PATTERN_DEAF) {
        sf_owner_unref(c->big->owner);
        sf_pipe_discard(p, c->big->header);
    } else {
        err = sf_pipe_accept_segment(p, c->big->header, sf_owner_bytes(c->big->owner), c->big->size,
                                     c->big->owner);
        if (err)
            return err;
    }
    end_big(c);
    passed_frame(c, flags);
    return 0;
}

/*
 * The many: messages of one frame, about which nothing has to be asked. Hops
 * over as many as are whole and as there is room for. Whether there were any.
 */
static bool hop_plain(struct sf_conn *c)
{
    enum { ASKED = SF_PATTERN_DEAF | SF_PATTERN_ENVELOPE };
    struct sf_pipe *p = c->link->in;
    int64_t max = c->profile->opt.max_msg_size;
    uint64_t most = max >= 0 && max < BIG ? (uint64_t)max : BIG, room, n = 0;
    uint64_t payload = 0;
    const uint8_t *b;
    size_t at = 0;

    if (p->raw < 2 || p->open || c->in_frame_more || c->big || p->conflate || c->lane.size ||
        (c->socket->base.pattern->flags & ASKED))
        return false;
    room = sf_pipe_room(p);
    b = sf_pipe_raw(p);
    while (n < room && p->raw - at >= 2) {
        size_t header = 2;
        uint64_t size = b[at + 1];

        if (b[at] == SF_FRAME_LONG) {
            struct sf_frame f;

            if (sf_frame_get(&f, b + at, p->raw - at) < 0)
                break;
            header = SF_FRAME_HEADER_MAX;
            size = f.size;
        } else if (b[at]) {
            break;
        }
        if (size > most || p->raw - at < header + size)
            break;
        at += header + size;
        payload += size;
        n++;
    }
    if (n == 0)
        return false;
    sf_pipe_accept_messages(p, at, payload, n);
    c->heard_message = true;
    return true;
}

/*
 * Hops over the frames that are whole: 0 more bytes are needed, -EAGAIN the
 * socket has enough for now, -EPROTO, -ENOMEM.
 */
static int hop(struct sf_conn *c, size_t *missing)
{
    struct sf_pipe *p = c->link->in;
    bool deaf = c->socket->base.pattern->flags & SF_PATTERN_DEAF;
    bool heard = hop_plain(c);
    int err = 0;

    *missing = 1;
    while (err == 0) {
        struct sf_frame f;
        int header;

        if (c->big) {
            if (c->big->got < c->big->size)
                break;
            if (c->big->unasked) {
                err = ask_big(c);
                if (err)
                    break;
            }
            err = finish_big(c);
            heard = true;
            continue;
        }
        if (p->raw == 0)
            break;
        header = sf_frame_get(&f, sf_pipe_raw(p), p->raw);
        if (header == -EAGAIN)
            break;
        if (header < 0) {
            err = header;
            break;
        }
        if (c->lane.size > LANE_MAX) { /* what makes us answer waits too; send.c goes on with it */
            err = -EAGAIN;
            break;
        }
        if (f.flags & SF_FRAME_COMMAND) {
            err = hop_command(c, &f, (size_t)header);
            if (err == 1) {
                *missing = (size_t)header + f.size - p->raw;
                err = 0;
                break;
            }
            heard |= err == 0;
            continue;
        }
        if (!c->in_frame_more && !sf_pipe_has_room(p)) {
            err = -EAGAIN;
            break;
        }
        if (f.size > BIG) {
            err = note_frame(c, &f);
            if (err == 0)
                err = begin_big(c, &f, (size_t)header);
            continue;
        }
        if (p->raw < (size_t)header + f.size) {
            if (too_large(c, &f))
                err = -EPROTO; /* before its bytes are read */
            *missing = (size_t)header + f.size - p->raw;
            break;
        }
        err = note_frame(c, &f);
        if (err)
            break;
        if (p->conflate && !deaf) {
            struct sf_msg m;

            err = sf_msg_init_copy(&m, sf_pipe_raw(p) + header, f.size);
            if (err)
                break;
            m.meta = sf_meta_ref(c->meta);
            sf_pipe_put(p, &m, 0);
            sf_msg_close(&m);
            sf_pipe_discard(p, (size_t)header + f.size);
            c->message_bytes = 0; /* each frame is a message of its own */
            heard = true;
            continue;
        }
        sf_pipe_accept(p, (size_t)header + f.size);
        passed_frame(c, f.flags);
        heard = true;
    }
    if (deaf || !p->open) /* commands with no message around them need not stay */
        sf_pipe_forget(p);
    if (heard)
        sf_heart_heard(c);
    return err;
}

/* The same for a peer that speaks 1.0: its frames are put into ours one by one. */
static int hop_old(struct sf_conn *c)
{
    struct sf_pipe *p;
    struct sf_buffer *b;

    if (!c->old || c->old->stash.size == 0)
        return 0;
    if (sf_link_need_in(c->link) != 0)
        return -ENOMEM;
    p = c->link->in;
    b = &c->old->stash;
    while (b->at < b->size) {
        struct sf_frame f;
        struct sf_msg m;
        int header = sf_frame1_get(&f, b->data + b->at, b->size - b->at), err;

        if (header == -EAGAIN)
            break;
        if (header < 0)
            return header;
        if (!c->in_frame_more && !sf_pipe_has_room(p))
            return -EAGAIN;
        if (b->size - b->at < (size_t)header + f.size) {
            if (too_large(c, &f))
                return -EPROTO;
            break;
        }
        err = note_frame(c, &f);
        if (err)
            return err;
        if (!(c->socket->base.pattern->flags & SF_PATTERN_DEAF)) {
            err = sf_msg_init_copy(&m, b->data + b->at + header, f.size);
            if (err)
                return err;
            err = sf_pipe_put(p, &m, f.flags & SF_FRAME_MORE);
            sf_msg_close(&m);
            if (err)
                return err;
        }
        b->at += (size_t)header + f.size;
        c->in_frame_more = f.flags & SF_FRAME_MORE;
        c->frame_no = c->in_frame_more ? c->frame_no + 1 : 0;
        if (!c->in_frame_more) {
            c->message_bytes = 0;
            c->heard_message = true;
            if (c->socket->base.pattern->flags & SF_PATTERN_DEAF)
                count_unheard(c);
        }
    }
    if (b->at) { /* what is left moves to the front */
        memmove(b->data, b->data + b->at, b->size - b->at);
        b->size -= b->at;
        b->at = 0;
    }
    return 0;
}

/* Reads the rest of a large frame, and what follows it if it comes along. */
static ssize_t read_big(struct sf_conn *c)
{
    struct iovec v[2];
    uint8_t *at;
    size_t room;
    ssize_t n;
    int count = 1;

    if (c->big->got == c->big->room) {
        size_t want = c->big->room * 2 < c->big->size ? c->big->room * 2 : c->big->size;
        struct sf_owner *o = sf_owner_grow(c->big->owner, want);

        if (!o)
            return -ENOMEM;
        c->big->owner = o;
        c->big->room = want;
    }
    v[0] = (struct iovec){sf_owner_bytes(c->big->owner) + c->big->got, c->big->room - c->big->got};
    if (c->big->room == c->big->size) {
        int err = sf_pipe_space(c->link->in, 64, &at, &room);

        if (err)
            return err;
        v[count++] = (struct iovec){at, room};
    }
    n = sf_recv_read(c, v, count);
    if (n <= 0)
        return n;
    if ((size_t)n > v[0].iov_len) {
        c->link->in->raw += (uint32_t)((size_t)n - v[0].iov_len);
        c->big->got = c->big->size;
    } else {
        c->big->got += (size_t)n;
    }
    return n;
}

/* Reads what has come: a little into a chunk of its size, much into a large one. */
static ssize_t read_some(struct sf_conn *c, size_t missing)
{
    struct sf_pipe *p = c->link->in;
    bool leased = atomic_load_explicit(&c->reader, memory_order_relaxed) != SF_READER_LOOP;
    struct iovec v;
    uint8_t *at;
    size_t room;
    ssize_t n;
    int err;

    if (c->sealed)
        return sf_seal_read(c);
    if (c->version == SF_ZMTP_10) {
        v.iov_base = sf_loop_scratch(c->loop, &v.iov_len);
        n = sf_recv_read(c, &v, 1);
        if (n > 0 && stash(c, v.iov_base, (size_t)n) != 0)
            return -ENOMEM;
        return n;
    }
    if (c->big)
        return read_big(c);
    if (missing > GROW_FROM) /* space grows with what has arrived, whatever was announced */
        missing = p->raw > GROW_FROM ? p->raw : GROW_FROM;
    if (leased) {
        err = sf_link_need_in(c->link);
        if (err)
            return err;
        p = c->link->in;
    }
    if (p->bulk || leased) { /* the loop's scratch is not at hand, and the chunk is read out at once */
        size_t least = p->bulk ? 8192 : LITTLE;

        if (least < c->stream->read_room)
            least = c->stream->read_room;

        err = sf_pipe_space(p, missing > least ? missing : least, &at, &room);
        if (err)
            return err;
        v = (struct iovec){at, room};
        n = sf_recv_read(c, &v, 1);
        if (n > 0)
            p->raw += (uint32_t)n;
        p->bulk = p->bulk ? n >= 1024 : n > LITTLE / 2;
        return n;
    }
    v.iov_base = sf_loop_scratch(c->loop, &v.iov_len);
    n = sf_recv_read(c, &v, 1);
    if (n <= 0)
        return n;
    err = sf_link_need_in(c->link);
    if (err)
        return err;
    p = c->link->in;
    p->bulk = n > LITTLE;
    err = sf_pipe_space(p, (size_t)n > missing ? (size_t)n : missing, &at, &room);
    if (err)
        return err;
    memcpy(at, v.iov_base, (size_t)n);
    p->raw += (uint32_t)n;
    return n;
}

int sf_recv_start(struct sf_conn *c, const uint8_t *bytes, size_t n)
{
    uint8_t *at;
    size_t room;
    int err;

    if (n == 0)
        return 0;
    if (c->sealed)
        return sf_seal_start(c, bytes, n);
    if (c->version == SF_ZMTP_10)
        return stash(c, bytes, n);
    err = sf_link_need_in(c->link);
    if (err == 0)
        err = sf_pipe_space(c->link->in, n, &at, &room);
    if (err)
        return err;
    memcpy(at, bytes, n);
    c->link->in->raw += (uint32_t)n;
    return 0;
}

/* A socket that has closed: what still comes is of no interest, but for its end. */
static void discard(struct sf_conn *c)
{
    struct iovec v;

    v.iov_base = sf_loop_scratch(c->loop, &v.iov_len);
    for (int i = 0; i < READS; i++) {
        ssize_t n = sf_recv_read(c, &v, 1);

        if (n == -EAGAIN) {
            sf_conn_watch(c);
            return;
        }
        if (n <= 0) {
            sf_conn_lost(c);
            return;
        }
    }
}

void sf_recv_fill(struct sf_conn *c)
{
    if (c->dying || atomic_load(&c->reader) != SF_READER_LOOP)
        return;
    if (c->closing) {
        discard(c);
        return;
    }
    if (c->paused)
        return;
    for (int i = 0;; i++) { /* ends with a hop: what was read last must not wait for more */
        size_t missing = 1;
        int err = c->version == SF_ZMTP_10 ? hop_old(c) : hop(c, &missing);
        ssize_t n;

        tell_readable(c);
        if (c->state != SF_CONN_READY)
            return;
        if (c->lane.size) {
            sf_send_flush(c);
            if (c->state != SF_CONN_READY)
                return;
        }
        if (err == -EAGAIN) {
            c->paused = true; /* until the socket has taken some: SF_TODO_RESUME */
            sf_conn_watch(c);
            return;
        }
        if (err == -EPROTO) {
            c->cut_by = SF_DROP_REFUSED;
            if (c->sealed && c->sealed->error)
                sf_conn_event(c, SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL, c->sealed->error);
            sf_conn_stop(c);
            return;
        }
        if (err == 0 && i >= READS && !sf_seal_waits(c))
            break;
        n = err ? err : read_some(c, missing);
        if (n == -EAGAIN) {
            if (sf_pipe_writes_large(c->link->in) || sf_seal_reads_large(c))
                sf_conn_calm(c);
            sf_pipe_retire(c->link->in);
            sf_conn_watch(c);
            return;
        }
        if (n <= 0) {
            if (n == -ENOMEM)
                c->cut_by = SF_DROP_NO_MEMORY;
            sf_conn_lost(c);
            return;
        }
    }
    sf_conn_watch(c); /* there may be more: the loop comes back */
}

bool sf_recv_leasable(const struct sf_conn *c)
{
    return c->version != SF_ZMTP_10 && !c->heart && !c->write_dead && !sf_seal_joint(c) &&
           !(c->socket->base.pattern->flags & (SF_PATTERN_DEAF | SF_PATTERN_COMMANDS));
}

/* ═══ above: the loop; below: a call on the socket, which has its turn and the lease ═══ */

int sf_recv_some(struct sf_conn *c)
{
    for (;;) {
        struct sf_pipe *p = c->link->in;
        size_t missing = 1;
        int err = 0;
        ssize_t n;

        if (p->raw || c->big) {
            err = hop(c, &missing);
            sf_pipe_publish(p);
        }
        if (sf_pipe_ready(p) && (err || !sf_seal_waits(c)))
            return 1;
        if (err)
            return err;
        if (p->raw == 0 && !p->open)
            sf_pipe_recycle(p);
        n = read_some(c, missing);
        if (n == -EAGAIN)
            return 0;
        if (n <= 0)
            return n < 0 ? (int)n : -EPIPE;
    }
}
