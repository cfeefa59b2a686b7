/* sifr, for the benchmarks. */
#include <sifr.h>

#define F(name) sifr_##name
#define K(name) SIFR_##name

static struct peer *wait_kept(struct peer *const peers[], int n);

#define HAS_POLLERS wait_kept
#include "zeromq_api.h"

static struct peer *wait_kept(struct peer *const peers[], int n)
{
    static _Thread_local sifr_poller_t *poller;
    static _Thread_local struct peer *const *listed;
    sifr_poller_event_t event;

    if (listed != peers) { /* as in wait_peers */
        if (poller)
            OK(sifr_poller_destroy(&poller));
        poller = sifr_poller_new();
        if (!poller)
            die("out of memory");
        for (int i = 0; i < n; i++)
            OK(sifr_poller_add(poller, peers[i]->socket, peers[i], SIFR_POLLIN));
        listed = peers;
    }
    OK(sifr_poller_wait(poller, &event, -1));
    return event.user_data;
}

const struct peer_lib peer_sifr = ZEROMQ_TABLE("sifr");
