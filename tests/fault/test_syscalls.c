/* Each system call fails in turn, with each error its manual page knows: calls say so, connections are made again. */
#include "scenarios.h"

#include <netdb.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

/* ---- The gate -------------------------------------------------------------------------------- */

enum function {
    SOCKET, BIND, LISTEN, ACCEPT, CONNECT, EPOLL_CREATE, EPOLL_ADD, EPOLL_WAIT, EVENTFD, READV, SENDMSG, SHUTDOWN,
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
    {EVENTFD, ENOMEM, FAMINE},        {EVENTFD, ENODEV, FAMINE},        {READV, EINTR, ONCE},
    {READV, EAGAIN, FAMINE},          {READV, ECONNRESET, FAMINE},      {READV, ETIMEDOUT, FAMINE},
    {READV, ENOMEM, FAMINE},          {SENDMSG, EINTR, ONCE},           {SENDMSG, EAGAIN, FAMINE},
    {SENDMSG, EPIPE, FAMINE},         {SENDMSG, ECONNRESET, FAMINE},    {SENDMSG, ENOBUFS, FAMINE},
    {SENDMSG, ENOMEM, FAMINE},        {SHUTDOWN, ENOTCONN, FAMINE},     {GETSOCKOPT, ENOBUFS, FAMINE},
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
WRAP(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n), READV)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags), SENDMSG)
WRAP(int, shutdown, (int fd, int how), (fd, how), SHUTDOWN)
WRAP(int, getsockopt, (int fd, int level, int name, void *to, socklen_t *n), (fd, level, name, to, n), GETSOCKOPT)
WRAP(int, setsockopt, (int fd, int level, int name, const void *v, socklen_t n), (fd, level, name, v, n), SETSOCKOPT)
WRAP(int, getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), GETSOCKNAME)
WRAP(int, getpeername, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), GETPEERNAME)

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

static void use_wire(int transport)
{
    bool tcp = transport == TCP;
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

START_TEST(a_program_lives_through_every_failure)
{
    int files;

    failure = &failures[_i];
    files = descriptors();
    for (int i = 0; i < MANNERS + 1; i++) {
        enum manner manner = i < MANNERS ? (enum manner)i : ONCE;
        enum transport transport = i % 2 ? IPC : TCP;

        if (manner > failure->worst)
            continue;
        for (long n = 1; run_trial(use_wire, (int)transport, manner, n); n += i ? 3 : 1) {
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

    tcase_add_loop_test(c, a_program_lives_through_every_failure, 0, COUNT(failures));
    return s;
}

int main(void)
{
    return run_suite(suite());
}
