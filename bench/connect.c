/*
 * How soon many peers that connect at once are served: each is a REQ socket that connects and
 * asks one REP, all of it with the libraries' own settings. The clock runs from the first connect
 * to the last reply.
 *
 *   peers=N
 */
#include "lib/bench.h"

static long peers;

enum { SECONDS };

static void serve(void)
{
    void *ctx = bench_context(1);
    struct peer *p = bench_bind(ctx, PEER_REP, -1, 1);
    uint8_t *seen = calloc((size_t)peers, 1);
    const void *data;

    for (long i = 0; i < peers; i++) {
        ssize_t size = lib->recv(p, &data, 0);
        uint64_t who = bench_place(data, (size_t)size, 0);

        if (size != sizeof who || who >= (uint64_t)peers || seen[who]++)
            die("request %ld is none, or there twice", i);
        lib->send(p, data, (size_t)size, 0);
    }
    bench_wait(&bench->done);
    lib->close(p);
    bench_end_context(ctx);
    free(seen);
}

static void crowd(void)
{
    void *ctx = bench_context((int)peers);
    struct peer **all = calloc((size_t)peers, sizeof *all);
    const void *data;
    uint64_t begun;

    for (long i = 0; i < peers; i++)
        all[i] = lib->open(ctx, PEER_REQ, -1);
    bench_wait(&bench->bound);
    begun = bench_ns();
    for (uint64_t i = 0; i < (uint64_t)peers; i++) {
        lib->dial(all[i], bench->endpoint[0]);
        lib->send(all[i], &i, sizeof i, 0);
    }
    for (uint64_t i = 0; i < (uint64_t)peers; i++)
        if (lib->recv(all[i], &data, 0) != sizeof i || memcmp(data, &i, sizeof i) != 0)
            die("the reply to %llu is another's", (unsigned long long)i);
    bench->result[SECONDS] = (double)(bench_ns() - begun) / 1e9;
    sem_post(&bench->done);
    for (long i = 0; i < peers; i++)
        lib->close(all[i]);
    bench_end_context(ctx);
    free(all);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    peers = bench_number("peers", 500);
    bench_known();
    if (bench_threads() || lib == &peer_raw)
        unsupported("two processes and a library alone");
    if (sysconf(_SC_OPEN_MAX) < 3 * peers + 100)
        unsupported("the system allows fewer descriptors");

    bench_roles(crowd, serve, NULL);
    bench_result("seconds", bench->result[SECONDS]);
    bench_result("rate", (double)peers / bench->result[SECONDS]);
    return bench_finish();
}
