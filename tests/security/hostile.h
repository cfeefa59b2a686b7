/*
 * Peers made by hand that speak a mechanism rightly up to some step, and then do not. What is said here is written from
 * the standards and libsodium alone: it shares no code with what it attacks.
 */
#ifndef SIFR_TESTS_HOSTILE_H
#define SIFR_TESTS_HOSTILE_H

#include "folder.h"
#include "secure.h"

#include <netinet/tcp.h>
#include <sodium.h>
#include <stddef.h>
#include <sys/un.h>

#define PROTOCOL(name) SIFR_PROTOCOL_ERROR_##name
#define BYTES(text) "" text, sizeof text - 1

enum { KEY = 32, FRAME_ROOM = 8192 };

/* ---- Keys, and who may come in ----------------------------------------------------------------------------------- */

static struct {
    uint8_t public[KEY], secret[KEY];
} server_key, friend_key;

static sifr_auth_t *auth;

/* A world in which the right name and password, or any CURVE key, comes in. */
static inline void open_hostile_world(void)
{
    struct path users;

    open_folder();
    open_world();
    ck_assert_int_ge(sodium_init(), 0);
    crypto_box_keypair(server_key.public, server_key.secret);
    crypto_box_keypair(friend_key.public, friend_key.secret);
    write_file("users", "admin=secret\n");
    users = path_of("users");
    auth = sifr_auth_new(world.ctx);
    ck_assert_ptr_nonnull(auth);
    ck_works(sifr_auth_plain(auth, NULL, users.text));
    ck_works(sifr_auth_curve(auth, NULL, SIFR_AUTH_ANY));
}

static inline void close_hostile_world(void)
{
    if (auth)
        ck_works(sifr_auth_destroy(&auth));
    close_world();
    close_folder();
}

static inline void set_bytes(sifr_socket_t *s, int option, const void *bytes, size_t n)
{
    ck_works(sifr_setsockopt(s, option, bytes, n));
}

/* What a socket needs that is one side of a mechanism. */
static inline void arm(sifr_socket_t *s, int mechanism, bool server)
{
    if (mechanism == SIFR_NULL && server)
        set_text(s, SIFR_ZAP_DOMAIN, "dom"); /* connections are to be authorised */
    if (mechanism == SIFR_PLAIN && server)
        set_int(s, SIFR_PLAIN_SERVER, 1);
    if (mechanism == SIFR_PLAIN && !server) {
        set_text(s, SIFR_PLAIN_USERNAME, "admin");
        set_text(s, SIFR_PLAIN_PASSWORD, "secret");
    }
    if (mechanism == SIFR_CURVE && server) {
        set_int(s, SIFR_CURVE_SERVER, 1);
        set_bytes(s, SIFR_CURVE_SECRETKEY, server_key.secret, KEY);
    }
    if (mechanism == SIFR_CURVE && !server) {
        set_bytes(s, SIFR_CURVE_SERVERKEY, server_key.public, KEY);
        set_bytes(s, SIFR_CURVE_PUBLICKEY, friend_key.public, KEY);
        set_bytes(s, SIFR_CURVE_SECRETKEY, friend_key.secret, KEY);
    }
    set_int(s, SIFR_RECONNECT_IVL, 1);
}

/* ---- The foe ----------------------------------------------------------------------------------------------------- */

/* What a side says, in this order; NULL has no SECOND. */
enum step { GREETING, FIRST, SECOND, TRAFFIC, STEPS };

struct foe {
    int mechanism;
    bool server; /* the foe is */
    int fd;
    const char *type; /* the socket type that it announces */
    const char *user, *password;

    /* CURVE; what may be other than it should be is set before the step that says it. */
    uint8_t long_public[KEY], long_secret[KEY], public[KEY], secret[KEY];
    uint8_t their_long[KEY], theirs[KEY]; /* of the other side: for good, and for this connection */
    uint8_t vouch_for[KEY], vouch_to[KEY];
    uint8_t hello_inside[64];
    uint8_t cookie[96];
    uint64_t nonce; /* the last one used */
    uint8_t shared[KEY], shared_by[2 * KEY]; /* made once for all messages, from these keys */
};

static inline const char *mechanism_name(int mechanism)
{
    return mechanism == SIFR_CURVE ? "CURVE" : mechanism == SIFR_PLAIN ? "PLAIN" : "NULL";
}

