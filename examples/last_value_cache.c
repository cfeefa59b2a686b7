/*
 * A last value cache: it stands between a publisher and its readers and keeps the
 * newest value of each topic. Who subscribes late gets it at once, instead of
 * waiting for the next update (which here never comes).
 *
 * The XPUB must be verbose: otherwise it reports a topic's first subscriber only.
 */
#include "common.h"

enum { TOPICS = 10, ROUNDS = 20, READERS = 3 };

static sifr_ctx_t *ctx;
static char front_at[TEXT_MAX], back_at[TEXT_MAX];

static void *publisher(void *arg)
{
    sifr_socket_t *pub = connected(ctx, SIFR_XPUB, front_at);
    char buf[TEXT_MAX];

    (void)arg;
    recv_exactly(pub, "\1"); /* the cache listens */
    for (int i = 0; i < ROUNDS * TOPICS; i++) {
        snprintf(buf, sizeof buf, "topic %d", i % TOPICS);
        send_text(pub, buf, SIFR_SNDMORE);
        snprintf(buf, sizeof buf, "value %d", i / TOPICS);
        send_text(pub, buf, 0);
    }
    OK(sifr_close(pub));
    return NULL;
}

static void *reader(void *arg)
{
    sifr_socket_t *sub = connected(ctx, SIFR_SUB, back_at);
    char value[TEXT_MAX];

    OK(sifr_setsockopt(sub, SIFR_SUBSCRIBE, arg, strlen(arg)));
    recv_exactly(sub, arg);
    printf("reader: %s has %s\n", (char *)arg, recv_text(sub, value));
    EXPECT(strcmp(value, "value 19") == 0); /* the last of ROUNDS */
    OK(sifr_close(sub));
    return NULL;
}

int main(void)
{
    static char *const topics[READERS] = {"topic 3", "topic 7", "topic 3"};
    char cache[TOPICS][TEXT_MAX] = {{0}}, topic[TEXT_MAX], event[TEXT_MAX];
    sifr_socket_t *front, *back;
    pthread_t t;
    int k, updates = 0;

    ctx = new_context();
    front = bound(ctx, SIFR_XSUB, "tcp://127.0.0.1:*", front_at);
    back = bound(ctx, SIFR_XPUB, "tcp://127.0.0.1:*", back_at);
    set_int(back, SIFR_XPUB_VERBOSE, 1);
    send_text(front, "\1", 0); /* an XSUB subscribes by sending; nothing but the 1: everything */
    t = start(publisher, NULL);

    while (updates < TOPICS * ROUNDS) {
        EXPECT(sscanf(recv_text(front, topic), "topic %d", &k) == 1 && k >= 0 && k < TOPICS);
        EXPECT(recv_text(front, cache[k]));
        updates++;
        send_text(back, topic, SIFR_SNDMORE); /* nobody there yet: dropped */
        send_text(back, cache[k], 0);
    }
    printf("cache: %d updates of %d topics, and the publisher is silent\n", updates, TOPICS);
    join(t);

    for (int i = 0; i < READERS; i++) {
        t = start(reader, topics[i]);
        EXPECT(recv_text(back, event) && event[0] == 1);
        printf("cache: somebody subscribes to %s\n", event + 1);
        EXPECT(sscanf(event + 1, "topic %d", &k) == 1 && k >= 0 && k < TOPICS);
        /* Earlier readers of the topic would get this once more: harmless for a value. */
        send_text(back, event + 1, SIFR_SNDMORE);
        send_text(back, cache[k], 0);
        join(t);
        /* An unsubscription: topic[0] is 0. */
        EXPECT(OK(sifr_recv(back, event, sizeof event, 0)) > 0 && event[0] == 0);
    }
    OK(sifr_close(front));
    OK(sifr_close(back));
    OK(sifr_ctx_term(ctx));
    return 0;
}
