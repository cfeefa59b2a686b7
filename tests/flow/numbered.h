/* Messages of SERVER and PEER: with a routing id. */
#ifndef SIFR_TESTS_FLOW_NUMBERED_H
#define SIFR_TESTS_FLOW_NUMBERED_H

#include "support.h"

/* Sends one message to that peer: what the call returns. */
static inline int send_to(sifr_socket_t *s, uint32_t id, const char *text, int flags)
{
    sifr_msg_t m;
    int n, err;

    ck_works(sifr_msg_init_buffer(&m, text, strlen(text)));
    if (id)
        ck_works(sifr_msg_set_routing_id(&m, id));
    n = sifr_msg_send(&m, s, flags);
    err = errno;
    ck_assert_uint_eq(sifr_msg_routing_id(&m), n < 0 ? id : 0);
    sifr_msg_close(&m);
    errno = err;
    return n;
}

/* Receives this text: from whom. */
static inline uint32_t recv_of(sifr_socket_t *s, const char *text)
{
    sifr_msg_t m;
    uint32_t id;
    int n;

    sifr_msg_init(&m);
    n = sifr_msg_recv(&m, s, 0);
    ck_assert_msg(n == (int)strlen(text) && memcmp(sifr_msg_data(&m), text, strlen(text)) == 0,
                  "'%.*s' (errno %d) instead of '%s'", n < 0 ? 0 : n, n < 0 ? "" : (char *)sifr_msg_data(&m), errno,
                  text);
    ck_assert_int_eq(sifr_msg_more(&m), 0);
    id = sifr_msg_routing_id(&m);
    sifr_msg_close(&m);
    return id;
}

#endif
