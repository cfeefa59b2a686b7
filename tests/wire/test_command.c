/* Commands, heartbeats and subscriptions as bytes. */
#include "wire/command.h"
#include "quick_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum sf_command_kind kind;
} commands[] = {
    {"READY", SF_CMD_READY},     {"ERROR", SF_CMD_ERROR},       {"HELLO", SF_CMD_HELLO},
    {"WELCOME", SF_CMD_WELCOME}, {"INITIATE", SF_CMD_INITIATE}, {"MESSAGE", SF_CMD_MESSAGE},
    {"PING", SF_CMD_PING},       {"PONG", SF_CMD_PONG},         {"SUBSCRIBE", SF_CMD_SUBSCRIBE},
    {"CANCEL", SF_CMD_CANCEL},   {"JOIN", SF_CMD_JOIN},         {"LEAVE", SF_CMD_LEAVE},
    {"ready", SF_CMD_UNKNOWN},   {"READ", SF_CMD_UNKNOWN},      {"READYY", SF_CMD_UNKNOWN},
    {"X", SF_CMD_UNKNOWN},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

START_TEST(each_command_survives_a_round_trip)
{
    static const size_t sizes[] = {0, 1, 16, 245, 246, 250, 255, 256, 300};
    const char *name = commands[_i].name;
    uint8_t data[300], bytes[400];

    memset(data, 'd', sizeof data);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sf_command_put(bytes, name, data, sizes[i]);
        struct sf_command c;
        struct sf_frame f;
        int header = sf_frame_get(&f, bytes, n);

        ck_assert_uint_eq(n, sf_command_size(name, sizes[i]));
        ck_assert_int_eq(header, 1 + strlen(name) + sizes[i] < 256 ? 2 : 9);
        ck_assert_uint_eq(f.flags, SF_FRAME_COMMAND);
        ck_assert_uint_eq(f.size, n - (size_t)header);
        ck_assert_int_eq(sf_command_get(&c, bytes + header, f.size), 0);
        ck_assert_int_eq(c.kind, commands[_i].kind);
        ck_assert_uint_eq(c.name_size, strlen(name));
        ck_assert_mem_eq(c.name, name, c.name_size);
        ck_assert_uint_eq(c.data_size, sizes[i]);
        ck_assert_mem_eq(c.data, data, sizes[i]);
        ck_assert_uint_eq(sf_command_put(bytes, name, NULL, sizes[i]), n - sizes[i]);
        ck_assert_uint_eq(sf_command_body(bytes, name, data, sizes[i]), f.size);
    }
}
END_TEST

START_TEST(commands_without_a_whole_name_are_malformed)
{
    struct sf_command c;
    uint8_t longest[256];

    ck_assert_int_eq(sf_command_get(&c, (const uint8_t *)"", 0), -EPROTO);
    ck_assert_int_eq(sf_command_get(&c, (const uint8_t *)"\0", 1), -EPROTO);
    ck_assert_int_eq(sf_command_get(&c, (const uint8_t *)"\0PING", 5), -EPROTO);
    ck_assert_int_eq(sf_command_get(&c, (const uint8_t *)"\4PIN", 4), -EPROTO);
    ck_assert_int_eq(sf_command_get(&c, (const uint8_t *)"\4PING", 5), 0);
    memset(longest, 255, sizeof longest);
    ck_assert_int_eq(sf_command_get(&c, longest, 255), -EPROTO);
    ck_assert_int_eq(sf_command_get(&c, longest, 256), 0);
    ck_assert_uint_eq(c.name_size, 255);
    ck_assert_uint_eq(c.data_size, 0);
}
END_TEST

START_TEST(ping_is_written_in_tenths_up_to_what_libzmq_bears)
{
    static const struct {
        uint32_t ttl_ms;
        const char *bytes;
    } cases[] = {
        {0, "\4\7\4PING\0\0"},
        {99, "\4\7\4PING\0\0"},
        {100, "\4\7\4PING\0\1"},
        {2000, "\4\7\4PING\0\x14"},
        {65500, "\4\7\4PING\2\x8f"},
        {65600, "\4\7\4PING\2\x8f"},
        {UINT32_MAX, "\4\7\4PING\2\x8f"},
    };
    uint8_t bytes[SF_PING_SIZE_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_uint_eq(sf_ping_put(bytes, cases[i].ttl_ms, NULL, 0), 9);
        ck_assert_mem_eq(bytes, cases[i].bytes, 9);
        ck_assert_uint_eq(sf_ping_body(bytes, cases[i].ttl_ms, NULL, 0), 7);
        ck_assert_mem_eq(bytes, cases[i].bytes + 2, 7);
    }
}
END_TEST

