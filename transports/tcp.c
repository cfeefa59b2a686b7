/* tcp://: byte streams over TCP, directly or through a SOCKS5 proxy. */
#include "transports/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "io/net.h"
#include "io/resolve.h"
#include "transports/socks.h"

/* ---- Endpoints ------------------------------------------------------------------------------ */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What connect checks at once: the name itself is looked up at each attempt (wire.md 15.1). */
static bool looks_like_host(const char *text)
{
    if (!is_alnum(*text) && *text != '[' && *text != ':')
        return false;
    while (*++text)
        if (!is_alnum(*text) && !strchr(".-:%[]_", *text))
            return false;
    return true;
}

static int tcp_parse(struct sf_endpoint *e)
{
    const char *host = e->rest, *semicolon = strchr(host, ';');

    if (semicolon) {
        if (e->bind || sf_addr_split(e->source, &e->source_port, host,
                                     (size_t)(semicolon - host), true))
            return -EINVAL;
        host = semicolon + 1;
    }
    if (!e->bind && !looks_like_host(host))
        return -EINVAL;
    return sf_addr_split(e->host, &e->port, host, strlen(host), e->bind);
}

/* "tcp://" and the address. */
static int print_endpoint(const struct sf_address *a, char *to, size_t room)
{
    static const char prefix[] = "tcp://";

    if (room < sizeof prefix)
        return -ENOBUFS;
    memcpy(to, prefix, sizeof prefix);
    return sf_addr_print(a, to + sizeof prefix - 1, room - sizeof prefix + 1);
}

static int tcp_canonical(const struct sf_endpoint *e, bool ipv6, char *to, size_t room)
{
    struct sf_address a;

    if (e->port == 0 || sf_addr_parse(&a, e->host, e->port, ipv6))
        return -EINVAL;
    return print_endpoint(&a, to, room);
}

/* ---- Socket options ------------------------------------------------------------------------- */

static int set_keepalive(int fd, const struct sf_stream_options *o)
{
    int err = 0;

    if (o->keepalive < 0)
        return 0;
    err = sf_net_set(fd, SOL_SOCKET, SO_KEEPALIVE, o->keepalive > 0);
    if (err || !o->keepalive)
        return err;
#ifdef TCP_KEEPCNT
    if (o->keepalive_cnt > 0)
        err = sf_net_set(fd, IPPROTO_TCP, TCP_KEEPCNT, o->keepalive_cnt);
#endif
#ifdef TCP_KEEPIDLE
    if (!err && o->keepalive_idle > 0)
        err = sf_net_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, o->keepalive_idle);
#endif
#ifdef TCP_KEEPINTVL
    if (!err && o->keepalive_intvl > 0)
        err = sf_net_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, o->keepalive_intvl);
#endif
    return err;
}

static int set_tos(int fd, int family, int tos)
{
    int err;

    if (family != AF_INET6)
        return sf_net_set(fd, IPPROTO_IP, IP_TOS, tos);
    err = sf_net_set(fd, IPPROTO_IPV6, IPV6_TCLASS, tos);
    sf_net_set(fd, IPPROTO_IP, IP_TOS, tos); /* for IPv4-mapped peers; not all systems know it here */
    return err;
}

/* All that is the same for listening, accepted and dialled sockets. */
static int set_options(int fd, int family, const struct sf_stream_options *o)
{
    int err = sf_net_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);

    if (!err && o->sndbuf >= 0)
        err = sf_net_set(fd, SOL_SOCKET, SO_SNDBUF, o->sndbuf);
    if (!err && o->rcvbuf >= 0)
        err = sf_net_set(fd, SOL_SOCKET, SO_RCVBUF, o->rcvbuf);
    if (!err && o->tos > 0)
        err = set_tos(fd, family, o->tos);
#ifdef SO_PRIORITY
    if (!err && o->priority > 0)
        err = sf_net_set(fd, SOL_SOCKET, SO_PRIORITY, o->priority);
#endif
#ifdef SO_BUSY_POLL
    if (!err && o->busy_poll != 0)
        err = sf_net_set(fd, SOL_SOCKET, SO_BUSY_POLL, o->busy_poll);
