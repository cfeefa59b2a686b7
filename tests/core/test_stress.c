/*
 * Sockets and messages that many threads use at once. Every message arrives, and once; nobody is
 * left asleep, or the test runs out of time.
 */
#include "support.h"

#include <sched.h>
#include <stdatomic.h>

enum { THREADS = 4, MESSAGES = 2000, SMALL_MESSAGES = 500, PAD_MAX = 12000 };

static struct {
    sifr_socket_t *in, *out, *back; /* which, the test says */
    _Atomic int seen[THREADS * MESSAGES]; /* how often each number has come */
    _Atomic int count, over;
    struct endpoint extra[2];
} shared;

static void open_shared(void)
{
    memset(&shared, 0, sizeof shared);
    open_world();
}

struct numbered {
    uint32_t number, check;
};

/* Now and then a large one, which is shared rather than copied. */
static size_t size_of_number(uint32_t number)
{
    return number % 97 == 0 ? PAD_MAX : sizeof(struct numbered) + number % 60;
}

static int send_number(sifr_socket_t *s, uint32_t number, int flags)
{
    struct numbered n = {number, ~number};
    size_t size = size_of_number(number);
    sifr_msg_t m;

    ck_works(sifr_msg_init_size(&m, size));
    memset(sifr_msg_data(&m), (int)number, size);
    memcpy(sifr_msg_data(&m), &n, sizeof n);
    if (sifr_msg_send(&m, s, flags) >= 0)
        return 0;
    ck_works(sifr_msg_close(&m));
    return -1;
}

/* Receives one and counts it: 0, or -1 with errno. */
static int recv_number(sifr_socket_t *s, int flags)
{
    struct numbered n;
    const uint8_t *bytes;
    sifr_msg_t m;
    size_t size;

    sifr_msg_init(&m);
    if (sifr_msg_recv(&m, s, flags) < 0) {
        int err = errno;

        sifr_msg_close(&m);
        errno = err;
        return -1;
    }
    bytes = sifr_msg_data(&m);
    size = sifr_msg_size(&m);
    ck_assert_uint_ge(size, sizeof n);
    memcpy(&n, bytes, sizeof n);
    ck_assert_uint_eq(n.check, ~n.number);
    ck_assert_uint_lt(n.number, COUNT(shared.seen));
    ck_assert_uint_eq(size, size_of_number(n.number));
    for (size_t i = sizeof n; i < size; i += 1 + size / 50)
        ck_assert_uint_eq(bytes[i], (uint8_t)n.number);
    ck_works(sifr_msg_close(&m));
    ck_assert_int_eq(atomic_fetch_add(&shared.seen[n.number], 1), 0);
    atomic_fetch_add(&shared.count, 1);
    return 0;
}

static void ck_all_seen(int n)
{
    ck_assert_int_eq(atomic_load(&shared.count), n);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(atomic_load(&shared.seen[i]), 1);
}

/* --- Who does what ------------------------------------------------------ */

struct job {
    int first, n; /* numbers to send */
};

static void *send_waiting(void *arg)
{
    struct job *j = arg;

    for (int i = 0; i < j->n; i++)
        ck_works(send_number(shared.out, (uint32_t)(j->first + i), 0));
    return NULL;
}

/* Sends as polling says. */
static void *send_polling(void *arg)
{
    struct job *j = arg;

    for (int i = 0; i < j->n;) {
        sifr_pollitem_t item = {.socket = shared.out, .events = SIFR_POLLOUT};

        if (send_number(shared.out, (uint32_t)(j->first + i), SIFR_DONTWAIT) == 0) {
            i++;
            continue;
        }
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_ge(sifr_poll(&item, 1, WAIT_MS), 0);
    }
    return NULL;
}

static void *recv_waiting(void *arg)
{
    int all = *(int *)arg;

    while (atomic_load(&shared.count) < all)
        if (recv_number(shared.in, 0) != 0)
            ck_assert_int_eq(errno, EAGAIN); /* another took the last: looks again after a while */
    return NULL;
}

