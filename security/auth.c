/* The authenticator: a ZAP handler in a thread of its own, which decides by addresses and files. */
#include <sifr.h>

#include "base/alloc.h"
#include "base/cells.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/list.h"
#include "base/park.h"
#include "security/range.h"
#include "security/store.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* A request has six frames before its credentials, a reply six in all; both behind an empty one. */
enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, ROUTING_ID, MECHANISM, CREDENTIALS };
enum { REPLY_FRAMES = 8, CREDENTIALS_MAX = 2, FRAMES_MAX = CREDENTIALS + CREDENTIALS_MAX };
enum { DOMAIN_MAX = 255, KEY_TEXT = 40, LOOK_MS = 50, SHOWN_MAX = 4 * 255 };

#define ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_VERSION "1.0"

struct list_of_ranges {
    struct sf_range *at; /* owns */
    size_t n;
};

/* The settings of a domain. */
struct domain {
    struct sf_list node;
    struct list_of_ranges allow, deny;
    struct sf_users *users; /* owns, or NULL */
    struct sf_certs *certs; /* owns, or NULL */
    bool any_key;
    size_t size; /* of the name; ALL: without one */
    char name[];
};

#define ALL SIZE_MAX

struct sifr_auth {
    struct sf_cell cell;
    uint32_t generation; /* of the process whose thread it is */
    sifr_thread_t *thread;

    struct sf_lock lock; /* guards all up to the next group; no other is taken inside */
    pthread_t self;      /* that thread's, once it runs */
    bool runs;
    struct sf_list domains;
    sifr_socket_t *router; /* owns; NULL once it is closed */
    uint64_t looked_ms;    /* when the files were last looked at */
    sifr_auth_log_fn *log;
    void *log_arg;

    struct sf_lock calling; /* held around a call of `log`; taken before `lock` */
};

static struct sf_cells cells = {.tag = 0x51f4a074e571ca7e, .size = sizeof(struct sifr_auth)};

/* 0, or -1 with errno. */
static int answer(int err)
{
    if (err == 0)
        return 0;
    errno = -err;
    return -1;
}

/* --- Domains ------------------------------------------------------------ */

static void free_users(struct sf_users *u)
{
    if (u)
        sf_users_fini(u);
    sf_free(u);
}

static void free_certs(struct sf_certs *c)
{
    if (c)
        sf_certs_fini(c);
    sf_free(c);
}

static void domain_free(struct domain *d)
{
    sf_list_remove(&d->node);
    sf_free(d->allow.at);
    sf_free(d->deny.at);
    free_users(d->users);
    free_certs(d->certs);
    sf_free(d);
}

/* The name's size, or ALL. */
static size_t name_size(const char *domain)
{
    return !domain || strcmp(domain, "*") == 0 ? ALL : strlen(domain);
}

static struct domain *find(struct sifr_auth *a, const void *name, size_t size)
{
    SF_LIST_EACH(it, after, &a->domains) {
        struct domain *d = SF_CONTAINER(it, struct domain, node);

        if (d->size == size && (size == ALL || memcmp(d->name, name, size) == 0))
            return d;
    }
    return NULL;
}

/* That domain's settings, made if need be: 0, -EINVAL or -ENOMEM. */
static int need(struct domain **out, struct sifr_auth *a, const char *name)
{
    size_t size = name_size(name);
    struct domain *d = find(a, name, size);

    if (!d && size != ALL && size > DOMAIN_MAX)
        return -EINVAL;
    if (!d) {
        d = sf_alloc(sizeof *d + (size == ALL ? 0 : size));
        if (!d)
            return -ENOMEM;
        d->size = size;
        if (size != ALL)
            memcpy(d->name, name, size);
        sf_list_push(&a->domains, &d->node);
    }
    *out = d;
    return 0;
}

static int add_range(struct list_of_ranges *l, const struct sf_range *r)
{
    struct sf_range *to = sf_realloc(l->at, (l->n + 1) * sizeof *to);

    if (!to)
        return -ENOMEM;
    to[l->n++] = *r;
    l->at = to;
    return 0;
}

