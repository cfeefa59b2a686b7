/* nng, for the benchmarks. It speaks a protocol of its own. */
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

struct peer {
    nng_socket socket;
    nng_msg *msg; /* received last, or NULL */
    int fd;       /* readable when a message is there; -1: not asked for yet */
};

/* The result of a call, which ends the program if it failed. */
#define OK(call) ok((call), #call)

static void ok(int err, const char *call)
{
    if (err)
        die("%s: %s", call, nng_strerror(err));
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
    static int (*const opens[PEER_TYPES])(nng_socket *) = {
        [PEER_PUSH] = nng_push0_open, [PEER_PULL] = nng_pull0_open, [PEER_REQ] = nng_req0_open,
        [PEER_REP] = nng_rep0_open,   [PEER_PUB] = nng_pub0_open,   [PEER_SUB] = nng_sub0_open,
    };
    struct peer *p = calloc(1, sizeof *p);

    (void)ctx;
    if (!opens[type])
        unsupported("nng has no such socket");
    if (!p)
        die("out of memory");
    p->fd = -1;
    OK(opens[type](&p->socket));
    /* The marks of its own are of a few messages; of REQ and REP there are none to set. */
    if (hwm < 0)
        hwm = 1000;
    if (hwm > 8192 || hwm == 0)
        hwm = 8192; /* its largest */
    nng_socket_set_int(p->socket, NNG_OPT_SENDBUF, hwm);
    nng_socket_set_int(p->socket, NNG_OPT_RECVBUF, hwm);
    nng_socket_set_size(p->socket, NNG_OPT_RECVMAXSZ, 0);
    return p;
}

static void close_peer(struct peer *p)
{
    if (p->msg)
        nng_msg_free(p->msg);
    OK(nng_close(p->socket));
    free(p);
}

static void bind_peer(struct peer *p, char endpoint[PEER_ENDPOINT])
{
    char *star = strchr(endpoint, '*');
    nng_listener l;
    int port;

    if (star)
        *star = '0';
    OK(nng_listen(p->socket, endpoint, &l, 0));
    if (star) {
        OK(nng_listener_get_int(l, NNG_OPT_TCP_BOUND_PORT, &port));
        snprintf(star, (size_t)(endpoint + PEER_ENDPOINT - star), "%d", port);
    }
}

static void dial(struct peer *p, const char *endpoint)
{
    OK(nng_dial(p->socket, endpoint, NULL, NNG_FLAG_NONBLOCK)); /* as the others do it */
}

static void subscribe(struct peer *p, const void *prefix, size_t size)
{
    OK(nng_socket_set(p->socket, NNG_OPT_SUB_SUBSCRIBE, prefix, size));
}

static int send_frame(struct peer *p, const void *data, size_t size, int flags)
{
    int err;

    if (flags & PEER_MORE)
        unsupported("nng has no messages of several frames");
    err = nng_send(p->socket, (void *)data, size, flags & PEER_DONTWAIT ? NNG_FLAG_NONBLOCK : 0);
    if (err == NNG_EAGAIN)
        return -1;
    OK(err);
    return 0;
}

static ssize_t recv_frame(struct peer *p, const void **data, int flags)
{
    nng_msg *next;
    int err = nng_recvmsg(p->socket, &next, flags & PEER_DONTWAIT ? NNG_FLAG_NONBLOCK : 0);

    if (err == NNG_EAGAIN)
        return -1;
    OK(err);
    if (p->msg)
        nng_msg_free(p->msg);
    p->msg = next;
    *data = nng_msg_body(next);
    return (ssize_t)nng_msg_len(next);
}

static struct message *keep(struct peer *p)
{
    nng_msg *kept = p->msg;

    p->msg = NULL;
    return (struct message *)kept;
}

static void drop(struct message *m)
{
    nng_msg_free((nng_msg *)m);
}

static void wait_peers(struct peer *const peers[], int n)
{
    static _Thread_local struct pollfd *items;
    static _Thread_local struct peer *const *listed;

    if (listed != peers) { /* one list a thread, which does not change */
        free(items);
        items = calloc((size_t)n, sizeof *items);
        if (!items)
            die("out of memory");
        for (int i = 0; i < n; i++) {
            if (peers[i]->fd < 0)
                OK(nng_socket_get_int(peers[i]->socket, NNG_OPT_RECVFD, &peers[i]->fd));
            items[i].fd = peers[i]->fd;
            items[i].events = POLLIN;
        }
        listed = peers;
    }
    if (poll(items, (nfds_t)n, -1) < 0)
        die("poll");
}

static void forward(char in[PEER_ENDPOINT], char out[PEER_ENDPOINT], void (*ready)(void))
{
    struct peer front = {.fd = -1}, back = {.fd = -1};

    OK(nng_pull0_open_raw(&front.socket));
    OK(nng_push0_open_raw(&back.socket));
    bind_peer(&front, in);
    bind_peer(&back, out);
    ready();
    OK(nng_device(front.socket, back.socket));
}

const struct peer_lib peer_nng = {
    .name = "nng", .begin = begin, .end = end, .open = open_peer, .close = close_peer,
    .bind = bind_peer, .dial = dial, .subscribe = subscribe, .send = send_frame,
    .recv = recv_frame, .keep = keep, .drop = drop, .wait = wait_peers, .forward = forward,
};
