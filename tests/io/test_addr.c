/* Addresses as text and back. */
#include "io/addr.h"

#include <errno.h>
#include <string.h>

#include "on_loop.h"

static const struct {
    const char *text;
    bool wild;
    int err;
    const char *host;
    uint16_t port;
} splits[] = {
    {"127.0.0.1:80", false, 0, "127.0.0.1", 80},
    {"[::1]:80", false, 0, "::1", 80},
    {"::1:80", false, 0, "::1", 80},
    {"*:*", true, 0, "*", 0},
    {"eth0:0", true, 0, "eth0", 0},
    {"h:65535", false, 0, "h", 65535},
    {"h:00080", false, 0, "h", 80},
    {"h:65536", false, -EINVAL, NULL, 0},
    {"h:99999999999", false, -EINVAL, NULL, 0},
    {"h:*", false, -EINVAL, NULL, 0},
    {"h:", false, -EINVAL, NULL, 0},
    {"h:8a", false, -EINVAL, NULL, 0},
    {"h:+8", false, -EINVAL, NULL, 0},
    {":80", false, -EINVAL, NULL, 0},
    {"[]:80", false, -EINVAL, NULL, 0},
    {"h", false, -EINVAL, NULL, 0},
    {"", false, -EINVAL, NULL, 0},
};

START_TEST(host_and_port_are_split_at_the_last_colon)
{
    char host[SF_ADDR_HOST_MAX];
    uint16_t port;

    ck_assert_int_eq(
        sf_addr_split(host, &port, splits[_i].text, strlen(splits[_i].text), splits[_i].wild),
        splits[_i].err);
    if (!splits[_i].err) {
        ck_assert_str_eq(host, splits[_i].host);
        ck_assert_uint_eq(port, splits[_i].port);
    }
}
END_TEST

START_TEST(a_host_has_less_than_its_room)
{
    char text[SF_ADDR_HOST_MAX + 8], host[SF_ADDR_HOST_MAX];
    uint16_t port;

    memset(text, 'a', sizeof text);
    memcpy(text + SF_ADDR_HOST_MAX - 1, ":1", 3);
    ck_assert_int_eq(sf_addr_split(host, &port, text, strlen(text), false), 0);
    ck_assert_uint_eq(strlen(host), SF_ADDR_HOST_MAX - 1);
    memset(text, 'a', sizeof text);
    memcpy(text + SF_ADDR_HOST_MAX, ":1", 3);
    ck_assert_int_eq(sf_addr_split(host, &port, text, strlen(text), false), -EINVAL);
}
END_TEST

static const struct {
    const char *host;
    bool ipv6;
    int err;
    const char *text;
} parses[] = {
    {"127.0.0.1", false, 0, "127.0.0.1:7"},
    {"127.0.0.1", true, 0, "[::ffff:127.0.0.1]:7"},
    {"::1", true, 0, "[::1]:7"},
    {"fe80::1%lo", true, 0, "[fe80::1%lo]:7"},
    {"fe80::1%1", true, 0, "[fe80::1%lo]:7"},
    {"::1", false, -ENODEV, NULL},
    {"fe80::1%nosuch", true, -EINVAL, NULL},
    {"fe80::1%", true, -EINVAL, NULL},
    {"fe80::1%4294967297", true, -EINVAL, NULL},
    {"127.0.0.1%lo", true, -EINVAL, NULL},
    {"localhost", true, -EINVAL, NULL},
    {"1.2.3", false, -EINVAL, NULL},
    {"", true, -EINVAL, NULL},
};

START_TEST(numeric_hosts_are_read_and_printed)
{
    char text[SF_ADDR_TEXT_MAX];
    struct sf_address a;

    ck_assert_int_eq(sf_addr_parse(&a, parses[_i].host, 7, parses[_i].ipv6), parses[_i].err);
    if (parses[_i].err)
        return;
    ck_assert_int_eq(sf_addr_print(&a, text, sizeof text), 0);
    ck_assert_str_eq(text, parses[_i].text);
    for (size_t room = 0; room <= strlen(text); room++)
        ck_assert_int_eq(sf_addr_print(&a, text, room), -ENOBUFS);
    ck_assert_uint_eq(sf_addr_port_of(&a), 7);
}
END_TEST

