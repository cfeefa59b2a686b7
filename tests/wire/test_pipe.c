/* Pipes: whole messages only, in order, counted against marks, sent and sent again. */
#include "pipes.h"

#include "base/alloc.h"

#include <limits.h>

static struct sf_pipe *p;

static void open_pipe(void)
{
    p = new_pipe(false, 0);
}

static void close_pipe(void)
{
    sf_pipe_unref(p);
}

static const size_t sizes[] = {0,    1,    33,   34,    255,   256,   1000,   SF_PIPE_INLINE,
                               8193, 8200, 9000, 32768, 40000, 65536, 200000};

enum { SIZES = sizeof sizes / sizeof *sizes, MORE = SF_FRAME_MORE, COMMAND = SF_FRAME_COMMAND,
       MARK_ROUNDS = 4000 };

/* A message that says when its bytes are let go. */
static int frees;

static void count_free(void *data, void *hint)
{
    (void)data, (void)hint;
    frees++;
}

static uint8_t large[SF_PIPE_INLINE + 1];

static void put_counted(struct sf_pipe *to, unsigned flags)
{
    struct sf_msg m;

    ck_works(sf_msg_init_data(&m, large, sizeof large, count_free, NULL));
    ck_works(sf_pipe_put(to, &m, flags));
    sf_msg_close(&m);
}

/* --- Frames and messages ----------------------------------------------- */

START_TEST(an_empty_pipe_has_nothing)
{
    struct iovec iov[4];
    const uint8_t *data;
    uint64_t size;
    uint8_t flags;
    size_t bytes = 1;
    bool credit;

    get_nothing(p);
    ck_assert(sf_pipe_has_room(p));
    ck_assert(sf_pipe_drained(p));
    ck_assert(sf_pipe_at_message(p));
    ck_assert_uint_eq(sf_pipe_depth(p), 0);
    ck_assert_uint_eq(sf_pipe_rest(p), 0);
    ck_assert_int_eq(sf_pipe_gather(p, iov, 4, 100, &bytes), 0);
    ck_assert_uint_eq(bytes, 0);
    ck_assert_int_eq(sf_pipe_next_frame(p, &flags, &data, &size), -EAGAIN);
    ck_assert(!sf_pipe_sent_messages(p, 1));
    ck_assert_uint_eq(sf_pipe_drop(p, &credit), 0);
    sf_pipe_rollback(p);
    sf_pipe_rewind(p);
    sf_pipe_forget(p);
    sf_pipe_publish(p);
    get_nothing(p);
}
END_TEST

START_TEST(without_memory_there_is_no_pipe)
{
    struct sf_pipe *none = p;

    sf_alloc_fail(1, 0);
    ck_assert_int_eq(sf_pipe_new(&none, false), -ENOMEM);
    sf_alloc_fail(0, 0);
    ck_assert_ptr_eq(none, p);
    sf_pipe_unref(NULL);
}
END_TEST

START_TEST(frames_come_out_as_they_went_in)
{
    for (int n = 0; n < 20; n++) {
        put_filled(p, sizes[_i], (unsigned)n, MORE);
        put_filled(p, 5, (unsigned)n, MORE);
        put_filled(p, sizes[_i], (unsigned)n + 1, 0);
        ck_assert_uint_eq(sf_pipe_depth(p), (uint64_t)n + 1);
    }
    for (int n = 0; n < 20; n++) {
        get_filled(p, sizes[_i], (unsigned)n, MORE);
        get_filled(p, 5, (unsigned)n, MORE);
        get_filled(p, sizes[_i], (unsigned)n + 1, 0);
    }
    get_nothing(p);
}
END_TEST

START_TEST(large_bytes_are_shared_and_medium_ones_stay_in_the_chunk)
{
    struct sf_msg m, got;
    bool credit;

    ck_works(sf_msg_init_size(&m, SF_PIPE_INLINE + 1));
    ck_works(sf_pipe_put(p, &m, 0));
    ck_assert_int_eq(sf_pipe_get(p, &got, &credit), 0);
    ck_assert_ptr_eq(sf_msg_data(&got), sf_msg_data(&m));
    ck_assert(got.flags & m.flags & SF_MSG_SHARED);
    sf_msg_close(&m);
    sf_msg_close(&got);

    put_filled(p, SF_PIPE_INLINE, 1, 0);
    ck_assert_int_eq(sf_pipe_get(p, &got, &credit), 0);
    ck_assert_int_eq(got.kind, SF_MSG_SLICE);
    ck_assert_uint_eq(got.slice.owner->kind, SF_OWNER_CHUNK);
    ck_assert(!(got.flags & SF_MSG_SHARED));
    sf_msg_close(&got);
}
END_TEST

START_TEST(messages_outlive_their_pipe)
{
    struct sf_pipe *own = new_pipe(false, 0);
    struct sf_msg m[SIZES];
    bool credit;

    for (int i = 0; i < SIZES; i++)
        put_filled(own, sizes[i], (unsigned)i, 0);
    for (int i = 0; i < SIZES; i++)
        ck_assert_int_eq(sf_pipe_get(own, &m[i], &credit), 0);
    sf_pipe_unref(own);
    for (int i = 0; i < SIZES; i++) {
        ck_assert_uint_eq(good_bytes(sf_msg_data(&m[i]), sizes[i], (unsigned)i), sizes[i]);
        sf_msg_close(&m[i]);
    }
}
END_TEST

START_TEST(the_last_reference_frees_what_nobody_read)
{
    for (int read = 0; read < 4; read++) {
        struct sf_pipe *own = new_pipe(false, 0);

        frees = 0;
        put_counted(own, MORE);
        put_counted(own, 0);
        put_counted(own, 0);
        put_filled(own, 20000, 1, MORE); /* not whole */
        put_counted(own, MORE);
        for (int i = 0; i < read; i++) {
            struct sf_msg m;
            bool credit;

            ck_assert_int_eq(sf_pipe_get(own, &m, &credit), 0);
            sf_msg_close(&m);
            ck_assert_int_eq(frees, i + 1);
        }
        ck_assert_ptr_eq(sf_pipe_ref(own), own);
        sf_pipe_unref(own);
        ck_assert_int_eq(frees, read);
        sf_pipe_unref(own);
        ck_assert_int_eq(frees, 4);
    }
}
END_TEST

START_TEST(nothing_shows_before_the_last_frame)
{
    struct iovec iov[4];
    size_t bytes;
    bool credit;

    put_filled(p, 7, 0, 0);
    get_filled(p, 7, 0, 0);
    for (int n = 0; n < 12; n++) { /* over several chunks */
        put_filled(p, sizes[_i], (unsigned)n, MORE);
        get_nothing(p);
        ck_assert_int_eq(sf_pipe_gather(p, iov, 4, 1000, &bytes), 0);
        ck_assert_uint_eq(sf_pipe_rest(p), 0);
        ck_assert(sf_pipe_drained(p));
        ck_assert(sf_pipe_sleep(p, &credit));
        sf_pipe_publish(p);
        ck_assert_uint_eq(p->written, 1);
    }
    put_filled(p, 3, 99, 0);
    ck_assert(!sf_pipe_sleep(p, &credit));
    ck_assert(sf_pipe_ready(p));
    for (int n = 0; n < 12; n++) {
        get_filled(p, sizes[_i], (unsigned)n, MORE);
        ck_assert_uint_eq(p->took, 1); /* not before the last */
    }
    get_filled(p, 3, 99, 0);
    ck_assert_uint_eq(p->took, 2);
    get_nothing(p);
}
END_TEST

