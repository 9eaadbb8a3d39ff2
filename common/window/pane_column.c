#include "window/pane_column.h"
#include "memory/heap.h"

#include <math.h>

enum { VARINT_SIZE_MAX = 10 };

void pane_column_init(struct pane_column *column, const struct layout_column *place)
{
    *column = (struct pane_column){0};
    column->cells = heap_zeroed(cells_count(place->cells), sizeof *column->cells);
}

/* value is finite or not; -0.0 counts as 0.0, so that the least of both has the same bits in any
 * order. */
static void add_number(struct pane_column *column, const struct cells *cells, double value)
{
    const bool has_place = cells_is_number(cells) || isnan(value);
    const size_t cell = !has_place               ? cells_unseen(cells)
                        : cells_is_number(cells) ? cells_of_number(cells, value)
                                                 : cells_nan(cells);
    column->cells[cell]++;
    if (!isfinite(value))
        return;
    value += 0.0;
    exact_sum_add(&column->sum, value);
    exact_sum_add_square(&column->squares, value);
    if (column->finite == 0 || value < column->minimum)
        column->minimum = value;
    if (column->finite == 0 || value > column->maximum)
        column->maximum = value;
    column->finite++;
}

/* The cell of a value that is there, in a column counted as a category. */
static size_t category_cell(const struct layout *layout, const struct layout_column *column,
                            const struct value *value)
{
    char scratch[40];
    if (column->source == LAYOUT_PREDICTION && value->kind != VALUE_OTHER)
        return cells_of_category(column->cells,
                                 layout_prediction(layout->contract, value, scratch));
    const enum column_type type = column->rule == NULL ? COLUMN_CATEGORY : column->rule->type;
    const bool is_wrong =
        value->kind == VALUE_OTHER || (type == COLUMN_BOOLEAN && value->kind != VALUE_BOOLEAN);
    if (is_wrong || type == COLUMN_TEXT || type == COLUMN_ID)
        return cells_unseen(column->cells);
    if (value->kind == VALUE_DOUBLE && isnan(value->number))
        return cells_nan(column->cells);
    return cells_of_category(column->cells, value_category(value, scratch));
}

void pane_column_add(struct pane_column *column, const struct layout *layout,
                     const struct layout_column *place, const struct value *value)
{
    if (value->kind == VALUE_MISSING || value->kind == VALUE_NULL)
        column->cells[cells_null(place->cells)]++;
    else if (!place->is_number)
        column->cells[category_cell(layout, place, value)]++;
    else if (value->kind == VALUE_LONG || value->kind == VALUE_DOUBLE)
        add_number(column, place->cells, value->number);
    else
        column->cells[cells_unseen(place->cells)]++; /* text where a number was due */
}

void pane_column_merge(struct pane_column *into, const struct pane_column *from, size_t cell_count)
{
    for (size_t i = 0; i < cell_count; i++)
        into->cells[i] += from->cells[i];
    exact_sum_merge(&into->sum, &from->sum);
    exact_sum_merge(&into->squares, &from->squares);
    if (from->finite > 0) {
        if (into->finite == 0 || from->minimum < into->minimum)
            into->minimum = from->minimum;
        if (into->finite == 0 || from->maximum > into->maximum)
            into->maximum = from->maximum;
    }
    into->finite += from->finite;
    into->range += from->range;
    into->values += from->values;
    into->nulls += from->nulls;
    into->type += from->type;
}

json_t *pane_column_record(const struct pane_column *column, const struct layout_column *place)
{
    json_t *cells = json_array();
    for (size_t i = 0; i < cells_count(place->cells); i++)
        ENSURE(json_array_append_new(cells, json_integer((json_int_t)column->cells[i])) == 0);
    const bool has_range = column->finite > 0;
    json_t *record =
        json_pack("{s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "name", place->name,
                  "cells", cells, "finite", (json_int_t)column->finite, "sum",
                  exact_sum_record(&column->sum), "squares", exact_sum_record(&column->squares),
                  "minimum", has_range ? json_real(column->minimum) : json_null(), "maximum",
                  has_range ? json_real(column->maximum) : json_null(), "range",
                  (json_int_t)column->range, "values", (json_int_t)column->values, "nulls",
                  (json_int_t)column->nulls, "type", (json_int_t)column->type);
    ENSURE(record != NULL);
    return record;
}

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 64; value >>= 7) /* zigzag doubles a count */
        size++;
    return size;
}

size_t pane_column_size_max(const struct pane_column *column, const struct layout_column *place)
{
    /* Two sums of so many limbs, and the other fields. */
    const size_t integers = (size_t)2 * (EXACT_SUM_LIMBS + 4) + 10;
    size_t size = strlen(place->name) + integers * VARINT_SIZE_MAX;
    for (size_t i = 0; i < cells_count(place->cells); i++)
        size += varint_size(column->cells[i]);
    return size;
}

static bool read_count(const json_t *record, const char *name, uint64_t *out_count)
{
    const json_t *value = json_object_get(record, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out_count = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_cells(const json_t *cells, struct pane_column *column, size_t cell_count)
{
    if (json_array_size(cells) != cell_count)
        return false;
    for (size_t i = 0; i < cell_count; i++) {
        const json_t *cell = json_array_get(cells, i);
        if (!json_is_integer(cell) || json_integer_value(cell) < 0)
            return false;
        column->cells[i] = (uint64_t)json_integer_value(cell);
    }
    return true;
}

static bool read_range(const json_t *record, struct pane_column *column)
{
    const json_t *minimum = json_object_get(record, "minimum");
    const json_t *maximum = json_object_get(record, "maximum");
    if (column->finite == 0)
        return json_is_null(minimum) && json_is_null(maximum);
    column->minimum = json_number_value(minimum);
    column->maximum = json_number_value(maximum);
    return json_is_number(minimum) && json_is_number(maximum) && column->minimum <= column->maximum;
}

bool pane_column_read(const json_t *record, const struct layout_column *place,
                      struct pane_column *out_column)
{
    struct pane_column column;
    pane_column_init(&column, place);
    const bool fits =
        read_cells(json_object_get(record, "cells"), &column, cells_count(place->cells)) &&
        read_count(record, "finite", &column.finite) &&
        exact_sum_read(json_object_get(record, "sum"), &column.sum) &&
        exact_sum_read(json_object_get(record, "squares"), &column.squares) &&
        read_range(record, &column) && read_count(record, "range", &column.range) &&
        read_count(record, "values", &column.values) &&
        read_count(record, "nulls", &column.nulls) && read_count(record, "type", &column.type);
    if (fits)
        *out_column = column;
    else
        pane_column_fini(&column);
    return fits;
}

void pane_column_fini(struct pane_column *column)
{
    heap_release(column->cells);
    *column = (struct pane_column){0};
}
