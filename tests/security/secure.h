/* What the tests of mechanisms share: a ZAP handler that the test itself is, monitors, and peers made by hand. */
#ifndef SIFR_TESTS_SECURE_H
#define SIFR_TESTS_SECURE_H

#include "support.h"

/* ---- The handler ------------------------------------------------------------------------------------------------ */

enum { FRAMES_MAX = 12 };

/* A question, taken apart. */
struct question {
    int count;
    size_t sizes[FRAMES_MAX];
    char frames[FRAMES_MAX][256]; /* with a 0 behind */
};

static inline sifr_socket_t *new_handler(void)
{
    sifr_socket_t *rep = new_socket(SIFR_REP);

    ck_works(sifr_bind(rep, "inproc://zeromq.zap.01"));
    return rep;
}

static inline struct question recv_question(sifr_socket_t *handler)
{
    struct question q = {0};

    do {
        int n = sifr_recv(handler, q.frames[q.count], sizeof q.frames[0] - 1, 0);

        ck_assert_msg(n >= 0 && n < 256, "no question: errno %d (%s)", errno, strerror(errno));
        q.sizes[q.count++] = (size_t)n;
        ck_assert_int_lt(q.count, FRAMES_MAX);
    } while (get_int(handler, SIFR_RCVMORE));
    return q;
}

#define expect_question(handler, ...) expect_question_at(__LINE__, handler, (const char *const[]){__VA_ARGS__, NULL})

/* A question whose frames, from the domain on, are these texts. */
static inline void expect_question_at(int line, sifr_socket_t *handler, const char *const *texts)
{
    struct question q = recv_question(handler);
    int n = 2;

    ck_assert_str_eq(q.frames[0], "1.0");
    ck_assert_str_eq(q.frames[1], "1");
    for (; *texts; texts++, n++)
        ck_assert_msg(n < q.count && strcmp(q.frames[n], *texts) == 0, "line %d: frame %d is '%s' instead of '%s'", line,
                      n, q.frames[n], *texts);
    ck_assert_msg(n == q.count, "line %d: %d frames", line, q.count);
}

static inline void answer(sifr_socket_t *handler, const char *status, const char *user, const void *metadata,
                          size_t size)
{
    send_text(handler, "1.0", SIFR_SNDMORE);
    send_text(handler, "1", SIFR_SNDMORE);
    send_text(handler, status, SIFR_SNDMORE);
    send_text(handler, "for the log", SIFR_SNDMORE);
    send_text(handler, user, SIFR_SNDMORE);
    send_bytes(handler, metadata, size, 0);
}

static inline void answer_status(sifr_socket_t *handler, const char *status)
{
    answer(handler, status, "", NULL, 0);
}

/* ---- Monitors --------------------------------------------------------------------------------------------------- */

/* Tells of every step but the few that depend on the transport and on how often it is tried again. */
static inline sifr_socket_t *watch(sifr_socket_t *s)
{
    struct endpoint e = fresh_endpoint(INPROC);
    sifr_socket_t *monitor = new_socket(SIFR_PAIR);

    ck_works(sifr_socket_monitor(s, e.text,
                                 SIFR_EVENT_CONNECTED | SIFR_EVENT_ACCEPTED | SIFR_EVENT_DISCONNECTED |
                                     SIFR_EVENT_CONNECT_RETRIED | SIFR_EVENT_HANDSHAKE_SUCCEEDED |
                                     SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL | SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                     SIFR_EVENT_HANDSHAKE_FAILED_AUTH));
    connect_to(monitor, &e);
    return monitor;
}

/* The next event, whatever it is. */
static inline int recv_event(int line, sifr_socket_t *monitor, const char *name, uint32_t *value)
{
    uint8_t head[16];
    uint16_t event;
    int size = sifr_recv(monitor, head, sizeof head, 0);

    ck_assert_msg(size == 6, "line %d: no %s: errno %d (%s)", line, name, errno, strerror(errno));
    memcpy(&event, head, 2);
    memcpy(value, head + 2, 4);
    ck_assert_int_ge(sifr_recv(monitor, NULL, 0, 0), 0); /* the endpoint */
    return event;
}

#define expect(monitor, name) expect_at(__LINE__, monitor, SIFR_EVENT_##name, #name)

