/* Listening addresses and the connections accepted there. */
#include "core/listener.h"
#include "base/alloc.h"
#include "core/monitor.h"
#include "core/socket.h"

#include <errno.h>
#include <string.h>

enum { ACCEPT_BATCH = 256, PAUSE_MS = 50 };

struct sf_listener *sf_listener_ref(struct sf_listener *l)
{
    atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    return l;
}

void sf_listener_unref(struct sf_listener *l)
{
    struct sifr_socket *s = l->socket;

    if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
        return;
    sf_profile_unref(l->profile);
    sf_free(l->text);
    sf_free(l);
    sf_socket_unref(s);
}

static void emit(struct sf_listener *l, unsigned event, uint64_t value)
{
    sf_monitor_emit(l->socket, event, value, (struct sf_ends){.local = l->text});
}

static void emit_accepted(struct sf_listener *l, struct sf_stream *stream)
{
    char local[SF_STREAM_NAME_MAX], remote[SF_STREAM_NAME_MAX];
    struct sf_ends at = {.local = l->text};

    if (sf_monitor_wants_ends(l->socket, SIFR_EVENT_ACCEPTED) &&
        stream->ops->names(stream, local, remote, sizeof remote) == 0)
        at.remote = remote;
    sf_monitor_emit(l->socket, SIFR_EVENT_ACCEPTED, (uint64_t)stream->fd, at);
}

static void accept_some(struct sf_watch *w, unsigned events)
{
    struct sf_listener *l = SF_CONTAINER(w, struct sf_listener, watch);

    (void)events;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sf_stream *stream;
        int err = l->acceptor->transport->accept(l->acceptor, &l->profile->opt.stream, &stream);

        if (err == 0) {
            emit_accepted(l, stream);
            err = sf_conn_accepted(l, stream);
            if (err)
                stream->ops->close(stream);
            continue;
        }
        if (err == -EAGAIN)
            return;
        emit(l, SIFR_EVENT_ACCEPT_FAILED, (uint64_t)-err);
        if (err == -ECONNABORTED)
            continue;
        /* No descriptor or memory for it: it stays in the backlog until we look again. */
        sf_loop_watch(l->loop, w, 0);
        sf_loop_timer(l->loop, &l->pause, PAUSE_MS);
        return;
    }
}

static void resume(struct sf_timer *t)
{
    struct sf_listener *l = SF_CONTAINER(t, struct sf_listener, pause);

    if (l->acceptor && sf_loop_watch(l->loop, &l->watch, SF_READ) != 0)
        sf_loop_timer(l->loop, t, PAUSE_MS);
}

static void close_here(struct sf_listener *l)
{
    uint64_t fd;

    sf_loop_cancel(l->loop, &l->pause);
    if (l->acceptor) {
        fd = (uint64_t)l->acceptor->fd;
        sf_loop_unwatch(l->loop, &l->watch);
        l->acceptor->transport->close(l->acceptor);
        l->acceptor = NULL;
        emit(l, SIFR_EVENT_CLOSED, fd);
    }
    SF_LIST_EACH(it, after, &l->conns)
    {
        struct sf_conn *c = SF_CONTAINER(it, struct sf_conn, node);

        atomic_store(&c->linger, l->linger);
        sf_conn_poke(c, SF_TODO_CLOSE);
    }
    atomic_store(&l->is_closed, 1);
    sf_bell_ring(&l->closed);
}

static void start(struct sf_task *t)
{
    struct sf_listener *l = SF_CONTAINER(t, struct sf_listener, start);

    if (sf_loop_watch(l->loop, &l->watch, SF_READ) != 0)
        sf_loop_timer(l->loop, &l->pause, PAUSE_MS);
}

static void end(struct sf_task *t)
{
    struct sf_listener *l = SF_CONTAINER(t, struct sf_listener, end);

    close_here(l);
    sf_listener_unref(l); /* the loop's */
}

/* Closes what never served anybody. */
static void take_back(struct sf_acceptor *a, const struct sf_profile *profile)
{
    if (a->fd == profile->opt.stream.use_fd)
        a->fd = -1; /* the bind fails, so it stays the program's */
    a->transport->close(a);
}

int sf_listener_new(struct sf_listener **out, struct sifr_socket *s, struct sf_loop *loop,
                    struct sf_profile *profile, const struct sf_endpoint *e)
{
    struct sf_listener *l = sf_alloc(sizeof *l);
    int err;

    if (!l)
        return -ENOMEM;
    err = e->transport->listen(e, &profile->opt.stream, &l->acceptor);
    if (err) {
        sf_monitor_emit(s, SIFR_EVENT_BIND_FAILED, (uint64_t)-err,
                        (struct sf_ends){.local = e->text});
        sf_free(l);
        return err;
    }
    l->text = sf_alloc_text(l->acceptor->text, strlen(l->acceptor->text));
    if (!l->text) {
        take_back(l->acceptor, profile);
        sf_free(l);
        return -ENOMEM;
    }
    atomic_init(&l->refs, 1);
    l->loop = loop;
    l->socket = sf_socket_ref(s);
    l->profile = sf_profile_ref(profile);
    l->start.run = start;
    l->end.run = end;
    l->watch.fd = l->acceptor->fd;
    l->watch.ready = accept_some;
    l->pause.fire = resume;
    sf_list_init(&l->conns);
    *out = l;
    return 0;
}

void sf_listener_start(struct sf_listener *l)
{
    sf_listener_ref(l); /* the loop's */
    emit(l, SIFR_EVENT_LISTENING, (uint64_t)l->acceptor->fd);
    sf_loop_post(l->loop, &l->start);
}

void sf_listener_discard(struct sf_listener *l)
{
    take_back(l->acceptor, l->profile);
    sf_listener_unref(l);
}

void sf_listener_close(struct sf_listener *l, int linger)
{
    l->linger = linger;
    sf_loop_post(l->loop, &l->end);
    if (sf_loop_here(l->loop))
        return; /* a free function that closes: done at the end of this turn */
    for (;;) {
        uint32_t ticket = sf_bell_enter(&l->closed);
        bool closed = atomic_load(&l->is_closed);

        if (!closed)
            sf_bell_wait(&l->closed, ticket, -1); /* the loop never waits for us */
        sf_bell_leave(&l->closed);
        if (closed)
            return;
    }
}
