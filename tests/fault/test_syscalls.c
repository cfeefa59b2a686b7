/* Each system call fails in turn, with each error its manual page knows: calls say so, connections are made again. */
#include "scenarios.h"

#include <netdb.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

/* ---- The gate -------------------------------------------------------------------------------- */

enum function {
    SOCKET, BIND, LISTEN, ACCEPT, CONNECT, EPOLL_CREATE, EPOLL_ADD, EPOLL_WAIT, EVENTFD, READ, SEND, SHUTDOWN,
    GETSOCKOPT, SETSOCKOPT, GETSOCKNAME, GETPEERNAME, PTHREAD_CREATE, GETADDRINFO,
};

static const struct failure {
    enum function function;
    int error;
    enum manner worst; /* a signal does not come for ever */
} failures[] = {
    {SOCKET, EMFILE, FAMINE},         {SOCKET, ENFILE, FAMINE},         {SOCKET, ENOBUFS, FAMINE},
    {SOCKET, ENOMEM, FAMINE},         {SOCKET, EACCES, FAMINE},         {BIND, EADDRINUSE, FAMINE},
    {BIND, EACCES, FAMINE},           {BIND, EADDRNOTAVAIL, FAMINE},    {BIND, ENOMEM, FAMINE},
    {LISTEN, EADDRINUSE, FAMINE},     {ACCEPT, EMFILE, FAMINE},         {ACCEPT, ENFILE, FAMINE},
    {ACCEPT, ENOBUFS, FAMINE},        {ACCEPT, ENOMEM, FAMINE},         {ACCEPT, ECONNABORTED, FAMINE},
    {ACCEPT, EPROTO, FAMINE},         {ACCEPT, EPERM, FAMINE},          {ACCEPT, ENETDOWN, FAMINE},
    {ACCEPT, EINTR, ONCE},            {ACCEPT, EAGAIN, FAMINE},         {CONNECT, ECONNREFUSED, FAMINE},
    {CONNECT, ETIMEDOUT, FAMINE},     {CONNECT, ENETUNREACH, FAMINE},   {CONNECT, EHOSTUNREACH, FAMINE},
    {CONNECT, EADDRNOTAVAIL, FAMINE}, {CONNECT, EAGAIN, FAMINE},        {CONNECT, EACCES, FAMINE},
    {CONNECT, EPERM, FAMINE},         {EPOLL_CREATE, EMFILE, FAMINE},   {EPOLL_CREATE, ENFILE, FAMINE},
    {EPOLL_CREATE, ENOMEM, FAMINE},   {EPOLL_ADD, ENOMEM, FAMINE},      {EPOLL_ADD, ENOSPC, FAMINE},
    {EPOLL_WAIT, EINTR, PATCH},       {EVENTFD, EMFILE, FAMINE},        {EVENTFD, ENFILE, FAMINE},
    {EVENTFD, ENOMEM, FAMINE},        {EVENTFD, ENODEV, FAMINE},        {READ, EINTR, ONCE},
    {READ, EAGAIN, FAMINE},          {READ, ECONNRESET, FAMINE},      {READ, ETIMEDOUT, FAMINE},
    {READ, ENOMEM, FAMINE},          {SEND, EINTR, ONCE},           {SEND, EAGAIN, FAMINE},
    {SEND, EPIPE, FAMINE},         {SEND, ECONNRESET, FAMINE},    {SEND, ENOBUFS, FAMINE},
    {SEND, ENOMEM, FAMINE},        {SHUTDOWN, ENOTCONN, FAMINE},     {GETSOCKOPT, ENOBUFS, FAMINE},
    {SETSOCKOPT, ENOMEM, FAMINE},     {SETSOCKOPT, ENOBUFS, FAMINE},    {GETSOCKNAME, ENOBUFS, FAMINE},
    {GETPEERNAME, ENOBUFS, FAMINE},   {GETPEERNAME, ENOTCONN, PATCH},   {PTHREAD_CREATE, EAGAIN, FAMINE},
    {GETADDRINFO, EAI_MEMORY, FAMINE}, {GETADDRINFO, EAI_AGAIN, FAMINE}, {GETADDRINFO, EAI_NONAME, FAMINE},
    {GETADDRINFO, EAI_SYSTEM, FAMINE}, {GETADDRINFO, EAI_FAIL, FAMINE},
};

static const struct failure *failure; /* the one to try */
static atomic_long fail_at, calls;    /* number of the call that fails, 0 none; those seen */
static atomic_bool fail_on;           /* all behind it fail, too */

static void gate_shut(long n, bool sticky)
{
    atomic_store(&calls, 0);
    atomic_store(&fail_on, sticky);
    atomic_store(&fail_at, n);
}