#endif
#ifdef TCP_USER_TIMEOUT
    if (!err && o->maxrt > 0)
        err = sf_net_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, o->maxrt);
#endif
    if (!err)
        err = set_keepalive(fd, o);
    return err;
}

static int set_device(int fd, const struct sf_stream_options *o)
{
    if (!o->device[0])
        return 0;
#ifdef SO_BINDTODEVICE
    return sf_net_set_bytes(fd, SOL_SOCKET, SO_BINDTODEVICE, o->device, strlen(o->device));
#else
    return -ENOTSUP;
#endif
}

/*
 * A socket for `a`, with all options. Where there is no IPv6, what is meant for
 * IPv4 too becomes IPv4. The descriptor or -errno.
 */
static int open_socket(struct sf_address *a, const struct sf_stream_options *o)
{
    int fd = sf_net_socket(a->sa.sa_family), err;

    if (fd == -EAFNOSUPPORT && a->sa.sa_family == AF_INET6) {
        struct sf_address any;

        sf_addr_any(&any, sf_addr_port_of(a), true);
        if (sf_addr_equal(a, &any))
            sf_addr_any(a, sf_addr_port_of(a), false);
        else
            sf_addr_unmap(a);
        fd = sf_net_socket(a->sa.sa_family);
    }
    if (fd < 0)
        return fd;
    err = a->sa.sa_family == AF_INET6 ? sf_net_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) : 0;
    if (!err)
        err = set_options(fd, a->sa.sa_family, o);
    if (!err)
        err = set_device(fd, o);
    if (!err)
        return fd;
    sf_net_close(fd);
    return err;
}

/* ---- Streams -------------------------------------------------------------------------------- */

/* CONNECTING --connected--> PROXY (if there is one) --through--> OPEN */
struct tcp_stream {
    struct sf_stream stream; /* owns fd */
    enum { CONNECTING, PROXY, OPEN } state;
    struct sf_socks *socks; /* owns; NULL: no proxy, or done with it */
};

static struct tcp_stream *tcp_of(struct sf_stream *s)
{
    return SF_CONTAINER(s, struct tcp_stream, stream);
}

static int tcp_open(struct sf_stream *s)
{
    struct tcp_stream *t = tcp_of(s);
    int err;

    if (t->state == CONNECTING) {
        s->want = SF_WRITE;
        err = sf_net_connected(s->fd);
        if (err)
            return err;
        t->state = t->socks ? PROXY : OPEN;
    }
    if (t->state == PROXY) {
        err = sf_socks_step(t->socks, s->fd, &s->want);
        if (err)
            return err;
        sf_socks_free(t->socks);
        t->socks = NULL;
        t->state = OPEN;
    }
    return 0;
}

static ssize_t tcp_readv(struct sf_stream *s, const struct iovec *iov, int n)
{
    return sf_net_readv(s->fd, iov, n);
}

static ssize_t tcp_writev(struct sf_stream *s, const struct iovec *iov, int n)
{
    return sf_net_writev(s->fd, iov, n);
}

static void tcp_close(struct sf_stream *s)
{
    struct tcp_stream *t = tcp_of(s);

    sf_socks_free(t->socks);
    sf_net_close(s->fd);
    sf_free(t);
}

static int tcp_shut(struct sf_stream *s)
{
    return sf_net_shut(s->fd);
}

static int tcp_unsent(struct sf_stream *s)
{
    return sf_net_unsent(s->fd);
}

static void tcp_limit_unsent(struct sf_stream *s, int bytes)
{
#ifdef TCP_NOTSENT_LOWAT
    sf_net_set(s->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes); /* without it, it is slower */
#else
    (void)s, (void)bytes;
#endif
}

static int tcp_peer_address(struct sf_stream *s, char *to, size_t room)
{
    struct sf_address a;
    int err = sf_net_remote(s->fd, &a);

    return err ? err : sf_addr_print_host(&a, to, room);
}

static int tcp_names(struct sf_stream *s, char *local, char *remote, size_t room)
{
    struct sf_address a;

    local[0] = remote[0] = 0;
    if (sf_net_local(s->fd, &a) == 0 && print_endpoint(&a, local, room))
        local[0] = 0;
    if (sf_net_remote(s->fd, &a) == 0 && print_endpoint(&a, remote, room))
        remote[0] = 0;
    return 0;
}

