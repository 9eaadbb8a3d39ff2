/* Goal: a list prints the same bytes however its objects came: one JSON array, one object a line,
 * or tables of 80 columns in which nothing is lost; and an object of ours has its fields in the
 * order that INTERFACES.md gives. Method: small lists printed into memory and compared with texts
 * written by hand. */
#include "memory/heap.h"
#include "services/plumb/listing.h"
#include "services/plumb/presentation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static char *printed(struct listing *listing)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(listing_print(listing, file));
    const long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    char *text = heap_zeroed((size_t)size + 1, 1);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    (void)fclose(file);
    listing_destroy(listing);
    return text;
}

static void expect(struct listing *listing, const char *wanted)
{
    char *text = printed(listing);
    assert_string_equal(text, wanted);
    heap_release(text);
}

static json_t *signal_of(int64_t time_ms, const char *model, const char *mode, const char *reason)
{
    json_t *value = json_pack("{s:s, s:I, s:s, s:s}", "mode", mode, "time", (json_int_t)time_ms,
                              "model", model, "reason", reason);
    json_t *object = presentation_of(TOPIC_SERVING_SIGNALS, value);
    json_decref(value);
    return object;
}

static struct listing *signals(const char *form)
{
    struct listing *listing = listing_open(form);
    listing_add(listing, signal_of(862876830000, "fraud", "NORMAL", "resolved"));
    listing_add(listing, signal_of(862876800000, "fraud", "DEGRADED", "b"));
    listing_add(listing, signal_of(862876800000, "fraud", "DEGRADED", "a"));
    assert_int_equal(listing_count(listing), 3);
    return listing;
}

#define LINE(time, mode, reason)                                                                   \
    "{\"record\":\"signal\",\"time\":" time ",\"model\":\"fraud\",\"mode\":\"" mode                \
    "\",\"reason\":\"" reason "\"}"

static void test_json_forms(void **context)
{
    (void)context;
    static const char first[] = LINE("862876800000", "DEGRADED", "a");
    static const char second[] = LINE("862876800000", "DEGRADED", "b");
    static const char third[] = LINE("862876830000", "NORMAL", "resolved");
    char *lines = heap_format("%s\n%s\n%s\n", first, second, third);
    char *array = heap_format("[\n%s,\n%s,\n%s\n]\n", first, second, third);
    expect(signals("jsonl"), lines);
    expect(signals("json"), array);
    expect(listing_open("json"), "[]\n");
    expect(listing_open("jsonl"), "");
    heap_release(lines);
    heap_release(array);
}

static void test_table(void **context)
{
    (void)context;
    expect(signals("table"), "TIME                 MODEL  MODE      REASON\n"
                             "1997-05-06 00:00:00  fraud  DEGRADED  a\n"
                             "1997-05-06 00:00:00  fraud  DEGRADED  b\n"
                             "1997-05-06 00:00:30  fraud  NORMAL    resolved\n");
    expect(listing_open("table"), "");
}

/* Wide cells go on in the next line; numbers stand right; control characters are blanks; what
 * stands below has the whole width. */
static void test_table_breaks_wide_cells(void **context)
{
    (void)context;
    static const struct listing_column columns[] = {
        {"name", "NAME", LISTING_WORD}, {"count", "N", LISTING_NUMBER},
        {"list", "LIST", LISTING_TEXT}, {"text", "TEXT", LISTING_TEXT},
        {"said", "", LISTING_BELOW},    {NULL, NULL, LISTING_TEXT},
    };
    struct listing *listing = listing_open("table");
    listing_columns(listing, columns);
    listing_add(listing, json_pack("{s:s, s:i, s:[s,s,s], s:s, s:s}", "name", "first", "count", 7,
                                   "list", "vicprice", "vicdemand", "transfer", "text",
                                   "one two three four five six seven eight nine ten eleven twelve "
                                   "thirteen",
                                   "said",
                                   "a sentence that is longer than the width of the table and so "
                                   "takes two lines\x1b"));
    listing_add(listing, json_pack("{s:s, s:f, s:n, s:s, s:n}", "name", "second", "count", 1234.5,
                                   "list", "text", "\xc3\xa9\xc3\xa9", "said"));
    expect(listing,
           "NAME       N  LIST                           TEXT\n"
           "first      7  vicprice, vicdemand, transfer  one two three four five six seven\n"
           "                                             eight nine ten eleven twelve\n"
           "                                             thirteen\n"
           "  a sentence that is longer than the width of the table and so takes two lines\n"
           "second  1234  -                              \xc3\xa9\xc3\xa9\n");
}

static void test_lines_are_at_most_80_wide(void **context)
{
    (void)context;
    struct listing *listing = listing_open("table");
    char name[200];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    listing_add(listing, signal_of(862876800000, name, "FALLBACK", name));
    char *text = printed(listing);
    size_t letters = 0;
    for (const char *line = text; *line != '\0';) {
        const size_t size = strcspn(line, "\n");
        assert_true(size <= 80);
        for (size_t i = 0; i < size; i++)
            letters += line[i] == 'x';
        line += size + 1;
    }
    assert_int_equal(letters, 2 * (sizeof name - 1)); /* nothing is cut off */
    heap_release(text);
}

/* Records of different kinds: measurements before alerts before dead letters, each a table of its
 * own. */
