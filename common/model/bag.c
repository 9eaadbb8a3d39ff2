#include "model/bag.h"
#include "memory/heap.h"
#include "model/value.h"

static bool malformed(struct skim *skim, const char *what)
{
    return skim_fail(skim, FAULT_RECORD_MALFORMED, what);
}

static void add_branch(struct bag *bag, const struct schema_node *record)
{
    const size_t index = bag->branch_count++;
    bag->branches = heap_resized(bag->branches, bag->branch_count, sizeof(void *));
    bag->branch_slots = heap_resized(bag->branch_slots, bag->branch_count, sizeof(void *));
    bag->branches[index] = record;
    bag->branch_slots[index] = heap_zeroed(record->field_count, sizeof(struct value *));
    for (size_t i = 0; i < record->field_count; i++)
        bag->branch_slots[index][i] = table_find(bag->slots, span_text(record->fields[i].name));
}

void bag_open(struct bag *bag, const struct schema_node *node)
{
    bag->values = heap_zeroed(bag->count, sizeof *bag->values);
    bag->slots = table_create();
    for (size_t i = 0; i < bag->count; i++)
        (void)table_put(bag->slots, bag->names[i], &bag->values[i]);
    if (node == NULL)
        return;
    if (node->kind == SCHEMA_RECORD)
        add_branch(bag, node);
    for (size_t i = 0; node->kind == SCHEMA_UNION && i < node->field_count; i++)
        if (node->fields[i].type->kind == SCHEMA_RECORD)
            add_branch(bag, node->fields[i].type);
}

void bag_close(struct bag *bag)
{
    for (size_t i = 0; i < bag->branch_count; i++)
        heap_release(bag->branch_slots[i]);
    heap_release(bag->branch_slots);
    heap_release(bag->branches);
    table_destroy(bag->slots);
    heap_release(bag->values);
    heap_release(bag->names);
}

static bool read_record_bag(struct skim *skim, struct bag *bag, const struct schema_node *record,
                            unsigned depth, size_t *unknown)
{
    size_t branch = 0;
    while (branch < bag->branch_count && bag->branches[branch] != record)
        branch++;
    ENSURE(branch < bag->branch_count);
    for (size_t i = 0; i < record->field_count; i++) {
        struct value *slot = bag->branch_slots[branch][i];
        const struct schema_node *type = record->fields[i].type;
        *unknown += slot == NULL ? 1 : 0;
        if (!(slot == NULL ? skim_over(skim, type, depth) : value_read(skim, type, depth, slot)))
            return false;
    }
    return true;
}

/* Writers mostly keep one order of keys, and contracts are inferred from it: try the next name
 * first. */
static struct value *slot_of(struct bag *bag, struct span key, size_t *expected)
{
    if (*expected < bag->count && span_equal(bag->names[*expected], key))
        return &bag->values[(*expected)++];
    struct value *slot = table_find(bag->slots, key);
    if (slot != NULL)
        *expected = (size_t)(slot - bag->values) + 1;
    return slot;
}

static bool read_entry(struct skim *skim, struct bag *bag, const struct schema_node *type,
                       size_t *expected, size_t *unknown)
{
    struct span key;
    if (!wire_read_bytes(&skim->wire, &key))
        return malformed(skim, "a key is longer than the bytes left");
    struct value *slot = slot_of(bag, key, expected);
    if (slot != NULL)
        return value_read(skim, type, 1, slot);
    ++*unknown;
    return skim_over(skim, type, 1);
}

static bool read_map_bag(struct skim *skim, struct bag *bag, const struct schema_node *map,
                         size_t *unknown)
{
    size_t expected = 0;
    for (;;) {
        struct skim_block block;
        if (!skim_block_begin(skim, &block))
            return false;
        for (uint64_t i = 0; i < block.count; i++)
            if (!read_entry(skim, bag, map->fields[0].type, &expected, unknown))
                return false;
        if (!skim_block_end(skim, &block))
            return false;
        if (block.count == 0)
            return true;
    }
}

void bag_clear(struct bag *bag)
{
    _Static_assert(VALUE_MISSING == 0, "zeroed values are missing values");
    memset(bag->values, 0, bag->count * sizeof *bag->values);
}

bool bag_read(struct skim *skim, struct bag *bag, const struct schema_node *node, size_t *unknown)
{
    if (!value_branch(skim, &node))
        return false;
    if (node->kind == SCHEMA_RECORD)
        return read_record_bag(skim, bag, node, 1, unknown);
    if (node->kind == SCHEMA_MAP)
        return read_map_bag(skim, bag, node, unknown);
    return node->kind == SCHEMA_NULL || malformed(skim, "neither a record nor a map");
}
