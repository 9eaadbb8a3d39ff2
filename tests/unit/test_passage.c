/* Goal: each record that was passed is found in exactly one output or said to be missing, doubled
 * or out of reach, never anything else. Method: made-up records of two inputs and two outputs. */
#include "services/plumb/passage.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct differences differences;

static struct place event(int32_t partition, int64_t offset)
{
    return (struct place){TOPIC_INFERENCE_EVENTS, partition, offset};
}

static struct place validated(int64_t offset)
{
    return (struct place){TOPIC_INFERENCE_VALIDATED, 0, offset};
}

/* Partition 0 has 0..9 and was passed up to 8, partition 1 has 100..102, all passed. */
static struct passage *opened(int64_t validated_first)
{
    struct passage *passage = passage_create(&differences);
    passage_open_input(passage, TOPIC_INFERENCE_EVENTS, 0, 0, 8);
    passage_open_input(passage, TOPIC_INFERENCE_EVENTS, 1, 100, 103);
    passage_open_output(passage, TOPIC_INFERENCE_VALIDATED, 0, validated_first);
    passage_open_output(passage, TOPIC_INFERENCE_DEAD_LETTER, 0, 0);
    for (int64_t i = 0; i < 10; i++)
        passage_input(passage, event(0, i));
    for (int64_t i = 100; i < 103; i++)
        passage_input(passage, event(1, i));
    return passage;
}

static void close_all(struct passage *passage)
{
    passage_destroy(passage);
    difference_fini(&differences);
}

static void test_balanced(void **context)
{
    (void)context;
    struct passage *passage = opened(0);
    for (int64_t i = 0; i < 8; i++)
        assert_true(passage_judged(
            passage, i == 3 ? (struct place){TOPIC_INFERENCE_DEAD_LETTER, 0, 0} : validated(i),
            event(0, i)));
    assert_false(passage_judged(passage, validated(8), event(0, 9)));  /* not to be counted yet */
    assert_false(passage_judged(passage, validated(9), event(1, 99))); /* its source is gone */
    assert_false(passage_judged(passage, validated(9), event(7, 1)));
    for (int64_t i = 100; i < 103; i++)
        assert_true(passage_judged(passage, validated(i), event(1, i)));
    passage_settle(passage);
    assert_int_equal(differences.all, 0);
    const struct passage_counts counts = passage_counts(passage, TOPIC_INFERENCE_EVENTS);
    assert_int_equal(counts.passed, 11);
    assert_int_equal(counts.missing + counts.doubled + counts.out_of_reach, 0);
    assert_int_equal(passage_counts(passage, TOPIC_GROUND_TRUTH).passed, 0);
    close_all(passage);
}

static void test_missing_and_doubled(void **context)
{
    (void)context;
    struct passage *passage = opened(0);
    for (int64_t i = 0; i < 7; i++)
        (void)passage_judged(passage, validated(i), event(0, i));
    assert_false(passage_judged(passage, validated(44), event(0, 2)));
    for (int64_t i = 100; i < 103; i++)
        (void)passage_judged(passage, validated(i), event(1, i));
    passage_settle(passage);
    assert_int_equal(differences.all, 2);
    assert_string_equal(differences.list[0].kind, "doubled");
    assert_string_equal(differences.list[0].place, "inference.validated:0 offset 44");
    assert_string_equal(differences.list[0].what,
                        "inference.events:0 offset 2 is in an output already");
    assert_string_equal(differences.list[1].kind, "missing");
    assert_string_equal(differences.list[1].place, "inference.events:0 offset 7");
    close_all(passage);
}

static void test_no_such_source(void **context)
{
    (void)context;
    struct passage *passage = passage_create(&differences);
    passage_open_input(passage, TOPIC_INFERENCE_EVENTS, 0, 0, 2);
    passage_open_output(passage, TOPIC_INFERENCE_VALIDATED, 0, 0);
    passage_input(passage, event(0, 0)); /* 1 is a clock */
    assert_true(passage_judged(passage, validated(0), event(0, 0)));
    assert_true(passage_judged(passage, validated(1), event(0, 1)));
    passage_settle(passage);
    assert_int_equal(differences.all, 1);
    assert_string_equal(differences.list[0].kind, "unsourced");
    close_all(passage);
}

static void test_out_of_reach(void **context)
{
    (void)context;
    struct passage *passage = opened(50); /* what became of 0 … 4 may have been eaten */
    for (int64_t i = 5; i < 7; i++)
        assert_true(passage_judged(passage, validated(45 + i), event(0, i)));
    passage_settle(passage);
    const struct passage_counts counts = passage_counts(passage, TOPIC_INFERENCE_EVENTS);
    assert_int_equal(counts.out_of_reach, 5 + 3); /* of partition 1 nothing is left */
    assert_int_equal(counts.missing, 1);          /* 7 */
    assert_int_equal(differences.all, 1);
    close_all(passage);
}

static void test_only_the_first_are_kept(void **context)
{
    (void)context;
    struct passage *passage = passage_create(&differences);
    passage_open_input(passage, TOPIC_INFERENCE_EVENTS, 0, 0, 30);
    passage_open_output(passage, TOPIC_INFERENCE_VALIDATED, 0, 0);
    for (int64_t i = 0; i < 30; i++)
        passage_input(passage, event(0, i));
    passage_settle(passage);
    assert_int_equal(differences.all, 30);
    assert_int_equal(differences.count, DIFFERENCE_MAX);
    close_all(passage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balanced), cmocka_unit_test(test_missing_and_doubled),
        cmocka_unit_test(test_no_such_source), cmocka_unit_test(test_out_of_reach),
        cmocka_unit_test(test_only_the_first_are_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
