#include "verdict.h"

void verdict_begin(struct verdict *verdict, struct enrichment *enrichment,
                   struct rejection *rejection)
{
    verdict->enrichment = enrichment;
    verdict->rejection = rejection;
    verdict->found = 0;
}

bool verdict_violation(struct verdict *verdict, enum violation_action action,
                       enum rejection_code code, const char *column, const char *detail)
{
    if (action == VIOLATION_REJECT)
        return rejection_set(verdict->rejection, code, span_text(column), "%s", detail);
    if (verdict->found++ == 0) {
        memset(verdict->flagged, 0, sizeof verdict->flagged);
        memset(verdict->counted, 0, sizeof verdict->counted);
    }
    if (action == VIOLATION_FLAG)
        verdict->flagged[code]++;
    else
        verdict->counted[code]++;
    enrichment_add_reason(verdict->enrichment, span_text(rejection_name(code)), span_text(column));
    return true;
}

void verdict_count(const struct verdict *verdict, struct outputs *outputs, const char *flagged,
                   const char *counted)
{
    if (verdict->found == 0)
        return;
    for (int code = 0; code < REJECTION_CODE_COUNT; code++) {
        const char *reason = rejection_name((enum rejection_code)code);
        if (verdict->flagged[code] > 0)
            outputs_count(outputs, flagged, reason, verdict->flagged[code]);
        if (verdict->counted[code] > 0)
            outputs_count(outputs, counted, reason, verdict->counted[code]);
    }
}
