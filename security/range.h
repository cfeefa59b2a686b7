/* Ranges of addresses, as lists of whom to let in have them. */
#ifndef SF_SECURITY_RANGE_H
#define SF_SECURITY_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sf_range_family { SF_RANGE_NONE, SF_RANGE_IPV4, SF_RANGE_IPV6, SF_RANGE_LOCAL };

/* An address is a range of one. */
struct sf_range {
    enum sf_range_family family;
    uint8_t bytes[16]; /* IPv4: the first four; those behind `bits` are 0 */
    unsigned bits;     /* 0..32, 0..128; LOCAL: 0 */
};

/*
 * Reads "10.0.0.1", "10.0.0.0/8", "fe80::1", "fe80::/10" or "localhost", which
 * stands for peers over ipc. An IPv4 address written as IPv6 (::ffff:10.0.0.1)
 * is that IPv4 address. 0 or -EINVAL.
 */
int sf_range_parse(struct sf_range *out, const char *text);

/* Reads an address as ZAP has it, "localhost:UID:GID:PID" over ipc; NONE if it is none of ours. */
struct sf_range sf_range_of(const void *address, size_t size);

/* Whether the range has this address. One of the other family it never has. */
bool sf_range_has(const struct sf_range *r, const struct sf_range *address);

#endif