static const struct sf_stream_ops stream_ops = {
    .open = tcp_open,
    .readv = tcp_readv,
    .writev = tcp_writev,
    .close = tcp_close,
    .shut = tcp_shut,
    .unsent = tcp_unsent,
    .limit_unsent = tcp_limit_unsent,
    .peer_address = tcp_peer_address,
    .names = tcp_names,
};

/* Takes `fd` on success. NULL: out of memory. */
static struct tcp_stream *new_stream(int fd)
{
    struct tcp_stream *t = sf_alloc(sizeof *t);

    if (!t)
        return NULL;
    t->stream.ops = &stream_ops;
    t->stream.fd = fd;
    t->stream.want = SF_WRITE;
    t->stream.read_wants = SF_READ;
    t->stream.write_wants = SF_WRITE;
    return t;
}

/* ---- Dialling ------------------------------------------------------------------------------- */

static bool has_proxy(const struct sf_stream_options *o)
{
    return o->socks_proxy && o->socks_proxy[0];
}

static int tcp_host(const struct sf_endpoint *e, const struct sf_stream_options *o,
                    char host[SF_ADDR_HOST_MAX], uint16_t *port)
{
    if (has_proxy(o)) {
        int err = sf_addr_split(host, port, o->socks_proxy, strlen(o->socks_proxy), false);

        if (err)
            return err;
    } else {
        memcpy(host, e->host, SF_ADDR_HOST_MAX);
        *port = e->port;
    }
    return !sf_addr_numeric(host);
}

/* Where to connect to when there was nothing to look up: the numeric target or proxy. */
static int numeric_target(struct sf_address *out, const struct sf_endpoint *e,
                          const struct sf_stream_options *o)
{
    char host[SF_ADDR_HOST_MAX];
    uint16_t port;
    int err = tcp_host(e, o, host, &port);

    if (err)
        return err < 0 ? err : -EINVAL;
    return sf_addr_parse(out, host, port, o->ipv6);
}

static int bind_source(int fd, int family, const struct sf_endpoint *e)
{
    bool ipv6 = family == AF_INET6;
    struct sf_address a;
    int err = 0;

    if (!e->source[0])
        return 0;
    if (strcmp(e->source, "*") == 0)
        sf_addr_any(&a, e->source_port, ipv6);
    else
        err = sf_addr_interface(&a, e->source, e->source_port, ipv6);
    if (err == -ENODEV)
        err = sf_addr_parse(&a, e->source, e->source_port, ipv6);
    if (err)
        return err == -EINVAL ? -ENODEV : err;
    if (ipv6)
        sf_addr_map(&a); /* an interface's may be IPv4 */
    /* A fixed port is to be usable again at once for the next attempt. */
    err = sf_net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (err)
        return err;
    return bind(fd, &a.sa, a.len) < 0 ? -errno : 0;
}

static int tcp_dial(const struct sf_endpoint *e, const struct sf_stream_options *o,
                    const struct sf_address *addr, struct sf_stream **out)
{
    struct tcp_stream *t;
    struct sf_address to;
    int err = 0, fd;

    if (addr)
        to = *addr;
    else
        err = numeric_target(&to, e, o);
    if (err)
        return err;
    fd = open_socket(&to, o);
    if (fd < 0)
        return fd;
    t = new_stream(fd);
    if (!t) {
        sf_net_close(fd);
        return -ENOMEM;
    }
    if (has_proxy(o))
        err = sf_socks_new(&t->socks, e->host, e->port, o->socks_user, o->socks_password);
    if (!err)
        err = bind_source(fd, to.sa.sa_family, e);
    if (!err)
        err = sf_net_connect(fd, &to.sa, to.len);
    if (err) {
        tcp_close(&t->stream);
        return err == -EAGAIN ? -EADDRNOTAVAIL : err; /* Linux: no ephemeral port is left */
    }
    *out = &t->stream;
    return 0;
}

/* ---- Listening ------------------------------------------------------------------------------ */

