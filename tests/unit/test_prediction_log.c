/* Goal: a prediction log gives each record the arrival that INTERFACES.md defines, in the order of
 * the merge, whatever the files hold. Method: small files written here, expectations computed by
 * hand; every fault that it can return once. */
#include "memory/buffer.h"
#include "memory/heap.h"
#include "services/plumb/prediction_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define T INT64_C(1000000000000) /* the time that the logs begin at */
enum { S = 1000, SKEW = 300 * S, HOUR = 3600 * S };

/* ---- Fixture: a folder of files */

static char folder[] = "/tmp/test_prediction_log.XXXXXX";

static int make_folder(void **context)
{
    (void)context;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **context)
{
    (void)context;
    return rmdir(folder);
}

static char *file_of(const char *name, const void *bytes, size_t size)
{
    char *path = heap_format("%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

static char *text_file(const char *name, const struct buffer *text)
{
    return file_of(name, text->bytes, text->size);
}

static void drop(char *path)
{
    assert_int_equal(unlink(path), 0);
    heap_release(path);
}

static void event(struct buffer *text, const char *id, int64_t time_ms)
{
    buffer_format(text, "{\"event_id\": \"%s\", \"event_time\": %lld}\n", id, (long long)time_ms);
}

static void label(struct buffer *text, const char *id, int64_t time_ms)
{
    buffer_format(text, "{\"event_id\": \"%s\", \"label\": 1, \"label_time\": %lld}\n", id,
                  (long long)time_ms);
}

static struct prediction_log *log_of(const char *events, const char *labels)
{
    const struct prediction_log_options options = {
        .events = events, .labels = labels, .skew_ms = SKEW};
    struct prediction_log *log;
    struct reason reason = {""};
    assert_int_equal(prediction_log_open(&options, &log, &reason), FAULT_NONE);
    return log;
}

/* The next record is this one; key NULL: it has none. */
static void expect(struct prediction_log *log, enum topic topic, size_t line, const char *key,
                   int64_t arrival_ms)
{
    struct prediction_record record;
    struct reason reason = {""};
    bool is_record;
    assert_int_equal(prediction_log_next(log, &is_record, &record, &reason), FAULT_NONE);
    assert_true(is_record);
    assert_int_equal(record.topic, topic);
    assert_int_equal(record.line, line);
    assert_int_equal(record.arrival_ms, arrival_ms);
    if (key == NULL)
        assert_null(record.key.bytes);
    else
        assert_true(span_is(record.key, key));
}

static void expect_end(struct prediction_log *log)
{
    struct prediction_record record;
    struct reason reason = {""};
    bool is_record;
    for (int i = 0; i < 2; i++) { /* the end stays the end */
        assert_int_equal(prediction_log_next(log, &is_record, &record, &reason), FAULT_NONE);
        assert_false(is_record);
    }
}

/* ---- Arrival */

static void test_arrival_is_the_highest_time_so_far(void **context)
{
    (void)context;
    struct buffer text = {0};
    event(&text, "a", T);
    event(&text, "b", T + 60 * S);
    event(&text, "c", T + 30 * S);
    buffer_format(&text, "no JSON\n");
    event(&text, "e", T + HOUR); /* ahead of c and of f: does not raise time */
    event(&text, "f", T + 90 * S);
    event(&text, "g", T + 2 * HOUR); /* ahead of f, not of i: raises it */
    buffer_format(&text, "{\"event_id\": 7}\n");
    event(&text, "i", T + 2 * HOUR + 10 * S);
    event(&text, "j", T + 2 * HOUR + 10 * S + SKEW); /* by skew, not by more */
    event(&text, "k", T + 2 * HOUR + 20 * S);
    event(&text, "l", T + 5 * HOUR); /* nothing after it */
    char *path = text_file("events.jsonl", &text);
    struct prediction_log *log = log_of(path, NULL);
    const enum topic events = TOPIC_INFERENCE_EVENTS;
    expect(log, events, 1, "a", T);
    expect(log, events, 2, "b", T + 60 * S);
    expect(log, events, 3, "c", T + 60 * S);
    expect(log, events, 4, NULL, T + 60 * S);
    expect(log, events, 5, "e", T + 60 * S);
    expect(log, events, 6, "f", T + 90 * S);
    expect(log, events, 7, "g", T + 2 * HOUR);
    expect(log, events, 8, NULL, T + 2 * HOUR);
    expect(log, events, 9, "i", T + 2 * HOUR + 10 * S);
    expect(log, events, 10, "j", T + 2 * HOUR + 10 * S + SKEW);
    expect(log, events, 11, "k", T + 2 * HOUR + 10 * S + SKEW);
    assert_int_equal(prediction_log_highest_ms(log), T + 2 * HOUR + 10 * S + SKEW);
    expect(log, events, 12, "l", T + 5 * HOUR);
    expect_end(log);
    prediction_log_close(log);
    drop(path);
    buffer_fini(&text);
}

static void test_first_event_has_none_before_it(void **context)
{
    (void)context;
    struct buffer text = {0};
    event(&text, "a", T + HOUR); /* ahead of b, but of nothing before: raises time */
    event(&text, "b", T);
    char *path = text_file("events.jsonl", &text);
    struct prediction_log *log = log_of(path, NULL);
    expect(log, TOPIC_INFERENCE_EVENTS, 1, "a", T + HOUR);
    expect(log, TOPIC_INFERENCE_EVENTS, 2, "b", T + HOUR);
    expect_end(log);
    prediction_log_close(log);
    drop(path);
    buffer_fini(&text);
}

static void test_given_arrival_counts_and_never_falls(void **context)
{
    (void)context;
    struct buffer text = {0};
    buffer_format(&text, "{\"event_id\":\"a\",\"event_time\":%lld,\"arrival_time\":%lld}\n",
                  (long long)T, (long long)(T + 10 * S));
    event(&text, "b", T + 5 * S);
    event(&text, "c", T + 20 * S);
    buffer_format(&text, "{\"event_id\":\"d\",\"arrival_time\":%lld}\n", (long long)(T + 15 * S));
    buffer_format(&text, "{\"event_id\":\"e\",\"event_time\":-5,\"arrival_time\":1e3}\n");
    char *path = text_file("events.jsonl", &text);
    struct prediction_log *log = log_of(path, NULL);
    expect(log, TOPIC_INFERENCE_EVENTS, 1, "a", T + 10 * S);
    expect(log, TOPIC_INFERENCE_EVENTS, 2, "b", T + 10 * S);
    expect(log, TOPIC_INFERENCE_EVENTS, 3, "c", T + 20 * S);
    expect(log, TOPIC_INFERENCE_EVENTS, 4, "d", T + 20 * S);
    expect(log, TOPIC_INFERENCE_EVENTS, 5, "e", T + 20 * S); /* neither is a time */
    expect_end(log);
    prediction_log_close(log);
    drop(path);
    buffer_fini(&text);
}

static void test_event_after_is_looked_for_within_bounds(void **context)
{
    (void)context;
    /* 1,000 malformed lines lie between: the event after is found, and time is not raised. 2,000:
     * it is not looked for so far. */
    static const struct {
        int between;
        int64_t arrival_ms;
    } cases[] = {{1000, T}, {2000, T + HOUR}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer text = {0};
        event(&text, "a", T);
        event(&text, "b", T + HOUR);
        for (int j = 0; j < cases[i].between; j++)
            buffer_format(&text, "{\n");
        event(&text, "c", T + 1);
        char *path = text_file("events.jsonl", &text);
        struct prediction_log *log = log_of(path, NULL);
        expect(log, TOPIC_INFERENCE_EVENTS, 1, "a", T);
        expect(log, TOPIC_INFERENCE_EVENTS, 2, "b", cases[i].arrival_ms);
        expect(log, TOPIC_INFERENCE_EVENTS, 3, NULL, cases[i].arrival_ms);
        prediction_log_close(log); /* with lines waiting */
        drop(path);
        buffer_fini(&text);
    }
}

/* ---- Merge */

static void test_merge_is_by_arrival_events_first(void **context)
{
    (void)context;
    struct buffer events = {0}, labels = {0};
    event(&events, "a", T);
    event(&events, "b", T + 10);
    event(&events, "c", T + 20);
    label(&labels, "a", T);
    label(&labels, "b", T + 10);
    label(&labels, "c", T + 5);         /* the running maximum: T + 10 */
    label(&labels, "d", T + 10 * HOUR); /* a label is taken at its word, however far ahead */
    label(&labels, "e", T + 30);
    char *event_path = text_file("events.jsonl", &events);
    char *label_path = text_file("labels.jsonl", &labels);
    struct prediction_log *log = log_of(event_path, label_path);
    expect(log, TOPIC_INFERENCE_EVENTS, 1, "a", T);
    expect(log, TOPIC_GROUND_TRUTH, 1, "a", T);
    expect(log, TOPIC_INFERENCE_EVENTS, 2, "b", T + 10);
    expect(log, TOPIC_GROUND_TRUTH, 2, "b", T + 10);
    expect(log, TOPIC_GROUND_TRUTH, 3, "c", T + 10);
    expect(log, TOPIC_INFERENCE_EVENTS, 3, "c", T + 20);
    expect(log, TOPIC_GROUND_TRUTH, 4, "d", T + 10 * HOUR);
    expect(log, TOPIC_GROUND_TRUTH, 5, "e", T + 10 * HOUR);
    expect_end(log);
    prediction_log_close(log);
    log = log_of(NULL, label_path);
    expect(log, TOPIC_GROUND_TRUTH, 1, "a", T);
    prediction_log_close(log);
    drop(event_path);
    drop(label_path);
    buffer_fini(&events);
    buffer_fini(&labels);
}

static void test_close_is_the_last_window_and_its_correction(void **context)
{
    (void)context;
    struct buffer text = {0};
    event(&text, "a", T + 2 * HOUR); /* 10^12 ms = 277,777 h 46 min 40 s */
    char *path = text_file("events.jsonl", &text);
    struct prediction_log *log = log_of(path, NULL);
    int64_t hours[] = {HOUR}, days[] = {HOUR, 24 * HOUR};
    const struct contract first = {
        .rolling_ms = hours, .rolling_count = 1, .correction_ms = 50 * HOUR};
    const struct contract second = {.rolling_ms = days, .rolling_count = 2, .correction_ms = 10};
    const struct contract *both[] = {&first, &second};
    expect(log, TOPIC_INFERENCE_EVENTS, 1, "a", T + 2 * HOUR);
    /* The hour that holds it ends at 277,780 h; the day, 11,574 days from the epoch, at 11,575 days
     * = 277,800 h. */
    assert_int_equal(prediction_log_close_ms(log, both, 1), (INT64_C(277780) + 50) * HOUR + 1);
    assert_int_equal(prediction_log_close_ms(log, both + 1, 1), INT64_C(277800) * HOUR + 10 + 1);
    assert_int_equal(prediction_log_close_ms(log, both, 2), (INT64_C(277780) + 50) * HOUR + 1);
    assert_int_equal(prediction_log_close_ms(log, NULL, 0), T + 2 * HOUR);
    prediction_log_close(log);
    drop(path);
    buffer_fini(&text);
}

/* ---- Files */

static void test_lines_are_passed_on_as_they_are(void **context)
{
    (void)context;
    static const char text[] =
        "\n{\"event_id\": \"a\",  \"event_time\": 1}\r\n \r\n\xff\n{\"x\":1}";
    char *path = file_of("events.jsonl", text, sizeof text - 1);
    struct prediction_log *log = log_of(path, NULL);
    static const char *const lines[] = {"{\"event_id\": \"a\",  \"event_time\": 1}\r", "\xff",
                                        "{\"x\":1}"};
    static const size_t numbers[] = {2, 4, 5}; /* empty lines are passed over, but counted */
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct prediction_record record;
        struct reason reason = {""};
        bool is_record;
        assert_int_equal(prediction_log_next(log, &is_record, &record, &reason), FAULT_NONE);
        assert_true(is_record);
        assert_true(span_is(record.value, lines[i]));
        assert_int_equal(record.line, numbers[i]);
    }
    expect_end(log);
    prediction_log_close(log);
    drop(path);
}

static void test_a_line_beyond_the_limit_is_cut(void **context)
{
    (void)context;
    struct buffer text = {0};
    buffer_format(&text, "{\"event_id\": \"a\", \"event_time\": %lld, \"x\": \"", (long long)T);
    while (text.size < 3 * 1024 * 1024)
        buffer_append_byte(&text, 'x');
    buffer_format(&text, "\"}\n");
    event(&text, "b", T);
    char *path = text_file("events.jsonl", &text);
    struct prediction_log *log = log_of(path, NULL);
    struct prediction_record record;
    struct reason reason = {""};
    bool is_record;
    assert_int_equal(prediction_log_next(log, &is_record, &record, &reason), FAULT_NONE);
    assert_true(is_record);
    assert_int_equal(record.value.size, 1024 * 1024);
    assert_memory_equal(record.value.bytes, text.bytes, 1024 * 1024);
    assert_null(record.key.bytes); /* cut, it does not parse */
    expect(log, TOPIC_INFERENCE_EVENTS, 2, "b", T);
    expect_end(log);
    prediction_log_close(log);
    drop(path);
    buffer_fini(&text);
}

/* Lines of 40 kB to 90 kB: they begin and end anywhere in the reader's blocks of 64 KiB. */
static void test_lines_across_blocks_of_a_gzip(void **context)
{
    (void)context;
    enum { LINES = 40 };
    char *path = heap_format("%s/events.jsonl.gz", folder);
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < LINES; i++) {
        struct buffer text = {0};
        event(&text, "a", T + i);
        text.size--; /* without its end: blanks follow */
        for (int j = 0; j < 40000 + 1237 * i; j++)
            buffer_append_byte(&text, ' ');
        buffer_append_byte(&text, '\n');
        assert_int_equal(gzwrite(file, text.bytes, (unsigned)text.size), text.size);
        buffer_fini(&text);
    }
    assert_int_equal(gzclose(file), Z_OK);
    struct prediction_log *log = log_of(path, NULL);
    for (int i = 0; i < LINES; i++)
        expect(log, TOPIC_INFERENCE_EVENTS, (size_t)i + 1, "a", T + i);
    expect_end(log);
    assert_true(prediction_log_share(log) > 0.99);
    prediction_log_close(log);
    drop(path);
}

