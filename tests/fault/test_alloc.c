/* Every allocation fails in turn: each call says so, nothing is lost for good, nothing leaks. */
#include "base/alloc.h"
#include "base/block.h"
#include "scenarios.h"

/* ---- The gate, and what is allocated --------------------------------------------------------- */

static atomic_long live, asked; /* blocks that the library has; those it wanted since gate_shut */

static void gate_shut(long n, bool sticky)
{
    atomic_store(&asked, 0);
    sf_alloc_fail(n, sticky);
}

static void gate_open(void)
{
    sf_alloc_fail(0, 0);
}

static long gate_seen(void)
{
    return atomic_load(&asked);
}

static bool excused(int error)
{
    return error == ENOMEM;
}

/* The linker brings the library's calls of its gate here first (CMakeLists.txt). */
void *__real_sf_alloc(size_t size);
void *__real_sf_alloc_raw(size_t size);
void *__real_sf_realloc(void *p, size_t size);
char *__real_sf_alloc_text(const void *from, size_t n);
void __real_sf_free(void *p);
void *__real_sf_alloc_pages(size_t size);
void __real_sf_free_pages(void *p, size_t size);
void *__wrap_sf_alloc(size_t size);
void *__wrap_sf_alloc_raw(size_t size);
void *__wrap_sf_realloc(void *p, size_t size);
char *__wrap_sf_alloc_text(const void *from, size_t n);
void __wrap_sf_free(void *p);
void *__wrap_sf_alloc_pages(size_t size);
void __wrap_sf_free_pages(void *p, size_t size);

static void *counted(void *p)
{
    atomic_fetch_add(&asked, 1);
    if (p)
        atomic_fetch_add(&live, 1);
    return p;
}

void *__wrap_sf_alloc(size_t size)
{
    return counted(__real_sf_alloc(size));
}

void *__wrap_sf_alloc_raw(size_t size)
{
    return counted(__real_sf_alloc_raw(size));
}

char *__wrap_sf_alloc_text(const void *from, size_t n)
{
    return counted(__real_sf_alloc_text(from, n));
}

void *__wrap_sf_realloc(void *p, size_t size)
{
    void *q = __real_sf_realloc(p, size);

    if (!p)
        return counted(q);
    atomic_fetch_add(&asked, 1);
    return q;
}

void __wrap_sf_free(void *p)
{
    if (p)
        atomic_fetch_sub(&live, 1);
    __real_sf_free(p);
}

void *__wrap_sf_alloc_pages(size_t size)
{
    return counted(__real_sf_alloc_pages(size));
}

void __wrap_sf_free_pages(void *p, size_t size)
{
    atomic_fetch_sub(&live, 1);
    __real_sf_free_pages(p, size);
}

/* Contexts, sockets and their like of which the library keeps the memory for later: more than a trial needs. */
static void stock_up(void)
{
    enum { CONTEXTS = 20, SOCKETS = 200 };
    sifr_ctx_t *ctx[CONTEXTS];
    sifr_socket_t *s[SOCKETS];
    sifr_poller_t *pollers[CONTEXTS];
    sifr_timers_t *timers[CONTEXTS];
    sifr_auth_t *auths[CONTEXTS];

    for (int i = 0; i < CONTEXTS; i++) {
        ck_assert_ptr_nonnull(ctx[i] = sifr_ctx_new());
        ck_assert_ptr_nonnull(pollers[i] = sifr_poller_new());
        ck_assert_ptr_nonnull(timers[i] = sifr_timers_new());
        ck_assert_ptr_nonnull(auths[i] = sifr_auth_new(ctx[i]));
    }
    for (int i = 0; i < SOCKETS; i++)
        ck_assert_ptr_nonnull(s[i] = sifr_socket(ctx[0], SIFR_PAIR));
    for (int i = 0; i < SOCKETS; i++)
        ck_works(sifr_close(s[i]));
    for (int i = 0; i < CONTEXTS; i++) {
        ck_works(sifr_ctx_term(ctx[i]));
        ck_works(sifr_poller_destroy(&pollers[i]));
        ck_works(sifr_timers_destroy(&timers[i]));
        ck_works(sifr_auth_destroy(&auths[i]));
    }
}

/* Waits until the library has no more than before. */
static void settle(long blocks)
{
    int64_t begin = now_ms();

    for (sf_block_forget(); atomic_load(&live) != blocks; sf_block_forget()) {
        ck_assert_msg(now_ms() - begin < WAIT_MS, "failure %ld, manner %d: %ld blocks are left", trial.n, trial.manner,
                      atomic_load(&live) - blocks);
        poll(NULL, 0, 1);
    }
}

