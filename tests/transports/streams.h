#ifndef SF_TEST_STREAMS_H
#define SF_TEST_STREAMS_H

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../io/on_loop.h"
#include "transports/transport.h"

/* For tests: streams driven without a loop, waiting in poll(2). */

static inline void test_await(int fd, unsigned want)
{
    struct pollfd p = {.fd = fd};

    p.events = (short)((want & SF_READ ? POLLIN : 0) | (want & SF_WRITE ? POLLOUT : 0));
    ck_assert_int_gt(poll(&p, 1, 20000), 0);
}

static inline struct sf_acceptor *test_listen(const char *text, const struct sf_stream_options *o)
{
    struct sf_acceptor *a = NULL;
    struct sf_endpoint e;

    ck_assert_int_eq(sf_endpoint_parse(&e, text, true), 0);
    ck_assert_int_eq(e.transport->listen(&e, o, &a), 0);
    sf_endpoint_fini(&e);
    return a;
}

static inline int test_try_listen(const char *text, const struct sf_stream_options *o)
{
    struct sf_acceptor *a = NULL;
    struct sf_endpoint e;
    int err = sf_endpoint_parse(&e, text, true);

    if (err)
        return err;
    err = e.transport->listen(&e, o, &a);
    if (!err)
        a->transport->close(a);
    sf_endpoint_fini(&e);
    return err;
}

/* Dials a numeric endpoint. */
static inline int test_dial(const char *text, const struct sf_stream_options *o,
                            struct sf_stream **out)
{
    struct sf_endpoint e;
    int err = sf_endpoint_parse(&e, text, false);

    if (err)
        return err;
    err = e.transport->dial(&e, o, NULL, out);
    sf_endpoint_fini(&e); /* the stream needs it no more */
    return err;
}

static inline int test_open(struct sf_stream *s)
{
    int err;

    while ((err = s->ops->open(s)) == -EAGAIN)
        test_await(s->fd, s->want);
    return err;
}

static inline struct sf_stream *test_accept(struct sf_acceptor *a,
                                            const struct sf_stream_options *o)
{
    struct sf_stream *s = NULL;

    test_await(a->fd, SF_READ);
    ck_assert_int_eq(a->transport->accept(a, o, &s), 0);
    ck_assert_int_eq(s->ops->open(s), 0);
    return s;
}

static inline void test_write(struct sf_stream *s, const char *text)
{
    struct iovec iov[2] = {{(void *)(uintptr_t)text, 1},
                           {(void *)(uintptr_t)(text + 1), strlen(text) - 1}};

    ck_assert_int_eq((int)s->ops->writev(s, iov, 2), (int)strlen(text));
}

/* What one read gives, as text; "" at the end of the stream. */
static inline const char *test_read(struct sf_stream *s)
{
    static char text[256];
    struct iovec iov = {text, sizeof text - 1};
    ssize_t n;

    while ((n = s->ops->readv(s, &iov, 1)) == -EAGAIN)
        test_await(s->fd, s->read_wants);
    ck_assert_int_ge((int)n, 0);
    text[n] = 0;
    return text;
}

/* Two connected streams talk, end and close. */
static inline void test_talk(struct sf_stream *a, struct sf_stream *b)
{
    test_write(a, "hello");
    ck_assert_str_eq(test_read(b), "hello");
    test_write(b, "and back");
    ck_assert_str_eq(test_read(a), "and back");
    ck_assert_int_eq(a->ops->shut(a), 0);
    ck_assert_str_eq(test_read(b), "");
    test_write(b, "late");
    ck_assert_str_eq(test_read(a), "late");
    ck_assert_int_ge(b->ops->unsent(b), 0);
    a->ops->close(a);
    b->ops->close(b);
}

#endif
