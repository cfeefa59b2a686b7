#ifndef SF_CORE_CONN_H
#define SF_CORE_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/ctx.h"
#include "core/link.h"
#include "core/option.h"
#include "io/loop.h"
#include "io/resolve.h"
#include "security/zap.h"
#include "transports/transport.h"
#include "wire/greeting.h"
#include "wire/handshake.h"

struct sf_listener;
struct sf_work;
struct sifr_socket;

/*
 * A connection, or for what connect made, one after the other.
 *
 *            +------------------- lost, dialed ------------------+
 *            v                                                   |
 * IDLE -> WAITING -> LOOKUP -> OPENING -> GREETING -> HANDSHAKE -> READY
 *            |          |         ^           |           |        |
 *            |          |      accepted       |           |        | closing,
 *            v          v                     v           v        v all sent
 *          CLOSED <-----+---------------------+-----------+--- ENDING
 */
enum sf_conn_state {
    SF_CONN_IDLE,
    SF_CONN_WAITING,   /* back-off */
    SF_CONN_LOOKUP,    /* a host name is being looked up */
    SF_CONN_OPENING,   /* connect(2), proxy */
    SF_CONN_GREETING,
    SF_CONN_HANDSHAKE,
    SF_CONN_READY,
    SF_CONN_ENDING,    /* all is in the kernel: waits until the peer has it */
    SF_CONN_CLOSED,
};

/* What others ask of a connection; bits of sf_conn.todo. */
enum {
    SF_TODO_START = 1,
    SF_TODO_DRAIN = 2,  /* the out-pipe has something */
    SF_TODO_RESUME = 4, /* the in-pipe has room */
    SF_TODO_CLOSE = 8,  /* end it, lingering */
    SF_TODO_KICK = 16,  /* end it now */
    SF_TODO_READ = 32,  /* the loop reads again: the socket gave its lease back */
    SF_TODO_LEASE = 64, /* the socket would read by itself */
    SF_TODO_LOST = 128, /* it is gone, as was found when a token was out */
    SF_TODO_STOP = 256, /* it is over, as was found when a token was out */
    SF_TODO_RENEW = 512, /* end it and, where we dialed, dial again */
    SF_TODO_CALM = 1024, /* a call has left a large chunk in the out-pipe: sf_conn_calm */
    SF_TODO_SPARE = 2048, /* it is one of many that get the same: sf_send_sparing */
};

/* Datagrams: who unbinds waits, and what the system does not take soon it will not take. */
enum { SF_LINGER_DATAGRAMS_MS = 100 };

/*
 * Bytes before traffic: room for what most say, and what input may grow to. Where the mechanism needs more there is so
 * much more for all of a context together: whoever they are, many of them cost little more than that.
 */
enum { SF_SHAKE_IN = 256, SF_SHAKE_OUT = 128, SF_SHAKE_MAX = 4096, SF_SHAKE_LARGE = 1 << 20 };

/* Only while shaking hands; of the loop's slabs. */
struct sf_shake {
    struct sf_conn *conn;
    struct sf_greeting greeting;
    struct sf_security security; /* from HANDSHAKE on */
    struct sf_zap zap;
    struct sf_work *work; /* shares; what blocks is being done, and has the keys; or NULL */
    struct sf_peer_info info;
    char *granted;     /* owns, or NULL: properties that the ZAP handler gave the peer, as in sf_meta */
    size_t n_granted;
    uint8_t *in;       /* in_first, or owns */
    size_t n_in, in_room, in_most;
    size_t large;      /* of sf_ctx.large_shakes, until the handshake is over */
    uint8_t *out;      /* our command; out_first, or owns */
    size_t n_out, out_at;
    bool failed; /* flush, then close and stop */
    bool told;   /* with `failed`: the peer has been told why, and is to read it */
    bool shut;   /* and that is on its way */
    bool done;   /* flush, then the connection is ready */
    uint8_t in_first[SF_SHAKE_IN], out_first[SF_SHAKE_OUT];
};

/* Only while heartbeats are in use. */
struct sf_heart {
    struct sf_conn *conn;
    struct sf_timer beat;    /* next PING */
    struct sf_timer silence; /* HEARTBEAT_TIMEOUT after a PING */
    struct sf_timer ttl;     /* what the peer asked for */
    bool ttl_fresh;          /* set by a PING of the batch being read */
};

/* Bytes that grow; of the lane and of framing steps. */
struct sf_buffer {
    uint8_t *data; /* owns */
    size_t size, at, room; /* at <= size <= room */
};

/* Only with a peer whose framing is another than that of our pipes. */
struct sf_old {
    struct sf_buffer stage; /* one message on its way out */
    struct sf_buffer stash; /* input, not whole yet */
};

