/*
 * GSSAPI: each side shows the other tokens of Kerberos 5 until both have a
 * context; whose directions are one, as is what libkrb5 keeps of it.
 *
 *   client:  WORK -> SAY INITIATE -> HEAR INITIATE -> WORK -> .. -> SAY nothing -> HEAR READY -> SAY READY -> DONE
 *   server:  HEAR INITIATE -> WORK -> SAY INITIATE -> .. -> HEAR anything -> ASK -> SAY READY -> HEAR READY -> DONE
 *
 * READY and what follows are sealed, unless the user wants no more than to know
 * who the peer is:
 *
 *   7 "MESSAGE"  size, 32 bits  | head of a wrap token | flags  payload | tail |
 *
 * Source: RFC 38; libzmq for "nothing", for the order of READY, and for flags of
 * topics; RFC 4121 for the wrap token, to which sealing adds as much whatever it
 * is that is sealed. Kerberos's older kinds of keys, where that is not so, are
 * broken (RFC 8429): contexts with such are refused.
 */
#include "security/security.h"
#include "base/alloc.h"
#include "base/secret.h"
#include "security/guest.h"

#include <errno.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <sifr.h>
#include <string.h>

enum {
    NUMBER = 4,
    LEAD = 8 + NUMBER, /* of a sealed frame, before the wrap token */
    /*
     * Of a frame with a token, which tells of all groups that its user is in: Windows lets one
     * have 48000 octets (MaxTokenSize), and others do not make larger ones.
     */
    COMMAND_MOST = 49152,
    READY_MOST = 4096, /* as with other mechanisms */
    SIZE_MOST = INT32_MAX - COMMAND_MOST, /* libkrb5 counts in 32 bits */
};

/* Flags of sealed frames besides SF_SEAL_..: the payload is a topic. */
enum { SUBSCRIBE = 4, CANCEL = 8 };

/* What is said or heard next. */
enum { INITIATE, READY };

struct gssapi {
    gss_ctx_id_t context;
    size_t head, tail; /* octets of a wrap token around what it wraps */

    /* Of the handshake. */
    gss_cred_id_t own;
    gss_name_t service;   /* the client's: whom it means to talk to */
    uint8_t *heard;       /* owns; the peer's last token */
    size_t n_heard;
    gss_buffer_desc told; /* ours that is to be said */
    gss_buffer_desc name; /* the server's: who the client is */
    OM_uint32 granted;
    bool complete;
    uint8_t failed; /* enum fault */
};

/* Whose it is that there will be no context. */
enum fault { NONE, OURS, THEIRS };

_Static_assert(sizeof(struct gssapi) <= SF_SECRET_MAX, "it is memory for keys");

static void put32(uint8_t *to, size_t v)
{
    for (int i = NUMBER; i-- > 0; v >>= 8)
        to[i] = (uint8_t)v;
}

static size_t get32(const uint8_t *from)
{
    return (size_t)from[0] << 24 | (size_t)from[1] << 16 | (size_t)from[2] << 8 | from[3];
}

/* What the handshake needs and traffic does not. When the process ends it goes with it. */
static void forget_handshake(struct gssapi *g)
{
    OM_uint32 minor;

    sf_free(g->heard);
    g->heard = NULL;
    if (!sf_guest_enter())
        return;
    gss_release_cred(&minor, &g->own);
    gss_release_name(&minor, &g->service);
    gss_release_buffer(&minor, &g->told);
    gss_release_buffer(&minor, &g->name);
    sf_guest_leave();
}

static void fini(void *keys)
{
    struct gssapi *g = keys;
    OM_uint32 minor;

    forget_handshake(g);
    if (!sf_guest_enter())
        return;
    gss_delete_sec_context(&minor, &g->context, GSS_C_NO_BUFFER);
    sf_guest_leave();
}

