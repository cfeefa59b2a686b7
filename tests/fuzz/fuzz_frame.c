/* Frame headers of both kinds: complete as soon as they can be, and never more than they say. */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include "wire/frame.h"

SEEDS(SEED("\0\5hello"), SEED("\1\0"), SEED("\2\0\0\0\0\0\0\1\0"), SEED("\4\6\5READY"),
      SEED("\2\x80\0\0\0\0\0\0\0"), SEED("\xff\0\0\0\0\0\0\1\1\1"), SEED("\6\0\0\0\0\0\0\0\1"),
      SEED("\x08\0"));

static void check(const uint8_t *bytes, size_t size, bool old)
{
    struct sf_frame f, g;
    uint8_t again[SF_FRAME1_HEADER_MAX];
    size_t max = old ? SF_FRAME1_HEADER_MAX : SF_FRAME_HEADER_MAX, n = 0;
    int header = -EAGAIN;

    for (; header == -EAGAIN && n <= size; n++)
        header = old ? sf_frame1_get(&f, bytes, n) : sf_frame_get(&f, bytes, n);
    n--;
    if (header == -EAGAIN) {
        CHECK(size < max);
        return;
    }
    CHECK(header == -EPROTO || (header == (int)n && n <= max));
    if (header < 0)
        return;
    CHECK(f.size <= INT64_MAX);
    CHECK((old ? sf_frame1_get(&g, bytes, size) : sf_frame_get(&g, bytes, size)) == header);
    CHECK(f.size == g.size && f.flags == g.flags);
    header =
        (int)(old ? sf_frame1_put(again, f.flags, f.size) : sf_frame_put(again, f.flags, f.size));
    CHECK(header <= (int)n);
    CHECK((old ? sf_frame1_get(&g, again, (size_t)header)
               : sf_frame_get(&g, again, (size_t)header)) == header);
    CHECK(f.size == g.size && f.flags == g.flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t *bytes = fuzz_rest(&in);

    check(bytes, size, false);
    check(bytes, size, true);
    free(bytes);
    return 0;
}
