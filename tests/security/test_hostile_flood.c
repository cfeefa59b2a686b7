/*
 * Floods of connections that do not go on: what each may cost, and that those who have a right to it are served
 * meanwhile. Figures are printed; what is asserted are bounds of memory and that every request is answered.
 */
#include "hostile.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* Pages that the library has from the system. */
static _Atomic size_t pages;

void *__real_sf_alloc_pages(size_t size);
void __real_sf_free_pages(void *p, size_t size);
void *__wrap_sf_alloc_pages(size_t size);
void __wrap_sf_free_pages(void *p, size_t size);

void *__wrap_sf_alloc_pages(size_t size)
{
    void *p = __real_sf_alloc_pages(size);

    if (p)
        atomic_fetch_add(&pages, size);
    return p;
}

void __wrap_sf_free_pages(void *p, size_t size)
{
    __real_sf_free_pages(p, size);
    if (p)
        atomic_fetch_sub(&pages, size);
}

/* All that there is of both kinds. */
static size_t allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return pages + __sanitizer_get_current_allocated_bytes();
    return pages + mallinfo2().uordblks + mallinfo2().hblkhd;
}

static int descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void allow_descriptors(void)
{
    struct rlimit r;

    ck_works(getrlimit(RLIMIT_NOFILE, &r));
    r.rlim_cur = r.rlim_max < 8192 ? r.rlim_max : 8192;
    ck_works(setrlimit(RLIMIT_NOFILE, &r));
    ck_assert_int_gt((int)r.rlim_cur, 1500);
}

/* ---- What one costs ---------------------------------------------------------------------------------------------- */

enum { WARM = 20, MANY = 600, LIMIT = 8192, LARGEST = 4087 /* body of a command */ };

/* How far it goes and stays. */
enum stage {
    SILENT_FROM_THE_START,
    PART_OF_A_GREETING,
    A_GREETING,
    PART_OF_FIRST,      /* of the largest command that there may be, all but its last octet */
    FIRST_AND_SILENCE,
    PART_OF_SECOND,
    ASKED_FOR,          /* the handler does not answer; what there is to ask with is as large as may be */
    STAGES
};

static const char *const stage_names[] = {"silent", "part of a greeting", "greeting", "part of 1st command",
                                          "1st command", "part of 2nd command", "handler is asked"};

/* A frame of the largest size, but without its end: what is in it shows only then. */
static void say_part(struct foe *f)
{
    uint8_t frame[9 + LARGEST] = {0};

    put_header(frame, 4, LARGEST);
    foe_send(f, frame, sizeof frame - 1);
}

/* The question's answer is waited for, and as much as possible stands behind what it is about. */
static void be_asked_for(struct foe *f)
{
    static char long_name[256];
    uint8_t frame[FRAME_ROOM], metadata[4096];
    size_t n = put_property(metadata, "Socket-Type", "PUSH", 4);

    memset(long_name, 'n', 255);
    f->user = f->password = long_name;
    if (f->mechanism == SIFR_CURVE) {
        foe_reach(f, SECOND);
        n += put_property(metadata + n, "X-Large", frame, LARGEST - 257 - n - 12);
        n = foe_initiate(f, frame, metadata, n);
    } else {
        foe_reach(f, FIRST);
        n = f->mechanism == SIFR_PLAIN ? foe_make(f, FIRST, frame) : 0;
    }
    foe_send(f, frame, n);
    memset(frame, 0, sizeof frame);
    put_header(frame, 0, LARGEST);
    foe_send(f, frame, 9 + LARGEST);
}

static void reach_stage(struct foe *f, enum stage stage)
{
    uint8_t frame[FRAME_ROOM];

    switch (stage) {
    case SILENT_FROM_THE_START: break;
    case PART_OF_A_GREETING: foe_send(f, frame, foe_make(f, GREETING, frame) - 1); break;
    case A_GREETING: foe_reach(f, FIRST); break;
    case PART_OF_FIRST:
        foe_reach(f, FIRST);
        say_part(f);
        break;
    case FIRST_AND_SILENCE: foe_reach(f, SECOND); break;
    case PART_OF_SECOND:
        foe_reach(f, SECOND);
        say_part(f);
        break;
    default: be_asked_for(f); break;
    }
}

