/* time_rules.h: how far a record's own time may lie from its arrival, ahead and behind.
 *
 * More than `skew` ahead is clock_skew: exactly what span_time_lateness calls future, so such an
 * event is in no window, whatever the contract does with it. More than `stale` behind is stale.
 *
 * Faults   false with the verdict's rejection set.     Thread  any.
 */
#ifndef TIME_RULES_H
#define TIME_RULES_H
#include "verdict.h"

struct time_rules {
    int64_t skew_ms, stale_ms; /* stale 0: any age will do */
    enum violation_action on_skew, on_stale;
};

struct time_rules time_rules_of_events(const struct contract *contract);
struct time_rules time_rules_of_labels(const struct contract *contract);
MUST_USE bool time_rules_judge(const struct time_rules *rules, const char *field, int64_t time_ms,
                               int64_t arrival_ms, struct verdict *verdict);
#endif
