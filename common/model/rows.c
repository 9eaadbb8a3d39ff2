#include "model/rows.h"
#include "avro/utf8.h"
#include "memory/buffer.h"
#include "memory/heap.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <strings.h>
#include <unistd.h>
#include <zlib.h>

enum { INPUT_SIZE = 128 * 1024, ROW_SIZE_MAX = 16 * 1024 * 1024, COLUMNS_MAX = 10000 };

struct field {
    size_t start, size; /* in the row's bytes */
    bool is_null;
};

struct rows {
    char *name;  /* owned */
    gzFile file; /* owned */
    enum rows_format format;
    uint8_t *input; /* owned, [INPUT_SIZE]: read, not yet taken from `next` to `filled` */
    size_t next, filled;
    bool is_ended;
    size_t lines, line;   /* read so far; where the current row begins */
    struct buffer row;    /* the row as it stands in the file; fields are unquoted in place */
    char **columns;       /* owned, CSV: [column_count] */
    struct field *fields; /* owned, CSV: [field_count] of [field_capacity] */
    size_t column_count, field_count, field_capacity;
    json_t *object; /* owned, JSONL */
};

static enum fault refused(const struct rows *rows, struct reason *reason, const char *what)
{
    rows_reason(rows, reason, "%s", what);
    return FAULT_FILE_MALFORMED;
}

static enum fault fill(struct rows *rows, struct reason *reason)
{
    errno = 0;
    const int size = gzread(rows->file, rows->input, INPUT_SIZE);
    int code = Z_OK;
    const char *text = gzerror(rows->file, &code);
    if (code == Z_ERRNO) {
        reason_set(reason, "%s: %s", rows->name, strerror(errno));
        return FAULT_FILE_UNREADABLE;
    }
    if (size < 0 || code != Z_OK) {
        rows_reason(rows, reason, "not whole as a gzip file: %s", text);
        return FAULT_FILE_MALFORMED;
    }
    rows->next = 0;
    rows->filled = (size_t)size;
    rows->is_ended = size == 0;
    return FAULT_NONE;
}

/* Appends the next line, without its end, to the row. */
static enum fault read_line(struct rows *rows, bool *out_is_line, struct reason *reason)
{
    bool has_bytes = false;
    for (;;) {
        if (rows->next == rows->filled && !rows->is_ended) {
            const enum fault fault = fill(rows, reason);
            if (fault != FAULT_NONE)
                return fault;
        }
        if (rows->is_ended)
            break;
        has_bytes = true;
        const uint8_t *start = rows->input + rows->next;
        const size_t left = rows->filled - rows->next;
        const uint8_t *end = memchr(start, '\n', left);
        const size_t size = end == NULL ? left : (size_t)(end - start);
        if (rows->row.size + size > ROW_SIZE_MAX)
            return refused(rows, reason, "the row is longer than 16 MiB");
        buffer_append(&rows->row, start, size);
        rows->next += end == NULL ? size : size + 1;
        if (end != NULL)
            break;
    }
    if (has_bytes) {
        rows->lines++;
        if (rows->row.size > 0 && rows->row.bytes[rows->row.size - 1] == '\r')
            rows->row.size--;
    }
    *out_is_line = has_bytes;
    return FAULT_NONE;
}

enum fault rows_next_line(struct rows *rows, bool *out_is_row, struct span *out_line,
                          struct reason *out_reason)
{
    REQUIRE(rows->format == ROWS_JSONL);
    buffer_clear(&rows->row);
    rows->line = rows->lines + 1;
    const enum fault fault = read_line(rows, out_is_row, out_reason);
    if (fault == FAULT_NONE)
        *out_line = buffer_span(&rows->row);
    return fault;
}

static enum fault add_field(struct rows *rows, struct field field, struct reason *reason)
{
    if (rows->field_count == COLUMNS_MAX)
        return refused(rows, reason, "more than 10,000 columns");
    if (rows->field_count == rows->field_capacity) {
        rows->field_capacity = rows->field_capacity < 16 ? 16 : rows->field_capacity * 2;
        rows->fields = heap_resized(rows->fields, rows->field_capacity, sizeof *rows->fields);
    }
    rows->fields[rows->field_count++] = field;
    return FAULT_NONE;
}

