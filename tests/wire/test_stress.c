/*
 * Pipes between threads. Whoever finds nothing to do sleeps on a bell without a time limit, by the
 * pipe's own handshakes, so that a lost wake-up makes the test run out of time.
 */
#include "pipes.h"

#include "base/park.h"

#include <sched.h>

enum { MESSAGES = 8000, LARGE_MESSAGES = 1500 };

/* Both sides draw the same sizes and flags from this. */
struct draw {
    unsigned dice;
    bool large; /* also sizes that become segments or span chunks */
};

static size_t draw_size(struct draw *d)
{
    unsigned kind = (unsigned)rand_r(&d->dice) % 64;

    if (d->large && kind == 0)
        return (size_t)rand_r(&d->dice) % 40001;
    if (d->large && kind < 4)
        return SF_PIPE_INLINE + 1;
    return (size_t)rand_r(&d->dice) % (kind < 16 ? 400 : 40);
}

static int draw_frames(struct draw *d)
{
    return rand_r(&d->dice) % 8 ? 1 : 1 + rand_r(&d->dice) % 5;
}

struct side {
    struct sf_pipe *pipe;
    struct sf_bell data, room;
    struct draw draw;
    unsigned messages;
    bool rolls_back; /* now and then, to write the same again */
    bool raw;        /* writes bytes as a stream brings them */
    _Atomic int over;
};

/* One look a round: if the pipe says no, the reader must tell of whatever it takes from then on. */
static void wait_for_room(struct side *s)
{
    bool room = false;

    while (!room) {
        uint32_t ticket = sf_bell_enter(&s->room);

        room = sf_pipe_has_room(s->pipe);
        if (!room)
            sf_bell_wait(&s->room, ticket, -1);
        sf_bell_leave(&s->room);
    }
}

static void put_raw(struct sf_pipe *p, size_t size, unsigned seed, unsigned flags)
{
    static uint8_t bytes[50000];
    size_t n = add_wire(bytes, 0, size, seed, flags), cut = seed % (n + 1);

    arrive(p, bytes, cut);
    ck_works(hop_frames(p, SF_PIPE_INLINE));
    arrive(p, bytes + cut, n - cut);
    ck_works(hop_frames(p, SF_PIPE_INLINE));
}

static void *write_all(void *arg)
{
    struct side *s = arg;
    struct draw draw = s->draw;
    unsigned extra = 77;

    for (unsigned i = 0; i < s->messages; i++) {
        int frames = draw_frames(&draw);

        wait_for_room(s);
        while (s->rolls_back && rand_r(&extra) % 4 == 0) {
            for (int n = rand_r(&extra) % 4; n >= 0; n--)
                put_filled(s->pipe, (size_t)rand_r(&extra) % 12000, 200, SF_FRAME_MORE);
            sf_pipe_rollback(s->pipe);
        }
        for (int n = 1; n <= frames; n++) {
            size_t size = draw_size(&draw);
            unsigned flags = n < frames ? SF_FRAME_MORE : 0;

            if (s->raw)
                put_raw(s->pipe, size, i, flags);
            else
                put_filled(s->pipe, size, i, flags);
        }
        if (s->raw && i % 8 == 0) /* to be passed over */
            put_raw(s->pipe, 20, 0, SF_FRAME_COMMAND);
        if (s->raw && (i % 3 == 0 || i == s->messages - 1))
            sf_pipe_publish(s->pipe);
        if (sf_pipe_must_wake(s->pipe))
            sf_bell_ring(&s->data);
        if (s->raw && !sf_pipe_has_room(s->pipe)) { /* shown before it waits */
            sf_pipe_publish(s->pipe);
            if (sf_pipe_must_wake(s->pipe))
                sf_bell_ring(&s->data);
        }
    }
    return NULL;
}

static void tell(struct side *s, bool credit)
{
    if (credit)
        sf_bell_ring(&s->room);
}

/* Returns when there may be something to read. */
static void wait_for_data(struct side *s)
{
    uint32_t ticket = sf_bell_enter(&s->data);
    bool credit, asleep = sf_pipe_sleep(s->pipe, &credit);

    tell(s, credit);
    if (asleep)
        sf_bell_wait(&s->data, ticket, -1);
    sf_bell_leave(&s->data);
}

static void read_all(struct side *s)
{
    struct draw draw = s->draw;

    for (unsigned i = 0; i < s->messages; i++) {
        int frames = draw_frames(&draw);

        for (int n = 1; n <= frames; n++) {
            size_t size = draw_size(&draw);

            while (n == 1 && !sf_pipe_ready(s->pipe))
                wait_for_data(s);
            tell(s, get_filled(s->pipe, size, i, n < frames ? SF_FRAME_MORE : 0));
        }
    }
}

