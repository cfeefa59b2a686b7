/* The options that choose a mechanism: the last one set wins, and what was set before is kept. */
#include "secure.h"

static void get_text(sifr_socket_t *s, int option, const char *expected)
{
    char text[300];
    size_t size = sizeof text;

    ck_works(sifr_getsockopt(s, option, text, &size));
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(size, strlen(expected) + 1);
}

static void get_key(sifr_socket_t *s, int option, const char *expected)
{
    char text[41];
    size_t size = sizeof text;

    ck_works(sifr_getsockopt(s, option, text, &size));
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(size, sizeof text);
}

static void expect_mechanism(sifr_socket_t *s, int mechanism, bool plain_server, bool curve_server)
{
    ck_assert_int_eq(get_int(s, SIFR_MECHANISM), mechanism);
    ck_assert_int_eq(get_int(s, SIFR_PLAIN_SERVER), plain_server);
    if (sifr_has("curve"))
        ck_assert_int_eq(get_int(s, SIFR_CURVE_SERVER), curve_server);
}

static const char *const key_texts[] = {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
                                        "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
                                        "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"};
static const int keys[] = {SIFR_CURVE_PUBLICKEY, SIFR_CURVE_SECRETKEY, SIFR_CURVE_SERVERKEY};

START_TEST(a_socket_begins_without)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER);

    expect_mechanism(s, SIFR_NULL, false, false);
    get_text(s, SIFR_PLAIN_USERNAME, "");
    get_text(s, SIFR_PLAIN_PASSWORD, "");
    get_text(s, SIFR_ZAP_DOMAIN, "");
    ck_assert_int_eq(get_int(s, SIFR_ZAP_ENFORCE_DOMAIN), 0);
    ck_fails(sifr_setsockopt(s, SIFR_MECHANISM, &(int){1}, sizeof(int)), EINVAL);
}
END_TEST

START_TEST(plain_is_chosen_by_its_options)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER);
    char long_text[257];

    memset(long_text, 'x', sizeof long_text);
    long_text[256] = 0;
    set_text(s, SIFR_PLAIN_USERNAME, "user");
    expect_mechanism(s, SIFR_PLAIN, false, false);
    set_int(s, SIFR_PLAIN_SERVER, 1);
    expect_mechanism(s, SIFR_PLAIN, true, false);
    set_int(s, SIFR_PLAIN_SERVER, 0);
    expect_mechanism(s, SIFR_NULL, false, false);
    set_text(s, SIFR_PLAIN_PASSWORD, "password");
    expect_mechanism(s, SIFR_PLAIN, false, false);
    get_text(s, SIFR_PLAIN_USERNAME, "user");
    get_text(s, SIFR_PLAIN_PASSWORD, "password");
    set_text(s, SIFR_PLAIN_PASSWORD, "short");
    get_text(s, SIFR_PLAIN_PASSWORD, "short");
    ck_works(sifr_setsockopt(s, SIFR_PLAIN_PASSWORD, NULL, 0));
    expect_mechanism(s, SIFR_NULL, false, false);
    get_text(s, SIFR_PLAIN_PASSWORD, "short");
    ck_fails(sifr_setsockopt(s, SIFR_PLAIN_PASSWORD, "", 0), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_PLAIN_USERNAME, "", 0), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_PLAIN_USERNAME, long_text, 256), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_PLAIN_PASSWORD, long_text, 256), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_PLAIN_SERVER, &(int){2}, sizeof(int)), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_PLAIN_SERVER, &(char){1}, 1), EINVAL);
    expect_mechanism(s, SIFR_NULL, false, false);
    long_text[255] = 0;
    set_text(s, SIFR_PLAIN_USERNAME, long_text);
    set_text(s, SIFR_PLAIN_PASSWORD, long_text);
    get_text(s, SIFR_PLAIN_USERNAME, long_text);
    get_text(s, SIFR_PLAIN_PASSWORD, long_text);
}
END_TEST

