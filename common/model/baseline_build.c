#include "container/table.h"
#include "memory/heap.h"
#include "model/baseline.h"
#include "model/rows.h"

#include <math.h>
#include <strings.h>
#include <xxhash.h>

enum { VALUES_MAX = 1024, VALUE_SIZE_MAX = 256, NOT_THERE = -1 };

enum source { SOURCE_FEATURE, SOURCE_PREDICTION, SOURCE_SCORE };

/* One column while the reference is read. */
struct gathered {
    char *name;        /* owned: the baseline's name of it */
    char *second_name; /* owned: the file's, if not that; may be NULL */
    enum source source;
    enum column_type type; /* as the values are read: number, category, boolean, text, id */
    const struct contract_column *rule; /* features only */
    int index;                          /* of a CSV's column */
    bool is_found;
    double *numbers; /* owned: finite ones */
    size_t number_count, number_capacity;
    struct table *values; /* owned: text → struct counted */
    uint64_t below, above, nulls, nans, unseen;
};

struct counted {
    uint64_t count, hash;
    size_t size;
    uint8_t bytes[];
};

struct gathering {
    const struct contract *contract;
    struct rows *rows;        /* owned */
    struct gathered *columns; /* owned */
    size_t column_count;
    size_t row_count;
};

static struct gathered *begin_column(struct gathering *gathering, const char *name,
                                     enum source source, enum column_type type)
{
    struct gathered *column = &gathering->columns[gathering->column_count++];
    *column = (struct gathered){.name = heap_text(name),
                                .source = source,
                                .type = type,
                                .index = NOT_THERE,
                                .values = table_create()};
    return column;
}

static void begin_columns(struct gathering *gathering)
{
    const struct contract *contract = gathering->contract;
    gathering->columns =
        heap_zeroed(contract->column_count + contract->score_count + 1, sizeof *gathering->columns);
    for (size_t i = 0; i < contract->column_count; i++) {
        const struct contract_column *rule = &contract->columns[i];
        begin_column(gathering, rule->name, SOURCE_FEATURE, rule->type)->rule = rule;
    }
    const bool is_number = baseline_prediction_is_number(contract);
    (void)begin_column(gathering, "prediction", SOURCE_PREDICTION,
                       is_number ? COLUMN_NUMBER : COLUMN_CATEGORY);
    for (size_t i = 0; i < contract->score_count; i++) {
        char *name = heap_format("score_%s", contract->scores[i]);
        const bool is_only = contract->score_count == 1;
        struct gathered *column =
            begin_column(gathering, is_only ? "score" : name, SOURCE_SCORE, COLUMN_NUMBER);
        column->second_name = is_only ? name : NULL;
        if (!is_only)
            heap_release(name);
    }
}

/* Where a CSV has the columns; a required one must be there. */
static enum fault find_columns(struct gathering *gathering, struct reason *reason)
{
    for (size_t c = 0; c < gathering->column_count; c++) {
        struct gathered *column = &gathering->columns[c];
        for (size_t i = 0; i < rows_column_count(gathering->rows); i++) {
            const char *name = rows_column(gathering->rows, i);
            if (strcmp(name, column->name) == 0 ||
                (column->second_name != NULL && strcmp(name, column->second_name) == 0))
                column->index = (int)i;
        }
        column->is_found = column->index != NOT_THERE;
        if (!column->is_found && column->rule != NULL && column->rule->required) {
            rows_reason(gathering->rows, reason, "no column '%s', which the contract requires",
                        column->name);
            return FAULT_FILE_MALFORMED;
        }
    }
    return FAULT_NONE;
}

/* CSV has texts only. Of booleans and predictions, which events log as what they are, those texts
 * that write a boolean or a number are taken for it: 1.0 is the prediction "1", True is true. Other
 * features' texts stay as they are. */
static struct value typed(const struct gathered *column, struct value value)
{
    double number;
    if (value.kind == VALUE_TEXT && value.text.size == 0 && column->type != COLUMN_CATEGORY)
        return (struct value){.kind = VALUE_NULL}; /* "" in quotes */
    if (value.kind != VALUE_TEXT ||
        (column->source == SOURCE_FEATURE && column->type != COLUMN_BOOLEAN))
        return value;
    char text[8] = {0};
    memcpy(text, value.text.bytes, value.text.size < 7 ? value.text.size : 7);
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
        return (struct value){.kind = VALUE_BOOLEAN, .boolean = (text[0] | 0x20) == 't'};
    if (column->source == SOURCE_FEATURE) {
        if (strcmp(text, "1") == 0 || strcmp(text, "0") == 0)
            return (struct value){.kind = VALUE_BOOLEAN, .boolean = text[0] == '1'};
    } else if (rows_parse_number(value.text, &number) && isfinite(number)) {
        return (struct value){.kind = VALUE_DOUBLE, .number = number};
    }
    return value;
}

