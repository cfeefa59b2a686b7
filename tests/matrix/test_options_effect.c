/* What options do that no other test shows: each by two sockets, or by one and a peer of the system's, that behave. */
#include "descriptors.h"
#include "options.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/un.h>

/* ---- Helpers --------------------------------------------------------------------------------------------------------- */

static int listen_raw(int port)
{
    struct sockaddr_in a = own_address(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    return fd;
}

static int connect_raw(const struct endpoint *e)
{
    struct sockaddr_in a = own_address(endpoint_port(e));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static struct endpoint tcp_endpoint(int port)
{
    struct endpoint e;

    snprintf(e.text, sizeof e.text, "tcp://%s:%d", own_host(), port);
    return e;
}

static void read_raw(int fd, void *to, size_t size)
{
    for (size_t have = 0; have < size;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
        n = recv(fd, (char *)to + have, size - have, 0);
        ck_assert_int_gt(n, 0);
        have += (size_t)n;
    }
}

/* One frame of ZMTP that is shorter than 256: its flags. */
static int read_frame(int fd, uint8_t *body, size_t *size)
{
    uint8_t header[2];

    read_raw(fd, header, sizeof header);
    *size = header[1];
    read_raw(fd, body, *size);
    return header[0];
}

/* A peer of this type, as far as ZMTP 3.1 goes; what it is sent so far is read. */
static void shake_hands(int fd, const char *type)
{
    uint8_t greeting[64] = {0xff, [8] = 1, 0x7f, 3, 1, 'N', 'U', 'L', 'L'}, bytes[256] = {4, 0};
    static const char ready[] = "\5READY\13Socket-Type\0\0\0";
    size_t n = sizeof ready - 1, size = strlen(type);

    ck_assert_int_eq(send(fd, greeting, sizeof greeting, MSG_NOSIGNAL), sizeof greeting);
    memcpy(bytes + 2, ready, n);
    bytes[2 + n] = (uint8_t)size;
    memcpy(bytes + 3 + n, type, size);
    bytes[1] = (uint8_t)(n + 1 + size);
    ck_assert_int_eq(send(fd, bytes, 2u + bytes[1], MSG_NOSIGNAL), 2 + bytes[1]);
    read_raw(fd, greeting, sizeof greeting);
    ck_assert_int_eq(read_frame(fd, bytes, &size), 4);
    ck_assert_mem_eq(bytes, "\5READY", 6);
}

/* Whether messages come through. */
static void pass(sifr_socket_t *from, sifr_socket_t *to, const char *text)
{
    send_text(from, text, 0);
    recv_text(to, text, false);
}

/* ---- I/O threads ------------------------------------------------------------------------------------------------------- */

/* The descriptor of the epoll that waits for this one, as /proc tells; -1: none. */
static int epoll_of(int fd)
{
    DIR *d = opendir("/proc/self/fdinfo");
    struct dirent *entry;
    int found = -1;

    while (found < 0 && (entry = readdir(d))) {
        char path[300], line[256];
        FILE *f;
        int target;

        snprintf(path, sizeof path, "/proc/self/fdinfo/%s", entry->d_name);
        f = fopen(path, "r");
        while (f && fgets(line, sizeof line, f))
            if (sscanf(line, "tfd: %d", &target) == 1 && target == fd)
                found = atoi(entry->d_name);
        if (f)
            fclose(f);
    }
    closedir(d);
    return found;
}

/* Of a listener that is bound with this mask. */
static int thread_with(sifr_socket_t *s, uint64_t mask)
{
    struct endpoint e;
    int fd, found;

    ck_works(sifr_setsockopt(s, SIFR_AFFINITY, &mask, sizeof mask));
    e = bind_fresh(s, TCP);
    fd = find_fd(LISTENING, endpoint_port(&e));
    ck_assert_int_ge(fd, 0);
    eventually((found = epoll_of(fd)) >= 0);
    return found;
}

START_TEST(the_threads_named_serve_an_endpoint)
{
    sifr_socket_t *s;
    int first, second;

    ck_works(sifr_ctx_set(world.ctx, SIFR_IO_THREADS, 2));
    s = new_socket(SIFR_PULL);
    first = thread_with(s, 1);
    second = thread_with(s, 2);
    ck_assert_int_ne(first, second);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(thread_with(s, 1), first);
        ck_assert_int_eq(thread_with(s, 6), second); /* there is no third */
    }
}
END_TEST

static bool thread_called(const char *name)
{
    DIR *d = opendir("/proc/self/task");
    struct dirent *entry;
    bool found = false;

    while (!found && (entry = readdir(d))) {
        char path[300], text[32] = "";
        FILE *f;

        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        f = fopen(path, "r");
        found = f && fgets(text, sizeof text, f) && strncmp(text, name, strlen(name)) == 0;
        if (f)
            fclose(f);
    }
    closedir(d);
    return found;
}

START_TEST(the_prefix_of_threads_may_be_a_text)
{
    ck_works(sifr_ctx_set_ext(world.ctx, SIFR_THREAD_NAME_PREFIX, "front", 5));
    new_socket(SIFR_PULL);
    eventually(thread_called("front/sifr/io/0"));
}
END_TEST

/* ---- Received messages ---------------------------------------------------------------------------------------------- */

START_TEST(received_messages_share_memory_or_do_not)
{
    static const size_t sizes[] = {200, 201, 203, 207};
    sifr_socket_t *push, *pull;
    sifr_msg_t m[4];
    bool aligned = true;

    ck_works(sifr_ctx_set(world.ctx, SIFR_ZERO_COPY_RECV, _i));
    new_link(&pull, SIFR_PULL, &push, SIFR_PUSH, 2 * TCP);
    for (int i = 0; i < COUNT(sizes); i++) /* of one message they are read together */
        send_filled(push, sizes[i], (unsigned)i, i < COUNT(sizes) - 1 ? SIFR_SNDMORE : 0);
    for (int i = 0; i < COUNT(sizes); i++) {
        ck_works(sifr_msg_init(&m[i]));
        ck_assert_int_eq(sifr_msg_recv(&m[i], pull, 0), (int)sizes[i]);
        ck_assert_uint_eq(good_bytes(sifr_msg_data(&m[i]), sizes[i], (unsigned)i), sizes[i]);
        aligned &= (uintptr_t)sifr_msg_data(&m[i]) % 8 == 0;
    }
    for (int i = 0; i < COUNT(sizes); i++)
        ck_works(sifr_msg_close(&m[i]));
    ck_assert_int_ne(aligned, _i); /* as memory of their own is, but not what lies where it was read to */
}
END_TEST

/* ---- Dialling --------------------------------------------------------------------------------------------------------- */

/* The next event of a monitor: its number, and its value. */
static int event_of(sifr_socket_t *monitor, uint32_t *value)
{
    uint8_t bytes[6];
    uint16_t number;

    ck_assert_int_eq(sifr_recv(monitor, bytes, sizeof bytes, 0), 6);
    ck_assert_int_ge(sifr_recv(monitor, NULL, 0, 0), 0);
    memcpy(&number, bytes, 2);
    memcpy(value, bytes + 2, 4);
    return number;
}

START_TEST(who_is_not_there_is_dialled_again_after_the_time_set)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *monitor = new_socket(SIFR_PAIR);
    struct endpoint e = fresh_endpoint(TCP);
    int64_t start = now_ms(), waits = 0;
    uint32_t value;

    ck_works(sifr_socket_monitor(push, "inproc://monitor", SIFR_EVENT_CONNECT_RETRIED));
    ck_works(sifr_connect(monitor, "inproc://monitor"));
    set_int(push, SIFR_RECONNECT_IVL, 20);
    connect_to(push, &e);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(event_of(monitor, &value), SIFR_EVENT_CONNECT_RETRIED);
        ck_assert_int_ge(now_ms() - start, waits - i); /* a clock has its grain */
        ck_assert_uint_ge(value, 20);
        ck_assert_uint_lt(value, 40);
        waits += value;
    }
}
END_TEST

