/* The loop: tasks, timers and descriptors in one thread. */
#include "io/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "on_loop.h"

/* Every test runs over every backend, and over both ways to wake. */
static struct sf_loop *begin(int i)
{
    return test_loop(i & 1 ? SF_POLLER_POLL : SF_POLLER_EPOLL, i & 2);
}

enum { VARIANTS = 4 };

/* ---- Tasks ---- */

struct counted {
    struct sf_task task;
    struct sf_loop *loop;
    int left; /* runs until it no longer posts itself */
    sem_t done;
};

static void count_down(struct sf_task *t)
{
    struct counted *c = SF_CONTAINER(t, struct counted, task);

    ck_assert(sf_loop_here(c->loop));
    if (--c->left)
        sf_loop_post(c->loop, t);
    else
        sem_post(&c->done);
}

START_TEST(a_task_may_post_itself_again)
{
    struct counted c = {.task.run = count_down, .left = 1000};

    c.loop = begin(_i);
    sem_init(&c.done, 0, 0);
    ck_assert(!sf_loop_here(c.loop));
    sf_loop_post(c.loop, &c.task);
    test_wait(&c.done);
    ck_assert_int_eq(c.left, 0);
    sf_loop_free(c.loop);
}
END_TEST

/* Posters count up and post; the task must run after the last increment. */
struct storm {
    struct sf_task task;
    struct sf_loop *loop;
    _Atomic int posted;
    int runs, seen; /* the loop's */
    sem_t done;
};

enum { POSTERS = 4, POSTS = 20000 };

static void see(struct sf_task *t)
{
    struct storm *s = SF_CONTAINER(t, struct storm, task);

    s->runs++;
    s->seen = atomic_load_explicit(&s->posted, memory_order_relaxed);
    if (s->seen == POSTERS * POSTS)
        sem_post(&s->done);
}

static void *post_many(void *arg)
{
    struct storm *s = arg;

    for (int i = 0; i < POSTS; i++) {
        atomic_fetch_add_explicit(&s->posted, 1, memory_order_relaxed);
        sf_loop_post(s->loop, &s->task);
    }
    return NULL;
}

START_TEST(no_post_is_lost_and_a_queued_task_is_queued_once)
{
    struct storm s = {.task.run = see};
    pthread_t threads[POSTERS];

    s.loop = begin(_i);
    sem_init(&s.done, 0, 0);
    for (int i = 0; i < POSTERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, &s), 0);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    test_wait(&s.done);
    sf_loop_free(s.loop);
    ck_assert_int_eq(s.seen, POSTERS * POSTS);
    ck_assert_int_le(s.runs, POSTERS * POSTS);
}
END_TEST

struct ordered {
    struct sf_task task;
    int *next;
    int mine;
};

static void check_order(struct sf_task *t)
{
    struct ordered *o = SF_CONTAINER(t, struct ordered, task);

    ck_assert_int_eq((*o->next)++, o->mine);
}

START_TEST(tasks_run_in_the_order_posted_and_the_last_ones_when_the_loop_is_freed)
{
    enum { N = 500 };
    static struct ordered all[N];
    struct sf_loop *l = begin(_i);
    int next = 0;

    memset(all, 0, sizeof all);
    for (int i = 0; i < N; i++) {
        all[i].task.run = check_order;
        all[i].next = &next;
        all[i].mine = i;
        sf_loop_post(l, &all[i].task);
    }
    sf_loop_free(l);
    ck_assert_int_eq(next, N);
}
END_TEST

/* ---- Timers ---- */

enum { TIMERS = 300 };

struct alarms {
    struct sf_loop *loop;
    struct alarm {
        struct sf_timer timer;
        struct alarms *all;
        uint64_t start_us, in_ms;
        int fired;
    } list[TIMERS];
    uint64_t last_due_ms;
    int left;
    sem_t done;
};

static void ring(struct sf_timer *t)
{
    struct alarm *a = SF_CONTAINER(t, struct alarm, timer);

    ck_assert(!sf_timer_armed(t));
    ck_assert_uint_ge(sf_clock_us(), a->start_us + a->in_ms * 1000);
    ck_assert_uint_ge(t->due_ms, a->all->last_due_ms); /* in order */
    a->all->last_due_ms = t->due_ms;
    a->fired++;
    if (--a->all->left == 0)
        sem_post(&a->all->done);
}

static void arm_all(struct sf_loop *l, void *arg)
{
    struct alarms *as = arg;

    for (int i = 0; i < TIMERS; i++) {
        struct alarm *a = &as->list[i];

        a->all = as;
        a->timer.fire = ring;
        sf_loop_timer(l, &a->timer, 100000); /* moved at once */
        a->start_us = sf_clock_us();
        a->in_ms = (uint64_t)(i * 7919 % 40);
        sf_loop_timer(l, &a->timer, a->in_ms);
    }
    as->left = TIMERS;
    for (int i = 0; i < TIMERS; i += 3) {
        sf_loop_cancel(l, &as->list[i].timer);
        sf_loop_cancel(l, &as->list[i].timer);
        as->left--;
    }
}

