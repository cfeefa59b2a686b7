/* Certificates: as others write them, and as nobody should. */
#include "support.h"

#include "base/alloc.h"
#include "security/cert.h"

#define KEY "}l/iX1ASmzR{hhHs7*M:+egJ]Pf7J{q1a&4Gu!rX"
#define OTHER "oMyMwPW-=F@56k&>W@EX5]{1r:BI*?hsVUXaPF92"

static int parse(struct sf_cert *c, const char *text)
{
    return sf_cert_parse(c, text, strlen(text));
}

static void expect_key(const struct sf_cert *c, const char *key)
{
    char text[41];

    ck_assert_str_eq(sifr_z85_encode(text, c->key, sizeof c->key), key);
}

START_TEST(what_czmq_writes_is_read)
{
    static const char text[] = "#   ****  Generated on 2026-11-21 22:30:28 by CZMQ  ****\n"
                               "#   ZeroMQ CURVE Public Certificate\n"
                               "#   Exchange securely, or use a secure mechanism to verify the contents\n"
                               "#   of this file after exchange. Store public certificates in your home\n"
                               "#   directory, in the .curve subdirectory.\n"
                               "\n"
                               "metadata\n"
                               "    name = \"Joe # \"x\" 'y'\"\n"
                               "    email = \"a=b c\"\n"
                               "curve\n"
                               "    public-key = \"" KEY "\"\n";
    static const char metadata[] = "\4name\0\0\0\15Joe # \"x\" 'y'"
                                   "\5email\0\0\0\5a=b c";
    struct sf_cert c;

    ck_assert_int_eq(parse(&c, text), 0);
    expect_key(&c, KEY);
    ck_assert_uint_eq(c.metadata_size, sizeof metadata - 1);
    ck_assert_mem_eq(c.metadata, metadata, sizeof metadata - 1);
    sf_cert_fini(&c);
}
END_TEST

START_TEST(what_pyzmq_writes_is_read)
{
    struct sf_cert c;

    ck_assert_int_eq(parse(&c, "#   ****  Generated on 2026-11-21 22:30:48.364434 by pyzmq  ****\n"
                               "#   ZeroMQ CURVE **Secret** Certificate\n"
                               "#   DO NOT PROVIDE THIS FILE TO OTHER USERS nor change its permissions.\n"
                               "\n"
                               "metadata\n"
                               "    email = x@y\n"
                               "    n = v\n"
                               "curve\n"
                               "    public-key = \"" OTHER "\"\n"
                               "    secret-key = \"5TZqSgriyU4]))k}?rGT=o+dkTxd5{{W{5M4Obw:\"\n"),
                     0);
    expect_key(&c, OTHER);
    ck_assert_uint_eq(c.metadata_size, (1 + 5 + 4 + 3) + (1 + 1 + 4 + 1));
    ck_assert_mem_eq(c.metadata, "\5email\0\0\0\3x@y\1n\0\0\0\1v", c.metadata_size);
    sf_cert_fini(&c);
}
END_TEST

START_TEST(how_it_is_written_does_not_matter)
{
    static const char *const good[] = {
        "curve\n    public-key = \"" KEY "\"",
        "curve\r\n    public-key = \"" KEY "\"\r\n",
        "curve\n\tpublic-key=\"" KEY "\"\n",
        "curve\n  public-key   =   '" KEY "'   \n",
        "curve  # the section\n# x\n\n    # y\n  public-key = \"" KEY "\"\n",
        "curve\n    other = 1\n    sub\n        public-key = \"" OTHER "\"\n    public-key = \"" KEY "\"\n",
        "a = b\ncurve\n    public-key = \"" KEY "\"\nmetadata\n    public-key = \"" OTHER "\"\n",
        "metadata\ncurve\n    public-key = \"" KEY "\"\n    secret-key = \"x\"\n",
    };

    for (int i = 0; i < COUNT(good); i++) {
        struct sf_cert c;

        ck_assert_msg(parse(&c, good[i]) == 0, "text %d", i);
        expect_key(&c, KEY);
        sf_cert_fini(&c);
    }
}
END_TEST

