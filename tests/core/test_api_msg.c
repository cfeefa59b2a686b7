/* Messages: bytes that are owned, shared, moved and freed once. */
#include "support.h"

#include <stdatomic.h>

/* Across what a message may keep inside itself, and what it shares. */
static const size_t sizes[] = {0, 1, 29, 30, 31, 32, 33, 34, 35, 64, 100, 1000, 8192, 8193, 100000, 300000};

/* What a free function was told, and how often. */
struct freed {
    atomic_int times;
    void *data;
};

static void note_free(void *data, void *hint)
{
    struct freed *f = hint;

    f->data = data;
    atomic_fetch_add(&f->times, 1);
    free(data);
}

static void init_own(sifr_msg_t *m, size_t size, unsigned seed, struct freed *f)
{
    void *data = malloc(size + 1);

    ck_assert_ptr_nonnull(data);
    fill_bytes(data, size, seed);
    atomic_store(&f->times, 0);
    f->data = NULL;
    ck_works(sifr_msg_init_data(m, data, size, note_free, f));
    ck_assert_ptr_eq(sifr_msg_data(m), data);
    ck_assert_uint_eq(sifr_msg_size(m), size);
}

static void init_filled(sifr_msg_t *m, size_t size, unsigned seed)
{
    ck_works(sifr_msg_init_size(m, size));
    fill_bytes(sifr_msg_data(m), size, seed);
}

static void check_filled(sifr_msg_t *m, size_t size, unsigned seed)
{
    ck_assert_uint_eq(sifr_msg_size(m), size);
    ck_assert_ptr_nonnull(sifr_msg_data(m));
    ck_assert_uint_eq(good_bytes(sifr_msg_data(m), size, seed), size);
}

START_TEST(a_new_message_is_empty_or_has_the_size_asked_for)
{
    sifr_msg_t m;

    ck_assert_uint_eq(sizeof m, 64);
    memset(&m, 0xee, sizeof m);
    ck_works(sifr_msg_init(&m));
    check_filled(&m, 0, 0);
    ck_assert_int_eq(sifr_msg_more(&m), 0);
    ck_works(sifr_msg_close(&m));
    for (int i = 0; i < COUNT(sizes); i++) {
        init_filled(&m, sizes[i], 1);
        check_filled(&m, sizes[i], 1);
        ck_assert_uint_eq((uintptr_t)sifr_msg_data(&m) % 8, 0);
        ck_works(sifr_msg_close(&m));
    }
}
END_TEST

START_TEST(a_message_may_begin_as_a_copy_of_bytes)
{
    static uint8_t bytes[300000];
    sifr_msg_t m;

    fill_bytes(bytes, sizeof bytes, 2);
    for (int i = 0; i < COUNT(sizes); i++) {
        ck_works(sifr_msg_init_buffer(&m, bytes, sizes[i]));
        ck_assert_ptr_ne(sifr_msg_data(&m), bytes);
        check_filled(&m, sizes[i], 2);
        ck_works(sifr_msg_close(&m));
    }
    ck_works(sifr_msg_init_buffer(&m, NULL, 0));
    check_filled(&m, 0, 0);
    ck_works(sifr_msg_close(&m));
    ck_fails(sifr_msg_init_buffer(&m, NULL, 1), EFAULT);
}
END_TEST

START_TEST(what_is_too_large_gives_enomem)
{
    static const size_t huge[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 63, SIZE_MAX / 2, SIZE_MAX / 2 + 1};
    sifr_msg_t m;

    for (int i = 0; i < COUNT(huge); i++)
        ck_fails(sifr_msg_init_size(&m, huge[i]), ENOMEM);
}
END_TEST

