/* tcp:// endpoints, listeners and streams. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "io/net.h"
#include "streams.h"

static struct sf_stream_options o;

static void begin(void)
{
    sf_stream_options_init(&o);
}

static const struct {
    const char *text;
    bool bind;
    int err;
    const char *host;
    uint16_t port;
    const char *source;
} texts[] = {
    {"tcp://127.0.0.1:5555", true, 0, "127.0.0.1", 5555, ""},
    {"tcp://*:*", true, 0, "*", 0, ""},
    {"tcp://eth0:0", true, 0, "eth0", 0, ""},
    {"tcp://[::1]:5555", true, 0, "::1", 5555, ""},
    {"tcp://::1:5555", false, 0, "::1", 5555, ""},
    {"tcp://[fe80::1%lo]:5555", false, 0, "fe80::1%lo", 5555, ""},
    {"tcp://example.test:5555", false, 0, "example.test", 5555, ""},
    {"tcp://host:0", false, 0, "host", 0, ""},
    {"tcp://127.0.0.1:0;host:1", false, 0, "host", 1, "127.0.0.1"},
    {"tcp://lo:*;host:1", false, 0, "host", 1, "lo"},
    {"tcp://[::1]:7;[::1]:1", false, 0, "::1", 1, "::1"},
    {"tcp://127.0.0.1:0;host:1", true, -EINVAL, NULL, 0, NULL},
    {"tcp://*:5555", false, -EINVAL, NULL, 0, NULL},
    {"tcp://host:*", false, -EINVAL, NULL, 0, NULL},
    {"tcp://host:65536", false, -EINVAL, NULL, 0, NULL},
    {"tcp://host:99999", true, -EINVAL, NULL, 0, NULL},
    {"tcp://host", false, -EINVAL, NULL, 0, NULL},
    {"tcp://host:", false, -EINVAL, NULL, 0, NULL},
    {"tcp://host:5555/path", false, -EINVAL, NULL, 0, NULL},
    {"tcp://ho st:5555", false, -EINVAL, NULL, 0, NULL},
    {"tcp://;host:5555", false, -EINVAL, NULL, 0, NULL},
    {"tcp://", false, -EINVAL, NULL, 0, NULL},
    {"tcp:", false, -EINVAL, NULL, 0, NULL},
    {"://host:1", false, -EINVAL, NULL, 0, NULL},
    {"", false, -EINVAL, NULL, 0, NULL},
    {"TCP://127.0.0.1:1", false, -EPROTONOSUPPORT, NULL, 0, NULL},
    {"nosuch://x", true, -EPROTONOSUPPORT, NULL, 0, NULL},
};

START_TEST(endpoints_are_taken_apart_or_refused)
{
    struct sf_endpoint e;

    ck_assert_int_eq(sf_endpoint_parse(&e, texts[_i].text, texts[_i].bind), texts[_i].err);
    if (texts[_i].err)
        return;
    ck_assert_str_eq(e.text, texts[_i].text);
    ck_assert_str_eq(e.host, texts[_i].host);
    ck_assert_uint_eq(e.port, texts[_i].port);
    ck_assert_str_eq(e.source, texts[_i].source);
    sf_endpoint_fini(&e);
}
END_TEST

START_TEST(inproc_is_recognized)
{
    struct sf_endpoint e;

    ck_assert_int_eq(sf_endpoint_parse(&e, "inproc://a:b/*", false), 0);
    ck_assert(e.transport->inproc);
    ck_assert_str_eq(e.rest, "a:b/*");
    sf_endpoint_fini(&e);
    ck_assert_int_eq(sf_endpoint_parse(&e, NULL, false), -EINVAL);
}
END_TEST

static const struct {
    const char *bind;
    bool ipv6;
    const char *text, *dial; /* what both begin with */
} binds[] = {
    {"tcp://127.0.0.1:*", false, "tcp://127.0.0.1:", "tcp://127.0.0.1:"},
    {"tcp://127.0.0.1:0", false, "tcp://127.0.0.1:", "tcp://127.0.0.1:"},
    {"tcp://*:*", false, "tcp://0.0.0.0:", "tcp://127.0.0.1:"},
    {"tcp://lo:*", false, "tcp://127.0.0.1:", "tcp://127.0.0.1:0;127.0.0.1:"},
    {"tcp://localhost:*", false, "tcp://127.0.0.1:", "tcp://lo:*;127.0.0.1:"},
    {"tcp://*:*", true, "tcp://[::]:", "tcp://127.0.0.1:"},
    {"tcp://*:*", true, "tcp://[::]:", "tcp://[::1]:"},
    {"tcp://127.0.0.1:*", true, "tcp://[::ffff:127.0.0.1]:", "tcp://lo:0;127.0.0.1:"},
    {"tcp://[::1]:*", true, "tcp://[::1]:", "tcp://[::1]:*;[::1]:"},
};

