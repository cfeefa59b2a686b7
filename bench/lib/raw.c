/*
 * Plain blocking sockets, for the benchmarks: what the machine gives to whoever moves the same
 * framed bytes, in batches of 64 KiB where a stream allows it, and does nothing else.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "peer.h"

enum {
    BATCH = 65536,      /* bytes that are written at once, and read */
    PUB_BATCH = 131072, /* what a PUB writes at once: of several sizes the fastest to many */
    LARGE = 16384,      /* a frame of this size is not copied into the batch */
    HEADER_MAX = 9,     /* as ZMTP has it: flags and a length of 1 or 8 bytes */
    LONG_FRAME = 2,
};

struct peer {
    enum peer_type type;
    int listener; /* -1: it dials */
    int *fds;     /* the connections */
    int n;

    uint8_t *out; /* batch bytes, the first filled of them in use */
    size_t batch, filled;

    uint8_t *in; /* room bytes, of which those from pos to end are unread */
    size_t room, pos, end;

    /* A SUB, of which one thread reads many, has `in` only while it is being read out. */
    uint8_t *rest; /* what of a frame there was then, rest_size bytes */
    size_t rest_size, rest_room;
    bool ready;    /* there may be something to be read */
};

/* What SUBs have read out is filled next for another: so it stays in the cache. */
static uint8_t *spare;
static size_t spare_room;

static int checked(int rc, const char *what)
{
    if (rc < 0)
        die("%s: %s", what, strerror(errno));
    return rc;
}

static void *more_room(void *old, size_t size)
{
    void *new = realloc(old, size);

    if (!new)
        die("out of memory");
    return new;
}

static void *begin(int sockets)
{
    (void)sockets;
    return NULL;
}

static void end(void *ctx)
{
    (void)ctx;
}

static struct peer *open_peer(void *ctx, enum peer_type type, int hwm)
{
    struct peer *p = calloc(1, sizeof *p);

    (void)ctx;
    (void)hwm;
    if (type == PEER_DEALER || type == PEER_ROUTER)
        unsupported("raw sockets have no addressees");
    if (!p)
        die("out of memory");
    p->type = type;
    p->listener = -1;
    p->batch = type == PEER_PUB ? PUB_BATCH : BATCH;
    p->room = BATCH;
    if (type != PEER_SUB) {
        p->out = more_room(NULL, p->batch);
        p->in = more_room(NULL, p->room);
    }
    return p;
}

static void close_peer(struct peer *p)
{
    for (int i = 0; i < p->n; i++)
        close(p->fds[i]);
    if (p->listener >= 0)
        close(p->listener);
    free(p->fds);
    free(p->out);
    free(p->in);
    free(p->rest);
    free(p);
}

/* An address that is written as the libraries write it. Returns its size. */
static socklen_t parse(struct sockaddr_storage *address, const char *endpoint)
{
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    struct sockaddr_un *un = (struct sockaddr_un *)address;
    const char *path = endpoint + strlen("ipc://");

    memset(address, 0, sizeof *address);
    if (strncmp(endpoint, "tcp://127.0.0.1:", 16) == 0) {
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        in->sin_port = htons((uint16_t)atoi(endpoint + 16));
        return sizeof *in;
    }
    if (strncmp(endpoint, "ipc://", 6) != 0)
        unsupported("raw sockets have tcp and ipc");
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, strnlen(path, sizeof un->sun_path - 1));
    return sizeof *un;
}

static void bind_peer(struct peer *p, char endpoint[PEER_ENDPOINT])
{
    struct sockaddr_storage address;
    socklen_t size = parse(&address, endpoint);

    p->listener = checked(socket(address.ss_family, SOCK_STREAM, 0), "socket");
    checked(bind(p->listener, (struct sockaddr *)&address, size), endpoint);
    checked(listen(p->listener, SOMAXCONN), "listen");
    if (address.ss_family == AF_INET) {
        checked(getsockname(p->listener, (struct sockaddr *)&address, &size), "getsockname");
        snprintf(endpoint, PEER_ENDPOINT, "tcp://127.0.0.1:%d",
                 ntohs(((struct sockaddr_in *)&address)->sin_port));
    }
}

