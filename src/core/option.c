/* Options of sockets: their defaults, ranges and copies. */
#include "core/option.h"
#include "base/alloc.h"
#include "base/secret.h"
#include "core/conn.h"
#include "core/lease.h"
#include "core/socket.h"
#include "io/addr.h"
#include "wire/metadata.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- Storage ----------------------------------------------------------- */

void sf_options_init(struct sf_options *o)
{
    memset(o, 0, sizeof *o);
    o->max_msg_size = -1;
    o->linger = o->rcv_timeout = o->snd_timeout = -1;
    o->snd_hwm = o->rcv_hwm = 1000;
    o->reconnect_ivl = 100;
    o->handshake_ivl = 30000;
    o->heartbeat_timeout = -1;
    o->in_batch = o->out_batch = -1; /* as it goes best; reads back as 8192 */
    o->rate = 100;
    o->recovery_ivl = 10000;
    o->max_tpdu = 1500;
    o->backlog = -1; /* the system's most; reads back as 100 */
    o->use_fd = -1;
    sf_stream_options_init(&o->stream);
}

static void bytes_fini(struct sf_bytes *b)
{
    sf_free(b->data);
    *b = (struct sf_bytes){0};
}

/* Replaces what is there by a copy, with a 0 behind it. 0 or -ENOMEM. */
static int bytes_set(struct sf_bytes *b, const void *from, size_t size)
{
    uint8_t *to = (uint8_t *)sf_alloc_text(from, size);

    if (!to)
        return -ENOMEM;
    sf_free(b->data);
    b->data = to;
    b->size = size;
    return 0;
}

static int bytes_add(struct sf_bytes *b, const void *from, size_t size)
{
    uint8_t *to = sf_realloc(b->data, b->size + size + 1);

    if (!to)
        return -ENOMEM;
    memcpy(to + b->size, from, size);
    b->data = to;
    b->size += size;
    to[b->size] = 0;
    return 0;
}

static const size_t byte_fields[] = {
    offsetof(struct sf_options, id),          offsetof(struct sf_options, connect_id),
    offsetof(struct sf_options, hello),       offsetof(struct sf_options, disconnect),
    offsetof(struct sf_options, hiccup),      offsetof(struct sf_options, metadata),
    offsetof(struct sf_options, socks_proxy), offsetof(struct sf_options, socks_user),
    offsetof(struct sf_options, socks_password), offsetof(struct sf_options, filters),
    offsetof(struct sf_options, uids),        offsetof(struct sf_options, gids),
    offsetof(struct sf_options, pids),        offsetof(struct sf_options, plain_user),
    offsetof(struct sf_options, zap_domain),  offsetof(struct sf_options, gss_principal),
    offsetof(struct sf_options, gss_service),
};
enum { N_BYTE_FIELDS = sizeof byte_fields / sizeof *byte_fields };

static struct sf_bytes *byte_field(const struct sf_options *o, size_t i)
{
    return (struct sf_bytes *)(uintptr_t)((const char *)o + byte_fields[i]);
}

void sf_options_fini(struct sf_options *o)
{
    for (size_t i = 0; i < N_BYTE_FIELDS; i++)
        bytes_fini(byte_field(o, i));
    sf_secret_free(o->secrets);
    o->secrets = NULL;
}

/* Points the transport's view at our own fields. */
static void aim(struct sf_options *o)
{
    struct sf_stream_options *s = &o->stream;

    s->ipv6 = o->ipv6;
    s->backlog = o->backlog;
    s->use_fd = o->use_fd;
    s->socks_proxy = (const char *)o->socks_proxy.data;
    s->socks_user = (const char *)o->socks_user.data;
    s->socks_password = (const char *)o->socks_password.data;
    s->accept_filters = (const struct sf_filter *)(void *)o->filters.data;
    s->n_accept_filters = o->filters.size / sizeof(struct sf_filter);
    s->uids = (const uid_t *)(void *)o->uids.data;
    s->n_uids = o->uids.size / sizeof(uid_t);
    s->gids = (const gid_t *)(void *)o->gids.data;
    s->n_gids = o->gids.size / sizeof(gid_t);
    s->pids = (const pid_t *)(void *)o->pids.data;
    s->n_pids = o->pids.size / sizeof(pid_t);
}

