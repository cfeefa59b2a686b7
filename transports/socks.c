/* The client's half of SOCKS5: RFC 1928, RFC 1929. */
#include "transports/socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

#include "base/alloc.h"
#include "io/net.h"
#include "io/poller.h"

enum { TEXT_MAX = 255, REPLY_MAX = 4 + 1 + TEXT_MAX + 2 };

enum { VERSION = 5, LOGIN_VERSION = 1, NO_LOGIN = 0, LOGIN = 2, CONNECT = 1 };
enum { TYPE_IPV4 = 1, TYPE_NAME = 3, TYPE_IPV6 = 4 };

enum socks_state { HELLO, METHOD, AUTH, AUTH_REPLY, REQUEST, REPLY, THROUGH };

struct message {
    uint8_t bytes[3 + 2 * TEXT_MAX];
    size_t size; /* of it in use */
};

/*
 * HELLO -> METHOD -+-----------------------> REQUEST -> REPLY -> THROUGH
 *                  +-> AUTH -> AUTH_REPLY -->+
 *
 * States that send and states that read alternate; a failure is the caller's
 * to act on, by closing.
 */
struct sf_socks {
    enum socks_state state;
    size_t pos; /* bytes of the present message sent or read */
    bool login;
    struct message auth;    /* made beforehand, as the options are borrowed */
    struct message request;
    uint8_t reply[REPLY_MAX];
};

static void put(struct message *m, const void *bytes, size_t n)
{
    memcpy(m->bytes + m->size, bytes, n);
    m->size += n;
}

static void put_byte(struct message *m, unsigned byte)
{
    m->bytes[m->size++] = (uint8_t)byte;
}

static void put_text(struct message *m, const char *text, size_t n)
{
    put_byte(m, (unsigned)n);
    put(m, text, n);
}

static void put_target(struct message *m, const char *host, size_t n, uint16_t port)
{
    uint8_t ip[16];

    put_byte(m, VERSION);
    put_byte(m, CONNECT);
    put_byte(m, 0);
    if (inet_pton(AF_INET, host, ip) == 1) {
        put_byte(m, TYPE_IPV4);
        put(m, ip, 4);
    } else if (inet_pton(AF_INET6, host, ip) == 1) {
        put_byte(m, TYPE_IPV6);
        put(m, ip, 16);
    } else {
        put_byte(m, TYPE_NAME);
        put_text(m, host, n);
    }
    put_byte(m, port >> 8);
    put_byte(m, port & 0xff);
}

int sf_socks_new(struct sf_socks **out, const char *host, uint16_t port, const char *user,
                 const char *password)
{
    size_t n_host = strlen(host), n_user = user ? strlen(user) : 0;
    size_t n_password = password ? strlen(password) : 0;
    struct sf_socks *s;

    if (n_host > TEXT_MAX || n_user > TEXT_MAX || n_password > TEXT_MAX)
        return -ENAMETOOLONG;
    s = sf_alloc(sizeof *s);
    if (!s)
        return -ENOMEM;
    s->login = n_user > 0;
    if (s->login) {
        put_byte(&s->auth, LOGIN_VERSION);
        put_text(&s->auth, user, n_user);
        put_text(&s->auth, password ? password : "", n_password);
    }
    put_target(&s->request, host, n_host, port);
    *out = s;
    return 0;
}

void sf_socks_free(struct sf_socks *s)
{
    if (!s)
        return;
    /* The volatile pointer keeps the compiler from dropping the write: a password is in there. */
    for (volatile uint8_t *p = s->auth.bytes; p < s->auth.bytes + sizeof s->auth.bytes; p++)
        *p = 0;
    sf_free(s);
}

/* Sends the rest of the present message. 0, -EAGAIN, -errno. */
static int send_rest(struct sf_socks *s, int fd, unsigned *want, const uint8_t *bytes, size_t size)
{
    while (s->pos < size) {
        struct iovec iov = {(void *)(uintptr_t)(bytes + s->pos), size - s->pos};
        ssize_t n = sf_net_writev(fd, &iov, 1);

        if (n < 0) {
            *want = SF_WRITE;
            return (int)n;
        }
        s->pos += (size_t)n;
    }
    return 0;
}

