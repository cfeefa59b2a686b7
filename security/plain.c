/*
 * PLAIN: the client shows a name and a password as they are, and the server asks
 * the user's handler about them.
 *
 *   client:  SAY HELLO -> HEAR WELCOME -> SAY INITIATE -> HEAR READY -> DONE
 *   server:  HEAR HELLO -> ASK -> SAY WELCOME -> HEAR INITIATE -> SAY READY -> DONE
 *
 * Source: RFC 24; libzmq, whose ERROR begins with 5e where 05 is meant.
 */
#include "security/security.h"

#include <sifr.h>
#include <string.h>

/* What is said or heard next. */
enum { HELLO, WELCOME, INITIATE, READY };

static int begin(struct sf_security *s)
{
    s->step = HELLO;
    s->turn = s->own->server ? SF_SECURITY_HEAR : SF_SECURITY_SAY;
    return 0;
}

static int say_hello(struct sf_security *s, uint8_t *to, size_t room)
{
    const struct sf_octets *user = &s->own->user, *password = &s->own->password;
    size_t n = 2 + user->size + password->size;
    int size = sf_security_put(to, room, "HELLO", NULL, n);
    uint8_t *at = to + 6;

    if (size < 0)
        return size;
    *at++ = (uint8_t)user->size;
    if (user->size)
        memcpy(at, user->data, user->size);
    at += user->size;
    *at++ = (uint8_t)password->size;
    if (password->size)
        memcpy(at, password->data, password->size);
    return size;
}

static int say(struct sf_security *s, uint8_t *to, size_t room, const uint8_t *metadata, size_t n)
{
    s->turn = SF_SECURITY_HEAR;
    switch (s->step++) {
    case HELLO: return say_hello(s, to, room);
    case WELCOME: return sf_security_put(to, room, "WELCOME", NULL, 0);
    case INITIATE: return sf_security_put(to, room, "INITIATE", metadata, n);
    default:
        s->turn = SF_SECURITY_DONE;
        return sf_security_put(to, room, "READY", metadata, n);
    }
}

static int hear_hello(struct sf_security *s, const uint8_t *data, size_t n)
{
    for (int i = 0; i < 2; i++) {
        if (n == 0 || data[0] > n - 1)
            return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO);
        s->shows[i] = (struct sf_octets){data + 1, data[0]};
        n -= 1u + data[0];
        data += 1 + data[0];
    }
    if (n)
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO);
    s->n_shows = 2;
    s->turn = SF_SECURITY_ASK;
    return 0;
}

/* A client is refused by ERROR, in one spelling or the other. */
static int hear_else(struct sf_security *s, const uint8_t *body, size_t n)
{
    if (s->own->server)
        return sf_security_unexpected(s, body, n);
    if (n >= 5 && memcmp(body, "\x5eRROR", 5) == 0)
        return sf_security_reason(s, body + 5, n - 5);
    return sf_security_refused(s, body, n);
}

static int hear(struct sf_security *s, uint8_t *body, size_t n)
{
    static const char *const names[] = {"HELLO", "WELCOME", "INITIATE", "READY"};
    uint8_t *data;
    size_t size;

    if (!sf_security_is(body, n, names[s->step], &data, &size))
        return hear_else(s, body, n);
    s->turn = SF_SECURITY_SAY;
    switch (s->step++) {
    case HELLO: return hear_hello(s, data, size);
    case WELCOME:
        return size ? sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME) : 0;
    case INITIATE: break;
    default: s->turn = SF_SECURITY_DONE; break;
    }
    s->has_metadata = true;
    s->metadata = (struct sf_octets){data, size};
    return 0;
}

const struct sf_mechanism sf_mechanism_plain = {
    .name = "PLAIN",
    .number = SIFR_PLAIN,
    .secure = true,
    .begin = begin,
    .say = say,
    .hear = hear,
};
