/*
 * CURVE: each side has a pair of keys for good and another for this connection;
 * the client knows the server's public key beforehand.
 *
 *   client:  SAY HELLO -> HEAR WELCOME -> SAY INITIATE -> HEAR READY -> DONE
 *   server:  HEAR HELLO -> SAY WELCOME -> HEAR INITIATE -> ASK -> SAY READY -> DONE
 *
 * Keys are named as in the standard: C and S for good, C' and S' for the
 * connection, the secret ones in small letters; k(c', S') is what the two share.
 *
 * A frame is sealed with XSalsa20 and Poly1305. The first 16 octets of all
 * nonces of a direction are the same there, so that what XSalsa20 makes of them
 * and the shared key is made once, and a frame costs no more than Salsa20.
 *
 * Source: RFC 25 and 26; libzmq for commands inside MESSAGE.
 */
#include "security/security.h"
#include "base/random.h"
#include "base/secret.h"
#include "security/poly1305.h"

#include <errno.h>
#include <sifr.h>
#include <sodium.h>
#include <string.h>

enum {
    KEY = SF_KEY_SIZE,
    SHORT = 8,  /* octets of a counter, */
    LONG = 16,  /* or of chance, which make a nonce with what stands before them */
    TAG = 16,
    COOKIE = LONG + TAG + 2 * KEY,
    VOUCH = LONG + TAG + 2 * KEY,
    HELLO_SIZE = 200,
    HELLO_ZEROS = 72, /* it is larger than its answer, so that it is no use for floods */
    WELCOME_SIZE = 168,
    INITIATE_HEAD = 9 + COOKIE + SHORT,
    INITIATE_MIN = INITIATE_HEAD + TAG + KEY + VOUCH,
    READY_HEAD = 6 + SHORT,
    MESSAGE_HEAD = 8 + SHORT + TAG,
    BLOCK = 64,        /* octets of Salsa20's stream, */
    PAD = 8 * BLOCK,   /* and of what is made of it at once */
    FIRST = PAD - KEY, /* octets of a frame that stand in the first such */
};

/* What is said or heard next. */
enum { HELLO, WELCOME, INITIATE, READY };

struct curve {
    /* Of traffic. Who seals has the first two, who opens the others. */
    uint8_t seal_key[KEY]; /* of Salsa20 */
    uint64_t sent;         /* our last short nonce */
    uint8_t open_key[KEY];
    uint64_t heard;        /* the peer's */

    /* Of the handshake; wiped behind it. */
    struct {
        uint8_t secret[KEY], public[KEY]; /* c' and C', or s' and S' */
        uint8_t peer[KEY];                /* S', or C' */
        uint8_t shared[KEY];              /* k(c', S') */
        uint8_t cookie[COOKIE];
    } shake;
};

_Static_assert(sizeof(struct curve) <= SF_SECRET_MAX, "it is memory for keys");

/* --- Nonces and boxes -------------------------------------------------- */

static void put64(uint8_t *to, uint64_t v)
{
    for (int i = SHORT; i-- > 0; v >>= 8)
        to[i] = (uint8_t)v;
}

static uint64_t get64(const uint8_t *from)
{
    uint64_t v = 0;

    for (int i = 0; i < SHORT; i++)
        v = v << 8 | from[i];
    return v;
}

/* A nonce of 24 octets: a text, and what is at `rest`. */
struct nonce {
    uint8_t bytes[crypto_box_NONCEBYTES];
};

static struct nonce nonce_of(const char *text, const uint8_t *rest)
{
    size_t n = strlen(text);
    struct nonce all;

    memcpy(all.bytes, text, n);
    memcpy(all.bytes + n, rest, sizeof all.bytes - n);
    return all;
}

/* Makes a box of n octets with the key that `secret` and `public` share: 0 or -EPROTO. */
static int box(uint8_t *to, const uint8_t *from, size_t n, struct nonce nonce,
               const uint8_t *public, const uint8_t *secret)
{
    return crypto_box_easy(to, from, n, nonce.bytes, public, secret) == 0 ? 0 : -EPROTO;
}

