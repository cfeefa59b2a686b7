/* Metadata: reads and writes lists of properties. */
#include "wire/metadata.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_SIZE = 255, VALUE_MAX_SIZE = INT32_MAX };

int sf_metadata_next(const uint8_t **at, size_t *left, struct sf_property *out)
{
    const uint8_t *p = *at;
    size_t n = *left;
    size_t name_size, size;

    if (n == 0)
        return 0;
    name_size = p[0];
    if (name_size == 0 || n < 1 + name_size + 4)
        return -EPROTO;
    p += 1 + name_size;
    n -= 1 + name_size + 4;
    size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (size > VALUE_MAX_SIZE || size > n)
        return -EPROTO;
    out->name = (const char *)p - name_size;
    out->name_size = name_size;
    out->value = p + 4;
    out->size = size;
    *at = p + 4 + size;
    *left = n - size;
    return 1;
}

bool sf_metadata_is(const struct sf_property *p, const char *name)
{
    return strlen(name) == p->name_size && strncasecmp(p->name, name, p->name_size) == 0;
}

int sf_metadata_find(const uint8_t *list, size_t n, const char *name, struct sf_property *out)
{
    struct sf_property p;
    int more;

    while ((more = sf_metadata_next(&list, &n, &p)) > 0) {
        if (sf_metadata_is(&p, name)) {
            *out = p;
            return 1;
        }
    }
    return more;
}

size_t sf_metadata_size(const char *name, size_t size)
{
    return 1 + strlen(name) + 4 + size;
}

size_t sf_metadata_put(uint8_t *to, size_t room, const char *name, const void *value, size_t size)
{
    size_t name_size = strlen(name);

    if (name_size == 0 || name_size > NAME_MAX_SIZE || size > VALUE_MAX_SIZE)
        return 0;
    if (room < sf_metadata_size(name, size))
        return 0;
    *to++ = (uint8_t)name_size;
    memcpy(to, name, name_size);
    to += name_size;
    *to++ = (uint8_t)(size >> 24);
    *to++ = (uint8_t)(size >> 16);
    *to++ = (uint8_t)(size >> 8);
    *to++ = (uint8_t)size;
    if (size > 0)
        memcpy(to, value, size);
    return sf_metadata_size(name, size);
}
