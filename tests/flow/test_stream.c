/* STREAM: bytes over tcp and ipc, with peers that speak no ZMTP. */
#include "support.h"

#include <stddef.h>
#include <sys/un.h>

struct id {
    uint8_t bytes[256];
    size_t size;
};

/* Receives (id, data): the data's size. */
static size_t recv_from(sifr_socket_t *s, struct id *id, void *data, size_t room)
{
    int n = sifr_recv(s, id->bytes, sizeof id->bytes, 0);

    ck_assert_msg(n > 0, "no id: errno %d (%s)", errno, strerror(errno));
    id->size = (size_t)n;
    ck_assert_int_eq(get_int(s, SIFR_RCVMORE), 1);
    n = sifr_recv(s, data, room, 0);
    ck_assert_int_ge(n, 0);
    ck_assert_int_eq(get_int(s, SIFR_RCVMORE), 0);
    return (size_t)n;
}

/* Receives that somebody came or went. */
static struct id recv_notice(sifr_socket_t *s)
{
    struct id id;
    char data[64];
    size_t n = recv_from(s, &id, data, sizeof data);

    ck_assert_msg(n == 0, "'%.*s' instead of a notice", (int)n, data);
    return id;
}

/* Receives these bytes from a peer, in whatever pieces they come. */
static void recv_all(sifr_socket_t *s, const struct id *from, const void *bytes, size_t size)
{
    static uint8_t piece[65536];

    for (size_t at = 0; at < size;) {
        struct id id;
        size_t n = recv_from(s, &id, piece, sizeof piece);

        ck_assert_uint_gt(n, 0);
        ck_assert_uint_le(n, size - at);
        ck_assert_uint_eq(id.size, from->size);
        ck_assert_mem_eq(id.bytes, from->bytes, id.size);
        ck_assert_mem_eq(piece, (const char *)bytes + at, n);
        at += n;
    }
}

static void send_to(sifr_socket_t *s, const struct id *id, const void *data, size_t size)
{
    send_bytes(s, id->bytes, id->size, SIFR_SNDMORE);
    send_bytes(s, data, size, 0);
}

static struct id own_id(sifr_socket_t *s)
{
    struct id id = {.size = sizeof id.bytes};

    ck_works(sifr_getsockopt(s, SIFR_ROUTING_ID, id.bytes, &id.size));
    return id;
}

static socklen_t address_of(const char *endpoint, struct sockaddr_storage *to)
{
    struct sockaddr_in *in = (struct sockaddr_in *)to;
    struct sockaddr_un *un = (struct sockaddr_un *)to;

    memset(to, 0, sizeof *to);
    if (strncmp(endpoint, "tcp", 3) == 0) {
        *in = own_address(atoi(strrchr(endpoint, ':') + 1));
        return sizeof *in;
    }
    un->sun_family = AF_UNIX;
    strcpy(un->sun_path + 1, endpoint + 7); /* ipc://@ */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(endpoint + 7));
}

/* A socket of the system, connected there. */
static int plain_client(const struct endpoint *e)
{
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    struct sockaddr_storage a;
    socklen_t size = address_of(e->text, &a);
    int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, size), 0);
    return fd;
}

static int plain_server(struct endpoint *e, enum transport t)
{
    struct sockaddr_storage a;
    socklen_t size;
    int fd, on = 1;

    *e = fresh_endpoint(t);
    size = address_of(e->text, &a);
    fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, size), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    return fd;
}

