/* contract.h: what is expected of a model, checked and compiled from its YAML (DESIGN.md 5,
 * INTERFACES.md "Contracts").
 *
 * Immutable after contract_parse(). What Plumbline does not do yet is refused by name, never
 * ignored: a promise that is not kept is worse than none. Errors are one line, `file:line:column:
 * what (did you mean …)`.
 *
 * Owner    caller of contract_parse().
 * Thread   any, once parsed.
 * Faults   parse: CONTRACT_INVALID with a reason.
 */
#ifndef CONTRACT_H
#define CONTRACT_H
#include "avro/plan.h"
#include "check/fault.h"
#include "check/reason.h"
#include "memory/span.h"
#include "model/pattern.h"
#include <stdbool.h>
#include <stdint.h>

enum contract_task { TASK_BINARY, TASK_MULTICLASS, TASK_REGRESSION, TASK_RANKING, TASK_GENERATION };
enum column_type { COLUMN_NUMBER, COLUMN_CATEGORY, COLUMN_BOOLEAN, COLUMN_TEXT, COLUMN_ID };
enum violation_action { VIOLATION_FLAG, VIOLATION_REJECT, VIOLATION_COUNT };

struct contract_column {
    char *name;
    struct plan_path *sources; /* owned: where events have it, the first that a schema has;
                                  [source_count], none: features, under its name */
    size_t source_count;
    enum column_type type;
    bool required; /* default true: missing is rejected */
    bool has_range;
    double low, high; /* closed: low <= x <= high */
    bool has_length;
    uint64_t shortest, longest; /* characters (code points), both allowed; UINT64_MAX: no limit */
    struct pattern *pattern;    /* owned; NULL: none */
    bool has_nulls_max_rate;
    double nulls_max_rate;
    char **values; /* allowed categories, [value_count]; NULL: any */
    size_t value_count;
    enum violation_action on_type;      /* default REJECT: type mismatch or missing */
    enum violation_action on_violation; /* default FLAG: range, nulls, length, pattern, values */
    enum violation_action on_unseen;    /* default: on_violation */
};

enum monitor_kind { MONITOR_DRIFT, MONITOR_QUALITY };
enum monitor_metric { MEASURE_PSI, MEASURE_NULLS, MEASURE_RANGE, MEASURE_UNSEEN };
struct contract_monitor {
    enum monitor_kind kind;
    enum monitor_metric metric;
    char **columns; /* resolved names ("*" expanded: features, prediction, score), [column_count] */
    size_t column_count;
    int64_t window_ms;
    char *reference; /* "baseline"; NULL for quality */
    bool has_warn, has_critical, has_max;
    double warn, critical;
    double max;   /* quality nulls without max: each column's nulls_max_rate, where it has one */
    int severity; /* 0 not given, else 1 INFO 2 WARNING 3 CRITICAL (quality default 2) */
    int32_t needed, of; /* for: k of n; 1 of 1 where not given */
    uint32_t line;      /* in the YAML, for messages */
};

struct contract_retrain {
    bool present;
    char **when; /* "drift.critical" …: kinds drift and quality, and a severity; [when_count] */
    size_t when_count;
    int32_t for_windows; /* default 1 */
    int64_t cooldown_ms; /* default 24h */
    int64_t min_labels;  /* only 0 as long as labels are not joined: anything else is refused */
    int32_t max_count;   /* max: 2/week → 2 and a week; 0: no limit */
    int64_t max_period_ms;
};

enum { CONTRACT_SKEW_MS = 300000 }; /* where windows: skew is not given */

struct contract {
    char *model, *owner, *runbook; /* never NULL */
    char *positive;                /* binary; else NULL */
    enum contract_task task;
    struct contract_column *columns;
    size_t column_count;
    char **scores; /* names of the scores map that are read: binary: positive only; [score_count] */
    size_t score_count;
    int64_t pane_ms, lateness_ms, correction_ms; /* defaults 1m, 30s, 1h */
    int64_t labels_ttl_ms;                       /* 0: not given */
    struct contract_column *label; /* owned: the rules of labels, named "label"; NULL: any label */
    /* Windows that monitors use or `rolling` lists, ascending, each a multiple of pane. */
    int64_t *rolling_ms; /* [rolling_count] */
    size_t rolling_count;
    int64_t skew_ms; /* default CONTRACT_SKEW_MS */
    /* How far behind its arrival an event's time, or a label's, may be; 0: any. */
    int64_t stale_ms, label_stale_ms;
    enum violation_action on_skew, on_stale, on_label_stale; /* default FLAG */
    struct contract_monitor *monitors;
    size_t monitor_count;
    struct contract_retrain retrain;
    char *text; /* the YAML as it was given */
    /* From the record in model.contracts; parse leaves 1, INT64_MIN and none. */
    int32_t revision;
    int64_t effective_from_ms; /* event time */
    struct contract_baseline {
        char *version; /* "" means any version */
        char *hash;
        size_t column_count;
    } * baselines;
    size_t baseline_count;
};

MUST_USE enum fault contract_parse(const char *file_name, struct span yaml,
                                   struct contract **out_contract, struct reason *out_reason);
/* NULL where absent. */
const struct contract_column *contract_column(const struct contract *contract, struct span name);
const char *contract_metric_name(enum monitor_metric metric); /* psi nulls range unseen */
const char *contract_kind_name(enum monitor_kind kind); /* DRIFT QUALITY: a measurement's kind */
/* The monitor that a measurement belongs to, by its kind, metric, window and column; NULL where
 * there is none. */
const struct contract_monitor *contract_monitor(const struct contract *contract, const char *kind,
                                                const char *metric, int64_t window_ms,
                                                const char *column);
void contract_destroy(struct contract *contract); /* NULL accepted */
#endif
