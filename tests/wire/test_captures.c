/*
 * Streams recorded between real peers (tests/data/captures, see its README)
 * come out of the decoders as the units they were recorded in, and those that
 * break the rules are refused at the unit that does.
 */
#include <dirent.h>
#include <errno.h>
#include <sifr.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/command.h"
#include "wire/frame.h"
#include "wire/greeting.h"
#include "wire/handshake.h"
#include "quick_check.h"

/* The groups that speak ZMTP over a plain stream, and how many files each has. */
static const struct {
    const char *name;
    int files;
} groups[] = {
    {"curve", 21},    {"downgrade", 24}, {"draft", 7},      {"frame", 16}, {"greeting", 20},
    {"gssapi", 3},    {"handshake", 28}, {"heartbeat", 12}, {"null", 26},  {"plain", 13},
    {"reconnect", 9}, {"socket", 15},    {"zap", 4},
};

enum {
    GROUPS = sizeof groups / sizeof *groups,
    UNITS_MAX = 64,
    STREAM_MAX = 1 << 18,
    LINE_MAX_SIZE = 1 << 18
};

/* What one side sent over one connection. */
struct stream {
    char side;
    uint8_t bytes[STREAM_MAX];
    size_t size;
    struct unit {
        size_t end; /* offset of the octet behind it */
        char comment[96];
        bool whole; /* false: the recorder could not tell what it was */
    } units[UNITS_MAX];
    int count;
};

struct capture {
    char name[64];
    char mechanism[2][SF_GREETING_MECHANISM + 1]; /* of C and S */
    struct stream streams[2];                     /* of C and S */
};

/* Streams that must be refused, and in which unit (from 0, negative from the last). */
static const struct refusal {
    const char *name;
    char side;
    int unit;
    uint32_t error;
} refusals[] = {
    {"bad-greeting-bad-mechanism", 'C', 2, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH},
    {"bad-greeting-http-long", 'C', 0, SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED},
    {"bad-greeting-http-short", 'C', 0, SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED},
    {"bad-greeting-longframe-1.0-flags00", 'C', 0, SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED},
    {"bad-greeting-lowercase-mechanism", 'C', 2, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH},
    {"bad-greeting-mechanism-junk-padding", 'C', 2, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH},
    {"bad-greeting-tls", 'C', 0, SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED},
    {"bad-greeting-zero", 'C', 0, SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED},
    {"client-gets-wrong-mechanism", 'S', 2, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH},
    {"frame-reserved-bits", 'C', 4, 0},
    {"frame-size-top-bit", 'C', 4, 0},
    {"hs-ready-reserved-bits", 'C', 3, 0},
    {"mismatch-null-to-plain", 'C', 2, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH},
    {"mismatch-null-to-plain", 'S', 2, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH},
    {"mismatch-plain-to-null", 'C', 2, SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH},
    /* SUBSCRIBE with a long size and no LONG flag: falls into pieces, then into nonsense. */
    {"subscribe-topic-246", 'C', 8, 0},
    {"subscribe-topic-255", 'C', 8, 0},
    {"subscribe-topic-255-v30", 'S', 9, 0},
};

static const struct refusal *refusal_of(const struct capture *c, char side)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (strcmp(refusals[i].name, c->name) == 0 && refusals[i].side == side)
            return &refusals[i];
    }
    return NULL;
}

/* ---- Reading a file ---- */

static uint8_t hex_octet(const char *at)
{
    char digits[3] = {at[0], at[1], 0};
    char *end;
    unsigned long v = strtoul(digits, &end, 16);

    ck_assert_msg(end == digits + 2, "not hexadecimal: %.20s", at);
    return (uint8_t)v;
}