/* Runs a program once for each of its allocations, in each manner, until it goes through. */
static void fail_each(void (*program)(int), int variant)
{
    long blocks;
    int files;

    stock_up();
    files = descriptors();
    blocks = atomic_load(&live);
    for (enum manner manner = ONCE; manner < MANNERS; manner++) {
        long n = 1;

        while (run_trial(program, variant, manner, n)) {
            settle(blocks); /* a look-up under way ends later than its context */
            ck_assert_int_eq(descriptors(), files);
            ck_assert_int_eq(atomic_load(&taken), atomic_load(&freed));
            ck_assert_int_lt(n, TRIALS_MAX);
            n += manner == ONCE ? 1 : 5; /* the others lack all that follows as well */
        }
        ck_assert_int_gt(n, 3); /* it was all about nothing otherwise */
    }
}

/* ---- Two sockets ----------------------------------------------------------------------------- */

enum kind { ONE_WAY, TWO_WAYS, SUBSCRIBED, ASKED, BY_NAME };

static const struct {
    int a, b;
    enum kind kind;
} pairs[] = {
    {SIFR_PUSH, SIFR_PULL, ONE_WAY},      {SIFR_PAIR, SIFR_PAIR, TWO_WAYS},   {SIFR_PUB, SIFR_SUB, SUBSCRIBED},
    {SIFR_XPUB, SIFR_XSUB, SUBSCRIBED},   {SIFR_REQ, SIFR_REP, ASKED},        {SIFR_DEALER, SIFR_ROUTER, BY_NAME},
    {SIFR_ROUTER, SIFR_ROUTER, BY_NAME},
};

/* Each transport, and over the wire each direction once: who dials and who accepts are not the same code. */
static const int ways[] = {2 * TCP, 2 * IPC + 1, 2 * INPROC, 2 * INPROC + 1};

enum { PAIRS = COUNT(pairs), MANY_WAYS = COUNT(ways) };

static void subscribe(sifr_socket_t *s, const char *topic)
{
    int type = get_int(s, SIFR_TYPE);
    char request[64] = "\1";

    strcat(request, topic);
    if (type == SIFR_SUB)
        set_bytes(s, SIFR_SUBSCRIBE, topic, strlen(topic));
    else
        TRY(sifr_send(s, request, 1 + strlen(topic), 0));
}

/* Messages from one to the other and, where the types can, back. */
static void talk(sifr_socket_t *a, sifr_socket_t *b, enum kind kind, const struct letter *l)
{
    struct letter question = *l, answer = *l;

    question.id = get_int(a, SIFR_TYPE) == SIFR_ROUTER ? "server" : NULL;
    switch (kind) {
    case ONE_WAY:
    case SUBSCRIBED: pass(a, b, l); break;
    case TWO_WAYS:
        pass(a, b, l);
        pass(b, a, l);
        break;
    case ASKED: converse(a, b, l); break;
    case BY_NAME:
        pass_from(a, b, &question, &answer);
        pass(b, a, &answer);
        break;
    }
}

static void prepare(sifr_socket_t *a, sifr_socket_t *b, enum kind kind)
{
    if (kind == SUBSCRIBED)
        subscribe(b, "");
    if (kind == ASKED) {
        set_int(a, SIFR_REQ_RELAXED, 1);
        set_int(a, SIFR_REQ_CORRELATE, 1);
    }
    if (kind == BY_NAME) {
        set_bytes(a, SIFR_ROUTING_ID, "a client with a name of some length", 35);
        set_bytes(b, SIFR_ROUTING_ID, "server", 6);
    }
}

static void two_sockets(int variant)
{
    enum kind kind = pairs[variant / MANY_WAYS].kind;
    sifr_socket_t *a, *b;

    start_context();
    a = start_socket(pairs[variant / MANY_WAYS].a);
    b = start_socket(pairs[variant / MANY_WAYS].b);
    prepare(a, b, kind);
    meet(a, b, ways[variant % MANY_WAYS]);
    talk(a, b, kind, &parts);
}

START_TEST(two_sockets_live_through_every_failure)
{
    fail_each(two_sockets, _i);
}
END_TEST

/* ---- Messages -------------------------------------------------------------------------------- */

static void large_frames(int way)
{
    static const struct letter large = {NULL, 5, {{"", 0}, {NULL, 3000}, {NULL, 300000}, {NULL, 100}, {NULL, 40000}}};
    sifr_socket_t *a, *b;

    start_context();
    a = start_socket(SIFR_PUSH);
    b = start_socket(SIFR_PULL);
    meet(a, b, way);
    pass(a, b, &large);
}

/* The same through CURVE, where it is built in, and back; keys need memory of their own. */
static void sealed(int way)
{
    static const struct letter large = {NULL, 4, {{"", 0}, {NULL, 3000}, {NULL, 100000}, {NULL, 40000}}};
    char public_key[41], secret_key[41];
    sifr_socket_t *a, *b;

    if (!sifr_has("curve"))
        return;
    ck_works(sifr_curve_keypair(public_key, secret_key));
    start_context();
    a = start_socket(SIFR_PAIR);
    b = start_socket(SIFR_PAIR);
    set_bytes(a, SIFR_CURVE_SERVERKEY, public_key, 40);
    set_bytes(a, SIFR_CURVE_PUBLICKEY, public_key, 40);
    set_bytes(a, SIFR_CURVE_SECRETKEY, secret_key, 40);
    set_bytes(b, SIFR_CURVE_SECRETKEY, secret_key, 40);
    set_int(b, SIFR_CURVE_SERVER, 1);
    meet(a, b, way);
    pass(a, b, &parts);
    pass(b, a, &large);
}

