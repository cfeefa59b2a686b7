/* ipc://: byte streams over Unix domain sockets. */
#include "transports/transport.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fork.h"
#include "base/list.h"
#include "io/net.h"

enum { PATH_MAX_BYTES = sizeof((struct sockaddr_un){0}.sun_path) - 1 };

#define PREFIX "ipc://"

struct ipc_acceptor {
    struct sf_acceptor acceptor; /* owns fd and text */
    char *dir;                   /* owns; of a wildcard: removed at close, with the file in it */
    uint32_t generation;         /* the process that made it: a forked child removes nothing */
};

static int ipc_parse(struct sf_endpoint *e)
{
    if (strcmp(e->rest, "@") == 0)
        return -EINVAL;
    return strlen(e->rest) > PATH_MAX_BYTES ? -ENAMETOOLONG : 0;
}

/* The length counts the text and no 0 behind it: of an abstract name that would be a part (wire.md 15.3). */
static int fill_address(struct sockaddr_un *to, socklen_t *len, const char *path)
{
    size_t n = strlen(path);

    if (n > PATH_MAX_BYTES)
        return -ENAMETOOLONG;
    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;
    memcpy(to->sun_path, path, n);
    if (path[0] == '@')
        to->sun_path[0] = 0;
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    return 0;
}

/* Writes the endpoint of an address, "" for an unnamed one. 0 or -ENOBUFS. */
static int print_endpoint(const struct sf_address *a, char *to, size_t room)
{
    struct sockaddr_un un;
    size_t before = offsetof(struct sockaddr_un, sun_path), n;
    int put;

    to[0] = 0;
    if (a->len <= before || a->len > sizeof un)
        return 0;
    memset(&un, 0, sizeof un);
    memcpy(&un, &a->storage, a->len);
    n = a->len - before;
    if (un.sun_path[0] == 0) { /* abstract: may hold any byte; what follows a 0 is not shown */
        if (n == 1)
            return 0;
        un.sun_path[0] = '@';
    }
    put = snprintf(to, room, PREFIX "%.*s", (int)n, un.sun_path);
    if (put >= 0 && (size_t)put < room)
        return 0;
    to[0] = 0;
    return -ENOBUFS;
}

/* ---- Who the peer is ------------------------------------------------------------------------ */

static int peer_of(int fd, struct ucred *out)
{
    socklen_t len = sizeof *out;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &len) < 0 ? -errno : 0;
}

/* Whether the group lists the user as a member: for kernels without SO_PEERGROUPS. */
static bool listed_in_group(gid_t gid, uid_t uid)
{
    char for_group[4096], for_user[2048];
    struct passwd pw, *user;
    struct group gr, *group;

    if (getpwuid_r(uid, &pw, for_user, sizeof for_user, &user) || !user)
        return false;
    if (getgrgid_r(gid, &gr, for_group, sizeof for_group, &group) || !group)
        return false;
    for (char **name = group->gr_mem; *name; name++)
        if (strcmp(*name, user->pw_name) == 0)
            return true;
    return false;
}

static bool is_allowed(gid_t gid, const struct sf_stream_options *o)
{
    for (size_t i = 0; i < o->n_gids; i++)
        if (o->gids[i] == gid)
            return true;
    return false;
}

/* 1, 0, or -errno when the kernel cannot say. */
static int in_groups_of_process(int fd, const struct sf_stream_options *o)
{
#ifdef SO_PEERGROUPS
    gid_t few[64], *groups = few;
    socklen_t len = sizeof few;
    int found = 0, err = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0) {
        err = errno;
        if (err != ERANGE)
            return -err;
        groups = sf_alloc(len); /* the kernel wrote how much it takes */
        if (!groups)
            return -ENOMEM;
        err = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0 ? errno : 0;
    }
    for (size_t i = 0; !err && i < len / sizeof groups[0]; i++)
        found |= is_allowed(groups[i], o);
    if (groups != few)
        sf_free(groups);
    return err ? -err : found;
#else
    (void)fd;
    (void)o;
    return -ENOPROTOOPT;
#endif
}

static bool group_allowed(int fd, const struct sf_stream_options *o, const struct ucred *peer)
{
    int found;

    if (o->n_gids == 0)
        return false;
    if (is_allowed(peer->gid, o))
        return true;
    found = in_groups_of_process(fd, o);
    for (size_t i = 0; found == -ENOPROTOOPT && i < o->n_gids; i++)
        if (listed_in_group(o->gids[i], peer->uid))
            found = 1;
    return found > 0;
}