/* Opens one of n octets. */
static int unbox(uint8_t *to, const uint8_t *from, size_t n, struct nonce nonce,
                 const uint8_t *public, const uint8_t *secret)
{
    return crypto_box_open_easy(to, from, n, nonce.bytes, public, secret) == 0 ? 0 : -EPROTO;
}

static int make_pair(struct curve *c)
{
    int err = sf_random_key(c->shake.secret, KEY);

    if (err == 0 && crypto_scalarmult_base(c->shake.public, c->shake.secret) != 0)
        err = -EIO;
    return err;
}

static int begin(struct sf_security *s)
{
    if (sodium_init() < 0) /* chooses what this processor does best */
        return -EIO;
    s->step = HELLO;
    s->turn = s->own->server ? SF_SECURITY_HEAR : SF_SECURITY_SAY;
    return s->own->server ? 0 : make_pair(s->keys);
}

/* The handshake is over: what is left of it are keys for traffic. */
static void finish(struct sf_security *s)
{
    static const uint8_t of_client[] = "CurveZMQMESSAGEC", of_server[] = "CurveZMQMESSAGES";
    struct curve *c = s->keys;
    bool server = s->own->server;

    crypto_core_hsalsa20(c->seal_key, server ? of_server : of_client, c->shake.shared, NULL);
    crypto_core_hsalsa20(c->open_key, server ? of_client : of_server, c->shake.shared, NULL);
    sf_wipe(&c->shake, sizeof c->shake);
    s->turn = SF_SECURITY_DONE;
}

/* --- What is said ------------------------------------------------------ */

static int say_hello(struct sf_security *s, uint8_t *to)
{
    static const uint8_t zeros[64];
    struct curve *c = s->keys;

    memset(to, 0, HELLO_SIZE);
    memcpy(to, "\5HELLO\1\0", 8);
    memcpy(to + 80, c->shake.public, KEY);
    put64(to + 112, ++c->sent);
    return box(to + 120, zeros, sizeof zeros, nonce_of("CurveZMQHELLO---", to + 112),
               s->own->server_key, c->shake.secret);
}

/* So that the client returns them; none but us can make it. */
static int make_cookie(struct curve *c)
{
    uint8_t key[KEY], inside[2 * KEY];
    int err = sf_random_key(key, KEY);

    if (err == 0)
        err = sf_random_key(c->shake.cookie, LONG);
    memcpy(inside, c->shake.peer, KEY);
    memcpy(inside + KEY, c->shake.secret, KEY);
    crypto_secretbox_easy(c->shake.cookie + LONG, inside, sizeof inside,
                          nonce_of("COOKIE--", c->shake.cookie).bytes, key);
    sf_wipe(key, sizeof key);
    sf_wipe(inside, sizeof inside);
    return err;
}

static int say_welcome(struct sf_security *s, uint8_t *to)
{
    uint8_t inside[KEY + COOKIE];
    struct curve *c = s->keys;
    int err = make_pair(c);

    if (err == 0)
        err = make_cookie(c);
    memcpy(to, "\7WELCOME", 8);
    if (err == 0)
        err = sf_random_key(to + 8, LONG);
    if (err)
        return err;
    memcpy(inside, c->shake.public, KEY);
    memcpy(inside + KEY, c->shake.cookie, COOKIE);
    return box(to + 8 + LONG, inside, sizeof inside, nonce_of("WELCOME-", to + 8), c->shake.peer,
               s->own->secret_key);
}