START_TEST(mapping_and_back_gives_the_same_address)
{
    struct sf_address a, b;

    ck_assert_int_eq(sf_addr_parse(&a, "10.1.2.3", 9, false), 0);
    b = a;
    sf_addr_map(&b);
    ck_assert(!sf_addr_equal(&a, &b));
    sf_addr_unmap(&b);
    ck_assert(sf_addr_equal(&a, &b));
    ck_assert_int_eq(sf_addr_parse(&a, "::1", 9, true), 0);
    b = a;
    sf_addr_unmap(&b);
    ck_assert(sf_addr_equal(&a, &b));
    sf_addr_set_port(&b, 10);
    ck_assert(!sf_addr_equal(&a, &b));
}
END_TEST

START_TEST(the_loopback_interface_is_found)
{
    char text[SF_ADDR_TEXT_MAX];
    struct sf_address a;

    ck_assert_int_eq(sf_addr_interface(&a, "lo", 5, true), 0);
    ck_assert_int_eq(sf_addr_print(&a, text, sizeof text), 0);
    ck_assert_str_eq(text, "127.0.0.1:5");
    ck_assert_int_eq(sf_addr_interface(&a, "nosuch0", 5, true), -ENODEV);
}
END_TEST

static const struct {
    const char *filter, *host;
    bool match;
} filters[] = {
    {"127.0.0.1", "127.0.0.1", true},   {"127.0.0.1", "127.0.0.2", false},
    {"10.0.0.0/8", "10.9.8.7", true},   {"10.0.0.0/8", "11.0.0.0", false},
    {"10.0.0.128/25", "10.0.0.200", true}, {"10.0.0.128/25", "10.0.0.100", false},
    {"0.0.0.0/0", "1.2.3.4", true},     {"0.0.0.0/0", "::1", false},
    {"::/0", "1.2.3.4", true},          {"::1", "::1", true},
    {"fe80::/10", "febf::1", true},     {"fe80::/10", "fec0::1", false},
    {"127.0.0.1/32", "::ffff:127.0.0.1", true},
};

START_TEST(filters_compare_the_bits_they_name)
{
    struct sf_filter f;
    struct sf_address a;

    ck_assert_int_eq(sf_filter_parse(&f, filters[_i].filter), 0);
    if (sf_addr_parse(&a, filters[_i].host, 1, false))
        ck_assert_int_eq(sf_addr_parse(&a, filters[_i].host, 1, true), 0);
    ck_assert_int_eq(sf_filter_match(&f, &a), filters[_i].match);
}
END_TEST

START_TEST(malformed_filters_are_refused)
{
    static const char *const bad[] = {"", "/", "1.2.3.4/33", "1.2.3.4/", "::1/129", "::1/-1",
                                      "host", "1.2.3.4/8/8", "1.2.3", "1.2.3.4/99999999999"};
    struct sf_filter f;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(sf_filter_parse(&f, bad[i]), -EINVAL);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

static void fill(TCase *tc)
{
    tcase_add_loop_test(tc, host_and_port_are_split_at_the_last_colon, 0, COUNT(splits));
    tcase_add_test(tc, a_host_has_less_than_its_room);
    tcase_add_loop_test(tc, numeric_hosts_are_read_and_printed, 0, COUNT(parses));
    tcase_add_test(tc, mapping_and_back_gives_the_same_address);
    tcase_add_test(tc, the_loopback_interface_is_found);
    tcase_add_loop_test(tc, filters_compare_the_bits_they_name, 0, COUNT(filters));
    tcase_add_test(tc, malformed_filters_are_refused);
}

int main(void)
{
    return test_main("addr", fill);
}
