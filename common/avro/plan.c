#include "avro/plan_bytes.h"
#include "memory/heap.h"

/* Where loops and calls stand. */
struct walk {
    struct plan *plan;
    struct frame {
        const uint8_t *block_end; /* where the block must end; NULL where it does not say */
        uint64_t left;            /* items of the block */
        uint64_t index;           /* of the item, in the whole array */
        uint32_t expected;        /* the key that comes next where the writer keeps their order */
    } frames[PLAN_DEPTH_MAX];
    uint32_t returns[PLAN_DEPTH_MAX];
    unsigned frame_count, call_count;
    uint64_t items_left;
    enum fault fault;
    const char *what; /* static text; NULL: what the step says by itself */
};

/* ---- loops and calls ---- */

static APART const uint8_t *refuse(struct walk *walk, enum fault fault, const char *what)
{
    walk->fault = fault;
    walk->what = what;
    return NULL;
}

/* The header of the next block into the innermost frame; no items: the array or map ends. */
static const uint8_t *begin_block(struct walk *walk, const uint8_t *at, const uint8_t *end)
{
    struct frame *frame = &walk->frames[walk->frame_count - 1];
    uint64_t varint = 0;
    at = read_varint(at, end, &varint);
    if (at == NULL || varint == UINT64_MAX) /* -2^63 items */
        return refuse(walk, FAULT_RECORD_MALFORMED, "the bytes end, or no count of items");
    const int64_t count = integer_of(varint);
    frame->block_end = NULL;
    frame->left = (uint64_t)(count < 0 ? -count : count);
    if (count < 0) {
        size_t size = 0;
        at = read_size(at, end, &size);
        if (at == NULL)
            return refuse(walk, FAULT_RECORD_MALFORMED,
                          "a block of items is longer than the bytes left");
        frame->block_end = at + size;
    }
    if (frame->left > walk->items_left)
        return refuse(walk, FAULT_LIMIT_EXCEEDED, "more items than bytes");
    walk->items_left -= frame->left;
    return at;
}

static APART const uint8_t *begin_loop(struct walk *walk, const uint8_t *at, const uint8_t *end,
                                       bool *out_items)
{
    if (walk->frame_count + walk->call_count == PLAN_DEPTH_MAX)
        return refuse(walk, FAULT_LIMIT_EXCEEDED, "nested deeper than 100");
    walk->frames[walk->frame_count++] = (struct frame){0};
    at = begin_block(walk, at, end);
    *out_items = at != NULL && walk->frames[walk->frame_count - 1].left > 0;
    if (!*out_items)
        walk->frame_count--;
    return at;
}

static APART const uint8_t *next_item(struct walk *walk, const uint8_t *at, const uint8_t *end,
                                      bool *out_items)
{
    struct frame *frame = &walk->frames[walk->frame_count - 1];
    frame->index++;
    *out_items = --frame->left > 0;
    if (*out_items)
        return at;
    if (frame->block_end != NULL && frame->block_end != at)
        return refuse(walk, FAULT_RECORD_MALFORMED,
                      "a block of items has another size than it says");
    at = begin_block(walk, at, end);
    *out_items = frame->left > 0;
    if (!*out_items)
        walk->frame_count--;
    return at;
}

static APART const uint8_t *pass_array_fixed(struct walk *walk, const uint8_t *at,
                                             const uint8_t *end, size_t size)
{
    bool more = false;
    at = begin_loop(walk, at, end, &more);
    while (more && at != NULL) {
        struct frame *frame = &walk->frames[walk->frame_count - 1];
        if (size != 0 && frame->left > left(at, end) / size)
            return NULL;
        at += (size_t)frame->left * size;
        frame->left = 1;
        at = next_item(walk, at, end, &more);
    }
    return at;
}

/* Writers mostly keep one order of keys, and contracts are inferred from it: the next one first. */
static APART const uint8_t *find_key(struct walk *walk, const struct keyset *keyset,
                                     const uint8_t *at, const uint8_t *end,
                                     const struct key **out_key)
{
    struct frame *frame = &walk->frames[walk->frame_count - 1];
    size_t size = 0;
    at = read_size(at, end, &size);
    if (at == NULL)
        return refuse(walk, FAULT_RECORD_MALFORMED, "a key is longer than the bytes left");
    const struct span name = span_of(at, size);
    const struct key *key = NULL;
    if (frame->expected < keyset->count && span_equal(keyset->keys[frame->expected].name, name))
        key = &keyset->keys[frame->expected];
    else
        key = table_find(keyset->by_name, name);
    if (key != NULL)
        frame->expected = (uint32_t)(key - keyset->keys) + 1;
    *out_key = key;
    return at + size;
}

static APART const struct key *find_item(const struct walk *walk, const struct keyset *keyset)
{
    const uint64_t index = walk->frames[walk->frame_count - 1].index;
    for (size_t i = 0; i < keyset->count; i++)
        if (keyset->keys[i].index == index)
            return &keyset->keys[i];
    return NULL;
}

/* ---- the run ---- */

