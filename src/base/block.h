#ifndef SF_BASE_BLOCK_H
#define SF_BASE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Blocks that one thread fills and another frees, again and again. The C
 * library would give such memory back to the system and fetch it anew each
 * time; so up to SF_BLOCK_KEPT bytes of it are kept for the next who asks for
 * about that size. All functions: any thread.
 */
enum { SF_BLOCK_MIN = 8192, SF_BLOCK_MAX = 1 << 20, SF_BLOCK_KEPT = 4 << 20 };

/*
 * The same as sf_alloc_raw; `*kind` becomes what sf_block_free is to be told,
 * 0 if the block is never kept. Such a one may be freed with sf_free as well.
 */
void *sf_block_new(size_t size, uint16_t *kind);

/* Keeps or frees the block. It may be larger than it was made, never smaller. */
void sf_block_free(void *p, uint16_t kind);

/* Bytes that are kept now; of no use but to tell. */
size_t sf_block_kept(void);

/* Frees what nobody has asked for since the last time; to be called now and then. */
void sf_block_age(void);

/* Frees what is kept. */
void sf_block_forget(void);

#endif
