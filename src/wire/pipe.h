#ifndef SF_WIRE_PIPE_H
#define SF_WIRE_PIPE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/park.h"
#include "base/rare.h"
#include "wire/chunk.h"
#include "wire/frame.h"
#include "wire/msg.h"

struct sf_sleeper;
struct sf_window;

/*
 * A queue of whole messages, already framed as ZMTP 2/3, between one writer
 * and one reader. No lock: the writer publishes with release stores of a
 * chunk's `done`, the reader publishes how many messages it has taken.
 *
 * Nothing of a message is visible before its last frame. A frame never spans
 * two chunks; a message may: then the chunk where it began is published last.
 *
 * Frames that are not the application's (PING and such, which were met between
 * frames) carry SF_PIPE_SKIP in their flags octet and are passed over.
 */
enum {
    SF_PIPE_SKIP = 0x80,
    SF_PIPE_INLINE = 8192,      /* larger payloads become segments, bytes */
    SF_PIPE_CHUNK_MIN = 1024,   /* first chunk of a writer, bytes */
    SF_PIPE_CHUNK_MAX = 32768,  /* and what it grows to */
    SF_PIPE_READ_CHUNK = 65536, /* of a connection that streams in, bytes */
    SF_PIPE_CHUNK_IDLE = 2048,  /* more is not kept by who has nothing to do, bytes */
};

/* Where a reader is: before byte `off` and segment `seg` of a chunk. */
struct sf_place {
    struct sf_chunk *item;  /* of the pipe's list: a chunk or a window; NULL: nothing was ever written */
    struct sf_chunk *chunk; /* that has the bytes: the item itself, or one of its window's log */
    uint32_t off, seg;
};

/* Counts the messages that one side has moved, and their payload. Any thread reads. */
struct sf_tally {
    _Atomic uint64_t messages, bytes;
};

/* What has gone through a pipe, ever: messages of the application and their bytes, no commands. */
struct sf_flow {
    uint64_t put, put_bytes;
    uint64_t took, took_bytes; /* by the reader, whatever became of them; bytes frame by frame */
    uint64_t replaced;         /* SIFR_CONFLATE: by newer ones, before they were taken */
    uint64_t depth;            /* put, and neither taken nor replaced */
};

struct sf_pipe {
    /* The writer's. */
    struct sf_chunk *tail;      /* the pipe owns all chunks from head to tail */
    uint32_t fill;              /* bytes of tail that are frames: fill + raw <= capacity */
    uint32_t raw;               /* bytes behind them that have arrived and are no frames yet */
    struct sf_chunk *msg_chunk; /* where the message under way, or the next one, begins */
    uint32_t msg_at, msg_segs;  /* and where in it: bytes and segments before it */
    uint32_t open_end;          /* bytes of msg_chunk, when the message under way left it */
    uint32_t grow;              /* size of the next chunk, bytes */
    bool open;                  /* frames of an incomplete message are in */
    bool dirty;                 /* commits that `done` does not show yet */
    bool shared;                /* a log's: it is read through windows, never from here */
    bool bulk;                  /* bytes arrive in large amounts */
    bool command;               /* what is committed next is one */
    uint64_t open_bytes;        /* payload of the message under way */
    uint64_t written;           /* messages and commands, ever */
    struct sf_tally put;
    uint64_t taken_seen;        /* `taken`, when last looked at */
    struct sf_meta *meta;       /* shares; for new chunks */
    struct sf_window *window;   /* the tail, while it shows all that a log gets (log.h), or NULL */
    bool by_ref;                /* of a log: the tail's chunk has segments */
    uint32_t readers;           /* of a log: open windows */

    /* Both sides'. Stored with release, loaded with acquire, unless said. */
    uint8_t apart[SF_LINE];
    _Atomic uint64_t taken; /* messages the reader owns up to; it stores */
    _Atomic int mark;                    /* high-water mark in messages, 0 none; may change live */
    _Atomic int asleep;     /* the reader has found nothing; the writer that clears it must wake it */
    /*
     * The reader passes a heavy barrier (base/barrier.h) between `asleep` and its look, so that the
     * writer needs a light one between `done` and its own. It sets this when much has flowed since it
     * slept last, and clears it before that barrier: a writer that has looked before still did so
     * after it had shown its message, and the barrier shows that.
     */
    _Atomic bool flows;
    _Atomic int wants_room; /* the writer has found no room; the reader that clears it must tell it */
    _Atomic uint64_t half;  /* taken messages are told so many at a time; 0: not settled yet */
    _Atomic int marks[2];   /* of the two ends: SNDHWM, RCVHWM; what `mark` is made of */
    struct sf_lock cell_lock; /* guards cell and has_cell, and for others window and put */
    struct sf_msg cell;       /* SIFR_CONFLATE: the newest message, not in the chunks yet */
    bool has_cell;
    _Atomic uint64_t replaced; /* messages in the cell; stored under cell_lock */
    bool conflate; /* fixed at birth */
    _Atomic uint32_t refs;
    _Atomic(struct sf_chunk *) first; /* the first chunk ever; NULL before */