START_TEST(what_has_no_key_or_two_is_no_certificate)
{
    static const char *const bad[] = {
        "",
        "\n\n",
        "curve\n",
        KEY,
        "public-key = \"" KEY "\"\n",
        "metadata\n    public-key = \"" KEY "\"\n",
        "curve\npublic-key = \"" KEY "\"\n",
        "curve = 1\n    public-key = \"" KEY "\"\n",
        "curve\n    # public-key = \"" KEY "\"\n",
        "curve\n    secret-key = \"" KEY "\"\n",
        "curve\n    Public-Key = \"" KEY "\"\n",
        "curve\n    public-key = \"\"\n",
        "curve\n    public-key =\n",
        "curve\n    public-key\n",
        "curve\n    public-key = \"" KEY "x\"\n",
        "curve\n    public-key = \"}l/iX1ASmzR{hhHs7*M:+egJ]Pf7J{q1a&4Gu!r\"\n",
        "curve\n    public-key = \"}l/iX1ASmzR{hhHs7*M:+egJ]Pf7J{q1a&4Gu!r~\"\n",
        "curve\n    public-key = \"0000000000000000000000000000000000000000\"\n",
        "curve\n    public-key = \"#####l/iX1ASmzR{hhHs7*M:+egJ]Pf7J{q1a&4G\"\n",
        "curve\n    public-key = \"" KEY "\"\n    public-key = \"" KEY "\"\n",
        "curve\n    public-key = \"" KEY "\"\ncurve\n    public-key = \"" OTHER "\"\n",
    };
    static const char zero[] = "curve\n    public-key = \"" KEY "\"\n\0";
    struct sf_cert c;

    for (int i = 0; i < COUNT(bad); i++)
        ck_assert_msg(parse(&c, bad[i]) == -EINVAL, "text %d", i);
    ck_assert_int_eq(sf_cert_parse(&c, zero, sizeof zero - 1), -EINVAL);
    ck_assert_int_eq(sf_cert_parse(&c, zero, sizeof zero - 2), 0);
    sf_cert_fini(&c);
}
END_TEST

/* Whatever bytes come, none outside of them is read: sanitizers watch. */
START_TEST(no_bytes_do_harm)
{
    static const char text[] = "metadata\n  a = \"b\"\n  c='d\n = x\n  e = \n\"\ncurve # x\n  public-key = \"" KEY "\"\n";
    unsigned seed = 7;

    for (int i = 0; i < 20000; i++) {
        size_t size = (size_t)(rand_r(&seed) % (int)sizeof text);
        char *copy = malloc(size + 1);
        struct sf_cert c;

        memcpy(copy, text, size);
        for (int k = rand_r(&seed) % 4; k > 0 && size; k--)
            copy[(size_t)rand_r(&seed) % size] = " \t\r\n#='\"a\0\xff"[rand_r(&seed) % 11];
        copy = realloc(copy, size ? size : 1); /* so that its end is watched */
        if (sf_cert_parse(&c, copy, size) == 0)
            sf_cert_fini(&c);
        free(copy);
    }
}
END_TEST

START_TEST(without_memory_there_is_no_certificate)
{
    struct sf_cert c;
    int err;

    sf_alloc_fail(1, 0);
    err = parse(&c, "metadata\n  a = b\ncurve\n  public-key = \"" KEY "\"\n");
    sf_alloc_fail(0, 0);
    ck_assert_int_eq(err, -ENOMEM);
    sf_alloc_fail(2, 0);
    err = parse(&c, "metadata\n  a = b\n  c = d\ncurve\n  public-key = \"" KEY "\"\n");
    sf_alloc_fail(0, 0);
    ck_assert_int_eq(err, -ENOMEM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("security/cert");
    TCase *c = new_bare_case(suite, "certificates");

    tcase_add_test(c, what_czmq_writes_is_read);
    tcase_add_test(c, what_pyzmq_writes_is_read);
    tcase_add_test(c, how_it_is_written_does_not_matter);
    tcase_add_test(c, what_has_no_key_or_two_is_no_certificate);
    tcase_add_test(c, no_bytes_do_harm);
    tcase_add_test(c, without_memory_there_is_no_certificate);
    return run_suite(suite);
}
