/* Options of contexts and sockets: what they are at first, what they accept, and how they read back. */
#include "support.h"

#include <limits.h>
#include <sys/types.h>

#define TYPE(type) (1u << SIFR_##type)

enum { INTS_MAX = 6 };

/* ---- Numbers ------------------------------------------------------------------------------------------------- */

/* Those that can be read and written as an int. */
static const struct number {
    const char *name;
    int option, first;
    int good[INTS_MAX], good_count;
    int bad[INTS_MAX], bad_count;
} numbers[] = {
    {"LINGER", SIFR_LINGER, -1, {-1, 0, 1, INT_MAX}, 4, {-2, INT_MIN}, 2},
    {"SNDHWM", SIFR_SNDHWM, 1000, {0, 1, INT_MAX}, 3, {-1, INT_MIN}, 2},
    {"RCVHWM", SIFR_RCVHWM, 1000, {0, 1, INT_MAX}, 3, {-1, INT_MIN}, 2},
    {"SNDTIMEO", SIFR_SNDTIMEO, -1, {-1, 0, 1, INT_MAX}, 4, {-2}, 1},
    {"RCVTIMEO", SIFR_RCVTIMEO, -1, {-1, 0, 1, INT_MAX}, 4, {-2}, 1},
    {"IMMEDIATE", SIFR_IMMEDIATE, 0, {1, 0}, 2, {-1, 2}, 2},
    {"CONFLATE", SIFR_CONFLATE, 0, {1, 0}, 2, {-1, 2}, 2},
    {"RECONNECT_IVL", SIFR_RECONNECT_IVL, 100, {-1, 0, 1, 60000}, 4, {-2}, 1},
    {"RECONNECT_IVL_MAX", SIFR_RECONNECT_IVL_MAX, 0, {0, 1, 60000}, 3, {-1}, 1},
    {"RECONNECT_STOP", SIFR_RECONNECT_STOP, 0, {0, 1, 7}, 3, {0}, 0},
    {"CONNECT_TIMEOUT", SIFR_CONNECT_TIMEOUT, 0, {0, 1, 60000}, 3, {-1}, 1},
    {"HANDSHAKE_IVL", SIFR_HANDSHAKE_IVL, 30000, {0, 1, 60000}, 3, {-1}, 1},
    {"HEARTBEAT_IVL", SIFR_HEARTBEAT_IVL, 0, {0, 1, 60000}, 3, {-1}, 1},
    {"HEARTBEAT_TIMEOUT", SIFR_HEARTBEAT_TIMEOUT, -1, {0, 1, 60000}, 3, {-2}, 1},
    {"HEARTBEAT_TTL", SIFR_HEARTBEAT_TTL, 0, {0, 100, 6553500}, 3, {6553600, INT_MAX, -100}, 3},
    {"IPV6", SIFR_IPV6, 0, {1, 0}, 2, {-1, 2}, 2},
    {"IPV4ONLY", SIFR_IPV4ONLY, 1, {0, 1}, 2, {-1, 2}, 2},
    {"BACKLOG", SIFR_BACKLOG, 100, {0, 1, 1000}, 3, {-1}, 1},
    {"SNDBUF", SIFR_SNDBUF, -1, {-1, 0, 65536}, 3, {-2}, 1},
    {"RCVBUF", SIFR_RCVBUF, -1, {-1, 0, 65536}, 3, {-2}, 1},
    {"IN_BATCH_SIZE", SIFR_IN_BATCH_SIZE, 8192, {1, 65536}, 2, {0, -1}, 2},
    {"OUT_BATCH_SIZE", SIFR_OUT_BATCH_SIZE, 8192, {1, 65536}, 2, {0, -1}, 2},
    {"USE_FD", SIFR_USE_FD, -1, {-1, 0, 100}, 3, {-2}, 1},
    {"TCP_KEEPALIVE", SIFR_TCP_KEEPALIVE, -1, {-1, 0, 1}, 3, {-2, 2}, 2},
    {"TCP_KEEPALIVE_CNT", SIFR_TCP_KEEPALIVE_CNT, -1, {-1, 1, 10}, 3, {-2}, 1},
    {"TCP_KEEPALIVE_IDLE", SIFR_TCP_KEEPALIVE_IDLE, -1, {-1, 1, 10}, 3, {-2}, 1},
    {"TCP_KEEPALIVE_INTVL", SIFR_TCP_KEEPALIVE_INTVL, -1, {-1, 1, 10}, 3, {-2}, 1},
    {"TCP_MAXRT", SIFR_TCP_MAXRT, 0, {0, 1, 60000}, 3, {-1}, 1},
    {"TOS", SIFR_TOS, 0, {0, 16, 255}, 3, {-1}, 1},
    {"PRIORITY", SIFR_PRIORITY, 0, {0, 1, 6}, 3, {-1}, 1},
    {"BUSY_POLL", SIFR_BUSY_POLL, 0, {0, 1, 50}, 3, {0}, 0},
    {"MULTICAST_HOPS", SIFR_MULTICAST_HOPS, 1, {1, 2, 255}, 3, {0, -1}, 2},
    {"MULTICAST_LOOP", SIFR_MULTICAST_LOOP, 1, {0, 1}, 2, {0}, 0},
    {"RATE", SIFR_RATE, 100, {1, 1000}, 2, {0, -1}, 2},
    {"RECOVERY_IVL", SIFR_RECOVERY_IVL, 10000, {0, 1, 60000}, 3, {-1}, 1},
    {"MULTICAST_MAXTPDU", SIFR_MULTICAST_MAXTPDU, 1500, {1, 9000}, 2, {0, -1}, 2},
    {"LOOPBACK_FASTPATH", SIFR_LOOPBACK_FASTPATH, 0, {1, 0}, 2, {0}, 0},
    {"INVERT_MATCHING", SIFR_INVERT_MATCHING, 0, {1, 0}, 2, {0}, 0},
};

