#ifndef SF_CORE_SOCKET_H
#define SF_CORE_SOCKET_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fork.h"
#include "base/list.h"
#include "base/park.h"
#include "base/rare.h"
#include "base/turn.h"
#include "core/counters.h"
#include "core/ctx.h"
#include "core/link.h"
#include "core/option.h"
#include "core/pace.h"
#include "patterns/pattern.h"

/* What an open handle carries: a copy of its bytes elsewhere does not pass for one. */
static inline uint64_t sf_socket_tag(const void *p)
{
    return (uint64_t)(uintptr_t)p ^ 0x51f45c715f1ab7e3;
}

struct sf_listener;
struct sf_monitor;

/* Whether to look again for a while before a sleep: lease.c. */
struct sf_spin {
    unsigned skip, next; /* waits that will not; how many the next failure adds */
    unsigned calm;       /* looks in a row after which nobody else had the core */
    unsigned trust;      /* waits whose first look is not timed */
};

/* What bind and connect made; in sifr_socket.endpoints. */
struct sf_endpoint_entry {
    struct sf_list node;
    const char *text;             /* the key for unbind and disconnect: `own`, or conn's */
    struct sf_listener *listener; /* shares, or NULL */
    struct sf_conn *conn;         /* shares, or NULL */
    struct sf_link *link;         /* shares, or NULL: of conn, or inproc's */
    bool inproc_bind;             /* `text` is a name bound in the context */
    char own[];
};

/*
 * Somebody who waits for several sockets at once: a thread in sifr_poll. It
 * takes the number of the rings as its ticket, looks at its sockets' marks, and
 * sleeps at the bell; or at descriptors, of which `fd` is one: then it stores
 * at_fd and looks whether the number still is its ticket. Who rings sets the
 * mark, counts the ring, then looks at at_fd. All are sequentially consistent,
 * so either the waiter sees the new number or the ringer sees at_fd.
 */
struct sf_waiter {
    struct sf_bell bell;
    int fd;            /* owns; an eventfd, or -1; fixed while at_fd is set */
    _Atomic int at_fd; /* it sleeps there and nobody has written yet */

    /* A poller's (poller.c), which does not look at all of its marks. */
    bool follows; /* and calls on its sockets mark too; fixed */
    _Atomic(struct sf_watcher *) marked; /* those that are, the newest first */
    struct sf_lock show_lock; /* guards the rest, and sf_watcher.shown; no other is taken inside */
    int show_fd;              /* owns; sifr_poller_fd: readable while n_shown > 0; or -1 */
    int n_shown;
};

/* What a waiter leaves at a socket. */
struct sf_watcher {
    struct sf_list node; /* in sifr_socket.watchers, under its lock; until the socket is closed */
    struct sf_waiter *waiter;
    _Atomic int rung;    /* the socket was rung; cleared by the waiter before it looks */
    struct sf_watcher *next_marked;
    bool shows;          /* a ring makes show_fd readable; under the socket's watch_lock */
    bool shown;          /* one has */
};

/* Why a call on a socket is to tell the pollers that have it; bits of sifr_socket.followed. */
enum {
    SF_FOLLOW_ASKED = 1, /* one has asked it, and takes the answer to stand until the next call */
    SF_FOLLOW_SHOWN = 2, /* a descriptor is readable because of it */
};

/* Who waits at a socket's leased descriptors; the others wait at their bells. */
enum {
    SF_POLLER_NONE,
    SF_POLLER_RECV, /* woken by wake_fd */
    SF_POLLER_SET,  /* one that watches the socket */
};

/*
 * A socket. The memory is never given back to the system while the process
 * lives, so that a stale handle can be told by its tag.
 */
struct sifr_socket {
    _Atomic uint64_t tag;   /* sf_socket_tag of the address while the handle is open */
    uint32_t generation;    /* of the process that made it */
    uint32_t birth;         /* how often this memory has become a socket; under the turn */
    _Atomic uint64_t calls; /* that may have changed what EVENTS says; stored under the turn */
    _Atomic uint32_t followed; /* SF_FOLLOW_...: the next call tells pollers; cleared under the turn */