static int begin(struct sf_security *s)
{
    s->step = INITIATE;
    s->turn = s->own->server ? SF_SECURITY_HEAR : SF_SECURITY_WORK;
    return 0;
}

static int broken(struct sf_security *s)
{
    return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC);
}

/* --- What blocks: files of keys and tickets, the KDC, names of hosts --- */

static bool import_name(gss_name_t *out, const struct sf_octets *name, int type)
{
    gss_OID types[] = {
        [SIFR_GSSAPI_NT_HOSTBASED] = GSS_C_NT_HOSTBASED_SERVICE,
        [SIFR_GSSAPI_NT_USER_NAME] = GSS_C_NT_USER_NAME,
        [SIFR_GSSAPI_NT_KRB5_PRINCIPAL] = (gss_OID)(uintptr_t)GSS_KRB5_NT_PRINCIPAL_NAME,
    };
    gss_buffer_desc text = {name->size, (void *)(uintptr_t)name->data};
    OM_uint32 minor;

    return gss_import_name(&minor, &text, types[type], out) == GSS_S_COMPLETE;
}

/* Whose keys or tickets are to be used: the principal's that was set, or what there is. */
static bool acquire(struct gssapi *g, const struct sf_credentials *own)
{
    gss_OID_set_desc kerberos = {1, (gss_OID)(uintptr_t)gss_mech_krb5};
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 major, minor;

    if (own->principal.size && !import_name(&name, &own->principal, own->principal_type))
        return false;
    major = gss_acquire_cred(&minor, name, GSS_C_INDEFINITE, &kerberos,
                             own->server ? GSS_C_ACCEPT : GSS_C_INITIATE, &g->own, NULL, NULL);
    gss_release_name(&minor, &name);
    return major == GSS_S_COMPLETE;
}

/* Without its own ticket no client can say anything, nor if it does not know to whom. */
static bool prepare(struct gssapi *g, const struct sf_credentials *own)
{
    if (g->context)
        return true;
    return acquire(g, own) &&
           (own->server || import_name(&g->service, &own->service, own->service_type));
}

/* What must have been agreed on. */
static OM_uint32 wanted(const struct sf_credentials *own)
{
    OM_uint32 flags = GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG;

    return own->plaintext ? flags : flags | GSS_C_CONF_FLAG | GSS_C_REPLAY_FLAG;
}

static OM_uint32 initiate(struct gssapi *g, const struct sf_credentials *own, gss_buffer_t heard)
{
    OM_uint32 minor;

    return gss_init_sec_context(&minor, g->own, &g->context, g->service,
                                (gss_OID)(uintptr_t)gss_mech_krb5,
                                wanted(own) | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG, 0,
                                GSS_C_NO_CHANNEL_BINDINGS, heard, NULL, &g->told, &g->granted,
                                NULL);
}

static OM_uint32 accept_client(struct gssapi *g, gss_buffer_t heard)
{
    gss_name_t client = GSS_C_NO_NAME;
    OM_uint32 major, shown, minor;

    major = gss_accept_sec_context(&minor, &g->context, g->own, heard, GSS_C_NO_CHANNEL_BINDINGS,
                                   &client, NULL, &g->told, &g->granted, NULL, NULL);
    if (major == GSS_S_COMPLETE) {
        shown = gss_display_name(&minor, client, &g->name, NULL);
        if (shown != GSS_S_COMPLETE)
            major = shown;
    }
    gss_release_name(&minor, &client);
    return major;
}

/* Buffers of a wrap token of n octets: their sizes may be yet to be found. */
enum { HEAD, DATA, PADDING, TAIL, BUFFERS };

static void lay_out(gss_iov_buffer_desc *v, uint8_t *token, size_t head, size_t n, size_t tail)
{
    v[HEAD] = (gss_iov_buffer_desc){GSS_IOV_BUFFER_TYPE_HEADER, {head, token}};
    v[DATA] = (gss_iov_buffer_desc){GSS_IOV_BUFFER_TYPE_DATA, {n, token ? token + head : NULL}};
    v[PADDING] = (gss_iov_buffer_desc){GSS_IOV_BUFFER_TYPE_PADDING, {0, NULL}};
    v[TAIL] = (gss_iov_buffer_desc){GSS_IOV_BUFFER_TYPE_TRAILER,
                                    {tail, token ? token + head + n : NULL}};
}

