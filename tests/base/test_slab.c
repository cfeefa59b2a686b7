/* Slabs hand out cleared memory, nothing twice, and go back to the system when they are empty. */
#include "base/slab.h"
#include "base/alloc.h"
#include "support.h"

enum { N = 1000 };

static const size_t sizes[] = {1, 15, 16, 1000, 1640, 5000, 16000, 100000};

static struct sf_slabs slabs;
static uint8_t *things[N];

static void make(int i, size_t size)
{
    uint8_t *p = sf_slab_new(&slabs, size);

    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq((uintptr_t)p % 16, 0);
    for (size_t at = 0; at < size; at++)
        ck_assert_uint_eq(p[at], 0);
    fill_bytes(p, size, (unsigned)i);
    things[i] = p;
}

static void end(int i, size_t size)
{
    ck_assert_uint_eq(good_bytes(things[i], size, (unsigned)i), size);
    sf_slab_free(&slabs, things[i]);
    things[i] = NULL;
}

START_TEST(nothing_is_handed_out_twice_and_all_is_cleared)
{
    size_t size = sizes[_i];
    int n = size > 10000 ? 20 : N;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < n; i++)
            make(i, size);
        for (int i = 0; i < n; i += 2)
            end(i, size);
        for (int i = 0; i < n; i += 2)
            make(i, size);
        for (int i = n - 1; i >= 0; i--)
            end(i, size);
        ck_assert_uint_le(slabs.count, 1);
    }
    sf_slab_free(&slabs, NULL);
    sf_slabs_fini(&slabs);
}
END_TEST

START_TEST(holes_are_filled_before_another_slab_is_made)
{
    size_t most, size = 1000;

    for (int i = 0; i < N; i++)
        make(i, size);
    most = slabs.count;
    for (int i = 0; i < N; i += 3)
        end(i, size);
    for (int i = 0; i < N; i += 3)
        make(i, size);
    ck_assert_uint_eq(slabs.count, most);
    for (int i = 0; i < N; i++)
        end(i, size);
    sf_slabs_fini(&slabs);
}
END_TEST

START_TEST(slabs_in_which_nothing_is_left_go_back)
{
    size_t size = 1000;

    for (int i = 0; i < N; i++)
        make(i, size);
    for (int i = 10; i < N; i++)
        end(i, size);
    ck_assert_uint_le(slabs.count, 2);
    for (int i = 0; i < 10; i++)
        end(i, size);
    ck_assert_uint_le(slabs.count, 1);
    sf_slabs_fini(&slabs);
}
END_TEST

START_TEST(every_request_can_be_refused)
{
    void *first = sf_slab_new(&slabs, 100), *second;

    ck_assert_ptr_nonnull(first);
    for (int round = 0; round < 2; round++) {
        sf_alloc_fail(2, 0);
        second = sf_slab_new(&slabs, 100);
        ck_assert_ptr_nonnull(second);
        ck_assert_ptr_null(sf_slab_new(&slabs, 100));
        ck_assert_int_eq(sf_alloc_fail(0, 0), 2);
        sf_slab_free(&slabs, second);
    }
    sf_slab_free(&slabs, first);
    ck_assert_uint_le(slabs.count, 1);
    sf_slabs_fini(&slabs);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/slab");
    TCase *c = new_case(s, "slabs");

    tcase_add_loop_test(c, nothing_is_handed_out_twice_and_all_is_cleared, 0, COUNT(sizes));
    tcase_add_test(c, holes_are_filled_before_another_slab_is_made);
    tcase_add_test(c, slabs_in_which_nothing_is_left_go_back);
    tcase_add_test(c, every_request_can_be_refused);
    return run_suite(s);
}
