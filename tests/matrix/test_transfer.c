/* Sending and receiving: what each of the calls fails with. */
#include "matrix.h"

#include <sys/uio.h>

/* ---- The calls ------------------------------------------------------------------------------- */

static char text[] = "text";

/* Nothing but memory is short: with that the message is still the caller's. */
static void is_kept(sifr_msg_t *m)
{
    ck_assert_uint_eq(sifr_msg_size(m), 4);
    ck_assert_mem_eq(sifr_msg_data(m), text, 4);
}

static sifr_msg_t message_of_text(uint32_t id)
{
    sifr_msg_t m;

    ck_works(sifr_msg_init_size(&m, 4));
    memcpy(sifr_msg_data(&m), text, 4);
    if (id)
        ck_works(sifr_msg_set_routing_id(&m, id));
    return m;
}

/* Each way of sending fails so. `id`: the routing id of the message, or 0. */
static void sends_fail(int error, sifr_socket_t *s, int flags, uint32_t id)
{
    sifr_msg_t m = message_of_text(id);

    fails(error, msg_send, &m, s, flags);
    is_kept(&m);
#ifdef ZMQ_VERSION
    fails(error, sendmsg, s, &m, flags);
    is_kept(&m);
#endif
    ck_works(sifr_msg_close(&m));
    if (id)
        return; /* the others have no messages to give one to */
    fails(error, send, s, text, 4, flags);
    fails(error, send, s, NULL, 0, flags);
    fails(error, send_const, s, text, 4, flags);
#ifdef ZMQ_VERSION
    struct iovec iov = {text, 4};

    if (!(flags & SIFR_SNDMORE)) /* which means something else there */
        fails(error, sendiov, s, &iov, 1, flags);
#endif
}

/* Each way of receiving fails so. */
static void receives_fail(int error, sifr_socket_t *s, int flags)
{
    char bytes[4] = "...";
    sifr_msg_t m = message_of_text(0);

    fails(error, msg_recv, &m, s, flags);
    ck_works(sifr_msg_close(&m));
    fails(error, recv, s, bytes, sizeof bytes, flags);
    fails(error, recv, s, NULL, 0, flags);
    ck_assert_str_eq(bytes, "...");
#ifdef ZMQ_VERSION
    struct iovec iov[2];
    size_t n = 2;

    m = message_of_text(0);
    fails(error, recvmsg, s, &m, flags);
    ck_works(sifr_msg_close(&m));
    fails(error, recviov, s, iov, &n, flags);
    ck_assert_uint_eq(n, 0);
#endif
}

/* ---- Nothing to do now ----------------------------------------------------------------------- */

START_TEST(nobody_to_send_to)
{
    static const int types[] = {SIFR_PUSH,   SIFR_PAIR,    SIFR_DEALER, SIFR_REQ,
                                SIFR_CLIENT, SIFR_SCATTER, SIFR_CHANNEL};

    for (int i = 0; i < COUNT(types); i++) {
        sifr_socket_t *s = new_socket(types[i]);

        sends_fail(EAGAIN, s, SIFR_DONTWAIT, 0);
        set_int(s, SIFR_SNDTIMEO, _i ? 0 : 5);
        sends_fail(EAGAIN, s, 0, 0);
    }
}
END_TEST

START_TEST(no_room)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    int n;

    set_int(push, SIFR_SNDHWM, 10);
    set_int(pull, SIFR_RCVHWM, 10);
    link_sockets(push, pull, 2 * INPROC);
    n = fill_up(push, 1000);
    ck_assert_int_lt(n, 1000);
    sends_fail(EAGAIN, push, SIFR_DONTWAIT, 0);
    set_int(push, SIFR_SNDTIMEO, 5);
    sends_fail(EAGAIN, push, 0, 0);
    ck_assert_int_eq(drain(pull), n); /* and none of the others */
    get_int(push, SIFR_EVENTS);
    pass_text(push, pull, "room again");
}
END_TEST