static int first_of(const struct number *o, int type)
{
    if (o->option == SIFR_LINGER && (type == SIFR_SUB || type == SIFR_XSUB || type == SIFR_DISH))
        return 0;
    return o->first;
}

START_TEST(numbers_have_their_defaults_on_every_type)
{
    for (int i = 0; i < COUNT(numbers); i++) {
        sifr_socket_t *s = sifr_socket(world.ctx, _i);

        ck_assert_msg(get_int(s, numbers[i].option) == first_of(&numbers[i], _i), "%s is %d at first",
                      numbers[i].name, get_int(s, numbers[i].option));
        ck_works(sifr_close(s));
    }
}
END_TEST

START_TEST(numbers_accept_their_range_and_refuse_the_rest)
{
    const struct number *o = &numbers[_i];
    sifr_socket_t *s = sifr_socket(world.ctx, SIFR_PUB);
    int was = o->first, value;

    for (int i = 0; i < o->good_count; i++) {
        was = o->good[i];
        set_int(s, o->option, was);
        ck_assert_msg(get_int(s, o->option) == was, "%s %d reads back as %d", o->name, was, get_int(s, o->option));
    }
    for (int i = 0; i < o->bad_count; i++) {
        value = o->bad[i];
        errno = 0;
        ck_assert_msg(sifr_setsockopt(s, o->option, &value, sizeof value) == -1 && errno == EINVAL,
                      "%s %d is accepted, or errno is %d", o->name, value, errno);
        ck_assert_int_eq(get_int(s, o->option), was); /* untouched */
    }
    ck_works(sifr_close(s));
}
END_TEST

START_TEST(numbers_have_exactly_four_bytes)
{
    sifr_socket_t *s = sifr_socket(world.ctx, SIFR_PUB);
    char bytes[16] = {0};

    for (int i = 0; i < COUNT(numbers); i++)
        for (size_t size = 0; size <= 16; size++) {
            size_t room = size;

            if (size == 4)
                continue;
            ck_fails(sifr_setsockopt(s, numbers[i].option, bytes, size), EINVAL);
            ck_fails(sifr_getsockopt(s, numbers[i].option, bytes, &room), EINVAL);
        }
    for (int i = 0; i < COUNT(numbers); i++) {
        ck_fails(sifr_setsockopt(s, numbers[i].option, NULL, 4), EINVAL);
        ck_fails(sifr_setsockopt(s, numbers[i].option, NULL, 0), EINVAL);
    }
    ck_works(sifr_close(s));
}
END_TEST

START_TEST(values_may_lie_at_any_address)
{
    sifr_socket_t *s = sifr_socket(world.ctx, SIFR_PUB);
    char bytes[24];

    for (size_t shift = 0; shift < 8; shift++) {
        int value = 4711;
        int64_t size64 = 123456789012345;
        size_t size = sizeof value;

        memcpy(bytes + shift, &value, sizeof value);
        ck_works(sifr_setsockopt(s, SIFR_SNDHWM, bytes + shift, sizeof value));
        memset(bytes, 0, sizeof bytes);
        ck_works(sifr_getsockopt(s, SIFR_SNDHWM, bytes + shift, &size));
        ck_assert_mem_eq(bytes + shift, &value, sizeof value);
        size = sizeof size64;
        memcpy(bytes + shift, &size64, sizeof size64);
        ck_works(sifr_setsockopt(s, SIFR_MAXMSGSIZE, bytes + shift, sizeof size64));
        memset(bytes, 0, sizeof bytes);
        ck_works(sifr_getsockopt(s, SIFR_MAXMSGSIZE, bytes + shift, &size));
        ck_assert_mem_eq(bytes + shift, &size64, sizeof size64);
    }
    ck_works(sifr_close(s));
}
END_TEST

START_TEST(wide_numbers_have_eight_bytes)
{
    static const struct {
        int option;
        int64_t first;
    } wide[] = {{SIFR_AFFINITY, 0}, {SIFR_MAXMSGSIZE, -1}};
    static const int64_t values[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1000000};
    sifr_socket_t *s = sifr_socket(world.ctx, SIFR_PUB);

    for (int i = 0; i < COUNT(wide); i++) {
        int64_t value = 4711;
        size_t size = sizeof value;

        ck_works(sifr_getsockopt(s, wide[i].option, &value, &size));
        ck_assert_int_eq(value, wide[i].first);
        for (int n = 0; n < COUNT(values); n++) {
            ck_works(sifr_setsockopt(s, wide[i].option, &values[n], sizeof values[n]));
            ck_works(sifr_getsockopt(s, wide[i].option, &value, &size));
            ck_assert_int_eq(value, values[n]);
            ck_assert_uint_eq(size, 8);
        }
        ck_fails(sifr_setsockopt(s, wide[i].option, &value, 4), EINVAL);
        ck_fails(sifr_setsockopt(s, wide[i].option, &value, 0), EINVAL);
        size = 4;
        ck_fails(sifr_getsockopt(s, wide[i].option, &value, &size), EINVAL);
        size = 9;
        ck_fails(sifr_getsockopt(s, wide[i].option, &value, &size), EINVAL);
    }
    ck_works(sifr_close(s));
}
END_TEST