static void gate_open(void)
{
    atomic_store(&fail_at, 0);
}

static long gate_seen(void)
{
    return atomic_load(&calls);
}

/* What sifr.h says of sifr_socket, sifr_bind, sifr_connect and SIFR_FD. */
static bool excused(int error)
{
    switch (error) {
    case EMFILE:
    case ENOMEM: return true;
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case EACCES: return failure->error == error;
    case ENODEV: return failure->function == GETADDRINFO;
    default: return false;
    }
}

static bool fails(enum function function)
{
    long at = atomic_load(&fail_at), n;

    if (at == 0 || failure->function != function)
        return false;
    n = atomic_fetch_add(&calls, 1) + 1;
    if (n != at && (n < at || !atomic_load(&fail_on)))
        return false;
    errno = failure->error;
    return true;
}

/* The linker brings the library's calls of these here first (CMakeLists.txt). */
#define WRAP(type, name, parameters, arguments, function)                                                              \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        return fails(function) ? -1 : __real_##name arguments;                                                         \
    }

WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol), SOCKET)
WRAP(int, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), BIND)
WRAP(int, listen, (int fd, int n), (fd, n), LISTEN)
WRAP(int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags), ACCEPT)
WRAP(int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), CONNECT)
WRAP(int, epoll_create1, (int flags), (flags), EPOLL_CREATE)
WRAP(int, epoll_wait, (int fd, struct epoll_event *to, int n, int ms), (fd, to, n, ms), EPOLL_WAIT)
WRAP(int, eventfd, (unsigned value, int flags), (value, flags), EVENTFD)
WRAP(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n), READ)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags), READ)
WRAP(ssize_t, send, (int fd, const void *from, size_t n, int flags), (fd, from, n, flags), SEND)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags), SEND)
WRAP(int, shutdown, (int fd, int how), (fd, how), SHUTDOWN)
WRAP(int, getsockopt, (int fd, int level, int name, void *to, socklen_t *n), (fd, level, name, to, n), GETSOCKOPT)
WRAP(int, setsockopt, (int fd, int level, int name, const void *v, socklen_t n), (fd, level, name, v, n), SETSOCKOPT)
WRAP(int, getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), GETSOCKNAME)
WRAP(int, getpeername, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), GETPEERNAME)

/* Sockets are read; what wakes a thread does not fail. */
ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n)
{
    socklen_t size = sizeof(int);
    int type, before = errno;
    bool sock = failure && failure->function == READ && __real_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;

    errno = before;
    return sock && fails(READ) ? -1 : __real_read(fd, to, n);
}

/* What takes a descriptor out of the set, or changes it there, needs no memory and does not fail. */
int __real_epoll_ctl(int set, int op, int fd, struct epoll_event *e);
int __wrap_epoll_ctl(int set, int op, int fd, struct epoll_event *e);
int __wrap_epoll_ctl(int set, int op, int fd, struct epoll_event *e)
{
    return op == EPOLL_CTL_ADD && fails(EPOLL_ADD) ? -1 : __real_epoll_ctl(set, op, fd, e);
}

/* These return their error. */
int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    return fails(PTHREAD_CREATE) ? failure->error : __real_pthread_create(t, attr, fn, arg);
}

/* A name that leads somewhere on every machine, without a name server. */
#define NAME "a-name.test"

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **to);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **to);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **to)
{
    if (!fails(GETADDRINFO))
        return __real_getaddrinfo(strcmp(host, NAME) == 0 ? "127.0.0.1" : host, service, hints, to);
    if (failure->error == EAI_SYSTEM)
        errno = EMFILE;
    return failure->error;
}

/* ---- A program that makes all these calls ---------------------------------------------------- */

static void ask_fd(sifr_socket_t *s)
{
    size_t size = sizeof(int);
    int fd;

    TRY(sifr_getsockopt(s, SIFR_FD, &fd, &size));
    ck_assert_int_ge(fd, 0);
}

