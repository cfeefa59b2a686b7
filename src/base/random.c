/* Random numbers: for ids and jitter, and for keys. */
#include "base/random.h"
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/random.h>

uint32_t sf_random32(void)
{
    static _Atomic uint64_t state;
    uint32_t r;
    uint64_t z;

    if (getrandom(&r, sizeof r, GRND_NONBLOCK) == (ssize_t)sizeof r)
        return r;
    /* Early boot, or no such call: splitmix64 over the clock spreads well enough for jitter. */
    z = atomic_fetch_add(&state, 0x9e3779b97f4a7c15u) + sf_clock_ns();
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

int sf_random_key(void *to, size_t n)
{
    uint8_t *at = to;

    while (n) {
        ssize_t got = getrandom(at, n, GRND_NONBLOCK);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -EIO;
        at += got;
        n -= (size_t)got;
    }
    return 0;
}