START_TEST(heartbeat_ttl_goes_by_steps_of_100)
{
    static const int cases[][2] = {{1, 0}, {99, 0}, {100, 100}, {199, 100}, {250, 200}, {6553599, 6553500}};
    sifr_socket_t *s = new_socket(SIFR_PUB);

    for (int i = 0; i < COUNT(cases); i++) {
        set_int(s, SIFR_HEARTBEAT_TTL, cases[i][0]);
        ck_assert_int_eq(get_int(s, SIFR_HEARTBEAT_TTL), cases[i][1]);
    }
}
END_TEST

START_TEST(ipv4only_is_the_inverse_of_ipv6)
{
    sifr_socket_t *s = new_socket(SIFR_PUB);

    set_int(s, SIFR_IPV6, 1);
    ck_assert_int_eq(get_int(s, SIFR_IPV4ONLY), 0);
    set_int(s, SIFR_IPV4ONLY, 1);
    ck_assert_int_eq(get_int(s, SIFR_IPV6), 0);
}
END_TEST

/* ---- What can only be read, or only be set ------------------------------------------------------------------- */

START_TEST(what_can_only_be_read_may_be_read_into_more_room)
{
    static const int wide[] = {SIFR_RCVMORE, SIFR_FD, SIFR_EVENTS, SIFR_THREAD_SAFE};
    static const int exact[] = {SIFR_TYPE, SIFR_MECHANISM};
    sifr_socket_t *s = new_socket(SIFR_PAIR);

    for (int i = 0; i < COUNT(wide); i++) {
        int64_t value = -1; /* as programs written for ZeroMQ 2 read RCVMORE */
        size_t size = sizeof value;
        int want = get_int(s, wide[i]);

        ck_works(sifr_getsockopt(s, wide[i], &value, &size));
        ck_assert_uint_eq(size, 4);
        ck_assert_int_eq(value, want);
        size = 3;
        ck_fails(sifr_getsockopt(s, wide[i], &value, &size), EINVAL);
        ck_fails(sifr_setsockopt(s, wide[i], &want, sizeof want), EINVAL);
    }
    for (int i = 0; i < COUNT(exact); i++) {
        int64_t value = 0;
        size_t size = sizeof value;
        int want = get_int(s, exact[i]);

        ck_fails(sifr_getsockopt(s, exact[i], &value, &size), EINVAL);
        ck_fails(sifr_setsockopt(s, exact[i], &want, sizeof want), EINVAL);
    }
    ck_assert_int_eq(get_int(s, SIFR_RCVMORE), 0);
    ck_assert_int_eq(get_int(s, SIFR_THREAD_SAFE), 0);
    ck_assert_int_eq(get_int(s, SIFR_MECHANISM), SIFR_NULL);
    ck_fails(sifr_setsockopt(s, SIFR_LAST_ENDPOINT, "inproc://a", 10), EINVAL);
}
END_TEST

/* Numbers that can only be set, by the types that know them. */
static const struct setter {
    const char *name;
    int option;
    unsigned types;
} setters[] = {
    {"ROUTER_MANDATORY", SIFR_ROUTER_MANDATORY, TYPE(ROUTER) | TYPE(REP)},
    {"ROUTER_HANDOVER", SIFR_ROUTER_HANDOVER, TYPE(ROUTER) | TYPE(REP)},
    {"PROBE_ROUTER", SIFR_PROBE_ROUTER, TYPE(ROUTER) | TYPE(REP) | TYPE(DEALER) | TYPE(REQ)},
    {"ROUTER_RAW", SIFR_ROUTER_RAW, TYPE(ROUTER)},
    {"REQ_CORRELATE", SIFR_REQ_CORRELATE, TYPE(REQ)},
    {"REQ_RELAXED", SIFR_REQ_RELAXED, TYPE(REQ)},
    {"XPUB_VERBOSE", SIFR_XPUB_VERBOSE, TYPE(XPUB) | TYPE(PUB)},
    {"XPUB_VERBOSER", SIFR_XPUB_VERBOSER, TYPE(XPUB) | TYPE(PUB)},
    {"XPUB_NODROP", SIFR_XPUB_NODROP, TYPE(XPUB) | TYPE(PUB) | TYPE(RADIO)},
    {"XPUB_MANUAL", SIFR_XPUB_MANUAL, TYPE(XPUB) | TYPE(PUB)},
    {"XPUB_MANUAL_LAST_VALUE", SIFR_XPUB_MANUAL_LAST_VALUE, TYPE(XPUB) | TYPE(PUB)},
    {"ONLY_FIRST_SUBSCRIBE", SIFR_ONLY_FIRST_SUBSCRIBE, TYPE(XPUB) | TYPE(PUB) | TYPE(XSUB)},
    {"XSUB_VERBOSE_UNSUBSCRIBE", SIFR_XSUB_VERBOSE_UNSUBSCRIBE, TYPE(XSUB)},
};