START_TEST(ipv6_is_spoken_when_asked_for)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool can = probe >= 0 && bind(probe, (struct sockaddr *)&a, sizeof a) == 0;
    int option = _i ? SIFR_IPV4ONLY : SIFR_IPV6, on = _i ? 0 : 1;
    struct endpoint e;

    close(probe);
    ck_assert_int_eq(sifr_bind(pull, "tcp://[::1]:*"), -1);
    set_int(pull, option, on);
    if (!can) /* this machine does not speak it */
        return;
    ck_works(sifr_bind(pull, "tcp://[::1]:*"));
    e = last_endpoint(pull);
    set_int(push, option, on);
    connect_to(push, &e);
    pass(push, pull, "over IPv6");
    ck_works(sifr_bind(pull, "tcp://*:*")); /* for both */
    e = last_endpoint(pull);
    ck_works(sifr_disconnect(push, last_endpoint(push).text));
    set_int(push, option, !on);
    e = tcp_endpoint(endpoint_port(&e));
    connect_to(push, &e);
    pass(push, pull, "over IPv4");
}
END_TEST

/* ---- Whom a bind accepts ---------------------------------------------------------------------------------------------- */

START_TEST(a_filter_that_is_cleared_admits_all)
{
    static const int filters[] = {SIFR_TCP_ACCEPT_FILTER, SIFR_IPC_FILTER_PID, SIFR_IPC_FILTER_UID,
                                  SIFR_IPC_FILTER_GID};
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    enum transport t = _i == 0 ? TCP : IPC;
    uint32_t stranger = 0x7ffffffe;
    struct endpoint closed, open;

    if (_i == 0)
        set_text(pull, filters[_i], "192.0.2.0/24");
    else
        ck_works(sifr_setsockopt(pull, filters[_i], &stranger, sizeof stranger));
    closed = bind_fresh(pull, t);
    ck_works(sifr_setsockopt(pull, filters[_i], NULL, 0));
    open = bind_fresh(pull, t);
    set_int(push, SIFR_IMMEDIATE, 1);
    connect_to(push, &closed); /* what was bound so stays so */
    ck_assert(!writable_within(push, 100));
    connect_to(push, &open);
    pass(push, pull, "let in");
}
END_TEST

