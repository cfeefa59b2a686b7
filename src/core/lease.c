/*
 * The direct path: calls that do their connections' I/O by themselves.
 *
 *   LOOP --sf_lease_grant, in the loop--> SOCKET     reading: asked for by a recv that waits
 *     ^                                      |
 *     +--------- sf_lease_return ------------+       under the turn: a call that will not read
 *                                                    any more, the tick of an unused lease, or
 *                                                    the loop, which has to end the connection
 */
#include "core/lease.h"
#include "base/barrier.h"
#include "base/clock.h"
#include "core/conn.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    TICK_MS = 10,         /* an unused lease goes back after one to two */
    FRUITLESS = 8,        /* looks in vain, then it goes back too */
    STREAK = 8,           /* sends in a row that make a stream, */
    STREAK_NS = 2000,     /* each so soon after the last one's end */
    ROUND_NS = 400000,    /* from one to the next of a socket that is one of many, likewise */
    SPIN_NS = 20000,      /* how long a recv looks again before it sleeps */
    CROWDED_NS = 200000,  /* a yield that takes so long says that the core is wanted */
    SPIN_SKIP_MIN = 32,   /* waits that do not, after it was in vain twice */
    SPIN_SKIP_MAX = 512,
    SPIN_CALM = 256,      /* looks in a row after yields that took less, */
    SPIN_TRUST = 16,      /* then so many first looks after one need no clock */
    BURST = 4,            /* messages since a sleep that are one */
    WAY_MIN = 524288,     /* bytes that are queued before a call gives way to the loop */
    RUSH = 8,             /* waits that make a receiver too fast for its sender, when */
    RUSH_NS = 2000,       /* so little passes from one to the next for each of its calls; */
    WRITE_MOST = 2,       /* idle peers to which one call writes */
    HELP_EVERY = 16,      /* of so many calls in a row that find no room one writes, */
    HELP_MOST = 4,        /* so often */
    GATHER_NS = 8000,     /* then so much later it looks */
};

/* --- Sending ------------------------------------------------------------ */

/* After dropping a token: what the loop wanted meanwhile. */
static void look_later(struct sf_conn *c)
{
    if (atomic_load(&c->later))
        sf_conn_poke(c, atomic_exchange(&c->later, 0));
}

/* Writes what the pipe holds. `idle`: the loop will not look unless told. Whether the stream took all. */
static bool write_out(struct sf_conn *c, struct sf_link *l, bool idle)
{
    bool credit = false, slept = false, large = false;
    uint64_t took;
    int err = -EBUSY;

    if (sf_lock_try(&c->writer)) {
        if (c->direct) {
            do {
                took = sf_pipe_took(l->out);
                err = sf_send_some(c, l);
                if (err == 0)
                    sf_pipe_recycle(l->out);
                slept = err == 0 && idle && sf_pipe_sleep(l->out, &credit);
                /* What is there and did not go wants memory, which a call does not wait for. */
            } while (err == 0 && idle && !slept && sf_pipe_took(l->out) != took);
            large = slept && (sf_pipe_reads_large(l->out) || sf_seal_writes_large(c));
        }
        sf_lock_drop(&c->writer);
        look_later(c);
    }
    l->unflushed = 0;
    if (large && !atomic_load_explicit(&c->calming, memory_order_relaxed)) {
        atomic_store_explicit(&c->calming, true, memory_order_relaxed);
        sf_conn_poke(c, SF_TODO_CALM);
    }
    if (credit)
        sf_link_post(l, SF_EVENT_WRITABLE);
    if (idle ? !slept : err < 0 && err != -EBUSY)
        sf_conn_poke(c, SF_TODO_DRAIN);
    return err == 0;
}

/*
 * Much is queued for a loop that seals, and that may have no other core than ours to do so: by and by
 * all of it would have left the caches before its turn. So the loop goes first, unless that has turned
 * out to let others go.
 */
