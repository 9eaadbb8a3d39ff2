#include "windower.h"
#include "avro/wire.h"
#include "event_reading.h"
#include "memory/heap.h"
#include "model/enrichment.h"
#include "open_panes.h"

struct windower {
    struct event_reading *reading; /* owned */
    struct open_panes *open;       /* owned */
    struct enrichment enrichment;  /* of the record at hand */
    struct pane_violation
        *violations; /* owned, [violation_capacity]: its reasons, as panes take them */
    size_t violation_capacity;
};

static const struct metric_row windower_metrics[] = {
    {"events_seen_total", METRIC_COUNTER,
     "Events taken; the sum of those counted, too late, future, rejected and duplicate.", NULL},
    {"events_counted_total", METRIC_COUNTER, "Events counted into a pane, on time or late.",
     "lateness"},
    {"events_too_late_total", METRIC_COUNTER,
     "Events that came after their pane's end + correction: in no window.", NULL},
    {"events_future_total", METRIC_COUNTER,
     "Events further ahead of their arrival than the contract's skew: in no window.", NULL},
    {"events_rejected_total", METRIC_COUNTER,
     "Records of inference.validated that could not be read, by fault.", "fault"},
    {"events_duplicate_total", METRIC_COUNTER, "Events whose id came before: in no window.", NULL},
    {"panes_published_total", METRIC_COUNTER, "Panes closed and published, on time or late.",
     "lateness"},
    {0},
};

static const struct option_row windower_options[] = {{0}};

static bool windower_observe(const struct record *record, char out_source[300],
                             int64_t *out_arrival_ms)
{
    uint64_t fingerprint;
    struct span body, source;
    if (!wire_read_frame(record->value, &fingerprint, &body) ||
        !enrichment_peek(body, &source, out_arrival_ms) || source.size >= 300)
        return false;
    memcpy(out_source, source.bytes, source.size);
    out_source[source.size] = 0;
    return true;
}

static void *windower_open(const struct service_environment *environment)
{
    struct windower *windower = heap_zeroed(1, sizeof *windower);
    windower->reading = event_reading_create(environment->catalog);
    windower->open = open_panes_create(environment->catalog);
    return windower;
}

static void reject(struct outputs *outputs, enum fault fault)
{
    outputs_count(outputs, "events_seen_total", NULL, 1);
    outputs_count(outputs, "events_rejected_total", fault_name(fault), 1);
}

/* The metric of events that are in no window; NULL for those that are counted. */
static const char *left_out(const struct enrichment *enrichment)
{
    if (enrichment->duplicate)
        return "events_duplicate_total";
    switch (enrichment->lateness) {
    case ENRICHMENT_TOO_LATE:
        return "events_too_late_total";
    case ENRICHMENT_FUTURE:
        return "events_future_total";
    case ENRICHMENT_ON_TIME:
    case ENRICHMENT_LATE:
    case ENRICHMENT_NONE:
        break;
    }
    return NULL;
}

static const struct pane_violation *violations_of(struct windower *windower)
{
    const struct enrichment *enrichment = &windower->enrichment;
    if (enrichment->reason_count > windower->violation_capacity) {
        windower->violation_capacity = enrichment->reason_capacity;
        windower->violations = heap_resized(windower->violations, windower->violation_capacity,
                                            sizeof *windower->violations);
    }
    for (size_t i = 0; i < enrichment->reason_count; i++)
        windower->violations[i] = (struct pane_violation){.column = enrichment->reasons[i].column,
                                                          .reason = enrichment->reasons[i].reason};
    return windower->violations;
}

static enum fault count(struct windower *windower, const struct record *record,
                        uint64_t fingerprint, struct span body, struct outputs *outputs)
{
    const struct enrichment *enrichment = &windower->enrichment;
    if (enrichment->lateness == ENRICHMENT_NONE)
        return FAULT_RECORD_MALFORMED; /* an event always has a pane to be late for */
    const enum pane_part part =
        enrichment->lateness == ENRICHMENT_ON_TIME ? PART_ON_TIME : PART_LATE;
    struct event event;
    const struct contract *contract;
    struct pane *pane;
    enum fault fault = event_reading_read(windower->reading, fingerprint,
                                          enrichment->contract_revision, body, &event, &contract);
    if (fault == FAULT_NONE)
        fault = open_panes_find(windower->open, contract, &event, part, &pane);
    if (fault != FAULT_NONE)
        return fault;
    pane_add(pane, &event, violations_of(windower), enrichment->reason_count, record->partition,
             record->offset);
    outputs_count(outputs, "events_seen_total", NULL, 1);
    outputs_count(outputs, "events_counted_total", enrichment_lateness_name(enrichment->lateness),
                  1);
    return FAULT_NONE;
}

