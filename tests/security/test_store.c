/* Users and certificates in files: what is read, what is not, and when it is read again. */
#include "folder.h"

#include "base/alloc.h"
#include "security/store.h"

#include <sys/resource.h>

#define KEY1 "}l/iX1ASmzR{hhHs7*M:+egJ]Pf7J{q1a&4Gu!rX"
#define KEY2 "oMyMwPW-=F@56k&>W@EX5]{1r:BI*?hsVUXaPF92"
#define KEY3 "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

static bool know(const struct sf_users *u, const char *name, const char *password)
{
    return sf_users_know(u, name, strlen(name), password, strlen(password));
}

static bool has(const struct sf_certs *c, const char *key)
{
    uint8_t bytes[SF_CERT_KEY];

    ck_assert_ptr_nonnull(sifr_z85_decode(bytes, key));
    return sf_certs_find(c, bytes) != NULL;
}

START_TEST(users_are_read_from_lines)
{
    struct sf_users u;

    write_file("users", "# who may come in\n\nadmin=secret\n  guest = pass word \r\n#x=y\nempty=\nmany==a=b\nlast=1");
    ck_assert_int_eq(sf_users_open(&u, path_of("users").text), 0);
    ck_assert(know(&u, "admin", "secret"));
    ck_assert(know(&u, "guest", " pass word "));
    ck_assert(know(&u, "empty", ""));
    ck_assert(know(&u, "many", "=a=b"));
    ck_assert(know(&u, "last", "1"));
    ck_assert(!know(&u, "admin", "secre"));
    ck_assert(!know(&u, "admin", "secrets"));
    ck_assert(!know(&u, "admin", "secretsecret"));
    ck_assert(!know(&u, "admin", ""));
    ck_assert(!know(&u, "empty", "x"));
    ck_assert(!know(&u, "Admin", "secret"));
    ck_assert(!know(&u, "x", "y"));
    ck_assert(!know(&u, "#x", "y"));
    ck_assert(!know(&u, "", ""));
    ck_assert(!sf_users_know(&u, "admin\0", 6, "secret", 6));
    sf_users_fini(&u);
}
END_TEST

/* Nobody is who is not there, whatever the password that stands in for his. */
START_TEST(who_is_not_there_has_no_password)
{
    static const char zeroes[255];
    struct sf_users u;

    write_file("users", "");
    ck_assert_int_eq(sf_users_open(&u, path_of("users").text), 0);
    for (size_t n = 0; n <= sizeof zeroes; n++)
        ck_assert(!sf_users_know(&u, "x", 1, zeroes, n));
    sf_users_fini(&u);
}
END_TEST

START_TEST(files_of_users_that_cannot_be_read_say_why)
{
    static const char *const bad[] = {"admin", "=x", " =x", "a=b\nc\n", "a=b\na=c\n", "a=b\n\x01\n"};
    struct path p = path_of("users");
    struct sf_users u;
    char line[600];

    ck_assert_int_eq(sf_users_open(&u, p.text), -ENOENT);
    for (int i = 0; i < COUNT(bad); i++) {
        write_file("users", bad[i]);
        ck_assert_msg(sf_users_open(&u, p.text) == -EINVAL, "text %d", i);
    }
    for (int name = 0; name < 2; name++) { /* what PLAIN cannot say */
        int size = snprintf(line, sizeof line, name ? "%0256d=x" : "x=%0256d", 1);

        write_file("users", line);
        ck_assert_int_eq(sf_users_open(&u, p.text), -EINVAL);
        memmove(line + (name ? 0 : 2), line + (name ? 1 : 3), (size_t)size - (name ? 0 : 2));
        write_file("users", line);
        ck_assert_int_eq(sf_users_open(&u, p.text), 0);
        sf_users_fini(&u);
    }
    remove_file("users");
    ck_works(mkfifo(p.text, 0600)); /* it is not waited for */
    ck_assert_int_eq(sf_users_open(&u, p.text), -EINVAL);
    ck_assert_int_eq(sf_users_open(&u, folder), -EINVAL);
}
END_TEST

START_TEST(users_are_read_again_when_the_file_has_changed)
{
    struct sf_users u;
    bool read;

    write_file("users", "a=1\n");
    ck_assert_int_eq(sf_users_open(&u, path_of("users").text), 0);
    ck_assert_int_eq(sf_users_refresh(&u, false, &read), 0);
    ck_assert(!read);
    ck_assert_int_eq(sf_users_refresh(&u, true, &read), 0);
    ck_assert(read);
    for (int i = 0; i < 10; i++) {
        bool odd = i % 2;

        replace_file("users", odd ? "a=1\n" : "b=1\n"); /* of one size */
        ck_assert_int_eq(sf_users_refresh(&u, false, &read), 0);
        ck_assert(read);
        ck_assert(know(&u, odd ? "a" : "b", "1"));
        ck_assert(!know(&u, odd ? "b" : "a", "1"));
    }
    sf_users_fini(&u);
}
END_TEST