/* What a mechanism is to know, in fields of ours. */
static struct sf_credentials credentials_of(const struct sf_options *o)
{
    static const struct sf_secrets none;
    const struct sf_secrets *secrets = o->secrets ? o->secrets : &none;

    return (struct sf_credentials){
        .server = o->as_server,
        .user = {o->plain_user.data, o->plain_user.size},
        .password = {secrets->password, secrets->password_size},
        .public_key = secrets->public_key,
        .secret_key = secrets->secret_key,
        .server_key = secrets->server_key,
        .principal = {o->gss_principal.data, o->gss_principal.size},
        .service = {o->gss_service.data, o->gss_service.size},
        .principal_type = o->gss_principal_type,
        .service_type = o->gss_service_type,
        .plaintext = o->gss_plaintext,
    };
}

/* Frames are what is read at a time, not the peer's: none is too large. */
static void do_without_zmtp(struct sf_options *o)
{
    enum { DEFAULT = 8192, MOST = 32000 };

    o->frame_most = o->in_batch < 0 ? DEFAULT : o->in_batch < MOST ? o->in_batch : MOST;
    o->in_batch = -1;
    o->max_msg_size = -1;
    o->heartbeat_ivl = 0;
}

struct sf_profile *sf_profile_new(const struct sf_options *from, enum sf_framing framing)
{
    const struct sf_mechanism *m = sf_mechanism_find(from->mechanism);
    struct sf_profile *p = sf_alloc(sizeof *p);
    int err = 0;

    if (!p)
        return NULL;
    if (m && m->prepare)
        m->prepare();
    atomic_init(&p->refs, 1);
    p->opt = *from;
    p->opt.secrets = NULL;
    if (from->secrets) {
        p->opt.secrets = sf_secret_new(sizeof *from->secrets);
        if (p->opt.secrets)
            *p->opt.secrets = *from->secrets;
        else
            err = -ENOMEM;
    }
    for (size_t i = 0; i < N_BYTE_FIELDS; i++) {
        struct sf_bytes *to = byte_field(&p->opt, i);
        const struct sf_bytes *b = byte_field(from, i);

        *to = (struct sf_bytes){0};
        if (err == 0 && b->data)
            err = bytes_set(to, b->data, b->size);
    }
    if (err) {
        sf_profile_unref(p);
        return NULL;
    }
    aim(&p->opt);
    p->own = credentials_of(&p->opt);
    p->opt.framing = framing;
    p->seals = m && m->seal;
    if (framing != SF_FRAMING_ZMTP)
        do_without_zmtp(&p->opt);
    return p;
}

