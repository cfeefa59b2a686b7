/* Bare streams: frames on one side, their bytes alone on the other. */
#include "../quick_check.h"

#include "transports/bare.c"

#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"

enum { ROOM = 1 << 18 };

/* A stream that takes so much at a time, and gives what it was given. */
static struct {
    struct sf_stream stream;
    uint8_t wrote[ROOM];
    size_t n_wrote, take, since; /* take: bytes, then -EAGAIN once; 0: no limit */
    const uint8_t *give;
    size_t n_give, at;
    bool closed, shut;
} below;

static ssize_t below_readv(struct sf_stream *s, const struct iovec *iov, int n)
{
    size_t size = below.n_give - below.at;

    (void)s;
    ck_assert_int_eq(n, 1);
    if (!below.give)
        return -EAGAIN;
    if (size > iov[0].iov_len)
        size = iov[0].iov_len;
    memcpy(iov[0].iov_base, below.give + below.at, size);
    below.at += size;
    return (ssize_t)size;
}

static ssize_t below_writev(struct sf_stream *s, const struct iovec *iov, int n)
{
    size_t size = 0;

    (void)s;
    ck_assert_int_gt(n, 0);
    if (below.take && below.since == below.take) {
        below.since = 0;
        return -EAGAIN;
    }
    for (int i = 0; i < n; i++) {
        size_t part = iov[i].iov_len;

        ck_assert_uint_gt(part, 0);
        if (below.take && part > below.take - below.since)
            part = below.take - below.since;
        memcpy(below.wrote + below.n_wrote, iov[i].iov_base, part);
        below.n_wrote += part;
        below.since += below.take ? part : 0;
        size += part;
        if (part < iov[i].iov_len)
            break;
    }
    return (ssize_t)size;
}

static int below_shut(struct sf_stream *s)
{
    (void)s;
    below.shut = true;
    return 0;
}

static void below_close(struct sf_stream *s)
{
    (void)s;
    below.closed = true;
}

static const struct sf_stream_ops below_ops = {
    .readv = below_readv, .writev = below_writev, .close = below_close, .shut = below_shut};

static struct sf_stream *wrap(size_t most)
{
    struct sf_stream *s = &below.stream;

    memset(&below, 0, sizeof below);
    below.stream.ops = &below_ops;
    below.stream.fd = 7;
    ck_assert_int_eq(sf_stream_bare(&s, most), 0);
    ck_assert_int_eq(s->fd, 7);
    return s;
}

/* Frames of these sizes: bodies in `bodies`, all of it in `frames`. */
static uint8_t frames[ROOM], bodies[ROOM];
static size_t n_frames, n_bodies;

static void add_frame(unsigned flags, size_t size)
{
    uint8_t *to;

    n_frames += sf_frame_put(frames + n_frames, flags, size);
    to = frames + n_frames;
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(i * 5 + size);
    n_frames += size;
    if (flags & SF_FRAME_COMMAND)
        return;
    memcpy(bodies + n_bodies, to, size);
    n_bodies += size;
}

static void add_frames(void)
{
    n_frames = n_bodies = 0;
    add_frame(0, 1);
    add_frame(0, 0);
    add_frame(SF_FRAME_COMMAND, 10);
    add_frame(0, 255);
    add_frame(SF_FRAME_MORE, 256);
    add_frame(0, 3);
    add_frame(SF_FRAME_COMMAND, 300);
    for (size_t i = 0; i < 100; i++) /* more pieces than go out at a time */
        add_frame(0, i % 7);
    add_frame(0, 70000);
    add_frame(0, 0);
}

START_TEST(bodies_go_out_however_writes_are_cut)
{
    static const size_t steps[] = {ROOM, 1, 2, 3, 8, 9, 10, 1000}, takes[] = {0, 1, 2, 7, 300, 5000};

    add_frames();
    for (size_t k = 0; k < sizeof takes / sizeof *takes; k++) {
        struct sf_stream *s = wrap(8192);
        size_t at = 0, step = steps[_i], stalls = 0;

        below.take = takes[k];
        while (at < n_frames) {
            size_t n = n_frames - at < step ? n_frames - at : step, half = n / 2;
            struct iovec v[2] = {{frames + at, half}, {frames + at + half, n - half}};
            ssize_t sent = half ? s->ops->writev(s, v, 2) : s->ops->writev(s, v + 1, 1);

            if (sent == -EAGAIN) {
                ck_assert_uint_lt(stalls++, n_frames);
                continue;
            }
            ck_assert_int_gt(sent, 0);
            ck_assert_uint_le((size_t)sent, n);
            at += (size_t)sent;
        }
        ck_assert_uint_eq(below.n_wrote, n_bodies);
        ck_assert_mem_eq(below.wrote, bodies, n_bodies);
        s->ops->close(s);
        ck_assert(below.closed);
    }
}
END_TEST

START_TEST(what_one_read_gives_is_a_frame)
{
    static const size_t most[] = {1, 5, 255, 256, 8192};
    uint8_t in[9000];
    struct iovec v = {in, sizeof in};
    struct sf_stream *s = wrap(most[_i]);
    size_t at = 0;

    ck_assert_int_eq(s->ops->readv(s, &v, 1), -EAGAIN);
    add_frames();
    below.give = bodies;
    below.n_give = n_bodies;
    while (at < n_bodies) {
        size_t want = n_bodies - at < most[_i] ? n_bodies - at : most[_i];
        ssize_t got = s->ops->readv(s, &v, 1);
        struct sf_frame f;

        ck_assert_int_eq(got, (ssize_t)want + 9);
        ck_assert_int_eq(sf_frame_get(&f, in, (size_t)got), 9);
        ck_assert_uint_eq(f.size, want);
        ck_assert_uint_eq(f.flags, 0);
        ck_assert_mem_eq(in + 9, bodies + at, want);
        at += want;
    }
    ck_assert_int_eq(s->ops->readv(s, &v, 1), 0);
    v.iov_len = 20;
    below.at = 0;
    ck_assert_int_eq(s->ops->readv(s, &v, 1), 9 + (most[_i] < 11 ? (int)most[_i] : 11));
    v.iov_len = 9;
    ck_assert_int_eq(s->ops->readv(s, &v, 1), -ENOBUFS);
    ck_assert_int_eq(s->ops->shut(s), 0);
    ck_assert(below.shut);
    s->ops->close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bare");
    TCase *tcase = tcase_create("bare");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tcase, bodies_go_out_however_writes_are_cut, 0, 8);
    tcase_add_loop_test(tcase, what_one_read_gives_is_a_frame, 0, 5);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
