#ifndef SF_BASE_SECRET_H
#define SF_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Memory for keys: it stands apart from all else, is kept out of core dumps
 * where the system allows, and is wiped when freed. All functions: any thread.
 */
enum { SF_SECRET_MAX = 512 };

/* `size` zeroed bytes, at most SF_SECRET_MAX, or NULL when there is no memory. */
void *sf_secret_new(size_t size);
void sf_secret_free(void *p); /* NULL is allowed */

/* Overwrites bytes, which the compiler may not leave out. */
void sf_wipe(void *p, size_t n);

/* Whether n bytes are the same, in a time that does not tell where they differ. */
bool sf_same(const void *a, const void *b, size_t n);

#endif