/* Takes bytes as a stream does, in odd amounts, and compares them to what is to come. */
static void drain_all(struct side *s)
{
    static uint8_t expected[6 * 41000];
    struct draw draw = s->draw;
    size_t at = 0, end = 0; /* in expected: of one message */
    unsigned i = 0, amounts = 5;

    while (i < s->messages || at < end) {
        struct iovec iov[8];
        size_t bytes, n = 0;
        int count = sf_pipe_gather(s->pipe, iov, 8, 1 + (size_t)rand_r(&amounts) % 60000, &bytes);

        if (count == 0) {
            wait_for_data(s);
            continue;
        }
        if (rand_r(&amounts) % 3 == 0)
            bytes = 1 + (size_t)rand_r(&amounts) % bytes;
        for (int k = 0; k < count && n < bytes; k++) {
            const uint8_t *part = iov[k].iov_base;
            size_t left = iov[k].iov_len;

            if (left > bytes - n)
                left = bytes - n;
            n += left;
            while (left) {
                size_t same;

                if (at == end) { /* the next message */
                    int frames = draw_frames(&draw);

                    at = end = 0;
                    ck_assert_uint_lt(i, s->messages);
                    for (int f = 1; f <= frames; f++)
                        end = add_wire(expected, end, draw_size(&draw), i,
                                       f < frames ? SF_FRAME_MORE : 0);
                    i++;
                }
                same = left < end - at ? left : end - at;
                ck_assert_mem_eq(part, expected + at, same);
                part += same;
                at += same;
                left -= same;
            }
        }
        tell(s, sf_pipe_sent(s->pipe, bytes));
        if (rand_r(&amounts) % 256 == 0) { /* connection lost: again from the message's start */
            sf_pipe_rewind(s->pipe);
            at = at == end ? at : 0;
        }
    }
    ck_assert(sf_pipe_at_message(s->pipe));
}

/* As a framing step: frame by frame, each message accepted as a whole. */
static void frame_all(struct side *s)
{
    struct draw draw = s->draw;

    for (unsigned i = 0; i < s->messages; i++) {
        int frames = draw_frames(&draw);

        for (int n = 1; n <= frames; n++) {
            size_t size = draw_size(&draw);
            const uint8_t *data;
            uint64_t got;
            uint8_t flags;

            while (sf_pipe_next_frame(s->pipe, &flags, &data, &got) != 0) {
                ck_assert_int_eq(n, 1);
                wait_for_data(s);
            }
            ck_assert_uint_eq(got, size);
            ck_assert_uint_eq(good_bytes(data, got, i), got);
            ck_assert_uint_eq(flags & SF_FRAME_MORE, n < frames ? SF_FRAME_MORE : 0);
        }
        tell(s, sf_pipe_sent_messages(s->pipe, 1));
    }
}

static void (*const readers[])(struct side *) = {read_all, drain_all, frame_all};
static const int marks[] = {1, 2, 7, 100, 0};

enum { READERS = sizeof readers / sizeof *readers, MARKS = sizeof marks / sizeof *marks };

static struct side *new_side(int i)
{
    struct side *s = calloc(1, sizeof *s);

    ck_assert_ptr_nonnull(s);
    s->pipe = new_pipe(false, marks[i % MARKS]);
    s->draw = (struct draw){.dice = (unsigned)i + 1, .large = i % 2};
    s->messages = s->draw.large ? LARGE_MESSAGES : MESSAGES;
    return s;
}

static void run(struct side *s, void (*reader)(struct side *))
{
    pthread_t thread = start_thread(write_all, s);
    bool credit;

    reader(s);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(s->pipe->took, s->messages);
    ck_assert_uint_eq(s->pipe->written, s->messages);
    ck_assert_uint_eq(sf_pipe_drop(s->pipe, &credit), 0);
    sf_pipe_unref(s->pipe);
    free(s);
}

START_TEST(what_is_written_is_read)
{
    run(new_side(_i), readers[_i / MARKS]);
}
END_TEST

START_TEST(what_is_rolled_back_stays_unseen)
{
    struct side *s = new_side(_i * 2 + 1);

    s->rolls_back = true;
    run(s, readers[_i % READERS]);
}
END_TEST

START_TEST(what_arrives_is_read)
{
    struct side *s = new_side(_i);

    s->raw = true;
    run(s, read_all);
}
END_TEST

/* --- A message taken back while the reader looks ------------------------ */

/*
 * The chunk has room for its segments, which are taken back while the reader may know of them, and
 * for what is written over them afterwards. The two take turns by loads and stores that order
 * nothing else, so that a sanitizer sees all that the pipe itself does not order.
 */
enum { TURNS = 60, TAKEN_BACK = 5, SMALL = 100 };

