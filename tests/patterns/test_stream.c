/* STREAM: raw peers by id, with notices. */
#include "fake.h"

#include "patterns/collect.c"
#include "patterns/route.c"
#include "patterns/router.c"
#include "patterns/stream.c"

/* Sends to a peer by its id: the result of the first failure, or 0. */
static int send_to(int i, const char *text, bool more)
{
    const struct sf_route_id *id = sf_route_id(peer(i));
    int err = send_bytes((const char *)id->bytes, id->size, true, false);

    return err ? err : send_frame(text, more);
}

/* Receives (id, text) from a peer. */
static void recv_from(int line, int i, const char *text)
{
    const struct sf_route_id *id = sf_route_id(peer(i));
    struct sf_msg m;

    sf_msg_init(&m);
    ck_assert_msg(sock.pattern->recv(&sock, &m) == 0, "line %d: nothing there", line);
    ck_assert_uint_eq(sf_msg_size(&m), id->size);
    ck_assert_mem_eq(sf_msg_data(&m), id->bytes, id->size);
    ck_assert(sf_msg_more(&m));
    ck_assert_int_eq(sock.pattern->recv(&sock, &m), 0);
    ck_assert_msg(sf_msg_size(&m) == strlen(text) && memcmp(sf_msg_data(&m), text, strlen(text)) == 0,
                  "line %d: '%.*s'", line, (int)sf_msg_size(&m), (char *)sf_msg_data(&m));
    ck_assert(!sf_msg_more(&m));
    sf_msg_close(&m);
}

#define ck_recv_from(i, text) recv_from(__LINE__, i, text)

START_TEST(coming_and_going_are_noticed_around_the_bytes)
{
    open_socket(&sf_pattern_stream);
    ck_assert(sock.raw);
    ck_assert_int_eq(events(), SIFR_POLLOUT);
    attach(0);
    ck_assert_uint_eq(sf_route_id(peer(0))->size, 5);
    ck_assert_uint_eq(sf_route_id(peer(0))->bytes[0], 0);
    arrive(0, "GET /");
    ck_assert_int_eq(events(), SIFR_POLLIN | SIFR_POLLOUT);
    ck_recv_from(0, "");
    ck_recv_from(0, "GET /");
    arrive(0, "more");
    end(0);
    ck_recv_from(0, "more");
    ck_recv_from(0, "");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(notices_may_be_done_without)
{
    open_socket(&sf_pattern_stream);
    ck_assert_int_eq(set_int(SIFR_STREAM_NOTIFY, 2), -EINVAL);
    ck_assert_int_eq(set_int(SIFR_STREAM_NOTIFY, -1), -EINVAL);
    ck_assert_int_eq(set_int(SIFR_STREAM_NOTIFY, 0), 0);
    attach(0);
    arrive(0, "x");
    end(0);
    ck_recv_from(0, "x");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(bytes_go_to_whom_the_id_names)
{
    open_socket(&sf_pattern_stream);
    attach(0), attach(1);
    ck_assert_int_eq(send_to(1, "one", false), 0);
    ck_assert_int_eq(send_to(0, "two", true), 0); /* that more follow is of no account */
    ck_assert_int_eq(send_to(1, "three", false), 0);
    ck_sent(0, "two");
    ck_sent(1, "one");
    ck_sent(1, "three");
    ck_assert_int_eq(send_frame("nobody", true), -EHOSTUNREACH);
    fakes[1].room = 0;
    ck_assert_int_eq(send_to(1, "x", false), -EAGAIN);
    fakes[1].room = 1;
    end(1);
    ck_assert_int_eq(send_to(1, "x", false), -EHOSTUNREACH);
    ck_assert_int_eq(send_to(0, "y", false), 0);
    close_socket();
}
END_TEST

START_TEST(nothing_ends_a_connection)
{
    open_socket(&sf_pattern_stream);
    attach(0), attach(1);
    ck_recv_from(0, "");
    ck_recv_from(1, "");
    arrive(0, "unread");
    ck_assert_int_eq(send_to(0, "bye", false), 0);
    ck_assert_int_eq(send_to(0, "", false), 0);
    ck_assert(fakes[0].closed && !fakes[1].closed);
    ck_sent(0, "bye");
    ck_sent(0, "nothing");
    ck_assert_int_eq(send_to(0, "x", false), -EHOSTUNREACH);
    ck_recv("EAGAIN"); /* neither what it sent nor that it is gone */
    detach(0);
    ck_recv("EAGAIN");
    ck_assert_int_eq(send_to(1, "x", false), 0);
    close_socket();
}
END_TEST

START_TEST(what_is_dialed_has_its_id_at_once)
{
    char id[256];
    size_t size = sizeof id;

    open_socket(&sf_pattern_stream);
    ck_assert_int_eq(sock.pattern->get(&sock, SIFR_ROUTING_ID, id, &size), 0);
    ck_assert_uint_eq(size, 0);
    dial(0);
    size = sizeof id;
    ck_assert_int_eq(sock.pattern->get(&sock, SIFR_ROUTING_ID, id, &size), 0);
    ck_assert_uint_eq(size, 5);
    ck_assert_mem_eq(id, sf_route_id(peer(0))->bytes, 5);
    ck_assert_int_eq(send_to(0, "early", false), 0);
    ck_recv("EAGAIN");
    join(0);
    ck_recv_from(0, "");
    prepare(1);
    fakes[1].peer.given_id = (uint8_t *)strdup("mine");
    fakes[1].peer.given_id_size = 4;
    dial(1);
    size = sizeof id;
    ck_assert_int_eq(sock.pattern->get(&sock, SIFR_ROUTING_ID, id, &size), 0);
    ck_assert_mem_eq(id, sf_route_id(peer(0))->bytes, 5); /* still of the first */
    ck_assert_int_eq(send_frame("mine", true), 0);
    ck_assert_int_eq(send_frame("x", false), 0);
    ck_sent(1, "x");
    size = 4;
    ck_assert_int_eq(sock.pattern->get(&sock, SIFR_ROUTING_ID, id, &size), -EINVAL);
    arrive(0, "last");
    lose(0); /* what is dialed is lost, then ends */
    end(0);
    ck_recv_from(0, "last");
    ck_recv_from(0, "");
    ck_recv("EAGAIN");
    close_socket();
}
END_TEST

START_TEST(a_raw_router_gives_no_notices)
{
    open_socket(&sf_pattern_router);
    ck_assert_int_eq(set_int(SIFR_ROUTER_RAW, -1), -EINVAL);
    ck_assert_int_eq(set_int(SIFR_ROUTER_RAW, 1), 0);
    ck_assert(sock.raw);
    attach(0);
    arrive(0, "x");
    ck_recv_from(0, "x");
    ck_assert_int_eq(send_frame("nobody", true), 0);
    ck_assert_int_eq(send_frame("y", false), 0);
    ck_assert_int_eq(send_to(0, "z", true), 0);
    ck_sent(0, "z");
    ck_assert_int_eq(send_to(0, "", false), 0);
    ck_assert(fakes[0].closed);
    close_socket();
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, coming_and_going_are_noticed_around_the_bytes);
    tcase_add_test(tcase, notices_may_be_done_without);
    tcase_add_test(tcase, bytes_go_to_whom_the_id_names);
    tcase_add_test(tcase, nothing_ends_a_connection);
    tcase_add_test(tcase, what_is_dialed_has_its_id_at_once);
    tcase_add_test(tcase, a_raw_router_gives_no_notices);
}

int main(void)
{
    return run_suite("stream", add);
}