static enum fault windower_handle(void *shard, const struct record *record, struct outputs *outputs)
{
    struct windower *windower = shard;
    struct enrichment *enrichment = &windower->enrichment;
    uint64_t fingerprint;
    struct span body;
    size_t used;
    enum fault fault = FAULT_RECORD_MALFORMED;
    if (wire_read_frame(record->value, &fingerprint, &body))
        fault = enrichment_read(body, enrichment, &used);
    if (fault == FAULT_NONE) {
        if (enrichment->kind != ENRICHMENT_EVENT)
            return FAULT_NONE;
        const char *metric = left_out(enrichment);
        if (metric != NULL) {
            outputs_count(outputs, "events_seen_total", NULL, 1);
            outputs_count(outputs, metric, NULL, 1);
            return FAULT_NONE;
        }
        fault = count(windower, record, fingerprint, body, outputs);
    }
    if (fault == FAULT_TABLE_BEHIND)
        return fault;
    if (fault != FAULT_NONE)
        reject(outputs, fault);
    return FAULT_NONE;
}

static enum fault windower_advance(void *shard, enum topic topic, int64_t stream_time_ms,
                                   struct outputs *outputs)
{
    struct windower *windower = shard;
    (void)topic;
    struct pane **panes;
    const size_t pane_count = open_panes_take(windower->open, stream_time_ms, &panes);
    for (size_t i = 0; i < pane_count; i++) {
        struct pane *pane = panes[i];
        json_t *records = pane_records(pane);
        for (size_t j = 0; j < json_array_size(records); j++)
            outputs_publish_json(outputs, TOPIC_WINDOW_PANES, pane->key.model, pane->key.model,
                                 json_array_get(records, j));
        outputs_count(outputs, "panes_published_total",
                      pane->key.part == PART_ON_TIME ? "on_time" : "late", 1);
        json_decref(records);
        pane_destroy(pane);
    }
    heap_release(panes);
    return FAULT_NONE;
}

static int64_t windower_needs(const void *shard)
{
    const struct windower *windower = shard;
    return open_panes_first_offset(windower->open);
}

/* From a record that came skew before its time to the pane's last correction. */
static int64_t windower_horizon_ms(const struct contract *contract)
{
    return contract->skew_ms + contract->pane_ms + contract->correction_ms;
}

static void windower_save(void *shard, struct changes *changes)
{
    struct windower *windower = shard;
    open_panes_save(windower->open, changes);
}

static enum fault windower_load(void *shard, struct span field, struct span bytes)
{
    struct windower *windower = shard;
    (void)field; /* the record says the same */
    json_t *value;
    struct reason reason;
    const struct record record = {.topic = TOPIC_WINDOW_PANES, .value = bytes};
    if (record_json(&record, &value, &reason) != FAULT_NONE)
        return FAULT_STATE_MALFORMED;
    const enum fault fault = open_panes_load(windower->open, value);
    json_decref(value);
    return fault;
}

static void windower_close(void *shard)
{
    struct windower *windower = shard;
    open_panes_destroy(windower->open);
    event_reading_destroy(windower->reading);
    enrichment_fini(&windower->enrichment);
    heap_release(windower->violations);
    heap_release(windower);
}

const struct service windower_service = {
    .name = "windower",
    .summary = "counts validated events into panes and publishes each pane when it closes",
    .inputs = {TOPIC_INFERENCE_VALIDATED},
    .outputs = {TOPIC_WINDOW_PANES},
    .tables = {TOPIC_MODEL_CONTRACTS, TOPIC_MODEL_BASELINES, TOPIC_MODEL_SCHEMAS},
    .options = windower_options,
    .metrics = windower_metrics,
    .observe = windower_observe,
    .open = windower_open,
    .handle = windower_handle,
    .advance = windower_advance,
    .needs = windower_needs,
    .horizon_ms = windower_horizon_ms,
    .save = windower_save,
    .load = windower_load,
    .close = windower_close,
};
