/* Timers, keys, counters, stopwatches and threads: what their calls fail with. */
#include "matrix.h"

/* ---- Timers ---------------------------------------------------------------------------------- */

static sifr_timers_t *timers;
static int timer, ran;

static void count(int id, void *arg)
{
    ck_assert_int_eq(id, timer);
    ck_assert_ptr_eq(arg, &ran);
    ran++;
}

/* The one timer is as it was: never due. */
static void it_ticks(void)
{
    long left_ms = sifr_timers_timeout(timers);

    ck_assert(left_ms > 1000000 && left_ms <= 100000000);
    ck_works(sifr_timers_execute(timers));
    ck_assert_int_eq(ran, 0);
}

static void open_timers(void)
{
    ck_assert_ptr_nonnull(timers = sifr_timers_new());
    timer = sifr_timers_add(timers, 100000000, count, &ran);
    ck_assert_int_ge(timer, 1);
    matrix.unharmed = it_ticks;
}

static void close_timers(void)
{
    ck_works(sifr_timers_set_interval(timers, timer, 1));
    while (ran == 0) {
        poll(NULL, 0, (int)sifr_timers_timeout(timers));
        ck_works(sifr_timers_execute(timers));
    }
    ck_works(sifr_timers_destroy(&timers));
    ck_assert_ptr_null(timers);
}

START_TEST(what_is_no_set_of_timers)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_timers_t *h = _i < FOREIGN ? foreign(_i, ctx) : sifr_timers_new(), *before = h;

    if (_i == FOREIGN) {
        ck_works(sifr_timers_destroy(&h));
        h = before;
    }
    fails(EFAULT, timers_add, h, 1, count, &ran);
    fails(EFAULT, timers_cancel, h, timer);
    fails(EFAULT, timers_set_interval, h, timer, 1);
    fails(EFAULT, timers_reset, h, timer);
    fails(EFAULT, timers_timeout, h);
    fails(EFAULT, timers_execute, h);
    fails(EFAULT, timers_destroy, &h);
    ck_assert_ptr_eq(h, before);
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(a_set_of_timers_that_is_null)
{
    fails(EFAULT, timers_destroy, NULL);
}
END_TEST

START_TEST(a_timer_that_there_is_not)
{
    static const int others[] = {0, -1, 1, 1000, INT_MAX};
    int id = others[_i], gone;

    if (id == 1)
        id = timer + 1;
    fails(EINVAL, timers_cancel, timers, id);
    fails(EINVAL, timers_set_interval, timers, id, 1);
    fails(EINVAL, timers_reset, timers, id);
    gone = sifr_timers_add(timers, 1, count, NULL);
    ck_works(sifr_timers_cancel(timers, gone));
    fails(EINVAL, timers_cancel, timers, gone);
    fails(EINVAL, timers_set_interval, timers, gone, 1);
    fails(EINVAL, timers_reset, timers, gone);
}
END_TEST

START_TEST(a_timer_that_runs_nothing)
{
    fails(EFAULT, timers_add, timers, 1, NULL, NULL);
}
END_TEST

START_TEST(no_memory_for_a_timer)
{
    sifr_timers_t *fresh = sifr_timers_new();
    int id;

    runs_short(id, , timers_add, fresh, 1, count, NULL);
    ck_works(sifr_timers_cancel(fresh, id));
    ck_works(sifr_timers_destroy(&fresh));
}
END_TEST

/* ---- Keys ------------------------------------------------------------------------------------ */

static char sacred[64];

static void untouched(void)
{
    for (int i = 0; i < COUNT(sacred); i++)
        ck_assert_int_eq(sacred[i], 7);
}

START_TEST(bytes_of_a_wrong_size)
{
    static const uint8_t data[8] = {0};

    memset(sacred, 7, sizeof sacred);
    matrix.unharmed = untouched;
    for (size_t size = 1; size < 8; size += size == 3 ? 2 : 1)
        fails(EINVAL, z85_encode, sacred, data, size);
}
END_TEST

START_TEST(bytes_or_text_that_is_null)
{
    static const uint8_t data[8] = {0};

    memset(sacred, 7, sizeof sacred);
    matrix.unharmed = untouched;
    fails(EINVAL, z85_encode, sacred, NULL, 4);
    fails(EINVAL, z85_encode, NULL, data, 4);
    fails(EINVAL, z85_decode, (uint8_t *)sacred, NULL);
    fails(EINVAL, z85_decode, NULL, "00000");
}
END_TEST