static void plain_send(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void plain_recv(int fd, const char *text)
{
    char got[4096];

    ck_assert_int_eq(recv(fd, got, strlen(text), MSG_WAITALL), (ssize_t)strlen(text));
    ck_assert_mem_eq(got, text, strlen(text));
}

static void plain_end(int fd)
{
    char got;

    ck_assert_int_eq(recv(fd, &got, 1, 0), 0);
    close(fd);
}

START_TEST(a_plain_client_is_served)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    struct endpoint e = bind_fresh(s, (enum transport)_i);
    int fd = plain_client(&e);
    struct id id = recv_notice(s);

    ck_assert_uint_eq(id.size, 5);
    ck_assert_uint_eq(id.bytes[0], 0);
    plain_send(fd, "GET / HTTP/1.0\r\n\r\n");
    recv_all(s, &id, "GET / HTTP/1.0\r\n\r\n", 18);
    send_to(s, &id, "HTTP/1.0 200 OK\r\n\r\nhi", 21);
    send_to(s, &id, "", 0);
    plain_recv(fd, "HTTP/1.0 200 OK\r\n\r\nhi");
    plain_end(fd);
    ck_fails(sifr_send(s, id.bytes, id.size, SIFR_SNDMORE), EHOSTUNREACH);
    ck_assert(!readable_within(s, 20));
}
END_TEST

START_TEST(a_plain_client_that_goes_is_noticed_after_its_bytes)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    struct endpoint e = bind_fresh(s, (enum transport)_i);
    int fd = plain_client(&e);
    struct id id = recv_notice(s), gone;

    plain_send(fd, "bye");
    close(fd);
    recv_all(s, &id, "bye", 3);
    gone = recv_notice(s);
    ck_assert_mem_eq(gone.bytes, id.bytes, 5);
    ck_fails(sifr_send(s, id.bytes, id.size, SIFR_SNDMORE), EHOSTUNREACH);
    recv_nothing(s);
}
END_TEST

START_TEST(a_plain_server_is_talked_to)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    struct endpoint e;
    int at = plain_server(&e, (enum transport)_i), fd;
    struct id id, came;

    ck_assert_uint_eq(own_id(s).size, 0);
    connect_to(s, &e);
    id = own_id(s);
    ck_assert_uint_eq(id.size, 5);
    send_to(s, &id, "early", 5);
    fd = accept4(at, NULL, NULL, SOCK_CLOEXEC);
    plain_recv(fd, "early");
    came = recv_notice(s);
    ck_assert_mem_eq(came.bytes, id.bytes, 5);
    plain_send(fd, "welcome");
    recv_all(s, &id, "welcome", 7);
    send_to(s, &id, "", 0);
    plain_end(fd);
    close(at);
}
END_TEST

START_TEST(a_lost_server_is_dialed_again_under_another_id)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    struct endpoint e;
    int at = plain_server(&e, (enum transport)_i), fd;
    struct id id, other;

    set_int(s, SIFR_RECONNECT_IVL, 1);
    connect_to(s, &e);
    fd = accept4(at, NULL, NULL, SOCK_CLOEXEC);
    id = recv_notice(s);
    plain_send(fd, "x");
    close(fd);
    recv_all(s, &id, "x", 1);
    recv_notice(s);
    fd = accept4(at, NULL, NULL, SOCK_CLOEXEC);
    other = recv_notice(s);
    ck_assert(memcmp(other.bytes, id.bytes, 5) != 0);
    ck_fails(sifr_send(s, id.bytes, id.size, SIFR_SNDMORE), EHOSTUNREACH);
    send_to(s, &other, "again", 5);
    plain_recv(fd, "again");
    ck_works(sifr_disconnect(s, e.text));
    plain_end(fd);
    close(at);
}
END_TEST

START_TEST(a_connection_may_be_given_its_id)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM), *t = new_socket(SIFR_STREAM);
    struct endpoint e = bind_fresh(t, (enum transport)_i);
    struct id id = {.bytes = "named", .size = 5}, there;

    set_text(s, SIFR_CONNECT_ROUTING_ID, "named");
    connect_to(s, &e);
    ck_assert_uint_eq(own_id(s).size, 0);
    send_to(s, &id, "x", 1);
    ck_assert_mem_eq(recv_notice(s).bytes, "named", 5);
    there = recv_notice(t);
    recv_all(t, &there, "x", 1);
    set_text(s, SIFR_CONNECT_ROUTING_ID, "named");
    ck_fails(sifr_connect(s, e.text), EINVAL);
}
END_TEST

