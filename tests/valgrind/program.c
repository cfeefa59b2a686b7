/*
 * Opens, uses and ends sockets of all types over all transports, for valgrind to see what is left. It says nothing when
 * all went well.
 */
#include <sifr.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "line %d: %s: errno %d (%s)\n", __LINE__, #condition, errno, sifr_strerror(errno));        \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static const int pairs[][2] = {
    {SIFR_PAIR, SIFR_PAIR},    {SIFR_PUB, SIFR_SUB},     {SIFR_XPUB, SIFR_XSUB},  {SIFR_REQ, SIFR_REP},
    {SIFR_DEALER, SIFR_ROUTER}, {SIFR_DEALER, SIFR_REP}, {SIFR_PUSH, SIFR_PULL},
};

static const char *const endpoints[] = {"tcp://127.0.0.1:*", "ipc://*", "inproc://name"};

static sifr_socket_t *open_socket(sifr_ctx_t *ctx, int type)
{
    sifr_socket_t *s = sifr_socket(ctx, type);
    int patience = 20000, linger = 0;

    NEED(s);
    NEED(sifr_setsockopt(s, SIFR_RCVTIMEO, &patience, sizeof patience) == 0);
    NEED(sifr_setsockopt(s, SIFR_SNDTIMEO, &patience, sizeof patience) == 0);
    NEED(sifr_setsockopt(s, SIFR_LINGER, &linger, sizeof linger) == 0);
    return s;
}

/* Receives a message, and sends it back to `back` when that is not NULL. */
static void receive(sifr_socket_t *s, sifr_socket_t *back)
{
    sifr_msg_t frames[8];
    int n = 0;

    do {
        NEED(n < 8);
        sifr_msg_init(&frames[n]);
        NEED(sifr_msg_recv(&frames[n], s, 0) >= 0);
    } while (sifr_msg_more(&frames[n++]));
    for (int i = 0; i < n; i++) {
        if (back)
            NEED(sifr_msg_send(&frames[i], back, i + 1 < n ? SIFR_SNDMORE : 0) >= 0);
        sifr_msg_close(&frames[i]);
    }
}

static void put(sifr_socket_t *s)
{
    static char large[100000];

    NEED(sifr_send(s, "", 0, SIFR_SNDMORE) == 0);
    NEED(sifr_send(s, "small", 5, SIFR_SNDMORE) == 5);
    NEED(sifr_send(s, large, sizeof large, 0) == (int)sizeof large);
}

static void talk(sifr_socket_t *a, sifr_socket_t *b, int type_b)
{
    put(a);
    switch (type_b) {
    case SIFR_REP:
    case SIFR_ROUTER:
        receive(b, b);
        receive(a, NULL);
        break;
    case SIFR_PAIR:
        put(b);
        receive(a, NULL);
        receive(b, NULL);
        break;
    default: receive(b, NULL);
    }
}

static void use(const int *types, const char *endpoint, int turn)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *a, *b, *monitor, *bound, *dialing;
    sifr_pollitem_t item = {.events = SIFR_POLLIN};
    char where[256];
    size_t size = sizeof where, int_size = sizeof(int);
    int fd;

    NEED(ctx);
    a = open_socket(ctx, types[0]);
    b = open_socket(ctx, types[1]);
    monitor = open_socket(ctx, SIFR_PAIR);
    NEED(sifr_socket_monitor(a, "inproc://events", SIFR_EVENT_ALL) == 0);
    NEED(sifr_connect(monitor, "inproc://events") == 0);
    NEED(sifr_getsockopt(b, SIFR_FD, &fd, &int_size) == 0);
    if (types[1] == SIFR_SUB)
        NEED(sifr_setsockopt(b, SIFR_SUBSCRIBE, "", 0) == 0);
    bound = turn ? a : b;
    dialing = turn ? b : a;
    NEED(sifr_bind(bound, endpoint) == 0);
    NEED(sifr_getsockopt(bound, SIFR_LAST_ENDPOINT, where, &size) == 0);
    NEED(sifr_connect(dialing, where) == 0);
    if (types[1] == SIFR_XSUB)
        NEED(sifr_send(b, "\1", 1, 0) == 1);
    if (types[0] == SIFR_PUB || types[0] == SIFR_XPUB) { /* what is sent before the subscription came is lost */
        do
            NEED(sifr_send(a, "", 0, 0) == 0);
        while ((item.socket = b, sifr_poll(&item, 1, 5)) == 0);
        while (sifr_poll(&item, 1, 50) == 1)
            receive(b, NULL);
    }
    talk(a, b, types[1]);
    if (types[0] != SIFR_REQ)
        put(a); /* and nobody reads it */
    NEED(sifr_close(turn ? b : a) == 0);
    NEED(sifr_close(turn ? a : b) == 0);
    NEED(sifr_close(monitor) == 0);
    NEED(sifr_ctx_term(ctx) == 0);
}

int main(void)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (size_t t = 0; t < sizeof endpoints / sizeof *endpoints; t++)
            use(pairs[i], endpoints[t], (int)(i + t) % 2);
    return 0;
}
