/* Frame headers of every version, whole and in pieces. */
#include "wire/frame.h"
#include "quick_check.h"

#include <stdlib.h>

static const uint64_t sizes[] = {0,   1,     2,     252,   253,        254,           255,      256,
                                 257, 65535, 65536, 70000, 1ull << 32, INT64_MAX - 1, INT64_MAX};

enum { SIZES = sizeof sizes / sizeof *sizes };

static const unsigned flag_sets[] = {0, SF_FRAME_MORE, SF_FRAME_COMMAND};

START_TEST(header_survives_a_round_trip)
{
    for (size_t i = 0; i < sizeof flag_sets / sizeof *flag_sets; i++) {
        uint8_t bytes[SF_FRAME_HEADER_MAX];
        struct sf_frame f = {.size = 77};
        size_t n = sf_frame_put(bytes, flag_sets[i], sizes[_i]);

        ck_assert_uint_eq(n, sizes[_i] < 256 ? 2 : 9);
        for (size_t part = 0; part < n; part++)
            ck_assert_int_eq(sf_frame_get(&f, bytes, part), -EAGAIN);
        ck_assert_uint_eq(f.size, 77);
        ck_assert_int_eq(sf_frame_get(&f, bytes, n), (int)n);
        ck_assert_uint_eq(f.size, sizes[_i]);
        ck_assert_uint_eq(f.flags, flag_sets[i]);
    }
}
END_TEST

START_TEST(header_of_1_0_survives_a_round_trip)
{
    for (unsigned flags = 0; flags <= SF_FRAME_MORE; flags++) {
        uint8_t bytes[SF_FRAME1_HEADER_MAX];
        struct sf_frame f = {.size = 77};
        size_t n = sf_frame1_put(bytes, flags, sizes[_i]);

        ck_assert_uint_eq(n, sizes[_i] < 254 ? 2 : 10);
        for (size_t part = 0; part < n; part++)
            ck_assert_int_eq(sf_frame1_get(&f, bytes, part), -EAGAIN);
        ck_assert_uint_eq(f.size, 77);
        ck_assert_int_eq(sf_frame1_get(&f, bytes, n), (int)n);
        ck_assert_uint_eq(f.size, sizes[_i]);
        ck_assert_uint_eq(f.flags, flags);
    }
}
END_TEST

START_TEST(long_form_is_taken_for_any_size)
{
    const uint8_t bytes[] = {SF_FRAME_LONG | SF_FRAME_MORE, 0, 0, 0, 0, 0, 0, 0, 2};
    const uint8_t bytes1[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 3, 0x7f};
    struct sf_frame f;

    ck_assert_int_eq(sf_frame_get(&f, bytes, sizeof bytes), 9);
    ck_assert_uint_eq(f.size, 2);
    ck_assert_uint_eq(f.flags, SF_FRAME_MORE);
    ck_assert_int_eq(sf_frame1_get(&f, bytes1, sizeof bytes1), 10);
    ck_assert_uint_eq(f.size, 2);
    ck_assert_uint_eq(f.flags, SF_FRAME_MORE);
}
END_TEST

START_TEST(more_on_a_command_is_ignored)
{
    const uint8_t bytes[] = {SF_FRAME_COMMAND | SF_FRAME_MORE, 7};
    struct sf_frame f;

    ck_assert_int_eq(sf_frame_get(&f, bytes, sizeof bytes), 2);
    ck_assert_uint_eq(f.flags, SF_FRAME_COMMAND);
}
END_TEST

START_TEST(reserved_bits_are_refused_at_the_first_octet)
{
    struct sf_frame f;

    for (unsigned first = 0; first < 256; first++) {
        uint8_t bytes[SF_FRAME_HEADER_MAX] = {(uint8_t)first};
        int expected = first & 0xf8 ? -EPROTO : -EAGAIN;

        ck_assert_int_eq(sf_frame_get(&f, bytes, 1), expected);
        if (expected == -EPROTO)
            ck_assert_int_eq(sf_frame_get(&f, bytes, sizeof bytes), -EPROTO);
        else
            ck_assert_int_eq(sf_frame_get(&f, bytes, sizeof bytes), first & SF_FRAME_LONG ? 9 : 2);
    }
}
END_TEST

START_TEST(sizes_from_2_to_the_63_are_refused)
{
    const uint8_t bytes[] = {SF_FRAME_LONG, 0x80, 0, 0, 0, 0, 0, 0, 0};
    const uint8_t ones[] = {SF_FRAME_LONG, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const uint8_t bytes1[] = {0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0};
    const uint8_t ones1[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    struct sf_frame f;

    ck_assert_int_eq(sf_frame_get(&f, bytes, sizeof bytes), -EPROTO);
    ck_assert_int_eq(sf_frame_get(&f, ones, sizeof ones), -EPROTO);
    ck_assert_int_eq(sf_frame1_get(&f, bytes1, sizeof bytes1), -EPROTO);
    ck_assert_int_eq(sf_frame1_get(&f, ones1, sizeof ones1), -EPROTO);
}
END_TEST

START_TEST(length_0_of_1_0_is_refused)
{
    const uint8_t shorter[] = {0, 0};
    const uint8_t longer[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct sf_frame f;

    ck_assert_int_eq(sf_frame1_get(&f, shorter, 1), -EPROTO);
    ck_assert_int_eq(sf_frame1_get(&f, shorter, 2), -EPROTO);
    ck_assert_int_eq(sf_frame1_get(&f, longer, sizeof longer), -EPROTO);
}
END_TEST

START_TEST(flags_of_1_0_but_more_are_ignored)
{
    struct sf_frame f;

    for (unsigned flags = 0; flags < 256; flags++) {
        const uint8_t bytes[] = {1, (uint8_t)flags};

        ck_assert_int_eq(sf_frame1_get(&f, bytes, sizeof bytes), 2);
        ck_assert_uint_eq(f.size, 0);
        ck_assert_uint_eq(f.flags, flags & SF_FRAME_MORE);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frame");
    TCase *tcase = tcase_create("frame");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tcase, header_survives_a_round_trip, 0, SIZES);
    tcase_add_loop_test(tcase, header_of_1_0_survives_a_round_trip, 0, SIZES);
    tcase_add_test(tcase, long_form_is_taken_for_any_size);
    tcase_add_test(tcase, more_on_a_command_is_ignored);
    tcase_add_test(tcase, reserved_bits_are_refused_at_the_first_octet);
    tcase_add_test(tcase, sizes_from_2_to_the_63_are_refused);
    tcase_add_test(tcase, length_0_of_1_0_is_refused);
    tcase_add_test(tcase, flags_of_1_0_but_more_are_ignored);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
