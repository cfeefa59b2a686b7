/*
 * Asking the handler whether a peer may come in: ZAP.
 *
 * The handler is a REP or ROUTER socket of the user's, bound to SF_ZAP_ENDPOINT
 * in the same context. A connection asks it from its loop and is answered on
 * that loop, later; nothing blocks and nothing is made before somebody asks.
 *
 *   connection's loop                         handler's thread
 *   sf_zap_ask ------- an inproc queue -----> "" "1.0" "1" domain address id
 *                                             mechanism credentials...
 *   answered() <------ the same queue ------- "" "1.0" "1" status text user metadata
 *
 * Each question has a queue of its own, so that a reply, however broken or late,
 * belongs to one connection. There are at most SF_ZAP_QUEUES for each loop, with
 * those that were cancelled before the handler read them; more questions wait in
 * memory of their own, which goes when they are cancelled: what a flood can pile
 * up before a slow handler is bounded.
 *
 * To use it, a connection holds a zeroed struct sf_zap with `answered` set:
 *
 *   whom to ask   sf_zap_wanted() says whether the mechanism asks at all
 *   ask           sf_zap_ask(); 0: stop reading the peer, keep the handshake's
 *                 timer running, wait; -ENOENT: sf_zap_unhandled() says what
 *                 that means; else: close
 *   answered      go on with the handshake; `a` says which event to report:
 *                   err 0       status 200: go on, keep the properties;
 *                               300: close; 400, 500: say ERROR, close;
 *                               each but 200: HANDSHAKE_FAILED_AUTH, status
 *                   -EPROTO     HANDSHAKE_FAILED_PROTOCOL, error; close
 *                   else        HANDSHAKE_FAILED_NO_DETAIL, -err; close
 *   dying         sf_zap_cancel(), always, before the memory goes
 *
 * Source: RFC 27; what existing handlers see and send.
 */
#ifndef SF_SECURITY_ZAP_H
#define SF_SECURITY_ZAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct sf_loop;
struct sf_zap_line;
struct sf_zap_asker;
struct sifr_ctx;

#define SF_ZAP_ENDPOINT "inproc://zeromq.zap.01"

enum { SF_ZAP_CREDENTIALS_MAX = 4, SF_ZAP_QUEUES = 64 };

/* Octets; borrows them. */
struct sf_zap_bytes {
    const void *data; /* NULL is allowed if size is 0 */
    size_t size;
};

/* A question. Borrows all that it points to, until sf_zap_ask returns. */
struct sf_zap_request {
    struct sf_zap_bytes domain;  /* ZAP_DOMAIN; may be empty */
    struct sf_zap_bytes address; /* the peer's, as the property Peer-Address has it */
    struct sf_zap_bytes id;      /* our own socket's routing id, as handlers know it */
    const char *mechanism;       /* "NULL", "PLAIN", "CURVE", "GSSAPI" */
    /* PLAIN: name, password. CURVE: the client's key, 32 octets. GSSAPI: the principal. */
    struct sf_zap_bytes credentials[SF_ZAP_CREDENTIALS_MAX];
    unsigned n_credentials;
};

/* What became of it. Borrows until `answered` returns. */
struct sf_zap_answer {
    /*
     * 0           the handler has answered
     * -EPROTO     it has, and the answer cannot be read: `error` says why
     * -EPIPE      it went away before
     * -ENOMEM, -ETERM
     */
    int err;
    uint32_t error; /* with -EPROTO: SIFR_PROTOCOL_ERROR_ZAP_... */
    int status;     /* with 0: 200, 300, 400 or 500 */
    struct sf_zap_bytes text;
    struct sf_zap_bytes user;     /* becomes the property User-Id, if not empty */
    struct sf_zap_bytes metadata; /* as in READY, well formed: properties of the connection */
};

/* One question's state; zeroed with `answered` filled in it is ready for use. */
struct sf_zap {
    /*
     * Called once for each sf_zap_ask that returned 0, in its loop and not
     * before it has returned, unless it is cancelled. It may ask again, cancel
     * others, and end `z`.
     */
    void (*answered)(struct sf_zap *z, const struct sf_zap_answer *a);

    /* Private. */
    struct sf_zap_asker *asker; /* NULL: nothing is asked */
    struct sf_zap_line *line;   /* the queue that it has, or NULL: */
    struct sf_list node;        /* it waits for one among others */
    struct sf_zap_request *copy; /* owns; what it will ask then */
};

/*
 * Asks the handler of `ctx`. In `loop`, which is one of the context's.
 *
 * Returns 0: `answered` will be called; or
 *   -ENOENT  no handler is bound, see sf_zap_unhandled()
 *   -EPIPE   it went away meanwhile
 *   -ETERM   the context is shutting down
 *   -ENOMEM
 */
int sf_zap_ask(struct sf_zap *z, struct sifr_ctx *ctx, struct sf_loop *loop,
               const struct sf_zap_request *r);

/* Whether an answer is awaited. */
static inline bool sf_zap_asking(const struct sf_zap *z)
{
    return z->asker != NULL;
}

/* The answer is not wanted any more. In the loop of the question; harmless if nothing is asked. */
void sf_zap_cancel(struct sf_zap *z);

/*
 * Whether who is in the server's role asks: NULL if there is a ZAP_DOMAIN, CURVE
 * unless a domain is enforced (ZAP_ENFORCE_DOMAIN) and there is none, the others
 * always. `mechanism` is its name, as in a request.
 */
bool sf_zap_wanted(const char *mechanism, bool domain, bool enforce);

/* What it means that no handler is bound: 0 go on as if with 200; -EFAULT close. */
int sf_zap_unhandled(const char *mechanism, bool domain, bool enforce);

/*
 * For shutdown and the end of a context; core/ctx.c calls them.
 *
 *   stop    what is asked is answered -ETERM, and nothing can be asked; any thread
 *   forget  frees what is left, when the loops are gone
 */
void sf_zap_stop(struct sifr_ctx *ctx);
void sf_zap_forget(struct sifr_ctx *ctx);

#endif
