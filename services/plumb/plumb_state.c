/* plumb state: what a service would start from, shard by shard (show), and the remedy of every loud
 * stop (reset). */
#include "arguments.h"
#include "connection.h"
#include "listing.h"
#include "memory/heap.h"
#include "plumb.h"
#include "service/outputs.h"
#include "survey_row.h"

enum { LOOKS_MAX = 5, LOOKS_PAUSE_MS = 300 };

#define ROW_REDIS                                                                                  \
    {                                                                                              \
        .name = "redis", .kind = OPTION_TEXT, .fallback = "redis://127.0.0.1:6379",                \
        .help = "where the state is; also REDIS_URL", .secret = true                               \
    }
#define ROW_GROUP                                                                                  \
    {                                                                                              \
        .name = "group", .kind = OPTION_TEXT,                                                      \
        .help = "consumer group of the service, where it is not plumb-SERVICE"                     \
    }

static const struct option_row rows[] = {
    ROW_REDIS,
    ROW_GROUP,
    {.name = "entries", .kind = OPTION_FLAG, .help = "show: also each entry that Redis holds"},
    {.name = "dry-run", .kind = OPTION_FLAG, .help = "reset: say what would be done, do nothing"},
    {.name = "all",
     .kind = OPTION_FLAG,
     .help = "reset: also shards that would start as they are; they are rebuilt"},
    {.name = NULL},
};
static const struct listing_column reset_columns[] = {
    {"name", "SHARD", LISTING_TEXT},
    {"after", "THEN IT", LISTING_TEXT},
    {"actions", "", LISTING_BELOW},
    {NULL, NULL, LISTING_TEXT},
};

struct state_run {
    const struct option_set *options;
    struct kafka_client *client; /* owned, as all below */
    struct inspect *inspect;
    struct listing *listing;
    bool is_table, refused;
};

static void add_shard(struct state_run *run, const struct survey *survey,
                      const struct survey_shard *shard)
{
    run->refused = run->refused || outlook_of(&shard->facts).kind == OUTLOOK_REFUSED;
    listing_add(run->listing,
                survey_row(survey, shard, run->is_table, option_flag(run->options, "entries")));
}

/* ---- show */

static enum fault look(const struct state_run *run, const struct service *service,
                       struct survey *survey, struct reason *out_reason)
{
    return survey_take(&(struct survey_options){.service = service,
                                                .group = option_text(run->options, "group"),
                                                .client = run->client,
                                                .inspect = run->inspect},
                       survey, out_reason);
}

static bool is_refused(const struct survey *survey)
{
    for (size_t i = 0; i < survey->shard_count; i++)
        if (outlook_of(&survey->shards[i].facts).kind == OUTLOOK_REFUSED)
            return true;
    return false;
}

static int fail(enum fault fault, const struct reason *reason)
{
    const int code = plumb_fail("state", fault, reason);
    return fault == FAULT_OPTION_INVALID ? PLUMB_CONFIGURATION : code;
}

/* A service that runs moves on while it is looked at: what looks wrong is looked at again. */
static int show_service(struct state_run *run, const struct service *service)
{
    struct survey survey = {0};
    struct reason reason;
    enum fault fault = look(run, service, &survey, &reason);
    for (int i = 1; i < LOOKS_MAX && fault == FAULT_NONE && survey.alive && is_refused(&survey);
         i++) {
        survey_fini(&survey);
        kafka_client_poll(run->client, LOOKS_PAUSE_MS);
        fault = look(run, service, &survey, &reason);
    }
    if (fault != FAULT_NONE)
        return fail(fault, &reason);
    for (size_t i = 0; i < survey.shard_count; i++)
        add_shard(run, &survey, &survey.shards[i]);
    survey_fini(&survey);
    return PLUMB_DONE;
}

static int show(struct state_run *run, const struct service *service)
{
    listing_columns(run->listing, survey_row_columns);
    int code = PLUMB_DONE;
    for (size_t i = 0; survey_services[i] != NULL && code == PLUMB_DONE; i++)
        if (service == NULL || survey_services[i] == service)
            code = show_service(run, survey_services[i]);
    return code;
}