static struct {
    struct sf_pipe *pipe;
    _Atomic int begun, looked; /* turns */
} back;

static void await_turn(_Atomic int *turn, int n)
{
    while (atomic_load_explicit(turn, memory_order_relaxed) < n)
        sched_yield();
}

static void *take_back(void *arg)
{
    unsigned i = 0;

    (void)arg;
    for (int turn = 1; turn <= TURNS; turn++) {
        const struct sf_chunk *tail;

        put_filled(back.pipe, SMALL, i++, 0);
        tail = back.pipe->tail;
        for (int n = 0; n < TAKEN_BACK; n++)
            put_filled(back.pipe, SF_PIPE_INLINE + 1, 200, SF_FRAME_MORE);
        atomic_store_explicit(&back.begun, turn, memory_order_relaxed);
        await_turn(&back.looked, turn);
        sf_pipe_rollback(back.pipe);
        while (back.pipe->tail == tail)
            put_filled(back.pipe, SMALL, i++, 0);
    }
    return (void *)(uintptr_t)i;
}

START_TEST(what_is_written_over_what_was_taken_back_is_not_looked_at)
{
    unsigned i = 0;
    pthread_t writer;
    struct sf_msg m;
    void *all;
    bool credit;

    atomic_store(&back.begun, 0);
    atomic_store(&back.looked, 0);
    back.pipe = new_pipe(false, 0);
    writer = start_thread(take_back, NULL);
    for (int turn = 1; turn <= TURNS; turn++) {
        await_turn(&back.begun, turn);
        while (sf_pipe_get(back.pipe, &m, &credit) == 0) {
            ck_assert_uint_eq(sf_msg_size(&m), SMALL);
            ck_assert_uint_eq(good_bytes(sf_msg_data(&m), SMALL, i++), SMALL);
            sf_msg_close(&m);
        }
        atomic_store_explicit(&back.looked, turn, memory_order_relaxed);
    }
    pthread_join(writer, &all);
    while (i < (uintptr_t)all)
        get_filled(back.pipe, SMALL, i++, 0);
    get_nothing(back.pipe);
    sf_pipe_unref(back.pipe);
}
END_TEST

/* --- Marks that change while messages flow ----------------------------- */

static void *change_marks(void *arg)
{
    struct side *s = arg;
    unsigned dice = 9;

    while (!atomic_load(&s->over)) {
        sf_pipe_set_mark(s->pipe, 0, 1 + rand_r(&dice) % 50);
        /* As an option that is set on a socket: the writer looks again, and the reader. */
        sf_bell_ring(&s->room);
        atomic_exchange(&s->pipe->asleep, 0);
        sf_bell_ring(&s->data);
        poll(NULL, 0, 1);
    }
    return NULL;
}

START_TEST(marks_may_change_while_messages_flow)
{
    struct side *s = new_side(_i);
    pthread_t writer = start_thread(write_all, s), changer = start_thread(change_marks, s);

    readers[_i % READERS](s);
    pthread_join(writer, NULL);
    atomic_store(&s->over, 1);
    pthread_join(changer, NULL);
    ck_assert_uint_eq(s->pipe->took, s->messages);
    sf_pipe_unref(s->pipe);
    free(s);
}
END_TEST

/* --- Conflation -------------------------------------------------------- */

/* The number stands in the first octets; the size tells which bytes follow. */
static size_t size_of_number(uint32_t number)
{
    static const size_t sizes[] = {4, 33, 34, 500, 8192, 9000};

    return sizes[number % 6];
}

static void *write_numbers(void *arg)
{
    struct side *s = arg;

    for (uint32_t i = 1; i <= MESSAGES; i++) {
        struct sf_msg m;

        ck_assert(sf_pipe_has_room(s->pipe));
        ck_works(sf_msg_init_size(&m, size_of_number(i)));
        fill_bytes(sf_msg_data(&m), sf_msg_size(&m), i);
        memcpy(sf_msg_data(&m), &i, sizeof i);
        ck_works(sf_pipe_put(s->pipe, &m, 0));
        sf_msg_close(&m);
        if (sf_pipe_must_wake(s->pipe))
            sf_bell_ring(&s->data);
        if (i % 64 == 0)
            sched_yield();
    }
    return NULL;
}

/* One of the numbers, newer than the last. */
static uint32_t ck_newer(const uint8_t *bytes, size_t size, uint32_t last)
{
    static uint8_t expected[9000];
    uint32_t number;

    ck_assert_uint_ge(size, sizeof number);
    memcpy(&number, bytes, sizeof number);
    ck_assert_uint_gt(number, last);
    ck_assert_uint_eq(size, size_of_number(number));
    fill_bytes(expected, size, number);
    ck_assert_mem_eq(bytes + sizeof number, expected + sizeof number, size - sizeof number);
    return number;
}

