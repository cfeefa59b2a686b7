/*
 * A tour: the three basic patterns, each over three transports. The code of a
 * pattern does not know the transport; only the endpoint names it.
 */
#include "common.h"

#include <unistd.h>

enum { COUNT = 3 };

static sifr_ctx_t *ctx;
static char endpoint[TEXT_MAX];

/* REQ-REP: one asks, one answers. */
static void *req_peer(void *arg)
{
    sifr_socket_t *req = connected(ctx, SIFR_REQ, endpoint);

    (void)arg;
    for (int i = 0; i < COUNT; i++) {
        send_text(req, "Hello", 0);
        recv_exactly(req, "World");
        printf("    REQ sent Hello, received World\n");
    }
    OK(sifr_close(req));
    return NULL;
}

static void rep_side(sifr_socket_t *rep)
{
    for (int i = 0; i < COUNT; i++) {
        recv_exactly(rep, "Hello");
        send_text(rep, "World", 0);
    }
}

/* PUB-SUB: one speaks, those hear it who asked for the topic. */
static void *sub_peer(void *arg)
{
    sifr_socket_t *sub = connected(ctx, SIFR_SUB, endpoint);
    char want[TEXT_MAX];

    (void)arg;
    OK(sifr_setsockopt(sub, SIFR_SUBSCRIBE, "sport", 5));
    for (int i = 0; i < COUNT; i++) {
        snprintf(want, sizeof want, "sport %d", i);
        recv_exactly(sub, want); /* and nothing of politics between */
        printf("    SUB received %s\n", want);
    }
    OK(sifr_close(sub));
    return NULL;
}

static void pub_side(sifr_socket_t *pub)
{
    char text[TEXT_MAX];

    recv_exactly(pub, "\1sport"); /* an XPUB is a PUB that hears who subscribes */
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "politics %d", i);
        send_text(pub, text, 0);
        snprintf(text, sizeof text, "sport %d", i);
        send_text(pub, text, 0);
    }
    printf("    PUB sent %d on sport, %d on politics\n", COUNT, COUNT);
}

/* PUSH-PULL: work goes one way. */
static void *pull_peer(void *arg)
{
    sifr_socket_t *pull = connected(ctx, SIFR_PULL, endpoint);
    char want[TEXT_MAX];

    (void)arg;
    for (int i = 0; i < COUNT; i++) {
        snprintf(want, sizeof want, "task %d", i);
        recv_exactly(pull, want);
        printf("    PULL received %s\n", want);
    }
    OK(sifr_close(pull));
    return NULL;
}

static void push_side(sifr_socket_t *push)
{
    char text[TEXT_MAX];

    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "task %d", i);
        send_text(push, text, 0); /* waits while nobody is there to take it */
    }
}

static const struct {
    const char *name;
    int type; /* of the side that binds */
    void (*side)(sifr_socket_t *sock);
    void *(*peer)(void *arg);
} stops[] = {
    {"REQ-REP", SIFR_REP, rep_side, req_peer},
    {"PUB-SUB", SIFR_XPUB, pub_side, sub_peer},
    {"PUSH-PULL", SIFR_PUSH, push_side, pull_peer},
};

int main(void)
{
    char dir[] = "/tmp/sifr-tour-XXXXXX", ipc[TEXT_MAX];
    int major, minor, patch;

    sifr_version(&major, &minor, &patch);
    printf("sifr, version %d.%d.%d of its interface\n", major, minor, patch);
    EXPECT(mkdtemp(dir));
    snprintf(ipc, sizeof ipc, "ipc://%s/tour", dir);

    ctx = new_context();
    for (int i = 0; i < 3; i++) {
        const char *const where[] = {"tcp://127.0.0.1:*", ipc, "inproc://tour"};

        for (int k = 0; k < 3; k++) {
            sifr_socket_t *sock = bound(ctx, stops[i].type, where[k], endpoint);
            pthread_t t = start(stops[i].peer, NULL);

            printf("\n%s over %s\n", stops[i].name, endpoint);
            stops[i].side(sock);
            join(t);
            OK(sifr_close(sock));
        }
    }
    OK(sifr_ctx_term(ctx));
    unlink(ipc + strlen("ipc://")); /* may be gone already */
    OK(rmdir(dir));
    printf("\nThe tour is over: 3 patterns, each over 3 transports.\n");
    return 0;
}