static bool has(const struct list_of_ranges *l, const struct sf_range *address)
{
    for (size_t i = 0; i < l->n; i++) {
        if (sf_range_has(&l->at[i], address))
            return true;
    }
    return false;
}

/* --- Decisions ---------------------------------------------------------- */

/* What was asked; the frames are the request's own. */
struct request {
    sifr_msg_t from; /* who asked */
    sifr_msg_t frames[FRAMES_MAX];
    int n; /* that came, of which FRAMES_MAX are kept; -1: no request, and none to be answered */
};

/* What is answered. */
struct verdict {
    int status;
    const char *reason;
    char user[255];
    size_t user_size;
    sifr_msg_t metadata;
};

static const void *data(struct request *r, int frame)
{
    return sifr_msg_data(&r->frames[frame]);
}

static size_t size(struct request *r, int frame)
{
    return sifr_msg_size(&r->frames[frame]);
}

static bool is(struct request *r, int frame, const char *text)
{
    return size(r, frame) == strlen(text) && memcmp(data(r, frame), text, strlen(text)) == 0;
}

static void refuse(struct verdict *v, int status, const char *reason)
{
    v->status = status;
    v->reason = reason;
}

static void let_in(struct verdict *v, const char *reason, const void *user, size_t user_size)
{
    v->status = 200;
    v->reason = reason;
    v->user_size = user_size < sizeof v->user ? user_size : sizeof v->user;
    if (user_size)
        memcpy(v->user, user, v->user_size);
}

/* Settings for all deny besides; they allow only where the domain has no allow list. */
static bool addresses_let_in(struct domain *own, struct domain *all, const struct sf_range *address,
                             const char **reason)
{
    const struct list_of_ranges *allow = NULL;

    if (own && own->allow.n)
        allow = &own->allow;
    else if (all && all->allow.n)
        allow = &all->allow;
    if ((own && has(&own->deny, address)) || (all && has(&all->deny, address))) {
        *reason = "address is denied";
        return false;
    }
    if (allow && !has(allow, address)) {
        *reason = "address is not allowed";
        return false;
    }
    return true;
}

static void decide_plain(struct verdict *v, struct request *r, const struct sf_users *users)
{
    const int name = CREDENTIALS, password = CREDENTIALS + 1;

    if (!users)
        refuse(v, 400, "no users for this domain");
    else if (!sf_users_know(users, data(r, name), size(r, name), data(r, password),
                            size(r, password)))
        refuse(v, 400, "wrong name or password");
    else
        let_in(v, "name and password are right", data(r, name), size(r, name));
}

static void decide_curve(struct verdict *v, struct request *r, const struct sf_certs *certs,
                         bool any_key)
{
    const struct sf_cert *cert = certs ? sf_certs_find(certs, data(r, CREDENTIALS)) : NULL;
    char key[KEY_TEXT + 1];

    sifr_z85_encode(key, data(r, CREDENTIALS), SF_CERT_KEY);
    if (cert && cert->metadata_size) {
        sifr_msg_close(&v->metadata);
        if (sifr_msg_init_size(&v->metadata, cert->metadata_size) != 0) {
            sifr_msg_init(&v->metadata);
            refuse(v, 300, "out of memory"); /* it may come again */
            return;
        }
        memcpy(sifr_msg_data(&v->metadata), cert->metadata, cert->metadata_size);
    }
    if (cert || any_key)
        let_in(v, any_key ? "any key will do" : "key is known", key, KEY_TEXT);
    else
        refuse(v, 400, certs ? "key is not known" : "no keys for this domain");
}

static int credentials_of(struct request *r)
{
    static const struct {
        const char *name;
        int credentials;
    } mechanisms[] = {{"NULL", 0}, {"PLAIN", 2}, {"CURVE", 1}, {"GSSAPI", 1}};

    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
        if (is(r, MECHANISM, mechanisms[i].name))
            return mechanisms[i].credentials;
    }
    return -1;
}

