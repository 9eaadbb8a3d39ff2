/* Goal: a record that names its schema by a registry's id or GUID waits for the answer, is read by
 * it, and is read the same ever after: without the registry, in a replay, by other instances.
 * Method: the real validator over a real catalog whose lookup is played by the test. */
#include "validator_bench.h"

/* The registry: answers as told, counts what it is asked. */
struct oracle {
    enum schema_answer answer;
    const struct schema *schema;
    unsigned asked;
    char name[40];
    int64_t offset;
};

static enum schema_answer find(void *context, const struct schema_use *use,
                               const struct schema **out_schema, struct reason *out_reason)
{
    struct oracle *oracle = context;
    oracle->asked++;
    oracle->offset = use->offset;
    (void)snprintf(oracle->name, sizeof oracle->name, "%.*s", (int)use->name.size,
                   (const char *)use->name.bytes);
    assert_int_equal(use->topic, TOPIC_INFERENCE_EVENTS);
    assert_int_equal(use->partition, 3);
    if (oracle->answer == SCHEMA_FOUND)
        *out_schema = oracle->schema;
    if (oracle->answer == SCHEMA_REFUSED)
        reason_set(out_reason, "not an Avro schema, but PROTOBUF");
    return oracle->answer;
}

struct stage {
    struct bench bench;
    struct oracle oracle;
    struct schema *own;
    struct buffer framed; /* an event of own behind the id 7 */
};

#define OWN_SCHEMA                                                                                 \
    "{\"type\":\"record\",\"name\":\"Own\",\"fields\":["                                           \
    "{\"name\":\"event_id\",\"type\":\"string\"},{\"name\":\"model_name\",\"type\":\"string\"},"   \
    "{\"name\":\"model_version\",\"type\":\"string\"},{\"name\":\"event_time\",\"type\":\"long\"}" \
    ",{\"name\":\"features\",\"type\":{\"type\":\"record\",\"name\":\"F\",\"fields\":["            \
    "{\"name\":\"amount\",\"type\":\"double\"},{\"name\":\"country\",\"type\":\"string\"}]}},"     \
    "{\"name\":\"prediction\",\"type\":\"boolean\"}]}"
#define OWN_EVENT                                                                                  \
    "{\"event_id\":\"e9\",\"model_name\":\"fraud\",\"model_version\":\"7\",\"event_time\":"        \
    "1700000000000,\"features\":{\"amount\":5.0,\"country\":\"DE\"},\"prediction\":true}"

static void reframe(struct buffer *out, const struct buffer *single_object, const char *prefix,
                    size_t size)
{
    buffer_clear(out);
    buffer_append(out, prefix, size);
    buffer_append(out, single_object->bytes + WIRE_FRAME_SIZE,
                  single_object->size - WIRE_FRAME_SIZE);
}

static void stage_open(struct stage *stage)
{
    *stage = (struct stage){.bench = bench_of(TOPIC_INFERENCE_EVENTS), .own = parsed(OWN_SCHEMA)};
    struct buffer single = {0};
    frame(&single, stage->own, OWN_EVENT);
    reframe(&stage->framed, &single, "\0\0\0\0\7", 5);
    buffer_fini(&single);
    stage->oracle = (struct oracle){.answer = SCHEMA_AWAITED, .schema = stage->own};
    catalog_set_lookup(stage->bench.catalog,
                       &(struct schema_lookup){.find = find, .context = &stage->oracle});
}

static void stage_close(struct stage *stage)
{
    bench_close(&stage->bench);
    buffer_fini(&stage->framed);
    schema_destroy(stage->own);
}

static enum fault give(struct stage *stage, int64_t offset)
{
    const struct record record = {.topic = TOPIC_INFERENCE_EVENTS,
                                  .partition = 3,
                                  .offset = offset,
                                  .arrival_ms = stage->bench.arrival_ms,
                                  .value = buffer_span(&stage->framed)};
    outputs_clear(stage->bench.outputs);
    return validator_service.handle(stage->bench.shard, &record, stage->bench.outputs);
}

/* What was published to model.schemas reaches the table. */
static void let_table_follow(struct stage *stage)
{
    for (size_t i = 0; i < outputs_size(stage->bench.outputs); i++) {
        const struct output *output = outputs_at(stage->bench.outputs, i);
        if (output->topic == TOPIC_MODEL_SCHEMAS)
            catalog_take(stage->bench.catalog, output->topic, output->key, output->value);
    }
}

