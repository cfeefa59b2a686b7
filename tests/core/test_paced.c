/*
 * A recv whose messages come at a pace: it sleeps until a moment before the next is due, and looks. Whatever comes,
 * or does not, it behaves as one that knows of no pace.
 *
 * Whether a pace is learnt depends on how busy the machine is. So the cases are run with messages that come at one, and
 * once more with a recv that is made to take every wait for one: then it is known what happens.
 */
#include "support.h"

#include "core/lease.h"
#include "core/pace.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* ---- What a recv does meanwhile ------------------------------------------------------------------------------- */

enum { NAP_NS = 300000 };

static struct {
    atomic_bool always;         /* each wait is for a message that is due */
    atomic_int count;           /* naps that came to their end */
    _Atomic(void (*)(void)) end; /* called when one has, once, before the socket is entered again */
} naps;

uint64_t __real_sf_pace_wake(const struct sf_pace *p, uint64_t now);
uint64_t __wrap_sf_pace_wake(const struct sf_pace *p, uint64_t now);
int __real_sf_direct_wait(struct sifr_socket *s, uint32_t ticket, uint64_t ns, bool exactly);
int __wrap_sf_direct_wait(struct sifr_socket *s, uint32_t ticket, uint64_t ns, bool exactly);

uint64_t __wrap_sf_pace_wake(const struct sf_pace *p, uint64_t now)
{
    return naps.always ? now + NAP_NS : __real_sf_pace_wake(p, now);
}

int __wrap_sf_direct_wait(struct sifr_socket *s, uint32_t ticket, uint64_t ns, bool exactly)
{
    int err = __real_sf_direct_wait(s, ticket, ns, exactly);

    if (exactly && err == -EAGAIN) {
        void (*end)(void) = atomic_exchange(&naps.end, NULL);

        naps.count++;
        if (end)
            end();
    }
    return err;
}

static void open_awake(void)
{
    open_world();
    naps.always = false;
    naps.count = 0;
    naps.end = NULL;
}

/* ---- Messages at a pace --------------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void sleep_until(int64_t ns)
{
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        continue;
}

struct beat {
    int64_t us;  /* between two messages */
    int count;   /* so many that it can be learnt */
    bool always; /* and it is taken for granted */
};

static const struct beat beats[] = {{1000, 200, false}, {200, 400, false}, {1000, 20, true}};

enum { ALWAYS = 2, BEATS };

struct sender {
    sifr_socket_t *socket;
    int64_t us;
    uint32_t from, count; /* the numbers that it sends */
};

static void *send_at_a_pace(void *arg)
{
    struct sender *s = arg;
    int64_t at = now_ns();

    prctl(PR_SET_TIMERSLACK, 1UL);
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t number = s->from + i;

        sleep_until(at += s->us * 1000);
        send_bytes(s->socket, &number, sizeof number, 0);
    }
    return NULL;
}

static void recv_number(sifr_socket_t *s, uint32_t expected)
{
    uint32_t number = 0;

    ck_assert_int_eq(sifr_recv(s, &number, sizeof number, 0), sizeof number);
    ck_assert_uint_eq(number, expected);
}

/* Receives numbers from 0 on, as they come at this pace. How many. */
static uint32_t learn(sifr_socket_t *to, sifr_socket_t *from, const struct beat *b)
{
    struct sender s = {from, b->us, 0, (uint32_t)b->count};
    pthread_t thread;

    naps.always = b->always;
    thread = start_thread(send_at_a_pace, &s);
    for (uint32_t i = 0; i < s.count; i++)
        recv_number(to, i);
    pthread_join(thread, NULL);
    return s.count;
}

/* Two sockets over ipc or tcp, of which the second has learnt when the first sends. */
static uint32_t new_pace(sifr_socket_t **from, int type_from, sifr_socket_t **to, int type_to, const struct beat *b)
{
    new_link(from, type_from, to, type_to, b->us == 1000 ? 2 * TCP : 2 * IPC);
    return learn(*to, *from, b);
}

