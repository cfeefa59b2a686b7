#ifndef SF_IO_NET_H
#define SF_IO_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "io/addr.h"

/*
 * Stream sockets: every one non-blocking and close-on-exec, system calls begun
 * again after EINTR, errors returned negative. Any thread.
 */

/* A new descriptor, or -errno. */
int sf_net_socket(int family);

/* The same for datagrams. */
int sf_net_datagram(int family);

/*
 * Makes a descriptor from elsewhere (USE_FD) one of ours. 0, or -EINVAL: it does not listen, or not
 * within the machine, `local`, or not beyond it.
 */
int sf_net_adopt_listener(int fd, bool local);

/*
 * Accepts one connection: the descriptor; -EAGAIN: nothing waits;
 * -ECONNABORTED: it was gone again; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: try
 * again later; other: the listener itself is broken. `from` may be NULL.
 */
int sf_net_accept(int fd, struct sf_address *from);

/* 0: connected or under way; -errno. */
int sf_net_connect(int fd, const struct sockaddr *to, socklen_t len);

/* How the connect ended: 0, -EAGAIN (not yet), -errno; -ECONNREFUSED if the socket met itself. */
int sf_net_connected(int fd);

/* Listens; a `backlog` of -1 is the system's maximum. 0 or -errno. */
int sf_net_listen(int fd, int backlog);

/* > 0 bytes; 0: the end of the stream; -EAGAIN; -errno */
ssize_t sf_net_readv(int fd, const struct iovec *iov, int n);

/* > 0 bytes; -EAGAIN; -errno. Raises no SIGPIPE. */
ssize_t sf_net_writev(int fd, const struct iovec *iov, int n);

/* Sends no more: the peer reads what is under way and then the end. 0 or -errno. */
int sf_net_shut(int fd);

/* Bytes written that the peer has not taken (tcp: not acknowledged), or -errno. */
int sf_net_unsent(int fd);

/* setsockopt with an int, with any bytes. 0 or -errno. */
int sf_net_set(int fd, int level, int name, int value);
int sf_net_set_bytes(int fd, int level, int name, const void *value, size_t size);

int sf_net_local(int fd, struct sf_address *out);  /* 0 or -errno */
int sf_net_remote(int fd, struct sf_address *out); /* 0 or -errno */

/* -1 is allowed; errno survives. */
void sf_net_close(int fd);

#endif
