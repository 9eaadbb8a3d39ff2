#include "kafka/kafka_client.h"
#include "kafka/produce.h"
#include "memory/heap.h"

struct kafka_client {
    struct kafka_client_options options; /* texts borrowed */
    const char *names[TOPIC_COUNT];      /* borrowed: the options' or topics.def's */
    rd_kafka_t *handle;                  /* owned */
    uint64_t delivered, failed;
    char failure[200]; /* the first one */
};

static void fail(struct kafka_client *client, rd_kafka_resp_err_t error)
{
    if (client->failed++ == 0)
        (void)snprintf(client->failure, sizeof client->failure, "%s", rd_kafka_err2str(error));
}

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    struct kafka_client *client = opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        client->delivered++;
    else
        fail(client, message->err);
}

/* --topic.NAME OTHER, for each NAME of topics.def. */
static enum fault read_names(struct kafka_client *client, struct reason *out_reason)
{
    const char *known[TOPIC_COUNT];
    for (enum topic topic = TOPIC_NONE + 1; topic < TOPIC_COUNT; topic++)
        known[topic - 1] = client->names[topic] = topic_row(topic)->name;
    known[TOPIC_COUNT - 1] = NULL;
    const char *name, *value;
    for (size_t i = 0; option_prefixed(client->options.options, "topic.", i, &name, &value); i++) {
        const enum topic topic = topic_find(name);
        if (topic != TOPIC_NONE) {
            client->names[topic] = value;
            continue;
        }
        const char *near = option_nearest(name, known);
        reason_set(out_reason, "--topic.%s: no such topic%s%s%s", name,
                   near == NULL ? "" : " (did you mean --topic.", near == NULL ? "" : near,
                   near == NULL ? "" : "?)");
        return FAULT_OPTION_INVALID;
    }
    return FAULT_NONE;
}