static void messages_alone(int unused)
{
    static const struct letter large = {NULL, 1, {{NULL, 5000}}};
    sifr_msg_t a, b;

    (void)unused;
    TRY(sifr_msg_init_size(&a, 100000));
    ck_works(sifr_msg_close(&a));
    TRY(sifr_msg_init_buffer(&a, "too long for the message itself, of course", 42));
    ck_works(sifr_msg_init(&b));
    while (sifr_msg_copy(&b, &a) != 0) {
        ck_assert_uint_eq(sifr_msg_size(&b), 0);
        if (trial.manner == FAMINE)
            ck_works(sifr_msg_close(&a));
        again("sifr_msg_copy", __LINE__);
    }
    ck_assert_mem_eq(sifr_msg_data(&b), "too long", 8);
    ck_works(sifr_msg_close(&b));
    ck_works(sifr_msg_close(&a));
    make_frame(&a, &large, 0);
    ck_works(sifr_msg_close(&a));
}

static void newest_alone(int way)
{
    static const struct letter one = {NULL, 1, {{NULL, 500}}};
    sifr_socket_t *a, *b;

    start_context();
    a = start_socket(SIFR_PUSH);
    b = start_socket(SIFR_PULL);
    set_int(a, SIFR_CONFLATE, 1);
    set_int(b, SIFR_CONFLATE, 1);
    meet(a, b, way);
    pass(a, b, &one);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void connected_before_bound(int unused)
{
    struct endpoint e = fresh_endpoint(INPROC);
    sifr_socket_t *a[3], *b;

    (void)unused;
    start_context();
    for (int i = 0; i < COUNT(a); i++) {
        a[i] = start_socket(SIFR_DEALER);
        join(a[i], &e);
    }
    b = start_socket(SIFR_DEALER);
    set_bytes(b, SIFR_ROUTING_ID, "bound", 5);
    TRY(sifr_bind(b, e.text));
    for (int i = 0; i < COUNT(a); i++)
        pass(a[i], b, &parts);
}

static void connected_again(int transport)
{
    struct endpoint e;
    sifr_socket_t *a, *b;

    start_context();
    a = start_socket(SIFR_DEALER);
    b = start_socket(SIFR_DEALER);
    e = bind_somewhere(b, (enum transport)transport);
    join(a, &e);
    pass(a, b, &parts);
    stop_socket(b);
    b = start_socket(SIFR_DEALER);
    eventually(sifr_bind(b, e.text) == 0 || (errno != EADDRINUSE && again("sifr_bind", __LINE__) && false));
    pass(a, b, &parts);
    pass(b, a, &parts);
}

static void connected_when_ready(int way)
{
    sifr_socket_t *a, *b;

    start_context();
    a = start_socket(SIFR_PUSH);
    b = start_socket(SIFR_PULL);
    set_int(a, SIFR_IMMEDIATE, 1);
    set_int(b, SIFR_IMMEDIATE, 1);
    meet(a, b, way);
    pass(a, b, &parts);
}

static void connected_by_name(int unused)
{
    char text[64];
    sifr_socket_t *a, *b;

    (void)unused;
    start_context();
    a = start_socket(SIFR_PAIR);
    b = start_socket(SIFR_PAIR);
    TRY(sifr_bind(b, "tcp://localhost:*"));
    snprintf(text, sizeof text, "tcp://localhost%s", strrchr(last_endpoint(b).text, ':'));
    TRY(sifr_connect(a, text));
    ck_assert_str_eq(last_endpoint(a).text, text);
    pass(a, b, &parts);
}

static void connected_under_a_given_id(int transport)
{
    struct letter l = parts;
    struct endpoint e;
    sifr_socket_t *a, *b;

    start_context();
    a = start_socket(SIFR_ROUTER);
    b = start_socket(SIFR_DEALER);
    e = bind_somewhere(b, (enum transport)transport);
    do
        set_bytes(a, SIFR_CONNECT_ROUTING_ID, "given", 5); /* for the next connect alone, even if that fails */
    while (sifr_connect(a, e.text) == -1 && again("sifr_connect", __LINE__));
    l.id = "given";
    pass(a, b, &l);
    pass_from(b, a, &parts, &l);
    ck_assert_str_eq(l.id, "given");
}

/* ---- The rest of the API --------------------------------------------------------------------- */

enum { TOPICS = 12, TOPIC_SIZE = 40 };

static void name_topic(char topic[TOPIC_SIZE], int i)
{
    snprintf(topic, TOPIC_SIZE, "a topic that has a long beginning %d", i);
}

/* Receives a message: whether it is of this topic; else it is one of those before, sent once too often. */
static bool fetch_topic(sifr_socket_t *s, int i)
{
    char topic[TOPIC_SIZE];
    sifr_msg_t m;
    int of = -1;

    ck_assert(fetch_frame(s, &m));
    for (int k = 0; k <= i; k++) {
        name_topic(topic, k);
        if (sifr_msg_size(&m) == strlen(topic) && memcmp(sifr_msg_data(&m), topic, strlen(topic)) == 0)
            of = k;
    }
    ck_assert_int_ge(of, 0);
    ck_works(sifr_msg_close(&m));
    ck_assert(!fetch_frame(s, &m));
    ck_assert_uint_eq(sifr_msg_size(&m), strlen("what it says"));
    ck_assert_mem_eq(sifr_msg_data(&m), "what it says", strlen("what it says"));
    ck_works(sifr_msg_close(&m));
    return of == i;
}

static void topics(int way)
{
    char topic[TOPICS][TOPIC_SIZE];
    int64_t begin;
    sifr_socket_t *a, *b;

    start_context();
    a = start_socket(way % 2 ? SIFR_XPUB : SIFR_PUB);
    b = start_socket(way / 2 % 2 ? SIFR_XSUB : SIFR_SUB);
    subscribe(b, "first");
    meet(a, b, way);
    for (int i = 0; i < TOPICS; i++) {
        name_topic(topic[i], i);
        subscribe(b, topic[i]);
    }
    ck_assert_int_eq(get_int(b, SIFR_TOPICS_COUNT), TOPICS + 1);
    begin = now_ms();
    while (get_int(a, SIFR_TOPICS_COUNT) < TOPICS + 1) {
        get_int(b, SIFR_EVENTS);
        wait_since(begin, __LINE__);
        poll(NULL, 0, 1);
    }
    for (int i = 0; i < 3; i++) {
        const struct letter l = {NULL, 2, {{topic[i], 0}, {"what it says", 0}}};

        begin = now_ms();
        do {
            do {
                post(a, &l);
                wait_since(begin, __LINE__);
            } while (!comes(b, 5));
        } while (!fetch_topic(b, i));
    }
}

/* Events may be missing, but what comes is whole and in order. */
static void read_events(sifr_socket_t *s)
{
    sifr_msg_t m;

    while (comes(s, 0)) {
        ck_assert(fetch_frame(s, &m));
        ck_assert_uint_eq(sifr_msg_size(&m), 6);
        ck_works(sifr_msg_close(&m));
        ck_assert(!fetch_frame(s, &m));
        if (sifr_msg_size(&m))
            ck_assert_mem_eq(sifr_msg_data(&m), "tcp://127.", 10);
        ck_works(sifr_msg_close(&m));
    }
}

static void monitored(int unused)
{
    sifr_socket_t *a, *b, *reader;

    (void)unused;
    start_context();
    a = start_socket(SIFR_DEALER);
    b = start_socket(SIFR_DEALER);
    reader = start_socket(SIFR_PAIR);
    TRY(sifr_socket_monitor(a, "inproc://events", SIFR_EVENT_ALL));
    TRY(sifr_connect(reader, "inproc://events"));
    meet(a, b, 2 * TCP);
    pass(a, b, &parts);
    read_events(reader);
    stop_socket(b);
    read_events(reader);
    TRY(sifr_socket_monitor(a, NULL, 0));
    read_events(reader);
}

static void many_polled(int unused)
{
    enum { MANY = 20 };
    sifr_pollitem_t items[2 * MANY];
    sifr_socket_t *a;
    int n;

    (void)unused;
    start_context();
    a = start_socket(SIFR_PUSH);
    for (int i = 0; i < MANY; i++) {
        items[2 * i] = (sifr_pollitem_t){.socket = start_socket(SIFR_PULL), .events = SIFR_POLLIN};
        items[2 * i + 1] = (sifr_pollitem_t){.fd = -1, .events = SIFR_POLLIN};
    }
    meet(a, items[MANY].socket, 2 * INPROC);
    TRY(n = sifr_poll(items, 2 * MANY, 1));
    ck_assert_int_eq(n, 0);
}

struct ends {
    sifr_socket_t *front, *back, *tap;
};

static void *forward(void *arg)
{
    struct ends *e = arg;
    int error;

    do {
        ck_assert_int_eq(sifr_proxy(e->front, e->back, e->tap), -1);
        error = errno;
    } while (error == ENOMEM);
    ck_assert_int_eq(error, SIFR_ETERM);
    return NULL;
}

static void forwarded(int unused)
{
    static const struct letter one = {NULL, 1, {{NULL, 500}}};
    static struct ends ends;
    struct endpoint in, out;
    sifr_socket_t *a, *b, *c;

    (void)unused;
    start_context();
    ends = (struct ends){start_socket(SIFR_PULL), start_socket(SIFR_PUSH), start_socket(SIFR_PUB)};
    a = start_socket(SIFR_PUSH);
    b = start_socket(SIFR_PULL);
    c = start_socket(SIFR_SUB);
    in = bind_somewhere(ends.front, INPROC);
    out = bind_somewhere(ends.back, TCP);
    join(a, &in);
    join(b, &out);
    out = bind_somewhere(ends.tap, INPROC);
    subscribe(c, "");
    join(c, &out);
    trial.helper = start_thread(forward, &ends);
    trial.helped = true;
    pass(a, b, &one);
    pass(a, c, &one);
}

/* An option that is text or bytes: refused, it is what it was. */
static void set_owned(sifr_socket_t *s, int option, const char *value, bool readable_too)
{
    char before[256], after[256];
    size_t size = sizeof before, then = sizeof after;

    if (readable_too)
        ck_works(sifr_getsockopt(s, option, before, &size));
    while (sifr_setsockopt(s, option, value, strlen(value)) == -1) {
        int error = errno;

        if (readable_too) {
            ck_works(sifr_getsockopt(s, option, after, &then));
            ck_assert_uint_eq(then, size);
            ck_assert_mem_eq(after, before, size);
        }
        errno = error;
        again("sifr_setsockopt", __LINE__);
    }
    if (readable_too) {
        then = sizeof after;
        ck_works(sifr_getsockopt(s, option, after, &then));
        ck_assert_mem_eq(after, value, strlen(value));
    }
}

static void options(int unused)
{
    int pid = (int)getpid();
    sifr_socket_t *s, *x;

    (void)unused;
    start_context();
    s = start_socket(SIFR_ROUTER);
    x = start_socket(SIFR_XPUB);
    for (int round = 0; round < 2; round++) {
        set_owned(s, SIFR_ROUTING_ID, round ? "another" : "a name", true);
        set_owned(s, SIFR_CONNECT_ROUTING_ID, round ? "another" : "a name", false);
        set_owned(s, SIFR_HELLO_MSG, "hello", false);
        set_owned(s, SIFR_DISCONNECT_MSG, "gone", false);
        set_owned(s, SIFR_METADATA, round ? "X-b:2" : "X-a:1", false);
        set_owned(s, SIFR_BINDTODEVICE, round ? "eth9" : "lo", true);
        set_owned(s, SIFR_SOCKS_PROXY, round ? "127.0.0.1:1" : "127.0.0.1:1080", true);
        set_owned(s, SIFR_SOCKS_USERNAME, "user", true);
        set_owned(s, SIFR_SOCKS_PASSWORD, "secret", true);
        set_owned(s, SIFR_TCP_ACCEPT_FILTER, round ? "10.0.0.0/8" : "127.0.0.0/8", false);
        set_bytes(s, SIFR_IPC_FILTER_PID, &pid, sizeof pid);
        set_bytes(s, SIFR_IPC_FILTER_UID, &pid, sizeof pid);
        set_bytes(s, SIFR_IPC_FILTER_GID, &pid, sizeof pid);
        set_owned(x, SIFR_XPUB_WELCOME_MSG, "a welcome that is too long for the message itself", false);
    }
}

static void greeted(int way)
{
    static const struct letter welcome = {NULL, 1, {{"welcome", 0}}};
    sifr_socket_t *a, *b;

    start_context();
    a = start_socket(SIFR_XPUB);
    b = start_socket(SIFR_SUB);
    set_bytes(a, SIFR_XPUB_WELCOME_MSG, "welcome", 7);
    subscribe(b, "");
    meet(a, b, way);
    pass(a, b, &welcome); /* said or sent, it is all the same */
}

/* ---- The types of one frame, and those of no peers ------------------------------------------- */

static const struct letter single = {NULL, 1, {{NULL, 500}}};

/* Sends a message that has a routing id or a group, or neither: false, there was no room. */
static bool post_to(sifr_socket_t *s, uint32_t id, const char *group)
{
    sifr_msg_t m;
    int n, error;

    make_frame(&m, &single, 0);
    if (id)
        ck_works(sifr_msg_set_routing_id(&m, id));
    if (group)
        while (sifr_msg_set_group(&m, group) == -1) {
            error = errno;
            if (trial.manner == FAMINE)
                sifr_msg_close(&m);
            errno = error;
            again("sifr_msg_set_group", __LINE__);
        }
    n = sifr_msg_send(&m, s, SIFR_DONTWAIT);
    error = errno;
    if (n < 0)
        check_frame(&m, &single, 0);
    ck_works(sifr_msg_close(&m));
    errno = error;
    return n >= 0 || error == EAGAIN || error == EHOSTUNREACH || !again("sifr_msg_send", __LINE__);
}

/* Receives that message: from whom. */
static uint32_t fetch_from(sifr_socket_t *s, const char *group)
{
    sifr_msg_t m;
    uint32_t id;

    ck_assert(!fetch_frame(s, &m));
    check_frame(&m, &single, 0);
    if (group)
        ck_assert_str_eq(sifr_msg_group(&m), group);
    id = sifr_msg_routing_id(&m);
    ck_works(sifr_msg_close(&m));
    return id;
}

static void served(int way)
{
    sifr_socket_t *client, *server;
    int64_t begin = now_ms();
    uint32_t id;

    start_context();
    client = start_socket(SIFR_CLIENT);
    server = start_socket(SIFR_SERVER);
    meet(server, client, way);
    do { /* with its connection goes a client's number, and what was said to it */
        do {
            post_to(client, 0, NULL);
            wait_since(begin, __LINE__);
        } while (!comes(server, 5));
        id = fetch_from(server, NULL);
        ck_assert_uint_ne(id, 0);
        post_to(server, id, NULL);
    } while (!comes(client, 5));
    fetch_from(client, NULL);
}

static void grouped(int way)
{
    sifr_socket_t *radio, *dish;
    int64_t begin = now_ms();

    start_context();
    radio = start_socket(SIFR_RADIO);
    dish = start_socket(SIFR_DISH);
    TRY(sifr_join(dish, "a group that has a name of some length"));
    if (way < WAYS) {
        meet(radio, dish, way);
    } else {
        TRY(sifr_bind(dish, "udp://127.0.0.1:*"));
        TRY(sifr_connect(radio, last_endpoint(dish).text));
    }
    TRY(sifr_join(dish, "another"));
    do {
        post_to(radio, 0, "a group that has a name of some length");
        wait_since(begin, __LINE__);
    } while (!comes(dish, 5));
    fetch_from(dish, "a group that has a name of some length");
    do {
        post_to(radio, 0, "another");
        wait_since(begin, __LINE__);
    } while (!comes(dish, 5));
    ck_assert(!comes(radio, 0));
}

static void single_frames(int way)
{
    sifr_socket_t *a, *b;

    start_context();
    a = start_socket(SIFR_SCATTER);
    b = start_socket(SIFR_GATHER);
    meet(a, b, way);
    pass(a, b, &single);
    a = start_socket(SIFR_CHANNEL);
    b = start_socket(SIFR_CHANNEL);
    meet(a, b, way);
    pass(a, b, &single);
    pass(b, a, &single);
}

/* Sends to an id, if it is known: an error of the rest is one of the whole. */
static void post_bytes(sifr_socket_t *s, const void *id, size_t size)
{
    if (sifr_send(s, id, size, SIFR_SNDMORE | SIFR_DONTWAIT) == -1) {
        if (errno != EHOSTUNREACH && errno != EAGAIN)
            again("sifr_send", __LINE__);
        return;
    }
    if (sifr_send(s, "some bytes", 10, SIFR_DONTWAIT) == -1)
        again("sifr_send", __LINE__);
}

/* Bytes between two STREAMs; lost connections come again, and are noticed or not. */
static void bare(int transport)
{
    sifr_socket_t *a, *b;
    int64_t begin = now_ms();
    struct endpoint e;
    uint8_t id[256];
    size_t got = 0;

    start_context();
    a = start_socket(SIFR_STREAM);
    b = start_socket(SIFR_STREAM);
    e = bind_somewhere(a, (enum transport)transport);
    join(b, &e);
    while (got == 0) {
        size_t size = sizeof id;
        sifr_msg_t m;

        ck_works(sifr_getsockopt(b, SIFR_ROUTING_ID, id, &size));
        if (size)
            post_bytes(b, id, size);
        while (comes(a, 5)) {
            ck_assert(fetch_frame(a, &m));
            ck_works(sifr_msg_close(&m));
            ck_assert(!fetch_frame(a, &m));
            got += sifr_msg_size(&m);
            if (sifr_msg_size(&m) >= 10)
                ck_assert_mem_eq(sifr_msg_data(&m), "some bytes", 10);
            ck_works(sifr_msg_close(&m));
        }
        wait_since(begin, __LINE__);
    }
}

static void datagrams(int unused)
{
    sifr_socket_t *a, *b;
    int64_t begin = now_ms();
    struct endpoint e;
    sifr_msg_t m;

    (void)unused;
    start_context();
    a = start_socket(SIFR_DGRAM);
    b = start_socket(SIFR_DGRAM);
    TRY(sifr_bind(a, "udp://127.0.0.1:*"));
    TRY(sifr_bind(b, "udp://127.0.0.1:*"));
    e = last_endpoint(a);
    do {
        post_bytes(b, e.text + 6, strlen(e.text + 6));
        wait_since(begin, __LINE__);
    } while (!comes(a, 5));
    ck_assert(fetch_frame(a, &m));
    ck_works(sifr_msg_close(&m));
    ck_assert(!fetch_frame(a, &m));
    ck_assert_uint_eq(sifr_msg_size(&m), 10);
    ck_assert_mem_eq(sifr_msg_data(&m), "some bytes", 10);
    ck_works(sifr_msg_close(&m));
}

static sifr_poller_t *kept;

static void end_kept(void)
{
    ck_works(sifr_poller_destroy(&kept));
}

static void kept_polled(int unused)
{
    enum { N = 20 };
    sifr_socket_t *push[N], *pull[N];
    sifr_poller_event_t events[N];

    (void)unused;
    TRY_NULL(kept = sifr_poller_new());
    trial.clean_up = end_kept;
    start_context();
    for (int i = 0; i < N; i++) {
        push[i] = start_socket(SIFR_PUSH);
        pull[i] = start_socket(SIFR_PULL);
        meet(push[i], pull[i], 2 * INPROC);
        TRY(sifr_poller_add(kept, pull[i], pull[i], SIFR_POLLIN));
        ck_assert_int_eq(sifr_poller_size(kept), i + 1);
    }
    TRY(sifr_poller_add_fd(kept, 0, NULL, 0));
    for (int i = 0; i < N; i += 3)
        TRY(sifr_send(push[i], "x", 1, 0));
    ck_assert_int_eq(sifr_poller_wait_all(kept, events, N, WAIT_MS), (N + 2) / 3);
    for (int i = 0; i < N; i += 3)
        ck_assert_ptr_eq(events[i / 3].socket, pull[i]);
    for (int i = 0; i < N; i++)
        ck_works(sifr_poller_remove(kept, pull[i]));
}

static sifr_timers_t *timed;

static void end_timed(void)
{
    ck_works(sifr_timers_destroy(&timed));
}

static void run_nothing(int id, void *arg)
{
    (void)id, (void)arg;
}

static void tools(int unused)
{
    sifr_counter_t *counter;
    sifr_stopwatch_t *watch;

    (void)unused;
    TRY_NULL(timed = sifr_timers_new());
    trial.clean_up = end_timed;
    for (int i = 1; i < 50; i++) {
        int id;

        while ((id = sifr_timers_add(timed, 0, run_nothing, NULL)) == -1)
            again("sifr_timers_add", __LINE__);
        ck_assert_int_eq(id, i);
    }
    ck_works(sifr_timers_execute(timed));
    TRY_NULL(counter = sifr_atomic_counter_new());
    sifr_atomic_counter_destroy(&counter);
    TRY_NULL(watch = sifr_stopwatch_start());
    sifr_stopwatch_stop(watch);
}

static void monitored_at_both_ends(int unused)
{
    struct endpoint name = fresh_endpoint(INPROC);
    sifr_socket_t *s, *monitor;

    (void)unused;
    start_context();
    s = start_socket(SIFR_PULL);
    monitor = start_socket(SIFR_PULL);
    TRY(sifr_socket_monitor_versioned(s, name.text, SIFR_EVENT_ALL_V2, 2, SIFR_PUSH));
    join(monitor, &name);
    meet(s, start_socket(SIFR_PUSH), 2 * TCP);
    sifr_socket_monitor_pipes_stats(s); /* the partner has come or not */
    TRY(sifr_socket_monitor(s, NULL, 0));
}

static sifr_auth_t *auth;
static char users[64]; /* the file with their passwords, while there is one */

static void end_auth(void)
{
    if (auth)
        ck_works(sifr_auth_destroy(&auth));
    if (users[0])
        ck_works(unlink(users));
    users[0] = 0;
}

/* Whoever is refused for want of memory comes again. */
static void authenticated(int unused)
{
    enum { HANDSHAKE_MS = 500 };
    sifr_socket_t *a, *b;
    FILE *f;

    (void)unused;
    trial.clean_up = end_auth;
    snprintf(users, sizeof users, "/tmp/sifr-test-users-%d", (int)getpid());
    f = fopen(users, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fprintf(f, "admin=secret\nguest=a password of some length\n"), 0);
    ck_works(fclose(f));
    start_context();
    TRY_NULL(auth = sifr_auth_new(trial.ctx));
    TRY(sifr_auth_allow(auth, "domain", "127.0.0.0/8"));
    TRY(sifr_auth_plain(auth, "domain", users));
    a = start_socket(SIFR_PUSH);
    b = start_socket(SIFR_PULL);
    set_bytes(b, SIFR_ZAP_DOMAIN, "domain", 6);
    set_int(b, SIFR_PLAIN_SERVER, 1);
    set_int(b, SIFR_HANDSHAKE_IVL, HANDSHAKE_MS);
    set_bytes(a, SIFR_PLAIN_USERNAME, "guest", 5);
    set_bytes(a, SIFR_PLAIN_PASSWORD, "a password of some length", 25);
    meet(a, b, 2 * TCP + 1);
    pass(a, b, &parts);
    TRY(sifr_auth_reload(auth));
}

/* ---- The first of all ------------------------------------------------------------------------ */

START_TEST(the_first_context_and_socket_may_fail)
{
    for (long n = 1;; n++) {
        sifr_ctx_t *ctx;
        sifr_socket_t *s;

        sf_alloc_fail(n, 0);
        ctx = sifr_ctx_new();
        if (ctx) {
            s = sifr_socket(ctx, SIFR_REP);
            if (!s) {
                ck_assert_int_eq(errno, ENOMEM);
                s = sifr_socket(ctx, SIFR_REP);
            }
            ck_assert_ptr_nonnull(s);
            ck_works(sifr_close(s));
            ck_works(sifr_ctx_term(ctx));
        } else {
            ck_assert_int_eq(errno, ENOMEM);
        }
        if (sf_alloc_fail(0, 0) < n)
            break;
    }
}
END_TEST

/* What SIFR_CONFLATE keeps becomes bytes when it is written: if that fails it is the loop's to try again, now and then. */
START_TEST(a_send_of_the_newest_alone_does_not_wait_for_memory)
{
    enum { SHUT_MS = 300 };
    int64_t begin;
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *a = sifr_socket(ctx, SIFR_PUSH), *b = sifr_socket(ctx, SIFR_PULL);
    struct endpoint e;
    sifr_msg_t m;

    ck_assert(a && b);
    set_int(a, SIFR_CONFLATE, 1);
    set_int(b, SIFR_CONFLATE, 1);
    e = bind_fresh(b, TCP);
    connect_to(a, &e);
    send_filled(a, 50, 1, 0);
    recv_filled(b, 50, 1, false);
    ck_works(sifr_msg_init_size(&m, 5000));
    fill_bytes(sifr_msg_data(&m), 5000, 2);
    begin = now_ms();
    gate_shut(1, true);
    ck_assert_int_eq(sifr_msg_send(&m, a, 0), 5000);
    if (_i) { /* all that is left of it is the connection, which ends when it is written */
        set_int(a, SIFR_LINGER, WAIT_MS);
        ck_works(sifr_close(a));
    }
    poll(NULL, 0, SHUT_MS);
    ck_assert_int_gt(gate_seen(), 0);
    ck_assert_int_lt(gate_seen(), 50 + (now_ms() - begin) / 2); /* one each 10 ms, and some others */
    gate_open();
    recv_filled(b, 5000, 2, false);
    if (!_i)
        ck_works(sifr_close(a));
    ck_works(sifr_close(b));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

/* ---- All of them ----------------------------------------------------------------------------- */

static const struct {
    void (*program)(int);
    int variant;
} programs[] = {
    {messages_alone, 0},
    {large_frames, 2 * TCP},
    {large_frames, 2 * INPROC + 1},
    {sealed, 2 * TCP},
    {sealed, 2 * IPC + 1},
    {newest_alone, 2 * TCP + 1},
    {newest_alone, 2 * INPROC},
    {connected_before_bound, 0},
    {connected_again, TCP},
    {connected_again, IPC},
    {connected_when_ready, 2 * TCP},
    {connected_when_ready, 2 * IPC + 1},
    {connected_by_name, 0},
    {connected_under_a_given_id, TCP},
    {connected_under_a_given_id, INPROC},
    {topics, 2 * TCP},
    {topics, 2 * INPROC + 1},
    {monitored, 0},
    {monitored_at_both_ends, 0},
    {kept_polled, 0},
    {tools, 0},
    {many_polled, 0},
    {forwarded, 0},
    {options, 0},
    {greeted, 2 * TCP},
    {greeted, 2 * INPROC + 1},
    {served, 2 * TCP},
    {served, 2 * INPROC},
    {grouped, 2 * TCP},
    {grouped, 2 * IPC + 1},
    {grouped, 2 * INPROC + 1},
    {grouped, WAYS}, /* udp */
    {single_frames, 2 * TCP},
    {single_frames, 2 * INPROC + 1},
    {bare, TCP},
    {bare, IPC},
    {datagrams, 0},
    {authenticated, 0},
};

START_TEST(a_program_lives_through_every_failure)
{
    fail_each(programs[_i].program, programs[_i].variant);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fault/alloc");
    TCase *c;

    c = new_bare_case(s, "pairs");
    tcase_add_loop_test(c, two_sockets_live_through_every_failure, 0, PAIRS * MANY_WAYS);
    c = new_bare_case(s, "programs");
    tcase_add_test(c, the_first_context_and_socket_may_fail);
    tcase_add_loop_test(c, a_send_of_the_newest_alone_does_not_wait_for_memory, 0, 2);
    tcase_add_loop_test(c, a_program_lives_through_every_failure, 0, COUNT(programs));
    return s;
}

int main(void)
{
    return run_suite(suite());
}
