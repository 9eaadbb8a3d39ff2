/* plan_steps.h: the steps that a plan is made of: written by plan_create.c, walked by plan.c.
 *
 * Steps are executed in order but for jumps. A loop over items is LOOP, a body, NEXT. In a map of
 * which single keys are wanted the body begins with KEY, in an array of which single items are with
 * ITEM: both go to the body of what they find, or on to the next step, where all else is passed
 * over.
 */
#ifndef PLAN_STEPS_H
#define PLAN_STEPS_H
#include "avro/plan.h"
#include "container/table.h"
#include "memory/arena.h"

enum step_kind {
    /* Passed over, within bounds: */
    STEP_PASS_FIXED,          /* argument bytes */
    STEP_PASS_BOOLEAN,        /* it must be one */
    STEP_PASS_INT,            /* a varint of 32 bits */
    STEP_PASS_LONG,           /* a varint */
    STEP_PASS_INDEX,          /* an index below argument */
    STEP_PASS_BYTES,          /* slot times a length and so many bytes */
    STEP_PASS_NULLABLE_FIXED, /* slot times a union of null and argument bytes */
    STEP_PASS_NULLABLE_BYTES, /* slot times a union of null and a length with its bytes */
    /* Into slot: */
    STEP_BOOLEAN,
    STEP_INT,
    STEP_LONG,
    STEP_TIME, /* a long, divided by argument, rounded down */
    STEP_FLOAT,
    STEP_DOUBLES,          /* argument of them, into targets from slot on */
    STEP_NULLABLE_DOUBLES, /* the same, of unions with null; target SLOT_NONE: not wanted */
    STEP_TEXT,
    STEP_NULLABLE_TEXT,
    STEP_SYMBOL,  /* of enumerations[argument] */
    STEP_DECIMAL, /* decimals[argument] */
    STEP_UUID,    /* 16 bytes, as text in uuids[argument] */
    STEP_SET,     /* the value_kind in argument, no bytes */
    STEP_ADD,     /* argument more, in a LONG */
    STEP_RESET,   /* what it was before the run: a key of a map came again */
    STEP_COPY,    /* the value in argument */
    /* To another step: */
    STEP_IF_NULL, /* a union: null sets slot (if any) and goes to argument */
    STEP_BRANCH,  /* a union of slot branches: to jumps[argument + its index] */
    STEP_JUMP,    /* to argument */
    STEP_CALL,    /* argument; RETURN comes back behind it */
    STEP_RETURN,
    /* Over items: */
    STEP_PASS_ARRAY_FIXED, /* an array of items of argument bytes each */
    STEP_LOOP,             /* no items: to argument */
    STEP_KEY,              /* of keysets[argument] */
    STEP_ITEM,             /* of keysets[argument] */
    STEP_NEXT,             /* the next item: to argument; else on */
    STEP_END
};
enum { PLAN_DEPTH_MAX = 100, UUID_SIZE = 36 };
#define SLOT_NONE UINT32_MAX

struct step {
    uint8_t kind;       /* enum step_kind */
    uint8_t null_index; /* of unions with null */
    uint32_t slot, argument;
    uint32_t place; /* where a fault is said to be */
};

/* What is wanted of a map or an array. */
struct keyset {
    struct key {
        struct span name; /* of a map; borrowed from the arena */
        uint64_t index;   /* of an array */
        uint32_t step;    /* the body */
        uint32_t base;    /* what the body's slots count from */
    } * keys;             /* owned by the arena, [count], in the wants' order */
    size_t count;
    struct table *by_name; /* owned: name → key */
};

/* The lists grow while the plan is made; all texts are in the arena. */
struct plan {
    struct arena *arena;   /* owned */
    struct value *values;  /* owned, [want_count + 1] */
    struct value *initial; /* owned, likewise: what they are before a run */
    size_t want_count;
    struct step *steps; /* owned, as all lists below */
    uint32_t *targets, *jumps;
    struct enumeration {
        struct span *symbols;
        size_t count;
    } * enumerations;
    struct decimal {
        double divisor;
        uint32_t size; /* of a fixed */
        bool is_fixed;
    } * decimals;
    char (*uuids)[UUID_SIZE];
    struct keyset **keysets;
    const char **places;
    struct reset { /* values that a record may leave as they were */
        uint32_t first, count;
    } * resets;
    size_t step_count, target_count, jump_count, enumeration_count, decimal_count, uuid_count,
        keyset_count, place_count, reset_count;
};
#endif
