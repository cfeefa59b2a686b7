/*
 * Extended request-reply: a queue stands between clients and services, so that
 * either side can grow and shrink and needs one address only. ROUTER remembers
 * who asked, DEALER deals requests out in turn, sifr_proxy moves the messages.
 *
 *   REQ ... REQ  -->  ROUTER = proxy = DEALER  -->  REP ... REP
 */
#include "common.h"

enum { CLIENTS = 4, SERVICES = 2, REQUESTS = 10 };

static sifr_ctx_t *ctx;
static char front_at[TEXT_MAX], back_at[TEXT_MAX];
static char *const clients[CLIENTS] = {"kim", "lea", "max", "noa"};
static struct service {
    const char *name;
    sifr_socket_t *rep; /* made by main, then the service's own */
} services[SERVICES] = {{"one", NULL}, {"two", NULL}};

static void *queue(void *arg)
{
    sifr_socket_t **ends = arg;

    /* The proxy never returns of itself: the end of the context ends it. */
    EXPECT(sifr_proxy(ends[0], ends[1], NULL) == -1 && errno == SIFR_ETERM);
    OK(sifr_close(ends[0]));
    OK(sifr_close(ends[1]));
    return NULL;
}

static void *service(void *arg)
{
    struct service *me = arg;
    char buf[TEXT_MAX];
    int n = 0;

    for (; recv_text(me->rep, buf); n++) {
        send_text(me->rep, me->name, SIFR_SNDMORE); /* a reply of two frames: who did it, */
        send_text(me->rep, buf, 0);                 /* and the request again */
    }
    printf("service %s: %d requests\n", me->name, n);
    OK(sifr_close(me->rep));
    return NULL;
}

static void *client(void *arg)
{
    sifr_socket_t *req = connected(ctx, SIFR_REQ, front_at);
    char text[TEXT_MAX], who[TEXT_MAX];
    int by[SERVICES] = {0};

    for (int i = 0; i < REQUESTS; i++) {
        snprintf(text, sizeof text, "%s %d", (char *)arg, i);
        send_text(req, text, 0);
        EXPECT(recv_text(req, who) && has_more(req));
        for (int s = 0; s < SERVICES; s++)
            by[s] += strcmp(who, services[s].name) == 0;
        recv_exactly(req, text);
        EXPECT(!has_more(req));
    }
    EXPECT(by[0] + by[1] == REQUESTS);
    printf("client %s: %d replies of one, %d of two\n", (char *)arg, by[0], by[1]);
    OK(sifr_close(req));
    return NULL;
}

int main(void)
{
    sifr_socket_t *ends[2];
    pthread_t q, c[CLIENTS], s[SERVICES];

    ctx = new_context();
    ends[0] = bound(ctx, SIFR_ROUTER, "tcp://127.0.0.1:*", front_at);
    ends[1] = bound(ctx, SIFR_DEALER, "inproc://services", back_at);
    for (int i = 0; i < SERVICES; i++) {
        services[i].rep = connected(ctx, SIFR_REP, back_at);
        s[i] = start(service, &services[i]);
    }
    q = start(queue, ends);
    for (int i = 0; i < CLIENTS; i++)
        c[i] = start(client, clients[i]);
    for (int i = 0; i < CLIENTS; i++)
        join(c[i]);
    OK(sifr_ctx_term(ctx)); /* services and queue end with ETERM and close */
    for (int i = 0; i < SERVICES; i++)
        join(s[i]);
    join(q);
    return 0;
}