START_TEST(whole_messages_show_while_another_is_under_way)
{
    for (int n = 0; n < 30; n++) {
        put_filled(p, 700, (unsigned)n, 0);
        put_filled(p, 600, 50, MORE);
        get_filled(p, 700, (unsigned)n, 0);
        get_nothing(p);
        put_filled(p, sizes[_i], 51, 0);
        get_filled(p, 600, 50, MORE);
        get_filled(p, sizes[_i], 51, 0);
    }
}
END_TEST

START_TEST(what_is_rolled_back_never_shows)
{
    for (int frames = 0; frames < 8; frames++) {
        put_filled(p, 100, 1, 0);
        for (int n = 0; n < frames; n++)
            put_filled(p, sizes[_i], 2, MORE);
        sf_pipe_rollback(p);
        ck_assert(!p->open);
        get_filled(p, 100, 1, 0);
        get_nothing(p);
        put_filled(p, 200, 3, MORE);
        put_filled(p, sizes[_i], 4, 0);
        sf_pipe_rollback(p); /* a whole message stays */
        get_filled(p, 200, 3, MORE);
        get_filled(p, sizes[_i], 4, 0);
        get_nothing(p);
    }
    ck_assert_uint_eq(p->written, p->took);
}
END_TEST

START_TEST(rollback_lets_go_of_large_bytes)
{
    frees = 0;
    put_counted(p, 0);
    for (int n = 0; n < 100; n++)
        put_counted(p, MORE);
    ck_assert_int_eq(frees, 0);
    sf_pipe_rollback(p);
    ck_assert_int_eq(frees, 100);
    put_counted(p, 0);
    for (int n = 0; n < 2; n++) {
        struct sf_msg m;
        bool credit;

        ck_assert_int_eq(sf_pipe_get(p, &m, &credit), 0);
        ck_assert_uint_eq(sf_msg_size(&m), sizeof large);
        sf_msg_close(&m);
        ck_assert_int_eq(frees, 101 + n);
    }
}
END_TEST

START_TEST(a_refused_allocation_takes_the_whole_message_back)
{
    bool failed = true;

    for (int n = 1; failed; n++) {
        struct sf_msg m[6];
        int err = 0, made = 0;

        put_filled(p, 50, (unsigned)n, 0);
        for (; made < 6; made++) {
            ck_works(sf_msg_init_size(&m[made], made % 2 ? 9000 : 8000));
            fill_bytes(sf_msg_data(&m[made]), sf_msg_size(&m[made]), (unsigned)made);
        }
        sf_alloc_fail(n, 0);
        for (int i = 0; i < made && err == 0; i++)
            err = sf_pipe_put(p, &m[i], i < 5 ? MORE : 0);
        sf_alloc_fail(0, 0);
        ck_assert(err == 0 || err == -ENOMEM);
        for (int i = 0; i < made; i++)
            sf_msg_close(&m[i]);
        failed = err != 0;
        if (n == 1)
            ck_assert(failed);
        get_filled(p, 50, (unsigned)n, 0);
        for (int i = 0; i < 6 && !failed; i++)
            get_filled(p, i % 2 ? 9000 : 8000, (unsigned)i, i < 5 ? MORE : 0);
        get_nothing(p);
        ck_assert_uint_eq(p->written, p->took);
    }
}
END_TEST

START_TEST(a_refused_command_changes_nothing)
{
    uint8_t body[3000] = {0};

    put_filled(p, 900, 1, 0);
    sf_alloc_fail(1, 1);
    ck_assert_int_eq(sf_pipe_put_command(p, "SUBSCRIBE", body, sizeof body), -ENOMEM);
    sf_alloc_fail(0, 0);
    get_filled(p, 900, 1, 0);
    get_nothing(p);
    ck_works(sf_pipe_put_command(p, "SUBSCRIBE", body, sizeof body));
    ck_assert(sf_pipe_ready(p));
}
END_TEST

START_TEST(a_command_is_a_message_of_its_own)
{
    struct sf_msg m;
    bool credit;

    put_filled(p, 10, 1, 0);
    ck_works(sf_pipe_put_command(p, "SUBSCRIBE", "topic", 5));
    ck_works(sf_pipe_put_command(p, "EMPTY", NULL, 0));
    put_filled(p, 20, 2, 0);
    ck_assert_uint_eq(sf_pipe_depth(p), 4);
    get_filled(p, 10, 1, 0);
    ck_assert_int_eq(sf_pipe_get(p, &m, &credit), 0);
    ck_assert_uint_eq(m.flags, SF_MSG_COMMAND);
    ck_assert_uint_eq(sf_msg_size(&m), 15);
    ck_assert_mem_eq(sf_msg_data(&m), "\x09SUBSCRIBEtopic", 15);
    sf_msg_close(&m);
    ck_assert_int_eq(sf_pipe_get(p, &m, &credit), 0);
    ck_assert_mem_eq(sf_msg_data(&m), "\x05" "EMPTY", 6);
    sf_msg_close(&m);
    get_filled(p, 20, 2, 0);
    ck_assert_uint_eq(p->took, 4);
}
END_TEST

/* A command during a message must not show half of it, nor be lost with it. */
START_TEST(a_command_goes_before_the_message_under_way)
{
    for (int frames = 1; frames < 8; frames++)
        for (int back = 0; back < 2; back++) {
            struct sf_msg m;
            bool credit;

            for (int n = 0; n < frames; n++)
                put_filled(p, sizes[_i], (unsigned)n, MORE);
            ck_works(sf_pipe_put_command(p, "SUBSCRIBE", "topic", 5));
            ck_works(sf_pipe_put_command(p, "CANCEL", "topic", 5));
            if (back)
                sf_pipe_rollback(p);
            else
                put_filled(p, sizes[_i], 77, 0);
            ck_assert_int_eq(sf_pipe_get(p, &m, &credit), 0);
            ck_assert_uint_eq(m.flags, SF_MSG_COMMAND);
            ck_assert_mem_eq(sf_msg_data(&m), "\x09SUBSCRIBEtopic", 15);
            sf_msg_close(&m);
            ck_assert_int_eq(sf_pipe_get(p, &m, &credit), 0);
            ck_assert_mem_eq(sf_msg_data(&m), "\x06" "CANCELtopic", 12);
            sf_msg_close(&m);
            for (int n = 0; n < frames && !back; n++)
                get_filled(p, sizes[_i], (unsigned)n, MORE);
            if (!back)
                get_filled(p, sizes[_i], 77, 0);
            get_nothing(p);
            ck_assert_uint_eq(p->took, p->written);
        }
}
END_TEST

START_TEST(a_refused_command_leaves_the_message_under_way)
{
    bool failed = true;

    for (int n = 1; failed; n++) {
        struct sf_msg m;
        bool credit;

        put_filled(p, 1000, 1, MORE);
        put_filled(p, 9000, 2, MORE);
        sf_alloc_fail(n, 0);
        failed = sf_pipe_put_command(p, "SUBSCRIBE", "topic", 5) != 0;
        sf_alloc_fail(0, 0);
        put_filled(p, 20, 3, 0);
        if (!failed) {
            ck_assert_int_eq(sf_pipe_get(p, &m, &credit), 0);
            ck_assert_uint_eq(m.flags, SF_MSG_COMMAND);
            sf_msg_close(&m);
        }
        get_filled(p, 1000, 1, MORE);
        get_filled(p, 9000, 2, MORE);
        get_filled(p, 20, 3, 0);
    }
}
END_TEST

/* --- Marks and credit -------------------------------------------------- */

