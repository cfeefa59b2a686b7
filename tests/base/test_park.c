/* Locks keep others out, bells lose no ring. A lost wake-up makes its test run out of time. */
#include "base/park.h"
#include "base/clock.h"
#include "support.h"

#include <signal.h>

enum { THREADS = 4, ROUNDS = 20000 };

static struct sf_lock lock;
static struct sf_bell bell, back;

static void open_park(void)
{
    memset(&lock, 0, sizeof lock);
    memset(&bell, 0, sizeof bell);
    memset(&back, 0, sizeof back);
}

START_TEST(a_lock_is_held_once)
{
    ck_assert(sf_lock_try(&lock));
    ck_assert(!sf_lock_try(&lock));
    sf_lock_drop(&lock);
    sf_lock_take(&lock);
    ck_assert(!sf_lock_try(&lock));
    sf_lock_drop(&lock);
    ck_assert(sf_lock_try(&lock));
    sf_lock_drop(&lock);
}
END_TEST

static long counted; /* under the lock */

static void *count_up(void *arg)
{
    bool tries = *(bool *)arg;

    for (int i = 0; i < ROUNDS; i++) {
        if (!tries || !sf_lock_try(&lock))
            sf_lock_take(&lock);
        counted++;
        if (i % 64 == 0)
            sched_yield(); /* others meet the lock held, and sleep */
        sf_lock_drop(&lock);
    }
    return NULL;
}

START_TEST(threads_take_turns_under_a_lock)
{
    static bool tries[THREADS] = {false, true, false, true};
    pthread_t threads[THREADS];

    counted = 0;
    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread(count_up, &tries[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(counted, THREADS * ROUNDS);
    ck_assert(sf_lock_try(&lock));
}
END_TEST

START_TEST(a_ring_after_the_ticket_ends_the_wait_at_once)
{
    uint32_t ticket = sf_bell_enter(&bell);

    sf_bell_ring(&bell);
    ck_assert_int_eq(sf_bell_wait(&bell, ticket, -1), 0);
    ck_assert_int_eq(sf_bell_wait(&bell, ticket, WAIT_MS), 0);
    sf_bell_leave(&bell);
    ck_assert_uint_eq(bell.waiters, 0);
}
END_TEST

START_TEST(a_ring_before_the_ticket_is_past)
{
    uint32_t ticket;

    sf_bell_ring(&bell);
    ticket = sf_bell_enter(&bell);
    ck_assert_int_eq(sf_bell_wait(&bell, ticket, 0), -EAGAIN);
    ck_assert_int_eq(sf_bell_wait(&bell, ticket, 1), -EAGAIN);
    sf_bell_leave(&bell);
}
END_TEST

START_TEST(a_wait_lasts_as_long_as_it_was_told)
{
    static const int waits[] = {0, 1, 30, 1001};
    uint32_t ticket = sf_bell_enter(&bell);

    for (int i = 0; i < COUNT(waits); i++) {
        uint64_t start = sf_clock_us();

        ck_assert_int_eq(sf_bell_wait(&bell, ticket, waits[i]), -EAGAIN);
        ck_assert_uint_ge(sf_clock_us() - start, (uint64_t)waits[i] * 1000);
    }
    sf_bell_leave(&bell);
}
END_TEST

static void caught(int number)
{
    (void)number;
}

struct sleeper {
    _Atomic int state; /* 1: about to wait, 2: over */
    int64_t timeout_ms;
    int result;
};

static void *sleep_once(void *arg)
{
    struct sleeper *s = arg;
    uint32_t ticket = sf_bell_enter(&bell);

    atomic_store(&s->state, 1);
    s->result = sf_bell_wait(&bell, ticket, s->timeout_ms);
    sf_bell_leave(&bell);
    atomic_store(&s->state, 2);
    return NULL;
}

START_TEST(a_signal_ends_the_wait_also_with_restart)
{
    static const int64_t timeouts[] = {-1, WAIT_MS * 6, INT64_MAX};
    struct sigaction act = {.sa_handler = caught, .sa_flags = _i ? SA_RESTART : 0};

    ck_works(sigaction(SIGUSR1, &act, NULL));
    for (int i = 0; i < COUNT(timeouts); i++) {
        struct sleeper s = {.timeout_ms = timeouts[i]};
        pthread_t thread = start_thread(sleep_once, &s);

        eventually(atomic_load(&s.state) > 0);
        while (atomic_load(&s.state) != 2) { /* the first may come before it sleeps */
            pthread_kill(thread, SIGUSR1);
            poll(NULL, 0, 1);
        }
        pthread_join(thread, NULL);
        ck_assert_int_eq(s.result, -EINTR);
    }
}
END_TEST

START_TEST(a_ring_wakes_all_that_wait)
{
    struct sleeper s[THREADS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        s[i] = (struct sleeper){.timeout_ms = -1, .result = 77};
        threads[i] = start_thread(sleep_once, &s[i]);
    }
    for (int i = 0; i < THREADS; i++)
        eventually(atomic_load(&s[i].state) == 1);
    ck_assert_uint_eq(bell.waiters, THREADS);
    sf_bell_ring(&bell);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(s[i].result, 0);
    }
    ck_assert_uint_eq(bell.waiters, 0);
}
END_TEST

/* --- A ball between threads: each ring is needed, so that none may be lost. --- */

static _Atomic int ball;

static void wait_for_ball(struct sf_bell *at, int number)
{
    while (atomic_load(&ball) != number) {
        uint32_t ticket = sf_bell_enter(at);

        if (atomic_load(&ball) != number)
            sf_bell_wait(at, ticket, -1);
        sf_bell_leave(at);
    }
}

static void *play_back(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        wait_for_ball(&bell, 2 * i + 1);
        atomic_store(&ball, 2 * i + 2);
        sf_bell_ring(&back);
    }
    return arg;
}