static bool admitted(int fd, const struct sf_stream_options *o)
{
    struct ucred peer;

    if (o->n_uids == 0 && o->n_gids == 0 && o->n_pids == 0)
        return true;
    if (peer_of(fd, &peer))
        return false;
    for (size_t i = 0; i < o->n_uids; i++)
        if (o->uids[i] == peer.uid)
            return true;
    for (size_t i = 0; i < o->n_pids; i++)
        if (o->pids[i] == peer.pid)
            return true;
    return group_allowed(fd, o, &peer);
}

/* ---- Streams -------------------------------------------------------------------------------- */

static int ipc_open(struct sf_stream *s)
{
    (void)s; /* connect(2) on a Unix socket does not linger */
    return 0;
}

static ssize_t ipc_readv(struct sf_stream *s, const struct iovec *iov, int n)
{
    return sf_net_readv(s->fd, iov, n);
}

static ssize_t ipc_writev(struct sf_stream *s, const struct iovec *iov, int n)
{
    return sf_net_writev(s->fd, iov, n);
}

static void ipc_close(struct sf_stream *s)
{
    sf_net_close(s->fd);
    sf_free(s);
}

static int ipc_shut(struct sf_stream *s)
{
    return sf_net_shut(s->fd);
}

static int ipc_unsent(struct sf_stream *s)
{
    return sf_net_unsent(s->fd);
}

static int ipc_peer_address(struct sf_stream *s, char *to, size_t room)
{
    struct ucred peer;
    int err = peer_of(s->fd, &peer), n;

    if (err)
        return err;
    n = snprintf(to, room, "localhost:%lu:%lu:%ld", (unsigned long)peer.uid,
                 (unsigned long)peer.gid, (long)peer.pid);
    return n < 0 || (size_t)n >= room ? -ENOBUFS : 0;
}

static int ipc_names(struct sf_stream *s, char *local, char *remote, size_t room)
{
    struct sf_address a;
    int err = 0;

    local[0] = remote[0] = 0;
    if (sf_net_local(s->fd, &a) == 0)
        err = print_endpoint(&a, local, room);
    if (!err && sf_net_remote(s->fd, &a) == 0)
        err = print_endpoint(&a, remote, room);
    return err;
}

static const struct sf_stream_ops stream_ops = {
    .open = ipc_open,
    .readv = ipc_readv,
    .writev = ipc_writev,
    .close = ipc_close,
    .shut = ipc_shut,
    .unsent = ipc_unsent,
    .peer_address = ipc_peer_address,
    .names = ipc_names,
};

/* Takes `fd`, also on failure. */
static int new_stream(struct sf_stream **out, int fd)
{
    struct sf_stream *s = sf_alloc(sizeof *s);

    if (!s) {
        sf_net_close(fd);
        return -ENOMEM;
    }
    s->ops = &stream_ops;
    s->fd = fd;
    s->want = SF_WRITE;
    s->read_wants = SF_READ;
    s->write_wants = SF_WRITE;
    *out = s;
    return 0;
}

static int set_buffers(int fd, const struct sf_stream_options *o)
{
    int err = 0;

    if (o->sndbuf >= 0)
        err = sf_net_set(fd, SOL_SOCKET, SO_SNDBUF, o->sndbuf);
    if (!err && o->rcvbuf >= 0)
        err = sf_net_set(fd, SOL_SOCKET, SO_RCVBUF, o->rcvbuf);
    return err;
}

static int ipc_dial(const struct sf_endpoint *e, const struct sf_stream_options *o,
                    const struct sf_address *addr, struct sf_stream **out)
{
    struct sockaddr_un to;
    socklen_t len;
    int err, fd;

    (void)addr;
    err = fill_address(&to, &len, e->rest);
    if (err)
        return err;
    fd = sf_net_socket(AF_UNIX);
    if (fd < 0)
        return fd;
    err = set_buffers(fd, o);
    if (!err)
        err = sf_net_connect(fd, (const struct sockaddr *)&to, len);
    if (err) {
        sf_net_close(fd);
        return err == -EAGAIN ? -ETIMEDOUT : err; /* the listener's queue is full */
    }
    return new_stream(out, fd);
}

/* ---- Listening ------------------------------------------------------------------------------ */

static const char *temporary_directory(void)
{
    static const char *const names[] = {"TMPDIR", "TEMPDIR", "TMP"};
    struct stat st;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *dir = getenv(names[i]);

        if (dir && dir[0] && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
            return dir;
    }
    return "";
}

