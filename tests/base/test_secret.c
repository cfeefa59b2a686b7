/* Memory for keys: apart from all else, and nothing is left in it. */
#include "base/secret.h"
#include "base/random.h"
#include "quick_check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(each_block_is_its_own_and_begins_as_zeroes)
{
    enum { BLOCKS = 200 };
    uint8_t *blocks[BLOCKS];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = sf_secret_new(SF_SECRET_MAX);
            ck_assert_ptr_nonnull(blocks[i]);
            for (int k = 0; k < SF_SECRET_MAX; k++)
                ck_assert_int_eq(blocks[i][k], 0);
            memset(blocks[i], i + 1, SF_SECRET_MAX);
        }
        for (int i = 0; i < BLOCKS; i++) {
            for (int k = 0; k < SF_SECRET_MAX; k++)
                ck_assert_int_eq(blocks[i][k], (uint8_t)(i + 1));
            if (i % 2 == round % 2) {
                sf_secret_free(blocks[i]);
                blocks[i] = NULL;
            }
        }
        for (int i = 0; i < BLOCKS; i++)
            sf_secret_free(blocks[i]);
    }
}
END_TEST

static _Atomic bool enough;

static void *come_and_go(void *arg)
{
    while (!enough)
        sf_secret_free(sf_secret_new(SF_SECRET_MAX));
    return arg;
}

/* Others are in the midst of it in the parent, whom the child does not have. */
START_TEST(a_forked_child_has_memory_for_keys_too)
{
    pthread_t thread;
    int status;

    ck_assert_int_eq(pthread_create(&thread, NULL, come_and_go, NULL), 0);
    for (int i = 0; i < 100; i++) {
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            alarm(10);
            _exit(sf_secret_new(SF_SECRET_MAX) ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
    }
    enough = true;
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

START_TEST(more_than_there_is_is_refused)
{
    ck_assert_ptr_null(sf_secret_new(SF_SECRET_MAX + 1));
    sf_secret_free(NULL);
}
END_TEST

START_TEST(what_is_wiped_is_zeroes)
{
    uint8_t bytes[100];

    memset(bytes, 0xaa, sizeof bytes);
    sf_wipe(bytes + 10, 80);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(bytes[i], i >= 10 && i < 90 ? 0 : 0xaa);
    sf_wipe(bytes, 0);
    ck_assert_int_eq(bytes[0], 0xaa);
}
END_TEST

START_TEST(a_difference_anywhere_is_seen)
{
    uint8_t a[33], b[33];

    memset(a, 7, sizeof a);
    memcpy(b, a, sizeof b);
    ck_assert(sf_same(a, b, sizeof a));
    ck_assert(sf_same(a, b, 0));
    for (size_t i = 0; i < sizeof a; i++)
        for (int bit = 0; bit < 8; bit++) {
            b[i] ^= (uint8_t)(1 << bit);
            ck_assert(!sf_same(a, b, sizeof a));
            ck_assert(sf_same(a, b, i));
            b[i] = a[i];
        }
}
END_TEST

START_TEST(keys_differ)
{
    uint8_t a[1000] = {0}, b[1000] = {0};

    ck_assert_int_eq(sf_random_key(a, sizeof a), 0);
    ck_assert_int_eq(sf_random_key(b, sizeof b), 0);
    for (size_t i = 0; i + 16 <= sizeof a; i += 16) /* each part was filled */
        ck_assert(!sf_same(a + i, b + i, 16));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("secret");
    TCase *tcase = tcase_create("secret");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tcase, each_block_is_its_own_and_begins_as_zeroes);
    tcase_add_test(tcase, a_forked_child_has_memory_for_keys_too);
    tcase_add_test(tcase, more_than_there_is_is_refused);
    tcase_add_test(tcase, what_is_wiped_is_zeroes);
    tcase_add_test(tcase, a_difference_anywhere_is_seen);
    tcase_add_test(tcase, keys_differ);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
