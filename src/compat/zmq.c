/*
 * ZeroMQ's names for what sifr does: each function is the one of the same name in sifr.h. Handles
 * are void pointers here; sifr looks at them before it follows them.
 */
#include "compat/compat.h"


/* --- The library ----------------------------------------------------------- */

void zmq_version(int *major, int *minor, int *patch)
{
    if (major)
        *major = ZMQ_VERSION_MAJOR;
    if (minor)
        *minor = ZMQ_VERSION_MINOR;
    if (patch)
        *patch = ZMQ_VERSION_PATCH;
}

int zmq_errno(void)
{
    return sifr_errno();
}

const char *zmq_strerror(int errnum)
{
    return sifr_strerror(errnum);
}

int zmq_has(const char *capability)
{
    return sifr_has(capability);
}

/* --- Contexts -------------------------------------------------------------- */

void *zmq_ctx_new(void)
{
    return sifr_ctx_new();
}

int zmq_ctx_term(void *context)
{
    return sifr_ctx_term(context);
}

int zmq_ctx_destroy(void *context)
{
    return sifr_ctx_term(context);
}

int zmq_term(void *context)
{
    return sifr_ctx_term(context);
}

int zmq_ctx_shutdown(void *context)
{
    return sifr_ctx_shutdown(context);
}

int zmq_ctx_set(void *context, int option, int optval)
{
    return sifr_ctx_set(context, option, optval);
}

int zmq_ctx_get(void *context, int option)
{
    return sifr_ctx_get(context, option);
}

int zmq_ctx_set_ext(void *context, int option, const void *optval, size_t optvallen)
{
    return sifr_ctx_set_ext(context, option, optval, optvallen);
}

int zmq_ctx_get_ext(void *context, int option, void *optval, size_t *optvallen)
{
    return sifr_ctx_get_ext(context, option, optval, optvallen);
}

void *zmq_init(int io_threads)
{
    void *context;

    if (io_threads < 0) {
        errno = EINVAL;
        return NULL;
    }
    context = sifr_ctx_new();
    if (context)
        sifr_ctx_set(context, SIFR_IO_THREADS, io_threads);
    return context;
}

/* --- Messages -------------------------------------------------------------- */

int zmq_msg_init(zmq_msg_t *msg)
{
    return sifr_msg_init(sf_compat_msg(msg));
}

int zmq_msg_init_size(zmq_msg_t *msg, size_t size)
{
    return sifr_msg_init_size(sf_compat_msg(msg), size);
}

int zmq_msg_init_buffer(zmq_msg_t *msg, const void *buf, size_t size)
{
    return sifr_msg_init_buffer(sf_compat_msg(msg), buf, size);
}

int zmq_msg_init_data(zmq_msg_t *msg, void *data, size_t size, zmq_free_fn *ffn, void *hint)
{
    return sifr_msg_init_data(sf_compat_msg(msg), data, size, ffn, hint);
}

int zmq_msg_send(zmq_msg_t *msg, void *s, int flags)
{
    return sifr_msg_send(sf_compat_msg(msg), s, flags);
}

int zmq_msg_recv(zmq_msg_t *msg, void *s, int flags)
{
    return sifr_msg_recv(sf_compat_msg(msg), s, flags);
}

int zmq_sendmsg(void *s, zmq_msg_t *msg, int flags)
{
    return sifr_msg_send(sf_compat_msg(msg), s, flags);
}

int zmq_recvmsg(void *s, zmq_msg_t *msg, int flags)
{
    return sifr_msg_recv(sf_compat_msg(msg), s, flags);
}

int zmq_msg_close(zmq_msg_t *msg)
{
    return sifr_msg_close(sf_compat_msg(msg));
}

int zmq_msg_move(zmq_msg_t *dest, zmq_msg_t *src)
{
    return sifr_msg_move(sf_compat_msg(dest), sf_compat_msg(src));
}

int zmq_msg_copy(zmq_msg_t *dest, zmq_msg_t *src)
{
    return sifr_msg_copy(sf_compat_msg(dest), sf_compat_msg(src));
}

void *zmq_msg_data(zmq_msg_t *msg)
{
    return sifr_msg_data(sf_compat_msg(msg));
}

