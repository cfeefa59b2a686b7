/* Frame headers: the octets before the body of every message and command. */
#ifndef SF_WIRE_FRAME_H
#define SF_WIRE_FRAME_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/* What a connection speaks, as its greetings agreed. Later versions compare greater. */
enum sf_zmtp { SF_ZMTP_10, SF_ZMTP_20, SF_ZMTP_30, SF_ZMTP_31 };

enum {
    SF_FRAME_MORE = 1,    /* another frame of the same message follows */
    SF_FRAME_LONG = 2,    /* the size has eight octets */
    SF_FRAME_COMMAND = 4, /* a command, not part of any message; 3.x only */
    SF_FRAME_HEADER_MAX = 9,
    SF_FRAME1_HEADER_MAX = 10
};

struct sf_frame {
    uint64_t size; /* octets of body, below 2^63 */
    uint8_t flags; /* SF_FRAME_MORE or SF_FRAME_COMMAND, never both */
};

static inline void sf_frame_put64(uint8_t *to, uint64_t v)
{
    for (int i = 8; i-- > 0; v >>= 8)
        to[i] = (uint8_t)v;
}

static inline uint64_t sf_frame_get64(const uint8_t *from)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | from[i];
    return v;
}

/*
 * Writes the header of a frame of ZMTP 2.0 and 3.x.
 *
 *     FF LL body             FF without LONG: LL 0..255
 *     FF L7 .. L0 body       FF with LONG: from 256 octets of body
 *
 *   to     room for SF_FRAME_HEADER_MAX octets
 *   flags  SF_FRAME_MORE, SF_FRAME_COMMAND or 0; other bits are left out
 *   size   octets of body, below 2^63
 *
 * Returns the header's size, 2 or 9.
 *
 * Source: RFC 37, Framing.
 */
static inline size_t sf_frame_put(uint8_t *to, unsigned flags, uint64_t size)
{
    flags &= SF_FRAME_MORE | SF_FRAME_COMMAND;
    if (size < 256) {
        to[0] = (uint8_t)flags;
        to[1] = (uint8_t)size;
        return 2;
    }
    to[0] = (uint8_t)(flags | SF_FRAME_LONG);
    sf_frame_put64(to + 1, size);
    return 9;
}

/*
 * Reads the header of a frame of ZMTP 2.0 and 3.x. The long form is taken for
 * any size, and MORE on a command is ignored, since peers send both.
 *
 *   f      the frame, set on success
 *   bytes  what has arrived so far, n octets
 *
 * Returns the header's size (2 or 9) or
 *   -EAGAIN  more octets are needed
 *   -EPROTO  reserved bits are set, or the size is 2^63 or more
 */
static inline int sf_frame_get(struct sf_frame *f, const uint8_t *bytes, size_t n)
{
    unsigned flags;
    uint64_t size;

    if (n == 0)
        return -EAGAIN;
    flags = bytes[0];
    if (flags > (SF_FRAME_MORE | SF_FRAME_LONG | SF_FRAME_COMMAND)) /* the three lowest bits */
        return -EPROTO;
    if (n < ((flags & SF_FRAME_LONG) ? 9u : 2u))
        return -EAGAIN;
    size = (flags & SF_FRAME_LONG) ? sf_frame_get64(bytes + 1) : bytes[1];
    if (size > INT64_MAX)
        return -EPROTO;
    f->size = size;
    f->flags = flags & SF_FRAME_COMMAND ? SF_FRAME_COMMAND : flags & SF_FRAME_MORE;
    return (flags & SF_FRAME_LONG) ? 9 : 2;
}

/*
 * The same for ZMTP 1.0, where the length counts the flags too.
 *
 *     LL FF body             LL 01..fe: LL - 1 octets of body
 *     ff L7 .. L0 FF body    from 254 octets of body
 *
 * sf_frame1_put: `to` has room for SF_FRAME1_HEADER_MAX octets; the flags are
 * SF_FRAME_MORE or 0; returns 2 or 10.
 * sf_frame1_get: as sf_frame_get; -EPROTO for the lengths 0 and above 2^63.
 *
 * Source: RFC 13.
 */
size_t sf_frame1_put(uint8_t *to, unsigned flags, uint64_t size);
int sf_frame1_get(struct sf_frame *f, const uint8_t *bytes, size_t n);

#endif
