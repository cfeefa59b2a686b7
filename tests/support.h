/*
 * What the tests of whole sockets share: a context whose sockets are closed when the test ends, endpoints nobody else
 * uses, messages to send and to expect. Nothing waits longer than WAIT_MS, so that a hang fails rather than blocks.
 */
#ifndef SIFR_TESTS_SUPPORT_H
#define SIFR_TESTS_SUPPORT_H

#include <sifr.h>

#include "quick_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    WAIT_MS = 10000,
    CASE_SECONDS = 60, /* generous: sanitizers are slow and machines are shared */
    SOCKETS_MAX = 512,
};

/* Sanitizers make it slow: only some of many cases are tried then. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SLOW = 1 };
#else
enum { SLOW = 0 };
#endif

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* The call returns -1 with this errno. */
#define ck_fails(call, error)                                                                                          \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long result_ = (long)(call);                                                                                   \
        int errno_ = errno;                                                                                            \
        ck_assert_msg(result_ == -1 && errno_ == (error), "%s: %ld with errno %d (%s), not -1 with %d (%s)", #call,    \
                      result_, errno_, strerror(errno_), (error), #error);                                             \
    } while (0)

/* The call returns NULL with this errno. */
#define ck_fails_null(call, error)                                                                                     \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const void *result_ = (call);                                                                                  \
        int errno_ = errno;                                                                                            \
        ck_assert_msg(!result_ && errno_ == (error), "%s: %p with errno %d (%s), not NULL with %d (%s)", #call,        \
                      result_, errno_, strerror(errno_), (error), #error);                                             \
    } while (0)

