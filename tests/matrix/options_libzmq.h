/* Where libzmq 4.3.4, as Debian builds it, answers otherwise than the table of options says. */
#ifndef SIFR_TESTS_MATRIX_OPTIONS_LIBZMQ_H
#define SIFR_TESTS_MATRIX_OPTIONS_LIBZMQ_H

static const struct difference {
    const char *name;
    const char *what; /* as claim() calls it; "*": all of it */
    const char *why;
    bool told; /* by docs/differences.md */
} differences[] = {
    {"ROUTER_NOTIFY", "*", "a draft, which is not built in", false},
    {"IN_BATCH_SIZE", "*", "the same", false},
    {"OUT_BATCH_SIZE", "*", "the same", false},
    {"HELLO_MSG", "*", "the same", false},
    {"DISCONNECT_MSG", "*", "the same", false},
    {"PRIORITY", "*", "the same", false},
    {"BUSY_POLL", "*", "came later", false},
    {"HICCUP_MSG", "*", "came later", false},
    {"XSUB_VERBOSE_UNSUBSCRIBE", "*", "came later", false},
    {"TOPICS_COUNT", "*", "came later", false},
    {"EVENTS", "first", "says that a DISH can send", true},
    {"TCP_ACCEPT_FILTER", "range", "takes IPv6 addresses of a socket with IPV6 alone", true},
    {"CONNECT_ROUTING_ID", "outside", "takes a name that no peer could have", true},
    {"SOCKS_PROXY", "outside", "knows no limit of its length", true},
    {"SOCKS_PROXY", "unharmed", "the same", true},
    {"ROUTER_RAW", "set there", "lets a REP have it, to no use", true},
    {"THREAD_AFFINITY_CPU_ADD", "outside", "takes processors that no set has room for", true},
    {"THREAD_AFFINITY_CPU_ADD", "unharmed", "the same", true},
};

#endif
