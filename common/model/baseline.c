#include "model/baseline.h"
#include "avro/wire.h"
#include "memory/heap.h"

#include <xxhash.h>

enum { COLUMNS_MAX = 10000 };

bool baseline_prediction_is_number(const struct contract *contract)
{
    return contract->task == TASK_REGRESSION || contract->task == TASK_RANKING;
}

struct span baseline_prediction(const struct contract *contract, const struct value *value,
                                char scratch[40])
{
    if (contract->task != TASK_BINARY)
        return value_category(value, scratch);
    bool is_positive = false;
    switch (value->kind) {
    case VALUE_BOOLEAN:
        is_positive = value->boolean;
        break;
    case VALUE_LONG:
    case VALUE_DOUBLE:
        is_positive = value->number == 1;
        break;
    case VALUE_TEXT:
        is_positive = span_is(value->text, "1") || span_is(value->text, "true") ||
                      (contract->positive != NULL && span_is(value->text, contract->positive));
        break;
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_OTHER:
        break;
    }
    return span_text(is_positive ? "1" : "0");
}

static void write_column(struct buffer *out, const struct baseline_column *column)
{
    wire_write_bytes(out, span_text(column->name));
    wire_write_boolean(out, column->is_number);
    const size_t count = cells_count(column->cells);
    wire_write_long(out, (int64_t)count);
    if (cells_is_number(column->cells)) {
        double minimum, maximum;
        size_t cut_count;
        const double *cuts = cells_cuts(column->cells, &cut_count, &minimum, &maximum);
        wire_write_double(out, minimum);
        for (size_t i = 0; i < cut_count; i++)
            wire_write_double(out, cuts[i]);
        wire_write_double(out, maximum);
    } else {
        for (size_t i = 0; i < cells_null(column->cells); i++)
            wire_write_bytes(out, cells_value(column->cells, i));
    }
    for (size_t i = 0; i < count; i++)
        wire_write_long(out, (int64_t)column->counts[i]);
}

/* Of the columns in the order of the contract, which is part of what a baseline is. */
char *baseline_hash(const struct baseline *baseline)
{
    struct buffer bytes = {0};
    for (size_t i = 0; i < baseline->column_count; i++)
        write_column(&bytes, &baseline->columns[i]);
    const XXH128_hash_t hash = XXH3_128bits(bytes.bytes, bytes.size);
    buffer_fini(&bytes);
    return heap_format("%016llx%016llx", (unsigned long long)hash.high64,
                       (unsigned long long)hash.low64);
}

size_t baseline_record_count(const struct baseline *baseline)
{
    return baseline->column_count;
}

/* Adds cuts, minimum, maximum and values: the cut of a column. */
static void record_cut(const struct baseline_column *column, json_t *record)
{
    json_t *cuts = json_array(), *values = json_array();
    json_t *minimum = json_null(), *maximum = json_null();
    if (cells_is_number(column->cells)) {
        size_t cut_count;
        double least, most;
        const double *cut = cells_cuts(column->cells, &cut_count, &least, &most);
        for (size_t i = 0; i < cut_count; i++)
            ENSURE(json_array_append_new(cuts, json_real(cut[i])) == 0);
        minimum = json_real(least);
        maximum = json_real(most);
    } else {
        for (size_t i = 0; i < cells_null(column->cells); i++) {
            const struct span value = cells_value(column->cells, i);
            ENSURE(json_array_append_new(values,
                                         json_stringn((const char *)value.bytes, value.size)) == 0);
        }
    }
    ENSURE(json_object_set_new(record, "cuts", cuts) == 0);
    ENSURE(json_object_set_new(record, "minimum", minimum) == 0);
    ENSURE(json_object_set_new(record, "maximum", maximum) == 0);
    ENSURE(json_object_set_new(record, "values", values) == 0);
}

json_t *baseline_record(const struct baseline *baseline, size_t index)
{
    REQUIRE(index < baseline->column_count);
    const struct baseline_column *column = &baseline->columns[index];
    json_t *record =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "model", baseline->model, "version",
                  baseline->version, "hash", baseline->hash, "column", column->name, "column_count",
                  (json_int_t)baseline->column_total, "rows", (json_int_t)column->rows, "type",
                  column->is_number ? "NUMBER" : "CATEGORY");
    ENSURE(record != NULL);
    record_cut(column, record);
    json_t *counts = json_array();
    for (size_t i = 0; i < cells_count(column->cells); i++)
        ENSURE(json_array_append_new(counts, json_integer((json_int_t)column->counts[i])) == 0);
    ENSURE(json_object_set_new(record, "counts", counts) == 0);
    return record;
}

