/* What a monitor tells: every step of a connection, in order, and never at the expense of the socket. */
#include "support.h"

#define EVENT(name) SIFR_EVENT_##name

struct event {
    uint16_t number;
    uint32_t value;
    char endpoint[128];
};

/* Watches a socket from now on. */
static sifr_socket_t *watch(sifr_socket_t *s, int events)
{
    struct endpoint e = fresh_endpoint(INPROC);
    sifr_socket_t *monitor = new_socket(SIFR_PAIR);

    ck_works(sifr_socket_monitor(s, e.text, events));
    connect_to(monitor, &e);
    return monitor;
}

static struct event recv_event(sifr_socket_t *monitor)
{
    struct event e = {0};
    uint8_t head[16];
    int size;

    size = sifr_recv(monitor, head, sizeof head, 0);
    ck_assert_msg(size == 6, "no event: %d, errno %d (%s)", size, errno, strerror(errno));
    ck_assert_int_eq(get_int(monitor, SIFR_RCVMORE), 1);
    memcpy(&e.number, head, 2);
    memcpy(&e.value, head + 2, 4);
    size = sifr_recv(monitor, e.endpoint, sizeof e.endpoint - 1, 0);
    ck_assert_int_ge(size, 0);
    ck_assert_int_eq(get_int(monitor, SIFR_RCVMORE), 0);
    ck_assert_uint_eq(strlen(e.endpoint), (size_t)size); /* no NUL */
    return e;
}

#define expect(monitor, name, endpoint) expect_at(__LINE__, monitor, EVENT(name), #name, endpoint)

/* The next event is this one; endpoint NULL: of whatever. Returns its value. */
static uint32_t expect_at(int line, sifr_socket_t *monitor, int number, const char *name, const char *endpoint)
{
    struct event e = recv_event(monitor);

    ck_assert_msg(e.number == number, "line %d: event 0x%x (value %u, %s) instead of %s", line, e.number, e.value,
                  e.endpoint, name);
    if (endpoint)
        ck_assert_msg(strcmp(e.endpoint, endpoint) == 0, "line %d: %s of %s instead of %s", line, name, e.endpoint,
                      endpoint);
    return e.value;
}

/* A dialled connection is there; DELAYED is told for tcp alone. */
static uint32_t expect_connected(sifr_socket_t *monitor, enum transport t, const char *endpoint)
{
    uint32_t fd;

    if (t == TCP)
        ck_assert_uint_eq(expect(monitor, CONNECT_DELAYED, endpoint), EINPROGRESS);
    fd = expect(monitor, CONNECTED, endpoint);
    ck_assert_uint_eq(expect(monitor, HANDSHAKE_SUCCEEDED, endpoint), 0);
    return fd;
}

static void expect_silence(sifr_socket_t *monitor)
{
    ck_assert_msg(!readable_within(monitor, 30), "event 0x%x", recv_event(monitor).number);
}

static int raw_connect(const struct endpoint *e)
{
    struct sockaddr_in a = own_address(0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)atoi(strrchr(e->text, ':') + 1));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static int raw_listen(struct endpoint *e)
{
    struct sockaddr_in a = own_address(0);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    snprintf(e->text, sizeof e->text, "tcp://%s:%d", own_host(), ntohs(a.sin_port));
    return fd;
}

/* ---- Sequences ----------------------------------------------------------------------------------------------- */

START_TEST(both_sides_tell_how_a_connection_begins_and_ends)
{
    enum transport t = (enum transport)_i;
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *of_server = watch(server, SIFR_EVENT_ALL), *of_client = watch(client, SIFR_EVENT_ALL);
    struct endpoint e = bind_fresh(server, t);
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    uint32_t accepted, connected;

    expect(of_server, LISTENING, e.text);
    connect_to(client, &e);
    connected = expect_connected(of_client, t, e.text);
    accepted = expect(of_server, ACCEPTED, e.text);
    expect(of_server, HANDSHAKE_SUCCEEDED, e.text);
    ck_assert_int_eq(getpeername((int)connected, (struct sockaddr *)&address, &size), 0);
    size = sizeof address;
    ck_assert_int_eq(getpeername((int)accepted, (struct sockaddr *)&address, &size), 0);
    drop(client);
    expect(of_client, MONITOR_STOPPED, NULL);
    ck_assert_uint_eq(expect(of_server, DISCONNECTED, e.text), accepted);
    expect_silence(of_server);
    drop(server);
    expect(of_server, CLOSED, e.text);
    expect(of_server, MONITOR_STOPPED, NULL);
}
END_TEST

