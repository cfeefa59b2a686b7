/*
 * Patterns without the core: sf_peer_* over arrays. A test includes this, then the .c files it is about, and drives
 * one socket, whose peers are numbers. Frames are C strings; in expectations and inputs a message is a text whose
 * frames are separated by '|': "id||body". A '!' in front marks the body of a command.
 */
#ifndef SIFR_TESTS_PATTERNS_FAKE_H
#define SIFR_TESTS_PATTERNS_FAKE_H

#include "patterns/pattern.h"
#include "quick_check.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_PEERS = 8, FAKE_FRAMES = 4096, FAKE_TEXT = 512 };

struct fake_queue {
    struct sf_msg *frames; /* SF_MSG_MORE as they were put */
    size_t first, whole, end; /* first <= whole <= end; beyond `whole` a message is not complete */
};

struct fake_peer {
    struct sf_peer peer;
    struct fake_queue in, out;
    size_t room; /* messages that fit */
    bool attached, closed, kicked, renewed, broken; /* broken: there is no memory for it */
    bool loner, in_crowd; /* a crowd does not take it; one has */
};

static struct fake_peer fakes[FAKE_PEERS];
static struct sf_socket sock;

static struct fake_peer *fake_of(struct sf_peer *p)
{
    return SF_CONTAINER(p, struct fake_peer, peer);
}

static void fake_append(struct fake_queue *q, struct sf_msg *m, int flags)
{
    ck_assert_uint_lt(q->end, FAKE_FRAMES);
    if (m->flags & SF_MSG_BORROWED)
        ck_assert_int_eq(sf_msg_init_copy(&q->frames[q->end], sf_msg_data(m), sf_msg_size(m)), 0);
    else
        sf_msg_share(&q->frames[q->end], m);
    q->frames[q->end].flags = (uint8_t)((q->frames[q->end].flags & ~(SF_MSG_MORE | SF_MSG_COMMAND)) | flags);
    q->end++;
    if (!(flags & SF_MSG_MORE))
        q->whole = q->end;
}

static void fake_cut(struct fake_queue *q)
{
    while (q->end > q->whole)
        sf_msg_close(&q->frames[--q->end]);
}

static size_t fake_count(const struct fake_queue *q)
{
    size_t n = 0;

    for (size_t i = q->first; i < q->whole; i++)
        n += !sf_msg_more(&q->frames[i]);
    return n;
}

static inline bool fake_room(struct sf_peer *p)
{
    return !p->ended && fake_count(&fake_of(p)->out) < fake_of(p)->room;
}

/* Nobody takes messages out but the test. */
static inline bool fake_make_room(struct sf_peer *p)
{
    return fake_room(p);
}

static inline void fake_rollback(struct sf_peer *p)
{
    fake_cut(&fake_of(p)->out);
}

static inline int fake_put(struct sf_peer *p, struct sf_msg *m, bool more)
{
    if (p->ended || fake_of(p)->broken) {
        fake_rollback(p);
        return p->ended ? -EPIPE : -ENOMEM;
    }
    fake_append(&fake_of(p)->out, m, more ? SF_MSG_MORE : 0);
    return 0;
}

static inline int fake_command(struct sf_peer *p, const char *name, const void *body, size_t size)
{
    struct sf_msg m;
    size_t n = strlen(name);

    ck_assert_uint_eq(fake_of(p)->out.end, fake_of(p)->out.whole);
    if (p->ended)
        return 0;
    if (fake_of(p)->broken || sf_msg_init_size(&m, 1 + n + size) != 0)
        return -ENOMEM;
    sf_msg_data(&m)[0] = (uint8_t)n;
    memcpy(sf_msg_data(&m) + 1, name, n);
    if (size)
        memcpy(sf_msg_data(&m) + 1 + n, body, size);
    fake_append(&fake_of(p)->out, &m, SF_MSG_COMMAND);
    sf_msg_close(&m);
    return 0;
}

static inline int fake_get(struct sf_peer *p, struct sf_msg *m)
{
    struct fake_queue *q = &fake_of(p)->in;

    sf_msg_close(m);
    sf_msg_init(m);
    if (q->first == q->whole)
        return -EAGAIN;
    sf_msg_move(m, &q->frames[q->first]);
    sf_msg_close(&q->frames[q->first++]);
    return 0;
}

