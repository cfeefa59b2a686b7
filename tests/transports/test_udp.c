/* udp: endpoints, and datagrams from frames and to frames, whatever way writes are cut. */
#include "streams.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "wire/frame.h"

/* Takes the place of sendmsg: when `full`, the system has no room every other time. */
static bool full;
static unsigned calls;

static ssize_t sometimes_sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (full && calls++ % 2 == 0) {
        errno = EAGAIN;
        return -1;
    }
    return sendmsg(fd, m, flags);
}

#define sendmsg sometimes_sendmsg
#include "transports/udp.c"
#undef sendmsg

START_TEST(endpoints_are_understood)
{
    static const struct {
        const char *text;
        int bound, connected; /* what parsing gives */
    } cases[] = {
        {"udp://127.0.0.1:5555", 0, 0},
        {"udp://*:5555", 0, -EINVAL},
        {"udp://127.0.0.1:*", 0, -EINVAL},
        {"udp://127.0.0.1:0", 0, -EINVAL},
        {"udp://localhost:5555", 0, 0},
        {"udp://239.0.0.1:5555", 0, 0},
        {"udp://*;239.0.0.1:5555", 0, 0},
        {"udp://lo;239.0.0.1:5555", 0, 0},
        {"udp://127.0.0.1;239.0.0.1:5555", 0, 0},
        {"udp://127.0.0.1;127.0.0.1:5555", -EINVAL, -EINVAL}, /* no group */
        {"udp://lo;localhost:5555", -EINVAL, -EINVAL},
        {"udp://;239.0.0.1:5555", -EINVAL, -EINVAL},
        {"udp://[::1]:5555", 0, 0},
        {"udp://lo;[ff02::1]:5555", 0, 0},
        {"udp://*;[ff02::1]:5555", 0, 0},
        {"udp://::1;[ff02::1]:5555", -EINVAL, -EINVAL}, /* an interface is meant */
        {"udp://127.0.0.1", -EINVAL, -EINVAL},
        {"udp://127.0.0.1:", -EINVAL, -EINVAL},
        {"udp://127.0.0.1:x", -EINVAL, -EINVAL},
        {"udp://127.0.0.1:65536", -EINVAL, -EINVAL},
        {"udp://:5555", -EINVAL, -EINVAL},
        {"udp://", -EINVAL, -EINVAL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int bind = 0; bind < 2; bind++) {
            struct sf_endpoint e;
            int err = sf_endpoint_parse(&e, cases[i].text, bind);

            ck_assert_msg(err == (bind ? cases[i].bound : cases[i].connected), "%s, bind %d: %d", cases[i].text, bind,
                          err);
            if (!err)
                sf_endpoint_fini(&e);
        }
}
END_TEST

static struct sf_stream *open_stream(const char *text, bool bound, bool groups)
{
    struct sf_stream_options o;
    struct sf_stream *s = NULL;
    struct sf_endpoint e;

    sf_stream_options_init(&o);
    o.groups = groups;
    ck_assert_int_eq(sf_endpoint_parse(&e, text, bound), 0);
    ck_assert_int_eq(e.transport->dial(&e, &o, NULL, &s), 0);
    sf_endpoint_fini(&e);
    ck_assert_int_eq(s->ops->open(s), 0);
    return s;
}

/* A bound one, and its endpoint. */
static struct sf_stream *open_bound(char *text, bool groups)
{
    struct sf_stream *s = open_stream("udp://127.0.0.1:*", true, groups);
    char remote[SF_STREAM_NAME_MAX];

    ck_assert_int_eq(s->ops->names(s, text, remote, SF_STREAM_NAME_MAX), 0);
    ck_assert_str_eq(remote, "");
    ck_assert_int_eq(strncmp(text, "udp://127.0.0.1:", 16), 0);
    return s;
}

static uint8_t frames[65536];
static size_t n_frames;

static void add_frame(unsigned flags, const void *body, size_t size)
{
    n_frames += sf_frame_put(frames + n_frames, flags, size);
    if (size)
        memcpy(frames + n_frames, body, size);
    n_frames += size;
}

static void write_all(struct sf_stream *s, size_t step)
{
    for (size_t at = 0; at < n_frames;) {
        size_t n = n_frames - at < step ? n_frames - at : step, half = n / 2;
        struct iovec v[2] = {{frames + at, half}, {frames + at + half, n - half}};
        ssize_t sent = half ? s->ops->writev(s, v, 2) : s->ops->writev(s, v + 1, 1);

        if (sent == -EAGAIN) {
            test_await(s->fd, SF_WRITE);
            continue;
        }
        ck_assert_int_gt(sent, 0);
        at += (size_t)sent;
    }
    n_frames = 0;
}

/* Reads so many bytes of frames. */
static void read_all(struct sf_stream *s, uint8_t *to, size_t size)
{
    static uint8_t room[65536];
    struct iovec v = {room, sizeof room};

    for (size_t at = 0; at < size;) {
        ssize_t n = s->ops->readv(s, &v, 1);

        if (n == -EAGAIN) {
            test_await(s->fd, SF_READ);
            continue;
        }
        ck_assert_int_gt(n, 0);
        ck_assert_uint_le((size_t)n, size - at);
        memcpy(to + at, room, (size_t)n);
        at += (size_t)n;
    }
}

START_TEST(groups_and_bodies_come_through)
{
    static const size_t steps[] = {65536, 1, 2, 3, 7, 100};
    static uint8_t got[65536], expected[65536], body[8192];
    char text[SF_STREAM_NAME_MAX], group[256];
    struct sf_stream *in = open_bound(text, true), *out = open_stream(text, false, true);
    size_t n;

    memset(group, 'g', sizeof group);
    memset(body, 'b', sizeof body);
    n_frames = 0;
    add_frame(SF_FRAME_MORE, "TV", 2), add_frame(0, "Friends", 7);
    add_frame(SF_FRAME_MORE, "", 0), add_frame(0, "nogroup", 7);
    add_frame(SF_FRAME_MORE, "TV", 2), add_frame(0, "", 0);
    add_frame(SF_FRAME_MORE, group, 255), add_frame(0, body, 300);
    add_frame(SF_FRAME_MORE, "big", 3), add_frame(0, body, 8188);
    n = n_frames;
    memcpy(expected, frames, n);
    write_all(out, steps[_i]);
    read_all(in, got, n);
    ck_assert_mem_eq(got, expected, n);
    out->ops->close(out);
    in->ops->close(in);
}
END_TEST

START_TEST(what_makes_no_datagram_is_lost_alone)
{
    static uint8_t got[64], body[20000];
    char text[SF_STREAM_NAME_MAX];
    struct sf_stream *in = open_bound(text, true), *out = open_stream(text, false, true);

    n_frames = 0;
    add_frame(SF_FRAME_MORE, "big", 3), add_frame(0, body, 8189);
    add_frame(SF_FRAME_MORE, "big", 3), add_frame(0, body, 20000);
    add_frame(SF_FRAME_MORE, body, 256), add_frame(0, "x", 1);
    add_frame(0, "one", 3);
    add_frame(SF_FRAME_MORE, "a", 1), add_frame(SF_FRAME_MORE, "b", 1), add_frame(0, "c", 1);
    add_frame(SF_FRAME_COMMAND, "\4JOINx", 6);
    add_frame(SF_FRAME_MORE, "g", 1), add_frame(0, "good", 4);
    write_all(out, _i ? 1 : sizeof frames);
    read_all(in, got, 9);
    ck_assert_mem_eq(got, "\1\1g\0\4good", 9);
    out->ops->close(out);
    in->ops->close(in);
}
END_TEST

/* A socket of the system, and where a bound stream is. */
static int plain_socket(const char *text, struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    *to = own;
    to->sin_port = htons((uint16_t)atoi(strrchr(text, ':') + 1));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    return fd;
}

START_TEST(datagrams_that_are_none_of_ours_are_passed_over)
{
    static char huge[20000];
    char text[SF_STREAM_NAME_MAX];
    struct sf_stream *in = open_bound(text, true);
    struct sockaddr_in to;
    int fd = plain_socket(text, &to);
    uint8_t got[64];

    memset(huge, 1, sizeof huge);
    for (int i = 0; i < 200; i++) { /* more than are looked at in one go */
        sendto(fd, "", 0, 0, (struct sockaddr *)&to, sizeof to);
        sendto(fd, "\x9TVz", 4, 0, (struct sockaddr *)&to, sizeof to); /* its group would go on */
        sendto(fd, "\xff", 1, 0, (struct sockaddr *)&to, sizeof to);
        if (i == 0)
            sendto(fd, huge, sizeof huge, 0, (struct sockaddr *)&to, sizeof to);
        if (i % 20)
            continue;
        ck_assert_int_eq(sendto(fd, "\2TVx", 4, 0, (struct sockaddr *)&to, sizeof to), 4);
        read_all(in, got, 7);
        ck_assert_mem_eq(got, "\1\2TV\0\1x", 7);
    }
    close(fd);
    in->ops->close(in);
}
END_TEST

START_TEST(buffers_to_read_into_have_room_for_any)
{
    char text[SF_STREAM_NAME_MAX];
    struct sf_stream *in = open_bound(text, true);
    uint8_t *room = malloc(in->read_room);
    struct iovec v = {room, in->read_room - 1};
    struct sockaddr_in to;
    int fd = plain_socket(text, &to);
    char largest[8192];

    memset(largest, 'x', sizeof largest);
    largest[0] = (char)255;
    ck_assert_int_eq(in->ops->readv(in, &v, 1), -ENOBUFS);
    v.iov_len++;
    ck_assert_int_eq(in->ops->readv(in, &v, 1), -EAGAIN);
    ck_assert_int_eq(sendto(fd, largest, sizeof largest, 0, (struct sockaddr *)&to, sizeof to), 8192);
    test_await(in->fd, SF_READ);
    ck_assert_int_eq(in->ops->readv(in, &v, 1), 2 + 255 + 9 + 8192 - 256);
    close(fd);
    free(room);
    in->ops->close(in);
}
END_TEST

START_TEST(datagrams_go_by_address)
{
    char text[SF_STREAM_NAME_MAX], address[64];
    struct sf_stream *s = open_bound(text, false);
    struct sockaddr_in to, own;
    int fd = plain_socket(text, &to);
    socklen_t size = sizeof own;
    static const char *const bad[] = {"127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "localhost:80", ":80", "", "[::1]:80",
                                      "127.0.0.1:99999", "127.0.0.1:80x"};
    uint8_t got[128];
    size_t n;

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &size), 0);
    n = (size_t)snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(own.sin_port));
    ck_assert_int_eq(sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof to), 5);
    read_all(s, got, 2 + n + 1 + 2 + 5);
    ck_assert_uint_eq(got[0], 1);
    ck_assert_uint_eq(got[1], n + 1);
    ck_assert_str_eq((char *)got + 2, address);
    ck_assert_mem_eq(got + 2 + n + 1, "\0\5hello", 7);
    n_frames = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        add_frame(SF_FRAME_MORE, bad[i], strlen(bad[i])), add_frame(0, "lost", 4);
    add_frame(SF_FRAME_MORE, "127.0.0.1:80\0\0", 14), add_frame(0, "lost", 4);
    add_frame(SF_FRAME_MORE, address, n), add_frame(0, "without", 7);
    add_frame(SF_FRAME_MORE, address, n + 1), add_frame(0, "with a 0", 8);
    write_all(s, sizeof frames);
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 7);
    ck_assert_mem_eq(got, "without", 7);
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 8);
    ck_assert_mem_eq(got, "with a 0", 8);
    close(fd);
    s->ops->close(s);
}
END_TEST

