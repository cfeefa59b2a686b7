/*
 * Whom an authenticator knows, from files: users with passwords, certificates
 * with keys. What cannot be read lets nobody in.
 */
#ifndef SF_SECURITY_STORE_H
#define SF_SECURITY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "security/cert.h"

enum { SF_USERS_SIZE_MAX = 64 << 20, SF_USER_MAX = 255 };

/*
 * The users of a file with a line for each, "name=password"; blanks around the
 * name do not count, nor do lines that are empty or begin with #.
 */
struct sf_users {
    char *path;         /* owns */
    uint64_t stamp;     /* of the file, as it was read */
    int err;            /* why there are none: -errno of the last reading */
    struct sf_map map;  /* owns what is in it */
};

/* The certificates of a directory: its files but those named .x and x_secret. */
struct sf_certs {
    char *path;        /* owns */
    uint64_t stamp;
    int err;
    struct sf_map map; /* by key; owns what is in it */
    size_t n_bad;      /* files that are no certificates, or of a key that is there already */
};

/*
 * Reads the file: 0, -EINVAL (a line is malformed: no '=', no name, a name twice
 * or of more than SF_USER_MAX octets; or too large), -errno of the system's.
 *
 *   out   to be _fini'd on success
 */
int sf_users_open(struct sf_users *out, const char *path);
/*
 * Reads it again if it has changed, or anyhow; `*read`: it has. 0 or -errno as above, with which it
 * knows nobody; but -ENOMEM, -EMFILE and -ENFILE say nothing of the file: it knows whom it knew.
 */
int sf_users_refresh(struct sf_users *u, bool anyhow, bool *read);
/* Takes as long for each name and password of one size, whether they are right or not. */
bool sf_users_know(const struct sf_users *u, const void *name, size_t name_size,
                   const void *password, size_t size);
void sf_users_fini(struct sf_users *u);

/* The same for a directory: 0 or -errno of the system's. What is no certificate is passed over. */
int sf_certs_open(struct sf_certs *out, const char *path);
int sf_certs_refresh(struct sf_certs *c, bool anyhow, bool *read);
/* The certificate with this key, or NULL. */
const struct sf_cert *sf_certs_find(const struct sf_certs *c, const uint8_t key[SF_CERT_KEY]);
void sf_certs_fini(struct sf_certs *c);

#endif
