/*
 * Pollers: sets of sockets and descriptors that stay, so that a wait costs in
 * proportion to what may be ready and not to what there is.
 *
 * A socket that has answered "nothing you want" is asked again only when its
 * watcher is marked: by a ring (socket.c), as for sifr_poll, and by the first
 * call on the socket that follows, since a change that a call makes rings
 * nobody. One that had something is asked at each wait, until it has not.
 *
 *             marked, added, modified
 *     QUIET -------------------------> HOT: in `hot`, asked at each wait
 *       ^                               |
 *       +---- it has nothing we want ---+
 *
 * The marked ones are a stack that ringers push to and the waiting thread takes
 * as a whole. It clears a mark before it asks, so that whoever posts after that
 * marks anew, and of who marked before, the exchange that clears acquires what
 * was posted.
 *
 * The descriptor of sifr_poller_fd is apart from all that: it is readable from
 * a ring of a thread-safe socket until the next call on it, or until a wait has
 * asked it.
 */
#include "base/alloc.h"
#include "base/cells.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/map.h"
#include "core/lease.h"
#include "core/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { HOUR_MS = 3600 * 1000, KNOWN = SIFR_POLLIN | SIFR_POLLOUT | SIFR_POLLERR | SIFR_POLLPRI };

/* A socket or descriptor. */
struct item {
    struct sf_watcher watcher;
    struct sf_map_node node;    /* in sifr_poller.items; its key is `socket` or `fd` */
    struct sf_list hot;         /* in sifr_poller.hot */
    struct sifr_socket *socket; /* NULL: a descriptor; else its memory, whatever it is by now */
    uint32_t birth;             /* the socket's; 0: not watched yet */
    int fd;
    short events;   /* what it waits for */
    short ready;    /* what of that was there, when it was asked */
    bool safe;      /* a thread-safe type */
    uint64_t order; /* of being added */
    void *user_data;
};

struct sifr_poller {
    struct sf_cell cell;
    uint32_t generation; /* of the process that made it */
    struct sf_waiter waiter;
    struct sf_map items;
    struct sf_list hot;
    uint64_t added; /* items, ever */
    uint64_t told; /* the order of the one that was told of last, of more than there was room for */
    int n, n_wanted; /* items; those that wait for something */
    int n_safe;
    int n_fds;              /* descriptors among them */
    int room;               /* of `ready` and `fds` */
    struct item **ready;    /* owns; filled by a look */
    struct pollfd *fds;     /* owns; room + 1: the descriptors', and the waiter's */
    struct item **fd_items; /* owns; whose those are */
};

static struct sf_cells cells = {.tag = 0x51f49077e55e7001, .size = sizeof(struct sifr_poller)};

/* The count or 0, or -1 with errno. */
static int answer(int err)
{
    if (err >= 0)
        return err;
    errno = -err;
    return -1;
}

/* --- What sockets tell ---------------------------------------------------- */

static void show(struct sifr_socket *s, struct sf_watcher *w)
{
    struct sf_waiter *waiter = w->waiter;

    sf_lock_take(&waiter->show_lock);
    if (!w->shown) {
        uint64_t one = 1;
        ssize_t n = waiter->n_shown++ ? 0 : write(waiter->show_fd, &one, sizeof one);

        (void)n;
        w->shown = true;
    }
    sf_lock_drop(&waiter->show_lock);
    atomic_fetch_or(&s->followed, SF_FOLLOW_SHOWN);
}

static void unshow(struct sf_watcher *w)
{
    struct sf_waiter *waiter = w->waiter;

    sf_lock_take(&waiter->show_lock);
    if (w->shown) {
        uint64_t count;
        ssize_t n = --waiter->n_shown ? 0 : read(waiter->show_fd, &count, sizeof count);

        (void)n;
        w->shown = false;
    }
    sf_lock_drop(&waiter->show_lock);
}

void sf_poller_rung(struct sifr_socket *s, struct sf_watcher *w)
{
    show(s, w);
}

void sf_poller_called(struct sifr_socket *s)
{
    uint32_t why;

    sf_lock_take(&s->watch_lock);
    why = atomic_exchange(&s->followed, 0);
    SF_LIST_EACH(it, after, &s->watchers)
    {
        struct sf_watcher *w = SF_CONTAINER(it, struct sf_watcher, node);

        if (!w->waiter->follows)
            continue;
        if (why & SF_FOLLOW_ASKED)
            sf_watcher_ring(w);
        if ((why & SF_FOLLOW_SHOWN) && w->shows)
            unshow(w);
    }
    sf_lock_drop(&s->watch_lock);
}