static void give_way(struct sf_link *l)
{
    struct sifr_socket *s = l->socket;
    struct sf_flow was, is;
    uint64_t begun;

    if (s->stays) {
        s->stays--;
        return;
    }
    sf_pipe_flow(l->out, &was);
    if (l->out->conflate || was.put_bytes - was.took_bytes < WAY_MIN)
        return;
    begun = sf_clock_ns();
    sched_yield();
    sf_pipe_flow(l->out, &is);
    if (is.took == was.took && sf_clock_ns() - begun > CROWDED_NS)
        s->stays = SPIN_SKIP_MIN;
}

void sf_direct_flush(struct sf_link *l)
{
    if (!write_out(l->conn, l, false) && l->conn->profile->seals)
        give_way(l);
}

/* Whether the call has written to so many idle peers that the loops shall do the rest. */
static bool wrote_enough(struct sifr_socket *s)
{
    uint64_t call = atomic_load_explicit(&s->calls, memory_order_relaxed);

    if (s->write_call != call) {
        s->write_call = call;
        s->wrote = 0;
    }
    return s->wrote++ >= WRITE_MOST;
}

/*
 * The calling thread's writes on all of its sockets since it last looked for what has come: who
 * sends on one after the other, never twice in a row on any, leaves the writing to the loops as well,
 * which take many messages at a time. The clock is asked only by who may be such a one.
 */
static _Thread_local struct {
    unsigned row;
    uint64_t end_ns; /* of the last one, once they are STREAK */
} writes __attribute__((tls_model("initial-exec")));

static bool writes_are_many(void)
{
    uint64_t now;

    if (writes.row < STREAK)
        return false;
    now = sf_clock_ns();
    if (now - writes.end_ns < STREAK_NS) {
        writes.end_ns = now;
        return true;
    }
    writes.row = 0;
    return false;
}

static void wrote_again(void)
{
    if (++writes.row >= STREAK)
        writes.end_ns = sf_clock_ns();
}

void sf_direct_sent(struct sf_link *l)
{
    struct sifr_socket *s = l->socket;
    struct sf_conn *c = l->conn;
    bool again = s->asked, fans_out = s->base.pattern->flags & SF_PATTERN_FANOUT;

    if (!sf_pipe_must_wake(l->out)) {
        if (l->unflushed >= SF_DIRECT_FLUSH && !fans_out) /* as in a stream, if the loop lets it */
            sf_direct_flush(l);
        return;
    }
    if (fans_out && wrote_enough(s)) {
        sf_conn_poke(c, SF_TODO_DRAIN);
        return;
    }
    /*
     * Who has read since it wrote, an answer perhaps, does not stream: no need of a clock. Nor do
     * messages so large that even in a stream the call writes each: the loop would look in vain.
     */
    if (again && l->unflushed < SF_DIRECT_FLUSH && sf_clock_ns() - s->write_end_ns < STREAK_NS)
        s->streak++;
    else
        s->streak = 0;
    if (s->streak >= STREAK) {
        s->streak = 0;
        atomic_store(&c->streaming, 1);
        sf_conn_poke(c, SF_TODO_DRAIN);
        return;
    }
    if (l->unflushed < SF_DIRECT_FLUSH && writes_are_many()) {
        /* It comes round so soon that the loop is better off looking by itself. */
        if (!fans_out && writes.end_ns - s->write_end_ns < ROUND_NS)
            atomic_store(&c->streaming, 1);
        s->write_end_ns = writes.end_ns;
        sf_conn_poke(c, SF_TODO_DRAIN);
        return;
    }
    s->asked = write_out(c, l, true);
    wrote_again();
    if (again)
        s->write_end_ns = sf_clock_ns();
}

/* Whether the call may write for a full queue. */
static bool may_help(struct sifr_socket *s)
{
    uint64_t call = atomic_load_explicit(&s->calls, memory_order_relaxed);

    if (s->help_call != call) {
        if (call - s->help_call < HELP_EVERY)
            return false;
        s->help_call = call;
        s->helped = 0;
    }
    return s->helped < HELP_MOST;
}

