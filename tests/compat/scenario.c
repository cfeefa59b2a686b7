/*
 * scenario LIBRARY SECTION: a script of API calls over all that programs do with ZeroMQ, run on the
 * library at that path; prints what each call gave, so that two libraries can be compared line by
 * line (side_by_side). Without SECTION the names of all are printed.
 *
 * A line is "section/number call: result". What differs from run to run is written as a word: ports,
 * descriptors, generated ids.
 */
#define ZMQ_BUILD_DRAFT_API
#include <compat/zmq.h>

#include <ctype.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { LONG_MS = 20000, SHORT_MS = 60, TEXT = 4096 };

/* --- The library ------------------------------------------------------------ */

#define FUNCTIONS(X) \
    X(atomic_counter_dec) X(atomic_counter_destroy) X(atomic_counter_inc) X(atomic_counter_new) \
    X(atomic_counter_set) X(atomic_counter_value) X(bind) X(close) X(connect) X(ctx_destroy) \
    X(ctx_get) X(ctx_new) X(ctx_set) X(ctx_shutdown) X(ctx_term) X(curve_keypair) X(curve_public) \
    X(disconnect) X(getsockopt) X(has) X(init) X(msg_close) X(msg_copy) X(msg_data) \
    X(msg_get) X(msg_gets) X(msg_init) X(msg_init_data) X(msg_init_size) X(msg_more) X(msg_move) \
    X(msg_recv) X(msg_send) X(msg_set) X(msg_size) X(poll) X(proxy) X(proxy_steerable) X(recv) \
    X(recviov) X(recvmsg) X(send) X(send_const) X(sendiov) X(sendmsg) X(setsockopt) X(socket) \
    X(socket_monitor) X(stopwatch_intermediate) X(stopwatch_start) X(stopwatch_stop) X(strerror) \
    X(term) X(threadclose) X(threadstart) X(timers_add) X(timers_cancel) X(timers_destroy) \
    X(timers_execute) X(timers_new) X(timers_reset) X(timers_set_interval) X(timers_timeout) \
    X(unbind) X(version) X(z85_decode) X(z85_encode)

#define AS_POINTER(name) __typeof__(&zmq_##name) name;
static struct {
    FUNCTIONS(AS_POINTER)
    int (*error)(void); /* zmq_errno, whose short name is a macro */
} z;

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        printf("%s\n", dlerror());
        exit(2);
    }
