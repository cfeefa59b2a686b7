/*
 * sifr: messages between threads, processes and machines, without a broker.
 *
 * This is the whole public API, in the order in which a program meets it:
 * library, errors, context, sockets, options, endpoints, messages, sending and
 * receiving, polling, monitoring, proxy, timers, keys, authenticator, tools.
 *
 * What holds for every call:
 *   - What fails returns -1 (or NULL) and leaves a code other than 0 in errno;
 *     after success errno means nothing. EFSM, ENOCOMPATPROTO, ETERM and
 *     EMTHREAD below stand for SIFR_EFSM and so on; the others are the system's.
 *   - Times are milliseconds; -1 waits for ever, 0 does not wait. A wait never
 *     ends early by more than 1 ms.
 *   - Pointers passed in are borrowed until the call returns, except where it
 *     says "taken".
 *   - A closed or foreign handle gives ENOTSOCK (socket) or EFAULT (context),
 *     and is not followed further.
 *   - Calls on one context or socket may come from any thread: they take turns.
 *     A message, or an array of poll items, belongs to one thread at a time.
 *   - In the child of a fork the parent's sockets answer EINTR; it makes a
 *     context of its own.
 *   - Nothing here ends the process, prints, or raises SIGPIPE.
 *
 * Names and numbers are those of ZeroMQ's C API with another prefix.
 */
#ifndef SIFR_H
#define SIFR_H

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SIFR_API __attribute__((visibility("default")))
#else
#define SIFR_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Library ---------------------------------------------------------------------------- */

/* The version of this header; sifr_version() tells that of the library. */
#define SIFR_VERSION_MAJOR 0
#define SIFR_VERSION_MINOR 1
#define SIFR_VERSION_PATCH 0
#define SIFR_MAKE_VERSION(major, minor, patch) ((major)*10000 + (minor)*100 + (patch))
#define SIFR_VERSION SIFR_MAKE_VERSION(SIFR_VERSION_MAJOR, SIFR_VERSION_MINOR, SIFR_VERSION_PATCH)

/*
 * Tells the version of the library that runs, which may differ from SIFR_VERSION.
 *
 *   major, minor, patch  where to store the three numbers; none may be NULL
 *
 * Threads: any.
 */
SIFR_API void sifr_version(int *major, int *minor, int *patch);

/*
 * Tells whether the library was built with an optional feature.
 *
 *   capability  "ipc", "curve", "gssapi", "pgm", "norm", "tipc", "vsock", "vmci", "WS",
 *               "WSS" or "draft", spelt exactly so
 *
 * Returns 1 if it has it, 0 if not, if the name is unknown (which includes "tcp" and "inproc":
 * they are always there), or if it is NULL. Never fails.
 *
 * Threads: any.
 */
SIFR_API int sifr_has(const char *capability);

/* ---- Errors ----------------------------------------------------------------------------- */

/* Codes that the system does not have; all others are those of <errno.h>. */
#define SIFR_EFSM 156384763           /* the call is not this socket's turn */
#define SIFR_ENOCOMPATPROTO 156384764 /* the transport cannot carry this socket type */
#define SIFR_ETERM 156384765          /* the context is shutting down */
#define SIFR_EMTHREAD 156384766       /* no I/O thread may serve this endpoint */

/*
 * Returns errno of the calling thread; for callers that cannot read it themselves.
 *
 * Threads: any.
 */
SIFR_API int sifr_errno(void);

/*
 * Describes an error code in English.
 *
 *   errnum  any int: a code of this library, of the system, or neither
 *
 * Returns a text that is never NULL and is not the caller's to free or change; it stays as it is
 * until the thread's next call.
 *
 * Threads: any.
 */
SIFR_API const char *sifr_strerror(int errnum);

/* ---- Context ---------------------------------------------------------------------------- */

/* Holds the I/O threads and the inproc names that its sockets share. */
typedef struct sifr_ctx sifr_ctx_t;

/*
 * Options of a context. Each is described as: access (r, w), accepted values [default], moment.
 *   threads  read when the first socket starts the I/O threads; later changes do nothing
 *   sockets  read by each socket that is created afterwards
 */

/* rw, >= 0 [1], threads: number of I/O threads. With 0 only inproc works. */
#define SIFR_IO_THREADS 1
/* rw, >= 1 [1023], threads: sockets that may be open at once, monitors' own included. */
#define SIFR_MAX_SOCKETS 2
/* r: the largest SIFR_MAX_SOCKETS, 65535. */
#define SIFR_SOCKET_LIMIT 3
/*
 * w, >= 0 [-1: the system's], threads: priority of the I/O threads, for a real-time policy; without
 * one any value > 0 means nice -20. Of priority, policy and processors, what the system refuses to
 * this process is left as it was.
 */
#define SIFR_THREAD_PRIORITY 3
/* rw, >= 0 [-1: the system's], threads: scheduling policy of the I/O threads, e.g. SCHED_RR. */
#define SIFR_THREAD_SCHED_POLICY 4
/* rw, >= 0 [INT_MAX]: kept and read back, not enforced; SIFR_MAXMSGSIZE is. */
#define SIFR_MAX_MSGSZ 5
/* r: sizeof(sifr_msg_t), 64. */
#define SIFR_MSG_T_SIZE 6
/* w, 0 to 1023 [none], threads: adds a processor to those the I/O threads may run on. */
#define SIFR_THREAD_AFFINITY_CPU_ADD 7
/* w, 0 to 1023, threads: takes one away again; EINVAL if it was never added. */
#define SIFR_THREAD_AFFINITY_CPU_REMOVE 8
/* rw, any [0: none], threads: put before the names of the I/O threads; a text: sifr_ctx_set_ext. */
#define SIFR_THREAD_NAME_PREFIX 9
/*
 * rw, >= 0 [1], sockets: received messages may stay in the buffer they were read into; 0: each gets
 * memory of its own.
 */
#define SIFR_ZERO_COPY_RECV 10
/* rw, 0 or 1 [1], sockets: 0 gives new sockets a SIFR_LINGER of 0. */
#define SIFR_BLOCKY 70
/* SIFR_IPV6 (42, below): rw, 0 or 1 [0], sockets: their default of the same name. */

#define SIFR_IO_THREADS_DFLT 1
#define SIFR_MAX_SOCKETS_DFLT 1023
#define SIFR_THREAD_PRIORITY_DFLT (-1)
#define SIFR_THREAD_SCHED_POLICY_DFLT (-1)

/*
 * Makes a context. It starts no thread: the first socket does.
 *
 * Returns a context that sifr_ctx_term frees, or NULL with errno:
 *   ENOMEM  out of memory
 *
 * Threads: any.
 */
SIFR_API sifr_ctx_t *sifr_ctx_new(void);

/*
 * Sets an option of a context.
 *
 *   option  SIFR_IO_THREADS or another of the list above
 *   value   as described there
 *
 * Returns 0, or -1 with errno and nothing changed:
 *   EINVAL  unknown or read-only option, or a value out of range
 *   EFAULT  not a live context
 *
 * Threads: any.
 */
SIFR_API int sifr_ctx_set(sifr_ctx_t *ctx, int option, int value);

/*
 * Reads an option of a context.
 *
 * Returns the value, or -1 with errno (-1 is also a value of SIFR_THREAD_SCHED_POLICY and
 * SIFR_THREAD_NAME_PREFIX: set errno to 0 before the call to tell them apart):
 *   EINVAL  unknown or write-only option        EFAULT  not a live context
 *
 * Threads: any.
 */
SIFR_API int sifr_ctx_get(sifr_ctx_t *ctx, int option);

/*
 * Sets an option of a context from bytes.
 *
 *   option  as for sifr_ctx_set
 *   value   the new value, copied; at any alignment
 *   size    4 for an int, as for sifr_ctx_set. SIFR_THREAD_NAME_PREFIX may also be a text of 1 to
 *           16 bytes, without NUL; one of 4 bytes is an int
 *
 * Returns 0, or -1 with errno as sifr_ctx_set; EINVAL also for another size, or value NULL.
 *
 * Threads: any.
 */
SIFR_API int sifr_ctx_set_ext(sifr_ctx_t *ctx, int option, const void *value, size_t size);

/*
 * Reads an option of a context into bytes.
 *
 *   option  as for sifr_ctx_get
 *   value   where to store it; at any alignment
 *   size    the room there in bytes; not changed. 4 for an int; for SIFR_THREAD_NAME_PREFIX as a
 *           text at least its length, and a NUL follows if there is room for it
 *
 * Returns 0, or -1 with errno and nothing stored:
 *   EINVAL  unknown or write-only option, a size that does not fit, value or size NULL
 *   EFAULT  not a live context
 *
 * Threads: any.
 */
SIFR_API int sifr_ctx_get_ext(sifr_ctx_t *ctx, int option, void *value, size_t *size);

/*
 * Makes every call that waits on a socket of this context, and every later one except sifr_close,
 * fail with ETERM. Does not wait and frees nothing. Once is enough, more does no harm.
 *
 * Returns 0, or -1 with errno:
 *   EFAULT  not a live context
 *
 * Threads: any.
 */
SIFR_API int sifr_ctx_shutdown(sifr_ctx_t *ctx);

/*
 * Ends a context: shuts it down, waits until every socket is closed and has sent what it had or
 * used up its SIFR_LINGER, then frees everything. Waits for ever for a socket that nobody closes.
 * When it has returned 0, the free functions of all messages that the program does not hold itself
 * have run.
 *
 *   ctx  taken on success
 *
 * Returns 0, or -1 with errno:
 *   EINTR   a signal came while waiting: the context stays shut down; call again to go on
 *   EFAULT  not a live context
 *
 * Threads: one at a time, and no use of the context after it.
 */
SIFR_API int sifr_ctx_term(sifr_ctx_t *ctx);

/* ---- Sockets ---------------------------------------------------------------------------- */

/* One end of a messaging pattern, with any number of connections. */
typedef struct sifr_socket sifr_socket_t;

