/* udp: RADIO to DISH, one to one, to groups and to all of a network; and DGRAM. */
#include "grouped.h"

#include <netinet/ip.h>

static struct endpoint bind_udp(sifr_socket_t *s, const char *host)
{
    struct endpoint e;

    snprintf(e.text, sizeof e.text, "udp://%s:*", host);
    bind_to(s, &e);
    return last_endpoint(s);
}

static int port_of(const struct endpoint *e)
{
    return atoi(strrchr(e->text, ':') + 1);
}

/* A socket of the system, on loopback. */
static int plain_socket(struct sockaddr_in *own)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    socklen_t size = sizeof *own;

    memset(own, 0, sizeof *own);
    own->sin_family = AF_INET;
    own->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)own, sizeof *own), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)own, &size), 0);
    return fd;
}

static void plain_send(int fd, int port, const void *bytes, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    to.sin_port = htons((uint16_t)port);
    ck_assert_int_eq(sendto(fd, bytes, size, 0, (struct sockaddr *)&to, sizeof to), (ssize_t)size);
}

START_TEST(a_radio_is_heard_by_who_bound)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    struct endpoint e = bind_udp(dish, _i ? "lo" : "127.0.0.1");

    ck_assert_int_eq(strncmp(e.text, "udp://127.0.0.1:", 16), 0);
    ck_assert_int_gt(port_of(&e), 0);
    ck_works(sifr_join(dish, "TV"));
    if (_i)
        snprintf(e.text, sizeof e.text, "udp://localhost:%d", port_of(&e));
    connect_to(radio, &e);
    ck_assert_str_eq(last_endpoint(radio).text, e.text);
    tell(radio, "no", "not for us");
    tell(radio, "TV", "Friends"); /* at once: nobody is waited for */
    tell(radio, "TVs", "neither");
    tell(radio, "", "nor this");
    tell(radio, "TV", "");
    hear(dish, "TV", "Friends");
    hear(dish, "TV", "");
    recv_nothing(dish);
    ck_works(sifr_join(dish, ""));
    tell(radio, "", "nogroup");
    hear(dish, "", "nogroup");
    ck_works(sifr_leave(dish, "TV"));
    tell(radio, "TV", "gone");
    tell(radio, "", "mark");
    hear(dish, "", "mark");
}
END_TEST

START_TEST(datagrams_are_as_libzmq_makes_them)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO);
    static char big[8192], got[9000];
    struct sockaddr_in own;
    char group[256], text[64];
    int fd = plain_socket(&own);

    snprintf(text, sizeof text, "udp://127.0.0.1:%d", ntohs(own.sin_port));
    ck_works(sifr_connect(radio, text));
    memset(group, 'g', 255);
    group[255] = 0;
    memset(big, 'Z', sizeof big - 1);
    tell(radio, "TV", "Friends");
    tell(radio, "", "nogroup");
    tell(radio, group, "long group");
    tell(radio, "TV", "");
    tell(radio, "big", big); /* of 8195 octets: lost */
    big[8188] = 0;
    tell(radio, "big", big);
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 10);
    ck_assert_mem_eq(got, "\2TVFriends", 10);
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 8);
    ck_assert_mem_eq(got, "\0nogroup", 8);
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 266);
    ck_assert_mem_eq(got, "\377ggg", 4);
    ck_assert_mem_eq(got + 256, "long group", 10);
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 3);
    ck_assert_mem_eq(got, "\2TV", 3);
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 8192);
    ck_assert_mem_eq(got, "\3bigZZ", 6);
    close(fd);
}
END_TEST

START_TEST(datagrams_that_are_cut_are_ignored)
{
    sifr_socket_t *dish = new_socket(SIFR_DISH);
    struct endpoint e = bind_udp(dish, "127.0.0.1");
    static char huge[9000];
    struct sockaddr_in own;
    int fd = plain_socket(&own), port = port_of(&e);

    memset(huge, 0, sizeof huge);
    ck_works(sifr_join(dish, "TV"));
    plain_send(fd, port, "\2TVx", 4);
    plain_send(fd, port, "\2noy", 4);
    plain_send(fd, port, "\x9TVz", 4);
    plain_send(fd, port, "", 0);
    plain_send(fd, port, "\377", 1);
    plain_send(fd, port, "\2T", 2);
    plain_send(fd, port, huge, sizeof huge);
    plain_send(fd, port, "\3TV\0x", 5);
    plain_send(fd, port, "\2TV", 3);
    hear(dish, "TV", "x");
    hear(dish, "TV", "");
    recv_nothing(dish);
    close(fd);
}
END_TEST