#define FIND(name) \
    *(void **)(void *)&z.name = dlsym(library, "zmq_" #name); \
    if (!z.name) { \
        printf("no zmq_" #name "\n"); \
        exit(2); \
    }
    FUNCTIONS(FIND)
    *(void **)(void *)&z.error = dlsym(library, "zmq_errno");
}

/* --- What is said ------------------------------------------------------------ */

static const char *section;
static int step;
static char now_at[256]; /* said in each line of a loop */

static const char *error_name(int error)
{
    static char other[32];

    switch (error) {
#define NAME(e) \
    case e: return #e;
        NAME(0) NAME(EAGAIN) NAME(EINVAL) NAME(EFAULT) NAME(ENOTSOCK) NAME(ENOTSUP) NAME(EFSM) NAME(ETERM)
        NAME(EINTR) NAME(ENOENT) NAME(EMFILE) NAME(ENOMEM) NAME(EADDRINUSE) NAME(EADDRNOTAVAIL) NAME(ENODEV)
        NAME(EPROTONOSUPPORT) NAME(ENOCOMPATPROTO) NAME(EHOSTUNREACH) NAME(EMTHREAD) NAME(ENAMETOOLONG)
        NAME(EACCES) NAME(EINPROGRESS) NAME(ECONNREFUSED) NAME(EPIPE) NAME(ECONNRESET) NAME(ENOTDIR)
    }
    snprintf(other, sizeof other, "errno %d", error);
    return other;
}

static void say(const char *call, const char *format, ...)
{
    va_list args;

    printf("%s/%04d %s%s%s: ", section, ++step, now_at, *now_at ? " " : "", call);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static long say_number(const char *call, long result)
{
    int error = errno;

    if (result == -1)
        say(call, "-1 %s", error_name(error));
    else
        say(call, "%ld", result);
    return result;
}

static void *say_pointer(const char *call, void *result)
{
    int error = errno;

    say(call, "%s", result ? "pointer" : error_name(error));
    return result;
}

#define DO(call) say_number(#call, (errno = 0, (long)z.call))
#define GET(call) say_pointer(#call, (errno = 0, (void *)(size_t)z.call))

/* Writes what is the same in each run: ports become PORT, what cannot be printed an escape. */
static const char *plain(const void *bytes, size_t size)
{
    static char texts[4][TEXT];
    static int next;
    char *text = texts[next++ % 4], *to = text;
    const unsigned char *p = bytes;

    for (size_t i = 0; i < size && to < text + TEXT - 32; i++) {
        if (i >= 10 && memcmp(p + i - 10, "127.0.0.1:", 10) == 0 && isdigit(p[i])) {
            while (i + 1 < size && isdigit(p[i + 1]))
                i++;
            to += sprintf(to, "PORT");
        } else if (size - i >= 13 && memcmp(p + i, "sifr-scenario", 13) == 0) {
            to += sprintf(to, "NAME");
            while (i + 1 < size && p[i + 1] != '.')
                i++;
        } else if (isprint(p[i])) {
            *to++ = (char)p[i];
        } else {
            to += sprintf(to, "\\%02x", p[i]);
        }
        if (i == 60 && size > 100) {
            to += sprintf(to, "... %zu bytes", size);
            break;
        }
    }
    *to = 0;
    return text;
}

/* --- Steps that are many calls ------------------------------------------------ */

static void *ctx;

static void set_int(void *s, int option, int value)
{
    if (z.setsockopt(s, option, &value, sizeof value) != 0)
        say("setsockopt", "option %d to %d: %s", option, value, error_name(errno));
}

static int get_int(void *s, int option)
{
    int value = -4711;
    size_t size = sizeof value;

    if (z.getsockopt(s, option, &value, &size) != 0)
        say("getsockopt", "option %d: %s", option, error_name(errno));
    return value;
}

static void *open_socket(int type)
{
    void *s = z.socket(ctx, type);

    if (!s) {
        say("socket", "type %d: %s", type, error_name(errno));
        return NULL;
    }
    set_int(s, ZMQ_LINGER, 0);
    set_int(s, ZMQ_RCVTIMEO, LONG_MS);
    set_int(s, ZMQ_SNDTIMEO, LONG_MS);
    return s;
}

static void close_socket(void *s)
{
    if (s && z.close(s) != 0)
        say("close", "%s", error_name(errno));
}

/* Says the frame that comes, or why none does. */
static int recv_frame(const char *who, void *s, int flags)
{
    zmq_msg_t m;
    int size, error;

    z.msg_init(&m);
    errno = 0;
    size = z.msg_recv(&m, s, flags);
    error = errno;
    if (size < 0)
        say(who, "receives %s", error_name(error));
    else
        say(who, "receives '%s' %d more %d/%d", plain(z.msg_data(&m), z.msg_size(&m)), size, z.msg_more(&m),
            get_int(s, ZMQ_RCVMORE));
    z.msg_close(&m);
    return size;
}
#define RECV(s) recv_frame(#s, s, 0)
#define RECV_NOW(s) recv_frame(#s, s, ZMQ_DONTWAIT)

/* All frames of a message. */
static void recv_message(const char *who, void *s)
{
    while (recv_frame(who, s, 0) >= 0 && get_int(s, ZMQ_RCVMORE))
        ;
}
#define RECV_ALL(s) recv_message(#s, s)

/* Nothing comes, also after a moment. */
static void recv_nothing(const char *who, void *s)
{
    set_int(s, ZMQ_RCVTIMEO, SHORT_MS);
    recv_frame(who, s, 0);
    set_int(s, ZMQ_RCVTIMEO, LONG_MS);
}
#define RECV_NOTHING(s) recv_nothing(#s, s)

static int send_text(const char *who, void *s, const char *text, int flags)
{
    int size = (errno = 0, z.send(s, text, strlen(text), flags)), error = errno;

    say(who, "sends '%s' flags %d: %d %s", plain(text, strlen(text)), flags, size, size < 0 ? error_name(error) : "");
    return size;
}
#define SEND(s, text) send_text(#s, s, text, 0)
#define SEND_MORE(s, text) send_text(#s, s, text, ZMQ_SNDMORE)
#define SEND_NOW(s, text) send_text(#s, s, text, ZMQ_DONTWAIT)

static void say_events(const char *who, void *s)
{
    say(who, "events %d", get_int(s, ZMQ_EVENTS));
}
#define EVENTS(s) say_events(#s, s)

/* Waits until the socket has these events, and says so. */
static void await(const char *who, void *s, int events)
{
    zmq_pollitem_t item = {s, 0, (short)events, 0};
    int n = (errno = 0, z.poll(&item, 1, LONG_MS)), error = errno;

    say(who, "has %d, revents %d %s", n, item.revents, n < 0 ? error_name(error) : "");
}
#define AWAIT(s, events) await(#s, s, events)

enum { TCP, IPC, INPROC, TRANSPORTS };
static const char *const transport_names[] = {"tcp", "ipc", "inproc"};

/* An endpoint nobody has; for tcp the system chooses the port. */
static const char *fresh(int transport)
{
    static char texts[8][128];
    static int n;
    char *text = texts[n++ % 8];

    if (transport == TCP)
        strcpy(text, "tcp://127.0.0.1:*");
    else
        sprintf(text, "%s://%ssifr-scenario-%d-%d.", transport_names[transport], transport == IPC ? "@" : "",
                (int)getpid(), n);
    return text;
}

static const char *last_endpoint(void *s)
{
    static char texts[8][256];
    static int n;
    char *text = texts[n++ % 8];
    size_t size = 256;

    if (z.getsockopt(s, ZMQ_LAST_ENDPOINT, text, &size) != 0)
        strcpy(text, error_name(errno));
    return text;
}

/* Binds one and connects the other; says what that gave. */
static const char *join(void *a, void *b, int transport)
{
    const char *e;

    say_number("bind", z.bind(a, fresh(transport)));
    e = last_endpoint(a);
    say("bound to", "%s", plain(e, strlen(e)));
    say_number("connect", z.connect(b, e));
    return e;
}

static void begin(int transport, const char *what)
{
    snprintf(now_at, sizeof now_at, "[%s%s%s]", transport < 0 ? "" : transport_names[transport],
             transport < 0 ? "" : " ", what);
    ctx = z.ctx_new();
}

static void end(void)
{
    DO(ctx_term(ctx));
    now_at[0] = 0;
}

/* --- Sections: what needs no socket --------------------------------------------- */

static void section_library(void)
{
    static const int errors[] = {0, EINVAL, EAGAIN, EFAULT, ENOTSOCK, EHOSTUNREACH, EFSM, ENOCOMPATPROTO, ETERM,
                                 EMTHREAD, ENOENT, EADDRINUSE, ZMQ_HAUSNUMERO, 99999, -1};
    static const char *const capabilities[] = {"ipc", "tcp", "inproc", "udp", "draft", "curve", "gssapi", "pgm",
                                               "norm", "tipc", "WS", "WSS", "ws", "vmci", "IPC", ""};
    int major, minor, patch;

    z.version(&major, &minor, &patch);
    say("version", "%d.%d.%d", major, minor, patch);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        say("strerror", "%d %s", errors[i], z.strerror(errors[i]));
    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++) {
        snprintf(now_at, sizeof now_at, "[%s]", capabilities[i]);
        DO(has(capabilities[i]));
    }
    now_at[0] = 0;
    errno = EAGAIN;
    say("errno", "%s", error_name(z.error()));
}

static void section_contexts(void)
{
    static const int values[] = {-2, -1, 0, 1, 2, 16, 70000};
    void *s, *second;

    GET(ctx_new());
    DO(ctx_get(NULL, ZMQ_IO_THREADS));
    DO(ctx_set(NULL, ZMQ_IO_THREADS, 1));
    DO(ctx_shutdown(NULL));
    DO(ctx_term(NULL));
    DO(ctx_destroy(NULL));
    DO(term(NULL));
    GET(socket(NULL, ZMQ_PAIR));
    GET(init(-1));
    for (int option = -1; option < 80; option++) {
        ctx = z.ctx_new();
        snprintf(now_at, sizeof now_at, "[option %d]", option);
        DO(ctx_get(ctx, option));
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            if (option == ZMQ_THREAD_AFFINITY_CPU_ADD && values[i] == 70000)
                continue; /* the system's limits */
            snprintf(now_at, sizeof now_at, "[option %d to %d]", option, values[i]);
            DO(ctx_set(ctx, option, values[i]));
            DO(ctx_get(ctx, option));
        }
        z.ctx_term(ctx);
    }
    now_at[0] = 0;

    ctx = z.init(0);
    DO(ctx_get(ctx, ZMQ_IO_THREADS));
    s = GET(socket(ctx, ZMQ_PAIR));
    DO(bind(s, "tcp://127.0.0.1:*"));
    DO(connect(s, "tcp://127.0.0.1:1"));
    DO(connect(s, "ipc://@sifr-scenario-none"));
    DO(bind(s, "inproc://here"));
    DO(close(s));
    DO(ctx_term(ctx));
    DO(ctx_term(ctx));
    DO(ctx_get(ctx, ZMQ_IO_THREADS));
    DO(ctx_shutdown(ctx));
    GET(socket(ctx, ZMQ_PAIR));

    ctx = z.ctx_new();
    DO(ctx_set(ctx, ZMQ_MAX_SOCKETS, 2));
    GET(socket(ctx, -1));
    GET(socket(ctx, 4711));
    s = GET(socket(ctx, ZMQ_PAIR));
    second = GET(socket(ctx, ZMQ_PAIR));
    GET(socket(ctx, ZMQ_PAIR));
    DO(ctx_set(ctx, ZMQ_MAX_SOCKETS, 10)); /* too late */
    DO(ctx_get(ctx, ZMQ_MAX_SOCKETS));
    GET(socket(ctx, ZMQ_PAIR));
    DO(close(second));
    DO(close(second));
    DO(close(s));
    DO(ctx_term(ctx));

    ctx = z.ctx_new();
    DO(ctx_set(ctx, ZMQ_BLOCKY, 0));
    s = z.socket(ctx, ZMQ_DEALER);
    say("linger", "%d", get_int(s, ZMQ_LINGER));
    DO(ctx_set(ctx, ZMQ_BLOCKY, 1));
    say("linger", "%d", get_int(s, ZMQ_LINGER));
    second = z.socket(ctx, ZMQ_DEALER);
    say("linger", "%d", get_int(second, ZMQ_LINGER));
    DO(ctx_set(ctx, ZMQ_IPV6, 1));
    say("ipv6", "%d", get_int(s, ZMQ_IPV6));
    z.close(second);
    second = z.socket(ctx, ZMQ_DEALER);
    say("ipv6", "%d", get_int(second, ZMQ_IPV6));
    z.close(second);
    z.close(s);
    DO(ctx_term(ctx));
}

static int freed;
static char freed_data[16];

static void count_free(void *data, void *hint)
{
    freed++;
    memcpy(freed_data, data, 4);
    if (hint)
        *(int *)hint += 1;
}

