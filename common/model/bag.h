/* bag.h: named values out of a record or a map: an event's features, its scores. For event.c.
 *
 * Owner    embedded in the reader; names borrow from the contract, nodes from the writer's schema.
 * Faults   read: false, with skim's fault and text set.
 * Memory   all at open.     Cost  read: O(bytes); a key in the contract's order costs one
 * comparison, others a hash.
 */
#ifndef BAG_H
#define BAG_H
#include "avro/skim.h"
#include "container/table.h"
#include "model/event.h"

struct bag {
    struct span *names;   /* owned, [count]; the names borrowed from the contract */
    struct value *values; /* owned, [max(count, 1)] */
    size_t count;
    struct table *slots;                 /* owned: name to &values[i] */
    const struct schema_node **branches; /* borrowed nodes, owned list: the record types met */
    struct value ***branch_slots;        /* owned: per branch, per field: the slot, NULL: unknown */
    size_t branch_count;
};

/* count and names are set; node NULL: the writer has no such field. */
void bag_open(struct bag *bag, const struct schema_node *node);
/* Sets the values that are there, after bag_clear. Adds to *unknown what has no slot. */
MUST_USE bool bag_read(struct skim *skim, struct bag *bag, const struct schema_node *node,
                       size_t *unknown);
void bag_clear(struct bag *bag); /* all VALUE_MISSING */
void bag_close(struct bag *bag); /* half-built accepted */
#endif
