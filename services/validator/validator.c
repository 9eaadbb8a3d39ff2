#include "validator.h"
#include "avro/datum.h"
#include "avro/wire.h"
#include "chosen_revisions.h"
#include "column_rules.h"
#include "dead_letter.h"
#include "framing.h"
#include "known_writers.h"
#include "label.h"
#include "memory/arena.h"
#include "memory/heap.h"
#include "model/enrichment.h"
#include "seen_ids.h"
#include "source_json.h"
#include "source_time.h"
#include "time_rules.h"
#include "validator_rows.h"
#include "window/span_time.h"

#define VALIDATOR_MAGIC 0x76616c69u
enum { EVENT_SIZE_MAX = 1024 * 1024, SOURCE_SIZE = 300 };

struct validator {
    uint32_t magic;
    const struct catalog *catalog; /* borrowed */
    char source[SOURCE_SIZE];      /* "topic:partition" */
    enum writer_kind kind;         /* of the input topic */
    enum framing framing;
    struct known_writers writers;
    struct table *rules; /* owned: contract's address → owned struct column_rules */
    const struct contract *last_contract;  /* of the event before: most likely this one's too */
    const struct contract *rules_contract; /* of last_rules */
    const struct column_rules *last_rules; /* borrowed from rules */
    struct chosen_revisions chosen;        /* the state, as the next */
    struct seen_ids *seen;        /* owned; NULL: labels, or duplicates are not looked for */
    struct enrichment enrichment; /* reused, as all below */
    struct buffer encoded, validated;
    struct arena *arena; /* of one record */
};

/* A record that has been understood, on its way out. */
struct passed {
    struct known_writer *known;
    struct span event_id, body;
};

static struct validator *validator_of(void *memory);
static bool admit(const struct record *record, struct rejection *rejection);
static bool take_avro(struct validator *validator, const struct record *record,
                      struct passed *passed, struct outputs *outputs, struct rejection *rejection);
static bool take_json(struct validator *validator, const struct record *record,
                      struct passed *passed, struct outputs *outputs, struct rejection *rejection);
static bool take_event(struct validator *validator, const struct record *record,
                       const struct passed *passed, struct outputs *outputs,
                       struct rejection *rejection);
static const struct contract *label_contract(const struct validator *validator,
                                             const struct label *label);
static void stamp(struct validator *validator, const struct contract *contract, int64_t time_ms,
                  const struct record *record, struct outputs *outputs);
static void take_label(struct validator *validator, const struct record *record,
                       const struct passed *passed, const struct verdict *verdict,
                       struct outputs *outputs);
static bool was_seen(struct validator *validator, const struct record *record, struct span event_id,
                     struct outputs *outputs);
static const struct column_rules *rules_of(struct validator *validator,
                                           const struct contract *contract);
static void count_event(const struct event *event, enum lateness lateness,
                        const struct verdict *verdict, struct outputs *outputs);
static void publish(struct validator *validator, const struct record *record,
                    const struct passed *passed, struct outputs *outputs);

/* plumb analyze, whose files are JSON, has no such options. */
static enum framing framing_of(const struct service_environment *environment)
{
    const char *option = environment->topic == TOPIC_GROUND_TRUTH ? "framing.ground.truth"
                                                                  : "framing.inference.events";
    const bool is_known =
        environment->options != NULL && option_is_known(environment->options, option);
    return is_known ? framing_named(option_text(environment->options, option)) : FRAMING_AUTO;
}

static void *validator_open(const struct service_environment *environment)
{
    struct validator *validator = heap_zeroed(1, sizeof *validator);
    validator->magic = VALIDATOR_MAGIC;
    validator->catalog = environment->catalog;
    (void)snprintf(validator->source, sizeof validator->source, "%s:%d",
                   topic_row(environment->topic)->name, (int)environment->partition);
    validator->kind = environment->topic == TOPIC_GROUND_TRUTH ? WRITER_LABEL : WRITER_EVENT;
    validator->framing = framing_of(environment);
    known_writers_open(&validator->writers, environment->catalog, validator->kind);
    validator->rules = table_create();
    validator->arena = arena_create();
    chosen_revisions_open(&validator->chosen);
    struct seen_ids_options seen;
    if (validator->kind == WRITER_EVENT && validator_rows_seen_ids(environment->options, &seen))
        validator->seen = seen_ids_create(&seen);
    return validator;
}

