/* Counters count, stopwatches measure, threads run. */
#include "support.h"

#include <limits.h>
#include <signal.h>

START_TEST(a_counter_gives_what_it_was_and_tells_when_it_is_empty)
{
    sifr_counter_t *c = sifr_atomic_counter_new();

    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(sifr_atomic_counter_value(c), 0);
    ck_assert_int_eq(sifr_atomic_counter_inc(c), 0);
    ck_assert_int_eq(sifr_atomic_counter_inc(c), 1);
    ck_assert_int_eq(sifr_atomic_counter_dec(c), 1);
    ck_assert_int_eq(sifr_atomic_counter_dec(c), 0);
    ck_assert_int_eq(sifr_atomic_counter_dec(c), 1);
    ck_assert_int_eq(sifr_atomic_counter_value(c), -1);
    sifr_atomic_counter_set(c, INT_MAX);
    ck_assert_int_eq(sifr_atomic_counter_value(c), INT_MAX);
    sifr_atomic_counter_destroy(&c);
    ck_assert_ptr_null(c);
    sifr_atomic_counter_destroy(&c);
    sifr_atomic_counter_destroy(NULL);
}
END_TEST

enum { THREADS = 4, TIMES = 20000 };

static void count(void *counter)
{
    for (int i = 0; i < TIMES; i++)
        sifr_atomic_counter_inc(counter);
}

START_TEST(threads_count_together)
{
    sifr_counter_t *c = sifr_atomic_counter_new();
    sifr_thread_t *threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        threads[i] = sifr_threadstart(count, c);
        ck_assert_ptr_nonnull(threads[i]);
    }
    for (int i = 0; i < THREADS; i++)
        sifr_threadclose(threads[i]);
    ck_assert_int_eq(sifr_atomic_counter_value(c), THREADS * TIMES);
    sifr_atomic_counter_destroy(&c);
}
END_TEST

static void look_at_signals(void *arg)
{
    pthread_sigmask(SIG_SETMASK, NULL, arg);
}

START_TEST(a_thread_has_all_signals_blocked_and_its_starter_keeps_its_own)
{
    sigset_t before, inside, after;
    sifr_thread_t *t;

    sigemptyset(&inside);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    t = sifr_threadstart(look_at_signals, &inside);
    ck_assert_ptr_nonnull(t);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    sifr_threadclose(t);
    ck_assert(sigismember(&inside, SIGINT) && sigismember(&inside, SIGTERM));
    ck_assert(sigismember(&inside, SIGUSR1));
    ck_assert_int_eq(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
    ck_fails_null(sifr_threadstart(NULL, NULL), EFAULT);
    sifr_threadclose(NULL);
}
END_TEST

START_TEST(a_stopwatch_measures_microseconds)
{
    int64_t start = now_ms();
    sifr_stopwatch_t *w = sifr_stopwatch_start();
    unsigned long first, second;

    ck_assert_ptr_nonnull(w);
    poll(NULL, 0, 20);
    first = sifr_stopwatch_intermediate(w);
    second = sifr_stopwatch_stop(w);
    ck_assert_uint_ge(first, 19000);
    ck_assert_uint_ge(second, first);
    ck_assert_uint_le(second, (unsigned long)(now_ms() - start + 1) * 1000);
    ck_assert_uint_eq(sifr_stopwatch_stop(NULL), 0);
}
END_TEST

START_TEST(a_sleep_lasts_its_seconds)
{
    int64_t start = now_ms();

    sifr_sleep(0);
    sifr_sleep(-1);
    ck_assert_int_lt(now_ms() - start, WAIT_MS);
    start = now_ms();
    sifr_sleep(1);
    ck_assert_int_ge(now_ms() - start, 999);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools");
    TCase *c = new_bare_case(suite, "tools");

    tcase_add_test(c, a_counter_gives_what_it_was_and_tells_when_it_is_empty);
    tcase_add_test(c, threads_count_together);
    tcase_add_test(c, a_thread_has_all_signals_blocked_and_its_starter_keeps_its_own);
    tcase_add_test(c, a_stopwatch_measures_microseconds);
    tcase_add_test(c, a_sleep_lasts_its_seconds);
    return run_suite(suite);
}
