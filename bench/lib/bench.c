/* The frame of every benchmark: arguments, two roles, times, results. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "bench.h"

const struct peer_lib *lib;
struct bench *bench;

static char **words; /* NULL where it has been asked for */
static int word_count;
static const char *transport, *cores, *program;
static bool curve;
static void *shared_context; /* of roles that are threads */
static char results[1024];

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "%s %s: ", program, lib ? lib->name : "?");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(1);
}

static void remove_files(void)
{
    for (int i = 0; i < 2; i++)
        if (strncmp(bench->endpoint[i], "ipc://", 6) == 0)
            unlink(bench->endpoint[i] + 6);
}

static void too_long(int signal)
{
    static const char text[] = "it took too long\n";

    (void)signal;
    remove_files();
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(1); /* the roles end with it */
}

void unsupported(const char *what)
{
    fprintf(stderr, "%s %s: %s\n", program, lib->name, what);
    _exit(PEER_UNSUPPORTED);
}

/* ---- Arguments --------------------------------------------------------------------------- */

const char *bench_word(const char *key, const char *otherwise)
{
    size_t n = strlen(key);
    const char *value;

    for (int i = 0; i < word_count; i++) {
        if (words[i] && strncmp(words[i], key, n) == 0 && words[i][n] == '=') {
            value = words[i] + n + 1;
            words[i] = NULL;
            return value;
        }
    }
    return otherwise;
}

long bench_number(const char *key, long otherwise)
{
    const char *text = bench_word(key, NULL);
    char *end;
    long value;

    if (!text)
        return otherwise;
    value = strtol(text, &end, 10);
    if (end == text || *end)
        die("%s=%s is no number", key, text);
    return value;
}

void bench_known(void)
{
    for (int i = 0; i < word_count; i++)
        if (words[i])
            die("unknown: %s", words[i]);
}

void bench_begin(int argc, char **argv)
{
    static const struct peer_lib *const libs[] = {
        &peer_sifr, &peer_raw,
#ifdef BENCH_ZMQ
        &peer_zmq,
#endif
#ifdef BENCH_NNG
        &peer_nng,
#endif
    };

    program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    for (size_t i = 0; argc > 1 && i < sizeof libs / sizeof *libs; i++)
        if (strcmp(argv[1], libs[i]->name) == 0)
            lib = libs[i];
    if (!lib)
        die("the first argument is no library that was built in");
    words = argv + 2;
    word_count = argc - 2;
    transport = bench_word("transport", "tcp");
    cores = bench_word("cores", "free");
    curve = bench_number("curve", 0);

    bench = mmap(NULL, sizeof *bench, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bench == MAP_FAILED)
        die("mmap: %s", strerror(errno));
    sem_init(&bench->bound, 1, 0);
    sem_init(&bench->joined, 1, 0);
    sem_init(&bench->done, 1, 0);
    for (int i = 0; i < 2; i++) {
        if (strcmp(transport, "tcp") == 0)
            snprintf(bench->endpoint[i], PEER_ENDPOINT, "tcp://127.0.0.1:*");
        else
            snprintf(bench->endpoint[i], PEER_ENDPOINT, "%s:///tmp/sifr-bench-%d-%d", transport,
                     (int)getpid(), i);
    }
    signal(SIGALRM, too_long);
    alarm((unsigned)bench_number("limit", 120));
    prctl(PR_SET_TIMERSLACK, 1000UL); /* paced senders are to be on time */
}

bool bench_threads(void)
{
    return strcmp(transport, "inproc") == 0;
}

/* ---- Roles ------------------------------------------------------------------------------- */

static void settle(int core)
{
    cpu_set_t set;

    if (strcmp(cores, "free") == 0)
        return;
    if (strcmp(cores, "same") != 0 && strcmp(cores, "apart") != 0)
        die("cores=%s", cores);
    CPU_ZERO(&set);
    CPU_SET(strcmp(cores, "same") == 0 ? 0 : core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        unsupported("no second core");
}

static void *run_thread(void *role)
{
    settle(1);
    (*(void (**)(void))role)();
    return NULL;
}

static pid_t run_process(void (*role)(void), int core)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(0);
        if (core >= 0)
            settle(core);
        role();
        _exit(0);
    }
    if (pid < 0)
        die("fork: %s", strerror(errno));
    return pid;
}