static const char *why(const struct step *step, const uint8_t *at, const uint8_t *end)
{
    struct value value;
    switch ((enum step_kind)step->kind) {
    case STEP_END:
        return "bytes are left over";
    case STEP_TEXT:
        return pass_bytes(at, end) == NULL ? "longer than the bytes left" : "not UTF-8";
    case STEP_PASS_INT:
    case STEP_INT:
        return read_integer(at, end, UINT64_MAX, &value) == NULL ? "the bytes end, or no integer"
                                                                 : "an int of more than 32 bits";
    case STEP_PASS_BOOLEAN:
    case STEP_BOOLEAN:
        return "no boolean";
    case STEP_PASS_BYTES:
        return "longer than the bytes left";
    case STEP_PASS_INDEX:
    case STEP_SYMBOL:
    case STEP_BRANCH:
    case STEP_IF_NULL:
        return "no such branch or symbol";
    case STEP_PASS_LONG:
    case STEP_LONG:
    case STEP_TIME:
        return "the bytes end, or no integer";
    case STEP_NULLABLE_TEXT:
        return "the bytes end, no such branch, or not UTF-8";
    case STEP_NULLABLE_DOUBLES:
    case STEP_PASS_NULLABLE_FIXED:
    case STEP_PASS_NULLABLE_BYTES:
        return "the bytes end, or no such branch";
    case STEP_PASS_FIXED:
    case STEP_PASS_ARRAY_FIXED:
    case STEP_FLOAT:
    case STEP_DOUBLES:
    case STEP_DECIMAL:
    case STEP_UUID:
    case STEP_SET:
    case STEP_ADD:
    case STEP_RESET:
    case STEP_COPY:
    case STEP_JUMP:
    case STEP_CALL:
    case STEP_RETURN:
    case STEP_LOOP:
    case STEP_KEY:
    case STEP_ITEM:
    case STEP_NEXT:
        break;
    }
    return "the bytes end";
}

static APART enum fault fail(const struct walk *walk, const struct step *step, const uint8_t *at,
                             const uint8_t *end, struct reason *reason)
{
    /* Within a routine: the field that it was called for first. */
    const struct plan *plan = walk->plan;
    const struct step *placed = walk->call_count == 0 ? step : &plan->steps[walk->returns[0] - 1];
    const char *place = plan->places[placed->place];
    reason_set(reason, "%s%s%s", place, place[0] == '\0' ? "" : ": ",
               walk->what != NULL ? walk->what : why(step, at, end));
    return walk->fault == FAULT_NONE ? FAULT_RECORD_MALFORMED : walk->fault;
}

static inline const uint8_t *pass_step(const struct step *step, const uint8_t *at,
                                       const uint8_t *end)
{
    uint64_t index = 0;
    switch (step->kind) {
    case STEP_PASS_FIXED:
        return pass_fixed(at, end, step->argument);
    case STEP_PASS_BOOLEAN:
        return pass_boolean(at, end);
    case STEP_PASS_INT:
        return pass_int(at, end);
    case STEP_PASS_LONG:
        return read_varint(at, end, &index);
    case STEP_PASS_INDEX:
        return read_index(at, end, step->argument, &index);
    case STEP_PASS_NULLABLE_FIXED:
        return pass_nullable_fixed(at, end, step);
    case STEP_PASS_NULLABLE_BYTES:
        return pass_nullable_bytes(at, end, step);
    default: /* STEP_PASS_BYTES */
        for (uint32_t i = 0; i < step->slot && at != NULL; i++)
            at = pass_bytes(at, end);
        return at;
    }
}

static inline const uint8_t *read_step(struct plan *plan, struct value *base,
                                       const struct step *step, const uint8_t *at,
                                       const uint8_t *end)
{
    switch (step->kind) {
    case STEP_BOOLEAN:
        return read_boolean(at, end, &base[step->slot]);
    case STEP_INT:
        return read_integer(at, end, UINT32_MAX, &base[step->slot]);
    case STEP_LONG:
        return read_integer(at, end, UINT64_MAX, &base[step->slot]);
    case STEP_TIME:
        return read_time(at, end, step->argument, &base[step->slot]);
    case STEP_FLOAT:
        return read_float(at, end, &base[step->slot]);
    case STEP_DOUBLES:
        return read_doubles(at, end, plan->targets + step->slot, step->argument, base);
    case STEP_NULLABLE_DOUBLES:
        return read_nullable_doubles(at, end, step, plan->targets + step->slot, base);
    case STEP_TEXT:
        return read_text(at, end, &base[step->slot]);
    case STEP_NULLABLE_TEXT:
        return read_nullable_text(at, end, step->null_index, &base[step->slot]);
    case STEP_SYMBOL:
        return read_symbol(at, end, &plan->enumerations[step->argument], &base[step->slot]);
    case STEP_DECIMAL:
        return read_decimal(at, end, &plan->decimals[step->argument], &base[step->slot]);
    case STEP_UUID:
        return read_uuid(at, end, plan->uuids[step->argument], &base[step->slot]);
    case STEP_ADD:
        base[step->slot].integer += step->argument;
        return at;
    case STEP_RESET:
        base[step->slot] = plan->initial[step->slot];
        return at;
    case STEP_COPY:
        base[step->slot] = base[step->argument];
        return at;
    default: /* STEP_SET */
        base[step->slot].kind = (enum value_kind)step->argument;
        return at;
    }
}

