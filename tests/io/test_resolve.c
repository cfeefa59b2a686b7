/* Name look-up in its threads, over a resolver of the test's own. */
#include "io/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "on_loop.h"

/*
 * ---- The resolver: "two" has two addresses, "none" and with IPv6 "localhost" none, "again" no answer now, "slow"
 * waits for `gate`. ----
 */

static sem_t gate, entered;
static _Atomic int inside, most;

static struct addrinfo *make(const char *host, bool ipv6, struct addrinfo *next)
{
    struct addrinfo *a = calloc(1, sizeof *a);
    struct sf_address *to = calloc(1, sizeof *to);

    sf_addr_parse(to, host, 0, ipv6);
    a->ai_family = to->sa.sa_family;
    a->ai_addr = &to->sa;
    a->ai_addrlen = to->len;
    a->ai_canonname = (char *)to; /* to free */
    a->ai_next = next;
    return a;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    bool ipv6 = hints->ai_family == AF_INET6;
    int now;

    (void)service;
    if (strcmp(host, "none") == 0 || (ipv6 && strcasecmp(host, "localhost") == 0))
        return EAI_NONAME;
    if (strcmp(host, "again") == 0)
        return EAI_AGAIN;
    if (strcmp(host, "slow") == 0) {
        now = atomic_fetch_add(&inside, 1) + 1;
        if (now > atomic_load(&most))
            atomic_store(&most, now);
        sem_post(&entered);
        test_wait(&gate);
        atomic_fetch_sub(&inside, 1);
    }
    *out = make("10.0.0.1", ipv6, make("10.0.0.2", ipv6, NULL));
    return 0;
}

void freeaddrinfo(struct addrinfo *a)
{
    while (a) {
        struct addrinfo *next = a->ai_next;

        free(a->ai_canonname);
        free(a);
        a = next;
    }
}

/* ---- The tests ---- */

enum { MANY = 12 };

struct asker {
    const char *host;
    bool ipv6;
    int n;
    struct sf_lookup *lookups[MANY];
    int error;
    char first[SF_ADDR_TEXT_MAX];
    size_t found;
    int calls;
    sem_t done;
};

static void answer(struct sf_lookup *l)
{
    struct asker *a = l->arg;

    a->calls++;
    a->error = l->error;
    a->found = l->n;
    if (l->n)
        sf_addr_print(&l->list[0], a->first, sizeof a->first);
    for (int i = 0; i < a->n; i++)
        if (a->lookups[i] == l)
            a->lookups[i] = NULL;
    sf_lookup_free(l);
    sem_post(&a->done);
}

static void ask(struct sf_loop *l, void *arg)
{
    struct asker *a = arg;

    for (int i = 0; i < a->n; i++)
        ck_assert_int_eq(sf_lookup_start(&a->lookups[i], l, a->host, 99, a->ipv6, answer, a), 0);
}

static void let_go(struct sf_loop *l, void *arg)
{
    struct asker *a = arg;

    (void)l;
    for (int i = 0; i < a->n; i++) {
        sf_lookup_free(a->lookups[i]);
        a->lookups[i] = NULL;
    }
}

static const struct {
    const char *host;
    bool ipv6;
    int error;
    size_t n;
    const char *first;
} cases[] = {
    {"two", false, 0, 2, "10.0.0.1:99"},
    {"two", true, 0, 2, "[::ffff:10.0.0.1]:99"},
    {"none", false, -ENODEV, 0, ""},
    {"again", false, -EAGAIN, 0, ""},
    {"localhost", false, 0, 1, "127.0.0.1:99"}, /* the resolver would have said otherwise */
    {"LocalHost", true, 0, 2, "[::1]:99"}, /* is known all the same */
};

START_TEST(the_answer_comes_to_the_loop)
{
    struct sf_loop *l = test_loop(SF_POLLER_DEFAULT, false);
    struct asker a = {.host = cases[_i].host, .ipv6 = cases[_i].ipv6, .n = 1};

    sem_init(&a.done, 0, 0);
    test_on_loop(l, ask, &a);
    test_wait(&a.done);
    sf_loop_free(l);
    ck_assert_int_eq(a.error, cases[_i].error);
    ck_assert_uint_eq(a.found, cases[_i].n);
    ck_assert_str_eq(a.first, cases[_i].first);
}
END_TEST