static void decide(struct sifr_auth *a, struct request *r, struct verdict *v)
{
    int n = r->n >= CREDENTIALS ? credentials_of(r) : 0;
    struct domain *own, *all = find(a, NULL, ALL), *chosen;
    struct sf_range address;

    if (r->n < CREDENTIALS || !is(r, VERSION, ZAP_VERSION)) {
        refuse(v, 500, "not a request of this protocol");
        return;
    }
    if (n < 0) {
        refuse(v, 400, "mechanism is not known");
        return;
    }
    if (r->n != CREDENTIALS + n ||
        (is(r, MECHANISM, "CURVE") && size(r, CREDENTIALS) != SF_CERT_KEY)) {
        refuse(v, 500, "credentials are not those of the mechanism");
        return;
    }
    own = find(a, data(r, DOMAIN), size(r, DOMAIN));
    address = sf_range_of(data(r, ADDRESS), size(r, ADDRESS));
    if (!addresses_let_in(own, all, &address, &v->reason)) {
        v->status = 400;
    } else if (is(r, MECHANISM, "PLAIN")) {
        chosen = own && own->users ? own : all;
        decide_plain(v, r, chosen ? chosen->users : NULL);
    } else if (is(r, MECHANISM, "CURVE")) {
        chosen = own && (own->certs || own->any_key) ? own : all;
        decide_curve(v, r, chosen ? chosen->certs : NULL, chosen && chosen->any_key);
    } else if (is(r, MECHANISM, "GSSAPI")) {
        let_in(v, "the principal is known to Kerberos", data(r, CREDENTIALS), size(r, CREDENTIALS));
    } else {
        let_in(v, "address is not denied", NULL, 0);
    }
}

/* --- The log ------------------------------------------------------------ */

/* As much of the bytes as fits, on one line whatever a peer made of them. */
static const char *show(char to[SHOWN_MAX + 1], const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    size_t at = 0;

    for (size_t i = 0; i < n && at + 4 <= SHOWN_MAX; i++) {
        if (p[i] >= ' ' && p[i] < 0x7f && p[i] != '\\')
            to[at++] = (char)p[i];
        else
            at += (size_t)snprintf(to + at, 5, "\\x%02x", p[i]);
    }
    to[at] = 0;
    return to;
}

static void tell(struct sifr_auth *a, const sifr_auth_event_t *e)
{
    sifr_auth_log_fn *fn;
    void *arg;

    sf_lock_take(&a->calling);
    sf_lock_take(&a->lock);
    fn = a->log;
    arg = a->log_arg;
    sf_lock_drop(&a->lock);
    if (fn)
        fn(e, arg);
    sf_lock_drop(&a->calling);
}

static void tell_decision(struct sifr_auth *a, struct request *r, const struct verdict *v)
{
    char domain[SHOWN_MAX + 1], address[SHOWN_MAX + 1], mechanism[SHOWN_MAX + 1];
    char user[SHOWN_MAX + 1], key[KEY_TEXT + 1] = "";
    sifr_auth_event_t e = {.status = v->status, .reason = v->reason};
    bool asked = r->n >= CREDENTIALS;

    e.mechanism = show(mechanism, data(r, MECHANISM), asked ? size(r, MECHANISM) : 0);
    e.domain = show(domain, data(r, DOMAIN), asked ? size(r, DOMAIN) : 0);
    e.address = show(address, data(r, ADDRESS), asked ? size(r, ADDRESS) : 0);
    if (asked && is(r, MECHANISM, "CURVE") && size(r, CREDENTIALS) == SF_CERT_KEY)
        e.user = sifr_z85_encode(key, data(r, CREDENTIALS), SF_CERT_KEY);
    else
        e.user = show(user, data(r, CREDENTIALS), r->n > CREDENTIALS ? size(r, CREDENTIALS) : 0);
    tell(a, &e);
}

/* --- Files -------------------------------------------------------------- */

/* A file that was read again, to be told when no lock is held. */
struct reading {
    char text[256];
};

enum { READINGS_MAX = 16 };

static void note(struct reading *to, int *n, const char *what, const char *path, int err)
{
    char shown[SHOWN_MAX + 1];

    if (*n == READINGS_MAX)
        return;
    snprintf(to[(*n)++].text, sizeof to->text, "%s%s: %.150s", what,
             err ? " cannot be read and let in nobody" : " were read again",
             show(shown, path, strlen(path)));
}

