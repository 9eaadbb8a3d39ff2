#include "kafka/sink.h"
#include "clock/wall.h"
#include "kafka/produce.h"
#include "memory/heap.h"

struct sink {
    struct sink_options options;           /* borrowed texts */
    rd_kafka_t *client;                    /* owned */
    rd_kafka_topic_t *topics[TOPIC_COUNT]; /* owned; NULL: not published to yet */
    int64_t report_time_ms; /* the newest append time that the broker told; 0: none */
    int64_t report_at_ns;   /* when it was told, monotonic */
};

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct sink *sink = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return; /* the transaction then fails to commit, which is where it is dealt with */
    rd_kafka_timestamp_type_t type;
    const int64_t time_ms = rd_kafka_message_timestamp(message, &type);
    if (type != RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME || time_ms <= sink->report_time_ms)
        return;
    sink->report_time_ms = time_ms;
    sink->report_at_ns = monotonic_now_ns();
}

enum fault sink_open(const struct sink_options *options, struct sink **out_sink,
                     struct reason *out_reason)
{
    char timeout[20];
    (void)snprintf(timeout, sizeof timeout, "%d", (int)SINK_TRANSACTION_TIMEOUT_MS);
    const struct kafka_property fixed[] = {
        {"transactional.id", options->transactional_id},
        {"transaction.timeout.ms", timeout},
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {NULL, NULL},
    };
    const struct kafka_property initial[] = {
        {"client.id", options->client},
        {"linger.ms", "5"},
        {"socket.nagle.disable", "true"},
        {"message.timeout.ms", timeout},
        {"message.max.bytes", "4000000"},
        {"queue.buffering.max.kbytes", "262144"},
        {"reconnect.backoff.max.ms", "2000"},
        {options->bootstrap == NULL ? NULL : "bootstrap.servers", options->bootstrap},
        {NULL, NULL},
    };
    rd_kafka_conf_t *conf;
    const enum fault fault = kafka_conf_create(options->options, fixed, initial, &conf, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    struct sink *sink = heap_zeroed(1, sizeof *sink);
    sink->options = *options;
    rd_kafka_conf_set_opaque(conf, sink);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    char text[200];
    sink->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (sink->client == NULL) {
        rd_kafka_conf_destroy(conf);
        heap_release(sink);
        reason_set(out_reason, "producer: %s", text);
        return FAULT_OPTION_INVALID;
    }
    *out_sink = sink;
    return FAULT_NONE;
}

enum fault sink_init(struct sink *sink, int timeout_ms, struct reason *out_reason)
{
    return kafka_conf_fault(rd_kafka_init_transactions(sink->client, timeout_ms), out_reason);
}

enum fault sink_begin(struct sink *sink, struct reason *out_reason)
{
    return kafka_conf_fault(rd_kafka_begin_transaction(sink->client), out_reason);
}

enum fault sink_publish(struct sink *sink, const struct record *record, struct reason *out_reason)
{
    const char *name = sink->options.names[record->topic];
    rd_kafka_topic_t **handle = &sink->topics[record->topic];
    if (*handle == NULL)
        *handle = rd_kafka_topic_new(sink->client, name, NULL);
    if (*handle == NULL) {
        reason_set(out_reason, "publish to %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
        return FAULT_TRANSACTION_ABORTED;
    }
    rd_kafka_resp_err_t error = produce_record(sink->client, *handle, record);
    /* Full: make room; the broker is slow or gone, and the transaction's time-out bounds the wait.
     */
    while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        (void)rd_kafka_poll(sink->client, 50);
        error = produce_record(sink->client, *handle, record);
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return FAULT_NONE;
    reason_set(out_reason, "publish to %s: %s", name, rd_kafka_err2str(error));
    return FAULT_TRANSACTION_ABORTED;
}

enum { SINK_STEP_TIMEOUT_MS = 10000, SINK_TRIES = 6 };

static enum fault send_offsets(struct sink *sink, const rd_kafka_topic_partition_list_t *offsets,
                               const struct source *group, struct reason *out_reason)
{
    const rd_kafka_consumer_group_metadata_t *membership = source_membership(group);
    if (membership == NULL) {
        reason_set(out_reason, "the partitions were taken away");
        return FAULT_TRANSACTION_ABORTED;
    }
    enum fault fault = FAULT_KAFKA_UNREACHABLE;
    for (int i = 0; i < SINK_TRIES && fault == FAULT_KAFKA_UNREACHABLE; i++)
        fault = kafka_conf_fault(rd_kafka_send_offsets_to_transaction(
                                     sink->client, offsets, membership, SINK_STEP_TIMEOUT_MS),
                                 out_reason);
    return fault == FAULT_KAFKA_UNREACHABLE ? FAULT_TRANSACTION_ABORTED : fault;
}

enum fault sink_commit(struct sink *sink, const rd_kafka_topic_partition_list_t *offsets,
                       const struct source *group, struct reason *out_reason)
{
    enum fault fault =
        offsets == NULL ? FAULT_NONE : send_offsets(sink, offsets, group, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    fault = FAULT_KAFKA_UNREACHABLE;
    for (int i = 0; i < SINK_TRIES && fault == FAULT_KAFKA_UNREACHABLE; i++)
        fault = kafka_conf_fault(rd_kafka_commit_transaction(sink->client, SINK_STEP_TIMEOUT_MS),
                                 out_reason);
    return fault == FAULT_KAFKA_UNREACHABLE ? FAULT_OUTCOME_UNKNOWN : fault;
}

enum fault sink_abort(struct sink *sink, struct reason *out_reason)
{
    enum fault fault = FAULT_KAFKA_UNREACHABLE;
    for (int i = 0; i < SINK_TRIES && fault == FAULT_KAFKA_UNREACHABLE; i++)
        fault = kafka_conf_fault(rd_kafka_abort_transaction(sink->client, SINK_STEP_TIMEOUT_MS),
                                 out_reason);
    return fault == FAULT_KAFKA_UNREACHABLE ? FAULT_OUTCOME_UNKNOWN : fault;
}

void sink_poll(struct sink *sink)
{
    (void)rd_kafka_poll(sink->client, 0);
}

int sink_waiting(const struct sink *sink)
{
    return rd_kafka_outq_len(sink->client);
}

int64_t sink_broker_time_ms(const struct sink *sink)
{
    if (sink->report_time_ms == 0)
        return 0;
    return sink->report_time_ms + (monotonic_now_ns() - sink->report_at_ns) / 1000000;
}

void sink_close(struct sink *sink)
{
    if (sink == NULL)
        return;
    (void)rd_kafka_purge(sink->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                           RD_KAFKA_PURGE_F_NON_BLOCKING);
    for (size_t i = 0; i < TOPIC_COUNT; i++)
        if (sink->topics[i] != NULL)
            rd_kafka_topic_destroy(sink->topics[i]);
    rd_kafka_destroy(sink->client);
    heap_release(sink);
}
