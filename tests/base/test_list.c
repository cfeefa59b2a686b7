/* A list keeps its order whatever is put in and taken out. */
#include "base/list.h"
#include "support.h"

struct item {
    int number;
    struct sf_list node;
};

static struct item *item_of(struct sf_list *node)
{
    return SF_CONTAINER(node, struct item, node);
}

/* The list is these numbers, in both directions. */
static void ck_list(struct sf_list *list, const int *numbers, int n)
{
    struct sf_list *it = list;

    for (int i = 0; i < n; i++) {
        it = it->next;
        ck_assert_ptr_ne(it, list);
        ck_assert_int_eq(item_of(it)->number, numbers[i]);
        ck_assert_ptr_eq(it->next->prev, it);
    }
    ck_assert_ptr_eq(it->next, list);
    ck_assert_ptr_eq(list->prev, it);
    ck_assert_int_eq(sf_list_empty(list), n == 0);
}

START_TEST(what_is_pushed_stands_last)
{
    struct sf_list list;
    struct item items[3];

    sf_list_init(&list);
    ck_list(&list, NULL, 0);
    for (int i = 0; i < 3; i++) {
        items[i].number = i;
        sf_list_push(&list, &items[i].node);
        ck_list(&list, (const int[]){0, 1, 2}, i + 1);
    }
}
END_TEST

START_TEST(what_is_removed_is_alone_and_may_be_removed_again)
{
    struct sf_list list;
    struct item items[3];

    sf_list_init(&list);
    for (int i = 0; i < 3; i++) {
        items[i].number = i;
        sf_list_push(&list, &items[i].node);
    }
    for (int twice = 0; twice < 2; twice++) {
        sf_list_remove(&items[1].node);
        ck_assert(sf_list_empty(&items[1].node));
        ck_list(&list, (const int[]){0, 2}, 2);
    }
    sf_list_push(&list, &items[1].node);
    ck_list(&list, (const int[]){0, 2, 1}, 3);
}
END_TEST

START_TEST(a_visited_node_may_be_removed)
{
    struct sf_list list, other;
    struct item items[8];
    int visited = 0;

    sf_list_init(&list);
    sf_list_init(&other);
    for (int i = 0; i < 8; i++) {
        items[i].number = i;
        sf_list_push(&list, &items[i].node);
    }
    SF_LIST_EACH(it, after, &list) {
        ck_assert_int_eq(item_of(it)->number, visited++);
        if (item_of(it)->number % 3 == 0) {
            sf_list_remove(it);
            sf_list_push(&other, it);
        }
    }
    ck_assert_int_eq(visited, 8);
    ck_list(&list, (const int[]){1, 2, 4, 5, 7}, 5);
    ck_list(&other, (const int[]){0, 3, 6}, 3);
}
END_TEST

START_TEST(random_changes_keep_the_order_of_pushing)
{
    struct sf_list list;
    struct item items[20];
    int model[20], n = 0;
    unsigned seed = (unsigned)_i + 1;

    sf_list_init(&list);
    for (int i = 0; i < 20; i++) {
        items[i].number = i;
        sf_list_init(&items[i].node);
    }
    for (int step = 0; step < 2000; step++) {
        int k = (int)(rand_r(&seed) % 20), at = 0;

        while (at < n && model[at] != k)
            at++;
        if (at == n) {
            sf_list_push(&list, &items[k].node);
            model[n++] = k;
        } else {
            sf_list_remove(&items[k].node);
            memmove(model + at, model + at + 1, (size_t)(n - at - 1) * sizeof *model);
            n--;
        }
        ck_list(&list, model, n);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("list");
    TCase *c = new_bare_case(suite, "list");

    tcase_add_test(c, what_is_pushed_stands_last);
    tcase_add_test(c, what_is_removed_is_alone_and_may_be_removed_again);
    tcase_add_test(c, a_visited_node_may_be_removed);
    tcase_add_loop_test(c, random_changes_keep_the_order_of_pushing, 0, 4);
    return run_suite(suite);
}
