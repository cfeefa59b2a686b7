#ifndef SF_SECURITY_POLY1305_H
#define SF_SECURITY_POLY1305_H

#include <stddef.h>
#include <stdint.h>

enum { SF_POLY1305_TAG = 16, SF_POLY1305_KEY = 32 };

/*
 * Sets up what is fastest here; else tags are libsodium's. For threads of the
 * application alone: ours may still run when the end of the program takes OpenSSL down.
 */
void sf_poly1305_prepare(void);

/* Writes the tag of n octets, made with a key that is for them alone. It cannot fail. Any thread. */
void sf_poly1305_tag(uint8_t tag[SF_POLY1305_TAG], const uint8_t *data, size_t n,
                     const uint8_t key[SF_POLY1305_KEY]);

#endif
