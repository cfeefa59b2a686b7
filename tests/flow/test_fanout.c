/* One publisher, many subscribers: each gets exactly his own, whoever else is there. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "support.h"

/* Numbers in messages: where the reader's order can be seen. */
struct numbered {
    uint32_t n;
    char fill[28]; /* longer than what a handle holds */
};

static struct numbered make(uint32_t n)
{
    struct numbered m = {.n = n};

    fill_bytes(m.fill, sizeof m.fill, n);
    return m;
}

/* The second part of a message whose first is the topic. Its number. */
static uint32_t recv_number(sifr_socket_t *s)
{
    struct numbered m;

    ck_assert_int_eq(sifr_recv(s, &m, sizeof m, 0), sizeof m);
    ck_assert_uint_eq(good_bytes(m.fill, sizeof m.fill, m.n), sizeof m.fill);
    ck_assert_int_eq(get_int(s, SIFR_RCVMORE), 0);
    return m.n;
}

static void send_number(sifr_socket_t *s, const char *topic, uint32_t n)
{
    struct numbered m = make(n);

    send_text(s, topic, SIFR_SNDMORE);
    send_bytes(s, &m, sizeof m, 0);
}

/* Binds to tcp and inproc; where the i-th subscriber connects. */
struct place {
    struct endpoint ends[2];
};

static struct place bind_both(sifr_socket_t *pub)
{
    struct place p;

    p.ends[0] = bind_fresh(pub, TCP);
    p.ends[1] = bind_fresh(pub, INPROC);
    return p;
}

/* An XPUB that is told of every request, so that it knows when all have come. */
static sifr_socket_t *new_pub(void)
{
    sifr_socket_t *pub = new_socket(SIFR_XPUB);

    set_int(pub, SIFR_XPUB_VERBOSER, 1);
    return pub;
}

static void await_requests(sifr_socket_t *pub, int count)
{
    while (count-- > 0)
        ck_assert_int_ge(sifr_recv(pub, NULL, 0, 0), 1);
}

/* ---- Many ---- */

enum { MANY = 500, OVER_TCP = 180, SENT = 240, FILTERS = 5 };

static const char *const kinds[] = {"news", "news.sport", "ads", "inbox/"};

/* What the i-th subscribes to: one of five sets, and most an inbox of their own. */
static bool wants(int i, const char *topic)
{
    char inbox[16];

    snprintf(inbox, sizeof inbox, "inbox/%d.", i);
    if (i % 10 != 9 && strcmp(topic, inbox) == 0)
        return true;
    switch (i % FILTERS) {
    case 0: return strncmp(topic, "news", 4) == 0;
    case 1: return strncmp(topic, "news.sport", 10) == 0;
    case 2: return strncmp(topic, "ads", 3) == 0 || strncmp(topic, "news.sport", 10) == 0;
    case 3: return true;
    default: return false;
    }
}

static int subscribe_many(sifr_socket_t *s, int i)
{
    static const char *const sets[FILTERS][3] = {
        {"news"}, {"news.sport"}, {"ads", "news.sport"}, {""}, {NULL}};
    char inbox[16];
    int count = 0;

    for (; sets[i % FILTERS][count]; count++)
        set_text(s, SIFR_SUBSCRIBE, sets[i % FILTERS][count]);
    if (i % 10 == 9)
        return count;
    snprintf(inbox, sizeof inbox, "inbox/%d.", i);
    set_text(s, SIFR_SUBSCRIBE, inbox);
    return count + 1;
}

static void topic_of(char *topic, size_t room, int n)
{
    if (n % 4 == 3)
        snprintf(topic, room, "inbox/%d.", n * 7 % MANY);
    else
        snprintf(topic, room, "%s", kinds[n % 4]);
}

