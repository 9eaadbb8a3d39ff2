/* Goal: every value has exactly one cell, the documented one; quantile cells are cut as baseline.h
 * says. Method: hand-made cuts with values at, just below and just above each; the quantile cut
 * against its definition (the smallest value with at least k n / 20 values <= it) evaluated by
 * counting. */
#include "memory/heap.h"
#include "statistic/cells.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after the four above */
#include <cmocka.h>

static void assert_label(const struct cells *cells, size_t index, const char *expected)
{
    char *label = cells_label(cells, index);
    assert_string_equal(label, expected);
    heap_release(label);
}

static void test_numbers(void **state)
{
    (void)state;
    const double cuts[] = {0.1, 0.25, 3};
    struct cells *cells = cells_create_number(cuts, 3, 0, 9);
    assert_true(cells_is_number(cells));
    assert_int_equal(cells_count(cells), 4 + 5);
    const struct {
        double value;
        size_t index;
    } rows[] = {
        {-(double)INFINITY, 0},
        {-1, 0},
        {-5e-324, 0},
        {-0.0, 1},
        {0.0, 1},
        {0.1, 1},
        {nextafter(0.1, 1), 2},
        {0.25, 2},
        {0.26, 3},
        {3, 3},
        {nextafter(3, 4), 4},
        {9, 4},
        {nextafter(9, 10), 5},
        {(double)INFINITY, 5},
        {(double)NAN, 7},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(cells_of_number(cells, rows[i].value), rows[i].index);
    assert_int_equal(cells_null(cells), 6);
    assert_int_equal(cells_nan(cells), 7);
    assert_int_equal(cells_unseen(cells), 8);
    const char *const labels[] = {"< 0", "[0, 0.1]", "(0.1, 0.25]", "(0.25, 3]", "(3, 9]",
                                  "> 9", "null",     "nan",         "unseen"};
    for (size_t i = 0; i < COUNT_OF(labels); i++)
        assert_label(cells, i, labels[i]);
    size_t count;
    double minimum, maximum;
    assert_memory_equal(cells_cuts(cells, &count, &minimum, &maximum), cuts, sizeof cuts);
    assert_int_equal(count, 3);
    assert_true(minimum == 0 && maximum == 9);
    cells_destroy(cells);
}

static void test_constant(void **state)
{
    (void)state;
    double values[] = {5, 5, 5, 5};
    struct cells *cells = cells_create_quantiles(values, 4);
    assert_int_equal(cells_count(cells), 6);
    assert_int_equal(cells_of_number(cells, 4.999), 0);
    assert_int_equal(cells_of_number(cells, 5), 1);
    assert_int_equal(cells_of_number(cells, 5.001), 2);
    assert_label(cells, 0, "< 5");
    assert_label(cells, 1, "= 5");
    assert_label(cells, 2, "> 5");
    cells_destroy(cells);
}

/* A heavy lowest value: the first cell holds the minimum alone. */
static void test_heavy_minimum(void **state)
{
    (void)state;
    double values[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    struct cells *cells = cells_create_quantiles(values, 10);
    assert_int_equal(cells_count(cells), 2 + 5);
    assert_label(cells, 1, "= 0");
    assert_label(cells, 2, "(0, 1]");
    assert_int_equal(cells_of_number(cells, 0), 1);
    assert_int_equal(cells_of_number(cells, 0.5), 2);
    cells_destroy(cells);
}

static void assert_quantiles(size_t count, uint64_t modulus)
{
    double *values = heap_zeroed(count, sizeof *values);
    uint64_t state = count * 2654435761u + modulus;
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        values[i] = (double)((state >> 33) % modulus) - 3;
    }
    struct cells *cells = cells_create_quantiles(values, count);
    size_t cut_count;
    double minimum, maximum;
    const double *cuts = cells_cuts(cells, &cut_count, &minimum, &maximum);
    size_t next = 0;
    double previous = (double)NAN;
    for (size_t k = 1; k < 20; k++) {
        /* By the definition; values are sorted now. */
        double quantile = (double)NAN;
        for (size_t i = 0; i < count && isnan(quantile); i++) {
            size_t below = 0;
            for (size_t j = 0; j < count; j++)
                below += values[j] <= values[i];
            if (below * 20 >= k * count)
                quantile = values[i];
        }
        if (quantile == previous || quantile == values[count - 1])
            continue;
        previous = quantile;
        assert_true(next < cut_count);
        assert_true(cuts[next++] == quantile);
    }
    assert_int_equal(next, cut_count);
    assert_true(minimum == values[0] && maximum == values[count - 1]);
    cells_destroy(cells);
    heap_release(values);
}

static void test_quantiles(void **state)
{
    (void)state;
    for (size_t count = 1; count < 60; count++) {
        assert_quantiles(count, 1000000);
        assert_quantiles(count, 7);
    }
    assert_quantiles(200, 5);
    assert_quantiles(200, 1000);
}

static void test_negative_zero(void **state)
{
    (void)state;
    double one[] = {-0.0, 0.0, 1.0}, other[] = {0.0, -0.0, 1.0};
    struct cells *left = cells_create_quantiles(one, 3), *right = cells_create_quantiles(other, 3);
    size_t count;
    double minimum, maximum;
    (void)cells_cuts(left, &count, &minimum, &maximum);
    assert_false(signbit(minimum));
    assert_true(cells_equal(left, right));
    cells_destroy(left);
    cells_destroy(right);
}

static void test_categories(void **state)
{
    (void)state;
    const struct span values[] = {span_text("FR"), span_text("DE"), span_text(""), span_text("DEU"),
                                  span_text("DE")};
    struct cells *cells = cells_create_category(values, COUNT_OF(values));
    assert_false(cells_is_number(cells));
    assert_int_equal(cells_count(cells), 4 + 3);
    assert_int_equal(cells_of_category(cells, span_text("")), 0);
    assert_int_equal(cells_of_category(cells, span_text("DE")), 1);
    assert_int_equal(cells_of_category(cells, span_text("DEU")), 2);
    assert_int_equal(cells_of_category(cells, span_text("FR")), 3);
    assert_int_equal(cells_null(cells), 4);
    assert_int_equal(cells_nan(cells), 5);
    assert_int_equal(cells_of_category(cells, span_text("PL")), 6);
    assert_int_equal(cells_of_category(cells, span_text("D")), 6);
    assert_label(cells, 2, "DEU");
    assert_label(cells, 6, "unseen");
    assert_true(span_is(cells_value(cells, 3), "FR"));
    struct cells *none = cells_create_category(NULL, 0);
    assert_int_equal(cells_count(none), 3);
    assert_int_equal(cells_of_category(none, span_text("DE")), cells_unseen(none));
    assert_false(cells_equal(cells, none));
    assert_true(cells_equal(cells, cells));
    cells_destroy(cells);
    cells_destroy(none);
}

static void test_cuts_refused(void **state)
{
    (void)state;
    assert_true(cells_are_cuts(NULL, 0, 1, 1));
    assert_false(cells_are_cuts(NULL, 0, 2, 1));
    assert_false(cells_are_cuts(NULL, 0, (double)NAN, 1));
    assert_false(cells_are_cuts(NULL, 0, 0, (double)INFINITY));
    assert_false(cells_are_cuts((const double[]){1}, 1, 0, 1));
    assert_true(cells_are_cuts((const double[]){0}, 1, 0, 1));
    assert_false(cells_are_cuts((const double[]){-1}, 1, 0, 1));
    assert_false(cells_are_cuts((const double[]){(double)NAN}, 1, 0, 1));
    assert_false(cells_are_cuts((const double[]){0.5, 0.5}, 2, 0, 1));
    assert_false(cells_are_cuts((const double[]){0.6, 0.5}, 2, 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_constant),
        cmocka_unit_test(test_heavy_minimum), cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_negative_zero), cmocka_unit_test(test_categories),
        cmocka_unit_test(test_cuts_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
