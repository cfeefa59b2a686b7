/*
 * The table of options: each of a socket and each of a context, with what it accepts, what it is at first, and the
 * test that shows what it does. tests/matrix/test_options.c tries every row through sifr.h and through zmq.h, and sees
 * to it that both headers have an option for each row, and a row for each option.
 */
#ifndef SIFR_TESTS_MATRIX_OPTIONS_H
#define SIFR_TESTS_MATRIX_OPTIONS_H

#include "support.h"

#include <limits.h>

enum kind {
    INT,    /* 4 bytes */
    FLAG,   /* 4 bytes, read as 0 or 1 */
    STEPS,  /* 4 bytes, read as a multiple of 100 that is not negative */
    WIDE,   /* 8 bytes */
    QUERY,  /* 4 bytes; may be read into more room, which is cleared */
    ID,     /* 4 bytes, or NULL with 0 to clear */
    TEXT,   /* as long as is said; read with a NUL behind */
    BYTES,  /* the same; read without */
    KEY,    /* 32 bytes, or their 40 characters with or without a NUL; read as 32 or as 41 */
    ABSENT, /* of what is not built in, or of contexts alone: EINVAL, whatever is asked */
};

enum access { GET = 1, SET = 2, BOTH = GET | SET };

#define IN(type) (1u << SIFR_##type)

enum {
    TYPES = SIFR_CHANNEL + 1,
    ALL = (1 << TYPES) - 1,
    PUBLISHERS = IN(PUB) | IN(XPUB),
    ROUTERS = IN(ROUTER) | IN(REP),
    SHARED = IN(SERVER) | IN(CLIENT) | IN(RADIO) | IN(DISH) | IN(GATHER) | IN(SCATTER) | IN(PEER) | IN(CHANNEL),
};

/* What may be said of text and bytes. */
struct texts {
    const char *good[8], *bad[8];
    size_t longest;    /* the first of `good` may be made as long, and no longer; 0: not tried */
    bool null, empty;  /* whether NULL with 0, and "" are taken */
    bool kept;         /* NULL does not clear it */
};

static const struct texts routing_id = {{"a", "name"}, {NULL}, 255, false, false, false};
static const struct texts topic = {{"a", "a topic"}, {NULL}, 0, true, true, false};
static const struct texts notice = {{"a", "notice"}, {NULL}, 0, true, true, false};
static const struct texts device = {{"lo"}, {NULL}, 16, true, false, false};
static const struct texts proxy = {{"127.0.0.1:1080", "host:1080"}, {NULL}, 1023, true, false, false};
static const struct texts credential = {{"a", "secret"}, {NULL}, 255, true, true, false};
static const struct texts plain = {{"a", "name"}, {NULL}, 255, true, false, true};
static const struct texts domain = {{"a", "domain"}, {NULL}, 255, false, false, false};
static const struct texts accept_filter = {
    {"127.0.0.1", "127.0.0.0/8", "::1", "fe80::/10", "0.0.0.0/0"},
    {"nonsense", "127.0.0.1/33", "127.0.0.1/", "127.0.0.1/x", "::1/129", "300.0.0.1", "/8"},
    0, true, false, false,
};
static const struct texts property = {
    {"X-a:b", "X-colour:blue", "X-url:tcp://host:1", "X-:value"},
    {"X-colour", ":blue", "X-colour:", "colour:blue", "x-colour:blue", "Socket-Type:PUB", "X"},
    0, false, false, false,
};

