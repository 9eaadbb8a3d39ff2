#include "writer.h"
#include "container/table.h"
#include "memory/heap.h"

struct writer {
    const struct schema *schema; /* borrowed */
    enum writer_kind kind;
    struct reason unusable; /* "": usable */
    uint64_t validated;
    char *validated_text;        /* owned; NULL: built in */
    struct table *readers;       /* owned: contract's address → owned struct event_reader */
    const struct contract *last; /* of last_reader: most events in a row have one model */
    struct event_reader *last_reader;
};

static const struct {
    const char *stem, *validated_stem, *record, *field;
} kinds[] = {
    [WRITER_EVENT] = {"inference.events", "inference.validated", "ValidatedEvent", "event"},
    [WRITER_LABEL] = {"ground.truth", "inference.validated-label", "ValidatedLabel", "label"},
};

static bool shape_check(const struct schema_node *root, enum writer_kind kind,
                        struct reason *reason);
static bool compose(struct writer *writer);
static enum fault reader_find(struct writer *writer, const struct contract *contract,
                              struct reason *reason);

struct writer *writer_create(const struct schema *schema, enum writer_kind kind)
{
    REQUIRE(schema != NULL);
    struct writer *writer = heap_zeroed(1, sizeof *writer);
    writer->schema = schema;
    writer->kind = kind;
    writer->readers = table_create();
    if (!shape_check(schema_root(schema), kind, &writer->unusable))
        return writer;
    if (kind == WRITER_EVENT && reader_find(writer, NULL, &writer->unusable) != FAULT_NONE)
        return writer;
    if (schema_fingerprint(schema) == schema_fingerprint(schema_embedded(kinds[kind].stem)))
        writer->validated = schema_fingerprint(schema_embedded(kinds[kind].validated_stem));
    else if (!compose(writer))
        reason_wrap(&writer->unusable, "behind the enrichment");
    return writer;
}

const struct schema *writer_schema(const struct writer *writer)
{
    return writer->schema;
}

const char *writer_unusable(const struct writer *writer)
{
    return writer->unusable.text[0] == '\0' ? NULL : writer->unusable.text;
}

uint64_t writer_validated(const struct writer *writer)
{
    REQUIRE(writer_unusable(writer) == NULL);
    return writer->validated;
}

const char *writer_validated_text(const struct writer *writer)
{
    REQUIRE(writer_unusable(writer) == NULL);
    return writer->validated_text;
}

enum fault writer_read(struct writer *writer, const struct contract *contract, struct span bytes,
                       struct event *out_event, struct reason *out_reason)
{
    REQUIRE(writer->kind == WRITER_EVENT);
    REQUIRE(writer_unusable(writer) == NULL);
    const enum fault fault = reader_find(writer, contract, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    return event_read(writer->last_reader, bytes, out_event, out_reason);
}

void writer_destroy(struct writer *writer)
{
    if (writer == NULL)
        return;
    size_t cursor = 0;
    for (void *reader; (reader = table_next(writer->readers, &cursor, NULL)) != NULL;)
        event_reader_destroy(reader);
    table_destroy(writer->readers);
    heap_release(writer->validated_text);
    heap_release(writer);
}

/* The id must be a field of the record itself: a record of inference.validated also reads as an
 * event, but is none to be validated. */
static bool shape_check(const struct schema_node *root, enum writer_kind kind,
                        struct reason *reason)
{
    static const char *const event_fields[] = {"event_id", NULL};
    static const char *const label_fields[] = {"event_id", "label", "label_time", NULL};
    if (root->kind != SCHEMA_RECORD) {
        reason_set(reason, "the schema is not a record");
        return false;
    }
    const char *const *names = kind == WRITER_EVENT ? event_fields : label_fields;
    for (; *names != NULL; names++) {
        if (schema_field(root, *names) == NULL) {
            reason_set(reason, "%s: the field is missing", *names);
            return false;
        }
    }
    return true;
}

static json_t *text_json(struct span text)
{
    json_t *json = json_loadb((const char *)text.bytes, text.size, JSON_DECODE_ANY, NULL);
    ENSURE(json != NULL); /* it is a schema: it has been parsed before */
    return json;
}

/* A namespace of its own keeps the writer's unqualified names from meeting ours. */
static char *compose_text(const struct writer *writer)
{
    const char *field = kinds[writer->kind].field;
    json_t *ours = text_json(schema_text(schema_embedded(kinds[writer->kind].validated_stem)));
    json_t *enrichment =
        json_object_get(json_array_get(json_object_get(ours, "fields"), 0), "type");
    ENSURE(json_is_object(enrichment));
    char *name_space =
        heap_format("plumbline.w%016llx", (unsigned long long)schema_fingerprint(writer->schema));
    /* The enrichment's own names stay where readers know them. */
    (void)json_object_set_new(enrichment, "namespace", json_string("plumbline"));
    json_t *whole =
        json_pack("{s:s, s:s, s:s, s:s, s:[{s:s, s:O, s:s}, {s:s, s:o, s:s}]}", "type", "record",
                  "name", kinds[writer->kind].record, "namespace", name_space, "doc",
                  "A record that passed its contract, as its app writes it.", "fields", "name",
                  "enrichment", "type", enrichment, "doc", "What the validator found out.", "name",
                  field, "type", text_json(schema_text(writer->schema)), "doc", "As it came.");
    ENSURE(whole != NULL);
    char *text = json_dumps(whole, JSON_COMPACT);
    ENSURE(text != NULL);
    json_decref(whole);
    json_decref(ours);
    heap_release(name_space);
    return text;
}

static bool compose(struct writer *writer)
{
    char *text = compose_text(writer);
    struct schema *schema = NULL;
    if (schema_parse(span_text(text), &schema, &writer->unusable) != FAULT_NONE) {
        if (writer->unusable.text[0] == '\0')
            reason_set(&writer->unusable, "the schema is too large");
        heap_release(text);
        return false;
    }
    writer->validated = schema_fingerprint(schema);
    writer->validated_text = text;
    schema_destroy(schema);
    return true;
}

/* Leaves it in last_reader. */
static enum fault reader_find(struct writer *writer, const struct contract *contract,
                              struct reason *reason)
{
    if (writer->last_reader != NULL && writer->last == contract)
        return FAULT_NONE;
    const struct span key = span_of(&contract, sizeof contract);
    struct event_reader *reader = table_find(writer->readers, key);
    if (reader == NULL) {
        const enum fault fault = event_reader_create(writer->schema, contract, &reader, reason);
        if (fault != FAULT_NONE)
            return fault;
        (void)table_put(writer->readers, key, reader);
    }
    writer->last = contract;
    writer->last_reader = reader;
    return FAULT_NONE;
}
