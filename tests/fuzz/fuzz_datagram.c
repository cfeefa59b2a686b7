/* Datagrams into frames, and frames in pieces of any size into datagrams and into bytes. */
#include "fuzz.h"

#include <errno.h>
#include <sys/socket.h>

#include "wire/frame.h"

/* Takes the place of sendmsg: now and then the system has no room. */
static unsigned sends, every;
static size_t sent;

static ssize_t fuzz_sendmsg(int fd, const struct msghdr *m, int flags)
{
    (void)fd, (void)flags;
    if (every && ++sends % every == 0) {
        errno = EAGAIN;
        return -1;
    }
    for (size_t i = 0; i < m->msg_iovlen; i++)
        sent += m->msg_iov[i].iov_len;
    return 0;
}

#define sendmsg fuzz_sendmsg
#include "transports/udp.c"
#undef sendmsg

/* The first octet: 1 groups, 2 bound, the rest: how the writes are cut; the second: how often there is no room. */
SEEDS(SEED("\7\0\2TVFriends"), SEED("\3\0\x9TVz"), SEED("\3\0\xff"), SEED("\2\0datagram"), SEED("\5\3\1\2TV\0\7Friends"),
      SEED("\x9\2\1\0\0\0\1\2TV\2\0\0\0\0\0\0\0\1x"), SEED("\x12\2\1\xc"
                                                            "127.0.0.1:80\0\1x"),
      SEED("\4\1\4\5\4JOIN\1\1a\1\1b\0\1c"));

static void check_frames(const uint8_t *at, size_t n)
{
    struct sf_frame f;

    for (int i = 0; i < 2; i++) {
        int header = sf_frame_get(&f, at, n);

        CHECK(header > 0 && n - (size_t)header >= f.size);
        CHECK(f.flags == (i == 0 ? SF_FRAME_MORE : 0));
        at += (size_t)header + f.size;
        n -= (size_t)header + f.size;
    }
    CHECK(n == 0);
}

/* In pieces, as the core writes: what is not accepted comes again. */
static void write_pieces(struct udp_stream *u, uint8_t *data, size_t size, size_t step)
{
    size_t at = 0, refused = 0;

    while (at < size) {
        size_t n = size - at < step ? size - at : step;
        struct iovec v = {data + at, n};
        ssize_t took = udp_writev(&u->stream, &v, 1);

        if (took == -EAGAIN) {
            CHECK(refused++ < 2 * size + 2);
            if (every == 1)
                every = 2; /* never any room would be for ever */
            continue;
        }
        CHECK(took > 0 && (size_t)took <= n);
        at += (size_t)took;
    }
    CHECK(sent <= size); /* each message once */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned choice = fuzz_byte(&in);
    static uint8_t frames[ROOM];
    struct sf_address from;
    struct udp_stream *u;
    uint8_t *body;
    size_t n;

    every = fuzz_byte(&in) % 4;
    sends = 0;
    sent = 0;
    body = fuzz_rest(&in);
    u = calloc(1, sizeof *u);
    CHECK(u && sf_addr_parse(&from, "127.0.0.1", 5555, false) == 0);
    u->family = AF_INET;
    u->groups = choice & 1;
    u->hears = true;
    n = make_frames(u, frames, body, in.left < DATAGRAM_MAX ? in.left : DATAGRAM_MAX, &from);
    CHECK(n <= ROOM);
    if (n)
        check_frames(frames, n);
    u->hears = choice & 2;
    u->to = from;
    write_pieces(u, body, in.left, 1 + choice / 4);
    free(u);
    free(body);
    return 0;
}
