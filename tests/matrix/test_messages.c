/* Messages: what their calls fail with. */
#include "matrix.h"

enum { WRONG = 4 };

/* What is no message: NULL (0), memory of zeroes, memory of ones, closed. */
static sifr_msg_t *no_message(int i)
{
    static sifr_msg_t m;

    memset(&m, i == 2 ? 0xff : 0, sizeof m);
    if (i == 3) {
        ck_works(sifr_msg_init_size(&m, 100));
        ck_works(sifr_msg_close(&m));
    }
    return i == 0 ? NULL : &m;
}

static sifr_msg_t good;

static void it_is_still_good(void)
{
    ck_assert_uint_eq(sifr_msg_size(&good), 100);
    ck_assert_uint_eq(good_bytes(sifr_msg_data(&good), 100, 1), 100);
    ck_assert_int_eq(sifr_msg_more(&good), 0);
}

static void make_good(void)
{
    ck_works(sifr_msg_init_size(&good, 100));
    fill_bytes(sifr_msg_data(&good), 100, 1);
    matrix.unharmed = it_is_still_good;
}

static void changes_fail(sifr_msg_t *m)
{
    make_good();
    fails(EFAULT, msg_close, m);
    fails(EFAULT, msg_move, &good, m);
    fails(EFAULT, msg_move, m, &good);
    fails(EFAULT, msg_copy, &good, m);
    fails(EFAULT, msg_copy, m, &good);
    fails(EFAULT, msg_set_routing_id, m, 1);
    fails(EFAULT, msg_set_group, m, "group");
    fails(EFAULT, msg_group, m);
    fails(EFAULT, msg_routing_id, m);
    ck_works(sifr_msg_close(&good));
}

START_TEST(what_is_no_message)
{
    changes_fail(no_message(_i));
}
END_TEST

START_TEST(a_message_that_is_null)
{
    changes_fail(NULL);
}
END_TEST

START_TEST(a_question_to_what_is_no_message)
{
    sifr_msg_t *m = no_message(_i);

    make_good();
    fails(EFAULT, msg_data, m);
    fails(EFAULT, msg_size, m);
    fails_with_0(EFAULT, msg_more, m);
    fails(EFAULT, msg_get, m, SIFR_MORE);
    fails(EFAULT, msg_gets, m, "Socket-Type");
    fails(EINVAL, msg_set, m, SIFR_MORE, 1);
    ck_works(sifr_msg_close(&good));
}
END_TEST

START_TEST(a_property_that_there_is_not)
{
    make_good();
    fails(EINVAL, msg_get, &good, 0);
    fails(EINVAL, msg_get, &good, 99);
    fails(EINVAL, msg_get, &good, SIFR_SRCFD); /* it came from nowhere */
    fails(EINVAL, msg_set, &good, SIFR_MORE, 1);
    fails(EINVAL, msg_set, &good, SIFR_SHARED, 0);
    fails(EINVAL, msg_set, &good, 99, 1);
    fails(EINVAL, msg_gets, &good, "Socket-Type");
    fails(EINVAL, msg_gets, &good, "");
    ck_works(sifr_msg_close(&good));
}
END_TEST

START_TEST(a_property_of_what_was_received)
{
    bool wire = _i / 2 != INPROC;
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PUSH, &b, SIFR_PULL, _i);
    send_filled(a, 100, 1, 0);
    sifr_msg_init(&good);
    ck_assert_int_eq(sifr_msg_recv(&good, b, 0), 100);
    matrix.unharmed = it_is_still_good;
    if (wire) {
        ck_assert_str_eq(sifr_msg_gets(&good, "Socket-Type"), "PUSH");
        ck_assert_int_ge(sifr_msg_get(&good, SIFR_SRCFD), 0);
    } else {
        fails(EINVAL, msg_gets, &good, "Socket-Type");
        fails(EINVAL, msg_get, &good, SIFR_SRCFD);
    }
    fails(EINVAL, msg_gets, &good, "socket-type");
    fails(EINVAL, msg_gets, &good, "User-Id");
    ck_works(sifr_msg_close(&good));
}
END_TEST

START_TEST(a_property_without_a_name)
{
    make_good();
    fails(EINVAL, msg_gets, &good, NULL);
    ck_works(sifr_msg_close(&good));
}
END_TEST