START_TEST(hundreds_get_exactly_what_they_asked_for)
{
    sifr_socket_t *pub = new_pub(), *subs[MANY];
    struct place at;
    int requests = 0;
    char topic[32], got[32];

    at = bind_both(pub);
    for (int i = 0; i < MANY; i++) {
        subs[i] = sifr_socket(world.ctx, SIFR_SUB);
        ck_assert_ptr_nonnull(subs[i]);
        set_int(subs[i], SIFR_RCVTIMEO, WAIT_MS);
        requests += subscribe_many(subs[i], i);
        connect_to(subs[i], &at.ends[i >= OVER_TCP]);
    }
    await_requests(pub, requests);
    for (int n = 0; n < SENT; n++) {
        topic_of(topic, sizeof topic, n);
        if (n % 50 == 49) {
            send_text(pub, topic, SIFR_SNDMORE);
            send_filled(pub, 20000, (unsigned)n, 0);
        } else {
            send_number(pub, topic, (uint32_t)n);
        }
    }
    for (int i = 0; i < MANY; i++) {
        for (int n = 0; n < SENT; n++) {
            int size;

            topic_of(topic, sizeof topic, n);
            if (!wants(i, topic))
                continue;
            size = sifr_recv(subs[i], got, sizeof got, 0);
            ck_assert_msg(size == (int)strlen(topic) && memcmp(got, topic, (size_t)size) == 0,
                          "subscriber %d, message %d: %.*s", i, n, size, got);
            if (n % 50 == 49)
                recv_filled(subs[i], 20000, (unsigned)n, false);
            else
                ck_assert_uint_eq(recv_number(subs[i]), (uint32_t)n);
        }
        recv_nothing(subs[i]);
        ck_works(sifr_close(subs[i]));
    }
}
END_TEST

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* They are served some at a time; the last of them ends it. */
START_TEST(when_all_have_all_the_publisher_rests)
{
    const struct timespec moment = {.tv_nsec = 300000000};
    sifr_socket_t *pub = new_pub(), *subs[OVER_TCP];
    struct endpoint at = bind_fresh(pub, TCP);
    double before;

    for (int i = 0; i < OVER_TCP; i++) {
        subs[i] = sifr_socket(world.ctx, SIFR_SUB);
        ck_assert_ptr_nonnull(subs[i]);
        set_int(subs[i], SIFR_RCVTIMEO, WAIT_MS);
        ck_works(sifr_setsockopt(subs[i], SIFR_SUBSCRIBE, "", 0));
        connect_to(subs[i], &at);
    }
    await_requests(pub, OVER_TCP);
    for (int n = 0; n < 3; n++) {
        send_text(pub, "news", 0);
        for (int i = 0; i < OVER_TCP; i++)
            recv_text(subs[i], "news", 0);
    }
    before = cpu_seconds();
    nanosleep(&moment, NULL);
    ck_assert_double_lt(cpu_seconds() - before, 0.15);
    for (int i = 0; i < OVER_TCP; i++)
        ck_works(sifr_close(subs[i]));
}
END_TEST

#ifdef TCP_NOTSENT_LOWAT
/* Connections of this process of which the system takes little that it cannot send yet. */
static int sparing(void)
{
    int found = 0;

    for (int fd = 0; fd < 1024; fd++) {
        int bytes = 0;
        socklen_t size = sizeof bytes;

        found += getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, &size) == 0 &&
                 bytes > 0 && bytes <= 1 << 20;
    }
    return found;
}

START_TEST(of_many_connections_the_system_takes_little_each)
{
    enum { FEW = 4, ALL = 20 };
    sifr_socket_t *pub = new_pub(), *subs[ALL];
    struct endpoint at = bind_fresh(pub, TCP);
    int before = sparing();

    for (int i = 0; i < ALL; i++) {
        subs[i] = new_socket(SIFR_SUB);
        set_text(subs[i], SIFR_SUBSCRIBE, "");
        connect_to(subs[i], &at);
        await_requests(pub, 1);
        send_text(pub, "news", 0);
        for (int k = 0; k <= i; k++)
            recv_text(subs[k], "news", 0);
        if (i < FEW)
            ck_assert_int_eq(sparing(), before);
    }
    eventually(sparing() == before + ALL); /* those of the publisher, which came first as well */
}
END_TEST
#endif

/* ---- Slow and fast ---- */

enum { FAST = 5, MARK = 100 };