START_TEST(the_marks_of_both_ends_add_up)
{
    static const struct {
        int a, b, all;
    } cases[] = {{5, 7, 12}, {0, 7, 0},  {7, 0, 0},         {0, 0, 0},           {-1, 7, 7},
                 {7, -1, 7}, {-1, 0, 0}, {-1, -1, 0},       {INT_MAX, 1, 0},     {1, INT_MAX, 0},
                 {1, 1, 2},  {0, -1, 0}, {INT_MAX, -1, INT_MAX}, {INT_MAX - 1, 1, INT_MAX}};

    for (int i = 0; i < COUNT(cases); i++) {
        sf_pipe_set_mark(p, 0, cases[i].a);
        sf_pipe_set_mark(p, 1, cases[i].b);
        ck_assert_int_eq(p->mark, cases[i].all);
    }
}
END_TEST

START_TEST(an_empty_pipe_shrinks_and_begins_anew)
{
    for (int round = 0; round < 3; round++) {
        struct sf_msg kept;
        bool credit;

        for (unsigned i = 0; i < 100; i++)
            put_filled(p, 1000, i, 0);
        ck_assert(sf_pipe_writes_large(p));
        ck_assert(!sf_pipe_shrink(p));
        for (unsigned i = 0; i < 99; i++)
            get_filled(p, 1000, i, 0);
        ck_assert(!sf_pipe_shrink(p));
        ck_works(sf_pipe_get(p, &kept, &credit));
        put_filled(p, 10, 1, MORE);
        ck_assert(!sf_pipe_shrink(p)); /* more of it is to come */
        sf_pipe_rollback(p);
        ck_assert(sf_pipe_shrink(p));
        ck_assert(!sf_pipe_writes_large(p) && !sf_pipe_reads_large(p));
        ck_assert_ptr_null(p->tail);
        get_nothing(p);
        ck_assert_uint_eq(good_bytes(sf_msg_data(&kept), 1000, 99), 1000);
        sf_msg_close(&kept);
        put_filled(p, 9000, 7, MORE);
        put_filled(p, 10, 8, 0);
        ck_assert(!sf_pipe_writes_large(p));
        get_filled(p, 9000, 7, MORE);
        get_filled(p, 10, 8, 0);
        get_nothing(p);
    }
    ck_assert_uint_eq(p->written, p->took);
}
END_TEST

static void arrive_message(unsigned size, bool bulk)
{
    size_t room;
    uint8_t *at;

    p->bulk = bulk;
    ck_works(sf_pipe_space(p, size + 9, &at, &room));
    p->raw = (uint32_t)sf_frame_put(at, 0, size);
    memset(at + p->raw, 'x', size);
    p->raw += size;
    sf_pipe_accept(p, p->raw);
    sf_pipe_commit(p);
    sf_pipe_publish(p);
}

/* What a frame of less than 256 bytes lacked, behind the raw bytes. */
static void arrive_rest(const char *text)
{
    size_t n = strlen(text), room;
    uint8_t *at;

    ck_works(sf_pipe_space(p, n, &at, &room));
    memcpy(at, text, n);
    p->raw += (uint32_t)n;
    sf_pipe_accept(p, p->raw);
    sf_pipe_commit(p);
    sf_pipe_publish(p);
}

START_TEST(large_chunks_before_a_small_one_are_waited_for)
{
    unsigned n = 0;
    struct sf_msg m;
    bool credit;

    for (; n < 2 || p->tail->size > SF_PIPE_CHUNK_IDLE; n++) /* until a small one follows the large ones */
        arrive_message(1000, n < 40);
    for (unsigned i = 0; i < n; i++) {
        ck_assert(!sf_pipe_shrink(p) || i + 1 == n);
        ck_works(sf_pipe_get(p, &m, &credit));
        ck_assert_uint_eq(sf_msg_size(&m), 1000);
        sf_msg_close(&m);
    }
    ck_assert(sf_pipe_shrink(p));
    get_nothing(p);
}
END_TEST

START_TEST(a_chunk_with_much_in_it_goes_when_it_is_read)
{
    struct sf_msg m;
    bool credit;

    for (int i = 0; i < 10; i++)
        arrive_message(1000, true);
    sf_pipe_retire(p);
    ck_assert(sf_pipe_writes_large(p)); /* little stands in it so far */
    for (int i = 0; i < 10; i++)
        arrive_message(1000, true);
    memcpy(p->tail->bytes + p->fill, "\0\3ab", 4); /* the fifth byte has not come */
    p->raw = 4;
    sf_pipe_retire(p);
    ck_assert(!sf_pipe_writes_large(p));
    for (int i = 0; i < 20; i++) {
        ck_works(sf_pipe_get(p, &m, &credit));
        ck_assert_uint_eq(sf_msg_size(&m), 1000);
        sf_msg_close(&m);
    }
    ck_assert(sf_pipe_reads_large(p));
    ck_assert(sf_pipe_sleep(p, &credit));
    ck_assert(!sf_pipe_reads_large(p));

    ck_assert_uint_eq(p->raw, 4);
    ck_assert_mem_eq(sf_pipe_raw(p), "\0\3ab", 4);
    arrive_rest("c");
    ck_works(sf_pipe_get(p, &m, &credit));
    ck_assert_mem_eq(sf_msg_data(&m), "abc", 3);
    sf_msg_close(&m);
    get_nothing(p);
}
END_TEST

START_TEST(a_chunk_that_was_begun_in_vain_is_given_back)
{
    uint8_t *at;
    size_t room;

    put_filled(p, 1000, 1, 0);
    get_filled(p, 1000, 1, 0);
    p->bulk = true;
    ck_works(sf_pipe_space(p, 30000, &at, &room));
    ck_assert(sf_pipe_writes_large(p) && !sf_pipe_reads_large(p));
    ck_assert(sf_pipe_shrink(p));
    ck_assert_ptr_null(p->tail);
    put_filled(p, 1000, 2, 0);
    get_filled(p, 1000, 2, 0);
    get_nothing(p);
}
END_TEST

/* Both ends meet before each round, so that they set their marks at about the same time. */
static _Atomic int arrived, seen;

static void meet(_Atomic int *at, int n)
{
    atomic_fetch_add(at, 1);
    for (int i = 1; atomic_load(at) < n; i++) /* spins, so that both go on at once */
        if (i % 1000 == 0)
            sched_yield();
}

static void *mark_one_end(void *arg)
{
    static _Atomic int wrong;

    for (int n = 1; n <= MARK_ROUNDS; n++) {
        meet(&arrived, 2 * n);
        sf_pipe_set_mark(p, *(int *)arg, n);
        meet(&seen, 2 * n);
        if (p->mark != 2 * n)
            atomic_fetch_add(&wrong, 1);
    }
    return &wrong;
}

START_TEST(marks_set_by_both_ends_at_once_both_count)
{
    int ends[2] = {0, 1};
    pthread_t thread;
    void *wrong;

    atomic_store(&arrived, 0);
    atomic_store(&seen, 0);
    sf_pipe_set_mark(p, 0, 0);
    sf_pipe_set_mark(p, 1, 0);
    thread = start_thread(mark_one_end, &ends[1]);
    mark_one_end(&ends[0]);
    pthread_join(thread, &wrong);
    ck_assert_int_eq(atomic_load((_Atomic int *)wrong), 0);
}
END_TEST

START_TEST(a_mark_lets_so_many_messages_in)
{
    int mark = _i + 1, told = (mark + 1) / 2;

    sf_pipe_set_mark(p, 0, mark);
    for (int round = 0; round < 5; round++) {
        int room = round ? told : mark;

        for (int n = 0; n < room; n++) {
            ck_assert(sf_pipe_has_room(p));
            put_filled(p, 300, 1, MORE);
            put_filled(p, 300, 1, 0);
        }
        ck_assert(!sf_pipe_has_room(p));
        ck_assert(!sf_pipe_has_room(p));
        for (int n = 1; n <= told; n++) {
            ck_assert(!get_filled(p, 300, 1, MORE));
            ck_assert(!sf_pipe_has_room(p));
            ck_assert_int_eq(get_filled(p, 300, 1, 0), n == told);
        }
    }
    ck_assert(sf_pipe_has_room(p));
}
END_TEST

