/* Where libzmq 4.3.4, as Debian builds it, answers otherwise than the table of options says. */
#ifndef SIFR_TESTS_MATRIX_OPTIONS_LIBZMQ_H
#define SIFR_TESTS_MATRIX_OPTIONS_LIBZMQ_H

static const struct difference {
    const char *name;
    const char *what; /* as claim() calls it; "*": all of it */
    const char *why;
} differences[] = {
    {"ROUTER_NOTIFY", "*", "a draft, which is not built in"},
    {"IN_BATCH_SIZE", "*", "the same"},
    {"OUT_BATCH_SIZE", "*", "the same"},
    {"HELLO_MSG", "*", "the same"},
    {"DISCONNECT_MSG", "*", "the same"},
    {"PRIORITY", "*", "the same"},
    {"BUSY_POLL", "*", "came later"},
    {"HICCUP_MSG", "*", "came later"},
    {"XSUB_VERBOSE_UNSUBSCRIBE", "*", "came later"},
    {"TOPICS_COUNT", "*", "came later"},
    {"PLAIN_SERVER", "*", "built in there"},
    {"PLAIN_USERNAME", "*", "built in there"},
    {"PLAIN_PASSWORD", "*", "built in there"},
    {"CURVE_SERVER", "*", "built in there"},
    {"CURVE_PUBLICKEY", "*", "built in there"},
    {"CURVE_SECRETKEY", "*", "built in there"},
    {"CURVE_SERVERKEY", "*", "built in there"},
    {"ZAP_DOMAIN", "*", "built in there"},
    {"ZAP_ENFORCE_DOMAIN", "*", "built in there"},
    {"GSSAPI_SERVER", "*", "built in there"},
    {"GSSAPI_PRINCIPAL", "*", "built in there"},
    {"GSSAPI_SERVICE_PRINCIPAL", "*", "built in there"},
    {"GSSAPI_PLAINTEXT", "*", "built in there"},
    {"GSSAPI_PRINCIPAL_NAMETYPE", "*", "built in there"},
    {"GSSAPI_SERVICE_PRINCIPAL_NAMETYPE", "*", "built in there"},
    {"EVENTS", "first", "says that a DISH can send"},
    {"TCP_ACCEPT_FILTER", "range", "takes IPv6 addresses of a socket with IPV6 alone"},
    {"CONNECT_ROUTING_ID", "outside", "takes a name that no peer could have"},
    {"SOCKS_PROXY", "outside", "knows no limit of its length"},
    {"SOCKS_PROXY", "unharmed", "the same"},
    {"ROUTER_RAW", "set there", "lets a REP have it, to no use"},
    {"THREAD_AFFINITY_CPU_ADD", "outside", "takes processors that the system's sets have no room for"},
    {"THREAD_AFFINITY_CPU_ADD", "unharmed", "the same"},
};

#endif
