/* Goal: metrics count, keep series apart, and render text that Prometheus parses whatever the
 * labels hold. Method: the rendered text is compared line by line; threads count into the same
 * series and nothing may be lost. */
#include "metric/metric.h"
#include "metric/process_usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>

static const struct metric_row service_rows[] = {
    {"records_rejected_total", METRIC_COUNTER, "Records refused, by reason.", "reason"},
    {"events_seen_total", METRIC_COUNTER, "Events read.", NULL},
    {.name = NULL},
};
static const struct metric_row life_rows[] = {
    {"stream_time_lag_seconds", METRIC_GAUGE, "Behind the wall clock.", NULL},
    {.name = NULL},
};

static struct metric_set *set_create(void)
{
    const struct metric_row *const tables[] = {service_rows, NULL, life_rows};
    return metric_set_create(tables, COUNT_OF(tables));
}

static char *rendered(struct metric_set *set)
{
    struct buffer out = {0};
    metric_render(set, &out);
    char *text = span_copied(buffer_span(&out));
    buffer_fini(&out);
    return text;
}

static void release(char *text)
{
    struct buffer owner = {.bytes = (uint8_t *)text};
    buffer_fini(&owner);
}

static void test_render(void **state)
{
    (void)state;
    struct metric_set *set = set_create();
    metric_count(set, "records_rejected_total", "range", 2);
    metric_count(set, "records_rejected_total", "a\"b\\c\nd\xff", 1);
    metric_count(set, "records_rejected_total", "range", 1);
    metric_count(set, "events_seen_total", NULL, 9007199254740992.0);
    metric_set_value(set, "stream_time_lag_seconds", NULL, 0.1);
    char *text = rendered(set);
    static const char expected[] =
        "# HELP plumb_records_rejected_total Records refused, by reason.\n"
        "# TYPE plumb_records_rejected_total counter\n"
        "plumb_records_rejected_total{reason=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 1\n"
        "plumb_records_rejected_total{reason=\"range\"} 3\n"
        "# HELP plumb_events_seen_total Events read.\n"
        "# TYPE plumb_events_seen_total counter\n"
        "plumb_events_seen_total 9007199254740992\n"
        "# HELP plumb_stream_time_lag_seconds Behind the wall clock.\n"
        "# TYPE plumb_stream_time_lag_seconds gauge\n"
        "plumb_stream_time_lag_seconds 0.1\n"
        "# HELP plumb_build_info The version that runs; always 1.\n"
        "# TYPE plumb_build_info gauge\n"
        "plumb_build_info{version=\"" PLUMB_VERSION "\"} 1\n";
    assert_int_equal(strncmp(text, expected, strlen(expected)), 0);
    assert_non_null(strstr(text, "\nprocess_resident_memory_bytes "));
    assert_non_null(strstr(text, "\nprocess_cpu_seconds_total "));
    assert_non_null(strstr(text, "\nprocess_start_time_seconds "));
    assert_non_null(strstr(text, "\nprocess_open_fds "));
    assert_non_null(strstr(text, "\nprocess_max_fds "));
    release(text);
    metric_set_destroy(set);
}

static void test_special_numbers(void **state)
{
    (void)state;
    struct metric_set *set = set_create();
    static const struct {
        double value;
        const char *line;
    } cases[] = {{(double)NAN, "\nplumb_stream_time_lag_seconds NaN\n"},
                 {(double)INFINITY, "\nplumb_stream_time_lag_seconds +Inf\n"},
                 {-(double)INFINITY, "\nplumb_stream_time_lag_seconds -Inf\n"},
                 {1.0 / 3.0, "\nplumb_stream_time_lag_seconds 0.3333333333333333\n"},
                 {-5, "\nplumb_stream_time_lag_seconds -5\n"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        metric_set_value(set, "stream_time_lag_seconds", NULL, cases[i].value);
        char *text = rendered(set);
        assert_non_null(strstr(text, cases[i].line));
        release(text);
    }
    metric_set_destroy(set);
}

static void test_value(void **state)
{
    (void)state;
    struct metric_set *set = set_create();
    assert_true(metric_value(set, "records_rejected_total", "range") <= 0.0);
    metric_count(set, "records_rejected_total", "range", 2.5);
    assert_true(fabs(metric_value(set, "records_rejected_total", "range") - 2.5) <= 0.0);
    assert_true(metric_value(set, "events_seen_total", NULL) <= 0.0);
    metric_set_destroy(set);
}

static void test_series_are_bounded(void **state)
{
    (void)state;
    struct metric_set *set = set_create();
    for (int i = 0; i < 10003; i++) {
        char label[16];
        (void)snprintf(label, sizeof label, "r%d", i);
        metric_count(set, "records_rejected_total", label, 1);
    }
    assert_int_equal((int)metric_value(set, "records_rejected_total", "r9999"), 1);
    assert_int_equal((int)metric_value(set, "records_rejected_total", "r10000"), 0);
    assert_int_equal((int)metric_value(set, "records_rejected_total", "other"), 3);
    metric_set_destroy(set);
}

enum { THREADS = 4, COUNTS = 5000 };
static void *count_many(void *context)
{
    struct metric_set *set = context;
    for (int i = 0; i < COUNTS; i++) {
        char label[16];
        (void)snprintf(label, sizeof label, "r%d", i % 50);
        metric_count(set, "records_rejected_total", label, 1);
        metric_count(set, "events_seen_total", NULL, 1);
    }
    return NULL;
}

static void test_threads_lose_nothing(void **state)
{
    (void)state;
    struct metric_set *set = set_create();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, set), 0);
    for (int i = 0; i < 20; i++)
        release(rendered(set));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal((int)metric_value(set, "events_seen_total", NULL), THREADS * COUNTS);
    assert_int_equal((int)metric_value(set, "records_rejected_total", "r7"), THREADS * COUNTS / 50);
    metric_set_destroy(set);
}

static void test_process_usage(void **state)
{
    (void)state;
    struct buffer out = {0};
    process_usage_render(&out);
    buffer_append_byte(&out, 0);
    const char *at = strstr((const char *)out.bytes, "\nprocess_resident_memory_bytes ");
    assert_non_null(at);
    const double resident = strtod(strchr(at + 1, ' '), NULL);
    assert_true(resident > 1e5 && resident <= (double)process_usage_peak() * 1.5);
    at = strstr((const char *)out.bytes, "\nprocess_start_time_seconds ");
    assert_non_null(at);
    assert_true(strtod(strchr(at + 1, ' '), NULL) > 1.5e9);
    assert_true(process_usage_cpu_seconds() >= 0.0);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_special_numbers),
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_series_are_bounded),
        cmocka_unit_test(test_threads_lose_nothing),
        cmocka_unit_test(test_process_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