/* ---- reset */

static void say_input(json_t *actions, const struct outlook_input *input,
                      const struct outlook_repair_input *repair)
{
    const char *name = topic_row(input->topic)->name;
    char *text = NULL;
    if (repair->anew)
        text = heap_format("moves %s:%d from %lld to %lld: the topic was made anew", name,
                           (int)input->partition, (long long)input->committed,
                           (long long)repair->offset);
    else if (repair->skipped > 0)
        text = heap_format("moves %s:%d from %lld to %lld: %lld offsets that were never read are "
                           "gone for good",
                           name, (int)input->partition, (long long)input->committed,
                           (long long)repair->offset, (long long)repair->skipped);
    if (text != NULL)
        (void)json_array_append_new(actions, json_string(text));
    heap_release(text);
    text = NULL;
    if (repair->unopened > 0)
        text = heap_format("replays %s:%d from %lld instead of %lld: what %lld offsets had put "
                           "into open windows is lost",
                           name, (int)input->partition, (long long)repair->mark.replay,
                           (long long)input->mark.replay, (long long)repair->unopened);
    if (text != NULL)
        (void)json_array_append_new(actions, json_string(text));
    heap_release(text);
    if (repair->commits && input->mark.partitions != repair->mark.partitions) {
        text = heap_format("accepts %d partitions of %s instead of %d", (int)input->partitions,
                           name, (int)input->mark.partitions);
        (void)json_array_append_new(actions, json_string(text));
        heap_release(text);
    }
}

static json_t *actions_of(const struct survey_shard *shard, const struct outlook_repair *repair)
{
    json_t *actions = json_array();
    const struct outlook_facts *facts = &shard->facts;
    bool commits = false;
    for (size_t i = 0; i < facts->input_count; i++) {
        say_input(actions, &facts->inputs[i], &repair->inputs[i]);
        commits = commits || repair->inputs[i].commits;
    }
    if (repair->deletes) {
        char *text =
            heap_format("deletes %s:state (%zu entries%s)", shard->tag, shard->redis.entry_count,
                        facts->foreign ? ", another owner's" : "");
        (void)json_array_append_new(actions, json_string(text));
        heap_release(text);
        for (size_t i = 0; i < facts->input_count && !facts->endless; i++)
            if (facts->inputs[i].committed < 0)
                (void)json_array_append_new(
                    actions, json_string("no offset is committed: it reads from the beginning, and "
                                         "what it published from there comes again"));
    }
    if (repair->writes_head) {
        char *text = heap_format("begins with empty state: %zu entries of service.snapshots are "
                                 "given up",
                                 facts->head_found);
        (void)json_array_append_new(actions, json_string(text));
        heap_release(text);
    }
    if (json_array_size(actions) == 0)
        (void)json_array_append_new(
            actions, json_string(commits ? "corrects where a replay begins" : "nothing"));
    return actions;
}

static void add_plan(struct state_run *run, const struct survey *survey,
                     const struct survey_shard *shard, const struct outlook_repair *repair)
{
    char *name = survey_row_name(survey, shard);
    json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:s}", "record", "reset", "service",
                               survey->service->name, "shard", shard->tag, "actions",
                               actions_of(shard, repair), "after", repair->after.text.text);
    ENSURE(object != NULL);
    if (run->is_table)
        (void)json_object_set_new(object, "name", json_string(name));
    listing_add(run->listing, object);
    heap_release(name);
}

static void produce(const struct state_run *run, const struct survey *survey,
                    const struct survey_shard *shard, struct record record)
{
    record.topic = TOPIC_SERVICE_SNAPSHOTS;
    record.partition = topic_partition(span_text(shard->snapshot), survey->snapshot_partitions);
    kafka_client_produce(run->client, &record);
}

