/* Z85 as RFC 32 has it, and keys in that form. */
#include "support.h"

/* RFC 32, Test Case. */
static const uint8_t hello[] = {0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B};

/* RFC 26 has no vectors; these are Alice's keys of the NaCl library's documentation. */
static const uint8_t alice_secret[32] = {
    0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
    0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
static const uint8_t alice_public[32] = {
    0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7, 0x5a,
    0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a};

START_TEST(the_rfcs_example_goes_both_ways)
{
    char text[11];
    uint8_t bytes[8];

    ck_assert_ptr_eq(sifr_z85_encode(text, hello, sizeof hello), text);
    ck_assert_str_eq(text, "HelloWorld");
    ck_assert_ptr_eq(sifr_z85_decode(bytes, text), bytes);
    ck_assert_mem_eq(bytes, hello, sizeof hello);
}
END_TEST

START_TEST(whatever_is_encoded_comes_back)
{
    uint8_t bytes[256], back[256];
    char text[256 / 4 * 5 + 1];

    for (unsigned seed = 0; seed < 50; seed++)
        for (size_t n = 4; n <= sizeof bytes; n += 36) {
            fill_bytes(bytes, n, seed);
            ck_assert_ptr_nonnull(sifr_z85_encode(text, bytes, n));
            ck_assert_uint_eq(strlen(text), n / 4 * 5);
            ck_assert_ptr_nonnull(sifr_z85_decode(back, text));
            ck_assert_mem_eq(back, bytes, n);
        }
    memset(bytes, 0xff, 4);
    ck_assert_str_eq(sifr_z85_encode(text, bytes, 4), "%nSc0");
    ck_assert_ptr_nonnull(sifr_z85_decode(back, "%nSc0"));
    ck_assert_mem_eq(back, bytes, 4);
    ck_assert_str_eq(sifr_z85_encode(text, NULL, 0), "");
}
END_TEST

START_TEST(what_is_not_z85_is_refused)
{
    static const char *const bad[] = {"", "1", "1234", "123456", "HelloWorl", "12 45", "1234~",
                                      "\"2345", "%nSc1", "#####", "1234\x80"};
    uint8_t bytes[64];
    char text[64];

    for (int i = 0; i < COUNT(bad); i++)
        ck_fails_null(sifr_z85_decode(bytes, bad[i]), EINVAL);
    ck_fails_null(sifr_z85_decode(bytes, NULL), EINVAL);
    for (size_t n = 1; n < 8; n++)
        if (n % 4)
            ck_fails_null(sifr_z85_encode(text, hello, n), EINVAL);
    ck_fails_null(sifr_z85_encode(text, NULL, 4), EINVAL);
}
END_TEST

static bool has_keys(void)
{
    char keys[2][41];

    if (sifr_curve_keypair(keys[0], keys[1]) == 0)
        return true;
    ck_assert_int_eq(errno, ENOTSUP);
    ck_fails(sifr_curve_public(keys[0], "0000000000000000000000000000000000000000"), ENOTSUP);
    return false;
}

START_TEST(a_secret_key_has_one_public_key)
{
    char secret[41], public_key[41], expected[41];

    if (!has_keys())
        return;
    sifr_z85_encode(secret, alice_secret, 32);
    sifr_z85_encode(expected, alice_public, 32);
    ck_works(sifr_curve_public(public_key, secret));
    ck_assert_str_eq(public_key, expected);
}
END_TEST

START_TEST(new_pairs_belong_together_and_differ)
{
    char first[2][41], second[2][41], public_key[41];

    if (!has_keys())
        return;
    ck_works(sifr_curve_keypair(first[0], first[1]));
    ck_works(sifr_curve_keypair(second[0], second[1]));
    ck_assert_uint_eq(strlen(first[0]), 40);
    ck_assert_uint_eq(strlen(first[1]), 40);
    ck_assert_str_ne(first[1], second[1]);
    ck_works(sifr_curve_public(public_key, first[1]));
    ck_assert_str_eq(public_key, first[0]);
    ck_works(sifr_curve_public(public_key, second[1]));
    ck_assert_str_eq(public_key, second[0]);
}
END_TEST

START_TEST(what_is_no_key_is_refused)
{
    char key[41];

    if (!has_keys())
        return;
    ck_fails(sifr_curve_public(key, ""), EINVAL);
    ck_fails(sifr_curve_public(key, "00000"), EINVAL);
    ck_fails(sifr_curve_public(key, "000000000000000000000000000000000000000000000"), EINVAL);
    ck_fails(sifr_curve_public(key, "000000000000000000000000000000000000000 "), EINVAL);
    ck_fails(sifr_curve_public(key, NULL), EINVAL);
    ck_fails(sifr_curve_keypair(NULL, key), EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("z85");
    TCase *c = new_bare_case(suite, "z85");

    tcase_add_test(c, the_rfcs_example_goes_both_ways);
    tcase_add_test(c, whatever_is_encoded_comes_back);
    tcase_add_test(c, what_is_not_z85_is_refused);
    tcase_add_test(c, a_secret_key_has_one_public_key);
    tcase_add_test(c, new_pairs_belong_together_and_differ);
    tcase_add_test(c, what_is_no_key_is_refused);
    return run_suite(suite);
}
