/*
 * How long a message is on its way from PUSH to PULL when messages come at a pace, and how long
 * the call takes that sends it.
 *
 *   gap=US     between one burst and the next; the sender sleeps, below 100 us it yields
 *   burst=N    messages sent at once
 *   size=BYTES count=MESSAGES
 *
 * The first eighth warms up. Both roles read the same clock.
 */
#include <sched.h>

#include "lib/bench.h"

static size_t size;
static uint64_t count, warm, gap, burst;

enum { P50, P99, P999, SEND_P50, SEND_P99, CPU_RECEIVER, CPU_SENDER };

static void push(void)
{
    void *ctx = bench_context(1);
    struct peer *p = bench_dial(ctx, PEER_PUSH, -1);
    uint8_t *message = bench_message(size);
    double *times = calloc(count, sizeof *times), cpu = 0;
    uint64_t due, now;

    bench_wait(&bench->joined);
    due = bench_ns();
    for (uint64_t i = 0; i < count; i++) {
        if (i == warm)
            cpu = bench_cpu_ns();
        if (i % burst == 0) {
            due += gap;
            if (gap >= 100000)
                bench_sleep_until(due);
            else
                while (bench_ns() < due)
                    sched_yield();
        }
        bench_stamp(message, size, i);
        now = bench_ns();
        memcpy(message + sizeof i, &now, sizeof now);
        lib->send(p, message, size, 0);
        times[i] = (double)(bench_ns() - now) / 1e3;
    }
    bench_wait(&bench->done);
    bench->result[CPU_SENDER] = bench_threads() ? 0 : bench_cpu_ns() - cpu;
    bench_sort(times, count);
    bench->result[SEND_P50] = bench_quantile(times, count, 0.5);
    bench->result[SEND_P99] = bench_quantile(times, count, 0.99);
    lib->close(p);
    bench_end_context(ctx);
    free(times);
    free(message);
}

static void pull(void)
{
    void *ctx = bench_context(1);
    struct peer *p = bench_bind(ctx, PEER_PULL, -1, 1);
    double *times = calloc(count, sizeof *times), cpu = 0;
    uint64_t sent, n = count - warm;
    uint8_t *like = bench_message(size);
    const void *data;

    sem_post(&bench->joined);
    for (uint64_t i = 0; i < count; i++) {
        ssize_t got = lib->recv(p, &data, 0);
        uint64_t now = bench_ns();

        if (i == warm)
            cpu = bench_cpu_ns();
        if (got != (ssize_t)size || bench_place(data, size, i) != i)
            die("message %llu is missing", (unsigned long long)i);
        memcpy(&sent, (const uint8_t *)data + sizeof i, sizeof sent);
        memcpy(like + sizeof i, &sent, sizeof sent);
        bench_check(data, got, size, i, like);
        times[i] = (double)(now - sent) / 1e3;
    }
    bench->result[CPU_RECEIVER] = bench_cpu_ns() - cpu;
    sem_post(&bench->done);
    bench_sort(times + warm, n);
    bench->result[P50] = bench_quantile(times + warm, n, 0.5);
    bench->result[P99] = bench_quantile(times + warm, n, 0.99);
    bench->result[P999] = bench_quantile(times + warm, n, 0.999);
    lib->close(p);
    bench_end_context(ctx);
    free(times);
    free(like);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    size = (size_t)bench_number("size", 64);
    count = (uint64_t)bench_number("count", 5000);
    gap = (uint64_t)bench_number("gap", 100) * 1000;
    burst = (uint64_t)bench_number("burst", 1);
    bench_known();
    if (size < 2 * sizeof(uint64_t) || burst < 1)
        die("a message has 16 bytes or more, a burst one message");
    warm = count / 8;

    bench_roles(push, pull, NULL);
    bench_result("p50_us", bench->result[P50]);
    bench_result("p99_us", bench->result[P99]);
    bench_result("p999_us", bench->result[P999]);
    bench_result("send_p50_us", bench->result[SEND_P50]);
    bench_result("send_p99_us", bench->result[SEND_P99]);
    bench_result("cpu_ns", (bench->result[CPU_SENDER] + bench->result[CPU_RECEIVER]) /
                               (double)(count - warm));
    return bench_finish();
}