START_TEST(groups_of_the_network_are_heard_by_all_that_joined_them)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *one = new_socket(SIFR_DISH), *two = new_socket(SIFR_DISH);
    sifr_socket_t *other = new_socket(SIFR_DISH);
    struct endpoint e, elsewhere;

    snprintf(e.text, sizeof e.text, "udp://127.0.0.1;239.255.%d.1:%d", getpid() % 250, free_port());
    snprintf(elsewhere.text, sizeof elsewhere.text, "udp://127.0.0.1;239.255.%d.2:%d", getpid() % 250,
             port_of(&e));
    bind_to(one, &e);
    bind_to(two, &e);
    bind_to(other, &elsewhere);
    ck_assert_str_eq(last_endpoint(one).text, e.text);
    ck_works(sifr_join(one, "g"));
    ck_works(sifr_join(two, "g"));
    ck_works(sifr_join(other, "g"));
    connect_to(radio, &e);
    tell(radio, "g", "to all");
    hear(one, "g", "to all");
    hear(two, "g", "to all");
    ck_assert(!readable_within(other, 20)); /* at the same port, but another group */
    ck_works(sifr_unbind(one, e.text));
    tell(radio, "g", "to one");
    hear(two, "g", "to one");
    recv_nothing(one);
}
END_TEST

START_TEST(a_network_is_reached_by_its_broadcast_address)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    struct endpoint e = bind_udp(dish, "*");

    ck_works(sifr_join(dish, "g"));
    snprintf(e.text, sizeof e.text, "udp://127.255.255.255:%d", port_of(&e));
    connect_to(radio, &e);
    tell(radio, "g", "to everybody");
    hear(dish, "g", "to everybody");
}
END_TEST

START_TEST(ipv6_is_spoken_when_asked_for)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    struct endpoint e;

    ck_fails(sifr_bind(dish, "udp://[::1]:*"), ENODEV);
    set_int(dish, SIFR_IPV6, 1);
    set_int(radio, SIFR_IPV6, 1);
    e = bind_udp(dish, _i ? "*" : "[::1]");
    ck_works(sifr_join(dish, "g"));
    if (_i) /* both families */
        snprintf(e.text, sizeof e.text, "udp://127.0.0.1:%d", port_of(&e));
    connect_to(radio, &e);
    tell(radio, "g", "x");
    hear(dish, "g", "x");
}
END_TEST

/* Receives (address, text): the address goes to `to`. */
static int recv_datagram(sifr_socket_t *s, char *to, const char *text)
{
    int n = sifr_recv(s, to, 64, 0);

    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(to[n - 1], 0);
    ck_assert_uint_eq(strlen(to), (size_t)n - 1);
    ck_assert_int_eq(get_int(s, SIFR_RCVMORE), 1);
    recv_text(s, text, false);
    return n;
}

START_TEST(datagrams_are_answered_by_address)
{
    sifr_socket_t *a = new_socket(SIFR_DGRAM), *b = new_socket(SIFR_DGRAM);
    struct endpoint at_a = bind_udp(a, "127.0.0.1"), at_b = bind_udp(b, "127.0.0.1");
    char address[64];
    int n;

    send_parts(a, at_b.text + 6, "hello");
    n = recv_datagram(b, address, "hello");
    ck_assert_str_eq(address, at_a.text + 6);
    send_bytes(b, address, (size_t)n, SIFR_SNDMORE); /* as it came */
    send_text(b, "hello yourself", 0);
    recv_datagram(a, address, "hello yourself");
    ck_assert_str_eq(address, at_b.text + 6);
    send_parts(a, at_b.text + 6, "");
    recv_datagram(b, address, "");
    ck_assert_int_eq(get_int(a, SIFR_EVENTS), SIFR_POLLOUT);
    ck_assert_int_eq(get_int(a, SIFR_THREAD_SAFE), 0);
}
END_TEST