struct sf_profile *sf_profile_ref(struct sf_profile *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void sf_profile_unref(struct sf_profile *p)
{
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    sf_options_fini(&p->opt);
    sf_free(p);
}

/* --- Plain numbers ----------------------------------------------------- */

struct number {
    int option;
    size_t at; /* of an int in struct sf_options */
    int min, max;
};

#define FIELD(f) offsetof(struct sf_options, f)

static const struct number numbers[] = {
    {SIFR_LINGER, FIELD(linger), -1, INT_MAX},
    {SIFR_SNDHWM, FIELD(snd_hwm), 0, INT_MAX},
    {SIFR_RCVHWM, FIELD(rcv_hwm), 0, INT_MAX},
    {SIFR_SNDTIMEO, FIELD(snd_timeout), -1, INT_MAX},
    {SIFR_RCVTIMEO, FIELD(rcv_timeout), -1, INT_MAX},
    {SIFR_RECONNECT_IVL, FIELD(reconnect_ivl), -1, INT_MAX},
    {SIFR_RECONNECT_IVL_MAX, FIELD(reconnect_ivl_max), 0, INT_MAX},
    {SIFR_RECONNECT_STOP, FIELD(reconnect_stop), INT_MIN, INT_MAX},
    {SIFR_CONNECT_TIMEOUT, FIELD(connect_timeout), 0, INT_MAX},
    {SIFR_HANDSHAKE_IVL, FIELD(handshake_ivl), 0, INT_MAX},
    {SIFR_HEARTBEAT_IVL, FIELD(heartbeat_ivl), 0, INT_MAX},
    {SIFR_HEARTBEAT_TIMEOUT, FIELD(heartbeat_timeout), 0, INT_MAX},
    {SIFR_IMMEDIATE, FIELD(immediate), 0, 1},
    {SIFR_CONFLATE, FIELD(conflate), 0, 1},
    {SIFR_IPV6, FIELD(ipv6), 0, 1},
    {SIFR_BACKLOG, FIELD(backlog), 0, INT_MAX},
    {SIFR_USE_FD, FIELD(use_fd), -1, INT_MAX},
    {SIFR_IN_BATCH_SIZE, FIELD(in_batch), 1, INT_MAX},
    {SIFR_OUT_BATCH_SIZE, FIELD(out_batch), 1, INT_MAX},
    {SIFR_SNDBUF, FIELD(stream.sndbuf), -1, INT_MAX},
    {SIFR_RCVBUF, FIELD(stream.rcvbuf), -1, INT_MAX},
    {SIFR_TOS, FIELD(stream.tos), 0, INT_MAX},
    {SIFR_PRIORITY, FIELD(stream.priority), 0, INT_MAX},
    {SIFR_BUSY_POLL, FIELD(stream.busy_poll), INT_MIN, INT_MAX},
    {SIFR_TCP_KEEPALIVE, FIELD(stream.keepalive), -1, 1},
    {SIFR_TCP_KEEPALIVE_CNT, FIELD(stream.keepalive_cnt), -1, INT_MAX},
    {SIFR_TCP_KEEPALIVE_IDLE, FIELD(stream.keepalive_idle), -1, INT_MAX},
    {SIFR_TCP_KEEPALIVE_INTVL, FIELD(stream.keepalive_intvl), -1, INT_MAX},
    {SIFR_TCP_MAXRT, FIELD(stream.maxrt), 0, INT_MAX},
    {SIFR_MULTICAST_HOPS, FIELD(stream.multicast_hops), 1, INT_MAX},
    {SIFR_RATE, FIELD(rate), 1, INT_MAX},
    {SIFR_RECOVERY_IVL, FIELD(recovery_ivl), 0, INT_MAX},
    {SIFR_MULTICAST_MAXTPDU, FIELD(max_tpdu), 1, INT_MAX},
};

static const struct number *number_of(int option)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].option == option)
            return &numbers[i];
    return NULL;
}

static int *number_at(struct sf_options *o, const struct number *n)
{
    return (int *)(void *)((char *)o + n->at);
}

/* Live queues follow a new mark. */
static void spread_marks(struct sifr_socket *s)
{
    atomic_store(&s->hwm[0], s->opt.snd_hwm);
    atomic_store(&s->hwm[1], s->opt.rcv_hwm);
    SF_LIST_EACH(it, after, &s->base.peers) {
        struct sf_link *l = sf_link_of(SF_CONTAINER(it, struct sf_peer, node));

        sf_pipe_set_mark(l->out, 0, s->opt.snd_hwm);
        sf_pipe_set_mark(l->in, 1, s->opt.rcv_hwm);
        if (s->base.pattern->writable)
            s->base.pattern->writable(&s->base, &l->peer);
        if (l->conn) {
            sf_conn_poke(l->conn, SF_TODO_RESUME | SF_TODO_DRAIN);
        } else {
            struct sf_link *other = atomic_load(&l->other);

            if (other)
                sf_link_post(other, SF_EVENT_WRITABLE | SF_EVENT_READABLE);
        }
    }
}

/* --- Setting ----------------------------------------------------------- */

static int take_int(int *to, const void *value, size_t size)
{
    if (!value || size != sizeof *to)
        return -EINVAL;
    memcpy(to, value, sizeof *to);
    return 0;
}

/* Text or bytes of min to max octets; NULL with size 0 clears. */
static int set_bytes(struct sf_bytes *b, const void *value, size_t size, size_t min, size_t max)
{
    if (!value && size == 0) {
        bytes_fini(b);
        return 0;
    }
    if (!value || size < min || size > max)
        return -EINVAL;
    return bytes_set(b, value, size);
}

static int set_notice(struct sf_bytes *b, const void *value, size_t size)
{
    if (size == 0) {
        bytes_fini(b);
        return 0;
    }
    return value ? bytes_set(b, value, size) : -EINVAL;
}

