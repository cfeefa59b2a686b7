/*
 * Between the pipes of a connection and its stream, where a mechanism changes
 * frames: sealed on the way out, opened on the way in.
 *
 *   out-pipe, lane -- seal() --> stage -- writev --> stream      by the drainer, in wire order
 *   in-pipe  <------- open() --- scratch, stash <-- readv ------ by the reader
 *
 * What the pipes hold are frames as everywhere: all above them knows of nothing.
 */
#include "core/conn.h"
#include "base/alloc.h"
#include "core/socket.h"
#include "wire/command.h"

#include <errno.h>
#include <string.h>

enum {
    BATCH = 65536,          /* bytes that are sealed before they are written, */
    BATCH_LARGE = 262144,   /* and if they are large frames: each write may wake the receiver */
    KEPT = 1 << 21,         /* more is given back at once */
    LITTLE = 4096,          /* as in recv.c: */
    BIG = 32768,
    GROW_FROM = 256 * 1024,
    READ_BYTES = 65536,
    COMMAND_MAX = 1 << 24,
    BROKEN = 0xff, /* where a frame did not open: what takes frames apart refuses this one there */
};

int sf_seal_new(struct sf_conn *c, struct sf_security *s)
{
    if (!s->overhead)
        return 0;
    c->sealed = sf_alloc(sizeof *c->sealed);
    if (!c->sealed)
        return -ENOMEM;
    c->sealed->mechanism = s->mechanism;
    c->sealed->keys = sf_security_take(s);
    c->sealed->overhead = s->overhead;
    c->sealed->lost = s->overhead - s->mechanism->gain;
    return 0;
}

void sf_seal_free(struct sf_conn *c)
{
    struct sf_sealed *z = c->sealed;

    if (!z)
        return;
    c->sealed = NULL;
    sf_security_drop(z->mechanism, z->keys);
    sf_buffer_fini(&z->stage);
    sf_buffer_fini(&z->ends);
    sf_buffer_fini(&z->stash);
    sf_free(z);
}

/* --- Out: with the writer's token -------------------------------------- */

/* Seals one frame onto the stage. 0 or -ENOMEM. */
static int seal_frame(struct sf_conn *c, unsigned flags, const uint8_t *data, uint64_t size)
{
    const struct sf_mechanism *m = c->sealed->mechanism;
    size_t overhead = c->sealed->overhead;
    unsigned inner = (flags & SF_FRAME_MORE ? SF_SEAL_MORE : 0) |
                     (flags & SF_FRAME_COMMAND ? SF_SEAL_COMMAND : 0);
    struct sf_subscription sub;
    uint8_t *at, *body;
    size_t header;

    if (size > SIZE_MAX / 2)
        return -ENOMEM;
    at = sf_buffer_reserve(&c->sealed->stage, SF_FRAME_HEADER_MAX + overhead + size + 1);
    if (!at)
        return -ENOMEM;
    if (inner & SF_SEAL_COMMAND && c->version < SF_ZMTP_31 &&
        sf_subscription_get(&sub, true, data, size) == 1) { /* a message, for this peer */
        header = sf_frame_put(at, 0, overhead + 1 + sub.size);
        body = at + header;
        body[overhead] = sub.subscribe;
        if (sub.size)
            memcpy(body + overhead + 1, sub.topic, sub.size);
        data = body + overhead;
        size = 1 + sub.size;
        inner = 0;
    } else {
        header = sf_frame_put(at, 0, overhead + size);
        body = at + header;
    }
    if (m->seal(c->sealed->keys, body, inner, data, size) != 0)
        return -ENOMEM; /* after 2^64 frames the connection ends; the next has other keys */
    c->sealed->stage.size += header + overhead + size;
    return 0;
}

/* The lane's frames, which are the loop's own. 0 or -ENOMEM. */
static int seal_lane(struct sf_conn *c)
{
    struct sf_buffer *b = &c->lane;

    while (b->at < b->size) {
        struct sf_frame f = {0, 0};
        int header = sf_frame_get(&f, b->data + b->at, b->size - b->at); /* our own, and whole */
        int err = seal_frame(c, f.flags, b->data + b->at + header, f.size);

        if (err)
            return err;
        b->at += (size_t)header + f.size;
    }
    b->at = b->size = 0;
    if (c->paused) /* perhaps because so much was owed */
        sf_conn_poke(c, SF_TODO_RESUME);
    return 0;
}

