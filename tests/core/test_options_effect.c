/* Options that reach the system: each is looked for where the system shows it. */
#include "descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

/* ---- What is read and written at a time ---------------------------------------------------------------------- */

static _Atomic size_t most_read[FDS], most_written[FDS];

static void note(_Atomic size_t *most, int fd, const struct iovec *v, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += v[i].iov_len;
    if (fd >= 0 && fd < FDS && bytes > atomic_load(&most[fd])) /* one thread at a time has a descriptor */
        atomic_store(&most[fd], bytes);
}

/* The library is linked to these instead of the C library's. */
ssize_t readv(int fd, const struct iovec *v, int n)
{
    note(most_read, fd, v, (size_t)n);
    return syscall(SYS_readv, fd, v, n);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    note(most_written, fd, m->msg_iov, m->msg_iovlen);
    return syscall(SYS_sendmsg, fd, m, flags);
}

/* ---- Options of descriptors ---------------------------------------------------------------------------------- */

static const struct effect {
    const char *name;
    int option, value;
    int level, system_option;
    int factor; /* Linux doubles buffers */
} effects[] = {
    {"SNDBUF", SIFR_SNDBUF, 40000, SOL_SOCKET, SO_SNDBUF, 2},
    {"RCVBUF", SIFR_RCVBUF, 50000, SOL_SOCKET, SO_RCVBUF, 2},
    {"TOS", SIFR_TOS, 0x28, IPPROTO_IP, IP_TOS, 1},
    {"PRIORITY", SIFR_PRIORITY, 5, SOL_SOCKET, SO_PRIORITY, 1},
    {"BUSY_POLL", SIFR_BUSY_POLL, 1, SOL_SOCKET, SO_BUSY_POLL, 1},
    {"TCP_MAXRT", SIFR_TCP_MAXRT, 12345, IPPROTO_TCP, TCP_USER_TIMEOUT, 1},
    {"TCP_KEEPALIVE", SIFR_TCP_KEEPALIVE, 1, SOL_SOCKET, SO_KEEPALIVE, 1},
    {"TCP_KEEPALIVE_CNT", SIFR_TCP_KEEPALIVE_CNT, 7, IPPROTO_TCP, TCP_KEEPCNT, 1},
    {"TCP_KEEPALIVE_IDLE", SIFR_TCP_KEEPALIVE_IDLE, 33, IPPROTO_TCP, TCP_KEEPIDLE, 1},
    {"TCP_KEEPALIVE_INTVL", SIFR_TCP_KEEPALIVE_INTVL, 11, IPPROTO_TCP, TCP_KEEPINTVL, 1},
};

/* Whether this process may set it: a container may forbid it. */
static bool permitted(const struct effect *f)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err = setsockopt(fd, f->level, f->system_option, &f->value, sizeof f->value) ? errno : 0;

    close(fd);
    return err != EPERM;
}

START_TEST(what_is_set_stands_on_every_descriptor)
{
    const struct effect *f = &effects[_i];
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct endpoint e;

    set_int(pull, f->option, f->value);
    set_int(push, f->option, f->value);
    if (f->level == IPPROTO_TCP) {
        set_int(pull, SIFR_TCP_KEEPALIVE, 1);
        set_int(push, SIFR_TCP_KEEPALIVE, 1);
    }
    if (!permitted(f)) {
        ck_fails(sifr_bind(pull, "tcp://127.0.0.1:*"), EPERM);
        return;
    }
    e = bind_fresh(pull, TCP);
    connect_to(push, &e);
    send_text(push, "here", 0);
    recv_text(pull, "here", false);
    for (int role = 0; role < ROLES; role++) {
        int fd = find_fd((enum role)role, endpoint_port(&e));

        ck_assert_int_ge(fd, 0);
        ck_assert_msg(option_of(fd, f->level, f->system_option) == f->value * f->factor,
                      "%s of descriptor %d is %d", f->name, role, option_of(fd, f->level, f->system_option));
    }
}
END_TEST

START_TEST(what_is_not_set_stays_the_systems)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct endpoint e = bind_fresh(pull, TCP);

    connect_to(push, &e);
    send_text(push, "here", 0);
    recv_text(pull, "here", false);
    for (int role = 0; role < ROLES; role++)
        for (int i = 2; i < COUNT(effects); i++) /* the first two grow by themselves */
            ck_assert_int_eq(option_of(find_fd((enum role)role, endpoint_port(&e)), effects[i].level,
                                       effects[i].system_option),
                             option_of(plain, effects[i].level, effects[i].system_option));
    close(plain);
}
END_TEST