START_TEST(closed_or_blank_messages_are_refused)
{
    sifr_socket_t *a, *b;
    sifr_msg_t bad, good;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, 2 * INPROC);
    for (int kind = 0; kind < 3; kind++) {
        memset(&bad, kind == 1 ? 0xff : 0, sizeof bad);
        if (kind == 2) {
            ck_works(sifr_msg_init(&bad));
            ck_works(sifr_msg_close(&bad));
        }
        ck_works(sifr_msg_init_buffer(&good, "good", 4));
        ck_fails(sifr_msg_close(&bad), EFAULT);
        ck_fails(sifr_msg_close(&bad), EFAULT);
        ck_fails(sifr_msg_copy(&good, &bad), EFAULT);
        ck_fails(sifr_msg_copy(&bad, &good), EFAULT);
        ck_fails(sifr_msg_move(&good, &bad), EFAULT);
        ck_fails(sifr_msg_move(&bad, &good), EFAULT);
        ck_fails(sifr_msg_send(&bad, a, 0), EFAULT);
        ck_fails(sifr_msg_recv(&bad, a, 0), EFAULT);
        ck_fails(sifr_msg_get(&bad, SIFR_MORE), EFAULT);
        ck_fails_null(sifr_msg_data(&bad), EFAULT);
        ck_fails_null(sifr_msg_gets(&bad, "Socket-Type"), EFAULT);
        errno = 0;
        ck_assert_uint_eq(sifr_msg_size(&bad), 0);
        ck_assert_int_eq(errno, EFAULT);
        errno = 0;
        ck_assert_int_eq(sifr_msg_more(&bad), 0);
        ck_assert_int_eq(errno, EFAULT);
        ck_assert_uint_eq(sifr_msg_size(&good), 4);
        ck_assert_mem_eq(sifr_msg_data(&good), "good", 4);
        ck_works(sifr_msg_close(&good));
    }
    ck_fails(sifr_msg_close(NULL), EFAULT);
    ck_fails(sifr_msg_send(NULL, a, 0), EFAULT);
    ck_fails(sifr_msg_recv(NULL, a, 0), EFAULT);
}
END_TEST

START_TEST(own_bytes_are_freed_once_when_the_last_user_is_gone)
{
    for (int i = 0; i < COUNT(sizes); i++) {
        struct freed f;
        sifr_msg_t m, copy, third;
        void *data;

        init_own(&m, sizes[i], 3, &f);
        data = sifr_msg_data(&m);
        sifr_msg_init(&copy);
        sifr_msg_init(&third);
        ck_works(sifr_msg_copy(&copy, &m));
        ck_works(sifr_msg_copy(&third, &copy));
        check_filled(&copy, sizes[i], 3);
        ck_works(sifr_msg_close(&m));
        check_filled(&copy, sizes[i], 3);
        ck_fails(sifr_msg_move(&m, &copy), EFAULT); /* m is closed */
        ck_works(sifr_msg_close(&copy));
        check_filled(&third, sizes[i], 3);
        ck_works(sifr_msg_close(&third));
        ck_assert_int_eq(atomic_load(&f.times), 1);
        ck_assert_ptr_eq(f.data, data);
    }
}
END_TEST

START_TEST(constant_bytes_are_never_freed)
{
    static char text[] = "constant";
    sifr_msg_t m, copy;

    ck_works(sifr_msg_init_data(&m, text, sizeof text, NULL, NULL));
    ck_assert_ptr_eq(sifr_msg_data(&m), text);
    ck_assert_int_eq(sifr_msg_get(&m, SIFR_SHARED), 1);
    sifr_msg_init(&copy);
    ck_works(sifr_msg_copy(&copy, &m));
    ck_assert_mem_eq(sifr_msg_data(&copy), text, sizeof text);
    ck_works(sifr_msg_close(&m));
    ck_works(sifr_msg_close(&copy));
    ck_works(sifr_msg_init_data(&m, NULL, 0, NULL, NULL));
    ck_assert_uint_eq(sifr_msg_size(&m), 0);
    ck_works(sifr_msg_close(&m));
    ck_fails(sifr_msg_init_data(&m, NULL, 1, NULL, NULL), EFAULT);
}
END_TEST

START_TEST(a_copy_shares_what_is_large_and_outlives_the_original)
{
    for (int i = 0; i < COUNT(sizes); i++) {
        sifr_msg_t m, copy;

        init_filled(&m, sizes[i], 4);
        ck_assert_int_eq(sifr_msg_get(&m, SIFR_SHARED), 0);
        init_filled(&copy, 50, 9); /* released by the copy */
        ck_works(sifr_msg_copy(&copy, &m));
        if (sizes[i] > 64) {
            ck_assert_ptr_eq(sifr_msg_data(&copy), sifr_msg_data(&m));
            ck_assert_int_eq(sifr_msg_get(&m, SIFR_SHARED), 1);
            ck_assert_int_eq(sifr_msg_get(&copy, SIFR_SHARED), 1);
        }
        check_filled(&m, sizes[i], 4);
        ck_works(sifr_msg_close(&m));
        check_filled(&copy, sizes[i], 4);
        ck_works(sifr_msg_close(&copy));
    }
}
END_TEST

