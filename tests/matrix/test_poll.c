/* Polls and pollers: what their calls fail with. */
#include "matrix.h"

static sifr_socket_t *one, *other;

static void link_pair(void)
{
    new_link(&one, SIFR_PAIR, &other, SIFR_PAIR, 2 * INPROC);
}

/* ---- Polls ----------------------------------------------------------------------------------- */

/* Both calls fail so. */
static void polls_fail(int error, sifr_pollitem_t *items, int n, long timeout)
{
    sigset_t none;

    sigemptyset(&none);
    fails(error, poll, items, n, timeout);
    fails(error, ppoll, items, n, timeout, NULL);
    fails(error, ppoll, items, n, timeout, &none);
}

START_TEST(a_list_that_is_none)
{
    polls_fail(EINVAL, NULL, -1, 0);
    polls_fail(EFAULT, NULL, 1, 0);
    polls_fail(EFAULT, NULL, 2, -1);
    ck_assert_int_eq(sifr_poll(NULL, 0, 0), 0);
}
END_TEST

START_TEST(an_item_that_is_no_socket)
{
    sifr_pollitem_t items[] = {{.events = SIFR_POLLIN}, {.events = SIFR_POLLIN}};

    link_pair();
    items[0].socket = one;
    items[1].socket = _i < FOREIGN ? foreign(_i, world.ctx) : new_socket(SIFR_PAIR);
    if (_i == 0)
        return; /* it stands for the descriptor then */
    if (_i == FOREIGN)
        drop(items[1].socket);
    polls_fail(ENOTSOCK, items, 2, 0);
    polls_fail(ENOTSOCK, items, 2, -1);
    items[1].socket = other;
    send_text(one, "x", 0);
    ck_assert_int_eq(sifr_poll(items, 2, WAIT_MS), 1);
    ck_assert(items[0].revents == 0 && items[1].revents == SIFR_POLLIN);
}
END_TEST

START_TEST(an_item_whose_context_ends)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_pollitem_t items[] = {{.events = SIFR_POLLIN}, {.events = SIFR_POLLIN}};

    link_pair();
    items[0].socket = one;
    items[1].socket = sifr_socket(ctx, SIFR_PAIR);
    ck_works(sifr_ctx_shutdown(ctx));
    polls_fail(ETERM, items, 2, 0);
    polls_fail(ETERM, items, 2, -1);
    ck_works(sifr_close(items[1].socket));
    ck_works(sifr_ctx_term(ctx));
    ck_assert_int_eq(sifr_poll(items, 1, 0), 0);
}
END_TEST

START_TEST(a_signal_while_it_polls)
{
    sifr_pollitem_t items[] = {{.events = SIFR_POLLIN}, {.fd = -1, .events = SIFR_POLLIN}};

    link_pair();
    items[0].socket = one;
    begin_signals();
    polls_fail(EINTR, items, 1, -1);
    polls_fail(EINTR, items, 2, -1);
    polls_fail(EINTR, NULL, 0, -1);
    end_signals();
    send_text(other, "x", 0);
    ck_assert_int_eq(sifr_poll(items, 2, -1), 1);
    recv_text(one, "x", false);
}
END_TEST

START_TEST(no_descriptor_to_poll)
{
    sifr_pollitem_t items[] = {{.events = SIFR_POLLIN}, {.fd = -1, .events = SIFR_POLLIN}};

    link_pair();
    items[0].socket = one;
    take_descriptors();
    if (_i)
        fails(EMFILE, ppoll, items, 2, 20, NULL);
    else
        fails(EMFILE, poll, items, 2, 20);
    give_descriptors();
    ck_assert_int_eq(sifr_poll(items, 2, 1), 0);
    send_text(other, "x", 0);
    ck_assert_int_eq(sifr_poll(items, 2, WAIT_MS), 1);
}
END_TEST

