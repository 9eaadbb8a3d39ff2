/* Goal: buffers, arenas and spans keep what they are given. Method: sizes around their block
 * bounds. */
#include "memory/arena.h"
#include "memory/buffer.h"
#include "memory/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_buffer(void **context)
{
    (void)context;
    struct buffer buffer = {0};
    for (int i = 0; i < 1000; i++)
        buffer_format(&buffer, "%d,", i);
    assert_int_equal(buffer.size, 10 * 2 + 90 * 3 + 900 * 4);
    assert_memory_equal(buffer.bytes, "0,1,2,", 6);
    buffer_clear(&buffer);
    buffer_append_byte(&buffer, 'x');
    assert_true(span_is(buffer_span(&buffer), "x"));
    buffer_fini(&buffer);
}

static void test_arena(void **context)
{
    (void)context;
    struct arena *arena = arena_create();
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 200000; size = size * 3 + 1) {
            uint8_t *memory = arena_take(arena, size);
            assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++) {
                assert_int_equal(memory[i], 0); /* zeroed also after a reset */
                memory[i] = 0xff;
            }
        }
        arena_reset(arena);
    }
    const struct span copy = arena_span(arena, span_text("abc"));
    assert_string_equal((const char *)copy.bytes, "abc");
    arena_destroy(arena);
    arena_destroy(NULL);
}

static void test_span(void **context)
{
    (void)context;
    assert_true(span_order(span_text("a"), span_text("ab")) < 0);
    assert_true(span_order(span_text("b"), span_text("ab")) > 0);
    assert_int_equal(span_order(span_text(""), span_text(NULL)), 0);
    char *text = span_copied(span_of("xyz", 2));
    assert_string_equal(text, "xy");
    heap_release(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
