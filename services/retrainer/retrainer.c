#include "retrainer.h"
#include "episode.h"
#include "finding/finding.h"
#include "finding/memo.h"
#include "memory/heap.h"
#include "trigger.h"

struct retrainer {
    const struct catalog *catalog; /* borrowed */
    struct memo *times;            /* owned: topic → its stream time */
    struct memo *alerts;           /* owned: "fingerprint|time|window end" → alert that waits */
    struct memo *measurements;     /* owned: "id|revision" → measurement that waits */
    struct memo *episodes;         /* owned: fingerprint → episode.h */
    struct memo *models;           /* owned: model → times of its last triggers */
};

static const struct metric_row retrainer_metrics[] = {
    {"retrain_triggers_total", METRIC_COUNTER, "Triggers published.", NULL},
    {"retrain_refusals_total", METRIC_COUNTER, "Triggers refused, by what stood against them.",
     "blocked_by"},
    {"retrain_malformed_total", METRIC_COUNTER,
     "Alerts and measurements that do not fit, by topic.", "topic"},
    {0},
};

static void *retrainer_open(const struct service_environment *environment)
{
    struct retrainer *retrainer = heap_zeroed(1, sizeof *retrainer);
    retrainer->catalog = environment->catalog;
    retrainer->times = memo_create("passed", "state.stream-time");
    retrainer->alerts = memo_create("alert", "alerts");
    retrainer->measurements = memo_create("measurement", "measurements");
    retrainer->episodes = memo_create("episode", "state.retrain-episode");
    retrainer->models = memo_create("model", "state.retrain-model");
    return retrainer;
}

/* What is read of an alert is there and of the right type. */
static bool retrainer_alert_fits(json_t *alert)
{
    const char *fingerprint = NULL, *text = NULL;
    json_int_t number = 0;
    json_t *columns = NULL;
    return json_unpack(alert, "{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o}", "fingerprint",
                       &fingerprint, "time", &number, "kind", &text, "severity", &text, "state",
                       &text, "model", &text, "version", &text, "role", &text, "window_end",
                       &number, "columns", &columns) == 0 &&
           strlen(fingerprint) == IDENTITY_HEX_SIZE - 1;
}

static int64_t retrainer_integer(const json_t *value, const char *name)
{
    return json_integer_value(json_object_get(value, name));
}

static const char *retrainer_text(const json_t *value, const char *name)
{
    return json_string_value(json_object_get(value, name));
}

static enum fault retrainer_take_alert(struct retrainer *retrainer, json_t *alert)
{
    if (!retrainer_alert_fits(alert))
        return FAULT_RECORD_MALFORMED;
    struct buffer name = {0};
    buffer_format(&name, "%s|%lld|%lld", retrainer_text(alert, "fingerprint"),
                  (long long)retrainer_integer(alert, "time"),
                  (long long)retrainer_integer(alert, "window_end"));
    memo_put(retrainer->alerts, buffer_span(&name), json_incref(alert));
    buffer_fini(&name);
    return FAULT_NONE;
}

static enum fault retrainer_take_measurement(struct retrainer *retrainer, json_t *measurement)
{
    struct finding finding;
    const enum fault fault = finding_read(retrainer->catalog, measurement, &finding);
    if (fault != FAULT_NONE || !finding.decided || !finding.contract->retrain.present)
        return fault;
    struct buffer name = {0};
    buffer_format(&name, "%s|%d", finding.id, (int)finding.revision);
    memo_put(retrainer->measurements, buffer_span(&name), json_incref(measurement));
    buffer_fini(&name);
    return FAULT_NONE;
}

