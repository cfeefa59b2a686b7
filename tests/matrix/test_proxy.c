/* Proxies: what ends them. Each ends by itself here, so that none needs a thread. */
#include "matrix.h"

static sifr_socket_t *source, *front, *back, *sink;

/* source -> front | back -> sink: what a proxy would forward. */
static void make_row(int front_type, int back_type)
{
    new_link(&source, front_type == SIFR_PULL ? SIFR_PUSH : SIFR_DEALER, &front, front_type,
             2 * INPROC);
    new_link(&sink, back_type == SIFR_PUSH ? SIFR_PULL : SIFR_DEALER, &back, back_type, 2 * INPROC);
}

/* The two still work by themselves. */
static void they_work(void)
{
    pass_text(source, front, "in");
    pass_text(back, sink, "out");
}

/* Each call fails so. */
static void proxies_fail(int error, sifr_socket_t *f, sifr_socket_t *b, sifr_socket_t *capture)
{
    fails(error, proxy, f, b, capture);
    fails(error, proxy_steerable, f, b, capture, NULL);
#ifdef ZMQ_VERSION
    if (!capture)
        fails(error, device, ZMQ_QUEUE, f, b);
#endif
}

START_TEST(a_side_that_is_null)
{
    make_row(SIFR_PULL, SIFR_PUSH);
    matrix.unharmed = they_work;
    proxies_fail(EFAULT, NULL, back, NULL);
    proxies_fail(EFAULT, front, NULL, NULL);
    proxies_fail(EFAULT, NULL, NULL, NULL);
}
END_TEST

START_TEST(what_is_no_socket_to_a_proxy)
{
    void *h = _i < FOREIGN ? foreign(_i, world.ctx) : new_socket(SIFR_PAIR);

    if (!h)
        return;
    if (_i == FOREIGN)
        drop(h);
    make_row(SIFR_PULL, SIFR_PUSH);
    matrix.unharmed = they_work;
    proxies_fail(ENOTSOCK, h, back, NULL);
    proxies_fail(ENOTSOCK, front, h, NULL);
    fails(ENOTSOCK, proxy, front, back, h);
    fails(ENOTSOCK, proxy_steerable, front, back, h, NULL);
    fails(ENOTSOCK, proxy_steerable, front, back, NULL, h);
}
END_TEST

START_TEST(a_signal_while_it_waits)
{
    make_row(SIFR_PULL, SIFR_PUSH);
    begin_signals();
    proxies_fail(EINTR, front, back, NULL);
    end_signals();
    they_work();
}
END_TEST

START_TEST(a_context_that_ends)
{
    make_row(SIFR_PULL, SIFR_PUSH);
    ck_works(sifr_ctx_shutdown(world.ctx));
    proxies_fail(ETERM, front, back, NULL);
    proxies_fail(ETERM, front, front, NULL);
}
END_TEST

/* Its first request for memory fails; it never comes to the others. */
START_TEST(no_memory_to_forward)
{
    static const char *const names[] = {"proxy", "proxy_steerable", "device"};
    int result = 0, error;

    if (matrix.libzmq)
        return;
    make_row(SIFR_PULL, SIFR_PUSH);
    left = 1;
    errno = 0;
    switch (_i) {
    case 0: result = sifr_proxy(front, back, NULL); break;
    case 1: result = sifr_proxy_steerable(front, back, NULL, NULL); break;
#ifdef ZMQ_VERSION
    case 2: result = sifr_device(ZMQ_QUEUE, front, back); break;
#endif
    }
    error = errno;
    left = 0;
    if (result)
        judge(__LINE__, names[_i], ENOMEM, true, error);
    else
        ck_assert_int_eq(_i, 2);
    they_work();
}
END_TEST

/* ---- Messages that cannot be forwarded ------------------------------------------------------- */

/* Such a message is dropped whole: the next one is forwarded as if it had not been. */
static void next_is_forwarded(void)
{
    send_text(source, "next", 0);
    begin_signals();
    ck_fails(sifr_proxy(front, back, NULL), EINTR);
    end_signals();
    recv_text(sink, "next", false);
    recv_nothing(sink);
}

START_TEST(frames_that_the_other_side_cannot_send)
{
    new_link(&source, SIFR_PUSH, &front, SIFR_PULL, 2 * INPROC);
    new_link(&sink, SIFR_SERVER, &back, SIFR_CLIENT, 2 * INPROC); /* one frame is its limit */
    for (int i = 0; i < 3; i++)
        send_parts(source, "these", "are", "three");
    proxies_fail(EINVAL, front, back, NULL);
    recv_nothing(sink);
    drain(front); /* what no call has tried */
    next_is_forwarded();
}
END_TEST

