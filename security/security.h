/*
 * A mechanism: how the two sides of a connection come to trust each other, and
 * what they do to frames from then on.
 *
 * It knows the bodies of commands and nothing of what carries them; who drives
 * it (src/wire/handshake.c) looks at `turn` after each call:
 *
 *            +-------------------------------+
 *            v                               |
 *   SAY -> say() -> HEAR -> hear() -> ASK -> answered: SAY
 *    |                |        |
 *    |                |        +----> WORK -> work(), off the loop -> worked()
 *    +----------------+--------+----> DONE: seal() and open(), or frames as they are
 *
 * in the order that the mechanism wants. To refuse a peer say(), hear() and
 * worked() return -EPROTO, with `error` or `status` set.
 *
 * Threads: one at a time; from DONE on one may seal while another opens, unless
 * the mechanism is `joint`.
 */
#ifndef SF_SECURITY_SECURITY_H
#define SF_SECURITY_SECURITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SF_KEY_SIZE = 32 };

/* Borrows. */
struct sf_octets {
    const void *data; /* NULL only if size is 0 */
    size_t size;
};

/* What the user has set; borrows, until the handshake is over. */
struct sf_credentials {
    bool server;
    struct sf_octets user, password;                       /* PLAIN's client: 0..255 octets each */
    const uint8_t *public_key, *secret_key, *server_key;   /* CURVE: SF_KEY_SIZE octets each */
    struct sf_octets principal, service;                   /* GSSAPI: who we are, whom the client wants; */
    uint8_t principal_type, service_type;                  /* SIFR_GSSAPI_NT_.. */
    bool plaintext;                                        /* and nothing is sealed */
};

enum sf_security_turn {
    SF_SECURITY_SAY,  /* a command of ours is due */
    SF_SECURITY_HEAR, /* one of the peer's */
    SF_SECURITY_WORK, /* what blocks: work(), then worked() */
    SF_SECURITY_ASK,  /* whether the peer may come in, with `shows`; who asked sets SAY */
    SF_SECURITY_DONE
};

enum { SF_SECURITY_SHOWS_MAX = 2 };

/* One side of a handshake. */
struct sf_security {
    const struct sf_mechanism *mechanism;
    const struct sf_credentials *own;
    void *keys;   /* owns; of the mechanism's size, or NULL. They outlive the handshake */
    uint8_t turn; /* enum sf_security_turn */
    uint8_t step; /* the mechanism's */
    size_t overhead; /* octets that sealing adds to a frame's body; 0 when it is done: they go as they are */

    /* What a command has brought; good as long as its octets. */
    struct sf_octets shows[SF_SECURITY_SHOWS_MAX]; /* with SF_SECURITY_ASK */
    unsigned n_shows;
    bool has_metadata; /* it was in the command heard last: */
    struct sf_octets metadata;

    /* With -EPROTO. */
    uint32_t error; /* SIFR_PROTOCOL_ERROR_.. to report, or 0 */
    int status;     /* 300, 400, 500: so the peer has refused us; else 0 */
};

struct sf_mechanism {
    const char *name; /* as greetings announce it: "CURVE" */
    int number;       /* SIFR_CURVE */
    size_t keys_size; /* octets of `keys`, which are secret memory; 0: none */
    bool secure;      /* more than NULL: peers that cannot do it are refused */
    bool mute;        /* who is refused is not told so */
    bool joint;       /* sealing and opening are one thing: never at the same time */
    size_t most;      /* octets of a command's frame, where they may be more than is usual; else 0 */

    /* What it must set up before the first handshake, in the application's threads; NULL: nothing. */
    void (*prepare)(void);

    /* The first turn. 0, -ENOMEM or -EIO (no randomness). */
    int (*begin)(struct sf_security *s);

