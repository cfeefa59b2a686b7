/* READY and ERROR: what we announce, whom we accept, what we keep of them. */
#include "wire/handshake.h"
#include "quick_check.h"

#include <errno.h>
#include <sifr.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/command.h"
#include "wire/metadata.h"

#define BYTES(text) text, sizeof text - 1
#define TYPE(size, name) "\x0bSocket-Type\0\0\0" size name
#define BIT(type) (1u << (type))

static const struct sf_hello req = {
    .type_name = "REQ", .with_identity = true, .talks_to = BIT(SIFR_REP) | BIT(SIFR_ROUTER)};
static const struct sf_hello rep = {.type_name = "REP",
                                    .talks_to = BIT(SIFR_REQ) | BIT(SIFR_DEALER)};
static const struct sf_hello pull = {.type_name = "PULL", .talks_to = BIT(SIFR_PUSH)};

/* READY as NULL says it. */
static int put_ready(uint8_t *to, size_t room, const struct sf_hello *h)
{
    static const struct sf_credentials nothing;
    struct sf_security s;

    ck_assert_int_eq(sf_security_init(&s, &sf_mechanism_null, &nothing), 0);
    s.turn = SF_SECURITY_SAY;
    return sf_handshake_say(&s, h, to, room);
}

/* What NULL makes of the body of a peer's command. */
static int get_ready(struct sf_peer_info *out, const struct sf_hello *h, const void *bytes,
                     size_t n, struct sf_refusal *why)
{
    static const struct sf_credentials nothing;
    uint8_t *body = malloc(n + 1);
    struct sf_security s;
    int err;

    ck_assert_ptr_nonnull(body);
    memcpy(body, bytes, n);
    ck_assert_int_eq(sf_security_init(&s, &sf_mechanism_null, &nothing), 0);
    s.turn = SF_SECURITY_HEAR;
    err = sf_handshake_hear(&s, h, out, body, n, why);
    if (err == 0)
        ck_assert_int_eq(s.turn, SF_SECURITY_DONE);
    free(body);
    return err;
}

START_TEST(ready_is_what_libzmq_sends)
{
    static const char expected[] = "\4\x26\5READY" TYPE("\3", "REQ") "\x08Identity\0\0\0\0";
    static const char expected_rep[] = "\4\x19\5READY" TYPE("\3", "REP");
    uint8_t bytes[128];

    ck_assert_int_eq(put_ready(bytes, sizeof bytes, &req), sizeof expected - 1);
    ck_assert_mem_eq(bytes, expected, sizeof expected - 1);
    ck_assert_int_eq(put_ready(bytes, sizeof bytes, &rep), sizeof expected_rep - 1);
    ck_assert_mem_eq(bytes, expected_rep, sizeof expected_rep - 1);
    ck_assert_int_eq(sf_hello_put(bytes, sizeof bytes, &rep), sizeof expected_rep - 1 - 8);
    ck_assert_mem_eq(bytes, expected_rep + 8, sizeof expected_rep - 1 - 8);
}
END_TEST

START_TEST(ready_needs_its_room)
{
    uint8_t bytes[256];
    size_t room = 0;

    for (;; room++) { /* more than it is in the end: its parts are made beside each other */
        int n;

        ck_assert_uint_lt(room, sizeof bytes);
        memset(bytes, 0xee, sizeof bytes);
        n = put_ready(bytes, room, &req);
        ck_assert_uint_eq(bytes[room], 0xee);
        if (n > 0)
            break;
        ck_assert_int_eq(n, -ENOSPC);
    }
    ck_assert_uint_ge(room, 2 + 6 + sf_hello_size(&req));
    for (room = 0; room < sf_hello_size(&req); room++)
        ck_assert_int_eq(sf_hello_put(bytes, room, &req), -ENOSPC);
}
END_TEST

