/* Endpoints, peers and groups: what their calls fail with. */
#include "matrix.h"

#include <sys/stat.h>

/* A PAIR that is joined to another one, and stays so whatever its calls fail with. */
static sifr_socket_t *one, *other;

static void they_talk(void)
{
    pass_text(one, other, "there");
    pass_text(other, one, "and back");
}

static sifr_socket_t *joined(int type)
{
    new_link(&one, type, &other, type, 2 * INPROC);
    matrix.unharmed = they_talk;
    return one;
}

/* Its last endpoint is still that of the link. */
static void is_last(const struct endpoint *e)
{
    ck_assert_str_eq(last_endpoint(one).text, e->text);
}

/* ---- Text ------------------------------------------------------------------------------------ */

static const struct {
    const char *text;
    int bind, connect, leave; /* what bind, connect, and unbind and disconnect fail with */
} texts[] = {
    {"", EINVAL, EINVAL, EINVAL},
    {"x", EINVAL, EINVAL, EINVAL},
    {"tcp", EINVAL, EINVAL, EINVAL},
    {"tcp:", EINVAL, EINVAL, EINVAL},
    {"tcp:/127.0.0.1:1", EINVAL, EINVAL, EINVAL},
    {"://127.0.0.1:1", EINVAL, EINVAL, EINVAL},
    {"inproc://", EINVAL, EINVAL, EINVAL},
    {"tcp://", EINVAL, EINVAL, EINVAL},
    {"nothing://x", EPROTONOSUPPORT, EPROTONOSUPPORT, EPROTONOSUPPORT},
    {"TCP://127.0.0.1:1", EPROTONOSUPPORT, EPROTONOSUPPORT, EPROTONOSUPPORT},
    {"udp://127.0.0.1:1", ENOCOMPATPROTO, ENOCOMPATPROTO, ENOCOMPATPROTO},
    {"tcp://127.0.0.1", EINVAL, EINVAL, ENOENT},
    {"tcp://127.0.0.1:port", EINVAL, EINVAL, ENOENT},
    {"tcp://127.0.0.1:70000", EINVAL, EINVAL, ENOENT},
    {"tcp://127.0.0.1:1x", EINVAL, EINVAL, ENOENT},
    {"inproc://nobody", 0, 0, ENOENT},
    {"ipc://@nobody", 0, 0, ENOENT},
    {"tcp://127.0.0.1:*", 0, EINVAL, ENOENT},
};

START_TEST(an_endpoint_that_is_none)
{
    const char *text = texts[_i].text;
    sifr_socket_t *s = joined(SIFR_PAIR);
    struct endpoint before = last_endpoint(s);

    if (texts[_i].bind)
        fails(texts[_i].bind, bind, s, text);
    if (texts[_i].connect)
        fails(texts[_i].connect, connect, s, text);
    fails(texts[_i].leave, unbind, s, text);
    fails(texts[_i].leave, disconnect, s, text);
    is_last(&before);
}
END_TEST

START_TEST(an_endpoint_that_is_null)
{
    sifr_socket_t *s = joined(SIFR_PAIR);

    fails(EINVAL, unbind, s, NULL);
    fails(EINVAL, disconnect, s, NULL);
}
END_TEST

START_TEST(an_endpoint_to_bind_or_connect_that_is_null)
{
    sifr_socket_t *s = joined(SIFR_PAIR);

    fails(EINVAL, bind, s, NULL);
    fails(EINVAL, connect, s, NULL);
}
END_TEST

START_TEST(an_endpoint_of_another_socket)
{
    sifr_socket_t *s = joined(SIFR_PAIR), *third = new_socket(SIFR_PULL);
    struct endpoint theirs = bind_fresh(third, (enum transport)_i), before = last_endpoint(s);

    fails(ENOENT, unbind, s, theirs.text);
    fails(ENOENT, disconnect, s, theirs.text);
    ck_works(sifr_unbind(third, theirs.text));
    fails(ENOENT, unbind, third, theirs.text);
    fails(ENOENT, disconnect, third, theirs.text);
    is_last(&before);
}
END_TEST

/* ---- Bind ------------------------------------------------------------------------------------ */

START_TEST(an_address_that_somebody_has)
{
    sifr_socket_t *s = joined(SIFR_PAIR), *third = new_socket(SIFR_PULL);
    struct endpoint theirs = bind_fresh(third, (enum transport)_i), before = last_endpoint(s);

    fails(EADDRINUSE, bind, s, theirs.text);
    is_last(&before);
    ck_works(sifr_unbind(third, theirs.text));
    rebind_to(s, &theirs);
}
END_TEST