static enum fault validator_handle(void *memory, const struct record *record,
                                   struct outputs *outputs)
{
    struct validator *validator = validator_of(memory);
    const bool is_event = validator->kind == WRITER_EVENT;
    struct rejection rejection = {.column = ""};
    struct framed framed;
    struct known_writer *known = NULL;
    if (admit(record, &rejection) &&
        framing_read(validator->framing, record, &framed, &rejection)) {
        const enum fault fault =
            known_writers_find(&validator->writers, record, &framed, &known, &rejection);
        if (fault != FAULT_NONE)
            return fault; /* nothing was changed */
    }
    arena_reset(validator->arena);
    buffer_clear(&validator->encoded);
    outputs_count(outputs, is_event ? "events_seen_total" : "labels_seen_total", NULL, 1);
    bool is_taken = known != NULL;
    struct passed passed = {.known = known};
    if (is_taken && framed.form == FRAMED_NAME)
        known_writers_announce_name(&validator->writers, record, framed.name, known, outputs);
    if (is_taken && framed.form == FRAMED_JSON)
        is_taken = take_json(validator, record, &passed, outputs, &rejection);
    else if (is_taken) {
        passed.body = framed.body;
        is_taken = take_avro(validator, record, &passed, outputs, &rejection);
    }
    if (!is_taken) {
        outputs_count(outputs, is_event ? "events_rejected_total" : "labels_rejected_total",
                      rejection_name(rejection.code), 1);
        dead_letter_publish(outputs, validator->arena, record, &rejection);
    }
    return FAULT_NONE;
}

static bool time_of_label(const struct schema *schema, struct span body, int64_t *out_time_ms)
{
    json_t *value;
    struct reason reason = {""};
    if (datum_decode(schema, body, &value, &reason) != FAULT_NONE)
        return false;
    const json_t *time = json_object_get(value, "label_time");
    const bool has_time = json_is_integer(time);
    *out_time_ms = json_integer_value(time);
    json_decref(value);
    return has_time;
}

static bool time_of_avro(const struct validator *validator, const struct known_writer *known,
                         struct span body, int64_t *out_time_ms)
{
    struct event event;
    struct reason reason = {""};
    if (validator->kind == WRITER_LABEL)
        return time_of_label(writer_schema(known->writer), body, out_time_ms);
    if (writer_read(known->writer, NULL, body, &event, &reason) != FAULT_NONE)
        return false;
    *out_time_ms = event.event_time_ms;
    return true;
}

static bool time_of_json(const struct validator *validator, const struct record *record,
                         int64_t *out_time_ms)
{
    json_t *value;
    struct rejection rejection;
    if (!source_json_parse(record->value, &value, &rejection))
        return false;
    const json_t *time =
        json_object_get(value, validator->kind == WRITER_LABEL ? "label_time" : "event_time");
    const bool has_time = json_is_integer(time);
    *out_time_ms = json_integer_value(time);
    json_decref(value);
    return has_time;
}

static enum fault validator_event_time(void *memory, const struct record *record, bool *out_has,
                                       int64_t *out_time_ms)
{
    struct validator *validator = validator_of(memory);
    struct rejection rejection;
    struct framed framed;
    struct known_writer *known = NULL;
    *out_has = false;
    if (!admit(record, &rejection) ||
        !framing_read(validator->framing, record, &framed, &rejection))
        return FAULT_NONE;
    const enum fault fault =
        known_writers_find(&validator->writers, record, &framed, &known, &rejection);
    if (fault != FAULT_NONE || known == NULL)
        return fault;
    const bool has_time = framed.form == FRAMED_JSON
                              ? time_of_json(validator, record, out_time_ms)
                              : time_of_avro(validator, known, framed.body, out_time_ms);
    *out_has = has_time && *out_time_ms >= 0 && source_time_is_valid(*out_time_ms);
    return FAULT_NONE;
}

static enum fault validator_advance(void *memory, enum topic topic, int64_t stream_time_ms,
                                    struct outputs *outputs)
{
    struct validator *validator = validator_of(memory);
    (void)topic;
    (void)outputs;
    if (validator->seen != NULL)
        seen_ids_advance(validator->seen, stream_time_ms);
    return FAULT_NONE;
}

/* The choice of revisions is not rebuilt: no record's fate depends on it. */
static int64_t validator_needs(const void *memory)
{
    const struct validator *validator = memory;
    return validator->seen == NULL ? INT64_MAX : seen_ids_needs(validator->seen);
}

/* The horizon is no contract's: that of the default. */
static int64_t validator_horizon_ms(const struct contract *contract)
{
    (void)contract;
    return VALIDATOR_ROWS_HORIZON_MS;
}