/* The victim's descriptors, as its monitor tells: both ends are this process's. */
static int accepted(struct scene *s)
{
    struct event e = next_event(s, "accepted");

    ck_assert_msg(e.number == SIFR_EVENT_ACCEPTED, "event 0x%x (value 0x%x)", e.number, e.value);
    return (int)e.value;
}

/* But of whom the handler is asked about no more is read. */
static void wait_until_read(const int *there, int n, enum stage stage)
{
    int unread;

    for (int i = 0; i < n && stage != ASKED_FOR; i++)
        eventually(ioctl(there[i], FIONREAD, &unread) == 0 && unread == 0);
}

/* A handler that hears and says nothing. */
static sifr_socket_t *silent_handler(void)
{
    sifr_socket_t *router = new_socket(SIFR_ROUTER);

    ck_works(sifr_auth_destroy(&auth));
    ck_works(sifr_bind(router, "inproc://zeromq.zap.01"));
    return router;
}

START_TEST(a_connection_that_is_not_let_in_yet_costs_less_than_8_kib_and_a_descriptor)
{
    static struct foe foes[WARM + MANY];
    static int there[WARM + MANY];
    int kind = _i / STAGES, fds = 0;
    enum stage stage = (enum stage)(_i % STAGES);
    size_t before = 0, each;
    struct scene s;

    if ((kinds[kind].mechanism == SIFR_NULL && (stage == FIRST_AND_SILENCE || stage == PART_OF_SECOND)) ||
        (!kinds[kind].server && stage == ASKED_FOR))
        return; /* there is no such stage */
    allow_descriptors();
    s = open_scene(kind, 30000);
    if (stage == ASKED_FOR)
        silent_handler();
    for (int i = 0; i < COUNT(foes); i++) {
        if (i == WARM) {
            wait_until_read(there, WARM, stage);
            before = allocated();
            fds = descriptors();
        }
        foes[i] = foe_to(&s.at[0], s.mechanism, !s.server);
        there[i] = accepted(&s);
        reach_stage(&foes[i], stage);
    }
    wait_until_read(there, COUNT(there), stage);
    each = allocated() > before ? (allocated() - before) / MANY : 0;
    printf("%-12s %-20s %5zu octets a connection\n", kinds[kind].name, stage_names[stage], each);
    fflush(stdout);
    ck_assert_msg(each < LIMIT, "%zu octets for each", each);
    ck_assert_msg(each > 500, "%zu octets for each: they are not there", each);
    ck_assert_int_eq(descriptors() - fds, 2 * MANY); /* theirs is one of them */
    exchange(&s);
    for (int i = 0; i < COUNT(foes); i++)
        close(foes[i].fd);
}
END_TEST

/* ---- Who is served meanwhile ------------------------------------------------------------------------------------- */

enum { CROWD = SLOW ? 150 : 600, REQUESTS = SLOW ? 1000 : 10000, IVL_MS = 300, NEWCOMERS = 10 };

static _Atomic bool over;

/* A connection of the flood. */
struct drop {
    struct foe f;
    uint8_t bytes[FRAME_ROOM];
    size_t n, at, step; /* bytes that it says, `step` octets at a time */
};

struct flood {
    struct endpoint at;
    int mechanism;
    struct drop *drops;
    _Atomic long connections;
};

/* Each says something else, but none all that it has to. */
static void begin_drop(struct flood *w, struct drop *d, unsigned n)
{
    uint8_t *to = d->bytes;

    d->f = foe_to(&w->at, w->mechanism, false);
    ck_assert_int_ge(fcntl(d->f.fd, F_SETFL, O_NONBLOCK), 0);
    atomic_fetch_add(&w->connections, 1);
    d->at = 0;
    d->step = n % 3 ? FRAME_ROOM : 1; /* some octet by octet */
    to += foe_make(&d->f, GREETING, to);
    switch (n % 7) {
    case 0: d->n = 0; break;
    case 1: d->n = GREETING_SIZE / 2; break;
    case 2: d->n = GREETING_SIZE; break;
    case 3: d->n = GREETING_SIZE + foe_make(&d->f, FIRST, to) / 2; break;
    case 4: /* the costly one: keys are made, and a cookie */
        d->n = GREETING_SIZE;
        if (w->mechanism != SIFR_NULL)
            d->n += foe_make(&d->f, FIRST, to);
        break;
    case 5: d->n = GREETING_SIZE + put_header(to, 4, LARGEST) + LARGEST / 2; break;
    default: d->n = GREETING_SIZE + put_header(to, 4, UINT64_C(1) << 40); break;
    }
}

