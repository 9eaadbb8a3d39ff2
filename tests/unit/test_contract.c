/* Goal: a contract's YAML becomes what it says (but for monitors: test_contract_monitor), and each
 * error in one is told with its place and what is meant. Method: the example's contract and small
 * ones written here; every kind of refusal by its text; the JSON Schema for editors is held against
 * the parser. */
#include "contract_fixture.h"
#include "memory/heap.h"
#include "model/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

/* A single column (line 7) is refused. */
static void assert_column_refused(const char *column, const char *expected)
{
    char *text = heap_format("%scolumns:\n  a: %s\n", HEAD, column);
    char *whole = heap_format("c.yaml:7:%s", expected);
    contract_fixture_refused(text, whole);
    heap_release(text);
    heap_release(whole);
}

static void test_columns(void **state)
{
    (void)state;
    struct contract *contract = contract_fixture_parsed(HEAD COLUMNS);
    assert_string_equal(contract->model, "fraud");
    assert_string_equal(contract->owner, "payments-ml");
    assert_string_equal(contract->runbook, "https://r/f");
    assert_string_equal(contract->positive, "fraud");
    assert_int_equal(contract->task, TASK_BINARY);
    assert_int_equal(contract->score_count, 1);
    assert_string_equal(contract->scores[0], "fraud");
    assert_string_equal(contract->text, HEAD COLUMNS);
    assert_int_equal(contract->revision, 1);
    assert_true(contract->effective_from_ms == INT64_MIN);
    assert_int_equal(contract->baseline_count, 0);
    assert_int_equal(contract->column_count, 5);
    const struct contract_column *amount = contract_column(contract, span_text("amount"));
    assert_ptr_equal(amount, &contract->columns[0]);
    assert_int_equal(amount->type, COLUMN_NUMBER);
    assert_true(amount->required && amount->has_range && amount->has_nulls_max_rate);
    assert_true(amount->low == 0 && amount->high == 10000 && amount->nulls_max_rate == 0.01);
    assert_int_equal(amount->on_type, VIOLATION_REJECT);
    assert_int_equal(amount->on_violation, VIOLATION_FLAG);
    assert_int_equal(amount->on_unseen, VIOLATION_FLAG);
    const struct contract_column *country = contract_column(contract, span_text("country"));
    assert_int_equal(country->value_count, 3);
    assert_string_equal(country->values[2], "NO");
    assert_int_equal(country->on_unseen, VIOLATION_COUNT);
    assert_false(country->has_range || country->has_nulls_max_rate);
    assert_false(contract_column(contract, span_text("fast"))->required);
    assert_int_equal(contract->columns[3].type, COLUMN_TEXT);
    assert_int_equal(contract->columns[4].type, COLUMN_ID);
    assert_null(contract_column(contract, span_text("amoun")));
    contract_destroy(contract);
    contract_destroy(NULL);

    contract = contract_fixture_parsed(
        HEAD "columns: {a: {type: number, range: [-.inf, -1.5e2], on_violation: "
             "reject, on_type: count}, b: {type: category, values: [x], "
             "on_violation: reject}}\n");
    assert_true(contract->columns[0].low < -1e308 && contract->columns[0].high == -150);
    assert_int_equal(contract->columns[0].on_violation, VIOLATION_REJECT);
    assert_int_equal(contract->columns[0].on_type, VIOLATION_COUNT);
    assert_int_equal(contract->columns[1].on_unseen, VIOLATION_REJECT);
    contract_destroy(contract);
}

static void test_windows(void **state)
{
    (void)state;
    struct contract *contract = contract_fixture_parsed(HEAD COLUMNS);
    assert_int_equal(contract->pane_ms, 60000);
    assert_int_equal(contract->lateness_ms, 30000);
    assert_int_equal(contract->correction_ms, 3600000);
    assert_int_equal(contract->skew_ms, 300000);
    assert_int_equal(contract->labels_ttl_ms, 0);
    assert_int_equal(contract->rolling_count, 0);
    contract_destroy(contract);

    contract = contract_fixture_parsed(
        HEAD COLUMNS "labels: {ttl: 48h}\n"
                     "monitors: [{drift: psi, columns: amount, window: 10m}]\n"
                     "windows: {pane: 5m, rolling: [1d, 5m, 1h, 60m], lateness: 0s, correction: "
                     "250ms, skew: 1m}\n");
    assert_int_equal(contract->pane_ms, 300000);
    assert_int_equal(contract->lateness_ms, 0);
    assert_int_equal(contract->correction_ms, 250);
    assert_int_equal(contract->skew_ms, 60000);
    assert_int_equal(contract->labels_ttl_ms, 48 * 3600 * 1000);
    assert_int_equal(contract->rolling_count, 4);
    assert_int_equal(contract->rolling_ms[0], 300000);
    assert_int_equal(contract->rolling_ms[1], 600000);
    assert_int_equal(contract->rolling_ms[2], 3600000);
    assert_int_equal(contract->rolling_ms[3], 86400000);
    contract_destroy(contract);
}

