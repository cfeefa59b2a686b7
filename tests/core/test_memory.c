/* What a connection costs that has nothing to do, or nothing more. */
#include "support.h"

#include <malloc.h>
#include <sys/resource.h>

enum { MANY = 500, WARM = 8, LIMIT = 1024, PATTERN_MORE = 336, SLACK = 256 };

/* The sanitizers' count of what is allocated; other allocators have mallinfo2. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static int fds[WARM + MANY]; /* our ends: plain descriptors, so that all that is allocated is one socket's */

static void allow_descriptors(void)
{
    struct rlimit r;

    ck_works(getrlimit(RLIMIT_NOFILE, &r));
    r.rlim_cur = r.rlim_max < 4096 ? r.rlim_max : 4096;
    ck_works(setrlimit(RLIMIT_NOFILE, &r));
    ck_assert_int_gt((int)r.rlim_cur, 2 * (WARM + MANY) + 50);
}

static void read_all(int fd, void *to, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, (char *)to + at, n - at);

        ck_assert_int_gt(got, 0);
        at += (size_t)got;
    }
}

static void greet(int fd)
{
    static const uint8_t greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1, 'N', 'U', 'L', 'L'};

    ck_assert_int_eq(write(fd, greeting, sizeof greeting), sizeof greeting);
}

static void say_ready(int fd, const char *type)
{
    uint8_t ready[64];
    size_t n = strlen(type), size = 6 + 1 + 11 + 4 + n;

    ready[0] = 4;
    ready[1] = (uint8_t)size;
    memcpy(ready + 2, "\5READY\13Socket-Type\0\0\0", 21);
    ready[23] = (uint8_t)n;
    memcpy(ready + 24, type, n);
    ck_assert_int_eq(write(fd, ready, 2 + size), (ssize_t)(2 + size));
}

/* What the other side says: its greeting, then that it is ready, which it says when it has ours. */
static void hear(int fd)
{
    uint8_t got[256];

    read_all(fd, got, 64 + 2);
    ck_assert_int_eq(got[64], 4);
    read_all(fd, got, got[65]);
}

/* Acts as a peer of this type up to the end of the handshake. */
static void shake_hands(int fd, const char *type)
{
    greet(fd);
    say_ready(fd, type);
    hear(fd);
}

static int call(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_works(connect(fd, (const struct sockaddr *)to, sizeof *to));
    return fd;
}

static struct sockaddr_in address_of(const struct endpoint *e)
{
    return own_address(atoi(strrchr(e->text, ':') + 1));
}

static const struct {
    int type;
    const char *peer;
    size_t limit; /* those who know each peer by name, or by what it subscribes to, pay for that */
} kinds[] = {
    {SIFR_PULL, "PUSH", LIMIT},
    {SIFR_PUSH, "PULL", LIMIT},
    {SIFR_DEALER, "ROUTER", LIMIT},
    {SIFR_REP, "REQ", LIMIT},
    {SIFR_SUB, "PUB", LIMIT + PATTERN_MORE},
    {SIFR_ROUTER, "DEALER", LIMIT + PATTERN_MORE},
    {SIFR_PUB, "SUB", LIMIT + PATTERN_MORE},
    {SIFR_XPUB, "SUB", LIMIT + PATTERN_MORE},
};

static void hang_up(void)
{
    for (int i = 0; i < COUNT(fds); i++)
        close(fds[i]);
}

/* What those after the first few cost each, once there is no more than that; fails when it stays above. */
static void expect_little(size_t before, size_t limit)
{
    int64_t end = now_ms() + WAIT_MS;
    size_t each;

    do {
        poll(NULL, 0, 1);
        each = allocated() > before ? (allocated() - before) / MANY : 0;
    } while (each > limit && now_ms() < end);
    ck_assert_msg(each <= limit, "%zu bytes for each connection", each);
    ck_assert_msg(each > 100, "%zu bytes for each connection: they are not there", each);
}

START_TEST(an_accepted_connection_with_nothing_to_do_costs_at_most_1_kib)
{
    sifr_socket_t *s = new_socket(kinds[_i].type);
    struct endpoint e = bind_fresh(s, TCP);
    struct sockaddr_in to = address_of(&e);
    size_t before = 0;

    allow_descriptors();
    for (int i = 0; i < COUNT(fds); i++) {
        if (i == WARM)
            before = allocated();
        fds[i] = call(&to);
        shake_hands(fds[i], kinds[_i].peer);
    }
    expect_little(before, kinds[_i].limit);
    hang_up();
}
END_TEST

START_TEST(a_dialled_connection_with_nothing_to_do_costs_at_most_1_kib)
{
    sifr_socket_t *s = new_socket(kinds[_i].type);
    struct sockaddr_in at = own_address(0);
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    size_t before = 0;
    char text[64];

    allow_descriptors();
    ck_works(bind(listener, (struct sockaddr *)&at, sizeof at));
    ck_works(listen(listener, 16));
    ck_works(getsockname(listener, (struct sockaddr *)&at, &size));
    for (int i = 0; i < COUNT(fds); i++) {
        if (i == WARM)
            before = allocated();
        /* Each by another address: some sockets connect to one only once. */
        snprintf(text, sizeof text, "tcp://127.0.%d.%d:0;%s:%d", i / 250, i % 250 + 1, own_host(), ntohs(at.sin_port));
        ck_works(sifr_connect(s, text));
        fds[i] = accept(listener, NULL, NULL);
        ck_assert_int_ge(fds[i], 0);
        shake_hands(fds[i], kinds[_i].peer);
    }
    expect_little(before, kinds[_i].limit);
    hang_up();
    close(listener);
}
END_TEST

