#include "memory/heap.h"
#include "model/contract_read.h"

enum { WINDOWS_MAX = 1000 };

static const struct contract_key retrain_keys[] = {
    {"when", KEY_NEEDED},      {"for", KEY_BUILT}, {"cooldown", KEY_BUILT},
    {"min_labels", KEY_BUILT}, {"max", KEY_BUILT}, {NULL, KEY_BUILT},
};
/* Kinds of alert that may ask for a retraining; those that nothing raises yet are refused. */
static const struct {
    const char *kind;
    bool later;
} kinds[] = {
    {"drift", false},   {"quality", false}, {"performance", true}, {"estimate", true},
    {"concept", true},  {"labels", true},   {"status", true},      {"latency", true},
    {"volume", true},   {"silence", true},  {"shadow", true},      {"generation", true},
    {"pipeline", true},
};

/* Whether a monitor of the kind has a bound that can be broken: what never can would be a silent
 * promise. */
static bool can_breach(const struct contract *contract, enum monitor_kind kind)
{
    for (size_t i = 0; i < contract->monitor_count; i++) {
        const struct contract_monitor *monitor = &contract->monitors[i];
        if (monitor->kind != kind)
            continue;
        if (monitor->has_warn || monitor->has_critical || monitor->has_max)
            return true;
        for (size_t j = 0; monitor->metric == MEASURE_NULLS && j < monitor->column_count; j++) {
            const struct contract_column *column =
                contract_column(contract, span_text(monitor->columns[j]));
            if (column != NULL && column->has_nulls_max_rate)
                return true;
        }
    }
    return false;
}

static bool check_when(const struct contract_reader *reader, const struct yaml_node *node,
                       const struct contract *contract)
{
    if (node->kind != YAML_TEXT)
        return contract_read_refuse(reader, node, "when must be a list of KIND.SEVERITY");
    const char *dot = strchr(node->text, '.');
    const char *severity = dot == NULL ? "" : dot + 1;
    const size_t kind_size = dot == NULL ? 0 : (size_t)(dot - node->text);
    if (strcmp(severity, "info") != 0 && strcmp(severity, "warning") != 0 &&
        strcmp(severity, "critical") != 0)
        return contract_read_refuse(
            reader, node, "when must be KIND.SEVERITY (drift.critical), not '%.60s'", node->text);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!span_is(span_of(node->text, kind_size), kinds[i].kind))
            continue;
        if (kinds[i].later)
            return contract_read_refuse_later(reader, node, node->text);
        if (!can_breach(contract, i == 0 ? MONITOR_DRIFT : MONITOR_QUALITY))
            return contract_read_refuse(reader, node, "no %s monitor has a bound: '%s' never comes",
                                        kinds[i].kind, node->text);
        return true;
    }
    return contract_read_refuse(reader, node, "when must be of drift or quality, not '%.60s'",
                                node->text);
}

static bool read_when(const struct contract_reader *reader, const struct yaml_node *map,
                      struct contract *contract)
{
    struct contract_retrain *retrain = &contract->retrain;
    const struct yaml_node *when = yaml_tree_get(map, "when");
    if (when->kind != YAML_LIST || when->count == 0)
        return contract_read_refuse(reader, when, "when must be a list of KIND.SEVERITY");
    retrain->when = heap_zeroed(when->count, sizeof *retrain->when);
    for (size_t i = 0; i < when->count; i++) {
        const struct yaml_node *item = when->items[i];
        if (!check_when(reader, item, contract))
            return false;
        for (size_t j = 0; j < retrain->when_count; j++)
            if (strcmp(retrain->when[j], item->text) == 0)
                return contract_read_refuse(reader, item, "'%s' again", item->text);
        retrain->when[retrain->when_count++] = heap_text(item->text);
    }
    return true;
}

/* for: 3 windows. */
static bool read_for(const struct contract_reader *reader, const struct yaml_node *map,
                     struct contract_retrain *retrain)
{
    const struct yaml_node *node = yaml_tree_get(map, "for");
    if (node == NULL)
        return true;
    int64_t windows = 0;
    const char *next = node->kind == YAML_TEXT ? node->text : "";
    if (!contract_read_digits(&next, &windows) ||
        (strcmp(next, "windows") != 0 && strcmp(next, "window") != 0) || windows < 1 ||
        windows > WINDOWS_MAX)
        return contract_read_refuse(reader, node, "for must be 'N windows', N from 1 to %d",
                                    WINDOWS_MAX);
    retrain->for_windows = (int32_t)windows;
    return true;
}

static bool read_min_labels(const struct contract_reader *reader, const struct yaml_node *map,
                            struct contract_retrain *retrain)
{
    const struct yaml_node *node = yaml_tree_get(map, "min_labels");
    if (node == NULL)
        return true;
    int64_t labels = 0;
    const char *next = node->kind == YAML_TEXT ? node->text : "";
    if (!contract_read_digits(&next, &labels) || *next != 0)
        return contract_read_refuse(reader, node, "min_labels must be a whole number");
    if (labels != 0)
        return contract_read_refuse(reader, node,
                                    "min_labels above 0 is known but not supported by this version "
                                    "of Plumbline: labels are not joined, use 0");
    retrain->min_labels = labels;
    return true;
}

/* max: 2/week, 5/day, 1/36h. */
static bool read_max(const struct contract_reader *reader, const struct yaml_node *map,
                     struct contract_retrain *retrain)
{
    static const struct {
        const char *name, *duration;
    } periods[] = {{"hour", "1h"}, {"day", "1d"}, {"week", "7d"}};
    const struct yaml_node *node = yaml_tree_get(map, "max");
    if (node == NULL)
        return true;
    int64_t count = 0;
    const char *next = node->kind == YAML_TEXT ? node->text : "";
    if (!contract_read_digits(&next, &count) || *next != '/' || count < 1)
        return contract_read_refuse(reader, node, "max must be 'N/week' (or hour, day, 36h)");
    next++;
    for (size_t i = 0; i < COUNT_OF(periods); i++)
        if (strcmp(periods[i].name, next) == 0)
            next = periods[i].duration;
    /* A node of its own, so that a bad period is told like any other bad duration. */
    char *period = heap_text(next);
    const struct yaml_node text = {.kind = YAML_TEXT,
                                   .text = period,
                                   .plain = true,
                                   .line = node->line,
                                   .column = node->column};
    int64_t period_ms = 0;
    bool read = contract_read_duration_node(reader, &text, "the period of max", &period_ms);
    heap_release(period);
    if (read && period_ms == 0)
        read = contract_read_refuse(reader, node, "the period of max must not be 0");
    retrain->max_count = (int32_t)count;
    retrain->max_period_ms = period_ms;
    return read;
}

bool contract_retrain_read(const struct contract_reader *reader, const struct yaml_node *map,
                           struct contract *contract)
{
    struct contract_retrain *retrain = &contract->retrain;
    if (!contract_read_keys(reader, map, "retrain", retrain_keys))
        return false;
    retrain->present = true;
    retrain->for_windows = 1;
    retrain->cooldown_ms = INT64_C(24) * 3600 * 1000;
    return read_when(reader, map, contract) && read_for(reader, map, retrain) &&
           contract_read_duration(reader, map, "cooldown", &retrain->cooldown_ms) &&
           read_min_labels(reader, map, retrain) && read_max(reader, map, retrain);
}
