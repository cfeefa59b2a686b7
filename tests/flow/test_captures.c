/*
 * One side of the talks recorded between real peers (tests/data/captures, see its README) is played to a live socket,
 * which dials or listens and does what the application of the other side did: it must say, octet by octet, what that
 * side said.
 */
#include "support.h"

#include <netinet/tcp.h>

#include "wire/frame.h"
#include "wire/handshake.h"

enum { UNITS_MAX = 64, STREAM_MAX = 1 << 17, LINE_SIZE = 1 << 18, APP_MAX = 32 };

/* How a talk ends, and what is special about it. */
enum {
    STAYS = 0,
    CLOSES = 1,         /* our side ends it */
    TOP_BEFORE = 2,     /* subscribed to "top" before the talk */
    PRE_SUBSCRIBED = 4, /* to x, y and x */
    OTHER_ENDS = 8,     /* the one that is played */
    JOINED_A = 16,      /* before the talk */
    JOINED_B = 32,
};

static const struct talk {
    const char *group, *name;
    char side; /* C or S: who is a live socket of ours */
    unsigned flags;
    const char *id;    /* its ROUTING_ID */
    int option, value; /* another option of it, or 0 */
} talks[] = {
    {.group = "null", .name = "null-dealer-dealer", .side = 'C'},
    {.group = "null", .name = "null-dealer-dealer", .side = 'S'},
    {.group = "null", .name = "null-dealer-rep", .side = 'C'},
    {.group = "null", .name = "null-dealer-rep", .side = 'S'},
    {.group = "null", .name = "null-dealer-router", .side = 'C', .id = "D1"},
    {.group = "null", .name = "null-dealer-router", .side = 'S'},
    {.group = "null", .name = "null-dealer-router-anon", .side = 'C'},
    {.group = "null", .name = "null-metadata", .side = 'C'},
    {.group = "null", .name = "null-multipart-mixed", .side = 'C'},
    {.group = "null", .name = "null-multipart-mixed", .side = 'S'},
    {.group = "null", .name = "null-pair-pair", .side = 'C'},
    {.group = "null", .name = "null-pair-pair", .side = 'S'},
    {.group = "null", .name = "null-pub-sub-reversed", .side = 'C'},
    {.group = "null", .name = "null-pub-sub-reversed", .side = 'S'},
    {.group = "null", .name = "null-pull-push", .side = 'C'},
    {.group = "null", .name = "null-pull-push", .side = 'S'},
    {.group = "null", .name = "null-push-pull", .side = 'C'},
    {.group = "null", .name = "null-push-pull", .side = 'S'},
    {.group = "null", .name = "null-req-rep", .side = 'C'},
    {.group = "null", .name = "null-req-rep", .side = 'S'},
    {.group = "null", .name = "null-req-rep-correlate", .side = 'S'},
    {.group = "null", .name = "null-req-rep-multipart", .side = 'C'},
    {.group = "null", .name = "null-req-rep-multipart", .side = 'S'},
    {.group = "null", .name = "null-req-router", .side = 'C', .id = "ID-REQ"},
    {.group = "null", .name = "null-req-router", .side = 'S'},
    {.group = "null",
     .name = "null-router-router-probe",
     .side = 'C',
     .id = "RC",
     .option = SIFR_PROBE_ROUTER,
     .value = 1},
    {.group = "null", .name = "null-router-router-probe", .side = 'S', .id = "RS"},
    {.group = "null", .name = "null-size-0", .side = 'C'},
    {.group = "null", .name = "null-size-0", .side = 'S'},
    {.group = "null", .name = "null-size-1", .side = 'C'},
    {.group = "null", .name = "null-size-1", .side = 'S'},
    {.group = "null", .name = "null-size-254", .side = 'C'},
    {.group = "null", .name = "null-size-254", .side = 'S'},
    {.group = "null", .name = "null-size-255", .side = 'C'},
    {.group = "null", .name = "null-size-255", .side = 'S'},
    {.group = "null", .name = "null-size-256", .side = 'C'},
    {.group = "null", .name = "null-size-256", .side = 'S'},
    {.group = "null", .name = "null-size-65535", .side = 'C'},
    {.group = "null", .name = "null-size-65535", .side = 'S'},
    {.group = "null", .name = "null-size-70000", .side = 'C'},
    {.group = "null", .name = "null-size-70000", .side = 'S'},
    {.group = "null", .name = "null-sub-pub", .side = 'C'},
    {.group = "null", .name = "null-sub-pub-presubscribed", .side = 'C', .flags = PRE_SUBSCRIBED},
    {.group = "null", .name = "null-sub-pub-presubscribed", .side = 'S'},
    {.group = "null", .name = "null-xsub-xpub", .side = 'C'},
    {.group = "null", .name = "null-xsub-xpub", .side = 'S'},

    {.group = "draft", .name = "draft-channel", .side = 'C'},
    {.group = "draft", .name = "draft-channel", .side = 'S'},
    {.group = "draft", .name = "draft-client-server", .side = 'C'},
    {.group = "draft", .name = "draft-client-server", .side = 'S'},
    {.group = "draft", .name = "draft-dish-gets-ping", .side = 'C', .flags = JOINED_A}, /* libzmq ends it */
    {.group = "draft", .name = "draft-dish-radio", .side = 'C'},
    {.group = "draft", .name = "draft-dish-radio", .side = 'S'},
    {.group = "draft", .name = "draft-dish-radio-prejoined", .side = 'C', .flags = JOINED_A | JOINED_B},
    {.group = "draft", .name = "draft-dish-radio-prejoined", .side = 'S'},
    {.group = "draft", .name = "draft-peer", .side = 'C'},
    {.group = "draft", .name = "draft-peer", .side = 'S'},
    {.group = "draft", .name = "draft-scatter-gather", .side = 'C'},
    {.group = "draft", .name = "draft-scatter-gather", .side = 'S'},

    {.group = "greeting", .name = "bad-greeting-bad-mechanism", .side = 'S', .flags = CLOSES},
    {.group = "greeting", .name = "bad-greeting-http-short", .side = 'S', .flags = CLOSES},
    {.group = "greeting",
     .name = "bad-greeting-longframe-1.0-flags00",
     .side = 'S',
     .flags = CLOSES},
    {.group = "greeting", .name = "bad-greeting-lowercase-mechanism", .side = 'S', .flags = CLOSES},
    {.group = "greeting",
     .name = "bad-greeting-mechanism-junk-padding",
     .side = 'S',
     .flags = CLOSES},
    {.group = "greeting",
     .name = "bad-greeting-partial",
     .side = 'S',
     .flags = CLOSES,
     .option = SIFR_HANDSHAKE_IVL,
     .value = 50},
    {.group = "greeting",
     .name = "bad-greeting-silent",
     .side = 'S',
     .flags = CLOSES,
     .option = SIFR_HANDSHAKE_IVL,
     .value = 50},
    {.group = "greeting", .name = "bad-greeting-tls", .side = 'S', .flags = CLOSES},
    {.group = "greeting", .name = "bad-greeting-zero", .side = 'S', .flags = CLOSES},
    {.group = "greeting", .name = "odd-greeting-and-ready-in-one", .side = 'S'},
    {.group = "greeting", .name = "odd-greeting-as-server", .side = 'S'},
    {.group = "greeting", .name = "odd-greeting-filler", .side = 'S'},
    {.group = "greeting", .name = "odd-greeting-major-2", .side = 'S'},
    {.group = "greeting", .name = "odd-greeting-major-4", .side = 'S'},
    {.group = "greeting", .name = "odd-greeting-minor-9", .side = 'S'},
    {.group = "greeting", .name = "odd-greeting-octet9-01", .side = 'S'},
    {.group = "greeting", .name = "odd-greeting-octet9-ff", .side = 'S'},
    {.group = "greeting", .name = "odd-greeting-padding", .side = 'S'},

    {.group = "handshake", .name = "hs-empty-command", .side = 'S', .flags = CLOSES},
    {.group = "handshake", .name = "hs-error-instead-of-ready", .side = 'S', .flags = CLOSES},
    {.group = "handshake", .name = "hs-error-malformed", .side = 'S', .flags = CLOSES},
    {.group = "handshake", .name = "hs-error-text", .side = 'S', .flags = CLOSES},
    {.group = "handshake",
     .name = "hs-identity-long",
     .side = 'S',
     .flags = CLOSES}, /* libzmq takes it */
    {.group = "handshake", .name = "hs-message-instead-of-ready", .side = 'S'},
    {.group = "handshake", .name = "hs-ping-before-ready", .side = 'S', .flags = CLOSES},
    {.group = "handshake", .name = "hs-ready-duplicate-type", .side = 'S', .flags = CLOSES},
    {.group = "handshake",
     .name = "hs-ready-empty-name",
     .side = 'S',
     .flags = CLOSES}, /* libzmq takes it */
    {.group = "handshake", .name = "hs-ready-extra-properties", .side = 'S'},
    {.group = "handshake", .name = "hs-ready-long-form", .side = 'S'},
    {.group = "handshake",
     .name = "hs-ready-lowercase-property",
     .side = 'S',
     .flags = CLOSES}, /* libzmq takes it */
    {.group = "handshake", .name = "hs-ready-lowercase-value", .side = 'S', .flags = CLOSES},
    {.group = "handshake", .name = "hs-ready-no-properties", .side = 'S'},
    {.group = "handshake", .name = "hs-ready-one-extra-octet", .side = 'S', .flags = CLOSES},
    {.group = "handshake",
     .name = "hs-ready-reserved-bits",
     .side = 'S',
     .flags = CLOSES}, /* libzmq takes it */
    {.group = "handshake", .name = "hs-ready-truncated-name", .side = 'S', .flags = CLOSES},
    {.group = "handshake", .name = "hs-ready-truncated-value", .side = 'S', .flags = CLOSES},
    {.group = "handshake", .name = "hs-ready-twice", .side = 'S'},
    {.group = "handshake", .name = "hs-ready-unknown-type", .side = 'S', .flags = CLOSES},
    {.group = "handshake", .name = "hs-ready-with-more", .side = 'S'},
    {.group = "handshake", .name = "hs-unknown-command", .side = 'S', .flags = CLOSES},
    {.group = "handshake", .name = "incompat-push-push", .side = 'C', .flags = CLOSES},
    {.group = "handshake", .name = "incompat-push-push", .side = 'S', .flags = OTHER_ENDS},
    {.group = "handshake", .name = "mismatch-null-to-plain", .side = 'C', .flags = CLOSES},
    {.group = "handshake", .name = "mismatch-plain-to-null", .side = 'S', .flags = CLOSES},

    {.group = "frame", .name = "frame-command-bad-name-length", .side = 'S'},
    {.group = "frame", .name = "frame-command-empty", .side = 'S'},
    {.group = "frame", .name = "frame-command-inside-multipart", .side = 'S'},
    {.group = "frame", .name = "frame-command-unknown", .side = 'S'},
    {.group = "frame", .name = "frame-command-with-more", .side = 'S'},
    {.group = "frame", .name = "frame-long-form-short-body", .side = 'S'},
    {.group = "frame",
     .name = "frame-maxmsgsize",
     .side = 'S',
     .flags = CLOSES,
     .option = SIFR_MAXMSGSIZE,
     .value = 30},
    {.group = "frame",
     .name = "frame-reserved-bits",
     .side = 'S',
     .flags = CLOSES}, /* libzmq takes it */
    {.group = "frame", .name = "frame-size-top-bit", .side = 'S', .flags = CLOSES},
    {.group = "frame",
     .name = "frame-truncated-multipart-then-close",
     .side = 'S',
     .flags = OTHER_ENDS},
    {.group = "frame", .name = "subscribe-topic-200", .side = 'C'},
    {.group = "frame", .name = "subscribe-topic-200", .side = 'S'},
    {.group = "frame", .name = "subscribe-topic-245", .side = 'C'},
    {.group = "frame", .name = "subscribe-topic-245", .side = 'S'},
    {.group = "frame", .name = "subscribe-topic-256", .side = 'C'},
    {.group = "frame", .name = "subscribe-topic-256", .side = 'S'},

    {.group = "downgrade", .name = "client-sub-to-v20-pub", .side = 'C', .flags = TOP_BEFORE},
    {.group = "downgrade", .name = "client-sub-to-v30-pub", .side = 'C', .flags = TOP_BEFORE},
    {.group = "downgrade", .name = "client-to-v10-server", .side = 'C', .id = "ME"},
    {.group = "downgrade",
     .name = "client-to-v10-server-first",
     .side = 'C',
     .option = SIFR_ROUTER_MANDATORY,
     .value = 1},
    {.group = "downgrade", .name = "client-to-v20-server", .side = 'C', .id = "ME"},
    {.group = "downgrade", .name = "downgrade-revision-0", .side = 'S'},
    {.group = "downgrade",
     .name = "downgrade-v10-anon-client-to-named-router",
     .side = 'S',
     .id = "SERVER"},
    {.group = "downgrade", .name = "downgrade-v10-client-to-router", .side = 'S'},
    {.group = "downgrade", .name = "downgrade-v10-longform-client-to-router", .side = 'S'},
    {.group = "downgrade", .name = "downgrade-v10-sub-client-to-pub", .side = 'S'},
    {.group = "downgrade", .name = "downgrade-v20-dealer-client-to-router", .side = 'S'},
    {.group = "downgrade", .name = "downgrade-v20-sub-client-to-pub", .side = 'S'},
    {.group = "downgrade",
     .name = "downgrade-v20-wrong-type-accepted",
     .side = 'S',
     .flags = CLOSES}, /* libzmq takes it */
    {.group = "downgrade", .name = "downgrade-v30-sub-client-to-pub", .side = 'S'},
    {.group = "downgrade",
     .name = "subscription-form-to-v10-pub",
     .side = 'S',
     .flags = TOP_BEFORE},
    {.group = "downgrade",
     .name = "subscription-form-to-v20-pub",
     .side = 'S',
     .flags = TOP_BEFORE},
    {.group = "downgrade",
     .name = "subscription-form-to-v30-pub",
     .side = 'S',
     .flags = TOP_BEFORE},
    {.group = "downgrade",
     .name = "subscription-form-to-v31-pub",
     .side = 'S',
     .flags = TOP_BEFORE},
    {.group = "downgrade", .name = "v30-client-using-subscribe-command", .side = 'S'},
    {.group = "downgrade", .name = "v31-client-using-message-subscriptions", .side = 'S'},

    {.group = "heartbeat", .name = "ping-context-too-long", .side = 'S'},
    {.group = "heartbeat", .name = "ping-no-context", .side = 'S'},
    {.group = "heartbeat", .name = "ping-three-at-once", .side = 'S'},
    {.group = "heartbeat", .name = "ping-with-context", .side = 'S'},
    {.group = "heartbeat", .name = "pong-unsolicited", .side = 'S'},
    {.group = "heartbeat", .name = "heartbeat-timeout", .side = 'S', .flags = CLOSES},

    {.group = "socket", .name = "pub-ignores-user-messages", .side = 'S'},
    {.group = "socket", .name = "pub-subscription-multipart", .side = 'S'},
    {.group = "socket", .name = "pull-receives-any", .side = 'S'},
    {.group = "socket", .name = "push-ignores-input", .side = 'S'},
    {.group = "socket", .name = "rep-bad-request-no-delimiter", .side = 'S'},
    {.group = "socket", .name = "req-bad-reply-no-delimiter", .side = 'S', .flags = CLOSES},
    {.group = "socket", .name = "req-reply-with-4-octet-prefix", .side = 'S'},
    {.group = "socket", .name = "req-unsolicited-reply", .side = 'S'},
    {.group = "socket", .name = "sub-filters-locally", .side = 'S', .flags = TOP_BEFORE},
    {.group = "socket", .name = "xpub-cancel-unknown", .side = 'S'},
    {.group = "socket", .name = "xpub-duplicate-subscribe", .side = 'S'},

    {.group = "reconnect", .name = "client-gets-error", .side = 'C', .flags = CLOSES},
    {.group = "reconnect",
     .name = "client-gets-oversize-frame",
     .side = 'C',
     .flags = CLOSES,
     .option = SIFR_MAXMSGSIZE,
     .value = 100},
    {.group = "reconnect", .name = "client-gets-wrong-mechanism", .side = 'C', .flags = CLOSES},
    {.group = "reconnect", .name = "client-gets-wrong-type", .side = 'C', .flags = CLOSES},
    {.group = "reconnect", .name = "client-req-gets-bad-reply", .side = 'C', .flags = CLOSES},
    {.group = "reconnect",
     .name = "client-server-closes-after-ready",
     .side = 'C',
     .flags = OTHER_ENDS},
    {.group = "reconnect",
     .name = "client-server-closes-in-handshake",
     .side = 'C',
     .flags = OTHER_ENDS},
};