START_TEST(room_is_told_once_and_only_to_who_asked)
{
    sf_pipe_set_mark(p, 0, 4);
    for (int n = 0; n < 4; n++)
        put_filled(p, 1, 1, 0);
    for (int n = 0; n < 4; n++)
        ck_assert(!get_filled(p, 1, 1, 0)); /* nobody has asked */
    for (int n = 0; n < 4; n++) {
        ck_assert(sf_pipe_has_room(p));
        put_filled(p, 1, 1, 0);
    }
    ck_assert(!sf_pipe_has_room(p));
    ck_assert(!get_filled(p, 1, 1, 0));
    ck_assert(get_filled(p, 1, 1, 0));
    ck_assert(!get_filled(p, 1, 1, 0));
    ck_assert(!get_filled(p, 1, 1, 0));
}
END_TEST

START_TEST(without_a_mark_there_is_always_room)
{
    for (int n = 0; n < 5000; n++) {
        ck_assert(sf_pipe_has_room(p));
        put_filled(p, 1, 1, 0);
    }
    for (int n = 0; n < 5000; n++)
        ck_assert(!get_filled(p, 1, 1, 0));
}
END_TEST

START_TEST(a_raised_mark_gives_room_at_once)
{
    sf_pipe_set_mark(p, 0, 2);
    put_filled(p, 1, 1, 0);
    put_filled(p, 1, 1, 0);
    ck_assert(!sf_pipe_has_room(p));
    sf_pipe_set_mark(p, 0, 3);
    ck_assert(sf_pipe_has_room(p));
    put_filled(p, 1, 1, 0);
    ck_assert(!sf_pipe_has_room(p));
    sf_pipe_set_mark(p, 0, 0);
    ck_assert(sf_pipe_has_room(p));
}
END_TEST

START_TEST(a_lowered_mark_waits_until_fewer_are_in)
{
    bool credit;

    sf_pipe_set_mark(p, 0, 100);
    for (int n = 0; n < 40; n++)
        put_filled(p, 1, 1, 0);
    ck_assert(!get_filled(p, 1, 1, 0));
    sf_pipe_set_mark(p, 0, 10);
    ck_assert(!sf_pipe_has_room(p));
    for (int n = 1; n < 40; n++)
        ck_assert(!get_filled(p, 1, 1, 0)); /* the old half, 50, still holds */
    ck_assert(sf_pipe_sleep(p, &credit));
    ck_assert(credit);
    ck_assert_uint_eq(sf_pipe_depth(p), 0);
    ck_assert(sf_pipe_has_room(p));
}
END_TEST

/* The reader sleeps with some not told; whoever lowers the mark has it look again. */
START_TEST(a_reader_that_looks_again_tells_by_the_lowered_mark)
{
    bool credit;

    sf_pipe_set_mark(p, 0, 100);
    for (int n = 0; n < 20; n++) {
        put_filled(p, 1, 1, 0);
        ck_assert(!get_filled(p, 1, 1, 0));
    }
    ck_assert(sf_pipe_sleep(p, &credit));
    ck_assert(!credit);
    sf_pipe_set_mark(p, 0, 10);
    ck_assert(!sf_pipe_has_room(p));
    ck_assert(sf_pipe_sleep(p, &credit));
    ck_assert(credit);
    ck_assert(sf_pipe_has_room(p));
}
END_TEST

START_TEST(a_sleeper_is_woken_once)
{
    bool credit;

    ck_assert(!sf_pipe_must_wake(p));
    ck_assert(sf_pipe_sleep(p, &credit));
    put_filled(p, 1, 1, 0);
    ck_assert(sf_pipe_must_wake(p));
    ck_assert(!sf_pipe_must_wake(p));
    ck_assert(!sf_pipe_sleep(p, &credit)); /* there is something after all */
    ck_assert(!sf_pipe_must_wake(p));
    get_filled(p, 1, 1, 0);
}
END_TEST

START_TEST(drop_counts_and_frees_what_is_published)
{
    bool credit;

    frees = 0;
    sf_pipe_set_mark(p, 0, 4);
    put_counted(p, MORE);
    put_counted(p, 0);
    put_counted(p, 0);
    ck_works(sf_pipe_put_command(p, "X", NULL, 0));
    put_filled(p, 40000, 1, 0);
    ck_assert(!sf_pipe_has_room(p));
    put_counted(p, MORE); /* not whole: stays */
    if (_i) { /* in the middle of the first */
        struct sf_msg m;

        ck_assert_int_eq(sf_pipe_get(p, &m, &credit), 0);
        sf_msg_close(&m);
    }
    ck_assert_uint_eq(sf_pipe_drop(p, &credit), 4);
    ck_assert(credit);
    ck_assert_int_eq(frees, 3);
    get_nothing(p);
    put_counted(p, 0);
    ck_assert_uint_eq(sf_pipe_drop(p, &credit), 1);
    ck_assert_int_eq(frees, 5);
}
END_TEST

/* --- Conflation -------------------------------------------------------- */

START_TEST(conflation_keeps_the_newest)
{
    struct sf_pipe *c = new_pipe(true, 1);
    bool credit;

    frees = 0;
    get_nothing(c);
    for (int n = 0; n < 10; n++) {
        ck_assert(sf_pipe_has_room(c));
        put_filled(c, sizes[_i], (unsigned)n, 0);
        ck_assert(sf_pipe_ready(c));
    }
    ck_assert(!sf_pipe_sleep(c, &credit));
    get_filled(c, sizes[_i], 9, 0);
    get_nothing(c);
    ck_assert(sf_pipe_sleep(c, &credit));
    for (int n = 0; n < 3; n++) {
        put_counted(c, 0);
        ck_assert_int_eq(sf_pipe_must_wake(c), n == 0);
        ck_assert_int_eq(frees, n); /* the one before is gone */
    }
    sf_pipe_unref(c);
    ck_assert_int_eq(frees, 3);
}
END_TEST

START_TEST(a_conflated_message_is_sent_whole_before_a_newer_one)
{
    struct sf_pipe *c = new_pipe(true, 0);
    static uint8_t wire[3000000], got[3000000];
    struct iovec iov[8];
    size_t bytes, all = add_wire(wire, 0, sizes[_i], 1, 0), next;
    int n;

    all = add_wire(wire, all, sizes[_i], 3, 0);
    next = all / 2;
    put_filled(c, sizes[_i], 0, 0);
    put_filled(c, sizes[_i], 1, 0);
    n = sf_pipe_gather(c, iov, 8, SIZE_MAX, &bytes);
    ck_assert_uint_eq(bytes, next);
    ck_assert_uint_eq(join_iov(got, iov, n), bytes);
    put_filled(c, sizes[_i], 2, 0); /* while it is under way */
    put_filled(c, sizes[_i], 3, 0);
    sf_pipe_sent(c, 1);
    ck_assert(!sf_pipe_drained(c) && !sf_pipe_at_message(c));
    n = sf_pipe_gather(c, iov, 8, SIZE_MAX, &bytes);
    ck_assert_uint_eq(bytes, next - 1);
    join_iov(got + 1, iov, n);
    sf_pipe_sent(c, bytes);
    ck_assert(sf_pipe_at_message(c) && !sf_pipe_drained(c));
    n = sf_pipe_gather(c, iov, 8, SIZE_MAX, &bytes);
    ck_assert_uint_eq(bytes, next);
    join_iov(got + next, iov, n);
    sf_pipe_sent(c, bytes);
    ck_assert_mem_eq(got, wire, all);
    ck_assert(sf_pipe_drained(c));
    ck_assert_int_eq(sf_pipe_gather(c, iov, 8, SIZE_MAX, &bytes), 0);
    sf_pipe_unref(c);
}
END_TEST