START_TEST(timers_fire_once_in_order_and_never_early)
{
    struct alarms *as = calloc(1, sizeof *as);

    as->loop = begin(_i);
    sem_init(&as->done, 0, 0);
    test_on_loop(as->loop, arm_all, as);
    test_wait(&as->done);
    sf_loop_free(as->loop);
    for (int i = 0; i < TIMERS; i++)
        ck_assert_int_eq(as->list[i].fired, i % 3 != 0);
    free(as);
}
END_TEST

struct pair {
    struct sf_loop *loop;
    struct sf_timer a, b;
    int fired_b, turns;
    sem_t done;
};

static void fire_a(struct sf_timer *t)
{
    struct pair *p = SF_CONTAINER(t, struct pair, a);

    sf_loop_cancel(p->loop, &p->b); /* due in the same turn */
    if (++p->turns < 50)
        sf_loop_timer(p->loop, t, 0);
    else
        sem_post(&p->done);
}

static void fire_b(struct sf_timer *t)
{
    SF_CONTAINER(t, struct pair, b)->fired_b++;
}

static void arm_pair(struct sf_loop *l, void *arg)
{
    struct pair *p = arg;
    uint64_t until = sf_clock_ms() + 3;

    p->a.fire = fire_a;
    p->b.fire = fire_b;
    sf_loop_timer(l, &p->a, 1);
    sf_loop_timer(l, &p->b, 2);
    while (sf_clock_ms() < until) /* so that both are due at once */
        ;
}

START_TEST(a_due_timer_can_be_cancelled_and_one_armed_with_0_waits_a_turn)
{
    struct pair p = {0};

    p.loop = begin(_i);
    sem_init(&p.done, 0, 0);
    test_on_loop(p.loop, arm_pair, &p);
    test_wait(&p.done);
    sf_loop_free(p.loop);
    ck_assert_int_eq(p.fired_b, 0);
}
END_TEST

/* ---- Descriptors ---- */

struct ends {
    struct sf_loop *loop;
    struct sf_watch a, b;
    int far_a, far_b;
    int calls;
    sem_t done;
};

/* Whichever comes first takes the other away. */
static void ready_a(struct sf_watch *w, unsigned events)
{
    struct ends *e = SF_CONTAINER(w, struct ends, a);

    ck_assert(events & SF_READ);
    e->calls++;
    sf_loop_unwatch(e->loop, &e->b);
    sf_loop_unwatch(e->loop, &e->a);
    sem_post(&e->done);
}

static void ready_b(struct sf_watch *w, unsigned events)
{
    struct ends *e = SF_CONTAINER(w, struct ends, b);

    ck_assert(events & SF_READ);
    e->calls++;
    sf_loop_unwatch(e->loop, &e->a);
    sf_loop_unwatch(e->loop, &e->b);
    sem_post(&e->done);
}

static void watch_ends(struct sf_loop *l, void *arg)
{
    struct ends *e = arg;

    ck_assert_int_eq((int)write(e->far_a, "x", 1), 1);
    ck_assert_int_eq((int)write(e->far_b, "x", 1), 1);
    ck_assert_int_eq(sf_loop_watch(l, &e->a, SF_READ), 0);
    ck_assert_int_eq(sf_loop_watch(l, &e->b, SF_READ), 0);
}

static void nothing(struct sf_loop *l, void *arg)
{
    (void)l;
    (void)arg;
}

