/*
 * Programs that use the library while something fails underneath, for tests that decide what: the n-th allocation, the
 * n-th system call. Each scenario is a short program. Whatever call of it fails must say so with an errno that the test
 * excuses, must have changed nothing, and must work when it is repeated with the failures stopped. What fails within
 * the I/O threads may cost a connection, and what was under way on it, but not the next one.
 */
#ifndef SIFR_TESTS_FAULT_SCENARIOS_H
#define SIFR_TESTS_FAULT_SCENARIOS_H

#include "support.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdatomic.h>

/* ---- What the test provides ------------------------------------------------------------------ */

static void gate_shut(long n, bool sticky); /* the n-th fails, with `sticky` all after it too */
static void gate_open(void);                /* all pass again */
static long gate_seen(void);                /* how many requests there were since gate_shut */
static bool excused(int error);             /* a call may fail with this errno while the gate is shut */

/* ---- A trial --------------------------------------------------------------------------------- */

/* Once: only the n-th. Patch: all from the n-th until a call fails. Famine: all until the end. */
enum manner { ONCE, PATCH, FAMINE, MANNERS };

enum { TRIAL_SOCKETS = 64, PATIENCE_MS = 2, TRIALS_MAX = 5000 };

static struct {
    enum manner manner;
    long n;
    bool shut;      /* the gate may still let something fail */
    jmp_buf out;    /* FAMINE: the end of the program */
    sifr_ctx_t *ctx;
    sifr_socket_t *sockets[TRIAL_SOCKETS];
    int count;
    pthread_t helper;         /* a thread that ends with the context */
    bool helped;
    void (*clean_up)(void);   /* ends what else the program has made, or NULL */
} trial;

static void lift(void)
{
    gate_open();
    trial.shut = false;
}

/* In a famine nothing gets better: the program ends. Else from now on all is well. */
static void give_in(void)
{
    if (trial.manner == FAMINE)
        longjmp(trial.out, 1);
    lift();
}

/* A call has failed, with errno: whether to repeat it. Does not return when it should not have. */
static bool again(const char *call, int line)
{
    int error = errno;

    ck_assert_msg(trial.shut && excused(error), "line %d, failure %ld, manner %d: %s: errno %d (%s)%s", line, trial.n,
                  trial.manner, call, error, sifr_strerror(error), trial.shut ? "" : " with nothing failing");
    give_in();
    return true;
}

/* Repeats what may fail once. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
    } while ((call) == -1 && again(#call, __LINE__))

#define TRY_NULL(call)                                                                                                 \
    do {                                                                                                               \
    } while ((call) == NULL && again(#call, __LINE__))

/* What waits for something that may have been lost: sees to it that it ends. */
static void wait_since(int64_t begin, int line)
{
    int64_t waited = now_ms() - begin;

    if (trial.shut && trial.manner != ONCE && gate_seen() >= trial.n && waited > PATIENCE_MS)
        give_in();
    ck_assert_msg(waited < WAIT_MS, "line %d, failure %ld, manner %d: it never comes", line, trial.n, trial.manner);
}

static void start_context(void)
{
    TRY_NULL(trial.ctx = sifr_ctx_new());
}

static sifr_socket_t *start_socket(int type)
{
    sifr_socket_t *s;

    TRY_NULL(s = sifr_socket(trial.ctx, type));
    ck_assert_int_lt(trial.count, TRIAL_SOCKETS);
    trial.sockets[trial.count++] = s;
    set_int(s, SIFR_LINGER, 0);
    set_int(s, SIFR_RECONNECT_IVL, 1);
    return s;
}

static void stop_socket(sifr_socket_t *s)
{
    for (int i = 0; i < trial.count; i++)
        if (trial.sockets[i] == s)
            trial.sockets[i--] = trial.sockets[--trial.count];
    ck_works(sifr_close(s));
}

/* What is closed and ended works even while everything fails. */
static void stop_context(void)
{
    if (trial.helped) {
        ck_works(sifr_ctx_shutdown(trial.ctx));
        pthread_join(trial.helper, NULL);
    }
    trial.helped = false;
    while (trial.count > 0)
        stop_socket(trial.sockets[0]);
    if (trial.ctx)
        ck_works(sifr_ctx_term(trial.ctx));
    trial.ctx = NULL;
    if (trial.clean_up)
        trial.clean_up();
    trial.clean_up = NULL;
}

