#ifndef SF_PATTERNS_PATTERN_H
#define SF_PATTERNS_PATTERN_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "wire/msg.h"

/*
 * The contract between the core and the socket types. A pattern decides who
 * gets a message and whose message is next; it knows nothing of connections,
 * threads or time. Every slot runs with the socket locked, never from within
 * another slot.
 */

/* One partner of a socket: a queue in each direction. The core makes and frees it. */
struct sf_peer {
    /* The pattern's, to link and mark as it likes; all zero and unlinked at attach. */
    struct sf_list in_node;  /* in a list of sf_collect */
    struct sf_list out_node; /* in a list of sf_rotate or sf_fanout */
    struct sf_map_node by_id;
    void *own;       /* pattern->peer_size bytes, zeroed; the core frees them after detach */
    bool in_active;  /* has, as far as known, a message to read */
    bool out_active; /* may take a message, as far as known */

    /* The core's; the pattern reads. */
    bool dialed;         /* made by connect: survives a lost connection */
    bool inproc;
    bool connected;      /* the handshake is complete and the connection stands */
    bool ended;          /* no more can be sent; what was received is read to its end */
    uint8_t notify;      /* SIFR_NOTIFY_...: sf_socket.notify at the bind or connect it came of */
    struct sf_list node; /* in sf_socket.peers */
    uint8_t *id;         /* owns; routing id that the peer announced; may be NULL */
    uint8_t *given_id;   /* owns; SIFR_CONNECT_ROUTING_ID of the connect that made it, or NULL */
    uint16_t id_size;    /* at most 255; 0: anonymous */
    uint8_t given_id_size;
    bool subscribes_all; /* filters for itself: an unversioned ZMTP 1.0 subscriber, whoever hears a
                            RADIO's udp; with `id` set by the loop before it tells, so not beside
                            what is read till then */

    /* The pattern's: names it in what is received and sent, SERVER and PEER; 0: it has none. */
    uint32_t number;
};

/*
 * Why a message is gone of which nobody was told. What a publisher sends that
 * no one has asked for is not lost: it had nowhere to go.
 */
enum sf_drop {
    SF_DROP_UNFINISHED,  /* its end will never come: the frames so far were taken back */
    SF_DROP_NO_ROOM,     /* the mark of the one it was for was reached */
    SF_DROP_UNROUTABLE,  /* the one it was for is not there */
    SF_DROP_UNWANTED,    /* came, but this socket takes no such: not subscribed to, no reply */
    SF_DROP_REFUSED,     /* came against the rules: no envelope, too large, no frame */
    SF_DROP_NO_MEMORY,
    SF_DROP_REPLACED,    /* SIFR_CONFLATE: by a newer one */
    SF_DROP_DISCARDED,   /* its queue has gone: close, disconnect, linger was over */
    SF_DROP_GIVEN_UP,    /* it has cost its connection three times */
    SF_DROPS,
};

/* What patterns see of a socket; the core's struct begins with it. */
struct sf_socket {
    const struct sf_pattern *pattern;
    void *state;          /* pattern->size bytes, zeroed before init */
    struct sf_list peers; /* struct sf_peer.node: all that attach has accepted */
    /*
     * Short cuts past `send` and `recv`, for as long as these would do no more than what is said
     * here; the pattern sets and clears them. NULL: ask it.
     */
    struct sf_peer *sole_out; /* gets the next message, if it is of one frame and has room */
    struct sf_peer *sole_in;  /* the next message comes from it, if it has one of one frame */
    bool conflate;        /* SIFR_CONFLATE is set */
    bool raw;             /* connections made from now on carry bytes, no ZMTP; the pattern's to set */
    uint8_t notify;       /* SIFR_NOTIFY_... for peers of binds and connects to come; the same */
    uint64_t drops[SF_DROPS]; /* messages; all under the turn is counted here */
};

/* A message is lost: `why` is a reason, or sf_drop_of an error that is swallowed. */
static inline void sf_drop(struct sf_socket *s, enum sf_drop why)
{
    s->drops[why]++;
}

/* Of sf_peer_put. */
static inline enum sf_drop sf_drop_of(int err)
{
    return err == -ENOMEM ? SF_DROP_NO_MEMORY : SF_DROP_UNROUTABLE;
}

/*
 * Peers. The functions below are the core's (core/link.c).
 *
 * A message is put frame by frame; the reader sees it when its last frame is
 * in. sf_peer_room asks whether a new message may begin (high-water mark);
 * once it has begun the other frames always fit.
 */
bool sf_peer_room(struct sf_peer *p);

/*
 * There is no room: writes some of what the peer's queue holds at once, if this call may (of many
 * calls in a row few do, so that a send that never waits is brief). Whether there is room now.
 */
bool sf_peer_make_room(struct sf_peer *p);

/*
 * Appends one frame, `more`: others follow. Shares large bytes, `m` is left as
 * it is. 0, -ENOMEM (the message so far is taken back), -EPIPE when the peer
 * has ended (the same).
 */
