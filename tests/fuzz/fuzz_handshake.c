/* The commands of the handshake: READY with its metadata, ERROR. */
#include "fuzz.h"

#include <errno.h>
#include <sifr.h>

#include "wire/handshake.h"
#include "wire/metadata.h"

#define TYPE "\13Socket-Type\0\0\0\4PUSH"

SEEDS(SEED("\5READY" TYPE), SEED("\5READY" TYPE "\x8Identity\0\0\0\2id\3X-a\0\0\0\1b"),
      SEED("\5READY"),
      SEED("\5ERROR\3"
           "400"),
      SEED("\5ERROR\4text"), SEED("\4PING\0\0"), SEED(""));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sf_hello hello = {.type_name = "PULL", .talks_to = 1u << SIFR_PUSH};
    struct fuzz_input in = {data, size};
    uint8_t *body = fuzz_rest(&in), to[SF_ERROR_SIZE_MAX];
    struct sf_refusal why = {.error = 7, .status = 7};
    struct sf_peer_info info;
    struct sf_error e;
    int err;

    memset(&info, 0, sizeof info);
    err = sf_null_get(&info, &hello, body, size, &why);
    CHECK(err == 0 || err == -EPROTO);
    if (err == 0) {
        struct sf_property p;
        const uint8_t *at = info.properties;
        size_t left = info.properties_size;

        CHECK(info.type == SIFR_PUSH || info.type == -1);
        CHECK(info.id_size <= sizeof info.id);
        while (left > 0)
            CHECK(sf_metadata_next(&at, &left, &p) == 1);
    } else {
        CHECK(why.error != 7 &&
              (why.status == 0 || why.status == 300 || why.status == 400 || why.status == 500));
    }
    sf_peer_info_fini(&info);
    err = sf_error_get(&e, body, size);
    if (err == 0) {
        CHECK(e.size <= 255);
        CHECK(sf_error_put(to, e.reason, e.size) <= sizeof to);
    }
    free(body);
    return 0;
}