static void test_csv_becomes_events(void **context)
{
    (void)context;
    static const char text[] = "event_id,event_time,model_name,model_version,amount,country,note,"
                               "prediction,score_up,confidence\n"
                               "7,1000000000000,fraud,2,1.5,DE,,1,0.25,\n"
                               "8,1000000001000,fraud,2,-3,\"a, b\",x,yes,0.5,0.75\n";
    char *path = file_of("events.csv", text, sizeof text - 1);
    struct prediction_log *log = log_of(path, NULL);
    static const char *const wanted[] = {
        "{\"event_id\":\"7\",\"event_time\":1000000000000,\"model_name\":\"fraud\","
        "\"model_version\":\"2\",\"prediction\":1,\"features\":{\"amount\":1.5,"
        "\"country\":\"DE\",\"note\":null},\"scores\":{\"up\":0.25}}",
        "{\"event_id\":\"8\",\"event_time\":1000000001000,\"model_name\":\"fraud\","
        "\"model_version\":\"2\",\"prediction\":\"yes\",\"confidence\":0.75,"
        "\"features\":{\"amount\":-3,\"country\":\"a, b\",\"note\":\"x\"},\"scores\":{\"up\":0.5}}",
    };
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        struct prediction_record record;
        struct reason reason = {""};
        bool is_record;
        assert_int_equal(prediction_log_next(log, &is_record, &record, &reason), FAULT_NONE);
        assert_true(is_record);
        char *line = span_copied(record.value);
        assert_string_equal(line, wanted[i]);
        heap_release(line);
        assert_int_equal(record.line, i + 2);
        assert_int_equal(record.arrival_ms, T + (int64_t)i * S);
    }
    expect_end(log);
    prediction_log_close(log);
    drop(path);
}

