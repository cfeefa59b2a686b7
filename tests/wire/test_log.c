/* Logs: many pipes show messages that are there once. */
#include <errno.h>
#include <pthread.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/list.h"
#include "wire/log.h"
#include "quick_check.h"

enum { PIPES = 3, LIMIT = 1 << 20 };

/* A log, pipes that may show it, and a sleeper. */
static struct world {
    struct sf_log *log;
    struct sf_pipe *pipes[PIPES];
    struct sf_sleeper sleeper;
    int woken, freed;
} w;

static void wake(struct sf_sleeper *s)
{
    w.woken++;
    sf_sleeper_unref(s);
}

static void note_free(struct sf_sleeper *s)
{
    (void)s;
    w.freed++;
}

static void begin(void)
{
    memset(&w, 0, sizeof w);
    w.sleeper.wake = wake;
    w.sleeper.free = note_free;
    atomic_init(&w.sleeper.refs, 1);
    ck_assert_int_eq(sf_log_new(&w.log), 0);
    for (int i = 0; i < PIPES; i++)
        ck_assert_int_eq(sf_pipe_new(&w.pipes[i], false), 0);
}

/* Everything must be free afterwards, the sleeper too. */
static void end(void)
{
    for (int i = 0; i < PIPES; i++) {
        sf_log_close(w.pipes[i]);
        sf_pipe_unref(w.pipes[i]);
    }
    sf_log_unref(w.log);
    ck_assert_int_eq(w.freed, 0);
    sf_sleeper_unref(&w.sleeper);
    ck_assert_int_eq(w.freed, 1);
}

static void open_at(int i)
{
    ck_assert_int_eq(sf_log_open(w.log, w.pipes[i], &w.sleeper, 1), 0);
}

static void put(const char *text, bool more)
{
    struct sf_msg m;

    ck_assert_int_eq(sf_msg_init_copy(&m, text, strlen(text)), 0);
    ck_assert_int_eq(sf_log_put(w.log, &m, more), 0);
    sf_msg_close(&m);
}

static void put_own(int i, const char *text, bool more)
{
    struct sf_msg m;

    ck_assert_int_eq(sf_msg_init_copy(&m, text, strlen(text)), 0);
    ck_assert_int_eq(sf_pipe_put(w.pipes[i], &m, more ? SF_MSG_MORE : 0), 0);
    sf_msg_close(&m);
}

/* The next message of a pipe, its frames separated by '|', or "nothing". */
static const char *next(int i)
{
    static char text[256];
    struct sf_msg m;
    size_t n = 0;
    bool credit, more = true;

    if (sf_pipe_get(w.pipes[i], &m, &credit) != 0)
        return "nothing";
    for (;;) {
        ck_assert_uint_lt(n + sf_msg_size(&m) + 1, sizeof text);
        memcpy(text + n, sf_msg_data(&m), sf_msg_size(&m));
        n += sf_msg_size(&m);
        more = sf_msg_more(&m);
        sf_msg_close(&m);
        if (!more)
            break;
        text[n++] = '|';
        ck_assert_int_eq(sf_pipe_get(w.pipes[i], &m, &credit), 0);
    }
    text[n] = 0;
    return text;
}

static void ck_next(int i, const char *text)
{
    ck_assert_str_eq(next(i), text);
}

START_TEST(each_window_shows_what_came_while_it_was_open)
{
    begin();
    open_at(0);
    put("a", false);
    open_at(1);
    put("b", false);
    sf_log_close(w.pipes[0]);
    put("c", false);
    open_at(0);
    open_at(2);
    put("d", false);
    ck_next(0, "a"), ck_next(0, "b"), ck_next(0, "d"), ck_next(0, "nothing");
    ck_next(1, "b"), ck_next(1, "c"), ck_next(1, "d"), ck_next(1, "nothing");
    ck_next(2, "d"), ck_next(2, "nothing");
    put("e", false);
    for (int i = 0; i < PIPES; i++)
        ck_next(i, "e");
    end();
}
END_TEST

