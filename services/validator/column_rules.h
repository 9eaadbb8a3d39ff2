/* column_rules.h: what a contract says of one event, column by column in the contract's order.
 *
 * A column that is missing though required, or has another type, is under `on_type`; null, NaN and
 * what lies outside the range under `on_violation`; a value that is not listed under `on_unseen`.
 * The first that rejects decides; what is flagged goes into the enrichment; what is only counted is
 * counted. A null in a column whose contract allows a rate of nulls above zero is never rejected:
 * whether the rate is kept only a window can tell.
 *
 * Owner    caller of column_rules_create(); the contract must outlive it.
 * Thread   any once created (judge writes only to its arguments).
 * Cost     judge O(columns).
 */
#ifndef COLUMN_RULES_H
#define COLUMN_RULES_H
#include "model/contract.h"
#include "model/enrichment.h"
#include "model/event.h"
#include "rejection.h"

struct column_rules;
struct column_rules *column_rules_create(const struct contract *contract);
/* false: rejected, with the rejection set. Otherwise reasons are added to the enrichment;
 * counts[code] grows by what is only counted. */
MUST_USE bool column_rules_judge(const struct column_rules *rules, const struct event *event,
                                 struct enrichment *enrichment,
                                 uint32_t counts[REJECTION_CODE_COUNT],
                                 struct rejection *rejection);
void column_rules_destroy(struct column_rules *rules); /* NULL accepted */
#endif
