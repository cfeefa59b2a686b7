/* The properties of messages: what each is, by where a message comes from. */
#include "support.h"

#include <limits.h>

enum { SMALL = 20, LARGE = 1000, NONE = -1 };

static void let_go(void *data, void *hint)
{
    (void)data;
    (void)hint;
}

enum origin {
    EMPTY,
    SIZED,
    COPIED_BYTES,
    OWN_BYTES,
    CONSTANT_BYTES,
    COPY_OF_SMALL,
    COPY_OF_LARGE,
    COPIED_FROM,
    MOVED,
    FIRST_OF_TWO, /* received from here on */
    LAST_OF_TWO,
    COPY_OF_FIRST,
    ORIGINS,
};

static const char *const names[] = {
    [EMPTY] = "empty", [SIZED] = "sized", [COPIED_BYTES] = "copied bytes", [OWN_BYTES] = "own bytes",
    [CONSTANT_BYTES] = "constant bytes", [COPY_OF_SMALL] = "copy of a small one",
    [COPY_OF_LARGE] = "copy of a large one", [COPIED_FROM] = "large one copied", [MOVED] = "moved",
    [FIRST_OF_TWO] = "first of two", [LAST_OF_TWO] = "last of two", [COPY_OF_FIRST] = "copy of the first of two",
};

/* Whether its bytes may be others' as well, before it came over a connection. */
static const int shared[] = {[CONSTANT_BYTES] = 1, [COPY_OF_LARGE] = 1, [COPIED_FROM] = 1, [COPY_OF_FIRST] = NONE};

/* Makes `m`, which is initialized, what it is to be; `other` is for what it shares with. */
static void make(sifr_msg_t *m, sifr_msg_t *other, enum origin origin)
{
    static char bytes[LARGE];

    sifr_msg_close(m);
    switch (origin) {
    case EMPTY: ck_works(sifr_msg_init(m)); break;
    case SIZED: ck_works(sifr_msg_init_size(m, LARGE)); break;
    case COPIED_BYTES: ck_works(sifr_msg_init_buffer(m, bytes, LARGE)); break;
    case OWN_BYTES: ck_works(sifr_msg_init_data(m, bytes, LARGE, let_go, NULL)); break;
    case CONSTANT_BYTES: ck_works(sifr_msg_init_data(m, bytes, LARGE, NULL, NULL)); break;
    case COPY_OF_SMALL:
    case COPY_OF_LARGE:
        ck_works(sifr_msg_init(m));
        sifr_msg_close(other);
        ck_works(sifr_msg_init_size(other, origin == COPY_OF_SMALL ? SMALL : LARGE));
        ck_works(sifr_msg_copy(m, other));
        break;
    case COPIED_FROM:
        ck_works(sifr_msg_init_size(m, LARGE));
        ck_works(sifr_msg_copy(other, m));
        break;
    case MOVED:
        ck_works(sifr_msg_init(m));
        sifr_msg_close(other);
        ck_works(sifr_msg_init_size(other, LARGE));
        ck_works(sifr_msg_move(m, other));
        break;
    default: ck_abort();
    }
}

/* The same of what is received by `pull`. */
static void fetch(sifr_msg_t *m, sifr_msg_t *other, enum origin origin, sifr_socket_t *push, sifr_socket_t *pull)
{
    send_filled(push, LARGE, 1, SIFR_SNDMORE);
    send_filled(push, LARGE, 2, 0);
    ck_assert_int_eq(sifr_msg_recv(origin == COPY_OF_FIRST ? other : m, pull, 0), LARGE);
    if (origin == COPY_OF_FIRST)
        ck_works(sifr_msg_copy(m, other));
    if (origin == LAST_OF_TWO)
        ck_assert_int_eq(sifr_msg_recv(m, pull, 0), LARGE);
}

START_TEST(each_property_is_what_the_origin_makes_it)
{
    static const int unknown[] = {INT_MIN, -1, 0, 4, 5, 16, INT_MAX};
    static const char *const texts[] = {"Socket-Type", "Peer-Address", "X-colour"};
    static const char *const never[] = {"User-Id", "X-none", "socket-type", "Socket-Type ", ""};
    enum origin origin = (enum origin)(_i % ORIGINS);
    int way = _i / ORIGINS;
    bool received = origin >= FIRST_OF_TWO, wire = received && way / 2 < INPROC;
    sifr_socket_t *push = new_socket(SIFR_PUSH), *pull = new_socket(SIFR_PULL);
    sifr_msg_t m, other;
    int more = origin == FIRST_OF_TWO || origin == COPY_OF_FIRST;

    set_text(push, SIFR_METADATA, "X-colour:blue");
    link_sockets(push, pull, way);
    if (origin == COPIED_BYTES && getenv("MATRIX_LIBZMQ")) /* on that of the system it is a draft */
        return;
    ck_works(sifr_msg_init(&m));
    ck_works(sifr_msg_init(&other));
    if (received)
        fetch(&m, &other, origin, push, pull);
    else
        make(&m, &other, origin);
    ck_assert_msg(sifr_msg_get(&m, SIFR_MORE) == more && sifr_msg_more(&m) == more, "%s has more %d", names[origin],
                  sifr_msg_get(&m, SIFR_MORE));
    if (!received)
        ck_assert_msg(sifr_msg_get(&m, SIFR_SHARED) == shared[origin], "%s is shared %d", names[origin],
                      sifr_msg_get(&m, SIFR_SHARED));
    else
        ck_assert_int_ge(sifr_msg_get(&m, SIFR_SHARED), 0);
    if (wire) {
        struct sockaddr_storage a;
        socklen_t size = sizeof a;
        int fd = sifr_msg_get(&m, SIFR_SRCFD);

        ck_assert_int_ge(fd, 0);
        ck_works(getpeername(fd, (struct sockaddr *)&a, &size));
    } else {
        ck_fails(sifr_msg_get(&m, SIFR_SRCFD), EINVAL);
    }
    for (int i = 0; i < COUNT(texts); i++)
        if (wire)
            ck_assert_msg(sifr_msg_gets(&m, texts[i]) != NULL, "%s has no %s", names[origin], texts[i]);
        else
            ck_fails_null(sifr_msg_gets(&m, texts[i]), EINVAL);
    if (wire) {
        ck_assert_str_eq(sifr_msg_gets(&m, "Socket-Type"), "PUSH");
        ck_assert_str_eq(sifr_msg_gets(&m, "X-colour"), "blue");
    }
    for (int i = 0; i < COUNT(never); i++)
        ck_fails_null(sifr_msg_gets(&m, never[i]), EINVAL);
    for (int i = 0; i < COUNT(unknown); i++)
        ck_fails(sifr_msg_get(&m, unknown[i]), EINVAL);
    for (int property = -1; property < 6; property++)
        for (int value = -1; value < 2; value++)
            ck_fails(sifr_msg_set(&m, property, value), EINVAL);
    ck_works(sifr_msg_close(&m));
    ck_works(sifr_msg_close(&other));
    ck_fails(sifr_msg_close(&m), EFAULT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matrix/options_message");
    TCase *c = new_case(s, "properties");

    tcase_add_loop_test(c, each_property_is_what_the_origin_makes_it, 0, WAYS * ORIGINS);
    return run_suite(s);
}