/* ---- Reading a file ------------------------------------------------------------------------------------------ */

static struct {
    char type[2][32]; /* of C and S, as the header names them */
    char *app[APP_MAX];
    int app_count, app_next;
    struct unit {
        bool ours;
        uint8_t *bytes;
        size_t size;
        char comment[96];
    } units[UNITS_MAX];
    int count;
} talk;

static uint8_t octet_at(const char *hex)
{
    char digits[3] = {hex[0], hex[1], 0}, *end;
    unsigned long v = strtoul(digits, &end, 16);

    ck_assert_msg(end == digits + 2, "not hexadecimal: %.20s", hex);
    return (uint8_t)v;
}

static void add_unit(bool ours, const char *hex, const char *comment)
{
    static uint8_t bytes[STREAM_MAX];
    struct unit *u = &talk.units[talk.count++];

    ck_assert_int_le(talk.count, UNITS_MAX);
    while (*hex && *hex != '\n') {
        unsigned long n = 1;

        if (*hex == '{') {
            n = strtoul(hex + 1, (char **)&hex, 10);
            ck_assert_int_eq(*hex++, '*');
        }
        ck_assert_uint_le(u->size + n, STREAM_MAX);
        memset(bytes + u->size, octet_at(hex), n);
        u->size += n;
        hex += 2;
        if (*hex == '}')
            hex++;
    }
    u->ours = ours;
    u->bytes = malloc(u->size + 1);
    ck_assert_ptr_nonnull(u->bytes);
    memcpy(u->bytes, bytes, u->size);
    snprintf(u->comment, sizeof u->comment, "%s", comment);
}