static void start_anew(struct stage *stage)
{
    validator_service.close(stage->bench.shard);
    shard_open(&stage->bench);
}

static bool is_validated(const struct stage *stage)
{
    return published(&stage->bench, TOPIC_INFERENCE_VALIDATED) == 1;
}

static void test_waits_changing_nothing(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage);
    struct changes *changes = changes_create();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(give(&stage, 40), FAULT_TABLE_BEHIND);
        assert_int_equal(outputs_size(stage.bench.outputs), 0);
        assert_int_equal(tally_size(outputs_counts(stage.bench.outputs)), 0);
    }
    validator_service.save(stage.bench.shard, changes);
    assert_int_equal(changes_size(changes), 0);
    changes_destroy(changes);
    assert_string_equal(stage.oracle.name, "7");
    assert_int_equal(stage.oracle.asked, 3);
    stage.oracle.answer = SCHEMA_FOUND;
    assert_int_equal(give(&stage, 40), FAULT_NONE);
    assert_true(is_validated(&stage));
    assert_int_equal(stage.oracle.asked, 4);
    assert_int_equal(give(&stage, 41), FAULT_NONE);
    assert_true(is_validated(&stage));
    assert_int_equal(stage.oracle.asked, 4); /* once is enough */
    assert_int_equal(outputs_size(stage.bench.outputs), 1);
    stage_close(&stage);
}

/* The schema, what the app's records become, and the name, before the record that needs them. */
static void test_the_answer_is_in_the_log(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage);
    stage.oracle.answer = SCHEMA_FOUND;
    assert_int_equal(give(&stage, 40), FAULT_NONE);
    assert_int_equal(published(&stage.bench, TOPIC_MODEL_SCHEMAS), 3);
    assert_int_equal(outputs_at(stage.bench.outputs, 3)->topic, TOPIC_INFERENCE_VALIDATED);
    const struct output *name = outputs_at(stage.bench.outputs, 1);
    assert_true(span_is(name->key, "7@inference.events:3"));
    let_table_follow(&stage);
    assert_non_null(catalog_schema(stage.bench.catalog, schema_fingerprint(stage.own)));

    start_anew(&stage);
    stage.oracle.answer = SCHEMA_AWAITED; /* the registry is away */
    stage.oracle.asked = 0;
    assert_int_equal(give(&stage, 41), FAULT_NONE);
    assert_true(is_validated(&stage));
    assert_int_equal(published(&stage.bench, TOPIC_MODEL_SCHEMAS), 0);
    assert_int_equal(stage.oracle.asked, 0);
    stage_close(&stage);
}

/* Records 40 and 41 came before the schema was registered, 42 and 43 after: a replay, in which the
 * registry is not asked, gives each its own fate again, from any offset and into an empty shard. */
static void test_replay_gives_each_its_fate(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage);
    for (int64_t offset = 40; offset < 44; offset++) {
        stage.oracle.answer = offset < 42 ? SCHEMA_MISSING : SCHEMA_FOUND;
        assert_int_equal(give(&stage, offset), FAULT_NONE);
        assert_int_equal(is_validated(&stage), offset >= 42);
        if (offset < 42)
            assert_header(only(&stage.bench, TOPIC_INFERENCE_DEAD_LETTER), "plumb.reason",
                          "schema_unknown");
        let_table_follow(&stage);
    }
    stage.oracle.answer = SCHEMA_MISSING; /* what the driver says of replayed records */
    for (int64_t first = 40; first < 44; first++) {
        start_anew(&stage);
        for (int64_t offset = first; offset < 44; offset++) {
            assert_int_equal(give(&stage, offset), FAULT_NONE);
            assert_int_equal(is_validated(&stage), offset >= 42);
        }
    }
    stage_close(&stage);
}

