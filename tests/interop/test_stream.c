/* STREAM: the two libraries with each other, and one after the other with the same plain peer. */
#include "sides.h"

static const struct library *const libraries[] = {&ours, &theirs};

/* Receives (id, data): the data's size. */
static size_t recv_from(struct end *e, void *id, void *data, size_t room)
{
    int n = e->lib->recv(e->socket, id, 5, 0);

    ck_assert_msg(n == 5, "%s: %d, errno %d", e->lib->name, n, errno);
    ck_assert(end_more(e));
    n = e->lib->recv(e->socket, data, room, 0);
    ck_assert_int_ge(n, 0);
    ck_assert(!end_more(e));
    return (size_t)n;
}

static void recv_all(struct end *e, const void *id, const uint8_t *bytes, size_t size)
{
    static uint8_t piece[65536];
    uint8_t from[5];

    for (size_t at = 0; at < size;) {
        size_t n = recv_from(e, from, piece, sizeof piece);

        ck_assert_mem_eq(from, id, 5);
        ck_assert_uint_gt(n, 0);
        ck_assert_uint_le(n, size - at);
        ck_assert_mem_eq(piece, bytes + at, n);
        at += n;
    }
}

START_TEST(bytes_go_both_ways)
{
    struct end a = open_end(libraries[_i % 2], ZMQ_STREAM), b = open_end(libraries[1 - _i % 2], ZMQ_STREAM);
    struct endpoint at = end_bind_fresh(&a, TCP);
    uint8_t id_a[5], id_b[5], own[255], *bytes = malloc(300000);
    size_t size = sizeof own;

    ck_assert_ptr_nonnull(bytes);
    fill_bytes(bytes, 300000, 9);
    end_connect(&b, &at);
    ck_assert_int_eq(b.lib->get(b.socket, ZMQ_ROUTING_ID, own, &size), 0);
    ck_assert_uint_eq(size, 5);
    end_send(&b, own, 5, ZMQ_SNDMORE);
    end_send(&b, "early", 5, 0);
    ck_assert_uint_eq(recv_from(&a, id_a, bytes, 0), 0);
    ck_assert_uint_eq(recv_from(&b, id_b, bytes, 0), 0);
    ck_assert_mem_eq(own, id_b, 5);
    recv_all(&a, id_a, (const uint8_t *)"early", 5);
    for (int i = 0; i < 30; i++) {
        end_send(&a, id_a, 5, ZMQ_SNDMORE);
        end_send(&a, bytes + 10000 * i, 10000, 0);
    }
    recv_all(&b, id_b, bytes, 300000);
    end_send(&a, id_a, 5, ZMQ_SNDMORE);
    end_send(&a, "", 0, 0);
    eventually(!end_readable_within(&a, 0) && end_readable_within(&b, 1)); /* libzmq ends it when it is called next */
    ck_assert_uint_eq(recv_from(&b, own, bytes, 0), 0);
    ck_assert_mem_eq(own, id_b, 5);
    free(bytes);
    close_end(&a);
    close_end(&b);
}
END_TEST

static char *transcript;
static size_t written;

#define note(...) (written += (size_t)snprintf(transcript + written, 4096 - written, __VA_ARGS__))

static void note_recv(struct end *e, int flags)
{
    char data[300];
    int n = e->lib->recv(e->socket, data, sizeof data, flags);

    if (n < 0)
        note("recv %d\n", errno);
    else if (n == 5 && data[0] == 0)
        note("recv id more %d\n", end_more(e));
    else
        note("recv '%.*s' more %d\n", n, data, end_more(e));
}

static void note_send(struct end *e, const void *bytes, size_t size, int flags)
{
    int n = e->lib->send(e->socket, bytes, size, flags);

    note("send %d errno %d\n", n, n < 0 ? errno : 0);
}

static void note_get(struct end *e, int option)
{
    int value = -1;
    size_t size = sizeof value;
    int err = e->lib->get(e->socket, option, &value, &size);

    note("get %d: %d %d\n", option, err, err ? errno : value);
}

static void note_set(struct end *e, int option, int value)
{
    int err = e->lib->set(e->socket, option, &value, sizeof value);

    note("set %d %d: %d %d\n", option, value, err, err ? errno : 0);
}

/* The same with one library. */
static void act(const struct library *lib, char *to)
{
    struct end e = open_end(lib, ZMQ_STREAM);
    struct sockaddr_in a;
    struct endpoint at = end_bind_fresh(&e, TCP);
    char id[5], got[16];
    int fd;

    transcript = to;
    written = 0;
    note_get(&e, ZMQ_EVENTS);
    note_get(&e, ZMQ_THREAD_SAFE);
    note_set(&e, ZMQ_STREAM_NOTIFY, 2);
    note_set(&e, ZMQ_STREAM_NOTIFY, -1);
    note_set(&e, ZMQ_ROUTER_MANDATORY, 1);
    note_set(&e, ZMQ_PROBE_ROUTER, 1);
    note_send(&e, "nobody", 6, ZMQ_SNDMORE);
    note_send(&e, "nobody", 6, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    note_recv(&e, ZMQ_DONTWAIT);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a = own_address(atoi(strrchr(at.text, ':') + 1));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(e.lib->recv(e.socket, id, 5, 0), 5);
    note_recv(&e, 0);
    ck_assert_int_eq(send(fd, "hello", 5, 0), 5);
    note_recv(&e, 0);
    note_recv(&e, 0);
    note_get(&e, ZMQ_EVENTS);
    note_send(&e, id, 5, ZMQ_SNDMORE);
    note_send(&e, "one", 3, 0);
    note_send(&e, id, 5, ZMQ_SNDMORE);
    note_send(&e, "two", 3, ZMQ_SNDMORE);
    note_send(&e, id, 5, ZMQ_SNDMORE);
    note_send(&e, "three", 5, 0);
    ck_assert_int_eq(recv(fd, got, 11, MSG_WAITALL), 11);
    note("got '%.11s'\n", got);
    ck_assert_int_eq(send(fd, "bye", 3, 0), 3);
    close(fd);
    note_recv(&e, 0);
    note_recv(&e, 0);
    note_recv(&e, 0);
    note_recv(&e, 0);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(e.lib->recv(e.socket, id, 5, 0), 5);
    note_recv(&e, 0);
    note_send(&e, id, 5, ZMQ_SNDMORE);
    note_send(&e, "", 0, 0);
    while (recv(fd, got, 1, MSG_DONTWAIT) < 0)
        ck_assert(!end_readable_within(&e, 1)); /* libzmq ends it when it is called next */
    close(fd);
    ck_assert(!end_readable_within(&e, 50));
    note_send(&e, id, 5, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    close_end(&e);
}

START_TEST(both_libraries_tell_the_program_the_same)
{
    char by_us[4096], by_them[4096];

    act(&ours, by_us);
    act(&theirs, by_them);
    ck_assert_str_eq(by_us, by_them);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stream");
    TCase *c = new_bare_case(s, "stream");

    tcase_add_loop_test(c, bytes_go_both_ways, 0, 2);
    tcase_add_test(c, both_libraries_tell_the_program_the_same);
    return run_suite(s);
}