enum { MUCH = 3000000 };

static struct {
    sifr_socket_t *s;
    struct id id;
    const uint8_t *bytes;
} sender;

static void *send_much(void *arg)
{
    (void)arg;
    for (size_t at = 0; at < MUCH;) {
        size_t n = 1 + at % 20000;

        if (n > MUCH - at)
            n = MUCH - at;
        send_to(sender.s, &sender.id, sender.bytes + at, n);
        at += n;
    }
    return NULL;
}

START_TEST(much_comes_through_in_order)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM), *t = new_socket(SIFR_STREAM);
    struct endpoint e = bind_fresh(t, (enum transport)(_i / 2));
    uint8_t *bytes = malloc(MUCH);
    struct id there;
    pthread_t thread;

    ck_assert_ptr_nonnull(bytes);
    fill_bytes(bytes, MUCH, 1);
    if (_i % 2) {
        set_int(s, SIFR_OUT_BATCH_SIZE, 1000);
        set_int(s, SIFR_SNDBUF, 4096);
    }
    connect_to(s, &e);
    recv_notice(s);
    there = recv_notice(t);
    sender.s = s;
    sender.id = own_id(s);
    sender.bytes = bytes;
    thread = start_thread(send_much, NULL);
    recv_all(t, &there, bytes, MUCH);
    pthread_join(thread, NULL);
    recv_nothing(t);
    free(bytes);
}
END_TEST

START_TEST(parts_are_what_one_read_gives)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    static const int sizes[] = {0, 1, 5, 20000, 100000}; /* 0: not set */
    static uint8_t bytes[200000], got[200000];
    struct endpoint e;
    struct id id;
    size_t most = 0, n;
    int fd;

    if (sizes[_i])
        set_int(s, SIFR_IN_BATCH_SIZE, sizes[_i]);
    e = bind_fresh(s, TCP);
    fd = plain_client(&e);
    id = recv_notice(s);
    n = sizes[_i] == 1 ? 2000 : sizeof bytes;
    ck_assert_int_gt(send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT), 0); /* what the system takes */
    close(fd);
    for (;;) {
        size_t size = recv_from(s, &id, got, sizeof got);

        if (size == 0)
            break;
        most = size > most ? size : most;
    }
    if (sizes[_i] == 0)
        ck_assert_uint_le(most, 8192);
    else
        ck_assert_uint_le(most, (size_t)sizes[_i]);
    ck_assert_uint_gt(most, 0);
}
END_TEST

START_TEST(a_full_peer_is_waited_for_or_said_to_be_full)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    static char big[8000];
    struct endpoint e;
    struct id id;
    int fd, n = 0;

    set_int(s, SIFR_SNDHWM, 2);
    set_int(s, SIFR_SNDBUF, 4096);
    set_int(s, SIFR_SNDTIMEO, 0);
    e = bind_fresh(s, TCP);
    fd = plain_client(&e);
    id = recv_notice(s);
    while (sifr_send(s, id.bytes, id.size, SIFR_SNDMORE) >= 0) {
        send_bytes(s, big, sizeof big, 0);
        ck_assert_int_lt(n++, 100000);
    }
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(get_int(s, SIFR_EVENTS), SIFR_POLLOUT);
    set_int(s, SIFR_SNDTIMEO, WAIT_MS);
    close(fd);
    errno = 0;
    while (sifr_send(s, id.bytes, id.size, SIFR_SNDMORE) >= 0)
        send_bytes(s, "x", 1, 0);
    ck_assert_int_eq(errno, EHOSTUNREACH);
}
END_TEST