START_TEST(a_dialler_tells_that_it_is_refused_and_tries_again)
{
    sifr_socket_t *client = new_socket(SIFR_PUSH), *monitor = watch(client, SIFR_EVENT_ALL);
    struct endpoint e = fresh_endpoint((enum transport)_i);

    set_int(client, SIFR_RECONNECT_IVL, 10);
    connect_to(client, &e);
    for (int n = 0; n < 3; n++) {
        uint32_t wait;

        if (_i == TCP)
            expect(monitor, CONNECT_DELAYED, e.text);
        expect(monitor, CLOSED, e.text);
        wait = expect(monitor, CONNECT_RETRIED, e.text);
        ck_assert(wait >= 10 && wait < 20);
    }
    drop(client);
    for (struct event last = recv_event(monitor); last.number != SIFR_EVENT_MONITOR_STOPPED;)
        last = recv_event(monitor);
}
END_TEST

START_TEST(waits_double_up_to_their_maximum)
{
    static const uint32_t waits[] = {10, 20, 40, 50, 50};
    sifr_socket_t *client = new_socket(SIFR_PUSH), *monitor = watch(client, SIFR_EVENT_CONNECT_RETRIED);
    struct endpoint e = fresh_endpoint((enum transport)_i);

    set_int(client, SIFR_RECONNECT_IVL, 10);
    set_int(client, SIFR_RECONNECT_IVL_MAX, 50);
    connect_to(client, &e);
    for (int n = 0; n < COUNT(waits); n++)
        ck_assert_uint_eq(expect(monitor, CONNECT_RETRIED, e.text), waits[n]);
}
END_TEST

START_TEST(a_lost_peer_is_told_and_dialled_again)
{
    enum transport t = (enum transport)_i;
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *monitor = watch(client, SIFR_EVENT_ALL & ~SIFR_EVENT_CONNECT_DELAYED);
    struct endpoint e = bind_fresh(server, t);

    set_int(client, SIFR_RECONNECT_IVL, 5);
    connect_to(client, &e);
    for (int n = 0; n < 3; n++) {
        uint32_t fd = expect(monitor, CONNECTED, e.text);

        expect(monitor, HANDSHAKE_SUCCEEDED, e.text);
        drop(server);
        ck_assert_uint_eq(expect(monitor, DISCONNECTED, e.text), fd);
        expect(monitor, CONNECT_RETRIED, e.text);
        expect(monitor, CLOSED, e.text); /* nobody there */
        server = new_socket(SIFR_PULL);
        rebind_to(server, &e);
        for (;;) {
            sifr_pollitem_t item = {.socket = monitor, .events = SIFR_POLLIN};
            struct event last;

            ck_assert_int_eq(sifr_poll(&item, 1, WAIT_MS), 1);
            last = recv_event(monitor);
            if (last.number == SIFR_EVENT_CONNECTED)
                break;
            ck_assert(last.number == SIFR_EVENT_CLOSED || last.number == SIFR_EVENT_CONNECT_RETRIED);
        }
        expect(monitor, HANDSHAKE_SUCCEEDED, e.text);
        ck_works(sifr_disconnect(client, e.text));
        connect_to(client, &e);
    }
}
END_TEST

START_TEST(what_one_ends_oneself_is_told_to_the_peer_alone)
{
    enum transport t = (enum transport)_i;
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *of_server = watch(server, SIFR_EVENT_ALL), *of_client = watch(client, SIFR_EVENT_ALL);
    struct endpoint e = bind_fresh(server, t);

    expect(of_server, LISTENING, e.text);
    connect_to(client, &e);
    expect_connected(of_client, t, e.text);
    expect(of_server, ACCEPTED, e.text);
    expect(of_server, HANDSHAKE_SUCCEEDED, e.text);
    ck_works(sifr_disconnect(client, e.text));
    expect(of_server, DISCONNECTED, e.text);
    expect_silence(of_client);
    connect_to(client, &e);
    expect_connected(of_client, t, e.text);
    expect(of_server, ACCEPTED, e.text);
    expect(of_server, HANDSHAKE_SUCCEEDED, e.text);
    ck_works(sifr_unbind(server, e.text));
    expect(of_server, CLOSED, e.text);
    expect(of_client, DISCONNECTED, e.text);
    expect(of_client, CONNECT_RETRIED, e.text);
}
END_TEST