START_TEST(at_most_four_run_at_once_and_the_rest_waits_in_line)
{
    struct sf_loop *l = test_loop(SF_POLLER_DEFAULT, false);
    struct asker a = {.host = "slow", .n = MANY};

    sem_init(&a.done, 0, 0);
    atomic_store(&most, 0);
    test_on_loop(l, ask, &a);
    for (int i = 0; i < 4; i++)
        test_wait(&entered);
    for (int i = 0; i < MANY; i++)
        sem_post(&gate);
    for (int i = 0; i < MANY; i++)
        test_wait(&a.done);
    for (int i = 4; i < MANY; i++)
        test_wait(&entered);
    sf_loop_free(l);
    ck_assert_int_eq(a.calls, MANY);
    ck_assert_int_eq(atomic_load(&most), 4);
}
END_TEST

START_TEST(look_ups_let_go_of_call_nobody_and_outlive_the_loop)
{
    struct sf_loop *l = test_loop(SF_POLLER_DEFAULT, false);
    struct asker a = {.host = "slow", .n = MANY}, b = {.host = "two", .n = 1};

    sem_init(&a.done, 0, 0);
    sem_init(&b.done, 0, 0);
    test_on_loop(l, ask, &a);
    for (int i = 0; i < 4; i++)
        test_wait(&entered);
    test_on_loop(l, let_go, &a); /* four are under way, eight in line */
    sf_loop_free(l);             /* waits for none */
    for (int i = 0; i < 4; i++)
        sem_post(&gate);

    l = test_loop(SF_POLLER_DEFAULT, false); /* and the threads still serve others */
    test_on_loop(l, ask, &b);
    test_wait(&b.done);
    sf_loop_free(l);
    ck_assert_int_eq(a.calls, 0);
    ck_assert_int_eq(b.calls, 1);
}
END_TEST

/* Posted, but freed before the loop comes to it: asked and waited for within one task. */
static void ask_and_let_go(struct sf_loop *l, void *arg)
{
    struct asker *a = arg;

    ask(l, a);
    while (!atomic_load(&a->lookups[0]->job.task.queued))
        ;
    let_go(l, a);
}

START_TEST(an_answer_on_its_way_can_be_let_go_of)
{
    struct sf_loop *l = test_loop(SF_POLLER_DEFAULT, false);
    struct asker a = {.host = "two", .n = 1};

    sem_init(&a.done, 0, 0);
    test_on_loop(l, ask_and_let_go, &a);
    sf_loop_free(l);
    ck_assert_int_eq(a.calls, 0);
}
END_TEST

START_TEST(names_without_sense_are_refused_and_memory_may_end)
{
    struct sf_loop *l = test_loop(SF_POLLER_DEFAULT, false);
    char name[SF_ADDR_HOST_MAX + 1];
    struct sf_address *list;
    struct sf_lookup *x;
    size_t n;

    memset(name, 'a', sizeof name);
    name[SF_ADDR_HOST_MAX] = 0;
    ck_assert_int_eq(sf_lookup_start(&x, l, name, 1, false, answer, NULL), -EINVAL);
    ck_assert_int_eq(sf_lookup_start(&x, l, "", 1, false, answer, NULL), -EINVAL);
    sf_alloc_fail(1, 0);
    ck_assert_int_eq(sf_lookup_start(&x, l, "two", 1, false, answer, NULL), -ENOMEM);
    sf_alloc_fail(1, 0);
    ck_assert_int_eq(sf_lookup_now(&list, &n, "two", 1, false), -ENOMEM);
    sf_alloc_fail(0, 0);
    sf_lookup_free(NULL);
    sf_loop_free(l);
}
END_TEST

static void fill(TCase *tc)
{
    sem_init(&gate, 0, 0);
    sem_init(&entered, 0, 0);
    tcase_add_loop_test(tc, the_answer_comes_to_the_loop, 0, 4);
    tcase_add_test(tc, at_most_four_run_at_once_and_the_rest_waits_in_line);
    tcase_add_test(tc, look_ups_let_go_of_call_nobody_and_outlive_the_loop);
    tcase_add_test(tc, an_answer_on_its_way_can_be_let_go_of);
    tcase_add_test(tc, names_without_sense_are_refused_and_memory_may_end);
}

int main(void)
{
    return test_main("resolve", fill);
}
