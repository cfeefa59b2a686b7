/*
 * The table of peer.h for a library with the API of ZeroMQ. The including file defines
 *   F(name)  a function or type: sifr_##name    K(name)  a constant: SIFR_##name
 *   HAS_POLLERS  what fills the slot wait_kept, if there is such a thing
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

struct peer {
    void *socket;
    F(msg_t) msg; /* received last */
};

struct message {
    F(msg_t) msg;
};

/* The result of a call, which ends the program if it failed. */
#define OK(call) ok((call), #call)

static int ok(int rc, const char *call)
{
    if (rc == -1)
        die("%s: %s", call, F(strerror)(errno));
    return rc;
}

static void *begin(int sockets)
{
    void *ctx = F(ctx_new)();

    if (!ctx)
        die("no context: %s", F(strerror)(errno));
    if (sockets > 1000)
        OK(F(ctx_set)(ctx, K(MAX_SOCKETS), sockets + 100));
    return ctx;
}

static void end(void *ctx)
{
    OK(F(ctx_term)(ctx));
}

static struct peer *open_peer(void *ctx, enum peer_type type, int hwm)
{
    static const int types[PEER_TYPES] = {
        [PEER_PUSH] = K(PUSH),     [PEER_PULL] = K(PULL),     [PEER_REQ] = K(REQ),
        [PEER_REP] = K(REP),       [PEER_DEALER] = K(DEALER), [PEER_ROUTER] = K(ROUTER),
        [PEER_PUB] = K(PUB),       [PEER_SUB] = K(SUB),
    };
    struct peer *p = calloc(1, sizeof *p);

    if (!p || !(p->socket = F(socket)(ctx, types[type])))
        die("no socket: %s", F(strerror)(errno));
    OK(F(msg_init)(&p->msg));
    if (hwm >= 0) {
        OK(F(setsockopt)(p->socket, K(SNDHWM), &hwm, sizeof hwm));
        OK(F(setsockopt)(p->socket, K(RCVHWM), &hwm, sizeof hwm));
    }
    return p;
}

static void close_peer(struct peer *p)
{
    int none = 0; /* whoever closes has what it wanted */

    OK(F(msg_close)(&p->msg));
    OK(F(setsockopt)(p->socket, K(LINGER), &none, sizeof none));
    OK(F(close)(p->socket));
    free(p);
}

static void bind_peer(struct peer *p, char endpoint[PEER_ENDPOINT])
{
    size_t room = PEER_ENDPOINT;

    OK(F(bind)(p->socket, endpoint));
    OK(F(getsockopt)(p->socket, K(LAST_ENDPOINT), endpoint, &room));
}

static void dial(struct peer *p, const char *endpoint)
{
    OK(F(connect)(p->socket, endpoint));
}

static void set_text(struct peer *p, int option, const char *text)
{
    OK(F(setsockopt)(p->socket, option, text, strlen(text)));
}

static void secure(struct peer *p, bool server)
{
    int yes = 1;

    if (!F(has)("curve"))
        unsupported("it was built without CURVE");
    if (server) {
        OK(F(setsockopt)(p->socket, K(CURVE_SERVER), &yes, sizeof yes));
        set_text(p, K(CURVE_SECRETKEY), "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6");
        return;
    }
    set_text(p, K(CURVE_SERVERKEY), "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7");
    set_text(p, K(CURVE_PUBLICKEY), "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
    set_text(p, K(CURVE_SECRETKEY), "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs");
}

static void nodrop(struct peer *p)
{
    int yes = 1;

    OK(F(setsockopt)(p->socket, K(XPUB_NODROP), &yes, sizeof yes));
}

static void subscribe(struct peer *p, const void *prefix, size_t size)
{
    OK(F(setsockopt)(p->socket, K(SUBSCRIBE), prefix, size));
}

static int send_frame(struct peer *p, const void *data, size_t size, int flags)
{
    int how = (flags & PEER_DONTWAIT ? K(DONTWAIT) : 0) | (flags & PEER_MORE ? K(SNDMORE) : 0);

    if (F(send)(p->socket, data, size, how) != -1)
        return 0;
    if (errno != EAGAIN)
        OK(-1);
    return -1;
}

static ssize_t recv_frame(struct peer *p, const void **data, int flags)
{
    int size = F(msg_recv)(&p->msg, p->socket, flags & PEER_DONTWAIT ? K(DONTWAIT) : 0);

    if (size == -1 && errno != EAGAIN)
        OK(-1);
    if (size != -1)
        *data = F(msg_data)(&p->msg);
    return size;
}

static bool more(struct peer *p)
{
    return F(msg_more)(&p->msg);
}

static struct message *keep(struct peer *p)
{
    struct message *m = calloc(1, sizeof *m);

    if (!m)
        die("out of memory");
    OK(F(msg_init)(&m->msg));
    OK(F(msg_move)(&m->msg, &p->msg));
    return m;
}

static void drop(struct message *m)
{
    OK(F(msg_close)(&m->msg));
    free(m);
}

static void wait_peers(struct peer *const peers[], int n)
{
    static _Thread_local F(pollitem_t) *items;
    static _Thread_local struct peer *const *listed;

    if (listed != peers) { /* one list a thread, which does not change */
        free(items);
        items = calloc((size_t)n, sizeof *items);
        if (!items)
            die("out of memory");
        for (int i = 0; i < n; i++) {
            items[i].socket = peers[i]->socket;
            items[i].events = K(POLLIN);
        }
        listed = peers;
    }
    OK(F(poll)(items, n, -1));
}

static void forward(char in[PEER_ENDPOINT], char out[PEER_ENDPOINT], void (*ready)(void))
{
    void *ctx = begin(2);
    struct peer *front = open_peer(ctx, PEER_PULL, -1), *back = open_peer(ctx, PEER_PUSH, -1);

    bind_peer(front, in);
    bind_peer(back, out);
    ready();
    OK(F(proxy)(front->socket, back->socket, NULL));
}

#ifndef HAS_POLLERS
#define HAS_POLLERS NULL
#endif

#define ZEROMQ_TABLE(library) \
    { \
        .name = library, .begin = begin, .end = end, .open = open_peer, .close = close_peer, \
        .secure = secure, \
        .bind = bind_peer, .dial = dial, .nodrop = nodrop, .subscribe = subscribe, \
        .send = send_frame, .recv = recv_frame, .more = more, .keep = keep, .drop = drop, \
        .wait = wait_peers, .wait_kept = HAS_POLLERS, .forward = forward, \
    }