    /*
     * Writes the body of our next command. `metadata`, n octets, is what we
     * announce, if this command announces it. Its size, or -ENOSPC, -ENOMEM,
     * -EIO, -EPROTO.
     */
    int (*say)(struct sf_security *s, uint8_t *to, size_t room, const uint8_t *metadata, size_t n);

    /* Reads the body of the peer's next command, perhaps deciphering in place. 0, -EPROTO, -EIO. */
    int (*hear)(struct sf_security *s, uint8_t *body, size_t n);

    /*
     * With SF_SECURITY_WORK: what may block. It touches the keys alone, which keep
     * what came of it; the handshake may be over before it returns.
     */
    void (*work)(void *keys, const struct sf_credentials *own);
    /* Takes that in and sets the turn. 0, -EPROTO, -ENOMEM, or -EIO: try again with another connection. */
    int (*worked)(struct sf_security *s);

    void (*fini)(void *keys); /* frees what they own; NULL: nothing */

    /* From here on NULL where frames go as they are. */

    size_t overhead; /* of all connections; else begin() or a later step sets that of sf_security */
    size_t gain;     /* octets that open() may give beyond n - overhead */

    /*
     * Seals a frame: n octets at `data`, SF_SEAL_.. in `flags`, into overhead + n
     * octets at `to`. They may not overlap, but that data may be to + overhead.
     * 0, or -EPROTO: this connection has sent all that it may.
     */
    int (*seal)(void *keys, uint8_t *to, unsigned flags, const uint8_t *data, size_t n);

    /*
     * Opens a sealed frame's body of n octets, which it may decipher in place: its
     * payload to `to`, which does not overlap it and has room for n - overhead +
     * gain octets (at least 0), and SF_SEAL_.. to `*flags`, where other bits may be
     * set. The payload's octets, or -EPROTO with `*error` as in sf_security.
     */
    ssize_t (*open)(void *keys, uint8_t *to, unsigned *flags, uint8_t *body, size_t n,
                    uint32_t *error);
};

enum { SF_SEAL_MORE = 1, SF_SEAL_COMMAND = 2 };

extern const struct sf_mechanism sf_mechanism_null, sf_mechanism_plain;
#ifdef SF_HAVE_SODIUM
extern const struct sf_mechanism sf_mechanism_curve;
#endif
#ifdef SF_HAVE_GSSAPI
extern const struct sf_mechanism sf_mechanism_gssapi;
#endif

/* The mechanism of this number (SIFR_NULL..), or NULL if it is not built in. */
const struct sf_mechanism *sf_mechanism_find(int number);

/* Begins a handshake; `own` as above. 0, or as sf_mechanism.begin, with nothing to end. */
int sf_security_init(struct sf_security *s, const struct sf_mechanism *m,
                     const struct sf_credentials *own);

/* Wipes and frees what it owns. All zeroes is allowed. */
void sf_security_fini(struct sf_security *s);

/* Takes the keys out of a handshake that is done; the caller sf_security_drop()s them. */
void *sf_security_take(struct sf_security *s);
void sf_security_drop(const struct sf_mechanism *m, void *keys); /* NULL is allowed */

/* ---- For mechanisms ---- */

/* Whether a body is a command of this name; `*data` and `*size`: what stands behind it. */
bool sf_security_is(const uint8_t *body, size_t n, const char *name, uint8_t **data, size_t *size);

/* Writes a command's name and n octets behind it (NULL: leaves them): its size, or -ENOSPC. */
int sf_security_put(uint8_t *to, size_t room, const char *name, const void *data, size_t n);

/* Refuse a peer: -EPROTO with that error; for any command that is not the one waited for. */
int sf_security_refuse(struct sf_security *s, uint32_t error);
int sf_security_unexpected(struct sf_security *s, const uint8_t *body, size_t n);

/* The same of who may be told ERROR, whose reason becomes `status`; and for what is behind that name. */
int sf_security_refused(struct sf_security *s, const uint8_t *body, size_t n);
int sf_security_reason(struct sf_security *s, const uint8_t *data, size_t n);

#endif
