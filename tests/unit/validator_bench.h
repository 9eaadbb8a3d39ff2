/* validator_bench.h: the real validator over a real catalog, outputs in memory, for its unit tests.
 *
 * bench_of gives a shard and one contract (model fraud, revision 1); handle feeds it a value;
 * passed and assert_refused say what must become of it. Everything fails the test at once where it
 * does not hold.
 */
#ifndef VALIDATOR_BENCH_H
#define VALIDATOR_BENCH_H
#include "avro/datum.h"
#include "avro/wire.h"
#include "memory/heap.h"
#include "model/enrichment.h"
#include "model/publication.h"
#include "service/outputs.h"
#include "services/validator/validator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char contract_yaml[] =
    "model: fraud\n"
    "task: binary\n"
    "positive: up\n"
    "owner: payments-ml\n"
    "runbook: https://runbooks.example/fraud\n"
    "columns:\n"
    "  amount: {type: number, range: [0, 100]}\n"
    "  country: {type: category, values: [DE, FR, '1'], on_unseen: reject}\n"
    "  age: {type: number, range: [0, 150], nulls: {max_rate: 0.1}, on_violation: reject, "
    "required: false}\n"
    "  note: {type: text, required: false, on_type: flag}\n"
    "  member: {type: boolean, required: false, on_type: count}\n"
    "  customer: {type: id, required: false}\n"
    "windows: {pane: 1m, lateness: 30s, correction: 1h}\n";

enum { TIME = 1700000000 }; /* seconds; a whole number of minutes past is not needed */
#define EVENT_TIME ((int64_t)TIME * 1000)
#define EVENT(rest)                                                                                \
    "{\"event_id\":\"e1\",\"event_time\":1700000000000,\"model_name\":\"fraud\","                  \
    "\"model_version\":\"7\"," rest "}"
#define FEATURES(rest) "\"features\":{\"amount\":5,\"country\":\"DE\"" rest "}"
#define GOOD           EVENT(FEATURES("") ",\"prediction\":1")

#define WITH(features) EVENT("\"features\":{" features "},\"prediction\":\"no\"")
#define COLUMNS(more)  WITH("\"amount\":5,\"country\":\"DE\"," more)

struct bench {
    struct catalog *catalog;
    struct outputs *outputs;
    struct option_set *options; /* NULL: the defaults */
    void *shard;
    enum topic topic;
    int64_t offset, arrival_ms;
};

