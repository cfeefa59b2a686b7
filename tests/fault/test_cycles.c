/* Contexts by the thousand, used and ended in random ways by several threads: nothing hangs, nothing is left. */
#include "support.h"

#include <dirent.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CYCLES = 1000 };
#else
enum { CYCLES = 10000 };
#endif

enum { THREADS = 4, SOCKETS_OF_A_CYCLE = 4, LIMIT_S = 50 };

/* ---- What a thread does ---------------------------------------------------------------------- */

struct runner {
    uint64_t random;
    int number;
    int cycles;      /* done */
    char wrong[200]; /* the first thing that was */
};

static unsigned roll(struct runner *r, unsigned sides)
{
    r->random ^= r->random << 13; /* xorshift */
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return (unsigned)(r->random >> 32) % sides;
}

/* False, and said why, when a call failed with another errno than these (0: none). */
static bool went(struct runner *r, const char *call, long result, int allowed, int also)
{
    int error = errno;

    if (result >= 0 || (error && (error == allowed || error == also)))
        return true;
    if (!r->wrong[0])
        snprintf(r->wrong, sizeof r->wrong, "thread %d, cycle %d, %s: errno %d (%s)", r->number, r->cycles, call, error,
                 sifr_strerror(error));
    return false;
}

/* Endpoints of all threads: what is connected may be alive, dying or gone. */
static struct {
    pthread_mutex_t lock;
    struct endpoint known[THREADS * 2];
} others = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct endpoint an_endpoint(struct runner *r)
{
    struct endpoint e;

    pthread_mutex_lock(&others.lock);
    e = others.known[roll(r, COUNT(others.known))];
    pthread_mutex_unlock(&others.lock);
    return e;
}

static void make_known(struct runner *r, const struct endpoint *e)
{
    pthread_mutex_lock(&others.lock);
    others.known[roll(r, COUNT(others.known))] = *e;
    pthread_mutex_unlock(&others.lock);
}

static bool bind_one(struct runner *r, sifr_socket_t *s)
{
    struct endpoint e;
    size_t size = sizeof e.text;

    switch (roll(r, 3)) {
    case 0: snprintf(e.text, sizeof e.text, "tcp://%s:*", own_host()); break;
    case 1:
        snprintf(e.text, sizeof e.text, "ipc://@sifr-cycle-%d-%d-%d", (int)getpid(), r->number, (int)roll(r, 4));
        break;
    default: snprintf(e.text, sizeof e.text, "inproc://%u", roll(r, 3));
    }
    if (!went(r, "sifr_bind", sifr_bind(s, e.text), EADDRINUSE, 0) ||
        !went(r, "LAST_ENDPOINT", sifr_getsockopt(s, SIFR_LAST_ENDPOINT, e.text, &size), 0, 0))
        return false;
    if (size > 1 && e.text[1] != 'n')
        make_known(r, &e);
    return true;
}

static bool connect_one(struct runner *r, sifr_socket_t *s)
{
    struct endpoint e = an_endpoint(r);

    if (!e.text[0] || roll(r, 3) == 0)
        snprintf(e.text, sizeof e.text, "inproc://%u", roll(r, 3));
    return went(r, "sifr_connect", sifr_connect(s, e.text), 0, 0);
}

/* Something that one does with a socket. */
static bool use(struct runner *r, sifr_socket_t *s)
{
    struct endpoint e;
    size_t size = sizeof e.text;
    int value;
    char name[32];

    switch (roll(r, 9)) {
    case 0:
    case 1: return bind_one(r, s);
    case 2:
    case 3: return connect_one(r, s);
    case 4:
        sifr_send(s, "a message", 9, SIFR_DONTWAIT | (int)roll(r, 2) * SIFR_SNDMORE); /* some types cannot */
        return true;
    case 5: sifr_recv(s, NULL, 0, SIFR_DONTWAIT); return true;
    case 6:
        snprintf(name, sizeof name, "inproc://monitor-%u", roll(r, 2));
        return went(r, "sifr_socket_monitor", sifr_socket_monitor(s, name, SIFR_EVENT_ALL), EADDRINUSE, 0);
    case 7:
        size = sizeof value;
        return went(r, "SIFR_FD", sifr_getsockopt(s, SIFR_FD, &value, &size), EINVAL, 0);
    default:
        if (!went(r, "LAST_ENDPOINT", sifr_getsockopt(s, SIFR_LAST_ENDPOINT, e.text, &size), 0, 0))
            return false;
        return !e.text[0] || went(r, "sifr_unbind", sifr_unbind(s, e.text), ENOENT, 0);
    }
}

