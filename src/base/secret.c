/* Memory for keys, and what is done with them so that it does not tell of them. */
#include "base/secret.h"
#include "base/park.h"
#include "base/slab.h"

#include <pthread.h>
#include <stdint.h>

/* Guards the other two; nothing else is taken under it. Held around a fork. */
static struct sf_lock lock;
static struct sf_slabs pool;
static size_t used;

static void hold(void)
{
    sf_lock_take(&lock);
}

static void release(void)
{
    sf_lock_drop(&lock);
}

static void follow_forks(void)
{
    pthread_atfork(hold, release, release);
}

void *sf_secret_new(size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    void *p;

    if (size > SF_SECRET_MAX)
        return NULL;
    pthread_once(&once, follow_forks);
    sf_lock_take(&lock);
    pool.secret = true;
    p = sf_slab_new(&pool, SF_SECRET_MAX);
    used += p != NULL;
    sf_lock_drop(&lock);
    return p;
}

void sf_secret_free(void *p)
{
    if (!p)
        return;
    sf_wipe(p, SF_SECRET_MAX);
    sf_lock_take(&lock);
    sf_slab_free(&pool, p);
    if (--used == 0)
        sf_slabs_fini(&pool);
    sf_lock_drop(&lock);
}

void sf_wipe(void *p, size_t n)
{
    volatile uint8_t *at = p;

    while (n--)
        *at++ = 0;
}

bool sf_same(const void *a, const void *b, size_t n)
{
    const volatile uint8_t *x = a, *y = b;
    unsigned differ = 0;

    while (n--)
        differ |= (unsigned)(*x++ ^ *y++);
    return differ == 0;
}
