/* option_set.h: what the option_*.c files share of an option set; nobody else includes it. */
#ifndef OPTION_SET_H
#define OPTION_SET_H
#include "config/option.h"

/* The later beats the earlier. */
enum option_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_ARGUMENT };

struct option_value {
    const struct option_row *row; /* borrowed from the tables */
    char *name;                   /* owned; the row's, or what a prefix row took */
    char *text;                   /* owned */
    enum option_origin origin;
    size_t sequence; /* in the order of giving */
};

struct option_set {
    const struct option_row **rows; /* owned list of borrowed rows, [row_count] */
    size_t row_count;
    struct option_value *values; /* owned, sorted by name, origin, sequence; [value_count] */
    size_t value_count;
    char **positional; /* owned, [positional_count] */
    size_t positional_count;
};

size_t option_set_prefix_size(const struct option_row *row); /* of a PREFIX row: with the dot */
/* The row that a name belongs to: its own, else that of its prefix; NULL: none. */
const struct option_row *option_set_row(const struct option_set *set, const char *name);
/* The row with exactly this name, no PREFIX row; NULL: none. */
const struct option_row *option_set_row_named(const struct option_set *set, const char *name);
bool option_parse_number(const char *text, int64_t *out_number);
bool option_parse_flag(const char *text, bool *out_flag); /* true false 1 0 */
#endif
