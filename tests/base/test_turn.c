/* Turns: one holder at a time whoever it leans to, and nothing lost by who fails to get one. */
#include "base/turn.h"
#include "support.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { OFTEN = 10000, THREADS = 4, MANY = SF_TURN_SEATS + 4, ROUNDS = 300 };

static struct sf_turn turn;
static uint64_t count; /* under the turn; no atomic, so that two holders at once lose some */

static void fresh(void)
{
    sf_barrier_begin();
    turn = (struct sf_turn){0};
    count = 0;
}

/* Takes it again and again, as a thread that sends does. */
static void *come_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < OFTEN; i++) {
        sf_turn_take(&turn);
        count++;
        sf_turn_drop(&turn);
    }
    return NULL;
}

static bool leans_to_me(void)
{
    return sf_turn_seat(&turn) != NULL;
}

START_TEST(a_turn_leans_to_the_thread_that_comes_often)
{
    fresh();
    come_often(NULL);
    ck_assert_uint_eq(count, OFTEN);
    ck_assert_int_eq(leans_to_me(), sf_barrier_asks());
}
END_TEST

START_TEST(the_holder_that_tries_fails)
{
    fresh();
    for (int i = 0; i < OFTEN; i++) {
        sf_turn_take(&turn);
        ck_assert(!sf_turn_try(&turn));
        sf_turn_drop(&turn);
    }
}
END_TEST

static void *try_once(void *got)
{
    *(bool *)got = sf_turn_try(&turn);
    if (*(bool *)got)
        sf_turn_drop(&turn);
    return NULL;
}

static bool another_gets_it(void)
{
    pthread_t t;
    bool got;

    ck_assert_int_eq(pthread_create(&t, NULL, try_once, &got), 0);
    ck_assert_int_eq(pthread_join(t, NULL), 0);
    return got;
}

START_TEST(it_is_kept_from_others_while_the_favourite_is_in)
{
    fresh();
    come_often(NULL);
    sf_turn_take(&turn);
    ck_assert(!another_gets_it());
    ck_assert(!leans_to_me()); /* taken back; but we are in it still */
    ck_assert(!another_gets_it());
    sf_turn_drop(&turn);
    ck_assert(another_gets_it());
}
END_TEST

static void *take_waiting(void *arg)
{
    sf_turn_take(&turn);
    count++;
    sf_turn_drop(&turn);
    return arg;
}

START_TEST(who_waits_for_the_favourite_is_woken)
{
    pthread_t t;

    fresh();
    come_often(NULL);
    sf_turn_take(&turn);
    ck_assert_int_eq(pthread_create(&t, NULL, take_waiting, NULL), 0);
    while (!sf_turn_wanted(&turn))
        sched_yield();
    ck_assert_uint_eq(count, OFTEN);
    sf_turn_drop(&turn);
    ck_assert_int_eq(pthread_join(t, NULL), 0);
    ck_assert_uint_eq(count, OFTEN + 1);
}
END_TEST

START_TEST(many_favourites_never_hold_it_at_once)
{
    pthread_t t[THREADS];

    fresh();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, come_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    ck_assert_uint_eq(count, (uint64_t)THREADS * OFTEN);
}
END_TEST

static pthread_barrier_t all_there;

/* Comes often while the others stand by, so that each has a seat while they live. */
static void *come_in_turn(void *arg)
{
    for (int i = 0; i < MANY; i++) {
        if (i == (int)(intptr_t)arg)
            come_often(NULL);
        pthread_barrier_wait(&all_there);
    }
    return NULL;
}

START_TEST(more_threads_than_seats_share_it)
{
    pthread_t t[MANY];

    fresh();
    ck_assert_int_eq(pthread_barrier_init(&all_there, NULL, MANY), 0);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, come_in_turn, (void *)(intptr_t)i), 0);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    ck_assert_uint_eq(count, (uint64_t)MANY * OFTEN);
    pthread_barrier_destroy(&all_there);
}
END_TEST

/* --- As sockets use it: a post is taken in by who gets the turn, or by who kept it from us. --- */

static _Atomic uint32_t posted;
static uint64_t taken_in; /* under the turn */

static void take_in(void)
{
    taken_in += atomic_exchange(&posted, 0);
}

static void try_to_take_in(void)
{
    while (atomic_load(&posted) && sf_turn_try(&turn)) {
        take_in();
        sf_turn_drop(&turn);
    }
}

static void *post_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        atomic_fetch_add(&posted, 1);
        try_to_take_in();
    }
    return NULL;
}

static void *call_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        sf_turn_take(&turn);
        sf_turn_drop(&turn);
        if (atomic_load(&posted))
            try_to_take_in();
    }
    return NULL;
}

START_TEST(no_post_is_left_to_nobody)
{
    pthread_t t[3];

    fresh();
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        ck_assert_int_eq(pthread_create(&t[0], NULL, call_often, NULL), 0);
        ck_assert_int_eq(pthread_create(&t[1], NULL, post_often, NULL), 0);
        ck_assert_int_eq(pthread_create(&t[2], NULL, post_often, NULL), 0);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(pthread_join(t[i], NULL), 0);
        ck_assert_uint_eq(atomic_load(&posted), 0);
        ck_assert_uint_eq(taken_in, round * 100);
    }
}
END_TEST

/* --- In a sandbox that the program enters when turns lean already. --- */

static bool forbid_membarrier(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = COUNT(code), .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

enum { RIGHT = 1, NO_SANDBOX };

static int share_in_sandbox(void)
{
    pthread_t t[THREADS];

    come_often(NULL);
    if (!forbid_membarrier())
        return NO_SANDBOX;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&t[i], NULL, come_often, NULL) != 0)
            return 0;
    come_often(NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    return count == (THREADS + 2) * (uint64_t)OFTEN && !sf_barrier_asks() ? RIGHT : 0;
}

START_TEST(without_membarrier_from_now_on_turns_go_on)
{
    int status;
    pid_t pid;

    fresh();
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(CASE_SECONDS / 2);
        _exit(share_in_sandbox());
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_ne(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("turn");
    TCase *c = new_bare_case(suite, "turn");

    tcase_add_test(c, a_turn_leans_to_the_thread_that_comes_often);
    tcase_add_test(c, the_holder_that_tries_fails);
    tcase_add_test(c, it_is_kept_from_others_while_the_favourite_is_in);
    tcase_add_test(c, who_waits_for_the_favourite_is_woken);
    tcase_add_test(c, many_favourites_never_hold_it_at_once);
    tcase_add_test(c, more_threads_than_seats_share_it);
    tcase_add_test(c, no_post_is_left_to_nobody);
    tcase_add_test(c, without_membarrier_from_now_on_turns_go_on);
    return run_suite(suite);
}