static void section_messages(void)
{
    static char bytes[100000] = "text";
    static const size_t sizes[] = {0, 1, 29, 33, 34, 64, 1000, 100000};
    zmq_msg_t a, b;
    int hints = 0;

    DO(msg_init(&a));
    DO(msg_size(&a));
    GET(msg_data(&a));
    DO(msg_more(&a));
    DO(msg_close(&a));
    DO(msg_close(&a));
    memset(&a, 0, sizeof a);
    DO(msg_close(&a));
    DO(msg_init_size(&a, (size_t)-1));
    DO(msg_init_size(&a, (size_t)-100));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(now_at, sizeof now_at, "[%zu]", sizes[i]);
        DO(msg_init_size(&a, sizes[i]));
        DO(msg_size(&a));
        GET(msg_data(&a));
        DO(msg_get(&a, ZMQ_MORE));
        DO(msg_get(&a, ZMQ_SHARED));
        DO(msg_get(&a, ZMQ_SRCFD));
        DO(msg_get(&a, 0));
        DO(msg_get(&a, 99));
        DO(msg_set(&a, ZMQ_MORE, 1));
        GET(msg_gets(&a, "Socket-Type"));
        GET(msg_gets(&a, ""));
        DO(msg_init(&b));
        DO(msg_copy(&b, &a));
        DO(msg_size(&b));
        DO(msg_get(&a, ZMQ_SHARED));
        DO(msg_get(&b, ZMQ_SHARED));
        DO(msg_move(&b, &a));
        DO(msg_size(&a));
        DO(msg_size(&b));
        DO(msg_close(&a));
        DO(msg_close(&b));
        DO(msg_copy(&a, &b));
        DO(msg_move(&a, &b));

        freed = hints = 0;
        DO(msg_init_data(&a, bytes, sizes[i], count_free, &hints));
        DO(msg_init(&b));
        DO(msg_copy(&b, &a));
        DO(msg_close(&a));
        say("freed", "%d", freed);
        DO(msg_get(&b, ZMQ_SHARED));
        DO(msg_close(&b));
        say("freed", "%d hint %d data %.4s", freed, hints, freed_data);
        DO(msg_init_data(&a, bytes, sizes[i], NULL, NULL));
        DO(msg_get(&a, ZMQ_SHARED));
        DO(msg_close(&a));
    }
    DO(msg_init_data(&a, NULL, 0, NULL, NULL));
    DO(msg_size(&a));
    DO(msg_close(&a));
    now_at[0] = 0;
}

static int ran;

static void count_run(int id, void *arg)
{
    ran = ran * 10 + id + *(int *)arg;
}

static void section_tools(void)
{
    static const char *const codes[] = {"HelloWorld", "", "1", "12345", "123456", "%nSc0", "%nSc1", "#####", "12 45"};
    uint8_t bytes[64] = {0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B};
    void *timers, *counter, *none = NULL, *watch;
    char text[128], public_key[41], secret_key[41], again[41];
    int zero = 0, first, second;
    struct timespec soon = {0, 30000000};

    GET(z85_encode(text, bytes, 8));
    say("z85", "%s", text);
    for (size_t n = 0; n < 9; n++) {
        snprintf(now_at, sizeof now_at, "[%zu]", n);
        GET(z85_encode(text, bytes, n));
    }
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        snprintf(now_at, sizeof now_at, "[%s]", codes[i]);
        if (GET(z85_decode(bytes, codes[i])))
            say("z85", "%s", plain(bytes, strlen(codes[i]) / 5 * 4));
    }
    now_at[0] = 0;
    DO(curve_keypair(public_key, secret_key));
    DO(curve_public(again, secret_key));
    say("the public key is", "%s", strcmp(again, public_key) == 0 ? "the same" : "another");
    DO(curve_public(again, "000000000000000000000000000000000000000 "));

    counter = GET(atomic_counter_new());
    DO(atomic_counter_value(counter));
    DO(atomic_counter_inc(counter));
    DO(atomic_counter_inc(counter));
    DO(atomic_counter_dec(counter));
    DO(atomic_counter_dec(counter));
    DO(atomic_counter_dec(counter));
    say("counter", "%d", z.atomic_counter_value(counter));
    z.atomic_counter_set(counter, 7);
    DO(atomic_counter_value(counter));
    z.atomic_counter_destroy(&counter);
    say("counter", "%s", counter ? "there" : "gone");

    watch = GET(stopwatch_start());
    say("stopwatch", "%d", z.stopwatch_intermediate(watch) <= z.stopwatch_stop(watch));

    DO(timers_destroy(&none));
    DO(timers_add(none, 1, count_run, &zero));
    DO(timers_execute(none));
    DO(timers_timeout(none));
    timers = GET(timers_new());
    DO(timers_timeout(timers));
    DO(timers_execute(timers));
    DO(timers_add(timers, 1, NULL, NULL));
    first = (int)DO(timers_add(timers, 10, count_run, &zero));
    second = (int)DO(timers_add(timers, 1000000, count_run, &zero));
    say("timers", "next within %d", z.timers_timeout(timers) <= 10);
    nanosleep(&soon, NULL);
    DO(timers_timeout(timers));
    DO(timers_execute(timers));
    say("timers", "ran %d", ran);
    DO(timers_cancel(timers, first));
    DO(timers_cancel(timers, first));
    DO(timers_cancel(timers, 4711));
    DO(timers_set_interval(timers, second, 1));
    DO(timers_set_interval(timers, 4711, 1));
    DO(timers_reset(timers, second));
    DO(timers_reset(timers, 4711));
    nanosleep(&soon, NULL);
    DO(timers_execute(timers));
    say("timers", "ran %d", ran);
    DO(timers_cancel(timers, second));
    DO(timers_timeout(timers));
    DO(timers_destroy(&timers));
    DO(timers_destroy(&timers));
}

/* --- Options ---------------------------------------------------------------------- */

static const struct {
    int type;
    const char *name;
} types[] = {{ZMQ_PAIR, "PAIR"},     {ZMQ_PUB, "PUB"},   {ZMQ_SUB, "SUB"},   {ZMQ_REQ, "REQ"},   {ZMQ_REP, "REP"},
             {ZMQ_DEALER, "DEALER"}, {ZMQ_ROUTER, "ROUTER"}, {ZMQ_PULL, "PULL"}, {ZMQ_PUSH, "PUSH"},
             {ZMQ_XPUB, "XPUB"},     {ZMQ_XSUB, "XSUB"},     {ZMQ_STREAM, "STREAM"},
             {ZMQ_SERVER, "SERVER"}, {ZMQ_CLIENT, "CLIENT"}, {ZMQ_RADIO, "RADIO"},   {ZMQ_DISH, "DISH"},
             {ZMQ_GATHER, "GATHER"}, {ZMQ_SCATTER, "SCATTER"}, {ZMQ_DGRAM, "DGRAM"}, {ZMQ_PEER, "PEER"},
             {ZMQ_CHANNEL, "CHANNEL"}};
enum { TYPES = sizeof types / sizeof *types };

static void say_option(void *s, int option, size_t room)
{
    static unsigned char value[2048];
    size_t size = room;
    bool zeroes = true;
    int result;

    memset(value, 0x5a, sizeof value);
    errno = 0;
    result = z.getsockopt(s, option, value, &size);
    if (result != 0) {
        say("get", "%zu bytes: %d %s", room, result, error_name(errno));
        return;
    }
    for (size_t i = size; i < room; i++)
        zeroes &= value[i] == 0;
    if (option == ZMQ_FD)
        say("get", "%zu bytes: %zu, %s", room, size, *(int *)(void *)value >= 0 ? "a descriptor" : "none");
    else if (size == 4)
        say("get", "%zu bytes: %zu, %d, rest %d", room, size, *(int *)(void *)value, zeroes);
    else
        say("get", "%zu bytes: %zu, '%s', rest %d", room, size, plain(value, size), zeroes);
}

/* A socket for a moment: libzmq needs some time until closed ones no longer count. */
static void *brief_socket(int type)
{
    struct timespec moment = {0, 1000000};
    void *s = z.socket(ctx, type);

    for (int n = 0; !s && errno == EMFILE && n < LONG_MS; n++) {
        nanosleep(&moment, NULL);
        s = z.socket(ctx, type);
    }
    return s;
}

