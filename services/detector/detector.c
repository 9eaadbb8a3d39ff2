#include "detector.h"
#include "container/table.h"
#include "finding/finding.h"
#include "finding/memo.h"
#include "gauge.h"
#include "memory/heap.h"
#include "rolling.h"
#include "window/span_time.h"

struct detector {
    const struct catalog *catalog; /* borrowed */
    struct table *layouts;         /* model, version, contract revision → struct layout, owned */
    struct table *windows;         /* rolling_name_write → struct rolling, owned */
    struct buffer
        gone; /* zero-terminated stored fields of windows that ended since the last save */
};

static const struct metric_row detector_metrics[] = {
    {"windows_measured_total", METRIC_COUNTER, "Windows measured, by revision.", "revision"},
    {"measurements_total", METRIC_COUNTER, "Measurements published, by state.", "state"},
    {"other_revision_total", METRIC_COUNTER,
     "Rows left out of a window because another contract revision cuts its cells otherwise.", NULL},
    {"panes_malformed_total", METRIC_COUNTER, "Records of window.panes that do not fit.", NULL},
    {0},
};

static void *detector_open(const struct service_environment *environment)
{
    struct detector *detector = heap_zeroed(1, sizeof *detector);
    detector->catalog = environment->catalog;
    detector->layouts = table_create();
    detector->windows = table_create();
    return detector;
}

static enum fault detector_layout(struct detector *detector, const struct pane_key *key,
                                  const struct layout **out_layout)
{
    struct buffer name = {0};
    buffer_append_span(&name, key->model);
    buffer_append_byte(&name, 0);
    buffer_append_span(&name, key->version);
    buffer_append_byte(&name, 0);
    buffer_format(&name, "%d", (int)key->revision);
    enum fault fault = FAULT_NONE;
    struct layout *layout = table_find(detector->layouts, buffer_span(&name));
    if (layout == NULL) {
        const struct baseline *baseline = NULL;
        const struct contract *contract =
            catalog_contract(detector->catalog, key->model, key->revision);
        fault = contract == NULL
                    ? FAULT_TABLE_BEHIND
                    : catalog_baseline(detector->catalog, contract, key->version, &baseline);
        if (fault == FAULT_NONE) {
            layout = layout_create(contract, baseline);
            (void)table_put(detector->layouts, buffer_span(&name), layout);
        }
    }
    buffer_fini(&name);
    if (fault == FAULT_NONE)
        *out_layout = layout;
    return fault;
}

static struct rolling *detector_window(struct detector *detector, struct span name, int64_t since)
{
    struct rolling *rolling = table_find(detector->windows, name);
    if (rolling == NULL) {
        rolling = rolling_create(since);
        (void)table_put(detector->windows, name, rolling);
    }
    return rolling;
}

/* Adds a record to the window [start, start + length). */
static enum fault detector_add(struct detector *detector, const struct pane_key *key,
                               const struct layout *layout, const json_t *record, int64_t offset)
{
    struct buffer name = {0};
    rolling_name_write(key, &name);
    struct rolling *rolling = detector_window(detector, buffer_span(&name), offset);
    const enum fault fault = rolling_add(rolling, key, layout, record);
    if (rolling->part_count == 0 && !rolling->closed) {
        (void)table_remove(detector->windows, buffer_span(&name));
        rolling_destroy(rolling);
    }
    buffer_fini(&name);
    return fault;
}

static bool detector_watches(const struct contract *contract, int64_t length_ms)
{
    for (size_t i = 0; i < contract->monitor_count; i++)
        if (contract->monitors[i].window_ms == length_ms)
            return true;
    return false;
}

static enum fault detector_take(struct detector *detector, const json_t *record, int64_t offset)
{
    struct pane_key key;
    const struct layout *layout = NULL;
    if (!pane_record_key(record, &key))
        return FAULT_RECORD_MALFORMED;
    if (key.feed != FEED_VALIDATED)
        return FAULT_NONE; /* no monitor of this kind reads another feed */
    enum fault fault = detector_layout(detector, &key, &layout);
    if (fault != FAULT_NONE)
        return fault;
    const struct contract *contract = layout->contract;
    const int64_t pane_ms = contract->pane_ms; /* every window is a multiple of it */
    if (key.end_ms - key.start_ms != pane_ms ||
        span_time_start(key.start_ms, pane_ms) != key.start_ms)
        return FAULT_RECORD_MALFORMED; /* not a pane of this contract */
    for (size_t i = 0; fault == FAULT_NONE && i < contract->rolling_count; i++) {
        const int64_t length_ms = contract->rolling_ms[i];
        struct pane_key window = key;
        if (!detector_watches(contract, length_ms))
            continue;
        window.start_ms = span_time_start(key.start_ms, length_ms);
        window.end_ms = window.start_ms + length_ms;
        fault = detector_add(detector, &window, layout, record, offset);
    }
    return fault;
}

