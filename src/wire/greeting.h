/*
 * The first octets of a connection: who speaks which version of ZMTP.
 *
 * No descriptor is touched here. The caller feeds what arrived and sends what
 * waits as output, both in pieces of any size:
 *
 *     sf_greeting_init(&g, &config);
 *     for (;;) {
 *         n = sf_greeting_output(&g, &bytes);    send, then sf_greeting_sent()
 *         if (sf_greeting_done(&g) && n == 0)
 *             break;
 *         receive, then sf_greeting_feed()       what it leaves is traffic
 *     }
 *
 * Source: RFC 13, 15, 23, 37, and what libzmq really sends.
 */
#ifndef SF_WIRE_GREETING_H
#define SF_WIRE_GREETING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/frame.h"

enum {
    SF_GREETING_SIZE = 64,      /* of version 3.x */
    SF_GREETING_MECHANISM = 20, /* octets of a mechanism's name */
    SF_GREETING_ID_MAX = 255
};

struct sf_greeting_config {
    const void *id;        /* our routing id; borrowed until the greeting is done */
    size_t id_size;        /* 0..255 */
    int type;              /* our socket type, a SIFR_ number such as SIFR_PUB */
    unsigned talks_to;     /* bit n set: we talk to socket type n */
    const char *mechanism; /* "NULL", "PLAIN", ..; at most 20 octets; borrowed likewise */
    bool as_server;        /* we are the server of that mechanism */
    bool secured;          /* peers older than 3.0 must be refused: the mechanism is
                              not NULL, or connections need to be authorised */
};

/*
 * SIGNATURE -1 octet, not ff, or octet 9 even-----------------+
 *     | octet 9 odd                                           |
 * REVISION --00, 01--> TYPE --octet 11--> IDENTITY <----------+
 *     | 02..                                 | frame read
 *   REST ------------- 64 octets ----------> DONE
 *
 * Any of them may end in FAILED.
 */
enum sf_greeting_state {
    SF_GREETING_SIGNATURE,
    SF_GREETING_REVISION,
    SF_GREETING_TYPE,
    SF_GREETING_REST,
    SF_GREETING_IDENTITY,
    SF_GREETING_DONE,
    SF_GREETING_FAILED
};

struct sf_greeting {
    /* Results, valid once the greeting is done. */
    enum sf_zmtp version;
    bool unversioned;                          /* a 1.0 peer that sent no greeting at all */
    int type;                                  /* type code the peer sent, or -1 */
    char mechanism[SF_GREETING_MECHANISM + 1]; /* the peer's; empty before 3.0 */
    uint8_t id[SF_GREETING_ID_MAX];            /* the peer's, before 3.0 */
    size_t id_size;

    /* Valid once feeding failed. */
    uint32_t error; /* SIFR_PROTOCOL_ERROR_.., or 0: reported as a mere disconnect */

    /* Private. */
    struct sf_greeting_config config;
    enum sf_greeting_state state;
    uint8_t in[SF_GREETING_SIZE]; /* the greeting, or the identity frame's header */
    size_t in_size;
    size_t id_left; /* octets missing of the peer's identity */
    uint8_t out[SF_GREETING_SIZE + SF_FRAME1_HEADER_MAX + SF_GREETING_ID_MAX];
    size_t out_size, out_sent; /* out_sent <= out_size */
};

/* Begins a greeting and queues our first 10 octets; an id above 255 is cut. */
void sf_greeting_init(struct sf_greeting *g, const struct sf_greeting_config *config);

/*
 * Takes octets that arrived, up to the greeting's last; for peers older than
 * 3.0 that is the last octet of their identity frame. May add output.
 *
 * Returns how many octets belonged to the greeting (0 when it is done), or
 *   -EPROTO  close, and do not come back by ourselves; g->error says what to
 *            report. Output that is still waiting should be sent first.
 */
ssize_t sf_greeting_feed(struct sf_greeting *g, const uint8_t *bytes, size_t n);

/* Sets *bytes to what waits to be sent and returns its size. */
size_t sf_greeting_output(struct sf_greeting *g, const uint8_t **bytes);

/* Marks the first n octets of the output as sent. */
void sf_greeting_sent(struct sf_greeting *g, size_t n);

/* The peer's side is complete; our own may still wait as output. */
bool sf_greeting_done(const struct sf_greeting *g);

#endif