static const struct option {
    int number;
    const char *name; /* as both headers have it, without prefix */
    enum kind kind;
    enum access access;
    unsigned types;          /* that know it; the others answer EINVAL */
    int64_t first, min, max; /* of numbers: what it is at first (see first_of), and what is accepted */
    const struct texts *texts;
    const char *effect; /* "folder/program:test", or several; "- why" there is none */
} options[] = {
    {4, "AFFINITY", WIDE, BOTH, ALL, 0, INT64_MIN, INT64_MAX, NULL,
     "matrix/options_effect:the_threads_named_serve_an_endpoint core/api:affinity_must_name_a_thread_that_is"},
    {5, "ROUTING_ID", BYTES, BOTH, ALL, 0, 0, 0, &routing_id,
     "flow/dealer_router:a_peer_may_choose_any_id_of_1_to_255_bytes"},
    {6, "SUBSCRIBE", BYTES, SET, IN(SUB), 0, 0, 0, &topic, /* XPUB_MANUAL lets XPUB know it */
     "flow/pubsub:a_subscriber_gets_what_begins_as_he_asked "
     "flow/xpub_xsub:a_manual_publisher_decides_for_the_peer_that_asked_last"},
    {7, "UNSUBSCRIBE", BYTES, SET, IN(SUB), 0, 0, 0, &topic,
     "flow/pubsub:what_is_unsubscribed_is_not_delivered_any_more flow/pubsub:subscriptions_are_counted"},
    {8, "RATE", INT, BOTH, ALL, 100, 1, INT_MAX, NULL, "- kept for programs that set it: pgm is not built in"},
    {9, "RECOVERY_IVL", INT, BOTH, ALL, 10000, 0, INT_MAX, NULL, "- kept for programs that set it: pgm is not built in"},
    {11, "SNDBUF", INT, BOTH, ALL, -1, -1, INT_MAX, NULL, "core/options_effect:what_is_set_stands_on_every_descriptor"},
    {12, "RCVBUF", INT, BOTH, ALL, -1, -1, INT_MAX, NULL, "core/options_effect:what_is_set_stands_on_every_descriptor"},
    {13, "RCVMORE", QUERY, GET, ALL, 0, 0, 0, NULL,
     "flow/pushpull:parts_arrive_together_in_order_and_empty_ones_too"},
    {14, "FD", QUERY, GET, ALL & ~SHARED, 0, 0, 0, NULL,
     "core/fd:a_message_makes_it_readable_and_asking_silences_it"},
    {15, "EVENTS", QUERY, GET, ALL, 0, 0, 0, NULL,
     "core/fd:a_message_makes_it_readable_and_asking_silences_it flow/reqrep:events_follow_the_turns"},
    {16, "TYPE", INT, GET, ALL, 0, 0, 0, NULL, "matrix/options:each_is_at_first_what_it_should_be"},
    {17, "LINGER", INT, BOTH, ALL, -1, -1, INT_MAX, NULL, "flow/pushpull:linger_bounds_what_term_waits"},
    {18, "RECONNECT_IVL", INT, BOTH, ALL, 100, -1, INT_MAX, NULL,
     "matrix/options_effect:who_is_not_there_is_dialled_again_after_the_time_set "
     "core/options:without_reconnection_a_lost_endpoint_is_given_up"},
    {19, "BACKLOG", INT, BOTH, ALL, 100, 0, INT_MAX, NULL, "core/options_effect:the_backlog_is_that_of_listen"},
    {21, "RECONNECT_IVL_MAX", INT, BOTH, ALL, 0, 0, INT_MAX, NULL,
     "core/options_effect:the_time_between_attempts_doubles_up_to_its_limit"},
    {22, "MAXMSGSIZE", WIDE, BOTH, ALL, -1, INT64_MIN, INT64_MAX, NULL,
     "core/options:too_large_a_part_ends_its_connection"},
    {23, "SNDHWM", INT, BOTH, ALL, 1000, 0, INT_MAX, NULL,
     "flow/pair:inproc_marks_of_both_sides_add_up_each_way flow/pushpull:marks_change_on_a_live_connection"},
    {24, "RCVHWM", INT, BOTH, ALL, 1000, 0, INT_MAX, NULL,
     "flow/pair:inproc_marks_of_both_sides_add_up_each_way flow/pushpull:marks_change_on_a_live_connection"},
    {25, "MULTICAST_HOPS", INT, BOTH, ALL, 1, 1, INT_MAX, NULL, "flow/udp:options_reach_the_system"},
    {27, "RCVTIMEO", INT, BOTH, ALL, -1, -1, INT_MAX, NULL, "flow/pushpull:time_outs_end_a_wait_and_not_early"},
    {28, "SNDTIMEO", INT, BOTH, ALL, -1, -1, INT_MAX, NULL, "flow/pushpull:time_outs_end_a_wait_and_not_early"},
    {31, "IPV4ONLY", INT, BOTH, ALL, 1, 0, 1, NULL,
     "matrix/options_effect:ipv6_is_spoken_when_asked_for core/options:ipv4only_is_the_inverse_of_ipv6"},
    {32, "LAST_ENDPOINT", TEXT, GET, ALL, 0, 0, 0, NULL, "core/api:the_last_endpoint_is_told_as_bound_or_as_written"},
    {33, "ROUTER_MANDATORY", FLAG, SET, ROUTERS, 0, 0, INT_MAX, NULL,
     "flow/dealer_router:a_mandatory_router_reports_who_is_unknown_at_the_first_part "
     "flow/dealer_router:a_full_peer_costs_its_messages_or_stops_a_mandatory_router "
     "flow/reqrep:the_reply_that_cannot_arrive_is_reported_if_it_is_mandatory"},
    {34, "TCP_KEEPALIVE", INT, BOTH, ALL, -1, -1, 1, NULL,
     "core/options_effect:what_is_set_stands_on_every_descriptor"},
    {35, "TCP_KEEPALIVE_CNT", INT, BOTH, ALL, -1, -1, INT_MAX, NULL,
     "core/options_effect:what_is_set_stands_on_every_descriptor"},
    {36, "TCP_KEEPALIVE_IDLE", INT, BOTH, ALL, -1, -1, INT_MAX, NULL,
     "core/options_effect:what_is_set_stands_on_every_descriptor"},
    {37, "TCP_KEEPALIVE_INTVL", INT, BOTH, ALL, -1, -1, INT_MAX, NULL,
     "core/options_effect:what_is_set_stands_on_every_descriptor"},
    {38, "TCP_ACCEPT_FILTER", TEXT, SET, ALL, 0, 0, 0, &accept_filter,
     "core/options:filters_keep_strangers_out core/monitor:a_filter_that_refuses_is_told "
     "matrix/options_effect:a_filter_that_is_cleared_admits_all"},
    {39, "IMMEDIATE", INT, BOTH, ALL, 0, 0, 1, NULL,
     "flow/pushpull:immediate_queues_only_for_peers_that_are_there"},
    {40, "XPUB_VERBOSE", FLAG, SET, PUBLISHERS, 0, 0, INT_MAX, NULL,
     "flow/xpub_xsub:a_verbose_publisher_reads_every_subscription"},
    {41, "ROUTER_RAW", FLAG, SET, IN(ROUTER), 0, 0, INT_MAX, NULL,
     "flow/stream:a_raw_router_is_a_stream_without_notices"},
    {42, "IPV6", INT, BOTH, ALL, 0, 0, 1, NULL,
     "matrix/options_effect:ipv6_is_spoken_when_asked_for flow/udp:ipv6_is_spoken_when_asked_for"},
    {43, "MECHANISM", INT, GET, ALL, SIFR_NULL, 0, 0, NULL,
     "matrix/options_security:the_last_that_is_set_chooses_the_mechanism"},
    {44, "PLAIN_SERVER", INT, BOTH, ALL, 0, 0, 1, NULL,
     "security/plain:a_client_that_the_handler_knows_comes_in"},
    {45, "PLAIN_USERNAME", TEXT, BOTH, ALL, 0, 0, 0, &plain,
     "security/plain:a_client_that_the_handler_knows_comes_in"},
    {46, "PLAIN_PASSWORD", TEXT, BOTH, ALL, 0, 0, 0, &plain,
     "security/plain:a_client_that_the_handler_knows_comes_in"},
    {47, "CURVE_SERVER", INT, BOTH, ALL, 0, 0, 1, NULL,
     "matrix/options_security:a_client_with_the_servers_key_comes_in_and_no_other"},
    {48, "CURVE_PUBLICKEY", KEY, BOTH, ALL, 0, 0, 0, NULL,
     "matrix/options_security:a_client_with_the_servers_key_comes_in_and_no_other"},
    {49, "CURVE_SECRETKEY", KEY, BOTH, ALL, 0, 0, 0, NULL,
     "matrix/options_security:a_client_with_the_servers_key_comes_in_and_no_other"},
    {50, "CURVE_SERVERKEY", KEY, BOTH, ALL, 0, 0, 0, NULL,
     "matrix/options_security:a_client_with_the_servers_key_comes_in_and_no_other"},
    {51, "PROBE_ROUTER", FLAG, SET, ROUTERS | IN(REQ) | IN(DEALER), 0, 0, INT_MAX, NULL,
     "flow/dealer_router:a_probe_tells_a_router_of_its_peer flow/dealer_router:two_routers_find_each_other_by_probes "
     "matrix/options_effect:who_may_probe_does"},
    {52, "REQ_CORRELATE", FLAG, SET, IN(REQ), 0, 0, INT_MAX, NULL,
     "flow/reqrep:a_correlated_request_carries_a_number"},
    {53, "REQ_RELAXED", FLAG, SET, IN(REQ), 0, 0, INT_MAX, NULL,
     "flow/reqrep:a_relaxed_requester_forgets_the_question_it_gave_up"},
    {54, "CONFLATE", INT, BOTH, ALL, 0, 0, 1, NULL,
     "flow/pushpull:conflate_keeps_the_newest flow/pubsub:conflate_keeps_the_newest"},
    {55, "ZAP_DOMAIN", TEXT, BOTH, ALL, 0, 0, 0, &domain,
     "security/plain:null_asks_the_handler_where_there_is_a_domain"},
    {56, "ROUTER_HANDOVER", FLAG, SET, ROUTERS, 0, 0, INT_MAX, NULL,
     "flow/dealer_router:with_handover_the_newcomer_takes_the_name "
     "flow/reqrep:of_two_askers_of_one_name_the_newer_is_served_alone_with_handover"},
    {57, "TOS", INT, BOTH, ALL, 0, 0, INT_MAX, NULL,
     "core/options_effect:what_is_set_stands_on_every_descriptor "
     "core/options_effect:tos_is_the_traffic_class_of_ipv6"},
    {58, "IPC_FILTER_PID", ID, SET, ALL, 0, 0, INT_MAX, NULL, "core/options:an_ipc_filter_admits_whom_it_names"},
    {59, "IPC_FILTER_UID", ID, SET, ALL, 0, 0, INT_MAX, NULL, "core/options:an_ipc_filter_admits_whom_it_names"},
    {60, "IPC_FILTER_GID", ID, SET, ALL, 0, 0, INT_MAX, NULL,
     "matrix/options_effect:an_ipc_filter_admits_the_members_of_a_group"},
    {61, "CONNECT_ROUTING_ID", BYTES, SET, ROUTERS | IN(STREAM), 0, 0, 0, &routing_id,
     "flow/dealer_router:the_connecting_router_may_name_its_peer flow/stream:a_connection_may_be_given_its_id "
     "matrix/options_effect:the_connecting_rep_may_name_its_peer"},
    {62, "GSSAPI_SERVER", INT, BOTH, ALL, 0, 0, 1, NULL,
     "matrix/options_security:a_ticket_is_shown_to_whom_and_by_whom_the_options_name"},
    {63, "GSSAPI_PRINCIPAL", TEXT, BOTH, ALL, 0, 0, 0, &domain,
     "matrix/options_security:a_ticket_is_shown_to_whom_and_by_whom_the_options_name"},
    {64, "GSSAPI_SERVICE_PRINCIPAL", TEXT, BOTH, ALL, 0, 0, 0, &domain,
     "matrix/options_security:a_ticket_is_shown_to_whom_and_by_whom_the_options_name"},
    {65, "GSSAPI_PLAINTEXT", INT, BOTH, ALL, 0, 0, 1, NULL,
     "matrix/options_security:a_ticket_is_shown_to_whom_and_by_whom_the_options_name"},
    {66, "HANDSHAKE_IVL", INT, BOTH, ALL, 30000, 0, INT_MAX, NULL,
     "core/options_effect:a_handshake_is_given_up_in_time core/monitor:a_stranger_who_says_nothing_has_his_time"},
    {68, "SOCKS_PROXY", TEXT, BOTH, ALL, 0, 0, 0, &proxy,
     "core/options_effect:connections_go_through_the_proxy_with_name_and_password"},
    {69, "XPUB_NODROP", FLAG, SET, PUBLISHERS | IN(RADIO), 0, 0, INT_MAX, NULL,
     "flow/pubsub:nodrop_says_when_a_subscriber_is_full flow/xpub_xsub:nodrop_waits_for_a_full_subscriber "
     "flow/radio_dish:a_slow_dish_misses_messages_or_is_waited_for"},
    {70, "BLOCKY", ABSENT, 0, ALL, 0, 0, 0, NULL, "- of contexts alone"},
    {71, "XPUB_MANUAL", FLAG, SET, PUBLISHERS, 0, 0, INT_MAX, NULL,
     "flow/xpub_xsub:a_manual_publisher_decides_for_the_peer_that_asked_last"},
    {72, "XPUB_WELCOME_MSG", BYTES, SET, PUBLISHERS, 0, 0, 0, &notice,
     "flow/xpub_xsub:a_newcomer_gets_the_welcome_message_first"},
    {73, "STREAM_NOTIFY", INT, SET, IN(STREAM), 0, 0, 1, NULL,
     "flow/stream:notices_are_as_they_were_to_be_at_the_bind "
     "flow/stream:notices_are_as_they_were_to_be_at_the_connect"},
    {74, "INVERT_MATCHING", FLAG, BOTH, ALL, 0, INT_MIN, INT_MAX, NULL,
     "flow/pubsub:inverted_both_ends_deliver_what_does_not_match "
     "flow/xpub_xsub:inverted_it_sends_to_those_who_did_not_subscribe"},
    {75, "HEARTBEAT_IVL", INT, BOTH, ALL, 0, 0, INT_MAX, NULL,
     "core/options:silence_ends_a_connection_with_heartbeats matrix/options_effect:a_ping_says_what_was_set"},
    {76, "HEARTBEAT_TTL", STEPS, BOTH, ALL, 0, -99, 6553599, NULL,
     "matrix/options_effect:a_ping_says_what_was_set matrix/options_effect:whoever_was_asked_to_leaves_after_silence"},
    {77, "HEARTBEAT_TIMEOUT", INT, BOTH, ALL, -1, 0, INT_MAX, NULL,
     "core/options:silence_ends_a_connection_with_heartbeats"},
    {78, "XPUB_VERBOSER", FLAG, SET, PUBLISHERS, 0, 0, INT_MAX, NULL,
     "flow/xpub_xsub:a_more_verbose_publisher_reads_every_cancel_too"},
    {79, "CONNECT_TIMEOUT", INT, BOTH, ALL, 0, 0, INT_MAX, NULL,
     "core/options_effect:an_attempt_to_connect_is_given_up_in_time"},
    {80, "TCP_MAXRT", INT, BOTH, ALL, 0, 0, INT_MAX, NULL,
     "core/options_effect:what_is_set_stands_on_every_descriptor"},
    {81, "THREAD_SAFE", QUERY, GET, ALL, 0, 0, 0, NULL, "matrix/options:each_is_at_first_what_it_should_be"},
    {84, "MULTICAST_MAXTPDU", INT, BOTH, ALL, 1500, 1, INT_MAX, NULL, "- kept for programs that set it: pgm is not built in"},
    {85, "VMCI_BUFFER_SIZE", ABSENT, 0, ALL, 0, 0, 0, NULL, "- VMCI is not built in"},
    {86, "VMCI_BUFFER_MIN_SIZE", ABSENT, 0, ALL, 0, 0, 0, NULL, "- VMCI is not built in"},
    {87, "VMCI_BUFFER_MAX_SIZE", ABSENT, 0, ALL, 0, 0, 0, NULL, "- VMCI is not built in"},
    {88, "VMCI_CONNECT_TIMEOUT", ABSENT, 0, ALL, 0, 0, 0, NULL, "- VMCI is not built in"},
    {89, "USE_FD", INT, BOTH, ALL, -1, -1, INT_MAX, NULL,
     "core/options_effect:one_bind_takes_the_descriptor matrix/options_effect:a_path_brought_along_is_left_alone "
     "matrix/options_effect:what_does_not_listen_is_not_bound"},
    {90, "GSSAPI_PRINCIPAL_NAMETYPE", INT, BOTH, ALL, 0, 0, 2, NULL,
     "matrix/options_security:a_ticket_is_shown_to_whom_and_by_whom_the_options_name"},
    {91, "GSSAPI_SERVICE_PRINCIPAL_NAMETYPE", INT, BOTH, ALL, 0, 0, 2, NULL,
     "matrix/options_security:a_ticket_is_shown_to_whom_and_by_whom_the_options_name"},
    {92, "BINDTODEVICE", TEXT, BOTH, ALL, 0, 0, 0, &device, "core/options_effect:a_device_is_bound_to_or_refused"},
    {93, "ZAP_ENFORCE_DOMAIN", FLAG, BOTH, ALL, 0, INT_MIN, INT_MAX, NULL,
     "security/plain:without_a_handler_null_lets_in_unless_a_domain_is_enforced"},
    {94, "LOOPBACK_FASTPATH", FLAG, BOTH, ALL, 0, INT_MIN, INT_MAX, NULL, "- a matter of Windows, kept elsewhere"},
    {95, "METADATA", TEXT, SET, ALL, 0, 0, 0, &property,
     "flow/dealer_router:messages_tell_of_the_connection_they_came_by "
     "matrix/options_effect:of_a_property_set_twice_the_first_stays "
     "matrix/options_effect:all_properties_that_are_accepted_arrive"},
    {96, "MULTICAST_LOOP", FLAG, BOTH, ALL, 1, INT_MIN, INT_MAX, NULL, "flow/udp:options_reach_the_system"},
    {97, "ROUTER_NOTIFY", INT, BOTH, IN(ROUTER), 0, 0, 3, NULL,
     "flow/dealer_router:a_router_is_told_who_comes_and_goes "
     "flow/dealer_router:who_comes_and_goes_is_told_as_it_was_to_be_at_the_bind"},
    {98, "XPUB_MANUAL_LAST_VALUE", FLAG, SET, PUBLISHERS, 0, 0, INT_MAX, NULL,
     "flow/xpub_xsub:the_last_value_goes_to_the_newcomer_alone"},
    {99, "SOCKS_USERNAME", TEXT, BOTH, ALL, 0, 0, 0, &credential,
     "core/options_effect:connections_go_through_the_proxy_with_name_and_password"},
    {100, "SOCKS_PASSWORD", TEXT, BOTH, ALL, 0, 0, 0, &credential,
     "core/options_effect:connections_go_through_the_proxy_with_name_and_password"},
    {101, "IN_BATCH_SIZE", INT, BOTH, ALL, 8192, 1, INT_MAX, NULL,
     "core/options_effect:batch_sizes_limit_what_is_read_and_written_at_a_time"},
    {102, "OUT_BATCH_SIZE", INT, BOTH, ALL, 8192, 1, INT_MAX, NULL,
     "core/options_effect:batch_sizes_limit_what_is_read_and_written_at_a_time"},
    {103, "WSS_KEY_PEM", ABSENT, 0, ALL, 0, 0, 0, NULL, "- WSS is not built in"},
    {104, "WSS_CERT_PEM", ABSENT, 0, ALL, 0, 0, 0, NULL, "- WSS is not built in"},
    {105, "WSS_TRUST_PEM", ABSENT, 0, ALL, 0, 0, 0, NULL, "- WSS is not built in"},
    {106, "WSS_HOSTNAME", ABSENT, 0, ALL, 0, 0, 0, NULL, "- WSS is not built in"},
    {107, "WSS_TRUST_SYSTEM", ABSENT, 0, ALL, 0, 0, 0, NULL, "- WSS is not built in"},
    {108, "ONLY_FIRST_SUBSCRIBE", FLAG, SET, PUBLISHERS | IN(XSUB), 0, 0, INT_MAX, NULL,
     "flow/xpub_xsub:with_only_first_subscribe_later_parts_are_left_alone"},
    {109, "RECONNECT_STOP", INT, BOTH, ALL, 0, INT_MIN, INT_MAX, NULL,
     "core/options_effect:a_refused_connect_is_given_up_if_so_asked "
     "core/options_effect:a_failed_handshake_is_given_up_if_so_asked "
     "core/options_effect:what_was_not_connected_is_not_dialed_after_disconnect_if_so_asked"},
    {110, "HELLO_MSG", BYTES, SET, ALL, 0, 0, 0, &notice,
     "flow/dealer_router:hello_is_the_first_message_to_each_peer "
     "flow/client_server:notices_are_given_as_to_dealers_and_routers"},
    {111, "DISCONNECT_MSG", BYTES, SET, ALL, 0, 0, 0, &notice,
     "flow/dealer_router:a_lost_peer_leaves_its_disconnect_message_and_the_other_side_a_hiccup "
     "flow/client_server:notices_are_given_as_to_dealers_and_routers"},
    {112, "PRIORITY", INT, BOTH, ALL, 0, 0, INT_MAX, NULL,
     "core/options_effect:what_is_set_stands_on_every_descriptor"},
    {113, "BUSY_POLL", INT, BOTH, ALL, 0, INT_MIN, INT_MAX, NULL,
     "core/options_effect:what_is_set_stands_on_every_descriptor"},
    {114, "HICCUP_MSG", BYTES, SET, ALL, 0, 0, 0, &notice,
     "flow/dealer_router:a_lost_peer_leaves_its_disconnect_message_and_the_other_side_a_hiccup "
     "flow/client_server:a_client_hears_of_a_hiccup"},
    {115, "XSUB_VERBOSE_UNSUBSCRIBE", FLAG, SET, IN(XSUB), 0, 0, INT_MAX, NULL,
     "flow/xpub_xsub:an_xsub_asked_for_it_passes_on_every_cancel"},
    {116, "TOPICS_COUNT", QUERY, GET, PUBLISHERS | IN(SUB) | IN(XSUB), 0, 0, 0, NULL,
     "flow/pubsub:topics_are_told_by_number"},
    {117, "NORM_MODE", ABSENT, 0, ALL, 0, 0, 0, NULL, "- NORM is not built in"},
    {118, "NORM_UNICAST_NACK", ABSENT, 0, ALL, 0, 0, 0, NULL, "- NORM is not built in"},
    {119, "NORM_BUFFER_SIZE", ABSENT, 0, ALL, 0, 0, 0, NULL, "- NORM is not built in"},
    {120, "NORM_SEGMENT_SIZE", ABSENT, 0, ALL, 0, 0, 0, NULL, "- NORM is not built in"},
    {121, "NORM_BLOCK_SIZE", ABSENT, 0, ALL, 0, 0, 0, NULL, "- NORM is not built in"},
    {122, "NORM_NUM_PARITY", ABSENT, 0, ALL, 0, 0, 0, NULL, "- NORM is not built in"},
    {123, "NORM_NUM_AUTOPARITY", ABSENT, 0, ALL, 0, 0, 0, NULL, "- NORM is not built in"},
    {124, "NORM_PUSH", ABSENT, 0, ALL, 0, 0, 0, NULL, "- NORM is not built in"},
};

