#include "survey.h"
#include "alerter/alerter.h"
#include "detector/detector.h"
#include "kafka/topic_reader.h"
#include "memory/heap.h"
#include "retrainer/retrainer.h"
#include "service/digest.h"
#include "validator/validator.h"
#include "windower/windower.h"

const struct service *const survey_services[] = {&validator_service, &windower_service,
                                                 &detector_service,  &alerter_service,
                                                 &retrainer_service, NULL};

static void shard_add(struct survey *survey, const struct survey_options *options,
                      const enum topic *topics, size_t topic_count, int32_t partition)
{
    survey->shards = heap_resized(survey->shards, survey->shard_count + 1, sizeof *survey->shards);
    struct survey_shard *shard = &survey->shards[survey->shard_count++];
    const char *topic = kafka_client_topic(options->client, topics[0]);
    *shard = (struct survey_shard){
        .tag = heap_format("{plumb:%s:%s:%d}", survey->service->name, topic, (int)partition)};
    shard->facts.endless = survey->service->endless;
    for (size_t i = 0; i < topic_count; i++)
        shard->facts.inputs[shard->facts.input_count++] =
            (struct outlook_input){.topic = topics[i], .partition = partition};
    if (!survey->service->endless)
        return;
    shard->snapshot =
        heap_format("%s/%s/%d", options->group == NULL ? survey->service->name : options->group,
                    topic, (int)partition);
    shard->fields = table_create();
}

/* One shard a partition number over all inputs, or one a partition of each. */
static enum fault list_shards(struct survey *survey, const struct survey_options *options,
                              int32_t counts[SERVICE_TOPICS_MAX], struct reason *out_reason)
{
    const struct service *service = survey->service;
    size_t topic_count = 0;
    for (; topic_count < SERVICE_TOPICS_MAX && service->inputs[topic_count] != TOPIC_NONE;
         topic_count++) {
        const enum topic topic = service->inputs[topic_count];
        const enum fault fault =
            kafka_client_require(options->client, topic, &counts[topic_count], out_reason);
        if (fault != FAULT_NONE)
            return fault;
        if (service->joined && counts[topic_count] != counts[0]) {
            reason_set(out_reason, "%s: topics %s and %s must have equally many partitions",
                       service->name, kafka_client_topic(options->client, service->inputs[0]),
                       kafka_client_topic(options->client, topic));
            return FAULT_OPTION_INVALID;
        }
    }
    for (size_t i = 0; i < topic_count && !(service->joined && i > 0); i++)
        for (int32_t p = 0; p < counts[i]; p++)
            shard_add(survey, options, &service->inputs[i], service->joined ? topic_count : 1, p);
    return FAULT_NONE;
}

/* Where the entries stand, if they are all there and the ones that were written so. */
static bool positions_of(const struct inspect_shard *redis, struct outlook_facts *facts)
{
    struct digest *digest = digest_create();
    for (size_t i = 0; i < redis->entry_count; i++)
        digest_put(digest, redis->entries[i].field, redis->entries[i].bytes);
    struct span positions;
    bool good = digest_read(digest, span_text(redis->offset), &positions);
    digest_destroy(digest);
    if (good) {
        char *text = span_copied(positions);
        good = outlook_positions_read(facts, text, facts->positions);
        heap_release(text);
    }
    return good;
}

static enum fault read_redis(struct survey *survey, struct inspect *inspect,
                             struct reason *out_reason)
{
    for (size_t i = 0; i < survey->shard_count; i++) {
        struct survey_shard *shard = &survey->shards[i];
        const enum fault fault = inspect_read(inspect, shard->tag, &shard->redis, out_reason);
        if (fault != FAULT_NONE)
            return fault;
        const struct inspect_shard *redis = &shard->redis;
        struct outlook_facts *facts = &shard->facts;
        facts->stored = redis->exists;
        facts->foreign = redis->owner[0] != '\0' && strcmp(redis->owner, survey->owner) != 0;
        facts->has_positions = redis->offset[0] != '\0' && positions_of(redis, facts);
        facts->damaged =
            redis->damaged_count > 0 || (redis->offset[0] != '\0' && !facts->has_positions);
    }
    return FAULT_NONE;
}

static enum fault read_offsets(struct survey *survey, const int32_t *counts,
                               struct reason *out_reason)
{
    const struct service *service = survey->service;
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && service->inputs[i] != TOPIC_NONE; i++) {
        const enum fault fault =
            group_offsets_read(survey->offsets, service->inputs[i], counts[i], out_reason);
        if (fault != FAULT_NONE)
            return fault;
    }
    for (size_t i = 0; i < survey->shard_count; i++) {
        struct outlook_facts *facts = &survey->shards[i].facts;
        for (size_t k = 0; k < facts->input_count; k++) {
            struct outlook_input *input = &facts->inputs[k];
            const struct group_offset *offset =
                group_offsets_find(survey->offsets, input->topic, input->partition);
            input->committed = offset->offset;
            input->mark = mark_read(span_text(offset->metadata));
            input->first = offset->first;
            input->end = offset->end;
            size_t at = 0;
            while (service->inputs[at] != input->topic)
                at++;
            input->partitions = counts[at];
        }
    }
    return FAULT_NONE;
}

