/* Goal: exactly the columns that a monitor reads are accumulated, in the documented order, in the
 * baseline's cells or, without one, in those that the contract names. Method: one contract with
 * every type of column, with and without a baseline, and with a baseline that is cut as another
 * kind. */
#include "memory/heap.h"
#include "window/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after the system's */
#include <cmocka.h>

#define HEAD "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: https://r.example/\n"
static const char text[] = HEAD
    "columns:\n  number: {type: number}\n  listed: {type: category, values: [b, a]}\n"
    "  open: {type: category}\n  flag: {type: boolean}\n  quiet: {type: number}\nmonitors:\n"
    "  - {quality: nulls, columns: [score, flag, open, number], window: 1h, max: 0}\n"
    "  - {drift: psi, columns: [prediction, listed, number], window: 1h, reference: baseline}\n";

static struct contract *contract_of(const char *yaml)
{
    struct contract *contract = NULL;
    struct reason reason = {""};
    if (contract_parse("test.yaml", span_text(yaml), &contract, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    return contract;
}

static void add_column(struct baseline **baseline, const char *column)
{
    json_t *record = json_loads(column, 0, NULL);
    assert_non_null(record);
    assert_int_equal(json_object_set_new(record, "model", json_string("m")), 0);
    assert_int_equal(json_object_set_new(record, "version", json_string("")), 0);
    assert_int_equal(json_object_set_new(record, "hash", json_string("0123")), 0);
    assert_int_equal(json_object_set_new(record, "column_count", json_integer(2)), 0);
    struct reason reason = {""};
    if (baseline_add(baseline, record, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    json_decref(record);
}

#define NUMBER(name)                                                                               \
    "{\"column\": \"" name "\", \"type\": \"NUMBER\", \"cuts\": [1.0], \"minimum\": 0.0, "         \
    "\"maximum\": 2.0, \"values\": [], \"counts\": [0, 3, 2, 0, 1, 0, 0]}"
#define CATEGORY(name)                                                                             \
    "{\"column\": \"" name "\", \"type\": \"CATEGORY\", \"cuts\": [], \"minimum\": null, "         \
    "\"maximum\": null, \"values\": [\"x\"], \"counts\": [3, 1, 0, 2]}"

static const char *const names[] = {"number", "listed", "open", "flag", "prediction", "score"};

static void test_alone(void **state)
{
    (void)state;
    struct contract *contract = contract_of(text);
    struct layout *layout = layout_create(contract, NULL);
    assert_int_equal(layout->column_count, COUNT_OF(names));
    const size_t counts[] = {3, 2 + 3, 3, 2 + 3, 3, 3};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct layout_column *column = &layout->columns[i];
        assert_string_equal(column->name, names[i]);
        assert_int_equal(layout_find(layout, span_text(names[i])), i);
        assert_null(column->reference);
        assert_int_equal(cells_count(column->cells), counts[i]);
        assert_int_equal(column->is_number, i == 0 || i == 5);
        assert_int_equal(column->rule != NULL, i < 4);
    }
    assert_true(span_is(cells_value(layout->columns[1].cells, 0), "a"));
    assert_true(span_is(cells_value(layout->columns[3].cells, 1), "true"));
    assert_int_equal(layout_find(layout, span_text("quiet")), layout->column_count);
    assert_int_equal(layout_find(layout, span_text("latency_ms")), layout->column_count);
    layout_destroy(layout);
    contract_destroy(contract);
}

static void test_baseline(void **state)
{
    (void)state;
    struct contract *contract = contract_of(text);
    struct baseline *baseline = NULL;
    add_column(&baseline, NUMBER("number"));
    add_column(&baseline, CATEGORY("listed"));
    struct layout *layout = layout_create(contract, baseline);
    const struct layout_column *number = &layout->columns[0], *listed = &layout->columns[1];
    assert_ptr_equal(number->reference, baseline_column(baseline, "number"));
    assert_ptr_equal(number->cells, number->reference->cells);
    assert_int_equal(cells_count(number->cells), 7);
    assert_int_equal(cells_count(listed->cells), 4); /* the baseline's, not the contract's list */
    assert_null(layout->columns[2].reference);
    struct layout *same = layout_create(contract, baseline), *alone = layout_create(contract, NULL);
    assert_true(layout_equal(layout, same));
    assert_false(layout_equal(layout, alone));
    layout_destroy(same);
    layout_destroy(alone);
    layout_destroy(layout);
    baseline_destroy(baseline);
    contract_destroy(contract);
}

static void test_other_kind(void **state)
{
    (void)state;
    struct contract *contract = contract_of(text);
    struct baseline *baseline = NULL;
    add_column(&baseline, CATEGORY("number"));
    add_column(&baseline, NUMBER("listed"));
    struct layout *layout = layout_create(contract, baseline);
    assert_null(layout->columns[0].reference);
    assert_null(layout->columns[1].reference);
    assert_int_equal(cells_count(layout->columns[0].cells), 3);
    assert_int_equal(cells_count(layout->columns[1].cells), 5);
    layout_destroy(layout);
    baseline_destroy(baseline);
    contract_destroy(contract);
}

static void test_value(void **state)
{
    (void)state;
    struct contract *contract = contract_of(text);
    struct layout *layout = layout_create(contract, NULL);
    struct value columns[5] = {{0}}, scores[1] = {{0}};
    struct event event = {.columns = columns, .scores = scores};
    assert_ptr_equal(layout_value(&layout->columns[0], &event), &columns[0]);
    assert_ptr_equal(layout_value(&layout->columns[3], &event), &columns[3]);
    assert_ptr_equal(layout_value(&layout->columns[4], &event), &event.prediction);
    assert_ptr_equal(layout_value(&layout->columns[5], &event), &scores[0]);
    layout_destroy(layout);
    contract_destroy(contract);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_baseline),
        cmocka_unit_test(test_other_kind),
        cmocka_unit_test(test_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