static inline void catalog_take(struct catalog *catalog, enum topic topic, struct span key,
                                struct span value)
{
    struct reason reason = {""};
    const struct record record = {.topic = topic, .key = key, .value = value};
    if (catalog_apply(catalog, &record, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
}

static inline void contract_take(struct catalog *catalog, const char *yaml, int32_t revision,
                                 int64_t effective_from_ms)
{
    struct contract *contract = NULL;
    struct reason reason = {""};
    if (contract_parse("test.yaml", span_text(yaml), &contract, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    struct buffer key = {0}, value = {0};
    publication_contract(contract,
                         &(struct publication){.revision = revision,
                                               .effective_from_ms = effective_from_ms,
                                               .applied_at_ms = effective_from_ms},
                         &key, &value);
    catalog_take(catalog, TOPIC_MODEL_CONTRACTS, buffer_span(&key), buffer_span(&value));
    buffer_fini(&key);
    buffer_fini(&value);
    contract_destroy(contract);
}

static inline void shard_open(struct bench *bench)
{
    bench->shard = validator_service.open(&(struct service_environment){.catalog = bench->catalog,
                                                                        .options = bench->options,
                                                                        .topic = bench->topic,
                                                                        .partition = 3});
}

/* A new shard in the place of the old; arguments: --NAME VALUE … of the validator, NULL-ended;
 * NULL: the defaults. */
static inline void shard_renew(struct bench *bench, const char *const *arguments)
{
    option_set_destroy(bench->options);
    bench->options = NULL;
    char *words[8];
    int count = 0;
    for (; arguments != NULL && arguments[count] != NULL; count++)
        words[count] = (char *)(uintptr_t)arguments[count];
    if (arguments != NULL) {
        struct reason reason = {""};
        bench->options = option_set_create(&validator_service.options, 1);
        assert_int_equal(option_set_read(bench->options, count, words, &reason), FAULT_NONE);
    }
    validator_service.close(bench->shard);
    shard_open(bench);
}

static inline struct bench bench_with(enum topic topic, const char *yaml)
{
    struct bench bench = {.catalog = catalog_create(),
                          .outputs = outputs_create(),
                          .topic = topic,
                          .offset = 40,
                          .arrival_ms = EVENT_TIME + 5};
    contract_take(bench.catalog, yaml, 1, EVENT_TIME - 1000000);
    shard_open(&bench);
    return bench;
}

static inline struct bench bench_of(enum topic topic)
{
    return bench_with(topic, contract_yaml);
}

static inline void bench_close(struct bench *bench)
{
    validator_service.close(bench->shard);
    option_set_destroy(bench->options);
    outputs_destroy(bench->outputs);
    catalog_destroy(bench->catalog);
}

static const struct header producer_headers[] = {{"traceparent", {(const uint8_t *)"00-ab", 5}},
                                                 {"plumb-line", {(const uint8_t *)"12", 2}},
                                                 {"plumb.reason", {(const uint8_t *)"old", 3}}};

static inline void handle(struct bench *bench, struct span value)
{
    outputs_clear(bench->outputs);
    const struct record record = {.topic = bench->topic,
                                  .partition = 3,
                                  .offset = bench->offset++,
                                  .arrival_ms = bench->arrival_ms,
                                  .key = span_text("some key"),
                                  .value = value,
                                  .headers = producer_headers,
                                  .header_count = COUNT_OF(producer_headers)};
    assert_int_equal(validator_service.handle(bench->shard, &record, bench->outputs), FAULT_NONE);
}

static inline size_t published(const struct bench *bench, enum topic topic)
{
    size_t count = 0;
    for (size_t i = 0; i < outputs_size(bench->outputs); i++)
        count += outputs_at(bench->outputs, i)->topic == topic;
    return count;
}

static inline double counted(const struct bench *bench, const char *metric, const char *label)
{
    double sum = 0;
    const struct tally *counts = outputs_counts(bench->outputs);
    for (size_t i = 0; i < tally_size(counts); i++) {
        const struct tally_entry *count = tally_at(counts, i);
        if (strcmp(count->metric, metric) == 0 &&
            (label == NULL || (count->label != NULL && strcmp(count->label, label) == 0)))
            sum += count->more;
    }
    return sum;
}

/* The only record of the topic among the outputs of the last handle. */
static inline const struct output *only(const struct bench *bench, enum topic topic)
{
    assert_int_equal(published(bench, topic), 1);
    for (size_t i = 0; i < outputs_size(bench->outputs); i++)
        if (outputs_at(bench->outputs, i)->topic == topic)
            return outputs_at(bench->outputs, i);
    UNREACHABLE("there is one");
}

static inline void assert_header(const struct output *output, const char *name,
                                 const char *expected)
{
    const struct record record = {.headers = output->headers, .header_count = output->header_count};
    const struct header *header = record_header(&record, name);
    if (expected == NULL) {
        assert_null(header);
        return;
    }
    if (header == NULL)
        fail_msg("no header %s", name);
    if (!span_is(header->value, expected))
        fail_msg("%s is '%.*s', not '%s'", name, (int)header->value.size, header->value.bytes,
                 expected);
}

static inline void assert_refused(struct bench *bench, struct span value, const char *reason,
                                  const char *column)
{
    handle(bench, value);
    if (published(bench, TOPIC_INFERENCE_DEAD_LETTER) != 1)
        fail_msg("not refused, but %s %s expected", reason, column == NULL ? "" : column);
    assert_int_equal(outputs_size(bench->outputs), 1);
    const struct output *letter = only(bench, TOPIC_INFERENCE_DEAD_LETTER);
    assert_header(letter, "plumb.reason", reason);
    assert_header(letter, "plumb.column", column);
    const bool is_event = bench->topic == TOPIC_INFERENCE_EVENTS;
    assert_int_equal(
        (int)counted(bench, is_event ? "events_rejected_total" : "labels_rejected_total", reason),
        1);
    assert_int_equal(
        (int)counted(bench, is_event ? "events_seen_total" : "labels_seen_total", NULL), 1);
    assert_int_equal((int)counted(bench, "events_validated_total", NULL), 0);
}

/* A validated record, taken apart. */
struct seen {
    struct enrichment enrichment;
    uint64_t fingerprint;
    struct span body;
};

static inline struct seen passed(struct bench *bench, const char *text)
{
    handle(bench, span_text(text));
    if (published(bench, TOPIC_INFERENCE_DEAD_LETTER) != 0) {
        const struct output *letter = only(bench, TOPIC_INFERENCE_DEAD_LETTER);
        const struct record record = {.headers = letter->headers,
                                      .header_count = letter->header_count};
        const struct header *why = record_header(&record, "__connect.errors.exception.message");
        fail_msg("refused: %.*s", (int)why->value.size, why->value.bytes);
    }
    const struct output *output = only(bench, TOPIC_INFERENCE_VALIDATED);
    struct seen seen = {.fingerprint = 0};
    struct span body;
    size_t used;
    assert_true(wire_read_frame(output->value, &seen.fingerprint, &body));
    assert_int_equal(enrichment_read(body, &seen.enrichment, &used), FAULT_NONE);
    seen.body = span_of(body.bytes + used, body.size - used);
    return seen;
}

static inline void seen_close(struct seen *seen)
{
    enrichment_fini(&seen->enrichment);
}

static inline void assert_flagged(struct bench *bench, const char *text, const char *reason,
                                  const char *column)
{
    struct seen seen = passed(bench, text);
    if (reason == NULL) {
        assert_int_equal(seen.enrichment.reason_count, 0);
    } else {
        assert_int_equal(seen.enrichment.reason_count, 1);
        assert_true(span_is(seen.enrichment.reasons[0].reason, reason));
        assert_true(span_is(seen.enrichment.reasons[0].column, column));
        assert_int_equal((int)counted(bench, "events_flagged_total", reason), 1);
    }
    seen_close(&seen);
}

static inline struct schema *parsed(const char *text)
{
    struct schema *schema = NULL;
    struct reason reason = {""};
    if (schema_parse(span_text(text), &schema, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    return schema;
}

static inline void frame(struct buffer *out, const struct schema *schema, const char *json)
{
    json_t *value = json_loads(json, 0, NULL);
    assert_non_null(value);
    struct reason reason = {""};
    buffer_clear(out);
    wire_write_frame(out, schema_fingerprint(schema));
    if (datum_encode(schema, value, out, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    json_decref(value);
}

static inline void schema_take(struct catalog *catalog, const struct schema *schema)
{
    char digits[17];
    (void)snprintf(digits, sizeof digits, "%016llx",
                   (unsigned long long)schema_fingerprint(schema));
    char *text = span_copied(schema_text(schema));
    json_t *value = json_pack("{s:s, s:s, s:s}", "fingerprint", digits, "topic", "t", "text", text);
    struct buffer bytes = {0};
    struct reason reason = {""};
    const struct schema *envelope = schema_embedded("model.schemas");
    wire_write_frame(&bytes, schema_fingerprint(envelope));
    assert_int_equal(datum_encode(envelope, value, &bytes, &reason), FAULT_NONE);
    catalog_take(catalog, TOPIC_MODEL_SCHEMAS, span_text(digits), buffer_span(&bytes));
    buffer_fini(&bytes);
    json_decref(value);
    heap_release(text);
}

#endif
