/* A child of a fork leaves its parent's sockets alone, and has its own. */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>

/* In the child, where ck_assert would speak for the parent. */
#define require(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "child, line %d: not %s, errno %d (%s)\n", __LINE__, #condition, errno, strerror(errno));  \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

#define require_error(call, error)                                                                                     \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        require((call) == -1 && errno == (error));                                                                     \
    } while (0)

#if defined(__SANITIZE_THREAD__)
enum { QUIET = 1, THREADS_IN_CHILD = 0 }; /* it ends a child of many threads that makes another */
#elif defined(__SANITIZE_ADDRESS__)
enum { QUIET = 1, THREADS_IN_CHILD = 1 };
#else
enum { QUIET = 0, THREADS_IN_CHILD = 1 };
#endif

/* Whether the process's other threads all sleep. */
static bool others_sleep(void)
{
    DIR *folder = opendir("/proc/self/task");
    struct dirent *entry;
    bool all = true;

    while (folder && (entry = readdir(folder))) {
        char path[300], state = 'S';
        FILE *f;

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", entry->d_name);
        f = fopen(path, "r");
        if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
            state = 'R';
        if (f)
            fclose(f);
        all = all && state == 'S';
    }
    if (folder)
        closedir(folder);
    return all;
}

/*
 * Forks in whatever the library does just then. The sanitizers' allocators are
 * not made for that (a lock of theirs that another thread holds stays held in
 * the child), so with them the library's threads have come to rest first.
 */
static pid_t fork_anywhere(void)
{
    if (QUIET)
        for (int n = 0; n < 3; n++)
            eventually(others_sleep());
    return fork();
}

static void await_child(pid_t child)
{
    int status = -1;

    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(in_the_child_the_parents_sockets_answer_eintr)
{
    sifr_socket_t *a, *b;
    pid_t child;

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    send_parts(a, "before");
    ck_assert(readable(b));
    child = fork_anywhere();
    if (child == 0) {
        sifr_pollitem_t item = {.socket = b, .events = SIFR_POLLIN};
        int events;
        size_t size = sizeof events;

        require_error(sifr_recv(b, NULL, 0, 0), EINTR);
        require_error(sifr_recv(b, NULL, 0, SIFR_DONTWAIT), EINTR);
        require_error(sifr_send(a, "child", 5, 0), EINTR);
        require_error(sifr_send(a, "child", 5, SIFR_DONTWAIT), EINTR);
        require_error(sifr_getsockopt(b, SIFR_EVENTS, &events, &size), EINTR);
        require_error(sifr_poll(&item, 1, -1), EINTR);
        require(sifr_close(a) == 0);
        require(sifr_close(b) == 0);
        require(sifr_ctx_term(world.ctx) == 0 || errno == EINTR);
        _exit(0);
    }
    await_child(child);
    recv_parts(b, "before");
    for (int n = 0; n < 100; n++) {
        send_parts(a, "after", "wards");
        recv_parts(b, "after", "wards");
        send_parts(b, "back");
        recv_parts(a, "back");
    }
}
END_TEST

static void exchange_in_child(void)
{
    open_world();
    for (int way = 0; way < WAYS; way++) {
        sifr_socket_t *a = sifr_socket(world.ctx, SIFR_PAIR), *b = sifr_socket(world.ctx, SIFR_PAIR);
        struct endpoint e = fresh_endpoint((enum transport)(way / 2));

        sifr_pollitem_t items[] = {{.socket = a, .events = SIFR_POLLIN}, {.socket = b, .events = SIFR_POLLIN}};

        require(a && b);
        require(sifr_bind(a, e.text) == 0 && sifr_connect(b, e.text) == 0);
        require(sifr_poll(items, 2, 1) == 0);
        require(sifr_send(a, "child", 5, 0) == 5 && sifr_poll(items, 2, -1) == 1);
        require(items[1].revents == SIFR_POLLIN && sifr_recv(b, NULL, 0, 0) == 5);
        require(sifr_send(b, "child", 5, 0) == 5 && sifr_recv(a, NULL, 0, 0) == 5);
        require(sifr_close(a) == 0 && sifr_close(b) == 0);
    }
    require(sifr_ctx_term(world.ctx) == 0);
}

START_TEST(a_child_makes_a_context_of_its_own)
{
    sifr_socket_t *a, *b;
    pid_t children[3];

    new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, _i);
    ck_assert(!readable_within(b, 1)); /* what poll keeps is the parent's, too */
    for (int i = 0; i < COUNT(children); i++) {
        send_parts(a, "first", "of the parent");
        children[i] = fork_anywhere();
        if (children[i] == 0) {
            exchange_in_child();
            _exit(0);
        }
        recv_parts(b, "first", "of the parent");
    }
    for (int i = 0; i < COUNT(children); i++)
        await_child(children[i]);
    send_parts(b, "then", "of the parent");
    recv_parts(a, "then", "of the parent");
}
END_TEST