static void test_kinds_are_kept_apart(void **context)
{
    (void)context;
    struct listing *listing = listing_open("table");
    const struct header headers[] = {{"plumb-line", span_text("12")},
                                     {"plumb.reason", span_text("range")},
                                     {"plumb.column", span_text("x")}};
    const struct record letter = {.topic = TOPIC_INFERENCE_DEAD_LETTER,
                                  .headers = headers,
                                  .header_count = COUNT_OF(headers)};
    listing_add(listing, presentation_record(&letter));
    listing_add(listing, signal_of(862876800000, "fraud", "NORMAL", "r"));
    expect(listing, "TIME                 MODEL  MODE    REASON\n"
                    "1997-05-06 00:00:00  fraud  NORMAL  r\n"
                    "\n"
                    "LINE  REASON  COLUMN  DETAIL\n"
                    "  12  range   x       -\n");
}

static void test_fields_are_in_order(void **context)
{
    (void)context;
    static const struct {
        enum topic topic;
        const char *fields;
    } kinds[] = {
        {TOPIC_MEASUREMENTS,
         "record id revision model version role segment window_start window_end kind column metric "
         "preset reference value threshold p_value e_value n_reference n_current state "
         "contributions offsets reference_hash contract_revision"},
        {TOPIC_ALERTS,
         "record fingerprint time kind severity state model version role segment columns "
         "window_start window_end started_at sentence owner runbook evidence offsets"},
        {TOPIC_RETRAIN_TRIGGERS,
         "record trigger_id time model version reason alerts measurements data parameters"},
        {TOPIC_ROLLOUT_DECISIONS, "record id time model version decision blocked_by evidence"},
        {TOPIC_SERVING_SIGNALS, "record time model mode reason"},
    };
    json_t *empty = json_object();
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        json_t *object = presentation_of(kinds[i].topic, empty);
        char fields[400] = "";
        const char *name;
        json_t *value;
        json_object_foreach(object, name, value)
        {
            const size_t size = strlen(fields);
            (void)snprintf(fields + size, sizeof fields - size, "%s%s", size == 0 ? "" : " ", name);
            assert_true(json_is_null(value) == (strcmp(name, "record") != 0));
        }
        assert_string_equal(fields, kinds[i].fields);
        json_decref(object);
    }
    json_decref(empty);
}

static void test_dead_letter_headers(void **context)
{
    (void)context;
    const struct header headers[] = {{"plumb-line", span_text("12x")},
                                     {"plumb.reason", span_text("malformed")},
                                     {"plumb.detail", span_text("bad\xff")}};
    const struct record letter = {.headers = headers, .header_count = COUNT_OF(headers)};
    json_t *object = presentation_of_dead_letter(&letter);
    assert_true(json_is_null(json_object_get(object, "line"))); /* not a number: not sent by us */
    assert_true(json_is_null(json_object_get(object, "column")));
    assert_string_equal(json_string_value(json_object_get(object, "reason")), "malformed");
    assert_string_equal(json_string_value(json_object_get(object, "detail")), "bad?");
    json_decref(object);
}

/* Pages keep the order in which rows came, and the whole is one array whatever the page. */
static void test_pages(void **context)
{
    (void)context;
    for (size_t rows = 1; rows < 5; rows++) {
        struct listing *listing = listing_open("json");
        listing_page(listing, 10);
        for (size_t i = 0; i < rows; i++)
            listing_add(listing, json_pack("{s:i}", "n", (int)(10 - i)));
        char *text = printed(listing);
        json_t *array = json_loads(text, 0, NULL);
        assert_int_equal(json_array_size(array), rows);
        for (size_t i = 0; i < rows; i++)
            assert_int_equal(json_integer_value(json_object_get(json_array_get(array, i), "n")),
                             10 - i);
        json_decref(array);
        heap_release(text);
    }
}

/* What is printed in pages goes to the standard output: a file stands in its place. */
static void test_page_by_page(void **context)
{
    (void)context;
    static const char *const forms[] = {"json", "jsonl"};
    static const char *const wanted[] = {"[\n{\"n\":2},\n{\"n\":1},\n{\"n\":0}\n]\n",
                                         "{\"n\":2}\n{\"n\":1}\n{\"n\":0}\n"};
    for (size_t form = 0; form < COUNT_OF(forms); form++) {
        char path[] = "/tmp/test_listing_XXXXXX";
        const int file = mkstemp(path), kept = dup(STDOUT_FILENO);
        assert_true(file >= 0 && kept >= 0);
        (void)fflush(stdout);
        (void)dup2(file, STDOUT_FILENO);
        struct listing *listing = listing_open(forms[form]);
        listing_page(listing, 2);
        for (int i = 2; i >= 0; i--)
            listing_add(listing, json_pack("{s:i}", "n", i));
        const size_t held = listing_count(listing);
        const bool written = listing_close(listing);
        (void)dup2(kept, STDOUT_FILENO);
        (void)close(kept);
        assert_int_equal(held, 1);
        assert_true(written);
        char text[100] = "";
        assert_true(pread(file, text, sizeof text - 1, 0) > 0);
        (void)close(file);
        (void)unlink(path);
        assert_string_equal(text, wanted[form]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_page_by_page),
        cmocka_unit_test(test_json_forms),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_breaks_wide_cells),
        cmocka_unit_test(test_lines_are_at_most_80_wide),
        cmocka_unit_test(test_kinds_are_kept_apart),
        cmocka_unit_test(test_fields_are_in_order),
        cmocka_unit_test(test_dead_letter_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
