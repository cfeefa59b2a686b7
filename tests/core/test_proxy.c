/* sifr_proxy joins two sockets: whole messages, both ways, as fast as the slower side takes them. */
#include "support.h"

#include <signal.h>
#include <stdatomic.h>

/* A proxy that runs in a thread of its own until the context is shut down. */
struct proxy {
    sifr_socket_t *front, *back, *capture, *control;
    pthread_t thread;
    int result, error;
    atomic_int interrupted, refused; /* how often it ended with EINTR, with EHOSTUNREACH, and was run again */
};

static void *run(void *arg)
{
    struct proxy *p = arg;

    for (;;) {
        p->result = sifr_proxy_steerable(p->front, p->back, p->capture, p->control);
        p->error = errno;
        if (p->result == -1 && p->error == EINTR)
            p->interrupted++;
        else if (p->result == -1 && p->error == EHOSTUNREACH)
            p->refused++;
        else
            return NULL;
    }
}

static void start(struct proxy *p)
{
    p->thread = start_thread(run, p);
}

static void finish(struct proxy *p)
{
    ck_works(sifr_ctx_shutdown(world.ctx));
    pthread_join(p->thread, NULL);
    ck_assert_int_eq(p->result, -1);
    ck_assert_int_eq(p->error, SIFR_ETERM);
}

/* A socket of this type behind the proxy's, that has no other. */
static sifr_socket_t *attach(sifr_socket_t **proxys, int proxys_type, int type, enum transport t)
{
    struct endpoint e = bind_fresh(*proxys = new_socket(proxys_type), t);
    sifr_socket_t *s = new_socket(type);

    connect_to(s, &e);
    return s;
}

START_TEST(requests_pass_and_find_their_way_back)
{
    struct proxy p = {0};
    sifr_socket_t *req = attach(&p.front, SIFR_ROUTER, SIFR_REQ, (enum transport)_i);
    sifr_socket_t *rep = attach(&p.back, SIFR_DEALER, SIFR_REP, (enum transport)_i), *other = new_socket(SIFR_REQ);
    struct endpoint e = last_endpoint(p.front);

    connect_to(other, &e);
    start(&p);
    for (int n = 0; n < 200; n++) {
        send_text(req, "mine", SIFR_SNDMORE);
        send_bytes(req, &n, sizeof n, 0);
        recv_text(rep, "mine", true);
        recv_bytes(rep, &n, sizeof n, false);
        send_parts(rep, "", "yours");
        send_parts(other, "other");
        recv_parts(rep, "other");
        send_parts(rep, "the other's");
        recv_parts(req, "", "yours");
        recv_parts(other, "the other's");
    }
    send_filled(req, 1000000, 1, 0);
    recv_filled(rep, 1000000, 1, false);
    send_filled(rep, 1000000, 2, 0);
    recv_filled(req, 1000000, 2, false);
    finish(&p);
}
END_TEST

START_TEST(subscriptions_pass_up_and_messages_down)
{
    struct proxy p = {0};
    sifr_socket_t *pub = attach(&p.front, SIFR_XSUB, SIFR_XPUB, (enum transport)_i);
    sifr_socket_t *sub = attach(&p.back, SIFR_XPUB, SIFR_SUB, (enum transport)_i);

    start(&p);
    for (int n = 0; n < 3; n++) {
        set_text(sub, SIFR_SUBSCRIBE, "a");
        recv_bytes(pub, "\1a", 2, false);
        send_parts(pub, "b", "not wanted");
        send_parts(pub, "a", "wanted", "");
        recv_parts(sub, "a", "wanted", "");
        set_text(sub, SIFR_UNSUBSCRIBE, "a");
        recv_bytes(pub, "\0a", 2, false);
    }
    finish(&p);
}
END_TEST

enum { MESSAGES = 20000 };

static void *send_numbered(void *push)
{
    for (int n = 0; n < MESSAGES; n++) {
        send_text(push, "number", SIFR_SNDMORE);
        send_bytes(push, &n, sizeof n, 0);
    }
    return NULL;
}

START_TEST(a_slow_reader_slows_the_writer_and_nothing_is_lost)
{
    struct proxy p = {0};
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    struct endpoint e;
    pthread_t sender;

    p.front = new_socket(SIFR_PULL);
    p.back = new_socket(SIFR_PUSH);
    set_int(push, SIFR_SNDHWM, 5);
    set_int(p.front, SIFR_RCVHWM, 5);
    set_int(p.back, SIFR_SNDHWM, 5);
    set_int(pull, SIFR_RCVHWM, 5);
    e = bind_fresh(p.front, (enum transport)_i);
    connect_to(push, &e);
    e = bind_fresh(p.back, (enum transport)_i);
    connect_to(pull, &e);
    start(&p);
    sender = start_thread(send_numbered, push);
    for (int n = 0; n < MESSAGES; n++) {
        recv_text(pull, "number", true);
        recv_bytes(pull, &n, sizeof n, false);
    }
    pthread_join(sender, NULL);
    finish(&p);
}
END_TEST

