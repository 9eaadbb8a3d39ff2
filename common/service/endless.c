/* endless.c: state that no span of input determines, in the compacted topic service.snapshots.
 *
 * One partition has all of a shard: a record for each entry (key NAME#field; no value: removed) and
 * the head (key NAME), which says which offsets the entries cover and how many they are. What
 * changed is published in the transaction that commits these offsets, so a reader of the partition
 * finds the entries at exactly the committed offsets: the head must say so, else the transaction's
 * end has not come through to this partition yet (Kafka marks partitions one by one), and we look
 * again.
 */
#include "container/table.h"
#include "memory/arena.h"
#include "memory/heap.h"
#include "service/driver.h"

enum { ENDLESS_POLL_MS = 100, ENDLESS_SILENCE_POLLS = 100 };

/* "alerter/measurements/0": the group's own name where it is not the service's. */
static char *name_of(const struct driver *driver, const struct seat *seat)
{
    const char *group = option_text(driver->options, "group");
    return heap_format("%s/%s/%d", group == NULL ? driver->service->name : group,
                       driver->names[seat->inputs[0].topic], (int)seat->inputs[0].partition);
}

static void publish_entries(struct driver *driver, const char *name)
{
    struct buffer key = {0};
    for (size_t i = 0; i < changes_size(driver->changes); i++) {
        const struct change *change = changes_at(driver->changes, i);
        buffer_clear(&key);
        buffer_format(&key, "%s#", name);
        buffer_append_span(&key, change->field);
        outputs_publish(driver->outputs, &(struct output){.topic = TOPIC_SERVICE_SNAPSHOTS,
                                                          .key = buffer_span(&key),
                                                          .value = change->bytes,
                                                          .route = span_text(name)});
    }
    buffer_fini(&key);
}

static void publish_head(struct driver *driver, const struct seat *seat, const char *name)
{
    struct buffer positions = {0};
    shard_positions_write(seat->shard, &positions);
    json_t *value =
        json_pack("{s:s, s:s, s:i, s:s%, s:I, s:I, s:I}", "service", driver->service->name, "topic",
                  driver->names[seat->inputs[0].topic], "partition", (int)seat->inputs[0].partition,
                  "positions", (const char *)positions.bytes, positions.size, "epoch",
                  (json_int_t)seat->epoch, "entry_count", (json_int_t)digest_count(seat->digest),
                  "written_at", (json_int_t)shard_time(seat->shard));
    ENSURE(value != NULL);
    outputs_publish_json(driver->outputs, TOPIC_SERVICE_SNAPSHOTS, span_text(name), span_text(name),
                         value);
    json_decref(value);
    buffer_fini(&positions);
}

static bool has_moved(const struct seat *seat)
{
    for (size_t k = 0; k < seat->input_count; k++) {
        if (shard_position(seat->shard, seat->inputs[k].topic) > seat->live_from[k])
            return true;
    }
    return false;
}

enum fault driver_publish_endless(struct driver *driver)
{
    enum fault fault = FAULT_NONE;
    for (size_t i = 0; i < driver->seat_count && driver->service->endless; i++) {
        struct seat *seat = driver->seats[i];
        if (fault != FAULT_NONE || !has_moved(seat))
            continue;
        char *name = name_of(driver, seat);
        outputs_clear(driver->outputs);
        shard_save(seat->shard, driver->changes);
        digest_add(seat->digest, driver->changes);
        publish_entries(driver, name);
        publish_head(driver, seat, name);
        changes_add(seat->unsaved, driver->changes);
        changes_clear(driver->changes);
        fault = driver_publish(driver);
        outputs_clear(driver->outputs);
        heap_release(name);
    }
    return fault;
}

/* One seat's part of what is read. */
struct reading {
    struct seat *seat;
    char *name;            /* owned */
    struct table *entries; /* owned: field → span in the arena */
    struct arena *arena;   /* owned until it is the seat's */
    char *positions;       /* owned: the head's; NULL: none */
    int64_t count;         /* the head's */
};

static void take_head(struct reading *reading, const struct record *record)
{
    json_t *value;
    struct reason reason;
    heap_release(reading->positions);
    reading->positions = NULL;
    if (record_json(record, &value, &reason) != FAULT_NONE)
        return;
    reading->positions = heap_text(json_string_value(json_object_get(value, "positions")));
    reading->count = json_integer_value(json_object_get(value, "entry_count"));
    json_decref(value);
}

static void take_record(struct reading *readings, size_t count, const struct record *record)
{
    for (size_t i = 0; i < count; i++) {
        struct reading *reading = &readings[i];
        const size_t size = strlen(reading->name);
        if (record->key.size < size || memcmp(record->key.bytes, reading->name, size) != 0)
            continue;
        if (record->key.size == size) {
            take_head(reading, record);
        } else if (record->key.bytes[size] == '#') {
            const struct span field =
                span_of(record->key.bytes + size + 1, record->key.size - size - 1);
            if (record->value.bytes == NULL) {
                (void)table_remove(reading->entries, field);
                continue;
            }
            struct span *bytes = arena_take(reading->arena, sizeof *bytes);
            *bytes = arena_span(reading->arena, record->value);
            (void)table_put(reading->entries, field, bytes);
        }
    }
}

