/*
 * What many subscriptions cost: one SUB makes them, and one PUB sends messages of which every
 * second has a subscriber. The prefixes are numbers of 8 bytes.
 *
 *   subscriptions=N count=MESSAGES
 */
#include "lib/bench.h"

static uint64_t subscriptions, count;

enum { MAKE_SECONDS, BYTES, SECONDS, DELIVERED };
enum { BODY = 16 }; /* the topic, and the place */

/* Even numbers have a subscriber, odd ones have none; in no order. */
static uint64_t topic(uint64_t i)
{
    return (i * 2654435761u) % (2 * subscriptions);
}

static void publish(void)
{
    void *ctx = bench_context(1);
    struct peer *p = bench_bind(ctx, PEER_PUB, 0, 1);
    uint64_t message[BODY / sizeof(uint64_t)] = {0};
    long resident = bench_resident();

    sem_post(&bench->joined);
    while (atomic_load(&bench->number) == 0) { /* the last prefix has a subscriber */
        message[0] = 2 * (subscriptions - 1);
        message[1] = BENCH_PROBE;
        lib->send(p, message, sizeof message, 0);
        usleep(1000);
    }
    bench->result[BYTES] = (double)(bench_resident() - resident) / (double)subscriptions;
    for (uint64_t i = 0; i < count; i++) {
        message[0] = topic(i);
        message[1] = i;
        lib->send(p, message, sizeof message, PEER_STREAM);
    }
    message[0] = 0;
    message[1] = count;
    lib->send(p, message, sizeof message, 0);
    bench_wait(&bench->done);
    lib->close(p);
    bench_end_context(ctx);
}

static void subscribe(void)
{
    void *ctx = bench_context(1);
    struct peer *p = bench_dial(ctx, PEER_SUB, 0);
    uint64_t message[BODY / sizeof(uint64_t)], i, begun, delivered = 0, expected = 0, next = 0;
    const void *data;

    bench_wait(&bench->joined);
    begun = bench_ns();
    for (i = 0; i < subscriptions; i++) {
        uint64_t prefix = 2 * i;

        lib->subscribe(p, &prefix, sizeof prefix);
    }
    for (bool probed = false;;) {
        if (lib->recv(p, &data, 0) != BODY)
            die("a message has another size");
        memcpy(message, data, BODY);
        if (message[1] == BENCH_PROBE) {
            if (!probed) {
                bench->result[MAKE_SECONDS] = (double)(bench_ns() - begun) / 1e9;
                atomic_store(&bench->number, 1);
                begun = bench_ns();
            }
            probed = true;
            continue;
        }
        if (message[1] == count)
            break;
        if (message[1] < next || message[1] > count || message[0] != topic(message[1]) ||
            message[0] % 2 != 0)
            die("message %llu was not asked for", (unsigned long long)message[1]);
        next = message[1] + 1;
        delivered++;
    }
    bench->result[SECONDS] = (double)(bench_ns() - begun) / 1e9;
    for (i = 0; i < count; i++)
        expected += topic(i) % 2 == 0;
    if (delivered != expected)
        die("%llu messages came of %llu", (unsigned long long)delivered,
            (unsigned long long)expected);
    sem_post(&bench->done);
    lib->close(p);
    bench_end_context(ctx);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    subscriptions = (uint64_t)bench_number("subscriptions", 100000);
    count = (uint64_t)bench_number("count", 200000);
    bench_known();
    if (lib == &peer_raw || bench_threads())
        unsupported("two processes and a library alone");

    bench_roles(publish, subscribe, NULL);
    bench_result("make_seconds", bench->result[MAKE_SECONDS]);
    bench_result("publisher_bytes", bench->result[BYTES]);
    bench_result("rate", (double)count / bench->result[SECONDS]);
    return bench_finish();
}