/* The next event is this one. Returns its value. */
static inline uint32_t expect_at(int line, sifr_socket_t *monitor, int number, const char *name)
{
    uint32_t value;
    int event = recv_event(line, monitor, name, &value);

    ck_assert_msg(event == number, "line %d: event 0x%x (value 0x%x) instead of %s", line, event, value, name);
    return value;
}

#define expect_value(monitor, name, value) ck_assert_uint_eq(expect(monitor, name), value)

#define await(monitor, name, value) await_at(__LINE__, monitor, SIFR_EVENT_##name, #name, value)

/* This event comes, perhaps after others. */
static inline void await_at(int line, sifr_socket_t *monitor, int number, const char *name, uint32_t value)
{
    uint32_t got;

    while (recv_event(line, monitor, name, &got) != number || got != value)
        ;
}

/* It goes on trying: the events of another attempt that ends the same way would follow. */
static inline void expect_retry(sifr_socket_t *monitor)
{
    expect(monitor, CONNECT_RETRIED);
}

static inline void expect_silence(sifr_socket_t *monitor, long ms)
{
    ck_assert_msg(!readable_within(monitor, ms), "an event");
}

/* ---- Peers made by hand ----------------------------------------------------------------------------------------- */

enum { GREETING_SIZE = 64 };

static inline void put_greeting(uint8_t *to, const char *mechanism)
{
    memset(to, 0, GREETING_SIZE);
    to[0] = 0xff;
    to[8] = 1;
    to[9] = 0x7f;
    to[10] = 3;
    to[11] = 1;
    memcpy(to + 12, mechanism, strlen(mechanism));
}

static inline int raw_connect(const struct endpoint *e)
{
    struct sockaddr_in a = own_address(0);
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)atoi(strrchr(e->text, ':') + 1));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    return fd;
}

static inline int raw_listen(struct endpoint *e)
{
    struct sockaddr_in a = own_address(0);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    snprintf(e->text, sizeof e->text, "tcp://%s:%d", own_host(), ntohs(a.sin_port));
    return fd;
}

static inline int raw_accept(int listener)
{
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    int fd;

    ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    return fd;
}

static inline void raw_send(int fd, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;

    while (n) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);

        if (sent < 0) /* it has closed already, as some are to */
            return;
        at += sent;
        n -= (size_t)sent;
    }
}

static inline void raw_recv(int fd, void *bytes, size_t n)
{
    uint8_t *at = bytes;

    while (n) {
        ssize_t got = recv(fd, at, n, 0);

        ck_assert_msg(got > 0, "%zd with %zu octets missing: errno %d (%s)", got, n, errno, strerror(errno));
        at += got;
        n -= (size_t)got;
    }
}

/* A command frame: this body. */
static inline void raw_send_command(int fd, const void *body, size_t n)
{
    uint8_t head[9] = {4, (uint8_t)n};
    size_t size = 2;

    if (n > 255) {
        head[0] = 6;
        for (int i = 0; i < 8; i++)
            head[1 + i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
        size = 9;
    }
    raw_send(fd, head, size);
    raw_send(fd, body, n);
}

/* The body of the next frame, at most `room` octets. */
static inline size_t raw_recv_frame(int fd, uint8_t *to, size_t room)
{
    uint8_t head[9];
    uint64_t n;

    raw_recv(fd, head, 2);
    n = head[1];
    if (head[0] & 2) {
        raw_recv(fd, head + 2, 7);
        n = 0;
        for (int i = 0; i < 8; i++)
            n = n << 8 | head[1 + i];
    }
    ck_assert_uint_le(n, room);
    raw_recv(fd, to, (size_t)n);
    return (size_t)n;
}

/* It has closed: nothing but an end comes, in one way or the other. */
static inline void raw_expect_end(int fd)
{
    uint8_t rest[64];
    ssize_t n;

    while ((n = recv(fd, rest, sizeof rest, 0)) > 0)
        ;
    ck_assert_msg(n == 0 || errno == ECONNRESET, "it goes on: errno %d (%s)", errno, strerror(errno));
}

/* Both greetings; ours is sent first. */
static inline void raw_greet(int fd, const char *mechanism)
{
    uint8_t greeting[GREETING_SIZE];

    put_greeting(greeting, mechanism);
    raw_send(fd, greeting, sizeof greeting);
    raw_recv(fd, greeting, sizeof greeting);
}

#endif
