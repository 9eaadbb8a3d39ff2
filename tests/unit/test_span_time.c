/* Goal: windows start at multiples of their length from the epoch, also before it, and lateness has
 * its edges where DESIGN.md 2.4 puts them. Method: a table around each edge, times at the ends of
 * int64_t. */
#include "check/check.h"
#include "window/span_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after the system's */
#include <cmocka.h>

static void test_start(void **state)
{
    (void)state;
    assert_true(span_time_start(0, 60000) == 0);
    assert_true(span_time_start(59999, 60000) == 0);
    assert_true(span_time_start(60000, 60000) == 60000);
    assert_true(span_time_start(-1, 60000) == -60000);
    assert_true(span_time_start(-60000, 60000) == -60000);
    assert_true(span_time_start(-60001, 60000) == -120000);
    assert_true(span_time_start(862790400123, 86400000) == 862790400000); /* 5 May 1997 */
    assert_true(span_time_start(7, 1) == 7);
    assert_true(span_time_start(INT64_MIN, 60000) == INT64_MIN); /* no multiple below: stops */
    assert_true(span_time_start(INT64_MAX, 60000) == INT64_MAX - INT64_MAX % 60000);
}

static void test_add(void **state)
{
    (void)state;
    assert_true(span_time_add(1, 2) == 3);
    assert_true(span_time_add(INT64_MAX, 1) == INT64_MAX);
    assert_true(span_time_add(INT64_MIN, -1) == INT64_MIN);
    assert_true(span_time_add(INT64_MAX, -1) == INT64_MAX - 1);
}

static void test_lateness(void **state)
{
    (void)state;
    /* pane 60 s, lateness 30 s, correction 1 h, skew 5 m; the event in the pane [60 s, 120 s) */
    static const struct {
        int64_t event_time_ms, arrival_ms;
        enum lateness expected;
    } rows[] = {
        {60000, 60000, LATENESS_ON_TIME},
        {60000, 150000, LATENESS_ON_TIME},
        {60000, 150001, LATENESS_LATE},
        {119999, 150000, LATENESS_ON_TIME},
        {120000, 150001, LATENESS_ON_TIME},
        {60000, 120000 + 3600000, LATENESS_LATE},
        {60000, 120001 + 3600000, LATENESS_TOO_LATE},
        {360000, 60000, LATENESS_ON_TIME},
        {360001, 60000, LATENESS_FUTURE},
        {-1, 30000, LATENESS_ON_TIME},
        {-1, 30001, LATENESS_LATE},
        {INT64_MAX, 0, LATENESS_FUTURE},
        {INT64_MAX, INT64_MAX, LATENESS_ON_TIME},
        {INT64_MIN, INT64_MAX, LATENESS_TOO_LATE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(span_time_lateness(rows[i].event_time_ms, rows[i].arrival_ms, 60000, 30000,
                                            3600000, 300000),
                         rows[i].expected);
    assert_string_equal(span_time_lateness_name(LATENESS_ON_TIME), "on_time");
    assert_string_equal(span_time_lateness_name(LATENESS_TOO_LATE), "too_late");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_lateness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