/* One option of one type; a socket for each, as some change others. */
static void try_option(int type, const char *name, int option)
{
    static const int numbers[] = {-100, -2, -1, 0, 1, 2, 3, 4, 100, 65536, 6553599, 6553600, 2147483647};
    static const size_t rooms[] = {0, 1, 3, 4, 5, 8, 32, 41, 255};
    static const struct {
        const void *bytes;
        size_t size;
    } texts[] = {{"", 0}, {NULL, 0}, {"a", 1}, {"abc", 3}, {"abcd:", 5}, {"X-a:b", 5}, {"127.0.0.1/24", 12},
                 {"12345678", 8}, {"1234567890123456", 16}, {"12345678901234567", 17}, {"127.0.0.1:1", 11},
                 {"12345678901234567890123456789012", 32}, {"0000000000000000000000000000000000000000", 41}};
    static char many[256];
    void *s = NULL;

    memset(many, 'x', sizeof many);
    if (option == ZMQ_USE_FD)
        return; /* takes descriptors over */
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        if (i % 3 == 0) {
            snprintf(now_at, sizeof now_at, "[%s %d]", name, option);
            s = brief_socket(type);
        }
        say_option(s, option, rooms[i]);
        if (i % 3 == 2)
            z.close(s);
    }
    s = brief_socket(type);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(now_at, sizeof now_at, "[%s %d to %d]", name, option, numbers[i]);
        DO(setsockopt(s, option, &numbers[i], 4));
        say_option(s, option, 4);
    }
    z.close(s);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        s = brief_socket(type);
        snprintf(now_at, sizeof now_at, "[%s %d to '%s']", name, option, texts[i].bytes ? (char *)texts[i].bytes : "NULL");
        DO(setsockopt(s, option, texts[i].bytes, texts[i].size));
        say_option(s, option, 255);
        z.close(s);
    }
    s = brief_socket(type);
    snprintf(now_at, sizeof now_at, "[%s %d to many]", name, option);
    DO(setsockopt(s, option, many, 255));
    DO(setsockopt(s, option, many, 256));
    z.close(s);
}

static void try_options(int at)
{
    ctx = z.ctx_new();
    for (int option = 0; option < 130; option++)
        try_option(types[at].type, types[at].name, option);
    now_at[0] = 0;
    DO(ctx_term(ctx));
}

/* --- Endpoints -------------------------------------------------------------------- */

static void section_endpoints(void)
{
    static const char *const bad[] = {"", ":", "://", "tcp", "tcp:", "tcp://", "://x", "tcp:/127.0.0.1:1",
                                      "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:x", "tcp://:1",
                                      "tcp://127.0.0.1:-1", "tcp://1.2.3.4.5:1", "TCP://127.0.0.1:1", "foo://x",
                                      "udp://127.0.0.1:1", "inproc://", "ipc://", "inproc:", "tcp://no.such.name.invalid:1",
                                      "tcp://nosuchinterface:1", "tcp://[::1", "tcp://[::1]:", "ipc:///no/such/folder/x"};
    char path[200] = "ipc:///tmp/";
    const char *e;

    for (int t = 0; t < TYPES; t += 3) {
        void *s;

        ctx = z.ctx_new();
        s = open_socket(types[t].type);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            snprintf(now_at, sizeof now_at, "[%s %s]", types[t].name, bad[i]);
            DO(bind(s, bad[i]));
            DO(unbind(s, bad[i]));
            DO(disconnect(s, bad[i]));
            if (i < 20 || i > 22)
                DO(connect(s, bad[i]));
        }
        now_at[0] = 0;
        DO(unbind(s, NULL));
        DO(disconnect(s, NULL));
        close_socket(s);
        DO(ctx_term(ctx));
    }
    memset(path + 11, 'x', sizeof path - 12);
    for (int t = 0; t < TRANSPORTS; t++) {
        void *a, *b;

        begin(t, "");
        a = open_socket(ZMQ_DEALER);
        b = open_socket(ZMQ_DEALER);
        say("before", "'%s'", last_endpoint(a));
        DO(bind(a, path));
        DO(connect(a, path));
        e = join(a, b, t);
        DO(bind(b, e));
        DO(bind(a, e));
        say("last of a", "%s", plain(last_endpoint(a), strlen(last_endpoint(a))));
        say("last of b", "%s", plain(last_endpoint(b), strlen(last_endpoint(b))));
        DO(connect(b, e));
        SEND(b, "x");
        RECV(a);
        DO(unbind(a, t == TCP ? "tcp://127.0.0.1:*" : t == IPC ? "ipc://*" : "inproc://*"));
        DO(disconnect(b, "inproc://other"));
        DO(disconnect(b, "tcp://127.0.0.1:1"));
        DO(disconnect(b, e));
        DO(unbind(a, e));
        DO(unbind(a, e));
        DO(disconnect(b, "inproc://other"));
        say("last of a", "%s", plain(last_endpoint(a), strlen(last_endpoint(a))));
        close_socket(a);
        close_socket(b);
        end();
    }
    begin(-1, "");
    {
        void *a = open_socket(ZMQ_PULL), *b = open_socket(ZMQ_PULL);

        DO(bind(a, "inproc://name"));
        DO(bind(b, "inproc://name"));
        DO(unbind(a, "inproc://name"));
        DO(bind(b, "inproc://name"));
        close_socket(b);
        DO(bind(a, "tcp://127.0.0.1:0"));
        DO(bind(a, "tcp://*:*"));
        DO(bind(a, "tcp://lo:*"));
        e = last_endpoint(a);
        DO(bind(a, e));
        DO(connect(a, "tcp://*:1"));
        DO(connect(a, "tcp://localhost:0"));
        DO(connect(a, "tcp://127.0.0.1:0;127.0.0.1:1"));
        say("last", "%s", plain(last_endpoint(a), strlen(last_endpoint(a))));
        close_socket(a);
    }
    end();
}

/* --- Socket types ------------------------------------------------------------------ */

/* What each type does that is connected to nothing, or bound alone. */
static void section_alone(void)
{
    for (int t = 0; t < TYPES; t++) {
        if (types[t].type == ZMQ_DGRAM)
            continue; /* whose first send ends the process in libzmq 4.3.4 */
        for (int bound = 0; bound < 3; bound++) {
            zmq_pollitem_t item = {NULL, 0, ZMQ_POLLIN | ZMQ_POLLOUT, 0};
            void *s;

            ctx = z.ctx_new();
            snprintf(now_at, sizeof now_at, "[%s %d]", types[t].name, bound);
            s = item.socket = open_socket(types[t].type);
            if (bound == 1)
                DO(bind(s, "inproc://alone"));
            else if (bound == 2)
                DO(connect(s, "inproc://alone"));
            EVENTS(s);
            RECV_NOW(s);
            EVENTS(s);
            SEND_NOW(s, "x");
            EVENTS(s);
            SEND_NOW(s, "x");
            RECV_NOW(s);
            send_text("s", s, "x", ZMQ_DONTWAIT | ZMQ_SNDMORE);
            SEND_NOW(s, "y");
            set_int(s, ZMQ_SNDTIMEO, 10);
            set_int(s, ZMQ_RCVTIMEO, 10);
            SEND(s, "z");
            RECV(s);
            DO(poll(&item, 1, 0));
            say("revents", "%d", item.revents);
            DO(recv(s, NULL, 0, ZMQ_DONTWAIT));
            DO(send(s, NULL, 0, ZMQ_DONTWAIT));
            close_socket(s);
            end();
        }
    }
}