START_TEST(what_is_a_pipes_own_stands_where_it_was_put)
{
    begin();
    put_own(0, "first", false);
    open_at(0);
    put("a", false);
    sf_log_close(w.pipes[0]);
    put_own(0, "own", true);
    put_own(0, "more", false);
    put("not his", false);
    open_at(0);
    sf_log_close(w.pipes[0]); /* an empty one */
    open_at(0);
    put("b", false);
    ck_next(0, "first"), ck_next(0, "a"), ck_next(0, "own|more"), ck_next(0, "b");
    ck_next(0, "nothing");
    end();
}
END_TEST

START_TEST(nothing_of_a_message_is_seen_before_its_end)
{
    begin();
    open_at(0), open_at(1);
    put("a", true);
    ck_next(0, "nothing");
    sf_log_close(w.pipes[1]); /* it is not for this one */
    put("b", true);
    ck_assert(!sf_pipe_ready(w.pipes[0]));
    put("c", false);
    ck_next(0, "a|b|c");
    ck_next(1, "nothing");
    end();
}
END_TEST

START_TEST(who_parts_in_a_message_gets_the_rest_for_itself)
{
    char *big = malloc(20000);

    begin();
    memset(big, 'x', 19999);
    big[19999] = 0;
    open_at(0), open_at(1);
    put("before", false);
    put("a", true);
    for (int n = 0; n < 5; n++)
        put(n == 2 ? big : "b", true); /* over several chunks, and by reference */
    for (int n = 0; n < 5000; n++)
        put("cccccccccccccccc", true);
    ck_assert_int_eq(sf_log_part(w.pipes[1]), 1);
    ck_assert_int_eq(sf_log_part(w.pipes[1]), 0);
    put("end", false);
    put_own(1, "other end", false);
    for (int i = 0; i < 2; i++) {
        bool credit;
        struct sf_msg m;

        ck_next(i, "before");
        for (int n = 0; n < 1 + 5 + 5000; n++) {
            const char *want = n == 0 ? "a" : n == 3 ? big : n < 6 ? "b" : "cccccccccccccccc";

            ck_assert_int_eq(sf_pipe_get(w.pipes[i], &m, &credit), 0);
            ck_assert(sf_msg_more(&m));
            ck_assert_uint_eq(sf_msg_size(&m), strlen(want));
            ck_assert_int_eq(memcmp(sf_msg_data(&m), want, strlen(want)), 0);
            sf_msg_close(&m);
        }
        ck_next(i, i ? "other end" : "end");
        ck_next(i, "nothing");
    }
    ck_assert_int_eq(sf_log_part(w.pipes[0]), 0); /* no message is under way */
    end();
    free(big);
}
END_TEST

/* All that can be gathered, as if a stream took at most `step` bytes at a time. */
static size_t stream(int i, uint8_t *to, size_t step)
{
    size_t n = 0;

    for (;;) {
        struct iovec v[4];
        size_t bytes;
        int used = sf_pipe_gather(w.pipes[i], v, 4, step, &bytes);

        if (!used)
            return n;
        ck_assert_uint_le(bytes, step);
        for (int k = 0; k < used; k++) {
            ck_assert_uint_lt(n + v[k].iov_len, LIMIT);
            memcpy(to + n, v[k].iov_base, v[k].iov_len);
            n += v[k].iov_len;
        }
        sf_pipe_sent(w.pipes[i], bytes);
    }
}

static const size_t steps[] = {1, 2, 3, 64, 1000, 40000};

