/* plumb apply: publishes a contract as the next revision, with the newest complete baseline of each
 * version.
 *
 * Refused is a contract whose state a service could not rebuild: its inputs must be kept for longer
 * than the service's horizon. The same text with the same baselines changes nothing. Two who apply
 * to one model at the same moment would take the same revision; the later record then stands for
 * it.
 */
#include "arguments.h"
#include "clock/wall.h"
#include "connection.h"
#include "container/table.h"
#include "kafka/topic_admin.h"
#include "memory/heap.h"
#include "model/catalog.h"
#include "model/publication.h"
#include "plumb.h"
#include "survey.h"
#include "window/span_time.h"

static const struct option_row rows[] = {
    {.name = "f", .kind = OPTION_TEXT, .help = "the contract's file (needed)"},
    {.name = "effective-from",
     .kind = OPTION_TEXT,
     .help = "event time from which it holds (milliseconds or ISO 8601); else one minute from "
             "now, rounded up to the pane"},
    {.name = "dry-run", .kind = OPTION_FLAG, .help = "say what would be done, publish nothing"},
    {.name = NULL},
};

struct apply_run {
    const struct option_set *options;
    struct contract *contract; /* owned */
    int64_t effective_from_ms;
    struct kafka_client *client; /* owned */
    json_t *last;                /* owned: the newest revision's record; NULL: none */
    struct catalog *catalog;     /* owned: baselines */
    struct table
        *ages; /* owned: "version@hash" → int64_t, owned: when its newest record was appended */
    const struct baseline **baselines; /* owned list: all in Kafka, then those chosen */
    size_t baseline_count;
};

static void on_contract(void *context, const struct record *record, const json_t *value)
{
    (void)record;
    struct apply_run *run = context;
    const char *model = json_string_value(json_object_get(value, "model"));
    const json_int_t revision = json_integer_value(json_object_get(value, "revision"));
    if (model == NULL || strcmp(model, run->contract->model) != 0)
        return;
    if (run->last != NULL && json_integer_value(json_object_get(run->last, "revision")) > revision)
        return;
    json_decref(run->last);
    run->last = json_deep_copy(value);
}

static void on_baseline(void *context, const struct record *record, const json_t *value)
{
    struct apply_run *run = context;
    const char *model = json_string_value(json_object_get(value, "model"));
    const char *version = json_string_value(json_object_get(value, "version"));
    const char *hash = json_string_value(json_object_get(value, "hash"));
    struct reason reason;
    if (model == NULL || version == NULL || hash == NULL ||
        strcmp(model, run->contract->model) != 0)
        return;
    if (catalog_apply(run->catalog, record, &reason) != FAULT_NONE) {
        plumb_say("apply", "a record of model.baselines does not read: %s", reason.text);
        return;
    }
    char *key = heap_format("%s@%s", version, hash);
    int64_t *age = table_find(run->ages, span_text(key));
    if (age == NULL) {
        age = heap_zeroed(1, sizeof *age);
        (void)table_put(run->ages, span_text(key), age);
    }
    if (record->arrival_ms > *age)
        *age = record->arrival_ms;
    heap_release(key);
}

static int64_t age_of(const struct apply_run *run, const struct baseline *baseline)
{
    char *key = heap_format("%s@%s", baseline->version, baseline->hash);
    const int64_t *age = table_find(run->ages, span_text(key));
    heap_release(key);
    return age == NULL ? 0 : *age;
}

/* Of each version the newest that is complete; the list comes sorted by version. */
static void choose_baselines(struct apply_run *run)
{
    const size_t all = catalog_baselines(run->catalog, &run->baselines);
    size_t count = 0;
    for (size_t i = 0; i < all; i++) {
        const struct baseline *next = run->baselines[i];
        if (strcmp(next->model, run->contract->model) != 0 || !baseline_is_complete(next))
            continue;
        const struct baseline *chosen = count == 0 ? NULL : run->baselines[count - 1];
        if (chosen == NULL || strcmp(chosen->version, next->version) != 0)
            run->baselines[count++] = next;
        else if (age_of(run, next) > age_of(run, chosen))
            run->baselines[count - 1] = next;
    }
    run->baseline_count = count;
}

