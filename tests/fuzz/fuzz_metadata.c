/* Metadata: what is read is, written again, what it was. */
#include "fuzz.h"

#include <errno.h>

#include "wire/metadata.h"

SEEDS(SEED("\13Socket-Type\0\0\0\4PUSH"), SEED("\x8Identity\0\0\0\0\3X-a\0\0\0\1b"),
      SEED("\1a\x7f\xff\xff\xff"), SEED("\0\0\0\0\0"), SEED("\1a\0\0\0\0\1A\0\0\0\1x"));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t *list = fuzz_rest(&in), *again = malloc(size + 1);
    const uint8_t *at = list;
    size_t left = size, n = 0;
    struct sf_property p;
    int more;

    CHECK(again != NULL);
    while ((more = sf_metadata_next(&at, &left, &p)) == 1) {
        char name[256];
        size_t put;

        CHECK(p.name_size >= 1 && p.name_size <= 255);
        memcpy(name, p.name, p.name_size);
        name[p.name_size] = 0;
        if (strlen(name) < p.name_size) { /* no name for C: copied as it is */
            memcpy(again + n, list + n, (size_t)(at - list) - n);
            n = (size_t)(at - list);
            continue;
        }
        CHECK(sf_metadata_is(&p, name));
        CHECK(sf_metadata_find(list, (size_t)(at - list), name, &p) == 1);
        put = sf_metadata_size(name, 0);
        CHECK(put == 1 + strlen(name) + 4);
        more = sf_metadata_next(&(const uint8_t *){list + n}, &(size_t){size - n}, &p);
        CHECK(more == 1);
        put = sf_metadata_put(again + n, size - n, name, p.value, p.size);
        CHECK(put == sf_metadata_size(name, p.size));
        n += put;
    }
    CHECK(more == 0 || more == -EPROTO);
    CHECK(more != 0 || (left == 0 && n == size));
    CHECK(memcmp(list, again, n) == 0);
    free(list);
    free(again);
    return 0;
}