static void validator_recall(const void *memory, struct buffer *out_word)
{
    const struct validator *validator = memory;
    if (validator->seen != NULL)
        seen_ids_recall(validator->seen, out_word);
}

static void validator_remind(void *memory, struct span word, int64_t end)
{
    struct validator *validator = validator_of(memory);
    if (validator->seen != NULL)
        seen_ids_remind(validator->seen, word, end);
}

static void validator_save(void *memory, struct changes *changes)
{
    struct validator *validator = validator_of(memory);
    chosen_revisions_save(&validator->chosen, changes);
    if (validator->seen != NULL)
        seen_ids_save(validator->seen, changes);
}

static enum fault validator_load(void *memory, struct span field, struct span bytes)
{
    struct validator *validator = validator_of(memory);
    const size_t prefix = strlen(SEEN_IDS_FIELD);
    if (field.size < prefix || memcmp(field.bytes, SEEN_IDS_FIELD, prefix) != 0)
        return chosen_revisions_load(&validator->chosen, field, bytes);
    /* Where they are not looked for any more, the rebuilt state is without them. */
    return validator->seen == NULL ? FAULT_STATE_CONFLICT
                                   : seen_ids_load(validator->seen, field, bytes);
}

static void validator_close(void *memory)
{
    struct validator *validator = validator_of(memory);
    size_t cursor = 0;
    for (void *rules; (rules = table_next(validator->rules, &cursor, NULL)) != NULL;)
        column_rules_destroy(rules);
    known_writers_close(&validator->writers);
    table_destroy(validator->rules);
    chosen_revisions_close(&validator->chosen);
    seen_ids_destroy(validator->seen);
    enrichment_fini(&validator->enrichment);
    buffer_fini(&validator->encoded);
    buffer_fini(&validator->validated);
    arena_destroy(validator->arena);
    heap_release(validator);
}

const struct service validator_service = {
    .name = "validator",
    .summary = "checks events and labels against their contracts and gives them one order per id",
    .inputs = {TOPIC_INFERENCE_EVENTS, TOPIC_GROUND_TRUTH},
    .outputs = {TOPIC_INFERENCE_VALIDATED, TOPIC_INFERENCE_DEAD_LETTER, TOPIC_MODEL_SCHEMAS},
    .tables = {TOPIC_MODEL_CONTRACTS, TOPIC_MODEL_SCHEMAS, TOPIC_MODEL_VERSIONS},
    .origin = true,
    .names_schemas = true,
    .options = validator_rows_options,
    .check = validator_rows_check,
    .metrics = validator_rows_metrics,
    .event_time = validator_event_time,
    .open = validator_open,
    .handle = validator_handle,
    .advance = validator_advance,
    .needs = validator_needs,
    .horizon_ms = validator_horizon_ms,
    .recall = validator_recall,
    .remind = validator_remind,
    .save = validator_save,
    .load = validator_load,
    .close = validator_close,
};

static struct validator *validator_of(void *memory)
{
    struct validator *validator = memory;
    REQUIRE(validator != NULL && validator->magic == VALIDATOR_MAGIC);
    return validator;
}

/* ---- framing ---- */

static bool malformed(const char *field, enum fault fault, const char *why,
                      struct rejection *rejection)
{
    return rejection_set(
        rejection, fault == FAULT_LIMIT_EXCEEDED ? REJECTION_limit_exceeded : REJECTION_malformed,
        span_text(field), "%s", why);
}

static bool label_from(struct validator *validator, const struct record *record,
                       const json_t *value, struct passed *passed, struct outputs *outputs,
                       struct rejection *rejection)
{
    struct label label;
    if (!label_check(value, &label, rejection))
        return false;
    passed->event_id = label.event_id;
    struct verdict verdict;
    enrichment_clear(&validator->enrichment);
    verdict_begin(&verdict, &validator->enrichment, rejection);
    const struct contract *contract = label_contract(validator, &label);
    if (contract != NULL) {
        const struct time_rules times = time_rules_of_labels(contract);
        if (!column_rules_judge_label(rules_of(validator, contract), &label.value, &verdict) ||
            !time_rules_judge(&times, "label_time", label.label_time_ms, record->arrival_ms,
                              &verdict))
            return false;
        stamp(validator, contract, label.label_time_ms, record, outputs);
    }
    take_label(validator, record, passed, &verdict, outputs);
    return true;
}

