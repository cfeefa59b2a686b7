/* The calls of sifr.h refuse what makes no sense, each with the errno that sifr.h promises, and go on living. */
#include "support.h"

#include <sys/mman.h>

/* ---- Handles ------------------------------------------------------------------------------------------------- */

/* Four readable bytes before an unreadable page. */
static void *at_the_end_of_a_page(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(p, MAP_FAILED);
    ck_assert_int_eq(mprotect(p + page, page, PROT_NONE), 0);
    return p + page - 4;
}

/* The n-th thing that is no open socket, or NULL behind the last and for the first. */
static sifr_socket_t *no_socket(int n)
{
    static uint64_t zeros[64], ones[64], copy[64];
    sifr_socket_t *s;

    switch (n) {
    case 1: return (void *)zeros;
    case 2: memset(ones, 0xff, sizeof ones); return (void *)ones;
    case 3: return (void *)world.ctx;
    case 4: return at_the_end_of_a_page();
    case 5: /* a socket's memory, but not where a socket is */
        s = new_socket(SIFR_PAIR);
        memcpy(copy, s, 16);
        return (void *)copy;
    case 6: /* closed */
        s = new_socket(SIFR_PAIR);
        drop(s);
        return s;
    default: return NULL;
    }
}

enum { NO_SOCKETS = 7 };

START_TEST(what_is_no_open_socket_gives_enotsock)
{
    sifr_socket_t *s = no_socket(_i), *live = new_socket(SIFR_PAIR);
    sifr_pollitem_t items[] = {{.socket = live, .events = SIFR_POLLIN}, {.socket = s, .events = SIFR_POLLIN}};
    int value = 0;
    size_t size = sizeof value;
    sifr_msg_t m;

    sifr_msg_init(&m);
    ck_fails(sifr_getsockopt(s, SIFR_TYPE, &value, &size), ENOTSOCK);
    ck_fails(sifr_getsockopt(s, 4711, &value, &size), ENOTSOCK);
    ck_fails(sifr_setsockopt(s, SIFR_LINGER, &value, sizeof value), ENOTSOCK);
    ck_fails(sifr_setsockopt(s, 4711, NULL, 0), ENOTSOCK);
    ck_fails(sifr_bind(s, "inproc://a"), ENOTSOCK);
    ck_fails(sifr_bind(s, "nonsense"), ENOTSOCK);
    ck_fails(sifr_connect(s, "inproc://a"), ENOTSOCK);
    ck_fails(sifr_unbind(s, "inproc://a"), ENOTSOCK);
    ck_fails(sifr_disconnect(s, "inproc://a"), ENOTSOCK);
    ck_fails(sifr_send(s, "x", 1, SIFR_DONTWAIT), ENOTSOCK);
    ck_fails(sifr_send_const(s, "x", 1, SIFR_DONTWAIT), ENOTSOCK);
    ck_fails(sifr_recv(s, NULL, 0, SIFR_DONTWAIT), ENOTSOCK);
    ck_fails(sifr_msg_send(&m, s, SIFR_DONTWAIT), ENOTSOCK);
    ck_fails(sifr_msg_recv(&m, s, SIFR_DONTWAIT), ENOTSOCK);
    ck_fails(sifr_socket_monitor(s, "inproc://m", SIFR_EVENT_ALL), ENOTSOCK);
    ck_fails(sifr_socket_monitor(s, NULL, 0), ENOTSOCK);
    ck_fails(sifr_close(s), ENOTSOCK);
    if (s) {
        ck_fails(sifr_poll(items, 2, 0), ENOTSOCK);
        ck_fails(sifr_poll(items, 2, 100), ENOTSOCK);
        ck_fails(sifr_proxy(live, s, NULL), ENOTSOCK);
        ck_fails(sifr_proxy(s, live, NULL), ENOTSOCK);
        ck_fails(sifr_proxy(live, live, s), ENOTSOCK);
    } else {
        ck_fails(sifr_proxy(live, s, NULL), EFAULT);
        ck_fails(sifr_proxy(s, live, NULL), EFAULT);
    }
    ck_works(sifr_msg_close(&m));
}
END_TEST