static struct value value_of(const struct gathering *gathering, struct gathered *column)
{
    if (rows_format(gathering->rows) == ROWS_CSV)
        return column->index == NOT_THERE
                   ? (struct value){.kind = VALUE_MISSING}
                   : typed(column, rows_field(gathering->rows, (size_t)column->index));
    struct value value = rows_value(gathering->rows, column->name);
    if (value.kind == VALUE_MISSING && column->second_name != NULL)
        value = rows_value(gathering->rows, column->second_name);
    column->is_found |= value.kind != VALUE_MISSING;
    return value;
}

static void gather_number(struct gathered *column, double number)
{
    if (isnan(number)) {
        column->nans++;
    } else if (isinf(number)) {
        column->below += number < 0;
        column->above += number > 0;
    } else {
        if (column->number_count == column->number_capacity) {
            column->number_capacity =
                column->number_capacity < 256 ? 256 : column->number_capacity * 2;
            column->numbers =
                heap_resized(column->numbers, column->number_capacity, sizeof *column->numbers);
        }
        column->numbers[column->number_count++] = number;
    }
}

static void gather_category(struct gathered *column, struct span value)
{
    if (value.size > VALUE_SIZE_MAX) {
        column->unseen++;
        return;
    }
    struct counted *counted = table_find(column->values, value);
    if (counted == NULL) {
        counted = heap_zeroed(1, sizeof *counted + value.size);
        counted->size = value.size;
        counted->hash = XXH3_64bits(value.bytes, value.size);
        if (value.size != 0)
            memcpy(counted->bytes, value.bytes, value.size);
        (void)table_put(column->values, value, counted);
    }
    counted->count++;
}

static enum fault refuse(const struct gathering *gathering, const struct gathered *column,
                         const char *wanted, struct reason *reason)
{
    rows_reason(gathering->rows, reason, "column %s: not a %s", column->name, wanted);
    return FAULT_FILE_MALFORMED;
}

/* A value that is there. */
static enum fault gather_value(const struct gathering *gathering, struct gathered *column,
                               const struct value *value, struct reason *reason)
{
    char scratch[40];
    double number = value->number;
    switch (column->type) {
    case COLUMN_NUMBER:
        if (value->kind != VALUE_LONG && value->kind != VALUE_DOUBLE &&
            (value->kind != VALUE_TEXT || rows_format(gathering->rows) != ROWS_CSV ||
             !rows_parse_number(value->text, &number)))
            return refuse(gathering, column, "number", reason);
        gather_number(column, number);
        return FAULT_NONE;
    case COLUMN_BOOLEAN:
        if (value->kind != VALUE_BOOLEAN)
            return refuse(gathering, column, "boolean", reason);
        gather_category(column, value_category(value, scratch));
        return FAULT_NONE;
    case COLUMN_CATEGORY:
        if (value->kind == VALUE_OTHER)
            return refuse(gathering, column, "single value", reason);
        gather_category(column, column->source == SOURCE_PREDICTION
                                    ? baseline_prediction(gathering->contract, value, scratch)
                                    : value_category(value, scratch));
        return FAULT_NONE;
    case COLUMN_TEXT:
    case COLUMN_ID:
        column->unseen++;
        return FAULT_NONE;
    }
    UNREACHABLE("column type");
}

static enum fault gather_rows(struct gathering *gathering, struct reason *reason)
{
    for (;;) {
        bool is_row;
        enum fault fault = rows_next(gathering->rows, &is_row, reason);
        if (fault != FAULT_NONE || !is_row)
            return fault;
        gathering->row_count++;
        for (size_t i = 0; i < gathering->column_count; i++) {
            struct gathered *column = &gathering->columns[i];
            const struct value value = value_of(gathering, column);
            if (value.kind == VALUE_NULL || value.kind == VALUE_MISSING)
                column->nulls++;
            else
                fault = gather_value(gathering, column, &value, reason);
            if (fault != FAULT_NONE)
                return fault;
        }
    }
}

static struct span value_in(const struct counted *counted)
{
    return span_of(counted->bytes, counted->size);
}

static int counted_order(const void *left, const void *right)
{
    const struct counted *one = *(struct counted *const *)left;
    const struct counted *other = *(struct counted *const *)right;
    if (one->hash != other->hash)
        return one->hash < other->hash ? -1 : 1;
    return span_order(value_in(one), value_in(other));
}

