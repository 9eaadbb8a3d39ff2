/* Goal: sums are exact, correctly rounded and the same whatever the order and grouping.
 * Method: golden/exact_sum_golden.jsonl holds lists and their sums by Python's rational arithmetic
 * (golden/ exact_sum_golden.py); each is added forwards, backwards and in halves that are merged.
 * Then carries (10^5 adds, and adds past the limit where carries must move), and records that are
 * not canonical. */
#include "memory/heap.h"
#include "statistic/exact_sum.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after the four above */
#include <cmocka.h>

typedef void add_fn(struct exact_sum *sum, double value);

static double item(const json_t *values, size_t index)
{
    return strtod(json_string_value(json_array_get(values, index)), NULL);
}

static void assert_bits(double expected, double actual)
{
    assert_memory_equal(&expected, &actual, sizeof expected);
}

static void assert_sum(const struct exact_sum *sum, const json_t *line)
{
    assert_bits(strtod(json_string_value(json_object_get(line, "sum")), NULL),
                exact_sum_round(sum));
    json_t *record = exact_sum_record(sum);
    assert_true(json_equal(record, json_object_get(line, "record")));
    struct exact_sum again;
    assert_true(exact_sum_read(record, &again));
    assert_true(exact_sum_equal(sum, &again));
    json_decref(record);
}

static void check_line(const json_t *line)
{
    const json_t *values = json_object_get(line, "values");
    const size_t count = json_array_size(values);
    add_fn *add = strcmp(json_string_value(json_object_get(line, "kind")), "sum") == 0
                      ? exact_sum_add
                      : exact_sum_add_square;
    struct exact_sum forwards = {0}, backwards = {0}, half = {0}, rest = {0};
    for (size_t i = 0; i < count; i++) {
        add(&forwards, item(values, i));
        add(&backwards, item(values, count - 1 - i));
        add(i % 2 == 0 ? &half : &rest, item(values, i));
    }
    exact_sum_merge(&half, &rest);
    assert_sum(&forwards, line);
    assert_sum(&backwards, line);
    assert_sum(&half, line);
    assert_true(exact_sum_equal(&forwards, &backwards));
}

static void test_golden(void **state)
{
    (void)state;
    FILE *file = fopen(SOURCE_FOLDER "/tests/unit/golden/exact_sum_golden.jsonl", "r");
    assert_non_null(file);
    size_t lines = 0;
    json_t *line;
    while ((line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
        check_line(line);
        json_decref(line);
        lines++;
    }
    (void)fclose(file);
    assert_true(lines > 500);
}

static void test_many(void **state)
{
    (void)state;
    struct exact_sum tenths = {0}, parts = {0};
    for (int i = 0; i < 100000; i++)
        exact_sum_add(&tenths, 0.1);
    /* 100000 * 0.1 (the double) = 10000.000000000000555…, which rounds to 10000. */
    assert_bits(10000.0, exact_sum_round(&tenths));
    for (int i = 0; i < 100; i++) {
        struct exact_sum part = {0};
        for (int j = 0; j < 1000; j++)
            exact_sum_add(&part, 0.1);
        exact_sum_merge(&parts, &part);
    }
    assert_true(exact_sum_equal(&tenths, &parts));
    for (int i = 0; i < 100000; i++)
        exact_sum_add(&tenths, -0.1);
    assert_bits(0.0, exact_sum_round(&tenths));
}

/* Doubling by merges passes 2^28 outstanding adds, where carries must have moved, and reaches 2^61
 * adds. */
static void test_carries_move(void **state)
{
    (void)state;
    const double values[] = {-1.9999999999999998, 0x1.fffffffffffffp31, -0x1.fffffffffffffp-1040};
    for (size_t v = 0; v < COUNT_OF(values); v++) {
        struct exact_sum sum = {0};
        exact_sum_add(&sum, values[v]);
        for (int i = 0; i < 61; i++) {
            const struct exact_sum copy = sum;
            exact_sum_merge(&sum, &copy);
            assert_bits(ldexp(values[v], i + 1), exact_sum_round(&sum));
        }
    }
    /* Adds alone, up to the limit and over it. */
    struct exact_sum sum = {0};
    exact_sum_add(&sum, 1.0);
    sum.pending = (1 << 28) - 2;
    for (int i = 0; i < 4; i++)
        exact_sum_add(&sum, -0x1.fffffffffffffp30);
    assert_true(sum.pending < 8);
    assert_bits(1.0 - 4 * 0x1.fffffffffffffp30, exact_sum_round(&sum));
}

static void test_zero(void **state)
{
    (void)state;
    struct exact_sum empty = {0}, cancelled = {0};
    exact_sum_add(&cancelled, 3.5);
    exact_sum_add(&cancelled, -3.5);
    assert_true(exact_sum_equal(&empty, &cancelled));
    json_t *one = exact_sum_record(&empty), *other = exact_sum_record(&cancelled);
    assert_true(json_equal(one, other));
    json_decref(one);
    json_decref(other);
    exact_sum_merge(&empty, &cancelled);
    assert_bits(0.0, exact_sum_round(&empty));
}

static void test_refused_records(void **state)
{
    (void)state;
    const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "{\"first\": 0}",
        "{\"first\": \"0\", \"limbs\": []}",
        "{\"first\": 1, \"limbs\": []}",
        "{\"first\": -1, \"limbs\": [1]}",
        "{\"first\": 70, \"limbs\": [1]}",
        "{\"first\": 69, \"limbs\": [1, 1]}",
        "{\"first\": 1, \"limbs\": [0]}",
        "{\"first\": 1, \"limbs\": [0, 1]}",
        "{\"first\": 1, \"limbs\": [1, 0]}",
        "{\"first\": 1, \"limbs\": [1, -1]}",
        "{\"first\": 1, \"limbs\": [-1, 0, 1]}",
        "{\"first\": 1, \"limbs\": [4294967296]}",
        "{\"first\": 1, \"limbs\": [-9223372036854775808]}",
        "{\"first\": 1, \"limbs\": [1.5]}",
        "{\"first\": 1, \"limbs\": [1, null]}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_t *record = json_loads(texts[i], JSON_DECODE_ANY, NULL);
        assert_non_null(record);
        struct exact_sum sum = {.pending = 7};
        assert_false(exact_sum_read(record, &sum));
        assert_int_equal(sum.pending, 7);
        json_decref(record);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),          cmocka_unit_test(test_many),
        cmocka_unit_test(test_carries_move),    cmocka_unit_test(test_zero),
        cmocka_unit_test(test_refused_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