/* What the lost one sent has not been read: its queue is still known when the next one's is full. */
START_TEST(what_a_lost_server_was_sent_is_not_for_the_next)
{
    enum { BIG = 2000000, SMALL = 1000 };
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    struct linger reset = {.l_onoff = 1};
    char *old = malloc(BIG), fresh[SMALL], got[SMALL];
    struct id id, next;
    struct endpoint e;
    int at = plain_server(&e, TCP), fd, sent = 0, full = 0;
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};

    ck_assert_ptr_nonnull(old);
    memset(old, 'O', BIG);
    memset(fresh, 'N', SMALL);
    set_int(s, SIFR_SNDHWM, 5);
    set_int(s, SIFR_RECONNECT_IVL, 1);
    connect_to(s, &e);
    id = own_id(s);
    fd = accept4(at, NULL, NULL, SOCK_CLOEXEC);
    plain_send(fd, "not read");
    ck_assert(readable(s));
    while (sifr_send(s, id.bytes, id.size, SIFR_SNDMORE | SIFR_DONTWAIT) >= 0)
        ck_assert_int_eq(sifr_send(s, old, BIG, SIFR_DONTWAIT), BIG);
    ck_assert_int_eq(errno, EAGAIN);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    fd = accept4(at, NULL, NULL, SOCK_CLOEXEC);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    eventually((next = own_id(s), memcmp(next.bytes, id.bytes, id.size) != 0));
    /* Nobody reads yet, so that it gets full again and again. */
    for (int i = 0; i < 100000 && full < 50; i++) {
        if (sifr_send(s, next.bytes, next.size, SIFR_SNDMORE | SIFR_DONTWAIT) < 0) {
            ck_assert_int_eq(errno, EAGAIN);
            full++;
            continue;
        }
        ck_assert_int_eq(sifr_send(s, fresh, SMALL, SIFR_DONTWAIT), SMALL);
        sent++;
    }
    ck_assert_int_gt(full, 0);
    while (sent-- > 0) {
        ck_assert_int_eq(recv(fd, got, SMALL, MSG_WAITALL), SMALL);
        ck_assert_mem_eq(got, fresh, SMALL);
    }
    close(fd);
    close(at);
    free(old);
}
END_TEST

START_TEST(it_has_no_use_for_other_transports)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    int one = 1, two = 2;

    ck_fails(sifr_bind(s, "inproc://x"), SIFR_ENOCOMPATPROTO);
    ck_fails(sifr_connect(s, "inproc://x"), SIFR_ENOCOMPATPROTO);
    ck_fails(sifr_unbind(s, "inproc://x"), SIFR_ENOCOMPATPROTO);
    ck_fails(sifr_disconnect(s, "inproc://x"), SIFR_ENOCOMPATPROTO);
    ck_assert_int_eq(get_int(s, SIFR_EVENTS), SIFR_POLLOUT);
    ck_assert_int_eq(get_int(s, SIFR_THREAD_SAFE), 0);
    ck_works(sifr_setsockopt(s, SIFR_STREAM_NOTIFY, &one, sizeof one));
    ck_fails(sifr_setsockopt(s, SIFR_STREAM_NOTIFY, &two, sizeof two), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_STREAM_NOTIFY, &one, 2), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_ROUTER_MANDATORY, &one, sizeof one), EINVAL);
    ck_fails(sifr_setsockopt(new_socket(SIFR_ROUTER), SIFR_STREAM_NOTIFY, &one, sizeof one), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_ROUTER_RAW, &one, sizeof one), EINVAL);
}
END_TEST

