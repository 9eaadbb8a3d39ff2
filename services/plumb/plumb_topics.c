/* plumb topics: makes the topics of schemas/topics.def, or says what it would do.
 *
 * Broker settings that matter: LogAppendTime (a record's arrival is the broker's append time,
 * DESIGN.md 2.3), cleanup, room for records up to 1 MiB with what we add, and how long results are
 * kept. Existing topics are never changed: a different partition count would break the order by
 * key, and settings may be somebody's choice; what differs is said.
 */
#include "arguments.h"
#include "connection.h"
#include "kafka/topic_admin.h"
#include "listing.h"
#include "plumb.h"

#define DAYS_30_MS "2592000000"

static const struct option_row rows[] = {
    {.name = "partitions",
     .kind = OPTION_NUMBER,
     .fallback = "4",
     .help = "partitions of a new topic"},
    {.name = "replication",
     .kind = OPTION_NUMBER,
     .fallback = "1",
     .help = "copies of a new topic's partitions"},
    {.name = NULL},
};
static const struct listing_column columns[] = {
    {"topic", "TOPIC", LISTING_WORD},     {"partitions", "PARTITIONS", LISTING_NUMBER},
    {"cleanup", "CLEANUP", LISTING_WORD}, {"state", "STATE", LISTING_TEXT},
    {NULL, NULL, LISTING_TEXT},
};

static void add(struct topic_admin_plan *plan, const char *name, const char *value)
{
    ENSURE(plan->setting_count < TOPIC_ADMIN_SETTINGS_MAX);
    struct topic_admin_setting *setting = &plan->settings[plan->setting_count++];
    setting->name = name;
    (void)snprintf(setting->value, sizeof setting->value, "%s", value);
}

static struct topic_admin_plan plan_of(enum topic topic, const struct option_set *options)
{
    struct topic_admin_plan plan = {
        .topic = topic,
        .partition_count = (int32_t)option_number(options, "partitions"),
        .replication = (int32_t)option_number(options, "replication"),
    };
    add(&plan, "cleanup.policy", topic_row(topic)->cleanup);
    add(&plan, "message.timestamp.type", "LogAppendTime");
    add(&plan, "max.message.bytes", "4194304");
    if (topic == TOPIC_WINDOW_PANES || topic == TOPIC_ALERTS)
        add(&plan, "retention.ms", DAYS_30_MS);
    if (topic == TOPIC_ALERTS) /* every change of state stays readable as long as it is kept */
        add(&plan, "min.compaction.lag.ms", DAYS_30_MS);
    if (topic == TOPIC_OPERATOR_COMMANDS || topic == TOPIC_OPERATOR_APPLIED)
        add(&plan, "retention.ms", "-1");   /* the audit log */
    if (topic == TOPIC_SERVICE_SNAPSHOTS) { /* written to with each transaction, read at starts */
        add(&plan, "segment.ms", "600000");
        add(&plan, "segment.bytes", "16777216");
        add(&plan, "min.cleanable.dirty.ratio", "0.1");
    }
    return plan;
}

struct topics_run {
    const struct option_set *options;
    struct kafka_client *client;
    struct listing *listing;
    bool apply, refused;
};

static void report(struct topics_run *run, const struct topic_admin_plan *plan, int32_t partitions,
                   const char *state)
{
    listing_add(run->listing, json_pack("{s:s, s:i, s:s, s:s}", "topic",
                                        kafka_client_topic(run->client, plan->topic), "partitions",
                                        (int)partitions, "cleanup", topic_row(plan->topic)->cleanup,
                                        "state", state));
}

/* cleanup.policy is a list; the broker may give it in another order. */
static bool is_same(const char *left, const char *right)
{
    return strcmp(left, right) == 0 ||
           (strcmp(left, "delete,compact") == 0 && strcmp(right, "compact,delete") == 0);
}