static enum fault detector_handle(void *shard, const struct record *record, struct outputs *outputs)
{
    struct detector *detector = shard;
    json_t *value = NULL;
    struct reason reason;
    if (record->value.bytes == NULL)
        return FAULT_NONE;
    enum fault fault = record_json(record, &value, &reason);
    if (fault == FAULT_NONE)
        fault = detector_take(detector, value, record->offset);
    json_decref(value);
    if (fault == FAULT_TABLE_BEHIND)
        return fault;
    if (fault != FAULT_NONE)
        outputs_count(outputs, "panes_malformed_total", NULL, 1);
    return FAULT_NONE;
}

/* A window whose revision is to be measured. */
struct detector_due {
    int64_t time_ms;
    const struct pane_key *key; /* borrowed from the window */
    struct rolling *rolling;    /* borrowed */
    struct span name;           /* borrowed from the table */
    int32_t revision;
};

static int detector_due_order(const void *left, const void *right)
{
    const struct detector_due *a = left, *b = right;
    const struct pane_key *one = a->key, *other = b->key;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    if (one->end_ms != other->end_ms)
        return one->end_ms < other->end_ms ? -1 : 1;
    if (one->start_ms != other->start_ms)
        return one->start_ms < other->start_ms ? -1 : 1;
    int order = span_order(one->model, other->model);
    order = order != 0 ? order : span_order(one->version, other->version);
    order = order != 0 ? order : (int)one->role - (int)other->role;
    order = order != 0 ? order : span_order(one->segment, other->segment);
    return order != 0 ? order : a->revision - b->revision;
}

/* The revisions that stream time has passed and that are not measured yet, in order. Heap memory.
 */
static struct detector_due *detector_due(const struct detector *detector, int64_t stream_time_ms,
                                         size_t *out_count)
{
    struct detector_due *list = heap_zeroed(2 * table_count(detector->windows) + 1, sizeof *list);
    struct detector_due due = {0};
    size_t count = 0, cursor = 0;
    while ((due.rolling = table_next(detector->windows, &cursor, &due.name)) != NULL) {
        if (due.rolling->part_count == 0)
            continue; /* half of a stored window */
        const struct pane *pane = rolling_newest(due.rolling);
        due.key = &pane->key;
        for (due.revision = due.rolling->closed ? 1 : 0; due.revision <= 1; due.revision++) {
            due.time_ms = finding_time(detector->catalog, pane->layout->contract, due.key->start_ms,
                                       due.key->end_ms, due.revision);
            if (stream_time_ms > due.time_ms)
                list[count++] = due;
        }
    }
    qsort(list, count, sizeof *list, detector_due_order);
    *out_count = count;
    return list;
}

static void detector_publish(const struct rolling *rolling, int32_t revision,
                             struct outputs *outputs)
{
    uint64_t left_out = 0;
    size_t index = 0;
    json_t *record = NULL;
    struct pane *total = rolling_total(rolling, revision, &left_out);
    if (left_out > 0)
        outputs_count(outputs, "other_revision_total", NULL, (double)left_out);
    if (total == NULL)
        return;
    json_t *records = gauge_measure(total, revision);
    json_array_foreach(records, index, record)
    {
        outputs_publish_json(outputs, TOPIC_MEASUREMENTS, total->key.model, (struct span){0},
                             record);
        outputs_count(outputs, "measurements_total",
                      json_string_value(json_object_get(record, "state")), 1);
    }
    outputs_count(outputs, "windows_measured_total", revision == 0 ? "0" : "1", 1);
    json_decref(records);
    pane_destroy(total);
}

static enum fault detector_advance(void *shard, enum topic topic, int64_t stream_time_ms,
                                   struct outputs *outputs)
{
    struct detector *detector = shard;
    size_t count = 0;
    (void)topic;
    struct detector_due *list = detector_due(detector, stream_time_ms, &count);
    for (size_t i = 0; i < count; i++) {
        struct rolling *rolling = list[i].rolling;
        if (list[i].revision == 0) {
            detector_publish(rolling, 0, outputs);
            rolling->closed = true;
            rolling->changed = true;
        } else if (rolling_has_late(rolling)) {
            detector_publish(rolling, 1, outputs);
        }
    }
    for (size_t i = 0; i < count; i++) { /* after all are published: the list borrows from them */
        if (list[i].revision == 0)
            continue;
        rolling_fields_write(list[i].rolling, list[i].name, &detector->gone);
        (void)table_remove(detector->windows, list[i].name);
        rolling_destroy(list[i].rolling);
    }
    heap_release(list);
    return FAULT_NONE;
}