START_TEST(notices_are_as_they_were_to_be_at_the_bind)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    struct endpoint told = bind_fresh(s, TCP), untold;
    struct id quiet, came, from, went;
    char data[8];
    int fd;

    set_int(s, SIFR_STREAM_NOTIFY, 0);
    untold = bind_fresh(s, TCP);
    set_int(s, SIFR_STREAM_NOTIFY, 1);
    fd = plain_client(&untold);
    plain_send(fd, "x");
    ck_assert_uint_eq(recv_from(s, &quiet, data, sizeof data), 1);
    set_int(s, SIFR_STREAM_NOTIFY, 0);
    close(fd);
    fd = plain_client(&told);
    came = recv_notice(s);
    plain_send(fd, "y");
    ck_assert_uint_eq(recv_from(s, &from, data, sizeof data), 1);
    close(fd);
    went = recv_notice(s);
    ck_assert_mem_ne(came.bytes, quiet.bytes, came.size);
    ck_assert_mem_eq(came.bytes, from.bytes, came.size);
    ck_assert_mem_eq(went.bytes, from.bytes, went.size);
}
END_TEST

START_TEST(notices_are_as_they_were_to_be_at_the_connect)
{
    struct endpoint a, b;
    int first = plain_server(&a, TCP), second = plain_server(&b, TCP), fd;
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    struct id id;

    set_int(s, SIFR_STREAM_NOTIFY, 0);
    connect_to(s, &a);
    set_int(s, SIFR_STREAM_NOTIFY, 1);
    connect_to(s, &b);
    set_int(s, SIFR_STREAM_NOTIFY, 0);
    id = own_id(s); /* that of the second */
    ck_assert_mem_eq(recv_notice(s).bytes, id.bytes, id.size);
    fd = accept(first, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    close(first);
    close(fd);
    fd = accept(second, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    close(second);
    close(fd);
    ck_assert_mem_eq(recv_notice(s).bytes, id.bytes, id.size);
}
END_TEST

/* The next event's number; its endpoint is that one. */
static int recv_event(sifr_socket_t *m, const char *endpoint)
{
    uint8_t event[6];
    uint16_t number;

    ck_assert_int_eq(sifr_recv(m, event, sizeof event, 0), 6);
    recv_text(m, endpoint, false);
    memcpy(&number, event, 2);
    return number;
}

START_TEST(monitors_see_connections_and_no_handshake)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM), *t = new_socket(SIFR_STREAM);
    sifr_socket_t *of_s = new_socket(SIFR_PAIR), *of_t = new_socket(SIFR_PAIR);
    struct endpoint e;
    struct id id;
    int fd;

    set_int(t, SIFR_RECONNECT_IVL, -1);
    ck_works(sifr_socket_monitor(s, "inproc://of-s", SIFR_EVENT_ALL));
    ck_works(sifr_socket_monitor(t, "inproc://of-t", SIFR_EVENT_ALL));
    ck_works(sifr_connect(of_s, "inproc://of-s"));
    ck_works(sifr_connect(of_t, "inproc://of-t"));
    e = bind_fresh(s, TCP);
    ck_assert_int_eq(recv_event(of_s, e.text), SIFR_EVENT_LISTENING);
    connect_to(t, &e);
    ck_assert_int_eq(recv_event(of_t, e.text), SIFR_EVENT_CONNECT_DELAYED);
    ck_assert_int_eq(recv_event(of_t, e.text), SIFR_EVENT_CONNECTED);
    ck_assert_int_eq(recv_event(of_s, e.text), SIFR_EVENT_ACCEPTED);
    id = recv_notice(s);
    send_to(s, &id, "", 0); /* our own doing is no event, but the other's */
    ck_assert_int_eq(recv_event(of_t, e.text), SIFR_EVENT_DISCONNECTED);
    fd = plain_client(&e);
    ck_assert_int_eq(recv_event(of_s, e.text), SIFR_EVENT_ACCEPTED);
    recv_notice(s);
    close(fd);
    ck_assert_int_eq(recv_event(of_s, e.text), SIFR_EVENT_DISCONNECTED);
}
END_TEST