/* Finds out what sealing adds; false if that depends on what is sealed. */
static bool measure(struct gssapi *g)
{
    static const size_t sizes[] = {1, 2, 255, 100001};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        gss_iov_buffer_desc v[BUFFERS];
        OM_uint32 minor;
        int sealed;

        lay_out(v, NULL, 0, sizes[i], 0);
        if (gss_wrap_iov_length(&minor, g->context, 1, GSS_C_QOP_DEFAULT, &sealed, v, BUFFERS) !=
                GSS_S_COMPLETE ||
            !sealed || v[PADDING].buffer.length)
            return false;
        if (i && (v[HEAD].buffer.length != g->head || v[TAIL].buffer.length != g->tail))
            return false;
        g->head = v[HEAD].buffer.length;
        g->tail = v[TAIL].buffer.length;
    }
    return true;
}

struct step {
    struct gssapi *g;
    const struct sf_credentials *own;
};

/* One step of either side. Its thread may be stopped in here for ever (guest.h). */
static void take_step(void *arg)
{
    struct gssapi *g = ((struct step *)arg)->g;
    const struct sf_credentials *own = ((struct step *)arg)->own;
    gss_buffer_desc heard = {g->n_heard, g->heard};
    OM_uint32 major;

    if (!prepare(g, own)) {
        g->failed = OURS;
        return;
    }
    major = own->server ? accept_client(g, &heard) : initiate(g, own, &heard);
    g->complete = major == GSS_S_COMPLETE;
    if (!g->complete && major != GSS_S_CONTINUE_NEEDED)
        g->failed = g->heard ? THEIRS : OURS; /* we may have no ticket yet, or know of no KDC */
    else if (g->complete && ((g->granted & wanted(own)) != wanted(own) ||
                             (!own->plaintext && !measure(g))))
        g->failed = THEIRS;
}

static void work(void *keys, const struct sf_credentials *own)
{
    struct gssapi *g = keys;

    if (!sf_guest_stay(take_step, &(struct step){g, own}))
        g->failed = OURS;
    sf_free(g->heard);
    g->heard = NULL;
}

static int worked(struct sf_security *s)
{
    struct gssapi *g = s->keys;

    if (g->failed)
        return g->failed == OURS ? -EIO : broken(s);
    if (g->complete && !s->own->plaintext)
        s->overhead = LEAD + g->head + 1 + g->tail;
    if (g->told.length || (g->complete && !s->own->server))
        s->turn = SF_SECURITY_SAY;
    else if (g->complete)
        s->turn = SF_SECURITY_HEAR;
    else
        return broken(s);
    return 0;
}

/* --- Wrap tokens ------------------------------------------------------- */

/* Where in a sealed frame its flags stand, which the payload follows. */
static uint8_t *inside(const struct gssapi *g, uint8_t *body)
{
    return body + LEAD + g->head;
}

/* Makes a sealed frame of flags and payload, n octets in all, which are inside it already. */
static int wrap(struct gssapi *g, uint8_t *to, size_t n)
{
    gss_iov_buffer_desc v[BUFFERS];
    OM_uint32 major, minor;
    int sealed = 0;

    memcpy(to, "\7MESSAGE", 8);
    put32(to + 8, g->head + n + g->tail);
    lay_out(v, to + LEAD, g->head, n, g->tail);
    if (!sf_guest_enter())
        return -EPROTO;
    major = gss_wrap_iov(&minor, g->context, 1, GSS_C_QOP_DEFAULT, &sealed, v, BUFFERS);
    sf_guest_leave();
    if (major != GSS_S_COMPLETE || !sealed || v[HEAD].buffer.length != g->head ||
        v[TAIL].buffer.length != g->tail)
        return -EPROTO;
    return 0;
}

