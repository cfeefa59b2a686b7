/* Peers, groups and routing ids: of the socket types that ZeroMQ calls drafts. */
#include "compat/compat.h"

int zmq_join(void *s, const char *group)
{
    return sifr_join(s, group);
}

int zmq_leave(void *s, const char *group)
{
    return sifr_leave(s, group);
}

uint32_t zmq_connect_peer(void *s, const char *addr)
{
    return sifr_connect_peer(s, addr);
}

int zmq_disconnect_peer(void *s, uint32_t routing_id)
{
    return sifr_disconnect_peer(s, routing_id);
}

int zmq_msg_set_routing_id(zmq_msg_t *msg, uint32_t routing_id)
{
    return sifr_msg_set_routing_id(sf_compat_msg(msg), routing_id);
}

uint32_t zmq_msg_routing_id(zmq_msg_t *msg)
{
    return sifr_msg_routing_id(sf_compat_msg(msg));
}

int zmq_msg_set_group(zmq_msg_t *msg, const char *group)
{
    return sifr_msg_set_group(sf_compat_msg(msg), group);
}

const char *zmq_msg_group(zmq_msg_t *msg)
{
    return sifr_msg_group(sf_compat_msg(msg));
}
