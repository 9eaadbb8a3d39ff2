#include "avro/schema.h"
#include "avro/canonical.h"
#include "avro/fingerprint.h"
#include "avro/schema_tree.h"
#include "memory/heap.h"

enum { TEXT_SIZE_MAX = 1024 * 1024 };
/* U+0000 is allowed because defaults of bytes and fixed have it; schema_tree.c refuses it in names.
 */
#define JSON_FLAGS (JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

struct schema {
    char *text; /* owned */
    size_t text_size;
    json_t *json; /* owned: names, docs, symbols and defaults of the nodes lie in it */
    struct schema_tree tree;
    struct buffer canonical; /* zero-terminated */
    uint64_t fingerprint;
};

enum fault schema_parse(struct span text, struct schema **out_schema, struct reason *out_reason)
{
    REQUIRE(out_schema != NULL);
    if (text.size > TEXT_SIZE_MAX) {
        reason_set(out_reason, "a schema of more than 1 MiB");
        return FAULT_LIMIT_EXCEEDED;
    }
    json_error_t error;
    json_t *json =
        json_loadb(text.size == 0 ? "" : (const char *)text.bytes, text.size, JSON_FLAGS, &error);
    if (json == NULL) {
        reason_set(out_reason, "%d:%d: %s", error.line, error.column, error.text);
        return FAULT_SCHEMA_INVALID;
    }
    struct schema *schema = heap_zeroed(1, sizeof *schema);
    schema->text = span_copied(text);
    schema->text_size = text.size;
    schema->json = json;
    const enum fault fault = schema_tree_parse(json, &schema->tree, out_reason);
    if (fault != FAULT_NONE) {
        schema_destroy(schema);
        return fault;
    }
    canonical_write(schema->tree.root, schema->tree.node_count, &schema->canonical);
    schema->fingerprint = fingerprint_of(buffer_span(&schema->canonical));
    buffer_append_byte(&schema->canonical, 0);
    *out_schema = schema;
    return FAULT_NONE;
}

const struct schema_node *schema_root(const struct schema *schema)
{
    return schema->tree.root;
}

uint32_t schema_node_count(const struct schema *schema)
{
    return schema->tree.node_count;
}

const struct schema_node *schema_node_at(const struct schema *schema, uint32_t index)
{
    REQUIRE(index < schema->tree.node_count);
    return schema->tree.nodes[index];
}

struct span schema_text(const struct schema *schema)
{
    return span_of(schema->text, schema->text_size);
}

const char *schema_canonical(const struct schema *schema)
{
    return (const char *)schema->canonical.bytes;
}

uint64_t schema_fingerprint(const struct schema *schema)
{
    return schema->fingerprint;
}

const struct schema_field *schema_field(const struct schema_node *record, const char *name)
{
    REQUIRE(record->kind == SCHEMA_RECORD);
    for (size_t i = 0; i < record->field_count; i++)
        if (strcmp(record->fields[i].name, name) == 0)
            return &record->fields[i];
    return NULL;
}

void schema_destroy(struct schema *schema)
{
    if (schema == NULL)
        return;
    buffer_fini(&schema->canonical);
    schema_tree_fini(&schema->tree);
    json_decref(schema->json);
    heap_release(schema->text);
    heap_release(schema);
}
