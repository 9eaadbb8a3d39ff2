#include "model/infer_column.h"
#include "memory/heap.h"
#include "model/rows.h"

#include <math.h>
#include <strings.h>

/* A category's values are listed when there are at most LISTED_MAX, each short, five rows for each.
 */
enum {
    LISTED_MAX = 50,
    LISTED_SIZE_MAX = 64,
    ROWS_PER_VALUE = 5,
    ID_ROWS_MIN = 20,
    WORDS_MIN = 40
};

struct infer_column *infer_column_create(const char *name)
{
    struct infer_column *column = heap_zeroed(1, sizeof *column);
    column->name = heap_text(name);
    column->values = table_create();
    column->is_whole = true;
    return column;
}

static void add_number(struct infer_column *column, double number)
{
    column->numbers++;
    if (!isfinite(number)) {
        column->is_whole = false;
        return;
    }
    column->is_whole = column->is_whole && floor(number) == number;
    if (column->finite == 0 || number < column->minimum)
        column->minimum = number;
    if (column->finite == 0 || number > column->maximum)
        column->maximum = number;
    column->finite++;
}

static void add_value(struct infer_column *column, struct span text)
{
    column->longest = text.size > column->longest ? text.size : column->longest;
    column->has_blanks =
        column->has_blanks || (text.size != 0 && memchr(text.bytes, ' ', text.size) != NULL);
    if (column->is_full)
        return;
    struct infer_value *value = table_find(column->values, text);
    if (value == NULL && table_count(column->values) == INFER_VALUES_MAX) {
        column->is_full = true;
        return;
    }
    if (value == NULL) {
        value = heap_zeroed(1, sizeof *value + text.size + 1);
        if (text.size != 0)
            memcpy(value->text, text.bytes, text.size);
        (void)table_put(column->values, text, value);
    }
    value->count++;
    column->counted++;
}

static bool is_boolean_text(struct span text)
{
    return (text.size == 4 && strncasecmp((const char *)text.bytes, "true", 4) == 0) ||
           (text.size == 5 && strncasecmp((const char *)text.bytes, "false", 5) == 0);
}

void infer_column_add(struct infer_column *column, const struct value *value, bool text_is_typed)
{
    if (value->kind == VALUE_MISSING)
        return;
    column->present++;
    char scratch[40];
    double number = 0;
    switch (value->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        column->nulls++;
        return;
    case VALUE_OTHER:
        column->others++;
        return;
    case VALUE_BOOLEAN:
        column->booleans++;
        break;
    case VALUE_LONG:
    case VALUE_DOUBLE:
        add_number(column, value->number);
        break;
    case VALUE_TEXT:
        if (text_is_typed && rows_parse_number(value->text, &number))
            add_number(column, number);
        else if (text_is_typed && is_boolean_text(value->text))
            column->booleans++;
        else
            column->texts++;
        break;
    }
    add_value(column, value_category(value, scratch));
}

/* "id", "user_id", "userId", "uuid": its numbers are names. */
static bool is_called_id(const char *name)
{
    const size_t size = strlen(name);
    return strcasecmp(name, "id") == 0 || strcasecmp(name, "uuid") == 0 ||
           (size > 3 && strcasecmp(name + size - 3, "_id") == 0) ||
           (size > 2 && strcmp(name + size - 2, "Id") == 0);
}

bool infer_column_is_closed(const struct infer_column *column)
{
    const size_t count = table_count(column->values);
    return !column->is_full && count != 0 && count <= LISTED_MAX &&
           column->longest <= LISTED_SIZE_MAX && column->counted / ROWS_PER_VALUE >= count;
}

enum column_type infer_column_type(const struct infer_column *column)
{
    const uint64_t there = column->present - column->nulls;
    const uint64_t distinct = table_count(column->values);
    const bool nearly_distinct =
        column->counted >= ID_ROWS_MIN && distinct >= column->counted - column->counted / 10;
    if (there == 0)
        return COLUMN_TEXT;
    if (column->booleans == there)
        return COLUMN_BOOLEAN;
    if (column->numbers == there)
        return is_called_id(column->name) && column->is_whole ? COLUMN_ID : COLUMN_NUMBER;
    if (infer_column_is_closed(column))
        return COLUMN_CATEGORY;
    if (!column->has_blanks && (nearly_distinct || is_called_id(column->name)))
        return COLUMN_ID;
    if (column->has_blanks && (nearly_distinct || column->longest >= WORDS_MIN))
        return COLUMN_TEXT;
    return COLUMN_CATEGORY;
}

/* The next number with so many decimal places (negative: tens, hundreds …) not above, or not below.
 */
static double rounded(double number, double places, bool up)
{
    const double scale = pow(10, fabs(places));
    const double scaled = places > 0 ? number * scale : number / scale;
    const double whole = up ? ceil(scaled) : floor(scaled);
    return places > 0 ? whole / scale : whole * scale;
}

void infer_column_range(const struct infer_column *column, double *out_low, double *out_high)
{
    REQUIRE(column->finite > 0);
    const double minimum = column->minimum, maximum = column->maximum;
    /* Halves, so that the span of the largest doubles is finite. */
    const double half = maximum / 2 - minimum / 2;
    const double margin = half > 0 ? half / 5 : fabs(maximum) > 0 ? fabs(maximum) / 10 : 1;
    const double places = -floor(log10(margin));
    double low = rounded(minimum - margin, places, false);
    double high = rounded(maximum + margin, places, true);
    if (minimum >= 0 && low < 0)
        low = 0;
    if (maximum <= 0 && minimum < 0 && high > 0)
        high = 0;
    if (minimum >= 0 && maximum <= 1 && maximum > 0.5 && half > 0) {
        low = 0;
        high = 1;
    }
    /* Rounding at the ends of what a double holds may have left the numbers. */
    *out_low = isfinite(low) && low < minimum ? low : minimum;
    *out_high = isfinite(high) && high > maximum ? high : maximum;
}

void infer_column_destroy(struct infer_column *column)
{
    if (column == NULL)
        return;
    size_t cursor = 0;
    for (void *value; (value = table_next(column->values, &cursor, NULL)) != NULL;)
        heap_release(value);
    table_destroy(column->values);
    heap_release(column->name);
    heap_release(column);
}