static void pair(int transport)
{
    void *a = open_socket(ZMQ_PAIR), *b = open_socket(ZMQ_PAIR), *c = open_socket(ZMQ_PAIR);
    const char *e = join(a, b, transport);
    char buffer[4] = "....";

    SEND(b, "hello");
    RECV(a);
    SEND_MORE(a, "");
    SEND_MORE(a, "b");
    SEND(a, "");
    RECV_ALL(b);
    EVENTS(a);
    EVENTS(b);
    SEND(a, "longer than four");
    AWAIT(b, ZMQ_POLLIN);
    DO(recv(b, buffer, 4, 0));
    say("buffer", "%.4s", buffer);
    RECV_NOW(b);
    SEND(a, "");
    AWAIT(b, ZMQ_POLLIN);
    DO(recv(b, NULL, 0, 0));
    DO(send_const(a, "constant", 8, 0));
    RECV(b);
    DO(send(a, "flags", 5, 0x100));
    RECV(b);
    if (transport != INPROC) { /* a second one is not heard */
        DO(connect(c, e));
        SEND_NOW(c, "third");
        RECV_NOTHING(a);
    }
    SEND(b, "still the first");
    RECV(a);
    close_socket(c); /* before the first: it would take its place */
    close_socket(b);
    RECV_NOTHING(a);
    close_socket(a);
}

static void push_pull(int transport)
{
    void *push = open_socket(ZMQ_PUSH), *pulls[3];

    SEND_NOW(push, "nobody");
    for (int i = 0; i < 3; i++) /* what is connected takes its turn from now on */
        join(pulls[i] = open_socket(ZMQ_PULL), push, transport);
    for (int n = 0; n < 9; n++) {
        char text[16];

        sprintf(text, "turn %d", n);
        SEND_MORE(push, text);
        SEND(push, "second part");
    }
    for (int n = 0; n < 3; n++)
        for (int i = 0; i < 3; i++)
            RECV_ALL(pulls[i]);
    for (int i = 0; i < 3; i++)
        RECV_NOW(pulls[i]);
    RECV_NOW(push);
    SEND_NOW(pulls[0], "wrong way");
    EVENTS(push);
    EVENTS(pulls[0]);
    SEND_MORE(push, "the first of two");
    EVENTS(push);
    SEND(push, "the second");
    RECV_ALL(pulls[0]);
    for (int i = 0; i < 3; i++)
        close_socket(pulls[i]);
    close_socket(push);
}

static void req_rep(int transport)
{
    void *rep = open_socket(ZMQ_REP), *req = open_socket(ZMQ_REQ);

    join(rep, req, transport);
    RECV_NOW(req);
    SEND_NOW(rep, "early");
    RECV_NOW(rep);
    EVENTS(req);
    SEND(req, "question");
    SEND_NOW(req, "another");
    EVENTS(req);
    RECV_NOW(req);
    RECV(rep);
    RECV_NOW(rep);
    EVENTS(rep);
    SEND_MORE(rep, "ans");
    RECV_NOW(rep);
    EVENTS(rep);
    SEND(rep, "wer");
    SEND_NOW(rep, "again");
    RECV_ALL(req);
    RECV_NOW(req);
    SEND_MORE(req, "one");
    RECV_NOW(req);
    SEND(req, "two");
    RECV(rep);
    SEND_NOW(rep, "not all was read");
    RECV(rep);
    SEND(rep, "");
    RECV(req);
    set_int(req, ZMQ_RCVTIMEO, 20);
    SEND(req, "times out");
    RECV(req);
    SEND_NOW(req, "state is kept");
    set_int(req, ZMQ_RCVTIMEO, LONG_MS);
    RECV(rep);
    SEND(rep, "late");
    RECV(req);
    close_socket(req);

    req = open_socket(ZMQ_REQ);
    set_int(req, ZMQ_REQ_RELAXED, 1);
    set_int(req, ZMQ_REQ_CORRELATE, 1);
    say_number("connect", z.connect(req, last_endpoint(rep)));
    SEND(req, "given up");
    RECV(rep);
    SEND(req, "asked anew");
    SEND(rep, "the first answer");
    RECV(rep);
    SEND(rep, "the second answer");
    RECV(req);
    RECV_NOW(req);
    close_socket(req);
    close_socket(rep);
}

static void dealer_router(int transport)
{
    void *router = open_socket(ZMQ_ROUTER), *dealer = open_socket(ZMQ_DEALER), *other = open_socket(ZMQ_DEALER);
    const char *e;
    char id[16] = "none";
    int size;

    DO(setsockopt(dealer, ZMQ_ROUTING_ID, "one", 3));
    DO(setsockopt(dealer, ZMQ_ROUTING_ID, "", 0));
    e = join(router, dealer, transport);
    SEND_MORE(dealer, "hello");
    SEND(dealer, "there");
    RECV_ALL(router);
    SEND_MORE(router, "one");
    SEND_MORE(router, "to");
    SEND(router, "one");
    RECV_ALL(dealer);
    SEND_MORE(router, "nobody");
    SEND(router, "is lost");
    SEND(router, "alone");
    SEND_MORE(router, "one");
    SEND(router, "");
    RECV_ALL(dealer);
    set_int(router, ZMQ_ROUTER_MANDATORY, 1);
    EVENTS(router);
    send_text("router", router, "nobody", ZMQ_SNDMORE);
    send_text("router", router, "nobody", ZMQ_SNDMORE | ZMQ_DONTWAIT);
    SEND_MORE(router, "one");
    SEND(router, "after that");
    RECV_ALL(dealer);
    DO(connect(other, e));
    SEND(other, "from an unnamed one");
    AWAIT(router, ZMQ_POLLIN);
    size = z.recv(router, id, sizeof id, 0);
    say("id", "%d bytes, first %d", size, id[0]);
    RECV(router);
    z.send(router, id, 5, ZMQ_SNDMORE);
    SEND(router, "back");
    RECV_ALL(other);
    EVENTS(dealer);
    close_socket(other);
    close_socket(dealer);
    close_socket(router);
}

static void pub_sub(int transport)
{
    void *pub = open_socket(ZMQ_XPUB), *sub = open_socket(ZMQ_SUB), *all = open_socket(ZMQ_XSUB);
    const char *e = join(pub, sub, transport);

    SEND(pub, "nobody hears");
    DO(setsockopt(sub, ZMQ_SUBSCRIBE, "a", 1));
    RECV(pub);
    DO(setsockopt(sub, ZMQ_SUBSCRIBE, "a", 1));
    DO(setsockopt(sub, ZMQ_SUBSCRIBE, "ab", 2));
    RECV(pub);
    SEND(pub, "abc");
    SEND(pub, "b");
    SEND_MORE(pub, "a topic");
    SEND(pub, "b is in the second part");
    SEND(pub, "aa");
    RECV_ALL(sub);
    RECV_ALL(sub);
    RECV_ALL(sub);
    RECV_NOTHING(sub);
    DO(setsockopt(sub, ZMQ_UNSUBSCRIBE, "a", 1));
    DO(setsockopt(sub, ZMQ_UNSUBSCRIBE, "a", 1));
    RECV(pub);
    DO(setsockopt(sub, ZMQ_UNSUBSCRIBE, "a", 1));
    DO(setsockopt(sub, ZMQ_UNSUBSCRIBE, "nonsense", 8));
    SEND(pub, "a");
    SEND(pub, "abz");
    RECV_ALL(sub);
    SEND_NOW(sub, "wrong way");
    DO(setsockopt(pub, ZMQ_SUBSCRIBE, "a", 1));

    DO(connect(all, e));
    SEND(all, "\1x");
    RECV(pub);
    SEND(all, "\1x");
    RECV_NOTHING(pub);
    SEND(all, "upstream");
    RECV(pub);
    SEND(pub, "xyz");
    RECV(all);
    z.send(all, "\0x", 2, 0);
    z.send(all, "\0x", 2, 0);
    RECV(pub);
    z.send(all, "\0never", 6, 0);
    RECV_NOTHING(pub);
    DO(setsockopt(sub, ZMQ_SUBSCRIBE, "", 0));
    RECV(pub);
    SEND(pub, "");
    RECV(sub);
    close_socket(sub);
    RECV(pub);
    RECV(pub);
    RECV_NOTHING(pub);
    EVENTS(pub);
    EVENTS(all);
    close_socket(all);
    close_socket(pub);

    pub = open_socket(ZMQ_XPUB);
    sub = open_socket(ZMQ_SUB);
    set_int(pub, ZMQ_XPUB_VERBOSER, 1);
    DO(setsockopt(pub, ZMQ_XPUB_WELCOME_MSG, "welcome", 7));
    e = join(pub, sub, transport);
    DO(setsockopt(sub, ZMQ_SUBSCRIBE, "", 0));
    RECV(pub);
    RECV(sub);
    all = open_socket(ZMQ_SUB);
    DO(connect(all, e));
    DO(setsockopt(all, ZMQ_SUBSCRIBE, "", 0));
    RECV(pub);
    RECV(all);
    DO(setsockopt(all, ZMQ_UNSUBSCRIBE, "", 0));
    RECV(pub);
    SEND(pub, "for one");
    RECV(sub);
    RECV_NOTHING(all);
    close_socket(all);
    close_socket(sub);
    RECV(pub);
    close_socket(pub);

    pub = open_socket(ZMQ_XPUB);
    sub = open_socket(ZMQ_SUB);
    set_int(pub, ZMQ_XPUB_MANUAL, 1);
    join(pub, sub, transport);
    DO(setsockopt(sub, ZMQ_SUBSCRIBE, "wish", 4));
    RECV(pub);
    DO(setsockopt(pub, ZMQ_SUBSCRIBE, "w", 1));
    SEND(pub, "wise");
    SEND(pub, "wish");
    RECV_NOTHING(pub);
    RECV(sub); /* filters by itself as well */
    RECV_NOTHING(sub);
    close_socket(sub);
    close_socket(pub);
}

