/*
 * ZAP handlers that are slow, dead, or lie, met by connections of every mechanism: handshakes end, those who are in are
 * served, and nothing waits for a handler at the end.
 */
#include "hostile.h"

static const int servers[] = {0, 1, 3}; /* kinds that ask */

static void open_plain_world(void)
{
    open_world();
    ck_assert_int_ge(sodium_init(), 0);
    crypto_box_keypair(server_key.public, server_key.secret);
    crypto_box_keypair(friend_key.public, friend_key.secret);
}

/* ---- The handler ------------------------------------------------------------------------------------------------- */

/* Whom to answer. */
struct asker {
    uint8_t id[64];
    size_t size;
};

static sifr_socket_t *new_router(void)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER);

    ck_works(sifr_bind(router, "inproc://zeromq.zap.01"));
    return router;
}

static struct asker next_question(sifr_socket_t *router)
{
    struct asker a;
    int n = sifr_recv(router, a.id, sizeof a.id, 0);

    ck_assert_msg(n > 0, "no question: %s", strerror(errno));
    a.size = (size_t)n;
    while (get_int(router, SIFR_RCVMORE))
        ck_assert_int_ge(sifr_recv(router, NULL, 0, 0), 0);
    return a;
}

struct part {
    const void *bytes;
    size_t n;
};

/* The frames of a reply behind the id. */
static void say_reply(sifr_socket_t *router, const struct asker *a, const struct part *parts, int count)
{
    send_bytes(router, a->id, a->size, SIFR_SNDMORE);
    for (int i = 0; i < count; i++)
        send_bytes(router, parts[i].bytes, parts[i].n, i + 1 < count ? SIFR_SNDMORE : 0);
}

#define PART(text) {text, sizeof text - 1}

static void say_status(sifr_socket_t *router, const struct asker *a, const char *status)
{
    struct part parts[] = {PART(""), PART("1.0"), PART("1"), {status, 3}, PART(""), PART(""), PART("")};

    say_reply(router, a, parts, COUNT(parts));
}

/* ---- The server, somebody who is in, and those who ask to come in ------------------------------------------------ */

static struct scene open_zap_scene(int kind, sifr_socket_t *router, int handshake_ms)
{
    struct scene s = {.mechanism = kinds[kind].mechanism, .server = true};
    struct asker a;

    s.victim = new_socket(SIFR_PULL);
    s.friend = new_socket(SIFR_PUSH);
    arm(s.victim, s.mechanism, true);
    arm(s.friend, s.mechanism, false);
    set_int(s.victim, SIFR_HANDSHAKE_IVL, handshake_ms);
    s.at[0] = bind_fresh(s.victim, TCP);
    s.at[1] = bind_fresh(s.victim, IPC);
    connect_to(s.friend, &s.at[0]);
    a = next_question(router);
    say_status(router, &a, "200");
    exchange(&s);
    s.monitor = watch(s.victim);
    return s;
}

/* Goes up to where the handler is asked. */
static struct foe ask_to_come_in(struct scene *s, int transport)
{
    struct foe f = foe_to(&s->at[transport], s->mechanism, false);
    enum step step = s->mechanism == SIFR_CURVE ? SECOND : FIRST;

    foe_reach(&f, step);
    if (s->mechanism != SIFR_NULL)
        foe_say(&f, step);
    return f;
}

/* The handler has said 200. */
static void go_in(struct scene *s, struct foe *f)
{
    switch (s->mechanism) {
    case SIFR_NULL:
        foe_say(f, FIRST);
        foe_hear(f, TRAFFIC);
        break;
    case SIFR_PLAIN:
        foe_hear(f, SECOND);
        foe_go(f, SECOND, TRAFFIC);
        break;
    default: foe_hear(f, TRAFFIC); break;
    }
    foe_say(f, TRAFFIC);
    recv_text(s->victim, "harm", false);
}

/* Somebody asks, is let in, and goes. */
static void one_comes_in(struct scene *s, sifr_socket_t *router)
{
    struct foe f = ask_to_come_in(s, IPC);
    struct asker a = next_question(router);

    say_status(router, &a, "200");
    go_in(s, &f);
    close(f.fd);
    expect_accepted_end(s, "comes in", true, SILENT);
    exchange(s);
}