    struct sf_turn turn;   /* guards all up to the next group */
    struct sf_socket base; /* what the pattern sees */
    struct sifr_ctx *ctx;  /* borrows: term waits for us */
    struct sf_options opt;
    struct sf_profile *profile; /* shares; a copy of `opt` as it is, or NULL */
    struct sf_list endpoints; /* struct sf_endpoint_entry */
    struct sf_list parked;    /* struct sf_link.parked */
    struct sf_pins *pins;     /* shares; fixed while the socket is open */
    size_t strays;            /* dead links that are in the inbox, or just on their way there */
    bool starved;             /* something in `parked` waits for memory alone */
    struct sf_list finished;  /* struct sf_link.finish: to be detached when no slot runs */
    bool extra;               /* none of MAX_SOCKETS */
    bool rcvmore;
    bool sndmore; /* a multipart message is being sent */
    struct sf_list leases;   /* struct sf_link.leased */
    int n_leases;
    uint32_t lease_calls;    /* calls that have used them */
    int fruitless;           /* looks in vain that did not wait, since one was not, or a wait */
    bool news;               /* others may be waiting for what was read: leave tells them */
    bool ticks_rest;         /* a lease's timer rests, and is to be started by who waited */
    struct sf_spin spin;      /* of a recv */
    struct sf_spin send_spin; /* of a send that has no room */
    struct sf_pace pace;      /* of what a recv at leased descriptors waits for */
    uint64_t slept_at;        /* messages that those had brought, when it slept last */
    int n_inproc;             /* of the peers */
    unsigned rush;            /* how often a recv waited for an inproc partner that is hardly slower */
    uint64_t rush_ns;         /* when the last such wait ended, */
    uint64_t rush_calls;      /* and `calls` then */
    int wake_fd;             /* owns; wakes the recv at the leased descriptors; -1 until needed */
    bool asked;              /* has written by itself and not read since: what it waits for is on its way */
    uint64_t write_end_ns;   /* when the socket last ended a write of its own that followed another */
    uint64_t write_call;     /* `calls` when one last wrote to an idle peer */
    unsigned wrote;          /* to how many that one did */
    uint64_t help_call;      /* `calls` when one wrote for a full queue of a fan-out */
    unsigned helped;         /* how often that one did */
    unsigned stays;          /* times that it will not give way to a loop that seals */
    unsigned streak;         /* sends in a row that came right after one */
    char *last_endpoint; /* owns, or NULL */
    char *next_endpoint; /* owns; a copy of the text that will be that if all goes well, or NULL */

    struct sf_list node; /* in sifr_ctx.sockets, under its lock; in the pool when free */

    /* Any thread. */
    _Atomic uint32_t refs;            /* the handle, each link, connection, listener; each call inside */
    _Atomic(struct sf_link *) inbox;  /* posted links, newest first */
    struct sf_bell bell;              /* rung after each post */
    _Atomic int closed;
    _Atomic int fd;                   /* SIFR_FD, or -1 until asked for */
    _Atomic int fd_rung;              /* it may be readable */
    _Atomic int n_watchers;
    _Atomic int lease_poller;         /* SF_POLLER_...; taken under the turn */
    struct sf_lock watch_lock;        /* guards watchers; makes a post and its write to fd one */
    struct sf_list watchers;
    _Atomic int hwm[2];               /* SNDHWM and RCVHWM, for inproc peers and for those who make pipes */
    struct sf_count_sum counts;       /* and base.drops: sf_socket_counters */
    struct sf_lock monitor_lock;      /* guards monitor */
    struct sf_monitor *monitor;       /* owns, or NULL */
    _Atomic uint32_t monitored;       /* the events it wants */
    _Atomic(struct sf_task *) hook;   /* run in hook_loop at each post: a monitor's; set under watch_lock */
    struct sf_loop *hook_loop;
};

/* An option changes. */
void sf_socket_forget_profile(struct sifr_socket *s);

/*
 * Checks the handle and takes the socket: 0, or -ENOTSOCK, -EINTR (in a forked
 * child), -ETERM. What waits in the inbox has been taken in.
 */
int sf_socket_enter(sifr_socket_t *s);

/* The same for who only looks: does not count in `calls`. */
int sf_socket_visit(sifr_socket_t *s);

/* Gives the turn back; then takes in what came meanwhile, and runs due free functions. */
void sf_socket_leave(sifr_socket_t *s);

/* Only the check: 0, -ENOTSOCK, -EINTR. */
static inline int sf_socket_check(sifr_socket_t *s);

/* Takes in what was posted. With the turn. */
void sf_socket_take_in(struct sifr_socket *s);