static void use_wire(int ipc)
{
    bool tcp = !ipc;
    sifr_socket_t *a, *b;
    struct letter answer = parts;
    struct endpoint e;
    char name[64];

    start_context();
    a = start_socket(SIFR_DEALER);
    b = start_socket(SIFR_ROUTER);
    set_bytes(a, SIFR_ROUTING_ID, "client", 6);
    ask_fd(b);
    if (tcp) {
        set_int(a, SIFR_TCP_KEEPALIVE, 1);
        TRY(sifr_bind(b, "tcp://" NAME ":*"));
        e = last_endpoint(b);
        snprintf(name, sizeof name, "tcp://" NAME "%s", strrchr(e.text, ':'));
        TRY(sifr_connect(a, name));
    } else {
        e = bind_somewhere(b, IPC);
        join(a, &e);
    }
    pass_from(a, b, &parts, &answer);
    pass(b, a, &answer);
    stop_socket(b);
    b = start_socket(SIFR_ROUTER);
    eventually(sifr_bind(b, e.text) == 0 || ((errno != EADDRINUSE || (trial.shut && failure->error == errno)) &&
                                             again("sifr_bind", __LINE__) && false));
    pass_from(a, b, &parts, &answer);
    set_int(a, SIFR_LINGER, 20); /* so that its end is a gentle one */
}

/* Where udp binds, in turn: the system says which port. */
static struct endpoint bind_datagrams(sifr_socket_t *s, const char *where)
{
    struct endpoint e;

    snprintf(e.text, sizeof e.text, "udp://%s:*", where);
    TRY(sifr_bind(s, e.text));
    return last_endpoint(s);
}

/* Sends "hello" to the group until it is there: what the system does not take is lost. */
static void tell_group(sifr_socket_t *radio, sifr_socket_t *dish)
{
    static const struct letter hello = {NULL, 1, {{"hello", 0}}};
    int64_t begin = now_ms();
    sifr_msg_t m;

    do {
        wait_since(begin, __LINE__);
        make_frame(&m, &hello, 0);
        ck_works(sifr_msg_set_group(&m, "group"));
        if (sifr_msg_send(&m, radio, SIFR_DONTWAIT) < 0) {
            int error = errno;

            ck_works(sifr_msg_close(&m));
            errno = error;
            if (error != EAGAIN)
                again("sifr_msg_send", __LINE__);
        }
    } while (!comes(dish, 2));
    fetch(dish, &hello, NULL);
}

/* The same, by address; it says whom it is from. */
static void tell_address(sifr_socket_t *from, const struct endpoint *sender, sifr_socket_t *to, const struct endpoint *e)
{
    struct letter hello = {NULL, 2, {{e->text + strlen("udp://"), 0}, {"hello", 0}}};
    const char *address = sender->text + strlen("udp://");
    int64_t begin = now_ms();
    sifr_msg_t m;

    do {
        wait_since(begin, __LINE__);
        post(from, &hello);
    } while (!comes(to, 2));
    ck_assert(fetch_frame(to, &m));
    ck_assert_uint_eq(sifr_msg_size(&m), strlen(address) + 1);
    ck_assert_str_eq(sifr_msg_data(&m), address);
    ck_works(sifr_msg_close(&m));
    ck_assert(!fetch_frame(to, &m));
    check_frame(&m, &hello, 1);
    ck_works(sifr_msg_close(&m));
}

static void use_datagrams(int groups)
{
    struct endpoint at_a, at_b;
    sifr_socket_t *a, *b;

    start_context();
    a = start_socket(groups ? SIFR_RADIO : SIFR_DGRAM);
    b = start_socket(groups ? SIFR_DISH : SIFR_DGRAM);
    for (int i = 0; i < 2; i++) {
        at_b = bind_datagrams(b, groups ? "127.0.0.1;239.255.7.7" : own_host());
        if (groups) {
            if (i == 0)
                TRY(sifr_join(b, "group"));
            join(a, &at_b);
            tell_group(a, b);
            TRY(sifr_disconnect(a, at_b.text));
        } else {
            if (i == 0)
                at_a = bind_datagrams(a, own_host());
            tell_address(a, &at_a, b, &at_b);
        }
        TRY(sifr_unbind(b, at_b.text));
        empty(b);
    }
}

static void (*const programs[])(int) = {use_wire, use_datagrams};

START_TEST(a_program_lives_through_every_failure)
{
    int files;

    failure = &failures[_i / COUNT(programs)];
    files = descriptors();
    for (int i = 0; i < MANNERS + 1; i++) {
        enum manner manner = i < MANNERS ? (enum manner)i : ONCE;

        if (manner > failure->worst)
            continue;
        for (long n = 1; run_trial(programs[_i % COUNT(programs)], i % 2, manner, n); n += i ? 5 : 1) {
            eventually(descriptors() == files); /* a look-up under way ends later than its context */
            ck_assert_int_lt(n, TRIALS_MAX);
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fault/syscalls");
    TCase *c = new_bare_case(s, "calls");

    tcase_add_loop_test(c, a_program_lives_through_every_failure, 0, COUNT(failures) * COUNT(programs));
    return s;
}

int main(void)
{
    return run_suite(suite());
}