static bool take_avro(struct validator *validator, const struct record *record,
                      struct passed *passed, struct outputs *outputs, struct rejection *rejection)
{
    if (validator->kind == WRITER_EVENT)
        return take_event(validator, record, passed, outputs, rejection);
    json_t *value;
    struct reason reason = {""};
    const enum fault fault =
        datum_decode(writer_schema(passed->known->writer), passed->body, &value, &reason);
    if (fault != FAULT_NONE)
        return malformed(NULL, fault, reason.text, rejection);
    const bool is_taken = label_from(validator, record, value, passed, outputs, rejection);
    json_decref(value);
    return is_taken;
}

static bool take_json(struct validator *validator, const struct record *record,
                      struct passed *passed, struct outputs *outputs, struct rejection *rejection)
{
    const bool is_event = validator->kind == WRITER_EVENT;
    const struct schema *schema = writer_schema(passed->known->writer);
    json_t *value;
    if (!source_json_parse(record->value, &value, rejection))
        return false;
    size_t unknown = 0;
    bool is_taken = source_json_encode(schema, value, &validator->encoded, &unknown, rejection);
    const struct span body = buffer_span(&validator->encoded);
    if (is_taken && body.size > EVENT_SIZE_MAX)
        is_taken = rejection_set(rejection, REJECTION_too_large, span_text(NULL),
                                 "%zu bytes once encoded", body.size);
    passed->body = body;
    if (is_taken)
        is_taken = is_event ? take_event(validator, record, passed, outputs, rejection)
                            : label_from(validator, record, value, passed, outputs, rejection);
    if (is_taken && unknown > 0)
        outputs_count(outputs, "fields_unknown_total", NULL, (double)unknown);
    json_decref(value);
    return is_taken;
}

static bool admit(const struct record *record, struct rejection *rejection)
{
    const size_t size = dead_letter_record_size(record);
    if (record->value.bytes == NULL)
        return rejection_set(rejection, REJECTION_no_value, span_text(NULL), "%s", "");
    if (size > DEAD_LETTER_RECORD_MAX)
        return rejection_set(rejection, REJECTION_too_large, span_text(NULL), "%zu bytes", size);
    return true;
}

/* ---- events ---- */

/* Reads with the contract of the event before; only where that is not this event's, again with the
 * right one. */
static bool event_resolve(struct validator *validator, struct writer *writer, struct span body,
                          struct event *out_event, struct rejection *rejection)
{
    const struct contract *contract = validator->last_contract;
    for (;;) {
        struct reason reason = {""};
        const enum fault fault = writer_read(writer, contract, body, out_event, &reason);
        if (fault != FAULT_NONE)
            return malformed(NULL, fault, reason.text, rejection);
        const struct contract *right = catalog_contract_at(
            validator->catalog, out_event->model_name, out_event->event_time_ms);
        if (right == NULL)
            return rejection_set(rejection,
                                 catalog_knows_model(validator->catalog, out_event->model_name)
                                     ? REJECTION_no_contract_yet
                                     : REJECTION_unknown_model,
                                 span_text(NULL), "%s", "");
        validator->last_contract = right;
        if (right == contract)
            return true;
        contract = right;
    }
}

static bool take_event(struct validator *validator, const struct record *record,
                       const struct passed *passed, struct outputs *outputs,
                       struct rejection *rejection)
{
    struct event event;
    if (!event_resolve(validator, passed->known->writer, passed->body, &event, rejection))
        return false;
    if (validator->seen != NULL)
        seen_ids_expect(validator->seen, event.event_id);
    const struct contract *contract = validator->last_contract;
    struct enrichment *enrichment = &validator->enrichment;
    const struct time_rules times = time_rules_of_events(contract);
    struct verdict verdict;
    enrichment_clear(enrichment);
    verdict_begin(&verdict, enrichment, rejection);
    if (!column_rules_judge(rules_of(validator, contract), &event, &verdict) ||
        !time_rules_judge(&times, "event_time", event.event_time_ms, record->arrival_ms, &verdict))
        return false;
    const enum lateness lateness =
        span_time_lateness(event.event_time_ms, record->arrival_ms, contract->pane_ms,
                           contract->lateness_ms, contract->correction_ms, contract->skew_ms);
    enrichment->kind = ENRICHMENT_EVENT;
    enrichment->contract_revision = contract->revision;
    enrichment->lateness = (enum enrichment_lateness)lateness;
    enrichment->duplicate = was_seen(validator, record, event.event_id, outputs);
    count_event(&event, lateness, &verdict, outputs);
    stamp(validator, contract, event.event_time_ms, record, outputs);
    publish(
        validator, record,
        &(struct passed){.known = passed->known, .event_id = event.event_id, .body = passed->body},
        outputs);
    return true;
}