/* What stays in registers for as long as nothing is looped or called. */
struct state {
    const struct step *next;
    struct value *base; /* what slots count from */
};

static inline const uint8_t *loop_step(struct walk *walk, const struct step *step,
                                       const uint8_t *at, const uint8_t *end, struct state *state)
{
    const struct plan *plan = walk->plan;
    const struct key *key = NULL;
    bool more = false;
    switch (step->kind) {
    case STEP_PASS_ARRAY_FIXED:
        return pass_array_fixed(walk, at, end, step->argument);
    case STEP_LOOP:
        at = begin_loop(walk, at, end, &more);
        if (!more)
            state->next = plan->steps + step->argument;
        return at;
    case STEP_KEY:
        at = find_key(walk, plan->keysets[step->argument], at, end, &key);
        if (key != NULL) {
            state->base = plan->values + key->base;
            state->next = plan->steps + key->step;
        }
        return at;
    case STEP_ITEM:
        key = find_item(walk, plan->keysets[step->argument]);
        if (key != NULL)
            state->next = plan->steps + key->step;
        return at;
    default: /* STEP_NEXT */
        at = next_item(walk, at, end, &more);
        state->base = plan->values;
        if (more)
            state->next = plan->steps + step->argument;
        return at;
    }
}

static inline const uint8_t *jump_step(struct walk *walk, const struct step *step,
                                       const uint8_t *at, const uint8_t *end, struct state *state)
{
    const struct plan *plan = walk->plan;
    uint64_t index = 0;
    bool is_null = false;
    switch (step->kind) {
    case STEP_IF_NULL:
        at = read_nullable(at, end, step->null_index, &is_null);
        if (is_null) {
            if (step->slot != SLOT_NONE)
                state->base[step->slot].kind = VALUE_NULL;
            state->next = plan->steps + step->argument;
        }
        return at;
    case STEP_BRANCH:
        at = read_index(at, end, step->slot, &index);
        if (at != NULL)
            state->next = plan->steps + plan->jumps[step->argument + index];
        return at;
    case STEP_JUMP:
        state->next = plan->steps + step->argument;
        return at;
    case STEP_CALL:
        if (walk->frame_count + walk->call_count == PLAN_DEPTH_MAX)
            return refuse(walk, FAULT_LIMIT_EXCEEDED, "nested deeper than 100");
        walk->returns[walk->call_count++] = (uint32_t)(state->next - plan->steps);
        state->next = plan->steps + step->argument;
        return at;
    default: /* STEP_RETURN */
        state->next = plan->steps + walk->returns[--walk->call_count];
        return at;
    }
}

static enum fault run(struct walk *walk, const uint8_t *at, const uint8_t *end,
                      struct reason *reason)
{
    struct state state = {walk->plan->steps, walk->plan->values};
    for (;;) {
        const struct step *step = state.next++;
        const uint8_t *before = at;
        if (step->kind <= STEP_PASS_NULLABLE_BYTES)
            at = pass_step(step, at, end);
        else if (step->kind <= STEP_COPY)
            at = read_step(walk->plan, state.base, step, at, end);
        else if (step->kind <= STEP_RETURN)
            at = jump_step(walk, step, at, end, &state);
        else if (step->kind != STEP_END)
            at = loop_step(walk, step, at, end, &state);
        else if (at == end)
            return FAULT_NONE;
        else
            at = NULL;
        if (at == NULL)
            return fail(walk, step, before, end, reason);
    }
}

enum fault plan_run(struct plan *plan, struct span bytes, struct reason *out_reason)
{
    REQUIRE(plan != NULL);
    static const uint8_t nothing =
        0; /* no arithmetic on a null pointer: an empty span may have one */
    const uint8_t *first = bytes.size == 0 ? &nothing : bytes.bytes;
    for (size_t i = 0; i < plan->reset_count; i++)
        memcpy(plan->values + plan->resets[i].first, plan->initial + plan->resets[i].first,
               plan->resets[i].count * sizeof *plan->values);
    struct walk walk; /* frames are written before they are read */
    walk.plan = plan;
    walk.frame_count = walk.call_count = 0;
    walk.items_left = bytes.size;
    walk.fault = FAULT_NONE;
    walk.what = NULL;
    return run(&walk, first, first + bytes.size, out_reason);
}

const struct value *plan_values(const struct plan *plan)
{
    REQUIRE(plan != NULL);
    return plan->values;
}

void plan_destroy(struct plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->keyset_count; i++)
        table_destroy(plan->keysets[i]->by_name);
    heap_release(plan->values);
    heap_release(plan->initial);
    heap_release(plan->steps);
    heap_release(plan->targets);
    heap_release(plan->jumps);
    heap_release(plan->enumerations);
    heap_release(plan->decimals);
    heap_release(plan->uuids);
    heap_release(plan->keysets);
    heap_release(plan->places);
    heap_release(plan->resets);
    arena_destroy(plan->arena);
    heap_release(plan);
}
