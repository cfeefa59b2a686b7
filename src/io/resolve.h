#ifndef SF_IO_RESOLVE_H
#define SF_IO_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/addr.h"
#include "io/job.h"

/* Looks a host name up off the loop: a job of SF_CREW_NAMES (job.h), and freed as one is ended. */
struct sf_lookup {
    void (*done)(struct sf_lookup *l); /* in the loop's thread, once */
    void *arg;                         /* the caller's */
    int error;                         /* 0; -ENODEV: no such host; -EAGAIN: no answer now; -ENOMEM */
    struct sf_address *list;           /* owns; what was found, in the order to try */
    size_t n;                          /* > 0 if error is 0 */

    /* Private. */
    struct sf_job job;
    uint16_t port;
    bool ipv6;
    char host[SF_ADDR_HOST_MAX];
};

/*
 * Begins to look up `host`; `done` comes later, never within this call. With
 * `ipv6` the addresses are IPv6 ones, IPv4-mapped where there is only IPv4;
 * without, IPv4 ones: for "localhost" that is 127.0.0.1, and nobody is asked.
 * The port goes into each. 0, -ENOMEM, -EAGAIN (no thread), -EINVAL (name
 * empty or too long). Loop's thread.
 */
int sf_lookup_start(struct sf_lookup **out, struct sf_loop *loop, const char *host, uint16_t port,
                    bool ipv6, void (*done)(struct sf_lookup *l), void *arg);

/* Frees, at any time after start, also in `done`, which is not called afterwards. NULL is allowed. Loop's thread. */
void sf_lookup_free(struct sf_lookup *l);

/* The same look-up, in the calling thread: may block. The caller frees `*list` with sf_free. */
int sf_lookup_now(struct sf_address **list, size_t *n, const char *host, uint16_t port, bool ipv6);

#endif
