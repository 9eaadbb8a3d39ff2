#include "known_writers.h"
#include "memory/heap.h"

enum { FINGERPRINT_DIGITS = 16 };

void known_writers_open(struct known_writers *writers, const struct catalog *catalog,
                        enum writer_kind kind)
{
    *writers = (struct known_writers){.catalog = catalog,
                                      .kind = kind,
                                      .by_fingerprint = table_create(),
                                      .by_name = table_create()};
}

void known_writers_close(struct known_writers *writers)
{
    size_t cursor = 0;
    for (struct known_writer *known;
         (known = table_next(writers->by_fingerprint, &cursor, NULL)) != NULL;) {
        writer_destroy(known->writer);
        heap_release(known);
    }
    table_destroy(writers->by_fingerprint);
    table_destroy(writers->by_name);
}

static struct known_writer *writer_of(struct known_writers *writers, const struct schema *schema)
{
    const uint64_t fingerprint = schema_fingerprint(schema);
    const struct span key = span_of(&fingerprint, sizeof fingerprint);
    struct known_writer *known = table_find(writers->by_fingerprint, key);
    if (known == NULL) {
        known = heap_zeroed(1, sizeof *known);
        known->writer = writer_create(schema, writers->kind);
        (void)table_put(writers->by_fingerprint, key, known);
    }
    return known;
}

/* The schema's writer; NULL: nobody knows the fingerprint. */
static struct known_writer *find_by_fingerprint(struct known_writers *writers, uint64_t fingerprint,
                                                struct rejection *rejection)
{
    struct known_writer *known =
        table_find(writers->by_fingerprint, span_of(&fingerprint, sizeof fingerprint));
    if (known != NULL)
        return known;
    const struct schema *schema = catalog_schema(writers->catalog, fingerprint);
    if (schema != NULL)
        return writer_of(writers, schema);
    (void)rejection_set(rejection, REJECTION_schema_unknown, span_text(NULL), "%016llx",
                        (unsigned long long)fingerprint);
    return NULL;
}

/* Equal fingerprints are equal types, but not equal times: logical types are not in them. An id has
 * only one of the two meanings, and what was announced by fingerprint has the other. */
static bool is_in_micros(const struct schema *schema, uint32_t index)
{
    return schema_node_at(schema, index)->logical == LOGICAL_TIMESTAMP_MICROS;
}

static bool times_are_alike(const struct schema *left, const struct schema *right)
{
    if (schema_node_count(left) != schema_node_count(right))
        return false; /* somebody made the fingerprints equal */
    for (uint32_t i = 0; left != right && i < schema_node_count(left); i++)
        if (is_in_micros(left, i) != is_in_micros(right, i))
            return false;
    return true;
}

static enum fault find_by_name(struct known_writers *writers, const struct record *record,
                               const char *name, struct known_writer **out_known,
                               struct rejection *rejection)
{
    *out_known = table_find(writers->by_name, span_text(name));
    if (*out_known != NULL)
        return FAULT_NONE;
    const struct schema_use use = {.name = span_text(name),
                                   .topic = record->topic,
                                   .partition = record->partition,
                                   .offset = record->offset};
    const struct schema *schema = NULL;
    struct reason reason = {""};
    switch (catalog_schema_of(writers->catalog, &use, &schema, &reason)) {
    case SCHEMA_FOUND:
        *out_known = writer_of(writers, schema);
        if (times_are_alike(writer_schema((*out_known)->writer), schema))
            break;
        *out_known = NULL;
        (void)rejection_set(rejection, REJECTION_schema_invalid, span_text(NULL),
                            "%s: its fingerprint is that of a schema whose times have other units: "
                            "give the record another name",
                            name);
        break;
    case SCHEMA_MISSING:
        (void)rejection_set(rejection, REJECTION_schema_unknown, span_text(NULL), "%s", name);
        break;
    case SCHEMA_REFUSED:
        (void)rejection_set(rejection, REJECTION_schema_invalid, span_text(NULL), "%s: %s", name,
                            reason.text);
        break;
    case SCHEMA_AWAITED:
        return FAULT_TABLE_BEHIND;
    }
    return FAULT_NONE;
}

