/* The options of reconnecting, with a relay that cuts the connection: each keeps and loses what it promises. */
#include "relay.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { STREAMED = 200000, IMMEDIATELY = 200000, PACED = 5000 };
#else
enum { STREAMED = 200000, IMMEDIATELY = 1000000, PACED = 10000 };
#endif

enum {
    HWM = 100,
    CUT = 20000,      /* bytes: fewer messages than PULL takes while its program does not */
    SOME = 20000,     /* messages, which are much more than that */
    A_WHILE_MS = 100, /* in which it would dial a hundred times */
};

/* ---- Where it goes on ---------------------------------------------------------------------------------------- */

static const struct {
    int option, value;
    uint32_t messages, queue; /* `queue`: so many may go with their connection */
    bool paced, handshakes;   /* `handshakes`: some are cut */
} cases[] = {
    {ZMQ_IMMEDIATE, 1, IMMEDIATELY, HWM, false, true},
    {ZMQ_IMMEDIATE, 1, PACED, HWM, true, true},
    {ZMQ_RECONNECT_IVL_MAX, 4, STREAMED, 0, false, true},
    {ZMQ_RECONNECT_IVL_MAX, 4, PACED, 0, true, true},
    {SIFR_RECONNECT_STOP, SIFR_RECONNECT_STOP_CONN_REFUSED, STREAMED, 0, false, true},
    {SIFR_RECONNECT_STOP, SIFR_RECONNECT_STOP_CONN_REFUSED, PACED, 0, true, true},
    {SIFR_RECONNECT_STOP, SIFR_RECONNECT_STOP_HANDSHAKE_FAILED, STREAMED, 0, false, false},
    {SIFR_RECONNECT_STOP, SIFR_RECONNECT_STOP_HANDSHAKE_FAILED, PACED, 0, true, false},
    {SIFR_RECONNECT_STOP, SIFR_RECONNECT_STOP_AFTER_DISCONNECT, STREAMED, 0, false, true},
    {SIFR_RECONNECT_STOP, SIFR_RECONNECT_STOP_AFTER_DISCONNECT, PACED, 0, true, true},
};

/* Even: to libzmq; odd: to sifr. */
START_TEST(cuts_lose_no_more_than_the_option_says)
{
    int i = _i / 2;
    struct end push = open_push(&ours), pull = open_end(_i % 2 ? &ours : &theirs, ZMQ_PULL);
    struct endpoint at = end_bind_fresh(&pull, TCP);
    struct relay r;
    struct stream s = {.end = cases[i].messages, .paced = cases[i].paced, .push = &push, .relay = &r};
    pthread_t relay, sender;

    relay_init(&r, &at, s.end);
    relay_spread_cuts(&r, stream_bytes(&s), cases[i].handshakes);
    r.waits = pull.lib == &theirs;
    relay = start_thread(run_relay, &r);
    end_set_int(&push, ZMQ_SNDHWM, HWM);
    end_set_int(&push, cases[i].option, cases[i].value);
    end_connect(&push, &r.at);
    sender = start_thread(stream_send, &s);
    stream_recv(&s, &pull, &r, s.end - 1);
    pthread_join(sender, NULL);
    close_end(&push);
    pthread_join(relay, NULL);
    close_end(&pull);
    ck_assert_uint_eq(r.connections, RELAY_CUTS + 1);
    stream_check_read(&r, cases[i].queue);
    relay_fini(&r);
}
END_TEST

/* ---- By hand ------------------------------------------------------------------------------------------------- */

/* PUSH of sifr, a relay and PULL of libzmq. */
struct trio {
    struct end push, pull;
    struct stream stream; /* its `first`: of the next message */
    struct relay relay;
    pthread_t thread; /* the relay's, if it runs */
    bool runs;
    sifr_socket_t *monitor;
};

static void open_trio(struct trio *t)
{
    struct endpoint at;

    t->runs = false;
    t->push = open_push(&ours);
    t->pull = open_end(&theirs, ZMQ_PULL);
    t->stream = (struct stream){.end = 1000 * SOME, .push = &t->push};
    at = end_bind_fresh(&t->pull, TCP);
    relay_init(&t->relay, &at, t->stream.end);
    ck_works(sifr_socket_monitor(t->push.socket, "inproc://monitor", SIFR_EVENT_ALL));
    t->monitor = new_socket_in(t->push.ctx, SIFR_PAIR);
    ck_works(sifr_connect(t->monitor, "inproc://monitor"));
}

