/*
 * How many messages a second go from PUSH to PULL, and what processor time each costs.
 *
 *   size=BYTES count=MESSAGES hwm=MESSAGES parts=FRAMES     of each message
 *   senders=N receivers=N                                    sockets; one of the two is 1
 *   proxy=1                                                  a third process forwards
 *   curve=1                                                  protected by CURVE; raw is then
 *       libsodium alone: one role makes that many boxes, the other one opens as many
 *
 * The first eighth of the messages warms up.
 */
#include "lib/bench.h"

#ifdef BENCH_SODIUM
#include <sodium.h>
#endif

static size_t size;
static uint64_t count, warm;
static int hwm, parts, senders, receivers, proxy;

enum { SECONDS, CPU_RECEIVER, CPU_SENDER };

/* A receiver announces itself by its first probe; before that nothing is sent in turn. */
static bool probed(void)
{
    return receivers > 1;
}

static struct peer *attach(void *ctx, enum peer_type type)
{
    struct peer *p;

    if (!proxy && (type == PEER_PUSH) == (receivers > 1)) /* the one that is alone binds */
        return bench_bind(ctx, type, hwm, senders * receivers);
    if (!proxy)
        return bench_dial(ctx, type, hwm);
    p = lib->open(ctx, type, hwm);
    bench_wait(&bench->bound);
    lib->dial(p, bench->endpoint[type == PEER_PULL]);
    return p;
}

static void push(void)
{
    void *ctx = bench_context(senders);
    struct peer **peers = calloc((size_t)senders, sizeof *peers);
    uint8_t *message = bench_message(size);
    double cpu = 0;

    for (int i = 0; i < senders; i++)
        peers[i] = attach(ctx, PEER_PUSH);
    if (probed()) {
        bench_stamp(message, size, BENCH_PROBE);
        while (atomic_load(&bench->number) < receivers) {
            lib->send(peers[0], message, size, 0);
            usleep(1000);
        }
    }
    for (uint64_t i = 0; i < count; i++) {
        struct peer *p = senders == 1 ? peers[0] : peers[i % (uint64_t)senders];

        if (i == warm)
            cpu = bench_cpu_ns();
        bench_stamp(message, size, i);
        for (int part = 1; part < parts; part++)
            lib->send(p, message, size, PEER_MORE | PEER_STREAM);
        lib->send(p, message, size, PEER_STREAM);
    }
    for (int i = 0; i < senders && lib->flush; i++)
        lib->flush(peers[i]);
    bench_wait(&bench->done);
    bench->result[CPU_SENDER] = bench_threads() ? 0 : bench_cpu_ns() - cpu;
    for (int i = 0; i < senders; i++)
        lib->close(peers[i]);
    bench_end_context(ctx);
    free(peers);
    free(message);
}

/* Takes one message in, all frames of it. Returns its place, or what a probe has for one. */
static uint64_t take(struct peer *p, const void *data, ssize_t got, uint64_t expected,
                     const uint8_t *like)
{
    uint64_t place = bench_place(data, size, expected);

    bench_check(data, got, size, place, like);
    for (int part = 1; part < parts; part++) {
        if (!lib->more(p))
            die("message %llu lacks frames", (unsigned long long)place);
        got = lib->recv(p, &data, 0);
        bench_check(data, got, size, place, like);
    }
    if (lib->more && lib->more(p))
        die("message %llu has too many frames", (unsigned long long)place);
    return place;
}

static void pull(void)
{
    void *ctx = bench_context(receivers);
    struct peer **peers = calloc((size_t)receivers, sizeof *peers);
    uint64_t *last = calloc((size_t)(senders * receivers), sizeof *last); /* place + 1 */
    bool *met = calloc((size_t)receivers, sizeof *met);
    uint8_t *like = bench_message(size);
    uint64_t taken = 0, sum = 0, begun = bench_ns(), place;
    double cpu = 0;
    int turn = 0, idle = 0;
    const void *data;
    ssize_t got;

    for (int i = 0; i < receivers; i++)
        peers[i] = attach(ctx, PEER_PULL);

    while (taken < count) {
        uint64_t *before;

        got = lib->recv(peers[turn], &data, receivers > 1 ? PEER_DONTWAIT : 0);
        if (got < 0) { /* on to the next, and wait when none has any */
            if (++idle == receivers) {
                lib->wait(peers, receivers);
                idle = 0;
            }
            turn = (turn + 1) % receivers;
            continue;
        }
        idle = 0;
        place = take(peers[turn], data, got, last[turn * senders], like);
        if (place == BENCH_PROBE && probed()) {
            if (!met[turn])
                atomic_fetch_add(&bench->number, 1);
            met[turn] = true;
            continue;
        }
        before = &last[turn * senders + (int)(senders > 1 ? place % (uint64_t)senders : 0)];
        if (place >= count || (place < *before) ||
            (senders == 1 && receivers == 1 && place != *before))
            die("message %llu is out of order", (unsigned long long)place);
        *before = place + 1;
        sum += place;
        if (++taken == warm) {
            cpu = bench_cpu_ns();
            begun = bench_ns();
        }
    }
    bench->result[SECONDS] = (double)(bench_ns() - begun) / 1e9;
    bench->result[CPU_RECEIVER] = bench_cpu_ns() - cpu;
    if (sum != count * (count - 1) / 2)
        die("messages are missing and others are there twice");
    sem_post(&bench->done);
    for (int i = 0; i < receivers; i++)
        lib->close(peers[i]);
    bench_end_context(ctx);
    free(peers);
    free(last);
    free(met);
    free(like);
}