static void add(struct peer *p, int fd)
{
    int yes = 1;

    p->fds = more_room(p->fds, (size_t)(p->n + 1) * sizeof *p->fds);
    p->fds[p->n++] = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* ipc has no need of it */
}

static void dial(struct peer *p, const char *endpoint)
{
    struct sockaddr_storage address;
    socklen_t size = parse(&address, endpoint);
    int fd = checked(socket(address.ss_family, SOCK_STREAM, 0), "socket");

    checked(connect(fd, (struct sockaddr *)&address, size), endpoint);
    add(p, fd);
}

static void subscribe(struct peer *p, const void *prefix, size_t size)
{
    (void)p;
    (void)prefix;
    (void)size;
}

/* Takes in who has come; all but PUB, which serves whoever is there, wait for the first. */
static void meet(struct peer *p)
{
    struct pollfd waiting = {.fd = p->listener, .events = POLLIN};

    if (p->listener < 0)
        return;
    while (p->type == PEER_PUB ? poll(&waiting, 1, 0) > 0 : p->n == 0)
        add(p, checked(accept(p->listener, NULL, NULL), "accept"));
}

static void write_all(const struct peer *p, int fd, const void *head, size_t head_size,
                      const void *body, size_t size)
{
    struct iovec parts[2] = {{(void *)head, head_size}, {(void *)body, size}}, *part = parts;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = size ? 2 : 1};

    while (message.msg_iovlen > 0) {
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);

        if (n < 0 && p->type == PEER_PUB && (errno == ECONNRESET || errno == EPIPE))
            return; /* a subscriber that has all may go: what is missed it would have said */
        if (n < 0)
            die("send: %s", strerror(errno));
        while (message.msg_iovlen > 0 && (size_t)n >= part->iov_len) {
            n -= (ssize_t)part->iov_len;
            message.msg_iov = ++part;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0) {
            part->iov_base = (char *)part->iov_base + n;
            part->iov_len -= (size_t)n;
        }
    }
}

static void flush(struct peer *p)
{
    if (p->filled > 0)
        for (int i = 0; i < p->n; i++)
            write_all(p, p->fds[i], p->out, p->filled, NULL, 0);
    p->filled = 0;
}

static size_t put_header(uint8_t *at, size_t size)
{
    at[0] = size > 255 ? LONG_FRAME : 0;
    if (size <= 255) {
        at[1] = (uint8_t)size;
        return 2;
    }
    for (int i = 0; i < 8; i++)
        at[1 + i] = (uint8_t)(size >> (56 - 8 * i));
    return HEADER_MAX;
}

static int send_frame(struct peer *p, const void *data, size_t size, int flags)
{
    uint8_t header[HEADER_MAX];
    size_t n;

    if (flags & PEER_MORE)
        unsupported("raw sockets have no frames");
    if (p->filled + HEADER_MAX + size > p->batch)
        flush(p);
    if (p->n == 0 || (p->type == PEER_PUB && !(flags & PEER_STREAM)))
        meet(p);
    if (size < LARGE) {
        p->filled += put_header(p->out + p->filled, size);
        memcpy(p->out + p->filled, data, size);
        p->filled += size;
    } else {
        flush(p);
        n = put_header(header, size);
        for (int i = 0; i < p->n; i++)
            write_all(p, p->fds[i], header, n, data, size);
    }
    if (!(flags & PEER_STREAM))
        flush(p);
    return 0;
}

/* The bytes of the frame at pos: 0 if its header is not there yet. */
static size_t frame(const struct peer *p, size_t *header)
{
    const uint8_t *at = p->in + p->pos;
    size_t have = p->end - p->pos, size = 0;

    *header = have > 0 && at[0] & LONG_FRAME ? HEADER_MAX : 2;
    if (have < *header)
        return 0;
    if (*header == 2)
        return 2 + (size_t)at[1];
    for (int i = 0; i < 8; i++)
        size = size << 8 | at[1 + i];
    return HEADER_MAX + size;
}

