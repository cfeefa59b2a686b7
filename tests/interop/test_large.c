/* A message of 100 MB crosses between sifr and libzmq. */
#include "sides.h"

enum { SIZE = 100 * 1000 * 1000 };

START_TEST(a_hundred_megabytes_arrive)
{
    struct end push = open_end(_i & 1 ? &ours : &theirs, ZMQ_PUSH), pull = open_end(_i & 1 ? &theirs : &ours, ZMQ_PULL);
    struct endpoint at = end_bind_fresh(&pull, _i & 2 ? IPC : TCP);
    uint8_t *bytes = malloc(SIZE), *got = malloc(SIZE);

    ck_assert(bytes && got);
    fill_bytes(bytes, SIZE, 1);
    end_set_int(&pull, ZMQ_RCVTIMEO, 3 * WAIT_MS);
    end_connect(&push, &at);
    end_send(&push, bytes, SIZE, ZMQ_SNDMORE);
    end_send(&push, "end", 3, 0);
    ck_assert_int_eq(pull.lib->recv(pull.socket, got, SIZE, 0), SIZE);
    ck_assert(memcmp(got, bytes, SIZE) == 0);
    ck_assert(end_more(&pull));
    end_recv(&pull, "end", 3, false);
    free(bytes);
    free(got);
    close_end(&push);
    close_end(&pull);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("large messages");
    TCase *c = new_bare_case(s, "large");

    tcase_add_loop_test(c, a_hundred_megabytes_arrive, 0, 4);
    return run_suite(s);
}
