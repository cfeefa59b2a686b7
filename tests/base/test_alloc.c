/* Every request for memory passes one gate, which can be told to refuse. */
#include "base/alloc.h"
#include "support.h"

START_TEST(memory_is_cleared_and_writable_whatever_its_size)
{
    static const size_t sizes[] = {0, 1, 7, 64, 4096, 1 << 20};

    for (int i = 0; i < COUNT(sizes); i++) {
        uint8_t *p = sf_alloc(sizes[i]), *q = sf_alloc_raw(sizes[i]);

        ck_assert(p && q && p != q);
        for (size_t at = 0; at < sizes[i]; at++)
            ck_assert_uint_eq(p[at], 0);
        memset(p, 0xff, sizes[i]);
        memset(q, 0xff, sizes[i]);
        sf_free(p);
        sf_free(q);
    }
    sf_free(NULL);
}
END_TEST

START_TEST(pages_are_cleared_and_writable)
{
    static const size_t sizes[] = {1, 4096, 100000};

    for (int i = 0; i < COUNT(sizes); i++) {
        uint8_t *p = sf_alloc_pages(sizes[i]);

        ck_assert_ptr_nonnull(p);
        for (size_t at = 0; at < sizes[i]; at++)
            ck_assert_uint_eq(p[at], 0);
        memset(p, 0xff, sizes[i]);
        sf_free_pages(p, sizes[i]);
    }
}
END_TEST

START_TEST(a_block_keeps_its_bytes_when_its_size_changes)
{
    uint8_t *p = sf_realloc(NULL, 100);

    ck_assert_ptr_nonnull(p);
    fill_bytes(p, 100, 1);
    p = sf_realloc(p, 100000);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(good_bytes(p, 100, 1), 100);
    fill_bytes(p, 100000, 2);
    p = sf_realloc(p, 10);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(good_bytes(p, 10, 2), 10);
    sf_free(p);
}
END_TEST

START_TEST(a_text_is_copied_with_a_0_behind_it)
{
    static const char bytes[] = {'a', 0, 'b', 'c'};
    char *text = sf_alloc_text(bytes, 3), *empty = sf_alloc_text(NULL, 0);

    ck_assert(text && empty);
    ck_assert_mem_eq(text, "a\0b", 4);
    ck_assert_str_eq(empty, "");
    sf_free(text);
    sf_free(empty);
}
END_TEST

/* One request of each kind; whether it was met. */
static bool request(int kind)
{
    void *p = NULL, *old = NULL;

    switch (kind % 5) {
    case 0: p = sf_alloc(10); break;
    case 1: p = sf_alloc_raw(10); break;
    case 2: p = sf_alloc_text("text", 4); break;
    case 3: p = sf_realloc(old, 10); break;
    case 4:
        p = sf_alloc_pages(4096);
        if (p)
            sf_free_pages(p, 4096);
        return p != NULL;
    }
    sf_free(p);
    return p != NULL;
}

START_TEST(the_nth_request_alone_is_refused)
{
    for (int n = 1; n <= 12; n++) {
        sf_alloc_fail(n, 0);
        for (int i = 1; i <= 12; i++)
            ck_assert_msg(request(i) == (i != n), "request %d when %d is to fail", i, n);
        ck_assert_int_eq(sf_alloc_fail(0, 0), 12);
        ck_assert(request(n));
    }
}
END_TEST

START_TEST(every_request_from_the_nth_on_is_refused)
{
    for (int n = 1; n <= 12; n++) {
        sf_alloc_fail(n, 1);
        for (int i = 1; i <= 12; i++)
            ck_assert_msg(request(i) == (i < n), "request %d when %d and on fail", i, n);
        ck_assert_int_eq(sf_alloc_fail(0, 0), 12);
        ck_assert(request(n));
    }
}
END_TEST

START_TEST(a_block_stands_when_its_new_size_is_refused)
{
    uint8_t *p = sf_alloc_raw(50);

    ck_assert_ptr_nonnull(p);
    fill_bytes(p, 50, 3);
    sf_alloc_fail(1, 0);
    ck_assert_ptr_null(sf_realloc(p, 5000));
    sf_alloc_fail(0, 0);
    ck_assert_uint_eq(good_bytes(p, 50, 3), 50);
    sf_free(p);
}
END_TEST

enum { THREADS = 4, ROUNDS = 5000 };

static void *count_refused(void *arg)
{
    long *refused = arg;

    for (int i = 0; i < ROUNDS; i++)
        *refused += !request(i);
    return NULL;
}

START_TEST(one_request_is_refused_whoever_makes_it)
{
    pthread_t threads[THREADS];
    long refused[THREADS] = {0}, all = 0;

    sf_alloc_fail(ROUNDS, 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread(count_refused, &refused[i]);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        all += refused[i];
    }
    ck_assert_int_eq(all, 1);
    ck_assert_int_eq(sf_alloc_fail(0, 0), THREADS * ROUNDS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alloc");
    TCase *c = new_bare_case(suite, "alloc");

    tcase_add_test(c, memory_is_cleared_and_writable_whatever_its_size);
    tcase_add_test(c, pages_are_cleared_and_writable);
    tcase_add_test(c, a_block_keeps_its_bytes_when_its_size_changes);
    tcase_add_test(c, a_text_is_copied_with_a_0_behind_it);
    tcase_add_test(c, the_nth_request_alone_is_refused);
    tcase_add_test(c, every_request_from_the_nth_on_is_refused);
    tcase_add_test(c, a_block_stands_when_its_new_size_is_refused);
    tcase_add_test(c, one_request_is_refused_whoever_makes_it);
    return run_suite(suite);
}