static enum fault retrainer_handle(void *shard, const struct record *record,
                                   struct outputs *outputs)
{
    struct retrainer *retrainer = shard;
    struct reason reason;
    json_t *value = NULL;
    if (record->value.bytes == NULL)
        return FAULT_NONE;
    enum fault fault = record_json(record, &value, &reason);
    if (fault == FAULT_NONE)
        fault = record->topic == TOPIC_ALERTS ? retrainer_take_alert(retrainer, value)
                                              : retrainer_take_measurement(retrainer, value);
    json_decref(value);
    if (fault == FAULT_TABLE_BEHIND)
        return fault;
    if (fault != FAULT_NONE)
        outputs_count(outputs, "retrain_malformed_total", topic_row(record->topic)->name, 1);
    return FAULT_NONE;
}

/* Records whose time has passed, in the order in which they act. They hold references. */
struct retrainer_due {
    json_t **alerts; /* owned, [alert_count] */
    size_t alert_count;
    struct finding *findings; /* owned, [finding_count] */
    size_t finding_count;
};

static int retrainer_alert_order(const void *left, const void *right)
{
    const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
    const int64_t times[] = {retrainer_integer(a, "time"), retrainer_integer(b, "time")};
    const int64_t ends[] = {retrainer_integer(a, "window_end"), retrainer_integer(b, "window_end")};
    if (times[0] != times[1])
        return times[0] < times[1] ? -1 : 1;
    const int order = strcmp(retrainer_text(a, "fingerprint"), retrainer_text(b, "fingerprint"));
    return order != 0 ? order : (ends[0] > ends[1]) - (ends[0] < ends[1]);
}

static void retrainer_due_alerts(struct retrainer *retrainer, int64_t time_ms,
                                 struct retrainer_due *due)
{
    const size_t waiting = memo_count(retrainer->alerts);
    struct memo_item *items = memo_sorted(retrainer->alerts);
    due->alerts = heap_zeroed(waiting + 1, sizeof *due->alerts);
    for (size_t i = 0; i < waiting; i++) {
        if (retrainer_integer(items[i].value, "time") >= time_ms)
            continue;
        due->alerts[due->alert_count++] = json_incref(items[i].value);
        memo_remove(retrainer->alerts, items[i].name);
    }
    heap_release(items);
    qsort(due->alerts, due->alert_count, sizeof *due->alerts, retrainer_alert_order);
}

static enum fault retrainer_due_findings(struct retrainer *retrainer, int64_t time_ms,
                                         struct retrainer_due *due)
{
    const size_t waiting = memo_count(retrainer->measurements);
    struct memo_item *items = memo_sorted(retrainer->measurements);
    struct finding *list = heap_zeroed(waiting + 1, sizeof *list);
    enum fault fault = FAULT_NONE;
    for (size_t i = 0; fault == FAULT_NONE && i < waiting; i++)
        fault = finding_read(retrainer->catalog, items[i].value, &list[i]);
    size_t count = 0;
    for (size_t i = 0; fault == FAULT_NONE && i < waiting; i++) {
        if (list[i].time_ms >= time_ms)
            continue;
        (void)json_incref(list[i].record);
        memo_remove(retrainer->measurements, items[i].name);
        list[count++] = list[i];
    }
    heap_release(items);
    qsort(list, count, sizeof *list, finding_order);
    due->findings = list;
    due->finding_count = count;
    return fault;
}

static void retrainer_due_fini(struct retrainer_due *due)
{
    for (size_t i = 0; i < due->alert_count; i++)
        json_decref(due->alerts[i]);
    for (size_t i = 0; i < due->finding_count; i++)
        json_decref(due->findings[i].record);
    heap_release(due->alerts);
    heap_release(due->findings);
}

static void retrainer_alert(struct retrainer *retrainer, const json_t *alert)
{
    const struct span fingerprint = span_text(retrainer_text(alert, "fingerprint"));
    const char *state = retrainer_text(alert, "state");
    if (strcmp(state, "RESOLVED") == 0)
        memo_remove(retrainer->episodes, fingerprint);
    else if (strcmp(state, "FIRING") == 0)
        memo_put(retrainer->episodes, fingerprint,
                 episode_take(memo_find(retrainer->episodes, fingerprint), alert));
}

