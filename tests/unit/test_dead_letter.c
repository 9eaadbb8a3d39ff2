/* Goal: a dead letter holds the record as it came and says why, never a value; it is never larger
 * than a record may be. Method: validator_bench.h; headers are read as a consumer would. */
#include "validator_bench.h"

#include "services/validator/dead_letter.h"
#include "services/validator/rejection.h"

/* ---- dead letters ---- */

static void test_dead_letter(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    const char *text = WITH("\"amount\":\"s3cret\",\"country\":\"DE\"");
    assert_refused(&bench, span_text(text), "type_mismatch", "amount");
    const struct output *letter = only(&bench, TOPIC_INFERENCE_DEAD_LETTER);
    assert_true(span_is(letter->key, "some key"));
    assert_true(span_is(letter->value, text));
    assert_header(letter, "traceparent", "00-ab");
    assert_header(letter, "plumb-line", "12");
    assert_header(letter, "__connect.errors.topic", "inference.events");
    assert_header(letter, "__connect.errors.partition", "3");
    assert_header(letter, "__connect.errors.offset", "40");
    assert_header(letter, "__connect.errors.stage", "TRANSFORMATION");
    assert_header(letter, "__connect.errors.class.name", "plumbline.validator");
    assert_header(letter, "__connect.errors.exception.message",
                  "the value's type is not the one that the contract names: amount: must be a "
                  "number");
    assert_header(letter, "plumb.detail", "must be a number");
    size_t reasons = 0; /* the one of an earlier refusal is gone */
    for (size_t i = 0; i < letter->header_count; i++)
        reasons += strcmp(letter->headers[i].name, "plumb.reason") == 0;
    assert_int_equal(reasons, 1);
    bench_close(&bench);
}

static void test_dead_letter_without_key(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    const struct record record = {
        .topic = TOPIC_INFERENCE_EVENTS, .partition = 0, .offset = 1, .value = span_text("x")};
    assert_int_equal(validator_service.handle(bench.shard, &record, bench.outputs), FAULT_NONE);
    assert_null(only(&bench, TOPIC_INFERENCE_DEAD_LETTER)->key.bytes);
    bench_close(&bench);
}

/* A header without a value is not one with an empty value. */
static void test_headers_without_value(void **state)
{
    (void)state;
    const struct header headers[] = {{"none", span_of(NULL, 0)}, {"empty", span_of("", 0)}};
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    const struct record record = {.topic = TOPIC_INFERENCE_EVENTS,
                                  .value = span_text("x"),
                                  .headers = headers,
                                  .header_count = COUNT_OF(headers)};
    assert_int_equal(validator_service.handle(bench.shard, &record, bench.outputs), FAULT_NONE);
    const struct output *letter = only(&bench, TOPIC_INFERENCE_DEAD_LETTER);
    assert_null(letter->headers[0].value.bytes);
    assert_non_null(letter->headers[1].value.bytes);
    bench_close(&bench);
}

static void test_too_large(void **state)
{
    (void)state;
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    const size_t size = 1024 * 1024 + 1;
    uint8_t *value = heap_zeroed(size, 1);
    memset(value, 'x', size);
    assert_refused(&bench, span_of(value, size), "too_large", NULL);
    const struct output *letter = only(&bench, TOPIC_INFERENCE_DEAD_LETTER);
    assert_null(letter->value.bytes); /* the offset says where it is */
    assert_true(span_is(letter->key, "some key"));
    assert_header(letter, "traceparent", "00-ab");
    /* A key as large: that goes too. */
    outputs_clear(bench.outputs);
    const struct record record = {
        .topic = TOPIC_INFERENCE_EVENTS, .key = span_of(value, size), .value = span_text("{}")};
    assert_int_equal(validator_service.handle(bench.shard, &record, bench.outputs), FAULT_NONE);
    letter = only(&bench, TOPIC_INFERENCE_DEAD_LETTER);
    assert_header(letter, "plumb.reason", "too_large");
    assert_null(letter->key.bytes);
    heap_release(value);
    bench_close(&bench);
}