static void test_example(void **state)
{
    (void)state;
    FILE *file = fopen(SOURCE_FOLDER "/services/example/contract.yaml", "rb");
    assert_non_null(file);
    char text[8192];
    const size_t size = fread(text, 1, sizeof text, file);
    assert_int_equal(fclose(file), 0);
    assert_in_range(size, 1, sizeof text - 1);
    text[size] = 0;
    struct contract *contract = contract_fixture_parsed(text);
    assert_string_equal(contract->model, "electricity-price");
    assert_int_equal(contract->column_count, 6);
    assert_int_equal(contract->monitor_count, 6);
    assert_int_equal(contract->rolling_count, 1);
    assert_int_equal(contract->pane_ms, 3600000);
    assert_true(contract->retrain.present);
    contract_destroy(contract);
}

static void test_whole_refused(void **state)
{
    (void)state;
    contract_fixture_refused("", "c.yaml:1:1: the document is empty");
    contract_fixture_refused("model: [\n", "c.yaml:2:1: did not find expected node content");
    contract_fixture_refused("- model\n", "c.yaml:1:1: a contract must be a mapping (key: value)");
    contract_fixture_refused("model: fraud\n", "c.yaml:1:1: a contract needs the key 'task'");
    contract_fixture_refused(
        "model: m\ntask: binary\nowner: o\nrunbook: r\ncolumns: {}\n",
        "c.yaml:2:7: task: binary needs the key 'positive': the name in `scores` and "
        "the label that means it");
    contract_fixture_refused(
        "model: m\ntask: regression\npositive: x\nowner: o\nrunbook: r\ncolumns: {}\n",
        "c.yaml:3:11: positive is for task: binary");
    contract_fixture_refused(
        "model: m\ntask: binry\nowner: o\nrunbook: r\ncolumns: {}\n",
        "c.yaml:2:7: task must be binary, multiclass, regression or ranking, not "
        "'binry' (did you mean 'binary'?)");
    contract_fixture_refused(
        "model: m\ntask: generation\nowner: o\nrunbook: r\ncolumns: {}\n",
        "c.yaml:2:7: 'generation' is known but not supported by this version of "
        "Plumbline: remove it");
    contract_fixture_refused("model: m@1\ntask: regression\nowner: o\nrunbook: r\ncolumns: {}\n",
                             "c.yaml:1:8: model must not hold @ or #");
    contract_fixture_refused("model:\ntask: regression\nowner: o\nrunbook: r\ncolumns: {}\n",
                             "c.yaml:1:7: model must be a text");
    contract_fixture_refused(
        "model: \"a\\nb\"\ntask: regression\nowner: o\nrunbook: r\ncolumns: {}\n",
        "c.yaml:1:8: model has a control character");
    contract_fixture_line_refused("ownr: x", "12:1: unknown key 'ownr' (did you mean 'owner'?)");
    contract_fixture_line_refused("treshold: 1", "12:1: unknown key 'treshold'");
    contract_fixture_line_refused("owner: x", "12:1: key 'owner' again, first in line 4");
    static const char *const later[] = {"rules",  "segments", "fallback",     "keep",
                                        "sample", "shadow",   "dead_letters", "generation"};
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        char *line = heap_format("%s: x", later[i]);
        char *expected = heap_format("12:1: '%s' is known but not supported by this version of "
                                     "Plumbline: remove it",
                                     later[i]);
        contract_fixture_line_refused(line, expected);
        heap_release(line);
        heap_release(expected);
    }
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    char *text =
        heap_format("model: %s\ntask: regression\nowner: o\nrunbook: r\ncolumns: {}\n", name);
    contract_fixture_refused(text, "c.yaml:1:8: model is longer than 255 bytes");
    heap_release(text);
}

