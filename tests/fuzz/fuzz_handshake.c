/* The commands of the handshake in each state of NULL and PLAIN: the first octet says which. */
#include "fuzz.h"

#include <errno.h>
#include <sifr.h>

#include "wire/handshake.h"
#include "wire/metadata.h"

#define TYPE "\13Socket-Type\0\0\0\4PUSH"

SEEDS(SEED("\0\5READY" TYPE), SEED("\0\5READY" TYPE "\x8Identity\0\0\0\2id\3X-a\0\0\0\1b"),
      SEED("\0\5READY"),
      SEED("\0\5ERROR\3"
           "400"),
      SEED("\0\5ERROR\4text"), SEED("\0\4PING\0\0"), SEED("\0"), SEED("\1\5HELLO\4user\2pw"),
      SEED("\2\x8INITIATE" TYPE), SEED("\3\7WELCOME"), SEED("\3\x5eRROR\3"
                                                           "500"),
      SEED("\4\5READY" TYPE));

static const struct sf_hello hello = {.type_name = "PULL", .talks_to = 1u << SIFR_PUSH};

/* One that hears next what this state has it hear. */
static void begin(struct sf_security *s, unsigned state)
{
    static const struct sf_credentials roles[2] = {{.server = false}, {.server = true}};
    uint8_t to[256];
    bool null = state == 0, server = state == 1 || state == 2;
    unsigned says = state == 4 ? 2 : 1; /* commands of ours that come before */
    uint8_t first[] = "\5HELLO\0", welcome[] = "\7WELCOME";
    struct sf_peer_info info;
    struct sf_refusal why;

    CHECK(sf_security_init(s, null ? &sf_mechanism_null : &sf_mechanism_plain, &roles[server]) == 0);
    if (null)
        s->turn = SF_SECURITY_SAY;
    if (state == 2) {
        CHECK(sf_handshake_hear(s, &hello, &info, first, 8, &why) == 0);
        CHECK(s->turn == SF_SECURITY_ASK);
        s->turn = SF_SECURITY_SAY;
    }
    if (state == 1)
        says = 0;
    for (unsigned i = 0; i < says; i++) {
        CHECK(s->turn == SF_SECURITY_SAY);
        CHECK(sf_handshake_say(s, &hello, to, sizeof to) > 0);
        if (i + 1 < says)
            CHECK(sf_handshake_hear(s, &hello, &info, welcome, 8, &why) == 0);
    }
    CHECK(s->turn == SF_SECURITY_HEAR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned state = size ? data[0] % 5 : 0;
    struct sf_refusal why = {.error = 7, .status = 7};
    struct sf_peer_info info;
    struct sf_security s;
    uint8_t *body;
    int err;

    if (size)
        in = (struct fuzz_input){data + 1, size - 1};
    body = fuzz_rest(&in);
    begin(&s, state);
    memset(&info, 0, sizeof info);
    err = sf_handshake_hear(&s, &hello, &info, body, size ? size - 1 : 0, &why);
    CHECK(err == 0 || err == -EPROTO);
    if (err == 0 && s.has_metadata) {
        struct sf_property p;
        const uint8_t *at = info.properties;
        size_t left = info.properties_size;

        CHECK(info.type == SIFR_PUSH || info.type == -1);
        CHECK(info.id_size <= sizeof info.id);
        while (left > 0)
            CHECK(sf_metadata_next(&at, &left, &p) == 1);
    } else if (err) {
        CHECK(why.error != 7 &&
              (why.status == 0 || why.status == 300 || why.status == 400 || why.status == 500));
    }
    sf_peer_info_fini(&info);
    sf_security_fini(&s);
    free(body);
    return 0;
}
