/* Handles that are NULL, closed, of another kind or none at all get their errno from every function. */
#include <zmq.h>

#include "quick_check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* The call gives what says "failed", and this errno. */
#define fails_with(call, failed, error)                                                                                \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        int as_told_ = (call) == (failed);                                                                             \
        int errno_ = errno;                                                                                            \
        ck_assert_msg(as_told_ && errno_ == (error), "handle %d: %s: errno %d (%s), not %s", _i, #call, errno_,        \
                      zmq_strerror(errno_), #error);                                                                   \
    } while (0)
#define fails(call, error) fails_with(call, -1, error)

enum { NONE, ZEROES, ONES, END_OF_A_PAGE, CLOSED_SOCKET, COPY, ENDED_CONTEXT, CONTEXT, SOCKET, POLLER, TIMERS, KINDS };

static void *ctx, *sock, *poller, *timers;
static char copy[256] __attribute__((aligned(64)));

/* A handle of that kind. */
static void *handle(int kind)
{
    static max_align_t zeroes[64];
    static unsigned char ones[1024] __attribute__((aligned(64)));
    char *page;
    void *h;

    switch (kind) {
    case ZEROES: return zeroes;
    case ONES: return memset(ones, 0xff, sizeof ones);
    case END_OF_A_PAGE: /* an int there, as czmq passes it, and nothing behind it */
        page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(page, MAP_FAILED);
        ck_assert_int_eq(munmap(page + 4096, 4096), 0);
        return page + 4092;
    case CLOSED_SOCKET:
        h = zmq_socket(ctx, ZMQ_PAIR);
        ck_assert_int_eq(zmq_close(h), 0);
        return h;
    case COPY: return memcpy(copy, sock, 64);
    case ENDED_CONTEXT:
        h = zmq_ctx_new();
        ck_assert_int_eq(zmq_ctx_term(h), 0);
        return h;
    case CONTEXT: return ctx;
    case SOCKET: return sock;
    case POLLER: return poller;
    case TIMERS: return timers;
    default: return NULL;
    }
}

static void setup(void)
{
    ctx = zmq_ctx_new();
    sock = zmq_socket(ctx, ZMQ_PAIR);
    poller = zmq_poller_new();
    timers = zmq_timers_new();
    ck_assert(ctx && sock && poller && timers);
}

static void teardown(void)
{
    ck_assert_int_eq(zmq_poller_destroy(&poller), 0);
    ck_assert_int_eq(zmq_timers_destroy(&timers), 0);
    ck_assert_int_eq(zmq_close(sock), 0);
    ck_assert_int_eq(zmq_ctx_term(ctx), 0);
}

START_TEST(what_is_no_context_is_told)
{
    void *h = handle(_i);
    int value = 1;
    size_t size = sizeof value;

    if (_i == CONTEXT)
        return;
    fails_with(zmq_socket(h, ZMQ_PAIR), NULL, EFAULT);
    fails(zmq_ctx_set(h, ZMQ_IO_THREADS, 1), EFAULT);
    fails(zmq_ctx_get(h, ZMQ_IO_THREADS), EFAULT);
    fails(zmq_ctx_set_ext(h, ZMQ_IO_THREADS, &value, sizeof value), EFAULT);
    fails(zmq_ctx_get_ext(h, ZMQ_IO_THREADS, &value, &size), EFAULT);
    fails(zmq_ctx_shutdown(h), EFAULT);
    fails(zmq_ctx_term(h), EFAULT);
    fails(zmq_ctx_destroy(h), EFAULT);
    fails(zmq_term(h), EFAULT);
}
END_TEST

