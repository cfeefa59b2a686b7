/*
 * An entry for fuzzing: a file fuzz_<name>.c with seeds and LLVMFuzzerTestOneInput(), which takes any bytes and must
 * find what it checks to be so. libFuzzer drives it (SIFR_BUILD_FUZZ), or drive.c, in every build of the tests.
 */
#ifndef SIFR_TESTS_FUZZ_H
#define SIFR_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* It is so, or the input is shown and the program ends. */
#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

struct fuzz_seed {
    const char *bytes;
    size_t size;
};

#define SEED(text) \
    { \
        "" text, sizeof text - 1 \
    }
#define SEEDS(...) \
    const struct fuzz_seed fuzz_seeds[] = {__VA_ARGS__}; \
    const size_t fuzz_seeds_count = sizeof fuzz_seeds / sizeof *fuzz_seeds

extern const struct fuzz_seed fuzz_seeds[];
extern const size_t fuzz_seeds_count;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes bytes off an input; 0 when there are none left. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* What is left, in a block of exactly its size, so that a sanitizer sees each octet read beyond. */
static inline uint8_t *fuzz_rest(const struct fuzz_input *in)
{
    uint8_t *copy = malloc(in->left ? in->left : 1);

    CHECK(copy != NULL);
    if (in->left)
        memcpy(copy, in->at, in->left);
    return copy;
}

#endif