bool sf_direct_make_room(struct sf_link *l)
{
    struct sf_conn *c = l->conn;
    int err = 0;

    if (!c || atomic_load_explicit(&c->blocked, memory_order_relaxed) || !may_help(l->socket) ||
        !sf_lock_try(&c->writer))
        return false;
    if (c->direct) {
        l->socket->helped++;
        err = sf_send_batch(c, l);
        if (err == -EAGAIN)
            atomic_store_explicit(&c->blocked, true, memory_order_relaxed);
    }
    sf_lock_drop(&c->writer);
    look_later(c);
    if (err < 0 && err != -EAGAIN) /* a queue that is not asleep the loop looks at anyway */
        sf_conn_poke(c, SF_TODO_DRAIN);
    return sf_pipe_has_room(l->out);
}

bool sf_direct_drain(struct sifr_socket *s)
{
    SF_LIST_EACH(it, after, &s->base.peers) {
        struct sf_link *l = sf_link_of(SF_CONTAINER(it, struct sf_peer, node));

        /* An ended link's connection has another by now, perhaps. */
        if (l->conn && !l->peer.ended &&
            atomic_load_explicit(&l->out->wants_room, memory_order_relaxed))
            write_out(l->conn, l, false);
    }
    return atomic_load(&s->inbox) != NULL;
}

/* --- Reading ------------------------------------------------------------ */

static bool leased(const struct sf_link *l)
{
    return l->conn && !sf_list_empty(&l->leased);
}

/* Whether something came for the pattern. */
static bool read_one(struct sifr_socket *s, struct sf_link *l)
{
    const struct sf_pattern *pattern = s->base.pattern;
    int n = sf_recv_some(l->conn);

    if (n < 0) {
        sf_lease_return(s, l);
        return false;
    }
    if (n == 0)
        return false;
    if (sf_pipe_must_wake(l->in) && l->place == SF_LINK_ATTACHED && pattern->readable)
        pattern->readable(&s->base, &l->peer);
    return true;
}

int sf_lease_fds(struct sifr_socket *s, struct pollfd *fds)
{
    int n = 0;

    SF_LIST_EACH(it, after, &s->leases)
        fds[n++] = (struct pollfd){
            .fd = SF_CONTAINER(it, struct sf_link, leased)->conn->stream->fd, .events = POLLIN};
    return n;
}

/* Something came for the pattern by a call: the looks have not been in vain. */
static bool note_news(struct sifr_socket *s, bool came)
{
    if (came) {
        s->news = true;
        s->fruitless = 0;
    }
    return came;
}

bool sf_direct_rest(struct sifr_socket *s)
{
    bool came = false;

    SF_LIST_EACH(it, after, &s->leases) {
        struct sf_link *l = SF_CONTAINER(it, struct sf_link, leased);

        if (l->in->raw)
            came |= read_one(s, l);
    }
    return note_news(s, came);
}

bool sf_direct_read(struct sifr_socket *s)
{
    struct pollfd fds[SF_LEASES_MAX];
    bool many = s->n_leases > 1, came = false;
    int n = 0;

    s->lease_calls++;
    s->asked = false;
    writes.row = 0;
    if (many) /* which have something; those with bytes read before need no look */
        poll(fds, (nfds_t)sf_lease_fds(s, fds), 0);
    SF_LIST_EACH(it, after, &s->leases) {
        struct sf_link *l = SF_CONTAINER(it, struct sf_link, leased);

        if (!many || fds[n].revents || l->in->raw)
            came |= read_one(s, l);
        n++;
    }
    return note_news(s, came);
}

bool sf_direct_glance(struct sifr_socket *s)
{
    if (s->n_leases == 0)
        return false;
    if (sf_direct_read(s))
        return true;
    if (++s->fruitless >= FRUITLESS) {
        s->fruitless = 0;
        sf_lease_return_all(s);
    }
    return false;
}

