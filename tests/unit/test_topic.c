/* Goal: topics are found by number and name; murmur2 and the partition are the Java producer's;
 * headers are found by name. Method: every row of topics.def is walked; the hashes are those of
 * Kafka's own UtilsTest.testMurmur2. */
#include "kafka/record.h"
#include "kafka/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_rows(void **state)
{
    (void)state;
    for (int i = TOPIC_NONE + 1; i < TOPIC_COUNT; i++) {
        const struct topic_row *row = topic_row((enum topic)i);
        assert_true(strlen(row->name) > 0);
        assert_true(strlen(row->key) > 0);
        assert_int_equal(topic_find(row->name), i);
        assert_true(strcmp(row->cleanup, "delete") == 0 || strcmp(row->cleanup, "compact") == 0 ||
                    strcmp(row->cleanup, "compact,delete") == 0);
    }
    assert_string_equal(topic_row(TOPIC_INFERENCE_EVENTS)->name, "inference.events");
    assert_string_equal(topic_row(TOPIC_INFERENCE_DEAD_LETTER)->schema, "");
    assert_true(topic_row(TOPIC_INFERENCE_VALIDATED)->clocked);
    assert_false(topic_row(TOPIC_MODEL_SCHEMAS)->clocked);
    assert_int_equal(topic_find("inference"), TOPIC_NONE);
    assert_int_equal(topic_find(""), TOPIC_NONE);
}

static void test_murmur2_is_javas(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t hash;
    } cases[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_true(topic_murmur2(span_text(cases[i].key)) == (uint32_t)cases[i].hash);
}

static void test_partition(void **state)
{
    (void)state;
    assert_int_equal(topic_partition(span_text("21"), 8), (-973932308 & 0x7fffffff) % 8);
    assert_int_equal(topic_partition(span_text("abc"), 1000), 479470107 % 1000);
    assert_int_equal(topic_partition(span_text("foobar"), 1), 0);
    const int32_t empty = topic_partition(span_of(NULL, 0), 5);
    assert_in_range(empty, 0, 4);
}

static void test_header(void **state)
{
    (void)state;
    const struct header headers[] = {{"traceparent", span_text("1")},
                                     {"plumb-arrival", span_text("2")},
                                     {"traceparent", span_text("3")}};
    const struct record record = {.headers = headers, .header_count = COUNT_OF(headers)};
    assert_ptr_equal(record_header(&record, "traceparent"), &headers[0]);
    assert_ptr_equal(record_header(&record, "plumb-arrival"), &headers[1]);
    assert_null(record_header(&record, "plumb"));
    const struct record bare = {.topic = TOPIC_ALERTS};
    assert_null(record_header(&bare, "traceparent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_murmur2_is_javas),
        cmocka_unit_test(test_partition),
        cmocka_unit_test(test_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