static void read_talk(const struct talk *t)
{
    char path[512], comment[96] = "", *line = malloc(LINE_SIZE);
    bool header = true;
    FILE *f;

    memset(&talk, 0, sizeof talk);
    snprintf(path, sizeof path, "%s/captures/%s/%s.txt", SF_TEST_DATA, t->group, t->name);
    f = fopen(path, "r");
    ck_assert_msg(f && line, "%s: %s", path, strerror(errno));
    while (fgets(line, LINE_SIZE, f) && strncmp(line, "= next", 6) != 0) {
        line[strcspn(line, "\n")] = 0;
        if (!*line) {
            header = false;
        } else if (header && (strncmp(line, "# C: ", 5) == 0 || strncmp(line, "# S: ", 5) == 0)) {
            sscanf(line + 5, "%31s", talk.type[line[2] == 'S']);
        } else if (header && strncmp(line, "# app: ", 7) == 0 && line[7] == t->side &&
                   line[8] == ' ') {
            ck_assert_int_lt(talk.app_count, APP_MAX);
            talk.app[talk.app_count++] = strdup(line + 9);
        } else if (!header && line[0] == '#') {
            const char *text = line + 2;

            if (strncmp(text, "t=", 2) == 0)
                text += strcspn(text, " ") + 1;
            snprintf(comment, sizeof comment, "%s", text);
        } else if ((line[0] == 'C' || line[0] == 'S') && line[1] == '>') {
            add_unit(line[0] == t->side, line + 3, comment);
        }
    }
    fclose(f);
    free(line);
}

