#include "alerter.h"
#include "finding/finding.h"
#include "finding/memo.h"
#include "group_state.h"
#include "memory/heap.h"
#include "notice.h"

struct alerter {
    const struct catalog *catalog; /* borrowed */
    struct memo *waiting;          /* owned: "id|revision" → measurement */
    struct memo *groups;           /* owned: fingerprint → group with something to remember */
    struct memo *acted;            /* owned: "fingerprint|window end" → columns that have acted */
};

static const struct metric_row alerter_metrics[] = {
    {"alerts_total", METRIC_COUNTER, "Changes of alerts published, by state.", "state"},
    {"measurements_malformed_total", METRIC_COUNTER, "Records of measurements that do not fit.",
     NULL},
    {0},
};

static void *alerter_open(const struct service_environment *environment)
{
    struct alerter *alerter = heap_zeroed(1, sizeof *alerter);
    alerter->catalog = environment->catalog;
    alerter->waiting = memo_create("waiting", "measurements");
    alerter->groups = memo_create("group", "state.alert-group");
    alerter->acted = memo_create("acted", "state.alert-acted");
    return alerter;
}

static enum fault alerter_handle(void *shard, const struct record *record, struct outputs *outputs)
{
    struct alerter *alerter = shard;
    struct finding finding;
    struct reason reason;
    json_t *value = NULL;
    if (record->value.bytes == NULL)
        return FAULT_NONE;
    enum fault fault = record_json(record, &value, &reason);
    if (fault == FAULT_NONE)
        fault = finding_read(alerter->catalog, value, &finding);
    if (fault == FAULT_NONE && finding.kind != FINDING_NONE &&
        (finding.decided || !finding.watched)) {
        struct buffer name = {0};
        buffer_format(&name, "%s|%d", finding.id, (int)finding.revision);
        memo_put(alerter->waiting, buffer_span(&name), json_incref(value));
        buffer_fini(&name);
    }
    json_decref(value);
    if (fault == FAULT_TABLE_BEHIND)
        return fault;
    if (fault != FAULT_NONE)
        outputs_count(outputs, "measurements_malformed_total", NULL, 1);
    return FAULT_NONE;
}

static bool alerter_has_acted(const json_t *acted, const char *column)
{
    size_t index = 0;
    json_t *one = NULL;
    json_array_foreach(json_object_get(acted, "columns"), index,
                       one) if (strcmp(json_string_value(one), column) == 0) return true;
    return false;
}

/* Remembers who has acted, as long as a later revision of the window may come. */
static void alerter_remember(struct alerter *alerter, struct span name,
                             const struct finding *findings, size_t count)
{
    const struct finding *first = &findings[0];
    if (first->revision != 0)
        return;
    json_t *columns = json_array();
    for (size_t i = 0; i < count; i++)
        if (findings[i].decided)
            (void)json_array_append_new(columns, json_string(findings[i].column));
    const int64_t until_ms =
        finding_time(alerter->catalog, first->contract, first->start_ms, first->end_ms, 1);
    memo_put(alerter->acted, name,
             json_pack("{s:I, s:o}", "until", (json_int_t)until_ms, "columns", columns));
}

static void alerter_say(const struct group *group, const struct finding *decided,
                        const char *fingerprint, enum group_change change, struct outputs *outputs)
{
    json_t *record = notice_record(group, decided, fingerprint, change);
    char *id = heap_format("%s:%lld", fingerprint, (long long)decided->time_ms);
    outputs_publish_event(outputs, TOPIC_ALERTS, span_text(fingerprint), span_text(group->model),
                          record,
                          &(struct output_event){.type = "io.plumbline.alert",
                                                 .id = id,
                                                 .subject = group->model,
                                                 .time_ms = decided->time_ms});
    outputs_count(outputs, "alerts_total", change == GROUP_FIRES ? "FIRING" : "RESOLVED", 1);
    heap_release(id);
    json_decref(record);
}

/* Findings of one group, window and revision: those that act decide together. */
static void alerter_decide(struct alerter *alerter, const char *fingerprint,
                           struct finding *findings, size_t count, struct outputs *outputs)
{
    struct buffer name = {0};
    buffer_format(&name, "%s|%lld", fingerprint, (long long)findings[0].end_ms);
    const json_t *acted = memo_find(alerter->acted, buffer_span(&name));
    size_t acting = 0;
    bool breach = false;
    for (size_t i = 0; i < count; i++) {
        if (acted != NULL && alerter_has_acted(acted, findings[i].column))
            continue;
        breach = breach || findings[i].breach;
        findings[acting++] = findings[i];
    }
    const json_t *known = memo_find(alerter->groups, span_text(fingerprint));
    if (acting > 0 && (known != NULL || breach)) {
        struct group *group = known == NULL ? group_create(&findings[0]) : group_state_read(known);
        ENSURE(group != NULL); /* checked when it was loaded */
        const enum group_change change = group_decide(group, findings, acting);
        if (change != GROUP_SAME)
            alerter_say(group, &findings[0], fingerprint, change, outputs);
        if (change == GROUP_RESOLVES)
            group_forget(group);
        if (group_is_calm(group))
            memo_remove(alerter->groups, span_text(fingerprint));
        else
            memo_put(alerter->groups, span_text(fingerprint), group_state_write(group));
        group_destroy(group);
    }
    if (acting > 0)
        alerter_remember(alerter, buffer_span(&name), findings, acting);
    buffer_fini(&name);
}

