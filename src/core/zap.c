/* ZAP: connections ask the user's handler whether a peer may come in. */
#include "security/zap.h"
#include "base/alloc.h"
#include "core/socket.h"
#include "wire/metadata.h"

#include <errno.h>
#include <string.h>

enum { REPLY_FRAMES = 7 };

#define VERSION "1.0"
#define REQUEST_ID "1" /* as handlers know it: each question has a queue of its own */

/*
 * What asks for the connections of one loop; the loop's but for `node`. A
 * question has a line, or waits for one:
 *
 *   waiting -> asked -> answered (or the handler has gone)
 *      |         |
 *      +---------+-> cancelled: the line stays while the handler has not read it
 */
struct sf_zap_asker {
    struct sf_list node; /* in sifr_ctx.zaps, under its lock */
    struct sifr_ctx *ctx;
    struct sf_loop *loop;
    struct sf_task stop;  /* posted at shutdown */
    struct sf_task serve; /* posted when there may be a line for those that wait */
    struct sf_list waiting; /* struct sf_zap.node, oldest first */
    struct sf_list asked;   /* struct sf_zap_line.node */
    struct sf_list stale;   /* those whose question was cancelled */
    int n_lines;
};

struct sf_zap_line {
    struct sf_list node;
    struct sf_task task; /* posted when the socket has news */
    struct sf_task end;  /* frees us; posted once, when `task` can be posted no more */
    struct sf_zap_asker *asker;
    struct sf_zap *zap;         /* NULL: cancelled */
    struct sifr_socket *dealer; /* owns */
};

/* --- Lines ------------------------------------------------------------- */

/* Tasks run in the order posted: `task` has had its last run. */
static void free_line(struct sf_task *t)
{
    sf_free(SF_CONTAINER(t, struct sf_zap_line, end));
}

static void close_line(struct sf_zap_line *l)
{
    struct sifr_socket *dealer = l->dealer;

    sf_list_remove(&l->node);
    l->asker->n_lines--;
    sf_lock_take(&dealer->watch_lock);
    atomic_store(&dealer->hook, NULL);
    sf_lock_drop(&dealer->watch_lock);
    sifr_close(dealer);
    sf_loop_post(l->asker->loop, &l->end);
}

static void hear(struct sf_task *t);

static int line_new(struct sf_zap_line **out, struct sf_zap_asker *a)
{
    struct sf_zap_line *l = sf_alloc(sizeof *l);
    int err;

    if (!l)
        return -ENOMEM;
    err = sf_socket_new_extra(&l->dealer, a->ctx, SIFR_DEALER);
    if (err) {
        sf_free(l);
        return err;
    }
    l->asker = a;
    l->task.run = hear;
    l->end.run = free_line;
    l->dealer->opt.linger = 0;
    sf_lock_take(&l->dealer->watch_lock);
    l->dealer->hook_loop = a->loop;
    atomic_store(&l->dealer->hook, &l->task);
    sf_lock_drop(&l->dealer->watch_lock);
    sf_list_push(&a->asked, &l->node);
    a->n_lines++;
    if (sifr_connect(l->dealer, SF_ZAP_ENDPOINT) != 0) {
        err = -errno;
        close_line(l);
        return err;
    }
    *out = l;
    return 0;
}

/* Whether the handler has read a line's question, or has gone. */
enum { UNREAD, READ, GONE };

static int state_of(struct sf_zap_line *l)
{
    struct sf_list *peers = &l->dealer->base.peers;
    int state = GONE;

    if (sf_socket_visit(l->dealer) != 0)
        return GONE;
    if (!sf_list_empty(peers)) {
        struct sf_link *link = sf_link_of(SF_CONTAINER(peers->next, struct sf_peer, node));
        struct sf_flow out;

        /* One that was bound no more when we connected would wait for the next. */
        if (atomic_load(&link->other)) {
            sf_pipe_flow(link->out, &out);
            state = out.depth ? UNREAD : READ;
        }
    }
    sf_socket_leave(l->dealer);
    return state;
}

/* Closes the lines of cancelled questions that take no more of the handler's memory. */
static void sweep(struct sf_zap_asker *a)
{
    SF_LIST_EACH(it, after, &a->stale) {
        struct sf_zap_line *l = SF_CONTAINER(it, struct sf_zap_line, node);

        if (state_of(l) != UNREAD)
            close_line(l);
    }
}

