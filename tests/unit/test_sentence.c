/* Goal: alerts say what people were promised, for every kind, firing and resolved.
 *
 * Method: golden texts. */
#include "memory/heap.h"
#include "services/alerter/sentence.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_sentences(void **context)
{
    (void)context;
    static const struct {
        enum finding_kind kind;
        const char *fires, *resolves, *summary;
    } golden[] = {
        {FINDING_FEATURE_DRIFT, "PSI of x 0.375 (limit 0.01), y 0.0312 (limit 0.02)", "PSI of x, y",
         "feature drift in x, y"},
        {FINDING_PREDICTION_DRIFT,
         "the answers drift, PSI of x 0.375 (limit 0.01), y 0.0312 (limit 0.02)",
         "the answers drift, PSI of x, y", "prediction drift in x, y"},
        {FINDING_CONFIDENCE_DRIFT,
         "the confidence drifts, PSI of x 0.375 (limit 0.01), y 0.0312 (limit 0.02)",
         "the confidence drifts, PSI of x, y", "confidence drift in x, y"},
        {FINDING_NULL_RATE, "nulls in x 37.5 % (limit 1 %), y 3.12 % (limit 2 %)", "nulls in x, y",
         "null rate in x, y"},
        {FINDING_RANGE_VIOLATION,
         "values out of range in x 37.5 % (limit 1 %), y 3.12 % (limit 2 %)",
         "values out of range in x, y", "range violation in x, y"},
        {FINDING_UNSEEN_CATEGORY, "unseen values in x 37.5 % (limit 1 %), y 3.12 % (limit 2 %)",
         "unseen values in x, y", "unseen category in x, y"},
    };
    assert_int_equal(COUNT_OF(golden), FINDING_KIND_COUNT - 1);
    const struct sentence_column columns[] = {{"x", 0.375, 0.01, NULL, 0},
                                              {"y", 0.03125, 0.02, NULL, 0}};
    for (size_t i = 0; i < COUNT_OF(golden); i++) {
        struct sentence sentence = {.kind = golden[i].kind,
                                    .model = "fraud",
                                    .version = "3",
                                    .role = "SHADOW",
                                    .segment = "country=DE",
                                    .owner = "team",
                                    .runbook = "https://r",
                                    .started_ms = 862790400000,
                                    .window_ms = 862790430000,
                                    .columns = columns,
                                    .column_count = 2};
        char *fires = sentence_text(&sentence), *summary = sentence_summary(&sentence);
        char *expected =
            heap_format("fraud 3 shadow country=DE: %s since 1997-05-05 00:00; owner team; "
                        "runbook https://r",
                        golden[i].fires);
        assert_string_equal(fires, expected);
        heap_release(expected);
        expected = heap_format("fraud 3 shadow country=DE: %s", golden[i].summary);
        assert_string_equal(summary, expected);
        heap_release(expected);
        sentence.resolved = true;
        char *resolves = sentence_text(&sentence);
        expected = heap_format(
            "fraud 3 shadow country=DE: resolved, %s within limits from 1997-05-05 00:00:30, was "
            "beyond since 1997-05-05 00:00; owner team; runbook https://r",
            golden[i].resolves);
        assert_string_equal(resolves, expected);
        heap_release(expected);
        heap_release(fires);
        heap_release(summary);
        heap_release(resolves);
    }
}

static void test_many_columns(void **context)
{
    (void)context;
    struct sentence_column columns[8];
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        columns[i] = (struct sentence_column){"x", 1234.5, 0.1, "a", 0.5};
    const struct sentence sentence = {.kind = FINDING_FEATURE_DRIFT,
                                      .model = "m",
                                      .version = "1",
                                      .role = "CHAMPION",
                                      .segment = "",
                                      .owner = "o",
                                      .runbook = "r",
                                      .columns = columns,
                                      .column_count = COUNT_OF(columns)};
    char *said_text = sentence_text(&sentence);
    assert_string_equal(
        said_text,
        "m 1: PSI of x 1234 (limit 0.1), x 1234, x 1234, x 1234, x 1234 and 3 more since "
        "1970-01-01 00:00, mostly in a (50 %); owner o; runbook r");
    heap_release(said_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_many_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