START_TEST(no_memory_to_poll)
{
    enum { MANY = 40 };
    sifr_pollitem_t items[MANY];
    int n;

    link_pair();
    for (int i = 0; i < MANY; i++)
        items[i] = (sifr_pollitem_t){.socket = one, .events = SIFR_POLLIN};
    if (_i)
        runs_short(n, , ppoll, items, MANY, 1, NULL);
    else
        runs_short(n, , poll, items, MANY, 1);
    ck_assert_int_eq(n, 0);
    send_text(other, "x", 0);
    ck_assert_int_eq(sifr_poll(items, MANY, WAIT_MS), MANY);
}
END_TEST

/* ---- Pollers --------------------------------------------------------------------------------- */

static sifr_poller_t *poller;

static char mine; /* user data */

/* It still has `other`, and that alone. */
static void it_has_the_other(void)
{
    sifr_poller_event_t e;

    ck_assert_int_eq(sifr_poller_size(poller), 1);
    send_text(one, "x", 0);
    ck_works(sifr_poller_wait(poller, &e, WAIT_MS));
    ck_assert(e.socket == other && e.user_data == &mine && e.events == SIFR_POLLIN);
    recv_text(other, "x", false);
}

static void open_poller(void)
{
    open_world();
    matrix.unharmed = NULL;
    poller = NULL;
    ONLY_WITH(poller_new);
    link_pair();
    ck_assert_ptr_nonnull(poller = sifr_poller_new());
    ck_works(sifr_poller_add(poller, other, &mine, SIFR_POLLIN));
    matrix.unharmed = it_has_the_other;
}

static void close_poller(void)
{
    if (poller)
        ck_works(sifr_poller_destroy(&poller));
    close_world();
}

static void names_nothing(const sifr_poller_event_t *e)
{
    ck_assert(!e->socket && e->fd == -1 && !e->user_data && e->events == 0);
}

START_TEST(what_is_no_poller)
{
    sifr_poller_event_t e;
    sifr_poller_t *h, *before;
    int fd;

    ONLY_WITH(poller_new);
    h = _i < FOREIGN ? foreign(_i, one) : sifr_poller_new();
    if (_i == FOREIGN) {
        before = h;
        ck_works(sifr_poller_destroy(&h));
        ck_assert_ptr_null(h);
        h = before;
    }
    fails(EFAULT, poller_size, h);
    fails(EFAULT, poller_add, h, one, NULL, SIFR_POLLIN);
    fails(EFAULT, poller_modify, h, other, SIFR_POLLIN);
    fails(EFAULT, poller_remove, h, other);
    fails(EFAULT, poller_add_fd, h, 0, NULL, SIFR_POLLIN);
    fails(EFAULT, poller_modify_fd, h, 0, SIFR_POLLIN);
    fails(EFAULT, poller_remove_fd, h, 0);
    fails(EFAULT, poller_wait, h, &e, 0);
    fails(EFAULT, poller_wait_all, h, &e, 1, 0);
    fails(EFAULT, poller_fd, h, &fd);
    before = h;
    fails(EFAULT, poller_destroy, &h);
    ck_assert_ptr_eq(h, before);
    fails(EFAULT, poller_destroy, NULL);
}
END_TEST

START_TEST(what_is_no_socket)
{
    void *h;

    ONLY_WITH(poller_new);
    h = _i < FOREIGN ? foreign(_i, world.ctx) : new_socket(SIFR_PAIR);
    if (_i == FOREIGN)
        drop(h);
    fails(ENOTSOCK, poller_add, poller, h, NULL, SIFR_POLLIN);
    fails(ENOTSOCK, poller_modify, poller, h, SIFR_POLLIN);
    fails(ENOTSOCK, poller_remove, poller, h);
}
END_TEST

START_TEST(a_socket_there_or_not)
{
    sifr_socket_t *third;

    ONLY_WITH(poller_new);
    third = new_socket(SIFR_PAIR);
    fails(EINVAL, poller_add, poller, other, NULL, SIFR_POLLOUT);
    fails(EINVAL, poller_add, poller, third, NULL, 16);
    fails(EINVAL, poller_add, poller, third, NULL, -1);
    fails(EINVAL, poller_modify, poller, third, SIFR_POLLIN);
    fails(EINVAL, poller_modify, poller, other, 16);
    fails(EINVAL, poller_remove, poller, third);
}
END_TEST

