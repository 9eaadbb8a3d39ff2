/* plumb alerts, measurements, triggers, decisions, signals, panes: lists what a topic of results
 * holds. */
#include "arguments.h"
#include "connection.h"
#include "listing.h"
#include "plumb.h"
#include "presentation.h"

#define ROW_MODEL                                                                                  \
    {                                                                                              \
        .name = "model", .kind = OPTION_TEXT, .help = "only of this model"                         \
    }
#define ROW_SINCE                                                                                  \
    {                                                                                              \
        .name = "since", .kind = OPTION_TEXT,                                                      \
        .help = "only from this time on (milliseconds or ISO 8601)"                                \
    }
#define ROW_END                                                                                    \
    {                                                                                              \
        .name = NULL                                                                               \
    }

static const struct option_row plain_rows[] = {ROW_MODEL, ROW_SINCE, ROW_END};
static const struct option_row alert_rows[] = {
    ROW_MODEL,
    ROW_SINCE,
    {.name = "state", .kind = OPTION_TEXT, .help = "FIRING, RESOLVED or SUPPRESSED"},
    {.name = "severity", .kind = OPTION_TEXT, .help = "INFO, WARNING or CRITICAL"},
    {.name = "column", .kind = OPTION_TEXT, .help = "only where this column is among them"},
    ROW_END,
};
static const struct option_row measurement_rows[] = {
    ROW_MODEL,
    ROW_SINCE,
    {.name = "state", .kind = OPTION_TEXT, .help = "OK, BREACH, INSUFFICIENT_DATA ..."},
    {.name = "metric", .kind = OPTION_TEXT, .help = "only of this metric"},
    {.name = "column", .kind = OPTION_TEXT, .help = "only of this column"},
    ROW_END,
};

static const struct kind {
    const char *command;
    enum topic topic;
    const struct option_row *rows;
    const char *usage, *summary;
} kinds[] = {
    {"alerts", TOPIC_ALERTS, alert_rows,
     "plumb alerts [--model M] [--since TIME] [--state S] [--column C]",
     "Lists alerts: one for each change of state, severity or columns."},
    {"measurements", TOPIC_MEASUREMENTS, measurement_rows,
     "plumb measurements [--model M] [--since TIME] [--metric M] [--column C]",
     "Lists what was measured, window by window."},
    {"triggers", TOPIC_RETRAIN_TRIGGERS, plain_rows, "plumb triggers [--model M] [--since TIME]",
     "Lists retrain triggers and the data that they name."},
    {"decisions", TOPIC_ROLLOUT_DECISIONS, plain_rows, "plumb decisions [--model M] [--since TIME]",
     "Lists decisions on rollouts."},
    {"signals", TOPIC_SERVING_SIGNALS, plain_rows, "plumb signals [--model M] [--since TIME]",
     "Lists what the serving apps were told."},
    {"panes", TOPIC_WINDOW_PANES, plain_rows, "plumb panes [--model M] [--since TIME]",
     "Lists closed panes, as the windower published them."},
};

struct results_run {
    const struct kind *kind;
    const struct option_set *options;
    int64_t since_ms;
    struct listing *listing;
};

/* The option is not given, or the field is it, or a list that has it. */
static bool fits(const struct results_run *run, const json_t *value, const char *name,
                 const char *field)
{
    bool known = false;
    for (const struct option_row *row = run->kind->rows; row->name != NULL; row++)
        known = known || strcmp(row->name, name) == 0;
    const char *wanted = known ? option_text(run->options, name) : NULL;
    if (wanted == NULL)
        return true;
    const json_t *part = json_object_get(value, field);
    if (json_is_string(part))
        return strcmp(json_string_value(part), wanted) == 0;
    size_t index;
    const json_t *item;
    json_array_foreach(part, index, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), wanted) == 0)
            return true;
    }
    return false;
}

static void on_value(void *context, const struct record *record, const json_t *value)
{
    (void)record;
    struct results_run *run = context;
    const char *column = run->kind->topic == TOPIC_ALERTS ? "columns" : "column";
    if (!fits(run, value, "model", "model") || !fits(run, value, "state", "state") ||
        !fits(run, value, "severity", "severity") || !fits(run, value, "metric", "metric") ||
        !fits(run, value, "column", column))
        return;
    json_t *object = presentation_of(run->kind->topic, value);
    if (presentation_order(object) >= run->since_ms)
        listing_add(run->listing, object);
    else
        json_decref(object);
}

static int list(struct results_run *run)
{
    struct kafka_client *client;
    int code = connection_open(run->kind->command, run->options, &client);
    if (code != PLUMB_DONE)
        return code;
    run->listing = listing_open(option_text(run->options, "output"));
    code = connection_read(run->kind->command, client, run->kind->topic, on_value, run);
    if (code != PLUMB_DONE)
        listing_destroy(run->listing);
    else if (!listing_close(run->listing))
        code = PLUMB_OUR_FAULT;
    kafka_client_close(client);
    return code;
}

int plumb_results_run(int argc, char **argv)
{
    REQUIRE(argc >= 1);
    struct results_run run = {0};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i].command, argv[0]) == 0)
            run.kind = &kinds[i];
    REQUIRE(run.kind != NULL);
    int code;
    struct option_set *options =
        arguments_read(&(struct arguments_spec){.command = run.kind->command,
                                                .usage = run.kind->usage,
                                                .summary = run.kind->summary,
                                                .rows = run.kind->rows,
                                                .parts = ARGUMENTS_KAFKA | ARGUMENTS_OUTPUT},
                       argc, argv, &code);
    if (options == NULL)
        return code;
    run.options = options;
    if (arguments_time(run.kind->command, options, "since", INT64_MIN, &run.since_ms, &code))
        code = list(&run);
    option_set_destroy(options);
    return code;
}
