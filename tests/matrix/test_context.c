/* Contexts: what their calls fail with. */
#include "matrix.h"

/* What is no context, or none any more. */
static void *no_context(int i, sifr_socket_t *s)
{
    sifr_ctx_t *ended;

    if (i < FOREIGN)
        return foreign(i, s);
    ck_assert_ptr_nonnull(ended = sifr_ctx_new());
    ck_works(sifr_ctx_term(ended));
    return ended;
}

START_TEST(what_is_no_context)
{
    sifr_socket_t *s = new_socket(SIFR_PAIR);
    void *h = no_context(_i, s);
    int value = 2;
    size_t size = sizeof value;

    fails(EFAULT, socket, h, SIFR_PAIR);
    fails(EFAULT, ctx_set, h, SIFR_IO_THREADS, 2);
    fails(EFAULT, ctx_get, h, SIFR_IO_THREADS);
    fails(EFAULT, ctx_set_ext, h, SIFR_IO_THREADS, &value, sizeof value);
    fails(EFAULT, ctx_get_ext, h, SIFR_IO_THREADS, &value, &size);
    fails(EFAULT, ctx_shutdown, h);
    fails(EFAULT, ctx_term, h);
#ifdef ZMQ_VERSION
    fails(EFAULT, ctx_destroy, h);
    fails(EFAULT, term, h);
#endif
    ck_assert_int_eq(value, 2);
    ck_assert_int_eq(get_int(s, SIFR_TYPE), SIFR_PAIR); /* its handle was looked at alone */
}
END_TEST

static const int unknown[] = {-1, 0, 11, 41, 99, INT_MAX};

START_TEST(a_context_option_that_there_is_not)
{
    int option = unknown[_i], value = 1;
    size_t size = sizeof value;

    fails(EINVAL, ctx_set, world.ctx, option, 1);
    fails(EINVAL, ctx_get, world.ctx, option);
    fails(EINVAL, ctx_set_ext, world.ctx, option, &value, sizeof value);
    value = 77;
    fails(EINVAL, ctx_get_ext, world.ctx, option, &value, &size);
    ck_assert_int_eq(value, 77);
}
END_TEST

START_TEST(a_context_option_the_other_way)
{
    int value = 77;
    size_t size = sizeof value;

    fails(EINVAL, ctx_set, world.ctx, SIFR_MSG_T_SIZE, 64);
    fails(EINVAL, ctx_get, world.ctx, SIFR_THREAD_AFFINITY_CPU_ADD);
    fails(EINVAL, ctx_get, world.ctx, SIFR_THREAD_AFFINITY_CPU_REMOVE);
    fails(EINVAL, ctx_set_ext, world.ctx, SIFR_MSG_T_SIZE, &value, sizeof value);
    fails(EINVAL, ctx_get_ext, world.ctx, SIFR_THREAD_AFFINITY_CPU_ADD, &value, &size);
    ck_assert_int_eq(value, 77);
    ck_assert_int_eq(sifr_ctx_get(world.ctx, SIFR_MSG_T_SIZE), 64);
}
END_TEST

static const struct {
    int option, value;
} outside[] = {
    {SIFR_IO_THREADS, -1},  {SIFR_MAX_SOCKETS, 0},
    {SIFR_MAX_SOCKETS, -1}, {SIFR_THREAD_SCHED_POLICY, -1},
    {SIFR_MAX_MSGSZ, -1},   {SIFR_ZERO_COPY_RECV, -1},
    {SIFR_IPV6, -1},        {SIFR_BLOCKY, -1},
};

START_TEST(a_context_value_out_of_range)
{
    int option = outside[_i].option, value = outside[_i].value;
    int before = sifr_ctx_get(world.ctx, option);

    fails(EINVAL, ctx_set, world.ctx, option, value);
    ck_assert_int_eq(sifr_ctx_get(world.ctx, option), before);
    fails(EINVAL, ctx_set_ext, world.ctx, option, &value, sizeof value);
    ck_assert_int_eq(sifr_ctx_get(world.ctx, option), before);
}
END_TEST

START_TEST(a_processor_that_was_not_added)
{
    int cpu = 3;

    fails(EINVAL, ctx_set, world.ctx, SIFR_THREAD_AFFINITY_CPU_REMOVE, cpu);
    fails(EINVAL, ctx_set_ext, world.ctx, SIFR_THREAD_AFFINITY_CPU_REMOVE, &cpu, sizeof cpu);
    fails(EINVAL, ctx_set, world.ctx, SIFR_THREAD_AFFINITY_CPU_ADD, -1);
}
END_TEST