bool sf_spin(struct sf_spin *spin, int (*look)(void *arg), void *arg)
{
    uint64_t now, end;
    int got;

    if (spin->skip) {
        spin->skip--;
        return false;
    }
    if (spin->trust) {
        spin->trust--;
        sched_yield();
        if (look(arg) > 0) {
            spin->next = 0;
            return true;
        }
    }
    now = sf_clock_ns();
    end = now + SPIN_NS;
    do {
        uint64_t before = now;

        sched_yield();
        got = look(arg);
        now = sf_clock_ns();
        /* Somebody else had work for this core: who sleeps is given it back sooner than who yields. */
        if (now - before > CROWDED_NS) {
            spin->skip = SPIN_SKIP_MIN;
            spin->calm = 0;
        } else {
            spin->calm += spin->calm < SPIN_CALM;
        }
        if (got > 0 && !spin->skip) {
            spin->next = 0;
            spin->trust = spin->calm < SPIN_CALM ? 0 : SPIN_TRUST;
        }
        if (got > 0)
            return true;
        if (got < 0 || spin->skip)
            return false;
    } while (now < end);
    spin->skip = spin->next;
    spin->next = !spin->next ? SPIN_SKIP_MIN / 2
                 : spin->next < SPIN_SKIP_MAX ? spin->next * 2 : SPIN_SKIP_MAX;
    return false;
}

static int look_again(void *arg)
{
    struct sifr_socket *s = arg;

    if (sf_direct_read(s))
        return 1;
    return atomic_load_explicit(&s->inbox, memory_order_relaxed) || s->n_leases == 0 ||
                   sf_turn_wanted(&s->turn) ? -1 : 0;
}

/* How many messages the leased connections have brought, ever. */
static uint64_t brought(struct sifr_socket *s)
{
    uint64_t n = 0;

    SF_LIST_EACH(it, after, &s->leases)
        n += sf_pipe_took(SF_CONTAINER(it, struct sf_link, leased)->in);
    return n;
}

bool sf_direct_spin(struct sifr_socket *s)
{
    struct sf_spin spin = s->spin;
    bool came;

    if (!spin.skip || spin.calm < BURST || brought(s) - s->slept_at < BURST)
        return sf_spin(&s->spin, look_again, s);
    /* A burst has woken it, and its rest is on the way. */
    s->spin.skip = 0;
    came = sf_spin(&s->spin, look_again, s);
    if (!came && s->spin.calm) /* it was at its end: no sign that looking is of no use */
        s->spin = spin;
    return came;
}

bool sf_direct_expect(struct sifr_socket *s, uint64_t planned)
{
    uint64_t now = sf_clock_ns(), end = sf_pace_woke(&s->pace, planned, now);
    bool crowded = now > planned + CROWDED_NS;

    for (;;) {
        bool came = sf_direct_read(s);
        uint64_t before = now;

        if (crowded || (!came && now >= end))
            sf_pace_missed(&s->pace, crowded);
        if (came || crowded || now >= end)
            return came;
        if (atomic_load_explicit(&s->inbox, memory_order_relaxed) || s->n_leases == 0 ||
            sf_turn_wanted(&s->turn))
            return false;
        sched_yield();
        now = sf_clock_ns();
        crowded = now - before > CROWDED_NS;
    }
}

static int look_for_post(void *arg)
{
    struct sifr_socket *s = arg;

    if (atomic_load_explicit(&s->inbox, memory_order_relaxed))
        return 1;
    return sf_turn_wanted(&s->turn) ? -1 : 0;
}

bool sf_direct_await(struct sifr_socket *s, struct sf_spin *spin)
{
    return sf_spin(spin, look_for_post, s);
}

/* Has waited for an inproc partner, until `now`: if that is all the time, lets some more come. */
static void gather(struct sifr_socket *s, uint64_t now)
{
    uint64_t calls = atomic_load_explicit(&s->calls, memory_order_relaxed);
    uint64_t end;

    if (now - s->rush_ns > (calls - s->rush_calls) * RUSH_NS)
        s->rush /= 2;
    else if (s->rush < 2 * RUSH)
        s->rush++;
    if (s->rush >= RUSH)
        for (end = now + GATHER_NS; now < end && !sf_turn_wanted(&s->turn);)
            now = sf_clock_ns();
    s->rush_ns = now;
    s->rush_calls = calls;
}