static enum fault producer_open(struct kafka_client *client, struct reason *out_reason)
{
    static const struct kafka_property fixed[] = {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {NULL, NULL},
    };
    const struct kafka_property initial[] = {
        {"bootstrap.servers", client->options.bootstrap},
        {"client.id", client->options.name},
        {"linger.ms", "20"},
        {"message.max.bytes", "4000000"},
        {"message.timeout.ms", "60000"},
        {"reconnect.backoff.max.ms", "1000"},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf;
    const enum fault fault =
        kafka_conf_create(client->options.options, fixed, initial, &conf, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    char text[200];
    client->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (client->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        reason_set(out_reason, "Kafka: %s", text);
        return FAULT_OPTION_INVALID;
    }
    return FAULT_NONE;
}

enum fault kafka_client_open(const struct kafka_client_options *options,
                             struct kafka_client **out_client, struct reason *out_reason)
{
    REQUIRE(options != NULL);
    REQUIRE(out_client != NULL);
    struct kafka_client *client = heap_zeroed(1, sizeof *client);
    client->options = *options;
    enum fault fault = read_names(client, out_reason);
    if (fault == FAULT_NONE)
        fault = producer_open(client, out_reason);
    if (fault != FAULT_NONE) {
        kafka_client_close(client);
        return fault;
    }
    *out_client = client;
    return FAULT_NONE;
}

static enum fault unreachable(const struct kafka_client *client, rd_kafka_resp_err_t error,
                              int timeout_ms, struct reason *out_reason)
{
    const char *servers = client->options.bootstrap;
    const char *name, *value;
    for (size_t i = 0; option_prefixed(client->options.options, "kafka.", i, &name, &value); i++)
        if (strcmp(name, "bootstrap.servers") == 0)
            servers = value;
    if (error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT)
        reason_set(out_reason, "Kafka at %s does not answer within %d s (--bootstrap HOST:PORT)",
                   servers, timeout_ms / 1000);
    else
        reason_set(out_reason, "Kafka at %s: %s", servers, rd_kafka_err2str(error));
    return FAULT_KAFKA_UNREACHABLE;
}

enum fault kafka_client_reach(struct kafka_client *client, int timeout_ms,
                              struct reason *out_reason)
{
    const struct rd_kafka_metadata *metadata;
    const rd_kafka_resp_err_t error =
        rd_kafka_metadata(client->handle, 0, NULL, &metadata, timeout_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return unreachable(client, error, timeout_ms, out_reason);
    rd_kafka_metadata_destroy(metadata);
    return FAULT_NONE;
}

char *kafka_client_cluster(const struct kafka_client *client)
{
    char *cluster = rd_kafka_clusterid(client->handle, KAFKA_CLIENT_TIMEOUT_MS);
    char *copy = heap_text(cluster == NULL ? "" : cluster);
    if (cluster != NULL)
        rd_kafka_mem_free(client->handle, cluster);
    return copy;
}

const char *kafka_client_topic(const struct kafka_client *client, enum topic topic)
{
    REQUIRE(topic > TOPIC_NONE);
    REQUIRE(topic < TOPIC_COUNT);
    return client->names[topic];
}

enum fault kafka_client_partitions(struct kafka_client *client, enum topic topic,
                                   int32_t *out_count, struct reason *out_reason)
{
    const char *name = kafka_client_topic(client, topic);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client->handle, name, NULL);
    if (handle == NULL) {
        reason_set(out_reason, "topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
        return FAULT_OPTION_INVALID;
    }
    const struct rd_kafka_metadata *metadata;
    const rd_kafka_resp_err_t error =
        rd_kafka_metadata(client->handle, 0, handle, &metadata, KAFKA_CLIENT_TIMEOUT_MS);
    rd_kafka_topic_destroy(handle);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return unreachable(client, error, KAFKA_CLIENT_TIMEOUT_MS, out_reason);
    enum fault fault = FAULT_NONE;
    int32_t count = 0;
    if (metadata->topic_cnt == 1) {
        const rd_kafka_resp_err_t wrong = metadata->topics[0].err;
        if (wrong == RD_KAFKA_RESP_ERR_NO_ERROR) {
            count = metadata->topics[0].partition_cnt;
        } else if (wrong != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
            reason_set(out_reason, "topic %s: %s", name, rd_kafka_err2str(wrong));
            fault = FAULT_KAFKA_FATAL;
        }
    }
    rd_kafka_metadata_destroy(metadata);
    if (fault == FAULT_NONE)
        *out_count = count;
    return fault;
}

enum fault kafka_client_require(struct kafka_client *client, enum topic topic, int32_t *out_count,
                                struct reason *out_reason)
{
    int32_t count = 0;
    const enum fault fault = kafka_client_partitions(client, topic, &count, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    if (count == 0) {
        reason_set(out_reason, "there is no topic %s (plumb topics apply makes it)",
                   kafka_client_topic(client, topic));
        return FAULT_OPTION_INVALID;
    }
    *out_count = count;
    return FAULT_NONE;
}

void kafka_client_produce(struct kafka_client *client, const struct record *record)
{
    REQUIRE(record->partition >= 0);
    rd_kafka_topic_t *topic =
        rd_kafka_topic_new(client->handle, kafka_client_topic(client, record->topic), NULL);
    if (topic == NULL) {
        fail(client, rd_kafka_last_error());
        return;
    }
    rd_kafka_resp_err_t error = produce_record(client->handle, topic, record);
    /* Full: make room; message.timeout.ms bounds the wait. */
    while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        (void)rd_kafka_poll(client->handle, 100);
        error = produce_record(client->handle, topic, record);
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(client, error);
    rd_kafka_topic_destroy(topic); /* what is queued holds it */
    (void)rd_kafka_poll(client->handle, 0);
}

void kafka_client_poll(struct kafka_client *client, int timeout_ms)
{
    (void)rd_kafka_poll(client->handle, timeout_ms);
}

int kafka_client_flush(struct kafka_client *client, int timeout_ms)
{
    (void)rd_kafka_flush(client->handle, timeout_ms);
    return rd_kafka_outq_len(client->handle);
}

uint64_t kafka_client_delivered(const struct kafka_client *client)
{
    return client->delivered;
}

uint64_t kafka_client_failed(const struct kafka_client *client)
{
    return client->failed;
}

const char *kafka_client_failure(const struct kafka_client *client)
{
    return client->failure;
}

enum fault kafka_client_consumer(const struct kafka_client *client, const char *group,
                                 rd_kafka_t **out_handle, struct reason *out_reason)
{
    const struct kafka_client_options *settings = &client->options;
    const struct kafka_property fixed[] = {
        {"group.id", group},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        {"isolation.level", "read_committed"},
        {"allow.auto.create.topics", "false"},
        {NULL, NULL},
    };
    const struct kafka_property initial[] = {
        {"bootstrap.servers", settings->bootstrap},
        {"client.id", settings->name},
        {"auto.offset.reset", "earliest"},
        {"check.crcs", "true"},
        {"fetch.wait.max.ms", "50"},
        {"reconnect.backoff.max.ms", "1000"},
        {"fetch.error.backoff.ms", "50"},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf;
    const enum fault fault =
        kafka_conf_create(settings->options, fixed, initial, &conf, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    char text[200];
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (handle == NULL) {
        rd_kafka_conf_destroy(conf);
        reason_set(out_reason, "Kafka: %s", text);
        return FAULT_OPTION_INVALID;
    }
    (void)rd_kafka_poll_set_consumer(handle);
    *out_handle = handle;
    return FAULT_NONE;
}

rd_kafka_t *kafka_client_handle(const struct kafka_client *client)
{
    return client->handle;
}

void kafka_client_close(struct kafka_client *client)
{
    if (client == NULL)
        return;
    if (client->handle != NULL) {
        (void)rd_kafka_purge(client->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(client->handle);
    }
    heap_release(client);
}
