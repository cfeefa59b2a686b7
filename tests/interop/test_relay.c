/* Connections cut in the middle of messages lose what the kernel had taken, and nothing else. */
#include "relay.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { MILLION = 200000, PACED = 20000 };
#else
enum { MILLION = 1000000, PACED = 60000 };
#endif

static const struct {
    const struct library *push, *pull;
    uint32_t messages;
    bool large, paced;
    int sndhwm;
} cases[] = {
    {&ours, &theirs, 1000, true, false, 50},
    {&theirs, &ours, 1000, true, false, 50},
    {&ours, &theirs, MILLION, false, false, 1000},
    {&theirs, &ours, MILLION, false, false, 1000},
    {&ours, &ours, MILLION, false, false, 1000},
    {&ours, &theirs, PACED, false, true, 1000},
    {&ours, &ours, PACED, false, true, 1000},
};

START_TEST(whatever_had_not_been_taken_arrives_once_and_in_order)
{
    struct end push = open_push(cases[_i].push), pull = open_end(cases[_i].pull, ZMQ_PULL);
    struct endpoint at = end_bind_fresh(&pull, TCP);
    struct relay r;
    struct stream s = {
        .end = cases[_i].messages, .large = cases[_i].large, .paced = cases[_i].paced, .push = &push, .relay = &r};
    pthread_t relay, sender;

    relay_init(&r, &at, s.end);
    relay_spread_cuts(&r, stream_bytes(&s), true);
    r.waits = pull.lib == &theirs;
    relay = start_thread(run_relay, &r);
    end_set_int(&push, ZMQ_SNDHWM, cases[_i].sndhwm);
    end_connect(&push, &r.at);
    sender = start_thread(stream_send, &s);
    stream_recv(&s, &pull, &r, s.end - 1);
    pthread_join(sender, NULL);
    ck_assert(!end_readable_within(&pull, 0));
    close_end(&push);
    pthread_join(relay, NULL);
    close_end(&pull);
    ck_assert_int_eq(r.connections, RELAY_CUTS + 1);
    /* sifr sends a message cut in two again; what libzmq loses is its own */
    stream_check_read(&r, push.lib == &ours ? 0 : UINT32_MAX);
    relay_fini(&r);
}
END_TEST

/* The relay stays connected until PULL, whose program sleeps, has read all of the first connection. */
START_TEST(what_a_lost_connection_left_is_received_before_the_next)
{
    struct end push = open_push(_i ? &ours : &theirs), pull = open_end(&ours, ZMQ_PULL);
    struct endpoint at = end_bind_fresh(&pull, TCP);
    struct stream s = {.end = MILLION, .push = &push};
    struct relay r;
    pthread_t relay, sender;

    relay_init(&r, &at, s.end);
    r.cuts[0] = 20000; /* fewer than RCVHWM */
    r.n_cuts = 1;
    relay = start_thread(run_relay, &r);
    end_connect(&push, &r.at);
    sender = start_thread(stream_send, &s);
    eventually(atomic_load(&r.written.count) > 900); /* the next has begun */
    stream_recv(&s, &pull, &r, s.end - 1);
    pthread_join(sender, NULL);
    close_end(&push);
    pthread_join(relay, NULL);
    close_end(&pull);
    relay_fini(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("relay");
    TCase *c = new_bare_case(s, "cuts");

    tcase_set_timeout(c, 2 * CASE_SECONDS);
    tcase_add_loop_test(c, whatever_had_not_been_taken_arrives_once_and_in_order, 0, COUNT(cases));
    tcase_add_loop_test(c, what_a_lost_connection_left_is_received_before_the_next, 0, 2);
    return run_suite(s);
}
