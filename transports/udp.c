/* udp://: datagrams, for RADIO, DISH and DGRAM. */
#include "transports/transport.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "io/net.h"
#include "transports/unframe.h"

/*
 * A stream of frames for each endpoint; no peer is known. What a datagram holds:
 *
 *   RADIO, DISH   GG group body     GG = size of group; frames: group, body
 *   DGRAM         body              frames: address and port as text, body
 */
enum {
    DATAGRAM_MAX = 8192,
    AT_A_TIME = 64, /* datagrams; some may be none of ours */
    FIRST_MAX = 255,                                  /* bytes of the frame before the body */
    ROOM = 2 + FIRST_MAX + SF_UNFRAME_HEAD + DATAGRAM_MAX, /* of both frames, at most */
};

#define PREFIX "udp://"

/* ---- Endpoints ------------------------------------------------------------------------------ */

static bool is_multicast(const struct sf_address *a)
{
    if (a->sa.sa_family == AF_INET)
        return IN_MULTICAST(ntohl(((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr));
    return IN6_IS_ADDR_MULTICAST(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
}

/* A numeric address, each family as itself. 0 or -EINVAL. */
static int parse_numeric(struct sf_address *out, const char *host, uint16_t port)
{
    int err = sf_addr_parse(out, host, port, true);

    if (err == 0)
        sf_addr_unmap(out);
    return err;
}

/* "GROUP:PORT", behind an interface and ';'. */
static int check_group(const struct sf_endpoint *e)
{
    struct sf_address a;

    if (parse_numeric(&a, e->host, e->port) || !is_multicast(&a))
        return -EINVAL;
    /* Interfaces have an IPv6 address of their own for each scope: only a name says which. */
    return a.sa.sa_family == AF_INET6 && sf_addr_numeric(e->source) ? -EINVAL : 0;
}

static int udp_parse(struct sf_endpoint *e)
{
    const char *host = e->rest, *semicolon = strchr(host, ';');
    int err;

    if (semicolon) {
        size_t n = (size_t)(semicolon - host);

        if (n == 0 || n >= sizeof e->source)
            return -EINVAL;
        memcpy(e->source, host, n);
        host = semicolon + 1;
    }
    err = sf_addr_split(e->host, &e->port, host, strlen(host), e->bind);
    if (err == 0 && !e->bind && (e->port == 0 || strcmp(e->host, "*") == 0))
        err = -EINVAL;
    if (err == 0 && semicolon)
        err = check_group(e);
    return err;
}

static int udp_host(const struct sf_endpoint *e, const struct sf_stream_options *o,
                    char host[SF_ADDR_HOST_MAX], uint16_t *port)
{
    (void)o;
    memcpy(host, e->host, SF_ADDR_HOST_MAX);
    *port = e->port;
    return !e->bind && !sf_addr_numeric(host);
}

/* ---- Streams -------------------------------------------------------------------------------- */

struct udp_stream {
    struct sf_stream stream; /* owns fd */
    bool groups;             /* else DGRAM */
    bool hears;              /* bound: takes datagrams; else it sends, to `to` alone */
    sa_family_t family;
    struct sf_address to;    /* RADIO: where all goes */
    char text[SF_ADDR_HOST_MAX * 2]; /* the endpoint that was bound */

    /* Writing: the message on its way. */
    struct sf_unframe frame;
    unsigned frame_no;
    bool whole;              /* it is, but the system had no room: its last byte was not accepted */
    bool bad;                /* too large: it is lost */
    uint8_t first[FIRST_MAX];
    size_t n_first;
    uint8_t body[DATAGRAM_MAX];
    size_t n_body;
};

static struct udp_stream *udp_of(struct sf_stream *s)
{
    return SF_CONTAINER(s, struct udp_stream, stream);
}

static int udp_open(struct sf_stream *s)
{
    (void)s;
    return 0;
}

/* Receives one datagram: its size, which may be 0; -EAGAIN; -EMSGSIZE: one that is too large is gone. */
static ssize_t receive(struct udp_stream *u, uint8_t *to, struct sf_address *from)
{
    struct iovec v = {to, DATAGRAM_MAX + 1};
    struct msghdr m = {.msg_name = &from->storage,
                       .msg_namelen = sizeof from->storage,
                       .msg_iov = &v,
                       .msg_iovlen = 1};
    ssize_t n = recvmsg(u->stream.fd, &m, 0);

    from->len = m.msg_namelen;
    if (n < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    return n > DATAGRAM_MAX ? -EMSGSIZE : n;
}

/* Writes two frames: their size. */
static size_t put_frames(uint8_t *to, const void *first, size_t n_first, const void *body, size_t size)
{
    size_t n = 0;

    to[n++] = SF_UNFRAME_MORE;
    to[n++] = (uint8_t)n_first;
    memcpy(to + n, first, n_first);
    n += n_first;
    if (size < 256) {
        to[n++] = 0;
        to[n++] = (uint8_t)size;
    } else {
        to[n++] = SF_UNFRAME_LONG;
        for (int i = 7; i >= 0; i--)
            to[n++] = (uint8_t)((uint64_t)size >> 8 * i);
    }
    if (size)
        memcpy(to + n, body, size);
    return n + size;
}

/* The frames of a datagram: their size, 0 if it is none of ours. */
static size_t make_frames(const struct udp_stream *u, uint8_t *to, const uint8_t *data, size_t size,
                          struct sf_address *from)
{
    char address[SF_ADDR_TEXT_MAX];

    if (!u->hears)
        return 0;
    if (u->groups) {
        if (size == 0 || data[0] > size - 1)
            return 0;
        return put_frames(to, data + 1, data[0], data + 1 + data[0], size - 1 - data[0]);
    }
    sf_addr_unmap(from);
    if (sf_addr_print(from, address, sizeof address))
        return 0;
    return put_frames(to, address, strlen(address) + 1, data, size); /* with its 0 */
}

static ssize_t udp_readv(struct sf_stream *s, const struct iovec *iov, int n)
{
    struct udp_stream *u = udp_of(s);
    size_t put = 0;

    (void)n;
    if (iov[0].iov_len < ROOM)
        return -ENOBUFS;
    for (int i = 0; i < AT_A_TIME && iov[0].iov_len - put >= ROOM; i++) {
        uint8_t data[DATAGRAM_MAX + 1];
        struct sf_address from;
        ssize_t size = receive(u, data, &from);

        if (size == -EAGAIN)
            break;
        if (size >= 0) /* else the system tells of one that went astray: the next one */
            put += make_frames(u, (uint8_t *)iov[0].iov_base + put, data, (size_t)size, &from);
    }
    return put ? (ssize_t)put : -EAGAIN; /* if there are more, the watch will say so */
}

/* DGRAM: reads "address:port", a 0 behind it or not. 0 or -EINVAL. */
static int read_address(const struct udp_stream *u, struct sf_address *out)
{
    size_t n = u->n_first && u->first[u->n_first - 1] == 0 ? u->n_first - 1 : u->n_first;
    char host[SF_ADDR_HOST_MAX];
    uint16_t port;

    if (memchr(u->first, 0, n) || sf_addr_split(host, &port, (const char *)u->first, n, false) ||
        port == 0 || parse_numeric(out, host, port))
        return -EINVAL;
    if (u->family == AF_INET6)
        sf_addr_map(out);
    return out->sa.sa_family == u->family ? 0 : -EINVAL;
}

/* Sends the message that is whole: 0, or -EAGAIN. What cannot be sent is lost. */
static int send_message(struct udp_stream *u)
{
    uint8_t size = (uint8_t)u->n_first;
    struct iovec v[3] = {{&size, 1}, {u->first, u->n_first}, {u->body, u->n_body}};
    struct sf_address to = u->to;
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 3};

    if (u->bad || (u->groups && u->hears))
        return 0;
    if (u->groups) {
        if (1 + u->n_first + u->n_body > DATAGRAM_MAX)
            return 0;
    } else {
        if (read_address(u, &to))
            return 0;
        m.msg_iov = v + 2;
        m.msg_iovlen = 1;
    }
    m.msg_name = &to.storage;
    m.msg_namelen = to.len;
    while (sendmsg(u->stream.fd, &m, 0) < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return -EAGAIN;
        if (errno != EINTR)
            return 0;
    }
    return 0;
}

static void next_message(struct udp_stream *u)
{
    u->frame_no = 0;
    u->n_first = u->n_body = 0;
    u->bad = u->whole = false;
}

/* Keeps bytes of the frame that is coming in. */
static void keep(struct udp_stream *u, const uint8_t *at, size_t n)
{
    uint8_t *to = u->frame_no == 0 ? u->first : u->body;
    size_t *size = u->frame_no == 0 ? &u->n_first : &u->n_body;
    size_t room = (u->frame_no == 0 ? sizeof u->first : sizeof u->body) - *size;

    if (u->frame_no > 1 || n > room) {
        u->bad = true;
        return;
    }
    memcpy(to + *size, at, n);
    *size += n;
}

/* A frame has come in. Whether its message is whole. */
static bool end_frame(struct udp_stream *u)
{
    uint8_t flags = u->frame.head[0];

    sf_unframe_next(&u->frame);
    if (flags & SF_UNFRAME_COMMAND)
        return false;
    if (flags & SF_UNFRAME_MORE) {
        u->frame_no++;
        return false;
    }
    if (u->frame_no != 1) /* not the two frames that it should have */
        u->bad = true;
    return true;
}

/* Takes bytes up to the end of a message at most: how many. */
static size_t take_some(struct udp_stream *u, const uint8_t *at, size_t n)
{
    size_t left = n;

    while (left && sf_unframe_head(&u->frame, &at, &left)) {
        size_t take = left < u->frame.left ? left : (size_t)u->frame.left;

        if (!(u->frame.head[0] & SF_UNFRAME_COMMAND))
            keep(u, at, take);
        at += take;
        left -= take;
        u->frame.left -= take;
        if (u->frame.left)
            break;
        if (end_frame(u)) {
            u->whole = true;
            break;
        }
    }
    return n - left;
}

/*
 * A message is accepted when the system has taken it: for want of room there its
 * last byte is not, and comes again.
 */
static ssize_t udp_writev(struct sf_stream *s, const struct iovec *iov, int n)
{
    struct udp_stream *u = udp_of(s);
    bool again = u->whole; /* the first byte has been here before */
    size_t all = 0;

    for (int i = 0; i < n; i++) {
        const uint8_t *at = iov[i].iov_base;
        size_t left = iov[i].iov_len;

        while (left) {
            size_t took = again ? 1 : take_some(u, at, left);

            again = false;
            if (u->whole && send_message(u) != 0)
                return all + took > 1 ? (ssize_t)(all + took - 1) : -EAGAIN;
            if (u->whole)
                next_message(u);
            at += took;
            left -= took;
            all += took;
        }
    }
    return (ssize_t)all;
}

static void udp_close(struct sf_stream *s)
{
    sf_net_close(s->fd);
    sf_free(udp_of(s));
}

/* Nobody learns that no more comes. */
static int udp_shut(struct sf_stream *s)
{
    (void)s;
    return -ENOTCONN;
}

static int udp_unsent(struct sf_stream *s)
{
    (void)s;
    return 0;
}

static int udp_names(struct sf_stream *s, char *local, char *remote, size_t room)
{
    remote[0] = 0;
    if ((size_t)snprintf(local, room, "%s", udp_of(s)->text) >= room)
        local[0] = 0;
    return 0;
}

static const struct sf_stream_ops stream_ops = {
    .open = udp_open,
    .readv = udp_readv,
    .writev = udp_writev,
    .close = udp_close,
    .shut = udp_shut,
    .unsent = udp_unsent,
    .names = udp_names,
};

/* ---- Opening -------------------------------------------------------------------------------- */

/* Sets what tells the system how to send to groups. 0 or -errno. */
static int set_multicast(int fd, sa_family_t family, const struct sf_stream_options *o)
{
    int hops = o->multicast_hops < 255 ? o->multicast_hops : 255, err;

    if (family == AF_INET6) {
        err = sf_net_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops);
        return err ? err : sf_net_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, o->multicast_loop);
    }
    err = sf_net_set(fd, IPPROTO_IP, IP_MULTICAST_TTL, hops);
    return err ? err : sf_net_set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, o->multicast_loop);
}