START_TEST(no_ring_is_lost_between_two)
{
    pthread_t thread;

    atomic_store(&ball, 0);
    thread = start_thread(play_back, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        atomic_store(&ball, 2 * i + 1);
        sf_bell_ring(&bell);
        wait_for_ball(&back, 2 * i + 2);
    }
    pthread_join(thread, NULL);
    ck_assert_int_eq(atomic_load(&ball), 2 * ROUNDS);
}
END_TEST

/* Threads on one bell: the number goes round, each waits for its own. */
static void *pass_on(void *arg)
{
    int me = *(int *)arg;

    for (int i = 0; i < ROUNDS / THREADS; i++) {
        wait_for_ball(&bell, i * THREADS + me);
        atomic_store(&ball, i * THREADS + me + 1);
        sf_bell_ring(&bell);
    }
    return NULL;
}

START_TEST(no_ring_is_lost_among_many)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    atomic_store(&ball, 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        threads[i] = start_thread(pass_on, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&ball), ROUNDS);
    ck_assert_uint_eq(bell.waiters, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("park");
    TCase *c = new_bare_case(suite, "park");

    tcase_add_checked_fixture(c, open_park, NULL);
    tcase_add_test(c, a_lock_is_held_once);
    tcase_add_test(c, threads_take_turns_under_a_lock);
    tcase_add_test(c, a_ring_after_the_ticket_ends_the_wait_at_once);
    tcase_add_test(c, a_ring_before_the_ticket_is_past);
    tcase_add_test(c, a_wait_lasts_as_long_as_it_was_told);
    tcase_add_loop_test(c, a_signal_ends_the_wait_also_with_restart, 0, 2);
    tcase_add_test(c, a_ring_wakes_all_that_wait);
    tcase_add_test(c, no_ring_is_lost_between_two);
    tcase_add_test(c, no_ring_is_lost_among_many);
    return run_suite(suite);
}
