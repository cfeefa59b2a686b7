/*
 * Sockets, and their options in general: what their calls fail with. tests/core/test_options.c has
 * each option.
 */
#include "matrix.h"

/* ---- Making ---------------------------------------------------------------------------------- */

static const int no_types[] = {-1, 21, 99, INT_MAX};

START_TEST(a_type_that_there_is_not)
{
    fails(EINVAL, socket, world.ctx, no_types[_i]);
    new_socket(SIFR_PAIR);
}
END_TEST

START_TEST(more_sockets_than_there_may_be)
{
    sifr_socket_t *one, *other;

    ck_works(sifr_ctx_set(world.ctx, SIFR_MAX_SOCKETS, 2));
    one = new_socket(SIFR_PUSH);
    other = new_socket(SIFR_PULL);
    fails(EMFILE, socket, world.ctx, SIFR_PAIR);
    link_sockets(one, other, 2 * INPROC);
    pass_text(one, other, "still");
    drop(one);
    if (!matrix.libzmq) /* it is free some time later there */
        new_socket(SIFR_PAIR);
}
END_TEST

START_TEST(no_descriptor_for_a_socket)
{
    take_descriptors();
    fails(EMFILE, socket, world.ctx, SIFR_PULL);
    give_descriptors();
    new_socket(SIFR_PULL);
}
END_TEST

START_TEST(no_memory_for_a_socket)
{
    static const int types[] = {SIFR_PAIR, SIFR_XPUB, SIFR_ROUTER, SIFR_REQ};
    sifr_socket_t *s;

    runs_short(s, , socket, world.ctx, types[_i]);
    ck_works(sifr_close(s));
}
END_TEST

START_TEST(a_socket_of_a_context_that_ends)
{
    sifr_ctx_t *ctx = sifr_ctx_new(), *fresh = sifr_ctx_new();
    sifr_socket_t *s = sifr_socket(ctx, SIFR_PAIR);

    ck_works(sifr_ctx_shutdown(ctx));
    fails(ETERM, socket, ctx, SIFR_PAIR);
    fails(ETERM, socket, ctx, -1);
    ck_works(sifr_ctx_shutdown(fresh));
    fails(ETERM, socket, fresh, SIFR_PAIR);
    ck_works(sifr_close(s));
    ck_works(sifr_ctx_term(ctx));
    ck_works(sifr_ctx_term(fresh));
}
END_TEST

/* ---- Options --------------------------------------------------------------------------------- */

static sifr_socket_t *watched; /* whose LINGER is to stay 1234 */

static void linger_stays(void)
{
    ck_assert_int_eq(get_int(watched, SIFR_LINGER), 1234);
}

static sifr_socket_t *new_watched(int type)
{
    watched = new_socket(type);
    set_int(watched, SIFR_LINGER, 1234);
    matrix.unharmed = linger_stays;
    return watched;
}

START_TEST(an_option_that_there_is_not)
{
    static const int unknown[] = {-1, 0, 1, 1000, INT_MAX};
    sifr_socket_t *s = new_watched(SIFR_DEALER);
    int value = 1;
    size_t size = sizeof value;

    fails(EINVAL, setsockopt, s, unknown[_i], &value, sizeof value);
    fails(EINVAL, getsockopt, s, unknown[_i], &value, &size);
    ck_assert(value == 1 && size == sizeof value);
}
END_TEST

START_TEST(an_option_the_other_way)
{
    static const int read_only[] = {SIFR_TYPE,      SIFR_RCVMORE,     SIFR_EVENTS,       SIFR_FD,
                                    SIFR_MECHANISM, SIFR_THREAD_SAFE, SIFR_LAST_ENDPOINT};
    static const int write_only[] = {SIFR_ROUTER_MANDATORY, SIFR_PROBE_ROUTER,
                                     SIFR_TCP_ACCEPT_FILTER};
    sifr_socket_t *s = new_watched(SIFR_ROUTER);
    int value = 77;
    size_t size = sizeof value;

    for (int i = 0; i < COUNT(read_only); i++)
        fails(EINVAL, setsockopt, s, read_only[i], &value, sizeof value);
    for (int i = 0; i < COUNT(write_only); i++)
        fails(EINVAL, getsockopt, s, write_only[i], &value, &size);
    ck_assert(value == 77 && size == sizeof value);
    ck_assert_int_eq(get_int(s, SIFR_TYPE), SIFR_ROUTER);
}
END_TEST

START_TEST(an_option_of_another_type)
{
    sifr_socket_t *s = new_watched(SIFR_PAIR);
    int value = 1;

    fails(EINVAL, setsockopt, s, SIFR_SUBSCRIBE, "x", 1);
    fails(EINVAL, setsockopt, s, SIFR_UNSUBSCRIBE, "x", 1);
    fails(EINVAL, setsockopt, s, SIFR_ROUTER_MANDATORY, &value, sizeof value);
    fails(EINVAL, setsockopt, s, SIFR_XPUB_VERBOSE, &value, sizeof value);
    fails(EINVAL, setsockopt, s, SIFR_REQ_RELAXED, &value, sizeof value);
    fails(EINVAL, setsockopt, s, SIFR_STREAM_NOTIFY, &value, sizeof value);
}
END_TEST

