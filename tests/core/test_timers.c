/* Timers expire in order, again and again, and may be changed by what they run. */
#include "support.h"

static sifr_timers_t *timers;
static int ran[64], n_ran; /* which ran, in order */

static void setup(void)
{
    timers = sifr_timers_new();
    ck_assert_ptr_nonnull(timers);
    n_ran = 0;
}

static void teardown(void)
{
    ck_works(sifr_timers_destroy(&timers));
    ck_assert_ptr_null(timers);
}

static void note(int id, void *arg)
{
    (void)arg;
    ck_assert_int_lt(n_ran, COUNT(ran));
    ran[n_ran++] = id;
}

static int add(size_t interval)
{
    int id = sifr_timers_add(timers, interval, note, NULL);

    ck_assert_int_ge(id, 1);
    return id;
}

/* Sleeps as long as sifr_timers_timeout says, then runs what is due. */
static void run_next(void)
{
    long ms = sifr_timers_timeout(timers);

    ck_assert_int_ge(ms, 0);
    poll(NULL, 0, (int)ms);
    ck_works(sifr_timers_execute(timers));
}

START_TEST(no_timer_is_no_timeout)
{
    ck_assert_int_eq(sifr_timers_timeout(timers), -1);
    ck_works(sifr_timers_execute(timers));
}
END_TEST

START_TEST(a_timer_runs_when_its_time_has_come_and_again)
{
    int id = add(20);
    int64_t start = now_ms();
    long left = sifr_timers_timeout(timers);

    ck_assert(left >= 0 && left <= 20);
    for (int n = 1; n <= 3; n++) {
        while (n_ran < n)
            run_next();
        ck_assert_int_ge(now_ms() - start, 20 * n - 1);
    }
    ck_assert(ran[0] == id && ran[1] == id && ran[2] == id);
}
END_TEST

START_TEST(before_its_time_it_does_not)
{
    add(1000000);
    ck_works(sifr_timers_execute(timers));
    ck_assert_int_eq(n_ran, 0);
    ck_assert_int_gt(sifr_timers_timeout(timers), 900000);
}
END_TEST

START_TEST(those_that_are_due_run_in_the_order_of_their_time)
{
    static const size_t ms[] = {30, 5, 20, 1, 10, 5, 25};
    int ids[COUNT(ms)], sorted[] = {3, 1, 5, 4, 2, 6, 0};

    for (int i = 0; i < COUNT(ms); i++)
        ids[i] = add(ms[i]);
    poll(NULL, 0, 40);
    ck_works(sifr_timers_execute(timers));
    ck_assert_int_eq(n_ran, COUNT(ms));
    for (int i = 0; i < COUNT(ms); i++)
        ck_assert_int_eq(ran[i], ids[sorted[i]]);
}
END_TEST

START_TEST(missed_intervals_are_not_made_up_for)
{
    add(2);
    poll(NULL, 0, 30);
    ck_works(sifr_timers_execute(timers));
    ck_assert_int_eq(n_ran, 1);
    ck_assert_int_le(sifr_timers_timeout(timers), 2);
}
END_TEST

START_TEST(interval_zero_runs_once_an_execution)
{
    int other = add(0), id = add(0);

    for (int n = 1; n <= 3; n++) {
        ck_assert_int_eq(sifr_timers_timeout(timers), 0);
        ck_works(sifr_timers_execute(timers));
        ck_assert_int_eq(n_ran, 2 * n);
        ck_assert_int_eq(ran[2 * n - 2], other);
        ck_assert_int_eq(ran[2 * n - 1], id);
    }
}
END_TEST

START_TEST(a_cancelled_timer_runs_no_more)
{
    int gone = add(0), id = add(0);

    ck_works(sifr_timers_cancel(timers, gone));
    ck_fails(sifr_timers_cancel(timers, gone), EINVAL);
    ck_works(sifr_timers_execute(timers));
    ck_assert_int_eq(n_ran, 1);
    ck_assert_int_eq(ran[0], id);
    ck_works(sifr_timers_cancel(timers, id));
    ck_assert_int_eq(sifr_timers_timeout(timers), -1);
    ck_assert_int_gt(add(0), id);
}
END_TEST

START_TEST(reset_begins_the_interval_anew)
{
    int id = add(50);
    int64_t start;

    poll(NULL, 0, 30);
    start = now_ms();
    ck_works(sifr_timers_reset(timers, id));
    while (n_ran == 0)
        run_next();
    ck_assert_int_ge(now_ms() - start, 49);
}
END_TEST

START_TEST(another_interval_counts_from_now)
{
    int id = add(1000000);

    ck_works(sifr_timers_set_interval(timers, id, 10));
    ck_assert_int_le(sifr_timers_timeout(timers), 10);
    while (n_ran == 0)
        run_next();
    ck_works(sifr_timers_set_interval(timers, id, SIZE_MAX));
    ck_assert_int_gt(sifr_timers_timeout(timers), 1000000);
}
END_TEST