START_TEST(a_move_empties_its_source)
{
    for (int i = 0; i < COUNT(sizes); i++) {
        struct freed f, g;
        sifr_msg_t from, to;

        init_own(&from, sizes[i], 5, &f);
        init_own(&to, 10, 6, &g);
        ck_works(sifr_msg_move(&to, &from));
        ck_assert_int_eq(atomic_load(&g.times), 1);
        ck_assert_int_eq(atomic_load(&f.times), 0);
        ck_assert_uint_eq(sifr_msg_size(&from), 0);
        check_filled(&to, sizes[i], 5);
        ck_works(sifr_msg_move(&to, &to));
        check_filled(&to, sizes[i], 5);
        ck_works(sifr_msg_close(&from));
        ck_works(sifr_msg_close(&to));
        ck_assert_int_eq(atomic_load(&f.times), 1);
    }
}
END_TEST

START_TEST(a_message_may_be_carried_elsewhere_in_memory)
{
    for (int i = 0; i < COUNT(sizes); i++) {
        struct {
            uint64_t shift;
            sifr_msg_t m;
        } here[3];

        init_filled(&here[0].m, sizes[i], 7);
        memcpy(&here[1].m, &here[0].m, sizeof(sifr_msg_t));
        memset(&here[0].m, 0xdd, sizeof(sifr_msg_t));
        check_filled(&here[1].m, sizes[i], 7);
        memcpy(&here[2].m, &here[1].m, sizeof(sifr_msg_t));
        memset(&here[1].m, 0xdd, sizeof(sifr_msg_t));
        check_filled(&here[2].m, sizes[i], 7);
        ck_works(sifr_msg_close(&here[2].m));
    }
}
END_TEST

START_TEST(a_message_sent_is_empty_and_one_not_sent_unchanged)
{
    sifr_socket_t *a = new_socket(SIFR_PAIR), *b = new_socket(SIFR_PAIR);
    sifr_msg_t m;

    for (int i = 0; i < COUNT(sizes); i++) {
        struct freed f;
        void *data;

        init_own(&m, sizes[i], 8, &f);
        data = sifr_msg_data(&m);
        if (i == 0) {
            ck_fails(sifr_msg_send(&m, a, SIFR_DONTWAIT), EAGAIN);
            link_sockets(a, b, _i);
        } else {
            ck_fails(sifr_msg_send(&m, NULL, 0), ENOTSOCK);
        }
        ck_assert_ptr_eq(sifr_msg_data(&m), data);
        check_filled(&m, sizes[i], 8);
        ck_assert_int_eq(atomic_load(&f.times), 0);
        ck_assert_int_eq(sifr_msg_send(&m, a, 0), (int)sizes[i]);
        ck_assert_uint_eq(sifr_msg_size(&m), 0);
        recv_filled(b, sizes[i], 8, false);
        ck_assert_uint_eq(sifr_msg_size(&m), 0);
        ck_works(sifr_msg_close(&m));
        eventually(atomic_load(&f.times) == 1);
        ck_assert_ptr_eq(f.data, data);
    }
}
END_TEST

START_TEST(receiving_releases_what_the_message_held)
{
    sifr_socket_t *a, *b;
    struct freed f;
    sifr_msg_t m;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    init_own(&m, 1000, 1, &f);
    send_parts(a, "new", "parts");
    ck_assert_int_eq(sifr_msg_recv(&m, b, 0), 3);
    ck_assert_int_eq(atomic_load(&f.times), 1);
    ck_assert_int_eq(sifr_msg_more(&m), 1);
    ck_assert_int_eq(sifr_msg_get(&m, SIFR_MORE), 1);
    ck_assert_int_eq(sifr_msg_recv(&m, b, 0), 5);
    ck_assert_int_eq(sifr_msg_more(&m), 0);
    ck_fails(sifr_msg_recv(&m, b, SIFR_DONTWAIT), EAGAIN);
    ck_works(sifr_msg_close(&m));
}
END_TEST

START_TEST(whether_more_follows_is_told_by_the_flags_alone)
{
    sifr_socket_t *a, *b;
    sifr_msg_t m, copy;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    send_parts(a, "first", "second");
    sifr_msg_init(&m);
    sifr_msg_init(&copy);
    ck_assert_int_eq(sifr_msg_recv(&m, b, 0), 5);
    ck_assert_int_eq(sifr_msg_more(&m), 1);
    ck_works(sifr_msg_copy(&copy, &m));
    ck_assert_int_eq(sifr_msg_more(&copy), 1);
    ck_assert_int_eq(sifr_recv(b, NULL, 0, 0), 6);
    ck_assert_int_eq(sifr_msg_send(&m, b, 0), 5);
    recv_parts(a, "first");
    ck_works(sifr_msg_close(&m));
    ck_works(sifr_msg_close(&copy));
}
END_TEST

