/* sifr_poll looks at what is, waits no longer than told, and mixes sockets with descriptors. */
#include "support.h"

#include <signal.h>
#include <stdatomic.h>

enum { IN = SIFR_POLLIN, OUT = SIFR_POLLOUT, ERR = SIFR_POLLERR };

static sifr_pollitem_t item_of(sifr_socket_t *s, int events)
{
    return (sifr_pollitem_t){.socket = s, .fd = -1, .events = (short)events, .revents = 99};
}

static sifr_pollitem_t item_of_fd(int fd, int events)
{
    return (sifr_pollitem_t){.fd = fd, .events = (short)events, .revents = 99};
}

START_TEST(what_is_ready_is_told_at_each_call)
{
    sifr_socket_t *a, *b;
    sifr_pollitem_t items[3];

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    ck_assert(writable_within(a, WAIT_MS) && writable_within(b, WAIT_MS));
    send_parts(a, "first", "part");
    ck_assert(readable(b));
    for (int n = 0; n < 3; n++) {
        items[0] = item_of(a, IN | OUT);
        items[1] = item_of(b, IN | OUT);
        items[2] = item_of(b, IN);
        ck_assert_int_eq(sifr_poll(items, 3, n * 1000), 3);
        ck_assert_int_eq(items[0].revents, OUT);
        ck_assert_int_eq(items[1].revents, IN | OUT);
        ck_assert_int_eq(items[2].revents, IN);
    }
    recv_text(b, "first", true);
    ck_assert_int_eq(sifr_poll(&items[2], 1, 0), 1);
    recv_text(b, "part", false);
    ck_assert_int_eq(sifr_poll(&items[2], 1, 0), 0);
    ck_assert_int_eq(items[2].revents, 0);
    items[0].events = 0; /* asks for nothing */
    ck_assert_int_eq(sifr_poll(items, 1, 10), 0);
    ck_assert_int_eq(items[0].revents, 0);
}
END_TEST

START_TEST(a_wait_ends_in_time_and_not_early)
{
    static const int waits[] = {0, 1, 50, 120};
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    for (int i = 0; i < COUNT(waits); i++) {
        sifr_pollitem_t items[] = {item_of(a, IN), item_of(b, IN)};
        int64_t start = now_ms();

        ck_assert_int_eq(sifr_poll(items, 2, waits[i]), 0);
        ck_assert_int_ge(now_ms() - start, waits[i] - 1);
        ck_assert_int_lt(now_ms() - start, WAIT_MS);
        ck_assert_int_eq(items[0].revents, 0);
        ck_assert_int_eq(items[1].revents, 0);
        start = now_ms();
        ck_assert_int_eq(sifr_poll(NULL, 0, waits[i]), 0);
        ck_assert_int_ge(now_ms() - start, waits[i] - 1);
    }
}
END_TEST

static void *send_late(void *s)
{
    send_text(s, "late", 0);
    return NULL;
}

START_TEST(a_message_ends_the_wait)
{
    sifr_socket_t *a, *b, *idle = new_socket(SIFR_PULL);

    bind_fresh(idle, TCP);
    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    for (int n = 0; n < 50; n++) {
        sifr_pollitem_t items[] = {item_of(idle, IN), item_of(b, IN)};
        pthread_t sender = start_thread(send_late, a);

        ck_assert_int_eq(sifr_poll(items, 2, n % 2 ? -1 : WAIT_MS), 1);
        ck_assert_int_eq(items[0].revents, 0);
        ck_assert_int_eq(items[1].revents, IN);
        recv_parts(b, "late");
        pthread_join(sender, NULL);
    }
}
END_TEST

static void *read_all(void *s)
{
    ck_assert_int_gt(drain(s), 0);
    return NULL;
}