START_TEST(a_bind_that_fails_is_told_and_keeps_its_errno)
{
    sifr_socket_t *first = new_socket(SIFR_PULL), *second = new_socket(SIFR_PULL);
    sifr_socket_t *monitor = watch(second, SIFR_EVENT_ALL);
    struct endpoint e = bind_fresh(first, (enum transport)_i);
    struct event told;

    ck_fails(sifr_bind(second, e.text), EADDRINUSE);
    told = recv_event(monitor);
    if (told.number == SIFR_EVENT_CLOSED)
        told = recv_event(monitor);
    ck_assert_int_eq(told.number, SIFR_EVENT_BIND_FAILED);
    ck_assert_uint_eq(told.value, EADDRINUSE);
    ck_assert_str_eq(told.endpoint, e.text);
    expect_silence(monitor);
}
END_TEST

START_TEST(peers_of_types_that_do_not_fit_part_for_ever)
{
    enum transport t = (enum transport)_i;
    sifr_socket_t *server = new_socket(SIFR_PUB), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *of_server = watch(server, SIFR_EVENT_ALL), *of_client = watch(client, SIFR_EVENT_ALL);
    struct endpoint e = bind_fresh(server, t);
    struct event told;

    set_int(client, SIFR_RECONNECT_IVL, 5);
    expect(of_server, LISTENING, e.text);
    connect_to(client, &e);
    if (t == TCP)
        expect(of_client, CONNECT_DELAYED, e.text);
    expect(of_client, CONNECTED, e.text);
    told = recv_event(of_client); /* the one that did not detect it may call it a failed handshake */
    if (told.number == SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        told = recv_event(of_client);
    ck_assert_int_eq(told.number, SIFR_EVENT_DISCONNECTED);
    expect(of_server, ACCEPTED, e.text);
    told = recv_event(of_server);
    if (told.number == SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        told = recv_event(of_server);
    ck_assert_int_eq(told.number, SIFR_EVENT_DISCONNECTED);
    expect_silence(of_client);
    expect_silence(of_server);
}
END_TEST

START_TEST(a_filter_that_refuses_is_told)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *of_server = watch(server, SIFR_EVENT_ALL), *of_client = watch(client, SIFR_EVENT_ALL);
    struct endpoint e;
    struct event told;

    set_text(server, SIFR_TCP_ACCEPT_FILTER, "192.0.2.0/24");
    e = bind_fresh(server, TCP);
    expect(of_server, LISTENING, e.text);
    connect_to(client, &e);
    expect(of_client, CONNECT_DELAYED, e.text);
    expect(of_client, CONNECTED, e.text);
    told = recv_event(of_client);
    if (told.number == SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        told = recv_event(of_client);
    ck_assert_int_eq(told.number, SIFR_EVENT_DISCONNECTED);
    expect(of_client, CONNECT_RETRIED, e.text);
    ck_assert_uint_ne(expect(of_server, ACCEPT_FAILED, e.text), 0);
}
END_TEST

/* ---- Strangers ----------------------------------------------------------------------------------------------- */

START_TEST(a_stranger_who_leaves_at_once_is_told)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *monitor = watch(server, SIFR_EVENT_ALL);
    struct endpoint e = bind_fresh(server, TCP);
    uint32_t fd;

    expect(monitor, LISTENING, e.text);
    for (int n = 0; n < 3; n++) {
        close(raw_connect(&e));
        fd = expect(monitor, ACCEPTED, e.text);
        ck_assert_uint_ne(expect(monitor, HANDSHAKE_FAILED_NO_DETAIL, e.text), 0);
        ck_assert_uint_eq(expect(monitor, DISCONNECTED, e.text), fd);
    }
}
END_TEST

START_TEST(a_stranger_who_says_nothing_has_his_time)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *monitor = watch(server, SIFR_EVENT_ALL);
    struct endpoint e;
    int64_t start;
    int fd;

    set_int(server, SIFR_HANDSHAKE_IVL, 100);
    e = bind_fresh(server, TCP);
    expect(monitor, LISTENING, e.text);
    start = now_ms();
    fd = raw_connect(&e);
    expect(monitor, ACCEPTED, e.text);
    ck_assert_uint_ne(expect(monitor, HANDSHAKE_FAILED_NO_DETAIL, e.text), 0);
    expect(monitor, DISCONNECTED, e.text);
    ck_assert_int_ge(now_ms() - start, 99);
    close(fd);
}
END_TEST

