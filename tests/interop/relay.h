/*
 * A relay that PUSH dials and that dials PULL, which cuts the connection and knows to the byte what it had read.
 *
 *   PUSH --dials--> relay --dials--> PULL
 *
 * It passes bytes on, and now and then cuts both connections: it stops writing at an arbitrary byte, tells PUSH that it
 * will hear no more, and reads on to the end, so that nothing is lost that it does not know of. It follows the frames
 * on their way, and so knows which messages it has read, and which it has written, as a whole.
 */
#ifndef SIFR_TESTS_RELAY_H
#define SIFR_TESTS_RELAY_H

#include "sides.h"

#include <netinet/tcp.h>
#include <stdatomic.h>

enum {
    RELAY_CUTS = 20,
    GREETING = 64,    /* ZMTP 3; frames follow */
    BUFFER = 32768,   /* of the kernel's, so that it does not take all at once */
    MEMORY = 131072,  /* for what it receives: with less it drops what loopback sends in one piece, now and then
                         for minutes; how much is on its way is limited by the window instead */
    BODY_MAX = 60000,
};

/* A million calls of ck_assert take their time. */
#define must(condition, ...)                                                                                           \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg(__VA_ARGS__);                                                                                 \
    } while (0)

/* ---- What the relay knows of a stream: messages that begin with their number --------------------------------- */

struct seen {
    uint32_t n;
    uint32_t connection; /* the how manieth */
};

struct scan {
    uint8_t head[16]; /* the first bytes of this frame: its header and the number in it */
    size_t have;      /* bytes of it seen, as far as they matter */
    uint64_t left;    /* bytes of its body to come */

    uint32_t connection;
    struct seen *whole; /* the messages seen whole, in order, over all connections */
    uint32_t room;
    _Atomic uint32_t count;
};

static inline void scan_init(struct scan *s, uint32_t room)
{
    s->room = room;
    s->whole = malloc(room * sizeof *s->whole);
    ck_assert_ptr_nonnull(s->whole);
}

static inline void scan_connection(struct scan *s, uint32_t connection)
{
    s->connection = connection;
    s->head[0] = 4; /* the greeting passes for a command */
    s->have = GREETING;
    s->left = GREETING;
}

static inline size_t scan_header_size(const struct scan *s)
{
    return s->head[0] & 2 ? 9 : 2;
}

static inline void scan_frame_end(struct scan *s)
{
    if (!(s->head[0] & 4)) {
        uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed);
        struct seen *seen = &s->whole[count];

        must(count < s->room, "more messages passed than were sent");
        memcpy(&seen->n, s->head + scan_header_size(s), sizeof seen->n);
        seen->connection = s->connection;
        atomic_store_explicit(&s->count, count + 1, memory_order_release);
    }
    s->have = 0;
}

static inline void scan_bytes(struct scan *s, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        if (s->left > 0) {
            size_t part = s->left < size ? (size_t)s->left : size;
            size_t kept = s->have < sizeof s->head ? sizeof s->head - s->have : 0;

            kept = kept < part ? kept : part;
            memcpy(s->head + s->have, bytes, kept);
            s->have += kept;
            bytes += part;
            size -= part;
            s->left -= part;
            if (s->left == 0)
                scan_frame_end(s);
            continue;
        }
        s->head[s->have++] = *bytes++;
        size--;
        if (s->have < 2 || s->have < scan_header_size(s))
            continue;
        s->left = s->head[1];
        if (s->head[0] & 2)
            for (int i = 2; i < 9; i++)
                s->left = s->left << 8 | s->head[i];
        if (s->left == 0)
            scan_frame_end(s);
    }
}

/* ---- The relay ----------------------------------------------------------------------------------------------- */

struct relay {
    int listener;
    struct endpoint at; /* for PUSH to dial */
    struct sockaddr_in address, pull;
    struct scan read, written;
    _Atomic uint32_t connections; /* begun */