/* That there were naps is certain when all waits are taken for such, once the socket has the reading of its peers. */
static void expect_naps(sifr_socket_t *s, const struct beat *b)
{
    int64_t end = now_ms() + WAIT_MS;

    set_int(s, SIFR_RCVTIMEO, 5);
    while (b->always && !naps.count) {
        ck_assert(now_ms() < end);
        ck_fails(sifr_recv(s, NULL, 0, 0), EAGAIN);
    }
    set_int(s, SIFR_RCVTIMEO, WAIT_MS);
}

/* While a thread naps another may receive what comes quite differently; the first has the turn as it looks. */
START_TEST(nobody_looks_for_long)
{
    struct sf_pace p = {.last = 1000000000, .gap = 1000000, .off = 1000};
    uint64_t planned = __real_sf_pace_wake(&p, p.last), end;

    ck_assert_uint_gt(planned, 0);
    p.last = planned;
    p.gap = p.off = 3000000000;
    end = sf_pace_woke(&p, planned, planned + 1000);
    ck_assert_uint_gt(end, planned);
    ck_assert_uint_lt(end, planned + 1000000);
}
END_TEST

/* ---- Waits that are over -------------------------------------------------------------------------------------- */

START_TEST(a_recv_times_out_and_not_before_its_time)
{
    enum { TIMES = 16, TIMEOUT_MS = 5 };
    const struct beat *b = &beats[_i];
    sifr_socket_t *push, *pull;
    uint32_t n = new_pace(&push, SIFR_PUSH, &pull, SIFR_PULL, b);

    for (int i = 0; i < TIMES; i++) {
        int64_t begun, timeout = i % 4 ? TIMEOUT_MS : 1;

        set_int(pull, SIFR_RCVTIMEO, (int)timeout);
        sleep_until((now_ns() / 1000000 + 1) * 1000000 + i * 60000); /* at all parts of a millisecond */
        begun = now_ns();
        ck_fails(sifr_recv(pull, NULL, 0, 0), EAGAIN);
        ck_assert_int_ge(now_ns() - begun, timeout * 1000000);
    }
    expect_naps(pull, b);
    send_bytes(push, &n, sizeof n, 0);
    recv_number(pull, n);
}
END_TEST

struct waiting {
    sifr_socket_t *socket;
    int result, error;
    atomic_int begun;
    atomic_bool over;
};

static void *wait_for_one(void *arg)
{
    struct waiting *w = arg;

    w->begun = 1;
    w->result = sifr_recv(w->socket, NULL, 0, 0);
    w->error = errno;
    w->over = true;
    return NULL;
}

/* Another thread's recv, whose context or socket ends meanwhile. */
static void end_a_wait(const struct beat *b, bool by_close)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket_in(ctx, SIFR_PULL);
    struct waiting w = {.socket = pull};
    pthread_t thread;

    link_sockets(push, pull, 2 * TCP);
    learn(pull, push, b);
    set_int(pull, SIFR_RCVTIMEO, -1);
    thread = start_thread(wait_for_one, &w);
    eventually(w.begun);
    ck_works(by_close ? sifr_close(pull) : sifr_ctx_shutdown(ctx));
    pthread_join(thread, NULL);
    ck_assert_int_eq(w.result, -1);
    ck_assert_int_eq(w.error, by_close ? ENOTSOCK : SIFR_ETERM);
    if (!by_close)
        ck_works(sifr_close(pull));
    ck_works(sifr_ctx_term(ctx));
}

START_TEST(term_ends_a_wait)
{
    end_a_wait(&beats[_i], false);
}
END_TEST

START_TEST(a_close_ends_a_wait)
{
    end_a_wait(&beats[_i], true);
}
END_TEST

static struct {
    sifr_ctx_t *ctx;
    sifr_socket_t *socket;
} ending;

static void shut_down(void)
{
    ck_works(sifr_ctx_shutdown(ending.ctx));
}

static void close_socket(void)
{
    ck_works(sifr_close(ending.socket));
}

START_TEST(what_ends_just_as_a_message_is_due_has_ended)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH);

    ending.ctx = sifr_ctx_new();
    ending.socket = new_socket_in(ending.ctx, SIFR_PULL);
    link_sockets(push, ending.socket, 2 * TCP);
    learn(ending.socket, push, &beats[ALWAYS]);
    set_int(ending.socket, SIFR_RCVTIMEO, -1);
    naps.end = _i ? close_socket : shut_down;
    ck_fails(sifr_recv(ending.socket, NULL, 0, 0), _i ? ENOTSOCK : SIFR_ETERM);
    ck_assert_ptr_null(naps.end);
    if (!_i)
        ck_works(sifr_close(ending.socket));
    ck_works(sifr_ctx_term(ending.ctx));
}
END_TEST

