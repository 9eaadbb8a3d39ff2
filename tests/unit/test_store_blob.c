/* Goal: a stored value that is not what was written under this field is found. Method: every byte
 * is changed in each bit, every length cut, and the field exchanged. */
#include "memory/heap.h"
#include "redis/store_blob.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char field[] = "pane|m|3";

static void test_round(void **context)
{
    (void)context;
    struct arena *arena = arena_create();
    const struct span texts[] = {span_of("a\0b\xff", 4), span_text(""), span_of(NULL, 0)};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct span stored = store_blob_framed(arena, span_text(field), texts[i]);
        assert_int_equal(stored.size, texts[i].size + STORE_BLOB_FRAME_SIZE);
        struct span bytes;
        assert_true(store_blob_read(span_text(field), stored, &bytes));
        assert_true(span_equal(bytes, texts[i]));
        assert_non_null(bytes.bytes); /* NULL would mean: remove the field */
        assert_false(store_blob_read(span_text("pane|m|4"), stored, &bytes));
        assert_false(store_blob_read(span_text(""), stored, &bytes));
    }
    arena_destroy(arena);
}

/* Stored state outlives a version: the frame is known by its bytes. */
static void test_layout(void **context)
{
    (void)context;
    struct arena *arena = arena_create();
    const struct span stored = store_blob_framed(arena, span_text("f"), span_text("value"));
    static const uint8_t expected[] = {'v', 'a', 'l', 'u', 'e', 'P', '1'};
    assert_memory_equal(stored.bytes, expected, sizeof expected);
    static const uint8_t sum[] = {0x26, 0x39, 0xc4, 0x10, 0x28, 0x59, 0xd4, 0x41};
    assert_memory_equal(stored.bytes + sizeof expected, sum, sizeof sum);
    arena_destroy(arena);
}

static void test_damage(void **context)
{
    (void)context;
    struct arena *arena = arena_create();
    const struct span stored = store_blob_framed(arena, span_text(field), span_text("some bytes"));
    uint8_t *copy = heap_copied(stored.bytes, stored.size);
    struct span bytes;
    for (size_t i = 0; i < stored.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            copy[i] ^= (uint8_t)(1u << bit);
            assert_false(store_blob_read(span_text(field), span_of(copy, stored.size), &bytes));
            copy[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t size = 0; size < stored.size; size++)
        assert_false(store_blob_read(span_text(field), span_of(copy, size), &bytes));
    assert_false(store_blob_read(span_text(field), span_of(NULL, 0), &bytes));
    assert_true(store_blob_read(span_text(field), span_of(copy, stored.size), &bytes));
    heap_release(copy);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