/* ---- Lies -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct part parts[12];
    int count;
    uint32_t error;
} lies[] = {
    {"nothing", {PART("")}, 1, PROTOCOL(ZAP_MALFORMED_REPLY)},
    {"too few frames", {PART(""), PART("1.0"), PART("1"), PART("200"), PART(""), PART("")}, 6,
     PROTOCOL(ZAP_MALFORMED_REPLY)},
    {"a frame too many", {PART(""), PART("1.0"), PART("1"), PART("200"), PART(""), PART(""), PART(""), PART("")}, 8,
     PROTOCOL(ZAP_MALFORMED_REPLY)},
    {"no delimiter", {PART("x"), PART("1.0"), PART("1"), PART("200"), PART(""), PART(""), PART("")}, 7,
     PROTOCOL(ZAP_UNSPECIFIED)},
    {"version 2.0", {PART(""), PART("2.0"), PART("1"), PART("200"), PART(""), PART(""), PART("")}, 7,
     PROTOCOL(ZAP_BAD_VERSION)},
    {"no version", {PART(""), PART(""), PART("1"), PART("200"), PART(""), PART(""), PART("")}, 7,
     PROTOCOL(ZAP_BAD_VERSION)},
    {"another's request", {PART(""), PART("1.0"), PART("2"), PART("200"), PART(""), PART(""), PART("")}, 7,
     PROTOCOL(ZAP_BAD_REQUEST_ID)},
    {"no request", {PART(""), PART("1.0"), PART(""), PART("200"), PART(""), PART(""), PART("")}, 7,
     PROTOCOL(ZAP_BAD_REQUEST_ID)},
    {"status 100", {PART(""), PART("1.0"), PART("1"), PART("100"), PART(""), PART(""), PART("")}, 7,
     PROTOCOL(ZAP_INVALID_STATUS_CODE)},
    {"status 600", {PART(""), PART("1.0"), PART("1"), PART("600"), PART(""), PART(""), PART("")}, 7,
     PROTOCOL(ZAP_INVALID_STATUS_CODE)},
    {"status 2000", {PART(""), PART("1.0"), PART("1"), PART("2000"), PART(""), PART(""), PART("")}, 7,
     PROTOCOL(ZAP_INVALID_STATUS_CODE)},
    {"status 200 and a zero", {PART(""), PART("1.0"), PART("1"), PART("200\0"), PART(""), PART(""), PART("")}, 7,
     PROTOCOL(ZAP_INVALID_STATUS_CODE)},
    {"no status", {PART(""), PART("1.0"), PART("1"), PART(""), PART(""), PART(""), PART("")}, 7,
     PROTOCOL(ZAP_INVALID_STATUS_CODE)},
    {"metadata cut", {PART(""), PART("1.0"), PART("1"), PART("200"), PART(""), PART(""), PART("\1x\0\0\0\5four")}, 7,
     PROTOCOL(ZAP_INVALID_METADATA)},
    {"metadata of 4 GiB",
     {PART(""), PART("1.0"), PART("1"), PART("200"), PART(""), PART(""), PART("\1x\xff\xff\xff\xff")},
     7, PROTOCOL(ZAP_INVALID_METADATA)},
    {"metadata without name", {PART(""), PART("1.0"), PART("1"), PART("200"), PART(""), PART(""), PART("\0\0\0\0\1x")},
     7, PROTOCOL(ZAP_INVALID_METADATA)},
    {"metadata with more",
     {PART(""), PART("1.0"), PART("1"), PART("200"), PART(""), PART(""), PART("\1x\0\0\0\1y!")},
     7, PROTOCOL(ZAP_INVALID_METADATA)},
    {"status 400", {PART(""), PART("1.0"), PART("1"), PART("400"), PART(""), PART(""), PART("")}, 7, 400},
    {"status 500", {PART(""), PART("1.0"), PART("1"), PART("500"), PART(""), PART(""), PART("")}, 7, 500},
    {"status 300", {PART(""), PART("1.0"), PART("1"), PART("300"), PART(""), PART(""), PART("")}, 7, 300},
};

/* The peer is told no more than a status, and of a lie nothing at all. */
START_TEST(a_lie_lets_nobody_in_and_is_reported)
{
    sifr_socket_t *router = new_router();
    struct scene s = open_zap_scene(servers[_i], router, 30000);

    for (int i = 0; i < COUNT(lies); i++) {
        struct foe f = ask_to_come_in(&s, i % 2);
        struct asker a = next_question(router);
        uint8_t heard[512];
        size_t n = 0;
        ssize_t got;

        say_reply(router, &a, lies[i].parts, lies[i].count);
        while ((got = recv(f.fd, heard + n, sizeof heard - n, 0)) > 0)
            n += (size_t)got;
        ck_assert_msg(got == 0 || errno == ECONNRESET, "%s: it goes on", lies[i].name);
        ck_assert_msg(n == (lies[i].error == 400 || lies[i].error == 500 ? 12 : 0), "%s: %zu octets", lies[i].name, n);
        if (n)
            ck_assert_mem_eq(heard, "\4\12\5ERROR\3", 9);
        close(f.fd);
        expect_accepted_end(&s, lies[i].name, false, lies[i].error);
        exchange(&s);
    }
    one_comes_in(&s, router);
}
END_TEST