START_TEST(ping_is_read_and_its_context_cut_to_16_octets)
{
    uint8_t bytes[64];
    struct sf_command c;
    struct sf_ping p;

    for (size_t size = 0; size < 40; size++) {
        uint8_t data[42] = {0xff, 0xff};

        memset(data + 2, 'c', size);
        sf_command_body(bytes, "PING", data, 2 + size);
        ck_assert_int_eq(sf_command_get(&c, bytes, 1 + 4 + 2 + size), 0);
        ck_assert_int_eq(sf_ping_get(&p, &c), 0);
        ck_assert_uint_eq(p.ttl_ms, 6553500);
        ck_assert_uint_eq(p.context_size, size < 16 ? size : 16);
        ck_assert_ptr_eq(p.context, bytes + 7);
    }
}
END_TEST

START_TEST(ping_without_a_ttl_is_malformed)
{
    struct sf_command c;
    struct sf_ping p;

    for (size_t n = 5; n < 7; n++) {
        ck_assert_int_eq(sf_command_get(&c, (const uint8_t *)"\4PING\0\0", n), 0);
        ck_assert_int_eq(sf_ping_get(&p, &c), -EPROTO);
    }
}
END_TEST

START_TEST(pong_echoes_the_context)
{
    uint8_t bytes[SF_PONG_SIZE_MAX];

    ck_assert_uint_eq(sf_pong_put(bytes, NULL, 0), 7);
    ck_assert_mem_eq(bytes, "\4\5\4PONG", 7);
    ck_assert_uint_eq(sf_pong_put(bytes, "ctx", 3), 10);
    ck_assert_mem_eq(bytes, "\4\10\4PONGctx", 10);
    ck_assert_uint_eq(sf_pong_put(bytes, "0123456789abcdefg", 17), SF_PONG_SIZE_MAX);
    ck_assert_mem_eq(bytes, "\4\25\4PONG0123456789abcdef", SF_PONG_SIZE_MAX);
    ck_assert_uint_eq(sf_pong_body(bytes, "ctx", 3), 8);
    ck_assert_mem_eq(bytes, "\4PONGctx", 8);
    ck_assert_uint_eq(sf_ping_put(bytes, 0, "x", 1), 10);
}
END_TEST

static const struct {
    enum sf_zmtp version;
    bool subscribe;
    const char *topic;
    const char *bytes;
    size_t size;
} subscriptions[] = {
    {SF_ZMTP_31, true, "A", "\4\x0b\x09SUBSCRIBEA", 13},
    {SF_ZMTP_31, false, "A", "\4\x08\6CANCELA", 10},
    {SF_ZMTP_31, true, "", "\4\x0a\x09SUBSCRIBE", 12},
    {SF_ZMTP_31, false, "", "\4\7\6CANCEL", 9},
    {SF_ZMTP_30, true, "A", "\0\2\1A", 4},
    {SF_ZMTP_30, false, "A", "\0\2\0A", 4},
    {SF_ZMTP_30, true, "", "\0\1\1", 3},
    {SF_ZMTP_20, true, "top", "\0\4\1top", 6},
    {SF_ZMTP_20, false, "top", "\0\4\0top", 6},
    {SF_ZMTP_10, true, "A", "\3\0\1A", 4},
    {SF_ZMTP_10, false, "A", "\3\0\0A", 4},
    {SF_ZMTP_10, true, "", "\2\0\1", 3},
};

enum { SUBSCRIPTIONS = sizeof subscriptions / sizeof *subscriptions };

START_TEST(subscriptions_take_the_form_of_the_version)
{
    size_t topic_size = strlen(subscriptions[_i].topic), size = subscriptions[_i].size;
    enum sf_zmtp version = subscriptions[_i].version;
    bool subscribe = subscriptions[_i].subscribe;
    struct sf_subscription s;
    uint8_t bytes[64];

    ck_assert_uint_eq(
        sf_subscription_put(bytes, version, subscribe, subscriptions[_i].topic, topic_size), size);
    ck_assert_mem_eq(bytes, subscriptions[_i].bytes, size);
    ck_assert_uint_eq(sf_subscription_size(version, subscribe, topic_size), size);
    ck_assert_int_eq(sf_subscription_get(&s, version == SF_ZMTP_31, bytes + 2, size - 2), 1);
    ck_assert_int_eq(s.subscribe, subscribe);
    ck_assert_uint_eq(s.size, topic_size);
    ck_assert_mem_eq(s.topic, subscriptions[_i].topic, topic_size);
    ck_assert_uint_eq(
        sf_subscription_body(bytes, version, subscribe, subscriptions[_i].topic, topic_size),
        size - 2);
    ck_assert_mem_eq(bytes, subscriptions[_i].bytes + 2, size - 2);
}
END_TEST