START_TEST(a_stream_gets_the_same_bytes_from_windows_as_from_a_pipe)
{
    static uint8_t want[LIMIT], got[LIMIT];
    size_t n;
    char big[10000];

    begin();
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = 0;
    for (int turn = 0; turn < 30; turn++) {
        const char *text = turn % 7 == 3 ? big : turn % 5 ? "some text" : "";

        if (turn % 3 == 0)
            open_at(0);
        put(text, true);
        put("end", false);
        put_own(1, text, true);
        put_own(1, "end", false);
        if (turn % 3 == 1)
            sf_log_close(w.pipes[0]);
        if (turn % 3 == 2) {
            put_own(0, text, true);
            put_own(0, "end", false);
        }
    }
    n = stream(1, want, 100000);
    ck_assert_uint_eq(stream(0, got, steps[_i]), n);
    ck_assert_int_eq(memcmp(got, want, n), 0);
    ck_assert(sf_pipe_drained(w.pipes[0]));
    end();
}
END_TEST

START_TEST(a_lost_stream_begins_again_with_the_message_it_broke)
{
    static uint8_t got[LIMIT];
    struct iovec v[4];
    size_t bytes;

    begin();
    open_at(0);
    put("aaaa", false);
    put("bbbb", true);
    put("cccc", false);
    sf_log_close(w.pipes[0]);
    put("gap", false);
    open_at(0);
    put("dddd", false);
    ck_assert_int_gt(sf_pipe_gather(w.pipes[0], v, 4, LIMIT, &bytes), 0);
    sf_pipe_sent(w.pipes[0], 6 + 6 + 3); /* within the second frame of the second message */
    ck_assert(!sf_pipe_at_message(w.pipes[0]));
    ck_assert_uint_eq(sf_pipe_rest(w.pipes[0]), 3);
    sf_pipe_rewind(w.pipes[0]);
    ck_assert_uint_eq(stream(0, got, LIMIT), 18);
    ck_assert_int_eq(memcmp(got, "\1\4bbbb\0\4cccc\0\4dddd", 18), 0);
    end();
}
END_TEST

START_TEST(a_framing_step_gets_the_frames_of_windows_too)
{
    static const char *const want[] = {"a", "b", "own", "c", ""};
    const uint8_t *data;
    uint64_t size;
    uint8_t flags;
    bool credit;

    begin();
    open_at(0);
    put("a", false);
    put("b", true);
    sf_log_close(w.pipes[0]);
    put("", false);
    put_own(0, "b", false);
    put_own(0, "own", false);
    open_at(0);
    put("c", true);
    put("", false);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(sf_pipe_next_frame(w.pipes[0], &flags, &data, &size), 0);
        ck_assert_uint_eq(size, strlen(want[i]));
        ck_assert(size == 0 || memcmp(data, want[i], size) == 0);
        ck_assert_int_eq(flags & 1, i == 3);
    }
    ck_assert_int_eq(sf_pipe_next_frame(w.pipes[0], &flags, &data, &size), -EAGAIN);
    sf_pipe_sent_messages(w.pipes[0], 3);
    ck_assert(!sf_pipe_drained(w.pipes[0]));
    sf_pipe_rewind(w.pipes[0]); /* the last is lost with its stream */
    ck_assert_int_eq(sf_pipe_next_frame(w.pipes[0], &flags, &data, &size), 0);
    ck_assert(size == 1 && *data == 'c');
    ck_assert_int_eq(sf_pipe_next_frame(w.pipes[0], &flags, &data, &size), 0);
    sf_pipe_sent_messages(w.pipes[0], 1);
    ck_assert(sf_pipe_drained(w.pipes[0]));
    ck_assert(sf_pipe_sleep(w.pipes[0], &credit));
    end();
}
END_TEST