static void finish_number(struct gathered *gathered, struct baseline_column *column)
{
    column->cells = gathered->number_count == 0
                        ? cells_create_category(NULL, 0)
                        : cells_create_quantiles(gathered->numbers, gathered->number_count);
    column->counts = heap_zeroed(cells_count(column->cells), sizeof *column->counts);
    for (size_t i = 0; i < gathered->number_count; i++)
        column->counts[cells_of_number(column->cells, gathered->numbers[i])]++;
    if (gathered->number_count == 0) {
        gathered->unseen += gathered->below + gathered->above;
        return;
    }
    column->counts[cells_of_number(column->cells, -HUGE_VAL)] += gathered->below;
    column->counts[cells_of_number(column->cells, HUGE_VAL)] += gathered->above;
}

static void finish_category(struct gathered *gathered, struct baseline_column *column)
{
    const size_t count = table_count(gathered->values);
    struct counted **all = heap_zeroed(count, sizeof *all);
    struct span *kept = heap_zeroed(count, sizeof *kept);
    size_t cursor = 0, found = 0;
    for (struct counted *one; (one = table_next(gathered->values, &cursor, NULL)) != NULL;)
        all[found++] = one;
    if (count > VALUES_MAX)
        qsort(all, count, sizeof(struct counted *), counted_order);
    const size_t kept_count = count < VALUES_MAX ? count : VALUES_MAX;
    for (size_t i = 0; i < kept_count; i++)
        kept[i] = value_in(all[i]);
    column->cells = cells_create_category(kept, kept_count);
    column->counts = heap_zeroed(cells_count(column->cells), sizeof *column->counts);
    for (size_t i = 0; i < count; i++)
        column->counts[cells_of_category(column->cells, value_in(all[i]))] += all[i]->count;
    heap_release(kept);
    heap_release(all);
}

static void finish_column(struct gathered *gathered, struct baseline_column *column)
{
    *column = (struct baseline_column){.name = heap_text(gathered->name),
                                       .is_number = gathered->type == COLUMN_NUMBER};
    if (column->is_number)
        finish_number(gathered, column);
    else
        finish_category(gathered, column);
    column->counts[cells_null(column->cells)] += gathered->nulls;
    column->counts[cells_nan(column->cells)] += gathered->nans;
    column->counts[cells_unseen(column->cells)] += gathered->unseen;
    for (size_t i = 0; i < cells_count(column->cells); i++)
        column->rows += column->counts[i];
}

static enum fault finish(struct gathering *gathering, const char *version,
                         struct baseline **out_baseline, struct reason *reason)
{
    if (gathering->row_count == 0) {
        rows_reason(gathering->rows, reason, "no rows");
        return FAULT_FILE_MALFORMED;
    }
    for (size_t i = 0; i < gathering->column_count; i++) {
        const struct gathered *gathered = &gathering->columns[i];
        if (!gathered->is_found && gathered->rule != NULL && gathered->rule->required) {
            rows_reason(gathering->rows, reason, "no row has '%s', which the contract requires",
                        gathered->name);
            return FAULT_FILE_MALFORMED;
        }
    }
    struct baseline *baseline = heap_zeroed(1, sizeof *baseline);
    baseline->model = heap_text(gathering->contract->model);
    baseline->version = heap_text(version);
    baseline->columns = heap_zeroed(gathering->column_count, sizeof *baseline->columns);
    for (size_t i = 0; i < gathering->column_count; i++) {
        if (gathering->columns[i].is_found)
            finish_column(&gathering->columns[i], &baseline->columns[baseline->column_count++]);
    }
    baseline->column_total = baseline->column_count;
    baseline->hash = baseline_hash(baseline);
    *out_baseline = baseline;
    return FAULT_NONE;
}

static void gathering_fini(struct gathering *gathering)
{
    for (size_t i = 0; i < gathering->column_count; i++) {
        struct gathered *column = &gathering->columns[i];
        size_t cursor = 0;
        for (void *counted; (counted = table_next(column->values, &cursor, NULL)) != NULL;)
            heap_release(counted);
        table_destroy(column->values);
        heap_release(column->numbers);
        heap_release(column->second_name);
        heap_release(column->name);
    }
    heap_release(gathering->columns);
    rows_close(gathering->rows);
}

enum fault baseline_build(const struct contract *contract, const char *version,
                          const char *file_name, struct baseline **out_baseline,
                          struct reason *out_reason)
{
    REQUIRE(version != NULL);
    struct gathering gathering = {.contract = contract};
    enum fault fault = rows_open(file_name, &gathering.rows, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    begin_columns(&gathering);
    if (rows_format(gathering.rows) == ROWS_CSV)
        fault = find_columns(&gathering, out_reason);
    if (fault == FAULT_NONE)
        fault = gather_rows(&gathering, out_reason);
    if (fault == FAULT_NONE)
        fault = finish(&gathering, version, out_baseline, out_reason);
    gathering_fini(&gathering);
    return fault;
}