    /* The reader's. */
    uint8_t apart_too[SF_LINE];
    struct sf_place at;              /* next frame; for a drainer, the first not accepted */
    uint32_t seen;                   /* bytes of at.chunk that `done` showed when last looked at; 0: look */
    uint32_t seen_segs;              /* and how many segments stand in them */
    uint64_t took;                   /* messages and commands, ever */
    uint64_t slept_at;               /* of these, when it lay down last */
    bool inside;                     /* of a message: the next frame is not its first */
    struct sf_tally got;
    struct sf_pins *pins;            /* shares; NULL: nothing is counted. Set before any read. */
    uint32_t slices;                 /* cut of the chunk */
    uint64_t sliced_bytes;           /* and their size */

    /* The reader's, when it is a drainer: what has been handed to the stream. */
    struct sf_place sent; /* item NULL: as `at` */
    struct sf_place gathered; /* where the last gathering ended */
    uint64_t sent_in_seg; /* bytes of that segment */
    uint64_t sent_ahead;  /* bytes between `at` and there */
    bool starved;         /* the message in the cell waits for memory to stand in */
};

/*
 * Stands for a pipe in which nothing has ever been: what reads, asks or takes
 * back finds it empty, without room it never is, and nothing is written to it.
 */
extern const struct sf_pipe sf_pipe_empty;

static inline struct sf_pipe *sf_pipe_none(void)
{
    return (struct sf_pipe *)(uintptr_t)&sf_pipe_empty;
}

/* One reference, `conflate`: keeps only the newest message. 0 or -ENOMEM. */
int sf_pipe_new(struct sf_pipe **out, bool conflate);
struct sf_pipe *sf_pipe_ref(struct sf_pipe *p); /* not of sf_pipe_none */
void sf_pipe_unref(struct sf_pipe *p); /* NULL is allowed; the last frees all that is in it */

/* What has gone through so far. Any thread; exact when neither side is at work. */
void sf_pipe_flow(struct sf_pipe *p, struct sf_flow *f);

/* Sets one end's mark (0: the sender's, 1: the reader's; -1: that end has no say). Any thread. */
void sf_pipe_set_mark(struct sf_pipe *p, int end, int messages);

/* --- The writer's ------------------------------------------------------ */

/*
 * Whether a message may begin. If not, arms the reader to say when: the call
 * that makes room then answers true once (sf_pipe_credit).
 */
bool sf_pipe_has_room(struct sf_pipe *p);

/* How many messages may begin now; at 0 sf_pipe_has_room arms. */
uint64_t sf_pipe_room(struct sf_pipe *p);

/* Appends a frame; `flags`: SF_FRAME_MORE or _COMMAND. Large bytes are shared. 0 or -ENOMEM (rolled back). */
int sf_pipe_put(struct sf_pipe *p, struct sf_msg *m, unsigned flags);

/*
 * Appends a command frame as a message of its own, whatever the mark. One that comes while a
 * message is under way goes before it, for a peer may not see commands between its frames. 0 or
 * -ENOMEM (nothing changed).
 */
int sf_pipe_put_command(struct sf_pipe *p, const char *name, const void *body, size_t size);

/* Takes back the frames of the incomplete message. Raw bytes go too. */
void sf_pipe_rollback(struct sf_pipe *p);

/* Whether the reader sleeps and the caller, having published, must wake it. */
static inline bool sf_pipe_must_wake(struct sf_pipe *p);

/* For who makes the pipe, or ties it to its reader: that one sleeps, until there is something. */
void sf_pipe_lull(struct sf_pipe *p);

