#ifndef SF_PATTERNS_REQUEST_H
#define SF_PATTERNS_REQUEST_H

#include <string.h>

#include "patterns/pattern.h"

/* A subscription or its end, in either form that peers use. */
struct sf_request {
    bool subscribe;       /* else cancel */
    const uint8_t *topic; /* borrows from the message */
    size_t size;
};

/* Understands 01 or 00 and the topic, as messages have it. False: it is something else. */
static inline bool sf_request_of_message(struct sf_request *r, struct sf_msg *m)
{
    const uint8_t *bytes = sf_msg_data(m);

    if (sf_msg_size(m) == 0 || bytes[0] > 1)
        return false;
    r->subscribe = bytes[0] == 1;
    r->topic = bytes + 1;
    r->size = sf_msg_size(m) - 1;
    return true;
}

/* Understands the body of a command: its name with its size, and the topic (RFC 37, SUBSCRIBE). */
static inline bool sf_request_of_command(struct sf_request *r, struct sf_msg *m)
{
    const uint8_t *bytes = sf_msg_data(m);
    size_t size = sf_msg_size(m);

    if (size >= 10 && memcmp(bytes, "\x09SUBSCRIBE", 10) == 0)
        *r = (struct sf_request){true, bytes + 10, size - 10};
    else if (size >= 7 && memcmp(bytes,
                                 "\x06"
                                 "CANCEL",
                                 7) == 0)
        *r = (struct sf_request){false, bytes + 7, size - 7};
    else
        return false;
    return true;
}

#endif
