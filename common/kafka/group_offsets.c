#include "kafka/group_offsets.h"
#include "memory/heap.h"

struct group_offsets {
    struct kafka_client *client;            /* borrowed */
    char *group;                            /* owned */
    rd_kafka_t *handle;                     /* owned: a consumer that never joins */
    struct group_offset *list[TOPIC_COUNT]; /* owned, each [counts] */
    int32_t counts[TOPIC_COUNT];
    rd_kafka_topic_partition_list_t *wanted; /* owned: for the next commit */
};

static enum fault failed(const struct group_offsets *offsets, const char *what,
                         rd_kafka_resp_err_t error, struct reason *out_reason)
{
    reason_set(out_reason, "%s of group %s: %s", what, offsets->group, rd_kafka_err2str(error));
    return error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
                   error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
                   error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
               ? FAULT_KAFKA_FATAL
               : FAULT_KAFKA_UNREACHABLE;
}

enum fault group_offsets_open(struct kafka_client *client, const char *group,
                              struct group_offsets **out_offsets, struct reason *out_reason)
{
    REQUIRE(client != NULL);
    REQUIRE(out_offsets != NULL);
    rd_kafka_t *handle;
    const enum fault fault = kafka_client_consumer(client, group, &handle, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    struct group_offsets *offsets = heap_zeroed(1, sizeof *offsets);
    offsets->client = client;
    offsets->group = heap_text(group);
    offsets->handle = handle;
    offsets->wanted = rd_kafka_topic_partition_list_new(8);
    *out_offsets = offsets;
    return FAULT_NONE;
}

static void forget(struct group_offsets *offsets, enum topic topic)
{
    for (int32_t i = 0; i < offsets->counts[topic]; i++)
        heap_release(offsets->list[topic][i].metadata);
    heap_release(offsets->list[topic]);
    offsets->list[topic] = NULL;
    offsets->counts[topic] = 0;
}

static enum fault read_ends(const struct group_offsets *offsets, struct group_offset *one,
                            struct reason *out_reason)
{
    const rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
        offsets->handle, kafka_client_topic(offsets->client, one->topic), one->partition,
        &one->first, &one->end, KAFKA_CLIENT_TIMEOUT_MS);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR
               ? FAULT_NONE
               : failed(offsets, "the ends of the log", error, out_reason);
}

enum fault group_offsets_read(struct group_offsets *offsets, enum topic topic, int32_t count,
                              struct reason *out_reason)
{
    REQUIRE(count > 0);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t i = 0; i < count; i++)
        (void)rd_kafka_topic_partition_list_add(list, kafka_client_topic(offsets->client, topic),
                                                i);
    const rd_kafka_resp_err_t error =
        rd_kafka_committed(offsets->handle, list, KAFKA_CLIENT_TIMEOUT_MS);
    enum fault fault = error == RD_KAFKA_RESP_ERR_NO_ERROR
                           ? FAULT_NONE
                           : failed(offsets, "committed offsets", error, out_reason);
    struct group_offset *found = heap_zeroed((size_t)count, sizeof *found);
    for (int32_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *element = &list->elems[i];
        found[i] = (struct group_offset){
            .topic = topic,
            .partition = i,
            .offset = element->offset < 0 ? -1 : element->offset,
            .metadata = span_copied(span_of(element->metadata, element->metadata_size))};
        if (fault == FAULT_NONE)
            fault = read_ends(offsets, &found[i], out_reason);
    }
    rd_kafka_topic_partition_list_destroy(list);
    forget(offsets, topic); /* on a fault it is read again, or not used */
    offsets->list[topic] = found;
    offsets->counts[topic] = count;
    return fault;
}

const struct group_offset *group_offsets_find(const struct group_offsets *offsets, enum topic topic,
                                              int32_t partition)
{
    return partition < 0 || partition >= offsets->counts[topic] ? NULL
                                                                : &offsets->list[topic][partition];
}

void group_offsets_set(struct group_offsets *offsets, enum topic topic, int32_t partition,
                       int64_t offset, const char *metadata)
{
    REQUIRE(offset >= 0);
    rd_kafka_topic_partition_t *element = rd_kafka_topic_partition_list_add(
        offsets->wanted, kafka_client_topic(offsets->client, topic), partition);
    element->offset = offset;
    element->metadata = heap_text(metadata); /* librdkafka frees it */
    element->metadata_size = strlen(metadata);
}

enum fault group_offsets_commit(struct group_offsets *offsets, struct reason *out_reason)
{
    if (offsets->wanted->cnt == 0)
        return FAULT_NONE;
    rd_kafka_resp_err_t error = rd_kafka_commit(offsets->handle, offsets->wanted, 0);
    for (int i = 0; i < offsets->wanted->cnt && error == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        error = offsets->wanted->elems[i].err;
    rd_kafka_topic_partition_list_destroy(offsets->wanted);
    offsets->wanted = rd_kafka_topic_partition_list_new(8);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR
               ? FAULT_NONE
               : failed(offsets, "committing offsets", error, out_reason);
}

void group_offsets_close(struct group_offsets *offsets)
{
    if (offsets == NULL)
        return;
    for (enum topic topic = TOPIC_NONE; topic < TOPIC_COUNT; topic++)
        forget(offsets, topic);
    rd_kafka_topic_partition_list_destroy(offsets->wanted);
    (void)rd_kafka_consumer_close(offsets->handle);
    rd_kafka_destroy(offsets->handle);
    heap_release(offsets->group);
    heap_release(offsets);
}

enum fault group_offsets_alive(const struct kafka_client *client, const char *group,
                               bool *out_alive, struct reason *out_reason)
{
    const struct rd_kafka_group_list *list = NULL;
    const rd_kafka_resp_err_t error =
        rd_kafka_list_groups(kafka_client_handle(client), group, &list, KAFKA_CLIENT_TIMEOUT_MS);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR__PARTIAL) {
        reason_set(out_reason, "members of group %s: %s", group, rd_kafka_err2str(error));
        return FAULT_KAFKA_UNREACHABLE;
    }
    *out_alive = false;
    for (int i = 0; i < list->group_cnt; i++)
        *out_alive = *out_alive || list->groups[i].member_cnt > 0;
    rd_kafka_group_list_destroy(list);
    return FAULT_NONE;
}
