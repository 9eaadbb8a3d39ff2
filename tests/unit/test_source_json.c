/* Goal: JSON events and labels are refused for the right reason and field, within limits; labels of
 * any framing are checked alike. Method: validator_bench.h; one table row a fault. */
#include "validator_bench.h"

/* ---- JSON ---- */

static void test_json_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason, *column;
    } cases[] = {
        {"[1]", "malformed", NULL},
        {"{", "malformed", NULL},
        {GOOD "{}", "malformed", NULL},
        {"{\"a\":1,\"a\":2}", "malformed", NULL},
        {"{\"a\":1e999}", "malformed", NULL},
        {"{\"a\":18446744073709551616}", "malformed", NULL},
        {"{\"a\":NaN}", "malformed", NULL},
        {"{\"a\":\"\\u0000\"}", "malformed", NULL},
        {"{\"a\":\"\xff\"}", "malformed", NULL},
        {"{}", "missing_field", "event_id"},
        {EVENT(FEATURES("")), "missing_field", "prediction"},
        {EVENT("\"prediction\":1"), "missing_field", "features"},
        {"{\"event_id\":\"\",\"event_time\":1}", "missing_field", "event_id"},
        {"{\"event_id\":null,\"event_time\":1}", "missing_field", "event_id"},
        {"{\"event_id\":\"a\",\"event_time\":\"2024-01-01\"}", "invalid_field", "event_time"},
        {"{\"event_id\":\"a\",\"event_time\":1.5}", "invalid_field", "event_time"},
        {"{\"event_id\":\"a\",\"event_time\":9223372036854775807}", "invalid_field", "event_time"},
        {"{\"event_id\":\"a\",\"event_time\":1,\"model_name\":\"m\"}", "missing_field",
         "model_version"},
        {EVENT("\"features\":[],\"prediction\":1"), "invalid_field", "features"},
        {EVENT(FEATURES(",\"list\":[1]") ",\"prediction\":1"), "type_mismatch", "list"},
        {EVENT(FEATURES("") ",\"prediction\":[]"), "invalid_field", "prediction"},
        {EVENT(FEATURES("") ",\"prediction\":1,\"role\":\"KING\""), "invalid_field", "role"},
        {EVENT(FEATURES("") ",\"prediction\":1,\"scores\":{\"up\":\"x\"}"), "invalid_field",
         "scores"},
        {EVENT(FEATURES("") ",\"prediction\":1,\"latency_ms\":\"x\""), "invalid_field",
         "latency_ms"},
        {EVENT(FEATURES("") ",\"prediction\":1,\"tags\":null"), "missing_field", "tags"},
        {EVENT(FEATURES("") ",\"prediction\":null"), "missing_prediction", "prediction"},
    };
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_refused(&bench, span_text(cases[i].text), cases[i].reason, cases[i].column);
    bench_close(&bench);
}

static void brackets(struct buffer *text, char bracket, int count)
{
    for (int i = 0; i < count; i++)
        buffer_append_byte(text, (uint8_t)bracket);
}

static void test_json_limits(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct buffer text = {0};
    buffer_append_span(&text, span_text("{\"x\":"));
    brackets(&text, '[', 10000);
    assert_refused(&bench, buffer_span(&text), "limit_exceeded", NULL);
    /* 100 deep is read (99 lists in the object, in a field that is passed over), 101 is not. */
    for (int depth = 100; depth <= 101; depth++) {
        buffer_clear(&text);
        buffer_append_span(&text, span_text("{\"x\":"));
        brackets(&text, '[', depth - 1);
        brackets(&text, ']', depth - 1);
        buffer_append_span(&text, span_text(",\"y\":\"\\\"")); /* brackets in a text are no lists */
        brackets(&text, '[', 200);
        buffer_append_span(&text, span_text("\","));
        buffer_append_span(&text, span_text(&GOOD[1]));
        if (depth > 100) {
            assert_refused(&bench, buffer_span(&text), "limit_exceeded", NULL);
            continue;
        }
        buffer_append_byte(&text, 0);
        struct seen seen = passed(&bench, (const char *)text.bytes);
        assert_int_equal((int)counted(&bench, "fields_unknown_total", NULL), 2);
        seen_close(&seen);
    }
    /* Small as JSON, over the limit once encoded. */
    buffer_clear(&text);
    buffer_append_span(&text, span_text("{\"embedding\":[1"));
    for (int i = 0; i < 400000; i++)
        buffer_append(&text, ",1", 2);
    buffer_append_span(&text, span_text("],"));
    buffer_append_span(&text, span_text(&GOOD[1]));
    assert_refused(&bench, buffer_span(&text), "too_large", NULL);
    assert_int_equal(only(&bench, TOPIC_INFERENCE_DEAD_LETTER)->value.size, text.size);
    buffer_fini(&text);
    bench_close(&bench);
}

static void test_json_unknown_fields(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct seen seen = passed(&bench, EVENT(FEATURES(",\"new\":1") ",\"prediction\":1,\"a\":{\"b\":"
                                                                   "[]},\"arrival_time\":5"));
    assert_int_equal((int)counted(&bench, "fields_unknown_total", NULL), 1);
    assert_int_equal((int)counted(&bench, "features_unknown_total", NULL), 1);
    seen_close(&seen);
    bench_close(&bench);
}

/* ---- labels ---- */