static void test_texts(void **state)
{
    (void)state;
    struct contract *contract = contract_fixture_parsed(
        HEAD "columns: {a: {type: text, length: [1, 80], pattern: '^[A-Z]', on_violation: count}, "
             "b: {type: id, length: [0, .inf]}, c: {type: category, pattern: x}, d: {type: "
             "text}}\n");
    const struct contract_column *columns = contract->columns;
    assert_true(columns[0].has_length && columns[1].has_length && !columns[2].has_length);
    assert_true(columns[0].shortest == 1 && columns[0].longest == 80);
    assert_true(columns[1].shortest == 0 && columns[1].longest == UINT64_MAX);
    assert_int_equal(columns[0].on_violation, VIOLATION_COUNT);
    assert_null(columns[1].pattern);
    assert_null(columns[3].pattern);
    struct pattern_room *room = pattern_room_create();
    assert_int_equal(pattern_search(columns[0].pattern, span_text("Ab"), room), PATTERN_FOUND);
    assert_int_equal(pattern_search(columns[0].pattern, span_text("bA"), room), PATTERN_ABSENT);
    assert_int_equal(pattern_search(columns[2].pattern, span_text("axb"), room), PATTERN_FOUND);
    pattern_room_destroy(room);
    contract_destroy(contract);
}

static void test_times(void **state)
{
    (void)state;
    struct contract *contract = contract_fixture_parsed(HEAD COLUMNS "labels: {ttl: 1h}\n");
    assert_true(contract->stale_ms == 0 && contract->label_stale_ms == 0);
    assert_int_equal(contract->on_skew, VIOLATION_FLAG);
    assert_null(contract->label);
    contract_destroy(contract);
    contract = contract_fixture_parsed(HEAD COLUMNS
                                       "windows: {on_skew: reject, stale: 7d, on_stale: count}\n"
                                       "labels: {ttl: 1h, stale: 90d, on_stale: reject}\n");
    assert_int_equal(contract->on_skew, VIOLATION_REJECT);
    assert_true(contract->stale_ms == INT64_C(7) * 86400000);
    assert_int_equal(contract->on_stale, VIOLATION_COUNT);
    assert_true(contract->label_stale_ms == INT64_C(90) * 86400000);
    assert_int_equal(contract->on_label_stale, VIOLATION_REJECT);
    assert_null(contract->label);
    contract_destroy(contract);
}

static void test_labels(void **state)
{
    (void)state;
    struct contract *contract = contract_fixture_parsed(
        HEAD COLUMNS "labels: {ttl: 48h, type: category, values: [up, down], length: [2, 4], "
                     "pattern: '^[a-z]+$', on_unseen: reject, on_type: flag, on_violation: "
                     "count}\n");
    assert_int_equal(contract->labels_ttl_ms, 48 * 3600 * 1000);
    assert_string_equal(contract->label->name, "label");
    assert_int_equal(contract->label->type, COLUMN_CATEGORY);
    assert_int_equal(contract->label->value_count, 2);
    assert_true(contract->label->has_length && contract->label->pattern != NULL);
    assert_int_equal(contract->label->on_unseen, VIOLATION_REJECT);
    assert_int_equal(contract->label->on_type, VIOLATION_FLAG);
    assert_int_equal(contract->label->on_violation, VIOLATION_COUNT);
    contract_destroy(contract);
    contract =
        contract_fixture_parsed(HEAD COLUMNS "labels: {ttl: 1h, type: number, range: [0, 5]}\n");
    assert_true(contract->label->has_range && contract->label->high == 5);
    assert_int_equal(contract->label->on_type, VIOLATION_REJECT);
    assert_int_equal(contract->label->on_violation, VIOLATION_FLAG);
    contract_destroy(contract);
}

