/* column_rules.h: what a contract says of one event, column by column in the contract's order, and
 * of one label.
 *
 * A column that is missing though required, or has another type, is under `on_type`; null, NaN,
 * what lies outside the range, has not the length or not the pattern under `on_violation`; a value
 * that is not listed under `on_unseen`. The first that rejects decides; all others are let through
 * with their reasons. A null in a column whose contract allows a rate of nulls above zero is never
 * rejected: whether the rate is kept only a window can tell.
 *
 * Before the columns come the model's own answers, of which a contract has no rules: another type
 * is rejected, NaN is flagged, in prediction, score, confidence and latency_ms.
 *
 * Owner    caller of column_rules_create(); the contract must outlive it.
 * Thread   one at a time.
 * Memory   the listed values; for patterns what pattern.h says, once; nothing per event.
 * Cost     judge O(columns): for a value that passes, a comparison of its kind and of its range, or
 *          one look-up; columns with a length or a pattern take O(size of the value), and
 *          pattern.h's bound.
 */
#ifndef COLUMN_RULES_H
#define COLUMN_RULES_H
#include "model/contract.h"
#include "model/event.h"
#include "verdict.h"

struct column_rules;
struct column_rules *column_rules_create(const struct contract *contract);
/* false: rejected, with the verdict's rejection set. */
MUST_USE bool column_rules_judge(const struct column_rules *rules, const struct event *event,
                                 struct verdict *verdict);
/* The same of a label, under the contract's `labels`; any label passes where they name no type. */
MUST_USE bool column_rules_judge_label(const struct column_rules *rules, const struct value *label,
                                       struct verdict *verdict);
void column_rules_destroy(struct column_rules *rules); /* NULL accepted */
#endif
