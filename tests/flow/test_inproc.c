/*
 * inproc: what was sent before anybody bound the name, when its sender does not wait for that; and
 * two threads that wait for each other.
 */
#include "support.h"

/* Each way to let go of a connect; odd: disconnect, even: close. */
enum { GOODBYES = 2 };

static void say_goodbye(sifr_socket_t *s, const struct endpoint *e, int way)
{
    if (way % 2)
        ck_works(sifr_disconnect(s, e->text));
    else
        drop(s);
}

/* A connect to nobody with three messages under way, that lingers and has been let go of. */
static struct endpoint leave_three(int type, int linger, int way)
{
    struct endpoint e = fresh_endpoint(INPROC);
    sifr_socket_t *s = new_socket(type);

    set_int(s, SIFR_LINGER, linger);
    connect_to(s, &e);
    send_text(s, "one", 0);
    send_parts(s, "two", "parts");
    send_filled(s, 20000, 3, 0);
    say_goodbye(s, &e, way);
    return e;
}

START_TEST(what_was_sent_waits_for_a_bind)
{
    struct endpoint e = leave_three(SIFR_PUSH, -1, _i);
    sifr_socket_t *pull = new_socket(SIFR_PULL);

    bind_to(pull, &e);
    recv_text(pull, "one", false);
    recv_parts(pull, "two", "parts");
    recv_filled(pull, 20000, 3, false);
    recv_nothing(pull);
}
END_TEST

START_TEST(who_binds_first_gets_it_and_nobody_else)
{
    struct endpoint e = leave_three(SIFR_DEALER, 60000, _i);
    sifr_socket_t *router = new_socket(SIFR_ROUTER), *late = new_socket(SIFR_ROUTER);
    sifr_msg_t id;

    bind_to(router, &e);
    sifr_msg_init(&id);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sifr_msg_recv(&id, router, 0), 5);
        ck_assert(sifr_msg_more(&id));
        while (get_int(router, SIFR_RCVMORE))
            ck_assert_int_ge(sifr_recv(router, NULL, 0, 0), 0);
    }
    recv_nothing(router);

    /* Its sender is known to have gone. */
    set_int(router, SIFR_ROUTER_MANDATORY, 1);
    ck_fails(sifr_msg_send(&id, router, SIFR_SNDMORE), EHOSTUNREACH);
    sifr_msg_close(&id);
    ck_works(sifr_unbind(router, e.text));
    bind_to(late, &e);
    recv_nothing(late);
}
END_TEST

START_TEST(without_linger_it_is_dropped)
{
    struct endpoint e = leave_three(SIFR_PUSH, 0, _i);
    sifr_socket_t *pull = new_socket(SIFR_PULL);

    bind_to(pull, &e);
    recv_nothing(pull);
}
END_TEST

START_TEST(after_its_linger_it_is_dropped)
{
    struct endpoint e = leave_three(SIFR_PUSH, 1, _i);
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    int64_t then = now_ms();

    eventually(now_ms() > then + 2);
    bind_to(pull, &e);
    recv_nothing(pull);
}
END_TEST

START_TEST(an_incomplete_message_is_dropped)
{
    struct endpoint e = fresh_endpoint(INPROC);
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);

    set_int(push, SIFR_LINGER, -1);
    connect_to(push, &e);
    send_text(push, "whole", 0);
    send_text(push, "half", SIFR_SNDMORE);
    say_goodbye(push, &e, _i);
    bind_to(pull, &e);
    recv_text(pull, "whole", false);
    recv_nothing(pull);
}
END_TEST

START_TEST(the_newest_of_conflated_messages_waits)
{
    struct endpoint e = fresh_endpoint(INPROC);
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);

    set_int(push, SIFR_CONFLATE, 1);
    set_int(push, SIFR_LINGER, -1);
    connect_to(push, &e);
    send_text(push, "old", 0);
    send_text(push, "new", 0);
    say_goodbye(push, &e, _i);
    bind_to(pull, &e);
    recv_text(pull, "new", false);
    recv_nothing(pull);
}
END_TEST

