#ifndef SF_IO_ADDR_H
#define SF_IO_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Internet addresses as text and as the system's structures. Nothing here asks a name server. Any thread. */

enum {
    SF_ADDR_HOST_MAX = 256, /* bytes for a host as text, 0 included */
    SF_ADDR_TEXT_MAX = 128  /* bytes for "[address%zone]:port", 0 included */
};

struct sf_address {
    socklen_t len; /* bytes of `sa` in use */
    union {
        struct sockaddr sa;
        struct sockaddr_storage storage;
    };
};

/*
 * Reads a port: decimal digits only, 0 to 65535; "*" counts as 0 if `wild`.
 * 0 or -EINVAL.
 */
int sf_addr_port(uint16_t *out, const char *text, bool wild);

/*
 * Splits "host:port" of `n` bytes at the last colon and strips one pair of
 * brackets off the host. 0; -EINVAL without colon, host or port, or with a host of
 * SF_ADDR_HOST_MAX bytes or more.
 */
int sf_addr_split(char host[SF_ADDR_HOST_MAX], uint16_t *port, const char *text, size_t n, bool wild);

/* Whether `host` is an IPv4 address or an IPv6 one (with a zone or not), so that no name is to be looked up. */
bool sf_addr_numeric(const char *host);

/*
 * Reads a numeric host, without brackets: "10.0.0.1", "::1", "fe80::1%eth0",
 * "fe80::1%2". With `ipv6` an IPv4 address becomes an IPv4-mapped one. 0;
 * -EINVAL: not numeric, or an unknown zone; -ENODEV: IPv6 without `ipv6`.
 */
int sf_addr_parse(struct sf_address *out, const char *host, uint16_t port, bool ipv6);

/* The address to bind to for "*": 0.0.0.0, or with `ipv6` [::]. */
void sf_addr_any(struct sf_address *out, uint16_t port, bool ipv6);

/* The first IPv4 address of the interface `name`, else with `ipv6` its first IPv6 one. 0, -ENODEV, -ENOMEM. */
int sf_addr_interface(struct sf_address *out, const char *name, uint16_t port, bool ipv6);

/* An IPv4-mapped IPv6 address becomes the IPv4 one; others stay. */
void sf_addr_unmap(struct sf_address *a);

/* The reverse. */
void sf_addr_map(struct sf_address *a);

uint16_t sf_addr_port_of(const struct sf_address *a);
void sf_addr_set_port(struct sf_address *a, uint16_t port);
bool sf_addr_equal(const struct sf_address *a, const struct sf_address *b); /* address, zone and port */

/* Writes the address alone: "127.0.0.1", "fe80::1%eth0". 0, -ENOBUFS, -EAFNOSUPPORT. */
int sf_addr_print_host(const struct sf_address *a, char *to, size_t room);

/* Writes address and port: "127.0.0.1:80", "[::1]:80". 0, -ENOBUFS, -EAFNOSUPPORT. */
int sf_addr_print(const struct sf_address *a, char *to, size_t room);

/* One accept filter. IPv4 is kept as IPv4-mapped, so that it also meets dual-stack peers. */
struct sf_filter {
    uint8_t address[16];
    unsigned bits; /* of `address` that count, 0 to 128 */
};

/* Reads "10.0.0.0/8", "::1", "fe80::/10". 0 or -EINVAL. */
int sf_filter_parse(struct sf_filter *out, const char *text);

/* Whether `a` is within the filter. */
bool sf_filter_match(const struct sf_filter *f, const struct sf_address *a);

#endif
