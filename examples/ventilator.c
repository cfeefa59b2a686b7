/*
 * A pipeline: the ventilator PUSHes tasks, workers PULL them, work and PUSH the
 * results to the sink, which PULLs. PUSH deals tasks out in turn to whoever has
 * room; PULL takes from all in turn. No worker is known to anybody by name.
 */
#include "common.h"

enum { TASKS = 100, WORKERS = 3 };

static sifr_ctx_t *ctx;
static char tasks[TEXT_MAX], results[TEXT_MAX]; /* endpoints */
static char *const names[WORKERS] = {"ann", "ben", "cid"};

static void *worker(void *arg)
{
    const char *name = arg;
    sifr_socket_t *in = connected(ctx, SIFR_PULL, tasks);
    sifr_socket_t *out = connected(ctx, SIFR_PUSH, results);
    char buf[TEXT_MAX];

    send_text(out, name, 0); /* reports for work */
    while (recv_text(in, buf)) {
        long n = strtol(buf, NULL, 10);

        snprintf(buf, sizeof buf, "%s %ld", name, n * n);
        send_text(out, buf, 0);
    }
    /* The context is shutting down: all that is left is to close. */
    OK(sifr_close(in));
    OK(sifr_close(out));
    return NULL;
}

static void *ventilator(void *arg)
{
    sifr_socket_t *out = arg; /* handed over: from here on it is this thread's */
    char buf[TEXT_MAX];

    for (int i = 1; i <= TASKS; i++) {
        snprintf(buf, sizeof buf, "%d", i);
        send_text(out, buf, 0);
    }
    OK(sifr_close(out)); /* what is not sent yet still leaves */
    return NULL;
}

int main(void)
{
    sifr_socket_t *out, *sink;
    pthread_t w[WORKERS], v;
    char buf[TEXT_MAX], name[TEXT_MAX];
    int done[WORKERS] = {0};
    long square, sum = 0;

    ctx = new_context();
    out = bound(ctx, SIFR_PUSH, "tcp://127.0.0.1:*", tasks);
    sink = bound(ctx, SIFR_PULL, "tcp://127.0.0.1:*", results);
    for (int i = 0; i < WORKERS; i++)
        w[i] = start(worker, names[i]);

    /* Tasks dealt out before all are there would all go to the first. */
    for (int i = 0; i < WORKERS; i++)
        printf("sink: %s is here\n", recv_text(sink, buf));
    v = start(ventilator, out);

    for (int i = 0; i < TASKS; i++) {
        EXPECT(sscanf(recv_text(sink, buf), "%255s %ld", name, &square) == 2);
        sum += square;
        for (int k = 0; k < WORKERS; k++)
            done[k] += strcmp(name, names[k]) == 0;
    }
    for (int i = 0; i < WORKERS; i++)
        printf("sink: %s did %d tasks\n", names[i], done[i]);
    printf("sink: the squares of 1 to %d make %ld\n", TASKS, sum);
    EXPECT(done[0] + done[1] + done[2] == TASKS);
    EXPECT(sum == 338350);

    join(v);
    OK(sifr_close(sink));
    OK(sifr_ctx_term(ctx)); /* ends the workers' waiting and returns when they have closed */
    for (int i = 0; i < WORKERS; i++)
        join(w[i]);
    return 0;
}
