/* Goal: each rule of a contract, under each of reject, flag and count, does to a record what the
 * contract says, for columns, labels and times; what no contract has rules of, the model's own
 * answers, lets no NaN and no other type through unsaid. Method: validator_bench.h; a contract a
 * rule and action, one record that breaks it. */
#include "validator_bench.h"

#include <math.h>

#define BEGINNING "model: fraud\ntask: binary\npositive: up\nowner: o\nrunbook: r\n"
#define NO_COLUMN BEGINNING "columns: {}\n"

static const char *const actions[] = {"reject", "flag", "count"};

/* What has become of the last record that was handled. */
static void assert_fate(struct bench *bench, struct span value, const char *action,
                        const char *reason, const char *column)
{
    if (strcmp(action, "reject") == 0) {
        assert_refused(bench, value, reason, column);
        return;
    }
    char *text = span_copied(value);
    struct seen seen = passed(bench, text);
    const bool is_flag = strcmp(action, "flag") == 0;
    const char *flagged =
        bench->topic == TOPIC_INFERENCE_EVENTS ? "events_flagged_total" : "labels_flagged_total";
    assert_int_equal(seen.enrichment.reason_count, 1);
    assert_true(span_is(seen.enrichment.reasons[0].reason, reason));
    assert_true(span_is(seen.enrichment.reasons[0].column, column));
    assert_int_equal((int)counted(bench, flagged, reason), is_flag);
    assert_int_equal((int)counted(bench, flagged, NULL), is_flag);
    assert_int_equal((int)counted(bench, "violations_counted_total", reason), !is_flag);
    assert_int_equal((int)counted(bench, "violations_counted_total", NULL), !is_flag);
    seen_close(&seen);
    heap_release(text);
}

/* Rules of a column and of a label alike: a value that keeps them, one that breaks one. */
static const struct {
    const char *rules, *on, *good, *bad, *reason;
} rules[] = {
    {"type: number", "on_type", "1", "\"1\"", "type_mismatch"},
    {"type: boolean", "on_type", "true", "1", "type_mismatch"},
    {"type: text", "on_type", "\"\"", "1", "type_mismatch"},
    {"type: id", "on_type", "7", "7.5", "type_mismatch"},
    {"type: number, range: [0, 1]", "on_violation", "1", "2", "range"},
    {"type: number, range: [0, 1]", "on_violation", "0", "-1", "range"},
    {"type: text, length: [2, 3]", "on_violation", "\"\xc3\xa9\xc3\xa9\xc3\xa9\"", "\"abcd\"",
     "length"},
    {"type: text, length: [2, 3]", "on_violation", "\"ab\"", "\"\xf0\x9f\x98\x80\"", "length"},
    {"type: text, length: [1, .inf]", "on_violation", "\"a\"", "\"\"", "length"},
    {"type: category, length: [0, 2]", "on_violation", "12.0", "123", "length"},
    {"type: id, pattern: '^[0-9]{4}$'", "on_violation", "1234", "\"123x\"", "pattern"},
    {"type: text, pattern: b+", "on_violation", "\"abc\"", "\"ac\"", "pattern"},
    {"type: category, pattern: '^t'", "on_violation", "true", "false", "pattern"},
    {"type: category, values: [a, '1']", "on_violation", "1.0", "\"b\"", "unseen_value"},
    {"type: category, values: [a, '1']", "on_unseen", "\"a\"", "2", "unseen_value"},
};

static void test_columns(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules) * COUNT_OF(actions); i++) {
        const size_t rule = i / COUNT_OF(actions);
        const char *action = actions[i % COUNT_OF(actions)];
        char *yaml = heap_format(BEGINNING "columns: {a: {%s, %s: %s}, b: {type: number}}\n",
                                 rules[rule].rules, rules[rule].on, action);
        char *good = heap_format(EVENT("\"features\":{\"a\":%s,\"b\":1},\"prediction\":1"),
                                 rules[rule].good);
        char *bad =
            heap_format(EVENT("\"features\":{\"a\":%s,\"b\":1},\"prediction\":1"), rules[rule].bad);
        struct bench bench = bench_with(TOPIC_INFERENCE_EVENTS, yaml);
        assert_flagged(&bench, good, NULL, NULL);
        assert_fate(&bench, span_text(bad), action, rules[rule].reason, "a");
        bench_close(&bench);
        heap_release(yaml);
        heap_release(good);
        heap_release(bad);
    }
}

