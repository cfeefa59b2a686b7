/* A handle is told from what was one, and from what never was. */
#include "base/cells.h"
#include "support.h"

struct thing {
    struct sf_cell cell;
    int value;
};

static struct sf_cells things = {.tag = 0x1234567890abcdef, .size = sizeof(struct thing)};
static struct sf_cells others = {.tag = 0xfedcba0987654321, .size = sizeof(struct thing)};

START_TEST(a_handle_is_good_until_it_is_retired)
{
    struct thing *t = sf_cells_take(&things);

    ck_assert_ptr_nonnull(t);
    ck_assert(sf_cells_check(&things, t));
    ck_assert(sf_cells_retire(&things, t));
    ck_assert(!sf_cells_check(&things, t));
    ck_assert(!sf_cells_retire(&things, t));
    sf_cells_give(&things, t);
    ck_assert(!sf_cells_check(&things, t));
}
END_TEST

START_TEST(what_is_no_handle_is_refused)
{
    struct thing *t = sf_cells_take(&things), copy;
    max_align_t zeroes[4] = {0};

    memcpy(&copy, t, sizeof copy);
    ck_assert(!sf_cells_check(&things, NULL));
    ck_assert(!sf_cells_check(&things, zeroes));
    ck_assert(!sf_cells_check(&things, &copy));
    ck_assert(!sf_cells_check(&things, (char *)t + 4));
    ck_assert(!sf_cells_check(&others, t));
    ck_assert(sf_cells_retire(&things, t));
    sf_cells_give(&things, t);
}
END_TEST

START_TEST(an_address_rests_before_it_is_used_again_and_then_is_empty)
{
    struct thing *first = sf_cells_take(&others);
    int rested = 0;

    first->value = 1;
    for (struct thing *t = first;; t = sf_cells_take(&others), rested++) {
        ck_assert_ptr_nonnull(t);
        ck_assert_int_eq(t->value, t == first && rested == 0);
        ck_assert_int_lt(rested, 100);
        if (t == first && rested)
            break;
        ck_assert(sf_cells_retire(&others, t));
        sf_cells_give(&others, t);
    }
    ck_assert_int_gt(rested, 10);
    ck_assert(sf_cells_check(&others, first));
    ck_assert(sf_cells_retire(&others, first));
    sf_cells_give(&others, first);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cells");
    TCase *c = new_bare_case(suite, "cells");

    tcase_add_test(c, a_handle_is_good_until_it_is_retired);
    tcase_add_test(c, what_is_no_handle_is_refused);
    tcase_add_test(c, an_address_rests_before_it_is_used_again_and_then_is_empty);
    return run_suite(suite);
}