START_TEST(nothing_to_receive)
{
    static const struct {
        int type, peer;
    } types[] = {
        {SIFR_PULL, SIFR_PUSH},      {SIFR_PAIR, SIFR_PAIR},     {SIFR_DEALER, SIFR_DEALER},
        {SIFR_GATHER, SIFR_SCATTER}, {SIFR_CLIENT, SIFR_SERVER}, {SIFR_SUB, SIFR_PUB},
        {SIFR_ROUTER, SIFR_DEALER},  {SIFR_REP, SIFR_REQ},
    };
    sifr_socket_t *s, *peer;

    new_link(&s, types[_i].type, &peer, types[_i].peer, 2 * INPROC);
    receives_fail(EAGAIN, s, SIFR_DONTWAIT);
    set_int(s, SIFR_RCVTIMEO, 5);
    receives_fail(EAGAIN, s, 0);
    set_int(s, SIFR_RCVTIMEO, 0);
    receives_fail(EAGAIN, s, 0);
    set_int(s, SIFR_RCVTIMEO, WAIT_MS);
    if (types[_i].peer == SIFR_PUSH || types[_i].peer == SIFR_PAIR)
        pass_text(peer, s, "something");
}
END_TEST

/* ---- Turns ----------------------------------------------------------------------------------- */

START_TEST(not_its_turn)
{
    sifr_socket_t *req, *rep;

    new_link(&req, SIFR_REQ, &rep, SIFR_REP, _i);
    receives_fail(EFSM, req, 0); /* before its request */
    sends_fail(EFSM, rep, 0, 0);
    pass_text(req, rep, "question");
    sends_fail(EFSM, req, 0, 0);
    receives_fail(EFSM, rep, 0); /* before its reply */
    pass_text(rep, req, "answer");
    receives_fail(EFSM, req, 0);
    sends_fail(EFSM, rep, 0, 0);
    pass_text(req, rep, "next question");
    pass_text(rep, req, "next answer");
}
END_TEST

/* ---- Types ----------------------------------------------------------------------------------- */

START_TEST(a_type_that_cannot_send)
{
    static const struct {
        int type, peer;
    } types[] = {{SIFR_PULL, SIFR_PUSH},
                 {SIFR_SUB, SIFR_PUB},
                 {SIFR_GATHER, SIFR_SCATTER},
                 {SIFR_DISH, SIFR_RADIO}};
    sifr_socket_t *s, *peer;

    new_link(&s, types[_i].type, &peer, types[_i].peer, 2 * INPROC);
    sends_fail(ENOTSUP, s, 0, 0);
    sends_fail(ENOTSUP, s, SIFR_DONTWAIT, 0);
    if (types[_i].type == SIFR_PULL)
        pass_text(peer, s, "received");
}
END_TEST

START_TEST(a_type_that_cannot_receive)
{
    static const struct {
        int type, peer;
    } types[] = {{SIFR_PUSH, SIFR_PULL},
                 {SIFR_PUB, SIFR_SUB},
                 {SIFR_SCATTER, SIFR_GATHER},
                 {SIFR_RADIO, SIFR_DISH}};
    sifr_socket_t *s, *peer;

    new_link(&s, types[_i].type, &peer, types[_i].peer, 2 * INPROC);
    receives_fail(ENOTSUP, s, 0);
    receives_fail(ENOTSUP, s, SIFR_DONTWAIT);
    if (types[_i].type == SIFR_PUSH)
        pass_text(s, peer, "sent");
}
END_TEST