/* As endless.c writes it: no entry is left, and the head stands where the offsets will. */
static void empty_snapshot(const struct state_run *run, const struct survey *survey,
                           const struct survey_shard *shard, const struct outlook_repair *repair)
{
    struct buffer text = {0};
    size_t cursor = 0;
    for (struct span field; table_next(shard->fields, &cursor, &field) != NULL;) {
        buffer_clear(&text);
        buffer_format(&text, "%s#", shard->snapshot);
        buffer_append_span(&text, field);
        produce(run, survey, shard, (struct record){.key = buffer_span(&text)});
    }
    int64_t positions[SERVICE_TOPICS_MAX];
    for (size_t i = 0; i < shard->facts.input_count; i++)
        positions[i] = repair->inputs[i].offset < 0 ? 0 : repair->inputs[i].offset;
    buffer_clear(&text);
    outlook_positions_write(&shard->facts, positions, &text);
    const struct outlook_input *first = &shard->facts.inputs[0];
    json_t *value = json_pack(
        "{s:s, s:s, s:i, s:s%, s:I, s:i, s:I}", "service", survey->service->name, "topic",
        kafka_client_topic(run->client, first->topic), "partition", (int)first->partition,
        "positions", (const char *)text.bytes, text.size, "epoch", (json_int_t)shard->redis.epoch,
        "entry_count", 0, "written_at", (json_int_t)survey_row_time(&shard->facts));
    ENSURE(value != NULL);
    struct outputs *outputs = outputs_create();
    const struct span name = span_text(shard->snapshot);
    outputs_publish_json(outputs, TOPIC_SERVICE_SNAPSHOTS, name, name, value);
    produce(run, survey, shard, outputs_record(outputs, 0, 0, 0));
    outputs_destroy(outputs);
    json_decref(value);
    buffer_fini(&text);
}

static void set_offsets(const struct survey *survey, const struct survey_shard *shard,
                        const struct outlook_repair *repair)
{
    struct buffer text = {0};
    for (size_t i = 0; i < shard->facts.input_count; i++) {
        const struct outlook_repair_input *input = &repair->inputs[i];
        struct mark mark = input->mark;
        /* With the shard Redis forgets the epochs it gave: Kafka must remember. */
        const bool epoch = repair->deletes && shard->redis.epoch > mark.epoch;
        if (input->offset < 0 || (!input->commits && !epoch))
            continue;
        if (epoch)
            mark.epoch = shard->redis.epoch;
        buffer_clear(&text);
        mark_write(&mark, &text);
        buffer_append_byte(&text, 0);
        group_offsets_set(survey->offsets, shard->facts.inputs[i].topic,
                          shard->facts.inputs[i].partition, input->offset,
                          (const char *)text.bytes);
    }
    buffer_fini(&text);
}

/* Redis, then service.snapshots, then the offsets: cut off in between, the same command again does
 * the rest. */
static int carry_out(const struct state_run *run, const struct survey *survey,
                     const struct outlook_repair *repairs)
{
    struct reason reason;
    enum fault fault = FAULT_NONE;
    for (size_t i = 0; i < survey->shard_count && fault == FAULT_NONE; i++)
        if (repairs[i].deletes)
            fault = inspect_delete(run->inspect, survey->shards[i].tag, &reason);
    if (fault != FAULT_NONE)
        return fail(fault, &reason);
    for (size_t i = 0; i < survey->shard_count; i++) {
        if (repairs[i].writes_head)
            empty_snapshot(run, survey, &survey->shards[i], &repairs[i]);
        set_offsets(survey, &survey->shards[i], &repairs[i]);
    }
    const int code = connection_settle("state", run->client);
    if (code != PLUMB_DONE)
        return code;
    fault = group_offsets_commit(survey->offsets, &reason);
    return fault == FAULT_NONE ? PLUMB_DONE : fail(fault, &reason);
}