START_TEST(a_pair_takes_its_next_peer_when_it_has_read_all)
{
    struct endpoint e = leave_three(SIFR_PAIR, -1, _i);
    sifr_socket_t *bound = new_socket(SIFR_PAIR), *next = new_socket(SIFR_PAIR);

    bind_to(bound, &e);
    connect_to(next, &e);
    send_text(next, "hello", 0);
    recv_text(bound, "one", false);
    recv_parts(bound, "two", "parts");
    recv_filled(bound, 20000, 3, false);
    recv_text(bound, "hello", false);
    send_text(bound, "welcome", 0);
    recv_text(next, "welcome", false);
}
END_TEST

static int freed;

static void count_free(void *data, void *hint)
{
    (void)data, (void)hint;
    freed++;
}

START_TEST(term_waits_for_no_bind_and_frees_all)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *push = sifr_socket(ctx, SIFR_PUSH);
    static char bytes[10000];
    sifr_msg_t m;

    freed = 0;
    ck_works(sifr_connect(push, "inproc://nobody"));
    ck_works(sifr_msg_init_data(&m, bytes, sizeof bytes, count_free, NULL));
    ck_assert_int_eq(sifr_msg_send(&m, push, 0), (int)sizeof bytes);
    if (_i) { /* the context is shut down first */
        ck_works(sifr_ctx_shutdown(ctx));
        ck_works(sifr_close(push));
    } else {
        ck_works(sifr_close(push));
        ck_assert_int_eq(freed, 0);
        ck_works(sifr_ctx_shutdown(ctx));
    }
    ck_assert_int_eq(freed, 1);
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

static void *bind_and_read(void *arg)
{
    const struct endpoint *e = arg;
    sifr_socket_t *pull = new_socket_in(world.ctx, SIFR_PULL);
    long n = 0;

    bind_to(pull, e);
    while (n < 50) {
        recv_filled(pull, 100, 7, false);
        n++;
    }
    ck_works(sifr_close(pull));
    return NULL;
}

START_TEST(senders_may_leave_while_the_name_is_being_bound)
{
    for (int round = 0; round < 50; round++) {
        struct endpoint e = fresh_endpoint(INPROC);
        pthread_t t = start_thread(bind_and_read, &e);

        for (int i = 0; i < 50; i++) {
            sifr_socket_t *push = new_socket(SIFR_PUSH);

            set_int(push, SIFR_LINGER, -1);
            connect_to(push, &e);
            send_filled(push, 100, 7, 0);
            drop(push);
        }
        pthread_join(t, NULL);
    }
}
END_TEST

/* ---- Two threads that wait for each other ---------------------------------------------------- */

enum { STREAM = 6000, ASKED = 1500, PAUSE_NS = 40000 };

/* The sum of both marks: at 2 each side waits for the other at each message. */
static const int marks[] = {1, 4, 500};

enum { MARKS = COUNT(marks) };

/* Computes for some time, now and then: about as long as the library looks again before it sleeps. */
static void be_busy(unsigned *dice)
{
    struct timespec begin, now;
    long ns = rand_r(dice) % 16 ? 0 : rand_r(dice) % PAUSE_NS;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000000000 + now.tv_nsec - begin.tv_nsec < ns);
}

static size_t stream_size(unsigned i)
{
    return i % 100 == 0 ? 20000 : i % 7 * 20;
}

static void *push_stream(void *arg)
{
    unsigned dice = 1;

    for (unsigned i = 0; i < STREAM; i++) {
        be_busy(&dice);
        send_filled(arg, stream_size(i), i, 0);
    }
    return NULL;
}

/* A wake-up that is lost ends in the socket's time limit, which the calls report. */
START_TEST(a_stream_arrives_whole_whoever_waits)
{
    struct endpoint e = fresh_endpoint(INPROC);
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    unsigned dice = 2;
    pthread_t t;

    set_int(push, SIFR_SNDHWM, marks[_i % MARKS]);
    set_int(pull, SIFR_RCVHWM, marks[_i % MARKS]);
    bind_to(pull, &e);
    connect_to(push, &e);
    t = start_thread(push_stream, push);
    for (unsigned i = 0; i < STREAM; i++) {
        if (_i >= MARKS)
            be_busy(&dice);
        recv_filled(pull, stream_size(i), i, false);
    }
    pthread_join(t, NULL);
    recv_nothing(pull);
}
END_TEST

