/*
 * A chat room: each guest sends its lines on a DEALER to the room's ROUTER, which
 * knows by the routing id who speaks, and hears everybody on a SUB of the room's
 * publisher. All hear the same lines in the same order.
 */
#include "common.h"

enum { GUESTS = 3, LINES = 3 };

static sifr_ctx_t *ctx;
static char ears[TEXT_MAX], mouth[TEXT_MAX]; /* where the room listens, and where it speaks */
static char *const names[GUESTS] = {"alice", "bob", "carol"};
static const char *const lines[LINES] = {"hello", "how are you?", "see you"};
static char heard[GUESTS][GUESTS * LINES][2 * TEXT_MAX + 2];

static void *guest(void *arg)
{
    int me = *(int *)arg, mine = 0;
    sifr_socket_t *room = connected(ctx, SIFR_SUB, mouth);
    sifr_socket_t *talk = new_socket(ctx, SIFR_DEALER);
    char name[TEXT_MAX], line[TEXT_MAX];

    OK(sifr_setsockopt(talk, SIFR_ROUTING_ID, names[me], strlen(names[me])));
    OK(sifr_connect(talk, ears));
    OK(sifr_setsockopt(room, SIFR_SUBSCRIBE, "", 0));
    recv_exactly(room, "*"); /* the room speaks once all are there */
    recv_exactly(room, "everybody is here");

    send_text(talk, lines[0], 0);
    for (int i = 0; i < GUESTS * LINES; i++) {
        EXPECT(recv_text(room, name) && recv_text(room, line));
        snprintf(heard[me][i], sizeof heard[me][i], "%s: %s", name, line);
        if (strcmp(name, names[me]) == 0) {
            EXPECT(strcmp(line, lines[mine++]) == 0);
            if (mine < LINES) /* goes on when it has heard itself */
                send_text(talk, lines[mine], 0);
        }
    }
    EXPECT(mine == LINES);
    OK(sifr_close(talk));
    OK(sifr_close(room));
    return NULL;
}

static void say(sifr_socket_t *pub, const char *name, const char *line)
{
    printf("%s: %s\n", name, line);
    send_text(pub, name, SIFR_SNDMORE);
    send_text(pub, line, 0);
}

int main(void)
{
    static int numbers[GUESTS];
    char name[TEXT_MAX], line[TEXT_MAX];
    sifr_socket_t *router, *pub;
    pthread_t t[GUESTS];

    ctx = new_context();
    router = bound(ctx, SIFR_ROUTER, "tcp://127.0.0.1:*", ears);
    pub = bound(ctx, SIFR_XPUB, "tcp://127.0.0.1:*", mouth);
    set_int(pub, SIFR_XPUB_VERBOSE, 1); /* reports each subscriber, not just the first */
    for (int i = 0; i < GUESTS; i++) {
        numbers[i] = i;
        t[i] = start(guest, &numbers[i]);
    }
    for (int i = 0; i < GUESTS; i++)
        recv_exactly(pub, "\1");
    say(pub, "*", "everybody is here");

    for (int i = 0; i < GUESTS * LINES; i++) {
        EXPECT(recv_text(router, name) && recv_text(router, line)); /* [who][what] */
        say(pub, name, line);
    }
    for (int i = 0; i < GUESTS; i++)
        join(t[i]);
    for (int i = 1; i < GUESTS; i++)
        EXPECT(memcmp(heard[i], heard[0], sizeof heard[0]) == 0);
    printf("(%d guests heard the same %d lines)\n", GUESTS, GUESTS * LINES);

    OK(sifr_close(router));
    OK(sifr_close(pub));
    OK(sifr_ctx_term(ctx));
    return 0;
}