/* For loops: takes in if the turn is free; else its holder will. */
void sf_socket_try(struct sifr_socket *s);

/* Wakes whoever waits for the socket. Any thread. */
void sf_socket_ring(struct sifr_socket *s);

/* From now on a ring marks the watcher and wakes its waiter. With the turn; look after it. */
void sf_socket_watch(struct sifr_socket *s, struct sf_watcher *w);

/* No more. Any thread, even when the socket has been closed meanwhile. */
void sf_socket_unwatch(struct sifr_socket *s, struct sf_watcher *w);

/* poller.c: a ring / a call tells the pollers' watchers of the socket. With its watch_lock / its turn. */
void sf_poller_rung(struct sifr_socket *s, struct sf_watcher *w);
void sf_poller_called(struct sifr_socket *s);

/* Marks the watcher and wakes its waiter. With the watch_lock of the socket. */
void sf_watcher_ring(struct sf_watcher *w);

/*
 * The caller waits at the leased descriptors no longer: others look for
 * themselves, and one of them takes its place. With a reference, no turn.
 */
void sf_socket_pass_on(struct sifr_socket *s);

/* Puts a link with news into the inbox (takes over a reference) and wakes whoever waits. Any thread. */
void sf_socket_post(struct sifr_socket *s, struct sf_link *l);

/* Takes in what was posted and leaves SIFR_FD unreadable until there is more. With the turn. */
void sf_socket_hush(struct sifr_socket *s);

struct sifr_socket *sf_socket_ref(struct sifr_socket *s);
void sf_socket_unref(struct sifr_socket *s);

/* Detaches the link for good, with what is unread in it. With the turn, outside of slots. */
void sf_socket_detach(struct sifr_socket *s, struct sf_link *l);

/* The same for one that the socket has no reference to: it was never attached, nor will it be. */
void sf_socket_abandon(struct sifr_socket *s, struct sf_link *l);

/* Attaches a link that is new, or parks it. With the turn, outside of slots. 0 or -ENOMEM. */
int sf_socket_attach(struct sifr_socket *s, struct sf_link *l);

/* SIFR_EVENTS. With the turn. */
int sf_socket_events(struct sifr_socket *s);

/* Around a fork: the child must not find the pool half changed, nor held by a thread it has not. */
void sf_socket_pool_hold(void);
void sf_socket_pool_release(void);

/* Frees what sifr_poll keeps for the calling thread. poll.c */
void sf_poll_forget(void);

/* Makes and opens a socket for the library's own use: counts, has a handle. */
int sf_socket_new(struct sifr_socket **out, struct sifr_ctx *ctx, int type);
/* The same, but none of the context's MAX_SOCKETS: for what its user did not ask for. */
int sf_socket_new_extra(struct sifr_socket **out, struct sifr_ctx *ctx, int type);

/* One frame, without waiting. With the turn. 0, -EAGAIN, ... */
int sf_socket_send_now(struct sifr_socket *s, struct sf_msg *m, bool more, bool wait);

/* inproc.c. With the turn of `s`. */
int sf_inproc_bind(struct sifr_socket *s, const char *name, struct sf_list *met);
int sf_inproc_connect(struct sifr_socket *s, const char *name, struct sf_link **out);
void sf_inproc_nudge(struct sf_link *l);   /* with no turn: lets the other side take in what it was told */
void sf_inproc_nudge_all(struct sf_list *met); /* the same for what bind met; gives the references back */
void sf_inproc_unbind(struct sifr_socket *s, const char *name);
void sf_inproc_end(struct sf_link *l);    /* tells the other side that this link is gone */
/* The same when the socket lets go of it: what it has sent waits `linger` ms for a bind. */
void sf_inproc_leave(struct sf_link *l, int linger);
bool sf_inproc_bound(struct sifr_ctx *ctx, const char *name); /* somebody is bound to the name */
void sf_inproc_forget(struct sifr_ctx *ctx); /* shutdown: nobody will bind any more */

static inline int sf_socket_check(sifr_socket_t *s)
{
    /* Any pointer may come: one that is not aligned is none of ours, and its tag all that is read. */
    if (SF_RARE(!s || (uintptr_t)s % _Alignof(struct sifr_socket) ||
                atomic_load_explicit(&s->tag, memory_order_acquire) != sf_socket_tag(s)))
        return -ENOTSOCK;
    return SF_RARE(!sf_fork_same(s->generation)) ? -EINTR : 0;
}

#endif
