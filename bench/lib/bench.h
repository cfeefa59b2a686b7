/* What the benchmarks share: their arguments, roles in two processes, messages, times, results. */
#ifndef SIFR_BENCH_BENCH_H
#define SIFR_BENCH_BENCH_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

/*
 * A program is called PROGRAM LIBRARY [KEY=VALUE]... All know
 *   transport=tcp|ipc|inproc   inproc makes the roles threads of one process
 *   cores=free|same|apart      where the roles run, their libraries' threads included
 *   curve=1                    protected by CURVE
 *   limit=SECONDS              after which it is ended as failed
 */
void bench_begin(int argc, char **argv);
long bench_number(const char *key, long otherwise);
const char *bench_word(const char *key, const char *otherwise);
/* Ends the program if a word of its call was not asked for. */
void bench_known(void);

extern const struct peer_lib *lib;

/* What the roles have in common, also between processes. */
struct bench {
    char endpoint[2][PEER_ENDPOINT];
    sem_t bound;         /* posted once for each that dials */
    sem_t joined;        /* whatever a program wants to wait for */
    sem_t done;          /* the receiving role has all */
    _Atomic long number; /* whatever a program wants to share */
    double result[32];   /* what a role hands to the results */
};
extern struct bench *bench;

void *bench_context(int sockets); /* of this role; threads share one */
void bench_end_context(void *ctx);

/*
 * Runs two roles to their ends, a on the first core and b on the second if they are to be apart.
 * With a third, c, that one runs free until the others have ended.
 */
void bench_roles(void (*a)(void), void (*b)(void), void (*c)(void));
bool bench_curve(void);
/* Whether the roles are threads of one process. */
bool bench_threads(void);

void bench_wait(sem_t *sem);

/* A socket that is bound where all expect it, and for `dialers` of them; one that dials there. */
struct peer *bench_bind(void *ctx, enum peer_type type, int hwm, int dialers);
struct peer *bench_dial(void *ctx, enum peer_type type, int hwm);

uint64_t bench_ns(void);
double bench_cpu_ns(void);        /* of this process so far */
long bench_resident(void);        /* its own memory, in bytes: without pages of files */
void bench_sleep_until(uint64_t ns);

/* Sorts; then the value below which that part of them lies. */
void bench_sort(double *values, size_t n);
double bench_quantile(const double *sorted, size_t n, double part);

/*
 * Messages that tell their place in the stream. Below 8 bytes the place is a byte of it.
 * What a receiver gets is compared: always its size, place and last byte, one in 1,000 whole.
 */
uint8_t *bench_message(size_t size);
static inline void bench_stamp(uint8_t *message, size_t size, uint64_t place);
static inline uint64_t bench_place(const void *data, size_t size, uint64_t expected);
static inline void bench_check(const void *data, ssize_t got, size_t size, uint64_t place,
                               const uint8_t *like);

/* What a PUB sends until all have joined. */
#define BENCH_PROBE UINT64_MAX

/* Prints " key=value"; the line begins with bench_begin's words and ends with bench_finish. */
void bench_result(const char *key, double value);
int bench_finish(void);

/* ---- What is done for each message, and so shall cost little ---------- */

static inline void bench_stamp(uint8_t *message, size_t size, uint64_t place)
{
    if (size >= sizeof place)
        memcpy(message, &place, sizeof place);
    else if (size > 0)
        message[0] = (uint8_t)place;
}

static inline uint64_t bench_place(const void *data, size_t size, uint64_t expected)
{
    uint64_t place = expected;

    if (size >= sizeof place)
        memcpy(&place, data, sizeof place);
    else if (size > 0 && *(const uint8_t *)data != (uint8_t)expected)
        place = ~expected;
    return place;
}

static inline void bench_check(const void *data, ssize_t got, size_t size, uint64_t place,
                               const uint8_t *like)
{
    size_t from = size >= sizeof place ? sizeof place : size > 0;
    const uint8_t *bytes = data;

    if (got != (ssize_t)size)
        die("message %llu has %zd bytes, not %zu", (unsigned long long)place, got, size);
    if (size > from && (bytes[size - 1] != like[size - 1] ||
                        (place % 1000 == 0 && memcmp(bytes + from, like + from, size - from) != 0)))
        die("message %llu has other content", (unsigned long long)place);
}

#endif