START_TEST(what_is_no_live_context_gives_efault)
{
    static uint64_t zeros[64];
    sifr_ctx_t *ended = sifr_ctx_new(), *ctx[] = {NULL, (void *)zeros, (void *)new_socket(SIFR_PAIR), ended,
                                                   at_the_end_of_a_page()};

    ck_works(sifr_ctx_term(ended));
    for (int i = 0; i < COUNT(ctx); i++) {
        ck_fails(sifr_ctx_set(ctx[i], SIFR_IO_THREADS, 1), EFAULT);
        ck_fails(sifr_ctx_get(ctx[i], SIFR_IO_THREADS), EFAULT);
        ck_fails(sifr_ctx_shutdown(ctx[i]), EFAULT);
        ck_fails(sifr_ctx_term(ctx[i]), EFAULT);
        ck_fails_null(sifr_socket(ctx[i], SIFR_PAIR), EFAULT);
        ck_fails_null(sifr_socket(ctx[i], -1), EFAULT);
    }
}
END_TEST

START_TEST(unknown_socket_types_are_refused)
{
    static const int types[] = {-1, -100, 21, 22, 1000, INT32_MAX, INT32_MIN};

    for (int i = 0; i < COUNT(types); i++)
        ck_fails_null(sifr_socket(world.ctx, types[i]), EINVAL);
    for (int type = SIFR_PAIR; type <= SIFR_CHANNEL; type++)
        ck_assert_int_eq(get_int(new_socket(type), SIFR_TYPE), type);
}
END_TEST

START_TEST(as_many_sockets_may_be_open_as_was_set)
{
    sifr_socket_t *s[5];

    ck_works(sifr_ctx_set(world.ctx, SIFR_MAX_SOCKETS, COUNT(s)));
    for (int turn = 0; turn < 1000; turn++) {
        for (int i = 0; i < COUNT(s); i++) {
            s[i] = sifr_socket(world.ctx, SIFR_PAIR);
            ck_assert_ptr_nonnull(s[i]);
        }
        ck_fails_null(sifr_socket(world.ctx, SIFR_PAIR), EMFILE);
        for (int i = 0; i < COUNT(s); i++)
            ck_works(sifr_close(s[i])); /* which frees the place at once */
    }
    ck_works(sifr_ctx_set(world.ctx, SIFR_MAX_SOCKETS, COUNT(s) + 1)); /* too late: the first one fixed it */
    ck_assert_int_eq(sifr_ctx_get(world.ctx, SIFR_MAX_SOCKETS), COUNT(s) + 1);
    for (int i = 0; i < COUNT(s); i++)
        s[i] = new_socket(SIFR_PAIR);
    ck_fails_null(sifr_socket(world.ctx, SIFR_PAIR), EMFILE);
}
END_TEST

/* ---- Endpoints ----------------------------------------------------------------------------------------------- */

#define LONG_PATH                                                                                                      \
    "ipc:///tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaa"