static inline bool fake_readable(struct sf_peer *p)
{
    return fake_of(p)->in.first < fake_of(p)->in.whole;
}

static inline void fake_kick(struct sf_peer *p)
{
    fake_of(p)->kicked = true;
}

static inline void fake_renew(struct sf_peer *p)
{
    fake_of(p)->renewed = true;
}

/* A crowd: what it is given is put to each member that had room when the message began. */
struct sf_crowd {
    struct sf_peer *members[FAKE_PEERS];
    bool takes[FAKE_PEERS]; /* the message under way */
    bool begun;
};

static int fake_crowds; /* that are there */

static inline int fake_crowd_new(struct sf_crowd **out)
{
    *out = calloc(1, sizeof **out);
    fake_crowds++;
    return 0;
}

static inline void fake_crowd_free(struct sf_crowd *c)
{
    for (int i = 0; c && i < FAKE_PEERS; i++)
        ck_assert_ptr_null(c->members[i]);
    fake_crowds -= c != NULL;
    free(c);
}

static inline int fake_crowd_join(struct sf_crowd *c, struct sf_peer *p)
{
    int i = (int)(fake_of(p) - fakes);

    if (fake_of(p)->loner)
        return -ENOTSUP;
    ck_assert_ptr_null(c->members[i]);
    ck_assert(!fake_of(p)->in_crowd);
    c->members[i] = p;
    c->takes[i] = false;
    fake_of(p)->in_crowd = true;
    return 0;
}

static inline bool fake_crowd_leave(struct sf_crowd *c, struct sf_peer *p)
{
    int i = (int)(fake_of(p) - fakes);
    bool begun = c->begun && c->takes[i] && !p->ended;

    ck_assert_ptr_eq(c->members[i], p);
    if (c->begun && c->takes[i] && p->ended)
        fake_rollback(p);
    c->members[i] = NULL;
    fake_of(p)->in_crowd = false;
    return begun;
}

static inline void fake_crowd_writable(struct sf_crowd *c, struct sf_peer *p)
{
    ck_assert_ptr_eq(c->members[fake_of(p) - fakes], p);
}

static inline bool fake_crowd_room(struct sf_crowd *c)
{
    for (int i = 0; i < FAKE_PEERS; i++)
        if (c->members[i] && !fake_room(c->members[i]))
            return false;
    return true;
}

static inline int fake_crowd_put(struct sf_crowd *c, struct sf_msg *m, bool more, uint64_t *drops)
{
    bool any = false;

    for (int i = 0; i < FAKE_PEERS; i++) {
        if (!c->begun) {
            c->takes[i] = c->members[i] && fake_room(c->members[i]);
            drops[SF_DROP_NO_ROOM] += c->members[i] && !c->takes[i];
        }
        if (!c->members[i] || !c->takes[i])
            continue;
        if (fake_put(c->members[i], m, more) != 0) {
            c->takes[i] = false;
            drops[SF_DROP_NO_MEMORY]++;
        }
        any |= c->takes[i];
    }
    c->begun = any && more;
    return any ? 0 : -EAGAIN;
}

static inline void fake_close(struct sf_peer *p)
{
    fake_of(p)->closed = true;
}

#define sf_peer_close fake_close
#define sf_crowd_new fake_crowd_new
#define sf_crowd_free fake_crowd_free
#define sf_crowd_join fake_crowd_join
#define sf_crowd_leave fake_crowd_leave
#define sf_crowd_writable fake_crowd_writable
#define sf_crowd_room fake_crowd_room
#define sf_crowd_put fake_crowd_put
#define sf_peer_room fake_room
#define sf_peer_make_room fake_make_room
#define sf_peer_put fake_put
#define sf_peer_command fake_command
#define sf_peer_rollback fake_rollback
#define sf_peer_get fake_get
#define sf_peer_readable fake_readable
#define sf_peer_kick fake_kick
#define sf_peer_renew fake_renew

/* ---- The socket ---------------------------------------------------------------------------------------------- */