static int listen_at(struct sf_address *a, const struct sf_stream_options *o)
{
    int fd = open_socket(a, o), err;

    if (fd < 0)
        return fd;
    err = sf_net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!err && bind(fd, &a->sa, a->len) < 0)
        err = -errno;
    if (!err)
        err = sf_net_listen(fd, o->backlog);
    if (!err)
        return fd;
    sf_net_close(fd);
    return err;
}

/* Tries what the name leads to, in turn. The descriptor, or the last error. */
static int listen_at_name(const struct sf_endpoint *e, const struct sf_stream_options *o)
{
    struct sf_address *list;
    size_t n;
    int fd = sf_lookup_now(&list, &n, e->host, e->port, o->ipv6);

    if (fd < 0)
        return fd == -ENOMEM || fd == -EMFILE ? fd : -ENODEV;
    fd = -ENODEV;
    for (size_t i = 0; i < n && fd < 0; i++)
        fd = listen_at(&list[i], o);
    sf_free(list);
    return fd;
}

/* Interface names come first, as one may be called like a host. */
static int listen_for(const struct sf_endpoint *e, const struct sf_stream_options *o)
{
    struct sf_address a;
    int err;

    if (strcmp(e->host, "*") == 0) {
        sf_addr_any(&a, e->port, o->ipv6);
        return listen_at(&a, o);
    }
    if (sf_addr_numeric(e->host)) {
        err = sf_addr_parse(&a, e->host, e->port, o->ipv6);
        return err ? err : listen_at(&a, o);
    }
    err = sf_addr_interface(&a, e->host, e->port, o->ipv6);
    if (err == -ENODEV)
        return listen_at_name(e, o);
    return err ? err : listen_at(&a, o);
}

static int fill_text(struct sf_acceptor *a)
{
    char text[SF_ADDR_TEXT_MAX];
    struct sf_address local;
    int err = sf_net_local(a->fd, &local);

    if (!err)
        err = print_endpoint(&local, text, sizeof text);
    if (err)
        return err;
    a->text = sf_alloc_text(text, strlen(text));
    return a->text ? 0 : -ENOMEM;
}

static void tcp_close_acceptor(struct sf_acceptor *a)
{
    if (!a)
        return;
    sf_net_close(a->fd);
    sf_free(a->text);
    sf_free(a);
}

static int tcp_listen(const struct sf_endpoint *e, const struct sf_stream_options *o,
                      struct sf_acceptor **out)
{
    struct sf_acceptor *a = sf_alloc(sizeof *a);
    int err;

    if (!a)
        return -ENOMEM;
    a->transport = &sf_tcp_transport;
    a->fd = -1;
    err = o->use_fd >= 0 ? sf_net_adopt_listener(o->use_fd, false) : listen_for(e, o);
    if (err < 0)
        goto fail;
    a->fd = o->use_fd >= 0 ? o->use_fd : err;
    err = fill_text(a);
    if (err)
        goto fail;
    *out = a;
    return 0;
fail:
    if (a->fd == o->use_fd)
        a->fd = -1; /* stays the program's */
    tcp_close_acceptor(a);
    return err;
}

static bool admitted(const struct sf_stream_options *o, const struct sf_address *from)
{
    for (size_t i = 0; i < o->n_accept_filters; i++)
        if (sf_filter_match(&o->accept_filters[i], from))
            return true;
    return o->n_accept_filters == 0;
}

static int tcp_accept(struct sf_acceptor *a, const struct sf_stream_options *o,
                      struct sf_stream **out)
{
    struct sf_address from;
    struct tcp_stream *t;
    int fd = sf_net_accept(a->fd, &from);

    if (fd < 0)
        return fd;
    if (!admitted(o, &from)) {
        sf_net_close(fd);
        return -ECONNABORTED;
    }
    t = new_stream(fd);
    if (!t) {
        sf_net_close(fd);
        return -ENOMEM;
    }
    t->state = OPEN;
    set_options(fd, from.sa.sa_family, o); /* what the system refuses it refused at listen */
    *out = &t->stream;
    return 0;
}

const struct sf_transport sf_tcp_transport = {
    .scheme = "tcp",
    .delayed_event = true,
    .parse = tcp_parse,
    .listen = tcp_listen,
    .accept = tcp_accept,
    .close = tcp_close_acceptor,
    .host = tcp_host,
    .dial = tcp_dial,
    .canonical = tcp_canonical,
};
