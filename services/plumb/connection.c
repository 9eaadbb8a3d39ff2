#include "connection.h"
#include "kafka/topic_reader.h"
#include "plumb.h"
#include "service/service.h"
#include "service/stream_time.h"

int connection_open(const char *command, const struct option_set *options,
                    struct kafka_client **out_client)
{
    const struct kafka_client_options settings = {
        .options = options, .bootstrap = option_text(options, "bootstrap"), .name = "plumb"};
    struct kafka_client *client;
    struct reason reason;
    enum fault fault = kafka_client_open(&settings, &client, &reason);
    if (fault != FAULT_NONE)
        return plumb_fail(command, fault, &reason);
    fault = kafka_client_reach(client, KAFKA_CLIENT_TIMEOUT_MS, &reason);
    if (fault != FAULT_NONE) {
        kafka_client_close(client);
        return plumb_fail(command, fault, &reason);
    }
    *out_client = client;
    return PLUMB_DONE;
}

int connection_fail(const char *command, enum fault fault, const struct reason *reason)
{
    const int code = plumb_fail(command, fault, reason);
    return fault == FAULT_OPTION_INVALID ? PLUMB_CONFIGURATION : code;
}

struct reading {
    void (*on_value)(void *context, const struct record *record, const json_t *value);
    void (*on_record)(void *context, const struct record *record);
    void *context;
    uint64_t wrong;
    struct reason reason; /* of the first that does not decode */
};

static void on_record(void *context, const struct record *record)
{
    struct reading *reading = context;
    if (stream_time_is_clock(record))
        return;
    if (reading->on_record != NULL) {
        reading->on_record(reading->context, record);
        return;
    }
    if (record->value.size == 0)
        return;
    json_t *value;
    struct reason reason;
    if (record_json(record, &value, &reason) == FAULT_NONE) {
        reading->on_value(reading->context, record, value);
        json_decref(value);
    } else if (reading->wrong++ == 0) {
        reading->reason = reason;
        reason_wrap(&reading->reason, "partition %d, offset %lld", (int)record->partition,
                    (long long)record->offset);
    }
}

static int run(const char *command, struct kafka_client *client, enum topic topic,
               struct reading *reading)
{
    struct topic_reader *reader;
    struct reason reason;
    enum fault fault = topic_reader_open(client, topic, &reader, &reason);
    if (fault != FAULT_NONE)
        return connection_fail(command, fault, &reason);
    fault = topic_reader_run(reader, on_record, reading, &reason);
    topic_reader_close(reader);
    if (reading->wrong > 0)
        plumb_say(command, "%s: %llu records do not decode; the first: %s",
                  kafka_client_topic(client, topic), (unsigned long long)reading->wrong,
                  reading->reason.text);
    return fault == FAULT_NONE ? PLUMB_DONE : connection_fail(command, fault, &reason);
}

int connection_read(const char *command, struct kafka_client *client, enum topic topic,
                    void (*on_value)(void *context, const struct record *record,
                                     const json_t *value),
                    void *context)
{
    struct reading reading = {.on_value = on_value, .context = context};
    return run(command, client, topic, &reading);
}

int connection_read_raw(const char *command, struct kafka_client *client, enum topic topic,
                        void (*on_raw)(void *context, const struct record *record), void *context)
{
    struct reading reading = {.on_record = on_raw, .context = context};
    return run(command, client, topic, &reading);
}

int connection_partitions(const char *command, struct kafka_client *client, enum topic topic,
                          int32_t *out_count)
{
    struct reason reason;
    const enum fault fault = kafka_client_require(client, topic, out_count, &reason);
    return fault == FAULT_NONE ? PLUMB_DONE : connection_fail(command, fault, &reason);
}

void connection_publish(struct kafka_client *client, enum topic topic, int32_t partition_count,
                        struct span key, struct span value)
{
    const struct record record = {.topic = topic,
                                  .partition = topic_partition(key, partition_count),
                                  .key = key,
                                  .value = value};
    kafka_client_produce(client, &record);
}

int connection_settle(const char *command, struct kafka_client *client)
{
    while (kafka_client_flush(client, 1000) > 0) {
        /* message.timeout.ms ends each */
    }
    const uint64_t failed = kafka_client_failed(client);
    if (failed == 0)
        return PLUMB_DONE;
    plumb_say(command, "%llu of %llu records were not delivered: %s", (unsigned long long)failed,
              (unsigned long long)(failed + kafka_client_delivered(client)),
              kafka_client_failure(client));
    return PLUMB_TRY_AGAIN;
}
