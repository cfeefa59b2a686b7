#ifndef SF_CORE_OPTION_H
#define SF_CORE_OPTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "security/security.h"
#include "transports/transport.h"

struct sf_bytes {
    uint8_t *data; /* owns, or NULL */
    size_t size;
};

/* What goes between a connection and its peer. */
enum sf_framing {
    SF_FRAMING_ZMTP, /* a handshake, then frames */
    SF_FRAMING_BARE, /* bytes: STREAM */
    SF_FRAMING_OWN,  /* what the transport makes of frames: datagrams */
};

/* What is not to be seen by others; of sf_secret_new. */
struct sf_secrets {
    uint8_t public_key[SF_KEY_SIZE], secret_key[SF_KEY_SIZE], server_key[SF_KEY_SIZE]; /* CURVE's */
    uint8_t password_size;
    char password[256]; /* PLAIN's, with a 0 behind */
};

/* A socket's generic options, in the units of sifr.h. */
struct sf_options {
    uint64_t affinity;
    int64_t max_msg_size;
    int linger, snd_hwm, rcv_hwm, snd_timeout, rcv_timeout;
    int reconnect_ivl, reconnect_ivl_max, reconnect_stop, connect_timeout;
    int handshake_ivl, heartbeat_ivl, heartbeat_ttl, heartbeat_timeout;
    int immediate, conflate;
    int in_batch, out_batch; /* bytes; -1: as it goes best */
    int ipv6, backlog, use_fd;
    int rate, recovery_ivl, max_tpdu; /* kept for transports that are not built in */
    bool loopback_fastpath;
    bool invert;         /* of a type that has no use for it */
    uint8_t device_size; /* of stream.device, in bytes */
    enum sf_framing framing; /* of a profile */
    uint8_t notify;          /* of a profile: sf_socket.notify */
    int frame_most;          /* of a profile that is SF_FRAMING_BARE: bytes of a frame that is read */
    struct sf_stream_options stream; /* its texts and arrays point into the fields below */
    struct sf_bytes id, connect_id;
    struct sf_bytes hello, disconnect, hiccup; /* HELLO_MSG and its like; data NULL: none */
    struct sf_bytes metadata;                  /* encoded X- properties */
    struct sf_bytes socks_proxy, socks_user, socks_password; /* with a 0 behind */
    struct sf_bytes filters, uids, gids, pids;               /* arrays of struct sf_filter, uid_t ... */
    struct sf_bytes plain_user, zap_domain;                  /* with a 0 behind */
    struct sf_bytes gss_principal, gss_service;              /* likewise */
    uint8_t gss_principal_type, gss_service_type;            /* SIFR_GSSAPI_NT_.. */
    bool gss_plaintext;
    struct sf_secrets *secrets; /* owns, or NULL: all zeroes */
    uint8_t mechanism;          /* SIFR_NULL.. */
    bool as_server;             /* of the mechanism */
    bool zap_enforce;
};

void sf_options_init(struct sf_options *o);
void sf_options_fini(struct sf_options *o);

/*
 * What a bind or connect copied of a socket's options; shared by the
 * connections that come of it. Immutable.
 */
struct sf_profile {
    _Atomic uint32_t refs;
    struct sf_options opt;
    struct sf_credentials own; /* borrows from it */
    bool seals;                /* the mechanism may change frames */
};

/* A counted copy, or NULL without memory. */
struct sf_profile *sf_profile_new(const struct sf_options *from, enum sf_framing framing);
struct sf_profile *sf_profile_ref(struct sf_profile *p);
void sf_profile_unref(struct sf_profile *p);

#endif