/* Only while a large frame comes into a block of its own. */
struct sf_big {
    struct sf_owner *owner; /* owns */
    uint64_t size, got;
    size_t room, header;
    bool unasked; /* it is whole, and whether it may be has not been asked */
};

/* Only with a mechanism that changes frames (seal.c). */
struct sf_sealed {
    const struct sf_mechanism *mechanism;
    void *keys;      /* owns */
    size_t overhead; /* octets that sealing adds */
    size_t lost;     /* and that opening takes away at least */

    /* Under `writer`. */
    struct sf_buffer stage; /* sealed frames on their way out */
    struct sf_buffer ends;  /* of size_t: where in it messages of the out-pipe end */
    int failed;             /* of what was taken from the out-pipe something could not be sealed */
    bool inside;            /* the last frame there was not its message's last */

    /* Who reads. */
    struct sf_buffer stash; /* sealed input: no whole frame, or one that waits to be opened */
    int failed_in;          /* -EPROTO: there is one that does not open; -ENOMEM */
    uint32_t error;         /* with -EPROTO: SIFR_PROTOCOL_ERROR_.. */
    bool whole;             /* the stash begins with one that can be opened */
    bool bulk;              /* bytes arrive in large amounts, while leased */
    bool last_big;          /* the last frame had a block of its own */
};

/*
 * Tokens. While a connection is READY, two things may be done with its stream
 * by two kinds of threads:
 *
 *   writing  by whoever holds `writer`: the loop, or a call on the socket, which
 *            has the socket's turn. It is only tried for and held for a few
 *            writes. Who fails leaves a note: the loop in `later`, at which the
 *            holder looks after dropping it, the call by a poke, which makes the
 *            loop try. So what a failed try wanted is done by somebody.
 *   reading  by whom `reader` names: the loop; or, leased, any call on the
 *            socket, under its turn. Only the loop leases, and only who has the
 *            turn gives back (lease.c).
 *
 * The rest of a connection is the loop's. To end one it needs both tokens.
 */
enum { SF_READER_LOOP, SF_READER_SOCKET };

enum { SF_STOPPED_CLOSED = 3 }; /* of what was bound without a listener: its address is free */

struct sf_conn {
    _Atomic uint32_t refs; /* the loop's, its link's, the endpoint's, each posted task's */
    _Atomic uint32_t todo;
    _Atomic int linger;    /* ms, with SF_TODO_CLOSE */
    _Atomic int stopped;   /* 1: dead, but known; 2: removed; SF_STOPPED_CLOSED */
    struct sf_task task;
    struct sf_loop *loop;
    struct sifr_socket *socket;  /* shares */
    struct sf_profile *profile;  /* shares */
    struct sf_link *link;        /* shares; NULL before the first handshake of what has no queue yet */

    /* Tokens. */
    struct sf_lock writer;   /* guards `direct` and what writing touches */
    _Atomic uint32_t later;  /* SF_TODO_... that wait for a token */
    _Atomic uint8_t reader;   /* SF_READER_... */
    _Atomic bool lease_again; /* asked for when it could not be leased: to be asked again */
    _Atomic bool blocked;     /* the kernel took no more, and the loop sees when it does */
    _Atomic bool streaming;   /* the socket sends without pause: the loop looks again and again */

    /* The loop's. */
    uint32_t calm_seen;       /* messages that had gone through, at the last look whether it is idle */
    struct sf_list dozing;    /* among those who wait for a crowd's messages (crowd.c) */
    struct sf_sleeper *sleeper; /* shares; whose list that is, or NULL */
    struct sf_stream *stream; /* owns, or NULL */
    struct sf_watch watch;
    struct sf_timer timer;    /* back-off, handshake, connect and linger limits: one at a time */
    struct sf_timer linger_timer; /* while closing; before, of who may soon be idle (sf_conn_calm) */
    struct sf_shake *shake;   /* owns, or NULL */
    struct sf_heart *heart;   /* owns, or NULL */
    struct sf_meta *meta;     /* shares */
    char *far_end;            /* owns; the other end than sf_conn_text, for a monitor that asks; or NULL */
    struct sf_buffer lane;    /* commands of our own: PONG, PING; joins between messages */
    struct sf_old *old;       /* owns, or NULL */
    struct sf_big *big;       /* owns, or NULL */
    struct sf_sealed *sealed; /* owns, or NULL; made and freed with both tokens */
    struct sf_soon soon;      /* while streaming, or starved */
    uint64_t soon_took;       /* messages taken from the out-pipe when it was queued */
    uint64_t soon_bytes;      /* and bytes */
    uint16_t soon_wait_us;    /* then: it is longer each time; 0: the stream has just begun */
    bool starved;             /* what is to be sent waits for memory */
    _Atomic bool calming;     /* a call has asked for SF_TODO_CALM, and the loop still looks */
    unsigned frame_no;        /* in the message being received */
    uint64_t message_bytes;   /* of it, so far */
    unsigned commands_inside; /* met between its frames */
    uint32_t lease_seen;      /* sifr_socket.lease_calls at its last tick */
    uint8_t held;             /* how often the loop has taken `writer` */
    uint8_t state;            /* enum sf_conn_state */
    uint8_t version;          /* enum sf_zmtp */
    uint8_t cut_by;           /* enum sf_drop: why the message coming in will not end, if the stream ends now */
    bool direct;              /* under `writer`: the socket may write: READY, nothing of the loop's stands before */
    bool staged;              /* old->stage holds a message that the pipe counts as handed out */
    bool paused;              /* not read: RCVHWM, or a lane that is not taken */
    bool write_dead;          /* writing failed; what was received is read to its end */
    bool closing;             /* SF_TODO_CLOSE was seen */
    bool wants_write;         /* the kernel took no more */
    bool dying;               /* ends as soon as the lease is back */