static void test_faults(void **context)
{
    (void)context;
    struct prediction_log *log = NULL;
    struct reason reason = {""};
    struct prediction_log_options options = {.events = "/nowhere/events.jsonl", .skew_ms = SKEW};
    assert_int_equal(prediction_log_open(&options, &log, &reason), FAULT_FILE_UNREADABLE);
    assert_non_null(strstr(reason.text, "/nowhere/events.jsonl"));
    options.events = folder;
    assert_int_equal(prediction_log_open(&options, &log, &reason), FAULT_FILE_UNREADABLE);
    assert_null(log);

    /* A gzip cut short: the lines before are given, then the fault. */
    struct buffer text = {0};
    for (int i = 0; i < 20000; i++)
        event(&text, "a", T + i * 7919 % 1000);
    char *path = heap_format("%s/cut.jsonl.gz", folder);
    gzFile file = gzopen(path, "wb");
    assert_int_equal(gzwrite(file, text.bytes, (unsigned)text.size), text.size);
    assert_int_equal(gzclose(file), Z_OK);
    assert_int_equal(truncate(path, 4000), 0);
    log = log_of(path, NULL);
    bool is_record = true;
    enum fault fault = FAULT_NONE;
    size_t count = 0;
    while (fault == FAULT_NONE && is_record) {
        struct prediction_record record;
        fault = prediction_log_next(log, &is_record, &record, &reason);
        count += fault == FAULT_NONE && is_record;
    }
    assert_int_equal(fault, FAULT_FILE_MALFORMED);
    assert_non_null(strstr(reason.text, "cut.jsonl.gz"));
    assert_true(count < 20000);
    prediction_log_close(log);
    drop(path);
    buffer_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrival_is_the_highest_time_so_far),
        cmocka_unit_test(test_first_event_has_none_before_it),
        cmocka_unit_test(test_given_arrival_counts_and_never_falls),
        cmocka_unit_test(test_event_after_is_looked_for_within_bounds),
        cmocka_unit_test(test_merge_is_by_arrival_events_first),
        cmocka_unit_test(test_close_is_the_last_window_and_its_correction),
        cmocka_unit_test(test_lines_are_passed_on_as_they_are),
        cmocka_unit_test(test_a_line_beyond_the_limit_is_cut),
        cmocka_unit_test(test_lines_across_blocks_of_a_gzip),
        cmocka_unit_test(test_csv_becomes_events),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
