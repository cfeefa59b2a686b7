/* Greetings: every version of peer, every split of what it sends, every refusal. */
#include "wire/greeting.h"
#include "quick_check.h"

#include <errno.h>
#include <sifr.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE "\xff\0\0\0\0\0\0\0\1\x7f"
#define NAMED_SIGNATURE "\xff\0\0\0\0\0\0\0\3\x7f" /* for the routing id "ME" */
#define ZEROS_15 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZEROS_16 ZEROS_15 "\0"
#define ZEROS_31 ZEROS_16 ZEROS_15
#define NULL_REST "NULL" ZEROS_16 "\0" ZEROS_31
#define PLAIN_REST "PLAIN" ZEROS_15 "\0" ZEROS_31
#define BYTES(text) text, sizeof text - 1

enum { TALKS_TO_ALL = -1 };

/* What a peer sends in its greeting, and what should come of it. */
struct peer {
    const char *name;
    const char *sends;
    size_t sends_size; /* all of it belongs to the greeting */
    enum sf_zmtp version;
    bool unversioned;
    int type;
    const char *mechanism;
    const char *id;
    size_t id_size;
    const char *output; /* of a socket DEALER with the routing id "ME" */
    size_t output_size;
};

#define TO_30 BYTES(NAMED_SIGNATURE "\3\1" NULL_REST)

static const struct peer peers[] = {
    {"1.0, anonymous", BYTES("\1\0"), SF_ZMTP_10, true, -1, "", "", 0, BYTES(NAMED_SIGNATURE "ME")},
    {"1.0, named", BYTES("\4\0OLD"), SF_ZMTP_10, true, -1, "", "OLD", 3,
     BYTES(NAMED_SIGNATURE "ME")},
    {"1.0, long form", BYTES("\xff\0\0\0\0\0\0\0\4\0LNG"), SF_ZMTP_10, true, -1, "", "LNG", 3,
     BYTES(NAMED_SIGNATURE "ME")},
    {"1.0, long form, anonymous", BYTES("\xff\0\0\0\0\0\0\0\1\x7e"), SF_ZMTP_10, true, -1, "", "",
     0, BYTES(NAMED_SIGNATURE "ME")},
    {"revision 0", BYTES(SIGNATURE "\0\5\1\0"), SF_ZMTP_10, false, 5, "", "", 0,
     BYTES(NAMED_SIGNATURE "\3\5\3\0ME")},
    {"revision 0, long form", BYTES(SIGNATURE "\0\5\xff\0\0\0\0\0\0\0\4\0LNG"), SF_ZMTP_10, false,
     5, "", "LNG", 3, BYTES(NAMED_SIGNATURE "\3\5\3\0ME")},
    {"2.0, anonymous", BYTES(SIGNATURE "\1\5\0\0"), SF_ZMTP_20, false, 5, "", "", 0,
     BYTES(NAMED_SIGNATURE "\3\5\0\2ME")},
    {"2.0, named", BYTES(SIGNATURE "\1\6\0\3TWO"), SF_ZMTP_20, false, 6, "", "TWO", 3,
     BYTES(NAMED_SIGNATURE "\3\5\0\2ME")},
    {"2.0, long form", BYTES(SIGNATURE "\1\6\2\0\0\0\0\0\0\0\3TWO"), SF_ZMTP_20, false, 6, "",
     "TWO", 3, BYTES(NAMED_SIGNATURE "\3\5\0\2ME")},
    {"2.0, unknown type", BYTES(SIGNATURE "\1\x7b\0\0"), SF_ZMTP_20, false, 0x7b, "", "", 0,
     BYTES(NAMED_SIGNATURE "\3\5\0\2ME")},
    {"3.0", BYTES(SIGNATURE "\3\0" NULL_REST), SF_ZMTP_30, false, -1, "NULL", "", 0, TO_30},
    {"3.1", BYTES(SIGNATURE "\3\1" NULL_REST), SF_ZMTP_31, false, -1, "NULL", "", 0, TO_30},
    {"3.9", BYTES(SIGNATURE "\3\x09" NULL_REST), SF_ZMTP_31, false, -1, "NULL", "", 0, TO_30},
    {"major 2", BYTES(SIGNATURE "\2\0" NULL_REST), SF_ZMTP_31, false, -1, "NULL", "", 0, TO_30},
    {"major 4", BYTES(SIGNATURE "\4\0" NULL_REST), SF_ZMTP_31, false, -1, "NULL", "", 0, TO_30},
    {"padding", BYTES("\xff\xde\xad\xbe\xef\1\2\3\4\x7f\3\1" NULL_REST), SF_ZMTP_31, false, -1,
     "NULL", "", 0, TO_30},
    {"octet 9 is 01", BYTES("\xff\0\0\0\0\0\0\0\1\1\3\1" NULL_REST), SF_ZMTP_31, false, -1, "NULL",
     "", 0, TO_30},
    {"octet 9 is ff", BYTES("\xff\0\0\0\0\0\0\0\1\xff\3\1" NULL_REST), SF_ZMTP_31, false, -1,
     "NULL", "", 0, TO_30},
    {"as-server", BYTES(SIGNATURE "\3\1NULL" ZEROS_16 "\1" ZEROS_31), SF_ZMTP_31, false, -1, "NULL",
     "", 0, TO_30},
    {"filler", BYTES(SIGNATURE "\3\1NULL" ZEROS_16 "\0qwertyuiopasdfghjklzxcvbnmqwert"), SF_ZMTP_31,
     false, -1, "NULL", "", 0, TO_30},
};