START_TEST(a_descriptor_there_or_not)
{
    int ends[2];

    ONLY_WITH(poller_new);
    ck_works(pipe(ends));
    fails(EBADF, poller_add_fd, poller, -1, NULL, SIFR_POLLIN);
    fails(EBADF, poller_modify_fd, poller, -1, SIFR_POLLIN);
    fails(EBADF, poller_remove_fd, poller, -1);
    fails(EINVAL, poller_add_fd, poller, ends[0], NULL, 16);
    fails(EINVAL, poller_modify_fd, poller, ends[0], SIFR_POLLIN);
    fails(EINVAL, poller_remove_fd, poller, ends[0]);
    matrix.unharmed = NULL;
    ck_works(sifr_poller_add_fd(poller, ends[0], NULL, SIFR_POLLIN));
    fails(EINVAL, poller_add_fd, poller, ends[0], NULL, SIFR_POLLIN);
    fails(EINVAL, poller_modify_fd, poller, ends[0], 16);
    ck_assert_int_eq(sifr_poller_size(poller), 2);
    ck_works(sifr_poller_remove_fd(poller, ends[0]));
    fails(EINVAL, poller_remove_fd, poller, ends[0]);
    it_has_the_other();
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_time_that_passes)
{
    sifr_poller_event_t e[2];

    ONLY_WITH(poller_new);
    for (long timeout = 0; timeout < 10; timeout += 5) {
        memset(e, 7, sizeof e);
        fails(EAGAIN, poller_wait, poller, e, timeout);
        names_nothing(e);
        memset(e, 7, sizeof e);
        fails(EAGAIN, poller_wait_all, poller, e, 2, timeout);
        names_nothing(&e[0]);
        names_nothing(&e[1]);
    }
    fails(EAGAIN, poller_wait_all, poller, e, 0, 0);
    fails(EINVAL, poller_wait_all, poller, e, -1, 0);
    fails(EFAULT, poller_wait, poller, NULL, 0);
    fails(EFAULT, poller_wait_all, poller, NULL, 1, 0);
}
END_TEST

START_TEST(a_wait_for_nothing)
{
    sifr_poller_event_t e;

    ONLY_WITH(poller_new);
    matrix.unharmed = NULL;
    ck_works(sifr_poller_modify(poller, other, 0));
    fails(EFAULT, poller_wait, poller, &e, -1);
    fails(EFAULT, poller_wait_all, poller, &e, 1, -1);
    fails(EAGAIN, poller_wait, poller, &e, 1);
    ck_works(sifr_poller_modify(poller, other, SIFR_POLLIN));
    it_has_the_other();
}
END_TEST

START_TEST(a_socket_closed_before_it_was_removed)
{
    sifr_poller_event_t e;
    sifr_socket_t *third;

    ONLY_WITH(poller_new);
    matrix.unharmed = NULL;
    third = new_socket(SIFR_PAIR);
    ck_works(sifr_poller_add(poller, third, NULL, SIFR_POLLIN));
    drop(third);
    fails(ENOTSOCK, poller_wait, poller, &e, 0);
    fails(ENOTSOCK, poller_wait_all, poller, &e, 1, -1);
    ck_works(sifr_poller_remove(poller, third));
    it_has_the_other();
}
END_TEST

START_TEST(a_socket_whose_context_ends)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *third = sifr_socket(ctx, SIFR_PAIR);
    sifr_poller_event_t e;

    ONLY_WITH(poller_new);
    matrix.unharmed = NULL;
    ck_works(sifr_poller_add(poller, third, NULL, SIFR_POLLIN));
    ck_works(sifr_ctx_shutdown(ctx));
    fails(ETERM, poller_wait, poller, &e, 0);
    fails(ETERM, poller_wait_all, poller, &e, 1, -1);
    ck_works(sifr_poller_remove(poller, third));
    ck_works(sifr_close(third));
    ck_works(sifr_ctx_term(ctx));
    it_has_the_other();
}
END_TEST