static void *recv_polling(void *arg)
{
    int all = *(int *)arg;

    while (atomic_load(&shared.count) < all) {
        sifr_pollitem_t item = {.socket = shared.in, .events = SIFR_POLLIN};

        ck_assert_int_ge(sifr_poll(&item, 1, 50), 0);
        while (recv_number(shared.in, SIFR_DONTWAIT) == 0)
            continue;
        ck_assert_int_eq(errno, EAGAIN);
    }
    return NULL;
}

/* Asks and changes what does not matter. */
static void *look_at(void *arg)
{
    static const int marks[] = {1, 50, 1000, 3, 0, 7};

    for (int i = 0; !atomic_load(&shared.over); i++) {
        sifr_socket_t *s = i % 2 ? shared.in : shared.out;
        int events = get_int(s, SIFR_EVENTS);

        ck_assert_int_eq(events & ~(SIFR_POLLIN | SIFR_POLLOUT), 0);
        set_int(shared.out, SIFR_SNDHWM, marks[i % COUNT(marks)]);
        set_int(shared.in, SIFR_RCVHWM, marks[(i / 2) % COUNT(marks)]);
        last_endpoint(s);
        if (i % 16 == 0)
            poll(NULL, 0, 1);
    }
    return arg;
}

/* Connects where nobody sends, binds where nobody connects, and takes both back. */
static void *come_and_go(void *arg)
{
    while (!atomic_load(&shared.over)) {
        ck_works(sifr_connect(shared.in, shared.extra[0].text));
        ck_works(sifr_bind(shared.in, shared.extra[1].text));
        ck_works(sifr_disconnect(shared.in, shared.extra[0].text));
        ck_works(sifr_unbind(shared.in, shared.extra[1].text));
        poll(NULL, 0, 1);
    }
    return arg;
}

/* Sends back what it gets. */
static void *echo(void *arg)
{
    while (!atomic_load(&shared.over)) {
        sifr_msg_t m;
        int n;

        sifr_msg_init(&m);
        n = sifr_msg_recv(&m, shared.back, 0);
        if (n >= 0)
            n = sifr_msg_send(&m, shared.back, 0);
        if (n < 0)
            ck_assert_int_eq(errno, EAGAIN);
        sifr_msg_close(&m);
    }
    return arg;
}

/* --- One socket, many threads ------------------------------------------ */