START_TEST(subscriptions_to_topics_of_any_length_are_framed_right)
{
    uint8_t topic[300], bytes[SF_SUBSCRIPTION_HEAD_MAX + sizeof topic];

    memset(topic, 'T', sizeof topic);
    for (int version = SF_ZMTP_10; version <= SF_ZMTP_31; version++) {
        for (size_t size = 240; size <= sizeof topic; size++) {
            size_t n = sf_subscription_put(bytes, version, true, topic, size);
            struct sf_subscription s;
            struct sf_frame f;
            int header =
                version == SF_ZMTP_10 ? sf_frame1_get(&f, bytes, n) : sf_frame_get(&f, bytes, n);

            ck_assert_int_gt(header, 0);
            ck_assert_uint_eq((size_t)header + f.size, n);
            ck_assert_uint_eq(f.flags, version == SF_ZMTP_31 ? SF_FRAME_COMMAND : 0);
            ck_assert_int_eq(
                sf_subscription_get(&s, f.flags & SF_FRAME_COMMAND, bytes + header, f.size), 1);
            ck_assert_uint_eq(s.size, size);
            ck_assert_uint_eq(sf_subscription_size(version, true, size), n);
            ck_assert_uint_eq(sf_subscription_put(bytes, version, true, NULL, size), n - size);
            ck_assert_uint_le(n - size, SF_SUBSCRIPTION_HEAD_MAX);
        }
    }
}
END_TEST

START_TEST(anything_else_is_no_subscription)
{
    struct sf_subscription s;

    ck_assert_int_eq(sf_subscription_get(&s, false, (const uint8_t *)"", 0), 0);
    ck_assert_int_eq(sf_subscription_get(&s, false, (const uint8_t *)"\2A", 2), 0);
    ck_assert_int_eq(sf_subscription_get(&s, false, (const uint8_t *)"\x09SUBSCRIBEA", 11), 0);
    ck_assert_int_eq(sf_subscription_get(&s, true, (const uint8_t *)"", 0), 0);
    ck_assert_int_eq(sf_subscription_get(&s, true, (const uint8_t *)"\1A", 2), 0);
    ck_assert_int_eq(sf_subscription_get(&s, true, (const uint8_t *)"\4PING\0\0", 7), 0);
    ck_assert_int_eq(sf_subscription_get(&s, true, (const uint8_t *)"\x09SUBSCRIB", 9), 0);
}
END_TEST

START_TEST(groups_have_up_to_255_octets_and_no_zero)
{
    uint8_t group[256];

    memset(group, 'g', sizeof group);
    ck_assert(sf_group_valid(NULL, 0));
    ck_assert(sf_group_valid(group, 255));
    ck_assert(!sf_group_valid(group, 256));
    group[9] = 0;
    ck_assert(!sf_group_valid(group, 10));
    ck_assert(sf_group_valid(group, 9));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command");
    TCase *tcase = tcase_create("command");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tcase, each_command_survives_a_round_trip, 0, COMMANDS);
    tcase_add_test(tcase, commands_without_a_whole_name_are_malformed);
    tcase_add_test(tcase, ping_is_written_in_tenths_up_to_what_libzmq_bears);
    tcase_add_test(tcase, ping_is_read_and_its_context_cut_to_16_octets);
    tcase_add_test(tcase, ping_without_a_ttl_is_malformed);
    tcase_add_test(tcase, pong_echoes_the_context);
    tcase_add_loop_test(tcase, subscriptions_take_the_form_of_the_version, 0, SUBSCRIPTIONS);
    tcase_add_test(tcase, subscriptions_to_topics_of_any_length_are_framed_right);
    tcase_add_test(tcase, anything_else_is_no_subscription);
    tcase_add_test(tcase, groups_have_up_to_255_octets_and_no_zero);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