/* Of the one that asks: its own group, and one that it belongs to besides, if it may take one. */
START_TEST(an_ipc_filter_admits_the_members_of_a_group)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    gid_t stranger = 4712, member = _i ? 4711 : getgid();
    struct endpoint closed, open;

    if (_i && setgroups(1, &member) != 0)
        return; /* not without privilege */
    ck_works(sifr_setsockopt(pull, SIFR_IPC_FILTER_GID, &stranger, sizeof stranger));
    closed = bind_fresh(pull, IPC);
    ck_works(sifr_setsockopt(pull, SIFR_IPC_FILTER_GID, &member, sizeof member));
    open = bind_fresh(pull, IPC);
    set_int(push, SIFR_IMMEDIATE, 1);
    connect_to(push, &closed);
    ck_assert(!writable_within(push, 100));
    connect_to(push, &open);
    pass(push, pull, "a member");
}
END_TEST

START_TEST(a_path_brought_along_is_left_alone)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct endpoint e;
    struct stat st;

    snprintf(a.sun_path, sizeof a.sun_path, "/tmp/sifr-test-%d-own", (int)getpid());
    unlink(a.sun_path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    set_int(pull, SIFR_USE_FD, fd);
    snprintf(e.text, sizeof e.text, "ipc://%s", a.sun_path);
    bind_to(pull, &e);
    ck_assert_str_eq(last_endpoint(pull).text, e.text);
    connect_to(push, &e);
    pass(push, pull, "activated");
    ck_works(sifr_unbind(pull, e.text));
    eventually(fcntl(fd, F_GETFD) == -1); /* libzmq closes it a little later */
    ck_assert_int_eq(stat(a.sun_path, &st), 0);
    unlink(a.sun_path);
}
END_TEST

/* What cannot be listened at is not taken, and stays what it is. */
START_TEST(what_does_not_listen_is_not_bound)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "\0sifr-test-listens"};
    struct endpoint e = fresh_endpoint(_i % 2 ? IPC : TCP);
    int ends[2], fd = -1;

    ck_works(pipe2(ends, O_CLOEXEC));
    switch (_i / 2) {
    case 0: fd = ends[0]; break;
    case 1: fd = socket(_i % 2 ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); break;
    case 2: fd = socket(_i % 2 ? AF_UNIX : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); break;
    case 3: /* listens, but for another transport */
        if (_i % 2) {
            fd = listen_raw(free_port());
            break;
        }
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_works(bind(fd, (struct sockaddr *)&path, sizeof path));
        ck_works(listen(fd, 1));
        break;
    case 4: fd = INT_MAX; break;
    }
    set_int(pull, SIFR_USE_FD, fd);
    ck_fails(sifr_bind(pull, e.text), EINVAL);
    ck_assert_int_eq(get_int(pull, SIFR_USE_FD), fd);
    if (fd != INT_MAX) {
        ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
        ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        if (fd != ends[0])
            close(fd);
    }
    set_int(pull, SIFR_USE_FD, -1);
    bind_to(pull, &e);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* ---- Heartbeats ------------------------------------------------------------------------------------------------------- */

