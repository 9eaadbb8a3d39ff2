#include "avro/plan_read.h"
#include "avro/plan_pass.h"
#include "memory/heap.h"

#include <math.h>

enum { SHAPE_COUNT = PLAN_ITEMS + 1 };

/* One value, into a slot. */
struct leaf {
    uint32_t slot;
    enum plan_shape shape;
};

static void read_leaf(struct plan_maker *maker, const struct schema_node *node,
                      const struct leaf *leaf);
static void read_wanted(struct plan_maker *maker, const struct schema_node *node,
                        const struct plan_wants *wants);

static struct leaf leaf_of(const struct plan_maker *maker, const struct plan_wants *wants)
{
    return (struct leaf){
        wants->want, wants->want == PLAN_WANTS_NONE ? PLAN_ANY : maker->wants[wants->want].shape};
}

/* ---- one value ---- */

/* Set first: a loop in what is passed over ends the base that KEY set. */
static void read_other(struct plan_maker *maker, const struct schema_node *node, uint32_t slot)
{
    (void)plan_maker_emit(maker, STEP_SET, slot, VALUE_OTHER);
    plan_pass(maker, node);
}

static void read_long(struct plan_maker *maker, const struct schema_node *node, uint32_t slot)
{
    const bool micros = node->logical == LOGICAL_TIMESTAMP_MICROS;
    if (micros || node->logical == LOGICAL_TIMESTAMP_NANOS)
        (void)plan_maker_emit(maker, STEP_TIME, slot, micros ? 1000 : 1000000);
    else
        (void)plan_maker_emit(maker, STEP_LONG, slot, 0);
}

static void read_enum(struct plan_maker *maker, const struct schema_node *node, uint32_t slot)
{
    struct plan *plan = maker->plan;
    struct enumeration enumeration = {
        arena_take(plan->arena, node->symbol_count * sizeof *enumeration.symbols),
        node->symbol_count};
    for (size_t i = 0; i < node->symbol_count; i++)
        enumeration.symbols[i] = span_text(node->symbols[i]);
    plan->enumerations =
        plan_maker_grown(plan->enumerations, plan->enumeration_count, sizeof *plan->enumerations);
    plan->enumerations[plan->enumeration_count] = enumeration;
    (void)plan_maker_emit(maker, STEP_SYMBOL, slot, (uint32_t)plan->enumeration_count++);
}

static void read_decimal(struct plan_maker *maker, const struct schema_node *node, uint32_t slot)
{
    struct plan *plan = maker->plan;
    plan->decimals = plan_maker_grown(plan->decimals, plan->decimal_count, sizeof *plan->decimals);
    plan->decimals[plan->decimal_count] = (struct decimal){
        pow(10, node->scale), (uint32_t)node->fixed_size, node->kind == SCHEMA_FIXED};
    (void)plan_maker_emit(maker, STEP_DECIMAL, slot, (uint32_t)plan->decimal_count++);
}

static void read_uuid(struct plan_maker *maker, uint32_t slot)
{
    struct plan *plan = maker->plan;
    plan->uuids = plan_maker_grown(plan->uuids, plan->uuid_count, sizeof *plan->uuids);
    (void)plan_maker_emit(maker, STEP_UUID, slot, (uint32_t)plan->uuid_count++);
}

static void leaf_of_branch(struct plan_maker *maker, const struct schema_node *node,
                           const void *context)
{
    read_leaf(maker, node, context);
}

static void read_union(struct plan_maker *maker, const struct schema_node *node,
                       const struct leaf *leaf)
{
    uint8_t null_index = 0;
    const struct schema_node *other = plan_maker_nullable(node, &null_index);
    if (other != NULL && other->kind == SCHEMA_DOUBLE && leaf->shape == PLAN_ANY) {
        (void)plan_maker_double(maker, STEP_NULLABLE_DOUBLES, null_index, leaf->slot);
    } else if (other != NULL && other->kind == SCHEMA_STRING &&
               plan_wants_takes(leaf->shape, other)) {
        const uint32_t step = plan_maker_emit(maker, STEP_NULLABLE_TEXT, leaf->slot, 0);
        maker->plan->steps[step].null_index = null_index;
    } else {
        plan_maker_union(maker, node, &(struct plan_maker_each){leaf_of_branch, leaf, leaf->slot});
    }
}