enum fault known_writers_find(struct known_writers *writers, const struct record *record,
                              const struct framed *framed, struct known_writer **out_known,
                              struct rejection *rejection)
{
    const bool is_event = writers->kind == WRITER_EVENT;
    enum fault fault = FAULT_NONE;
    struct known_writer *known = NULL;
    if (framed->form == FRAMED_JSON)
        known = writer_of(writers, schema_embedded(is_event ? "inference.events" : "ground.truth"));
    else if (framed->form == FRAMED_FINGERPRINT)
        known = find_by_fingerprint(writers, framed->fingerprint, rejection);
    else
        fault = find_by_name(writers, record, framed->name, &known, rejection);
    *out_known = NULL;
    if (known == NULL)
        return fault;
    if (writer_unusable(known->writer) == NULL)
        *out_known = known;
    else
        (void)rejection_set(rejection, REJECTION_schema_invalid, span_text(NULL), "%016llx: %s",
                            (unsigned long long)schema_fingerprint(writer_schema(known->writer)),
                            writer_unusable(known->writer));
    return FAULT_NONE;
}

static void publish_schema(enum topic topic, uint64_t fingerprint, const char *text,
                           struct outputs *outputs)
{
    char digits[FINGERPRINT_DIGITS + 1];
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)fingerprint);
    json_t *value = json_pack("{s:s, s:s, s:s}", "fingerprint", digits, "topic",
                              topic_row(topic)->name, "text", text);
    ENSURE(value != NULL);
    outputs_publish_json(outputs, TOPIC_MODEL_SCHEMAS, span_text(digits), span_text(digits), value);
    outputs_count(outputs, "schemas_published_total", NULL, 1);
    json_decref(value);
}

/* Another shard, or this one before a restart, may have announced it already: the same key and
 * bytes, kept once by compaction. */
void known_writers_announce(struct known_writers *writers, struct known_writer *known,
                            struct outputs *outputs)
{
    if (known->announced)
        return;
    const char *text = writer_validated_text(known->writer);
    const uint64_t fingerprint = writer_validated(known->writer);
    known->announced = true;
    if (text != NULL && catalog_schema(writers->catalog, fingerprint) == NULL)
        publish_schema(TOPIC_INFERENCE_VALIDATED, fingerprint, text, outputs);
}

void known_writers_announce_name(struct known_writers *writers, const struct record *record,
                                 const char *id, struct known_writer *known,
                                 struct outputs *outputs)
{
    const struct span name = span_text(id);
    if (table_find(writers->by_name, name) != NULL)
        return;
    (void)table_put(writers->by_name, name, known);
    const struct schema_use use = {.name = name,
                                   .topic = record->topic,
                                   .partition = record->partition,
                                   .offset = record->offset};
    if (catalog_has_use(writers->catalog, &use))
        return;
    const struct schema *schema = writer_schema(known->writer);
    const uint64_t fingerprint = schema_fingerprint(schema);
    if (catalog_schema(writers->catalog, fingerprint) == NULL) {
        char *text = span_copied(schema_text(schema));
        publish_schema(record->topic, fingerprint, text, outputs);
        heap_release(text);
    }
    char digits[FINGERPRINT_DIGITS + 1];
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)fingerprint);
    json_t *value = json_pack("{s:s, s:s, s:s, s:s, s:i, s:I}", "fingerprint", digits, "topic",
                              topic_row(record->topic)->name, "text", "", "id", id, "partition",
                              (int)record->partition, "offset", (json_int_t)record->offset);
    ENSURE(value != NULL);
    struct buffer key = {0};
    catalog_use_key(&key, &use);
    outputs_publish_json(outputs, TOPIC_MODEL_SCHEMAS, buffer_span(&key), buffer_span(&key), value);
    outputs_count(outputs, "schemas_published_total", NULL, 1);
    buffer_fini(&key);
    json_decref(value);
}