/* Seals what comes next, about as much as is written at a time. 0 or -ENOMEM. */
static int fill_stage(struct sf_conn *c, struct sf_pipe *p, bool by_writer)
{
    struct sf_sealed *z = c->sealed;
    const uint8_t *data;
    uint64_t size = 0;
    uint8_t flags;
    int err = 0;

    if (!by_writer && c->lane.size && !z->inside)
        err = seal_lane(c);
    while (err == 0 && z->stage.size < (size > BIG ? BATCH_LARGE : BATCH) &&
           sf_pipe_next_frame(p, &flags, &data, &size) == 0) {
        err = seal_frame(c, flags, data, size);
        z->inside = flags & SF_FRAME_MORE;
        if (err == 0 && !z->inside)
            err = sf_buffer_add(&z->ends, &z->stage.size, sizeof z->stage.size);
    }
    return err;
}

/* How many messages end within what has been written of the stage, and did not before. */
static uint64_t count_sent(struct sf_sealed *z)
{
    uint64_t n = 0;

    while (z->ends.at < z->ends.size) {
        size_t end;

        memcpy(&end, z->ends.data + z->ends.at, sizeof end);
        if (end > z->stage.at)
            break;
        z->ends.at += sizeof end;
        n++;
    }
    return n;
}

int sf_seal_flush(struct sf_conn *c, struct sf_link *l, bool by_writer)
{
    struct sf_sealed *z = c->sealed;
    struct iovec v;
    uint64_t sent;
    ssize_t n;

    if (z->stage.at == z->stage.size && z->failed == 0)
        z->failed = fill_stage(c, l->out, by_writer); /* what was taken of the pipe is gone then */
    if (z->failed)
        return z->failed;
    if (z->stage.size == 0)
        return 0;
    v = (struct iovec){z->stage.data + z->stage.at, z->stage.size - z->stage.at};
    n = sf_send_write(c, &v);
    if (n < 0)
        return (int)n;
    z->stage.at += (size_t)n;
    sent = count_sent(z);
    if (sent && sf_pipe_sent_messages(l->out, sent))
        sf_link_post(l, SF_EVENT_WRITABLE);
    if (z->stage.at < z->stage.size)
        return (size_t)n < v.iov_len ? -EAGAIN : 1; /* less than offered: the kernel is full */
    z->stage.at = z->stage.size = 0;
    z->ends.at = z->ends.size = 0;
    if (z->stage.room > KEPT)
        sf_buffer_fini(&z->stage);
    return 1;
}

bool sf_seal_shrink_out(struct sf_conn *c)
{
    if (!c->sealed)
        return true;
    if (c->sealed->stage.size)
        return false;
    sf_buffer_fini(&c->sealed->stage);
    sf_buffer_fini(&c->sealed->ends);
    return true;
}

/* ═══ above: who writes to the stream; below: who reads from it ═══ */

bool sf_seal_shrink_in(struct sf_conn *c)
{
    if (!c->sealed)
        return true;
    if (c->sealed->stash.size)
        return false;
    sf_buffer_fini(&c->sealed->stash);
    return true;
}

/* A sealed frame at the start of n octets. */
struct piece {
    struct sf_frame f;
    size_t header;
    size_t missing; /* octets until it is whole, as far as is known; 0: it is */
};

/* 0, or -EPROTO: there can be none. */
static int look(const struct sf_conn *c, struct piece *to, const uint8_t *bytes, size_t n)
{
    int64_t max = c->profile->opt.max_msg_size;
    int header = sf_frame_get(&to->f, bytes, n);

    if (header == -EAGAIN) {
        to->header = 0;
        to->missing = n < 2 ? 2 - n : SF_FRAME_HEADER_MAX - n;
        return 0;
    }
    if (header < 0 || (max >= 0 && to->f.size > (uint64_t)max) || to->f.size > SIZE_MAX / 4)
        return -EPROTO;
    to->header = (size_t)header;
    to->missing = n - (size_t)header < to->f.size ? (size_t)to->f.size - (n - (size_t)header) : 0;
    return 0;
}

/* Its payload's octets, or -EPROTO. */
static ssize_t open_frame(struct sf_conn *c, uint8_t *to, unsigned *flags, uint8_t *body, size_t n)
{
    struct sf_sealed *z = c->sealed;
    unsigned inner = 0;
    ssize_t size = z->mechanism->open(z->keys, to, &inner, body, n, &z->error);

    *flags = inner & SF_SEAL_COMMAND ? SF_FRAME_COMMAND : inner & SF_SEAL_MORE ? SF_FRAME_MORE : 0;
    return size;
}

