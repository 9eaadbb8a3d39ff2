#include "kafka/topic_reader.h"
#include "clock/wall.h"
#include "memory/heap.h"

enum { READER_SILENCE_NS_PER_MS = 1000000 };

struct part {
    int64_t next; /* first offset not read; -1: from the beginning */
    int64_t end;  /* of this run */
    bool done;
};

struct topic_reader {
    struct kafka_client *client; /* borrowed */
    enum topic topic;
    rd_kafka_t *handle; /* owned */
    struct part *parts; /* owned, [part_count] */
    int32_t part_count, open_count;
    int32_t only;           /* the next run's only partition; -1: all */
    int64_t only_end;       /* and the offset before which it ends */
    struct header *headers; /* owned, [header_capacity]: of the record that is lent */
    size_t header_capacity;
};

enum fault topic_reader_open(struct kafka_client *client, enum topic topic,
                             struct topic_reader **out_reader, struct reason *out_reason)
{
    REQUIRE(out_reader != NULL);
    int32_t count;
    enum fault fault = kafka_client_require(client, topic, &count, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    struct topic_reader *reader = heap_zeroed(1, sizeof *reader);
    reader->client = client;
    reader->topic = topic;
    reader->part_count = count;
    reader->parts = heap_zeroed((size_t)count, sizeof *reader->parts);
    for (int32_t i = 0; i < count; i++)
        reader->parts[i].next = -1;
    reader->only = -1;
    fault = kafka_client_consumer(client, "plumb-reader", &reader->handle, out_reason);
    if (fault != FAULT_NONE) {
        topic_reader_close(reader);
        return fault;
    }
    *out_reader = reader;
    return FAULT_NONE;
}

static enum fault failed(const struct topic_reader *reader, rd_kafka_resp_err_t error,
                         struct reason *out_reason)
{
    reason_set(out_reason, "reading %s: %s", kafka_client_topic(reader->client, reader->topic),
               rd_kafka_err2str(error));
    return error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? FAULT_OPTION_INVALID
                                                            : FAULT_KAFKA_UNREACHABLE;
}

/* The end is the last stable offset: what open transactions hold back is not there yet. */
static enum fault ends(struct topic_reader *reader, int32_t partition, int64_t *out_low,
                       int64_t *out_end, struct reason *out_reason)
{
    const rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
        reader->handle, kafka_client_topic(reader->client, reader->topic), partition, out_low,
        out_end, KAFKA_CLIENT_TIMEOUT_MS);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? FAULT_NONE : failed(reader, error, out_reason);
}

enum fault topic_reader_tail(struct topic_reader *reader, int64_t offsets,
                             struct reason *out_reason)
{
    REQUIRE(offsets >= 0);
    for (int32_t i = 0; i < reader->part_count; i++) {
        int64_t low, end;
        const enum fault fault = ends(reader, i, &low, &end, out_reason);
        if (fault != FAULT_NONE)
            return fault;
        reader->parts[i].next = end - offsets > low ? end - offsets : low;
    }
    return FAULT_NONE;
}

void topic_reader_range(struct topic_reader *reader, int32_t partition, int64_t first, int64_t end)
{
    REQUIRE(partition >= 0);
    REQUIRE(partition < reader->part_count);
    REQUIRE(first >= 0);
    reader->only = partition;
    reader->only_end = end;
    reader->parts[partition].next = first;
}

void topic_reader_stop(struct topic_reader *reader)
{
    reader->open_count = 0;
}

static enum fault assign(struct topic_reader *reader, struct reason *out_reason)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(reader->part_count);
    const char *name = kafka_client_topic(reader->client, reader->topic);
    enum fault fault = FAULT_NONE;
    reader->open_count = 0;
    for (int32_t i = 0; i < reader->part_count && fault == FAULT_NONE; i++) {
        struct part *part = &reader->parts[i];
        int64_t low = 0;
        part->done = true;
        if (reader->only >= 0 && reader->only != i)
            continue;
        fault = ends(reader, i, &low, &part->end, out_reason);
        if (reader->only == i && reader->only_end < part->end)
            part->end = reader->only_end;
        if (part->next < low)
            part->next = low;
        part->done = part->next >= part->end;
        if (part->done || fault != FAULT_NONE)
            continue;
        rd_kafka_topic_partition_list_add(list, name, i)->offset = part->next;
        reader->open_count++;
    }
    if (fault == FAULT_NONE && reader->open_count > 0) {
        const rd_kafka_resp_err_t error = rd_kafka_assign(reader->handle, list);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
            fault = failed(reader, error, out_reason);
    }
    reader->only = -1;
    rd_kafka_topic_partition_list_destroy(list);
    return fault;
}

static void part_end(struct topic_reader *reader, struct part *part)
{
    if (part->done)
        return;
    part->done = true;
    reader->open_count--;
}

