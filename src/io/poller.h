#ifndef SF_IO_POLLER_H
#define SF_IO_POLLER_H

#include <stdint.h>

/*
 * What the loop asks of the system: which descriptors are ready. A backend is
 * a row; the loop assumes no more of it than "wants to read, wants to write",
 * level-triggered. Everything here belongs to the loop's thread.
 */

enum {
    SF_READ = 1,
    SF_WRITE = 2,
    SF_HUP = 4 /* only reported, and always with what was wanted: reading or writing tells why */
};

/*
 * One descriptor somebody waits for. Zeroed, with fd and ready filled in, it
 * is ready for use; the memory is the caller's.
 */
struct sf_watch {
    int fd;
    unsigned want; /* SF_READ | SF_WRITE; 0: not in the kernel's set. The loop's to write. */
    void (*ready)(struct sf_watch *w, unsigned events);

    /* Private. */
    int event; /* 1 + its place among this turn's events, 0: none */
    int place; /* the poll backend's: its place in the array */
};

struct sf_ready {
    struct sf_watch *watch; /* NULL: went away before its turn */
    unsigned events;
};

struct sf_poller; /* each backend's own */

struct sf_poller_ops {
    const char *name;

    /* 0, -ENOMEM, -EMFILE, -ENFILE */
    int (*open)(struct sf_poller **out);

    /* Watches that are still in the set are left alone. NULL is allowed. */
    void (*close)(struct sf_poller *p);

    /*
     * Changes what the kernel watches `w->fd` for from `w->want` to `want`,
     * which may be 0 on either side; leaves `w->want` to the caller. Going to 0
     * always succeeds. 0, -ENOMEM, -ENOSPC, -EBADF, -EPERM (not waitable).
     */
    int (*set)(struct sf_poller *p, struct sf_watch *w, unsigned want);

    /*
     * Waits up to `timeout_us` (-1: without limit, 0: not at all; whole
     * milliseconds cost one system call, others may cost two) and fills at
     * most `room` entries; none starves when more are ready. The number
     * filled, 0 also after a signal, or -errno.
     */
    int (*wait)(struct sf_poller *p, int64_t timeout_us, struct sf_ready *to, int room);
};

enum sf_poller_kind { SF_POLLER_DEFAULT, SF_POLLER_EPOLL, SF_POLLER_POLL };

/* The backend of that kind; NULL if this system has none. The default is the best there is. */
const struct sf_poller_ops *sf_poller_find(enum sf_poller_kind kind);

#endif
