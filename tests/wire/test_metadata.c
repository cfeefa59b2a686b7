/* Metadata: lists of properties, whole, cut and hostile. */
#include "wire/metadata.h"
#include "quick_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t list[] = "\x0bSocket-Type\0\0\0\3REQ"
                              "\x08Identity\0\0\0\0"
                              "\7X-Thing\0\0\0\2\0\xff";
enum { LIST_SIZE = sizeof list - 1, SECOND = 12 + 4 + 3, THIRD = SECOND + 9 + 4 };

START_TEST(properties_come_out_in_order)
{
    const uint8_t *at = list;
    size_t left = LIST_SIZE;
    struct sf_property p;

    ck_assert_int_eq(sf_metadata_next(&at, &left, &p), 1);
    ck_assert_uint_eq(p.name_size, 11);
    ck_assert_mem_eq(p.name, "Socket-Type", 11);
    ck_assert_uint_eq(p.size, 3);
    ck_assert_mem_eq(p.value, "REQ", 3);
    ck_assert_int_eq(sf_metadata_next(&at, &left, &p), 1);
    ck_assert_mem_eq(p.name, "Identity", 8);
    ck_assert_uint_eq(p.size, 0);
    ck_assert_int_eq(sf_metadata_next(&at, &left, &p), 1);
    ck_assert_mem_eq(p.name, "X-Thing", 7);
    ck_assert_mem_eq(p.value, "\0\xff", 2);
    ck_assert_uint_eq(left, 0);
    ck_assert_int_eq(sf_metadata_next(&at, &left, &p), 0);
}
END_TEST

START_TEST(a_list_cut_inside_a_property_is_malformed)
{
    for (size_t n = 0; n <= LIST_SIZE; n++) {
        bool whole = n == 0 || n == SECOND || n == THIRD || n == LIST_SIZE;
        uint8_t *copy = malloc(n + !n); /* so that ASan sees a step too far */
        const uint8_t *at = copy;
        size_t left = n;
        struct sf_property p;
        int more;

        memcpy(copy, list, n);
        while ((more = sf_metadata_next(&at, &left, &p)) > 0)
            ;
        ck_assert_int_eq(more, whole ? 0 : -EPROTO);
        free(copy);
    }
}
END_TEST

START_TEST(malformed_properties_are_refused)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        {"\0", 1},                  /* one octet too many */
        {"\0\0\0\0\0", 5},          /* empty name */
        {"\1a\xff\xff\xff\xff", 6}, /* value of 2^32 - 1 octets */
        {"\1a\x80\0\0\0", 6},       /* value of 2^31 octets */
        {"\1a\0\0\0\1", 6},         /* value past the end */
        {"\xff"
         "a\0\0\0\0",
         6}, /* name past the end */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint8_t *at = (const uint8_t *)cases[i].bytes;
        size_t left = cases[i].n;
        struct sf_property p;

        ck_assert_int_eq(sf_metadata_next(&at, &left, &p), -EPROTO);
        ck_assert_uint_eq(left, cases[i].n);
    }
}
END_TEST

START_TEST(the_first_of_a_name_is_found_whatever_its_case)
{
    static const uint8_t twice[] = "\1a\0\0\0\1x\1A\0\0\0\1y";
    struct sf_property p;

    ck_assert_int_eq(sf_metadata_find(list, LIST_SIZE, "identity", &p), 1);
    ck_assert_uint_eq(p.size, 0);
    ck_assert_int_eq(sf_metadata_find(list, LIST_SIZE, "SOCKET-TYPE", &p), 1);
    ck_assert_mem_eq(p.value, "REQ", 3);
    ck_assert_int_eq(sf_metadata_find(list, LIST_SIZE, "Ident", &p), 0);
    ck_assert_int_eq(sf_metadata_find(list, LIST_SIZE, "", &p), 0);
    ck_assert_int_eq(sf_metadata_find(list, LIST_SIZE - 1, "X-Thing", &p), -EPROTO);
    ck_assert_int_eq(sf_metadata_find(twice, sizeof twice - 1, "A", &p), 1);
    ck_assert_uint_eq(p.value[0], 'x');
    ck_assert_int_eq(sf_metadata_find(NULL, 0, "A", &p), 0);
}
END_TEST

START_TEST(what_was_written_is_read_again)
{
    uint8_t bytes[64];
    size_t n = 0;

    n += sf_metadata_put(bytes + n, sizeof bytes - n, "Socket-Type", "REQ", 3);
    n += sf_metadata_put(bytes + n, sizeof bytes - n, "Identity", NULL, 0);
    n += sf_metadata_put(bytes + n, sizeof bytes - n, "X-Thing", "\0\xff", 2);
    ck_assert_uint_eq(n, LIST_SIZE);
    ck_assert_mem_eq(bytes, list, n);
}
END_TEST

START_TEST(nothing_is_written_without_room)
{
    size_t size = sf_metadata_size("name", 5);
    uint8_t bytes[32];

    ck_assert_uint_eq(size, 14);
    for (size_t room = 0; room < size; room++) {
        memset(bytes, 0x55, sizeof bytes);
        ck_assert_uint_eq(sf_metadata_put(bytes, room, "name", "value", 5), 0);
        ck_assert_uint_eq(bytes[0], 0x55);
    }
    ck_assert_uint_eq(sf_metadata_put(bytes, size, "name", "value", 5), size);
}
END_TEST

START_TEST(what_the_format_cannot_express_is_not_written)
{
    char name[257];
    uint8_t bytes[600];

    memset(name, 'n', sizeof name);
    name[256] = 0;
    ck_assert_uint_eq(sf_metadata_put(bytes, sizeof bytes, name, "v", 1), 0);
    name[255] = 0;
    ck_assert_uint_eq(sf_metadata_put(bytes, sizeof bytes, name, "v", 1), 1 + 255 + 4 + 1);
    ck_assert_uint_eq(sf_metadata_put(bytes, sizeof bytes, "", "v", 1), 0);
    ck_assert_uint_eq(sf_metadata_put(bytes, SIZE_MAX, "n", "v", (size_t)INT32_MAX + 1), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metadata");
    TCase *tcase = tcase_create("metadata");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tcase, properties_come_out_in_order);
    tcase_add_test(tcase, a_list_cut_inside_a_property_is_malformed);
    tcase_add_test(tcase, malformed_properties_are_refused);
    tcase_add_test(tcase, the_first_of_a_name_is_found_whatever_its_case);
    tcase_add_test(tcase, what_was_written_is_read_again);
    tcase_add_test(tcase, nothing_is_written_without_room);
    tcase_add_test(tcase, what_the_format_cannot_express_is_not_written);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