/* --- Requests ---------------------------------------------------------- */

static int put_frame(struct sifr_socket *s, const void *data, size_t size, bool more)
{
    int flags = SIFR_DONTWAIT | (more ? SIFR_SNDMORE : 0);

    return sifr_send(s, data, size, flags) < 0 ? -errno : 0;
}

static int put_request(struct sifr_socket *s, const struct sf_zap_request *r)
{
    const struct sf_zap_bytes head[] = {
        {NULL, 0},
        {VERSION, sizeof VERSION - 1},
        {REQUEST_ID, sizeof REQUEST_ID - 1},
        r->domain,
        r->address,
        r->id,
        {r->mechanism, strlen(r->mechanism)},
    };
    const size_t n = sizeof head / sizeof *head;
    int err = 0;

    for (size_t i = 0; i < n && err == 0; i++)
        err = put_frame(s, head[i].data, head[i].size, i + 1 < n || r->n_credentials);
    for (unsigned i = 0; i < r->n_credentials && err == 0; i++)
        err = put_frame(s, r->credentials[i].data, r->credentials[i].size,
                        i + 1 < r->n_credentials);
    return err;
}

/* Puts the question into a line of its own. 0, -ENOENT: no handler, -EPIPE: it goes, or -errno. */
static int ask(struct sf_zap *z, struct sf_zap_asker *a, const struct sf_zap_request *r)
{
    struct sf_zap_line *l = NULL;
    int err;

    if (!sf_inproc_bound(a->ctx, strstr(SF_ZAP_ENDPOINT, "://") + 3))
        return -ENOENT;
    err = line_new(&l, a);
    if (err)
        return err;
    err = put_request(l->dealer, r);
    if (err == -EAGAIN || (err == 0 && state_of(l) == GONE)) /* it has just gone, but may have read it */
        err = atomic_load(&a->ctx->terminating) ? -SIFR_ETERM : err ? -ENOENT : -EPIPE;
    if (err) {
        close_line(l);
        return err;
    }
    l->zap = z;
    z->line = l;
    return 0;
}

static size_t copy_bytes(struct sf_zap_bytes *b, char *to)
{
    if (b->size)
        memcpy(to, b->data, b->size);
    b->data = to;
    return b->size;
}

/* The request with all that it points to in one block, or NULL. */
static struct sf_zap_request *copy_of(const struct sf_zap_request *r)
{
    size_t name_size = strlen(r->mechanism) + 1;
    size_t size = r->domain.size + r->address.size + r->id.size + name_size;
    struct sf_zap_request *copy;
    char *to;

    for (unsigned i = 0; i < r->n_credentials; i++)
        size += r->credentials[i].size;
    copy = sf_alloc_raw(sizeof *copy + size);
    if (!copy)
        return NULL;
    *copy = *r;
    to = (char *)(copy + 1);
    copy->mechanism = memcpy(to, r->mechanism, name_size);
    to += name_size;
    to += copy_bytes(&copy->domain, to);
    to += copy_bytes(&copy->address, to);
    to += copy_bytes(&copy->id, to);
    for (unsigned i = 0; i < copy->n_credentials; i++)
        to += copy_bytes(&copy->credentials[i], to);
    return copy;
}

/* Credentials may be secrets. */
static void free_copy(struct sf_zap *z)
{
    if (!z->copy)
        return;
    for (unsigned i = 0; i < z->copy->n_credentials; i++)
        explicit_bzero((void *)(uintptr_t)z->copy->credentials[i].data,
                       z->copy->credentials[i].size);
    sf_free(z->copy);
    z->copy = NULL;
}

/* --- Replies ----------------------------------------------------------- */

/* Nothing is asked any more. */
static void settle(struct sf_zap *z)
{
    sf_list_remove(&z->node);
    free_copy(z);
    z->asker = NULL;
    z->line = NULL;
}

static void answer(struct sf_zap *z, const struct sf_zap_answer *a)
{
    settle(z);
    z->answered(z, a);
}

static void fail(struct sf_zap *z, int err)
{
    answer(z, &(struct sf_zap_answer){.err = err});
}

static struct sf_zap_bytes bytes_of(sifr_msg_t *m)
{
    return (struct sf_zap_bytes){sifr_msg_data(m), sifr_msg_size(m)};
}