START_TEST(options_of_one_type_are_refused_by_others)
{
    const struct setter *o = &setters[_i];

    for (int type = SIFR_PAIR; type <= SIFR_CHANNEL; type++) {
        sifr_socket_t *s = new_socket(type);
        int value = 1, back = 0;
        size_t size = sizeof back;

        if (!(o->types & 1u << type)) {
            errno = 0;
            ck_assert_msg(sifr_setsockopt(s, o->option, &value, sizeof value) == -1 && errno == EINVAL,
                          "%s is taken by type %d, or errno is %d", o->name, type, errno);
            continue;
        }
        for (value = 0; value < 3; value++)
            ck_assert_msg(sifr_setsockopt(s, o->option, &value, sizeof value) == 0, "%s %d on type %d: errno %d",
                          o->name, value, type, errno);
        value = -1;
        ck_fails(sifr_setsockopt(s, o->option, &value, sizeof value), EINVAL);
        value = 1;
        ck_fails(sifr_setsockopt(s, o->option, &value, 1), EINVAL);
        ck_fails(sifr_setsockopt(s, o->option, &value, 8), EINVAL);
        ck_fails(sifr_setsockopt(s, o->option, NULL, 0), EINVAL);
        ck_fails(sifr_getsockopt(s, o->option, &back, &size), EINVAL);
    }
}
END_TEST

START_TEST(router_notify_takes_two_bits)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *dealer = new_socket(SIFR_DEALER);
    int value;

    ck_assert_int_eq(get_int(router, SIFR_ROUTER_NOTIFY), 0);
    for (value = 0; value <= 3; value++) {
        set_int(router, SIFR_ROUTER_NOTIFY, value);
        ck_assert_int_eq(get_int(router, SIFR_ROUTER_NOTIFY), value);
    }
    ck_fails(sifr_setsockopt(router, SIFR_ROUTER_NOTIFY, &value, sizeof value), EINVAL);
    value = -1;
    ck_fails(sifr_setsockopt(router, SIFR_ROUTER_NOTIFY, &value, sizeof value), EINVAL);
    ck_assert_int_eq(get_int(router, SIFR_ROUTER_NOTIFY), 3);
    value = 1;
    ck_fails(sifr_setsockopt(dealer, SIFR_ROUTER_NOTIFY, &value, sizeof value), EINVAL);
}
END_TEST

START_TEST(only_subscribers_subscribe)
{
    for (int type = SIFR_PAIR; type <= SIFR_CHANNEL; type++) {
        sifr_socket_t *s = new_socket(type);

        if (type == SIFR_SUB) {
            ck_works(sifr_setsockopt(s, SIFR_SUBSCRIBE, "a", 1));
            ck_works(sifr_setsockopt(s, SIFR_SUBSCRIBE, "", 0));
            ck_works(sifr_setsockopt(s, SIFR_SUBSCRIBE, NULL, 0));
            ck_works(sifr_setsockopt(s, SIFR_UNSUBSCRIBE, "a", 1));
            ck_works(sifr_setsockopt(s, SIFR_UNSUBSCRIBE, "unknown", 7));
            ck_works(sifr_setsockopt(s, SIFR_UNSUBSCRIBE, NULL, 0));
            ck_fails(sifr_setsockopt(s, SIFR_SUBSCRIBE, NULL, 1), EINVAL);
        } else {
            ck_fails(sifr_setsockopt(s, SIFR_SUBSCRIBE, "a", 1), EINVAL);
            ck_fails(sifr_setsockopt(s, SIFR_UNSUBSCRIBE, "a", 1), EINVAL);
        }
    }
}
END_TEST

/* ---- Texts and bytes ----------------------------------------------------------------------------------------- */

START_TEST(a_routing_id_has_1_to_255_bytes)
{
    for (int type = SIFR_PAIR; type <= SIFR_CHANNEL; type++) {
        sifr_socket_t *s = new_socket(type);
        uint8_t id[256], back[300];
        size_t size = sizeof back;

        fill_bytes(id, sizeof id, 1);
        ck_works(sifr_getsockopt(s, SIFR_ROUTING_ID, back, &size));
        ck_assert_uint_eq(size, 0);
        ck_fails(sifr_setsockopt(s, SIFR_ROUTING_ID, id, 0), EINVAL);
        ck_fails(sifr_setsockopt(s, SIFR_ROUTING_ID, NULL, 0), EINVAL);
        ck_fails(sifr_setsockopt(s, SIFR_ROUTING_ID, NULL, 5), EINVAL);
        ck_fails(sifr_setsockopt(s, SIFR_ROUTING_ID, id, 256), EINVAL);
        for (size_t n = 1; n <= 255; n += 127) {
            ck_works(sifr_setsockopt(s, SIFR_ROUTING_ID, id, n));
            if (type == SIFR_STREAM) /* tells of its connections instead */
                continue;
            size = n - 1;
            ck_fails(sifr_getsockopt(s, SIFR_ROUTING_ID, back, &size), EINVAL);
            size = n;
            ck_works(sifr_getsockopt(s, SIFR_ROUTING_ID, back, &size));
            ck_assert_uint_eq(size, n);
            memset(back, 0xaa, sizeof back);
            size = sizeof back;
            ck_works(sifr_getsockopt(s, SIFR_ROUTING_ID, back, &size));
            ck_assert_uint_eq(size, n); /* no NUL is counted, but the rest is zero */
            ck_assert_mem_eq(back, id, n);
            for (size_t k = n; k < sizeof back; k++)
                ck_assert_uint_eq(back[k], 0);
        }
    }
}
END_TEST

