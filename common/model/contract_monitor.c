#include "config/option.h"
#include "container/table.h"
#include "memory/heap.h"
#include "model/contract_read.h"

#include <inttypes.h>
#include <math.h>

/* The key that says what a monitor watches. */
static const struct contract_key kind_keys[] = {
    {"drift", KEY_BUILT},    {"quality", KEY_BUILT},     {"volume", KEY_LATER},
    {"silence", KEY_LATER},  {"status", KEY_LATER},      {"latency", KEY_LATER},
    {"estimate", KEY_LATER}, {"performance", KEY_LATER}, {"concept", KEY_LATER},
    {"shadow", KEY_LATER},   {"labels", KEY_LATER},      {"generation", KEY_LATER},
    {NULL, KEY_BUILT},
};
#define SHARED_KEYS                                                                                \
    {"columns", KEY_NEEDED}, {"window", KEY_NEEDED}, {"severity", KEY_BUILT}, {"for", KEY_BUILT},  \
        {"segments", KEY_LATER}, {"every", KEY_LATER},                                             \
    {                                                                                              \
        "min", KEY_LATER                                                                           \
    }
static const struct contract_key drift_keys[] = {
    SHARED_KEYS,         {"drift", KEY_NEEDED},       {"reference", KEY_BUILT},
    {"warn", KEY_BUILT}, {"critical", KEY_BUILT},     {"preset", KEY_LATER},
    {"test", KEY_LATER}, {"false_alarms", KEY_LATER}, {"tolerance", KEY_LATER},
    {NULL, KEY_BUILT},
};
/* For a monitor that says neither: a slip in a key is more likely than a monitor of nothing. */
static const struct contract_key any_keys[] = {
    SHARED_KEYS,         {"drift", KEY_BUILT},    {"quality", KEY_BUILT}, {"reference", KEY_BUILT},
    {"warn", KEY_BUILT}, {"critical", KEY_BUILT}, {"max", KEY_BUILT},     {NULL, KEY_BUILT},
};
static const struct contract_key quality_keys[] = {
    SHARED_KEYS, {"quality", KEY_NEEDED}, {"max", KEY_BUILT}, {NULL, KEY_BUILT}};
static const struct contract_choice drift_metrics[] = {
    {"psi", MEASURE_PSI}, {"js", -1},   {"kl", -1},   {"hellinger", -1},   {"tvd", -1},
    {"linf", -1},         {"ks", -1},   {"chi2", -1}, {"wasserstein", -1}, {"energy", -1},
    {"cvm", -1},          {"ad", -1},   {"z", -1},    {"mannwhitney", -1}, {"mmd", -1},
    {"sequential", -1},   {"auto", -1}, {NULL, 0},
};
static const struct contract_choice quality_metrics[] = {
    {"nulls", MEASURE_NULLS},
    {"range", MEASURE_RANGE},
    {"unseen", MEASURE_UNSEEN},
    {"schema", -1},
    {"rules", -1},
    {"duplicates", -1},
    {"late", -1},
    {"clock", -1},
    {NULL, 0},
};
static const struct contract_choice references[] = {
    {"baseline", 0},   {"previous", -1}, {"yesterday", -1},
    {"last_week", -1}, {"trailing", -1}, {NULL, 0},
};
static const struct contract_choice severities[] = {
    {"info", 1}, {"warning", 2}, {"critical", 3}, {NULL, 0}};

static bool is_own(const char *name) /* the model's own answers, beside its features */
{
    static const char *const own[] = {"prediction", "score", "confidence", "latency_ms"};
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (strcmp(own[i], name) == 0)
            return true;
    return false;
}

static bool is_measured(const struct contract_column *column)
{
    return column->type != COLUMN_TEXT && column->type != COLUMN_ID;
}

/* Adds a name that the monitor watches; `at` is where it was asked for. */
static bool add_column(const struct contract_reader *reader, const struct yaml_node *at,
                       const char *name, struct contract_monitor *monitor)
{
    for (size_t i = 0; i < monitor->column_count; i++)
        if (strcmp(monitor->columns[i], name) == 0)
            return contract_read_refuse(reader, at, "column '%.60s' again in one monitor", name);
    monitor->columns =
        heap_resized(monitor->columns, monitor->column_count + 1, sizeof *monitor->columns);
    monitor->columns[monitor->column_count++] = heap_text(name);
    return true;
}

/* "*": features that can be measured, prediction, and score where there is one. */
static bool add_all(const struct contract_reader *reader, const struct yaml_node *at,
                    const struct contract *contract, struct contract_monitor *monitor)
{
    for (size_t i = 0; i < contract->column_count; i++)
        if (is_measured(&contract->columns[i]) &&
            !add_column(reader, at, contract->columns[i].name, monitor))
            return false;
    return add_column(reader, at, "prediction", monitor) &&
           (contract->score_count == 0 || add_column(reader, at, "score", monitor));
}

