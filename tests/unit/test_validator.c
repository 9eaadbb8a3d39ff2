/* Goal: what passes is published with its bytes as they came, under the right schema, contract,
 * lateness and reasons; state survives; whatever the bytes, every record goes to exactly one of the
 * two topics and the ledger adds up. Method: validator_bench.h; what is validated is decoded again
 * by its schema. Valid records are cut and changed byte by byte. */
#include "validator_bench.h"

#include <math.h>

#define OWN_SCHEMA                                                                                 \
    "{\"type\":\"record\",\"name\":\"Reason\",\"fields\":["                                        \
    "{\"name\":\"event_time\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}}," \
    "{\"name\":\"features\",\"type\":{\"type\":\"record\",\"name\":\"Enrichment\",\"fields\":["    \
    "{\"name\":\"country\",\"type\":\"string\"},{\"name\":\"amount\",\"type\":\"double\"}]}},"     \
    "{\"name\":\"model_version\",\"type\":\"string\"},{\"name\":\"model_name\",\"type\":"          \
    "\"string\"}"                                                                                  \
    ","                                                                                            \
    "{\"name\":\"extra\",\"type\":[\"null\",\"bytes\"],\"default\":null},"                         \
    "{\"name\":\"event_id\",\"type\":\"string\"},"                                                 \
    "{\"name\":\"prediction\",\"type\":[\"null\",\"double\"]}]}"
static const char own_schema[] = OWN_SCHEMA;

#define OWN_EVENT                                                                                  \
    "{\"event_id\":\"e9\",\"event_time\":1700000000000000,\"model_name\":\"fraud\","               \
    "\"model_version\":\"8\",\"features\":{\"amount\":500.0,\"country\":\"FR\"},\"prediction\":0." \
    "5}"

/* ---- framing and bytes ---- */

static void test_json_event(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct seen seen = passed(&bench, " \n" GOOD);
    const struct output *output = only(&bench, TOPIC_INFERENCE_VALIDATED);
    assert_int_equal(outputs_size(bench.outputs), 1); /* the schema is built in */
    assert_true(span_is(output->key, "e1"));
    assert_header(output, "traceparent", "00-ab");
    assert_header(output, "plumb-line", "12");
    assert_header(output, "plumb.reason", NULL);
    const struct schema *validated = schema_embedded("inference.validated");
    assert_true(seen.fingerprint == schema_fingerprint(validated));
    assert_true(span_is(seen.enrichment.source, "inference.events:3"));
    assert_int_equal(seen.enrichment.offset, 40);
    assert_int_equal(seen.enrichment.arrival_ms, EVENT_TIME + 5);
    assert_int_equal(seen.enrichment.kind, ENRICHMENT_EVENT);
    assert_int_equal(seen.enrichment.contract_revision, 1);
    assert_int_equal(seen.enrichment.lateness, ENRICHMENT_ON_TIME);
    assert_int_equal(seen.enrichment.reason_count, 0);
    assert_false(seen.enrichment.duplicate);
    assert_true(seen.enrichment.schema == schema_fingerprint(schema_embedded("inference.events")));

    json_t *value = NULL;
    struct reason reason = {""};
    const struct span whole = {output->value.bytes + WIRE_FRAME_SIZE,
                               output->value.size - WIRE_FRAME_SIZE};
    assert_int_equal(datum_decode(validated, whole, &value, &reason), FAULT_NONE);
    const json_t *event = json_object_get(value, "event");
    assert_string_equal(json_string_value(json_object_get(event, "status")), "OK");
    const json_t *amount = json_object_get(json_object_get(event, "features"), "amount");
    assert_true(json_is_integer(amount)); /* an integer stays one */
    json_decref(value);
    assert_int_equal((int)counted(&bench, "events_seen_total", NULL), 1);
    assert_int_equal((int)counted(&bench, "events_validated_total", NULL), 1);
    assert_int_equal((int)counted(&bench, "events_counted_total", NULL), 1);
    seen_close(&seen);
    bench_close(&bench);
}

static void test_avro_event_is_copied(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct buffer bytes = {0};
    frame(&bytes, schema_embedded("inference.events"), GOOD);
    handle(&bench, buffer_span(&bytes));
    const struct output *output = only(&bench, TOPIC_INFERENCE_VALIDATED);
    const size_t body = bytes.size - WIRE_FRAME_SIZE;
    assert_true(output->value.size > body);
    assert_memory_equal(output->value.bytes + output->value.size - body,
                        bytes.bytes + WIRE_FRAME_SIZE, body);
    /* JSON of the same content is the same record, but for the offset. */
    struct seen json = passed(&bench, GOOD);
    assert_int_equal(json.body.size, body);
    assert_memory_equal(json.body.bytes, bytes.bytes + WIRE_FRAME_SIZE, body);
    seen_close(&json);
    buffer_fini(&bytes);
    bench_close(&bench);
}

