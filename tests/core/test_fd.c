/* SIFR_FD, on which event loops sit: readable when SIFR_EVENTS may have changed, and not after it was asked. */
#include "support.h"

#include <fcntl.h>
#include <sys/epoll.h>

enum { IN = SIFR_POLLIN, OUT = SIFR_POLLOUT };

static bool fd_readable_within(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

/* Waits as event loops do: asks, and only if the answer was no waits for the descriptor, and asks again. */
static bool await_event(sifr_socket_t *s, int event)
{
    int fd = get_int(s, SIFR_FD);

    while (!(get_int(s, SIFR_EVENTS) & event))
        if (!fd_readable_within(fd, WAIT_MS))
            return false;
    return true;
}

/* What is still under way when a connection begins, handshakes and credit, has been taken in. */
static void settle(sifr_socket_t *a, sifr_socket_t *b)
{
    send_parts(a, "settle");
    recv_parts(b, "settle");
    send_parts(b, "settle");
    recv_parts(a, "settle");
    get_int(a, SIFR_EVENTS);
    get_int(b, SIFR_EVENTS);
}

START_TEST(a_socket_has_one_descriptor_of_its_own)
{
    int fds[SIFR_XSUB + 1];

    for (int type = SIFR_PAIR; type <= SIFR_XSUB; type++) {
        sifr_socket_t *s = new_socket(type);

        fds[type] = get_int(s, SIFR_FD);
        ck_assert_int_ge(fds[type], 0);
        ck_assert(fcntl(fds[type], F_GETFD) & FD_CLOEXEC);
        bind_fresh(s, TCP);
        ck_assert_int_eq(get_int(s, SIFR_FD), fds[type]);
        for (int k = 0; k < type; k++)
            ck_assert_int_ne(fds[k], fds[type]);
    }
}
END_TEST

START_TEST(an_idle_socket_is_silent_once_asked)
{
    sifr_socket_t *a, *b;
    int fd_a, fd_b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    fd_a = get_int(a, SIFR_FD);
    fd_b = get_int(b, SIFR_FD);
    settle(a, b);
    for (int n = 0; n < 20; n++) {
        ck_assert_int_eq(get_int(a, SIFR_EVENTS), OUT);
        ck_assert_int_eq(get_int(b, SIFR_EVENTS), OUT);
        ck_assert(!fd_readable_within(fd_a, 5));
        ck_assert(!fd_readable_within(fd_b, 5));
    }
}
END_TEST

START_TEST(a_message_makes_it_readable_and_asking_silences_it)
{
    sifr_socket_t *a, *b;
    int fd;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    fd = get_int(b, SIFR_FD);
    settle(a, b);
    for (int n = 0; n < 50; n++) {
        ck_assert_int_eq(get_int(b, SIFR_EVENTS), OUT);
        send_parts(a, "a", "b");
        ck_assert(fd_readable_within(fd, WAIT_MS));
        ck_assert(await_event(b, IN));
        ck_assert_int_eq(get_int(b, SIFR_EVENTS), IN | OUT);
        ck_assert(!fd_readable_within(fd, n % 5 == 0 ? 5 : 0)); /* asked: no spinning, though unread */
        recv_parts(b, "a", "b");
        ck_assert_int_eq(get_int(b, SIFR_EVENTS), OUT);
    }
}
END_TEST

START_TEST(reading_until_nothing_is_left_never_hangs)
{
    sifr_socket_t *a, *b;
    int sent = 0, got = 0;

    new_link(&a, SIFR_PUSH, &b, SIFR_PULL, _i);
    while (got < 5000) {
        for (int n = 0; n < 1 + got % 7 && sent < 5000; n++, sent++)
            send_bytes(a, &sent, sizeof sent, 0);
        ck_assert(await_event(b, IN));
        for (int value; sifr_recv(b, &value, sizeof value, SIFR_DONTWAIT) == sizeof value; got++)
            ck_assert_int_eq(value, got);
    }
}
END_TEST

START_TEST(reading_one_message_a_turn_never_hangs)
{
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PUSH, &b, SIFR_PULL, _i);
    for (int turn = 0; turn < 50; turn++) {
        for (int n = 0; n < 20; n++)
            send_bytes(a, &n, sizeof n, 0);
        for (int n = 0; n < 20; n++) {
            ck_assert(await_event(b, IN));
            recv_bytes(b, &n, sizeof n, false); /* POLLIN is exact: this does not wait */
        }
        recv_nothing(b);
    }
}
END_TEST

