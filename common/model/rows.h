/* rows.h: the rows of a CSV or JSONL file, one after the other, plain or gzipped.
 *
 * A name that ends in .csv is CSV, in .jsonl, .ndjson or .json is JSONL (each also with .gz); of
 * another name the first byte decides: `{` is JSONL. "-" is the standard input. CSV: RFC 4180 (a
 * header line, quotes, doubled quotes, line ends in quotes), with or without a byte order mark, LF
 * or CRLF; an empty field without quotes is null, all others are text. JSONL: an object a line.
 * Empty lines are passed over. Limits: 16 MiB a row, 10,000 columns.
 *
 * Owner    caller of rows_open(). Values, spans and objects are borrowed until the next call on the
 * rows. Thread   one at a time. Faults   FILE_UNREADABLE, FILE_MALFORMED with "FILE:LINE: what".
 * Memory   one row.
 * Cost     next O(row); rows_value O(columns) for CSV, O(1) for JSONL.
 */
#ifndef ROWS_H
#define ROWS_H
#include "check/fault.h"
#include "check/reason.h"
#include "model/event.h"
#include <jansson.h>

enum rows_format { ROWS_CSV, ROWS_JSONL };
struct rows;

MUST_USE enum fault rows_open(const char *file_name, struct rows **out_rows,
                              struct reason *out_reason);
enum rows_format rows_format(const struct rows *rows);
/* Goes to the next row; *out_is_row false: the end. */
MUST_USE enum fault rows_next(struct rows *rows, bool *out_is_row, struct reason *out_reason);
/* JSONL, for who answers for malformed lines himself: the next line as it is, whatever it holds
 * (also an empty one; without its line end). After it rows_line tells its number; rows_value and
 * rows_object do not speak of it. */
MUST_USE enum fault rows_next_line(struct rows *rows, bool *out_is_row, struct span *out_line,
                                   struct reason *out_reason);
size_t rows_line(const struct rows *rows); /* from 1: where the current row begins */

/* CSV: the columns of the header, in order. JSONL: 0. */
size_t rows_column_count(const struct rows *rows);
const char *rows_column(const struct rows *rows, size_t index);
struct value rows_field(const struct rows *rows, size_t index); /* NULL or TEXT */
/* JSONL: the current row. CSV: NULL. */
json_t *rows_object(const struct rows *rows);
/* Either: the value of a column in the current row, MISSING where it has none. JSONL: of the row
 * itself, else of its `features`; "score_x" also as `x` of `scores`. */
struct value rows_value(const struct rows *rows, const char *name);
struct value rows_json_value(const json_t *value); /* NULL: MISSING; arrays and objects: OTHER */
/* The whole of a text as a number: digits, point, exponent, and nan, inf, infinity of any case. No
 * blanks, no hex. */
bool rows_parse_number(struct span text, double *out_number);
/* A reason of the current row's place: "FILE:LINE: " and the rest. */
void rows_reason(const struct rows *rows, struct reason *out_reason, const char *format, ...)
    PRINTF_LIKE(3, 4);
void rows_close(struct rows *rows); /* NULL accepted */
#endif
