/* Greetings: the same result however the octets arrive. */
#include "fuzz.h"

#include <sifr.h>

#include "wire/greeting.h"

#define SIGNATURE "\xff\0\0\0\0\0\0\0\1\x7f"
#define ZEROS_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

/* Two octets choose our configuration and the size of steps. */
SEEDS(SEED("\0\1" SIGNATURE "\3\1NULL" ZEROS_16 ZEROS_16 ZEROS_16),
      SEED("\1\2" SIGNATURE "\3\0NULL" ZEROS_16 ZEROS_16 ZEROS_16 "\4\0"),
      SEED("\2\3" SIGNATURE "\3\1PLAIN" ZEROS_16 ZEROS_16 ZEROS_16),
      SEED("\3\4" SIGNATURE "\1\5\0\3two\0\0"), SEED("\4\5" SIGNATURE "\0\5\4\0old\1\0"),
      SEED("\5\6\4\0old\1\0"), SEED("\6\7\xff\0\0\0\0\0\0\0\4\0old\1\0"),
      SEED("\7\1GET / HTTP/1.1\r\n"), SEED("\0\1\x16\3\1\2\0\1"));

static void begin(struct sf_greeting *g, unsigned choice)
{
    static const char *const mechanisms[] = {"NULL", "PLAIN", "CURVE", "NULL"};
    struct sf_greeting_config c = {
        .id = "our own id",
        .id_size = choice & 8 ? 10 : 0,
        .type = (int)(choice >> 4) % 11,
        .talks_to = choice & 4 ? ~0u : 1u << SIFR_DEALER,
        .mechanism = mechanisms[choice & 3],
        .secured = choice & 3,
    };

    sf_greeting_init(g, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned choice = fuzz_byte(&in), step = 1 + fuzz_byte(&in) % 16;
    struct sf_greeting whole, parts;
    const uint8_t *out, *out_parts;
    uint8_t *bytes = fuzz_rest(&in);
    ssize_t used, n = 0;
    size_t at = 0, sent = 0;

    begin(&whole, choice);
    begin(&parts, choice);
    used = sf_greeting_feed(&whole, bytes, in.left);
    CHECK(used <= (ssize_t)in.left);
    while (n >= 0 && at < in.left) {
        size_t now = in.left - at < step ? in.left - at : step;

        n = sf_greeting_feed(&parts, bytes + at, now);
        if (n > 0)
            at += (size_t)n;
        if (n >= 0 && (size_t)n < now) {
            CHECK(sf_greeting_done(&parts));
            break;
        }
    }
    CHECK((used < 0) == (n < 0));
    CHECK(used < 0 || (size_t)used == at);
    CHECK(whole.state == parts.state && whole.error == parts.error &&
          whole.version == parts.version);
    CHECK(whole.id_size == parts.id_size && memcmp(whole.id, parts.id, whole.id_size) == 0);
    CHECK(sf_greeting_done(&whole) || used < 0 || (size_t)used == in.left);
    size = sf_greeting_output(&whole, &out);
    CHECK(size >= 10 && size == sf_greeting_output(&parts, &out_parts) &&
          memcmp(out, out_parts, size) == 0);
    while ((size = sf_greeting_output(&parts, &out_parts)) > 0) {
        CHECK(memcmp(out_parts, out + sent, size) == 0);
        sf_greeting_sent(&parts, step);
        sent += step;
    }
    free(bytes);
    return 0;
}