static enum fault compare(struct topics_run *run, const struct topic_admin_plan *plan,
                          int32_t partitions, struct reason *out_reason)
{
    struct topic_admin_plan now = *plan;
    const enum fault fault =
        topic_admin_settings(run->client, plan->topic, now.settings, now.setting_count, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    char state[400] = "";
    size_t size = 0;
    if (partitions != plan->partition_count) {
        size += (size_t)snprintf(state, sizeof state, "differs: has %d partitions, not %d",
                                 (int)partitions, (int)plan->partition_count);
        run->refused = run->refused || option_is_given(run->options, "partitions");
    }
    for (size_t i = 0; i < plan->setting_count && size < sizeof state; i++)
        if (!is_same(now.settings[i].value, plan->settings[i].value))
            size += (size_t)snprintf(state + size, sizeof state - size, "%s%s is %s, not %s",
                                     size == 0 ? "differs: " : ", ", plan->settings[i].name,
                                     now.settings[i].value, plan->settings[i].value);
    report(run, plan, partitions, size == 0 ? "ok" : state);
    return FAULT_NONE;
}

static enum fault settle(struct topics_run *run, enum topic topic, struct reason *out_reason)
{
    const struct topic_admin_plan plan = plan_of(topic, run->options);
    int32_t partitions;
    enum fault fault = kafka_client_partitions(run->client, topic, &partitions, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    if (partitions > 0)
        return compare(run, &plan, partitions, out_reason);
    if (run->apply)
        fault = topic_admin_create(run->client, &plan, out_reason);
    if (fault == FAULT_NONE)
        report(run, &plan, plan.partition_count, run->apply ? "created" : "to be created");
    return fault;
}

static int settle_all(struct topics_run *run)
{
    struct reason reason;
    for (enum topic topic = TOPIC_NONE + 1; topic < TOPIC_COUNT; topic++) {
        const enum fault fault = settle(run, topic, &reason);
        if (fault != FAULT_NONE)
            return plumb_fail("topics", fault, &reason);
    }
    if (!run->refused)
        return PLUMB_DONE;
    plumb_say("topics", "partition counts of existing topics are never changed: records of one "
                        "key would no longer meet");
    return PLUMB_CHECK_SAYS_NO;
}

static int run_on(const struct option_set *options, bool apply)
{
    if (option_number(options, "partitions") < 1 || option_number(options, "partitions") > 10000 ||
        option_number(options, "replication") < 1 || option_number(options, "replication") > 100) {
        plumb_say("topics", "--partitions: from 1 to 10000; --replication: from 1 to 100");
        return PLUMB_USAGE;
    }
    struct topics_run run = {.options = options, .apply = apply};
    int code = connection_open("topics", options, &run.client);
    if (code != PLUMB_DONE)
        return code;
    run.listing = listing_open(option_text(options, "output"));
    listing_columns(run.listing, columns);
    code = settle_all(&run);
    if (!listing_close(run.listing) && code == PLUMB_DONE)
        code = PLUMB_OUR_FAULT;
    kafka_client_close(run.client);
    return code;
}

int plumb_topics_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){.command = "topics",
                                 .usage = "plumb topics plan|apply [--partitions N] "
                                          "[--replication N]",
                                 .summary = "Makes the topics that are missing (apply), or says "
                                            "what it would do (plan).",
                                 .rows = rows,
                                 .parts = ARGUMENTS_KAFKA | ARGUMENTS_OUTPUT,
                                 .least = 1,
                                 .most = 1},
        argc, argv, &code);
    if (options == NULL)
        return code;
    const char *verb = option_positional(options, 0);
    if (strcmp(verb, "plan") == 0 || strcmp(verb, "apply") == 0) {
        code = run_on(options, strcmp(verb, "apply") == 0);
    } else {
        plumb_say("topics", "plan or apply, not '%s'", verb);
        code = PLUMB_USAGE;
    }
    option_set_destroy(options);
    return code;
}
