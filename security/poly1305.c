/*
 * Poly1305: libsodium's, or of many octets OpenSSL's, which is three times as fast.
 *
 * OpenSSL is there for this alone, and by itself: a library context of our own reads
 * no configuration, and outlives OPENSSL_cleanup, which the end of the program calls
 * while our threads still work. Whatever fails there, libsodium does.
 */
#include "security/poly1305.h"
#include "base/park.h"

#include <sodium.h>
#include <stdbool.h>

#ifdef SF_HAVE_OPENSSL
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdalign.h>

enum {
    MANY = 512, /* octets from which on it pays */
    DESKS = 16  /* threads that may do so at a time */
};

/* Where a tag is worked out. They are borrowed, so that connections need none of their own. */
static struct desk {
    alignas(64) struct sf_lock lock; /* guards the other; only ever tried */
    EVP_MAC_CTX *mac;                /* owns, for good; NULL: not yet there */
} desks[DESKS];

static struct sf_lock looking; /* guards `looked`; only ever tried */
static bool looked;
static _Atomic(EVP_MAC *) method; /* owns, for good; NULL: not found */

/* OpenSSL's Poly1305, or NULL. */
static EVP_MAC *find(void)
{
    EVP_MAC *m = atomic_load_explicit(&method, memory_order_acquire);

    if (m || !sf_lock_try(&looking))
        return m;
    if (!looked) {
        OSSL_LIB_CTX *own = OSSL_LIB_CTX_new();

        looked = true;
        m = own ? EVP_MAC_fetch(own, "POLY1305", NULL) : NULL;
        if (!m)
            OSSL_LIB_CTX_free(own);
        atomic_store_explicit(&method, m, memory_order_release);
    }
    sf_lock_drop(&looking);
    return m;
}

/* Sets up a desk that nobody has sat at. */
static void furnish(struct desk *d)
{
    EVP_MAC *m;

    ERR_set_mark(); /* the application may look for errors of its own */
    m = find();
    d->mac = m ? EVP_MAC_CTX_new(m) : NULL;
    ERR_pop_to_mark();
}

/* A desk, whose lock the caller drops, or NULL. */
static struct desk *sit_down(void)
{
    static _Thread_local unsigned mine; /* threads that have found one each do not meet again */

    for (unsigned i = 0; i < DESKS; i++, mine = (mine + 1) % DESKS) {
        struct desk *d = &desks[mine];

        if (!sf_lock_try(&d->lock))
            continue;
        if (!d->mac)
            furnish(d);
        if (d->mac)
            return d;
        sf_lock_drop(&d->lock);
        break;
    }
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

void sf_poly1305_tag(uint8_t tag[SF_POLY1305_TAG], const uint8_t *data, size_t n,
                     const uint8_t key[SF_POLY1305_KEY])
{
#ifdef SF_HAVE_OPENSSL
    if (n >= MANY && by_openssl(tag, data, n, key))
        return;
#endif
    crypto_onetimeauth_poly1305(tag, data, n, key);
}
