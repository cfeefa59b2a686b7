/* Messages hold their bytes, share them when asked, and let go of them exactly once. */
#include "wire/msg.h"
#include "base/alloc.h"
#include "base/park.h"
#include "support.h"
#include "wire/chunk.h"

static const size_t sizes[] = {0, 1, 32, SF_MSG_INLINE, SF_MSG_INLINE + 1, 255, 256, 8192, 100000};

enum { SIZES = sizeof sizes / sizeof *sizes, THREADS = 4, ROUNDS = 5000 };

static struct sf_meta *new_meta(void)
{
    static const char text[] = "Socket-Type\0PUSH\0Identity\0\0User-Id\0me";
    struct sf_meta *m = sf_meta_new(sizeof text);

    ck_assert_ptr_nonnull(m);
    memcpy(m->text, text, sizeof text);
    return m;
}

static void ck_filled(struct sf_msg *m, size_t size, unsigned seed)
{
    ck_assert(sf_msg_valid(m));
    ck_assert_uint_eq(sf_msg_size(m), size);
    ck_assert_uint_eq(good_bytes(sf_msg_data(m), size, seed), size);
}

/* --- Making ------------------------------------------------------------ */

START_TEST(memory_without_a_message_is_not_valid)
{
    struct sf_msg m;

    ck_assert(!sf_msg_valid(NULL));
    memset(&m, 0, sizeof m);
    ck_assert(!sf_msg_valid(&m));
    memset(&m, 0xff, sizeof m);
    ck_assert(!sf_msg_valid(&m));
    sf_msg_init(&m);
    ck_assert(sf_msg_valid(&m));
    ck_assert_uint_eq(sf_msg_size(&m), 0);
    ck_assert(!sf_msg_more(&m));
    m.check ^= 1;
    ck_assert(!sf_msg_valid(&m));
    m.check ^= 1;
    sf_msg_close(&m);
    ck_assert(!sf_msg_valid(&m));
}
END_TEST

START_TEST(bytes_of_any_size_are_held)
{
    uint8_t bytes[100000];
    struct sf_msg m;

    fill_bytes(bytes, sizes[_i], 1);
    ck_works(sf_msg_init_copy(&m, sizes[_i] ? bytes : NULL, sizes[_i]));
    ck_filled(&m, sizes[_i], 1);
    ck_assert_int_eq(m.kind, sizes[_i] <= SF_MSG_INLINE ? SF_MSG_SMALL : SF_MSG_SLICE);
    sf_msg_close(&m);
    ck_works(sf_msg_init_size(&m, sizes[_i]));
    fill_bytes(sf_msg_data(&m), sizes[_i], 2);
    ck_filled(&m, sizes[_i], 2);
    sf_msg_close(&m);
}
END_TEST

START_TEST(without_memory_only_small_messages_are_made)
{
    uint8_t bytes[100000] = {0};
    struct sf_msg m;

    sf_alloc_fail(1, 1);
    ck_assert_int_eq(sf_msg_init_size(&m, sizes[_i]), sizes[_i] <= SF_MSG_INLINE ? 0 : -ENOMEM);
    ck_assert_int_eq(sf_msg_init_copy(&m, bytes, sizes[_i]),
                     sizes[_i] <= SF_MSG_INLINE ? 0 : -ENOMEM);
    sf_alloc_fail(0, 0);
    ck_assert_int_eq(sf_msg_init_size(&m, SIZE_MAX), -ENOMEM);
    ck_assert_int_eq(sf_msg_init_size(&m, SIZE_MAX - 15), -ENOMEM);
    ck_assert_int_eq(sf_msg_init_size(&m, SIZE_MAX / 2), -ENOMEM);
}
END_TEST

START_TEST(a_small_message_may_be_moved_as_bytes)
{
    struct sf_msg m, moved;

    ck_works(sf_msg_init_copy(&m, "text", 4));
    memcpy(&moved, &m, sizeof m);
    memset(&m, 0xff, sizeof m);
    ck_assert_mem_eq(sf_msg_data(&moved), "text", 4);
    sf_msg_close(&moved);
}
END_TEST

/* --- The application's buffers ----------------------------------------- */

struct freed {
    void *data;
    int count;
};

static void count_free(void *data, void *hint)
{
    struct freed *f = hint;

    f->data = data;
    f->count++;
}