START_TEST(a_server_that_says_nothing_is_left_and_dialled_again)
{
    sifr_socket_t *client = new_socket(SIFR_PUSH), *monitor = watch(client, SIFR_EVENT_ALL);
    struct endpoint e;
    int fd = raw_listen(&e);

    set_int(client, SIFR_HANDSHAKE_IVL, 50);
    set_int(client, SIFR_RECONNECT_IVL, 5);
    connect_to(client, &e);
    for (int n = 0; n < 3; n++) {
        expect(monitor, CONNECT_DELAYED, e.text);
        expect(monitor, CONNECTED, e.text);
        ck_assert_uint_ne(expect(monitor, HANDSHAKE_FAILED_NO_DETAIL, e.text), 0);
        expect(monitor, DISCONNECTED, e.text);
        expect(monitor, CONNECT_RETRIED, e.text);
    }
    close(fd);
}
END_TEST

/* A greeting of ZMTP 3.1 that names a mechanism. */
static void send_greeting(int fd, const char *mechanism)
{
    uint8_t greeting[64] = {0xff, [8] = 1, 0x7f, 3, 1};

    memcpy(greeting + 12, mechanism, strlen(mechanism));
    ck_assert_int_eq(write(fd, greeting, sizeof greeting), sizeof greeting);
}

enum { UNTOLD = 1 };

START_TEST(breaches_of_protocol_are_told_with_their_kind)
{
    static const struct {
        const char *mechanism, *bytes;
        size_t size;
        uint32_t code; /* 0: any; UNTOLD: the connection ends without a reason, as the reference's does */
    } cases[] = {
        {"PLAIN", "", 0, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH},
        {"NONSENSE", "", 0, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH},
        {"NULL", "\4\6\5HELLO", 8, SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND},
        {"NULL", "\0\1x", 3, 0},                                             /* a message before READY */
        {"NULL", "\4\x1a\5READY\13Socket-Type\0\0\0\x40PUSH", 28, UNTOLD}, /* metadata that lie of a length */
        {"NULL", "\4\x19\5READY\13Socket-Type\0\0\0\3REP", 27, UNTOLD},     /* a type that does not fit */
    };
    sifr_socket_t *server = new_socket(SIFR_PULL), *monitor = watch(server, SIFR_EVENT_ALL);
    struct endpoint e = bind_fresh(server, TCP);

    expect(monitor, LISTENING, e.text);
    for (int i = 0; i < COUNT(cases); i++) {
        int fd = raw_connect(&e);
        uint32_t code;

        send_greeting(fd, cases[i].mechanism);
        ck_assert_int_eq(write(fd, cases[i].bytes, cases[i].size), cases[i].size);
        expect(monitor, ACCEPTED, e.text);
        if (cases[i].code != UNTOLD) {
            code = expect(monitor, HANDSHAKE_FAILED_PROTOCOL, e.text);
            ck_assert_msg(code == cases[i].code || (cases[i].code == 0 && code >= 0x10000000), "case %d: code 0x%x",
                          i, code);
        }
        expect(monitor, DISCONNECTED, e.text);
        close(fd);
    }
}
END_TEST

/* ---- The monitor itself -------------------------------------------------------------------------------------- */

START_TEST(only_what_was_asked_for_is_told)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *of_server = watch(server, SIFR_EVENT_HANDSHAKE_SUCCEEDED | SIFR_EVENT_DISCONNECTED);
    sifr_socket_t *of_client = watch(client, 0);
    struct endpoint e = bind_fresh(server, TCP);

    connect_to(client, &e);
    expect(of_server, HANDSHAKE_SUCCEEDED, e.text);
    drop(client);
    expect(of_server, DISCONNECTED, e.text);
    drop(server);
    expect_silence(of_server);
    expect_silence(of_client);
}
END_TEST

