#include "model/contract.h"
#include "memory/heap.h"
#include "model/contract_read.h"

/* A window is at most so many panes: more would only be kept to be added up. */
enum { PANES_PER_WINDOW_MAX = 10000 };

static const struct contract_key contract_keys[] = {
    {"model", KEY_NEEDED},   {"task", KEY_NEEDED},        {"positive", KEY_BUILT},
    {"owner", KEY_NEEDED},   {"runbook", KEY_NEEDED},     {"columns", KEY_NEEDED},
    {"windows", KEY_BUILT},  {"labels", KEY_BUILT},       {"monitors", KEY_BUILT},
    {"retrain", KEY_BUILT},  {"rules", KEY_LATER},        {"segments", KEY_LATER},
    {"fallback", KEY_LATER}, {"keep", KEY_LATER},         {"sample", KEY_LATER},
    {"shadow", KEY_LATER},   {"dead_letters", KEY_LATER}, {"generation", KEY_LATER},
    {NULL, KEY_BUILT},
};
static const struct contract_key window_keys[] = {
    {"pane", KEY_BUILT},       {"rolling", KEY_BUILT},  {"lateness", KEY_BUILT},
    {"correction", KEY_BUILT}, {"skew", KEY_BUILT},     {"on_skew", KEY_BUILT},
    {"stale", KEY_BUILT},      {"on_stale", KEY_BUILT}, {"every", KEY_LATER},
    {NULL, KEY_BUILT},
};
static const struct contract_choice tasks[] = {
    {"binary", TASK_BINARY},
    {"multiclass", TASK_MULTICLASS},
    {"regression", TASK_REGRESSION},
    {"ranking", TASK_RANKING},
    {"generation", -1},
    {NULL, 0},
};

static const char *const metric_names[] = {
    [MEASURE_PSI] = "psi",
    [MEASURE_NULLS] = "nulls",
    [MEASURE_RANGE] = "range",
    [MEASURE_UNSEEN] = "unseen",
};

const char *contract_metric_name(enum monitor_metric metric)
{
    REQUIRE((size_t)metric < COUNT_OF(metric_names));
    return metric_names[metric];
}

const char *contract_kind_name(enum monitor_kind kind)
{
    return kind == MONITOR_DRIFT ? "DRIFT" : "QUALITY";
}

bool contract_window_add(const struct contract_reader *reader, const struct yaml_node *at,
                         int64_t window_ms, struct contract *contract)
{
    char pane[32], window[32];
    contract_read_duration_text(contract->pane_ms, pane);
    contract_read_duration_text(window_ms, window);
    if (window_ms <= 0 || window_ms % contract->pane_ms != 0)
        return contract_read_refuse(reader, at, "window %s is not a multiple of the pane (%s)",
                                    window, pane);
    if (window_ms / contract->pane_ms > PANES_PER_WINDOW_MAX)
        return contract_read_refuse(reader, at, "window %s has more than %d panes of %s", window,
                                    PANES_PER_WINDOW_MAX, pane);
    size_t place = 0;
    while (place < contract->rolling_count && contract->rolling_ms[place] < window_ms)
        place++;
    if (place < contract->rolling_count && contract->rolling_ms[place] == window_ms)
        return true;
    contract->rolling_ms =
        heap_resized(contract->rolling_ms, contract->rolling_count + 1, sizeof(int64_t));
    memmove(&contract->rolling_ms[place + 1], &contract->rolling_ms[place],
            (contract->rolling_count - place) * sizeof(int64_t));
    contract->rolling_ms[place] = window_ms;
    contract->rolling_count++;
    return true;
}

static bool read_model(const struct contract_reader *reader, const struct yaml_node *root,
                       struct contract *contract)
{
    int task = TASK_BINARY;
    if (!contract_read_text(reader, root, "model", &contract->model) ||
        !contract_read_text(reader, root, "owner", &contract->owner) ||
        !contract_read_text(reader, root, "runbook", &contract->runbook) ||
        !contract_read_text(reader, root, "positive", &contract->positive) ||
        !contract_read_choice(reader, root, "task", tasks, &task))
        return false;
    contract->task = (enum contract_task)task;
    /* Keys of the tables are model@revision and model@version@hash#column. */
    if (strpbrk(contract->model, "@#") != NULL)
        return contract_read_refuse(reader, yaml_tree_get(root, "model"),
                                    "model must not hold @ or #");
    if (contract->task == TASK_BINARY) {
        if (contract->positive == NULL)
            return contract_read_refuse(reader, yaml_tree_get(root, "task"),
                                        "task: binary needs the key 'positive': the name in "
                                        "`scores` and the label that means it");
        contract->scores = heap_zeroed(1, sizeof(char *));
        contract->scores[contract->score_count++] = heap_text(contract->positive);
    } else if (contract->positive != NULL) {
        return contract_read_refuse(reader, yaml_tree_get(root, "positive"),
                                    "positive is for task: binary");
    }
    return true;
}