START_TEST(ready_with_an_id_and_properties_is_read_again)
{
    uint8_t extra[300], value[280], id[255], bytes[2048];
    struct sf_hello h = req;
    struct sf_peer_info info;
    struct sf_property p;
    struct sf_command c;
    struct sf_frame f;
    struct sf_refusal why;
    int size, header;

    memset(value, 'v', sizeof value);
    memset(id, 'i', sizeof id);
    h.id = id;
    h.id_size = sizeof id;
    h.extra = extra;
    h.extra_size = sf_metadata_put(extra, sizeof extra, "X-Long", value, sizeof value);
    size = put_ready(bytes, sizeof bytes, &h);
    header = sf_frame_get(&f, bytes, (size_t)size);
    ck_assert_int_eq(header, 9); /* flags 06 */
    ck_assert_uint_eq(f.flags, SF_FRAME_COMMAND);
    ck_assert_uint_eq(f.size, (size_t)(size - header));
    ck_assert_int_eq(sf_command_get(&c, bytes + header, f.size), 0);
    ck_assert_int_eq(get_ready(&info, &rep, bytes + header, f.size, &why), 0);
    ck_assert_int_eq(info.type, SIFR_REQ);
    ck_assert_str_eq(info.type_name, "REQ");
    ck_assert_uint_eq(info.id_size, 255);
    ck_assert_mem_eq(info.id, id, 255);
    ck_assert_uint_eq(info.properties_size, c.data_size);
    ck_assert_ptr_ne(info.properties, c.data);
    ck_assert_int_eq(sf_metadata_find(info.properties, info.properties_size, "X-Long", &p), 1);
    ck_assert_uint_eq(p.size, sizeof value);
    sf_peer_info_fini(&info);
    ck_assert_ptr_null(info.properties);
}
END_TEST

/* What a PULL makes of the metadata of READY; see handshake/hs-ready-*. */
static const struct {
    const char *name;
    const char *bytes;
    size_t n;
    int result;
    int type;
    size_t id_size;
} readies[] = {
    {"plain", BYTES(TYPE("\4", "PUSH")), 0, SIFR_PUSH, 0},
    {"no properties", BYTES(""), 0, -1, 0},
    {"property in lower case", BYTES("\x0bsocket-type\0\0\0\4PUSH"), 0, SIFR_PUSH, 0},
    {"value in lower case", BYTES(TYPE("\4", "push")), -EPROTOTYPE, 0, 0},
    {"incompatible", BYTES(TYPE("\4", "PULL")), -EPROTOTYPE, 0, 0},
    {"incompatible, lower-case property", BYTES("\x0bsocket-type\0\0\0\4PULL"), -EPROTOTYPE, 0, 0},
    {"unknown", BYTES(TYPE("\4", "ABCD")), -EPROTOTYPE, 0, 0},
    {"empty type", BYTES(TYPE("\0", "")), -EPROTOTYPE, 0, 0},
    {"STREAM", BYTES(TYPE("\6", "STREAM")), -EPROTOTYPE, 0, 0},
    {"same type twice", BYTES(TYPE("\4", "PUSH") TYPE("\4", "PUSH")), 0, SIFR_PUSH, 0},
    {"second type wrong", BYTES(TYPE("\4", "PUSH") TYPE("\3", "PUB")), -EPROTOTYPE, 0, 0},
    {"first type wrong", BYTES(TYPE("\3", "PUB") TYPE("\4", "PUSH")), -EPROTOTYPE, 0, 0},
    {"one octet too many", BYTES(TYPE("\4", "PUSH") "\0"), -EPROTO, 0, 0},
    {"truncated name", BYTES(TYPE("\4", "PUSH") "\x09X-"), -EPROTO, 0, 0},
    {"truncated value", BYTES(TYPE("\x09", "PUSH")), -EPROTO, 0, 0},
    {"empty name", BYTES(TYPE("\4", "PUSH") "\0\0\0\0\1v"), -EPROTO, 0, 0},
    {"unknown property", BYTES("\3foo\0\0\0\1v" TYPE("\4", "PUSH")), 0, SIFR_PUSH, 0},
    {"identity", BYTES("\x08Identity\0\0\0\2id" TYPE("\4", "PUSH")), 0, SIFR_PUSH, 2},
    {"identity twice", BYTES("\x08Identity\0\0\0\2id\x08identity\0\0\0\5other"), 0, -1, 2},
    {"empty identity, then another", BYTES("\x08Identity\0\0\0\0\x08Identity\0\0\0\5other"), 0, -1,
     0},
    {"identity from 00", BYTES("\x08Identity\0\0\0\3\0id" TYPE("\4", "PUSH")), 0, SIFR_PUSH, 0},
};

