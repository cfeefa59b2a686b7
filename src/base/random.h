#ifndef SF_BASE_RANDOM_H
#define SF_BASE_RANDOM_H

#include <stdint.h>

/* 32 random bits from the system; for ids and jitter. Never fails, never blocks. Any thread. */
uint32_t sf_random32(void);

#endif