START_TEST(messages_shown_count_for_the_mark)
{
    bool credit;

    begin();
    sf_pipe_set_mark(w.pipes[0], 0, 10);
    sf_pipe_set_mark(w.pipes[0], 1, -1);
    put_own(0, "own", false);
    put("before", false);
    open_at(0);
    ck_assert_uint_eq(sf_pipe_full_at(w.pipes[0]), 10);
    for (int n = 0; n < 9; n++) {
        ck_assert(sf_pipe_has_room(w.pipes[0]));
        put("x", false);
    }
    ck_assert(!sf_pipe_has_room(w.pipes[0]));
    sf_log_close(w.pipes[0]);
    ck_assert(!sf_pipe_has_room(w.pipes[0]));
    ck_assert_uint_eq(sf_pipe_depth(w.pipes[0]), 10);
    for (int n = 0; n < 5; n++) {
        struct sf_msg m;

        ck_assert_int_eq(sf_pipe_get(w.pipes[0], &m, &credit), 0);
        ck_assert_int_eq(credit, n == 4); /* told when half is taken */
        sf_msg_close(&m);
    }
    ck_assert(sf_pipe_has_room(w.pipes[0]));
    ck_assert_uint_eq(sf_pipe_full_at(w.pipes[0]), 15);
    end();
}
END_TEST

static int released;

static void release(void *data, void *hint)
{
    (void)data, (void)hint;
    released++;
}

static void put_counted(void)
{
    static char bytes[SF_PIPE_INLINE + 1];
    struct sf_msg m;

    ck_assert_int_eq(sf_msg_init_data(&m, bytes, sizeof bytes, release, NULL), 0);
    ck_assert_int_eq(sf_log_put(w.log, &m, false), 0);
    sf_msg_close(&m);
}

START_TEST(large_bytes_are_freed_when_all_who_show_them_have_had_them)
{
    struct sf_msg m;
    bool credit;

    begin();
    released = 0;
    put_counted(); /* to nobody */
    ck_assert_int_eq(released, 1);
    open_at(0), open_at(1), open_at(2);
    put_counted();
    sf_log_close(w.pipes[2]);
    for (int i = 0; i < PIPES; i++) {
        ck_assert_int_eq(released, 1);
        ck_assert_int_eq(sf_pipe_get(w.pipes[i], &m, &credit), 0);
        sf_msg_close(&m);
    }
    ck_assert_int_eq(sf_pipe_get(w.pipes[2], &m, &credit), -EAGAIN);
    sf_pipe_sleep(w.pipes[2], &credit);
    sf_log_close(w.pipes[0]);
    ck_assert_int_eq(released, 2);
    end();
}
END_TEST

/* A window that closes between chunks keeps the one that begins there, too. */
START_TEST(only_what_windows_show_is_kept)
{
    struct sf_msg m;
    bool credit;

    begin();
    released = 0;
    open_at(0), open_at(1);
    put_counted();
    sf_log_close(w.pipes[0]); /* it never reads, and keeps one message */
    for (int n = 0; n < 100; n++) {
        put_counted();
        if (n % 10 == 0)
            while (sf_pipe_get(w.pipes[1], &m, &credit) == 0)
                sf_msg_close(&m);
    }
    while (sf_pipe_get(w.pipes[1], &m, &credit) == 0)
        sf_msg_close(&m);
    ck_assert_int_eq(released, 99);
    sf_pipe_unref(w.pipes[0]); /* unread */
    ck_assert_int_eq(released, 101);
    ck_assert_int_eq(sf_pipe_new(&w.pipes[0], false), 0);
    end();
}
END_TEST

START_TEST(who_has_come_to_the_end_of_a_window_keeps_nothing)
{
    struct sf_msg m;
    bool credit;

    begin();
    released = 0;
    open_at(0);
    put_counted();
    ck_assert_int_eq(sf_pipe_get(w.pipes[0], &m, &credit), 0);
    sf_msg_close(&m);
    sf_log_close(w.pipes[0]);
    ck_assert(sf_pipe_sleep(w.pipes[0], &credit));
    open_at(1);
    put_counted();
    sf_log_close(w.pipes[1]);
    ck_assert_int_eq(sf_pipe_get(w.pipes[1], &m, &credit), 0);
    sf_msg_close(&m);
    ck_assert(sf_pipe_sleep(w.pipes[1], &credit));
    ck_assert_int_eq(released, 2);
    put_own(0, "own", false);
    open_at(0);
    put("a", false);
    ck_next(0, "own"), ck_next(0, "a"), ck_next(0, "nothing");
    end();
}
END_TEST

