#include "kafka/source.h"
#include "memory/heap.h"

struct source {
    struct source_options options;                  /* names and context borrowed */
    rd_kafka_t *client;                             /* owned */
    rd_kafka_queue_t *queue;                        /* owned reference */
    rd_kafka_consumer_group_metadata_t *membership; /* owned; NULL: no partitions were given */
    struct {
        const rd_kafka_topic_t *handle; /* borrowed from messages; the client keeps it alive while
                                           it consumes the topic */
        enum topic topic;
    } seen[TOPIC_COUNT];
    size_t seen_count;
    char *cluster;          /* owned by librdkafka's heap; NULL: not asked yet */
    bool closing, revoking; /* revoking: on_revoked is not answered yet */
};

static void on_queue(rd_kafka_t *client, void *opaque)
{
    (void)client;
    const struct source *source = opaque;
    source->options.on_wake(source->options.context);
}

static void forget_membership(struct source *source)
{
    if (source->membership != NULL)
        rd_kafka_consumer_group_metadata_destroy(source->membership);
    source->membership = NULL;
}

static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t error,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct source *source = opaque;
    forget_membership(source);
    if (source->closing) {
        (void)rd_kafka_assign(client, NULL); /* nobody is left to let go in his own time */
    } else if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        source->membership = rd_kafka_consumer_group_metadata(client);
        source->options.on_assigned(source->options.context, partitions);
    } else {
        source->revoking = true;
        source->options.on_revoked(source->options.context, rd_kafka_assignment_lost(client) != 0);
    }
}

enum fault source_open(const struct source_options *options, struct source **out_source,
                       struct reason *out_reason)
{
    struct kafka_property fixed[16] = {
        {"group.id", options->group == NULL ? "plumb-tables" : options->group}};
    for (size_t i = 0; source_guarantees[i].name != NULL; i++)
        fixed[i + 1] = source_guarantees[i];
    const struct kafka_property initial[] = {
        {"client.id", options->client},
        {"auto.offset.reset", "error"},
        {"check.crcs", "true"},
        {"fetch.wait.max.ms", "100"},
        {"session.timeout.ms", "6000"},
        {"heartbeat.interval.ms", "1500"},
        {"queued.max.messages.kbytes", "16384"},
        {"fetch.error.backoff.ms", "100"},
        {"reconnect.backoff.max.ms", "2000"},
        {"topic.metadata.refresh.interval.ms", "30000"},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf;
    const enum fault fault = kafka_conf_create(options->options, fixed, initial, &conf, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    struct source *source = heap_zeroed(1, sizeof *source);
    source->options = *options;
    rd_kafka_conf_set_opaque(conf, source);
    if (options->group != NULL)
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    char text[200];
    source->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (source->client == NULL) {
        rd_kafka_conf_destroy(conf);
        heap_release(source);
        reason_set(out_reason, "consumer: %s", text);
        return FAULT_OPTION_INVALID;
    }
    (void)rd_kafka_poll_set_consumer(source->client);
    source->queue = rd_kafka_queue_get_consumer(source->client);
    rd_kafka_queue_cb_event_enable(source->queue, on_queue, source);
    *out_source = source;
    return FAULT_NONE;
}

enum fault source_subscribe(struct source *source, const enum topic *topics, size_t count,
                            struct reason *out_reason)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        (void)rd_kafka_topic_partition_list_add(list, source->options.names[topics[i]],
                                                RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t error = rd_kafka_subscribe(source->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return FAULT_NONE;
    reason_set(out_reason, "subscribe: %s", rd_kafka_err2str(error));
    return FAULT_KAFKA_FATAL;
}

static enum topic topic_of(struct source *source, const rd_kafka_message_t *message)
{
    for (size_t i = 0; i < source->seen_count; i++) {
        if (source->seen[i].handle == message->rkt)
            return source->seen[i].topic;
    }
    const char *name = rd_kafka_topic_name(message->rkt);
    for (int i = TOPIC_NONE + 1; i < TOPIC_COUNT; i++) {
        if (strcmp(name, source->options.names[i]) != 0)
            continue;
        if (source->seen_count < COUNT_OF(source->seen)) {
            source->seen[source->seen_count].handle = message->rkt;
            source->seen[source->seen_count++].topic = (enum topic)i;
        }
        return (enum topic)i;
    }
    return TOPIC_NONE;
}

enum source_event source_poll(struct source *source, int timeout_ms,
                              struct source_message *out_message, struct reason *out_reason)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(source->client, timeout_ms);
    if (message == NULL)
        return SOURCE_EMPTY;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR &&
        message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        reason_set(out_reason, "%s: %s", rd_kafka_err2name(message->err),
                   rd_kafka_message_errstr(message));
        rd_kafka_message_destroy(message);
        return SOURCE_TROUBLE;
    }
    *out_message = (struct source_message){.message = message,
                                           .topic = topic_of(source, message),
                                           .partition = message->partition,
                                           .offset = message->offset,
                                           .timestamp_ms = -1};
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        source_release(out_message);
        return SOURCE_END;
    }
    rd_kafka_timestamp_type_t type;
    out_message->timestamp_ms = rd_kafka_message_timestamp(message, &type);
    out_message->append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    return SOURCE_RECORD;
}

