/*
 * Publish and subscribe: a station publishes the weather of four cities; each
 * reader subscribes to one, by the beginning of the message, and gets nothing else.
 *
 * A publisher drops what nobody has subscribed to, so one that must not lose its
 * first messages waits for its readers. It is an XPUB: a PUB that also receives
 * the subscriptions, as a byte 1 (0 when taken back) and the topic.
 */
#include "common.h"

enum { UPDATES = 100 };

static const char *const cities[] = {"Berlin", "Cairo", "Lima", "Oslo"};
static char *const wanted[] = {"Cairo", "Oslo"};
enum { CITIES = 4, READERS = 2 };

static sifr_ctx_t *ctx;
static char endpoint[TEXT_MAX];

static void *reader(void *arg)
{
    const char *city = arg;
    sifr_socket_t *sub = connected(ctx, SIFR_SUB, endpoint);
    char buf[TEXT_MAX], name[TEXT_MAX];
    int degrees, number, sum = 0;

    OK(sifr_setsockopt(sub, SIFR_SUBSCRIBE, city, strlen(city)));
    for (int i = 0; i < UPDATES; i++) {
        EXPECT(sscanf(recv_text(sub, buf), "%255s %d %d", name, &number, &degrees) == 3);
        EXPECT(strcmp(name, city) == 0); /* only what was subscribed to, */
        EXPECT(number == i);             /* all of it and in order */
        sum += degrees;
    }
    printf("%s: %d updates, %.1f degrees on average\n", city, UPDATES, (double)sum / UPDATES);
    OK(sifr_close(sub));
    return NULL;
}

int main(void)
{
    sifr_socket_t *pub;
    pthread_t t[READERS];
    char buf[TEXT_MAX];

    ctx = new_context();
    pub = bound(ctx, SIFR_XPUB, "tcp://127.0.0.1:*", endpoint);
    printf("station: publishing on %s\n", endpoint);
    for (int i = 0; i < READERS; i++)
        t[i] = start(reader, wanted[i]);
    for (int i = 0; i < READERS; i++) {
        EXPECT(recv_text(pub, buf) && buf[0] == 1);
        printf("station: somebody reads %s\n", buf + 1);
    }

    for (int i = 0; i < UPDATES; i++) {
        for (int c = 0; c < CITIES; c++) {
            int degrees = 10 * c - 5 + rand() % 10;

            snprintf(buf, sizeof buf, "%s %d %d", cities[c], i, degrees);
            send_text(pub, buf, 0);
        }
    }
    printf("station: %d messages sent\n", UPDATES * CITIES);

    for (int i = 0; i < READERS; i++)
        join(t[i]);
    OK(sifr_close(pub));
    OK(sifr_ctx_term(ctx));
    return 0;
}
