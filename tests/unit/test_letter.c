/* Goal: a letter is what its headers say, whatever bytes they are; and what goes back is what the
 * app sent, with one header that says which letter it was. Method: records written by hand. */
#include "services/plumb/letter.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct header header(const char *name, const char *value)
{
    return (struct header){name, span_text(value)};
}

static struct record refused(const struct header *headers, size_t count)
{
    return (struct record){.topic = TOPIC_INFERENCE_DEAD_LETTER,
                           .partition = 3,
                           .offset = 17,
                           .arrival_ms = 5,
                           .value = span_text("{"),
                           .headers = headers,
                           .header_count = count};
}

static void test_places(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",     "3",     ":",      "3:",   ":17",  "3:17 ",        " 3:17",
        "-1:2", "3:-17", "3:17:1", "3:1x", "+3:1", "2147483648:0", "0:9999999999999999999"};
    struct letter_place place = {7, 7};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(letter_place_parse(span_text(wrong[i]), &place));
    assert_int_equal(place.partition, 7);
    assert_true(letter_place_parse(span_text("2147483647:999999999999999999"), &place));
    assert_int_equal(place.partition, INT32_MAX);
    assert_true(place.offset == 999999999999999999);
    const struct letter_place before = {3, 17}, after = {3, 18}, other = {4, 0};
    assert_true(letter_place_order(&before, &after) < 0 && letter_place_order(&other, &after) > 0);
    assert_int_equal(letter_place_order(&before, &before), 0);
}

static void test_what_it_says(void **state)
{
    (void)state;
    const struct header headers[] = {
        header("traceparent", "00-ab"),
        header("__connect.errors.topic", "ground.truth"),
        header("__connect.errors.partition", "2"),
        header("__connect.errors.offset", "40"),
        header("plumb.reason", "range"),
        header("plumb.column", "amount"),
        header("plumb.requeued", "1:9 3"),
    };
    const struct record record = refused(headers, COUNT_OF(headers));
    const struct letter letter = letter_of(&record);
    assert_int_equal(letter.place.partition, 3);
    assert_int_equal(letter.place.offset, 17);
    assert_int_equal(letter.source, TOPIC_GROUND_TRUTH);
    assert_int_equal(letter.source_place.partition, 2);
    assert_int_equal(letter.source_place.offset, 40);
    assert_true(span_is(letter.reason, "range") && span_is(letter.column, "amount"));
    assert_int_equal(letter.times, 3);
    assert_int_equal(letter.earlier.offset, 9);
    assert_false(letter.is_elsewhere);
    json_t *object = letter_object(&record);
    assert_string_equal(json_string_value(json_object_get(object, "letter")), "3:17");
    assert_string_equal(json_string_value(json_object_get(object, "earlier")), "1:9");
    assert_string_equal(json_string_value(json_object_get(object, "record")), "dead_letter");
    json_decref(object);
}

static void test_what_does_not_read_is_not_there(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",       "1:9", "1:9 ",   "1:9 x",
                                        "1:9  3", "9 3", "1:9 3 ", "1:9 99999999"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const struct header headers[] = {
            header("__connect.errors.topic", "inference.events"),
            header("__connect.errors.partition", wrong[i]),
            header("__connect.errors.offset", "40"),
            header("plumb.requeued", wrong[i]),
        };
        const struct record record = refused(headers, COUNT_OF(headers));
        const struct letter letter = letter_of(&record);
        assert_int_equal(letter.source, TOPIC_NONE);
        assert_int_equal(letter.times, 0);
        json_decref(letter_object(&record));
    }
    /* A letter may only go to where events and labels come from. */
    const struct header headers[] = {header("__connect.errors.topic", "model.contracts"),
                                     header("__connect.errors.partition", "0"),
                                     header("__connect.errors.offset", "1")};
    const struct record record = refused(headers, COUNT_OF(headers));
    assert_int_equal(letter_of(&record).source, TOPIC_NONE);
}

static void test_where_the_record_is(void **state)
{
    (void)state;
    struct header headers[] = {header("plumb.reason", "too_large")};
    struct record record = refused(headers, 1);
    assert_false(letter_of(&record).is_elsewhere);
    record.value = span_of(NULL, 0);
    assert_true(letter_of(&record).is_elsewhere);
    headers[0] = header("plumb.reason", "no_value"); /* it never had one */
    assert_false(letter_of(&record).is_elsewhere);
}

static void test_headers_back(void **state)
{
    (void)state;
    const struct header headers[] = {
        header("plumb.reason", "range"), header("b", "2"), header("__connect.errors.topic", "x"),
        {"a", span_of(NULL, 0)},         header("b", "2"), header("plumb.requeued", "1:9 3"),
        header("plumb-line", "12"),
    };
    const struct record record = refused(headers, COUNT_OF(headers));
    const struct letter letter = letter_of(&record);
    struct header back[COUNT_OF(headers) + 1];
    char text[LETTER_REQUEUED_SIZE];
    assert_int_equal(letter_headers_back(&letter, &record, text, back), 5);
    static const char *const names[] = {"b", "a", "b", "plumb-line", "plumb.requeued"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(back[i].name, names[i]);
    assert_null(back[1].value.bytes);
    assert_true(span_is(back[4].value, "3:17 4"));
    /* The longest fits, and the count stands still rather than turn. */
    const struct letter last = {.place = {INT32_MAX, INT64_MAX}, .times = 1000000};
    const size_t count = letter_headers_back(&last, &record, text, back);
    assert_true(span_is(back[count - 1].value, "2147483647:9223372036854775807 1000000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_what_does_not_read_is_not_there),
        cmocka_unit_test(test_where_the_record_is),
        cmocka_unit_test(test_headers_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
