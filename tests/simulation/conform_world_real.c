#include "clock/wall.h"
#include "conform_world.h"
#include "kafka/produce.h"

#include <stdatomic.h>
#include <unistd.h>

static atomic_int freeze_ms;
static rd_kafka_t *producer; /* owned: plain, also the admin client */

void world_open(const char *bootstrap, const struct world_topic *topics, size_t topic_count)
{
    (void)topics;
    (void)topic_count;
    char text[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    ENSURE(rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, text, sizeof text) ==
           RD_KAFKA_CONF_OK);
    ENSURE(rd_kafka_conf_set(conf, "linger.ms", "0", text, sizeof text) == RD_KAFKA_CONF_OK);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    ENSURE(producer != NULL);
}

void world_wait(int duration_ms)
{
    (void)usleep((useconds_t)duration_ms * 1000);
}

int64_t world_now_ms(void)
{
    return monotonic_now_ns() / 1000000;
}

void world_append(const char *topic, int32_t partition, const char *value)
{
    const struct record record = {.partition = partition, .value = span_text(value)};
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
    ENSURE(handle != NULL);
    ENSURE(produce_record(producer, handle, &record) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_destroy(handle);
    ENSURE(rd_kafka_flush(producer, 10000) == RD_KAFKA_RESP_ERR_NO_ERROR);
}

void world_trim(const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(producer);
    rd_kafka_DeleteRecords(producer, &request, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    ENSURE(event != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
}

void world_enter(bool on)
{
    (void)on; /* world_freeze is said while the other sources are not open yet */
}

void world_freeze(int duration_ms)
{
    atomic_store(&freeze_ms, duration_ms);
}

/* In a quiet consumer the next to call is the thread that also sends the heartbeats. */
void world_on_wake(void *context)
{
    (void)context;
    world_wait(atomic_exchange(&freeze_ms, 0));
}

void world_close(void)
{
    rd_kafka_destroy(producer);
}