/* For log.c: how many messages it has had when it is full, as far as known; UINT64_MAX: never. */
uint64_t sf_pipe_full_at(const struct sf_pipe *p);

/* For log.c: makes the tail have room for a frame of `need` bytes with its header. 0 or -ENOMEM. */
int sf_pipe_reserve(struct sf_pipe *p, size_t need);

/* For log.c: puts the frames of the message under way into `to`, too. 0 or -ENOMEM (then none). */
int sf_pipe_copy_begun(struct sf_pipe *p, struct sf_pipe *to);

/* For log.c: shows this window from now on (NULL: none); what the last one has shown is its own. */
void sf_pipe_set_window(struct sf_pipe *p, struct sf_window *w);

/* For log.c: puts a window behind all that is written; no message is under way. */
void sf_pipe_append(struct sf_pipe *p, struct sf_chunk *item);

/* Messages and commands in the pipe, as far as the reader has said. */
uint64_t sf_pipe_depth(struct sf_pipe *p);

/* Bytes as they come from a stream: see src/core/recv.c, the only caller. */
int sf_pipe_space(struct sf_pipe *p, size_t min, uint8_t **at, size_t *room); /* 0 or -ENOMEM */
uint8_t *sf_pipe_raw(struct sf_pipe *p); /* the first raw byte; p->raw are there */
/*
 * All that has come is read. If much stands in the chunk, what comes next goes
 * to another: so the reader gives this one back as soon as it is through, and
 * who reads for another connection has it from the cache.
 */
void sf_pipe_retire(struct sf_pipe *p);
void sf_pipe_accept(struct sf_pipe *p, size_t frame_bytes); /* raw bytes become frames */
/* Nothing being open, `bytes` raw ones, `payload` behind headers, become `n` whole messages. */
void sf_pipe_accept_messages(struct sf_pipe *p, size_t bytes, uint64_t payload, uint64_t n);
/* Accepts a header of the raw bytes whose payload is `owner`'s (takes over the reference). 0 or -ENOMEM. */
int sf_pipe_accept_segment(struct sf_pipe *p, size_t header, uint8_t *data, uint64_t size,
                           struct sf_owner *owner);
void sf_pipe_forget(struct sf_pipe *p); /* drops the accepted frames that are no message yet; raw bytes stay */
void sf_pipe_discard(struct sf_pipe *p, size_t n); /* drops the first n raw bytes; nothing is open */
void sf_pipe_skip(struct sf_pipe *p, size_t n); /* a raw frame that the reader is to pass over: to be
                                                   forgotten if no message takes it along */
void sf_pipe_commit(struct sf_pipe *p);  /* the frames accepted so far are a whole message */
void sf_pipe_publish(struct sf_pipe *p); /* shows what was committed to the reader */

/* --- The reader's ------------------------------------------------------ */

/* Counts in `pins` what received messages keep of this pipe. Before the first read. */
void sf_pipe_set_pins(struct sf_pipe *p, struct sf_pins *pins);

/* Whether there is a frame to get. */
bool sf_pipe_ready(struct sf_pipe *p);

/* For the drainer that has just found nothing: whether there is something, but no memory to show it. */
static inline bool sf_pipe_starved(const struct sf_pipe *p)
{
    return p->starved;
}

/*
 * Moves the next frame into `m` (memory without a message): 0 or -EAGAIN;
 * `*credit` becomes true when the writer waits for room and is to be told.
 */
int sf_pipe_get(struct sf_pipe *p, struct sf_msg *m, bool *credit);

/* The same, but `m` may point into the pipe, and is good until the next call for it only. No meta. */
int sf_pipe_get_brief(struct sf_pipe *p, struct sf_msg *m, bool *credit);

/* Says "wake me": true when there is still nothing, false when there is after all. `*credit` as above. */
bool sf_pipe_sleep(struct sf_pipe *p, bool *credit);

/* Having slept: whom a log's writer wakes, if the reader stands in a window; or NULL. */
struct sf_sleeper *sf_pipe_sleeper(const struct sf_pipe *p);

/* Gathers what is to be sent next: number of iovecs, at most n, `*bytes` in all, at most about `limit`. */
int sf_pipe_gather(struct sf_pipe *p, struct iovec *iov, int n, size_t limit, size_t *bytes);

/* `n` of the gathered bytes were accepted. True when the writer waits for room and is to be told. */
bool sf_pipe_sent(struct sf_pipe *p, size_t n);

