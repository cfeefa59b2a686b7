/* The table of descriptors is full: calls say so, listeners wait for room, and all goes on when there is some. */
#include "support.h"

#include <sys/resource.h>
#include <sys/un.h>

/* ---- A full table ---------------------------------------------------------------------------- */

enum { TABLE = 128 };

static int fillers[TABLE], n_fillers;

/* No descriptor is free any more. */
static void fill_table(void)
{
    int fd;

    while ((fd = dup(STDERR_FILENO)) >= 0) {
        ck_assert_int_lt(n_fillers, TABLE);
        fillers[n_fillers++] = fd;
    }
    ck_assert_int_eq(errno, EMFILE);
}

/* So many are free again. */
static void free_some(int n)
{
    while (n-- > 0) {
        ck_assert_int_gt(n_fillers, 0);
        close(fillers[--n_fillers]);
    }
}

static void free_table(void)
{
    free_some(n_fillers);
}

/* A world with a small table: each test is a process of its own. */
static void open_small_world(void)
{
    struct rlimit limit = {TABLE, TABLE};

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    n_fillers = 0;
    open_world();
}

static void close_small_world(void)
{
    free_table();
    close_world();
}

/* ---- Calls ----------------------------------------------------------------------------------- */

START_TEST(a_first_socket_says_emfile_and_works_later)
{
    sifr_socket_t *a, *b;

    fill_table();
    for (int left = 0; left < 2; left++) { /* a loop wants two */
        ck_fails_null(sifr_socket(world.ctx, SIFR_PULL), EMFILE);
        free_some(1);
    }
    free_table();
    new_link(&a, SIFR_PUSH, &b, SIFR_PULL, 2 * TCP);
    send_text(a, "x", 0);
    recv_text(b, "x", false);
}
END_TEST

START_TEST(bind_says_emfile_and_works_later)
{
    enum transport t = (enum transport)_i;
    sifr_socket_t *s = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct endpoint e = fresh_endpoint(t);

    fill_table();
    if (t == INPROC) {
        ck_works(sifr_bind(s, e.text)); /* needs none */
    } else {
        ck_fails(sifr_bind(s, e.text), EMFILE);
        ck_assert_str_eq(last_endpoint(s).text, "");
        ck_fails(sifr_unbind(s, e.text), ENOENT);
        free_table();
        ck_works(sifr_bind(s, e.text));
    }
    free_table();
    connect_to(push, &e);
    send_text(push, "x", 0);
    recv_text(s, "x", false);
}
END_TEST

START_TEST(bind_to_a_name_says_so_and_works_later)
{
    sifr_socket_t *s = new_socket(SIFR_PULL);

    fill_table();
    errno = 0;
    ck_assert_int_eq(sifr_bind(s, "tcp://localhost:*"), -1);
    ck_assert_msg(errno == EMFILE || errno == ENODEV, "errno %d (%s)", errno, strerror(errno));
    free_table();
    ck_works(sifr_bind(s, "tcp://localhost:*"));
}
END_TEST

START_TEST(connect_works_and_dials_until_there_is_a_descriptor)
{
    enum transport t = (enum transport)(_i / 2);
    sifr_socket_t *pull = new_socket(SIFR_PULL), *push = new_socket(SIFR_PUSH);
    struct endpoint e;

    if (_i % 2 && t == TCP) { /* looked up, too */
        ck_works(sifr_bind(pull, "tcp://localhost:*"));
        snprintf(e.text, sizeof e.text, "tcp://localhost%s", strrchr(last_endpoint(pull).text, ':'));
    } else {
        e = bind_fresh(pull, t);
    }
    set_int(push, SIFR_RECONNECT_IVL, 10);
    fill_table();
    connect_to(push, &e);
    send_text(push, "x", 0);
    ck_assert(!readable_within(pull, 50));
    free_table();
    recv_text(pull, "x", false);
}
END_TEST

START_TEST(fd_says_emfile_and_works_later)
{
    sifr_socket_t *s = new_socket(SIFR_PULL);
    size_t size = sizeof(int);
    int fd;

    fill_table();
    ck_fails(sifr_getsockopt(s, SIFR_FD, &fd, &size), EMFILE);
    free_table();
    ck_assert_int_ge(get_int(s, SIFR_FD), 0);
}
END_TEST

START_TEST(poll_with_a_descriptor_says_emfile_when_it_would_wait)
{
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    sifr_pollitem_t items[2] = {{.socket = pull, .events = SIFR_POLLIN}, {.fd = -1, .events = SIFR_POLLIN}};

    link_sockets(push, pull, 2 * TCP);
    send_text(push, "x", 0);
    recv_text(pull, "x", false);
    fill_table();
    ck_fails(sifr_poll(items, 2, 1000), EMFILE);
    ck_assert_int_eq(sifr_poll(items, 1, 1), 0);
    send_text(push, "x", 0);
    ck_assert_int_eq(sifr_poll(items, 1, WAIT_MS), 1);
    ck_assert_int_eq(sifr_poll(items, 2, 1000), 1); /* does not have to wait */
    free_table();
}
END_TEST

START_TEST(what_is_connected_goes_on)
{
    sifr_socket_t *a, *b;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    send_text(a, "x", 0);
    recv_text(b, "x", false);
    fill_table();
    for (int i = 0; i < 100; i++) {
        send_parts(a, "one", "two");
        recv_parts(b, "one", "two");
        send_filled(b, 200000, 1, 0);
        recv_filled(a, 200000, 1, false);
    }
}
END_TEST