/* Socket types:         peers                sends to                receives */
#define SIFR_PAIR 0   /* PAIR                 its one peer            from it */
#define SIFR_PUB 1    /* SUB XSUB             all that subscribed     - */
#define SIFR_SUB 2    /* PUB XPUB             -                       what it subscribed to */
#define SIFR_REQ 3    /* REP ROUTER           one, in turn            the reply, then sends again */
#define SIFR_REP 4    /* REQ DEALER           whom it answers         a request, then answers it */
#define SIFR_DEALER 5 /* REP DEALER ROUTER    one, in turn            from all, fairly */
#define SIFR_ROUTER 6 /* REQ DEALER ROUTER    whom frame 1 names      from all, sender in frame 1 */
#define SIFR_PULL 7   /* PUSH                 -                       from all, fairly */
#define SIFR_PUSH 8   /* PULL                 one, in turn            - */
#define SIFR_XPUB 9   /* SUB XSUB             all that subscribed     their subscriptions */
#define SIFR_XSUB 10  /* PUB XPUB             all (subscriptions)     what it subscribed to */
#define SIFR_STREAM 11 /* any, without ZMTP    whom frame 1 names      bytes, sender in frame 1 */
#define SIFR_DGRAM 18  /* any, by udp         whom frame 1 addresses  datagrams, sender in frame 1 */
/* Messages of one frame: several threads may send and receive without knowing of each other. */
#define SIFR_SERVER 12  /* CLIENT             whom the routing id names  from all, fairly */
#define SIFR_CLIENT 13  /* SERVER             one, in turn            from all, fairly */
#define SIFR_RADIO 14   /* DISH               all that joined its group  - */
#define SIFR_DISH 15    /* RADIO              -                       of the groups it joined */
#define SIFR_GATHER 16  /* SCATTER            -                       from all, fairly */
#define SIFR_SCATTER 17 /* GATHER             one, in turn            - */
#define SIFR_PEER 19    /* PEER               whom the routing id names  from all, fairly */
#define SIFR_CHANNEL 20 /* CHANNEL            its one peer            from it */

/*
 * Makes a socket. The first one starts the context's I/O threads.
 *
 *   type  SIFR_PAIR or another of the list above
 *
 * Returns a socket that sifr_close frees, or NULL with errno:
 *   EINVAL  unknown type
 *   EMFILE  SIFR_MAX_SOCKETS reached, or no descriptor left
 *   ETERM   the context is shutting down
 *   EFAULT  not a live context        ENOMEM  out of memory
 *
 * Threads: any.
 * Source:  RFC 28 (request-reply), RFC 29 (publish-subscribe), RFC 30 (pipeline), RFC 31
 *          (exclusive pair), RFC 41 (CLIENT, SERVER), RFC 48 (RADIO, DISH), RFC 49 (SCATTER, GATHER),
 *          RFC 51 (PEER), RFC 52 (CHANNEL).
 */
SIFR_API sifr_socket_t *sifr_socket(sifr_ctx_t *ctx, int type);

/*
 * Closes a socket, without waiting. What was received but not read, and a message of which only
 * some frames were sent, are dropped; whole unsent messages are sent in the background for up to
 * SIFR_LINGER. Names that it bound are free when the call returns.
 *
 *   sock  taken on success
 *
 * Returns 0, or -1 with errno:
 *   ENOTSOCK  not an open socket
 *
 * Threads: any, but no other call on this socket may follow or still run.
 */
SIFR_API int sifr_close(sifr_socket_t *sock);

/* ---- Socket options --------------------------------------------------------------------- */

/*
 * Each option is described as: access (r, w), type, accepted values [default], moment: meaning.
 *   int    4 bytes                             bool   an int that is 0 or 1
 *   flag   an int >= 0, not 0 means on         u64, i64  8 bytes
 *   bytes  any bytes                           text   characters; the length counts no NUL on
 *                                                     writing, and counts it on reading
 *   now    acts on the live socket
 *   later  read by each bind and connect that follows, and kept for the connections it makes
 * An option of one socket type gives EINVAL on others; one of a transport is kept and has no
 * effect elsewhere.
 */

/* -- Of every socket -- */

/* r, int: the socket type, SIFR_PAIR ... */
#define SIFR_TYPE 16
/* r, int: 1 if the frame received last has another behind it in its message. */
#define SIFR_RCVMORE 13
/* r, int: SIFR_POLLIN and SIFR_POLLOUT as they are now. */
#define SIFR_EVENTS 15
/*
 * r, int: a descriptor that becomes readable when SIFR_EVENTS may have changed. Only to wait for,
 * never to read, write or close; same number until sifr_close. After it was readable, and after
 * each send or receive, ask SIFR_EVENTS before waiting again. EINVAL where SIFR_THREAD_SAFE is 1:
 * of what it tells one thread, another may have taken.
 */
#define SIFR_FD 14
/* r, text: endpoint of the last bind (as the system gave it) or connect (as written), or "". */
#define SIFR_LAST_ENDPOINT 32
/* r, int: 1 for the types of one-frame messages. For ZeroMQ's bindings: here every type is safe. */
#define SIFR_THREAD_SAFE 81
/* rw, u64, any [0], later: I/O threads that may serve an endpoint, bit 0 the first; 0: all. */
#define SIFR_AFFINITY 4
/*
 * rw, int, >= -1 ms [-1; 0 on SUB, XSUB and DISH], now: how long unsent messages outlive sifr_close or
 * sifr_disconnect. Over inproc: those sent to a name nobody has bound yet; term drops them.
 */
#define SIFR_LINGER 17
/* rw, int, >= 0 messages [1000], now: unsent messages a connection holds; 0: no limit. */
#define SIFR_SNDHWM 23
/* rw, int, >= 0 messages [1000], now: unread messages a connection holds; 0: no limit. */
#define SIFR_RCVHWM 24
/* rw, int, >= -1 ms [-1], now: how long a send waits before EAGAIN; 0 acts as SIFR_DONTWAIT. */
#define SIFR_SNDTIMEO 28
/* rw, int, >= -1 ms [-1], now: how long a receive waits before EAGAIN; 0 acts as SIFR_DONTWAIT. */
#define SIFR_RCVTIMEO 27
/* rw, i64, bytes [-1: any], later: largest frame to accept; a larger one ends its connection.
   Of ZMTP's frames: what STREAM reads and what udp brings is limited by the room there is. */
#define SIFR_MAXMSGSIZE 22
/* rw, bool [0], later: queue only for connections whose handshake is done. */
#define SIFR_IMMEDIATE 39
/* rw, bool [0], later: keep the newest message only. PUSH PULL PUB SUB DEALER, single frames. */
#define SIFR_CONFLATE 54

/* -- Identity and routing -- */

/*
 * rw, bytes, 1 to 255 [none], later: name announced to peers, by which a ROUTER knows us. Of a STREAM
 * it reads as the id of its newest connection, which has one as soon as sifr_connect returns.
 */
#define SIFR_ROUTING_ID 5
/* w, bytes, 1 to 255 [none], the next connect alone: what to call that peer. ROUTER REP STREAM. */
#define SIFR_CONNECT_ROUTING_ID 61
/*
 * w, flag [0], now: report a peer unknown or full (EHOSTUNREACH, EAGAIN), not drop. ROUTER; REP, which
 * is done with a request whose peer has gone.
 */
#define SIFR_ROUTER_MANDATORY 33
/*
 * w, flag [0], now: a newcomer takes over the name of a connected peer, whose connection ends. ROUTER;
 * REP, which without it serves both.
 */
#define SIFR_ROUTER_HANDOVER 56
/* rw, int, SIFR_NOTIFY_* or-ed [0], later: receive (id, empty) as peers come and go. ROUTER. */
#define SIFR_ROUTER_NOTIFY 97
#define SIFR_NOTIFY_CONNECT 1
#define SIFR_NOTIFY_DISCONNECT 2
/*
 * w, bool [1], later: receive (id, empty) as connections come and go; the first tells their ids.
 * STREAM.
 */
#define SIFR_STREAM_NOTIFY 73
/* w, flag [0], later: speak no ZMTP, as a STREAM that gets no notices. ROUTER. */
#define SIFR_ROUTER_RAW 41
/* w, flag [0], now: send an empty message on each new connection. REQ DEALER ROUTER REP. */
#define SIFR_PROBE_ROUTER 51
/* w, flag [0], now: number requests, and accept only the reply to the last. REQ. */
#define SIFR_REQ_CORRELATE 52
/* w, flag [0], now: allow a new request while one is open, which is given up. REQ. */
#define SIFR_REQ_RELAXED 53
/*
 * w, bytes [none; empty clears], later: first frame to each new peer. ROUTER DEALER REP REQ SERVER
 * CLIENT PEER.
 */
#define SIFR_HELLO_MSG 110
/*
 * w, bytes [none; empty clears], later: received in place of an accepted peer lost. ROUTER REP
 * SERVER PEER.
 */
#define SIFR_DISCONNECT_MSG 111
/* w, bytes [none; empty clears], later: received when a dialled peer is lost. DEALER REQ CLIENT PEER. */
#define SIFR_HICCUP_MSG 114

/* -- Subscriptions -- */

/* w, bytes, any, now: receive what begins with this; counted. SUB; XPUB with SIFR_XPUB_MANUAL. */
#define SIFR_SUBSCRIBE 6
/* w, bytes, any, now: undo one SIFR_SUBSCRIBE; an unknown prefix does nothing. The same types. */
#define SIFR_UNSUBSCRIBE 7
/* r, int: distinct prefixes: of the peers (PUB, XPUB), of its own (SUB, XSUB). */
#define SIFR_TOPICS_COUNT 116
/* rw, flag [0], now: deliver what does not match. PUB, XPUB and SUB, on both ends. */
#define SIFR_INVERT_MATCHING 74
/* w, flag [0], now: wait or give EAGAIN for a full peer, not drop. XPUB, PUB, RADIO. */
#define SIFR_XPUB_NODROP 69
/* w, flag [0], now: receive every subscription, not the first of each prefix alone. XPUB, PUB. */
#define SIFR_XPUB_VERBOSE 40
/* w, flag [0], now: the same, and every cancelled one. XPUB, PUB. */
#define SIFR_XPUB_VERBOSER 78
/* w, flag [0], now: SIFR_SUBSCRIBE decides for the peer whose request was just read. XPUB. */
#define SIFR_XPUB_MANUAL 71
/* w, flag [0], now: the same, and the next message goes to that peer alone. XPUB. */
#define SIFR_XPUB_MANUAL_LAST_VALUE 98
/* w, bytes [none; empty clears], now: first message to each new subscriber. XPUB, PUB. */
#define SIFR_XPUB_WELCOME_MSG 72
/* w, flag [0], now: look for a subscription in a message's first frame alone. XPUB PUB XSUB. */
#define SIFR_ONLY_FIRST_SUBSCRIBE 108
/* w, flag [0], now: pass on every cancelled subscription, not the last alone. XSUB. */
#define SIFR_XSUB_VERBOSE_UNSUBSCRIBE 115

/* -- Connections -- */