static bool is_text(sifr_msg_t *m, const char *text)
{
    return sifr_msg_size(m) == strlen(text) && memcmp(sifr_msg_data(m), text, strlen(text)) == 0;
}

static int status_of(sifr_msg_t *m)
{
    static const int statuses[] = {200, 300, 400, 500};

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char text[] = {(char)('0' + statuses[i] / 100), '0', '0', 0};

        if (is_text(m, text))
            return statuses[i];
    }
    return 0;
}

static bool is_metadata(struct sf_zap_bytes b)
{
    const uint8_t *at = b.data;
    size_t left = b.size;
    struct sf_property p;
    int more;

    while ((more = sf_metadata_next(&at, &left, &p)) > 0)
        ;
    return more == 0;
}

/* Reads a reply of so many frames, the first seven in `m`: 0, or what is wrong with it. */
static uint32_t read_reply(struct sf_zap_answer *a, sifr_msg_t *m, int frames)
{
    if (frames != REPLY_FRAMES)
        return SIFR_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY;
    if (sifr_msg_size(&m[0]) > 0)
        return SIFR_PROTOCOL_ERROR_ZAP_UNSPECIFIED;
    if (!is_text(&m[1], VERSION))
        return SIFR_PROTOCOL_ERROR_ZAP_BAD_VERSION;
    if (!is_text(&m[2], REQUEST_ID))
        return SIFR_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID;
    a->status = status_of(&m[3]);
    if (!a->status)
        return SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE;
    a->text = bytes_of(&m[4]);
    a->user = bytes_of(&m[5]);
    a->metadata = bytes_of(&m[6]);
    return is_metadata(a->metadata) ? 0 : SIFR_PROTOCOL_ERROR_ZAP_INVALID_METADATA;
}

/* Takes one message off the line, its first frames into `m`: how many it has, or -errno. */
static int get_reply(struct sifr_socket *s, sifr_msg_t *m)
{
    sifr_msg_t rest;
    int frames = 0, more = 1;

    sifr_msg_init(&rest);
    while (more) {
        sifr_msg_t *to = frames < REPLY_FRAMES ? &m[frames] : &rest;

        if (sifr_msg_recv(to, s, SIFR_DONTWAIT) < 0) {
            frames = -errno;
            break;
        }
        more = sifr_msg_more(to);
        frames++;
    }
    sifr_msg_close(&rest);
    return frames;
}

/* A line has news: a reply, or the handler has gone. */
static void hear(struct sf_task *t)
{
    struct sf_zap_line *l = SF_CONTAINER(t, struct sf_zap_line, task);
    struct sf_zap_asker *a = l->asker;
    struct sf_zap *z = l->zap;
    struct sf_zap_answer said = {0};
    sifr_msg_t m[REPLY_FRAMES];
    int frames;

    if (sf_list_empty(&l->node))
        return; /* closed meanwhile */
    for (int i = 0; i < REPLY_FRAMES; i++)
        sifr_msg_init(&m[i]);
    frames = get_reply(l->dealer, m);
    if (frames > 0) {
        said.error = read_reply(&said, m, frames);
        said.err = said.error ? -EPROTO : 0;
    } else if (frames != -EAGAIN) {
        said.err = frames;
    } else if (state_of(l) == GONE) {
        said.err = -EPIPE;
    }
    if (frames != -EAGAIN || said.err) {
        close_line(l);
        sf_loop_post(a->loop, &a->serve);
        if (z)
            answer(z, &said);
    }
    for (int i = 0; i < REPLY_FRAMES; i++)
        sifr_msg_close(&m[i]);
}

/* --- Askers ------------------------------------------------------------ */

static void serve(struct sf_task *t)
{
    struct sf_zap_asker *a = SF_CONTAINER(t, struct sf_zap_asker, serve);

    while (!sf_list_empty(&a->waiting) && a->n_lines < SF_ZAP_QUEUES) {
        struct sf_zap *z = SF_CONTAINER(a->waiting.next, struct sf_zap, node);
        int err;

        sf_list_remove(&z->node);
        err = ask(z, a, z->copy);
        free_copy(z);
        if (err)
            fail(z, err == -ENOENT ? -EPIPE : err);
    }
}

