/* Goal: the primitives of Avro binary are read and written as the specification says, and no bytes
 * lead a reader past their end. Method: the specification's vectors, the limits of each type, every
 * prefix of a sound text, and wrong claims. */
#include "avro/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The specification's table of zig-zag integers, and the ends. */
static const struct {
    int64_t value;
    const char *bytes;
    size_t size;
} longs[] = {
    {0, "\x00", 1},
    {-1, "\x01", 1},
    {1, "\x02", 1},
    {-2, "\x03", 1},
    {2, "\x04", 1},
    {-64, "\x7f", 1},
    {64, "\x80\x01", 2},
    {INT32_MAX, "\xfe\xff\xff\xff\x0f", 5},
    {INT32_MIN, "\xff\xff\xff\xff\x0f", 5},
    {INT64_MAX, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
    {INT64_MIN, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
};

static void test_long(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(longs); i++) {
        struct buffer buffer = {0};
        wire_write_long(&buffer, longs[i].value);
        assert_int_equal(buffer.size, longs[i].size);
        assert_memory_equal(buffer.bytes, longs[i].bytes, longs[i].size);
        for (size_t size = 0; size <= buffer.size; size++) {
            struct wire_reader reader = wire_reader_of(span_of(buffer.bytes, size));
            int64_t value = 0;
            assert_int_equal(wire_read_long(&reader, &value), size == buffer.size);
            if (size == buffer.size) {
                assert_true(value == longs[i].value);
                assert_ptr_equal(reader.next, reader.end);
            }
        }
        buffer_fini(&buffer);
    }
}

static bool reads_long(const char *bytes, size_t size)
{
    struct wire_reader reader = wire_reader_of(span_of(bytes, size));
    int64_t value = 0;
    return wire_read_long(&reader, &value);
}

static void test_long_refused(void **state)
{
    (void)state;
    assert_false(reads_long(NULL, 0));
    assert_false(reads_long("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11)); /* too long */
    assert_false(reads_long("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));     /* over 64 bits */
    assert_true(reads_long("\x80\x00", 2)); /* longer than needed, but clear */
}

static void test_boolean(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    wire_write_boolean(&buffer, true);
    wire_write_boolean(&buffer, false);
    buffer_append_byte(&buffer, 2);
    struct wire_reader reader = wire_reader_of(buffer_span(&buffer));
    bool value = false;
    assert_true(wire_read_boolean(&reader, &value) && value);
    assert_true(wire_read_boolean(&reader, &value) && !value);
    assert_false(wire_read_boolean(&reader, &value));
    reader = wire_reader_of(span_of(NULL, 0));
    assert_false(wire_read_boolean(&reader, &value));
    buffer_fini(&buffer);
}

static void test_numbers(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    wire_write_double(&buffer, 1.0);
    assert_memory_equal(buffer.bytes, "\x00\x00\x00\x00\x00\x00\xf0\x3f", 8);
    wire_write_float(&buffer, -0.5F);
    assert_memory_equal(buffer.bytes + 8, "\x00\x00\x00\xbf", 4);
    wire_write_double(&buffer, strtod("nan", NULL));
    struct wire_reader reader = wire_reader_of(buffer_span(&buffer));
    double value = 0;
    float narrow = 0;
    assert_true(wire_read_double(&reader, &value) && value == 1.0);
    assert_true(wire_read_float(&reader, &narrow) && narrow == -0.5F);
    assert_true(wire_read_double(&reader, &value) && isnan(value));
    assert_false(wire_read_double(&reader, &value));
    reader = wire_reader_of(span_of(buffer.bytes, 7));
    assert_false(wire_read_double(&reader, &value));
    reader = wire_reader_of(span_of(buffer.bytes, 3));
    assert_false(wire_read_float(&reader, &narrow));
    buffer_fini(&buffer);
}

static void test_bytes(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    wire_write_bytes(&buffer, span_text("foo")); /* the specification's example */
    assert_int_equal(buffer.size, 4);
    assert_memory_equal(buffer.bytes, "\x06\x66\x6f\x6f", 4);
    struct span value = {0};
    for (size_t size = 0; size < buffer.size; size++) {
        struct wire_reader reader = wire_reader_of(span_of(buffer.bytes, size));
        assert_false(wire_read_bytes(&reader, &value));
    }
    struct wire_reader reader = wire_reader_of(buffer_span(&buffer));
    assert_true(wire_read_bytes(&reader, &value));
    assert_true(span_is(value, "foo"));
    assert_ptr_equal(value.bytes, buffer.bytes + 1); /* a slice */
    buffer_clear(&buffer);
    wire_write_bytes(&buffer, span_of(NULL, 0));
    reader = wire_reader_of(buffer_span(&buffer));
    assert_true(wire_read_bytes(&reader, &value) && value.size == 0);
    buffer_fini(&buffer);
}

static void test_bytes_claims(void **state)
{
    (void)state;
    static const int64_t sizes[] = {-1, INT64_MIN, 2, INT32_MAX, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buffer buffer = {0};
        wire_write_long(&buffer, sizes[i]);
        buffer_append_byte(&buffer, 'x');
        struct wire_reader reader = wire_reader_of(buffer_span(&buffer));
        struct span value = {0};
        assert_false(wire_read_bytes(&reader, &value));
        buffer_fini(&buffer);
    }
}

static void test_skip(void **state)
{
    (void)state;
    struct wire_reader reader = wire_reader_of(span_text("abc"));
    assert_false(wire_skip(&reader, 4));
    assert_false(wire_skip(&reader, SIZE_MAX));
    assert_true(wire_skip(&reader, 3));
    assert_true(wire_skip(&reader, 0));
    assert_false(wire_skip(&reader, 1));
    reader = wire_reader_of(span_of(NULL, 0));
    assert_true(wire_skip(&reader, 0));
}

static void test_frame(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    wire_write_frame(&buffer, UINT64_C(0x0102030405060708));
    assert_int_equal(buffer.size, WIRE_FRAME_SIZE);
    assert_memory_equal(buffer.bytes, "\xC3\x01\x08\x07\x06\x05\x04\x03\x02\x01", WIRE_FRAME_SIZE);
    uint64_t fingerprint = 0;
    struct span body = {0};
    assert_true(wire_read_frame(buffer_span(&buffer), &fingerprint, &body));
    assert_true(fingerprint == UINT64_C(0x0102030405060708));
    assert_int_equal(body.size, 0);
    assert_false(wire_read_frame(span_of(buffer.bytes, 9), &fingerprint, &body));
    assert_false(wire_read_frame(span_text("{\"event_id\": 1}"), &fingerprint, &body));
    buffer.bytes[1] = 2;
    assert_false(wire_read_frame(buffer_span(&buffer), &fingerprint, &body));
    buffer_fini(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long),    cmocka_unit_test(test_long_refused),
        cmocka_unit_test(test_boolean), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_bytes),   cmocka_unit_test(test_bytes_claims),
        cmocka_unit_test(test_skip),    cmocka_unit_test(test_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
