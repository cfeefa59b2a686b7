#ifndef SF_BASE_RANDOM_H
#define SF_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* 32 random bits from the system; for ids and jitter. Never fails, never blocks. Any thread. */
uint32_t sf_random32(void);

/* n bytes that are fit for keys: 0, or -EIO when the system has none yet. Never blocks. Any thread. */
int sf_random_key(void *to, size_t n);

#endif