static bool cycle(struct runner *r)
{
    static const int types[] = {SIFR_PAIR, SIFR_PUB,  SIFR_SUB,  SIFR_REQ,  SIFR_REP, SIFR_DEALER,
                                SIFR_ROUTER, SIFR_PULL, SIFR_PUSH, SIFR_XPUB, SIFR_XSUB, SIFR_SERVER,
                                SIFR_CLIENT, SIFR_RADIO, SIFR_DISH, SIFR_SCATTER, SIFR_GATHER, SIFR_PEER,
                                SIFR_CHANNEL};
    int count = (int)roll(r, SOCKETS_OF_A_CYCLE + 1);
    sifr_socket_t *s[SOCKETS_OF_A_CYCLE];
    sifr_ctx_t *ctx = sifr_ctx_new();
    bool good = went(r, "sifr_ctx_new", ctx ? 0 : -1, 0, 0);

    for (int i = 0; i < count && good; i++) {
        int linger = (int)roll(r, 2);

        s[i] = sifr_socket(ctx, types[roll(r, COUNT(types))]);
        good = went(r, "sifr_socket", s[i] ? 0 : -1, 0, 0) &&
               went(r, "LINGER", sifr_setsockopt(s[i], SIFR_LINGER, &linger, sizeof linger), 0, 0);
        for (unsigned n = roll(r, 5); n > 0 && good; n--)
            good = use(r, s[roll(r, (unsigned)i + 1)]);
    }
    if (!good)
        return false; /* the test is over: what is left does not matter */
    if (roll(r, 3) == 0)
        good = went(r, "sifr_ctx_shutdown", sifr_ctx_shutdown(ctx), 0, 0);
    while (count > 0 && good) { /* in any order */
        unsigned i = roll(r, (unsigned)count);

        good = went(r, "sifr_close", sifr_close(s[i]), 0, 0);
        s[i] = s[--count];
    }
    return good && went(r, "sifr_ctx_term", sifr_ctx_term(ctx), 0, 0);
}

static void *run(void *arg)
{
    struct runner *r = arg;

    while (r->cycles < CYCLES / THREADS && cycle(r))
        r->cycles++;
    return NULL;
}

/* ---- The test -------------------------------------------------------------------------------- */

/* How many entries a folder has. */
static int entries(const char *path)
{
    DIR *folder = opendir(path);
    int n = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

/* SIFR_SEED repeats what a failure named, as far as threads let it. */
static uint64_t pick_seed(void)
{
    const char *text = getenv("SIFR_SEED");
    struct timespec t;

    if (text)
        return strtoull(text, NULL, 0);
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + (uint64_t)getpid();
}

START_TEST(contexts_live_and_die_in_any_order)
{
    struct runner runners[THREADS], first = {.random = 1, .cycles = CYCLES};
    pthread_t thread[THREADS];
    uint64_t seed = pick_seed();
    struct timespec limit;
    int descriptors, threads;

    pthread_join(start_thread(run, &first), NULL); /* the first thread may bring one of a sanitizer's along */
    descriptors = entries("/proc/self/fd");
    threads = entries("/proc/self/task");
    for (int i = 0; i < THREADS; i++) {
        runners[i] = (struct runner){.random = (seed + (uint64_t)i) * 0x9e3779b97f4a7c15u | 1, .number = i};
        thread[i] = start_thread(run, &runners[i]);
    }
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += LIMIT_S;
    for (int i = 0; i < THREADS; i++) {
        int err = pthread_timedjoin_np(thread[i], NULL, &limit);

        ck_assert_msg(err == 0, "SIFR_SEED=%llu: thread %d hangs in or after cycle %d", (unsigned long long)seed, i,
                      runners[i].cycles);
        ck_assert_msg(!runners[i].wrong[0], "SIFR_SEED=%llu: %s", (unsigned long long)seed, runners[i].wrong);
    }
    ck_assert_msg(entries("/proc/self/fd") == descriptors, "SIFR_SEED=%llu: descriptors are left",
                  (unsigned long long)seed);
    eventually(entries("/proc/self/task") == threads); /* the system is slow to forget them */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fault/cycles");
    TCase *c = new_bare_case(s, "cycles");

    tcase_add_test(c, contexts_live_and_die_in_any_order);
    return run_suite(s);
}
