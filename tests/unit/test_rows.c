/* Goal: CSV and JSONL files, plain or gzipped, give the rows they hold, and each malformed one a
 * line that names its place. Method: files written to a temporary folder, read back; a table of
 * refused contents with the whole message. */
#include "memory/heap.h"
#include "model/rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
/* after the system's */
#include <cmocka.h>

static char folder[] = "/tmp/plumb-rows-XXXXXX";

static char *write_file(const char *name, const void *bytes, size_t size)
{
    char *path = heap_format("%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

static char *write_gzip(const char *name, const char *text)
{
    char *path = heap_format("%s/%s", folder, name);
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), (int)strlen(text));
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

static struct rows *opened(const char *path)
{
    struct rows *rows = NULL;
    struct reason reason = {""};
    if (rows_open(path, &rows, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    return rows;
}

static void assert_next(struct rows *rows, size_t line)
{
    bool is_row = false;
    struct reason reason = {""};
    if (rows_next(rows, &is_row, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    assert_true(is_row);
    assert_int_equal(rows_line(rows), line);
}

static void assert_end(struct rows *rows)
{
    for (int i = 0; i < 2; i++) { /* the end stays the end */
        bool is_row = true;
        struct reason reason;
        assert_int_equal(rows_next(rows, &is_row, &reason), FAULT_NONE);
        assert_false(is_row);
    }
}

static void assert_text(struct value value, const char *expected)
{
    if (expected == NULL) {
        assert_int_equal(value.kind, VALUE_NULL);
        return;
    }
    assert_int_equal(value.kind, VALUE_TEXT);
    assert_true(span_is(value.text, expected));
}

static void check_csv(const char *path)
{
    struct rows *rows = opened(path);
    assert_int_equal(rows_format(rows), ROWS_CSV);
    assert_int_equal(rows_column_count(rows), 3);
    assert_string_equal(rows_column(rows, 0), "a");
    assert_string_equal(rows_column(rows, 1), "b,c");
    assert_next(rows, 2);
    assert_text(rows_value(rows, "a"), "1");
    assert_text(rows_value(rows, "b,c"), "x y");
    assert_text(rows_value(rows, "d"), NULL);
    assert_int_equal(rows_value(rows, "e").kind, VALUE_MISSING);
    assert_null(rows_object(rows));
    assert_next(rows, 4);
    assert_text(rows_field(rows, 0), "say \"hi\", twice\nand more");
    assert_text(rows_field(rows, 1), "");
    assert_text(rows_field(rows, 2), " z ");
    assert_next(rows, 6);
    assert_text(rows_field(rows, 2), "\xC3\xA4");
    assert_end(rows);
    rows_close(rows);
}

#define CSV_BODY(end)                                                                              \
    "a,\"b,c\",d" end "1,x y," end end "\"say \"\"hi\"\", twice" end "and more\",\"\", z " end     \
    ",,\xC3\xA4"

static void test_csv(void **state)
{
    (void)state;
    const char *const bodies[] = {
        CSV_BODY("\n"),
        CSV_BODY("\n") "\n",
        CSV_BODY("\r\n") "\r\n",
        "\xEF\xBB\xBF" CSV_BODY("\r\n"),
    };
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        char *plain = write_file("rows.csv", bodies[i], strlen(bodies[i]));
        char *other = write_file("rows.txt", bodies[i], strlen(bodies[i]));
        char *packed = write_gzip("rows.csv.gz", bodies[i]);
        check_csv(plain);
        check_csv(other);
        check_csv(packed);
        heap_release(plain);
        heap_release(other);
        heap_release(packed);
    }
}

static void test_jsonl(void **state)
{
    (void)state;
    const char *text = "{\"a\": 1, \"b\": 1.5, \"c\": \"x\", \"d\": null, \"e\": [1]}\n\n"
                       "{\"features\": {\"a\": true}, \"scores\": {\"up\": 0.25}}\r\n";
    char *paths[] = {write_file("rows.jsonl", text, strlen(text)),
                     write_file("rows.dat", text, strlen(text)),
                     write_gzip("rows.ndjson.gz", text)};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct rows *rows = opened(paths[i]);
        assert_int_equal(rows_format(rows), ROWS_JSONL);
        assert_next(rows, 1);
        struct value a = rows_value(rows, "a"), b = rows_value(rows, "b");
        assert_true(a.kind == VALUE_LONG && a.integer == 1 && a.number == 1);
        assert_true(b.kind == VALUE_DOUBLE && b.number == 1.5);
        assert_text(rows_value(rows, "c"), "x");
        assert_text(rows_value(rows, "d"), NULL);
        assert_int_equal(rows_value(rows, "e").kind, VALUE_OTHER);
        assert_int_equal(rows_value(rows, "f").kind, VALUE_MISSING);
        assert_next(rows, 3);
        a = rows_value(rows, "a");
        assert_true(a.kind == VALUE_BOOLEAN && a.boolean);
        assert_true(rows_value(rows, "score_up").number == 0.25);
        assert_int_equal(rows_value(rows, "score_down").kind, VALUE_MISSING);
        assert_end(rows);
        rows_close(rows);
        heap_release(paths[i]);
    }
}

static void test_raw_lines(void **state)
{
    (void)state;
    const char *text = "{\"a\": 1}\nnot json\n\nlast\xFF";
    char *path = write_file("raw.jsonl", text, strlen(text));
    struct rows *rows = opened(path);
    const char *const lines[] = {"{\"a\": 1}", "not json", "", "last\xFF"};
    struct reason reason;
    struct span line;
    bool is_row;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_int_equal(rows_next_line(rows, &is_row, &line, &reason), FAULT_NONE);
        assert_true(is_row && span_is(line, lines[i]));
        assert_int_equal(rows_line(rows), i + 1);
    }
    assert_int_equal(rows_next_line(rows, &is_row, &line, &reason), FAULT_NONE);
    assert_false(is_row);
    rows_close(rows);
    heap_release(path);
}

/* A row over several fills of the input buffer. */
static void test_long_row(void **state)
{
    (void)state;
    const size_t size = 700 * 1000;
    char *text = heap_zeroed(size + 64, 1);
    memcpy(text, "a,b\n1,", 6);
    memset(text + 6, 'x', size);
    memcpy(text + 6 + size, "\n2,y\n", 5);
    char *path = write_file("long.csv", text, 6 + size + 5);
    struct rows *rows = opened(path);
    assert_next(rows, 2);
    assert_int_equal(rows_field(rows, 1).text.size, size);
    assert_next(rows, 3);
    assert_text(rows_field(rows, 1), "y");
    assert_end(rows);
    rows_close(rows);
    heap_release(path);
    heap_release(text);
}

static void assert_refused(const char *path, enum fault expected_fault, const char *expected)
{
    struct rows *rows = NULL;
    struct reason reason = {""};
    enum fault fault = rows_open(path, &rows, &reason);
    for (bool is_row = true; fault == FAULT_NONE && is_row;)
        fault = rows_next(rows, &is_row, &reason);
    assert_int_equal(fault, expected_fault);
    const size_t size = strlen(path);
    if (strncmp(reason.text, path, size) != 0 ||
        strncmp(reason.text + size, expected, strlen(expected)) != 0)
        fail_msg("'%s', not '%s'", reason.text, expected);
    rows_close(rows);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *message;
    } refused[] = {
        {"x.csv", "", ":1: no header line: the file is empty"},
        {"x.csv", "\n\n", ":3: no header line: the file is empty"},
        {"x.csv", "a,b,a\n", ":1: two columns are named 'a'"},
        {"x.csv", "a,b\n1,2\n1\n", ":3: 1 fields where the header has 2"},
        {"x.csv", "a,b\n1,2,3\n", ":2: 3 fields where the header has 2"},
        {"x.csv", "a,b\n1,\"2\n3,4\n", ":2: the quotes are not closed"},
        {"x.csv", "a,b\n1,2\"3\"\n", ":2: a quote or text where a comma was due"},
        {"x.csv", "a,b\n\"1\"2,3\n", ":2: a quote or text where a comma was due"},
        {"x.csv", "a,b\n1,\xFF\n", ":2: not UTF-8, or a zero byte"},
        {"x.jsonl", "{\"a\": 1}\n{\"a\": }\n", ":2:7: "},
        {"x.jsonl", "{\"a\": 1}\n\n[1]\n", ":3: not a JSON object"},
        {"x.jsonl", "{\"a\": 1, \"a\": 2}\n", ":1:12: "},
        {"x.jsonl", "{\"a\": \"\xFF\"}\n", ":1:7: "},
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        char *path = write_file(refused[i].name, refused[i].text, strlen(refused[i].text));
        assert_refused(path, FAULT_FILE_MALFORMED, refused[i].message);
        heap_release(path);
    }
    char *path = write_file("zero.csv", "a,b\n1,\0\n", 8);
    assert_refused(path, FAULT_FILE_MALFORMED, ":2: not UTF-8, or a zero byte");
    heap_release(path);
    path = heap_format("%s/absent.csv", folder);
    assert_refused(path, FAULT_FILE_UNREADABLE, ": No such file or directory");
    heap_release(path);
    assert_refused(folder, FAULT_FILE_UNREADABLE, ": Is a directory");
}

static void test_cut_gzip(void **state)
{
    (void)state;
    char *whole = write_gzip("whole.csv.gz", "a,b\n1,2\n3,4\n5,6\n");
    unsigned char bytes[256];
    FILE *file = fopen(whole, "rb");
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    assert_int_equal(fclose(file), 0);
    char *path = write_file("cut.csv.gz", bytes, size - 10);
    struct rows *rows = NULL;
    struct reason reason = {""};
    enum fault fault = rows_open(path, &rows, &reason);
    for (bool is_row = true; fault == FAULT_NONE && is_row;)
        fault = rows_next(rows, &is_row, &reason);
    assert_int_equal(fault, FAULT_FILE_MALFORMED);
    assert_non_null(strstr(reason.text, "not whole as a gzip file"));
    rows_close(rows);
    heap_release(path);
    heap_release(whole);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number;
    } numbers[] = {
        {"0", 0},
        {"-1.5", -1.5},
        {"+2", 2},
        {".5", 0.5},
        {"1.", 1},
        {"1e3", 1000},
        {"1E-2", 0.01},
        {"inf", HUGE_VAL},
        {"-Infinity", -HUGE_VAL},
        {"1e999", HUGE_VAL},
    };
    double number;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        assert_true(rows_parse_number(span_text(numbers[i].text), &number));
        assert_true(number == numbers[i].number);
    }
    assert_true(rows_parse_number(span_text("NaN"), &number) && isnan(number));
    const char *const refused[] = {"",   " 1",     "1 ",  "0x10", "1,5",   "abc",   "1e",
                                   "e5", "nan(1)", "--1", ".",    "infin", "1_000", "+"};
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_false(rows_parse_number(span_text(refused[i]), &number));
    assert_false(rows_parse_number(span_of("1\0", 2), &number));
}

static int remove_folder(void **state)
{
    (void)state;
    const char *const names[] = {"rows.csv",  "rows.txt",       "rows.csv.gz", "rows.jsonl",
                                 "rows.dat",  "rows.ndjson.gz", "raw.jsonl",   "long.csv",
                                 "x.csv",     "x.jsonl",        "zero.csv",    "whole.csv.gz",
                                 "cut.csv.gz"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char *path = heap_format("%s/%s", folder, names[i]);
        (void)unlink(path);
        heap_release(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),       cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_raw_lines), cmocka_unit_test(test_long_row),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_cut_gzip),
        cmocka_unit_test(test_numbers),
    };
    if (mkdtemp(folder) == NULL)
        return 1;
    return cmocka_run_group_tests(tests, NULL, remove_folder);
}