START_TEST(an_option_of_a_wrong_size)
{
    sifr_socket_t *s = new_watched(SIFR_DEALER);
    char bytes[300] = {0};
    size_t size;

    fails(EINVAL, setsockopt, s, SIFR_LINGER, bytes, 3);
    fails(EINVAL, setsockopt, s, SIFR_LINGER, bytes, 8);
    fails(EINVAL, setsockopt, s, SIFR_LINGER, bytes, 0);
    fails(EINVAL, setsockopt, s, SIFR_LINGER, NULL, 0);
    fails(EINVAL, setsockopt, s, SIFR_AFFINITY, bytes, 4);
    fails(EINVAL, setsockopt, s, SIFR_MAXMSGSIZE, bytes, 4);
    fails(EINVAL, setsockopt, s, SIFR_ROUTING_ID, bytes, 0);
    fails(EINVAL, setsockopt, s, SIFR_ROUTING_ID, bytes, 256);

    memset(bytes, 7, sizeof bytes);
    size = 3;
    fails(EINVAL, getsockopt, s, SIFR_LINGER, bytes, &size);
    ck_assert_uint_eq(size, 3);
    size = 7;
    fails(EINVAL, getsockopt, s, SIFR_AFFINITY, bytes, &size);
    set_text(s, SIFR_ROUTING_ID, "a name");
    size = 5;
    fails(EINVAL, getsockopt, s, SIFR_ROUTING_ID, bytes, &size);
    ck_assert_uint_eq(size, 5);
    for (int i = 0; i < COUNT(bytes); i++)
        ck_assert_int_eq(bytes[i], 7);
    size = sizeof bytes;
    ck_works(sifr_getsockopt(s, SIFR_ROUTING_ID, bytes, &size));
    ck_assert(size == 6 && memcmp(bytes, "a name", 6) == 0);
}
END_TEST

START_TEST(an_option_out_of_range)
{
    static const struct {
        int option, value;
    } cases[] = {
        {SIFR_LINGER, -2},
        {SIFR_SNDHWM, -1},
        {SIFR_RCVHWM, -1},
        {SIFR_RECONNECT_IVL, -2},
        {SIFR_SNDTIMEO, -2},
        {SIFR_RCVTIMEO, -2},
        {SIFR_IPV6, 2},
        {SIFR_IMMEDIATE, -1},
        {SIFR_TCP_KEEPALIVE, 2},
        {SIFR_HEARTBEAT_TTL, 6553600},
        {SIFR_BACKLOG, -1},
        {SIFR_HANDSHAKE_IVL, -1},
        {SIFR_MULTICAST_HOPS, 0},
        {SIFR_RATE, 0},
        {SIFR_CONNECT_TIMEOUT, -1},
    };
    sifr_socket_t *s = new_watched(SIFR_DEALER);

    for (int i = 0; i < COUNT(cases); i++) {
        int before = get_int(s, cases[i].option);

        fails(EINVAL, setsockopt, s, cases[i].option, &cases[i].value, sizeof(int));
        ck_assert_int_eq(get_int(s, cases[i].option), before);
    }
}
END_TEST

START_TEST(no_descriptor_for_an_option)
{
    sifr_socket_t *s = new_watched(SIFR_PULL);
    int fd = -77;
    size_t size = sizeof fd;

    take_descriptors();
    fails(EMFILE, getsockopt, s, SIFR_FD, &fd, &size);
    give_descriptors();
    ck_assert_int_eq(fd, -77);
    ck_assert_int_ge(get_int(s, SIFR_FD), 0);
}
END_TEST

START_TEST(no_memory_for_an_option)
{
    static const struct {
        int type, option;
        const char *value;
    } cases[] = {
        {SIFR_DEALER, SIFR_METADATA, "X-name:value"},
        {SIFR_DEALER, SIFR_HELLO_MSG, "hello"},
        {SIFR_DEALER, SIFR_SOCKS_PROXY, "127.0.0.1:1080"},
        {SIFR_DEALER, SIFR_TCP_ACCEPT_FILTER, "127.0.0.0/8"},
        {SIFR_SUB, SIFR_SUBSCRIBE, "a topic"},
        {SIFR_ROUTER, SIFR_CONNECT_ROUTING_ID, "a name"},
    };
    sifr_socket_t *s = new_watched(cases[_i].type);
    int err;

    runs_short(err, , setsockopt, s, cases[_i].option, cases[_i].value, strlen(cases[_i].value));
}
END_TEST

enum { MEMORY_OPTIONS = 6 };

int main(void)
{
    Suite *s = suite_create("matrix/socket");
    TCase *c = new_case(s, "making");

    add_loop(c, a_type_that_there_is_not, 0, COUNT(no_types));
    add(c, more_sockets_than_there_may_be);
    add(c, no_descriptor_for_a_socket);
    add_loop(c, no_memory_for_a_socket, 0, 4);
    add(c, a_socket_of_a_context_that_ends);
    c = new_case(s, "options");
    add_loop(c, an_option_that_there_is_not, 0, 5);
    add(c, an_option_the_other_way);
    add(c, an_option_of_another_type);
    add(c, an_option_of_a_wrong_size);
    add(c, an_option_out_of_range);
    add(c, no_descriptor_for_an_option);
    add_loop(c, no_memory_for_an_option, 0, MEMORY_OPTIONS);
    return run_matrix(s);
}
