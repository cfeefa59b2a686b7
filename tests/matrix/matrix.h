/*
 * The matrix of errors: each function with each errno it is documented with. The programs here are
 * built twice, on sifr.h and, with the names that tests/matrix/names makes of it, on zmq.h and the
 * drop-in. A call that has to fail is written fails(EINVAL, bind, s, "x"): what it proves is noted
 * in the file that MATRIX_LOG names, a line "bind EINVAL the_name_of_the_test" each, and
 * tests/matrix/complete compares that with what the headers say.
 *
 * With MATRIX_LIBZMQ in the environment it runs on the libzmq of the system: what fails otherwise
 * there is noted with what it gave, and is judged by tests/matrix/libzmq.
 */
#ifndef SIFR_TESTS_MATRIX_H
#define SIFR_TESTS_MATRIX_H

#include "support.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#ifndef ZMQ_VERSION
#define EFSM SIFR_EFSM
#define ENOCOMPATPROTO SIFR_ENOCOMPATPROTO
#define ETERM SIFR_ETERM
#define EMTHREAD SIFR_EMTHREAD
#endif

/* ---- The log --------------------------------------------------------------------------------- */

static struct {
    int log;                /* descriptor, -1: none */
    bool libzmq;            /* it runs on the system's */
    bool grandchild;        /* a process that a test has forked, whose status is the result */
    const char *test;       /* that runs */
    void (*unharmed)(void); /* looks after each failure whether the call had an effect; or NULL */
} matrix = {.log = -1};

static inline const char *name_of(int error)
{
    /* clang-format off */
#define NAMED(code) {code, #code}
    /* clang-format on */
    static const struct {
        int error;
        const char *name;
    } names[] = {
        NAMED(EACCES),       NAMED(EADDRINUSE),   NAMED(EADDRNOTAVAIL),   NAMED(EAGAIN),
        NAMED(EBADF),        NAMED(EDEADLK),      NAMED(EFAULT),          NAMED(EFSM),
        NAMED(EHOSTUNREACH), NAMED(EINTR),        NAMED(EINVAL),          NAMED(EMFILE),
        NAMED(EMTHREAD),     NAMED(ENAMETOOLONG), NAMED(ENFILE),          NAMED(ENOCOMPATPROTO),
        NAMED(ENODEV),       NAMED(ENOENT),       NAMED(ENOMEM),          NAMED(ENOTDIR),
        NAMED(ENOTSOCK),     NAMED(ENOTSUP),      NAMED(EPROTONOSUPPORT), NAMED(ETERM),
    };
#undef NAMED

    for (int i = 0; i < COUNT(names); i++)
        if (names[i].error == error)
            return names[i].name;
    return strerror(error);
}

/* What a call leaves in the log; `but`: what it gave instead, or NULL. */
static inline void note(const char *function, int error, const char *but)
{
    char line[512];
    int n = snprintf(line, sizeof line, "%s %s %s%s%s\n", function, name_of(error), matrix.test,
                     but ? "\t" : "", but ? but : "");

    if (matrix.log >= 0)
        ck_assert_int_eq(write(matrix.log, line, (size_t)n), n);
}

/* ---- Calls that fail ------------------------------------------------------------------------- */

static inline bool is_minus_1(long result)
{
    return result == -1;
}

static inline bool is_0(unsigned long result)
{
    return result == 0;
}

static inline bool is_null(const void *result)
{
    return !result;
}

/* clang-format off */
#define said_no(result) \
    _Generic((result), int: is_minus_1, long: is_minus_1, unsigned: is_0, unsigned long: is_0, \
             default: is_null)(result)
/* clang-format on */