    uint64_t cuts[RELAY_CUTS]; /* after how many bytes written, connection by connection */
    int n_cuts;                /* after which the next one is left alone */
    bool leaves;               /* or, nobody listens any more from the last cut on */
    bool stalls;               /* it does not read on at that cut: PUSH's queue fills */
    enum stage { PASSING, STALLED, TO_CUT, TO_READ_ON } _Atomic stage; /* it tells STALLED, and is told the others */
    _Atomic bool done;

    /* PULL reads connections in turn. If asked for, the next one begins when all of the last one was received. */
    bool waits;
    _Atomic uint32_t received;
};

static inline void relay_listen(struct relay *r)
{
    int on = 1, memory = MEMORY, window = 2 * BUFFER;

    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(r->listener, 0);
    setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(r->listener, SOL_SOCKET, SO_RCVBUF, &memory, sizeof memory);
    setsockopt(r->listener, IPPROTO_TCP, TCP_WINDOW_CLAMP, &window, sizeof window);
    ck_assert_int_eq(bind(r->listener, (struct sockaddr *)&r->address, sizeof r->address), 0);
    ck_assert_int_eq(listen(r->listener, 10), 0);
}

/* To PULL, which is bound to `to`. At most `messages` will pass. */
static inline void relay_init(struct relay *r, const struct endpoint *to, uint32_t messages)
{
    memset(r, 0, sizeof *r);
    r->address = own_address(0);
    r->pull = r->address;
    r->pull.sin_port = htons((uint16_t)atoi(strrchr(to->text, ':') + 1));
    r->address.sin_port = htons((uint16_t)free_port());
    snprintf(r->at.text, sizeof r->at.text, "tcp://%s:%d", own_host(), ntohs(r->address.sin_port));
    scan_init(&r->read, messages);
    scan_init(&r->written, messages);
    relay_listen(r);
}

static inline void relay_fini(struct relay *r)
{
    if (r->listener >= 0)
        close(r->listener);
    free(r->read.whole);
    free(r->written.whole);
}

static inline void await_input(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    must(poll(&p, 1, 2 * WAIT_MS) == 1, "the relay waits in vain");
}

/* Whether it could be written; the peer may have gone. */
static inline bool write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

        if (n < 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

/*
 * Acknowledges at once. PUSH's kernel holds little more than one segment of loopback's size, and would otherwise wait for
 * each one's acknowledgement as long as that may be delayed.
 */
static inline void acknowledge(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on); /* holds until the kernel thinks better of it */
}

/* Reads until the peer has closed. */
static inline void read_on(int fd, struct scan *s)
{
    uint8_t bytes[16384];

    for (;;) {
        ssize_t n;

        await_input(fd);
        n = read(fd, bytes, sizeof bytes);
        if (n <= 0)
            return;
        acknowledge(fd);
        if (s)
            scan_bytes(s, bytes, (size_t)n);
    }
}

/* Passes on up to limit bytes from up to down, and any the other way. Returns whether up is still open. */
static inline bool pass_on(struct relay *r, int up, int down, uint64_t limit)
{
    uint8_t bytes[16384];

    while (limit > 0) {
        struct pollfd p[] = {{.fd = up, .events = POLLIN}, {.fd = down, .events = POLLIN}};
        ssize_t n;

        must(poll(p, 2, 2 * WAIT_MS) > 0, "nothing comes to the relay");
        if (p[1].revents) {
            n = read(down, bytes, sizeof bytes);
            if (n <= 0 || !write_all(up, bytes, (size_t)n))
                return true;
        }
        if (p[0].revents) {
            size_t part;

            n = read(up, bytes, sizeof bytes);
            if (n <= 0)
                return false;
            acknowledge(up);
            scan_bytes(&r->read, bytes, (size_t)n);
            part = (uint64_t)n < limit ? (size_t)n : (size_t)limit;
            if (!write_all(down, bytes, part))
                return true;
            scan_bytes(&r->written, bytes, part);
            limit -= part;
        }
    }
    return true;
}

