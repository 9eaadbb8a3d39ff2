/* infer_column.h: what one column of a reference shows, row by row. For infer.c only.
 *
 * Owner    the caller of infer_column_create().     Memory  up to 1,000 distinct values.
 */
#ifndef INFER_COLUMN_H
#define INFER_COLUMN_H
#include "container/table.h"
#include "model/contract.h"
#include "model/event.h"

enum { INFER_VALUES_MAX = 1000 };

struct infer_value {
    uint64_t count;
    char text[]; /* zero-terminated */
};
struct infer_column {
    char *name;                                /* owned */
    uint64_t present, nulls;                   /* rows that have it; of these, without a value */
    uint64_t numbers, booleans, texts, others; /* the rest of these, by what they are */
    double minimum, maximum;                   /* of finite numbers; valid where finite > 0 */
    uint64_t finite;
    bool is_whole;        /* every number is an integer */
    struct table *values; /* owned: text → struct infer_value, owned; not of `others` */
    uint64_t counted;     /* rows counted in values; stops when they are full */
    bool is_full;
    size_t longest; /* bytes */
    bool has_blanks;
};

struct infer_column *infer_column_create(const char *name);
/* text_is_typed: a text that writes a number or boolean is one (CSV). */
void infer_column_add(struct infer_column *column, const struct value *value, bool text_is_typed);
enum column_type infer_column_type(const struct infer_column *column);
/* Whether the values are so few that they are all there are; then they may be listed. */
bool infer_column_is_closed(const struct infer_column *column);
/* [*out_low, *out_high]: what was seen, wider by a tenth on either side and rounded outward, but
 * not past 0, nor past 1 for shares. REQUIREs finite > 0. */
void infer_column_range(const struct infer_column *column, double *out_low, double *out_high);
void infer_column_destroy(struct infer_column *column);
#endif