/* --- The items ------------------------------------------------------------ */

static struct item *item_of(struct sf_map_node *node)
{
    return node ? SF_CONTAINER(node, struct item, node) : NULL;
}

static struct item *find_socket(const struct sifr_poller *p, const sifr_socket_t *s)
{
    return item_of(sf_map_get(&p->items, &s, sizeof s));
}

static struct item *find_fd(const struct sifr_poller *p, int fd)
{
    return item_of(sf_map_get(&p->items, &fd, sizeof fd));
}

static void heat(struct sifr_poller *p, struct item *it)
{
    if (sf_list_empty(&it->hot))
        sf_list_push(&p->hot, &it->hot);
}

/* Those that were marked are hot. */
static void take_marked(struct sifr_poller *p)
{
    struct sf_watcher *w = atomic_load_explicit(&p->waiter.marked, memory_order_relaxed);

    if (w)
        w = atomic_exchange(&p->waiter.marked, NULL);
    while (w) {
        struct sf_watcher *next = w->next_marked;

        atomic_exchange(&w->rung, 0);
        heat(p, SF_CONTAINER(w, struct item, watcher));
        w = next;
    }
}

/* Watches the socket from now on. With its turn. */
static void watch(struct sifr_poller *p, struct item *it)
{
    struct sifr_socket *s = it->socket;

    sf_list_init(&it->watcher.node);
    it->watcher.waiter = &p->waiter;
    it->watcher.shows = it->safe && p->waiter.show_fd >= 0;
    sf_socket_watch(s, &it->watcher);
    it->birth = s->birth;
    sf_socket_take_in(s);
}

static void unwatch(struct sifr_poller *p, struct item *it)
{
    if (!it->birth || p->generation != sf_fork_generation())
        return;
    sf_socket_unwatch(it->socket, &it->watcher);
    it->birth = 0;
    unshow(&it->watcher);
    take_marked(p); /* nobody marks it any more */
}

/* Lays out the descriptors anew. */
static void lay_out(struct sifr_poller *p)
{
    for (int i = 0; i < p->n_fds; i++)
        p->fds[i] = (struct pollfd){
            .fd = p->fd_items[i]->events ? p->fd_items[i]->fd : -1,
            .events = (short)((p->fd_items[i]->events & SIFR_POLLIN ? POLLIN : 0) |
                              (p->fd_items[i]->events & SIFR_POLLOUT ? POLLOUT : 0) |
                              (p->fd_items[i]->events & SIFR_POLLPRI ? POLLPRI : 0)),
        };
}

/* Takes the descriptor of the item out of the list of them. */
static void forget_fd(struct sifr_poller *p, const struct item *it)
{
    int at = 0;

    while (p->fd_items[at] != it)
        at++;
    p->fd_items[at] = p->fd_items[--p->n_fds];
    lay_out(p);
}

static void item_free(struct sifr_poller *p, struct item *it)
{
    sf_map_remove(&p->items, &it->node);
    if (it->socket)
        unwatch(p, it);
    else
        forget_fd(p, it);
    sf_list_remove(&it->hot);
    p->n--;
    p->n_safe -= it->safe;
    p->n_wanted -= it->events != 0;
    sf_free(it);
}

/* Room for one more item: 0 or -ENOMEM. */
static int reserve(struct sifr_poller *p)
{
    int room = p->room ? 2 * p->room : 8;
    void *grown;

    if (p->n < p->room)
        return 0;
    grown = sf_realloc(p->ready, (size_t)room * sizeof(struct item *));
    if (!grown)
        return -ENOMEM;
    p->ready = grown;
    grown = sf_realloc(p->fd_items, (size_t)room * sizeof(struct item *));
    if (!grown)
        return -ENOMEM;
    p->fd_items = grown;
    grown = sf_realloc(p->fds, ((size_t)room + 1) * sizeof(struct pollfd));
    if (!grown)
        return -ENOMEM;
    p->fds = grown;
    p->room = room;
    return 0;
}

/* A new item in the set: 0, -EINVAL when it is in it already, -ENOMEM. */
static int item_new(struct item **out, struct sifr_poller *p, struct sifr_socket *s, int fd,
                    void *user_data, short events)
{
    struct item *it;
    int err = reserve(p);

    if (err)
        return err;
    it = sf_alloc(sizeof *it);
    if (!it)
        return -ENOMEM;
    it->socket = s;
    it->fd = fd;
    it->user_data = user_data;
    it->events = events;
    it->order = ++p->added;
    it->watcher.waiter = &p->waiter;
    sf_list_init(&it->watcher.node);
    sf_list_init(&it->hot);
    err = s ? sf_map_put(&p->items, &it->node, &it->socket, sizeof it->socket)
            : sf_map_put(&p->items, &it->node, &it->fd, sizeof it->fd);
    if (err) {
        sf_free(it);
        return err == -EEXIST ? -EINVAL : err;
    }
    p->n++;
    p->n_wanted += events != 0;
    *out = it;
    return 0;
}