/* What a handler says at length is its own affair: it counts, or is no metadata. */
START_TEST(long_answers_are_read)
{
    enum { LONG = 1 << 20 };
    sifr_socket_t *router = new_router();
    struct scene s = open_zap_scene(servers[_i], router, 30000);
    uint8_t *metadata = calloc(1, 2 * LONG), *text = malloc(LONG);
    struct part parts[] = {PART(""), PART("1.0"), PART("1"), PART("200"), {text, LONG}, {text, LONG}, {metadata, 0}};
    struct asker a;
    struct foe f;
    sifr_msg_t m;

    ck_assert(metadata && text);
    memset(text, 't', LONG);
    parts[6].n = put_property(metadata, "Long", text, LONG);
    for (int i = 0; i < 10000; i++)
        parts[6].n += put_property(metadata + parts[6].n, "Many", "x", 1);
    f = ask_to_come_in(&s, TCP);
    a = next_question(router);
    say_reply(router, &a, parts, COUNT(parts));
    if (s.mechanism == SIFR_NULL)
        foe_say(&f, FIRST);
    if (s.mechanism == SIFR_PLAIN) {
        foe_hear(&f, SECOND);
        foe_say(&f, SECOND);
    }
    foe_hear(&f, TRAFFIC);
    foe_say(&f, TRAFFIC);
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, s.victim, 0), 4);
    ck_assert_uint_eq(strlen(sifr_msg_gets(&m, "User-Id")), LONG);
    ck_assert_uint_eq(strlen(sifr_msg_gets(&m, "Long")), LONG);
    ck_assert_str_eq(sifr_msg_gets(&m, "Many"), "x");
    sifr_msg_close(&m);
    close(f.fd);
    expect_accepted_end(&s, "long", true, SILENT);

    memset(metadata, 0xff, 2 * LONG);
    parts[6].n = 2 * LONG;
    f = ask_to_come_in(&s, IPC);
    a = next_question(router);
    say_reply(router, &a, parts, COUNT(parts));
    raw_expect_end(f.fd);
    close(f.fd);
    expect_accepted_end(&s, "long nonsense", false, PROTOCOL(ZAP_INVALID_METADATA));
    one_comes_in(&s, router);
    free(metadata);
    free(text);
}
END_TEST

START_TEST(a_reply_of_very_many_frames_is_none)
{
    sifr_socket_t *router = new_router();
    struct scene s = open_zap_scene(servers[_i], router, 30000);
    static struct part parts[5000];
    struct foe f = ask_to_come_in(&s, TCP);
    struct asker a = next_question(router);

    for (int i = 0; i < COUNT(parts); i++)
        parts[i] = (struct part){"200", i ? 3 : 0};
    say_reply(router, &a, parts, COUNT(parts));
    raw_expect_end(f.fd);
    close(f.fd);
    expect_accepted_end(&s, "very many", false, PROTOCOL(ZAP_MALFORMED_REPLY));
    one_comes_in(&s, router);
}
END_TEST

