/* Goal: stream time is the minimum over the named sources, stands still before each has spoken and
 * never falls; state round-trips. Method: hand-made sequences of clocks, among them malformed ones.
 */
#include "memory/heap.h"
#include "service/stream_time.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_minimum(void **context)
{
    (void)context;
    struct stream_time *time = stream_time_create();
    assert_false(stream_time_observe(time, span_text("a:0"), 50, 1)); /* no set yet */
    stream_time_sources(time, span_text("a:2,b:1"), 15);
    assert_false(stream_time_observe(time, span_text("a:0"), 100, 2));
    assert_false(stream_time_observe(time, span_text("a:1"), 70, 3));
    assert_int_equal(stream_time_now(time), 0);
    assert_true(stream_time_observe(time, span_text("b:0"), 90, 4));
    assert_int_equal(stream_time_now(time), 70);
    assert_false(
        stream_time_observe(time, span_text("a:1"), 60, 5)); /* a clock that falls is ignored */
    assert_true(stream_time_observe(time, span_text("a:1"), 95, 6));
    assert_int_equal(stream_time_now(time), 90);
    assert_false(stream_time_observe(time, span_text("other:0"), 1, 7)); /* no source of the set */
    assert_int_equal(stream_time_now(time), 90);

    struct buffer text = {0}, again = {0};
    stream_time_write(time, &text);
    struct stream_time *copy = stream_time_create();
    assert_true(stream_time_read(copy, buffer_span(&text)));
    stream_time_write(copy, &again);
    assert_true(span_equal(buffer_span(&text), buffer_span(&again)));
    assert_int_equal(stream_time_now(copy), 90);
    assert_true(stream_time_observe(copy, span_text("b:0"), 200, 8));
    assert_int_equal(stream_time_now(copy), 95);
    assert_false(stream_time_read(copy, span_text("no state")));
    buffer_fini(&text);
    buffer_fini(&again);
    stream_time_destroy(copy);
    stream_time_destroy(time);
}

/* Arrivals come before the first clock names the sources: they must count from then on. */
static void test_observed_before_the_set(void **context)
{
    (void)context;
    struct stream_time *time = stream_time_create();
    assert_false(stream_time_observe(time, span_text("a:0"), 10, 9));
    assert_false(stream_time_observe(time, span_text("b:0"), 20, 10));
    stream_time_sources(time, span_text("a:1,b:1"), 16);
    assert_int_equal(stream_time_now(time), 10);
    assert_true(stream_time_observe(time, span_text("a:0"), 15, 11));
    assert_true(stream_time_observe(time, span_text("a:0"), 30, 12));
    assert_int_equal(stream_time_now(time), 20);
    stream_time_sources(time, span_text("a:1,b:1,c:1"),
                        17); /* a new source cannot make time fall */
    assert_int_equal(stream_time_now(time), 20);
    assert_false(stream_time_observe(time, span_text("b:0"), 40, 13));
    assert_true(stream_time_observe(time, span_text("c:0"), 25, 14));
    assert_int_equal(stream_time_now(time), 25);
    stream_time_destroy(time);
}

/* A replay from there tells every source's newest word again, and nothing before is needed. */
static void test_needs(void **context)
{
    (void)context;
    struct stream_time *time = stream_time_create();
    assert_true(stream_time_needs(time) == INT64_MAX);
    (void)stream_time_observe(time, span_text("a:0"), 10, 3);
    assert_int_equal(stream_time_needs(time), 3);
    stream_time_sources(time, span_text("a:2"), 5);
    (void)stream_time_observe(time, span_text("a:1"), 12, 6);
    (void)stream_time_observe(time, span_text("a:0"), 20, 7);
    assert_int_equal(stream_time_needs(time), 5); /* the set */
    stream_time_sources(time, span_text("a:2"), 8);
    assert_int_equal(stream_time_needs(time), 6);             /* a:1 has been silent since */
    (void)stream_time_observe(time, span_text("a:1"), 11, 9); /* says nothing new */
    assert_int_equal(stream_time_needs(time), 6);
    (void)stream_time_observe(time, span_text("b:0"), 5, 4); /* does not count */
    assert_int_equal(stream_time_needs(time), 6);
    struct buffer text = {0};
    stream_time_write(time, &text);
    struct stream_time *copy = stream_time_create();
    assert_true(stream_time_read(copy, buffer_span(&text)));
    assert_int_equal(stream_time_needs(copy), 6);
    buffer_fini(&text);
    stream_time_destroy(copy);
    stream_time_destroy(time);
}

static bool reads(const char *value, struct stream_time_clock *clock)
{
    const struct header header = {STREAM_TIME_HEADER, span_text(value)};
    const struct record record = {.headers = &header, .header_count = 1};
    return stream_time_clock_read(&record, clock);
}

static void test_clock_record(void **context)
{
    (void)context;
    struct stream_time_clock clock;
    assert_true(reads("17 inference.events:3 inference.events:8,ground.truth:4", &clock));
    assert_int_equal(clock.time_ms, 17);
    assert_true(span_is(clock.source, "inference.events:3"));
    assert_true(span_is(clock.set, "inference.events:8,ground.truth:4"));
    assert_false(reads("", &clock));
    assert_false(reads("17", &clock));
    assert_false(reads("17 a:0", &clock));
    assert_false(reads("x a:0 a:1", &clock));
    assert_false(reads("99999999999999999999 a:0 a:1", &clock));
    const struct record plain = {.value = span_text("{}")};
    assert_false(stream_time_is_clock(&plain));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimum),
        cmocka_unit_test(test_observed_before_the_set),
        cmocka_unit_test(test_needs),
        cmocka_unit_test(test_clock_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