START_TEST(more_frames_than_the_type_has)
{
    static const struct {
        int type, peer;
    } types[] = {{SIFR_CLIENT, SIFR_SERVER},   {SIFR_SCATTER, SIFR_GATHER},
                 {SIFR_CHANNEL, SIFR_CHANNEL}, {SIFR_RADIO, SIFR_DISH},
                 {SIFR_SERVER, SIFR_CLIENT},   {SIFR_PEER, SIFR_PEER}};
    sifr_socket_t *s, *peer;

    new_link(&s, types[_i].type, &peer, types[_i].peer, 2 * INPROC);
    sends_fail(EINVAL, s, SIFR_SNDMORE, 0);
    sends_fail(EINVAL, s, SIFR_SNDMORE | SIFR_DONTWAIT, 0);
    recv_nothing(peer);
    if (_i < 3)
        pass_text(s, peer, "one frame");
}
END_TEST

#ifdef ZMQ_VERSION
START_TEST(more_frames_than_the_type_has_at_once)
{
    struct iovec iov[] = {{text, 4}, {text, 4}};
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_CLIENT, &b, SIFR_SERVER, 2 * INPROC);
    fails(EINVAL, sendiov, a, iov, 2, SIFR_SNDMORE);
    recv_nothing(b);
}
END_TEST
#endif

START_TEST(a_peer_that_is_not_there)
{
    sifr_socket_t *a, *b, *c, *d;

    new_link(&a, SIFR_ROUTER, &b, SIFR_DEALER, 2 * INPROC);
    set_int(a, SIFR_ROUTER_MANDATORY, 1);
    sends_fail(EHOSTUNREACH, a, SIFR_SNDMORE, 0);
    sends_fail(EHOSTUNREACH, a, SIFR_SNDMORE | SIFR_DONTWAIT, 0);
#ifdef ZMQ_VERSION
    struct iovec iov[] = {{text, 4}, {text, 4}};

    fails(EHOSTUNREACH, sendiov, a, iov, 2, SIFR_SNDMORE);
#endif
    recv_nothing(b);
    c = new_socket(SIFR_STREAM);
    sends_fail(EHOSTUNREACH, c, SIFR_SNDMORE, 0);
    new_link(&c, SIFR_SERVER, &d, SIFR_CLIENT, 2 * INPROC);
    sends_fail(EHOSTUNREACH, c, 0, 0);
    pass_text(d, c, "still there");
    c = new_socket(SIFR_PEER);
    sends_fail(EHOSTUNREACH, c, 0, 0);
}
END_TEST

START_TEST(a_routing_id_that_is_nobodys)
{
    sifr_socket_t *a, *b;

    ONLY_WITH(msg_set_routing_id);
    new_link(&a, SIFR_SERVER, &b, SIFR_CLIENT, 2 * INPROC);
    sends_fail(EHOSTUNREACH, a, 0, 0x12345678);
    pass_text(b, a, "still there");
}
END_TEST

START_TEST(an_address_that_is_none)
{
    sifr_socket_t *s = new_socket(SIFR_DGRAM);
    struct endpoint e;

    snprintf(e.text, sizeof e.text, "udp://%s:*", own_host());
    bind_to(s, &e);
    eventually(get_int(s, SIFR_EVENTS) & SIFR_POLLOUT);
    sends_fail(EINVAL, s, 0, 0); /* no frame but the address */
}
END_TEST

/* ---- The state of a peer --------------------------------------------------------------------- */

START_TEST(the_state_of_a_peer_that_is_not_there)
{
    sifr_socket_t *router, *dealer = new_socket(SIFR_DEALER), *push = new_socket(SIFR_PUSH);

    router = new_socket(SIFR_ROUTER);
    set_text(dealer, SIFR_ROUTING_ID, "name");
    link_sockets(router, dealer, 2 * INPROC);
    send_text(dealer, "here I am", 0);
    recv_parts(router, "name", "here I am");
    ONLY_WITH(socket_get_peer_state);
    fails(EHOSTUNREACH, socket_get_peer_state, router, "nobody", 6);
    fails(EHOSTUNREACH, socket_get_peer_state, router, NULL, 0);
    fails(EINVAL, socket_get_peer_state, router, NULL, 4);
    fails(ENOTSUP, socket_get_peer_state, push, "name", 4);
    ck_assert_int_eq(sifr_socket_get_peer_state(router, "name", 4), SIFR_POLLOUT);
}
END_TEST