static inline void open_socket(const struct sf_pattern *pattern)
{
    memset(&sock, 0, sizeof sock);
    memset(fakes, 0, sizeof fakes);
    sock.pattern = pattern;
    sf_list_init(&sock.peers);
    sock.state = calloc(1, pattern->size);
    ck_assert_int_eq(pattern->init(&sock), 0);
}

static inline struct sf_peer *peer(int i)
{
    return &fakes[i].peer;
}

static inline void prepare(int i)
{
    struct fake_peer *f = &fakes[i];

    if (f->peer.own)
        return;
    sf_list_init(&f->peer.node);
    sf_list_init(&f->peer.in_node);
    sf_list_init(&f->peer.out_node);
    f->peer.own = calloc(1, sock.pattern->peer_size + 1);
    f->in.frames = calloc(FAKE_FRAMES, sizeof *f->in.frames);
    f->out.frames = calloc(FAKE_FRAMES, sizeof *f->out.frames);
    f->room = 1000;
    f->peer.notify = sock.notify;
}

static inline void name_peer(int i, const char *id)
{
    fakes[i].peer.id = (uint8_t *)strdup(id);
    fakes[i].peer.id_size = strlen(id);
}

static inline int try_attach(int i)
{
    int err;

    prepare(i);
    err = sock.pattern->attach(&sock, peer(i));
    if (err == 0) {
        sf_list_push(&sock.peers, &fakes[i].peer.node);
        fakes[i].attached = true;
    }
    return err;
}

static inline void join(int i)
{
    fakes[i].peer.connected = true;
    if (sock.pattern->joined)
        sock.pattern->joined(&sock, peer(i));
}

/* An accepted peer. */
static inline void attach(int i)
{
    fakes[i].peer.connected = true;
    ck_assert_int_eq(try_attach(i), 0);
    join(i);
}

/* A dialed peer, not connected yet. */
static inline void dial(int i)
{
    fakes[i].peer.dialed = true;
    ck_assert_int_eq(try_attach(i), 0);
}

static inline void lose(int i)
{
    fakes[i].peer.connected = false;
    if (sock.pattern->lost)
        sock.pattern->lost(&sock, peer(i));
}

static inline void end(int i)
{
    fakes[i].peer.ended = true;
    if (sock.pattern->ended)
        sock.pattern->ended(&sock, peer(i));
}

static inline void empty_queue(struct fake_queue *q)
{
    while (q->first < q->end)
        sf_msg_close(&q->frames[q->first++]);
    free(q->frames);
    q->frames = NULL;
}

static inline void detach(int i)
{
    struct fake_peer *f = &fakes[i];

    if (f->attached) {
        sf_list_remove(&f->peer.node);
        sock.pattern->detach(&sock, &f->peer);
    }
    if (f->peer.own) {
        empty_queue(&f->in);
        empty_queue(&f->out);
    }
    free(f->peer.own);
    free(f->peer.id);
    free(f->peer.given_id);
    memset(f, 0, sizeof *f);
}

static inline void close_socket(void)
{
    for (int i = 0; i < FAKE_PEERS; i++)
        detach(i);
    if (sock.pattern->fini)
        sock.pattern->fini(&sock);
    free(sock.state);
}

/* ---- Messages ------------------------------------------------------------------------------------------------ */

static inline void make(struct sf_msg *m, const char *bytes, size_t size)
{
    ck_assert_int_eq(sf_msg_init_copy(m, bytes, size), 0);
}

/* A message of these bytes arrives; '|' between its frames. */
static inline void arrive_bytes(int i, const char *text, size_t size)
{
    bool was_empty = !fake_readable(peer(i)), command = size > 0 && text[0] == '!';
    size_t at = command;

    for (;;) {
        const char *bar = memchr(text + at, '|', size - at);
        size_t n = bar ? (size_t)(bar - text) - at : size - at;
        struct sf_msg m;

        make(&m, text + at, n);
        fake_append(&fakes[i].in, &m, (bar ? SF_MSG_MORE : 0) | (command ? SF_MSG_COMMAND : 0));
        sf_msg_close(&m);
        if (!bar)
            break;
        at += n + 1;
    }
    if (was_empty && fakes[i].attached && sock.pattern->readable)
        sock.pattern->readable(&sock, peer(i));
}