static bool is_safe(sifr_socket_t *s)
{
    int safe = 0;
    size_t size = sizeof safe;

    return sifr_getsockopt(s, SIFR_THREAD_SAFE, &safe, &size) == 0 && safe;
}

/* Whether the socket that the item is for has been closed, though another may have its address now. */
static bool outlived(const struct item *it)
{
    return sf_socket_check(it->socket) == -ENOTSOCK ||
           (it->birth && it->birth != it->socket->birth);
}

static int add_socket(struct sifr_poller *p, sifr_socket_t *s, void *user_data, short events)
{
    struct item *it = find_socket(p, s);
    int err;

    if (it && outlived(it))
        item_free(p, it);
    err = item_new(&it, p, s, -1, user_data, events);
    if (err)
        return err;
    it->safe = is_safe(s);
    p->n_safe += it->safe;
    if (sf_socket_visit(s) == 0) { /* else the first wait tells of it */
        watch(p, it);
        sf_socket_leave(s);
    }
    heat(p, it);
    return 0;
}

static void change(struct sifr_poller *p, struct item *it, short events)
{
    p->n_wanted += (events != 0) - (it->events != 0);
    it->events = events;
    if (it->socket)
        heat(p, it);
    else
        lay_out(p);
}

/* --- Waiting -------------------------------------------------------------- */

/* Asks a socket: 1 it has something, 0, -errno. */
static int ask(struct sifr_poller *p, struct item *it)
{
    struct sifr_socket *s = it->socket;
    int err = sf_socket_visit(s);

    if (err)
        return err;
    if (it->birth && it->birth != s->birth) {
        sf_socket_leave(s);
        return -ENOTSOCK; /* another one has its place */
    }
    if (!it->birth)
        watch(p, it);
    if (it->watcher.shows)
        unshow(&it->watcher);
    if ((it->events & SIFR_POLLIN) && sf_direct_glance(s))
        sf_socket_take_in(s);
    it->ready = (short)(sf_socket_events(s) & it->events);
    if (!it->ready) {
        if (s->n_leases && atomic_load(&s->lease_poller) == SF_POLLER_NONE)
            sf_lease_return_all(s); /* what arrives is to ring */
        atomic_fetch_or_explicit(&s->followed, SF_FOLLOW_ASKED, memory_order_relaxed);
    }
    sf_socket_leave(s);
    return it->ready != 0;
}

static int by_order(const void *a, const void *b)
{
    const struct item *const *x = a, *const *y = b;

    return (*x)->order < (*y)->order ? -1 : 1;
}

/* What poll said of the descriptors, behind the `n` that are ready: how many are now. */
static int note_descriptors(struct sifr_poller *p, int n)
{
    for (int i = 0; i < p->n_fds; i++) {
        short got = p->fds[i].revents;
        struct item *it = p->fd_items[i];

        it->ready = (short)((got & POLLIN ? SIFR_POLLIN : 0) | (got & POLLOUT ? SIFR_POLLOUT : 0) |
                            (got & POLLPRI ? SIFR_POLLPRI : 0) |
                            (got & (POLLERR | POLLHUP | POLLNVAL) ? SIFR_POLLERR : 0));
        if (it->ready)
            p->ready[n++] = it;
    }
    return n;
}

/* Looks at what may be ready: how many are, in p->ready, or -errno. */
static int look(struct sifr_poller *p)
{
    int n = 0;

    take_marked(p);
    SF_LIST_EACH(it, after, &p->hot)
    {
        struct item *item = SF_CONTAINER(it, struct item, hot);
        int there = ask(p, item);

        if (there < 0)
            return there;
        if (there)
            p->ready[n++] = item;
        else
            sf_list_remove(it);
    }
    if (p->n_fds) {
        if (poll(p->fds, (nfds_t)p->n_fds, 0) < 0)
            return errno == EINTR ? -EINTR : -EINVAL;
        n = note_descriptors(p, n);
    }
    return n;
}

static int left_ms(uint64_t deadline)
{
    uint64_t now;

    if (deadline == UINT64_MAX)
        return HOUR_MS;
    now = sf_clock_ms();
    if (now >= deadline)
        return 0;
    return deadline - now > HOUR_MS ? HOUR_MS : (int)(deadline - now);
}

