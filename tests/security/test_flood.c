/* Many who knock and never come in: what each of them holds, and whether others are served meanwhile. */
#include "secure.h"

#include <malloc.h>
#include <sodium.h>
#include <sys/resource.h>

#include "security/security.h"
#include "wire/handshake.h"

enum { MANY = 400, LIMIT = 8192, FLOOD = 60 };

static size_t resident(void)
{
    long pages = 0, of_it = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f && fscanf(f, "%ld %ld", &pages, &of_it) != 2)
        of_it = 0;
    if (f)
        fclose(f);
    return (size_t)of_it * (size_t)sysconf(_SC_PAGESIZE);
}

static void allow_descriptors(void)
{
    struct rlimit r;

    ck_works(getrlimit(RLIMIT_NOFILE, &r));
    r.rlim_cur = r.rlim_max < 4096 ? r.rlim_max : 4096;
    ck_works(setrlimit(RLIMIT_NOFILE, &r));
    ck_assert_int_gt((int)r.rlim_cur, 2 * MANY + 50);
}

static char public_key[41], secret_key[41];

static sifr_socket_t *new_server(int type, struct endpoint *at)
{
    sifr_socket_t *s = new_socket(type);

    ck_works(sifr_curve_keypair(public_key, secret_key));
    set_int(s, SIFR_CURVE_SERVER, 1);
    set_text(s, SIFR_CURVE_SECRETKEY, secret_key);
    *at = bind_fresh(s, TCP);
    return s;
}

static sifr_socket_t *new_client(const struct endpoint *at)
{
    sifr_socket_t *s = new_socket(SIFR_REQ);

    set_text(s, SIFR_CURVE_SERVERKEY, public_key);
    set_text(s, SIFR_CURVE_PUBLICKEY, public_key);
    set_text(s, SIFR_CURVE_SECRETKEY, secret_key);
    connect_to(s, at);
    return s;
}

static int serve_requests(sifr_socket_t *server, sifr_socket_t *client, int64_t ms)
{
    int64_t end = now_ms() + ms;
    int n = 0;

    for (; now_ms() < end; n++) {
        send_text(client, "question", 0);
        recv_text(server, "question", false);
        send_text(server, "answer", 0);
        recv_text(client, "answer", false);
    }
    return n;
}

/* A client that goes as far as it can without coming in. */
struct knock {
    uint8_t public[32], secret[32], server_key[32];
    struct sf_credentials own;
    struct sf_security s;
    int fd;
};

static void knock_at(struct knock *k, const struct endpoint *at)
{
    static const struct sf_hello hello = {.type_name = "REQ", .talks_to = ~0u};
    uint8_t frame[8192], body[256];
    struct sf_peer_info info;
    struct sf_refusal why;
    int n;

    crypto_box_keypair(k->public, k->secret);
    ck_assert_ptr_nonnull(sifr_z85_decode(k->server_key, public_key));
    k->own = (struct sf_credentials){.public_key = k->public, .secret_key = k->secret, .server_key = k->server_key};
    k->fd = raw_connect(at);
    raw_greet(k->fd, "CURVE");
    ck_assert_int_eq(sf_security_init(&k->s, &sf_mechanism_curve, &k->own), 0);
    n = sf_handshake_say(&k->s, &hello, frame, sizeof frame);
    raw_send(k->fd, frame, (size_t)n);
    ck_assert_uint_eq(raw_recv_frame(k->fd, body, sizeof body), 168);
    ck_assert_int_eq(sf_handshake_hear(&k->s, &hello, &info, body, 168, &why), 0);
    sf_security_fini(&k->s);
}

/* An INITIATE that would be as large as one may be, without its end. */
static void begin_initiate(int fd)
{
    uint8_t bytes[9 + 4000] = {6, 0, 0, 0, 0, 0, 0, 0x0f, 0xf0, 8, 'I', 'N', 'I', 'T', 'I', 'A', 'T', 'E'};

    raw_send(fd, bytes, sizeof bytes);
}