enum { PEERS = sizeof peers / sizeof *peers };

static const struct sf_greeting_config dealer = {.id = "ME",
                                                 .id_size = 2,
                                                 .type = SIFR_DEALER,
                                                 .talks_to = (unsigned)TALKS_TO_ALL,
                                                 .mechanism = "NULL"};

static void assert_output(struct sf_greeting *g, const void *bytes, size_t n)
{
    const uint8_t *out;

    ck_assert_uint_eq(sf_greeting_output(g, &out), n);
    ck_assert_mem_eq(out, bytes, n);
}

static void assert_result(struct sf_greeting *g, const struct peer *p)
{
    ck_assert_msg(sf_greeting_done(g), "%s", p->name);
    ck_assert_int_eq(g->version, p->version);
    ck_assert_int_eq(g->unversioned, p->unversioned);
    ck_assert_int_eq(g->type, p->type);
    ck_assert_str_eq(g->mechanism, p->mechanism);
    ck_assert_uint_eq(g->id_size, p->id_size);
    if (p->id_size > 0)
        ck_assert_mem_eq(g->id, p->id, p->id_size);
    assert_output(g, p->output, p->output_size);
}

START_TEST(each_version_is_met_at_every_split)
{
    const struct peer *p = &peers[_i];
    const uint8_t *bytes = (const uint8_t *)p->sends;

    for (size_t split = 0; split < p->sends_size; split++) {
        struct sf_greeting g;

        sf_greeting_init(&g, &dealer);
        ck_assert_int_eq(sf_greeting_feed(&g, bytes, split), (ssize_t)split);
        ck_assert(!sf_greeting_done(&g));
        ck_assert_int_eq(sf_greeting_feed(&g, bytes + split, p->sends_size - split),
                         (ssize_t)(p->sends_size - split));
        assert_result(&g, p);
    }
}
END_TEST

