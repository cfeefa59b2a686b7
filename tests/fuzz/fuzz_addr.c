/* Endpoints and addresses as text. */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include "transports/transport.h"

/* The first octet: bind or connect, and whether IPv6 is allowed. */
SEEDS(SEED("\0tcp://127.0.0.1:5555"), SEED("\1tcp://*:*"), SEED("\2tcp://[::1]:80"),
      SEED("\2tcp://fe80::1%lo:1"), SEED("\0tcp://eth0:1;host.example:2"),
      SEED("\0tcp://[::]:0;[::1]:1"), SEED("\0ipc:///tmp/x"), SEED("\1ipc://@name"),
      SEED("\1ipc://*"), SEED("\0inproc://x"), SEED("\0udp://1.2.3.4:5"),
      SEED("\3"
           "10.0.0.0/8"),
      SEED("\3"
           "fe80::/10"),
      SEED("\3::ffff:1.2.3.4/128"));

static void check_address(const char *text, bool ipv6)
{
    char host[SF_ADDR_HOST_MAX], printed[SF_ADDR_TEXT_MAX];
    struct sf_address a, again;
    struct sf_filter f;
    uint16_t port;

    if (sf_addr_parse(&a, text, 80, ipv6) == 0) {
        CHECK(sf_addr_port_of(&a) == 80 && sf_addr_numeric(text));
        CHECK(sf_addr_print(&a, printed, sizeof printed) == 0);
        CHECK(sf_addr_split(host, &port, printed, strlen(printed), false) == 0 && port == 80);
        CHECK(sf_addr_parse(&again, host, port, ipv6) == 0);
        CHECK(sf_addr_equal(&a, &again));
        sf_addr_unmap(&a);
        sf_addr_map(&a);
    }
    if (sf_filter_parse(&f, text) == 0) {
        CHECK(f.bits <= 128);
        if (sf_addr_parse(&a, "127.0.0.1", 1, false) == 0)
            sf_filter_match(&f, &a);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned choice = fuzz_byte(&in);
    char host[SF_ADDR_HOST_MAX], *text = malloc(in.left + 1);
    struct sf_endpoint e;
    uint16_t port;
    int err;

    CHECK(text != NULL);
    if (in.left)
        memcpy(text, in.at, in.left);
    text[in.left] = 0;
    err = sf_endpoint_parse(&e, text, choice & 1);
    CHECK(err == 0 || err == -EINVAL || err == -EPROTONOSUPPORT || err == -ENAMETOOLONG);
    if (err == 0) {
        CHECK(strcmp(e.text, text) == 0 && e.rest > e.text && e.rest <= e.text + strlen(e.text));
        CHECK(memchr(e.host, 0, sizeof e.host) && memchr(e.source, 0, sizeof e.source));
        if (e.transport->canonical) {
            char to[SF_ADDR_TEXT_MAX + 16];

            e.transport->canonical(&e, choice & 2, to, sizeof to);
        }
        sf_endpoint_fini(&e);
    }
    if (sf_addr_split(host, &port, text, strlen(text), choice & 1) == 0)
        CHECK(strlen(host) > 0);
    sf_addr_port(&port, text, choice & 1);
    check_address(text, choice & 2);
    free(text);
    return 0;
}