static void on_signal(int number)
{
    (void)number;
}

static void hear_signals(void)
{
    struct sigaction a = {.sa_handler = on_signal};

    ck_works(sigaction(SIGUSR1, &a, NULL));
}

START_TEST(a_signal_ends_a_wait)
{
    const struct beat *b = &beats[_i];
    sifr_socket_t *push, *pull;
    uint32_t n = new_pace(&push, SIFR_PUSH, &pull, SIFR_PULL, b);
    struct waiting w = {.socket = pull};
    int64_t end = now_ms() + WAIT_MS;
    pthread_t thread;

    hear_signals();
    set_int(pull, SIFR_RCVTIMEO, -1);
    thread = start_thread(wait_for_one, &w);
    eventually(w.begun);
    while (!w.over && now_ms() < end) { /* it may just not sleep */
        pthread_kill(thread, SIGUSR1);
        poll(NULL, 0, 1);
    }
    ck_assert(w.over);
    pthread_join(thread, NULL);
    ck_assert_int_eq(w.result, -1);
    ck_assert_int_eq(w.error, EINTR);
    send_bytes(push, &n, sizeof n, 0);
    recv_number(pull, n);
}
END_TEST

START_TEST(the_end_of_the_sender_ends_no_wait)
{
    const struct beat *b = &beats[_i];
    sifr_socket_t *push, *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(pull, TCP);
    struct waiting w = {.socket = pull};
    pthread_t thread;
    uint32_t n;

    push = new_socket(SIFR_PUSH);
    connect_to(push, &e);
    n = learn(pull, push, b);
    thread = start_thread(wait_for_one, &w);
    eventually(w.begun);
    drop(push);
    push = new_socket(SIFR_PUSH);
    connect_to(push, &e);
    send_bytes(push, &n, sizeof n, 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(w.result, sizeof n);
}
END_TEST

/* ---- Messages out of step ------------------------------------------------------------------------------------- */

START_TEST(messages_come_early_and_late_and_in_bursts)
{
    enum { ROUNDS = 8, BURST = 10 };
    const struct beat *b = &beats[_i];
    sifr_socket_t *push, *pull;
    uint32_t next = new_pace(&push, SIFR_PUSH, &pull, SIFR_PULL, b);

    for (int i = 0; i < ROUNDS; i++) {
        struct sender late = {push, b->us * (i % 3 + 1) + i * 30, next + BURST, 4};
        pthread_t thread;

        for (uint32_t k = 0; k < BURST; k++) {
            uint32_t number = next + k;

            send_bytes(push, &number, sizeof number, 0);
        }
        thread = start_thread(send_at_a_pace, &late);
        for (uint32_t k = 0; k < BURST + late.count; k++)
            recv_number(pull, next++);
        pthread_join(thread, NULL);
    }
    recv_nothing(pull);
    expect_naps(pull, b);
}
END_TEST

/* Into the same handle, of which the last one is let go before a wait; and into one that is held. */
START_TEST(messages_of_all_sizes_come_whole)
{
    static const size_t sizes[] = {1, 40, 300, 5000, 40000, 300000};
    enum { ROUNDS = 3 };
    const struct beat *b = &beats[_i];
    sifr_socket_t *push, *pull;
    sifr_msg_t m, held;

    new_pace(&push, SIFR_PUSH, &pull, SIFR_PULL, b);
    sifr_msg_init(&m);
    sifr_msg_init(&held);
    for (unsigned i = 0; i < ROUNDS * COUNT(sizes); i++) {
        size_t size = sizes[i % COUNT(sizes)];
        unsigned before = i ? i - 1 : 0;

        send_filled(push, size, i, 0);
        ck_assert_int_eq(sifr_msg_recv(&m, pull, 0), (int)size);
        ck_assert_uint_eq(good_bytes(sifr_msg_data(&m), size, i), size);
        if (i)
            ck_assert_uint_eq(good_bytes(sifr_msg_data(&held), sifr_msg_size(&held), before), sifr_msg_size(&held));
        ck_works(sifr_msg_copy(&held, &m));
    }
    sifr_msg_close(&m);
    sifr_msg_close(&held);
}
END_TEST

struct round {
    sifr_socket_t *rep;
    uint32_t count;
};

static void *answer_all(void *arg)
{
    struct round *r = arg;

    for (uint32_t i = 0; i < r->count; i++) {
        recv_number(r->rep, i);
        send_bytes(r->rep, &i, sizeof i, 0);
    }
    return NULL;
}

START_TEST(questions_come_at_a_pace)
{
    const struct beat *b = &beats[_i];
    sifr_socket_t *req, *rep;
    struct round r = {.count = (uint32_t)b->count};
    pthread_t thread;
    int64_t at;

    naps.always = b->always;
    new_link(&req, SIFR_REQ, &rep, SIFR_REP, 2 * TCP);
    r.rep = rep;
    thread = start_thread(answer_all, &r);
    at = now_ns();
    for (uint32_t i = 0; i < r.count; i++) {
        sleep_until(at += b->us * 1000);
        send_bytes(req, &i, sizeof i, 0);
        recv_number(req, i);
    }
    pthread_join(thread, NULL);
    expect_naps(rep, b);
}
END_TEST

/* ---- A core that others want, too ----------------------------------------------------------------------------- */

static _Thread_local struct {
    bool crowded; /* a yield takes its time */
    int count;
} yields;

int __real_sched_yield(void);
int __wrap_sched_yield(void);

int __wrap_sched_yield(void)
{
    yields.count++;
    if (yields.crowded)
        sleep_until(now_ns() + 300000);
    return __real_sched_yield();
}

/* So many messages at once, all of which come, and then none. */
static void burst_and_pause(sifr_socket_t *to, sifr_socket_t *from)
{
    enum { BURST = 8 };

    for (int i = 0; i < BURST; i++)
        send_text(from, "x", 0);
    for (int i = 0; i < BURST; i++)
        recv_text(to, "x", false);
    set_int(to, SIFR_RCVTIMEO, 1);
    ck_fails(sifr_recv(to, NULL, 0, 0), EAGAIN);
    set_int(to, SIFR_RCVTIMEO, WAIT_MS);
}

START_TEST(who_waits_after_bursts_leaves_a_crowded_core_to_others)
{
    enum { ROUNDS = 64 };
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, 2 * TCP);
    for (int i = 0; i < ROUNDS; i++)
        burst_and_pause(pull, push);
    yields.crowded = true;
    yields.count = 0;
    for (int i = 0; i < ROUNDS; i++)
        burst_and_pause(pull, push);
    ck_assert_int_lt(yields.count, 3 * ROUNDS / 4); /* each wait that looks does so once at least */
}
END_TEST

