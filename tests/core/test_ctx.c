/* Options of a context as bytes, and what the library says of itself. */
#include "support.h"

#include <dirent.h>

START_TEST(numbers_pass_as_four_bytes)
{
    static const int options[] = {SIFR_IO_THREADS, SIFR_MAX_SOCKETS, SIFR_THREAD_SCHED_POLICY, SIFR_MAX_MSGSZ,
                                  SIFR_THREAD_NAME_PREFIX, SIFR_ZERO_COPY_RECV, SIFR_IPV6, SIFR_BLOCKY};

    for (int i = 0; i < COUNT(options); i++) {
        char bytes[9];
        int value = 1;
        size_t size = 4;

        memcpy(bytes + 1, &value, 4); /* at any alignment */
        ck_works(sifr_ctx_set_ext(world.ctx, options[i], bytes + 1, 4));
        ck_assert_int_eq(sifr_ctx_get(world.ctx, options[i]), 1);
        memset(bytes, 0x55, sizeof bytes);
        ck_works(sifr_ctx_get_ext(world.ctx, options[i], bytes + 3, &size));
        memcpy(&value, bytes + 3, 4);
        ck_assert_int_eq(value, 1);
        ck_assert(bytes[2] == 0x55 && bytes[7] == 0x55);
        ck_assert_uint_eq(size, 4);
    }
}
END_TEST

START_TEST(other_sizes_and_values_are_refused)
{
    int value = 1;
    char bytes[16] = {0};

    for (size_t size = 0; size < 10; size++) {
        size_t room = size;

        if (size == 4)
            continue;
        ck_fails(sifr_ctx_set_ext(world.ctx, SIFR_IO_THREADS, bytes, size), EINVAL);
        ck_fails(sifr_ctx_get_ext(world.ctx, SIFR_IO_THREADS, bytes, &room), EINVAL);
    }
    ck_fails(sifr_ctx_set_ext(world.ctx, SIFR_MAX_SOCKETS, &(int){0}, 4), EINVAL);
    ck_fails(sifr_ctx_set_ext(world.ctx, SIFR_SOCKET_LIMIT, &(int){-1}, 4), EINVAL);
    ck_fails(sifr_ctx_set_ext(world.ctx, 4711, &value, 4), EINVAL);
    ck_fails(sifr_ctx_set_ext(world.ctx, SIFR_IO_THREADS, NULL, 4), EINVAL);
    ck_fails(sifr_ctx_set_ext(NULL, SIFR_IO_THREADS, &value, 4), EFAULT);
    ck_fails(sifr_ctx_get_ext(NULL, SIFR_IO_THREADS, &value, &(size_t){4}), EFAULT);
    ck_fails(sifr_ctx_get_ext(world.ctx, 4711, &value, &(size_t){4}), EINVAL);
    ck_fails(sifr_ctx_get_ext(world.ctx, SIFR_THREAD_AFFINITY_CPU_ADD, &value, &(size_t){4}), EINVAL);
    ck_fails(sifr_ctx_get_ext(world.ctx, SIFR_IO_THREADS, NULL, &(size_t){4}), EINVAL);
    ck_fails(sifr_ctx_get_ext(world.ctx, SIFR_IO_THREADS, &value, NULL), EINVAL);
}
END_TEST

/* Whether a thread of this process has a name that begins so. */
static bool has_thread(const char *name)
{
    DIR *threads = opendir("/proc/self/task");
    bool found = false;

    ck_assert_ptr_nonnull(threads);
    for (struct dirent *d; !found && (d = readdir(threads));) {
        char path[300], comm[64] = "";
        FILE *f;

        snprintf(path, sizeof path, "/proc/self/task/%s/comm", d->d_name);
        f = fopen(path, "r");
        if (!f)
            continue;
        found = fgets(comm, sizeof comm, f) && strncmp(comm, name, strlen(name)) == 0;
        fclose(f);
    }
    closedir(threads);
    return found;
}

START_TEST(the_name_prefix_may_be_text)
{
    char text[32];
    size_t size;

    ck_fails(sifr_ctx_set_ext(world.ctx, SIFR_THREAD_NAME_PREFIX, "", 0), EINVAL);
    ck_fails(sifr_ctx_set_ext(world.ctx, SIFR_THREAD_NAME_PREFIX, "12345678901234567", 17), EINVAL);
    ck_works(sifr_ctx_set_ext(world.ctx, SIFR_THREAD_NAME_PREFIX, "1234567890123456", 16));
    ck_works(sifr_ctx_set_ext(world.ctx, SIFR_THREAD_NAME_PREFIX, "workers", 7));
    memset(text, 'x', sizeof text);
    size = sizeof text;
    ck_works(sifr_ctx_get_ext(world.ctx, SIFR_THREAD_NAME_PREFIX, text, &size));
    ck_assert_str_eq(text, "workers");
    memset(text, 'x', sizeof text);
    size = 7;
    ck_works(sifr_ctx_get_ext(world.ctx, SIFR_THREAD_NAME_PREFIX, text, &size));
    ck_assert_mem_eq(text, "workersx", 8);
    size = 6;
    ck_fails(sifr_ctx_get_ext(world.ctx, SIFR_THREAD_NAME_PREFIX, text, &size), EINVAL);
    ck_assert_int_eq(sifr_ctx_get(world.ctx, SIFR_THREAD_NAME_PREFIX), 0);
    new_socket(SIFR_PAIR);
    eventually(has_thread("workers/"));
}
END_TEST

START_TEST(the_library_says_what_it_can)
{
    ck_assert_int_eq(sifr_has("ipc"), 1);
    ck_assert_int_eq(sifr_has("draft"), 1);
    ck_assert_int_eq(sifr_has("tcp"), 0);
    ck_assert_int_eq(sifr_has("inproc"), 0);
    ck_assert_int_eq(sifr_has("IPC"), 0);
    ck_assert_int_eq(sifr_has("CURVE"), 0);
    ck_assert_int_eq(sifr_has(""), 0);
    ck_assert_int_eq(sifr_has(NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctx");
    TCase *c = new_case(suite, "ctx");

    tcase_add_test(c, numbers_pass_as_four_bytes);
    tcase_add_test(c, other_sizes_and_values_are_refused);
    tcase_add_test(c, the_name_prefix_may_be_text);
    tcase_add_test(c, the_library_says_what_it_can);
    return run_suite(suite);
}
