/* Messages of RADIO and DISH: with a group. */
#ifndef SIFR_TESTS_FLOW_GROUPED_H
#define SIFR_TESTS_FLOW_GROUPED_H

#include "support.h"

/* Sends one message to a group: what the call returns. */
static inline int tell_now(sifr_socket_t *s, const char *group, const char *text)
{
    sifr_msg_t m;
    int n, err;

    ck_works(sifr_msg_init_buffer(&m, text, strlen(text)));
    ck_works(sifr_msg_set_group(&m, group));
    n = sifr_msg_send(&m, s, 0);
    err = errno;
    ck_assert_str_eq(sifr_msg_group(&m), n < 0 ? group : "");
    sifr_msg_close(&m);
    errno = err;
    return n;
}

static inline void tell(sifr_socket_t *s, const char *group, const char *text)
{
    int n = tell_now(s, group, text);

    ck_assert_msg(n == (int)strlen(text), "%d, errno %d (%s)", n, errno, strerror(errno));
}

/* Receives this text in this group. */
#define hear(s, group, text) hear_at(__LINE__, s, group, text)

static inline void hear_at(int line, sifr_socket_t *s, const char *group, const char *text)
{
    sifr_msg_t m;
    int n;

    sifr_msg_init(&m);
    n = sifr_msg_recv(&m, s, 0);
    ck_assert_msg(n == (int)strlen(text) && memcmp(sifr_msg_data(&m), text, strlen(text)) == 0,
                  "line %d: '%.*s' (errno %d) instead of '%s'", line, n < 0 ? 0 : n,
                  n < 0 ? "" : (char *)sifr_msg_data(&m), errno, text);
    ck_assert_msg(strcmp(sifr_msg_group(&m), group) == 0, "line %d: in '%s' instead of '%s'", line, sifr_msg_group(&m),
                  group);
    ck_assert_int_eq(sifr_msg_more(&m), 0);
    sifr_msg_close(&m);
}

#endif
