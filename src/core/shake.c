/* Greeting and handshake: from the open stream to the first message. */
#include "core/conn.h"
#include "base/alloc.h"
#include "base/secret.h"
#include "base/slab.h"
#include "core/counters.h"
#include "core/listener.h"
#include "core/socket.h"
#include "wire/metadata.h"

#include <errno.h>
#include <string.h>

enum { TOLD_MS = 1000 }; /* for a peer to read why it is refused */

/* What a mechanism does off the loop. It has all that it needs: the connection may be gone when it ends. */
struct sf_work {
    struct sf_job job;
    struct sf_shake *shake; /* borrows; only when done */
    struct sf_profile *profile; /* shares */
    const struct sf_mechanism *mechanism;
    void *keys; /* owns */
};

static void answered(struct sf_zap *z, const struct sf_zap_answer *a);

static struct sf_shake *shake_new(struct sf_conn *c)
{
    struct sf_shake *k = sf_slab_new(sf_loop_slabs(c->loop), sizeof *k);
    const struct sf_mechanism *m = sf_mechanism_find(c->profile->opt.mechanism);

    if (!k)
        return NULL;
    k->conn = c;
    k->zap.answered = answered;
    k->in = k->in_first;
    k->in_room = sizeof k->in_first;
    k->in_most = m && m->most ? m->most : SF_SHAKE_MAX;
    k->out = k->out_first;
    return k;
}

/* What is read and written may have a password in it. */
static void free_bytes(uint8_t *bytes, size_t n, uint8_t *first)
{
    sf_wipe(bytes, n);
    if (bytes != first)
        sf_free(bytes);
}

void sf_shake_free(struct sf_shake *k, struct sf_loop *l)
{
    sf_zap_cancel(&k->zap);
    if (k->work)
        sf_job_end(&k->work->job);
    sf_security_fini(&k->security);
    sf_peer_info_fini(&k->info);
    sf_free(k->granted);
    free_bytes(k->in, k->in_room, k->in_first);
    free_bytes(k->out, k->n_out, k->out_first);
    if (k->large)
        atomic_fetch_sub(&k->conn->socket->ctx->large_shakes, k->large);
    sf_slab_free(sf_loop_slabs(l), k);
}

/* So much room for input, at least n_in octets. 0 or -ENOMEM. */
static int set_in_room(struct sf_shake *k, size_t room)
{
    uint8_t *to = room <= sizeof k->in_first ? k->in_first : sf_alloc_raw(room);

    if (!to)
        return -ENOMEM;
    memcpy(to, k->in, k->n_in);
    free_bytes(k->in, k->in_room, k->in_first);
    k->in = to;
    k->in_room = to == k->in_first ? sizeof k->in_first : room;
    return 0;
}

/* Takes what a room beyond that of most handshakes needs from what there is for all. 0 or -ENOMEM. */
static int reserve(struct sf_shake *k, size_t room)
{
    _Atomic size_t *all = &k->conn->socket->ctx->large_shakes;
    size_t more = room > SF_SHAKE_MAX + k->large ? room - SF_SHAKE_MAX - k->large : 0;

    if (more && atomic_fetch_add(all, more) > SF_SHAKE_LARGE - more) {
        atomic_fetch_sub(all, more);
        return -ENOMEM;
    }
    k->large += more;
    return 0;
}

/* More room for input. 0, -ENOMEM, or -EPROTO: there is none. */
static int grow_in(struct sf_shake *k)
{
    size_t room = k->in_room < k->in_most / 4 ? 4 * k->in_room : k->in_most;

    if (k->in_room >= k->in_most)
        return -EPROTO;
    return reserve(k, room) ? -ENOMEM : set_in_room(k, room);
}

/*
 * The first n octets have been taken in. A peer that is waited for, and may not
 * come in, has what it announced and what it sent beyond that, but not the room
 * for both a second time.
 */
static void take_in(struct sf_shake *k, size_t n)
{
    k->n_in -= n;
    memmove(k->in, k->in + n, k->n_in);
    if (k->in != k->in_first)
        set_in_room(k, k->n_in); /* without memory for less it stays as it is */
}

