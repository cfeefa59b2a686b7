/*
 * A load-balancing broker: clients (REQ) on one ROUTER, workers (REQ too!) on
 * another. A worker asks for work by saying READY, later by its reply; the broker
 * gives a request to the worker that has been free longest, never to a busy one.
 *
 * On a ROUTER each message begins with the routing id of its peer, and a REQ puts
 * an empty frame before what it sends. So the broker reads and writes
 *
 *   clients   [client][][request]             and back  [client][][reply]
 *   workers   [worker][][client][][request]   and back  [worker][][client][][reply]
 *                                             or        [worker][][READY]
 */
#include "common.h"

enum { CLIENTS = 10, WORKERS = 3, REQUESTS = 5 };

static sifr_ctx_t *ctx;
static char front_at[TEXT_MAX], back_at[TEXT_MAX];

static void *client(void *arg)
{
    sifr_socket_t *req = connected(ctx, SIFR_REQ, front_at);
    char text[TEXT_MAX];

    for (int i = 0; i < REQUESTS; i++) {
        snprintf(text, sizeof text, "client %d request %d", *(int *)arg, i);
        send_text(req, text, 0);
        recv_exactly(req, text); /* workers echo: mine, not another's */
    }
    OK(sifr_close(req));
    return NULL;
}

static void *worker(void *arg)
{
    const char *name = arg;
    sifr_socket_t *req = new_socket(ctx, SIFR_REQ);
    sifr_msg_t who; /* a routing id may hold any bytes, so it is no text */
    char text[TEXT_MAX];
    int n = 0;

    OK(sifr_setsockopt(req, SIFR_ROUTING_ID, name, strlen(name))); /* else one is made up */
    OK(sifr_connect(req, back_at));
    OK(sifr_msg_init(&who));
    send_text(req, "READY", 0);
    for (; sifr_msg_recv(&who, req, 0) != -1; n++) {
        recv_exactly(req, "");
        EXPECT(recv_text(req, text));
        OK(sifr_msg_send(&who, req, SIFR_SNDMORE));
        send_text(req, "", SIFR_SNDMORE);
        send_text(req, text, 0);
    }
    EXPECT(errno == SIFR_ETERM);
    printf("worker %s: %d requests\n", name, n);
    OK(sifr_msg_close(&who));
    OK(sifr_close(req));
    return NULL;
}

/* Sends on what is left of the message being received; the frames are moved, not copied. */
static void pass_on(sifr_socket_t *from, sifr_socket_t *to)
{
    sifr_msg_t msg;
    int more;

    OK(sifr_msg_init(&msg));
    do {
        OK(sifr_msg_recv(&msg, from, 0));
        more = sifr_msg_more(&msg);
        OK(sifr_msg_send(&msg, to, more ? SIFR_SNDMORE : 0)); /* leaves msg empty */
    } while (more);
    OK(sifr_msg_close(&msg));
}

static void broker(sifr_socket_t *front, sifr_socket_t *back)
{
    char idle[WORKERS][TEXT_MAX]; /* a ring: from first on, n workers wait for work */
    int first = 0, n = 0, ready = 0, replies = 0;
    sifr_pollitem_t items[] = {{.socket = back, .events = SIFR_POLLIN},
                               {.socket = front, .events = SIFR_POLLIN}};

    while (ready < WORKERS || replies < CLIENTS * REQUESTS) {
        /* With nobody to serve them, requests wait in front's queue. */
        OK(sifr_poll(items, n > 0 ? 2 : 1, -1));
        if (items[0].revents & SIFR_POLLIN) {
            sifr_msg_t msg;

            EXPECT(n < WORKERS && recv_text(back, idle[(first + n++) % WORKERS]));
            recv_exactly(back, "");
            OK(sifr_msg_init(&msg));
            OK(sifr_msg_recv(&msg, back, 0));
            if (sifr_msg_more(&msg)) { /* a client's id: a reply to it follows */
                OK(sifr_msg_send(&msg, front, SIFR_SNDMORE));
                pass_on(back, front);
                replies++;
            } else {
                EXPECT(sifr_msg_size(&msg) == 5 && memcmp(sifr_msg_data(&msg), "READY", 5) == 0);
                ready++;
            }
            OK(sifr_msg_close(&msg));
        } else {
            send_text(back, idle[first], SIFR_SNDMORE); /* addresses the worker */
            send_text(back, "", SIFR_SNDMORE);
            pass_on(front, back);
            first = (first + 1) % WORKERS;
            n--;
        }
    }
    printf("broker: %d replies passed on\n", replies);
}

int main(void)
{
    static int numbers[CLIENTS];
    static char *const names[WORKERS] = {"ann", "ben", "cid"};
    pthread_t c[CLIENTS], w[WORKERS];
    sifr_socket_t *front, *back;

    ctx = new_context();
    front = bound(ctx, SIFR_ROUTER, "tcp://127.0.0.1:*", front_at);
    back = bound(ctx, SIFR_ROUTER, "inproc://workers", back_at);
    for (int i = 0; i < CLIENTS; i++) {
        numbers[i] = i;
        c[i] = start(client, &numbers[i]);
    }
    for (int i = 0; i < WORKERS; i++)
        w[i] = start(worker, names[i]);
    broker(front, back);
    for (int i = 0; i < CLIENTS; i++)
        join(c[i]);
    OK(sifr_close(front));
    OK(sifr_close(back));
    OK(sifr_ctx_term(ctx)); /* ends the workers' waiting and returns when they have closed */
    for (int i = 0; i < WORKERS; i++)
        join(w[i]);
    return 0;
}
