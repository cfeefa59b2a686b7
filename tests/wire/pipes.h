/* What the tests of pipes share: frames that tell which they are, written and read in each way. */
#ifndef SIFR_TESTS_WIRE_PIPES_H
#define SIFR_TESTS_WIRE_PIPES_H

#include "support.h"
#include "wire/frame.h"
#include "wire/pipe.h"

static inline struct sf_pipe *new_pipe(bool conflate, int mark)
{
    struct sf_pipe *p;

    ck_works(sf_pipe_new(&p, conflate));
    sf_pipe_set_mark(p, 0, mark);
    sf_pipe_set_mark(p, 1, -1);
    return p;
}

/* Writes one frame: 0 or -ENOMEM. */
static inline int put_frame(struct sf_pipe *p, size_t size, unsigned seed, unsigned flags)
{
    struct sf_msg m;
    int err;

    ck_works(sf_msg_init_size(&m, size));
    fill_bytes(sf_msg_data(&m), size, seed);
    err = sf_pipe_put(p, &m, flags);
    sf_msg_close(&m);
    return err;
}

static inline void put_filled(struct sf_pipe *p, size_t size, unsigned seed, unsigned flags)
{
    ck_works(put_frame(p, size, seed, flags));
}

/* Reads one frame and compares it; whether the writer is to be told of room. */
static inline bool get_filled(struct sf_pipe *p, size_t size, unsigned seed, unsigned flags)
{
    struct sf_msg m;
    bool credit;

    ck_assert_int_eq(sf_pipe_get(p, &m, &credit), 0);
    ck_assert_uint_eq(sf_msg_size(&m), size);
    ck_assert_uint_eq(good_bytes(sf_msg_data(&m), size, seed), size);
    ck_assert_uint_eq(m.flags & (SF_MSG_MORE | SF_MSG_COMMAND), flags);
    sf_msg_close(&m);
    return credit;
}

static inline void get_nothing(struct sf_pipe *p)
{
    struct sf_msg m;
    bool credit = true;

    ck_assert(!sf_pipe_ready(p));
    ck_assert_int_eq(sf_pipe_get(p, &m, &credit), -EAGAIN);
    ck_assert(!credit);
}

/* The frame as it is on the wire, appended; what `to` holds then. */
static inline size_t add_wire(uint8_t *to, size_t at, size_t size, unsigned seed, unsigned flags)
{
    at += sf_frame_put(to + at, flags, size);
    fill_bytes(to + at, size, seed);
    return at + size;
}

/* Copies what was gathered behind each other. */
static inline size_t join_iov(uint8_t *to, const struct iovec *iov, int n)
{
    size_t at = 0;

    for (int i = 0; i < n; i++) {
        ck_assert_uint_gt(iov[i].iov_len, 0);
        memcpy(to + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    return at;
}

/* Bytes arrive from a stream. */
static inline void arrive(struct sf_pipe *p, const uint8_t *bytes, size_t n)
{
    uint8_t *at;
    size_t room;

    ck_works(sf_pipe_space(p, n, &at, &room));
    ck_assert_uint_ge(room, n);
    memcpy(at, bytes, n);
    p->raw += (uint32_t)n;
}

/* Hops over whole frames as core/recv.c does: large ones become segments, commands are skipped. */
static inline int hop_frames(struct sf_pipe *p, size_t big)
{
    struct sf_frame f;
    int header;

    while (p->raw && (header = sf_frame_get(&f, sf_pipe_raw(p), p->raw)) > 0) {
        size_t all = (size_t)header + f.size;

        if (p->raw < all)
            return 0;
        if (f.flags & SF_FRAME_COMMAND) {
            sf_pipe_skip(p, all);
            continue;
        }
        if (f.size > big) {
            struct sf_owner *o = sf_owner_new(f.size);
            uint8_t *raw = sf_pipe_raw(p);
            int err;

            if (!o)
                return -ENOMEM;
            memcpy(sf_owner_bytes(o), raw + header, f.size);
            memmove(raw + header, raw + all, p->raw - all);
            p->raw -= (uint32_t)f.size;
            err = sf_pipe_accept_segment(p, (size_t)header, sf_owner_bytes(o), f.size, o);
            if (err) {
                sf_owner_unref(o);
                return err;
            }
        } else {
            sf_pipe_accept(p, all);
        }
        if (!(f.flags & SF_FRAME_MORE))
            sf_pipe_commit(p);
    }
    return 0;
}

#endif