static int say_initiate(struct sf_security *s, uint8_t *to, const uint8_t *metadata, size_t n)
{
    uint8_t *inside = to + INITIATE_HEAD + TAG, *vouch = inside + KEY, keys[2 * KEY];
    struct curve *c = s->keys;
    int err = sf_random_key(vouch, LONG);

    if (err)
        return err;
    memcpy(to, "\10INITIATE", 9);
    memcpy(to + 9, c->shake.cookie, COOKIE);
    put64(to + 9 + COOKIE, ++c->sent);
    memcpy(inside, s->own->public_key, KEY);
    memcpy(keys, c->shake.public, KEY);
    memcpy(keys + KEY, s->own->server_key, KEY);
    err = box(vouch + LONG, keys, sizeof keys, nonce_of("VOUCH---", vouch), c->shake.peer,
              s->own->secret_key);
    if (err)
        return err;
    memmove(vouch + VOUCH, metadata, n);
    crypto_box_easy_afternm(to + INITIATE_HEAD, inside, KEY + VOUCH + n,
                            nonce_of("CurveZMQINITIATE", to + 9 + COOKIE).bytes, c->shake.shared);
    return 0;
}

static void say_ready(struct sf_security *s, uint8_t *to, const uint8_t *metadata, size_t n)
{
    struct curve *c = s->keys;

    memcpy(to, "\5READY", 6);
    put64(to + 6, ++c->sent);
    crypto_box_easy_afternm(to + READY_HEAD, metadata, n,
                            nonce_of("CurveZMQREADY---", to + 6).bytes, c->shake.shared);
    finish(s);
}

static int say(struct sf_security *s, uint8_t *to, size_t room, const uint8_t *metadata, size_t n)
{
    size_t size = s->step == HELLO      ? HELLO_SIZE
                  : s->step == WELCOME  ? WELCOME_SIZE
                  : s->step == INITIATE ? INITIATE_MIN + n
                                        : READY_HEAD + TAG + n;
    int err = 0;

    if (size > room || size > INT32_MAX)
        return -ENOSPC;
    s->turn = SF_SECURITY_HEAR;
    switch (s->step++) {
    case HELLO: err = say_hello(s, to); break;
    case WELCOME: err = say_welcome(s, to); break;
    case INITIATE: err = say_initiate(s, to, metadata, n); break;
    default: say_ready(s, to, metadata, n); break;
    }
    if (err == -EPROTO) /* a key that is none: whatever was set, or sent */
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC);
    return err ? err : (int)size;
}

/* --- What is heard ----------------------------------------------------- */

static int broken(struct sf_security *s)
{
    return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC);
}

static int hear_hello(struct sf_security *s, uint8_t *body, size_t n)
{
    static const uint8_t zeros[HELLO_ZEROS];
    struct curve *c = s->keys;
    uint8_t inside[64];

    if (n != HELLO_SIZE || memcmp(body + 6, "\1\0", 2) != 0 ||
        memcmp(body + 8, zeros, HELLO_ZEROS) != 0)
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO);
    if (unbox(inside, body + 120, TAG + sizeof inside, nonce_of("CurveZMQHELLO---", body + 112),
              body + 80, s->own->secret_key) != 0)
        return broken(s);
    if (!sf_same(inside, zeros, sizeof inside))
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO);
    memcpy(c->shake.peer, body + 80, KEY);
    c->heard = get64(body + 112);
    return 0;
}

static int hear_welcome(struct sf_security *s, uint8_t *body, size_t n)
{
    uint8_t inside[KEY + COOKIE];
    struct curve *c = s->keys;

    if (n != WELCOME_SIZE)
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME);
    if (unbox(inside, body + 8 + LONG, TAG + sizeof inside, nonce_of("WELCOME-", body + 8),
              s->own->server_key, c->shake.secret) != 0)
        return broken(s);
    memcpy(c->shake.peer, inside, KEY);
    memcpy(c->shake.cookie, inside + KEY, COOKIE);
    if (crypto_box_beforenm(c->shake.shared, c->shake.peer, c->shake.secret) != 0)
        return broken(s);
    return 0;
}