START_TEST(a_context_option_of_a_wrong_size)
{
    char text[32] = "seventeen letters";
    int value = 77;
    size_t size;

    ONLY_WITH(ctx_set_ext);
    fails(EINVAL, ctx_set_ext, world.ctx, SIFR_IO_THREADS, text, 1);
    fails(EINVAL, ctx_set_ext, world.ctx, SIFR_IO_THREADS, text, 8);
    fails(EINVAL, ctx_set_ext, world.ctx, SIFR_IO_THREADS, NULL, sizeof value);
    fails(EINVAL, ctx_set_ext, world.ctx, SIFR_THREAD_NAME_PREFIX, text, 0);
    fails(EINVAL, ctx_set_ext, world.ctx, SIFR_THREAD_NAME_PREFIX, text, 17);
    ck_assert_int_eq(sifr_ctx_get(world.ctx, SIFR_IO_THREADS), 1);
    ck_assert_int_eq(sifr_ctx_get(world.ctx, SIFR_THREAD_NAME_PREFIX), 0);

    size = 3;
    fails(EINVAL, ctx_get_ext, world.ctx, SIFR_IO_THREADS, &value, &size);
    size = 8;
    fails(EINVAL, ctx_get_ext, world.ctx, SIFR_IO_THREADS, text, &size);
    ck_works(sifr_ctx_set_ext(world.ctx, SIFR_THREAD_NAME_PREFIX, "prefix", 6));
    size = 5;
    fails(EINVAL, ctx_get_ext, world.ctx, SIFR_THREAD_NAME_PREFIX, text, &size);
    fails(EINVAL, ctx_get_ext, world.ctx, SIFR_IO_THREADS, NULL, &size);
    fails(EINVAL, ctx_get_ext, world.ctx, SIFR_IO_THREADS, &value, NULL);
    ck_assert_int_eq(value, 77);
    ck_assert_str_eq(text, "seventeen letters");
}
END_TEST

/* Each ends a context whose socket is still open: it goes on waiting, unless a signal comes. */
START_TEST(a_signal_while_a_context_ends)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *s = sifr_socket(ctx, SIFR_PULL);

    ck_assert_ptr_nonnull(s);
    begin_signals();
    fails(EINTR, ctx_term, ctx);
    fails(EINTR, ctx_term, ctx);
#ifdef ZMQ_VERSION
    fails(EINTR, ctx_destroy, ctx);
    fails(EINTR, term, ctx);
#endif
    end_signals();
    fails(ETERM, socket, ctx, SIFR_PULL); /* it stays shut down */
    ck_works(sifr_close(s));
    ck_works(sifr_ctx_term(ctx));
    fails(EFAULT, ctx_term, ctx);
}
END_TEST

START_TEST(no_memory_for_a_context)
{
    sifr_ctx_t *ctx;

    runs_short(ctx, , ctx_new, );
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

#ifdef ZMQ_VERSION
START_TEST(an_old_context)
{
    fails(EINVAL, init, -1);
}
END_TEST

START_TEST(no_memory_for_an_old_context)
{
    sifr_ctx_t *ctx;

    runs_short(ctx, , init, 2);
    ck_assert_int_eq(sifr_ctx_get(ctx, SIFR_IO_THREADS), 2);
    ck_works(sifr_ctx_term(ctx));
}
END_TEST
#endif

int main(void)
{
    Suite *s = suite_create("matrix/context");
    TCase *c = new_case(s, "context");

    add_loop(c, what_is_no_context, 0, FOREIGN + 1);
    add_loop(c, a_context_option_that_there_is_not, 0, COUNT(unknown));
    add(c, a_context_option_the_other_way);
    add_loop(c, a_context_value_out_of_range, 0, COUNT(outside));
    add(c, a_processor_that_was_not_added);
    add(c, a_context_option_of_a_wrong_size);
    add(c, a_signal_while_a_context_ends);
#ifdef ZMQ_VERSION
    add(c, an_old_context);
#endif
    c = new_bare_case(s, "first context"); /* the next ones may use what an earlier one has left */
    add(c, no_memory_for_a_context);
#ifdef ZMQ_VERSION
    add(c, no_memory_for_an_old_context);
#endif
    return run_matrix(s);
}