static void test_refusals(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage);
    stage.oracle.answer = SCHEMA_MISSING;
    assert_refused(&stage.bench, buffer_span(&stage.framed), "schema_unknown", NULL);
    assert_header(only(&stage.bench, TOPIC_INFERENCE_DEAD_LETTER), "plumb.detail", "7");
    stage.oracle.answer = SCHEMA_REFUSED;
    assert_refused(&stage.bench, buffer_span(&stage.framed), "schema_invalid", NULL);
    assert_header(only(&stage.bench, TOPIC_INFERENCE_DEAD_LETTER), "plumb.detail",
                  "7: not an Avro schema, but PROTOBUF");
    /* A schema that is none of an event's is not put into the log. */
    stage.oracle.answer = SCHEMA_FOUND;
    stage.oracle.schema = schema_embedded("ground.truth");
    assert_refused(&stage.bench, buffer_span(&stage.framed), "schema_invalid", NULL);
    stage.oracle.schema = stage.own;
    buffer_append_byte(&stage.framed, 0);
    assert_int_equal(give(&stage, 50), FAULT_NONE);
    assert_header(only(&stage.bench, TOPIC_INFERENCE_DEAD_LETTER), "plumb.reason", "malformed");
    stage_close(&stage);
}

/* The same fields, but a time in microseconds: never read as the milliseconds of the other. */
static void test_other_times_under_one_fingerprint(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage);
    stage.oracle.answer = SCHEMA_FOUND;
    assert_int_equal(give(&stage, 40), FAULT_NONE);
    assert_true(is_validated(&stage));
    char *text = heap_text(OWN_SCHEMA);
    char *place = strstr(text, "\"type\":\"long\"}");
    char *micros = heap_format("%.*s\"type\":{\"type\":\"long\",\"logicalType\":"
                               "\"timestamp-micros\"}}%s",
                               (int)(place - text), text, place + strlen("\"type\":\"long\"}"));
    struct schema *other = parsed(micros);
    assert_true(schema_fingerprint(other) == schema_fingerprint(stage.own));
    stage.oracle.schema = other;
    stage.framed.bytes[4] = 8;
    assert_refused(&stage.bench, buffer_span(&stage.framed), "schema_invalid", NULL);
    stage.framed.bytes[4] = 7;
    assert_int_equal(give(&stage, 60), FAULT_NONE);
    assert_true(is_validated(&stage));
    heap_release(text);
    heap_release(micros);
    stage_close(&stage);
    schema_destroy(other);
}

static void test_guid_in_a_header(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage);
    stage.oracle.answer = SCHEMA_FOUND;
    const struct header header = {"__value_schema_id",
                                  span_of("\x01\x89\x79\x17\x62\x23\x36\x41\x86\x96\x74\x29\x9b\x90"
                                          "\xa8\x02\xe2",
                                          17)};
    const struct record record = {.topic = TOPIC_INFERENCE_EVENTS,
                                  .partition = 3,
                                  .offset = 40,
                                  .arrival_ms = stage.bench.arrival_ms,
                                  .value = span_of(stage.framed.bytes + 5, stage.framed.size - 5),
                                  .headers = &header,
                                  .header_count = 1};
    outputs_clear(stage.bench.outputs);
    assert_int_equal(validator_service.handle(stage.bench.shard, &record, stage.bench.outputs),
                     FAULT_NONE);
    assert_true(is_validated(&stage));
    assert_string_equal(stage.oracle.name, "89791762-2336-4186-9674-299b90a802e2");
    stage_close(&stage);
}

/* --arrival event-time asks for a record's time before it is taken. */
static void test_time_waits_too(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage);
    const struct record record = {.topic = TOPIC_INFERENCE_EVENTS,
                                  .partition = 3,
                                  .offset = 40,
                                  .value = buffer_span(&stage.framed)};
    bool has_time = true;
    int64_t time_ms = 0;
    assert_int_equal(validator_service.event_time(stage.bench.shard, &record, &has_time, &time_ms),
                     FAULT_TABLE_BEHIND);
    stage.oracle.answer = SCHEMA_MISSING;
    assert_int_equal(validator_service.event_time(stage.bench.shard, &record, &has_time, &time_ms),
                     FAULT_NONE);
    assert_false(has_time);
    stage.oracle.answer = SCHEMA_FOUND;
    assert_int_equal(validator_service.event_time(stage.bench.shard, &record, &has_time, &time_ms),
                     FAULT_NONE);
    assert_true(has_time);
    assert_int_equal(time_ms, EVENT_TIME);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_changing_nothing),
        cmocka_unit_test(test_the_answer_is_in_the_log),
        cmocka_unit_test(test_replay_gives_each_its_fate),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_other_times_under_one_fingerprint),
        cmocka_unit_test(test_guid_in_a_header),
        cmocka_unit_test(test_time_waits_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