START_TEST(tos_is_the_traffic_class_of_ipv6)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);

    set_int(pull, SIFR_IPV6, 1);
    set_int(pull, SIFR_TOS, 0x28);
    if (sifr_bind(pull, "tcp://[::1]:*") != 0)
        return; /* a machine without IPv6 */
    struct endpoint e = last_endpoint(pull);
    int fd = find_fd(LISTENING, endpoint_port(&e));

    ck_assert_int_eq(option_of(fd, SOL_SOCKET, SO_DOMAIN), AF_INET6);
    ck_assert_int_eq(option_of(fd, IPPROTO_IPV6, IPV6_TCLASS), 0x28);
}
END_TEST

START_TEST(the_backlog_is_that_of_listen)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct tcp_info info;
    socklen_t size = sizeof info;
    struct endpoint e;

    set_int(pull, SIFR_BACKLOG, 7);
    e = bind_fresh(pull, TCP);
    ck_assert_int_eq(getsockopt(find_fd(LISTENING, endpoint_port(&e)), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    ck_assert_uint_eq(info.tcpi_sacked, 7); /* of one that listens */
}
END_TEST

START_TEST(a_device_is_bound_to_or_refused)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool may = setsockopt(probe, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) == 0;
    struct endpoint e;

    close(probe);
    set_text(pull, SIFR_BINDTODEVICE, "sifr-none");
    ck_assert_int_eq(sifr_bind(pull, "tcp://127.0.0.1:*"), -1);
    ck_assert(errno == ENODEV || errno == EPERM);
    if (!may)
        return;
    set_text(pull, SIFR_BINDTODEVICE, "lo");
    set_text(push, SIFR_BINDTODEVICE, "lo");
    e = bind_fresh(pull, TCP);
    connect_to(push, &e);
    send_text(push, "here", 0);
    recv_text(pull, "here", false);
    for (int role = 0; role < ROLES; role += DIALED) {
        char name[IFNAMSIZ] = "";
        socklen_t size = sizeof name;
        int fd = find_fd((enum role)role, endpoint_port(&e));

        ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size), 0);
        ck_assert_str_eq(name, "lo");
    }
}
END_TEST

START_TEST(batch_sizes_limit_what_is_read_and_written_at_a_time)
{
    static const size_t sizes[] = {1, 100, 1000, 5000, 20000, 100000, 600000};
    const int in = 1000, out = 3000;
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct endpoint e;
    int port, reads, writes;

    if (_i) {
        set_int(pull, SIFR_IN_BATCH_SIZE, in);
        set_int(push, SIFR_OUT_BATCH_SIZE, out);
    }
    for (int fd = 0; fd < FDS; fd++) {
        atomic_store(&most_read[fd], 0);
        atomic_store(&most_written[fd], 0);
    }
    e = bind_fresh(pull, TCP);
    port = endpoint_port(&e);
    connect_to(push, &e);
    for (int i = 0; i < 5; i++) {
        for (int n = 0; n < COUNT(sizes); n++)
            send_filled(push, sizes[n], (unsigned)i, n % 2 ? SIFR_SNDMORE : 0);
        for (int n = 0; n < COUNT(sizes); n++)
            recv_filled(pull, sizes[n], (unsigned)i, n % 2);
    }
    reads = (int)atomic_load(&most_read[find_fd(ACCEPTED, port)]);
    writes = (int)atomic_load(&most_written[find_fd(DIALED, port)]);
    if (_i) {
        ck_assert_int_eq(reads, in);
        ck_assert_int_eq(writes, out);
    } else {
        ck_assert_int_gt(reads, 8192);
        ck_assert_int_gt(writes, 8192);
    }
}
END_TEST

START_TEST(the_smallest_batches_do)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct endpoint e;

    set_int(pull, SIFR_IN_BATCH_SIZE, 1);
    set_int(push, SIFR_OUT_BATCH_SIZE, 1);
    set_int(push, SIFR_IN_BATCH_SIZE, 1);
    set_int(pull, SIFR_OUT_BATCH_SIZE, 1);
    e = bind_fresh(pull, (enum transport)_i);
    connect_to(push, &e);
    send_filled(push, 3000, 1, SIFR_SNDMORE);
    send_text(push, "end", 0);
    recv_filled(pull, 3000, 1, true);
    recv_text(pull, "end", false);
}
END_TEST

