#include "avro/canonical.h"
#include "memory/heap.h"

struct writer {
    struct buffer *buffer; /* borrowed */
    bool *written; /* owned, by node index: a named type is written out once, then by name */
};

static const char *const primitive_names[] = {
    [SCHEMA_NULL] = "null",   [SCHEMA_BOOLEAN] = "boolean", [SCHEMA_INT] = "int",
    [SCHEMA_LONG] = "long",   [SCHEMA_FLOAT] = "float",     [SCHEMA_DOUBLE] = "double",
    [SCHEMA_BYTES] = "bytes", [SCHEMA_STRING] = "string",
};

static void write_node(struct writer *writer, const struct schema_node *node);

/* Names and symbols are ASCII letters, digits, underscores and dots (schema_parse): nothing to
 * escape. */
static void write_text(struct writer *writer, const char *text)
{
    buffer_format(writer->buffer, "\"%s\"", text);
}

static void write_record(struct writer *writer, const struct schema_node *node)
{
    buffer_format(writer->buffer, "{\"name\":\"%s\",\"type\":\"record\",\"fields\":[",
                  node->full_name);
    for (size_t i = 0; i < node->field_count; i++) {
        buffer_format(writer->buffer, "%s{\"name\":\"%s\",\"type\":", i == 0 ? "" : ",",
                      node->fields[i].name);
        write_node(writer, node->fields[i].type);
        buffer_append_byte(writer->buffer, '}');
    }
    buffer_format(writer->buffer, "]}");
}

static void write_enum(struct writer *writer, const struct schema_node *node)
{
    buffer_format(writer->buffer, "{\"name\":\"%s\",\"type\":\"enum\",\"symbols\":[",
                  node->full_name);
    for (size_t i = 0; i < node->symbol_count; i++)
        buffer_format(writer->buffer, "%s\"%s\"", i == 0 ? "" : ",", node->symbols[i]);
    buffer_format(writer->buffer, "]}");
}

static void write_union(struct writer *writer, const struct schema_node *node)
{
    buffer_append_byte(writer->buffer, '[');
    for (size_t i = 0; i < node->field_count; i++) {
        if (i != 0)
            buffer_append_byte(writer->buffer, ',');
        write_node(writer, node->fields[i].type);
    }
    buffer_append_byte(writer->buffer, ']');
}

static void write_named(struct writer *writer, const struct schema_node *node)
{
    if (writer->written[node->index]) {
        write_text(writer, node->full_name);
        return;
    }
    writer->written[node->index] = true;
    if (node->kind == SCHEMA_RECORD)
        write_record(writer, node);
    else if (node->kind == SCHEMA_ENUM)
        write_enum(writer, node);
    else
        buffer_format(writer->buffer, "{\"name\":\"%s\",\"type\":\"fixed\",\"size\":%zu}",
                      node->full_name, node->fixed_size);
}

static void write_node(struct writer *writer, const struct schema_node *node)
{
    switch (node->kind) {
    case SCHEMA_RECORD:
    case SCHEMA_ENUM:
    case SCHEMA_FIXED:
        write_named(writer, node);
        return;
    case SCHEMA_UNION:
        write_union(writer, node);
        return;
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        buffer_format(writer->buffer, "{\"type\":\"%s\":",
                      node->kind == SCHEMA_ARRAY ? "array\",\"items" : "map\",\"values");
        write_node(writer, node->fields[0].type);
        buffer_append_byte(writer->buffer, '}');
        return;
    case SCHEMA_NULL:
    case SCHEMA_BOOLEAN:
    case SCHEMA_INT:
    case SCHEMA_LONG:
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
        write_text(writer, primitive_names[node->kind]);
        return;
    }
}

void canonical_write(const struct schema_node *root, uint32_t node_count, struct buffer *buffer)
{
    REQUIRE(root != NULL);
    struct writer writer = {.buffer = buffer,
                            .written = heap_zeroed(node_count, sizeof *writer.written)};
    write_node(&writer, root);
    heap_release(writer.written);
}