START_TEST(inproc_has_nothing_to_tell)
{
    sifr_socket_t *server = new_socket(SIFR_PAIR), *client = new_socket(SIFR_PAIR);
    sifr_socket_t *of_server = watch(server, SIFR_EVENT_ALL), *of_client = watch(client, SIFR_EVENT_ALL);
    struct endpoint e = bind_fresh(server, INPROC);

    connect_to(client, &e);
    send_parts(client, "hello");
    recv_parts(server, "hello");
    expect_silence(of_server);
    expect_silence(of_client);
}
END_TEST

START_TEST(a_monitor_is_stopped_and_replaced)
{
    sifr_socket_t *s = new_socket(SIFR_PULL), *first = watch(s, SIFR_EVENT_ALL), *second;
    struct endpoint e;

    second = watch(s, SIFR_EVENT_ALL);
    expect(first, MONITOR_STOPPED, NULL);
    e = bind_fresh(s, TCP);
    expect(second, LISTENING, e.text);
    expect_silence(first);
    ck_works(sifr_socket_monitor(s, NULL, 0));
    expect(second, MONITOR_STOPPED, NULL);
    ck_works(sifr_socket_monitor(s, NULL, 0));
    ck_works(sifr_unbind(s, e.text));
    expect_silence(second);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    sifr_socket_t *s = new_socket(SIFR_PULL), *other = new_socket(SIFR_PULL), *monitor;

    ck_fails(sifr_socket_monitor(s, "tcp://127.0.0.1:*", SIFR_EVENT_ALL), EPROTONOSUPPORT);
    ck_fails(sifr_socket_monitor(s, "ipc://@monitor", SIFR_EVENT_ALL), EPROTONOSUPPORT);
    ck_fails(sifr_socket_monitor(s, "foo://monitor", SIFR_EVENT_ALL), EPROTONOSUPPORT);
    ck_fails(sifr_socket_monitor(s, "", SIFR_EVENT_ALL), EINVAL);
    ck_fails(sifr_socket_monitor(s, "monitor", SIFR_EVENT_ALL), EINVAL);
    ck_fails(sifr_socket_monitor(s, "inproc://", SIFR_EVENT_ALL), EINVAL);
    ck_fails(sifr_socket_monitor(s, "inproc://m", SIFR_EVENT_ALL + 1), EINVAL);
    ck_works(sifr_bind(other, "inproc://taken"));
    ck_works(sifr_socket_monitor(s, "inproc://m", SIFR_EVENT_ALL));
    connect_to(monitor = new_socket(SIFR_PAIR), &(struct endpoint){"inproc://m"});
    ck_fails(sifr_socket_monitor(s, "inproc://taken", SIFR_EVENT_ALL), EADDRINUSE);
    expect(monitor, MONITOR_STOPPED, NULL);
    ck_works(sifr_socket_monitor(s, NULL, 0));
    ck_works(sifr_bind(other, "inproc://m")); /* which is free again */
}
END_TEST

START_TEST(its_name_is_free_when_the_socket_is_closed)
{
    for (int n = 0; n < 500; n++) {
        sifr_socket_t *s = new_socket(SIFR_PULL);

        ck_works(sifr_socket_monitor(s, "inproc://monitor", SIFR_EVENT_ALL));
        drop(s);
    }
}
END_TEST

START_TEST(events_nobody_reads_wait_and_hold_nobody_up)
{
    enum { TURNS = 4000 };
    sifr_socket_t *s = new_socket(SIFR_PULL), *monitor = NULL;
    struct endpoint e = fresh_endpoint(INPROC), bound;

    ck_works(sifr_socket_monitor(s, e.text, SIFR_EVENT_ALL));
    if (_i) /* a reader that does not read */
        connect_to(monitor = new_socket(SIFR_PAIR), &e);
    for (int n = 0; n < TURNS; n++) {
        bound = bind_fresh(s, IPC);
        ck_works(sifr_unbind(s, bound.text));
    }
    if (!_i)
        connect_to(monitor = new_socket(SIFR_PAIR), &e);
    for (int n = 0; n < TURNS; n++) {
        expect(monitor, LISTENING, NULL);
        expect(monitor, CLOSED, n == TURNS - 1 ? bound.text : NULL);
    }
    ck_works(sifr_socket_monitor(s, NULL, 0));
    expect(monitor, MONITOR_STOPPED, NULL);
}
END_TEST