/* Sleeps at the descriptors and at our own. 0, -EAGAIN when time was over, -errno. */
static int sleep_at_descriptors(struct sifr_poller *p, uint32_t ticket, int ms)
{
    struct sf_waiter *waiter = &p->waiter;
    struct pollfd *ours = &p->fds[p->n_fds];
    int got = 0;

    if (waiter->fd < 0)
        waiter->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (waiter->fd < 0)
        return -EMFILE;
    *ours = (struct pollfd){.fd = waiter->fd, .events = POLLIN};
    atomic_store(&waiter->at_fd, 1);
    if (atomic_load(&waiter->bell.rings) == ticket)
        got = poll(p->fds, (nfds_t)p->n_fds + 1, ms);
    else
        ms = -1; /* no time is over */
    atomic_store(&waiter->at_fd, 0);
    if (got < 0)
        return errno == EINTR ? -EINTR : -EINVAL;
    if (got && ours->revents) {
        uint64_t count;
        ssize_t size = read(waiter->fd, &count, sizeof count);

        (void)size;
    }
    return got || ms < 0 ? 0 : -EAGAIN;
}

/* Sleeps until something is marked, or a descriptor has something. 0, -EAGAIN, -errno. */
static int sleep_for(struct sifr_poller *p, uint32_t ticket, int ms)
{
    struct sf_bell *bell = &p->waiter.bell;
    int err = 0;

    if (p->n_fds)
        return sleep_at_descriptors(p, ticket, ms);
    if (sf_bell_enter(bell) == ticket)
        err = sf_bell_wait(bell, ticket, ms);
    sf_bell_leave(bell);
    return err;
}

/* Waits until something is ready: how many are, 0 when time is over, -errno. */
static int wait_for(struct sifr_poller *p, long timeout)
{
    uint64_t deadline = timeout < 0 ? UINT64_MAX : timeout ? sf_clock_ms() + (uint64_t)timeout : 0;

    for (;;) {
        uint32_t ticket = atomic_load(&p->waiter.bell.rings);
        int n = look(p), ms, err;

        if (n || timeout == 0)
            return n;
        ms = left_ms(deadline);
        if (ms == 0)
            return 0;
        err = sleep_for(p, ticket, ms);
        if (err && err != -EAGAIN)
            return err;
    }
}

static void fill(sifr_poller_event_t *to, const struct item *it)
{
    *to = (sifr_poller_event_t){
        .socket = it->socket, .fd = it->fd, .user_data = it->user_data, .events = it->ready};
}

/*
 * Tells of up to `room` of the `n` that are ready: how many. In the order in
 * which they were added; if there are more, those come first that were behind
 * the one told of last.
 */
static int tell(struct sifr_poller *p, sifr_poller_event_t *to, int room, int n)
{
    int first = 0, told = n < room ? n : room;

    if (n > 1)
        qsort(p->ready, (size_t)n, sizeof(struct item *), by_order);
    if (n > room)
        while (first < n && p->ready[first]->order <= p->told)
            first++;
    for (int i = 0; i < told; i++)
        fill(&to[i], p->ready[(first + i) % n]);
    if (n > room)
        p->told = p->ready[(first + told - 1) % n]->order;
    return told;
}

static int wait_some(sifr_poller_t *p, sifr_poller_event_t *events, int room, long timeout)
{
    int n;

    if (!sf_cells_check(&cells, p) || !events)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    for (int i = 0; i < room; i++)
        events[i] = (sifr_poller_event_t){.fd = -1};
    if (p->generation != sf_fork_generation())
        return -EINTR;
    if (timeout < 0 && p->n_wanted == 0)
        return -EFAULT; /* it would wait for nothing for ever */
    if (room == 0)
        return -EAGAIN;
    n = wait_for(p, timeout);
    if (n < 0)
        return n;
    return n ? tell(p, events, room, n) : -EAGAIN;
}

/* --- The API -------------------------------------------------------------- */

sifr_poller_t *sifr_poller_new(void)
{
    struct sifr_poller *p = sf_cells_take(&cells);

    if (!p) {
        errno = ENOMEM;
        return NULL;
    }
    p->generation = sf_fork_generation();
    p->waiter.fd = p->waiter.show_fd = -1;
    p->waiter.follows = true;
    sf_list_init(&p->hot);
    return p;
}