START_TEST(texts_are_read_with_their_nul_and_zeros_behind)
{
    sifr_socket_t *s = new_socket(SIFR_PAIR);
    char text[64];
    size_t size = sizeof text;

    memset(text, 'x', sizeof text);
    ck_works(sifr_getsockopt(s, SIFR_LAST_ENDPOINT, text, &size));
    ck_assert_uint_eq(size, 1);
    ck_assert_str_eq(text, "");
    size = 0;
    ck_fails(sifr_getsockopt(s, SIFR_LAST_ENDPOINT, text, &size), EINVAL);
    ck_works(sifr_bind(s, "inproc://name"));
    memset(text, 'x', sizeof text);
    size = sizeof text;
    ck_works(sifr_getsockopt(s, SIFR_LAST_ENDPOINT, text, &size));
    ck_assert_uint_eq(size, 14);
    ck_assert_str_eq(text, "inproc://name");
    for (size_t k = 14; k < sizeof text; k++)
        ck_assert_int_eq(text[k], 0);
    size = 14;
    ck_works(sifr_getsockopt(s, SIFR_LAST_ENDPOINT, text, &size));
    size = 13;
    ck_fails(sifr_getsockopt(s, SIFR_LAST_ENDPOINT, text, &size), EINVAL);
}
END_TEST

START_TEST(a_device_to_bind_to_is_a_text_of_up_to_16)
{
    sifr_socket_t *s = new_socket(SIFR_PAIR);
    char text[64];
    size_t size = sizeof text;

    ck_works(sifr_getsockopt(s, SIFR_BINDTODEVICE, text, &size));
    ck_assert_uint_eq(size, 1);
    ck_works(sifr_setsockopt(s, SIFR_BINDTODEVICE, "lo", 2));
    size = sizeof text;
    ck_works(sifr_getsockopt(s, SIFR_BINDTODEVICE, text, &size));
    ck_assert_uint_eq(size, 3);
    ck_assert_str_eq(text, "lo");
    ck_fails(sifr_setsockopt(s, SIFR_BINDTODEVICE, "12345678901234567", 17), EINVAL);
    ck_works(sifr_setsockopt(s, SIFR_BINDTODEVICE, NULL, 0));
    size = sizeof text;
    ck_works(sifr_getsockopt(s, SIFR_BINDTODEVICE, text, &size));
    ck_assert_uint_eq(size, 1);
}
END_TEST

START_TEST(texts_may_have_nuls_within)
{
    static const int options[] = {SIFR_BINDTODEVICE, SIFR_SOCKS_PROXY, SIFR_SOCKS_USERNAME, SIFR_SOCKS_PASSWORD};
    sifr_socket_t *s = new_socket(SIFR_PAIR);

    for (int i = 0; i < COUNT(options); i++) {
        char text[16];
        size_t size = sizeof text;

        ck_works(sifr_setsockopt(s, options[i], "a\0b\0", 4));
        ck_works(sifr_getsockopt(s, options[i], text, &size));
        ck_assert_uint_eq(size, 5);
        ck_assert_mem_eq(text, "a\0b\0\0", 6);
        size = 4;
        ck_fails(sifr_getsockopt(s, options[i], text, &size), EINVAL);
    }
}
END_TEST

START_TEST(metadata_is_a_name_with_x_and_a_value)
{
    static const char *const good[] = {"X-a:b", "X-colour:blue", "X-url:http://host", "X-:value"};
    static const char *const bad[] = {"", "X-colour", ":blue", "X-colour:", "colour:blue", "x-colour:blue", "Socket-Type:PUB"};
    sifr_socket_t *s = new_socket(SIFR_DEALER);
    char back[64];
    size_t size = sizeof back;

    for (int i = 0; i < COUNT(good); i++)
        set_text(s, SIFR_METADATA, good[i]);
    for (int i = 0; i < COUNT(bad); i++)
        ck_fails(sifr_setsockopt(s, SIFR_METADATA, bad[i], strlen(bad[i])), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_METADATA, NULL, 5), EINVAL);
    ck_fails(sifr_getsockopt(s, SIFR_METADATA, back, &size), EINVAL);
}
END_TEST