START_TEST(a_ping_says_what_was_set)
{
    int port = free_port(), fd = listen_raw(port), peer;
    sifr_socket_t *push = new_socket(SIFR_PUSH);
    struct endpoint e = tcp_endpoint(port);
    int64_t start;
    uint8_t body[256];
    size_t size;

    set_int(push, SIFR_HEARTBEAT_IVL, 40);
    set_int(push, SIFR_HEARTBEAT_TTL, 1299); /* told in tenths of a second */
    set_int(push, SIFR_HEARTBEAT_TIMEOUT, 0);
    connect_to(push, &e);
    peer = accept(fd, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    start = now_ms();
    shake_hands(peer, "PULL");
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(read_frame(peer, body, &size), 4);
        ck_assert_uint_ge(size, 7);
        ck_assert_mem_eq(body, "\4PING\0\14", 7);
    }
    ck_assert_int_ge(now_ms() - start, 3 * 40 - 3); /* a clock has its grain */
    close(peer);
    close(fd);
}
END_TEST

START_TEST(whoever_was_asked_to_leaves_after_silence)
{
    static const char ping[] = "\4\7\4PING\0\2"; /* 200 ms */
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(pull, TCP);
    int fd = connect_raw(&e);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t start;
    uint8_t body[256];
    size_t size;

    shake_hands(fd, "PUSH");
    start = now_ms();
    ck_assert_int_eq(send(fd, ping, sizeof ping - 1, MSG_NOSIGNAL), sizeof ping - 1);
    ck_assert_int_eq(read_frame(fd, body, &size), 4);
    ck_assert_mem_eq(body, "\4PONG", 5);
    ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
    ck_assert_int_le(recv(fd, body, sizeof body, 0), 0);
    ck_assert_int_ge(now_ms() - start, 199);
    close(fd);
}
END_TEST

/* ---- Identities and notices --------------------------------------------------------------------------------------------- */

START_TEST(who_may_probe_does)
{
    static const int pairs[][2] = {{SIFR_REQ, SIFR_ROUTER}, {SIFR_DEALER, SIFR_ROUTER}, {SIFR_ROUTER, SIFR_ROUTER},
                                   {SIFR_REP, SIFR_DEALER}};
    sifr_socket_t *who = new_socket(pairs[_i][0]), *whom = new_socket(pairs[_i][1]);

    set_int(who, SIFR_PROBE_ROUTER, 1);
    set_text(who, SIFR_ROUTING_ID, "it is me");
    link_sockets(whom, who, 0);
    if (pairs[_i][0] == SIFR_REP)
        recv_parts(whom, "");
    else
        recv_parts(whom, "it is me", "");
}
END_TEST

START_TEST(the_connecting_rep_may_name_its_peer)
{
    sifr_socket_t *rep = new_socket(SIFR_REP), *dealer = new_socket(SIFR_DEALER);
    struct endpoint e = bind_fresh(dealer, (enum transport)_i), other = bind_fresh(dealer, (enum transport)_i);

    ck_fails(sifr_socket_get_peer_state(rep, "dealer", 6), EHOSTUNREACH);
    set_text(rep, SIFR_CONNECT_ROUTING_ID, "dealer");
    connect_to(rep, &e);
    ck_assert_int_eq(sifr_socket_get_peer_state(rep, "dealer", 6), SIFR_POLLOUT);
    connect_to(rep, &other); /* the name was for one */
    ck_works(sifr_disconnect(rep, e.text));
    eventually(sifr_socket_get_peer_state(rep, "dealer", 6) == -1);
}
END_TEST

