#include "avro/skim.h"

enum { DEPTH_MAX = 100, VALUES_FREE = 100000, VALUES_PER_BYTE = 16 };

static size_t bytes_left(const struct skim *skim)
{
    return skim->wire.next == NULL ? 0 : (size_t)(skim->wire.end - skim->wire.next);
}

struct skim skim_of(struct span bytes)
{
    return (struct skim){.wire = wire_reader_of(bytes),
                         .items_left = bytes.size,
                         .values_left = VALUES_FREE + (uint64_t)bytes.size * VALUES_PER_BYTE};
}

bool skim_fail(struct skim *skim, enum fault fault, const char *what)
{
    skim->fault = fault;
    skim->what = what;
    return false;
}

static bool malformed(struct skim *skim, const char *what)
{
    return skim_fail(skim, FAULT_RECORD_MALFORMED, what);
}

bool skim_enter(struct skim *skim, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return skim_fail(skim, FAULT_LIMIT_EXCEEDED, "nested deeper than 100");
    if (skim->values_left == 0)
        return skim_fail(skim, FAULT_LIMIT_EXCEEDED, "more values than the bytes can mean");
    skim->values_left--;
    return true;
}

bool skim_block_begin(struct skim *skim, struct skim_block *out_block)
{
    int64_t count = 0, size = 0;
    if (!wire_read_long(&skim->wire, &count) || count == INT64_MIN)
        return malformed(skim, "the bytes end, or no count of items");
    *out_block = (struct skim_block){.count = (uint64_t)count};
    if (count < 0) {
        if (!wire_read_long(&skim->wire, &size) || size < 0 || (uint64_t)size > bytes_left(skim))
            return malformed(skim, "a block of items is longer than the bytes left");
        *out_block = (struct skim_block){.count = (uint64_t)-count, .end = skim->wire.next + size};
    }
    if (out_block->count > skim->items_left)
        return skim_fail(skim, FAULT_LIMIT_EXCEEDED, "more items than bytes");
    skim->items_left -= out_block->count;
    return true;
}

bool skim_block_end(struct skim *skim, const struct skim_block *block)
{
    if (block->end != NULL && skim->wire.next != block->end)
        return malformed(skim, "a block of items has another size than it says");
    return true;
}

bool skim_index(struct skim *skim, size_t count, size_t *out_index)
{
    int64_t index = 0;
    if (!wire_read_long(&skim->wire, &index) || index < 0 || (uint64_t)index >= count)
        return malformed(skim, "no such branch or symbol");
    *out_index = (size_t)index;
    return true;
}

static bool over_size(struct skim *skim, size_t size)
{
    return wire_skip(&skim->wire, size) || malformed(skim, "the bytes end");
}

static bool over_integer(struct skim *skim, enum schema_kind kind)
{
    int64_t value = 0;
    if (!wire_read_long(&skim->wire, &value))
        return malformed(skim, "the bytes end, or no integer");
    if (kind == SCHEMA_INT && (value < INT32_MIN || value > INT32_MAX))
        return malformed(skim, "an int of more than 32 bits");
    return true;
}

static bool over_bytes(struct skim *skim)
{
    struct span bytes;
    return wire_read_bytes(&skim->wire, &bytes) || malformed(skim, "longer than the bytes left");
}

static bool over_record(struct skim *skim, const struct schema_node *node, unsigned depth)
{
    for (size_t i = 0; i < node->field_count; i++)
        if (!skim_over(skim, node->fields[i].type, depth + 1))
            return false;
    return true;
}

/* Arrays of floats and doubles (embeddings) go in one step. */
static bool over_block(struct skim *skim, const struct schema_node *node, uint64_t count,
                       unsigned depth)
{
    const struct schema_node *item = node->fields[0].type;
    if (node->kind == SCHEMA_ARRAY && (item->kind == SCHEMA_FLOAT || item->kind == SCHEMA_DOUBLE)) {
        const size_t size = item->kind == SCHEMA_FLOAT ? 4 : 8;
        if (count > bytes_left(skim) / size)
            return malformed(skim, "the bytes end");
        return over_size(skim, (size_t)count * size);
    }
    for (uint64_t i = 0; i < count; i++) {
        if (node->kind == SCHEMA_MAP && !over_bytes(skim))
            return false;
        if (!skim_over(skim, item, depth + 1))
            return false;
    }
    return true;
}

static bool over_items(struct skim *skim, const struct schema_node *node, unsigned depth)
{
    for (;;) {
        struct skim_block block;
        if (!skim_block_begin(skim, &block))
            return false;
        if (!over_block(skim, node, block.count, depth) || !skim_block_end(skim, &block))
            return false;
        if (block.count == 0)
            return true;
    }
}

bool skim_over(struct skim *skim, const struct schema_node *node, unsigned depth)
{
    if (!skim_enter(skim, depth))
        return false;
    bool truth = false;
    size_t index = 0;
    switch (node->kind) {
    case SCHEMA_NULL:
        return true;
    case SCHEMA_BOOLEAN:
        return wire_read_boolean(&skim->wire, &truth) || malformed(skim, "no boolean");
    case SCHEMA_INT:
    case SCHEMA_LONG:
        return over_integer(skim, node->kind);
    case SCHEMA_FLOAT:
        return over_size(skim, 4);
    case SCHEMA_DOUBLE:
        return over_size(skim, 8);
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
        return over_bytes(skim);
    case SCHEMA_FIXED:
        return over_size(skim, node->fixed_size);
    case SCHEMA_ENUM:
        return skim_index(skim, node->symbol_count, &index);
    case SCHEMA_UNION:
        return skim_index(skim, node->field_count, &index) &&
               skim_over(skim, node->fields[index].type, depth + 1);
    case SCHEMA_RECORD:
        return over_record(skim, node, depth);
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        return over_items(skim, node, depth);
    }
    UNREACHABLE("all kinds are above");
}
