/*
 * NULL: each side announces itself, and nobody has to prove anything; but who is
 * at the other end of the address may still be asked about.
 *
 *   both sides:  ASK -> SAY "READY" -> HEAR "READY" -> DONE
 *
 * Source: RFC 37, The NULL Security Mechanism.
 */
#include "security/security.h"

#include <sifr.h>

static int begin(struct sf_security *s)
{
    s->turn = SF_SECURITY_ASK;
    return 0;
}

static int say(struct sf_security *s, uint8_t *to, size_t room, const uint8_t *metadata, size_t n)
{
    s->turn = SF_SECURITY_HEAR;
    return sf_security_put(to, room, "READY", metadata, n);
}

static int hear(struct sf_security *s, uint8_t *body, size_t n)
{
    uint8_t *data;
    size_t size;

    if (!sf_security_is(body, n, "READY", &data, &size)) {
        /* The reference makes no difference here between names that are unknown and none. */
        int err = sf_security_refused(s, body, n);

        if (s->error == SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED)
            s->error = SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND;
        return err;
    }
    s->has_metadata = true;
    s->metadata = (struct sf_octets){data, size};
    s->turn = SF_SECURITY_DONE;
    return 0;
}

const struct sf_mechanism sf_mechanism_null = {
    .name = "NULL",
    .number = SIFR_NULL,
    .begin = begin,
    .say = say,
    .hear = hear,
};