/* Whether the vouch says: whoever has this long-term key means this connection, and us. */
static int check_vouch(struct sf_security *s, const uint8_t *client, const uint8_t *vouch)
{
    struct curve *c = s->keys;
    uint8_t keys[2 * KEY], server[KEY];

    if (unbox(keys, vouch + LONG, TAG + sizeof keys, nonce_of("VOUCH---", vouch), client,
              c->shake.secret) != 0 ||
        crypto_scalarmult_base(server, s->own->secret_key) != 0)
        return broken(s);
    if (!sf_same(keys, c->shake.peer, KEY) || !sf_same(keys + KEY, server, KEY))
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE);
    return 0;
}

static int hear_initiate(struct sf_security *s, uint8_t *body, size_t n)
{
    uint8_t *nonce = body + 9 + COOKIE, *inside = body + INITIATE_HEAD;
    struct curve *c = s->keys;
    int err;

    if (n < INITIATE_MIN)
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE);
    if (get64(nonce) <= c->heard)
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE);
    if (!sf_same(body + 9, c->shake.cookie, COOKIE) ||
        crypto_box_beforenm(c->shake.shared, c->shake.peer, c->shake.secret) != 0 ||
        crypto_box_open_easy_afternm(inside, inside, n - INITIATE_HEAD,
                                     nonce_of("CurveZMQINITIATE", nonce).bytes,
                                     c->shake.shared) != 0)
        return broken(s);
    err = check_vouch(s, inside, inside + KEY);
    if (err)
        return err;
    c->heard = get64(nonce);
    s->shows[0] = (struct sf_octets){inside, KEY};
    s->n_shows = 1;
    s->has_metadata = true;
    s->metadata = (struct sf_octets){inside + KEY + VOUCH, n - INITIATE_MIN};
    s->turn = SF_SECURITY_ASK;
    return 0;
}

static int hear_ready(struct sf_security *s, uint8_t *body, size_t n)
{
    uint8_t *inside = body + READY_HEAD;
    struct curve *c = s->keys;

    if (n < READY_HEAD + TAG)
        return sf_security_refuse(s, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY);
    if (crypto_box_open_easy_afternm(inside, inside, n - READY_HEAD,
                                     nonce_of("CurveZMQREADY---", body + 6).bytes,
                                     c->shake.shared) != 0)
        return broken(s);
    c->heard = get64(body + 6);
    s->has_metadata = true;
    s->metadata = (struct sf_octets){inside, n - READY_HEAD - TAG};
    finish(s);
    return 0;
}

static int hear(struct sf_security *s, uint8_t *body, size_t n)
{
    static const char *const names[] = {"HELLO", "WELCOME", "INITIATE", "READY"};
    uint8_t *data;
    size_t size;

    if (!sf_security_is(body, n, names[s->step], &data, &size))
        return s->own->server ? sf_security_unexpected(s, body, n)
                              : sf_security_refused(s, body, n);
    s->turn = SF_SECURITY_SAY;
    switch (s->step++) {
    case HELLO: return hear_hello(s, body, n);
    case WELCOME: return hear_welcome(s, body, n);
    case INITIATE: return hear_initiate(s, body, n);
    default: return hear_ready(s, body, n);
    }
}

/* --- Traffic ----------------------------------------------------------- */

/*
 * The stream of a frame: its first 32 octets are the key of the tag, the box is what
 * follows, xored. Salsa20's blocks are made one by one, or four or eight at once, which
 * takes less time than two: so its ends are made of whole PADs, as far as it pays.
 *
 *   block 0                          8                        8n
 *   | tag's key | start of the box   | middle, in whole PADs  | end |
 */
struct pad {
    uint8_t bytes[PAD];
};

/* How much is best made for n octets, at most PAD. */
static size_t rounded(size_t n)
{
    return n <= BLOCK ? BLOCK : n <= 4 * BLOCK ? 4 * BLOCK : PAD;
}

/* The start of the stream for a box of n octets; `pad` has so much of it. */
static size_t start(struct pad *pad, size_t n, const uint8_t *nonce, const uint8_t *key)
{
    size_t size = rounded(KEY + n < PAD ? KEY + n : PAD);

    crypto_stream_salsa20(pad->bytes, size, nonce, key);
    return size;
}