static void marks(int transport)
{
    static const int limits[][2] = {{1, 1}, {2, 2}, {5, 1}, {1, 5}};

    for (size_t i = 0; transport == INPROC && i < sizeof limits / sizeof *limits; i++) {
        void *push = open_socket(ZMQ_PUSH), *pull = open_socket(ZMQ_PULL);
        int n = 0;

        set_int(push, ZMQ_SNDHWM, limits[i][0]);
        set_int(pull, ZMQ_RCVHWM, limits[i][1]);
        join(push, pull, transport);
        while (n < 100 && z.send(push, "x", 1, ZMQ_DONTWAIT) == 1)
            n++;
        say("taken", "%d with marks %d and %d", n, limits[i][0], limits[i][1]);
        EVENTS(push);
        for (int k = 0; k < n; k++)
            RECV(pull);
        AWAIT(push, ZMQ_POLLOUT);
        close_socket(pull);
        close_socket(push);
    }
    void *push = open_socket(ZMQ_PUSH), *pull = open_socket(ZMQ_PULL);

    set_int(push, ZMQ_CONFLATE, 1);
    set_int(pull, ZMQ_CONFLATE, 1);
    join(pull, push, transport);
    AWAIT(push, ZMQ_POLLOUT);
    for (int n = 0; n < 10; n++)
        z.send(push, "old", 3, 0);
    SEND(push, "newest");
    for (int n = 0; n < 100; n++) { /* whatever came before it */
        char text[16] = "";

        z.recv(pull, text, sizeof text, 0);
        if (strncmp(text, "newest", 6) == 0)
            break;
    }
    RECV_NOW(pull);
    close_socket(push);
    close_socket(pull);
}

static void lost_and_found(int transport)
{
    void *a = open_socket(ZMQ_PULL), *b = open_socket(ZMQ_PUSH), *c;
    const char *e = join(a, b, transport);
    zmq_msg_t m;

    SEND(b, "first");
    RECV(a);
    SEND(b, "waits unread");
    AWAIT(a, ZMQ_POLLIN);
    close_socket(b);
    RECV(a); /* what has arrived stays */
    b = open_socket(ZMQ_PUSH);
    set_int(b, ZMQ_LINGER, -1);
    DO(connect(b, e));
    SEND(b, "sent before close");
    close_socket(b);
    RECV(a);
    b = open_socket(ZMQ_DEALER);
    c = open_socket(ZMQ_ROUTER);
    e = join(c, b, transport);
    SEND(b, "properties");
    z.msg_init(&m);
    AWAIT(c, ZMQ_POLLIN);
    for (int part = 0; part < 2; part++) {
        z.msg_recv(&m, c, 0);
        say("Socket-Type", "%s", z.msg_gets(&m, "Socket-Type") ? z.msg_gets(&m, "Socket-Type") : "none");
        say("Identity", "%s", z.msg_gets(&m, "Identity") ? z.msg_gets(&m, "Identity") : "none");
        say("Peer-Address", "%s",
            !z.msg_gets(&m, "Peer-Address")    ? "none"
            : transport == IPC ? "there"
                                               : z.msg_gets(&m, "Peer-Address"));
        say("User-Id", "%s", z.msg_gets(&m, "User-Id") ? "there" : "none");
        say("fd", "%s", z.msg_get(&m, ZMQ_SRCFD) >= 0 ? "there" : error_name(errno));
    }
    z.msg_close(&m);
    close_socket(b);
    close_socket(c);
    close_socket(a);
}

/* Raw bytes: a STREAM at each end. */
static void section_stream(void)
{
    void *server, *client;
    const char *e;
    char server_id[5], client_id[5], text[16];
    int size;

    begin(TCP, "");
    server = open_socket(ZMQ_STREAM);
    client = open_socket(ZMQ_STREAM);
    EVENTS(server);
    e = join(server, client, TCP);
    size = z.recv(client, server_id, 5, 0);
    say("id", "%d bytes, first %d, more %d", size, server_id[0], get_int(client, ZMQ_RCVMORE));
    RECV(client);
    size = z.recv(server, client_id, 5, 0);
    say("id", "%d bytes, first %d, more %d", size, client_id[0], get_int(server, ZMQ_RCVMORE));
    RECV(server);
    for (int n = 0; n < 3; n++) {
        say_number("send id", z.send(client, server_id, 5, ZMQ_SNDMORE));
        SEND(client, "bytes");
        say_number("recv id", z.recv(server, text, sizeof text, 0));
        RECV(server);
        say_number("send id", z.send(server, client_id, 5, ZMQ_SNDMORE));
        send_text("server", server, "more bytes", n % 2 ? ZMQ_SNDMORE : 0);
        say_number("recv id", z.recv(client, text, sizeof text, 0));
        RECV(client);
    }
    say_number("send id", z.send(client, server_id, 5, ZMQ_SNDMORE));
    SEND(client, "");
    for (int n = 0; n < LONG_MS; n++) { /* libzmq ends it in a later call on the socket */
        zmq_pollitem_t item = {server, 0, ZMQ_POLLIN, 0};

        get_int(client, ZMQ_EVENTS);
        if (z.poll(&item, 1, 1) == 1)
            break;
    }
    say_number("recv id", z.recv(server, text, sizeof text, ZMQ_DONTWAIT));
    RECV(server);
    RECV_NOW(server);
    SEND_MORE(client, "nobody");
    EVENTS(client);
    DO(connect(client, e));
    DO(connect(client, e));
    close_socket(client);
    close_socket(server);
    end();
}

/* The types whose messages have one part; what they say of routing ids and groups is not in every libzmq. */
static void single_parts(int a_type, int b_type)
{
    void *a = open_socket(a_type), *b = open_socket(b_type);

    join(a, b, INPROC);
    EVENTS(a);
    EVENTS(b);
    send_text("b", b, "two", ZMQ_SNDMORE);
    SEND(b, "one");
    RECV(a);
    SEND(b, "");
    RECV(a);
    RECV_NOW(a);
    SEND_NOW(a, "back");
    EVENTS(a);
    EVENTS(b);
    say("thread safe", "%d %d", get_int(a, ZMQ_THREAD_SAFE), get_int(b, ZMQ_THREAD_SAFE));
    close_socket(a);
    close_socket(b);
}