START_TEST(room_ends_the_wait)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    sifr_pollitem_t item = item_of(push, OUT);
    pthread_t reader;

    set_int(push, SIFR_SNDHWM, 2);
    set_int(pull, SIFR_RCVHWM, 2);
    link_sockets(push, pull, 2 * INPROC + _i);
    for (int n = 0; n < 10; n++) {
        ck_assert_int_gt(fill_up(push, 100), 0);
        ck_assert_int_eq(sifr_poll(&item, 1, 0), 0);
        reader = start_thread(read_all, pull);
        ck_assert_int_eq(sifr_poll(&item, 1, WAIT_MS), 1);
        ck_assert_int_eq(item.revents, OUT);
        pthread_join(reader, NULL);
    }
}
END_TEST

START_TEST(a_peer_that_comes_ends_the_wait_for_room)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    sifr_pollitem_t item = item_of(push, OUT);
    struct endpoint e = bind_fresh(push, (enum transport)_i);

    ck_assert_int_eq(sifr_poll(&item, 1, 0), 0);
    connect_to(pull, &e);
    ck_assert_int_eq(sifr_poll(&item, 1, WAIT_MS), 1);
    ck_assert_int_eq(item.revents, OUT);
}
END_TEST

START_TEST(descriptors_are_polled_beside_sockets)
{
    sifr_socket_t *a, *b;
    sifr_pollitem_t items[4];
    char text[8];
    int fds[2];

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    ck_assert_int_eq(pipe(fds), 0);
    items[0] = item_of(b, IN);
    items[1] = item_of_fd(fds[0], IN);
    items[2] = item_of_fd(fds[1], OUT);
    items[3] = item_of_fd(-1, IN | OUT); /* nobody */
    ck_assert_int_eq(sifr_poll(items, 4, WAIT_MS), 1);
    ck_assert_int_eq(items[0].revents, 0);
    ck_assert_int_eq(items[1].revents, 0);
    ck_assert_int_eq(items[2].revents, OUT);
    ck_assert_int_eq(items[3].revents, 0);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    ck_assert_int_eq(sifr_poll(items, 2, WAIT_MS), 1);
    ck_assert_int_eq(items[1].revents, IN);
    send_parts(a, "message");
    ck_assert(readable(b));
    ck_assert_int_eq(sifr_poll(items, 2, -1), 2);
    ck_assert_int_eq(items[0].revents, IN);
    ck_assert_int_eq(items[1].revents, IN);
    ck_assert_int_eq(read(fds[0], text, sizeof text), 1);
    recv_parts(b, "message");
    ck_assert_int_eq(sifr_poll(items, 2, 0), 0);
    close(fds[1]); /* told though not asked for */
    items[1].events = 0;
    ck_assert_int_eq(sifr_poll(items, 2, WAIT_MS), 1);
    ck_assert_int_eq(items[1].revents, ERR);
    close(fds[0]);
    items[1].events = IN;
    ck_assert_int_eq(sifr_poll(items, 2, WAIT_MS), 1);
    ck_assert(items[1].revents & ERR); /* no descriptor at all */
}
END_TEST

START_TEST(a_socket_goes_before_a_descriptor)
{
    sifr_socket_t *a, *b;
    sifr_pollitem_t item;
    int fds[2];

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, 2 * INPROC);
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    item = item_of(b, IN);
    item.fd = fds[0]; /* ignored */
    ck_assert_int_eq(sifr_poll(&item, 1, 10), 0);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(hundreds_of_sockets_are_polled_at_once)
{
    enum { PAIRS = 200 };
    sifr_socket_t *a[PAIRS], *b[PAIRS];
    sifr_pollitem_t items[PAIRS];

    for (int i = 0; i < PAIRS; i++) {
        new_link(&a[i], SIFR_PAIR, &b[i], SIFR_PAIR, _i);
        items[i] = item_of(b[i], IN);
    }
    ck_assert_int_eq(sifr_poll(items, PAIRS, 0), 0);
    for (int i = 0; i < PAIRS; i += 13) {
        send_bytes(a[i], &i, sizeof i, 0);
        ck_assert_int_eq(sifr_poll(items, PAIRS, WAIT_MS), 1);
        for (int k = 0; k < PAIRS; k++)
            ck_assert_int_eq(items[k].revents, k == i ? IN : 0);
        recv_bytes(b[i], &i, sizeof i, false);
    }
    for (int i = 0; i < PAIRS; i++)
        send_bytes(a[i], &i, sizeof i, 0);
    for (int got = 0; got < PAIRS;) {
        ck_assert_int_gt(sifr_poll(items, PAIRS, WAIT_MS), 0);
        for (int k = 0; k < PAIRS; k++)
            if (items[k].revents) {
                recv_bytes(b[k], &k, sizeof k, false);
                got++;
            }
    }
    ck_assert_int_eq(sifr_poll(items, PAIRS, 0), 0);
}
END_TEST

