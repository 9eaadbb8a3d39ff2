#include "statistic/cells.h"
#include "memory/heap.h"

#include <math.h>

enum { QUANTILES = 20, SPECIAL_COUNT = 3 };

struct cells {
    bool is_number;
    size_t cell_count; /* k */
    double *cuts;      /* owned, numbers: [k - 1] */
    double minimum, maximum;
    struct span *values; /* owned, categories: [k], ascending; bytes in `text` */
    uint8_t *text;       /* owned */
};

static struct cells *create(bool is_number)
{
    struct cells *cells = heap_zeroed(1, sizeof *cells);
    cells->is_number = is_number;
    return cells;
}

bool cells_are_cuts(const double *cuts, size_t cut_count, double minimum, double maximum)
{
    if (!isfinite(minimum) || !isfinite(maximum) || minimum > maximum)
        return false;
    for (size_t i = 0; i < cut_count; i++) {
        if (!(cuts[i] >= minimum && cuts[i] < maximum) || (i > 0 && cuts[i] <= cuts[i - 1]))
            return false;
    }
    return true;
}

struct cells *cells_create_number(const double *cuts, size_t cut_count, double minimum,
                                  double maximum)
{
    REQUIRE(cells_are_cuts(cuts, cut_count, minimum, maximum));
    struct cells *cells = create(true);
    cells->cell_count = cut_count + 1;
    cells->cuts = heap_copied(cuts, cut_count * sizeof *cuts);
    cells->minimum = minimum;
    cells->maximum = maximum;
    return cells;
}

static int value_order(const void *left, const void *right)
{
    return span_order(*(const struct span *)left, *(const struct span *)right);
}

struct cells *cells_create_category(const struct span *values, size_t value_count)
{
    struct cells *cells = create(false);
    cells->values = heap_copied(values, value_count * sizeof *values);
    if (value_count > 1)
        qsort(cells->values, value_count, sizeof *cells->values, value_order);
    size_t text_size = 0;
    for (size_t i = 0; i < value_count; i++)
        text_size += values[i].size;
    cells->text = heap_zeroed(text_size, 1);
    uint8_t *next = cells->text;
    for (size_t i = 0; i < value_count; i++) {
        const struct span value = cells->values[i];
        if (i > 0 && span_equal(value, cells->values[cells->cell_count - 1]))
            continue;
        if (value.size != 0)
            memcpy(next, value.bytes, value.size);
        cells->values[cells->cell_count++] = span_of(next, value.size);
        next += value.size;
    }
    return cells;
}

static int number_order(const void *left, const void *right)
{
    const double one = *(const double *)left, other = *(const double *)right;
    return (one > other) - (one < other);
}

struct cells *cells_create_quantiles(double *values, size_t value_count)
{
    REQUIRE(value_count >= 1);
    REQUIRE(value_count < SIZE_MAX / QUANTILES);
    for (size_t i = 0; i < value_count; i++) {
        REQUIRE(isfinite(values[i]));
        values[i] += 0.0; /* -0.0 becomes 0.0, so equal content has equal bits */
    }
    qsort(values, value_count, sizeof *values, number_order);
    const double maximum = values[value_count - 1];
    double cuts[QUANTILES];
    size_t cut_count = 0;
    for (size_t k = 1; k < QUANTILES; k++) {
        const size_t rank = (k * value_count + QUANTILES - 1) / QUANTILES; /* from 1 */
        const double cut = values[rank - 1];
        if (cut < maximum && (cut_count == 0 || cut > cuts[cut_count - 1]))
            cuts[cut_count++] = cut;
    }
    return cells_create_number(cuts, cut_count, values[0], maximum);
}

bool cells_is_number(const struct cells *cells)
{
    return cells->is_number;
}

/* Numbers have underflow and overflow besides. */
size_t cells_count(const struct cells *cells)
{
    return cells->cell_count + SPECIAL_COUNT + (cells->is_number ? 2 : 0);
}

size_t cells_of_number(const struct cells *cells, double value)
{
    REQUIRE(cells->is_number);
    if (isnan(value))
        return cells_nan(cells);
    if (value < cells->minimum)
        return 0;
    if (value > cells->maximum)
        return cells->cell_count + 1;
    /* The first cut that is not below the value; the last cell where there is none. */
    size_t low = 0, high = cells->cell_count - 1;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (cells->cuts[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low + 1;
}

size_t cells_of_category(const struct cells *cells, struct span value)
{
    REQUIRE(!cells->is_number);
    size_t low = 0, high = cells->cell_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const int order = span_order(cells->values[middle], value);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return cells_unseen(cells);
}

size_t cells_null(const struct cells *cells)
{
    return cells_count(cells) - 3;
}

size_t cells_nan(const struct cells *cells)
{
    return cells_count(cells) - 2;
}

size_t cells_unseen(const struct cells *cells)
{
    return cells_count(cells) - 1;
}

bool cells_equal(const struct cells *left, const struct cells *right)
{
    if (left == right)
        return true;
    if (left->is_number != right->is_number || left->cell_count != right->cell_count)
        return false;
    if (left->is_number) {
        if (left->minimum != right->minimum || left->maximum != right->maximum)
            return false;
        for (size_t i = 0; i + 1 < left->cell_count; i++) {
            if (left->cuts[i] != right->cuts[i])
                return false;
        }
        return true;
    }
    for (size_t i = 0; i < left->cell_count; i++) {
        if (!span_equal(left->values[i], right->values[i]))
            return false;
    }
    return true;
}

/* The fewest digits that read back the same. */
static void number_text(double number, char out_text[32])
{
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(out_text, 32, "%.*g", digits, number);
        if (strtod(out_text, NULL) == number)
            return;
    }
}

static char *number_label(const struct cells *cells, size_t index)
{
    char low[32], high[32];
    number_text(cells->minimum, low);
    number_text(cells->maximum, high);
    if (index == 0)
        return heap_format("< %s", low);
    if (index > cells->cell_count)
        return heap_format("> %s", high);
    if (cells->minimum == cells->maximum)
        return heap_format("= %s", low);
    if (index > 1)
        number_text(cells->cuts[index - 2], low);
    if (index < cells->cell_count)
        number_text(cells->cuts[index - 1], high);
    if (strcmp(low, high) == 0)
        return heap_format("= %s", low); /* the first cell, cut at the minimum itself */
    return heap_format("%s%s, %s]", index == 1 ? "[" : "(", low, high);
}

char *cells_label(const struct cells *cells, size_t index)
{
    REQUIRE(index < cells_count(cells));
    if (index == cells_null(cells))
        return heap_text("null");
    if (index == cells_nan(cells))
        return heap_text("nan");
    if (index == cells_unseen(cells))
        return heap_text("unseen");
    return cells->is_number ? number_label(cells, index) : span_copied(cells->values[index]);
}

const double *cells_cuts(const struct cells *cells, size_t *out_count, double *out_minimum,
                         double *out_maximum)
{
    REQUIRE(cells->is_number);
    *out_count = cells->cell_count - 1;
    *out_minimum = cells->minimum;
    *out_maximum = cells->maximum;
    return cells->cuts;
}

struct span cells_value(const struct cells *cells, size_t index)
{
    REQUIRE(!cells->is_number);
    REQUIRE(index < cells->cell_count);
    return cells->values[index];
}

void cells_destroy(struct cells *cells)
{
    if (cells == NULL)
        return;
    heap_release(cells->text);
    heap_release(cells->values);
    heap_release(cells->cuts);
    heap_release(cells);
}