/* What a consumer's reader makes of it. */
static void assert_reader_reads(const struct schema *composed, struct span whole)
{
    struct event_reader *reader = NULL;
    struct event read;
    struct reason reason = {""};
    assert_int_equal(event_reader_create(composed, NULL, &reader, &reason), FAULT_NONE);
    assert_int_equal(event_read(reader, whole, &read, &reason), FAULT_NONE);
    assert_int_equal(read.event_time_ms, EVENT_TIME);
    event_reader_destroy(reader);
}

/* Its names are ours on purpose: they must not meet. */
static void test_own_writer_schema(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct schema *own = parsed(own_schema);
    struct buffer bytes = {0};
    frame(&bytes, own, OWN_EVENT);
    assert_refused(&bench, buffer_span(&bytes), "schema_unknown", NULL);
    schema_take(bench.catalog, own);

    handle(&bench, buffer_span(&bytes));
    assert_int_equal(outputs_size(bench.outputs), 2);
    handle(&bench, buffer_span(&bytes)); /* once a shard */
    assert_int_equal(outputs_size(bench.outputs), 1);
    validator_service.close(bench.shard);
    shard_open(&bench);
    handle(&bench, buffer_span(&bytes)); /* a new shard cannot know that it is under way */
    assert_int_equal(outputs_size(bench.outputs), 2);
    assert_int_equal(outputs_at(bench.outputs, 0)->topic, TOPIC_MODEL_SCHEMAS); /* first */
    const struct output *published_schema = outputs_at(bench.outputs, 0);
    catalog_take(bench.catalog, TOPIC_MODEL_SCHEMAS, published_schema->key,
                 published_schema->value);
    const struct output *output = only(&bench, TOPIC_INFERENCE_VALIDATED);
    assert_true(span_is(output->key, "e9"));
    uint64_t fingerprint;
    struct span whole;
    assert_true(wire_read_frame(output->value, &fingerprint, &whole));
    const struct schema *composed = catalog_schema(bench.catalog, fingerprint);
    assert_non_null(composed);
    char digits[17];
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)fingerprint);
    assert_true(span_is(published_schema->key, digits));

    json_t *value = NULL;
    struct reason reason = {""};
    assert_int_equal(datum_decode(composed, whole, &value, &reason), FAULT_NONE);
    const json_t *event = json_object_get(value, "event");
    const json_t *enrichment = json_object_get(value, "enrichment");
    assert_string_equal(json_string_value(json_object_get(event, "event_id")), "e9");
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(enrichment, "reasons"), 0), "reason")),
                        "range");
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)schema_fingerprint(own));
    assert_string_equal(json_string_value(json_object_get(enrichment, "schema")), digits);
    json_decref(value);
    const size_t body = bytes.size - WIRE_FRAME_SIZE;
    assert_memory_equal(output->value.bytes + output->value.size - body,
                        bytes.bytes + WIRE_FRAME_SIZE, body);
    assert_reader_reads(composed, whole);

    validator_service.close(bench.shard);
    shard_open(&bench);
    handle(&bench, buffer_span(&bytes)); /* and not at all where the catalog has it */
    assert_int_equal(outputs_size(bench.outputs), 1);
    schema_destroy(own);
    buffer_fini(&bytes);
    bench_close(&bench);
}

