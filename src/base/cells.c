/* Memory that outlives what stood in it. */
#include "base/cells.h"
#include "base/alloc.h"
#include "base/park.h"

#include <pthread.h>
#include <string.h>

enum { REST_MIN = 16 }; /* so many rest before one is used again */

/* Guards the queues of all kinds: handles come and go rarely. Held around a fork. */
static struct sf_lock lock;

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

void *sf_cells_take(struct sf_cells *kind)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sf_cell *c = NULL;

    pthread_once(&once, follow_forks);
    sf_lock_take(&lock);
    if (kind->n > REST_MIN) {
        c = kind->first;
        kind->first = c->next;
        kind->n--;
    }
    sf_lock_drop(&lock);
    if (c)
        memset((char *)c + sizeof *c, 0, kind->size - sizeof *c);
    else
        c = sf_alloc(kind->size);
    if (c)
        atomic_store_explicit(&c->tag, kind->tag ^ (uintptr_t)c, memory_order_release);
    return c;
}

bool sf_cells_retire(struct sf_cells *kind, void *object)
{
    struct sf_cell *c = object;
    uint64_t tag = kind->tag ^ (uintptr_t)c;

    return sf_cells_check(kind, object) && atomic_compare_exchange_strong(&c->tag, &tag, 0);
}

void sf_cells_give(struct sf_cells *kind, void *object)
{
    struct sf_cell *c = object;

    c->next = NULL;
    sf_lock_take(&lock);
    if (kind->n)
        kind->last->next = c;
    else
        kind->first = c;
    kind->last = c;
    kind->n++;
    sf_lock_drop(&lock);
}
