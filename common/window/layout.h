/* layout.h: which columns of a contract's events are accumulated, and into which cells.
 *
 * An accumulator exists only where a monitor of the contract reads it: every column that a monitor
 * names. A column takes its cells from the baseline. Without one: a category with `values` in the
 * contract has these as cells, a boolean "false" and "true"; all others have only the special cells
 * (everything is unseen).
 *
 * Owner    caller of layout_create(); contract and baseline must outlive it.
 * Thread   any (immutable).
 * Cost     layout_find O(1).
 */
#ifndef LAYOUT_H
#define LAYOUT_H
#include "model/baseline.h"
#include "model/contract.h"
#include "model/event.h"

enum layout_source {
    LAYOUT_FEATURE,
    LAYOUT_PREDICTION,
    LAYOUT_SCORE,
    LAYOUT_CONFIDENCE,
    LAYOUT_LATENCY
};
struct layout_column {
    const char *name; /* feature name, "prediction", "score" (of several: "score_<class>"),
                         "confidence", "latency_ms" */
    enum layout_source source;
    size_t index;                       /* into event.columns or event.scores */
    bool is_number;                     /* counted as a number; else as a category */
    const struct contract_column *rule; /* feature only, else NULL */
    const struct cells *cells;
    const struct baseline_column *reference; /* NULL: no baseline */
};
struct table;
struct layout {
    const struct contract *contract;
    const struct baseline *baseline; /* NULL: none */
    /* In order: features as in the contract, prediction, scores, confidence, latency_ms. */
    struct layout_column *columns; /* owned */
    size_t column_count;
    struct cells *
        *own; /* owned: cells made here where the baseline has none; [column_count], NULL entries */
    char **names;          /* owned: names made here, [column_count], NULL entries */
    struct table *by_name; /* owned: name → struct layout_column */
};
struct layout *layout_create(const struct contract *contract, const struct baseline *baseline);
const struct value *layout_value(const struct layout_column *column, const struct event *event);
/* How the prediction is counted as a category: baseline_prediction. */
struct span layout_prediction(const struct contract *contract, const struct value *value,
                              char scratch[40]);
size_t layout_find(const struct layout *layout, struct span column); /* column_count where absent */
/* The same columns in the same cells: panes of both merge. */
bool layout_equal(const struct layout *left, const struct layout *right);
void layout_destroy(struct layout *layout); /* NULL accepted */
#endif