static int set_options(int fd, sa_family_t family, const struct sf_stream_options *o)
{
    int err = sf_net_set(fd, SOL_SOCKET, SO_BROADCAST, 1);

    if (!err && o->sndbuf >= 0)
        err = sf_net_set(fd, SOL_SOCKET, SO_SNDBUF, o->sndbuf);
    if (!err && o->rcvbuf >= 0)
        err = sf_net_set(fd, SOL_SOCKET, SO_RCVBUF, o->rcvbuf);
    if (!err && o->tos > 0)
        err = family == AF_INET6 ? sf_net_set(fd, IPPROTO_IPV6, IPV6_TCLASS, o->tos)
                                 : sf_net_set(fd, IPPROTO_IP, IP_TOS, o->tos);
#ifdef SO_PRIORITY
    if (!err && o->priority > 0)
        err = sf_net_set(fd, SOL_SOCKET, SO_PRIORITY, o->priority);
#endif
#ifdef SO_BUSY_POLL
    if (!err && o->busy_poll != 0)
        err = sf_net_set(fd, SOL_SOCKET, SO_BUSY_POLL, o->busy_poll);
#endif
#ifdef SO_BINDTODEVICE
    if (!err && o->device[0])
        err = sf_net_set_bytes(fd, SOL_SOCKET, SO_BINDTODEVICE, o->device, strlen(o->device));
#else
    if (!err && o->device[0])
        err = -ENOTSUP;
#endif
    return err ? err : set_multicast(fd, family, o);
}

