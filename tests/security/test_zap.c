/* Questions to a ZAP handler: what it sees, what becomes of each answer, and of none. */
#include "support.h"
#include "io/on_loop.h"

#include "base/alloc.h"
#include "core/ctx.h"
#include "security/zap.h"

enum { MANY = SF_ZAP_QUEUES + 100 };

/* A question that a test asks, and what it was answered. */
struct question {
    struct sf_zap zap;
    struct sf_zap_request request;
    int result; /* of asking */
    _Atomic int answers;
    int err, status;
    uint32_t error;
    char text[64], user[64], metadata[64];
    size_t metadata_size;
};

static void copy_text(char *to, struct sf_zap_bytes from)
{
    ck_assert_uint_lt(from.size, 64);
    if (from.size)
        memcpy(to, from.data, from.size);
    to[from.size] = 0;
}

static void note_answer(struct sf_zap *z, const struct sf_zap_answer *a)
{
    struct question *q = SF_CONTAINER(z, struct question, zap);

    ck_assert(!sf_zap_asking(z));
    q->err = a->err;
    q->error = a->error;
    q->status = a->status;
    if (a->err == 0) {
        copy_text(q->text, a->text);
        copy_text(q->user, a->user);
        copy_text(q->metadata, a->metadata);
        q->metadata_size = a->metadata.size;
    }
    atomic_fetch_add(&q->answers, 1);
}

static struct sf_zap_bytes bytes(const char *text)
{
    return (struct sf_zap_bytes){text, strlen(text)};
}

/* PLAIN, from a socket without a routing id. */
static struct question plain_question(const char *password)
{
    return (struct question){
        .zap.answered = note_answer,
        .request = {.domain = bytes("global"), .address = bytes("127.0.0.1"), .mechanism = "PLAIN",
                    .credentials = {bytes("admin"), bytes(password)}, .n_credentials = 2},
    };
}

static void ask_here(struct sf_loop *l, void *arg)
{
    struct question *q = arg;

    q->result = sf_zap_ask(&q->zap, world.ctx, l, &q->request);
}

static void cancel_here(struct sf_loop *l, void *arg)
{
    struct question *q = arg;

    (void)l;
    sf_zap_cancel(&q->zap);
    ck_assert(!sf_zap_asking(&q->zap));
}

static struct sf_loop *loop_of(int i)
{
    ck_assert_uint_gt(world.ctx->n_loops, (size_t)i);
    return world.ctx->loops[i];
}

static int ask(struct question *q)
{
    test_on_loop(loop_of(0), ask_here, q);
    return q->result;
}

static void cancel(struct question *q)
{
    test_on_loop(loop_of(0), cancel_here, q);
}

static void await(struct question *q)
{
    eventually(atomic_load(&q->answers) > 0);
    test_on_loop(loop_of(0), cancel_here, q); /* it has nothing to cancel, and its callback is over */
    ck_assert_int_eq(q->answers, 1);
}

static sifr_socket_t *new_handler(int type)
{
    sifr_socket_t *s = new_socket(type);

    ck_works(sifr_bind(s, SF_ZAP_ENDPOINT));
    return s;
}

static void expect_question(sifr_socket_t *rep, const char *password)
{
    recv_parts(rep, "1.0", "1", "global", "127.0.0.1", "", "PLAIN", "admin", password);
}

START_TEST(a_rep_sees_the_frames_that_libzmq_sends)
{
    sifr_socket_t *rep = new_handler(SIFR_REP);
    struct question q = plain_question("pw");

    ck_assert_int_eq(ask(&q), 0);
    expect_question(rep, "pw");
    send_parts(rep, "1.0", "1", "200", "OK", "user", "");
    await(&q);
    ck_assert_int_eq(q.err, 0);
    ck_assert_int_eq(q.status, 200);
    ck_assert_str_eq(q.text, "OK");
    ck_assert_str_eq(q.user, "user");
    ck_assert_uint_eq(q.metadata_size, 0);
}
END_TEST

