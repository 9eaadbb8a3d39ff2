/* plan_read.h: the steps that read what is wanted of a record, and pass over the rest. For
 * plan_create.c.
 */
#ifndef PLAN_READ_H
#define PLAN_READ_H
#include "avro/plan_maker.h"

void plan_read(struct plan_maker *maker, const struct schema_node *record,
               const struct plan_wants *wants);
#endif