START_TEST(users_whose_file_has_gone_bad_come_in_no_more)
{
    struct sf_users u;
    bool read;

    write_file("users", "a=1\n");
    ck_assert_int_eq(sf_users_open(&u, path_of("users").text), 0);
    remove_file("users");
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sf_users_refresh(&u, false, &read), -ENOENT);
        ck_assert(read == (i == 0));
        ck_assert(!know(&u, "a", "1"));
    }
    write_file("users", "a=1\nb\n");
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sf_users_refresh(&u, false, &read), -EINVAL);
        ck_assert(read == (i == 0));
        ck_assert(!know(&u, "a", "1"));
    }
    replace_file("users", "a=1\nb=\n");
    ck_assert_int_eq(sf_users_refresh(&u, false, &read), 0);
    ck_assert(read && know(&u, "a", "1") && know(&u, "b", ""));
    sf_users_fini(&u);
}
END_TEST

START_TEST(certificates_are_read_from_a_directory)
{
    struct sf_certs c;
    uint8_t key[SF_CERT_KEY];

    write_cert("one.key", KEY1);
    write_cert("one.key_secret", KEY2); /* not looked at */
    write_cert(".two", KEY2);
    write_cert("three", KEY3);
    write_file("README", "no certificate\n");
    ck_works(mkdir(path_of("sub").text, 0700));
    ck_works(mkfifo(path_of("fifo").text, 0600));
    ck_works(symlink("nowhere", path_of("broken").text));
    ck_assert_int_eq(sf_certs_open(&c, folder), 0);
    ck_assert(has(&c, KEY1));
    ck_assert(!has(&c, KEY2));
    ck_assert(has(&c, KEY3));
    ck_assert_uint_eq(c.n_bad, 1);
    sifr_z85_decode(key, KEY3);
    ck_assert_mem_eq(sf_certs_find(&c, key)->metadata, "\4name\0\0\0\5three", 14);
    sf_certs_fini(&c);
    ck_works(rmdir(path_of("sub").text));
    ck_assert_int_eq(sf_certs_open(&c, path_of("one.key").text), -ENOTDIR);
    ck_assert_int_eq(sf_certs_open(&c, path_of("none").text), -ENOENT);
}
END_TEST

START_TEST(certificates_that_come_change_and_go_are_noticed)
{
    struct sf_certs c;
    bool read;

    ck_assert_int_eq(sf_certs_open(&c, folder), 0);
    ck_assert(!has(&c, KEY1));
    write_cert("a", KEY1);
    ck_assert_int_eq(sf_certs_refresh(&c, false, &read), 0);
    ck_assert(read && has(&c, KEY1));
    ck_assert_int_eq(sf_certs_refresh(&c, false, &read), 0);
    ck_assert(!read);
    replace_file("a", "curve\n    public-key = \"" KEY2 "\"\n");
    ck_assert_int_eq(sf_certs_refresh(&c, false, &read), 0);
    ck_assert(read && has(&c, KEY2) && !has(&c, KEY1));
    ck_works(rename(path_of("a").text, path_of(".a").text));
    ck_assert_int_eq(sf_certs_refresh(&c, false, &read), 0);
    ck_assert(read && !has(&c, KEY2));
    ck_works(rename(path_of(".a").text, path_of("b").text));
    ck_assert_int_eq(sf_certs_refresh(&c, false, &read), 0);
    ck_assert(read && has(&c, KEY2));
    sf_certs_fini(&c);
}
END_TEST

START_TEST(a_directory_that_has_gone_lets_nobody_in)
{
    struct path away = path_of("");
    struct sf_certs c;
    bool read;

    snprintf(away.text, sizeof away.text, "%s-away", folder);
    write_cert("a", KEY1);
    ck_assert_int_eq(sf_certs_open(&c, folder), 0);
    ck_works(rename(folder, away.text));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sf_certs_refresh(&c, false, &read), -ENOENT);
        ck_assert(read == (i == 0));
        ck_assert(!has(&c, KEY1));
    }
    ck_works(rename(away.text, folder));
    ck_assert_int_eq(sf_certs_refresh(&c, false, &read), 0);
    ck_assert(read && has(&c, KEY1));
    sf_certs_fini(&c);
}
END_TEST

