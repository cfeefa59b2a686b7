/* The table of poller backends. */
#include "io/poller.h"

#include <stddef.h>

extern const struct sf_poller_ops sf_poller_poll; /* poller_poll.c */
#ifdef __linux__
extern const struct sf_poller_ops sf_poller_epoll; /* poller_epoll.c */
#endif

const struct sf_poller_ops *sf_poller_find(enum sf_poller_kind kind)
{
    switch (kind) {
    case SF_POLLER_DEFAULT:
#ifdef __linux__
        return &sf_poller_epoll;
#else
        return &sf_poller_poll;
#endif
    case SF_POLLER_EPOLL:
#ifdef __linux__
        return &sf_poller_epoll;
#else
        return NULL;
#endif
    case SF_POLLER_POLL:
        return &sf_poller_poll;
    }
    return NULL;
}
