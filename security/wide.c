/* Salsa20 and Poly1305 of many blocks at once. */
#include "security/wide.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

#define WIDE __attribute__((target("avx512f,avx512ifma")))

enum { LANES = 8, GROUP = 16 * LANES, POLY_FROM = 2048 };

/* Whether this processor can; asked once, as it may take long. (The compiler's way runs at load.) */
static bool can(void)
{
    enum { UNKNOWN, CAN, CANNOT, IFMA = 1 << 21 };
    static _Atomic int known;
    unsigned a, b = 0, c, d;
    int now = atomic_load_explicit(&known, memory_order_relaxed);

    if (now == UNKNOWN) {
        now = sodium_runtime_has_avx512f() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & IFMA)
                  ? CAN : CANNOT;
        atomic_store_explicit(&known, now, memory_order_relaxed);
    }
    return now == CAN;
}

static uint64_t get64(const uint8_t *from)
{
    uint64_t v;

    memcpy(&v, from, sizeof v); /* this processor is one that has the least octet first */
    return v;
}

static void put64(uint8_t *to, uint64_t v)
{
    memcpy(to, &v, sizeof v);
}

/* --- Poly1305 ---------------------------------------------------------- */

/*
 * Numbers modulo 2^130 - 5 in limbs of 44, 44 and 42 bits, which may be a little
 * longer. What a product has at 2^132 and above comes in again 20 times.
 */
#define M44 0xfffffffffffu
#define M42 0x3ffffffffffu

struct number {
    uint64_t l[3];
};

static struct number block_of(const uint8_t *from, uint64_t top)
{
    uint64_t lo = get64(from), hi = get64(from + 8);

    return (struct number){{lo & M44, (lo >> 44 | hi << 20) & M44, hi >> 24 | top << 40}};
}

static struct number carry(unsigned __int128 d0, unsigned __int128 d1, unsigned __int128 d2)
{
    struct number n;

    d1 += (uint64_t)(d0 >> 44);
    d2 += (uint64_t)(d1 >> 44);
    n.l[0] = ((uint64_t)d0 & M44) + 5 * (uint64_t)(d2 >> 42);
    n.l[1] = ((uint64_t)d1 & M44) + (n.l[0] >> 44);
    n.l[0] &= M44;
    n.l[2] = (uint64_t)d2 & M42;
    return n;
}

static struct number multiply(struct number a, struct number b)
{
    typedef unsigned __int128 wide;
    uint64_t s1 = 20 * b.l[1], s2 = 20 * b.l[2];

    return carry((wide)a.l[0] * b.l[0] + (wide)a.l[1] * s2 + (wide)a.l[2] * s1,
                 (wide)a.l[0] * b.l[1] + (wide)a.l[1] * b.l[0] + (wide)a.l[2] * s2,
                 (wide)a.l[0] * b.l[2] + (wide)a.l[1] * b.l[1] + (wide)a.l[2] * b.l[0]);
}

static struct number add(struct number a, struct number b)
{
    return (struct number){{a.l[0] + b.l[0], a.l[1] + b.l[1], a.l[2] + b.l[2]}};
}

/* Eight numbers, and eight factors with their 20 times. */
struct numbers {
    __m512i l[3];
};

struct factors {
    __m512i r[3], s1, s2;
};

WIDE static struct factors factors_of(const struct number n[LANES])
{
    struct factors f;
    uint64_t l[LANES];

    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < LANES; i++)
            l[i] = n[i].l[k];
        f.r[k] = _mm512_loadu_si512(l);
    }
    f.s1 = _mm512_add_epi64(_mm512_slli_epi64(f.r[1], 4), _mm512_slli_epi64(f.r[1], 2));
    f.s2 = _mm512_add_epi64(_mm512_slli_epi64(f.r[2], 4), _mm512_slli_epi64(f.r[2], 2));
    return f;
}