START_TEST(a_key_of_two_certificates_counts_once)
{
    struct sf_certs c;

    write_cert("a", KEY1);
    write_cert("b", KEY1);
    ck_assert_int_eq(sf_certs_open(&c, folder), 0);
    ck_assert(has(&c, KEY1));
    ck_assert_uint_eq(c.n_bad, 1);
    sf_certs_fini(&c);
}
END_TEST

START_TEST(without_memory_nothing_is_known_and_nothing_is_lost)
{
    struct sf_users u;
    struct sf_certs c;
    int failed = 0, err = -ENOMEM;

    write_file("users", "a=1\nb=2\nc=3\n");
    for (long n = 1; err; n++) {
        struct path p = path_of("users");

        sf_alloc_fail(n, 0);
        err = sf_users_open(&u, p.text);
        sf_alloc_fail(0, 0);
        ck_assert(err == 0 || err == -ENOMEM);
        failed += err != 0;
    }
    ck_assert_int_ge(failed, 5);
    sf_users_fini(&u);
    remove_file("users");
    write_cert("a", KEY1);
    write_cert("b", KEY2);
    err = -ENOMEM;
    for (long n = 1; err; n++) {
        sf_alloc_fail(n, 0);
        err = sf_certs_open(&c, folder);
        sf_alloc_fail(0, 0);
        ck_assert(err == 0 || err == -ENOMEM);
        failed += err != 0;
    }
    ck_assert_int_ge(failed, 12);
    ck_assert(has(&c, KEY1) && has(&c, KEY2));
    sf_certs_fini(&c);
}
END_TEST

/* A flood of connections takes all descriptors: those who are known are known still. */
START_TEST(without_descriptors_nothing_is_forgotten)
{
    struct rlimit all, few;
    struct sf_users u;
    struct sf_certs c;
    int fds[512], n = 0, users_err, certs_err;
    bool read[2], again[2];

    write_cert("a", KEY1);
    ck_assert_int_eq(sf_certs_open(&c, folder), 0);
    write_file("users", "a=1\n");
    ck_assert_int_eq(sf_users_open(&u, path_of("users").text), 0);
    replace_file("users", "b=1\n");
    ck_works(getrlimit(RLIMIT_NOFILE, &all));
    few = all;
    few.rlim_cur = 100;
    ck_works(setrlimit(RLIMIT_NOFILE, &few));
    while (n < COUNT(fds) && (fds[n] = dup(0)) >= 0)
        n++;
    users_err = sf_users_refresh(&u, false, &read[0]);
    certs_err = sf_certs_refresh(&c, true, &read[1]);
    while (n > 0)
        close(fds[--n]);
    ck_works(setrlimit(RLIMIT_NOFILE, &all));
    ck_assert_int_eq(users_err, -EMFILE);
    ck_assert_int_eq(certs_err, -EMFILE);
    ck_assert(!read[0] && !read[1]);
    ck_assert(know(&u, "a", "1") && has(&c, KEY1));
    ck_assert_int_eq(sf_users_refresh(&u, false, &again[0]), 0);
    ck_assert_int_eq(sf_certs_refresh(&c, false, &again[1]), 0);
    ck_assert(again[0] && again[1]); /* what is new is not lost sight of */
    ck_assert(know(&u, "b", "1") && !know(&u, "a", "1") && has(&c, KEY1));
    sf_users_fini(&u);
    sf_certs_fini(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("security/store");
    TCase *c = new_bare_case(suite, "files");

    tcase_add_checked_fixture(c, open_folder, close_folder);
    tcase_add_test(c, users_are_read_from_lines);
    tcase_add_test(c, who_is_not_there_has_no_password);
    tcase_add_test(c, files_of_users_that_cannot_be_read_say_why);
    tcase_add_test(c, users_are_read_again_when_the_file_has_changed);
    tcase_add_test(c, users_whose_file_has_gone_bad_come_in_no_more);
    tcase_add_test(c, certificates_are_read_from_a_directory);
    tcase_add_test(c, certificates_that_come_change_and_go_are_noticed);
    tcase_add_test(c, a_directory_that_has_gone_lets_nobody_in);
    tcase_add_test(c, a_key_of_two_certificates_counts_once);
    tcase_add_test(c, without_descriptors_nothing_is_forgotten);
    tcase_add_test(c, without_memory_nothing_is_known_and_nothing_is_lost);
    return run_suite(suite);
}
