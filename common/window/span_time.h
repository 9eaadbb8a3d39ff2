/* span_time.h: the arithmetic of windows, once. Windows are tumbling, at multiples of their length
 * from the epoch; [start, end). Times so far from the epoch that an end or a bound is no int64_t
 * stop at the largest or smallest one.
 *
 * Thread   any.
 */
#ifndef SPAN_TIME_H
#define SPAN_TIME_H
#include <stdbool.h>
#include <stdint.h>

/* Floor to a multiple of length_ms > 0, also before 1970. */
int64_t span_time_start(int64_t time_ms, int64_t length_ms);
int64_t span_time_add(int64_t time_ms, int64_t more_ms); /* stops at the ends of int64_t */
/* DESIGN.md 2.4. skew: more than that ahead of its arrival is future. */
enum lateness { LATENESS_ON_TIME, LATENESS_LATE, LATENESS_TOO_LATE, LATENESS_FUTURE };
enum lateness span_time_lateness(int64_t event_time_ms, int64_t arrival_ms, int64_t pane_ms,
                                 int64_t lateness_ms, int64_t correction_ms, int64_t skew_ms);
const char *span_time_lateness_name(enum lateness lateness); /* on_time late too_late future */
#endif
