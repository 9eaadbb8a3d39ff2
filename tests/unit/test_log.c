/* Goal: a line is what log.h says in logfmt and JSON, hostile text cannot forge a line or break
 * JSON, repeats are counted and said once. Method: the clock is this file's own (linked instead of
 * common/clock), stderr is a file that is read back. */
#include "clock/wall.h"
#include "log/escape.h"
#include "log/log.h"
#include "memory/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <unistd.h>

/* The clock of this test. */
static int64_t now_ms = 1700000000123, monotonic_ns = 5;
int64_t wall_now_ms(void)
{
    return now_ms;
}
int64_t monotonic_now_ns(void)
{
    return monotonic_ns;
}
char *wall_text(int64_t time_ms, char *buffer)
{
    assert_int_equal(time_ms, now_ms);
    (void)snprintf(buffer, 32, "2023-11-14 22:13:20");
    return buffer;
}

static FILE *captured;
static int stderr_before;
static char text[65536];

static void capture_begin(void)
{
    captured = tmpfile();
    assert_non_null(captured);
    stderr_before = dup(STDERR_FILENO);
    assert_true(dup2(fileno(captured), STDERR_FILENO) >= 0);
}

static const char *capture_end(void)
{
    assert_true(dup2(stderr_before, STDERR_FILENO) >= 0);
    (void)close(stderr_before);
    rewind(captured);
    text[fread(text, 1, sizeof text - 1, captured)] = '\0';
    (void)fclose(captured);
    return text;
}

static void later(int seconds)
{
    monotonic_ns += (int64_t)seconds * 1000000000;
}

static void test_logfmt_line(void **state)
{
    (void)state;
    log_open("validator", LOG_INFO, 0);
    capture_begin();
    log_write(LOG_INFO, "assigned", LOG_TEXT("topic", "inference.events"),
              LOG_NUMBER("partition", -3), LOG_TEXT("note", "two words"), LOG_TEXT("empty", ""),
              LOG_TEXT("none", NULL), LOG_TEXT("equals", "a=b"));
    assert_string_equal(
        capture_end(),
        "time=2023-11-14T22:13:20.123Z level=info service=validator event=assigned "
        "topic=inference.events partition=-3 note=\"two words\" empty=\"\" none=\"\" "
        "equals=\"a=b\"\n");
}

static void test_json_line(void **state)
{
    (void)state;
    log_open("validator", LOG_INFO, 1);
    capture_begin();
    log_write(LOG_INFO, "started", LOG_TEXT("text", "a \"b\" \\ \n \x01 \xff \xc3\xa4"),
              LOG_NUMBER("count", INT64_MIN));
    const char *line = capture_end();
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "time")),
                        "2023-11-14T22:13:20.123Z");
    assert_string_equal(json_string_value(json_object_get(object, "level")), "info");
    assert_string_equal(json_string_value(json_object_get(object, "service")), "validator");
    assert_string_equal(json_string_value(json_object_get(object, "event")), "started");
    assert_string_equal(json_string_value(json_object_get(object, "text")),
                        "a \"b\" \\ \n \x01 \xef\xbf\xbd \xc3\xa4");
    assert_int_equal(json_integer_value(json_object_get(object, "count")), INT64_MIN);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    json_decref(object);
}

static void test_text_forges_no_line(void **state)
{
    (void)state;
    log_open("validator", LOG_INFO, 0);
    capture_begin();
    log_write(LOG_INFO, "started", LOG_TEXT("host", "x\ntime=1 level=error event=forged"));
    const char *line = capture_end();
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_non_null(strstr(line, "host=\"x\\ntime=1 level=error event=forged\""));
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    char long_text[5000];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    log_open("validator", LOG_INFO, 0);
    capture_begin();
    log_write(LOG_INFO, "started", LOG_TEXT("text", long_text));
    const char *line = capture_end();
    assert_in_range(strlen(line), 1024, 1200);
    assert_string_equal(line + strlen(line) - 6, "a...\"\n");
}

