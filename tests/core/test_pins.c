/* What received messages keep of the memory they were read into. */
#include "support.h"

#include <malloc.h>

enum { SMALL = 100, STREAM = 200000, KEEP = 100 };

/* The sanitizers' count of what is allocated; other allocators have mallinfo2. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static void *send_stream(void *arg)
{
    char bytes[SMALL];

    for (unsigned i = 0; i < STREAM; i++) {
        fill_bytes(bytes, sizeof bytes, i);
        if (sifr_send(arg, bytes, sizeof bytes, 0) != SMALL)
            return "a send failed";
    }
    return NULL;
}

static sifr_msg_t kept[STREAM / KEEP];

static void *close_kept(void *arg)
{
    (void)arg;
    for (int i = 0; i < COUNT(kept); i++)
        if (sifr_msg_close(&kept[i]) != 0)
            return "a close failed";
    return NULL;
}

START_TEST(few_messages_kept_of_many_keep_little_memory)
{
    sifr_socket_t *push, *pull;
    sifr_msg_t m;
    pthread_t t;
    size_t before, grown;
    void *failure;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, 2 * _i);
    send_text(push, "here", 0);
    recv_text(pull, "here", false);
    before = allocated();
    t = start_thread(send_stream, push);
    sifr_msg_init(&m);
    for (unsigned i = 0; i < STREAM; i++) {
        ck_assert_int_eq(sifr_msg_recv(&m, pull, 0), SMALL);
        if (i % KEEP == 0) {
            sifr_msg_init(&kept[i / KEEP]);
            ck_works(sifr_msg_move(&kept[i / KEEP], &m));
        }
    }
    sifr_msg_close(&m);
    pthread_join(t, &failure);
    ck_assert_msg(!failure, "%s", (const char *)failure);

    /* What is kept are 2,000 messages, 200,000 bytes; with each chunk that one of them came in it would be 20 MB. */
    grown = allocated() - before;
    ck_assert_msg(grown < 3000000, "%zu bytes more are allocated", grown);
    for (unsigned i = 0; i < COUNT(kept); i++)
        ck_assert_uint_eq(good_bytes(sifr_msg_data(&kept[i]), SMALL, i * KEEP), SMALL);

    /* Messages are closed wherever they have got to. */
    t = start_thread(close_kept, NULL);
    pthread_join(t, &failure);
    ck_assert_msg(!failure, "%s", (const char *)failure);
}
END_TEST

/* Receives n messages into list; how many follow their predecessor in the same buffer. */
static int receive_many(sifr_socket_t *s, sifr_msg_t *list, int n)
{
    int together = 0;

    for (int i = 0; i < n; i++) {
        sifr_msg_init(&list[i]);
        ck_assert_int_eq(sifr_msg_recv(&list[i], s, 0), SMALL);
        together += i && (char *)sifr_msg_data(&list[i]) == (char *)sifr_msg_data(&list[i - 1]) + SMALL + 2;
    }
    return together;
}

static void close_all(sifr_msg_t *list, int n)
{
    for (int i = 0; i < n; i++)
        ck_works(sifr_msg_close(&list[i]));
}

START_TEST(a_batch_that_is_held_whole_is_not_copied)
{
    static sifr_msg_t list[1000];
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, 2 * INPROC);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT(list); i++)
            send_filled(push, SMALL, 1, 0);
        ck_assert_int_gt(receive_many(pull, list, COUNT(list)), COUNT(list) * 9 / 10);
        close_all(list, COUNT(list));
    }
}
END_TEST

START_TEST(copying_ends_when_what_was_kept_is_closed)
{
    static sifr_msg_t list[1000], rest[5];
    sifr_socket_t *push, *pull;

    new_link(&push, SIFR_PUSH, &pull, SIFR_PULL, 2 * INPROC);
    for (int i = 0; i < COUNT(rest); i++) { /* one of each thousand: each of another chunk, or copied */
        for (int n = 0; n < COUNT(list); n++)
            send_filled(push, SMALL, 1, 0);
        sifr_msg_init(&rest[i]);
        for (int n = 0; n < COUNT(list); n++) {
            receive_many(pull, list, 1);
            ck_works(n == 500 ? sifr_msg_move(&rest[i], &list[0]) : sifr_msg_close(&list[0]));
        }
    }
    for (int i = 0; i < COUNT(list); i++)
        send_filled(push, SMALL, 1, 0);
    ck_assert_int_eq(receive_many(pull, list, COUNT(list)), 0);
    close_all(list, COUNT(list));
    close_all(rest, COUNT(rest));
    for (int i = 0; i < COUNT(list); i++)
        send_filled(push, SMALL, 1, 0);
    ck_assert_int_gt(receive_many(pull, list, COUNT(list)), COUNT(list) * 9 / 10);
    close_all(list, COUNT(list));
}
END_TEST

START_TEST(without_zero_copy_each_message_has_memory_of_its_own)
{
    static sifr_msg_t list[100];
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *push, *pull;
    struct endpoint e;
    int together;

    ck_works(sifr_ctx_set(ctx, SIFR_ZERO_COPY_RECV, _i % 2));
    push = new_socket_in(ctx, SIFR_PUSH);
    pull = new_socket_in(ctx, SIFR_PULL);
    e = bind_fresh(pull, (enum transport)(_i / 2));
    connect_to(push, &e);
    for (int i = 0; i < COUNT(list); i++)
        send_filled(push, SMALL, 1, 0);
    together = receive_many(pull, list, COUNT(list));
    if (_i % 2)
        ck_assert_int_gt(together, 0);
    else
        ck_assert_int_eq(together, 0);
    close_all(list, COUNT(list));
    ck_works(sifr_close(push));
    ck_works(sifr_close(pull));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(messages_outlive_the_socket_that_counts_them)
{
    static sifr_msg_t list[1000], rest[10];
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *push = new_socket_in(ctx, SIFR_PUSH), *pull = new_socket_in(ctx, SIFR_PULL);
    struct endpoint e = bind_fresh(pull, (enum transport)_i);

    connect_to(push, &e);
    for (int i = 0; i < COUNT(rest); i++) {
        for (int n = 0; n < COUNT(list); n++)
            send_filled(push, SMALL, (unsigned)i, 0);
        receive_many(pull, list, COUNT(list));
        sifr_msg_init(&rest[i]);
        ck_works(sifr_msg_move(&rest[i], &list[500]));
        close_all(list, COUNT(list));
    }
    ck_works(sifr_close(push));
    ck_works(sifr_close(pull));
    ck_works(sifr_ctx_term(ctx));
    for (int i = 0; i < COUNT(rest); i++)
        ck_assert_uint_eq(good_bytes(sifr_msg_data(&rest[i]), SMALL, (unsigned)i), SMALL);
    close_all(rest, COUNT(rest));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/pins");
    TCase *c = new_case(s, "kept messages");

    tcase_add_loop_test(c, few_messages_kept_of_many_keep_little_memory, 0, TRANSPORTS);
    tcase_add_test(c, a_batch_that_is_held_whole_is_not_copied);
    tcase_add_test(c, copying_ends_when_what_was_kept_is_closed);
    c = new_bare_case(s, "contexts of their own");
    tcase_add_loop_test(c, without_zero_copy_each_message_has_memory_of_its_own, 0, 2 * TRANSPORTS);
    tcase_add_loop_test(c, messages_outlive_the_socket_that_counts_them, 0, TRANSPORTS);
    return run_suite(s);
}