static void read_leaf(struct plan_maker *maker, const struct schema_node *node,
                      const struct leaf *leaf)
{
    const uint32_t slot = leaf->slot;
    const bool is_open = node->kind == SCHEMA_UNION || node->kind == SCHEMA_NULL;
    if (!is_open && !plan_wants_takes(leaf->shape, node)) {
        read_other(maker, node, slot);
        return;
    }
    switch (node->kind) {
    case SCHEMA_NULL:
        (void)plan_maker_emit(maker, STEP_SET, slot, VALUE_NULL);
        return;
    case SCHEMA_BOOLEAN:
        (void)plan_maker_emit(maker, STEP_BOOLEAN, slot, 0);
        return;
    case SCHEMA_INT:
        (void)plan_maker_emit(maker, STEP_INT, slot, 0);
        return;
    case SCHEMA_LONG:
        read_long(maker, node, slot);
        return;
    case SCHEMA_FLOAT:
        (void)plan_maker_emit(maker, STEP_FLOAT, slot, 0);
        return;
    case SCHEMA_DOUBLE:
        (void)plan_maker_double(maker, STEP_DOUBLES, 0, slot);
        return;
    case SCHEMA_STRING:
        (void)plan_maker_emit(maker, STEP_TEXT, slot, 0);
        return;
    case SCHEMA_ENUM:
        read_enum(maker, node, slot);
        return;
    case SCHEMA_UNION:
        read_union(maker, node, leaf);
        return;
    case SCHEMA_BYTES:
    case SCHEMA_FIXED:
        if (node->logical == LOGICAL_DECIMAL)
            read_decimal(maker, node, slot);
        else if (node->logical == LOGICAL_UUID)
            read_uuid(maker, slot);
        else
            read_other(maker, node, slot);
        return;
    case SCHEMA_RECORD:
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        read_other(maker, node, slot);
        return;
    }
    UNREACHABLE("all kinds are above");
}

/* ---- what is in records, maps and arrays ---- */

static void stays_unless_read(struct plan_maker *maker, const struct plan_wants *wants)
{
    if (wants->want != PLAN_WANTS_NONE && maker->conditional > 0)
        maker->may_stay[wants->want] = true;
}

/* Of what is not one value its own want only says so, or counts. */
static void begin_items(struct plan_maker *maker, const struct plan_wants *wants)
{
    const struct leaf leaf = leaf_of(maker, wants);
    if (leaf.slot == PLAN_WANTS_NONE)
        return;
    if (leaf.shape == PLAN_ITEMS)
        maker->may_stay[leaf.slot] = true; /* counts from its fallback */
    else
        (void)plan_maker_emit(maker, STEP_SET, leaf.slot, VALUE_OTHER);
}

static bool counts(const struct plan_maker *maker, const struct plan_wants *wants)
{
    return wants->want != PLAN_WANTS_NONE && maker->wants[wants->want].shape == PLAN_ITEMS;
}

static void read_fields(struct plan_maker *maker, const struct schema_node *record,
                        const struct plan_wants *wants)
{
    uint32_t unwanted = 0;
    begin_items(maker, wants);
    for (size_t i = 0; i < record->field_count && maker->fault == FAULT_NONE; i++) {
        const struct schema_field *field = &record->fields[i];
        const struct plan_wants *below = plan_wants_below(wants, field->name);
        const struct plan_maker_place place = plan_maker_enter(maker, field->name);
        if (below != NULL)
            read_wanted(maker, field->type, below);
        else
            plan_pass(maker, field->type);
        unwanted += below == NULL;
        plan_maker_leave(maker, place);
    }
    if (counts(maker, wants) && unwanted > 0)
        (void)plan_maker_emit(maker, STEP_ADD, wants->want, unwanted);
}

static struct keyset *keyset_create(struct plan_maker *maker, size_t capacity)
{
    struct plan *plan = maker->plan;
    struct keyset *keyset = arena_take(plan->arena, sizeof *keyset);
    keyset->keys = arena_take(plan->arena, (capacity + 1) * sizeof *keyset->keys);
    keyset->by_name = table_create();
    plan->keysets = plan_maker_grown(plan->keysets, plan->keyset_count, sizeof *plan->keysets);
    plan->keysets[plan->keyset_count++] = keyset;
    return keyset;
}

/* Bodies of a loop that end at its NEXT. */
struct bodies {
    uint32_t *ends; /* owned list: the jumps */
    size_t end_count;
    uint32_t by_shape[SHAPE_COUNT]; /* of values that differ by their slot only; 0: none yet */
};

static void end_body(struct plan_maker *maker, struct bodies *bodies)
{
    bodies->ends = plan_maker_grown(bodies->ends, bodies->end_count, sizeof *bodies->ends);
    bodies->ends[bodies->end_count++] = plan_maker_emit(maker, STEP_JUMP, SLOT_NONE, 0);
}

static bool is_leaf(const struct plan_maker *maker, const struct plan_wants *wants)
{
    return wants->below_count == 0 && !counts(maker, wants);
}