struct record source_record(const struct source_message *message, struct header *headers,
                            size_t header_max, bool want_headers)
{
    const rd_kafka_message_t *raw = message->message;
    struct record record = {.topic = message->topic,
                            .partition = message->partition,
                            .offset = message->offset,
                            .key = span_of(raw->key, raw->key_len),
                            .value = span_of(raw->payload, raw->len),
                            .headers = headers};
    rd_kafka_headers_t *list;
    if ((!want_headers && raw->len > 0) ||
        rd_kafka_message_headers(raw, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return record;
    const void *value;
    const char *name;
    size_t size;
    while (record.header_count < header_max &&
           rd_kafka_header_get_all(list, record.header_count, &name, &value, &size) ==
               RD_KAFKA_RESP_ERR_NO_ERROR)
        headers[record.header_count++] = (struct header){name, span_of(value, size)};
    return record;
}

void source_release(struct source_message *message)
{
    if (message->message != NULL)
        rd_kafka_message_destroy(message->message);
    message->message = NULL;
}

enum fault source_assign(struct source *source, const rd_kafka_topic_partition_list_t *partitions,
                         struct reason *out_reason)
{
    /* NULL answers a revocation, and nothing else: a member that answers an assignment of no
     * partitions by it never joins again, and every later rebalance waits for it. */
    const bool gives_back = partitions->cnt == 0 && source->revoking;
    source->revoking = source->revoking && !gives_back;
    const rd_kafka_resp_err_t error =
        rd_kafka_assign(source->client, gives_back ? NULL : partitions);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return FAULT_NONE;
    reason_set(out_reason, "assign: %s", rd_kafka_err2str(error));
    return FAULT_KAFKA_FATAL;
}

enum fault source_committed(struct source *source, rd_kafka_topic_partition_list_t *partitions,
                            int timeout_ms, struct reason *out_reason)
{
    const rd_kafka_resp_err_t error = rd_kafka_committed(source->client, partitions, timeout_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        reason_set(out_reason, "committed offsets: %s", rd_kafka_err2str(error));
        return FAULT_KAFKA_UNREACHABLE;
    }
    for (int i = 0; i < partitions->cnt; i++) {
        if (partitions->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            reason_set(out_reason, "committed offset of %s[%d]: %s", partitions->elems[i].topic,
                       (int)partitions->elems[i].partition,
                       rd_kafka_err2str(partitions->elems[i].err));
            return FAULT_KAFKA_UNREACHABLE;
        }
    }
    return FAULT_NONE;
}

static int32_t partitions_of(struct source *source, const char *name, int timeout_ms,
                             rd_kafka_resp_err_t *out_error)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(source->client, name, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    int32_t count = -1;
    *out_error = handle == NULL
                     ? rd_kafka_last_error()
                     : rd_kafka_metadata(source->client, 0, handle, &metadata, timeout_ms);
    if (*out_error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata != NULL) {
        if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            count = metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    if (handle != NULL)
        rd_kafka_topic_destroy(handle);
    return count;
}

enum fault source_partitions(struct source *source, const enum topic *topics, size_t count,
                             int32_t *out_counts, int timeout_ms, struct reason *out_reason)
{
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t error;
        out_counts[i] = partitions_of(source, source->options.names[topics[i]], timeout_ms, &error);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            reason_set(out_reason, "metadata: %s", rd_kafka_err2str(error));
            return FAULT_KAFKA_UNREACHABLE;
        }
    }
    return FAULT_NONE;
}

enum fault source_end(struct source *source, enum topic topic, int32_t partition, int timeout_ms,
                      int64_t *out_offset)
{
    int64_t low, high;
    if (rd_kafka_query_watermark_offsets(source->client, source->options.names[topic], partition,
                                         &low, &high, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return FAULT_KAFKA_UNREACHABLE;
    *out_offset = high;
    return FAULT_NONE;
}

static bool find_append_time(rd_kafka_event_t *event, bool *out_append)
{
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    size_t count = 0, entry_count = 0;
    const rd_kafka_ConfigResource_t **resources =
        result == NULL ? NULL : rd_kafka_DescribeConfigs_result_resources(result, &count);
    if (count != 1)
        return false;
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resources[0], &entry_count);
    for (size_t i = 0; i < entry_count; i++) {
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "message.timestamp.type") != 0)
            continue;
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        *out_append = value != NULL && strcmp(value, "LogAppendTime") == 0;
        return true;
    }
    return false;
}

enum fault source_append_time(struct source *source, enum topic topic, bool *out_append,
                              struct reason *out_reason)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(source->client);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, source->options.names[topic]);
    rd_kafka_DescribeConfigs(source->client, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 5000);
    const bool found = event != NULL && find_append_time(event, out_append);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_queue_destroy(queue);
    if (found)
        return FAULT_NONE;
    reason_set(out_reason, "topic %s: its configuration cannot be read",
               source->options.names[topic]);
    return FAULT_KAFKA_UNREACHABLE;
}

const char *source_cluster(struct source *source, int timeout_ms)
{
    if (source->cluster == NULL)
        source->cluster = rd_kafka_clusterid(source->client, timeout_ms);
    return source->cluster == NULL ? "" : source->cluster;
}

const rd_kafka_consumer_group_metadata_t *source_membership(const struct source *source)
{
    return source->membership;
}

const char *source_name(const struct source *source, enum topic topic)
{
    return source->options.names[topic];
}

void source_close(struct source *source, bool reachable)
{
    if (source == NULL)
        return;
    source->closing = true;
    rd_kafka_queue_cb_event_enable(source->queue, NULL, NULL);
    rd_kafka_queue_destroy(source->queue);
    forget_membership(source);
    if (source->cluster != NULL)
        rd_kafka_mem_free(source->client, source->cluster);
    if (reachable)
        (void)rd_kafka_consumer_close(source->client);
    rd_kafka_destroy_flags(source->client, reachable ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    heap_release(source);
}
