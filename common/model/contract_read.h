/* contract_read.h: what the contract_*.c files share: reading a contract's YAML key by key.
 *
 * Every function returns false after it has set the reason, `file:line:column: what`, and leaves
 * its output alone where the key is absent. What was filled stays with the contract, half-built or
 * not: contract_destroy() takes it. Owner    contract_parse(), for the time of one call.
 */
#ifndef CONTRACT_READ_H
#define CONTRACT_READ_H
#include "config/yaml_tree.h"
#include "model/contract.h"

/* No time of a contract is longer: sums of a few of them stay far from the end of int64_t. */
#define CONTRACT_READ_DURATION_MAX_MS (INT64_C(36500) * 24 * 3600 * 1000)

struct contract_reader {
    const char *file_name;     /* borrowed */
    struct reason *out_reason; /* borrowed; may be NULL */
};

/* BUILT keys may stand, NEEDED ones must, LATER ones are known and refused. NULL name: the end. */
enum contract_key_state { KEY_BUILT, KEY_NEEDED, KEY_LATER };
struct contract_key {
    const char *name;
    enum contract_key_state state;
};
struct contract_choice {
    const char *name; /* NULL: the end */
    int value;        /* < 0: known, refused in this version */
};

/* Sets the reason; always false. */
bool contract_read_refuse(const struct contract_reader *reader, const struct yaml_node *at,
                          const char *format, ...) PRINTF_LIKE(3, 4);
/* 'pii' is known but not supported by this version …; always false. */
bool contract_read_refuse_later(const struct contract_reader *reader, const struct yaml_node *at,
                                const char *what);
/* That the node is a mapping, of these keys only. `what` names it in the reason ("a column"). */
bool contract_read_keys(const struct contract_reader *reader, const struct yaml_node *map,
                        const char *what, const struct contract_key keys[]);
bool contract_read_text(const struct contract_reader *reader, const struct yaml_node *map,
                        const char *key, char **out_text);
/* A text that is a name: not empty, at most 255 bytes, no control characters. */
bool contract_read_name(const struct contract_reader *reader, const struct yaml_node *node,
                        const char *what);
bool contract_read_number(const struct contract_reader *reader, const struct yaml_node *node,
                          const char *what, double *out_number);
/* A number from 0 to most. */
bool contract_read_share(const struct contract_reader *reader, const struct yaml_node *map,
                         const char *key, double most, bool *out_given, double *out_share);
bool contract_read_duration(const struct contract_reader *reader, const struct yaml_node *map,
                            const char *key, int64_t *out_ms);
bool contract_read_duration_node(const struct contract_reader *reader, const struct yaml_node *node,
                                 const char *what, int64_t *out_ms);
bool contract_read_flag(const struct contract_reader *reader, const struct yaml_node *map,
                        const char *key, bool *out_flag);
bool contract_read_choice(const struct contract_reader *reader, const struct yaml_node *map,
                          const char *key, const struct contract_choice choices[], int *out_value);
/* reject, flag or count. */
bool contract_read_action(const struct contract_reader *reader, const struct yaml_node *map,
                          const char *key, enum violation_action *out_action);
/* stale and on_stale; left alone: 0, not checked. */
bool contract_read_stale(const struct contract_reader *reader, const struct yaml_node *map,
                         int64_t *out_stale_ms, enum violation_action *out_action);
/* The next run of decimal digits of *text, which moves behind it and the blanks around it. */
bool contract_read_digits(const char **text, int64_t *out_number);
char *contract_read_duration_text(int64_t ms, char scratch[32]); /* "90m", "1h", "1d" */

/* The parts, in the order in which they are read; each exported by the file of its name. */
bool contract_column_read(const struct contract_reader *reader, const struct yaml_node *map,
                          struct contract *contract);
/* The rules that a column and a label have alike: type, range, length, pattern, values, on_… */
bool contract_column_read_rules(const struct contract_reader *reader, const struct yaml_node *map,
                                struct contract_column *column);
/* `source` of a column (contract_source.c), and giving it back. */
bool contract_source_read(const struct contract_reader *reader, const struct yaml_node *map,
                          struct contract_column *column);
void contract_source_fini(struct contract_column *column);
void contract_column_fini(struct contract_column *column);
bool contract_label_read(const struct contract_reader *reader, const struct yaml_node *map,
                         struct contract *contract);
bool contract_monitor_read(const struct contract_reader *reader, const struct yaml_node *list,
                           struct contract *contract);
bool contract_retrain_read(const struct contract_reader *reader, const struct yaml_node *map,
                           struct contract *contract);
/* Adds a window that is asked for at the node to rolling_ms, or says what is wrong with it. */
bool contract_window_add(const struct contract_reader *reader, const struct yaml_node *at,
                         int64_t window_ms, struct contract *contract);
#endif