    /* What dials. */
    uint8_t calm;             /* such looks since then */
    bool bound;               /* over udp: it hears, at the address that `text` names */
    bool was_up;              /* a connection has been established once in this round */
    bool was_ready;           /* a handshake has been completed once */
    uint8_t breaks;           /* connections that were lost within the message sent first then */
    uint8_t attempt;          /* back-offs since the last success, up to those that change the next */
    uint16_t next_address;    /* in the look-up's list */
    /* Of what is received; who has the lease writes them, so they are not beside what the loop reads. */
    bool in_frame_more;       /* of the message being received */
    bool first_size4;         /* REQ: its first frame had 4 octets */
    bool heard_message;       /* a whole one came over this stream */
    uint64_t breaks_at;       /* its number */

    struct sf_listener *listener; /* shares; NULL: dialed */
    union {
        struct sf_list node;      /* accepted: in the listener's list */
        struct {                  /* dialed */
            char *text;               /* owns; the endpoint, taken apart at each attempt */
            struct sf_lookup *lookup; /* owns; until READY, or NULL */
        };
    };
};

/* For connect: dials `text`, which can be parsed, when told to start. 0 or -ENOMEM. */
int sf_conn_dial(struct sf_conn **out, struct sifr_socket *s, struct sf_loop *loop,
                 struct sf_profile *profile, const char *text);

/* For accepted streams (takes over `stream` on success). In `loop`. */
int sf_conn_accepted(struct sf_listener *l, struct sf_stream *stream);

struct sf_conn *sf_conn_ref(struct sf_conn *c);
void sf_conn_unref(struct sf_conn *c);

/* Asks something of a connection. Any thread. */
void sf_conn_poke(struct sf_conn *c, uint32_t todo);

/* The rest: only in its loop. */

/* The connection is gone: retries what was dialed, forgets what was accepted. */
void sf_conn_lost(struct sf_conn *c);
/* It is over and we do not come back by ourselves. */
void sf_conn_stop(struct sf_conn *c);
/* Ends it at once. */
void sf_conn_close(struct sf_conn *c);
/* For lease.c: the time is over that the socket may keep its lease unused. */
void sf_lease_tick(struct sf_conn *c);
/* Leases the reading to the socket, if it can be. */
void sf_lease_grant(struct sf_conn *c);
/* Takes the writer's token / both tokens for the loop; if they are out, `todo` is poked when they are back. */
bool sf_conn_hold(struct sf_conn *c, uint32_t todo);
bool sf_conn_own(struct sf_conn *c, uint32_t todo);
void sf_conn_drop(struct sf_conn *c); /* ends either */
/* One of the pipes is at a large chunk: when nothing has come for some ticks it is given back. */
void sf_conn_calm(struct sf_conn *c);
/* Sets what the watch waits for while READY. */
void sf_conn_watch(struct sf_conn *c);
/* Sets what the watch waits for, from the state. */
void sf_conn_rewatch(struct sf_conn *c);
/* Our numbers in a monitor's event; wraps sf_monitor_emit. */
void sf_conn_event(struct sf_conn *c, unsigned event, uint64_t value);
const char *sf_conn_text(const struct sf_conn *c); /* of its endpoint */

/* Tells the socket something, and takes it in for it if it can be done at once. */
void sf_conn_tell(struct sf_conn *c, uint32_t events);
/* The addresses it was dialed by are of no use any more. */
void sf_conn_forget_lookup(struct sf_conn *c);
/* It is closing, and all is in the kernel: goes on with ENDING. */
void sf_conn_end_if_sent(struct sf_conn *c);

