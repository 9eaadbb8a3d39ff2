#include "avro/datum.h"
#include "avro/fit.h"
#include "avro/place.h"
#include "avro/wire.h"

enum { ENCODE_DEPTH_MAX = 100 };

struct encoder {
    struct buffer *buffer; /* borrowed */
    struct reason *reason; /* borrowed */
};

/* A position in the value: the path for reasons, and how deep. */
struct spot {
    struct place place;
    unsigned depth;
};

static bool encode(const struct encoder *encoder, const struct schema_node *node,
                   const json_t *value, const struct spot *spot);

static bool refuse(const struct encoder *encoder, const struct spot *spot, const char *what)
{
    char path[PLACE_TEXT_SIZE];
    reason_set(encoder->reason, "%s: %s", place_text(&spot->place, path), what);
    return false;
}

static struct spot spot_below(const struct spot *spot, const char *name, size_t index)
{
    return (struct spot){.place = {.up = &spot->place, .name = name, .index = index},
                         .depth = spot->depth + 1};
}

static bool encode_integer(const struct encoder *encoder, const struct schema_node *node,
                           const json_t *value, const struct spot *spot)
{
    if (!json_is_integer(value))
        return refuse(encoder, spot, "an integer is expected");
    const json_int_t integer = json_integer_value(value);
    if (node->kind == SCHEMA_INT && (integer < INT32_MIN || integer > INT32_MAX))
        return refuse(encoder, spot, "does not fit 32 bits");
    wire_write_long(encoder->buffer, integer);
    return true;
}

static bool encode_number(const struct encoder *encoder, const struct schema_node *node,
                          const json_t *value, const struct spot *spot)
{
    if (!json_is_number(value))
        return refuse(encoder, spot, "a number is expected");
    const double number = json_number_value(value);
    if (node->kind == SCHEMA_FLOAT)
        wire_write_float(encoder->buffer, (float)number);
    else
        wire_write_double(encoder->buffer, number);
    return true;
}

static bool encode_text(const struct encoder *encoder, const json_t *value, const struct spot *spot)
{
    if (!json_is_string(value))
        return refuse(encoder, spot, "a text is expected");
    wire_write_bytes(encoder->buffer, span_of(json_string_value(value), json_string_length(value)));
    return true;
}

static bool encode_symbol(const struct encoder *encoder, const struct schema_node *node,
                          const json_t *value, const struct spot *spot)
{
    size_t index = 0;
    if (!fit_symbol(node, value, &index))
        return refuse(encoder, spot, "a symbol of the enum is expected");
    wire_write_long(encoder->buffer, (int64_t)index);
    return true;
}

static bool encode_record(const struct encoder *encoder, const struct schema_node *node,
                          const json_t *value, const struct spot *spot)
{
    if (!json_is_object(value))
        return refuse(encoder, spot, "an object is expected");
    for (size_t i = 0; i < node->field_count; i++) {
        const struct schema_field *field = &node->fields[i];
        const struct spot below = spot_below(spot, field->name, 0);
        const json_t *given = json_object_get(value, field->name);
        if (given == NULL)
            given = field->fallback;
        if (given == NULL)
            return refuse(encoder, &below, "is missing");
        if (!encode(encoder, field->type, given, &below))
            return false;
    }
    return true;
}

/* One block, then the end: what all writers do for values that are whole in memory. */
static bool encode_array(const struct encoder *encoder, const struct schema_node *node,
                         const json_t *value, const struct spot *spot)
{
    if (!json_is_array(value))
        return refuse(encoder, spot, "an array is expected");
    const size_t count = json_array_size(value);
    if (count != 0)
        wire_write_long(encoder->buffer, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct spot below = spot_below(spot, NULL, i);
        if (!encode(encoder, node->fields[0].type, json_array_get(value, i), &below))
            return false;
    }
    wire_write_long(encoder->buffer, 0);
    return true;
}

/* In the order in which the entries were put in: the same calls, the same bytes. */
static bool encode_map(const struct encoder *encoder, const struct schema_node *node,
                       const json_t *value, const struct spot *spot)
{
    if (!json_is_object(value))
        return refuse(encoder, spot, "an object is expected");
    if (json_object_size(value) != 0)
        wire_write_long(encoder->buffer, (int64_t)json_object_size(value));
    json_t *object = (json_t *)(uintptr_t)value; /* only read; jansson's walk takes no const */
    for (void *walk = json_object_iter(object); walk != NULL;
         walk = json_object_iter_next(object, walk)) {
        const char *key = json_object_iter_key(walk);
        const struct spot below = spot_below(spot, key, 0);
        wire_write_bytes(encoder->buffer, span_of(key, json_object_iter_key_len(walk)));
        if (!encode(encoder, node->fields[0].type, json_object_iter_value(walk), &below))
            return false;
    }
    wire_write_long(encoder->buffer, 0);
    return true;
}

static bool encode_union(const struct encoder *encoder, const struct schema_node *node,
                         const json_t *value, const struct spot *spot)
{
    size_t index = 0;
    if (!fit_branch(node, value, &index))
        return refuse(encoder, spot, "fits no branch of the union");
    struct spot below = *spot;
    below.depth++;
    wire_write_long(encoder->buffer, (int64_t)index);
    return encode(encoder, node->fields[index].type, value, &below);
}

static bool encode(const struct encoder *encoder, const struct schema_node *node,
                   const json_t *value, const struct spot *spot)
{
    if (spot->depth > ENCODE_DEPTH_MAX)
        return refuse(encoder, spot, "nested deeper than 100");
    switch (node->kind) {
    case SCHEMA_NULL:
        return json_is_null(value) || refuse(encoder, spot, "null is expected");
    case SCHEMA_BOOLEAN:
        if (!json_is_boolean(value))
            return refuse(encoder, spot, "a boolean is expected");
        wire_write_boolean(encoder->buffer, json_is_true(value));
        return true;
    case SCHEMA_INT:
    case SCHEMA_LONG:
        return encode_integer(encoder, node, value, spot);
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        return encode_number(encoder, node, value, spot);
    case SCHEMA_STRING:
        return encode_text(encoder, value, spot);
    case SCHEMA_ENUM:
        return encode_symbol(encoder, node, value, spot);
    case SCHEMA_RECORD:
        return encode_record(encoder, node, value, spot);
    case SCHEMA_ARRAY:
        return encode_array(encoder, node, value, spot);
    case SCHEMA_MAP:
        return encode_map(encoder, node, value, spot);
    case SCHEMA_UNION:
        return encode_union(encoder, node, value, spot);
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        return refuse(encoder, spot, "bytes and fixed are not supported");
    }
    UNREACHABLE("all kinds are above");
}

enum fault datum_encode(const struct schema *schema, const json_t *value, struct buffer *out_bytes,
                        struct reason *out_reason)
{
    REQUIRE(schema != NULL);
    REQUIRE(value != NULL);
    const struct schema_node *root = schema_root(schema);
    const size_t size = out_bytes->size;
    const struct encoder encoder = {.buffer = out_bytes, .reason = out_reason};
    const struct spot top = {.place = {.name = root->full_name == NULL ? "" : root->full_name}};
    if (encode(&encoder, root, value, &top))
        return FAULT_NONE;
    out_bytes->size = size;
    return FAULT_RECORD_MALFORMED;
}