/* A record that was requeued and fails again says so in its new letter; what is not ours does not
 * travel. */
static void test_requeued_is_kept(void **state)
{
    (void)state;
    char longer[DEAD_LETTER_REQUEUED_MAX + 2];
    memset(longer, '1', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    const struct header kept = {DEAD_LETTER_REQUEUED, span_text("3:17 2")};
    const struct header dropped = {DEAD_LETTER_REQUEUED, span_text(longer)};
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    struct record record = {.topic = TOPIC_INFERENCE_EVENTS,
                            .value = span_text("x"),
                            .headers = &kept,
                            .header_count = 1};
    assert_int_equal(validator_service.handle(bench.shard, &record, bench.outputs), FAULT_NONE);
    assert_header(only(&bench, TOPIC_INFERENCE_DEAD_LETTER), DEAD_LETTER_REQUEUED, "3:17 2");
    outputs_clear(bench.outputs);
    record.headers = &dropped;
    assert_int_equal(validator_service.handle(bench.shard, &record, bench.outputs), FAULT_NONE);
    const struct output *letter = only(&bench, TOPIC_INFERENCE_DEAD_LETTER);
    for (size_t i = 0; i < letter->header_count; i++)
        assert_string_not_equal(letter->headers[i].name, DEAD_LETTER_REQUEUED);
    bench_close(&bench);
}

static bool contains(struct span text, const char *part)
{
    return text.size > 0 && memmem(text.bytes, text.size, part, strlen(part)) != NULL;
}

static void test_no_value_leaks(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\": s3cret}",
        "{\"event_id\": \"a\" \"s3cret\"}",
        "s3cret",
        WITH("\"amount\":\"s3cret\",\"country\":\"DE\""),
        WITH("\"amount\":5,\"country\":\"s3cret\""),
        EVENT("\"features\":\"s3cret\",\"prediction\":1"),
        EVENT(FEATURES("") ",\"prediction\":1,\"role\":\"s3cret\""),
        EVENT(FEATURES("") ",\"prediction\":1,\"scores\":{\"up\":\"s3cret\"}"),
        "{\"event_id\":\"a\",\"event_time\":\"s3cret\"}",
    };
    struct bench bench = bench_of(TOPIC_INFERENCE_EVENTS);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        handle(&bench, span_text(texts[i]));
        const struct output *letter = only(&bench, TOPIC_INFERENCE_DEAD_LETTER);
        for (size_t j = 0; j < letter->header_count; j++)
            assert_false(contains(letter->headers[j].value, "s3cret"));
        assert_true(contains(letter->value, "s3cret"));
    }
    bench_close(&bench);
}

static void test_reasons_have_sentences(void **state)
{
    (void)state;
    for (int code = 0; code < REJECTION_CODE_COUNT; code++) {
        assert_true(strlen(rejection_sentence((enum rejection_code)code)) > 10);
        for (const char *c = rejection_name((enum rejection_code)code); *c != 0; c++)
            assert_true((*c >= 'a' && *c <= 'z') || *c == '_');
    }
}

/* A column's name that is too long is cut between characters. */
static void test_column_is_cut(void **state)
{
    (void)state;
    struct buffer name = {0};
    buffer_append_byte(&name, 'a');
    for (int i = 0; i < 200; i++)
        buffer_append(&name, "\xc3\xa4", 2);
    struct rejection rejection;
    assert_false(rejection_set(&rejection, REJECTION_range, buffer_span(&name), "%s", "why"));
    assert_int_equal(strlen(rejection.column), 255);
    assert_memory_equal(rejection.column, name.bytes, 255);
    (void)rejection_set(&rejection, REJECTION_range, span_of(name.bytes + 1, 400), "%s", "why");
    assert_int_equal(strlen(rejection.column), 254);
    buffer_fini(&name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dead_letter),
        cmocka_unit_test(test_dead_letter_without_key),
        cmocka_unit_test(test_headers_without_value),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_requeued_is_kept),
        cmocka_unit_test(test_no_value_leaks),
        cmocka_unit_test(test_reasons_have_sentences),
        cmocka_unit_test(test_column_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