static enum fault read_all(struct driver *driver, struct source *source, size_t partitions,
                           struct reading *readings, size_t count)
{
    for (size_t silent = 0; partitions > 0 && silent < ENDLESS_SILENCE_POLLS;) {
        struct source_message message;
        struct header headers[1];
        switch (source_poll(source, ENDLESS_POLL_MS, &message, &driver->job_reason)) {
        case SOURCE_EMPTY:
            silent++;
            break;
        case SOURCE_TROUBLE:
            silent++;
            break;
        case SOURCE_END:
            partitions--;
            break;
        case SOURCE_RECORD: {
            const struct record record = source_record(&message, headers, 1, false);
            take_record(readings, count, &record);
            source_release(&message);
            silent = 0;
            break;
        }
        }
    }
    if (partitions == 0)
        return FAULT_NONE;
    reason_set(&driver->job_reason, "%s does not come to its end",
               driver->names[TOPIC_SERVICE_SNAPSHOTS]);
    return FAULT_KAFKA_UNREACHABLE;
}

static bool was_committed(const struct seat *seat)
{
    for (size_t k = 0; k < seat->input_count; k++) {
        if (seat->committed[k])
            return true;
    }
    return false;
}

/* Gives the seat what was read, if it is whole and stands where the committed offsets do. */
static enum fault give(struct driver *driver, struct reading *reading)
{
    struct seat *seat = reading->seat;
    struct buffer wanted = {0};
    for (size_t k = 0; k < seat->input_count; k++)
        buffer_format(&wanted, "%s%s:%d=%lld", k == 0 ? "" : ",",
                      topic_row(seat->inputs[k].topic)->name, (int)seat->inputs[k].partition,
                      (long long)seat->live_from[k]);
    if (!was_committed(seat) && reading->positions == NULL && table_count(reading->entries) == 0)
        reading->positions = heap_text(""); /* a group's first start */
    const bool whole = reading->positions != NULL &&
                       (span_is(buffer_span(&wanted), reading->positions) ||
                        (reading->positions[0] == '\0' && !was_committed(seat))) &&
                       (size_t)reading->count == table_count(reading->entries);
    if (!whole)
        reason_set(&driver->job_reason,
                   "%s has no state of %s at %.*s (it is at %s): the topic lost records, or "
                   "somebody moved the group's offsets; to begin without it: plumb state reset %s",
                   driver->names[TOPIC_SERVICE_SNAPSHOTS], reading->name, (int)wanted.size,
                   (const char *)wanted.bytes,
                   reading->positions == NULL ? "none" : reading->positions, driver->service->name);
    buffer_fini(&wanted);
    if (!whole)
        return FAULT_STATE_GAP;
    seat->positions = reading->positions;
    seat->arena = reading->arena;
    seat->entry_count = table_count(reading->entries);
    seat->entries = heap_zeroed(seat->entry_count, sizeof *seat->entries);
    reading->positions = NULL;
    reading->arena = NULL;
    size_t cursor = 0;
    struct span field;
    const struct span *bytes;
    for (size_t i = 0; (bytes = table_next(reading->entries, &cursor, &field)) != NULL; i++)
        seat->entries[i] = (struct store_entry){arena_span(seat->arena, field), *bytes};
    return FAULT_NONE;
}

static void on_wake(void *context)
{
    (void)context; /* the job polls */
}

static enum fault read_with(struct driver *driver, struct source *source, struct reading *readings,
                            size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    const char *topic = driver->names[TOPIC_SERVICE_SNAPSHOTS];
    for (size_t i = 0; i < count; i++) {
        const int32_t partition = topic_partition(span_text(readings[i].name),
                                                  driver->partitions[TOPIC_SERVICE_SNAPSHOTS]);
        if (rd_kafka_topic_partition_list_find(list, topic, partition) == NULL)
            rd_kafka_topic_partition_list_add(list, topic, partition)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
    }
    enum fault fault = source_assign(source, list, &driver->job_reason);
    if (fault == FAULT_NONE)
        fault = read_all(driver, source, (size_t)list->cnt, readings, count);
    rd_kafka_topic_partition_list_destroy(list);
    for (size_t i = 0; i < count && fault == FAULT_NONE; i++)
        fault = give(driver, &readings[i]);
    return fault;
}

enum fault driver_read_endless(struct driver *driver)
{
    struct reading *readings = heap_zeroed(driver->seat_count, sizeof *readings);
    size_t count = 0;
    for (size_t i = 0; i < driver->seat_count; i++) {
        struct seat *seat = driver->seats[i];
        if (seat->shard == NULL && seat->positions == NULL)
            readings[count++] = (struct reading){.seat = seat,
                                                 .name = name_of(driver, seat),
                                                 .entries = table_create(),
                                                 .arena = arena_create()};
    }
    const struct source_options options = {.options = driver->options,
                                           .client = driver->client,
                                           .names = driver->names,
                                           .on_wake = on_wake,
                                           .context = driver};
    struct source *source = NULL;
    enum fault fault = source_open(&options, &source, &driver->job_reason);
    if (fault == FAULT_NONE)
        fault = read_with(driver, source, readings, count);
    source_close(source, fault == FAULT_NONE);
    for (size_t i = 0; i < count; i++) {
        table_destroy(readings[i].entries);
        arena_destroy(readings[i].arena);
        heap_release(readings[i].positions);
        heap_release(readings[i].name);
    }
    heap_release(readings);
    return fault;
}