START_TEST(a_list_that_cannot_be_is_refused)
{
    sifr_pollitem_t item = item_of(new_socket(SIFR_PAIR), IN);

    ck_fails(sifr_poll(&item, -1, 0), EINVAL);
    ck_fails(sifr_poll(NULL, 1, 0), EFAULT);
    ck_assert_int_eq(sifr_poll(NULL, 0, 0), 0);
    ck_assert_int_eq(sifr_poll(&item, 0, 0), 0);
}
END_TEST

static void *shut_down(void *ctx)
{
    poll(NULL, 0, 20); /* let the other begin to wait; either order is right */
    ck_works(sifr_ctx_shutdown(ctx));
    return NULL;
}

START_TEST(shutdown_ends_the_wait)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *s = new_socket_in(ctx, SIFR_PULL), *other = new_socket(SIFR_PULL);
    sifr_pollitem_t items[] = {item_of(other, IN), item_of(s, IN)};
    pthread_t thread;

    if (_i < TRANSPORTS)
        bind_fresh(s, (enum transport)_i);
    thread = start_thread(shut_down, ctx);
    ck_fails(sifr_poll(items, 2, -1), SIFR_ETERM);
    ck_fails(sifr_poll(items, 2, 0), SIFR_ETERM);
    pthread_join(thread, NULL);
    ck_works(sifr_close(s));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

static void on_signal(int number)
{
    (void)number;
}

struct target {
    pthread_t thread;
    atomic_bool *over;
};

static void *send_signals(void *arg)
{
    struct target *t = arg;

    while (!*t->over) { /* one that comes before the wait ends nothing */
        pthread_kill(t->thread, SIGUSR1);
        poll(NULL, 0, 5);
    }
    return NULL;
}

START_TEST(a_signal_ends_any_wait)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = _i % 2 ? SA_RESTART : 0};
    sifr_socket_t *a, *b, *full = new_socket(SIFR_PUSH);
    atomic_bool over = false;
    struct target target = {pthread_self(), &over};
    sifr_pollitem_t item;
    pthread_t thread;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i / 2);
    item = item_of(b, IN);
    set_int(b, SIFR_RCVTIMEO, -1);
    set_int(full, SIFR_SNDTIMEO, -1);
    sigaction(SIGUSR1, &action, NULL);
    thread = start_thread(send_signals, &target);
    for (int n = 0; n < 3; n++) {
        ck_fails(sifr_poll(&item, 1, -1), EINTR);
        ck_fails(sifr_poll(NULL, 0, -1), EINTR);
        ck_fails(sifr_recv(b, NULL, 0, 0), EINTR);
        ck_fails(sifr_send(full, "x", 1, 0), EINTR);
    }
    ck_fails(sifr_recv(b, NULL, 0, SIFR_DONTWAIT), EAGAIN);
    over = true;
    pthread_join(thread, NULL);
    send_parts(a, "nothing", "was lost");
    recv_parts(b, "nothing", "was lost");
}
END_TEST

