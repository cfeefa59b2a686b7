#ifndef SF_PATTERNS_OPTION_H
#define SF_PATTERNS_OPTION_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Values of options as the application gives them: of any length, at any alignment. */

/* An int: 0 or -EINVAL, `out` is then untouched. */
static inline int sf_option_int(int *out, const void *value, size_t size)
{
    if (!value || size != sizeof *out)
        return -EINVAL;
    memcpy(out, value, sizeof *out);
    return 0;
}

/* A flag, an int that is not negative: 0 or -EINVAL, `out` is then untouched. */
static inline int sf_option_flag(bool *out, const void *value, size_t size)
{
    int n;

    if (sf_option_int(&n, value, size) != 0 || n < 0)
        return -EINVAL;
    *out = n != 0;
    return 0;
}

/* Hands out an int into a buffer of exactly its size: 0 or -EINVAL. */
static inline int sf_option_give(int n, void *value, const size_t *size)
{
    if (!value || *size != sizeof n)
        return -EINVAL;
    memcpy(value, &n, sizeof n);
    return 0;
}

/* The same for a count, whose buffer may be larger; the rest is cleared. */
static inline int sf_option_give_count(size_t count, void *value, size_t *size)
{
    int n = count > 0x7fffffff ? 0x7fffffff : (int)count;

    if (!value || *size < sizeof n)
        return -EINVAL;
    memset(value, 0, *size);
    memcpy(value, &n, sizeof n);
    *size = sizeof n;
    return 0;
}

#endif