START_TEST(curve_is_chosen_by_its_options)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER);

    if (!sifr_has("curve"))
        return;
    set_text(s, SIFR_CURVE_PUBLICKEY, key_texts[0]);
    expect_mechanism(s, SIFR_CURVE, false, false);
    set_int(s, SIFR_CURVE_SERVER, 1);
    expect_mechanism(s, SIFR_CURVE, false, true);
    set_text(s, SIFR_CURVE_SECRETKEY, key_texts[1]); /* the role stays */
    expect_mechanism(s, SIFR_CURVE, false, true);
    set_text(s, SIFR_CURVE_SERVERKEY, key_texts[2]);
    expect_mechanism(s, SIFR_CURVE, false, false);
    set_int(s, SIFR_PLAIN_SERVER, 1);
    expect_mechanism(s, SIFR_PLAIN, true, false);
    set_int(s, SIFR_CURVE_SERVER, 1);
    expect_mechanism(s, SIFR_CURVE, false, true);
    set_int(s, SIFR_CURVE_SERVER, 0);
    expect_mechanism(s, SIFR_NULL, false, false);
    for (int i = 0; i < 3; i++)
        get_key(s, keys[i], key_texts[i]); /* as they were */
}
END_TEST

START_TEST(keys_are_octets_or_text)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER);
    uint8_t key[33], zeros[32] = {0}, back[64];
    char text[42];
    size_t size;

    if (!sifr_has("curve"))
        return;
    for (int i = 0; i < 3; i++) {
        size = 32;
        ck_works(sifr_getsockopt(s, keys[i], back, &size));
        ck_assert_uint_eq(size, 32);
        ck_assert_mem_eq(back, zeros, 32);
        ck_assert_ptr_nonnull(sifr_z85_decode(key, key_texts[i]));
        ck_works(sifr_setsockopt(s, keys[i], key, 32));
        size = 32;
        ck_works(sifr_getsockopt(s, keys[i], back, &size));
        ck_assert_mem_eq(back, key, 32);
        memcpy(text, key_texts[(i + 1) % 3], 41);
        ck_works(sifr_setsockopt(s, keys[i], text, 40));
        ck_works(sifr_setsockopt(s, keys[i], text, 41));
        size = 41;
        ck_works(sifr_getsockopt(s, keys[i], back, &size));
        ck_assert_uint_eq(size, 41);
        ck_assert_str_eq((char *)back, key_texts[(i + 1) % 3]);
        for (size = 0; size < 64; size++) {
            size_t room = size;

            if (size == 32 || size == 41)
                continue;
            ck_fails(sifr_getsockopt(s, keys[i], back, &room), EINVAL);
            if (size != 40 && size < sizeof text)
                ck_fails(sifr_setsockopt(s, keys[i], text, size), EINVAL);
        }
        text[40] = '0';
        ck_fails(sifr_setsockopt(s, keys[i], text, 41), EINVAL);
        text[40] = 0;
        text[7] = 0;
        ck_fails(sifr_setsockopt(s, keys[i], text, 40), EINVAL);
        text[7] = ' ';
        ck_fails(sifr_setsockopt(s, keys[i], text, 41), EINVAL);
        get_key(s, keys[i], key_texts[(i + 1) % 3]); /* what fails changes nothing */
    }
}
END_TEST

START_TEST(without_curve_its_options_are_unknown)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER);
    uint8_t key[41];
    size_t size = 32;

    if (sifr_has("curve"))
        return;
    for (int i = 0; i < 3; i++) {
        ck_fails(sifr_setsockopt(s, keys[i], key_texts[i], 40), EINVAL);
        ck_fails(sifr_getsockopt(s, keys[i], key, &size), EINVAL);
    }
    ck_fails(sifr_setsockopt(s, SIFR_CURVE_SERVER, &(int){1}, sizeof(int)), EINVAL);
    expect_mechanism(s, SIFR_NULL, false, false);
}
END_TEST

static const int gssapi_numbers[] = {SIFR_GSSAPI_PLAINTEXT, SIFR_GSSAPI_PRINCIPAL_NAMETYPE,
                                     SIFR_GSSAPI_SERVICE_PRINCIPAL_NAMETYPE};