#define LABEL(label, more)                                                                         \
    "{\"event_id\":\"e\",\"label\":" label ",\"label_time\":1700000000000" more "}"

static void test_labels(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules) * COUNT_OF(actions); i++) {
        const size_t rule = i / COUNT_OF(actions);
        const char *action = actions[i % COUNT_OF(actions)];
        char *yaml = heap_format(NO_COLUMN "labels: {ttl: 1h, %s, %s: %s}\n", rules[rule].rules,
                                 rules[rule].on, action);
        char *good = heap_format(LABEL("%s", ",\"model_name\":\"fraud\""), rules[rule].good);
        char *bad = heap_format(LABEL("%s", ",\"model_name\":\"fraud\""), rules[rule].bad);
        char *nameless = heap_format(LABEL("%s", ""), rules[rule].bad);
        char *foreign = heap_format(LABEL("%s", ",\"model_name\":\"other\""), rules[rule].bad);
        struct bench bench = bench_with(TOPIC_GROUND_TRUTH, yaml);
        assert_flagged(&bench, good, NULL, NULL);
        assert_fate(&bench, span_text(bad), action, rules[rule].reason, "label");
        assert_flagged(&bench, nameless, NULL, NULL); /* the joiner's, as is an unknown model's */
        assert_flagged(&bench, foreign, NULL, NULL);
        bench_close(&bench);
        heap_release(yaml);
        heap_release(good);
        heap_release(bad);
        heap_release(nameless);
        heap_release(foreign);
    }
}

/* The revision in force at label_time judges; before the first there is none. */
static void test_contract_of_a_label(void **state)
{
    (void)state;
    struct bench bench =
        bench_with(TOPIC_GROUND_TRUTH, NO_COLUMN "labels: {ttl: 1h, type: boolean}\n");
    const char *label = LABEL("1", ",\"model_name\":\"fraud\"");
    assert_refused(&bench, span_text(label), "type_mismatch", "label");
    contract_take(bench.catalog, NO_COLUMN "labels: {ttl: 1h, type: number}\n", 2, EVENT_TIME);
    struct seen seen = passed(&bench, label);
    assert_int_equal(seen.enrichment.contract_revision, 0);
    assert_int_equal(seen.enrichment.lateness, ENRICHMENT_NONE);
    assert_int_equal((int)counted(&bench, "contract_late_total", NULL), 0); /* none had passed */
    seen_close(&seen);
    assert_flagged(&bench,
                   "{\"event_id\":\"e\",\"label\":\"x\",\"label_time\":1,\"model_name\":\"fraud\"}",
                   NULL, NULL);
    contract_take(bench.catalog, NO_COLUMN, 3, EVENT_TIME);
    assert_flagged(&bench, LABEL("\"x\"", ",\"model_name\":\"fraud\""), NULL, NULL);
    assert_int_equal((int)counted(&bench, "contract_late_total", "fraud"), 1); /* one had */
    assert_refused(&bench, span_text(LABEL("1", ",\"model_name\":5")), "invalid_field",
                   "model_name");
    bench_close(&bench);
}

/* Whichever framing, and whatever the writer's schema. */
static void test_avro_label(void **state)
{
    (void)state;
    struct bench bench = bench_with(TOPIC_GROUND_TRUTH,
                                    NO_COLUMN "labels: {ttl: 1h, type: number, range: [0, 1]}\n");
    struct buffer bytes = {0};
    frame(&bytes, schema_embedded("ground.truth"), LABEL("\"x\"", ",\"model_name\":\"fraud\""));
    assert_refused(&bench, buffer_span(&bytes), "type_mismatch", "label");
    frame(&bytes, schema_embedded("ground.truth"), LABEL("1.5", ",\"model_name\":\"fraud\""));
    handle(&bench, buffer_span(&bytes));
    assert_int_equal((int)counted(&bench, "labels_flagged_total", "range"), 1);
    struct schema *own = parsed("{\"type\":\"record\",\"name\":\"Truth\",\"fields\":["
                                "{\"name\":\"label_time\",\"type\":\"long\"},"
                                "{\"name\":\"label\",\"type\":\"boolean\"},"
                                "{\"name\":\"model_name\",\"type\":[\"string\",\"int\"]},"
                                "{\"name\":\"event_id\",\"type\":\"string\"}]}");
    schema_take(bench.catalog, own);
    frame(&bytes, own, LABEL("true", ",\"model_name\":\"fraud\""));
    assert_refused(&bench, buffer_span(&bytes), "type_mismatch", "label");
    frame(&bytes, own, LABEL("true", ",\"model_name\":5"));
    assert_refused(&bench, buffer_span(&bytes), "invalid_field", "model_name");
    schema_destroy(own);
    buffer_fini(&bytes);
    bench_close(&bench);
}