START_TEST(without_memory_a_message_is_not_there_at_all)
{
    struct sf_msg m;

    begin();
    open_at(0), open_at(1);
    put("a", false);
    ck_assert_int_eq(sf_msg_init_size(&m, 8000), 0);
    memset(sf_msg_data(&m), 'z', 8000);
    ck_assert_int_eq(sf_log_put(w.log, &m, true), 0);
    sf_alloc_fail(1, 1);
    for (int n = 0, err = 0; err == 0; n++) {
        ck_assert_int_lt(n, 100);
        err = sf_log_put(w.log, &m, true);
        ck_assert(err == 0 || err == -ENOMEM);
    }
    ck_assert_int_eq(sf_log_open(w.log, w.pipes[2], &w.sleeper, 1), -ENOMEM);
    sf_alloc_fail(0, 0);
    sf_msg_close(&m);
    put("b", false);
    for (int i = 0; i < 2; i++)
        ck_next(i, "a"), ck_next(i, "b"), ck_next(i, "nothing");
    ck_next(2, "nothing");
    end();
}
END_TEST

/* So its loop lists it as a sleeper of the log, though it looks only after the window's end. */
START_TEST(who_slept_before_the_end_of_its_window_is_the_logs_to_wake)
{
    bool credit;

    begin();
    open_at(0);
    put("a", false);
    ck_next(0, "a");
    ck_assert(sf_pipe_sleep(w.pipes[0], &credit));
    put("b", false);
    sf_log_close(w.pipes[0]);
    ck_assert_ptr_eq(sf_pipe_sleeper(w.pipes[0]), &w.sleeper);
    sf_log_wake(w.log);
    ck_assert_int_eq(w.woken, 1);
    ck_next(0, "b");
    ck_assert(sf_pipe_sleep(w.pipes[0], &credit));
    ck_assert_ptr_null(sf_pipe_sleeper(w.pipes[0]));
    end();
}
END_TEST

START_TEST(who_sleeps_in_a_window_is_woken_once)
{
    bool credit;

    begin();
    open_at(0), open_at(1);
    put("a", false);
    sf_log_wake(w.log);
    ck_assert_int_eq(w.woken, 0);
    ck_assert(!sf_pipe_sleep(w.pipes[0], &credit));
    for (int i = 0; i < 2; i++) {
        ck_next(i, "a");
        ck_assert(sf_pipe_sleep(w.pipes[i], &credit));
        ck_assert_ptr_eq(sf_pipe_sleeper(w.pipes[i]), &w.sleeper);
    }
    put("b", false);
    sf_log_wake(w.log);
    put("c", false);
    sf_log_wake(w.log);
    ck_assert_int_eq(w.woken, 1); /* both read then */
    sf_log_close(w.pipes[0]);
    ck_next(0, "b"), ck_next(0, "c");
    ck_assert(sf_pipe_sleep(w.pipes[0], &credit));
    ck_assert_ptr_null(sf_pipe_sleeper(w.pipes[0]));
    put_own(0, "own", false);
    ck_assert(sf_pipe_must_wake(w.pipes[0])); /* its own writer wakes it */
    end();
}
END_TEST

/* ---- Threads ---- */

enum { READERS = 4, ROUNDS = 60000 };

struct reader;

struct bell {
    struct sf_sleeper sleeper;
    struct reader *reader;
};

struct reader {
    struct sf_pipe *pipe;
    struct bell bells[2]; /* a sleeper is of one log */
    pthread_t thread;
    pthread_mutex_t lock; /* guards rung */
    pthread_cond_t bell;
    bool rung;
    bool streams; /* gathers bytes; else gets messages */
    _Atomic int given; /* messages it is to get */
    _Atomic bool over; /* `given` is final */
    int got;
    uint32_t last;
    uint8_t held[32];
    size_t n_held;
};