START_TEST(bytes_sent_to_many_are_freed_when_all_have_them)
{
    sifr_socket_t *pub = new_socket(SIFR_XPUB), *subs[4];
    struct endpoint e = bind_fresh(pub, (enum transport)_i);
    struct freed f;
    sifr_msg_t m;

    init_own(&m, 100000, 2, &f); /* to nobody */
    ck_assert_int_eq(sifr_msg_send(&m, pub, 0), 100000);
    ck_works(sifr_msg_close(&m));
    eventually(atomic_load(&f.times) == 1);
    set_int(pub, SIFR_XPUB_VERBOSE, 1);
    for (int i = 0; i < COUNT(subs); i++) {
        subs[i] = new_socket(SIFR_SUB);
        ck_works(sifr_setsockopt(subs[i], SIFR_SUBSCRIBE, NULL, 0));
        connect_to(subs[i], &e);
        recv_bytes(pub, "\1", 1, false);
    }
    init_own(&m, 100000, 2, &f);
    ck_assert_int_eq(sifr_msg_send(&m, pub, 0), 100000);
    for (int i = 0; i < COUNT(subs); i++)
        recv_filled(subs[i], 100000, 2, false);
    eventually(atomic_load(&f.times) == 1);
}
END_TEST

START_TEST(term_waits_until_bytes_nobody_took_are_freed)
{
    enum { MESSAGES = 100 };
    static struct freed f[MESSAGES];
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *a = new_socket_in(ctx, SIFR_PAIR), *b = new_socket_in(ctx, SIFR_PAIR);
    sifr_msg_t m;

    if (_i == WAYS) { /* to nobody yet */
        struct endpoint e = fresh_endpoint(TCP);

        connect_to(a, &e);
    } else {
        link_sockets(a, b, _i);
    }
    for (int i = 0; i < MESSAGES; i++) {
        init_own(&m, (size_t)i * 500, 3, &f[i]);
        ck_assert_int_ge(sifr_msg_send(&m, a, i % 3 == 0 ? SIFR_SNDMORE : 0), 0);
    }
    ck_works(sifr_close(a));
    ck_works(sifr_close(b));
    ck_works(sifr_ctx_term(ctx));
    for (int i = 0; i < MESSAGES; i++)
        ck_assert_int_eq(atomic_load(&f[i].times), 1);
}
END_TEST

START_TEST(messages_outlive_their_socket_and_context)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *a = new_socket_in(ctx, SIFR_PAIR), *b = new_socket_in(ctx, SIFR_PAIR);
    sifr_msg_t m[COUNT(sizes)];

    link_sockets(a, b, _i);
    for (int i = 0; i < COUNT(sizes); i++) {
        sifr_msg_init(&m[i]);
        send_filled(a, sizes[i], (unsigned)i, 0);
        ck_assert_int_eq(sifr_msg_recv(&m[i], b, 0), (int)sizes[i]);
    }
    ck_works(sifr_close(a));
    ck_works(sifr_close(b));
    ck_works(sifr_ctx_term(ctx));
    for (int i = 0; i < COUNT(sizes); i++) {
        check_filled(&m[i], sizes[i], (unsigned)i);
        if (_i / 2 != INPROC)
            ck_assert_str_eq(sifr_msg_gets(&m[i], "Socket-Type"), "PAIR");
        ck_works(sifr_msg_close(&m[i]));
    }
}
END_TEST

/* A free function that uses the library, as collectors of garbage do. */
static void tell(void *data, void *hint)
{
    sifr_send(hint, "freed", 5, SIFR_DONTWAIT);
    free(data);
}

START_TEST(a_free_function_may_call_the_library)
{
    sifr_socket_t *a, *b, *out, *in;
    sifr_msg_t m;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    new_link(&out, SIFR_PUSH, &in, SIFR_PULL, 2 * INPROC);
    for (int n = 0; n < 20; n++) {
        size_t size = n % 2 ? 100000 : 100;

        ck_works(sifr_msg_init_data(&m, calloc(1, size), size, tell, out));
        ck_assert_int_eq(sifr_msg_send(&m, a, 0), (int)size);
        ck_assert_int_eq(sifr_recv(b, NULL, 0, 0), (int)size);
        recv_parts(in, "freed");
        ck_works(sifr_msg_init_data(&m, calloc(1, size), size, tell, out));
        ck_works(sifr_msg_close(&m));
        recv_parts(in, "freed");
    }
}
END_TEST