size_t zmq_msg_size(const zmq_msg_t *msg)
{
    return sifr_msg_size(sf_compat_msg(msg));
}

int zmq_msg_more(const zmq_msg_t *msg)
{
    return sifr_msg_more(sf_compat_msg(msg));
}

int zmq_msg_get(const zmq_msg_t *msg, int property)
{
    return sifr_msg_get(sf_compat_msg(msg), property);
}

int zmq_msg_set(zmq_msg_t *msg, int property, int optval)
{
    return sifr_msg_set(sf_compat_msg(msg), property, optval);
}

const char *zmq_msg_gets(const zmq_msg_t *msg, const char *property)
{
    return sifr_msg_gets(sf_compat_msg(msg), property);
}

/* --- Sockets --------------------------------------------------------------- */

void *zmq_socket(void *context, int type)
{
    return sifr_socket(context, type);
}

int zmq_close(void *s)
{
    return sifr_close(s);
}

int zmq_setsockopt(void *s, int option, const void *optval, size_t optvallen)
{
    return sifr_setsockopt(s, option, optval, optvallen);
}

int zmq_getsockopt(void *s, int option, void *optval, size_t *optvallen)
{
    return sifr_getsockopt(s, option, optval, optvallen);
}

int zmq_bind(void *s, const char *addr)
{
    return sifr_bind(s, addr);
}

int zmq_connect(void *s, const char *addr)
{
    return sifr_connect(s, addr);
}

int zmq_unbind(void *s, const char *addr)
{
    return sifr_unbind(s, addr);
}

int zmq_disconnect(void *s, const char *addr)
{
    return sifr_disconnect(s, addr);
}

int zmq_send(void *s, const void *buf, size_t len, int flags)
{
    return sifr_send(s, buf, len, flags);
}

int zmq_send_const(void *s, const void *buf, size_t len, int flags)
{
    return sifr_send_const(s, buf, len, flags);
}

int zmq_recv(void *s, void *buf, size_t len, int flags)
{
    return sifr_recv(s, buf, len, flags);
}

int zmq_socket_get_peer_state(void *s, const void *routing_id, size_t routing_id_size)
{
    return sifr_socket_get_peer_state(s, routing_id, routing_id_size);
}

int zmq_socket_monitor(void *s, const char *addr, int events)
{
    return sifr_socket_monitor(s, addr, events);
}

int zmq_socket_monitor_versioned(void *s, const char *addr, uint64_t events, int event_version,
                                 int type)
{
    return sifr_socket_monitor_versioned(s, addr, events, event_version, type);
}

int zmq_socket_monitor_pipes_stats(void *s)
{
    return sifr_socket_monitor_pipes_stats(s);
}

int zmq_proxy(void *frontend, void *backend, void *capture)
{
    return sifr_proxy(frontend, backend, capture);
}

int zmq_proxy_steerable(void *frontend, void *backend, void *capture, void *control)
{
    return sifr_proxy_steerable(frontend, backend, capture, control);
}

int zmq_device(int type, void *frontend, void *backend)
{
    (void)type;
    return sifr_proxy(frontend, backend, NULL);
}

/* --- Polling --------------------------------------------------------------- */

int zmq_poll(zmq_pollitem_t *items, int nitems, long timeout)
{
    return sifr_poll((sifr_pollitem_t *)(void *)items, nitems, timeout);
}

int zmq_ppoll(zmq_pollitem_t *items, int nitems, long timeout, const sigset_t *sigmask)
{
    return sifr_ppoll((sifr_pollitem_t *)(void *)items, nitems, timeout, sigmask);
}

void *zmq_poller_new(void)
{
    return sifr_poller_new();
}

int zmq_poller_destroy(void **poller_p)
{
    return sifr_poller_destroy((sifr_poller_t **)(void *)poller_p);
}

int zmq_poller_size(void *poller)
{
    return sifr_poller_size(poller);
}

int zmq_poller_add(void *poller, void *s, void *user_data, short events)
{
    return sifr_poller_add(poller, s, user_data, events);
}

int zmq_poller_modify(void *poller, void *s, short events)
{
    return sifr_poller_modify(poller, s, events);
}

