/* What all mechanisms share: their life, and the names of their commands. */
#include "security/security.h"
#include "base/secret.h"

#include <errno.h>
#include <sifr.h>
#include <string.h>

int sf_security_init(struct sf_security *s, const struct sf_mechanism *m,
                     const struct sf_credentials *own)
{
    int err;

    memset(s, 0, sizeof *s);
    s->mechanism = m;
    s->own = own;
    s->overhead = m->overhead;
    if (m->keys_size) {
        s->keys = sf_secret_new(m->keys_size);
        if (!s->keys)
            return -ENOMEM;
    }
    err = m->begin(s);
    if (err)
        sf_security_fini(s);
    return err;
}

void sf_security_fini(struct sf_security *s)
{
    if (s->mechanism)
        sf_security_drop(s->mechanism, sf_security_take(s));
    memset(s, 0, sizeof *s);
}

void *sf_security_take(struct sf_security *s)
{
    void *keys = s->keys;

    s->keys = NULL;
    return keys;
}

void sf_security_drop(const struct sf_mechanism *m, void *keys)
{
    if (keys && m->fini)
        m->fini(keys);
    sf_secret_free(keys);
}

bool sf_security_is(const uint8_t *body, size_t n, const char *name, uint8_t **data, size_t *size)
{
    size_t length = strlen(name);

    if (n < 1 + length || body[0] != length || memcmp(body + 1, name, length) != 0)
        return false;
    *data = (uint8_t *)(uintptr_t)body + 1 + length;
    *size = n - 1 - length;
    return true;
}

int sf_security_put(uint8_t *to, size_t room, const char *name, const void *data, size_t n)
{
    size_t length = strlen(name);

    if (room < 1 + length || room - 1 - length < n)
        return -ENOSPC;
    to[0] = (uint8_t)length;
    memcpy(to + 1, name, length);
    if (data && n)
        memcpy(to + 1 + length, data, n);
    return (int)(1 + length + n);
}

int sf_security_refuse(struct sf_security *s, uint32_t error)
{
    s->error = error;
    return -EPROTO;
}

int sf_security_unexpected(struct sf_security *s, const uint8_t *body, size_t n)
{
    if (n == 0 || body[0] == 0 || body[0] > n - 1)
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED);
    return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND);
}

/* What a reason says of authentication, or 0. */
static int status_of(const uint8_t *reason, size_t n)
{
    if (n != 3 || reason[0] < '3' || reason[0] > '5' || reason[1] != '0' || reason[2] != '0')
        return 0;
    return (reason[0] - '0') * 100;
}

int sf_security_reason(struct sf_security *s, const uint8_t *data, size_t n)
{
    if (n == 0 || data[0] > n - 1)
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR);
    s->status = status_of(data + 1, data[0]);
    return -EPROTO;
}

int sf_security_refused(struct sf_security *s, const uint8_t *body, size_t n)
{
    uint8_t *data;
    size_t size;

    if (!sf_security_is(body, n, "ERROR", &data, &size))
        return sf_security_unexpected(s, body, n);
    return sf_security_reason(s, data, size);
}
