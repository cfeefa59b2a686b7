/*
 * Waiting for several things at once: sifr_poll takes sockets and plain
 * descriptors, here two sockets and the end of a pipe, and says which are ready.
 */
#include "common.h"

#include <unistd.h>

enum { EACH = 4 };

static sifr_ctx_t *ctx;
static char tasks_at[TEXT_MAX], news_at[TEXT_MAX];

/* Feeds all three from another thread. */
static void *feeder(void *arg)
{
    int fd = *(int *)arg;
    sifr_socket_t *tasks = connected(ctx, SIFR_PUSH, tasks_at);
    sifr_socket_t *news = connected(ctx, SIFR_XPUB, news_at); /* a publisher may connect as well */

    recv_exactly(news, "\1"); /* the reader subscribes to everything */
    for (int i = 0; i < EACH; i++) {
        send_text(tasks, "task", 0);
        send_text(news, "news", 0);
        EXPECT(write(fd, "x", 1) == 1);
    }
    OK(close(fd));
    OK(sifr_close(tasks));
    OK(sifr_close(news));
    return NULL;
}

int main(void)
{
    int fd[2], tasks = 0, news = 0, bytes = 0, open = 1;
    sifr_socket_t *pull, *sub;
    pthread_t t;
    char buf[16];

    OK(pipe(fd));
    ctx = new_context();
    pull = bound(ctx, SIFR_PULL, "tcp://127.0.0.1:*", tasks_at);
    sub = bound(ctx, SIFR_SUB, "tcp://127.0.0.1:*", news_at);
    OK(sifr_setsockopt(sub, SIFR_SUBSCRIBE, "", 0));
    t = start(feeder, &fd[1]);

    while (tasks < EACH || news < EACH || open) {
        sifr_pollitem_t items[] = {
            {.socket = pull, .events = SIFR_POLLIN},
            {.socket = sub, .events = SIFR_POLLIN},
            {.fd = open ? fd[0] : -1, .events = SIFR_POLLIN}, /* -1 is passed over */
        };
        int n = OK(sifr_poll(items, 3, 10000)); /* milliseconds; -1 waits for ever */

        EXPECT(n > 0);
        printf("%d ready:", n);
        if (items[0].revents & SIFR_POLLIN) {
            recv_exactly(pull, "task");
            tasks++;
            printf(" task");
        }
        if (items[1].revents & SIFR_POLLIN) {
            recv_exactly(sub, "news");
            news++;
            printf(" news");
        }
        if (items[2].revents & (SIFR_POLLIN | SIFR_POLLERR)) { /* a hang-up shows as POLLERR */
            ssize_t got = OK((int)read(fd[0], buf, sizeof buf));

            bytes += (int)got;
            open = got > 0;
            printf(open ? " pipe" : " end of pipe");
        }
        printf("\n");
    }
    printf("%d tasks, %d news, %d bytes\n", tasks, news, bytes);
    EXPECT(tasks == EACH && news == EACH && bytes == EACH);

    join(t);
    OK(close(fd[0]));
    OK(sifr_close(pull));
    OK(sifr_close(sub));
    OK(sifr_ctx_term(ctx));
    return 0;
}