START_TEST(endpoints_that_cannot_be_are_refused)
{
    static const struct {
        const char *endpoint;
        int bind, connect; /* errno, 0: not tried */
    } cases[] = {
        {NULL, EINVAL, EINVAL},
        {"", EINVAL, EINVAL},
        {"tcp", EINVAL, EINVAL},
        {"tcp:", EINVAL, EINVAL},
        {"tcp:/", EINVAL, EINVAL},
        {"tcp://", EINVAL, EINVAL},
        {"inproc://", EINVAL, EINVAL},
        {"ipc://", EINVAL, EINVAL},
        {"://name", EINVAL, EINVAL},
        {"127.0.0.1:5555", EINVAL, EINVAL},
        {"foo://name", EPROTONOSUPPORT, EPROTONOSUPPORT},
        {"TCP://127.0.0.1:5555", EPROTONOSUPPORT, EPROTONOSUPPORT},
        {"Inproc://name", EPROTONOSUPPORT, EPROTONOSUPPORT},
        {" tcp://127.0.0.1:5555", EPROTONOSUPPORT, EPROTONOSUPPORT},
        {"tcp://127.0.0.1", EINVAL, EINVAL},
        {"tcp://127.0.0.1:", EINVAL, EINVAL},
        {"tcp://127.0.0.1:port", EINVAL, EINVAL},
        {"tcp://127.0.0.1:12x", EINVAL, EINVAL},
        {"tcp://127.0.0.1:65536", EINVAL, EINVAL},
        {"tcp://127.0.0.1:99999", EINVAL, EINVAL},
        {"tcp://127.0.0.1:99999999999999999999", EINVAL, EINVAL},
        {"tcp://127.0.0.1:-1", EINVAL, EINVAL},
        {"tcp://127.0.0.1:*", 0, EINVAL},
        {"tcp://*:5555", 0, EINVAL},
        {"tcp://192.0.2.1:5555", EADDRNOTAVAIL, 0},
        {"ipc://@", EINVAL, EINVAL},
        {"ipc:///no/such/directory/socket", ENOENT, 0},
        {LONG_PATH, ENAMETOOLONG, ENAMETOOLONG},
    };
    sifr_socket_t *s = new_socket(SIFR_PAIR);

    for (int i = 0; i < COUNT(cases); i++) {
        if (cases[i].bind) {
            int result = sifr_bind(s, cases[i].endpoint), error = errno;

            ck_assert_msg(result == -1 && error == cases[i].bind, "bind %s: %d, errno %d (%s), not %s",
                          cases[i].endpoint, result, error, strerror(error), strerror(cases[i].bind));
        }
        if (cases[i].connect) {
            int result = sifr_connect(s, cases[i].endpoint), error = errno;

            ck_assert_msg(result == -1 && error == cases[i].connect, "connect %s: %d, errno %d (%s), not %s",
                          cases[i].endpoint, result, error, strerror(error), strerror(cases[i].connect));
        }
        ck_assert_str_eq(last_endpoint(s).text, "");
    }
}
END_TEST

START_TEST(what_somebody_has_is_not_bound_again)
{
    sifr_socket_t *first = new_socket(SIFR_PAIR), *second = new_socket(SIFR_PAIR);
    struct endpoint e = bind_fresh(first, (enum transport)_i);

    for (int n = 0; n < 3; n++)
        ck_fails(sifr_bind(second, e.text), EADDRINUSE);
    ck_fails(sifr_bind(first, e.text), EADDRINUSE);
    ck_assert_str_eq(last_endpoint(second).text, "");
    drop(first);
    if (_i == INPROC)
        bind_to(second, &e); /* free when close returns */
    else
        rebind_to(second, &e);
    ck_works(sifr_unbind(second, e.text));
    first = new_socket(SIFR_PAIR);
    if (_i == INPROC)
        bind_to(first, &e);
    else
        rebind_to(first, &e);
}
END_TEST

START_TEST(only_endpoints_of_the_socket_can_be_left)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER), *other = new_socket(SIFR_DEALER);
    struct endpoint bound = bind_fresh(s, (enum transport)_i), connected = fresh_endpoint((enum transport)_i);
    int (*const leave[])(sifr_socket_t *, const char *) = {sifr_unbind, sifr_disconnect};

    for (int i = 0; i < 2; i++) {
        ck_fails(leave[i](s, NULL), EINVAL);
        ck_fails(leave[i](s, ""), EINVAL);
        ck_fails(leave[i](s, "tcp"), EINVAL);
        ck_fails(leave[i](s, "inproc://"), EINVAL);
        ck_fails(leave[i](s, "foo://x"), EPROTONOSUPPORT);
        ck_fails(leave[i](s, "tcp://127.0.0.1:1"), ENOENT);
        ck_fails(leave[i](s, "inproc://nobody"), ENOENT);
        ck_fails(leave[i](s, "ipc:///nobody"), ENOENT);
        ck_fails(leave[i](s, "tcp://127.0.0.1:*"), ENOENT);
        ck_fails(leave[i](s, "ipc://*"), ENOENT);
        ck_fails(leave[i](other, bound.text), ENOENT);
    }
    connect_to(s, &connected);
    ck_works(sifr_disconnect(s, connected.text));
    ck_fails(sifr_disconnect(s, connected.text), ENOENT);
    ck_works(sifr_unbind(s, bound.text));
    ck_fails(sifr_unbind(s, bound.text), ENOENT);
    rebind_to(s, &bound); /* either call does for either kind */
    ck_works(sifr_disconnect(s, bound.text));
    connect_to(s, &connected);
    ck_works(sifr_unbind(s, connected.text));
}
END_TEST

