/*
 * Tags are libsodium's whoever makes them: OpenSSL where it pays, and libsodium again where OpenSSL fails, has been taken
 * down, or has too many callers. What fails is what the test says (the linker has brought OpenSSL's functions here).
 */
#include "support.h"

#include <sodium.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "security/poly1305.h"

enum { TAG = SF_POLY1305_TAG, KEY = SF_POLY1305_KEY, LARGE = 1 << 20, FAR = 65536 };

static uint8_t *data; /* LARGE and a little more */

static void fill(void)
{
    data = malloc(LARGE + 64);
    ck_assert_ptr_nonnull(data);
    randombytes_buf_deterministic(data, LARGE + 64, (const uint8_t[32]){7});
}

static void fill_and_prepare(void)
{
    fill();
    sf_poly1305_prepare();
}

static void empty(void)
{
    free(data);
}

static bool same_as_sodium(const uint8_t *at, size_t n, uint8_t seed)
{
    uint8_t key[KEY], ours[TAG + 1], theirs[TAG];

    memset(key, seed, KEY);
    key[3] ^= (uint8_t)n;
    ours[TAG] = 0xee;
    sf_poly1305_tag(ours, at, n, key);
    crypto_onetimeauth_poly1305(theirs, at, n, key);
    return memcmp(ours, theirs, TAG) == 0 && ours[TAG] == 0xee;
}

static void *tag_many(void *arg)
{
    uint8_t seed = (uint8_t)(uintptr_t)arg;

    for (size_t i = 0; i < 200; i++)
        if (!same_as_sodium(data + i % 64, 512 + i * 97, seed))
            return "differs";
    return NULL;
}

START_TEST(a_tag_is_the_same_for_every_size)
{
    for (size_t n = 0; n <= 1400; n++)
        ck_assert_msg(same_as_sodium(data + n % 17, n, (uint8_t)(n * 3)), "%zu octets", n);
    for (size_t block = 2048; block <= LARGE; block *= 2)
        for (size_t n = block - 33; n <= block + 33; n += 1 + (block > FAR) * 10)
            ck_assert_msg(same_as_sodium(data, n, 0xff), "%zu octets", n);
}
END_TEST

/* Sums that carry through all limbs, as chance does not have them. */
START_TEST(a_tag_is_the_same_where_sums_carry)
{
    for (int octet = 0; octet < 256; octet += 51) {
        memset(data, octet, FAR);
        for (size_t n = 500; n < FAR; n += n / 7)
            ck_assert_msg(same_as_sodium(data, n, 0xff) && same_as_sodium(data, n, 0xfb), "%zu octets of %d", n, octet);
    }
}
END_TEST

