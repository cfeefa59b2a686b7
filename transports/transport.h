#ifndef SF_TRANSPORT_H
#define SF_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "io/addr.h"
#include "io/poller.h"

/*
 * The contract between the core and its transports: a transport parses its
 * endpoints, listens, accepts and dials; what comes out is a connected byte
 * stream. Calls go down only: a transport knows nothing of who uses it. Each
 * transport is a row in table.c. Nothing here blocks, but for name look-up in
 * `listen`.
 */

/* What a transport may know of a socket's options. Text and arrays are borrowed for the call. */
struct sf_stream_options {
    int sndbuf, rcvbuf;     /* bytes; -1: the system's */
    int tos;                /* 0: the system's */
    int priority;           /* 0: the system's */
    int busy_poll;          /* microseconds; 0: none */
    int keepalive;          /* 1, 0; -1: the system's */
    int keepalive_cnt;      /* probes; -1: the system's */
    int keepalive_idle;     /* seconds; -1: the system's */
    int keepalive_intvl;    /* seconds; -1: the system's */
    int maxrt;              /* ms without acknowledgement; 0: the system's */
    int multicast_hops;     /* of datagrams to a group */
    bool multicast_loop;    /* this machine hears them, too */
    bool groups;            /* datagrams carry a group and a body (RADIO, DISH), else go by address */
    int backlog;            /* -1: the system's maximum */
    bool ipv6;
    int use_fd;             /* a listening descriptor to take over; -1: none */
    char device[17];        /* network interface to bind to; "": any */
    const char *socks_proxy;    /* "host:port"; NULL or "": none */
    const char *socks_user;     /* NULL or "": no authentication */
    const char *socks_password; /* NULL: "" */
    const struct sf_filter *accept_filters; /* tcp: one must match, if there are any */
    size_t n_accept_filters;
    const uid_t *uids; /* ipc: any of the three lists must match, if they are not all empty */
    size_t n_uids;
    const gid_t *gids;
    size_t n_gids;
    const pid_t *pids;
    size_t n_pids;
};

/* Fills in what an untouched socket has. */
void sf_stream_options_init(struct sf_stream_options *o);

/* Bytes that peer_address, and names for each of its texts, never exceed, 0 included. */
enum { SF_STREAM_NAME_MAX = 320 };

struct sf_stream;

/*
 * What a connected byte stream can do. None of these blocks. readv on one side
 * and writev on the other may run in two threads at once, unless `joint`; the
 * rest excludes every other call.
 */
struct sf_stream_ops {
    /* Goes on with connect, proxy, hello: 0: usable; -EAGAIN: see `want`; -errno: failed. Also right on an accepted stream. */
    int (*open)(struct sf_stream *s);

    /* > 0 bytes; 0: the peer sends no more; -EAGAIN: see `read_wants`; -errno */
    ssize_t (*readv)(struct sf_stream *s, const struct iovec *iov, int n);

    /* > 0 bytes; -EAGAIN: see `write_wants`; -errno (-EPIPE, -ECONNRESET: gone) */
    ssize_t (*writev)(struct sf_stream *s, const struct iovec *iov, int n);

    /* Closes the descriptor and frees the stream. The watch is to be gone before. */
    void (*close)(struct sf_stream *s);

    /* Sends no more (SHUT_WR). 0 or -errno. */
    int (*shut)(struct sf_stream *s);

    /* Bytes in the kernel's send queue, or -errno. */
    int (*unsent)(struct sf_stream *s);

    /* The system is to take at most so many bytes that it cannot send yet. NULL: it cannot be told. */
    void (*limit_unsent)(struct sf_stream *s, int bytes);

    /* The peer without its port, for Peer-Address: "127.0.0.1"; ipc: "localhost:UID:GID:PID". 0 or -errno. */
    int (*peer_address)(struct sf_stream *s, char *to, size_t room);

    /* Both ends as endpoint texts, for the monitor; "" where there is none. `room` is that of each. 0 or -errno. */
    int (*names)(struct sf_stream *s, char *local, char *remote, size_t room);
};

struct sf_stream {
    const struct sf_stream_ops *ops;
    int fd;               /* owns; for the watch and for shutdown(2) */
    unsigned want;        /* what open waits for: set when it returns -EAGAIN */
    uint8_t read_wants;   /* what readv waits for after -EAGAIN: constant SF_READ unless `joint` */
    uint8_t write_wants;  /* what writev waits for after -EAGAIN: constant SF_WRITE unless `joint` */
    bool joint;           /* its directions are not independent (TLS): one token for both */
    uint32_t read_room;   /* bytes that the first buffer given to readv has at least; 0: any */
};

/*
 * Puts a stream in place of `*io`, whose peer speaks no ZMTP, for who reads and
 * writes frames: what one read gives, at most `most` bytes, is a frame, and of
 * each frame written its body goes out; commands go nowhere. Buffers to read
 * into have more than 9 bytes. 0 or -ENOMEM.
 */
