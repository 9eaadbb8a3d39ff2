#include "gauge.h"
#include "finding/identity.h"
#include "memory/heap.h"
#include "statistic/divergence.h"

#include <math.h>

struct gauge {
    const struct pane *window;
    const struct contract_monitor *monitor;
    const struct layout_column *column;
    const struct pane_column *counted;
    uint64_t rows; /* counted in any cell of the column */
};

/* What one monitor says of one column. */
struct gauge_verdict {
    const char *state;
    bool has_value, has_threshold;
    double value, threshold;
    uint64_t n_reference;
    const char *reference, *reference_hash; /* NULL: none */
    json_t *contributions;                  /* owned */
};

static uint64_t gauge_sum(const uint64_t *counts, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += counts[i];
    return sum;
}

struct gauge_part {
    double part;
    size_t cell;
};

static int gauge_part_order(const void *left, const void *right)
{
    const struct gauge_part *a = left, *b = right;
    const double a_size = fabs(a->part), b_size = fabs(b->part);
    if (a_size > b_size || a_size < b_size)
        return a_size > b_size ? -1 : 1;
    return (a->cell > b->cell) - (a->cell < b->cell);
}

/* The largest parts as shares of the whole. */
static json_t *gauge_contributions(const struct cells *cells, const double *parts, double psi)
{
    json_t *list = json_array();
    if (!(psi > 0))
        return list;
    const size_t count = cells_count(cells);
    struct gauge_part *sorted = heap_zeroed(count, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct gauge_part){.part = parts[i], .cell = i};
    qsort(sorted, count, sizeof *sorted, gauge_part_order);
    for (size_t i = 0; i < count && i < GAUGE_CONTRIBUTIONS_MAX && fabs(sorted[i].part) > 0; i++) {
        char *label = cells_label(cells, sorted[i].cell);
        (void)json_array_append_new(
            list, json_pack("{s:s, s:f}", "cell", label, "share", sorted[i].part / psi));
        heap_release(label);
    }
    heap_release(sorted);
    return list;
}

/* The bound that decided, or the next one. */
static void gauge_drift_threshold(const struct contract_monitor *monitor,
                                  struct gauge_verdict *verdict)
{
    const bool critical = monitor->has_critical && verdict->has_value &&
                          divergence_reaches(verdict->value, monitor->critical);
    verdict->has_threshold = monitor->has_warn || monitor->has_critical;
    if (monitor->has_warn && !critical)
        verdict->threshold = monitor->warn;
    else if (monitor->has_critical)
        verdict->threshold = monitor->critical;
}

static void gauge_drift(const struct gauge *gauge, struct gauge_verdict *verdict)
{
    const struct contract_monitor *monitor = gauge->monitor;
    const struct baseline_column *reference = gauge->column->reference;
    const size_t count = cells_count(gauge->column->cells);
    verdict->reference = monitor->reference;
    verdict->state = "INSUFFICIENT_DATA";
    if (reference != NULL) {
        REQUIRE(cells_count(reference->cells) == count);
        verdict->n_reference = reference->rows;
        verdict->reference_hash = gauge->window->layout->baseline->hash;
    }
    if (reference == NULL || reference->rows == 0 || gauge->rows == 0) {
        gauge_drift_threshold(monitor, verdict);
        return;
    }
    double *parts = heap_zeroed(count, sizeof *parts);
    size_t used = 0;
    verdict->has_value = true;
    verdict->value = divergence_psi(reference->counts, gauge->counted->cells, count, parts, &used);
    verdict->contributions = gauge_contributions(gauge->column->cells, parts, verdict->value);
    heap_release(parts);
    gauge_drift_threshold(monitor, verdict);
    if (gauge->rows < GAUGE_ROWS_MIN || reference->rows < GAUGE_ROWS_MIN)
        return;
    const double noise = divergence_psi_noise(used, reference->rows, gauge->rows);
    const double bound = monitor->has_warn ? monitor->warn : monitor->critical;
    const bool breach = verdict->has_threshold && divergence_reaches(verdict->value, bound) &&
                        divergence_reaches(verdict->value, noise);
    verdict->state = breach ? "BREACH" : "OK";
}

/* Rows with a value that nobody knew: by the cells of the reference and by the contract's list. A
 * row that is both must not count twice and which rows are both is not known, hence the larger,
 * never the sum. */
static bool gauge_unseen(const struct gauge *gauge, uint64_t *out_rows)
{
    const struct contract_column *rule = gauge->column->rule;
    const bool listed = rule != NULL && rule->value_count > 0;
    const bool boolean = rule != NULL && rule->type == COLUMN_BOOLEAN;
    if (gauge->column->reference == NULL && !listed && !boolean)
        return false; /* nothing says what is known */
    const uint64_t cell = gauge->counted->cells[cells_unseen(gauge->column->cells)];
    *out_rows = listed && gauge->counted->values > cell ? gauge->counted->values : cell;
    return true;
}

static bool gauge_quality_rows(const struct gauge *gauge, uint64_t *out_rows)
{
    switch (gauge->monitor->metric) {
    case MEASURE_NULLS:
        *out_rows = gauge->counted->cells[cells_null(gauge->column->cells)];
        return true;
    case MEASURE_RANGE:
        *out_rows = gauge->counted->range;
        return true;
    case MEASURE_UNSEEN:
        return gauge_unseen(gauge, out_rows);
    case MEASURE_PSI:
        break;
    }
    UNREACHABLE("psi is no quality metric");
}