/* A field in quotes, unquoted in place; *position: behind its first quote, then behind its last. */
static enum fault unquote(struct rows *rows, size_t *position, struct field *out_field,
                          struct reason *reason)
{
    uint8_t *bytes = rows->row.bytes;
    size_t from = *position, to = from;
    const size_t start = from;
    for (; from < rows->row.size; from++) {
        if (bytes[from] == '"') {
            if (from + 1 == rows->row.size || bytes[from + 1] != '"')
                break;
            from++;
        }
        bytes[to++] = bytes[from];
    }
    if (from == rows->row.size)
        return refused(rows, reason, "the quotes are not closed");
    *position = from + 1;
    *out_field = (struct field){.start = start, .size = to - start};
    return FAULT_NONE;
}

static enum fault split(struct rows *rows, struct reason *reason)
{
    rows->field_count = 0;
    size_t position = 0;
    for (;;) {
        struct field field = {.start = position};
        enum fault fault = FAULT_NONE;
        if (position < rows->row.size && rows->row.bytes[position] == '"') {
            position++;
            fault = unquote(rows, &position, &field, reason);
        } else {
            while (position < rows->row.size && rows->row.bytes[position] != ',' &&
                   rows->row.bytes[position] != '"')
                position++;
            field.size = position - field.start;
            field.is_null = field.size == 0;
        }
        if (fault == FAULT_NONE)
            fault = add_field(rows, field, reason);
        if (fault != FAULT_NONE)
            return fault;
        if (position == rows->row.size)
            return FAULT_NONE;
        if (rows->row.bytes[position] != ',')
            return refused(rows, reason, "a quote or text where a comma was due");
        position++;
    }
}

/* From this byte on. */
static bool has_odd_quotes(struct span text, size_t first)
{
    bool is_odd = false;
    for (size_t i = first; i < text.size; i++)
        is_odd ^= text.bytes[i] == '"';
    return is_odd;
}

/* A row of CSV with all lines that its quotes span, split into fields. */
static enum fault read_csv(struct rows *rows, bool *out_is_row, struct reason *reason)
{
    bool is_open = false, is_line;
    do {
        const size_t before = rows->row.size;
        const enum fault fault = read_line(rows, &is_line, reason);
        if (fault != FAULT_NONE)
            return fault;
        if (!is_line && !is_open) {
            *out_is_row = false;
            return FAULT_NONE;
        }
        is_open ^= has_odd_quotes(buffer_span(&rows->row), before);
        if (is_open && is_line)
            buffer_append_byte(&rows->row, '\n');
    } while (is_open && is_line);
    *out_is_row = true;
    const struct span text = buffer_span(&rows->row);
    if (!utf8_is_valid(text) || (text.size != 0 && memchr(text.bytes, 0, text.size) != NULL))
        return refused(rows, reason, "not UTF-8, or a zero byte");
    return split(rows, reason);
}

static enum fault read_json(struct rows *rows, bool *out_is_row, struct reason *reason)
{
    const enum fault fault = read_line(rows, out_is_row, reason);
    if (fault != FAULT_NONE || !*out_is_row || rows->row.size == 0)
        return fault;
    json_error_t error;
    rows->object =
        json_loadb((const char *)rows->row.bytes, rows->row.size, JSON_REJECT_DUPLICATES, &error);
    if (rows->object == NULL) {
        reason_set(reason, "%s:%zu:%d: %s", rows->name, rows->line, error.column, error.text);
        return FAULT_FILE_MALFORMED;
    }
    return json_is_object(rows->object) ? FAULT_NONE : refused(rows, reason, "not a JSON object");
}

