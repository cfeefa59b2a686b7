/*
 * What long frames cost in Salsa20 and Poly1305, done for many blocks at once
 * where the processor can: AVX-512 with IFMA. Elsewhere, and for short ones,
 * libsodium does it. Same results; no time depends on a secret.
 */
#ifndef SF_SECURITY_WIDE_H
#define SF_SECURITY_WIDE_H

#include <stddef.h>
#include <stdint.h>

/* n octets at `from` xored with the keystream from its `block` on, to `to`, which may be `from`. */
void sf_wide_salsa20(uint8_t *to, const uint8_t *from, size_t n, const uint8_t nonce[8],
                     uint64_t block, const uint8_t key[32]);

/* The tag of n octets under a key that is used once. */
void sf_wide_poly1305(uint8_t tag[16], const uint8_t *from, size_t n, const uint8_t key[32]);

#endif
