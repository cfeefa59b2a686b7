/*
 * How the memory grows of a program that keeps one message in 10,000.
 *
 *   size=BYTES count=MESSAGES every=N
 */
#include "lib/bench.h"

static size_t size;
static uint64_t count, every;

enum { GROWN };

static void push(void)
{
    void *ctx = bench_context(1);
    struct peer *p = bench_dial(ctx, PEER_PUSH, -1);
    uint8_t *message = bench_message(size);

    for (uint64_t i = 0; i < 2 * count; i++) {
        bench_stamp(message, size, i);
        lib->send(p, message, size, PEER_STREAM);
    }
    bench_wait(&bench->done);
    lib->close(p);
    bench_end_context(ctx);
    free(message);
}

static void pull(void)
{
    void *ctx = bench_context(1);
    struct peer *p = bench_bind(ctx, PEER_PULL, -1, 1);
    struct message **kept = calloc(count / every + 1, sizeof *kept);
    uint8_t *like = bench_message(size);
    size_t n = 0;
    const void *data;
    long resident = 0;

    /* Once as many go by first, and none of them is kept: what is made once has been made. */
    for (uint64_t i = 0; i < 2 * count; i++) {
        ssize_t got = lib->recv(p, &data, 0);

        if (bench_place(data, size, i) != i)
            die("message %llu is missing", (unsigned long long)i);
        bench_check(data, got, size, i, like);
        if (i == count)
            resident = bench_resident();
        if (i >= count && i % every == 0)
            kept[n++] = lib->keep(p);
    }
    bench->result[GROWN] = (double)(bench_resident() - resident);
    sem_post(&bench->done);
    while (n > 0)
        lib->drop(kept[--n]);
    lib->close(p);
    bench_end_context(ctx);
    free(kept);
    free(like);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    size = (size_t)bench_number("size", 100);
    count = (uint64_t)bench_number("count", 1000000);
    every = (uint64_t)bench_number("every", 10000);
    bench_known();
    if (!lib->keep)
        unsupported("it has no messages");
    if (every < 1)
        die("every=0");

    bench_roles(push, pull, NULL);
    bench_result("grown_bytes", bench->result[GROWN]);
    return bench_finish();
}
