#include "window/span_time.h"
#include "check/check.h"

int64_t span_time_add(int64_t time_ms, int64_t more_ms)
{
    int64_t sum;
    if (__builtin_add_overflow(time_ms, more_ms, &sum))
        return more_ms < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

int64_t span_time_start(int64_t time_ms, int64_t length_ms)
{
    REQUIRE(length_ms > 0);
    const int64_t past = time_ms % length_ms;
    return span_time_add(time_ms, past < 0 ? -past - length_ms : -past);
}

enum lateness span_time_lateness(int64_t event_time_ms, int64_t arrival_ms, int64_t pane_ms,
                                 int64_t lateness_ms, int64_t correction_ms, int64_t skew_ms)
{
    if (event_time_ms > span_time_add(arrival_ms, skew_ms))
        return LATENESS_FUTURE;
    const int64_t end_ms = span_time_add(span_time_start(event_time_ms, pane_ms), pane_ms);
    if (arrival_ms <= span_time_add(end_ms, lateness_ms))
        return LATENESS_ON_TIME;
    return arrival_ms <= span_time_add(end_ms, correction_ms) ? LATENESS_LATE : LATENESS_TOO_LATE;
}

const char *span_time_lateness_name(enum lateness lateness)
{
    static const char *const names[] = {
        [LATENESS_ON_TIME] = "on_time",
        [LATENESS_LATE] = "late",
        [LATENESS_TOO_LATE] = "too_late",
        [LATENESS_FUTURE] = "future",
    };
    REQUIRE((unsigned)lateness < COUNT_OF(names));
    return names[lateness];
}
