/*
 * Interrupting cleanly: a signal ends a waiting call with EINTR, whatever
 * SA_RESTART says; nothing is lost, and the program closes and ends in order.
 *
 * The handler only sets a flag. A signal that comes just before sifr_recv begins
 * to wait would not end the wait: here it is sent again and again, as somebody
 * does who holds Ctrl-C. A program that must not miss one lets its handler write
 * to a pipe, and waits for pipe and socket together: see poll_many.c.
 */
#include "common.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { REQUESTS = 3 };

static volatile sig_atomic_t interrupted;
static atomic_int stopped;
static sifr_ctx_t *ctx;
static char endpoint[TEXT_MAX];

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

/* Asks a few times, then presses Ctrl-C until that has had its effect. */
static void *user(void *arg)
{
    sifr_socket_t *req = connected(ctx, SIFR_REQ, endpoint);
    sigset_t set;

    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    EXPECT(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0); /* the signal is for the server's thread */

    for (int i = 0; i < REQUESTS; i++) {
        send_text(req, "Hello", 0);
        recv_exactly(req, "World");
    }
    while (!stopped) {
        OK(kill(getpid(), SIGINT));
        sifr_poll(NULL, 0, 50); /* a pause of 50 ms */
    }
    OK(sifr_close(req));
    return NULL;
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sifr_socket_t *rep;
    pthread_t t;
    char buf[16];
    int served = 0;

    sigemptyset(&act.sa_mask);
    OK(sigaction(SIGINT, &act, NULL));
    OK(sigaction(SIGTERM, &act, NULL));

    ctx = new_context();
    rep = bound(ctx, SIFR_REP, "tcp://127.0.0.1:*", endpoint);
    t = start(user, NULL);
    while (!interrupted) {
        int n = sifr_recv(rep, buf, sizeof buf, 0);

        if (n == -1 && errno == EINTR) {
            printf("server: waiting ended: %s\n", sifr_strerror(EINTR));
            continue;
        }
        EXPECT(OK(n) == 5 && memcmp(buf, "Hello", 5) == 0);
        while (sifr_send(rep, "World", 5, 0) == -1)
            EXPECT(errno == EINTR); /* nothing was sent: once more */
        served++;
    }
    stopped = 1;
    join(t);

    printf("server: %d requests served, closing\n", served);
    EXPECT(served == REQUESTS);
    OK(sifr_close(rep));
    while (sifr_ctx_term(ctx) == -1)
        EXPECT(errno == EINTR); /* it may wait too; calling again goes on */
    return 0;
}