/* What is to be sent next: n octets, and all before has gone. 0 or -ENOMEM. */
static int set_out(struct sf_shake *k, const uint8_t *bytes, size_t n)
{
    uint8_t *to = k->out_first;

    if (n > sizeof k->out_first) {
        to = sf_alloc_raw(n);
        if (!to)
            return -ENOMEM;
    }
    free_bytes(k->out, k->n_out, k->out_first);
    memcpy(to, bytes, n);
    k->out = to;
    k->n_out = n;
    k->out_at = 0;
    return 0;
}

static struct sf_hello hello_of(struct sf_conn *c)
{
    const struct sf_pattern *p = c->socket->base.pattern;
    const struct sf_options *o = &c->profile->opt;

    return (struct sf_hello){
        .type_name = p->name,
        .with_identity = p->flags & SF_PATTERN_IDENTITY,
        .id = o->id.data,
        .id_size = o->id.size,
        .extra = o->metadata.data,
        .extra_size = o->metadata.size,
        .talks_to = p->talks_to,
    };
}

static int become_ready(struct sf_conn *c);

/* The stream is open, and its peer speaks no ZMTP: it is ready. */
static void begin_raw(struct sf_conn *c)
{
    int err;

    sf_loop_cancel(c->loop, &c->timer);
    c->shake = shake_new(c);
    c->version = SF_ZMTP_31; /* bare streams take frames as they stand in pipes */
    err = c->shake ? become_ready(c) : -ENOMEM;
    if (err)
        sf_conn_lost(c);
}

/* The stream is open: both sides begin with their greetings. */
static void begin_greeting(struct sf_conn *c)
{
    const struct sf_pattern *p = c->socket->base.pattern;
    const struct sf_options *o = &c->profile->opt;
    const struct sf_mechanism *m = sf_mechanism_find(o->mechanism);
    struct sf_greeting_config cfg = {
        .id = o->id.data,
        .id_size = p->flags & SF_PATTERN_IDENTITY ? o->id.size : 0,
        .type = p->type,
        .talks_to = p->talks_to,
        .mechanism = m->name,
        .as_server = m->secure && o->as_server,
        .secured = m->secure || o->zap_domain.size,
    };

    sf_loop_cancel(c->loop, &c->timer);
    c->shake = shake_new(c);
    if (!c->shake) {
        sf_conn_lost(c);
        return;
    }
    sf_greeting_init(&c->shake->greeting, &cfg);
    c->state = SF_CONN_GREETING;
    if (o->handshake_ivl > 0)
        sf_loop_timer(c->loop, &c->timer, (uint64_t)o->handshake_ivl);
    sf_conn_ref(c); /* all may have arrived already, and its end as well */
    sf_shake_step(c);
    sf_conn_unref(c);
}

void sf_shake_begin(struct sf_conn *c)
{
    if (c->profile->opt.framing != SF_FRAMING_ZMTP)
        begin_raw(c);
    else
        begin_greeting(c);
}


/* Sends what the handshake has to send: 0 all is out, 1 not yet, -errno. */
static int flush_shake(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;

    for (;;) {
        const uint8_t *bytes;
        size_t n = sf_greeting_output(&k->greeting, &bytes);
        bool greeting = n > 0;
        struct iovec v;
        ssize_t sent;

        if (!greeting) {
            bytes = k->out + k->out_at;
            n = k->n_out - k->out_at;
        }
        if (n == 0)
            return 0;
        v = (struct iovec){(void *)(uintptr_t)bytes, n};
        sent = sf_send_write(c, &v);
        if (sent == -EAGAIN)
            return 1;
        if (sent < 0)
            return (int)sent;
        if (greeting)
            sf_greeting_sent(&k->greeting, (size_t)sent);
        else
            k->out_at += (size_t)sent;
    }
}

/* The peer broke the rules: what we still had to say is flushed, then it is over. */
static void refuse(struct sf_conn *c, uint32_t error, int status)
{
    if (error)
        sf_conn_event(c, SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL, error);
    else if (status)
        sf_conn_event(c, SIFR_EVENT_HANDSHAKE_FAILED_AUTH, (uint64_t)status);
    c->shake->failed = true;
}

static int read_greeting(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;
    ssize_t n = sf_greeting_feed(&k->greeting, k->in, k->n_in);

    if (n < 0) {
        refuse(c, k->greeting.error, 0);
        return -EPROTO;
    }
    k->n_in -= (size_t)n;
    if (k->n_in)
        memmove(k->in, k->in + n, k->n_in);
    if (!sf_greeting_done(&k->greeting))
        return -EAGAIN;
    c->version = k->greeting.version;
    if (c->version == SF_ZMTP_10 || c->version == SF_ZMTP_20) {
        k->done = true;
        return 0;
    }
    c->state = SF_CONN_HANDSHAKE;
    return sf_security_init(&k->security, sf_mechanism_find(c->profile->opt.mechanism),
                            &c->profile->own);
}

