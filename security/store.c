/* Users and certificates in files, read again when those have changed. */
#include "security/store.h"
#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct user {
    struct sf_map_node node; /* by name */
    size_t size;             /* of the password */
    char text[];             /* name, password */
};

struct known {
    struct sf_map_node node; /* by key */
    struct sf_cert cert;
};

/* --- Files ------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15;
    return h ^ h >> 32;
}

/* Another number when the file is another one, or has been written to. */
static uint64_t stamp_of(const struct stat *st)
{
    uint64_t h = mix(0, (uint64_t)st->st_ino);

    h = mix(h, (uint64_t)st->st_dev);
    h = mix(h, (uint64_t)st->st_size);
    h = mix(h, (uint64_t)st->st_mtim.tv_sec);
    h = mix(h, (uint64_t)st->st_mtim.tv_nsec);
    h = mix(h, (uint64_t)st->st_ctim.tv_sec);
    return mix(h, (uint64_t)st->st_ctim.tv_nsec);
}

static void wipe(char *text, size_t size)
{
    if (text)
        explicit_bzero(text, size);
    sf_free(text);
}

static int read_all(int fd, char *to, size_t room, size_t *size)
{
    *size = 0;
    while (*size < room) {
        ssize_t n = read(fd, to + *size, room - *size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        *size += (size_t)n;
    }
    return -EINVAL; /* it has grown meanwhile: its stamp is another one by now */
}

/*
 * The bytes of a regular file, of at most `most`. Nothing else is opened for
 * longer than it takes to see what it is. 0, -EINVAL or -errno.
 */
static int load(int dir, const char *path, size_t most, char **out, size_t *size, uint64_t *stamp)
{
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    char *text = NULL;
    int err = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0)
        err = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > most)
        err = -EINVAL;
    if (err == 0) {
        text = sf_alloc_raw((size_t)st.st_size + 1);
        err = text ? read_all(fd, text, (size_t)st.st_size + 1, size) : -ENOMEM;
    }
    close(fd);
    if (err) {
        wipe(text, text ? (size_t)st.st_size + 1 : 0);
        return err;
    }
    *out = text;
    *stamp = stamp_of(&st);
    return 0;
}

/* What says nothing of the file: what is known of it stands, and is looked at again. */
static bool passes(int err)
{
    return err == -ENOMEM || err == -EMFILE || err == -ENFILE;
}

/* --- Users ------------------------------------------------------------- */

static struct user *user_of(struct sf_map_node *node)
{
    return (struct user *)(void *)((char *)node - offsetof(struct user, node));
}