START_TEST(accept_filters_are_checked_as_they_are_set)
{
    static const char *const good[] = {"127.0.0.1", "127.0.0.1/32", "10.0.0.0/8", "::1", "fe80::/10", "0.0.0.0/0"};
    static const char *const bad[] = {"", "nonsense", "127.0.0.1/33", "127.0.0.1/", "127.0.0.1/x", "::1/129", "300.0.0.1"};
    sifr_socket_t *s = new_socket(SIFR_PAIR);
    pid_t pid = getpid();
    uid_t uid = getuid();
    gid_t gid = getgid();

    for (int i = 0; i < COUNT(good); i++)
        set_text(s, SIFR_TCP_ACCEPT_FILTER, good[i]);
    for (int i = 0; i < COUNT(bad); i++)
        ck_fails(sifr_setsockopt(s, SIFR_TCP_ACCEPT_FILTER, bad[i], strlen(bad[i])), EINVAL);
    ck_works(sifr_setsockopt(s, SIFR_TCP_ACCEPT_FILTER, NULL, 0));
    ck_works(sifr_setsockopt(s, SIFR_IPC_FILTER_PID, &pid, sizeof pid));
    ck_works(sifr_setsockopt(s, SIFR_IPC_FILTER_UID, &uid, sizeof uid));
    ck_works(sifr_setsockopt(s, SIFR_IPC_FILTER_GID, &gid, sizeof gid));
    ck_fails(sifr_setsockopt(s, SIFR_IPC_FILTER_UID, &uid, 1), EINVAL);
    ck_works(sifr_setsockopt(s, SIFR_IPC_FILTER_PID, NULL, 0));
    ck_works(sifr_setsockopt(s, SIFR_IPC_FILTER_UID, NULL, 0));
    ck_works(sifr_setsockopt(s, SIFR_IPC_FILTER_GID, NULL, 0));
}
END_TEST

START_TEST(messages_of_notice_may_be_set_and_cleared)
{
    static const struct {
        int option;
        unsigned types;
    } cases[] = {
        {SIFR_HELLO_MSG, TYPE(ROUTER) | TYPE(DEALER) | TYPE(REP) | TYPE(REQ)},
        {SIFR_DISCONNECT_MSG, TYPE(ROUTER) | TYPE(REP)},
        {SIFR_HICCUP_MSG, TYPE(DEALER) | TYPE(REQ)},
        {SIFR_XPUB_WELCOME_MSG, TYPE(XPUB) | TYPE(PUB)},
    };

    for (int i = 0; i < COUNT(cases); i++)
        for (int type = SIFR_PAIR; type <= SIFR_CHANNEL; type++) {
            sifr_socket_t *s = new_socket(type);
            char back[64];
            size_t size = sizeof back;

            if (!(cases[i].types & 1u << type))
                continue;
            set_text(s, cases[i].option, "notice");
            ck_works(sifr_setsockopt(s, cases[i].option, NULL, 0));
            ck_works(sifr_setsockopt(s, cases[i].option, "", 0));
            ck_fails(sifr_setsockopt(s, cases[i].option, NULL, 3), EINVAL);
            ck_fails(sifr_getsockopt(s, cases[i].option, back, &size), EINVAL);
        }
}
END_TEST

START_TEST(a_peers_name_is_set_where_peers_are_addressed)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *dealer = new_socket(SIFR_DEALER);

    set_text(router, SIFR_CONNECT_ROUTING_ID, "peer");
    ck_fails(sifr_setsockopt(router, SIFR_CONNECT_ROUTING_ID, "", 0), EINVAL);
    ck_fails(sifr_setsockopt(router, SIFR_CONNECT_ROUTING_ID, NULL, 4), EINVAL);
    ck_fails(sifr_setsockopt(dealer, SIFR_CONNECT_ROUTING_ID, "peer", 4), EINVAL);
}
END_TEST

START_TEST(unknown_options_are_refused_with_any_size)
{
    static const int options[] = {-1, 0, 1, 2, 3, 10, 20, 26, 29, 30, 67, 70, 82, 83, 125, 1000, INT_MAX, INT_MIN};

    for (int type = SIFR_PAIR; type <= SIFR_CHANNEL; type++) {
        sifr_socket_t *s = new_socket(type);

        for (int i = 0; i < COUNT(options); i++)
            for (size_t room = 0; room <= 16; room += 4) {
                char value[16] = {0};
                size_t size = room;

                ck_fails(sifr_setsockopt(s, options[i], value, room), EINVAL);
                ck_fails(sifr_getsockopt(s, options[i], value, &size), EINVAL);
            }
    }
}
END_TEST

/* ---- What they do -------------------------------------------------------------------------------------------- */

START_TEST(too_large_a_part_ends_its_connection)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL), *other = new_socket(SIFR_PUSH);
    int64_t limit = 1000;
    struct endpoint e;

    ck_works(sifr_setsockopt(pull, SIFR_MAXMSGSIZE, &limit, sizeof limit));
    e = bind_fresh(pull, (enum transport)_i);
    set_int(push, SIFR_RECONNECT_IVL, -1);
    connect_to(push, &e);
    send_filled(push, 1000, 1, SIFR_SNDMORE);
    send_filled(push, 1000, 2, 0);
    recv_filled(pull, 1000, 1, true);
    recv_filled(pull, 1000, 2, false);
    send_filled(push, 5, 1, SIFR_SNDMORE);
    send_filled(push, 1001, 2, 0);
    eventually(sifr_send(push, "x", 1, SIFR_DONTWAIT) == -1);
    connect_to(other, &e);
    send_text(other, "other", 0);
    recv_parts(pull, "other");
    recv_nothing(pull);
}
END_TEST

START_TEST(inproc_knows_no_limit_of_size)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    int64_t limit = 10;

    ck_works(sifr_setsockopt(pull, SIFR_MAXMSGSIZE, &limit, sizeof limit));
    link_sockets(push, pull, 2 * INPROC);
    send_filled(push, 11, 1, 0);
    recv_filled(pull, 11, 1, false);
}
END_TEST