/* ---- Listeners ------------------------------------------------------------------------------- */

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Waits for an event of a monitor; the others are skipped. Its value. */
static uint32_t await_event(sifr_socket_t *monitor, unsigned wanted)
{
    for (;;) {
        uint8_t head[6];
        uint16_t event;
        uint32_t value;

        ck_assert_int_eq(sifr_recv(monitor, head, sizeof head, 0), sizeof head);
        memcpy(&event, head, sizeof event);
        memcpy(&value, head + 2, sizeof value);
        ck_assert_int_ge(sifr_recv(monitor, NULL, 0, 0), 0);
        if (event == wanted)
            return value;
    }
}

/*
 * Connections wait in the backlog, and the loop, which can do nothing for them, lets them. How busy it was is measured
 * in processor time, which a slow or loaded machine gives less of, not more.
 */
START_TEST(a_listener_waits_without_spinning_and_goes_on_when_there_is_room)
{
    enum { CLIENTS = 5, WINDOW_MS = 500 };
    sifr_socket_t *pull = new_socket(SIFR_PULL), *monitor = new_socket(SIFR_PAIR);
    struct sockaddr_in to = own_address(0);
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct endpoint e = bind_fresh(pull, (enum transport)_i);
    char greeting[64];
    int fd[CLIENTS], failures = 0;
    double before;
    int64_t end;

    ck_works(sifr_socket_monitor(pull, "inproc://events", SIFR_EVENT_ACCEPTED | SIFR_EVENT_ACCEPT_FAILED));
    ck_works(sifr_connect(monitor, "inproc://events"));
    for (int i = 0; i < CLIENTS; i++) {
        fd[i] = socket(_i == TCP ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
        ck_assert_int_ge(fd[i], 0);
    }
    fill_table();
    to.sin_port = htons((uint16_t)atoi(strrchr(e.text, ':') + 1));
    if (_i == IPC)
        memcpy(path.sun_path + 1, e.text + strlen("ipc://@"), strlen(e.text) - strlen("ipc://@"));
    for (int i = 0; i < CLIENTS; i++)
        ck_works(_i == TCP ? connect(fd[i], (struct sockaddr *)&to, sizeof to)
                           : connect(fd[i], (struct sockaddr *)&path,
                                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(e.text) - 6)));
    ck_assert_uint_eq(await_event(monitor, SIFR_EVENT_ACCEPT_FAILED), EMFILE);

    before = cpu_seconds();
    end = now_ms() + WINDOW_MS;
    while (now_ms() < end && readable_within(monitor, (long)(end - now_ms()))) {
        await_event(monitor, SIFR_EVENT_ACCEPT_FAILED);
        failures++;
    }
    ck_assert_int_le(failures, WINDOW_MS / 10);
    ck_assert_msg(cpu_seconds() - before < WINDOW_MS / 1000.0 / 2, "%f s of processor time within %d ms",
                  cpu_seconds() - before, WINDOW_MS);

    free_table();
    for (int i = 0; i < CLIENTS; i++) { /* each is served: it gets a greeting */
        struct timeval patience = {WAIT_MS / 1000, 0};

        setsockopt(fd[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ck_assert_int_gt(recv(fd[i], greeting, sizeof greeting, 0), 0);
        close(fd[i]);
    }
}
END_TEST

START_TEST(closing_a_listener_that_waits_is_possible)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL), *monitor = new_socket(SIFR_PAIR), *push = new_socket(SIFR_PUSH);
    struct endpoint e = bind_fresh(pull, TCP);

    ck_works(sifr_socket_monitor(pull, "inproc://events", SIFR_EVENT_ACCEPT_FAILED));
    ck_works(sifr_connect(monitor, "inproc://events"));
    fill_table();
    free_some(1); /* for the one that dials */
    connect_to(push, &e);
    ck_assert_uint_eq(await_event(monitor, SIFR_EVENT_ACCEPT_FAILED), EMFILE);
    if (_i)
        ck_works(sifr_unbind(pull, e.text));
    drop(pull);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fault/descriptors");
    TCase *c = tcase_create("full");

    tcase_set_timeout(c, CASE_SECONDS);
    tcase_add_checked_fixture(c, open_small_world, close_small_world);
    suite_add_tcase(s, c);
    tcase_add_test(c, a_first_socket_says_emfile_and_works_later);
    tcase_add_loop_test(c, bind_says_emfile_and_works_later, 0, TRANSPORTS);
    tcase_add_test(c, bind_to_a_name_says_so_and_works_later);
    tcase_add_loop_test(c, connect_works_and_dials_until_there_is_a_descriptor, 0, WIRE_WAYS);
    tcase_add_test(c, fd_says_emfile_and_works_later);
    tcase_add_test(c, poll_with_a_descriptor_says_emfile_when_it_would_wait);
    tcase_add_loop_test(c, what_is_connected_goes_on, 0, WAYS);
    tcase_add_loop_test(c, a_listener_waits_without_spinning_and_goes_on_when_there_is_room, 0, INPROC);
    tcase_add_loop_test(c, closing_a_listener_that_waits_is_possible, 0, 2);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
