#include "avro/plan_pass.h"
#include "avro/plan_read.h"
#include "memory/heap.h"

static void refuse(struct plan_maker *maker, const struct plan_path *path, const char *what)
{
    struct buffer text = {0};
    for (size_t i = 0; i < path->size; i++)
        buffer_format(&text, "%s%s", i == 0 ? "" : ".", path->segments[i]);
    reason_set(maker->reason, "%.*s: %s", (int)text.size, (const char *)text.bytes, what);
    buffer_fini(&text);
    maker->fault = FAULT_SCHEMA_INVALID;
}

/* The path of a want that the schema has; NULL where there is none, or a fault. */
static const struct plan_path *choose_path(struct plan_maker *maker, const struct schema *writer,
                                           const struct plan_want *want)
{
    static const char *const must_be[] = {
        [PLAN_ANY] = "",
        [PLAN_TEXT] = "must be a string",
        [PLAN_TIME] = "must be a long, in milliseconds or with a timestamp's logical type",
        [PLAN_ITEMS] = "must be a record or a map",
    };
    for (size_t i = 0; i < want->path_count; i++) {
        const struct plan_path *path = &want->paths[i];
        const struct plan_wants_search search = plan_wants_search(writer, path, want->shape);
        if (search.found && search.fits)
            return path;
        if (search.found) {
            refuse(maker, path, must_be[want->shape]);
            return NULL;
        }
    }
    if (want->required)
        refuse(maker, &want->paths[0], "the field is missing");
    return NULL;
}

/* Wants of one place are read once and copied at the end. */
struct copies {
    struct step *steps; /* owned list */
    size_t count;
};

static struct plan_wants *arrange(struct plan_maker *maker, const struct schema *writer,
                                  struct copies *copies)
{
    struct plan *plan = maker->plan;
    struct plan_wants *root = plan_wants_create(plan->arena, span_of(NULL, 0));
    for (uint32_t i = 0; i < plan->want_count && maker->fault == FAULT_NONE; i++) {
        const struct plan_path *path = choose_path(maker, writer, &maker->wants[i]);
        if (path == NULL)
            continue;
        const uint32_t first = plan_wants_add(root, plan->arena, path, i);
        if (first == PLAN_WANTS_NONE)
            continue;
        REQUIRE(maker->wants[first].shape == maker->wants[i].shape);
        copies->steps = plan_maker_grown(copies->steps, copies->count, sizeof *copies->steps);
        copies->steps[copies->count++] = (struct step){.slot = i, .argument = first};
    }
    return root;
}

/* Types are defined before they are referred to: what is below is known, and the depth is the
 * text's. A type within itself is not empty: it does not end. */
static void survey(struct plan_maker *maker, const struct schema_node *node)
{
    if (maker->uses[node->index]++ > 0)
        return;
    bool is_empty = node->kind == SCHEMA_NULL || node->kind == SCHEMA_RECORD ||
                    (node->kind == SCHEMA_FIXED && node->fixed_size == 0);
    for (size_t i = 0; i < node->field_count; i++) {
        survey(maker, node->fields[i].type);
        is_empty = is_empty && maker->is_empty[node->fields[i].type->index];
    }
    maker->is_empty[node->index] = is_empty;
}

/* Neighbours are reset in one go. */
static void list_resets(struct plan_maker *maker)
{
    struct plan *plan = maker->plan;
    for (uint32_t i = 0; i < plan->want_count; i++) {
        if (!maker->may_stay[i])
            continue;
        if (i > 0 && maker->may_stay[i - 1]) {
            plan->resets[plan->reset_count - 1].count++;
            continue;
        }
        plan->resets = plan_maker_grown(plan->resets, plan->reset_count, sizeof *plan->resets);
        plan->resets[plan->reset_count++] = (struct reset){i, 1};
    }
}

static void compile(struct plan_maker *maker, const struct schema_node *record,
                    const struct plan_wants *root, const struct copies *copies)
{
    plan_read(maker, record, root);
    for (size_t i = 0; i < copies->count; i++)
        (void)plan_maker_emit(maker, STEP_COPY, copies->steps[i].slot, copies->steps[i].argument);
    (void)plan_maker_emit(maker, STEP_END, SLOT_NONE, 0);
    plan_pass_routines(maker);
    list_resets(maker);
}

static void make(struct plan_maker *maker, const struct schema *writer)
{
    const struct schema_node *record = schema_root(writer);
    struct copies copies = {0};
    if (record->kind != SCHEMA_RECORD) {
        reason_set(maker->reason, "the schema is not a record");
        maker->fault = FAULT_SCHEMA_INVALID;
        return;
    }
    struct plan_wants *root = arrange(maker, writer, &copies);
    if (maker->fault == FAULT_NONE)
        compile(maker, record, root, &copies);
    plan_wants_close(root);
    heap_release(copies.steps);
}

static struct plan *plan_empty(const struct plan_want *wants, size_t want_count)
{
    struct plan *plan = heap_zeroed(1, sizeof *plan);
    plan->arena = arena_create();
    plan->want_count = want_count;
    plan->values = heap_zeroed(want_count + 1, sizeof *plan->values);
    plan->initial = heap_zeroed(want_count + 1, sizeof *plan->initial);
    for (size_t i = 0; i < want_count; i++) {
        plan->initial[i] = wants[i].fallback;
        if (wants[i].shape == PLAN_ITEMS)
            plan->initial[i] = (struct value){.kind = VALUE_LONG};
        plan->values[i] = plan->initial[i];
    }
    plan->places = plan_maker_grown(NULL, 0, sizeof *plan->places);
    plan->places[plan->place_count++] = "";
    return plan;
}

enum fault plan_create(const struct schema *writer, const struct plan_want *wants,
                       size_t want_count, struct plan **out_plan, struct reason *out_reason)
{
    REQUIRE(writer != NULL);
    REQUIRE(want_count < SLOT_NONE);
    REQUIRE(out_plan != NULL);
    struct plan_maker maker = {.plan = plan_empty(wants, want_count),
                               .wants = wants,
                               .reason = out_reason,
                               .uses = heap_zeroed(schema_node_count(writer), sizeof(uint32_t)),
                               .is_empty = heap_zeroed(schema_node_count(writer), sizeof(bool)),
                               .is_called = heap_zeroed(schema_node_count(writer), sizeof(bool)),
                               .may_stay = heap_zeroed(want_count + 1, sizeof(bool)),
                               .barrier = SIZE_MAX};
    survey(&maker, schema_root(writer));
    maker.uses[schema_root(writer)->index]++; /* the record itself: within itself it is called */
    make(&maker, writer);
    heap_release(maker.uses);
    heap_release(maker.is_empty);
    heap_release(maker.is_called);
    heap_release(maker.called);
    heap_release(maker.may_stay);
    buffer_fini(&maker.path);
    if (maker.fault != FAULT_NONE) {
        plan_destroy(maker.plan);
        return maker.fault;
    }
    *out_plan = maker.plan;
    return FAULT_NONE;
}

bool plan_finds(const struct schema *writer, const struct plan_path *path)
{
    REQUIRE(writer != NULL);
    return plan_wants_search(writer, path, PLAN_ANY).found;
}
