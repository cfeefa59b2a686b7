/* Chunks have room for what was asked, aligned segments, and free all that is in them. */
#include "wire/chunk.h"
#include "base/alloc.h"
#include "support.h"

static const size_t sizes[] = {0, 1, 31, 32, 63, 64, 65, 500, 1024, 32768, 65536, 1000000};

enum { SIZES = sizeof sizes / sizeof *sizes };

START_TEST(a_chunk_has_the_room_asked_for)
{
    struct sf_chunk *c = sf_chunk_new(sizes[_i], NULL);

    ck_assert_ptr_nonnull(c);
    ck_assert_uint_ge(c->size, sizes[_i]);
    ck_assert_uint_lt(c->size, sizes[_i] + 64);
    ck_assert_uint_eq(c->owner.refs, 1);
    ck_assert_uint_eq(c->owner.kind, SF_OWNER_CHUNK);
    ck_assert_uint_eq(c->done, 0);
    ck_assert_uint_eq(c->n_segs, 0);
    ck_assert_ptr_null(c->next);
    fill_bytes(c->bytes, c->size, 1);
    sf_owner_unref(&c->owner);
}
END_TEST

START_TEST(segments_stand_at_the_end_aligned_and_one_before_the_other)
{
    struct sf_chunk *c = sf_chunk_new(sizes[_i], NULL);

    for (uint32_t i = 0; (i + 1) * sizeof(struct sf_segment) <= c->size && i < 100; i++) {
        struct sf_segment *s = sf_chunk_segment(c, i);

        ck_assert_uint_eq((uintptr_t)s % _Alignof(struct sf_segment), 0);
        ck_assert_ptr_eq((uint8_t *)(s + 1), c->bytes + c->size - i * sizeof *s);
    }
    sf_owner_unref(&c->owner);
}
END_TEST

static int frees;

static void count_free(void *data, void *hint)
{
    (void)data, (void)hint;
    frees++;
}

START_TEST(the_last_reference_frees_segments_and_meta)
{
    struct sf_meta *meta = sf_meta_new(0);
    struct sf_chunk *c = sf_chunk_new(256, meta);
    struct sf_owner *heap = sf_owner_new(10);
    static uint8_t bytes[10];
    struct sf_msg m;

    ck_assert(meta && c && heap);
    ck_assert_uint_eq(meta->refs, 2);
    ck_works(sf_msg_init_data(&m, bytes, sizeof bytes, count_free, NULL));
    *sf_chunk_segment(c, 0) = (struct sf_segment){.owner = m.slice.owner}; /* its reference moves */
    *sf_chunk_segment(c, 1) = (struct sf_segment){.owner = NULL};
    *sf_chunk_segment(c, 2) = (struct sf_segment){.owner = sf_owner_ref(heap)};
    atomic_store(&c->n_segs, 3);
    frees = 0;
    sf_owner_ref(&c->owner);
    sf_owner_unref(&c->owner);
    ck_assert_int_eq(frees, 0);
    sf_owner_unref(&c->owner);
    ck_assert_int_eq(frees, 1);
    ck_assert_uint_eq(heap->refs, 1);
    ck_assert_uint_eq(meta->refs, 1);
    sf_owner_unref(heap);
    sf_meta_unref(meta);
}
END_TEST

START_TEST(blocks_have_room_behind_their_count)
{
    struct sf_owner *o = sf_owner_new(sizes[_i]);

    ck_assert_ptr_nonnull(o);
    ck_assert_uint_eq((uintptr_t)sf_owner_bytes(o) % 16, 0);
    fill_bytes(sf_owner_bytes(o), sizes[_i], 2);
    ck_assert_uint_eq(o->refs, 1);
    ck_assert_uint_eq(o->kind, SF_OWNER_HEAP);
    sf_owner_unref(o);
}
END_TEST

START_TEST(without_memory_there_is_nothing)
{
    struct sf_meta *meta = sf_meta_new(0);

    sf_alloc_fail(1, 1);
    ck_assert_ptr_null(sf_owner_new(100));
    ck_assert_ptr_null(sf_chunk_new(100, meta));
    sf_alloc_fail(0, 0);
    ck_assert_uint_eq(meta->refs, 1);
    sf_meta_unref(meta);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chunk");
    TCase *c = new_bare_case(suite, "chunk");

    tcase_add_loop_test(c, a_chunk_has_the_room_asked_for, 0, SIZES);
    tcase_add_loop_test(c, segments_stand_at_the_end_aligned_and_one_before_the_other, 0, SIZES);
    tcase_add_test(c, the_last_reference_frees_segments_and_meta);
    tcase_add_loop_test(c, blocks_have_room_behind_their_count, 0, SIZES);
    tcase_add_test(c, without_memory_there_is_nothing);
    return run_suite(suite);
}
