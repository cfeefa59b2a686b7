#ifndef SF_COMPAT_COMPAT_H
#define SF_COMPAT_COMPAT_H

#define ZMQ_BUILD_DRAFT_API
#include <compat/zmq.h>
#include <sifr.h>

/* What is passed on as it comes has the same layout in both. */
_Static_assert(sizeof(zmq_msg_t) == sizeof(sifr_msg_t), "messages");
_Static_assert(_Alignof(zmq_msg_t) == _Alignof(sifr_msg_t), "messages");
_Static_assert(sizeof(zmq_pollitem_t) == sizeof(sifr_pollitem_t) &&
                   offsetof(zmq_pollitem_t, fd) == offsetof(sifr_pollitem_t, fd) &&
                   offsetof(zmq_pollitem_t, events) == offsetof(sifr_pollitem_t, events) &&
                   offsetof(zmq_pollitem_t, revents) == offsetof(sifr_pollitem_t, revents),
               "poll items");
_Static_assert(sizeof(zmq_poller_event_t) == sizeof(sifr_poller_event_t) &&
                   offsetof(zmq_poller_event_t, fd) == offsetof(sifr_poller_event_t, fd) &&
                   offsetof(zmq_poller_event_t, user_data) ==
                       offsetof(sifr_poller_event_t, user_data) &&
                   offsetof(zmq_poller_event_t, events) == offsetof(sifr_poller_event_t, events),
               "events of pollers");

static inline sifr_msg_t *sf_compat_msg(const zmq_msg_t *msg)
{
    return (sifr_msg_t *)(uintptr_t)msg;
}

#endif