static inline int foe_socket(const struct endpoint *e)
{
    struct sockaddr_in in = own_address(0);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    bool tcp = strncmp(e->text, "tcp", 3) == 0;
    int fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (tcp) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        in.sin_port = htons((uint16_t)atoi(strrchr(e->text, ':') + 1));
        ck_assert_msg(connect(fd, (struct sockaddr *)&in, sizeof in) == 0, "connect: %s", strerror(errno));
    } else { /* "ipc://@name": a name without a file */
        strcpy(un.sun_path + 1, e->text + 7);
        ck_assert_msg(connect(fd, (struct sockaddr *)&un,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(e->text + 7))) == 0,
                      "connect: %s", strerror(errno));
    }
    return fd;
}

/* Has said nothing yet. */
static inline struct foe foe_at(int fd, int mechanism, bool server)
{
    struct foe f = {.mechanism = mechanism, .server = server, .fd = fd, .type = "PUSH", .user = "admin",
                    .password = "secret"};

    if (mechanism == SIFR_CURVE) {
        crypto_box_keypair(f.long_public, f.long_secret);
        crypto_box_keypair(f.public, f.secret);
        if (server) { /* the worst that there is: it has the server's keys */
            memcpy(f.long_public, server_key.public, KEY);
            memcpy(f.long_secret, server_key.secret, KEY);
            randombytes_buf(f.cookie, sizeof f.cookie);
        } else {
            memcpy(f.their_long, server_key.public, KEY);
        }
        memcpy(f.vouch_for, f.public, KEY);
        memcpy(f.vouch_to, server_key.public, KEY);
    }
    return f;
}

static inline struct foe foe_to(const struct endpoint *e, int mechanism, bool server)
{
    return foe_at(foe_socket(e), mechanism, server);
}

static inline void put64(uint8_t *to, uint64_t v)
{
    for (int i = 8; i-- > 0; v >>= 8)
        to[i] = (uint8_t)v;
}

/* Writes a frame's header. */
static inline size_t put_header(uint8_t *to, uint8_t flags, uint64_t n)
{
    to[0] = flags;
    to[1] = (uint8_t)n;
    if (n < 256)
        return 2;
    to[0] |= 2;
    put64(to + 1, n);
    return 9;
}

static inline size_t put_frame(uint8_t *to, uint8_t flags, const void *body, size_t n)
{
    size_t header = put_header(to, flags, n);

    memcpy(to + header, body, n);
    return header + n;
}

static inline size_t put_property(uint8_t *to, const char *name, const void *value, size_t n)
{
    size_t size = strlen(name);

    to[0] = (uint8_t)size;
    memcpy(to + 1, name, size);
    for (int i = 0; i < 4; i++)
        to[1 + size + (size_t)i] = (uint8_t)((uint32_t)n >> (24 - 8 * i));
    memcpy(to + 5 + size, value, n);
    return 5 + size + n;
}

static inline void nonce_of(uint8_t *to, const char *text, const uint8_t *rest)
{
    size_t n = strlen(text);

    memcpy(to, text, n);
    memcpy(to + n, rest, 24 - n);
}

/* A box; keys of low order make none, and then there is no need of one. */
static inline void put_box(uint8_t *to, const void *from, size_t n, const char *text, const uint8_t *rest,
                           const uint8_t *public, const uint8_t *secret)
{
    uint8_t nonce[24];

    nonce_of(nonce, text, rest);
    if (crypto_box_easy(to, from, n, nonce, public, secret) != 0)
        memset(to, 0, n + 16);
}

static inline void get_box(uint8_t *to, const uint8_t *from, size_t n, const char *text, const uint8_t *rest,
                           const uint8_t *public, const uint8_t *secret)
{
    uint8_t nonce[24];

    nonce_of(nonce, text, rest);
    ck_assert_msg(crypto_box_open_easy(to, from, n, nonce, public, secret) == 0, "the %s does not open", text);
}

