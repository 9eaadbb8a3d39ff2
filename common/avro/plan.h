/* plan.h: what is wanted of the records of one schema, compiled once into a flat list of steps.
 *
 * A want names a value by its path from the record ("features", "amount"): a segment is a field of
 * a record, a key of a map, or an index of an array ("0"). The writer's schema decides how each is
 * read; what nobody wants is passed over in as few steps as it has separate lengths. This is Avro's
 * schema resolution with the wants as the reader: fields by name in any order, other names (paths)
 * that a field may have, a fallback where the writer has none of them, unions by the branch taken,
 * every number promoted to a double (value.h). Logical types:
 *
 *   timestamp-millis, -micros, -nanos, local or not   LONG, milliseconds, rounded down
 *   date                                              LONG, days since the epoch
 *   decimal                                           DOUBLE, the nearest
 *   uuid                                              TEXT of 36 characters, also from fixed(16)
 *
 * Bytes that nobody vouches for are safe: every length, index and count is checked against the
 * bytes left, texts that are wanted are UTF-8, ints have 32 bits, nesting is at most 100, items are
 * at most as many as bytes; what is passed over is checked alike, but for UTF-8.
 *
 * Owner    caller of plan_create(); the schema must outlive it. Wants are copied, the texts in
 *          their fallbacks borrowed. Values are borrowed from the plan until the next run.
 * Thread   one at a time.
 * Faults   create: SCHEMA_INVALID (a required want is missing, or can never have its shape),
 *          LIMIT_EXCEEDED (more than 100,000 steps), both with a reason that names the path. run:
 *          RECORD_MALFORMED, LIMIT_EXCEEDED, likewise; values are then of no use.
 * Memory   all at create: 24 bytes a want, 16 a step. A run allocates nothing.
 * Cost     run O(bytes), and O(wants below maps, arrays and unions).
 */
#ifndef PLAN_H
#define PLAN_H
#include "avro/schema.h"
#include "avro/value.h"

enum plan_shape {
    PLAN_ANY,
    PLAN_TEXT, /* a string, enum or uuid; what else a union has is OTHER */
    PLAN_TIME, /* a long in milliseconds, or with a timestamp's logical type: LONG */
    PLAN_ITEMS /* a record or map: LONG, how many of its values no want names; else OTHER */
};
struct plan_path {
    const char *const *segments;
    size_t size;
};
struct plan_want {
    const struct plan_path *paths; /* the first that the schema has is taken */
    size_t path_count;
    enum plan_shape shape;
    bool required;         /* the schema must have one of the paths */
    struct value fallback; /* where it has none, or the value is not there: {0} is MISSING */
};

struct plan;
MUST_USE enum fault plan_create(const struct schema *writer, const struct plan_want *wants,
                                size_t want_count, struct plan **out_plan,
                                struct reason *out_reason);
/* The whole of bytes must be one record. */
MUST_USE enum fault plan_run(struct plan *plan, struct span bytes, struct reason *out_reason);
const struct value *plan_values(const struct plan *plan); /* [want_count], in the wants' order */
/* Does the schema have the path, in one branch at least? A map has every key, an array every index.
 */
bool plan_finds(const struct schema *writer, const struct plan_path *path);
void plan_destroy(struct plan *plan); /* NULL and half-built accepted */
#endif
