/* Goal: a pane counts each value in exactly one cell, merges exactly, and its records are small
 * enough, carry all of it and are refused where they do not fit. Method: events made by hand over a
 * contract with every type of column; counts against a table; records through their schema's bytes
 * and back; a pane of 300 wide columns for the split; a table of spoilt records. */
#include "avro/datum.h"
#include "memory/heap.h"
#include "window/pane.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after the system's */
#include <cmocka.h>

#define HEAD "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: https://r.example/\n"
static const char text[] = HEAD
    "columns:\n  n: {type: number, on_type: flag}\n  c: {type: category, values: [b, a, \"7\"]}\n"
    "  b: {type: boolean}\n  i: {type: id}\nmonitors:\n"
    "  - {quality: nulls, columns: [n, c, b, i, prediction, score], window: 1h, max: 0}\n";

struct fixture {
    struct contract *contract;
    struct baseline *baseline;
    struct layout *layout;
};

static struct contract *contract_of(const char *yaml)
{
    struct contract *contract = NULL;
    struct reason reason = {""};
    if (contract_parse("test.yaml", span_text(yaml), &contract, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    return contract;
}

/* n is cut: underflow, [0, 1], (1, 2], overflow, null, nan, unseen. */
static int set_up(void **state)
{
    struct fixture *fixture = heap_zeroed(1, sizeof *fixture);
    fixture->contract = contract_of(text);
    json_t *record =
        json_loads("{\"model\": \"m\", \"version\": \"\", \"hash\": \"00\", \"column\": \"n\", "
                   "\"column_count\": 1, \"type\": \"NUMBER\", \"cuts\": [1.0], \"minimum\": 0.0, "
                   "\"maximum\": 2.0, \"values\": [], \"counts\": [0, 1, 1, 0, 0, 0, 0]}",
                   0, NULL);
    struct reason reason;
    assert_int_equal(baseline_add(&fixture->baseline, record, &reason), FAULT_NONE);
    json_decref(record);
    fixture->layout = layout_create(fixture->contract, fixture->baseline);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    layout_destroy(fixture->layout);
    baseline_destroy(fixture->baseline);
    contract_destroy(fixture->contract);
    heap_release(fixture);
    return 0;
}

static struct pane_key key_of(const char *version)
{
    return (struct pane_key){.model = span_text("m"),
                             .version = span_text(version),
                             .role = ROLE_SHADOW,
                             .part = PART_LATE,
                             .revision = 3,
                             .start_ms = 60000,
                             .end_ms = 120000};
}

static struct value number(double value)
{
    return (struct value){.kind = VALUE_DOUBLE, .number = value};
}

static struct value whole(int64_t value)
{
    return (struct value){.kind = VALUE_LONG, .integer = value, .number = (double)value};
}

static struct value words(const char *value)
{
    return (struct value){.kind = VALUE_TEXT, .text = span_text(value)};
}

static struct value truth(bool value)
{
    return (struct value){.kind = VALUE_BOOLEAN, .boolean = value};
}

/* Adds an event with this value in one column (by its place in the layout); the others are missing.
 */
static void add_one(struct pane *pane, size_t place, struct value value)
{
    struct value columns[4] = {{0}}, scores[1] = {{0}};
    struct event event = {.columns = columns, .scores = scores};
    if (place < 4)
        columns[place] = value;
    else if (place == 4)
        event.prediction = value;
    else
        scores[0] = value;
    pane_add(pane, &event, NULL, 0, 0, (int64_t)pane->events);
}

/* The value is counted once, in this cell. */
static void assert_only_cell(const struct layout *layout, size_t place, struct value value,
                             size_t expected)
{
    struct pane_key key = key_of("1");
    struct pane *pane = pane_create(&key, layout);
    add_one(pane, place, value);
    for (size_t cell = 0; cell < cells_count(layout->columns[place].cells); cell++) {
        if (pane->columns[place].cells[cell] != (cell == expected))
            fail_msg("column %zu: cell %zu, not %zu", place, cell, expected);
    }
    pane_destroy(pane);
}

static void test_cells(void **state)
{
    const struct fixture *fixture = *state;
    const struct value null = {.kind = VALUE_NULL}, missing = {0}, other = {.kind = VALUE_OTHER};
    const struct {
        size_t place;
        struct value value;
        size_t cell;
    } rows[] = {
        {0, number(-1), 0},
        {0, number(-HUGE_VAL), 0},
        {0, number(0), 1},
        {0, number(-0.0), 1},
        {0, whole(1), 1},
        {0, number(1.5), 2},
        {0, whole(3), 3},
        {0, number(HUGE_VAL), 3},
        {0, null, 4},
        {0, missing, 4},
        {0, number((double)NAN), 5},
        {0, words("1"), 6},
        {0, truth(true), 6},
        {0, other, 6},
        /* c: 7, a, b, null, nan, unseen */
        {1, words("b"), 2},
        {1, whole(7), 0},
        {1, number(7), 0},
        {1, null, 3},
        {1, number((double)NAN), 4},
        {1, words("z"), 5},
        {1, other, 5},
        /* b: false, true, null, nan, unseen */
        {2, truth(false), 0},
        {2, truth(true), 1},
        {2, missing, 2},
        {2, words("true"), 4},
        {2, whole(1), 4},
        /* i: null, nan, unseen */
        {3, null, 0},
        {3, words("x"), 2},
        {3, number((double)NAN), 2},
        /* prediction without a baseline: null, nan, unseen */
        {4, null, 0},
        {4, whole(1), 2},
        {4, other, 2},
        /* score without a baseline: as far as can be told without a cut */
        {5, missing, 0},
        {5, number((double)NAN), 1},
        {5, number(0.5), 2},
        {5, number(HUGE_VAL), 2},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_only_cell(fixture->layout, rows[i].place, rows[i].value, rows[i].cell);
}

static void test_sums(void **state)
{
    struct fixture *fixture = *state;
    struct pane_key key = key_of("1");
    struct pane *pane = pane_create(&key, fixture->layout);
    const double values[] = {1.5, -0.0, -2, (double)NAN, HUGE_VAL, 1e200, -1e200};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        add_one(pane, 0, number(values[i]));
    add_one(pane, 5, number(-0.0));
    add_one(pane, 5, number(0.0));
    const struct pane_column *n = &pane->columns[0], *score = &pane->columns[5];
    assert_int_equal(n->finite, 5);
    assert_true(exact_sum_round(&n->sum) == -0.5);
    assert_true(isinf(exact_sum_round(&n->squares))); /* 1e400 is beyond double, and no fault */
    assert_true(n->minimum == -1e200 && n->maximum == 1e200);
    assert_int_equal(score->finite, 2);
    assert_false(signbit(score->minimum)); /* -0.0 counts as 0.0, in any order */
    assert_false(signbit(score->maximum));
    assert_int_equal(pane->events, 9);
    assert_true(pane->changed);
    pane_destroy(pane);
}

static void test_violations(void **state)
{
    struct fixture *fixture = *state;
    struct pane_key key = key_of("1");
    struct pane *pane = pane_create(&key, fixture->layout);
    const char *const pairs[][2] = {
        {"n", "range"},          {"n", "range"},        {"n", "type_mismatch"},
        {"n", "not_a_number"},   {"c", "unseen_value"}, {"b", "null_value"},
        {"b", "missing_column"}, {"unknown", "range"},  {"", "clock_skew"},
        {"c", "something_new"},
    };
    struct pane_violation violations[COUNT_OF(pairs)];
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        violations[i] = (struct pane_violation){.column = span_text(pairs[i][0]),
                                                .reason = span_text(pairs[i][1])};
    struct value columns[4] = {{0}}, scores[1] = {{0}};
    const struct event event = {.columns = columns, .scores = scores};
    pane_add(pane, &event, violations, COUNT_OF(violations), 2, 10);
    assert_int_equal(pane->columns[0].range, 2);
    assert_int_equal(pane->columns[0].type, 2);
    assert_int_equal(pane->columns[1].values, 1);
    assert_int_equal(pane->columns[2].nulls, 2);
    assert_int_equal(pane->columns[1].range + pane->columns[1].nulls + pane->columns[1].type, 0);
    pane_destroy(pane);
}

static void test_offsets(void **state)
{
    struct fixture *fixture = *state;
    struct pane_key key = key_of("1");
    struct pane *pane = pane_create(&key, fixture->layout);
    struct value columns[4] = {{0}}, scores[1] = {{0}};
    const struct event event = {.columns = columns, .scores = scores};
    const int64_t added[][2] = {{5, 20}, {1, 7}, {5, 18}, {3, 1}, {1, 9}, {5, 19}};
    for (size_t i = 0; i < COUNT_OF(added); i++)
        pane_add(pane, &event, NULL, 0, (int32_t)added[i][0], added[i][1]);
    assert_int_equal(pane->offsets_count, 3);
    assert_true(pane->offsets[0].partition == 1 && pane->offsets[0].first == 7 &&
                pane->offsets[0].last == 9);
    assert_true(pane->offsets[1].partition == 3 && pane->offsets[1].first == 1);
    assert_true(pane->offsets[2].partition == 5 && pane->offsets[2].first == 18 &&
                pane->offsets[2].last == 20);
    pane_destroy(pane);
}

static void test_key(void **state)
{
    (void)state;
    struct pane_key key = key_of("1|%");
    key.segment = span_text("region=eu");
    struct buffer name = {0};
    pane_key_write(&key, &name);
    assert_true(
        span_is(buffer_span(&name), "m|1%7C%25|SHADOW|region=eu|3|VALIDATED|LATE|60000|120000"));
    buffer_fini(&name);
}

/* Through the schema's bytes, as window.panes carries it; checks the limit on the way. */
static json_t *carried(const json_t *record)
{
    struct buffer bytes = {0};
    struct reason reason = {""};
    json_t *again = NULL;
    const struct schema *schema = schema_embedded("window.panes");
    if (datum_encode(schema, record, &bytes, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    assert_true(bytes.size < 512 * 1024);
    if (datum_decode(schema, buffer_span(&bytes), &again, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    buffer_fini(&bytes);
    return again;
}

static void fill(struct pane *pane)
{
    struct value columns[4] = {{0}}, scores[1] = {{0}};
    struct event event = {.columns = columns, .scores = scores};
    const struct pane_violation violation = {.column = span_text("n"),
                                             .reason = span_text("range")};
    for (int i = 0; i < 100; i++) {
        columns[0] = number(i / 7.0 - 5);
        columns[1] = words(i % 2 == 0 ? "a" : "q");
        event.prediction = whole(i % 3);
        scores[0] = number(1.0 / (i + 1));
        pane_add(pane, &event, &violation, i % 10 == 0, i % 4, i);
    }
}

static void test_record(void **state)
{
    struct fixture *fixture = *state;
    struct pane_key key = key_of("1");
    key.segment = span_text("region=eu");
    struct pane *pane = pane_create(&key, fixture->layout);
    fill(pane);
    json_t *records = pane_records(pane);
    assert_int_equal(json_array_size(records), 1);
    json_t *record = carried(json_array_get(records, 0));
    assert_true(json_equal(record, json_array_get(records, 0)));
    struct pane_key read;
    assert_true(pane_record_key(record, &read));
    assert_true(span_equal(read.segment, key.segment) && span_is(read.version, "1"));
    assert_true(read.role == ROLE_SHADOW && read.feed == FEED_VALIDATED && read.part == PART_LATE);
    assert_true(read.revision == 3 && read.start_ms == 60000 && read.end_ms == 120000);
    struct pane *again = pane_create(&read, fixture->layout);
    struct reason reason = {""};
    assert_int_equal(pane_add_record(again, record, &reason), FAULT_NONE);
    json_t *second = pane_records(again);
    assert_true(json_equal(records, second));
    /* Twice into a longer window is a merge with itself. */
    struct pane_key hour = key;
    hour.start_ms = 0;
    hour.end_ms = 3600000;
    struct pane *window = pane_create(&hour, fixture->layout);
    assert_int_equal(pane_add_record(window, record, &reason), FAULT_NONE);
    pane_merge(window, pane);
    assert_int_equal(window->events, 200);
    assert_int_equal(window->columns[0].range, 20);
    assert_true(exact_sum_round(&window->columns[5].sum) ==
                2 * exact_sum_round(&pane->columns[5].sum));
    pane_destroy(window);
    pane_destroy(again);
    pane_destroy(pane);
    json_decref(second);
    json_decref(record);
    json_decref(records);
}

static void test_empty(void **state)
{
    struct fixture *fixture = *state;
    struct pane_key key = key_of("1");
    struct pane *pane = pane_create(&key, fixture->layout);
    json_t *records = pane_records(pane);
    json_t *record = carried(json_array_get(records, 0));
    assert_true(json_is_null(json_object_get(record, "segment")));
    struct reason reason;
    assert_int_equal(pane_add_record(pane, record, &reason), FAULT_NONE);
    assert_int_equal(pane->events, 0);
    json_decref(record);
    json_decref(records);
    pane_destroy(pane);
}

/* 300 categories of 500 listed values each: several chunks that add up, in any order. */
static void test_chunks(void **state)
{
    (void)state;
    struct buffer yaml = {0};
    buffer_format(&yaml, HEAD "columns:\n");
    for (int i = 0; i < 300; i++) {
        buffer_format(&yaml, "  column_%03d: {type: category, values: [", i);
        for (int j = 0; j < 500; j++)
            buffer_format(&yaml, "%sv%d", j == 0 ? "" : ",", j);
        buffer_format(&yaml, "]}\n");
    }
    buffer_format(&yaml, "monitors:\n  - {quality: nulls, columns: \"*\", window: 1h, max: 0}\n");
    buffer_append_byte(&yaml, 0);
    struct contract *contract = contract_of((const char *)yaml.bytes);
    struct layout *layout = layout_create(contract, NULL);
    struct pane_key key = key_of("1");
    struct pane *pane = pane_create(&key, layout), *again = pane_create(&key, layout);
    struct value *columns = heap_zeroed(300, sizeof *columns), scores[1] = {{0}};
    const struct event event = {.columns = columns, .scores = scores};
    for (size_t i = 0; i < 300; i++)
        columns[i] = words(i % 2 == 0 ? "v7" : "v499");
    pane_add(pane, &event, NULL, 0, 0, 5);
    for (size_t i = 0; i < 300; i++) { /* counts of nine digits, as a busy pane has them */
        for (size_t j = 0; j < 500; j++)
            pane->columns[i].cells[j] += 123456789012;
    }
    json_t *records = pane_records(pane);
    const size_t count = json_array_size(records);
    assert_true(count > 1);
    for (size_t i = count; i > 0; i--) {
        json_t *record = carried(json_array_get(records, i - 1));
        assert_int_equal(json_integer_value(json_object_get(record, "chunk")), i - 1);
        assert_int_equal(json_integer_value(json_object_get(record, "chunks")), count);
        struct reason reason = {""};
        if (pane_add_record(again, record, &reason) != FAULT_NONE)
            fail_msg("%s", reason.text);
        json_decref(record);
    }
    assert_int_equal(again->events, 1);
    json_t *second = pane_records(again);
    assert_true(json_equal(records, second));
    json_decref(second);
    json_decref(records);
    heap_release(columns);
    pane_destroy(again);
    pane_destroy(pane);
    layout_destroy(layout);
    contract_destroy(contract);
    buffer_fini(&yaml);
}

/* Sets a field (of column 0 where path begins with a dot) and expects the record to be refused, the
 * pane unchanged. */
static void assert_refused(struct pane *pane, const json_t *record, const char *path,
                           const char *value)
{
    json_t *spoilt = json_deep_copy(record), *before = pane_records(pane);
    json_t *place = path[0] == '.' ? json_array_get(json_object_get(spoilt, "columns"), 0) : spoilt;
    json_t *given = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_int_equal(json_object_set_new(place, path + (path[0] == '.'), given), 0);
    struct reason reason = {""};
    if (pane_add_record(pane, spoilt, &reason) != FAULT_RECORD_MALFORMED)
        fail_msg("%s: %s", path, value);
    assert_string_not_equal(reason.text, "");
    json_t *after = pane_records(pane);
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    json_decref(spoilt);
}

static void test_refused(void **state)
{
    struct fixture *fixture = *state;
    struct pane_key key = key_of("1");
    struct pane *pane = pane_create(&key, fixture->layout);
    fill(pane);
    json_t *records = pane_records(pane);
    const json_t *record = json_array_get(records, 0);
    const char *const spoilt[][2] = {
        {"role", "\"KING\""},
        {"feed", "\"OTHER\""},
        {"part", "null"},
        {"model", "5"},
        {"version", "null"},
        {"start", "120000"},
        {"start", "0"},
        {"end", "3600000"},
        {"contract_revision", "5000000000"},
        {"events", "-1"},
        {"segment", "7"},
        {"offsets", "null"},
        {"offsets", "[{\"partition\": -1, \"first\": 0, \"last\": 0}]"},
        {"offsets", "[{\"partition\": 1, \"first\": 5, \"last\": 4}]"},
        {"columns", "[{}]"},
        {".name", "\"other\""},
        {".name", "null"},
        {".cells", "[1, 2]"},
        {".cells", "[0, 0, 0, 0, 0, 0, -1]"},
        {".cells", "[0, 0, 0, 0, 0, 0, 0.5]"},
        {".finite", "null"},
        {".sum", "{}"},
        {".squares", "null"},
        {".minimum", "null"},
        {".minimum", "1e9"},
        {".maximum", "\"1\""},
        {".finite", "0"},
        {".range", "-1"},
        {".type", "null"},
    };
    for (size_t i = 0; i < COUNT_OF(spoilt); i++)
        assert_refused(pane, record, spoilt[i][0], spoilt[i][1]);
    struct pane_key read;
    assert_false(pane_record_key(records, &read));
    json_decref(records);
    pane_destroy(pane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),      cmocka_unit_test(test_sums),
        cmocka_unit_test(test_violations), cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_key),        cmocka_unit_test(test_record),
        cmocka_unit_test(test_empty),      cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