/* The call fails with this errno, and has had no effect. */
#define fails(error, function, ...) \
    do { \
        if (lacks("zmq_" #function)) \
            break; \
        errno = 0; \
        __typeof__(sifr_##function(__VA_ARGS__)) result_ = sifr_##function(__VA_ARGS__); \
        judge(__LINE__, #function, error, said_no(result_), errno); \
    } while (0)

/* The same of a function that says 0 then, and is an int. */
#define fails_with_0(error, function, ...) \
    do { \
        errno = 0; \
        int result_ = sifr_##function(__VA_ARGS__); \
        judge(__LINE__, #function, error, result_ == 0, errno); \
    } while (0)

/* Whether the library that is there has no such function: libzmq's drafts. */
static inline bool lacks(const char *function)
{
    return matrix.libzmq && !dlsym(RTLD_DEFAULT, function);
}

/* The test is about drafts from here on. */
#define ONLY_WITH(function) \
    do { \
        if (lacks("zmq_" #function)) \
            return; \
    } while (0)

static inline void judge(int line, const char *function, int error, bool no, int got)
{
    char what[256];

    if (no && got == error) {
        note(function, error, NULL);
        if (matrix.unharmed)
            matrix.unharmed();
        return;
    }
    if (no)
        snprintf(what, sizeof what, "%s", name_of(got));
    else
        snprintf(what, sizeof what, "works");
    if (matrix.libzmq) { /* whatever follows is about what did not happen */
        note(function, error, what);
        _exit(0);
    }
    if (matrix.grandchild) {
        fprintf(stderr, "%s, line %d: %s, not %s: %s\n", matrix.test, line, function,
                name_of(error), what);
        _exit(1);
    }
    ck_abort_msg("line %d: %s, not %s: %s", line, function, name_of(error), what);
}

/* ---- Memory that is short -------------------------------------------------------------------- */

/* What the library asks the system for comes here first: a program's own names win over libc's. */
static _Thread_local long left;    /* requests of this thread until one fails; 0: none does */
static _Thread_local bool refused; /* one has */

/* They are called before the sanitizers are ready to hear of calls. */
#define UNSEEN __attribute__((no_sanitize("address", "thread", "undefined")))

UNSEEN static inline bool refuse(void)
{
    if (left == 0 || --left > 0)
        return false;
    refused = true;
    errno = ENOMEM;
    return true;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIBC(function) __interceptor_##function
#else
#define LIBC(function) __libc_##function
#endif
#define SEEN_BY_ALL UNSEEN __attribute__((visibility("default")))
void *LIBC(malloc)(size_t size);
void *LIBC(calloc)(size_t n, size_t size);
void *LIBC(realloc)(void *p, size_t size);

SEEN_BY_ALL void *malloc(size_t size)
{
    return refuse() ? NULL : LIBC(malloc)(size);
}

SEEN_BY_ALL void *calloc(size_t n, size_t size)
{
    return refuse() ? NULL : LIBC(calloc)(n, size);
}

SEEN_BY_ALL void *realloc(void *p, size_t size)
{
    return refuse() ? NULL : LIBC(realloc)(p, size);
}

SEEN_BY_ALL void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (refuse())
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

/*
 * Each request for memory that the call makes fails in turn, and with it the call; when there is
 * enough it works: its result is then `result`. `before` is done before each try.
 */
#define runs_short(result, before, function, ...) \
    do { \
        int times_ = 0; \
        if (matrix.libzmq) \
            return; /* it ends the process */ \
        for (long n_ = 1;; n_++) { \
            before; \
            refused = false; \
            errno = 0; \
            left = n_; \
            (result) = sifr_##function(__VA_ARGS__); \
            left = 0; \
            if (!said_no(result)) \
                break; \
            judge(__LINE__, #function, ENOMEM, true, errno); \
            ck_assert(refused); \
            times_++; \
        } \
        ck_assert_msg(times_ > 0, "line %d: %s needs no memory", __LINE__, #function); \
    } while (0)

/* ---- Descriptors that are short -------------------------------------------------------------- */

static struct rlimit descriptors_before;

static inline void take_descriptors(void)
{
    struct rlimit none;
    int lowest = dup(STDERR_FILENO); /* that is free */

    ck_assert_int_ge(lowest, 0);
    close(lowest);
    ck_works(getrlimit(RLIMIT_NOFILE, &descriptors_before));
    none = descriptors_before;
    none.rlim_cur = (rlim_t)lowest;
    ck_works(setrlimit(RLIMIT_NOFILE, &none));
}

static inline void give_descriptors(void)
{
    ck_works(setrlimit(RLIMIT_NOFILE, &descriptors_before));
}

/* ---- Signals --------------------------------------------------------------------------------- */

static inline void on_alarm(int number)
{
    (void)number;
}

/* From now on a signal comes every few milliseconds: whenever a call waits, one finds it. */
static inline void begin_signals(void)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 5000}, {0, 5000}};

    ck_works(sigaction(SIGALRM, &action, NULL));
    ck_works(setitimer(ITIMER_REAL, &often, NULL));
}

static inline void end_signals(void)
{
    struct itimerval never = {{0, 0}, {0, 0}};

    ck_works(setitimer(ITIMER_REAL, &never, NULL));
}

/* ---- What is no handle ----------------------------------------------------------------------- */

enum { FOREIGN = 4 };

/* NULL, memory of zeroes, memory of ones, a handle of another kind. */
static inline void *foreign(int i, void *other)
{
    static max_align_t zeroes[64], ones[64];

    memset(ones, 0xff, sizeof ones);
    return (void *[]){NULL, zeroes, ones, other}[i];
}

/* ---- Whether sockets work -------------------------------------------------------------------- */

static inline void pass_text(sifr_socket_t *from, sifr_socket_t *to, const char *text)
{
    send_text(from, text, 0);
    recv_text(to, text, false);
}

/* ---- Running --------------------------------------------------------------------------------- */

/* The tests, and how check calls each: by its place here, so that its name is known. */
enum { TESTS_MAX = 64, LOOPS_MAX = 1000 };

static const TTest *tests[TESTS_MAX];
static TTest calls[TESTS_MAX];
static int n_tests;

static inline void run_test(int i)
{
    matrix.test = tests[i / LOOPS_MAX]->name;
    tests[i / LOOPS_MAX]->fn(i % LOOPS_MAX);
}

/* Whether MATRIX_SKIP names it: what would end libzmq's process, or hold it up. */
static inline bool is_skipped(const char *name)
{
    const char *skip = getenv("MATRIX_SKIP"), *at = skip ? strstr(skip, name) : NULL;
    size_t n = strlen(name);

    for (; at; at = strstr(at + 1, name))
        if ((at == skip || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
            return true;
    return false;
}

static inline void add_loop(TCase *c, const TTest *test, int from, int to)
{
    int at = n_tests * LOOPS_MAX;

    if (is_skipped(test->name))
        return;
    if (n_tests == TESTS_MAX || to > LOOPS_MAX) {
        fprintf(stderr, "too many tests\n");
        exit(1);
    }
    tests[n_tests] = test;
    calls[n_tests] = (TTest){test->name, run_test, test->file, test->line};
    tcase_add_loop_test(c, &calls[n_tests++], at + from, at + to);
}

static inline void add(TCase *c, const TTest *test)
{
    add_loop(c, test, 0, 1);
}

static inline int run_matrix(Suite *suite)
{
    const char *log = getenv("MATRIX_LOG");

    matrix.libzmq = getenv("MATRIX_LIBZMQ");
    if (log)
        matrix.log = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (log && matrix.log < 0) {
        perror(log);
        return 1;
    }
    return run_suite(suite);
}

#endif
