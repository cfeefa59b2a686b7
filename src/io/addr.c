/* Internet addresses as text and as the system's structures. */
#include "io/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* The structure may lie at any type of storage, so it is copied and not cast. */
static struct sockaddr_in as_v4(const struct sf_address *a)
{
    struct sockaddr_in in;

    memcpy(&in, &a->storage, sizeof in);
    return in;
}

static struct sockaddr_in6 as_v6(const struct sf_address *a)
{
    struct sockaddr_in6 in;

    memcpy(&in, &a->storage, sizeof in);
    return in;
}

static void set_v4(struct sf_address *out, struct in_addr ip, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip};

    memset(out, 0, sizeof *out);
    memcpy(&out->storage, &in, sizeof in);
    out->len = sizeof in;
}

static void set_v6(struct sf_address *out, const struct in6_addr *ip, uint32_t zone, uint16_t port)
{
    struct sockaddr_in6 in = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *ip, .sin6_scope_id = zone};

    memset(out, 0, sizeof *out);
    memcpy(&out->storage, &in, sizeof in);
    out->len = sizeof in;
}

static struct in6_addr map_v4(struct in_addr ip)
{
    struct in6_addr ip6;

    memcpy(ip6.s6_addr, mapped_prefix, 12);
    memcpy(ip6.s6_addr + 12, &ip, 4);
    return ip6;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int sf_addr_port(uint16_t *out, const char *text, bool wild)
{
    unsigned value = 0;

    if (wild && strcmp(text, "*") == 0) {
        *out = 0;
        return 0;
    }
    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        if (!is_digit(*text))
            return -EINVAL;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > UINT16_MAX)
            return -EINVAL;
    }
    *out = (uint16_t)value;
    return 0;
}

int sf_addr_split(char host[SF_ADDR_HOST_MAX], uint16_t *port, const char *text, size_t n, bool wild)
{
    char digits[16];
    size_t colon = n;
    size_t len;

    while (colon > 0 && text[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return -EINVAL;
    len = n - colon; /* of the port; leading zeroes beyond the room are refused, too */
    if (len >= sizeof digits)
        return -EINVAL;
    memcpy(digits, text + colon, len);
    digits[len] = 0;
    n = colon - 1;
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (n == 0 || n >= SF_ADDR_HOST_MAX || memchr(text, 0, n))
        return -EINVAL;
    if (sf_addr_port(port, digits, wild))
        return -EINVAL;
    memcpy(host, text, n);
    host[n] = 0;
    return 0;
}

/* Cuts "address%zone" in two; `zone` is NULL if there is none. False if the address is too long to be one. */
static bool split_zone(char ip[INET6_ADDRSTRLEN], const char **zone, const char *host)
{
    const char *percent = strchr(host, '%');
    size_t n = percent ? (size_t)(percent - host) : strlen(host);

    if (n >= INET6_ADDRSTRLEN)
        return false;
    memcpy(ip, host, n);
    ip[n] = 0;
    *zone = percent ? percent + 1 : NULL;
    return true;
}

bool sf_addr_numeric(const char *host)
{
    char ip[INET6_ADDRSTRLEN];
    struct in6_addr ip6;
    struct in_addr ip4;
    const char *zone;

    if (!split_zone(ip, &zone, host))
        return false;
    return (!zone && inet_pton(AF_INET, ip, &ip4) == 1) || inet_pton(AF_INET6, ip, &ip6) == 1;
}

/* A zone is an interface's name or its number. 0 or -EINVAL. */
static int read_zone(uint32_t *out, const char *zone)
{
    char name[IF_NAMESIZE];
    uint64_t value = 0;
    const char *p;

    *out = if_nametoindex(zone);
    if (*out)
        return 0;
    for (p = zone; is_digit(*p) && value <= UINT32_MAX; p++)
        value = value * 10 + (uint64_t)(*p - '0');
    if (p == zone || *p || value == 0 || value > UINT32_MAX)
        return -EINVAL;
    *out = (uint32_t)value;
    return if_indextoname(*out, name) ? 0 : -EINVAL;
}

int sf_addr_parse(struct sf_address *out, const char *host, uint16_t port, bool ipv6)
{
    char ip[INET6_ADDRSTRLEN];
    struct in6_addr ip6;
    struct in_addr ip4;
    uint32_t index = 0;
    const char *zone;

    if (!split_zone(ip, &zone, host))
        return -EINVAL;
    if (!zone && inet_pton(AF_INET, ip, &ip4) == 1) {
        if (ipv6) {
            ip6 = map_v4(ip4);
            set_v6(out, &ip6, 0, port);
        } else {
            set_v4(out, ip4, port);
        }
        return 0;
    }
    if (inet_pton(AF_INET6, ip, &ip6) != 1)
        return -EINVAL;
    if (!ipv6)
        return -ENODEV;
    if (zone && read_zone(&index, zone))
        return -EINVAL;
    set_v6(out, &ip6, index, port);
    return 0;
}

void sf_addr_any(struct sf_address *out, uint16_t port, bool ipv6)
{
    struct in_addr ip4 = {.s_addr = htonl(INADDR_ANY)};

    if (ipv6)
        set_v6(out, &in6addr_any, 0, port);
    else
        set_v4(out, ip4, port);
}

int sf_addr_interface(struct sf_address *out, const char *name, uint16_t port, bool ipv6)
{
    struct ifaddrs *all, *best = NULL;

    if (getifaddrs(&all) < 0)
        return errno == ENOMEM || errno == ENOBUFS ? -ENOMEM : -ENODEV;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || strcmp(i->ifa_name, name) != 0)
            continue;
        if (i->ifa_addr->sa_family == AF_INET) {
            best = i;
            break;
        }
        if (i->ifa_addr->sa_family == AF_INET6 && ipv6 && !best)
            best = i;
    }
    if (best) {
        memset(out, 0, sizeof *out);
        out->len = best->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                        : sizeof(struct sockaddr_in6);
        memcpy(&out->storage, best->ifa_addr, out->len);
        sf_addr_set_port(out, port);
    }
    freeifaddrs(all);
    return best ? 0 : -ENODEV;
}