static void stop(struct sf_task *t)
{
    struct sf_zap_asker *a = SF_CONTAINER(t, struct sf_zap_asker, stop);

    while (!sf_list_empty(&a->waiting))
        fail(SF_CONTAINER(a->waiting.next, struct sf_zap, node), -SIFR_ETERM);
    while (!sf_list_empty(&a->stale))
        close_line(SF_CONTAINER(a->stale.next, struct sf_zap_line, node));
    while (!sf_list_empty(&a->asked)) {
        struct sf_zap_line *l = SF_CONTAINER(a->asked.next, struct sf_zap_line, node);
        struct sf_zap *z = l->zap;

        close_line(l);
        fail(z, -SIFR_ETERM);
    }
}

/* The loop's asker, which is made when the first question comes. 0, -ETERM or -ENOMEM. */
static int asker_of(struct sf_zap_asker **out, struct sifr_ctx *ctx, struct sf_loop *loop)
{
    struct sf_zap_asker *a = NULL;
    int err = 0;

    sf_lock_take(&ctx->lock);
    SF_LIST_EACH(it, after, &ctx->zaps) {
        struct sf_zap_asker *each = SF_CONTAINER(it, struct sf_zap_asker, node);

        if (each->loop == loop)
            a = each;
    }
    if (atomic_load(&ctx->terminating)) {
        err = -SIFR_ETERM;
    } else if (!a) {
        a = sf_alloc(sizeof *a);
        err = a ? 0 : -ENOMEM;
        if (a) {
            a->ctx = ctx;
            a->loop = loop;
            a->stop.run = stop;
            a->serve.run = serve;
            sf_list_init(&a->waiting);
            sf_list_init(&a->asked);
            sf_list_init(&a->stale);
            sf_list_push(&ctx->zaps, &a->node);
        }
    }
    sf_lock_drop(&ctx->lock);
    *out = a;
    return err;
}

int sf_zap_ask(struct sf_zap *z, struct sifr_ctx *ctx, struct sf_loop *loop,
               const struct sf_zap_request *r)
{
    struct sf_zap_asker *a;
    int err = asker_of(&a, ctx, loop);

    if (err)
        return err;
    sf_list_init(&z->node);
    if (a->n_lines >= SF_ZAP_QUEUES)
        sweep(a);
    if (a->n_lines < SF_ZAP_QUEUES && sf_list_empty(&a->waiting)) {
        err = ask(z, a, r);
    } else {
        z->copy = copy_of(r);
        if (z->copy)
            sf_list_push(&a->waiting, &z->node);
        else
            err = -ENOMEM;
    }
    if (err == 0)
        z->asker = a;
    if (!sf_list_empty(&a->waiting) && a->n_lines < SF_ZAP_QUEUES)
        sf_loop_post(a->loop, &a->serve);
    return err;
}

void sf_zap_cancel(struct sf_zap *z)
{
    struct sf_zap_asker *a = z->asker;
    struct sf_zap_line *l = z->line;

    if (!a)
        return;
    settle(z);
    if (!l)
        return;
    l->zap = NULL;
    if (state_of(l) == UNREAD) {
        sf_list_remove(&l->node);
        sf_list_push(&a->stale, &l->node);
    } else {
        close_line(l);
        sf_loop_post(a->loop, &a->serve);
    }
}

bool sf_zap_wanted(const char *mechanism, bool domain, bool enforce)
{
    if (strcmp(mechanism, "NULL") == 0)
        return domain;
    return strcmp(mechanism, "CURVE") != 0 || domain || !enforce;
}

int sf_zap_unhandled(const char *mechanism, bool domain, bool enforce)
{
    if (strcmp(mechanism, "PLAIN") == 0)
        return -EFAULT;
    if (strcmp(mechanism, "GSSAPI") == 0)
        return 0;
    return domain && enforce ? -EFAULT : 0;
}

void sf_zap_stop(struct sifr_ctx *ctx)
{
    sf_lock_take(&ctx->lock);
    SF_LIST_EACH(it, after, &ctx->zaps) {
        struct sf_zap_asker *a = SF_CONTAINER(it, struct sf_zap_asker, node);

        sf_loop_post(a->loop, &a->stop);
    }
    sf_lock_drop(&ctx->lock);
}

void sf_zap_forget(struct sifr_ctx *ctx)
{
    while (!sf_list_empty(&ctx->zaps)) {
        struct sf_zap_asker *a = SF_CONTAINER(ctx->zaps.next, struct sf_zap_asker, node);

        sf_list_remove(&a->node);
        sf_free(a);
    }
}
