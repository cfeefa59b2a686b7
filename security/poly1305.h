#ifndef SF_SECURITY_POLY1305_H
#define SF_SECURITY_POLY1305_H

#include <stddef.h>
#include <stdint.h>

enum { SF_POLY1305_TAG = 16, SF_POLY1305_KEY = 32 };

/*
 * Writes the tag of n octets, made with a key that is for them alone, by whatever is
 * fastest here; what that needs is set up by the first who asks for the tag of many.
 * It cannot fail. Any thread.
 */
void sf_poly1305_tag(uint8_t tag[SF_POLY1305_TAG], const uint8_t *data, size_t n,
                     const uint8_t key[SF_POLY1305_KEY]);

#endif
