/* listing.h: prints objects as tables of 80 columns for people, as one JSON array, or as one JSON
 * object a line.
 *
 * Rows are sorted by (presentation_rank, presentation_order, text of the object), so that the same
 * objects print the same bytes however they came. In a table a cell too wide for its column goes on
 * in the next line; nothing is cut off. Records of different kinds are different tables.
 *
 * Owner    caller of listing_open().     Thread  one at a time.
 * Memory   the text of every row until it is printed; with listing_page at most a page of them.
 */
#ifndef LISTING_H
#define LISTING_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum listing_form { LISTING_TABLE, LISTING_JSON, LISTING_JSONL };
enum listing_kind {
    LISTING_TEXT,   /* strings, lists of strings, whatever else as JSON; may be broken over lines */
    LISTING_TIME,   /* milliseconds as UTC */
    LISTING_NUMBER, /* to 4 digits, right-aligned */
    LISTING_WORD,   /* a string that stays in one line */
    LISTING_BELOW   /* under the row, over the whole width */
};
struct listing_column {
    const char *field; /* of the object; NULL ends a list */
    const char *title;
    enum listing_kind kind;
};
struct listing;
struct listing *listing_open(const char *form); /* "table", "json", "jsonl" (--output) */
/* The columns of objects that presentation.h does not know; borrowed, NULL-ended. */
void listing_columns(struct listing *listing, const struct listing_column *columns);
/* From now on rows stay in the order in which they are added, and every `rows` of them are printed
 * to the standard output at once: for lists of any length. A table has its titles on each page. */
void listing_page(struct listing *listing, size_t rows);
void listing_add(struct listing *listing, json_t *object); /* takes the object */
size_t listing_count(const struct listing *listing);
/* Prints to out. true: all was written. A table without rows is no line at all. */
bool listing_print(struct listing *listing, FILE *out);
/* Prints to the standard output and destroys; false: it could not be written. NULL accepted. */
bool listing_close(struct listing *listing);
void listing_destroy(struct listing *listing); /* without printing; NULL accepted */
#endif
