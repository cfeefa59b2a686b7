#ifndef SF_CORE_LISTENER_H
#define SF_CORE_LISTENER_H

#include "core/conn.h"

/* An address that is listened at, and the connections accepted there. Lives in one loop. */
struct sf_listener {
    _Atomic uint32_t refs; /* the endpoint's, the loop's, each connection's */
    struct sf_loop *loop;
    struct sifr_socket *socket; /* shares */
    struct sf_profile *profile; /* shares */
    char *text;                 /* owns; the resolved endpoint */
    struct sf_task start, end;  /* each posted once */
    int linger;                 /* of the close asked for; ms */
    struct sf_bell closed;      /* rung when the descriptor is closed */
    _Atomic int is_closed;

    /* The loop's. */
    struct sf_acceptor *acceptor; /* owns, or NULL */
    struct sf_watch watch;
    struct sf_timer pause;        /* after EMFILE and its like */
    struct sf_list conns;         /* struct sf_conn.node */
};

/*
 * Listens, but accepts nothing yet. 0 or what the transport's listen said; with a monitor, a failure
 * was reported as BIND_FAILED. What was made is to be started or discarded.
 */
int sf_listener_new(struct sf_listener **out, struct sifr_socket *s, struct sf_loop *loop,
                    struct sf_profile *profile, const struct sf_endpoint *e);

/* Begins to accept; with a monitor, LISTENING is reported. */
void sf_listener_start(struct sf_listener *l);

/* Lets go of one that was never started; a descriptor that was the program's (USE_FD) stays open. */
void sf_listener_discard(struct sf_listener *l);

/* Stops listening, waits until the descriptor is closed; its connections end, lingering. */
void sf_listener_close(struct sf_listener *l, int linger);

struct sf_listener *sf_listener_ref(struct sf_listener *l);
void sf_listener_unref(struct sf_listener *l);

#endif
