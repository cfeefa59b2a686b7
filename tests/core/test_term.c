/* The end of a context: everybody is woken, nobody is hurt, and nothing is left behind. */
#include "support.h"

#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* ---- Blocked calls ------------------------------------------------------------------------------------------- */

static int block_in_recv(sifr_socket_t *s)
{
    return sifr_recv(s, NULL, 0, 0);
}

static int block_in_msg_recv(sifr_socket_t *s)
{
    sifr_msg_t m;
    int result, error;

    sifr_msg_init(&m);
    result = sifr_msg_recv(&m, s, 0);
    error = errno;
    sifr_msg_close(&m);
    errno = error;
    return result;
}

static int block_in_send(sifr_socket_t *s)
{
    int result;

    do /* it may have room at first */
        result = sifr_send(s, "x", 1, 0);
    while (result == 1);
    return result;
}

static int block_in_poll(sifr_socket_t *s)
{
    sifr_pollitem_t item = {.socket = s, .events = SIFR_POLLIN};

    return sifr_poll(&item, 1, -1);
}

static int block_in_proxy(sifr_socket_t *s)
{
    return sifr_proxy(s, s, NULL);
}

static const struct {
    int type;
    int (*call)(sifr_socket_t *s);
} blockers[] = {
    {SIFR_PULL, block_in_recv},   {SIFR_SUB, block_in_recv},    {SIFR_REP, block_in_recv},  {SIFR_ROUTER, block_in_recv},
    {SIFR_PAIR, block_in_recv},   {SIFR_XPUB, block_in_recv},   {SIFR_XSUB, block_in_recv}, {SIFR_DEALER, block_in_recv},
    {SIFR_PULL, block_in_msg_recv}, {SIFR_PUSH, block_in_send}, {SIFR_PAIR, block_in_send}, {SIFR_DEALER, block_in_send},
    {SIFR_SERVER, block_in_recv}, {SIFR_CLIENT, block_in_recv}, {SIFR_CLIENT, block_in_send}, {SIFR_DISH, block_in_poll},
    {SIFR_DISH, block_in_recv},   {SIFR_GATHER, block_in_recv}, {SIFR_SCATTER, block_in_send}, {SIFR_STREAM, block_in_recv},
    {SIFR_CHANNEL, block_in_send}, {SIFR_PEER, block_in_recv},
    {SIFR_REQ, block_in_send},    {SIFR_PULL, block_in_poll},   {SIFR_PAIR, block_in_poll}, {SIFR_PAIR, block_in_proxy},
};

enum { BLOCKERS = COUNT(blockers) };

struct blocked {
    sifr_socket_t *socket;
    int (*call)(sifr_socket_t *s);
    atomic_int *started;
    int result, error;
};

static void *block(void *arg)
{
    struct blocked *b = arg;

    atomic_fetch_add(b->started, 1);
    b->result = b->call(b->socket);
    b->error = errno;
    ck_works(sifr_close(b->socket));
    return NULL;
}

/* Ways of ending, with every kind of call blocked on sockets without peers, bound, and connected. */
START_TEST(every_blocked_call_comes_back_with_eterm)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    struct blocked b[BLOCKERS];
    pthread_t threads[BLOCKERS];
    atomic_int started = 0;

    for (int i = 0; i < BLOCKERS; i++) {
        b[i] = (struct blocked){sifr_socket(ctx, blockers[i].type), blockers[i].call, &started, 0, 0};
        ck_assert_ptr_nonnull(b[i].socket);
        set_int(b[i].socket, SIFR_LINGER, 0);
        if (blockers[i].type == SIFR_REQ && _i / 2 == 2)
            set_int(b[i].socket, SIFR_IMMEDIATE, 1); /* or its second send is out of turn */
        if (_i / 2 == 1)
            bind_fresh(b[i].socket, (enum transport)(i % TRANSPORTS));
        if (_i / 2 == 2) {
            struct endpoint e = fresh_endpoint((enum transport)(i % INPROC)); /* nobody there */

            connect_to(b[i].socket, &e);
        }
        threads[i] = start_thread(block, &b[i]);
    }
    eventually(atomic_load(&started) == BLOCKERS);
    poll(NULL, 0, 20); /* most are waiting now; for those that are not yet it holds as well */
    if (_i % 2)
        ck_works(sifr_ctx_shutdown(ctx));
    ck_works(sifr_ctx_term(ctx));
    for (int i = 0; i < BLOCKERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_msg(b[i].result == -1 && b[i].error == SIFR_ETERM, "call %d: %d, errno %d (%s)", i, b[i].result,
                      b[i].error, sifr_strerror(b[i].error));
    }
}
END_TEST

