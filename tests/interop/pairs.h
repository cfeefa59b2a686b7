/* Every pair of socket types that understand each other, and what the two exchange. */
#ifndef SIFR_TESTS_PAIRS_H
#define SIFR_TESTS_PAIRS_H

#include "sides.h"

static const size_t sizes[] = {0, 1, 255, 256, 8192, 65536, 1048576};

static const struct {
    const char *name;
    int a, b; /* a sends first */
    bool answers;
} pairs[] = {
    {"REQ-REP", ZMQ_REQ, ZMQ_REP, true},
    {"REQ-ROUTER", ZMQ_REQ, ZMQ_ROUTER, true},
    {"DEALER-REP", ZMQ_DEALER, ZMQ_REP, true},
    {"DEALER-ROUTER", ZMQ_DEALER, ZMQ_ROUTER, true},
    {"DEALER-DEALER", ZMQ_DEALER, ZMQ_DEALER, true},
    {"ROUTER-ROUTER", ZMQ_ROUTER, ZMQ_ROUTER, true},
    {"PUB-SUB", ZMQ_PUB, ZMQ_SUB, false},
    {"PUB-XSUB", ZMQ_PUB, ZMQ_XSUB, false},
    {"XPUB-SUB", ZMQ_XPUB, ZMQ_SUB, false},
    {"XPUB-XSUB", ZMQ_XPUB, ZMQ_XSUB, true},
    {"PUSH-PULL", ZMQ_PUSH, ZMQ_PULL, false},
    {"PAIR-PAIR", ZMQ_PAIR, ZMQ_PAIR, true},
};

struct party {
    struct end end;
    int type, peer_type;
    const char *peer; /* its routing id */
};

/* What stands before the body of a message to, or from, the peer. */
static inline bool has_id(const struct party *p)
{
    return p->type == ZMQ_ROUTER;
}

static inline bool has_delimiter(const struct party *p)
{
    return (p->type == ZMQ_ROUTER && p->peer_type == ZMQ_REQ) || (p->type == ZMQ_DEALER && p->peer_type == ZMQ_REP);
}

static inline void send_envelope(struct party *p)
{
    if (has_id(p))
        end_send(&p->end, p->peer, strlen(p->peer), ZMQ_SNDMORE);
    if (has_delimiter(p))
        end_send(&p->end, "", 0, ZMQ_SNDMORE);
}

static inline void recv_envelope(struct party *p)
{
    if (has_id(p))
        end_recv(&p->end, p->peer, strlen(p->peer), true);
    if (has_delimiter(p))
        end_recv(&p->end, "", 0, true);
}

/*
 * A body: "body", size bytes, an empty part, size bytes again. No part starts with 0 or 1, which libzmq would take for a
 * subscription wherever it stands in a message of XSUB.
 */
static inline void send_body(struct party *p, const void *bytes, size_t size)
{
    send_envelope(p);
    end_send(&p->end, "body", 4, ZMQ_SNDMORE);
    end_send(&p->end, bytes, size, ZMQ_SNDMORE);
    end_send(&p->end, "", 0, ZMQ_SNDMORE);
    end_send(&p->end, bytes, size, 0);
}

static inline void recv_body(struct party *p, const void *bytes, size_t size)
{
    recv_envelope(p);
    end_recv(&p->end, "body", 4, true);
    end_recv(&p->end, bytes, size, true);
    end_recv(&p->end, "", 0, true);
    end_recv(&p->end, bytes, size, false);
}

static inline void subscribe(struct party *p)
{
    if (p->type == ZMQ_SUB)
        end_set_text(&p->end, ZMQ_SUBSCRIBE, "");
    else if (p->type == ZMQ_XSUB)
        end_send(&p->end, "\1", 1, 0);
}

/* Until what a sends will reach b, and nothing sent to find out is left. */
static inline void await_peer(struct party *a, struct party *b)
{
    if (a->type == ZMQ_XPUB) {
        end_readable_within(&b->end, 0); /* a bound libzmq socket subscribes at its next call */
        while (!end_readable_within(&a->end, 1))
            end_readable_within(&b->end, 0);
        end_recv(&a->end, "\1", 1, false);
    } else if (a->type == ZMQ_PUB) {
        eventually(a->end.lib->send(a->end.socket, "sync", 4, 0) == 4 && end_readable_within(&b->end, 0));
        end_send(&a->end, "go", 2, 0);
        for (int n = 4; n != 2;) {
            n = b->end.lib->recv(b->end.socket, NULL, 0, 0);
            ck_assert(n == 4 || n == 2);
        }
    } else if (a->type == ZMQ_ROUTER) {
        end_set_int(&a->end, ZMQ_ROUTER_MANDATORY, 1);
        eventually(a->end.lib->send(a->end.socket, a->peer, strlen(a->peer), ZMQ_SNDMORE) >= 0);
        end_send(&a->end, "hello", 5, 0);
        recv_envelope(b);
        end_recv(&b->end, "hello", 5, false);
    }
}

static inline void send_number(struct party *p, int n)
{
    char text[16];

    send_body(p, text, (size_t)snprintf(text, sizeof text, "#%d", n));
}

static inline void recv_number(struct party *p, int n)
{
    char text[16];

    recv_body(p, text, (size_t)snprintf(text, sizeof text, "#%d", n));
}

static inline void exchange(struct party *a, struct party *b, bool answers, const void *bytes, size_t size)
{
    send_body(a, bytes, size);
    recv_body(b, bytes, size);
    if (answers) {
        send_body(b, bytes, size);
        recv_body(a, bytes, size);
    }
}

/* All that a pair can do, once they are joined. */
static inline void exchange_all(struct party *a, struct party *b, bool answers)
{
    uint8_t *bytes = malloc(1048576);

    ck_assert_ptr_nonnull(bytes);
    fill_bytes(bytes, 1048576, 2);
    subscribe(b);
    await_peer(a, b);
    for (int n = 0; n < COUNT(sizes); n++)
        exchange(a, b, answers, bytes, sizes[n]);
    if (a->type == ZMQ_REQ) { /* one at a time */
        for (int n = 0; n < 200; n++)
            exchange(a, b, true, &n, sizeof n);
    } else { /* many under way */
        int row = b->type == ZMQ_REP ? 1 : 200;

        for (int n = 0; n < 400; n += row) {
            for (int k = n; k < n + row; k++)
                send_number(a, k);
            for (int k = n; k < n + row; k++)
                recv_number(b, k);
            for (int k = n; k < n + row && answers; k++)
                send_number(b, k);
            for (int k = n; k < n + row && answers; k++)
                recv_number(a, k);
        }
    }
    ck_assert(!end_readable_within(&b->end, 0));
    free(bytes);
}

#endif
