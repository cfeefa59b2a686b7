/* What is done for many blocks at once is what libsodium does one by one. */
#include "security/wide.h"
#include "quick_check.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 70000, STEPS = 700 };

static uint8_t from[MOST], ours[MOST + 1], theirs[MOST];

/* All sizes up to some, then steps that fit nothing. */
static size_t size_of(int step)
{
    return step < 400 ? (size_t)step * 3 : (size_t)(step - 400) * 229 + 1200;
}

static void fill(int kind, uint8_t *bytes, size_t n)
{
    if (kind == 0)
        memset(bytes, 0, n);
    else if (kind == 1)
        memset(bytes, 0xff, n); /* as large as numbers get */
    else
        randombytes_buf_deterministic(bytes, n, (const unsigned char *)"the same in each run of the test");
}

START_TEST(keystreams_are_the_same)
{
    static const uint64_t blocks[] = {0, 1, 7, 0xfffffff5, 0xffffffff, 0x1000000000};
    uint8_t key[32], nonce[8];

    ck_assert_int_ge(sodium_init(), 0);
    fill(_i, from, sizeof from);
    fill(_i, key, sizeof key);
    fill(2, nonce, sizeof nonce);
    for (int step = 0; step < STEPS; step++) {
        size_t n = size_of(step);
        uint64_t block = blocks[step % 6];

        if (n > MOST)
            break;
        ours[n] = 0xee;
        sf_wide_salsa20(ours, from, n, nonce, block, key);
        crypto_stream_salsa20_xor_ic(theirs, from, n, nonce, block, key);
        ck_assert_msg(memcmp(ours, theirs, n) == 0, "%zu octets from block %llx", n, (unsigned long long)block);
        ck_assert_uint_eq(ours[n], 0xee);
        sf_wide_salsa20(ours, ours, n, nonce, block, key); /* in place, and back */
        ck_assert_msg(memcmp(ours, from, n) == 0, "%zu octets in place", n);
    }
}
END_TEST

/* Octets of a kind under a key of a kind. */
START_TEST(tags_are_the_same)
{
    uint8_t key[32], our_tag[16], their_tag[16];

    ck_assert_int_ge(sodium_init(), 0);
    fill(_i / 3, from, sizeof from);
    fill(_i % 3, key, sizeof key);
    for (int step = 0; step < STEPS; step++) {
        size_t n = size_of(step);

        if (n > MOST)
            break;
        from[n / 2] ^= (uint8_t)step;
        key[step % 32] ^= (uint8_t)step;
        sf_wide_poly1305(our_tag, from, n, key);
        crypto_onetimeauth_poly1305(their_tag, from, n, key);
        ck_assert_msg(memcmp(our_tag, their_tag, 16) == 0, "%zu octets", n);
    }
}
END_TEST

/* Sums that come just below, at and above 2^130 - 5: r is 1, so that the octets alone make them. */
START_TEST(tags_of_sums_about_the_prime_are_the_same)
{
    uint8_t key[32] = {1}, our_tag[16], their_tag[16];

    ck_assert_int_ge(sodium_init(), 0);
    memset(from, 0xff, sizeof from);
    for (size_t n = 2048; n < 2048 + 64; n++)
        for (int last = 0; last < 256; last++) {
            from[0] = (uint8_t)last;
            from[n - 1] = (uint8_t)(last * 7);
            sf_wide_poly1305(our_tag, from, n, key);
            crypto_onetimeauth_poly1305(their_tag, from, n, key);
            ck_assert_msg(memcmp(our_tag, their_tag, 16) == 0, "%zu octets, %d", n, last);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wide");
    TCase *c = tcase_create("wide");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, keystreams_are_the_same, 0, 3);
    tcase_add_loop_test(c, tags_are_the_same, 0, 9);
    tcase_add_test(c, tags_of_sums_about_the_prime_are_the_same);
    suite_add_tcase(suite, c);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
