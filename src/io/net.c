/* Stream sockets: the system's calls with errors returned and EINTR dealt with. */
#include "io/net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/sockios.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* there the socket has SO_NOSIGPIPE: see adopt */
#endif

/* The last call's errno, negative; what the API does not know by what it knows. */
static int last_error(void)
{
    switch (errno) {
    case ENFILE: return -EMFILE;
    case ENOBUFS: return -ENOMEM;
    default: return -errno;
    }
}

/* Makes a descriptor from elsewhere one of ours. 0 or -EBADF. */
static int adopt(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -EBADF;
#ifdef SO_NOSIGPIPE
    sf_net_set(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
    return 0;
}

int sf_net_adopt_listener(int fd, bool local)
{
    struct sockaddr_storage a;
    socklen_t name_size = sizeof a, size = sizeof(int);
    int listens = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens ||
        getsockname(fd, (struct sockaddr *)&a, &name_size) < 0 ||
        (a.ss_family == AF_UNIX) != local || adopt(fd) < 0)
        return -EINVAL;
    return 0;
}

static int open_socket(int family, int type)
{
#ifdef SOCK_CLOEXEC
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? last_error() : fd;
#else
    int fd = socket(family, type, 0);

    if (fd < 0)
        return last_error();
    adopt(fd);
    return fd;
#endif
}

int sf_net_socket(int family)
{
    return open_socket(family, SOCK_STREAM);
}

int sf_net_datagram(int family)
{
    return open_socket(family, SOCK_DGRAM);
}

int sf_net_accept(int fd, struct sf_address *from)
{
    struct sf_address unused;
    int got;

    if (!from)
        from = &unused;
    memset(from, 0, sizeof *from);
    do {
        from->len = sizeof from->storage;
#ifdef SOCK_CLOEXEC
        got = accept4(fd, &from->sa, &from->len, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
        got = accept(fd, &from->sa, &from->len);
#endif
    } while (got < 0 && errno == EINTR);
    if (got >= 0) {
#ifndef SOCK_CLOEXEC
        adopt(got);
#endif
        return got;
    }
    switch (errno) {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        return -EAGAIN;
    /* Linux hands on what befell the new connection: accept(2), "Error handling". */
    case ECONNABORTED: case EPROTO: case ENETDOWN: case ENOPROTOOPT: case EHOSTDOWN:
#ifdef ENONET
    case ENONET:
#endif
    case EHOSTUNREACH: case EOPNOTSUPP: case ENETUNREACH: case ETIMEDOUT: case EPERM:
        return -ECONNABORTED;
    default:
        return -errno;
    }
}

int sf_net_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    if (connect(fd, to, len) == 0 || errno == EINPROGRESS || errno == EINTR)
        return 0;
    return -errno;
}

int sf_net_connected(int fd)
{
    struct sf_address local, remote;
    socklen_t len = sizeof(int);
    int err = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        return -errno;
    if (err)
        return -err;
    err = sf_net_remote(fd, &remote);
    if (err == -ENOTCONN)
        return -EAGAIN;
    if (err)
        return err;
    /* To an ephemeral port of its own host a socket can connect to itself (simultaneous open). */
    if (sf_net_local(fd, &local) == 0 && sf_addr_equal(&local, &remote))
        return -ECONNREFUSED;
    return 0;
}

int sf_net_listen(int fd, int backlog)
{
    /* The kernel cuts it down to its maximum (net.core.somaxconn), which may be above SOMAXCONN. */
    return listen(fd, backlog < 0 ? INT_MAX : backlog) < 0 ? -errno : 0;
}

ssize_t sf_net_readv(int fd, const struct iovec *iov, int n)
{
    ssize_t got;

    do
        got = n == 1 ? read(fd, iov->iov_base, iov->iov_len) : readv(fd, iov, n);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        return got;
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

ssize_t sf_net_writev(int fd, const struct iovec *iov, int n)
{
    struct msghdr msg = {0};
    ssize_t put;

    msg.msg_iov = (struct iovec *)(uintptr_t)iov; /* only read */
    msg.msg_iovlen = (size_t)n;
    do
        put = n == 1 ? send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                     : sendmsg(fd, &msg, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    if (put >= 0)
        return put;
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

int sf_net_shut(int fd)
{
    return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

int sf_net_unsent(int fd)
{
#ifdef SIOCOUTQ
    int bytes = 0;

    return ioctl(fd, SIOCOUTQ, &bytes) < 0 ? -errno : bytes;
#else
    (void)fd;
    return -ENOTSUP;
#endif
}

int sf_net_set(int fd, int level, int name, int value)
{
    return sf_net_set_bytes(fd, level, name, &value, sizeof value);
}

int sf_net_set_bytes(int fd, int level, int name, const void *value, size_t size)
{
    return setsockopt(fd, level, name, value, (socklen_t)size) < 0 ? last_error() : 0;
}

int sf_net_local(int fd, struct sf_address *out)
{
    memset(out, 0, sizeof *out);
    out->len = sizeof out->storage;
    return getsockname(fd, &out->sa, &out->len) < 0 ? last_error() : 0;
}

int sf_net_remote(int fd, struct sf_address *out)
{
    memset(out, 0, sizeof *out);
    out->len = sizeof out->storage;
    return getpeername(fd, &out->sa, &out->len) < 0 ? last_error() : 0;
}

void sf_net_close(int fd)
{
    int before = errno;

    if (fd >= 0)
        close(fd); /* never again after EINTR: on Linux it is closed then */
    errno = before;
}