/* Memory of this process that is its own, or 0 where that is not told. */
static size_t resident(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    size_t kib = 0;

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Anonymous: %zu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib * 1024;
}

/* All are half-way at once: what that took must not stand in holes between what they keep. */
START_TEST(handshakes_of_many_at_once_leave_nothing_behind)
{
    sifr_socket_t *s = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(s, TCP);
    struct sockaddr_in to = address_of(&e);
    size_t before = 0;
    int64_t end;

    if (__sanitizer_get_current_allocated_bytes || !resident())
        return; /* memory is the sanitizer's */
    allow_descriptors();
    for (int i = 0; i < COUNT(fds); i++) {
        if (i == WARM)
            before = resident();
        fds[i] = call(&to);
        greet(fds[i]);
        hear(fds[i]);
        if (i < WARM)
            say_ready(fds[i], "PUSH");
    }
    for (int i = WARM; i < COUNT(fds); i++)
        say_ready(fds[i], "PUSH");
    end = now_ms() + WAIT_MS;
    while (resident() > before + MANY * (LIMIT + SLACK) && now_ms() < end)
        poll(NULL, 0, 1);
    ck_assert_uint_le((resident() - before) / MANY, LIMIT + SLACK);
    hang_up();
}
END_TEST

/* ---- After a burst ---------------------------------------------------------------------------------------------- */

enum { BURST_SIZE = 1024, SURPLUS = 12 * 1024 };

/* How many messages come in each. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
static const unsigned bursts[] = {20000, 5000};
#else
static const unsigned bursts[] = {100000, 10000};
#endif

static unsigned burst;

static void *push_burst(void *arg)
{
    for (unsigned i = 0; i < burst; i++)
        send_filled(arg, BURST_SIZE, i, 0);
    return NULL;
}

static void *pull_one(void *arg)
{
    recv_text(arg, "after", false);
    return NULL;
}

/* Even: the receiver is away. Odd: it waits in a call, and reads by itself if something comes. */
START_TEST(after_a_burst_memory_falls_back)
{
    sifr_socket_t *push, *pull;
    pthread_t t, waits;
    size_t before;
    int64_t end;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, 2 * TCP);
    send_text(push, "before", 0);
    recv_text(pull, "before", false);
    before = allocated();
    for (int round = 0; round < COUNT(bursts); round++) {
        burst = bursts[round];
        t = start_thread(push_burst, push);
        for (unsigned i = 0; i < burst; i++)
            recv_filled(pull, BURST_SIZE, i, false);
        pthread_join(t, NULL);
        if (_i)
            waits = start_thread(pull_one, pull);
        end = now_ms() + WAIT_MS;
        while (allocated() > before + SURPLUS && now_ms() < end)
            poll(NULL, 0, 1);
        ck_assert_msg(allocated() <= before + SURPLUS, "%zu bytes are kept", allocated() - before);
        if (_i) {
            send_text(push, "after", 0);
            pthread_join(waits, NULL);
        }
    }
}
END_TEST

START_TEST(what_lies_unread_does_not_keep_memory_for_ever)
{
    sifr_socket_t *push, *pull;
    size_t before;
    int64_t end;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, 2 * TCP);
    send_text(push, "before", 0);
    recv_text(pull, "before", false);
    before = allocated();
    for (unsigned i = 0; i < 800; i++)
        send_filled(push, BURST_SIZE, i, 0);
    poll(NULL, 0, 100); /* nothing is waited for: several looks find it there */
    for (unsigned i = 0; i < 800; i++)
        recv_filled(pull, BURST_SIZE, i, false);
    end = now_ms() + WAIT_MS;
    while (allocated() > before + SURPLUS && now_ms() < end)
        poll(NULL, 0, 1);
    ck_assert_msg(allocated() <= before + SURPLUS, "%zu bytes are kept", allocated() - before);
}
END_TEST

/* What one message has needed that a call wrote by itself. */
START_TEST(one_large_message_keeps_no_memory_for_ever)
{
    enum { LINKS = 40, SIZE = 8000 };
    sifr_socket_t *push[LINKS], *pull[LINKS];
    size_t before, most;
    int64_t end;

    for (int i = 0; i < LINKS; i++) {
        new_link(&push[i], SIFR_PUSH, &pull[i], SIFR_PULL, 2 * (_i ? IPC : TCP));
        send_text(push[i], "before", 0);
        recv_text(pull[i], "before", false);
    }
    before = allocated();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < LINKS; i++) {
            send_filled(push[i], SIZE, (unsigned)i, 0);
            recv_filled(pull[i], SIZE, (unsigned)i, false);
        }
        most = before + LINKS * 3072;
        end = now_ms() + WAIT_MS;
        while (allocated() > most && now_ms() < end)
            poll(NULL, 0, 1);
        ck_assert_msg(allocated() <= most, "%zu bytes are kept", allocated() - before);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/memory");
    TCase *c = new_case(s, "idle connections");

    tcase_add_loop_test(c, an_accepted_connection_with_nothing_to_do_costs_at_most_1_kib, 0, COUNT(kinds));
    tcase_add_loop_test(c, a_dialled_connection_with_nothing_to_do_costs_at_most_1_kib, 0, COUNT(kinds));
    tcase_add_test(c, handshakes_of_many_at_once_leave_nothing_behind);
    c = new_case(s, "bursts");
    tcase_add_loop_test(c, after_a_burst_memory_falls_back, 0, 2);
    tcase_add_loop_test(c, one_large_message_keeps_no_memory_for_ever, 0, 2);
    tcase_add_test(c, what_lies_unread_does_not_keep_memory_for_ever);
    return run_suite(s);
}