START_TEST(a_monitor_without_reader_is_closed_without_waiting)
{
    for (int n = 0; n < 100; n++) {
        struct endpoint e = fresh_endpoint(INPROC), bound;
        sifr_socket_t *s = new_socket(SIFR_PULL), *reader = new_socket(SIFR_PAIR);

        ck_works(sifr_socket_monitor(s, e.text, SIFR_EVENT_ALL));
        if (n % 3 == 0)
            connect_to(reader, &e);
        drop(reader);
        bound = bind_fresh(s, TCP);
        ck_works(sifr_unbind(s, bound.text));
        if (n % 2)
            ck_works(sifr_socket_monitor(s, NULL, 0));
        drop(s);
    }
}
END_TEST

/* ---- Version 2 ----------------------------------------------------------------------------------------------- */

struct event2 {
    uint64_t number, n_values, values[2];
    char local[128], remote[128];
};

static void recv_text_frame(sifr_socket_t *monitor, char text[128], bool more)
{
    int size = sifr_recv(monitor, text, 127, 0);

    ck_assert_int_ge(size, 0);
    text[size] = 0;
    ck_assert_int_eq(get_int(monitor, SIFR_RCVMORE), more);
}

static uint64_t recv_number_frame(sifr_socket_t *monitor)
{
    uint64_t number;

    ck_assert_int_eq(sifr_recv(monitor, &number, sizeof number, 0), sizeof number);
    ck_assert_int_eq(get_int(monitor, SIFR_RCVMORE), 1);
    return number;
}

static struct event2 recv_event2(sifr_socket_t *monitor)
{
    struct event2 e = {0};

    e.number = recv_number_frame(monitor);
    e.n_values = recv_number_frame(monitor);
    ck_assert_uint_eq(e.n_values, e.number == SIFR_EVENT_PIPES_STATS ? 2 : 1);
    for (uint64_t i = 0; i < e.n_values; i++)
        e.values[i] = recv_number_frame(monitor);
    recv_text_frame(monitor, e.local, true);
    recv_text_frame(monitor, e.remote, false);
    return e;
}

/* The next event is this one; an endpoint NULL: of this transport. */
static struct event2 expect2(sifr_socket_t *monitor, uint64_t number, const char *local, const char *remote)
{
    struct event2 e = recv_event2(monitor);

    ck_assert_msg(e.number == number, "event 0x%lx instead of 0x%lx", (unsigned long)e.number, (unsigned long)number);
    if (local)
        ck_assert_str_eq(e.local, local);
    else
        ck_assert_msg(strncmp(e.local, "tcp://127.0.0.1:", 16) == 0, "%s", e.local);
    if (remote)
        ck_assert_str_eq(e.remote, remote);
    else
        ck_assert_msg(strncmp(e.remote, "tcp://127.0.0.1:", 16) == 0, "%s", e.remote);
    return e;
}

static sifr_socket_t *watch2(sifr_socket_t *s, uint64_t events, int type)
{
    static const int readers[] = {[SIFR_PAIR] = SIFR_PAIR, [SIFR_PUSH] = SIFR_PULL, [SIFR_PUB] = SIFR_SUB};
    struct endpoint e = fresh_endpoint(INPROC);
    sifr_socket_t *monitor = new_socket(readers[type]);

    if (type == SIFR_PUB)
        set_text(monitor, SIFR_SUBSCRIBE, "");
    ck_works(sifr_socket_monitor_versioned(s, e.text, events, 2, type));
    connect_to(monitor, &e);
    return monitor;
}

static const int monitor_types[] = {SIFR_PAIR, SIFR_PUSH, SIFR_PUB};

START_TEST(version_2_tells_both_ends)
{
    int type = monitor_types[_i];
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *of_server = watch2(server, SIFR_EVENT_ALL_V2, type);
    sifr_socket_t *of_client = watch2(client, SIFR_EVENT_ALL_V2, type);
    struct endpoint e = bind_fresh(server, TCP);
    struct event2 accepted, connected, other;

    expect2(of_server, SIFR_EVENT_LISTENING, e.text, "");
    connect_to(client, &e);
    ck_assert_uint_eq(expect2(of_client, SIFR_EVENT_CONNECT_DELAYED, "", e.text).values[0], EINPROGRESS);
    connected = expect2(of_client, SIFR_EVENT_CONNECTED, NULL, e.text);
    accepted = expect2(of_server, SIFR_EVENT_ACCEPTED, e.text, NULL);
    ck_assert_str_eq(connected.local, accepted.remote);
    expect2(of_client, SIFR_EVENT_HANDSHAKE_SUCCEEDED, connected.local, e.text);
    expect2(of_server, SIFR_EVENT_HANDSHAKE_SUCCEEDED, e.text, accepted.remote);
    drop(client);
    other = expect2(of_server, SIFR_EVENT_DISCONNECTED, e.text, accepted.remote);
    ck_assert_uint_eq(other.values[0], accepted.values[0]);
    expect2(of_client, SIFR_EVENT_MONITOR_STOPPED, "", "");
    ck_works(sifr_socket_monitor_versioned(server, NULL, 0, 2, type));
    expect2(of_server, SIFR_EVENT_MONITOR_STOPPED, "", "");
}
END_TEST