static void forget_talk(void)
{
    for (int i = 0; i < talk.count; i++)
        free(talk.units[i].bytes);
    for (int i = 0; i < talk.app_count; i++)
        free(talk.app[i]);
}

/* ---- The application ----------------------------------------------------------------------------------------- */

struct live {
    const struct talk *t;
    sifr_socket_t *s;
    int type, fd;
    int version;               /* major of the played side: 3, 2, or 1 */
    uint8_t heard[STREAM_MAX]; /* what the socket said, without what was asked besides */
    size_t n_heard;
    uint8_t raw[STREAM_MAX]; /* not whole frames yet */
    size_t n_raw;
    bool traffic; /* the handshake is over */
    char id[256]; /* ROUTER: who sent the message received last */
    size_t id_size;
    uint32_t number; /* SERVER: the same */
};

static int type_of(const char *name)
{
    int type = sf_type_number(name, strlen(name));

    ck_assert_msg(type >= 0, "no type: %s", name);
    return type;
}

/* Reads the next part of a message: "text" with \xhh, or "N x hh", or "N octets". NULL: no part. */
static const char *read_part(const char *at, uint8_t *to, size_t *size)
{
    unsigned n, byte = 0x54;
    int used = 0;

    *size = 0;
    at += strspn(at, " |");
    if (*at == '"') {
        for (at++; *at != '"'; at++) {
            ck_assert_int_ne(*at, 0);
            if (at[0] == '\\' && at[1] == 'x') {
                to[(*size)++] = octet_at(at + 2);
                at += 3;
            } else {
                if (*at == '\\')
                    at++;
                to[(*size)++] = (uint8_t)*at;
            }
        }
        return at + 1;
    }
    if (sscanf(at, "%u x %2x%n", &n, &byte, &used) != 2 &&
        sscanf(at, "%u octets%n", &n, &used) != 1)
        return NULL;
    if (!used)
        return NULL;
    memset(to, (int)byte, n);
    if (strncmp(at + used - 6, "octets", 6) == 0) /* a topic and something behind it */
        to[n - 1] = '!';
    *size = n;
    return at + used;
}