static void add_unit(struct stream *s, const char *hex, const char *comment)
{
    struct unit *u = &s->units[s->count++];

    ck_assert_int_le(s->count, UNITS_MAX);
    while (*hex && *hex != '\n') {
        unsigned long n = 1;

        if (*hex == '{') {
            char *star;

            n = strtoul(hex + 1, &star, 10);
            ck_assert_int_eq(*star, '*');
            hex = star + 1;
        }
        ck_assert_uint_le(s->size + n, STREAM_MAX);
        memset(s->bytes + s->size, hex_octet(hex), n);
        s->size += n;
        hex += 2;
        if (*hex == '}')
            hex++;
    }
    u->end = s->size;
    snprintf(u->comment, sizeof u->comment, "%s", comment);
    u->whole = !strstr(comment, "trailing bytes") && !strstr(comment, "raw");
}

/* "NULL", or "C NULL, S PLAIN" */
static void read_mechanisms(struct capture *c, const char *text)
{
    if (sscanf(text, "C %20[A-Z], S %20[A-Z]", c->mechanism[0], c->mechanism[1]) == 2)
        return;
    ck_assert_int_eq(sscanf(text, "%20[A-Z]", c->mechanism[0]), 1);
    strcpy(c->mechanism[1], c->mechanism[0]);
}

static void check_streams(struct capture *c);

/* Reads a file and checks each of its connections. */
static void check_file(struct capture *c, const char *path, char *line)
{
    static const char mechanism_key[] = "# mechanism: ";
    char comment[96] = "";
    FILE *file = fopen(path, "r");

    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    while (fgets(line, LINE_MAX_SIZE, file)) {
        if (strncmp(line, mechanism_key, sizeof mechanism_key - 1) == 0) {
            read_mechanisms(c, line + sizeof mechanism_key - 1);
        } else if (strncmp(line, "# ", 2) == 0) {
            const char *text = line + 2;

            if (strncmp(text, "t=", 2) == 0)
                text += strcspn(text, " ") + 1;
            if ((text[0] == 'C' || text[0] == 'S') && text[1] == ' ')
                snprintf(comment, sizeof comment, "%.*s", (int)strcspn(text, "\n"), text);
        } else if (strncmp(line, "= next", 6) == 0) {
            check_streams(c);
        } else if ((line[0] == 'C' || line[0] == 'S') && line[1] == '>') {
            ck_assert_msg(comment[0] == line[0], "%s: no comment before %.40s", path, line);
            add_unit(&c->streams[line[0] == 'S'], line + 3, comment);
            comment[0] = 0;
        }
    }
    fclose(file);
    check_streams(c);
}

/* ---- Decoding a stream ---- */

struct decoder {
    const char *name; /* of the capture, for messages */
    const struct stream *s;
    struct sf_greeting greeting;
    bool old_header; /* the greeting was meant as a header of ZMTP 1.0 */
    bool in_greeting;
    enum sf_zmtp version;
    size_t at; /* octets decoded */
    int unit;  /* units decoded */
    uint32_t error;
};

/* A side that found its peer to be unversioned goes on as if its signature had been a frame header. */
static bool continues_as_1_0(const struct stream *s)
{
    return s->count > 0 && strstr(s->units[0].comment, "long-form identity") && (s->bytes[9] & 1);
}

/* libzmq announces major 3 to old peers too and goes on in their version, as we do. */
static bool continues_after_downgrade(const struct stream *s)
{
    return s->count > 2 && strstr(s->units[2].comment, "socket type") && s->bytes[10] > 1;
}

static void decoder_init(struct decoder *d, const struct capture *c, int side)
{
    struct sf_greeting_config config = {
        .type = SIFR_PAIR, .talks_to = ~0u, .mechanism = c->mechanism[!side]};

    memset(d, 0, sizeof *d);
    d->name = c->name;
    d->s = &c->streams[side];
    d->in_greeting = true;
    if (continues_as_1_0(d->s)) {
        d->in_greeting = false;
        d->version = SF_ZMTP_10;
        d->old_header = true;
        return;
    }
    if (continues_after_downgrade(d->s)) {
        d->in_greeting = false;
        d->version = c->streams[!side].bytes[10] == 0 ? SF_ZMTP_10 : SF_ZMTP_20;
        d->unit = 3;
        d->at = d->s->units[2].end;
        return;
    }
    sf_greeting_init(&d->greeting, &config);
}

