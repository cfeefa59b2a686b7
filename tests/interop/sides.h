/*
 * The two libraries behind one table, so that a test is written once and run with either at each end. Every end has a
 * context of its own.
 */
#ifndef SIFR_TESTS_SIDES_H
#define SIFR_TESTS_SIDES_H

#include "support.h"

#include <zmq.h>

struct library {
    const char *name;
    void *(*ctx_new)(void);
    int (*ctx_term)(void *ctx);
    void *(*socket)(void *ctx, int type);
    int (*close)(void *s);
    int (*bind)(void *s, const char *endpoint);
    int (*connect)(void *s, const char *endpoint);
    int (*set)(void *s, int option, const void *value, size_t size);
    int (*get)(void *s, int option, void *value, size_t *size);
    int (*send)(void *s, const void *bytes, size_t size, int flags);
    int (*recv)(void *s, void *bytes, size_t size, int flags);
};

static inline void *ours_ctx_new(void)
{
    return sifr_ctx_new();
}

static inline int ours_ctx_term(void *ctx)
{
    return sifr_ctx_term(ctx);
}

static inline void *ours_socket(void *ctx, int type)
{
    return sifr_socket(ctx, type);
}

static inline int ours_close(void *s)
{
    return sifr_close(s);
}

static inline int ours_bind(void *s, const char *endpoint)
{
    return sifr_bind(s, endpoint);
}

static inline int ours_connect(void *s, const char *endpoint)
{
    return sifr_connect(s, endpoint);
}

static inline int ours_set(void *s, int option, const void *value, size_t size)
{
    return sifr_setsockopt(s, option, value, size);
}

static inline int ours_get(void *s, int option, void *value, size_t *size)
{
    return sifr_getsockopt(s, option, value, size);
}

static inline int ours_send(void *s, const void *bytes, size_t size, int flags)
{
    return sifr_send(s, bytes, size, flags);
}

static inline int ours_recv(void *s, void *bytes, size_t size, int flags)
{
    return sifr_recv(s, bytes, size, flags);
}

static const struct library ours = {"sifr",   ours_ctx_new, ours_ctx_term, ours_socket, ours_close, ours_bind,
                                    ours_connect, ours_set, ours_get, ours_send, ours_recv};
static const struct library theirs = {"libzmq",    zmq_ctx_new,    zmq_ctx_term,   zmq_socket, zmq_close, zmq_bind,
                                      zmq_connect, zmq_setsockopt, zmq_getsockopt, zmq_send,   zmq_recv};

/* One socket of one library. Option, type and flag numbers are the same in both. */
struct end {
    const struct library *lib;
    void *ctx;
    void *socket;
};

static inline void end_set_int(struct end *e, int option, int value)
{
    ck_assert_msg(e->lib->set(e->socket, option, &value, sizeof value) == 0, "%s option %d := %d: errno %d",
                  e->lib->name, option, value, errno);
}

static inline void end_set_text(struct end *e, int option, const char *text)
{
    ck_assert_msg(e->lib->set(e->socket, option, text, strlen(text)) == 0, "%s option %d := '%s': errno %d",
                  e->lib->name, option, text, errno);
}

static inline struct end open_end(const struct library *lib, int type)
{
    struct end e = {.lib = lib, .ctx = lib->ctx_new()};

    ck_assert_ptr_nonnull(e.ctx);
    e.socket = lib->socket(e.ctx, type);
    ck_assert_ptr_nonnull(e.socket);
    end_set_int(&e, ZMQ_RCVTIMEO, WAIT_MS);
    end_set_int(&e, ZMQ_SNDTIMEO, WAIT_MS);
    end_set_int(&e, ZMQ_LINGER, 0);
    end_set_int(&e, ZMQ_RECONNECT_IVL, 10);
    return e;
}

static inline void close_end(struct end *e)
{
    ck_assert_int_eq(e->lib->close(e->socket), 0);
    ck_assert_int_eq(e->lib->ctx_term(e->ctx), 0);
}

static inline struct endpoint end_bind_fresh(struct end *e, enum transport t)
{
    struct endpoint at = fresh_endpoint(t);
    size_t size = sizeof at.text;

    if (t == TCP)
        snprintf(at.text, sizeof at.text, "tcp://%s:*", own_host());
    ck_assert_msg(e->lib->bind(e->socket, at.text) == 0, "%s bind %s: errno %d", e->lib->name, at.text, errno);
    ck_assert_int_eq(e->lib->get(e->socket, ZMQ_LAST_ENDPOINT, at.text, &size), 0);
    return at;
}

static inline void end_rebind(struct end *e, const struct endpoint *at)
{
    eventually(e->lib->bind(e->socket, at->text) == 0);
}

static inline void end_connect(struct end *e, const struct endpoint *at)
{
    ck_assert_msg(e->lib->connect(e->socket, at->text) == 0, "%s connect %s: errno %d", e->lib->name, at->text, errno);
}

#define end_send(e, bytes, size, flags) end_send_at(__LINE__, e, bytes, size, flags)
#define end_recv(e, bytes, size, more) end_recv_at(__LINE__, e, bytes, size, more)

static inline void end_send_at(int line, struct end *e, const void *bytes, size_t size, int flags)
{
    int n = e->lib->send(e->socket, bytes, size, flags);

    ck_assert_msg(n == (int)size, "line %d: %s sent %d of %zu bytes, errno %d (%s)", line, e->lib->name, n, size, errno,
                  strerror(errno));
}

static inline bool end_more(struct end *e)
{
    int more = -1;
    size_t size = sizeof more;

    ck_assert_int_eq(e->lib->get(e->socket, ZMQ_RCVMORE, &more, &size), 0);
    return more != 0;
}

/* Receives one part and compares it. */
static inline void end_recv_at(int line, struct end *e, const void *bytes, size_t size, bool more)
{
    char *buffer = malloc(size + 1);
    int n;

    ck_assert_ptr_nonnull(buffer);
    n = e->lib->recv(e->socket, buffer, size + 1, 0);
    ck_assert_msg(n == (int)size, "line %d: %s received %d instead of %zu bytes, errno %d (%s)", line, e->lib->name, n,
                  size, errno, strerror(errno));
    ck_assert_msg(memcmp(buffer, bytes, size) == 0, "line %d: %s received other bytes", line, e->lib->name);
    ck_assert_msg(end_more(e) == more, "line %d: %s says more parts: %d", line, e->lib->name, !more);
    free(buffer);
}

/* Something is there, at the latest after ms. */
static inline bool end_readable_within(struct end *e, int ms)
{
    int events = 0;
    size_t size = sizeof events;

    for (int64_t until = now_ms() + ms;; poll(NULL, 0, 1)) {
        ck_assert_int_eq(e->lib->get(e->socket, ZMQ_EVENTS, &events, &size), 0);
        if (events & ZMQ_POLLIN || now_ms() >= until)
            return (events & ZMQ_POLLIN) != 0;
    }
}

#endif