/* A condition that is ready in one episode. */
struct retrainer_ready {
    const struct finding *finding; /* borrowed: names model, version, role and contract */
    size_t when;                   /* index in the contract */
    struct trigger_episode episode;
};

static int retrainer_ready_order(const void *left, const void *right)
{
    const struct retrainer_ready *a = left, *b = right;
    int order = strcmp(a->finding->model, b->finding->model);
    order = order != 0 ? order : strcmp(a->finding->version, b->finding->version);
    order = order != 0 ? order : strcmp(a->finding->role, b->finding->role);
    order = order != 0 ? order : a->finding->contract->revision - b->finding->contract->revision;
    order = order != 0 ? order : (a->when > b->when) - (a->when < b->when);
    return order != 0 ? order : strcmp(a->episode.fingerprint, b->episode.fingerprint);
}

static bool retrainer_same_case(const struct retrainer_ready *a, const struct retrainer_ready *b)
{
    return strcmp(a->finding->model, b->finding->model) == 0 &&
           strcmp(a->finding->version, b->finding->version) == 0 &&
           strcmp(a->finding->role, b->finding->role) == 0 &&
           a->finding->contract == b->finding->contract && a->when == b->when;
}

/* Counts a window in its episode. Returns how many conditions are ready, appended to list. */
static size_t retrainer_window(struct retrainer *retrainer, const struct finding *findings,
                               size_t count, struct retrainer_ready *list)
{
    struct retrainer_ready one = {.finding = &findings[0]};
    finding_fingerprint(&findings[0], one.episode.fingerprint);
    const struct span name = span_text(one.episode.fingerprint);
    const struct contract_retrain *rule = &findings[0].contract->retrain;
    json_t *episode = memo_find(retrainer->episodes, name);
    size_t ready = 0;
    if (episode == NULL)
        return 0;
    one.episode.value = episode;
    for (one.when = 0; one.when < rule->when_count; one.when++)
        if (episode_count(episode, rule->when[one.when], rule->for_windows, findings, count))
            list[ready++] = one;
    memo_put(retrainer->episodes, name, episode);
    return ready;
}

/* What stands against a trigger now; NULL: nothing. */
static const char *retrainer_blocked_by(const struct retrainer *retrainer, const char *model,
                                        const struct contract_retrain *rule, int64_t time_ms)
{
    const size_t count = memo_count(retrainer->episodes);
    struct memo_item *items = memo_sorted(retrainer->episodes);
    bool broken = false;
    for (size_t i = 0; i < count; i++)
        broken = broken || episode_breaks_data(items[i].value, model);
    heap_release(items);
    if (broken)
        return "data_quality";
    const json_t *times =
        json_object_get(memo_find(retrainer->models, span_text(model)), "triggers");
    json_t *one = NULL;
    size_t index = 0;
    int32_t within = 0;
    bool cools = false;
    json_array_foreach(times, index, one)
    {
        const int64_t age_ms = time_ms - json_integer_value(one);
        cools = cools || age_ms < rule->cooldown_ms;
        within += age_ms < rule->max_period_ms;
    }
    if (cools)
        return "cooldown";
    return rule->max_count > 0 && within >= rule->max_count ? "budget" : NULL;
}

/* Only times that a later contract may still ask for are kept: the last trigger's, and those within
 * the period. */
static void retrainer_remember(struct retrainer *retrainer, const char *model,
                               const struct contract_retrain *rule, int64_t time_ms)
{
    json_t *times = json_object_get(memo_find(retrainer->models, span_text(model)), "triggers");
    json_t *kept = json_array(), *one = NULL;
    size_t index = 0;
    json_array_foreach(times, index,
                       one) if (time_ms - json_integer_value(one) < rule->max_period_ms)(void)
        json_array_append(kept, one);
    (void)json_array_append_new(kept, json_integer(time_ms));
    memo_put(retrainer->models, span_text(model), json_pack("{s:o}", "triggers", kept));
}