START_TEST(the_last_endpoint_is_told_as_bound_or_as_written)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER);
    struct endpoint e;
    int port;
    char rest;

    ck_assert_str_eq(last_endpoint(s).text, "");
    ck_works(sifr_bind(s, "tcp://127.0.0.1:*"));
    e = last_endpoint(s);
    ck_assert_int_eq(sscanf(e.text, "tcp://127.0.0.1:%d%c", &port, &rest), 1);
    ck_assert(port > 0 && port < 65536);
    ck_works(sifr_bind(s, "tcp://*:0"));
    e = last_endpoint(s);
    ck_assert_int_eq(sscanf(e.text, "tcp://0.0.0.0:%d%c", &port, &rest), 1);
    ck_works(sifr_connect(s, "tcp://localhost:1"));
    ck_assert_str_eq(last_endpoint(s).text, "tcp://localhost:1");
    ck_fails(sifr_connect(s, "tcp://localhost"), EINVAL);
    ck_assert_str_eq(last_endpoint(s).text, "tcp://localhost:1");
    ck_works(sifr_disconnect(s, "tcp://localhost:1"));
    ck_assert_str_eq(last_endpoint(s).text, "tcp://localhost:1");
    ck_works(sifr_bind(s, "inproc://here"));
    ck_assert_str_eq(last_endpoint(s).text, "inproc://here");
}
END_TEST

START_TEST(without_io_threads_there_is_only_inproc)
{
    sifr_socket_t *a, *b;

    ck_works(sifr_ctx_set(world.ctx, SIFR_IO_THREADS, 0));
    a = new_socket(SIFR_PAIR);
    b = new_socket(SIFR_PAIR);
    ck_fails(sifr_bind(a, "tcp://127.0.0.1:*"), SIFR_EMTHREAD);
    ck_fails(sifr_connect(a, "tcp://127.0.0.1:5555"), SIFR_EMTHREAD);
    link_sockets(a, b, 2 * INPROC);
    send_parts(a, "in", "process");
    recv_parts(b, "in", "process");
}
END_TEST

START_TEST(affinity_must_name_a_thread_that_is)
{
    sifr_socket_t *a, *b;
    uint64_t threads = 4;

    ck_works(sifr_ctx_set(world.ctx, SIFR_IO_THREADS, 2));
    a = new_socket(SIFR_PAIR);
    b = new_socket(SIFR_PAIR);
    ck_works(sifr_setsockopt(a, SIFR_AFFINITY, &threads, sizeof threads));
    ck_fails(sifr_bind(a, "tcp://127.0.0.1:*"), SIFR_EMTHREAD);
    ck_fails(sifr_connect(a, "tcp://127.0.0.1:5555"), SIFR_EMTHREAD);
    threads = 2;
    ck_works(sifr_setsockopt(a, SIFR_AFFINITY, &threads, sizeof threads));
    link_sockets(a, b, 2 * TCP);
    send_parts(a, "second", "thread");
    recv_parts(b, "second", "thread");
}
END_TEST

/* ---- Sending and receiving ----------------------------------------------------------------------------------- */