/* The second is to nobody, and an answer to somebody unknown as well. */
START_TEST(answers_twice_and_to_nobody_change_nothing)
{
    sifr_socket_t *router = new_router();
    struct scene s = open_zap_scene(servers[_i], router, 30000);
    struct foe f = ask_to_come_in(&s, TCP), other = ask_to_come_in(&s, IPC);
    struct asker a = next_question(router), b = next_question(router), nobody = {"\0nobody", 7};

    say_status(router, &nobody, "400");
    say_status(router, &a, "200");
    say_status(router, &a, "400");
    say_status(router, &b, "400");
    say_status(router, &b, "200");
    say_status(router, &nobody, "200");
    for (int left = 2, in = 0; left > 0; left--) {
        struct pollfd p[2] = {{.fd = f.fd, .events = POLLIN}, {.fd = other.fd, .events = POLLIN}};
        struct foe *which;
        uint8_t head[2] = {0};

        ck_assert_int_ge(poll(p, 2, WAIT_MS), 1);
        which = p[0].revents ? &f : &other;
        ck_assert_int_eq(recv(which->fd, head, 2, MSG_PEEK | MSG_WAITALL), 2);
        if (head[1] == 10) { /* ERROR */
            raw_expect_end(which->fd);
        } else {
            go_in(&s, which);
            in++;
        }
        close(which->fd);
        which->fd = -1;
        ck_assert(left > 1 || in == 1);
    }
    for (int gone = 0; gone < 2;)
        gone += next_event(&s, "twice").number == SIFR_EVENT_DISCONNECTED;
    one_comes_in(&s, router);
}
END_TEST

/* ---- Slow, and dead ---------------------------------------------------------------------------------------------- */

START_TEST(the_handshakes_time_bounds_a_slow_handler)
{
    sifr_socket_t *router = new_router();
    struct scene s = open_zap_scene(servers[_i], router, 200);
    struct asker late[4];

    for (int i = 0; i < COUNT(late); i++) {
        struct foe f = ask_to_come_in(&s, i % 2);

        late[i] = next_question(router);
        raw_expect_end(f.fd);
        close(f.fd);
        expect_accepted_end(&s, "slow", false, TIMED_OUT);
        exchange(&s);
    }
    for (int i = 0; i < COUNT(late); i++)
        say_status(router, &late[i], "200"); /* for nobody */
    set_int(s.victim, SIFR_HANDSHAKE_IVL, 30000);
    s.at[1] = bind_fresh(s.victim, IPC); /* of those who come here that is the time */
    one_comes_in(&s, router);
}
END_TEST

/* It goes before it has read the question, behind that, or in the midst of its answer. */
START_TEST(a_handler_that_dies_is_no_answer)
{
    int how = _i % 3;
    sifr_socket_t *router = new_router();
    struct scene s = open_zap_scene(servers[_i / 3], router, 30000);
    struct foe f = ask_to_come_in(&s, TCP);

    if (how == 0) {
        ck_assert(readable(router));
    } else {
        struct asker a = next_question(router);

        if (how == 2) {
            send_bytes(router, a.id, a.size, SIFR_SNDMORE);
            send_parts(router, "", "1.0", "1", "200");
        }
    }
    if (how == 2) { /* what it has said is too little */
        raw_expect_end(f.fd);
        close(f.fd);
        expect_accepted_end(&s, "half an answer", false, PROTOCOL(ZAP_MALFORMED_REPLY));
        drop(router);
    } else {
        drop(router);
        raw_expect_end(f.fd);
        close(f.fd);
        expect_accepted_end(&s, "dead", false, LOST);
    }
    exchange(&s);
    router = new_router(); /* the next one */
    one_comes_in(&s, router);
}
END_TEST

/* Frames of an answer that never ends: it is none until then. */
START_TEST(an_answer_without_end_is_bounded_by_the_handshakes_time)
{
    sifr_socket_t *router = new_router();
    struct scene s = open_zap_scene(servers[_i], router, 200);
    struct foe f = ask_to_come_in(&s, TCP);
    struct asker a = next_question(router);

    send_bytes(router, a.id, a.size, SIFR_SNDMORE);
    send_text(router, "", SIFR_SNDMORE);
    for (int i = 0; i < 100; i++)
        send_text(router, "200", SIFR_SNDMORE);
    raw_expect_end(f.fd);
    close(f.fd);
    expect_accepted_end(&s, "without end", false, TIMED_OUT);
    send_text(router, "end", 0);
    exchange(&s);
}
END_TEST