/* A mark of any partition stops the whole service. */
static void find_change(struct survey *survey)
{
    struct outlook_facts found = {.changed = TOPIC_NONE};
    for (size_t i = 0; i < survey->shard_count; i++) {
        const struct outlook_facts *facts = &survey->shards[i].facts;
        for (size_t k = 0; k < facts->input_count && found.changed == TOPIC_NONE; k++) {
            const struct outlook_input *input = &facts->inputs[k];
            if (input->mark.partitions == 0 || input->mark.partitions == input->partitions)
                continue;
            found.changed = input->topic;
            found.changed_was = input->mark.partitions;
            found.changed_now = input->partitions;
        }
    }
    for (size_t i = 0; i < survey->shard_count; i++) {
        struct outlook_facts *facts = &survey->shards[i].facts;
        facts->changed = found.changed;
        facts->changed_was = found.changed_was;
        facts->changed_now = found.changed_now;
    }
}

static void take_head(struct survey_shard *shard, const struct record *record)
{
    json_t *value;
    struct reason reason;
    heap_release(shard->head);
    shard->head = NULL;
    if (record->value.bytes == NULL || record_json(record, &value, &reason) != FAULT_NONE)
        return;
    const char *positions = json_string_value(json_object_get(value, "positions"));
    shard->head = heap_text(positions == NULL ? "" : positions);
    shard->head_entries = json_integer_value(json_object_get(value, "entry_count"));
    json_decref(value);
}

static void on_snapshot(void *context, const struct record *record)
{
    struct survey *survey = context;
    for (size_t i = 0; i < survey->shard_count; i++) {
        struct survey_shard *shard = &survey->shards[i];
        const size_t size = strlen(shard->snapshot);
        if (record->key.size < size || memcmp(record->key.bytes, shard->snapshot, size) != 0)
            continue;
        if (record->key.size == size) {
            take_head(shard, record);
        } else if (record->key.bytes[size] == '#') {
            const struct span field =
                span_of(record->key.bytes + size + 1, record->key.size - size - 1);
            if (record->value.bytes == NULL)
                (void)table_remove(shard->fields, field);
            else
                (void)table_put(shard->fields, field, shard);
        }
    }
}

static enum fault read_snapshots(struct survey *survey, struct kafka_client *client,
                                 struct reason *out_reason)
{
    if (!survey->service->endless)
        return FAULT_NONE;
    enum fault fault = kafka_client_partitions(client, TOPIC_SERVICE_SNAPSHOTS,
                                               &survey->snapshot_partitions, out_reason);
    if (fault != FAULT_NONE || survey->snapshot_partitions == 0)
        return fault;
    struct topic_reader *reader;
    fault = topic_reader_open(client, TOPIC_SERVICE_SNAPSHOTS, &reader, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    fault = topic_reader_run(reader, on_snapshot, survey, out_reason);
    topic_reader_close(reader);
    for (size_t i = 0; i < survey->shard_count; i++) {
        const struct survey_shard *shard = &survey->shards[i];
        struct outlook_facts *facts = &survey->shards[i].facts;
        facts->head_found = table_count(shard->fields);
        facts->has_head =
            shard->head != NULL && outlook_positions_read(facts, shard->head, facts->head);
        facts->head_is_whole = facts->has_head && (size_t)shard->head_entries == facts->head_found;
    }
    return fault;
}

static enum fault take_all(struct survey *survey, const struct survey_options *options,
                           struct reason *out_reason)
{
    int32_t counts[SERVICE_TOPICS_MAX] = {0};
    enum fault fault = list_shards(survey, options, counts, out_reason);
    if (fault == FAULT_NONE)
        fault = group_offsets_open(options->client, survey->group, &survey->offsets, out_reason);
    if (fault == FAULT_NONE)
        fault = group_offsets_alive(options->client, survey->group, &survey->alive, out_reason);
    if (fault == FAULT_NONE)
        fault = read_redis(survey, options->inspect, out_reason);
    if (fault == FAULT_NONE)
        fault = read_offsets(survey, counts, out_reason);
    if (fault == FAULT_NONE)
        fault = read_snapshots(survey, options->client, out_reason);
    return fault;
}

enum fault survey_take(const struct survey_options *options, struct survey *out_survey,
                       struct reason *out_reason)
{
    struct survey survey = {.service = options->service};
    survey.group = options->group == NULL ? heap_format("plumb-%s", options->service->name)
                                          : heap_text(options->group);
    char *cluster = kafka_client_cluster(options->client);
    survey.owner = heap_format("%s/%s", cluster, survey.group);
    heap_release(cluster);
    const enum fault fault = take_all(&survey, options, out_reason);
    if (fault != FAULT_NONE) {
        survey_fini(&survey);
        return fault;
    }
    find_change(&survey);
    *out_survey = survey;
    return FAULT_NONE;
}

void survey_fini(struct survey *survey)
{
    for (size_t i = 0; i < survey->shard_count; i++) {
        struct survey_shard *shard = &survey->shards[i];
        heap_release(shard->tag);
        heap_release(shard->snapshot);
        heap_release(shard->head);
        table_destroy(shard->fields);
        inspect_shard_fini(&shard->redis);
    }
    heap_release(survey->shards);
    heap_release(survey->group);
    heap_release(survey->owner);
    group_offsets_close(survey->offsets);
    *survey = (struct survey){0};
}
