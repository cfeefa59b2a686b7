/* When the next message is due is learnt of those that came, and not guessed where they come as they like. */
#include "support.h"

#include "core/pace.h"

enum { US = 1000, LATE = 25 * US /* by which sleeps end here */, LEARNT = 60 /* messages are enough */ };

/* A receiver whose messages come when the tests say. */
static struct {
    struct sf_pace pace;
    uint64_t now, due; /* ns; when the last one came, and when a sender with a clock sent it */
    int woken, found;  /* sleeps that ended before a message, and messages that were looked for then */
    uint64_t looked;   /* ns in all */
    uint32_t random;
} r;

static void setup(void)
{
    memset(&r, 0, sizeof r);
    r.now = r.due = 1000000000;
    r.random = 1;
}

/* A number of -n..n. */
static int64_t some(int64_t n)
{
    r.random = r.random * 1664525 + 1013904223;
    return (int64_t)(r.random >> 8) % (2 * n + 1) - n;
}

/* Waits for a message that comes then. */
static void message_at(uint64_t at)
{
    uint64_t wake = sf_pace_wake(&r.pace, r.now), until, end;

    ck_assert(wake == 0 || wake > r.now);
    ck_assert(wake == 0 || wake <= r.pace.last + r.pace.gap);
    if (wake && wake < at) {
        r.woken++;
        until = sf_pace_woke(&r.pace, wake, wake + LATE);
        end = at < wake + LATE ? wake + LATE : at;
        if (end <= until) {
            r.found++;
            r.looked += end - wake - LATE;
            r.now = end;
            sf_pace_came(&r.pace, r.now, false);
            return;
        }
        r.looked += until > wake + LATE ? until - wake - LATE : 0;
        sf_pace_missed(&r.pace, false);
    }
    r.now = at + LATE;
    sf_pace_came(&r.pace, r.now, true);
}

/* Messages so far apart, each at most `off` before or after its time. */
static void messages(int n, uint64_t gap, int64_t off)
{
    for (int i = 0; i < n; i++) {
        r.due += gap;
        message_at(r.due + (uint64_t)(off ? some(off) : 0));
    }
}

static void forget_counts(void)
{
    r.woken = r.found = 0;
    r.looked = 0;
}

START_TEST(a_steady_pace_is_learnt)
{
    static const uint64_t gaps[] = {100 * US, 1000 * US, 10000 * US};

    messages(3, gaps[_i], 0);
    ck_assert_int_eq(r.woken, 0); /* two gaps are no pace */
    messages(LEARNT, gaps[_i], 0);
    forget_counts();
    messages(500, gaps[_i], 3 * US);
    ck_assert_int_ge(r.found, 490);
    ck_assert_uint_le(r.looked, (uint64_t)r.woken * 30 * US); /* each time not much longer than a wake-up takes */
}
END_TEST

START_TEST(messages_at_any_time_are_not_waited_for)
{
    messages(1000, 1000 * US, 200 * US);
    ck_assert_int_eq(r.woken, 0);
}
END_TEST

START_TEST(what_a_look_bridges_or_is_too_far_is_not_waited_for)
{
    messages(300, (uint64_t[]){30 * US, 50000 * US}[_i], 0);
    ck_assert_int_eq(r.woken, 0);
}
END_TEST

START_TEST(a_burst_counts_as_its_first_message)
{
    for (int i = 0; i < LEARNT + 100; i++) {
        if (i == LEARNT)
            forget_counts();
        messages(1, 1000 * US, 3 * US);
        for (int k = 1; k < 10; k++) { /* some of which it had to wait for */
            r.now += 3 * US;
            sf_pace_came(&r.pace, r.now, k % 2);
        }
    }
    ck_assert_int_ge(r.found, 98);
}
END_TEST

