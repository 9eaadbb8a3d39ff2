/* verdict.h: what the rules find of one record on its way through them: each violation is rejected,
 * flagged or counted, as the contract says.
 *
 * Flagged and counted violations both travel in the enrichment, because windows measure both; they
 * differ in the metric that tells of them: flagged is worth a look, counted is known and expected.
 * Which of the two a reason was, the contract says that the record is stamped with.
 *
 * Owner    caller, on its stack: verdict_begin for each record. Borrows enrichment and rejection.
 * Cost     begin and count O(1) where nothing is found; no allocation once the enrichment has
 * grown.
 */
#ifndef VERDICT_H
#define VERDICT_H
#include "model/contract.h"
#include "model/enrichment.h"
#include "rejection.h"
#include "service/outputs.h"

struct verdict {
    struct enrichment *enrichment;
    struct rejection *rejection;
    uint32_t found; /* let through; all below is valid where it is not 0 */
    uint32_t flagged[REJECTION_CODE_COUNT], counted[REJECTION_CODE_COUNT];
};

void verdict_begin(struct verdict *verdict, struct enrichment *enrichment,
                   struct rejection *rejection);
/* false: rejected, with the rejection set. The column is borrowed until the enrichment is written.
 */
MUST_USE bool verdict_violation(struct verdict *verdict, enum violation_action action,
                                enum rejection_code code, const char *column, const char *detail);
/* Into the metrics of these names, by reason. */
void verdict_count(const struct verdict *verdict, struct outputs *outputs, const char *flagged,
                   const char *counted);
#endif
