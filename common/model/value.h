/* value.h: one value out of Avro bytes, of whatever type the writer gave it. For event.c and bag.c;
 * who reads events needs event.h only.
 *
 * Faults   false, with skim's fault and text set.     Memory  none; texts borrow from the bytes.
 */
#ifndef VALUE_H
#define VALUE_H
#include "avro/skim.h"
#include "model/event.h"

/* Replaces *node, where it is a union, by the branch that the bytes have taken. */
MUST_USE bool value_branch(struct skim *skim, const struct schema_node **node);
/* Arrays, maps, records and bytes are passed over and become VALUE_OTHER. Texts are checked to be
 * UTF-8. */
MUST_USE bool value_read(struct skim *skim, const struct schema_node *node, unsigned depth,
                         struct value *out);
#endif