static void test_avro_refusals(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct buffer bytes = {0};
    frame(&bytes, schema_embedded("ground.truth"),
          "{\"event_id\":\"a\",\"label\":1,\"label_time\":1}");
    assert_refused(&bench, buffer_span(&bytes), "schema_invalid", NULL);
    assert_refused(&bench, buffer_span(&bytes), "schema_invalid", NULL); /* remembered */
    /* A validated record put back into the source reads as an event, but is none. */
    struct seen seen = passed(&bench, GOOD);
    struct buffer validated = {0};
    buffer_append_span(&validated, only(&bench, TOPIC_INFERENCE_VALIDATED)->value);
    assert_refused(&bench, buffer_span(&validated), "schema_invalid", NULL);
    seen_close(&seen);
    buffer_fini(&validated);

    struct schema *wrapped =
        parsed("{\"type\":\"record\",\"name\":\"W\",\"fields\":[{\"name\":\"enrichment\",\"type\":"
               "{\"type\":\"record\",\"name\":\"X\",\"fields\":[]}},{\"name\":\"event\","
               "\"type\":" OWN_SCHEMA "}]}");
    schema_take(bench.catalog, wrapped);
    frame(&bytes, wrapped, "{\"enrichment\":{},\"event\":" OWN_EVENT "}");
    assert_refused(&bench, buffer_span(&bytes), "schema_invalid", NULL);
    schema_destroy(wrapped);

    frame(&bytes, schema_embedded("inference.events"), GOOD);
    buffer_append_byte(&bytes, 0);
    assert_refused(&bench, buffer_span(&bytes), "malformed", NULL);
    assert_refused(&bench, span_of("\xc3\x01 123", 6), "malformed", NULL);
    assert_refused(&bench, span_of("\x00\x00\x00\x00\x07 x", 7), "schema_unknown", NULL);
    assert_refused(&bench, span_of("\x00\x00\x00\x00\x07", 5), "malformed", NULL);
    assert_refused(&bench, span_of("", 0), "malformed", NULL);
    assert_refused(&bench, span_of(NULL, 0), "no_value", NULL);
    buffer_fini(&bytes);
    bench_close(&bench);
}

/* ---- the contract ---- */

static void test_rejecting_columns(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason, *column;
    } cases[] = {
        {WITH("\"country\":\"DE\""), "missing_column", "amount"},
        {WITH("\"amount\":\"5\",\"country\":\"DE\""), "type_mismatch", "amount"},
        {WITH("\"amount\":true,\"country\":\"DE\""), "type_mismatch", "amount"},
        {WITH("\"amount\":5,\"country\":\"US\""), "unseen_value", "country"},
        {WITH("\"amount\":5,\"country\":2"), "unseen_value", "country"},
        {COLUMNS("\"age\":151"), "range", "age"},
        {COLUMNS("\"customer\":1.5"), "type_mismatch", "customer"},
        /* The first in the contract's order decides, not the first in the record. */
        {WITH("\"age\":151,\"country\":\"US\",\"amount\":\"x\""), "type_mismatch", "amount"},
    };
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_refused(&bench, span_text(cases[i].text), cases[i].reason, cases[i].column);
    bench_close(&bench);
}

static void test_flagging_columns(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason, *column;
    } cases[] = {
        {WITH("\"amount\":0,\"country\":\"DE\""), NULL, NULL},
        {WITH("\"amount\":100.0,\"country\":\"FR\""), NULL, NULL},
        {WITH("\"amount\":-0.001,\"country\":\"DE\""), "range", "amount"},
        {WITH("\"amount\":101,\"country\":\"DE\""), "range", "amount"},
        {WITH("\"amount\":null,\"country\":\"DE\""), "null_value", "amount"},
        {WITH("\"amount\":5,\"country\":null"), "null_value", "country"},
        {WITH("\"amount\":5,\"country\":1"), NULL, NULL}, /* a category's value is its text */
        {WITH("\"amount\":5,\"country\":1.0"), NULL, NULL},
        {COLUMNS("\"age\":null"), "null_value", "age"}, /* the contract allows a rate of them */
        {COLUMNS("\"note\":5"), "type_mismatch", "note"},
        {COLUMNS("\"member\":true"), NULL, NULL},
        {COLUMNS("\"customer\":5"), NULL, NULL},
        {COLUMNS("\"customer\":\"c\""), NULL, NULL},
    };
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_flagged(&bench, cases[i].text, cases[i].reason, cases[i].column);
    bench_close(&bench);
}

static void test_counting_columns(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct seen seen = passed(&bench, COLUMNS("\"member\":\"yes\""));
    assert_int_equal(seen.enrichment.reason_count, 1); /* windows measure it */
    assert_true(span_is(seen.enrichment.reasons[0].column, "member"));
    assert_int_equal((int)counted(&bench, "violations_counted_total", "type_mismatch"), 1);
    assert_int_equal((int)counted(&bench, "events_flagged_total", NULL), 0);
    seen_close(&seen);
    bench_close(&bench);
}