START_TEST(what_a_call_changes_is_told_by_the_next_poll)
{
    sifr_socket_t *req, *rep, *push = new_socket(SIFR_PUSH);
    struct endpoint nowhere = fresh_endpoint(TCP);
    sifr_pollitem_t items[3];

    new_link(&req, SIFR_REQ, &rep, SIFR_REP, _i);
    ck_assert(writable_within(req, WAIT_MS));
    for (int n = 0; n < 20; n++) {
        items[0] = item_of(rep, OUT);
        items[1] = item_of(push, OUT);
        items[2] = item_of(req, IN);
        ck_assert_int_eq(sifr_poll(items, 3, n % 3), 0); /* remembered: nothing */
        send_parts(req, "question");
        recv_parts(rep, "question");
        ck_assert_int_eq(sifr_poll(items, 3, WAIT_MS), 1);
        ck_assert_int_eq(items[0].revents, OUT);
        send_parts(rep, "answer");
        items[0].events = 0;
        ck_assert_int_eq(sifr_poll(items, 3, WAIT_MS), 1);
        ck_assert_int_eq(items[2].revents, IN);
        recv_parts(req, "answer");
        items[0].events = IN;
        ck_assert_int_eq(sifr_poll(items, 3, n % 3), 0);
        items[2].events = OUT; /* the same socket, another wish */
        ck_assert_int_eq(sifr_poll(items, 3, WAIT_MS), 1);
    }
    items[0] = item_of(push, OUT);
    ck_assert_int_eq(sifr_poll(items, 1, 1), 0);
    connect_to(push, &nowhere); /* what it sends waits in a queue */
    ck_assert_int_eq(sifr_poll(items, 1, WAIT_MS), 1);
}
END_TEST

