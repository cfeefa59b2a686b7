/* The generation is one number in a process and another in its child. */
#include "base/fork.h"
#include "support.h"

#include <sys/wait.h>

enum { THREADS = 8 };

/* Runs `fn` in a forked child: what it returns, 0 to 255. */
static int in_child(int (*fn)(uint32_t), uint32_t of_parent)
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(fn(of_parent));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int is_another(uint32_t of_parent)
{
    uint32_t mine = sf_fork_generation();

    return mine != 0 && mine != of_parent && sf_fork_generation() == mine;
}

static int is_another_of_both(uint32_t of_parent)
{
    uint32_t mine = sf_fork_generation();
    int status;
    pid_t pid = fork();

    if (pid < 0)
        return 0;
    if (pid == 0)
        _exit(is_another(mine) && sf_fork_generation() != of_parent);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status);
}

START_TEST(the_number_stays_in_one_process)
{
    uint32_t mine = sf_fork_generation();

    ck_assert_uint_ne(mine, 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_eq(sf_fork_generation(), mine);
}
END_TEST

START_TEST(a_child_and_its_child_have_others)
{
    uint32_t mine = sf_fork_generation();

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(in_child(is_another, mine), 1);
        ck_assert_int_eq(in_child(is_another_of_both, mine), 1);
        ck_assert_uint_eq(sf_fork_generation(), mine);
    }
}
END_TEST

static void *ask(void *arg)
{
    *(uint32_t *)arg = sf_fork_generation();
    return NULL;
}

/* All threads of a child that asks for the first time get one number, not the parent's. */
static int threads_agree(uint32_t of_parent)
{
    pthread_t threads[THREADS];
    uint32_t seen[THREADS];

    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, ask, &seen[i]) != 0)
            return 0;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        if (seen[i] != seen[0] || seen[i] == of_parent)
            return 0;
    return 1;
}

START_TEST(threads_that_ask_at_once_get_the_same)
{
    /* In a child nobody has asked yet; here, with 0, not even for the page. */
    ck_assert_int_eq(in_child(threads_agree, 0), 1);
    ck_assert_int_eq(in_child(threads_agree, sf_fork_generation()), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fork");
    TCase *c = new_bare_case(suite, "fork");

    tcase_add_test(c, the_number_stays_in_one_process);
    tcase_add_test(c, a_child_and_its_child_have_others);
    tcase_add_test(c, threads_that_ask_at_once_get_the_same);
    return run_suite(suite);
}