/* Three products summed: their low 52 bits, and what is above. */
#define SUM(lo, hi, a, x, b, y, c, z)                                                              \
    lo = _mm512_madd52lo_epu64(                                                                    \
        _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(zero, a, x), b, y), c, z),                     \
    hi = _mm512_madd52hi_epu64(                                                                    \
        _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero, a, x), b, y), c, z)

WIDE static inline struct numbers multiply_all(struct numbers a, const struct factors *f)
{
    const __m512i zero = _mm512_setzero_si512(), m44 = _mm512_set1_epi64(M44),
                  m42 = _mm512_set1_epi64(M42);
    __m512i d0, d1, d2, e0, e1, e2, c;

    SUM(d0, e0, a.l[0], f->r[0], a.l[1], f->s2, a.l[2], f->s1);
    SUM(d1, e1, a.l[0], f->r[1], a.l[1], f->r[0], a.l[2], f->s2);
    SUM(d2, e2, a.l[0], f->r[2], a.l[1], f->r[1], a.l[2], f->r[0]);
    /* 52 bits up is one limb and 8 bits up. */
    e2 = _mm512_slli_epi64(e2, 8);
    d0 = _mm512_add_epi64(d0, _mm512_add_epi64(_mm512_slli_epi64(e2, 4), _mm512_slli_epi64(e2, 2)));
    d1 = _mm512_add_epi64(d1, _mm512_slli_epi64(e0, 8));
    d2 = _mm512_add_epi64(d2, _mm512_slli_epi64(e1, 8));
    d1 = _mm512_add_epi64(d1, _mm512_srli_epi64(d0, 44));
    d2 = _mm512_add_epi64(d2, _mm512_srli_epi64(d1, 44));
    c = _mm512_srli_epi64(d2, 42);
    d0 = _mm512_add_epi64(_mm512_and_si512(d0, m44), _mm512_add_epi64(c, _mm512_slli_epi64(c, 2)));
    return (struct numbers){{d0, _mm512_and_si512(d1, m44), _mm512_and_si512(d2, m42)}};
}

/* Eight blocks, added; loading leaves them in the order that sum_groups knows. */
WIDE static inline struct numbers add_blocks(struct numbers a, const uint8_t *from)
{
    const __m512i m44 = _mm512_set1_epi64(M44), top = _mm512_set1_epi64((int64_t)1 << 40);
    __m512i x = _mm512_loadu_si512(from), y = _mm512_loadu_si512(from + 64);
    __m512i lo = _mm512_unpacklo_epi64(x, y), hi = _mm512_unpackhi_epi64(x, y);

    a.l[0] = _mm512_add_epi64(a.l[0], _mm512_and_si512(lo, m44));
    y = _mm512_or_si512(_mm512_srli_epi64(lo, 44), _mm512_slli_epi64(hi, 20));
    a.l[1] = _mm512_add_epi64(a.l[1], _mm512_and_si512(y, m44));
    a.l[2] = _mm512_add_epi64(a.l[2], _mm512_or_si512(_mm512_srli_epi64(hi, 24), top));
    return a;
}

/* The sum of n octets, some groups of blocks, each block with its power of r. */
WIDE static struct number sum_groups(const uint8_t *from, size_t n, struct number r)
{
    static const int order[LANES] = {0, 4, 1, 5, 2, 6, 3, 7};
    struct number powers[LANES], last[LANES], sum = {{0}};
    struct numbers h;
    struct factors step, end;

    powers[0] = r;
    for (int i = 1; i < LANES; i++)
        powers[i] = multiply(powers[i - 1], r);
    for (int i = 0; i < LANES; i++)
        last[i] = powers[LANES - 1 - order[i]];
    end = factors_of(last);
    for (int i = 0; i < LANES; i++)
        last[i] = powers[LANES - 1];
    step = factors_of(last);
    h.l[0] = h.l[1] = h.l[2] = _mm512_setzero_si512();
    h = add_blocks(h, from);
    for (size_t at = GROUP; at < n; at += GROUP)
        h = add_blocks(multiply_all(h, &step), from + at);
    h = multiply_all(h, &end);
    for (int k = 0; k < 3; k++)
        sum.l[k] = (uint64_t)_mm512_reduce_add_epi64(h.l[k]);
    return carry(sum.l[0], sum.l[1], sum.l[2]);
}