START_TEST(a_callers_buffer_is_freed_when_the_last_holder_closes)
{
    struct freed freed = {0};
    uint8_t bytes[100];
    struct sf_msg m, copies[3];

    ck_works(sf_msg_init_data(&m, bytes, _i ? sizeof bytes : 0, count_free, &freed));
    ck_assert_ptr_eq(sf_msg_data(&m), bytes);
    ck_assert_uint_eq(sf_msg_size(&m), _i ? sizeof bytes : 0);
    for (int i = 0; i < 3; i++)
        sf_msg_share(&copies[i], &m);
    sf_msg_close(&m);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(freed.count, 0);
        ck_assert_ptr_eq(sf_msg_data(&copies[i]), bytes);
        sf_msg_close(&copies[i]);
    }
    ck_assert_int_eq(freed.count, 1);
    ck_assert_ptr_eq(freed.data, bytes);
}
END_TEST

START_TEST(without_memory_the_callers_buffer_stays_his)
{
    struct freed freed = {0};
    uint8_t bytes[100];
    struct sf_msg m;

    sf_alloc_fail(1, 1);
    ck_assert_int_eq(sf_msg_init_data(&m, bytes, sizeof bytes, count_free, &freed), -ENOMEM);
    ck_works(sf_msg_init_data(&m, bytes, sizeof bytes, NULL, NULL)); /* needs none */
    sf_alloc_fail(0, 0);
    sf_msg_close(&m);
    ck_assert_int_eq(freed.count, 0);
}
END_TEST

START_TEST(free_functions_wait_for_the_last_release)
{
    struct freed freed[3] = {{0}, {0}, {0}};
    uint8_t bytes[10];
    struct sf_msg m;

    sf_owner_hold();
    for (int i = 0; i < 3; i++) {
        ck_works(sf_msg_init_data(&m, bytes + i, 1, count_free, &freed[i]));
        if (i == 1)
            sf_owner_hold();
        sf_msg_close(&m);
        if (i == 1)
            sf_owner_release();
        ck_assert_int_eq(freed[i].count, 0);
    }
    errno = 1234;
    sf_owner_release();
    ck_assert_int_eq(errno, 1234);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(freed[i].count, 1);
        ck_assert_ptr_eq(freed[i].data, bytes + i);
    }
    ck_works(sf_msg_init_data(&m, bytes, 1, count_free, &freed[0]));
    sf_msg_close(&m); /* nothing is held: at once */
    ck_assert_int_eq(freed[0].count, 2);
}
END_TEST

/* --- A free function that rings a thread, and waits for its answer, again and again. --- */

enum { RINGS = 20 };
static struct sf_bell bell;
static _Atomic int asked, answered;

static void *answer_rings(void *arg)
{
    for (int i = 1; i <= RINGS; i++) {
        while (atomic_load(&asked) != i) {
            uint32_t ticket = sf_bell_enter(&bell);

            if (atomic_load(&asked) != i)
                sf_bell_wait(&bell, ticket, -1);
            sf_bell_leave(&bell);
        }
        atomic_store(&answered, i);
    }
    return arg;
}

static void ask_by_rings(void *data, void *hint)
{
    (void)data;
    (void)hint;
    for (int i = 1; i <= RINGS; i++) {
        eventually(atomic_load(&bell.waiters) == 1);
        poll(NULL, 0, 1); /* asleep by now, most likely */
        atomic_store(&asked, i);
        sf_bell_ring(&bell);
        eventually(atomic_load(&answered) == i);
    }
}

START_TEST(what_a_free_function_rings_is_woken_at_once)
{
    pthread_t thread = start_thread(answer_rings, NULL);
    uint8_t byte = 0;
    struct sf_msg m;

    ck_works(sf_msg_init_data(&m, &byte, 1, ask_by_rings, NULL));
    sf_bells_hold();
    sf_msg_close(&m);
    ck_assert(sf_bells_release()); /* for the rest they are held as before */
    pthread_join(thread, NULL);
}
END_TEST

/* A free function that closes a message whose free function does the same, and so on. */
static struct {
    struct sf_msg next[100];
    int at, running, deepest;
} chain;