int sf_peer_put(struct sf_peer *p, struct sf_msg *m, bool more);

/* Appends the command `name` ("SUBSCRIBE", "LEAVE"...) with its body, whatever the mark: 0, -ENOMEM. */
int sf_peer_command(struct sf_peer *p, const char *name, const void *body, size_t size);

/* Takes back the frames of a message that is not complete, and counts it; harmless if none is. */
void sf_peer_rollback(struct sf_peer *p);

/*
 * Takes the next frame into `m`, which must be initialized and is let go
 * first. 0, or -EAGAIN when there is no whole message: the core then calls
 * `readable` when there is. One into a message with SF_MSG_BRIEF set stays good
 * until the next call for this peer. A frame with SF_MSG_COMMAND is a command for
 * patterns with SF_PATTERN_COMMANDS: its bytes are the command's whole body.
 */
int sf_peer_get(struct sf_peer *p, struct sf_msg *m);

/* Whether sf_peer_get would give a frame; if not, arms `readable` as it does. */
bool sf_peer_readable(struct sf_peer *p);

/*
 * Begins anew with a peer of which something was lost for want of memory: its connection ends and is
 * made again by whoever dialed, or, within the process, its side acts as if that had happened. Then
 * `joined` of the other side says all again.
 */
void sf_peer_renew(struct sf_peer *p);

/* Ends the connection of a peer for good (handover, a protocol violation). detach follows later. */
void sf_peer_kick(struct sf_peer *p);

/* Lets go of a peer: what it was sent still goes out, as SIFR_LINGER says. detach follows this call of the core. */
void sf_peer_close(struct sf_peer *p);

/*
 * Crowds (core/crowd.c): peers that all get the same messages. A message is
 * framed once for all of them, and each loop that serves some of them is woken
 * once; what a send costs does not depend on their number. A member can still
 * be given messages of its own; they keep their places among the others.
 */
struct sf_crowd;

/* One without members: 0 or -ENOMEM. All members have left when it is freed; NULL is allowed. */
int sf_crowd_new(struct sf_crowd **out);
void sf_crowd_free(struct sf_crowd *c);

/*
 * From the next message on the peer gets what the crowd gets; it is in no
 * other crowd. 0, -ENOMEM, or -ENOTSUP: it is better served alone (it keeps
 * only the newest message, or has a very low mark).
 */
int sf_crowd_join(struct sf_crowd *c, struct sf_peer *p);

/*
 * From now on it does not. True: of the message that the crowd is getting the
 * peer has what the crowd has; the rest is to be put to it. Not if it has ended.
 */
bool sf_crowd_leave(struct sf_crowd *c, struct sf_peer *p);

/* A member may have room again, or a new mark: for the slot `writable`. */
void sf_crowd_writable(struct sf_crowd *c, struct sf_peer *p);

/* Whether every member has room; if not, `writable` is called for one that had none. */
bool sf_crowd_room(struct sf_crowd *c);

/*
 * Puts one frame to all members that had room when its message began. Shares
 * large bytes. 0, -EAGAIN (first frames: nobody has room), -ENOMEM (the message
 * so far is taken back). `drops` counts the members that lose the message, by enum sf_drop.
 */
int sf_crowd_put(struct sf_crowd *c, struct sf_msg *m, bool more, uint64_t *drops);

enum {
    SF_PATTERN_IDENTITY = 1, /* announces its routing id */
    SF_PATTERN_DEAF = 2,     /* whatever arrives is discarded by the reader (PUSH) */
    SF_PATTERN_COMMANDS = 4, /* SUBSCRIBE and CANCEL are delivered by sf_peer_get (PUB, XPUB) */
    SF_PATTERN_REPLAYS = 8,  /* what is unsent when a connection is lost is dropped; `joined` says it anew */
    SF_PATTERN_ENVELOPE = 16, /* the reader checks for the REQ envelope */
    SF_PATTERN_CONFLATES = 32, /* honours SIFR_CONFLATE */
    SF_PATTERN_NO_LINGER = 64, /* linger starts as 0 (SUB, XSUB) */
    SF_PATTERN_FANOUT = 256, /* sends to many: it writes to a few that are idle, the loops to the rest */
    SF_PATTERN_ONCE = 128,    /* a second connect to the same text is a no-op (SUB PUB REQ DEALER) */
    SF_PATTERN_HELLO = 512,   /* says SIFR_HELLO_MSG to each new peer */
    SF_PATTERN_FAREWELL = 1024, /* receives SIFR_DISCONNECT_MSG in place of an accepted peer that went */
    SF_PATTERN_HICCUP = 2048,   /* receives SIFR_HICCUP_MSG when a dialed peer is lost */
    SF_PATTERN_SINGLE = 4096,   /* messages of one frame, so that threads share it: no SIFR_FD */
    SF_PATTERN_BYTES = 16384,   /* for streams of bytes alone (STREAM) */
    SF_PATTERN_UDP_OUT = 1 << 15,   /* may connect over udp (RADIO) */
    SF_PATTERN_UDP_IN = 1 << 16,    /* may bind over udp (DISH, DGRAM) */
    SF_PATTERN_UDP_ALONE = 1 << 17, /* has no other transport (DGRAM) */
    SF_PATTERN_GROUPS = 8192,   /* JOIN and LEAVE are delivered, too, and it never pings (RADIO) */
};