/* Says a little more; whoever has been ended, or has said all for the second time round, comes again. */
static void *pour(void *arg)
{
    struct flood *w = arg;
    uint8_t heard[512];

    for (unsigned n = 0; !over; n++) {
        struct drop *d = &w->drops[n % CROWD];
        size_t step = d->n - d->at < d->step ? d->n - d->at : d->step;
        ssize_t sent = step ? send(d->f.fd, d->bytes + d->at, step, MSG_NOSIGNAL) : 0;
        ssize_t got = recv(d->f.fd, heard, sizeof heard, MSG_DONTWAIT);
        bool ended = got == 0 || (got < 0 && errno != EAGAIN) || sent < 0;

        d->at += sent > 0 ? (size_t)sent : 0;
        if (ended || (n / CROWD % 4 == 3 && n % 2)) { /* a half of them goes by itself, and soon */
            close(d->f.fd);
            begin_drop(w, d, n + n / CROWD);
        }
        if (n % 64 == 0)
            sched_yield();
    }
    return NULL;
}

static void *serve(void *arg)
{
    sifr_socket_t *server = arg;
    char text[64];

    for (;;) {
        int n = sifr_recv(server, text, sizeof text, 0);

        ck_assert_msg(n >= 0, "no request: %s", strerror(errno));
        if (n == 0)
            return NULL;
        send_bytes(server, text, (size_t)n, 0);
    }
}

/* How many requests of this client a second is served, while others come and go. */
static double requests_a_second(sifr_socket_t *client, int mechanism, const struct endpoint *at)
{
    int64_t begin = now_ms();
    int64_t took;

    for (int i = 0; i < REQUESTS; i++) {
        send_text(client, "request", 0);
        recv_text(client, "request", false);
        if (i % (REQUESTS / NEWCOMERS) == 0) { /* who comes now must come in, too */
            sifr_socket_t *other = new_socket(SIFR_REQ);

            arm(other, mechanism, false);
            connect_to(other, at);
            send_text(other, "newcomer", 0);
            recv_text(other, "newcomer", false);
            drop(other);
        }
    }
    took = now_ms() - begin;
    return REQUESTS * 1000.0 / (double)(took ? took : 1);
}

START_TEST(those_who_may_are_served_in_the_flood)
{
    int mechanism = _i == 0 ? SIFR_NULL : _i == 1 ? SIFR_PLAIN : SIFR_CURVE;
    sifr_socket_t *server = new_socket(SIFR_REP), *client = new_socket(SIFR_REQ);
    struct flood w = {.mechanism = mechanism};
    double dry, wet;
    pthread_t serves, pours;
    size_t before, most;

    allow_descriptors();
    arm(server, mechanism, true);
    set_int(server, SIFR_HANDSHAKE_IVL, IVL_MS);
    set_int(server, SIFR_BACKLOG, 1000);
    arm(client, mechanism, false);
    w.at = bind_fresh(server, TCP);
    connect_to(client, &w.at);
    serves = start_thread(serve, server);
    dry = requests_a_second(client, mechanism, &w.at);

    w.drops = calloc(CROWD, sizeof *w.drops);
    ck_assert_ptr_nonnull(w.drops);
    before = allocated();
    over = false;
    for (unsigned i = 0; i < CROWD; i++)
        begin_drop(&w, &w.drops[i], i);
    pours = start_thread(pour, &w);
    wet = requests_a_second(client, mechanism, &w.at);
    most = allocated() > before ? allocated() - before : 0;
    over = true;
    pthread_join(pours, NULL);
    printf("%-5s %6.0f requests a second, %6.0f in the flood: %ld connections, %d at a time, %zu KiB\n",
           mechanism_name(mechanism), dry, wet, (long)w.connections, CROWD, most / 1024);
    fflush(stdout);
    ck_assert_msg(most < (size_t)CROWD * LIMIT, "%zu octets", most);
    for (int i = 0; i < CROWD; i++)
        close(w.drops[i].f.fd);
    free(w.drops);
    requests_a_second(client, mechanism, &w.at); /* and behind it */
    send_text(client, "", 0);
    pthread_join(serves, NULL);
}
END_TEST