static bool is_unchanged(const struct apply_run *run)
{
    const json_t *named = json_object_get(run->last, "baselines");
    const char *text = json_string_value(json_object_get(run->last, "text"));
    if (text == NULL || strcmp(text, run->contract->text) != 0 ||
        json_array_size(named) != run->baseline_count)
        return false;
    for (size_t i = 0; i < run->baseline_count; i++) {
        bool found = false;
        size_t index;
        const json_t *item;
        json_array_foreach(named, index, item)
        {
            const char *version = json_string_value(json_object_get(item, "version"));
            const char *hash = json_string_value(json_object_get(item, "hash"));
            found = found || (version != NULL && hash != NULL &&
                              strcmp(version, run->baselines[i]->version) == 0 &&
                              strcmp(hash, run->baselines[i]->hash) == 0);
        }
        if (!found)
            return false;
    }
    return true;
}

static void warn_of_missing_baseline(const struct apply_run *run)
{
    for (size_t i = 0; i < run->contract->monitor_count && run->baseline_count == 0; i++) {
        const struct contract_monitor *monitor = &run->contract->monitors[i];
        if (monitor->reference == NULL || strcmp(monitor->reference, "baseline") != 0)
            continue;
        plumb_say("apply",
                  "warning: line %u compares with the baseline, and there is none: run plumb "
                  "baseline, then apply again",
                  monitor->line);
        return;
    }
}

static int publish(struct apply_run *run, int32_t revision)
{
    int32_t partitions;
    int code = connection_partitions("apply", run->client, TOPIC_MODEL_CONTRACTS, &partitions);
    if (code != PLUMB_DONE)
        return code;
    const struct publication publication = {
        .revision = revision,
        .effective_from_ms = run->effective_from_ms,
        .applied_at_ms = wall_now_ms(),
        .baselines = run->baselines,
        .baseline_count = run->baseline_count,
    };
    struct buffer key = {0}, value = {0};
    publication_contract(run->contract, &publication, &key, &value);
    connection_publish(run->client, TOPIC_MODEL_CONTRACTS, partitions, buffer_span(&key),
                       buffer_span(&value));
    buffer_fini(&key);
    buffer_fini(&value);
    return connection_settle("apply", run->client);
}

static void say_result(const struct apply_run *run, int32_t revision)
{
    char time[32];
    printf("%s@%d %s from %s\n", run->contract->model, (int)revision,
           option_flag(run->options, "dry-run") ? "would hold" : "holds",
           wall_text(run->effective_from_ms, time));
    for (size_t i = 0; i < run->baseline_count; i++)
        printf("  baseline %s of %s%s\n", run->baselines[i]->hash,
               run->baselines[i]->version[0] == '\0' ? "any version" : "version ",
               run->baselines[i]->version);
}

/* "10d 1h 5m". */
static const char *duration_text(int64_t span_ms, char text[64])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t size = 0;
    (void)snprintf(text, 64, "0s");
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        const int64_t count = span_ms / units[i].ms;
        span_ms %= units[i].ms;
        if (count > 0)
            size += (size_t)snprintf(text + size, 64 - size, "%s%lld%s", size == 0 ? "" : " ",
                                     (long long)count, units[i].unit);
    }
    return text;
}

/* How long one input of a service is kept, against how long a replay may need it. */
static int check_retention(const struct apply_run *run, const struct service *service,
                           enum topic topic)
{
    const int64_t needed_ms = service->horizon_ms(run->contract);
    struct topic_admin_setting settings[] = {{.name = "retention.ms"}, {.name = "cleanup.policy"}};
    struct reason reason;
    int32_t partitions;
    const int code = connection_partitions("apply", run->client, topic, &partitions);
    if (code != PLUMB_DONE)
        return code;
    const enum fault fault =
        topic_admin_settings(run->client, topic, settings, COUNT_OF(settings), &reason);
    if (fault != FAULT_NONE)
        return plumb_fail("apply", fault, &reason);
    char *end;
    const long long kept_ms = strtoll(settings[0].value, &end, 10);
    if (end == settings[0].value || kept_ms < 0 || kept_ms > needed_ms ||
        strstr(settings[1].value, "delete") == NULL)
        return PLUMB_DONE;
    char kept[64], needed[64];
    reason_set(&reason,
               "%s:1:1: the %s needs %s of topic %s, which is kept for %s: raise its retention.ms "
               "above %lld, or shorten windows or correction",
               option_text(run->options, "f"), service->name, duration_text(needed_ms, needed),
               kafka_client_topic(run->client, topic), duration_text(kept_ms, kept),
               (long long)needed_ms);
    return plumb_fail("apply", FAULT_CONTRACT_INVALID, &reason);
}