START_TEST(a_new_connection_has_a_new_far_end)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *client = new_socket(SIFR_PUSH);
    sifr_socket_t *monitor = watch2(client, SIFR_EVENT_CONNECTED | SIFR_EVENT_DISCONNECTED, SIFR_PAIR);
    struct endpoint e = bind_fresh(server, TCP);
    char first[128];

    set_int(client, SIFR_RECONNECT_IVL, 10);
    connect_to(client, &e);
    strcpy(first, expect2(monitor, SIFR_EVENT_CONNECTED, NULL, e.text).local);
    drop(server);
    expect2(monitor, SIFR_EVENT_DISCONNECTED, first, e.text);
    server = new_socket(SIFR_PULL);
    rebind_to(server, &e);
    ck_assert_str_ne(expect2(monitor, SIFR_EVENT_CONNECTED, NULL, e.text).local, first);
}
END_TEST

START_TEST(queues_are_counted_when_asked)
{
    sifr_socket_t *a = new_socket(SIFR_DEALER), *b = new_socket(SIFR_DEALER), *monitor;
    struct endpoint e = fresh_endpoint(TCP);
    struct event2 stats;

    ck_fails(sifr_socket_monitor_pipes_stats(a), EINVAL);
    monitor = watch2(a, SIFR_EVENT_ALL_V1, SIFR_PAIR);
    ck_fails(sifr_socket_monitor_pipes_stats(a), EINVAL);
    drop(monitor);
    monitor = watch2(a, SIFR_EVENT_PIPES_STATS, SIFR_PAIR);
    ck_fails(sifr_socket_monitor_pipes_stats(a), EAGAIN);
    connect_to(a, &e); /* nobody is there */
    for (int n = 0; n < 7; n++)
        send_text(a, "x", 0);
    ck_works(sifr_socket_monitor_pipes_stats(a));
    stats = expect2(monitor, SIFR_EVENT_PIPES_STATS, "", e.text);
    ck_assert(stats.values[0] == 7 && stats.values[1] == 0);
    bind_to(b, &e);
    for (int n = 0; n < 5; n++)
        send_text(b, "y", 0);
    for (int n = 0; n < 7; n++)
        recv_text(b, "x", false);
    eventually((sifr_socket_monitor_pipes_stats(a) == 0 &&
                (stats = recv_event2(monitor)).values[0] == 0 && stats.values[1] == 5));
    recv_text(a, "y", false);
    ck_works(sifr_socket_monitor_pipes_stats(a));
    ck_assert_uint_eq(recv_event2(monitor).values[1], 4);
    drop(a);
    ck_fails(sifr_socket_monitor_pipes_stats(a), ENOTSOCK);
    ck_fails(sifr_socket_monitor_pipes_stats(NULL), ENOTSOCK);
}
END_TEST

