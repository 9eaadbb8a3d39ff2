/* tables.c: the compacted topics that every instance reads whole, into the catalog, and then
 * follows. */
#include "log/log.h"
#include "memory/heap.h"
#include "service/driver.h"

static void on_wake(void *context)
{
    struct driver *driver = context;
    driver_wake(driver);
}

enum fault driver_open_tables(struct driver *driver, struct reason *out_reason)
{
    const struct source_options options = {.options = driver->options,
                                           .client = driver->client,
                                           .names = driver->names,
                                           .on_wake = on_wake,
                                           .context = driver};
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && driver->service->tables[i] != TOPIC_NONE; i++) {
        const enum topic topic = driver->service->tables[i];
        driver->table_ended[topic] = heap_zeroed((size_t)driver->partitions[topic], sizeof(bool));
        for (int32_t p = 0; p < driver->partitions[topic]; p++)
            rd_kafka_topic_partition_list_add(list, driver->names[topic], p)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
    }
    const size_t schemas = (size_t)driver->partitions[TOPIC_MODEL_SCHEMAS];
    driver->schemas_end = heap_zeroed(schemas, sizeof *driver->schemas_end);
    driver->schemas_read = heap_zeroed(schemas, sizeof *driver->schemas_read);
    driver->tables_left = (size_t)list->cnt;
    enum fault fault = source_open(&options, &driver->tables, out_reason);
    if (fault == FAULT_NONE)
        fault = source_assign(driver->tables, list, out_reason);
    rd_kafka_topic_partition_list_destroy(list);
    return fault;
}

static void apply(struct driver *driver, const struct source_message *message)
{
    struct header headers[8];
    const struct record record = source_record(message, headers, COUNT_OF(headers), false);
    struct reason reason = {""};
    if (record.value.size == 0 || catalog_apply(driver->catalog, &record, &reason) == FAULT_NONE)
        return;
    log_write(LOG_WARN, "table_record_refused", LOG_TEXT("topic", driver->names[record.topic]),
              LOG_NUMBER("offset", record.offset), LOG_TEXT("why", reason.text),
              LOG_TEXT("effect", "what it describes is not known here"));
}

/* How far model.schemas is read. */
static void note_read(struct driver *driver, const struct source_message *message, int64_t next)
{
    if (message->topic == TOPIC_MODEL_SCHEMAS)
        driver->schemas_read[message->partition] = next;
}

void driver_poll_tables(struct driver *driver)
{
    struct source_message message;
    struct reason reason;
    for (;;) {
        const enum source_event event = source_poll(driver->tables, 0, &message, &reason);
        if (event == SOURCE_EMPTY)
            return;
        if (event == SOURCE_END)
            note_read(driver, &message, message.offset);
        if (event == SOURCE_RECORD) {
            note_read(driver, &message, message.offset + 1);
            apply(driver, &message);
            source_release(&message);
        } else if (event == SOURCE_END && !driver->table_ended[message.topic][message.partition]) {
            driver->table_ended[message.topic][message.partition] = true;
            if (--driver->tables_left == 0)
                atomic_store(&driver->ready_tables, 1);
        }
    }
}
