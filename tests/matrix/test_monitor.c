/* Monitors: what their calls fail with. */
#include "matrix.h"

static sifr_socket_t *watched, *reader;

/* It still reports: here of the endpoint that is bound and given up. */
static void it_reports(void)
{
    struct endpoint e = bind_fresh(watched, TCP);
    uint8_t head[6];

    ck_works(sifr_unbind(watched, e.text));
    ck_assert_int_eq(sifr_recv(reader, head, sizeof head, 0), sizeof head);
    recv_text(reader, e.text, false);
    ck_assert_int_eq(sifr_recv(reader, head, sizeof head, 0), sizeof head);
    recv_text(reader, e.text, false);
}

static void watch(void)
{
    watched = new_socket(SIFR_PAIR);
    reader = new_socket(SIFR_PAIR);
    ck_works(sifr_socket_monitor(watched, "inproc://events",
                                 SIFR_EVENT_LISTENING | SIFR_EVENT_CLOSED));
    ck_works(sifr_connect(reader, "inproc://events"));
    matrix.unharmed = it_reports;
}

/* Both calls fail so, as their arguments are in common. */
static void monitors_fail(int error, const char *addr, int events)
{
    fails(error, socket_monitor, watched, addr, events);
    fails(error, socket_monitor_versioned, watched, addr, (uint64_t)events, 1, SIFR_PAIR);
    fails(error, socket_monitor_versioned, watched, addr, (uint64_t)events, 2, SIFR_PUSH);
}

START_TEST(an_address_that_is_none)
{
    watch();
    monitors_fail(EINVAL, "", SIFR_EVENT_ALL);
    monitors_fail(EINVAL, "events", SIFR_EVENT_ALL);
    monitors_fail(EINVAL, "inproc://", SIFR_EVENT_ALL);
    monitors_fail(EPROTONOSUPPORT, "tcp://127.0.0.1:*", SIFR_EVENT_ALL);
    monitors_fail(EPROTONOSUPPORT, "ipc://@events", SIFR_EVENT_ALL);
    monitors_fail(EPROTONOSUPPORT, "nothing://events", SIFR_EVENT_ALL);
}
END_TEST

START_TEST(events_that_there_are_not)
{
    watch();
    fails(EINVAL, socket_monitor, watched, "inproc://more", 0x10000);
    fails(EINVAL, socket_monitor_versioned, watched, "inproc://more", 0x10000, 1, SIFR_PAIR);
    fails(EINVAL, socket_monitor_versioned, watched, "inproc://more", 0x20000, 2, SIFR_PAIR);
    fails(EINVAL, socket_monitor_versioned, watched, "inproc://more", UINT64_MAX, 2, SIFR_PAIR);
}
END_TEST

START_TEST(a_version_or_type_that_there_is_not)
{
    static const int types[] = {SIFR_PULL, SIFR_SUB, SIFR_REQ, SIFR_DEALER, -1, 99};

    watch();
    for (int version = -1; version <= 3; version += version ? 4 : 1)
        fails(EINVAL, socket_monitor_versioned, watched, "inproc://more", SIFR_EVENT_ALL, version,
              SIFR_PAIR);
    for (int i = 0; i < COUNT(types); i++)
        fails(EINVAL, socket_monitor_versioned, watched, "inproc://more", SIFR_EVENT_ALL, 1,
              types[i]);
}
END_TEST

/* The one before has ended then. */
START_TEST(a_name_that_somebody_has)
{
    sifr_socket_t *third = new_socket(SIFR_PAIR);

    watched = new_socket(SIFR_PULL);
    ck_works(sifr_bind(third, "inproc://events"));
    monitors_fail(EADDRINUSE, "inproc://events", SIFR_EVENT_ALL);
    ck_works(sifr_unbind(third, "inproc://events"));
    ck_works(sifr_socket_monitor(watched, "inproc://events", SIFR_EVENT_ALL));
}
END_TEST

START_TEST(more_sockets_than_there_may_be)
{
    ck_works(sifr_ctx_set(world.ctx, SIFR_MAX_SOCKETS, 2));
    watched = new_socket(SIFR_PULL);
    reader = new_socket(SIFR_PAIR);
    monitors_fail(EMFILE, "inproc://events", SIFR_EVENT_ALL);
    if (matrix.libzmq)
        return; /* its place is free some time later */
    drop(reader);
    ck_works(sifr_socket_monitor(watched, "inproc://events", SIFR_EVENT_ALL));
    ck_works(sifr_socket_monitor(watched, NULL, 0));
    bind_fresh(watched, TCP);
}
END_TEST

START_TEST(no_thread_that_reports)
{
    ck_works(sifr_ctx_set(world.ctx, SIFR_IO_THREADS, 0));
    watched = new_socket(SIFR_PULL);
    monitors_fail(EMTHREAD, "inproc://events", SIFR_EVENT_ALL);
    ck_works(sifr_bind(watched, "inproc://events")); /* the name is free */
}
END_TEST

START_TEST(no_memory_for_a_monitor)
{
    int err;

    watched = new_socket(SIFR_PULL);
    if (_i)
        runs_short(err, , socket_monitor_versioned, watched, "inproc://events", SIFR_EVENT_ALL, 2,
                   SIFR_PUB);
    else
        runs_short(err, , socket_monitor, watched, "inproc://events",
                   SIFR_EVENT_LISTENING | SIFR_EVENT_CLOSED);
    if (_i == 0) {
        reader = new_socket(SIFR_PAIR);
        ck_works(sifr_connect(reader, "inproc://events"));
        it_reports();
    }
}
END_TEST

START_TEST(statistics_that_nobody_wants_or_has)
{
    sifr_socket_t *a, *b;

    ONLY_WITH(socket_monitor_pipes_stats);
    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, 2 * INPROC);
    fails(EINVAL, socket_monitor_pipes_stats, a); /* no monitor */
    watch();
    fails(EINVAL, socket_monitor_pipes_stats, watched); /* not among its events */
    matrix.unharmed = NULL;
    ck_works(sifr_socket_monitor_versioned(watched, "inproc://more", SIFR_EVENT_ALL_V2, 2,
                                           SIFR_PAIR));
    fails(EAGAIN, socket_monitor_pipes_stats, watched);
    pass_text(a, b, "x");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/monitor");
    TCase *c = new_case(s, "monitor");

    add(c, an_address_that_is_none);
    add(c, events_that_there_are_not);
    add(c, a_version_or_type_that_there_is_not);
    add(c, a_name_that_somebody_has);
    add(c, more_sockets_than_there_may_be);
    add(c, no_thread_that_reports);
    add_loop(c, no_memory_for_a_monitor, 0, 2);
    add(c, statistics_that_nobody_wants_or_has);
    return run_matrix(s);
}