/* ---- Descriptors that are brought along ---------------------------------------------------------------------- */

static int listen_raw(int port)
{
    struct sockaddr_in a = own_address(0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_port = htons((uint16_t)port);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    return fd;
}

START_TEST(one_bind_takes_the_descriptor)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    int port = free_port(), fd = listen_raw(port);
    struct endpoint e, other;

    set_int(pull, SIFR_USE_FD, fd);
    ck_fails(sifr_bind(pull, "tcp://127.0.0.1"), EINVAL); /* this one does not */
    ck_assert_int_eq(get_int(pull, SIFR_USE_FD), fd);
    snprintf(e.text, sizeof e.text, "tcp://%s:%d", own_host(), port);
    bind_to(pull, &e);
    ck_assert_int_eq(find_fd(LISTENING, port), fd);
    ck_assert_int_eq(get_int(pull, SIFR_USE_FD), -1);
    other = bind_fresh(pull, TCP);
    ck_assert_int_ne(endpoint_port(&other), port);
    ck_works(sifr_unbind(pull, e.text));
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1); /* closed, once */
    ck_assert_int_ge(find_fd(LISTENING, endpoint_port(&other)), 0);
}
END_TEST

/* ---- When not to dial again ---------------------------------------------------------------------------------- */

/* A path where a socket was bound and nobody listens any more. */
static struct endpoint stale_path(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct endpoint e;

    snprintf(a.sun_path, sizeof a.sun_path, "/tmp/sifr-test-%d-stale", (int)getpid());
    unlink(a.sun_path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd);
    snprintf(e.text, sizeof e.text, "ipc://%s", a.sun_path);
    return e;
}

static bool forgotten(sifr_socket_t *s, const struct endpoint *e)
{
    return sifr_disconnect(s, e->text) == -1 && errno == ENOENT;
}

/* No queue: the endpoint has been removed. */
static bool given_up(sifr_socket_t *s)
{
    return sifr_send(s, "x", 1, SIFR_DONTWAIT) == -1 && errno == EAGAIN;
}

START_TEST(a_refused_connect_is_given_up_if_so_asked)
{
    struct endpoint e = _i ? stale_path() : fresh_endpoint(TCP);
    sifr_socket_t *push = new_socket(SIFR_PUSH);

    set_int(push, SIFR_RECONNECT_IVL, 1);
    set_int(push, SIFR_RECONNECT_STOP, SIFR_RECONNECT_STOP_CONN_REFUSED);
    connect_to(push, &e);
    eventually(given_up(push));
    ck_assert(forgotten(push, &e));
    if (_i)
        unlink(e.text + strlen("ipc://"));
}
END_TEST

START_TEST(a_failed_handshake_is_given_up_if_so_asked)
{
    int port = free_port(), fd = listen_raw(port), conn;
    sifr_socket_t *push = new_socket(SIFR_PUSH);
    struct endpoint e;

    snprintf(e.text, sizeof e.text, "tcp://%s:%d", own_host(), port);
    set_int(push, SIFR_RECONNECT_IVL, 1);
    set_int(push, SIFR_RECONNECT_STOP, _i ? SIFR_RECONNECT_STOP_HANDSHAKE_FAILED : 0);
    connect_to(push, &e);
    conn = accept(fd, NULL, NULL);
    ck_assert_int_ge(conn, 0);
    close(conn);
    if (_i) {
        eventually(given_up(push));
        ck_works(sifr_disconnect(push, e.text)); /* but it is known */
        ck_assert(forgotten(push, &e));
    } else {
        conn = accept(fd, NULL, NULL); /* it comes again */
        ck_assert_int_ge(conn, 0);
        close(conn);
        ck_assert(!given_up(push));
    }
    close(fd);
}
END_TEST

