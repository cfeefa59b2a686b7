#ifndef SF_PATTERNS_PROBE_H
#define SF_PATTERNS_PROBE_H

#include <errno.h>

#include "patterns/pattern.h"

/* SIFR_PROBE_ROUTER: an empty message, so that a ROUTER learns of us. 0 or -ENOMEM. */
static inline int sf_probe_put(struct sf_peer *p)
{
    struct sf_msg m;
    int err;

    sf_msg_init(&m);
    err = sf_peer_put(p, &m, false);
    sf_msg_close(&m);
    return err == -ENOMEM ? err : 0; /* one that has ended already is not our concern */
}

#endif
