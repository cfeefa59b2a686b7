/* Large blocks come back to who asks for their size, bounded, and never when requests are counted. */
#include "base/block.h"
#include "base/alloc.h"
#include "support.h"

static const size_t sizes[] = {SF_BLOCK_MIN, SF_BLOCK_MIN + 1, 10000, 32768, 65536 + 16, 100000,
                               SF_BLOCK_MAX};

enum { SIZES = sizeof sizes / sizeof *sizes };

static void *block(size_t size, uint16_t *kind)
{
    void *p = sf_block_new(size, kind);

    ck_assert_ptr_nonnull(p);
    return fill_bytes(p, size, 1), p;
}

START_TEST(a_block_that_was_freed_is_given_to_the_next)
{
    uint16_t kind, again;
    void *p = block(sizes[_i], &kind);

    ck_assert_uint_gt(kind, 0);
    sf_block_free(p, kind);
    ck_assert_ptr_eq(block(sizes[_i], &again), p);
    ck_assert_uint_eq(again, kind);
    sf_block_free(p, kind);
    sf_block_forget();
}
END_TEST

START_TEST(blocks_of_every_size_have_the_room_asked_for)
{
    for (int round = 0; round < 2; round++) {
        for (size_t size = 1; size < SF_BLOCK_MAX * 2; size += size / 7 + 1) {
            uint16_t kind;
            uint8_t *p = block(size, &kind);

            ck_assert_uint_eq(kind > 0, size >= SF_BLOCK_MIN && size <= SF_BLOCK_MAX + 256);
            ck_assert_uint_eq(good_bytes(p, size, 1), size);
            sf_block_free(p, kind);
        }
    }
    sf_block_forget();
}
END_TEST

START_TEST(no_block_is_handed_out_twice)
{
    enum { N = 30 };
    uint8_t *p[N];
    uint16_t kind[N];

    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < N; i++) {
            p[i] = block(20000, &kind[i]);
            fill_bytes(p[i], 20000, i);
        }
        for (unsigned i = 0; i < N; i++) {
            ck_assert_uint_eq(good_bytes(p[i], 20000, i), 20000);
            sf_block_free(p[i], kind[i]);
        }
    }
    sf_block_forget();
}
END_TEST

START_TEST(no_more_is_kept_than_it_may)
{
    uint16_t kind;
    void *p[64];

    ck_assert_uint_eq(sf_block_kept(), 0);
    for (int i = 0; i < 64; i++)
        p[i] = block(SF_BLOCK_MAX / 2, &kind);
    for (int i = 0; i < 64; i++) {
        sf_block_free(p[i], kind);
        ck_assert_uint_le(sf_block_kept(), SF_BLOCK_KEPT);
    }
    ck_assert_uint_gt(sf_block_kept(), SF_BLOCK_KEPT / 2);
    sf_block_forget();
    ck_assert_uint_eq(sf_block_kept(), 0);
}
END_TEST

START_TEST(what_nobody_asks_for_is_let_go)
{
    uint16_t kind, other;
    void *p = block(65536, &kind), *q = block(20000, &other);

    sf_block_age();
    sf_block_free(p, kind);
    sf_block_free(q, other);
    poll(NULL, 0, 20); /* too often is never */
    sf_block_age(); /* both are new */
    for (int i = 0; i < 3; i++) {
        q = block(20000, &other); /* is in use: it stays */
        sf_block_free(q, other);
        poll(NULL, 0, 20);
        sf_block_age();
        ck_assert_uint_lt(sf_block_kept(), 65536);
        ck_assert_uint_ge(sf_block_kept(), 20000);
    }
    poll(NULL, 0, 20);
    sf_block_age();
    ck_assert_uint_eq(sf_block_kept(), 0);
}
END_TEST

START_TEST(a_counted_request_is_never_met_by_what_is_kept)
{
    uint16_t kind;

    void *p = block(65536, &kind);

    sf_block_free(p, kind);
    sf_alloc_fail(1, 0);
    ck_assert_ptr_null(sf_block_new(65536, &kind));
    ck_assert_int_eq(sf_alloc_fail(0, 0), 1);
    sf_block_forget();
}
END_TEST

enum { THREADS = 4, ROUNDS = 20000 };

/* Each writes its own number all over the block's ends: nobody else may have it meanwhile. */
static void *take_and_give(void *arg)
{
    uint8_t mine = (uint8_t)(uintptr_t)arg;
    uintptr_t wrong = 0;

    for (int i = 0; i < ROUNDS; i++) {
        size_t size = SF_BLOCK_MIN + (size_t)i % 3 * 9000;
        uint16_t kind;
        uint8_t *p = sf_block_new(size, &kind);

        if (!p)
            return (void *)(uintptr_t)1;
        p[8] = p[size - 1] = mine;
        if (i % 512 == 0)
            sf_block_forget();
        wrong += p[8] != mine || p[size - 1] != mine;
        sf_block_free(p, kind);
    }
    return (void *)wrong;
}

START_TEST(threads_share_what_is_kept_and_no_block)
{
    pthread_t threads[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        threads[i] = start_thread(take_and_give, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) {
        void *wrong;

        pthread_join(threads[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
    sf_block_forget();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("block");
    TCase *c = new_bare_case(suite, "block");

    tcase_add_loop_test(c, a_block_that_was_freed_is_given_to_the_next, 0, SIZES);
    tcase_add_test(c, blocks_of_every_size_have_the_room_asked_for);
    tcase_add_test(c, no_block_is_handed_out_twice);
    tcase_add_test(c, no_more_is_kept_than_it_may);
    tcase_add_test(c, what_nobody_asks_for_is_let_go);
    tcase_add_test(c, a_counted_request_is_never_met_by_what_is_kept);
    tcase_add_test(c, threads_share_what_is_kept_and_no_block);
    return run_suite(suite);
}