static void section_single_parts(void)
{
    static const int pairs[][2] = {{ZMQ_SERVER, ZMQ_CLIENT}, {ZMQ_GATHER, ZMQ_SCATTER}, {ZMQ_CHANNEL, ZMQ_CHANNEL}};

    for (int i = 0; i < 3; i++) {
        begin(INPROC, i == 0 ? "CLIENT" : i == 1 ? "SCATTER" : "CHANNEL");
        single_parts(pairs[i][0], pairs[i][1]);
        end();
    }
}

static void on_all(void (*run)(int transport), const char *what)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        begin(t, what);
        run(t);
        end();
    }
}

static void section_pair(void) { on_all(pair, ""); }
static void section_push_pull(void) { on_all(push_pull, ""); }
static void section_req_rep(void) { on_all(req_rep, ""); }
static void section_dealer_router(void) { on_all(dealer_router, ""); }
static void section_pub_sub(void) { on_all(pub_sub, ""); }
static void section_marks(void) { on_all(marks, ""); }
static void section_lost_and_found(void) { on_all(lost_and_found, ""); }

/* --- Polling ------------------------------------------------------------------------ */

static void section_poll(void)
{
    int ends[2];

    DO(poll(NULL, 0, 0));
    DO(poll(NULL, 0, 20));
    DO(poll(NULL, -1, 0));
    if (pipe(ends) != 0)
        exit(2);
    for (int t = 0; t < TRANSPORTS; t++) {
        void *a, *b, *gone;
        zmq_pollitem_t items[4];

        begin(t, "");
        a = open_socket(ZMQ_PAIR);
        b = open_socket(ZMQ_PAIR);
        join(a, b, t);
        AWAIT(a, ZMQ_POLLOUT);
        AWAIT(b, ZMQ_POLLOUT);
#define ITEM(i, s, f, e) items[i] = (zmq_pollitem_t){s, f, e, 77}
#define POLL(n, ms) \
    do { \
        DO(poll(items, n, ms)); \
        for (int i_ = 0; i_ < (n); i_++) \
            say("revents", "%d", items[i_].revents); \
    } while (0)
        ITEM(0, a, 0, ZMQ_POLLIN);
        ITEM(1, b, 0, ZMQ_POLLIN | ZMQ_POLLOUT);
        ITEM(2, NULL, ends[0], ZMQ_POLLIN);
        ITEM(3, NULL, ends[1], ZMQ_POLLOUT | ZMQ_POLLIN);
        POLL(2, 0);
        POLL(4, 0);
        POLL(1, 10);
        SEND(b, "x");
        POLL(1, LONG_MS);
        POLL(4, LONG_MS);
        ITEM(1, a, 0, ZMQ_POLLIN);
        POLL(2, LONG_MS);
        ITEM(1, b, 0, 0);
        POLL(2, 0);
        if (write(ends[1], "x", 1) != 1)
            exit(2);
        POLL(4, -1);
        RECV(a);
        POLL(3, -1);
        if (read(ends[0], &(char){0}, 1) != 1)
            exit(2);
        POLL(3, 0);
        ITEM(2, NULL, -1, ZMQ_POLLIN);
        POLL(3, 0);
        gone = open_socket(ZMQ_PAIR);
        close_socket(gone);
        ITEM(2, gone, 0, ZMQ_POLLIN);
        DO(poll(items, 3, 0));
        DO(ctx_shutdown(ctx));
        DO(poll(items, 1, 0));
        DO(poll(items, 1, -1));
        EVENTS(a);
        SEND_NOW(a, "x");
        RECV_NOW(a);
        DO(bind(a, "inproc://late"));
        DO(connect(a, "inproc://late"));
        GET(socket(ctx, ZMQ_PAIR));
        DO(ctx_get(ctx, ZMQ_IO_THREADS));
        close_socket(a);
        close_socket(b);
        end();
    }
}

/* The contract of ZMQ_FD. */
static void section_descriptor(void)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        void *a, *b;
        struct pollfd fd;

        begin(t, "");
        a = open_socket(ZMQ_PULL);
        b = open_socket(ZMQ_PUSH);
        join(a, b, t);
        fd = (struct pollfd){.fd = get_int(a, ZMQ_FD), .events = POLLIN};
        for (int n = 0; n < 5; n++) {
            while (!(get_int(a, ZMQ_EVENTS) & ZMQ_POLLIN) && n)
                poll(&fd, 1, LONG_MS);
            if (n)
                EVENTS(a);
            while (n && z.recv(a, NULL, 0, ZMQ_DONTWAIT) >= 0)
                ;
            EVENTS(a);
            SEND(b, "x");
        }
        say("descriptor", "%s", get_int(a, ZMQ_FD) == fd.fd ? "the same" : "another");
        DO(ctx_shutdown(ctx));
        say("descriptor", "%s", poll(&fd, 1, LONG_MS) == 1 ? "readable" : "silent");
        EVENTS(a);
        close_socket(a);
        close_socket(b);
        end();
    }
}

/* --- Monitors ------------------------------------------------------------------------ */

static const char *event_name(int event)
{
    static const char *const names[] = {"CONNECTED", "CONNECT_DELAYED", "CONNECT_RETRIED", "LISTENING", "BIND_FAILED",
                                        "ACCEPTED", "ACCEPT_FAILED", "CLOSED", "CLOSE_FAILED", "DISCONNECTED",
                                        "MONITOR_STOPPED", "FAILED_NO_DETAIL", "SUCCEEDED", "FAILED_PROTOCOL",
                                        "FAILED_AUTH"};

    for (int i = 0; i < 15; i++)
        if (event == 1 << i)
            return names[i];
    return "unknown";
}

static void *watch(void *s, const char *name, int events)
{
    void *m = open_socket(ZMQ_PAIR);
    char address[64];

    sprintf(address, "inproc://%s", name);
    say_number("socket_monitor", z.socket_monitor(s, address, events));
    say_number("connect", z.connect(m, address));
    return m;
}

/* Says events until one of this kind has come. */
static void say_monitor(const char *who, void *m, int last)
{
    int event;

    do {
        char head[16], text[256] = "";
        uint16_t number;
        uint32_t value;
        int size = z.recv(m, head, sizeof head, 0), text_size;

        if (size < 0) {
            say(who, "no event: %s", error_name(errno));
            return;
        }
        memcpy(&number, head, 2);
        memcpy(&value, head + 2, 4);
        text_size = z.recv(m, text, sizeof text, 0);
        event = number;
        switch (event) { /* descriptors and random waits */
        case ZMQ_EVENT_CONNECT_DELAYED:
        case ZMQ_EVENT_BIND_FAILED:
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        case ZMQ_EVENT_MONITOR_STOPPED:
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: break;
        default: value = 0;
        }
        say(who, "%d bytes %s %u '%s' more %d", size, event_name(event), value, plain(text, (size_t)text_size),
            get_int(m, ZMQ_RCVMORE));
    } while (!(event & last));
}
#define EVENT_OF(m, last) say_monitor(#m, m, ZMQ_EVENT_##last)

