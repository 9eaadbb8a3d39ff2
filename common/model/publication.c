#include "model/publication.h"
#include "avro/datum.h"
#include "avro/wire.h"

static void frame(enum topic topic, json_t *value, struct buffer *out_value)
{
    const struct schema *schema = schema_embedded(topic_row(topic)->schema);
    struct reason reason = {""};
    ENSURE(value != NULL);
    wire_write_frame(out_value, schema_fingerprint(schema));
    ENSURE(datum_encode(schema, value, out_value, &reason) == FAULT_NONE);
    json_decref(value);
}

void publication_contract(const struct contract *contract, const struct publication *publication,
                          struct buffer *out_key, struct buffer *out_value)
{
    json_t *baselines = json_array();
    for (size_t i = 0; i < publication->baseline_count; i++) {
        const struct baseline *baseline = publication->baselines[i];
        (void)json_array_append_new(baselines,
                                    json_pack("{s:s, s:s, s:I}", "version", baseline->version,
                                              "hash", baseline->hash, "column_count",
                                              (json_int_t)baseline_record_count(baseline)));
    }
    buffer_format(out_key, "%s@%d", contract->model, (int)publication->revision);
    frame(TOPIC_MODEL_CONTRACTS,
          json_pack("{s:s, s:i, s:I, s:I, s:s, s:o}", "model", contract->model, "revision",
                    (int)publication->revision, "effective_from",
                    (json_int_t)publication->effective_from_ms, "applied_at",
                    (json_int_t)publication->applied_at_ms, "text", contract->text, "baselines",
                    baselines),
          out_value);
}

void publication_baseline(const struct baseline *baseline, size_t index, struct buffer *out_key,
                          struct buffer *out_value)
{
    json_t *value = baseline_record(baseline, index);
    buffer_format(out_key, "%s@%s@%s#%s", baseline->model, baseline->version, baseline->hash,
                  json_string_value(json_object_get(value, "column")));
    frame(TOPIC_MODEL_BASELINES, value, out_value);
}