static inline void relay_one(struct relay *r, uint64_t limit, bool last)
{
    int up, down;

    await_input(r->listener);
    up = accept(r->listener, NULL, NULL);
    must(up >= 0, "accept: %s", strerror(errno));
    if (r->waits)
        eventually(atomic_load(&r->received) == r->written.count);
    down = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(connect(down, (struct sockaddr *)&r->pull, sizeof r->pull) == 0, "connect: %s", strerror(errno));
    scan_connection(&r->read, r->connections);
    scan_connection(&r->written, r->connections);
    r->connections++;
    if (pass_on(r, up, down, limit)) {
        must(limit != UINT64_MAX, "PULL ended the connection");
        if (last && r->stalls) {
            atomic_store(&r->stage, STALLED);
            eventually(atomic_load(&r->stage) == TO_CUT);
        }
        if (last) {
            close(r->listener);
            r->listener = -1;
        }
        shutdown(down, SHUT_WR);
        shutdown(up, SHUT_WR);
        if (last && r->stalls)
            eventually(atomic_load(&r->stage) == TO_READ_ON);
        read_on(up, &r->read);
        read_on(down, NULL);
    } else {
        must(limit == UINT64_MAX, "PUSH ended the connection");
    }
    close(up);
    close(down);
}

static inline void *run_relay(void *arg)
{
    struct relay *r = arg;

    for (int i = 0; i < r->n_cuts; i++)
        relay_one(r, r->cuts[i], r->leaves && i == r->n_cuts - 1);
    if (!r->leaves)
        relay_one(r, UINT64_MAX, false);
    atomic_store(&r->done, true);
    return NULL;
}

/* Cuts spread over so many bytes; every fourth in the handshake or just behind it, if they may be there. */
static inline void relay_spread_cuts(struct relay *r, uint64_t bytes, bool handshakes)
{
    uint32_t random = 1;
    uint64_t most = bytes / RELAY_CUTS / 2; /* the rest is for what gets lost */

    for (int i = 0; i < RELAY_CUTS; i++) {
        random = random * 1664525 + 1013904223;
        if (handshakes && i % 4 == 3)
            r->cuts[i] = 1 + (random >> 8) % 120;
        else
            r->cuts[i] = most / 2 + (random >> 8) % (most / 2);
    }
    r->n_cuts = RELAY_CUTS;
}

/* ---- Streams of numbered messages ---------------------------------------------------------------------------- */

struct stream {
    uint32_t first, end; /* numbers; `end` is not sent any more */
    bool large;          /* many large messages; if not, many small ones */
    bool paced;          /* one at a time, which its sender's thread writes; if not, as fast as can be */
    struct end *push;
    struct relay *relay; /* each of its connections gets a share, twice what it lasts for; NULL: none */
};

/* Each message has a size of its own. */
static inline size_t stream_size_of(const struct stream *s, uint32_t n)
{
    if (s->large)
        return 4 + (n % 3 == 0 ? n % 200 : n * 7919 % (BODY_MAX - 4));
    if (n % 4001 == 4000)
        return 4 + n * 7919 % (BODY_MAX - 4);
    return 8 + n * 7919 % 57;
}

static inline uint64_t stream_bytes(const struct stream *s)
{
    uint64_t sum = 0;

    for (uint32_t n = s->first; n < s->end; n++)
        sum += 2 + stream_size_of(s, n);
    return sum;
}

static inline size_t stream_fill(const struct stream *s, uint8_t *bytes, uint32_t n)
{
    size_t size = stream_size_of(s, n);

    fill_bytes(bytes, size, n);
    memcpy(bytes, &n, sizeof n);
    return size;
}

/* So long that the next message does not look like one of a stream; the processor may do something else. */
static inline void stream_pace(void)
{
    struct timespec from, now;

    clock_gettime(CLOCK_MONOTONIC, &from);
    do {
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - from.tv_sec) * 1000000000 + now.tv_nsec - from.tv_nsec < 4000);
}

