/* Monitors: what happens to a socket's connections, as messages on an inproc PAIR. */
#include "core/monitor.h"
#include "base/alloc.h"
#include "core/socket.h"

#include <errno.h>
#include <string.h>

enum { PENDING_MAX = 10000 };

struct event {
    struct event *next;
    uint16_t number;
    uint32_t value;
    char endpoint[];
};

/* Guarded by the monitored socket's monitor_lock. */
struct sf_monitor {
    struct sf_task task;        /* delivers what waits; posted when the reader came or read */
    struct sf_task end;         /* frees us; posted once, when `task` can be posted no more */
    struct sifr_socket *target; /* shares; whose events they are */
    struct sifr_socket *pair;   /* owns; NULL once stopped */
    struct sf_loop *loop;
    struct event *first, **last; /* found no reader or no room yet */
    size_t n;
    uint64_t dropped;
};

/* Both frames are made before the first is sent: without memory nothing of the event is. */
static int put(struct sifr_socket *pair, const struct event *e)
{
    uint8_t head[6];
    struct sf_msg first, second;
    int err;

    memcpy(head, &e->number, 2);
    memcpy(head + 2, &e->value, 4);
    err = sf_msg_init_copy(&second, e->endpoint, strlen(e->endpoint));
    if (err)
        return err;
    err = sf_msg_init_copy(&first, head, sizeof head);
    if (err == 0) {
        err = sf_socket_send_now(pair, &first, true, false);
        if (err == 0)
            err = sf_socket_send_now(pair, &second, false, false); /* or the first is taken back */
        sf_msg_close(&first);
    }
    sf_msg_close(&second);
    return err;
}

/* Hands over what can be; the rest waits. */
static void deliver(struct sf_monitor *m)
{
    if (!m->pair || sf_socket_enter(m->pair) != 0)
        return;
    while (m->first && put(m->pair, m->first) == 0) {
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

static void append(struct sf_monitor *m, unsigned number, uint64_t value, const char *endpoint)
{
    size_t size = endpoint ? strlen(endpoint) : 0;
    struct event *e = sf_alloc(sizeof *e + size + 1);

    if (!e) {
        m->dropped++;
        return;
    }
    e->number = (uint16_t)number;
    e->value = (uint32_t)value;
    if (size)
        memcpy(e->endpoint, endpoint, size);
    *m->last = e;
    m->last = &e->next;
    m->n++;
}

void sf_monitor_emit(struct sifr_socket *s, unsigned number, uint64_t value, const char *endpoint)
{
    if (!(atomic_load_explicit(&s->monitored, memory_order_relaxed) & number))
        return;
    sf_lock_take(&s->monitor_lock);
    if (s->monitor) {
        if (s->monitor->n < PENDING_MAX)
            append(s->monitor, number, value, endpoint);
        else
            s->monitor->dropped++;
        deliver(s->monitor);
    }
    sf_lock_drop(&s->monitor_lock);
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
            append(m, SIFR_EVENT_MONITOR_STOPPED, 0, "");
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
static int start(struct sifr_socket *s, const char *address, uint32_t mask)
{
    struct sf_monitor *m;
    struct sifr_socket *pair;
    int err;

    m = sf_alloc(sizeof *m);
    if (!m)
        return -ENOMEM;
    err = sf_socket_new(&pair, s->ctx, SIFR_PAIR);
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
    m->last = &m->first;
    sf_lock_take(&pair->watch_lock);
    pair->hook_loop = m->loop;
    atomic_store(&pair->hook, &m->task);
    sf_lock_drop(&pair->watch_lock);
    sf_lock_take(&s->monitor_lock);
    s->monitor = m;
    atomic_store(&s->monitored, mask);
    sf_lock_drop(&s->monitor_lock);
    return 0;
}

int sifr_socket_monitor(sifr_socket_t *sock, const char *address, int events)
{
    const struct sf_transport *transport;
    int err = sf_socket_enter(sock);

    if (err == 0) {
        if (address)
            err = sf_transport_of(&transport, address, NULL);
        if (err == 0 && address && !transport->inproc)
            err = -EPROTONOSUPPORT;
        if (err == 0 && (events & ~SIFR_EVENT_ALL) && address)
            err = -EINVAL;
        if (err == 0) {
            sf_monitor_stop(sock);
            if (address)
                err = start(sock, address, (uint32_t)events);
        }
        sf_socket_leave(sock);
    }
    if (err) {
        errno = -err;
        return -1;
    }
    return 0;
}
