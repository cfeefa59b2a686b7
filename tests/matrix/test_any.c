/*
 * Whatever is called in whatever state, a call that fails has an errno that is documented for it: a
 * long series of calls as chance has it, on sockets of all types, some of them closed or of contexts
 * that end, with arguments that are right and wrong.
 */
#include "matrix.h"

/* ---- What is documented ---------------------------------------------------------------------- */

enum { PAIRS_MAX = 1000, STEPS = 8000, SEEDS = 12 };

static char pairs[PAIRS_MAX]
                 [64]; /* "function ERRNO" each; tests/matrix/documented writes the file */
static int n_pairs;

static void read_pairs(void)
{
    FILE *f = fopen(MATRIX_DOCUMENTED, "r");

    ck_assert_ptr_nonnull(f);
    for (n_pairs = 0; n_pairs < PAIRS_MAX && fgets(pairs[n_pairs], sizeof pairs[0], f); n_pairs++)
        pairs[n_pairs][strcspn(pairs[n_pairs], "\n")] = 0;
    fclose(f);
    ck_assert(n_pairs > 200 && n_pairs < PAIRS_MAX);
}

static int failures;

static void look_up(const char *function, int error, int step)
{
    char pair[64];

    snprintf(pair, sizeof pair, "%s %s", function, name_of(error));
    for (int i = 0; i < n_pairs; i++)
        if (strcmp(pairs[i], pair) == 0) {
            failures++;
            return;
        }
    ck_abort_msg("step %d: %s fails with %s (%d), which is not documented", step, function,
                 name_of(error), error);
}