int sifr_poller_destroy(sifr_poller_t **poller)
{
    struct sifr_poller *p = poller ? *poller : NULL;

    if (!sf_cells_retire(&cells, p))
        return answer(-EFAULT);
    *poller = NULL;
    while (p->n)
        item_free(p, item_of(sf_map_any(&p->items)));
    if (p->waiter.fd >= 0)
        close(p->waiter.fd);
    if (p->waiter.show_fd >= 0)
        close(p->waiter.show_fd);
    sf_map_fini(&p->items);
    sf_free(p->ready);
    sf_free(p->fd_items);
    sf_free(p->fds);
    sf_cells_give(&cells, p);
    return 0;
}

int sifr_poller_size(sifr_poller_t *poller)
{
    return answer(sf_cells_check(&cells, poller) ? poller->n : -EFAULT);
}

int sifr_poller_add(sifr_poller_t *poller, sifr_socket_t *sock, void *user_data, short events)
{
    int err;

    if (!sf_cells_check(&cells, poller))
        return answer(-EFAULT);
    err = sf_socket_check(sock);
    if (err == 0)
        err = events & ~KNOWN ? -EINVAL : add_socket(poller, sock, user_data, events);
    return answer(err);
}

int sifr_poller_modify(sifr_poller_t *poller, sifr_socket_t *sock, short events)
{
    struct item *it;
    int err;

    if (!sf_cells_check(&cells, poller))
        return answer(-EFAULT);
    err = sf_socket_check(sock);
    if (err)
        return answer(err);
    it = find_socket(poller, sock);
    if (!it || (events & ~KNOWN) || outlived(it))
        return answer(-EINVAL);
    change(poller, it, events);
    return 0;
}

int sifr_poller_remove(sifr_poller_t *poller, sifr_socket_t *sock)
{
    struct item *it;

    if (!sf_cells_check(&cells, poller))
        return answer(-EFAULT);
    it = sock ? find_socket(poller, sock) : NULL; /* closed meanwhile or not */
    if (!it)
        return answer(sf_socket_check(sock) == 0 ? -EINVAL : -ENOTSOCK);
    item_free(poller, it);
    return 0;
}

int sifr_poller_add_fd(sifr_poller_t *poller, int fd, void *user_data, short events)
{
    struct item *it;
    int err;

    if (!sf_cells_check(&cells, poller))
        return answer(-EFAULT);
    if (fd < 0)
        return answer(-EBADF);
    if (events & ~KNOWN)
        return answer(-EINVAL);
    err = item_new(&it, poller, NULL, fd, user_data, events);
    if (err)
        return answer(err);
    poller->fd_items[poller->n_fds++] = it;
    lay_out(poller);
    return 0;
}

int sifr_poller_modify_fd(sifr_poller_t *poller, int fd, short events)
{
    struct item *it;

    if (!sf_cells_check(&cells, poller))
        return answer(-EFAULT);
    if (fd < 0)
        return answer(-EBADF);
    it = find_fd(poller, fd);
    if (!it || (events & ~KNOWN))
        return answer(-EINVAL);
    change(poller, it, events);
    return 0;
}

int sifr_poller_remove_fd(sifr_poller_t *poller, int fd)
{
    struct item *it;

    if (!sf_cells_check(&cells, poller))
        return answer(-EFAULT);
    if (fd < 0)
        return answer(-EBADF);
    it = find_fd(poller, fd);
    if (!it)
        return answer(-EINVAL);
    item_free(poller, it);
    return 0;
}

int sifr_poller_wait(sifr_poller_t *poller, sifr_poller_event_t *event, long timeout)
{
    int n = wait_some(poller, event, 1, timeout);

    return answer(n < 0 ? n : 0);
}

int sifr_poller_wait_all(sifr_poller_t *poller, sifr_poller_event_t *events, int n, long timeout)
{
    return answer(wait_some(poller, events, n, timeout));
}

/* From now on a ring of the item's socket shows; what came before may be news. */
static void begin_to_show(struct sf_map_node *node, void *unused)
{
    struct item *it = item_of(node);

    (void)unused;
    if (!it->safe || !it->birth || sf_socket_visit(it->socket) != 0)
        return;
    sf_lock_take(&it->socket->watch_lock);
    it->watcher.shows = true;
    show(it->socket, &it->watcher);
    sf_lock_drop(&it->socket->watch_lock);
    sf_socket_leave(it->socket);
}

int sifr_poller_fd(sifr_poller_t *poller, int *fd)
{
    if (!sf_cells_check(&cells, poller) || !fd)
        return answer(-EFAULT);
    if (poller->n_safe == 0)
        return answer(-EINVAL);
    if (poller->waiter.show_fd < 0) {
        poller->waiter.show_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (poller->waiter.show_fd < 0)
            return answer(-EMFILE);
        sf_map_each(&poller->items, begin_to_show, NULL);
    }
    *fd = poller->waiter.show_fd;
    return 0;
}