/* Of what is not built in, here or at all. */
static inline bool not_built_in(const struct option *o)
{
    return o->kind == ABSENT || (strncmp(o->name, "CURVE_", 6) == 0 && !sifr_has("curve")) ||
           (strncmp(o->name, "GSSAPI_", 7) == 0 && !sifr_has("gssapi"));
}

/* Of contexts; all are ints, and one may be a text. */
static const struct context_option {
    int number;
    const char *name;
    enum access access;
    int first, min, max;
    bool flag;           /* reads as 0 or 1 */
    const char *effect;
} context_options[] = {
    {1, "IO_THREADS", BOTH, 1, 0, INT_MAX, false,
     "core/options_effect:io_threads_are_as_many_as_set_and_have_their_prefix "
     "core/api:without_io_threads_there_is_only_inproc"},
    {2, "MAX_SOCKETS", BOTH, 1023, 1, INT_MAX, false, "core/api:as_many_sockets_may_be_open_as_was_set"},
    {3, "SOCKET_LIMIT", GET, 65535, 0, 0, false, "matrix/options:contexts_begin_with_what_they_should"},
    {3, "THREAD_PRIORITY", SET, 0, 0, INT_MAX, false,
     "core/options_effect:io_threads_have_policy_and_priority_or_what_they_had"},
    {4, "THREAD_SCHED_POLICY", BOTH, -1, 0, INT_MAX, false,
     "core/options_effect:io_threads_have_policy_and_priority_or_what_they_had"},
    {5, "MAX_MSGSZ", BOTH, INT_MAX, 0, INT_MAX, false, "- kept and read back; MAXMSGSIZE is what limits"},
    {6, "MSG_T_SIZE", GET, sizeof(sifr_msg_t), 0, 0, false, "matrix/options:contexts_begin_with_what_they_should"},
    {7, "THREAD_AFFINITY_CPU_ADD", SET, 0, 0, 1023, false, "core/options_effect:io_threads_run_where_they_may"},
    {8, "THREAD_AFFINITY_CPU_REMOVE", SET, 0, 0, 1023, false, "core/options_effect:io_threads_run_where_they_may"},
    {9, "THREAD_NAME_PREFIX", BOTH, 0, INT_MIN, INT_MAX, false,
     "core/options_effect:io_threads_are_as_many_as_set_and_have_their_prefix "
     "matrix/options_effect:the_prefix_of_threads_may_be_a_text"},
    {10, "ZERO_COPY_RECV", BOTH, 1, 0, INT_MAX, true,
     "matrix/options_effect:received_messages_share_memory_or_do_not"},
    {42, "IPV6", BOTH, 0, 0, INT_MAX, true, "core/options:new_sockets_take_after_their_context"},
    {70, "BLOCKY", BOTH, 1, 0, INT_MAX, true, "core/options:new_sockets_take_after_their_context"},
};

#endif