START_TEST(an_address_that_is_not_there)
{
    char path[200] = "ipc://";
    sifr_socket_t *s = joined(SIFR_PAIR);
    struct endpoint before = last_endpoint(s);

    fails(EADDRNOTAVAIL, bind, s, "tcp://192.0.2.1:*"); /* RFC 5737: nobody's */
    fails(ENODEV, bind, s, "tcp://no..interface:*"); /* and no name to be asked for either */
    fails(ENOENT, bind, s, "ipc:///no/such/directory/socket");
    memset(path + 6, 'x', sizeof path - 7);
    fails(ENAMETOOLONG, bind, s, path);
    fails(ENAMETOOLONG, connect, s, path);
    is_last(&before);
}
END_TEST

START_TEST(an_address_that_is_not_allowed)
{
    char folder[] = "/tmp/sifr-test-XXXXXX", path[64];
    sifr_socket_t *s = joined(SIFR_PAIR);
    struct endpoint before = last_endpoint(s);

    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_works(chmod(folder, 0500));
    snprintf(path, sizeof path, "ipc://%s/socket", folder);
    if (geteuid() == 0) /* who may everything. This thread alone: the process is to clean up */
        ck_works(syscall(SYS_setresuid, -1, 65534, -1));
    fails(EACCES, bind, s, path);
    if (getuid() == 0)
        ck_works(syscall(SYS_setresuid, -1, 0, -1));
    is_last(&before);
    ck_works(chmod(folder, 0700));
    ck_works(sifr_bind(s, path));
    ck_works(sifr_unbind(s, path));
    unlink(path + 6);
    ck_works(rmdir(folder));
}
END_TEST

START_TEST(no_descriptor_for_a_bind)
{
    sifr_socket_t *s = joined(SIFR_PAIR);
    struct endpoint e = fresh_endpoint((enum transport)_i), before = last_endpoint(s);

    take_descriptors();
    fails(EMFILE, bind, s, e.text);
    give_descriptors();
    is_last(&before);
    fails(ENOENT, unbind, s, e.text);
    ck_works(sifr_bind(s, e.text));
}
END_TEST

/* ---- Threads, memory ------------------------------------------------------------------------- */

START_TEST(no_thread_for_an_endpoint)
{
    sifr_socket_t *s;
    uint64_t second = 2;

    if (_i == 0)
        ck_works(sifr_ctx_set(world.ctx, SIFR_IO_THREADS, 0));
    s = joined(SIFR_PAIR);
    ck_works(sifr_setsockopt(s, SIFR_AFFINITY, &second, sizeof second));
    fails(EMTHREAD, bind, s, "tcp://127.0.0.1:*");
    fails(EMTHREAD, connect, s, "tcp://127.0.0.1:1");
    fails(EMTHREAD, bind, s, "ipc://@somewhere");
    fails(EMTHREAD, connect, s, "ipc://@somewhere");
    fails(EMTHREAD, connect, s, "tcp://nonsense"); /* what cannot be served is not looked at */
    fails(EMTHREAD, bind, s, "tcp://nonsense");
}
END_TEST

START_TEST(no_thread_for_a_peer)
{
    sifr_socket_t *s = new_socket(SIFR_PEER);
    uint64_t second = 2;

    ck_works(sifr_setsockopt(s, SIFR_AFFINITY, &second, sizeof second));
    fails(EMTHREAD, connect_peer, s, "tcp://127.0.0.1:1");
    second = 1;
    ck_works(sifr_setsockopt(s, SIFR_AFFINITY, &second, sizeof second));
    ONLY_WITH(connect_peer);
    ck_assert_uint_ne(sifr_connect_peer(s, "tcp://127.0.0.1:1"), 0);
}
END_TEST

START_TEST(no_memory_for_an_endpoint)
{
    enum transport t = (enum transport)_i;
    sifr_socket_t *a = new_socket(SIFR_DEALER), *b = new_socket(SIFR_DEALER),
                  *c = new_socket(SIFR_DEALER);
    struct endpoint e = fresh_endpoint(t), later = fresh_endpoint(t);
    int err;

    runs_short(err, , bind, a, e.text);
    runs_short(err, , connect, b, e.text);
    runs_short(err, , connect, c, later.text); /* before the bind */
    pass_text(b, a, "bound and connected");
    ck_works(sifr_bind(a, later.text));
    pass_text(c, a, "connected and bound");
}
END_TEST