/* Only Avro can say NaN. */
static void test_not_a_number(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct buffer bytes = {0};
    const struct schema *schema = schema_embedded("inference.events");
    frame(&bytes, schema,
          EVENT("\"features\":{\"amount\":55.25,\"country\":\"DE\"},"
                "\"prediction\":1"));
    static const double before = 55.25, after = (double)NAN, infinite = (double)INFINITY;
    uint8_t *at = memmem(bytes.bytes, bytes.size, &before, sizeof before);
    assert_non_null(at);
    memcpy(at, &after, sizeof after);
    handle(&bench, buffer_span(&bytes));
    assert_int_equal((int)counted(&bench, "events_flagged_total", "not_a_number"), 1);
    assert_int_equal(published(&bench, TOPIC_INFERENCE_VALIDATED), 1);
    memcpy(at, &infinite, sizeof infinite);
    handle(&bench, buffer_span(&bytes));
    assert_int_equal((int)counted(&bench, "events_flagged_total", "range"), 1);
    buffer_fini(&bytes);
    bench_close(&bench);
}

static void test_prediction_may_be_null(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    assert_flagged(&bench, EVENT(FEATURES("") ",\"prediction\":null,\"status\":\"ERROR\""), NULL,
                   NULL);
    bench_close(&bench);
}

static void test_lateness(void **state)
{
    (void)state;
    static const struct {
        int64_t arrival_ms;
        enum enrichment_lateness lateness;
        const char *metric;
    } cases[] = {
        /* The pane of 1700000000 s ends at 1700000040 s. */
        {EVENT_TIME, ENRICHMENT_ON_TIME, "events_counted_total"},
        {EVENT_TIME + 70000, ENRICHMENT_ON_TIME, "events_counted_total"},
        {EVENT_TIME + 70001, ENRICHMENT_LATE, "events_late_total"},
        {EVENT_TIME + 40000 + 3600000, ENRICHMENT_LATE, "events_late_total"},
        {EVENT_TIME + 40001 + 3600000, ENRICHMENT_TOO_LATE, "events_too_late_total"},
        {EVENT_TIME - 300000, ENRICHMENT_ON_TIME, "events_counted_total"},
        {EVENT_TIME - 300001, ENRICHMENT_FUTURE, "events_future_total"},
    };
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bench.arrival_ms = cases[i].arrival_ms;
        shard_renew(&bench, NULL); /* or it would be a duplicate */
        struct seen seen = passed(&bench, GOOD);
        assert_int_equal(seen.enrichment.lateness, cases[i].lateness);
        assert_int_equal((int)counted(&bench, cases[i].metric, NULL), 1);
        const bool is_future = cases[i].lateness == ENRICHMENT_FUTURE;
        assert_int_equal(seen.enrichment.reason_count, is_future);
        if (is_future)
            assert_true(span_is(seen.enrichment.reasons[0].reason, "clock_skew"));
        seen_close(&seen);
    }
    bench_close(&bench);
}

static void test_choice_of_contract(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    assert_refused(&bench,
                   span_text("{\"event_id\":\"a\",\"event_time\":1700000000000,\"model_name\":"
                             "\"other\",\"model_version\":\"1\",\"features\":{},\"prediction\":1}"),
                   "unknown_model", NULL);
    assert_refused(&bench,
                   span_text("{\"event_id\":\"a\",\"event_time\":1000,\"model_name\":\"fraud\","
                             "\"model_version\":\"1\",\"features\":{},\"prediction\":1}"),
                   "no_contract_yet", NULL);
    struct seen seen = passed(&bench, GOOD);
    assert_int_equal(seen.enrichment.contract_revision, 1);
    seen_close(&seen);
    /* A revision that takes effect later leaves this event alone; one that came late is counted
     * once. */
    contract_take(bench.catalog, contract_yaml, 2, EVENT_TIME + 1);
    seen = passed(&bench, GOOD);
    assert_int_equal(seen.enrichment.contract_revision, 1);
    seen_close(&seen);
    contract_take(bench.catalog, contract_yaml, 3, EVENT_TIME);
    seen = passed(&bench, GOOD);
    assert_int_equal(seen.enrichment.contract_revision, 3);
    assert_int_equal((int)counted(&bench, "contract_late_total", "fraud"), 1);
    seen_close(&seen);
    seen = passed(&bench, GOOD);
    assert_int_equal((int)counted(&bench, "contract_late_total", "fraud"), 0);
    seen_close(&seen);
    bench_close(&bench);
}

/* ---- duplicates ---- */

static void assert_event(struct bench *bench, const char *text, bool duplicate)
{
    struct seen seen = passed(bench, text);
    assert_int_equal(seen.enrichment.duplicate, duplicate);
    assert_int_equal((int)counted(bench, "events_duplicate_total", NULL), duplicate);
    assert_int_equal((int)counted(bench, "events_counted_total", NULL), !duplicate);
    assert_int_equal((int)counted(bench, "events_validated_total", NULL), 1);
    seen_close(&seen);
}

