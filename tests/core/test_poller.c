/* A poller tells what is ready of what is in it, and is refused what is not. */
#include "support.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { IN = SIFR_POLLIN, OUT = SIFR_POLLOUT, CLIENT = 13, SERVER = 12 };

static sifr_poller_t *poller;

static void open_poller(void)
{
    open_world();
    poller = sifr_poller_new();
    ck_assert_ptr_nonnull(poller);
}

static void close_poller(void)
{
    ck_works(sifr_poller_destroy(&poller));
    ck_assert_ptr_null(poller);
    close_world();
}

static void nothing_within(long ms)
{
    sifr_poller_event_t e = {.socket = (sifr_socket_t *)&poller, .fd = 7, .user_data = &poller, .events = 7};

    ck_fails(sifr_poller_wait(poller, &e, ms), EAGAIN);
    ck_assert(!e.socket && e.fd == -1 && !e.user_data && e.events == 0);
}

/* One event comes, and it is this. */
static void expect(sifr_socket_t *s, int events)
{
    sifr_poller_event_t e;

    ck_works(sifr_poller_wait(poller, &e, WAIT_MS));
    ck_assert_ptr_eq(e.socket, s);
    ck_assert_ptr_eq(e.user_data, s);
    ck_assert_int_eq(e.fd, -1);
    ck_assert_int_eq(e.events, events);
}

static void add(sifr_socket_t *s, int events)
{
    ck_works(sifr_poller_add(poller, s, s, (short)events));
}

START_TEST(a_message_is_told_of_until_it_is_read)
{
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    add(b, IN);
    ck_assert_int_eq(sifr_poller_size(poller), 1);
    nothing_within(0);
    nothing_within(10);
    for (int n = 0; n < 100; n++) {
        send_parts(a, "first", "part");
        expect(b, IN);
        expect(b, IN);
        recv_text(b, "first", true);
        expect(b, IN);
        recv_text(b, "part", false);
        nothing_within(0);
    }
}
END_TEST

START_TEST(room_is_told_of_as_it_comes_and_goes)
{
    sifr_socket_t *a = new_socket(SIFR_PUSH), *b = new_socket(SIFR_PULL);
    int n;

    set_int(a, SIFR_SNDHWM, 10);
    set_int(b, SIFR_RCVHWM, 10);
    add(a, OUT);
    nothing_within(10);
    link_sockets(a, b, 2 * INPROC);
    for (int times = 0; times < 5; times++) {
        expect(a, OUT);
        n = fill_up(a, 100000);
        ck_assert_int_lt(n, 100000);
        nothing_within(0);
        while (n--)
            ck_assert_int_eq(sifr_recv(b, NULL, 0, 0), 1);
    }
    expect(a, OUT);
}
END_TEST

struct later {
    sifr_socket_t *s;
    int after_ms;
};

static void *send_later(void *arg)
{
    struct later *l = arg;

    poll(NULL, 0, l->after_ms);
    send_text(l->s, "later", 0);
    return NULL;
}

