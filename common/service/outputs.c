#include "service/outputs.h"
#include "avro/datum.h"
#include "avro/wire.h"
#include "clock/wall.h"
#include "container/table.h"
#include "memory/arena.h"
#include "memory/heap.h"

struct outputs {
    struct arena *arena;  /* owned */
    struct output *items; /* owned, [capacity] */
    size_t size, capacity;
    struct tally *counts;  /* owned */
    struct buffer scratch; /* one encoded value */
};

struct changes {
    struct arena *arena;  /* owned */
    struct change *items; /* owned, [capacity] */
    size_t size, capacity;
    struct table *places; /* owned: field → its index in items, plus one */
    struct buffer scratch;
};

static void frame(struct buffer *scratch, const char *stem, const json_t *value)
{
    const struct schema *schema = schema_embedded(stem);
    struct reason reason = {""};
    buffer_clear(scratch);
    wire_write_frame(scratch, schema_fingerprint(schema));
    if (datum_encode(schema, value, scratch, &reason) != FAULT_NONE) {
        (void)fprintf(stderr, "plumb: a record of ours does not fit its schema: %s\n", reason.text);
        UNREACHABLE("our own records fit their schemas");
    }
}

struct outputs *outputs_create(void)
{
    struct outputs *outputs = heap_zeroed(1, sizeof *outputs);
    outputs->arena = arena_create();
    outputs->counts = tally_create();
    return outputs;
}

void outputs_publish(struct outputs *outputs, const struct output *output)
{
    REQUIRE(outputs != NULL);
    REQUIRE(output->topic > TOPIC_NONE && output->topic < TOPIC_COUNT);
    if (outputs->size == outputs->capacity) {
        outputs->capacity = outputs->capacity == 0 ? 64 : outputs->capacity * 2;
        outputs->items = heap_resized(outputs->items, outputs->capacity, sizeof *outputs->items);
    }
    struct output *item = &outputs->items[outputs->size++];
    *item = *output;
    if (output->key.bytes != NULL)
        item->key = arena_span(outputs->arena, output->key);
    if (output->value.bytes != NULL)
        item->value = arena_span(outputs->arena, output->value);
    item->route = output->route.size == 0 ? item->key : arena_span(outputs->arena, output->route);
    struct header *headers = arena_take(outputs->arena, output->header_count * sizeof *headers);
    for (size_t i = 0; i < output->header_count; i++) {
        const struct span name = span_text(output->headers[i].name);
        headers[i].name = (const char *)arena_span(outputs->arena, name).bytes;
        headers[i].value = output->headers[i].value; /* Kafka tells no value from an empty one */
        if (headers[i].value.bytes != NULL)
            headers[i].value = arena_span(outputs->arena, headers[i].value);
    }
    item->headers = headers;
}

void outputs_publish_json(struct outputs *outputs, enum topic topic, struct span key,
                          struct span route, const json_t *value)
{
    frame(&outputs->scratch, topic_row(topic)->schema, value);
    outputs_publish(outputs, &(struct output){.topic = topic,
                                              .key = key,
                                              .route = route,
                                              .value = buffer_span(&outputs->scratch)});
}

void outputs_publish_event(struct outputs *outputs, enum topic topic, struct span key,
                           struct span route, const json_t *value, const struct output_event *event)
{
    char time[40], date[32];
    (void)wall_text(event->time_ms, date);
    date[10] = 'T';
    (void)snprintf(time, sizeof time, "%s.%03dZ", date,
                   (int)((event->time_ms % 1000 + 1000) % 1000));
    const bool avro = topic == TOPIC_ALERTS;
    char *text = NULL;
    if (avro) {
        frame(&outputs->scratch, topic_row(topic)->schema, value);
    } else {
        text = json_dumps(value, JSON_COMPACT);
        ENSURE(text != NULL);
        buffer_clear(&outputs->scratch);
        buffer_append_span(&outputs->scratch, span_text(text));
    }
    const struct header headers[] = {
        {"ce_specversion", span_text("1.0")},
        {"ce_type", span_text(event->type)},
        {"ce_source", span_text("/plumbline")},
        {"ce_id", span_text(event->id)},
        {"ce_time", span_text(time)},
        {"ce_subject", span_text(event->subject)},
        {"content-type", span_text(avro ? "avro/binary" : "application/json")},
    };
    outputs_publish(outputs, &(struct output){.topic = topic,
                                              .key = key,
                                              .route = route,
                                              .value = buffer_span(&outputs->scratch),
                                              .headers = headers,
                                              .header_count = COUNT_OF(headers)});
    heap_release(text);
}

void outputs_count(struct outputs *outputs, const char *metric, const char *label, double more)
{
    REQUIRE(outputs != NULL);
    tally_add(outputs->counts, metric, label, more);
}