static int64_t detector_needs(const void *shard)
{
    const struct detector *detector = shard;
    int64_t first = INT64_MAX;
    size_t cursor = 0;
    for (const struct rolling *one; (one = table_next(detector->windows, &cursor, NULL)) != NULL;)
        first = one->since < first ? one->since : first;
    return first;
}

/* From a window's first pane, which may be published as soon as it ends, to its last correction. */
static int64_t detector_horizon_ms(const struct contract *contract)
{
    const size_t count = contract->rolling_count;
    return (count == 0 ? 0 : contract->rolling_ms[count - 1]) + contract->correction_ms;
}

static void detector_save(void *shard, struct changes *changes)
{
    struct detector *detector = shard;
    for (size_t at = 0; at < detector->gone.size;) {
        const struct span field = span_text((const char *)detector->gone.bytes + at);
        changes_remove(changes, field);
        at += field.size + 1;
    }
    buffer_clear(&detector->gone);
    struct span name;
    size_t cursor = 0;
    for (struct rolling *one; (one = table_next(detector->windows, &cursor, &name)) != NULL;)
        rolling_save(one, name, changes);
}

static enum fault detector_load_closed(struct detector *detector, struct span name,
                                       struct span bytes)
{
    json_t *value = NULL;
    const enum fault fault = memo_decode("state.window", bytes, &value);
    if (fault != FAULT_NONE)
        return fault;
    struct rolling *rolling = detector_window(detector, name, 0);
    rolling->since = json_integer_value(json_object_get(value, "since"));
    rolling->closed = json_is_true(json_object_get(value, "closed"));
    rolling->changed = false;
    rolling->stored = true;
    json_decref(value);
    return FAULT_NONE;
}

static enum fault detector_load_pane(struct detector *detector, struct span bytes)
{
    json_t *record = NULL;
    struct pane_key key;
    const struct layout *layout = NULL;
    enum fault fault = memo_decode("window.panes", bytes, &record);
    if (fault != FAULT_NONE)
        return fault;
    if (!pane_record_key(record, &key))
        fault = FAULT_STATE_MALFORMED;
    if (fault == FAULT_NONE)
        fault = detector_layout(detector, &key, &layout);
    if (fault == FAULT_NONE) {
        struct buffer name = {0};
        rolling_name_write(&key, &name);
        struct rolling *rolling = detector_window(detector, buffer_span(&name), 0);
        fault = rolling_add(rolling, &key, layout, record);
        for (size_t i = 0; fault == FAULT_NONE && i < rolling->part_count; i++) {
            struct rolling_part *part = &rolling->parts[i];
            if (part->pane->key.revision != key.revision || part->pane->key.part != key.part)
                continue;
            part->pane->changed = false;
            part->stored = (size_t)json_integer_value(json_object_get(record, "chunks"));
        }
        buffer_fini(&name);
    }
    json_decref(record);
    return fault == FAULT_RECORD_MALFORMED ? FAULT_STATE_MALFORMED : fault;
}

static enum fault detector_load(void *shard, struct span field, struct span bytes)
{
    static const char closed[] = "closed|", pane[] = "pane|";
    const size_t closed_size = sizeof closed - 1, pane_size = sizeof pane - 1;
    if (field.size > closed_size && memcmp(field.bytes, closed, closed_size) == 0)
        return detector_load_closed(
            shard, span_of(field.bytes + closed_size, field.size - closed_size), bytes);
    if (field.size > pane_size && memcmp(field.bytes, pane, pane_size) == 0)
        return detector_load_pane(shard, bytes);
    return FAULT_STATE_MALFORMED;
}

static void detector_close(void *shard)
{
    struct detector *detector = shard;
    size_t cursor = 0;
    for (struct rolling *one; (one = table_next(detector->windows, &cursor, NULL)) != NULL;)
        rolling_destroy(one);
    cursor = 0;
    for (struct layout *one; (one = table_next(detector->layouts, &cursor, NULL)) != NULL;)
        layout_destroy(one);
    table_destroy(detector->windows);
    table_destroy(detector->layouts);
    buffer_fini(&detector->gone);
    heap_release(detector);
}

const struct service detector_service = {
    .name = "detector",
    .summary = "compares each closed window with its reference and publishes measurements",
    .inputs = {TOPIC_WINDOW_PANES},
    .outputs = {TOPIC_MEASUREMENTS},
    .tables = {TOPIC_MODEL_CONTRACTS, TOPIC_MODEL_BASELINES},
    .metrics = detector_metrics,
    .open = detector_open,
    .handle = detector_handle,
    .advance = detector_advance,
    .needs = detector_needs,
    .horizon_ms = detector_horizon_ms,
    .save = detector_save,
    .load = detector_load,
    .close = detector_close,
};