static int add_filter(struct sf_options *o, const void *value, size_t size)
{
    struct sf_filter f;
    char *text;
    int err;

    if (!value && size == 0) {
        bytes_fini(&o->filters);
        return 0;
    }
    if (!value || size == 0 || size > 255)
        return -EINVAL;
    text = sf_alloc_text(value, size);
    if (!text)
        return -ENOMEM;
    err = sf_filter_parse(&f, text);
    sf_free(text);
    return err ? -EINVAL : bytes_add(&o->filters, &f, sizeof f);
}

/* One more id (uid, gid, pid: all of 4 octets). */
static int add_id(struct sf_bytes *list, const void *value, size_t size)
{
    if (!value && size == 0) {
        bytes_fini(list);
        return 0;
    }
    return value && size == 4 ? bytes_add(list, value, size) : -EINVAL;
}

/* Octets of all properties, encoded: READY has room for them beside what it says else (SF_SHAKE_MAX). */
enum { PROPERTIES_MAX = 3072 };

/* "X-name:value" becomes an encoded property; the first of a name stays. */
static int add_metadata(struct sf_options *o, const void *value, size_t size)
{
    const char *text = value, *colon = size ? memchr(text, ':', size) : NULL;
    uint8_t encoded[PROPERTIES_MAX];
    char name[256];
    size_t name_size, n;
    const uint8_t *at = o->metadata.data;
    size_t left = o->metadata.size;
    struct sf_property p;

    if (!value || !colon || colon == text || colon == text + size - 1 ||
        strncmp(text, "X-", 2) != 0 || colon - text > 255)
        return -EINVAL;
    name_size = (size_t)(colon - text);
    memcpy(name, text, name_size);
    name[name_size] = 0;
    while (at && sf_metadata_next(&at, &left, &p) == 1)
        if (p.name_size == name_size && memcmp(p.name, name, name_size) == 0)
            return 0;
    n = sf_metadata_put(encoded, sizeof encoded, name, colon + 1, size - name_size - 1);
    if (n == 0 || n > PROPERTIES_MAX - o->metadata.size)
        return -EINVAL;
    return bytes_add(&o->metadata, encoded, n);
}

static int set_heartbeat_ttl(struct sf_options *o, const void *value, size_t size)
{
    int ms, err = take_int(&ms, value, size);

    if (err)
        return err;
    if (ms <= -100 || ms > 6553599)
        return -EINVAL;
    o->heartbeat_ttl = ms < 0 ? 0 : ms / 100 * 100;
    return 0;
}

static int set_u64(void *to, const void *value, size_t size)
{
    if (!value || size != 8)
        return -EINVAL;
    memcpy(to, value, 8);
    return 0;
}

static int set_device(struct sf_options *o, const void *value, size_t size)
{
    if ((!value && size) || size >= sizeof o->stream.device || (value && size == 0))
        return -EINVAL;
    memset(o->stream.device, 0, sizeof o->stream.device);
    if (size)
        memcpy(o->stream.device, value, size);
    o->device_size = (uint8_t)size;
    return 0;
}

/* Of any int; 0 is off. */
static int set_switch(bool *on, const void *value, size_t size)
{
    int n, err = take_int(&n, value, size);

    if (err == 0)
        *on = n != 0;
    return err;
}

/* Takes the mechanism, in that role. */
static void choose(struct sf_options *o, int mechanism, bool as_server)
{
    o->mechanism = (uint8_t)mechanism;
    o->as_server = as_server;
}

static int set_role(struct sf_options *o, int mechanism, const void *value, size_t size)
{
    int on, err = take_int(&on, value, size);

    if (err || on < 0 || on > 1)
        return -EINVAL;
    choose(o, on ? mechanism : SIFR_NULL, on);
    return 0;
}

/* The secrets, which are made when there are some. */
static struct sf_secrets *secrets_of(struct sf_options *o)
{
    if (!o->secrets)
        o->secrets = sf_secret_new(sizeof *o->secrets);
    return o->secrets;
}

static int set_plain(struct sf_options *o, bool password, const void *value, size_t size)
{
    int err = 0;

    if (!value && size == 0) { /* what was set before is kept, for whom it may concern */
        choose(o, SIFR_NULL, o->as_server);
        return 0;
    }
    if (!value || size == 0 || size > 255)
        return -EINVAL;
    if (!password) {
        err = bytes_set(&o->plain_user, value, size);
    } else if (!secrets_of(o)) {
        err = -ENOMEM;
    } else {
        sf_wipe(o->secrets->password, sizeof o->secrets->password);
        memcpy(o->secrets->password, value, size);
        o->secrets->password_size = (uint8_t)size;
    }
    if (err == 0)
        choose(o, SIFR_PLAIN, false);
    return err;
}