START_TEST(a_capture_gets_a_copy_of_all)
{
    struct proxy p = {0};
    sifr_socket_t *a = attach(&p.front, SIFR_PAIR, SIFR_PAIR, INPROC);
    sifr_socket_t *b = attach(&p.back, SIFR_PAIR, SIFR_PAIR, INPROC);
    sifr_socket_t *copy = attach(&p.capture, _i ? SIFR_PAIR : SIFR_PUSH, _i ? SIFR_PAIR : SIFR_PULL, INPROC);

    start(&p);
    for (int n = 0; n < 100; n++) {
        send_parts(a, "to", "b");
        recv_parts(b, "to", "b");
        recv_parts(copy, "to", "b");
        send_parts(b, "to a");
        recv_parts(a, "to a");
        recv_parts(copy, "to a");
        send_filled(a, 5000, 1, 0);
        recv_filled(b, 5000, 1, false);
        recv_filled(copy, 5000, 1, false);
    }
    finish(&p);
}
END_TEST

static void on_signal(int number)
{
    (void)number;
}

static atomic_bool signals_over;

static void *send_signals(void *proxy)
{
    while (!signals_over) {
        pthread_kill(((struct proxy *)proxy)->thread, SIGUSR1);
        poll(NULL, 0, 1);
    }
    return NULL;
}

enum { SENT_AHEAD = 8 }; /* more than have room behind the proxy, less than have room before it */

static void send_three(sifr_socket_t *s, int n)
{
    send_text(s, "a", SIFR_SNDMORE);
    send_bytes(s, &n, sizeof n, SIFR_SNDMORE);
    send_text(s, "end", 0);
}

static void recv_three(sifr_socket_t *s, int n)
{
    recv_text(s, "a", true);
    recv_bytes(s, &n, sizeof n, true);
    recv_text(s, "end", false);
}

/* Proxies that wait: for the destination, for the capture, and for one that has room for other messages. */
START_TEST(a_signal_breaks_no_message)
{
    static const struct {
        int front, from, back, to;
    } types[] = {{SIFR_PULL, SIFR_PUSH, SIFR_PUSH, SIFR_PULL},
                 {SIFR_PULL, SIFR_PUSH, SIFR_PUSH, SIFR_PULL},
                 {SIFR_XSUB, SIFR_XPUB, SIFR_XPUB, SIFR_SUB}};
    struct sigaction action = {.sa_handler = on_signal};
    sifr_socket_t *from, *to, *copy = NULL;
    struct proxy p = {0};
    pthread_t thread;
    int n;

    sigaction(SIGUSR1, &action, NULL);
    from = attach(&p.front, types[_i].front, types[_i].from, INPROC);
    p.back = new_socket(types[_i].back);
    to = new_socket(types[_i].to);
    set_int(p.back, SIFR_SNDHWM, _i == 1 ? 1000 : 1);
    set_int(to, SIFR_RCVHWM, 1);
    link_sockets(p.back, to, 2 * INPROC);
    if (_i == 1) {
        p.capture = new_socket(SIFR_PUSH);
        copy = new_socket(SIFR_PULL);
        set_int(p.capture, SIFR_SNDHWM, 1);
        set_int(copy, SIFR_RCVHWM, 1);
        link_sockets(p.capture, copy, 2 * INPROC);
    }
    if (_i == 2)
        set_int(p.back, SIFR_XPUB_NODROP, 1);
    start(&p);
    if (_i == 2) {
        set_text(to, SIFR_SUBSCRIBE, "a");
        recv_text(from, "\1a", false);
    }
    signals_over = false;
    thread = start_thread(send_signals, &p);
    for (n = 0; n < 100 || p.interrupted < 10; n++) {
        send_three(from, n);
        if (n < SENT_AHEAD)
            continue;
        if (copy)
            recv_three(copy, n - SENT_AHEAD);
        recv_three(to, n - SENT_AHEAD);
        poll(NULL, 0, n % 4); /* the proxy waits meanwhile */
    }
    signals_over = true;
    pthread_join(thread, NULL);
    finish(&p);
}
END_TEST

