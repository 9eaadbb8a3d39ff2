/* source_time.h: which times are believed: the years 1 to 9999, so that no difference of two
 * overflows. */
#ifndef SOURCE_TIME_H
#define SOURCE_TIME_H
#include <stdbool.h>
#include <stdint.h>

static inline bool source_time_is_valid(int64_t time_ms)
{
    return time_ms >= INT64_C(-62135596800000) && time_ms <= INT64_C(253402300799999);
}
#endif