START_TEST(each_ready_gets_what_it_deserves)
{
    struct sf_peer_info info = {.type = 77};
    int err = sf_peer_info_get(&info, &pull, (const uint8_t *)readies[_i].bytes, readies[_i].n);
    struct sf_refusal why = {.error = 7, .status = 7};
    uint8_t body[128] = "\5READY";

    ck_assert_msg(err == readies[_i].result, "%s: %d", readies[_i].name, err);
    if (err) {
        ck_assert_int_eq(info.type, 77);
        memcpy(body + 6, readies[_i].bytes, readies[_i].n);
        ck_assert_int_eq(get_ready(&info, &pull, body, 6 + readies[_i].n, &why), -EPROTO);
        ck_assert_uint_eq(why.error, 0);
        ck_assert_int_eq(why.status, 0);
        ck_assert_int_eq(info.type, 77);
        return;
    }
    ck_assert_int_eq(info.type, readies[_i].type);
    ck_assert_str_eq(info.type_name, info.type < 0 ? "" : sf_type_name(info.type));
    ck_assert_uint_eq(info.id_size, readies[_i].id_size);
    ck_assert_uint_eq(info.properties_size, readies[_i].n);
    sf_peer_info_fini(&info);
}
END_TEST

START_TEST(identities_above_255_octets_are_refused)
{
    uint8_t id[256], bytes[300];
    struct sf_peer_info info;
    size_t n;

    memset(id, 'i', sizeof id);
    n = sf_metadata_put(bytes, sizeof bytes, "Identity", id, 256);
    ck_assert_int_eq(sf_peer_info_get(&info, &rep, bytes, n), -EPROTO);
    n = sf_metadata_put(bytes, sizeof bytes, "Identity", id, 255);
    ck_assert_int_eq(sf_peer_info_get(&info, &rep, bytes, n), 0);
    ck_assert_uint_eq(info.id_size, 255);
    sf_peer_info_fini(&info);
}
END_TEST

START_TEST(lack_of_memory_is_reported_as_such)
{
    static const uint8_t body[] = "\5READY" TYPE("\4", "PUSH");
    struct sf_peer_info info = {.type = 77};
    struct sf_refusal why = {.error = 7};

    sf_alloc_fail(1, 0);
    ck_assert_int_eq(get_ready(&info, &pull, body, sizeof body - 1, &why), -ENOMEM);
    sf_alloc_fail(0, 0);
    ck_assert_int_eq(info.type, 77);
    ck_assert_uint_eq(why.error, 7);
}
END_TEST

START_TEST(types_have_their_names_and_numbers)
{
    static const char *const names[] = {"PAIR",   "PUB",    "SUB",    "REQ",  "REP",    "DEALER",
                                        "ROUTER", "PULL",   "PUSH",   "XPUB", "XSUB",   NULL,
                                        "SERVER", "CLIENT", "RADIO",  "DISH", "GATHER", "SCATTER",
                                        NULL,     "PEER",   "CHANNEL"};
    struct sf_peer_info info;

    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
        if (!names[i]) {
            ck_assert_ptr_null(sf_type_name(i));
            continue;
        }
        ck_assert_str_eq(sf_type_name(i), names[i]);
        ck_assert_int_eq(sf_type_number(names[i], strlen(names[i])), i);
        ck_assert_uint_lt(strlen(names[i]), sizeof info.type_name);
    }
    ck_assert_ptr_null(sf_type_name(-1));
    ck_assert_ptr_null(sf_type_name(21));
    ck_assert_int_eq(sf_type_number("PU", 2), -1);
    ck_assert_int_eq(sf_type_number("", 0), -1);
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
    int result;
    int status;
} errors[] = {
    {BYTES("\3"
           "400"),
     0, 400},
    {BYTES("\3"
           "300"),
     0, 300},
    {BYTES("\3"
           "500"),
     0, 500},
    {BYTES("\3"
           "200"),
     0, 0},
    {BYTES("\3"
           "401"),
     0, 0},
    {BYTES("\4"
           "4000"),
     0, 0},
    {BYTES("\0"), 0, 0},
    {BYTES("\5nope."), 0, 0},
    {BYTES("\3"
           "400x"),
     0, 400},
    {BYTES(""), -EPROTO, 0},
    {BYTES("\1"), -EPROTO, 0},
    {BYTES("\x20"
           "ab"),
     -EPROTO, 0},
};