START_TEST(datagrams_come_from_and_go_to_anybody)
{
    sifr_socket_t *s = new_socket(SIFR_DGRAM);
    struct endpoint e = bind_udp(s, "127.0.0.1");
    struct sockaddr_in own;
    char address[64], got[64];
    int fd = plain_socket(&own);

    plain_send(fd, port_of(&e), "\2TVx", 4);
    recv_datagram(s, address, "\2TVx");
    send_parts(s, address, "echo");
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 4);
    ck_assert_mem_eq(got, "echo", 4);
    close(fd);
}
END_TEST

START_TEST(datagrams_go_to_groups_and_networks)
{
    sifr_socket_t *a = new_socket(SIFR_DGRAM), *b = new_socket(SIFR_DGRAM);
    struct endpoint e;
    char address[64], to[64];

    snprintf(e.text, sizeof e.text, "udp://127.0.0.1;239.255.%d.3:%d", getpid() % 250, free_port());
    bind_to(b, &e);
    if (_i == 0) {
        bind_to(a, &e); /* whose interface is then the one to send by */
        send_parts(a, strchr(e.text, ';') + 1, "to the group");
        recv_datagram(b, address, "to the group");
        recv_datagram(a, address, "to the group");
    } else {
        bind_udp(a, "*");
        snprintf(to, sizeof to, "127.255.255.255:%d", port_of(&e));
        send_parts(a, to, "to the network");
        recv_datagram(b, address, "to the network");
    }
}
END_TEST

START_TEST(a_dgram_message_has_two_parts)
{
    sifr_socket_t *s = new_socket(SIFR_DGRAM);
    struct endpoint e;
    char address[64];

    ck_assert_int_eq(get_int(s, SIFR_EVENTS), 0);
    ck_fails(sifr_send(s, "127.0.0.1:1", 11, SIFR_SNDMORE | SIFR_DONTWAIT), EAGAIN);
    e = bind_udp(s, "127.0.0.1");
    ck_fails(sifr_send(s, "alone", 5, 0), EINVAL);
    send_text(s, e.text + 6, SIFR_SNDMORE);
    ck_fails(sifr_send(s, "x", 1, SIFR_SNDMORE), EINVAL);
    send_text(s, "to myself", 0);
    send_parts(s, "nowhere", "is lost");
    send_parts(s, "localhost:1", "is lost, too");
    send_parts(s, e.text + 6, "again");
    recv_datagram(s, address, "to myself");
    recv_datagram(s, address, "again");
    recv_nothing(s);
}
END_TEST

START_TEST(each_type_has_its_transports)
{
    for (int type = SIFR_PAIR; type <= SIFR_CHANNEL; type++) {
        sifr_socket_t *s = new_socket(type);
        bool binds = type == SIFR_DISH || type == SIFR_DGRAM;

        if (binds)
            bind_udp(s, "127.0.0.1");
        else
            ck_fails(sifr_bind(s, "udp://127.0.0.1:*"), SIFR_ENOCOMPATPROTO);
        if (type == SIFR_RADIO)
            ck_works(sifr_connect(s, "udp://127.0.0.1:9"));
        else
            ck_fails(sifr_connect(s, "udp://127.0.0.1:9"), SIFR_ENOCOMPATPROTO);
        ck_fails(sifr_bind(s, "udp://nonsense"), binds ? EINVAL : SIFR_ENOCOMPATPROTO);
        ck_fails(sifr_unbind(s, "udp://127.0.0.1:1"),
                 binds || type == SIFR_RADIO ? ENOENT : SIFR_ENOCOMPATPROTO);
        if (type == SIFR_DGRAM) {
            ck_fails(sifr_bind(s, "tcp://127.0.0.1:*"), SIFR_ENOCOMPATPROTO);
            ck_fails(sifr_bind(s, "inproc://x"), SIFR_ENOCOMPATPROTO);
            ck_fails(sifr_connect(s, "ipc://@x"), SIFR_ENOCOMPATPROTO);
        }
    }
}
END_TEST