static void test_text_rules_refused(void **state)
{
    (void)state;
    assert_column_refused("{type: number, length: [0, 1]}",
                          "29: length is for columns of type text, category or id");
    assert_column_refused("{type: text, length: 5}", "27: length must be [shortest, longest]");
    assert_column_refused("{type: text, length: [1, 2, 3]}",
                          "27: length must be [shortest, longest]");
    assert_column_refused("{type: text, length: [-1, 2]}",
                          "28: length must be whole and not below 0, not -1");
    assert_column_refused("{type: text, length: [0, 2.5]}",
                          "31: length must be whole and not below 0, not 2.5");
    assert_column_refused("{type: text, length: [0, many]}",
                          "31: length must be a number, not 'many'");
    assert_column_refused("{type: text, length: [3, 2]}", "27: length is empty: 3 is above 2");
    assert_column_refused("{type: text, source: features..x}",
                          "27: a source has names between its full stops");
    assert_column_refused("{type: text, source: []}", "27: source is one, or a list of at most 8");
    assert_column_refused("{type: text, source: [a.b, {}]}",
                          "33: a source must be a text, as features.amount");
    assert_column_refused("{type: boolean, pattern: x}",
                          "31: pattern is for columns of type text, category or id");
    assert_column_refused("{type: text, pattern: [x]}", "28: pattern must be a text");
    assert_column_refused("{type: text, pattern: ''}", "28: pattern must be a text");
    assert_column_refused("{type: text, pattern: 'a(b'}",
                          "28: pattern: missing closing parenthesis, offset 3");
    assert_column_refused("{type: text, distinct: {max: 5}}",
                          "19: 'distinct' is known but not supported by this version of "
                          "Plumbline: how many values there are only a window can tell; `values` "
                          "lists those allowed");
    contract_fixture_line_refused(
        "labels: {ttl: 1h, type: text, pattern: '['}",
        "12:40: pattern: missing terminating ] for character class, offset 1");
    contract_fixture_line_refused("labels: {ttl: 1h, range: [0, 1]}",
                                  "12:26: range needs the labels' type");
    contract_fixture_line_refused("labels: {ttl: 1h, on_type: flag}",
                                  "12:28: on_type needs the labels' type");
    contract_fixture_line_refused("labels: {ttl: 1h, type: text, on_unseen: flag}",
                                  "12:42: on_unseen needs the column's values");
    contract_fixture_line_refused("labels: {ttl: 1h, on_stale: flag}",
                                  "12:29: on_stale needs stale");
    contract_fixture_line_refused("labels: {ttl: 1h, required: true}",
                                  "12:19: unknown key 'required'");
    contract_fixture_line_refused("windows: {stale: 0s}", "12:18: stale must not be 0");
    contract_fixture_line_refused("windows: {on_stale: flag}", "12:21: on_stale needs stale");
    contract_fixture_line_refused("windows: {on_skew: drop}",
                                  "12:20: on_skew must be flag, reject or count, not 'drop'");
}

static void test_columns_refused(void **state)
{
    (void)state;
    contract_fixture_refused(HEAD "columns: [a, b]\n",
                             "c.yaml:6:10: columns must be a mapping (name: {type: …})");
    assert_column_refused("number", "6: a column must be a mapping (key: value)");
    assert_column_refused("{range: [0, 1]}", "6: a column needs the key 'type'");
    assert_column_refused("{type: [x]}", "13: type must be number, category, boolean, text or id");
    assert_column_refused("{type: nmber}",
                          "13: type must be number, category, boolean, text or id, not 'nmber' "
                          "(did you mean 'number'?)");
    assert_column_refused("{type: integer}",
                          "13: type must be number, category, boolean, text or id, not 'integer'");
    assert_column_refused("{type: number, rang: [0, 1]}",
                          "21: unknown key 'rang' (did you mean 'range'?)");
    static const char *const later[] = {"pii", "references"};
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        char *column = heap_format("{type: text, %s: hash}", later[i]);
        char *expected = heap_format("19: '%s' is known but not supported by this version of "
                                     "Plumbline: remove it",
                                     later[i]);
        assert_column_refused(column, expected);
        heap_release(column);
        heap_release(expected);
    }
}

