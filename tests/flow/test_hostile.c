/*
 * Peers that break the rules, over bare sockets: each is answered as the wire's reference says, is told of by the
 * monitor, and costs nobody but itself anything.
 */
#include "support.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/un.h>

#include "base/alloc.h"

#define GREETING_AS(major, minor, mechanism, rest) \
    "\xff\0\0\0\0\0\0\0\1\x7f" major minor mechanism rest
#define ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define FILLER ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define GREETING GREETING_AS("\3", "\1", "NULL" ZEROS_16, "\0" FILLER)
#define GREETING_30 GREETING_AS("\3", "\0", "NULL" ZEROS_16, "\0" FILLER)
#define SIGNATURE "\xff\0\0\0\0\0\0\0\1\x7f"

#define TYPE_PUSH "\13Socket-Type\0\0\0\4PUSH"
#define READY_PUSH "\4\x1a\5READY" TYPE_PUSH
#define READY_REP "\4\x19\5READY\13Socket-Type\0\0\0\3REP"
#define READY_REQ "\4\x19\5READY\13Socket-Type\0\0\0\3REQ"
#define READY_DEALER "\4\x1c\5READY\13Socket-Type\0\0\0\6DEALER"
#define READY_SUB "\4\x19\5READY\13Socket-Type\0\0\0\3SUB"
#define READY_PUB "\4\x19\5READY\13Socket-Type\0\0\0\3PUB"
#define READY_PULL "\4\x1a\5READY\13Socket-Type\0\0\0\4PULL"

#define READY_DISH "\4\x1a\5READY\13Socket-Type\0\0\0\4DISH"
#define READY_RADIO "\4\x1b\5READY\13Socket-Type\0\0\0\5RADIO"
#define READY_CLIENT "\4\x1c\5READY\13Socket-Type\0\0\0\6CLIENT"
#define READY_CHANNEL "\4\x1d\5READY\13Socket-Type\0\0\0\7CHANNEL"
#define READY_GATHER "\4\x1c\5READY\13Socket-Type\0\0\0\6GATHER"
#define G16 "gggggggggggggggg"
#define G256 G16 G16 G16 G16 G16 G16 G16 G16 G16 G16 G16 G16 G16 G16 G16 G16

#define PING "\4\7\4PING\0\0"
#define PONG "\4\5\4PONG"
#define BYTES(text) "" text, sizeof text - 1

#define UNSPECIFIED SIFR_PROTOCOL_ERROR_ZMTP_UNSPECIFIED
#define UNEXPECTED SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND
#define MISMATCH SIFR_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
#define BAD_ERROR SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR

/* What comes of the attempt. */
enum outcome {
    REFUSED, /* the handshake fails: event and value, then DISCONNECTED */
    PARTED,  /* the same without an event of its own: types that do not fit, bad metadata */
    CLOSED,  /* closed after a handshake that succeeded */
    KEPT,    /* nothing is wrong, or what is wrong is passed over: a PING is answered */
    WAITS,   /* more is expected in the handshake: only its timer ends it */
    OPEN,    /* more is expected of a frame: the connection stays as it is */
};