START_TEST(each_type_says_what_it_cannot_do)
{
    static const struct {
        int type, send, recv; /* errno without a peer, 0: it works */
    } cases[] = {
        {SIFR_PAIR, EAGAIN, EAGAIN},     {SIFR_PUB, 0, ENOTSUP},        {SIFR_SUB, ENOTSUP, EAGAIN},
        {SIFR_REQ, EAGAIN, SIFR_EFSM},   {SIFR_REP, SIFR_EFSM, EAGAIN}, {SIFR_DEALER, EAGAIN, EAGAIN},
        {SIFR_ROUTER, 0, EAGAIN},        {SIFR_PULL, ENOTSUP, EAGAIN},  {SIFR_PUSH, EAGAIN, ENOTSUP},
        {SIFR_XPUB, 0, EAGAIN},          {SIFR_XSUB, 0, EAGAIN},        {SIFR_STREAM, 0, EAGAIN},
        {SIFR_SERVER, EHOSTUNREACH, EAGAIN}, {SIFR_CLIENT, EAGAIN, EAGAIN}, {SIFR_RADIO, 0, ENOTSUP},
        {SIFR_DISH, ENOTSUP, EAGAIN},    {SIFR_GATHER, ENOTSUP, EAGAIN}, {SIFR_SCATTER, EAGAIN, ENOTSUP},
        {SIFR_DGRAM, EINVAL, EAGAIN},    {SIFR_PEER, EHOSTUNREACH, EAGAIN}, {SIFR_CHANNEL, EAGAIN, EAGAIN},
    };

    for (int i = 0; i < COUNT(cases); i++) {
        sifr_socket_t *s = new_socket(cases[i].type);

        if (cases[i].send)
            ck_fails(sifr_send(s, "x", 1, SIFR_DONTWAIT), cases[i].send);
        else
            send_bytes(s, "x", 1, SIFR_DONTWAIT);
        ck_fails(sifr_recv(s, NULL, 0, SIFR_DONTWAIT), cases[i].recv);
    }
}
END_TEST

START_TEST(a_short_buffer_gets_the_start_and_the_true_size)
{
    sifr_socket_t *a, *b;
    char text[16];

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    send_parts(a, "hello world", "second", "third");
    memset(text, '.', sizeof text);
    ck_assert_int_eq(sifr_recv(b, text, 5, 0), 11);
    ck_assert_mem_eq(text, "hello...........", 16);
    ck_assert_int_eq(sifr_recv(b, NULL, 0, 0), 6);
    memset(text, '.', sizeof text);
    ck_assert_int_eq(sifr_recv(b, text, sizeof text, 0), 5);
    ck_assert_mem_eq(text, "third...........", 16); /* no NUL */
    send_filled(a, 1000000, 3, 0);
    ck_assert_int_eq(sifr_recv(b, text, sizeof text, 0), 1000000);
    ck_assert_uint_eq(good_bytes(text, sizeof text, 3), sizeof text);
}
END_TEST

START_TEST(null_is_a_buffer_of_no_bytes_only)
{
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    ck_fails(sifr_send(a, NULL, 1, 0), EFAULT);
    ck_fails(sifr_send_const(a, NULL, 1, 0), EFAULT);
    ck_assert_int_eq(sifr_send(a, NULL, 0, 0), 0);
    ck_assert_int_eq(sifr_send_const(a, NULL, 0, 0), 0);
    send_parts(a, "x");
    recv_parts(b, "");
    recv_parts(b, "");
    ck_fails(sifr_recv(b, NULL, 1, 0), EFAULT);
    ck_assert(readable(b)); /* which it did not cost */
    recv_parts(b, "x");
}
END_TEST

START_TEST(constant_bytes_are_sent_from_where_they_are)
{
    static const char text[] = "constant text, long enough not to fit into a message itself, whatever its inside";
    static uint8_t large[1000000];
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    fill_bytes(large, sizeof large, 5);
    ck_assert_int_eq(sifr_send_const(a, text, sizeof text, SIFR_SNDMORE), sizeof text);
    ck_assert_int_eq(sifr_send_const(a, large, sizeof large, 0), sizeof large);
    recv_bytes(b, text, sizeof text, true);
    recv_filled(b, sizeof large, 5, false);
}
END_TEST

