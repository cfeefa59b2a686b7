/*
 * Drives an entry without libFuzzer: its seeds, every start of each, and what chance makes of them. The same
 * inputs in the same order in every run, as many as a second allows. Arguments: files to run instead.
 */
#include "fuzz.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_MAX = 4096, INPUTS = 200000, TIME_MS = 1000 };

static uint8_t input[INPUT_MAX];
static size_t input_size;
static uint64_t state = 0x9e3779b97f4a7c15u;

static uint32_t number(uint32_t below_this)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below_this;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Shows what it was that the program did not survive. */
static void show(int signal)
{
    static const char digits[] = "0123456789abcdef";
    char line[2 * INPUT_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; i < input_size; i++) {
        line[n++] = digits[input[i] >> 4];
        line[n++] = digits[input[i] & 15];
    }
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0)
        _exit(2);
    raise(signal);
}

static void run(void)
{
    uint8_t *copy = malloc(input_size ? input_size : 1);

    CHECK(copy != NULL);
    memcpy(copy, input, input_size);
    LLVMFuzzerTestOneInput(copy, input_size);
    free(copy);
}

static void load(const struct fuzz_seed *seed)
{
    CHECK(seed->size <= INPUT_MAX);
    memcpy(input, seed->bytes, seed->size);
    input_size = seed->size;
}

static void open_gap(size_t at, size_t n)
{
    if (n > INPUT_MAX - input_size)
        n = INPUT_MAX - input_size;
    memmove(input + at + n, input + at, input_size - at);
    input_size += n;
}

static void mutate(void)
{
    static const uint8_t telling[] = {0,    1,    2,    3,   4,   5,   6,   0x7f,
                                      0x80, 0xfe, 0xff, '*', ':', '/', '[', '%'};
    size_t at = number((uint32_t)input_size + 1), from, n;

    switch (number(7)) {
    case 0: input_size = at; return;
    case 1: /* bytes are left out */
        n = number(8);
        if (n > input_size - at)
            n = input_size - at;
        memmove(input + at, input + at + n, input_size - at - n);
        input_size -= n;
        return;
    case 2: /* or come in */
        n = input_size;
        open_gap(at, 1 + number(8));
        for (n = input_size - n; n > 0; n--)
            input[at++] = (uint8_t)number(256);
        return;
    case 3: { /* or come twice */
        uint8_t part[64];

        from = number((uint32_t)input_size + 1);
        n = number(sizeof part);
        if (n > input_size - from)
            n = input_size - from;
        if (n > INPUT_MAX - input_size)
            n = INPUT_MAX - input_size;
        memcpy(part, input + from, n);
        open_gap(at, n);
        memcpy(input + at, part, n);
        return;
    }
    case 4: { /* or are another seed's */
        const struct fuzz_seed *s = &fuzz_seeds[number((uint32_t)fuzz_seeds_count)];

        from = number((uint32_t)s->size + 1);
        n = s->size - from < INPUT_MAX - at ? s->size - from : INPUT_MAX - at;
        memcpy(input + at, s->bytes + from, n);
        input_size = at + n;
        return;
    }
    case 5:
        if (at < input_size)
            input[at] = telling[number(sizeof telling)];
        return;
    default:
        if (at < input_size)
            input[at] ^= (uint8_t)(1 << number(8));
    }
}

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");

    CHECK(f != NULL);
    input_size = fread(input, 1, sizeof input, f);
    fclose(f);
    run();
}

int main(int argc, char **argv)
{
    struct sigaction a = {.sa_handler = show, .sa_flags = (int)SA_RESETHAND};
    int64_t end = now_ms() + TIME_MS;
    int n = 0;

    sigaction(SIGABRT, &a, NULL);
    for (int i = 1; i < argc; i++)
        run_file(argv[i]);
    if (argc > 1)
        return 0;
    for (size_t i = 0; i < fuzz_seeds_count; i++) {
        load(&fuzz_seeds[i]);
        run();
    }
    for (size_t i = 0; i < fuzz_seeds_count && now_ms() < end; i++) {
        for (size_t size = 0; size < fuzz_seeds[i].size; size++, n++) {
            load(&fuzz_seeds[i]);
            input_size = size;
            run();
        }
    }
    for (; n < INPUTS && now_ms() < end; n++) {
        load(&fuzz_seeds[number((uint32_t)fuzz_seeds_count)]);
        for (uint32_t i = 1 + number(4); i > 0; i--)
            mutate();
        run();
    }
    printf("%d inputs\n", n);
    return 0;
}
