#ifndef SF_CORE_CTX_H
#define SF_CORE_CTX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/park.h"
#include "io/loop.h"

#include <sifr.h>

/*
 * Order of locks: a socket's turn, then a monitor's socket's turn (a leaf:
 * only the library calls it), then ctx.lock, then a lock of a pipe's cell or of
 * a socket's watchers. No thread holds two sockets of the application. The
 * loops only try for a socket's turn.
 */

enum { SF_CTX_TAG = 0x51f4c7c1, SF_CTX_CPUS = 1024 /* as many as a cpu_set_t */ };

struct sf_inproc_name;

struct sifr_ctx {
    _Atomic uint32_t tag; /* SF_CTX_TAG while alive */
    uint32_t proof;       /* made of the address, so that a copy of the bytes does not pass */
    uint32_t generation;  /* of the process that made it: base/fork.h */

    struct sf_lock lock; /* guards all up to the next group */
    int io_threads, max_sockets, policy, priority, max_msgsz, zero_copy;
    uint16_t cpus[SF_CTX_CPUS]; /* each once, so there is room for all */
    size_t n_cpus;
    char prefix[17];
    int prefix_number;
    bool prefix_is_text; /* and the number 0 */
    bool ipv6, blocky;
    bool started;           /* the loops run, or are not wanted */
    int socket_limit;       /* max_sockets, as it was then */
    struct sf_loop **loops; /* owns */
    size_t n_loops;
    struct sf_list sockets; /* struct sifr_socket.node: those with an open handle */
    int n_sockets;
    struct sf_map names;     /* inproc names that are bound */
    struct sf_list pending;  /* struct sf_link.pending: inproc connects unbound; owns orphans */
    struct sf_list zaps;     /* struct sf_zap_asker.node: the loops that have asked a ZAP handler; owns */

    _Atomic size_t large_shakes; /* octets that handshakes have beyond SF_SHAKE_MAX each */
    _Atomic int terminating; /* shutdown was called */
    _Atomic long alive;      /* sockets, connections and listeners that term waits for */
    struct sf_bell quiet;    /* rung when `alive` falls to 0 */
};

/* The context of a handle, or NULL when it is none. Of a forked child's parent: see generation. */
struct sifr_ctx *sf_ctx_check(sifr_ctx_t *ctx);

/* Starts the loops if that has not been done: 0, -EMFILE, -ENOMEM, -EAGAIN. */
int sf_ctx_start(struct sifr_ctx *ctx);

/* Whether there is a loop among those of the mask (0: all). */
bool sf_ctx_has_loop(const struct sifr_ctx *ctx, uint64_t affinity);

/* The loop with least to do among those of the mask (0: all), or NULL: -EMTHREAD. */
struct sf_loop *sf_ctx_loop(struct sifr_ctx *ctx, uint64_t affinity);

/* One more / one fewer thing that term waits for. Any thread. */
void sf_ctx_enter(struct sifr_ctx *ctx);
void sf_ctx_leave(struct sifr_ctx *ctx);

#endif