/* ---- Signals and ends ------------------------------------------------------------------------ */

START_TEST(a_signal_while_it_waits)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull;
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    pull = b;
    set_int(push, SIFR_SNDTIMEO, -1);
    set_int(pull, SIFR_RCVTIMEO, -1);
    begin_signals();
    sends_fail(EINTR, push, 0, 0);
    receives_fail(EINTR, pull, 0);
    end_signals();
    pass_text(a, pull, "nothing was lost");
    recv_nothing(pull);
}
END_TEST

/* What a thread waits in, and what became of it. */
struct waiter {
    int call;
    sifr_socket_t *sock;
    _Atomic pid_t thread; /* 0: it does not run yet */
    int result, error;
};

enum { SEND, SEND_CONST, MSG_SEND, RECV, MSG_RECV, CALLS };

static void *wait_there(void *arg)
{
    struct waiter *w = arg;
    sifr_msg_t m;

    sifr_msg_init(&m);
    w->thread = (pid_t)syscall(SYS_gettid);
    errno = 0;
    switch (w->call) {
    case SEND: w->result = sifr_send(w->sock, text, 4, 0); break;
    case SEND_CONST: w->result = sifr_send_const(w->sock, text, 4, 0); break;
    case MSG_SEND: w->result = sifr_msg_send(&m, w->sock, 0); break;
    case RECV: w->result = sifr_recv(w->sock, NULL, 0, 0); break;
    case MSG_RECV: w->result = sifr_msg_recv(&m, w->sock, 0); break;
    }
    w->error = errno;
    sifr_msg_close(&m);
    return NULL;
}

static bool sleeps(pid_t thread)
{
    char path[64], line[256] = "", *name_end;
    FILE *f;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    f = thread ? fopen(path, "r") : NULL;
    if (f && !fgets(line, sizeof line, f))
        line[0] = 0;
    if (f)
        fclose(f);
    name_end = strrchr(line, ')');
    return name_end && name_end[2] == 'S';
}

START_TEST(the_context_ends_while_it_waits)
{
    static const char *const names[] = {"send", "send_const", "msg_send", "recv", "msg_recv"};
    struct waiter w = {.call = _i};
    sifr_ctx_t *ctx = sifr_ctx_new();
    pthread_t thread;

    w.sock = sifr_socket(ctx, _i <= MSG_SEND ? SIFR_PUSH : SIFR_PULL);
    ck_assert_ptr_nonnull(w.sock);
    thread = start_thread(wait_there, &w);
    eventually(sleeps(w.thread));
    ck_works(sifr_ctx_shutdown(ctx));
    ck_works(pthread_join(thread, NULL));
    judge(__LINE__, names[_i], ETERM, w.result == -1, w.error);
    ck_works(sifr_close(w.sock));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

/* ---- What is not there ----------------------------------------------------------------------- */

START_TEST(a_message_that_is_none)
{
    sifr_socket_t *a, *b;
    sifr_msg_t m;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, 2 * INPROC);
    memset(&m, 0, sizeof m);
    fails(EFAULT, msg_send, &m, a, 0);
    fails(EFAULT, msg_recv, &m, a, 0);
#ifdef ZMQ_VERSION
    fails(EFAULT, sendmsg, a, &m, 0);
    fails(EFAULT, recvmsg, a, &m, 0);
#endif
    ck_works(sifr_msg_init(&m));
    ck_works(sifr_msg_close(&m));
    fails(EFAULT, msg_send, &m, a, 0);
    fails(EFAULT, msg_recv, &m, a, 0);
    /* Before it is known that these types cannot do it. */
    fails(EFAULT, msg_send, &m, new_socket(SIFR_PULL), 0);
    fails(EFAULT, msg_recv, &m, new_socket(SIFR_PUSH), 0);
    recv_nothing(b);
    pass_text(a, b, "a message");
}
END_TEST

