/* The proxy: moves whole messages between two sockets, and is told what to do by a third. */
#include <sifr.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { BURST = 1000 };

/* What has passed through one of the two sockets. */
struct side {
    sifr_socket_t *socket;
    uint64_t parts_in, bytes_in, parts_out, bytes_out;
};

struct proxy {
    struct side front, back;
    sifr_socket_t *capture; /* NULL: none */
    sifr_socket_t *control; /* NULL: none */
    bool paused;
};

/* Where the frames of one message go. */
struct taker {
    sifr_socket_t *socket; /* NULL: none */
    enum { NOTHING, SOME, REFUSED } has;
    bool interrupted; /* a signal came meanwhile */
};

/*
 * Gives the frame away. Who has a part of a message is to get the rest, whatever becomes of it, or
 * would take the next message for that; who has refused the first frame gets none. So a signal does
 * not end it, either. 0 or errno.
 */
static int give(struct taker *to, sifr_msg_t *msg, int flags)
{
    int err;

    if (to->has == REFUSED)
        return 0;
    while ((err = sifr_msg_send(msg, to->socket, flags) < 0 ? errno : 0) == EINTR)
        to->interrupted = true;
    if (to->has == NOTHING)
        to->has = err ? REFUSED : SOME;
    return err;
}

/* The same with a copy. */
static int give_copy(struct taker *to, sifr_msg_t *msg, int flags)
{
    sifr_msg_t copy;
    int err;

    if (!to->socket)
        return 0;
    sifr_msg_init(&copy);
    sifr_msg_copy(&copy, msg);
    err = give(to, &copy, flags);
    sifr_msg_close(&copy);
    return err;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/*
 * One whole message, if there is one: 1, 0 there is none, -1 with errno. What one of the takers
 * refuses is taken from `from` as a whole all the same, and the other gets it as a whole.
 */
static int forward(struct side *from, struct side *to, sifr_socket_t *capture)
{
    struct taker copies = {.socket = capture}, taker = {.socket = to->socket};
    int more, err = 0, wait = SIFR_DONTWAIT;
    sifr_msg_t msg;

    sifr_msg_init(&msg);
    do {
        int copied, given;
        size_t size;

        if (sifr_msg_recv(&msg, from->socket, wait) < 0) {
            err = errno;
            sifr_msg_close(&msg);
            return wait && err == EAGAIN ? 0 : fail(err);
        }
        wait = 0; /* the rest of a message is there */
        more = sifr_msg_more(&msg) ? SIFR_SNDMORE : 0;
        size = sifr_msg_size(&msg);
        from->parts_in++;
        from->bytes_in += size;
        copied = give_copy(&copies, &msg, more);
        given = give(&taker, &msg, more);
        if (taker.has == SOME && !given) {
            to->parts_out++;
            to->bytes_out += size;
        }
        if (!err)
            err = copied ? copied : given;
    } while (more);
    sifr_msg_close(&msg);
    if (err)
        return fail(err);
    return copies.interrupted || taker.interrupted ? fail(EINTR) : 1;
}

/* What of `events` the socket has, or -1 with errno. */
static int has(sifr_socket_t *s, int events)
{
    sifr_pollitem_t item = {.socket = s, .events = (short)events};

    return sifr_poll(&item, 1, 0) < 0 ? -1 : item.revents;
}

/*
 * Whether there is room for a message, or -1. A REP that is joined to itself has room when it has
 * read. Some have room for one message and not for another: there the proxy waits as it sends.
 */
static int has_room(struct side *from, struct side *to, sifr_socket_t *capture)
{
    int room = from->socket == to->socket ? 1 : has(to->socket, SIFR_POLLOUT);

    return room > 0 && capture ? has(capture, SIFR_POLLOUT) : room;
}

/* Up to a burst, as long as there is room: how many, or -1. */
static int forward_some(struct side *from, struct side *to, sifr_socket_t *capture)
{
    int n = 0;

    for (; n < BURST; n++) {
        int go = has_room(from, to, capture);

        if (go > 0)
            go = forward(from, to, capture);
        if (go < 0)
            return -1;
        if (go == 0)
            break;
    }
    return n;
}

/* --- Steering ------------------------------------------------------------- */

/*
 * Sends to the control socket: 1, 0 it cannot be (nobody's answer holds up the proxy), -1 with
 * errno.
 */
static int reply(struct proxy *p, const void *data, size_t size, int flags)
{
    if (sifr_send(p->control, data, size, flags | SIFR_DONTWAIT) >= 0)
        return 1;
    return errno == EAGAIN || errno == ENOTSUP || errno == SIFR_EFSM ? 0 : -1;
}

static int reply_statistics(struct proxy *p)
{
    const uint64_t numbers[] = {
        p->front.parts_in, p->front.bytes_in, p->front.parts_out, p->front.bytes_out,
        p->back.parts_in,  p->back.bytes_in,  p->back.parts_out,  p->back.bytes_out,
    };
    enum { N = sizeof numbers / sizeof *numbers };
    int sent = 1;

    for (int i = 0; i < N && sent > 0; i++)
        sent = reply(p, &numbers[i], sizeof numbers[i], i + 1 < N ? SIFR_SNDMORE : 0);
    return sent;
}

static bool says(sifr_msg_t *msg, const char *command)
{
    return sifr_msg_size(msg) == strlen(command) &&
           memcmp(sifr_msg_data(msg), command, strlen(command)) == 0;
}

/* -1 with errno. */
static int type_of(sifr_socket_t *s)
{
    int type = -1;
    size_t size = sizeof type;

    return sifr_getsockopt(s, SIFR_TYPE, &type, &size) == 0 ? type : -1;
}

/* Types that have no room ever, as they cannot send. */
static bool receives_only(int type)
{
    return type == SIFR_PULL || type == SIFR_SUB || type == SIFR_GATHER || type == SIFR_DISH;
}

/* Takes one command, if there is one: 1 it says to end, 0, -1 with errno. */
static int obey(struct proxy *p)
{
    bool alone = true, over = false, asked = false;
    sifr_msg_t msg;
    int more, wait = SIFR_DONTWAIT;

    sifr_msg_init(&msg);
    do {
        if (sifr_msg_recv(&msg, p->control, wait) < 0) {
            int err = errno;

            sifr_msg_close(&msg);
            return wait && err == EAGAIN ? 0 : fail(err);
        }
        wait = 0;
        more = sifr_msg_more(&msg);
        if (alone && !more) {
            if (says(&msg, "PAUSE"))
                p->paused = true;
            else if (says(&msg, "RESUME"))
                p->paused = false;
            over = says(&msg, "TERMINATE");
            asked = says(&msg, "STATISTICS");
        }
        alone = false;
    } while (more);
    sifr_msg_close(&msg);
    if (asked ? reply_statistics(p) < 0
              : type_of(p->control) == SIFR_REP && reply(p, NULL, 0, 0) < 0)
        return -1;
    return over;
}

/* --- Running -------------------------------------------------------------- */

/* Forwards what there is. How many messages, or -1. */
static int forward_both(struct proxy *p)
{
    int there = forward_some(&p->front, &p->back, p->capture), back = 0;

    if (there >= 0 && p->front.socket != p->back.socket)
        back = forward_some(&p->back, &p->front, p->capture);
    return there < 0 || back < 0 ? -1 : there + back;
}

/*
 * Adds what the proxy waits for: input, or, of a side with input but no room for it, that room,
 * first that of the destination.
 */
static int list_waits(struct proxy *p, sifr_pollitem_t *items, bool stuck)
{
    struct side *sides[2] = {&p->front, &p->back};
    int n = 0, n_sides = p->front.socket == p->back.socket ? 1 : 2;

    for (int i = 0; i < n_sides; i++) {
        sifr_pollitem_t in = {.socket = sides[i]->socket, .events = SIFR_POLLIN};

        if (stuck && has(in.socket, SIFR_POLLIN) > 0) {
            sifr_socket_t *to = sides[1 - i]->socket;

            if (p->capture && (n_sides == 1 || has(to, SIFR_POLLOUT) > 0))
                in = (sifr_pollitem_t){.socket = p->capture, .events = SIFR_POLLOUT};
            else if (n_sides == 2)
                in = (sifr_pollitem_t){.socket = to, .events = SIFR_POLLOUT};
        }
        items[n++] = in;
    }
    return n;
}

static int run(struct proxy *p)
{
    bool stuck = false; /* there was something, but no room for it */

    for (;;) {
        sifr_pollitem_t items[3];
        int n = 0, moved;

        if (!p->paused)
            n = list_waits(p, items, stuck);
        if (p->control)
            items[n++] = (sifr_pollitem_t){.socket = p->control, .events = SIFR_POLLIN};
        if (sifr_poll(items, n, -1) < 0)
            return -1;
        if (p->control && items[n - 1].revents) {
            int over = obey(p);

            if (over)
                return over > 0 ? 0 : -1;
        }
        if (p->paused)
            continue;
        moved = forward_both(p);
        if (moved < 0)
            return -1;
        stuck = moved == 0;
    }
}

int sifr_proxy_steerable(sifr_socket_t *frontend, sifr_socket_t *backend, sifr_socket_t *capture,
                         sifr_socket_t *control)
{
    struct proxy p = {.front = {.socket = frontend},
                      .back = {.socket = backend},
                      .capture = capture,
                      .control = control};

    if (!frontend || !backend) {
        errno = EFAULT;
        return -1;
    }
    if (capture) {
        int type = type_of(capture);

        if (type < 0)
            return -1;
        if (receives_only(type))
            return fail(ENOTSUP); /* rather than wait for its room */
    }
    return run(&p);
}

int sifr_proxy(sifr_socket_t *frontend, sifr_socket_t *backend, sifr_socket_t *capture)
{
    return sifr_proxy_steerable(frontend, backend, capture, NULL);
}