static void *reply(void *arg)
{
    unsigned dice = 3;

    for (unsigned i = 0; i < ASKED; i++) {
        recv_filled(arg, i % 100, i, false);
        be_busy(&dice);
        send_filled(arg, i % 100, i + 1, 0);
    }
    return NULL;
}

START_TEST(each_question_gets_its_answer_whoever_waits)
{
    struct endpoint e = fresh_endpoint(INPROC);
    sifr_socket_t *req = new_socket(SIFR_REQ), *rep = new_socket(SIFR_REP);
    unsigned dice = 4;
    pthread_t t;

    bind_to(rep, &e);
    connect_to(req, &e);
    t = start_thread(reply, rep);
    for (unsigned i = 0; i < ASKED; i++) {
        be_busy(&dice);
        send_filled(req, i % 100, i, 0);
        recv_filled(req, i % 100, i + 1, false);
    }
    pthread_join(t, NULL);
}
END_TEST

/* So much goes to the partner that a socket's calls find nothing left to be settled; then it is gone. */
static void chat_and_part(sifr_socket_t *a, int type, const struct endpoint *e, int way)
{
    sifr_socket_t *b = new_socket(type);

    connect_to(b, e);
    for (int i = 0; i < 1000; i++) {
        send_filled(a, 8, (unsigned)i, 0);
        recv_filled(b, 8, (unsigned)i, false);
    }
    say_goodbye(b, e, way);
}

START_TEST(nothing_is_sent_to_who_has_left)
{
    static const int types[][2] = {
        {SIFR_PUSH, SIFR_PULL}, {SIFR_PAIR, SIFR_PAIR}, {SIFR_DEALER, SIFR_DEALER}};

    for (int i = 0; i < COUNT(types); i++) {
        sifr_socket_t *a = new_socket(types[i][0]), *next = new_socket(types[i][1]);
        struct endpoint e = bind_fresh(a, INPROC);
        sifr_msg_t m;

        chat_and_part(a, types[i][1], &e, _i);
        ck_fails(sifr_send(a, "x", 1, SIFR_DONTWAIT), EAGAIN);
        chat_and_part(a, types[i][1], &e, _i);
        ck_works(sifr_msg_init_size(&m, 100));
        ck_fails(sifr_msg_send(&m, a, SIFR_DONTWAIT), EAGAIN);
        ck_works(sifr_msg_close(&m));
        connect_to(next, &e);
        send_text(a, "first", 0);
        recv_text(next, "first", false);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("flow/inproc");
    TCase *c = new_case(s, "let go of before a bind");

    tcase_add_loop_test(c, what_was_sent_waits_for_a_bind, 0, GOODBYES);
    tcase_add_loop_test(c, who_binds_first_gets_it_and_nobody_else, 0, GOODBYES);
    tcase_add_loop_test(c, without_linger_it_is_dropped, 0, GOODBYES);
    tcase_add_loop_test(c, after_its_linger_it_is_dropped, 0, GOODBYES);
    tcase_add_loop_test(c, an_incomplete_message_is_dropped, 0, GOODBYES);
    tcase_add_loop_test(c, the_newest_of_conflated_messages_waits, 0, GOODBYES);
    tcase_add_loop_test(c, a_pair_takes_its_next_peer_when_it_has_read_all, 0, GOODBYES);
    tcase_add_test(c, senders_may_leave_while_the_name_is_being_bound);
    c = new_case(s, "a partner that has left");
    tcase_add_loop_test(c, nothing_is_sent_to_who_has_left, 0, GOODBYES);
    c = new_case(s, "two threads");
    tcase_add_loop_test(c, a_stream_arrives_whole_whoever_waits, 0, 2 * MARKS);
    tcase_add_test(c, each_question_gets_its_answer_whoever_waits);
    c = new_bare_case(s, "the end of the context");
    tcase_add_loop_test(c, term_waits_for_no_bind_and_frees_all, 0, 2);
    return run_suite(s);
}