/* shake.c */
void sf_shake_begin(struct sf_conn *c); /* the stream is open */
void sf_shake_step(struct sf_conn *c);  /* goes on as far as it can */
void sf_shake_timed_out(struct sf_conn *c);
unsigned sf_shake_wants(struct sf_conn *c); /* SF_READ and SF_WRITE */
void sf_shake_free(struct sf_shake *k, struct sf_loop *l);

/* dialer.c */
void sf_dial_attempt(struct sf_conn *c);
void sf_dial_again(struct sf_conn *c); /* after a failure: next address or back-off */
void sf_dial_failed(struct sf_conn *c, int err); /* the same, as RECONNECT_STOP has it */
void sf_dial_open(struct sf_conn *c);  /* goes on with OPENING */

/* send.c */
void sf_send_flush(struct sf_conn *c);
void sf_send_soon(struct sf_soon *s); /* a tick of one that streams */
/* With the writer's token: 0 all is out, -EAGAIN, -errno. */
int sf_send_some(struct sf_conn *c, struct sf_link *l);
int sf_send_batch(struct sf_conn *c, struct sf_link *l); /* one write of it: 1 went on, or as that */
bool sf_send_framed(const struct sf_conn *c); /* the peer's framing is that of our pipes */
/* As writev, at most OUT_BATCH_SIZE: shortens v. */
ssize_t sf_send_write(struct sf_conn *c, struct iovec *v);
/* From now on the system takes little that it cannot send yet. */
void sf_send_sparing(struct sf_conn *c);
bool sf_send_done(struct sf_conn *c); /* nothing is left to hand to the kernel */
int sf_send_lane(struct sf_conn *c, const void *bytes, size_t n); /* 0 or -ENOMEM */

/* Writes what has come into the out-pipe, if it can. */
void sf_conn_drain(struct sf_conn *c);

/* crowd.c */
void sf_crowd_await(struct sf_conn *c); /* the out-pipe sleeps */
void sf_crowd_forget(struct sf_conn *c); /* it waits for no crowd any more */

/* recv.c */
void sf_recv_fill(struct sf_conn *c);
/* With the lease: 1 there is something for the pattern, 0 not yet, -errno: the loop must see to it. */
int sf_recv_some(struct sf_conn *c);
/* Nothing stands between the stream and the pipe, and nothing has effect as soon as it comes. */
bool sf_recv_leasable(const struct sf_conn *c);
/* As readv, at most IN_BATCH_SIZE: shortens v. */
ssize_t sf_recv_read(struct sf_conn *c, struct iovec *v, int n);
int sf_recv_start(struct sf_conn *c, const uint8_t *bytes, size_t n); /* octets behind the handshake */
void sf_recv_abort(struct sf_conn *c); /* what is incomplete is taken back */

/* seal.c */
int sf_seal_new(struct sf_conn *c, struct sf_security *s); /* if it is one that seals; 0 or -ENOMEM */
void sf_seal_free(struct sf_conn *c);
/* Both directions are one thing, which the loop keeps for itself. */
static inline bool sf_seal_joint(const struct sf_conn *c)
{
    return c->sealed && c->sealed->mechanism->joint;
}
int sf_seal_flush(struct sf_conn *c, struct sf_link *l, bool by_writer); /* as sf_send_batch */
int sf_seal_start(struct sf_conn *c, const uint8_t *bytes, size_t n); /* as sf_recv_start */
ssize_t sf_seal_read(struct sf_conn *c); /* opens into the in-pipe what it reads: octets, 0 end, -errno */
static inline bool sf_seal_waits(const struct sf_conn *c) /* sf_seal_read need not read */
{
    return c->sealed && c->sealed->whole;
}
/* Of either direction: gives back what is kept for it (false: something is in that); it is much. */
bool sf_seal_shrink_out(struct sf_conn *c);
bool sf_seal_shrink_in(struct sf_conn *c);

static inline bool sf_seal_writes_large(const struct sf_conn *c)
{
    return c->sealed && c->sealed->stage.room > SF_PIPE_CHUNK_IDLE;
}

static inline bool sf_seal_reads_large(const struct sf_conn *c)
{
    return c->sealed && c->sealed->stash.room > SF_PIPE_CHUNK_IDLE;
}

/* heartbeat.c */
int sf_heart_start(struct sf_conn *c);
void sf_heart_heard(struct sf_conn *c); /* a whole frame came */
void sf_heart_ttl(struct sf_conn *c, uint32_t ttl_ms);
void sf_heart_stop(struct sf_conn *c);

int sf_buffer_add(struct sf_buffer *b, const void *bytes, size_t n); /* 0 or -ENOMEM */
uint8_t *sf_buffer_reserve(struct sf_buffer *b, size_t n); /* room for n more behind `size`, or NULL */
void sf_buffer_fini(struct sf_buffer *b);
struct sf_old *sf_conn_old(struct sf_conn *c); /* makes it if need be; NULL without memory */

#endif
