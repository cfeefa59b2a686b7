#ifndef SF_TEST_ON_LOOP_H
#define SF_TEST_ON_LOOP_H

#include <semaphore.h>
#include <stdlib.h>

#include "base/list.h"
#include "io/loop.h"
#include "quick_check.h"

/* For tests: runs functions in a loop's thread and waits for what happens there. */

struct test_call {
    struct sf_task task;
    void (*run)(struct sf_loop *l, void *arg);
    struct sf_loop *loop;
    void *arg;
    sem_t done;
};

static inline void test_call_run(struct sf_task *t)
{
    struct test_call *c = SF_CONTAINER(t, struct test_call, task);

    c->run(c->loop, c->arg);
    sem_post(&c->done);
}

static inline void test_wait(sem_t *s)
{
    while (sem_wait(s) < 0)
        ;
}

/* Returns when `run` has returned. */
static inline void test_on_loop(struct sf_loop *l, void (*run)(struct sf_loop *l, void *arg),
                                void *arg)
{
    struct test_call c = {.task.run = test_call_run, .run = run, .loop = l, .arg = arg};

    sem_init(&c.done, 0, 0);
    sf_loop_post(l, &c.task);
    test_wait(&c.done);
    sem_destroy(&c.done);
}

static inline struct sf_loop *test_loop(enum sf_poller_kind poller, bool use_pipe)
{
    struct sf_loop_config cfg = {.name = "test/loop", .policy = -1, .priority = -1,
                                 .poller = poller, .use_pipe = use_pipe};
    struct sf_loop *l = NULL;

    ck_assert_int_eq(sf_loop_new(&l, &cfg), 0);
    return l;
}

static inline int test_main(const char *name, void (*fill)(TCase *tc))
{
    Suite *s = suite_create(name);
    TCase *tc = tcase_create(name);
    SRunner *r;
    int failed;

    tcase_set_timeout(tc, 60);
    fill(tc);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