START_TEST(a_conflated_message_waits_for_memory)
{
    struct sf_pipe *c = new_pipe(true, 0);
    struct iovec iov[8];
    size_t bytes;

    put_filled(c, 50, 1, 0);
    sf_alloc_fail(1, 1);
    ck_assert_int_eq(sf_pipe_gather(c, iov, 8, SIZE_MAX, &bytes), 0);
    sf_alloc_fail(0, 0);
    ck_assert(sf_pipe_ready(c));
    ck_assert_int_eq(sf_pipe_gather(c, iov, 8, SIZE_MAX, &bytes), 1);
    ck_assert_uint_eq(bytes, 52);
    sf_pipe_unref(c);
}
END_TEST

/* --- The drainer's ----------------------------------------------------- */

/* Three messages of six frames, one of them a segment, over several chunks. */
static const struct {
    size_t size;
    unsigned flags;
} frames[] = {{600, MORE}, {SF_PIPE_INLINE + 1, MORE}, {0, 0}, {700, 0}, {40, MORE}, {900, 0}};

enum { FRAMES = sizeof frames / sizeof *frames };

static uint8_t wire[20000], got[20000];
static size_t wire_size, ends[FRAMES], starts[FRAMES]; /* of messages, by the frame */

static struct sf_pipe *filled_pipe(void)
{
    static struct sf_msg m[FRAMES]; /* made once, for it is put thousands of times */
    struct sf_pipe *q = new_pipe(false, 0);
    size_t start = 0;

    if (wire_size == 0) {
        for (int i = 0; i < FRAMES; i++) {
            ck_works(sf_msg_init_size(&m[i], frames[i].size));
            fill_bytes(sf_msg_data(&m[i]), frames[i].size, (unsigned)i);
            wire_size = add_wire(wire, wire_size, frames[i].size, (unsigned)i, frames[i].flags);
            starts[i] = start;
            if (frames[i].flags == 0)
                start = wire_size;
        }
        for (int i = FRAMES; i-- > 0;)
            ends[i] = i == FRAMES - 1 ? wire_size : frames[i].flags ? ends[i + 1] : starts[i + 1];
    }
    for (int i = 0; i < FRAMES; i++)
        ck_works(sf_pipe_put(q, &m[i], frames[i].flags));
    return q;
}

/* The start and end of the message that the byte belongs to. */
static size_t start_of(size_t at)
{
    size_t start = 0;

    for (int i = 0; i < FRAMES; i++)
        if (starts[i] <= at)
            start = starts[i];
    return at == wire_size ? wire_size : start;
}

static size_t end_of(size_t at)
{
    for (int i = 0; i < FRAMES; i++)
        if (ends[i] > at)
            return ends[i];
    return at;
}

static size_t gather_all(struct sf_pipe *q, uint8_t *to)
{
    struct iovec iov[32];
    size_t bytes;
    int n = sf_pipe_gather(q, iov, 32, SIZE_MAX, &bytes);

    ck_assert_uint_eq(join_iov(to, iov, n), bytes);
    return bytes;
}

START_TEST(bytes_go_out_whatever_is_accepted_at_a_time)
{
    sf_pipe_unref(filled_pipe());
    /* Every byte, but for the inside of the segment, where all are alike. */
    for (size_t cut = 0; cut <= wire_size; cut += cut > 1000 && cut < 8000 ? 17 : 1) {
        struct sf_pipe *q = filled_pipe();

        ck_assert_uint_eq(gather_all(q, got), wire_size);
        sf_pipe_sent(q, cut);
        ck_assert_int_eq(sf_pipe_at_message(q), start_of(cut) == cut);
        ck_assert_int_eq(sf_pipe_drained(q), cut == wire_size);
        ck_assert_uint_eq(sf_pipe_rest(q), end_of(cut) - cut);
        ck_assert_uint_eq(gather_all(q, got + cut), wire_size - cut);
        ck_assert_mem_eq(got, wire, wire_size);

        sf_pipe_rewind(q); /* the stream is gone */
        ck_assert(sf_pipe_at_message(q));
        ck_assert_uint_eq(gather_all(q, got), wire_size - start_of(cut));
        ck_assert_mem_eq(got, wire + start_of(cut), wire_size - start_of(cut));
        sf_pipe_sent(q, wire_size - start_of(cut));
        ck_assert(sf_pipe_drained(q));
        ck_assert_uint_eq(q->took, q->written);
        sf_pipe_unref(q);
    }
}
END_TEST

START_TEST(bytes_go_out_in_steps_of_any_size)
{
    static const size_t steps[] = {1, 2, 3, 7, 9, 64, 599, 602, 1000, 8193, 20000};

    for (int i = 0; i < COUNT(steps); i++)
        for (int vectors = 1; vectors < 4; vectors++) {
            struct sf_pipe *q = filled_pipe();
            size_t at = 0, bytes;
            struct iovec iov[4];
            int n;

            while ((n = sf_pipe_gather(q, iov, vectors, steps[i], &bytes)) > 0) {
                ck_assert_int_le(n, vectors);
                ck_assert_uint_le(bytes, steps[i]);
                ck_assert_uint_eq(join_iov(got + at, iov, n), bytes);
                sf_pipe_sent(q, bytes);
                at += bytes;
                ck_assert_uint_eq(sf_pipe_rest(q), end_of(at) - at);
            }
            ck_assert_uint_eq(at, wire_size);
            ck_assert_mem_eq(got, wire, wire_size);
            ck_assert(sf_pipe_drained(q));
            ck_assert_int_eq(sf_pipe_gather(q, iov, 4, 0, &bytes), 0);
            sf_pipe_unref(q);
        }
}
END_TEST

START_TEST(large_bytes_are_kept_until_their_message_is_accepted)
{
    struct iovec iov[8];
    size_t bytes;

    frees = 0;
    put_counted(p, MORE);
    put_counted(p, MORE);
    put_filled(p, 10, 1, 0);
    put_counted(p, 0);
    ck_assert_int_gt(sf_pipe_gather(p, iov, 8, SIZE_MAX, &bytes), 0);
    sf_pipe_sent(p, 2 * (9 + sizeof large) + 11);
    ck_assert_int_eq(frees, 0); /* it may have to be sent again */
    sf_pipe_sent(p, 1);
    ck_assert_int_eq(frees, 2);
    sf_pipe_sent(p, 8 + sizeof large);
    ck_assert_int_eq(frees, 2);
    sf_pipe_sent(p, 1);
    ck_assert_int_eq(frees, 3);
}
END_TEST

START_TEST(accepted_messages_give_room_by_halves)
{
    int mark = _i + 1, told = (mark + 1) / 2;

    sf_pipe_set_mark(p, 0, mark);
    for (int n = 0; n < mark; n++)
        put_filled(p, 10, 1, 0);
    for (int round = 0; round < 3; round++) {
        ck_assert(!sf_pipe_has_room(p));
        for (int n = 1; n <= told; n++) {
            ck_assert(!sf_pipe_sent(p, 11));
            ck_assert_int_eq(sf_pipe_sent(p, 1), n == told);
        }
        for (int n = 1; n <= told; n++) {
            ck_assert(sf_pipe_has_room(p));
            put_filled(p, 10, 1, 0);
        }
    }
    ck_assert(!sf_pipe_has_room(p));
    ck_assert(sf_pipe_sent(p, 12 * (size_t)mark)); /* several at once */
    ck_assert(sf_pipe_drained(p));
}
END_TEST