START_TEST(a_datagram_that_finds_no_room_is_sent_again_and_once)
{
    static const size_t steps[] = {1, 2, 3, 5, 6, 7, 11, 1000};
    enum { MANY = 50, SIZE = 6 };
    char text[SF_STREAM_NAME_MAX];
    struct sf_stream *in = open_bound(text, true), *out = open_stream(text, false, true);
    uint8_t got[SIZE * MANY + 4];

    full = true;
    n_frames = 0;
    for (int i = 0; i < MANY; i++)
        add_frame(SF_FRAME_MORE, "g", 1), add_frame(0, &(uint8_t){(uint8_t)i}, 1);
    add_frame(SF_FRAME_MORE, "", 0), add_frame(0, "", 0);
    write_all(out, steps[_i]);
    read_all(in, got, sizeof got);
    for (int i = 0; i < MANY; i++) {
        ck_assert_mem_eq(got + SIZE * i, "\1\1g\0\1", 5);
        ck_assert_uint_eq(got[SIZE * i + 5], (uint8_t)i);
    }
    ck_assert_mem_eq(got + SIZE * MANY, "\1\0\0\0", 4);
    ck_assert_uint_ge(calls, 2 * MANY);
    full = false;
    out->ops->close(out);
    in->ops->close(in);
}
END_TEST