static void test_column_rules_refused(void **state)
{
    (void)state;
    assert_column_refused("{type: number, range: [2, 1]}", "28: range is empty: 2 is above 1");
    assert_column_refused("{type: number, range: [1]}", "28: range must be [lowest, highest]");
    assert_column_refused("{type: number, range: 1}", "28: range must be [lowest, highest]");
    assert_column_refused("{type: number, range: [0, ten]}",
                          "32: range must be a number, not 'ten'");
    assert_column_refused("{type: number, range: [0, 0x10]}",
                          "32: range must be a number, not '0x10'");
    assert_column_refused("{type: number, range: [0, nan]}",
                          "32: range must be a number, not 'nan'");
    assert_column_refused("{type: number, range: [0, \"1\"]}",
                          "32: range must be a number: write 1 without quotes");
    assert_column_refused("{type: number, range: [0, 1e999]}", "32: range is too large: 1e999");
    assert_column_refused("{type: number, range: [0, ]}", "28: range must be [lowest, highest]");
    assert_column_refused("{type: number, range: [0, null]}", "32: range must be a number");
    assert_column_refused("{type: text, range: [0, 1]}", "26: range is for columns of type number");
    assert_column_refused("{type: number, values: [1]}",
                          "29: values is for columns of type category");
    assert_column_refused("{type: category, values: []}",
                          "31: values must be a list of texts, not empty");
    assert_column_refused("{type: category, values: x}",
                          "31: values must be a list of texts, not empty");
    assert_column_refused("{type: category, values: [a, [b]]}", "35: a value must be a text");
    assert_column_refused("{type: category, values: [a, b, a]}", "38: value 'a' again");
    assert_column_refused("{type: category, on_unseen: flag}",
                          "34: on_unseen needs the column's values");
    assert_column_refused("{type: number, on_violation: drop}",
                          "35: on_violation must be flag, reject or count, not 'drop'");
    assert_column_refused("{type: number, on_type: rejct}",
                          "30: on_type must be flag, reject or count, not 'rejct' (did you mean "
                          "'reject'?)");
    assert_column_refused("{type: number, required: no}", "31: required must be true or false");
    assert_column_refused("{type: number, nulls: 0.1}", "28: nulls must be a mapping (key: value)");
    assert_column_refused("{type: number, nulls: {}}", "28: nulls needs the key 'max_rate'");
    assert_column_refused("{type: number, nulls: {max_rate: 1.5}}",
                          "39: max_rate must not be above 1: 1.5");
    assert_column_refused("{type: number, nulls: {max_rate: -1}}",
                          "39: max_rate must not be below 0: -1");
    contract_fixture_refused(
        HEAD "columns: {score: {type: number}}\n",
        "c.yaml:6:11: 'score' is what monitors call the model's own: rename the feature");
    contract_fixture_refused(
        HEAD "columns: {\"*\": {type: number}}\n",
        "c.yaml:6:11: '*' is what monitors call the model's own: rename the feature");
    contract_fixture_refused(HEAD "columns: {\"\": {type: number}}\n",
                             "c.yaml:6:11: a column's name must be a text");
}

static void test_windows_refused(void **state)
{
    (void)state;
    contract_fixture_line_refused("windows: 1h", "12:10: windows must be a mapping (key: value)");
    contract_fixture_line_refused(
        "windows: {pane: 1x}",
        "12:17: pane must be a duration (a whole number and ms, s, m, h or d), not "
        "'1x'");
    contract_fixture_line_refused("windows: {pane: [1h]}",
                                  "12:17: pane must be a duration (30s, 1h, 7d)");
    contract_fixture_line_refused("windows: {pane: 0s}", "12:17: pane must not be 0");
    contract_fixture_line_refused("windows: {skew: 36501d}",
                                  "12:17: skew must not be above 36500d: 36501d");
    contract_fixture_line_refused("windows: {rolling: 1h}",
                                  "12:20: rolling must be a list of durations");
    contract_fixture_line_refused(
        "windows: {rolling: [1h, hour]}",
        "12:25: a window must be a duration (a whole number and ms, s, m, h or d), "
        "not 'hour'");
    contract_fixture_line_refused("windows: {pane: 1m, rolling: [1h, 90s]}",
                                  "12:35: window 90s is not a multiple of the pane (1m)");
    contract_fixture_line_refused("windows: {rolling: [0h]}",
                                  "12:21: window 0ms is not a multiple of the pane (1m)");
    contract_fixture_line_refused("windows: {pane: 1s, rolling: [1d]}",
                                  "12:31: window 1d has more than 10000 panes of 1s");
    contract_fixture_line_refused(
        "windows: {every: 1m}",
        "12:11: 'every' is known but not supported by this version of Plumbline: "
        "remove it");
    contract_fixture_line_refused("windows: {rollin: [1h]}",
                                  "12:11: unknown key 'rollin' (did you mean 'rolling'?)");
    contract_fixture_line_refused("windows: {lateness: 2h}",
                                  "12:21: lateness 2h is longer than correction 1h");
    contract_fixture_line_refused("windows: {correction: 1s}",
                                  "12:23: lateness 30s is longer than correction 1s");
    contract_fixture_line_refused("labels: {}", "12:9: labels needs the key 'ttl'");
    contract_fixture_line_refused(
        "labels: {ttl: long}",
        "12:15: ttl must be a duration (a whole number and ms, s, m, h or d), not "
        "'long'");
}