static void end_unit(struct decoder *d)
{
    const struct unit *u = &d->s->units[d->unit];

    ck_assert_msg(d->unit < d->s->count, "%s %c: a unit too many", d->name, d->s->side);
    ck_assert_msg(u->end == d->at, "%s %c: unit %d (%s) ends at %zu, not %zu", d->name, d->s->side,
                  d->unit, u->comment, d->at, u->end);
    d->unit++;
}

static void check_comment(struct decoder *d, const struct sf_frame *f, const uint8_t *header,
                          const uint8_t *body)
{
    const char *comment = d->s->units[d->unit].comment, *size = strstr(comment, "body=");
    bool command = f->flags & SF_FRAME_COMMAND;
    struct sf_command c;
    char name[16];

    if (!size)
        return; /* header and body of an identity stand in two lines */
    ck_assert_msg(strtoull(size + 5, NULL, 10) == f->size, "%s: %s", d->name, comment);
    ck_assert_msg(command == !!strstr(comment, "command"), "%s: %s", d->name, comment);
    if (d->version > SF_ZMTP_10)
        ck_assert_msg(!(header[0] & SF_FRAME_LONG) == !strstr(comment, "LONG"), "%s: %s", d->name,
                      comment);
    if (!command) {
        ck_assert_msg(!(f->flags & SF_FRAME_MORE) == !strstr(comment, "MORE"), "%s: %s", d->name,
                      comment);
    } else if (sf_command_get(&c, body, f->size) == 0 && c.kind != SF_CMD_UNKNOWN) {
        snprintf(name, sizeof name, "%.*s ", (int)c.name_size, c.name);
        ck_assert_msg(strstr(comment, name) != NULL, "%s: %s", d->name, comment);
    }
}

/* Decodes what can be from the first n octets: 0 or -EPROTO. */
static int decode(struct decoder *d, size_t n)
{
    const uint8_t *bytes = d->s->bytes;

    if (d->in_greeting) {
        ssize_t used = sf_greeting_feed(&d->greeting, bytes + d->at, n - d->at);

        if (used < 0) {
            d->error = d->greeting.error;
            return (int)used;
        }
        d->at += (size_t)used;
        if (!sf_greeting_done(&d->greeting))
            return 0;
        d->in_greeting = false;
        d->version = d->greeting.version;
        while (d->unit < d->s->count - 1 && d->s->units[d->unit].end < d->at)
            d->unit++;
        end_unit(d);
    }
    while (d->at < n) {
        const uint8_t *header = bytes + d->at;
        struct sf_frame f;
        int size = d->version == SF_ZMTP_10 ? sf_frame1_get(&f, header, n - d->at)
                                            : sf_frame_get(&f, header, n - d->at);

        if (size == -EAGAIN)
            return 0;
        if (size < 0)
            return size;
        if (n - d->at - (size_t)size < f.size)
            return 0;
        check_comment(d, &f, header, header + size);
        d->at += (size_t)size;
        if (d->old_header && f.size > 0)
            end_unit(d); /* the body of our identity has a line of its own */
        d->old_header = false;
        d->at += f.size;
        end_unit(d);
    }
    return 0;
}