START_TEST(a_message_that_is_refused_is_lost_as_a_whole)
{
    struct proxy p = {0};
    sifr_socket_t *from = attach(&p.front, SIFR_PULL, SIFR_PUSH, INPROC), *to = new_socket(SIFR_DEALER);
    sifr_socket_t *copy = attach(&p.capture, SIFR_PUSH, SIFR_PULL, INPROC);

    p.back = new_socket(SIFR_ROUTER);
    set_int(p.back, SIFR_ROUTER_MANDATORY, 1);
    set_text(to, SIFR_ROUTING_ID, "somebody");
    link_sockets(p.back, to, 2 * INPROC);
    start(&p);
    for (int n = 1; n <= 10; n++) {
        send_parts(from, "nobody", "somebody", "somebody");
        send_parts(from, "somebody", "is", "there");
        recv_parts(to, "is", "there");
        recv_parts(copy, "nobody", "somebody", "somebody");
        recv_parts(copy, "somebody", "is", "there");
        ck_assert_int_eq(p.refused, n);
    }
    finish(&p);
}
END_TEST

START_TEST(a_socket_may_be_joined_to_itself)
{
    struct proxy p = {0};
    sifr_socket_t *dealer = attach(&p.front, SIFR_ROUTER, SIFR_DEALER, (enum transport)_i);

    p.back = p.front;
    start(&p);
    for (int n = 0; n < 100; n++) {
        send_bytes(dealer, &n, sizeof n, SIFR_SNDMORE);
        send_parts(dealer, "", "echo");
        recv_bytes(dealer, &n, sizeof n, true);
        recv_parts(dealer, "", "echo");
    }
    finish(&p);
}
END_TEST

START_TEST(a_rep_joined_to_itself_answers_with_the_question)
{
    struct proxy p = {0};
    sifr_socket_t *req = attach(&p.front, SIFR_REP, SIFR_REQ, (enum transport)_i);

    p.back = p.front;
    start(&p);
    for (int n = 0; n < 100; n++) {
        send_bytes(req, &n, sizeof n, 0);
        recv_bytes(req, &n, sizeof n, false);
    }
    finish(&p);
}
END_TEST

START_TEST(it_asks_for_two_sockets)
{
    sifr_socket_t *s = new_socket(SIFR_PAIR);

    ck_fails(sifr_proxy(NULL, s, NULL), EFAULT);
    ck_fails(sifr_proxy(s, NULL, NULL), EFAULT);
    ck_fails(sifr_proxy(NULL, NULL, NULL), EFAULT);
    ck_fails(sifr_proxy_steerable(NULL, s, NULL, s), EFAULT);
    ck_fails(sifr_proxy_steerable(s, NULL, NULL, s), EFAULT);
    drop(s);
    ck_fails(sifr_proxy(s, new_socket(SIFR_PAIR), NULL), ENOTSOCK);
    ck_fails(sifr_proxy(new_socket(SIFR_PAIR), new_socket(SIFR_PAIR), s), ENOTSOCK);
    ck_fails(sifr_proxy_steerable(new_socket(SIFR_PAIR), new_socket(SIFR_PAIR), NULL, s), ENOTSOCK);
}
END_TEST

/* A proxy between two PAIRs, and its control socket's other end. */
struct steered {
    struct proxy p;
    sifr_socket_t *a, *b, *control;
};

static void start_steered(struct steered *s, int proxys_type, int type)
{
    s->a = attach(&s->p.front, SIFR_PAIR, SIFR_PAIR, INPROC);
    s->b = attach(&s->p.back, SIFR_PAIR, SIFR_PAIR, INPROC);
    s->control = attach(&s->p.control, proxys_type, type, INPROC);
    if (proxys_type == SIFR_SUB)
        set_text(s->p.control, SIFR_SUBSCRIBE, "");
    start(&s->p);
}

/* The proxy has ended by itself. */
static void finish_steered(struct steered *s)
{
    pthread_join(s->p.thread, NULL);
    ck_assert_int_eq(s->p.result, 0);
}

static const int controls[][2] = {
    {SIFR_PAIR, SIFR_PAIR}, {SIFR_PULL, SIFR_PUSH}, {SIFR_REP, SIFR_REQ}, {SIFR_SUB, SIFR_XPUB}};

/* Says it and waits until it was heard, if one can. */
static void say(struct steered *s, const char *command)
{
    send_text(s->control, command, 0);
    if (get_int(s->control, SIFR_TYPE) == SIFR_REQ)
        recv_text(s->control, "", false);
}