START_TEST(frames_are_handed_to_framing_steps_one_by_one)
{
    struct sf_pipe *q = filled_pipe();
    const uint8_t *data;
    uint64_t size;
    uint8_t flags;

    for (int again = 0; again < 3; again++) {
        for (int i = 0; i < FRAMES; i++) {
            ck_assert_int_eq(sf_pipe_next_frame(q, &flags, &data, &size), 0);
            ck_assert_uint_eq(flags & (MORE | COMMAND), frames[i].flags);
            ck_assert_uint_eq(size, frames[i].size);
            ck_assert_uint_eq(good_bytes(data, size, (unsigned)i), size);
            ck_assert(!sf_pipe_at_message(q));
        }
        ck_assert_int_eq(sf_pipe_next_frame(q, &flags, &data, &size), -EAGAIN);
        if (again == 0)
            sf_pipe_rewind(q); /* none was accepted: all again */
        else if (again == 1)
            break;
    }
    sf_pipe_sent_messages(q, 1);
    ck_assert_uint_eq(q->took, 1);
    ck_assert(!sf_pipe_at_message(q)); /* the others are under way */
    sf_pipe_rewind(q);
    ck_assert_int_eq(sf_pipe_next_frame(q, &flags, &data, &size), 0);
    ck_assert_uint_eq(size, frames[3].size);
    ck_assert_uint_eq(good_bytes(data, size, 3), size);
    sf_pipe_sent_messages(q, 1);
    ck_assert(sf_pipe_at_message(q));
    for (int i = 4; i < FRAMES; i++)
        ck_assert_int_eq(sf_pipe_next_frame(q, &flags, &data, &size), 0);
    sf_pipe_sent_messages(q, 1);
    ck_assert(sf_pipe_drained(q));
    sf_pipe_unref(q);
}
END_TEST

START_TEST(framed_messages_give_room_by_halves)
{
    const uint8_t *data;
    uint64_t size;
    uint8_t flags;

    sf_pipe_set_mark(p, 0, 4);
    for (int n = 0; n < 4; n++)
        put_filled(p, 10, 1, 0);
    ck_assert(!sf_pipe_has_room(p));
    for (int n = 1; n <= 4; n++) {
        ck_works(sf_pipe_next_frame(p, &flags, &data, &size));
        ck_assert_int_eq(sf_pipe_sent_messages(p, 1), n == 2);
    }
}
END_TEST

START_TEST(what_was_accepted_before_a_drop_is_not_dropped)
{
    struct sf_pipe *q = filled_pipe();
    bool credit;

    gather_all(q, got);
    sf_pipe_sent(q, ends[0] + 5);
    ck_assert_uint_eq(q->took, 1);
    ck_assert_uint_eq(sf_pipe_drop(q, &credit), 2);
    ck_assert(sf_pipe_drained(q));
    put_filled(q, 10, 1, 0);
    ck_assert_uint_eq(gather_all(q, got), 12);
    sf_pipe_unref(q);
}
END_TEST

/* --- Bytes from a stream ----------------------------------------------- */

START_TEST(arriving_bytes_become_frames_wherever_they_are_cut)
{
    size_t big = _i ? 500 : SIZE_MAX; /* with segments or without */

    sf_pipe_unref(filled_pipe());
    for (size_t cut = 0; cut <= wire_size; cut += cut % 100 < 20 ? 1 : 20) {
        struct sf_pipe *q = new_pipe(false, 0);

        arrive(q, wire, cut);
        ck_works(hop_frames(q, big));
        sf_pipe_publish(q);
        arrive(q, wire + cut, wire_size - cut);
        ck_works(hop_frames(q, big));
        ck_assert_uint_eq(q->raw, 0);
        sf_pipe_publish(q);
        for (int i = 0; i < FRAMES; i++)
            get_filled(q, frames[i].size, (unsigned)i, frames[i].flags);
        get_nothing(q);
        sf_pipe_unref(q);
    }
}
END_TEST

START_TEST(commits_show_when_published)
{
    uint8_t bytes[300];
    size_t n = add_wire(bytes, add_wire(bytes, 0, 100, 1, MORE), 50, 2, 0);
    bool credit;

    ck_assert(sf_pipe_sleep(p, &credit));
    arrive(p, bytes, n);
    sf_pipe_accept(p, 102);
    sf_pipe_publish(p);
    get_nothing(p);
    sf_pipe_accept(p, 52);
    sf_pipe_commit(p);
    get_nothing(p);
    sf_pipe_publish(p);
    ck_assert(sf_pipe_must_wake(p));
    get_filled(p, 100, 1, MORE);
    get_filled(p, 50, 2, 0);
}
END_TEST

START_TEST(skipped_frames_are_passed_over)
{
    /* Behind the command stands more than a little, so that it has to stay. */
    static uint8_t bytes[4000];
    size_t n = add_wire(bytes, 0, 20, 1, 0);

    n = add_wire(bytes, n, 30, 9, COMMAND);
    n = add_wire(bytes, n, 300, 9, COMMAND);
    n = add_wire(bytes, n, 400, 2, MORE);
    n = add_wire(bytes, n, 10, 9, COMMAND); /* also within a message */
    n = add_wire(bytes, n, 500, 3, 0);
    n = add_wire(bytes, n, 11, 9, COMMAND);
    for (int big = 0; big < 2; big++) {
        arrive(p, bytes, n);
        ck_works(hop_frames(p, big ? 100 : SIZE_MAX));
        ck_assert_uint_eq(p->raw, 0);
        sf_pipe_publish(p);
        ck_assert(sf_pipe_ready(p));
        get_filled(p, 20, 1, 0);
        ck_assert(sf_pipe_ready(p));
        get_filled(p, 400, 2, MORE);
        get_filled(p, 500, 3, 0);
        get_nothing(p);
    }
    ck_assert_uint_eq(p->took, 4);
}
END_TEST

START_TEST(a_skipped_frame_alone_shows_nothing)
{
    static uint8_t bytes[2000];
    size_t n = add_wire(bytes, 0, 30, 9, COMMAND), first = n;
    bool credit;

    n = add_wire(bytes, n, 1000, 1, 0);
    arrive(p, bytes, n - 1);
    sf_pipe_skip(p, first);
    sf_pipe_publish(p);
    ck_assert(sf_pipe_sleep(p, &credit));
    get_nothing(p);
    arrive(p, bytes + n - 1, 1);
    ck_works(hop_frames(p, SIZE_MAX));
    sf_pipe_publish(p);
    get_filled(p, 1000, 1, 0);
}
END_TEST

START_TEST(forgotten_frames_leave_the_raw_bytes)
{
    static uint8_t bytes[9000];
    size_t n = add_wire(bytes, 0, 100, 1, 0), kept = n;

    n = add_wire(bytes, n, 200, 2, MORE);
    n = add_wire(bytes, n, 300, 3, 0);
    arrive(p, bytes, n);
    sf_pipe_accept(p, kept);
    sf_pipe_commit(p);
    sf_pipe_accept(p, 202);
    sf_pipe_forget(p);
    ck_assert_uint_eq(p->raw, n - kept - 202);
    ck_assert(!p->open);
    ck_works(hop_frames(p, SIZE_MAX));
    sf_pipe_publish(p);
    get_filled(p, 100, 1, 0);
    get_filled(p, 300, 3, 0);
    get_nothing(p);
}
END_TEST

START_TEST(discarded_bytes_leave_those_behind)
{
    uint8_t bytes[300];
    size_t n = add_wire(bytes, 0, 50, 9, 0), first = n;

    n = add_wire(bytes, n, 60, 1, 0);
    arrive(p, bytes, n);
    sf_pipe_discard(p, first);
    ck_assert_uint_eq(p->raw, n - first);
    ck_works(hop_frames(p, SIZE_MAX));
    sf_pipe_publish(p);
    get_filled(p, 60, 1, 0);
    arrive(p, bytes, first);
    sf_pipe_discard(p, first);
    ck_assert_uint_eq(p->raw, 0);
    get_nothing(p);
}
END_TEST