static void forget_users(struct sf_map *m)
{
    struct sf_map_node *node;

    while ((node = sf_map_any(m)) != NULL) {
        struct user *u = user_of(node);

        sf_map_remove(m, node);
        explicit_bzero(u->text + node->size, u->size);
        sf_free(u);
    }
    sf_map_fini(m);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* 0, -EINVAL or -ENOMEM. */
static int add_user(struct sf_map *m, const char *line, size_t size)
{
    const char *equals;
    size_t name_size;
    struct user *u;
    int err;

    while (size && is_blank(*line)) {
        line++;
        size--;
    }
    if (size && line[size - 1] == '\r')
        size--;
    if (size == 0 || *line == '#')
        return 0;
    equals = memchr(line, '=', size);
    if (!equals)
        return -EINVAL;
    name_size = (size_t)(equals - line);
    size -= name_size + 1;
    while (name_size && is_blank(line[name_size - 1]))
        name_size--;
    if (name_size == 0 || name_size > SF_USER_MAX || size > SF_USER_MAX)
        return -EINVAL;
    u = sf_alloc(sizeof *u + name_size + size);
    if (!u)
        return -ENOMEM;
    u->size = size;
    memcpy(u->text, line, name_size);
    if (size)
        memcpy(u->text + name_size, equals + 1, size);
    err = sf_map_put(m, &u->node, u->text, name_size);
    if (err) {
        explicit_bzero(u->text, name_size + size);
        sf_free(u);
    }
    return err == -EEXIST ? -EINVAL : err;
}

static int parse_users(struct sf_map *m, const char *text, size_t size)
{
    int err = 0;

    while (size && err == 0) {
        const char *end = memchr(text, '\n', size);
        size_t n = end ? (size_t)(end - text) : size;

        err = add_user(m, text, n);
        n += end != NULL;
        text += n;
        size -= n;
    }
    return err;
}

/* What the file has now; the stamp is set if it could be read, even to no use. */
static int read_users(const char *path, struct sf_map *m, uint64_t *stamp)
{
    char *text;
    size_t size;
    int err = load(AT_FDCWD, path, SF_USERS_SIZE_MAX, &text, &size, stamp);

    if (err)
        return err;
    err = parse_users(m, text, size);
    wipe(text, size);
    if (err)
        forget_users(m);
    return err;
}

int sf_users_open(struct sf_users *out, const char *path)
{
    struct sf_users u = {0};
    int err = read_users(path, &u.map, &u.stamp);

    if (err)
        return err;
    u.path = sf_alloc_text(path, strlen(path));
    if (!u.path) {
        forget_users(&u.map);
        return -ENOMEM;
    }
    *out = u;
    return 0;
}

static bool users_changed(const struct sf_users *u)
{
    struct stat st;

    if (stat(u->path, &st) != 0)
        return -errno != u->err;
    return stamp_of(&st) != u->stamp || (u->err && u->err != -EINVAL);
}

int sf_users_refresh(struct sf_users *u, bool anyhow, bool *read)
{
    struct sf_map map = {0};
    uint64_t stamp = 0;
    int err;

    *read = false;
    if (!anyhow && !users_changed(u))
        return u->err;
    err = read_users(u->path, &map, &stamp);
    if (passes(err))
        return err;
    forget_users(&u->map);
    u->map = map;
    u->stamp = stamp;
    u->err = err;
    *read = true;
    return err;
}

bool sf_users_know(const struct sf_users *u, const void *name, size_t name_size,
                   const void *password, size_t size)
{
    static const char nobodys[SF_USER_MAX];
    struct sf_map_node *node = sf_map_get(&u->map, name, name_size);
    const char *right = node ? user_of(node)->text + node->size : nobodys;
    size_t right_size = node ? user_of(node)->size : sizeof nobodys;
    const uint8_t *said = password;
    size_t differs = (size_t)!node | (size ^ right_size);

    /* As many steps as were said octets: the time tells nothing of the right ones. */
    for (size_t i = 0; i < size; i++)
        differs |= said[i] ^ (uint8_t)(right_size ? right[i % right_size] : 0);
    return differs == 0;
}

void sf_users_fini(struct sf_users *u)
{
    forget_users(&u->map);
    sf_free(u->path);
    u->path = NULL;
}

/* --- Certificates ------------------------------------------------------ */

static struct known *known_of(struct sf_map_node *node)
{
    return (struct known *)(void *)((char *)node - offsetof(struct known, node));
}

static void known_free(struct known *k)
{
    sf_cert_fini(&k->cert);
    sf_free(k);
}

static void forget_certs(struct sf_map *m)
{
    struct sf_map_node *node;

    while ((node = sf_map_any(m)) != NULL) {
        sf_map_remove(m, node);
        known_free(known_of(node));
    }
    sf_map_fini(m);
}

/* Secret halves are read no more than hidden files are. */
static bool is_public(const char *name)
{
    static const char secret[] = "_secret";
    size_t n = strlen(name), tail = sizeof secret - 1;

    return name[0] != '.' && (n < tail || memcmp(name + n - tail, secret, tail) != 0);
}

static int add_cert(struct sf_map *m, int dir, const char *name)
{
    struct known *k = sf_alloc(sizeof *k);
    uint64_t stamp;
    char *text;
    size_t size;
    int err;

    if (!k)
        return -ENOMEM;
    err = load(dir, name, SF_CERT_SIZE_MAX, &text, &size, &stamp);
    if (err == 0) {
        err = sf_cert_parse(&k->cert, text, size);
        wipe(text, size);
    }
    if (err == 0)
        err = sf_map_put(m, &k->node, k->cert.key, sizeof k->cert.key);
    if (err)
        known_free(k);
    return err;
}

/* Goes through the directory: its stamp; and with `m` what stands in it. 0 or -errno. */
static int walk(const char *path, struct sf_map *m, uint64_t *stamp, size_t *n_bad)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    struct stat st;
    uint64_t sum = 0;
    int err = dir ? 0 : -errno;

    if (!dir && fd >= 0)
        close(fd);
    while (err == 0 && (entry = readdir(dir)) != NULL) {
        if (!is_public(entry->d_name) || fstatat(fd, entry->d_name, &st, 0) != 0)
            continue;
        sum += mix(stamp_of(&st), strlen(entry->d_name)); /* in whatever order they come */
        if (m && S_ISREG(st.st_mode)) {
            int bad = add_cert(m, fd, entry->d_name);

            if (passes(bad))
                err = bad;
            *n_bad += bad != 0;
        }
    }
    if (dir)
        closedir(dir);
    *stamp = sum;
    return err;
}

static int read_certs(const char *path, struct sf_map *m, uint64_t *stamp, size_t *n_bad)
{
    int err;

    *n_bad = 0;
    err = walk(path, m, stamp, n_bad);
    if (err)
        forget_certs(m);
    return err;
}

int sf_certs_open(struct sf_certs *out, const char *path)
{
    struct sf_certs c = {0};
    int err = read_certs(path, &c.map, &c.stamp, &c.n_bad);

    if (err)
        return err;
    c.path = sf_alloc_text(path, strlen(path));
    if (!c.path) {
        forget_certs(&c.map);
        return -ENOMEM;
    }
    *out = c;
    return 0;
}

int sf_certs_refresh(struct sf_certs *c, bool anyhow, bool *read)
{
    struct sf_map map = {0};
    uint64_t stamp = 0;
    size_t n_bad = 0;
    int err;

    *read = false;
    if (!anyhow) {
        err = walk(c->path, NULL, &stamp, &n_bad);
        if (passes(err) || (err == c->err && (err || stamp == c->stamp)))
            return err;
    }
    err = read_certs(c->path, &map, &stamp, &n_bad);
    if (passes(err))
        return err;
    forget_certs(&c->map);
    c->map = map;
    c->stamp = stamp;
    c->n_bad = n_bad;
    c->err = err;
    *read = true;
    return err;
}

const struct sf_cert *sf_certs_find(const struct sf_certs *c, const uint8_t key[SF_CERT_KEY])
{
    struct sf_map_node *node = sf_map_get(&c->map, key, SF_CERT_KEY);

    return node ? &known_of(node)->cert : NULL;
}

void sf_certs_fini(struct sf_certs *c)
{
    forget_certs(&c->map);
    sf_free(c->path);
    c->path = NULL;
}