START_TEST(what_is_no_socket_is_told)
{
    zmq_pollitem_t items[] = {{sock, 0, ZMQ_POLLIN, 0}, {NULL, -1, ZMQ_POLLIN, 0}};
    struct iovec iov = {copy + 128, 1};
    size_t size = sizeof(int), n = 1;
    void *h = handle(_i);
    zmq_msg_t msg;
    int value = 0;

    if (_i == SOCKET)
        return;
    ck_assert_int_eq(zmq_msg_init(&msg), 0);
    fails(zmq_close(h), ENOTSOCK);
    fails(zmq_setsockopt(h, ZMQ_LINGER, &value, sizeof value), ENOTSOCK);
    fails(zmq_getsockopt(h, ZMQ_TYPE, &value, &size), ENOTSOCK);
    fails(zmq_bind(h, "inproc://x"), ENOTSOCK);
    fails(zmq_connect(h, "inproc://x"), ENOTSOCK);
    fails(zmq_unbind(h, "inproc://x"), ENOTSOCK);
    fails(zmq_disconnect(h, "inproc://x"), ENOTSOCK);
    fails(zmq_send(h, "x", 1, 0), ENOTSOCK);
    fails(zmq_send_const(h, "x", 1, 0), ENOTSOCK);
    fails(zmq_recv(h, &value, sizeof value, 0), ENOTSOCK);
    fails(zmq_msg_send(&msg, h, 0), ENOTSOCK);
    fails(zmq_msg_recv(&msg, h, 0), ENOTSOCK);
    fails(zmq_sendmsg(h, &msg, 0), ENOTSOCK);
    fails(zmq_recvmsg(h, &msg, 0), ENOTSOCK);
    fails(zmq_sendiov(h, &iov, 1, 0), ENOTSOCK);
    fails(zmq_recviov(h, &iov, &n, 0), ENOTSOCK);
    fails(zmq_socket_monitor(h, "inproc://x", ZMQ_EVENT_ALL), ENOTSOCK);
    fails(zmq_socket_monitor(h, NULL, 0), ENOTSOCK);
    fails(zmq_socket_monitor_versioned(h, "inproc://x", ZMQ_EVENT_ALL, 2, ZMQ_PAIR), ENOTSOCK);
    fails(zmq_socket_monitor_pipes_stats(h), ENOTSOCK);
    fails(zmq_socket_get_peer_state(h, "x", 1), ENOTSOCK);
    fails(zmq_join(h, "x"), ENOTSOCK);
    fails(zmq_leave(h, "x"), ENOTSOCK);
    fails_with(zmq_connect_peer(h, "inproc://x"), 0, ENOTSOCK);
    fails(zmq_disconnect_peer(h, 1), ENOTSOCK);
    fails(zmq_poller_add(poller, h, NULL, ZMQ_POLLIN), ENOTSOCK);
    fails(zmq_poller_modify(poller, h, ZMQ_POLLIN), ENOTSOCK);
    fails(zmq_poller_remove(poller, h), ENOTSOCK);
    if (h) {
        items[1].socket = h;
        fails(zmq_poll(items, 2, 0), ENOTSOCK);
        fails(zmq_poll(items, 2, -1), ENOTSOCK);
        fails(zmq_ppoll(items, 2, -1, NULL), ENOTSOCK);
        fails(zmq_proxy(sock, h, NULL), ENOTSOCK);
        fails(zmq_proxy(h, sock, NULL), ENOTSOCK);
        fails(zmq_proxy(sock, sock, h), ENOTSOCK);
        fails(zmq_proxy_steerable(sock, sock, NULL, h), ENOTSOCK);
        fails(zmq_device(ZMQ_QUEUE, sock, h), ENOTSOCK);
    } else {
        fails(zmq_proxy(sock, h, NULL), EFAULT);
        fails(zmq_proxy_steerable(h, sock, NULL, NULL), EFAULT);
        fails(zmq_device(ZMQ_QUEUE, h, sock), EFAULT);
    }
    ck_assert_int_eq(zmq_msg_close(&msg), 0);
}
END_TEST

static void nothing(int id, void *arg)
{
    (void)id, (void)arg;
}

