/* Random numbers differ, in every bit, between threads and between processes. */
#include "base/random.h"
#include "support.h"

#include <sys/wait.h>

enum { NUMBERS = 1000, THREADS = 4 };

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* How often one of the numbers stands there again. */
static int repeats(uint32_t *numbers, int n)
{
    int count = 0;

    qsort(numbers, (size_t)n, sizeof *numbers, by_value);
    for (int i = 1; i < n; i++)
        count += numbers[i] == numbers[i - 1];
    return count;
}

static void *draw(void *arg)
{
    uint32_t *numbers = arg;

    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = sf_random32();
    return NULL;
}

START_TEST(each_bit_is_set_about_half_the_time)
{
    uint32_t numbers[NUMBERS];

    draw(numbers);
    for (int bit = 0; bit < 32; bit++) {
        int set = 0;

        for (int i = 0; i < NUMBERS; i++)
            set += numbers[i] >> bit & 1;
        /* Twelve standard deviations: less than once in 10^30 runs by chance. */
        ck_assert_int_gt(set, NUMBERS / 2 - 190);
        ck_assert_int_lt(set, NUMBERS / 2 + 190);
    }
}
END_TEST

START_TEST(threads_draw_different_numbers)
{
    static uint32_t numbers[THREADS * NUMBERS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread(draw, numbers + i * NUMBERS);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    /* 4000 of 2^32: 0.002 repeats are to be expected; 20 are impossible. */
    ck_assert_int_lt(repeats(numbers, THREADS * NUMBERS), 20);
}
END_TEST

START_TEST(a_forked_child_draws_other_numbers)
{
    uint32_t numbers[2 * NUMBERS];
    char *others = (char *)(numbers + NUMBERS);
    int fds[2];
    pid_t pid;

    ck_works(pipe(fds));
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        draw(numbers);
        _exit(write(fds[1], numbers, NUMBERS * sizeof *numbers) < 0);
    }
    close(fds[1]);
    draw(numbers);
    for (size_t got = 0; got < NUMBERS * sizeof *numbers;) {
        ssize_t n = read(fds[0], others + got, NUMBERS * sizeof *numbers - got);

        ck_assert_int_gt(n, 0);
        got += (size_t)n;
    }
    close(fds[0]);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_lt(repeats(numbers, 2 * NUMBERS), 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    TCase *c = new_bare_case(suite, "random");

    tcase_add_test(c, each_bit_is_set_about_half_the_time);
    tcase_add_test(c, threads_draw_different_numbers);
    tcase_add_test(c, a_forked_child_draws_other_numbers);
    return run_suite(suite);
}