START_TEST(a_raw_router_is_a_stream_without_notices)
{
    sifr_socket_t *s = new_socket(SIFR_ROUTER);
    struct endpoint e;
    struct id id;
    char data[64];
    int fd;

    set_int(s, SIFR_ROUTER_RAW, 1);
    e = bind_fresh(s, (enum transport)_i);
    fd = plain_client(&e);
    plain_send(fd, "hello");
    ck_assert_uint_eq(recv_from(s, &id, data, sizeof data), 5);
    ck_assert_mem_eq(data, "hello", 5);
    send_to(s, &id, "to you", 6);
    plain_recv(fd, "to you");
    send_to(s, &id, "", 0);
    plain_end(fd);
}
END_TEST

START_TEST(metadata_and_descriptor_are_there)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    struct endpoint e = bind_fresh(s, TCP);
    int fd = plain_client(&e);
    sifr_msg_t m;

    recv_notice(s);
    plain_send(fd, "x");
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, s, 0), 5);
    ck_assert_str_eq(sifr_msg_gets(&m, "Peer-Address"), "127.0.0.1");
    ck_assert_int_eq(sifr_msg_recv(&m, s, 0), 1);
    ck_assert_str_eq(sifr_msg_gets(&m, "Peer-Address"), "127.0.0.1");
    ck_assert_int_ge(sifr_msg_get(&m, SIFR_SRCFD), 0);
    ck_assert_ptr_null(sifr_msg_gets(&m, "Socket-Type"));
    sifr_msg_close(&m);
    close(fd);
}
END_TEST

START_TEST(what_was_sent_before_the_close_arrives)
{
    sifr_socket_t *s = new_socket(SIFR_STREAM);
    enum { SIZE = 500000 };
    uint8_t *bytes = malloc(SIZE), *got = malloc(SIZE);
    struct endpoint e = bind_fresh(s, (enum transport)_i);
    int fd = plain_client(&e);
    struct id id = recv_notice(s);

    ck_assert(bytes && got);
    fill_bytes(bytes, SIZE, 3);
    set_int(s, SIFR_LINGER, WAIT_MS);
    for (int at = 0; at < SIZE; at += 50000)
        send_to(s, &id, bytes + at, 50000);
    send_to(s, &id, "", 0);
    ck_assert_int_eq(recv(fd, got, SIZE, MSG_WAITALL), SIZE);
    ck_assert_mem_eq(got, bytes, SIZE);
    plain_end(fd);
    free(bytes);
    free(got);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stream");
    TCase *c = new_case(s, "stream");

    tcase_add_loop_test(c, a_plain_client_is_served, 0, INPROC);
    tcase_add_loop_test(c, a_plain_client_that_goes_is_noticed_after_its_bytes, 0, INPROC);
    tcase_add_loop_test(c, a_plain_server_is_talked_to, 0, INPROC);
    tcase_add_loop_test(c, a_lost_server_is_dialed_again_under_another_id, 0, INPROC);
    tcase_add_loop_test(c, a_connection_may_be_given_its_id, 0, INPROC);
    tcase_add_loop_test(c, much_comes_through_in_order, 0, 2 * INPROC);
    tcase_add_loop_test(c, parts_are_what_one_read_gives, 0, 5);
    tcase_add_test(c, a_full_peer_is_waited_for_or_said_to_be_full);
    tcase_add_test(c, what_a_lost_server_was_sent_is_not_for_the_next);
    tcase_add_test(c, it_has_no_use_for_other_transports);
    tcase_add_test(c, notices_are_as_they_were_to_be_at_the_bind);
    tcase_add_test(c, notices_are_as_they_were_to_be_at_the_connect);
    tcase_add_test(c, monitors_see_connections_and_no_handshake);
    tcase_add_loop_test(c, a_raw_router_is_a_stream_without_notices, 0, INPROC);
    tcase_add_test(c, metadata_and_descriptor_are_there);
    tcase_add_loop_test(c, what_was_sent_before_the_close_arrives, 0, INPROC);
    return run_suite(s);
}