#define SF_TYPE(name) (1u << SIFR_##name)

struct sf_pattern {
    const char *name;  /* as READY announces it: "PUSH" */
    int type;          /* SIFR_PUSH */
    unsigned talks_to; /* SF_TYPE(PULL) | ...: whom to let in */
    unsigned flags;    /* SF_PATTERN_... */
    size_t size;       /* bytes of state */
    size_t peer_size;  /* bytes of sf_peer.own */

    int (*init)(struct sf_socket *s);  /* 0 or -ENOMEM */
    void (*fini)(struct sf_socket *s); /* every peer has been detached */

    /*
     * A queue exists: for what dials at connect, else when the handshake is
     * complete (then p->connected and p->id are set). 0, -ENOMEM, -EINVAL (its
     * given_id is in use: connect fails), or -EBUSY: not now (PAIR is taken, the routing id is in use); the core parks the
     * peer, unread, and tries again after the next detach.
     */
    int (*attach)(struct sf_socket *s, struct sf_peer *p);
    /* A handshake is complete; the first time it comes right after attach for what was accepted. */
    void (*joined)(struct sf_socket *s, struct sf_peer *p);
    /* The connection of a dialed peer was lost; its queue stays and it will be dialed again. */
    void (*lost)(struct sf_socket *s, struct sf_peer *p);
    /* p->ended became true: nothing can be sent any more; reading goes on until it is empty. */
    void (*ended)(struct sf_socket *s, struct sf_peer *p);
    /* The queue goes away with what is in it. */
    void (*detach)(struct sf_socket *s, struct sf_peer *p);
    /* Messages arrived at a peer that had none / a peer that was full has room. */
    void (*readable)(struct sf_socket *s, struct sf_peer *p);
    void (*writable)(struct sf_socket *s, struct sf_peer *p);

    /*
     * Sends one frame; `more`: others of the message follow. On 0 the content
     * was taken (the core closes `m`); else `m` is unchanged: -EAGAIN (mute:
     * the core waits and calls again), -EFSM (SIFR_EFSM), -EINVAL,
     * -EHOSTUNREACH, -ENOMEM. NULL: ENOTSUP. `wait` is false when the caller
     * will not wait: matters when the peer chosen vanished midway.
     */
    int (*send)(struct sf_socket *s, struct sf_msg *m, bool more, bool wait);
    /*
     * Fills `m` (initialized; with SF_MSG_BRIEF it may not be kept) with the next frame; m->flags
     * has SF_MSG_MORE if others follow. -EAGAIN, -EFSM.
     */
    int (*recv)(struct sf_socket *s, struct sf_msg *m);
    /* SIFR_POLLIN | SIFR_POLLOUT, exact: may read ahead and drop what recv would drop. */
    int (*events)(struct sf_socket *s);
    /* SIFR_POLLOUT if the peer with that routing id has room, or 0; -EHOSTUNREACH. NULL: ENOTSUP. */
    int (*peer_state)(struct sf_socket *s, const void *id, size_t size);
    /* Options of this type alone: 0, -EINVAL (also for those it does not know: core asks first). */
    int (*set)(struct sf_socket *s, int option, const void *value, size_t size);
    int (*get)(struct sf_socket *s, int option, void *value, size_t *size);
    /* The peer with that number (sf_peer.number), or NULL. NULL: peers have none. */
    struct sf_peer *(*find)(struct sf_socket *s, uint32_t number);
    /* Joins or leaves a group: 0, -EINVAL (the name, or it has been done), -ENOMEM. NULL: ENOTSUP. */
    int (*join)(struct sf_socket *s, const char *group, bool join);
};

extern const struct sf_pattern sf_pattern_pair, sf_pattern_pub, sf_pattern_sub, sf_pattern_req,
    sf_pattern_rep, sf_pattern_dealer, sf_pattern_router, sf_pattern_pull, sf_pattern_push,
    sf_pattern_xpub, sf_pattern_xsub, sf_pattern_server, sf_pattern_client, sf_pattern_gather,
    sf_pattern_scatter, sf_pattern_peer, sf_pattern_channel, sf_pattern_radio, sf_pattern_dish,
    sf_pattern_stream, sf_pattern_dgram;

/* The pattern of a SIFR_... socket type, or NULL. patterns/table.c */
const struct sf_pattern *sf_pattern_find(int type);

#endif