static bool refuse_column(const struct contract_reader *reader, const struct yaml_node *at,
                          const struct contract *contract)
{
    static const char *const own[] = {"prediction", "score", "confidence", "latency_ms"};
    const char **names = heap_zeroed(contract->column_count + COUNT_OF(own) + 1, sizeof *names);
    for (size_t i = 0; i < contract->column_count; i++)
        names[i] = contract->columns[i].name;
    for (size_t i = 0; i < COUNT_OF(own); i++)
        names[contract->column_count + i] = own[i];
    const char *nearest = option_nearest(at->text, names);
    if (nearest == NULL)
        (void)contract_read_refuse(reader, at, "no column '%.60s' in this contract", at->text);
    else
        (void)contract_read_refuse(reader, at,
                                   "no column '%.60s' in this contract (did you mean '%.60s'?)",
                                   at->text, nearest);
    heap_release(names);
    return false;
}

static bool read_column_name(const struct contract_reader *reader, const struct yaml_node *node,
                             const struct contract *contract, struct contract_monitor *monitor)
{
    if (!contract_read_name(reader, node, "a column"))
        return false;
    if (strcmp(node->text, "*") == 0)
        return add_all(reader, node, contract, monitor);
    const struct contract_column *column = contract_column(contract, span_text(node->text));
    if (column == NULL && !is_own(node->text))
        return refuse_column(reader, node, contract);
    if (strcmp(node->text, "score") == 0 && contract->score_count == 0)
        return contract_read_refuse(reader, node, "'score' is only there with task: binary");
    if (column != NULL && !is_measured(column) && monitor->metric != MEASURE_NULLS)
        return contract_read_refuse(reader, node,
                                    "column '%.60s' is of type %s: only its nulls can be watched",
                                    node->text, column->type == COLUMN_ID ? "id" : "text");
    return add_column(reader, node, node->text, monitor);
}

static bool read_columns(const struct contract_reader *reader, const struct yaml_node *map,
                         const struct contract *contract, struct contract_monitor *monitor)
{
    const struct yaml_node *columns = yaml_tree_get(map, "columns");
    if (columns->kind == YAML_TEXT)
        return read_column_name(reader, columns, contract, monitor);
    if (columns->kind != YAML_LIST || columns->count == 0)
        return contract_read_refuse(reader, columns,
                                    "columns must be a list of names, not empty, or \"*\"");
    for (size_t i = 0; i < columns->count; i++)
        if (!read_column_name(reader, columns->items[i], contract, monitor))
            return false;
    return true;
}

/* for: "2 of 3" windows in breach before it counts. */
static bool read_for(const struct contract_reader *reader, const struct yaml_node *map,
                     struct contract_monitor *monitor)
{
    monitor->needed = 1;
    monitor->of = 1;
    const struct yaml_node *node = yaml_tree_get(map, "for");
    if (node == NULL)
        return true;
    int64_t needed = 0, of = 0;
    const char *next = node->kind == YAML_TEXT ? node->text : "";
    bool read = contract_read_digits(&next, &needed) && strncmp(next, "of ", 3) == 0;
    if (read) {
        next += 3;
        read = contract_read_digits(&next, &of) && *next == 0;
    }
    if (!read || needed < 1 || needed > of || of > 64)
        return contract_read_refuse(reader, node,
                                    "for must be 'k of n' windows, 1 <= k <= n <= 64");
    monitor->needed = (int32_t)needed;
    monitor->of = (int32_t)of;
    return true;
}

static bool read_drift(const struct contract_reader *reader, const struct yaml_node *map,
                       struct contract_monitor *monitor)
{
    int metric = MEASURE_PSI, reference = 0;
    const double most = (double)INFINITY;
    if (!contract_read_choice(reader, map, "drift", drift_metrics, &metric) ||
        !contract_read_keys(reader, map, "a drift monitor", drift_keys))
        return false;
    const struct yaml_node *other = yaml_tree_get(map, "reference");
    if (other != NULL && other->kind != YAML_TEXT)
        return contract_read_refuse_later(reader, other, "reference");
    if (!contract_read_choice(reader, map, "reference", references, &reference) ||
        !contract_read_share(reader, map, "warn", most, &monitor->has_warn, &monitor->warn) ||
        !contract_read_share(reader, map, "critical", most, &monitor->has_critical,
                             &monitor->critical))
        return false;
    if (monitor->has_warn && monitor->has_critical && monitor->warn > monitor->critical)
        return contract_read_refuse(
            reader, yaml_tree_get(map, "warn"), "warn %s is above critical %s",
            yaml_tree_get(map, "warn")->text, yaml_tree_get(map, "critical")->text);
    monitor->kind = MONITOR_DRIFT;
    monitor->metric = (enum monitor_metric)metric;
    monitor->reference = heap_text("baseline");
    return true;
}

