#ifndef SF_BASE_FORK_H
#define SF_BASE_FORK_H

#include <stdint.h>

/*
 * A number that is another one in a forked child: what was made under one
 * number belongs to the process that had it. Costs one load. Any thread.
 */
uint32_t sf_fork_generation(void);

#endif