static const int gssapi_names[] = {SIFR_GSSAPI_PRINCIPAL, SIFR_GSSAPI_SERVICE_PRINCIPAL};

START_TEST(gssapi_is_chosen_by_its_options)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER);
    char long_text[257];

    if (!sifr_has("gssapi"))
        return;
    memset(long_text, 'x', sizeof long_text);
    ck_assert_int_eq(get_int(s, SIFR_GSSAPI_SERVER), 0);
    for (int i = 0; i < COUNT(gssapi_numbers); i++) { /* these leave it as it is */
        int most = gssapi_numbers[i] == SIFR_GSSAPI_PLAINTEXT ? 1 : 2;

        ck_assert_int_eq(get_int(s, gssapi_numbers[i]), 0);
        set_int(s, gssapi_numbers[i], most);
        ck_assert_int_eq(get_int(s, gssapi_numbers[i]), most);
        ck_fails(sifr_setsockopt(s, gssapi_numbers[i], &(int){most + 1}, sizeof(int)), EINVAL);
        ck_fails(sifr_setsockopt(s, gssapi_numbers[i], &(int){-1}, sizeof(int)), EINVAL);
        ck_fails(sifr_setsockopt(s, gssapi_numbers[i], &(char){1}, 1), EINVAL);
        ck_assert_int_eq(get_int(s, gssapi_numbers[i]), most);
    }
    expect_mechanism(s, SIFR_NULL, false, false);
    for (int i = 0; i < COUNT(gssapi_names); i++) {
        get_text(s, gssapi_names[i], "");
        ck_fails(sifr_setsockopt(s, gssapi_names[i], "", 0), EINVAL);
        ck_fails(sifr_setsockopt(s, gssapi_names[i], NULL, 0), EINVAL);
        ck_fails(sifr_setsockopt(s, gssapi_names[i], long_text, 256), EINVAL);
        expect_mechanism(s, SIFR_NULL, false, false);
    }
    set_text(s, SIFR_GSSAPI_PRINCIPAL, "me");
    expect_mechanism(s, SIFR_GSSAPI, false, false);
    get_text(s, SIFR_GSSAPI_PRINCIPAL, "me");
    set_int(s, SIFR_GSSAPI_SERVER, 1);
    set_text(s, SIFR_GSSAPI_PRINCIPAL, "again");
    ck_assert_int_eq(get_int(s, SIFR_GSSAPI_SERVER), 1);
    set_text(s, SIFR_GSSAPI_SERVICE_PRINCIPAL, "you");
    ck_assert_int_eq(get_int(s, SIFR_GSSAPI_SERVER), 0);
    set_int(s, SIFR_PLAIN_SERVER, 1);
    expect_mechanism(s, SIFR_PLAIN, true, false);
    ck_assert_int_eq(get_int(s, SIFR_GSSAPI_SERVER), 0);
    set_int(s, SIFR_GSSAPI_SERVER, 0);
    expect_mechanism(s, SIFR_GSSAPI, false, false);
    get_text(s, SIFR_GSSAPI_PRINCIPAL, "again");
    get_text(s, SIFR_GSSAPI_SERVICE_PRINCIPAL, "you");
    ck_fails(sifr_setsockopt(s, SIFR_GSSAPI_SERVER, &(int){2}, sizeof(int)), EINVAL);
}
END_TEST

START_TEST(without_gssapi_its_options_are_unknown)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER);
    char text[300];
    size_t size = sizeof text;
    int on = 1;

    if (sifr_has("gssapi"))
        return;
    for (int i = 0; i < COUNT(gssapi_numbers); i++) {
        ck_fails(sifr_setsockopt(s, gssapi_numbers[i], &on, sizeof on), EINVAL);
        size = sizeof on;
        ck_fails(sifr_getsockopt(s, gssapi_numbers[i], &on, &size), EINVAL);
    }
    for (int i = 0; i < COUNT(gssapi_names); i++) {
        size = sizeof text;
        ck_fails(sifr_setsockopt(s, gssapi_names[i], "x", 1), EINVAL);
        ck_fails(sifr_getsockopt(s, gssapi_names[i], text, &size), EINVAL);
    }
    ck_fails(sifr_setsockopt(s, SIFR_GSSAPI_SERVER, &on, sizeof on), EINVAL);
    size = sizeof on;
    ck_fails(sifr_getsockopt(s, SIFR_GSSAPI_SERVER, &on, &size), EINVAL);
    ck_assert_int_eq(get_int(s, SIFR_MECHANISM), SIFR_NULL);
}
END_TEST