/* rw, int, >= -1 ms [100], later: wait before dialling again; 0 or -1: do not dial again. */
#define SIFR_RECONNECT_IVL 18
/* rw, int, >= 0 ms [0], later: double the wait up to this; 0: same wait, with jitter, each time. */
#define SIFR_RECONNECT_IVL_MAX 21
/* rw, int, SIFR_RECONNECT_STOP_* or-ed [0], later: after what not to dial again. */
#define SIFR_RECONNECT_STOP 109
#define SIFR_RECONNECT_STOP_CONN_REFUSED 1
#define SIFR_RECONNECT_STOP_HANDSHAKE_FAILED 2
#define SIFR_RECONNECT_STOP_AFTER_DISCONNECT 4
/* rw, int, >= 0 ms [0], later: limit of one attempt to connect, tcp; 0: the system's. */
#define SIFR_CONNECT_TIMEOUT 79
/* rw, int, >= 0 ms [30000], later: limit of the handshake; 0: none. */
#define SIFR_HANDSHAKE_IVL 66
/* rw, int, >= 0 ms [0], later: send a PING this often; 0: never. */
#define SIFR_HEARTBEAT_IVL 75
/* rw, int, >= 0 ms [-1: as IVL], later: silence after a PING that ends a connection; 0: never. */
#define SIFR_HEARTBEAT_TIMEOUT 77
/* rw, int, 0 to 6553599 ms in steps of 100 [0], later: after what silence the peer should close. */
#define SIFR_HEARTBEAT_TTL 76
/*
 * w, text, "X-name:value" [none], later: a property for the peer, see sifr_msg_gets; may repeat, the
 * first of a name stays. EINVAL beyond 3072 bytes of them all, each counted with 4 more.
 */
#define SIFR_METADATA 95

/* -- Security -- */

/*
 * A socket has one mechanism for all endpoints that are bound or connected from then on: that of
 * the option that was set last. inproc and udp know none.
 *
 * r, int: which it is; SIFR_NULL: peers say who they are and are believed.
 */
#define SIFR_MECHANISM 43
#define SIFR_NULL 0
#define SIFR_PLAIN 1
#define SIFR_CURVE 2
#define SIFR_GSSAPI 3
/*
 * rw, bool [0], later: peers show a name and a password, about which a ZAP handler is asked;
 * without one nobody comes in. 0: SIFR_NULL.
 */
#define SIFR_PLAIN_SERVER 44
/* rw, text, 1 to 255 [""; NULL with 0: SIFR_NULL], later: what to show to such a server. */
#define SIFR_PLAIN_USERNAME 45
#define SIFR_PLAIN_PASSWORD 46
/*
 * rw, bool [0], later: peers encrypt, and know the public key that belongs to SIFR_CURVE_SECRETKEY;
 * if there is a ZAP handler it is asked about theirs. 0: SIFR_NULL.
 */
#define SIFR_CURVE_SERVER 47
/*
 * rw, key [zeroes], later: our own pair, see sifr_curve_keypair. A key is 32 bytes, or its 40
 * characters of Z85, with or without the 0 behind them; it is read into 32 or 41.
 */
#define SIFR_CURVE_PUBLICKEY 48
#define SIFR_CURVE_SECRETKEY 49
/* rw, key [zeroes], later: the server's public key; makes us its client. */
#define SIFR_CURVE_SERVERKEY 50
/*
 * rw, bool [0], later: peers show a Kerberos ticket for us; if there is a ZAP handler it is asked
 * about their principal. Either value selects SIFR_GSSAPI; 0: as a client. Of the connections all
 * that is said is encrypted, and done by the context's threads; who first waits for tickets does so
 * in a thread of its own. Without GSSAPI (sifr_has) all of these fail with EINVAL.
 */
#define SIFR_GSSAPI_SERVER 62
/*
 * rw, text, 1 to 255 [""], later: whose keys (server) or tickets (client) are used, else those that
 * Kerberos finds; and whom a client expects, which it must set.
 */
#define SIFR_GSSAPI_PRINCIPAL 63
#define SIFR_GSSAPI_SERVICE_PRINCIPAL 64
/* rw, bool [0], later: nothing is encrypted or protected once it is known who comes. Both sides alike. */
#define SIFR_GSSAPI_PLAINTEXT 65
/* rw, SIFR_GSSAPI_NT_.. [SIFR_GSSAPI_NT_HOSTBASED], later: how those names are written. */
#define SIFR_GSSAPI_PRINCIPAL_NAMETYPE 90
#define SIFR_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE 91
#define SIFR_GSSAPI_NT_HOSTBASED 0      /* "service@host" */
#define SIFR_GSSAPI_NT_USER_NAME 1      /* "user" */
#define SIFR_GSSAPI_NT_KRB5_PRINCIPAL 2 /* "name@REALM", "service/host@REALM" */
/*
 * rw, text, 1 to 255 [""], later: what a ZAP handler is told of where a peer wants to come in; with
 * SIFR_NULL it is asked only if this is set.
 */
#define SIFR_ZAP_DOMAIN 55
/*
 * rw, flag [0], later: where a domain is set and there is no handler, nobody comes in; where none
 * is set, a handler is not asked about CURVE.
 */
#define SIFR_ZAP_ENFORCE_DOMAIN 93

/* -- tcp and ipc -- */

/* rw, bool [the context's], later: speak IPv6 beside IPv4. */
#define SIFR_IPV6 42
/* rw, bool [1], later: the inverse of SIFR_IPV6; use that. */
#define SIFR_IPV4ONLY 31
/* rw, int, >= 0 [100], later: connections that may wait to be accepted. */
#define SIFR_BACKLOG 19
/* rw, int, >= -1 bytes [-1: the system's], later: SO_SNDBUF. */
#define SIFR_SNDBUF 11
/* rw, int, >= -1 bytes [-1: the system's], later: SO_RCVBUF. */
#define SIFR_RCVBUF 12
/*
 * rw, int, > 0 bytes [8192], later: most bytes to read from the system at a time. Until it is set
 * there is no limit.
 */
#define SIFR_IN_BATCH_SIZE 101
/* rw, int, > 0 bytes [8192], later: most bytes to hand to the system at a time; as above. */
#define SIFR_OUT_BATCH_SIZE 102
/*
 * rw, int, >= -1 [-1: off]: listening descriptor for the next tcp or ipc bind, which takes it; EINVAL
 * there if it is none.
 */
#define SIFR_USE_FD 89
/* rw, int, -1 to 1 [-1: the system's], later: SO_KEEPALIVE. */
#define SIFR_TCP_KEEPALIVE 34
/* rw, int, >= -1 probes [-1, 0: the system's], later: TCP_KEEPCNT; with SIFR_TCP_KEEPALIVE 1. */
#define SIFR_TCP_KEEPALIVE_CNT 35
/* rw, int, >= -1 s [-1, 0: the system's], later: TCP_KEEPIDLE; with SIFR_TCP_KEEPALIVE 1. */
#define SIFR_TCP_KEEPALIVE_IDLE 36
/* rw, int, >= -1 s [-1, 0: the system's], later: TCP_KEEPINTVL; with SIFR_TCP_KEEPALIVE 1. */
#define SIFR_TCP_KEEPALIVE_INTVL 37
/* rw, int, >= 0 ms [0: the system's], later: TCP_USER_TIMEOUT. */
#define SIFR_TCP_MAXRT 80
/* rw, int, >= 0 [0], later: IP_TOS and IPV6_TCLASS. */
#define SIFR_TOS 57
/* rw, int, >= 0 [0], later: SO_PRIORITY. */
#define SIFR_PRIORITY 112
/* rw, int, any us [0], later: SO_BUSY_POLL. */
#define SIFR_BUSY_POLL 113
/* rw, text, 1 to 16 [""; NULL with 0 clears], later: SO_BINDTODEVICE. */
#define SIFR_BINDTODEVICE 92
/*
 * Where the system refuses one of the above, bind fails with its error; a connect goes on trying,
 * and a monitor tells of each attempt (SIFR_EVENT_CLOSED).
 *
 * rw, text, "host:port" [""; NULL with 0 clears], later: SOCKS5 proxy that tcp connects go through;
 * with a user name it is asked for by name and password.
 */
#define SIFR_SOCKS_PROXY 68
#define SIFR_SOCKS_USERNAME 99
#define SIFR_SOCKS_PASSWORD 100
/* w, text, "address/bits" [none; NULL with 0 clears], later: whom a tcp bind accepts; adds up. */
#define SIFR_TCP_ACCEPT_FILTER 38
/* w, pid_t [none; NULL with 0 clears], later: process whom an ipc bind accepts; adds up. */
#define SIFR_IPC_FILTER_PID 58
/* w, uid_t [none; NULL with 0 clears], later: user whom an ipc bind accepts; adds up. */
#define SIFR_IPC_FILTER_UID 59
/* w, gid_t [none; NULL with 0 clears], later: group whom an ipc bind accepts; adds up. */
#define SIFR_IPC_FILTER_GID 60

/* -- udp, and multicast -- */

/* rw, int, > 0 [1], later: routers that a datagram to a group may pass. */
#define SIFR_MULTICAST_HOPS 25
/* rw, flag [1], later: this machine hears what it sends to a group, too. */
#define SIFR_MULTICAST_LOOP 96
/*
 * Of transports that are not built in, kept and read back:
 * rw, int, > 0 kbit/s [100]; rw, int, >= 0 ms [10000]; rw, int, > 0 bytes [1500]; rw, flag [0].
 */
#define SIFR_RATE 8
#define SIFR_RECOVERY_IVL 9
#define SIFR_MULTICAST_MAXTPDU 84
#define SIFR_LOOPBACK_FASTPATH 94

/*
 * Sets an option of a socket.
 *
 *   option  SIFR_LINGER or another of the list above
 *   value   the new value, copied; at any alignment
 *   size    its size in bytes: exactly 4 or 8 for numbers; may be 0 for bytes
 *
 * Returns 0, or -1 with errno and nothing changed:
 *   EINVAL    unknown or read-only option, not one of this socket type, or a wrong size or value
 *   ETERM     the context is shutting down
 *   ENOTSOCK  not an open socket        ENOMEM  out of memory
 *
 * Threads: any; calls on one socket take turns.
 */
SIFR_API int sifr_setsockopt(sifr_socket_t *sock, int option, const void *value, size_t size);

/*
 * Reads an option of a socket.
 *
 *   option  SIFR_TYPE or another of the list above
 *   value   where to store it; at any alignment
 *   size    in: the room there in bytes, exactly 4 or 8 for numbers, enough for bytes and text;
 *           out: the bytes stored
 *
 * Returns 0, or -1 with errno and nothing stored:
 *   EINVAL    unknown or write-only option, not one of this socket type, or a wrong size
 *   ETERM     the context is shutting down
 *   EINTR     in the child of a fork
 *   EMFILE    no descriptor left, for SIFR_FD
 *   ENOTSOCK  not an open socket
 *
 * Threads: any; calls on one socket take turns.
 */
SIFR_API int sifr_getsockopt(sifr_socket_t *sock, int option, void *value, size_t *size);

