/* Goal: a baseline is cut and counted as baseline.h says, survives its records in any order, and
 * refuses what does not fit. Method: services/example/reference.csv against
 * golden/baseline_golden.json (computed from the definition by golden/baseline_golden.py); small
 * references for every type of column, as CSV and as JSONL; records through their schema and back,
 * shuffled; a table of refused references and of spoilt records. */
#include "avro/datum.h"
#include "memory/heap.h"
#include "model/baseline.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
/* after the system's */
#include <cmocka.h>

static struct contract *contract_of(const char *text)
{
    struct contract *contract = NULL;
    struct reason reason = {""};
    if (contract_parse("test.yaml", span_text(text), &contract, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    return contract;
}

#define BINARY "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: https://r.example/\n"

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = heap_zeroed(1, 1 << 20);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* Builds from text; NULL and the reason where it is refused. */
static struct baseline *built(const struct contract *contract, const char *suffix, const char *text,
                              struct reason *reason)
{
    char path[] = "/tmp/plumb-baseline-XXXXXX.jsonl";
    path[sizeof "/tmp/plumb-baseline-XXXXXX" - 1] = 0;
    const int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    char *name = heap_format("%s%s", path, suffix);
    assert_int_equal(rename(path, name), 0);
    FILE *stream = fopen(name, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(text, 1, strlen(text), stream), strlen(text));
    assert_int_equal(fclose(stream), 0);
    struct baseline *baseline = NULL;
    const enum fault fault = baseline_build(contract, "1", name, &baseline, reason);
    assert_int_equal(fault == FAULT_NONE, baseline != NULL);
    if (fault != FAULT_NONE && strncmp(reason->text, name, strlen(name)) == 0)
        memmove(reason->text, reason->text + strlen(name), strlen(reason->text + strlen(name)) + 1);
    (void)unlink(name);
    heap_release(name);
    return baseline;
}

static struct baseline *must_build(const struct contract *contract, const char *suffix,
                                   const char *text)
{
    struct reason reason = {""};
    struct baseline *baseline = built(contract, suffix, text, &reason);
    if (baseline == NULL)
        fail_msg("%s", reason.text);
    return baseline;
}

static void assert_counts(const struct baseline *baseline, const char *name, size_t count,
                          const uint64_t *counts)
{
    const struct baseline_column *column = baseline_column(baseline, name);
    assert_non_null(column);
    assert_int_equal(cells_count(column->cells), count);
    uint64_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        if (column->counts[i] != counts[i])
            fail_msg("%s: cell %zu: %llu, not %llu", name, i, (unsigned long long)column->counts[i],
                     (unsigned long long)counts[i]);
        rows += counts[i];
    }
    assert_int_equal(column->rows, rows);
}
#define ASSERT_COUNTS(baseline, name, ...)                                                         \
    assert_counts(baseline, name, COUNT_OF(((uint64_t[]){__VA_ARGS__})),                           \
                  (const uint64_t[]){__VA_ARGS__})

/* Through the schema's bytes, as model.baselines carries it. */
static json_t *carried(json_t *record)
{
    struct buffer bytes = {0};
    struct reason reason = {""};
    const struct schema *schema = schema_embedded("model.baselines");
    json_t *again = NULL;
    if (datum_encode(schema, record, &bytes, &reason) != FAULT_NONE ||
        datum_decode(schema, buffer_span(&bytes), &again, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    buffer_fini(&bytes);
    json_decref(record);
    return again;
}

/* ---- tests ---- */

static void test_example(void **state)
{
    (void)state;
    char *text = read_whole(SOURCE_FOLDER "/services/example/contract.yaml");
    struct contract *contract = contract_of(text);
    struct baseline *baseline = NULL;
    struct reason reason = {""};
    if (baseline_build(contract, "", SOURCE_FOLDER "/services/example/reference.csv", &baseline,
                       &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    json_t *golden =
        json_load_file(SOURCE_FOLDER "/tests/unit/golden/baseline_golden.json", 0, NULL);
    assert_non_null(golden);
    json_t *columns = json_object_get(golden, "columns"), *expected;
    assert_int_equal(baseline->column_count, json_object_size(columns));
    assert_true(baseline_is_complete(baseline));
    const char *name, *const parts[] = {"cuts", "minimum", "maximum", "values", "counts"};
    json_object_foreach(columns, name, expected)
    {
        const struct baseline_column *column = baseline_column(baseline, name);
        assert_non_null(column);
        json_t *record = baseline_record(baseline, (size_t)(column - baseline->columns));
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
            if (!json_equal(json_object_get(record, parts[i]), json_object_get(expected, parts[i])))
                fail_msg("%s: %s", name, parts[i]);
        }
        assert_true(json_equal(json_object_get(record, "rows"), json_object_get(golden, "rows")));
        json_decref(record);
    }
    json_decref(golden);
    baseline_destroy(baseline);
    contract_destroy(contract);
    heap_release(text);
}

static const char mixed[] =
    BINARY "columns:\n  n: {type: number}\n  c: {type: category}\n  b: {type: boolean}\n"
           "  i: {type: id}\n  o: {type: number, required: false}\nmonitors:\n"
           "  - {drift: psi, columns: \"*\", window: 1h, reference: baseline}\n";

static void test_types(void **state)
{
    (void)state;
    struct contract *contract = contract_of(mixed);
    const char *const csv = "n,c,b,i,prediction,score,extra\n"
                            "1,x,true,1,1,0.5,\n"
                            "2,y,False,2,up,0.25,q\n"
                            "nan,x,1,3,TRUE,,q\n"
                            "-inf,,0,,0.0,1e3,q\n"
                            ",\"\",,5,down,inf,q\n";
    const char *const jsonl =
        "{\"n\": 1, \"c\": \"x\", \"b\": true, \"i\": 1, \"prediction\": 1, \"score\": 0.5}\n"
        "{\"features\": {\"n\": 2.0, \"c\": \"y\", \"b\": false, \"i\": \"2\"}, \"prediction\": "
        "\"up\", \"scores\": {\"up\": 0.25}}\n"
        "{\"c\": \"x\", \"b\": true, \"i\": 3, \"prediction\": true}\n"
        "{\"n\": null, \"b\": false, \"prediction\": 0.0, \"score_up\": 1e3}\n"
        "{\"c\": \"\", \"b\": null, \"i\": 5, \"prediction\": \"down\", \"score\": null}\n";
    struct baseline *one = must_build(contract, ".csv", csv);
    struct baseline *other = must_build(contract, ".jsonl", jsonl);
    /* underflow, = 1, (1, 2], overflow, null, nan, unseen */
    ASSERT_COUNTS(one, "n", 1, 1, 1, 0, 1, 1, 0);
    ASSERT_COUNTS(other, "n", 0, 1, 1, 0, 3, 0, 0);
    ASSERT_COUNTS(one, "score", 0, 1, 1, 1, 1, 1, 0, 0);
    ASSERT_COUNTS(other, "score", 0, 1, 1, 1, 0, 2, 0, 0);
    for (int i = 0; i < 2; i++) {
        const struct baseline *baseline = i == 0 ? one : other;
        ASSERT_COUNTS(baseline, "c", 1, 2, 1, 1, 0, 0); /* "", x, y, null, nan, unseen */
        ASSERT_COUNTS(baseline, "b", 2, 2, 1, 0, 0);    /* false, true */
        ASSERT_COUNTS(baseline, "i", 1, 0, 4);          /* values of ids are not kept */
        ASSERT_COUNTS(baseline, "prediction", 2, 3, 0, 0, 0);
        assert_null(baseline_column(baseline, "o"));
        assert_null(baseline_column(baseline, "extra"));
        assert_int_equal(baseline_record_count(baseline), 6);
        assert_string_equal(baseline->columns[0].name, "n");
        assert_string_equal(baseline->columns[4].name, "prediction");
        assert_string_equal(baseline->columns[5].name, "score");
    }
    assert_string_not_equal(one->hash, other->hash);
    baseline_destroy(one);
    baseline_destroy(other);
    contract_destroy(contract);
}

static void test_no_number(void **state)
{
    (void)state;
    struct contract *contract = contract_of(BINARY "columns:\n  n: {type: number}\nmonitors:\n"
                                                   "  - {quality: nulls, window: 1h, columns: "
                                                   "[n], max: 0}\n");
    struct baseline *baseline = must_build(contract, ".csv", "n\n\"\"\nNaN\ninf\n");
    ASSERT_COUNTS(baseline, "n", 1, 1, 1); /* null, nan, unseen: no cell to be above */
    assert_true(baseline->columns[0].is_number);
    json_t *record = carried(baseline_record(baseline, 0));
    struct baseline *again = NULL;
    struct reason reason;
    assert_int_equal(baseline_add(&again, record, &reason), FAULT_NONE);
    ASSERT_COUNTS(again, "n", 1, 1, 1);
    assert_true(again->columns[0].is_number);
    json_decref(record);
    baseline_destroy(again);
    baseline_destroy(baseline);
    contract_destroy(contract);
}

static void test_many_values(void **state)
{
    (void)state;
    struct contract *contract = contract_of(mixed);
    struct buffer text = {0};
    buffer_format(&text, "n,c,b,i\n");
    for (int i = 0; i < 1500; i++)
        buffer_format(&text, "1,v%d,true,1\n1,v%d,true,1\n", i, i);
    char longest[300];
    memset(longest, 'l', sizeof longest);
    buffer_format(&text, "1,%.257s,true,1\n1,%.256s,true,1\n", longest, longest);
    buffer_append_byte(&text, 0);
    struct baseline *baseline = must_build(contract, ".csv", (const char *)text.bytes);
    const struct baseline_column *column = baseline_column(baseline, "c");
    assert_int_equal(cells_count(column->cells), 1024 + 3);
    assert_int_equal(column->rows, 3002);
    uint64_t kept = 0;
    for (size_t i = 0; i < 1024; i++) {
        assert_in_range(column->counts[i], 1, 2);
        kept += column->counts[i];
    }
    assert_int_equal(column->counts[cells_unseen(column->cells)], 3002 - kept);
    baseline_destroy(baseline);
    buffer_fini(&text);
    contract_destroy(contract);
}

static void test_records(void **state)
{
    (void)state;
    struct contract *contract = contract_of(mixed);
    struct baseline *baseline =
        must_build(contract, ".csv",
                   "n,c,b,i,o,prediction,score\n1,x,true,1,,1,0.5\n0.1,\xC3\xA4,false,2,,0,0.1\n");
    struct baseline *again = NULL;
    struct reason reason = {""};
    const size_t count = baseline_record_count(baseline);
    for (size_t i = count; i > 0; i--) {
        json_t *record = carried(baseline_record(baseline, i - 1));
        assert_false(again != NULL && baseline_is_complete(again));
        assert_int_equal(baseline_add(&again, record, &reason), FAULT_NONE);
        assert_int_equal(baseline_add(&again, record, &reason), FAULT_NONE); /* once more */
        assert_int_equal(again->column_count, count - i + 1);
        json_decref(record);
    }
    assert_true(baseline_is_complete(again));
    assert_string_equal(again->hash, baseline->hash);
    assert_string_equal(again->version, "1");
    for (size_t i = 0; i < count; i++) {
        const struct baseline_column *column = &baseline->columns[i];
        const struct baseline_column *read = baseline_column(again, column->name);
        assert_true(cells_equal(column->cells, read->cells));
        assert_int_equal(column->is_number, read->is_number);
        assert_int_equal(column->rows, read->rows);
        assert_memory_equal(column->counts, read->counts,
                            cells_count(column->cells) * sizeof(uint64_t));
    }
    char *hash = baseline_hash(baseline);
    assert_string_equal(hash, baseline->hash);
    assert_int_equal(strlen(hash), 32);
    heap_release(hash);
    baseline_destroy(again);
    baseline_destroy(baseline);
    contract_destroy(contract);
}

static void test_refused_references(void **state)
{
    (void)state;
    struct contract *contract = contract_of(mixed);
    static const struct {
        const char *suffix, *text, *message;
    } refused[] = {
        {".csv", "n,c,b\n1,x,true\n", ":1: no column 'i', which the contract requires"},
        {".csv", "n,c,b,i\n", ":2: no rows"},
        {".csv", "n,c,b,i\n1,x,true,1\nabc,x,true,1\n", ":3: column n: not a number"},
        {".csv", "n,c,b,i\n1,x,yes,1\n", ":2: column b: not a boolean"},
        {".csv", "n,c,b,i,score\n1,x,true,1,high\n", ":2: column score: not a number"},
        {".jsonl", "{\"n\": \"1\", \"c\": \"x\"}\n", ":1: column n: not a number"},
        {".jsonl", "{\"n\": true}\n", ":1: column n: not a number"},
        {".jsonl", "{\"n\": 1, \"c\": [1]}\n", ":1: column c: not a single value"},
        {".jsonl", "{\"n\": 1, \"c\": \"x\", \"b\": \"true\"}\n", ":1: column b: not a boolean"},
        {".jsonl", "{\"n\": 1, \"c\": \"x\", \"b\": true}\n",
         ":2: no row has 'i', which the contract requires"},
        {".jsonl", "", ":1: no rows"},
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct reason reason = {""};
        assert_null(built(contract, refused[i].suffix, refused[i].text, &reason));
        assert_string_equal(reason.text, refused[i].message);
    }
    struct baseline *baseline = NULL;
    struct reason reason = {""};
    assert_int_equal(baseline_build(contract, "", "/nowhere.csv", &baseline, &reason),
                     FAULT_FILE_UNREADABLE);
    assert_string_equal(reason.text, "/nowhere.csv: No such file or directory");
    contract_destroy(contract);
}

static void test_refused_records(void **state)
{
    (void)state;
    struct contract *contract = contract_of(mixed);
    struct baseline *source = must_build(contract, ".csv", "n,c,b,i\n1,x,true,1\n2,y,true,1\n");
    static const struct {
        size_t column;
        const char *field, *value;
    } spoilt[] = {
        {0, "cuts", "[2.0]"},
        {0, "cuts", "[]"},
        {0, "cuts", "[1.0, 1.0]"},
        {0, "minimum", "null"},
        {0, "minimum", "3.0"},
        {0, "counts", "[1]"},
        {0, "counts", "[0, 1, 1, 0, 0, 0, -1]"},
        {0, "type", "\"CATEGORY\""},
        {0, "type", "\"OTHER\""},
        {0, "column_count", "0"},
        {0, "column_count", "1000000"},
        {0, "column", "null"},
        {1, "values", "[\"y\", \"x\"]"},
        {1, "values", "[\"x\", \"x\"]"},
        {1, "values", "[\"x\", 5]"},
        {1, "values", "[\"x\"]"},
        {1, "cuts", "[1.0]"},
        {1, "model", "null"},
        {1, "hash", "null"},
    };
    for (size_t i = 0; i < COUNT_OF(spoilt); i++) {
        json_t *record = baseline_record(source, spoilt[i].column);
        json_t *value = json_loads(spoilt[i].value, JSON_DECODE_ANY, NULL);
        assert_int_equal(json_object_set_new(record, spoilt[i].field, value), 0);
        struct baseline *baseline = NULL;
        struct reason reason = {""};
        if (baseline_add(&baseline, record, &reason) != FAULT_RECORD_MALFORMED || baseline != NULL)
            fail_msg("%s: %s", spoilt[i].field, spoilt[i].value);
        assert_string_not_equal(reason.text, "");
        json_decref(record);
    }
    /* A column of another baseline leaves the first as it is. */
    struct baseline *baseline = NULL;
    struct reason reason;
    json_t *record = baseline_record(source, 0);
    assert_int_equal(baseline_add(&baseline, record, &reason), FAULT_NONE);
    assert_int_equal(json_object_set_new(record, "hash", json_string("0")), 0);
    assert_int_equal(baseline_add(&baseline, record, &reason), FAULT_RECORD_MALFORMED);
    assert_int_equal(baseline->column_count, 1);
    json_decref(record);
    baseline_destroy(baseline);
    baseline_destroy(source);
    contract_destroy(contract);
}

static void test_prediction(void **state)
{
    (void)state;
    struct contract *contract = contract_of(mixed);
    static const struct {
        struct value value;
        const char *expected;
    } rows[] = {
        {{.kind = VALUE_LONG, .integer = 1, .number = 1}, "1"},
        {{.kind = VALUE_LONG, .integer = 2, .number = 2}, "0"},
        {{.kind = VALUE_DOUBLE, .number = 1}, "1"},
        {{.kind = VALUE_DOUBLE, .number = 0.5}, "0"},
        {{.kind = VALUE_BOOLEAN, .boolean = true}, "1"},
        {{.kind = VALUE_BOOLEAN}, "0"},
        {{.kind = VALUE_TEXT, .text = {(const uint8_t *)"up", 2}}, "1"},
        {{.kind = VALUE_TEXT, .text = {(const uint8_t *)"true", 4}}, "1"},
        {{.kind = VALUE_TEXT, .text = {(const uint8_t *)"1", 1}}, "1"},
        {{.kind = VALUE_TEXT, .text = {(const uint8_t *)"down", 4}}, "0"},
    };
    char scratch[40];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_true(
            span_is(baseline_prediction(contract, &rows[i].value, scratch), rows[i].expected));
    assert_false(baseline_prediction_is_number(contract));
    contract_destroy(contract);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),         cmocka_unit_test(test_types),
        cmocka_unit_test(test_no_number),       cmocka_unit_test(test_many_values),
        cmocka_unit_test(test_records),         cmocka_unit_test(test_refused_references),
        cmocka_unit_test(test_refused_records), cmocka_unit_test(test_prediction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