START_TEST(a_receiver_with_a_live_connection_is_woken_too)
{
    sifr_ctx_t *ctx = sifr_ctx_new(), *other = sifr_ctx_new();
    atomic_int started = 0;
    struct blocked b = {new_socket_in(ctx, SIFR_PULL), block_in_recv, &started, 0, 0};
    sifr_socket_t *push = new_socket_in(_i / 2 == INPROC ? ctx : other, SIFR_PUSH);
    pthread_t thread;

    set_int(b.socket, SIFR_RCVTIMEO, -1);
    link_sockets(b.socket, push, _i);
    send_text(push, "x", 0);
    recv_parts(b.socket, "x");
    thread = start_thread(block, &b);
    eventually(atomic_load(&started) == 1);
    ck_works(sifr_ctx_shutdown(ctx));
    pthread_join(thread, NULL);
    ck_assert_int_eq(b.result, -1);
    ck_assert_int_eq(b.error, SIFR_ETERM);
    ck_works(sifr_close(push));
    ck_works(sifr_ctx_term(ctx));
    ck_works(sifr_ctx_term(other));
}
END_TEST

/* ---- Waiting for sockets ------------------------------------------------------------------------------------- */

struct ending {
    sifr_ctx_t *ctx;
    atomic_bool over;
};

static void *end(void *arg)
{
    struct ending *e = arg;

    ck_works(sifr_ctx_term(e->ctx));
    atomic_store(&e->over, true);
    return NULL;
}

START_TEST(term_waits_until_every_socket_is_closed)
{
    struct ending e = {sifr_ctx_new(), false};
    sifr_socket_t *s[] = {sifr_socket(e.ctx, SIFR_PUB), sifr_socket(e.ctx, SIFR_PULL)};
    pthread_t thread = start_thread(end, &e);

    for (int i = 0; i < 2; i++) {
        poll(NULL, 0, 20);
        ck_assert(!atomic_load(&e.over));
        ck_works(sifr_close(s[i]));
    }
    pthread_join(thread, NULL);
    ck_assert(atomic_load(&e.over));
}
END_TEST

static void on_signal(int number)
{
    (void)number;
}

START_TEST(a_signal_interrupts_term_which_may_be_called_again)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = _i ? SA_RESTART : 0};
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *s = sifr_socket(ctx, SIFR_PULL);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec often = {{0, 10000000}, {0, 10000000}}, never = {{0, 0}, {0, 0}};

    sigaction(SIGUSR1, &action, NULL);
    ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    ck_assert_int_eq(timer_settime(timer, 0, &often, NULL), 0);
    for (int n = 0; n < 3; n++)
        ck_fails(sifr_ctx_term(ctx), EINTR);
    ck_assert_int_eq(timer_settime(timer, 0, &never, NULL), 0);
    timer_delete(timer);
    ck_fails(sifr_recv(s, NULL, 0, 0), SIFR_ETERM);
    ck_works(sifr_close(s));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(messages_to_an_inproc_name_nobody_bound_are_given_up)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *push = sifr_socket(ctx, SIFR_PUSH); /* lingers for ever */

    ck_works(sifr_connect(push, "inproc://nobody"));
    send_text(push, "x", 0);
    ck_works(sifr_close(push));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(sockets_may_be_closed_by_any_thread_after_shutdown)
{
    for (int n = 0; n < 50; n++) {
        sifr_ctx_t *ctx = sifr_ctx_new();
        struct ending e = {ctx, false};
        sifr_socket_t *s[3];
        pthread_t thread;

        for (int i = 0; i < 3; i++)
            bind_fresh(s[i] = sifr_socket(ctx, SIFR_PULL), (enum transport)i);
        if (n % 2)
            ck_works(sifr_ctx_shutdown(ctx));
        thread = start_thread(end, &e);
        for (int i = 2; i >= 0; i--)
            ck_works(sifr_close(s[i]));
        pthread_join(thread, NULL);
    }
}
END_TEST