/* ---- Endpoints -------------------------------------------------------------------------- */

/*
 * Offers an endpoint to peers. A socket may bind and connect any number.
 *
 *   endpoint  "tcp://host:port"  host an address, [IPv6], interface, name or *; port 0 or * for
 *                                one of the system's choice, see SIFR_LAST_ENDPOINT
 *             "ipc://path"       a file, replaced if it exists; @name is abstract (Linux), * a
 *                                temporary file
 *             "inproc://name"    any name, within this context
 *             "udp://host:port"  DISH and DGRAM; host as for tcp, or a multicast group, which is
 *                                heard at an interface: "udp://interface;group:port"
 *
 * Returns 0, or -1 with errno and no endpoint bound:
 *   EINVAL           malformed endpoint
 *   EPROTONOSUPPORT  unknown transport
 *   ENOCOMPATPROTO   the transport cannot carry this socket type
 *   EADDRINUSE       somebody has it        EADDRNOTAVAIL  not an address of this machine
 *   ENODEV           no such interface, or the name does not resolve
 *   EACCES           not allowed            ENOENT         no such directory (ipc)
 *   ENAMETOOLONG     path longer than the system allows (ipc; 107 bytes on Linux)
 *   EMTHREAD         no I/O thread may serve it (SIFR_IO_THREADS, SIFR_AFFINITY)
 *   EMFILE           no descriptor left     ENOMEM         out of memory
 *   ETERM            the context is shutting down
 *   ENOTSOCK         not an open socket
 *
 * Threads: any; calls on one socket take turns.
 * Source:  RFC 37 (ZMTP 3.1) for what is spoken on tcp and ipc.
 */
SIFR_API int sifr_bind(sifr_socket_t *sock, const char *endpoint);

/*
 * Connects to an endpoint, in the background: it need not exist yet, and a lost connection is made
 * again after SIFR_RECONNECT_IVL. A second identical connect of SUB, PUB, REQ and DEALER does
 * nothing, but for inproc.
 *
 *   endpoint  "tcp://host:port", or "tcp://source:port;host:port" to choose our own address;
 *             "ipc://path" or "ipc://@name"; "inproc://name"; "udp://host:port" of a RADIO, where host
 *             may be a multicast group or broadcast address: "udp://interface;group:port"
 *
 * Returns 0, or -1 with errno:
 *   EINVAL           malformed endpoint, or SIFR_CONNECT_ROUTING_ID names a peer already known
 *   EPROTONOSUPPORT  unknown transport
 *   ENOCOMPATPROTO   the transport cannot carry this socket type
 *   ENAMETOOLONG     path longer than the system allows (ipc)
 *   EMTHREAD         no I/O thread may serve it
 *   ETERM            the context is shutting down
 *   ENOTSOCK         not an open socket        ENOMEM  out of memory
 * That a peer cannot be reached is no error: see sifr_socket_monitor.
 *
 * Threads: any; calls on one socket take turns.
 * Source:  RFC 37 (ZMTP 3.1) for what is spoken on tcp and ipc.
 */
SIFR_API int sifr_connect(sifr_socket_t *sock, const char *endpoint);

/*
 * Connects a PEER, and tells by what routing id that peer is sent to, from now on.
 *
 *   endpoint  as for sifr_connect
 *
 * Returns the routing id, or 0 with errno as sifr_connect, and:
 *   ENOTSUP  another socket type
 *   EFAULT   SIFR_IMMEDIATE is set: the peer would have no routing id before it is there
 *
 * Threads: any; calls on one socket take turns.
 * Source:  RFC 51 (PEER).
 */
SIFR_API uint32_t sifr_connect_peer(sifr_socket_t *sock, const char *endpoint);

/*
 * Withdraws a bound endpoint. Connections accepted there end, except those of inproc.
 *
 *   endpoint  as SIFR_LAST_ENDPOINT told it after sifr_bind, without wildcards
 *
 * Returns 0, or -1 with errno:
 *   ENOENT           not an endpoint of this socket
 *   EINVAL           malformed endpoint
 *   EPROTONOSUPPORT  unknown transport        ENOCOMPATPROTO  not one of this socket type
 *   ETERM            the context is shutting down
 *   ENOTSOCK         not an open socket
 *
 * Threads: any; calls on one socket take turns.
 */
SIFR_API int sifr_unbind(sifr_socket_t *sock, const char *endpoint);

/*
 * Ends all connections made to an endpoint. Unsent messages go out for up to SIFR_LINGER; what was
 * received from there but not read is dropped.
 *
 *   endpoint  as it was passed to sifr_connect
 *
 * Returns 0, or -1 with errno as sifr_unbind.
 *
 * Threads: any; calls on one socket take turns.
 */
SIFR_API int sifr_disconnect(sifr_socket_t *sock, const char *endpoint);

/*
 * Ends the connection to one peer of a SERVER or PEER. Unsent messages go out for up to SIFR_LINGER;
 * what was received from it but not read is dropped. One that dialled us may do so again, and has
 * another routing id then.
 *
 *   routing_id  as sifr_msg_routing_id or sifr_connect_peer told it
 *
 * Returns 0, or -1 with errno:
 *   EHOSTUNREACH  no such peer (any more)
 *   ENOTSUP       another socket type
 *   ETERM         the context is shutting down
 *   ENOTSOCK      not an open socket
 *
 * Threads: any; calls on one socket take turns.
 */
SIFR_API int sifr_disconnect_peer(sifr_socket_t *sock, uint32_t routing_id);

/* ---- Groups ----------------------------------------------------------------------------- */

/* Longest name of a group, in bytes. */
#define SIFR_GROUP_MAX_LENGTH 255

/*
 * Has a DISH receive the messages of a group, from all its RADIOs, those of later connections
 * included. Over tcp and ipc each RADIO is told, and sends what it is given after it has heard.
 *
 *   group  its name, of at most SIFR_GROUP_MAX_LENGTH bytes; "" is a group, too. Names match whole
 *
 * Returns 0, or -1 with errno and nothing changed:
 *   EINVAL    a longer name, NULL, or a group that it has joined already
 *   ENOTSUP   another socket type
 *   ETERM     the context is shutting down
 *   ENOTSOCK  not an open socket        ENOMEM  out of memory
 *
 * Threads: any; calls on one socket take turns.
 * Source:  RFC 48 (RADIO, DISH).
 */
SIFR_API int sifr_join(sifr_socket_t *sock, const char *group);

/*
 * Ends what sifr_join began. Messages of that group which come later are dropped.
 *
 * Returns 0, or -1 with errno and nothing changed:
 *   EINVAL    it has not joined that group, or NULL
 *   ENOTSUP   another socket type
 *   ETERM     the context is shutting down
 *   ENOTSOCK  not an open socket
 *
 * Threads: any; calls on one socket take turns.
 */
SIFR_API int sifr_leave(sifr_socket_t *sock, const char *group);

/* ---- Messages --------------------------------------------------------------------------- */

/*
 * One frame of a message: its bytes, and what is known of where it came from. The caller provides
 * the room, anywhere; the content is the library's. Begin with one of the sifr_msg_init functions,
 * end with sifr_msg_close. Messages may outlive their socket and context.
 */
typedef struct sifr_msg {
    unsigned char _[64];
}
#if defined(__GNUC__)
__attribute__((aligned(sizeof(void *))))
#endif
sifr_msg_t;

/*
 * Frees what sifr_msg_init_data was given. Runs once, in any thread, with no lock held; it may
 * call the library.
 */
typedef void sifr_free_fn(void *data, void *hint);

/* Properties for sifr_msg_get. */
#define SIFR_MORE 1   /* 1 if another frame of the same message follows */
#define SIFR_SRCFD 2  /* descriptor of the connection it came by */
#define SIFR_SHARED 3 /* 1 if others may hold the same bytes: do not change them */

/* Properties for sifr_msg_gets. */
#define SIFR_MSG_PROPERTY_ROUTING_ID "Routing-Id"
#define SIFR_MSG_PROPERTY_SOCKET_TYPE "Socket-Type"
#define SIFR_MSG_PROPERTY_USER_ID "User-Id"
#define SIFR_MSG_PROPERTY_PEER_ADDRESS "Peer-Address"

/*
 * Begins an empty message.
 *
 *   msg  room for a message; what was there is overwritten, not closed
 *
 * Returns 0, or -1 with errno:
 *   EFAULT  msg is NULL
 *
 * Threads: one at a time for one message.
 */
SIFR_API int sifr_msg_init(sifr_msg_t *msg);

/*
 * Begins a message of a given size, to be filled through sifr_msg_data.
 *
 *   msg   room for a message; what was there is overwritten, not closed
 *   size  in bytes; their content is not defined yet
 *
 * Returns 0, or -1 with errno and no message begun:
 *   ENOMEM  out of memory, or a size beyond it        EFAULT  msg is NULL
 *
 * Threads: one at a time for one message.
 */
SIFR_API int sifr_msg_init_size(sifr_msg_t *msg, size_t size);

/*
 * Begins a message with a copy of some bytes.
 *
 *   msg   room for a message; what was there is overwritten, not closed
 *   buf   the bytes; may be NULL if size is 0
 *   size  how many
 *
 * Returns 0, or -1 with errno and no message begun:
 *   ENOMEM  out of memory        EFAULT  msg is NULL, or buf is NULL and size is not 0
 *
 * Threads: one at a time for one message.
 */
SIFR_API int sifr_msg_init_buffer(sifr_msg_t *msg, const void *buf, size_t size);

/*
 * Begins a message that uses the caller's bytes without copying.
 *
 *   msg      room for a message; what was there is overwritten, not closed
 *   data     the bytes, taken on success and not to be changed while the message or a copy lives;
 *            may be NULL if size is 0
 *   size     how many
 *   free_fn  called with data and hint when the last user of the bytes is gone, also when size is
 *            0; NULL: they are constant, and never freed
 *   hint     for free_fn
 *
 * Returns 0, or -1 with errno, no message begun and data still yours:
 *   ENOMEM  out of memory        EFAULT  msg is NULL, or data is NULL and size is not 0
 *
 * Threads: one at a time for one message. free_fn may run in another.
 */
SIFR_API int sifr_msg_init_data(sifr_msg_t *msg, void *data, size_t size, sifr_free_fn *free_fn,
                                void *hint);

/*
 * Ends a message and releases its bytes.
 *
 * Returns 0, or -1 with errno:
 *   EFAULT  not an initialized message, or closed before
 *
 * Threads: one at a time for one message; copies are messages of their own.
 */
SIFR_API int sifr_msg_close(sifr_msg_t *msg);

