/*
 * How many sockets a second are made and closed in one context, and how many contexts with one
 * socket are begun and ended.
 *
 *   count=SOCKETS   contexts are a tenth as many
 */
#include "lib/bench.h"

int main(int argc, char **argv)
{
    uint64_t begun;
    double sockets, contexts;
    long count;
    void *ctx;

    bench_begin(argc, argv);
    count = bench_number("count", 5000);
    bench_known();
    if (lib == &peer_raw)
        unsupported("a library alone");

    if (sysconf(_SC_OPEN_MAX) < count + 100)
        unsupported("the system allows fewer descriptors");
    ctx = lib->begin((int)count); /* some close in the background, and are not as fast */
    lib->close(lib->open(ctx, PEER_PULL, -1)); /* the I/O threads run */
    begun = bench_ns();
    for (long i = 0; i < count; i++)
        lib->close(lib->open(ctx, PEER_PULL, -1));
    sockets = (double)count / (double)(bench_ns() - begun) * 1e9;
    lib->end(ctx);

    count = count / 10 + 1;
    begun = bench_ns();
    for (long i = 0; i < count; i++) {
        ctx = lib->begin(1);
        lib->close(lib->open(ctx, PEER_PULL, -1));
        lib->end(ctx);
    }
    contexts = (double)count / (double)(bench_ns() - begun) * 1e9;
    bench_result("sockets_rate", sockets);
    bench_result("contexts_rate", contexts);
    return bench_finish();
}