START_TEST(what_is_no_poller_or_timers_is_told)
{
    zmq_poller_event_t event;
    void *h = handle(_i);
    int fd;

    if (_i != POLLER) {
        fails(zmq_poller_size(h), EFAULT);
        fails(zmq_poller_add(h, sock, NULL, ZMQ_POLLIN), EFAULT);
        fails(zmq_poller_modify(h, sock, ZMQ_POLLIN), EFAULT);
        fails(zmq_poller_remove(h, sock), EFAULT);
        fails(zmq_poller_add_fd(h, 0, NULL, ZMQ_POLLIN), EFAULT);
        fails(zmq_poller_modify_fd(h, 0, ZMQ_POLLIN), EFAULT);
        fails(zmq_poller_remove_fd(h, 0), EFAULT);
        fails(zmq_poller_wait(h, &event, 0), EFAULT);
        fails(zmq_poller_wait_all(h, &event, 1, 0), EFAULT);
        fails(zmq_poller_fd(h, &fd), EFAULT);
        fails(zmq_poller_destroy(&h), EFAULT);
        fails(zmq_poller_destroy(NULL), EFAULT);
    }
    if (_i != TIMERS) {
        fails(zmq_timers_add(h, 1, nothing, NULL), EFAULT);
        fails(zmq_timers_cancel(h, 1), EFAULT);
        fails(zmq_timers_set_interval(h, 1, 1), EFAULT);
        fails(zmq_timers_reset(h, 1), EFAULT);
        fails(zmq_timers_timeout(h), EFAULT);
        fails(zmq_timers_execute(h), EFAULT);
        fails(zmq_timers_destroy(&h), EFAULT);
        fails(zmq_timers_destroy(NULL), EFAULT);
    }
}
END_TEST

START_TEST(what_is_no_message_is_told)
{
    zmq_msg_t none, closed, good;

    memset(&none, 0, sizeof none);
    ck_assert_int_eq(zmq_msg_init_size(&closed, 100), 0);
    ck_assert_int_eq(zmq_msg_close(&closed), 0);
    ck_assert_int_eq(zmq_msg_init(&good), 0);
    for (int i = 0; i < 3; i++) {
        zmq_msg_t *m = i == 0 ? &none : i == 1 ? &closed : NULL;

        fails(zmq_msg_close(m), EFAULT);
        fails(zmq_msg_copy(&good, m), EFAULT);
        fails(zmq_msg_copy(m, &good), EFAULT);
        fails(zmq_msg_move(&good, m), EFAULT);
        fails(zmq_msg_move(m, &good), EFAULT);
        fails(zmq_msg_send(m, sock, ZMQ_DONTWAIT), EFAULT);
        fails(zmq_msg_recv(m, sock, ZMQ_DONTWAIT), EFAULT);
        fails(zmq_sendmsg(sock, m, ZMQ_DONTWAIT), EFAULT);
        fails(zmq_recvmsg(sock, m, ZMQ_DONTWAIT), EFAULT);
        fails_with(zmq_msg_data(m), NULL, EFAULT);
        fails_with(zmq_msg_size(m), 0, EFAULT);
        fails_with(zmq_msg_more(m), 0, EFAULT);
        fails(zmq_msg_get(m, ZMQ_MORE), EFAULT);
        fails_with(zmq_msg_gets(m, "Socket-Type"), NULL, EFAULT);
        fails(zmq_msg_set_routing_id(m, 1), EFAULT);
        fails_with(zmq_msg_routing_id(m), 0, EFAULT);
        fails(zmq_msg_set_group(m, "x"), EFAULT);
        fails_with(zmq_msg_group(m), NULL, EFAULT);
    }
    fails(zmq_msg_set_routing_id(&good, 0), EINVAL);
    ck_assert_int_eq(zmq_msg_set_routing_id(&good, 7), 0);
    ck_assert_uint_eq(zmq_msg_routing_id(&good), 7);
    ck_assert_str_eq(zmq_msg_group(&good), "");
    ck_assert_int_eq(zmq_msg_set_group(&good, "group"), 0);
    ck_assert_str_eq(zmq_msg_group(&good), "group");
    fails(zmq_msg_set(&good, ZMQ_MORE, 1), EINVAL);
    fails(zmq_msg_get(&good, 99), EINVAL);
    fails_with(zmq_msg_gets(&good, "Socket-Type"), NULL, EINVAL);
    ck_assert_int_eq(zmq_msg_close(&good), 0);
}
END_TEST