static int reset_surveyed(struct state_run *run, const struct survey *survey)
{
    const bool dry = option_flag(run->options, "dry-run");
    if (survey->alive && !dry) {
        plumb_say("state",
                  "group %s has members: stop every %s first (one that was killed counts until its "
                  "session is over, 6 s), then again",
                  survey->group, survey->service->name);
        return PLUMB_CHECK_SAYS_NO;
    }
    struct outlook_repair *repairs = heap_zeroed(survey->shard_count, sizeof *repairs);
    bool writes_head = false;
    for (size_t i = 0; i < survey->shard_count; i++) {
        repairs[i] = outlook_repair(&survey->shards[i].facts, option_flag(run->options, "all"));
        writes_head = writes_head || repairs[i].writes_head;
        add_plan(run, survey, &survey->shards[i], &repairs[i]);
    }
    int code = PLUMB_DONE;
    if (writes_head && survey->snapshot_partitions == 0) {
        plumb_say("state", "there is no topic %s (plumb topics apply makes it)",
                  kafka_client_topic(run->client, TOPIC_SERVICE_SNAPSHOTS));
        code = PLUMB_CONFIGURATION;
    } else if (!dry) {
        code = carry_out(run, survey, repairs);
    }
    heap_release(repairs);
    return code;
}

static int reset(struct state_run *run, const struct service *service)
{
    listing_columns(run->listing, reset_columns);
    struct survey survey = {0};
    struct reason reason;
    const enum fault fault = look(run, service, &survey, &reason);
    if (fault != FAULT_NONE)
        return fail(fault, &reason);
    const int code = reset_surveyed(run, &survey);
    survey_fini(&survey);
    return code;
}

/* ---- The command */

static const struct service *service_named(const char *name)
{
    const char *names[SERVICE_TOPICS_MAX + 1] = {NULL};
    for (size_t i = 0; survey_services[i] != NULL; i++) {
        names[i] = survey_services[i]->name;
        if (strcmp(names[i], name) == 0)
            return survey_services[i];
    }
    const char *near = option_nearest(name, names);
    if (near != NULL)
        plumb_say("state", "no such service: '%s' (did you mean %s?)", name, near);
    else
        plumb_say("state",
                  "no service that keeps state: '%s' (validator, windower, detector, "
                  "alerter, retrainer)",
                  name);
    return NULL;
}

static int run_on(const struct option_set *options, bool resets)
{
    const char *name = option_positional_count(options) > 1 ? option_positional(options, 1) : NULL;
    const struct service *service = name == NULL ? NULL : service_named(name);
    if (name != NULL && service == NULL)
        return PLUMB_USAGE;
    if (service == NULL && (resets || option_text(options, "group") != NULL)) {
        plumb_say("state", resets ? "reset SERVICE: which?" : "--group: name the SERVICE, too");
        return PLUMB_USAGE;
    }
    struct state_run run = {.options = options};
    run.is_table = strcmp(option_text(options, "output"), "table") == 0;
    struct reason reason;
    const enum fault fault = inspect_open(option_text(options, "redis"), &run.inspect, &reason);
    if (fault != FAULT_NONE)
        return plumb_fail("state", fault, &reason);
    int code = connection_open("state", options, &run.client);
    if (code == PLUMB_DONE) {
        run.listing = listing_open(option_text(options, "output"));
        code = resets ? reset(&run, service) : show(&run, service);
        if (!listing_close(run.listing) && code == PLUMB_DONE)
            code = PLUMB_OUR_FAULT;
        kafka_client_close(run.client);
    }
    inspect_close(run.inspect);
    return code == PLUMB_DONE && run.refused ? PLUMB_CHECK_SAYS_NO : code;
}

int plumb_state_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){
            .command = "state",
            .usage = "plumb state show [SERVICE] [--entries], or plumb state reset SERVICE "
                     "[--dry-run] [--all]",
            .summary = "Shows what each shard of a service would start from, and whether it would "
                       "be refused (exit 1); disturbs nothing. Reset makes a service that stopped "
                       "startable again: it says what is lost, deletes what Redis holds of shards "
                       "that would be refused, and moves offsets that the log has no more.",
            .rows = rows,
            .parts = ARGUMENTS_KAFKA | ARGUMENTS_OUTPUT,
            .least = 1,
            .most = 2},
        argc, argv, &code);
    if (options == NULL)
        return code;
    const char *verb = option_positional(options, 0);
    if (strcmp(verb, "show") == 0 || strcmp(verb, "reset") == 0) {
        code = run_on(options, strcmp(verb, "reset") == 0);
    } else {
        plumb_say("state", "show or reset, not '%s'", verb);
        code = PLUMB_USAGE;
    }
    option_set_destroy(options);
    return code;
}