static bool read_rolling(const struct contract_reader *reader, const struct yaml_node *windows,
                         struct contract *contract)
{
    const struct yaml_node *rolling = yaml_tree_get(windows, "rolling");
    if (rolling == NULL)
        return true;
    if (rolling->kind != YAML_LIST)
        return contract_read_refuse(reader, rolling, "rolling must be a list of durations");
    for (size_t i = 0; i < rolling->count; i++) {
        int64_t window_ms = 0;
        if (!contract_read_duration_node(reader, rolling->items[i], "a window", &window_ms) ||
            !contract_window_add(reader, rolling->items[i], window_ms, contract))
            return false;
    }
    return true;
}

static bool read_windows(const struct contract_reader *reader, const struct yaml_node *root,
                         struct contract *contract)
{
    contract->pane_ms = 60000;
    contract->lateness_ms = 30000;
    contract->correction_ms = 3600000;
    contract->skew_ms = CONTRACT_SKEW_MS;
    const struct yaml_node *windows = yaml_tree_get(root, "windows");
    if (windows == NULL)
        return true;
    if (!contract_read_keys(reader, windows, "windows", window_keys) ||
        !contract_read_duration(reader, windows, "pane", &contract->pane_ms) ||
        !contract_read_duration(reader, windows, "lateness", &contract->lateness_ms) ||
        !contract_read_duration(reader, windows, "correction", &contract->correction_ms) ||
        !contract_read_duration(reader, windows, "skew", &contract->skew_ms) ||
        !contract_read_action(reader, windows, "on_skew", &contract->on_skew) ||
        !contract_read_stale(reader, windows, &contract->stale_ms, &contract->on_stale))
        return false;
    if (contract->pane_ms == 0)
        return contract_read_refuse(reader, yaml_tree_get(windows, "pane"), "pane must not be 0");
    if (contract->lateness_ms > contract->correction_ms) {
        char lateness[32], correction[32];
        const struct yaml_node *at = yaml_tree_get(windows, "lateness");
        return contract_read_refuse(
            reader, at == NULL ? yaml_tree_get(windows, "correction") : at,
            "lateness %s is longer than correction %s",
            contract_read_duration_text(contract->lateness_ms, lateness),
            contract_read_duration_text(contract->correction_ms, correction));
    }
    return read_rolling(reader, windows, contract);
}

static bool read_parts(const struct contract_reader *reader, const struct yaml_node *root,
                       struct contract *contract)
{
    if (!contract_read_keys(reader, root, "a contract", contract_keys) ||
        !read_model(reader, root, contract) ||
        !contract_column_read(reader, yaml_tree_get(root, "columns"), contract) ||
        !read_windows(reader, root, contract))
        return false;
    const struct yaml_node *labels = yaml_tree_get(root, "labels");
    const struct yaml_node *monitors = yaml_tree_get(root, "monitors");
    const struct yaml_node *retrain = yaml_tree_get(root, "retrain");
    return (labels == NULL || contract_label_read(reader, labels, contract)) &&
           (monitors == NULL || contract_monitor_read(reader, monitors, contract)) &&
           (retrain == NULL || contract_retrain_read(reader, retrain, contract));
}

enum fault contract_parse(const char *file_name, struct span yaml, struct contract **out_contract,
                          struct reason *out_reason)
{
    REQUIRE(file_name != NULL);
    REQUIRE(out_contract != NULL);
    struct yaml_node *root = NULL;
    if (yaml_tree_parse(file_name, yaml, &root, out_reason) != FAULT_NONE)
        return FAULT_CONTRACT_INVALID;
    struct contract *contract = heap_zeroed(1, sizeof *contract);
    contract->text = span_copied(yaml);
    contract->revision = 1;
    contract->effective_from_ms = INT64_MIN;
    const struct contract_reader reader = {.file_name = file_name, .out_reason = out_reason};
    const bool read = read_parts(&reader, root, contract);
    yaml_tree_destroy(root);
    if (!read) {
        contract_destroy(contract);
        return FAULT_CONTRACT_INVALID;
    }
    *out_contract = contract;
    return FAULT_NONE;
}

static void texts_destroy(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        heap_release(texts[i]);
    heap_release(texts);
}

void contract_destroy(struct contract *contract)
{
    if (contract == NULL)
        return;
    for (size_t i = 0; i < contract->column_count; i++)
        contract_column_fini(&contract->columns[i]);
    heap_release(contract->columns);
    if (contract->label != NULL)
        contract_column_fini(contract->label);
    heap_release(contract->label);
    for (size_t i = 0; i < contract->monitor_count; i++) {
        texts_destroy(contract->monitors[i].columns, contract->monitors[i].column_count);
        heap_release(contract->monitors[i].reference);
    }
    heap_release(contract->monitors);
    for (size_t i = 0; i < contract->baseline_count; i++) {
        heap_release(contract->baselines[i].version);
        heap_release(contract->baselines[i].hash);
    }
    heap_release(contract->baselines);
    texts_destroy(contract->scores, contract->score_count);
    texts_destroy(contract->retrain.when, contract->retrain.when_count);
    heap_release(contract->rolling_ms);
    heap_release(contract->model);
    heap_release(contract->owner);
    heap_release(contract->runbook);
    heap_release(contract->positive);
    heap_release(contract->text);
    heap_release(contract);
}
