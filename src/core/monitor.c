/* Monitors: what happens to a socket's connections, as messages on an inproc socket. */
#include "core/monitor.h"
#include "base/alloc.h"
#include "core/conn.h"
#include "core/socket.h"

#include <errno.h>
#include <string.h>

enum { PENDING_MAX = 10000, FRAMES_MAX = 6 };

struct event {
    struct event *next;
    uint32_t number;
    bool dialed;
    int n_values;
    uint64_t values[2];
    const char *local, *remote; /* in text */
    char text[];
};

/* Guarded by the monitored socket's monitor_lock. */
struct sf_monitor {
    struct sf_task task;        /* delivers what waits; posted when the reader came or read */
    struct sf_task end;         /* frees us; posted once, when `task` can be posted no more */
    struct sifr_socket *target; /* shares; whose events they are */
    struct sifr_socket *pair;   /* owns, whatever its type; NULL once stopped */
    int version;                /* of what an event looks like */
    struct sf_loop *loop;
    struct event *first, **last; /* found no reader or no room yet */
    size_t n;
    uint64_t dropped;
};

/* A frame of an event. */
struct frame {
    const void *bytes;
    size_t size;
};

/* What was begun was taken back, and its rest goes nowhere: this is the rest, so that the next is heard. */
static void end_swallowed(struct sifr_socket *pair)
{
    struct sf_msg end;

    sf_msg_init(&end);
    sf_socket_send_now(pair, &end, false, false);
    sf_msg_close(&end);
}

/* All frames are made before the first is sent: without memory nothing of the event is. */
static int put_frames(struct sifr_socket *pair, const struct frame *frames, int n)
{
    struct sf_msg msgs[FRAMES_MAX];
    int made = 0, err = 0;

    for (; made < n && err == 0; made++)
        err = sf_msg_init_copy(&msgs[made], frames[made].bytes, frames[made].size);
    if (err)
        made--;
    for (int i = 0; i < n && err == 0; i++) { /* or those before are taken back */
        err = sf_socket_send_now(pair, &msgs[i], i + 1 < n, false);
        if (err == -ENOMEM && i > 0)
            end_swallowed(pair);
    }
    while (made)
        sf_msg_close(&msgs[--made]);
    return err;
}

static int put_v1(struct sifr_socket *pair, const struct event *e)
{
    const char *endpoint = e->dialed ? e->remote : e->local;
    uint16_t number = (uint16_t)e->number;
    uint32_t value = (uint32_t)e->values[0];
    uint8_t head[6];

    memcpy(head, &number, 2);
    memcpy(head + 2, &value, 4);
    return put_frames(pair, (struct frame[]){{head, sizeof head}, {endpoint, strlen(endpoint)}}, 2);
}

static int put_v2(struct sifr_socket *pair, const struct event *e)
{
    uint64_t number = e->number, count = (uint64_t)e->n_values;
    struct frame frames[FRAMES_MAX] = {{&number, sizeof number}, {&count, sizeof count}};
    int n = 2;

    for (int i = 0; i < e->n_values; i++)
        frames[n++] = (struct frame){&e->values[i], sizeof e->values[i]};
    frames[n++] = (struct frame){e->local, strlen(e->local)};
    frames[n++] = (struct frame){e->remote, strlen(e->remote)};
    return put_frames(pair, frames, n);
}

/* Hands over what can be; the rest waits. */
static void deliver(struct sf_monitor *m)
{
    if (!m->pair || sf_socket_enter(m->pair) != 0)
        return;
    while (m->first && (m->version == 1 ? put_v1 : put_v2)(m->pair, m->first) == 0) {
        struct event *e = m->first;

        m->first = e->next;
        if (!m->first)
            m->last = &m->first;
        m->n--;
        sf_free(e);
    }
    sf_socket_leave(m->pair);
}

static void monitor_free(struct sf_monitor *m)
{
    while (m->first) {
        struct event *e = m->first;

        m->first = e->next;
        sf_free(e);
    }
    sf_socket_unref(m->target);
    sf_free(m);
}

static void run(struct sf_task *t)
{
    struct sf_monitor *m = SF_CONTAINER(t, struct sf_monitor, task);

    sf_lock_take(&m->target->monitor_lock);
    deliver(m);
    sf_lock_drop(&m->target->monitor_lock);
}

/* Tasks run in the order posted: `task` has had its last run. */
static void end(struct sf_task *t)
{
    monitor_free(SF_CONTAINER(t, struct sf_monitor, end));
}

static void append(struct sf_monitor *m, unsigned number, const uint64_t *values, int n_values,
                   struct sf_ends at)
{
    const char *local = at.local ? at.local : "", *remote = at.remote ? at.remote : "";
    size_t local_size = strlen(local) + 1, remote_size = strlen(remote) + 1;
    struct event *e = sf_alloc(sizeof *e + local_size + remote_size);

    if (!e) {
        m->dropped++;
        return;
    }
    e->number = number;
    e->dialed = at.dialed;
    e->n_values = n_values;
    memcpy(e->values, values, (size_t)n_values * sizeof *values);
    e->local = memcpy(e->text, local, local_size);
    e->remote = memcpy(e->text + local_size, remote, remote_size);
    *m->last = e;
    m->last = &e->next;
    m->n++;
}

static bool wants(struct sifr_socket *s, unsigned number)
{
    return atomic_load_explicit(&s->monitored, memory_order_relaxed) & number;
}

bool sf_monitor_wants_ends(struct sifr_socket *s, unsigned number)
{
    return wants(s, number) && wants(s, SF_MONITOR_ENDS);
}

