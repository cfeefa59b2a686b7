/*
 * What holds for every call on a socket: one that is closed or none at all, one whose context ends,
 * one of the parent in the child of a fork. None of it depends on what else is wrong with the call.
 */
#include "matrix.h"

#include <sys/uio.h>

enum what { DRAFTS = 1, OPTIONS = 2, CLOSE = 4 };

/* Each call on `s` fails so. */
static void each_fails(int error, sifr_socket_t *s, int which)
{
    char byte = 7;
    int value = 77;
    size_t size = sizeof value;
    sifr_msg_t m;

    ck_works(sifr_msg_init(&m));
    if (which & CLOSE)
        fails(error, close, s);
    fails(error, getsockopt, s, SIFR_EVENTS, &value, &size);
    fails(error, bind, s, "inproc://name");
    fails(error, bind, s, "tcp://127.0.0.1:*");
    fails(error, bind, s, "nonsense");
    fails(error, connect, s, "inproc://name");
    fails(error, connect, s, "tcp://127.0.0.1:1");
    fails(error, connect, s, "nonsense");
    fails(error, unbind, s, "inproc://name");
    fails(error, disconnect, s, "inproc://name");
    for (int flags = 0; flags <= SIFR_DONTWAIT; flags++) {
        fails(error, send, s, "x", 1, flags);
        fails(error, send_const, s, "x", 1, flags);
        fails(error, recv, s, &byte, 1, flags);
        fails(error, msg_send, &m, s, flags);
        fails(error, msg_recv, &m, s, flags);
    }
    fails(error, socket_monitor, s, "inproc://name", SIFR_EVENT_ALL);
    fails(error, socket_monitor, s, "nonsense", -1);
#ifdef ZMQ_VERSION
    struct iovec iov = {&byte, 1};
    size_t n = 1;

    fails(error, sendmsg, s, &m, 0);
    fails(error, recvmsg, s, &m, 0);
    fails(error, sendiov, s, &iov, 1, 0);
    fails(error, recviov, s, &iov, &n, 0);
#endif
    if (which & DRAFTS) {
        fails(error, connect_peer, s, "inproc://name");
        fails(error, disconnect_peer, s, 1);
        fails(error, join, s, "group");
        fails(error, leave, s, "group");
        fails(error, socket_get_peer_state, s, "x", 1);
        fails(error, socket_monitor_versioned, s, "inproc://name", SIFR_EVENT_ALL, 2, SIFR_PAIR);
        fails(error, socket_monitor_pipes_stats, s);
    }
    if (which & OPTIONS) { /* in libzmq these may work until another call has failed */
        fails(error, getsockopt, s, SIFR_TYPE, &value, &size);
        fails(error, getsockopt, s, SIFR_LAST_ENDPOINT, &byte, &(size_t){0});
        fails(error, setsockopt, s, SIFR_LINGER, &value, sizeof value);
        fails(error, setsockopt, s, -1, NULL, 0);
    }
    ck_assert(byte == 7 && value == 77 && size == sizeof value);
    ck_works(sifr_msg_close(&m));
}

static void each_wait_fails(int error, sifr_socket_t *s)
{
    sifr_pollitem_t item = {.socket = s, .events = SIFR_POLLIN};

    for (int timeout = -1; timeout <= 0; timeout++) {
        fails(error, poll, &item, 1, timeout);
        fails(error, ppoll, &item, 1, timeout, NULL);
    }
    fails(error, proxy, s, s, NULL);
    fails(error, proxy_steerable, s, s, NULL, NULL);
#ifdef ZMQ_VERSION
    fails(error, device, ZMQ_QUEUE, s, s);
#endif
}

/* ---- No socket ------------------------------------------------------------------------------- */

START_TEST(what_is_no_socket)
{
    void *h = _i < FOREIGN ? foreign(_i, world.ctx) : new_socket(SIFR_DISH);

    if (_i == FOREIGN)
        drop(h);
    each_fails(ENOTSOCK, h, OPTIONS | CLOSE | DRAFTS);
}
END_TEST

START_TEST(what_is_closed)
{
    static const int types[] = {SIFR_PAIR,   SIFR_PUB,  SIFR_ROUTER,
                                SIFR_STREAM, SIFR_PEER, SIFR_DGRAM};
    sifr_socket_t *s = new_socket(types[_i]), *left_open = new_socket(SIFR_PAIR);

    drop(s);
    each_fails(ENOTSOCK, s, OPTIONS | CLOSE | DRAFTS);
    each_wait_fails(ENOTSOCK, s);
    ck_works(sifr_bind(left_open, "inproc://name"));
}
END_TEST