int zmq_poller_remove(void *poller, void *s)
{
    return sifr_poller_remove(poller, s);
}

int zmq_poller_add_fd(void *poller, zmq_fd_t fd, void *user_data, short events)
{
    return sifr_poller_add_fd(poller, fd, user_data, events);
}

int zmq_poller_modify_fd(void *poller, zmq_fd_t fd, short events)
{
    return sifr_poller_modify_fd(poller, fd, events);
}

int zmq_poller_remove_fd(void *poller, zmq_fd_t fd)
{
    return sifr_poller_remove_fd(poller, fd);
}

int zmq_poller_wait(void *poller, zmq_poller_event_t *event, long timeout)
{
    return sifr_poller_wait(poller, (sifr_poller_event_t *)(void *)event, timeout);
}

int zmq_poller_wait_all(void *poller, zmq_poller_event_t *events, int n_events, long timeout)
{
    return sifr_poller_wait_all(poller, (sifr_poller_event_t *)(void *)events, n_events, timeout);
}

int zmq_poller_fd(void *poller, zmq_fd_t *fd)
{
    return sifr_poller_fd(poller, fd);
}

/* --- Keys and tools -------------------------------------------------------- */

char *zmq_z85_encode(char *dest, const uint8_t *data, size_t size)
{
    return sifr_z85_encode(dest, data, size);
}

uint8_t *zmq_z85_decode(uint8_t *dest, const char *string)
{
    return sifr_z85_decode(dest, string);
}

int zmq_curve_keypair(char *z85_public_key, char *z85_secret_key)
{
    return sifr_curve_keypair(z85_public_key, z85_secret_key);
}

int zmq_curve_public(char *z85_public_key, const char *z85_secret_key)
{
    return sifr_curve_public(z85_public_key, z85_secret_key);
}

void *zmq_atomic_counter_new(void)
{
    return sifr_atomic_counter_new();
}

void zmq_atomic_counter_set(void *counter, int value)
{
    sifr_atomic_counter_set(counter, value);
}

int zmq_atomic_counter_inc(void *counter)
{
    return sifr_atomic_counter_inc(counter);
}

int zmq_atomic_counter_dec(void *counter)
{
    return sifr_atomic_counter_dec(counter);
}

int zmq_atomic_counter_value(void *counter)
{
    return sifr_atomic_counter_value(counter);
}

void zmq_atomic_counter_destroy(void **counter_p)
{
    sifr_atomic_counter_destroy((sifr_counter_t **)(void *)counter_p);
}

void *zmq_timers_new(void)
{
    return sifr_timers_new();
}

int zmq_timers_destroy(void **timers_p)
{
    return sifr_timers_destroy((sifr_timers_t **)(void *)timers_p);
}

int zmq_timers_add(void *timers, size_t interval, zmq_timer_fn handler, void *arg)
{
    return sifr_timers_add(timers, interval, handler, arg);
}

int zmq_timers_cancel(void *timers, int timer_id)
{
    return sifr_timers_cancel(timers, timer_id);
}

int zmq_timers_set_interval(void *timers, int timer_id, size_t interval)
{
    return sifr_timers_set_interval(timers, timer_id, interval);
}

int zmq_timers_reset(void *timers, int timer_id)
{
    return sifr_timers_reset(timers, timer_id);
}

long zmq_timers_timeout(void *timers)
{
    return sifr_timers_timeout(timers);
}

int zmq_timers_execute(void *timers)
{
    return sifr_timers_execute(timers);
}

void *zmq_stopwatch_start(void)
{
    return sifr_stopwatch_start();
}

unsigned long zmq_stopwatch_intermediate(void *watch)
{
    return sifr_stopwatch_intermediate(watch);
}

unsigned long zmq_stopwatch_stop(void *watch)
{
    return sifr_stopwatch_stop(watch);
}

void zmq_sleep(int seconds)
{
    sifr_sleep(seconds);
}

void *zmq_threadstart(zmq_thread_fn *func, void *arg)
{
    return sifr_threadstart(func, arg);
}

void zmq_threadclose(void *thread)
{
    sifr_threadclose(thread);
}