static uint32_t read_newest(struct side *s, uint32_t last)
{
    struct sf_msg m;
    bool credit;

    while (sf_pipe_get(s->pipe, &m, &credit) != 0)
        wait_for_data(s);
    last = ck_newer(sf_msg_data(&m), sf_msg_size(&m), last);
    sf_msg_close(&m);
    return last;
}

static uint32_t drain_newest(struct side *s, uint32_t last)
{
    static uint8_t bytes[10000];
    struct sf_frame f;
    size_t at = 0, n;

    do { /* in odd amounts, all of one message */
        struct iovec iov[4];
        int count = sf_pipe_gather(s->pipe, iov, 4, 1 + last % 5000, &n);

        if (count == 0)
            wait_for_data(s);
        at += join_iov(bytes + at, iov, count);
        sf_pipe_sent(s->pipe, n);
    } while (at == 0 || !sf_pipe_at_message(s->pipe));
    n = (size_t)sf_frame_get(&f, bytes, at);
    ck_assert_uint_eq(n + f.size, at);
    return ck_newer(bytes + n, f.size, last);
}

START_TEST(the_last_of_conflated_messages_is_always_read)
{
    for (int round = 0; round < 3; round++) {
        struct side *s = new_side(0);
        pthread_t thread;
        uint32_t last = 0;

        sf_pipe_unref(s->pipe);
        s->pipe = new_pipe(true, 1);
        thread = start_thread(write_numbers, s);
        while (last != MESSAGES)
            last = _i ? drain_newest(s, last) : read_newest(s, last);
        pthread_join(thread, NULL);
        sf_pipe_unref(s->pipe);
        free(s);
    }
}
END_TEST

/* --- Messages that outlive chunk and pipe in another thread ------------- */

enum { HOLDERS = 3, KEPT = 64 };

static struct {
    struct sf_lock lock;
    struct sf_msg kept[KEPT];
    size_t sizes[KEPT];
    bool full[KEPT];
    bool over;
} shelf;

/* Takes messages that others put there, checks them, and lets them go. */
static void *clear_shelf(void *arg)
{
    for (bool over = false; !over;) {
        for (int i = 0; i < KEPT; i++) {
            struct sf_msg m;
            bool full;

            sf_lock_take(&shelf.lock);
            full = shelf.full[i];
            m = shelf.kept[i];
            shelf.full[i] = false;
            over = shelf.over;
            sf_lock_drop(&shelf.lock);
            if (!full)
                continue;
            ck_assert_uint_eq(good_bytes(sf_msg_data(&m), sf_msg_size(&m), 3), sf_msg_size(&m));
            sf_msg_close(&m);
        }
        sched_yield();
    }
    return arg;
}

START_TEST(slices_are_let_go_by_other_threads)
{
    struct sf_pipe *p = new_pipe(false, 0);
    pthread_t threads[HOLDERS];

    memset(&shelf, 0, sizeof shelf);
    for (int i = 0; i < HOLDERS; i++)
        threads[i] = start_thread(clear_shelf, NULL);
    for (int n = 0; n < MESSAGES / 2; n++) {
        struct sf_msg m, old;
        bool credit, full;

        put_filled(p, n % 100 ? (size_t)(n % 500) : SF_PIPE_INLINE + 1, 3, 0);
        ck_assert_int_eq(sf_pipe_get(p, &m, &credit), 0);
        sf_lock_take(&shelf.lock);
        full = shelf.full[n % KEPT];
        old = shelf.kept[n % KEPT];
        shelf.kept[n % KEPT] = m;
        shelf.full[n % KEPT] = true;
        sf_lock_drop(&shelf.lock);
        if (full)
            sf_msg_close(&old);
    }
    sf_pipe_unref(p);
    sf_lock_take(&shelf.lock);
    shelf.over = true;
    sf_lock_drop(&shelf.lock);
    for (int i = 0; i < HOLDERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < KEPT; i++)
        if (shelf.full[i])
            sf_msg_close(&shelf.kept[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stress");
    TCase *c = new_bare_case(suite, "stress");

    tcase_add_loop_test(c, what_is_written_is_read, 0, MARKS * READERS);
    tcase_add_loop_test(c, what_is_rolled_back_stays_unseen, 0, 2 * READERS);
    tcase_add_test(c, what_is_written_over_what_was_taken_back_is_not_looked_at);
    tcase_add_loop_test(c, what_arrives_is_read, 0, MARKS);
    tcase_add_loop_test(c, marks_may_change_while_messages_flow, 0, READERS);
    tcase_add_loop_test(c, the_last_of_conflated_messages_is_always_read, 0, 2);
    tcase_add_test(c, slices_are_let_go_by_other_threads);
    return run_suite(suite);
}