START_TEST(addresses_in_use_and_elsewhere_are_refused)
{
    char text[SF_STREAM_NAME_MAX];
    struct sf_stream *s = open_bound(text, true), *t = NULL;
    struct sf_stream_options o;
    static const struct {
        const char *text;
        int err;
    } cases[] = {{NULL, -EADDRINUSE}, {"udp://192.0.2.77:*", -EADDRNOTAVAIL}, {"udp://nosuchif:*", -ENODEV},
                 {"udp://nosuchif;239.1.1.1:*", -ENODEV}, {"udp://[::1]:*", -ENODEV}};

    sf_stream_options_init(&o);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sf_endpoint e;

        ck_assert_int_eq(sf_endpoint_parse(&e, cases[i].text ? cases[i].text : text, true), 0);
        ck_assert_int_eq(e.transport->dial(&e, &o, NULL, &t), cases[i].err);
        sf_endpoint_fini(&e);
    }
    s->ops->close(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("udp");
    TCase *tcase = tcase_create("udp");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, endpoints_are_understood);
    tcase_add_loop_test(tcase, groups_and_bodies_come_through, 0, 6);
    tcase_add_loop_test(tcase, what_makes_no_datagram_is_lost_alone, 0, 2);
    tcase_add_test(tcase, datagrams_that_are_none_of_ours_are_passed_over);
    tcase_add_test(tcase, buffers_to_read_into_have_room_for_any);
    tcase_add_test(tcase, datagrams_go_by_address);
    tcase_add_loop_test(tcase, a_datagram_that_finds_no_room_is_sent_again_and_once, 0, 8);
    tcase_add_test(tcase, addresses_in_use_and_elsewhere_are_refused);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