static void poly1305(uint8_t tag[16], const uint8_t *from, size_t n, const uint8_t key[32])
{
    uint64_t r0 = get64(key) & 0x0ffffffc0fffffff, r1 = get64(key + 8) & 0x0ffffffc0ffffffc;
    struct number r = {{r0 & M44, (r0 >> 44 | r1 << 20) & M44, r1 >> 24}}, h, g;
    size_t groups = n / GROUP * GROUP;
    unsigned __int128 sum;
    uint64_t lo, hi, mask;

    h = sum_groups(from, groups, r);
    from += groups;
    n -= groups;
    for (; n >= 16; from += 16, n -= 16)
        h = multiply(add(h, block_of(from, 1)), r);
    if (n) {
        uint8_t rest[16] = {0};

        memcpy(rest, from, n);
        rest[n] = 1;
        h = multiply(add(h, block_of(rest, 0)), r);
    }
    h = carry(h.l[0], h.l[1], h.l[2]);
    h = carry(h.l[0], h.l[1], h.l[2]);
    /* h, or h - (2^130 - 5) if that is not below 0. */
    g.l[0] = h.l[0] + 5;
    g.l[1] = h.l[1] + (g.l[0] >> 44);
    g.l[2] = h.l[2] + (g.l[1] >> 44) - ((uint64_t)1 << 42);
    mask = (g.l[2] >> 63) - 1;
    for (int k = 0; k < 3; k++)
        h.l[k] = (h.l[k] & ~mask) | (g.l[k] & mask);
    h.l[0] &= M44;
    h.l[1] &= M44;
    lo = h.l[0] | h.l[1] << 44;
    hi = h.l[1] >> 20 | h.l[2] << 24;
    sum = (unsigned __int128)lo + get64(key + 16);
    put64(tag, (uint64_t)sum);
    put64(tag + 8, hi + get64(key + 24) + (uint64_t)(sum >> 64));
}

/* --- Salsa20 ----------------------------------------------------------- */

/* Sixteen blocks side by side: each word of the state is a vector. */
enum { WORDS = 16, BLOCK = 64, STRIDE = BLOCK * 16, REST_FROM = 320 };

#define STEP(a, b, c, n)                                                                           \
    x[a] = _mm512_xor_si512(x[a], _mm512_rol_epi32(_mm512_add_epi32(x[b], x[c]), n))

#define QUARTER(a, b, c, d)                                                                        \
    STEP(b, a, d, 7);                                                                              \
    STEP(c, b, a, 9);                                                                              \
    STEP(d, c, b, 13);                                                                             \
    STEP(a, d, c, 18)