/* How many headers the message has; they are in reader->headers. */
static size_t take_headers(struct topic_reader *reader, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *all;
    if (rd_kafka_message_headers(message, &all) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    const size_t count = rd_kafka_header_cnt(all);
    if (count > reader->header_capacity) {
        reader->headers = heap_resized(reader->headers, count, sizeof *reader->headers);
        reader->header_capacity = count;
    }
    for (size_t i = 0; i < count; i++) {
        const void *value = NULL;
        size_t size = 0;
        (void)rd_kafka_header_get_all(all, i, &reader->headers[i].name, &value, &size);
        reader->headers[i].value = span_of(value, size);
    }
    return count;
}

static void lend(struct topic_reader *reader, const rd_kafka_message_t *message,
                 void (*on_record)(void *context, const struct record *record), void *context)
{
    const size_t count = take_headers(reader, message);
    rd_kafka_timestamp_type_t type;
    const struct record record = {.topic = reader->topic,
                                  .partition = message->partition,
                                  .offset = message->offset,
                                  .arrival_ms = rd_kafka_message_timestamp(message, &type),
                                  .key = span_of(message->key, message->key_len),
                                  .value = span_of(message->payload, message->len),
                                  .headers = reader->headers,
                                  .header_count = count};
    on_record(context, &record);
}

static bool part_of(const struct topic_reader *reader, const rd_kafka_message_t *message,
                    struct part **out_part)
{
    if (message->rkt == NULL || message->partition < 0 || message->partition >= reader->part_count)
        return false;
    *out_part = &reader->parts[message->partition];
    return true;
}

/* One message of the consumer: a record, the end of a partition, or an error that librdkafka itself
 * deals with. */
static enum fault take(struct topic_reader *reader, const rd_kafka_message_t *message,
                       void (*on_record)(void *context, const struct record *record), void *context,
                       struct reason *out_reason)
{
    struct part *part;
    if (!part_of(reader, message, &part))
        return FAULT_NONE;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        /* Done: what came since was passed over, and is the next run's. */
        if (!part->done && message->offset > part->next)
            part->next = message->offset;
        part_end(reader, part);
        return FAULT_NONE;
    }
    if (message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        message->err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
        message->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        return failed(reader, message->err, out_reason);
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || part->done)
        return FAULT_NONE;
    if (message->offset < part->end) {
        lend(reader, message, on_record, context);
        part->next = message->offset + 1;
    }
    if (message->offset + 1 >= part->end && reader->open_count > 0)
        part_end(reader, part);
    return FAULT_NONE;
}

enum fault topic_reader_run(struct topic_reader *reader,
                            void (*on_record)(void *context, const struct record *record),
                            void *context, struct reason *out_reason)
{
    REQUIRE(on_record != NULL);
    enum fault fault = assign(reader, out_reason);
    int64_t heard_ns = monotonic_now_ns();
    while (fault == FAULT_NONE && reader->open_count > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->handle, 200);
        if (message != NULL) {
            const bool heard = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
            fault = take(reader, message, on_record, context, out_reason);
            rd_kafka_message_destroy(message);
            if (heard)
                heard_ns = monotonic_now_ns();
        } else if ((monotonic_now_ns() - heard_ns) / READER_SILENCE_NS_PER_MS >
                   KAFKA_CLIENT_TIMEOUT_MS) {
            fault = failed(reader, RD_KAFKA_RESP_ERR__TIMED_OUT, out_reason);
        }
    }
    (void)rd_kafka_assign(reader->handle, NULL);
    return fault;
}

int32_t topic_reader_partitions(const struct topic_reader *reader)
{
    return reader->part_count;
}

int64_t topic_reader_next(const struct topic_reader *reader, int32_t partition)
{
    REQUIRE(partition >= 0);
    REQUIRE(partition < reader->part_count);
    return reader->parts[partition].next;
}

enum fault topic_reader_committed(const struct topic_reader *reader, const char *group,
                                  int64_t *out_offsets, struct reason *out_reason)
{
    rd_kafka_t *handle;
    const enum fault fault = kafka_client_consumer(reader->client, group, &handle, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(reader->part_count);
    for (int32_t i = 0; i < reader->part_count; i++)
        (void)rd_kafka_topic_partition_list_add(
            list, kafka_client_topic(reader->client, reader->topic), i);
    const rd_kafka_resp_err_t error = rd_kafka_committed(handle, list, KAFKA_CLIENT_TIMEOUT_MS);
    for (int32_t i = 0; i < reader->part_count && error == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        out_offsets[i] = list->elems[i].offset < 0 ? -1 : list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(handle);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? FAULT_NONE : failed(reader, error, out_reason);
}

void topic_reader_close(struct topic_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->handle != NULL) {
        (void)rd_kafka_consumer_close(reader->handle);
        rd_kafka_destroy(reader->handle);
    }
    heap_release(reader->parts);
    heap_release(reader->headers);
    heap_release(reader);
}
