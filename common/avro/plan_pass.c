#include "avro/plan_pass.h"
#include "memory/heap.h"

/* Bytes that every value of it has; false: they differ. */
static bool fixed_size(const struct schema_node *node, uint32_t *out)
{
    *out = node->kind == SCHEMA_FLOAT    ? 4
           : node->kind == SCHEMA_DOUBLE ? 8
                                         : (uint32_t)node->fixed_size;
    return node->kind == SCHEMA_FLOAT || node->kind == SCHEMA_DOUBLE || node->kind == SCHEMA_FIXED;
}

static void pass_fixed(struct plan_maker *maker, uint32_t size)
{
    struct step *last = plan_maker_last(maker, STEP_PASS_FIXED);
    if (last != NULL && last->argument <= UINT32_MAX - size)
        last->argument += size;
    else
        (void)plan_maker_emit(maker, STEP_PASS_FIXED, SLOT_NONE, size);
}

static void pass_bytes(struct plan_maker *maker)
{
    struct step *last = plan_maker_last(maker, STEP_PASS_BYTES);
    if (last != NULL)
        last->slot++;
    else
        (void)plan_maker_emit(maker, STEP_PASS_BYTES, 1, 0);
}

static void pass_nullables(struct plan_maker *maker, enum step_kind kind, uint8_t null_index,
                           uint32_t size)
{
    struct step *last = plan_maker_last(maker, kind);
    if (last != NULL && last->null_index == null_index && last->argument == size) {
        last->slot++;
        return;
    }
    const uint32_t step = plan_maker_emit(maker, kind, 1, size);
    maker->plan->steps[step].null_index = null_index;
}

static void pass_branch(struct plan_maker *maker, const struct schema_node *node,
                        const void *context)
{
    (void)context;
    plan_pass(maker, node);
}

static void pass_union(struct plan_maker *maker, const struct schema_node *node)
{
    static const struct plan_maker_each each = {pass_branch, NULL, SLOT_NONE};
    uint8_t null_index = 0;
    uint32_t size = 0;
    const struct schema_node *other = plan_maker_nullable(node, &null_index);
    if (other != NULL && other->kind == SCHEMA_DOUBLE &&
        plan_maker_double(maker, STEP_NULLABLE_DOUBLES, null_index, SLOT_NONE))
        return;
    if (other != NULL && fixed_size(other, &size))
        pass_nullables(maker, STEP_PASS_NULLABLE_FIXED, null_index, size);
    else if (other != NULL && (other->kind == SCHEMA_BYTES || other->kind == SCHEMA_STRING))
        pass_nullables(maker, STEP_PASS_NULLABLE_BYTES, null_index, 0);
    else
        plan_maker_union(maker, node, &each);
}

static void pass_fields(struct plan_maker *maker, const struct schema_node *record)
{
    for (size_t i = 0; i < record->field_count && maker->fault == FAULT_NONE; i++) {
        const struct plan_maker_place place = plan_maker_enter(maker, record->fields[i].name);
        plan_pass(maker, record->fields[i].type);
        plan_maker_leave(maker, place);
    }
}

/* CALL names the node until plan_pass_routines knows the step. */
static void pass_record(struct plan_maker *maker, const struct schema_node *record)
{
    if (maker->uses[record->index] < 2) {
        pass_fields(maker, record);
        return;
    }
    (void)plan_maker_emit(maker, STEP_CALL, SLOT_NONE, record->index);
    if (maker->is_called[record->index])
        return;
    maker->is_called[record->index] = true;
    maker->called = plan_maker_grown(maker->called, maker->called_count, sizeof *maker->called);
    maker->called[maker->called_count++] = record;
}

static void pass_items(struct plan_maker *maker, const struct schema_node *node)
{
    const struct schema_node *item = node->fields[0].type;
    uint32_t size = 0;
    if (node->kind == SCHEMA_ARRAY && fixed_size(item, &size)) {
        (void)plan_maker_emit(maker, STEP_PASS_ARRAY_FIXED, SLOT_NONE, size);
        return;
    }
    const uint32_t loop = plan_maker_begin_loop(maker);
    if (node->kind == SCHEMA_MAP)
        pass_bytes(maker); /* the key */
    plan_pass(maker, item);
    plan_maker_end_loop(maker, loop);
}

void plan_pass(struct plan_maker *maker, const struct schema_node *node)
{
    uint32_t size = 0;
    if (maker->is_empty[node->index])
        return; /* so each step and call takes bytes: their number is bounded by those there are */
    switch (node->kind) {
    case SCHEMA_NULL:
        return;
    case SCHEMA_BOOLEAN:
        (void)plan_maker_emit(maker, STEP_PASS_BOOLEAN, SLOT_NONE, 0);
        return;
    case SCHEMA_INT:
        (void)plan_maker_emit(maker, STEP_PASS_INT, SLOT_NONE, 0);
        return;
    case SCHEMA_LONG:
        (void)plan_maker_emit(maker, STEP_PASS_LONG, SLOT_NONE, 0);
        return;
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
    case SCHEMA_FIXED:
        (void)fixed_size(node, &size);
        pass_fixed(maker, size);
        return;
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
        pass_bytes(maker);
        return;
    case SCHEMA_ENUM:
        (void)plan_maker_emit(maker, STEP_PASS_INDEX, SLOT_NONE, (uint32_t)node->symbol_count);
        return;
    case SCHEMA_RECORD:
        pass_record(maker, node);
        return;
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
        pass_items(maker, node);
        return;
    case SCHEMA_UNION:
        pass_union(maker, node);
        return;
    }
    UNREACHABLE("all kinds are above");
}

void plan_pass_routines(struct plan_maker *maker)
{
    struct plan *plan = maker->plan;
    uint32_t *first = NULL;
    for (size_t i = 0; i < maker->called_count && maker->fault == FAULT_NONE; i++) {
        const struct plan_maker_place place = plan_maker_enter(maker, maker->called[i]->full_name);
        first = plan_maker_grown(first, i, sizeof *first);
        first[i] = plan_maker_label(maker);
        pass_fields(maker, maker->called[i]); /* may call more */
        (void)plan_maker_emit(maker, STEP_RETURN, SLOT_NONE, 0);
        plan_maker_leave(maker, place);
    }
    for (size_t i = 0; i < maker->called_count; i++) /* by node: `uses` is no longer needed */
        maker->uses[maker->called[i]->index] = maker->fault == FAULT_NONE ? first[i] : 0;
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kind == STEP_CALL)
            plan->steps[i].argument = maker->uses[plan->steps[i].argument];
    heap_release(first);
}