/* ---- Nothing is left ----------------------------------------------------------------------------------------- */

/* How many entries a folder has, the entries for itself and what is above included. */
static int entries(const char *path)
{
    DIR *folder = opendir(path);
    int n = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static void use_everything(void)
{
    open_world();
    for (int way = 0; way < WAYS; way++) {
        sifr_socket_t *a, *b, *monitor = new_socket(SIFR_PAIR);
        struct endpoint e = fresh_endpoint(INPROC), nobody = fresh_endpoint((enum transport)(way / 2));

        a = new_socket(SIFR_DEALER);
        b = new_socket(SIFR_DEALER);
        ck_works(sifr_socket_monitor(a, e.text, SIFR_EVENT_ALL));
        connect_to(monitor, &e);
        link_sockets(a, b, way);
        connect_to(a, &nobody);
        get_int(b, SIFR_FD);
        send_parts(b, "part", "part");
        recv_parts(a, "part", "part");
        send_filled(b, 1000000, 1, 0);
        send_text(b, "unread", 0);
    }
    close_world();
}

START_TEST(no_descriptor_and_no_thread_is_left)
{
    int descriptors, threads;

    use_everything(); /* what is made once for all is made now */
    descriptors = entries("/proc/self/fd");
    threads = entries("/proc/self/task");
    for (int n = 0; n < 5; n++) {
        use_everything();
        ck_assert_int_eq(entries("/proc/self/fd"), descriptors);
        eventually(entries("/proc/self/task") == threads); /* the system is slow to forget them */
    }
}
END_TEST

START_TEST(a_process_may_end_without_ending_its_contexts)
{
    static sifr_ctx_t *ctx; /* reachable, or it would be called a leak */
    static sifr_socket_t *s[2];
    int status = -1;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        ctx = sifr_ctx_new();
        for (int i = 0; i < 2; i++)
            s[i] = sifr_socket(ctx, SIFR_PAIR);
        if (sifr_bind(s[0], "tcp://127.0.0.1:*") || sifr_connect(s[1], last_endpoint(s[0]).text) ||
            sifr_send(s[1], "x", 1, 0) != 1 || sifr_recv(s[0], NULL, 0, 0) != 1)
            _exit(1);
        exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* ---- Cycles -------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, SOCKETS = 6 };

static int cycles_of_a_thread(void)
{
    const char *text = getenv("SIFR_CYCLES"); /* 10000 for the long run */

    return (text ? atoi(text) : 2000) / THREADS;
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void one_cycle(unsigned *random, int thread, int cycle)
{
    static const int types[] = {SIFR_PUSH, SIFR_PULL, SIFR_PAIR,   SIFR_PUB,    SIFR_SUB, SIFR_REQ,
                                SIFR_REP,  SIFR_XPUB, SIFR_DEALER, SIFR_ROUTER, SIFR_XSUB};
    int count = 1 + (int)(next_random(random) % SOCKETS);
    sifr_socket_t *s[SOCKETS] = {0};
    struct endpoint bound[SOCKETS];
    struct ending e = {sifr_ctx_new(), false};
    bool early = next_random(random) % 3 == 0;
    pthread_t ender = 0;

    ck_assert_ptr_nonnull(e.ctx);
    for (int i = 0; i < count; i++) {
        unsigned dice = next_random(random);
        int linger = (int)(dice % 3);

        s[i] = sifr_socket(e.ctx, types[next_random(random) % COUNT(types)]);
        ck_assert_ptr_nonnull(s[i]);
        ck_works(sifr_setsockopt(s[i], SIFR_LINGER, &linger, sizeof linger));
        snprintf(bound[i].text, sizeof bound[i].text, dice % 2 ? "inproc://%d" : "ipc://@sifr-cycle-%d-%d-%d-%d", i,
                 (int)getpid(), thread, cycle);
        if (dice % 5 == 0)
            snprintf(bound[i].text, sizeof bound[i].text, "tcp://%s:*", own_host());
        if (dice % 7 < 4) {
            ck_works(sifr_bind(s[i], bound[i].text));
            bound[i] = last_endpoint(s[i]);
        }
        if (i > 0 && dice % 7 > 2 && !strchr(bound[i - 1].text, '*'))
            ck_works(sifr_connect(s[i], bound[i - 1].text));
        if (dice % 11 < 3)
            ck_assert(sifr_socket_monitor(s[i], i % 2 ? "inproc://m1" : "inproc://m0", SIFR_EVENT_ALL) == 0 ||
                      errno == EADDRINUSE);
        if (dice % 13 < 8)
            sifr_send(s[i], "hello", 5, SIFR_DONTWAIT);
        if (dice % 17 < 5)
            sifr_recv(s[i], NULL, 0, SIFR_DONTWAIT);
    }
    if (early)
        ender = start_thread(end, &e);
    while (count > 0) { /* in any order */
        int i = (int)(next_random(random) % (unsigned)count);

        ck_works(sifr_close(s[i]));
        s[i] = s[--count];
    }
    if (early)
        pthread_join(ender, NULL);
    else
        end(&e);
}

static void *run_cycles(void *arg)
{
    int thread = *(int *)arg;
    unsigned random = (unsigned)thread + 1;

    for (int n = 0; n < cycles_of_a_thread(); n++)
        one_cycle(&random, thread, n);
    return NULL;
}

START_TEST(contexts_live_and_die_by_the_thousand)
{
    pthread_t threads[THREADS];
    int numbers[THREADS], descriptors;
    unsigned random = 99;

    one_cycle(&random, THREADS, 0);
    descriptors = entries("/proc/self/fd");
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        threads[i] = start_thread(run_cycles, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(entries("/proc/self/fd"), descriptors);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("term");
    TCase *c = new_bare_case(s, "wake");

    tcase_add_loop_test(c, every_blocked_call_comes_back_with_eterm, 0, 6);
    tcase_add_loop_test(c, a_receiver_with_a_live_connection_is_woken_too, 0, WAYS);
    c = new_bare_case(s, "wait");
    tcase_add_test(c, term_waits_until_every_socket_is_closed);
    tcase_add_loop_test(c, a_signal_interrupts_term_which_may_be_called_again, 0, 2);
    tcase_add_test(c, messages_to_an_inproc_name_nobody_bound_are_given_up);
    tcase_add_test(c, sockets_may_be_closed_by_any_thread_after_shutdown);
    c = new_bare_case(s, "rest");
    tcase_add_test(c, no_descriptor_and_no_thread_is_left);
    tcase_add_test(c, a_process_may_end_without_ending_its_contexts);
    c = new_bare_case(s, "cycles");
    tcase_set_timeout(c, getenv("SIFR_CYCLES") ? 0 : 2 * CASE_SECONDS);
    tcase_add_test(c, contexts_live_and_die_by_the_thousand);
    return run_suite(s);
}