static void gauge_quality(const struct gauge *gauge, struct gauge_verdict *verdict)
{
    const struct contract_monitor *monitor = gauge->monitor;
    const struct contract_column *rule = gauge->column->rule;
    uint64_t rows = 0;
    verdict->has_threshold = monitor->has_max;
    verdict->threshold = monitor->max;
    if (!monitor->has_max && monitor->metric == MEASURE_NULLS && rule != NULL &&
        rule->has_nulls_max_rate) {
        verdict->has_threshold = true;
        verdict->threshold = rule->nulls_max_rate;
    }
    verdict->state = "INSUFFICIENT_DATA";
    if (gauge->rows == 0 || !gauge_quality_rows(gauge, &rows))
        return;
    verdict->has_value = true;
    verdict->value = (double)rows / (double)gauge->rows;
    const bool within =
        !verdict->has_threshold || divergence_reaches(verdict->threshold, verdict->value);
    verdict->state = within ? "OK" : "BREACH";
}

static json_t *gauge_offsets(const struct pane *window)
{
    json_t *offsets = json_array();
    for (size_t i = 0; i < window->offsets_count; i++) {
        const struct pane_offsets *span = &window->offsets[i];
        (void)json_array_append_new(
            offsets, json_pack("{s:i, s:I, s:I}", "partition", (int)span->partition, "first",
                               (json_int_t)span->first, "last", (json_int_t)span->last));
    }
    return offsets;
}

static json_t *gauge_real(bool given, double value)
{
    return given ? json_real(value) : json_null();
}

static json_t *gauge_span(struct span text)
{
    return json_stringn((const char *)text.bytes, text.size);
}

static void gauge_identify(json_t *record)
{
    static const char *const before[] = {"model", "version", "role", "segment"};
    static const char *const after[] = {"kind", "column", "metric", "preset", "reference"};
    struct identity identity = {0};
    char id[IDENTITY_HEX_SIZE];
    for (size_t i = 0; i < COUNT_OF(before); i++)
        identity_text(&identity, json_string_value(json_object_get(record, before[i])));
    identity_integer(&identity, json_integer_value(json_object_get(record, "window_start")));
    identity_integer(&identity, json_integer_value(json_object_get(record, "window_end")));
    for (size_t i = 0; i < COUNT_OF(after); i++)
        identity_text(&identity, json_string_value(json_object_get(record, after[i])));
    identity_hex(&identity, id);
    (void)json_object_set_new(record, "id", json_string(id));
}

static json_t *gauge_record(const struct gauge *gauge, struct gauge_verdict *verdict,
                            int32_t revision)
{
    const struct pane_key *key = &gauge->window->key;
    json_t *segment = key->segment.size == 0 ? json_null() : gauge_span(key->segment);
    json_t *contributions = verdict->contributions;
    if (contributions == NULL)
        contributions = json_array();
    json_t *record = json_pack(
        "{s:s, s:i, s:o, s:o, s:s, s:o, s:I, s:I, s:s, s:s, s:s, s:n, s:s?, s:o, s:o, s:n, s:n, "
        "s:I, "
        "s:I, s:s, s:o, s:o, s:s?, s:i}",
        "id", "", "revision", (int)revision, "model", gauge_span(key->model), "version",
        gauge_span(key->version), "role", event_role_name(key->role), "segment", segment,
        "window_start", (json_int_t)key->start_ms, "window_end", (json_int_t)key->end_ms, "kind",
        contract_kind_name(gauge->monitor->kind), "column", gauge->column->name, "metric",
        contract_metric_name(gauge->monitor->metric), "preset", "reference", verdict->reference,
        "value", gauge_real(verdict->has_value, verdict->value), "threshold",
        gauge_real(verdict->has_threshold, verdict->threshold), "p_value", "e_value", "n_reference",
        (json_int_t)verdict->n_reference, "n_current", (json_int_t)gauge->rows, "state",
        verdict->state, "contributions", contributions, "offsets", gauge_offsets(gauge->window),
        "reference_hash", verdict->reference_hash, "contract_revision",
        (int)gauge->window->layout->contract->revision);
    ENSURE(record != NULL);
    gauge_identify(record);
    return record;
}

json_t *gauge_measure(const struct pane *window, int32_t revision)
{
    const struct contract *contract = window->layout->contract;
    const int64_t length_ms = window->key.end_ms - window->key.start_ms;
    json_t *records = json_array();
    for (size_t i = 0; i < contract->monitor_count; i++) {
        const struct contract_monitor *monitor = &contract->monitors[i];
        for (size_t j = 0; monitor->window_ms == length_ms && j < monitor->column_count; j++) {
            const char *name = monitor->columns[j];
            const size_t index = layout_find(window->layout, span_text(name));
            if (index == window->layout->column_count ||
                contract_monitor(contract, contract_kind_name(monitor->kind),
                                 contract_metric_name(monitor->metric), length_ms, name) != monitor)
                continue;
            struct gauge gauge = {.window = window,
                                  .monitor = monitor,
                                  .column = &window->layout->columns[index],
                                  .counted = &window->columns[index]};
            gauge.rows = gauge_sum(gauge.counted->cells, cells_count(gauge.column->cells));
            struct gauge_verdict verdict = {0};
            if (monitor->kind == MONITOR_DRIFT)
                gauge_drift(&gauge, &verdict);
            else
                gauge_quality(&gauge, &verdict);
            (void)json_array_append_new(records, gauge_record(&gauge, &verdict, revision));
        }
    }
    return records;
}
