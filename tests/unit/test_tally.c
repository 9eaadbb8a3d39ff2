/* Goal: a tally says what was added since it was cleared, whatever the order, and stays bounded.
 * Method: sums by hand; many labels. */
#include "memory/heap.h"
#include "service/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static double counted(const struct tally *tally, const char *metric, const char *label)
{
    double sum = 0;
    for (size_t i = 0; i < tally_size(tally); i++) {
        const struct tally_entry *entry = tally_at(tally, i);
        const bool same_label = entry->label == NULL || label == NULL
                                    ? entry->label == label
                                    : strcmp(entry->label, label) == 0;
        sum += strcmp(entry->metric, metric) == 0 && same_label ? entry->more : 0;
    }
    return sum;
}

static void assert_counted(const struct tally *tally, const char *metric, const char *label,
                           double expected)
{
    assert_true(counted(tally, metric, label) - expected == 0.0);
}

static void test_sums(void **state)
{
    (void)state;
    struct tally *tally = tally_create();
    char label[2] = "x"; /* the same place, another text */
    for (int i = 0; i < 10; i++) {
        tally_add(tally, "seen", NULL, 1);
        label[0] = i % 3 == 0 ? 'x' : 'y';
        tally_add(tally, "refused", label, 2);
        if (i % 2 == 0)
            tally_add(tally, "late", NULL, 1);
    }
    assert_int_equal(tally_size(tally), 4);
    assert_string_equal(tally_at(tally, 0)->metric, "seen");
    assert_counted(tally, "seen", NULL, 10);
    assert_counted(tally, "refused", "x", 8);
    assert_counted(tally, "refused", "y", 12);
    assert_counted(tally, "late", NULL, 5);
    assert_counted(tally, "refused", NULL, 0);
    tally_clear(tally);
    assert_int_equal(tally_size(tally), 0);
    tally_add(tally, "late", NULL, 1);
    assert_int_equal(tally_size(tally), 1);
    assert_counted(tally, "late", NULL, 1);
    tally_destroy(tally);
}

static void test_many_labels(void **state)
{
    (void)state;
    struct tally *tally = tally_create();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5000; i++) {
            char *label = heap_format("model %d", i);
            tally_add(tally, "late", label, i % 2);
            heap_release(label);
        }
        assert_int_equal(tally_size(tally), 5000);
        assert_counted(tally, "late", "model 4999", 1);
        assert_counted(tally, "late", "model 10", 0);
        tally_clear(tally);
    }
    tally_destroy(tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums),
                                       cmocka_unit_test(test_many_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