static const char *next_action(void)
{
    return talk.app_next < talk.app_count ? talk.app[talk.app_next] : NULL;
}

static bool is_action(const char *what)
{
    const char *a = next_action();

    return a && strncmp(a, what, strlen(what)) == 0;
}

/* Whether our side shows what the next action sends. */
static bool first_part_is(const uint8_t *body, size_t size)
{
    static uint8_t part[STREAM_MAX];
    size_t n;

    return read_part(next_action() + strcspn(next_action(), " "), part, &n) && n == size &&
           memcmp(part, body, n) == 0;
}

/* One part, to the peer of that number if the type wants one: what the call returns. */
static int send_to(struct live *l, uint32_t number, const void *part, size_t size, int flags)
{
    sifr_msg_t m;
    int n;

    ck_works(sifr_msg_init_buffer(&m, part, size));
    if (number)
        ck_works(sifr_msg_set_routing_id(&m, number));
    n = sifr_msg_send(&m, l->s, flags);
    if (n < 0)
        sifr_msg_close(&m);
    return n;
}

/* One part to a group: "text" in group "name". */
static void send_to_group(struct live *l, const char *at)
{
    uint8_t part[256], group[256];
    size_t size, group_size;
    sifr_msg_t m;

    at = read_part(at, part, &size);
    ck_assert_ptr_nonnull(at);
    ck_assert_ptr_nonnull(read_part(strchr(at, '"'), group, &group_size));
    group[group_size] = 0;
    ck_works(sifr_msg_init_buffer(&m, part, size));
    ck_works(sifr_msg_set_group(&m, (char *)group));
    ck_assert_int_eq(sifr_msg_send(&m, l->s, 0), (int)size);
}

/* (b'text', b'group', ..) */
static void recv_of_group(struct live *l, const char *at)
{
    char text[64] = "", group[64] = "";
    sifr_msg_t m;

    if (sscanf(at, " (b'%63[^']', b'%63[^']'", text, group) != 2)
        ck_assert_int_eq(sscanf(at, " (b'', b'%63[^']'", group), 1);
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, l->s, 0), (int)strlen(text));
    ck_assert_mem_eq(sifr_msg_data(&m), text, strlen(text));
    ck_assert_str_eq(sifr_msg_group(&m), group);
    sifr_msg_close(&m);
}

/* "send ..: errno N": what has to fail, and how. */
static void fail_action(struct live *l, const char *at)
{
    int flags = strstr(at, "SNDMORE") ? SIFR_SNDMORE : 0;

    ck_fails(send_to(l, l->number ? l->number + 1 : 0, "x", 1, flags), atoi(strstr(at, "errno ") + 6));
}

static void send_action(struct live *l, const char *at)
{
    static uint8_t part[STREAM_MAX], after[STREAM_MAX];
    size_t size, next = 0;
    bool first = true;

    at = read_part(at, part, &size);
    ck_assert_ptr_nonnull(at);
    while (at) {
        at = read_part(at, after, &next);
        if (l->type == SIFR_ROUTER && first && size > 0 &&
            part[0] == 0) { /* an id of chance: we have another */
            memcpy(part, l->id, l->id_size);
            size = l->id_size;
        }
        if (first && l->t->option == SIFR_ROUTER_MANDATORY) /* there as soon as the peer is */
            eventually(sifr_send(l->s, part, size, SIFR_SNDMORE) >= 0);
        else
            ck_assert_int_eq(send_to(l, l->number, part, size, at ? SIFR_SNDMORE : 0), (int)size);
        first = false;
        memcpy(part, after, next);
        size = next;
    }
}