START_TEST(an_address_is_free_when_unbind_or_close_returns)
{
    sifr_socket_t *a = new_socket(SIFR_DISH), *b = new_socket(SIFR_DISH);
    struct endpoint e = bind_udp(a, "127.0.0.1");

    for (int i = 0; i < 20; i++) {
        ck_fails(sifr_bind(b, e.text), EADDRINUSE);
        ck_works(sifr_unbind(a, e.text));
        ck_fails(sifr_unbind(a, e.text), ENOENT);
        bind_to(b, &e);
        if (i % 2)
            ck_assert(!readable_within(b, 1)); /* the socket reads by itself now and then */
        drop(b);
        b = new_socket(SIFR_DISH);
        bind_to(a, &e);
    }
    ck_fails(sifr_bind(a, "udp://192.0.2.77:*"), EADDRNOTAVAIL);
    ck_fails(sifr_bind(a, "udp://nosuchif:*"), ENODEV);
}
END_TEST

START_TEST(a_blocked_receive_is_woken_by_a_datagram)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    struct endpoint e = bind_udp(dish, "127.0.0.1");

    ck_works(sifr_join(dish, "g"));
    connect_to(radio, &e);
    for (int i = 0; i < 2000; i++) {
        tell(radio, "g", "ping");
        if (i % 3 == 0)
            ck_assert(readable(dish));
        hear(dish, "g", "ping");
    }
}
END_TEST

START_TEST(a_radio_that_nobody_hears_never_waits)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO);
    struct sockaddr_in own;
    int fd = plain_socket(&own);
    char text[64];

    snprintf(text, sizeof text, "udp://127.0.0.1:%d", ntohs(own.sin_port));
    close(fd);
    set_int(radio, SIFR_LINGER, -1);
    ck_works(sifr_connect(radio, text));
    for (int i = 0; i < 20000; i++)
        tell(radio, "g", "into the void");
    ck_works(sifr_disconnect(radio, text));
    ck_fails(sifr_disconnect(radio, text), ENOENT);
    tell(radio, "g", "to nobody");
}
END_TEST

START_TEST(all_that_is_taken_arrives_while_it_is_read)
{
    enum { MANY = 20000 };
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    struct endpoint e = bind_udp(dish, "127.0.0.1");

    ck_works(sifr_join(dish, "g"));
    connect_to(radio, &e);
    for (int i = 0; i < MANY; i += 20) { /* as many as any system keeps */
        char text[20][32];

        for (int k = 0; k < 20; k++) {
            snprintf(text[k], sizeof text[k], "number %d", i + k);
            tell(radio, "g", text[k]);
        }
        for (int k = 0; k < 20; k++)
            hear(dish, "g", text[k]);
    }
    recv_nothing(dish);
}
END_TEST

START_TEST(options_reach_the_system)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    int value = 0, fd;
    socklen_t size = sizeof value;
    struct endpoint e;
    sifr_msg_t m;

    set_int(dish, SIFR_MULTICAST_HOPS, 7);
    set_int(dish, SIFR_MULTICAST_LOOP, 0);
    set_int(dish, SIFR_RCVBUF, 60000);
    set_int(dish, SIFR_TOS, 16);
    set_text(dish, SIFR_BINDTODEVICE, "lo");
    e = bind_udp(dish, "127.0.0.1");
    ck_works(sifr_join(dish, "g"));
    connect_to(radio, &e);
    tell(radio, "g", "x");
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, dish, 0), 1);
    fd = sifr_msg_get(&m, SIFR_SRCFD);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &value, &size), 0);
    ck_assert_int_eq(value, 7);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &value, &size), 0);
    ck_assert_int_eq(value, 0);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_TOS, &value, &size), 0);
    ck_assert_int_eq(value, 16);
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &size), 0);
    ck_assert_int_ge(value, 60000);
    ck_assert_ptr_null(sifr_msg_gets(&m, "Peer-Address"));
    sifr_msg_close(&m);
    set_text(dish, SIFR_BINDTODEVICE, "nosuchdev");
    ck_fails(sifr_bind(dish, "udp://127.0.0.1:*"), ENODEV);
}
END_TEST