static void emit(struct sifr_socket *s, unsigned number, const uint64_t *values, int n_values,
                 struct sf_ends at)
{
    sf_lock_take(&s->monitor_lock);
    if (s->monitor) {
        if (s->monitor->n < PENDING_MAX)
            append(s->monitor, number, values, n_values, at);
        else
            s->monitor->dropped++;
        deliver(s->monitor);
    }
    sf_lock_drop(&s->monitor_lock);
}

void sf_monitor_emit(struct sifr_socket *s, unsigned number, uint64_t value, struct sf_ends at)
{
    if (wants(s, number))
        emit(s, number, &value, 1, at);
}

void sf_monitor_stop(struct sifr_socket *s)
{
    struct sf_monitor *m;
    uint32_t mask;

    sf_lock_take(&s->monitor_lock);
    m = s->monitor;
    s->monitor = NULL;
    mask = atomic_exchange(&s->monitored, 0);
    if (m) {
        struct sifr_socket *pair = m->pair;

        if (mask & SIFR_EVENT_MONITOR_STOPPED)
            append(m, SIFR_EVENT_MONITOR_STOPPED, &(uint64_t){0}, 1, (struct sf_ends){0});
        deliver(m);
        m->pair = NULL;
        sf_lock_take(&pair->watch_lock);
        atomic_store(&pair->hook, NULL);
        sf_lock_drop(&pair->watch_lock);
        sifr_close(pair);
    }
    sf_lock_drop(&s->monitor_lock);
    if (m)
        sf_loop_post(m->loop, &m->end); /* the loop may still hold `task` */
}

/* Starts a monitor of `s`, whose turn is held. */
static int start(struct sifr_socket *s, const char *address, uint32_t mask, int version, int type)
{
    struct sf_monitor *m;
    struct sifr_socket *pair;
    int err;

    m = sf_alloc(sizeof *m);
    if (!m)
        return -ENOMEM;
    err = sf_socket_new(&pair, s->ctx, type);
    if (err) {
        sf_free(m);
        return err;
    }
    pair->opt.linger = 0;
    pair->opt.snd_hwm = PENDING_MAX;
    atomic_store(&pair->hwm[0], PENDING_MAX);
    m->loop = sf_ctx_loop(s->ctx, 0);
    if (!m->loop || sifr_bind(pair, address) != 0) {
        err = m->loop ? -errno : -SIFR_EMTHREAD;
        sifr_close(pair);
        sf_free(m);
        return err;
    }
    m->task.run = run;
    m->end.run = end;
    m->target = sf_socket_ref(s);
    m->pair = pair;
    m->version = version;
    m->last = &m->first;
    sf_lock_take(&pair->watch_lock);
    pair->hook_loop = m->loop;
    atomic_store(&pair->hook, &m->task);
    sf_lock_drop(&pair->watch_lock);
    sf_lock_take(&s->monitor_lock);
    s->monitor = m;
    atomic_store(&s->monitored, mask | (version == 1 ? 0 : SF_MONITOR_ENDS));
    sf_lock_drop(&s->monitor_lock);
    return 0;
}

/* Whether such a monitor can be: 0 or -errno. */
static int check(const char *address, uint64_t events, int version, int type)
{
    const struct sf_transport *transport;
    int err = sf_transport_of(&transport, address, NULL);

    if (err)
        return err;
    if (!transport->inproc)
        return -EPROTONOSUPPORT;
    if (version != 1 && version != 2)
        return -EINVAL;
    if (events & ~(uint64_t)(version == 1 ? SIFR_EVENT_ALL_V1 : SIFR_EVENT_ALL_V2))
        return -EINVAL;
    return type == SIFR_PAIR || type == SIFR_PUB || type == SIFR_PUSH ? 0 : -EINVAL;
}

static int answer(int err)
{
    if (err == 0)
        return 0;
    errno = -err;
    return -1;
}

int sifr_socket_monitor_versioned(sifr_socket_t *sock, const char *address, uint64_t events,
                                  int version, int type)
{
    int err = sf_socket_enter(sock);

    if (err)
        return answer(err);
    if (address)
        err = check(address, events, version, type);
    if (err == 0) {
        sf_monitor_stop(sock);
        if (address)
            err = start(sock, address, (uint32_t)events, version, type);
    }
    sf_socket_leave(sock);
    return answer(err);
}

int sifr_socket_monitor(sifr_socket_t *sock, const char *address, int events)
{
    return sifr_socket_monitor_versioned(sock, address, (uint64_t)(unsigned)events, 1, SIFR_PAIR);
}

/* Reports what the queues of a partner hold. With the turn. */
static void emit_stats(struct sifr_socket *s, struct sf_link *l)
{
    struct sf_ends at = {.dialed = l->peer.dialed};
    struct sf_flow out, in;

    sf_pipe_flow(l->out, &out);
    sf_pipe_flow(l->in, &in);
    if (l->conn && at.dialed)
        at.remote = sf_conn_text(l->conn);
    else if (l->conn)
        at.local = sf_conn_text(l->conn);
    emit(s, SIFR_EVENT_PIPES_STATS, (uint64_t[]){out.depth, in.depth}, 2, at);
}

int sifr_socket_monitor_pipes_stats(sifr_socket_t *sock)
{
    int err = sf_socket_enter(sock);

    if (err)
        return answer(err);
    if (!wants(sock, SIFR_EVENT_PIPES_STATS))
        err = -EINVAL;
    else if (sf_list_empty(&sock->base.peers))
        err = -EAGAIN;
    SF_LIST_EACH(it, after, &sock->base.peers)
    {
        if (err == 0)
            emit_stats(sock, sf_link_of(SF_CONTAINER(it, struct sf_peer, node)));
    }
    sf_socket_leave(sock);
    return answer(err);
}