static void test_level_least(void **state)
{
    (void)state;
    log_open("validator", LOG_WARN, 0);
    capture_begin();
    log_write(LOG_DEBUG, "a", LOG_NUMBER("n", 1));
    log_write(LOG_INFO, "b", LOG_NUMBER("n", 1));
    assert_string_equal(capture_end(), "");
}

static void test_level_parse(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_int_equal(log_level_parse("debug", &level), 1);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_parse("error", &level), 1);
    assert_int_equal(level, LOG_ERROR);
    assert_int_equal(log_level_parse("loud", &level), 0);
    assert_int_equal(log_level_parse(NULL, &level), 0);
    assert_int_equal(level, LOG_ERROR);
}

static size_t lines(const char *all)
{
    size_t count = 0;
    for (; *all != '\0'; all++)
        count += *all == '\n';
    return count;
}

static void test_repeats_are_said_with_the_next(void **state)
{
    (void)state;
    log_open("validator", LOG_INFO, 0);
    later(100);
    capture_begin();
    for (int i = 0; i < 7; i++)
        log_write(LOG_WARN, "kafka_unreachable", LOG_TEXT("host", "a"), LOG_NUMBER("attempt", i));
    log_write(LOG_WARN, "kafka_unreachable", LOG_TEXT("host", "b"), LOG_NUMBER("attempt", 0));
    later(10);
    log_write(LOG_WARN, "kafka_unreachable", LOG_TEXT("host", "a"), LOG_NUMBER("attempt", 7));
    const char *all = capture_end();
    assert_int_equal(lines(all), 3);
    assert_non_null(strstr(all, "host=a attempt=0\n"));
    assert_non_null(strstr(all, "host=b attempt=0\n"));
    assert_non_null(strstr(all, "host=a attempt=7 suppressed=6\n"));
}

static void test_repeats_are_said_when_over(void **state)
{
    (void)state;
    log_open("validator", LOG_INFO, 0);
    later(100);
    capture_begin();
    for (int i = 0; i < 4; i++)
        log_write(LOG_WARN, "redis_unreachable", LOG_TEXT("host", "a"));
    later(11);
    log_write(LOG_INFO, "redis_back", LOG_TEXT("host", "a"));
    log_write(LOG_INFO, "redis_back", LOG_TEXT("host", "a"));
    const char *all = capture_end();
    assert_int_equal(lines(all), 4);
    assert_non_null(strstr(all, "level=warn service=validator event=redis_unreachable "
                                "suppressed=3\n"));
}

/* More different warnings than are remembered: each is written, nothing counted is lost. */
static void test_repeats_overflow(void **state)
{
    (void)state;
    log_open("validator", LOG_INFO, 0);
    later(100);
    capture_begin();
    log_write(LOG_WARN, "first", LOG_TEXT("host", "a"));
    log_write(LOG_WARN, "first", LOG_TEXT("host", "a"));
    monotonic_ns++;
    for (int i = 0; i < 256; i++) {
        char host[16];
        (void)snprintf(host, sizeof host, "host%d", i);
        log_write(LOG_WARN, "other", LOG_TEXT("host", host));
    }
    const char *all = capture_end();
    assert_int_equal(lines(all), 1 + 256 + 1);
    assert_non_null(strstr(all, "event=first suppressed=1\n"));
}

static void test_escape_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"}, /* cut */
        {"\t\r\n\x7f", "\\t\\r\\n\\u007f"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer out = {0};
        escape_json(&out, span_text(cases[i].from));
        assert_true(span_is(buffer_span(&out), cases[i].to));
        buffer_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logfmt_line),
        cmocka_unit_test(test_json_line),
        cmocka_unit_test(test_text_forges_no_line),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_level_least),
        cmocka_unit_test(test_level_parse),
        cmocka_unit_test(test_repeats_are_said_with_the_next),
        cmocka_unit_test(test_repeats_are_said_when_over),
        cmocka_unit_test(test_repeats_overflow),
        cmocka_unit_test(test_escape_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