void sf_addr_unmap(struct sf_address *a)
{
    struct sockaddr_in6 in;
    struct in_addr ip4;

    if (a->sa.sa_family != AF_INET6)
        return;
    in = as_v6(a);
    if (memcmp(in.sin6_addr.s6_addr, mapped_prefix, 12) != 0)
        return;
    memcpy(&ip4, in.sin6_addr.s6_addr + 12, 4);
    set_v4(a, ip4, ntohs(in.sin6_port));
}

void sf_addr_map(struct sf_address *a)
{
    struct sockaddr_in in;
    struct in6_addr ip6;

    if (a->sa.sa_family != AF_INET)
        return;
    in = as_v4(a);
    ip6 = map_v4(in.sin_addr);
    set_v6(a, &ip6, 0, ntohs(in.sin_port));
}

uint16_t sf_addr_port_of(const struct sf_address *a)
{
    if (a->sa.sa_family == AF_INET)
        return ntohs(as_v4(a).sin_port);
    if (a->sa.sa_family == AF_INET6)
        return ntohs(as_v6(a).sin6_port);
    return 0;
}

void sf_addr_set_port(struct sf_address *a, uint16_t port)
{
    if (a->sa.sa_family == AF_INET) {
        struct sockaddr_in in = as_v4(a);

        in.sin_port = htons(port);
        memcpy(&a->storage, &in, sizeof in);
    } else if (a->sa.sa_family == AF_INET6) {
        struct sockaddr_in6 in = as_v6(a);

        in.sin6_port = htons(port);
        memcpy(&a->storage, &in, sizeof in);
    }
}

bool sf_addr_equal(const struct sf_address *a, const struct sf_address *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    if (a->sa.sa_family == AF_INET) {
        struct sockaddr_in x = as_v4(a), y = as_v4(b);

        return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
    }
    if (a->sa.sa_family == AF_INET6) {
        struct sockaddr_in6 x = as_v6(a), y = as_v6(b);

        return x.sin6_port == y.sin6_port && x.sin6_scope_id == y.sin6_scope_id &&
               memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0;
    }
    return false;
}

int sf_addr_print_host(const struct sf_address *a, char *to, size_t room)
{
    char text[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    size_t n;

    if (a->sa.sa_family == AF_INET) {
        struct sockaddr_in in = as_v4(a);

        if (!inet_ntop(AF_INET, &in.sin_addr, text, sizeof text))
            return -errno;
    } else if (a->sa.sa_family == AF_INET6) {
        struct sockaddr_in6 in = as_v6(a);
        char name[IF_NAMESIZE];

        if (!inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text))
            return -errno;
        n = strlen(text);
        if (in.sin6_scope_id && if_indextoname(in.sin6_scope_id, name))
            snprintf(text + n, sizeof text - n, "%%%s", name);
        else if (in.sin6_scope_id)
            snprintf(text + n, sizeof text - n, "%%%u", (unsigned)in.sin6_scope_id);
    } else {
        return -EAFNOSUPPORT;
    }
    n = strlen(text) + 1;
    if (n > room)
        return -ENOBUFS;
    memcpy(to, text, n);
    return 0;
}

int sf_addr_print(const struct sf_address *a, char *to, size_t room)
{
    char host[SF_ADDR_TEXT_MAX];
    int err = sf_addr_print_host(a, host, sizeof host);
    int n;

    if (err)
        return err;
    n = snprintf(to, room, a->sa.sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
                 (unsigned)sf_addr_port_of(a));
    return n < 0 || (size_t)n >= room ? -ENOBUFS : 0;
}

int sf_filter_parse(struct sf_filter *out, const char *text)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    char ip[INET6_ADDRSTRLEN];
    struct sf_filter f = {.bits = 128};
    struct in6_addr ip6;
    struct in_addr ip4;
    unsigned offset = 0;
    uint16_t bits;

    if (n >= sizeof ip)
        return -EINVAL;
    memcpy(ip, text, n);
    ip[n] = 0;
    if (inet_pton(AF_INET, ip, &ip4) == 1) {
        ip6 = map_v4(ip4);
        offset = 96;
    } else if (inet_pton(AF_INET6, ip, &ip6) != 1) {
        return -EINVAL;
    }
    memcpy(f.address, &ip6, sizeof f.address);
    if (slash) {
        if (sf_addr_port(&bits, slash + 1, false) || bits > 128 - offset)
            return -EINVAL;
        f.bits = offset + bits;
    }
    *out = f;
    return 0;
}

bool sf_filter_match(const struct sf_filter *f, const struct sf_address *a)
{
    struct in6_addr ip;
    unsigned whole = f->bits / 8, rest = f->bits % 8;
    unsigned mask = 0xff00u >> rest & 0xff; /* the highest `rest` bits */

    if (a->sa.sa_family == AF_INET)
        ip = map_v4(as_v4(a).sin_addr);
    else if (a->sa.sa_family == AF_INET6)
        ip = as_v6(a).sin6_addr;
    else
        return false;
    if (memcmp(f->address, ip.s6_addr, whole) != 0)
        return false;
    return rest == 0 || ((f->address[whole] ^ ip.s6_addr[whole]) & mask) == 0;
}