static void recv_action(struct live *l, const char *at)
{
    static uint8_t part[STREAM_MAX], got[STREAM_MAX];
    bool first = true;
    size_t size;
    sifr_msg_t m;
    int n;

    if (strstr(at, "nothing")) {
        for (int i = talk.app_next + 1; i < talk.app_count; i++)
            if (strncmp(talk.app[i], "receives", 8) == 0)
                return; /* in between, but the rest has been said by now: that shows it as well */
        recv_nothing(l->s);
        return;
    }
    if (strchr(at, '(') && strchr(at, '(') < strchr(at, '"'))
        at = strchr(at, ')') + 1;
    while ((at = read_part(at, part, &size))) {
        sifr_msg_init(&m);
        n = sifr_msg_recv(&m, l->s, 0);
        ck_assert_msg(n >= 0, "%s: %s: nothing received", l->t->name, next_action());
        memcpy(got, sifr_msg_data(&m), (size_t)n);
        l->number = sifr_msg_routing_id(&m);
        ck_assert_int_eq(l->number != 0, l->type == SIFR_SERVER || l->type == SIFR_PEER);
        sifr_msg_close(&m);
        if (l->type == SIFR_ROUTER && first) {
            memcpy(l->id, got, (size_t)n);
            l->id_size = (size_t)n;
        }
        if (!(l->type == SIFR_ROUTER && first && (size == 0 || part[0] == 0)))
            ck_assert_msg((size_t)n == size && memcmp(part, got, size) == 0,
                          "%s: %s: %d octets, '%.*s'", l->t->name, next_action(), n, n,
                          (char *)got);
        first = false;
        ck_assert_msg(get_int(l->s, SIFR_RCVMORE) == (*(at + strspn(at, " ")) == '|'),
                      "%s: %s: parts", l->t->name, next_action());
    }
}

static void act(struct live *l)
{
    static uint8_t topic[STREAM_MAX];
    const char *a = next_action(), *at = a + strcspn(a, " ");
    size_t size;

    if (is_action("sends") && strstr(at, "in group")) {
        send_to_group(l, at);
    } else if (is_action("receives (b'")) {
        recv_of_group(l, at);
    } else if (is_action("joins") || is_action("leaves")) {
        ck_assert_ptr_nonnull(read_part(at, topic, &size));
        topic[size] = 0;
        ck_works((*a == 'j' ? sifr_join : sifr_leave)(l->s, (char *)topic));
    } else if (is_action("sends")) {
        send_action(l, at);
    } else if (is_action("send ")) {
        fail_action(l, at);
    } else if (is_action("receives")) {
        recv_action(l, at);
    } else if (is_action("subscribes") || is_action("unsubscribes")) {
        if (strchr(at, '('))
            at = strchr(at, ')') + 1;
        ck_assert_ptr_nonnull(read_part(at, topic, &size));
        ck_works(sifr_setsockopt(l->s, *a == 's' ? SIFR_SUBSCRIBE : SIFR_UNSUBSCRIBE, topic, size));
    } else {
        ck_abort_msg("%s: what is '%s'?", l->t->name, a);
    }
    talk.app_next++;
}

/* ---- The side that is played --------------------------------------------------------------------------------- */

#define MARK_PING "\4\xe\4PING\0\0barrier"
#define MARK_PONG "\4\xc\4PONGbarrier"

/* Takes over the whole frames of what was heard, and tells whether an answer to MARK_PING was among them. */
static bool sort(struct live *l)
{
    bool marked = false;
    size_t at = 0;

    if (!l->traffic || l->version == 1) {
        memcpy(l->heard + l->n_heard, l->raw, l->n_raw);
        l->n_heard += l->n_raw;
        l->n_raw = 0;
        return false;
    }
    while (at < l->n_raw) {
        struct sf_frame f;
        int header = sf_frame_get(&f, l->raw + at, l->n_raw - at);
        size_t size;

        if (header == -EAGAIN)
            break;
        ck_assert_int_gt(header, 0);
        size = (size_t)header + f.size;
        if (l->n_raw - at < size)
            break;
        if (size == sizeof MARK_PONG - 1 && memcmp(l->raw + at, MARK_PONG, size) == 0) {
            marked = true;
        } else {
            memcpy(l->heard + l->n_heard, l->raw + at, size);
            l->n_heard += size;
        }
        at += size;
    }
    memmove(l->raw, l->raw + at, l->n_raw - at);
    l->n_raw -= at;
    return marked;
}

/* Reads once: 1 got some, 2 a mark too, 0 the end. */
static int listen_on(struct live *l)
{
    ssize_t n = recv(l->fd, l->raw + l->n_raw, sizeof l->raw - l->n_raw, 0);

    ck_assert_msg(n >= 0 || errno == ECONNRESET, "%s: %s; heard %zu", l->t->name, strerror(errno),
                  l->n_heard);
    if (n <= 0)
        return 0;
    l->n_raw += (size_t)n;
    ck_assert_uint_lt(l->n_heard + l->n_raw, STREAM_MAX);
    return sort(l) ? 2 : 1;
}