START_TEST(a_router_sees_a_delimiter_and_answers_in_any_order)
{
    sifr_socket_t *router = new_handler(SIFR_ROUTER);
    struct question q[3];
    char id[3][64];
    int size[3];

    for (int i = 0; i < 3; i++) {
        q[i] = plain_question("pw");
        q[i].request.mechanism = "CURVE";
        q[i].request.credentials[0] = bytes("0123456789abcdef0123456789abcdef");
        q[i].request.n_credentials = 1;
        q[i].request.id = bytes(i == 0 ? "first" : "");
        ck_assert_int_eq(ask(&q[i]), 0);
        size[i] = sifr_recv(router, id[i], sizeof id[i], 0);
        ck_assert_int_gt(size[i], 0);
        recv_parts(router, "", "1.0", "1", "global", "127.0.0.1", i == 0 ? "first" : "", "CURVE",
                   "0123456789abcdef0123456789abcdef");
    }
    for (int i = 2; i >= 0; i--) {
        static const char *const status[] = {"300", "400", "500"};

        ck_assert_int_eq(sifr_send(router, id[i], (size_t)size[i], SIFR_SNDMORE), size[i]);
        send_parts(router, "", "1.0", "1", status[i], "", "", "");
        await(&q[i]);
        ck_assert_int_eq(q[i].err, 0);
        ck_assert_int_eq(q[i].status, 300 + 100 * i);
    }
}
END_TEST

START_TEST(a_request_without_credentials_ends_with_its_mechanism)
{
    sifr_socket_t *rep = new_handler(SIFR_REP);
    struct question q = {.zap.answered = note_answer, .request.mechanism = "NULL"};

    ck_assert_int_eq(ask(&q), 0);
    recv_parts(rep, "1.0", "1", "", "", "", "NULL");
    send_parts(rep, "1.0", "1", "400", "no", "", "");
    await(&q);
    ck_assert_int_eq(q.status, 400);
    ck_assert_str_eq(q.text, "no");
}
END_TEST

START_TEST(metadata_comes_as_it_was_sent)
{
    static const char list[] = "\x05Hello\x00\x00\x00\x05World\x01x\x00\x00\x00\x00";
    sifr_socket_t *rep = new_handler(SIFR_REP);
    struct question q = plain_question("pw");

    ck_assert_int_eq(ask(&q), 0);
    expect_question(rep, "pw");
    for (int i = 0; i < 5; i++)
        send_text(rep, ((const char *[]){"1.0", "1", "200", "OK", "user"})[i], SIFR_SNDMORE);
    send_bytes(rep, list, sizeof list - 1, 0);
    await(&q);
    ck_assert_int_eq(q.err, 0);
    ck_assert_uint_eq(q.metadata_size, sizeof list - 1);
    ck_assert_mem_eq(q.metadata, list, sizeof list - 1);
}
END_TEST