/* Reads what has changed, or all: 0 or the first -errno. */
static int look(struct sifr_auth *a, bool all, struct reading *readings, int *n)
{
    int first = 0, err;
    bool read;

    SF_LIST_EACH(it, after, &a->domains) {
        struct domain *d = SF_CONTAINER(it, struct domain, node);

        if (d->users) {
            err = sf_users_refresh(d->users, all, &read);
            if (read)
                note(readings, n, "users", d->users->path, err);
            first = first ? first : err;
        }
        if (d->certs) {
            err = sf_certs_refresh(d->certs, all, &read);
            if (read)
                note(readings, n, "certificates", d->certs->path, err);
            first = first ? first : err;
        }
    }
    a->looked_ms = sf_clock_ms();
    return first;
}

static void tell_readings(struct sifr_auth *a, const struct reading *readings, int n)
{
    for (int i = 0; i < n; i++)
        tell(a, &(sifr_auth_event_t){.reason = readings[i].text, .mechanism = "", .domain = "",
                                     .address = "", .user = ""});
}

/* --- The thread --------------------------------------------------------- */

/* Whether the call on the socket that has just failed is to be repeated. */
static bool again(void)
{
    int err = errno;

    if (err == ENOMEM)
        poll(NULL, 0, 1); /* somebody may free some meanwhile */
    errno = err;
    return err == ENOMEM || err == EINTR;
}

/* Receives a frame: whether more follow, or -errno. */
static int get_frame(sifr_socket_t *router, sifr_msg_t *to)
{
    while (sifr_msg_recv(to, router, 0) < 0) {
        if (!again())
            return -errno;
    }
    return sifr_msg_more(to);
}

/* Takes a whole request: 0 or -errno. */
static int get_request(sifr_socket_t *router, struct request *r)
{
    sifr_msg_t rest;
    int more;

    sifr_msg_init(&rest);
    r->n = -1;
    more = get_frame(router, &r->from);
    if (more > 0) {
        more = get_frame(router, &rest);
        r->n = more > 0 && sifr_msg_size(&rest) == 0 ? 0 : -1;
    }
    while (more > 0) {
        more = get_frame(router, r->n >= 0 && r->n < FRAMES_MAX ? &r->frames[r->n] : &rest);
        if (more >= 0 && r->n >= 0)
            r->n++;
    }
    sifr_msg_close(&rest);
    return more;
}

struct frame {
    const void *bytes;
    size_t size;
};

/* One that fails is taken back whole, but to its end it goes on: 0 or -1 with errno. */
static int put_frames(sifr_socket_t *router, const struct frame *frames, int n)
{
    int err = 0;

    for (int i = 0; i < n; i++) {
        int more = i + 1 < n ? SIFR_SNDMORE : 0;

        if (sifr_send(router, frames[i].bytes, frames[i].size, more | SIFR_DONTWAIT) < 0) {
            err = errno;
            if (i == 0)
                break;
        }
    }
    errno = err;
    return err ? -1 : 0;
}

/* Who asked may be gone; then there is nobody to tell. */
static void put_reply(sifr_socket_t *router, struct request *r, struct verdict *v)
{
    char status[8];
    const struct frame frames[REPLY_FRAMES] = {
        {sifr_msg_data(&r->from), sifr_msg_size(&r->from)},
        {NULL, 0},
        {ZAP_VERSION, strlen(ZAP_VERSION)},
        {data(r, REQUEST_ID), r->n > REQUEST_ID ? size(r, REQUEST_ID) : 0},
        {status, (size_t)snprintf(status, sizeof status, "%d", v->status)},
        {v->reason, strlen(v->reason)},
        {v->user, v->user_size},
        {sifr_msg_data(&v->metadata), sifr_msg_size(&v->metadata)},
    };

    while (put_frames(router, frames, REPLY_FRAMES) != 0 && again())
        ;
}