/* Gives a SUB the buffer, with what it has kept of a frame. */
static void borrow(struct peer *p)
{
    if (p->in)
        return;
    p->in = spare ? spare : more_room(NULL, BATCH);
    p->room = spare ? spare_room : BATCH;
    spare = NULL;
    memcpy(p->in, p->rest, p->rest_size);
    p->pos = 0;
    p->end = p->rest_size;
}

static void give_back(struct peer *p)
{
    size_t n = p->end - p->pos;

    if (n > p->rest_room) {
        p->rest = more_room(p->rest, n);
        p->rest_room = n;
    }
    memcpy(p->rest, p->in + p->pos, n);
    p->rest_size = n;
    free(spare);
    spare = p->in;
    spare_room = p->room;
    p->in = NULL;
    p->pos = p->end = 0;
}

static ssize_t recv_frame(struct peer *p, const void **data, int flags)
{
    size_t header, size;
    ssize_t n;

    meet(p);
    if (p->type == PEER_SUB && !p->in && !p->ready && flags & PEER_DONTWAIT)
        return -1;
    borrow(p);
    for (;;) {
        size = frame(p, &header);
        if (size > 0 && size <= p->end - p->pos)
            break;
        if (p->type == PEER_SUB && !p->ready && flags & PEER_DONTWAIT) {
            give_back(p);
            return -1;
        }
        if (p->pos > 0) {
            memmove(p->in, p->in + p->pos, p->end - p->pos);
            p->end -= p->pos;
            p->pos = 0;
        }
        if (size > p->room) {
            p->in = more_room(p->in, size);
            p->room = size;
        }
        /* Of a large frame just the rest, so that nothing behind it has to be moved. */
        n = recv(p->fds[0], p->in + p->end, (size > BATCH ? size : p->room) - p->end,
                 flags & PEER_DONTWAIT ? MSG_DONTWAIT : 0);
        p->ready = n > 0 && (size_t)n == p->room - p->end; /* less: all that there was */
        if (n < 0 && errno == EAGAIN && p->type == PEER_SUB)
            give_back(p);
        if (n < 0 && errno == EAGAIN)
            return -1;
        if (n <= 0)
            die("recv: %s", n ? strerror(errno) : "the other side has gone");
        p->end += (size_t)n;
    }
    *data = p->in + p->pos + header;
    p->pos += size;
    return (ssize_t)(size - header);
}

static void wait_peers(struct peer *const peers[], int n)
{
    static _Thread_local struct epoll_event *events;
    static _Thread_local struct peer *const *listed;
    static _Thread_local int set = -1;
    int found;

    if (listed != peers) { /* one list a thread, which does not change */
        if (set >= 0)
            close(set);
        set = checked(epoll_create1(0), "epoll_create1");
        events = more_room(events, (size_t)n * sizeof *events);
        for (int i = 0; i < n; i++) {
            meet(peers[i]);
            events->events = EPOLLIN;
            events->data.ptr = peers[i];
            checked(epoll_ctl(set, EPOLL_CTL_ADD, peers[i]->fds[0], events), "epoll_ctl");
        }
        listed = peers;
    }
    for (int i = 0; i < n; i++) {
        size_t header, size = frame(peers[i], &header);

        if (size > 0 && size <= peers[i]->end - peers[i]->pos)
            return;
    }
    found = checked(epoll_wait(set, events, n, -1), "epoll_wait");
    for (int i = 0; i < found; i++)
        ((struct peer *)events[i].data.ptr)->ready = true;
}

const struct peer_lib peer_raw = {
    .name = "raw", .begin = begin, .end = end, .open = open_peer, .close = close_peer,
    .bind = bind_peer, .dial = dial, .subscribe = subscribe, .send = send_frame, .flush = flush,
    .recv = recv_frame, .wait = wait_peers,
};