static void free_next(void *data, void *hint)
{
    (void)data, (void)hint;
    chain.running++;
    if (chain.running > chain.deepest)
        chain.deepest = chain.running;
    if (chain.at < COUNT(chain.next)) {
        sf_owner_hold(); /* as every call of the library does */
        sf_msg_close(&chain.next[chain.at++]);
        sf_owner_release();
    }
    errno = 4321;
    chain.running--;
}

START_TEST(free_functions_that_free_do_not_nest)
{
    static uint8_t byte;

    chain.at = 1;
    for (int i = 0; i < COUNT(chain.next); i++)
        ck_works(sf_msg_init_data(&chain.next[i], &byte, 1, free_next, NULL));
    if (_i)
        sf_owner_hold();
    errno = 1234;
    sf_msg_close(&chain.next[0]);
    if (_i) {
        sf_owner_release();
        ck_assert_int_eq(errno, 1234); /* what the call answers is not a free function's */
    }
    ck_assert_int_eq(chain.at, COUNT(chain.next));
    ck_assert_int_eq(chain.deepest, 1);
}
END_TEST

/* --- Moving, sharing, cutting ------------------------------------------ */

START_TEST(a_moved_message_leaves_an_empty_one)
{
    struct freed freed = {0};
    uint8_t bytes[100000];
    struct sf_msg from, to;

    fill_bytes(bytes, sizes[_i], 3);
    ck_works(sf_msg_init_copy(&from, bytes, sizes[_i]));
    from.flags = SF_MSG_MORE;
    ck_works(sf_msg_init_data(&to, bytes, 1, count_free, &freed));
    sf_msg_move(&to, &from);
    ck_assert_int_eq(freed.count, 1);
    ck_filled(&to, sizes[_i], 3);
    ck_assert(sf_msg_more(&to));
    ck_filled(&from, 0, 0);
    ck_assert(!sf_msg_more(&from));
    sf_msg_move(&to, &to);
    ck_filled(&to, sizes[_i], 3);
    sf_msg_close(&to);
    sf_msg_close(&from);
}
END_TEST

START_TEST(shared_messages_live_on_their_own)
{
    uint8_t bytes[100000];
    struct sf_msg a, b;

    fill_bytes(bytes, sizes[_i], 4);
    ck_works(sf_msg_init_copy(&a, bytes, sizes[_i]));
    a.meta = new_meta();
    sf_msg_share(&b, &a);
    ck_assert_uint_eq(a.meta->refs, 2);
    if (sizes[_i] > SF_MSG_INLINE) {
        ck_assert_ptr_eq(sf_msg_data(&a), sf_msg_data(&b));
        ck_assert(a.flags & b.flags & SF_MSG_SHARED);
    } else {
        ck_assert_ptr_ne(sf_msg_data(&a), sf_msg_data(&b));
        ck_assert(!((a.flags | b.flags) & SF_MSG_SHARED));
    }
    sf_msg_close(&a);
    ck_filled(&b, sizes[_i], 4);
    ck_assert_str_eq(sf_meta_get(b.meta, "Socket-Type"), "PUSH");
    sf_msg_close(&b);
}
END_TEST

START_TEST(a_slice_takes_its_owners_reference)
{
    struct sf_owner *o = sf_owner_new(100);
    struct sf_msg m;

    ck_assert_ptr_nonnull(o);
    fill_bytes(sf_owner_bytes(o), 100, 6);
    sf_msg_init_slice(&m, sf_owner_bytes(o), 100, sf_owner_ref(o));
    ck_assert_uint_eq(o->refs, 2);
    sf_msg_close(&m);
    ck_assert_uint_eq(o->refs, 1);
    ck_assert_uint_eq(good_bytes(sf_owner_bytes(o), 100, 6), 100);
    sf_owner_unref(o);
    ck_assert_ptr_null(sf_owner_ref(NULL));
    sf_owner_unref(NULL);
    sf_msg_init_slice(&m, (uint8_t *)"constant", 8, NULL);
    ck_assert_mem_eq(sf_msg_data(&m), "constant", 8);
    sf_msg_close(&m);
}
END_TEST

/* --- What is known of a connection ------------------------------------- */