/* How many descriptors are open. */
static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int n = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

/* Runs the program with one failure. False: it went through, there was no n-th any more. */
static bool run_trial(void (*program)(int), int variant, enum manner manner, long n)
{
    trial.manner = manner;
    trial.n = n;
    trial.shut = true;
    gate_shut(n, manner != ONCE);
    if (setjmp(trial.out) == 0)
        program(variant);
    if (trial.manner == FAMINE)
        stop_context();
    lift();
    stop_context();
    return gate_seen() >= n;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void set_bytes(sifr_socket_t *s, int option, const void *value, size_t size)
{
    TRY(sifr_setsockopt(s, option, value, size));
}

static struct endpoint bind_somewhere(sifr_socket_t *s, enum transport t)
{
    struct endpoint e = fresh_endpoint(t);

    if (t == TCP)
        snprintf(e.text, sizeof e.text, "tcp://%s:*", own_host());
    TRY(sifr_bind(s, e.text));
    return last_endpoint(s);
}

static void join(sifr_socket_t *s, const struct endpoint *e)
{
    TRY(sifr_connect(s, e->text));
}

static inline void meet(sifr_socket_t *a, sifr_socket_t *b, int way)
{
    struct endpoint e = bind_somewhere(way % 2 ? b : a, (enum transport)(way / 2));

    join(way % 2 ? a : b, &e);
}

/* A message of these frames; a number in place of the text makes a frame of that size. */
struct letter {
    const char *id; /* frame for a ROUTER in front, or NULL */
    int n;
    struct {
        const char *text;
        size_t size; /* used when there is no text */
    } frames[8];
};

static atomic_int taken, freed; /* buffers given to the library, and given back */

static void give_back(void *data, void *hint)
{
    (void)hint;
    atomic_fetch_add(&freed, 1);
    free(data);
}

/* A frame whose bytes are the library's to give back, as large ones mostly are. */
static void make_frame(sifr_msg_t *m, const struct letter *l, int i)
{
    size_t size = l->frames[i].size;
    void *bytes;

    if (l->frames[i].text) {
        TRY(sifr_msg_init_buffer(m, l->frames[i].text, strlen(l->frames[i].text)));
        return;
    }
    bytes = malloc(size); /* the test's own: where that fails in turn it is of no interest here */
    ck_assert_ptr_nonnull(bytes);
    fill_bytes(bytes, size, (unsigned)i);
    for (;;) {
        if (sifr_msg_init_data(m, bytes, size, give_back, NULL) == 0)
            break;
        if (trial.manner == FAMINE)
            free(bytes); /* still ours */
        again("sifr_msg_init_data", __LINE__);
    }
    atomic_fetch_add(&taken, 1);
}

static void check_frame(sifr_msg_t *m, const struct letter *l, int i)
{
    size_t size = l->frames[i].text ? strlen(l->frames[i].text) : l->frames[i].size;

    ck_assert_uint_eq(sifr_msg_size(m), size);
    if (l->frames[i].text)
        ck_assert_mem_eq(sifr_msg_data(m), l->frames[i].text, size);
    else
        ck_assert_uint_eq(good_bytes(sifr_msg_data(m), size, (unsigned)i), size);
}

enum sent { SENT, NO_ROOM, NOT_BEGUN, TAKEN_BACK };

/* Sends one frame; a failure leaves it with us as it was. */
static enum sent post_frame(sifr_socket_t *s, const struct letter *l, int i, bool first)
{
    int flags = SIFR_DONTWAIT | (i + 1 < l->n ? SIFR_SNDMORE : 0), n, error;
    sifr_msg_t m;

    if (i < 0) {
        n = sifr_send(s, l->id, strlen(l->id), flags);
        error = errno;
    } else {
        make_frame(&m, l, i);
        n = sifr_msg_send(&m, s, flags);
        error = errno;
        if (n < 0)
            check_frame(&m, l, i);
        else
            ck_assert_uint_eq(sifr_msg_size(&m), 0);
        ck_works(sifr_msg_close(&m));
    }
    if (n >= 0)
        return SENT;
    if (error == EAGAIN || error == EHOSTUNREACH)
        return NO_ROOM;
    errno = error;
    again("send", __LINE__);
    return first ? NOT_BEGUN : TAKEN_BACK;
}

/*
 * Sends a message. If a frame behind the first fails, the message is taken back as a whole, and what is still to come
 * of it is ignored.
 */
static enum sent post(sifr_socket_t *s, const struct letter *l)
{
    int first = l->id ? -1 : 0;
    enum sent result = SENT;

    for (int i = first; i < l->n; i++) {
        enum sent sent = post_frame(s, l, i, i == first);

        if (sent != SENT)
            result = sent;
        if (sent == NO_ROOM || sent == NOT_BEGUN)
            break;
    }
    return result;
}

static bool comes(sifr_socket_t *s, int ms)
{
    sifr_pollitem_t item = {.socket = s, .events = SIFR_POLLIN};
    int n;

    TRY(n = sifr_poll(&item, 1, ms));
    return n == 1;
}

/* Receives a frame, of which one is there: whether more follow. */
static bool fetch_frame(sifr_socket_t *s, sifr_msg_t *m)
{
    ck_works(sifr_msg_init(m));
    while (sifr_msg_recv(m, s, SIFR_DONTWAIT) < 0) {
        if (trial.manner == FAMINE)
            ck_works(sifr_msg_close(m));
        again("sifr_msg_recv", __LINE__);
    }
    return sifr_msg_more(m);
}

/* Receives a message and compares it. A ROUTER says whom it is from; `from` is to keep that, or NULL. */
static void fetch(sifr_socket_t *s, const struct letter *l, struct letter *from)
{
    static char id[256];
    sifr_msg_t m;
    bool more = true;

    if (get_int(s, SIFR_TYPE) == SIFR_ROUTER) {
        ck_assert(fetch_frame(s, &m));
        memcpy(id, sifr_msg_data(&m), sifr_msg_size(&m));
        id[sifr_msg_size(&m)] = 0;
        if (from)
            from->id = id;
        ck_works(sifr_msg_close(&m));
    }
    for (int i = 0; i < l->n; i++) {
        ck_assert_msg(more, "the message ends before its frame %d", i);
        more = fetch_frame(s, &m);
        check_frame(&m, l, i);
        ck_works(sifr_msg_close(&m));
    }
    ck_assert(!more);
}

/* Throws away what there is to receive. */
static void empty(sifr_socket_t *s)
{
    sifr_msg_t m;

    while (comes(s, 0)) {
        fetch_frame(s, &m);
        ck_works(sifr_msg_close(&m));
    }
}

/* Sends until it arrives: what a lost connection takes with it is sent again. */
static void pass_from(sifr_socket_t *from, sifr_socket_t *to, const struct letter *l, struct letter *sender)
{
    int64_t begin = now_ms();

    for (int ms = 2;; ms = ms < 200 ? 2 * ms : ms) { /* where all is slow, not more is sent than arrives */
        if (get_int(from, SIFR_TYPE) == SIFR_PAIR)
            empty(from); /* what came twice from a peer that was lost keeps the place from its successor */
        post(from, l);
        wait_since(begin, __LINE__);
        if (comes(to, ms))
            break;
    }
    fetch(to, l, sender);
}

static void pass(sifr_socket_t *from, sifr_socket_t *to, const struct letter *l)
{
    pass_from(from, to, l, NULL);
}

/* A request and its answer; `client` may ask anew (REQ_RELAXED, REQ_CORRELATE). */
static inline void converse(sifr_socket_t *client, sifr_socket_t *server, const struct letter *l)
{
    int64_t begin = now_ms();

    for (int ms = 2;; ms = ms < 1000 ? 2 * ms : ms) {
        wait_since(begin, __LINE__);
        post(client, l);
        if (!comes(server, ms))
            continue;
        do { /* all that were asked meanwhile */
            fetch(server, l, NULL);
            while (post(server, l) == NOT_BEGUN)
                ;
        } while (comes(server, 0));
        if (comes(client, ms))
            break;
    }
    fetch(client, l, NULL);
}

static const struct letter parts = {NULL, 3, {{"", 0}, {"a part that is too long to stand in the message itself", 0}, {"end", 0}}};

#endif