/* Replies behind a REP's own delimiter. */
static const struct {
    const char *parts[10];
    uint32_t error;
} bad_replies[] = {
    {{"1.0"}, SIFR_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY},
    {{"1.0", "1", "200", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY},
    {{"1.0", "1", "200", "", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY},
    {{"1.0", "1", "200", "", "", "", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY},
    {{"1.1", "1", "200", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_BAD_VERSION},
    {{"", "1", "200", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_BAD_VERSION},
    {{"1.00", "1", "200", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_BAD_VERSION},
    {{"1.0", "2", "200", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID},
    {{"1.0", "", "200", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID},
    {{"1.0", "11", "200", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID},
    {{"1.0", "1", "20", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE},
    {{"1.0", "1", "2000", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE},
    {{"1.0", "1", "", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE},
    {{"1.0", "1", "100", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE},
    {{"1.0", "1", "600", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE},
    {{"1.0", "1", "201", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE},
    {{"1.0", "1", "210", "", "", ""}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE},
    {{"1.0", "1", "200", "", "", "\x05Hell"}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_METADATA},
    {{"1.0", "1", "200", "", "", "x"}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_METADATA},
    {{"1.0", "1", "400", "", "", "x"}, SIFR_PROTOCOL_ERROR_ZAP_INVALID_METADATA},
};

START_TEST(a_reply_that_cannot_be_read_says_why)
{
    sifr_socket_t *rep = new_handler(SIFR_REP);

    for (int i = 0; i < COUNT(bad_replies); i++) {
        struct question q = plain_question("pw");

        ck_assert_int_eq(ask(&q), 0);
        expect_question(rep, "pw");
        send_parts_at(__LINE__, rep, bad_replies[i].parts);
        await(&q);
        ck_assert_int_eq(q.err, -EPROTO);
        ck_assert_msg(q.error == bad_replies[i].error, "reply %d: %x", i, q.error);
    }
}
END_TEST

START_TEST(a_reply_without_delimiter_is_no_reply)
{
    sifr_socket_t *router = new_handler(SIFR_ROUTER);
    struct question q = plain_question("pw");
    char id[64];
    int size;

    ck_assert_int_eq(ask(&q), 0);
    size = sifr_recv(router, id, sizeof id, 0);
    recv_parts(router, "", "1.0", "1", "global", "127.0.0.1", "", "PLAIN", "admin", "pw");
    ck_assert_int_eq(sifr_send(router, id, (size_t)size, SIFR_SNDMORE), size);
    send_parts(router, "x", "1.0", "1", "200", "", "", "");
    await(&q);
    ck_assert_int_eq(q.err, -EPROTO);
    ck_assert_uint_eq(q.error, SIFR_PROTOCOL_ERROR_ZAP_UNSPECIFIED);
}
END_TEST

START_TEST(a_second_reply_is_nobodys)
{
    sifr_socket_t *router = new_handler(SIFR_ROUTER);
    struct question q[2] = {plain_question("a"), plain_question("b")};
    char id[64];
    int size;

    ck_assert_int_eq(ask(&q[0]), 0);
    size = sifr_recv(router, id, sizeof id, 0);
    recv_parts(router, "", "1.0", "1", "global", "127.0.0.1", "", "PLAIN", "admin", "a");
    for (int i = 0; i < 3; i++) {
        if (sifr_send(router, id, (size_t)size, SIFR_SNDMORE) == size)
            send_parts(router, "", "1.0", "1", "200", "", "", "");
    }
    await(&q[0]);
    ck_assert_int_eq(q[0].status, 200);
    ck_assert_int_eq(ask(&q[1]), 0);
    size = sifr_recv(router, id, sizeof id, 0);
    recv_parts(router, "", "1.0", "1", "global", "127.0.0.1", "", "PLAIN", "admin", "b");
    ck_assert_int_eq(q[1].answers, 0);
    ck_assert_int_eq(sifr_send(router, id, (size_t)size, SIFR_SNDMORE), size);
    send_parts(router, "", "1.0", "1", "400", "", "", "");
    await(&q[1]);
    ck_assert_int_eq(q[1].status, 400);
}
END_TEST

START_TEST(without_a_handler_the_answer_comes_at_once)
{
    sifr_socket_t *rep;
    struct question q = plain_question("pw");

    new_socket(SIFR_PULL);
    ck_assert_int_eq(ask(&q), -ENOENT);
    ck_assert(!sf_zap_asking(&q.zap));
    rep = new_handler(SIFR_REP);
    ck_works(sifr_unbind(rep, SF_ZAP_ENDPOINT));
    ck_assert_int_eq(ask(&q), -ENOENT);
    drop(rep);
    ck_assert_int_eq(ask(&q), -ENOENT);
    rep = new_handler(SIFR_REP);
    ck_assert_int_eq(ask(&q), 0);
    expect_question(rep, "pw");
    send_parts(rep, "1.0", "1", "200", "", "", "");
    await(&q);
    ck_assert_int_eq(q.status, 200);
}
END_TEST

START_TEST(a_handler_that_goes_away_is_an_answer)
{
    for (int read = 0; read < 2; read++) {
        sifr_socket_t *rep = new_handler(SIFR_REP);
        struct question q = plain_question("pw");

        ck_assert_int_eq(ask(&q), 0);
        if (read)
            expect_question(rep, "pw");
        ck_assert_int_eq(q.answers, 0);
        drop(rep);
        await(&q);
        ck_assert_int_eq(q.err, -EPIPE);
    }
}
END_TEST

START_TEST(what_a_handler_said_before_it_went_counts)
{
    for (int i = 0; i < 50; i++) {
        sifr_socket_t *rep = new_handler(SIFR_REP);
        struct question q = plain_question("pw");

        ck_assert_int_eq(ask(&q), 0);
        expect_question(rep, "pw");
        send_parts(rep, "1.0", "1", "200", "", "", "");
        drop(rep);
        await(&q);
        ck_assert_int_eq(q.err, 0);
        ck_assert_int_eq(q.status, 200);
    }
}
END_TEST

START_TEST(a_cancelled_question_is_never_answered)
{
    sifr_socket_t *rep = new_handler(SIFR_REP);

    for (int read = 0; read < 2; read++) {
        struct question *q = calloc(1, sizeof *q), next = plain_question("next");

        *q = plain_question("pw");
        ck_assert_int_eq(ask(q), 0);
        if (read)
            expect_question(rep, "pw");
        cancel(q);
        ck_assert_int_eq(q->answers, 0);
        free(q); /* a sanitizer sees whoever comes back to it */
        if (!read)
            expect_question(rep, "pw");
        send_parts(rep, "1.0", "1", "200", "", "", "");
        ck_assert_int_eq(ask(&next), 0);
        expect_question(rep, "next");
        send_parts(rep, "1.0", "1", "400", "", "", "");
        await(&next);
        ck_assert_int_eq(next.status, 400);
    }
}
END_TEST

/* What has been asked may be cancelled before anybody has asked, too. */
START_TEST(cancelling_nothing_is_harmless)
{
    struct question q = plain_question("pw");

    new_socket(SIFR_PULL);
    cancel(&q);
    cancel(&q);
    ck_assert_int_eq(q.answers, 0);
}
END_TEST

START_TEST(more_questions_than_queues_are_all_answered)
{
    sifr_socket_t *rep = new_handler(SIFR_REP);
    struct question *q = calloc(MANY, sizeof *q);
    char password[MANY][16];

    for (int i = 0; i < MANY; i++) {
        snprintf(password[i], sizeof password[i], "pw%d", i);
        q[i] = plain_question(password[i]);
        ck_assert_int_eq(ask(&q[i]), 0);
    }
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(q[i].answers, 0);
    for (int i = 0; i < MANY; i++) {
        char got[16];
        int size;

        recv_bytes(rep, "1.0", 3, true);
        for (int part = 0; part < 6; part++)
            sifr_recv(rep, got, sizeof got, 0);
        size = sifr_recv(rep, got, sizeof got - 1, 0);
        ck_assert_int_gt(size, 2);
        got[size] = 0;
        ck_assert(!get_int(rep, SIFR_RCVMORE));
        send_parts(rep, "1.0", "1", "200", "", got, "");
    }
    for (int i = 0; i < MANY; i++) {
        await(&q[i]);
        ck_assert_str_eq(q[i].user, password[i]);
    }
    free(q);
}
END_TEST

START_TEST(what_is_asked_and_cancelled_does_not_pile_up_before_a_handler_that_sleeps)
{
    sifr_socket_t *rep = new_handler(SIFR_REP);
    struct question last = plain_question("last");
    int stale = 0;

    for (int i = 0; i < 3 * MANY; i++) {
        struct question q = plain_question("pw");

        ck_assert_int_eq(ask(&q), 0);
        cancel(&q);
        ck_assert_int_eq(q.answers, 0);
    }
    ck_assert_int_eq(ask(&last), 0);
    for (;;) { /* as soon as it wakes, it comes to what is still wanted */
        char got[16];
        int size;

        for (int part = 0; part < 7; part++)
            ck_assert_int_ge(sifr_recv(rep, got, sizeof got, 0), 0);
        size = sifr_recv(rep, got, sizeof got, 0);
        send_parts(rep, "1.0", "1", "200", "", "", "");
        if (size == 4 && memcmp(got, "last", 4) == 0)
            break;
        stale++;
    }
    ck_assert_int_le(stale, SF_ZAP_QUEUES);
    await(&last);
    ck_assert_int_eq(last.status, 200);
}
END_TEST

START_TEST(a_handler_that_reads_and_never_answers_uses_up_no_queue)
{
    sifr_socket_t *router = new_handler(SIFR_ROUTER);
    struct question last = plain_question("last");
    char id[64];
    int size;

    for (int i = 0; i < 3 * MANY; i++) {
        struct question q = plain_question("pw");

        ck_assert_int_eq(ask(&q), 0);
        sifr_recv(router, NULL, 0, 0);
        recv_parts(router, "", "1.0", "1", "global", "127.0.0.1", "", "PLAIN", "admin", "pw");
        cancel(&q);
    }
    ck_assert_int_eq(ask(&last), 0);
    size = sifr_recv(router, id, sizeof id, 0);
    recv_parts(router, "", "1.0", "1", "global", "127.0.0.1", "", "PLAIN", "admin", "last");
    ck_assert_int_eq(sifr_send(router, id, (size_t)size, SIFR_SNDMORE), size);
    send_parts(router, "", "1.0", "1", "200", "", "", "");
    await(&last);
}
END_TEST

START_TEST(those_that_wait_for_a_queue_hear_that_the_handler_went)
{
    sifr_socket_t *rep = new_handler(SIFR_REP);
    struct question *q = calloc(MANY, sizeof *q);

    for (int i = 0; i < MANY; i++) {
        q[i] = plain_question("pw");
        ck_assert_int_eq(ask(&q[i]), 0);
    }
    for (int i = 0; i < MANY; i += 7)
        cancel(&q[i]);
    drop(rep);
    for (int i = 0; i < MANY; i++) {
        if (i % 7) {
            await(&q[i]);
            ck_assert_int_eq(q[i].err, -EPIPE);
        } else {
            ck_assert_int_eq(q[i].answers, 0);
        }
    }
    free(q);
}
END_TEST

START_TEST(questions_take_none_of_the_sockets_a_context_may_have)
{
    sifr_socket_t *rep;
    struct question q[10];

    ck_works(sifr_ctx_set(world.ctx, SIFR_MAX_SOCKETS, 2));
    rep = new_handler(SIFR_REP);
    for (int i = 0; i < COUNT(q); i++) {
        q[i] = plain_question("pw");
        ck_assert_int_eq(ask(&q[i]), 0);
    }
    new_socket(SIFR_PULL);
    ck_fails_null(sifr_socket(world.ctx, SIFR_PULL), EMFILE);
    for (int i = 0; i < COUNT(q); i++) {
        expect_question(rep, "pw");
        send_parts(rep, "1.0", "1", "200", "", "", "");
        await(&q[i]);
    }
    ck_fails_null(sifr_socket(world.ctx, SIFR_PULL), EMFILE);
}
END_TEST

START_TEST(each_loop_gets_its_own_answers)
{
    sifr_socket_t *rep;
    struct question q[2] = {plain_question("0"), plain_question("1")};

    ck_works(sifr_ctx_set(world.ctx, SIFR_IO_THREADS, 2));
    rep = new_handler(SIFR_REP);
    for (int i = 0; i < 2; i++) {
        test_on_loop(loop_of(i), ask_here, &q[i]);
        ck_assert_int_eq(q[i].result, 0);
        expect_question(rep, i ? "1" : "0");
        send_parts(rep, "1.0", "1", "200", "", i ? "1" : "0", "");
        eventually(atomic_load(&q[i].answers) == 1);
        ck_assert_str_eq(q[i].user, i ? "1" : "0");
    }
}
END_TEST

/* One that answers by asking again, as a connection that dials again might. */
static void ask_again(struct sf_zap *z, const struct sf_zap_answer *a)
{
    struct question *q = SF_CONTAINER(z, struct question, zap);

    if (a->err == 0 && a->status == 300)
        q->result = sf_zap_ask(z, world.ctx, loop_of(0), &q->request);
    else
        note_answer(z, a);
}

START_TEST(an_answer_may_lead_to_another_question)
{
    sifr_socket_t *rep = new_handler(SIFR_REP);
    struct question q = plain_question("pw");

    q.zap.answered = ask_again;
    ck_assert_int_eq(ask(&q), 0);
    for (int i = 0; i < 20; i++) {
        expect_question(rep, "pw");
        send_parts(rep, "1.0", "1", i < 19 ? "300" : "200", "", "", "");
    }
    await(&q);
    ck_assert_int_eq(q.status, 200);
}
END_TEST

START_TEST(shutdown_answers_what_is_asked)
{
    struct question *q = calloc(MANY, sizeof *q), late = plain_question("pw");

    new_handler(SIFR_REP);
    for (int i = 0; i < MANY; i++) {
        q[i] = plain_question("pw");
        ck_assert_int_eq(ask(&q[i]), 0);
    }
    ck_works(sifr_ctx_shutdown(world.ctx));
    for (int i = 0; i < MANY; i++) {
        await(&q[i]);
        ck_assert_int_eq(q[i].err, -SIFR_ETERM);
    }
    ck_assert_int_eq(ask(&late), -SIFR_ETERM);
    free(q);
}
END_TEST

/* The end of the test terms the context: it comes back though what is asked has no answer. */
START_TEST(term_waits_for_no_answer)
{
    static struct question q[3];

    new_handler(SIFR_REP);
    for (int i = 0; i < COUNT(q); i++) {
        q[i] = plain_question("pw");
        ck_assert_int_eq(ask(&q[i]), 0);
    }
    cancel(&q[1]);
}
END_TEST

static void ask_without_memory(struct sf_loop *l, void *arg)
{
    struct question *q = arg;
    long n = q->status; /* the number of the request that fails */

    sf_alloc_fail(n, 0);
    q->result = sf_zap_ask(&q->zap, world.ctx, l, &q->request);
    n = sf_alloc_fail(0, 0);
    q->status = (int)n;
}

START_TEST(without_memory_nothing_is_asked_and_nothing_is_left)
{
    sifr_socket_t *rep = new_handler(SIFR_REP);
    int asked = 0, failed = 0;

    for (int n = 1; asked == 0; n++) {
        struct question q = plain_question("pw");

        q.status = n;
        test_on_loop(loop_of(0), ask_without_memory, &q);
        if (q.result == 0) {
            expect_question(rep, "pw");
            send_parts(rep, "1.0", "1", "200", "", "", "");
            await(&q);
            asked = q.status < n; /* none has failed */
        } else {
            ck_assert_int_eq(q.result, -ENOMEM);
            ck_assert(!sf_zap_asking(&q.zap));
            failed++;
        }
    }
    ck_assert_int_gt(failed, 3);
}
END_TEST

START_TEST(whom_to_ask_and_what_no_handler_means)
{
    static const struct {
        const char *mechanism;
        bool domain, enforce, wanted;
        int unhandled;
    } cases[] = {
        {"NULL", false, false, false, 0},  {"NULL", false, true, false, 0},
        {"NULL", true, false, true, 0},    {"NULL", true, true, true, -EFAULT},
        {"PLAIN", false, false, true, -EFAULT}, {"PLAIN", false, true, true, -EFAULT},
        {"PLAIN", true, false, true, -EFAULT},  {"PLAIN", true, true, true, -EFAULT},
        {"CURVE", false, false, true, 0},  {"CURVE", false, true, false, 0},
        {"CURVE", true, false, true, 0},   {"CURVE", true, true, true, -EFAULT},
        {"GSSAPI", false, false, true, 0}, {"GSSAPI", true, true, true, 0},
    };

    for (int i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(sf_zap_wanted(cases[i].mechanism, cases[i].domain, cases[i].enforce),
                         cases[i].wanted);
        ck_assert_int_eq(sf_zap_unhandled(cases[i].mechanism, cases[i].domain, cases[i].enforce),
                         cases[i].unhandled);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("security/zap");
    TCase *c = new_case(suite, "questions");

    tcase_add_test(c, a_rep_sees_the_frames_that_libzmq_sends);
    tcase_add_test(c, a_router_sees_a_delimiter_and_answers_in_any_order);
    tcase_add_test(c, a_request_without_credentials_ends_with_its_mechanism);
    tcase_add_test(c, metadata_comes_as_it_was_sent);
    tcase_add_test(c, without_a_handler_the_answer_comes_at_once);
    tcase_add_test(c, questions_take_none_of_the_sockets_a_context_may_have);
    tcase_add_test(c, each_loop_gets_its_own_answers);
    tcase_add_test(c, an_answer_may_lead_to_another_question);
    tcase_add_test(c, whom_to_ask_and_what_no_handler_means);
    c = new_case(suite, "handlers that lie, sleep and die");
    tcase_add_test(c, a_reply_that_cannot_be_read_says_why);
    tcase_add_test(c, a_reply_without_delimiter_is_no_reply);
    tcase_add_test(c, a_second_reply_is_nobodys);
    tcase_add_test(c, a_handler_that_goes_away_is_an_answer);
    tcase_add_test(c, what_a_handler_said_before_it_went_counts);
    tcase_add_test(c, more_questions_than_queues_are_all_answered);
    tcase_add_test(c, what_is_asked_and_cancelled_does_not_pile_up_before_a_handler_that_sleeps);
    tcase_add_test(c, a_handler_that_reads_and_never_answers_uses_up_no_queue);
    tcase_add_test(c, those_that_wait_for_a_queue_hear_that_the_handler_went);
    c = new_case(suite, "ends");
    tcase_add_test(c, a_cancelled_question_is_never_answered);
    tcase_add_test(c, cancelling_nothing_is_harmless);
    tcase_add_test(c, shutdown_answers_what_is_asked);
    tcase_add_test(c, term_waits_for_no_answer);
    tcase_add_test(c, without_memory_nothing_is_asked_and_nothing_is_left);
    return run_suite(suite);
}