static void serve(struct sifr_auth *a, sifr_socket_t *router, struct request *r)
{
    struct reading readings[READINGS_MAX];
    struct verdict v = {.status = 500, .reason = ""};
    int n = 0;

    sifr_msg_init(&v.metadata);
    sf_lock_take(&a->lock);
    if (sf_clock_ms() - a->looked_ms >= LOOK_MS)
        look(a, false, readings, &n);
    decide(a, r, &v);
    sf_lock_drop(&a->lock);
    put_reply(router, r, &v);
    sifr_msg_close(&v.metadata);
    tell_readings(a, readings, n);
    tell_decision(a, r, &v);
}

/* Whoever ends first closes the socket: the thread, when its context does, or destroy. */
static void close_router(struct sifr_auth *a)
{
    sifr_socket_t *router;

    sf_lock_take(&a->lock);
    router = a->router;
    a->router = NULL;
    sf_lock_drop(&a->lock);
    if (router)
        sifr_close(router);
}

static void request_init(struct request *r)
{
    sifr_msg_init(&r->from);
    for (int i = 0; i < FRAMES_MAX; i++)
        sifr_msg_init(&r->frames[i]);
}

static void request_fini(struct request *r)
{
    sifr_msg_close(&r->from);
    for (int i = 0; i < FRAMES_MAX; i++)
        sifr_msg_close(&r->frames[i]);
}

static void run(void *arg)
{
    struct sifr_auth *a = arg;
    sifr_socket_t *router;
    int err = 0;

    sf_lock_take(&a->lock);
    a->self = pthread_self();
    a->runs = true;
    router = a->router;
    sf_lock_drop(&a->lock);
    while (router && err == 0) {
        struct request r;

        request_init(&r);
        err = get_request(router, &r);
        if (err == 0 && r.n >= 0)
            serve(a, router, &r);
        request_fini(&r);
    }
    close_router(a);
}

/* --- Calls -------------------------------------------------------------- */

static int start(struct sifr_auth *a, sifr_ctx_t *ctx)
{
    a->router = sifr_socket(ctx, SIFR_ROUTER);
    if (!a->router)
        return -errno;
    if (sifr_setsockopt(a->router, SIFR_LINGER, &(int){0}, sizeof(int)) != 0 ||
        sifr_setsockopt(a->router, SIFR_RCVHWM, &(int){0}, sizeof(int)) != 0 ||
        sifr_bind(a->router, ENDPOINT) != 0)
        return -errno;
    a->thread = sifr_threadstart(run, a);
    return a->thread ? 0 : -errno;
}

sifr_auth_t *sifr_auth_new(sifr_ctx_t *ctx)
{
    struct sifr_auth *a = sf_cells_take(&cells);
    int err;

    if (!a) {
        errno = ENOMEM;
        return NULL;
    }
    a->generation = sf_fork_generation();
    sf_list_init(&a->domains);
    err = start(a, ctx);
    if (err) {
        close_router(a);
        sf_cells_retire(&cells, a);
        sf_cells_give(&cells, a);
        errno = -err;
        return NULL;
    }
    return a;
}

/* A child of the process has no such thread, and may have got the rest half changed. */
static int check(struct sifr_auth *a)
{
    return sf_cells_check(&cells, a) && a->generation == sf_fork_generation() ? 0 : -EFAULT;
}

/* Whether it is the authenticator's thread that calls, which is in `log`. With the lock. */
static bool is_inside(const struct sifr_auth *a)
{
    return a->runs && pthread_equal(a->self, pthread_self());
}

int sifr_auth_destroy(sifr_auth_t **auth)
{
    struct sifr_auth *a = auth ? *auth : NULL;
    int err = check(a);

    if (err == 0) {
        sf_lock_take(&a->lock);
        if (is_inside(a))
            err = -EDEADLK;
        sf_lock_drop(&a->lock);
    }
    if (err == 0 && !sf_cells_retire(&cells, a))
        err = -EFAULT;
    if (err)
        return answer(err);
    *auth = NULL;
    close_router(a);
    sifr_threadclose(a->thread);
    while (!sf_list_empty(&a->domains))
        domain_free(SF_CONTAINER(a->domains.next, struct domain, node));
    sf_cells_give(&cells, a);
    return 0;
}

