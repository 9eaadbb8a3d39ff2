/* baseline.h: the reference rows of a model version, as cells: what a window is compared with.
 *
 * Numbers: 20 quantile cells of the finite values, cut at the nearest-rank quantiles k/20 (the
 * smallest value with at least k n / 20 values <= it), ties merged, a cut equal to the maximum
 * dropped; cell i holds (cut i-1, cut i], the first from the minimum on, the last up to the
 * maximum; below and above are underflow and overflow. Without a finite value: the special cells
 * only. Categories: one cell a value seen (the 1,024 with the smallest hash, if more; none longer
 * than 256 bytes), the rest unseen. Booleans are the categories "true" and "false". Text and id
 * columns keep no values: all are unseen. Columns: the contract's features; the prediction (a
 * number for regression and ranking, else a category) and the scores where the reference has them:
 * "score" where the contract reads one, else "score_<class>".
 *
 * Record (model.baselines, one a column): model, version ("" = any), hash, column, column_count,
 * rows, type, cuts, minimum, maximum, values, counts [underflow, cells …, overflow, null, nan,
 * unseen].
 *
 * Owner    caller of baseline_build / baseline_add.
 * Thread   any once complete.
 * Faults   build: FILE_UNREADABLE, FILE_MALFORMED with "file:line: what". add: RECORD_MALFORMED
 * with a reason. Memory   build: 8 bytes a number of the reference.
 */
#ifndef BASELINE_H
#define BASELINE_H
#include "model/contract.h"
#include "model/event.h"
#include "statistic/cells.h"
#include <jansson.h>

struct baseline_column {
    char *name;          /* owned */
    bool is_number;      /* also where no finite value gave it number cells */
    struct cells *cells; /* owned: the cut */
    uint64_t *counts;    /* owned: [cells_count(cells)], the reference's own */
    uint64_t rows;       /* sum of counts */
};
struct baseline {
    char *model, *version; /* owned */
    char *hash; /* owned: XXH3-128 hex over all columns' cuts and counts: equal content has an equal
                   name */
    struct baseline_column
        *columns;        /* owned: built: the contract's features, then prediction, score */
    size_t column_count; /* read so far */
    size_t column_total; /* complete when equal */
};

/* From a CSV or JSONL(.gz) file (model/rows.h), or "-". JSONL rows may hold features and scores in
 * objects, as events do. version "" means any. */
MUST_USE enum fault baseline_build(const struct contract *contract, const char *version,
                                   const char *file_name, struct baseline **out_baseline,
                                   struct reason *out_reason);
size_t baseline_record_count(const struct baseline *baseline);
json_t *baseline_record(const struct baseline *baseline, size_t index); /* new reference */
/* Takes one record in; *baseline NULL: begins it. A column that is there already is passed over.
 * RECORD_MALFORMED where it does not fit: nothing was changed. */
MUST_USE enum fault baseline_add(struct baseline **baseline, const json_t *record,
                                 struct reason *out_reason);
bool baseline_is_complete(const struct baseline *baseline);
const struct baseline_column *baseline_column(const struct baseline *baseline,
                                              const char *name); /* NULL where absent */
void baseline_destroy(struct baseline *baseline);                /* NULL accepted */

char *baseline_hash(const struct baseline *baseline); /* of its content as it is now; heap text */

/* How a prediction is counted, in a baseline as in a window. */
bool baseline_prediction_is_number(const struct contract *contract);
/* binary: 1, true, "1", "true" and the positive's name are "1", else "0"; other tasks:
 * value_category. */
struct span baseline_prediction(const struct contract *contract, const struct value *value,
                                char scratch[40]);
#endif
