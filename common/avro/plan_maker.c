#include "avro/plan_maker.h"
#include "avro/place.h"
#include "memory/heap.h"

enum { STEPS_MAX = 100000 };

void *plan_maker_grown(void *list, size_t count, size_t size)
{
    return (count & (count + 1)) == 0 ? heap_resized(list, (count + 1) * 2, size) : list;
}

uint32_t plan_maker_emit(struct plan_maker *maker, enum step_kind kind, uint32_t slot,
                         uint32_t argument)
{
    struct plan *plan = maker->plan;
    if (plan->step_count == STEPS_MAX) {
        if (maker->fault == FAULT_NONE)
            reason_set(maker->reason, "the schema takes more than %d steps to read",
                       (int)STEPS_MAX);
        maker->fault = FAULT_LIMIT_EXCEEDED;
        return 0;
    }
    plan->steps = plan_maker_grown(plan->steps, plan->step_count, sizeof *plan->steps);
    plan->steps[plan->step_count] = (struct step){
        .kind = (uint8_t)kind, .slot = slot, .argument = argument, .place = maker->place};
    return (uint32_t)plan->step_count++;
}

uint32_t plan_maker_label(struct plan_maker *maker)
{
    maker->barrier = maker->plan->step_count;
    return (uint32_t)maker->barrier;
}

struct step *plan_maker_last(const struct plan_maker *maker, enum step_kind kind)
{
    struct plan *plan = maker->plan;
    if (plan->step_count == 0 || plan->step_count == maker->barrier)
        return NULL;
    struct step *step = &plan->steps[plan->step_count - 1];
    return step->kind == kind ? step : NULL;
}

/* A path too long keeps its first part. */
struct plan_maker_place plan_maker_enter(struct plan_maker *maker, const char *field)
{
    struct plan *plan = maker->plan;
    const struct plan_maker_place before = {maker->path.size, maker->place};
    if (maker->path.size < PLACE_TEXT_SIZE)
        buffer_format(&maker->path, "%s%s", maker->path.size == 0 ? "" : ".", field);
    plan->places = plan_maker_grown(plan->places, plan->place_count, sizeof *plan->places);
    plan->places[plan->place_count] =
        (const char *)arena_span(plan->arena, buffer_span(&maker->path)).bytes;
    maker->place = (uint32_t)plan->place_count++;
    return before;
}

void plan_maker_leave(struct plan_maker *maker, struct plan_maker_place place)
{
    maker->path.size = place.size;
    maker->place = place.place;
}

static void add_target(struct plan *plan, uint32_t slot)
{
    plan->targets = plan_maker_grown(plan->targets, plan->target_count, sizeof *plan->targets);
    plan->targets[plan->target_count++] = slot;
}

/* What was passed over before a double that is wanted becomes part of its step. */
static struct step *take_passed(struct plan_maker *maker, uint8_t null_index)
{
    struct step *step = plan_maker_last(maker, STEP_PASS_NULLABLE_FIXED);
    if (step == NULL || step->null_index != null_index || step->argument != sizeof(double))
        return NULL;
    const uint32_t count = step->slot;
    step->kind = STEP_NULLABLE_DOUBLES;
    step->slot = (uint32_t)maker->plan->target_count;
    step->argument = count;
    for (uint32_t i = 0; i < count; i++)
        add_target(maker->plan, SLOT_NONE);
    return step;
}

bool plan_maker_double(struct plan_maker *maker, enum step_kind kind, uint8_t null_index,
                       uint32_t slot)
{
    struct step *step = plan_maker_last(maker, kind);
    if (step != NULL && step->null_index != null_index)
        step = NULL;
    if (step == NULL && slot == SLOT_NONE)
        return false;
    if (step == NULL && kind == STEP_NULLABLE_DOUBLES)
        step = take_passed(maker, null_index);
    if (step == NULL) {
        const uint32_t first = (uint32_t)maker->plan->target_count;
        const uint32_t index = plan_maker_emit(maker, kind, first, 0); /* may move the list */
        step = &maker->plan->steps[index];
        step->null_index = null_index;
    }
    step->argument++;
    add_target(maker->plan, slot);
    return true;
}

uint32_t plan_maker_begin_loop(struct plan_maker *maker)
{
    const uint32_t loop = plan_maker_emit(maker, STEP_LOOP, SLOT_NONE, 0);
    (void)plan_maker_label(maker);
    return loop;
}

void plan_maker_end_loop(struct plan_maker *maker, uint32_t loop)
{
    (void)plan_maker_label(maker);
    (void)plan_maker_emit(maker, STEP_NEXT, SLOT_NONE, loop + 1);
    maker->plan->steps[loop].argument = plan_maker_label(maker);
}

const struct schema_node *plan_maker_nullable(const struct schema_node *node, uint8_t *out_null)
{
    if (node->kind != SCHEMA_UNION || node->field_count != 2)
        return NULL;
    for (uint8_t i = 0; i < 2; i++) {
        if (node->fields[i].type->kind == SCHEMA_NULL) {
            *out_null = i;
            return node->fields[1 - i].type;
        }
    }
    return NULL;
}

static void compile_branches(struct plan_maker *maker, const struct schema_node *node,
                             const struct plan_maker_each *each)
{
    struct plan *plan = maker->plan;
    const size_t count = node->field_count, first = plan->jump_count;
    uint32_t *ends = heap_zeroed(count, sizeof *ends);
    for (size_t i = 0; i < count; i++) {
        plan->jumps = plan_maker_grown(plan->jumps, plan->jump_count, sizeof *plan->jumps);
        plan->jumps[plan->jump_count++] = 0;
    }
    (void)plan_maker_emit(maker, STEP_BRANCH, (uint32_t)count, (uint32_t)first);
    for (size_t i = 0; i < count && maker->fault == FAULT_NONE; i++) {
        plan->jumps[first + i] = plan_maker_label(maker);
        each->compile(maker, node->fields[i].type, each->context);
        ends[i] = plan_maker_emit(maker, STEP_JUMP, SLOT_NONE, 0);
    }
    const uint32_t end = plan_maker_label(maker);
    for (size_t i = 0; i < count && maker->fault == FAULT_NONE; i++)
        plan->steps[ends[i]].argument = end;
    heap_release(ends);
}

void plan_maker_union(struct plan_maker *maker, const struct schema_node *node,
                      const struct plan_maker_each *each)
{
    uint8_t null_index = 0;
    const struct schema_node *other = plan_maker_nullable(node, &null_index);
    if (other == NULL) {
        compile_branches(maker, node, each);
        return;
    }
    const uint32_t fork = plan_maker_emit(maker, STEP_IF_NULL, each->slot, 0);
    maker->plan->steps[fork].null_index = null_index;
    each->compile(maker, other, each->context);
    maker->plan->steps[fork].argument = plan_maker_label(maker);
}