START_TEST(the_reason_of_an_error_is_read)
{
    struct sf_peer_info info;
    struct sf_refusal why = {.error = 7, .status = 7};
    uint8_t body[64] = "\5ERROR";

    memcpy(body + 6, errors[_i].bytes, errors[_i].n);
    ck_assert_int_eq(get_ready(&info, &pull, body, 6 + errors[_i].n, &why), -EPROTO);
    ck_assert_int_eq(why.status, errors[_i].status);
    ck_assert_uint_eq(why.error, errors[_i].result ? SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR : 0);
}
END_TEST

START_TEST(error_is_written_as_the_standard_says)
{
    char reason[300];
    uint8_t bytes[SF_ERROR_SIZE_MAX];

    ck_assert_uint_eq(sf_error_put(bytes, "400", 3), 12);
    ck_assert_mem_eq(bytes,
                     "\4\x0a\5ERROR\3"
                     "400",
                     12);
    memset(reason, 'r', sizeof reason);
    ck_assert_uint_eq(sf_error_put(bytes, reason, sizeof reason), SF_ERROR_SIZE_MAX);
}
END_TEST

/* See handshake/hs-*. */
static const struct {
    const char *name;
    const char *bytes;
    size_t n;
    int result;
    uint32_t error;
    int status;
} nulls[] = {
    {"READY", BYTES("\5READY" TYPE("\4", "PUSH")), 0, 0, 0},
    {"READY of another type", BYTES("\5READY" TYPE("\4", "PULL")), -EPROTO, 0, 0},
    {"READY that is malformed", BYTES("\5READYx"), -EPROTO, 0, 0},
    {"ERROR 400",
     BYTES("\5ERROR\3"
           "400"),
     -EPROTO, 0, 400},
    {"ERROR text", BYTES("\5ERROR\4text"), -EPROTO, 0, 0},
    {"ERROR that is malformed",
     BYTES("\5ERROR\x20"
           "ab"),
     -EPROTO, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR, 0},
    {"empty", BYTES(""), -EPROTO, SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND, 0},
    {"bad name length", BYTES("\x40PING"), -EPROTO, SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND, 0},
    {"PING", BYTES("\4PING\0\0"), -EPROTO, SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND, 0},
    {"HELLO", BYTES("\5HELLO\0\0"), -EPROTO, SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND, 0},
    {"a message", BYTES("hello"), -EPROTO, SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND, 0},
};

START_TEST(null_takes_ready_and_nothing_else)
{
    struct sf_peer_info info = {.type = 77};
    struct sf_refusal why = {.error = 7, .status = 7};
    int err = get_ready(&info, &pull, nulls[_i].bytes, nulls[_i].n, &why);

    ck_assert_msg(err == nulls[_i].result, "%s: %d", nulls[_i].name, err);
    if (err) {
        ck_assert_uint_eq(why.error, nulls[_i].error);
        ck_assert_int_eq(why.status, nulls[_i].status);
        ck_assert_int_eq(info.type, 77);
        return;
    }
    ck_assert_int_eq(info.type, SIFR_PUSH);
    sf_peer_info_fini(&info);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handshake");
    TCase *tcase = tcase_create("handshake");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tcase, ready_is_what_libzmq_sends);
    tcase_add_test(tcase, ready_needs_its_room);
    tcase_add_test(tcase, ready_with_an_id_and_properties_is_read_again);
    tcase_add_loop_test(tcase, each_ready_gets_what_it_deserves, 0,
                        sizeof readies / sizeof *readies);
    tcase_add_test(tcase, identities_above_255_octets_are_refused);
    tcase_add_test(tcase, lack_of_memory_is_reported_as_such);
    tcase_add_test(tcase, types_have_their_names_and_numbers);
    tcase_add_loop_test(tcase, the_reason_of_an_error_is_read, 0, sizeof errors / sizeof *errors);
    tcase_add_test(tcase, error_is_written_as_the_standard_says);
    tcase_add_loop_test(tcase, null_takes_ready_and_nothing_else, 0, sizeof nulls / sizeof *nulls);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
