/* Goal: what is committed with an offset is read back; what is missing or malformed is unknown,
 * never a guess. Method: written and read again; then texts that others may have left there. */
#include "memory/heap.h"
#include "service/mark.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_round(void **context)
{
    (void)context;
    const struct mark mark = {.clock_ms = 1700000000000,
                              .time_ms = 1700000000001,
                              .replay = 0,
                              .before_ms = 5,
                              .epoch = 7,
                              .partitions = 4,
                              .recall = "60000:28333333@1200,1@60"};
    struct buffer text = {0};
    mark_write(&mark, &text);
    const struct mark read = mark_read(buffer_span(&text));
    assert_int_equal(read.clock_ms, mark.clock_ms);
    assert_int_equal(read.time_ms, mark.time_ms);
    assert_int_equal(read.replay, 0);
    assert_int_equal(read.before_ms, 5);
    assert_int_equal(read.epoch, 7);
    assert_int_equal(read.partitions, 4);
    assert_string_equal(read.recall, mark.recall);
    buffer_fini(&text);
}

/* A word as long as may be, and one that is too long: it is not cut. */
static void test_recall(void **context)
{
    (void)context;
    struct mark mark = {.replay = 5};
    memset(mark.recall, 'x', MARK_RECALL_SIZE - 1);
    struct buffer text = {0};
    mark_write(&mark, &text);
    assert_string_equal(mark_read(buffer_span(&text)).recall, mark.recall);
    buffer_append_byte(&text, 'x');
    assert_string_equal(mark_read(buffer_span(&text)).recall, "");
    assert_int_equal(mark_read(buffer_span(&text)).replay, 5);
    assert_string_equal(mark_read(span_text("recall= epoch=1")).recall, "");
    assert_string_equal(mark_read(span_text("recall=a epoch=1")).recall, "a");
    mark.recall[0] = '\0';
    buffer_clear(&text);
    mark_write(&mark, &text);
    assert_null(memmem(text.bytes, text.size, "recall", 6)); /* as it was before there was one */
    buffer_fini(&text);
}

static void test_unknown(void **context)
{
    (void)context;
    static const char *const texts[] = {"",          "replay=",    "replay=x",
                                        "xreplay=5", "replay=-3 ", "by hand"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct mark mark = mark_read(span_text(texts[i]));
        assert_int_equal(mark.replay, -1);
        assert_int_equal(mark.clock_ms + mark.time_ms + mark.epoch + mark.partitions, 0);
    }
    assert_int_equal(mark_read(span_text("clock=5")).clock_ms, 5); /* as version 0.1 wrote it */
    assert_int_equal(mark_read(span_text("a=1 of=99999999999 epoch=2")).partitions, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round), cmocka_unit_test(test_recall),
                                       cmocka_unit_test(test_unknown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