/* Whether the key may stand between the two. */
static bool is_accepted(const char *before, const char *key, const char *after)
{
    char *text = heap_format("%s%s: x%s", before, key, after);
    struct contract *contract = NULL;
    struct reason reason = {{0}};
    if (contract_parse("c", span_text(text), &contract, &reason) == FAULT_NONE)
        contract_destroy(contract);
    heap_release(text);
    return strstr(reason.text, "unknown key") == NULL &&
           strstr(reason.text, "known but not supported") == NULL;
}

/* The JSON Schema that editors use allows the keys that the parser allows, place by place. */
static void test_schema_file(void **state)
{
    (void)state;
    static const struct {
        const char *pointer[3], *before, *after;
    } places[] = {
        {{"properties"}, "", "\n"},
        {{"$defs", "column", "properties"}, HEAD "columns: {a: {", "}}\n"},
        {{"$defs", "labels", "properties"}, HEAD "columns: {}\nlabels: {", "}\n"},
        {{"$defs", "windows", "properties"}, HEAD "columns: {}\nwindows: {", "}\n"},
        {{"$defs", "retrain", "properties"}, HEAD "columns: {}\nretrain: {", "}\n"},
        {{"$defs", "drift", "properties"}, HEAD "columns: {}\nmonitors: [{drift: psi, ", "}]\n"},
        {{"$defs", "quality", "properties"},
         HEAD "columns: {}\nmonitors: [{quality: nulls, ",
         "}]\n"},
    };
    static const char *const keys[] = {
        "model",    "task",       "positive",   "owner",        "runbook",      "columns",
        "windows",  "labels",     "monitors",   "retrain",      "rules",        "segments",
        "fallback", "keep",       "sample",     "shadow",       "dead_letters", "generation",
        "type",     "range",      "nulls",      "values",       "required",     "on_violation",
        "on_type",  "on_unseen",  "pii",        "pattern",      "references",   "pane",
        "rolling",  "lateness",   "correction", "skew",         "every",        "window",
        "severity", "for",        "reference",  "warn",         "critical",     "max",
        "min",      "preset",     "test",       "false_alarms", "tolerance",    "when",
        "cooldown", "min_labels", "ttl",        "length",       "distinct",     "stale",
        "on_stale", "on_skew",    "early",      "source"};
    json_t *schema = json_load_file(SOURCE_FOLDER "/schemas/contract.schema.json", 0, NULL);
    assert_non_null(schema);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        json_t *properties = schema;
        for (size_t j = 0; j < 3 && places[i].pointer[j] != NULL; j++)
            properties = json_object_get(properties, places[i].pointer[j]);
        assert_true(json_object_size(properties) > 4);
        size_t found = 0;
        for (size_t j = 0; j < COUNT_OF(keys); j++) {
            const bool expected = json_object_get(properties, keys[j]) != NULL;
            found += expected ? 1 : 0;
            if (is_accepted(places[i].before, keys[j], places[i].after) != expected)
                fail_msg("%s at %s", keys[j], places[i].before);
        }
        /* drift and quality name the monitor itself. */
        assert_int_equal(found, json_object_size(properties) - (i >= 5 ? 1 : 0));
    }
    json_decref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),         cmocka_unit_test(test_windows),
        cmocka_unit_test(test_texts),           cmocka_unit_test(test_times),
        cmocka_unit_test(test_labels),          cmocka_unit_test(test_text_rules_refused),
        cmocka_unit_test(test_example),         cmocka_unit_test(test_whole_refused),
        cmocka_unit_test(test_columns_refused), cmocka_unit_test(test_column_rules_refused),
        cmocka_unit_test(test_windows_refused), cmocka_unit_test(test_schema_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