START_TEST(a_slow_one_has_gaps_and_the_fast_ones_have_none)
{
    sifr_socket_t *pub = new_pub(), *slow = new_socket(SIFR_SUB), *fast[FAST];
    enum transport t = _i ? TCP : INPROC;
    char fill[2000];
    uint32_t sent = 0, last = 0;
    int gaps = 0, got = 0;
    struct endpoint e;

    memset(fill, 'f', sizeof fill);
    set_int(pub, SIFR_SNDHWM, MARK);
    set_int(slow, SIFR_RCVHWM, MARK);
    set_int(slow, SIFR_RCVBUF, 4096);
    set_int(pub, SIFR_SNDBUF, 4096);
    e = bind_fresh(pub, t);
    set_text(slow, SIFR_SUBSCRIBE, "");
    connect_to(slow, &e);
    for (int i = 0; i < FAST; i++) {
        fast[i] = new_socket(SIFR_SUB);
        set_int(fast[i], SIFR_RCVHWM, 0);
        set_text(fast[i], SIFR_SUBSCRIBE, "");
        connect_to(fast[i], &e);
    }
    await_requests(pub, 1 + FAST);
    for (int round = 0; round < 30; round++) {
        for (int n = 0; n < MARK / 2; n++) {
            sent++;
            send_bytes(pub, &sent, sizeof sent, SIFR_SNDMORE);
            send_bytes(pub, fill, sizeof fill, 0);
        }
        for (int i = 0; i < FAST; i++)
            for (uint32_t n = sent - MARK / 2 + 1; n <= sent; n++) {
                recv_bytes(fast[i], &n, sizeof n, true);
                recv_bytes(fast[i], fill, sizeof fill, false);
            }
        for (int n = 0; n < (round < 20 ? 10 : 200); n++) { /* slowly, and at last all */
            uint32_t now;

            if (sifr_recv(slow, &now, sizeof now, SIFR_DONTWAIT) < 0)
                break;
            recv_bytes(slow, fill, sizeof fill, false);
            ck_assert_uint_gt(now, last);
            gaps += now != last + 1;
            last = now;
            got++;
        }
    }
    while (readable_within(slow, 100)) {
        uint32_t now;

        ck_assert_int_eq(sifr_recv(slow, &now, sizeof now, 0), sizeof now);
        recv_bytes(slow, fill, sizeof fill, false);
        ck_assert_uint_gt(now, last);
        last = now;
        got++;
    }
    ck_assert_int_ge(got, 2 * MARK);
    if (t == INPROC) { /* a kernel may hold it all */
        ck_assert_int_gt(gaps, 0);
        ck_assert_int_lt(got, (int)sent);
    }
    /* Who has read all gets what comes. */
    get_int(pub, SIFR_EVENTS);
    sent++;
    send_bytes(pub, &sent, sizeof sent, SIFR_SNDMORE);
    send_bytes(pub, fill, sizeof fill, 0);
    recv_bytes(slow, &sent, sizeof sent, true);
    recv_bytes(slow, fill, sizeof fill, false);
}
END_TEST

START_TEST(at_the_mark_the_oldest_are_kept)
{
    enum { SUBS = 4 };
    sifr_socket_t *pub = new_pub(), *subs[SUBS];
    struct endpoint e;

    set_int(pub, SIFR_SNDHWM, MARK);
    e = bind_fresh(pub, INPROC);
    for (int i = 0; i < SUBS; i++) {
        subs[i] = new_socket(SIFR_SUB);
        set_int(subs[i], SIFR_RCVHWM, (i + 1) * MARK);
        set_text(subs[i], SIFR_SUBSCRIBE, "a");
        connect_to(subs[i], &e);
    }
    await_requests(pub, SUBS);
    for (uint32_t n = 0; n < 10 * MARK; n++) {
        send_number(pub, "a", n);
        send_number(pub, "b", n); /* does not count */
    }
    for (int i = 0; i < SUBS; i++) {
        for (uint32_t n = 0; n < (uint32_t)(i + 2) * MARK; n++) {
            recv_text(subs[i], "a", true);
            ck_assert_uint_eq(recv_number(subs[i]), n);
        }
        recv_nothing(subs[i]);
    }
    /* A higher mark is a new one for queues that are there, too. */
    for (uint32_t n = 0; n < 2 * MARK; n++)
        send_number(pub, "a", n);
    set_int(pub, SIFR_SNDHWM, 2 * MARK);
    send_number(pub, "a", 2 * MARK);
    for (int i = 0; i < SUBS; i++) {
        for (uint32_t n = 0; n <= 2 * MARK; n++) {
            recv_text(subs[i], "a", true);
            ck_assert_uint_eq(recv_number(subs[i]), n);
        }
        recv_nothing(subs[i]);
    }
}
END_TEST

