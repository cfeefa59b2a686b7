/*
 * What a wait for many sockets costs when one of them has something.
 *
 *   pattern=poll    one list of all, looked at each time
 *   pattern=poller  a set that is kept
 *   peers=SOCKETS count=ROUNDS
 *
 * In one thread: each round a message goes to one socket, all are waited for, and it is read. Only
 * the wait is timed. The first eighth warms up.
 */
#include "lib/bench.h"

int main(int argc, char **argv)
{
    uint64_t count, warm, before, after;
    struct peer **to, **from;
    double *times, sum = 0;
    bool kept;
    long n;
    void *ctx;

    bench_begin(argc, argv);
    n = bench_number("peers", 1000);
    count = (uint64_t)bench_number("count", 20000);
    kept = strcmp(bench_word("pattern", "poll"), "poller") == 0;
    bench_known();
    warm = count / 8;
    if (lib == &peer_raw)
        unsupported("a library alone");
    if (kept && !lib->wait_kept)
        unsupported("no such thing");
    if (sysconf(_SC_OPEN_MAX) < 2 * n + 100)
        unsupported("the system allows fewer descriptors");

    ctx = lib->begin((int)(2 * n));
    to = calloc((size_t)n, sizeof *to);
    from = calloc((size_t)n, sizeof *from);
    times = calloc(count, sizeof *times);
    for (long i = 0; i < n; i++) {
        char endpoint[PEER_ENDPOINT];

        snprintf(endpoint, sizeof endpoint, "inproc://%ld", i);
        from[i] = lib->open(ctx, PEER_PULL, -1);
        to[i] = lib->open(ctx, PEER_PUSH, -1);
        lib->bind(from[i], endpoint);
        lib->dial(to[i], endpoint);
    }
    for (uint64_t i = 0; i < count; i++) {
        long at = (long)(i * 7919 % (uint64_t)n);
        struct peer *ready = from[at];
        const void *data;

        lib->send(to[at], &i, sizeof i, 0);
        before = bench_ns();
        if (kept)
            ready = lib->wait_kept(from, (int)n);
        else
            lib->wait(from, (int)n);
        after = bench_ns();
        if (ready != from[at] || lib->recv(ready, &data, PEER_DONTWAIT) != sizeof i ||
            memcmp(data, &i, sizeof i) != 0)
            die("message %llu is not where it was sent", (unsigned long long)i);
        times[i] = (double)(after - before) / 1e3;
    }
    bench_sort(times + warm, count - warm);
    for (uint64_t i = warm; i < count; i++)
        sum += times[i];
    bench_result("mean_us", sum / (double)(count - warm));
    bench_result("p50_us", bench_quantile(times + warm, count - warm, 0.5));
    bench_result("p99_us", bench_quantile(times + warm, count - warm, 0.99));
    for (long i = 0; i < n; i++) {
        lib->close(to[i]);
        lib->close(from[i]);
    }
    lib->end(ctx);
    free(to);
    free(from);
    free(times);
    return bench_finish();
}