/* The cut of a record; NULL where it is none. */
static struct cells *read_cells(const json_t *record, bool is_number)
{
    const json_t *cuts = json_object_get(record, "cuts");
    const json_t *values = json_object_get(record, "values");
    const json_t *minimum = json_object_get(record, "minimum");
    const json_t *maximum = json_object_get(record, "maximum");
    const size_t cut_count = json_array_size(cuts), value_count = json_array_size(values);
    if (is_number && json_is_number(minimum) && json_is_number(maximum)) {
        double *cut = heap_zeroed(cut_count, sizeof *cut);
        for (size_t i = 0; i < cut_count; i++)
            cut[i] = json_number_value(json_array_get(cuts, i));
        const double least = json_number_value(minimum), most = json_number_value(maximum);
        struct cells *cells = cells_are_cuts(cut, cut_count, least, most)
                                  ? cells_create_number(cut, cut_count, least, most)
                                  : NULL;
        heap_release(cut);
        return cells;
    }
    if (cut_count != 0 || (is_number && value_count != 0))
        return NULL;
    struct span *value = heap_zeroed(value_count, sizeof *value);
    bool is_ascending = true; /* the counts are in this order */
    for (size_t i = 0; i < value_count; i++) {
        const json_t *item = json_array_get(values, i);
        value[i] = span_of(json_string_value(item), json_string_length(item));
        is_ascending &= json_is_string(item) && (i == 0 || span_order(value[i - 1], value[i]) < 0);
    }
    struct cells *cells = is_ascending ? cells_create_category(value, value_count) : NULL;
    heap_release(value);
    return cells;
}

static bool read_counts(const json_t *counts, struct baseline_column *column)
{
    const size_t count = json_array_size(counts);
    if (count != cells_count(column->cells))
        return false;
    column->counts = heap_zeroed(count, sizeof *column->counts);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(counts, i);
        const json_int_t rows = json_integer_value(item);
        if (!json_is_integer(item) || rows < 0 || rows > INT64_MAX / 2 ||
            column->rows > INT64_MAX / 2)
            return false;
        column->counts[i] = (uint64_t)rows;
        column->rows += (uint64_t)rows;
    }
    return true;
}

static void column_fini(struct baseline_column *column)
{
    heap_release(column->name);
    cells_destroy(column->cells);
    heap_release(column->counts);
}

static bool read_column(const json_t *record, struct baseline_column *out_column)
{
    const char *type = json_string_value(json_object_get(record, "type"));
    const char *name = json_string_value(json_object_get(record, "column"));
    if (type == NULL || name == NULL ||
        (strcmp(type, "NUMBER") != 0 && strcmp(type, "CATEGORY") != 0))
        return false;
    struct baseline_column column = {.is_number = type[0] == 'N'};
    column.cells = read_cells(record, column.is_number);
    if (column.cells == NULL)
        return false;
    column.name = heap_text(name);
    if (!read_counts(json_object_get(record, "counts"), &column)) {
        column_fini(&column);
        return false;
    }
    *out_column = column;
    return true;
}

enum fault baseline_add(struct baseline **baseline, const json_t *record, struct reason *out_reason)
{
    const char *model = json_string_value(json_object_get(record, "model"));
    const char *version = json_string_value(json_object_get(record, "version"));
    const char *hash = json_string_value(json_object_get(record, "hash"));
    const json_int_t total = json_integer_value(json_object_get(record, "column_count"));
    struct baseline *whole = *baseline;
    if (model == NULL || version == NULL || hash == NULL || total < 1 || total > COLUMNS_MAX) {
        reason_set(out_reason, "not a record of a baseline");
        return FAULT_RECORD_MALFORMED;
    }
    if (whole != NULL &&
        (strcmp(model, whole->model) != 0 || strcmp(version, whole->version) != 0 ||
         strcmp(hash, whole->hash) != 0 || (size_t)total != whole->column_total)) {
        reason_set(out_reason, "a column of another baseline of model %s", model);
        return FAULT_RECORD_MALFORMED;
    }
    struct baseline_column column;
    if (!read_column(record, &column)) {
        reason_set(out_reason, "a column's cuts, values or counts do not fit together");
        return FAULT_RECORD_MALFORMED;
    }
    if (whole != NULL &&
        (baseline_column(whole, column.name) != NULL || baseline_is_complete(whole))) {
        column_fini(&column);
        return FAULT_NONE;
    }
    if (whole == NULL) {
        whole = heap_zeroed(1, sizeof *whole);
        whole->model = heap_text(model);
        whole->version = heap_text(version);
        whole->hash = heap_text(hash);
        whole->column_total = (size_t)total;
        *baseline = whole;
    }
    whole->columns = heap_resized(whole->columns, whole->column_count + 1, sizeof *whole->columns);
    whole->columns[whole->column_count++] = column;
    return FAULT_NONE;
}

bool baseline_is_complete(const struct baseline *baseline)
{
    return baseline->column_count == baseline->column_total;
}

const struct baseline_column *baseline_column(const struct baseline *baseline, const char *name)
{
    for (size_t i = 0; i < baseline->column_count; i++) {
        if (strcmp(baseline->columns[i].name, name) == 0)
            return &baseline->columns[i];
    }
    return NULL;
}

void baseline_destroy(struct baseline *baseline)
{
    if (baseline == NULL)
        return;
    for (size_t i = 0; i < baseline->column_count; i++)
        column_fini(&baseline->columns[i]);
    heap_release(baseline->columns);
    heap_release(baseline->model);
    heap_release(baseline->version);
    heap_release(baseline->hash);
    heap_release(baseline);
}
