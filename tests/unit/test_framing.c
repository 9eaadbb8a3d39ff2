/* Goal: each framing is told by its own mark, in the stated order, and nothing else is guessed.
 * Method: values and headers as producers write them, and what is almost like them, under every
 * --framing. */
#include "services/validator/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BYTES(text) span_of(text, sizeof(text) - 1)
#define GUID_BYTES  "\x89\x79\x17\x62\x23\x36\x41\x86\x96\x74\x29\x9b\x90\xa8\x02\xe2"
#define GUID_TEXT   "89791762-2336-4186-9674-299b90a802e2"

struct outcome {
    bool read;
    struct framed framed;
    struct rejection rejection;
};

static struct outcome read_as(enum framing framing, struct span value, struct span header)
{
    struct outcome outcome = {.read = false};
    const struct header headers[] = {{"traceparent", span_text("00-ab")},
                                     {"__value_schema_id", header}};
    const struct record record = {
        .value = value, .headers = headers, .header_count = header.bytes == NULL ? 1 : 2};
    outcome.read = framing_read(framing, &record, &outcome.framed, &outcome.rejection);
    if (!outcome.read)
        assert_int_equal(outcome.rejection.code, REJECTION_malformed);
    return outcome;
}

static struct outcome read_value(enum framing framing, struct span value)
{
    return read_as(framing, value, span_of(NULL, 0));
}

static void assert_named(const struct outcome *outcome, const char *name, const char *body)
{
    assert_true(outcome->read);
    assert_int_equal(outcome->framed.form, FRAMED_NAME);
    assert_string_equal(outcome->framed.name, name);
    assert_true(span_is(outcome->framed.body, body));
}

static void test_each_by_its_mark(void **state)
{
    (void)state;
    struct outcome outcome = read_value(FRAMING_AUTO, BYTES("\x00\x00\x00\x01\x02 body"));
    assert_named(&outcome, "258", " body");
    outcome = read_value(FRAMING_AUTO, BYTES("\x00\xff\xff\xff\xff\x00"));
    assert_true(outcome.read);
    assert_string_equal(outcome.framed.name, "4294967295");
    assert_int_equal(outcome.framed.body.size, 1);
    outcome = read_value(FRAMING_AUTO, BYTES("\x01" GUID_BYTES " body"));
    assert_named(&outcome, GUID_TEXT, " body");
    outcome = read_value(FRAMING_AUTO, BYTES("\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08 body"));
    assert_true(outcome.read);
    assert_int_equal(outcome.framed.form, FRAMED_FINGERPRINT);
    assert_true(outcome.framed.fingerprint == 0x0807060504030201u);
    assert_true(span_is(outcome.framed.body, " body"));
    outcome = read_value(FRAMING_AUTO, BYTES(" \r\n\t{}"));
    assert_true(outcome.read);
    assert_int_equal(outcome.framed.form, FRAMED_JSON);
}

/* With a header the value is bare, whatever it begins with. */
static void test_header_first(void **state)
{
    (void)state;
    static const char *const values[] = {"{}", "\xc3\x01\x31\x32\x33\x34\x35\x36\x37\x38",
                                         "anything"};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct outcome outcome =
            read_as(FRAMING_AUTO, span_text(values[i]), BYTES("\x01" GUID_BYTES));
        assert_named(&outcome, GUID_TEXT, values[i]);
        outcome = read_as(FRAMING_HEADER, span_text(values[i]), BYTES("\x00\x00\x00\x00\x07"));
        assert_named(&outcome, "7", values[i]);
    }
    const struct span wrong[] = {BYTES(""),
                                 BYTES("\x01"),
                                 BYTES("\x00\x00\x00\x07"),
                                 BYTES("\x00\x00\x00\x00\x07 "),
                                 BYTES("\x01" GUID_BYTES "\x00"),
                                 BYTES("\x02" GUID_BYTES),
                                 BYTES(GUID_TEXT)};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(read_as(FRAMING_AUTO, BYTES("{}"), wrong[i]).read);
    assert_false(read_value(FRAMING_HEADER, BYTES("{}")).read);
}

static void test_nothing_is_guessed(void **state)
{
    (void)state;
    const struct span values[] = {BYTES(""),
                                  BYTES("\x00"),
                                  BYTES("\x00\x00\x00\x00\x07"),
                                  BYTES("\x01" GUID_BYTES),
                                  BYTES("\x02\x00\x00\x00\x07 x"),
                                  BYTES("\xc3\x01 short"),
                                  BYTES("\xc3\x02\x01\x02\x03\x04\x05\x06\x07\x08 x"),
                                  BYTES("[{}]"),
                                  BYTES("\"text\""),
                                  BYTES("Obj\x01")};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        assert_false(read_value(FRAMING_AUTO, values[i]).read);
}

/* Where one is named, only that. */
static void test_named_framings(void **state)
{
    (void)state;
    static const struct {
        const char *choice;
        int taken; /* index below */
    } cases[] = {{"confluent", 0}, {"single-object", 1}, {"json", 2}};
    const struct span values[] = {BYTES("\x00\x00\x00\x00\x07 x"),
                                  BYTES("\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08 x"), BYTES("{}")};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t k = 0; k < COUNT_OF(values); k++) {
            assert_int_equal(read_value(framing_named(cases[i].choice), values[k]).read,
                             (int)k == cases[i].taken);
            /* a header says nothing to them */
            assert_int_equal(read_as(framing_named(cases[i].choice), values[k], BYTES("\x07")).read,
                             (int)k == cases[i].taken);
        }
    assert_int_equal(framing_named("auto"), FRAMING_AUTO);
    assert_int_equal(framing_named("header"), FRAMING_HEADER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_by_its_mark),
        cmocka_unit_test(test_header_first),
        cmocka_unit_test(test_nothing_is_guessed),
        cmocka_unit_test(test_named_framings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
