/* A million numbered messages between sifr and libzmq: none lost, none out of order. */
#include "sides.h"

enum { MESSAGES = 1000000 };

static void *send_all(void *arg)
{
    struct end *push = arg;

    for (uint64_t n = 0; n < MESSAGES; n++)
        end_send(push, &n, sizeof n, 0);
    return NULL;
}

/* One bit each: who is sifr; over what, and who binds. */
START_TEST(a_million_messages_arrive_in_order)
{
    struct end push = open_end(_i & 1 ? &ours : &theirs, ZMQ_PUSH), pull = open_end(_i & 1 ? &theirs : &ours, ZMQ_PULL);
    struct endpoint at = end_bind_fresh(_i & 2 ? &push : &pull, _i & 2 ? IPC : TCP);
    pthread_t sender;

    end_connect(_i & 2 ? &pull : &push, &at);
    sender = start_thread(send_all, &push);
    for (uint64_t n = 0; n < MESSAGES; n++) {
        uint64_t got;
        int size = pull.lib->recv(pull.socket, &got, sizeof got, 0);

        if (size != sizeof got || got != n) /* a million calls of ck_assert take their time */
            ck_abort_msg("%s received %d bytes, %llu instead of %llu, errno %d", pull.lib->name, size,
                         (unsigned long long)got, (unsigned long long)n, errno);
    }
    pthread_join(sender, NULL);
    ck_assert(!end_readable_within(&pull, 0));
    close_end(&push);
    close_end(&pull);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("a million messages");
    TCase *c = new_bare_case(s, "stream");

    tcase_set_timeout(c, 2 * CASE_SECONDS);
    tcase_add_loop_test(c, a_million_messages_arrive_in_order, 0, 4);
    return run_suite(s);
}