START_TEST(each_version_is_met_octet_by_octet_both_ways)
{
    const struct peer *p = &peers[_i];
    uint8_t sent[512];
    size_t sent_size = 0, fed = 0, n;
    const uint8_t *out;
    struct sf_greeting g;

    sf_greeting_init(&g, &dealer);
    while ((n = sf_greeting_output(&g, &out)) > 0 || !sf_greeting_done(&g)) {
        if (n > 0) {
            sent[sent_size++] = *out;
            sf_greeting_sent(&g, 1);
        }
        if (!sf_greeting_done(&g)) {
            ck_assert_uint_lt(fed, p->sends_size);
            ck_assert_int_eq(sf_greeting_feed(&g, (const uint8_t *)p->sends + fed++, 1), 1);
        }
    }
    ck_assert_uint_eq(fed, p->sends_size);
    ck_assert_uint_eq(sent_size, p->output_size);
    ck_assert_mem_eq(sent, p->output, sent_size);
}
END_TEST

START_TEST(what_follows_the_greeting_is_left)
{
    const struct peer *p = &peers[_i];
    uint8_t bytes[256];
    struct sf_greeting g;

    memcpy(bytes, p->sends, p->sends_size);
    memset(bytes + p->sends_size, 0x42, 9);
    sf_greeting_init(&g, &dealer);
    ck_assert_int_eq(sf_greeting_feed(&g, bytes, p->sends_size + 9), (ssize_t)p->sends_size);
    assert_result(&g, p);
    ck_assert_int_eq(sf_greeting_feed(&g, bytes, 9), 0);
    assert_result(&g, p);
}
END_TEST

START_TEST(secured_sockets_refuse_all_peers_before_3_0)
{
    const struct peer *p = &peers[_i];
    struct sf_greeting_config config = dealer;
    struct sf_greeting g;
    ssize_t n;

    config.secured = true;
    sf_greeting_init(&g, &config);
    n = sf_greeting_feed(&g, (const uint8_t *)p->sends, p->sends_size);
    if (p->version >= SF_ZMTP_30) {
        ck_assert_int_eq(n, (ssize_t)p->sends_size);
        assert_result(&g, p);
        return;
    }
    ck_assert_int_eq(n, -EPROTO);
    ck_assert_uint_eq(g.error, SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED);
    ck_assert(!sf_greeting_done(&g));
    ck_assert_int_eq(sf_greeting_feed(&g, (const uint8_t *)"\0", 1), -EPROTO);
}
END_TEST

/* Nothing says more than the octets that force it. */
START_TEST(each_piece_goes_out_as_soon_as_the_peer_allows)
{
    static const struct {
        size_t fed, waiting;
    } steps[] = {{0, 10}, {1, 10}, {9, 10}, {10, 11}, {11, 64}, {12, 64}, {63, 64}, {64, 64}};
    const uint8_t *bytes = (const uint8_t *)SIGNATURE "\3\1" NULL_REST;
    size_t fed = 0;
    const uint8_t *out;
    struct sf_greeting g;

    sf_greeting_init(&g, &dealer);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        size_t n = steps[i].fed - fed;

        ck_assert_int_eq(sf_greeting_feed(&g, bytes + fed, n), (ssize_t)n);
        fed = steps[i].fed;
        ck_assert_uint_eq(sf_greeting_output(&g, &out), steps[i].waiting);
    }
}
END_TEST

START_TEST(longest_routing_ids_pass_both_ways)
{
    static const enum sf_zmtp versions[] = {SF_ZMTP_10, SF_ZMTP_20};
    uint8_t id[256], bytes[512];
    struct sf_greeting_config config = dealer;

    memset(id, 'x', sizeof id);
    config.id = id;
    config.id_size = 255;
    for (size_t i = 0; i < 2; i++) {
        for (int versioned = 0; versioned < 2; versioned++) {
            const uint8_t *out;
            struct sf_greeting g;
            size_t n = 0;

            if (!versioned && versions[i] == SF_ZMTP_20)
                continue;
            if (versioned) {
                memcpy(bytes, SIGNATURE "\0\5", 12);
                bytes[10] = versions[i] == SF_ZMTP_20;
                n = 12;
            }
            n += versions[i] == SF_ZMTP_10 ? sf_frame1_put(bytes + n, 0, 255)
                                           : sf_frame_put(bytes + n, 0, 255);
            memcpy(bytes + n, id, 255);
            n += 255;
            sf_greeting_init(&g, &config);
            ck_assert_int_eq(sf_greeting_feed(&g, bytes, n), (ssize_t)n);
            ck_assert(sf_greeting_done(&g));
            ck_assert_uint_eq(g.id_size, 255);
            ck_assert_mem_eq(g.id, id, 255);
            n = sf_greeting_output(&g, &out);
            ck_assert_mem_eq(out, "\xff\0\0\0\0\0\0\1\0\x7f", 10);
            ck_assert_mem_eq(out + n - 255, id, 255);
            ck_assert_uint_eq(n, 10 + 255 +
                                     (!versioned ? 0 : 2 + (versions[i] == SF_ZMTP_10 ? 10 : 2)));
        }
    }
}
END_TEST