START_TEST(what_was_not_connected_is_not_dialed_after_disconnect_if_so_asked)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *push = sifr_socket(ctx, SIFR_PUSH);
    struct endpoint e = fresh_endpoint(TCP);

    set_int(push, SIFR_LINGER, -1);
    set_int(push, SIFR_RECONNECT_STOP, SIFR_RECONNECT_STOP_AFTER_DISCONNECT);
    connect_to(push, &e);
    send_text(push, "kept for ever", 0);
    ck_works(sifr_disconnect(push, e.text));
    ck_works(sifr_close(push));
    ck_works(sifr_ctx_term(ctx)); /* nothing lingers: else this would never return */
}
END_TEST

/* The next event of a monitor: its number, and its value. */
static int event_of(sifr_socket_t *monitor, uint32_t *value)
{
    uint8_t bytes[6];
    uint16_t number;

    if (sifr_recv(monitor, bytes, sizeof bytes, 0) != 6)
        return -1;
    sifr_recv(monitor, NULL, 0, 0);
    memcpy(&number, bytes, 2);
    memcpy(value, bytes + 2, 4);
    return number;
}

START_TEST(the_time_between_attempts_doubles_up_to_its_limit)
{
    static const uint32_t want[] = {4, 8, 16, 20, 20};
    sifr_socket_t *push = new_socket(SIFR_PUSH), *monitor = new_socket(SIFR_PAIR);
    struct endpoint e = fresh_endpoint(TCP);
    uint32_t value;

    ck_works(sifr_socket_monitor(push, "inproc://monitor", SIFR_EVENT_CONNECT_RETRIED));
    ck_works(sifr_connect(monitor, "inproc://monitor"));
    set_int(push, SIFR_RECONNECT_IVL, 4);
    set_int(push, SIFR_RECONNECT_IVL_MAX, 20);
    connect_to(push, &e);
    for (int i = 0; i < COUNT(want); i++) {
        ck_assert_int_eq(event_of(monitor, &value), SIFR_EVENT_CONNECT_RETRIED);
        ck_assert_uint_eq(value, want[i]);
    }
}
END_TEST

/* ---- Through a proxy ----------------------------------------------------------------------------------------- */

static void expect_bytes(int fd, const void *bytes, size_t size)
{
    uint8_t got[256];

    for (size_t have = 0; have < size;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
        n = recv(fd, got + have, size - have, 0);
        ck_assert_int_gt(n, 0);
        have += (size_t)n;
    }
    ck_assert_mem_eq(got, bytes, size);
}

START_TEST(connections_go_through_the_proxy_with_name_and_password)
{
    static const uint8_t greeting[] = {0xff};
    int port = free_port(), fd = listen_raw(port), conn;
    sifr_socket_t *push = new_socket(SIFR_PUSH);
    char proxy[32];

    snprintf(proxy, sizeof proxy, "%s:%d", own_host(), port);
    set_text(push, SIFR_SOCKS_PROXY, proxy);
    if (_i) {
        set_text(push, SIFR_SOCKS_USERNAME, "me");
        set_text(push, SIFR_SOCKS_PASSWORD, "secret");
    }
    ck_works(sifr_connect(push, "tcp://nowhere.invalid:4660")); /* for the proxy to look up */
    conn = accept(fd, NULL, NULL);
    ck_assert_int_ge(conn, 0);
    if (_i) {
        expect_bytes(conn, "\5\1\2", 3);
        ck_assert_int_eq(send(conn, "\5\2", 2, 0), 2);
        expect_bytes(conn, "\1\2me\6secret", 11);
        ck_assert_int_eq(send(conn, "\1\0", 2, 0), 2);
    } else {
        expect_bytes(conn, "\5\1\0", 3);
        ck_assert_int_eq(send(conn, "\5\0", 2, 0), 2);
    }
    expect_bytes(conn, "\5\1\0\3\17nowhere.invalid\x12\x34", 22);
    ck_assert_int_eq(send(conn, "\5\0\0\1\0\0\0\0\0\0", 10, 0), 10);
    expect_bytes(conn, greeting, sizeof greeting);
    close(conn);
    close(fd);
}
END_TEST

/* ---- What the peer does not accept --------------------------------------------------------------------------- */

START_TEST(a_message_that_is_too_large_does_not_keep_back_those_behind_it)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    int64_t limit = 1000;
    struct endpoint e;

    ck_works(sifr_setsockopt(pull, SIFR_MAXMSGSIZE, &limit, sizeof limit));
    set_int(push, SIFR_RECONNECT_IVL, 1);
    e = bind_fresh(pull, (enum transport)_i);
    connect_to(push, &e);
    send_text(push, "before", 0);
    send_text(push, "a part", SIFR_SNDMORE);
    send_filled(push, 20000000, 1, 0); /* more than the system takes: it is never accepted whole */
    send_text(push, "behind", 0);
    recv_text(pull, "before", false);
    recv_text(pull, "behind", false);
}
END_TEST