/* ---- Several threads ------------------------------------------------------------------------------------------ */

enum { THREADS = 3 };

struct crowd {
    sifr_socket_t *socket;
    uint32_t count;
    atomic_uint got;
};

static void *take_some(void *arg)
{
    struct crowd *c = arg;
    uint32_t number;

    for (;;) {
        int n = sifr_recv(c->socket, &number, sizeof number, 0);

        if (n != (int)sizeof number)
            return (void *)(intptr_t)(n ? errno : 0);
        c->got++;
    }
}

/* Each message is received by one of them, and each of them may be the one who knows when it is due. */
START_TEST(several_threads_receive_on_one_socket)
{
    const struct beat *b = &beats[_i];
    sifr_socket_t *push, *pull;
    uint32_t n = new_pace(&push, SIFR_PUSH, &pull, SIFR_PULL, b);
    struct crowd c = {.socket = pull, .count = 200};
    struct sender s = {push, b->us, n, 200};
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread(take_some, &c);
    send_at_a_pace(&s);
    eventually(c.got == c.count);
    for (int i = 0; i < THREADS; i++)
        send_text(push, "", 0);
    for (int i = 0; i < THREADS; i++) {
        void *error;

        pthread_join(threads[i], &error);
        ck_assert_ptr_null(error);
    }
}
END_TEST