/* INITIATE with this metadata: its size. */
static inline size_t foe_initiate(struct foe *f, uint8_t *to, const uint8_t *metadata, size_t n)
{
    uint8_t body[FRAME_ROOM], inside[FRAME_ROOM], keys[2 * KEY];

    if (f->mechanism == SIFR_PLAIN) {
        memcpy(body, "\10INITIATE", 9);
        memcpy(body + 9, metadata, n);
        return put_frame(to, 4, body, 9 + n);
    }
    memcpy(body, "\10INITIATE", 9);
    memcpy(body + 9, f->cookie, 96);
    put64(body + 105, ++f->nonce);
    memcpy(inside, f->long_public, KEY);
    randombytes_buf(inside + KEY, 16);
    memcpy(keys, f->vouch_for, KEY);
    memcpy(keys + KEY, f->vouch_to, KEY);
    put_box(inside + KEY + 16, keys, sizeof keys, "VOUCH---", inside + KEY, f->theirs, f->long_secret);
    memcpy(inside + 128, metadata, n);
    put_box(body + 113, inside, 128 + n, "CurveZMQINITIATE", body + 105, f->theirs, f->secret);
    return put_frame(to, 4, body, 113 + 16 + 128 + n);
}

/* READY with this metadata. */
static inline size_t foe_ready(struct foe *f, uint8_t *to, const uint8_t *metadata, size_t n)
{
    uint8_t body[FRAME_ROOM];

    memcpy(body, "\5READY", 6);
    if (f->mechanism != SIFR_CURVE) {
        memcpy(body + 6, metadata, n);
        return put_frame(to, 4, body, 6 + n);
    }
    put64(body + 6, ++f->nonce);
    put_box(body + 14, metadata, n, "CurveZMQREADY---", body + 6, f->theirs, f->secret);
    return put_frame(to, 4, body, 30 + n);
}

/* A frame of traffic: flags as SF_SEAL_.. have them, 1 and 2. */
static inline size_t foe_message(struct foe *f, uint8_t *to, unsigned flags, const void *data, size_t n)
{
    uint8_t body[FRAME_ROOM], inside[FRAME_ROOM], nonce[24];

    if (f->mechanism != SIFR_CURVE)
        return put_frame(to, (uint8_t)((flags & 1) | (flags & 2) << 1), data, n);
    memcpy(body, "\7MESSAGE", 8);
    put64(body + 8, ++f->nonce);
    inside[0] = (uint8_t)flags;
    memcpy(inside + 1, data, n);
    if (memcmp(f->shared_by, f->theirs, KEY) != 0 || memcmp(f->shared_by + KEY, f->secret, KEY) != 0) {
        ck_assert_int_eq(crypto_box_beforenm(f->shared, f->theirs, f->secret), 0);
        memcpy(f->shared_by, f->theirs, KEY);
        memcpy(f->shared_by + KEY, f->secret, KEY);
    }
    nonce_of(nonce, f->server ? "CurveZMQMESSAGES" : "CurveZMQMESSAGEC", body + 8);
    crypto_box_easy_afternm(body + 16, inside, 1 + n, nonce, f->shared);
    return put_frame(to, 0, body, 33 + n);
}

static inline size_t foe_first(struct foe *f, uint8_t *to, const uint8_t *metadata, size_t n)
{
    uint8_t body[FRAME_ROOM], inside[KEY + 96];
    size_t user = strlen(f->user), password = strlen(f->password);

    if (f->mechanism == SIFR_NULL)
        return foe_ready(f, to, metadata, n);
    if (f->mechanism == SIFR_PLAIN && f->server)
        return put_frame(to, 4, "\7WELCOME", 8);
    if (f->mechanism == SIFR_PLAIN) {
        memcpy(body, "\5HELLO", 6);
        body[6] = (uint8_t)user;
        memcpy(body + 7, f->user, user);
        body[7 + user] = (uint8_t)password;
        memcpy(body + 8 + user, f->password, password);
        return put_frame(to, 4, body, 8 + user + password);
    }
    if (f->server) {
        memcpy(body, "\7WELCOME", 8);
        randombytes_buf(body + 8, 16);
        memcpy(inside, f->public, KEY);
        memcpy(inside + KEY, f->cookie, 96);
        put_box(body + 24, inside, sizeof inside, "WELCOME-", body + 8, f->theirs, f->long_secret);
        return put_frame(to, 4, body, 168);
    }
    memset(body, 0, 200);
    memcpy(body, "\5HELLO\1\0", 8);
    memcpy(body + 80, f->public, KEY);
    put64(body + 112, ++f->nonce);
    put_box(body + 120, f->hello_inside, 64, "CurveZMQHELLO---", body + 112, f->their_long, f->secret);
    return put_frame(to, 4, body, 200);
}

