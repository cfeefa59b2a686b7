#ifndef SF_WIRE_CHUNK_H
#define SF_WIRE_CHUNK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/msg.h"

/* A counted block of `size` unset bytes with one reference, or NULL. */
struct sf_owner *sf_owner_new(size_t size);

/* Changes the size of one that nobody shares; NULL without memory, `o` then still stands. */
struct sf_owner *sf_owner_grow(struct sf_owner *o, size_t size);

static inline uint8_t *sf_owner_bytes(struct sf_owner *o)
{
    return (uint8_t *)o + 16;
}

_Static_assert(sizeof(struct sf_owner) <= 16, "the bytes stand 16 behind the owner, aligned");

/* Fields so far apart are never in one cache line, however their struct is aligned, bytes. */
enum { SF_LINE = 64 };

/*
 * A piece of a pipe: framed bytes, and for large payloads segments that stand
 * between them. Bytes grow upwards, segments downwards from the end.
 *
 *   bytes[] |hdr|pay|hdr|pay|hdr|hdr|pay| ......... |seg 1|seg 0|
 *                              ^ segs[0].at: its payload is elsewhere
 */
struct sf_segment {
    uint8_t *data;
    uint64_t size;
    struct sf_owner *owner; /* shares; NULL: constant */
    _Atomic uint32_t at;    /* how many of the chunk's bytes come before it; a reader may look at
                               one that is not shown yet, and is rolled back and written anew */
};

/*
 * What the messages that were received from one socket hold of chunks it has
 * done with. A slice keeps its whole chunk; where too much is kept that way
 * for too little, messages are copied instead. Counted, as messages outlive
 * sockets: the socket, its in-pipes and the pinned chunks hold references.
 */
struct sf_pins {
    _Atomic uint32_t refs;
    bool copy_all;           /* SIFR_ZERO_COPY_RECV is 0; fixed at birth */
    _Atomic uint32_t chunks; /* pinned now */
    _Atomic uint64_t bytes;  /* their capacity */
    _Atomic uint64_t wanted; /* of these: about what messages held when the reader went on */
};

struct sf_pins *sf_pins_new(bool copy_all); /* or NULL */
struct sf_pins *sf_pins_ref(struct sf_pins *p);
void sf_pins_unref(struct sf_pins *p); /* NULL is allowed */

enum { SF_PINS_CHUNKS = 8, SF_PINS_RATIO = 4 };

/* Whether the next message is to be copied. One chunk alone is never too much. */
static inline bool sf_pins_tight(struct sf_pins *p)
{
    uint32_t chunks = atomic_load_explicit(&p->chunks, memory_order_relaxed);

    if (chunks <= 1)
        return p->copy_all;
    return chunks > SF_PINS_CHUNKS || p->copy_all ||
           atomic_load_explicit(&p->bytes, memory_order_relaxed) / SF_PINS_RATIO >
               atomic_load_explicit(&p->wanted, memory_order_relaxed);
}

struct sf_chunk {
    struct sf_owner owner;  /* the pipe's reference, and one for each slice handed out */
    struct sf_meta *meta;   /* shares; of the connection it was read from, or NULL */
    _Atomic(struct sf_pins *) pins; /* shares; where it counts since its reader left it, or NULL */
    uint32_t wanted;        /* what it is counted with there */

    /* Above is what readers change with each slice, below what the writer does with each message. */
    uint8_t apart[SF_LINE - sizeof(uint32_t)];
    uint32_t size; /* capacity of bytes[], segments included */

    /*
     * The writer stores, last thing, with release; the reader loads with
     * acquire: how many bytes (and with them the segments up to there) are
     * whole messages, and whether that is all and `next` says where it goes on.
     */
    _Atomic uint32_t done;
    _Atomic uint32_t n_segs;         /* written before `done` */
    _Atomic(struct sf_chunk *) next; /* written before `done` has SF_CHUNK_FINAL */
    uint8_t bytes[];
};

enum { SF_CHUNK_FINAL = 1u << 30, SF_CHUNK_MAX = 1 << 26 };

/* A chunk for `size` bytes, one reference; NULL without memory. */
struct sf_chunk *sf_chunk_new(size_t size, struct sf_meta *meta);

/*
 * A reader has done with the chunk, of which it has cut `slices` with `bytes`
 * in all: gives its reference back, and counts the chunk if messages hold it.
 */
void sf_chunk_leave(struct sf_chunk *c, struct sf_pins *pins, uint32_t slices, uint64_t bytes);

/* Called by the last sf_owner_unref. */
void sf_chunk_free(struct sf_chunk *c);

static inline struct sf_segment *sf_chunk_segment(struct sf_chunk *c, uint32_t i)
{
    return (struct sf_segment *)(void *)(c->bytes + c->size) - 1 - i;
}

#endif