static void test_label(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_GROUND_TRUTH);
    const char *text = "{\"event_id\":\"e1\",\"label\":\"up\",\"label_time\":1700000000000}";
    struct seen seen = passed(&bench, text);
    const struct output *output = only(&bench, TOPIC_INFERENCE_VALIDATED);
    assert_true(span_is(output->key, "e1"));
    const struct schema *validated = schema_embedded("inference.validated-label");
    assert_true(seen.fingerprint == schema_fingerprint(validated));
    assert_int_equal(seen.enrichment.kind, ENRICHMENT_LABEL);
    assert_int_equal(seen.enrichment.contract_revision, 0);
    assert_int_equal(seen.enrichment.lateness, ENRICHMENT_NONE);
    assert_true(span_is(seen.enrichment.source, "ground.truth:3"));
    assert_int_equal((int)counted(&bench, "labels_seen_total", NULL), 1);
    assert_int_equal((int)counted(&bench, "labels_validated_total", NULL), 1);
    assert_int_equal((int)counted(&bench, "events_seen_total", NULL), 0);
    struct buffer bytes = {0};
    frame(&bytes, schema_embedded("ground.truth"), text);
    assert_int_equal(seen.body.size, bytes.size - WIRE_FRAME_SIZE);
    handle(&bench, buffer_span(&bytes));
    output = only(&bench, TOPIC_INFERENCE_VALIDATED);
    const size_t body = bytes.size - WIRE_FRAME_SIZE;
    assert_memory_equal(output->value.bytes + output->value.size - body,
                        bytes.bytes + WIRE_FRAME_SIZE, body);
    seen_close(&seen);
    buffer_fini(&bytes);
    bench_close(&bench);
}

static void test_label_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason, *column;
    } cases[] = {
        {"{\"label\":1,\"label_time\":1}", "missing_field", "event_id"},
        {"{\"event_id\":\"\",\"label\":1,\"label_time\":1}", "missing_field", "event_id"},
        {"{\"event_id\":5,\"label\":1,\"label_time\":1}", "invalid_field", "event_id"},
        {"{\"event_id\":\"a\",\"label_time\":1}", "missing_field", "label"},
        {"{\"event_id\":\"a\",\"label\":null,\"label_time\":1}", "missing_field", "label"},
        {"{\"event_id\":\"a\",\"label\":[1],\"label_time\":1}", "invalid_field", "label"},
        {"{\"event_id\":\"a\",\"label\":1}", "missing_field", "label_time"},
        {"{\"event_id\":\"a\",\"label\":1,\"label_time\":\"x\"}", "invalid_field", "label_time"},
        {"{\"event_id\":\"a\",\"label\":1,\"label_time\":9223372036854775807}", "invalid_field",
         "label_time"},
        {"{\"event_id\":\"a\",\"label\":1,\"label_time\":1,\"weight\":\"x\"}", "invalid_field",
         "weight"},
        {"x", "malformed", NULL},
    };
    struct bench bench = bench_of(TOPIC_GROUND_TRUTH);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_refused(&bench, span_text(cases[i].text), cases[i].reason, cases[i].column);
    struct buffer bytes = {0};
    frame(&bytes, schema_embedded("ground.truth"),
          "{\"event_id\":\"a\",\"label\":null,\"label_time\":1}");
    assert_refused(&bench, buffer_span(&bytes), "missing_field", "label");
    frame(&bytes, schema_embedded("inference.events"), GOOD);
    assert_refused(&bench, buffer_span(&bytes), "schema_invalid", NULL);
    buffer_fini(&bytes);
    bench_close(&bench);
}

static void test_label_of_own_schema(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_GROUND_TRUTH);
    struct schema *own = parsed("{\"type\":\"record\",\"name\":\"Truth\",\"fields\":["
                                "{\"name\":\"label_time\",\"type\":\"long\"},"
                                "{\"name\":\"label\",\"type\":\"double\"},"
                                "{\"name\":\"event_id\",\"type\":\"string\"}]}");
    schema_take(bench.catalog, own);
    struct buffer bytes = {0};
    frame(&bytes, own, "{\"event_id\":\"e5\",\"label\":0.5,\"label_time\":7}");
    handle(&bench, buffer_span(&bytes));
    assert_int_equal(published(&bench, TOPIC_MODEL_SCHEMAS), 1);
    const struct output *schema = outputs_at(bench.outputs, 0);
    catalog_take(bench.catalog, TOPIC_MODEL_SCHEMAS, schema->key, schema->value);
    const struct output *output = only(&bench, TOPIC_INFERENCE_VALIDATED);
    uint64_t fingerprint;
    struct span whole;
    assert_true(wire_read_frame(output->value, &fingerprint, &whole));
    json_t *value = NULL;
    struct reason reason = {""};
    assert_int_equal(
        datum_decode(catalog_schema(bench.catalog, fingerprint), whole, &value, &reason),
        FAULT_NONE);
    const json_t *label = json_object_get(value, "label");
    assert_string_equal(json_string_value(json_object_get(label, "event_id")), "e5");
    json_decref(value);
    schema_destroy(own);
    buffer_fini(&bytes);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_refusals),       cmocka_unit_test(test_json_limits),
        cmocka_unit_test(test_json_unknown_fields), cmocka_unit_test(test_label),
        cmocka_unit_test(test_label_refusals),      cmocka_unit_test(test_label_of_own_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