/* What it has to say in this step: its size. */
static inline size_t foe_make(struct foe *f, enum step step, uint8_t *to)
{
    uint8_t metadata[256];
    size_t n = put_property(metadata, "Socket-Type", f->type, strlen(f->type));

    switch (step) {
    case GREETING: put_greeting(to, mechanism_name(f->mechanism)); return GREETING_SIZE;
    case FIRST: return foe_first(f, to, metadata, n);
    case SECOND:
        if (f->mechanism == SIFR_NULL)
            return 0;
        return f->server ? foe_ready(f, to, metadata, n) : foe_initiate(f, to, metadata, n);
    default: return foe_message(f, to, 0, "harm", 4);
    }
}

/* Hears what the other side says before it can go on to this step. */
static inline void foe_hear(struct foe *f, enum step step)
{
    uint8_t body[FRAME_ROOM], inside[KEY + 96];
    size_t n;

    if (step == GREETING || (step == SECOND && f->mechanism == SIFR_NULL) || (step == TRAFFIC && f->server))
        return;
    if (step == FIRST)
        raw_recv(f->fd, body, GREETING_SIZE);
    if (step == FIRST && !f->server)
        return;
    n = raw_recv_frame(f->fd, body, sizeof body);
    if (f->mechanism != SIFR_CURVE)
        return;
    if (step == FIRST) { /* HELLO */
        ck_assert_uint_eq(n, 200);
        memcpy(f->theirs, body + 80, KEY);
    } else if (step == SECOND && !f->server) { /* WELCOME */
        ck_assert_uint_eq(n, 168);
        get_box(inside, body + 24, 144, "WELCOME-", body + 8, server_key.public, f->secret);
        memcpy(f->theirs, inside, KEY);
        memcpy(f->cookie, inside + KEY, 96);
    }
}