/*
 * Moves the content of one message to another. What dst held is released and src is left empty,
 * ready to use; with dst == src nothing happens.
 *
 *   dst, src  initialized messages
 *
 * Returns 0, or -1 with errno and nothing changed:
 *   EFAULT  one of them is not an initialized message
 *
 * Threads: one at a time for one message.
 */
SIFR_API int sifr_msg_move(sifr_msg_t *dst, sifr_msg_t *src);

/*
 * Makes one message a copy of another, SIFR_MORE and properties included. What dst held is
 * released. Small contents are copied, large ones shared: change neither afterwards.
 *
 *   dst, src  initialized messages
 *
 * Returns 0, or -1 with errno and nothing changed:
 *   EFAULT  one of them is not an initialized message
 *
 * Threads: one at a time for one message; the copies then belong to any thread each.
 */
SIFR_API int sifr_msg_copy(sifr_msg_t *dst, sifr_msg_t *src);

/*
 * Tells where the bytes of a message are: never NULL, also when there are none, except for
 * sifr_msg_init_data with NULL. They stay there until the message is moved, sent, received into or
 * closed. What was received may lie at any alignment; sifr_msg_init_size aligns to 8.
 *
 * Returns the address, or NULL with errno:
 *   EFAULT  not an initialized message
 *
 * Threads: one at a time for one message.
 */
SIFR_API void *sifr_msg_data(sifr_msg_t *msg);

/*
 * Tells the size of a message in bytes.
 *
 * Returns it, or 0 with errno:
 *   EFAULT  not an initialized message
 *
 * Threads: one at a time for one message.
 */
SIFR_API size_t sifr_msg_size(const sifr_msg_t *msg);

/*
 * Tells whether a received frame has another behind it in its message.
 *
 * Returns 1 or 0, or 0 with errno:
 *   EFAULT  not an initialized message
 *
 * Threads: one at a time for one message.
 * Source:  RFC 37 (ZMTP 3.1) Framing, the MORE flag.
 */
SIFR_API int sifr_msg_more(const sifr_msg_t *msg);

/*
 * Reads a number that belongs to a message.
 *
 *   property  SIFR_MORE, SIFR_SRCFD or SIFR_SHARED
 *
 * Returns the value, or -1 with errno:
 *   EINVAL  unknown property, or SIFR_SRCFD of what came by no descriptor
 *   EFAULT  not an initialized message
 *
 * Threads: one at a time for one message.
 */
SIFR_API int sifr_msg_get(const sifr_msg_t *msg, int property);

/*
 * Would set a number that belongs to a message; there is none that may be set.
 *
 * Returns -1 with errno:
 *   EINVAL  always
 *
 * Threads: any.
 */
SIFR_API int sifr_msg_set(sifr_msg_t *msg, int property, int value);

/*
 * Reads a text that belongs to a received message.
 *
 *   name  "Socket-Type"   the peer's type, e.g. "PUSH"
 *         "Routing-Id"    its SIFR_ROUTING_ID, up to the first zero byte; also "Identity"
 *         "Peer-Address"  tcp: its numeric address without port; ipc: localhost:uid:gid:pid
 *         "User-Id"       whom an authenticator found it to be
 *         "X-..."         what it set with SIFR_METADATA
 *
 * Returns a text that lives as long as the message, or NULL with errno:
 *   EINVAL  no such property; inproc messages have none
 *   EFAULT  not an initialized message
 *
 * Threads: one at a time for one message.
 * Source:  RFC 37 (ZMTP 3.1) Metadata; RFC 27 (ZAP) for User-Id.
 */
SIFR_API const char *sifr_msg_gets(const sifr_msg_t *msg, const char *name);

/*
 * Tells from whom a message of a SERVER or PEER came, or to whom it shall go. The number is this
 * socket's own: it stands for one connection, as long as that exists, and is never sent.
 *
 * Returns the routing id, or 0 if there is none; 0 with errno:
 *   EFAULT  not an initialized message
 *
 * Threads: one at a time for one message.
 * Source:  RFC 41 (CLIENT, SERVER).
 */
SIFR_API uint32_t sifr_msg_routing_id(sifr_msg_t *msg);

/*
 * Says to whom a message shall go that a SERVER or PEER sends. It is forgotten when the message has
 * been sent.
 *
 *   routing_id  as sifr_msg_routing_id or sifr_connect_peer told it
 *
 * Returns 0, or -1 with errno:
 *   EINVAL  routing_id is 0
 *   EFAULT  not an initialized message
 *
 * Threads: one at a time for one message.
 * Source:  RFC 41 (CLIENT, SERVER).
 */
SIFR_API int sifr_msg_set_routing_id(sifr_msg_t *msg, uint32_t routing_id);

/*
 * Says to which group a message belongs that a RADIO sends; without it, to "". It is forgotten when
 * the message has been sent.
 *
 *   group  its name, copied, of at most SIFR_GROUP_MAX_LENGTH bytes
 *
 * Returns 0, or -1 with errno and nothing changed:
 *   EINVAL  a longer name, or NULL
 *   EFAULT  not an initialized message        ENOMEM  out of memory
 *
 * Threads: one at a time for one message.
 * Source:  RFC 48 (RADIO, DISH).
 */
SIFR_API int sifr_msg_set_group(sifr_msg_t *msg, const char *group);

/*
 * Tells to which group a message belongs that a DISH received, or a RADIO is to send.
 *
 * Returns its name, "" if there is none, which stays as it is until the message changes; NULL with
 * errno:
 *   EFAULT  not an initialized message
 *
 * Threads: one at a time for one message.
 */
SIFR_API const char *sifr_msg_group(sifr_msg_t *msg);

/* ---- Sending and receiving -------------------------------------------------------------- */

/* Flags, to be or-ed; other bits are ignored. */
#define SIFR_DONTWAIT 1 /* fail with EAGAIN rather than wait */
#define SIFR_SNDMORE 2  /* more frames of this message follow */

/*
 * Sends one frame.
 *
 *   msg    an initialized message of 0 to 2^63-1 bytes; taken on success (left
 *          empty, ready to fill again), still yours on failure
 *   sock   an open socket
 *   flags  0, or SIFR_DONTWAIT (fail rather than wait), SIFR_SNDMORE (more
 *          frames of this message follow; the peer gets all of them or none)
 *
 * Returns the frame's size in bytes (at most INT_MAX), or -1 with errno:
 *   EAGAIN        no peer had room: at once with SIFR_DONTWAIT, else after SIFR_SNDTIMEO
 *   EFSM          not this socket's turn (REQ awaiting its reply, REP without a request)
 *   EHOSTUNREACH  no such peer (ROUTER and REP with SIFR_ROUTER_MANDATORY, STREAM, SERVER, PEER)
 *   EINVAL        SIFR_SNDMORE on a type of one-frame messages, or not two frames on a DGRAM
 *   ENOTSUP       this socket type cannot send
 *   ETERM         the context is shutting down
 *   EINTR         a signal came while waiting; nothing was sent
 *   ENOTSOCK      not an open socket        EFAULT  not an initialized message
 *   ENOMEM        out of memory; nothing was sent
 *
 * Threads: any; calls on one socket take turns, frame by frame: threads that send messages of
 *          several frames on one socket must take turns themselves.
 * Source:  RFC 37 (ZMTP 3.1) Messages; RFC 28 to 31 for each socket type.
 */
SIFR_API int sifr_msg_send(sifr_msg_t *msg, sifr_socket_t *sock, int flags);

/*
 * Receives one frame. Of a message either all frames arrive or none.
 *
 *   msg    an initialized message; what it held is released. Filled on success; on failure still
 *          a message, of unknown content
 *   sock   an open socket
 *   flags  0, or SIFR_DONTWAIT (fail rather than wait)
 *
 * Returns the frame's size in bytes (at most INT_MAX), or -1 with errno:
 *   EAGAIN    nothing there: at once with SIFR_DONTWAIT, else after SIFR_RCVTIMEO
 *   EFSM      not this socket's turn (REQ before its request, REP before its reply)
 *   ENOTSUP   this socket type cannot receive
 *   ETERM     the context is shutting down
 *   EINTR     a signal came while waiting; nothing was received
 *   ENOTSOCK  not an open socket        EFAULT  not an initialized message
 *   ENOMEM    out of memory; what was there stays for the next call
 *
 * Threads: any; calls on one socket take turns, frame by frame.
 * Source:  RFC 37 (ZMTP 3.1) Messages; RFC 28 to 31 for each socket type.
 */
SIFR_API int sifr_msg_recv(sifr_msg_t *msg, sifr_socket_t *sock, int flags);

/*
 * Sends a copy of some bytes as one frame.
 *
 *   sock   an open socket
 *   buf    the bytes; may be NULL if len is 0
 *   len    how many
 *   flags  as sifr_msg_send
 *
 * Returns len (at most INT_MAX), or -1 with errno as sifr_msg_send, and:
 *   EFAULT  buf is NULL and len is not 0
 *
 * Threads: as sifr_msg_send.
 */
SIFR_API int sifr_send(sifr_socket_t *sock, const void *buf, size_t len, int flags);

/*
 * Sends constant bytes as one frame, without copying where that helps.
 *
 *   buf  the bytes, which must stay as they are as long as the process uses the library; never
 *        freed by it
 * The other arguments, results and threads are as those of sifr_send.
 */
SIFR_API int sifr_send_const(sifr_socket_t *sock, const void *buf, size_t len, int flags);

/*
 * Receives one frame into a buffer. What does not fit is lost; no NUL is added.
 *
 *   sock   an open socket
 *   buf    where to store it; may be NULL if len is 0
 *   len    the room there in bytes
 *   flags  as sifr_msg_recv
 *
 * Returns the frame's true size in bytes (at most INT_MAX), greater than len if it was cut, or -1
 * with errno as sifr_msg_recv, and:
 *   EFAULT  buf is NULL and len is not 0
 *
 * Threads: as sifr_msg_recv.
 */
SIFR_API int sifr_recv(sifr_socket_t *sock, void *buf, size_t len, int flags);

/*
 * Tells whether a message to a certain peer would find room. ROUTER, REP.
 *
 *   routing_id  the peer's, as the first frame names it
 *   size        its size in bytes
 *
 * Returns SIFR_POLLOUT, or 0 when its queue is full, or -1 with errno:
 *   EHOSTUNREACH  no such peer
 *   ENOTSUP       not one of these socket types
 *   EINVAL        routing_id is NULL and size is not 0
 *   ETERM         the context is shutting down
 *   ENOTSOCK      not an open socket
 *
 * Threads: any; calls on one socket take turns.
 */
SIFR_API int sifr_socket_get_peer_state(sifr_socket_t *sock, const void *routing_id, size_t size);

/* ---- Polling ---------------------------------------------------------------------------- */

