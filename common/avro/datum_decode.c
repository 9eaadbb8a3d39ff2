#include "avro/datum.h"
#include "avro/place.h"
#include "avro/skim.h"

struct decoder {
    struct skim skim;
    struct reason *reason; /* borrowed */
};

struct spot {
    struct place place;
    unsigned depth;
};

static json_t *decode(struct decoder *decoder, const struct schema_node *node,
                      const struct spot *spot);

/* What skim found, at this spot. */
static json_t *refuse(struct decoder *decoder, const struct spot *spot)
{
    char path[PLACE_TEXT_SIZE];
    reason_set(decoder->reason, "%s: %s", place_text(&spot->place, path), decoder->skim.what);
    return NULL;
}

static json_t *malformed(struct decoder *decoder, const struct spot *spot, const char *what)
{
    (void)skim_fail(&decoder->skim, FAULT_RECORD_MALFORMED, what);
    return refuse(decoder, spot);
}

static struct spot spot_below(const struct spot *spot, const char *name, size_t index)
{
    return (struct spot){.place = {.up = &spot->place, .name = name, .index = index},
                         .depth = spot->depth + 1};
}

/* NaN and the infinities have no JSON number. */
static json_t *real_or_null(double number)
{
    json_t *real = json_real(number);
    return real == NULL ? json_null() : real;
}

static json_t *decode_boolean(struct decoder *decoder, const struct spot *spot)
{
    bool truth = false;
    if (!wire_read_boolean(&decoder->skim.wire, &truth))
        return malformed(decoder, spot, "no boolean");
    return json_boolean(truth);
}

static json_t *decode_integer(struct decoder *decoder, const struct schema_node *node,
                              const struct spot *spot)
{
    int64_t value = 0;
    if (!wire_read_long(&decoder->skim.wire, &value))
        return malformed(decoder, spot, "the bytes end, or no integer");
    if (node->kind == SCHEMA_INT && (value < INT32_MIN || value > INT32_MAX))
        return malformed(decoder, spot, "an int of more than 32 bits");
    return json_integer(value);
}

static json_t *decode_number(struct decoder *decoder, const struct schema_node *node,
                             const struct spot *spot)
{
    double value = 0;
    float narrow = 0;
    const bool read = node->kind == SCHEMA_FLOAT ? wire_read_float(&decoder->skim.wire, &narrow)
                                                 : wire_read_double(&decoder->skim.wire, &value);
    if (!read)
        return malformed(decoder, spot, "the bytes end");
    return real_or_null(node->kind == SCHEMA_FLOAT ? (double)narrow : value);
}

static json_t *decode_text(struct decoder *decoder, const struct spot *spot)
{
    struct span text;
    if (!wire_read_bytes(&decoder->skim.wire, &text))
        return malformed(decoder, spot, "longer than the bytes left");
    json_t *value = json_stringn(text.size == 0 ? "" : (const char *)text.bytes, text.size);
    return value == NULL ? malformed(decoder, spot, "not UTF-8") : value;
}

static json_t *decode_symbol(struct decoder *decoder, const struct schema_node *node,
                             const struct spot *spot)
{
    size_t index = 0;
    if (!skim_index(&decoder->skim, node->symbol_count, &index))
        return refuse(decoder, spot);
    return json_string(node->symbols[index]);
}

static json_t *decode_union(struct decoder *decoder, const struct schema_node *node,
                            const struct spot *spot)
{
    size_t index = 0;
    if (!skim_index(&decoder->skim, node->field_count, &index))
        return refuse(decoder, spot);
    struct spot below = *spot;
    below.depth++;
    return decode(decoder, node->fields[index].type, &below);
}

static json_t *decode_record(struct decoder *decoder, const struct schema_node *node,
                             const struct spot *spot)
{
    json_t *record = json_object();
    for (size_t i = 0; i < node->field_count; i++) {
        const struct schema_field *field = &node->fields[i];
        const struct spot below = spot_below(spot, field->name, 0);
        json_t *value = decode(decoder, field->type, &below);
        if (value == NULL || json_object_set_new(record, field->name, value) != 0) {
            json_decref(record);
            return NULL;
        }
    }
    return record;
}