START_TEST(a_signal_while_it_waits)
{
    sifr_poller_event_t e;

    ONLY_WITH(poller_new);
    matrix.unharmed = NULL;
    if (_i)
        ck_works(sifr_poller_add_fd(poller, STDERR_FILENO, NULL, SIFR_POLLPRI));
    begin_signals();
    fails(EINTR, poller_wait, poller, &e, -1);
    fails(EINTR, poller_wait_all, poller, &e, 1, -1);
    end_signals();
    if (_i)
        ck_works(sifr_poller_remove_fd(poller, STDERR_FILENO));
    it_has_the_other();
}
END_TEST

START_TEST(no_descriptor_to_wait)
{
    sifr_poller_event_t e;
    sifr_socket_t *safe;
    int ends[2], fd = -77;

    ONLY_WITH(poller_new);
    matrix.unharmed = NULL;
    ck_works(pipe(ends));
    ck_works(sifr_poller_add_fd(poller, ends[0], NULL, SIFR_POLLIN));
    fails(EINVAL, poller_fd, poller, &fd); /* no socket of a type that it tells of */
    safe = new_socket(SIFR_CLIENT);
    ck_works(sifr_poller_add(poller, safe, NULL, SIFR_POLLIN));
    fails(EFAULT, poller_fd, poller, NULL);
    take_descriptors();
    fails(EMFILE, poller_wait, poller, &e, WAIT_MS);
    fails(EMFILE, poller_wait_all, poller, &e, 1, WAIT_MS);
    fails(EMFILE, poller_fd, poller, &fd);
    give_descriptors();
    ck_assert_int_eq(fd, -77);
    ck_works(sifr_poller_fd(poller, &fd));
    ck_works(sifr_poller_remove(poller, safe));
    ck_works(sifr_poller_remove_fd(poller, ends[0]));
    it_has_the_other();
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(no_memory_to_add)
{
    int err;

    ONLY_WITH(poller_new);
    runs_short(err, , poller_add, poller, one, NULL, 0);
    ck_works(sifr_poller_remove(poller, one));
    for (int fd = 1000; fd < 1030; fd++) /* more than it has room for */
        ck_works(sifr_poller_add_fd(poller, fd, NULL, 0));
    matrix.unharmed = NULL;
    runs_short(err, , poller_add_fd, poller, STDERR_FILENO, NULL, 0);
    ck_assert_int_eq(sifr_poller_size(poller), 32);
}
END_TEST

START_TEST(no_memory_for_a_poller)
{
    sifr_poller_t *p;

    runs_short(p, , poller_new, );
    ck_assert_int_eq(sifr_poller_size(p), 0);
    ck_works(sifr_poller_destroy(&p));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/poll");
    TCase *c = new_case(s, "polls");

    add(c, a_list_that_is_none);
    add_loop(c, an_item_that_is_no_socket, 0, FOREIGN + 1);
    add(c, an_item_whose_context_ends);
    add(c, a_signal_while_it_polls);
    add_loop(c, no_descriptor_to_poll, 0, 2);
    add_loop(c, no_memory_to_poll, 0, 2);
    c = new_bare_case(s, "pollers");
    tcase_add_checked_fixture(c, open_poller, close_poller);
    add_loop(c, what_is_no_poller, 0, FOREIGN + 1);
    add_loop(c, what_is_no_socket, 0, FOREIGN + 1);
    add(c, a_socket_there_or_not);
    add(c, a_descriptor_there_or_not);
    add(c, a_time_that_passes);
    add(c, a_wait_for_nothing);
    add(c, a_socket_closed_before_it_was_removed);
    add(c, a_socket_whose_context_ends);
    add_loop(c, a_signal_while_it_waits, 0, 2);
    add(c, no_descriptor_to_wait);
    add(c, no_memory_to_add);
    c = new_bare_case(s, "memory");
    add(c, no_memory_for_a_poller);
    return run_matrix(s);
}