/* What to wait for, and what was found; to be or-ed. */
#define SIFR_POLLIN 1  /* a receive would not wait */
#define SIFR_POLLOUT 2 /* a send would not wait */
#define SIFR_POLLERR 4 /* error or hang-up; descriptors alone, and also unasked */
#define SIFR_POLLPRI 8 /* urgent data; descriptors alone */

typedef struct sifr_pollitem {
    sifr_socket_t *socket; /* a socket, or NULL to watch fd */
    int fd;                /* a descriptor, -1 for none; ignored beside a socket */
    short events;          /* what to wait for */
    short revents;         /* what was found; written by sifr_poll */
} sifr_pollitem_t;

/*
 * Waits until something in a list is ready. It looks at what is, not at what changed, and looks
 * once even if it may not wait.
 *
 *   items    the list; may be NULL if n is 0
 *   n        how many items
 *   timeout  in milliseconds; < 0: for ever
 *
 * Returns how many items have revents other than 0; 0 if the time passed; or -1 with errno:
 *   EINVAL    n < 0
 *   EFAULT    items is NULL and n > 0
 *   ENOTSOCK  an item's socket is not open
 *   ETERM     the context of one of the sockets is shutting down
 *   EINTR     a signal came while waiting
 *   EMFILE    no descriptor left        ENOMEM  out of memory
 *
 * Threads: any; the items belong to one thread at a time.
 */
SIFR_API int sifr_poll(sifr_pollitem_t *items, int n, long timeout);

#if defined(SIG_SETMASK) /* this compilation knows of signal masks (POSIX) */
/*
 * The same with other signals blocked while it sleeps, changed for that moment alone: a signal that
 * is blocked otherwise and not in the mask ends the wait, whenever it came.
 *
 *   mask  the signals to block while it sleeps; NULL: as sifr_poll
 * The other arguments, results and threads are as those of sifr_poll.
 */
SIFR_API int sifr_ppoll(sifr_pollitem_t *items, int n, long timeout, const sigset_t *mask);
#endif

/* ---- Pollers ---------------------------------------------------------------------------- */

/*
 * A list for sifr_poll that is kept: a wait costs in proportion to what is ready, not to what is in
 * the list. A poller belongs to one thread at a time; its sockets may be used by any.
 */
typedef struct sifr_poller sifr_poller_t;

typedef struct sifr_poller_event {
    sifr_socket_t *socket; /* what is ready: a socket, or NULL */
    int fd;                /* and a descriptor, or -1 */
    void *user_data;       /* as it was given when it was added */
    short events;          /* SIFR_POLLIN and its like: what was found */
} sifr_poller_event_t;

/*
 * Makes a poller, with nothing in it.
 *
 * Returns it, for sifr_poller_destroy to free, or NULL with errno:
 *   ENOMEM  out of memory
 *
 * Threads: any.
 */
SIFR_API sifr_poller_t *sifr_poller_new(void);

/*
 * Frees a poller. What is in it stays as it is.
 *
 *   poller  points to it; taken, and set to NULL
 *
 * Returns 0, or -1 with errno:
 *   EFAULT  NULL, or not a poller
 *
 * Threads: one at a time for one poller, as for all calls below.
 */
SIFR_API int sifr_poller_destroy(sifr_poller_t **poller);

/*
 * Tells how many sockets and descriptors are in a poller.
 *
 * Returns that, or -1 with errno:
 *   EFAULT  not a poller
 *
 * Threads: one at a time for one poller.
 */
SIFR_API int sifr_poller_size(sifr_poller_t *poller);

/*
 * Adds a socket. Remove it before it is closed: until then each wait fails.
 *
 *   sock       an open socket, of any context
 *   user_data  given back with each event
 *   events     what to wait for, as for sifr_poll; 0: nothing for now
 *
 * Returns 0, or -1 with errno:
 *   EINVAL    it is there already, or events has unknown bits
 *   ENOTSOCK  not an open socket        EINTR   it is that of the parent, in the child of a fork
 *   EFAULT    not a poller              ENOMEM  out of memory
 *
 * Threads: one at a time for one poller.
 */
SIFR_API int sifr_poller_add(sifr_poller_t *poller, sifr_socket_t *sock, void *user_data,
                             short events);

/*
 * Changes what is waited for at a socket.
 *
 * Returns 0, or -1 with errno:
 *   EINVAL    it is not there, or events has unknown bits
 *   ENOTSOCK  not an open socket        EINTR   it is that of the parent, in the child of a fork
 *   EFAULT    not a poller
 *
 * Threads: one at a time for one poller.
 */
SIFR_API int sifr_poller_modify(sifr_poller_t *poller, sifr_socket_t *sock, short events);

/*
 * Takes a socket out, also one that has been closed meanwhile.
 *
 * Returns 0, or -1 with errno:
 *   EINVAL    an open socket, but not one of this poller
 *   ENOTSOCK  not an open socket        EFAULT  not a poller
 *
 * Threads: one at a time for one poller.
 */
SIFR_API int sifr_poller_remove(sifr_poller_t *poller, sifr_socket_t *sock);

/*
 * Adds a descriptor.
 *
 *   fd         a descriptor that poll(2) takes
 *   user_data  given back with each event
 *   events     what to wait for, as for sifr_poll; 0: nothing for now, errors included
 *
 * Returns 0, or -1 with errno:
 *   EINVAL  it is there already, or events has unknown bits
 *   EBADF   a negative one
 *   EFAULT  not a poller        ENOMEM  out of memory
 *
 * Threads: one at a time for one poller.
 */
SIFR_API int sifr_poller_add_fd(sifr_poller_t *poller, int fd, void *user_data, short events);

/*
 * Changes what is waited for at a descriptor.
 *
 * Returns 0, or -1 with errno:
 *   EINVAL  it is not there, or events has unknown bits
 *   EBADF   a negative one        EFAULT  not a poller
 *
 * Threads: one at a time for one poller.
 */
SIFR_API int sifr_poller_modify_fd(sifr_poller_t *poller, int fd, short events);

/*
 * Takes a descriptor out.
 *
 * Returns 0, or -1 with errno:
 *   EINVAL  it is not there
 *   EBADF   a negative one        EFAULT  not a poller
 *
 * Threads: one at a time for one poller.
 */
SIFR_API int sifr_poller_remove_fd(sifr_poller_t *poller, int fd);

/*
 * Waits until something is ready, and tells of one.
 *
 *   event    filled; on failure it names nothing (NULL, -1, NULL, 0)
 *   timeout  in milliseconds; < 0: for ever
 *
 * Returns 0, or -1 with errno:
 *   EAGAIN    the time passed
 *   EFAULT    not a poller, event is NULL, or a wait for ever when nothing is waited for
 *   ENOTSOCK  a socket was closed before it was removed
 *   ETERM     the context of one of the sockets is shutting down
 *   EINTR     a signal came while waiting; or it is the parent's poller, in the child of a fork
 *   EMFILE    no descriptor left
 *
 * Threads: one at a time for one poller.
 */
SIFR_API int sifr_poller_wait(sifr_poller_t *poller, sifr_poller_event_t *event, long timeout);

/*
 * Waits until something is ready, and tells of all that is, as far as there is room: in the order
 * in which they were added, and if there is more than room, another time of the others.
 *
 *   events   room for n; those that are not filled name nothing
 *
 * Returns how many were filled, at least 1, or -1 with errno as sifr_poller_wait, and:
 *   EINVAL  n < 0        EAGAIN  n is 0
 *
 * Threads: one at a time for one poller.
 */
SIFR_API int sifr_poller_wait_all(sifr_poller_t *poller, sifr_poller_event_t *events, int n,
                                  long timeout);

/*
 * Gives a descriptor that becomes readable when one of the poller's sockets of a thread-safe type
 * (SIFR_THREAD_SAFE) may have become ready. Only to wait for, as SIFR_FD; it is unreadable again
 * after sifr_poller_wait, or SIFR_EVENTS, a send or a receive on the sockets.
 *
 *   fd  where to store it; it lives as long as the poller
 *
 * Returns 0, or -1 with errno:
 *   EINVAL  no socket of such a type is in the poller
 *   EFAULT  not a poller, or fd is NULL        EMFILE  no descriptor left
 *
 * Threads: one at a time for one poller.
 */
SIFR_API int sifr_poller_fd(sifr_poller_t *poller, int *fd);

/* ---- Monitoring ------------------------------------------------------------------------- */

/*
 * What can happen to connections of tcp and ipc, and the value that comes with it. "fd" is the
 * connection's descriptor, by which its events belong together.
 */
#define SIFR_EVENT_CONNECTED 0x0001                  /* fd */
#define SIFR_EVENT_CONNECT_DELAYED 0x0002            /* errno: EINPROGRESS */
#define SIFR_EVENT_CONNECT_RETRIED 0x0004            /* ms until the next attempt */
#define SIFR_EVENT_LISTENING 0x0008                  /* fd */
#define SIFR_EVENT_BIND_FAILED 0x0010                /* errno */
#define SIFR_EVENT_ACCEPTED 0x0020                   /* fd */
#define SIFR_EVENT_ACCEPT_FAILED 0x0040              /* errno */
#define SIFR_EVENT_CLOSED 0x0080                     /* fd of a listener or attempt */
#define SIFR_EVENT_CLOSE_FAILED 0x0100               /* errno */
#define SIFR_EVENT_DISCONNECTED 0x0200               /* fd */
#define SIFR_EVENT_MONITOR_STOPPED 0x0400            /* 0; the last event */
#define SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL 0x0800 /* errno */
#define SIFR_EVENT_HANDSHAKE_SUCCEEDED 0x1000        /* 0; messages can flow */
#define SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL 0x2000  /* SIFR_PROTOCOL_ERROR_* */
#define SIFR_EVENT_HANDSHAKE_FAILED_AUTH 0x4000      /* status 300, 400 or 500 */
#define SIFR_EVENT_ALL 0xFFFF
#define SIFR_EVENT_ALL_V1 SIFR_EVENT_ALL
#define SIFR_EVENT_PIPES_STATS 0x10000 /* messages in the queue out, and in the one in; version 2 */
#define SIFR_EVENT_ALL_V2 0x1FFFF