/* Makes our next command. */
static int say(struct sf_conn *c)
{
    struct sf_hello hello = hello_of(c);
    size_t room;
    uint8_t *scratch = sf_loop_scratch(c->loop, &room);
    int n = sf_handshake_say(&c->shake->security, &hello, scratch, room), err;

    if (n == -EPROTO)
        refuse(c, c->shake->security.error, 0);
    if (n < 0)
        return n;
    err = (size_t)n > c->shake->in_most ? -ENOSPC : set_out(c->shake, scratch, (size_t)n);
    sf_wipe(scratch, (size_t)n);
    return err;
}

/* --- Whether the peer may come in --- */

/* The peer is not to come in, as `event` says: in silence, and who dialed tries again. */
static void turn_away(struct sf_conn *c, unsigned event, uint64_t value)
{
    sf_conn_event(c, event, value);
    sf_conn_lost(c);
}

/* The same, but the peer is told the status, and nobody tries again. */
static void deny(struct sf_conn *c, int status)
{
    char reason[4] = {(char)('0' + status / 100), '0', '0'};
    uint8_t bytes[SF_ERROR_SIZE_MAX];

    refuse(c, 0, status);
    if (set_out(c->shake, bytes, sf_error_put(bytes, reason, 3)) == 0)
        c->shake->told = true;
    sf_shake_step(c);
}

static size_t put_property(char *to, size_t at, const char *name, size_t name_size,
                           const void *value, size_t size);

static size_t put_granted(char *to, const struct sf_zap_answer *a)
{
    const uint8_t *at = a->metadata.data;
    size_t left = a->metadata.size, n = 0;
    struct sf_property p;

    if (a->user.size)
        n = put_property(to, n, "User-Id", 7, a->user.data, a->user.size);
    while (at && sf_metadata_next(&at, &left, &p) == 1)
        n = put_property(to, n, p.name, p.name_size, p.value, p.size);
    return n;
}

static int keep_granted(struct sf_shake *k, const struct sf_zap_answer *a)
{
    size_t n = put_granted(NULL, a);

    if (n == 0)
        return 0;
    k->granted = sf_alloc(n);
    if (!k->granted)
        return -ENOMEM;
    k->n_granted = put_granted(k->granted, a);
    return 0;
}

static void answered(struct sf_zap *z, const struct sf_zap_answer *a)
{
    struct sf_shake *k = SF_CONTAINER(z, struct sf_shake, zap);
    struct sf_conn *c = k->conn;
    int err = a->err;

    sf_conn_ref(c); /* it may end in here */
    if (err == 0 && a->status == 200)
        err = keep_granted(k, a);
    if (err == -EPROTO) {
        turn_away(c, SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL, a->error);
    } else if (err) {
        turn_away(c, SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL, (uint64_t)-err);
    } else if (a->status != 200 && (a->status == 300 || k->security.mechanism->mute)) {
        turn_away(c, SIFR_EVENT_HANDSHAKE_FAILED_AUTH, (uint64_t)a->status);
    } else if (a->status != 200) {
        deny(c, a->status);
    } else {
        k->security.turn = SF_SECURITY_SAY;
        sf_shake_step(c);
    }
    sf_conn_unref(c);
}

/* Asks, if that is to be: 0 (the turn says whether an answer is awaited), or -errno. */
static int ask(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;
    struct sf_security *s = &k->security;
    const struct sf_options *o = &c->profile->opt;
    bool domain = o->zap_domain.size, enforce = o->zap_enforce;
    char address[SF_STREAM_NAME_MAX] = "";
    struct sf_zap_request r = {
        .domain = {o->zap_domain.data, o->zap_domain.size},
        .id = {o->id.data, o->id.size},
        .mechanism = s->mechanism->name,
        .n_credentials = s->n_shows,
    };
    int err;

    s->turn = SF_SECURITY_SAY;
    if (!sf_zap_wanted(s->mechanism->name, domain, enforce))
        return 0;
    if (c->stream->ops->peer_address)
        c->stream->ops->peer_address(c->stream, address, sizeof address);
    r.address = (struct sf_zap_bytes){address, strlen(address)};
    for (unsigned i = 0; i < s->n_shows; i++)
        r.credentials[i] = (struct sf_zap_bytes){s->shows[i].data, s->shows[i].size};
    err = sf_zap_ask(&k->zap, c->socket->ctx, c->loop, &r);
    if (err == 0)
        s->turn = SF_SECURITY_ASK;
    return err == -ENOENT ? sf_zap_unhandled(s->mechanism->name, domain, enforce) : err;
}