/* The call returns 0. */
#define ck_works(call)                                                                                                 \
    do {                                                                                                               \
        long result_ = (long)(call);                                                                                   \
        ck_assert_msg(result_ == 0, "%s: %ld with errno %d (%s)", #call, result_, errno, strerror(errno));             \
    } while (0)

/* Looks again and again until it is so; for what no call waits for. */
#define eventually(condition)                                                                                          \
    do {                                                                                                               \
        int64_t end_ = now_ms() + WAIT_MS;                                                                             \
        while (!(condition)) {                                                                                         \
            ck_assert_msg(now_ms() < end_, "never came true: %s", #condition);                                         \
            poll(NULL, 0, 1);                                                                                          \
        }                                                                                                              \
    } while (0)

static inline int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- The world of a test ------------------------------------------------------------------------------------- */

static struct {
    sifr_ctx_t *ctx;
    sifr_socket_t *sockets[SOCKETS_MAX]; /* those to close at the end */
    int count;
} world;

static inline void open_world(void)
{
    world.count = 0;
    world.ctx = sifr_ctx_new();
    ck_assert_ptr_nonnull(world.ctx);
}

static inline void close_world(void)
{
    for (int i = 0; i < world.count; i++)
        ck_works(sifr_close(world.sockets[i]));
    world.count = 0;
    ck_works(sifr_ctx_term(world.ctx));
}

static inline void set_int(sifr_socket_t *s, int option, int value)
{
    int err = sifr_setsockopt(s, option, &value, sizeof value);

    ck_assert_msg(err == 0, "option %d := %d: errno %d (%s)", option, value, errno, strerror(errno));
}

static inline int get_int(sifr_socket_t *s, int option)
{
    int value = -12345;
    size_t size = sizeof value;
    int err = sifr_getsockopt(s, option, &value, &size);

    ck_assert_msg(err == 0, "option %d: errno %d (%s)", option, errno, strerror(errno));
    ck_assert_uint_eq(size, sizeof value);
    return value;
}

static inline void set_text(sifr_socket_t *s, int option, const char *text)
{
    int err = sifr_setsockopt(s, option, text, strlen(text));

    ck_assert_msg(err == 0, "option %d := '%s': errno %d (%s)", option, text, errno, strerror(errno));
}

/* A socket of any context that gives up waiting after WAIT_MS and keeps nothing when closed. The caller closes it. */
static inline sifr_socket_t *new_socket_in(sifr_ctx_t *ctx, int type)
{
    sifr_socket_t *s = sifr_socket(ctx, type);

    ck_assert_msg(s != NULL, "socket of type %d: errno %d (%s)", type, errno, strerror(errno));
    set_int(s, SIFR_RCVTIMEO, WAIT_MS);
    set_int(s, SIFR_SNDTIMEO, WAIT_MS);
    set_int(s, SIFR_LINGER, 0);
    return s;
}

/* The same in the world, closed at the end of the test or by drop(). Main thread only. */
static inline sifr_socket_t *new_socket(int type)
{
    sifr_socket_t *s = new_socket_in(world.ctx, type);

    ck_assert_int_lt(world.count, SOCKETS_MAX);
    world.sockets[world.count++] = s;
    return s;
}

static inline void drop(sifr_socket_t *s)
{
    for (int i = 0; i < world.count; i++)
        if (world.sockets[i] == s)
            world.sockets[i--] = world.sockets[--world.count];
    ck_works(sifr_close(s));
}

/* ---- Endpoints and ways to join two sockets ------------------------------------------------------------------ */

enum transport { TCP, IPC, INPROC, TRANSPORTS };

/* A way is a transport and a direction, 0 or 1: who binds. Loops over ways count from 0 to WAYS. */
enum { WAYS = 2 * TRANSPORTS, WIRE_WAYS = 2 * INPROC };

struct endpoint {
    char text[128];
};

/*
 * Each test has a loopback address of its own: whoever goes on dialing where another one has listened finds nobody,
 * and not the next one to which the system gave that port. Children of a test share its address.
 */
static inline struct sockaddr_in own_address(int port)
{
    static _Atomic uint32_t host; /* each thread that is first stores the same */

    if (!host)
        host = 0x7f400000 + (uint32_t)getpid() % 0x400000; /* 127.64.0.0 to 127.127.255.255 */
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(host), .sin_port = htons((uint16_t)port)};
}

static inline const char *own_host(void)
{
    static _Thread_local char text[INET_ADDRSTRLEN];
    struct sockaddr_in a = own_address(0);

    return inet_ntop(AF_INET, &a.sin_addr, text, sizeof text);
}

/* A port below the ephemeral ones, so that no connection takes it meanwhile; nobody listens there now. */
static inline int free_port(void)
{
    static int next;

    for (;;) {
        int port = 10000 + (int)((getpid() * 37L + next++) % 20000); /* children ask, too */
        struct sockaddr_in a = own_address(port);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int err = bind(fd, (struct sockaddr *)&a, sizeof a);

        close(fd);
        if (!err)
            return port;
    }
}

/* An endpoint nobody is bound to. */
static inline struct endpoint fresh_endpoint(enum transport t)
{
    static int count;
    struct endpoint e;

    if (t == TCP)
        snprintf(e.text, sizeof e.text, "tcp://%s:%d", own_host(), free_port());
    else if (t == IPC)
        snprintf(e.text, sizeof e.text, "ipc://@sifr-test-%d-%d", (int)getpid(), count++);
    else
        snprintf(e.text, sizeof e.text, "inproc://test-%d", count++);
    return e;
}

static inline struct endpoint last_endpoint(sifr_socket_t *s)
{
    struct endpoint e;
    size_t size = sizeof e.text;

    ck_works(sifr_getsockopt(s, SIFR_LAST_ENDPOINT, e.text, &size));
    ck_assert_uint_eq(size, strlen(e.text) + 1);
    return e;
}

static inline void bind_to(sifr_socket_t *s, const struct endpoint *e)
{
    int err = sifr_bind(s, e->text);

    ck_assert_msg(err == 0, "bind %s: errno %d (%s)", e->text, errno, strerror(errno));
}

/* Binds where another socket has just left, which the system may need a moment to notice. */
static inline void rebind_to(sifr_socket_t *s, const struct endpoint *e)
{
    eventually(sifr_bind(s, e->text) == 0);
}

static inline void connect_to(sifr_socket_t *s, const struct endpoint *e)
{
    int err = sifr_connect(s, e->text);

    ck_assert_msg(err == 0, "connect %s: errno %d (%s)", e->text, errno, strerror(errno));
}

/* Binds where nobody is; what to connect to is returned. */
static inline struct endpoint bind_fresh(sifr_socket_t *s, enum transport t)
{
    struct endpoint e = fresh_endpoint(t);

    if (t == TCP)
        snprintf(e.text, sizeof e.text, "tcp://%s:*", own_host());
    bind_to(s, &e);
    return last_endpoint(s);
}

/* Even ways: a binds and b connects. Odd ways: the other way round. */
static inline struct endpoint link_sockets(sifr_socket_t *a, sifr_socket_t *b, int way)
{
    struct endpoint e = bind_fresh(way % 2 ? b : a, (enum transport)(way / 2));

    connect_to(way % 2 ? a : b, &e);
    return e;
}

/* Two new sockets of the world, joined. */
static inline void new_link(sifr_socket_t **a, int type_a, sifr_socket_t **b, int type_b, int way)
{
    *a = new_socket(type_a);
    *b = new_socket(type_b);
    link_sockets(*a, *b, way);
}

/* ---- Messages ------------------------------------------------------------------------------------------------ */

/* Sends one part; its flags may say that more follow. */
#define send_text(s, text, flags) send_bytes_at(__LINE__, s, text, strlen(text), flags)
#define send_bytes(s, bytes, size, flags) send_bytes_at(__LINE__, s, bytes, size, flags)

/* Receives one part and compares it, and whether more follow. */
#define recv_text(s, text, more) recv_bytes_at(__LINE__, s, text, strlen(text), more)
#define recv_bytes(s, bytes, size, more) recv_bytes_at(__LINE__, s, bytes, size, more)

/* Sends, or receives and compares, one whole message of these texts. */
#define send_parts(s, ...) send_parts_at(__LINE__, s, (const char *const[]){__VA_ARGS__, NULL})
#define recv_parts(s, ...) recv_parts_at(__LINE__, s, (const char *const[]){__VA_ARGS__, NULL})

/* Nothing is there to be read, or no room to write. */
#define recv_nothing(s) ck_fails(sifr_recv(s, NULL, 0, SIFR_DONTWAIT), EAGAIN)
#define send_full(s) ck_fails(sifr_send(s, "x", 1, SIFR_DONTWAIT), EAGAIN)

static inline void send_bytes_at(int line, sifr_socket_t *s, const void *bytes, size_t size, int flags)
{
    int n = sifr_send(s, bytes, size, flags);

    ck_assert_msg(n == (int)size, "line %d: sent %d of %zu bytes, errno %d (%s)", line, n, size, errno,
                  strerror(errno));
}

static inline void recv_bytes_at(int line, sifr_socket_t *s, const void *bytes, size_t size, bool more)
{
    sifr_msg_t m;
    int n;

    sifr_msg_init(&m);
    n = sifr_msg_recv(&m, s, 0);
    ck_assert_msg(n >= 0, "line %d: errno %d (%s) instead of '%.*s'", line, errno, strerror(errno), (int)size,
                  (const char *)bytes);
    ck_assert_msg((size_t)n == size && memcmp(sifr_msg_data(&m), bytes, size) == 0, "line %d: '%.*s' instead of '%.*s'",
                  line, n, (const char *)sifr_msg_data(&m), (int)size, (const char *)bytes);
    ck_assert_msg(sifr_msg_more(&m) == more, "line %d: '%.*s' has more %d", line, n, (const char *)sifr_msg_data(&m),
                  !more);
    ck_works(sifr_msg_close(&m));
}

static inline void send_parts_at(int line, sifr_socket_t *s, const char *const *parts)
{
    for (; *parts; parts++)
        send_bytes_at(line, s, *parts, strlen(*parts), parts[1] ? SIFR_SNDMORE : 0);
}

static inline void recv_parts_at(int line, sifr_socket_t *s, const char *const *parts)
{
    for (; *parts; parts++) {
        recv_bytes_at(line, s, *parts, strlen(*parts), parts[1] != NULL);
        ck_assert_int_eq(get_int(s, SIFR_RCVMORE), parts[1] != NULL);
    }
}

/* A message is there, at the latest after ms. */
static inline bool readable_within(sifr_socket_t *s, long ms)
{
    sifr_pollitem_t item = {.socket = s, .events = SIFR_POLLIN};

    return sifr_poll(&item, 1, ms) == 1;
}

static inline bool readable(sifr_socket_t *s)
{
    return readable_within(s, WAIT_MS);
}

static inline bool writable_within(sifr_socket_t *s, long ms)
{
    sifr_pollitem_t item = {.socket = s, .events = SIFR_POLLOUT};

    return sifr_poll(&item, 1, ms) == 1;
}

/* Bytes that tell where they are and which message they belong to. */
static inline void fill_bytes(void *bytes, size_t size, unsigned seed)
{
    uint8_t *p = bytes;

    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 8) + seed);
}

