/* The clock goes on, never back, and is the same in each unit. */
#include "base/clock.h"
#include "support.h"

START_TEST(time_never_goes_back)
{
    uint64_t last = sf_clock_ns();

    for (int i = 0; i < 100000; i++) {
        uint64_t now = sf_clock_ns();

        ck_assert_uint_ge(now, last);
        last = now;
    }
}
END_TEST

START_TEST(time_passes)
{
    uint64_t start = sf_clock_ns();

    eventually(sf_clock_ns() > start);
    start = sf_clock_ms();
    eventually(sf_clock_ms() > start + 2);
}
END_TEST

START_TEST(the_units_agree)
{
    for (int i = 0; i < 1000; i++) {
        uint64_t before = sf_clock_ns(), us = sf_clock_us(), ms = sf_clock_ms();
        uint64_t after = sf_clock_ns();

        ck_assert_uint_ge(us, before / 1000);
        ck_assert_uint_le(us, after / 1000);
        ck_assert_uint_ge(ms, before / 1000000);
        ck_assert_uint_le(ms, after / 1000000);
    }
}
END_TEST

START_TEST(a_wait_lasts_as_long_as_the_clock_says)
{
    uint64_t start = sf_clock_ms();

    poll(NULL, 0, 20);
    ck_assert_uint_ge(sf_clock_ms() - start, 19);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *c = new_bare_case(suite, "clock");

    tcase_add_test(c, time_never_goes_back);
    tcase_add_test(c, time_passes);
    tcase_add_test(c, the_units_agree);
    tcase_add_test(c, a_wait_lasts_as_long_as_the_clock_says);
    return run_suite(suite);
}