enum fault rows_next(struct rows *rows, bool *out_is_row, struct reason *out_reason)
{
    bool is_row;
    do {
        json_decref(rows->object);
        rows->object = NULL;
        buffer_clear(&rows->row);
        rows->line = rows->lines + 1;
        const enum fault fault = rows->format == ROWS_CSV ? read_csv(rows, &is_row, out_reason)
                                                          : read_json(rows, &is_row, out_reason);
        if (fault != FAULT_NONE)
            return fault;
    } while (is_row && rows->row.size == 0);
    if (is_row && rows->format == ROWS_CSV && rows->field_count != rows->column_count) {
        rows_reason(rows, out_reason, "%zu fields where the header has %zu", rows->field_count,
                    rows->column_count);
        return FAULT_FILE_MALFORMED;
    }
    *out_is_row = is_row;
    return FAULT_NONE;
}

static bool ends_in(const char *name, size_t size, const char *end)
{
    return size >= strlen(end) && strncasecmp(name + size - strlen(end), end, strlen(end)) == 0;
}

/* By the name, else by the first byte. */
static enum rows_format format_of(const struct rows *rows)
{
    size_t size = strlen(rows->name);
    if (ends_in(rows->name, size, ".gz"))
        size -= 3;
    if (ends_in(rows->name, size, ".csv"))
        return ROWS_CSV;
    if (ends_in(rows->name, size, ".jsonl") || ends_in(rows->name, size, ".ndjson") ||
        ends_in(rows->name, size, ".json"))
        return ROWS_JSONL;
    size_t first = rows->next;
    while (first < rows->filled && strchr(" \t\r\n", rows->input[first]) != NULL)
        first++;
    return first < rows->filled && rows->input[first] == '{' ? ROWS_JSONL : ROWS_CSV;
}

static enum fault read_header(struct rows *rows, struct reason *reason)
{
    bool is_row;
    do {
        buffer_clear(&rows->row);
        rows->line = rows->lines + 1;
        const enum fault fault = read_csv(rows, &is_row, reason);
        if (fault != FAULT_NONE)
            return fault;
        if (!is_row)
            return refused(rows, reason, "no header line: the file is empty");
    } while (rows->row.size == 0);
    rows->columns = heap_zeroed(rows->field_count, sizeof *rows->columns);
    for (size_t i = 0; i < rows->field_count; i++) {
        const struct field field = rows->fields[i];
        char *column = span_copied(span_of(rows->row.bytes + field.start, field.size));
        rows->columns[rows->column_count++] = column;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(rows->columns[j], column) == 0) {
                rows_reason(rows, reason, "two columns are named '%s'", column);
                return FAULT_FILE_MALFORMED;
            }
        }
    }
    return FAULT_NONE;
}

static enum fault begin(struct rows *rows, struct reason *reason)
{
    enum fault fault = fill(rows, reason);
    if (fault != FAULT_NONE)
        return fault;
    if (rows->filled >= 3 && memcmp(rows->input, "\xEF\xBB\xBF", 3) == 0)
        rows->next = 3;
    rows->format = format_of(rows);
    return rows->format == ROWS_CSV ? read_header(rows, reason) : FAULT_NONE;
}

enum fault rows_open(const char *file_name, struct rows **out_rows, struct reason *out_reason)
{
    const bool is_input = strcmp(file_name, "-") == 0;
    errno = 0;
    gzFile file = is_input ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(file_name, "rb");
    if (file == NULL) {
        reason_set(out_reason, "%s: %s", file_name, errno != 0 ? strerror(errno) : "out of memory");
        return FAULT_FILE_UNREADABLE;
    }
    struct rows *rows = heap_zeroed(1, sizeof *rows);
    rows->file = file;
    rows->name = heap_text(file_name);
    rows->input = heap_zeroed(INPUT_SIZE, 1);
    rows->line = 1;
    const enum fault fault = begin(rows, out_reason);
    if (fault != FAULT_NONE) {
        rows_close(rows);
        return fault;
    }
    *out_rows = rows;
    return FAULT_NONE;
}

enum rows_format rows_format(const struct rows *rows)
{
    return rows->format;
}

