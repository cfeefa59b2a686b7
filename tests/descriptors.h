/* The library's descriptors, as the system shows them to the process they belong to. */
#ifndef SIFR_TESTS_DESCRIPTORS_H
#define SIFR_TESTS_DESCRIPTORS_H

#include "support.h"

enum { FDS = 1024 };

enum role { LISTENING, ACCEPTED, DIALED, ROLES };

static inline int port_of(int (*name)(int, struct sockaddr *, socklen_t *), int fd)
{
    struct sockaddr_in6 a = {0}; /* the port is where IPv4 has it */
    socklen_t size = sizeof a;

    if (name(fd, (struct sockaddr *)&a, &size) != 0)
        return -1;
    return a.sin6_family == AF_INET || a.sin6_family == AF_INET6 ? ntohs(a.sin6_port) : -1;
}

static inline int local_name(int fd, struct sockaddr *a, socklen_t *size)
{
    return getsockname(fd, a, size);
}

static inline int remote_name(int fd, struct sockaddr *a, socklen_t *size)
{
    return getpeername(fd, a, size);
}

/* The descriptor of ours that has this part in a connection to the port; -1: none. */
static inline int find_fd(enum role role, int port)
{
    for (int fd = 3; fd < FDS; fd++) {
        int listens = 0;
        socklen_t size = sizeof listens;

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0)
            continue;
        if (role == DIALED ? port_of(remote_name, fd) == port
                           : port_of(local_name, fd) == port && (role == LISTENING) == (listens != 0))
            return fd;
    }
    return -1;
}

static inline int endpoint_port(const struct endpoint *e)
{
    return atoi(strrchr(e->text, ':') + 1);
}

static inline int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;

    ck_assert_int_eq(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

#endif