static void retrainer_publish(struct outputs *outputs, enum topic topic, const char *type,
                              const char *id_name, json_t *record)
{
    const char *model = retrainer_text(record, "model");
    outputs_publish_event(outputs, topic, span_text(model), (struct span){0}, record,
                          &(struct output_event){.type = type,
                                                 .id = retrainer_text(record, id_name),
                                                 .subject = model,
                                                 .time_ms = retrainer_integer(record, "time")});
    json_decref(record);
}

/* Episodes of one case, [count], ready at one time: one trigger, or its refusal. */
static void retrainer_decide(struct retrainer *retrainer, const struct retrainer_ready *list,
                             size_t count, struct outputs *outputs)
{
    const struct finding *finding = list[0].finding;
    const struct contract_retrain *rule = &finding->contract->retrain;
    const char *when = rule->when[list[0].when];
    struct trigger_episode *episodes = heap_zeroed(count, sizeof *episodes);
    size_t episode_count = 0;
    bool said = true;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(list[i].episode.fingerprint, list[i - 1].episode.fingerprint) == 0)
            continue; /* two of its windows count at one time */
        episodes[episode_count++] = list[i].episode;
        said = said && episode_is_refused(list[i].episode.value, when);
    }
    const struct trigger_case ready = {.model = finding->model,
                                       .version = finding->version,
                                       .when = when,
                                       .windows = rule->for_windows < 1 ? 1 : rule->for_windows,
                                       .time_ms = finding->time_ms,
                                       .episodes = episodes,
                                       .episode_count = episode_count};
    const char *blocked_by =
        retrainer_blocked_by(retrainer, finding->model, rule, finding->time_ms);
    if (blocked_by == NULL) {
        retrainer_publish(outputs, TOPIC_RETRAIN_TRIGGERS, "io.plumbline.retrain", "trigger_id",
                          trigger_record(&ready));
        outputs_count(outputs, "retrain_triggers_total", NULL, 1);
        retrainer_remember(retrainer, finding->model, rule, finding->time_ms);
    } else if (!said) {
        retrainer_publish(outputs, TOPIC_ROLLOUT_DECISIONS, "io.plumbline.decision", "id",
                          trigger_refusal(&ready, blocked_by));
        outputs_count(outputs, "retrain_refusals_total", blocked_by, 1);
    }
    for (size_t i = 0; i < episode_count; i++) {
        if (blocked_by == NULL)
            episode_trigger(episodes[i].value, when);
        else
            episode_refuse(episodes[i].value, when);
    }
    heap_release(episodes);
}

static bool retrainer_same_window(const struct finding *a, const struct finding *b)
{
    char one[IDENTITY_HEX_SIZE], other[IDENTITY_HEX_SIZE];
    if (a->end_ms != b->end_ms || a->start_ms != b->start_ms || a->revision != b->revision)
        return false;
    finding_fingerprint(a, one);
    finding_fingerprint(b, other);
    return strcmp(one, other) == 0;
}

/* All measurements of one time. Conditions are at most a contract's `when` for each window. */
static void retrainer_measurements(struct retrainer *retrainer, const struct finding *findings,
                                   size_t count, struct outputs *outputs)
{
    struct retrainer_ready *list = NULL;
    size_t ready = 0;
    for (size_t first = 0, next = 0; first < count; first = next) {
        for (next = first + 1;
             next < count && retrainer_same_window(&findings[first], &findings[next]);)
            next++;
        list = heap_resized(list, ready + findings[first].contract->retrain.when_count + 1,
                            sizeof *list);
        ready += retrainer_window(retrainer, &findings[first], next - first, &list[ready]);
    }
    if (ready > 0)
        qsort(list, ready, sizeof *list, retrainer_ready_order);
    for (size_t first = 0, next = 0; first < ready; first = next) {
        for (next = first + 1; next < ready && retrainer_same_case(&list[first], &list[next]);)
            next++;
        retrainer_decide(retrainer, &list[first], next - first, outputs);
    }
    heap_release(list);
}

