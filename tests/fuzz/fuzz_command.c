/* Commands of the traffic phase, and subscriptions in both forms. */
#include "fuzz.h"

#include <errno.h>

#include "wire/command.h"

/* The first octet: whether the frame is a command, and the version to write it for. */
SEEDS(SEED("\1\4PING\0\x14"
           "context"),
      SEED("\1\4PONGx"), SEED("\1\x9SUBSCRIBEtopic"), SEED("\1\6CANCEL"), SEED("\0\1topic"),
      SEED("\2\0"), SEED("\1\4JOINgroup"), SEED("\7\5LEAVE"), SEED("\1\4PING\0"), SEED("\1\xff"));

static void check_subscription(const struct sf_subscription *s, enum sf_zmtp version)
{
    size_t size = sf_subscription_size(version, s->subscribe, s->size);
    uint8_t *to = malloc(size);
    struct sf_subscription again;
    struct sf_frame f;
    int header;

    CHECK(to != NULL && sf_subscription_put(to, version, s->subscribe, s->topic, s->size) == size);
    header = version == SF_ZMTP_10 ? sf_frame1_get(&f, to, size) : sf_frame_get(&f, to, size);
    CHECK(header > 0 && (size_t)header + f.size == size);
    CHECK(sf_subscription_get(&again, f.flags & SF_FRAME_COMMAND, to + header, f.size) == 1);
    CHECK(again.subscribe == s->subscribe && again.size == s->size);
    CHECK(s->size == 0 || memcmp(again.topic, s->topic, s->size) == 0);
    free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned choice = fuzz_byte(&in);
    uint8_t *body = fuzz_rest(&in), to[SF_PING_SIZE_MAX];
    struct sf_subscription s;
    struct sf_command c;
    struct sf_ping p;

    if (sf_command_get(&c, body, in.left) == 0) {
        CHECK(c.name_size >= 1 && c.data + c.data_size == body + in.left);
        if (sf_ping_get(&p, &c) == 0) {
            CHECK(p.context_size <= SF_PING_CONTEXT_MAX &&
                  p.context + p.context_size <= body + in.left);
            CHECK(sf_ping_put(to, p.ttl_ms, p.context, p.context_size) <= SF_PING_SIZE_MAX);
            CHECK(sf_pong_put(to, p.context, p.context_size) <= SF_PONG_SIZE_MAX);
        }
        sf_group_valid(c.data, c.data_size);
    }
    if (sf_subscription_get(&s, choice & 1, body, in.left) == 1)
        check_subscription(&s, (enum sf_zmtp)(choice >> 1 & 3));
    free(body);
    return 0;
}