/* How a peer broke the protocol. */
#define SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED 0x10000000
#define SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND 0x10000001
#define SIFR_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE 0x10000002
#define SIFR_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE 0x10000003
#define SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED 0x10000011
#define SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE 0x10000012
#define SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO 0x10000013
#define SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE 0x10000014
#define SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR 0x10000015
#define SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY 0x10000016
#define SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME 0x10000017
#define SIFR_PROTOCOL_ERROR_ZMTP_INVALID_METADATA 0x10000018
#define SIFR_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC 0x11000001
#define SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH 0x11000002
#define SIFR_PROTOCOL_ERROR_ZAP_UNSPECIFIED 0x20000000
#define SIFR_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY 0x20000001
#define SIFR_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID 0x20000002
#define SIFR_PROTOCOL_ERROR_ZAP_BAD_VERSION 0x20000003
#define SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE 0x20000004
#define SIFR_PROTOCOL_ERROR_ZAP_INVALID_METADATA 0x20000005
#define SIFR_PROTOCOL_ERROR_WS_UNSPECIFIED 0x30000000

/*
 * Reports what happens to a socket's connections. The library binds a PAIR socket to an inproc
 * endpoint; the program connects one of its own and receives a message of two frames an event:
 *
 *   frame 1   +--------+--------+--------+--------+--------+--------+
 *             |   event: u16    |            value: u32             |   native byte order
 *             +--------+--------+--------+--------+--------+--------+
 *   frame 2   the endpoint as text, without NUL: bound, or as passed to sifr_connect
 *
 *   sock    the socket to watch
 *   addr    "inproc://name"; replaces an earlier one. NULL: stop, with SIFR_EVENT_MONITOR_STOPPED
 *   events  SIFR_EVENT_* to report, or-ed
 *
 * Returns 0, or -1 with errno:
 *   EINVAL           malformed addr, or unknown events
 *   EPROTONOSUPPORT  addr is not inproc
 *   EADDRINUSE       somebody has that name; nothing is reported any more
 *   EMTHREAD         there is no I/O thread (SIFR_IO_THREADS)
 *   EMFILE           SIFR_MAX_SOCKETS reached        ENOMEM  out of memory
 *   ETERM            the context is shutting down
 *   ENOTSOCK         not an open socket
 *
 * Events never hold up the socket: those that nobody reads are kept in order, at least 10,000 of
 * them, and beyond that dropped.
 *
 * Threads: any; calls on one socket take turns.
 */
SIFR_API int sifr_socket_monitor(sifr_socket_t *sock, const char *addr, int events);

/* What an event looks like: as above, or as sifr_socket_monitor_versioned says. */
#define SIFR_CURRENT_EVENT_VERSION 1
#define SIFR_CURRENT_EVENT_VERSION_DRAFT 2

/*
 * The same with a choice of what an event looks like and of the socket that it comes by. In version
 * 2 it is a message of 4 + N frames; integers are u64 in native byte order:
 *
 *   event | N | value 1 | ... | value N | local endpoint | remote endpoint
 *
 * N is 1, and 2 for SIFR_EVENT_PIPES_STATS. One of the endpoints is that of version 1: of what was
 * bound the local one, of what was connected the remote one. The other is empty where it is not
 * known.
 *
 *   events   SIFR_EVENT_* to report, or-ed; those above 0xFFFF need version 2
 *   version  1 or 2
 *   type     SIFR_PAIR; SIFR_PUSH, to be read by a PULL; or SIFR_PUB, which drops events that no
 *            SUB is there for
 * The other arguments are as those of sifr_socket_monitor.
 *
 * Returns 0, or -1 with errno as sifr_socket_monitor; EINVAL also for another version or type.
 *
 * Threads: any; calls on one socket take turns.
 */
SIFR_API int sifr_socket_monitor_versioned(sifr_socket_t *sock, const char *addr, uint64_t events,
                                           int version, int type);

/*
 * Asks the monitor of a socket for one SIFR_EVENT_PIPES_STATS a partner: how many messages wait to
 * go there, and how many have come from there and are not read.
 *
 * Returns 0, or -1 with errno:
 *   EINVAL    no monitor that wants this event
 *   EAGAIN    no partners
 *   ETERM     the context is shutting down
 *   ENOTSOCK  not an open socket
 *
 * Threads: any; calls on one socket take turns.
 */
SIFR_API int sifr_socket_monitor_pipes_stats(sifr_socket_t *sock);

/* ---- Proxy ------------------------------------------------------------------------------ */

/*
 * Forwards whole messages between two sockets in both directions, each when the other has room,
 * until the context ends.
 *
 *   frontend, backend  open sockets, which are the proxy's while it runs; may be the same one
 *   capture            NULL, or a PUB, DEALER, PUSH or PAIR that gets a copy of each message
 *                      before it is forwarded; if it has no room, the proxy waits for it
 *
 * Returns only with -1 and errno:
 *   ETERM     the context is shutting down, the usual end
 *   EINTR     a signal came while waiting; call again to go on. A message that has been begun is
 *             forwarded to its end before
 *   EFAULT    frontend or backend is NULL
 *   ENOTSOCK  one of the sockets is not open        ENOMEM  out of memory
 *   EHOSTUNREACH, EAGAIN, EINVAL, ENOTSUP, EFSM
 *             one of the sockets cannot send a message on, as sifr_msg_send tells: it is lost as a
 *             whole
 *
 * Threads: any; it keeps the calling thread.
 */
SIFR_API int sifr_proxy(sifr_socket_t *frontend, sifr_socket_t *backend, sifr_socket_t *capture);

/*
 * The same, steered by messages of one frame with exactly these bytes:
 *
 *   "PAUSE"       forwards nothing until "RESUME"; what comes waits in the sockets up to their marks
 *   "RESUME"      goes on
 *   "TERMINATE"   ends
 *   "STATISTICS"  is answered with 8 frames of a u64 in native byte order each, since the start:
 *
 *       frontend: frames received, bytes received, frames sent, bytes sent; backend: the same
 *
 *   control  NULL, or a PAIR, SUB, PULL or REP that gets these messages. A REP answers each with an
 *            empty frame, other than that one. Other messages do nothing
 * The other arguments are as those of sifr_proxy.
 *
 * Returns 0 after "TERMINATE", or -1 with errno as sifr_proxy.
 *
 * Threads: any; it keeps the calling thread.
 */
SIFR_API int sifr_proxy_steerable(sifr_socket_t *frontend, sifr_socket_t *backend,
                                  sifr_socket_t *capture, sifr_socket_t *control);

/* ---- Timers ----------------------------------------------------------------------------- */

/* Timers that the program itself looks after, beside a sifr_poll. */
typedef struct sifr_timers sifr_timers_t;

/* What a timer runs. It may add, cancel and change timers. */
typedef void sifr_timer_fn(int timer_id, void *arg);

/*
 * Makes a set of timers, with none in it.
 *
 * Returns it, for sifr_timers_destroy to free, or NULL with errno:
 *   ENOMEM  out of memory
 *
 * Threads: any.
 */
SIFR_API sifr_timers_t *sifr_timers_new(void);

/*
 * Frees a set of timers.
 *
 *   timers  points to the set; taken, and set to NULL
 *
 * Returns 0, or -1 with errno:
 *   EFAULT  NULL, or not a set of timers
 *
 * Threads: one at a time for one set, as for all calls below.
 */
SIFR_API int sifr_timers_destroy(sifr_timers_t **timers);

/*
 * Adds a timer, which expires again and again until it is cancelled.
 *
 *   interval  in milliseconds, from now and from each time it ran; 0: at each sifr_timers_execute
 *   fn        what sifr_timers_execute then calls, with the timer's number and arg
 *
 * Returns the timer's number, at least 1 and not that of another timer of this set, ever; or -1
 * with errno:
 *   EFAULT  not a set of timers, or fn is NULL        ENOMEM  out of memory
 *
 * Threads: one at a time for one set.
 */
SIFR_API int sifr_timers_add(sifr_timers_t *timers, size_t interval, sifr_timer_fn *fn, void *arg);

/*
 * Ends a timer.
 *
 * Returns 0, or -1 with errno:
 *   EINVAL  no such timer (any more)        EFAULT  not a set of timers
 *
 * Threads: one at a time for one set.
 */
SIFR_API int sifr_timers_cancel(sifr_timers_t *timers, int timer_id);

/*
 * Gives a timer another interval, from now.
 *
 * Returns 0, or -1 with errno as sifr_timers_cancel.
 *
 * Threads: one at a time for one set.
 */
SIFR_API int sifr_timers_set_interval(sifr_timers_t *timers, int timer_id, size_t interval);

/*
 * Starts a timer's interval anew, from now.
 *
 * Returns 0, or -1 with errno as sifr_timers_cancel.
 *
 * Threads: one at a time for one set.
 */
SIFR_API int sifr_timers_reset(sifr_timers_t *timers, int timer_id);

/*
 * Tells when the next timer expires: a timeout for sifr_poll.
 *
 * Returns the time until then in milliseconds, 0 if it has expired, -1 if there is no timer; or -1
 * with errno (to tell these apart set errno to 0 before):
 *   EFAULT  not a set of timers
 *
 * Threads: one at a time for one set.
 */
SIFR_API long sifr_timers_timeout(sifr_timers_t *timers);

/*
 * Runs each timer that has expired, once, in the order in which they did. Intervals that were
 * missed altogether are not made up for.
 *
 * Returns 0, or -1 with errno:
 *   EFAULT  not a set of timers
 *
 * Threads: one at a time for one set; the timers run in the calling thread.
 */
SIFR_API int sifr_timers_execute(sifr_timers_t *timers);

/* ---- Keys ------------------------------------------------------------------------------- */

/*
 * Writes bytes as text: five characters for four bytes.
 *
 *   dest  room for size * 5 / 4 characters and a NUL
 *   data  the bytes; may be NULL if size is 0
 *   size  how many; a multiple of 4
 *
 * Returns dest, or NULL with errno:
 *   EINVAL  size is not a multiple of 4, or a NULL pointer
 *
 * Threads: any.
 * Source:  RFC 32 (Z85).
 */
SIFR_API char *sifr_z85_encode(char *dest, const uint8_t *data, size_t size);

/*
 * Reads bytes from such a text.
 *
 *   dest    room for 4 bytes for each 5 characters
 *   string  the text; at least 5 characters, and a multiple of 5
 *
 * Returns dest, or NULL with errno:
 *   EINVAL  another length, a character that is none of Z85's, five that stand for more than 32
 *           bits, or a NULL pointer
 *
 * Threads: any.
 * Source:  RFC 32 (Z85).
 */
SIFR_API uint8_t *sifr_z85_decode(uint8_t *dest, const char *string);

/*
 * Makes a new pair of keys for CURVE.
 *
 *   z85_public_key, z85_secret_key  room for 41 bytes each: 40 characters and a NUL
 *
 * Returns 0, or -1 with errno:
 *   ENOTSUP  the library was built without libsodium        EINVAL  a NULL pointer
 *
 * Threads: any.
 * Source:  RFC 26 (CurveZMQ), RFC 32 (Z85).
 */
SIFR_API int sifr_curve_keypair(char *z85_public_key, char *z85_secret_key);