static const struct attack {
    const char *what;
    int victim; /* a socket type */
    const char *bytes;
    size_t size;
    enum outcome outcome;
    uint32_t value; /* of the event of REFUSED; 300 to 500: HANDSHAKE_FAILED_AUTH */
    int max_size;   /* MAXMSGSIZE, 0: none */
} attacks[] = {
    /* Greetings. */
    {"a frame of length 0", SIFR_PULL, BYTES("\0"), REFUSED, UNSPECIFIED, 0},
    {"HTTP", SIFR_PULL, BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), REFUSED, UNSPECIFIED, 0},
    {"TLS", SIFR_PULL, BYTES("\x16\3\1\2\0\1\0\1\xfc\3\3"), REFUSED, UNSPECIFIED, 0},
    {"SSH", SIFR_PULL, BYTES("SSH-2.0-OpenSSH_9.2\r\n"), WAITS, 0, 0},
    {"a 1.0 identity of 2^40 octets", SIFR_PULL, BYTES("\xff\0\0\1\0\0\0\0\0\0"), REFUSED,
     UNSPECIFIED, 0},
    {"a 1.0 identity of 2^63 octets", SIFR_PULL, BYTES("\xff\x80\0\0\0\0\0\0\1\0"), REFUSED,
     UNSPECIFIED, 0},
    {"a 1.0 identity of 2^64-1 octets", SIFR_PULL, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\0"),
     REFUSED, UNSPECIFIED, 0},
    {"a 1.0 identity of 256 octets", SIFR_PULL, BYTES("\xff\0\0\0\0\0\0\1\1\0"), REFUSED,
     UNSPECIFIED, 0},
    {"no signature's end", SIFR_PULL, BYTES("\xff\0\0\0\0\0\0\0\1"), WAITS, 0, 0},
    {"an unknown mechanism", SIFR_PULL,
     BYTES(GREETING_AS("\3", "\1", "FOO\0" ZEROS_16, "\0" FILLER)), REFUSED, MISMATCH, 0},
    {"PLAIN", SIFR_PULL,
     BYTES(GREETING_AS("\3", "\1", "PLAIN\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "\0" FILLER)), REFUSED,
     MISMATCH, 0},
    {"a mechanism in small letters", SIFR_PULL,
     BYTES(GREETING_AS("\3", "\1", "null" ZEROS_16, "\0" FILLER)), REFUSED, MISMATCH, 0},
    {"a mechanism without name", SIFR_PULL,
     BYTES(GREETING_AS("\3", "\1", "\0\0\0\0" ZEROS_16, "\0" FILLER)), REFUSED, MISMATCH, 0},
    {"junk behind the mechanism", SIFR_PULL,
     BYTES(GREETING_AS("\3", "\1", "NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0!", "\0" FILLER)), REFUSED,
     MISMATCH, 0},
    {"a greeting without its end", SIFR_PULL, BYTES("\xff\0\0\0\0\0\0\0\1\x7f\3\1NULL"), WAITS, 0,
     0},
    {"as-server is not looked at", SIFR_PULL,
     BYTES(GREETING_AS("\3", "\1", "NULL" ZEROS_16, "\1" FILLER) READY_PUSH), KEPT, 0, 0},
    {"nor the filler", SIFR_PULL,
     BYTES(GREETING_AS("\3", "\1", "NULL" ZEROS_16,
                       "\xff" ZEROS_16 "\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf") READY_PUSH),
     KEPT, 0, 0},
    {"nor the padding", SIFR_PULL,
     BYTES("\xff\xfe\1\2\3\4\5\6\7\x01\3\1NULL" ZEROS_16 "\0" FILLER READY_PUSH), KEPT, 0, 0},
    {"version 2, which is 3.1", SIFR_PULL,
     BYTES(GREETING_AS("\2", "\1", "NULL" ZEROS_16, "\0" FILLER) READY_PUSH), KEPT, 0, 0},
    {"version 4, which is 3.1", SIFR_PULL,
     BYTES(GREETING_AS("\4", "\0", "NULL" ZEROS_16, "\0" FILLER) READY_PUSH), KEPT, 0, 0},
    {"version 255.255, which is 3.1", SIFR_PULL,
     BYTES(GREETING_AS("\xff", "\xff", "NULL" ZEROS_16, "\0" FILLER) READY_PUSH), KEPT, 0, 0},
    {"version 3.0", SIFR_PULL, BYTES(GREETING_30 READY_PUSH), KEPT, 0, 0},
    {"2.0 of a type that does not fit", SIFR_PULL, BYTES(SIGNATURE "\1\3\0\0"), PARTED, 0, 0},
    {"2.0 with a command for identity", SIFR_PULL, BYTES(SIGNATURE "\1\x8\4\0"), REFUSED,
     UNSPECIFIED, 0},
    {"2.0 with reserved bits", SIFR_PULL, BYTES(SIGNATURE "\1\x8\x80\0"), REFUSED, UNSPECIFIED, 0},
    {"2.0 with an identity of 256 octets", SIFR_PULL, BYTES(SIGNATURE "\1\x8\2\0\0\0\0\0\0\1\0"),
     REFUSED, UNSPECIFIED, 0},
    {"2.0 without identity", SIFR_PULL, BYTES(SIGNATURE "\1\x8"), WAITS, 0, 0},
    {"2.0 with a command", SIFR_PULL, BYTES(SIGNATURE "\1\x8\0\0" PING), CLOSED, 0, 0},
    {"2.0 with reserved bits later", SIFR_PULL, BYTES(SIGNATURE "\1\x8\0\0\x10\0"), CLOSED, 0, 0},
    {"1.0 with a frame of length 0", SIFR_PULL, BYTES("\1\0\0"), CLOSED, 0, 0},
    {"1.0 with a frame of 2^63 octets", SIFR_PULL, BYTES("\1\0\xff\x80\0\0\0\0\0\0\2\0"), CLOSED, 0,
     0},
    {"1.0 with a frame that is too large", SIFR_PULL, BYTES("\1\0\xff\0\0\0\0\0\1\0\0\0"), CLOSED,
     0, 1000},
    {"1.0 behind a greeting, length 0", SIFR_PULL, BYTES(SIGNATURE "\0\x8\1\0\0"), CLOSED, 0, 0},

    /* Handshakes. */
    {"an empty command", SIFR_PULL, BYTES(GREETING "\4\0"), REFUSED, UNEXPECTED, 0},
    {"a name of size 0", SIFR_PULL, BYTES(GREETING "\4\1\0"), REFUSED, UNEXPECTED, 0},
    {"a name beyond the body", SIFR_PULL, BYTES(GREETING "\4\3\5RE"), REFUSED, UNEXPECTED, 0},
    {"an unknown command", SIFR_PULL, BYTES(GREETING "\4\6\5HALLO"), REFUSED, UNEXPECTED, 0},
    {"a HELLO", SIFR_PULL, BYTES(GREETING "\4\x8\5HELLO\0\0"), REFUSED, UNEXPECTED, 0},
    {"a PING before READY", SIFR_PULL, BYTES(GREETING PING), REFUSED, UNEXPECTED, 0},
    {"a SUBSCRIBE before READY", SIFR_XPUB, BYTES(GREETING "\4\xb\x9SUBSCRIBEA"), REFUSED,
     UNEXPECTED, 0},
    {"a message before READY", SIFR_PULL, BYTES(GREETING "\0\1x"), REFUSED, UNEXPECTED, 0},
    {"an empty message before READY", SIFR_PULL, BYTES(GREETING "\0\0"), REFUSED, UNEXPECTED, 0},
    {"ready in small letters", SIFR_PULL, BYTES(GREETING "\4\x1a\5ready" TYPE_PUSH), REFUSED,
     UNEXPECTED, 0},
    {"reserved bits", SIFR_PULL, BYTES(GREETING "\x0c\x1a\5READY" TYPE_PUSH), REFUSED, UNSPECIFIED,
     0},
    {"a command of 2^63 octets", SIFR_PULL, BYTES(GREETING "\6\x80\0\0\0\0\0\0\0"), REFUSED,
     UNSPECIFIED, 0},
    {"a command that is too long", SIFR_PULL, BYTES(GREETING "\6\0\0\0\0\0\1\0\0"), REFUSED,
     UNSPECIFIED, 0},
    {"half a command", SIFR_PULL, BYTES(GREETING "\4\x1a\5READY\13Socket"), WAITS, 0, 0},
    {"a type that does not fit", SIFR_PULL, BYTES(GREETING READY_REQ), PARTED, 0, 0},
    {"a type nobody knows", SIFR_PULL, BYTES(GREETING "\4\x19\5READY\13Socket-Type\0\0\0\3FOO"),
     PARTED, 0, 0},
    {"a type in small letters", SIFR_PULL,
     BYTES(GREETING "\4\x1a\5READY\13Socket-Type\0\0\0\4push"), PARTED, 0, 0},
    {"a type without name", SIFR_PULL, BYTES(GREETING "\4\x16\5READY\13Socket-Type\0\0\0\0"),
     PARTED, 0, 0},
    {"a second type that does not fit", SIFR_PULL,
     BYTES(GREETING "\4\x2d\5READY" TYPE_PUSH "\13Socket-Type\0\0\0\3PUB"), PARTED, 0, 0},
    {"the property's name in small letters", SIFR_PULL,
     BYTES(GREETING "\4\x19\5READY\13socket-type\0\0\0\3PUB"), PARTED, 0, 0},
    {"no type at all", SIFR_PULL, BYTES(GREETING "\4\6\5READY"), KEPT, 0, 0},
    {"a name that runs out", SIFR_PULL,
     BYTES(GREETING "\4\x9\5READY\xff"
                    "So"),
     PARTED, 0, 0},
    {"a value that runs out", SIFR_PULL,
     BYTES(GREETING "\4\x1a\5READY\13Socket-Type\0\0\0\x40PUSH"), PARTED, 0, 0},
    {"a value of 2^31 octets", SIFR_PULL,
     BYTES(GREETING "\4\x1a\5READY\13Socket-Type\x80\0\0\4PUSH"), PARTED, 0, 0},
    {"an octet too many", SIFR_PULL, BYTES(GREETING "\4\x1b\5READY" TYPE_PUSH "\5"), PARTED, 0, 0},
    {"a property without name", SIFR_PULL, BYTES(GREETING "\4\x20\5READY" TYPE_PUSH "\0\0\0\0\1x"),
     PARTED, 0, 0},
    {"an identity that starts with 00", SIFR_ROUTER,
     BYTES(GREETING "\4\x2e\5READY\13Socket-Type\0\0\0\6DEALER\x8Identity\0\0\0\5\0evil"), KEPT, 0,
     0},
    {"READY with MORE", SIFR_PULL, BYTES(GREETING "\5\x1a\5READY" TYPE_PUSH), KEPT, 0, 0},
    {"READY in a message", SIFR_PULL, BYTES(GREETING "\0\x1a\5READY" TYPE_PUSH), KEPT, 0, 0},
    {"READY in the long form", SIFR_PULL, BYTES(GREETING "\6\0\0\0\0\0\0\0\x1a\5READY" TYPE_PUSH),
     KEPT, 0, 0},
    {"READY above the maximum", SIFR_PULL, BYTES(GREETING READY_PUSH), KEPT, 0, 20},
    {"READY twice", SIFR_PULL, BYTES(GREETING READY_PUSH READY_PUSH), KEPT, 0, 0},
    {"an ERROR of authentication, 300", SIFR_PULL,
     BYTES(GREETING "\4\xa\5ERROR\3"
                    "300"),
     REFUSED, 300, 0},
    {"an ERROR of authentication, 400", SIFR_PULL,
     BYTES(GREETING "\4\xa\5ERROR\3"
                    "400"),
     REFUSED, 400, 0},
    {"an ERROR of authentication, 500", SIFR_PULL,
     BYTES(GREETING "\4\xa\5ERROR\3"
                    "500"),
     REFUSED, 500, 0},
    {"an ERROR with a text", SIFR_PULL, BYTES(GREETING "\4\xb\5ERROR\4text"), PARTED, 0, 0},
    {"an ERROR whose reason runs out", SIFR_PULL,
     BYTES(GREETING "\4\xa\5ERROR\xff"
                    "400"),
     REFUSED, BAD_ERROR, 0},
    {"an ERROR without reason", SIFR_PULL, BYTES(GREETING "\4\6\5ERROR"), REFUSED, BAD_ERROR, 0},

    /* Traffic. */
    {"reserved bits on a message", SIFR_PULL, BYTES(GREETING READY_PUSH "\x08\2hi"), CLOSED, 0, 0},
    {"all bits", SIFR_PULL, BYTES(GREETING READY_PUSH "\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
     CLOSED, 0, 0},
    {"a message of 2^63 octets", SIFR_PULL, BYTES(GREETING READY_PUSH "\2\x80\0\0\0\0\0\0\0"),
     CLOSED, 0, 0},
    {"a message of 2^64-1 octets", SIFR_PULL,
     BYTES(GREETING READY_PUSH "\2\xff\xff\xff\xff\xff\xff\xff\xff"), CLOSED, 0, 0},
    {"a command of 2^62 octets", SIFR_PULL, BYTES(GREETING READY_PUSH "\6\x40\0\0\0\0\0\0\0"),
     CLOSED, 0, 0},
    {"a message above the maximum", SIFR_PULL, BYTES(GREETING READY_PUSH "\0\x1fx"), CLOSED, 0, 30},
    {"a long one above the maximum", SIFR_PULL, BYTES(GREETING READY_PUSH "\2\0\0\0\0\0\1\0\0"),
     CLOSED, 0, 30},
    {"a huge one above the maximum", SIFR_PULL,
     BYTES(GREETING READY_PUSH "\2\x7f\xff\xff\xff\xff\xff\xff\xff"), CLOSED, 0, 30},
    {"a part above the maximum", SIFR_PULL, BYTES(GREETING READY_PUSH "\1\2aa\1\x1fx"), CLOSED, 0,
     30},
    {"a command above the maximum", SIFR_PULL, BYTES(GREETING READY_PUSH "\4\x1f\4PING\0\0"),
     CLOSED, 0, 30},
    {"a subscription above the maximum", SIFR_XPUB,
     BYTES(GREETING READY_SUB "\6\0\0\0\0\0\0\1\0\x9SUBSCRIBE"), CLOSED, 0, 100},
    {"many parts below the maximum", SIFR_PULL,
     BYTES(GREETING READY_PUSH "\1\6aaaaaa\1\6aaaaaa\0\6aaaaaa"), KEPT, 0, 14},
    {"an announcement of 2^63-1 octets", SIFR_PULL,
     BYTES(GREETING READY_PUSH "\2\x7f\xff\xff\xff\xff\xff\xff\xff"), OPEN, 0, 0},
    {"an announcement of 2^40 octets", SIFR_PULL,
     BYTES(GREETING READY_PUSH "\2\0\0\1\0\0\0\0\0some"), OPEN, 0, 0},
    {"an announcement in the middle", SIFR_PULL,
     BYTES(GREETING READY_PUSH "\1\1a\2\0\0\1\0\0\0\0\0some"), OPEN, 0, 0},
    {"a part of 2^40 octets and more behind", SIFR_PULL,
     BYTES(GREETING READY_PUSH "\3\0\0\1\0\0\0\0\0some"), CLOSED, 0, 0},
    {"a long command that does not come", SIFR_XPUB,
     BYTES(GREETING READY_SUB "\6\0\0\0\0\0\x80\0\0\x9SUBSCRIBE"), OPEN, 0, 0},
    {"the long form for a short message", SIFR_PULL,
     BYTES(GREETING READY_PUSH "\2\0\0\0\0\0\0\0\2hi"), KEPT, 0, 0},
    {"an empty command later", SIFR_PULL, BYTES(GREETING READY_PUSH "\4\0"), KEPT, 0, 0},
    {"a name beyond the body later", SIFR_PULL, BYTES(GREETING READY_PUSH "\4\3\5RE"), KEPT, 0, 0},
    {"a name of size 0 later", SIFR_PULL, BYTES(GREETING READY_PUSH "\4\2\0x"), KEPT, 0, 0},
    {"an unknown command later", SIFR_PULL, BYTES(GREETING READY_PUSH "\4\6\5HALLO"), KEPT, 0, 0},
    {"an ERROR later", SIFR_PULL,
     BYTES(GREETING READY_PUSH "\4\xa\5ERROR\3"
                               "400"),
     KEPT, 0, 0},
    {"MORE on a command", SIFR_PULL, BYTES(GREETING READY_PUSH "\5\7\4PING\0\0\5\0"), KEPT, 0, 0},
    {"a PING that is too short", SIFR_PULL, BYTES(GREETING READY_PUSH "\4\6\4PING\0\4\5\4PING"),
     KEPT, 0, 0},
    {"a PONG nobody asked for", SIFR_PULL, BYTES(GREETING READY_PUSH PONG), KEPT, 0, 0},
    {"a SUBSCRIBE to a PULL", SIFR_PULL, BYTES(GREETING READY_PUSH "\4\xb\x9SUBSCRIBEA"), KEPT, 0,
     0},
    {"a JOIN to a PULL", SIFR_PULL, BYTES(GREETING READY_PUSH "\4\6\4JOINx"), KEPT, 0, 0},
    {"commands within a message", SIFR_PULL,
     BYTES(GREETING READY_PUSH "\1\1a\4\0" PING "\4\6\5HALLO\0\1b"), KEPT, 0, 0},
    {"a message to a PUSH", SIFR_PUSH, BYTES(GREETING READY_PULL "\0\2hi\1\1a\0\1b"), KEPT, 0, 0},
    {"a message to a PUB", SIFR_PUB, BYTES(GREETING READY_SUB "\0\2hi\1\1a\0\1b"), KEPT, 0, 0},
    {"a SUBSCRIBE without topic", SIFR_PUB, BYTES(GREETING READY_SUB "\4\xa\x9SUBSCRIBE"), KEPT, 0,
     0},
    {"a CANCEL of what is not held", SIFR_PUB,
     BYTES(GREETING READY_SUB "\4\7\6CANCEL\4\x8\6CANCELx"), KEPT, 0, 0},
    {"a subscription as a message", SIFR_PUB, BYTES(GREETING READY_SUB "\0\1\1\0\2\1x\0\1\0\0\1\2"),
     KEPT, 0, 0},
    {"an empty message to a PUB", SIFR_PUB, BYTES(GREETING READY_SUB "\0\0\1\0\0\0"), KEPT, 0, 0},
    {"a SUBSCRIBE within a message", SIFR_XPUB,
     BYTES(GREETING READY_SUB "\1\1a\4\xb\x9SUBSCRIBEA\0\1b"), KEPT, 0, 0},
    {"a request without delimiter", SIFR_REP, BYTES(GREETING READY_REQ "\0\1x"), KEPT, 0, 0},
    {"a request that is its delimiter", SIFR_REP, BYTES(GREETING READY_REQ "\0\0\1\1x\0\0"), KEPT,
     0, 0},
    {"a reply without delimiter", SIFR_REQ, BYTES(GREETING READY_REP "\0\1x"), CLOSED, 0, 0},
    {"a reply with another frame first", SIFR_REQ, BYTES(GREETING READY_REP "\1\5aaaaa\1\0\0\1x"),
     CLOSED, 0, 0},
    {"a number without delimiter", SIFR_REQ, BYTES(GREETING READY_REP "\1\4aaaa\0\1x"), CLOSED, 0,
     0},
    {"a number alone", SIFR_REQ, BYTES(GREETING READY_REP "\0\4aaaa"), CLOSED, 0, 0},
    {"a probe", SIFR_REQ, BYTES(GREETING READY_REP "\0\0"), KEPT, 0, 0},
    {"a JOIN of 256 octets", SIFR_RADIO, BYTES(GREETING READY_DISH "\6\0\0\0\0\0\0\1\5\4JOIN" G256), KEPT, 0, 0},
    {"a LEAVE of 256 octets", SIFR_RADIO, BYTES(GREETING READY_DISH "\6\0\0\0\0\0\0\1\6\5LEAVE" G256), KEPT, 0,
     0},
    {"a JOIN with a 0", SIFR_RADIO, BYTES(GREETING READY_DISH "\4\x8\4JOINa\0b"), KEPT, 0, 0},
    {"a JOIN without group", SIFR_RADIO, BYTES(GREETING READY_DISH "\4\5\4JOIN"), KEPT, 0, 0},
    {"a LEAVE of what is not joined", SIFR_RADIO, BYTES(GREETING READY_DISH "\4\6\5LEAVE\4\7\5LEAVEx"), KEPT, 0, 0},
    {"a JOIN twice", SIFR_RADIO, BYTES(GREETING READY_DISH "\4\6\4JOINx\4\6\4JOINx\4\7\5LEAVEx\4\7\5LEAVEx"), KEPT, 0,
     0},
    {"a JOIN cut short", SIFR_RADIO, BYTES(GREETING READY_DISH "\4\4\4JOI\4\4\3JOI"), KEPT, 0, 0},
    {"a JOIN within a message", SIFR_RADIO, BYTES(GREETING READY_DISH "\1\1a\4\6\4JOINx\0\1b"), KEPT, 0, 0},
    {"a SUBSCRIBE to a RADIO", SIFR_RADIO, BYTES(GREETING READY_DISH "\4\xb\x9SUBSCRIBEA\0\2\1x"), KEPT, 0, 0},
    {"a message to a RADIO", SIFR_RADIO, BYTES(GREETING READY_DISH "\0\2hi\1\1a\0\1b"), KEPT, 0, 0},
    {"a JOIN that does not come", SIFR_RADIO, BYTES(GREETING READY_DISH "\6\0\0\0\0\0\x80\0\0\4JOIN"), OPEN, 0, 0},
    {"a JOIN to a PUB", SIFR_PUB, BYTES(GREETING READY_SUB "\4\6\4JOINx\4\7\5LEAVEx"), KEPT, 0, 0},
    {"a group without a body", SIFR_DISH, BYTES(GREETING READY_RADIO "\0\1g\0\0"), KEPT, 0, 0},
    {"a group with two bodies", SIFR_DISH, BYTES(GREETING READY_RADIO "\1\1g\1\1a\0\1b"), KEPT, 0, 0},
    {"a group of 256 octets", SIFR_DISH, BYTES(GREETING READY_RADIO "\3\0\0\0\0\0\0\1\0" G256 "\0\1x"), KEPT, 0, 0},
    {"a group whose body does not come", SIFR_DISH, BYTES(GREETING READY_RADIO "\1\1g\2\0\0\1\0\0\0\0\0x"), OPEN, 0,
     0},
    {"a JOIN to a DISH", SIFR_DISH, BYTES(GREETING READY_RADIO "\4\6\4JOINx"), KEPT, 0, 0},
    {"two frames to a SERVER", SIFR_SERVER, BYTES(GREETING READY_CLIENT "\1\1a\0\1b\0\0"), KEPT, 0, 0},
    {"two frames to a CHANNEL", SIFR_CHANNEL, BYTES(GREETING READY_CHANNEL "\1\0\0\0"), KEPT, 0, 0},
    {"a message to a SCATTER", SIFR_SCATTER, BYTES(GREETING READY_GATHER "\0\2hi\1\1a\0\1b"), KEPT, 0, 0},
    {"a DEALER at a SERVER", SIFR_SERVER, BYTES(GREETING READY_DEALER), PARTED, 0, 0},
    {"a CLIENT at a PULL", SIFR_PULL, BYTES(GREETING READY_CLIENT), PARTED, 0, 0},
    {"a SUB at a RADIO", SIFR_RADIO, BYTES(GREETING READY_SUB), PARTED, 0, 0},
    {"a 2.0 PAIR at a CHANNEL", SIFR_CHANNEL, BYTES(SIGNATURE "\1\0\0\0"), PARTED, 0, 0},
    {"a 2.0 DISH at a RADIO, with a command", SIFR_RADIO, BYTES(SIGNATURE "\1\xf\0\0" PING), CLOSED, 0, 0},
    {"a second probe", SIFR_REQ, BYTES(GREETING READY_REP "\0\0\0\0"), CLOSED, 0, 0},
    {"a delimiter alone behind a reply", SIFR_REQ, BYTES(GREETING READY_REP "\1\0\0\1x\0\0"),
     CLOSED, 0, 0},
    {"a reply nobody asked for", SIFR_REQ, BYTES(GREETING READY_REP "\1\0\0\1x\1\4aaaa\1\0\0\1x"),
     KEPT, 0, 0},
    {"messages without subscription", SIFR_SUB, BYTES(GREETING READY_PUB "\0\1z\1\1z\0\1a"), KEPT,
     0, 0},
    {"reserved bits to a ROUTER", SIFR_ROUTER, BYTES(GREETING READY_DEALER "\0\1z\1\1z\x80\0"),
     CLOSED, 0, 0},
};

/* ---- Bare sockets -------------------------------------------------------------------------------------------- */

static socklen_t address_of(struct sockaddr_storage *a, const struct endpoint *e)
{
    struct sockaddr_in *in = (struct sockaddr_in *)a;
    struct sockaddr_un *un = (struct sockaddr_un *)a;

    memset(a, 0, sizeof *a);
    if (strncmp(e->text, "tcp", 3) == 0) {
        in->sin_family = AF_INET;
        in->sin_addr = own_address(0).sin_addr;
        in->sin_port = htons((uint16_t)atoi(strrchr(e->text, ':') + 1));
        return sizeof *in;
    }
    un->sun_family = AF_UNIX; /* "ipc://@name": a name without a file */
    strcpy(un->sun_path + 1, e->text + 7);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(e->text + 7));
}

static int bare_socket(const struct endpoint *e, struct sockaddr_storage *a, socklen_t *size)
{
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    int fd, on = 1;

    *size = address_of(a, e);
    fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (a->ss_family == AF_INET)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static int bare_connect(const struct endpoint *e)
{
    struct sockaddr_storage a;
    socklen_t size;
    int fd = bare_socket(e, &a, &size);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, size), 0);
    return fd;
}

