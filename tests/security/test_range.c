/* Ranges of addresses: what is one, and who is in it. */
#include "support.h"

#include "security/range.h"

START_TEST(what_is_no_range_is_refused)
{
    static const char *const bad[] = {
        "", "x", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/+8", "1.2.3.4/8 ",
        " 1.2.3.4", "1.2.3.4/08", "1.2.3.4/a", "1.2.3.4/8/8", "1.2.3.4/4294967304", "/8", "1.2.3.4:80", "01.2.3.4",
        "::1/129", "::1/", ":::1", "[::1]", "fe80::1%lo", "12345::", "localhost/8", "LOCALHOST", "localhost:", "*",
        "1.2.3.4/99999999999999999999999999", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
    };
    struct sf_range r;

    for (int i = 0; i < COUNT(bad); i++)
        ck_assert_msg(sf_range_parse(&r, bad[i]) == -EINVAL, "'%s'", bad[i]);
}
END_TEST

START_TEST(ranges_have_their_addresses_and_no_others)
{
    static const struct {
        const char *range;
        const char *in[8], *out[8];
    } cases[] = {
        {"10.1.2.3", {"10.1.2.3", "::ffff:10.1.2.3"}, {"10.1.2.2", "10.1.2.30", "", "x", "::10.1.2.3", "localhost"}},
        {"10.1.2.3/32", {"10.1.2.3"}, {"10.1.2.2"}},
        {"10.1.2.3/31", {"10.1.2.3", "10.1.2.2"}, {"10.1.2.4", "10.1.2.1"}},
        {"10.200.0.0/9", {"10.128.0.0", "10.255.255.255"}, {"10.127.255.255", "11.200.0.0"}},
        {"10.1.2.3/8", {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0", "a00::"}},
        {"0.0.0.0/0", {"1.2.3.4", "255.255.255.255", "::ffff:1.2.3.4"}, {"::1", "fe80::1", "localhost:0:0:1", ""}},
        {"::ffff:10.0.0.0/104", {"10.1.2.3", "::ffff:10.1.2.3"}, {"11.1.2.3", "::1"}},
        {"::1", {"::1", "0:0:0:0:0:0:0:1"}, {"::2", "0.0.0.1", "127.0.0.1"}},
        {"fe80::/10", {"fe80::1", "febf:ffff::"}, {"fec0::", "fe00::", "254.128.0.1"}},
        {"::/0", {"::1", "fe80::1"}, {"1.2.3.4", "::ffff:1.2.3.4", "localhost"}},
        {"2001:db8::/33", {"2001:db8:7fff::1"}, {"2001:db8:8000::1"}},
        {"localhost", {"localhost", "localhost:1000:1000:4711"}, {"localhosts", "127.0.0.1", "::1", "localhos", ""}},
    };
    struct sf_range r, a;

    for (int i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(sf_range_parse(&r, cases[i].range), 0);
        for (int k = 0; k < 8 && cases[i].in[k]; k++) {
            a = sf_range_of(cases[i].in[k], strlen(cases[i].in[k]));
            ck_assert_msg(sf_range_has(&r, &a), "%s in %s", cases[i].in[k], cases[i].range);
        }
        for (int k = 0; k < 8 && cases[i].out[k]; k++) {
            a = sf_range_of(cases[i].out[k], strlen(cases[i].out[k]));
            ck_assert_msg(!sf_range_has(&r, &a), "%s not in %s", cases[i].out[k], cases[i].range);
        }
    }
}
END_TEST

START_TEST(an_address_with_bytes_behind_it_is_none)
{
    static const char zero[] = "10.1.2.3\0x";
    struct sf_range a = sf_range_of(zero, sizeof zero - 1);

    ck_assert_int_eq(a.family, SF_RANGE_NONE);
    a = sf_range_of("10.1.2.3", 8);
    ck_assert_int_eq(a.family, SF_RANGE_IPV4);
    a = sf_range_of("10.1.2.3", 0);
    ck_assert_int_eq(a.family, SF_RANGE_NONE);
    ck_assert(!sf_range_has(&a, &a));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("security/range");
    TCase *c = new_bare_case(suite, "ranges");

    tcase_add_test(c, what_is_no_range_is_refused);
    tcase_add_test(c, ranges_have_their_addresses_and_no_others);
    tcase_add_test(c, an_address_with_bytes_behind_it_is_none);
    return run_suite(suite);
}