START_TEST(other_flags_are_ignored)
{
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    send_text(a, "one", 4 | 64 | SIFR_SNDMORE);
    send_text(a, "two", 4 | 64);
    ck_assert(readable(b));
    ck_assert_int_eq(sifr_recv(b, NULL, 0, 128 | SIFR_SNDMORE), 3);
    ck_assert_int_eq(sifr_recv(b, NULL, 0, 128), 3);
    ck_assert_int_eq(get_int(b, SIFR_RCVMORE), 0);
}
END_TEST

/* ---- The end of the context ---------------------------------------------------------------------------------- */

START_TEST(after_shutdown_everything_but_close_gives_eterm)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *s = new_socket_in(ctx, SIFR_PAIR);
    sifr_pollitem_t item = {.socket = s, .events = SIFR_POLLIN};
    int value = 0;
    size_t size = sizeof value;
    sifr_msg_t bad;

    memset(&bad, 0, sizeof bad);
    ck_works(sifr_bind(s, "inproc://a"));
    ck_works(sifr_ctx_shutdown(ctx));
    ck_works(sifr_ctx_shutdown(ctx));
    ck_fails_null(sifr_socket(ctx, SIFR_PAIR), SIFR_ETERM);
    ck_fails(sifr_send(s, "x", 1, 0), SIFR_ETERM);
    ck_fails(sifr_recv(s, NULL, 0, 0), SIFR_ETERM);
    ck_fails(sifr_send(s, "x", 1, SIFR_DONTWAIT), SIFR_ETERM);
    ck_fails(sifr_recv(s, NULL, 0, SIFR_DONTWAIT), SIFR_ETERM);
    ck_fails(sifr_msg_send(&bad, s, 0), SIFR_ETERM); /* before anything is said of the message */
    ck_fails(sifr_bind(s, "inproc://b"), SIFR_ETERM);
    ck_fails(sifr_bind(s, "nonsense"), SIFR_ETERM);
    ck_fails(sifr_connect(s, "inproc://b"), SIFR_ETERM);
    ck_fails(sifr_unbind(s, "inproc://a"), SIFR_ETERM);
    ck_fails(sifr_disconnect(s, "inproc://a"), SIFR_ETERM);
    ck_fails(sifr_getsockopt(s, SIFR_TYPE, &value, &size), SIFR_ETERM);
    ck_fails(sifr_getsockopt(s, SIFR_EVENTS, &value, &size), SIFR_ETERM);
    ck_fails(sifr_setsockopt(s, SIFR_LINGER, &value, sizeof value), SIFR_ETERM);
    ck_fails(sifr_socket_monitor(s, "inproc://m", SIFR_EVENT_ALL), SIFR_ETERM);
    ck_fails(sifr_poll(&item, 1, 0), SIFR_ETERM);
    ck_fails(sifr_poll(&item, 1, WAIT_MS), SIFR_ETERM);
    ck_fails(sifr_proxy(s, s, NULL), SIFR_ETERM);
    ck_assert_int_eq(sifr_ctx_get(ctx, SIFR_IO_THREADS), 1);
    ck_works(sifr_ctx_set(ctx, SIFR_BLOCKY, 0));
    ck_works(sifr_close(s));
    ck_fails(sifr_close(s), ENOTSOCK);
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(contexts_come_and_go)
{
    for (int n = 0; n < 100; n++) {
        sifr_ctx_t *one = sifr_ctx_new(), *two = sifr_ctx_new();

        ck_assert(one && two);
        if (n % 2)
            ck_works(sifr_close(sifr_socket(one, SIFR_PUB)));
        ck_works(sifr_ctx_term(one));
        ck_works(sifr_ctx_term(two));
    }
}
END_TEST

START_TEST(names_in_one_context_are_none_in_another)
{
    sifr_ctx_t *other = sifr_ctx_new();
    sifr_socket_t *a = new_socket(SIFR_PAIR), *b = new_socket_in(other, SIFR_PAIR);

    ck_works(sifr_bind(a, "inproc://name"));
    ck_works(sifr_bind(b, "inproc://name"));
    ck_works(sifr_close(b));
    ck_works(sifr_ctx_term(other));
}
END_TEST