/* A large one goes to a block of its own; recv.c asks about it then. 0, -EPROTO, -ENOMEM. */
static int open_big(struct sf_conn *c, uint8_t *body, size_t n)
{
    struct sf_pipe *p = c->link->in;
    struct sf_owner *owner = sf_owner_new(n - c->sealed->lost);
    size_t size, room;
    unsigned flags;
    ssize_t opened;
    uint8_t *at;
    int err;

    if (!owner)
        return -ENOMEM;
    opened = open_frame(c, sf_owner_bytes(owner), &flags, body, n);
    err = opened < 0 ? (int)opened : 0;
    size = opened < 0 ? 0 : (size_t)opened;
    if (err == 0 && flags & SF_FRAME_COMMAND) { /* those stay with the rest */
        err = size > COMMAND_MAX ? -EPROTO : 0;
        if (err == 0)
            err = sf_pipe_space(p, SF_FRAME_HEADER_MAX + size, &at, &room);
        if (err == 0) {
            size_t header = sf_frame_put(at, flags, size);

            memcpy(at + header, sf_owner_bytes(owner), size);
            p->raw += (uint32_t)(header + size);
        }
        sf_owner_unref(owner);
        return err;
    }
    if (err == 0)
        err = sf_pipe_space(p, SF_FRAME_HEADER_MAX, &at, &room);
    if (err == 0) {
        c->big = sf_alloc(sizeof *c->big);
        if (!c->big)
            err = -ENOMEM;
    }
    if (err) {
        sf_owner_unref(owner);
        return err;
    }
    p->raw += (uint32_t)sf_frame_put(at, flags, size);
    *c->big = (struct sf_big){.owner = owner, .size = size, .got = size, .room = size,
                              .header = SF_FRAME_HEADER_MAX, .unasked = true};
    return 0;
}

/* Where what is opened goes to. */
struct space {
    uint8_t *at;
    size_t room;
};

/* What did not open is refused behind all that did. */
static int mark_broken(struct sf_conn *c)
{
    uint8_t *at;
    size_t room;
    int err = sf_pipe_space(c->link->in, 1, &at, &room);

    if (err)
        return err;
    *at = BROKEN;
    c->link->in->raw++;
    c->sealed->whole = false;
    return 0;
}

/* A small one goes where frames are read to. 0, -EPROTO, -ENOMEM. */
static int open_small(struct sf_conn *c, struct space *to, uint8_t *body, size_t n, size_t left)
{
    struct sf_pipe *p = c->link->in;
    size_t lost = c->sealed->lost, size = n > lost ? n - lost : 0;
    size_t room = size < 256 ? 2 : SF_FRAME_HEADER_MAX; /* for the header, */
    size_t header;                                          /* which may need less */
    unsigned flags;
    ssize_t opened;
    int err = 0;

    if (to->room < room + size) { /* at once for those that follow, too, if they are like it */
        size_t all = left / (2 + n) * (room + size);

        err = sf_pipe_space(p, all > room + size && all < READ_BYTES ? all : room + size,
                            &to->at, &to->room);
    }
    if (err)
        return err;
    opened = open_frame(c, to->at + room, &flags, body, n);
    if (opened < 0)
        return (int)opened;
    size = (size_t)opened;
    header = sf_frame_put(to->at, flags, size);
    if (header != room)
        memmove(to->at + header, to->at + room, size);
    p->raw += (uint32_t)(header + size);
    to->at += header + size;
    to->room -= header + size;
    return 0;
}

/*
 * Opens the frames that are whole, up to a large one that has others before it.
 * How many octets they had, or -ENOMEM.
 */
static ssize_t open_frames(struct sf_conn *c, uint8_t *bytes, size_t n)
{
    struct sf_sealed *z = c->sealed;
    struct space to = {NULL, 0};
    size_t used = 0;
    int err = sf_link_need_in(c->link);

    while (err == 0 && used < n) {
        struct piece next;
        uint8_t *body;

        err = look(c, &next, bytes + used, n - used);
        if (err || next.missing)
            break;
        body = bytes + used + next.header;
        z->last_big = next.f.size > BIG + z->lost;
        if (!z->last_big) {
            err = open_small(c, &to, body, (size_t)next.f.size, n - used);
        } else {
            if (c->link->in->raw)
                break;
            err = open_big(c, body, (size_t)next.f.size);
            to.room = 0;
        }
        used += next.header + (size_t)next.f.size;
    }
    if (err == -EPROTO) {
        z->failed_in = -EPROTO;
        err = mark_broken(c);
        used = n;
    }
    return err ? err : (ssize_t)used;
}

/* Keeps octets that are no whole frame, or cannot be opened yet. 0 or -ENOMEM. */
static int stash(struct sf_conn *c, const uint8_t *bytes, size_t n)
{
    struct sf_sealed *z = c->sealed;
    struct piece next;
    int err = n ? sf_buffer_add(&z->stash, bytes, n) : 0;

    if (err)
        return err;
    z->whole = false;
    if (z->stash.at < z->stash.size && z->failed_in == 0)
        z->whole = look(c, &next, z->stash.data + z->stash.at, z->stash.size - z->stash.at) != 0 ||
                   next.missing == 0;
    return 0;
}

