/*
 * Request and reply: a REQ asks, a REP answers, strictly in turn.
 *
 *   hello_world                                   both sides, in two threads
 *   hello_world server tcp://127.0.0.1:5555       one side, in one terminal ...
 *   hello_world client tcp://127.0.0.1:5555       ... and the other in another
 */
#include "common.h"

enum { ROUNDS = 5 };

static void serve(sifr_socket_t *rep)
{
    char buf[TEXT_MAX];

    for (int i = 0; i < ROUNDS; i++) {
        /* sifr_recv adds no NUL and returns the true size of the frame. */
        int n = OK(sifr_recv(rep, buf, sizeof buf, 0));

        EXPECT(n == 5 && memcmp(buf, "Hello", 5) == 0);
        printf("server: received %.*s\n", n, buf);
        OK(sifr_send(rep, "World", 5, 0));
    }
}

static void ask(sifr_ctx_t *ctx, const char *endpoint)
{
    sifr_socket_t *req = connected(ctx, SIFR_REQ, endpoint); /* the server may come later */
    char buf[TEXT_MAX];

    for (int i = 0; i < ROUNDS; i++) {
        OK(sifr_send(req, "Hello", 5, 0));
        int n = OK(sifr_recv(req, buf, sizeof buf, 0));

        EXPECT(n == 5 && memcmp(buf, "World", 5) == 0);
        printf("client: received %.*s (%d of %d)\n", n, buf, i + 1, ROUNDS);
    }
    OK(sifr_close(req));
}

static sifr_ctx_t *ctx;         /* one a program; any thread may use it */
static char endpoint[TEXT_MAX]; /* where the server listens */

static void *client(void *arg)
{
    (void)arg;
    ask(ctx, endpoint);
    return NULL;
}

int main(int argc, char **argv)
{
    ctx = new_context();
    if (argc == 3 && strcmp(argv[1], "client") == 0) {
        ask(ctx, argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "server") == 0) {
        sifr_socket_t *rep = bound(ctx, SIFR_REP, argv[2], endpoint);

        serve(rep);
        OK(sifr_close(rep));
    } else if (argc == 1) {
        sifr_socket_t *rep = bound(ctx, SIFR_REP, "tcp://127.0.0.1:*", endpoint);
        pthread_t t = start(client, NULL);

        serve(rep);
        join(t);
        OK(sifr_close(rep));
    } else {
        fprintf(stderr, "usage: %s [server|client ENDPOINT]\n", argv[0]);
        return 2;
    }
    OK(sifr_ctx_term(ctx)); /* waits until the last reply has left */
    return 0;
}