START_TEST(no_memory_for_a_peer)
{
    sifr_socket_t *a = new_socket(SIFR_PEER), *b = new_socket(SIFR_PEER);
    struct endpoint e = bind_fresh(a, (enum transport)_i);
    uint32_t peer;
    sifr_msg_t m;

    runs_short(peer, , connect_peer, b, e.text);
    ck_works(sifr_msg_init_size(&m, 1));
    ck_works(sifr_msg_set_routing_id(&m, peer));
    ck_assert_int_eq(sifr_msg_send(&m, b, 0), 1);
    ck_assert_int_eq(sifr_recv(a, NULL, 0, 0), 1);
}
END_TEST

/* ---- Types ----------------------------------------------------------------------------------- */

START_TEST(a_transport_of_other_types)
{
    sifr_socket_t *dish = new_socket(SIFR_DISH), *radio = new_socket(SIFR_RADIO),
                  *peer = new_socket(SIFR_PEER), *pub = new_socket(SIFR_PUB);

    fails(ENOCOMPATPROTO, bind, pub, "udp://127.0.0.1:*");
    fails(ENOCOMPATPROTO, connect, pub, "udp://127.0.0.1:1");
    fails(ENOCOMPATPROTO, bind, pub, "udp://nonsense"); /* before its address is looked at */
    fails(ENOCOMPATPROTO, connect_peer, peer, "udp://127.0.0.1:1");
    fails(ENOCOMPATPROTO, bind, radio, "udp://127.0.0.1:*");
    fails(ENOCOMPATPROTO, connect, dish, "udp://127.0.0.1:1");
}
END_TEST

START_TEST(a_stream_within_the_process)
{
    sifr_socket_t *stream = new_socket(SIFR_STREAM);

    fails(ENOCOMPATPROTO, bind, stream, "inproc://name");
    fails(ENOCOMPATPROTO, connect, stream, "inproc://name");
    bind_fresh(stream, TCP);
}
END_TEST

START_TEST(a_name_that_a_peer_has)
{
    sifr_socket_t *s = new_socket(SIFR_ROUTER), *a = new_socket(SIFR_DEALER),
                  *b = new_socket(SIFR_DEALER);
    struct endpoint first = bind_fresh(a, (enum transport)_i),
                    second = bind_fresh(b, (enum transport)_i);

    set_text(s, SIFR_CONNECT_ROUTING_ID, "name");
    connect_to(s, &first);
    set_text(s, SIFR_CONNECT_ROUTING_ID, "name");
    fails(EINVAL, connect, s, second.text);
    ck_assert_str_eq(last_endpoint(s).text, first.text);
    send_parts(s, "name", "to the first");
    recv_parts(a, "to the first");
    connect_to(s, &second); /* under a name of its own */
}
END_TEST

/* ---- Peers ----------------------------------------------------------------------------------- */

START_TEST(a_peer_that_cannot_be_connected)
{
    char path[200] = "ipc://";
    sifr_socket_t *s = new_socket(SIFR_PEER);

    memset(path + 6, 'x', sizeof path - 7);
    fails(EINVAL, connect_peer, s, "nonsense");
    fails(EINVAL, connect_peer, s, NULL);
    fails(EINVAL, connect_peer, s, "tcp://127.0.0.1");
    fails(EPROTONOSUPPORT, connect_peer, s, "nothing://x");
    fails(ENAMETOOLONG, connect_peer, s, path);
    ck_assert_str_eq(last_endpoint(s).text, "");
    set_int(s, SIFR_IMMEDIATE, 1);
    fails(EFAULT, connect_peer, s, "inproc://somewhere");
    set_int(s, SIFR_IMMEDIATE, 0);
    ONLY_WITH(connect_peer);
    ck_assert_uint_ne(sifr_connect_peer(s, "inproc://somewhere"), 0);
}
END_TEST

START_TEST(a_peer_of_another_type)
{
    sifr_socket_t *s = joined(SIFR_PAIR);
    struct endpoint before = last_endpoint(s);

    fails(ENOTSUP, connect_peer, s, "inproc://somewhere");
    fails(ENOTSUP, connect_peer, s, NULL); /* whatever it is */
    fails(ENOTSUP, disconnect_peer, s, 1);
    is_last(&before);
}
END_TEST