START_TEST(a_name_set_later_is_for_later_connections)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *dealer = new_socket(SIFR_DEALER);
    struct endpoint e = bind_fresh(router, (enum transport)_i), other;

    set_int(dealer, SIFR_RECONNECT_IVL, 1);
    set_int(dealer, SIFR_IMMEDIATE, 1); /* nothing is sent to who is not there */
    set_text(dealer, SIFR_ROUTING_ID, "first");
    connect_to(dealer, &e);
    set_text(dealer, SIFR_ROUTING_ID, "second");
    send_text(dealer, "here", 0);
    recv_parts(router, "first", "here");
    drop(router);
    eventually(!writable_within(dealer, 0));
    router = new_socket(SIFR_ROUTER);
    rebind_to(router, &e);
    send_text(dealer, "again", 0);
    recv_parts(router, "first", "again"); /* it is dialled as it was to be */
    other = bind_fresh(router, (enum transport)_i);
    ck_works(sifr_disconnect(dealer, e.text));
    eventually(!writable_within(dealer, 0));
    connect_to(dealer, &other);
    send_text(dealer, "there", 0);
    recv_parts(router, "second", "there");
}
END_TEST

START_TEST(of_a_property_set_twice_the_first_stays)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    sifr_msg_t m;

    set_text(push, SIFR_METADATA, "X-colour:blue");
    set_text(push, SIFR_METADATA, "X-colour:red");
    set_text(push, SIFR_METADATA, "X-other:a:b");
    link_sockets(pull, push, 0);
    send_text(push, "here", 0);
    ck_works(sifr_msg_init(&m));
    ck_assert_int_eq(sifr_msg_recv(&m, pull, 0), 4);
    ck_assert_str_eq(sifr_msg_gets(&m, "X-colour"), "blue");
    ck_assert_str_eq(sifr_msg_gets(&m, "X-other"), "a:b");
    ck_works(sifr_msg_close(&m));
}
END_TEST

/* As many properties as are accepted come over, and a name and a hello that are as long as can be. */
START_TEST(all_properties_that_are_accepted_arrive)
{
    enum { EACH = 48, WITH = 4, MOST = 3072 / (EACH - 1 + WITH + 1) };
    sifr_socket_t *dealer = new_socket(SIFR_DEALER), *router = new_socket(SIFR_ROUTER);
    char text[64], id[255];
    sifr_msg_t m;
    int n = 0;

    memset(id, 'i', sizeof id);
    ck_works(sifr_setsockopt(dealer, SIFR_ROUTING_ID, id, sizeof id));
    do {
        memset(text, 'v', sizeof text);
        ck_assert_int_eq(snprintf(text, sizeof text, "X-%08d", n), 10);
        text[10] = ':';
    } while (sifr_setsockopt(dealer, SIFR_METADATA, text, EACH) == 0 && n++ < MOST);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(n, MOST);
    link_sockets(router, dealer, _i);
    send_text(dealer, "here", 0);
    ck_works(sifr_msg_init(&m));
    ck_assert_int_eq(sifr_msg_recv(&m, router, 0), sizeof id);
    while (n--) {
        snprintf(text, sizeof text, "X-%08d", n);
        ck_assert_uint_eq(strlen(sifr_msg_gets(&m, text)), EACH - 11);
    }
    ck_works(sifr_msg_close(&m));
}
END_TEST

START_TEST(a_property_may_be_long_but_not_longer_than_a_handshake)
{
    enum { LONGEST = 3072 - 4 };
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    char text[100000] = "X-a:";
    sifr_msg_t m;

    memset(text + 4, 'v', sizeof text - 4);
    ck_fails(sifr_setsockopt(push, SIFR_METADATA, text, sizeof text), EINVAL);
    ck_fails(sifr_setsockopt(push, SIFR_METADATA, text, LONGEST + 1), EINVAL);
    ck_works(sifr_setsockopt(push, SIFR_METADATA, text, LONGEST));
    ck_fails(sifr_setsockopt(push, SIFR_METADATA, "X-b:v", 5), EINVAL);
    link_sockets(pull, push, 0);
    send_text(push, "here", 0);
    ck_works(sifr_msg_init(&m));
    ck_assert_int_eq(sifr_msg_recv(&m, pull, 0), 4);
    ck_assert_uint_eq(strlen(sifr_msg_gets(&m, "X-a")), LONGEST - 4);
    ck_works(sifr_msg_close(&m));
}
END_TEST