START_TEST(a_message_ends_the_wait)
{
    sifr_socket_t *a, *b, *idle = new_socket(SIFR_PULL);
    int ends[2];

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    add(idle, IN);
    add(b, IN);
    ck_assert_int_eq(pipe(ends), 0);
    for (int n = 0; n < 6; n++) {
        struct later l = {a, n * 5};
        pthread_t t = start_thread(send_later, &l);

        if (n == 3) /* from now on it sleeps at descriptors */
            ck_works(sifr_poller_add_fd(poller, ends[0], NULL, IN));
        expect(b, IN);
        pthread_join(t, NULL);
        recv_text(b, "later", false);
        nothing_within(0);
    }
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(descriptors_are_told_of_too)
{
    sifr_poller_event_t e;
    int ends[2], tag;

    ck_assert_int_eq(pipe(ends), 0);
    ck_works(sifr_poller_add_fd(poller, ends[0], &tag, IN));
    ck_works(sifr_poller_add_fd(poller, ends[1], NULL, 0));
    ck_assert_int_eq(sifr_poller_size(poller), 2);
    nothing_within(20);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    for (int n = 0; n < 2; n++) {
        ck_works(sifr_poller_wait(poller, &e, WAIT_MS));
        ck_assert(!e.socket && e.fd == ends[0] && e.user_data == &tag && e.events == IN);
    }
    ck_works(sifr_poller_modify_fd(poller, ends[0], 0));
    nothing_within(0);
    ck_works(sifr_poller_modify_fd(poller, ends[1], OUT));
    ck_works(sifr_poller_wait(poller, &e, WAIT_MS));
    ck_assert(e.fd == ends[1] && e.events == OUT && !e.user_data);
    ck_works(sifr_poller_remove_fd(poller, ends[1]));
    ck_works(sifr_poller_modify_fd(poller, ends[0], OUT));
    close(ends[1]); /* hung up: told of though not asked for */
    ck_works(sifr_poller_wait(poller, &e, WAIT_MS));
    ck_assert(e.fd == ends[0] && e.events == SIFR_POLLERR);
    ck_works(sifr_poller_remove_fd(poller, ends[0]));
    ck_assert_int_eq(sifr_poller_size(poller), 0);
    close(ends[0]);
}
END_TEST

START_TEST(all_that_is_ready_comes_in_the_order_of_being_added)
{
    enum { N = 20 };
    sifr_socket_t *push[N], *pull[N];
    sifr_poller_event_t events[2 * N];
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    for (int i = 0; i < N; i++) {
        new_link(&push[i], SIFR_PUSH, &pull[i], SIFR_PULL, 2 * INPROC);
        add(pull[i], IN);
        if (i == N / 2)
            ck_works(sifr_poller_add_fd(poller, ends[0], NULL, IN));
    }
    for (int i = N - 1; i >= 0; i -= 2)
        send_text(push[i], "x", 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(sifr_poller_wait_all(poller, events, 2 * N, WAIT_MS), N / 2 + 1);
    for (int i = 0, at = 1; i <= N / 2; i++) {
        if (i == N / 4 + N % 4 / 2) {
            ck_assert_int_eq(events[i].fd, ends[0]);
            continue;
        }
        ck_assert_ptr_eq(events[i].socket, pull[at]);
        at += 2;
    }
    for (int i = N / 2 + 1; i < 2 * N; i++)
        ck_assert(!events[i].socket && events[i].fd == -1 && !events[i].user_data && !events[i].events);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(with_too_little_room_each_has_its_turn)
{
    enum { N = 7, ROOM = 3 };
    sifr_socket_t *push[N], *pull[N];
    sifr_poller_event_t events[ROOM];
    int told[N] = {0};

    for (int i = 0; i < N; i++) {
        new_link(&push[i], SIFR_PUSH, &pull[i], SIFR_PULL, 2 * INPROC);
        add(pull[i], IN);
        send_text(push[i], "x", 0);
    }
    for (int times = 0; times < N; times++) {
        ck_assert_int_eq(sifr_poller_wait_all(poller, events, ROOM, 0), ROOM);
        for (int k = 0; k < ROOM; k++)
            for (int i = 0; i < N; i++)
                told[i] += events[k].socket == pull[i];
    }
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(told[i], ROOM);
}
END_TEST

START_TEST(what_is_waited_for_may_change)
{
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, 2 * INPROC);
    add(a, IN);
    nothing_within(0);
    ck_works(sifr_poller_modify(poller, a, OUT));
    expect(a, OUT);
    ck_works(sifr_poller_modify(poller, a, 0));
    nothing_within(5);
    send_text(b, "x", 0);
    ck_works(sifr_poller_modify(poller, a, IN | OUT));
    expect(a, IN | OUT);
    ck_works(sifr_poller_remove(poller, a));
    nothing_within(0);
    add(a, IN);
    expect(a, IN);
}
END_TEST

START_TEST(a_call_elsewhere_changes_the_answer)
{
    sifr_socket_t *rep = new_socket(SIFR_REP), *req = new_socket(SIFR_REQ);

    link_sockets(rep, req, _i);
    add(req, OUT | IN);
    add(rep, OUT);
    expect(req, OUT);
    for (int n = 0; n < 50; n++) {
        send_text(req, "question", 0);
        nothing_within(0);
        recv_text(rep, "question", false); /* a call alone makes it writable */
        expect(rep, OUT);
        send_text(rep, "answer", 0);
        expect(req, IN);
        recv_text(req, "answer", false);
        expect(req, OUT);
    }
}
END_TEST

static void *recv_in_thread(void *rep)
{
    poll(NULL, 0, 20);
    recv_text(rep, "question", false);
    return NULL;
}

START_TEST(a_call_of_another_thread_ends_the_wait)
{
    sifr_socket_t *rep = new_socket(SIFR_REP), *req = new_socket(SIFR_REQ);
    pthread_t t;

    link_sockets(rep, req, _i);
    add(rep, OUT);
    nothing_within(0);
    send_text(req, "question", 0);
    ck_assert(readable(rep));
    nothing_within(0);
    t = start_thread(recv_in_thread, rep);
    expect(rep, OUT);
    pthread_join(t, NULL);
}
END_TEST

START_TEST(one_that_received_by_itself_before_is_served)
{
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    for (int n = 0; n < 50; n++) { /* blocking calls read by themselves, and keep that */
        send_text(a, "to", 0);
        recv_text(b, "to", false);
        send_text(b, "fro", 0);
        recv_text(a, "fro", false);
    }
    add(b, IN);
    for (int n = 0; n < 50; n++) {
        struct later l = {a, 1};
        pthread_t t;

        nothing_within(0);
        t = start_thread(send_later, &l);
        expect(b, IN);
        recv_text(b, "later", false);
        pthread_join(t, NULL);
    }
}
END_TEST

START_TEST(a_closed_socket_is_told_of_and_can_be_taken_out)
{
    sifr_socket_t *a = new_socket(SIFR_PULL), *b = new_socket(SIFR_PULL);
    sifr_poller_event_t e;

    add(a, IN);
    add(b, IN);
    nothing_within(0);
    drop(a);
    ck_fails(sifr_poller_wait(poller, &e, 0), ENOTSOCK);
    ck_fails(sifr_poller_wait(poller, &e, -1), ENOTSOCK);
    ck_fails(sifr_poller_modify(poller, a, IN), ENOTSOCK);
    ck_works(sifr_poller_remove(poller, a));
    ck_fails(sifr_poller_remove(poller, a), ENOTSOCK);
    nothing_within(0);
}
END_TEST

static void *close_later(void *s)
{
    poll(NULL, 0, 20);
    ck_works(sifr_close(s));
    return NULL;
}

START_TEST(a_socket_that_is_closed_ends_the_wait)
{
    sifr_socket_t *s = new_socket_in(world.ctx, SIFR_PULL);
    sifr_poller_event_t e;
    pthread_t t;

    add(s, IN);
    t = start_thread(close_later, s);
    ck_fails(sifr_poller_wait(poller, &e, -1), ENOTSOCK);
    pthread_join(t, NULL);
    ck_works(sifr_poller_remove(poller, s));
}
END_TEST

static void *shutdown_later(void *ctx)
{
    poll(NULL, 0, 20);
    ck_works(sifr_ctx_shutdown(ctx));
    return NULL;
}

START_TEST(shutdown_ends_the_wait)
{
    sifr_socket_t *s = new_socket(SIFR_PULL), *late = new_socket(SIFR_PULL);
    sifr_poller_event_t e;
    pthread_t t;

    add(s, IN);
    t = start_thread(shutdown_later, world.ctx);
    ck_fails(sifr_poller_wait(poller, &e, -1), SIFR_ETERM);
    pthread_join(t, NULL);
    ck_fails(sifr_poller_wait(poller, &e, 0), SIFR_ETERM);
    ck_works(sifr_poller_remove(poller, s));
    add(late, IN);
    ck_fails(sifr_poller_wait(poller, &e, -1), SIFR_ETERM);
}
END_TEST

static void nothing(int number)
{
    (void)number;
}

static void *interrupt_later(void *thread)
{
    poll(NULL, 0, 20);
    pthread_kill(*(pthread_t *)thread, SIGUSR1);
    return NULL;
}

START_TEST(a_signal_ends_the_wait)
{
    struct sigaction act = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    pthread_t self = pthread_self(), t;
    sifr_poller_event_t e;
    int ends[2];

    sigaction(SIGUSR1, &act, NULL);
    add(new_socket(SIFR_PULL), IN);
    t = start_thread(interrupt_later, &self);
    ck_fails(sifr_poller_wait(poller, &e, -1), EINTR);
    pthread_join(t, NULL);
    ck_assert_int_eq(pipe(ends), 0);
    ck_works(sifr_poller_add_fd(poller, ends[0], NULL, IN));
    t = start_thread(interrupt_later, &self);
    ck_fails(sifr_poller_wait(poller, &e, -1), EINTR);
    pthread_join(t, NULL);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_wait_ends_in_time_and_not_early)
{
    static const int waits[] = {0, 1, 30, 80};

    for (int sockets = 0; sockets < 2; sockets++) { /* also one that waits for nothing */
        for (int i = 0; i < COUNT(waits); i++) {
            int64_t start = now_ms();

            nothing_within(waits[i]);
            ck_assert_int_ge(now_ms() - start, waits[i] - 1);
            ck_assert_int_lt(now_ms() - start, WAIT_MS);
        }
        add(new_socket(SIFR_PULL), IN);
    }
}
END_TEST

START_TEST(sockets_of_several_contexts_mix)
{
    sifr_ctx_t *other = sifr_ctx_new();
    sifr_socket_t *a, *b, *c = new_socket_in(other, SIFR_PUSH), *d = new_socket_in(other, SIFR_PULL);

    new_link(&a, SIFR_PUSH, &b, SIFR_PULL, 2 * INPROC);
    link_sockets(c, d, 2 * INPROC);
    add(b, IN);
    add(d, IN);
    send_text(c, "x", 0);
    expect(d, IN);
    recv_text(d, "x", false);
    send_text(a, "x", 0);
    expect(b, IN);
    ck_works(sifr_poller_remove(poller, d));
    ck_works(sifr_close(c));
    ck_works(sifr_close(d));
    ck_works(sifr_ctx_term(other));
    expect(b, IN);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    max_align_t zeroes[8] = {0};
    sifr_socket_t *s = new_socket(SIFR_PULL), *other = new_socket(SIFR_PULL);
    sifr_poller_event_t e[2];
    sifr_poller_t *bad[] = {NULL, (sifr_poller_t *)(void *)zeroes, (sifr_poller_t *)(void *)s};
    int fd;

    for (int i = 0; i < COUNT(bad); i++) {
        sifr_poller_t *p = bad[i];

        ck_fails(sifr_poller_size(p), EFAULT);
        ck_fails(sifr_poller_add(p, s, NULL, IN), EFAULT);
        ck_fails(sifr_poller_modify(p, s, IN), EFAULT);
        ck_fails(sifr_poller_remove(p, s), EFAULT);
        ck_fails(sifr_poller_add_fd(p, 0, NULL, IN), EFAULT);
        ck_fails(sifr_poller_modify_fd(p, 0, IN), EFAULT);
        ck_fails(sifr_poller_remove_fd(p, 0), EFAULT);
        ck_fails(sifr_poller_wait(p, e, 0), EFAULT);
        ck_fails(sifr_poller_wait_all(p, e, 2, 0), EFAULT);
        ck_fails(sifr_poller_fd(p, &fd), EFAULT);
        ck_fails(sifr_poller_destroy(&p), EFAULT);
    }
    ck_fails(sifr_poller_destroy(NULL), EFAULT);

    ck_fails(sifr_poller_wait(poller, e, -1), EFAULT);
    ck_fails(sifr_poller_wait_all(poller, e, 2, -1), EFAULT);
    add(s, 0);
    ck_fails(sifr_poller_wait(poller, e, -1), EFAULT);
    ck_fails(sifr_poller_wait(poller, NULL, 0), EFAULT);
    ck_fails(sifr_poller_wait_all(poller, NULL, 1, 0), EFAULT);
    ck_fails(sifr_poller_wait_all(poller, e, -1, 0), EINVAL);
    ck_works(sifr_poller_modify(poller, s, IN));
    ck_fails(sifr_poller_wait_all(poller, e, 0, 0), EAGAIN);

    ck_fails(sifr_poller_add(poller, s, NULL, IN), EINVAL);
    ck_fails(sifr_poller_add(poller, other, NULL, 16), EINVAL);
    ck_fails(sifr_poller_add(poller, NULL, NULL, IN), ENOTSOCK);
    ck_fails(sifr_poller_add(poller, (sifr_socket_t *)(void *)zeroes, NULL, IN), ENOTSOCK);
    ck_fails(sifr_poller_modify(poller, other, IN), EINVAL);
    ck_fails(sifr_poller_modify(poller, s, 16), EINVAL);
    ck_fails(sifr_poller_modify(poller, NULL, IN), ENOTSOCK);
    ck_fails(sifr_poller_remove(poller, other), EINVAL);
    ck_fails(sifr_poller_remove(poller, NULL), ENOTSOCK);
    ck_fails(sifr_poller_add_fd(poller, -1, NULL, IN), EBADF);
    ck_works(sifr_poller_add_fd(poller, 0, NULL, IN));
    ck_fails(sifr_poller_add_fd(poller, 0, NULL, IN), EINVAL);
    ck_fails(sifr_poller_add_fd(poller, 1, NULL, 16), EINVAL);
    ck_fails(sifr_poller_modify_fd(poller, -1, IN), EBADF);
    ck_fails(sifr_poller_modify_fd(poller, 1, IN), EINVAL);
    ck_fails(sifr_poller_modify_fd(poller, 0, 16), EINVAL);
    ck_fails(sifr_poller_remove_fd(poller, -1), EBADF);
    ck_fails(sifr_poller_remove_fd(poller, 1), EINVAL);
    ck_works(sifr_poller_remove_fd(poller, 0));
    ck_fails(sifr_poller_fd(poller, &fd), EINVAL); /* no thread-safe type */
    ck_fails(sifr_poller_fd(poller, NULL), EFAULT);
    ck_assert_int_eq(sifr_poller_size(poller), 1);
}
END_TEST

START_TEST(a_destroyed_poller_is_none)
{
    sifr_poller_t *p = sifr_poller_new(), *stale = p;
    sifr_socket_t *s = new_socket(SIFR_PULL);
    sifr_poller_event_t e;

    ck_works(sifr_poller_add(p, s, NULL, IN));
    ck_works(sifr_poller_destroy(&p));
    ck_fails(sifr_poller_wait(stale, &e, 0), EFAULT);
    ck_fails(sifr_poller_add(stale, s, NULL, IN), EFAULT);
    ck_fails(sifr_poller_destroy(&stale), EFAULT);
    ck_fails(sifr_poller_destroy(&p), EFAULT);
}
END_TEST

START_TEST(many_sockets_each_have_their_turn)
{
    enum { N = 200 };
    sifr_socket_t *push = new_socket(SIFR_ROUTER), *pull[N];
    sifr_poller_event_t events[N];
    struct endpoint e = bind_fresh(push, INPROC);

    set_int(push, SIFR_ROUTER_MANDATORY, 1);
    for (int i = 0; i < N; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d", i);
        pull[i] = new_socket(SIFR_DEALER);
        set_text(pull[i], SIFR_ROUTING_ID, name);
        connect_to(pull[i], &e);
        add(pull[i], IN);
    }
    ck_assert_int_eq(sifr_poller_size(poller), N);
    for (int n = 0; n < 5 * N; n++) {
        int to = n * 7919 % N;
        char name[16];

        snprintf(name, sizeof name, "%d", to);
        send_parts(push, name, "x");
        expect(pull[to], IN);
        recv_text(pull[to], "x", false);
    }
    for (int i = 0; i < N; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d", i);
        send_parts(push, name, "x");
    }
    ck_assert_int_eq(sifr_poller_wait_all(poller, events, N, WAIT_MS), N);
    for (int i = 0; i < N; i += 2)
        ck_works(sifr_poller_remove(poller, pull[i]));
    ck_assert_int_eq(sifr_poller_wait_all(poller, events, N, WAIT_MS), N / 2);
    for (int i = 0; i < N / 2; i++)
        ck_assert_ptr_eq(events[i].socket, pull[2 * i + 1]);
}
END_TEST

/* What the child of a fork finds; returns the line of what is not so, or 0. */
static int in_child(sifr_socket_t *s)
{
    sifr_poller_event_t e;
    sifr_ctx_t *ctx;
    sifr_socket_t *own;
    sifr_poller_t *other;

#define REQUIRE(condition)                                                                                             \
    do                                                                                                                 \
        if (!(condition))                                                                                              \
            return __LINE__;                                                                                           \
    while (0)
    REQUIRE(sifr_poller_wait(poller, &e, -1) == -1 && errno == EINTR);
    REQUIRE(sifr_poller_wait_all(poller, &e, 1, 0) == -1 && errno == EINTR);
    REQUIRE(sifr_poller_remove(poller, s) == 0);
    REQUIRE(sifr_poller_destroy(&poller) == 0);
#if defined(__SANITIZE_THREAD__) /* it ends a child of many threads that makes another */
    (void)ctx, (void)own, (void)other;
#else
    REQUIRE(ctx = sifr_ctx_new());
    REQUIRE(own = sifr_socket(ctx, SIFR_PUSH));
    REQUIRE(other = sifr_poller_new());
    REQUIRE(sifr_poller_add(other, own, NULL, OUT) == 0);
    REQUIRE(sifr_poller_wait(other, &e, 10) == -1 && errno == EAGAIN);
    REQUIRE(sifr_poller_add(other, s, NULL, IN) == -1 && errno == EINTR);
    REQUIRE(sifr_poller_destroy(&other) == 0);
    REQUIRE(sifr_close(own) == 0 && sifr_ctx_term(ctx) == 0);
#endif
    return 0;
#undef REQUIRE
}

START_TEST(a_child_leaves_its_parents_poller_alone)
{
    sifr_socket_t *a, *b;
    int status, ends[2];
    pid_t pid;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    add(b, IN);
    ck_assert_int_eq(pipe(ends), 0);
    ck_works(sifr_poller_add_fd(poller, ends[0], NULL, IN)); /* it sleeps at descriptors */
    nothing_within(5);
    pid = fork();
    if (pid == 0) {
        int line = in_child(b);

        if (line)
            fprintf(stderr, "the child: line %d, errno %d\n", line, errno);
        _exit(line != 0);
    }
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with status %x", (unsigned)status);
    nothing_within(5);
    send_text(a, "x", 0);
    expect(b, IN);
    recv_text(b, "x", false);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

struct stream {
    sifr_socket_t *from[4];
    _Atomic int sent;
};

static void *stream(void *arg)
{
    struct stream *s = arg;

    for (int n = 0; n < 20000; n++) {
        send_bytes(s->from[n % 4], &n, sizeof n, 0);
        atomic_fetch_add(&s->sent, 1);
    }
    return NULL;
}

START_TEST(nothing_of_a_stream_is_overlooked)
{
    struct stream s = {0};
    sifr_socket_t *to[4];
    int got = 0;
    pthread_t t;

    for (int i = 0; i < 4; i++) {
        new_link(&s.from[i], SIFR_PUSH, &to[i], SIFR_PULL, _i);
        add(to[i], IN);
    }
    t = start_thread(stream, &s);
    while (got < 20000) {
        sifr_poller_event_t events[4];
        int n = sifr_poller_wait_all(poller, events, 4, WAIT_MS);

        ck_assert_msg(n > 0, "errno %d after %d of %d", errno, got, s.sent);
        for (int i = 0; i < n; i++) {
            int limit = got % 3 ? 1 : 1000; /* now some are left, now none */

            while (limit-- && sifr_recv(events[i].socket, NULL, 0, SIFR_DONTWAIT) >= 0)
                got++;
        }
    }
    pthread_join(t, NULL);
    nothing_within(0);
}
END_TEST

static bool fd_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static void fd_becomes_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
}

START_TEST(its_descriptor_tells_of_thread_safe_sockets)
{
    sifr_socket_t *probe = sifr_socket(world.ctx, CLIENT), *client, *server, *plain = new_socket(SIFR_PULL);
    sifr_poller_event_t event;
    int fd, again;

    if (!probe) { /* this library has none */
        ck_assert_int_eq(errno, EINVAL);
        return;
    }
    ck_works(sifr_close(probe));
    new_link(&client, CLIENT, &server, SERVER, 2 * INPROC);
    add(plain, IN);
    ck_fails(sifr_poller_fd(poller, &fd), EINVAL);
    add(server, IN);
    ck_works(sifr_poller_fd(poller, &fd));
    ck_works(sifr_poller_fd(poller, &again));
    ck_assert_int_eq(fd, again);
    nothing_within(0);
    ck_assert(!fd_readable(fd));
    for (int n = 0; n < 3; n++) {
        send_text(client, "x", 0);
        fd_becomes_readable(fd);
        if (n == 0)
            ck_works(sifr_poller_wait(poller, &event, 0));
        else if (n == 1)
            ck_assert_int_ne(get_int(server, SIFR_EVENTS) & IN, 0);
        else
            recv_text(server, "x", false);
        ck_assert(!fd_readable(fd));
        drain(server);
    }
    send_text(client, "x", 0);
    fd_becomes_readable(fd);
    ck_works(sifr_poller_remove(poller, server));
    ck_assert(!fd_readable(fd));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("poller");
    TCase *c = new_bare_case(suite, "poller");

    tcase_add_checked_fixture(c, open_poller, close_poller);
    tcase_add_loop_test(c, a_message_is_told_of_until_it_is_read, 0, WAYS);
    tcase_add_test(c, room_is_told_of_as_it_comes_and_goes);
    tcase_add_loop_test(c, a_message_ends_the_wait, 0, WAYS);
    tcase_add_test(c, descriptors_are_told_of_too);
    tcase_add_test(c, all_that_is_ready_comes_in_the_order_of_being_added);
    tcase_add_test(c, with_too_little_room_each_has_its_turn);
    tcase_add_test(c, what_is_waited_for_may_change);
    tcase_add_loop_test(c, a_call_elsewhere_changes_the_answer, 0, WAYS);
    tcase_add_loop_test(c, a_call_of_another_thread_ends_the_wait, 0, WAYS);
    tcase_add_loop_test(c, one_that_received_by_itself_before_is_served, 0, WAYS);
    tcase_add_test(c, a_closed_socket_is_told_of_and_can_be_taken_out);
    tcase_add_test(c, a_socket_that_is_closed_ends_the_wait);
    tcase_add_test(c, shutdown_ends_the_wait);
    tcase_add_test(c, a_signal_ends_the_wait);
    tcase_add_test(c, a_wait_ends_in_time_and_not_early);
    tcase_add_test(c, sockets_of_several_contexts_mix);
    tcase_add_test(c, what_makes_no_sense_is_refused);
    tcase_add_test(c, a_destroyed_poller_is_none);
    tcase_add_test(c, many_sockets_each_have_their_turn);
    tcase_add_loop_test(c, a_child_leaves_its_parents_poller_alone, 0, WAYS);
    tcase_add_loop_test(c, nothing_of_a_stream_is_overlooked, 0, WAYS);
    tcase_add_test(c, its_descriptor_tells_of_thread_safe_sockets);
    return run_suite(suite);
}