/* ---- Limits of time ------------------------------------------------------------------------------------------ */

START_TEST(an_attempt_to_connect_is_given_up_in_time)
{
    int port = free_port(), fd = listen_raw(port), waiting[8], n;
    struct sockaddr_in a = own_address(0);
    sifr_socket_t *push = new_socket(SIFR_PUSH), *monitor = new_socket(SIFR_PAIR);
    struct endpoint e;
    uint32_t value;

    /* A listener whose queue is full answers nobody. */
    ck_assert_int_eq(listen(fd, 0), 0);
    a.sin_port = htons((uint16_t)port);
    for (n = 0; n < COUNT(waiting); n++) {
        waiting[n] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(waiting[n], (struct sockaddr *)&a, sizeof a);
    }
    snprintf(e.text, sizeof e.text, "tcp://%s:%d", own_host(), port);
    ck_works(sifr_socket_monitor(push, "inproc://monitor", SIFR_EVENT_CLOSED | SIFR_EVENT_CONNECT_RETRIED));
    ck_works(sifr_connect(monitor, "inproc://monitor"));
    set_int(push, SIFR_CONNECT_TIMEOUT, 50);
    connect_to(push, &e);
    ck_assert_int_eq(event_of(monitor, &value), SIFR_EVENT_CLOSED);
    ck_assert_int_eq(event_of(monitor, &value), SIFR_EVENT_CONNECT_RETRIED);
    while (n > 0)
        close(waiting[--n]);
    close(fd);
}
END_TEST

START_TEST(a_handshake_is_given_up_in_time)
{
    int port = free_port(), fd = listen_raw(port), conn;
    sifr_socket_t *push = new_socket(SIFR_PUSH);
    struct pollfd p;
    struct endpoint e;
    char bytes[64];

    snprintf(e.text, sizeof e.text, "tcp://%s:%d", own_host(), port);
    set_int(push, SIFR_HANDSHAKE_IVL, 50);
    connect_to(push, &e);
    conn = accept(fd, NULL, NULL);
    ck_assert_int_ge(conn, 0);
    p = (struct pollfd){.fd = conn, .events = POLLIN};
    do /* its greeting, then the end */
        ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
    while (recv(conn, bytes, sizeof bytes, 0) > 0);
    close(conn);
    close(fd);
}
END_TEST

/* ---- I/O threads --------------------------------------------------------------------------------------------- */

/* The threads of this process whose name begins so; *tid is one of them. */
static int threads_called(const char *name, int *tid)
{
    DIR *d = opendir("/proc/self/task");
    struct dirent *entry;
    int n = 0;

    while ((entry = readdir(d))) {
        char path[300], text[32] = "";
        FILE *f;

        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        f = fopen(path, "r");
        if (!f)
            continue;
        if (fgets(text, sizeof text, f) && strncmp(text, name, strlen(name)) == 0) {
            n++;
            *tid = atoi(entry->d_name);
        }
        fclose(f);
    }
    closedir(d);
    return n;
}

/* Opens a socket, which starts the threads, and waits until they have their names. */
static int thread_of(sifr_ctx_t *ctx, const char *name, int n)
{
    int tid = -1;

    ck_works(sifr_close(sifr_socket(ctx, SIFR_PULL)));
    eventually(threads_called(name, &tid) == n);
    return tid;
}