size_t rows_line(const struct rows *rows)
{
    return rows->line;
}

size_t rows_column_count(const struct rows *rows)
{
    return rows->column_count;
}

const char *rows_column(const struct rows *rows, size_t index)
{
    REQUIRE(index < rows->column_count);
    return rows->columns[index];
}

struct value rows_field(const struct rows *rows, size_t index)
{
    REQUIRE(index < rows->field_count);
    const struct field field = rows->fields[index];
    if (field.is_null)
        return (struct value){.kind = VALUE_NULL};
    return (struct value){.kind = VALUE_TEXT,
                          .text = span_of(rows->row.bytes + field.start, field.size)};
}

json_t *rows_object(const struct rows *rows)
{
    return rows->object;
}

struct value rows_json_value(const json_t *value)
{
    if (value == NULL)
        return (struct value){.kind = VALUE_MISSING};
    switch (json_typeof(value)) {
    case JSON_NULL:
        return (struct value){.kind = VALUE_NULL};
    case JSON_TRUE:
    case JSON_FALSE:
        return (struct value){.kind = VALUE_BOOLEAN, .boolean = json_is_true(value)};
    case JSON_INTEGER:
        return (struct value){.kind = VALUE_LONG,
                              .integer = json_integer_value(value),
                              .number = (double)json_integer_value(value)};
    case JSON_REAL:
        return (struct value){.kind = VALUE_DOUBLE, .number = json_real_value(value)};
    case JSON_STRING:
        return (struct value){.kind = VALUE_TEXT,
                              .text = span_of(json_string_value(value), json_string_length(value))};
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    return (struct value){.kind = VALUE_OTHER};
}

struct value rows_value(const struct rows *rows, const char *name)
{
    if (rows->format == ROWS_CSV) {
        for (size_t i = 0; i < rows->column_count; i++) {
            if (strcmp(rows->columns[i], name) == 0)
                return rows_field(rows, i);
        }
        return (struct value){.kind = VALUE_MISSING};
    }
    const json_t *value = json_object_get(rows->object, name);
    if (value == NULL)
        value = json_object_get(json_object_get(rows->object, "features"), name);
    if (value == NULL && strncmp(name, "score_", 6) == 0)
        value = json_object_get(json_object_get(rows->object, "scores"), name + 6);
    return rows_json_value(value);
}

static bool is_word(const char *text, double *out_number)
{
    const bool is_negative = text[0] == '-';
    if (text[0] == '-' || text[0] == '+')
        text++;
    if (strcasecmp(text, "nan") == 0) {
        *out_number = (double)NAN;
        return true;
    }
    if (strcasecmp(text, "inf") != 0 && strcasecmp(text, "infinity") != 0)
        return false;
    *out_number = is_negative ? -HUGE_VAL : HUGE_VAL;
    return true;
}

bool rows_parse_number(struct span text, double *out_number)
{
    char copy[512];
    if (text.size == 0 || text.size >= sizeof copy || memchr(text.bytes, 0, text.size) != NULL)
        return false;
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = 0;
    if (is_word(copy, out_number))
        return true;
    if (strspn(copy, "0123456789+-.eE") != text.size)
        return false; /* strtod would take blanks, hex digits and names */
    char *end;
    const double number = strtod(copy, &end);
    if (end == copy || *end != 0)
        return false;
    *out_number = number;
    return true;
}

void rows_reason(const struct rows *rows, struct reason *out_reason, const char *format, ...)
{
    char what[200];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    reason_set(out_reason, "%s:%zu: %s", rows->name, rows->line, what);
}

void rows_close(struct rows *rows)
{
    if (rows == NULL)
        return;
    (void)gzclose_r(rows->file);
    for (size_t i = 0; i < rows->column_count; i++)
        heap_release(rows->columns[i]);
    heap_release(rows->columns);
    heap_release(rows->fields);
    heap_release(rows->input);
    heap_release(rows->name);
    buffer_fini(&rows->row);
    json_decref(rows->object);
    heap_release(rows);
}