START_TEST(filters_keep_strangers_out)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct endpoint closed, open;

    set_text(pull, SIFR_TCP_ACCEPT_FILTER, "192.0.2.0/24");
    closed = bind_fresh(pull, TCP);
    set_text(pull, SIFR_TCP_ACCEPT_FILTER, "127.0.0.0/8"); /* any match admits */
    open = bind_fresh(pull, TCP);
    set_int(push, SIFR_IMMEDIATE, 1);
    connect_to(push, &closed);
    ck_assert(!writable_within(push, 200));
    connect_to(push, &open);
    send_text(push, "let in", 0);
    recv_parts(pull, "let in");
}
END_TEST

START_TEST(an_ipc_filter_admits_whom_it_names)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    uid_t stranger = getuid() + 1;
    pid_t pid = getpid();
    struct endpoint closed, open;

    ck_works(sifr_setsockopt(pull, SIFR_IPC_FILTER_UID, &stranger, sizeof stranger));
    closed = bind_fresh(pull, IPC);
    ck_works(sifr_setsockopt(pull, SIFR_IPC_FILTER_PID, &pid, sizeof pid));
    open = bind_fresh(pull, IPC);
    set_int(push, SIFR_IMMEDIATE, 1);
    connect_to(push, &closed);
    ck_assert(!writable_within(push, 200));
    connect_to(push, &open);
    send_text(push, "let in", 0);
    recv_parts(pull, "let in");
}
END_TEST

START_TEST(a_listening_descriptor_may_be_brought_along)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct sockaddr_in a = own_address(0);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct endpoint e;

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    snprintf(e.text, sizeof e.text, "tcp://%s:%d", own_host(), ntohs(a.sin_port));
    set_int(pull, SIFR_USE_FD, fd);
    bind_to(pull, &e);
    set_int(pull, SIFR_USE_FD, -1);
    ck_assert_str_eq(last_endpoint(pull).text, e.text);
    connect_to(push, &e);
    send_text(push, "activated", 0);
    recv_parts(pull, "activated");
}
END_TEST

START_TEST(without_reconnection_a_lost_endpoint_is_given_up)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(pull, (enum transport)_i);

    set_int(push, SIFR_RECONNECT_IVL, -1);
    connect_to(push, &e);
    send_text(push, "once", 0);
    recv_parts(pull, "once");
    drop(pull);
    eventually(!writable_within(push, 0));
    ck_fails(sifr_disconnect(push, e.text), ENOENT);
}
END_TEST

START_TEST(silence_ends_a_connection_with_heartbeats)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH);
    struct sockaddr_in a = own_address(0);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;
    static const char ready[] = "\4\x1a\5READY\13Socket-Type\0\0\0\4PULL";
    uint8_t hello[64 + sizeof ready - 1] = {0xff, [8] = 1, 0x7f, 3, 1, 'N', 'U', 'L', 'L'};
    uint8_t bytes[1000];
    struct endpoint e;
    int64_t start;
    ssize_t n;

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    snprintf(e.text, sizeof e.text, "tcp://%s:%d", own_host(), ntohs(a.sin_port));
    set_int(push, SIFR_HEARTBEAT_IVL, 50);
    set_int(push, SIFR_HEARTBEAT_TIMEOUT, 1500); /* long enough to see it writable before */
    set_int(push, SIFR_IMMEDIATE, 1);
    connect_to(push, &e);
    peer = accept(fd, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    memcpy(hello + 64, ready, sizeof ready - 1);
    ck_assert_int_eq(write(peer, hello, sizeof hello), sizeof hello);
    ck_assert(writable_within(push, WAIT_MS));
    start = now_ms();
    do /* its greeting, READY, PINGs, and the end */
        n = read(peer, bytes, sizeof bytes);
    while (n > 0);
    ck_assert_int_ge(now_ms() - start, 99);
    ck_assert_int_lt(now_ms() - start, WAIT_MS);
    close(peer);
    close(fd);
}
END_TEST

/* ---- Context ------------------------------------------------------------------------------------------------- */