static bool read_quality(const struct contract_reader *reader, const struct yaml_node *map,
                         struct contract_monitor *monitor)
{
    int metric = MEASURE_NULLS;
    if (!contract_read_choice(reader, map, "quality", quality_metrics, &metric) ||
        !contract_read_keys(reader, map, "a quality monitor", quality_keys) ||
        !contract_read_share(reader, map, "max", 1, &monitor->has_max, &monitor->max))
        return false;
    monitor->kind = MONITOR_QUALITY;
    monitor->metric = (enum monitor_metric)metric;
    monitor->severity = 2;
    return true;
}

/* By the key that says what it watches. */
static bool read_kind(const struct contract_reader *reader, const struct yaml_node *map,
                      struct contract_monitor *monitor)
{
    if (map->kind != YAML_MAP)
        return contract_read_refuse(reader, map, "a monitor must be a mapping ({drift: psi, …})");
    const struct contract_key *kind = NULL;
    for (size_t i = 0; i < map->count; i++) {
        for (const struct contract_key *key = kind_keys; key->name != NULL; key++) {
            if (strcmp(key->name, map->keys[i]->text) != 0)
                continue;
            if (key->state == KEY_LATER)
                return contract_read_refuse_later(reader, map->keys[i], key->name);
            if (kind != NULL)
                return contract_read_refuse(reader, map->keys[i],
                                            "a monitor watches one thing: %s or %s", kind->name,
                                            key->name);
            kind = key;
        }
    }
    if (kind == NULL)
        return contract_read_keys(reader, map, "a monitor", any_keys) &&
               contract_read_refuse(reader, map, "a monitor needs the key 'drift' or 'quality'");
    return kind == &kind_keys[0] ? read_drift(reader, map, monitor)
                                 : read_quality(reader, map, monitor);
}

static bool read_monitor(const struct contract_reader *reader, const struct yaml_node *map,
                         struct contract *contract, struct contract_monitor *monitor)
{
    monitor->line = map->line;
    if (!read_kind(reader, map, monitor) ||
        !contract_read_choice(reader, map, "severity", severities, &monitor->severity) ||
        !read_for(reader, map, monitor) ||
        !contract_read_duration(reader, map, "window", &monitor->window_ms))
        return false;
    return contract_window_add(reader, yaml_tree_get(map, "window"), monitor->window_ms,
                               contract) &&
           read_columns(reader, map, contract, monitor);
}

/* What a measurement is found by must name one monitor: no two with equal kind, metric, window,
 * column. */
static bool check_distinct(const struct contract_reader *reader, const struct yaml_node *at,
                           struct contract_monitor *monitor, struct table *seen)
{
    for (size_t i = 0; i < monitor->column_count; i++) {
        char *key = heap_format("%d|%d|%" PRId64 "|%s", (int)monitor->kind, (int)monitor->metric,
                                monitor->window_ms, monitor->columns[i]);
        const struct contract_monitor *first = table_put(seen, span_text(key), monitor);
        heap_release(key);
        if (first == NULL)
            continue;
        char window[32];
        return contract_read_refuse(
            reader, at, "%s of '%.60s' over %s is already watched by the monitor in line %u",
            contract_metric_name(monitor->metric), monitor->columns[i],
            contract_read_duration_text(monitor->window_ms, window), first->line);
    }
    return true;
}

bool contract_monitor_read(const struct contract_reader *reader, const struct yaml_node *list,
                           struct contract *contract)
{
    if (list->kind != YAML_LIST)
        return contract_read_refuse(reader, list, "monitors must be a list (- {drift: psi, …})");
    contract->monitors = heap_zeroed(list->count, sizeof *contract->monitors);
    struct table *seen = table_create();
    bool read = true;
    for (size_t i = 0; read && i < list->count; i++) {
        struct contract_monitor *monitor = &contract->monitors[contract->monitor_count++];
        read = read_monitor(reader, list->items[i], contract, monitor) &&
               check_distinct(reader, list->items[i], monitor, seen);
    }
    table_destroy(seen);
    return read;
}

const struct contract_monitor *contract_monitor(const struct contract *contract, const char *kind,
                                                const char *metric, int64_t window_ms,
                                                const char *column)
{
    REQUIRE(contract != NULL);
    for (size_t i = 0; i < contract->monitor_count; i++) {
        const struct contract_monitor *monitor = &contract->monitors[i];
        if (monitor->window_ms != window_ms ||
            strcmp(contract_kind_name(monitor->kind), kind) != 0 ||
            strcmp(contract_metric_name(monitor->metric), metric) != 0)
            continue;
        for (size_t j = 0; j < monitor->column_count; j++)
            if (strcmp(monitor->columns[j], column) == 0)
                return monitor;
    }
    return NULL;
}