START_TEST(a_child_talks_to_its_parent_over_a_wire)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(pull, (enum transport)_i);
    pid_t child;

    child = fork_anywhere();
    if (child == 0) {
        sifr_ctx_t *ctx = sifr_ctx_new();
        sifr_socket_t *push = sifr_socket(ctx, SIFR_PUSH);

        require(ctx && push);
        require(sifr_connect(push, e.text) == 0);
        for (int n = 0; n < 1000; n++)
            require(sifr_send(push, &n, sizeof n, 0) == sizeof n);
        require(sifr_close(push) == 0);
        require(sifr_ctx_term(ctx) == 0);
        _exit(0);
    }
    for (int n = 0; n < 1000; n++)
        recv_bytes(pull, &n, sizeof n, false);
    await_child(child);
}
END_TEST

START_TEST(the_parents_ports_are_free_though_a_child_lives)
{
    sifr_socket_t *pull = new_socket(SIFR_PULL);
    struct endpoint e = bind_fresh(pull, TCP);
    int fds[2];
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(fds), 0);
    child = fork_anywhere();
    if (child == 0) { /* a child that execs keeps nothing of ours */
        dup2(fds[0], STDIN_FILENO);
        close(fds[1]);
        execlp("sh", "sh", "-c", "read line; exit 0", (char *)NULL);
        _exit(1);
    }
    close(fds[0]);
    drop(pull);
    pull = new_socket(SIFR_PULL);
    rebind_to(pull, &e);
    byte = '\n';
    ck_assert_int_eq(write(fds[1], &byte, 1), 1);
    await_child(child);
    close(fds[1]);
}
END_TEST

START_TEST(all_descriptors_close_on_exec)
{
    int before[256], count = 0, number;
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    sifr_socket_t *a, *b;

    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder)) && count < COUNT(before))
        before[count++] = atoi(entry->d_name);
    for (int way = 0; way < WAYS; way++) {
        new_link(&a, SIFR_PAIR, &b, SIFR_PAIR, way);
        get_int(a, SIFR_FD);
        send_parts(a, "x");
        recv_parts(b, "x");
    }
    rewinddir(folder);
    while ((entry = readdir(folder))) {
        bool old = false;

        number = atoi(entry->d_name);
        for (int i = 0; i < count; i++)
            old = old || before[i] == number;
        if (!old)
            ck_assert_msg(fcntl(number, F_GETFD) & FD_CLOEXEC, "descriptor %d survives exec", number);
    }
    closedir(folder);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fork");
    TCase *c = new_case(s, "fork");

    tcase_add_loop_test(c, in_the_child_the_parents_sockets_answer_eintr, 0, WAYS);
    if (THREADS_IN_CHILD) {
        tcase_add_loop_test(c, a_child_makes_a_context_of_its_own, 0, WAYS);
        tcase_add_loop_test(c, a_child_talks_to_its_parent_over_a_wire, 0, INPROC);
    }
    tcase_add_test(c, the_parents_ports_are_free_though_a_child_lives);
    tcase_add_test(c, all_descriptors_close_on_exec);
    return run_suite(s);
}