enum { NUMBERED = 30000 };

static void *send_numbered(void *s)
{
    for (uint32_t i = 0; i < NUMBERED; i++)
        send_bytes(s, &i, sizeof i, 0);
    return NULL;
}

START_TEST(a_stream_from_another_thread_is_read_by_edges)
{
    sifr_socket_t *a, *b;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    pthread_t sender;
    uint32_t got = 0;

    new_link(&a, SIFR_PUSH, &b, SIFR_PULL, _i);
    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, get_int(b, SIFR_FD), &event), 0);
    sender = start_thread(send_numbered, a);
    while (got < NUMBERED) {
        uint32_t value;

        while (get_int(b, SIFR_EVENTS) & IN)
            while (sifr_recv(b, &value, sizeof value, SIFR_DONTWAIT) == sizeof value)
                ck_assert_uint_eq(value, got++);
        if (got < NUMBERED)
            ck_assert_int_eq(epoll_wait(epoll, &event, 1, WAIT_MS), 1);
    }
    pthread_join(sender, NULL);
    close(epoll);
}
END_TEST

static void *read_numbered(void *s)
{
    for (uint32_t i = 0; i < NUMBERED; i++)
        recv_bytes(s, &i, sizeof i, false);
    return NULL;
}

START_TEST(room_makes_it_readable_too)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    uint32_t sent = 0;
    pthread_t reader;

    set_int(push, SIFR_SNDHWM, 10);
    set_int(pull, SIFR_RCVHWM, 10);
    link_sockets(push, pull, _i);
    reader = start_thread(read_numbered, pull);
    while (sent < NUMBERED) {
        ck_assert(await_event(push, OUT));
        send_bytes(push, &sent, sizeof sent, SIFR_DONTWAIT); /* POLLOUT is exact too */
        sent++;
    }
    pthread_join(reader, NULL);
}
END_TEST

START_TEST(a_peer_that_comes_makes_it_readable)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(push, (enum transport)_i);
    int fd = get_int(push, SIFR_FD);

    ck_assert_int_eq(get_int(push, SIFR_EVENTS), 0);
    ck_assert(!fd_readable_within(fd, 0));
    connect_to(pull, &e);
    ck_assert(fd_readable_within(fd, WAIT_MS));
    ck_assert(await_event(push, OUT));
    send_parts(push, "welcome");
    recv_parts(pull, "welcome");
}
END_TEST

START_TEST(both_sides_of_a_request_live_in_one_loop)
{
    sifr_socket_t *req, *rep;

    new_link(&req, SIFR_REQ, &rep, SIFR_REP, _i);
    for (int n = 0; n < 500; n++) {
        ck_assert(await_event(req, OUT));
        send_bytes(req, &n, sizeof n, SIFR_DONTWAIT);
        ck_assert(await_event(rep, IN));
        recv_bytes(rep, &n, sizeof n, false);
        ck_assert(await_event(rep, OUT));
        send_bytes(rep, &n, sizeof n, SIFR_DONTWAIT);
        ck_assert(await_event(req, IN));
        recv_bytes(req, &n, sizeof n, false);
    }
}
END_TEST

