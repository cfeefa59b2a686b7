/*
 * Peers that get the same messages: one log, a window of it for each.
 *
 * A member is in one of three lists:
 *
 *              room, at the next message
 *       SHUT ---------------------------> OPEN: a window in its pipe shows the log
 *        ^ ^                              |  |
 *        | +----- something of its own ---+  | its mark is reached
 *        |                                   v
 *        +-------- writable --------------- FULL: it misses what comes
 *
 * Each crowd has a log of its own, and a message that several crowds get is
 * framed once for each: to note in one log of the socket what is for whom would
 * cost each crowd as much as to frame a small message (large ones are shared by
 * reference anyway), and chunks would be kept for the sake of little in them.
 *
 * When an OPEN member may be full is known beforehand, as the number of
 * messages the log would have then; a heap has the first of these at its top,
 * so that a message costs one comparison and a member is looked at once in
 * half its mark. Only SHUT members, which are few, are looked at one by one.
 *
 * Who reads is woken by flocks: all connections of a crowd that one loop serves
 * are one sleeper of the log. So a message costs a wake-up a loop, and only if
 * a connection there has sent all; its loop then goes through those that wait.
 * An inproc member is a flock of its own.
 */
#include "base/alloc.h"
#include "core/conn.h"
#include "core/lease.h"
#include "core/socket.h"
#include "wire/log.h"

#include <errno.h>

enum {
    MARK_MIN = 64,   /* with a lower mark windows would be short against the chunks they keep */
    TURN_CONNS = 64, /* of a flock are served at a time */
    HELP_LOOKS = 4,  /* at full members, at a message */
    MANY = 8,        /* members, from which on the system has little of each's */
};

struct flock {
    struct sf_sleeper sleeper; /* first */
    struct sf_link *link;      /* inproc: borrows; NULL when it has left; under the writer's turn */
    struct sf_loop *loop;      /* else */
    struct sf_task task;
    struct sf_list node;     /* in sf_crowd.flocks; the crowd's */
    struct sf_list waiting;  /* struct sf_conn.dozing; the loop's */
    struct sf_list turn;     /* the same: those that were woken and have not been served; the loop's */
    _Atomic int posted;      /* POSTED, NEWS */
};

enum {
    POSTED = 1, /* the task has not begun */
    NEWS = 2,   /* since it began last, there was a wake-up for those that wait */
};

struct sf_member {
    struct sf_crowd *crowd;
    struct sf_link *link; /* borrows: it has us */
    struct flock *flock;  /* shares */
    enum { SHUT, OPEN, FULL } state;
    bool fresh;           /* its window opened for the message under way */
    struct sf_list node;  /* in the list of that state */
    uint64_t full_at;     /* OPEN: when the log has so many messages, it may be full */
    size_t at;            /* OPEN: its place in the heap */
};

struct sf_crowd {
    struct sf_log *log;         /* shares */
    struct sf_list shut, open, full;
    size_t n_full;
    size_t n_members;
    struct sf_member **heap; /* owns; by full_at, the least first */
    size_t n_heap, room;     /* n_heap <= n_members <= room */
    struct sf_list flocks;   /* struct flock.node: those of loops */
    bool begun;              /* a message is under way */
    size_t n_fresh;
};

/* --- Flocks ------------------------------------------------------------ */

static struct flock *flock_of(struct sf_sleeper *s)
{
    return SF_CONTAINER(s, struct flock, sleeper);
}

static void flock_free(struct sf_sleeper *s)
{
    sf_free(flock_of(s));
}