/* One of CURVE's keys, by its option. */
static uint8_t *key_of(struct sf_secrets *s, int option)
{
    switch (option) {
    case SIFR_CURVE_PUBLICKEY: return s->public_key;
    case SIFR_CURVE_SECRETKEY: return s->secret_key;
    default: return s->server_key;
    }
}

/* 32 octets, or their text, with or without the 0 behind it. */
static int set_key(struct sf_options *o, int option, const void *value, size_t size)
{
    enum { TEXT = SF_KEY_SIZE / 4 * 5 };
    uint8_t key[SF_KEY_SIZE];
    char text[TEXT + 1];
    int err = 0;

    if (!sf_mechanism_find(SIFR_CURVE) || !value)
        return -EINVAL;
    if (size == sizeof key) {
        memcpy(key, value, sizeof key);
    } else if (size == TEXT || size == TEXT + 1) {
        memcpy(text, value, size);
        if (size > TEXT && text[TEXT])
            return -EINVAL;
        text[TEXT] = 0;
        if (strlen(text) != TEXT || !sifr_z85_decode(key, text))
            err = -EINVAL;
        sf_wipe(text, sizeof text);
    } else {
        return -EINVAL;
    }
    if (err == 0 && !secrets_of(o))
        err = -ENOMEM;
    if (err == 0) {
        memcpy(key_of(o->secrets, option), key, sizeof key);
        choose(o, SIFR_CURVE, option == SIFR_CURVE_SERVERKEY ? false : o->as_server);
    }
    sf_wipe(key, sizeof key);
    return err;
}

/* A number of at most `max` of GSSAPI's, which leaves the mechanism as it is. */
static int set_small(uint8_t *to, int max, const void *value, size_t size)
{
    int n, err = take_int(&n, value, size);

    if (err || n < 0 || n > max)
        return -EINVAL;
    *to = (uint8_t)n;
    return 0;
}

static int set_gssapi(struct sf_options *o, int option, const void *value, size_t size)
{
    bool service = option == SIFR_GSSAPI_SERVICE_PRINCIPAL;
    uint8_t on = 0;
    int err;

    if (!sf_mechanism_find(SIFR_GSSAPI) || !value)
        return -EINVAL;
    switch (option) {
    case SIFR_GSSAPI_PRINCIPAL_NAMETYPE:
        return set_small(&o->gss_principal_type, SIFR_GSSAPI_NT_KRB5_PRINCIPAL, value, size);
    case SIFR_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE:
        return set_small(&o->gss_service_type, SIFR_GSSAPI_NT_KRB5_PRINCIPAL, value, size);
    case SIFR_GSSAPI_PLAINTEXT:
        err = set_small(&on, 1, value, size);
        if (err == 0)
            o->gss_plaintext = on;
        return err;
    case SIFR_GSSAPI_SERVER:
        err = set_small(&on, 1, value, size);
        if (err == 0)
            choose(o, SIFR_GSSAPI, on);
        return err;
    default:
        err = set_bytes(service ? &o->gss_service : &o->gss_principal, value, size, 1, 255);
        if (err == 0)
            choose(o, SIFR_GSSAPI, !service && o->as_server);
        return err;
    }
}

static bool takes_connect_id(int type)
{
    return type == SIFR_ROUTER || type == SIFR_REP || type == SIFR_STREAM;
}

