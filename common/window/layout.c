#include "window/layout.h"
#include "container/table.h"
#include "memory/heap.h"

static bool is_read(const struct contract *contract, const char *name)
{
    for (size_t i = 0; i < contract->monitor_count; i++) {
        const struct contract_monitor *monitor = &contract->monitors[i];
        for (size_t j = 0; j < monitor->column_count; j++) {
            if (strcmp(monitor->columns[j], name) == 0)
                return true;
        }
    }
    return false;
}

/* Cells of a column that no baseline speaks of. */
static struct cells *cells_alone(const struct contract_column *rule)
{
    if (rule != NULL && rule->type == COLUMN_BOOLEAN) {
        const struct span values[] = {span_text("false"), span_text("true")};
        return cells_create_category(values, COUNT_OF(values));
    }
    if (rule == NULL || rule->type != COLUMN_CATEGORY || rule->values == NULL)
        return cells_create_category(NULL, 0);
    struct span *values = heap_zeroed(rule->value_count, sizeof *values);
    for (size_t i = 0; i < rule->value_count; i++)
        values[i] = span_text(rule->values[i]);
    struct cells *cells = cells_create_category(values, rule->value_count);
    heap_release(values);
    return cells;
}

/* Takes the column if a monitor reads it. A reference that is cut as the other kind (a column that
 * became a number since) is none. */
static void add(struct layout *layout, struct layout_column column)
{
    if (!is_read(layout->contract, column.name))
        return;
    if (layout->baseline != NULL)
        column.reference = baseline_column(layout->baseline, column.name);
    if (column.reference != NULL && column.reference->is_number != column.is_number)
        column.reference = NULL;
    if (column.reference != NULL)
        column.cells = column.reference->cells;
    else
        column.cells = layout->own[layout->column_count] = cells_alone(column.rule);
    layout->columns[layout->column_count++] = column;
}

static void add_scores(struct layout *layout)
{
    const struct contract *contract = layout->contract;
    if (contract->score_count == 1)
        add(layout,
            (struct layout_column){.name = "score", .source = LAYOUT_SCORE, .is_number = true});
    for (size_t i = 0; contract->score_count > 1 && i < contract->score_count; i++) {
        char *name = heap_format("score_%s", contract->scores[i]);
        const size_t index = layout->column_count;
        add(layout, (struct layout_column){
                        .name = name, .source = LAYOUT_SCORE, .index = i, .is_number = true});
        if (layout->column_count > index)
            layout->names[index] = name;
        else
            heap_release(name);
    }
}

struct layout *layout_create(const struct contract *contract, const struct baseline *baseline)
{
    REQUIRE(contract != NULL);
    const size_t most = contract->column_count + contract->score_count + 3;
    struct layout *layout = heap_zeroed(1, sizeof *layout);
    layout->contract = contract;
    layout->baseline = baseline;
    layout->columns = heap_zeroed(most, sizeof *layout->columns);
    layout->own = heap_zeroed(most, sizeof *layout->own);
    layout->names = heap_zeroed(most, sizeof *layout->names);
    for (size_t i = 0; i < contract->column_count; i++) {
        const struct contract_column *rule = &contract->columns[i];
        add(layout, (struct layout_column){.name = rule->name,
                                           .source = LAYOUT_FEATURE,
                                           .index = i,
                                           .is_number = rule->type == COLUMN_NUMBER,
                                           .rule = rule});
    }
    add(layout, (struct layout_column){.name = "prediction",
                                       .source = LAYOUT_PREDICTION,
                                       .is_number = baseline_prediction_is_number(contract)});
    add_scores(layout);
    add(layout, (struct layout_column){
                    .name = "confidence", .source = LAYOUT_CONFIDENCE, .is_number = true});
    add(layout,
        (struct layout_column){.name = "latency_ms", .source = LAYOUT_LATENCY, .is_number = true});
    layout->by_name = table_create();
    for (size_t i = 0; i < layout->column_count; i++)
        (void)table_put(layout->by_name, span_text(layout->columns[i].name), &layout->columns[i]);
    return layout;
}

const struct value *layout_value(const struct layout_column *column, const struct event *event)
{
    switch (column->source) {
    case LAYOUT_FEATURE:
        return &event->columns[column->index];
    case LAYOUT_PREDICTION:
        return &event->prediction;
    case LAYOUT_SCORE:
        return &event->scores[column->index];
    case LAYOUT_CONFIDENCE:
        return &event->confidence;
    case LAYOUT_LATENCY:
        return &event->latency_ms;
    }
    UNREACHABLE("layout source");
}

struct span layout_prediction(const struct contract *contract, const struct value *value,
                              char scratch[40])
{
    return baseline_prediction(contract, value, scratch);
}

size_t layout_find(const struct layout *layout, struct span column)
{
    const struct layout_column *found = table_find(layout->by_name, column);
    return found == NULL ? layout->column_count : (size_t)(found - layout->columns);
}

bool layout_equal(const struct layout *left, const struct layout *right)
{
    if (left == right)
        return true;
    if (left->column_count != right->column_count)
        return false;
    for (size_t i = 0; i < left->column_count; i++) {
        if (strcmp(left->columns[i].name, right->columns[i].name) != 0 ||
            !cells_equal(left->columns[i].cells, right->columns[i].cells))
            return false;
    }
    return true;
}

void layout_destroy(struct layout *layout)
{
    if (layout == NULL)
        return;
    for (size_t i = 0; i < layout->column_count; i++) {
        cells_destroy(layout->own[i]);
        heap_release(layout->names[i]);
    }
    heap_release(layout->own);
    heap_release(layout->names);
    heap_release(layout->columns);
    table_destroy(layout->by_name);
    heap_release(layout);
}