static void monitored(int transport)
{
    void *a = open_socket(ZMQ_PULL), *b = open_socket(ZMQ_PUSH);
    void *of_a = watch(a, "a", ZMQ_EVENT_ALL), *of_b = watch(b, "b", ZMQ_EVENT_ALL), *c;
    const char *e = join(a, b, transport);

    if (transport != INPROC) {
        EVENT_OF(of_a, HANDSHAKE_SUCCEEDED);
        EVENT_OF(of_b, HANDSHAKE_SUCCEEDED);
        close_socket(a);
        EVENT_OF(of_a, MONITOR_STOPPED);
        EVENT_OF(of_b, DISCONNECTED);
        EVENT_OF(of_b, CONNECT_RETRIED);
        DO(disconnect(b, e));
    } else {
        close_socket(a);
    }
    DO(socket_monitor(b, NULL, 0));
    EVENT_OF(of_b, MONITOR_STOPPED);
    DO(socket_monitor(b, NULL, 0));
    DO(socket_monitor(b, "tcp://127.0.0.1:1", ZMQ_EVENT_ALL));
    DO(socket_monitor(b, "inproc", ZMQ_EVENT_ALL));
    DO(socket_monitor(b, "foo://x", ZMQ_EVENT_ALL));
    DO(socket_monitor(b, "inproc://x", 0x10000));
    close_socket(b);
    close_socket(of_a);
    close_socket(of_b);

    if (transport == INPROC)
        return;
    a = open_socket(ZMQ_PULL);
    of_a = watch(a, "next", ZMQ_EVENT_LISTENING | ZMQ_EVENT_CLOSED | ZMQ_EVENT_ACCEPTED);
    say_number("bind", z.bind(a, fresh(transport)));
    e = last_endpoint(a);
    EVENT_OF(of_a, LISTENING);
    b = open_socket(ZMQ_REP); /* does not fit */
    of_b = watch(b, "misfit", ZMQ_EVENT_ALL);
    DO(connect(b, e));
    EVENT_OF(of_a, ACCEPTED);
    EVENT_OF(of_b, DISCONNECTED);
    close_socket(b);
    EVENT_OF(of_b, MONITOR_STOPPED);
    close_socket(of_b);
    DO(unbind(a, e));
    EVENT_OF(of_a, CLOSED);
    c = open_socket(ZMQ_PUSH);
    of_b = watch(c, "refused", ZMQ_EVENT_ALL & ~ZMQ_EVENT_MONITOR_STOPPED);
    DO(connect(c, e));
    EVENT_OF(of_b, CONNECT_RETRIED);
    close_socket(c);
    close_socket(a);
    close_socket(of_a);
    close_socket(of_b);
}

static void section_monitor(void) { on_all(monitored, ""); }

/* --- Proxies, threads, the end --------------------------------------------------------- */

struct call {
    void *sockets[4];
    int result, error;
    pthread_t thread;
};

static void *run_proxy(void *arg)
{
    struct call *c = arg;

    c->result = c->sockets[3] ? z.proxy_steerable(c->sockets[0], c->sockets[1], c->sockets[2], c->sockets[3])
                              : z.proxy(c->sockets[0], c->sockets[1], c->sockets[2]);
    c->error = errno;
    return NULL;
}

static void section_proxy(void)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        for (int steered = 0; steered < 2; steered++) {
            struct call c = {{0}, 0, 0, 0};
            void *req, *rep, *capture, *control;

            begin(t, steered ? "steered" : "");
            DO(proxy(NULL, NULL, NULL));
            DO(proxy_steerable(NULL, NULL, NULL, NULL));
            c.sockets[0] = open_socket(ZMQ_ROUTER);
            c.sockets[1] = open_socket(ZMQ_DEALER);
            c.sockets[2] = open_socket(ZMQ_PUSH);
            req = open_socket(ZMQ_REQ);
            rep = open_socket(ZMQ_REP);
            capture = open_socket(ZMQ_PULL);
            control = open_socket(ZMQ_PAIR);
            join(c.sockets[0], req, t);
            join(c.sockets[1], rep, t);
            join(c.sockets[2], capture, t);
            if (steered) {
                c.sockets[3] = open_socket(ZMQ_PAIR);
                join(c.sockets[3], control, t);
            }
            pthread_create(&c.thread, NULL, run_proxy, &c);
            for (int n = 0; n < 3; n++) {
                SEND(req, "question");
                RECV(rep);
                SEND(rep, "answer");
                RECV(req);
                for (int part = 0; part < 6; part++) { /* the id is another each time */
                    char bytes[64];
                    int size = z.recv(capture, bytes, sizeof bytes, 0);

                    say("capture", "%d '%s'", size, part % 3 ? plain(bytes, (size_t)size) : "id");
                }
            }
            if (steered)
                SEND(control, "TERMINATE");
            else
                DO(ctx_shutdown(ctx));
            pthread_join(c.thread, NULL);
            say("proxy", "%d %s", c.result, c.result ? error_name(c.error) : "");
            for (int i = 0; i < 4; i++)
                close_socket(c.sockets[i]);
            close_socket(req);
            close_socket(rep);
            close_socket(capture);
            close_socket(control);
            end();
        }
    }
}

static void *run_recv(void *arg)
{
    struct call *c = arg;

    c->result = z.recv(c->sockets[0], NULL, 0, 0);
    c->error = errno;
    return NULL;
}

static void *run_send(void *arg)
{
    struct call *c = arg;

    c->result = z.send(c->sockets[0], "x", 1, 0);
    c->error = errno;
    return NULL;
}

static void *run_poll(void *arg)
{
    struct call *c = arg;
    zmq_pollitem_t item = {c->sockets[0], 0, ZMQ_POLLIN, 0};

    c->result = z.poll(&item, 1, -1);
    c->error = errno;
    return NULL;
}

static void *run_term(void *arg)
{
    struct call *c = arg;

    c->result = z.ctx_term(c->sockets[0]);
    c->error = errno;
    return NULL;
}

static void section_term(void)
{
    static void *(*const calls[])(void *) = {run_recv, run_send, run_poll};
    static const int call_types[] = {ZMQ_PULL, ZMQ_PUSH, ZMQ_PULL};

    for (int i = 0; i < 6; i++) {
        struct call c = {{0}, 0, 0, 0}, t = {{0}, 0, 0, 0};
        struct timespec moment = {0, 20000000};

        snprintf(now_at, sizeof now_at, "[%d]", i);
        ctx = z.ctx_new();
        c.sockets[0] = z.socket(ctx, call_types[i / 2]);
        pthread_create(&c.thread, NULL, calls[i / 2], &c);
        nanosleep(&moment, NULL);
        if (i % 2) {
            t.sockets[0] = ctx;
            pthread_create(&t.thread, NULL, run_term, &t);
        } else {
            DO(ctx_shutdown(ctx));
        }
        pthread_join(c.thread, NULL);
        say("blocked call", "%d %s", c.result, error_name(c.error));
        DO(close(c.sockets[0]));
        if (i % 2) {
            pthread_join(t.thread, NULL);
            say("term", "%d", t.result);
        } else {
            DO(ctx_term(ctx));
        }
        DO(ctx_term(ctx));
    }
    now_at[0] = 0;
    for (int t = 0; t < TRANSPORTS; t++) { /* what lingers */
        void *push;
        const char *e = t == TCP ? "tcp://127.0.0.1:1" : fresh(t);

        begin(t, "");
        push = open_socket(ZMQ_PUSH);
        set_int(push, ZMQ_LINGER, 30);
        DO(connect(push, e));
        SEND_NOW(push, "never arrives");
        close_socket(push);
        end();
    }
}

/* --- All ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    void (*run)(void);
} sections[] = {
    {"library", section_library},   {"contexts", section_contexts},   {"messages", section_messages},
    {"tools", section_tools},       {"endpoints", section_endpoints}, {"alone", section_alone},
    {"pair", section_pair},         {"push_pull", section_push_pull}, {"req_rep", section_req_rep},
    {"dealer_router", section_dealer_router},                         {"pub_sub", section_pub_sub},
    {"stream", section_stream},     {"single_parts", section_single_parts},
    {"marks", section_marks},       {"lost_and_found", section_lost_and_found},
    {"poll", section_poll},         {"descriptor", section_descriptor}, {"monitor", section_monitor},
    {"proxy", section_proxy},       {"term", section_term},
};

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 1 << 16);
    if (argc < 3) {
        for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
            puts(sections[i].name);
        for (int t = 0; t < TYPES; t++)
            printf("options_%s\n", types[t].name);
        return 0;
    }
    load(argv[1]);
    section = argv[2];
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strcmp(section, sections[i].name) == 0) {
            sections[i].run();
            puts("end");
            return 0;
        }
    for (int t = 0; t < TYPES; t++)
        if (strncmp(section, "options_", 8) == 0 && strcmp(section + 8, types[t].name) == 0) {
            try_options(t);
            puts("end");
            return 0;
        }
    return 2;
}