static void test_duplicates(void **state)
{
    (void)state;
    static const char bad[] = WITH("\"amount\":5,\"country\":\"XX\"");
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    assert_int_equal(validator_service.needs(bench.shard), INT64_MAX);
    assert_refused(&bench, span_text(bad), "unseen_value", "country"); /* may come corrected */
    assert_int_equal(validator_service.needs(bench.shard), INT64_MAX);
    assert_event(&bench, GOOD, false);
    assert_int_equal(validator_service.needs(bench.shard), 41);
    assert_event(&bench, COLUMNS("\"age\":7"), true); /* the id decides, not what else it says */
    assert_refused(&bench, span_text(bad), "unseen_value", "country");
    assert_event(&bench, GOOD, true);
    /* Time alone forgets, ten minutes and a slice after the last. */
    assert_int_equal(validator_service.advance(bench.shard, TOPIC_INFERENCE_EVENTS,
                                               bench.arrival_ms + 660000, bench.outputs),
                     FAULT_NONE);
    assert_int_equal(validator_service.needs(bench.shard), INT64_MAX);
    bench.arrival_ms += 660000;
    assert_refused(&bench, span_text(bad), "unseen_value", "country");
    shard_renew(&bench, NULL);
    bench.arrival_ms = EVENT_TIME + 5;
    assert_event(&bench, GOOD, false);
    bench_close(&bench);
}

static void test_duplicates_off(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    assert_event(&bench, GOOD, false);
    struct changes *changes = changes_create();
    validator_service.save(bench.shard, changes);
    const struct change *ids = changes_at(changes, 1);
    shard_renew(&bench, (const char *const[]){"--duplicates-horizon", "0s", NULL});
    /* What was stored is left behind: the driver rebuilds the state without it. */
    assert_int_equal(validator_service.load(bench.shard, ids->field, ids->bytes),
                     FAULT_STATE_CONFLICT);
    assert_event(&bench, GOOD, false);
    assert_event(&bench, GOOD, false);
    assert_int_equal(validator_service.needs(bench.shard), INT64_MAX);
    changes_destroy(changes);
    bench_close(&bench);
}

static void test_duplicates_of_few_ids(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    shard_renew(&bench, (const char *const[]){"--duplicates-max", "2", NULL});
    static const char good[] = GOOD, *const ids[] = {"e1", "e2", "e3"};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        char *text = heap_format("%.13s%s%s", good, ids[i], &good[15]);
        assert_event(&bench, text, false);
        assert_int_equal((int)counted(&bench, "duplicates_horizon_cut_total", NULL), i == 2);
        heap_release(text);
    }
    assert_event(&bench, GOOD, false); /* forgotten */
    assert_event(&bench, GOOD, true);
    struct reason reason = {""};
    assert_int_equal(validator_service.check(bench.options, &reason), FAULT_NONE);
    shard_renew(&bench,
                (const char *const[]){"--duplicates-max", "0", "--duplicates-horizon", "0s", NULL});
    assert_int_equal(validator_service.check(bench.options, &reason), FAULT_OPTION_INVALID);
    assert_non_null(strstr(reason.text, "--duplicates-max: from 1 to"));
    bench_close(&bench);
}

/* A later label is a revision. */
static void test_labels_are_no_duplicates(void **state)
{
    (void)state;
    static const char label[] = "{\"event_id\":\"e1\",\"label\":1,\"label_time\":1700000000000}";
    struct bench bench = bench_of(TOPIC_GROUND_TRUTH);
    for (int i = 0; i < 2; i++) {
        struct seen seen = passed(&bench, label);
        assert_false(seen.enrichment.duplicate);
        assert_int_equal((int)counted(&bench, "labels_validated_total", NULL), 1);
        seen_close(&seen);
    }
    struct buffer word = {0};
    validator_service.recall(bench.shard, &word);
    assert_int_equal(word.size, 0);
    assert_int_equal(validator_service.needs(bench.shard), INT64_MAX);
    bench_close(&bench);
}

/* ---- state ---- */