static inline void *stream_send(void *arg)
{
    struct stream *s = arg;
    uint8_t *bytes = malloc(BODY_MAX);
    uint32_t share = s->relay ? s->end / (uint32_t)(s->relay->n_cuts + 1) + 1 : 0;

    ck_assert_ptr_nonnull(bytes);
    for (uint32_t n = s->first; n < s->end; n++) {
        size_t size = stream_fill(s, bytes, n);

        /* However late PUSH notices a cut, enough is left for the next. */
        if (s->relay && n >= atomic_load(&s->relay->connections) * share)
            eventually(n < atomic_load(&s->relay->connections) * share);
        must(s->push->lib->send(s->push->socket, bytes, size, 0) == (int)size, "%s sends message %u: errno %d (%s)",
             s->push->lib->name, n, errno, strerror(errno));
        if (s->paced)
            stream_pace();
    }
    free(bytes);
    return NULL;
}

/* The number of the next message, which is whole and as it was sent. */
static inline uint32_t stream_recv_one(const struct stream *s, struct end *pull, struct relay *r)
{
    static uint8_t want[BODY_MAX], got[BODY_MAX];
    int size = pull->lib->recv(pull->socket, got, sizeof got, 0);
    uint32_t n;

    must(size >= 4, "%s received %d, errno %d (%s); the relay has read %u messages, written %u, %u were received",
         pull->lib->name, size, errno, strerror(errno), atomic_load(&r->read.count), atomic_load(&r->written.count),
         atomic_load(&r->received));
    memcpy(&n, got, sizeof n);
    must(n < s->end && (size_t)size == stream_size_of(s, n), "message %u of %d bytes", n, size);
    stream_fill(s, want, n);
    must(memcmp(want, got, (size_t)size) == 0, "message %u has other bytes", n);
    return n;
}

/* Receives up to message `last`: each once, in order, those the relay wrote whole and no other. */
static inline void stream_recv(const struct stream *s, struct end *pull, struct relay *r, uint32_t last)
{
    uint32_t *got = malloc(s->end * sizeof *got), from = atomic_load(&r->received), count = from;

    ck_assert_ptr_nonnull(got);
    for (;;) {
        uint32_t n = stream_recv_one(s, pull, r);

        must(count == from || n > got[count - 1], "message %u comes after %u", n, got[count - 1]);
        got[count++] = n;
        atomic_store(&r->received, count);
        if (n == last)
            break;
    }
    /* The relay counts what it wrote after it has. */
    eventually(atomic_load(&r->written.count) >= count);
    for (uint32_t i = from; i < count; i++)
        must(got[i] == r->written.whole[i].n, "message %u of connection %u was written, and is not there",
             r->written.whole[i].n, r->written.whole[i].connection);
    free(got);
}

/* What the relay read: each once and in order; `queue` at most are missing from connection to connection. */
static inline void stream_check_read(const struct relay *r, uint32_t queue)
{
    struct seen last = {.n = UINT32_MAX};

    for (uint32_t i = 0; i < r->read.count; i++) {
        struct seen now = r->read.whole[i];
        uint32_t missing = now.n - (last.n + 1);
        uint64_t most = (uint64_t)queue * (now.connection - last.connection);

        must(i == 0 || now.n > last.n, "message %u was sent after %u", now.n, last.n);
        must(missing <= most, "%u messages before %u of connection %u were not sent", missing, now.n, now.connection);
        last = now;
    }
}

/* PUSH whose kernel does not take much at a time, and which comes back at once. */
static inline struct end open_push(const struct library *lib)
{
    struct end push = open_end(lib, ZMQ_PUSH);

    end_set_int(&push, ZMQ_SNDBUF, BUFFER);
    end_set_int(&push, ZMQ_RECONNECT_IVL, 1);
    return push;
}

#endif
