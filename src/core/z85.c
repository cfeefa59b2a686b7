/* Z85, bytes as text (RFC 32), and keys for CURVE in that form (RFC 26). */
#include <sifr.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#ifdef SF_HAVE_SODIUM
#include <sodium.h>
#include <unistd.h>
#endif

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             ".-:+=^!/*?&<>()[]{}@%$#";

char *sifr_z85_encode(char *dest, const uint8_t *data, size_t size)
{
    char *to = dest;

    if (!dest || (!data && size) || size % 4) {
        errno = EINVAL;
        return NULL;
    }
    for (size_t i = 0; i < size; i += 4, to += 5) {
        uint32_t group = (uint32_t)data[i] << 24 | (uint32_t)data[i + 1] << 16 |
                         (uint32_t)data[i + 2] << 8 | data[i + 3];

        for (int k = 4; k >= 0; k--, group /= 85)
            to[k] = digits[group % 85];
    }
    *to = 0;
    return dest;
}

/* Five digits: 0, or -EINVAL. */
static int decode_group(uint8_t to[4], const char *from)
{
    uint64_t group = 0;

    for (int k = 0; k < 5; k++) {
        const char *digit = strchr(digits, from[k]);

        if (!digit)
            return -EINVAL;
        group = group * 85 + (uint64_t)(digit - digits);
    }
    if (group > UINT32_MAX)
        return -EINVAL;
    for (int k = 3; k >= 0; k--, group >>= 8)
        to[k] = (uint8_t)group;
    return 0;
}

uint8_t *sifr_z85_decode(uint8_t *dest, const char *string)
{
    size_t size = string ? strlen(string) : 0;

    if (!dest || size < 5 || size % 5) {
        errno = EINVAL;
        return NULL;
    }
    for (size_t i = 0; i < size; i += 5) {
        uint8_t group[4]; /* so that what fails leaves the rest of dest alone */

        if (decode_group(group, string + i) != 0) {
            errno = EINVAL;
            return NULL;
        }
        memcpy(dest + i / 5 * 4, group, 4);
    }
    return dest;
}

#ifdef SF_HAVE_SODIUM

/*
 * Of the sodium library only what needs no sodium_init is used, which changes the process: it opens
 * files and keeps them.
 */
int sifr_curve_keypair(char *z85_public_key, char *z85_secret_key)
{
    uint8_t public_key[crypto_box_PUBLICKEYBYTES], secret_key[crypto_box_SECRETKEYBYTES];

    if (!z85_public_key || !z85_secret_key) {
        errno = EINVAL;
        return -1;
    }
    if (getentropy(secret_key, sizeof secret_key) != 0 ||
        crypto_scalarmult_base(public_key, secret_key) != 0) {
        errno = ENOTSUP;
        return -1;
    }
    sifr_z85_encode(z85_public_key, public_key, sizeof public_key);
    sifr_z85_encode(z85_secret_key, secret_key, sizeof secret_key);
    sodium_memzero(secret_key, sizeof secret_key);
    return 0;
}

int sifr_curve_public(char *z85_public_key, const char *z85_secret_key)
{
    uint8_t public_key[crypto_box_PUBLICKEYBYTES], secret_key[crypto_box_SECRETKEYBYTES];
    int err = 0;

    if (!z85_public_key || !z85_secret_key || strlen(z85_secret_key) != 40 ||
        !sifr_z85_decode(secret_key, z85_secret_key)) {
        errno = EINVAL;
        return -1;
    }
    if (crypto_scalarmult_base(public_key, secret_key) != 0)
        err = ENOTSUP;
    else
        sifr_z85_encode(z85_public_key, public_key, sizeof public_key);
    sodium_memzero(secret_key, sizeof secret_key);
    errno = err;
    return err ? -1 : 0;
}

#else

int sifr_curve_keypair(char *z85_public_key, char *z85_secret_key)
{
    (void)z85_public_key, (void)z85_secret_key;
    errno = ENOTSUP;
    return -1;
}

int sifr_curve_public(char *z85_public_key, const char *z85_secret_key)
{
    (void)z85_public_key, (void)z85_secret_key;
    errno = ENOTSUP;
    return -1;
}

#endif