START_TEST(a_stream_has_no_pace)
{
    messages(LEARNT, 1000 * US, 0);
    messages(1000, 10 * US, 0);
    forget_counts();
    messages(1000, 10 * US, 0);
    ck_assert_int_eq(r.woken, 0);
    ck_assert_uint_eq(sf_pace_wake(&r.pace, r.now), 0);
}
END_TEST

START_TEST(one_that_comes_late_changes_nothing)
{
    messages(LEARNT, 1000 * US, 0);
    r.due += 1000 * US;
    message_at(r.due + 500 * US);
    forget_counts();
    messages(20, 1000 * US, 0);
    ck_assert_int_ge(r.found, 17);
}
END_TEST

START_TEST(another_pace_is_learnt)
{
    messages(LEARNT, 1000 * US, 0);
    messages(1, 3000000ull * US, 0);
    messages(LEARNT + 300, (uint64_t[]){200 * US, 5000 * US}[_i], 0);
    forget_counts();
    messages(100, (uint64_t[]){200 * US, 5000 * US}[_i], 0);
    ck_assert_int_ge(r.found, 98);
}
END_TEST

/* Each a little later than could be known. */
START_TEST(who_wakes_up_in_vain_stops_that)
{
    uint64_t gap = 1000 * US;

    messages(LEARNT, gap, 0);
    forget_counts();
    for (int i = 0; i < 40; i++)
        messages(1, gap += 40 * US, 0);
    ck_assert_int_gt(r.woken, 0);
    ck_assert_int_le(r.woken - r.found, 8);
}
END_TEST

START_TEST(who_is_in_others_way_stops_that_for_longer_and_longer)
{
    int before = 0;

    messages(LEARNT, 1000 * US, 0);
    for (int i = 0; i < 6; i++) {
        int n = 0;

        ck_assert_uint_ne(sf_pace_wake(&r.pace, r.now), 0);
        sf_pace_missed(&r.pace, true);
        for (forget_counts(); r.woken == 0 && n < 100000; n++)
            messages(1, 1000 * US, 0);
        ck_assert_int_ge(n, 32);
        ck_assert_int_lt(n, 100000);
        ck_assert_int_gt(n, before);
        before = n;
    }
    messages(4 * before, 1000 * US, 0); /* in nobody's way for as long as that */
    sf_pace_missed(&r.pace, true);
    forget_counts();
    messages(before / 2, 1000 * US, 0);
    ck_assert_int_gt(r.found, 0);
}
END_TEST

START_TEST(who_has_seen_nothing_or_the_strangest_times_says_something)
{
    static const uint64_t times[] = {0, 1, UINT64_MAX, 5, 5, 4, UINT64_MAX / 2, 1u << 30, 0, 3};

    ck_assert_uint_eq(sf_pace_wake(&r.pace, 12345), 0);
    for (int i = 0; i < 10 * COUNT(times); i++) {
        uint64_t now = times[i % COUNT(times)], wake;

        sf_pace_came(&r.pace, now, i % 3);
        wake = sf_pace_wake(&r.pace, now);
        ck_assert(wake == 0 || wake > now);
        sf_pace_woke(&r.pace, times[i % 7], now);
        sf_pace_missed(&r.pace, i % 5 == 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *c = new_bare_case(suite, "pace");

    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_loop_test(c, a_steady_pace_is_learnt, 0, 3);
    tcase_add_test(c, messages_at_any_time_are_not_waited_for);
    tcase_add_loop_test(c, what_a_look_bridges_or_is_too_far_is_not_waited_for, 0, 2);
    tcase_add_test(c, a_burst_counts_as_its_first_message);
    tcase_add_test(c, a_stream_has_no_pace);
    tcase_add_test(c, one_that_comes_late_changes_nothing);
    tcase_add_loop_test(c, another_pace_is_learnt, 0, 2);
    tcase_add_test(c, who_wakes_up_in_vain_stops_that);
    tcase_add_test(c, who_is_in_others_way_stops_that_for_longer_and_longer);
    tcase_add_test(c, who_has_seen_nothing_or_the_strangest_times_says_something);
    return run_suite(suite);
}