/* Decodes a stream fed in steps of so many octets and compares the outcome with what was recorded. */
static void check_stream(const struct capture *c, int side, size_t step)
{
    const struct stream *s = &c->streams[side];
    const struct refusal *refusal = refusal_of(c, s->side);
    struct decoder *d = malloc(sizeof *d);
    int err = 0;

    ck_assert_ptr_nonnull(d);
    decoder_init(d, c, side);
    for (size_t n = 0; err == 0 && n < s->size;) {
        n = s->size - n < step ? s->size : n + step;
        err = decode(d, n);
    }
    if (refusal) {
        ck_assert_msg(err == -EPROTO, "%s %c: accepted", c->name, s->side);
        ck_assert_uint_eq(d->error, refusal->error);
        while (d->in_greeting && step == 1 && d->unit < refusal->unit &&
               s->units[d->unit].end <= d->at)
            d->unit++;
        if (!d->in_greeting || step == 1)
            ck_assert_msg(d->unit == refusal->unit, "%s %c: refused in unit %d", c->name, s->side,
                          d->unit);
    } else {
        ck_assert_msg(err == 0, "%s %c: refused in unit %d", c->name, s->side, d->unit);
        if (s->count > 0 && !d->in_greeting && s->units[s->count - 1].whole)
            ck_assert_msg(d->at == s->size && d->unit == s->count, "%s %c: incomplete", c->name,
                          s->side);
        if (d->in_greeting && s->count > 0) /* it ended too early, but at a unit's end */
            ck_assert_uint_eq(d->at, s->size);
    }
    free(d);
}

/* What we would have sent in the peer's place towards a 3.x peer is what libzmq did send. */
static void check_greeting_sent(const struct capture *c, int side)
{
    const struct stream *ours = &c->streams[side], *theirs = &c->streams[!side];
    struct sf_greeting_config config = {
        .type = SIFR_PAIR, .talks_to = ~0u, .mechanism = c->mechanism[side]};
    struct sf_greeting *g = malloc(sizeof *g);
    static const uint8_t id[255];
    const uint8_t *out;

    ck_assert_ptr_nonnull(g);
    config.id = id;
    config.id_size = ours->bytes[8] - 1u;
    sf_greeting_init(g, &config);
    ck_assert_int_eq(sf_greeting_feed(g, theirs->bytes, theirs->size), SF_GREETING_SIZE);
    ck_assert_uint_eq(sf_greeting_output(g, &out), SF_GREETING_SIZE);
    ck_assert_msg(memcmp(out, ours->bytes, SF_GREETING_SIZE) == 0, "%s %c: another greeting",
                  c->name, ours->side);
    free(g);
}

/* Checks both directions of a connection and forgets it. */
static void check_streams(struct capture *c)
{
    static const size_t steps[] = {1, 7, 100, STREAM_MAX};

    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
            check_stream(c, side, steps[i]);
    }
    if (strncmp(c->name, "null-", 5) == 0) {
        check_greeting_sent(c, 0);
        check_greeting_sent(c, 1);
    }
    for (int side = 0; side < 2; side++) {
        c->streams[side].size = 0;
        c->streams[side].count = 0;
    }
}

/* ---- Tests ---- */

START_TEST(each_direction_decodes_into_the_recorded_units)
{
    char path[4096];
    struct capture *c = calloc(1, sizeof *c);
    char *line = malloc(LINE_MAX_SIZE);
    const struct dirent *entry;
    int files = 0;
    DIR *dir;

    ck_assert(c != NULL && line != NULL);
    c->streams[0].side = 'C';
    c->streams[1].side = 'S';
    snprintf(path, sizeof path, "%s/captures/%s", SF_TEST_DATA, groups[_i].name);
    dir = opendir(path);
    ck_assert_msg(dir != NULL, "%s: %s", path, strerror(errno));
    while ((entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name);

        if (n < 5 || n - 4 >= sizeof c->name || strcmp(entry->d_name + n - 4, ".txt") != 0)
            continue;
        memcpy(c->name, entry->d_name, n - 4);
        c->name[n - 4] = 0;
        snprintf(path, sizeof path, "%s/captures/%s/%s", SF_TEST_DATA, groups[_i].name,
                 entry->d_name);
        check_file(c, path, line);
        files++;
    }
    closedir(dir);
    ck_assert_int_eq(files, groups[_i].files);
    free(line);
    free(c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("captures");
    TCase *tcase = tcase_create("captures");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, each_direction_decodes_into_the_recorded_units, 0, GROUPS);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