/* --- The peer's commands --- */

static int hear(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;
    struct sf_hello hello = hello_of(c);
    struct sf_refusal why = {0};
    struct sf_frame f;
    int header, err;

    header = sf_frame_get(&f, k->in, k->n_in);
    if (header == -EAGAIN)
        return -EAGAIN;
    if (header < 0 || f.size > k->in_most - SF_FRAME_HEADER_MAX) {
        refuse(c, SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED, 0);
        return -EPROTO;
    }
    if (k->n_in < (size_t)header + f.size)
        return -EAGAIN;
    err = sf_handshake_hear(&k->security, &hello, &k->info, k->in + header, f.size, &why);
    if (err == -EPROTO)
        refuse(c, why.error, why.status);
    if (err == 0 && k->security.turn == SF_SECURITY_ASK)
        err = ask(c); /* while what the peer shows is there */
    if (err)
        return err;
    take_in(k, (size_t)header + f.size);
    return 0;
}

/* Appends name NUL value NUL; without room only counts. A 0 within the value ends it. */
static size_t put_property(char *to, size_t at, const char *name, size_t name_size,
                           const void *value, size_t size)
{
    const char *zero = size ? memchr(value, 0, size) : NULL;

    if (zero)
        size = (size_t)(zero - (const char *)value);
    if (to) {
        memcpy(to + at, name, name_size);
        if (size)
            memcpy(to + at + name_size + 1, value, size);
    }
    return at + name_size + 1 + size + 1;
}

static size_t put_properties(char *to, const struct sf_shake *k, const char *address)
{
    const uint8_t *at = k->info.properties;
    size_t left = k->info.properties_size, n = 0;
    struct sf_property p;

    if (*address)
        n = put_property(to, n, "Peer-Address", 12, address, strlen(address));
    if (to && k->granted) /* before the peer's own: the first of a name counts */
        memcpy(to + n, k->granted, k->n_granted);
    n += k->n_granted;
    while (at && sf_metadata_next(&at, &left, &p) == 1) {
        static const char *const ours[] = {"Peer-Address", "User-Id", "__fd"};
        bool taken = false;

        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            taken |= strlen(ours[i]) == p.name_size && memcmp(ours[i], p.name, p.name_size) == 0;
        if (!taken)
            n = put_property(to, n, p.name, p.name_size, p.value, p.size);
    }
    return n;
}

/* What messages of this connection tell of it. */
static int make_meta(struct sf_conn *c)
{
    char address[SF_STREAM_NAME_MAX] = "";

    if (c->stream->ops->peer_address)
        c->stream->ops->peer_address(c->stream, address, sizeof address);
    c->meta = sf_meta_new(put_properties(NULL, c->shake, address));
    if (!c->meta)
        return -ENOMEM;
    put_properties(c->meta->text, c->shake, address);
    c->meta->fd = c->stream->fd;
    return 0;
}

/* The queue of what was accepted, or dialed with IMMEDIATE. */
static int make_link(struct sf_conn *c)
{
    struct sf_link *l;
    int err = sf_link_new(&l, c->socket);

    if (err)
        return err;
    err = sf_link_connect(l, c);
    if (err) {
        sf_link_unref(l);
        return err;
    }
    c->link = l;
    return 0;
}

static int keep_identity(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;
    struct sf_peer *p = &c->link->peer;
    const uint8_t *id = k->info.id;
    size_t size = k->info.id_size;

    if (c->version == SF_ZMTP_10 || c->version == SF_ZMTP_20) {
        id = k->greeting.id;
        size = k->greeting.id_size;
    }
    p->subscribes_all = k->greeting.unversioned;
    if (size == 0 || id[0] == 0)
        return 0;
    p->id = (uint8_t *)sf_alloc_text(id, size);
    if (!p->id)
        return -ENOMEM;
    p->id_size = (uint16_t)size;
    return 0;
}

