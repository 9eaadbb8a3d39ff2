/* bench_consume.c: the denominator of whatever reads: poll and destroy, nothing else.
 *
 *   bench_consume --bootstrap H:P --topic T --group G [--way callback|poll|batch]
 *
 * callback, the default, was the fastest of librdkafka's three ways: it locks the queue once for
 * all that is in it, not once a message.
 */
#include "bench_client.h"

#include <string.h>

enum { BATCH_MAX = 1000, WAIT_MS = 100 };

static void on_message(rd_kafka_message_t *message, void *opaque)
{
    bench_reading_count(opaque, message); /* librdkafka destroys it */
}

static void read_by_callback(struct bench_reading *reading, rd_kafka_queue_t *queue)
{
    while (!bench_reading_is_done(reading))
        (void)rd_kafka_consume_callback_queue(queue, WAIT_MS, on_message, reading);
}

static void read_by_batch(struct bench_reading *reading, rd_kafka_queue_t *queue)
{
    rd_kafka_message_t *messages[BATCH_MAX];
    while (!bench_reading_is_done(reading)) {
        const ssize_t got = rd_kafka_consume_batch_queue(queue, 1, messages, BATCH_MAX);
        for (ssize_t i = 0; i < got; i++) {
            bench_reading_count(reading, messages[i]);
            rd_kafka_message_destroy(messages[i]);
        }
    }
}

static void read_by_poll(struct bench_reading *reading)
{
    rd_kafka_message_t *message;
    while ((message = bench_reading_next(reading)) != NULL)
        rd_kafka_message_destroy(message);
}

int main(int argc, char *argv[])
{
    struct bench_options options;
    if (!bench_options_read(argc, argv, &options))
        return 2;
    rd_kafka_t *consumer = bench_consumer(&options);
    struct bench_reading reading = bench_reading_begin(consumer, options.topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    if (strcmp(options.way, "poll") == 0)
        read_by_poll(&reading);
    else if (strcmp(options.way, "batch") == 0)
        read_by_batch(&reading, queue);
    else
        read_by_callback(&reading, queue);
    bench_print("consume", &reading);
    rd_kafka_queue_destroy(queue);
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return 0;
}
