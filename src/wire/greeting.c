/* Greetings: agrees on a version with any peer, octet by octet. */
#include "wire/greeting.h"

#include <errno.h>
#include <sifr.h>
#include <string.h>

#include "wire/handshake.h"

enum {
    SIGNATURE_SIZE = 10,
    REVISION_AT = 10,
    MINOR_AT = 11,
    MECHANISM_AT = 12,
    AS_SERVER_AT = 32,
    MAJOR = 3,
    MINOR = 1
};

/* The one place that changes the state. */
static void become(struct sf_greeting *g, enum sf_greeting_state state)
{
    g->state = state;
}

static int fail(struct sf_greeting *g, uint32_t error)
{
    g->error = error;
    become(g, SF_GREETING_FAILED);
    return -EPROTO;
}

/* No greeting at all, or not one that we may accept. */
static int malformed(struct sf_greeting *g)
{
    return fail(g, SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED);
}

static void queue(struct sf_greeting *g, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    memcpy(g->out + g->out_size, bytes, n);
    g->out_size += n;
}

static void queue_octet(struct sf_greeting *g, int octet)
{
    g->out[g->out_size++] = (uint8_t)octet;
}

/* A 2.0 peer reads this as its signature too, a 1.0 peer as the header of our identity. */
static void queue_signature(struct sf_greeting *g)
{
    queue_octet(g, 0xff);
    sf_frame_put64(g->out + g->out_size, (uint64_t)g->config.id_size + 1);
    g->out_size += 8;
    queue_octet(g, 0x7f);
}

/* The rest of the 20 octets at `to` stays 0. */
static void put_mechanism(uint8_t *to, const char *name)
{
    for (int i = 0; i < SF_GREETING_MECHANISM && name[i]; i++)
        to[i] = (uint8_t)name[i];
}

/* What follows our signature and major version towards a 3.x peer. */
static void queue_rest(struct sf_greeting *g)
{
    uint8_t rest[SF_GREETING_SIZE] = {0};

    rest[MINOR_AT] = MINOR;
    put_mechanism(rest + MECHANISM_AT, g->config.mechanism);
    rest[AS_SERVER_AT] = g->config.as_server;
    queue(g, rest + MINOR_AT, SF_GREETING_SIZE - MINOR_AT);
}

/* RFC 15 knows no XPUB and XSUB: they pass for what they extend. */
static void queue_type(struct sf_greeting *g)
{
    switch (g->config.type) {
    case SIFR_XPUB: queue_octet(g, SIFR_PUB); break;
    case SIFR_XSUB: queue_octet(g, SIFR_SUB); break;
    default: queue_octet(g, g->config.type); break;
    }
}

static void queue_identity(struct sf_greeting *g)
{
    if (g->version == SF_ZMTP_10)
        g->out_size += sf_frame1_put(g->out + g->out_size, 0, g->config.id_size);
    else
        g->out_size += sf_frame_put(g->out + g->out_size, 0, g->config.id_size);
    queue(g, g->config.id, g->config.id_size);
}

/* Looks whether the header of the peer's identity frame is complete. */
static int read_identity_header(struct sf_greeting *g)
{
    struct sf_frame f;
    int n;

    if (g->unversioned && g->in_size == 2 && g->in[0] == 0x16 && g->in[1] == 0x03)
        return malformed(g); /* somebody speaks TLS */
    if (g->version == SF_ZMTP_10)
        n = sf_frame1_get(&f, g->in, g->in_size);
    else
        n = sf_frame_get(&f, g->in, g->in_size);
    if (n == -EAGAIN)
        return 0;
    if (n < 0 || f.size > SF_GREETING_ID_MAX || (f.flags & SF_FRAME_COMMAND))
        return malformed(g);
    g->id_left = (size_t)f.size;
    if (g->id_left == 0)
        become(g, SF_GREETING_DONE);
    return 0;
}

static int step_identity(struct sf_greeting *g, uint8_t octet)
{
    if (g->id_left == 0) {
        g->in[g->in_size++] = octet;
        return read_identity_header(g);
    }
    g->id[g->id_size++] = octet;
    if (g->unversioned && g->id_size == 2 && memcmp(g->in, "GE", 2) == 0 &&
        memcmp(g->id, "T ", 2) == 0)
        return malformed(g); /* somebody speaks HTTP */
    if (--g->id_left == 0)
        become(g, SF_GREETING_DONE);
    return 0;
}

