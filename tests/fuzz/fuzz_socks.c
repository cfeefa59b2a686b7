/* A SOCKS5 proxy that answers anything, in pieces. */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transports/socks.h"

/* The first octet: with a login or not, and the size of pieces. */
SEEDS(SEED("\0\5\0\5\0\0\1\0\0\0\0\0\0zmtp"), SEED("\1\5\2\1\0\5\0\0\1\1\2\3\4\5\6"),
      SEED("\2\5\0\5\0\0\3\3abc\0\1rest"),
      SEED("\4\5\0\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50"), SEED("\0\5\xff"),
      SEED("\1\5\2\1\1"), SEED("\0\5\0\5\5\0\1"), SEED("\0\5\0\5\0\0\3\0\0\1"));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned choice = fuzz_byte(&in), want = 0;
    size_t step = 1 + (choice >> 1) % 8;
    struct sf_socks *s;
    int fds[2], err = -EAGAIN;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(sf_socks_new(&s, "host.example", 5555, choice & 1 ? "joe" : NULL, "secret") == 0);
    for (;;) {
        uint8_t heard[1024];

        err = sf_socks_step(s, fds[0], &want);
        while (recv(fds[1], heard, sizeof heard, 0) > 0)
            ;
        if (err != -EAGAIN || in.left == 0)
            break;
        if (step > in.left)
            step = in.left;
        CHECK(send(fds[1], in.at, step, MSG_NOSIGNAL) == (ssize_t)step);
        in.at += step;
        in.left -= step;
    }
    if (err == -EAGAIN) {
        shutdown(fds[1], SHUT_WR);
        err = sf_socks_step(s, fds[0], &want);
        CHECK(err == -ECONNRESET);
    }
    CHECK(err == 0 || err == -EPROTO || err == -EACCES || err == -ECONNREFUSED ||
          err == -ECONNRESET);
    sf_socks_free(s);
    close(fds[0]);
    close(fds[1]);
    return 0;
}