static void close_trio(struct trio *t)
{
    ck_works(sifr_close(t->monitor));
    close_end(&t->push);
    if (t->runs)
        pthread_join(t->thread, NULL);
    close_end(&t->pull);
    relay_fini(&t->relay);
}

static int next_event(struct trio *t)
{
    uint8_t bytes[6];
    uint16_t number;

    ck_assert_int_eq(sifr_recv(t->monitor, bytes, sizeof bytes, 0), sizeof bytes);
    ck_assert_int_ge(sifr_recv(t->monitor, NULL, 0, 0), 0);
    memcpy(&number, bytes, sizeof number);
    return number;
}

static void await_event(struct trio *t, int number)
{
    while (next_event(t) != number)
        ;
}

/* Whether the next message was taken. */
static bool send_next(struct trio *t)
{
    static uint8_t bytes[BODY_MAX];
    struct stream *s = &t->stream;
    size_t size = stream_fill(s, bytes, s->first);
    int n = sifr_send(t->push.socket, bytes, size, SIFR_DONTWAIT);

    must(n == (int)size || (n == -1 && errno == EAGAIN), "sends %d, errno %d", n, errno);
    s->first += n >= 0;
    return n >= 0;
}

static bool send_next_within(struct trio *t, int ms)
{
    for (int64_t until = now_ms() + ms; now_ms() < until; poll(NULL, 0, 1))
        if (send_next(t))
            return true;
    return false;
}

/* Sends what is taken while the relay passes it on, and cuts; it has come to its end afterwards. */
static void send_to_relay(struct trio *t, uint32_t most)
{
    t->thread = start_thread(run_relay, &t->relay);
    while (!atomic_load(&t->relay.done))
        if (t->stream.first >= most || !send_next(t))
            sched_yield();
    pthread_join(t->thread, NULL);
}

/* The next connection is left alone. */
static void come_back(struct trio *t)
{
    t->relay.n_cuts = 0;
    t->relay.leaves = false;
    t->thread = start_thread(run_relay, &t->relay);
    t->runs = true;
}

static void recv_written(struct trio *t)
{
    uint32_t count = t->relay.written.count;

    ck_assert_uint_gt(count, 0);
    stream_recv(&t->stream, &t->pull, &t->relay, t->relay.written.whole[count - 1].n);
}

/* Whether somebody dials within a while. */
static bool dials(struct trio *t)
{
    struct pollfd p = {.fd = t->relay.listener, .events = POLLIN};

    return poll(&p, 1, A_WHILE_MS) == 1;
}

/* ---- Nobody there -------------------------------------------------------------------------------------------- */

START_TEST(while_nobody_is_connected_the_queue_fills_and_with_IMMEDIATE_nothing_is_taken)
{
    bool immediate = _i == 1;
    uint32_t taken, last_read;
    struct trio t;

    open_trio(&t);
    end_set_int(&t.push, ZMQ_SNDHWM, HWM);
    end_set_int(&t.push, ZMQ_IMMEDIATE, immediate);
    end_connect(&t.push, &t.relay.at);
    await_event(&t, SIFR_EVENT_CONNECTED); /* but nobody answers */
    while (send_next(&t))
        ;
    ck_assert_uint_eq(t.stream.first, immediate ? 0 : HWM);

    t.relay.cuts[0] = CUT;
    t.relay.n_cuts = 1;
    t.relay.leaves = t.relay.stalls = true;
    t.thread = start_thread(run_relay, &t.relay);
    while (atomic_load(&t.relay.stage) != STALLED)
        if (!send_next(&t))
            sched_yield();
    while (send_next_within(&t, A_WHILE_MS)) /* all that is on its way fills */
        ;
    atomic_store(&t.relay.stage, TO_CUT);
    await_event(&t, SIFR_EVENT_DISCONNECTED);
    atomic_store(&t.relay.stage, TO_READ_ON);
    pthread_join(t.thread, NULL);
    recv_written(&t);
    taken = t.stream.first;
    last_read = t.relay.read.whole[t.relay.read.count - 1].n;
    ck_assert_uint_le(taken - (last_read + 1), HWM);
    ck_assert_uint_ge(taken - (last_read + 1), HWM / 2); /* room is told of by halves */
    if (immediate)
        ck_assert(!send_next_within(&t, A_WHILE_MS)); /* nor does it wait for somebody */

    relay_listen(&t.relay);
    come_back(&t);
    eventually(send_next(&t));
    stream_recv(&t.stream, &t.pull, &t.relay, taken);
    ck_assert_uint_eq(t.relay.written.whole[t.relay.written.count - 1].connection, 1);
    stream_check_read(&t.relay, immediate ? HWM : 0);
    for (uint32_t i = 0; i < t.relay.read.count; i++) /* of the queue nothing, or all, comes over the next */
        if (t.relay.read.whole[i].connection == 1) {
            ck_assert_uint_eq(t.relay.read.whole[i].n, immediate ? taken : last_read + 1);
            break;
        }
    close_trio(&t);
}
END_TEST