static bool says_hello(const struct sf_conn *c)
{
    return (c->socket->base.pattern->flags & SF_PATTERN_HELLO) && c->profile->opt.hello.data;
}

/* HELLO_MSG goes before all else. */
static int say_hello(struct sf_conn *c)
{
    const struct sf_bytes *b = &c->profile->opt.hello;
    uint8_t header[SF_FRAME1_HEADER_MAX];
    size_t n;
    int err;

    if (!says_hello(c))
        return 0;
    n = c->version == SF_ZMTP_10 ? sf_frame1_put(header, 0, b->size)
                                 : sf_frame_put(header, 0, b->size);
    err = sf_send_lane(c, header, n);
    return err ? err : sf_send_lane(c, b->data, b->size);
}

/* The handshake is over and flushed: traffic begins. */
static int become_ready(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;
    bool fresh = !c->link;
    int err;

    sf_loop_cancel(c->loop, &c->timer);
    err = make_meta(c);
    if (err == 0 && fresh)
        err = make_link(c);
    /* A queue that is dialed keeps the identity it first learnt: the socket has seen it. */
    if (err == 0 && c->profile->opt.framing == SF_FRAMING_ZMTP &&
        (fresh || atomic_load(&c->link->joins) == 0))
        err = keep_identity(c);
    if (err == 0)
        err = say_hello(c);
    if (err == 0)
        err = sf_seal_new(c, &k->security);
    if (err == 0 && c->version >= SF_ZMTP_31)
        err = sf_heart_start(c);
    if (err)
        return err;
    sf_conn_forget_lookup(c); /* when this connection is lost it is looked up anew */
    c->state = SF_CONN_READY;
    c->shake = NULL;
    c->attempt = 0;
    if (c->was_ready)
        sf_counters_reconnected(c->socket);
    c->was_ready = true;
    if (c->link->in != sf_pipe_none()) {
        sf_meta_unref(c->link->in->meta);
        c->link->in->meta = sf_meta_ref(c->meta);
    }
    atomic_fetch_add(&c->link->joins, 1);
    atomic_store(&c->link->up, 1);
    if (c->profile->opt.framing == SF_FRAMING_ZMTP)
        sf_conn_event(c, SIFR_EVENT_HANDSHAKE_SUCCEEDED, 0);
    sf_conn_tell(c, fresh ? SF_EVENT_ATTACH : SF_EVENT_CHANGED);
    err = sf_recv_start(c, k->in, k->n_in);
    sf_shake_free(k, c->loop);
    if (c->state != SF_CONN_READY)
        return 0;
    if (err)
        return err;
    sf_send_flush(c);
    if (c->state == SF_CONN_READY)
        sf_recv_fill(c);
    sf_conn_end_if_sent(c);
    return 0;
}

unsigned sf_shake_wants(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;
    const uint8_t *bytes;
    unsigned want = SF_READ;

    if (sf_zap_asking(&k->zap) || k->work) /* no more is taken in of whom we may not let in */
        want = 0;
    if (sf_greeting_output(&k->greeting, &bytes) || k->out_at < k->n_out)
        want |= SF_WRITE;
    return want;
}

/* Reads at most what the buffer holds: 1 got some, 0 end of the stream, -errno. */
static int read_shake(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;
    struct iovec v;
    ssize_t n;

    if (k->n_in == k->in_room) {
        int err = grow_in(k);

        if (err)
            return err;
    }
    v = (struct iovec){k->in + k->n_in, k->in_room - k->n_in};
    n = sf_recv_read(c, &v, 1);
    if (n <= 0)
        return (int)n;
    k->n_in += (size_t)n;
    return 1;
}

static void shake_failed(struct sf_conn *c, int err)
{
    sf_conn_event(c, SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL, (uint64_t)-err);
    sf_conn_lost(c);
}

/*
 * The peer has been told why it may not come in. It reads that if it is not met
 * by a reset first, as a close with unread input causes: so it has a moment to
 * go by itself.
 */
static void see_off(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;
    struct iovec v;
    ssize_t n;

    if (!k->shut) {
        k->shut = true;
        if (c->stream->ops->shut(c->stream) != 0) {
            sf_conn_stop(c);
            return;
        }
        sf_loop_cancel(c->loop, &c->timer);
        sf_loop_timer(c->loop, &c->timer, TOLD_MS);
    }
    v.iov_base = sf_loop_scratch(c->loop, &v.iov_len);
    n = sf_recv_read(c, &v, 1);
    if (n > 0 || n == -EAGAIN)
        sf_conn_rewatch(c);
    else
        sf_conn_stop(c);
}