/*
 * For who is both ends at the moment: all that was gathered was accepted. False: that was not all
 * there is, and sf_pipe_sent is to be called. `*credit` as that returns.
 */
bool sf_pipe_sent_all(struct sf_pipe *p, bool *credit);

/* Whether all that is published was accepted. */
bool sf_pipe_drained(struct sf_pipe *p);

/* Whether the accepted bytes end at a frame / at a message. */
bool sf_pipe_at_message(struct sf_pipe *p);

/* Messages that were taken or accepted, ever. The reader's. */
static inline uint64_t sf_pipe_took(const struct sf_pipe *p)
{
    return p->took;
}

/* Bytes from what was accepted to the end of the message under way. */
uint64_t sf_pipe_rest(struct sf_pipe *p);

/* The stream is gone: what was not accepted whole will be gathered again from its message's start. */
void sf_pipe_rewind(struct sf_pipe *p);

/* For framing steps: the next frame not handed out yet: 0 or -EAGAIN. Moves on. */
int sf_pipe_next_frame(struct sf_pipe *p, uint8_t *flags, const uint8_t **data, uint64_t *size);

/* For framing steps: `n` messages that were handed out as frames are accepted. As sf_pipe_sent. */
bool sf_pipe_sent_messages(struct sf_pipe *p, uint64_t n);

/*
 * For who is both ends at the moment: writes from the chunk's start again if all
 * was taken and nobody holds a slice of it.
 */
void sf_pipe_recycle(struct sf_pipe *p);

/*
 * For who is both ends at the moment, of a pipe that may be in use again at once: gives the chunk
 * back if it is a large one in which nothing is left, and what is written next begins as small as
 * the first. False: something is left in it.
 */
bool sf_pipe_shrink(struct sf_pipe *p);

/* Drops all that is published: number of messages and commands. `*credit` as in sf_pipe_get. */
uint64_t sf_pipe_drop(struct sf_pipe *p, bool *credit);

/* --- What most messages need of all that, without a call ---------------- */

/* One thread at a time counts, so that this is no more than two additions. */
SF_OFTEN void sf_tally_add(struct sf_tally *t, uint64_t messages, uint64_t bytes)
{
    uint64_t m = atomic_load_explicit(&t->messages, memory_order_relaxed);
    uint64_t b = atomic_load_explicit(&t->bytes, memory_order_relaxed);

    atomic_store_explicit(&t->messages, m + messages, memory_order_relaxed);
    atomic_store_explicit(&t->bytes, b + bytes, memory_order_relaxed);
}

/* For the writer, for the reader: whether the chunk it is at is one that the idle do not keep. */
static inline bool sf_pipe_writes_large(const struct sf_pipe *p)
{
    return p->tail && p->tail->size > SF_PIPE_CHUNK_IDLE;
}

static inline bool sf_pipe_reads_large(const struct sf_pipe *p)
{
    return p->at.chunk && p->at.chunk == p->at.item && p->at.chunk->size > SF_PIPE_CHUNK_IDLE;
}

/* Says what has been taken. True: the writer waits for room and is to be told. */
bool sf_pipe_say_taken(struct sf_pipe *p);

/* Settles at how many that is to be said, if that is open, and says it if they are so many. As above. */
bool sf_pipe_tell_half(struct sf_pipe *p);

/* Whether that is to be said, or settled, now: it is every (mark+1)/2 messages. */
static inline bool sf_pipe_says_taken(const struct sf_pipe *p)
{
    return p->took - atomic_load_explicit(&p->taken, memory_order_relaxed) >=
           atomic_load_explicit(&p->half, memory_order_relaxed);
}

static inline bool sf_pipe_must_wake(struct sf_pipe *p)
{
    /* Between the store of `done` and this look; sf_pipe_sleep has the other. */
    atomic_signal_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&p->flows, memory_order_relaxed))
        atomic_thread_fence(memory_order_seq_cst);
    return SF_RARE(atomic_load_explicit(&p->asleep, memory_order_relaxed)) &&
           atomic_exchange_explicit(&p->asleep, 0, memory_order_relaxed);
}

/* sf_pipe_has_room, when the answer is yes and known. */
static inline bool sf_pipe_surely_has_room(const struct sf_pipe *p)
{
    int mark;

    if (p->conflate) /* there is, but the chunks are the drainer's: nothing of them is to be looked at */
        return true;
    mark = atomic_load_explicit(&p->mark, memory_order_relaxed);
    return mark <= 0 || (!p->window && p->written - p->taken_seen < (uint64_t)mark);
}

