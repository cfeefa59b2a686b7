/* What calls write by themselves, which is seen when the I/O thread of their context is held up. */
#include "support.h"

#include <stdatomic.h>

/* ---- A thread that is held up ---------------------------------------------------------------- */

static pthread_t own_thread;
static atomic_bool held, go_on;

static void hold_up(void *data, void *hint)
{
    int64_t end = now_ms() + 2 * WAIT_MS; /* longer than anybody waits for a message */

    (void)data;
    (void)hint;
    if (pthread_equal(pthread_self(), own_thread))
        return;
    held = true;
    while (!go_on && now_ms() < end)
        poll(NULL, 0, 1);
}

static sifr_ctx_t *far; /* the context of those who receive */

static void open_both(void)
{
    open_world();
    far = sifr_ctx_new();
    ck_assert_ptr_nonnull(far);
}

static void close_both(void)
{
    go_on = true;
    close_world();
    ck_works(sifr_ctx_term(far));
}

/*
 * The I/O thread of the world's context is in a message's free function from now on: it has written
 * the message when its peer came, and let go of it.
 */
static void hold_loop(void)
{
    static char bytes[20000];
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket_in(far, SIFR_PULL);
    struct endpoint e = fresh_endpoint(IPC);
    sifr_msg_t m;

    held = go_on = false;
    own_thread = pthread_self();
    set_int(push, SIFR_RECONNECT_IVL, 1);
    connect_to(push, &e);
    ck_works(sifr_msg_init_data(&m, bytes, sizeof bytes, hold_up, NULL));
    ck_assert_int_eq(sifr_msg_send(&m, push, 0), sizeof bytes);
    bind_to(pull, &e);
    recv_bytes(pull, bytes, sizeof bytes, false);
    eventually(held);
    ck_works(sifr_close(pull));
}

/* ---- Fan-out --------------------------------------------------------------------------------- */

enum { SUBS_MAX = 4 };

struct fan {
    sifr_socket_t *pub, *subs[SUBS_MAX];
    int n;
};

/* Subscribers that hear "a", if they are `alike` by the same subscriptions. */
static void open_fan(struct fan *f, int n, int mark, bool alike, enum transport t)
{
    static const char *const more[SUBS_MAX] = {"b", "c", "d", "e"};
    struct endpoint e;

    f->n = n;
    f->pub = new_socket(SIFR_XPUB);
    set_int(f->pub, SIFR_SNDHWM, mark);
    set_int(f->pub, SIFR_XPUB_VERBOSE, 1);
    e = bind_fresh(f->pub, t);
    for (int i = 0; i < n; i++) {
        f->subs[i] = new_socket_in(far, SIFR_SUB);
        set_int(f->subs[i], SIFR_RCVHWM, 0);
        set_text(f->subs[i], SIFR_SUBSCRIBE, "a");
        if (!alike)
            set_text(f->subs[i], SIFR_SUBSCRIBE, more[i]);
        connect_to(f->subs[i], &e);
        recv_text(f->pub, "\1a", false);
        if (!alike)
            ck_assert_int_eq(sifr_recv(f->pub, NULL, 0, 0), 2);
    }
}

static void close_subs(struct fan *f)
{
    for (int i = 0; i < f->n; i++)
        ck_works(sifr_close(f->subs[i]));
}

START_TEST(a_pub_writes_by_itself_to_one_or_two_who_are_idle)
{
    enum transport t = _i % 2 ? IPC : TCP;
    int n = _i / 2 + 1;
    struct fan f;

    open_fan(&f, n, 1000, false, t);
    hold_loop();
    for (int k = 0; k < 3; k++) { /* fewer than make a stream, which is left to the loop */
        send_parts(f.pub, "a", "at once");
        for (int i = 0; i < n; i++)
            recv_parts(f.subs[i], "a", "at once");
    }
    close_subs(&f);
}
END_TEST

START_TEST(what_a_pub_does_not_write_the_loop_does)
{
    struct fan f;

    open_fan(&f, SUBS_MAX, 1000, _i, TCP);
    hold_loop();
    send_parts(f.pub, "a", "at once or later");
    go_on = true;
    for (int i = 0; i < f.n; i++)
        recv_parts(f.subs[i], "a", "at once or later");
    close_subs(&f);
}
END_TEST

/* Which of the numbers come, in their order, at least so many. */
static void hear_numbers(sifr_socket_t *sub, int least, int limit)
{
    int last = -1, number;

    for (int got = 0; got < least; got++) {
        recv_text(sub, "a", true);
        ck_assert_int_eq(sifr_recv(sub, &number, sizeof number, 0), sizeof number);
        ck_assert_int_gt(number, last);
        ck_assert_int_lt(number, limit);
        last = number;
    }
}

/* One writes for its queue, many of which each has its own, or all have one in common. */
START_TEST(a_pub_writes_for_full_queues_before_it_drops)
{
    /* Those who receive may not run meanwhile: this many the kernel takes even one at a time. */
    enum { SENT = 400, MARK = 100, LEAST = 150 };
    static const int counts[] = {1, SUBS_MAX, SUBS_MAX};
    struct fan f;

    open_fan(&f, counts[_i], MARK, _i == 2, IPC);
    hold_loop();
    for (int n = 0; n < SENT; n++) {
        send_text(f.pub, "a", SIFR_SNDMORE);
        send_bytes(f.pub, &n, sizeof n, 0);
    }
    ck_assert(!go_on);
    for (int i = 0; i < f.n; i++)
        hear_numbers(f.subs[i], LEAST, SENT);
    close_subs(&f);
}
END_TEST

/* ---- One to one ------------------------------------------------------------------------------ */

START_TEST(a_send_to_one_peer_needs_no_loop)
{
    sifr_socket_t *a = new_socket(SIFR_DEALER), *b = new_socket_in(far, SIFR_DEALER);
    struct endpoint e = bind_fresh(b, _i ? IPC : TCP);

    connect_to(a, &e);
    send_text(b, "it stands", 0);
    recv_text(a, "it stands", false);
    hold_loop();
    for (int n = 0; n < 5; n++) { /* fewer than make a stream, which is left to the loop */
        send_bytes(a, &n, sizeof n, 0);
        recv_bytes(b, &n, sizeof n, false);
    }
    ck_works(sifr_close(b));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("direct");
    TCase *c = tcase_create("direct");

    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_both, close_both);
    suite_add_tcase(s, c);
    tcase_add_loop_test(c, a_pub_writes_by_itself_to_one_or_two_who_are_idle, 0, 4);
    tcase_add_loop_test(c, what_a_pub_does_not_write_the_loop_does, 0, 2);
    tcase_add_loop_test(c, a_pub_writes_for_full_queues_before_it_drops, 0, 3);
    tcase_add_loop_test(c, a_send_to_one_peer_needs_no_loop, 0, 2);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
