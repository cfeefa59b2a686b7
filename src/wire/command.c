/* Commands: names and bodies of what peers tell each other besides messages. */
#include "wire/command.h"

#include <errno.h>
#include <string.h>

static const char *const names[] = {
    [SF_CMD_UNKNOWN] = "",        [SF_CMD_READY] = "READY",
    [SF_CMD_ERROR] = "ERROR",     [SF_CMD_HELLO] = "HELLO",
    [SF_CMD_WELCOME] = "WELCOME", [SF_CMD_INITIATE] = "INITIATE",
    [SF_CMD_MESSAGE] = "MESSAGE", [SF_CMD_PING] = "PING",
    [SF_CMD_PONG] = "PONG",       [SF_CMD_SUBSCRIBE] = "SUBSCRIBE",
    [SF_CMD_CANCEL] = "CANCEL",   [SF_CMD_JOIN] = "JOIN",
    [SF_CMD_LEAVE] = "LEAVE",
};

static enum sf_command_kind kind_of(const char *name, size_t size)
{
    for (int kind = SF_CMD_UNKNOWN + 1; kind < (int)(sizeof names / sizeof *names); kind++) {
        if (strlen(names[kind]) == size && memcmp(names[kind], name, size) == 0)
            return (enum sf_command_kind)kind;
    }
    return SF_CMD_UNKNOWN;
}

int sf_command_get(struct sf_command *c, const uint8_t *body, size_t n)
{
    if (n == 0 || body[0] == 0 || body[0] > n - 1)
        return -EPROTO;
    c->name = (const char *)body + 1;
    c->name_size = body[0];
    c->kind = kind_of(c->name, c->name_size);
    c->data = body + 1 + c->name_size;
    c->data_size = n - 1 - c->name_size;
    return 0;
}

static size_t body_size(const char *name, size_t size)
{
    return 1 + strlen(name) + size;
}

size_t sf_command_size(const char *name, size_t size)
{
    size_t body = body_size(name, size);

    return (body < 256 ? 2 : 9) + body;
}

size_t sf_command_body(uint8_t *to, const char *name, const void *data, size_t size)
{
    size_t head = body_size(name, 0);

    to[0] = (uint8_t)(head - 1);
    memcpy(to + 1, name, head - 1);
    if (!data)
        return head;
    memcpy(to + head, data, size);
    return head + size;
}

size_t sf_command_put(uint8_t *to, const char *name, const void *data, size_t size)
{
    size_t header = sf_frame_put(to, SF_FRAME_COMMAND, body_size(name, size));

    return header + sf_command_body(to + header, name, data, size);
}

/* ---- Heartbeats ---- */

static size_t cut_context(size_t size)
{
    return size < SF_PING_CONTEXT_MAX ? size : SF_PING_CONTEXT_MAX;
}

int sf_ping_get(struct sf_ping *p, const struct sf_command *c)
{
    if (c->data_size < 2)
        return -EPROTO;
    p->ttl_ms = (uint32_t)(c->data[0] << 8 | c->data[1]) * 100;
    p->context = c->data + 2;
    p->context_size = cut_context(c->data_size - 2);
    return 0;
}

/* Fills in the data of a PING and returns its size. */
static size_t ping_data(uint8_t *to, uint32_t ttl_ms, const void *context, size_t size)
{
    uint32_t tenths = (ttl_ms < SF_PING_TTL_MAX_MS ? ttl_ms : SF_PING_TTL_MAX_MS) / 100;

    size = cut_context(size);
    to[0] = (uint8_t)(tenths >> 8);
    to[1] = (uint8_t)tenths;
    if (size > 0)
        memcpy(to + 2, context, size);
    return 2 + size;
}

size_t sf_ping_put(uint8_t *to, uint32_t ttl_ms, const void *context, size_t size)
{
    uint8_t data[2 + SF_PING_CONTEXT_MAX];

    return sf_command_put(to, names[SF_CMD_PING], data, ping_data(data, ttl_ms, context, size));
}

size_t sf_ping_body(uint8_t *to, uint32_t ttl_ms, const void *context, size_t size)
{
    uint8_t data[2 + SF_PING_CONTEXT_MAX];

    return sf_command_body(to, names[SF_CMD_PING], data, ping_data(data, ttl_ms, context, size));
}

size_t sf_pong_put(uint8_t *to, const void *context, size_t size)
{
    return sf_command_put(to, names[SF_CMD_PONG], context, context ? cut_context(size) : 0);
}

size_t sf_pong_body(uint8_t *to, const void *context, size_t size)
{
    return sf_command_body(to, names[SF_CMD_PONG], context, context ? cut_context(size) : 0);
}

/* ---- Subscriptions ---- */

int sf_subscription_get(struct sf_subscription *s, bool command, const uint8_t *body, size_t n)
{
    struct sf_command c;

    if (!command) {
        if (n == 0 || body[0] > 1)
            return 0;
        s->subscribe = body[0] == 1;
        s->topic = body + 1;
        s->size = n - 1;
        return 1;
    }
    if (sf_command_get(&c, body, n) < 0)
        return 0;
    if (c.kind != SF_CMD_SUBSCRIBE && c.kind != SF_CMD_CANCEL)
        return 0;
    s->subscribe = c.kind == SF_CMD_SUBSCRIBE;
    s->topic = c.data;
    s->size = c.data_size;
    return 1;
}

static const char *subscription_name(bool subscribe)
{
    return names[subscribe ? SF_CMD_SUBSCRIBE : SF_CMD_CANCEL];
}

static size_t subscription_header(uint8_t *to, enum sf_zmtp version, bool subscribe, size_t size)
{
    if (version >= SF_ZMTP_31)
        return sf_frame_put(to, SF_FRAME_COMMAND, body_size(subscription_name(subscribe), size));
    if (version == SF_ZMTP_10)
        return sf_frame1_put(to, 0, (uint64_t)size + 1);
    return sf_frame_put(to, 0, (uint64_t)size + 1);
}

size_t sf_subscription_size(enum sf_zmtp version, bool subscribe, size_t size)
{
    uint8_t head[SF_SUBSCRIPTION_HEAD_MAX];

    return sf_subscription_put(head, version, subscribe, NULL, size) + size;
}

size_t sf_subscription_body(uint8_t *to, enum sf_zmtp version, bool subscribe, const void *topic,
                            size_t size)
{
    if (version >= SF_ZMTP_31)
        return sf_command_body(to, subscription_name(subscribe), topic, size);
    to[0] = subscribe;
    if (!topic)
        return 1;
    memcpy(to + 1, topic, size);
    return 1 + size;
}

size_t sf_subscription_put(uint8_t *to, enum sf_zmtp version, bool subscribe, const void *topic,
                           size_t size)
{
    size_t header = subscription_header(to, version, subscribe, size);

    return header + sf_subscription_body(to + header, version, subscribe, topic, size);
}

bool sf_group_valid(const uint8_t *group, size_t size)
{
    return size <= 255 && (size == 0 || !memchr(group, 0, size));
}