static const struct {
    const char *name;
    const char *sends;
    size_t size; /* the last octet is the one that must be refused */
} refused[] = {
    {"1.0 frame of length 0", BYTES("\0")},
    {"HTTP", BYTES("GET ")},
    {"TLS", BYTES("\x16\3")},
    {"1.0 identity of 256 octets", BYTES("\xff\0\0\0\0\0\0\1\1\0")},
    {"1.0 identity of 2^40 octets", BYTES("\xff\0\0\1\0\0\0\0\0\0")},
    {"1.0 identity of length 0, long form", BYTES("\xff\0\0\0\0\0\0\0\0\0")},
    {"revision 0, frame of length 0", BYTES(SIGNATURE "\0\5\0")},
    {"revision 0, identity of 256 octets", BYTES(SIGNATURE "\0\5\xff\0\0\0\0\0\0\1\1\0")},
    {"2.0 identity of 256 octets", BYTES(SIGNATURE "\1\5\2\0\0\0\0\0\0\1\0")},
    {"2.0 identity of 2^63 octets", BYTES(SIGNATURE "\1\5\2\x80\0\0\0\0\0\0\0")},
    {"2.0 identity with reserved bits", BYTES(SIGNATURE "\1\5\x08")},
    {"2.0 identity as a command", BYTES(SIGNATURE "\1\5\4\0")},
};

START_TEST(malformed_openings_are_refused_at_the_octet_that_shows_it)
{
    const uint8_t *bytes = (const uint8_t *)refused[_i].sends;
    size_t size = refused[_i].size;
    struct sf_greeting g;

    sf_greeting_init(&g, &dealer);
    ck_assert_int_eq(sf_greeting_feed(&g, bytes, size - 1), (ssize_t)size - 1);
    ck_assert_int_eq(sf_greeting_feed(&g, bytes + size - 1, 1), -EPROTO);
    ck_assert_uint_eq(g.error, SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED);
    ck_assert(!sf_greeting_done(&g));
}
END_TEST

START_TEST(mechanisms_must_agree_in_all_20_octets)
{
    static const char *const rests[] = {
        "FOO" ZEROS_16 "\0"
        "\0" ZEROS_31,
        "null" ZEROS_16 "\0" ZEROS_31,
        "NULL\0junk\0\0\0\0\0\0\0\0\0\0\0\0" ZEROS_31,
        PLAIN_REST,
        "NULLNULLNULLNULLNULL\0" ZEROS_31,
    };
    uint8_t bytes[64];
    struct sf_greeting g;

    memcpy(bytes, SIGNATURE "\3\1", 12);
    memcpy(bytes + 12, rests[_i], 52);
    sf_greeting_init(&g, &dealer);
    ck_assert_int_eq(sf_greeting_feed(&g, bytes, 63), 63);
    ck_assert_int_eq(sf_greeting_feed(&g, bytes + 63, 1), -EPROTO);
    ck_assert_uint_eq(g.error, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH);
    ck_assert_mem_eq(g.mechanism, rests[_i], 20);
    assert_output(&g, NAMED_SIGNATURE "\3\1" NULL_REST, 64); /* still to be flushed */
}
END_TEST

