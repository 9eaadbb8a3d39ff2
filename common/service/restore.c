/* restore.c: from an assignment to shards that stand where Kafka says the service stands.
 *
 * 1. the committed offsets K of all partitions (a job); 2. each shard's snapshot at S from Redis,
 * taking an epoch; 3. S > K is a loud stop;
 * 4. consumption begins at S (or at the beginning), records before K are folded with outputs off.
 */
#include "clock/wall.h"
#include "log/log.h"
#include "memory/arena.h"
#include "memory/heap.h"
#include "service/driver.h"

static void release_entries(struct seat *seat)
{
    heap_release(seat->entries);
    arena_destroy(seat->arena);
    seat->entries = NULL;
    seat->arena = NULL;
    seat->entry_count = 0;
}

static void seat_destroy(struct seat *seat)
{
    if (seat->driver->store != NULL)
        store_forget(seat->driver->store, seat);
    for (size_t i = 0; i < seat->held_count; i++)
        source_release(&seat->held[i]);
    heap_release(seat->held);
    release_entries(seat);
    shard_destroy(seat->shard);
    heap_release(seat->tag);
    heap_release(seat->stored);
    heap_release(seat);
}

void driver_drop_seats(struct driver *driver)
{
    for (size_t i = 0; i < driver->seat_count; i++)
        seat_destroy(driver->seats[i]);
    heap_release(driver->seats);
    driver->seats = NULL;
    driver->seat_count = 0;
    source_release(&driver->blocked);
    outputs_clear(driver->outputs);
}

struct seat *driver_seat(struct driver *driver, enum topic topic, int32_t partition)
{
    for (size_t i = 0; i < driver->seat_count; i++) {
        struct seat *seat = driver->seats[i];
        for (size_t k = 0; k < seat->input_count; k++) {
            if (seat->inputs[k].topic == topic && seat->inputs[k].partition == partition)
                return seat;
        }
    }
    return NULL;
}

static enum topic topic_of(const struct driver *driver, const char *name)
{
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && driver->service->inputs[i] != TOPIC_NONE; i++) {
        if (strcmp(driver->names[driver->service->inputs[i]], name) == 0)
            return driver->service->inputs[i];
    }
    return TOPIC_NONE;
}

static struct seat *seat_add(struct driver *driver, enum topic topic, int32_t partition)
{
    driver->seats = heap_resized(driver->seats, driver->seat_count + 1, sizeof *driver->seats);
    struct seat *seat = heap_zeroed(1, sizeof *seat);
    driver->seats[driver->seat_count++] = seat;
    seat->driver = driver;
    if (!driver->service->joined) {
        seat->inputs[seat->input_count++] = (struct shard_input){topic, partition};
    } else {
        for (size_t i = 0; i < SERVICE_TOPICS_MAX && driver->service->inputs[i] != TOPIC_NONE; i++)
            seat->inputs[seat->input_count++] =
                (struct shard_input){driver->service->inputs[i], partition};
    }
    seat->tag = heap_format("{plumb:%s:%s:%d}", driver->service->name,
                            driver->names[seat->inputs[0].topic], (int)partition);
    return seat;
}

static enum fault job_committed(struct driver *driver)
{
    return source_committed(driver->source, driver->offsets, 5000, &driver->job_reason);
}

static void on_read(void *context, const struct store_snapshot *snapshot)
{
    struct seat *seat = context;
    seat->epoch = snapshot->epoch;
    seat->stored = span_copied(snapshot->offset);
    seat->arena = arena_create();
    seat->entries = heap_zeroed(snapshot->entry_count, sizeof *seat->entries);
    seat->entry_count = snapshot->entry_count;
    for (size_t i = 0; i < snapshot->entry_count; i++) {
        seat->entries[i].field = arena_span(seat->arena, snapshot->entries[i].field);
        seat->entries[i].bytes = arena_span(seat->arena, snapshot->entries[i].bytes);
    }
    driver_step(seat->driver);
}

static void read_offsets(struct driver *driver)
{
    for (int i = 0; i < driver->offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *element = &driver->offsets->elems[i];
        const enum topic topic = topic_of(driver, element->topic);
        struct seat *seat = driver_seat(driver, topic, element->partition);
        if (seat == NULL)
            seat = seat_add(driver, topic, element->partition);
        for (size_t k = 0; k < seat->input_count; k++) {
            if (seat->inputs[k].topic == topic)
                seat->live_from[k] = element->offset < 0 ? 0 : element->offset;
        }
        char *metadata = span_copied(span_of(element->metadata, element->metadata_size));
        const char *clock = strstr(metadata, "clock=");
        const int64_t sent_ms = clock == NULL ? 0 : strtoll(clock + 6, NULL, 10);
        if (sent_ms > seat->sent_ms)
            seat->sent_ms = seat->kept_ms = sent_ms;
        heap_release(metadata);
    }
    for (size_t i = 0; i < driver->seat_count; i++)
        store_read(driver->store, driver->seats[i]->tag, on_read, driver->seats[i]);
}