/*
 * Tells the public key that belongs to a secret one.
 *
 *   z85_public_key  room for 41 bytes: 40 characters and a NUL
 *   z85_secret_key  40 characters and a NUL
 *
 * Returns 0, or -1 with errno:
 *   EINVAL   not a key, or a NULL pointer
 *   ENOTSUP  the library was built without libsodium
 *
 * Threads: any.
 * Source:  RFC 26 (CurveZMQ), RFC 32 (Z85).
 */
SIFR_API int sifr_curve_public(char *z85_public_key, const char *z85_secret_key);

/* ---- Authenticator ---------------------------------------------------------------------- */

/*
 * Decides who may connect to the sockets of a context: a ZAP handler in a thread of its own. It is
 * asked about each connection to a socket that is a PLAIN, CURVE or GSSAPI server, and to one with
 * SIFR_ZAP_DOMAIN. With no settings at all
 *   NULL and GSSAPI peers may come in, PLAIN and CURVE peers may not.
 *
 * Every setting is made for a domain: of the servers with that SIFR_ZAP_DOMAIN; or, with NULL or
 * "*", of those in a domain that has no such setting of its own. Settings may be changed at any
 * time and hold for connections made from then on. Programs need none to stop: the end of the
 * context stops the authenticator too.
 */
typedef struct sifr_auth sifr_auth_t;

/*
 * Starts an authenticator: takes the endpoint inproc://zeromq.zap.01, and one of SIFR_MAX_SOCKETS.
 *
 * Returns it, for sifr_auth_destroy to stop and free, or NULL with errno:
 *   EADDRINUSE  the context has a ZAP handler
 *   EMFILE      SIFR_MAX_SOCKETS reached, or no descriptor left
 *   ENOMEM      out of memory or threads
 *   ETERM       the context is shutting down    EFAULT  not a context
 *
 * Threads: any.
 * Source:  RFC 27 (ZAP).
 */
SIFR_API sifr_auth_t *sifr_auth_new(sifr_ctx_t *ctx);

/*
 * Stops an authenticator. From now on nobody is asked: PLAIN servers let nobody in and CURVE servers
 * everybody, unless they say otherwise (SIFR_ZAP_ENFORCE_DOMAIN).
 *
 *   auth  points to it; taken, and set to NULL
 *
 * Returns 0, or -1 with errno:
 *   EDEADLK  called by the function that it reports to
 *   EFAULT   NULL, or not an authenticator
 *
 * Threads: any; also after the end of its context.
 */
SIFR_API int sifr_auth_destroy(sifr_auth_t **auth);

/*
 * Lets in peers with these addresses, as far as the rest goes, and no others of this domain.
 *
 *   domain   a name of at most 255 bytes; NULL or "*": domains without an allow list
 *   address  "10.0.0.1", "10.0.0.0/8", "fe80::1", "fe80::/10"; or "localhost": peers over ipc. An
 *            IPv4 peer of a socket with SIFR_IPV6 is meant by its IPv4 address
 *
 * Returns 0, or -1 with errno:
 *   EINVAL  not an address, or the domain's name is too long
 *   ENOMEM  out of memory        EFAULT  not an authenticator
 *
 * Threads: any.
 */
SIFR_API int sifr_auth_allow(sifr_auth_t *auth, const char *domain, const char *address);

/*
 * Keeps out peers with these addresses, whatever allows them; NULL or "*": of all domains, also of
 * those that deny others. The other arguments, results and threads are as those of sifr_auth_allow.
 */
SIFR_API int sifr_auth_deny(sifr_auth_t *auth, const char *domain, const char *address);

/*
 * Lets in the PLAIN users that a file names, a line each: "name=password". Lines that are empty or
 * begin with # do not count, nor do blanks around the name. The file is read now, and again when it
 * is found to have changed; while it cannot be read it lets in nobody.
 *
 *   domain  as above; NULL or "*": domains without such a file
 *   file    its path, NULL: none any more
 *
 * Returns 0, or -1 with errno and nothing changed:
 *   EINVAL  a line without "=" or name, with more than 255 bytes on one side, or for a name that
 *           there was before; not a regular file, or larger than 64 MiB; or the domain's name
 *   ENOENT, EACCES, EMFILE, ENFILE or another of the system's: it cannot be read
 *   ENOMEM  out of memory        EFAULT  not an authenticator
 *
 * The user's name becomes the property "User-Id" of the messages that come.
 *
 * Threads: any.
 * Source:  RFC 24 (PLAIN).
 */
SIFR_API int sifr_auth_plain(sifr_auth_t *auth, const char *domain, const char *file);

/* In place of a directory: whoever has a key. */
#define SIFR_AUTH_ANY "*"

/*
 * Lets in CURVE clients by their public keys.
 *
 *   domain     as above; NULL or "*": domains without such a directory
 *   directory  of certificates as czmq, pyzmq and examples/keygen write them, a file a client. Those
 *              with names that begin with "." or end in "_secret" are not looked at, and what is no
 *              certificate does not count. It is read now, and again when it is found to have
 *              changed; while it cannot be read it lets in nobody. Or SIFR_AUTH_ANY; or NULL: none
 *              any more
 *
 * Returns 0, or -1 with errno and nothing changed:
 *   ENOENT, ENOTDIR, EACCES, EMFILE, ENFILE or another of the system's: it cannot be read
 *   EINVAL  the domain's name is too long
 *   ENOMEM  out of memory        EFAULT  not an authenticator
 *
 * The client's key as Z85 becomes the property "User-Id" of the messages that come; what stands in
 * the certificate under "metadata" become further ones.
 *
 * Threads: any.
 * Source:  RFC 26 (CurveZMQ); RFC 4 (ZPL) for certificates.
 */
SIFR_API int sifr_auth_curve(sifr_auth_t *auth, const char *domain, const char *directory);

/*
 * Forgets all settings of a domain, with NULL or "*" those of all domains that have none.
 *
 * Returns 0, or -1 with errno:
 *   EFAULT  not an authenticator
 *
 * Threads: any.
 */
SIFR_API int sifr_auth_forget(sifr_auth_t *auth, const char *domain);

/*
 * Reads all files and directories again, now. Without it they are looked at when a peer connects,
 * at most every 50 ms.
 *
 * Returns 0, or -1 with errno of the first that cannot be read; the others have been read:
 *   ENOENT, ENOTDIR, EACCES or another of the system's: as if it were empty now
 *   EINVAL  the same of a file that is not as sifr_auth_plain says
 *   ENOMEM, EMFILE, ENFILE: who was known still is
 *   EFAULT  not an authenticator
 *
 * Threads: any.
 */
SIFR_API int sifr_auth_reload(sifr_auth_t *auth);

/*
 * What an authenticator decided, for a log. No text is NULL, and each is one line: of what peers
 * said, bytes that ASCII has no character for are shown as \xHH.
 */
typedef struct sifr_auth_event {
    int status; /* 200: comes in; 400: does not; 300: not now; 500: no question; 0: about a file */
    const char *reason;    /* why */
    const char *mechanism; /* "PLAIN"; this and the rest are empty with status 0 */
    const char *domain;
    const char *address;
    const char *user; /* PLAIN: name, be it right or not. CURVE: key. GSSAPI: principal */
} sifr_auth_event_t;

/* Is told, in the authenticator's thread; borrows the event. */
typedef void sifr_auth_log_fn(const sifr_auth_event_t *event, void *arg);

/*
 * Has each decision reported, after it was made known, and each file that was found to have changed.
 *
 *   fn   what is called, with arg; it may change settings, but not destroy the authenticator, and
 *        may yet hear of a decision made known just before; NULL: nothing is reported any more
 *
 * Returns 0 when no call of a former one is under way, or -1 with errno:
 *   EFAULT  not an authenticator
 *
 * Threads: any.
 */
SIFR_API int sifr_auth_log(sifr_auth_t *auth, sifr_auth_log_fn *fn, void *arg);

/* ---- Tools ------------------------------------------------------------------------------ */

/* An int that threads count with. Calls with NULL do nothing and return 0. */
typedef struct sifr_counter sifr_counter_t;

/*
 * Makes a counter, which stands at 0.
 *
 * Returns it, for sifr_atomic_counter_destroy to free, or NULL with errno:
 *   ENOMEM  out of memory
 *
 * Threads: any.
 */
SIFR_API sifr_counter_t *sifr_atomic_counter_new(void);

/* Sets it. Threads: any. */
SIFR_API void sifr_atomic_counter_set(sifr_counter_t *counter, int value);

/* Adds 1 and returns what it was before. Threads: any. */
SIFR_API int sifr_atomic_counter_inc(sifr_counter_t *counter);

/* Subtracts 1 and returns 0 if it is 0 now, else 1. Threads: any. */
SIFR_API int sifr_atomic_counter_dec(sifr_counter_t *counter);

/* Returns what it is. Threads: any. */
SIFR_API int sifr_atomic_counter_value(sifr_counter_t *counter);

/* Frees *counter and sets it to NULL. Threads: any, when no other uses it. */
SIFR_API void sifr_atomic_counter_destroy(sifr_counter_t **counter);

/* Measures time that passes. */
typedef struct sifr_stopwatch sifr_stopwatch_t;

/*
 * Starts a stopwatch.
 *
 * Returns it, for sifr_stopwatch_stop to free, or NULL with errno:
 *   ENOMEM  out of memory
 *
 * Threads: any.
 */
SIFR_API sifr_stopwatch_t *sifr_stopwatch_start(void);

/* Returns the microseconds since the start; 0 for NULL. Threads: any. */
SIFR_API unsigned long sifr_stopwatch_intermediate(sifr_stopwatch_t *watch);

/* The same, and frees the stopwatch. Threads: any, when no other uses it. */
SIFR_API unsigned long sifr_stopwatch_stop(sifr_stopwatch_t *watch);

/* Sleeps so many seconds, whatever signals come. Threads: any. */
SIFR_API void sifr_sleep(int seconds);

/* A thread that was started here. */
typedef struct sifr_thread sifr_thread_t;

/* What a thread runs. */
typedef void sifr_thread_fn(void *arg);

/*
 * Starts a thread, with all signals blocked.
 *
 *   fn   what it runs, with arg
 *
 * Returns it, for sifr_threadclose to free, or NULL with errno:
 *   ENOMEM  out of memory, or of threads        EFAULT  fn is NULL
 *
 * Threads: any.
 */
SIFR_API sifr_thread_t *sifr_threadstart(sifr_thread_fn *fn, void *arg);

/* Waits until a thread has ended, and frees it. Threads: any, once. */
SIFR_API void sifr_threadclose(sifr_thread_t *thread);

#ifdef __cplusplus
}
#endif

#endif