/* How many bytes at the start are as fill_bytes() makes them. */
static inline size_t good_bytes(const void *bytes, size_t size, unsigned seed)
{
    const uint8_t *p = bytes;
    size_t i = 0;

    while (i < size && p[i] == (uint8_t)(i * 7 + (i >> 8) + seed))
        i++;
    return i;
}

static inline void send_filled(sifr_socket_t *s, size_t size, unsigned seed, int flags)
{
    sifr_msg_t m;

    ck_works(sifr_msg_init_size(&m, size));
    fill_bytes(sifr_msg_data(&m), size, seed);
    ck_assert_int_eq(sifr_msg_send(&m, s, flags), (int)size);
}

static inline void recv_filled(sifr_socket_t *s, size_t size, unsigned seed, bool more)
{
    sifr_msg_t m;

    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, s, 0), (int)size);
    ck_assert_uint_eq(sifr_msg_size(&m), size);
    ck_assert_uint_eq(good_bytes(sifr_msg_data(&m), size, seed), size);
    ck_assert_int_eq(sifr_msg_more(&m), more);
    sifr_msg_close(&m);
}

/* How many one-byte messages go in before there is no room, at most limit. */
static inline int fill_up(sifr_socket_t *s, int limit)
{
    int n = 0;

    get_int(s, SIFR_EVENTS); /* takes in what the peers have read */
    while (n < limit && sifr_send(s, "x", 1, SIFR_DONTWAIT) == 1)
        n++;
    if (n < limit)
        ck_assert_int_eq(errno, EAGAIN);
    return n;
}

/* How many messages of one part can be read now. */
static inline int drain(sifr_socket_t *s)
{
    int n = 0;

    while (sifr_recv(s, NULL, 0, SIFR_DONTWAIT) >= 0)
        n++;
    ck_assert_int_eq(errno, EAGAIN);
    return n;
}

/* ---- Running ------------------------------------------------------------------------------------------------- */

static inline pthread_t start_thread(void *(*fn)(void *), void *arg)
{
    pthread_t t;

    ck_assert_int_eq(pthread_create(&t, NULL, fn, arg), 0);
    return t;
}

/* A case of tests that each have a world. */
static inline TCase *new_case(Suite *suite, const char *name)
{
    TCase *c = tcase_create(name);

    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_world, close_world);
    suite_add_tcase(suite, c);
    return c;
}

/* A case of tests that make their own contexts, or none. */
static inline TCase *new_bare_case(Suite *suite, const char *name)
{
    TCase *c = tcase_create(name);

    tcase_set_timeout(c, CASE_SECONDS);
    suite_add_tcase(suite, c);
    return c;
}

/* What main() returns. */
static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
