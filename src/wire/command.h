/*
 * Commands: what the two ends of a connection tell each other besides messages.
 *
 *     NN name data ..       NN 1..255; data runs to the end of the frame
 *
 * Functions named _put write a whole frame; those named _body only what stands
 * in it, for mechanisms and transports with frames of their own.
 *
 * Source: RFC 37, Commands, Heartbeats and Subscriptions; RFC 48 for groups.
 */
#ifndef SF_WIRE_COMMAND_H
#define SF_WIRE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

enum sf_command_kind {
    SF_CMD_UNKNOWN,
    SF_CMD_READY,
    SF_CMD_ERROR,
    SF_CMD_HELLO,
    SF_CMD_WELCOME,
    SF_CMD_INITIATE,
    SF_CMD_MESSAGE,
    SF_CMD_PING,
    SF_CMD_PONG,
    SF_CMD_SUBSCRIBE,
    SF_CMD_CANCEL,
    SF_CMD_JOIN,
    SF_CMD_LEAVE
};

/* A command taken apart; the pointers borrow from the body. */
struct sf_command {
    enum sf_command_kind kind;
    const char *name; /* not terminated */
    size_t name_size; /* 1..255 */
    const uint8_t *data;
    size_t data_size;
};

/* Reads the body of a command. Returns 0, or -EPROTO if it holds no name. */
int sf_command_get(struct sf_command *c, const uint8_t *body, size_t n);

/* Octets of a whole frame with this command (name of 1..255 octets). */
size_t sf_command_size(const char *name, size_t size);

/*
 * Writes a command and returns its size, of the whole frame or of its body.
 *
 *   to    room for sf_command_size() octets, or for 1 + name + data
 *   data  size octets; NULL: leaves them for the caller to write, and the
 *         result does not count them
 */
size_t sf_command_put(uint8_t *to, const char *name, const void *data, size_t size);
size_t sf_command_body(uint8_t *to, const char *name, const void *data, size_t size);

/* ---- Heartbeats: PING carries TT TT context, PONG the same context. ---- */

enum {
    SF_PING_CONTEXT_MAX = 16,
    SF_PING_TTL_MAX_MS = 65500, /* libzmq takes 65600 for 64 */
    SF_PING_SIZE_MAX = 2 + 5 + 2 + SF_PING_CONTEXT_MAX,
    SF_PONG_SIZE_MAX = 2 + 5 + SF_PING_CONTEXT_MAX
};

struct sf_ping {
    uint32_t ttl_ms; /* 0: none; otherwise silence that long means death */
    const uint8_t *context;
    size_t context_size; /* what to echo: cut to SF_PING_CONTEXT_MAX */
};

/* Reads the data of a PING. Returns 0, or -EPROTO if it is too short: drop it. */
int sf_ping_get(struct sf_ping *p, const struct sf_command *c);

/*
 * Write PING and PONG and return their size. The ttl is cut to tenths of a
 * second and to SF_PING_TTL_MAX_MS, the context to SF_PING_CONTEXT_MAX.
 */
size_t sf_ping_put(uint8_t *to, uint32_t ttl_ms, const void *context, size_t size);
size_t sf_ping_body(uint8_t *to, uint32_t ttl_ms, const void *context, size_t size);
size_t sf_pong_put(uint8_t *to, const void *context, size_t size);
size_t sf_pong_body(uint8_t *to, const void *context, size_t size);

/* ---- Subscriptions: a command from 3.1 on, before that a message 01/00 topic. ---- */

/* Room for all that stands before the topic. */
enum { SF_SUBSCRIPTION_HEAD_MAX = SF_FRAME1_HEADER_MAX + 10 };

struct sf_subscription {
    bool subscribe;       /* false: cancel */
    const uint8_t *topic; /* borrows from the frame */
    size_t size;
};

/*
 * Reads a subscription in either form, whatever version the peer announced.
 *
 *   command  the frame has the COMMAND flag (under CURVE: the inner one)
 *   body     its n octets
 *
 * Returns 1 if it is one, else 0: another command, or a message.
 */
int sf_subscription_get(struct sf_subscription *s, bool command, const uint8_t *body, size_t n);

/* Octets of a whole frame with this subscription. */
size_t sf_subscription_size(enum sf_zmtp version, bool subscribe, size_t size);

/*
 * Writes a subscription in the form that this version wants and returns its
 * size; the body of a 3.1 subscription is that of a command. Topic and NULL as
 * in sf_command_put().
 */
size_t sf_subscription_put(uint8_t *to, enum sf_zmtp version, bool subscribe, const void *topic,
                           size_t size);
size_t sf_subscription_body(uint8_t *to, enum sf_zmtp version, bool subscribe, const void *topic,
                            size_t size);

/* Whether JOIN and LEAVE may carry this group: 0..255 octets, none of them 00. */
bool sf_group_valid(const uint8_t *group, size_t size);

#endif
