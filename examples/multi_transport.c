/*
 * One socket, many transports: a REP that is bound to tcp, ipc and inproc at once
 * serves a client over each. The ipc client is a process of its own, and it dials
 * before anybody listens: connecting never fails for that, it goes on trying.
 */
#include "common.h"

#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 3, REQUESTS = 3 };

static void ask(sifr_ctx_t *ctx, const char *endpoint)
{
    sifr_socket_t *req = connected(ctx, SIFR_REQ, endpoint);

    for (int i = 0; i < REQUESTS; i++) {
        send_text(req, endpoint, 0);
        recv_exactly(req, "served");
    }
    OK(sifr_close(req));
}

static int other_process(const char *endpoint)
{
    sifr_ctx_t *ctx = new_context(); /* a context belongs to the process that made it */

    ask(ctx, endpoint);
    OK(sifr_ctx_term(ctx));
    return 0;
}

static sifr_ctx_t *ctx;

static void *client(void *arg)
{
    ask(ctx, arg);
    return NULL;
}

int main(void)
{
    char dir[] = "/tmp/sifr-example-XXXXXX";
    char at[CLIENTS][TEXT_MAX], buf[TEXT_MAX];
    size_t len = TEXT_MAX;
    int status, served[CLIENTS] = {0};
    sifr_socket_t *rep;
    pthread_t t[2];
    pid_t pid;

    EXPECT(mkdtemp(dir));
    snprintf(at[1], sizeof at[1], "ipc://%s/rep", dir);
    pid = OK(fork());
    if (pid == 0)
        return other_process(at[1]);

    ctx = new_context();
    rep = bound(ctx, SIFR_REP, "tcp://127.0.0.1:*", at[0]);
    OK(sifr_bind(rep, at[1]));
    OK(sifr_bind(rep, "inproc://rep"));
    OK(sifr_getsockopt(rep, SIFR_LAST_ENDPOINT, at[2], &len)); /* the last one bound */
    set_int(rep, SIFR_RCVTIMEO, 10000); /* should the other process fail, so do we */
    t[0] = start(client, at[0]);
    t[1] = start(client, at[2]);

    for (int i = 0; i < CLIENTS * REQUESTS; i++) {
        EXPECT(recv_text(rep, buf));
        send_text(rep, "served", 0); /* goes back the way the request came */
        for (int k = 0; k < CLIENTS; k++)
            served[k] += strcmp(buf, at[k]) == 0;
    }
    for (int k = 0; k < CLIENTS; k++) {
        printf("%d requests over %s\n", served[k], at[k]);
        EXPECT(served[k] == REQUESTS);
    }

    join(t[0]);
    join(t[1]);
    OK(waitpid(pid, &status, 0));
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(sifr_close(rep));
    OK(sifr_ctx_term(ctx));
    snprintf(buf, sizeof buf, "%s/rep", dir);
    unlink(buf); /* may be gone already */
    OK(rmdir(dir));
    return 0;
}