START_TEST(rollback_drops_raw_bytes_too)
{
    static uint8_t bytes[3000];
    size_t n = add_wire(bytes, add_wire(bytes, 0, 100, 1, 0), 2000, 2, MORE);

    arrive(p, bytes, n);
    arrive(p, bytes, 50);
    ck_works(hop_frames(p, 500));
    sf_pipe_rollback(p);
    ck_assert_uint_eq(p->raw, 0);
    sf_pipe_publish(p); /* what was whole is still to be shown */
    get_filled(p, 100, 1, 0);
    get_nothing(p);
    put_filled(p, 70, 3, 0);
    get_filled(p, 70, 3, 0);
}
END_TEST

START_TEST(messages_know_the_connection_they_came_by)
{
    struct sf_meta *meta[2] = {sf_meta_new(1), sf_meta_new(2)};
    uint8_t bytes[300];
    size_t n = add_wire(bytes, add_wire(bytes, 0, 100, 1, MORE), 5, 2, 0);
    struct sf_msg m;
    bool credit;

    for (int i = 0; i < 2; i++) {
        ck_assert_ptr_nonnull(meta[i]);
        sf_meta_unref(p->meta);
        p->meta = sf_meta_ref(meta[i]);
        arrive(p, bytes, n);
        ck_works(hop_frames(p, SIZE_MAX));
    }
    sf_pipe_publish(p);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(sf_pipe_get(p, &m, &credit), 0);
        ck_assert_ptr_eq(m.meta, meta[i / 2]);
        sf_msg_close(&m);
    }
    ck_assert_uint_eq(meta[1]->refs, 3); /* ours, the pipe's, its last chunk's */
    ck_assert_uint_eq(meta[0]->refs, 1);
    for (int i = 0; i < 2; i++)
        sf_meta_unref(meta[i]);
}
END_TEST

START_TEST(space_needs_memory_and_loses_nothing_without)
{
    static uint8_t bytes[20000];
    size_t n = add_wire(bytes, add_wire(bytes, 0, 100, 1, 0), 9000, 2, 0), room = 0;
    uint8_t *at = NULL;

    arrive(p, bytes, 300);
    ck_works(hop_frames(p, SIZE_MAX));
    sf_alloc_fail(1, 1);
    ck_assert_int_eq(sf_pipe_space(p, 9000, &at, &room), -ENOMEM);
    sf_alloc_fail(0, 0);
    ck_assert_int_eq(sf_pipe_space(p, SF_CHUNK_MAX, &at, &room), -ENOMEM);
    arrive(p, bytes + 300, n - 300);
    ck_works(hop_frames(p, SIZE_MAX));
    sf_pipe_publish(p);
    get_filled(p, 100, 1, 0);
    get_filled(p, 9000, 2, 0);
}
END_TEST

/* --- Random operations beside a model ---------------------------------- */

enum { MODEL_MAX = 100 };

struct model_frame {
    size_t size;
    unsigned seed, flags;
    uint64_t message; /* its number, from 1 */
};

static struct {
    struct model_frame frames[MODEL_MAX]; /* those whole, then those of the message under way */
    int n, whole;
    unsigned next_seed;
    uint64_t written, took, taken;
    int mark;
    bool wants;
} model;

static unsigned dice;

static size_t roll(size_t n)
{
    return (size_t)rand_r(&dice) % n;
}

static size_t random_size(void)
{
    switch (roll(6)) {
    case 0: return roll(40001);
    case 1: return SF_PIPE_INLINE - 2 + roll(5);
    case 2: return roll(1500);
    default: return roll(300);
    }
}

/* The reader took the first n frames. What the writer is told then. */
static bool model_take(int n)
{
    uint64_t half = model.mark ? ((uint64_t)model.mark + 1) / 2 : 64;
    bool tell = false;

    for (int i = 0; i < n; i++) {
        if (model.frames[i].flags & MORE)
            continue;
        if (++model.took - model.taken >= half) {
            model.taken = model.took;
            tell |= model.wants;
            model.wants = false;
        }
    }
    model.n -= n;
    model.whole -= n;
    memmove(model.frames, model.frames + n, (size_t)model.n * sizeof *model.frames);
    return tell;
}

static void random_write(void)
{
    struct model_frame *f = &model.frames[model.n];
    bool room = model.mark == 0 || model.written - model.taken < (uint64_t)model.mark;
    int err;

    if (model.n == MODEL_MAX)
        return;
    if (model.n > model.whole && roll(12) == 0) {
        sf_pipe_rollback(p);
        model.n = model.whole;
        return;
    }
    if (model.n == model.whole) {
        ck_assert_int_eq(sf_pipe_has_room(p), room);
        model.wants |= !room;
        if (!room)
            return;
    }
    f->size = random_size();
    f->seed = model.next_seed++;
    f->flags = roll(3) == 0 ? MORE : 0;
    if (roll(20) == 0)
        sf_alloc_fail(2, 0); /* the first is the message's own, if it needs any */
    err = put_frame(p, f->size, f->seed, f->flags);
    sf_alloc_fail(0, 0);
    if (err) {
        ck_assert_int_eq(err, -ENOMEM);
        model.n = model.whole;
        return;
    }
    model.n++;
    if (f->flags == 0) {
        model.whole = model.n;
        model.written++;
    }
}

START_TEST(random_reading_agrees_with_a_model)
{
    memset(&model, 0, sizeof model);
    dice = (unsigned)_i + 1;
    model.mark = _i % 4 ? (int)roll(20) + 1 : 0;
    sf_pipe_set_mark(p, 0, model.mark);
    for (int step = 0; step < 2000; step++) {
        bool write = roll(2), credit;

        for (size_t n = roll(12); n; n--) {
            if (write) {
                random_write();
            } else if (model.whole) {
                struct model_frame f = model.frames[0];

                ck_assert(sf_pipe_ready(p));
                credit = get_filled(p, f.size, f.seed, f.flags);
                ck_assert_int_eq(credit, model_take(1));
            } else {
                get_nothing(p);
            }
        }
        ck_assert_uint_eq(sf_pipe_depth(p), model.written - model.taken);
    }
    ck_assert_uint_gt(model.took, 100);
}
END_TEST

/* The frames that stand whole in the pipe, as bytes, and where the n-th ends. */
static uint8_t stream[MODEL_MAX * 41000];
static size_t frame_ends[MODEL_MAX];

static size_t model_stream(void)
{
    size_t at = 0;

    for (int i = 0; i < model.whole; i++) {
        const struct model_frame *f = &model.frames[i];

        at = add_wire(stream, at, f->size, f->seed, f->flags);
        frame_ends[i] = at;
    }
    return at;
}