START_TEST(options_of_a_context_have_defaults_and_ranges)
{
    static const struct {
        int option, first;
        int good[INTS_MAX], good_count, bad;
    } cases[] = {
        {SIFR_IO_THREADS, 1, {0, 1, 4}, 3, -1},
        {SIFR_MAX_SOCKETS, 1023, {1, 100, 65535}, 3, 0},
        {SIFR_THREAD_SCHED_POLICY, -1, {0, 1}, 2, -2},
        {SIFR_MAX_MSGSZ, INT_MAX, {0, 1000}, 2, -1},
        {SIFR_ZERO_COPY_RECV, 1, {0, 1}, 2, -1},
        {SIFR_BLOCKY, 1, {0, 1}, 2, -1},
        {SIFR_IPV6, 0, {1, 0}, 2, -1},
    };

    for (int i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(sifr_ctx_get(world.ctx, cases[i].option), cases[i].first);
        for (int n = 0; n < cases[i].good_count; n++) {
            ck_works(sifr_ctx_set(world.ctx, cases[i].option, cases[i].good[n]));
            ck_assert_int_eq(sifr_ctx_get(world.ctx, cases[i].option), cases[i].good[n]);
        }
        ck_fails(sifr_ctx_set(world.ctx, cases[i].option, cases[i].bad), EINVAL);
        ck_assert_int_eq(sifr_ctx_get(world.ctx, cases[i].option), cases[i].good[cases[i].good_count - 1]);
    }
    ck_assert_int_eq(sifr_ctx_get(world.ctx, SIFR_SOCKET_LIMIT), 65535);
    ck_assert_int_eq(sifr_ctx_get(world.ctx, SIFR_MSG_T_SIZE), sizeof(sifr_msg_t));
    ck_fails(sifr_ctx_set(world.ctx, SIFR_MSG_T_SIZE, 64), EINVAL);
    ck_fails(sifr_ctx_set(world.ctx, SIFR_THREAD_PRIORITY, -1), EINVAL);
    ck_fails(sifr_ctx_get(world.ctx, SIFR_THREAD_AFFINITY_CPU_ADD), EINVAL);
    ck_fails(sifr_ctx_get(world.ctx, SIFR_THREAD_AFFINITY_CPU_REMOVE), EINVAL);
    ck_fails(sifr_ctx_set(world.ctx, SIFR_THREAD_AFFINITY_CPU_REMOVE, 3), EINVAL);
    ck_works(sifr_ctx_set(world.ctx, SIFR_THREAD_AFFINITY_CPU_ADD, 3));
    ck_works(sifr_ctx_set(world.ctx, SIFR_THREAD_AFFINITY_CPU_REMOVE, 3));
    ck_fails(sifr_ctx_set(world.ctx, SIFR_THREAD_AFFINITY_CPU_REMOVE, 3), EINVAL);
    ck_works(sifr_ctx_set(world.ctx, SIFR_THREAD_NAME_PREFIX, 4711));
    ck_assert_int_eq(sifr_ctx_get(world.ctx, SIFR_THREAD_NAME_PREFIX), 4711);
    for (int i = 0; i < 3; i++) {
        static const int unknown[] = {-1, 0, 4711};

        ck_fails(sifr_ctx_set(world.ctx, unknown[i], 1), EINVAL);
        ck_fails(sifr_ctx_get(world.ctx, unknown[i]), EINVAL);
    }
}
END_TEST

START_TEST(new_sockets_take_after_their_context)
{
    sifr_socket_t *before = sifr_socket(world.ctx, SIFR_PUSH), *after;

    ck_works(sifr_ctx_set(world.ctx, SIFR_BLOCKY, 0));
    ck_works(sifr_ctx_set(world.ctx, SIFR_IPV6, 1));
    after = sifr_socket(world.ctx, SIFR_PUSH);
    ck_assert_int_eq(get_int(before, SIFR_LINGER), -1);
    ck_assert_int_eq(get_int(before, SIFR_IPV6), 0);
    ck_assert_int_eq(get_int(after, SIFR_LINGER), 0);
    ck_assert_int_eq(get_int(after, SIFR_IPV6), 1);
    ck_works(sifr_close(before));
    ck_works(sifr_close(after));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("options");
    TCase *c = new_case(s, "numbers");

    tcase_add_loop_test(c, numbers_have_their_defaults_on_every_type, SIFR_PAIR, SIFR_CHANNEL + 1);
    tcase_add_loop_test(c, numbers_accept_their_range_and_refuse_the_rest, 0, COUNT(numbers));
    tcase_add_test(c, numbers_have_exactly_four_bytes);
    tcase_add_test(c, values_may_lie_at_any_address);
    tcase_add_test(c, wide_numbers_have_eight_bytes);
    tcase_add_test(c, heartbeat_ttl_goes_by_steps_of_100);
    tcase_add_test(c, ipv4only_is_the_inverse_of_ipv6);
    c = new_case(s, "one way");
    tcase_add_test(c, what_can_only_be_read_may_be_read_into_more_room);
    tcase_add_loop_test(c, options_of_one_type_are_refused_by_others, 0, COUNT(setters));
    tcase_add_test(c, router_notify_takes_two_bits);
    tcase_add_test(c, only_subscribers_subscribe);
    c = new_case(s, "texts");
    tcase_add_test(c, a_routing_id_has_1_to_255_bytes);
    tcase_add_test(c, texts_are_read_with_their_nul_and_zeros_behind);
    tcase_add_test(c, a_device_to_bind_to_is_a_text_of_up_to_16);
    tcase_add_test(c, texts_may_have_nuls_within);
    tcase_add_test(c, metadata_is_a_name_with_x_and_a_value);
    tcase_add_test(c, accept_filters_are_checked_as_they_are_set);
    tcase_add_test(c, messages_of_notice_may_be_set_and_cleared);
    tcase_add_test(c, a_peers_name_is_set_where_peers_are_addressed);
    tcase_add_test(c, unknown_options_are_refused_with_any_size);
    c = new_case(s, "effects");
    tcase_add_loop_test(c, too_large_a_part_ends_its_connection, 0, INPROC);
    tcase_add_test(c, inproc_knows_no_limit_of_size);
    tcase_add_test(c, filters_keep_strangers_out);
    tcase_add_test(c, an_ipc_filter_admits_whom_it_names);
    tcase_add_test(c, a_listening_descriptor_may_be_brought_along);
    tcase_add_loop_test(c, without_reconnection_a_lost_endpoint_is_given_up, 0, INPROC);
    tcase_add_test(c, silence_ends_a_connection_with_heartbeats);
    c = new_case(s, "context");
    tcase_add_test(c, options_of_a_context_have_defaults_and_ranges);
    tcase_add_test(c, new_sockets_take_after_their_context);
    return run_suite(s);
}