START_TEST(who_has_not_come_in_holds_little_memory)
{
    static struct knock knocks[MANY];
    sifr_socket_t *server, *client;
    struct endpoint at;
    size_t before;

    allow_descriptors();
    server = new_server(SIFR_REP, &at);
    client = new_client(&at);
    ck_assert_int_gt(serve_requests(server, client, 10), 0);
    for (int i = 0; i < 8; i++) { /* what is made once */
        knock_at(&knocks[i], &at);
        close(knocks[i].fd);
    }
    before = resident();
    if (before == 0)
        return;
    for (int i = 0; i < MANY; i++)
        knock_at(&knocks[i], &at);
    for (int i = 0; i < MANY; i++)
        begin_initiate(knocks[i].fd);
    ck_assert_int_gt(serve_requests(server, client, 50), 0); /* whose octets came later than theirs */
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
    ck_assert_msg((resident() - before) / MANY < LIMIT, "%zu bytes each", (resident() - before) / MANY);
#endif
    for (int i = 0; i < MANY; i++)
        close(knocks[i].fd);
}
END_TEST

static _Atomic bool flood_ends;

/* Knocks without pause, in every way there is to stop. */
static void *flood(void *arg)
{
    const struct endpoint *at = arg;
    int fds[FLOOD], n = 0;

    memset(fds, -1, sizeof fds);
    for (unsigned round = 0; !flood_ends; round++) {
        uint8_t greeting[GREETING_SIZE], hello[202] = {4, 200, 5, 'H', 'E', 'L', 'L', 'O', 1};
        int *fd = &fds[n++ % FLOOD];

        if (*fd >= 0)
            close(*fd);
        *fd = raw_connect(at);
        put_greeting(greeting, "CURVE");
        switch (round % 4) {
        case 0: break;                                    /* nothing at all */
        case 1: raw_send(*fd, greeting, 20); break;       /* half a greeting */
        case 2: raw_send(*fd, greeting, 64); break;       /* no HELLO */
        default:
            raw_send(*fd, greeting, 64);
            raw_send(*fd, hello, sizeof hello); /* one that opens nothing, but has to be tried */
            break;
        }
    }
    for (int i = 0; i < FLOOD; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return NULL;
}

START_TEST(others_are_served_while_many_knock)
{
    sifr_socket_t *server, *client, *late;
    struct endpoint at;
    int before, during;
    size_t memory;
    pthread_t t;

    server = new_server(SIFR_REP, &at);
    client = new_client(&at);
    before = serve_requests(server, client, 200);
    memory = resident();
    flood_ends = false;
    t = start_thread(flood, &at);
    during = serve_requests(server, client, 500);
    late = new_client(&at); /* one more comes in meanwhile */
    ck_assert_int_gt(serve_requests(server, late, 100), 0);
    flood_ends = true;
    pthread_join(t, NULL);
    printf("requests a second: %d, with the flood %d; memory +%zd KiB\n", before * 5, during * 2,
           ((ssize_t)resident() - (ssize_t)memory) / 1024);
    ck_assert_int_gt(before, 0);
    ck_assert_int_gt(during, 0);
}
END_TEST

static size_t allocated(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* Sealing needs room for what is sealed, which is not kept by who has nothing more to say. */
START_TEST(an_idle_connection_gives_back_what_large_messages_took)
{
    enum { LARGE = 300000, SURPLUS = 16384 };
    sifr_socket_t *server, *client;
    struct endpoint at;
    size_t before;

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    return; /* memory is the sanitizer's */
#endif
    server = new_server(SIFR_REP, &at);
    client = new_client(&at);
    ck_assert_int_gt(serve_requests(server, client, 10), 0);
    send_filled(client, 4096, 1, 0); /* what the process needs for larger frames, once */
    recv_filled(server, 4096, 1, false);
    send_filled(server, 4096, 2, 0);
    recv_filled(client, 4096, 2, false);
    before = allocated();
    for (int i = 0; i < 10; i++) {
        send_filled(client, LARGE, 1, 0);
        recv_filled(server, LARGE, 1, false);
        send_filled(server, LARGE, 2, 0);
        recv_filled(client, LARGE, 2, false);
    }
    eventually(allocated() <= before + SURPLUS);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("floods");
    TCase *c = new_case(s, "who knocks");

    tcase_add_test(c, who_has_not_come_in_holds_little_memory);
    tcase_add_test(c, others_are_served_while_many_knock);
    tcase_add_test(c, an_idle_connection_gives_back_what_large_messages_took);
    return run_suite(s);
}
