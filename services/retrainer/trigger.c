#include "trigger.h"
#include "episode.h"
#include "memory/heap.h"

#include <inttypes.h>

struct trigger_evidence {
    int64_t end_ms;
    const char *id; /* borrowed from the episode */
};

struct trigger_sum { /* of all windows that counted */
    int64_t start_ms, end_ms;
    json_t *offsets, *alerts, *measurements; /* owned */
    char *reason;                            /* owned */
};

static int trigger_evidence_order(const void *left, const void *right)
{
    const struct trigger_evidence *a = left, *b = right;
    if (a->end_ms != b->end_ms)
        return a->end_ms < b->end_ms ? -1 : 1;
    return strcmp(a->id, b->id);
}

/* By window, then id: what led here, in its order. */
static json_t *trigger_measurements(const struct trigger_case *ready)
{
    struct trigger_evidence *list = NULL;
    json_t *ids = json_array(), *window = NULL, *id = NULL;
    size_t count = 0, at = 0, index = 0;
    for (size_t i = 0; i < ready->episode_count; i++) {
        const json_t *counted = episode_counted(ready->episodes[i].value, ready->when);
        json_array_foreach(json_object_get(counted, "windows"), at, window)
        {
            const json_t *measurements = json_object_get(window, "measurements");
            list = heap_resized(list, count + json_array_size(measurements) + 1, sizeof *list);
            json_array_foreach(measurements, index, id) list[count++] = (struct trigger_evidence){
                .end_ms = json_integer_value(json_object_get(window, "end")),
                .id = json_string_value(id)};
        }
    }
    if (count > 0)
        qsort(list, count, sizeof *list, trigger_evidence_order);
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(ids, json_string(list[i].id));
    heap_release(list);
    return ids;
}

static struct trigger_sum trigger_sum(const struct trigger_case *ready)
{
    REQUIRE(ready->episode_count > 0);
    struct trigger_sum sum = {.start_ms = INT64_MAX,
                              .end_ms = INT64_MIN,
                              .offsets = json_array(),
                              .alerts = json_array(),
                              .measurements = trigger_measurements(ready)};
    for (size_t i = 0; i < ready->episode_count; i++) {
        const json_t *counted = episode_counted(ready->episodes[i].value, ready->when);
        size_t at = 0;
        json_t *window = NULL;
        json_array_foreach(json_object_get(counted, "windows"), at, window)
        {
            const int64_t start_ms = json_integer_value(json_object_get(window, "start"));
            const int64_t end_ms = json_integer_value(json_object_get(window, "end"));
            sum.start_ms = start_ms < sum.start_ms ? start_ms : sum.start_ms;
            sum.end_ms = end_ms > sum.end_ms ? end_ms : sum.end_ms;
            finding_offsets_join(sum.offsets, json_object_get(window, "offsets"));
        }
        (void)json_array_append_new(sum.alerts, json_string(ready->episodes[i].fingerprint));
    }
    sum.reason = heap_format("%s for %d window%s", ready->when, (int)ready->windows,
                             ready->windows == 1 ? "" : "s");
    return sum;
}

static void trigger_identify(struct identity *identity, const struct trigger_case *ready,
                             const struct trigger_sum *sum)
{
    identity_text(identity, ready->model);
    identity_text(identity, ready->version);
    identity_integer(identity, sum->end_ms);
    identity_text(identity, sum->reason);
}

json_t *trigger_record(const struct trigger_case *ready)
{
    struct trigger_sum sum = trigger_sum(ready);
    struct identity identity = {0};
    char id[IDENTITY_UUID_SIZE], start[24], end[24];
    trigger_identify(&identity, ready, &sum);
    identity_uuid(&identity, id);
    (void)snprintf(start, sizeof start, "%" PRId64, sum.start_ms);
    (void)snprintf(end, sizeof end, "%" PRId64, sum.end_ms);
    json_t *parameters = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "trigger_id", id, "model",
                                   ready->model, "version", ready->version, "reason", sum.reason,
                                   "time_start", start, "time_end", end);
    json_t *part =
        json_pack("{s:o, s:I, s:I, s:i}", "offsets", sum.offsets, "time_start",
                  (json_int_t)sum.start_ms, "time_end", (json_int_t)sum.end_ms, "labels", 0);
    json_t *record =
        json_pack("{s:s, s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "trigger_id", id, "time",
                  (json_int_t)ready->time_ms, "model", ready->model, "version", ready->version,
                  "reason", sum.reason, "alerts", sum.alerts, "measurements", sum.measurements,
                  "data", part, "parameters", parameters);
    ENSURE(record != NULL);
    heap_release(sum.reason);
    return record;
}

json_t *trigger_refusal(const struct trigger_case *ready, const char *blocked_by)
{
    struct trigger_sum sum = trigger_sum(ready);
    struct identity identity = {0};
    char id[IDENTITY_HEX_SIZE];
    trigger_identify(&identity, ready, &sum);
    identity_text(&identity, "REFUSED");
    identity_hex(&identity, id);
    (void)json_array_extend(sum.alerts, sum.measurements);
    json_t *record =
        json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:o}", "id", id, "time",
                  (json_int_t)ready->time_ms, "model", ready->model, "version", ready->version,
                  "decision", "REFUSED", "blocked_by", blocked_by, "evidence", sum.alerts);
    ENSURE(record != NULL);
    json_decref(sum.offsets);
    json_decref(sum.measurements);
    heap_release(sum.reason);
    return record;
}