static int set_special(struct sifr_socket *s, int option, const void *value, size_t size)
{
    struct sf_options *o = &s->opt;
    int n, err;

    switch (option) {
    case SIFR_AFFINITY: return set_u64(&o->affinity, value, size);
    case SIFR_MAXMSGSIZE: return set_u64(&o->max_msg_size, value, size);
    case SIFR_ROUTING_ID:
        return value && size ? set_bytes(&o->id, value, size, 1, 255) : -EINVAL;
    case SIFR_CONNECT_ROUTING_ID:
        if (!takes_connect_id(s->base.pattern->type) || !value || size == 0)
            return -EINVAL;
        return set_bytes(&o->connect_id, value, size, 1, 255);
    case SIFR_IPV4ONLY:
        err = take_int(&n, value, size);
        if (err || n < 0 || n > 1)
            return -EINVAL;
        o->ipv6 = !n;
        return 0;
    case SIFR_INVERT_MATCHING: return set_switch(&o->invert, value, size); /* means nothing to this type */
    case SIFR_MULTICAST_LOOP: return set_switch(&o->stream.multicast_loop, value, size);
    case SIFR_LOOPBACK_FASTPATH: return set_switch(&o->loopback_fastpath, value, size);
    case SIFR_HEARTBEAT_TTL: return set_heartbeat_ttl(o, value, size);
    case SIFR_TCP_ACCEPT_FILTER: return add_filter(o, value, size);
    case SIFR_IPC_FILTER_UID: return add_id(&o->uids, value, size);
    case SIFR_IPC_FILTER_GID: return add_id(&o->gids, value, size);
    case SIFR_IPC_FILTER_PID: return add_id(&o->pids, value, size);
    case SIFR_BINDTODEVICE: return set_device(o, value, size);
    case SIFR_METADATA: return add_metadata(o, value, size);
    case SIFR_HELLO_MSG: return set_notice(&o->hello, value, size);
    case SIFR_DISCONNECT_MSG: return set_notice(&o->disconnect, value, size);
    case SIFR_HICCUP_MSG: return set_notice(&o->hiccup, value, size);
    case SIFR_SOCKS_PROXY: return set_bytes(&o->socks_proxy, value, size, 1, 1023);
    case SIFR_SOCKS_USERNAME: return set_bytes(&o->socks_user, value, size, 0, 255);
    case SIFR_SOCKS_PASSWORD: return set_bytes(&o->socks_password, value, size, 0, 255);
    case SIFR_PLAIN_SERVER: return set_role(o, SIFR_PLAIN, value, size);
    case SIFR_PLAIN_USERNAME: return set_plain(o, false, value, size);
    case SIFR_PLAIN_PASSWORD: return set_plain(o, true, value, size);
    case SIFR_CURVE_SERVER:
        return sf_mechanism_find(SIFR_CURVE) ? set_role(o, SIFR_CURVE, value, size) : -EINVAL;
    case SIFR_CURVE_PUBLICKEY:
    case SIFR_CURVE_SECRETKEY:
    case SIFR_CURVE_SERVERKEY: return set_key(o, option, value, size);
    case SIFR_GSSAPI_SERVER:
    case SIFR_GSSAPI_PRINCIPAL:
    case SIFR_GSSAPI_SERVICE_PRINCIPAL:
    case SIFR_GSSAPI_PLAINTEXT:
    case SIFR_GSSAPI_PRINCIPAL_NAMETYPE:
    case SIFR_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE: return set_gssapi(o, option, value, size);
    case SIFR_ZAP_DOMAIN: return value ? set_bytes(&o->zap_domain, value, size, 1, 255) : -EINVAL;
    case SIFR_ZAP_ENFORCE_DOMAIN: return set_switch(&o->zap_enforce, value, size);
    default: return -EINVAL;
    }
}

static int set_option(struct sifr_socket *s, int option, const void *value, size_t size)
{
    const struct sf_pattern *p = s->base.pattern;
    const struct number *n = number_of(option);
    int v, err;

    if (p->set) {
        err = p->set(&s->base, option, value, size);
        if (err != -EINVAL)
            return err;
    }
    if (!n)
        return set_special(s, option, value, size);
    err = take_int(&v, value, size);
    if (err)
        return err;
    if (v < n->min || v > n->max)
        return -EINVAL;
    *number_at(&s->opt, n) = v;
    if (option == SIFR_SNDHWM || option == SIFR_RCVHWM)
        spread_marks(s);
    if (option == SIFR_CONFLATE)
        s->base.conflate = v && (p->flags & SF_PATTERN_CONFLATES);
    return 0;
}

int sifr_setsockopt(sifr_socket_t *sock, int option, const void *value, size_t size)
{
    int err = sf_socket_enter(sock);

    if (err == 0) {
        sf_socket_forget_profile(sock);
        err = !value && size ? -EINVAL : set_option(sock, option, value, size);
        sf_socket_leave(sock);
    }
    if (err) {
        errno = -err;
        return -1;
    }
    return 0;
}

