/* What peers announce and check before traffic, and NULL's exchange of it. */
#include "wire/handshake.h"

#include <errno.h>
#include <limits.h>
#include <sifr.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/command.h"
#include "wire/frame.h"
#include "wire/metadata.h"

#define TYPE_PROPERTY "Socket-Type"
#define ID_PROPERTY "Identity"

/* STREAM and DGRAM speak no ZMTP. */
static const char *const type_names[] = {
    [SIFR_PAIR] = "PAIR",
    [SIFR_PUB] = "PUB",
    [SIFR_SUB] = "SUB",
    [SIFR_REQ] = "REQ",
    [SIFR_REP] = "REP",
    [SIFR_DEALER] = "DEALER",
    [SIFR_ROUTER] = "ROUTER",
    [SIFR_PULL] = "PULL",
    [SIFR_PUSH] = "PUSH",
    [SIFR_XPUB] = "XPUB",
    [SIFR_XSUB] = "XSUB",
    [SIFR_SERVER] = "SERVER",
    [SIFR_CLIENT] = "CLIENT",
    [SIFR_RADIO] = "RADIO",
    [SIFR_DISH] = "DISH",
    [SIFR_GATHER] = "GATHER",
    [SIFR_SCATTER] = "SCATTER",
    [SIFR_PEER] = "PEER",
    [SIFR_CHANNEL] = "CHANNEL",
};

enum { TYPES = sizeof type_names / sizeof *type_names };

const char *sf_type_name(int type)
{
    return type >= 0 && type < TYPES ? type_names[type] : NULL;
}

int sf_type_number(const char *name, size_t size)
{
    for (int i = 0; i < TYPES; i++) {
        if (type_names[i] && strlen(type_names[i]) == size &&
            memcmp(type_names[i], name, size) == 0)
            return i;
    }
    return -1;
}

/* ---- Announcing ourselves ---- */

size_t sf_hello_size(const struct sf_hello *h)
{
    size_t size = sf_metadata_size(TYPE_PROPERTY, strlen(h->type_name)) + h->extra_size;

    return h->with_identity ? size + sf_metadata_size(ID_PROPERTY, h->id_size) : size;
}

int sf_hello_put(uint8_t *to, size_t room, const struct sf_hello *h)
{
    size_t size = sf_hello_size(h);
    size_t n;

    if (size > room || size > INT_MAX)
        return -ENOSPC;
    n = sf_metadata_put(to, room, TYPE_PROPERTY, h->type_name, strlen(h->type_name));
    if (h->with_identity)
        n += sf_metadata_put(to + n, room - n, ID_PROPERTY, h->id, h->id_size);
    if (h->extra_size > 0)
        memcpy(to + n, h->extra, h->extra_size);
    return (int)size;
}

int sf_handshake_say(struct sf_security *s, const struct sf_hello *h, uint8_t *to, size_t room)
{
    size_t n = sf_hello_size(h);
    uint8_t header[SF_FRAME_HEADER_MAX];
    uint8_t *metadata, *body = to + sizeof header;
    size_t head;
    int size;

    if (room < sizeof header || n > room - sizeof header)
        return -ENOSPC;
    metadata = to + room - n; /* behind the command, until that has it */
    sf_hello_put(metadata, n, h);
    size = s->mechanism->say(s, body, (size_t)(metadata - body), metadata, n);
    if (size < 0)
        return size;
    head = sf_frame_put(header, SF_FRAME_COMMAND, (uint64_t)size);
    memcpy(to, header, head);
    memmove(to + head, body, (size_t)size);
    return (int)head + size;
}

/* ---- Checking the peer ---- */

void sf_peer_info_fini(struct sf_peer_info *p)
{
    sf_free(p->properties);
    p->properties = NULL;
    p->properties_size = 0;
}

/* Every Socket-Type is checked, or a second one would slip through; the first counts. */
static int take_type(struct sf_peer_info *info, const struct sf_hello *h,
                     const struct sf_property *p)
{
    int type = sf_type_number((const char *)p->value, p->size);

    if (type < 0 || !(h->talks_to >> type & 1))
        return -EPROTOTYPE;
    if (info->type < 0) {
        info->type = type;
        memcpy(info->type_name, p->value, p->size); /* the longest has 7 octets */
    }
    return 0;
}

/* An identity that starts with 00 could be one we generate: its sender stays anonymous. */
static int take_identity(struct sf_peer_info *info, const struct sf_property *p)
{
    if (p->size > sizeof info->id)
        return -EPROTO;
    if (p->size > 0 && p->value[0] != 0) {
        memcpy(info->id, p->value, p->size);
        info->id_size = p->size;
    }
    return 0;
}

int sf_peer_info_get(struct sf_peer_info *out, const struct sf_hello *h, const uint8_t *metadata,
                     size_t n)
{
    struct sf_peer_info info = {.type = -1};
    struct sf_property p;
    const uint8_t *at = metadata;
    size_t left = n;
    bool identified = false;
    int more, err;

    while ((more = sf_metadata_next(&at, &left, &p)) > 0) {
        err = 0;
        if (sf_metadata_is(&p, TYPE_PROPERTY)) {
            err = take_type(&info, h, &p);
        } else if (sf_metadata_is(&p, ID_PROPERTY) && !identified) {
            err = take_identity(&info, &p);
            identified = true;
        }
        if (err)
            return err;
    }
    if (more < 0)
        return more;
    if (n > 0) {
        info.properties = sf_alloc_raw(n);
        if (!info.properties)
            return -ENOMEM;
        memcpy(info.properties, metadata, n);
        info.properties_size = n;
    }
    *out = info;
    return 0;
}

/* ---- ERROR ---- */

/* Fills in the data of an ERROR and returns its size. */
static size_t error_data(uint8_t *to, const char *reason, size_t size)
{
    if (size > 255)
        size = 255;
    to[0] = (uint8_t)size;
    if (size > 0)
        memcpy(to + 1, reason, size);
    return 1 + size;
}

size_t sf_error_put(uint8_t *to, const char *reason, size_t size)
{
    uint8_t data[256];

    return sf_command_put(to, "ERROR", data, error_data(data, reason, size));
}

/* ---- The peer's commands ---- */

static int take_metadata(struct sf_security *s, const struct sf_hello *h, struct sf_peer_info *out)
{
    int err = sf_peer_info_get(out, h, s->metadata.data, s->metadata.size);

    if (err == -EPROTOTYPE) /* types that do not fit are no breach of protocol */
        return -EPROTO;
    if (err == -EPROTO && s->mechanism->secure) /* of NULL the reference says only that it ended */
        s->error = SIFR_PROTOCOL_ERROR_ZMTP_INVALID_METADATA;
    return err;
}

int sf_handshake_hear(struct sf_security *s, const struct sf_hello *h, struct sf_peer_info *out,
                      uint8_t *body, size_t n, struct sf_refusal *why)
{
    int err;

    s->has_metadata = false;
    s->error = 0;
    s->status = 0;
    err = s->mechanism->hear(s, body, n);
    if (err == 0 && s->has_metadata)
        err = take_metadata(s, h, out);
    if (err == -EPROTO)
        *why = (struct sf_refusal){.error = s->error, .status = s->status};
    return err;
}