/* Of equal keys the last counts, and all of it: nothing of an earlier one shows through. */
static void forget(struct plan_maker *maker, const struct plan_wants *wants)
{
    if (wants->want != PLAN_WANTS_NONE)
        (void)plan_maker_emit(maker, STEP_RESET, wants->want, 0);
    for (size_t i = 0; i < wants->below_count; i++)
        forget(maker, wants->below[i]);
}

/* Values of a map have one type: one body reads them all, from the base that KEY sets. */
static void read_key(struct plan_maker *maker, const struct schema_node *item,
                     const struct plan_wants *wants, struct key *key, struct bodies *bodies)
{
    key->name = wants->name;
    if (!is_leaf(maker, wants)) {
        key->step = plan_maker_label(maker);
        forget(maker, wants);
        read_wanted(maker, item, wants);
        end_body(maker, bodies);
        return;
    }
    const struct leaf leaf = {0, leaf_of(maker, wants).shape};
    stays_unless_read(maker, wants);
    key->base = wants->want;
    if (bodies->by_shape[leaf.shape] == 0) {
        bodies->by_shape[leaf.shape] = plan_maker_label(maker);
        read_leaf(maker, item, &leaf);
        end_body(maker, bodies);
    }
    key->step = bodies->by_shape[leaf.shape];
}

static void read_index(struct plan_maker *maker, const struct schema_node *item,
                       const struct plan_wants *wants, struct key *key, struct bodies *bodies)
{
    key->step = plan_maker_label(maker);
    read_wanted(maker, item, wants);
    end_body(maker, bodies);
}

/* LOOP, KEY or ITEM, what is not wanted, the bodies of what is, NEXT. */
static void read_items(struct plan_maker *maker, const struct schema_node *node,
                       const struct plan_wants *wants)
{
    const struct schema_node *item = node->fields[0].type;
    const bool is_map = node->kind == SCHEMA_MAP;
    struct bodies bodies = {0};
    begin_items(maker, wants);
    const uint32_t loop = plan_maker_begin_loop(maker);
    (void)plan_maker_emit(maker, is_map ? STEP_KEY : STEP_ITEM, SLOT_NONE,
                          (uint32_t)maker->plan->keyset_count);
    struct keyset *keyset = keyset_create(maker, wants->below_count);
    if (is_map && counts(maker, wants))
        (void)plan_maker_emit(maker, STEP_ADD, wants->want, 1);
    plan_pass(maker, item);
    end_body(maker, &bodies);
    maker->conditional++;
    for (size_t i = 0; i < wants->below_count && maker->fault == FAULT_NONE; i++) {
        const struct plan_wants *below = wants->below[i];
        struct key *key = &keyset->keys[keyset->count];
        if (!is_map && !plan_wants_index((const char *)below->name.bytes, &key->index))
            continue;
        keyset->count++;
        (is_map ? read_key : read_index)(maker, item, below, key, &bodies);
        if (is_map)
            (void)table_put(keyset->by_name, key->name, key);
    }
    maker->conditional--;
    const uint32_t end = plan_maker_label(maker);
    for (size_t i = 0; i < bodies.end_count && maker->fault == FAULT_NONE; i++)
        maker->plan->steps[bodies.ends[i]].argument = end;
    heap_release(bodies.ends);
    plan_maker_end_loop(maker, loop);
}

static void wanted_of_branch(struct plan_maker *maker, const struct schema_node *node,
                             const void *context)
{
    read_wanted(maker, node, context);
}

static void read_wanted(struct plan_maker *maker, const struct schema_node *node,
                        const struct plan_wants *wants)
{
    const struct leaf leaf = leaf_of(maker, wants);
    stays_unless_read(maker, wants);
    if (is_leaf(maker, wants)) {
        read_leaf(maker, node, &leaf);
        return;
    }
    switch (node->kind) {
    case SCHEMA_UNION:
        maker->conditional++;
        plan_maker_union(maker, node,
                         &(struct plan_maker_each){wanted_of_branch, wants, leaf.slot});
        maker->conditional--;
        return;
    case SCHEMA_RECORD:
        read_fields(maker, node, wants);
        return;
    case SCHEMA_MAP:
    case SCHEMA_ARRAY:
        if (plan_wants_takes(leaf.shape, node)) {
            read_items(maker, node, wants);
            return;
        }
        break;
    case SCHEMA_NULL:
    case SCHEMA_BOOLEAN:
    case SCHEMA_INT:
    case SCHEMA_LONG:
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
    case SCHEMA_ENUM:
    case SCHEMA_FIXED:
        break;
    }
    if (leaf.slot == PLAN_WANTS_NONE)
        plan_pass(maker, node);
    else
        read_leaf(maker, node, &leaf);
}

void plan_read(struct plan_maker *maker, const struct schema_node *record,
               const struct plan_wants *wants)
{
    read_fields(maker, record, wants);
}
