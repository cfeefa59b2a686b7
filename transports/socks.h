#ifndef SF_TRANSPORT_SOCKS_H
#define SF_TRANSPORT_SOCKS_H

#include <stdint.h>

/*
 * The client's half of SOCKS5 (RFC 1928, RFC 1929), over a connected
 * non-blocking socket. For tcp.c.
 */
struct sf_socks;

/*
 * Prepares to ask for `host` (a name goes to the proxy unresolved) and `port`.
 * With a non-empty `user` only user name and password are offered, else only
 * "no authentication". Copies its text. 0, -ENOMEM, -ENAMETOOLONG (host, user
 * or password above 255 bytes).
 */
int sf_socks_new(struct sf_socks **out, const char *host, uint16_t port, const char *user,
                 const char *password);

/* NULL is allowed. */
void sf_socks_free(struct sf_socks *s);

/*
 * Goes on as far as the socket lets it. 0: the connection is through, and not a
 * byte of what follows has been read; -EAGAIN: wait for `*want`; -EPROTO: the
 * proxy does not speak SOCKS5; -EACCES: it refuses what we offer; -ECONNREFUSED:
 * it refuses the target; -ECONNRESET: it hung up; other -errno of the socket.
 */
int sf_socks_step(struct sf_socks *s, int fd, unsigned *want);

#endif