START_TEST(domains_are_texts_that_stay)
{
    sifr_socket_t *s = new_socket(SIFR_DEALER);
    char text[256];

    memset(text, 'd', sizeof text);
    ck_fails(sifr_setsockopt(s, SIFR_ZAP_DOMAIN, text, 256), EINVAL);
    ck_works(sifr_setsockopt(s, SIFR_ZAP_DOMAIN, text, 255));
    set_text(s, SIFR_ZAP_DOMAIN, "dom");
    ck_fails(sifr_setsockopt(s, SIFR_ZAP_DOMAIN, "", 0), EINVAL);
    ck_fails(sifr_setsockopt(s, SIFR_ZAP_DOMAIN, NULL, 0), EINVAL);
    get_text(s, SIFR_ZAP_DOMAIN, "dom");
    set_int(s, SIFR_ZAP_ENFORCE_DOMAIN, 7);
    ck_assert_int_eq(get_int(s, SIFR_ZAP_ENFORCE_DOMAIN), 1);
    set_int(s, SIFR_ZAP_ENFORCE_DOMAIN, 0);
    ck_assert_int_eq(get_int(s, SIFR_ZAP_ENFORCE_DOMAIN), 0);
    expect_mechanism(s, SIFR_NULL, false, false);
}
END_TEST

/* Each endpoint has the mechanism that its socket had then. */
START_TEST(what_was_bound_keeps_its_mechanism)
{
    sifr_socket_t *server = new_socket(SIFR_PULL), *open = new_socket(SIFR_PUSH), *secured = new_socket(SIFR_PUSH);
    sifr_socket_t *handler = new_handler(), *monitor;
    struct endpoint first = bind_fresh(server, TCP), second;

    set_int(server, SIFR_PLAIN_SERVER, 1);
    second = bind_fresh(server, TCP);
    connect_to(open, &first);
    send_text(open, "open", 0);
    recv_text(server, "open", false);
    set_text(secured, SIFR_PLAIN_USERNAME, "user");
    connect_to(secured, &second);
    recv_question(handler);
    answer_status(handler, "200");
    send_text(secured, "secured", 0);
    recv_text(server, "secured", false);
    drop(open);
    open = new_socket(SIFR_PUSH);
    monitor = watch(open);
    connect_to(open, &second);
    expect(monitor, CONNECTED);
    expect_value(monitor, HANDSHAKE_FAILED_PROTOCOL, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH);
    expect(monitor, DISCONNECTED);
    expect_silence(monitor, 30);
}
END_TEST

/* Inproc knows no mechanism. */
START_TEST(inproc_is_never_checked)
{
    sifr_socket_t *server, *client;

    server = new_socket(SIFR_PULL);
    client = new_socket(SIFR_PUSH);
    set_int(server, SIFR_PLAIN_SERVER, 1);
    link_sockets(server, client, 2 * INPROC);
    send_text(client, "hi", 0);
    recv_text(server, "hi", false);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("options of mechanisms");
    TCase *c = new_case(s, "options");

    tcase_add_test(c, a_socket_begins_without);
    tcase_add_test(c, plain_is_chosen_by_its_options);
    tcase_add_test(c, curve_is_chosen_by_its_options);
    tcase_add_test(c, keys_are_octets_or_text);
    tcase_add_test(c, without_curve_its_options_are_unknown);
    tcase_add_test(c, gssapi_is_chosen_by_its_options);
    tcase_add_test(c, without_gssapi_its_options_are_unknown);
    tcase_add_test(c, domains_are_texts_that_stay);
    tcase_add_test(c, what_was_bound_keeps_its_mechanism);
    tcase_add_test(c, inproc_is_never_checked);
    return run_suite(s);
}
