#include "time_rules.h"
#include "window/span_time.h"

struct time_rules time_rules_of_events(const struct contract *contract)
{
    return (struct time_rules){.skew_ms = contract->skew_ms,
                               .stale_ms = contract->stale_ms,
                               .on_skew = contract->on_skew,
                               .on_stale = contract->on_stale};
}

struct time_rules time_rules_of_labels(const struct contract *contract)
{
    return (struct time_rules){.skew_ms = contract->skew_ms,
                               .stale_ms = contract->label_stale_ms,
                               .on_skew = contract->on_skew,
                               .on_stale = contract->on_label_stale};
}

bool time_rules_judge(const struct time_rules *rules, const char *field, int64_t time_ms,
                      int64_t arrival_ms, struct verdict *verdict)
{
    if (time_ms > span_time_add(arrival_ms, rules->skew_ms))
        return verdict_violation(verdict, rules->on_skew, REJECTION_clock_skew, field, "");
    return rules->stale_ms == 0 || time_ms >= span_time_add(arrival_ms, -rules->stale_ms) ||
           verdict_violation(verdict, rules->on_stale, REJECTION_stale, field, "");
}