START_TEST(text_that_is_none)
{
    static const char *const texts[] = {"",      "0",      "0000",  "000000", "0000~",
                                        "00 00", "\"0000", "%nSc1", "#####"};

    memset(sacred, 7, sizeof sacred);
    fails(EINVAL, z85_decode, (uint8_t *)sacred, texts[_i]);
    ck_assert_ptr_nonnull(sifr_z85_decode((uint8_t *)sacred, "%nSc0")); /* the largest */
    ck_assert_mem_eq(sacred, "\xff\xff\xff\xff", 4);
}
END_TEST

static bool has_curve(void)
{
    char public_key[41], secret_key[41];

    return sifr_curve_keypair(public_key, secret_key) == 0;
}

START_TEST(keys_that_are_none)
{
    if (!has_curve())
        return;
    memset(sacred, 7, sizeof sacred);
    matrix.unharmed = untouched;
    fails(EINVAL, curve_public, sacred, "");
    fails(EINVAL, curve_public, sacred, "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh");
    fails(EINVAL, curve_public, sacred, "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6 ");
    fails(EINVAL, curve_public, sacred, "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh ");
}
END_TEST

START_TEST(keys_that_are_null)
{
    char key[41];

    if (!has_curve())
        return;
    memset(sacred, 7, sizeof sacred);
    matrix.unharmed = untouched;
    fails(EINVAL, curve_public, sacred, NULL);
    fails(EINVAL, curve_public, NULL, "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6");
    fails(EINVAL, curve_keypair, sacred, NULL);
    fails(EINVAL, curve_keypair, NULL, sacred);
    ck_works(sifr_curve_public(key, "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"));
    ck_assert_str_eq(key, "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7");
}
END_TEST

START_TEST(keys_without_libsodium)
{
    char public_key[41], secret_key[41];

    if (has_curve())
        return;
    fails(ENOTSUP, curve_keypair, public_key, secret_key);
    fails(ENOTSUP, curve_public, public_key, "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6");
}
END_TEST

/* ---- Tools ----------------------------------------------------------------------------------- */

START_TEST(no_memory_for_tools)
{
    sifr_counter_t *counter;
    sifr_stopwatch_t *watch;
    sifr_timers_t *set;

    runs_short(counter, , atomic_counter_new, );
    ck_assert_int_eq(sifr_atomic_counter_inc(counter), 0);
    sifr_atomic_counter_destroy(&counter);
    runs_short(watch, , stopwatch_start, );
    sifr_stopwatch_stop(watch);
    runs_short(set, , timers_new, );
    ck_works(sifr_timers_destroy(&set));
}
END_TEST

static void add_one(void *arg)
{
    ++*(int *)arg;
}

static int added;

static void nothing_ran(void)
{
    ck_assert_int_eq(added, 0);
}

START_TEST(a_thread_that_runs_nothing)
{
    fails(EFAULT, threadstart, NULL, &added);
}
END_TEST

START_TEST(no_memory_for_a_thread)
{
    sifr_thread_t *thread;

    matrix.unharmed = nothing_ran;
    runs_short(thread, , threadstart, add_one, &added);
    sifr_threadclose(thread);
    ck_assert_int_eq(added, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/tools");
    TCase *c = new_bare_case(s, "timers");

    tcase_add_checked_fixture(c, open_timers, close_timers);
    add_loop(c, what_is_no_set_of_timers, 0, FOREIGN + 1);
    add(c, a_set_of_timers_that_is_null);
    add_loop(c, a_timer_that_there_is_not, 0, 5);
    add(c, a_timer_that_runs_nothing);
    add(c, no_memory_for_a_timer);
    c = new_bare_case(s, "keys");
    add(c, bytes_of_a_wrong_size);
    add(c, bytes_or_text_that_is_null);
    add_loop(c, text_that_is_none, 0, 9);
    add(c, keys_that_are_none);
    add(c, keys_that_are_null);
    add(c, keys_without_libsodium);
    c = new_bare_case(s, "tools");
    add(c, no_memory_for_tools);
    add(c, a_thread_that_runs_nothing);
    add(c, no_memory_for_a_thread);
    return run_matrix(s);
}
