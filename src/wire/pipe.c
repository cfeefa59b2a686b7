/* Queues of framed messages between a writer and a reader. */
#include "wire/pipe.h"
#include "base/alloc.h"
#include "base/barrier.h"
#include "wire/frame.h"
#include "wire/log.h"

#include <errno.h>
#include <string.h>

enum { BYTES = SF_CHUNK_FINAL - 1,
       FLOWS = 256, /* messages since its reader slept that make a pipe flow */
       RETIRED_AT = 4 /* the part of a chunk that is worth another one */ };

const struct sf_pipe sf_pipe_empty;

int sf_pipe_new(struct sf_pipe **out, bool conflate)
{
    struct sf_pipe *p = sf_alloc(sizeof *p);

    if (!p)
        return -ENOMEM;
    atomic_init(&p->refs, 1);
    p->conflate = conflate;
    p->grow = SF_PIPE_CHUNK_MIN;
    *out = p;
    return 0;
}

static void release_all(struct sf_pipe *p);

struct sf_pipe *sf_pipe_ref(struct sf_pipe *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

/* The reader is done with its first chunk. */
static void leave(struct sf_pipe *p, struct sf_chunk *c)
{
    sf_chunk_leave(c, p->pins, p->slices, p->sliced_bytes);
    p->slices = 0;
    p->sliced_bytes = 0;
}

void sf_pipe_unref(struct sf_pipe *p)
{
    if (!p || p == sf_pipe_none() ||
        atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    release_all(p);
    if (p->has_cell)
        sf_msg_close(&p->cell);
    sf_pins_unref(p->pins);
    sf_meta_unref(p->meta);
    sf_free(p);
}

static inline uint64_t count_of(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

/* Counts what an open window has shown so far. By the log's writer, or with cell_lock. */
static void add_shown(struct sf_tally *t, const struct sf_window *w)
{
    const struct sf_tally *all = &w->log->pipe->put;

    sf_tally_add(t, count_of(&all->messages) - w->first, count_of(&all->bytes) - w->first_bytes);
}

void sf_pipe_set_window(struct sf_pipe *p, struct sf_window *w)
{
    struct sf_window *was = p->window;

    sf_lock_take(&p->cell_lock);
    if (was) {
        add_shown(&p->put, was);
        p->written += was->log->pipe->written - was->first;
    }
    p->window = w;
    sf_lock_drop(&p->cell_lock);
}

void sf_pipe_flow(struct sf_pipe *p, struct sf_flow *f)
{
    struct sf_tally put;
    uint64_t gone;

    if (p == sf_pipe_none()) {
        memset(f, 0, sizeof *f);
        return;
    }
    f->took = count_of(&p->got.messages);
    f->took_bytes = count_of(&p->got.bytes);
    f->replaced = count_of(&p->replaced);
    sf_lock_take(&p->cell_lock);
    atomic_init(&put.messages, count_of(&p->put.messages));
    atomic_init(&put.bytes, count_of(&p->put.bytes));
    if (p->window)
        add_shown(&put, p->window);
    sf_lock_drop(&p->cell_lock);
    f->put = count_of(&put.messages);
    f->put_bytes = count_of(&put.bytes);
    gone = f->took + f->replaced;
    f->depth = f->put > gone ? f->put - gone : 0; /* they may not be of the same moment */
}

void sf_pipe_set_mark(struct sf_pipe *p, int end, int messages)
{
    int a, b, all;

    if (p == sf_pipe_none())
        return;
    atomic_store(&p->marks[end], messages);
    do { /* again if the other end has set its own meanwhile: the last store must know both */
        a = atomic_load(&p->marks[0]);
        b = atomic_load(&p->marks[1]);
        if (a < 0 || b < 0)
            all = a < 0 ? b : a;
        else if (a == 0 || b == 0 || a > INT32_MAX - b)
            all = 0;
        else
            all = a + b;
        atomic_store(&p->mark, all < 0 ? 0 : all);
    } while (atomic_load(&p->marks[0]) != a || atomic_load(&p->marks[1]) != b);
}

/* --- The writer's ------------------------------------------------------ */

static uint32_t capacity(const struct sf_pipe *p)
{
    struct sf_chunk *c = p->tail;
    uint32_t segs = atomic_load_explicit(&c->n_segs, memory_order_relaxed);

    return c->size - segs * (uint32_t)sizeof(struct sf_segment);
}

/* A log's writer lets go of the chunks before `to`: those who read there hold them. */
static void leave_chunks(struct sf_pipe *p, struct sf_chunk *c, const struct sf_chunk *to)
{
    while (p->shared && c != to) {
        struct sf_chunk *gone = c;

        c = atomic_load_explicit(&gone->next, memory_order_relaxed);
        sf_owner_unref(&gone->owner);
    }
}

/* A new tail with room for `need` bytes; raw bytes move there. */
static int extend(struct sf_pipe *p, size_t need, size_t size)
{
    struct sf_chunk *old = p->tail;
    struct sf_chunk *c;

    need += p->raw + sizeof(struct sf_segment);
    if (need > SF_CHUNK_MAX)
        return -ENOMEM;
    c = sf_chunk_new(need > size ? need : size, p->meta);
    if (!c)
        return -ENOMEM;
    /* Each that reads a log has a reference to all of its chunks from where it is. */
    atomic_store_explicit(&c->owner.refs, 1 + p->readers, memory_order_relaxed);
    if (p->raw)
        memcpy(c->bytes, old->bytes + p->fill, p->raw);
    if (!old) {
        p->msg_chunk = c;
        atomic_store_explicit(&p->first, c, memory_order_release);
    } else {
        atomic_store_explicit(&old->next, c, memory_order_relaxed);
        if (p->msg_chunk == old && p->msg_at == p->fill) {
            /* A message's end: the reader may go on to the new chunk at once. */
            atomic_store_explicit(&old->done, p->fill | SF_CHUNK_FINAL, memory_order_release);
            p->dirty = false;
            p->msg_chunk = c;
            leave_chunks(p, old, c);
        } else {
            /* In a message: only what was whole before is to be seen. */
            if (p->msg_chunk != old) /* a chunk in its middle: seen once the first is */
                atomic_store_explicit(&old->done, p->fill | SF_CHUNK_FINAL, memory_order_relaxed);
            else
                p->open_end = p->fill;
        }
        if (p->msg_chunk == c)
            p->msg_at = p->msg_segs = 0;
    }
    p->tail = c;
    p->fill = 0;
    return 0;
}

int sf_pipe_reserve(struct sf_pipe *p, size_t need)
{
    if (p->tail && p->fill + p->raw + need + sizeof(struct sf_segment) <= capacity(p))
        return 0;
    if (p->grow < SF_PIPE_CHUNK_MAX && p->tail)
        p->grow *= 2;
    return extend(p, need, p->grow);
}

void sf_pipe_append(struct sf_pipe *p, struct sf_chunk *item)
{
    struct sf_chunk *old = p->tail;

    p->tail = p->msg_chunk = item;
    p->msg_at = p->msg_segs = 0;
    if (!old) {
        atomic_store_explicit(&p->first, item, memory_order_release);
    } else {
        atomic_store_explicit(&old->next, item, memory_order_relaxed);
        atomic_store_explicit(&old->done, p->fill | SF_CHUNK_FINAL, memory_order_release);
    }
    p->fill = 0;
    p->dirty = false;
}

/* Messages ever written: those of its log that its open window shows are this pipe's as well. */
static uint64_t written(const struct sf_pipe *p)
{
    const struct sf_window *w = p->window;

    return p->written + (w ? w->log->pipe->written - w->first : 0);
}

/* How many taken messages the reader tells at a time; looked at anew whenever the reader has read all. */
static void halve(struct sf_pipe *p)
{
    int mark = atomic_load_explicit(&p->mark, memory_order_relaxed);

    atomic_store_explicit(&p->half, mark > 0 ? ((uint64_t)mark + 1) / 2 : 64, memory_order_relaxed);
}

bool sf_pipe_has_room(struct sf_pipe *p)
{
    int mark = atomic_load_explicit(&p->mark, memory_order_relaxed);

    if (mark <= 0 || p->conflate || written(p) - p->taken_seen < (uint64_t)mark)
        return true;
    p->taken_seen = atomic_load_explicit(&p->taken, memory_order_acquire);
    if (written(p) - p->taken_seen < (uint64_t)mark)
        return true;
    /*
     * Full: say so, then look again. The reader stores `taken`, then looks at
     * wants_room; both sides have a full fence between, so one of them sees
     * the other's store.
     */
    if (atomic_load_explicit(&p->half, memory_order_relaxed) == 0)
        halve(p); /* by the mark that was met, not by one set before the first is taken */
    atomic_store_explicit(&p->wants_room, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    p->taken_seen = atomic_load_explicit(&p->taken, memory_order_acquire);
    return written(p) - p->taken_seen < (uint64_t)mark;
}

uint64_t sf_pipe_full_at(const struct sf_pipe *p)
{
    int mark = atomic_load_explicit(&p->mark, memory_order_relaxed);
    uint64_t all = written(p);

    if (mark <= 0)
        return UINT64_MAX;
    return all - p->taken_seen < (uint64_t)mark ? p->taken_seen + (uint64_t)mark : all;
}

uint64_t sf_pipe_room(struct sf_pipe *p)
{
    int mark = atomic_load_explicit(&p->mark, memory_order_relaxed);
    uint64_t depth;

    if (mark <= 0 || p->conflate)
        return UINT64_MAX;
    p->taken_seen = atomic_load_explicit(&p->taken, memory_order_acquire);
    depth = p->written - p->taken_seen;
    return depth < (uint64_t)mark ? (uint64_t)mark - depth : 0;
}

static void commit(struct sf_pipe *p)
{
    struct sf_chunk *first = p->msg_chunk;

    if (first != p->tail) {
        /* The last chunk first, the one where the message began last. */
        atomic_store_explicit(&p->tail->done, p->fill, memory_order_relaxed);
        atomic_store_explicit(&first->done, p->open_end | SF_CHUNK_FINAL, memory_order_release);
        p->msg_chunk = p->tail;
        p->dirty = false;
        leave_chunks(p, first, p->tail);
    } else {
        p->dirty = true;
    }
    p->msg_at = p->fill;
    p->msg_segs = atomic_load_explicit(&p->tail->n_segs, memory_order_relaxed);
    p->open = false;
    p->open_bytes = 0;
    p->written++;
}

void sf_pipe_commit(struct sf_pipe *p)
{
    if (!p->command)
        sf_tally_add(&p->put, 1, p->open_bytes);
    p->command = false;
    commit(p);
}

void sf_pipe_publish(struct sf_pipe *p)
{
    if (!p->dirty)
        return;
    p->dirty = false;
    atomic_store_explicit(&p->msg_chunk->done, p->msg_at, memory_order_release);
}

/* How many bytes stand before the segment. Only if these are shown may more of it be read. */
static uint32_t before(const struct sf_segment *s)
{
    return atomic_load_explicit(&s->at, memory_order_relaxed);
}

static void add_segment(struct sf_pipe *p, uint8_t *data, uint64_t size, struct sf_owner *owner)
{
    uint32_t n = atomic_load_explicit(&p->tail->n_segs, memory_order_relaxed);
    struct sf_segment *s = sf_chunk_segment(p->tail, n);

    s->data = data;
    s->size = size;
    s->owner = owner;
    atomic_store_explicit(&s->at, p->fill, memory_order_relaxed);
    atomic_store_explicit(&p->tail->n_segs, n + 1, memory_order_release);
}

/* The message in the cell is no more. Under cell_lock. */
static void count_replaced(struct sf_pipe *p)
{
    atomic_store_explicit(&p->replaced, count_of(&p->replaced) + 1, memory_order_relaxed);
}

/* Replaces the newest message. */
static int put_cell(struct sf_pipe *p, struct sf_msg *m)
{
    struct sf_msg old, copy;
    bool had;

    sf_msg_share(&copy, m);
    copy.flags = 0;
    copy.routing_id = 0; /* it said where to; that is done */
    sf_label_unref(copy.group);
    copy.group = NULL;
    sf_tally_add(&p->put, 1, sf_msg_size(m));
    sf_lock_take(&p->cell_lock);
    had = p->has_cell;
    old = p->cell;
    p->cell = copy;
    p->has_cell = true;
    if (had)
        count_replaced(p);
    sf_lock_drop(&p->cell_lock);
    if (had)
        sf_msg_close(&old);
    return 0;
}

static int put_bytes(struct sf_pipe *p, struct sf_msg *m, unsigned flags)
{
    size_t size = sf_msg_size(m);
    bool inside = size <= SF_PIPE_INLINE;
    int err;

    err = sf_pipe_reserve(p, SF_FRAME_HEADER_MAX + (inside ? size : 0));
    if (err) {
        sf_pipe_rollback(p);
        return err;
    }
    p->fill += (uint32_t)sf_frame_put(p->tail->bytes + p->fill, flags, size);
    if (!inside) {
        add_segment(p, sf_msg_data(m), size, sf_owner_ref(m->slice.owner));
        p->by_ref = true;
        m->flags |= SF_MSG_SHARED;
    } else {
        if (size <= SF_MSG_INLINE)
            sf_msg_copy_small(p->tail->bytes + p->fill, sf_msg_data(m), size);
        else
            memcpy(p->tail->bytes + p->fill, sf_msg_data(m), size);
        p->fill += (uint32_t)size;
    }
    p->open_bytes += size;
    p->open = true;
    return 0;
}

int sf_pipe_put(struct sf_pipe *p, struct sf_msg *m, unsigned flags)
{
    int err;

    if (p->conflate)
        return put_cell(p, m);
    err = put_bytes(p, m, flags);
    if (err)
        return err;
    if (!(flags & SF_FRAME_MORE)) {
        if (p->shared && p->by_ref)
            /* A log keeps its last chunk: not with these. Without memory the next does it. */
            p->by_ref = extend(p, 0, SF_PIPE_CHUNK_MIN) != 0;
        sf_pipe_commit(p);
        sf_pipe_publish(p);
    }
    return 0;
}

/*
 * Makes `need` bytes before the message under way: what msg_chunk has of it
 * moves to a new chunk behind them. There are no raw bytes. 0 or -ENOMEM.
 */
static int make_way(struct sf_pipe *p, size_t need)
{
    struct sf_chunk *old = p->msg_chunk, *c;
    uint32_t moved = (old == p->tail ? p->fill : p->open_end) - p->msg_at;
    uint32_t segs = atomic_load_explicit(&old->n_segs, memory_order_relaxed) - p->msg_segs;
    size_t size = need + moved + (segs + 1) * sizeof(struct sf_segment);

    if (need > SF_CHUNK_MAX)
        return -ENOMEM;
    c = sf_chunk_new(size > p->grow ? size : p->grow, p->meta);
    if (!c)
        return -ENOMEM;
    memcpy(c->bytes + need, old->bytes + p->msg_at, moved);
    for (uint32_t i = 0; i < segs; i++) {
        struct sf_segment *from = sf_chunk_segment(old, p->msg_segs + i);
        struct sf_segment *to = sf_chunk_segment(c, i);

        to->data = from->data;
        to->size = from->size;
        to->owner = from->owner;
        atomic_init(&to->at, before(from) - p->msg_at + (uint32_t)need);
    }
    atomic_store_explicit(&c->n_segs, segs, memory_order_relaxed);
    atomic_store_explicit(&c->next, atomic_load_explicit(&old->next, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&old->n_segs, p->msg_segs, memory_order_relaxed);
    atomic_store_explicit(&old->next, c, memory_order_relaxed);
    if (p->tail == old) {
        p->tail = c;
        p->fill = (uint32_t)need + moved;
    } else {
        p->open_end = (uint32_t)need + moved;
    }
    atomic_store_explicit(&old->done, p->msg_at | SF_CHUNK_FINAL, memory_order_release);
    p->msg_chunk = c;
    p->msg_at = (uint32_t)need;
    p->msg_segs = 0;
    return 0;
}

int sf_pipe_put_command(struct sf_pipe *p, const char *name, const void *body, size_t size)
{
    uint8_t header[SF_FRAME_HEADER_MAX], *to;
    size_t n = strlen(name), all = 1 + n + size;
    size_t head = sf_frame_put(header, SF_FRAME_COMMAND, all);
    bool open = p->open;
    int err = open ? make_way(p, head + all) : sf_pipe_reserve(p, head + all);

    if (err)
        return err;
    to = open ? p->msg_chunk->bytes : p->tail->bytes + p->fill;
    memcpy(to, header, head);
    to += head;
    *to++ = (uint8_t)n;
    memcpy(to, name, n);
    if (size)
        memcpy(to + n, body, size);
    if (open) {
        p->dirty = true;
        p->written++;
    } else {
        p->fill += (uint32_t)(head + all);
        commit(p);
    }
    sf_pipe_publish(p);
    return 0;
}

void sf_pipe_rollback(struct sf_pipe *p)
{
    struct sf_chunk *c = p->msg_chunk, *after;
    uint32_t n;

    if (!c)
        return;
    after = atomic_load_explicit(&c->next, memory_order_relaxed);
    atomic_store_explicit(&c->next, NULL, memory_order_relaxed);
    while (after) {
        struct sf_chunk *gone = after;

        after = atomic_load_explicit(&gone->next, memory_order_relaxed);
        for (uint32_t i = 0; i < p->readers; i++)
            sf_owner_unref(&gone->owner); /* on behalf of those who never saw it */
        sf_owner_unref(&gone->owner);
    }
    n = atomic_load_explicit(&c->n_segs, memory_order_relaxed);
    atomic_store_explicit(&c->n_segs, p->msg_segs, memory_order_relaxed);
    while (n > p->msg_segs)
        sf_owner_unref(sf_chunk_segment(c, --n)->owner);
    p->tail = c;
    p->fill = p->msg_at;
    p->raw = 0;
    p->open = p->command = false;
    p->open_bytes = 0;
}

uint64_t sf_pipe_depth(struct sf_pipe *p)
{
    return written(p) - atomic_load_explicit(&p->taken, memory_order_acquire);
}

int sf_pipe_space(struct sf_pipe *p, size_t min, uint8_t **at, size_t *room)
{
    if (!p->tail || p->tail->meta != p->meta ||
        p->fill + p->raw + min + sizeof(struct sf_segment) > capacity(p)) {
        size_t want = p->bulk ? SF_PIPE_READ_CHUNK : 512;
        int err = extend(p, min, want);

        if (err)
            return err;
    }
    *at = p->tail->bytes + p->fill + p->raw;
    *room = capacity(p) - sizeof(struct sf_segment) - p->fill - p->raw;
    return 0;
}

uint8_t *sf_pipe_raw(struct sf_pipe *p)
{
    return p->tail->bytes + p->fill;
}

void sf_pipe_retire(struct sf_pipe *p)
{
    const struct sf_chunk *c = p->tail;

    if (!c || c->size <= SF_PIPE_CHUNK_IDLE || p->fill < c->size / RETIRED_AT ||
        p->raw > SF_PIPE_CHUNK_IDLE || p->open || p->msg_chunk != c || p->msg_at != p->fill)
        return;
    extend(p, 0, 0); /* just for the raw bytes; without memory all stays as it is */
}

void sf_pipe_accept(struct sf_pipe *p, size_t frame_bytes)
{
    uint8_t flags = sf_pipe_raw(p)[0];

    if (flags & SF_FRAME_COMMAND)
        p->command = !p->open;
    else
        p->open_bytes += frame_bytes - (flags & SF_FRAME_LONG ? SF_FRAME_HEADER_MAX : 2);
    p->fill += (uint32_t)frame_bytes;
    p->raw -= (uint32_t)frame_bytes;
    p->open = true;
}

void sf_pipe_accept_messages(struct sf_pipe *p, size_t bytes, uint64_t payload, uint64_t n)
{
    sf_tally_add(&p->put, n, payload);
    p->fill += (uint32_t)bytes;
    p->raw -= (uint32_t)bytes;
    p->msg_chunk = p->tail;
    p->msg_at = p->fill;
    p->msg_segs = atomic_load_explicit(&p->tail->n_segs, memory_order_relaxed);
    p->written += n;
    p->dirty = true;
}

int sf_pipe_accept_segment(struct sf_pipe *p, size_t header, uint8_t *data, uint64_t size,
                           struct sf_owner *owner)
{
    /* Room for the segment is always kept: sf_pipe_space. But raw bytes may fill it up. */
    if (p->fill + p->raw + sizeof(struct sf_segment) > capacity(p)) {
        int err = extend(p, 0, SF_PIPE_READ_CHUNK);

        if (err)
            return err;
    }
    sf_pipe_accept(p, header);
    p->open_bytes += size;
    add_segment(p, data, size, owner);
    return 0;
}

void sf_pipe_skip(struct sf_pipe *p, size_t n)
{
    sf_pipe_raw(p)[0] |= SF_PIPE_SKIP;
    p->fill += (uint32_t)n;
    p->raw -= (uint32_t)n;
}

void sf_pipe_forget(struct sf_pipe *p)
{
    if (!p->tail || p->msg_chunk != p->tail || p->fill == p->msg_at)
        return;
    memmove(p->tail->bytes + p->msg_at, p->tail->bytes + p->fill, p->raw);
    p->fill = p->msg_at;
    p->open = p->command = false;
    p->open_bytes = 0;
}

void sf_pipe_discard(struct sf_pipe *p, size_t n)
{
    p->raw -= (uint32_t)n;
    if (p->raw)
        memmove(p->tail->bytes + p->fill, p->tail->bytes + p->fill + n, p->raw);
}

/* --- The reader's ------------------------------------------------------ */

void sf_pipe_set_pins(struct sf_pipe *p, struct sf_pins *pins)
{
    p->pins = sf_pins_ref(pins);
}

/* The window that the place is in, or NULL; also when it is behind all that the window shows. */
static struct sf_window *window_at(const struct sf_place *at)
{
    return at->chunk != at->item ? sf_window_of(at->item) : NULL;
}

/*
 * How many bytes of the place's chunk are to be seen, with SF_CHUNK_FINAL when
 * it goes on behind them. Loaded in this order: a window is closed before
 * anything else is written, so who sees more than it shows sees its end too.
 */
static uint32_t shown(const struct sf_place *at)
{
    uint32_t done = atomic_load_explicit(&at->chunk->done, memory_order_acquire);
    struct sf_window *w = window_at(at);

    if (!w || atomic_load_explicit(&w->end, memory_order_acquire) != at->chunk)
        return done;
    done = atomic_load_explicit(&at->item->done, memory_order_acquire) & SF_CHUNK_FINAL;
    return w->end_off | done;
}

/* At the start of an item of the list. */
static struct sf_place start_of(struct sf_chunk *item)
{
    struct sf_place at = {item, item, 0, 0};

    if (item && item->owner.kind == SF_OWNER_WINDOW) {
        const struct sf_window *w = sf_window_of(item);

        at = (struct sf_place){item, w->chunk, w->off, w->seg};
    }
    return at;
}

/* From a chunk whose shown bytes are final to what follows. */
static void follow(struct sf_place *at)
{
    struct sf_window *w = window_at(at);

    if (w && atomic_load_explicit(&w->end, memory_order_acquire) != at->chunk) {
        at->chunk = atomic_load_explicit(&at->chunk->next, memory_order_relaxed);
        at->off = at->seg = 0;
    } else {
        *at = start_of(atomic_load_explicit(&at->item->next, memory_order_relaxed));
    }
}

/* Skips to the chunk with the next published byte. False: there is none. */
static bool settle(struct sf_place *at)
{
    for (;;) {
        uint32_t done = shown(at);

        if (at->off < (done & BYTES))
            return true;
        if (!(done & SF_CHUNK_FINAL))
            return false;
        follow(at);
    }
}

struct found {
    uint8_t *header;
    uint8_t *data;
    uint64_t size;
    uint32_t header_size;
    uint8_t flags;
    struct sf_segment *segment; /* NULL: data are in the chunk */
};

/* How many segments of the chunk may be looked at, shown or not. */
static uint32_t segments(const struct sf_chunk *c)
{
    return atomic_load_explicit(&c->n_segs, memory_order_acquire);
}

/* Reads the frame at a place where settle said yes, and moves behind it. `segs`: if known. */
static inline void walk_among(struct sf_place *at, struct found *f, const uint32_t *segs)
{
    uint8_t *b = at->chunk->bytes + at->off;

    f->header = b;
    f->flags = b[0];
    if (b[0] & SF_FRAME_LONG) {
        uint64_t size = 0;

        for (int i = 1; i < 9; i++)
            size = size << 8 | b[i];
        f->size = size;
        f->header_size = 9;
    } else {
        f->size = b[1];
        f->header_size = 2;
    }
    at->off += f->header_size;
    f->segment = NULL;
    if (f->header_size == 9 && f->size > 0 &&
        at->seg < (segs ? *segs : segments(at->chunk))) {
        struct sf_segment *s = sf_chunk_segment(at->chunk, at->seg);

        if (before(s) == at->off) {
            f->segment = s;
            f->data = s->data;
            at->seg++;
            return;
        }
    }
    f->data = at->chunk->bytes + at->off;
    at->off += (uint32_t)f->size;
}

static void walk(struct sf_place *at, struct found *f)
{
    walk_among(at, f, NULL);
}

/* Where the next frame is; its chunk is NULL when nothing was ever written. */
static struct sf_place here(struct sf_pipe *p)
{
    struct sf_chunk *first;

    if (!p->at.item) {
        first = atomic_load_explicit(&p->first, memory_order_acquire);
        if (first)
            p->at = start_of(first);
    }
    return p->at;
}

/* Lets go of segments that were taken whole: their owners must not wait for the chunk's end. */
static void release_segments(struct sf_chunk *c, uint32_t from, uint32_t to)
{
    for (; from < to; from++) {
        struct sf_segment *s = sf_chunk_segment(c, from);

        sf_owner_unref(s->owner);
        s->owner = NULL;
    }
}

/* Gives back the reference to a chunk of a log that was held where a place was. */
static void release_shared(const struct sf_place *was)
{
    if (was->chunk != was->item)
        sf_owner_unref(&was->chunk->owner);
}

/* The reader has done with all before `to`. */
static void release_chunks(struct sf_pipe *p, const struct sf_place *to)
{
    while (p->at.chunk != to->chunk || p->at.item != to->item) {
        struct sf_place was = p->at;

        if (was.chunk == was.item)
            release_segments(was.chunk, was.seg,
                             atomic_load_explicit(&was.chunk->n_segs, memory_order_relaxed));
        follow(&p->at);
        release_shared(&was);
        if (was.item != p->at.item)
            leave(p, was.item);
        p->seen = 0;
    }
    if (to->chunk == to->item)
        release_segments(to->chunk, p->at.seg, to->seg);
    p->at = *to;
}

/* The pipe goes: all that is left in it. No window of it is open any more. */
static void release_all(struct sf_pipe *p)
{
    struct sf_place at = here(p);

    while (at.item) {
        struct sf_place was = at;
        struct sf_window *w = window_at(&at);

        if (w && atomic_load_explicit(&w->end, memory_order_acquire) != at.chunk)
            at.chunk = atomic_load_explicit(&at.chunk->next, memory_order_relaxed);
        else
            at = start_of(atomic_load_explicit(&at.item->next, memory_order_acquire));
        release_shared(&was);
        if (was.item != at.item)
            leave(p, was.item);
    }
}

bool sf_pipe_say_taken(struct sf_pipe *p)
{
    atomic_store_explicit(&p->taken, p->took, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (p->took - p->slept_at >= FLOWS && sf_barrier_asks())
        atomic_store_explicit(&p->flows, true, memory_order_relaxed);
    return atomic_load_explicit(&p->wants_room, memory_order_relaxed) &&
           atomic_exchange_explicit(&p->wants_room, 0, memory_order_relaxed);
}

/* Result as sf_pipe_say_taken. */
static bool say_by_halves(struct sf_pipe *p)
{
    return sf_pipe_says_taken(p) && sf_pipe_say_taken(p);
}

bool sf_pipe_tell_half(struct sf_pipe *p)
{
    if (atomic_load_explicit(&p->half, memory_order_relaxed) == 0)
        halve(p);
    return say_by_halves(p);
}

/* One more message is the reader's. */
static bool took_message(struct sf_pipe *p)
{
    p->took++;
    return sf_pipe_tell_half(p);
}

/* Moves the newest message into the chunks, which are the drainer's alone then. */
static void fetch_cell(struct sf_pipe *p)
{
    struct sf_msg m;
    bool had;

    sf_lock_take(&p->cell_lock);
    had = p->has_cell;
    m = p->cell;
    p->has_cell = false;
    sf_lock_drop(&p->cell_lock);
    p->starved = had && put_bytes(p, &m, 0) != 0;
    if (!had)
        return;
    if (!p->starved) {
        commit(p); /* its writer has counted it */
        sf_pipe_publish(p);
    } else { /* it may be the last for long: back it goes, unless there is a newer one */
        sf_lock_take(&p->cell_lock);
        had = p->has_cell;
        if (!had)
            p->cell = m;
        else
            count_replaced(p);
        p->has_cell = true;
        sf_lock_drop(&p->cell_lock);
        if (!had)
            return;
    }
    sf_msg_close(&m);
}

static bool ready_in_chunks(struct sf_pipe *p)
{
    struct sf_place at = here(p);

    while (at.item && settle(&at)) {
        struct found f;
        struct sf_place next = at;

        walk(&next, &f);
        if (!(f.flags & SF_PIPE_SKIP))
            return true;
        release_chunks(p, &next);
        at = next;
    }
    return false;
}

static bool has_cell(struct sf_pipe *p)
{
    bool has;

    if (!p->conflate)
        return false;
    sf_lock_take(&p->cell_lock);
    has = p->has_cell;
    sf_lock_drop(&p->cell_lock);
    return has;
}

/* For the drainer: the newest message becomes bytes when nothing else is under way. */
static void encode_cell(struct sf_pipe *p)
{
    if (p->conflate && p->sent_ahead == 0 && !ready_in_chunks(p))
        fetch_cell(p);
}

bool sf_pipe_ready(struct sf_pipe *p)
{
    return ready_in_chunks(p) || has_cell(p);
}

/* SIFR_CONFLATE: the message itself. 0 or -EAGAIN. */
static int get_cell(struct sf_pipe *p, struct sf_msg *m)
{
    int err = -EAGAIN;

    if (!p->conflate)
        return err;
    sf_lock_take(&p->cell_lock);
    if (p->has_cell) {
        *m = p->cell;
        p->has_cell = false;
        err = 0;
    }
    sf_lock_drop(&p->cell_lock);
    if (err == 0)
        sf_tally_add(&p->got, 1, sf_msg_size(m));
    return err;
}

/* Whether the place is at the end of a window that shows no more. */
static bool at_end(const struct sf_place *at)
{
    const struct sf_window *w = window_at(at);

    return w && atomic_load_explicit(&w->end, memory_order_acquire) == at->chunk &&
           at->off == w->end_off;
}

/* Goes as far as there is nothing to take, so that no chunk of a log waits for us. */
static void let_go(struct sf_pipe *p)
{
    struct sf_place at = here(p);

    if (!at.item)
        return;
    settle(&at);
    release_chunks(p, &at);
    if (at_end(&at)) {
        p->at = (struct sf_place){at.item, at.item, 0, 0};
        release_shared(&at);
    }
}

int sf_pipe_copy_begun(struct sf_pipe *p, struct sf_pipe *to)
{
    struct sf_place at = {p->msg_chunk, p->msg_chunk, p->msg_at, p->msg_segs};

    for (;;) {
        uint32_t end = at.chunk == p->tail ? p->fill
                       : at.chunk == p->msg_chunk
                           ? p->open_end
                           : atomic_load_explicit(&at.chunk->done, memory_order_relaxed) & BYTES;
        struct sf_msg m;
        struct found f;
        int err;

        if (at.off == end) {
            if (at.chunk == p->tail)
                return 0;
            at = start_of(atomic_load_explicit(&at.chunk->next, memory_order_relaxed));
            continue;
        }
        walk(&at, &f);
        /* Bytes in the chunk are copied before we return, so that nobody need own them. */
        sf_msg_init_slice(&m, f.data, f.size, f.segment ? sf_owner_ref(f.segment->owner) : NULL);
        err = put_bytes(to, &m, f.flags & SF_FRAME_MORE);
        sf_msg_close(&m);
        if (err)
            return err;
    }
}

/*
 * Notes what of the chunk is shown, so that the messages up to there are read
 * without a look at the writer's line, which it would have to fetch anew for
 * each. `done` only grows but in sf_pipe_recycle, and its acquire load makes
 * all before it ours, so an old value is as good as a new one until it is used
 * up. Segments are counted from the first to the first that is not shown: that
 * one may be taken back and written anew, but its place is never used for bytes
 * (the writer keeps room for one segment more than there are), those of the
 * ones behind it are.
 */
static void take_snapshot(struct sf_pipe *p)
{
    struct sf_chunk *c = p->at.chunk;
    uint32_t n = p->at.seg, segs;

    p->seen = atomic_load_explicit(&c->done, memory_order_acquire) & BYTES;
    segs = segments(c);
    while (n < segs && before(sf_chunk_segment(c, n)) <= p->seen)
        n++;
    p->seen_segs = n;
}

static inline int get(struct sf_pipe *p, struct sf_msg *m, bool *credit, bool brief)
{
    struct sf_place at = here(p);
    struct found f;

    *credit = false;
    do {
        if (at.off >= p->seen) {
            if (!at.item || !settle(&at))
                return get_cell(p, m);
            if (at.chunk != p->at.chunk || at.item != p->at.item)
                release_chunks(p, &at);
            if (at.chunk == at.item)
                take_snapshot(p);
        }
        walk_among(&at, &f, at.chunk == at.item ? &p->seen_segs : NULL);
    } while (f.flags & SF_PIPE_SKIP);

    if (brief && !f.segment) {
        sf_msg_init_slice(m, f.data, f.size, NULL);
    } else if (f.size <= SF_MSG_INLINE) {
        sf_msg_init(m);
        m->small_size = (uint8_t)f.size;
        sf_msg_copy_small(m->small, f.data, f.size);
    } else if (f.segment) {
        if (at.chunk != at.item)
            sf_owner_ref(f.segment->owner); /* others read it too */
        sf_msg_init_slice(m, f.data, f.size, f.segment->owner);
        if (at.chunk == at.item)
            f.segment->owner = NULL; /* its reference is the message's now */
        m->flags = SF_MSG_SHARED;
        /* A log's chunk is many readers': no message of one of them keeps it. */
    } else if ((at.chunk == at.item && (!p->pins || !sf_pins_tight(p->pins))) ||
               sf_msg_init_copy(m, f.data, f.size) != 0) { /* without memory nothing is lost */
        sf_msg_init_slice(m, f.data, f.size, sf_owner_ref(&at.chunk->owner));
        p->slices++;
        p->sliced_bytes += f.size;
    }
    if (brief)
        m->flags |= SF_MSG_BRIEF;
    else if (at.chunk->meta)
        m->meta = sf_meta_ref(at.chunk->meta);
    p->at = at;
    m->flags |= f.flags & (SF_FRAME_MORE | SF_FRAME_COMMAND);
    if (f.flags & SF_FRAME_COMMAND) {
        m->flags &= (uint8_t)~SF_MSG_MORE;
        if (p->inside)
            return 0; /* stands in the middle of a message and is not one itself */
    } else {
        p->inside = f.flags & SF_FRAME_MORE;
        sf_tally_add(&p->got, !p->inside, f.size);
    }
    if (!p->inside)
        *credit = took_message(p);
    if (f.segment && at.chunk != at.item && !p->inside)
        let_go(p); /* so that the bytes are the message's alone when all have it */
    return 0;
}

int sf_pipe_get(struct sf_pipe *p, struct sf_msg *m, bool *credit)
{
    return get(p, m, credit, false);
}

int sf_pipe_get_brief(struct sf_pipe *p, struct sf_msg *m, bool *credit)
{
    return get(p, m, credit, true);
}

/*
 * In a log's window it is the log's writer that wakes: we are known there
 * before we look for the last time. The place where we stand may not be the
 * last; then there is something to be seen, or our own writer wakes us.
 */
static void doze(struct sf_pipe *p)
{
    struct sf_place at = here(p);
    struct sf_window *w;

    if (!at.item)
        return;
    settle(&at);
    w = window_at(&at);
    if (w && sf_window_open(w))
        sf_log_doze(w->log, w->sleeper);
}

/* From now on the writer wakes the reader, who sees what is there without that. */
static void lie_down(struct sf_pipe *p)
{
    bool flows = atomic_load_explicit(&p->flows, memory_order_relaxed);

    p->slept_at = p->took;
    atomic_store_explicit(&p->flows, false, memory_order_relaxed);
    atomic_store_explicit(&p->asleep, 1, memory_order_relaxed);
    doze(p);
    if (flows)
        sf_barrier_heavy();
    else
        atomic_thread_fence(memory_order_seq_cst);
}

void sf_pipe_lull(struct sf_pipe *p)
{
    lie_down(p);
}

bool sf_pipe_sleep(struct sf_pipe *p, bool *credit)
{
    *credit = false;
    if (p == sf_pipe_none()) /* who puts a pipe in its place makes it asleep */
        return true;
    lie_down(p);
    if (sf_pipe_ready(p)) {
        atomic_store_explicit(&p->asleep, 0, memory_order_relaxed);
        return false;
    }
    let_go(p);
    halve(p);
    *credit = say_by_halves(p); /* the mark may have been lowered meanwhile */
    return true;
}

struct sf_sleeper *sf_pipe_sleeper(const struct sf_pipe *p)
{
    const struct sf_window *w = p->at.item ? window_at(&p->at) : NULL;

    /* Closed by now, it may have shown messages before, of which only the log's writer tells. */
    return w ? w->sleeper : NULL;
}

/* The first byte not handed out yet. */
static struct sf_place sent_place(struct sf_pipe *p)
{
    return p->sent_ahead == 0 || !p->sent.item ? here(p) : p->sent;
}

int sf_pipe_gather(struct sf_pipe *p, struct iovec *iov, int n, size_t limit, size_t *bytes)
{
    struct sf_place at;
    uint64_t in_seg = p->sent_ahead ? p->sent_in_seg : 0;
    size_t total = 0;
    int used = 0;

    encode_cell(p);
    at = sent_place(p);
    *bytes = 0;
    if (!at.item)
        return 0;
    while (at.item && used < n && total < limit) {
        uint32_t done = shown(&at);
        uint32_t segs = atomic_load_explicit(&at.chunk->n_segs, memory_order_acquire);
        uint32_t end = done & BYTES;
        struct sf_segment *s = at.seg < segs ? sf_chunk_segment(at.chunk, at.seg) : NULL;
        size_t part;

        if (s && before(s) > end)
            s = NULL;
        if (s && before(s) == at.off) {
            part = s->size - in_seg;
            if (part > limit - total)
                part = limit - total;
            iov[used++] = (struct iovec){s->data + in_seg, part};
            at.seg++;
            in_seg = 0;
        } else if (at.off < end) {
            part = (s ? before(s) : end) - at.off;
            if (part > limit - total)
                part = limit - total;
            iov[used++] = (struct iovec){at.chunk->bytes + at.off, part};
            at.off += (uint32_t)part;
        } else if (done & SF_CHUNK_FINAL) {
            follow(&at);
            continue;
        } else {
            break;
        }
        total += part;
    }
    *bytes = total;
    p->gathered = at;
    if (total >= limit) /* maybe in the middle of a segment */
        p->gathered.item = NULL;
    return used;
}

/* Moves the place behind `n` bytes that were gathered. */
static void pass(struct sf_place *at, uint64_t *in_seg, uint64_t n)
{
    while (n) {
        uint32_t done = shown(at);
        uint32_t segs = atomic_load_explicit(&at->chunk->n_segs, memory_order_acquire);
        uint32_t end = done & BYTES;
        struct sf_segment *s = at->seg < segs ? sf_chunk_segment(at->chunk, at->seg) : NULL;
        uint64_t part;

        if (s && before(s) > end)
            s = NULL;
        if (s && before(s) == at->off) {
            part = s->size - *in_seg;
            if (part > n) {
                *in_seg += n;
                return;
            }
            *in_seg = 0;
            at->seg++;
        } else if (at->off < end) {
            part = (s ? before(s) : end) - at->off;
            if (part > n)
                part = n;
            at->off += (uint32_t)part;
        } else {
            follow(at);
            continue;
        }
        n -= part;
    }
}

/* Hops over the messages that lie wholly within the accepted bytes. */
static bool acknowledge(struct sf_pipe *p)
{
    struct sf_place at = here(p);
    uint64_t bytes = 0, payload = 0, messages = 0, moved = 0;
    bool tell = false;

    while (bytes < p->sent_ahead && at.item && settle(&at)) {
        struct found f;

        walk(&at, &f);
        bytes += f.header_size + f.size;
        payload += f.size;
        if (bytes > p->sent_ahead)
            break;
        if (f.flags & SF_FRAME_MORE)
            continue;
        release_chunks(p, &at);
        p->sent_ahead -= bytes;
        bytes = 0;
        tell |= took_message(p);
        if (!(f.flags & SF_FRAME_COMMAND)) {
            messages++;
            moved += payload;
        }
        payload = 0;
    }
    sf_tally_add(&p->got, messages, moved);
    return tell;
}

bool sf_pipe_sent(struct sf_pipe *p, size_t n)
{
    struct sf_place at = sent_place(p);
    uint64_t in_seg = p->sent_ahead ? p->sent_in_seg : 0;

    pass(&at, &in_seg, n);
    p->sent = at;
    p->sent_in_seg = in_seg;
    p->sent_ahead += n;
    return acknowledge(p);
}

bool sf_pipe_sent_all(struct sf_pipe *p, bool *credit)
{
    struct sf_place end = p->gathered;

    if (!end.item || end.item != p->tail || end.chunk != p->tail || end.off != p->fill || p->open ||
        p->dirty || p->window || p->conflate)
        return false;
    release_chunks(p, &end);
    p->sent.item = NULL;
    p->sent_in_seg = p->sent_ahead = 0;
    p->took = p->written;
    atomic_store_explicit(&p->got.messages, count_of(&p->put.messages), memory_order_relaxed);
    atomic_store_explicit(&p->got.bytes, count_of(&p->put.bytes), memory_order_relaxed);
    if (atomic_load_explicit(&p->half, memory_order_relaxed) == 0)
        halve(p);
    *credit = say_by_halves(p);
    return true;
}

bool sf_pipe_drained(struct sf_pipe *p)
{
    return p->sent_ahead == 0 && !sf_pipe_ready(p);
}

bool sf_pipe_at_message(struct sf_pipe *p)
{
    return p->sent_ahead == 0;
}

void sf_pipe_rewind(struct sf_pipe *p)
{
    if (p == sf_pipe_none())
        return;
    p->sent_ahead = 0;
    p->sent.item = NULL;
    p->sent_in_seg = 0;
}

int sf_pipe_next_frame(struct sf_pipe *p, uint8_t *flags, const uint8_t **data, uint64_t *size)
{
    struct sf_place at;
    struct found f;

    encode_cell(p);
    at = sent_place(p);
    if (!at.item || !settle(&at))
        return -EAGAIN;
    walk(&at, &f);
    p->sent = at;
    p->sent_in_seg = 0;
    p->sent_ahead += f.header_size + f.size;
    *flags = f.flags;
    *data = f.data;
    *size = f.size;
    return 0;
}

bool sf_pipe_sent_messages(struct sf_pipe *p, uint64_t n)
{
    struct sf_place at = here(p);
    uint64_t bytes = 0, payload = 0, messages = 0, moved = 0;
    bool tell = false;

    while (n && at.item && settle(&at)) {
        struct found f;

        walk(&at, &f);
        bytes += f.header_size + f.size;
        payload += f.size;
        if (f.flags & SF_FRAME_MORE)
            continue;
        release_chunks(p, &at);
        p->sent_ahead -= bytes;
        bytes = 0;
        n--;
        tell |= took_message(p);
        if (!(f.flags & SF_FRAME_COMMAND)) {
            messages++;
            moved += payload;
        }
        payload = 0;
    }
    sf_tally_add(&p->got, messages, moved);
    return tell;
}

uint64_t sf_pipe_rest(struct sf_pipe *p)
{
    struct sf_place at = here(p);
    uint64_t bytes = 0;

    while (at.item && settle(&at)) {
        struct found f;

        walk(&at, &f);
        bytes += f.header_size + f.size;
        if (!(f.flags & SF_FRAME_MORE) && bytes > p->sent_ahead)
            return bytes - p->sent_ahead;
    }
    return 0;
}

void sf_pipe_recycle(struct sf_pipe *p)
{
    struct sf_chunk *c = p->tail;

    if (!c || p->open || p->raw || p->dirty || p->sent_ahead || p->fill == 0 ||
        here(p).chunk != c || p->at.off != p->fill ||
        atomic_load_explicit(&c->owner.refs, memory_order_acquire) != 1)
        return;
    release_segments(c, p->at.seg, atomic_load_explicit(&c->n_segs, memory_order_relaxed));
    atomic_store_explicit(&c->n_segs, 0, memory_order_relaxed);
    atomic_store_explicit(&c->done, 0, memory_order_relaxed);
    p->fill = p->at.off = p->at.seg = 0;
    p->seen = 0;
    p->msg_chunk = c;
    p->msg_at = p->msg_segs = 0;
    p->sent.item = NULL;
}

bool sf_pipe_shrink(struct sf_pipe *p)
{
    struct sf_chunk *c = p->tail;

    if (!c || c->owner.kind != SF_OWNER_CHUNK || p->window || p->shared || p->conflate)
        return true;
    if (c->size <= SF_PIPE_CHUNK_IDLE) { /* large ones may stand before it */
        if (p->sent_ahead)
            return false;
        p->sent = p->gathered = (struct sf_place){0};
        p->sent_in_seg = 0;
        let_go(p);
        return p->at.item == c;
    }
    if (p->open || p->raw || p->dirty || p->sent_ahead || p->inside)
        return false;
    let_go(p); /* the writer may have begun a chunk before it found nothing to put there */
    if (p->at.chunk != c || p->at.item != c || p->at.off != p->fill)
        return false;
    release_segments(c, p->at.seg, atomic_load_explicit(&c->n_segs, memory_order_relaxed));
    atomic_store_explicit(&p->first, NULL, memory_order_relaxed);
    p->tail = p->msg_chunk = NULL;
    p->fill = p->msg_at = p->msg_segs = p->open_end = 0;
    p->at = p->sent = p->gathered = (struct sf_place){0};
    p->sent_in_seg = 0;
    p->seen = p->seen_segs = 0;
    p->grow = SF_PIPE_CHUNK_MIN;
    p->bulk = false;
    leave(p, c);
    return true;
}

uint64_t sf_pipe_drop(struct sf_pipe *p, bool *credit)
{
    struct sf_msg m;
    uint64_t before = p->took;
    bool tell, all = false;

    sf_pipe_rewind(p);
    while (sf_pipe_get(p, &m, &tell) == 0) {
        all |= tell;
        sf_msg_close(&m);
    }
    *credit = all;
    return p->took - before;
}