/* ---- Where it stops ------------------------------------------------------------------------------------------ */

static const struct {
    int stop;
    uint64_t cuts[2];
    int n_cuts;
    int last_event;
    bool known; /* to disconnect */
} stops[] = {
    {SIFR_RECONNECT_STOP_CONN_REFUSED, {CUT}, 1, SIFR_EVENT_CLOSED, false},
    {SIFR_RECONNECT_STOP_HANDSHAKE_FAILED, {CUT, 30}, 2, SIFR_EVENT_DISCONNECTED, true},
};

START_TEST(what_it_is_to_stop_at_ends_the_endpoint_and_its_queue)
{
    int events[1000], n = 0;
    struct trio t;

    open_trio(&t);
    end_set_int(&t.push, ZMQ_SNDHWM, 0); /* so that only an end of the endpoint keeps it from taking more */
    end_set_int(&t.push, SIFR_RECONNECT_STOP, stops[_i].stop);
    end_connect(&t.push, &t.relay.at);
    memcpy(t.relay.cuts, stops[_i].cuts, sizeof stops[_i].cuts);
    t.relay.n_cuts = stops[_i].n_cuts;
    t.relay.leaves = true;
    send_to_relay(&t, SOME);
    eventually(!send_next(&t));
    if (stops[_i].known)
        ck_works(sifr_disconnect(t.push.socket, t.relay.at.text));
    ck_fails(sifr_disconnect(t.push.socket, t.relay.at.text), ENOENT);
    recv_written(&t);
    stream_check_read(&t.relay, 0);

    relay_listen(&t.relay);
    ck_assert(!dials(&t));
    ck_works(sifr_socket_monitor(t.push.socket, NULL, 0));
    while ((events[n] = next_event(&t)) != SIFR_EVENT_MONITOR_STOPPED) {
        n++;
        ck_assert_int_lt(n, COUNT(events));
    }
    ck_assert_int_ge(n, 1);
    ck_assert_int_eq(events[n - 1], stops[_i].last_event);
    close_trio(&t);
}
END_TEST

START_TEST(what_is_queued_outlives_a_disconnect_unless_it_is_to_stop_then)
{
    bool stops_then = _i == 1;
    struct trio t;

    open_trio(&t);
    end_set_int(&t.push, ZMQ_SNDHWM, 0);
    end_set_int(&t.push, ZMQ_LINGER, -1);
    if (stops_then)
        end_set_int(&t.push, SIFR_RECONNECT_STOP, SIFR_RECONNECT_STOP_AFTER_DISCONNECT);
    end_connect(&t.push, &t.relay.at);
    t.relay.cuts[0] = CUT;
    t.relay.n_cuts = 1;
    t.relay.leaves = true;
    send_to_relay(&t, SOME);
    await_event(&t, SIFR_EVENT_DISCONNECTED);
    await_event(&t, SIFR_EVENT_CLOSED); /* an attempt that failed */
    ck_assert(send_next(&t));
    ck_works(sifr_disconnect(t.push.socket, t.relay.at.text));
    ck_assert(!send_next(&t));
    recv_written(&t);

    relay_listen(&t.relay);
    if (stops_then) {
        ck_assert(!dials(&t));
    } else {
        come_back(&t);
        stream_recv(&t.stream, &t.pull, &t.relay, t.stream.first - 1);
    }
    stream_check_read(&t.relay, 0);
    close_trio(&t); /* nothing lingers */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("relay and options");
    TCase *c = new_bare_case(s, "cuts");

    tcase_set_timeout(c, 2 * CASE_SECONDS);
    tcase_add_loop_test(c, cuts_lose_no_more_than_the_option_says, 0, 2 * COUNT(cases));
    c = new_bare_case(s, "ends");
    tcase_add_loop_test(c, while_nobody_is_connected_the_queue_fills_and_with_IMMEDIATE_nothing_is_taken, 0, 2);
    tcase_add_loop_test(c, what_it_is_to_stop_at_ends_the_endpoint_and_its_queue, 0, COUNT(stops));
    tcase_add_loop_test(c, what_is_queued_outlives_a_disconnect_unless_it_is_to_stop_then, 0, 2);
    return run_suite(s);
}