static int refuse(uint32_t *error, uint32_t why)
{
    *error = why;
    return -EPROTO;
}

/* Opens a sealed frame in place: its flags and payload, or -EPROTO. */
static int unwrap(struct gssapi *g, struct sf_octets *out, uint8_t *body, size_t n, uint32_t *error)
{
    gss_iov_buffer_desc v[2] = {{GSS_IOV_BUFFER_TYPE_STREAM, {0, NULL}},
                                {GSS_IOV_BUFFER_TYPE_DATA, {0, NULL}}};
    const uint8_t *at;
    OM_uint32 major, minor;
    int sealed = 0;
    size_t size;

    if (n < 8 || memcmp(body, "\7MESSAGE", 8) != 0)
        return refuse(error, SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND);
    if (n < LEAD + g->head + 1 + g->tail || n > SIZE_MOST || get32(body + 8) != n - LEAD)
        return refuse(error, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE);
    v[0].buffer = (gss_buffer_desc){n - LEAD, body + LEAD};
    if (!sf_guest_enter())
        return refuse(error, SIFR_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC);
    major = gss_unwrap_iov(&minor, g->context, &sealed, NULL, v, 2);
    sf_guest_leave();
    /* What is old, has come before or comes too early is told beside success: it is none here. */
    if (major != GSS_S_COMPLETE || !sealed)
        return refuse(error, SIFR_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC);
    at = v[1].buffer.value;
    size = v[1].buffer.length;
    if (size != n - LEAD - g->head - g->tail || at < body || at + size > body + n)
        return refuse(error, SIFR_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC);
    *out = (struct sf_octets){at, size};
    return 0;
}

/* --- What is said ------------------------------------------------------ */

static int say_token(struct sf_security *s, uint8_t *to, size_t room)
{
    struct gssapi *g = s->keys;
    size_t n = g->told.length;
    OM_uint32 minor;
    int size = -ENOSPC;

    if (n <= COMMAND_MOST)
        size = sf_security_put(to, room, "INITIATE", NULL, NUMBER + n);
    if (size < 0)
        return size;
    put32(to + 9, n);
    memcpy(to + 9 + NUMBER, g->told.value, n);
    if (sf_guest_enter()) {
        gss_release_buffer(&minor, &g->told);
        sf_guest_leave();
    }
    g->told.length = 0; /* it has been said */
    s->turn = g->complete && !s->own->server ? SF_SECURITY_SAY : SF_SECURITY_HEAR;
    return size;
}

static void finish(struct sf_security *s)
{
    forget_handshake(s->keys);
    s->turn = SF_SECURITY_DONE;
}

static int say_ready(struct sf_security *s, uint8_t *to, size_t room, const uint8_t *metadata,
                     size_t n)
{
    struct gssapi *g = s->keys;
    size_t size = s->overhead + 6 + n;
    uint8_t *at;

    if (s->own->server)
        s->turn = SF_SECURITY_HEAR;
    else
        finish(s);
    if (!s->overhead)
        return sf_security_put(to, room, "READY", metadata, n);
    if (size > room)
        return -ENOSPC;
    at = inside(g, to);
    memmove(at + 7, metadata, n);
    memcpy(at, "\0\5READY", 7);
    return wrap(g, to, 7 + n) == 0 ? (int)size : broken(s);
}

static int say(struct sf_security *s, uint8_t *to, size_t room, const uint8_t *metadata, size_t n)
{
    struct gssapi *g = s->keys;

    if (s->step == READY)
        return say_ready(s, to, room, metadata, n);
    if (g->told.length)
        return say_token(s, to, room);
    s->step = READY; /* that nothing more is to be said, is said by nothing */
    s->turn = SF_SECURITY_HEAR;
    return 0;
}