static void test_presence(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        char *yaml = heap_format(BEGINNING "columns: {a: {type: text, on_type: %s, on_violation: "
                                           "%s}, b: {type: number, required: false}}\n",
                                 actions[i], actions[i]);
        struct bench bench = bench_with(TOPIC_INFERENCE_EVENTS, yaml);
        assert_fate(&bench, span_text(EVENT("\"features\":{},\"prediction\":1")), actions[i],
                    "missing_column", "a");
        assert_fate(&bench, span_text(EVENT("\"features\":{\"a\":null},\"prediction\":1")),
                    actions[i], "null_value", "a");
        bench_close(&bench);
        heap_release(yaml);
    }
    /* An allowed rate of nulls above 0 is a window's to judge; a rate of 0 each record breaks. */
    static const char *const rates[] = {"0.5", "0"};
    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        char *yaml = heap_format(BEGINNING "columns: {a: {type: text, nulls: {max_rate: %s}, "
                                           "on_violation: reject}}\n",
                                 rates[i]);
        struct bench bench = bench_with(TOPIC_INFERENCE_EVENTS, yaml);
        assert_fate(&bench, span_text(EVENT("\"features\":{\"a\":null},\"prediction\":1")),
                    i == 0 ? "flag" : "reject", "null_value", "a");
        bench_close(&bench);
        heap_release(yaml);
    }
}

/* A violation that is let through hides none behind it. */
static void test_several_in_one_column(void **state)
{
    (void)state;
    struct bench bench =
        bench_with(TOPIC_INFERENCE_EVENTS,
                   BEGINNING "columns: {a: {type: category, length: [1, 2], pattern: '^[a-z]+$', "
                             "values: [ok], on_violation: count, on_unseen: flag}}\n");
    struct seen seen = passed(&bench, EVENT("\"features\":{\"a\":\"BAD\"},\"prediction\":1"));
    static const char *const reasons[] = {"length", "pattern", "unseen_value"};
    assert_int_equal(seen.enrichment.reason_count, COUNT_OF(reasons));
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        assert_true(span_is(seen.enrichment.reasons[i].reason, reasons[i]));
    assert_int_equal((int)counted(&bench, "violations_counted_total", NULL), 2);
    assert_int_equal((int)counted(&bench, "events_flagged_total", "unseen_value"), 1);
    seen_close(&seen);
    bench_close(&bench);
    bench = bench_with(TOPIC_INFERENCE_EVENTS,
                       BEGINNING "columns: {a: {type: category, pattern: '^[a-z]+$', values: [ok], "
                                 "on_violation: flag, on_unseen: reject}}\n");
    assert_refused(&bench, span_text(EVENT("\"features\":{\"a\":\"BAD\"},\"prediction\":1")),
                   "unseen_value", "a");
    bench_close(&bench);
}

/* The value decides how much work a search is: it is refused with the reason, and soon. */
static void test_costly_pattern(void **state)
{
    (void)state;
    struct bench bench =
        bench_with(TOPIC_INFERENCE_EVENTS, BEGINNING
                   "columns: {a: {type: text, pattern: '^(a+)+$', on_violation: reject}}\n");
    struct buffer event = {0};
    static const size_t sizes[] = {40, 4000, 5000};
    static const char *const details[] = {"given up: over the limit of 20000 steps",
                                          "given up: over the limit of 20000 steps",
                                          "not searched: over 4096 bytes"};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        buffer_clear(&event);
        buffer_append_span(&event, span_text("{\"event_id\":\"e1\",\"event_time\":1700000000000,"
                                             "\"model_name\":\"fraud\",\"model_version\":\"7\","
                                             "\"prediction\":1,\"features\":{\"a\":\""));
        for (size_t j = 0; j < sizes[i]; j++)
            buffer_append_byte(&event, 'a');
        buffer_append_span(&event, span_text("!\"}}"));
        assert_refused(&bench, buffer_span(&event), "pattern", "a");
        assert_header(only(&bench, TOPIC_INFERENCE_DEAD_LETTER), "plumb.detail", details[i]);
    }
    buffer_fini(&event);
    bench_close(&bench);
}