START_TEST(it_says_what_it_is)
{
    int major = 0, minor = 0, patch = 0;

    zmq_version(&major, &minor, &patch);
    ck_assert(major == 4 && minor == 3 && patch == 6);
    ck_assert_int_eq(ZMQ_VERSION, 40306);
    ck_assert_int_eq(zmq_has("draft"), 1);
    ck_assert_int_eq(zmq_has("ipc"), 1);
    ck_assert_int_eq(zmq_has("tcp"), 0);
    ck_assert_int_eq(zmq_has(NULL), 0);
    ck_assert_str_eq(zmq_strerror(EFSM), "Operation cannot be accomplished in current state");
    ck_assert_str_eq(zmq_strerror(ENOCOMPATPROTO), "The protocol is not compatible with the socket type");
    ck_assert_str_eq(zmq_strerror(ETERM), "Context was terminated");
    ck_assert_str_eq(zmq_strerror(EMTHREAD), "No thread available");
    ck_assert_str_eq(zmq_strerror(EHOSTUNREACH), "Host unreachable");
    ck_assert_str_eq(zmq_strerror(EAGAIN), strerror(EAGAIN));
    ck_assert_int_eq(zmq_ctx_get(ctx, ZMQ_MSG_T_SIZE), 64);
    errno = EAGAIN;
    ck_assert_int_eq(zmq_errno(), EAGAIN);
}
END_TEST

START_TEST(the_oldest_names_do_what_they_did)
{
    static char first[] = "first", second[] = "second";
    struct iovec out[] = {{first, 5}, {second, 6}}, in[4];
    void *old = zmq_init(0), *a, *b;
    size_t n = COUNT(in);
    zmq_msg_t msg;

    fails_with(zmq_init(-1), NULL, EINVAL);
    ck_assert_int_eq(zmq_ctx_get(old, ZMQ_IO_THREADS), 0);
    a = zmq_socket(old, ZMQ_PAIR);
    b = zmq_socket(old, ZMQ_PAIR);
    ck_assert(zmq_bind(a, "inproc://old") == 0 && zmq_connect(b, "inproc://old") == 0);
    ck_assert_int_eq(zmq_msg_init_buffer(&msg, "text", 4), 0);
    ck_assert_int_eq(zmq_sendmsg(a, &msg, 0), 4);
    ck_assert_int_eq(zmq_recvmsg(b, &msg, 0), 4);
    ck_assert_mem_eq(zmq_msg_data(&msg), "text", 4);
    ck_assert_int_eq(zmq_msg_close(&msg), 0);

    fails(zmq_sendiov(a, NULL, 1, 0), EINVAL);
    fails(zmq_sendiov(a, out, 0, 0), EINVAL);
    ck_assert_int_eq(zmq_sendiov(a, out, 2, ZMQ_SNDMORE), 6);
    ck_assert_int_eq(zmq_recviov(b, in, &n, 0), 2);
    ck_assert_uint_eq(n, 2);
    ck_assert(in[0].iov_len == 5 && memcmp(in[0].iov_base, "first", 5) == 0);
    ck_assert(in[1].iov_len == 6 && memcmp(in[1].iov_base, "second", 6) == 0);
    free(in[0].iov_base);
    free(in[1].iov_base);

    ck_assert_int_eq(zmq_sendiov(a, out, 2, 0), 6); /* two messages */
    n = 1;
    ck_assert_int_eq(zmq_recviov(b, in, &n, 0), 1);
    free(in[0].iov_base);
    n = COUNT(in);
    ck_assert_int_eq(zmq_recviov(b, in, &n, 0), 1);
    free(in[0].iov_base);
    n = COUNT(in);
    fails(zmq_recviov(b, in, &n, ZMQ_DONTWAIT), EAGAIN);
    ck_assert_uint_eq(n, 0);
    fails(zmq_recviov(b, in, &n, 0), EINVAL);
    fails(zmq_recviov(b, NULL, &(size_t){1}, 0), EINVAL);
    fails(zmq_recviov(b, in, NULL, 0), EINVAL);

    ck_assert_int_eq(zmq_close(a), 0);
    ck_assert_int_eq(zmq_close(b), 0);
    ck_assert_int_eq(zmq_term(old), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handles");
    SRunner *runner = srunner_create(suite);
    TCase *c = tcase_create("handles");
    int failed;

    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, what_is_no_context_is_told, 0, KINDS);
    tcase_add_loop_test(c, what_is_no_socket_is_told, 0, KINDS);
    tcase_add_loop_test(c, what_is_no_poller_or_timers_is_told, 0, KINDS);
    tcase_add_test(c, what_is_no_message_is_told);
    tcase_add_test(c, it_says_what_it_is);
    tcase_add_test(c, the_oldest_names_do_what_they_did);
    suite_add_tcase(suite, c);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