/* Opens what the stash has. 0 or -ENOMEM. */
static int open_stash(struct sf_conn *c)
{
    struct sf_sealed *z = c->sealed;
    ssize_t n = open_frames(c, z->stash.data + z->stash.at, z->stash.size - z->stash.at);

    if (n < 0)
        return (int)n;
    z->stash.at += (size_t)n;
    if (z->stash.at == z->stash.size) {
        z->stash.at = z->stash.size = 0;
        if (z->stash.room > KEPT)
            sf_buffer_fini(&z->stash);
    } else if (z->stash.at) { /* what is left is part of a frame, or waits for a little while */
        memmove(z->stash.data, z->stash.data + z->stash.at, z->stash.size - z->stash.at);
        z->stash.size -= z->stash.at;
        z->stash.at = 0;
    }
    return stash(c, NULL, 0);
}

/* Octets that have come, behind those in the stash. 0 or -ENOMEM. */
static int feed(struct sf_conn *c, uint8_t *bytes, size_t n)
{
    struct sf_sealed *z = c->sealed;
    ssize_t used;
    int err = 0;

    while (n && z->stash.size && !z->whole && z->failed_in == 0 && err == 0) {
        struct piece next = {.missing = n};
        size_t part;

        look(c, &next, z->stash.data, z->stash.size);
        part = next.missing < n ? next.missing : n;
        err = stash(c, bytes, part);
        bytes += part;
        n -= part;
    }
    if (err == 0 && z->whole)
        err = open_stash(c);
    if (err || n == 0 || z->failed_in)
        return err;
    if (z->stash.size)
        return stash(c, bytes, n);
    used = open_frames(c, bytes, n);
    if (used < 0)
        return (int)used;
    return z->failed_in ? 0 : stash(c, bytes + used, n - (size_t)used);
}

int sf_seal_start(struct sf_conn *c, const uint8_t *bytes, size_t n)
{
    return stash(c, bytes, n);
}

/* Reads behind what the stash has: the rest of a large frame, or as much as it has room for. */
static ssize_t read_to_stash(struct sf_conn *c, size_t room)
{
    struct sf_buffer *b = &c->sealed->stash;
    struct iovec v = {sf_buffer_reserve(b, room), room};
    ssize_t n;

    if (!v.iov_base)
        return -ENOMEM;
    n = sf_recv_read(c, &v, 1);
    if (n > 0) {
        int err;

        b->size += (size_t)n;
        err = stash(c, NULL, 0);
        if (err == 0 && c->sealed->whole)
            err = open_stash(c);
        if (err)
            return err;
    }
    return n;
}

static ssize_t read_more(struct sf_conn *c)
{
    struct sf_sealed *z = c->sealed;
    bool leased = atomic_load_explicit(&c->reader, memory_order_relaxed) != SF_READER_LOOP;
    struct piece next = {.missing = 0};
    struct iovec v;
    ssize_t n;
    int err;

    if (z->stash.size)
        look(c, &next, z->stash.data, z->stash.size);
    if (next.header && next.f.size > BIG) { /* room grows with what has come, not as announced */
        size_t most = z->stash.size > GROW_FROM ? z->stash.size : GROW_FROM;

        return read_to_stash(c, (next.missing < most ? next.missing : most) + 64);
    }
    if (leased) { /* the loop's scratch is not at hand */
        size_t room = z->bulk ? READ_BYTES : LITTLE;

        n = read_to_stash(c, room > next.missing ? room : next.missing);
        if (n > 0)
            z->bulk = z->bulk ? n >= 1024 : n > LITTLE / 2;
        return n;
    }
    v.iov_base = sf_loop_scratch(c->loop, &v.iov_len);
    if (z->last_big) /* the next may be such a one, too: then it is not to be copied */
        v.iov_len = 64;
    n = sf_recv_read(c, &v, 1);
    if (n <= 0)
        return n;
    err = sf_link_need_in(c->link);
    if (err)
        return err;
    c->link->in->bulk = n > LITTLE;
    err = feed(c, v.iov_base, (size_t)n);
    return err ? err : n;
}

ssize_t sf_seal_read(struct sf_conn *c)
{
    struct sf_sealed *z = c->sealed;
    ssize_t n = z->failed_in;

    if (n == 0 && z->whole) {
        n = open_stash(c);
        if (n == 0)
            return 1;
    }
    if (n == 0)
        n = read_more(c);
    if (n == -ENOMEM) /* what was opened, or read, is gone */
        z->failed_in = -ENOMEM;
    return n;
}
