#ifndef SF_TRANSPORT_UNFRAME_H
#define SF_TRANSPORT_UNFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Frames as the core writes them (ZMTP 2.0 and later), taken apart in pieces of
 * any size, for streams whose peers get no frames. All zeroes is the start.
 */
enum { SF_UNFRAME_MORE = 1, SF_UNFRAME_LONG = 2, SF_UNFRAME_COMMAND = 4, SF_UNFRAME_HEAD = 9 };

struct sf_unframe {
    uint8_t head[SF_UNFRAME_HEAD];
    unsigned n;    /* of them that have come */
    uint64_t left; /* of the body, when the header is whole */
};

static inline bool sf_unframe_whole(const struct sf_unframe *u)
{
    return u->n >= 2 && u->n == (u->head[0] & SF_UNFRAME_LONG ? SF_UNFRAME_HEAD : 2);
}

/*
 * Takes the bytes of a header off the front of `*at`. Whether it is whole: then
 * `left` bytes of the body follow, of which the caller takes what there is, and
 * at 0 says sf_unframe_next.
 */
static inline bool sf_unframe_head(struct sf_unframe *u, const uint8_t **at, size_t *n)
{
    while (!sf_unframe_whole(u)) {
        if (*n == 0)
            return false;
        u->head[u->n++] = *(*at)++;
        (*n)--;
        if (!sf_unframe_whole(u))
            continue;
        u->left = u->head[1];
        for (unsigned i = 2; i < u->n; i++)
            u->left = u->left << 8 | u->head[i];
    }
    return true;
}

static inline void sf_unframe_next(struct sf_unframe *u)
{
    u->n = 0;
}

#endif