static void tag_by_threads(void)
{
    pthread_t threads[24];

    for (int i = 0; i < COUNT(threads); i++)
        threads[i] = start_thread(tag_many, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < COUNT(threads); i++) {
        void *wrong;

        pthread_join(threads[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
}

START_TEST(many_threads_make_tags_at_a_time)
{
    tag_by_threads();
}
END_TEST

/* ---- OpenSSL ---------------------------------------------------------------------------------------------------- */

#ifdef SF_HAVE_OPENSSL
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

static _Atomic int finals;
static bool no_method, no_context, no_final;

EVP_MAC *__real_EVP_MAC_fetch(OSSL_LIB_CTX *ctx, const char *name, const char *properties);
EVP_MAC *__wrap_EVP_MAC_fetch(OSSL_LIB_CTX *ctx, const char *name, const char *properties);
EVP_MAC_CTX *__real_EVP_MAC_CTX_new(EVP_MAC *mac);
EVP_MAC_CTX *__wrap_EVP_MAC_CTX_new(EVP_MAC *mac);
int __real_EVP_MAC_final(EVP_MAC_CTX *ctx, unsigned char *out, size_t *n, size_t room);
int __wrap_EVP_MAC_final(EVP_MAC_CTX *ctx, unsigned char *out, size_t *n, size_t room);

EVP_MAC *__wrap_EVP_MAC_fetch(OSSL_LIB_CTX *ctx, const char *name, const char *properties)
{
    ck_assert_ptr_nonnull(ctx); /* what the application does with OpenSSL is its own */
    return __real_EVP_MAC_fetch(ctx, no_method ? "POLY1304" : name, properties);
}

EVP_MAC_CTX *__wrap_EVP_MAC_CTX_new(EVP_MAC *mac)
{
    return no_context ? NULL : __real_EVP_MAC_CTX_new(mac);
}

int __wrap_EVP_MAC_final(EVP_MAC_CTX *ctx, unsigned char *out, size_t *n, size_t room)
{
    int done = __real_EVP_MAC_final(ctx, out, n, room);

    atomic_fetch_add(&finals, done == 1);
    if (no_final)
        memset(out, 0x55, TAG);
    return no_final ? 0 : done;
}

START_TEST(many_octets_are_openssls_and_few_are_not)
{
    ck_assert(same_as_sodium(data, 64, 1));
    ck_assert(same_as_sodium(data, 256, 1));
    ck_assert_int_eq(finals, 0);
    ck_assert(same_as_sodium(data, 1024, 1));
    ck_assert(same_as_sodium(data, 65536, 1));
    ck_assert_int_eq(finals, 2);
}
END_TEST

START_TEST(what_openssl_cannot_do_libsodium_does)
{
    ERR_clear_error();
    no_method = _i == 0;
    no_context = _i == 1;
    no_final = _i == 2;
    sf_poly1305_prepare();
    for (int i = 0; i < 3; i++)
        ck_assert(same_as_sodium(data, 65536, 1));
    ck_assert_int_eq(finals, _i == 2 ? 3 : 0);
    ck_assert_uint_eq(ERR_peek_error(), 0); /* the application's calls look there */
    no_method = no_context = no_final = false;
    sf_poly1305_prepare();
    ck_assert(same_as_sodium(data, 65536, 1));
    ck_assert_int_eq(finals, _i == 2 ? 4 : 0); /* what is not there is not looked for again */
}
END_TEST

/* As the end of a program does, when our threads may still work. */
START_TEST(tags_are_made_after_openssl_was_taken_down)
{
    OPENSSL_init_crypto(0, NULL);
    if (_i) /* or afterwards */
        sf_poly1305_prepare();
    OPENSSL_cleanup();
    sf_poly1305_prepare();
    for (int i = 0; i < 3; i++)
        ck_assert(same_as_sodium(data, 65536 + (size_t)i, 1));
    tag_by_threads();
}
END_TEST

/* Threads of ours ask for tags alone, and may do so while OpenSSL is taken down. */
START_TEST(asking_for_a_tag_sets_up_nothing)
{
    tag_by_threads();
    ck_assert_int_eq(finals, 0);
    sf_poly1305_prepare();
    ck_assert(same_as_sodium(data, 65536, 1));
    ck_assert_int_eq(finals, 1);
}
END_TEST

START_TEST(a_child_of_a_fork_makes_tags)
{
    int status;
    pid_t child;

    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(same_as_sodium(data, 65536, 2) && same_as_sodium(data, 1024, 3) ? 0 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

static struct {
    uint8_t *at;
    size_t size;
} taken[4096]; /* by OpenSSL, and not given back */
static int n_taken;

static void *take(size_t n, const char *file, int line)
{
    void *p = malloc(n);

    (void)file, (void)line;
    if (n_taken < COUNT(taken)) {
        taken[n_taken].at = p;
        taken[n_taken++].size = n;
    }
    return p;
}

static void give_back(void *p, const char *file, int line)
{
    (void)file, (void)line;
    for (int i = 0; p && i < n_taken; i++)
        if (taken[i].at == p)
            taken[i--] = taken[--n_taken];
    free(p);
}

static void *take_more(void *p, size_t n, const char *file, int line)
{
    void *q = take(n, file, line);

    if (p && q) {
        for (int i = 0; i < n_taken; i++)
            if (taken[i].at == p)
                memcpy(q, p, taken[i].size < n ? taken[i].size : n);
        give_back(p, file, line);
    }
    return q;
}

/* Whether OpenSSL's memory has these 16 octets. */
static bool remembered(const uint8_t *key)
{
    for (int i = 0; i < n_taken; i++)
        if (memmem(taken[i].at, taken[i].size, key, 16))
            return true;
    return false;
}

START_TEST(a_key_is_wiped_when_its_tag_is_made)
{
    uint8_t key[KEY], tag[TAG];
    EVP_MAC_CTX *kept;
    EVP_MAC *mac;

    ck_assert_int_eq(CRYPTO_set_mem_functions(take, take_more, give_back), 1);
    sf_poly1305_prepare();
    randombytes_buf(key, KEY);
    sf_poly1305_tag(tag, data, 65536, key);
    ck_assert_int_eq(finals, 1);
    ck_assert_int_lt(n_taken, COUNT(taken)); /* they are all there, */
    ck_assert(!remembered(key) && !remembered(key + 16));
    mac = EVP_MAC_fetch(OSSL_LIB_CTX_new(), "POLY1305", NULL);
    kept = EVP_MAC_CTX_new(mac); /* and would tell */
    ck_assert_int_eq(EVP_MAC_init(kept, key, KEY, NULL), 1);
    ck_assert(remembered(key + 16));
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("poly1305");
    TCase *c = new_bare_case(suite, "tags");

    if (sodium_init() < 0)
        return 1;
    tcase_add_checked_fixture(c, fill_and_prepare, empty);
    tcase_add_test(c, a_tag_is_the_same_for_every_size);
    tcase_add_test(c, a_tag_is_the_same_where_sums_carry);
    tcase_add_test(c, many_threads_make_tags_at_a_time);
#ifdef SF_HAVE_OPENSSL
    tcase_add_test(c, many_octets_are_openssls_and_few_are_not);
    tcase_add_test(c, a_child_of_a_fork_makes_tags);
    c = new_bare_case(suite, "openssl");
    tcase_add_checked_fixture(c, fill, empty);
    tcase_add_test(c, asking_for_a_tag_sets_up_nothing);
    tcase_add_loop_test(c, what_openssl_cannot_do_libsodium_does, 0, 3);
    tcase_add_loop_test(c, tags_are_made_after_openssl_was_taken_down, 0, 2);
    tcase_add_test(c, a_key_is_wiped_when_its_tag_is_made);
#endif
    return run_suite(suite);
}