START_TEST(properties_are_found_by_their_whole_name)
{
    struct sf_meta *m = new_meta();

    ck_assert_int_eq(m->fd, -1);
    ck_assert_str_eq(sf_meta_get(m, "Socket-Type"), "PUSH");
    ck_assert_str_eq(sf_meta_get(m, "Identity"), "");
    ck_assert_str_eq(sf_meta_get(m, "User-Id"), "me");
    ck_assert_ptr_null(sf_meta_get(m, "PUSH")); /* a value is no name */
    ck_assert_ptr_null(sf_meta_get(m, "Socket"));
    ck_assert_ptr_null(sf_meta_get(m, "User-Ids"));
    ck_assert_ptr_null(sf_meta_get(NULL, "User-Id"));
    ck_assert_ptr_eq(sf_meta_ref(m), m);
    sf_meta_unref(m);
    ck_assert_str_eq(sf_meta_get(m, "User-Id"), "me");
    sf_meta_unref(m);
    sf_meta_unref(NULL);
    ck_assert_ptr_null(sf_meta_ref(NULL));
}
END_TEST

START_TEST(properties_need_memory)
{
    struct sf_meta *m;

    sf_alloc_fail(1, 0);
    ck_assert_ptr_null(sf_meta_new(10));
    sf_alloc_fail(0, 0);
    m = sf_meta_new(0);
    ck_assert_ptr_nonnull(m);
    ck_assert_ptr_null(sf_meta_get(m, "any"));
    sf_meta_unref(m);
}
END_TEST

/* --- Threads ----------------------------------------------------------- */

static struct sf_msg common;
static _Atomic int frees;

static void count_atomically(void *data, void *hint)
{
    (void)hint;
    memset(data, 0xee, 1000); /* TSan: all who read have done so */
    atomic_fetch_add(&frees, 1);
}

static void *share_and_close(void *arg)
{
    struct sf_msg mine = *(struct sf_msg *)arg;

    for (int i = 0; i < ROUNDS; i++) {
        struct sf_msg copy;

        sf_msg_share(&copy, &mine);
        ck_filled(&copy, 1000, 7);
        sf_msg_close(i % 2 ? &copy : &mine);
        if (i % 2 == 0)
            mine = copy;
    }
    sf_msg_close(&mine);
    return NULL;
}

START_TEST(threads_share_bytes_and_the_last_frees)
{
    static uint8_t bytes[1000];

    atomic_store(&frees, 0);
    for (int round = 1; round <= 3; round++) {
        pthread_t threads[THREADS];
        struct sf_msg parts[THREADS];

        fill_bytes(bytes, sizeof bytes, 7);
        ck_works(sf_msg_init_data(&common, bytes, sizeof bytes, count_atomically, NULL));
        common.meta = new_meta();
        for (int i = 0; i < THREADS; i++)
            sf_msg_share(&parts[i], &common);
        for (int i = 0; i < THREADS; i++)
            threads[i] = start_thread(share_and_close, &parts[i]);
        sf_msg_close(&common);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        ck_assert_int_eq(atomic_load(&frees), round);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("msg");
    TCase *c = new_bare_case(suite, "msg");

    tcase_add_test(c, memory_without_a_message_is_not_valid);
    tcase_add_loop_test(c, bytes_of_any_size_are_held, 0, SIZES);
    tcase_add_loop_test(c, without_memory_only_small_messages_are_made, 0, SIZES);
    tcase_add_test(c, a_small_message_may_be_moved_as_bytes);
    tcase_add_loop_test(c, a_callers_buffer_is_freed_when_the_last_holder_closes, 0, 2);
    tcase_add_test(c, without_memory_the_callers_buffer_stays_his);
    tcase_add_test(c, free_functions_wait_for_the_last_release);
    tcase_add_test(c, what_a_free_function_rings_is_woken_at_once);
    tcase_add_loop_test(c, free_functions_that_free_do_not_nest, 0, 2);
    tcase_add_loop_test(c, a_moved_message_leaves_an_empty_one, 0, SIZES);
    tcase_add_loop_test(c, shared_messages_live_on_their_own, 0, SIZES);
    tcase_add_test(c, a_slice_takes_its_owners_reference);
    tcase_add_test(c, properties_are_found_by_their_whole_name);
    tcase_add_test(c, properties_need_memory);
    tcase_add_test(c, threads_share_bytes_and_the_last_frees);
    return run_suite(suite);
}