START_TEST(it_pauses_goes_on_and_ends_as_told)
{
    struct steered s = {0};

    start_steered(&s, controls[_i][0], controls[_i][1]);
    if (controls[_i][0] == SIFR_SUB)
        recv_bytes(s.control, "\1", 1, false);
    send_parts(s.a, "to", "b");
    recv_parts(s.b, "to", "b");
    for (int n = 0; n < 3; n++) {
        say(&s, "PAUSE");
        if (controls[_i][0] == SIFR_REP) { /* it is known to have heard */
            send_parts(s.a, "waits");
            ck_assert(!readable_within(s.b, 20));
        } else {
            send_parts(s.a, "waits");
        }
        say(&s, "nonsense");
        say(&s, "");
        say(&s, "RESUME ");
        say(&s, "resume");
        say(&s, "RESUME");
        recv_parts(s.b, "waits");
        send_parts(s.b, "to", "a");
        recv_parts(s.a, "to", "a");
    }
    say(&s, "PAUSE");
    say(&s, "TERMINATE");
    finish_steered(&s);
}
END_TEST

START_TEST(what_has_several_frames_is_no_command)
{
    struct steered s = {0};

    start_steered(&s, SIFR_REP, SIFR_REQ);
    send_parts(s.control, "TERMINATE", "");
    recv_text(s.control, "", false);
    send_parts(s.control, "", "TERMINATE");
    recv_text(s.control, "", false);
    send_parts(s.a, "still");
    recv_parts(s.b, "still");
    say(&s, "TERMINATE");
    finish_steered(&s);
}
END_TEST

static void expect_statistics(struct steered *s, const uint64_t expected[8])
{
    send_text(s->control, "STATISTICS", 0);
    for (int i = 0; i < 8; i++) {
        uint64_t number;

        ck_assert_int_eq(sifr_recv(s->control, &number, sizeof number, 0), sizeof number);
        ck_assert_msg(number == expected[i], "number %d is %lu, not %lu", i, (unsigned long)number,
                      (unsigned long)expected[i]);
        ck_assert_int_eq(get_int(s->control, SIFR_RCVMORE), i < 7);
    }
}

START_TEST(it_counts_what_passes)
{
    struct steered s = {0};

    start_steered(&s, controls[2 * _i][0], controls[2 * _i][1]);
    expect_statistics(&s, (const uint64_t[8]){0});
    send_parts(s.a, "123", "", "12345");
    recv_parts(s.b, "123", "", "12345");
    send_filled(s.b, 100000, 1, 0);
    recv_filled(s.a, 100000, 1, false);
    expect_statistics(&s, (const uint64_t[8]){3, 8, 1, 100000, 1, 100000, 3, 8});
    say(&s, "PAUSE");
    expect_statistics(&s, (const uint64_t[8]){3, 8, 1, 100000, 1, 100000, 3, 8});
    say(&s, "TERMINATE");
    finish_steered(&s);
}
END_TEST

START_TEST(an_answer_nobody_takes_holds_nothing_up)
{
    struct steered s = {0};

    start_steered(&s, SIFR_PULL, SIFR_PUSH); /* which cannot answer at all */
    for (int n = 0; n < 50; n++)
        send_text(s.control, "STATISTICS", 0);
    send_parts(s.a, "goes on");
    recv_parts(s.b, "goes on");
    send_text(s.control, "TERMINATE", 0);
    finish_steered(&s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("proxy");
    TCase *c = new_case(s, "proxy");

    tcase_add_loop_test(c, requests_pass_and_find_their_way_back, 0, TRANSPORTS);
    tcase_add_loop_test(c, subscriptions_pass_up_and_messages_down, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_slow_reader_slows_the_writer_and_nothing_is_lost, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_capture_gets_a_copy_of_all, 0, 2);
    tcase_add_loop_test(c, a_signal_breaks_no_message, 0, 3);
    tcase_add_test(c, a_message_that_is_refused_is_lost_as_a_whole);
    tcase_add_loop_test(c, a_socket_may_be_joined_to_itself, 0, TRANSPORTS);
    tcase_add_loop_test(c, a_rep_joined_to_itself_answers_with_the_question, 0, TRANSPORTS);
    tcase_add_test(c, it_asks_for_two_sockets);
    tcase_add_loop_test(c, it_pauses_goes_on_and_ends_as_told, 0, COUNT(controls));
    tcase_add_test(c, what_has_several_frames_is_no_command);
    tcase_add_loop_test(c, it_counts_what_passes, 0, 2);
    tcase_add_test(c, an_answer_nobody_takes_holds_nothing_up);
    return run_suite(s);
}