int sf_stream_bare(struct sf_stream **io, size_t most);

struct sf_transport;

/* An endpoint, taken apart. Zeroed memory may go to _fini. */
struct sf_endpoint {
    const struct sf_transport *transport;
    char *text;       /* owns; as the user wrote it: "tcp://eth0:5555" */
    const char *rest; /* within text: what follows "://" */
    bool bind;        /* parsed as an address to bind to */

    /* tcp: */
    char host[SF_ADDR_HOST_MAX];   /* without brackets; "*": all, bind only */
    uint16_t port;                 /* 0: ephemeral */
    char source[SF_ADDR_HOST_MAX]; /* where to connect from: numeric, interface or "*"; "": unset */
    uint16_t source_port;          /* 0: ephemeral */
};

/*
 * Parses `text` for bind or for connect. 0, or
 *   -EINVAL           no "://", an empty part, an address the transport cannot read;
 *                     connect: a wildcard; a port above 65535
 *   -EPROTONOSUPPORT  a scheme that is not built in
 *   -ENAMETOOLONG     ipc: more than 107 bytes
 *   -ENOMEM
 * in this order. Whether the socket type allows the scheme is the core's to ask
 * between the two: sf_transport_of. On failure `e` needs no _fini.
 */
int sf_endpoint_parse(struct sf_endpoint *e, const char *text, bool bind);
void sf_endpoint_fini(struct sf_endpoint *e);

/* The first half of that: 0 and the transport, -EINVAL, -EPROTONOSUPPORT. `rest` (may be NULL) gets what follows "://". */
int sf_transport_of(const struct sf_transport **out, const char *text, const char **rest);

/* One address that is listened at. */
struct sf_acceptor {
    const struct sf_transport *transport;
    int fd;     /* owns; readable when somebody waits */
    char *text; /* owns; the resolved endpoint: LAST_ENDPOINT, and the key for unbind */
};

struct sf_transport {
    const char *scheme;  /* "tcp", as written before "://" */
    bool inproc;         /* only recognized here, the core connects it: no slots but parse */
    bool delayed_event;  /* an attempt under way is reported as CONNECT_DELAYED */
    bool datagrams;      /* has no connections: bind dials, too, and what comes is a stream of frames
                            whose peers are unknown; its `names` tell the bound endpoint. No `listen` */

    /* Fills the parts of `e` (text, rest and transport are set). As sf_endpoint_parse. */
    int (*parse)(struct sf_endpoint *e);

    /*
     * Listens, in the caller's thread; host names to bind to are looked up
     * here. Takes over o->use_fd on success. 0, -EADDRINUSE, -EADDRNOTAVAIL,
     * -ENODEV (neither interface nor host), -EACCES, -ENOENT, -EMFILE, -EINVAL
     * (unknown zone), -ENAMETOOLONG, -ENOMEM, or what setsockopt said.
     */
    int (*listen)(const struct sf_endpoint *e, const struct sf_stream_options *o,
                  struct sf_acceptor **out);

    /*
     * Takes one connection. 0; -EAGAIN: nothing waits; -ECONNABORTED: refused
     * by a filter or gone again, go on; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM:
     * pause; other -errno: the acceptor is broken.
     */
    int (*accept)(struct sf_acceptor *a, const struct sf_stream_options *o, struct sf_stream **out);

    /* Closes, removes the directory of a wildcard ipc (not in a forked child), frees. NULL is allowed. */
    void (*close)(struct sf_acceptor *a);

    /*
     * Which host is to be looked up before `dial`: the endpoint's, or that of
     * the SOCKS proxy. 1: `host` and `*port`; 0: none, dial with NULL; -EINVAL:
     * the proxy's address is malformed. NULL slot: never one.
     */
    int (*host)(const struct sf_endpoint *e, const struct sf_stream_options *o,
                char host[SF_ADDR_HOST_MAX], uint16_t *port);

    /*
     * Starts a non-blocking connect to `addr`, one of the looked-up addresses,
     * or NULL if `host` said none; then call open. 0 or -errno: this attempt
     * failed, as when open fails. Needs no option afterwards.
     */
    int (*dial)(const struct sf_endpoint *e, const struct sf_stream_options *o,
                const struct sf_address *addr, struct sf_stream **out);

    /*
     * The text an acceptor at this numeric address would have, for unbind by
     * another spelling. 0, -EINVAL (a name or a wildcard), -ENOBUFS. NULL slot:
     * the text as it is.
     */
    int (*canonical)(const struct sf_endpoint *e, bool ipv6, char *to, size_t room);
};

extern const struct sf_transport sf_tcp_transport;
extern const struct sf_transport sf_ipc_transport;
extern const struct sf_transport sf_udp_transport;

/* The transport of that scheme (`n` bytes), or NULL. */
const struct sf_transport *sf_transport_find(const char *scheme, size_t n);

#endif
