/*
 * Poly1305: libsodium's, or of many octets OpenSSL's, which is three times as fast.
 *
 * OpenSSL is there for this alone, and by itself: a library context of our own reads
 * no configuration, and outlives OPENSSL_cleanup, which the end of the program calls
 * while our threads still work. They use what is there by then; what must not meet the
 * cleanup, since it changes what all of OpenSSL shares, is done before. Whatever fails
 * there, libsodium does.
 */
#include "security/poly1305.h"
#include "base/park.h"

#include <sodium.h>
#include <stdbool.h>

#ifdef SF_HAVE_OPENSSL
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdalign.h>

enum {
    MANY = 512, /* octets from which on it pays */
    DESKS = 16  /* threads that may do so at a time */
};

/* Where a tag is worked out. They are borrowed, so that connections need none of their own. */
static struct desk {
    alignas(64) struct sf_lock lock; /* guards the other; only ever tried */
    EVP_MAC_CTX *mac;                /* owns, for good */
} desks[DESKS];

static _Atomic unsigned furnished; /* the desks from the first on that have a `mac`, for good */

static void furnish(void)
{
    OSSL_LIB_CTX *own;
    EVP_MAC *method;
    unsigned n = 0;

    ERR_set_mark(); /* the application may look for errors of its own */
    own = OSSL_LIB_CTX_new();
    method = own ? EVP_MAC_fetch(own, "POLY1305", NULL) : NULL;
    while (method && n < DESKS && (desks[n].mac = EVP_MAC_CTX_new(method)))
        n++;
    EVP_MAC_free(method); /* those that are there share it */
    if (n == 0)
        OSSL_LIB_CTX_free(own);
    ERR_pop_to_mark();
    atomic_store_explicit(&furnished, n, memory_order_release);
}

/* A desk, whose lock the caller drops, or NULL. */
static struct desk *sit_down(void)
{
    static _Thread_local unsigned mine; /* threads that have found one each do not meet again */
    unsigned n = atomic_load_explicit(&furnished, memory_order_acquire);

    for (unsigned i = 0; i < n; i++, mine++)
        if (sf_lock_try(&desks[mine % n].lock))
            return &desks[mine % n];
    return NULL;
}

static bool by_openssl(uint8_t *tag, const uint8_t *data, size_t n, const uint8_t *key)
{
    struct desk *d = sit_down();
    size_t size = 0;
    bool done;

    if (!d)
        return false;
    done = EVP_MAC_init(d->mac, key, SF_POLY1305_KEY, NULL) == 1 &&
           EVP_MAC_update(d->mac, data, n) == 1 &&
           EVP_MAC_final(d->mac, tag, &size, SF_POLY1305_TAG) == 1 && size == SF_POLY1305_TAG;
    sf_lock_drop(&d->lock);
    return done;
}
#endif

void sf_poly1305_prepare(void)
{
#ifdef SF_HAVE_OPENSSL
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, furnish);
#endif
}

void sf_poly1305_tag(uint8_t tag[SF_POLY1305_TAG], const uint8_t *data, size_t n,
                     const uint8_t key[SF_POLY1305_KEY])
{
#ifdef SF_HAVE_OPENSSL
    if (n >= MANY && by_openssl(tag, data, n, key))
        return;
#endif
    crypto_onetimeauth_poly1305(tag, data, n, key);
}