/* ---- Streams ---- */

enum { STREAM = 6000, STREAM_SUBS = 12 };

static void *send_stream(void *arg)
{
    sifr_socket_t *pub = arg;

    for (uint32_t n = 0; n < STREAM; n++)
        send_number(pub, n % 3 ? "a" : "b", n);
    send_text(pub, "end", 0);
    return NULL;
}

START_TEST(nodrop_loses_nothing_whoever_is_slow)
{
    sifr_socket_t *pub = new_pub(), *subs[STREAM_SUBS];
    uint32_t next[STREAM_SUBS] = {0};
    struct place at;
    pthread_t t;
    int requests = 0, over = 0;

    set_int(pub, SIFR_XPUB_NODROP, 1);
    set_int(pub, SIFR_SNDHWM, MARK);
    at = bind_both(pub);
    for (int i = 0; i < STREAM_SUBS; i++) {
        subs[i] = new_socket(SIFR_SUB);
        set_int(subs[i], SIFR_RCVHWM, MARK);
        set_text(subs[i], SIFR_SUBSCRIBE, "end");
        set_text(subs[i], SIFR_SUBSCRIBE, i % 4 ? "a" : "b");
        requests += 2;
        connect_to(subs[i], &at.ends[i % 2]);
    }
    await_requests(pub, requests);
    t = start_thread(send_stream, pub);
    for (int i = 0; over < STREAM_SUBS; i = (i + 1) % STREAM_SUBS)
        for (int k = 0; k < 10 * (i + 1); k++) { /* some take more at a time than others */
            char topic[8];
            int size = next[i] > STREAM ? -1 : sifr_recv(subs[i], topic, sizeof topic, SIFR_DONTWAIT);

            if (size < 0)
                break;
            if (size == 3) {
                next[i] = STREAM + 1;
                over++;
                break;
            }
            while ((next[i] % 3 == 0) != (i % 4 == 0))
                next[i]++;
            ck_assert_int_eq(topic[0], next[i] % 3 ? 'a' : 'b');
            ck_assert_uint_eq(recv_number(subs[i]), next[i]);
            next[i]++;
        }
    pthread_join(t, NULL);
}
END_TEST

static struct stopping {
    sifr_socket_t *pub;
    _Atomic int stop;
} stopping;

/* Streams until told to stop, with topics that follow from the number. */
static void *stream_on(void *arg)
{
    struct stopping *s = arg;
    uint32_t n = 1;

    for (; !atomic_load(&s->stop); n++) {
        char topic[2] = {(char)('a' + n % 4), 0};

        send_number(s->pub, topic, n);
        if (n % 16 == 0)
            poll(NULL, 0, 1); /* or there is little but loss */
    }
    return NULL;
}

