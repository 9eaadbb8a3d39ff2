/* plan_pass.h: the steps that pass over a value which nobody wants. For plan_create.c and
 * plan_read.c.
 *
 * Fixed widths next to each other become one step, and so do unions with null of one width. A
 * record type that several places have becomes a routine (CALL): it may be within itself.
 */
#ifndef PLAN_PASS_H
#define PLAN_PASS_H
#include "avro/plan_maker.h"

void plan_pass(struct plan_maker *maker, const struct schema_node *node);
/* Behind all else: the routines, and where they are. */
void plan_pass_routines(struct plan_maker *maker);
#endif
