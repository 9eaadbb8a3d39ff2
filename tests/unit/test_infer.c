/* Goal: what contract infer writes parses, fits the rows it came from, and guesses what a person
 * would. Method: small CSV and JSONL files written here, and the example's reference; the YAML is
 * parsed back and looked at as a contract. */
#include "memory/heap.h"
#include "model/contract.h"
#include "model/infer.h"
#include "model/infer_column.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <float.h>
#include <unistd.h>

static char *file_write(struct span text, const char *ending)
{
    char *path = heap_format("/tmp/test_infer_XXXXXX%s", ending);
    const int file = mkstemps(path, (int)strlen(ending));
    assert_true(file >= 0);
    assert_int_equal(write(file, text.bytes, text.size), (ssize_t)text.size);
    assert_int_equal(close(file), 0);
    return path;
}

static const struct infer_options named = {.model = "m"};

/* The contract of a file; its YAML is contract->text. */
static struct contract *inferred_file(const char *path, const struct infer_options *options)
{
    struct buffer yaml = {0};
    struct reason reason = {{0}};
    struct contract *contract = NULL;
    if (infer_contract(path, options, &yaml, &reason) != FAULT_NONE ||
        contract_parse("inferred", buffer_span(&yaml), &contract, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    buffer_fini(&yaml);
    return contract;
}

static struct contract *inferred(struct buffer *rows, const char *ending)
{
    char *path = file_write(buffer_span(rows), ending);
    struct contract *contract = inferred_file(path, &named);
    assert_int_equal(unlink(path), 0);
    heap_release(path);
    buffer_fini(rows);
    return contract;
}

static const struct contract_column *column_of(const struct contract *contract, const char *name)
{
    const struct contract_column *column = contract_column(contract, span_text(name));
    if (column == NULL)
        fail_msg("no column %s in\n%s", name, contract->text);
    return column;
}

static void test_example(void **state)
{
    (void)state;
    const struct infer_options options = {.owner = "grid-ml", .positive = "up"};
    struct contract *contract =
        inferred_file(SOURCE_FOLDER "/services/example/reference.csv", &options);
    assert_string_equal(contract->model, "reference");
    assert_string_equal(contract->owner, "grid-ml");
    assert_string_equal(contract->positive, "up");
    assert_int_equal(contract->task, TASK_BINARY);
    assert_int_equal(contract->column_count, 6);
    static const char *const names[] = {"period",   "nswprice",  "nswdemand",
                                        "vicprice", "vicdemand", "transfer"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_string_equal(contract->columns[i].name, names[i]);
        assert_int_equal(contract->columns[i].type, COLUMN_NUMBER);
        assert_true(contract->columns[i].has_range);
        assert_true(contract->columns[i].low >= 0 && contract->columns[i].high <= 1.1);
        assert_true(contract->columns[i].nulls_max_rate == 0.01);
        assert_true(contract->columns[i].required);
    }
    assert_true(contract->columns[0].low == 0 && contract->columns[0].high == 1);
    assert_int_equal(contract->monitor_count, 4);
    assert_false(contract->retrain.present);
    contract_destroy(contract);
}

static void test_types(void **state)
{
    (void)state;
    struct buffer rows = {0};
    buffer_format(&rows, "amount,country,fast,note,user_id,hash,city,empty,label,prediction\n");
    static const char *const countries[] = {"DE", "FR", "NO", "it's: \"odd\" #1"};
    for (unsigned i = 0; i < 200; i++) {
        char country[64] = {0};
        for (size_t from = 0, to = 0; countries[i % 4][from] != 0; from++) {
            country[to++] = countries[i % 4][from];
            if (countries[i % 4][from] == '"')
                country[to++] = '"';
        }
        buffer_format(&rows,
                      "%u,\"%s\",%s,some words of note number %u and yet more of them,%u,%08x,"
                      "city %u,,%s,%s\n",
                      i * 10, country, i % 2 == 0 ? "True" : "false", i, i * 7, i * 2654435761u,
                      i % 90, i % 10 == 0 ? "bad" : "good", i % 9 == 0 ? "bad" : "good");
    }
    struct contract *contract = inferred(&rows, ".csv");
    const struct contract_column *amount = column_of(contract, "amount");
    assert_int_equal(amount->type, COLUMN_NUMBER);
    assert_true(amount->low == 0 && amount->high == 2200);
    const struct contract_column *country = column_of(contract, "country");
    assert_int_equal(country->type, COLUMN_CATEGORY);
    assert_int_equal(country->value_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(country->values[i], countries[i]);
    assert_int_equal(column_of(contract, "fast")->type, COLUMN_BOOLEAN);
    assert_int_equal(column_of(contract, "note")->type, COLUMN_TEXT);
    assert_int_equal(column_of(contract, "user_id")->type, COLUMN_ID);
    assert_int_equal(column_of(contract, "hash")->type, COLUMN_ID);
    assert_int_equal(column_of(contract, "city")->type, COLUMN_CATEGORY);
    assert_null(column_of(contract, "city")->values);
    assert_int_equal(column_of(contract, "empty")->type, COLUMN_TEXT);
    assert_false(column_of(contract, "empty")->has_nulls_max_rate);
    assert_int_equal(contract->column_count, 8);
    assert_int_equal(contract->task, TASK_BINARY);
    assert_string_equal(contract->positive, "bad");
    /* "*": all but the text and ids, then prediction and score. */
    assert_int_equal(contract->monitors[0].column_count, 6);
    contract_destroy(contract);
}

static void test_nulls_and_missing(void **state)
{
    (void)state;
    struct buffer rows = {0};
    for (unsigned i = 0; i < 1000; i++) {
        buffer_format(&rows, "{\"features\": {\"a\": %s, \"score_extra\": %u.5", //
                      i % 10 == 0 ? "null" : "1.5", i);
        if (i % 2 == 0)
            buffer_format(&rows, ", \"b\": %u", i);
        if (i == 3)
            buffer_format(&rows, ", \"list\": [1, 2]");
        buffer_format(&rows,
                      "}, \"note\": \"x\", \"event_id\": \"%u\", \"scores\": {\"down\": 0.5, "
                      "\"up\": 0.5}, \"prediction\": %s}\n",
                      i, i % 2 == 0 ? "true" : "false");
    }
    struct contract *contract = inferred(&rows, ".jsonl");
    assert_int_equal(contract->column_count, 3); /* a, score_extra, b; list is left out */
    const struct contract_column *a = column_of(contract, "a");
    assert_true(a->nulls_max_rate > 0.12 && a->nulls_max_rate < 0.14);
    assert_true(a->required);
    assert_true(a->low < 1.5 && a->high > 1.5 && a->low > 0);
    assert_false(column_of(contract, "b")->required);
    assert_true(column_of(contract, "score_extra")->has_range);
    assert_non_null(strstr(contract->text, "# list is left out"));
    assert_int_equal(contract->task, TASK_BINARY);
    assert_string_equal(contract->positive, "up");
    contract_destroy(contract);
}

static struct contract *inferred_labels(const char *format, unsigned count)
{
    struct buffer rows = {0};
    buffer_format(&rows, "a,label\n");
    for (unsigned i = 0; i < 300; i++) {
        buffer_format(&rows, "1,");
        buffer_format(&rows,
                      format[0] == 'n'   ? "%u\n"
                      : format[0] == 'r' ? "%u.25\n"
                                         : "c%u\n",
                      i % count);
    }
    return inferred(&rows, ".csv");
}

static void test_tasks(void **state)
{
    (void)state;
    static const struct {
        const char *format; /* number, real, class */
        unsigned count;
        enum contract_task task;
        const char *positive;
    } cases[] = {{"n", 2, TASK_BINARY, "1"},        {"n", 5, TASK_MULTICLASS, NULL},
                 {"n", 100, TASK_REGRESSION, NULL}, {"r", 5, TASK_REGRESSION, NULL},
                 {"c", 2, TASK_BINARY, "c0"},       {"c", 40, TASK_MULTICLASS, NULL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct contract *contract = inferred_labels(cases[i].format, cases[i].count);
        assert_int_equal(contract->task, cases[i].task);
        if (cases[i].positive == NULL)
            assert_null(contract->positive);
        else
            assert_string_equal(contract->positive, cases[i].positive);
        contract_destroy(contract);
    }
    struct buffer rows = {0};
    buffer_format(&rows, "a,score\n1,0.5\n");
    struct contract *contract = inferred(&rows, ".csv");
    assert_int_equal(contract->task, TASK_BINARY);
    assert_string_equal(contract->positive, "1");
    contract_destroy(contract);
    buffer_format(&rows, "a,\"b\nc\",\"d: #{\"\n1,2,x\n");
    contract = inferred(&rows, ".csv");
    assert_int_equal(contract->task, TASK_REGRESSION);
    assert_int_equal(contract->column_count, 2); /* b\nc cannot be a name */
    (void)column_of(contract, "d: #{");
    contract_destroy(contract);
}

static void assert_range(double minimum, double maximum, double low, double high)
{
    struct infer_column *column = infer_column_create("x");
    infer_column_add(column, &(struct value){.kind = VALUE_DOUBLE, .number = minimum}, false);
    infer_column_add(column, &(struct value){.kind = VALUE_DOUBLE, .number = maximum}, false);
    double out_low = 0, out_high = 0;
    infer_column_range(column, &out_low, &out_high);
    assert_true(out_low <= minimum && out_high >= maximum);
    if (out_low != low || out_high != high)
        fail_msg("%.17g %.17g became [%.17g, %.17g]", minimum, maximum, out_low, out_high);
    infer_column_destroy(column);
}

static void test_ranges(void **state)
{
    (void)state;
    assert_range(0.5, 10000, 0, 11000);
    assert_range(-5, 5, -6, 6);
    assert_range(0.1, 0.9, 0, 1);
    assert_range(0, 1, 0, 1);
    assert_range(-0.3, -0.1, -0.32, -0.08);
    assert_range(100, 100, 90, 110);
    assert_range(0, 0, 0, 1);
    assert_range(1, 1, 0.9, 1.1);
    assert_range(-DBL_MAX, DBL_MAX, -DBL_MAX, DBL_MAX);
    assert_range(0, 4.9406564584124654e-324, 0, 4.9406564584124654e-324);
}

static void test_refused(void **state)
{
    (void)state;
    struct buffer yaml = {0};
    struct reason reason = {{0}};
    assert_int_equal(infer_contract("/nowhere/at.csv", &named, &yaml, &reason),
                     FAULT_FILE_UNREADABLE);
    static const struct {
        const char *rows, *ending, *reason;
    } cases[] = {{"a,b\n", ".csv", ": no rows"},
                 {"", ".jsonl", ": no rows"},
                 {"label,score\n1,2\n", ".csv", ": no columns of features"},
                 {"{\"features\": {}, \"label\": 1}\n", ".jsonl", ": no columns of features"},
                 {"{\"a\": 1}\n{\"a\"\n", ".jsonl", NULL},
                 {"{\"list\": [1]}\n", ".jsonl", NULL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *path = file_write(span_text(cases[i].rows), cases[i].ending);
        assert_int_equal(infer_contract(path, &named, &yaml, &reason), FAULT_FILE_MALFORMED);
        assert_int_equal(strncmp(reason.text, path, strlen(path)), 0);
        if (cases[i].reason != NULL)
            assert_string_equal(reason.text + strlen(path), cases[i].reason);
        assert_int_equal(yaml.size, 0);
        assert_int_equal(unlink(path), 0);
        heap_release(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_nulls_and_missing),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