START_TEST(subscriptions_may_change_in_mid_stream)
{
    sifr_socket_t *subs[STREAM_SUBS];
    bool holds[STREAM_SUBS][4] = {{false}};
    uint32_t last[STREAM_SUBS] = {0};
    struct place at;
    int64_t end = now_ms() + 5 * WAIT_MS;
    uint32_t least = 0;
    pthread_t t;
    unsigned seed = 7;

    atomic_store(&stopping.stop, 0);
    stopping.pub = new_socket(SIFR_PUB);
    at = bind_both(stopping.pub);
    for (int i = 0; i < STREAM_SUBS; i++) {
        subs[i] = new_socket(SIFR_SUB);
        holds[i][0] = true;
        set_text(subs[i], SIFR_SUBSCRIBE, "a");
        connect_to(subs[i], &at.ends[i % 2]);
    }
    t = start_thread(stream_on, &stopping);
    while (least < 2000) {
        int i, k;
        char topic[2] = "a";

        ck_assert_int_lt(now_ms(), end);

        seed = seed * 1103515245 + 12345;
        i = (int)(seed >> 16) % STREAM_SUBS;
        k = 1 + (int)(seed >> 24) % 3;
        topic[0] = (char)('a' + k);
        holds[i][k] = !holds[i][k];
        set_text(subs[i], holds[i][k] ? SIFR_SUBSCRIBE : SIFR_UNSUBSCRIBE, topic);
        readable_within(subs[i], 1);
        least = UINT32_MAX;
        for (i = 0; i < STREAM_SUBS; i++)
            for (k = 0; k < 30 && sifr_recv(subs[i], topic, 1, SIFR_DONTWAIT) == 1; k++) {
                uint32_t n = recv_number(subs[i]);

                ck_assert_int_eq(topic[0], 'a' + (int)(n % 4));
                ck_assert(holds[i][n % 4]);
                ck_assert_uint_gt(n, last[i]);
                last[i] = n;
            }
        for (i = 0; i < STREAM_SUBS; i++)
            least = last[i] < least ? last[i] : least;
    }
    atomic_store(&stopping.stop, 1);
    pthread_join(t, NULL);
}
END_TEST

/* Subscribers come and go while the stream runs; those who stay miss nothing that they had room for. */
START_TEST(subscribers_may_come_and_go_in_mid_stream)
{
    struct place at;
    pthread_t t;
    uint32_t last = 0;
    sifr_socket_t *stays;

    atomic_store(&stopping.stop, 0);
    stopping.pub = new_socket(SIFR_PUB);
    at = bind_both(stopping.pub);
    stays = new_socket(SIFR_SUB);
    set_text(stays, SIFR_SUBSCRIBE, "");
    set_int(stays, SIFR_RCVHWM, 0);
    connect_to(stays, &at.ends[1]);
    t = start_thread(stream_on, &stopping);
    for (int round = 0; round < 10; round++) {
        sifr_socket_t *subs[6];
        char topic[2];

        for (int i = 0; i < 6; i++) {
            subs[i] = new_socket(SIFR_SUB);
            set_text(subs[i], SIFR_SUBSCRIBE, "");
            connect_to(subs[i], &at.ends[i % 2]);
        }
        for (int i = 0; i < 6; i++) {
            ck_assert_int_eq(sifr_recv(subs[i], topic, 1, 0), 1);
            recv_number(subs[i]);
        }
        for (int i = 0; i < 6; i++)
            drop(subs[i]);
        while (sifr_recv(stays, topic, 1, SIFR_DONTWAIT) == 1) {
            uint32_t n = recv_number(stays);

            if (last)
                ck_assert_uint_eq(n, last + 1);
            last = n;
        }
    }
    atomic_store(&stopping.stop, 1);
    pthread_join(t, NULL);
    ck_assert_uint_gt(last, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fan-out");
    TCase *c = new_case(s, "many");

    tcase_add_test(c, hundreds_get_exactly_what_they_asked_for);
    tcase_add_test(c, when_all_have_all_the_publisher_rests);
#ifdef TCP_NOTSENT_LOWAT
    tcase_add_test(c, of_many_connections_the_system_takes_little_each);
#endif
    c = new_case(s, "marks");
    tcase_add_loop_test(c, a_slow_one_has_gaps_and_the_fast_ones_have_none, 0, 2);
    tcase_add_test(c, at_the_mark_the_oldest_are_kept);
    c = new_case(s, "streams");
    tcase_add_test(c, nodrop_loses_nothing_whoever_is_slow);
    tcase_add_test(c, subscriptions_may_change_in_mid_stream);
    tcase_add_test(c, subscribers_may_come_and_go_in_mid_stream);
    return run_suite(s);
}