/* The end of the contract, behind on_skew, up to the action of what is stale. */
static void assert_times(enum topic topic, const char *stale, const char *text, const char *field)
{
    static const struct {
        int64_t arrival_ms;
        const char *reason;
    } cases[] = {
        {EVENT_TIME - 60000, NULL}, /* skew and stale are a minute and an hour */
        {EVENT_TIME - 60001, "clock_skew"},
        {EVENT_TIME + 3600000, NULL},
        {EVENT_TIME + 3600001, "stale"},
    };
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        char *yaml = heap_format(NO_COLUMN "windows: {skew: 1m, on_skew: %s, %s%s}\n", actions[i],
                                 stale, actions[i]);
        struct bench bench = bench_with(topic, yaml);
        for (size_t j = 0; j < COUNT_OF(cases); j++) {
            bench.arrival_ms = cases[j].arrival_ms;
            if (cases[j].reason == NULL)
                assert_flagged(&bench, text, NULL, NULL);
            else
                assert_fate(&bench, span_text(text), actions[i], cases[j].reason, field);
        }
        bench_close(&bench);
        heap_release(yaml);
    }
}

static void test_times(void **state)
{
    (void)state;
    assert_times(TOPIC_INFERENCE_EVENTS,
                 "stale: 1h, on_stale: ", EVENT("\"features\":{},\"prediction\":1"), "event_time");
    /* A label's own bound; that of events is not for labels. */
    assert_times(TOPIC_GROUND_TRUTH, "stale: 1s}\nlabels: {ttl: 2h, stale: 1h, on_stale: ",
                 LABEL("1", ",\"model_name\":\"fraud\""), "label_time");
    /* Where nothing is said: any age, and the future flagged. */
    struct bench bench =
        bench_with(TOPIC_INFERENCE_EVENTS, NO_COLUMN "windows: {correction: 36500d}\n");
    const char *text = EVENT("\"features\":{},\"prediction\":1");
    bench.arrival_ms = EVENT_TIME + INT64_C(100000000000);
    assert_flagged(&bench, text, NULL, NULL);
    bench.arrival_ms = EVENT_TIME - 300001;
    assert_flagged(&bench, text, "clock_skew", "event_time");
    bench.arrival_ms = INT64_MAX;
    assert_flagged(&bench, text, NULL, NULL);
    bench.arrival_ms = INT64_MIN;
    assert_flagged(&bench, text, "clock_skew", "event_time");
    bench_close(&bench);
}

/* What event_time is ahead of its arrival for is in no window, whatever its contract does. */
static void test_future_is_in_no_window(void **state)
{
    (void)state;
    struct bench bench =
        bench_with(TOPIC_INFERENCE_EVENTS, NO_COLUMN "windows: {skew: 1m, on_skew: count}\n");
    bench.arrival_ms = EVENT_TIME - 60001;
    struct seen seen = passed(&bench, EVENT("\"features\":{},\"prediction\":1"));
    assert_int_equal(seen.enrichment.lateness, ENRICHMENT_FUTURE);
    assert_int_equal((int)counted(&bench, "events_future_total", NULL), 1);
    seen_close(&seen);
    bench_close(&bench);
}

/* ---- the model's own answers: only Avro can say NaN, or have them of another type ---- */

#define ANSWERS                                                                                    \
    "{\"type\":\"record\",\"name\":\"Event\",\"fields\":["                                         \
    "{\"name\":\"event_time\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}}," \
    "{\"name\":\"model_version\",\"type\":\"string\"},{\"name\":\"model_name\",\"type\":"          \
    "\"string\"},{\"name\":\"event_id\",\"type\":\"string\"},"                                     \
    "{\"name\":\"features\",\"type\":{\"type\":\"map\",\"values\":\"double\"}},"                   \
    "{\"name\":\"prediction\",\"type\":[\"null\",\"double\"]},"                                    \
    "{\"name\":\"scores\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"double\","             \
    "\"string\"]}},"                                                                               \
    "{\"name\":\"confidence\",\"type\":[\"null\",\"long\",\"double\",\"string\"]},"                \
    "{\"name\":\"latency_ms\",\"type\":[\"null\",\"double\",\"boolean\"]}]}"