START_TEST(io_threads_are_as_many_as_set_and_have_their_prefix)
{
    sifr_ctx_t *ctx = sifr_ctx_new();

    ck_works(sifr_ctx_set(ctx, SIFR_IO_THREADS, 3));
    ck_works(sifr_ctx_set(ctx, SIFR_THREAD_NAME_PREFIX, 77));
    thread_of(ctx, "77/sifr/io/", 3);
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(io_threads_run_where_they_may)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    cpu_set_t mine, set;
    int cpu = 0, other;

    ck_assert_int_eq(sched_getaffinity(0, sizeof mine, &mine), 0);
    while (!CPU_ISSET(cpu, &mine))
        cpu++;
    for (other = 0; other < CPU_SETSIZE; other++) /* there is room for all at once */
        ck_works(sifr_ctx_set(ctx, SIFR_THREAD_AFFINITY_CPU_ADD, other));
    for (other = 0; other < CPU_SETSIZE; other++)
        if (other != cpu)
            ck_works(sifr_ctx_set(ctx, SIFR_THREAD_AFFINITY_CPU_REMOVE, other));
    ck_assert_int_eq(sched_getaffinity(thread_of(ctx, "sifr/io/", 1), sizeof set, &set), 0);
    ck_assert_int_eq(CPU_COUNT(&set), 1);
    ck_assert(CPU_ISSET(cpu, &set));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

static void *may_be_real_time(void *arg)
{
    struct sched_param p = {.sched_priority = 7};

    *(bool *)arg = pthread_setschedparam(pthread_self(), SCHED_RR, &p) == 0;
    return NULL;
}

static void *may_be_urgent(void *arg)
{
    *(bool *)arg = setpriority(PRIO_PROCESS, 0, -20) == 0;
    return NULL;
}

START_TEST(io_threads_have_policy_and_priority_or_what_they_had)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    struct sched_param p;
    bool may;
    int tid, was = getpriority(PRIO_PROCESS, 0);

    pthread_join(start_thread(_i == 1 ? may_be_real_time : may_be_urgent, &may), NULL);
    if (_i == 0)
        ck_works(sifr_ctx_set(ctx, SIFR_THREAD_SCHED_POLICY, SCHED_BATCH)); /* anybody may */
    if (_i == 1)
        ck_works(sifr_ctx_set(ctx, SIFR_THREAD_SCHED_POLICY, SCHED_RR));
    if (_i >= 1)
        ck_works(sifr_ctx_set(ctx, SIFR_THREAD_PRIORITY, 7));
    tid = thread_of(ctx, "sifr/io/", 1);
    if (_i == 0)
        eventually(sched_getscheduler(tid) == SCHED_BATCH);
    if (_i == 1 && may) {
        eventually(sched_getscheduler(tid) == SCHED_RR);
        ck_assert_int_eq(sched_getparam(tid, &p), 0);
        ck_assert_int_eq(p.sched_priority, 7);
    }
    if (_i == 2)
        eventually(getpriority(PRIO_PROCESS, (id_t)tid) == (may ? -20 : was));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/options_effect");
    TCase *c = new_case(s, "descriptors");

    tcase_add_loop_test(c, what_is_set_stands_on_every_descriptor, 0, COUNT(effects));
    tcase_add_test(c, what_is_not_set_stays_the_systems);
    tcase_add_test(c, tos_is_the_traffic_class_of_ipv6);
    tcase_add_test(c, the_backlog_is_that_of_listen);
    tcase_add_test(c, a_device_is_bound_to_or_refused);
    tcase_add_loop_test(c, batch_sizes_limit_what_is_read_and_written_at_a_time, 0, 2);
    tcase_add_loop_test(c, the_smallest_batches_do, 0, INPROC);
    tcase_add_test(c, one_bind_takes_the_descriptor);
    c = new_case(s, "dialing");
    tcase_add_loop_test(c, a_refused_connect_is_given_up_if_so_asked, 0, 2);
    tcase_add_loop_test(c, a_failed_handshake_is_given_up_if_so_asked, 0, 2);
    tcase_add_test(c, what_was_not_connected_is_not_dialed_after_disconnect_if_so_asked);
    tcase_add_test(c, the_time_between_attempts_doubles_up_to_its_limit);
    tcase_add_loop_test(c, connections_go_through_the_proxy_with_name_and_password, 0, 2);
    tcase_add_loop_test(c, a_message_that_is_too_large_does_not_keep_back_those_behind_it, 0, INPROC);
    tcase_add_test(c, an_attempt_to_connect_is_given_up_in_time);
    tcase_add_test(c, a_handshake_is_given_up_in_time);
    c = new_bare_case(s, "threads");
    tcase_add_test(c, io_threads_are_as_many_as_set_and_have_their_prefix);
    tcase_add_test(c, io_threads_run_where_they_may);
    tcase_add_loop_test(c, io_threads_have_policy_and_priority_or_what_they_had, 0, 3);
    return run_suite(s);
}