START_TEST(a_message_that_is_null)
{
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, 2 * INPROC);
    fails(EFAULT, msg_send, NULL, a, 0);
    fails(EFAULT, msg_recv, NULL, a, 0);
#ifdef ZMQ_VERSION
    fails(EFAULT, sendmsg, a, NULL, 0);
    fails(EFAULT, recvmsg, a, NULL, 0);
#endif
    recv_nothing(b);
    pass_text(a, b, "a message");
}
END_TEST

START_TEST(a_buffer_that_is_not_there)
{
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, 2 * INPROC);
    fails(EFAULT, send, a, NULL, 4, 0);
    fails(EFAULT, send, a, NULL, 100000, 0);
    fails(EFAULT, send_const, a, NULL, 4, 0);
    send_text(b, "stays", 0);
    fails(EFAULT, recv, a, NULL, 4, 0);
    recv_text(a, "stays", false);
    recv_nothing(b);
#ifdef ZMQ_VERSION
    struct iovec iov = {NULL, 4};

    fails(EFAULT, sendiov, a, &iov, 1, 0);
#endif
    pass_text(a, b, "a message");
}
END_TEST

#ifdef ZMQ_VERSION
START_TEST(a_vector_that_is_none)
{
    struct iovec iov = {text, 4};
    size_t none = 0, one = 1;
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, 2 * INPROC);
    send_text(b, "stays", 0);
    fails(EINVAL, sendiov, a, NULL, 1, 0);
    fails(EINVAL, sendiov, a, &iov, 0, 0);
    fails(EINVAL, recviov, a, NULL, &one, 0);
    fails(EINVAL, recviov, a, &iov, NULL, 0);
    fails(EINVAL, recviov, a, &iov, &none, 0);
    ck_assert_uint_eq(one, 1);
    recv_text(a, "stays", false);
    recv_nothing(b);
}
END_TEST
#endif

/* ---- Memory ---------------------------------------------------------------------------------- */

static sifr_socket_t *sender, *receiver;

static void nothing_was_sent(void)
{
    recv_nothing(receiver);
}

enum { LARGE = 100000 };

static char large[LARGE];

static sifr_msg_t large_message(void)
{
    sifr_msg_t m;

    ck_works(sifr_msg_init_size(&m, LARGE));
    memcpy(sifr_msg_data(&m), large, LARGE);
    return m;
}

/* It is still whole, and the caller's. */
static void is_large(sifr_msg_t *m)
{
    ck_assert_uint_eq(sifr_msg_size(m), LARGE);
    ck_assert_mem_eq(sifr_msg_data(m), large, LARGE);
}

enum { WAYS_TO_SEND = 5 };

START_TEST(no_memory_to_send)
{
    sifr_msg_t m;
    int n;

    new_link(&sender, SIFR_PUSH, &receiver, SIFR_PULL, _i / WAYS_TO_SEND);
    fill_bytes(large, LARGE, 1);
    matrix.unharmed = nothing_was_sent;
    switch (_i % WAYS_TO_SEND) {
    case 0: runs_short(n, , send, sender, large, LARGE, 0); break;
    case 1: runs_short(n, , send_const, sender, large, LARGE, 0); break;
    case 2:
        m = large_message();
        runs_short(n, is_large(&m), msg_send, &m, sender, 0);
        break;
#ifdef ZMQ_VERSION
    case 3:
        m = large_message();
        runs_short(n, is_large(&m), sendmsg, sender, &m, 0);
        break;
    case 4: {
        struct iovec iov = {large, LARGE};

        runs_short(n, , sendiov, sender, &iov, 1, 0);
        break;
    }
#endif
    default: return;
    }
    ck_assert_int_eq(n, LARGE);
    recv_filled(receiver, LARGE, 1, false);
}
END_TEST

/* Longer than what a message holds in itself: the frame in which a ROUTER tells it needs memory. */
static const char long_name[] = "a name that is longer than a message can hold in itself, by far";