static void *close_copies(void *arg)
{
    sifr_msg_t *copies = arg;

    for (int i = 0; i < 1000; i++) {
        check_filled(&copies[i], 2000, 1);
        ck_works(sifr_msg_close(&copies[i]));
    }
    return NULL;
}

START_TEST(copies_belong_to_any_thread_each)
{
    static sifr_msg_t copies[4][1000];
    pthread_t threads[4];
    struct freed f;
    sifr_msg_t m;

    init_own(&m, 2000, 1, &f);
    for (int i = 0; i < 4; i++)
        for (int n = 0; n < 1000; n++) {
            sifr_msg_init(&copies[i][n]);
            ck_works(sifr_msg_copy(&copies[i][n], &m));
        }
    for (int i = 0; i < 4; i++)
        threads[i] = start_thread(close_copies, copies[i]);
    ck_works(sifr_msg_close(&m));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&f.times), 1);
}
END_TEST

START_TEST(properties_are_told_and_cannot_be_set)
{
    sifr_socket_t *a, *b;
    sifr_msg_t m;

    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_get(&m, SIFR_MORE), 0);
    ck_fails(sifr_msg_get(&m, SIFR_SRCFD), EINVAL);
    ck_fails(sifr_msg_get(&m, 4711), EINVAL);
    ck_fails(sifr_msg_set(&m, SIFR_MORE, 1), EINVAL);
    ck_fails(sifr_msg_set(&m, 4711, 1), EINVAL);
    ck_fails_null(sifr_msg_gets(&m, "Socket-Type"), EINVAL);
    new_link(&a, SIFR_PUSH, &b, SIFR_PULL, _i);
    send_parts(a, "x");
    ck_assert_int_eq(sifr_msg_recv(&m, b, 0), 1);
    if (_i / 2 == INPROC) {
        ck_fails(sifr_msg_get(&m, SIFR_SRCFD), EINVAL);
        ck_fails_null(sifr_msg_gets(&m, "Socket-Type"), EINVAL);
    } else {
        ck_assert_int_ge(sifr_msg_get(&m, SIFR_SRCFD), 0);
        ck_assert_str_eq(sifr_msg_gets(&m, SIFR_MSG_PROPERTY_SOCKET_TYPE), "PUSH");
        ck_fails_null(sifr_msg_gets(&m, "X-nothing"), EINVAL);
    }
    ck_works(sifr_msg_close(&m));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("messages");
    TCase *c = new_bare_case(s, "alone");

    tcase_add_test(c, a_new_message_is_empty_or_has_the_size_asked_for);
    tcase_add_test(c, a_message_may_begin_as_a_copy_of_bytes);
    tcase_add_test(c, what_is_too_large_gives_enomem);
    tcase_add_test(c, own_bytes_are_freed_once_when_the_last_user_is_gone);
    tcase_add_test(c, constant_bytes_are_never_freed);
    tcase_add_test(c, a_copy_shares_what_is_large_and_outlives_the_original);
    tcase_add_test(c, a_move_empties_its_source);
    tcase_add_test(c, a_message_may_be_carried_elsewhere_in_memory);
    tcase_add_test(c, copies_belong_to_any_thread_each);
    tcase_add_loop_test(c, term_waits_until_bytes_nobody_took_are_freed, 0, WAYS + 1);
    tcase_add_loop_test(c, messages_outlive_their_socket_and_context, 0, WAYS);
    c = new_case(s, "on their way");
    tcase_add_test(c, closed_or_blank_messages_are_refused);
    tcase_add_loop_test(c, a_message_sent_is_empty_and_one_not_sent_unchanged, 0, WAYS);
    tcase_add_loop_test(c, receiving_releases_what_the_message_held, 0, WAYS);
    tcase_add_loop_test(c, whether_more_follows_is_told_by_the_flags_alone, 0, WAYS);
    tcase_add_loop_test(c, bytes_sent_to_many_are_freed_when_all_have_them, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_free_function_may_call_the_library, 0, WAYS);
    tcase_add_loop_test(c, properties_are_told_and_cannot_be_set, 0, WAYS);
    return run_suite(s);
}