/* --- Getting ----------------------------------------------------------- */

static int give(const void *from, size_t n, void *value, size_t *size)
{
    if (!value || *size < n)
        return -EINVAL;
    if (n)
        memcpy(value, from, n);
    memset((char *)value + n, 0, *size - n);
    *size = n;
    return 0;
}

static int give_int(int n, void *value, size_t *size)
{
    return *size == sizeof n ? give(&n, sizeof n, value, size) : -EINVAL;
}

static int give_text(const char *text, void *value, size_t *size)
{
    return give(text ? text : "", text ? strlen(text) + 1 : 1, value, size);
}

/* Text that was set, with whatever it had in it, and a 0 behind. */
static int give_bytes(const struct sf_bytes *b, void *value, size_t *size)
{
    return b->data ? give(b->data, b->size + 1, value, size) : give_text("", value, size);
}

/* A key of CURVE, as octets or as text. */
static int give_key(const struct sf_options *o, int option, void *value, size_t *size)
{
    static const uint8_t none[SF_KEY_SIZE];
    const uint8_t *key = o->secrets ? key_of(o->secrets, option) : none;
    char text[SF_KEY_SIZE / 4 * 5 + 1];

    if (!sf_mechanism_find(SIFR_CURVE))
        return -EINVAL;
    if (*size == SF_KEY_SIZE)
        return give(key, SF_KEY_SIZE, value, size);
    if (*size != sizeof text || !value)
        return -EINVAL;
    sifr_z85_encode(value, key, SF_KEY_SIZE);
    return 0;
}

static int give_role(const struct sf_options *o, int mechanism, void *value, size_t *size)
{
    return sf_mechanism_find(mechanism) ?
               give_int(o->as_server && o->mechanism == mechanism, value, size) : -EINVAL;
}

static int give_gssapi(const struct sf_options *o, int option, void *value, size_t *size)
{
    if (!sf_mechanism_find(SIFR_GSSAPI))
        return -EINVAL;
    switch (option) {
    case SIFR_GSSAPI_PRINCIPAL: return give_bytes(&o->gss_principal, value, size);
    case SIFR_GSSAPI_SERVICE_PRINCIPAL: return give_bytes(&o->gss_service, value, size);
    case SIFR_GSSAPI_PLAINTEXT: return give_int(o->gss_plaintext, value, size);
    case SIFR_GSSAPI_PRINCIPAL_NAMETYPE: return give_int(o->gss_principal_type, value, size);
    default: return give_int(o->gss_service_type, value, size);
    }
}

/* SIFR_FD, made on first request. */
static int give_fd(struct sifr_socket *s, void *value, size_t *size)
{
    int fd = atomic_load(&s->fd);

    if (!value || *size < sizeof fd || (s->base.pattern->flags & SF_PATTERN_SINGLE))
        return -EINVAL;
    if (fd < 0) {
        fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK); /* readable: what came before may be news */
        if (fd < 0)
            return -EMFILE;
        atomic_store(&s->fd_rung, 1);
        atomic_store(&s->fd, fd);
        sf_lease_return_all(s); /* what arrives from now on must show there */
    }
    return give(&fd, sizeof fd, value, size);
}

/* SIFR_EVENTS: first what made the descriptor readable is taken in. */
static int give_events(struct sifr_socket *s, void *value, size_t *size)
{
    int events;

    if (!value || *size < sizeof events)
        return -EINVAL;
    sf_socket_hush(s);
    if (sf_direct_glance(s))
        sf_socket_take_in(s);
    events = sf_socket_events(s);
    return give(&events, sizeof events, value, size);
}

