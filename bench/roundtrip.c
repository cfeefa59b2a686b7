/*
 * How long a request waits for its reply.
 *
 *   pattern=req     REQ and REP
 *   pattern=dealer  peers=N DEALERs, which take turns, and one ROUTER
 *   pattern=poll    REQ and REP, and both sides wait in a poll before they receive
 *   size=BYTES count=REQUESTS peers=N
 *
 * The first eighth warms up.
 */
#include "lib/bench.h"

static size_t size;
static uint64_t count, warm;
static int dealers; /* 0: REQ and REP */
static bool polled;

enum { P50, P99, P999, SECONDS, CPU_CLIENT, CPU_SERVER };

static ssize_t receive(struct peer *const *p, const void **data)
{
    ssize_t got;

    if (!polled)
        return lib->recv(*p, data, 0);
    do
        lib->wait(p, 1);
    while ((got = lib->recv(*p, data, PEER_DONTWAIT)) < 0);
    return got;
}

static void client(void)
{
    int n = dealers ? dealers : 1;
    void *ctx = bench_context(n);
    struct peer **peers = calloc((size_t)n, sizeof *peers);
    double *times = calloc(count - warm, sizeof *times), cpu = 0;
    uint8_t *message = bench_message(size);
    uint64_t begun = 0, before, after;
    const void *data;
    ssize_t got;

    for (int i = 0; i < n; i++)
        peers[i] = bench_dial(ctx, dealers ? PEER_DEALER : PEER_REQ, -1);
    for (uint64_t i = 0; i < count; i++) {
        struct peer *const *p = &peers[i % (uint64_t)n];

        if (i == warm) {
            begun = bench_ns();
            cpu = bench_cpu_ns();
        }
        bench_stamp(message, size, i);
        before = bench_ns();
        lib->send(*p, message, size, 0);
        got = receive(p, &data);
        after = bench_ns();
        if (bench_place(data, size, i) != i)
            die("the reply to %llu is another's", (unsigned long long)i);
        bench_check(data, got, size, i, message);
        if (i >= warm)
            times[i - warm] = (double)(after - before) / 1e3;
    }
    bench->result[SECONDS] = (double)(bench_ns() - begun) / 1e9;
    bench->result[CPU_CLIENT] = bench_cpu_ns() - cpu;
    bench_sort(times, count - warm);
    bench->result[P50] = bench_quantile(times, count - warm, 0.5);
    bench->result[P99] = bench_quantile(times, count - warm, 0.99);
    bench->result[P999] = bench_quantile(times, count - warm, 0.999);
    sem_post(&bench->done);
    for (int i = 0; i < n; i++)
        lib->close(peers[i]);
    bench_end_context(ctx);
    free(peers);
    free(times);
    free(message);
}

static void server(void)
{
    void *ctx = bench_context(1);
    struct peer *p = bench_bind(ctx, dealers ? PEER_ROUTER : PEER_REP, -1, dealers ? dealers : 1);
    uint8_t id[255];
    ssize_t id_size = 0, got;
    const void *data;
    double cpu = 0;

    for (uint64_t i = 0; i < count; i++) {
        got = receive(&p, &data);
        if (dealers) {
            if (got < 1 || got > (ssize_t)sizeof id || !lib->more(p))
                die("request %llu has no sender", (unsigned long long)i);
            memcpy(id, data, (size_t)(id_size = got));
            got = lib->recv(p, &data, 0);
            lib->send(p, id, (size_t)id_size, PEER_MORE);
        }
        if (got != (ssize_t)size || bench_place(data, size, i) != i)
            die("request %llu is missing", (unsigned long long)i);
        if (i == warm)
            cpu = bench_cpu_ns();
        lib->send(p, data, size, 0);
    }
    bench->result[CPU_SERVER] = bench_threads() ? 0 : bench_cpu_ns() - cpu;
    bench_wait(&bench->done);
    lib->close(p);
    bench_end_context(ctx);
}

int main(int argc, char **argv)
{
    const char *pattern;

    bench_begin(argc, argv);
    pattern = bench_word("pattern", "req");
    size = (size_t)bench_number("size", 64);
    count = (uint64_t)bench_number("count", 20000);
    dealers = (int)bench_number("peers", 1);
    bench_known();
    polled = strcmp(pattern, "poll") == 0;
    if (strcmp(pattern, "dealer") != 0)
        dealers = 0;
    warm = count / 8;

    bench_roles(client, server, NULL);
    bench_result("p50_us", bench->result[P50]);
    bench_result("p99_us", bench->result[P99]);
    bench_result("p999_us", bench->result[P999]);
    bench_result("rate", (double)(count - warm) / bench->result[SECONDS]);
    bench_result("cpu_ns", (bench->result[CPU_CLIENT] + bench->result[CPU_SERVER]) /
                               (double)(count - warm));
    return bench_finish();
}