static int bare_listen(const struct endpoint *e)
{
    struct sockaddr_storage a;
    socklen_t size;
    int fd = bare_socket(e, &a, &size);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, size), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    return fd;
}

static int bare_accept(int listener)
{
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;

    ck_assert_msg(fd >= 0, "nobody connects: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Sends in steps of so many octets. False: the other side has closed meanwhile, as it may. */
static bool say(int fd, const void *bytes, size_t n, size_t step)
{
    const uint8_t *p = bytes;

    while (n > 0) {
        ssize_t sent = send(fd, p, n < step ? n : step, MSG_NOSIGNAL);

        if (sent < 0) {
            ck_assert_msg(errno == EPIPE || errno == ECONNRESET, "send: %s", strerror(errno));
            return false;
        }
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* Reads until the other side has closed. */
static void hear_end(int fd, const char *what)
{
    uint8_t bytes[4096];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        ;
    ck_assert_msg(n == 0 || errno == ECONNRESET, "%s: still open (%s)", what, strerror(errno));
}

/* Reads until these octets have come. */
static void hear(int fd, const void *bytes, size_t size, const char *what)
{
    uint8_t heard[65536];
    size_t n = 0;

    while (!memmem(heard, n, bytes, size)) {
        ssize_t got = recv(fd, heard + n, sizeof heard - n, 0);

        ck_assert_msg(got > 0, "%s: closed, or silent", what);
        n += (size_t)got;
    }
}

/* ---- The victim, its friend, its monitor --------------------------------------------------------------------- */

struct scene {
    sifr_socket_t *victim, *friend, *monitor;
    int type;
    struct endpoint to; /* where the friend came from */
    struct endpoint at; /* where the enemy comes to, or sits */
};

static int friend_of(int type)
{
    switch (type) {
    case SIFR_PULL: return SIFR_PUSH;
    case SIFR_PUSH: return SIFR_PULL;
    case SIFR_REP: return SIFR_REQ;
    case SIFR_REQ: return SIFR_REP;
    case SIFR_ROUTER: return SIFR_DEALER;
    case SIFR_XPUB:
    case SIFR_PUB: return SIFR_SUB;
    case SIFR_RADIO: return SIFR_DISH;
    case SIFR_DISH: return SIFR_RADIO;
    case SIFR_SERVER: return SIFR_CLIENT;
    case SIFR_SCATTER: return SIFR_GATHER;
    case SIFR_CHANNEL: return SIFR_CHANNEL;
    default: return SIFR_PUB;
    }
}

/* Takes what strangers have left. */
static void clean(struct scene *s)
{
    char bytes[64];

    if (s->type == SIFR_PUSH || s->type == SIFR_PUB || s->type == SIFR_REQ || s->type == SIFR_SCATTER ||
        s->type == SIFR_RADIO)
        return;
    while (sifr_recv(s->victim, bytes, sizeof bytes, SIFR_DONTWAIT) >= 0)
        if (s->type == SIFR_REP && !get_int(s->victim, SIFR_RCVMORE))
            sifr_send(s->victim, "", 0, 0);
    ck_assert_int_eq(errno, EAGAIN);
}

/* Victim and friend understand each other. */
static void exchange(struct scene *s)
{
    static unsigned count;
    char text[32], id[64];
    sifr_msg_t m;
    int n;

    snprintf(text, sizeof text, "good%u", count++ % 100);
    switch (s->type) {
    case SIFR_PULL:
    case SIFR_DISH:
    case SIFR_CHANNEL:
    case SIFR_SUB:
        send_text(s->friend, text, 0);
        recv_text(s->victim, text, false);
        break;
    case SIFR_PUSH:
    case SIFR_PUB:
    case SIFR_SCATTER:
    case SIFR_RADIO:
    case SIFR_XPUB:
        send_text(s->victim, text, 0);
        recv_text(s->friend, text, false);
        break;
    case SIFR_REP:
        send_text(s->friend, text, 0);
        recv_text(s->victim, text, false);
        send_text(s->victim, text, 0);
        recv_text(s->friend, text, false);
        break;
    case SIFR_SERVER:
        send_text(s->friend, text, 0);
        ck_works(sifr_msg_init(&m));
        ck_assert_int_eq(sifr_msg_recv(&m, s->victim, 0), (int)strlen(text));
        ck_assert_int_ge(sifr_msg_send(&m, s->victim, 0), 0);
        recv_text(s->friend, text, false);
        break;
    case SIFR_REQ:
        send_text(s->victim, text, 0);
        recv_text(s->friend, text, false);
        send_text(s->friend, text, 0);
        recv_text(s->victim, text, false);
        break;
    default:
        send_text(s->friend, text, 0);
        n = sifr_recv(s->victim, id, sizeof id, 0);
        ck_assert_int_ge(n, 1);
        recv_text(s->victim, text, false);
        send_bytes(s->victim, id, (size_t)n, SIFR_SNDMORE);
        send_text(s->victim, text, 0);
        recv_text(s->friend, text, false);
    }
}

struct event {
    uint16_t number;
    uint32_t value;
};

static struct event next_event(struct scene *s, const char *what)
{
    struct event e = {0};
    uint8_t head[6];
    char text[128];

    ck_assert_msg(sifr_recv(s->monitor, head, sizeof head, 0) == 6, "%s: no event", what);
    memcpy(&e.number, head, 2);
    memcpy(&e.value, head + 2, 4);
    ck_assert_int_ge(sifr_recv(s->monitor, text, sizeof text, 0), 0);
    return e;
}

static uint32_t expect(struct scene *s, const char *what, int number)
{
    struct event e = next_event(s, what);

    ck_assert_msg(e.number == number, "%s: event 0x%x (value 0x%x) instead of 0x%x", what, e.number,
                  e.value, number);
    return e.value;
}

static void expect_silence(struct scene *s, const char *what)
{
    if (readable_within(s->monitor, 10)) {
        struct event e = next_event(s, what);

        ck_abort_msg("%s: event 0x%x (value 0x%x)", what, e.number, e.value);
    }
}

/* Until it knows of the subscription, what a publisher sends is lost. */
static void get_through(sifr_socket_t *from, sifr_socket_t *to)
{
    char text[8];

    for (send_text(from, "good", 0); !readable_within(to, 2);)
        send_text(from, "good", 0);
    send_text(from, "good!", 0);
    while (sifr_recv(to, text, sizeof text, 0) != 5)
        ;
}

/* A victim that has a friend, listens for strangers too, and tells what becomes of them. */
static void open_scene(struct scene *s, int type, enum transport t, int max_size, int handshake_ms)
{
    struct endpoint m = fresh_endpoint(INPROC);

    s->type = type;
    s->victim = new_socket(type);
    s->friend = new_socket(friend_of(type));
    s->monitor = new_socket(SIFR_PAIR);
    set_int(s->victim, SIFR_HANDSHAKE_IVL, handshake_ms);
    set_int(s->victim, SIFR_RECONNECT_IVL, 1);
    if (type == SIFR_SUB)
        set_text(s->victim, SIFR_SUBSCRIBE, "good");
    if (type == SIFR_XPUB || type == SIFR_PUB)
        set_text(s->friend, SIFR_SUBSCRIBE, "good");
    if (type == SIFR_DISH || type == SIFR_RADIO)
        ck_works(sifr_join(type == SIFR_DISH ? s->victim : s->friend, ""));
    s->to = bind_fresh(s->victim, t);
    if (max_size) {
        int64_t max = max_size;

        ck_works(sifr_setsockopt(s->victim, SIFR_MAXMSGSIZE, &max, sizeof max));
    }
    connect_to(s->friend, &s->to);
    if (type == SIFR_XPUB) /* the subscription has come */
        recv_bytes(s->victim, "\1good", 5, false);
    else if (type == SIFR_PUB)
        eventually(get_int(s->victim, SIFR_TOPICS_COUNT) == 1);
    else if (type == SIFR_SUB || type == SIFR_DISH)
        get_through(s->friend, s->victim);
    else if (type == SIFR_RADIO)
        get_through(s->victim, s->friend);
    clean(s);
    exchange(s);
    ck_works(sifr_socket_monitor(s->victim, m.text, SIFR_EVENT_ALL));
    connect_to(s->monitor, &m);
    s->at = bind_fresh(s->victim, t);
    expect(s, "bind", SIFR_EVENT_LISTENING);
}

static void close_scene(struct scene *s)
{
    drop(s->victim);
    drop(s->friend);
    drop(s->monitor);
}

/* The friend has noticed nothing. */
static void still_good(struct scene *s)
{
    clean(s);
    exchange(s);
}

/* What the victim tells of a connection between its begin and its end. */
static void expect_outcome(struct scene *s, const struct attack *a)
{
    uint32_t value;

    switch (a->outcome) {
    case REFUSED:
        value = expect(s, a->what,
                       a->value < 1000 ? SIFR_EVENT_HANDSHAKE_FAILED_AUTH
                                       : SIFR_EVENT_HANDSHAKE_FAILED_PROTOCOL);
        ck_assert_msg(value == a->value, "%s: value 0x%x", a->what, value);
        break;
    case PARTED: break;
    case CLOSED:
    case KEPT:
    case OPEN: ck_assert_uint_eq(expect(s, a->what, SIFR_EVENT_HANDSHAKE_SUCCEEDED), 0); break;
    case WAITS:
        value = expect(s, a->what, SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
        ck_assert_msg(value == ETIMEDOUT, "%s: value %u", a->what, value);
        break;
    }
}

/* Says what the attack says and sees how it is taken. */
static void attack(struct scene *s, const struct attack *a, int fd, size_t step)
{
    bool through = say(fd, a->bytes, a->size, step);

    switch (a->outcome) {
    case REFUSED:
    case PARTED:
    case CLOSED:
    case WAITS: hear_end(fd, a->what); break;
    case KEPT:
        ck_assert_msg(through && say(fd, "\4\xc\4PING\0\0mark!", 14, step), "%s: closed", a->what);
        hear(fd, "\4PONGmark!", 10, a->what);
        break;
    case OPEN:
        ck_assert_msg(through, "%s: closed", a->what);
        for (int i = 0; i < 10; i++)
            exchange(s); /* by the same thread of the victim's */
        break;
    }
}

/* ---- Attacks ------------------------------------------------------------------------------------------------- */

static int ms_for(const struct attack *a)
{
    return a->outcome == WAITS ? 50 : 30000;
}

/* Even: all at once, odd: octet by octet. */
static void accepted(int i, enum transport t, size_t step)
{
    const struct attack *a = &attacks[i];
    struct scene s;
    uint32_t number;
    int fd;

    open_scene(&s, a->victim, t, a->max_size, ms_for(a));
    for (int round = 0; round < 2; round++) {
        fd = bare_connect(&s.at);
        attack(&s, a, fd, step);
        number = expect(&s, a->what, SIFR_EVENT_ACCEPTED);
        expect_outcome(&s, a);
        if (a->outcome == OPEN) {
            struct pollfd p = {.fd = fd, .events = POLLRDHUP};

            poll(&p, 1, 0);
            ck_assert_msg(!p.revents, "%s: closed", a->what);
        }
        close(fd);
        ck_assert_uint_eq(expect(&s, a->what, SIFR_EVENT_DISCONNECTED), number);
        still_good(&s);
    }
    close_scene(&s);
}

START_TEST(who_breaks_the_rules_over_tcp_is_alone_with_it)
{
    accepted(_i, TCP, 1 << 20);
}
END_TEST

START_TEST(who_breaks_the_rules_over_ipc_is_alone_with_it)
{
    accepted(_i, IPC, 1 << 20);
}
END_TEST

START_TEST(octet_by_octet_it_is_the_same)
{
    accepted(_i, _i % 2 ? TCP : IPC, 1);
}
END_TEST

START_TEST(whoever_is_dialled_and_breaks_the_rules_is_not_dialled_again)
{
    const struct attack *a = &attacks[_i];
    enum transport t = _i % 2 ? TCP : IPC;
    struct endpoint e = fresh_endpoint(t);
    int listener = bare_listen(&e), fd;
    struct scene s;

    open_scene(&s, a->victim, t, a->max_size, ms_for(a));
    connect_to(s.victim, &e);
    fd = bare_accept(listener);
    if (t == TCP)
        expect(&s, a->what, SIFR_EVENT_CONNECT_DELAYED);
    expect(&s, a->what, SIFR_EVENT_CONNECTED);
    if (a->outcome == OPEN)
        ck_assert(say(fd, a->bytes, a->size, 1 << 20));
    else
        attack(&s, a, fd, 1 << 20);
    expect_outcome(&s, a);
    close(fd);
    expect(&s, a->what, SIFR_EVENT_DISCONNECTED);
    if (a->outcome == KEPT || a->outcome == OPEN || a->outcome == WAITS)
        expect(&s, a->what, SIFR_EVENT_CONNECT_RETRIED);
    else
        expect_silence(&s, a->what);
    sifr_disconnect(s.victim, e.text); /* gone by itself, perhaps */
    still_good(&s);
    close(listener);
    close_scene(&s);
}
END_TEST

/* ---- Truncation ---------------------------------------------------------------------------------------------- */

#define TALK \
    GREETING READY_PUSH "\1\1a\4\7\4PING\0\0\0\1b" \
                        "\2\0\0\0\0\0\0\0\3abc"
enum { GREETED = 64, SHAKEN = GREETED + 28, FIRST = SHAKEN + 15, SECOND = FIRST + 12 };

/* Leaves after n octets: by closing, by half-closing, or by a reset. */
static void leave(int fd, int how)
{
    struct linger hard = {1, 0};

    if (how == 1) {
        shutdown(fd, SHUT_WR);
        hear_end(fd, "half-closed");
    } else if (how == 2) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    close(fd);
}

START_TEST(a_talk_may_end_anywhere)
{
    static const char talk[] = TALK;
    enum transport t = _i % 2 ? TCP : IPC;
    int how = _i / 2;
    struct scene s;

    ck_assert_uint_eq(sizeof talk - 1, SECOND);
    open_scene(&s, SIFR_PULL, t, 0, 30000);
    for (size_t n = 0; n <= SECOND; n++) {
        int fd = bare_connect(&s.at);
        struct event e;

        say(fd, talk, n, n ? n : 1);
        if (how != 2 && n >= SHAKEN)
            hear(fd, "READY", 5, "talk"); /* what is in the kernel at a reset is lost */
        leave(fd, how);
        expect(&s, "talk", SIFR_EVENT_ACCEPTED);
        e = next_event(&s, "talk");
        if (how != 2 && n >= SHAKEN)
            ck_assert_msg(e.number == SIFR_EVENT_HANDSHAKE_SUCCEEDED, "%zu octets: event 0x%x", n,
                          e.number);
        else if (n < SHAKEN)
            ck_assert_msg(e.number == SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL &&
                              (e.value == EPIPE || e.value == ECONNRESET),
                          "%zu octets: event 0x%x, value 0x%x", n, e.number, e.value);
        expect(&s, "talk", SIFR_EVENT_DISCONNECTED);
        if (how != 2 && n >= FIRST)
            recv_parts(s.victim, "a", "b");
        if (how != 2 && n == SECOND)
            recv_parts(s.victim, "abc");
        if (how == 2)
            clean(&s);
        exchange(&s);
    }
    close_scene(&s);
}
END_TEST

START_TEST(an_attack_may_end_anywhere)
{
    int victims[] = {SIFR_PULL, SIFR_XPUB,   SIFR_PUB, SIFR_REP,
                     SIFR_REQ,  SIFR_ROUTER, SIFR_SUB, SIFR_PUSH};
    struct scene s;

    open_scene(&s, victims[_i], IPC, 0, 30000);
    for (int i = 0; i < COUNT(attacks); i++) {
        const struct attack *a = &attacks[i];

        if (a->victim != s.type || a->max_size)
            continue;
        for (size_t n = a->size > 90 ? 90 : 0; n < a->size; n++) {
            int fd = bare_connect(&s.at);

            say(fd, a->bytes, n, n ? n : 1);
            close(fd);
            expect(&s, a->what, SIFR_EVENT_ACCEPTED);
            while (next_event(&s, a->what).number != SIFR_EVENT_DISCONNECTED)
                ;
        }
        still_good(&s);
    }
    close_scene(&s);
}
END_TEST

/* ---- Time ---------------------------------------------------------------------------------------------------- */

START_TEST(an_octet_now_and_then_does_not_buy_time)
{
    static const char talk[] = TALK;
    struct scene s;
    bool open = true;
    int fd;

    open_scene(&s, SIFR_PULL, _i ? TCP : IPC, 0, 100);
    fd = bare_connect(&s.at);
    for (size_t n = 0; open && n < GREETED; n++) { /* ten times the time that there is */
        open = say(fd, talk + n, 1, 1);
        poll(NULL, 0, 15);
    }
    ck_assert(!open);
    close(fd);
    expect(&s, "loris", SIFR_EVENT_ACCEPTED);
    ck_assert_uint_eq(expect(&s, "loris", SIFR_EVENT_HANDSHAKE_FAILED_NO_DETAIL), ETIMEDOUT);
    expect(&s, "loris", SIFR_EVENT_DISCONNECTED);
    still_good(&s);
    close_scene(&s);
}
END_TEST

START_TEST(a_crowd_that_says_nothing_is_sent_away)
{
    enum { CROWD = 50 };
    static const char talk[] = TALK;
    int fds[CROWD], seen = 0;
    struct scene s;

    open_scene(&s, SIFR_PULL, TCP, 0, 200);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = bare_connect(&s.at);
        say(fds[i], talk, (size_t)i * SHAKEN / CROWD, 100);
    }
    exchange(&s);
    while (seen < CROWD)
        seen += next_event(&s, "crowd").number == SIFR_EVENT_DISCONNECTED;
    for (int i = 0; i < CROWD; i++) {
        hear_end(fds[i], "crowd");
        close(fds[i]);
    }
    still_good(&s);
    close_scene(&s);
}
END_TEST

/* ---- Amounts ------------------------------------------------------------------------------------------------- */

static int greeted(struct scene *s, const char *talk, size_t n)
{
    int fd = bare_connect(&s->at);

    ck_assert(say(fd, talk, n, n));
    hear(fd, "READY", 5, "greeted");
    expect(s, "greeted", SIFR_EVENT_ACCEPTED);
    expect(s, "greeted", SIFR_EVENT_HANDSHAKE_SUCCEEDED);
    return fd;
}

/* A message that is begun and goes on for ever. */
static const struct {
    int victim;
    const char *greeting;
    size_t size;
    const char *bytes;
    size_t n;
} endless[] = {
    {SIFR_PULL, BYTES(GREETING READY_PUSH), BYTES("\1\0")},
    {SIFR_PULL, BYTES(GREETING READY_PUSH), BYTES("\4\2\1x")},
    {SIFR_XPUB, BYTES(GREETING READY_SUB), BYTES("\4\xb\x9SUBSCRIBEA")},
};

START_TEST(empty_parts_and_commands_without_end_come_to_an_end)
{
    enum { TIMES = 16384, BLOCKS = 100 }; /* 1.6 million of them */
    size_t n = endless[_i].n, size = n * TIMES;
    uint8_t *parts = malloc(size);
    bool open = true;
    struct scene s;
    int fd;

    ck_assert_ptr_nonnull(parts);
    for (size_t i = 0; i < size; i += n)
        memcpy(parts + i, endless[_i].bytes, n);
    open_scene(&s, endless[_i].victim, IPC, 0, 30000);
    fd = greeted(&s, endless[_i].greeting, endless[_i].size);
    ck_assert(say(fd, "\1\1x", 3, 3));
    for (int i = 0; open && i < BLOCKS; i++)
        open = say(fd, parts, size, size);
    ck_assert_msg(!open, "all was taken");
    close(fd);
    expect(&s, "parts", SIFR_EVENT_DISCONNECTED);
    still_good(&s);
    close_scene(&s);
    free(parts);
}
END_TEST

struct flood {
    int fd;
    size_t rest;
};

/* The last piece of what was stuffed finds room only when somebody reads. */
static void *read_pongs(void *arg)
{
    struct flood *f = arg;
    uint8_t bytes[4096];

    while (f->rest > 0) {
        ssize_t n = recv(f->fd, bytes, sizeof bytes, 0);

        if (n <= 0)
            break;
        f->rest -= (size_t)n < f->rest ? (size_t)n : f->rest;
    }
    return NULL;
}

START_TEST(who_pings_and_does_not_listen_is_not_read)
{
    enum { PINGS = 1000, MOST = 6000 }; /* 54 MB in all: no kernel keeps so much */
    static uint8_t bytes[PINGS * 9];
    int n = 0, fd;
    struct pollfd p = {.events = POLLOUT};
    struct flood f;
    size_t at = 0;
    pthread_t reader;
    struct scene s;

    for (int i = 0; i < PINGS; i++)
        memcpy(bytes + 9 * i, PING, 9);
    open_scene(&s, SIFR_PULL, _i ? TCP : IPC, 0, 30000);
    fd = greeted(&s, BYTES(GREETING READY_PUSH));
    p.fd = fd;
    while (n < MOST && poll(&p, 1, 300) == 1) {
        ssize_t sent = send(fd, bytes + at, sizeof bytes - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        ck_assert_msg(sent > 0 || errno == EAGAIN, "send: %s", strerror(errno));
        at += sent > 0 ? (size_t)sent : 0;
        if (at == sizeof bytes) {
            at = 0;
            n++;
        }
    }
    ck_assert_msg(n < MOST, "whoever does not listen is answered for ever");
    exchange(&s);
    f = (struct flood){fd, (size_t)(n + (at > 0)) * PINGS * 7};
    reader = start_thread(read_pongs, &f);
    if (at > 0)
        ck_assert(say(fd, bytes + at, sizeof bytes - at, sizeof bytes));
    pthread_join(reader, NULL);
    ck_assert_msg(f.rest == 0, "%zu octets of PONG are missing", f.rest);
    ck_assert(say(fd, BYTES("\0\4last"), 6));
    recv_text(s.victim, "last", false);
    close(fd);
    expect(&s, "flood", SIFR_EVENT_DISCONNECTED);
    still_good(&s);
    close_scene(&s);
}
END_TEST

START_TEST(what_nobody_receives_is_thrown_away_or_not_read)
{
    static const struct {
        int victim;
        bool thrown; /* else it waits in the peer's kernel */
        const char *greeting;
        size_t size;
        const char *bytes;
        size_t n;
    } cases[] = {
        {SIFR_PUSH, true, BYTES(GREETING READY_PULL),
         BYTES("\1\5first\0\xa"
               "0123456789")},
        {SIFR_PUB, true, BYTES(GREETING READY_SUB),
         BYTES("\1\5first\0\xa"
               "0123456789")},
        {SIFR_PULL, false, BYTES(GREETING READY_PUSH),
         BYTES("\1\5first\0\xa"
               "0123456789")},
        {SIFR_XPUB, false, BYTES(GREETING READY_SUB),
         BYTES("\1\5first\0\xa"
               "0123456789")},
        {SIFR_ROUTER, false, BYTES(GREETING READY_DEALER),
         BYTES("\0\xa"
               "0123456789")},
    };
    enum { TIMES = 1000, BLOCKS = 250 }; /* 3 to 5 MB in all */
    size_t size = cases[_i].n * TIMES;
    uint8_t *block = malloc(size);
    struct scene s;
    int fd;

    ck_assert_ptr_nonnull(block);
    for (int i = 0; i < TIMES; i++)
        memcpy(block + (size_t)i * cases[_i].n, cases[_i].bytes, cases[_i].n);
    open_scene(&s, cases[_i].victim, IPC, 0, 30000);
    fd = greeted(&s, cases[_i].greeting, cases[_i].size);
    if (cases[_i].thrown) {
        for (int i = 0; i < BLOCKS; i++)
            ck_assert(say(fd, block, size, size));
        ck_assert(say(fd, BYTES(PING), 9));
        hear(fd, PONG, 7, "thrown");
    } else {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        int n = 0;

        while (n < BLOCKS && poll(&p, 1, 300) == 1)
            n += send(fd, block, size, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
        ck_assert_msg(n < BLOCKS, "all was taken");
    }
    close(fd);
    while (!readable_within(s.monitor, 1)) /* what is not read ends when it has been */
        clean(&s);
    expect(&s, "amount", SIFR_EVENT_DISCONNECTED);
    still_good(&s);
    close_scene(&s);
    free(block);
}
END_TEST

START_TEST(subscriptions_nobody_receives_are_not_read_for_ever)
{
    enum { TIMES = 1000, MOST = 500, SIZE = 13 };
    static uint8_t bytes[TIMES * SIZE];
    struct pollfd p = {.events = POLLOUT};
    size_t sent = 0;
    struct scene s;
    int fd;

    for (int i = 0; i < TIMES; i++)
        memcpy(bytes + SIZE * i, "\4\xb\x9SUBSCRIBEA", SIZE);
    open_scene(&s, SIFR_XPUB, IPC, 0, 30000);
    set_int(s.victim, SIFR_XPUB_VERBOSE, 1);
    fd = greeted(&s, BYTES(GREETING READY_SUB));
    p.fd = fd;
    while (sent < (size_t)MOST * sizeof bytes && poll(&p, 1, 300) == 1) {
        size_t at = sent % sizeof bytes;
        ssize_t n = send(fd, bytes + at, sizeof bytes - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        ck_assert_msg(n > 0 || errno == EAGAIN, "send: %s", strerror(errno));
        sent += n > 0 ? (size_t)n : 0;
    }
    ck_assert_msg(sent < (size_t)MOST * sizeof bytes, "all was taken");
    for (size_t i = 0; i < sent / SIZE; i++) /* and none is lost */
        recv_bytes(s.victim, "\1A", 2, false);
    close(fd);
    expect(&s, "subscriptions", SIFR_EVENT_DISCONNECTED);
    recv_bytes(s.victim, "\0A", 2, false);
    still_good(&s);
    close_scene(&s);
}
END_TEST

START_TEST(commands_leave_nothing_behind)
{
    enum { TIMES = 8192, BLOCKS = 100, BYTES_EACH = 8 }; /* 6.5 MB */
    static const char *const commands[] = {"\4\6\5HALLO", "\4\6\4PINGx", "\4\6\4JOINx"};
    static uint8_t block[TIMES * BYTES_EACH];
    struct scene s;
    long taken;
    int fd;

    for (int i = 0; i < TIMES; i++)
        memcpy(block + BYTES_EACH * i, commands[i % COUNT(commands)], BYTES_EACH);
    open_scene(&s, SIFR_PULL, _i ? TCP : IPC, 0, 30000);
    fd = greeted(&s, BYTES(GREETING READY_PUSH));
    if (_i) /* with and without something that waits to be received */
        ck_assert(say(fd, "\0\5first", 7, 7));
    sf_alloc_fail(LONG_MAX, 0); /* counts them */
    for (int i = 0; i < BLOCKS; i++)
        ck_assert(say(fd, block, sizeof block, sizeof block));
    ck_assert(say(fd, BYTES(PING), 9));
    hear(fd, PONG, 7, "commands");
    taken = sf_alloc_fail(0, 0);
    ck_assert_msg(taken < BLOCKS / 2, "memory was taken %ld times", taken);
    ck_assert(say(fd, "\0\4last", 6, 6));
    if (_i)
        recv_text(s.victim, "first", false);
    recv_text(s.victim, "last", false);
    close(fd);
    expect(&s, "commands", SIFR_EVENT_DISCONNECTED);
    still_good(&s);
    close_scene(&s);
}
END_TEST

/* ---- What gets through --------------------------------------------------------------------------------------- */

START_TEST(what_came_before_the_breach_is_received)
{
    struct scene s;
    int fd;

    open_scene(&s, SIFR_PULL, _i ? TCP : IPC, 0, 30000);
    fd = greeted(&s, BYTES(GREETING READY_PUSH));
    ck_assert(say(fd, BYTES("\0\3one\1\3two\0\5three\1\4half\x80\0"), 100));
    hear_end(fd, "breach");
    close(fd);
    recv_parts(s.victim, "one");
    recv_parts(s.victim, "two", "three");
    recv_nothing(s.victim);
    expect(&s, "breach", SIFR_EVENT_DISCONNECTED);
    still_good(&s);
    close_scene(&s);
}
END_TEST

START_TEST(commands_do_not_disturb_the_message_they_stand_in)
{
    struct scene s;
    int fd;

    open_scene(&s, SIFR_XPUB, _i ? TCP : IPC, 0, 30000);
    fd = greeted(&s, BYTES(GREETING READY_SUB));
    ck_assert(
        say(fd, BYTES("\1\1x\4\xb\x9SUBSCRIBEA" PING "\1\1y\4\xb\x9SUBSCRIBEB\4\x8\6CANCELA\0\1z"),
            100));
    hear(fd, PONG, 7, "commands");
    recv_bytes(s.victim, "\1A", 2, false);
    recv_bytes(s.victim, "\1B", 2, false);
    recv_bytes(s.victim, "\0A", 2, false);
    recv_parts(s.victim, "x", "y", "z");
    send_text(s.victim, "A no", 0);
    send_text(s.victim, "B yes", 0);
    hear(fd, "\0\5B yes", 7, "commands");
    close(fd);
    expect(&s, "commands", SIFR_EVENT_DISCONNECTED);
    recv_bytes(s.victim, "\0B", 2, false);
    still_good(&s);
    close_scene(&s);
}
END_TEST

START_TEST(a_req_passes_a_probe_over_and_takes_the_reply_behind_it)
{
    sifr_socket_t *req = new_socket(SIFR_REQ), *router = new_socket(SIFR_ROUTER);
    char id[64];
    int n;

    set_int(router, SIFR_PROBE_ROUTER, 1);
    set_int(req, SIFR_RCVHWM, 1 + _i);
    link_sockets(req, router, _i);
    for (int i = 0; i < 3; i++) {
        send_text(req, "question", 0);
        n = sifr_recv(router, id, sizeof id, 0);
        ck_assert_int_ge(n, 1);
        recv_parts(router, "", "question");
        send_bytes(router, id, (size_t)n, SIFR_SNDMORE);
        send_parts(router, "", "answer");
        recv_parts(req, "answer");
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("hostile");
    TCase *c = new_case(s, "rules");

    tcase_add_loop_test(c, who_breaks_the_rules_over_tcp_is_alone_with_it, 0, COUNT(attacks));
    tcase_add_loop_test(c, who_breaks_the_rules_over_ipc_is_alone_with_it, 0, COUNT(attacks));
    tcase_add_loop_test(c, octet_by_octet_it_is_the_same, 0, COUNT(attacks));
    tcase_add_loop_test(c, whoever_is_dialled_and_breaks_the_rules_is_not_dialled_again, 0,
                        COUNT(attacks));
    c = new_case(s, "truncation");
    tcase_add_loop_test(c, a_talk_may_end_anywhere, 0, 6);
    tcase_add_loop_test(c, an_attack_may_end_anywhere, 0, 8);
    c = new_case(s, "time");
    tcase_add_loop_test(c, an_octet_now_and_then_does_not_buy_time, 0, 2);
    tcase_add_test(c, a_crowd_that_says_nothing_is_sent_away);
    c = new_case(s, "amounts");
    tcase_add_loop_test(c, empty_parts_and_commands_without_end_come_to_an_end, 0, COUNT(endless));
    tcase_add_loop_test(c, who_pings_and_does_not_listen_is_not_read, 0, 2);
    tcase_add_loop_test(c, what_nobody_receives_is_thrown_away_or_not_read, 0, 5);
    tcase_add_test(c, subscriptions_nobody_receives_are_not_read_for_ever);
    tcase_add_loop_test(c, commands_leave_nothing_behind, 0, 2);
    c = new_case(s, "traffic");
    tcase_add_loop_test(c, what_came_before_the_breach_is_received, 0, 2);
    tcase_add_loop_test(c, commands_do_not_disturb_the_message_they_stand_in, 0, 2);
    tcase_add_loop_test(c, a_req_passes_a_probe_over_and_takes_the_reply_behind_it, 0, WIRE_WAYS);
    return run_suite(s);
}
