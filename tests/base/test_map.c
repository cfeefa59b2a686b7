/* A map finds each key that is in it, and no other, also when memory is short. */
#include "base/map.h"
#include "base/alloc.h"
#include "base/list.h"
#include "support.h"

enum { ITEMS = 500, KEY_MAX = 24 };

struct item {
    struct sf_map_node node;
    uint8_t key[KEY_MAX];
    size_t size;
    bool in;
    int visits;
};

static struct item items[ITEMS];
static struct sf_map map;

static void open_map(void)
{
    memset(&map, 0, sizeof map);
    memset(items, 0, sizeof items);
    for (int i = 0; i < ITEMS; i++) { /* no two keys are equal, many begin alike */
        items[i].size = 2 + (size_t)i % (KEY_MAX - 1);
        memset(items[i].key, 'k', items[i].size);
        memcpy(items[i].key + items[i].size - 2, &(uint16_t){(uint16_t)i}, 2);
    }
}

static void close_map(void)
{
    sf_map_fini(&map);
    ck_assert_uint_eq(map.count, 0);
    ck_assert_ptr_null(map.buckets);
}

static int put(struct item *i)
{
    return sf_map_put(&map, &i->node, i->key, i->size);
}

static struct item *get(const void *key, size_t size)
{
    struct sf_map_node *node = sf_map_get(&map, key, size);

    return node ? SF_CONTAINER(node, struct item, node) : NULL;
}

static void visit(struct sf_map_node *node, void *arg)
{
    SF_CONTAINER(node, struct item, node)->visits++;
    ++*(size_t *)arg;
}

/* The map holds those items whose `in` says so. */
static void ck_map(void)
{
    size_t n = 0, seen = 0;

    for (int i = 0; i < ITEMS; i++) {
        struct item *found = get(items[i].key, items[i].size);

        ck_assert_ptr_eq(found, items[i].in ? &items[i] : NULL);
        n += items[i].in;
        items[i].visits = 0;
    }
    ck_assert_uint_eq(map.count, n);
    sf_map_each(&map, visit, &seen);
    ck_assert_uint_eq(seen, n);
    for (int i = 0; i < ITEMS; i++)
        ck_assert_int_eq(items[i].visits, items[i].in);
    ck_assert_int_eq(sf_map_any(&map) != NULL, n != 0);
}

START_TEST(an_empty_map_has_nothing)
{
    ck_map();
    ck_assert_ptr_null(get("", 0));
}
END_TEST

START_TEST(keys_are_bytes_of_a_length)
{
    struct item a = {.key = "a", .size = 1}, a0 = {.key = "a", .size = 2}, none = {.size = 0};

    ck_works(put(&a));
    ck_works(put(&a0));
    ck_works(put(&none));
    ck_assert_ptr_eq(get("a", 1), &a);
    ck_assert_ptr_eq(get("a\0", 2), &a0);
    ck_assert_ptr_eq(get("x", 0), &none);
    ck_assert_ptr_null(get("a\0", 3));
    ck_assert_ptr_null(get("b", 1));
}
END_TEST

START_TEST(a_key_stands_once)
{
    struct item again = items[0];

    ck_works(put(&items[0]));
    ck_assert_int_eq(put(&again), -EEXIST);
    ck_assert_ptr_eq(get(again.key, again.size), &items[0]);
    ck_assert_uint_eq(map.count, 1);
    sf_map_remove(&map, &items[0].node);
    ck_works(put(&again));
    ck_assert_ptr_eq(get(again.key, again.size), &again);
}
END_TEST

START_TEST(a_map_is_emptied_by_any)
{
    for (int i = 0; i < ITEMS; i++)
        ck_works(put(&items[i]));
    for (int n = ITEMS; n > 0; n--) {
        struct sf_map_node *node = sf_map_any(&map);

        ck_assert_ptr_nonnull(node);
        sf_map_remove(&map, node);
        ck_assert_uint_eq(map.count, (size_t)n - 1);
    }
    ck_map();
}
END_TEST

START_TEST(the_first_node_needs_memory_and_later_ones_do_not)
{
    sf_alloc_fail(1, 1);
    ck_assert_int_eq(put(&items[0]), -ENOMEM);
    sf_alloc_fail(0, 0);
    ck_map();
    ck_works(put(&items[0]));
    items[0].in = true;
    sf_alloc_fail(1, 1);
    for (int i = 1; i < ITEMS; i++) {
        ck_works(put(&items[i]));
        items[i].in = true;
    }
    ck_assert_int_gt(sf_alloc_fail(0, 0), 0);
    ck_map();
    sf_map_remove(&map, &items[0].node);
    ck_works(put(&items[0])); /* may grow again */
    ck_map();
}
END_TEST

START_TEST(random_changes_agree_with_a_model)
{
    unsigned seed = (unsigned)_i + 1;

    for (int step = 0; step < 20000; step++) {
        struct item *i = &items[rand_r(&seed) % ITEMS];

        if (rand_r(&seed) % 1000 == 0)
            ck_map();
        if (rand_r(&seed) % 50 == 0)
            sf_alloc_fail(1, 0);
        if (!i->in) {
            int err = put(i);

            ck_assert(err == 0 || (err == -ENOMEM && map.count == 0));
            i->in = err == 0;
        } else if (rand_r(&seed) % 4 == 0) {
            ck_assert_int_eq(put(i), -EEXIST);
        } else {
            sf_map_remove(&map, &i->node);
            i->in = false;
        }
        sf_alloc_fail(0, 0);
    }
    ck_map();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *c = new_bare_case(suite, "map");

    tcase_add_checked_fixture(c, open_map, close_map);
    tcase_add_test(c, an_empty_map_has_nothing);
    tcase_add_test(c, keys_are_bytes_of_a_length);
    tcase_add_test(c, a_key_stands_once);
    tcase_add_test(c, a_map_is_emptied_by_any);
    tcase_add_test(c, the_first_node_needs_memory_and_later_ones_do_not);
    tcase_add_loop_test(c, random_changes_agree_with_a_model, 0, 4);
    return run_suite(suite);
}