/* Makes a fresh directory for a wildcard's socket; the path of the socket goes to `path`. 0 or -errno. */
static int make_directory(struct ipc_acceptor *a, char path[PATH_MAX_BYTES + 1])
{
    const char *tmp = temporary_directory();
    size_t n = strlen(tmp);
    int put = snprintf(path, PATH_MAX_BYTES + 1, "%s%stmpXXXXXX", tmp,
                       n && tmp[n - 1] != '/' ? "/" : "");
    int err;

    if (put < 0 || (size_t)put + strlen("/socket") > PATH_MAX_BYTES)
        return -ENAMETOOLONG;
    if (!mkdtemp(path))
        return -errno;
    a->dir = sf_alloc_text(path, (size_t)put);
    if (!a->dir) {
        err = -ENOMEM;
        rmdir(path);
        return err;
    }
    memcpy(path + put, "/socket", sizeof "/socket");
    return 0;
}

/* The descriptor, or -errno and no file left. */
static int listen_at(const char *path, const struct sf_stream_options *o)
{
    struct sockaddr_un at;
    socklen_t len;
    int err, fd;

    err = fill_address(&at, &len, path);
    if (err)
        return err;
    fd = sf_net_socket(AF_UNIX);
    if (fd < 0)
        return fd;
    if (path[0] != '@')
        unlink(path); /* a dead one of an earlier run, mostly; who binds last has the path (api.md 8) */
    err = set_buffers(fd, o);
    if (!err && bind(fd, (const struct sockaddr *)&at, len) < 0)
        err = -errno;
    if (err)
        goto fail;
    err = sf_net_listen(fd, o->backlog);
    if (!err)
        return fd;
    if (path[0] != '@')
        unlink(path);
fail:
    sf_net_close(fd);
    return err;
}

static int set_text(struct sf_acceptor *a, const char *path)
{
    char text[sizeof PREFIX + PATH_MAX_BYTES];
    int n = snprintf(text, sizeof text, PREFIX "%s", path);

    if (n < 0 || (size_t)n >= sizeof text)
        return -ENAMETOOLONG;
    a->text = sf_alloc_text(text, (size_t)n);
    return a->text ? 0 : -ENOMEM;
}

static void ipc_close_acceptor(struct sf_acceptor *acceptor)
{
    struct ipc_acceptor *a;

    if (!acceptor)
        return;
    a = SF_CONTAINER(acceptor, struct ipc_acceptor, acceptor);
    if (a->dir && a->generation == sf_fork_generation()) {
        char path[PATH_MAX_BYTES + 1];
        int n = snprintf(path, sizeof path, "%s/socket", a->dir);

        if (n > 0 && (size_t)n < sizeof path)
            unlink(path);
        rmdir(a->dir);
    }
    sf_net_close(acceptor->fd);
    sf_free(acceptor->text);
    sf_free(a->dir);
    sf_free(a);
}

static int ipc_listen(const struct sf_endpoint *e, const struct sf_stream_options *o,
                      struct sf_acceptor **out)
{
    struct ipc_acceptor *a = sf_alloc(sizeof *a);
    char path[PATH_MAX_BYTES + 1];
    bool wild = strcmp(e->rest, "*") == 0;
    int err = 0, fd = -1;

    if (!a)
        return -ENOMEM;
    a->acceptor.transport = &sf_ipc_transport;
    a->acceptor.fd = -1;
    a->generation = sf_fork_generation();
    snprintf(path, sizeof path, "%s", e->rest); /* parsed, so short enough */
    if (o->use_fd < 0 && wild)
        err = make_directory(a, path);
    if (!err)
        err = set_text(&a->acceptor, path);
    if (!err)
        err = o->use_fd >= 0 ? sf_net_adopt_listener(o->use_fd, true) : (fd = listen_at(path, o));
    if (err < 0) {
        ipc_close_acceptor(&a->acceptor);
        return err;
    }
    a->acceptor.fd = o->use_fd >= 0 ? o->use_fd : fd;
    *out = &a->acceptor;
    return 0;
}

static int ipc_accept(struct sf_acceptor *a, const struct sf_stream_options *o,
                      struct sf_stream **out)
{
    int fd = sf_net_accept(a->fd, NULL);

    if (fd < 0)
        return fd;
    if (!admitted(fd, o)) {
        sf_net_close(fd);
        return -ECONNABORTED;
    }
    set_buffers(fd, o); /* what the system refuses it refused at listen */
    return new_stream(out, fd);
}

const struct sf_transport sf_ipc_transport = {
    .scheme = "ipc",
    .parse = ipc_parse,
    .listen = ipc_listen,
    .accept = ipc_accept,
    .close = ipc_close_acceptor,
    .dial = ipc_dial,
};