START_TEST(threads_share_both_ends_of_a_pipeline)
{
    int n = _i / 2 == INPROC ? MESSAGES : SMALL_MESSAGES, all = n * 2;
    struct job jobs[2] = {{0, n}, {n, n}};
    pthread_t senders[2], receivers[2], others[2];

    new_link(&shared.out, SIFR_PUSH, &shared.in, SIFR_PULL, _i);
    set_int(shared.in, SIFR_RCVTIMEO, 50);
    shared.extra[0] = fresh_endpoint(INPROC);
    shared.extra[1] = fresh_endpoint(_i % 2 ? IPC : INPROC);
    others[0] = start_thread(look_at, NULL);
    others[1] = start_thread(come_and_go, NULL);
    receivers[0] = start_thread(recv_waiting, &all);
    receivers[1] = start_thread(recv_polling, &all);
    senders[0] = start_thread(send_waiting, &jobs[0]);
    senders[1] = start_thread(send_polling, &jobs[1]);
    for (int i = 0; i < 2; i++)
        pthread_join(senders[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(receivers[i], NULL);
    atomic_store(&shared.over, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(others[i], NULL);
    ck_all_seen(all);
}
END_TEST

START_TEST(threads_send_and_receive_on_one_socket)
{
    int n = _i / 2 == INPROC ? MESSAGES : SMALL_MESSAGES, all = n * 2;
    struct job jobs[2] = {{0, n}, {n, n}};
    pthread_t senders[2], receivers[2], echoes[2];

    new_link(&shared.out, SIFR_DEALER, &shared.back, SIFR_DEALER, _i);
    shared.in = shared.out;
    set_int(shared.in, SIFR_RCVTIMEO, 50);
    set_int(shared.back, SIFR_RCVTIMEO, 50);
    for (int i = 0; i < 2; i++) {
        echoes[i] = start_thread(echo, NULL);
        receivers[i] = start_thread(i ? recv_polling : recv_waiting, &all);
        senders[i] = start_thread(i ? send_polling : send_waiting, &jobs[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(senders[i], NULL);
        pthread_join(receivers[i], NULL);
    }
    atomic_store(&shared.over, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(echoes[i], NULL);
    ck_all_seen(all);
}
END_TEST

/* A number at a time goes to and fro: whoever sleeps is the only one who can go on. */
START_TEST(each_wake_up_counts)
{
    int n = _i / 2 == INPROC ? MESSAGES : SMALL_MESSAGES;
    pthread_t echoes[2];

    new_link(&shared.out, SIFR_DEALER, &shared.back, SIFR_DEALER, _i);
    for (int i = 0; i < 2; i++)
        echoes[i] = start_thread(echo, NULL);
    for (int i = 0; i < n; i++) {
        ck_works(send_number(shared.out, (uint32_t)i, 0));
        if (i % 3 == 0)
            ck_assert(readable(shared.out));
        ck_works(recv_number(shared.out, 0));
    }
    atomic_store(&shared.over, 1);
    set_int(shared.back, SIFR_RCVTIMEO, 0);
    for (int i = 0; i < 2; i++) /* wake those that wait */
        send_text(shared.out, "the end", 0);
    for (int i = 0; i < 2; i++)
        pthread_join(echoes[i], NULL);
    ck_all_seen(n);
}
END_TEST

/* --- Sockets that come and go ------------------------------------------ */

enum { SOCKETS = 40, EACH = 20 };

static struct endpoint meeting_point;
static sifr_socket_t *_Atomic to_close[THREADS];

/* Each socket sends some, and is closed by another thread, or here. */
static void *send_and_leave(void *arg)
{
    struct job *j = arg;

    for (int i = 0; i < SOCKETS; i++) {
        sifr_socket_t *s = new_socket_in(world.ctx, SIFR_PUSH), *old;

        set_int(s, SIFR_LINGER, -1);
        connect_to(s, &meeting_point);
        for (int n = 0; n < EACH; n++)
            ck_works(send_number(s, (uint32_t)(j->first + i * EACH + n), 0));
        old = atomic_exchange(&to_close[(j->n + i) % THREADS], s);
        if (old)
            ck_works(sifr_close(old));
    }
    return NULL;
}

START_TEST(what_is_sent_arrives_though_its_socket_is_gone)
{
    pthread_t threads[THREADS];
    struct job jobs[THREADS];
    int all = THREADS * SOCKETS * EACH;

    shared.in = new_socket(SIFR_PULL);
    meeting_point = bind_fresh(shared.in, (enum transport)_i);
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){i * SOCKETS * EACH, i};
        threads[i] = start_thread(send_and_leave, &jobs[i]);
    }
    for (int i = 0; i < all; i++)
        ck_works(recv_number(shared.in, 0));
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < THREADS; i++)
        if (to_close[i])
            ck_works(sifr_close(to_close[i]));
    ck_all_seen(all);
    recv_nothing(shared.in);
}
END_TEST

static _Atomic int waiting;

/* Waits in one of the calls that may; all end when the context shuts down. */
static void *wait_for_the_end(void *arg)
{
    sifr_pollitem_t item = {.socket = shared.in, .events = SIFR_POLLIN};

    atomic_fetch_add(&waiting, 1);
    switch (*(int *)arg) {
    case 0: ck_fails(sifr_recv(shared.in, NULL, 0, 0), SIFR_ETERM); break;
    case 1: ck_fails(sifr_send(shared.out, "x", 1, 0), SIFR_ETERM); break;
    case 2: ck_fails(sifr_poll(&item, 1, -1), SIFR_ETERM); break;
    case 3:
        while (sifr_getsockopt(shared.in, SIFR_EVENTS, &(int){0}, &(size_t){sizeof(int)}) == 0)
            poll(NULL, 0, 1);
        ck_assert_int_eq(errno, SIFR_ETERM);
        break;
    }
    return NULL;
}

START_TEST(shutdown_ends_every_wait_of_every_thread)
{
    for (int round = 0; round < 20; round++) {
        int kinds[THREADS] = {0, 1, 2, 3};
        pthread_t threads[THREADS];
        sifr_ctx_t *ctx = sifr_ctx_new();

        shared.in = sifr_socket(ctx, SIFR_PULL);
        shared.out = sifr_socket(ctx, SIFR_PUSH); /* has nobody to send to */
        ck_assert(shared.in && shared.out);
        atomic_store(&waiting, 0);
        for (int i = 0; i < THREADS; i++)
            threads[i] = start_thread(wait_for_the_end, &kinds[i]);
        while (atomic_load(&waiting) < (round % 2 ? THREADS : 1)) /* others begin */
            sched_yield();
        ck_works(sifr_ctx_shutdown(ctx));
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        ck_works(sifr_close(shared.in));
        ck_works(sifr_close(shared.out));
        ck_works(sifr_ctx_term(ctx));
    }
}
END_TEST

/* --- Many who poll ------------------------------------------------------ */

enum { WAITERS = 5, BURST = 3 };

static sifr_socket_t *idle;

/* Waits for ever in one way or another, and takes one message each time. All end when the context shuts down. */
static void *take_one_by_one(void *arg)
{
    sifr_pollitem_t items[] = {{.socket = shared.in, .events = SIFR_POLLIN}, {.socket = idle, .events = SIFR_POLLIN},
                               {.fd = -1}};
    int kind = *(int *)arg, err = 0;

    while (err == 0 || err == EAGAIN) {
        err = 0;
        if (kind < 3 && sifr_poll(items, kind + 1, -1) < 0)
            err = errno;
        else if (recv_number(shared.in, kind == 3 ? 0 : SIFR_DONTWAIT) != 0)
            err = errno;
        if (kind == 4 && err == EAGAIN)
            poll(NULL, 0, 1); /* takes what others have been woken for, when it comes by */
    }
    ck_assert_int_eq(err, SIFR_ETERM);
    return NULL;
}

/* A few messages at a time, and the next when they have been taken: one wake-up lost stops it. */
START_TEST(nobody_who_polls_sleeps_on)
{
    int n = (_i / 2 == INPROC ? MESSAGES : SMALL_MESSAGES) / BURST * BURST, kinds[WAITERS];
    sifr_ctx_t *ctx = sifr_ctx_new();
    pthread_t threads[WAITERS];

    shared.in = new_socket_in(ctx, SIFR_PULL);
    idle = new_socket_in(ctx, SIFR_PULL);
    set_int(shared.in, SIFR_RCVTIMEO, -1);
    shared.out = new_socket(SIFR_PUSH);
    shared.back = new_socket_in(ctx, SIFR_PUSH);
    if (_i / 2 == INPROC) /* within one context */
        shared.out = shared.back;
    link_sockets(shared.out, shared.in, _i);
    for (int i = 0; i < WAITERS; i++) {
        kinds[i] = i;
        threads[i] = start_thread(take_one_by_one, &kinds[i]);
    }
    for (int i = 0; i < n; i += BURST) {
        for (int k = 0; k < BURST; k++)
            ck_works(send_number(shared.out, (uint32_t)(i + k), 0));
        for (int64_t end = now_ms() + WAIT_MS; atomic_load(&shared.count) < i + BURST;) {
            ck_assert_msg(now_ms() < end, "%d taken of %d", atomic_load(&shared.count), i + BURST);
            sched_yield();
        }
        if (i % 120 == 0)
            poll(NULL, 0, 25); /* all are asleep, and the loops have noticed */
    }
    ck_works(sifr_ctx_shutdown(ctx));
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
    ck_all_seen(n);
    ck_works(sifr_close(shared.in));
    ck_works(sifr_close(shared.back));
    ck_works(sifr_close(idle));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

/* One waits, at the descriptors in the end; another reads what comes before it can, and leaves it half. */
START_TEST(what_another_has_read_wakes_who_waits)
{
    int kind = _i / WIRE_WAYS ? 3 : 0, n = SMALL_MESSAGES / 2 * 2;
    sifr_ctx_t *ctx = sifr_ctx_new();
    pthread_t thread;

    shared.in = new_socket_in(ctx, SIFR_PULL);
    set_int(shared.in, SIFR_RCVTIMEO, -1);
    shared.out = new_socket(SIFR_PUSH);
    link_sockets(shared.out, shared.in, _i % WIRE_WAYS);
    thread = start_thread(take_one_by_one, &kind);
    for (int i = 0; i < n; i += 2) {
        if (i % 10 == 0)
            poll(NULL, 0, 1); /* it sleeps */
        for (int k = 0; k < 2; k++)
            ck_works(send_number(shared.out, (uint32_t)(i + k), 0));
        if (recv_number(shared.in, SIFR_DONTWAIT) != 0)
            ck_assert_int_eq(errno, EAGAIN);
        for (int64_t end = now_ms() + WAIT_MS; atomic_load(&shared.count) < i + 2;) {
            ck_assert_msg(now_ms() < end, "%d taken of %d", atomic_load(&shared.count), i + 2);
            sched_yield();
        }
    }
    ck_works(sifr_ctx_shutdown(ctx));
    pthread_join(thread, NULL);
    ck_all_seen(n);
    ck_works(sifr_close(shared.in));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

enum { PLACES = 4 };

static sifr_socket_t *_Atomic places[PLACES];
static _Atomic int polls_that_found;

/* Polls what is there just now, which may be closed meanwhile. */
static void *poll_all_places(void *arg)
{
    for (int round = 0;; round++) {
        sifr_pollitem_t items[PLACES];
        int n;

        for (int i = 0; i < PLACES; i++)
            items[i] = (sifr_pollitem_t){.socket = places[(i + round) % PLACES], .events = SIFR_POLLIN};
        n = sifr_poll(items, 1 + round % PLACES, round % 7 ? -1 : 0);
        if (n > 0)
            atomic_fetch_add(&polls_that_found, 1);
        if (n < 0 && errno == SIFR_ETERM)
            return arg;
        if (n < 0)
            ck_assert_int_eq(errno, ENOTSOCK);
        for (int i = 0; i < PLACES && n > 0; i++)
            if (items[i].revents && sifr_recv(items[i].socket, NULL, 0, SIFR_DONTWAIT) < 0)
                ck_assert(errno == EAGAIN || errno == ENOTSOCK || errno == SIFR_ETERM);
    }
}

/* Sockets are filled, closed and made while others poll them; at last the context shuts down. */
START_TEST(sockets_are_closed_while_they_are_polled)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    pthread_t threads[3];
    sifr_socket_t *out = new_socket_in(ctx, SIFR_PUSH);
    struct endpoint where[PLACES];

    set_int(out, SIFR_SNDTIMEO, 0);
    atomic_store(&polls_that_found, 0);
    for (int i = 0; i < PLACES; i++) {
        places[i] = new_socket_in(ctx, SIFR_PULL);
        where[i] = bind_fresh(places[i], (enum transport)_i);
        connect_to(out, &where[i]);
    }
    for (int i = 0; i < COUNT(threads); i++)
        threads[i] = start_thread(poll_all_places, NULL);
    for (int n = 0; n < 60 || atomic_load(&polls_that_found) < 20; n++) {
        sifr_socket_t *s = new_socket_in(ctx, SIFR_PULL);
        int at = n % PLACES;

        for (int k = 0; k < 8; k++)
            sifr_send(out, "x", 1, 0);
        ck_works(sifr_disconnect(out, where[at].text));
        where[at] = bind_fresh(s, (enum transport)_i);
        connect_to(out, &where[at]);
        ck_works(sifr_close(atomic_exchange(&places[at], s)));
    }
    ck_works(sifr_ctx_shutdown(ctx));
    for (int i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < PLACES; i++)
        ck_works(sifr_close(places[i]));
    ck_works(sifr_close(out));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

/* --- Messages ----------------------------------------------------------- */

static _Atomic int frees;

static void free_counted(void *data, void *hint)
{
    memset(data, 0, 5000); /* nobody reads any more */
    free(data);
    atomic_fetch_add((_Atomic int *)hint, 1);
}

static void init_counted(sifr_msg_t *m, unsigned seed)
{
    uint8_t *bytes = malloc(5000);

    ck_assert_ptr_nonnull(bytes);
    fill_bytes(bytes, 5000, seed);
    ck_works(sifr_msg_init_data(m, bytes, 5000, free_counted, &frees));
}

static void *copy_and_close(void *arg)
{
    sifr_msg_t *mine = arg, copy;

    for (int i = 0; i < SMALL_MESSAGES; i++) {
        sifr_msg_init(&copy);
        ck_works(sifr_msg_copy(&copy, mine));
        ck_assert_uint_eq(good_bytes(sifr_msg_data(&copy), 200, 1), 200);
        if (i % 2)
            ck_works(sifr_msg_move(mine, &copy));
        ck_works(sifr_msg_close(&copy));
    }
    ck_works(sifr_msg_close(mine));
    return NULL;
}

START_TEST(copies_are_freed_once_by_the_last_thread)
{
    for (int round = 1; round <= 5; round++) {
        pthread_t threads[THREADS];
        sifr_msg_t m, copies[THREADS];

        init_counted(&m, 1);
        for (int i = 0; i < THREADS; i++) {
            sifr_msg_init(&copies[i]);
            ck_works(sifr_msg_copy(&copies[i], &m));
        }
        for (int i = 0; i < THREADS; i++)
            threads[i] = start_thread(copy_and_close, &copies[i]);
        ck_works(sifr_msg_close(&m));
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        ck_assert_int_eq(atomic_load(&frees), round);
    }
}
END_TEST

static void *recv_and_close(void *arg)
{
    for (int i = 0; i < SMALL_MESSAGES; i++) {
        sifr_msg_t m;

        sifr_msg_init(&m);
        ck_assert_int_eq(sifr_msg_recv(&m, shared.in, 0), 5000);
        ck_assert_uint_eq(good_bytes(sifr_msg_data(&m), 5000, 2), 5000);
        ck_works(sifr_msg_close(&m));
    }
    return arg;
}

START_TEST(what_is_sent_is_freed_once_wherever_it_goes)
{
    pthread_t thread;

    atomic_store(&frees, 0);
    new_link(&shared.out, SIFR_PUSH, &shared.in, SIFR_PULL, _i);
    thread = start_thread(recv_and_close, NULL);
    for (int i = 0; i < SMALL_MESSAGES; i++) {
        sifr_msg_t m, copy;

        init_counted(&m, 2);
        sifr_msg_init(&copy);
        ck_works(sifr_msg_copy(&copy, &m)); /* stays a while here, while it goes there */
        ck_assert_int_eq(sifr_msg_send(&m, shared.out, 0), 5000);
        ck_assert_uint_eq(good_bytes(sifr_msg_data(&copy), 100, 2), 100);
        ck_works(sifr_msg_close(&copy));
        ck_works(sifr_msg_close(&m));
    }
    pthread_join(thread, NULL);
    drop(shared.out);
    drop(shared.in);
    close_world(); /* when term has returned, all have run */
    ck_assert_int_eq(atomic_load(&frees), SMALL_MESSAGES);
    open_world();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stress");
    TCase *sharing = tcase_create("sharing"), *leaving = new_case(suite, "leaving");
    TCase *messages = new_case(suite, "messages");

    tcase_set_timeout(sharing, CASE_SECONDS);
    tcase_add_checked_fixture(sharing, open_shared, close_world);
    suite_add_tcase(suite, sharing);
    tcase_add_loop_test(sharing, threads_share_both_ends_of_a_pipeline, 0, WAYS);
    tcase_add_loop_test(sharing, threads_send_and_receive_on_one_socket, 0, WAYS);
    tcase_add_loop_test(sharing, each_wake_up_counts, 0, WAYS);
    tcase_add_loop_test(leaving, what_is_sent_arrives_though_its_socket_is_gone, 0, TRANSPORTS);
    tcase_add_test(leaving, shutdown_ends_every_wait_of_every_thread);
    tcase_add_loop_test(sharing, nobody_who_polls_sleeps_on, 0, WAYS);
    tcase_add_loop_test(sharing, what_another_has_read_wakes_who_waits, 0, 2 * WIRE_WAYS);
    tcase_add_loop_test(leaving, sockets_are_closed_while_they_are_polled, 0, TRANSPORTS);
    tcase_add_test(messages, copies_are_freed_once_by_the_last_thread);
    tcase_add_loop_test(messages, what_is_sent_is_freed_once_wherever_it_goes, 0, WAYS);
    return run_suite(suite);
}