START_TEST(a_connection_carries_bytes_both_ways)
{
    struct sf_stream *near, *far, *none;
    char local[SF_STREAM_NAME_MAX], remote[SF_STREAM_NAME_MAX], to[SF_STREAM_NAME_MAX];
    struct sf_acceptor *a;
    int value = 0;
    socklen_t len = sizeof value;

    begin();
    o.ipv6 = binds[_i].ipv6;
    a = test_listen(binds[_i].bind, &o);
    ck_assert_int_eq(strncmp(a->text, binds[_i].text, strlen(binds[_i].text)), 0);
    ck_assert_int_eq(a->transport->accept(a, &o, &none), -EAGAIN);
    snprintf(to, sizeof to, "%s%s", binds[_i].dial, strrchr(a->text, ':') + 1);
    ck_assert_int_eq(test_dial(to, &o, &near), 0);
    far = test_accept(a, &o);
    ck_assert_int_eq(test_open(near), 0);

    ck_assert_int_eq(getsockopt(near->fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    ck_assert_int_ne(value, 0);
    ck_assert_int_eq(getsockopt(far->fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    ck_assert_int_ne(value, 0);
    ck_assert_int_eq(near->ops->names(near, local, remote, sizeof local), 0);
    ck_assert_int_eq(far->ops->names(far, to, local, sizeof local), 0);
    ck_assert_str_eq(to, remote); /* one's far end is the other's near end */
    ck_assert_int_eq(far->ops->peer_address(far, to, sizeof to), 0);
    ck_assert_ptr_nonnull(strstr(to, "1"));
    ck_assert_int_eq(far->ops->peer_address(far, to, 2), -ENOBUFS);
    test_talk(near, far);
    a->transport->close(a);
}
END_TEST

START_TEST(binding_fails_for_its_reason)
{
    struct sf_acceptor *a;

    begin();
    a = test_listen("tcp://127.0.0.1:*", &o);
    ck_assert_int_eq(test_try_listen(a->text, &o), -EADDRINUSE);
    a->transport->close(a);
    ck_assert_int_eq(test_try_listen("tcp://192.0.2.1:*", &o), -EADDRNOTAVAIL);
    ck_assert_int_eq(test_try_listen("tcp://[::1]:*", &o), -ENODEV);
    ck_assert_int_eq(test_try_listen("tcp://no/such:*", &o), -ENODEV);
    o.ipv6 = true;
    ck_assert_int_eq(test_try_listen("tcp://[fe80::1%nosuch]:*", &o), -EINVAL);
    o.ipv6 = false;
    memcpy(o.device, "nosuch0", 8);
    ck_assert_int_lt(test_try_listen("tcp://127.0.0.1:*", &o), 0);
}
END_TEST

START_TEST(a_refused_connection_says_so)
{
    struct sf_acceptor *a;
    struct sf_stream *s;
    char to[128];
    int err;

    begin();
    a = test_listen("tcp://127.0.0.1:*", &o);
    snprintf(to, sizeof to, "%s", a->text);
    a->transport->close(a);
    err = test_dial(to, &o, &s);
    if (!err) {
        err = test_open(s);
        s->ops->close(s);
    }
    ck_assert_int_eq(err, -ECONNREFUSED);
}
END_TEST

START_TEST(a_connection_to_itself_is_refused)
{
    struct sf_acceptor *a;
    struct sf_stream *s;
    char to[160];
    const char *port;

    begin();
    a = test_listen("tcp://127.0.0.1:*", &o); /* only to find a free port */
    port = strrchr(a->text, ':') + 1;
    snprintf(to, sizeof to, "tcp://127.0.0.1:%s;127.0.0.1:%s", port, port);
    a->transport->close(a);
    ck_assert_int_eq(test_dial(to, &o, &s), 0);
    ck_assert_int_eq(test_open(s), -ECONNREFUSED);
    s->ops->close(s);
}
END_TEST

START_TEST(accept_filters_let_in_whom_they_name)
{
    struct sf_filter f[2];
    struct sf_stream *near, *far;
    struct sf_acceptor *a;
    char to[160];

    begin();
    o.ipv6 = _i; /* the filter is IPv4 and the peer perhaps mapped */
    ck_assert_int_eq(sf_filter_parse(&f[0], "10.0.0.0/8"), 0);
    ck_assert_int_eq(sf_filter_parse(&f[1], "127.0.0.0/8"), 0);
    o.accept_filters = f;
    o.n_accept_filters = 1;
    a = test_listen("tcp://*:*", &o);
    snprintf(to, sizeof to, "tcp://127.0.0.1:%s", strrchr(a->text, ':') + 1);
    ck_assert_int_eq(test_dial(to, &o, &near), 0);
    test_await(a->fd, SF_READ);
    ck_assert_int_eq(a->transport->accept(a, &o, &far), -ECONNABORTED);
    ck_assert_int_eq(test_open(near), 0);
    ck_assert_str_eq(test_read(near), "");
    near->ops->close(near);
    o.n_accept_filters = 2;
    ck_assert_int_eq(test_dial(to, &o, &near), 0);
    far = test_accept(a, &o);
    ck_assert_int_eq(test_open(near), 0);
    test_talk(near, far);
    a->transport->close(a);
}
END_TEST

START_TEST(options_reach_the_socket)
{
    struct sf_stream *near, *far;
    struct sf_acceptor *a;
    int value;
    socklen_t len = sizeof value;

    begin();
    o.sndbuf = o.rcvbuf = 20000;
    o.tos = 0x28;
    o.keepalive = 1;
    o.keepalive_cnt = 3;
    o.keepalive_idle = 17;
    o.keepalive_intvl = 5;
    o.maxrt = 4321;
    o.priority = 2;
    o.backlog = 3;
    a = test_listen("tcp://127.0.0.1:*", &o);
    ck_assert_int_eq(test_dial(a->text, &o, &near), 0);
    far = test_accept(a, &o);
    ck_assert_int_eq(test_open(near), 0);
    for (int i = 0; i < 2; i++) {
        int fd = i ? near->fd : far->fd;

        ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len), 0);
        ck_assert_int_eq(value, 40000);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_TOS, &value, &len), 0);
        ck_assert_int_eq(value, 0x28);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &len), 0);
        ck_assert_int_eq(value, 17);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len), 0);
        ck_assert_int_eq(value, 4321);
    }
    test_talk(near, far);
    a->transport->close(a);
}
END_TEST