/* ---- What needs no context ----------------------------------------------------------------------------------- */

START_TEST(errors_have_names)
{
    static const struct {
        int error;
        const char *text;
    } cases[] = {
        {SIFR_EFSM, "Operation cannot be accomplished in current state"},
        {SIFR_ENOCOMPATPROTO, "The protocol is not compatible with the socket type"},
        {SIFR_ETERM, "Context was terminated"},
        {SIFR_EMTHREAD, "No thread available"},
        {EHOSTUNREACH, "Host unreachable"},
        {EAGAIN, "Resource temporarily unavailable"},
        {EINVAL, "Invalid argument"},
    };

    for (int i = 0; i < COUNT(cases); i++)
        ck_assert_str_eq(sifr_strerror(cases[i].error), cases[i].text);
    ck_assert_ptr_nonnull(sifr_strerror(-1));
    ck_assert_ptr_nonnull(sifr_strerror(INT32_MAX));
    ck_assert_ptr_nonnull(sifr_strerror(SIFR_EMTHREAD + 1));
    errno = 4711;
    ck_assert_int_eq(sifr_errno(), 4711);
    sifr_close(NULL);
    ck_assert_int_eq(sifr_errno(), ENOTSOCK);
}
END_TEST

START_TEST(the_library_tells_what_it_is)
{
    static const char *const absent[] = {"tcp", "inproc", "", "IPC", "CURVE", "nonsense", "ws", "ipc "};
    int major = -1, minor = -1, patch = -1;

    sifr_version(&major, &minor, &patch);
    ck_assert(major >= 0 && minor >= 0 && patch >= 0);
    ck_assert_int_eq(sifr_has("ipc"), 1);
    ck_assert_int_eq(sifr_has(NULL), 0);
    for (int i = 0; i < COUNT(absent); i++)
        ck_assert_int_eq(sifr_has(absent[i]), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("API");
    TCase *c = new_case(s, "handles");

    tcase_add_loop_test(c, what_is_no_open_socket_gives_enotsock, 0, NO_SOCKETS);
    tcase_add_test(c, what_is_no_live_context_gives_efault);
    tcase_add_test(c, unknown_socket_types_are_refused);
    tcase_add_test(c, as_many_sockets_may_be_open_as_was_set);
    c = new_case(s, "endpoints");
    tcase_add_test(c, endpoints_that_cannot_be_are_refused);
    tcase_add_loop_test(c, what_somebody_has_is_not_bound_again, 0, TRANSPORTS);
    tcase_add_loop_test(c, only_endpoints_of_the_socket_can_be_left, 0, TRANSPORTS);
    tcase_add_test(c, the_last_endpoint_is_told_as_bound_or_as_written);
    tcase_add_test(c, without_io_threads_there_is_only_inproc);
    tcase_add_test(c, affinity_must_name_a_thread_that_is);
    c = new_case(s, "messages");
    tcase_add_test(c, each_type_says_what_it_cannot_do);
    tcase_add_loop_test(c, a_short_buffer_gets_the_start_and_the_true_size, 0, WAYS);
    tcase_add_loop_test(c, null_is_a_buffer_of_no_bytes_only, 0, WAYS);
    tcase_add_loop_test(c, constant_bytes_are_sent_from_where_they_are, 0, WAYS);
    tcase_add_loop_test(c, other_flags_are_ignored, 0, WAYS);
    c = new_bare_case(s, "ends");
    tcase_add_test(c, after_shutdown_everything_but_close_gives_eterm);
    tcase_add_test(c, contexts_come_and_go);
    tcase_add_test(c, errors_have_names);
    tcase_add_test(c, the_library_tells_what_it_is);
    c = new_case(s, "names");
    tcase_add_test(c, names_in_one_context_are_none_in_another);
    return run_suite(s);
}