static void test_state(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct changes *changes = changes_create();
    validator_service.save(bench.shard, changes);
    assert_int_equal(changes_size(changes), 0);
    struct seen seen = passed(&bench, GOOD);
    seen_close(&seen);
    validator_service.save(bench.shard, changes);
    assert_int_equal(changes_size(changes), 2); /* and the id */
    const struct change change = *changes_at(changes, 0);
    assert_true(span_is(change.field, "contract.fraud"));

    /* In another process the revision that comes late is seen as late, because of what was loaded.
     */
    validator_service.close(bench.shard);
    shard_open(&bench);
    assert_int_equal(validator_service.load(bench.shard, change.field, change.bytes), FAULT_NONE);
    contract_take(bench.catalog, contract_yaml, 2, EVENT_TIME);
    seen = passed(&bench, GOOD);
    assert_int_equal((int)counted(&bench, "contract_late_total", "fraud"), 1);
    seen_close(&seen);
    changes_clear(changes);
    validator_service.save(bench.shard, changes);
    assert_int_equal(changes_size(changes), 2);
    changes_clear(changes);
    validator_service.save(bench.shard, changes); /* a delta: nothing changed */
    assert_int_equal(changes_size(changes), 0);

    assert_int_equal(validator_service.load(bench.shard, span_text("other"), span_text("x")),
                     FAULT_STATE_MALFORMED);
    assert_int_equal(
        validator_service.load(bench.shard, span_text("contract.fraud"), span_text("x")),
        FAULT_STATE_MALFORMED);
    changes_destroy(changes);
    bench_close(&bench);
}

/* ---- hostile bytes ---- */

static void assert_once(struct bench *bench, struct span value)
{
    handle(bench, value);
    const size_t validated = published(bench, TOPIC_INFERENCE_VALIDATED);
    const size_t dead = published(bench, TOPIC_INFERENCE_DEAD_LETTER);
    assert_int_equal(validated + dead, 1);
    const double ledger = counted(bench, "events_counted_total", NULL) +
                          counted(bench, "events_late_total", NULL) +
                          counted(bench, "events_too_late_total", NULL) +
                          counted(bench, "events_future_total", NULL) +
                          counted(bench, "events_duplicate_total", NULL) +
                          counted(bench, "events_rejected_total", NULL);
    assert_int_equal((int)ledger, (int)counted(bench, "events_seen_total", NULL));
    assert_int_equal((int)counted(bench, "events_validated_total", NULL), (int)validated);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void mangle(struct bench *bench, struct span good)
{
    uint8_t *bytes = heap_copied(good.bytes, good.size);
    for (size_t size = 0; size <= good.size; size++) {
        uint8_t *cut = heap_copied(good.bytes, size + (size == 0)); /* ends where ASan watches */
        assert_once(bench, span_of(cut, size));
        heap_release(cut);
    }
    uint64_t seed = 42;
    for (int i = 0; i < 3000; i++) {
        size_t places[3];
        const size_t changes = 1 + next_random(&seed) % COUNT_OF(places);
        for (size_t j = 0; j < changes; j++) {
            places[j] = next_random(&seed) % good.size;
            bytes[places[j]] = (uint8_t)next_random(&seed);
        }
        assert_once(bench, span_of(bytes, good.size));
        for (size_t j = 0; j < changes; j++)
            bytes[places[j]] = good.bytes[places[j]];
    }
    heap_release(bytes);
}

static void test_hostile_bytes(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct buffer bytes = {0};
    frame(&bytes, schema_embedded("inference.events"),
          EVENT(FEATURES(
              ",\"age\":5.5,\"note\":\"n\",\"member\":true") ",\"prediction\":1,\"scores\":{\"up\":"
                                                             "0.5},\"embedding\":[1,2]"));
    mangle(&bench, buffer_span(&bytes));
    mangle(&bench, span_text(GOOD));
    struct schema *own = parsed(own_schema);
    schema_take(bench.catalog, own);
    frame(&bytes, own, OWN_EVENT);
    mangle(&bench, buffer_span(&bytes));
    schema_destroy(own);
    buffer_fini(&bytes);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_event),
        cmocka_unit_test(test_avro_event_is_copied),
        cmocka_unit_test(test_own_writer_schema),
        cmocka_unit_test(test_avro_refusals),
        cmocka_unit_test(test_rejecting_columns),
        cmocka_unit_test(test_flagging_columns),
        cmocka_unit_test(test_counting_columns),
        cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_prediction_may_be_null),
        cmocka_unit_test(test_lateness),
        cmocka_unit_test(test_choice_of_contract),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_duplicates_off),
        cmocka_unit_test(test_duplicates_of_few_ids),
        cmocka_unit_test(test_labels_are_no_duplicates),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_hostile_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