static void retrainer_act(struct retrainer *retrainer, const struct retrainer_due *due,
                          struct outputs *outputs)
{
    size_t alert = 0, first = 0;
    while (alert < due->alert_count || first < due->finding_count) {
        int64_t time_ms = INT64_MAX;
        if (first < due->finding_count)
            time_ms = due->findings[first].time_ms;
        if (alert < due->alert_count && retrainer_integer(due->alerts[alert], "time") <= time_ms) {
            retrainer_alert(retrainer, due->alerts[alert++]);
            continue;
        }
        size_t next = first;
        while (next < due->finding_count && due->findings[next].time_ms == time_ms)
            next++;
        retrainer_measurements(retrainer, &due->findings[first], next - first, outputs);
        first = next;
    }
}

static int64_t retrainer_time(const struct retrainer *retrainer, enum topic topic)
{
    const json_t *time = memo_find(retrainer->times, span_text(topic_row(topic)->name));
    return time == NULL ? INT64_MIN : retrainer_integer(time, "time");
}

static enum fault retrainer_advance(void *shard, enum topic topic, int64_t stream_time_ms,
                                    struct outputs *outputs)
{
    struct retrainer *retrainer = shard;
    const enum topic other = topic == TOPIC_ALERTS ? TOPIC_MEASUREMENTS : TOPIC_ALERTS;
    const int64_t other_ms = retrainer_time(retrainer, other);
    const int64_t time_ms = other_ms < stream_time_ms ? other_ms : stream_time_ms;
    struct retrainer_due due = {0};
    const enum fault fault = retrainer_due_findings(retrainer, time_ms, &due);
    if (fault == FAULT_NONE) {
        retrainer_due_alerts(retrainer, time_ms, &due);
        retrainer_act(retrainer, &due, outputs);
        memo_put(retrainer->times, span_text(topic_row(topic)->name),
                 json_pack("{s:I}", "time", (json_int_t)stream_time_ms));
    }
    retrainer_due_fini(&due);
    return fault;
}

static void retrainer_save(void *shard, struct changes *changes)
{
    struct retrainer *retrainer = shard;
    memo_save(retrainer->times, changes);
    memo_save(retrainer->alerts, changes);
    memo_save(retrainer->measurements, changes);
    memo_save(retrainer->episodes, changes);
    memo_save(retrainer->models, changes);
}

static enum fault retrainer_load(void *shard, struct span field, struct span bytes)
{
    struct retrainer *retrainer = shard;
    struct memo *const memos[] = {retrainer->times, retrainer->alerts, retrainer->episodes,
                                  retrainer->models};
    if (memo_owns(retrainer->measurements, field))
        return finding_load(retrainer->measurements, retrainer->catalog, field, bytes);
    for (size_t i = 0; i < COUNT_OF(memos); i++)
        if (memo_owns(memos[i], field))
            return memo_load(memos[i], field, bytes);
    return FAULT_STATE_MALFORMED;
}

static void retrainer_close(void *shard)
{
    struct retrainer *retrainer = shard;
    memo_destroy(retrainer->times);
    memo_destroy(retrainer->alerts);
    memo_destroy(retrainer->measurements);
    memo_destroy(retrainer->episodes);
    memo_destroy(retrainer->models);
    heap_release(retrainer);
}

const struct service retrainer_service = {
    .name = "retrainer",
    .summary = "asks for a new training when what the contract names has lasted",
    .inputs = {TOPIC_ALERTS, TOPIC_MEASUREMENTS},
    .outputs = {TOPIC_RETRAIN_TRIGGERS, TOPIC_ROLLOUT_DECISIONS},
    .tables = {TOPIC_MODEL_CONTRACTS},
    .joined = true,
    .endless = true,
    .metrics = retrainer_metrics,
    .open = retrainer_open,
    .handle = retrainer_handle,
    .advance = retrainer_advance,
    .save = retrainer_save,
    .load = retrainer_load,
    .close = retrainer_close,
};
