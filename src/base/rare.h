#ifndef SF_BASE_RARE_H
#define SF_BASE_RARE_H

/* For the compiler, on the path of every message: this is hardly ever so, and goes elsewhere. */
#define SF_RARE(condition) __builtin_expect(!!(condition), 0)

/* Such a path's function, which stands where it is called, whatever its size. */
#define SF_OFTEN static inline __attribute__((always_inline))

#endif
