/* Timers that the program runs itself: a heap of them, the next to expire at its top. */
#include <sifr.h>

#include "base/alloc.h"
#include "base/cells.h"
#include "base/clock.h"

#include <errno.h>
#include <limits.h>

struct timer {
    uint64_t expires;  /* ms of sf_clock_ms */
    uint64_t order;    /* of those that expire together the one set first is first */
    uint64_t executed; /* the execution in which it last ran, or was made: not again in that */
    uint64_t interval; /* ms */
    sifr_timer_fn *fn;
    void *arg;
    int id;
};

struct sifr_timers {
    struct sf_cell cell;
    struct timer *heap; /* owns */
    size_t n, room;
    uint64_t orders;     /* given, ever */
    uint64_t executions; /* begun, ever */
    bool executing;
    int last_id;
};

static struct sf_cells cells = {.tag = 0x51f47173e55a11ed, .size = sizeof(struct sifr_timers)};

/* 0, or -1 with errno. */
static int answer(int err)
{
    if (err == 0)
        return 0;
    errno = -err;
    return -1;
}

/* --- The heap ----------------------------------------------------------- */

static bool sooner(const struct timer *a, const struct timer *b)
{
    return a->expires < b->expires || (a->expires == b->expires && a->order < b->order);
}

/* Puts `it` where the entry at `at` was, which is no more. */
static void settle(struct sifr_timers *t, size_t at, struct timer it)
{
    while (at > 0 && sooner(&it, &t->heap[(at - 1) / 2])) {
        t->heap[at] = t->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t down = 2 * at + 1;

        if (down + 1 < t->n && sooner(&t->heap[down + 1], &t->heap[down]))
            down++;
        if (down >= t->n || !sooner(&t->heap[down], &it))
            break;
        t->heap[at] = t->heap[down];
        at = down;
    }
    t->heap[at] = it;
}

static void take_out(struct sifr_timers *t, size_t at)
{
    struct timer last = t->heap[--t->n];

    if (at < t->n)
        settle(t, at, last);
}

/* The place of a timer, or SIZE_MAX. */
static size_t find(const struct sifr_timers *t, int id)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->heap[i].id == id)
            return i;
    return SIZE_MAX;
}

static uint64_t after(uint64_t now, uint64_t interval)
{
    return interval > UINT64_MAX - now ? UINT64_MAX : now + interval;
}

static int reserve(struct sifr_timers *t)
{
    size_t room = t->room ? 2 * t->room : 8;
    struct timer *grown;

    if (t->n < t->room)
        return 0;
    grown = sf_realloc(t->heap, room * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    t->heap = grown;
    t->room = room;
    return 0;
}

/* --- The API ------------------------------------------------------------ */

sifr_timers_t *sifr_timers_new(void)
{
    struct sifr_timers *t = sf_cells_take(&cells);

    if (!t)
        errno = ENOMEM;
    return t;
}

int sifr_timers_destroy(sifr_timers_t **timers)
{
    struct sifr_timers *t = timers ? *timers : NULL;

    if (!sf_cells_retire(&cells, t))
        return answer(-EFAULT);
    *timers = NULL;
    sf_free(t->heap);
    t->heap = NULL;
    t->n = t->room = 0;
    sf_cells_give(&cells, t);
    return 0;
}

int sifr_timers_add(sifr_timers_t *timers, size_t interval, sifr_timer_fn *fn, void *arg)
{
    struct timer it = {.interval = interval, .fn = fn, .arg = arg};

    if (!sf_cells_check(&cells, timers) || !fn)
        return answer(-EFAULT);
    if (timers->last_id == INT_MAX || reserve(timers) != 0)
        return answer(-ENOMEM);
    it.id = ++timers->last_id;
    it.expires = after(sf_clock_ms(), interval);
    it.order = timers->orders++;
    it.executed = timers->executing ? timers->executions : 0;
    timers->n++;
    settle(timers, timers->n - 1, it);
    return it.id;
}

int sifr_timers_cancel(sifr_timers_t *timers, int id)
{
    size_t at;

    if (!sf_cells_check(&cells, timers))
        return answer(-EFAULT);
    at = find(timers, id);
    if (at == SIZE_MAX)
        return answer(-EINVAL);
    take_out(timers, at);
    return 0;
}

/* Starts the timer at `at` anew. */
static void restart(struct sifr_timers *t, size_t at)
{
    struct timer it = t->heap[at];

    it.expires = after(sf_clock_ms(), it.interval);
    it.order = t->orders++;
    settle(t, at, it);
}

int sifr_timers_set_interval(sifr_timers_t *timers, int id, size_t interval)
{
    size_t at;

    if (!sf_cells_check(&cells, timers))
        return answer(-EFAULT);
    at = find(timers, id);
    if (at == SIZE_MAX)
        return answer(-EINVAL);
    timers->heap[at].interval = interval;
    restart(timers, at);
    return 0;
}

int sifr_timers_reset(sifr_timers_t *timers, int id)
{
    size_t at;

    if (!sf_cells_check(&cells, timers))
        return answer(-EFAULT);
    at = find(timers, id);
    if (at == SIZE_MAX)
        return answer(-EINVAL);
    restart(timers, at);
    return 0;
}

long sifr_timers_timeout(sifr_timers_t *timers)
{
    uint64_t now, expires;

    if (!sf_cells_check(&cells, timers))
        return answer(-EFAULT);
    if (timers->n == 0)
        return -1;
    now = sf_clock_ms();
    expires = timers->heap[0].expires;
    if (expires <= now)
        return 0;
    return expires - now > LONG_MAX ? LONG_MAX : (long)(expires - now);
}

int sifr_timers_execute(sifr_timers_t *timers)
{
    struct sifr_timers *t = timers;
    uint64_t now, execution;
    bool within;

    if (!sf_cells_check(&cells, t))
        return answer(-EFAULT);
    now = sf_clock_ms();
    execution = ++t->executions;
    within = t->executing;
    t->executing = true;
    /* The next expiry is set first: the handler may change it, or cancel, or end it all. */
    while (t->n && t->heap[0].expires <= now && t->heap[0].executed < execution) {
        struct timer it = t->heap[0];

        it.expires = after(now, it.interval);
        it.order = t->orders++;
        it.executed = execution;
        settle(t, 0, it);
        it.fn(it.id, it.arg);
        if (!sf_cells_check(&cells, t))
            return 0;
    }
    t->executing = within;
    return 0;
}
