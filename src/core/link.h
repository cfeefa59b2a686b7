#ifndef SF_CORE_LINK_H
#define SF_CORE_LINK_H

#include <stdatomic.h>

#include "patterns/pattern.h"
#include "wire/pipe.h"

struct sifr_socket;
struct sf_conn;
struct sf_member;

/* What may have happened to a link; bits of sf_link.events. */
enum {
    SF_EVENT_ATTACH = 1,    /* it is new: the socket has not seen it */
    SF_EVENT_CHANGED = 2,   /* `joins` or `up` changed */
    SF_EVENT_READABLE = 4,  /* its in-pipe was empty and is not */
    SF_EVENT_WRITABLE = 8,  /* its out-pipe was full and is not */
    SF_EVENT_ENDED = 16,    /* nothing will be sent or arrive any more */
    SF_EVENT_LEASED = 32,   /* its connection's reading is the socket's now: lease.h */
    SF_EVENT_RECLAIM = 64,  /* the loop wants that back */
    SF_EVENT_RENEWED = 128, /* inproc: the other side lost something and is to be told all again */
    SF_EVENT_DEAD = 1 << 30 /* detached: whatever comes is ignored */
};

enum { SF_LINK_NEW, SF_LINK_ATTACHED, SF_LINK_PARKED, SF_LINK_GONE }; /* sf_link.place */

/*
 * What ties a socket to one partner: the pattern's view of it, two pipes, and
 * the way to whoever moves their bytes (a connection's loop, or for inproc the
 * other socket's link). Counted: the socket, the connection, the other link
 * and the inbox hold references.
 */
struct sf_link {
    struct sf_peer peer; /* first; the socket's, under its turn */
    struct sifr_socket *socket; /* shares */
    /* Each shares; sf_pipe_none until the first message, when who writes there puts one in its place. */
    _Atomic(struct sf_pipe *) in, out;
    struct sf_conn *conn;       /* shares; NULL for inproc */
    struct sf_member *member;   /* owns; of a crowd (crowd.c), or NULL; the socket's, under its turn */
    _Atomic uint32_t refs;

    /* Inbox: posted by anybody, taken in by whoever has the socket's turn. */
    _Atomic uint32_t events;
    struct sf_link *next_event; /* the poster's until it is in the inbox, then the taker's */

    /* Written by the connection's loop before it posts, or by the other inproc socket. */
    _Atomic uint32_t joins; /* handshakes completed, ever */
    _Atomic int up;         /* the connection stands */

    _Atomic uint64_t unheard; /* messages for a socket that takes none; who reads the stream adds */

    /* The socket's, under its turn. */
    /* inproc: shares; set once under ctx.lock, when both ends exist; cleared under the turn and ctx.lock. */
    _Atomic(struct sf_link *) other;
    struct sf_list finish;   /* in the socket's list of links to detach */
    struct sf_list parked;   /* in sifr_socket.parked */
    struct sf_list counted;  /* in sifr_socket.counts */
    uint32_t joins_seen;
    uint8_t place;           /* SF_LINK_... */
    bool finished;           /* it is in the list of `finish` */
    bool direct;             /* the socket may write by itself: to a connection */
    bool lease_asked;        /* of the connection that stands now */
    bool bound_end;          /* inproc: made by the other side's connect */
    bool orphan;             /* inproc: waits for a bind without its socket; under ctx.lock */
    bool met;                /* inproc: there is, or was, another end; set under ctx.lock */
    uint32_t learnt_size;    /* inproc: bytes of `learnt` */
    union {
        struct { /* with a connection */
            struct sf_list leased; /* in sifr_socket.leases */
            size_t unflushed;      /* bytes put since the socket last wrote by itself */
        };
        struct { /* inproc */
            struct sf_list pending; /* in sifr_ctx.pending, under its lock */
            uint64_t orphan_until;  /* ms of sf_clock_ms: and no longer than that; UINT64_MAX: for ever */
            uint8_t *learnt;        /* owns; the binder's routing id, under ctx.lock until CHANGED */
            char *name;             /* owns; the name that was connected to, else NULL */
        };
    };
};

int sf_link_new(struct sf_link **out, struct sifr_socket *s); /* no pipes yet; 0 or -ENOMEM */
int sf_link_connect(struct sf_link *l, struct sf_conn *c); /* gives it its connection; 0 or -ENOMEM */
/*
 * Makes a pipe where there is none yet, of one with a connection: for who fills
 * the in-pipe / for the socket, under its turn. 0 or -ENOMEM.
 */
int sf_link_need_in(struct sf_link *l);
int sf_link_need_out(struct sf_link *l);
struct sf_link *sf_link_ref(struct sf_link *l);
void sf_link_unref(struct sf_link *l);

static inline struct sf_link *sf_link_of(struct sf_peer *p)
{
    return SF_CONTAINER(p, struct sf_link, peer);
}

/* Tells whoever moves the bytes of the out-pipe, or reads them, that there are some. */
void sf_link_wake_reader(struct sf_link *l);

/* The same for whoever fills the in-pipe: there is room. */
void sf_link_wake_writer(struct sf_link *l);

/* After sf_pipe_get_quick from the in-pipe: does so if it is due. */
void sf_link_taken(struct sf_link *l);

/* Something that is not the crowd's is to stand in the out-pipe of a member next (crowd.c). */
void sf_crowd_step_aside(struct sf_member *m);

/* Tells the link's socket of events. Any thread, whatever turn it holds. */
void sf_link_post(struct sf_link *l, uint32_t events);

#endif