/* ---- Time, and numbers ------------------------------------------------------------------------------------------- */

START_TEST(an_octet_now_and_then_does_not_buy_time)
{
    struct scene s = open_scene(_i, 100);
    uint8_t bytes[FRAME_ROOM];
    struct foe f = foe_to(&s.at[0], s.mechanism, !s.server);
    size_t n = foe_make(&f, GREETING, bytes);
    bool open = true;

    for (size_t i = 0; open && i < n; i++) {
        open = foe_send(&f, bytes + i, 1);
        poll(NULL, 0, 15); /* it is slow: in ten times the time that it has it would be done */
    }
    ck_assert(!open);
    close(f.fd);
    expect_accepted_end(&s, "slow", false, TIMED_OUT);
    exchange(&s);
}
END_TEST

START_TEST(a_crowd_that_does_not_go_on_is_sent_away)
{
    enum { HERE = SLOW ? 100 : 300 };
    struct scene s = open_scene(_i, 200);
    static struct foe foes[HERE];
    int gone = 0, fds = descriptors();

    allow_descriptors();
    for (int i = 0; i < HERE; i++) {
        uint8_t frame[FRAME_ROOM];

        foes[i] = foe_to(&s.at[i % 2], s.mechanism, !s.server);
        foe_send(&foes[i], frame, foe_make(&foes[i], GREETING, frame) - (size_t)(i % 65));
    }
    while (gone < HERE) {
        struct event e = next_event(&s, "crowd");

        gone += e.number == SIFR_EVENT_DISCONNECTED;
        ck_assert_uint_ne(e.number, SIFR_EVENT_HANDSHAKE_SUCCEEDED);
        if (e.number == SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
            ck_assert_uint_eq(e.value, ETIMEDOUT);
    }
    for (int i = 0; i < HERE; i++) {
        raw_expect_end(foes[i].fd);
        close(foes[i].fd);
    }
    eventually(descriptors() <= fds);
    newcomer(&s, IPC);
}
END_TEST

/* The server can take no more: who is in stays, and when there is room again others come in. */
START_TEST(without_descriptors_those_who_are_in_are_served)
{
    enum { HERE = 60, ROOM = 10 };
    struct scene s = open_scene(_i ? 3 : 0, 30000);
    struct sockaddr_in to = own_address(atoi(strrchr(s.at[0].text, ':') + 1));
    struct rlimit r, few;
    int fds[HERE], last = 0;

    for (int i = 0; i < HERE; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fds[i], 0);
        last = fds[i] > last ? fds[i] : last;
    }
    ck_works(getrlimit(RLIMIT_NOFILE, &r));
    few = r;
    few.rlim_cur = (rlim_t)last + 1 + ROOM;
    ck_works(setrlimit(RLIMIT_NOFILE, &few));
    for (int i = 0; i < HERE; i++)
        ck_works(connect(fds[i], (struct sockaddr *)&to, sizeof to));
    for (int i = 0; i < 100; i++) {
        send_text(s.friend, "good", 0);
        recv_text(s.victim, "good", false);
    }
    for (int i = 0; i < HERE; i++)
        close(fds[i]);
    ck_works(setrlimit(RLIMIT_NOFILE, &r));
    for (int gone = 0; gone < HERE;)
        gone += next_event(&s, "crowd").number == SIFR_EVENT_DISCONNECTED;
    newcomer(&s, TCP);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("floods");
    TCase *c = new_hostile_case(s, "costs");

    tcase_add_loop_test(c, a_connection_that_is_not_let_in_yet_costs_less_than_8_kib_and_a_descriptor, 0,
                        COUNT(kinds) * STAGES);
    c = new_hostile_case(s, "service");
    tcase_add_loop_test(c, those_who_may_are_served_in_the_flood, 0, 3);
    c = new_hostile_case(s, "time");
    tcase_add_loop_test(c, an_octet_now_and_then_does_not_buy_time, 0, COUNT(kinds));
    tcase_add_loop_test(c, a_crowd_that_does_not_go_on_is_sent_away, 0, COUNT(kinds));
    tcase_add_loop_test(c, without_descriptors_those_who_are_in_are_served, 0, 2);
    return run_suite(s);
}
