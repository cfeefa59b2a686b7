/*
 * Envelopes: a message may have several frames, and subscriptions look at the
 * first alone. So the key stands in a frame of its own, the content in the next:
 * the content can be anything, and no content is taken for a key.
 */
#include "common.h"

enum { ROUNDS = 5 };

static sifr_ctx_t *ctx;
static char endpoint[TEXT_MAX];

static void *reader(void *arg)
{
    sifr_socket_t *sub = connected(ctx, SIFR_SUB, endpoint);
    char key[TEXT_MAX], content[TEXT_MAX];
    int n = 0;

    (void)arg;
    OK(sifr_setsockopt(sub, SIFR_SUBSCRIBE, "B", 1));
    for (;;) {
        EXPECT(recv_text(sub, key));
        EXPECT(has_more(sub)); /* all frames of a message come, or none */
        EXPECT(recv_text(sub, content));
        EXPECT(!has_more(sub));
        printf("reader: [%s] %s\n", key, content);
        if (strcmp(key, "B end") == 0) /* a subscription is a prefix, so this matches too */
            break;
        EXPECT(strcmp(key, "B") == 0 && strcmp(content, "this is for you") == 0);
        n++;
    }
    EXPECT(n == ROUNDS);
    OK(sifr_close(sub));
    return NULL;
}

static void publish(sifr_socket_t *pub, const char *key, const char *content)
{
    send_text(pub, key, SIFR_SNDMORE); /* nothing leaves before the last frame is there */
    send_text(pub, content, 0);
}

int main(void)
{
    sifr_socket_t *pub;
    pthread_t t;

    ctx = new_context();
    pub = bound(ctx, SIFR_XPUB, "tcp://127.0.0.1:*", endpoint);
    t = start(reader, NULL);
    recv_exactly(pub, "\1B"); /* the reader is there and has subscribed to B */

    for (int i = 0; i < ROUNDS; i++) {
        publish(pub, "A", "B is not meant by this"); /* begins with B, in the wrong frame */
        publish(pub, "B", "this is for you");
    }
    publish(pub, "B end", "");

    join(t);
    OK(sifr_close(pub));
    OK(sifr_ctx_term(ctx));
    return 0;
}