size_t outputs_size(const struct outputs *outputs)
{
    return outputs->size;
}

const struct output *outputs_at(const struct outputs *outputs, size_t index)
{
    REQUIRE(index < outputs->size);
    return &outputs->items[index];
}

const struct tally *outputs_counts(const struct outputs *outputs)
{
    return outputs->counts;
}

struct record outputs_record(const struct outputs *outputs, size_t index, int32_t partition,
                             int64_t offset)
{
    const struct output *output = outputs_at(outputs, index);
    return (struct record){.topic = output->topic,
                           .partition = partition,
                           .offset = offset,
                           .key = output->key,
                           .value = output->value,
                           .headers = output->headers,
                           .header_count = output->header_count};
}

void outputs_clear(struct outputs *outputs)
{
    arena_reset(outputs->arena);
    outputs->size = 0;
    tally_clear(outputs->counts);
}

void outputs_destroy(struct outputs *outputs)
{
    if (outputs == NULL)
        return;
    arena_destroy(outputs->arena);
    heap_release(outputs->items);
    tally_destroy(outputs->counts);
    buffer_fini(&outputs->scratch);
    heap_release(outputs);
}

enum fault record_json(const struct record *record, json_t **out_value, struct reason *out_reason)
{
    REQUIRE(record != NULL);
    if (record->value.size > 0 && record->value.bytes[0] == '{') {
        json_error_t error;
        json_t *value = json_loadb((const char *)record->value.bytes, record->value.size,
                                   JSON_REJECT_DUPLICATES, &error);
        if (value == NULL) {
            reason_set(out_reason, "not JSON: %s", error.text);
            return FAULT_RECORD_MALFORMED;
        }
        *out_value = value;
        return FAULT_NONE;
    }
    uint64_t fingerprint;
    struct span body;
    if (!wire_read_frame(record->value, &fingerprint, &body)) {
        reason_set(out_reason, "neither JSON nor a single-object frame");
        return FAULT_RECORD_MALFORMED;
    }
    const char *stem = topic_row(record->topic)->schema;
    const struct schema *schema = schema_embedded(stem);
    if (schema_fingerprint(schema) != fingerprint) {
        reason_set(out_reason, "written by another schema than %s", stem);
        return FAULT_SCHEMA_UNKNOWN;
    }
    return datum_decode(schema, body, out_value, out_reason);
}

struct changes *changes_create(void)
{
    struct changes *changes = heap_zeroed(1, sizeof *changes);
    changes->arena = arena_create();
    changes->places = table_create();
    return changes;
}

static struct change *changes_more(struct changes *changes, struct span field)
{
    REQUIRE(changes != NULL);
    REQUIRE(field.size > 0 && field.bytes[0] != '.');
    const uintptr_t place = (uintptr_t)table_find(changes->places, field);
    if (place != 0) { /* said again */
        changes->items[place - 1].bytes = (struct span){0};
        return &changes->items[place - 1];
    }
    if (changes->size == changes->capacity) {
        changes->capacity = changes->capacity == 0 ? 64 : changes->capacity * 2;
        changes->items = heap_resized(changes->items, changes->capacity, sizeof *changes->items);
    }
    struct change *change = &changes->items[changes->size++];
    *change = (struct change){.field = arena_span(changes->arena, field)};
    (void)table_put(changes->places, field, (void *)(uintptr_t)changes->size);
    return change;
}

void changes_put(struct changes *changes, struct span field, struct span bytes)
{
    changes_more(changes, field)->bytes = arena_span(changes->arena, bytes);
}

void changes_add(struct changes *changes, const struct changes *more)
{
    for (size_t i = 0; i < more->size; i++) {
        if (more->items[i].bytes.bytes == NULL)
            changes_remove(changes, more->items[i].field);
        else
            changes_put(changes, more->items[i].field, more->items[i].bytes);
    }
}

void changes_put_json(struct changes *changes, struct span field, const char *schema_stem,
                      const json_t *value)
{
    frame(&changes->scratch, schema_stem, value);
    changes_put(changes, field, buffer_span(&changes->scratch));
}

void changes_remove(struct changes *changes, struct span field)
{
    (void)changes_more(changes, field);
}

size_t changes_size(const struct changes *changes)
{
    return changes->size;
}

const struct change *changes_at(const struct changes *changes, size_t index)
{
    REQUIRE(index < changes->size);
    return &changes->items[index];
}

void changes_clear(struct changes *changes)
{
    arena_reset(changes->arena);
    changes->size = 0;
    table_destroy(changes->places);
    changes->places = table_create();
}

void changes_destroy(struct changes *changes)
{
    if (changes == NULL)
        return;
    arena_destroy(changes->arena);
    table_destroy(changes->places);
    heap_release(changes->items);
    buffer_fini(&changes->scratch);
    heap_release(changes);
}
