/* The proxy: moves whole messages between two sockets. */
#include <sifr.h>

#include <errno.h>

enum { BURST = 1000 };

/* A copy of the frame for the capture socket. */
static int capture_frame(sifr_socket_t *to, sifr_msg_t *msg, int flags)
{
    sifr_msg_t copy;
    int err;

    if (!to)
        return 0;
    sifr_msg_init(&copy);
    err = sifr_msg_copy(&copy, msg);
    if (err == 0)
        err = sifr_msg_send(&copy, to, flags) < 0 ? -1 : 0;
    if (err)
        sifr_msg_close(&copy);
    return err;
}

/* One whole message, if there is one: 1, 0 there is none, -1 with errno. */
static int forward(sifr_socket_t *from, sifr_socket_t *to, sifr_socket_t *capture)
{
    sifr_msg_t msg;
    int more, wait = SIFR_DONTWAIT;

    sifr_msg_init(&msg);
    do {
        if (sifr_msg_recv(&msg, from, wait) < 0) {
            int err = errno;

            sifr_msg_close(&msg);
            errno = err;
            return wait && err == EAGAIN ? 0 : -1;
        }
        wait = 0; /* the rest of a message is there */
        more = sifr_msg_more(&msg) ? SIFR_SNDMORE : 0;
        if (capture_frame(capture, &msg, more) != 0 || sifr_msg_send(&msg, to, more) < 0) {
            int err = errno;

            sifr_msg_close(&msg);
            errno = err;
            return -1;
        }
    } while (more);
    sifr_msg_close(&msg);
    return 1;
}

static int has(sifr_socket_t *s, int event)
{
    sifr_pollitem_t item = {.socket = s, .events = (short)event};

    return sifr_poll(&item, 1, 0);
}

/* Up to a burst, as long as the destination has room: how many, or -1. */
static int forward_some(sifr_socket_t *from, sifr_socket_t *to, sifr_socket_t *capture)
{
    int n = 0;

    for (; n < BURST; n++) {
        int go = has(to, SIFR_POLLOUT);

        if (go > 0)
            go = forward(from, to, capture);
        if (go < 0)
            return -1;
        if (go == 0)
            break;
    }
    return n;
}

int sifr_proxy(sifr_socket_t *frontend, sifr_socket_t *backend, sifr_socket_t *capture)
{
    if (!frontend || !backend) {
        errno = EFAULT;
        return -1;
    }
    if (capture && has(capture, 0) < 0)
        return -1;
    for (;;) {
        sifr_pollitem_t in[2] = {{.socket = frontend, .events = SIFR_POLLIN},
                                 {.socket = backend, .events = SIFR_POLLIN}};
        int n = frontend == backend ? 1 : 2, there, back = 0;

        if (sifr_poll(in, n, -1) < 0)
            return -1;
        there = forward_some(frontend, backend, capture);
        if (there >= 0 && n == 2)
            back = forward_some(backend, frontend, capture);
        if (there < 0 || back < 0)
            return -1;
        if (there + back == 0) { /* there is something, but no room for it: wait for room */
            sifr_pollitem_t out[2];
            int n_out = 0;

            if (in[0].revents)
                out[n_out++] = (sifr_pollitem_t){.socket = backend, .events = SIFR_POLLOUT};
            if (n == 2 && in[1].revents)
                out[n_out++] = (sifr_pollitem_t){.socket = frontend, .events = SIFR_POLLOUT};
            /* Something may come from the side that is not stuck. */
            if (n_out == 1 && n == 2)
                out[n_out++] = in[0].revents ? in[1] : in[0];
            if (sifr_poll(out, n_out, -1) < 0)
                return -1;
        }
    }
}