static int add_address(struct sifr_auth *a, const char *domain, const char *address, bool allow)
{
    struct sf_range r;
    struct domain *d;
    int err = check(a);

    if (err == 0)
        err = address ? sf_range_parse(&r, address) : -EINVAL;
    if (err)
        return err;
    sf_lock_take(&a->lock);
    err = need(&d, a, domain);
    if (err == 0)
        err = add_range(allow ? &d->allow : &d->deny, &r);
    sf_lock_drop(&a->lock);
    return err;
}

int sifr_auth_allow(sifr_auth_t *auth, const char *domain, const char *address)
{
    return answer(add_address(auth, domain, address, true));
}

int sifr_auth_deny(sifr_auth_t *auth, const char *domain, const char *address)
{
    return answer(add_address(auth, domain, address, false));
}

static int open_users(struct sf_users **out, const char *file)
{
    struct sf_users *u;
    int err;

    *out = NULL;
    if (!file)
        return 0;
    u = sf_alloc(sizeof *u);
    err = u ? sf_users_open(u, file) : -ENOMEM;
    if (err) {
        sf_free(u);
        return err;
    }
    *out = u;
    return 0;
}

int sifr_auth_plain(sifr_auth_t *auth, const char *domain, const char *file)
{
    struct sf_users *users = NULL;
    struct domain *d;
    int err = check(auth);

    if (err == 0)
        err = open_users(&users, file);
    if (err)
        return answer(err);
    sf_lock_take(&auth->lock);
    err = need(&d, auth, domain);
    if (err == 0) {
        struct sf_users *before = d->users;

        d->users = users;
        users = before;
    }
    sf_lock_drop(&auth->lock);
    free_users(users);
    return answer(err);
}

static int open_certs(struct sf_certs **out, const char *directory)
{
    struct sf_certs *c;
    int err;

    *out = NULL;
    if (!directory || strcmp(directory, SIFR_AUTH_ANY) == 0)
        return 0;
    c = sf_alloc(sizeof *c);
    err = c ? sf_certs_open(c, directory) : -ENOMEM;
    if (err) {
        sf_free(c);
        return err;
    }
    *out = c;
    return 0;
}

int sifr_auth_curve(sifr_auth_t *auth, const char *domain, const char *directory)
{
    struct sf_certs *certs = NULL;
    struct domain *d;
    int err = check(auth);

    if (err == 0)
        err = open_certs(&certs, directory);
    if (err)
        return answer(err);
    sf_lock_take(&auth->lock);
    err = need(&d, auth, domain);
    if (err == 0) {
        struct sf_certs *before = d->certs;

        d->certs = certs;
        d->any_key = directory && !certs;
        certs = before;
    }
    sf_lock_drop(&auth->lock);
    free_certs(certs);
    return answer(err);
}

int sifr_auth_forget(sifr_auth_t *auth, const char *domain)
{
    struct domain *d;
    int err = check(auth);

    if (err)
        return answer(err);
    sf_lock_take(&auth->lock);
    d = find(auth, domain, name_size(domain));
    if (d)
        domain_free(d);
    sf_lock_drop(&auth->lock);
    return 0;
}

int sifr_auth_reload(sifr_auth_t *auth)
{
    struct reading readings[READINGS_MAX];
    int n = 0, err = check(auth);

    if (err)
        return answer(err);
    sf_lock_take(&auth->lock);
    err = look(auth, true, readings, &n);
    sf_lock_drop(&auth->lock);
    return answer(err);
}

int sifr_auth_log(sifr_auth_t *auth, sifr_auth_log_fn *fn, void *arg)
{
    int err = check(auth);
    bool inside;

    if (err)
        return answer(err);
    sf_lock_take(&auth->lock);
    inside = is_inside(auth);
    auth->log = fn;
    auth->log_arg = arg;
    sf_lock_drop(&auth->lock);
    if (!inside) { /* it waits for a call of the former one */
        sf_lock_take(&auth->calling);
        sf_lock_drop(&auth->calling);
    }
    return 0;
}