static inline void arrive(int i, const char *text)
{
    arrive_bytes(i, text, strlen(text));
}

/* Sends one frame. */
static inline int send_bytes(const char *bytes, size_t size, bool more, bool wait)
{
    struct sf_msg m;
    int err;

    make(&m, bytes, size);
    err = sock.pattern->send(&sock, &m, more, wait);
    ck_assert(sf_msg_valid(&m));
    sf_msg_close(&m);
    return err;
}

static inline int send_frame(const char *text, bool more)
{
    return send_bytes(text, strlen(text), more, true);
}

/* Sends a whole message, the frames separated by '|'; the result of the first failure, or 0. */
static inline int send_text(const char *text)
{
    for (;;) {
        const char *bar = strchr(text, '|');
        int err = send_bytes(text, bar ? (size_t)(bar - text) : strlen(text), bar, false);

        if (err || !bar)
            return err;
        text = bar + 1;
    }
}

static inline size_t add_text(char *out, size_t n, struct sf_msg *m)
{
    ck_assert_uint_lt(n + sf_msg_size(m) + 2, FAKE_TEXT);
    memcpy(out + n, sf_msg_data(m), sf_msg_size(m));
    n += sf_msg_size(m);
    if (sf_msg_more(m))
        out[n++] = '|';
    out[n] = 0;
    return n;
}

/* The next message received, frames separated by '|', or the error as "EAGAIN". NULs are shown as '0', 01 as '1'. */
static inline const char *recv_text(void)
{
    static char text[FAKE_TEXT];
    struct sf_msg m;
    size_t n = 0;
    bool more = true;
    int err;

    sf_msg_init(&m);
    text[0] = 0;
    while (more) {
        err = sock.pattern->recv(&sock, &m);
        if (err) {
            sf_msg_close(&m);
            return err == -EAGAIN ? "EAGAIN" : err == -SIFR_EFSM ? "EFSM" : err == -ENOMEM ? "ENOMEM" : "error";
        }
        n = add_text(text, n, &m);
        more = sf_msg_more(&m);
    }
    sf_msg_close(&m);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 2)
            text[i] = (char)('0' + text[i]);
    return text;
}

/* The next message that was put to a peer, taken out of its queue, or "nothing". Commands begin with '!'. */
static inline const char *sent(int i)
{
    static char text[FAKE_TEXT];
    struct fake_queue *q = &fakes[i].out;
    size_t n = 0;
    bool more = true;

    if (q->first == q->whole)
        return "nothing";
    if (q->frames[q->first].flags & SF_MSG_COMMAND)
        text[n++] = '!';
    text[n] = 0;
    while (more) {
        more = sf_msg_more(&q->frames[q->first]);
        n = add_text(text, n, &q->frames[q->first]);
        sf_msg_close(&q->frames[q->first++]);
    }
    for (size_t k = 0; k < n; k++)
        if (text[k] < 2)
            text[k] = (char)('0' + text[k]);
    return text;
}

static inline int events(void)
{
    return sock.pattern->events(&sock);
}

static inline int set_int(int option, int value)
{
    char bytes[sizeof value + 1]; /* options need not be aligned */

    memcpy(bytes + 1, &value, sizeof value);
    return sock.pattern->set(&sock, option, bytes + 1, sizeof value);
}

static inline int set_text(int option, const char *text)
{
    return sock.pattern->set(&sock, option, text, strlen(text));
}

static inline int get_int(int option)
{
    int value = -1;
    size_t size = sizeof value;

    ck_assert_int_eq(sock.pattern->get(&sock, option, &value, &size), 0);
    ck_assert_uint_eq(size, sizeof value);
    return value;
}

#define ck_sent(i, text) ck_sent_at(__LINE__, i, text)
#define ck_recv(text) ck_assert_str_eq(recv_text(), text)

static inline void ck_sent_at(int line, int i, const char *text)
{
    const char *got = sent(i);

    ck_assert_msg(strcmp(got, text) == 0, "line %d: peer %d was sent '%s', not '%s'", line, i, got, text);
}

/* ---- The program --------------------------------------------------------------------------------------------- */

static inline int run_suite(const char *name, void (*add)(TCase *))
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner = srunner_create(suite);
    int failed;

    add(tcase);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
