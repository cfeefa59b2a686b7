/* The trie of topics, against a plain list of them. */
#include "fake.h"

#include "patterns/trie.c"

enum { TOPICS = 200, STEPS = 4000, LONG = 6 };

static struct {
    uint8_t bytes[LONG];
    size_t size, count;
} model[TOPICS];

static uint32_t state;

static uint32_t number(uint32_t below_this)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below_this;
}

static void make_model(void)
{
    size_t n = 0;

    memset(model, 0, sizeof model);
    while (n < TOPICS) { /* distinct ones over three letters, one of them 255 */
        size_t size = number(LONG + 1), i;

        for (i = 0; i < size; i++)
            model[n].bytes[i] = (uint8_t)"\0a\xff"[number(3)];
        model[n].size = size;
        for (i = 0; i < n; i++)
            if (model[i].size == size && memcmp(model[i].bytes, model[n].bytes, size) == 0)
                break;
        if (i == n)
            n++;
    }
}

static void compare(struct sf_trie *t)
{
    struct sf_trie_node *n = NULL;
    size_t held = 0, seen = 0;
    uint8_t last[LONG], now[LONG];
    size_t last_size = 0;

    for (int i = 0; i < TOPICS; i++) {
        struct sf_trie_node *found = sf_trie_find(t, model[i].bytes, model[i].size);
        bool match = false;

        ck_assert_uint_eq(found ? found->count : 0, model[i].count);
        held += model[i].count > 0;
        for (int k = 0; k < TOPICS; k++)
            match = match || (model[k].count && model[k].size <= model[i].size &&
                              memcmp(model[k].bytes, model[i].bytes, model[k].size) == 0);
        ck_assert_int_eq(sf_trie_match(t, model[i].bytes, model[i].size), match);
    }
    ck_assert_uint_eq(t->topics, held);
    while ((n = sf_trie_next(t, n))) {
        ck_assert_uint_le(n->size, LONG);
        sf_trie_topic(n, now);
        if (seen++) {
            int order = memcmp(last, now, last_size < n->size ? last_size : n->size);

            ck_assert(order < 0 || (order == 0 && last_size < n->size));
        }
        memcpy(last, now, n->size);
        last_size = n->size;
    }
    ck_assert_uint_eq(seen, held);
}

START_TEST(a_trie_holds_what_a_list_would)
{
    struct sf_trie t;

    state = (uint32_t)_i;
    make_model();
    sf_trie_init(&t);
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = number(TOPICS);

        if (_i % 2)
            sf_alloc_fail(1 + number(4), 0); /* some fail, and then nothing has changed */
        if (number(2)) {
            if (sf_trie_add(&t, model[i].bytes, model[i].size, NULL) == 0)
                model[i].count++;
        } else if (model[i].count) {
            sf_trie_drop(&t, sf_trie_find(&t, model[i].bytes, model[i].size));
            model[i].count--;
        }
        sf_alloc_fail(0, 0);
        if (step % 100 == 0)
            compare(&t);
    }
    compare(&t);
    for (int i = 0; i < TOPICS; i++)
        for (; _i % 4 < 2 && model[i].count; model[i].count--)
            sf_trie_drop(&t, sf_trie_find(&t, model[i].bytes, model[i].size));
    compare(&t);
    if (_i % 4 == 0)
        ck_assert_uint_eq(t.root.n_edges, 0);
    sf_trie_fini(&t);
}
END_TEST

START_TEST(a_deep_trie_needs_no_stack)
{
    enum { DEEP = 10000 };
    static uint8_t topic[DEEP];
    struct sf_trie t;

    sf_trie_init(&t);
    memset(topic, 'a', sizeof topic);
    for (size_t n = DEEP; n > 0; n--) /* descending, which splits at the top */
        ck_assert_int_eq(sf_trie_add(&t, topic, n, NULL), 0);
    ck_assert_uint_eq(t.topics, DEEP);
    sf_trie_fini(&t);
    ck_assert_uint_eq(t.topics, 0);
}
END_TEST

START_TEST(a_peer_holds_a_topic_once)
{
    static struct sf_peer peers[2];
    struct sf_list links[2];
    struct sf_trie_node *n;
    struct sf_trie t;

    sf_trie_init(&t);
    sf_list_init(&links[0]);
    sf_list_init(&links[1]);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(sf_trie_join(&t, &peers[i], &links[i], "ab", 2, &n), 1);
        ck_assert_int_eq(sf_trie_join(&t, &peers[i], &links[i], "ab", 2, &n), 0);
    }
    ck_assert_uint_eq(n->count, 2);
    ck_assert_ptr_null(sf_trie_link_find(&t, &peers[0], "a", 1));
    for (int i = 0; i < 2; i++) {
        sf_trie_part(&t, sf_trie_link_find(&t, &peers[i], "ab", 2));
        ck_assert_ptr_null(sf_trie_link_find(&t, &peers[i], "ab", 2));
        ck_assert(sf_list_empty(&links[i]));
    }
    ck_assert_uint_eq(t.topics, 0);
    sf_trie_fini(&t);
}
END_TEST

static void add(TCase *tcase)
{
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_trie_holds_what_a_list_would, 0, 8);
    tcase_add_test(tcase, a_deep_trie_needs_no_stack);
    tcase_add_test(tcase, a_peer_holds_a_topic_once);
}

int main(void)
{
    return run_suite("trie", add);
}