START_TEST(a_peer_that_the_other_side_does_not_have)
{
    make_row(SIFR_PULL, SIFR_ROUTER);
    set_int(back, SIFR_ROUTER_MANDATORY, 1);
    for (int i = 0; i < 3; i++)
        send_parts(source, "nobody", "is there");
    proxies_fail(EHOSTUNREACH, front, back, NULL);
    recv_nothing(sink);
}
END_TEST

START_TEST(a_peer_that_has_no_room)
{
    sifr_socket_t *full = new_socket(SIFR_DEALER);

    make_row(SIFR_PULL, SIFR_ROUTER);
    set_int(back, SIFR_ROUTER_MANDATORY, 1);
    set_int(back, SIFR_SNDHWM, 1);
    set_int(back, SIFR_SNDTIMEO, 5);
    set_int(full, SIFR_RCVHWM, 1);
    set_text(full, SIFR_ROUTING_ID, "full");
    link_sockets(back, full, 2 * INPROC);
    while (sifr_send(back, "full", 4, SIFR_DONTWAIT | SIFR_SNDMORE) == 4)
        send_text(back, "x", 0);
    for (int i = 0; i < 3; i++)
        send_parts(source, "full", "it is");
    proxies_fail(EAGAIN, front, back, NULL);
    recv_nothing(sink);
}
END_TEST

START_TEST(a_side_that_cannot_send)
{
    make_row(SIFR_PULL, SIFR_PUSH);
    for (int i = 0; i < 3; i++)
        send_parts(source, "two", "frames");
    proxies_fail(ENOTSUP, front, front, NULL);
    drain(front);
    next_is_forwarded();
}
END_TEST

START_TEST(a_capture_that_cannot_send)
{
    static const int types[] = {SIFR_PULL, SIFR_SUB, SIFR_GATHER, SIFR_DISH};
    sifr_socket_t *capture = new_socket(types[_i]);

    make_row(SIFR_PULL, SIFR_PUSH);
    if (matrix.libzmq) { /* which says so when there is a message for it */
        send_text(source, "x", 0);
        send_text(source, "x", 0);
    }
    fails(ENOTSUP, proxy, front, back, capture);
    fails(ENOTSUP, proxy_steerable, front, back, capture, NULL);
    recv_nothing(sink);
    if (!matrix.libzmq)
        next_is_forwarded();
}
END_TEST

/* A REP that is joined to itself would answer before it has read all of the request. */
START_TEST(a_side_that_sends_out_of_turn)
{
    new_link(&source, SIFR_REQ, &front, SIFR_REP, 2 * INPROC);
    for (int i = 0; i < 2; i++) {
        send_parts(source, "two", "frames");
        if (i == 0)
            fails(EFSM, proxy, front, front, NULL);
        else
            fails(EFSM, proxy_steerable, front, front, NULL, NULL);
        send_text(front, "an answer", 0); /* it has read the whole */
        recv_text(source, "an answer", false);
    }
#ifdef ZMQ_VERSION
    send_parts(source, "two", "frames");
    fails(EFSM, device, ZMQ_QUEUE, front, front);
#endif
}
END_TEST

START_TEST(a_signal_while_the_capture_has_no_room)
{
    sifr_socket_t *capture = new_socket(SIFR_PUSH), *copies = new_socket(SIFR_PULL);

    make_row(SIFR_PULL, SIFR_PUSH);
    send_parts(source, "two", "frames");
    begin_signals();
    fails(EINTR, proxy, front, back, capture);
    fails(EINTR, proxy_steerable, front, back, capture, NULL);
    recv_nothing(sink);
    link_sockets(copies, capture, 2 * INPROC);
    fails(EINTR, proxy, front, back, capture);
    end_signals();
    recv_parts(sink, "two", "frames"); /* nothing was lost */
    recv_parts(copies, "two", "frames");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/proxy");
    TCase *c = new_case(s, "proxy");

    add(c, a_side_that_is_null);
    add_loop(c, what_is_no_socket_to_a_proxy, 0, FOREIGN + 1);
    add(c, a_signal_while_it_waits);
    add(c, a_context_that_ends);
    add_loop(c, no_memory_to_forward, 0, 3);
    c = new_case(s, "messages");
    add(c, frames_that_the_other_side_cannot_send);
    add(c, a_peer_that_the_other_side_does_not_have);
    add(c, a_peer_that_has_no_room);
    add(c, a_side_that_cannot_send);
    add(c, a_side_that_sends_out_of_turn);
    add_loop(c, a_capture_that_cannot_send, 0, 4);
    add(c, a_signal_while_the_capture_has_no_room);
    return run_matrix(s);
}
