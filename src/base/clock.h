#ifndef SF_BASE_CLOCK_H
#define SF_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic time since some start, in nano-, micro- and milliseconds. Any thread. */
uint64_t sf_clock_ns(void);
uint64_t sf_clock_us(void);
uint64_t sf_clock_ms(void);

#endif