START_TEST(one_thread_sends_while_another_waits)
{
    enum { MANY = 2000 };
    const struct beat *b = &beats[_i];
    sifr_socket_t *far, *near;
    uint32_t n = new_pace(&far, SIFR_PAIR, &near, SIFR_PAIR, b);
    struct waiting w = {.socket = near};
    pthread_t thread = start_thread(wait_for_one, &w);

    eventually(w.begun);
    for (uint32_t i = 0; i < MANY; i++) {
        send_bytes(near, &i, sizeof i, 0);
        recv_number(far, i);
    }
    send_bytes(far, &n, sizeof n, 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(w.result, sizeof n);
}
END_TEST

/* ---- The thread's own ----------------------------------------------------------------------------------------- */

/* All of it: prctl() gives back an int. */
static unsigned long slack(void)
{
    return (unsigned long)syscall(SYS_prctl, PR_GET_TIMERSLACK);
}

static const unsigned long slacks[] = {123456, 1, 3000000000, 5000000000};

START_TEST(the_timer_slack_of_the_thread_stays)
{
    const struct beat *b = &beats[_i < COUNT(slacks) ? ALWAYS : _i - COUNT(slacks)];
    unsigned long own = slacks[_i % COUNT(slacks)];
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    struct sender s = {push, b->us, 0, (uint32_t)b->count};
    pthread_t thread;

    link_sockets(push, pull, 2 * TCP);
    naps.always = b->always;
    thread = start_thread(send_at_a_pace, &s);
    ck_works(prctl(PR_SET_TIMERSLACK, own));
    for (uint32_t i = 0; i < s.count; i++) {
        recv_number(pull, i);
        ck_assert_uint_eq(slack(), own);
    }
    pthread_join(thread, NULL);
    ck_works(prctl(PR_SET_TIMERSLACK, 0UL));
    expect_naps(pull, b);
}
END_TEST

struct sleeper {
    pthread_t thread;
    atomic_bool over;
};

static void *interrupt(void *arg)
{
    struct sleeper *s = arg;

    while (!s->over) {
        pthread_kill(s->thread, SIGUSR1);
        poll(NULL, 0, 1);
    }
    return NULL;
}

START_TEST(the_timer_slack_stays_after_a_signal)
{
    struct sleeper me = {.thread = pthread_self()};
    sifr_socket_t *push, *pull;
    unsigned long own;
    pthread_t thread;

    new_pace(&push, SIFR_PUSH, &pull, SIFR_PULL, &beats[ALWAYS]);
    hear_signals();
    own = slack();
    thread = start_thread(interrupt, &me);
    for (int i = 0; i < 5; i++) {
        ck_fails(sifr_recv(pull, NULL, 0, 0), EINTR);
        ck_assert_uint_eq(slack(), own);
    }
    me.over = true;
    pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paced");
    TCase *c = tcase_create("paced");

    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_awake, close_world);
    suite_add_tcase(suite, c);
    tcase_add_test(c, nobody_looks_for_long);
    tcase_add_loop_test(c, a_recv_times_out_and_not_before_its_time, 0, BEATS);
    tcase_add_loop_test(c, term_ends_a_wait, 0, BEATS);
    tcase_add_loop_test(c, what_ends_just_as_a_message_is_due_has_ended, 0, 2);
    tcase_add_loop_test(c, a_close_ends_a_wait, 0, BEATS);
    tcase_add_loop_test(c, a_signal_ends_a_wait, 0, BEATS);
    tcase_add_loop_test(c, the_end_of_the_sender_ends_no_wait, 0, BEATS);
    tcase_add_loop_test(c, messages_come_early_and_late_and_in_bursts, 0, BEATS);
    tcase_add_loop_test(c, messages_of_all_sizes_come_whole, 0, BEATS);
    tcase_add_loop_test(c, questions_come_at_a_pace, 0, BEATS);
    tcase_add_test(c, who_waits_after_bursts_leaves_a_crowded_core_to_others);
    tcase_add_loop_test(c, several_threads_receive_on_one_socket, 0, BEATS);
    tcase_add_loop_test(c, one_thread_sends_while_another_waits, 0, BEATS);
    tcase_add_loop_test(c, the_timer_slack_of_the_thread_stays, 0, COUNT(slacks) + ALWAYS);
    tcase_add_test(c, the_timer_slack_stays_after_a_signal);
    return run_suite(suite);
}