bool sf_direct_gather(struct sifr_socket *s)
{
    if (!sf_direct_await(s, &s->spin))
        return false;
    gather(s, sf_clock_ns());
    return true;
}

bool sf_direct_linger(struct sifr_socket *s, struct sf_link *l)
{
    if (s->rush < RUSH || sf_pipe_ready(l->in))
        return false;
    gather(s, sf_clock_ns());
    return sf_pipe_ready(l->in);
}

/* ppoll that ends on time: the kernel may be 50 us late else. */
static int poll_exactly(struct pollfd *fds, nfds_t n, const struct timespec *t)
{
    long slack = syscall(SYS_prctl, PR_GET_TIMERSLACK); /* prctl() would cut it to an int */
    int got;

    prctl(PR_SET_TIMERSLACK, 1UL);
    got = ppoll(fds, n, t, NULL);
    if (slack > 0) {
        int err = errno;

        prctl(PR_SET_TIMERSLACK, (unsigned long)slack);
        errno = err;
    }
    return got;
}

int sf_direct_wait(struct sifr_socket *s, uint32_t ticket, uint64_t ns, bool exactly)
{
    struct pollfd fds[SF_LEASES_MAX + 1];
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    int n = sf_lease_fds(s, fds), got = 0, err = 0;
    bool limited = ns != UINT64_MAX;

    s->slept_at = brought(s);
    fds[n] = (struct pollfd){.fd = s->wake_fd, .events = POLLIN};
    sf_socket_ref(s); /* its descriptors stay until we are back */
    sf_socket_leave(s);
    /* As with a bell: we stored lease_poller, then look at the rings; who rings does the reverse. */
    if (atomic_load(&s->bell.rings) == ticket)
        got = exactly ? poll_exactly(fds, (nfds_t)n + 1, &t) :
                        ppoll(fds, (nfds_t)n + 1, limited ? &t : NULL, NULL);
    if (got < 0 && errno == EINTR)
        err = -EINTR;
    else if (got == 0 && limited && atomic_load(&s->bell.rings) == ticket)
        err = -EAGAIN;
    if (got > 0 && fds[n].revents) {
        uint64_t count;
        ssize_t size = read(s->wake_fd, &count, sizeof count);

        (void)size;
    }
    atomic_store(&s->lease_poller, SF_POLLER_NONE);
    return err;
}

/* --- Leases ------------------------------------------------------------- */

bool sf_lease_lead(struct sifr_socket *s, int poller)
{
    int none = SF_POLLER_NONE;

    if (s->n_leases == 0 || !atomic_compare_exchange_strong(&s->lease_poller, &none, poller))
        return false;
    s->lease_calls++;
    s->fruitless = 0;
    return true;
}

bool sf_lease_ready(struct sifr_socket *s)
{
    if (s->n_leases == 0)
        return false;
    if (s->wake_fd < 0) {
        s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (s->wake_fd < 0) {
            sf_lease_return_all(s);
            return false;
        }
    }
    return sf_lease_lead(s, SF_POLLER_RECV);
}

int sf_lease_peers(struct sifr_socket *s)
{
    int n = 0;

    SF_LIST_EACH(it, after, &s->base.peers)
        if (++n > SF_LEASES_MAX)
            break;
    return n;
}

void sf_lease_ask(struct sifr_socket *s)
{
    if (atomic_load(&s->fd) >= 0 || sf_lease_peers(s) > SF_LEASES_MAX) {
        sf_lease_return_all(s);
        return;
    }
    SF_LIST_EACH(it, after, &s->base.peers) {
        struct sf_link *l = sf_link_of(SF_CONTAINER(it, struct sf_peer, node));

        if (!l->conn || !l->peer.connected ||
            (l->lease_asked && !atomic_exchange(&l->conn->lease_again, 0)))
            continue;
        l->lease_asked = true;
        sf_conn_poke(l->conn, SF_TODO_LEASE);
    }
}