START_TEST(a_peer_that_is_not_there)
{
    sifr_socket_t *a, *b;
    uint32_t id;
    sifr_msg_t m;

    ONLY_WITH(disconnect_peer);
    new_link(&a, SIFR_SERVER, &b, SIFR_CLIENT, 2 * INPROC);
    send_text(b, "hello", 0);
    sifr_msg_init(&m);
    ck_assert_int_eq(sifr_msg_recv(&m, a, 0), 5);
    id = sifr_msg_routing_id(&m);
    ck_works(sifr_msg_close(&m));
    fails(EHOSTUNREACH, disconnect_peer, a, 0);
    fails(EHOSTUNREACH, disconnect_peer, a, id + 1);
    pass_text(b, a, "still there");
    ck_works(sifr_disconnect_peer(a, id));
    fails(EHOSTUNREACH, disconnect_peer, a, id);
}
END_TEST

/* ---- Groups ---------------------------------------------------------------------------------- */

START_TEST(a_group_of_another_type)
{
    sifr_socket_t *s = joined(SIFR_PAIR);

    fails(ENOTSUP, join, s, "group");
    fails(ENOTSUP, leave, s, "group");
}
END_TEST

static sifr_socket_t *radio, *dish;

/* The dish is in "group" alone. */
static void it_is_in_its_group(void)
{
    static const char *const groups[] = {"other", "group"};

    for (int i = 0; i < COUNT(groups); i++) {
        sifr_msg_t m;

        ck_works(sifr_msg_init_size(&m, 5));
        memcpy(sifr_msg_data(&m), groups[i], 5);
        ck_works(sifr_msg_set_group(&m, groups[i]));
        ck_assert_int_eq(sifr_msg_send(&m, radio, 0), 5);
    }
    recv_text(dish, "group", false);
    recv_nothing(dish);
}

static void join_a_group(void)
{
    new_link(&radio, SIFR_RADIO, &dish, SIFR_DISH, 2 * INPROC);
    ck_works(sifr_join(dish, "group"));
    matrix.unharmed = it_is_in_its_group;
}

START_TEST(a_group_that_cannot_be)
{
    char longer[SIFR_GROUP_MAX_LENGTH + 2] = "";

    ONLY_WITH(join);
    join_a_group();
    memset(longer, 'x', sizeof longer - 1);
    fails(EINVAL, join, dish, longer);
    fails(EINVAL, join, dish, NULL);
    fails(EINVAL, join, dish, "group");
    fails(EINVAL, leave, dish, longer);
    fails(EINVAL, leave, dish, NULL);
    fails(EINVAL, leave, dish, "no such");
    ck_works(sifr_leave(dish, "group"));
    matrix.unharmed = NULL;
    fails(EINVAL, leave, dish, "group");
}
END_TEST

START_TEST(no_memory_for_a_group)
{
    int err;

    ONLY_WITH(join);
    join_a_group();
    runs_short(err, , join, dish, "another group");
    ck_works(sifr_leave(dish, "another group"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/endpoints");
    TCase *c = new_case(s, "text");

    add_loop(c, an_endpoint_that_is_none, 0, COUNT(texts));
    add(c, an_endpoint_that_is_null);
    add(c, an_endpoint_to_bind_or_connect_that_is_null);
    add_loop(c, an_endpoint_of_another_socket, 0, TRANSPORTS);
    c = new_case(s, "bind");
    add_loop(c, an_address_that_somebody_has, 0, 1);
    add_loop(c, an_address_that_somebody_has, INPROC, INPROC + 1); /* a path of ipc is taken over */
    add(c, an_address_that_is_not_there);
    add(c, an_address_that_is_not_allowed);
    add_loop(c, no_descriptor_for_a_bind, 0, INPROC); /* which needs none */
    c = new_case(s, "threads and memory");
    add_loop(c, no_thread_for_an_endpoint, 0, 2);
    add(c, no_thread_for_a_peer);
    add_loop(c, no_memory_for_an_endpoint, 0, TRANSPORTS);
    add_loop(c, no_memory_for_a_peer, 0, TRANSPORTS);
    c = new_case(s, "types");
    add(c, a_transport_of_other_types);
    add(c, a_stream_within_the_process);
    add_loop(c, a_name_that_a_peer_has, 0, TRANSPORTS);
    c = new_case(s, "peers");
    add(c, a_peer_that_cannot_be_connected);
    add(c, a_peer_of_another_type);
    add(c, a_peer_that_is_not_there);
    c = new_case(s, "groups");
    add(c, a_group_of_another_type);
    add(c, a_group_that_cannot_be);
    add(c, no_memory_for_a_group);
    return run_matrix(s);
}
