/* Every socket type has its pattern. */
#include "patterns/pattern.h"
#include "quick_check.h"

#include <stdlib.h>

START_TEST(each_type_is_found_and_its_partners_let_it_in)
{
    for (int type = SIFR_PAIR; type <= SIFR_CHANNEL; type++) {
        const struct sf_pattern *p = sf_pattern_find(type);

        ck_assert_ptr_nonnull(p);
        ck_assert_int_eq(p->type, type);
        ck_assert(p->init && p->attach && p->detach && p->events);
        for (int other = SIFR_PAIR; other <= SIFR_CHANNEL; other++)
            ck_assert_int_eq(p->talks_to >> other & 1, sf_pattern_find(other)->talks_to >> type & 1);
    }
    ck_assert_ptr_null(sf_pattern_find(-1));
    ck_assert_ptr_null(sf_pattern_find(SIFR_CHANNEL + 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("table");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tcase, each_type_is_found_and_its_partners_let_it_in);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