START_TEST(a_routing_id_or_group_that_cannot_be)
{
    char longer[SIFR_GROUP_MAX_LENGTH + 2] = "";

    ONLY_WITH(msg_set_group);
    make_good();
    memset(longer, 'x', sizeof longer - 1);
    ck_works(sifr_msg_set_routing_id(&good, 7));
    ck_works(sifr_msg_set_group(&good, "group"));
    fails(EINVAL, msg_set_routing_id, &good, 0);
    fails(EINVAL, msg_set_group, &good, longer);
    fails(EINVAL, msg_set_group, &good, NULL);
    ck_assert_uint_eq(sifr_msg_routing_id(&good), 7);
    ck_assert_str_eq(sifr_msg_group(&good), "group");
    ck_works(sifr_msg_close(&good));
}
END_TEST

static int freed;

static void count_free(void *data, void *hint)
{
    ck_assert_ptr_eq(data, hint);
    freed++;
}

START_TEST(bytes_that_are_not_there)
{
    sifr_msg_t m;

    fails(EFAULT, msg_init_data, &m, NULL, 1, count_free, NULL);
    fails(EFAULT, msg_init_data, &m, NULL, 1, NULL, NULL);
    fails(EFAULT, msg_init_buffer, &m, NULL, 1);
    ck_assert_int_eq(freed, 0);
    ck_works(sifr_msg_init_data(&m, NULL, 0, NULL, NULL));
    ck_works(sifr_msg_close(&m));
}
END_TEST

START_TEST(a_place_that_is_not_there)
{
    fails(EFAULT, msg_init, NULL);
    fails(EFAULT, msg_init_size, NULL, 100);
    fails(EFAULT, msg_init_buffer, NULL, "x", 1);
    fails(EFAULT, msg_init_data, NULL, &freed, sizeof freed, count_free, &freed);
    ck_assert_int_eq(freed, 0);
}
END_TEST

START_TEST(more_bytes_than_there_can_be)
{
    sifr_msg_t m;

    fails(ENOMEM, msg_init_size, &m, SIZE_MAX);
    fails(ENOMEM, msg_init_size, &m, SIZE_MAX / 2);
    fails(ENOMEM, msg_init_size, &m, SIZE_MAX - 8);
    fails(ENOMEM, msg_init_buffer, &m, "x", SIZE_MAX);
}
END_TEST

START_TEST(no_memory_for_a_message)
{
    static char bytes[10000];
    sifr_msg_t m, same, own, copy;
    int err;

    runs_short(err, , msg_init_size, &m, sizeof bytes);
    runs_short(err, , msg_init_buffer, &same, bytes, sizeof bytes);
    runs_short(err, ck_assert_int_eq(freed, 0), msg_init_data, &own, bytes, sizeof bytes,
               count_free, bytes);
    ck_assert_int_eq(freed, 0);
    ck_works(sifr_msg_init(&copy));
    ck_works(sifr_msg_copy(&copy, &own));
    ck_works(sifr_msg_close(&own));
    ck_assert_int_eq(freed, 0);
    ck_works(sifr_msg_close(&copy));
    ck_assert_int_eq(freed, 1);
    ck_works(sifr_msg_close(&same));
    ck_works(sifr_msg_close(&m));
}
END_TEST

START_TEST(no_memory_for_a_group)
{
    char longest[SIFR_GROUP_MAX_LENGTH + 1] = "";
    int err;

    make_good();
    memset(longest, 'x', sizeof longest - 1);
    runs_short(err, , msg_set_group, &good, longest);
    ck_assert_str_eq(sifr_msg_group(&good), longest);
    ck_works(sifr_msg_close(&good));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/messages");
    TCase *c = new_case(s, "messages");

    add_loop(c, what_is_no_message, 1, WRONG);
    add(c, a_message_that_is_null);
    add_loop(c, a_question_to_what_is_no_message, 0, WRONG);
    add(c, a_property_that_there_is_not);
    add_loop(c, a_property_of_what_was_received, 0, WAYS);
    add(c, a_property_without_a_name);
    add(c, a_routing_id_or_group_that_cannot_be);
    add(c, bytes_that_are_not_there);
    add(c, a_place_that_is_not_there);
    add(c, more_bytes_than_there_can_be);
    add(c, no_memory_for_a_message);
    add(c, no_memory_for_a_group);
    return run_matrix(s);
}
