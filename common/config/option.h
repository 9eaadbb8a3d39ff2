/* option.h: options declared once: their name, kind, default and the sentence that --help prints.
 *
 * Values come from rows' defaults < file (--config FILE, YAML of NAME: value, where a table has a
 * row `config`) < environment < arguments (--NAME VALUE or --NAME=VALUE; a one-letter name takes
 * one dash; flags take no value; -h is --help). In the environment a row is PLUMB_NAME, in upper
 * case, with _ for dots and dashes; KAFKA_BOOTSTRAP_SERVERS, REDIS_URL, SCHEMA_REGISTRY_URL,
 * LOG_LEVEL and LOG_FORMAT also count (for the row of that spelling, or bootstrap, redis,
 * schema-registry, log-level, log-format). Names may
 * hold dots (kafka.bootstrap.servers). A row whose name ends in `.*` takes any name with that
 * prefix (kafka.*, topic.*); behind it the environment writes _ for a dot, __ for a dash, ___ for
 * an underscore.
 *
 * Owner    caller of option_set_create(); the tables must outlive the set.
 * Thread   one at a time; any number once read.
 * Faults   read: OPTION_INVALID for an argument (exit 2); FILE_UNREADABLE, FILE_MALFORMED for the
 *          file or the environment (exit 78); each with a reason ("--partitions: not a whole
 *          number: 'x'", "--partitons: no such option (did you mean --partitions?)"). On fault the
 *          set is as it was created.
 */
#ifndef OPTION_H
#define OPTION_H
#include "check/fault.h"
#include "check/reason.h"
#include <stdbool.h>
#include <stdint.h>

enum option_kind {
    OPTION_TEXT,
    OPTION_NUMBER,
    OPTION_DURATION,
    OPTION_FLAG,
    OPTION_CHOICE,
    OPTION_PREFIX
};
struct option_row {
    const char *name; /* without the dashes; NULL ends a table */
    enum option_kind kind;
    const char *fallback; /* default as text; NULL: none */
    const char *choices;  /* CHOICE: "broker|header" */
    const char *help;     /* one sentence, lower case, no full stop */
    bool secret;          /* redacted by --print-config */
};

struct option_set;
/* Tables are chained: up to 4 NULL-ended row tables (service's own, the life cycle's, …). Of two
 * rows of one name the first holds. */
struct option_set *option_set_create(const struct option_row *const tables[], size_t table_count);
/* Once. Arguments after the program's name. Positional arguments are kept (option_positional).
 * "--" ends options, "-" is positional. */
MUST_USE enum fault option_set_read(struct option_set *set, int argc, char *argv[],
                                    struct reason *out_reason);
/* NULL where unset and without default. The name must be a row's or under a PREFIX row's. */
const char *option_text(const struct option_set *set, const char *name);
int64_t option_number(const struct option_set *set, const char *name); /* NUMBER row; 0 if unset */
/* DURATION row: "250ms", "30s", "2m", "1h", "7d"; 0 if unset. */
int64_t option_duration_ms(const struct option_set *set, const char *name);
bool option_flag(const struct option_set *set, const char *name);
bool option_is_given(const struct option_set *set, const char *name); /* not by its default */
bool option_is_known(const struct option_set *set, const char *name); /* it has a row */
size_t option_positional_count(const struct option_set *set);
const char *option_positional(const struct option_set *set, size_t index);
/* Walks what a PREFIX row ("kafka.") took: name without the prefix. Sorted. false at the end. */
bool option_prefixed(const struct option_set *set, const char *prefix, size_t index,
                     const char **out_name, const char **out_value);
/* All values given to a row that may repeat (--contract a --contract b), in order, by the strongest
 * of file, environment and arguments that gives any; else the default. NULL at the end. */
const char *option_repeated(const struct option_set *set, const char *name, size_t index);
/* To stdout, 80 columns: summary, "usage: …", the options. usage and summary may be NULL. */
void option_help(const struct option_set *set, const char *usage, const char *summary);
/* To stdout: NAME=VALUE  # origin, a line each; secrets (by row or by name) are redacted. */
void option_print(const struct option_set *set);
void option_set_destroy(struct option_set *set); /* NULL accepted */
/* "1h" and so on, shared with contracts. false: not a duration. */
bool option_parse_duration(const char *text, int64_t *out_ms);
/* Nearest of the NULL-ended names by edit distance, or NULL where none is near: "did you mean". */
const char *option_nearest(const char *name, const char *const names[]);
#endif