START_TEST(security_servers_say_so)
{
    struct sf_greeting_config config = {
        .type = SIFR_PULL, .mechanism = "PLAIN", .as_server = true, .secured = true};
    struct sf_greeting g;

    sf_greeting_init(&g, &config);
    ck_assert_int_eq(sf_greeting_feed(&g, (const uint8_t *)SIGNATURE "\3\1" PLAIN_REST, 64), 64);
    ck_assert(sf_greeting_done(&g));
    ck_assert_str_eq(g.mechanism, "PLAIN");
    assert_output(&g, SIGNATURE "\3\1PLAIN" ZEROS_15 "\1" ZEROS_31, 64);
}
END_TEST

START_TEST(known_types_of_2_0_must_be_compatible)
{
    struct sf_greeting_config config = {
        .type = SIFR_PULL, .talks_to = 1u << SIFR_PUSH, .mechanism = "NULL"};

    for (int type = 0; type < 256; type++) {
        uint8_t bytes[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, (uint8_t)type, 0, 0};
        bool known = type <= 20 && type != 11 && type != 18; /* STREAM, DGRAM */
        struct sf_greeting g;
        ssize_t n;

        sf_greeting_init(&g, &config);
        n = sf_greeting_feed(&g, bytes, sizeof bytes);
        ck_assert_int_eq(n, !known || type == SIFR_PUSH ? (ssize_t)sizeof bytes : -EPROTO);
    }
}
END_TEST

START_TEST(xpub_and_xsub_pass_for_pub_and_sub_before_3_0)
{
    static const int types[][2] = {{SIFR_XPUB, SIFR_PUB},
                                   {SIFR_XSUB, SIFR_SUB},
                                   {SIFR_PUB, SIFR_PUB},
                                   {SIFR_PUSH, SIFR_PUSH},
                                   {SIFR_PAIR, SIFR_PAIR}};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct sf_greeting_config config = dealer;
        struct sf_greeting g;
        const uint8_t *out;

        config.type = types[i][0];
        sf_greeting_init(&g, &config);
        ck_assert_int_eq(sf_greeting_feed(&g, (const uint8_t *)SIGNATURE "\1", 11), 11);
        ck_assert_uint_ge(sf_greeting_output(&g, &out), 12);
        ck_assert_int_eq(out[11], types[i][1]);
    }
}
END_TEST

START_TEST(more_than_waits_cannot_be_marked_as_sent)
{
    const uint8_t *out;
    struct sf_greeting g;

    sf_greeting_init(&g, &dealer);
    sf_greeting_sent(&g, 1000);
    ck_assert_uint_eq(sf_greeting_output(&g, &out), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("greeting");
    TCase *tcase = tcase_create("greeting");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(tcase, each_version_is_met_at_every_split, 0, PEERS);
    tcase_add_loop_test(tcase, each_version_is_met_octet_by_octet_both_ways, 0, PEERS);
    tcase_add_loop_test(tcase, what_follows_the_greeting_is_left, 0, PEERS);
    tcase_add_loop_test(tcase, secured_sockets_refuse_all_peers_before_3_0, 0, PEERS);
    tcase_add_test(tcase, each_piece_goes_out_as_soon_as_the_peer_allows);
    tcase_add_test(tcase, longest_routing_ids_pass_both_ways);
    tcase_add_loop_test(tcase, malformed_openings_are_refused_at_the_octet_that_shows_it, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_loop_test(tcase, mechanisms_must_agree_in_all_20_octets, 0, 5);
    tcase_add_test(tcase, security_servers_say_so);
    tcase_add_test(tcase, known_types_of_2_0_must_be_compatible);
    tcase_add_test(tcase, xpub_and_xsub_pass_for_pub_and_sub_before_3_0);
    tcase_add_test(tcase, more_than_waits_cannot_be_marked_as_sent);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