START_TEST(monitors_see_nothing_of_it)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    sifr_socket_t *m = new_socket(SIFR_PAIR), *n = new_socket(SIFR_PAIR);
    struct endpoint e;

    ck_works(sifr_socket_monitor(radio, "inproc://of-radio", SIFR_EVENT_ALL));
    ck_works(sifr_socket_monitor(dish, "inproc://of-dish", SIFR_EVENT_ALL));
    ck_works(sifr_connect(m, "inproc://of-radio"));
    ck_works(sifr_connect(n, "inproc://of-dish"));
    e = bind_udp(dish, "127.0.0.1");
    ck_works(sifr_join(dish, "g"));
    connect_to(radio, &e);
    tell(radio, "g", "x");
    hear(dish, "g", "x");
    ck_works(sifr_disconnect(radio, e.text));
    ck_works(sifr_unbind(dish, e.text));
    ck_assert(!readable_within(m, 20));
    ck_assert(!readable_within(n, 1));
}
END_TEST

START_TEST(without_io_threads_there_is_no_udp)
{
    sifr_ctx_t *ctx = sifr_ctx_new();
    sifr_socket_t *s;

    ck_works(sifr_ctx_set(ctx, SIFR_IO_THREADS, 0));
    s = sifr_socket(ctx, SIFR_DISH);
    ck_fails(sifr_bind(s, "udp://127.0.0.1:*"), SIFR_EMTHREAD);
    ck_works(sifr_close(s));
    ck_works(sifr_ctx_term(ctx));
}
END_TEST

START_TEST(one_dish_hears_by_udp_and_by_tcp)
{
    sifr_socket_t *radio = new_socket(SIFR_RADIO), *dish = new_socket(SIFR_DISH);
    struct endpoint by_udp = bind_udp(dish, "127.0.0.1"), by_tcp = bind_fresh(dish, TCP);
    char got[16];
    int n = 0;

    ck_works(sifr_join(dish, "g"));
    connect_to(radio, &by_tcp);
    do
        tell(radio, "g", "tcp");
    while (!readable_within(dish, 5) && ++n < WAIT_MS / 5);
    connect_to(radio, &by_udp);
    tell(radio, "g", "both");
    n = 0;
    while (n < 2) {
        int size = sifr_recv(dish, got, sizeof got, 0);

        ck_assert_int_ge(size, 0);
        n += size == 4;
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("udp");
    TCase *c = new_case(s, "udp");

    tcase_add_loop_test(c, a_radio_is_heard_by_who_bound, 0, 2);
    tcase_add_test(c, datagrams_are_as_libzmq_makes_them);
    tcase_add_test(c, datagrams_that_are_cut_are_ignored);
    tcase_add_test(c, groups_of_the_network_are_heard_by_all_that_joined_them);
    tcase_add_test(c, a_network_is_reached_by_its_broadcast_address);
    tcase_add_loop_test(c, ipv6_is_spoken_when_asked_for, 0, 2);
    tcase_add_test(c, datagrams_are_answered_by_address);
    tcase_add_test(c, datagrams_come_from_and_go_to_anybody);
    tcase_add_loop_test(c, datagrams_go_to_groups_and_networks, 0, 2);
    tcase_add_test(c, a_dgram_message_has_two_parts);
    tcase_add_test(c, each_type_has_its_transports);
    tcase_add_test(c, an_address_is_free_when_unbind_or_close_returns);
    tcase_add_test(c, a_blocked_receive_is_woken_by_a_datagram);
    tcase_add_test(c, a_radio_that_nobody_hears_never_waits);
    tcase_add_test(c, all_that_is_taken_arrives_while_it_is_read);
    tcase_add_test(c, options_reach_the_system);
    tcase_add_test(c, monitors_see_nothing_of_it);
    tcase_add_test(c, without_io_threads_there_is_no_udp);
    tcase_add_test(c, one_dish_hears_by_udp_and_by_tcp);
    return run_suite(s);
}