/* --- What is heard ----------------------------------------------------- */

static int hear_token(struct sf_security *s, uint8_t *body, size_t n)
{
    struct gssapi *g = s->keys;
    uint8_t *data;
    size_t size;

    if (!sf_security_is(body, n, "INITIATE", &data, &size))
        return s->own->server ? sf_security_unexpected(s, body, n)
                              : sf_security_refused(s, body, n);
    if (size <= NUMBER || get32(data) != size - NUMBER)
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE);
    g->n_heard = size - NUMBER;
    g->heard = sf_alloc_raw(g->n_heard);
    if (!g->heard)
        return -ENOMEM;
    memcpy(g->heard, data + NUMBER, g->n_heard);
    s->turn = SF_SECURITY_WORK;
    return 0;
}

/* The client's last, whatever it is: now it is known who comes. */
static void hear_last(struct sf_security *s)
{
    const struct gssapi *g = s->keys;

    s->step = READY;
    s->shows[0] = (struct sf_octets){g->name.value, g->name.length};
    s->n_shows = 1;
    s->turn = SF_SECURITY_ASK;
}

static int hear_ready(struct sf_security *s, uint8_t *body, size_t n)
{
    struct sf_octets all;
    uint8_t *data;
    size_t size;

    if (s->overhead) {
        int err = unwrap(s->keys, &all, body, n, &s->error);

        if (err)
            return err;
        body = (uint8_t *)(uintptr_t)all.data + 1;
        n = all.size - 1;
    }
    if (!sf_security_is(body, n, "READY", &data, &size))
        return s->own->server ? sf_security_unexpected(s, body, n)
                              : sf_security_refused(s, body, n);
    if (size > READY_MOST)
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY);
    s->has_metadata = true;
    s->metadata = (struct sf_octets){data, size};
    if (s->own->server)
        finish(s);
    else
        s->turn = SF_SECURITY_SAY;
    return 0;
}

static int hear(struct sf_security *s, uint8_t *body, size_t n)
{
    const struct gssapi *g = s->keys;

    if (s->step == READY)
        return hear_ready(s, body, n);
    if (!g->complete)
        return hear_token(s, body, n);
    hear_last(s);
    return 0;
}

/* --- Traffic ----------------------------------------------------------- */

static int seal(void *keys, uint8_t *to, unsigned flags, const uint8_t *data, size_t n)
{
    struct gssapi *g = keys;
    uint8_t *at = inside(g, to);

    if (n > SIZE_MOST)
        return -EPROTO;
    if (n)
        memmove(at + 1, data, n);
    at[0] = (uint8_t)flags;
    return wrap(g, to, 1 + n);
}

/* Of a topic the flags have the place that a subscription's first octet has as a message. */
static ssize_t unseal(void *keys, uint8_t *to, unsigned *flags, uint8_t *body, size_t n,
                      uint32_t *error)
{
    struct sf_octets all;
    const uint8_t *at;
    int err = unwrap(keys, &all, body, n, error);

    if (err)
        return err;
    at = all.data;
    if (*at & (SUBSCRIBE | CANCEL)) {
        *flags = 0;
        memcpy(to, at, all.size);
        to[0] = (*at & SUBSCRIBE) != 0;
        return (ssize_t)all.size;
    }
    *flags = *at;
    memcpy(to, at + 1, all.size - 1);
    return (ssize_t)all.size - 1;
}

const struct sf_mechanism sf_mechanism_gssapi = {
    .name = "GSSAPI",
    .number = SIFR_GSSAPI,
    .keys_size = sizeof(struct gssapi),
    .secure = true,
    .mute = true,
    .joint = true,
    .most = COMMAND_MOST,
    .begin = begin,
    .say = say,
    .hear = hear,
    .work = work,
    .worked = worked,
    .fini = fini,
    .gain = 1,
    .seal = seal,
    .open = unseal,
};