static void proxy_ready(void)
{
    sem_post(&bench->bound);
    sem_post(&bench->bound);
}

static void forward(void)
{
    if (!lib->forward)
        unsupported("it has no proxy");
    lib->forward(bench->endpoint[0], bench->endpoint[1], proxy_ready);
}

/* ---- What CURVE allows at best: its boxes, and nothing around them ---- */

enum { BOX_SECONDS = 3 };

#ifdef BENCH_SODIUM
static void work_on_boxes(bool opens)
{
    uint8_t key[crypto_box_BEFORENMBYTES] = {1}, nonce[crypto_box_NONCEBYTES] = {2};
    uint8_t *message = bench_message(size + 1), *box = malloc(size + 1 + crypto_box_MACBYTES);
    uint64_t begun = bench_ns();

    if (!box || sodium_init() < 0)
        die("no boxes");
    crypto_box_easy_afternm(box, message, size + 1, nonce, key); /* an octet of flags is in it */
    for (uint64_t i = 0; i < count; i++) {
        if (i == warm)
            begun = bench_ns();
        if (!opens)
            crypto_box_easy_afternm(box, message, size + 1, nonce, key);
        else if (crypto_box_open_easy_afternm(message, box, size + 1 + crypto_box_MACBYTES, nonce,
                                              key) != 0)
            die("it does not open");
    }
    bench->result[BOX_SECONDS + opens] = (double)(bench_ns() - begun) / 1e9;
    free(message);
    free(box);
}

static void make_boxes(void)
{
    work_on_boxes(false);
}

static void open_boxes(void)
{
    work_on_boxes(true);
}

static int boxes(void)
{
    double *seconds = bench->result + BOX_SECONDS;

    bench_roles(make_boxes, open_boxes, NULL);
    bench_result("seconds", seconds[0] > seconds[1] ? seconds[0] : seconds[1]);
    bench_result("rate", (double)(count - warm) / (seconds[0] > seconds[1] ? seconds[0] : seconds[1]));
    return bench_finish();
}
#else
static int boxes(void)
{
    unsupported("libsodium was not found");
}
#endif

int main(int argc, char **argv)
{
    double measured;

    bench_begin(argc, argv);
    size = (size_t)bench_number("size", 64);
    count = (uint64_t)bench_number("count", 100000);
    hwm = (int)bench_number("hwm", -1);
    parts = (int)bench_number("parts", 1);
    senders = (int)bench_number("senders", 1);
    receivers = (int)bench_number("receivers", 1);
    proxy = (int)bench_number("proxy", 0);
    bench_known();
    if (senders < 1 || receivers < 1 || (senders > 1 && receivers > 1) || parts < 1)
        die("one of senders and receivers is to be 1");
    if (size < 8 && (senders > 1 || receivers > 1))
        die("with several peers a message has 8 bytes or more");
    if ((senders > 1 || receivers > 1) && (proxy || lib == &peer_raw))
        unsupported("one sender and one receiver alone");
    warm = count / 8;
    if (bench_curve() && proxy)
        unsupported("a proxy between protected sockets");
    if (bench_curve() && lib == &peer_raw)
        return boxes();

    bench_roles(push, pull, proxy ? forward : NULL);
    measured = (double)(count - warm);
    bench_result("seconds", bench->result[SECONDS]);
    bench_result("rate", measured / bench->result[SECONDS]);
    bench_result("cpu_ns",
                 (bench->result[CPU_SENDER] + bench->result[CPU_RECEIVER]) / measured);
    return bench_finish();
}