enum { NAME = sizeof long_name - 1, WAYS_TO_RECEIVE = 4 };

#ifdef ZMQ_VERSION
/* Frees what a call that failed has received, and sends the next message: the room for it. */
static size_t begin_anew(struct iovec *iov, size_t count)
{
    while (count > 0)
        free(iov[--count].iov_base);
    drain(receiver);
    send_text(sender, "body", 0);
    return 2;
}
#endif

START_TEST(no_memory_to_receive)
{
    char bytes[NAME];
    sifr_msg_t m;
    int n;

    sender = new_socket(SIFR_DEALER);
    receiver = new_socket(SIFR_ROUTER);
    set_text(sender, SIFR_ROUTING_ID, long_name);
    /* By wire, reading takes memory, too. */
    link_sockets(sender, receiver, 2 * INPROC + _i / WAYS_TO_RECEIVE);
    send_text(sender, "body", 0);
    switch (_i % WAYS_TO_RECEIVE) {
    case 0:
        runs_short(n, , recv, receiver, bytes, NAME, 0);
        ck_assert_mem_eq(bytes, long_name, NAME);
        break;
    case 1:
        ck_works(sifr_msg_init(&m));
        runs_short(n, , msg_recv, &m, receiver, 0);
        ck_assert_mem_eq(sifr_msg_data(&m), long_name, NAME);
        ck_works(sifr_msg_close(&m));
        break;
#ifdef ZMQ_VERSION
    case 2:
        ck_works(sifr_msg_init(&m));
        runs_short(n, , recvmsg, receiver, &m, 0);
        ck_assert_mem_eq(sifr_msg_data(&m), long_name, NAME);
        ck_works(sifr_msg_close(&m));
        break;
    case 3: {
        struct iovec iov[2];
        size_t count = 0;

        /* The last of what it asks for is the caller's, for a frame that is lost with it. */
        runs_short(n, count = begin_anew(iov, count), recviov, receiver, iov, &count, 0);
        ck_assert_int_eq(n, 2);
        ck_assert_mem_eq(iov[0].iov_base, long_name, NAME);
        ck_assert_mem_eq(iov[1].iov_base, "body", 4);
        free(iov[0].iov_base);
        free(iov[1].iov_base);
        return;
    }
#endif
    default: return;
    }
    ck_assert_int_eq(n, NAME);
    recv_text(receiver, "body", false);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/transfer");
    TCase *c = new_case(s, "now");

    add_loop(c, nobody_to_send_to, 0, 2);
    add(c, no_room);
    add_loop(c, nothing_to_receive, 0, 8);
    c = new_case(s, "turns");
    add_loop(c, not_its_turn, 0, WAYS);
    c = new_case(s, "types");
    add_loop(c, a_type_that_cannot_send, 0, 4);
    add_loop(c, a_type_that_cannot_receive, 0, 4);
    add_loop(c, more_frames_than_the_type_has, 0, 6);
    add(c, a_peer_that_is_not_there);
    add(c, a_routing_id_that_is_nobodys);
    add(c, an_address_that_is_none);
    add(c, the_state_of_a_peer_that_is_not_there);
    c = new_case(s, "waiting");
    add_loop(c, a_signal_while_it_waits, 0, WAYS);
    add_loop(c, the_context_ends_while_it_waits, 0, CALLS);
    c = new_case(s, "nothing");
    add(c, a_message_that_is_none);
    add(c, a_message_that_is_null);
    add(c, a_buffer_that_is_not_there);
#ifdef ZMQ_VERSION
    add(c, more_frames_than_the_type_has_at_once);
    add(c, a_vector_that_is_none);
#endif
    c = new_case(s, "memory");
    add_loop(c, no_memory_to_send, 0, WAYS * WAYS_TO_SEND);
    add_loop(c, no_memory_to_receive, 0, 2 * WAYS_TO_RECEIVE);
    return run_matrix(s);
}
