/*
 * The lazy pirate: a client that does not wait for ever. When no reply comes in
 * time it throws its REQ away (which would insist on that reply), takes a new one
 * and asks again. The server crashes on its 3rd request and sleeps over its 6th.
 */
#include "common.h"

enum { REQUESTS = 8, TIMEOUT_MS = 400, TRIES = 10 };

static sifr_ctx_t *ctx;
static char endpoint[TEXT_MAX];

/* Both sides' sockets: what is still unsent when one is closed dies with it. */
static sifr_socket_t *careless(int type)
{
    sifr_socket_t *sock = new_socket(ctx, type);

    set_int(sock, SIFR_LINGER, 0);
    return sock;
}

static void *server(void *arg)
{
    sifr_socket_t *rep = arg;
    char buf[TEXT_MAX];

    for (int n = 1; recv_text(rep, buf); n++) {
        if (n == 3) {
            printf("server: crashing over %s\n", buf);
            OK(sifr_close(rep));
            rep = careless(SIFR_REP);
            /* The next life, at the same place as soon as the system gives it back. */
            while (sifr_bind(rep, endpoint) == -1) {
                EXPECT(errno == EADDRINUSE);
                sifr_poll(NULL, 0, 10);
            }
            continue;
        }
        if (n == 6) {
            printf("server: falling asleep over %s\n", buf);
            sifr_poll(NULL, 0, 2 * TIMEOUT_MS);
        }
        /* To a client that has given up this goes nowhere, which is no error. */
        if (sifr_send(rep, buf, strlen(buf), 0) == -1) {
            EXPECT(errno == SIFR_ETERM);
            break;
        }
    }
    OK(sifr_close(rep));
    return NULL;
}

static sifr_socket_t *dial(void)
{
    sifr_socket_t *req = careless(SIFR_REQ);

    OK(sifr_connect(req, endpoint));
    return req;
}

/* Asks until there is a reply. Returns how often that was in vain. */
static int ask(sifr_socket_t **req, const char *text)
{
    for (int tries = 0; tries < TRIES; tries++) {
        sifr_pollitem_t item = {.socket = *req, .events = SIFR_POLLIN};

        send_text(*req, text, 0);
        if (OK(sifr_poll(&item, 1, TIMEOUT_MS)) == 1) {
            recv_exactly(*req, text);
            printf("client: %s answered\n", text);
            return tries;
        }
        printf("client: no reply to %s, asking again\n", text);
        OK(sifr_close(*req));
        *req = dial();
    }
    fprintf(stderr, "client: the server seems to be gone for good\n");
    exit(1);
}

int main(void)
{
    sifr_socket_t *req, *rep;
    pthread_t t;
    char text[TEXT_MAX];
    size_t len = sizeof endpoint;
    int vain = 0;

    ctx = new_context();
    rep = careless(SIFR_REP);
    OK(sifr_bind(rep, "tcp://127.0.0.1:*"));
    OK(sifr_getsockopt(rep, SIFR_LAST_ENDPOINT, endpoint, &len));
    t = start(server, rep);
    req = dial();
    for (int i = 1; i <= REQUESTS; i++) {
        snprintf(text, sizeof text, "request %d", i);
        vain += ask(&req, text);
    }
    printf("client: %d replies, asked in vain %d times\n", REQUESTS, vain);
    EXPECT(vain >= 2); /* once over the crash, once or more over the sleep */
    OK(sifr_close(req));
    OK(sifr_ctx_term(ctx)); /* ends the server's waiting, and returns when it has closed */
    join(t);
    return 0;
}