/* Lists of all lengths and orders, one after the other, with what is twice in it and what is not a socket. */
START_TEST(a_list_may_be_another_at_each_call)
{
    enum { PAIRS = 24, ITEMS = 40 };
    static const int waits[] = {0, -1, WAIT_MS, 0, WAIT_MS};
    sifr_socket_t *a[PAIRS], *b[PAIRS];
    bool full[PAIRS] = {false};
    unsigned seed = 1234 + (unsigned)_i;
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    for (int i = 0; i < PAIRS; i++)
        new_link(&a[i], SIFR_PAIR, &b[i], SIFR_PAIR, _i);
    for (int round = 0; round < 300; round++) {
        sifr_pollitem_t items[ITEMS];
        int which[ITEMS], n = 1 + rand_r(&seed) % (round % 4 ? 6 : ITEMS), expected = 0;
        int change = rand_r(&seed) % PAIRS, wait = waits[rand_r(&seed) % COUNT(waits)];

        if (full[change]) {
            recv_parts(b[change], "x");
        } else {
            send_parts(a[change], "x");
            ck_assert(readable(b[change]));
        }
        full[change] = !full[change];
        for (int i = 0; i < n; i++) {
            which[i] = rand_r(&seed) % (PAIRS + 1);
            items[i] = which[i] == PAIRS ? item_of_fd(fds[0], IN) : item_of(b[which[i]], IN);
            expected += which[i] < PAIRS && full[which[i]];
        }
        ck_assert_int_eq(sifr_poll(items, n, expected || wait == 0 ? wait : 1), expected);
        for (int i = 0; i < n; i++)
            ck_assert_int_eq(items[i].revents, which[i] < PAIRS && full[which[i]] ? IN : 0);
    }
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(a_socket_that_is_closed_is_none_and_its_memory_may_be_another)
{
    sifr_socket_t *a, *b, *old, *other = new_socket(SIFR_PAIR);
    sifr_pollitem_t items[2];
    bool again = false;

    old = new_socket_in(world.ctx, SIFR_PAIR);
    items[0] = item_of(other, IN);
    items[1] = item_of(old, IN);
    ck_assert_int_eq(sifr_poll(items, 2, 1), 0);
    ck_works(sifr_close(old));
    ck_fails(sifr_poll(items, 2, -1), ENOTSOCK);
    ck_fails(sifr_poll(items, 2, 0), ENOTSOCK);
    for (int n = 0; n < 1000 && !again; n++) { /* closed ones are used again in turn */
        b = new_socket(SIFR_PAIR);
        again = b == old;
        if (!again)
            drop(b);
    }
    ck_assert(again);
    a = new_socket(SIFR_PAIR);
    link_sockets(a, b, _i);
    ck_assert_int_eq(sifr_poll(items, 2, 1), 0);
    for (int n = 0; n < 10; n++) {
        pthread_t sender = start_thread(send_late, a);

        ck_assert_int_eq(sifr_poll(items, 2, WAIT_MS), 1);
        ck_assert_int_eq(items[1].revents, IN);
        recv_parts(b, "late");
        pthread_join(sender, NULL);
    }
}
END_TEST

static void *poll_and_end(void *s)
{
    sifr_pollitem_t items[] = {item_of(s, IN), item_of_fd(-1, IN)};

    ck_assert_int_eq(sifr_poll(items, 2, 1), 0);
    return NULL;
}

START_TEST(a_thread_that_ends_is_no_longer_woken)
{
    sifr_socket_t *a, *b;
    pthread_t threads[8];

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    for (int i = 0; i < COUNT(threads); i++)
        threads[i] = start_thread(poll_and_end, b);
    for (int i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    for (int n = 0; n < 10; n++) {
        send_parts(a, "still", "here");
        ck_assert(readable(b));
        recv_parts(b, "still", "here");
    }
}
END_TEST

static struct {
    sifr_socket_t *to_poll;
    int runs, found;
} freed;

static void free_and_poll(void *data, void *hint)
{
    sifr_pollitem_t items[] = {item_of(freed.to_poll, IN), item_of(hint, IN)};

    free(data);
    freed.runs++;
    freed.found = sifr_poll(items, 2, 1);
}

START_TEST(a_free_function_may_poll_within_a_poll)
{
    sifr_socket_t *dealer, *rep, *a, *b;
    sifr_pollitem_t items[] = {{0}, {0}};
    sifr_msg_t m;

    new_link(&dealer, SIFR_DEALER, &rep, SIFR_REP, 2 * INPROC);
    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, 2 * INPROC);
    freed.to_poll = b;
    items[0] = item_of(rep, IN);
    items[1] = item_of(b, IN);
    ck_assert_int_eq(sifr_poll(items, 2, 1), 0);
    freed.runs = 0;
    for (int n = 1; n <= 5; n++) {
        ck_works(sifr_msg_init_data(&m, malloc(5000), 5000, free_and_poll, rep));
        ck_assert_int_eq(sifr_msg_send(&m, dealer, 0), 5000); /* no envelope: discarded unread */
        ck_assert_int_eq(sifr_poll(items, 2, 20), 0);
        ck_assert_int_eq(freed.runs, n);
        ck_assert_int_eq(freed.found, 0);
    }
    send_parts(a, "more");
    ck_assert_int_eq(sifr_poll(items, 2, WAIT_MS), 1);
    ck_assert_int_eq(items[1].revents, IN);
}
END_TEST

/* --- To and fro --------------------------------------------------------- */

/* Receives as polling says, without waiting otherwise. */
static void recv_polled(sifr_socket_t *s, const char *text)
{
    sifr_pollitem_t item = item_of(s, IN);
    char got[16];
    int n;

    ck_assert_int_eq(sifr_poll(&item, 1, WAIT_MS), 1);
    n = sifr_recv(s, got, sizeof got, SIFR_DONTWAIT);
    ck_assert_int_eq(n, (int)strlen(text));
    ck_assert_int_eq(memcmp(got, text, (size_t)n), 0);
}

static void *answer_polling(void *s)
{
    char got[16];

    do {
        sifr_pollitem_t item = item_of(s, IN);
        int n;

        ck_assert_int_eq(sifr_poll(&item, 1, WAIT_MS), 1);
        n = sifr_recv(s, got, sizeof got, SIFR_DONTWAIT);
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(sifr_send(s, got, (size_t)n, 0), n);
    } while (got[0] != 'e');
    return NULL;
}

START_TEST(requests_and_answers_are_polled_for)
{
    sifr_socket_t *req, *rep;
    pthread_t thread;

    new_link(&req, SIFR_REQ, &rep, SIFR_REP, _i);
    thread = start_thread(answer_polling, rep);
    for (int n = 0; n < 300; n++) {
        send_text(req, "question", 0);
        recv_polled(req, "question");
        if (n % 100 == 50) /* both wait long enough for the loops to forget them */
            ck_assert(!readable_within(req, 50));
        if (n == 200)
            get_int(req, SIFR_FD); /* from here on its descriptor tells of what comes */
    }
    send_text(req, "end", 0);
    recv_polled(req, "end");
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_partner_that_goes_and_comes_is_noticed_by_a_wait)
{
    sifr_socket_t *a = new_socket(SIFR_DEALER);
    struct endpoint e = fresh_endpoint((enum transport)_i);

    connect_to(a, &e);
    for (int n = 0; n < 5; n++) {
        sifr_socket_t *b = new_socket(SIFR_DEALER);
        sifr_pollitem_t item = item_of(a, IN);
        pthread_t thread;

        set_int(b, SIFR_LINGER, -1);
        rebind_to(b, &e);
        send_text(b, "hello", 0);
        recv_polled(a, "hello");
        thread = start_thread(answer_polling, b);
        for (int k = 0; k < 20; k++) {
            send_text(a, k < 19 ? "there" : "end", 0);
            recv_polled(a, k < 19 ? "there" : "end");
        }
        pthread_join(thread, NULL);
        drop(b);
        ck_assert_int_eq(sifr_poll(&item, 1, 5), 0);
    }
}
END_TEST

/* One is always ready; what comes at the others is told all the same. */
START_TEST(one_that_is_ready_hides_no_other)
{
    enum { OTHERS = 3 };
    sifr_socket_t *always, *peer, *a[OTHERS], *b[OTHERS];
    sifr_pollitem_t items[OTHERS + 1];

    new_link(&peer, SIFR_PAIR, &always, SIFR_PAIR, _i);
    for (int i = 0; i < OTHERS; i++) {
        new_link(&a[i], SIFR_PAIR, &b[i], SIFR_PAIR, _i);
        items[i] = item_of(b[i], IN);
    }
    items[OTHERS] = item_of(always, IN);
    for (int n = 0; n < 30; n++) {
        int k = n % OTHERS;

        ck_assert_int_eq(sifr_poll(items, OTHERS + 1, n % 5), 0); /* they take their leases */
        send_text(peer, "x", 0);
        ck_assert(readable(always));
        send_text(a[k], "y", 0);
        eventually(sifr_poll(items, OTHERS + 1, -1) == 2);
        ck_assert_int_eq(items[k].revents, IN);
        recv_parts(b[k], "y");
        recv_parts(always, "x");
    }
}
END_TEST

/* Counts the signals that come. */
static _Atomic int signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

START_TEST(another_mask_holds_while_it_sleeps_and_then_alone)
{
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    sigset_t usr1, none, before;
    sifr_socket_t *a, *b;
    sifr_pollitem_t item;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    item = item_of(b, IN);
    signals = 0;
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &before);

    pthread_kill(pthread_self(), SIGUSR1); /* waits until it is let in */
    ck_assert_int_eq(sifr_poll(&item, 1, 10), 0);
    ck_assert_int_eq(sifr_ppoll(&item, 1, 10, NULL), 0);
    ck_assert_int_eq(sifr_ppoll(&item, 1, 10, &usr1), 0);
    ck_assert_int_eq(sifr_ppoll(&item, 1, 0, &none), 0); /* does not sleep */
    ck_assert_int_eq(signals, 0);
    ck_fails(sifr_ppoll(&item, 1, -1, &none), EINTR);
    ck_assert_int_eq(signals, 1);
    pthread_kill(pthread_self(), SIGUSR1);
    ck_fails(sifr_ppoll(NULL, 0, -1, &none), EINTR);
    ck_assert_int_eq(signals, 2);

    pthread_kill(pthread_self(), SIGUSR1); /* is blocked again */
    ck_assert_int_eq(signals, 2);
    send_text(a, "x", 0);
    ck_assert_int_eq(sifr_poll(&item, 1, WAIT_MS), 1);
    ck_assert_int_eq(sifr_ppoll(&item, 1, -1, &none), 1); /* what is ready goes first */
    ck_assert_int_eq(signals, 2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    ck_assert_int_eq(signals, 3);
    recv_text(b, "x", false);
}
END_TEST

static void *send_soon(void *s)
{
    poll(NULL, 0, 10);
    send_text(s, "x", 0);
    return NULL;
}

START_TEST(a_message_ends_a_wait_with_another_mask)
{
    sifr_socket_t *a, *b;
    sifr_pollitem_t item;
    sigset_t none;

    sigemptyset(&none);
    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    item = item_of(b, IN);
    for (int n = 0; n < 5; n++) {
        pthread_t t = start_thread(send_soon, a);

        ck_assert_int_eq(sifr_ppoll(&item, 1, WAIT_MS, &none), 1);
        recv_text(b, "x", false);
        pthread_join(t, NULL);
    }
    ck_fails(sifr_ppoll(NULL, -1, 0, &none), EINVAL);
    ck_fails(sifr_ppoll(NULL, 1, 0, &none), EFAULT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("poll");
    TCase *c = new_case(s, "poll");

    tcase_add_loop_test(c, what_is_ready_is_told_at_each_call, 0, WAYS);
    tcase_add_loop_test(c, a_wait_ends_in_time_and_not_early, 0, WAYS);
    tcase_add_loop_test(c, a_message_ends_the_wait, 0, WAYS);
    tcase_add_loop_test(c, room_ends_the_wait, 0, 2);
    tcase_add_loop_test(c, a_peer_that_comes_ends_the_wait_for_room, 0, TRANSPORTS);
    tcase_add_loop_test(c, descriptors_are_polled_beside_sockets, 0, WAYS);
    tcase_add_test(c, a_socket_goes_before_a_descriptor);
    tcase_add_loop_test(c, hundreds_of_sockets_are_polled_at_once, 0, WAYS);
    tcase_add_test(c, a_list_that_cannot_be_is_refused);
    tcase_add_loop_test(c, shutdown_ends_the_wait, 0, TRANSPORTS + 1);
    tcase_add_loop_test(c, a_signal_ends_any_wait, 0, 2 * WAYS);
    tcase_add_loop_test(c, what_a_call_changes_is_told_by_the_next_poll, 0, WAYS);
    tcase_add_loop_test(c, a_list_may_be_another_at_each_call, 0, WAYS);
    tcase_add_loop_test(c, a_socket_that_is_closed_is_none_and_its_memory_may_be_another, 0, WAYS);
    tcase_add_loop_test(c, a_thread_that_ends_is_no_longer_woken, 0, WAYS);
    tcase_add_test(c, a_free_function_may_poll_within_a_poll);
    tcase_add_loop_test(c, requests_and_answers_are_polled_for, 0, WAYS);
    tcase_add_loop_test(c, a_partner_that_goes_and_comes_is_noticed_by_a_wait, 0, INPROC);
    tcase_add_loop_test(c, one_that_is_ready_hides_no_other, 0, WAYS);
    tcase_add_loop_test(c, another_mask_holds_while_it_sleeps_and_then_alone, 0, WAYS);
    tcase_add_loop_test(c, a_message_ends_a_wait_with_another_mask, 0, WAYS);
    return run_suite(s);
}