/* The measurements whose time has passed, in the order in which they act; they leave the waiting.
 * Heap memory; the findings hold a reference to their records. */
static enum fault alerter_due(struct alerter *alerter, int64_t stream_time_ms,
                              struct finding **out_list, size_t *out_count)
{
    const size_t waiting = memo_count(alerter->waiting);
    struct memo_item *items = memo_sorted(alerter->waiting);
    struct finding *list = heap_zeroed(waiting + 1, sizeof *list);
    enum fault fault = FAULT_NONE;
    size_t count = 0;
    for (size_t i = 0; fault == FAULT_NONE && i < waiting; i++) {
        fault = finding_read(alerter->catalog, items[i].value, &list[count]);
        if (fault == FAULT_NONE && list[count].time_ms < stream_time_ms)
            count++;
    }
    if (fault != FAULT_NONE) {
        heap_release(list);
        heap_release(items);
        return fault;
    }
    for (size_t i = 0; i < count; i++)
        (void)json_incref(list[i].record);
    for (size_t i = 0, taken = 0; i < waiting && taken < count; i++) {
        if (items[i].value != list[taken].record) /* both are in the order of names */
            continue;
        memo_remove(alerter->waiting, items[i].name);
        taken++;
    }
    qsort(list, count, sizeof *list, finding_order);
    heap_release(items);
    *out_list = list;
    *out_count = count;
    return FAULT_NONE;
}

/* Windows that nothing can revise any more. */
static void alerter_expire(struct alerter *alerter, int64_t stream_time_ms)
{
    const size_t count = memo_count(alerter->acted);
    struct memo_item *items = memo_sorted(alerter->acted);
    for (size_t i = 0; i < count; i++)
        if (json_integer_value(json_object_get(items[i].value, "until")) < stream_time_ms)
            memo_remove(alerter->acted, items[i].name);
    heap_release(items);
}

static enum fault alerter_advance(void *shard, enum topic topic, int64_t stream_time_ms,
                                  struct outputs *outputs)
{
    struct alerter *alerter = shard;
    struct finding *list = NULL;
    size_t count = 0;
    (void)topic;
    const enum fault fault = alerter_due(alerter, stream_time_ms, &list, &count);
    if (fault != FAULT_NONE)
        return fault;
    for (size_t first = 0, next = 0; first < count; first = next) {
        char fingerprint[IDENTITY_HEX_SIZE], other[IDENTITY_HEX_SIZE];
        finding_fingerprint(&list[first], fingerprint);
        for (next = first + 1; next < count; next++) {
            finding_fingerprint(&list[next], other);
            if (strcmp(fingerprint, other) != 0 || list[next].time_ms != list[first].time_ms ||
                list[next].end_ms != list[first].end_ms ||
                list[next].revision != list[first].revision)
                break;
        }
        /* Deciding leaves out what has acted, so the records are released by a second list. */
        struct finding *batch = heap_copied(&list[first], (next - first) * sizeof *batch);
        alerter_decide(alerter, fingerprint, batch, next - first, outputs);
        heap_release(batch);
    }
    for (size_t i = 0; i < count; i++)
        json_decref(list[i].record);
    heap_release(list);
    alerter_expire(alerter, stream_time_ms);
    return FAULT_NONE;
}

static void alerter_save(void *shard, struct changes *changes)
{
    struct alerter *alerter = shard;
    memo_save(alerter->waiting, changes);
    memo_save(alerter->groups, changes);
    memo_save(alerter->acted, changes);
}

static enum fault alerter_load_group(struct alerter *alerter, struct span field, struct span bytes)
{
    json_t *value = NULL;
    const enum fault fault = memo_decode("state.alert-group", bytes, &value);
    if (fault != FAULT_NONE)
        return fault;
    struct group *group = group_state_read(value);
    const bool fits = group != NULL;
    group_destroy(group);
    json_decref(value);
    return fits ? memo_load(alerter->groups, field, bytes) : FAULT_STATE_MALFORMED;
}

static enum fault alerter_load(void *shard, struct span field, struct span bytes)
{
    struct alerter *alerter = shard;
    if (memo_owns(alerter->waiting, field))
        return finding_load(alerter->waiting, alerter->catalog, field, bytes);
    if (memo_owns(alerter->groups, field))
        return alerter_load_group(alerter, field, bytes);
    if (memo_owns(alerter->acted, field))
        return memo_load(alerter->acted, field, bytes);
    return FAULT_STATE_MALFORMED;
}

static void alerter_close(void *shard)
{
    struct alerter *alerter = shard;
    memo_destroy(alerter->waiting);
    memo_destroy(alerter->groups);
    memo_destroy(alerter->acted);
    heap_release(alerter);
}

const struct service alerter_service = {
    .name = "alerter",
    .summary = "turns measurements into alerts: one open alert per cause, with owner, severity and "
               "evidence",
    .inputs = {TOPIC_MEASUREMENTS},
    .outputs = {TOPIC_ALERTS},
    .tables = {TOPIC_MODEL_CONTRACTS},
    .endless = true,
    .metrics = alerter_metrics,
    .open = alerter_open,
    .handle = alerter_handle,
    .advance = alerter_advance,
    .save = alerter_save,
    .load = alerter_load,
    .close = alerter_close,
};
