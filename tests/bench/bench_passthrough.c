/* bench_passthrough.c: the denominator of whatever reads and writes exactly once: each record's
 * bytes, key and headers go on as they are, in transactions that carry the offsets.
 *
 *   bench_passthrough --bootstrap H:P --topic FROM --to TO --group G --interval MS
 *                     [--copied yes|no] [--rate N --count N]
 *
 * --interval 0: one transaction for the whole topic. --copied no: librdkafka borrows the bytes of
 * the message that was read, which is kept until it is delivered. With --rate it is no measure but
 * a source, without transactions: so many records a second, the topic again and again, --count in
 * all.
 */
#include "bench_client.h"
#include "clock/wall.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PARTITIONS_MAX = 256,
    TIMEOUT_MS = 10000,
    ROOM_MS = 50,
    SERVE_EVERY = 256,
    BATCH_MAX = 1000
};

struct passing {
    struct bench_options options;
    rd_kafka_t *producer;
    struct bench_reading reading;
    int64_t next[PARTITIONS_MAX]; /* offset after the last record; 0: none */
    int64_t committed_ns;
    bool open;   /* a transaction is */
    bool copied; /* by librdkafka */
};

static uint64_t failed_count;

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    (void)opaque;
    failed_count += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (message->_private != NULL)
        rd_kafka_message_destroy(message->_private);
}

static rd_kafka_error_t *send_once(const struct passing *passing, rd_kafka_message_t *message,
                                   rd_kafka_headers_t *headers)
{
    const bool copied = passing->copied;
    const rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = passing->options.to},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = message->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = copied ? RD_KAFKA_MSG_F_COPY : 0},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {.ptr = message->key, .size = message->key_len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {.ptr = message->payload, .size = message->len}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = copied ? NULL : message},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    return rd_kafka_produceva(passing->producer, fields, headers == NULL ? 6 : 7);
}

static void send_on(struct passing *passing, rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    (void)rd_kafka_message_detach_headers(message, &headers);
    if (!passing->open && passing->options.rate == 0) {
        bench_require("begin", rd_kafka_begin_transaction(passing->producer));
        passing->open = true;
    }
    if (message->partition < PARTITIONS_MAX)
        passing->next[message->partition] = message->offset + 1;
    rd_kafka_error_t *error;
    while ((error = send_once(passing, message, headers)) != NULL) {
        if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            bench_require("produce", error);
        rd_kafka_error_destroy(error);
        (void)rd_kafka_poll(passing->producer, ROOM_MS);
    }
    if (passing->reading.events % SERVE_EVERY == 0)
        (void)rd_kafka_poll(passing->producer, 0);
}

static void commit(struct passing *passing)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(PARTITIONS_MAX);
    for (int32_t i = 0; i < PARTITIONS_MAX; i++) {
        if (passing->next[i] > 0)
            rd_kafka_topic_partition_list_add(offsets, passing->options.topic, i)->offset =
                passing->next[i];
    }
    rd_kafka_consumer_group_metadata_t *group =
        rd_kafka_consumer_group_metadata(passing->reading.consumer);
    bench_require("send offsets", rd_kafka_send_offsets_to_transaction(passing->producer, offsets,
                                                                       group, TIMEOUT_MS));
    bench_require("commit", rd_kafka_commit_transaction(passing->producer, TIMEOUT_MS));
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    passing->open = false;
    passing->committed_ns = monotonic_now_ns();
}

/* False: it was the end of a partition. */
static bool pass(struct passing *passing, rd_kafka_message_t *message)
{
    if (!bench_reading_count(&passing->reading, message))
        return false;
    send_on(passing, message);
    const int64_t interval_ns = passing->options.interval_ms * 1000000;
    if (interval_ns > 0 && passing->reading.last_ns - passing->committed_ns >= interval_ns)
        commit(passing);
    return true;
}

static void on_message(rd_kafka_message_t *message, void *opaque)
{
    (void)pass(opaque, message); /* librdkafka destroys it */
}

static void pass_borrowed(struct passing *passing, rd_kafka_queue_t *queue)
{
    rd_kafka_message_t *messages[BATCH_MAX];
    const ssize_t got = rd_kafka_consume_batch_queue(queue, 1, messages, BATCH_MAX);
    for (ssize_t i = 0; i < got; i++) {
        if (!pass(passing, messages[i])) /* else it goes when it is delivered */
            rd_kafka_message_destroy(messages[i]);
    }
}

static void pass_all(struct passing *passing)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(passing->reading.consumer);
    passing->committed_ns = monotonic_now_ns();
    while (!bench_reading_is_done(&passing->reading)) {
        if (passing->copied)
            (void)rd_kafka_consume_callback_queue(queue, ROOM_MS, on_message, passing);
        else
            pass_borrowed(passing, queue);
    }
    if (passing->open)
        commit(passing);
    rd_kafka_queue_destroy(queue);
}

static void begin_again(struct bench_reading *reading)
{
    rd_kafka_topic_partition_list_t *list;
    if (rd_kafka_assignment(reading->consumer, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        bench_fail("seek", "nothing is assigned");
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    bench_require("seek", rd_kafka_seek_partitions(reading->consumer, list, TIMEOUT_MS));
    rd_kafka_topic_partition_list_destroy(list);
    reading->ended = 0;
}

/* So many a second since it began; the topic from its beginning again when it ends. */
static void pass_slowly(struct passing *passing)
{
    const struct bench_options *options = &passing->options;
    struct bench_reading *reading = &passing->reading;
    while (reading->events < options->count) {
        rd_kafka_message_t *message = bench_reading_next(reading);
        if (message == NULL) {
            begin_again(reading);
            continue;
        }
        send_on(passing, message);
        rd_kafka_message_destroy(message);
        const int64_t due_ns =
            reading->first_ns + (int64_t)((double)reading->events / (double)options->rate * 1e9);
        const int64_t ahead_ms = (due_ns - monotonic_now_ns()) / 1000000;
        if (ahead_ms > 0)
            (void)usleep((useconds_t)ahead_ms * 1000);
    }
    if (rd_kafka_flush(passing->producer, TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        bench_fail("flush", "not delivered");
}

int main(int argc, char *argv[])
{
    struct passing passing = {0};
    if (!bench_options_read(argc, argv, &passing.options) || passing.options.to == NULL)
        return 2;
    char text[100];
    (void)snprintf(text, sizeof text, "%s-copy", passing.options.group);
    const bool slowly = passing.options.rate > 0;
    passing.copied = slowly || strcmp(passing.options.copied, "yes") == 0;
    passing.producer = bench_producer(&passing.options, slowly ? NULL : text, on_delivery);
    if (!slowly)
        bench_require("init", rd_kafka_init_transactions(passing.producer, TIMEOUT_MS));
    rd_kafka_t *consumer = bench_consumer(&passing.options);
    passing.reading = bench_reading_begin(consumer, passing.options.topic);
    (slowly ? pass_slowly : pass_all)(&passing);
    while (rd_kafka_outq_len(passing.producer) > 0) /* what is borrowed is given back */
        (void)rd_kafka_poll(passing.producer, ROOM_MS);
    if (failed_count > 0)
        bench_fail("produce", "some were not delivered");
    bench_print(passing.options.interval_ms == 0 ? "passthrough-once" : "passthrough",
                &passing.reading);
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(passing.producer);
    rd_kafka_destroy(consumer);
    return 0;
}