/* Xors n octets with what is behind the start of the stream. */
static void go_on(uint8_t *to, const uint8_t *from, size_t n, struct pad *pad,
                  const uint8_t *nonce, const uint8_t *key)
{
    size_t middle = n / PAD * PAD, end = n - middle;

    if (middle)
        crypto_stream_salsa20_xor_ic(to, from, middle, nonce, PAD / BLOCK, key);
    if (end == 0)
        return;
    memcpy(pad->bytes, from + middle, end);
    memset(pad->bytes + end, 0, rounded(end) - end);
    crypto_stream_salsa20_xor_ic(pad->bytes, pad->bytes, rounded(end), nonce,
                                 (PAD + middle) / BLOCK, key);
    memcpy(to + middle, pad->bytes, end);
}

static int seal(void *keys, uint8_t *to, unsigned flags, const uint8_t *data, size_t n)
{
    uint8_t tag_key[KEY], *nonce = to + 8, *box = to + MESSAGE_HEAD;
    size_t first = 1 + n < FIRST ? 1 + n : FIRST, used;
    struct curve *c = keys;
    struct pad pad;

    if (c->sent == UINT64_MAX)
        return -EPROTO;
    memcpy(to, "\7MESSAGE", 8);
    put64(nonce, ++c->sent);
    used = start(&pad, 1 + n, nonce, c->seal_key);
    memcpy(tag_key, pad.bytes, KEY);
    box[0] = pad.bytes[KEY] ^ (uint8_t)flags;
    for (size_t i = 1; i < first; i++)
        box[i] = pad.bytes[KEY + i] ^ data[i - 1];
    if (1 + n > FIRST)
        go_on(box + FIRST, data + FIRST - 1, 1 + n - FIRST, &pad, nonce, c->seal_key);
    sf_poly1305_tag(to + 8 + SHORT, box, 1 + n, tag_key);
    sodium_memzero(tag_key, sizeof tag_key);
    sodium_memzero(pad.bytes, used);
    return 0;
}

static int refuse(uint32_t *error, uint32_t why)
{
    *error = why;
    return -EPROTO;
}

static ssize_t unseal(void *keys, uint8_t *to, unsigned *flags, uint8_t *body, size_t n,
                      uint32_t *error)
{
    const uint8_t *nonce = body + 8, *box = body + MESSAGE_HEAD;
    struct curve *c = keys;
    size_t size, first, used;
    uint8_t tag[TAG];
    struct pad pad;
    uint64_t count;

    if (n < 8 || memcmp(body, "\7MESSAGE", 8) != 0)
        return refuse(error, SIFR_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND);
    if (n < MESSAGE_HEAD + 1)
        return refuse(error, SIFR_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE);
    count = get64(nonce);
    if (count <= c->heard)
        return refuse(error, SIFR_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE);
    size = n - MESSAGE_HEAD;
    first = size < FIRST ? size : FIRST;
    used = start(&pad, size, nonce, c->open_key);
    sf_poly1305_tag(tag, box, size, pad.bytes);
    if (crypto_verify_16(tag, body + 8 + SHORT) != 0) {
        sodium_memzero(pad.bytes, used);
        return refuse(error, SIFR_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC);
    }
    *flags = box[0] ^ pad.bytes[KEY];
    for (size_t i = 1; i < first; i++)
        to[i - 1] = box[i] ^ pad.bytes[KEY + i];
    if (size > FIRST)
        go_on(to + FIRST - 1, box + FIRST, size - FIRST, &pad, nonce, c->open_key);
    sodium_memzero(pad.bytes, used);
    c->heard = count;
    return (ssize_t)size - 1;
}

const struct sf_mechanism sf_mechanism_curve = {
    .name = "CURVE",
    .number = SIFR_CURVE,
    .keys_size = sizeof(struct curve),
    .secure = true,
    .prepare = sf_poly1305_prepare,
    .begin = begin,
    .say = say,
    .hear = hear,
    .overhead = MESSAGE_HEAD + 1,
    .seal = seal,
    .open = unseal,
};