static void test_answers(void **state)
{
    (void)state;
    static const double before = 55.25, after = (double)NAN;
    static const struct {
        const char *answers, *reason, *column;
    } cases[] = {
        {"\"scores\":{\"up\":0.5},\"confidence\":1,\"latency_ms\":3.5", NULL, NULL},
        {"\"scores\":{\"up\":null},\"confidence\":null,\"latency_ms\":null", NULL, NULL},
        {"\"scores\":{},\"confidence\":0.5,\"latency_ms\":null", NULL, NULL},
        {"\"scores\":{\"up\":55.25},\"confidence\":1,\"latency_ms\":3.5", "not_a_number", "score"},
        {"\"scores\":{\"up\":0.5},\"confidence\":55.25,\"latency_ms\":3.5", "not_a_number",
         "confidence"},
        {"\"scores\":{\"up\":0.5},\"confidence\":1,\"latency_ms\":55.25", "not_a_number",
         "latency_ms"},
        {"\"scores\":{\"up\":\"x\"},\"confidence\":1,\"latency_ms\":3.5", "type_mismatch", "score"},
        {"\"scores\":{\"up\":0.5},\"confidence\":\"x\",\"latency_ms\":3.5", "type_mismatch",
         "confidence"},
        {"\"scores\":{\"up\":0.5},\"confidence\":1,\"latency_ms\":true", "type_mismatch",
         "latency_ms"},
    };
    struct bench bench = bench_with(TOPIC_INFERENCE_EVENTS, NO_COLUMN);
    struct schema *own = parsed(ANSWERS);
    schema_take(bench.catalog, own);
    struct buffer bytes = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *event = heap_format(EVENT("\"features\":{},\"prediction\":1.0,%s"), cases[i].answers);
        frame(&bytes, own, event);
        heap_release(event);
        uint8_t *at = memmem(bytes.bytes, bytes.size, &before, sizeof before);
        assert_true((at != NULL) == (strstr(cases[i].answers, "55.25") != NULL));
        if (at != NULL)
            memcpy(at, &after, sizeof after);
        if (cases[i].reason != NULL && at == NULL) {
            assert_refused(&bench, buffer_span(&bytes), cases[i].reason, cases[i].column);
            continue;
        }
        handle(&bench, buffer_span(&bytes));
        assert_int_equal((int)counted(&bench, "events_validated_total", NULL), 1);
        assert_int_equal((int)counted(&bench, "events_flagged_total", NULL), at != NULL);
        assert_int_equal((int)counted(&bench, "events_flagged_total", "not_a_number"), at != NULL);
    }
    schema_destroy(own);
    buffer_fini(&bytes);
    bench_close(&bench);
}

/* NaN is no category and in no range, though a category may be a number. */
static void test_not_a_number(void **state)
{
    (void)state;
    static const char *const columns[] = {"type: number", "type: number, range: [-.inf, .inf]",
                                          "type: category", "type: category, values: [nan]",
                                          "type: category, length: [3, 3], pattern: nan"};
    static const double before = 55.25, after = (double)NAN;
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        char *yaml = heap_format(BEGINNING "columns: {a: {%s}}\n", columns[i]);
        struct bench bench = bench_with(TOPIC_INFERENCE_EVENTS, yaml);
        struct buffer bytes = {0};
        frame(&bytes, schema_embedded("inference.events"),
              EVENT("\"features\":{\"a\":55.25},\"prediction\":1"));
        uint8_t *at = memmem(bytes.bytes, bytes.size, &before, sizeof before);
        assert_non_null(at);
        memcpy(at, &after, sizeof after);
        handle(&bench, buffer_span(&bytes));
        assert_int_equal((int)counted(&bench, "events_flagged_total", "not_a_number"), 1);
        assert_int_equal((int)counted(&bench, "events_flagged_total", NULL), 1);
        buffer_fini(&bytes);
        bench_close(&bench);
        heap_release(yaml);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_contract_of_a_label),
        cmocka_unit_test(test_avro_label),
        cmocka_unit_test(test_presence),
        cmocka_unit_test(test_several_in_one_column),
        cmocka_unit_test(test_costly_pattern),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_future_is_in_no_window),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_not_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