static void say(struct live *l, const uint8_t *bytes, size_t size, size_t step)
{
    for (size_t at = 0; at < size; at += step)
        if (send(l->fd, bytes + at, size - at < step ? size - at : step, MSG_NOSIGNAL) < 0)
            return; /* closed already: those tests look for it */
}

/* All that was said so far has been understood, and what that gave rise to has come back. */
static void settle(struct live *l)
{
    if (l->version < 3) {
        if (l->type == SIFR_PUB || l->type == SIFR_XPUB)
            eventually(get_int(l->s, SIFR_TOPICS_COUNT) > 0);
        return;
    }
    for (int i = 0; i < 2;
         i++) { /* the first answer may come before what the socket was just given to send */
        say(l, (const uint8_t *)MARK_PING, sizeof MARK_PING - 1, 100);
        for (int got = 1; got != 2;) {
            got = listen_on(l);
            ck_assert_msg(got > 0, "%s: closed", l->t->name);
        }
    }
}

static bool is_handshake(const struct unit *u)
{
    return strstr(u->comment, "greeting:") || strstr(u->comment, "command READY") ||
           strstr(u->comment, "identity");
}

/* Our side is to have said so much: waits, or has the application do what it takes. */
static void await(struct live *l, const struct unit *u, size_t end)
{
    const uint8_t *body = u->bytes + (l->version > 1 && (u->bytes[0] & SF_FRAME_LONG) ? 9 : 2);
    size_t size = u->size - (size_t)(body - u->bytes);
    bool message = l->traffic && !strstr(u->comment, "command") && u->size > 0;
    bool spoken = message && (l->type == SIFR_PUB || l->type == SIFR_XPUB);

    while (l->n_heard < end) {
        if (l->traffic)
            settle(l);
        if (l->n_heard >= end)
            break;
        if (l->traffic && next_action() && !strstr(u->comment, "command PONG") &&
            !(l->version < 3 && l->type == SIFR_SUB && *body == 1)) { /* which it says by itself */
            bool sends = is_action("sends"),
                 shown = !spoken || (sends && first_part_is(body, size));

            act(l);
            if (!sends || !shown || l->version == 3)
                continue;
        }
        ck_assert_msg(listen_on(l) > 0, "%s: closed before %s", l->t->name, u->comment);
    }
}

static void compare(const struct live *l, const uint8_t *expected, size_t size)
{
    size_t n = l->n_heard < size ? l->n_heard : size, i = 0;

    while (i < n && l->heard[i] == expected[i])
        i++;
    ck_assert_msg(i == n, "%s, %c: octet %zu of %zu is %02x instead of %02x", l->t->name,
                  l->t->side, i, size, l->heard[i], expected[i]);
}

static int played_version(void)
{
    size_t n = 0;
    uint8_t first[11];

    for (int i = 0; i < talk.count && n < sizeof first; i++)
        for (size_t k = 0; !talk.units[i].ours && k < talk.units[i].size && n < sizeof first; k++)
            first[n++] = talk.units[i].bytes[k];
    if (n < 10 || first[0] != 0xff || !(first[9] & 1))
        return 1;
    return n == 10 || first[10] > 1 ? 3 : first[10] == 1 ? 2 : 1;
}

