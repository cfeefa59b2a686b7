/*
 * What the benchmarks use of a messaging library, so that each program is written once. A file of
 * this folder fills the table for each library. A call that fails ends the program and says why.
 */
#ifndef SIFR_BENCH_PEER_H
#define SIFR_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum peer_type {
    PEER_PUSH,
    PEER_PULL,
    PEER_REQ,
    PEER_REP,
    PEER_DEALER,
    PEER_ROUTER,
    PEER_PUB,
    PEER_SUB,
    PEER_TYPES
};

enum {
    PEER_DONTWAIT = 1, /* give -1 rather than wait */
    PEER_MORE = 2,     /* more frames of this message follow */
    PEER_STREAM = 4,   /* others follow at once: raw gathers them, libraries know better */
    PEER_ENDPOINT = 128, /* room of an endpoint */
    PEER_UNSUPPORTED = 77 /* status of a program whose library cannot do what was asked */
};

struct peer;    /* a socket */
struct message; /* a received message that was kept */

struct peer_lib {
    const char *name;

    /* A context for that many sockets, and its end. */
    void *(*begin)(int sockets);
    void (*end)(void *ctx);

    /* A socket; hwm is its mark in both directions, 0: none, -1: as the library has it. */
    struct peer *(*open)(void *ctx, enum peer_type type, int hwm);
    void (*close)(struct peer *p);

    /* Protects it by CURVE, with keys that both sides know, before it binds or dials. NULL: it cannot. */
    void (*secure)(struct peer *p, bool server);

    /* Binds; writes the endpoint that came of it in place of tcp://127.0.0.1:* and the like. */
    void (*bind)(struct peer *p, char endpoint[PEER_ENDPOINT]);
    void (*dial)(struct peer *p, const char *endpoint);
    /* Makes a PUB wait for its slowest subscriber, where others miss messages. NULL: it cannot. */
    void (*nodrop)(struct peer *p);
    void (*subscribe)(struct peer *p, const void *prefix, size_t size);

    /* Sends one frame. Returns 0, or -1 with PEER_DONTWAIT and no room. */
    int (*send)(struct peer *p, const void *data, size_t size, int flags);
    /* Sends what PEER_STREAM gathered; NULL: it gathers nothing. */
    void (*flush)(struct peer *p);
    /* Receives one frame, whose bytes stay until the next call; -1 with PEER_DONTWAIT and none. */
    ssize_t (*recv)(struct peer *p, const void **data, int flags);
    /* Whether the frame received last has another behind it. NULL: never. */
    bool (*more)(struct peer *p);
    /* Takes the message received last away from the socket. NULL: it cannot. */
    struct message *(*keep)(struct peer *p);
    void (*drop)(struct message *m);

    /* Waits until one of the sockets may be received from. */
    void (*wait)(struct peer *const peers[], int n);
    /* The same by a set that is kept, one a thread: gives one that may be. NULL: it has no such thing. */
    struct peer *(*wait_kept)(struct peer *const peers[], int n);
    /* Forwards from PULL to PUSH until the process is killed. NULL: it cannot. */
    void (*forward)(char in[PEER_ENDPOINT], char out[PEER_ENDPOINT], void (*ready)(void));
};

extern const struct peer_lib peer_sifr, peer_zmq, peer_nng, peer_raw;

/* Ends the program with a message. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends it with PEER_UNSUPPORTED. */
_Noreturn void unsupported(const char *what);

#endif