/* False: the other side has closed meanwhile, as it may. */
static inline bool foe_send(struct foe *f, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;

    while (n) {
        ssize_t sent = send(f->fd, at, n, MSG_NOSIGNAL);

        if (sent < 0) {
            ck_assert_msg(errno == EPIPE || errno == ECONNRESET, "send: %s", strerror(errno));
            return false;
        }
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

static inline void foe_say(struct foe *f, enum step step)
{
    uint8_t frame[FRAME_ROOM];

    foe_send(f, frame, foe_make(f, step, frame));
}

/* Does all rightly from one step to the other, which it could say now. */
static inline void foe_go(struct foe *f, enum step from, enum step to)
{
    for (enum step step = from; step < to; step++) {
        foe_say(f, step);
        foe_hear(f, step + 1);
    }
}

static inline void foe_reach(struct foe *f, enum step step)
{
    foe_go(f, GREETING, step);
}

/* ---- The victim, its friend, its monitor ------------------------------------------------------------------------- */

struct scene {
    int mechanism;
    bool server; /* the victim is */
    sifr_socket_t *victim, *friend, *monitor;
    struct endpoint at[2]; /* tcp, ipc */
};

static const struct {
    const char *name;
    int mechanism;
    bool server; /* the victim is */
} kinds[] = {
    {"NULL", SIFR_NULL, true},          {"PLAIN server", SIFR_PLAIN, true},  {"PLAIN client", SIFR_PLAIN, false},
    {"CURVE server", SIFR_CURVE, true}, {"CURVE client", SIFR_CURVE, false},
};

struct event {
    unsigned number;
    uint32_t value;
};

static inline struct event next_event(struct scene *s, const char *what)
{
    struct event e = {0};
    uint8_t head[6];
    uint16_t number;

    ck_assert_msg(sifr_recv(s->monitor, head, sizeof head, 0) == 6, "%s: no event", what);
    memcpy(&number, head, 2);
    memcpy(&e.value, head + 2, 4);
    e.number = number;
    ck_assert_int_ge(sifr_recv(s->monitor, NULL, 0, 0), 0);
    return e;
}

static inline void expect_event(struct scene *s, const char *what, unsigned number)
{
    struct event e = next_event(s, what);

    ck_assert_msg(e.number == number, "%s: event 0x%x (value 0x%x) instead of 0x%x", what, e.number, e.value, number);
}

/* Victim and friend understand each other, and nobody else has said anything. */
static inline void exchange(struct scene *s)
{
    static unsigned count;
    char text[32];

    recv_nothing(s->victim);
    snprintf(text, sizeof text, "good%u", count++);
    send_text(s->friend, text, 0);
    recv_text(s->victim, text, false);
}

static inline struct scene open_scene(int kind, int handshake_ms)
{
    struct scene s = {.mechanism = kinds[kind].mechanism, .server = kinds[kind].server};

    s.victim = new_socket(SIFR_PULL);
    s.friend = new_socket(SIFR_PUSH);
    arm(s.victim, s.mechanism, s.server);
    arm(s.friend, s.mechanism, !s.server);
    set_int(s.victim, SIFR_HANDSHAKE_IVL, handshake_ms);
    s.at[0] = bind_fresh(s.victim, TCP);
    s.at[1] = bind_fresh(s.victim, IPC);
    connect_to(s.friend, &s.at[0]);
    exchange(&s);
    s.monitor = watch(s.victim);
    return s;
}

/* Somebody who has done nothing wrong still comes in. */
static inline void newcomer(struct scene *s, int transport)
{
    sifr_socket_t *other = new_socket(SIFR_PUSH);

    arm(other, s->mechanism, !s->server);
    connect_to(other, &s->at[transport]);
    send_text(other, "newcomer", 0);
    recv_text(s->victim, "newcomer", false);
    drop(other);
    expect_event(s, "newcomer", SIFR_EVENT_ACCEPTED);
    expect_event(s, "newcomer", SIFR_EVENT_HANDSHAKE_SUCCEEDED);
    expect_event(s, "newcomer", SIFR_EVENT_DISCONNECTED);
    exchange(s);
}

/* What is told of a connection that ends; else a SIFR_PROTOCOL_ERROR_.., or a status of 300 to 500. */
enum { SILENT, LOST, TIMED_OUT, ANY };

/* The rest of what the monitor tells of one connection. */
static inline void expect_end(struct scene *s, const char *what, uint32_t code)
{
    struct event e = {0};

    if (code == ANY) {
        do {
            e = next_event(s, what);
            ck_assert_msg(e.number != SIFR_EVENT_HANDSHAKE_SUCCEEDED, "%s: it has come in", what);
        } while (e.number != SIFR_EVENT_DISCONNECTED);
        return;
    }
    if (code != SILENT)
        e = next_event(s, what);
    if (code == LOST)
        ck_assert_msg(e.number == SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL && (e.value == EPIPE || e.value == ECONNRESET),
                      "%s: event 0x%x (value 0x%x)", what, e.number, e.value);
    else if (code == TIMED_OUT)
        ck_assert_msg(e.number == SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL && e.value == ETIMEDOUT,
                      "%s: event 0x%x (value 0x%x)", what, e.number, e.value);
    else if (code != SILENT)
        ck_assert_msg(e.value == code && e.number == (code < 1000 ? SIFR_EVENT_HANDSHAKE_FAILED_AUTH
                                                                  : SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL),
                      "%s: event 0x%x (value 0x%x) instead of 0x%x", what, e.number, e.value, code);
    expect_event(s, what, SIFR_EVENT_DISCONNECTED);
}

static inline void expect_accepted_end(struct scene *s, const char *what, bool succeeded, uint32_t code)
{
    expect_event(s, what, SIFR_EVENT_ACCEPTED);
    if (succeeded)
        expect_event(s, what, SIFR_EVENT_HANDSHAKE_SUCCEEDED);
    expect_end(s, what, code);
}

/* The foe sends this and the victim ends it; with what the monitor tells. Its descriptor is closed. */
static inline void foe_is_ended(struct scene *s, struct foe *f, const char *what, const void *bytes, size_t n,
                                bool succeeded, uint32_t code)
{
    foe_send(f, bytes, n);
    raw_expect_end(f->fd);
    close(f->fd);
    expect_accepted_end(s, what, succeeded, code);
}

static inline TCase *new_hostile_case(Suite *suite, const char *name)
{
    TCase *c = tcase_create(name);

    tcase_set_timeout(c, 2 * CASE_SECONDS);
    tcase_add_checked_fixture(c, open_hostile_world, close_hostile_world);
    suite_add_tcase(suite, c);
    return c;
}

#endif
