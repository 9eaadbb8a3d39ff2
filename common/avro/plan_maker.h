/* plan_maker.h: a plan while it is being made: the list of steps, where one stands, what is still
 * to be written. For plan_create.c, plan_pass.c and plan_read.c.
 *
 * Owner    plan_create(). Faults: the first one is kept in `fault`; steps written after it mean
 *          nothing, and the plan is given up.
 */
#ifndef PLAN_MAKER_H
#define PLAN_MAKER_H
#include "avro/plan_steps.h"
#include "avro/plan_wants.h"
#include "memory/buffer.h"

struct plan_maker {
    struct plan *plan;             /* borrowed */
    const struct plan_want *wants; /* borrowed */
    struct reason *reason;         /* borrowed */
    enum fault fault;
    uint32_t *uses;                    /* owned, by node: how many places have this type */
    bool *is_empty;                    /* owned, by node: its values have no bytes */
    bool *is_called;                   /* owned, by node: it needs a routine */
    const struct schema_node **called; /* owned list: those nodes */
    size_t called_count;
    bool *may_stay;       /* owned, by want: a record may leave the value as it was */
    unsigned conditional; /* within so many unions, maps and arrays */
    size_t barrier;       /* a jump leads here: no step before is to be added to */
    uint32_t place;
    struct buffer path; /* the place's text */
};

/* One more in a list that doubles. */
void *plan_maker_grown(void *list, size_t count, size_t size);
uint32_t plan_maker_emit(struct plan_maker *maker, enum step_kind kind, uint32_t slot,
                         uint32_t argument); /* its index */
/* A jump leads to the next step, whose index this is. */
uint32_t plan_maker_label(struct plan_maker *maker);
/* The last step, where it is of this kind and no jump leads behind it; else NULL. */
struct step *plan_maker_last(const struct plan_maker *maker, enum step_kind kind);

struct plan_maker_place {
    size_t size;
    uint32_t place;
};
struct plan_maker_place plan_maker_enter(struct plan_maker *maker, const char *field);
void plan_maker_leave(struct plan_maker *maker, struct plan_maker_place place);

uint32_t plan_maker_begin_loop(struct plan_maker *maker);
void plan_maker_end_loop(struct plan_maker *maker, uint32_t loop);

/* A double, or (STEP_NULLABLE_DOUBLES) a union of it and null, in one step with those next to it.
 * slot SLOT_NONE: passed over with them; false: there are none, nothing was done. */
bool plan_maker_double(struct plan_maker *maker, enum step_kind kind, uint8_t null_index,
                       uint32_t slot);

/* A union: what is done with each of its branches. */
struct plan_maker_each {
    void (*compile)(struct plan_maker *maker, const struct schema_node *node, const void *context);
    const void *context;
    uint32_t slot; /* that null sets; SLOT_NONE: none */
};
void plan_maker_union(struct plan_maker *maker, const struct schema_node *node,
                      const struct plan_maker_each *each);
/* The other branch of a union of two, one of which is null; NULL: it is none. */
const struct schema_node *plan_maker_nullable(const struct schema_node *node, uint8_t *out_null);
#endif