void sf_lease_take(struct sifr_socket *s, struct sf_link *l)
{
    if (leased(l))
        return;
    sf_list_push(&s->leases, &l->leased);
    s->n_leases++;
    if (l->place != SF_LINK_ATTACHED || atomic_load(&s->fd) >= 0 || s->n_leases > SF_LEASES_MAX)
        sf_lease_return(s, l);
}

void sf_lease_return(struct sifr_socket *s, struct sf_link *l)
{
    struct sf_conn *c = l->conn;

    if (leased(l)) {
        sf_list_remove(&l->leased);
        s->n_leases--;
    }
    /* To end a link the loop has taken the lease back; if there is one again it is its successor's. */
    if (!c || l->peer.ended || atomic_load(&c->reader) != SF_READER_SOCKET)
        return;
    l->lease_asked = false;
    atomic_store(&c->reader, SF_READER_LOOP);
    sf_conn_poke(c, SF_TODO_READ | atomic_exchange(&c->later, 0));
}

void sf_lease_return_all(struct sifr_socket *s)
{
    while (!sf_list_empty(&s->leases))
        sf_lease_return(s, SF_CONTAINER(s->leases.next, struct sf_link, leased));
}

void sf_lease_waited(struct sifr_socket *s)
{
    if (!s->ticks_rest)
        return;
    s->ticks_rest = false;
    SF_LIST_EACH(it, after, &s->leases)
        sf_conn_poke(SF_CONTAINER(it, struct sf_link, leased)->conn, SF_TODO_LEASE);
}

/* ═══ above: calls on the socket, which have its turn; below: the loop ═══ */

void sf_lease_grant(struct sf_conn *c)
{
    if (c->state != SF_CONN_READY || c->closing || c->dying)
        return;
    if (atomic_load(&c->reader) == SF_READER_SOCKET) {
        if (!sf_timer_armed(&c->timer))
            sf_loop_timer(c->loop, &c->timer, TICK_MS);
        return;
    }
    if (!sf_recv_leasable(c))
        return;
    if (c->lane.size) { /* what we owe goes out first: hopping looks at it */
        atomic_store(&c->lease_again, 1);
        return;
    }
    if (sf_loop_watch(c->loop, &c->watch, c->wants_write ? SF_WRITE : 0) != 0) {
        sf_conn_lost(c);
        return;
    }
    sf_loop_timer(c->loop, &c->timer, TICK_MS);
    c->paused = false; /* who reads goes on by itself when it has room */
    atomic_store(&c->reader, SF_READER_SOCKET);
    sf_link_post(c->link, SF_EVENT_LEASED);
    /*
     * A link that has been detached hears nothing. Who detaches marks it, then
     * looks at `reader`; we store that, then look at the mark: one of us, or
     * both, takes it back.
     */
    if (atomic_load(&c->link->events) & SF_EVENT_DEAD) {
        atomic_store(&c->reader, SF_READER_LOOP);
        sf_recv_fill(c);
    }
}

void sf_lease_tick(struct sf_conn *c)
{
    struct sifr_socket *s = c->socket;
    bool rest = false;

    if (atomic_load(&c->reader) != SF_READER_SOCKET)
        return;
    if (sf_turn_try(&s->turn)) {
        if (s->lease_calls != c->lease_seen) {
            c->lease_seen = s->lease_calls;
        } else if (atomic_load(&s->lease_poller)) {
            /* It has been waiting for a whole tick: we would only wake up in vain. */
            rest = s->ticks_rest = true;
            if (sf_pipe_writes_large(c->link->in) || sf_seal_reads_large(c))
                sf_conn_calm(c);
        } else if (leased(c->link)) {
            sf_lease_return(s, c->link);
        }
        sf_turn_drop(&s->turn);
        sf_socket_try(s);
    }
    if (!rest && c->state == SF_CONN_READY && atomic_load(&c->reader) == SF_READER_SOCKET)
        sf_loop_timer(c->loop, &c->timer, TICK_MS);
}
