/*
 * What many idle connections cost: memory each, processor time while nothing happens, and the
 * round trip of the one that is active.
 *
 *   connections=N   from one PUSH socket to one PULL socket, to which the active one pushes too;
 *                   its replies come by another pair
 *   idle=MS         how long nothing happens
 *   count=REQUESTS  of the active one
 */
#include <fcntl.h>

#include "lib/bench.h"

static long connections, idle_ms;
static uint64_t count;

enum { FEW = 1000 }; /* descriptors that are no connections: fewer */
enum { SERVER_BYTES, CLIENT_BYTES, SERVER_CPU, CLIENT_CPU, P50, P99 };

/* How many there are; asked of each, as a directory's list would take memory of its own. */
static long descriptors(void)
{
    long n = 0;

    for (int fd = 0; fd < connections + FEW; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Waits until no processor time was used for a while: handshakes are over. */
static void settle(void)
{
    double before, after = bench_cpu_ns();

    do {
        before = after;
        usleep(200000);
        after = bench_cpu_ns();
    } while (after - before > 2e6);
}

static void echo(struct peer *p, struct peer *back)
{
    const void *data;
    ssize_t size = lib->recv(p, &data, 0);

    lib->send(back, data, (size_t)size, 0);
}

static void serve(void)
{
    void *ctx = bench_context(2);
    struct peer *back = lib->open(ctx, PEER_PUSH, -1), *p;
    long resident, open;
    double cpu;

    lib->bind(back, bench->endpoint[1]);
    p = bench_bind(ctx, PEER_PULL, -1, 1);
    echo(p, back); /* the active one is there, and what is made once has been made */
    settle();
    open = descriptors();
    resident = bench_resident();
    sem_post(&bench->joined);
    while (descriptors() - open < connections)
        usleep(10000);
    settle();
    bench->result[SERVER_BYTES] = (double)(bench_resident() - resident) / (double)connections;
    sem_post(&bench->joined);
    cpu = bench_cpu_ns();
    usleep((useconds_t)idle_ms * 1000);
    bench->result[SERVER_CPU] = bench_cpu_ns() - cpu;
    sem_post(&bench->joined);
    for (uint64_t i = 0; i < count; i++)
        echo(p, back);
    bench_wait(&bench->done);
    lib->close(p);
    lib->close(back);
    bench_end_context(ctx);
}

static void ask(struct peer *p, struct peer *back, uint64_t i)
{
    const void *data;

    lib->send(p, &i, sizeof i, 0);
    if (lib->recv(back, &data, 0) != sizeof i || memcmp(data, &i, sizeof i) != 0)
        die("reply %llu is another's", (unsigned long long)i);
}

static void load(void)
{
    void *ctx = bench_context(3);
    struct peer *active = bench_dial(ctx, PEER_PUSH, -1), *many = lib->open(ctx, PEER_PUSH, -1),
                *back = lib->open(ctx, PEER_PULL, -1);
    double *times = calloc(count + 1, sizeof *times), cpu;
    uint64_t begun;
    long resident;

    lib->dial(back, bench->endpoint[1]);
    ask(active, back, 0);
    bench_wait(&bench->joined);
    settle();
    resident = bench_resident();
    for (long i = 0; i < connections; i++)
        lib->dial(many, bench->endpoint[0]);
    bench_wait(&bench->joined);
    settle();
    bench->result[CLIENT_BYTES] = (double)(bench_resident() - resident) / (double)connections;
    cpu = bench_cpu_ns();
    usleep((useconds_t)idle_ms * 1000);
    bench->result[CLIENT_CPU] = bench_cpu_ns() - cpu;
    bench_wait(&bench->joined);
    for (uint64_t i = 0; i < count; i++) {
        begun = bench_ns();
        ask(active, back, i);
        times[i] = (double)(bench_ns() - begun) / 1e3;
    }
    bench_sort(times, count);
    bench->result[P50] = bench_quantile(times, count, 0.5);
    bench->result[P99] = bench_quantile(times, count, 0.99);
    sem_post(&bench->done);
    lib->close(many);
    lib->close(active);
    lib->close(back);
    bench_end_context(ctx);
    free(times);
}

int main(int argc, char **argv)
{
    double seconds;

    bench_begin(argc, argv);
    connections = bench_number("connections", 1000);
    idle_ms = bench_number("idle", 1000);
    count = (uint64_t)bench_number("count", 2000);
    bench_known();
    if (bench_threads() || lib == &peer_raw)
        unsupported("two processes and a library alone");
    if (sysconf(_SC_OPEN_MAX) < connections + 100)
        unsupported("the system allows fewer descriptors");

    bench_roles(load, serve, NULL);
    seconds = (double)idle_ms / 1e3;
    bench_result("server_bytes", bench->result[SERVER_BYTES]);
    bench_result("client_bytes", bench->result[CLIENT_BYTES]);
    bench_result("server_cpu_us_per_s", bench->result[SERVER_CPU] / 1e3 / seconds);
    bench_result("client_cpu_us_per_s", bench->result[CLIENT_CPU] / 1e3 / seconds);
    bench_result("p50_us", bench->result[P50]);
    bench_result("p99_us", bench->result[P99]);
    return bench_finish();
}