START_TEST(a_listening_descriptor_is_taken_over)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sf_stream *near, *far;
    struct sf_acceptor *a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    begin();
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    o.use_fd = fd;
    a = test_listen("tcp://192.0.2.1:1", &o);
    ck_assert_int_eq(a->fd, fd);
    o.use_fd = -1;
    ck_assert_int_eq(strncmp(a->text, "tcp://127.0.0.1:", 16), 0);
    ck_assert_int_eq(test_dial(a->text, &o, &near), 0);
    far = test_accept(a, &o);
    ck_assert_int_eq(test_open(near), 0);
    test_talk(near, far);
    a->transport->close(a);
    o.use_fd = fd; /* closed by now */
    ck_assert_int_eq(test_try_listen("tcp://127.0.0.1:*", &o), -EINVAL);
}
END_TEST

START_TEST(the_host_to_look_up_is_the_name_or_the_proxy)
{
    char host[SF_ADDR_HOST_MAX], text[SF_STREAM_NAME_MAX];
    struct sf_endpoint e;
    uint16_t port;

    begin();
    ck_assert_int_eq(sf_endpoint_parse(&e, "tcp://some.host:7", false), 0);
    ck_assert_int_eq(e.transport->host(&e, &o, host, &port), 1);
    ck_assert_str_eq(host, "some.host");
    ck_assert_uint_eq(port, 7);
    o.socks_proxy = "proxy:1080";
    ck_assert_int_eq(e.transport->host(&e, &o, host, &port), 1);
    ck_assert_str_eq(host, "proxy");
    o.socks_proxy = "[::1]:1080";
    ck_assert_int_eq(e.transport->host(&e, &o, host, &port), 0);
    o.socks_proxy = "nonsense";
    ck_assert_int_eq(e.transport->host(&e, &o, host, &port), -EINVAL);
    ck_assert_int_eq(e.transport->canonical(&e, false, text, sizeof text), -EINVAL);
    sf_endpoint_fini(&e);
    ck_assert_int_eq(sf_endpoint_parse(&e, "tcp://127.0.0.1:7", true), 0);
    ck_assert_int_eq(e.transport->canonical(&e, true, text, sizeof text), 0);
    ck_assert_str_eq(text, "tcp://[::ffff:127.0.0.1]:7");
    sf_endpoint_fini(&e);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

static void fill(TCase *tc)
{
    tcase_add_loop_test(tc, endpoints_are_taken_apart_or_refused, 0, COUNT(texts));
    tcase_add_test(tc, inproc_is_recognized);
    tcase_add_loop_test(tc, a_connection_carries_bytes_both_ways, 0, COUNT(binds));
    tcase_add_test(tc, binding_fails_for_its_reason);
    tcase_add_test(tc, a_refused_connection_says_so);
    tcase_add_test(tc, a_connection_to_itself_is_refused);
    tcase_add_loop_test(tc, accept_filters_let_in_whom_they_name, 0, 2);
    tcase_add_test(tc, options_reach_the_socket);
    tcase_add_test(tc, a_listening_descriptor_is_taken_over);
    tcase_add_test(tc, the_host_to_look_up_is_the_name_or_the_proxy);
}

int main(void)
{
    return test_main("tcp", fill);
}