static int get_special(struct sifr_socket *s, int option, void *value, size_t *size)
{
    struct sf_options *o = &s->opt;
    int more = s->rcvmore, shared = (s->base.pattern->flags & SF_PATTERN_SINGLE) != 0;

    switch (option) {
    case SIFR_AFFINITY: return *size == 8 ? give(&o->affinity, 8, value, size) : -EINVAL;
    case SIFR_MAXMSGSIZE: return *size == 8 ? give(&o->max_msg_size, 8, value, size) : -EINVAL;
    case SIFR_RCVMORE: return give(&more, sizeof more, value, size);
    case SIFR_THREAD_SAFE: return give(&shared, sizeof shared, value, size);
    case SIFR_FD: return give_fd(s, value, size);
    case SIFR_EVENTS: return give_events(s, value, size);
    case SIFR_TYPE: return give_int(s->base.pattern->type, value, size);
    case SIFR_MECHANISM: return give_int(o->mechanism, value, size);
    case SIFR_PLAIN_SERVER: return give_role(o, SIFR_PLAIN, value, size);
    case SIFR_PLAIN_USERNAME: return give_bytes(&o->plain_user, value, size);
    case SIFR_PLAIN_PASSWORD:
        return o->secrets ? give(o->secrets->password, o->secrets->password_size + 1u, value, size)
                          : give_text("", value, size);
    case SIFR_CURVE_SERVER: return give_role(o, SIFR_CURVE, value, size);
    case SIFR_CURVE_PUBLICKEY:
    case SIFR_CURVE_SECRETKEY:
    case SIFR_CURVE_SERVERKEY: return give_key(o, option, value, size);
    case SIFR_GSSAPI_SERVER: return give_role(o, SIFR_GSSAPI, value, size);
    case SIFR_GSSAPI_PRINCIPAL:
    case SIFR_GSSAPI_SERVICE_PRINCIPAL:
    case SIFR_GSSAPI_PLAINTEXT:
    case SIFR_GSSAPI_PRINCIPAL_NAMETYPE:
    case SIFR_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE: return give_gssapi(o, option, value, size);
    case SIFR_ZAP_DOMAIN: return give_bytes(&o->zap_domain, value, size);
    case SIFR_ZAP_ENFORCE_DOMAIN: return give_int(o->zap_enforce, value, size);
    case SIFR_BACKLOG: return give_int(o->backlog < 0 ? 100 : o->backlog, value, size);
    case SIFR_IN_BATCH_SIZE: return give_int(o->in_batch < 0 ? 8192 : o->in_batch, value, size);
    case SIFR_OUT_BATCH_SIZE: return give_int(o->out_batch < 0 ? 8192 : o->out_batch, value, size);
    case SIFR_IPV4ONLY: return give_int(!o->ipv6, value, size);
    case SIFR_INVERT_MATCHING: return give_int(o->invert, value, size);
    case SIFR_HEARTBEAT_TTL: return give_int(o->heartbeat_ttl, value, size);
    case SIFR_MULTICAST_LOOP: return give_int(o->stream.multicast_loop, value, size);
    case SIFR_LOOPBACK_FASTPATH: return give_int(o->loopback_fastpath, value, size);
    case SIFR_ROUTING_ID: return give(o->id.data, o->id.size, value, size);
    case SIFR_LAST_ENDPOINT: return give_text(s->last_endpoint, value, size);
    case SIFR_BINDTODEVICE: return give(o->stream.device, o->device_size + 1u, value, size);
    case SIFR_SOCKS_PROXY: return give_bytes(&o->socks_proxy, value, size);
    case SIFR_SOCKS_USERNAME: return give_bytes(&o->socks_user, value, size);
    case SIFR_SOCKS_PASSWORD: return give_bytes(&o->socks_password, value, size);
    default: return -EINVAL;
    }
}

/* Numbers that are not given as they are kept. */
static bool reads_otherwise(int option)
{
    return option == SIFR_BACKLOG || option == SIFR_IN_BATCH_SIZE || option == SIFR_OUT_BATCH_SIZE;
}

static int get_option(struct sifr_socket *s, int option, void *value, size_t *size)
{
    const struct number *n = number_of(option);

    if (s->base.pattern->get) {
        int err = s->base.pattern->get(&s->base, option, value, size);

        if (err != -EINVAL)
            return err;
    }
    if (n && !reads_otherwise(option))
        return give_int(*number_at(&s->opt, n), value, size);
    return get_special(s, option, value, size);
}

int sifr_getsockopt(sifr_socket_t *sock, int option, void *value, size_t *size)
{
    int err = sf_socket_enter(sock);

    if (err == 0) {
        err = value && size ? get_option(sock, option, value, size) : -EINVAL;
        sf_socket_leave(sock);
    }
    if (err) {
        errno = -err;
        return -1;
    }
    return 0;
}