START_TEST(properties_and_hello_are_those_of_the_bind)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *early = new_socket(SIFR_DEALER), *late = new_socket(SIFR_DEALER);
    struct endpoint before = bind_fresh(router, (enum transport)_i), after;
    sifr_msg_t m;

    set_text(router, SIFR_HELLO_MSG, "hello");
    set_text(router, SIFR_METADATA, "X-colour:blue");
    after = bind_fresh(router, (enum transport)_i);
    ck_works(sifr_setsockopt(router, SIFR_HELLO_MSG, NULL, 0));
    set_text(early, SIFR_ROUTING_ID, "early");
    connect_to(early, &before);
    send_text(early, "here", 0);
    recv_parts(router, "early", "here");
    send_parts(router, "early", "no hello");
    ck_works(sifr_msg_init(&m));
    ck_assert_int_eq(sifr_msg_recv(&m, early, 0), 8);
    ck_assert_ptr_null(sifr_msg_gets(&m, "X-colour"));
    connect_to(late, &after);
    ck_assert_int_eq(sifr_msg_recv(&m, late, 0), 5);
    ck_assert_mem_eq(sifr_msg_data(&m), "hello", 5);
    ck_assert_str_eq(sifr_msg_gets(&m, "X-colour"), "blue");
    ck_works(sifr_msg_close(&m));
}
END_TEST

/* ---- When they act ---------------------------------------------------------------------------------------------------- */

static const struct system_option {
    const char *name;
    int option, value, level, system_option, shown;
} system_options[] = {
    {"SNDBUF", SIFR_SNDBUF, 40000, SOL_SOCKET, SO_SNDBUF, 80000}, /* Linux doubles buffers */
    {"RCVBUF", SIFR_RCVBUF, 50000, SOL_SOCKET, SO_RCVBUF, 100000},
    {"TOS", SIFR_TOS, 0x28, IPPROTO_IP, IP_TOS, 0x28},
    {"TCP_KEEPALIVE", SIFR_TCP_KEEPALIVE, 1, SOL_SOCKET, SO_KEEPALIVE, 1},
    {"PRIORITY", SIFR_PRIORITY, 5, SOL_SOCKET, SO_PRIORITY, 5}, /* the last: a draft */
};

/* A new client of the endpoint; the descriptor that was accepted for it. */
static int accepted_for(sifr_socket_t *pull, const struct endpoint *e)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH);

    connect_to(push, e);
    pass(push, pull, "here");
    return find_fd(ACCEPTED, endpoint_port(e));
}

START_TEST(what_is_set_is_for_later_binds_alone)
{
    const struct system_option *o = &system_options[_i];
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct endpoint before = bind_fresh(pull, TCP), after;

    set_int(pull, o->option, o->value);
    after = bind_fresh(pull, TCP);
    ck_assert_int_ne(option_of(accepted_for(pull, &before), o->level, o->system_option), o->shown);
    ck_assert_int_eq(option_of(accepted_for(pull, &after), o->level, o->system_option), o->shown);
}
END_TEST

START_TEST(what_is_set_is_for_later_connects_alone)
{
    const struct system_option *o = &system_options[_i];
    sifr_socket_t *push = new_socket(SIFR_PUSH), *first = new_socket(SIFR_PULL), *second = new_socket(SIFR_PULL);
    struct endpoint before = bind_fresh(first, TCP), after = bind_fresh(second, TCP);

    set_int(push, SIFR_RECONNECT_IVL, 1);
    set_int(push, SIFR_IMMEDIATE, 1); /* nothing is sent to who is not there */
    connect_to(push, &before);
    set_int(push, o->option, o->value);
    pass(push, first, "here");
    ck_assert_int_ne(option_of(find_fd(DIALED, endpoint_port(&before)), o->level, o->system_option), o->shown);
    drop(first);
    eventually(!writable_within(push, 0));
    first = new_socket(SIFR_PULL);
    rebind_to(first, &before);
    pass(push, first, "again"); /* it is dialled as it was to be */
    ck_assert_int_ne(option_of(find_fd(DIALED, endpoint_port(&before)), o->level, o->system_option), o->shown);
    ck_works(sifr_disconnect(push, before.text));
    eventually(!writable_within(push, 0));
    connect_to(push, &after);
    pass(push, second, "there");
    ck_assert_int_eq(option_of(find_fd(DIALED, endpoint_port(&after)), o->level, o->system_option), o->shown);
}
END_TEST