/* Puts all of one list behind another. */
static void splice(struct sf_list *to, struct sf_list *from)
{
    if (sf_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    sf_list_init(from);
}

static void post_flock(struct flock *f, int why)
{
    if (atomic_fetch_or(&f->posted, why) & POSTED)
        return;
    sf_sleeper_ref(&f->sleeper);
    sf_loop_post(f->loop, &f->task);
}

/*
 * In the loop: those who waited when there was news; who sleeps again meanwhile
 * waits for the next. After some the others of the loop come first.
 */
static void run_flock(struct sf_task *t)
{
    struct flock *f = SF_CONTAINER(t, struct flock, task);

    if (atomic_exchange(&f->posted, 0) & NEWS)
        splice(&f->turn, &f->waiting);
    for (int i = 0; i < TURN_CONNS && !sf_list_empty(&f->turn); i++) {
        struct sf_conn *c = SF_CONTAINER(f->turn.next, struct sf_conn, dozing);

        sf_crowd_forget(c);
        sf_conn_drain(c);
    }
    if (!sf_list_empty(&f->turn))
        post_flock(f, POSTED);
    sf_sleeper_unref(&f->sleeper); /* the post's */
}

static void flock_wake(struct sf_sleeper *s)
{
    struct flock *f = flock_of(s);

    if (f->loop)
        post_flock(f, POSTED | NEWS);
    else if (f->link)
        sf_link_wake_reader(f->link);
    sf_sleeper_unref(s);
}

static struct flock *flock_new(struct sf_link *l)
{
    struct flock *f = sf_alloc(sizeof *f);

    if (!f)
        return NULL;
    f->sleeper.wake = flock_wake;
    f->sleeper.free = flock_free;
    atomic_init(&f->sleeper.refs, 1);
    f->task.run = run_flock;
    f->loop = l->conn ? l->conn->loop : NULL;
    f->link = l->conn ? NULL : l;
    sf_list_init(&f->node);
    sf_list_init(&f->waiting);
    sf_list_init(&f->turn);
    return f;
}

/* The flock for a member, with a reference for it, or NULL without memory. */
static struct flock *find_flock(struct sf_crowd *c, struct sf_link *l)
{
    struct flock *f;

    if (!l->conn)
        return flock_new(l);
    SF_LIST_EACH(it, after, &c->flocks) {
        f = SF_CONTAINER(it, struct flock, node);
        if (f->loop == l->conn->loop) {
            sf_sleeper_ref(&f->sleeper);
            return f;
        }
    }
    f = flock_new(l);
    if (f) {
        sf_sleeper_ref(&f->sleeper); /* the list's */
        sf_list_push(&c->flocks, &f->node);
    }
    return f;
}

void sf_crowd_forget(struct sf_conn *c)
{
    struct sf_sleeper *s = c->sleeper;

    if (!s)
        return;
    c->sleeper = NULL;
    sf_list_remove(&c->dozing);
    sf_sleeper_unref(s);
}

void sf_crowd_await(struct sf_conn *c)
{
    struct sf_sleeper *s = sf_pipe_sleeper(c->link->out);

    if (s == c->sleeper)
        return;
    sf_crowd_forget(c);
    if (!s)
        return;
    c->sleeper = sf_sleeper_ref(s);
    sf_list_push(&flock_of(s)->waiting, &c->dozing);
}

/* --- The heap ---------------------------------------------------------- */

static void place(struct sf_crowd *c, size_t at, struct sf_member *m)
{
    c->heap[at] = m;
    m->at = at;
}

/* Moves a member to where its full_at belongs. */
static void sift(struct sf_crowd *c, struct sf_member *m)
{
    size_t at = m->at;

    while (at > 0 && m->full_at < c->heap[(at - 1) / 2]->full_at) {
        place(c, at, c->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t down = 2 * at + 1;

        if (down + 1 < c->n_heap && c->heap[down + 1]->full_at < c->heap[down]->full_at)
            down++;
        if (down >= c->n_heap || m->full_at <= c->heap[down]->full_at)
            break;
        place(c, at, c->heap[down]);
        at = down;
    }
    place(c, at, m);
}

static void heap_add(struct sf_crowd *c, struct sf_member *m)
{
    place(c, c->n_heap++, m);
    sift(c, m);
}

static void heap_remove(struct sf_crowd *c, struct sf_member *m)
{
    struct sf_member *last = c->heap[--c->n_heap];

    if (last == m)
        return;
    place(c, m->at, last);
    sift(c, last);
}

/* --- Members ----------------------------------------------------------- */

static uint64_t log_size(const struct sf_crowd *c)
{
    return c->log->pipe->written;
}

/* Sets when the member may be full: what its pipe may still get, on top of what the log has. */
static void set_limit(struct sf_member *m)
{
    uint64_t full_at = sf_pipe_full_at(m->link->out);
    const struct sf_window *w = m->link->out->window;

    /* Of all that the pipe ever gets, `written` was before the window and the rest is the log's. */
    m->full_at = full_at == UINT64_MAX ? full_at : full_at - m->link->out->written + w->first;
}

/* Leaves the state it is in. */
static void leave_state(struct sf_crowd *c, struct sf_member *m)
{
    sf_list_remove(&m->node);
    if (m->state == OPEN) {
        heap_remove(c, m);
        sf_log_close(m->link->out);
        c->n_fresh -= m->fresh;
        m->fresh = false;
    } else if (m->state == FULL) {
        c->n_full--;
    }
}

static void become(struct sf_crowd *c, struct sf_member *m, int state)
{
    leave_state(c, m);
    m->state = state;
    sf_list_push(state == SHUT ? &c->shut : &c->full, &m->node);
    c->n_full += state == FULL;
}

/* SHUT becomes OPEN, for a message whose first frame has `size` bytes: 0 or -ENOMEM. */
static int open_window(struct sf_crowd *c, struct sf_member *m, size_t size)
{
    if (sf_link_need_out(m->link) != 0 ||
        sf_log_open(c->log, m->link->out, &m->flock->sleeper, size) != 0)
        return -ENOMEM;
    sf_list_remove(&m->node);
    m->state = OPEN;
    m->fresh = true;
    c->n_fresh++;
    sf_list_push(&c->open, &m->node); /* the fresh ones are last */
    set_limit(m);
    heap_add(c, m);
    return 0;
}

int sf_crowd_new(struct sf_crowd **out)
{
    struct sf_crowd *c = sf_alloc(sizeof *c);

    if (!c)
        return -ENOMEM;
    if (sf_log_new(&c->log) != 0) {
        sf_free(c);
        return -ENOMEM;
    }
    sf_list_init(&c->shut);
    sf_list_init(&c->open);
    sf_list_init(&c->full);
    sf_list_init(&c->flocks);
    *out = c;
    return 0;
}

void sf_crowd_free(struct sf_crowd *c)
{
    if (!c)
        return;
    SF_LIST_EACH(it, after, &c->flocks) {
        sf_list_remove(it);
        sf_sleeper_unref(&SF_CONTAINER(it, struct flock, node)->sleeper);
    }
    sf_log_unref(c->log);
    sf_free(c->heap);
    sf_free(c);
}

/* Room in the heap for one more member: 0 or -ENOMEM. */
static int reserve(struct sf_crowd *c)
{
    size_t room = c->room ? c->room * 2 : 4;
    struct sf_member **grown;

    if (c->n_members < c->room)
        return 0;
    grown = sf_realloc(c->heap, room * sizeof(struct sf_member *));
    if (!grown)
        return -ENOMEM;
    c->heap = grown;
    c->room = room;
    return 0;
}

/*
 * The system takes megabytes for a connection that it cannot send yet. Of many
 * that falls out of every cache before it is read, and is sent by the peers'
 * acknowledgements, in their time; in the log it stands once. Of a few the
 * system's queue spares more turns than it costs.
 */
static void spare_system(struct sf_crowd *c, struct sf_link *newest)
{
    struct sf_list *all[] = {&c->shut, &c->open, &c->full};

    if (c->n_members > MANY && newest->conn)
        sf_conn_poke(newest->conn, SF_TODO_SPARE);
    for (int i = 0; c->n_members == MANY && i < 3; i++)
        SF_LIST_EACH(it, after, all[i]) {
            struct sf_link *l = SF_CONTAINER(it, struct sf_member, node)->link;

            if (l->conn)
                sf_conn_poke(l->conn, SF_TODO_SPARE);
        }
}

int sf_crowd_join(struct sf_crowd *c, struct sf_peer *p)
{
    struct sf_link *l = sf_link_of(p);
    int mark = l->conn ? atomic_load(&l->socket->hwm[0])
                       : atomic_load_explicit(&l->out->mark, memory_order_relaxed);
    struct sf_member *m;

    if (l->out->conflate || (mark > 0 && mark < MARK_MIN))
        return -ENOTSUP;
    m = sf_alloc(sizeof *m);
    if (!m || reserve(c) != 0) {
        sf_free(m);
        return -ENOMEM;
    }
    m->flock = find_flock(c, l);
    if (!m->flock) {
        sf_free(m);
        return -ENOMEM;
    }
    m->crowd = c;
    m->link = l;
    m->state = SHUT;
    sf_list_init(&m->node);
    sf_list_push(&c->shut, &m->node);
    c->n_members++;
    l->member = m;
    spare_system(c, l);
    return 0;
}

bool sf_crowd_leave(struct sf_crowd *c, struct sf_peer *p)
{
    struct sf_link *l = sf_link_of(p);
    struct sf_member *m = l->member;
    int begun = m->state == OPEN && !p->ended ? sf_log_part(l->out) : 0;

    if (begun < 0)
        sf_drop(&l->socket->base, SF_DROP_NO_MEMORY);
    else if (m->state == OPEN && p->ended && c->begun)
        sf_drop(&l->socket->base, SF_DROP_UNFINISHED);
    leave_state(c, m);
    c->n_members--;
    if (!l->conn)
        m->flock->link = NULL;
    sf_sleeper_unref(&m->flock->sleeper);
    l->member = NULL;
    sf_free(m);
    if (sf_pipe_must_wake(l->out)) /* if it has read all, it keeps a chunk of the log for nothing */
        sf_link_wake_reader(l);
    return begun == 1;
}

void sf_crowd_step_aside(struct sf_member *m)
{
    if (m->state == OPEN)
        become(m->crowd, m, SHUT);
}

void sf_crowd_writable(struct sf_crowd *c, struct sf_peer *p)
{
    struct sf_member *m = sf_link_of(p)->member;

    if (m->state == FULL) {
        become(c, m, SHUT);
    } else if (m->state == OPEN) {
        set_limit(m);
        sift(c, m);
    }
}

/* --- Messages ---------------------------------------------------------- */

/* Whether an OPEN member whose limit is reached has room after all. */
static bool still_has_room(struct sf_crowd *c, struct sf_member *m)
{
    if (!sf_pipe_has_room(m->link->out))
        return false;
    set_limit(m);
    sift(c, m);
    return true;
}

static bool limit_reached(const struct sf_crowd *c)
{
    return c->n_heap && c->heap[0]->full_at <= log_size(c);
}

bool sf_crowd_room(struct sf_crowd *c)
{
    if (c->n_full)
        return false;
    while (limit_reached(c))
        if (!still_has_room(c, c->heap[0]))
            return false;
    SF_LIST_EACH(it, after, &c->shut)
        if (!sf_pipe_has_room(SF_CONTAINER(it, struct sf_member, node)->link->out))
            return false;
    return true;
}

/* Some of those that are full are given room, if the call may. */
static void help_full(struct sf_crowd *c)
{
    for (int i = 0; i < HELP_LOOKS && !sf_list_empty(&c->full); i++) {
        struct sf_member *m = SF_CONTAINER(c->full.next, struct sf_member, node);

        if (sf_direct_make_room(m->link)) {
            become(c, m, SHUT);
        } else { /* the others first, next time */
            sf_list_remove(&m->node);
            sf_list_push(&c->full, &m->node);
        }
    }
}

/* Opens and closes windows, so that those are open whose pipes have room (and there is memory). */
static void begin(struct sf_crowd *c, size_t size, uint64_t *drops)
{
    while (limit_reached(c)) {
        struct sf_member *m = c->heap[0];

        if (!still_has_room(c, m) && !(sf_direct_make_room(m->link) && still_has_room(c, m)))
            become(c, m, FULL);
    }
    help_full(c);
    SF_LIST_EACH(it, after, &c->shut) {
        struct sf_member *m = SF_CONTAINER(it, struct sf_member, node);

        if (!sf_pipe_has_room(m->link->out))
            become(c, m, FULL);
        else if (open_window(c, m, size) != 0)
            drops[SF_DROP_NO_MEMORY]++;
    }
    drops[SF_DROP_NO_ROOM] += c->n_full;
}

/* The message is whole: those who read, or will read, are told. */
static void tell(struct sf_crowd *c)
{
    sf_log_wake(c->log);
    /* A fresh window is news to its pipe: its reader does not wait for the log yet. */
    while (c->n_fresh) {
        struct sf_member *m;

        m = SF_CONTAINER(c->open.prev, struct sf_member, node);
        sf_list_remove(&m->node);
        sf_list_push(c->open.next, &m->node); /* from the end to the others */
        m->fresh = false;
        c->n_fresh--;
        if (sf_pipe_must_wake(m->link->out))
            sf_link_wake_reader(m->link);
    }
}

int sf_crowd_put(struct sf_crowd *c, struct sf_msg *m, bool more, uint64_t *drops)
{
    if (!c->begun)
        begin(c, sf_msg_size(m), drops);
    c->begun = false;
    if (sf_list_empty(&c->open)) {
        sf_pipe_rollback(c->log->pipe); /* the last of those it was for has gone */
        return -EAGAIN;
    }
    if (sf_log_put(c->log, m, more) != 0) {
        drops[SF_DROP_NO_MEMORY] += c->n_heap;
        return -ENOMEM;
    }
    c->begun = more;
    if (!more)
        tell(c);
    return 0;
}
