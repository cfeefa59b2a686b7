/*
 * How many messages a second one PUB delivers to its subscribers, and how long one send takes
 * while it streams. What a full subscriber misses is not counted, and shown.
 *
 *   subscribers=N   sockets of one process, which one thread empties in turn
 *   size=BYTES count=MESSAGES hwm=MESSAGES
 *   nodrop=1        the PUB waits for the slowest instead
 */
#include "lib/bench.h"

static size_t size;
static uint64_t count;
static int subscribers, hwm, nodrop;

enum { BEGUN, LAST, DELIVERED, SEND_MEAN, SEND_P50, SEND_P99, CPU_SENDER, CPU_RECEIVER };
enum { IN_TURN = 100 }; /* messages that one subscriber hands over before the next has its turn */

/* Between what goes to all: else subscribers that are still coming have no time to. */
static useconds_t pause_us(void)
{
    return 1000 + 20 * (useconds_t)subscribers;
}

static void publish(void)
{
    void *ctx = bench_context(1);
    struct peer *p = bench_bind(ctx, PEER_PUB, hwm, subscribers);
    uint8_t *message = bench_message(size);
    size_t sampled = count < 100000 ? count : 100000;
    double *times = calloc(sampled, sizeof *times), cpu;
    uint64_t begun, before, after;

    if (nodrop && !lib->nodrop)
        unsupported("its PUB does not wait");
    if (nodrop)
        lib->nodrop(p);
    bench_stamp(message, size, BENCH_PROBE);
    while (atomic_load(&bench->number) < subscribers) {
        lib->send(p, message, size, 0);
        usleep(pause_us());
    }
    cpu = bench_cpu_ns();
    begun = before = bench_ns();
    for (uint64_t i = 0; i < count; i++) {
        bench_stamp(message, size, i);
        lib->send(p, message, size, PEER_STREAM);
        if (i < sampled) {
            after = bench_ns();
            times[i] = (double)(after - before) / 1e3;
            before = after;
        }
    }
    if (lib->flush)
        lib->flush(p);
    bench->result[SEND_MEAN] = (double)(bench_ns() - begun) / 1e3 / (double)count;
    bench_sort(times, sampled);
    bench->result[SEND_P50] = bench_quantile(times, sampled, 0.5);
    bench->result[SEND_P99] = bench_quantile(times, sampled, 0.99);
    bench->result[BEGUN] = (double)begun;
    /* The end, which a full subscriber would miss: again until all have it. */
    bench_stamp(message, size, count);
    while (atomic_load(&bench->number) < 2L * subscribers) {
        lib->send(p, message, size, 0);
        usleep(pause_us());
    }
    bench_wait(&bench->done);
    bench->result[CPU_SENDER] = bench_cpu_ns() - cpu;
    lib->close(p);
    bench_end_context(ctx);
    free(times);
    free(message);
}

static void subscribe(void)
{
    int n = subscribers, left = n, fruitless = 0;
    void *ctx = bench_context(n);
    struct peer **peers = calloc((size_t)n, sizeof *peers);
    struct { uint64_t next; bool joined, ended; } *state = calloc((size_t)n, sizeof *state);
    uint8_t *like = bench_message(size);
    uint64_t delivered = 0, last = 0, place;
    double cpu = 0;
    const void *data;
    ssize_t got;

    for (int i = 0; i < n; i++) {
        peers[i] = lib->open(ctx, PEER_SUB, hwm);
        lib->subscribe(peers[i], "", 0);
        bench_wait(&bench->bound);
        lib->dial(peers[i], bench->endpoint[0]);
    }
    for (int turn = 0; left > 0; turn = (turn + 1) % n) {
        uint64_t had = delivered;

        for (int k = 0; k < IN_TURN; k++) {
            got = lib->recv(peers[turn], &data, PEER_DONTWAIT);
            if (got < 0) {
                fruitless += k == 0;
                break;
            }
            fruitless = 0;
            place = bench_place(data, size, 0);
            if (place == BENCH_PROBE) {
                if (!state[turn].joined)
                    atomic_fetch_add(&bench->number, 1);
                state[turn].joined = true;
                continue;
            }
            bench_check(data, got, size, place, like);
            if (place < state[turn].next || place > count)
                die("message %llu is out of order", (unsigned long long)place);
            if (place == count) {
                if (!state[turn].ended) {
                    atomic_fetch_add(&bench->number, 1);
                    left--;
                }
                state[turn].ended = true;
                continue;
            }
            state[turn].next = place + 1;
            delivered++;
        }
        if (had != delivered) {
            last = bench_ns();
            if (had == 0)
                cpu = bench_cpu_ns();
        }
        if (fruitless >= n) {
            lib->wait(peers, n);
            fruitless = 0;
        }
    }
    bench->result[LAST] = (double)last;
    bench->result[DELIVERED] = (double)delivered;
    bench->result[CPU_RECEIVER] = bench_cpu_ns() - cpu;
    sem_post(&bench->done);
    for (int i = 0; i < n; i++)
        lib->close(peers[i]);
    bench_end_context(ctx);
    free(peers);
    free(state);
    free(like);
}

int main(int argc, char **argv)
{
    double delivered, seconds;

    bench_begin(argc, argv);
    size = (size_t)bench_number("size", 64);
    count = (uint64_t)bench_number("count", 100000);
    hwm = (int)bench_number("hwm", -1);
    subscribers = (int)bench_number("subscribers", 10);
    nodrop = (int)bench_number("nodrop", 0);
    bench_known();
    if (size < 8 || subscribers < 1 || count < 1)
        die("a message has 8 bytes or more, and there are some of them and a subscriber");
    if (bench_threads())
        unsupported("two processes alone");

    bench_roles(publish, subscribe, NULL);
    delivered = bench->result[DELIVERED];
    seconds = (bench->result[LAST] - bench->result[BEGUN]) / 1e9;
    bench_result("rate", delivered / seconds);
    bench_result("seconds", seconds);
    bench_result("missed", 1 - delivered / ((double)count * subscribers));
    bench_result("send_mean_us", bench->result[SEND_MEAN]);
    bench_result("send_p50_us", bench->result[SEND_P50]);
    bench_result("send_p99_us", bench->result[SEND_P99]);
    bench_result("cpu_ns",
                 (bench->result[CPU_SENDER] + bench->result[CPU_RECEIVER]) / delivered);
    return bench_finish();
}