/* The descriptor of ours that has this name itself, or whose peer has it. */
static int find_local(const struct endpoint *e, bool dialed)
{
    for (int fd = 3; fd < FDS; fd++) {
        struct sockaddr_un a = {0};
        socklen_t size = sizeof a;
        int listens = 0;
        socklen_t room = sizeof listens;

        if ((dialed ? getpeername : getsockname)(fd, (struct sockaddr *)&a, &size) != 0 || a.sun_family != AF_UNIX ||
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &room) != 0 || listens)
            continue;
        if (strncmp(a.sun_path + 1, e->text + strlen("ipc://@"), size - offsetof(struct sockaddr_un, sun_path) - 1) == 0 &&
            size > offsetof(struct sockaddr_un, sun_path) + 1)
            return fd;
    }
    return -1;
}

START_TEST(buffers_are_those_of_ipc_too)
{
    const struct system_option *o = &system_options[_i];
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct endpoint e;

    set_int(pull, o->option, o->value);
    set_int(push, o->option, o->value);
    e = bind_fresh(pull, IPC);
    connect_to(push, &e);
    pass(push, pull, "here");
    for (int dialed = 0; dialed < 2; dialed++)
        ck_assert_int_eq(option_of(find_local(&e, dialed), o->level, o->system_option), o->shown);
}
END_TEST

START_TEST(a_limit_of_size_is_for_later_binds_alone)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct endpoint before = bind_fresh(pull, (enum transport)_i);
    int64_t limit = 10;

    ck_works(sifr_setsockopt(pull, SIFR_MAXMSGSIZE, &limit, sizeof limit));
    connect_to(push, &before);
    pass(push, pull, "more than ten bytes");
}
END_TEST

/* What a PUB takes though it reads no requests, to no harm. */
START_TEST(a_publisher_that_reads_no_requests_serves_them_all_the_same)
{
    static const int taken[] = {SIFR_XPUB_MANUAL, SIFR_XPUB_MANUAL_LAST_VALUE, SIFR_XPUB_VERBOSE, SIFR_XPUB_VERBOSER,
                                SIFR_ONLY_FIRST_SUBSCRIBE};
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_socket(SIFR_SUB), *other = new_socket(SIFR_SUB);
    struct endpoint e;

    set_int(pub, taken[_i], 1);
    set_text(sub, SIFR_SUBSCRIBE, "W");
    set_text(other, SIFR_SUBSCRIBE, "W");
    e = bind_fresh(pub, TCP);
    connect_to(sub, &e);
    connect_to(other, &e);
    eventually(sifr_send(pub, "What", 4, 0) == 4 && readable_within(sub, 1) && readable_within(other, 1));
    ck_works(sifr_setsockopt(sub, SIFR_UNSUBSCRIBE, "W", 1));
    set_text(sub, SIFR_SUBSCRIBE, "X");
    eventually(sifr_send(pub, "X", 1, 0) == 1 && sifr_recv(sub, NULL, 0, SIFR_DONTWAIT) == 1);
}
END_TEST

START_TEST(a_publisher_of_its_own_welcomes_too)
{
    sifr_socket_t *pub = new_socket(SIFR_PUB), *sub = new_socket(SIFR_SUB);

    set_text(pub, SIFR_XPUB_WELCOME_MSG, "WELCOME");
    set_text(sub, SIFR_SUBSCRIBE, "W");
    link_sockets(pub, sub, _i);
    recv_parts(sub, "WELCOME");
}
END_TEST

/* ---- Values that nobody sets ------------------------------------------------------------------------------------------ */