START_TEST(what_a_version_has_not_is_refused)
{
    sifr_socket_t *s = new_socket(SIFR_PAIR);

    ck_fails(sifr_socket_monitor_versioned(s, "inproc://m", 1, 0, SIFR_PAIR), EINVAL);
    ck_fails(sifr_socket_monitor_versioned(s, "inproc://m", 1, 3, SIFR_PAIR), EINVAL);
    ck_fails(sifr_socket_monitor_versioned(s, "inproc://m", 0x10000, 1, SIFR_PAIR), EINVAL);
    ck_fails(sifr_socket_monitor_versioned(s, "inproc://m", 0x20000, 2, SIFR_PAIR), EINVAL);
    ck_fails(sifr_socket_monitor_versioned(s, "inproc://m", UINT64_C(1) << 40, 2, SIFR_PAIR), EINVAL);
    for (int type = 0; type < 11; type++)
        if (type != SIFR_PAIR && type != SIFR_PUB && type != SIFR_PUSH)
            ck_fails(sifr_socket_monitor_versioned(s, "inproc://m", 1, 2, type), EINVAL);
    ck_fails(sifr_socket_monitor_versioned(s, "tcp://127.0.0.1:*", 1, 2, SIFR_PAIR), EPROTONOSUPPORT);
    ck_fails(sifr_socket_monitor_versioned(s, "inproc://", 1, 2, SIFR_PAIR), EINVAL);
    ck_fails(sifr_socket_monitor_versioned(NULL, "inproc://m", 1, 2, SIFR_PAIR), ENOTSOCK);
    ck_works(sifr_socket_monitor_versioned(s, NULL, 0, 2, SIFR_PAIR));
    ck_works(sifr_socket_monitor_versioned(s, "inproc://m", SIFR_EVENT_ALL_V2, 2, SIFR_PUSH));
    ck_fails(sifr_bind(new_socket(SIFR_PAIR), "inproc://m"), EADDRINUSE);
}
END_TEST

START_TEST(a_push_nobody_reads_keeps_its_events)
{
    sifr_socket_t *s = new_socket(SIFR_PULL), *reader = new_socket(SIFR_PULL);
    struct endpoint name = fresh_endpoint(INPROC), e;

    ck_works(sifr_socket_monitor_versioned(s, name.text, SIFR_EVENT_ALL, 1, SIFR_PUSH));
    e = bind_fresh(s, TCP);
    ck_works(sifr_unbind(s, e.text));
    ck_works(sifr_socket_monitor(s, NULL, 0));
    ck_works(sifr_socket_monitor_versioned(s, name.text, SIFR_EVENT_ALL, 1, SIFR_PUSH));
    e = bind_fresh(s, TCP);
    ck_works(sifr_unbind(s, e.text));
    connect_to(reader, &name);
    expect(reader, LISTENING, e.text);
    expect(reader, CLOSED, e.text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("monitor");
    TCase *c = new_case(s, "sequences");

    tcase_add_loop_test(c, both_sides_tell_how_a_connection_begins_and_ends, 0, INPROC);
    tcase_add_loop_test(c, a_dialler_tells_that_it_is_refused_and_tries_again, 0, INPROC);
    tcase_add_loop_test(c, waits_double_up_to_their_maximum, 0, INPROC);
    tcase_add_loop_test(c, a_lost_peer_is_told_and_dialled_again, 0, INPROC);
    tcase_add_loop_test(c, what_one_ends_oneself_is_told_to_the_peer_alone, 0, INPROC);
    tcase_add_loop_test(c, a_bind_that_fails_is_told_and_keeps_its_errno, 0, INPROC);
    tcase_add_loop_test(c, peers_of_types_that_do_not_fit_part_for_ever, 0, INPROC);
    tcase_add_test(c, a_filter_that_refuses_is_told);
    c = new_case(s, "strangers");
    tcase_add_test(c, a_stranger_who_leaves_at_once_is_told);
    tcase_add_test(c, a_stranger_who_says_nothing_has_his_time);
    tcase_add_test(c, a_server_that_says_nothing_is_left_and_dialled_again);
    tcase_add_test(c, breaches_of_protocol_are_told_with_their_kind);
    c = new_case(s, "monitor");
    tcase_add_test(c, only_what_was_asked_for_is_told);
    tcase_add_test(c, inproc_has_nothing_to_tell);
    tcase_add_test(c, a_monitor_is_stopped_and_replaced);
    tcase_add_test(c, what_makes_no_sense_is_refused);
    tcase_add_test(c, its_name_is_free_when_the_socket_is_closed);
    tcase_add_loop_test(c, events_nobody_reads_wait_and_hold_nobody_up, 0, 2);
    tcase_add_test(c, a_monitor_without_reader_is_closed_without_waiting);
    tcase_add_loop_test(c, version_2_tells_both_ends, 0, COUNT(monitor_types));
    tcase_add_test(c, a_new_connection_has_a_new_far_end);
    tcase_add_test(c, queues_are_counted_when_asked);
    tcase_add_test(c, what_a_version_has_not_is_refused);
    tcase_add_test(c, a_push_nobody_reads_keeps_its_events);
    return run_suite(s);
}