static void play(struct live *l, size_t step)
{
    static uint8_t expected[STREAM_MAX];
    const struct talk *t = l->t;
    size_t n_expected = 0;
    bool identified[2] = {false, false};
    int shaken = 0; /* units that belong to the handshake, on both sides */

    l->version = played_version();
    for (int i = 0; i < talk.count && l->version < 3; i++) {
        if (strstr(talk.units[i].comment, "long-form identity"))
            identified[talk.units[i].ours] = true;
    }
    for (int i = 0; i < talk.count; i++) {
        const struct unit *u = &talk.units[i];
        bool shakes = is_handshake(u);

        if (l->version < 3 && !shakes && !identified[u->ours])
            shakes = identified[u->ours] = true; /* before 3.0 the first frame is the identity */
        if (shakes)
            shaken = i + 1;
    }
    for (int i = 0; i < talk.count; i++) {
        const struct unit *u = &talk.units[i];

        if (i == shaken && !(t->flags & CLOSES)) { /* traffic begins */
            while (l->n_heard < n_expected)
                ck_assert_msg(listen_on(l) > 0, "%s: closed in the handshake", t->name);
            compare(l, expected, n_expected);
            l->n_raw = l->n_heard - n_expected; /* what came early */
            memmove(l->raw, l->heard + n_expected, l->n_raw);
            l->n_heard = n_expected;
            l->traffic = true;
            sort(l);
        }
        if (!u->ours) {
            while (l->traffic && next_action() && strstr(next_action(), "no member yet"))
                act(l);
            say(l, u->bytes, u->size, step);
            continue;
        }
        memcpy(expected + n_expected, u->bytes, u->size);
        n_expected += u->size;
        if (i >= shaken && !(t->flags & CLOSES))
            await(l, u, n_expected);
        else if ((t->flags & CLOSES) && is_action("sends") && strstr(u->comment, "message"))
            for (act(l); l->n_heard < n_expected;)
                ck_assert_msg(listen_on(l) > 0, "%s: closed before %s", t->name, u->comment);
    }
    if (t->flags & CLOSES) {
        while (listen_on(l) > 0)
            ;
        ck_assert_msg(l->n_heard >= n_expected, "%s, %c: %zu octets instead of %zu", t->name,
                      t->side, l->n_heard, n_expected);
        compare(l, expected, n_expected);
        while (is_action("receives") && !strstr(next_action(), "ok") &&
               !strstr(next_action(), "\"hi\"") && !strstr(next_action(), "wrong type"))
            act(l); /* what came before the breach */
        return;
    }
    if (t->flags & OTHER_ENDS) {
        while (l->n_heard < n_expected)
            ck_assert_msg(listen_on(l) > 0, "%s: closed", t->name);
        compare(l, expected, n_expected);
        return;
    }
    if (!l->traffic) { /* the handshake was all */
        while (l->n_heard < n_expected)
            ck_assert_msg(listen_on(l) > 0, "%s: closed in the handshake", t->name);
        compare(l, expected, n_expected);
        l->n_raw = l->n_heard - n_expected;
        memmove(l->raw, l->heard + n_expected, l->n_raw);
        l->n_heard = n_expected;
        l->traffic = true;
    }
    if (l->version < 3 && l->type == SIFR_PUB &&
        next_action()) /* its last subscription is cancelled */
        eventually(get_int(l->s, SIFR_TOPICS_COUNT) == 0);
    while (l->version < 3 && next_action())
        act(l);
    if (l->version == 3)
        settle(l);
    while (next_action()) {
        act(l);
        settle(l);
    }
    ck_assert_msg(l->n_heard == n_expected && l->n_raw == 0,
                  "%s, %c: %zu octets (and %zu) instead of %zu", t->name, t->side, l->n_heard,
                  l->n_raw, n_expected);
    compare(l, expected, n_expected);
}

/* ---- Tests --------------------------------------------------------------------------------------------------- */

static void prepare(struct live *l)
{
    const struct talk *t = l->t;

    l->type = type_of(talk.type[t->side == 'S']);
    l->s = new_socket(l->type);
    if (t->id)
        set_text(l->s, SIFR_ROUTING_ID, t->id);
    if (t->flags & JOINED_A)
        ck_works(sifr_join(l->s, "a"));
    if (t->flags & JOINED_B)
        ck_works(sifr_join(l->s, "b"));
    if (strcmp(t->name, "null-metadata") == 0)
        set_text(l->s, SIFR_METADATA, "X-key:some value");
    if (strcmp(t->name, "heartbeat-timeout") == 0) {
        set_int(l->s, SIFR_HEARTBEAT_IVL, 100);
        set_int(l->s, SIFR_HEARTBEAT_TIMEOUT, 150);
        set_int(l->s, SIFR_HEARTBEAT_TTL, 1000);
    }
    if (t->option == SIFR_MAXMSGSIZE)
        ck_works(sifr_setsockopt(l->s, SIFR_MAXMSGSIZE, &(int64_t){t->value}, sizeof(int64_t)));
    else if (t->option)
        set_int(l->s, t->option, t->value);
    if (t->flags & TOP_BEFORE)
        set_text(l->s, SIFR_SUBSCRIBE, "top");
    for (const char *c = "xyx"; (t->flags & PRE_SUBSCRIBED) && *c; c++)
        ck_works(sifr_setsockopt(l->s, SIFR_SUBSCRIBE, c, 1));
}

static void test_talk(int i, size_t step)
{
    struct live *l = calloc(1, sizeof *l);
    struct sockaddr_in a = own_address(0);
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    socklen_t size = sizeof a;
    struct endpoint e;
    int fd, on = 1;

    ck_assert_ptr_nonnull(l);
    l->t = &talks[i];
    read_talk(l->t);
    prepare(l);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->t->side == 'S') {
        e = bind_fresh(l->s, TCP);
        a.sin_port = htons((uint16_t)atoi(strrchr(e.text, ':') + 1));
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
        l->fd = fd;
    } else {
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
        ck_assert_int_eq(listen(fd, 1), 0);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &size), 0);
        snprintf(e.text, sizeof e.text, "tcp://%s:%d", own_host(), ntohs(a.sin_port));
        connect_to(l->s, &e);
        l->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        ck_assert_int_ge(l->fd, 0);
        close(fd);
    }
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    play(l, step);
    close(l->fd);
    drop(l->s);
    forget_talk();
    free(l);
}

START_TEST(a_side_says_what_was_recorded)
{
    test_talk(_i, STREAM_MAX);
}
END_TEST

START_TEST(and_says_it_too_when_the_other_speaks_octet_by_octet)
{
    test_talk(_i, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("captures");
    TCase *c = new_case(s, "talks");

    tcase_add_loop_test(c, a_side_says_what_was_recorded, 0, COUNT(talks));
    tcase_add_loop_test(c, and_says_it_too_when_the_other_speaks_octet_by_octet, 0, COUNT(talks));
    return run_suite(s);
}