static void ring(struct sf_sleeper *s)
{
    struct reader *r = SF_CONTAINER(s, struct bell, sleeper)->reader;

    pthread_mutex_lock(&r->lock);
    r->rung = true;
    pthread_cond_signal(&r->bell);
    pthread_mutex_unlock(&r->lock);
    sf_sleeper_unref(s);
}

static void leave_alone(struct sf_sleeper *s)
{
    (void)s;
}

/* Messages are their ascending number in 4 bytes and again in 4. */
static void check_number(struct reader *r, const uint8_t *bytes)
{
    uint32_t a, b;

    memcpy(&a, bytes, sizeof a);
    memcpy(&b, bytes + 4, sizeof b);
    ck_assert_uint_eq(a, b);
    ck_assert_uint_gt(a, r->last);
    r->last = a;
    r->got++;
}

static bool take_some(struct reader *r)
{
    struct sf_msg m;
    struct iovec v[3];
    size_t bytes;
    bool credit;
    int n;

    if (!r->streams) {
        if (sf_pipe_get(r->pipe, &m, &credit) != 0)
            return false;
        ck_assert_uint_eq(sf_msg_size(&m), 8);
        check_number(r, sf_msg_data(&m));
        sf_msg_close(&m);
        return true;
    }
    n = sf_pipe_gather(r->pipe, v, 3, 777, &bytes);
    for (int i = 0; i < n; i++)
        for (size_t at = 0; at < v[i].iov_len; at++) {
            r->held[r->n_held++] = ((uint8_t *)v[i].iov_base)[at];
            if (r->n_held == 10) {
                ck_assert_int_eq(memcmp(r->held, "\0\10", 2), 0);
                check_number(r, r->held + 2);
                r->n_held = 0;
            }
        }
    sf_pipe_sent(r->pipe, bytes);
    return n > 0;
}

static void *read_all(void *arg)
{
    struct reader *r = arg;

    for (;;) {
        struct timespec t;
        bool credit;

        while (take_some(r))
            ;
        if (atomic_load(&r->over) && r->got == atomic_load(&r->given))
            return NULL;
        if (!sf_pipe_sleep(r->pipe, &credit))
            continue;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec += 30;
        pthread_mutex_lock(&r->lock);
        while (!r->rung)
            ck_assert_int_eq(pthread_cond_timedwait(&r->bell, &r->lock, &t), 0);
        r->rung = false;
        pthread_mutex_unlock(&r->lock);
    }
}

static void put_number(struct sf_log *log, struct sf_pipe *p, uint32_t n)
{
    uint32_t twice[2] = {n, n};
    struct sf_msg m;

    ck_assert_int_eq(sf_msg_init_copy(&m, twice, sizeof twice), 0);
    ck_assert_int_eq(log ? sf_log_put(log, &m, false) : sf_pipe_put(p, &m, 0), 0);
    sf_msg_close(&m);
}

/* After something that its log's writer does not tell of. */
static void wake_own(struct reader *r)
{
    if (sf_pipe_must_wake(r->pipe))
        ring(sf_sleeper_ref(&r->bells[0].sleeper));
}

