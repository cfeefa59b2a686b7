/* Ranges of IPv4 and IPv6 addresses, written with a prefix. */
#include "security/range.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { MAPPED = 96, TEXT_MAX = INET6_ADDRSTRLEN };

#define LOCAL "localhost"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static unsigned bits_of(enum sf_range_family family)
{
    return family == SF_RANGE_IPV4 ? 32 : family == SF_RANGE_IPV6 ? 128 : 0;
}

static void clear_behind(struct sf_range *r)
{
    for (unsigned i = r->bits; i < bits_of(r->family); i++)
        r->bytes[i / 8] &= (uint8_t)~(0x80u >> i % 8);
}

/* Text without prefix: 0 or -EINVAL. */
static int parse_address(struct sf_range *r, const char *text)
{
    if (inet_pton(AF_INET, text, r->bytes) == 1)
        r->family = SF_RANGE_IPV4;
    else if (inet_pton(AF_INET6, text, r->bytes) == 1)
        r->family = SF_RANGE_IPV6;
    else
        return -EINVAL;
    r->bits = bits_of(r->family);
    return 0;
}

/* Decimal, without anything before or behind: 0 or -EINVAL. */
static int parse_bits(unsigned *out, const char *text, unsigned most)
{
    unsigned n = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9' && n <= most; p++)
        n = 10 * n + (unsigned)(*p - '0');
    if (p == text || *p || n > most || (text[0] == '0' && text[1]))
        return -EINVAL;
    *out = n;
    return 0;
}

/* What is written as IPv6 and all within the mapped addresses is IPv4. */
static void unmap(struct sf_range *r)
{
    if (r->family != SF_RANGE_IPV6 || r->bits < MAPPED ||
        memcmp(r->bytes, mapped, sizeof mapped) != 0)
        return;
    memmove(r->bytes, r->bytes + sizeof mapped, 4);
    memset(r->bytes + 4, 0, sizeof r->bytes - 4);
    r->family = SF_RANGE_IPV4;
    r->bits -= MAPPED;
}

int sf_range_parse(struct sf_range *out, const char *text)
{
    struct sf_range r = {0};
    const char *slash = strchr(text, '/');
    size_t size = slash ? (size_t)(slash - text) : strlen(text);
    char address[TEXT_MAX];
    int err;

    if (strcmp(text, LOCAL) == 0) {
        *out = (struct sf_range){.family = SF_RANGE_LOCAL};
        return 0;
    }
    if (size >= sizeof address)
        return -EINVAL;
    memcpy(address, text, size);
    address[size] = 0;
    err = parse_address(&r, address);
    if (err == 0 && slash)
        err = parse_bits(&r.bits, slash + 1, bits_of(r.family));
    if (err)
        return err;
    unmap(&r);
    clear_behind(&r);
    *out = r;
    return 0;
}

struct sf_range sf_range_of(const void *address, size_t size)
{
    struct sf_range r = {0};
    char text[TEXT_MAX];
    const size_t local = strlen(LOCAL);

    if (size >= local && memcmp(address, LOCAL, local) == 0 &&
        (size == local || ((const char *)address)[local] == ':'))
        return (struct sf_range){.family = SF_RANGE_LOCAL};
    if (size == 0 || size >= sizeof text)
        return r;
    memcpy(text, address, size);
    text[size] = 0;
    if (strlen(text) == size && parse_address(&r, text) == 0)
        unmap(&r);
    return r;
}

bool sf_range_has(const struct sf_range *r, const struct sf_range *address)
{
    struct sf_range part = *address;

    if (r->family == SF_RANGE_NONE || r->family != address->family)
        return false;
    part.bits = r->bits;
    clear_behind(&part);
    return memcmp(part.bytes, r->bytes, sizeof part.bytes) == 0;
}