enum { CROWD = SLOW ? 100 : 300 };

/* More than may be asked at a time; some go meanwhile, some are refused. */
START_TEST(a_crowd_before_a_slow_handler_is_served_in_the_end)
{
    sifr_socket_t *router = new_router();
    struct scene s = open_zap_scene(servers[_i], router, 60000);
    static struct foe foes[CROWD];
    int asked = 0, refused = 0, gone = 0;

    for (int i = 0; i < CROWD; i++) {
        foes[i] = ask_to_come_in(&s, i % 2);
        if (i % 3 == 0) {
            close(foes[i].fd); /* which is noticed when it is answered */
            foes[i].fd = -1;
        }
    }
    exchange(&s);
    for (; asked < CROWD; asked++) {
        struct asker a = next_question(router);

        say_status(router, &a, "400");
    }
    for (int i = 0; i < CROWD; i++) {
        if (foes[i].fd < 0)
            continue;
        raw_expect_end(foes[i].fd);
        close(foes[i].fd);
    }
    while (gone < CROWD) {
        struct event e = next_event(&s, "crowd");

        ck_assert_uint_ne(e.number, SIFR_EVENT_HANDSHAKE_SUCCEEDED);
        refused += e.number == SIFR_EVENT_HANDSHAKE_FAILED_AUTH;
        gone += e.number == SIFR_EVENT_DISCONNECTED;
    }
    ck_assert_int_eq(refused, CROWD);
    one_comes_in(&s, router);
}
END_TEST

static void *sit_in_recv(void *arg)
{
    ck_fails(sifr_recv(arg, NULL, 0, 0), SIFR_ETERM);
    return NULL;
}

/* With questions read, unread, and waiting: neither close nor term waits for an answer. */
START_TEST(the_end_does_not_wait_for_a_handler)
{
    sifr_socket_t *router = new_router(), *waits = new_socket(SIFR_PULL);
    struct scene s = open_zap_scene(servers[_i], router, 60000);
    static struct foe foes[CROWD];
    pthread_t sits;
    int forever = -1;

    for (int i = 0; i < CROWD; i++)
        foes[i] = ask_to_come_in(&s, i % 2);
    for (int i = 0; i < 10; i++)
        next_question(router);
    ck_works(sifr_setsockopt(waits, SIFR_RCVTIMEO, &forever, sizeof forever));
    sits = start_thread(sit_in_recv, waits);
    ck_works(sifr_ctx_shutdown(world.ctx));
    pthread_join(sits, NULL);
    for (int i = 0; i < CROWD; i++)
        raw_expect_end(foes[i].fd);
    for (int i = 0; i < CROWD; i++)
        close(foes[i].fd);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hostile handlers");
    TCase *c = tcase_create("lies");

    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_plain_world, close_world);
    suite_add_tcase(s, c);
    tcase_add_loop_test(c, a_lie_lets_nobody_in_and_is_reported, 0, 3);
    tcase_add_loop_test(c, long_answers_are_read, 0, 3);
    tcase_add_loop_test(c, a_reply_of_very_many_frames_is_none, 0, 3);
    tcase_add_loop_test(c, answers_twice_and_to_nobody_change_nothing, 0, 3);
    c = tcase_create("slow and dead");
    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_plain_world, close_world);
    suite_add_tcase(s, c);
    tcase_add_loop_test(c, the_handshakes_time_bounds_a_slow_handler, 0, 3);
    tcase_add_loop_test(c, a_handler_that_dies_is_no_answer, 0, 9);
    tcase_add_loop_test(c, an_answer_without_end_is_bounded_by_the_handshakes_time, 0, 3);
    tcase_add_loop_test(c, a_crowd_before_a_slow_handler_is_served_in_the_end, 0, 3);
    tcase_add_loop_test(c, the_end_does_not_wait_for_a_handler, 0, 3);
    return run_suite(s);
}