START_TEST(readers_follow_a_writer_who_opens_and_closes_as_he_likes)
{
    static struct reader readers[READERS];
    unsigned seed = 1;
    struct sf_log *logs[2];

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(sf_log_new(&logs[i]), 0);
    for (int i = 0; i < READERS; i++) {
        struct reader *r = &readers[i];

        memset(r, 0, sizeof *r);
        for (int k = 0; k < 2; k++) {
            r->bells[k].reader = r;
            r->bells[k].sleeper.wake = ring;
            r->bells[k].sleeper.free = leave_alone;
            atomic_init(&r->bells[k].sleeper.refs, 1);
        }
        r->streams = i % 2;
        pthread_mutex_init(&r->lock, NULL);
        pthread_cond_init(&r->bell, NULL);
        ck_assert_int_eq(sf_pipe_new(&r->pipe, false), 0);
        ck_assert_int_eq(pthread_create(&r->thread, NULL, read_all, r), 0);
    }
    for (uint32_t n = 1; n <= ROUNDS; n++) {
        struct reader *r;
        int which = n / 1000 % 2;
        struct sf_log *log = logs[which];
        bool fresh = false;

        if (n % 1000 == 0)
            for (int i = 0; i < READERS; i++) {
                sf_log_close(readers[i].pipe);
                wake_own(&readers[i]);
            }
        seed = seed * 1103515245 + 12345;
        r = &readers[seed >> 16 & (READERS - 1)];
        if ((seed >> 20 & 15) == 0) {
            sf_log_close(r->pipe);
            put_number(NULL, r->pipe, n);
            atomic_fetch_add(&r->given, 1);
            wake_own(r);
            continue;
        }
        if ((seed >> 20 & 15) == 1)
            sf_log_close(r->pipe);
        else if ((seed >> 20 & 7) == 2 && !r->pipe->window)
            fresh = sf_log_open(log, r->pipe, &r->bells[which].sleeper, 8) == 0;
        for (int i = 0; i < READERS; i++)
            if (readers[i].pipe->window)
                atomic_fetch_add(&readers[i].given, 1);
        put_number(log, NULL, n);
        sf_log_wake(log);
        if (fresh)
            wake_own(r);
    }
    for (int i = 0; i < READERS; i++) {
        struct reader *r = &readers[i];

        sf_log_close(r->pipe);
        put_number(NULL, r->pipe, ROUNDS + 1);
        atomic_fetch_add(&r->given, 1);
        atomic_store(&r->over, true);
        ring(sf_sleeper_ref(&r->bells[0].sleeper));
        pthread_join(r->thread, NULL);
        ck_assert_int_eq(r->got, atomic_load(&r->given));
        sf_pipe_unref(r->pipe);
    }
    for (int i = 0; i < 2; i++)
        sf_log_unref(logs[i]);
    for (int i = 0; i < 2 * READERS; i++)
        ck_assert_uint_eq(atomic_load(&readers[i / 2].bells[i % 2].sleeper.refs), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *c = tcase_create("log");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(c, 100);
    tcase_add_test(c, each_window_shows_what_came_while_it_was_open);
    tcase_add_test(c, what_is_a_pipes_own_stands_where_it_was_put);
    tcase_add_test(c, nothing_of_a_message_is_seen_before_its_end);
    tcase_add_test(c, who_parts_in_a_message_gets_the_rest_for_itself);
    tcase_add_loop_test(c, a_stream_gets_the_same_bytes_from_windows_as_from_a_pipe, 0,
                        (int)(sizeof steps / sizeof *steps));
    tcase_add_test(c, a_lost_stream_begins_again_with_the_message_it_broke);
    tcase_add_test(c, a_framing_step_gets_the_frames_of_windows_too);
    tcase_add_test(c, messages_shown_count_for_the_mark);
    tcase_add_test(c, large_bytes_are_freed_when_all_who_show_them_have_had_them);
    tcase_add_test(c, only_what_windows_show_is_kept);
    tcase_add_test(c, who_has_come_to_the_end_of_a_window_keeps_nothing);
    tcase_add_test(c, without_memory_a_message_is_not_there_at_all);
    tcase_add_test(c, who_slept_before_the_end_of_its_window_is_the_logs_to_wake);
    tcase_add_test(c, who_sleeps_in_a_window_is_woken_once);
    tcase_add_test(c, readers_follow_a_writer_who_opens_and_closes_as_he_likes);
    suite_add_tcase(suite, c);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
