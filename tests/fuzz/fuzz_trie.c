/* The trie of topics, against a plain list of them. */
#include "fuzz.h"

#include <stdbool.h>

#include "patterns/trie.h"

/* Steps: one octet says what and how long, then the topic. */
SEEDS(SEED("\0\1a\2ab\3abc\x83"
           "abc\x81"
           "a\x42"
           "ab"),
      SEED("\3abc\3abd\3ab\xff\3a\0b\x83"
           "abd"),
      SEED("\7topic.a\7topic.b\6topic."),
      SEED("\1a\1a\1a\x81"
           "a\x81"
           "a\x81"
           "a"),
      SEED("\4\0\0\0\0\3\0\0\0\2\0\0\1\0\x84\0\0\0\0"));

enum { TOPICS = 256, LONG = 16 };

struct topic {
    uint8_t bytes[LONG];
    size_t size, count;
};

static struct topic *find(struct topic *list, size_t n, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].size == size && memcmp(list[i].bytes, bytes, size) == 0)
            return &list[i];
    return NULL;
}

static void compare(struct sf_trie *t, const struct topic *list, size_t n)
{
    size_t held = 0, seen = 0;
    uint8_t last[LONG], now[LONG];
    size_t last_size = 0;

    for (size_t i = 0; i < n; i++) {
        struct sf_trie_node *found = sf_trie_find(t, list[i].bytes, list[i].size);

        CHECK((found ? found->count : 0) == list[i].count);
        held += list[i].count > 0;
    }
    CHECK(t->topics == held);
    for (struct sf_trie_node *node = NULL; (node = sf_trie_next(t, node)); seen++) {
        int order;

        CHECK(node->size <= LONG);
        sf_trie_topic(node, now);
        order = memcmp(last, now, last_size < node->size ? last_size : node->size);
        CHECK(seen == 0 || order < 0 || (order == 0 && last_size < node->size));
        memcpy(last, now, node->size);
        last_size = node->size;
    }
    CHECK(seen == held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct topic list[TOPICS];
    struct fuzz_input in = {data, size};
    struct sf_trie t;
    size_t n = 0;

    sf_trie_init(&t);
    memset(list, 0, sizeof list);
    while (in.left > 0 && n < TOPICS) {
        unsigned what = fuzz_byte(&in);
        uint8_t bytes[LONG] = {0};
        size_t length = what % LONG, kept = n;
        struct topic *known;
        bool match = false;

        for (size_t i = 0; i < length; i++)
            bytes[i] = fuzz_byte(&in);
        known = find(list, n, bytes, length);
        for (size_t i = 0; i < n; i++)
            match = match || (list[i].count && list[i].size <= length &&
                              memcmp(list[i].bytes, bytes, list[i].size) == 0);
        CHECK(sf_trie_match(&t, bytes, length) == match);
        if (what & 0x80) {
            if (!known || known->count == 0) {
                CHECK(!sf_trie_find(&t, bytes, length));
                continue;
            }
            sf_trie_drop(&t, sf_trie_find(&t, bytes, length));
            known->count--;
        } else {
            if (!known) {
                known = &list[n++];
                memcpy(known->bytes, bytes, length);
                known->size = length;
            }
            CHECK(sf_trie_add(&t, bytes, length, NULL) == 0);
            known->count++;
        }
        if (kept != n && n % 16 == 0)
            compare(&t, list, n);
    }
    compare(&t, list, n);
    sf_trie_fini(&t);
    return 0;
}
