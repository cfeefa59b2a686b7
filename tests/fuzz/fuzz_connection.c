/* A stranger who says anything to sockets that are alive: whatever it was, they part in the end. */
#include "fuzz.h"

#include <errno.h>
#include <poll.h>
#include <sifr.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define GREETING \
    "\xff\0\0\0\0\0\0\0\1\x7f\3\1NULL" ZEROS_16 "\0" ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

/*
 * The first octet: who is spoken to (low 4 bits), what is said beforehand (bits 4 and 5: nothing, a greeting, READY
 * too), whether it comes in pieces (bit 6).
 */
SEEDS(SEED("\x20\1\0\0\1x"), SEED("\x21\4\xb\x9SUBSCRIBEA\4\x8\6CANCELA"),
      SEED("\x22\0\5hello\1\2ab\0\0"), SEED("\x23\0\2A1\1\2A2\0\1x"), SEED("\x24\1\0\0\1r"),
      SEED("\x25\0\2hi"), SEED("\x26\0\2hi"), SEED("\x27\0\2\1A\0\2\0A"),
      SEED("\x60\1\0\4\7\4PING\0\0\0\1x"), SEED("\x25\2\0\0\0\0\0\1\0\0xxxx"),
      SEED("\x22\1\1a\4\x9\4PING\0\1ctx\0\1b"),
      SEED("\x11\4\x19\5READY\13Socket-Type\0\0\0\3SUB\4\xb\x9SUBSCRIBEA"),
      SEED("\1" GREETING "\4\x19\5READY\13Socket-Type\0\0\0\3SUB\4\xb\x9SUBSCRIBEA"),
      SEED("\5\xff\0\0\0\0\0\0\0\1\x7f\1\x8\0\0\0\2hi"), SEED("\2\4\0old\1\1\3\0hi"),
      SEED("\1\xff\0\0\0\0\0\0\0\1\x7f\0\2\1\0\3\0\1A"), SEED("\x41\1\0\3\0\1A\3\0\0A"),
      SEED("\x28\0\2hi\0\3you"), SEED("\x29\0\2hi"));

static const struct {
    int type;
    const char *ready;
    size_t size;
} victims[] = {
#define VICTIM(type, size, peer) \
    { \
        type, "\4" size "\5READY\13Socket-Type\0\0\0" peer, 2 + 6 + 12 + 4 + sizeof peer - 2 \
    }
    VICTIM(SIFR_REP, "\x19", "\3REQ"),       VICTIM(SIFR_XPUB, "\x19", "\3SUB"),
    VICTIM(SIFR_ROUTER, "\x1c", "\6DEALER"), VICTIM(SIFR_SUB, "\x19", "\3PUB"),
    VICTIM(SIFR_REQ, "\x19", "\3REP"),       VICTIM(SIFR_PULL, "\x1a", "\4PUSH"),
    VICTIM(SIFR_PUSH, "\x1a", "\4PULL"),     VICTIM(SIFR_PUB, "\x19", "\3SUB"),
    VICTIM(SIFR_DEALER, "\x1c", "\6ROUTER"), VICTIM(SIFR_PULL, "\x1a", "\4PUSH"), /* CONFLATE */
};

enum { VICTIMS = sizeof victims / sizeof *victims, WAIT_MS = 20000 };

static sifr_socket_t *sockets[VICTIMS];
static struct sockaddr_un addresses[VICTIMS];

static void open_sockets(void)
{
    static sifr_ctx_t *ctx;

    if (ctx)
        return;
    ctx = sifr_ctx_new();
    CHECK(ctx != NULL);
    for (int i = 0; i < VICTIMS; i++) {
        char text[64];
        int zero = 0, one = 1, hwm = 3;
        int64_t max = 1 << 20;

        sockets[i] = sifr_socket(ctx, victims[i].type);
        CHECK(sockets[i] != NULL);
        sifr_setsockopt(sockets[i], SIFR_LINGER, &zero, sizeof zero);
        sifr_setsockopt(sockets[i], SIFR_RCVHWM, &hwm, sizeof hwm);
        sifr_setsockopt(sockets[i], SIFR_MAXMSGSIZE, &max, sizeof max);
        if (victims[i].type == SIFR_SUB)
            sifr_setsockopt(sockets[i], SIFR_SUBSCRIBE, "A", 1);
        if (i == VICTIMS - 1)
            sifr_setsockopt(sockets[i], SIFR_CONFLATE, &one, sizeof one);
        snprintf(text, sizeof text, "ipc://@sifr-fuzz-%d-%d", (int)getpid(), i);
        CHECK(sifr_bind(sockets[i], text) == 0);
        addresses[i].sun_family = AF_UNIX;
        strcpy(addresses[i].sun_path + 1, text + 7); /* a name without a file */
    }
}

/* The application takes what is there, and answers some of it. */
static void live(int i)
{
    sifr_socket_t *s = sockets[i];
    sifr_msg_t m;

    sifr_msg_init(&m);
    while (sifr_msg_recv(&m, s, SIFR_DONTWAIT) >= 0) {
        bool more = sifr_msg_more(&m);

        if (victims[i].type == SIFR_ROUTER || victims[i].type == SIFR_DEALER)
            sifr_msg_send(&m, s, SIFR_DONTWAIT | (more ? SIFR_SNDMORE : 0));
        else if (victims[i].type == SIFR_REP && !more)
            sifr_send(s, "reply", 5, SIFR_DONTWAIT);
    }
    sifr_msg_close(&m);
    if (victims[i].type == SIFR_XPUB || victims[i].type == SIFR_PUB ||
        victims[i].type == SIFR_PUSH || victims[i].type == SIFR_REQ)
        sifr_send(s, "A1", 2, SIFR_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned choice = fuzz_byte(&in);
    int i = (int)(choice & 15) % VICTIMS, fd, idle = 0;
    uint8_t heard[4096];
    ssize_t n = 1;

    open_sockets();
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(connect(fd, (struct sockaddr *)&addresses[i],
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                              strlen(addresses[i].sun_path + 1))) == 0);
    if (choice & 0x30)
        send(fd, GREETING, sizeof GREETING - 1, MSG_NOSIGNAL);
    if (choice & 0x20)
        send(fd, victims[i].ready, victims[i].size, MSG_NOSIGNAL);
    for (size_t at = 0; at < in.left;) {
        size_t step = choice & 0x40 ? 1 + at % 7 : in.left;

        if (step > in.left - at)
            step = in.left - at;
        if (send(fd, in.at + at, step, MSG_NOSIGNAL) < 0)
            break;
        at += step;
    }
    shutdown(fd, SHUT_WR);
    while (n > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        live(i);
        if (poll(&p, 1, 1) == 1)
            n = recv(fd, heard, sizeof heard, 0);
        else
            CHECK(++idle < WAIT_MS); /* it has heard our end and must part */
    }
    close(fd);
    return 0;
}