/* Words of sixteen blocks become blocks: a square of 16 by 16, turned. */
WIDE static inline void turn(__m512i x[WORDS])
{
    __m512i t[WORDS];

    for (int i = 0; i < WORDS; i += 2) {
        t[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (int i = 0; i < WORDS; i += 4) {
        x[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        x[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        x[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        x[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    /* x[4 a + b] has words 4 a .. 4 a + 3 of the blocks b, b + 4, b + 8, b + 12. */
    for (int b = 0; b < 4; b++) {
        t[b] = _mm512_shuffle_i32x4(x[b], x[4 + b], 0x88);
        t[4 + b] = _mm512_shuffle_i32x4(x[b], x[4 + b], 0xdd);
        t[8 + b] = _mm512_shuffle_i32x4(x[8 + b], x[12 + b], 0x88);
        t[12 + b] = _mm512_shuffle_i32x4(x[8 + b], x[12 + b], 0xdd);
    }
    for (int b = 0; b < 4; b++) {
        x[b] = _mm512_shuffle_i32x4(t[b], t[8 + b], 0x88);
        x[8 + b] = _mm512_shuffle_i32x4(t[b], t[8 + b], 0xdd);
        x[4 + b] = _mm512_shuffle_i32x4(t[4 + b], t[12 + b], 0x88);
        x[12 + b] = _mm512_shuffle_i32x4(t[4 + b], t[12 + b], 0xdd);
    }
}

/* Whole strides of sixteen blocks; n is a multiple of STRIDE. */
WIDE static void salsa20(uint8_t *to, const uint8_t *from, size_t n, const uint8_t nonce[8],
                         uint64_t block, const uint8_t key[32])
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    __m512i begin[WORDS], x[WORDS];
    uint32_t words[WORDS];

    for (int i = 0; i < 4; i++)
        words[5 * i] = constants[i];
    memcpy(words + 1, key, 16);
    memcpy(words + 6, nonce, 8);
    memcpy(words + 11, key + 16, 16);
    words[8] = words[9] = 0;
    for (int i = 0; i < WORDS; i++)
        begin[i] = _mm512_set1_epi32((int)words[i]);
    for (size_t at = 0; at < n; at += STRIDE, block += 16) {
        uint32_t low[16], high[16];

        for (unsigned i = 0; i < 16; i++) {
            low[i] = (uint32_t)(block + i);
            high[i] = (uint32_t)((block + i) >> 32);
        }
        begin[8] = _mm512_loadu_si512(low);
        begin[9] = _mm512_loadu_si512(high);
        memcpy(x, begin, sizeof x);
        for (int round = 0; round < 20; round += 2) {
            QUARTER(0, 4, 8, 12);
            QUARTER(5, 9, 13, 1);
            QUARTER(10, 14, 2, 6);
            QUARTER(15, 3, 7, 11);
            QUARTER(0, 1, 2, 3);
            QUARTER(5, 6, 7, 4);
            QUARTER(10, 11, 8, 9);
            QUARTER(15, 12, 13, 14);
        }
        for (int i = 0; i < WORDS; i++)
            x[i] = _mm512_add_epi32(x[i], begin[i]);
        turn(x);
        for (int i = 0; i < WORDS; i++)
            _mm512_storeu_si512(to + at + BLOCK * i,
                                _mm512_xor_si512(x[i], _mm512_loadu_si512(from + at + BLOCK * i)));
    }
    sodium_memzero(words, sizeof words);
    sodium_memzero(begin, sizeof begin);
}

void sf_wide_poly1305(uint8_t tag[16], const uint8_t *from, size_t n, const uint8_t key[32])
{
    if (n >= POLY_FROM && can())
        poly1305(tag, from, n, key);
    else
        crypto_onetimeauth_poly1305(tag, from, n, key);
}

void sf_wide_salsa20(uint8_t *to, const uint8_t *from, size_t n, const uint8_t nonce[8],
                     uint64_t block, const uint8_t key[32])
{
    size_t rest = n % STRIDE, wide = n - rest;

    if (n < REST_FROM || !can()) {
        crypto_stream_salsa20_xor_ic(to, from, n, nonce, block, key);
        return;
    }
    if (wide)
        salsa20(to, from, wide, nonce, block, key);
    if (rest >= REST_FROM) { /* sixteen blocks cost less than some of them one by one */
        uint8_t all[STRIDE] = {0};

        memcpy(all, from + wide, rest);
        salsa20(all, all, STRIDE, nonce, block + wide / BLOCK, key);
        memcpy(to + wide, all, rest);
    } else if (rest) {
        crypto_stream_salsa20_xor_ic(to + wide, from + wide, rest, nonce, block + wide / BLOCK,
                                     key);
    }
}

#else

void sf_wide_salsa20(uint8_t *to, const uint8_t *from, size_t n, const uint8_t nonce[8],
                     uint64_t block, const uint8_t key[32])
{
    crypto_stream_salsa20_xor_ic(to, from, n, nonce, block, key);
}

void sf_wide_poly1305(uint8_t tag[16], const uint8_t *from, size_t n, const uint8_t key[32])
{
    crypto_onetimeauth_poly1305(tag, from, n, key);
}

#endif