/* The smallest and the largest value of each number is lived with, or refused by the system when it is told. */
START_TEST(the_ends_of_a_range_are_lived_with)
{
    const struct option *o = &options[_i / 2];
    int64_t value = _i % 2 ? o->max : o->min;
    int narrow = (int)value;
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH), *nobody = new_socket(SIFR_PUSH);
    const void *bytes = o->kind == WIDE ? (void *)&value : &narrow;
    size_t size = o->kind == WIDE ? 8 : 4;
    struct endpoint absent = fresh_endpoint(TCP), e;

    if (not_built_in(o) || o->kind > WIDE || !(o->access & SET) || o->types != ALL)
        return;
    ck_works(sifr_setsockopt(pull, o->number, bytes, size));
    ck_works(sifr_setsockopt(push, o->number, bytes, size));
    ck_works(sifr_setsockopt(nobody, o->number, bytes, size));
    if (get_int(pull, SIFR_MECHANISM) != SIFR_NULL) /* two servers have nothing to say to each other */
        return;
    if (sifr_connect(nobody, absent.text) != 0)
        ck_assert_int_eq(errno, SIFR_EMTHREAD);
    snprintf(e.text, sizeof e.text, "tcp://%s:*", own_host());
    if (sifr_bind(pull, e.text) != 0) {
        ck_assert_msg(errno == EINVAL || errno == EPERM || errno == SIFR_EMTHREAD,
                      "%s %lld: errno %d (%s)", o->name, (long long)value, errno, strerror(errno));
        return;
    }
    e = last_endpoint(pull);
    connect_to(push, &e);
    eventually(sifr_send(push, "here", 4, SIFR_DONTWAIT) == 4);
    ck_assert_msg(readable(pull), "%s %lld: nothing comes", o->name, (long long)value);
    recv_text(pull, "here", false);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/options_effect");
    TCase *c = new_case(s, "effects");
    bool libzmq = getenv("MATRIX_LIBZMQ"); /* it runs on that of the system, for what is the same there */
    int n = COUNT(system_options) - libzmq;

    tcase_add_test(c, the_threads_named_serve_an_endpoint);
    tcase_add_loop_test(c, received_messages_share_memory_or_do_not, 0, 2);
    tcase_add_test(c, who_is_not_there_is_dialled_again_after_the_time_set);
    tcase_add_loop_test(c, ipv6_is_spoken_when_asked_for, 0, 2);
    tcase_add_loop_test(c, a_filter_that_is_cleared_admits_all, 0, 4);
    tcase_add_loop_test(c, an_ipc_filter_admits_the_members_of_a_group, 0, 2 - libzmq);
    tcase_add_test(c, a_path_brought_along_is_left_alone);
    tcase_add_test(c, a_ping_says_what_was_set);
    tcase_add_test(c, whoever_was_asked_to_leaves_after_silence);
    tcase_add_loop_test(c, who_may_probe_does, 0, 4);
    tcase_add_loop_test(c, a_name_set_later_is_for_later_connections, 0, INPROC);
    tcase_add_test(c, of_a_property_set_twice_the_first_stays);
    c = new_case(s, "when they act");
    tcase_add_loop_test(c, what_is_set_is_for_later_binds_alone, 0, n);
    tcase_add_loop_test(c, what_is_set_is_for_later_connects_alone, 0, n);
    tcase_add_loop_test(c, a_limit_of_size_is_for_later_binds_alone, 0, INPROC);
    if (libzmq)
        return run_suite(s);
    c = new_case(s, "here alone"); /* what libzmq 4.3.4 has not, or does otherwise: docs/differences.md */
    tcase_add_test(c, the_prefix_of_threads_may_be_a_text);
    tcase_add_loop_test(c, what_does_not_listen_is_not_bound, 0, 10);
    tcase_add_loop_test(c, the_connecting_rep_may_name_its_peer, 0, TRANSPORTS);
    tcase_add_loop_test(c, all_properties_that_are_accepted_arrive, 0, INPROC);
    tcase_add_test(c, a_property_may_be_long_but_not_longer_than_a_handshake);
    tcase_add_loop_test(c, a_publisher_that_reads_no_requests_serves_them_all_the_same, 0, 5);
    tcase_add_loop_test(c, a_publisher_of_its_own_welcomes_too, 0, WAYS);
    tcase_add_loop_test(c, properties_and_hello_are_those_of_the_bind, 0, INPROC);
    tcase_add_loop_test(c, buffers_are_those_of_ipc_too, 0, 2);
    tcase_add_loop_test(c, the_ends_of_a_range_are_lived_with, 0, 2 * COUNT(options));
    return run_suite(s);
}
