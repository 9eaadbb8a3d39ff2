/* cells.h: a cut of one column's values into cells that counts are kept by.
 *
 * Index of cells: numbers [underflow, cell 0 … cell k-1, overflow, null, nan, unseen]; categories
 * [value 0 … value k-1, null, nan, unseen]. unseen of numbers is for what is no number where one
 * was due; nan of categories for a NaN where a category was due. +Inf is overflow, -Inf underflow,
 * -0.0 is 0.
 *
 * Owner    caller of create.
 * Thread   any (immutable).
 * Cost     cells_of_number, cells_of_category O(log k).
 */
#ifndef CELLS_H
#define CELLS_H
#include "memory/span.h"
#include <stdbool.h>
#include <stdint.h>

struct cells;

/* cuts ascending, strictly, all in [minimum, maximum); k = cut_count + 1 cells: [minimum, cut 0],
 * (cut 0, cut 1], …, (cut k-2, maximum]. */
struct cells *cells_create_number(const double *cuts, size_t cut_count, double minimum,
                                  double maximum);
/* Whether these cuts are what cells_create_number requires: for cuts that come from a record. */
bool cells_are_cuts(const double *cuts, size_t cut_count, double minimum, double maximum);
/* Copied, sorted bytewise, equal ones merged. */
struct cells *cells_create_category(const struct span *values, size_t value_count);
/* From reference values: the 20 quantile cells (model/baseline.h says how). values are sorted in
 * place; value_count >= 1, all finite. */
struct cells *cells_create_quantiles(double *values, size_t value_count);

bool cells_is_number(const struct cells *cells);
size_t cells_count(const struct cells *cells);                          /* with the special ones */
size_t cells_of_number(const struct cells *cells, double value);        /* NaN → the nan cell */
size_t cells_of_category(const struct cells *cells, struct span value); /* not known → unseen */
size_t cells_null(const struct cells *cells);
size_t cells_nan(const struct cells *cells);
size_t cells_unseen(const struct cells *cells);
bool cells_equal(const struct cells *left, const struct cells *right); /* the same cut */
/* For people and records: "[0, 0.1]", "(0.1, 0.25]", "= 5", "< 0.1", "> 9", "null", "nan",
 * "unseen", or the value itself. Heap text. */
char *cells_label(const struct cells *cells, size_t index);
/* Numbers only. */
const double *cells_cuts(const struct cells *cells, size_t *out_count, double *out_minimum,
                         double *out_maximum);
struct span cells_value(const struct cells *cells, size_t index); /* category index < k */
void cells_destroy(struct cells *cells);                          /* NULL accepted */
#endif