START_TEST(no_event_comes_after_unwatch_even_within_the_turn)
{
    struct ends e = {.a.ready = ready_a, .b.ready = ready_b};
    int pair[2];

    e.loop = begin(_i);
    sem_init(&e.done, 0, 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    e.a.fd = pair[0];
    e.far_a = pair[1];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    e.b.fd = pair[0];
    e.far_b = pair[1];
    test_on_loop(e.loop, watch_ends, &e);
    test_wait(&e.done);
    test_on_loop(e.loop, nothing, NULL);
    ck_assert_int_eq(e.calls, 1);
    sf_loop_free(e.loop);
    close(e.a.fd);
    close(e.b.fd);
    close(e.far_a);
    close(e.far_b);
}
END_TEST

static void read_end(struct sf_watch *w, unsigned events)
{
    struct ends *e = SF_CONTAINER(w, struct ends, a);
    size_t size;
    uint8_t *room = sf_loop_scratch(e->loop, &size);

    ck_assert(events & SF_HUP);
    ck_assert(events & SF_READ); /* a hang-up comes with what was wanted */
    ck_assert_uint_eq(size, 65536);
    ck_assert_int_eq((int)read(w->fd, room, size), 0);
    sf_loop_unwatch(e->loop, w);
    sem_post(&e->done);
}

static void watch_a(struct sf_loop *l, void *arg)
{
    struct ends *e = arg;

    ck_assert_int_eq(sf_loop_watch(l, &e->a, SF_READ), 0);
    close(e->far_a);
}

START_TEST(a_hang_up_is_reported_with_what_was_wanted)
{
    struct ends e = {.a.ready = read_end};
    int pair[2];

    e.loop = begin(_i);
    sem_init(&e.done, 0, 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    e.a.fd = pair[0];
    e.far_a = pair[1];
    test_on_loop(e.loop, watch_a, &e);
    test_wait(&e.done);
    sf_loop_free(e.loop);
    close(e.a.fd);
}
END_TEST

/* ---- The thread ---- */

static void look_at_mask(struct sf_loop *l, void *arg)
{
    sigset_t now;

    (void)l;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    *(bool *)arg = sigismember(&now, SIGINT) && sigismember(&now, SIGUSR1) &&
                   sigismember(&now, SIGTERM);
}

static void count_turn(void *arg)
{
    (*(int *)arg)++;
}

START_TEST(the_thread_blocks_signals_takes_any_priority_and_calls_idle)
{
    static const uint16_t cpus[] = {0, 50000};
    int turns = 0;
    struct sf_loop_config cfg = {.name = "a name that is too long", .policy = SCHED_FIFO,
                                 .priority = 1, .cpus = cpus, .n_cpus = 2,
                                 .idle = count_turn, .idle_arg = &turns};
    struct sf_loop *l;
    bool blocked = false;

    ck_assert_int_eq(sf_loop_new(&l, &cfg), 0);
    test_on_loop(l, look_at_mask, &blocked);
    sf_loop_free(l);
    ck_assert(blocked);
    ck_assert_int_gt(turns, 0);
}
END_TEST

static void arm_one(struct sf_loop *l, void *arg)
{
    struct alarms *as = arg;
    struct alarm *a = &as->list[0];

    a->all = as;
    a->timer.fire = ring;
    a->start_us = sf_clock_us();
    a->in_ms = 40;
    as->left = 1;
    sf_loop_timer(l, &a->timer, a->in_ms);
}

START_TEST(a_loop_that_waits_makes_no_turns)
{
    int turns = 0;
    struct sf_loop_config cfg = {.policy = -1, .priority = -1, .idle = count_turn,
                                 .idle_arg = &turns, .poller = _i ? SF_POLLER_POLL : 0};
    struct alarms *as = calloc(1, sizeof *as);

    ck_assert_int_eq(sf_loop_new(&as->loop, &cfg), 0);
    sem_init(&as->done, 0, 0);
    test_on_loop(as->loop, arm_one, as);
    test_wait(&as->done);
    sf_loop_free(as->loop);
    ck_assert_int_le(turns, 5); /* the post, its late wake-up, the timer, the end, and one to spare */
    free(as);
}
END_TEST

START_TEST(a_forked_child_forgets_the_loop)
{
    struct sf_loop *l = begin(_i);
    pid_t pid;
    int status;

    test_on_loop(l, nothing, NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sf_loop_forget(l);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    test_on_loop(l, nothing, NULL);
    sf_loop_free(l);
}
END_TEST

static void fill(TCase *tc)
{
    tcase_add_loop_test(tc, a_task_may_post_itself_again, 0, VARIANTS);
    tcase_add_loop_test(tc, no_post_is_lost_and_a_queued_task_is_queued_once, 0, VARIANTS);
    tcase_add_loop_test(tc, tasks_run_in_the_order_posted_and_the_last_ones_when_the_loop_is_freed,
                        0, VARIANTS);
    tcase_add_loop_test(tc, timers_fire_once_in_order_and_never_early, 0, VARIANTS);
    tcase_add_loop_test(tc, a_due_timer_can_be_cancelled_and_one_armed_with_0_waits_a_turn, 0,
                        VARIANTS);
    tcase_add_loop_test(tc, no_event_comes_after_unwatch_even_within_the_turn, 0, VARIANTS);
    tcase_add_loop_test(tc, a_hang_up_is_reported_with_what_was_wanted, 0, VARIANTS);
    tcase_add_test(tc, the_thread_blocks_signals_takes_any_priority_and_calls_idle);
    tcase_add_loop_test(tc, a_loop_that_waits_makes_no_turns, 0, 2);
    tcase_add_loop_test(tc, a_forked_child_forgets_the_loop, 0, VARIANTS);
}

int main(void)
{
    return test_main("loop", fill);
}
