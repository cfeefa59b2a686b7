/*
 * The suicidal snail: a subscriber that cannot keep up finds out by the age of
 * what it receives, and ends itself rather than to work on stale data unnoticed.
 */
#include "common.h"

#include <time.h>

enum { MAX_AGE_MS = 100 };

static sifr_ctx_t *ctx;
static char endpoint[TEXT_MAX];

static long now_ms(void)
{
    struct timespec ts;

    OK(clock_gettime(CLOCK_MONOTONIC, &ts));
    return (long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void *snail(void *arg)
{
    sifr_socket_t *sub = connected(ctx, SIFR_SUB, endpoint);
    char buf[TEXT_MAX];
    long number, sent, age, next = 0;

    (void)arg;
    OK(sifr_setsockopt(sub, SIFR_SUBSCRIBE, "", 0));
    for (;;) {
        EXPECT(sscanf(recv_text(sub, buf), "%ld %ld", &number, &sent) == 2);
        EXPECT(number == next++); /* it is late, but nothing was lost */
        age = now_ms() - sent;
        if (age > MAX_AGE_MS)
            break;
        sifr_poll(NULL, 0, 1 + number / 10); /* its work: slower with each message */
    }
    printf("snail: message %ld is %ld ms old, I cannot keep up: goodbye\n", number, age);
    OK(sifr_close(sub));
    return NULL;
}

int main(void)
{
    sifr_socket_t *pub;
    sifr_pollitem_t item = {.events = SIFR_POLLIN};
    pthread_t t;
    char buf[TEXT_MAX];
    int n = 0;

    ctx = new_context();
    /* An XPUB receives subscriptions: it learns of the snail's coming and of its end. */
    item.socket = pub = bound(ctx, SIFR_XPUB, "tcp://127.0.0.1:*", endpoint);
    t = start(snail, NULL);
    recv_exactly(pub, "\1");
    printf("publisher: a subscriber came\n");

    while (OK(sifr_poll(&item, 1, 1)) == 0) { /* a message a millisecond, until something comes */
        snprintf(buf, sizeof buf, "%d %ld", n++, now_ms());
        send_text(pub, buf, 0);
    }
    EXPECT(OK(sifr_recv(pub, buf, sizeof buf, 0)) == 1 && buf[0] == 0); /* unsubscribed */
    printf("publisher: it is gone, after %d messages\n", n);

    join(t);
    OK(sifr_close(pub));
    OK(sifr_ctx_term(ctx));
    return 0;
}