/* Calls it. What cannot fail with 0 is given as such. */
#define try(function, ...) \
    do { \
        errno = 0; \
        __typeof__(sifr_##function(__VA_ARGS__)) result_ = sifr_##function(__VA_ARGS__); \
        if (said_no(result_)) \
            look_up(#function, errno, step); \
    } while (0)

/* ---- Chance ---------------------------------------------------------------------------------- */

static uint64_t chance;

/* Below n. */
static int any(int n)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (int)((chance >> 33) % (uint64_t)n);
}

static bool rarely(void)
{
    return any(20) == 0;
}

/* ---- The state ------------------------------------------------------------------------------- */

enum { CONTEXTS = 2, SLOTS = 12, TYPES = SIFR_CHANNEL + 1 };

static struct {
    sifr_ctx_t *ctx[CONTEXTS];
    bool ends[CONTEXTS];         /* shut down, and used on for a while */
    sifr_socket_t *socks[SLOTS]; /* NULL, open, or closed */
    bool open[SLOTS];
    sifr_msg_t msg;
    sifr_poller_t *poller;
} all;

static void shut(int i)
{
    int none = 0;

    if (!all.open[i])
        return;
    sifr_setsockopt(all.socks[i], SIFR_LINGER, &none,
                    sizeof none); /* but for a context that ends */
    ck_works(sifr_close(all.socks[i]));
    all.open[i] = false;
}

static void reopen(int i, int step)
{
    sifr_ctx_t *ctx = all.ctx[i % CONTEXTS];
    sifr_socket_t *s;
    int none = 0, type = rarely() ? any(100) - 10 : any(TYPES);

    shut(i);
    errno = 0;
    s = sifr_socket(ctx, type);
    if (!s) {
        look_up("socket", errno, step);
        return;
    }
    all.socks[i] = s;
    all.open[i] = true;
    ck_works(sifr_setsockopt(s, SIFR_LINGER, &none, sizeof none));
    ck_works(sifr_setsockopt(s, SIFR_SNDTIMEO, &none, sizeof none));
    ck_works(sifr_setsockopt(s, SIFR_RCVTIMEO, &none, sizeof none));
}

/* Shuts a context down or, the next time, puts another in its place. */
static void renew(int i, int step)
{
    all.ends[i] = !all.ends[i];
    if (all.ends[i]) {
        ck_works(sifr_ctx_shutdown(all.ctx[i]));
        return;
    }
    for (int s = i; s < SLOTS; s += CONTEXTS)
        shut(s);
    ck_works(sifr_ctx_term(all.ctx[i]));
    try(ctx_set, all.ctx[i], SIFR_IO_THREADS, 1);
    ck_assert_ptr_nonnull(all.ctx[i] = sifr_ctx_new());
    if (any(4) == 0)
        ck_works(sifr_ctx_set(all.ctx[i], SIFR_IO_THREADS, 0));
    if (any(4) == 0)
        ck_works(sifr_ctx_set(all.ctx[i], SIFR_MAX_SOCKETS, 4));
    for (int s = i; s < SLOTS; s += CONTEXTS)
        reopen(s, step);
}

static const char *any_endpoint(void)
{
    static char text[128];
    static const char *const texts[] = {
        "inproc://a",
        "inproc://b",
        "tcp://127.0.0.1:*",
        "tcp://127.0.0.1:1",
        "tcp://[::1]:1",
        "ipc://*",
        "udp://127.0.0.1:*",
        "udp://127.0.0.1:1",
        "udp://239.1.2.3:4000",
        "tcp://nonsense",
        "tcp://127.0.0.1:99999",
        "ws://127.0.0.1:1",
        "x",
        "",
        "inproc://",
        "tcp://127.0.0.1:1;127.0.0.1:2",
        "ipc:///no/such/directory/x",
        "tcp://192.0.2.1:1",
        "udp://nonsense",
        "tcp://no..interface:*",
    };
    size_t size = sizeof text;
    int i = any(COUNT(texts) + 6);

    if (i < COUNT(texts))
        return texts[i];
    if (i == COUNT(texts))
        return NULL;
    if (i == COUNT(texts) + 1) {
        snprintf(text, sizeof text, "ipc://@sifr-test-any-%d", (int)getpid());
        return text;
    }
    i = any(SLOTS); /* where another one is */
    if (!all.open[i] || sifr_getsockopt(all.socks[i], SIFR_LAST_ENDPOINT, text, &size) != 0)
        return "inproc://c";
    return text;
}

static void any_option(sifr_socket_t *s, int step)
{
    /* Not what takes descriptors, what needs privileges, and what would make a call wait. */
    static const int but[] = {SIFR_USE_FD,   SIFR_BINDTODEVICE, SIFR_PRIORITY, SIFR_BUSY_POLL,
                              SIFR_SNDTIMEO, SIFR_RCVTIMEO,     SIFR_LINGER};
    static const size_t sizes[] = {0, 1, 4, 4, 4, 4, 8, 8, 3, 255, 256};
    char value[256] = "X-a:b";
    size_t size = sizes[any(COUNT(sizes))], room = size;
    int option = any(130) - 2, number = any(5) - 1;

    try(getsockopt, s, option, value, &room);
    for (int i = 0; i < COUNT(but); i++)
        if (option == but[i])
            return;
    if (any(2)) {
        memset(value, 0, sizeof value);
        memcpy(value, &number, sizeof number);
    }
    try(setsockopt, s, option, rarely() ? NULL : value, size);
}

/* ---- The calls ------------------------------------------------------------------------------- */

static void any_transfer(sifr_socket_t *s, int step)
{
    int flags = SIFR_DONTWAIT | (any(4) == 0 ? SIFR_SNDMORE : 0);
    static char bytes[20000];
    size_t size = any(3) ? (size_t)any(100) : (size_t)any(sizeof bytes);

    switch (any(8)) {
    case 0: try(send, s, rarely() ? NULL : bytes, size, flags); break;
    case 1: try(send_const, s, bytes, size, flags); break;
    case 2: try(recv, s, rarely() ? NULL : bytes, size, flags); break;
    case 3: try(msg_send, &all.msg, s, flags); break;
    case 4: try(msg_recv, &all.msg, s, flags); break;
    case 5: /* to a peer that may be there */
        try(send, s, "\0abcd", 5, SIFR_DONTWAIT | SIFR_SNDMORE);
        try(send, s, bytes, size, flags);
        break;
    case 6: try(send, s, "\1a", 2, flags); break;
    case 7: try(socket_get_peer_state, s, rarely() ? NULL : "a name", (size_t)any(7)); break;
    }
}

static void any_message_call(int step)
{
    switch (any(7)) {
    case 0: try(msg_set_routing_id, &all.msg, (uint32_t)any(3)); break;
    case 1: try(msg_set_group, &all.msg, any(2) ? "a" : "b"); break;
    case 2: try(msg_get, &all.msg, any(5)); break;
    case 3: try(msg_gets, &all.msg, any(2) ? "Socket-Type" : "X-a"); break;
    case 4: try(msg_close, &all.msg); break;
    case 5: try(msg_copy, &all.msg, &all.msg); break;
    case 6:
        sifr_msg_close(&all.msg);
        ck_works(sifr_msg_init_size(&all.msg, (size_t)any(300)));
        break;
    }
}

static void any_poller_call(sifr_socket_t *s, int step)
{
    sifr_poller_event_t e[4];
    sifr_pollitem_t items[3] = {{.socket = s, .events = (short)any(8)},
                                {.socket = all.socks[any(SLOTS)], .events = SIFR_POLLIN},
                                {.fd = any(2) ? -1 : STDERR_FILENO, .events = SIFR_POLLPRI}};
    int fd;

    switch (any(10)) {
    case 0:
    case 1: try(poller_add, all.poller, s, NULL, (short)any(rarely() ? 100 : 16)); break;
    case 2: try(poller_modify, all.poller, s, (short)any(rarely() ? 100 : 16)); break;
    case 3: try(poller_remove, all.poller, s); break;
    case 4: try(poller_wait, all.poller, rarely() ? NULL : e, any(2)); break;
    case 5: try(poller_wait_all, all.poller, e, any(6) - 1 > 4 ? 4 : any(5) - 1, any(2)); break;
    case 6: try(poller_fd, all.poller, &fd); break;
    case 7: try(poller_add_fd, all.poller, any(4) - 1, NULL, 0); break;
    case 8: try(poller_remove_fd, all.poller, any(4) - 1); break;
    case 9: try(poll, items, any(5) - 1 > 3 ? 3 : any(5) - 1, any(2)); break;
    }
}

static void any_call(int step)
{
    sifr_socket_t *s = all.socks[any(SLOTS)];

    switch (any(20)) {
    case 0: reopen(any(SLOTS), step); break;
    case 1:
        if (rarely() || all.ends[0] || all.ends[1])
            renew(any(CONTEXTS), step);
        break;
    case 2:
    case 3: try(bind, s, any_endpoint()); break;
    case 4:
    case 5: try(connect, s, any_endpoint()); break;
    case 6: try(unbind, s, any_endpoint()); break;
    case 7: try(disconnect, s, any_endpoint()); break;
    case 8: try(connect_peer, s, any_endpoint()); break;
    case 9: try(disconnect_peer, s, (uint32_t)any(1000)); break;
    case 10: try(join, s, rarely() ? NULL : any(2) ? "a" : "b"); break;
    case 11: try(leave, s, rarely() ? NULL : any(2) ? "a" : "b"); break;
    case 12:
        if (any(2))
            try(socket_monitor, s, any_endpoint(), any(0x20000));
        else
            try(socket_monitor_versioned, s, any_endpoint(), (uint64_t)any(0x40000), any(4),
                any(12));
        try(socket_monitor_pipes_stats, s);
        break;
    case 13: any_poller_call(s, step); break;
    case 14: any_message_call(step); break;
    case 15:
    case 16: any_option(s, step); break;
    default: any_transfer(s, step); break;
    }
}

START_TEST(what_a_call_fails_with_is_documented)
{
    if (matrix.libzmq)
        return;
    read_pairs();
    chance = (uint64_t)_i * 77 + 1;
    failures = 0;
    for (int i = 0; i < CONTEXTS; i++)
        ck_assert_ptr_nonnull(all.ctx[i] = sifr_ctx_new());
    ck_assert_ptr_nonnull(all.poller = sifr_poller_new());
    ck_works(sifr_msg_init(&all.msg));
    for (int i = 0; i < SLOTS; i++)
        reopen(i, -1);
    for (int step = 0; step < STEPS; step++)
        any_call(step);
    ck_assert_int_gt(failures, STEPS / 10);

    sifr_msg_close(&all.msg);
    ck_works(sifr_poller_destroy(&all.poller));
    for (int i = 0; i < SLOTS; i++)
        shut(i);
    for (int i = 0; i < CONTEXTS; i++)
        ck_works(sifr_ctx_term(all.ctx[i]));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/any");
    TCase *c = new_bare_case(s, "any");

    add_loop(c, what_a_call_fails_with_is_documented, 0, SEEDS);
    return run_matrix(s);
}