START_TEST(fresh_sockets_show_what_they_can_do)
{
    static const int events[] = {
        [SIFR_PAIR] = 0,   [SIFR_PUB] = OUT,  [SIFR_SUB] = 0,  [SIFR_REQ] = 0,    [SIFR_REP] = 0,   [SIFR_DEALER] = 0,
        [SIFR_ROUTER] = OUT, [SIFR_PULL] = 0, [SIFR_PUSH] = 0, [SIFR_XPUB] = OUT, [SIFR_XSUB] = OUT,
        [SIFR_STREAM] = OUT, [SIFR_SERVER] = OUT, [SIFR_RADIO] = OUT, [SIFR_PEER] = OUT, [SIFR_CHANNEL] = 0,
    };

    for (int type = SIFR_PAIR; type <= SIFR_CHANNEL; type++)
        ck_assert_int_eq(get_int(new_socket(type), SIFR_EVENTS), events[type]);
}
END_TEST

START_TEST(a_message_filtered_out_is_none)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_socket(SIFR_SUB), *all = new_socket(SIFR_SUB);
    struct endpoint e = bind_fresh(pub, (enum transport)_i);

    set_int(pub, SIFR_INVERT_MATCHING, 1); /* so that the first gets what it does not want */
    set_text(sub, SIFR_SUBSCRIBE, "a");
    set_int(all, SIFR_INVERT_MATCHING, 1);
    connect_to(sub, &e);
    connect_to(all, &e);
    eventually(sifr_send(pub, "hello", 5, 0) == 5 && readable_within(all, 0));
    for (int n = 0; n < 100; n++) {
        send_parts(pub, "b");
        ck_assert_int_eq(get_int(sub, SIFR_EVENTS), 0);
    }
    ck_assert(!readable_within(sub, 20));
}
END_TEST

START_TEST(shutdown_makes_it_readable)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *s = new_socket_in(ctx, SIFR_PULL);
    int fd = get_int(s, SIFR_FD), value;
    size_t size = sizeof value;

    if (_i < TRANSPORTS)
        bind_fresh(s, (enum transport)_i);
    get_int(s, SIFR_EVENTS);
    ck_assert(!fd_readable_within(fd, 0));
    ck_works(sifr_ctx_shutdown(ctx));
    ck_assert(fd_readable_within(fd, WAIT_MS));
    ck_fails(sifr_getsockopt(s, SIFR_EVENTS, &value, &size), SIFR_ETERM);
    ck_works(sifr_close(s));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(asking_for_it_late_misses_nothing)
{
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PUSH, &b, SIFR_PULL, _i);
    send_parts(a, "first");
    recv_parts(b, "first");
    send_parts(a, "second"); /* under way, or there already, when the descriptor is made */
    ck_assert(await_event(b, IN));
    recv_parts(b, "second");
    recv_nothing(b);
    send_parts(a, "third");
    ck_assert(fd_readable_within(get_int(b, SIFR_FD), WAIT_MS));
    ck_assert(await_event(b, IN));
    recv_parts(b, "third");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("FD");
    TCase *c = new_case(s, "descriptor");

    tcase_add_test(c, a_socket_has_one_descriptor_of_its_own);
    tcase_add_loop_test(c, an_idle_socket_is_silent_once_asked, 0, WAYS);
    tcase_add_loop_test(c, a_message_makes_it_readable_and_asking_silences_it, 0, WAYS);
    tcase_add_loop_test(c, reading_until_nothing_is_left_never_hangs, 0, WAYS);
    tcase_add_loop_test(c, reading_one_message_a_turn_never_hangs, 0, WAYS);
    tcase_add_loop_test(c, a_stream_from_another_thread_is_read_by_edges, 0, WAYS);
    tcase_add_loop_test(c, room_makes_it_readable_too, 0, WAYS);
    tcase_add_loop_test(c, a_peer_that_comes_makes_it_readable, 0, TRANSPORTS);
    tcase_add_loop_test(c, both_sides_of_a_request_live_in_one_loop, 0, WAYS);
    tcase_add_test(c, fresh_sockets_show_what_they_can_do);
    tcase_add_loop_test(c, a_message_filtered_out_is_none, 0, TRANSPORTS);
    tcase_add_loop_test(c, shutdown_makes_it_readable, 0, TRANSPORTS + 1);
    tcase_add_loop_test(c, asking_for_it_late_misses_nothing, 0, WAYS);
    return run_suite(s);
}