static int check_retentions(const struct apply_run *run)
{
    int code = PLUMB_DONE;
    for (size_t i = 0; survey_services[i] != NULL; i++) {
        const struct service *service = survey_services[i];
        for (size_t k = 0; k < SERVICE_TOPICS_MAX && service->horizon_ms != NULL &&
                           service->inputs[k] != TOPIC_NONE && code == PLUMB_DONE;
             k++)
            code = check_retention(run, service, service->inputs[k]);
    }
    return code;
}

static int apply(struct apply_run *run)
{
    int code = connection_open("apply", run->options, &run->client);
    if (code == PLUMB_DONE)
        code = check_retentions(run);
    if (code == PLUMB_DONE)
        code = connection_read("apply", run->client, TOPIC_MODEL_CONTRACTS, on_contract, run);
    if (code == PLUMB_DONE)
        code = connection_read("apply", run->client, TOPIC_MODEL_BASELINES, on_baseline, run);
    if (code != PLUMB_DONE)
        return code;
    choose_baselines(run);
    warn_of_missing_baseline(run);
    const int32_t last = (int32_t)json_integer_value(json_object_get(run->last, "revision"));
    if (run->last != NULL && is_unchanged(run)) {
        printf("%s@%d unchanged\n", run->contract->model, (int)last);
        return PLUMB_DONE;
    }
    if (!option_flag(run->options, "dry-run"))
        code = publish(run, last + 1);
    if (code == PLUMB_DONE)
        say_result(run, last + 1);
    return code;
}

static int read_contract(struct apply_run *run)
{
    const char *file = option_text(run->options, "f");
    if (file == NULL) {
        plumb_say("apply", "-f CONTRACT.yaml is needed (--help)");
        return PLUMB_USAGE;
    }
    struct reason reason;
    const enum fault fault = plumb_contract_read(file, &run->contract, &reason);
    if (fault != FAULT_NONE)
        return plumb_fail("apply", fault, &reason);
    const int64_t pane_ms = run->contract->pane_ms;
    const int64_t soon_ms = span_time_start(wall_now_ms() + 60000 + pane_ms - 1, pane_ms);
    int code = PLUMB_DONE;
    (void)arguments_time("apply", run->options, "effective-from", soon_ms, &run->effective_from_ms,
                         &code);
    return code;
}

int plumb_apply_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){.command = "apply",
                                 .usage = "plumb apply -f CONTRACT.yaml [--effective-from TIME] "
                                          "[--dry-run]",
                                 .summary = "Checks a contract, also against how long its topics "
                                            "are kept, and publishes it as the model's next "
                                            "revision.",
                                 .rows = rows,
                                 .parts = ARGUMENTS_KAFKA},
        argc, argv, &code);
    if (options == NULL)
        return code;
    struct apply_run run = {
        .options = options, .catalog = catalog_create(), .ages = table_create()};
    code = read_contract(&run);
    if (code == PLUMB_DONE)
        code = apply(&run);
    size_t cursor = 0;
    for (void *age; (age = table_next(run.ages, &cursor, NULL)) != NULL;)
        heap_release(age);
    table_destroy(run.ages);
    heap_release(run.baselines);
    catalog_destroy(run.catalog);
    json_decref(run.last);
    contract_destroy(run.contract);
    kafka_client_close(run.client);
    option_set_destroy(options);
    return code;
}