static void after_committed(struct driver *driver)
{
    if (driver->revoking || driver->stopping) {
        driver_step(driver);
        return;
    }
    if (driver->job_fault != FAULT_NONE) {
        log_write(LOG_WARN, "waiting_for_offsets", LOG_TEXT("why", driver->job_reason.text));
        driver_run_job(driver, job_committed, after_committed);
        return;
    }
    read_offsets(driver);
    driver_step(driver);
}

static void assign(struct driver *driver)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)driver->seat_count);
    int64_t behind = 0;
    driver->ends_left = 0;
    for (size_t i = 0; i < driver->seat_count; i++) {
        const struct seat *seat = driver->seats[i];
        for (size_t k = 0; k < seat->input_count; k++) {
            const int64_t position = shard_position(seat->shard, seat->inputs[k].topic);
            rd_kafka_topic_partition_list_add(list, driver->names[seat->inputs[k].topic],
                                              seat->inputs[k].partition)
                ->offset = position == 0 ? RD_KAFKA_OFFSET_BEGINNING : position;
            behind += seat->live_from[k] - position;
            driver->ends_left++;
        }
    }
    struct reason reason;
    const enum fault fault = source_assign(driver->source, list, &reason);
    rd_kafka_topic_partition_list_destroy(list);
    if (fault != FAULT_NONE) {
        driver_fail(driver, fault, "assign_failed", reason.text);
        return;
    }
    driver->state = DRIVER_RUNNING;
    driver->taken = false;
    atomic_store(&driver->ready_group, 1);
    log_write(LOG_INFO, "assigned", LOG_NUMBER("shards", driver->seat_count),
              LOG_NUMBER("replay_records", behind));
}

void driver_restore(struct driver *driver)
{
    REQUIRE(!driver->busy);
    REQUIRE(driver->assignment != NULL);
    driver_drop_seats(driver);
    driver->state = DRIVER_RESTORING;
    atomic_store(&driver->ready_group, 0);
    if (driver->assignment->cnt == 0) { /* more instances than partitions: a reserve */
        assign(driver);
        return;
    }
    if (driver->offsets != NULL)
        rd_kafka_topic_partition_list_destroy(driver->offsets);
    driver->offsets = rd_kafka_topic_partition_list_copy(driver->assignment);
    driver_run_job(driver, job_committed, after_committed);
}

/* FAULT_NONE; TABLE_BEHIND: the tables are not far enough, again later; else a loud stop. */
static enum fault load(struct driver *driver, struct seat *seat)
{
    struct shard *shard = shard_create(driver->service, seat->inputs, seat->input_count,
                                       driver->catalog, driver->options);
    enum fault fault = FAULT_NONE;
    if (seat->stored[0] != '\0' && !shard_positions_read(shard, span_text(seat->stored)))
        fault = FAULT_STATE_MALFORMED;
    for (size_t i = 0; i < seat->entry_count && fault == FAULT_NONE; i++)
        fault = shard_load(shard, seat->entries[i].field, seat->entries[i].bytes);
    for (size_t i = 0; i < seat->input_count && fault == FAULT_NONE; i++) {
        const int64_t position = shard_position(shard, seat->inputs[i].topic);
        if (position > seat->live_from[i])
            fault = FAULT_STATE_AHEAD;
        seat->caught_up[i] = position == seat->live_from[i];
    }
    if (fault != FAULT_NONE) {
        shard_destroy(shard);
        return fault;
    }
    /* On broker time a clock may have run ahead of the records: it must not fall. */
    for (size_t i = 0;
         driver->service->origin && !driver->arrival_is_header && i < seat->input_count; i++)
        ENSURE(shard_raise(shard, seat->inputs[i].topic, seat->sent_ms, driver->outputs) ==
               FAULT_NONE);
    seat->shard = shard;
    release_entries(seat);
    seat->written_ns = monotonic_now_ns();
    return FAULT_NONE;
}

void driver_restore_step(struct driver *driver)
{
    if (driver->tables_left > 0)
        return;
    for (size_t i = 0; i < driver->seat_count; i++) {
        struct seat *seat = driver->seats[i];
        if (seat->stored == NULL)
            return; /* Redis has not answered yet */
        if (seat->shard != NULL)
            continue;
        const enum fault fault = load(driver, seat);
        if (fault == FAULT_TABLE_BEHIND) {
            atomic_store(&driver->ready_records, 0);
            return;
        }
        if (fault != FAULT_NONE) {
            char *text = heap_format("state %s at '%s', Kafka at %lld: delete %s:at and %s:state "
                                     "in Redis to rebuild it from Kafka",
                                     seat->tag, seat->stored, (long long)seat->live_from[0],
                                     seat->tag, seat->tag);
            driver_fail(driver, fault, "state_refused", text);
            heap_release(text);
            return;
        }
    }
    atomic_store(&driver->ready_records, 1);
    assign(driver);
}
