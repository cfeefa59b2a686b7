/*
 * What peers tell each other before traffic, whatever the mechanism: who they
 * are, and why they go. The mechanism says in what order (security/security.h).
 *
 * Source: RFC 37, READY and ERROR.
 */
#ifndef SF_WIRE_HANDSHAKE_H
#define SF_WIRE_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "security/security.h"

/* What we announce, and whom we let in. Borrows all it points to. */
struct sf_hello {
    const char *type_name; /* "REQ" */
    bool with_identity;    /* REQ, DEALER, ROUTER: announce it even if empty */
    const void *id;
    size_t id_size;       /* 0..255 */
    const uint8_t *extra; /* application properties, encoded by sf_metadata_put() */
    size_t extra_size;
    unsigned talks_to; /* bit n set: we talk to socket type n */
};

/* What the peer announced. Zeroed or left by sf_handshake_hear(), it may be _fini'd. */
struct sf_peer_info {
    int type;           /* its socket type, a SIFR_ number, or -1 if it did not say */
    char type_name[12]; /* as it said it; "" likewise */
    uint8_t id[255];    /* its routing id; anonymous if empty */
    size_t id_size;
    uint8_t *properties; /* owns; its metadata as sent, checked; NULL if empty */
    size_t properties_size;
};

/* Frees what the peer announced. */
void sf_peer_info_fini(struct sf_peer_info *p);

/* The number of a socket type by its exact name, or -1; and the name, or NULL. */
int sf_type_number(const char *name, size_t size);
const char *sf_type_name(int type);

/* Our metadata: its size; writing it into `room` octets: the size, or -ENOSPC. */
size_t sf_hello_size(const struct sf_hello *h);
int sf_hello_put(uint8_t *to, size_t room, const struct sf_hello *h);

/*
 * Reads and checks a peer's metadata (of READY or INITIATE, deciphered).
 *
 *   out  set on success and then the caller's to _fini; untouched otherwise
 *
 * Returns 0 or
 *   -EPROTO      malformed, or an Identity above 255 octets
 *   -EPROTOTYPE  a socket type we do not talk to, or an unknown one
 *   -ENOMEM
 */
int sf_peer_info_get(struct sf_peer_info *out, const struct sf_hello *h, const uint8_t *metadata,
                     size_t n);

/*
 * Writes the next command of a handshake whose turn is SF_SECURITY_SAY, header
 * included, into `room` octets: its size, or -ENOSPC, -ENOMEM, -EIO, -EPROTO.
 */
int sf_handshake_say(struct sf_security *s, const struct sf_hello *h, uint8_t *to, size_t room);

enum { SF_ERROR_SIZE_MAX = 9 + 6 + 1 + 255 };

/* Writes an ERROR as a whole frame; a reason above 255 octets is cut. */
size_t sf_error_put(uint8_t *to, const char *reason, size_t size);

/* Why a handshake failed. */
struct sf_refusal {
    uint32_t error; /* SIFR_PROTOCOL_ERROR_.. to report, or 0 */
    int status;     /* 300, 400, 500: the peer refused us so; else 0 */
};

/*
 * Reads the next command of a handshake whose turn is SF_SECURITY_HEAR.
 *
 *   out   set if the peer has announced itself with it, and then the caller's to _fini
 *   body  the n octets of the frame, whose COMMAND flag does not matter here; it
 *         may be deciphered in place
 *   why   set on -EPROTO; both fields 0 to report no more than a disconnect
 *
 * Returns 0, -EPROTO (close and stop), -ENOMEM or -EIO.
 */
int sf_handshake_hear(struct sf_security *s, const struct sf_hello *h, struct sf_peer_info *out,
                      uint8_t *body, size_t n, struct sf_refusal *why);

#endif
