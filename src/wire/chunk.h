#ifndef SF_WIRE_CHUNK_H
#define SF_WIRE_CHUNK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/msg.h"

/* A counted block of `size` unset bytes with one reference, or NULL. */
struct sf_owner *sf_owner_new(size_t size);

static inline uint8_t *sf_owner_bytes(struct sf_owner *o)
{
    return (uint8_t *)o + 16;
}

_Static_assert(sizeof(struct sf_owner) <= 16, "the bytes stand 16 behind the owner, aligned");

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

struct sf_chunk {
    struct sf_owner owner;  /* the pipe's reference, and one for each slice handed out */
    struct sf_meta *meta;   /* shares; of the connection it was read from, or NULL */
    uint32_t size;          /* capacity of bytes[], segments included */

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

/* Called by the last sf_owner_unref. */
void sf_chunk_free(struct sf_chunk *c);

static inline struct sf_segment *sf_chunk_segment(struct sf_chunk *c, uint32_t i)
{
    return (struct sf_segment *)(void *)(c->bytes + c->size) - 1 - i;
}

#endif