/* A 1.0 peer without a greeting: all it sent belongs to its identity frame. */
static int become_unversioned(struct sf_greeting *g)
{
    if (g->config.secured)
        return malformed(g);
    g->version = SF_ZMTP_10;
    g->unversioned = true;
    become(g, SF_GREETING_IDENTITY);
    queue(g, g->config.id, g->config.id_size); /* its header was our signature */
    return read_identity_header(g);
}

static int step_signature(struct sf_greeting *g, uint8_t octet)
{
    g->in[g->in_size++] = octet;
    if (g->in[0] != 0xff)
        return become_unversioned(g);
    if (g->in_size < SIGNATURE_SIZE)
        return 0;
    if (!(octet & 1))
        return become_unversioned(g);
    queue_octet(g, MAJOR);
    become(g, SF_GREETING_REVISION);
    return 0;
}

static int step_revision(struct sf_greeting *g, uint8_t octet)
{
    g->in[g->in_size++] = octet;
    if (octet > 1) {
        queue_rest(g);
        become(g, SF_GREETING_REST);
        return 0;
    }
    if (g->config.secured)
        return malformed(g);
    g->version = octet == 0 ? SF_ZMTP_10 : SF_ZMTP_20;
    queue_type(g);
    queue_identity(g);
    become(g, SF_GREETING_TYPE);
    return 0;
}

static int step_type(struct sf_greeting *g, uint8_t octet)
{
    g->type = octet;
    if (sf_type_name(octet) && !(g->config.talks_to >> octet & 1))
        return fail(g, 0); /* as with READY, types that do not fit are no breach of protocol */
    g->in_size = 0; /* from here on the header of the identity frame */
    become(g, SF_GREETING_IDENTITY);
    return 0;
}

static int step_rest(struct sf_greeting *g, uint8_t octet)
{
    uint8_t ours[SF_GREETING_MECHANISM] = {0};

    g->in[g->in_size++] = octet;
    if (g->in_size < SF_GREETING_SIZE)
        return 0;
    g->version = g->in[REVISION_AT] == 3 && g->in[MINOR_AT] == 0 ? SF_ZMTP_30 : SF_ZMTP_31;
    memcpy(g->mechanism, g->in + MECHANISM_AT, SF_GREETING_MECHANISM);
    put_mechanism(ours, g->config.mechanism);
    if (memcmp(g->mechanism, ours, sizeof ours) != 0)
        return fail(g, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH);
    become(g, SF_GREETING_DONE);
    return 0;
}

void sf_greeting_init(struct sf_greeting *g, const struct sf_greeting_config *config)
{
    memset(g, 0, sizeof *g);
    g->config = *config;
    if (g->config.id_size > SF_GREETING_ID_MAX)
        g->config.id_size = SF_GREETING_ID_MAX;
    g->type = -1;
    become(g, SF_GREETING_SIGNATURE);
    queue_signature(g);
}

ssize_t sf_greeting_feed(struct sf_greeting *g, const uint8_t *bytes, size_t n)
{
    size_t used = 0;
    int err = g->state == SF_GREETING_FAILED ? -EPROTO : 0;

    while (err == 0 && used < n && g->state != SF_GREETING_DONE) {
        uint8_t octet = bytes[used++];

        switch (g->state) {
        case SF_GREETING_SIGNATURE: err = step_signature(g, octet); break;
        case SF_GREETING_REVISION: err = step_revision(g, octet); break;
        case SF_GREETING_TYPE: err = step_type(g, octet); break;
        case SF_GREETING_REST: err = step_rest(g, octet); break;
        case SF_GREETING_IDENTITY: err = step_identity(g, octet); break;
        case SF_GREETING_DONE:
        case SF_GREETING_FAILED: break;
        }
    }
    return err ? err : (ssize_t)used;
}

size_t sf_greeting_output(struct sf_greeting *g, const uint8_t **bytes)
{
    *bytes = g->out + g->out_sent;
    return g->out_size - g->out_sent;
}

void sf_greeting_sent(struct sf_greeting *g, size_t n)
{
    size_t left = g->out_size - g->out_sent;

    g->out_sent += n < left ? n : left;
}

bool sf_greeting_done(const struct sf_greeting *g)
{
    return g->state == SF_GREETING_DONE;
}
