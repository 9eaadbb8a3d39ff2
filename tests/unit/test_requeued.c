/* Goal: a mark once made is found again, by itself and by whoever reads what was written; nothing
 * else is; and what is written stays bounded. Method: marks set, written as records, loaded
 * elsewhere. */
#include "services/plumb/requeued.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct letter letter_at(int32_t partition, int64_t offset, int64_t time_ms)
{
    return (struct letter){.place = {partition, offset}, .time_ms = time_ms};
}

static bool has(const struct requeued *requeued, int32_t partition, int64_t offset, int64_t time_ms)
{
    const struct letter letter = letter_at(partition, offset, time_ms);
    return requeued_has(requeued, &letter);
}

static void add(struct requeued *requeued, int32_t partition, int64_t offset, int64_t time_ms)
{
    const struct letter letter = letter_at(partition, offset, time_ms);
    requeued_add(requeued, &letter);
}

/* Writes what changed, loads it into `target` (NULL: nowhere), and counts records and bytes. */
static size_t carry(struct requeued *source, struct requeued *target, size_t *out_size)
{
    struct buffer key = {0}, value = {0};
    size_t cursor = 0, count = 0;
    for (*out_size = 0; requeued_next(source, &cursor, &key, &value); count++) {
        *out_size += value.size;
        if (target != NULL)
            requeued_load(target, buffer_span(&key), buffer_span(&value));
    }
    requeued_settle(source);
    buffer_fini(&key);
    buffer_fini(&value);
    return count;
}

static void test_marks_are_carried(void **state)
{
    (void)state;
    struct requeued *one = requeued_create("letters"), *other = requeued_create("letters"),
                    *foreign = requeued_create("letter");
    add(one, 0, 0, 1000);
    add(one, 0, 1023, 1001);
    add(one, 0, 1024, 1002);
    add(one, 7, 5000000000, 1003);
    add(one, 1, 3, (int64_t)1 << 32); /* whose low half is 0 */
    size_t size;
    assert_int_equal(carry(one, other, &size), 4);
    assert_int_equal(size, 5 * 6);
    assert_true(has(other, 0, 0, 1000) && has(other, 0, 1023, 1001) && has(other, 0, 1024, 1002));
    assert_true(has(other, 7, 5000000000, 1003) && has(other, 1, 3, (int64_t)1 << 32));
    assert_false(has(other, 0, 1, 1000) || has(other, 1, 0, 1000) || has(other, 2, 3, 1000));
    assert_false(has(other, 0, 0, 2000));            /* a topic made anew */
    assert_int_equal(carry(one, foreign, &size), 0); /* nothing changed since */
    add(one, 0, 2, 1004);
    assert_int_equal(carry(one, foreign, &size), 1); /* the chunk, whole */
    assert_int_equal(size, 3 * 6);
    assert_false(has(foreign, 0, 2, 1004)); /* of another topic */
    requeued_destroy(one);
    requeued_destroy(other);
    requeued_destroy(foreign);
}

static void test_what_is_gone_is_deleted(void **state)
{
    (void)state;
    struct requeued *one = requeued_create("letters"), *other = requeued_create("letters");
    add(one, 0, 10, 1000);
    add(one, 0, 2000, 1001);
    add(one, 1, 10, 1002);
    size_t size;
    (void)carry(one, other, &size);
    requeued_forget(one, 0, 1023); /* 1,023 is still of the first chunk */
    assert_int_equal(carry(one, NULL, &size), 0);
    requeued_forget(one, 0, 1024);
    assert_int_equal(carry(one, other, &size), 1);
    assert_int_equal(size, 0);
    assert_false(has(other, 0, 10, 1000) || has(one, 0, 10, 1000));
    assert_true(has(other, 0, 2000, 1001) && has(other, 1, 10, 1002));
    requeued_forget(one, 0, 1024);
    assert_int_equal(carry(one, NULL, &size), 0); /* once */
    requeued_destroy(one);
    requeued_destroy(other);
}

static void test_records_that_are_not_ours(void **state)
{
    (void)state;
    static const char *const keys[] = {"alerter/measurements/0",
                                       "plumb-requeue/letters/",
                                       "plumb-requeue/letters/0",
                                       "plumb-requeue/letters/0#x",
                                       "plumb-requeue/letters/0#1#2",
                                       "plumb-requeue/letters/-1#0",
                                       "plumb-requeue/letters/0#99999999999999999999999999999999"};
    struct requeued *requeued = requeued_create("letters");
    const uint8_t mark[] = {0, 0, 1, 0, 0, 0}, beyond[] = {0xff, 0xff, 1, 0, 0, 0};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        requeued_load(requeued, span_text(keys[i]), span_of(mark, sizeof mark));
    requeued_load(requeued, span_text("plumb-requeue/letters/0#0"), span_of(mark, 5));
    requeued_load(requeued, span_text("plumb-requeue/letters/0#0"), span_of(beyond, sizeof beyond));
    for (int64_t offset = 0; offset < 3000; offset++)
        assert_false(has(requeued, 0, offset, 1));
    requeued_load(requeued, span_text("plumb-requeue/letters/0#0"), span_of(mark, sizeof mark));
    assert_true(has(requeued, 0, 0, 1));
    requeued_destroy(requeued);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks_are_carried),
        cmocka_unit_test(test_what_is_gone_is_deleted),
        cmocka_unit_test(test_records_that_are_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
