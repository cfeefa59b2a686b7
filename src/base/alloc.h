#ifndef SF_BASE_ALLOC_H
#define SF_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The one gate through which the library takes memory, so that a test can
 * make the n-th request fail. All functions: any thread.
 */

/* `size` zeroed bytes, or NULL when there is no memory. Free with sf_free. */
void *sf_alloc(size_t size);

/* The same, but the bytes are not cleared: for buffers that are filled anyway. */
void *sf_alloc_raw(size_t size);

/* Changes the size of `p` (NULL: a new block); NULL on failure, `p` then still stands. */
void *sf_realloc(void *p, size_t size);

/* A copy of the `n` bytes at `from` with a 0 behind them, or NULL. */
char *sf_alloc_text(const void *from, size_t n);

/* NULL is allowed. */
void sf_free(void *p);

/*
 * `size` zeroed bytes, some pages, straight from the system, or NULL; they go back there at once
 * with sf_free_pages, which is told the same size.
 */
void *sf_alloc_pages(size_t size);
void sf_free_pages(void *p, size_t size);

/*
 * For tests: the n-th request from now on fails (1: the next), and with
 * `sticky` every one after it too. 0 lets all pass again. Returns the number
 * of requests seen since the last call.
 */
long sf_alloc_fail(long n, int sticky);

/* Whether requests are being counted so: then nothing kept may stand in for one. */
bool sf_alloc_counts(void);

#endif