/* ---- A context that ends --------------------------------------------------------------------- */

START_TEST(a_context_that_ends)
{
    static const int types[] = {SIFR_PAIR,  SIFR_PUB,    SIFR_SUB,    SIFR_REQ,
                                SIFR_REP,   SIFR_DEALER, SIFR_ROUTER, SIFR_PULL,
                                SIFR_PUSH,  SIFR_XPUB,   SIFR_XSUB,   SIFR_STREAM,
                                SIFR_DGRAM, SIFR_CLIENT, SIFR_PEER,   SIFR_DISH};
    sifr_socket_t *s = new_socket(types[_i]);

    ck_works(sifr_ctx_shutdown(world.ctx));
    if (types[_i] < SIFR_SERVER)
        each_wait_fails(ETERM, s);
    fails(ETERM, bind, s, NULL); /* whatever else is wrong with the call */
    each_fails(ETERM, s, types[_i] < SIFR_SERVER ? OPTIONS : OPTIONS | DRAFTS);
    ck_works(sifr_ctx_shutdown(world.ctx)); /* once more does no harm */
}
END_TEST

START_TEST(a_context_that_ends_and_drafts)
{
    sifr_socket_t *s = new_socket(SIFR_PAIR);

    ck_works(sifr_ctx_shutdown(world.ctx));
    each_fails(ETERM, s, OPTIONS | DRAFTS);
}
END_TEST

START_TEST(a_context_that_ends_and_no_message)
{
    sifr_socket_t *s = new_socket(SIFR_PAIR);
    sifr_msg_t m;

    memset(&m, 0, sizeof m);
    ck_works(sifr_ctx_shutdown(world.ctx));
    fails(ETERM, msg_recv, &m, s, 0);
    fails(ETERM, msg_send, &m, s, 0);
}
END_TEST

/* ---- The child of a fork --------------------------------------------------------------------- */

/* Runs it on one of two sockets in a child; here they go on as if nothing had been. */
static void fork_and_call(int way, void (*fn)(sifr_socket_t *))
{
    sifr_socket_t *a, *b;
    int status = -1;
    pid_t child;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, way);
    send_text(a, "before", 0);
    ck_assert(readable(b));
    child = fork();
    if (child == 0) {
        matrix.grandchild = true;
        fn(b);
        _exit(0);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    recv_text(b, "before", false);
    pass_text(a, b, "there");
    pass_text(b, a, "and back");
}

static void each_says_eintr(sifr_socket_t *s)
{
    each_fails(EINTR, s, OPTIONS | DRAFTS);
}

static void each_wait_says_eintr(sifr_socket_t *s)
{
    each_wait_fails(EINTR, s);
}

START_TEST(the_child_of_a_fork)
{
    fork_and_call(_i, each_says_eintr);
}
END_TEST

START_TEST(the_child_of_a_fork_and_waits)
{
    fork_and_call(_i, each_wait_says_eintr);
}
END_TEST

START_TEST(the_child_of_a_fork_and_pollers)
{
    sifr_socket_t *a, *b;
    sifr_poller_t *poller;
    sifr_poller_event_t e;
    int status = -1;
    pid_t child;

    ONLY_WITH(poller_new);
    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, 2 * INPROC);
    ck_assert_ptr_nonnull(poller = sifr_poller_new());
    ck_works(sifr_poller_add(poller, b, NULL, SIFR_POLLIN));
    child = fork();
    if (child == 0) {
        matrix.grandchild = true;
        fails(EINTR, poller_wait, poller, &e, -1);
        fails(EINTR, poller_wait, poller, &e, 0);
        fails(EINTR, poller_wait_all, poller, &e, 1, -1);
        fails(EINTR, poller_add, poller, a, NULL, SIFR_POLLIN);
        fails(EINTR, poller_modify, poller, b, 0);
        _exit(0);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    send_text(a, "x", 0);
    ck_works(sifr_poller_wait(poller, &e, WAIT_MS));
    ck_works(sifr_poller_destroy(&poller));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/states");
    TCase *c = new_case(s, "no socket");

    add_loop(c, what_is_no_socket, 0, FOREIGN + 1);
    add_loop(c, what_is_closed, 0, 6);
    c = new_case(s, "an end");
    add_loop(c, a_context_that_ends, 0, 16);
    add(c, a_context_that_ends_and_drafts);
    add(c, a_context_that_ends_and_no_message);
    c = new_case(s, "a fork");
    add_loop(c, the_child_of_a_fork, 0, WAYS);
    add_loop(c, the_child_of_a_fork_and_waits, 0, WAYS);
    add(c, the_child_of_a_fork_and_pollers);
    return run_matrix(s);
}
