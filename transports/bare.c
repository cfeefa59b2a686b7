/* Streams whose peers speak no ZMTP, for who reads and writes frames. */
#include "transports/transport.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/list.h"
#include "transports/unframe.h"

enum { PIECES = 64 };

struct bare {
    struct sf_stream stream; /* its fd is the other's */
    struct sf_stream *below; /* owns */
    size_t most;             /* bytes of one frame that is read */
    struct sf_unframe out;   /* what is written */
};

static struct bare *bare_of(struct sf_stream *s)
{
    return SF_CONTAINER(s, struct bare, stream);
}

static int bare_open(struct sf_stream *s)
{
    struct bare *b = bare_of(s);
    int err = b->below->ops->open(b->below);

    s->want = b->below->want;
    return err;
}

/* Leaves room for the long form of a header in front of what it reads, whatever that is. */
static ssize_t bare_readv(struct sf_stream *s, const struct iovec *iov, int n)
{
    struct bare *b = bare_of(s);
    uint8_t *to = iov[0].iov_base;
    struct iovec v = {to + SF_UNFRAME_HEAD, iov[0].iov_len - SF_UNFRAME_HEAD};
    ssize_t got;

    (void)n;
    if (iov[0].iov_len <= SF_UNFRAME_HEAD)
        return -ENOBUFS;
    if (v.iov_len > b->most)
        v.iov_len = b->most;
    got = b->below->ops->readv(b->below, &v, 1);
    if (got <= 0)
        return got;
    to[0] = SF_UNFRAME_LONG;
    for (int i = 0; i < 8; i++)
        to[1 + i] = (uint8_t)((uint64_t)got >> 8 * (7 - i));
    return got + SF_UNFRAME_HEAD;
}

/* The bodies of frames, at most PIECES: how many; `*bytes` in all. */
static int find_bodies(struct sf_unframe u, const struct iovec *iov, int n, struct iovec *out,
                       size_t *bytes)
{
    int count = 0;

    *bytes = 0;
    for (int i = 0; i < n; i++) {
        const uint8_t *at = iov[i].iov_base;
        size_t left = iov[i].iov_len;

        while (count < PIECES && left && sf_unframe_head(&u, &at, &left)) {
            size_t take = left < u.left ? left : (size_t)u.left;

            if (take && !(u.head[0] & SF_UNFRAME_COMMAND)) {
                out[count++] = (struct iovec){(void *)(uintptr_t)at, take};
                *bytes += take;
            }
            at += take;
            left -= take;
            u.left -= take;
            if (u.left == 0)
                sf_unframe_next(&u);
        }
    }
    return count;
}

/* Moves on by `sent` bytes of bodies, and by the headers and commands between: all bytes of that. */
static size_t move_on(struct sf_unframe *u, const struct iovec *iov, int n, size_t sent)
{
    size_t all = 0;

    for (int i = 0; i < n; i++) {
        const uint8_t *at = iov[i].iov_base;
        size_t left = iov[i].iov_len;

        while (left && sf_unframe_head(u, &at, &left)) {
            size_t take = left < u->left ? left : (size_t)u->left;

            if (!(u->head[0] & SF_UNFRAME_COMMAND)) {
                if (take > sent)
                    take = sent;
                sent -= take;
            }
            at += take;
            left -= take;
            u->left -= take;
            if (u->left)
                break;
            sf_unframe_next(u);
        }
        all += iov[i].iov_len - left;
        if (left)
            break;
    }
    return all;
}

static ssize_t bare_writev(struct sf_stream *s, const struct iovec *iov, int n)
{
    struct bare *b = bare_of(s);
    struct iovec out[PIECES];
    size_t bytes;
    int count = find_bodies(b->out, iov, n, out, &bytes);
    ssize_t sent = count ? b->below->ops->writev(b->below, out, count) : 0;

    return sent < 0 ? sent : (ssize_t)move_on(&b->out, iov, n, (size_t)sent);
}

static void bare_close(struct sf_stream *s)
{
    struct bare *b = bare_of(s);

    b->below->ops->close(b->below);
    sf_free(b);
}

static int bare_shut(struct sf_stream *s)
{
    return bare_of(s)->below->ops->shut(bare_of(s)->below);
}

static int bare_unsent(struct sf_stream *s)
{
    return bare_of(s)->below->ops->unsent(bare_of(s)->below);
}

static int bare_peer_address(struct sf_stream *s, char *to, size_t room)
{
    return bare_of(s)->below->ops->peer_address(bare_of(s)->below, to, room);
}

static int bare_names(struct sf_stream *s, char *local, char *remote, size_t room)
{
    return bare_of(s)->below->ops->names(bare_of(s)->below, local, remote, room);
}

static const struct sf_stream_ops stream_ops = {
    .open = bare_open,
    .readv = bare_readv,
    .writev = bare_writev,
    .close = bare_close,
    .shut = bare_shut,
    .unsent = bare_unsent,
    .peer_address = bare_peer_address,
    .names = bare_names,
};

int sf_stream_bare(struct sf_stream **io, size_t most)
{
    struct bare *b = sf_alloc(sizeof *b);

    if (!b)
        return -ENOMEM;
    b->stream = **io;
    b->stream.ops = &stream_ops;
    b->below = *io;
    b->most = most;
    *io = &b->stream;
    return 0;
}