/* The interface that `source` names: its index, or for IPv4 an address. 0 or -ENODEV. */
static int find_interface(const char *source, unsigned *index, struct in_addr *address)
{
    struct sf_address a;

    *index = 0;
    address->s_addr = htonl(INADDR_ANY);
    if (!source[0] || strcmp(source, "*") == 0)
        return 0;
    if (sf_addr_numeric(source)) {
        if (parse_numeric(&a, source, 0) || a.sa.sa_family != AF_INET)
            return -ENODEV;
        *address = ((struct sockaddr_in *)&a.sa)->sin_addr;
        return 0;
    }
    *index = if_nametoindex(source);
    return *index ? 0 : -ENODEV;
}

/* Joins the group, or sends to it, by an interface. */
static int use_interface(int fd, const struct sf_endpoint *e, const struct sf_address *group, bool join)
{
    struct ipv6_mreq six;
    struct ip_mreqn four;
    struct in_addr address;
    unsigned index;
    int err = find_interface(e->source, &index, &address);

    if (err)
        return err;
    if (group->sa.sa_family == AF_INET) {
        memset(&four, 0, sizeof four);
        four.imr_multiaddr = ((const struct sockaddr_in *)&group->sa)->sin_addr;
        four.imr_address = address;
        four.imr_ifindex = (int)index;
        return sf_net_set_bytes(fd, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_MULTICAST_IF, &four,
                                sizeof four);
    }
    six.ipv6mr_multiaddr = ((const struct sockaddr_in6 *)&group->sa)->sin6_addr;
    six.ipv6mr_interface = index;
    if (join)
        return sf_net_set_bytes(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &six, sizeof six);
    return sf_net_set_bytes(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
}

/* Where to bind: a numeric address, an interface, or all. 0, -ENODEV, -ENOMEM. */
static int find_address(struct sf_address *out, const struct sf_endpoint *e, bool ipv6)
{
    int err;

    if (strcmp(e->host, "*") == 0) {
        sf_addr_any(out, e->port, ipv6);
        return 0;
    }
    if (!sf_addr_numeric(e->host))
        return sf_addr_interface(out, e->host, e->port, ipv6);
    err = parse_numeric(out, e->host, e->port);
    if (err == 0 && out->sa.sa_family == AF_INET6 && !ipv6)
        err = -ENODEV;
    return err;
}

/* Tells the address with the port that the system gave. */
static int fill_text(struct udp_stream *u, const struct sf_endpoint *e, bool group)
{
    char address[SF_ADDR_TEXT_MAX];
    struct sf_address local, shown;
    int err = sf_net_local(u->stream.fd, &local);

    shown = local;
    if (err == 0 && group) {
        err = parse_numeric(&shown, e->host, 0);
        sf_addr_set_port(&shown, sf_addr_port_of(&local));
    }
    if (err == 0)
        err = sf_addr_print(&shown, address, sizeof address);
    if (err)
        return err;
    snprintf(u->text, sizeof u->text, PREFIX "%s%s%s", e->source, e->source[0] ? ";" : "", address);
    return 0;
}

/* Several may hear one group: they share the address. */
static int share_address(int fd)
{
    int err = sf_net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

#ifdef SO_REUSEPORT
    if (!err)
        err = sf_net_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
#endif
#ifdef IP_MULTICAST_ALL /* else groups that others have joined come, too */
    if (!err)
        sf_net_set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
#endif
    return err;
}

static int bind_stream(struct udp_stream *u, const struct sf_endpoint *e, const struct sf_stream_options *o)
{
    struct sf_address a, at;
    bool group;
    int err = find_address(&a, e, o->ipv6);

    if (err)
        return err;
    group = is_multicast(&a);
    at = a;
    if (group)
        sf_addr_any(&at, e->port, a.sa.sa_family == AF_INET6);
    u->family = at.sa.sa_family;
    u->hears = true;
    err = sf_net_datagram(u->family);
    if (err < 0)
        return err;
    u->stream.fd = err;
    err = u->family == AF_INET6 ? sf_net_set(u->stream.fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) : 0;
    if (!err)
        err = set_options(u->stream.fd, u->family, o);
    if (!err && group)
        err = share_address(u->stream.fd);
    if (!err && bind(u->stream.fd, &at.sa, at.len) < 0)
        err = -errno;
    if (!err && group)
        err = use_interface(u->stream.fd, e, &a, true);
    if (!err && group)
        err = use_interface(u->stream.fd, e, &a, false);
    return err ? err : fill_text(u, e, group);
}

static int connect_stream(struct udp_stream *u, const struct sf_endpoint *e,
                          const struct sf_stream_options *o, const struct sf_address *addr)
{
    int err = 0;

    if (addr)
        u->to = *addr;
    else
        err = parse_numeric(&u->to, e->host, e->port);
    if (err)
        return err;
    sf_addr_unmap(&u->to);
    u->family = u->to.sa.sa_family;
    if (u->family == AF_INET6 && !o->ipv6)
        return -ENODEV;
    err = sf_net_datagram(u->family);
    if (err < 0)
        return err;
    u->stream.fd = err;
    err = set_options(u->stream.fd, u->family, o);
    if (!err && e->source[0])
        err = use_interface(u->stream.fd, e, &u->to, false);
    return err;
}

static int udp_dial(const struct sf_endpoint *e, const struct sf_stream_options *o,
                    const struct sf_address *addr, struct sf_stream **out)
{
    struct udp_stream *u = sf_alloc(sizeof *u);
    int err;

    if (!u)
        return -ENOMEM;
    u->stream.ops = &stream_ops;
    u->stream.fd = -1;
    u->stream.read_wants = SF_READ;
    u->stream.write_wants = SF_WRITE;
    u->stream.read_room = ROOM;
    u->groups = o->groups;
    err = e->bind ? bind_stream(u, e, o) : connect_stream(u, e, o, addr);
    if (err) {
        udp_close(&u->stream);
        return err;
    }
    *out = &u->stream;
    return 0;
}

const struct sf_transport sf_udp_transport = {
    .scheme = "udp",
    .datagrams = true,
    .parse = udp_parse,
    .host = udp_host,
    .dial = udp_dial,
};