/* Of what has been judged by the contract. */
static void stamp(struct validator *validator, const struct contract *contract, int64_t time_ms,
                  const struct record *record, struct outputs *outputs)
{
    if (chosen_revisions_stamp(&validator->chosen, contract, time_ms, record->offset))
        outputs_count(outputs, "contract_late_total", contract->model, 1);
}

static bool was_seen(struct validator *validator, const struct record *record, struct span event_id,
                     struct outputs *outputs)
{
    if (validator->seen == NULL)
        return false;
    size_t forgotten;
    const bool seen =
        seen_ids_add(validator->seen, event_id, record->arrival_ms, record->offset, &forgotten);
    if (forgotten > 0)
        outputs_count(outputs, "duplicates_horizon_cut_total", NULL, (double)forgotten);
    return seen;
}

static const struct column_rules *rules_of(struct validator *validator,
                                           const struct contract *contract)
{
    if (validator->rules_contract == contract)
        return validator->last_rules;
    const struct span key = span_of(&contract, sizeof contract);
    struct column_rules *rules = table_find(validator->rules, key);
    if (rules == NULL) {
        rules = column_rules_create(contract);
        (void)table_put(validator->rules, key, rules);
    }
    validator->rules_contract = contract;
    validator->last_rules = rules;
    return rules;
}

static void count_event(const struct event *event, enum lateness lateness,
                        const struct verdict *verdict, struct outputs *outputs)
{
    static const char *const by_lateness[] = {
        [LATENESS_ON_TIME] = "events_counted_total",
        [LATENESS_LATE] = "events_late_total",
        [LATENESS_TOO_LATE] = "events_too_late_total",
        [LATENESS_FUTURE] = "events_future_total",
    };
    outputs_count(outputs, "events_validated_total", NULL, 1);
    outputs_count(outputs,
                  verdict->enrichment->duplicate ? "events_duplicate_total" : by_lateness[lateness],
                  NULL, 1);
    verdict_count(verdict, outputs, "events_flagged_total", "violations_counted_total");
    if (event->unknown_features > 0)
        outputs_count(outputs, "features_unknown_total", NULL, (double)event->unknown_features);
}

/* ---- labels ---- */

/* NULL: a label that does not name its model, or names one that had no contract at its time, is
 * left to the joiner, which knows the prediction's. */
static const struct contract *label_contract(const struct validator *validator,
                                             const struct label *label)
{
    return label->model_name.size == 0
               ? NULL
               : catalog_contract_at(validator->catalog, label->model_name, label->label_time_ms);
}

/* The revision stays 0: readers would wait for one that is stamped, but it is by the prediction's
 * that a label counts. */
static void take_label(struct validator *validator, const struct record *record,
                       const struct passed *passed, const struct verdict *verdict,
                       struct outputs *outputs)
{
    struct enrichment *enrichment = &validator->enrichment;
    enrichment->kind = ENRICHMENT_LABEL;
    enrichment->contract_revision = 0;
    enrichment->lateness = ENRICHMENT_NONE;
    outputs_count(outputs, "labels_validated_total", NULL, 1);
    verdict_count(verdict, outputs, "labels_flagged_total", "violations_counted_total");
    publish(validator, record, passed, outputs);
}

/* ---- out ---- */

static void publish(struct validator *validator, const struct record *record,
                    const struct passed *passed, struct outputs *outputs)
{
    struct known_writer *known = passed->known;
    known_writers_announce(&validator->writers, known, outputs);
    struct enrichment *enrichment = &validator->enrichment;
    enrichment->source = span_text(validator->source);
    enrichment->offset = record->offset;
    enrichment->arrival_ms = record->arrival_ms;
    enrichment->schema = schema_fingerprint(writer_schema(known->writer));
    struct buffer *value = &validator->validated;
    buffer_clear(value);
    wire_write_frame(value, writer_validated(known->writer));
    enrichment_write(value, enrichment);
    buffer_append_span(value, passed->body);

    struct header *headers =
        arena_take(validator->arena, (record->header_count + 1) * sizeof *headers);
    size_t count = 0;
    for (size_t i = 0; i < record->header_count; i++)
        if (!dead_letter_is_own_header(record->headers[i].name))
            headers[count++] = record->headers[i];
    outputs_publish(outputs, &(struct output){.topic = TOPIC_INFERENCE_VALIDATED,
                                              .key = passed->event_id,
                                              .value = buffer_span(value),
                                              .headers = headers,
                                              .header_count = count});
}
