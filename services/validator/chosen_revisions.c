#include "chosen_revisions.h"
#include "avro/datum.h"
#include "avro/wire.h"
#include "memory/heap.h"

#define FIELD_PREFIX "contract."
#define STATE_STEM   "state.validator"

struct entry {
    int32_t revision;
    int64_t offset;    /* of the first record stamped with it */
    int64_t latest_ms; /* the highest event time stamped, with any revision */
    bool changed;      /* since the last save */
};

void chosen_revisions_open(struct chosen_revisions *chosen)
{
    chosen->models = table_create();
}

bool chosen_revisions_stamp(struct chosen_revisions *chosen, const struct contract *contract,
                            int64_t event_time_ms, int64_t offset)
{
    const struct span model = span_text(contract->model);
    struct entry *entry = table_find(chosen->models, model);
    if (entry == NULL) {
        entry = heap_zeroed(1, sizeof *entry);
        entry->latest_ms = INT64_MIN;
        (void)table_put(chosen->models, model, entry);
    }
    bool is_late = false;
    if (contract->revision > entry->revision) {
        is_late = entry->revision > 0 && contract->effective_from_ms <= entry->latest_ms;
        entry->revision = contract->revision;
        entry->offset = offset;
        entry->changed = true;
    }
    if (event_time_ms > entry->latest_ms) {
        entry->latest_ms = event_time_ms;
        entry->changed = true;
    }
    return is_late;
}

/* Sorted: the same state is saved as the same sequence. */
void chosen_revisions_save(struct chosen_revisions *chosen, struct changes *changes)
{
    struct buffer field = {0};
    struct table_entry *models = table_sorted(chosen->models);
    for (size_t i = 0; i < table_count(chosen->models); i++) {
        struct entry *entry = models[i].value;
        if (!entry->changed)
            continue;
        buffer_clear(&field);
        buffer_append_span(&field, span_text(FIELD_PREFIX));
        buffer_append_span(&field, models[i].key);
        json_t *value =
            json_pack("{s:s%, s:i, s:I, s:I}", "model", (const char *)models[i].key.bytes,
                      models[i].key.size, "revision", (int)entry->revision, "offset",
                      (json_int_t)entry->offset, "latest", (json_int_t)entry->latest_ms);
        ENSURE(value != NULL);
        changes_put_json(changes, buffer_span(&field), STATE_STEM, value);
        json_decref(value);
        entry->changed = false;
    }
    heap_release(models);
    buffer_fini(&field);
}

enum fault chosen_revisions_load(struct chosen_revisions *chosen, struct span field,
                                 struct span bytes)
{
    const size_t prefix = strlen(FIELD_PREFIX);
    const struct schema *schema = schema_embedded(STATE_STEM);
    uint64_t fingerprint;
    struct span body;
    if (field.size <= prefix || memcmp(field.bytes, FIELD_PREFIX, prefix) != 0 ||
        !wire_read_frame(bytes, &fingerprint, &body) || fingerprint != schema_fingerprint(schema))
        return FAULT_STATE_MALFORMED;
    json_t *value;
    struct reason reason = {""};
    if (datum_decode(schema, body, &value, &reason) != FAULT_NONE)
        return FAULT_STATE_MALFORMED;
    struct entry *entry = heap_zeroed(1, sizeof *entry);
    entry->revision = (int32_t)json_integer_value(json_object_get(value, "revision"));
    entry->offset = json_integer_value(json_object_get(value, "offset"));
    entry->latest_ms = json_integer_value(json_object_get(value, "latest"));
    json_decref(value);
    heap_release(
        table_put(chosen->models, span_of(field.bytes + prefix, field.size - prefix), entry));
    return FAULT_NONE;
}

void chosen_revisions_close(struct chosen_revisions *chosen)
{
    size_t cursor = 0;
    for (void *entry;
         chosen->models != NULL && (entry = table_next(chosen->models, &cursor, NULL)) != NULL;)
        heap_release(entry);
    table_destroy(chosen->models);
    chosen->models = NULL;
}