static json_t *decode_entry(struct decoder *decoder, const struct schema_node *node, json_t *map,
                            const struct spot *spot)
{
    struct span key;
    if (!wire_read_bytes(&decoder->skim.wire, &key))
        return malformed(decoder, spot, "a key is longer than the bytes left");
    json_t *value = decode(decoder, node->fields[0].type, spot);
    if (value == NULL)
        return NULL;
    const char *text = key.size == 0 ? "" : (const char *)key.bytes;
    if (json_object_setn_new(map, text, key.size, value) != 0)
        return malformed(decoder, spot, "a key is not UTF-8");
    return map;
}

static json_t *decode_item(struct decoder *decoder, const struct schema_node *node, json_t *array,
                           const struct spot *spot)
{
    json_t *value = decode(decoder, node->fields[0].type, spot);
    return value != NULL && json_array_append_new(array, value) == 0 ? array : NULL;
}

/* Fills `items` and gives it back, or NULL. */
static json_t *decode_blocks(struct decoder *decoder, const struct schema_node *node, json_t *items,
                             const struct spot *spot)
{
    for (size_t index = 0;;) {
        struct skim_block block;
        if (!skim_block_begin(&decoder->skim, &block))
            return refuse(decoder, spot);
        for (uint64_t i = 0; i < block.count; i++, index++) {
            const struct spot below = spot_below(spot, NULL, index);
            const json_t *filled = node->kind == SCHEMA_ARRAY
                                       ? decode_item(decoder, node, items, &below)
                                       : decode_entry(decoder, node, items, &below);
            if (filled == NULL)
                return NULL;
        }
        if (!skim_block_end(&decoder->skim, &block))
            return refuse(decoder, spot);
        if (block.count == 0)
            return items;
    }
}

static json_t *decode_items(struct decoder *decoder, const struct schema_node *node,
                            const struct spot *spot)
{
    json_t *items = node->kind == SCHEMA_ARRAY ? json_array() : json_object();
    json_t *filled = decode_blocks(decoder, node, items, spot);
    if (filled == NULL)
        json_decref(items);
    return filled;
}

static json_t *decode(struct decoder *decoder, const struct schema_node *node,
                      const struct spot *spot)
{
    if (!skim_enter(&decoder->skim, spot->depth))
        return refuse(decoder, spot);
    switch (node->kind) {
    case SCHEMA_NULL:
        return json_null();
    case SCHEMA_BOOLEAN:
        return decode_boolean(decoder, spot);
    case SCHEMA_INT:
    case SCHEMA_LONG:
        return decode_integer(decoder, node, spot);
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        return decode_number(decoder, node, spot);
    case SCHEMA_STRING:
        return decode_text(decoder, spot);
    case SCHEMA_ENUM:
        return decode_symbol(decoder, node, spot);
    case SCHEMA_RECORD:
        return decode_record(decoder, node, spot);
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        return decode_items(decoder, node, spot);
    case SCHEMA_UNION:
        return decode_union(decoder, node, spot);
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        return malformed(decoder, spot, "bytes and fixed are not supported");
    }
    UNREACHABLE("all kinds are above");
}

enum fault datum_decode(const struct schema *schema, struct span bytes, json_t **out_value,
                        struct reason *out_reason)
{
    REQUIRE(schema != NULL);
    REQUIRE(out_value != NULL);
    const struct schema_node *root = schema_root(schema);
    struct decoder decoder = {.skim = skim_of(bytes), .reason = out_reason};
    const struct spot top = {.place = {.name = root->full_name == NULL ? "" : root->full_name}};
    json_t *value = decode(&decoder, root, &top);
    if (value != NULL && decoder.skim.wire.next != decoder.skim.wire.end) {
        json_decref(value);
        value = malformed(&decoder, &top, "bytes are left over");
    }
    if (value == NULL) {
        ENSURE(decoder.skim.fault != FAULT_NONE);
        return decoder.skim.fault;
    }
    *out_value = value;
    return FAULT_NONE;
}
