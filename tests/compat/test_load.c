/* Loading the library, and leaving a process that has used it, changes nothing. */
#include <zmq.h>

#include "quick_check.h"

#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The file that this program was linked with. */
static const char *library(void)
{
    Dl_info info;

    ck_assert_int_ne(dladdr((void *)(size_t)&zmq_version, &info), 0);
    return info.dli_fname;
}

static int entries_of(const char *path)
{
    DIR *folder = opendir(path);
    int n = 0;

    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static void signals_of(struct sigaction actions[65])
{
    memset(actions, 0, 65 * sizeof *actions);
    for (int i = 1; i < 65; i++)
        sigaction(i, NULL, &actions[i]);
}

START_TEST(a_copy_loaded_anew_starts_nothing_and_opens_nothing)
{
    char copy[] = "/tmp/sifr-load-XXXXXX", command[1024];
    struct sigaction before[65], after[65];
    int threads, descriptors, (*has)(const char *), fd = mkstemp(copy);
    sigset_t mask_before, mask_after;
    void *loaded;

    ck_assert_int_ge(fd, 0);
    close(fd);
    snprintf(command, sizeof command, "cp '%s' '%s'", library(), copy);
    ck_assert_int_eq(system(command), 0);
    signals_of(before);
    sigprocmask(SIG_SETMASK, NULL, &mask_before);
    threads = entries_of("/proc/self/task");
    descriptors = entries_of("/proc/self/fd");

    loaded = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(loaded != NULL, "%s", dlerror());
    unlink(copy);
    *(void **)(void *)&has = dlsym(loaded, "zmq_has");
    ck_assert(has != NULL && has != zmq_has);
    ck_assert_int_eq(has("ipc"), 1);

    ck_assert_int_eq(entries_of("/proc/self/task"), threads);
    ck_assert_int_eq(entries_of("/proc/self/fd"), descriptors);
    signals_of(after);
    for (int i = 1; i < 65; i++)
        ck_assert(before[i].sa_handler == after[i].sa_handler && before[i].sa_flags == after[i].sa_flags);
    sigprocmask(SIG_SETMASK, NULL, &mask_after);
    ck_assert_mem_eq(&mask_before, &mask_after, sizeof mask_before);
    dlclose(loaded);
}
END_TEST

START_TEST(a_context_alone_starts_no_thread)
{
    int threads = entries_of("/proc/self/task");
    void *ctx = zmq_ctx_new();

    ck_assert_ptr_nonnull(ctx);
    ck_assert_int_eq(entries_of("/proc/self/task"), threads);
    ck_assert_int_eq(zmq_ctx_term(ctx), 0);
}
END_TEST

/* Ends a process in the midst of everything; says with what. */
static int leave(bool forked)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        void *ctx = zmq_ctx_new(), *push = zmq_socket(ctx, ZMQ_PUSH), *pull = zmq_socket(ctx, ZMQ_PULL);
        zmq_pollitem_t item = {pull, 0, ZMQ_POLLIN, 0};

        zmq_bind(pull, "tcp://127.0.0.1:*");
        zmq_connect(push, "tcp://127.0.0.1:1");
        zmq_send(push, "never arrives", 13, 0);
        zmq_poll(&item, 1, 1);
        if (forked && fork() == 0) {
            zmq_close(push);
            zmq_close(pull);
            zmq_ctx_term(ctx);
            exit(0);
        }
        exit(7);
    }
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

START_TEST(a_process_may_end_with_all_of_it_open)
{
    for (int n = 0; n < 20; n++)
        ck_assert_int_eq(leave(n % 2), 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load");
    SRunner *runner = srunner_create(suite);
    TCase *c = tcase_create("load");
    int failed;

    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_copy_loaded_anew_starts_nothing_and_opens_nothing);
    tcase_add_test(c, a_context_alone_starts_no_thread);
    tcase_add_test(c, a_process_may_end_with_all_of_it_open);
    suite_add_tcase(suite, c);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