void bench_roles(void (*a)(void), void (*b)(void), void (*c)(void))
{
    pid_t pids[3] = {0}, pid;
    int left = 2, status, result = 0;
    pthread_t thread;

    if (bench_threads()) {
        settle(0);
        shared_context = lib->begin(8);
        if (pthread_create(&thread, NULL, run_thread, &b) != 0)
            die("no thread");
        a();
        pthread_join(thread, NULL);
        lib->end(shared_context);
        return;
    }
    if (c)
        pids[2] = run_process(c, -1);
    pids[0] = run_process(a, 0);
    pids[1] = run_process(b, 1);
    while (left > 0 && result == 0) {
        pid = wait(&status);
        left -= pid == pids[0] || pid == pids[1];
        for (int i = 0; i < 3; i++)
            if (pids[i] == pid)
                pids[i] = 0;
        if (status != 0)
            result = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    }
    for (int i = 0; i < 3; i++)
        if (pids[i] > 0)
            kill(pids[i], SIGKILL);
    remove_files();
    if (result != 0)
        _exit(result);
}

void *bench_context(int sockets)
{
    return bench_threads() ? shared_context : lib->begin(sockets);
}

void bench_end_context(void *ctx)
{
    if (!bench_threads())
        lib->end(ctx);
}

void bench_wait(sem_t *sem)
{
    while (sem_wait(sem) != 0)
        if (errno != EINTR)
            die("sem_wait: %s", strerror(errno));
}

bool bench_curve(void)
{
    return curve;
}

static struct peer *open_peer(void *ctx, enum peer_type type, int hwm, bool server)
{
    struct peer *p = lib->open(ctx, type, hwm);

    if (curve && !lib->secure)
        unsupported("it has no CURVE");
    if (curve)
        lib->secure(p, server);
    return p;
}

struct peer *bench_bind(void *ctx, enum peer_type type, int hwm, int dialers)
{
    struct peer *p = open_peer(ctx, type, hwm, true);

    lib->bind(p, bench->endpoint[0]);
    for (int i = 0; i < dialers; i++)
        sem_post(&bench->bound);
    return p;
}

struct peer *bench_dial(void *ctx, enum peer_type type, int hwm)
{
    struct peer *p = open_peer(ctx, type, hwm, false);

    bench_wait(&bench->bound);
    lib->dial(p, bench->endpoint[0]);
    return p;
}

/* ---- Measures ---------------------------------------------------------------------------- */

uint64_t bench_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

double bench_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

long bench_resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0, shared = 0; /* of files: program text that has run for the first time */

    if (!f || fscanf(f, "%*d %ld %ld", &pages, &shared) != 2)
        die("/proc/self/statm cannot be read");
    fclose(f);
    return (pages - shared) * sysconf(_SC_PAGESIZE);
}

void bench_sleep_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void bench_sort(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
}

double bench_quantile(const double *sorted, size_t n, double part)
{
    size_t i = (size_t)(part * (double)n);

    return n == 0 ? NAN : sorted[i < n ? i : n - 1];
}

/* ---- Messages ---------------------------------------------------------------------------- */

uint8_t *bench_message(size_t size)
{
    uint8_t *m = malloc(size + 1);

    if (!m)
        die("out of memory");
    for (size_t i = 0; i < size; i++)
        m[i] = (uint8_t)(i * 7 + 3);
    return m;
}

/* ---- Results ----------------------------------------------------------------------------- */

void bench_result(const char *key, double value)
{
    size_t used = strlen(results);

    snprintf(results + used, sizeof results - used, " %s=%.6g", key, value);
}

int bench_finish(void)
{
    printf("%s %s%s\n", program, lib->name, results);
    return 0;
}