void sf_shake_timed_out(struct sf_conn *c)
{
    if (c->shake->failed) {
        sf_conn_stop(c);
        return;
    }
    sf_conn_event(c, SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ETIMEDOUT);
    sf_conn_lost(c);
}

/* --- What blocks --- */

/* ═══ above: the loop; below: a thread of the crew ═══ */

static void work(struct sf_job *j)
{
    struct sf_work *w = SF_CONTAINER(j, struct sf_work, job);

    w->mechanism->work(w->keys, &w->profile->own);
}

static void free_work(struct sf_job *j)
{
    struct sf_work *w = SF_CONTAINER(j, struct sf_work, job);

    sf_security_drop(w->mechanism, w->keys);
    sf_profile_unref(w->profile);
    sf_free(w);
}

/* ═══ above: a thread of the crew, or the loop; below: the loop ═══ */

static void worked(struct sf_job *j)
{
    struct sf_work *w = SF_CONTAINER(j, struct sf_work, job);
    struct sf_shake *k = w->shake;
    struct sf_security *s = &k->security;
    struct sf_conn *c = k->conn;
    int err;

    s->keys = w->keys;
    w->keys = NULL;
    k->work = NULL;
    err = j->error ? -ENOMEM : s->mechanism->worked(s);
    sf_job_end(j);
    sf_conn_ref(c); /* it may end in here */
    if (err == -EPROTO)
        refuse(c, s->error, s->status);
    if (err && err != -EPROTO)
        shake_failed(c, err);
    else
        sf_shake_step(c);
    sf_conn_unref(c);
}

static int start_work(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;
    struct sf_work *w = sf_alloc(sizeof *w);

    if (!w)
        return -ENOMEM;
    w->job = (struct sf_job){.work = work, .done = worked, .destroy = free_work};
    w->shake = k;
    w->profile = sf_profile_ref(c->profile);
    w->mechanism = k->security.mechanism;
    w->keys = sf_security_take(&k->security);
    if (sf_job_start(&w->job, w->profile->own.server ? SF_CREW_SERVERS : SF_CREW_CLIENTS,
                     c->loop) != 0) {
        free_work(&w->job);
        return -ENOMEM;
    }
    k->work = w;
    return 0;
}

/* One step of greeting or handshake: 0 go on, -EAGAIN input is needed, -EBUSY wait, -errno. */
static int step(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;

    if (c->state == SF_CONN_GREETING)
        return read_greeting(c);
    switch ((enum sf_security_turn)k->security.turn) {
    case SF_SECURITY_SAY: return k->out_at < k->n_out ? -EBUSY : say(c);
    case SF_SECURITY_HEAR: return hear(c);
    case SF_SECURITY_WORK: return k->work ? -EBUSY : start_work(c);
    case SF_SECURITY_ASK: return sf_zap_asking(&k->zap) ? -EBUSY : ask(c);
    case SF_SECURITY_DONE: k->done = true; break;
    }
    return 0;
}

/* Goes on with greeting and handshake as far as it can. */
void sf_shake_step(struct sf_conn *c)
{
    struct sf_shake *k = c->shake;

    for (;;) {
        int err = flush_shake(c);

        if (err < 0) {
            if (k->failed)
                sf_conn_stop(c);
            else
                shake_failed(c, err);
            return;
        }
        if (err == 0 && k->failed) {
            if (k->told)
                see_off(c);
            else
                sf_conn_stop(c);
            return;
        }
        if (err == 0 && k->done) {
            err = become_ready(c);
            if (err)
                sf_conn_lost(c);
            return;
        }
        if (k->failed || k->done) {
            sf_conn_rewatch(c);
            return;
        }
        err = step(c);
        if (err == 0 || (err == -EPROTO && k->failed))
            continue;
        if (err == -EAGAIN) {
            err = read_shake(c);
            if (err == 1)
                continue;
            if (err == 0)
                err = -EPIPE;
        }
        if (err == -EAGAIN || err == -EBUSY) {
            sf_conn_rewatch(c);
            return;
        }
        shake_failed(c, err);
        return;
    }
}
