/*
 * Metadata: the list of properties that ends a handshake command.
 *
 *     NN name VVVVVVVV value       NN 1..255, VVVVVVVV below 2^31
 *
 * Names compare without regard to case. Source: RFC 37, Metadata.
 */
#ifndef SF_WIRE_METADATA_H
#define SF_WIRE_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One property; both pointers borrow from the list and end in no terminator. */
struct sf_property {
    const char *name;
    size_t name_size; /* 1..255 */
    const uint8_t *value;
    size_t size; /* 0..2^31-1 */
};

/*
 * Takes the next property off a list.
 *
 *   at, left  the rest of the list, moved on by success
 *   out       the property, set if there was one
 *
 * Returns 1, 0 at the end of the list, or -EPROTO if what follows is malformed.
 */
int sf_metadata_next(const uint8_t **at, size_t *left, struct sf_property *out);

/* Finds the first property of a name: 1, 0 if there is none, or -EPROTO. */
int sf_metadata_find(const uint8_t *list, size_t n, const char *name, struct sf_property *out);

/* Whether a property has this name, whatever the case. */
bool sf_metadata_is(const struct sf_property *p, const char *name);

/* Octets that sf_metadata_put() writes. */
size_t sf_metadata_size(const char *name, size_t size);

/*
 * Writes one property; value may be NULL if size is 0.
 * Returns its size, or 0 if it does not fit into `room` octets or if its name
 * or value has a size that the format cannot express.
 */
size_t sf_metadata_put(uint8_t *to, size_t room, const char *name, const void *value, size_t size);

#endif