START_TEST(random_draining_agrees_with_a_model)
{
    size_t ahead = 0; /* accepted bytes of messages that are not accepted whole */

    memset(&model, 0, sizeof model);
    dice = (unsigned)_i + 100;
    model.mark = _i % 4 ? (int)roll(20) + 1 : 0;
    sf_pipe_set_mark(p, 0, model.mark);
    for (int step = 0; step < 300; step++) {
        struct iovec iov[16];
        size_t all, bytes, limit, at, n_out, before;
        int n, frames_done = 0;

        for (size_t i = roll(10); i; i--)
            random_write();
        all = model_stream();
        if (roll(15) == 0) {
            sf_pipe_rewind(p);
            ahead = 0;
        }
        ck_assert_int_eq(sf_pipe_at_message(p), ahead == 0);
        ck_assert_int_eq(sf_pipe_drained(p), all == 0);
        limit = roll(2) ? roll(100000) : roll(500);
        n = sf_pipe_gather(p, iov, 1 + (int)roll(16), limit, &bytes);
        ck_assert_uint_le(bytes, limit);
        ck_assert_int_eq(n > 0, limit > 0 && all > ahead);
        at = ahead;
        for (int i = 0; i < n; i++) {
            ck_assert_uint_le(at + iov[i].iov_len, all);
            ck_assert_mem_eq(iov[i].iov_base, stream + at, iov[i].iov_len);
            at += iov[i].iov_len;
        }
        ck_assert_uint_eq(at, ahead + bytes);
        n_out = roll(3) ? bytes : roll(bytes + 1);
        ahead += n_out;
        for (int i = 0; i < model.whole && frame_ends[i] <= ahead; i++)
            if (model.frames[i].flags == 0)
                frames_done = i + 1;
        before = frames_done ? frame_ends[frames_done - 1] : 0;
        ck_assert_int_eq(sf_pipe_sent(p, n_out), model_take(frames_done));
        ahead -= before;
        if (ahead) { /* to the end of the message that is under way */
            int end = frames_done;

            while (model.frames[end - frames_done].flags)
                end++;
            ck_assert_uint_eq(sf_pipe_rest(p), frame_ends[end] - before - ahead);
        }
        ck_assert_uint_eq(sf_pipe_depth(p), model.written - model.taken);
    }
    ck_assert_uint_gt(model.took, 100);
}
END_TEST

START_TEST(random_arrivals_agree_with_a_model)
{
    enum { COUNT_MAX = 300 };
    static struct model_frame sent[COUNT_MAX];
    static uint8_t bytes[COUNT_MAX * 41000];
    size_t size = 0, at = 0, big;
    int n = 0, read = 0;

    dice = (unsigned)_i + 200;
    big = _i % 2 ? 2000 : 32768;
    while (n < COUNT_MAX) {
        struct model_frame *f = &sent[n];

        if (roll(4) == 0) {
            size = add_wire(bytes, size, roll(600), 0, COMMAND);
            continue;
        }
        f->size = random_size();
        f->seed = (unsigned)n;
        f->flags = n < COUNT_MAX - 1 && roll(3) == 0 ? MORE : 0;
        if (roll(8) == 0 && f->size < 256) { /* peers may write the long form of any size */
            bytes[size++] = (uint8_t)(f->flags | SF_FRAME_LONG);
            sf_frame_put64(bytes + size, f->size);
            size += 8;
            fill_bytes(bytes + size, f->size, f->seed);
            size += f->size;
        } else {
            size = add_wire(bytes, size, f->size, f->seed, f->flags);
        }
        n++;
    }
    while (at < size) {
        size_t part = roll(2) ? roll(70000) : roll(100);

        if (part > size - at)
            part = size - at;
        p->bulk = roll(2);
        arrive(p, bytes + at, part);
        at += part;
        ck_works(hop_frames(p, big));
        if (roll(3))
            sf_pipe_publish(p);
        while (read < n && roll(10) && sf_pipe_ready(p)) {
            get_filled(p, sent[read].size, sent[read].seed, sent[read].flags);
            read++;
        }
    }
    sf_pipe_publish(p);
    for (; read < n; read++)
        get_filled(p, sent[read].size, sent[read].seed, sent[read].flags);
    get_nothing(p);
    ck_assert_uint_eq(p->raw, 0);
    ck_assert_uint_eq(p->written, p->took);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipe");
    TCase *c = new_bare_case(suite, "pipe");

    tcase_add_checked_fixture(c, open_pipe, close_pipe);
    tcase_add_test(c, an_empty_pipe_has_nothing);
    tcase_add_test(c, without_memory_there_is_no_pipe);
    tcase_add_loop_test(c, frames_come_out_as_they_went_in, 0, SIZES);
    tcase_add_test(c, large_bytes_are_shared_and_medium_ones_stay_in_the_chunk);
    tcase_add_test(c, messages_outlive_their_pipe);
    tcase_add_test(c, the_last_reference_frees_what_nobody_read);
    tcase_add_loop_test(c, nothing_shows_before_the_last_frame, 0, SIZES);
    tcase_add_loop_test(c, whole_messages_show_while_another_is_under_way, 0, SIZES);
    tcase_add_loop_test(c, what_is_rolled_back_never_shows, 0, SIZES);
    tcase_add_test(c, rollback_lets_go_of_large_bytes);
    tcase_add_test(c, a_refused_allocation_takes_the_whole_message_back);
    tcase_add_test(c, a_refused_command_changes_nothing);
    tcase_add_test(c, a_command_is_a_message_of_its_own);
    tcase_add_loop_test(c, a_command_goes_before_the_message_under_way, 0, SIZES);
    tcase_add_test(c, a_refused_command_leaves_the_message_under_way);
    tcase_add_test(c, the_marks_of_both_ends_add_up);
    tcase_add_test(c, an_empty_pipe_shrinks_and_begins_anew);
    tcase_add_test(c, large_chunks_before_a_small_one_are_waited_for);
    tcase_add_test(c, a_chunk_with_much_in_it_goes_when_it_is_read);
    tcase_add_test(c, a_chunk_that_was_begun_in_vain_is_given_back);
    tcase_add_test(c, marks_set_by_both_ends_at_once_both_count);
    tcase_add_loop_test(c, a_mark_lets_so_many_messages_in, 0, 12);
    tcase_add_test(c, room_is_told_once_and_only_to_who_asked);
    tcase_add_test(c, without_a_mark_there_is_always_room);
    tcase_add_test(c, a_raised_mark_gives_room_at_once);
    tcase_add_test(c, a_lowered_mark_waits_until_fewer_are_in);
    tcase_add_test(c, a_reader_that_looks_again_tells_by_the_lowered_mark);
    tcase_add_test(c, a_sleeper_is_woken_once);
    tcase_add_loop_test(c, drop_counts_and_frees_what_is_published, 0, 2);
    tcase_add_loop_test(c, conflation_keeps_the_newest, 0, SIZES);
    tcase_add_loop_test(c, a_conflated_message_is_sent_whole_before_a_newer_one, 0, SIZES);
    tcase_add_test(c, a_conflated_message_waits_for_memory);
    tcase_add_test(c, bytes_go_out_whatever_is_accepted_at_a_time);
    tcase_add_test(c, bytes_go_out_in_steps_of_any_size);
    tcase_add_test(c, large_bytes_are_kept_until_their_message_is_accepted);
    tcase_add_loop_test(c, accepted_messages_give_room_by_halves, 0, 12);
    tcase_add_test(c, frames_are_handed_to_framing_steps_one_by_one);
    tcase_add_test(c, framed_messages_give_room_by_halves);
    tcase_add_test(c, what_was_accepted_before_a_drop_is_not_dropped);
    tcase_add_loop_test(c, arriving_bytes_become_frames_wherever_they_are_cut, 0, 2);
    tcase_add_test(c, commits_show_when_published);
    tcase_add_test(c, skipped_frames_are_passed_over);
    tcase_add_test(c, a_skipped_frame_alone_shows_nothing);
    tcase_add_test(c, forgotten_frames_leave_the_raw_bytes);
    tcase_add_test(c, discarded_bytes_leave_those_behind);
    tcase_add_test(c, rollback_drops_raw_bytes_too);
    tcase_add_test(c, messages_know_the_connection_they_came_by);
    tcase_add_test(c, space_needs_memory_and_loses_nothing_without);
    tcase_add_loop_test(c, random_reading_agrees_with_a_model, 0, 8);
    tcase_add_loop_test(c, random_draining_agrees_with_a_model, 0, 8);
    tcase_add_loop_test(c, random_arrivals_agree_with_a_model, 0, 8);
    return run_suite(suite);
}
