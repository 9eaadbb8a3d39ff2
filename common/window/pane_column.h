/* pane_column.h: what a pane knows of one column (struct pane_column in pane.h), for pane.c alone.
 *
 * Owner    embedded in the pane; pane_column_fini gives the cells back.
 * Thread   one at a time.
 * Cost     add O(log cells), the others O(cells).
 */
#ifndef PANE_COLUMN_H
#define PANE_COLUMN_H
#include "window/pane.h"

void pane_column_init(struct pane_column *column, const struct layout_column *place);
/* Counts a value in exactly one cell, and a finite number in sums, minimum and maximum. */
void pane_column_add(struct pane_column *column, const struct layout *layout,
                     const struct layout_column *place, const struct value *value);
void pane_column_merge(struct pane_column *into, const struct pane_column *from, size_t cell_count);
json_t *pane_column_record(const struct pane_column *column, const struct layout_column *place);
/* No less than its record takes, encoded. */
size_t pane_column_size_max(const struct pane_column *column, const struct layout_column *place);
/* false: does not fit the place; out_column is untouched. */
MUST_USE bool pane_column_read(const json_t *record, const struct layout_column *place,
                               struct pane_column *out_column);
void pane_column_fini(struct pane_column *column);
#endif