/* Reads until `size` bytes of the reply are there and not one more. 0, -EAGAIN, -errno. */
static int read_until(struct sf_socks *s, int fd, unsigned *want, size_t size)
{
    while (s->pos < size) {
        struct iovec iov = {s->reply + s->pos, size - s->pos};
        ssize_t n = sf_net_readv(fd, &iov, 1);

        if (n == 0)
            return -ECONNRESET;
        if (n < 0) {
            *want = SF_READ;
            return (int)n;
        }
        s->pos += (size_t)n;
    }
    return 0;
}

static void become(struct sf_socks *s, enum socks_state state)
{
    s->state = state;
    s->pos = 0;
}

static int step_hello(struct sf_socks *s, int fd, unsigned *want)
{
    const uint8_t hello[] = {VERSION, 1, s->login ? LOGIN : NO_LOGIN};
    int err = send_rest(s, fd, want, hello, sizeof hello);

    if (!err)
        become(s, METHOD);
    return err;
}

static int step_method(struct sf_socks *s, int fd, unsigned *want)
{
    int err = read_until(s, fd, want, 2);

    if (err)
        return err;
    if (s->reply[0] != VERSION)
        return -EPROTO;
    if (s->reply[1] != (s->login ? LOGIN : NO_LOGIN))
        return -EACCES;
    become(s, s->login ? AUTH : REQUEST);
    return 0;
}

static int step_auth(struct sf_socks *s, int fd, unsigned *want)
{
    int err = send_rest(s, fd, want, s->auth.bytes, s->auth.size);

    if (!err)
        become(s, AUTH_REPLY);
    return err;
}

static int step_auth_reply(struct sf_socks *s, int fd, unsigned *want)
{
    int err = read_until(s, fd, want, 2);

    if (err)
        return err;
    if (s->reply[0] != LOGIN_VERSION)
        return -EPROTO;
    if (s->reply[1] != 0)
        return -EACCES;
    become(s, REQUEST);
    return 0;
}

static int step_request(struct sf_socks *s, int fd, unsigned *want)
{
    int err = send_rest(s, fd, want, s->request.bytes, s->request.size);

    if (!err)
        become(s, REPLY);
    return err;
}

/* 05 RR 00 AT, then address and port, which nobody needs but which must be read. */
static int step_reply(struct sf_socks *s, int fd, unsigned *want)
{
    size_t size = 0;
    int err = read_until(s, fd, want, 2);

    if (err)
        return err;
    if (s->reply[0] != VERSION)
        return -EPROTO;
    if (s->reply[1] != 0)
        return -ECONNREFUSED;
    err = read_until(s, fd, want, 5); /* every form has a fifth byte: that of a name is its length */
    if (err)
        return err;
    switch (s->reply[3]) {
    case TYPE_IPV4:
        size = 4 + 4 + 2;
        break;
    case TYPE_IPV6:
        size = 4 + 16 + 2;
        break;
    case TYPE_NAME:
        size = 4 + 1 + s->reply[4] + 2u;
        break;
    default:
        return -EPROTO;
    }
    err = read_until(s, fd, want, size);
    if (!err)
        become(s, THROUGH);
    return err;
}

int sf_socks_step(struct sf_socks *s, int fd, unsigned *want)
{
    int err = 0;

    while (err == 0 && s->state != THROUGH) {
        switch (s->state) {
        case HELLO: err = step_hello(s, fd, want); break;
        case METHOD: err = step_method(s, fd, want); break;
        case AUTH: err = step_auth(s, fd, want); break;
        case AUTH_REPLY: err = step_auth_reply(s, fd, want); break;
        case REQUEST: err = step_request(s, fd, want); break;
        case REPLY: err = step_reply(s, fd, want); break;
        case THROUGH: break;
        }
    }
    return err;
}
