/* tcp:// through a SOCKS5 proxy: what is said, byte for byte, as captured from the reference. */
#include <sys/socket.h>

#include "streams.h"

struct line {
    const char *from_us, *from_proxy; /* hexadecimal */
};

static const struct {
    const char *target, *user, *password;
    struct line lines[4];
    int err;
} talks[] = {
    {"tcp://127.0.0.1:5555", NULL, NULL,
     {{"050100", "0500"}, {"050100017f00000115b3", "05000001000000000000"}}, 0},
    {"tcp://[::1]:5555", NULL, NULL,
     {{"050100", "0500"},
      {"050100040000000000000000000000000000000115b3", "05000001000000000000"}}, 0},
    {"tcp://example.test:5555", "", "unused",
     {{"050100", "0500"},
      {"050100030c6578616d706c652e7465737415b3", "05000001000000000000"}}, 0},
    {"tcp://127.0.0.1:5555", "joe", "pw",
     {{"050102", "0502"}, {"01036a6f65027077", "0100"},
      {"050100017f00000115b3", "05000001000000000000"}}, 0},
    {"tcp://127.0.0.1:5555", "joe", NULL,
     {{"050102", "0502"}, {"01036a6f6500", "0100"},
      {"050100017f00000115b3", "0500000302616204d2"}}, 0},
    {"tcp://127.0.0.1:5555", NULL, NULL,
     {{"050100", "0500"},
      {"050100017f00000115b3", "05000004000000000000000000000000000000010050"}}, 0},
    {"tcp://127.0.0.1:5555", NULL, NULL,
     {{"050100", "0500"}, {"050100017f00000115b3", "05000003000050"}}, 0},
    {"tcp://127.0.0.1:5555", NULL, NULL, {{"050100", "05ff"}}, -EACCES},
    {"tcp://127.0.0.1:5555", NULL, NULL, {{"050100", "0502"}}, -EACCES},
    {"tcp://127.0.0.1:5555", NULL, NULL, {{"050100", "0400"}}, -EPROTO},
    {"tcp://127.0.0.1:5555", "joe", "pw", {{"050102", "0500"}}, -EACCES},
    {"tcp://127.0.0.1:5555", "joe", "pw",
     {{"050102", "0502"}, {"01036a6f65027077", "0101"}}, -EACCES},
    {"tcp://127.0.0.1:5555", NULL, NULL,
     {{"050100", "0500"}, {"050100017f00000115b3", "05050001000000000000"}}, -ECONNREFUSED},
    {"tcp://127.0.0.1:5555", NULL, NULL,
     {{"050100", "0500"}, {"050100017f00000115b3", "05000009000000000000"}}, -EPROTO},
    {"tcp://127.0.0.1:5555", NULL, NULL, {{"050100", ""}}, -ECONNRESET},
};

enum { TALKS = sizeof talks / sizeof talks[0] };

static size_t bytes_of(uint8_t *to, const char *hex)
{
    size_t n = 0;

    for (unsigned byte; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        to[n] = (uint8_t)byte;
    return n;
}

/* The stream goes on as far as it can; 0 or an error ends it. */
static int go_on(struct sf_stream *s)
{
    int err;

    while ((err = s->ops->open(s)) == -EAGAIN && s->want == SF_WRITE)
        test_await(s->fd, s->want);
    return err;
}

static void talk(int i, bool bytewise)
{
    struct sf_stream_options o;
    struct sf_stream *near, *far;
    struct sf_acceptor *proxy;
    char user[8], at[SF_STREAM_NAME_MAX];
    int err = -EAGAIN;

    sf_stream_options_init(&o);
    proxy = test_listen("tcp://127.0.0.1:*", &o);
    snprintf(at, sizeof at, "%s", proxy->text + 6);
    o.socks_proxy = at;
    if (talks[i].user)
        snprintf(user, sizeof user, "%s", talks[i].user);
    o.socks_user = talks[i].user ? user : NULL;
    o.socks_password = talks[i].password;
    ck_assert_int_eq(test_dial(talks[i].target, &o, &near), 0);
    memset(at, 'x', sizeof at); /* the options were only borrowed */
    memset(user, 'x', sizeof user);
    far = test_accept(proxy, &o);

    for (const struct line *l = talks[i].lines; l < talks[i].lines + 4 && l->from_us; l++) {
        uint8_t expected[64], reply[65], got[64];
        size_t n = bytes_of(expected, l->from_us), have = 0, n_reply = bytes_of(reply, l->from_proxy);

        err = go_on(near);
        ck_assert_int_eq(err, -EAGAIN);
        while (have < n) {
            ssize_t more = recv(far->fd, got + have, sizeof got - have, MSG_DONTWAIT);

            if (more < 0)
                test_await(far->fd, SF_READ);
            else
                have += (size_t)more;
        }
        ck_assert_uint_eq(have, n);
        ck_assert_mem_eq(got, expected, n);
        if (n_reply == 0)
            far->ops->shut(far);
        if (talks[i].err == 0 && l + 1 < talks[i].lines + 4 && !l[1].from_us)
            reply[n_reply++] = 0xff; /* the greeting comes in the same packet */
        for (size_t sent = 0; sent < n_reply;) {
            size_t part = bytewise ? 1 : n_reply;

            ck_assert_int_eq((int)send(far->fd, reply + sent, part, MSG_NOSIGNAL), (int)part);
            sent += part;
            if (sent < n_reply && near->fd >= 0 && err == -EAGAIN) {
                test_await(near->fd, SF_READ);
                err = near->ops->open(near);
            }
        }
        if (err == -EAGAIN) {
            test_await(near->fd, SF_READ);
            err = near->ops->open(near);
        }
    }
    if (err == -EAGAIN)
        err = test_open(near);
    ck_assert_int_eq(err, talks[i].err);
    if (!err) {
        ck_assert_str_eq(test_read(near), "\xff"); /* not a byte too much was read */
        test_talk(near, far);
    } else {
        near->ops->close(near);
        far->ops->close(far);
    }
    proxy->transport->close(proxy);
}

START_TEST(the_proxy_is_asked_as_captured)
{
    talk(_i, false);
}
END_TEST

START_TEST(a_reply_may_come_byte_by_byte)
{
    talk(_i, true);
}
END_TEST

START_TEST(what_is_too_long_for_the_protocol_is_refused)
{
    struct sf_stream_options o;
    struct sf_stream *s;
    char user[300];

    memset(user, 'a', sizeof user);
    user[256] = 0;
    sf_stream_options_init(&o);
    o.socks_proxy = "127.0.0.1:1080";
    o.socks_user = user;
    ck_assert_int_eq(test_dial("tcp://host:1", &o, &s), -ENAMETOOLONG);
    o.socks_user = NULL;
    o.socks_proxy = "127.0.0.1";
    ck_assert_int_eq(test_dial("tcp://host:1", &o, &s), -EINVAL);
}
END_TEST

static void fill(TCase *tc)
{
    tcase_add_loop_test(tc, the_proxy_is_asked_as_captured, 0, TALKS);
    tcase_add_loop_test(tc, a_reply_may_come_byte_by_byte, 0, TALKS);
    tcase_add_test(tc, what_is_too_long_for_the_protocol_is_refused);
}

int main(void)
{
    return test_main("socks", fill);
}