static void cancel_all(int id, void *arg)
{
    int *ids = arg;

    note(id, NULL);
    for (; *ids; ids++)
        ck_works(sifr_timers_cancel(timers, *ids));
}

START_TEST(a_timer_may_cancel_itself_and_others)
{
    int ids[4] = {0};

    ids[0] = sifr_timers_add(timers, 0, cancel_all, ids);
    ids[1] = add(0);
    ids[2] = add(1);
    ck_works(sifr_timers_execute(timers));
    ck_assert_int_eq(n_ran, 1);
    ck_assert_int_eq(sifr_timers_timeout(timers), -1);
}
END_TEST

static void add_another(int id, void *arg)
{
    note(id, arg);
    if (n_ran < 50)
        ck_assert_int_ge(sifr_timers_add(timers, 0, add_another, NULL), 1);
}

START_TEST(what_a_timer_adds_runs_at_the_next_execution)
{
    ck_assert_int_ge(sifr_timers_add(timers, 0, add_another, NULL), 1);
    ck_works(sifr_timers_execute(timers));
    ck_assert_int_eq(n_ran, 1);
    ck_works(sifr_timers_execute(timers));
    ck_assert_int_eq(n_ran, 3);
}
END_TEST

static void destroy(int id, void *arg)
{
    note(id, arg);
    ck_works(sifr_timers_destroy(&timers));
}

START_TEST(a_timer_may_end_it_all)
{
    sifr_timers_t *gone = timers;

    ck_assert_int_ge(sifr_timers_add(timers, 0, destroy, NULL), 1);
    add(0);
    ck_works(sifr_timers_execute(timers));
    ck_assert_int_eq(n_ran, 1);
    ck_assert_ptr_null(timers);
    ck_fails(sifr_timers_execute(gone), EFAULT);
    setup();
}
END_TEST

START_TEST(many_timers_keep_their_order)
{
    enum { N = 500 };
    int64_t last = -1;
    int ids[N];

    for (int i = 0; i < N; i++)
        ids[i] = add((size_t)(i * 7919 % N) * 1000 + 100000);
    for (int i = 0; i < N; i += 2)
        ck_works(sifr_timers_cancel(timers, ids[i]));
    for (int n = 0; n < N / 2; n++) {
        long left = sifr_timers_timeout(timers);
        int next = -1;

        for (int i = 1; i < N; i += 2) /* which that is */
            if (ids[i] && (next < 0 || i * 7919 % N < next * 7919 % N))
                next = i;
        ck_assert_int_ge(left + 1000, last); /* time passes meanwhile */
        last = left;
        ck_works(sifr_timers_cancel(timers, ids[next]));
        ids[next] = 0;
    }
    ck_assert_int_eq(sifr_timers_timeout(timers), -1);
}
END_TEST

START_TEST(what_is_no_set_of_timers_is_refused)
{
    max_align_t zeroes[8] = {0};
    sifr_timers_t *none = NULL, *foreign = (sifr_timers_t *)(void *)zeroes;
    sifr_timers_t *bad[] = {none, foreign};

    for (int i = 0; i < COUNT(bad); i++) {
        sifr_timers_t *t = bad[i];

        ck_fails(sifr_timers_add(t, 1, note, NULL), EFAULT);
        ck_fails(sifr_timers_cancel(t, 1), EFAULT);
        ck_fails(sifr_timers_set_interval(t, 1, 1), EFAULT);
        ck_fails(sifr_timers_reset(t, 1), EFAULT);
        ck_fails(sifr_timers_timeout(t), EFAULT);
        ck_fails(sifr_timers_execute(t), EFAULT);
        ck_fails(sifr_timers_destroy(&t), EFAULT);
    }
    ck_fails(sifr_timers_destroy(NULL), EFAULT);
    ck_fails(sifr_timers_add(timers, 1, NULL, NULL), EFAULT);
    ck_fails(sifr_timers_cancel(timers, 1), EINVAL);
    ck_fails(sifr_timers_set_interval(timers, 1, 1), EINVAL);
    ck_fails(sifr_timers_reset(timers, 1), EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timers");
    TCase *c = new_bare_case(suite, "timers");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, no_timer_is_no_timeout);
    tcase_add_test(c, a_timer_runs_when_its_time_has_come_and_again);
    tcase_add_test(c, before_its_time_it_does_not);
    tcase_add_test(c, those_that_are_due_run_in_the_order_of_their_time);
    tcase_add_test(c, missed_intervals_are_not_made_up_for);
    tcase_add_test(c, interval_zero_runs_once_an_execution);
    tcase_add_test(c, a_cancelled_timer_runs_no_more);
    tcase_add_test(c, reset_begins_the_interval_anew);
    tcase_add_test(c, another_interval_counts_from_now);
    tcase_add_test(c, a_timer_may_cancel_itself_and_others);
    tcase_add_test(c, what_a_timer_adds_runs_at_the_next_execution);
    tcase_add_test(c, a_timer_may_end_it_all);
    tcase_add_test(c, many_timers_keep_their_order);
    tcase_add_test(c, what_is_no_set_of_timers_is_refused);
    return run_suite(suite);
}