/*
 * sf_pipe_put of a message of one frame into a chunk that has room, not for SIFR_CONFLATE, whose
 * chunks are the drainer's. False: nothing was done, sf_pipe_put is to do it.
 */
SF_OFTEN bool sf_pipe_put_quick(struct sf_pipe *p, const uint8_t *data, size_t size)
{
    struct sf_chunk *c = p->tail;
    uint32_t fill = p->fill;
    uint8_t *to;

    if (SF_RARE(!c || size > SF_PIPE_INLINE || p->open || p->dirty || p->shared ||
        p->msg_chunk != c || p->raw || atomic_load_explicit(&c->n_segs, memory_order_relaxed) ||
        fill + size + SF_FRAME_HEADER_MAX + sizeof(struct sf_segment) > c->size))
        return false;
    to = c->bytes + fill;
    if (size <= SF_MSG_INLINE) {
        to[0] = 0;
        to[1] = (uint8_t)size;
        sf_msg_copy_small(to + 2, data, size);
        fill += 2 + (uint32_t)size;
    } else {
        size_t head = sf_frame_put(to, 0, size);

        memcpy(to + head, data, size);
        fill += (uint32_t)(head + size);
    }
    p->fill = p->msg_at = fill;
    p->written++;
    sf_tally_add(&p->put, 1, size);
    atomic_store_explicit(&c->done, fill, memory_order_release);
    return true;
}

/*
 * sf_pipe_get, or sf_pipe_get_brief into what is SF_MSG_BRIEF, of a message of one frame that stands
 * where the reader is, into `m`, which holds a message, or what is `brief`. Returns its size, and
 * if then sf_pipe_says_taken, sf_pipe_tell_half is due; or -1: nothing was done; `m` is to be closed,
 * and they are to do it.
 *
 * Who receives into the same handle again and again gets the next message while it still holds the
 * last one: they come by the same connection and mostly stand in the same chunk, so that its
 * references to both are as good for the next, and nothing has to be counted. What else a handle may
 * hold is not let go of here: that may run an application's free function.
 */
SF_OFTEN int sf_pipe_get_quick(struct sf_pipe *p, struct sf_msg *m, bool brief)
{
    struct sf_chunk *c = p->at.chunk;
    struct sf_owner *had;
    struct sf_meta *meta;
    uint8_t *b;
    size_t size;

    if (SF_RARE(p->at.off >= p->seen || p->inside || m->group))
        return -1;
    b = c->bytes + p->at.off;
    if (SF_RARE(b[0])) {
        /* Of several frames, a command, to be passed over, or perhaps a segment. */
        if (b[0] != SF_FRAME_LONG || p->at.seg < p->seen_segs)
            return -1;
        size = (size_t)sf_frame_get64(b + 1);
        b += SF_FRAME_HEADER_MAX;
    } else {
        size = b[1];
        b += 2;
    }
    had = m->kind == SF_MSG_SLICE ? m->slice.owner : NULL;
    if (brief) {
        if (SF_RARE(had)) /* a segment's owner is its own even so */
            return -1;
        sf_msg_init_slice(m, b, size, NULL);
        m->flags = SF_MSG_BRIEF;
    } else {
        meta = m->meta;
        if (SF_RARE((had && had != &c->owner) || (meta && meta != c->meta) ||
                    (size > SF_MSG_INLINE && p->pins && sf_pins_tight(p->pins))))
            return -1;
        if (!meta)
            meta = sf_meta_ref(c->meta);
        if (size > SF_MSG_INLINE) {
            p->slices++;
            p->sliced_bytes += size;
            if (!had)
                sf_owner_ref(&c->owner);
            sf_msg_init_slice(m, b, size, &c->owner);
        } else {
            if (SF_RARE(had)) /* the pipe has one, too: this is not the last */
                atomic_fetch_sub_explicit(&had->refs, 1, memory_order_release);
            sf_msg_init(m);
            m->small_size = (uint8_t)size;
            sf_msg_copy_small(m->small, b, size);
        }
        m->meta = meta;
    }
    p->at.off = (uint32_t)(b + size - c->bytes);
    sf_tally_add(&p->got, 1, size);
    p->took++;
    return (int)size;
}

#endif
