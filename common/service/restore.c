/* restore.c: from an assignment to shards that stand where Kafka says the service stands.
 *
 * 1. The committed offsets K of the inputs with what was committed with them (a job). 2. Each
 * shard's snapshot at S from Redis, taking an epoch above the one Kafka remembers. 3. What to begin
 * from: S, if it is neither damaged nor older than what K's mark says a replay needs; else that
 * replay's beginning R with an empty shard; for endless state the snapshot that Kafka itself keeps
 * at K. S > K, another owner, another number of partitions are loud stops. 4. Consumption begins at
 * S or R; records before K are folded with outputs off; at K stream time is what K's mark says.
 */
#include "clock/wall.h"
#include "container/table.h"
#include "log/log.h"
#include "memory/arena.h"
#include "memory/heap.h"
#include "service/driver.h"

enum { RESTORE_PAUSE_MS = 100, RESTORE_SNAPSHOT_MAX_MS = 30000 };

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
    release_entries(seat);
    shard_destroy(seat->shard);
    for (size_t i = 0; i < seat->waiting_count; i++)
        source_release(&seat->waiting[i]);
    heap_release(seat->waiting);
    changes_destroy(seat->unsaved);
    digest_destroy(seat->digest);
    heap_release(seat->positions);
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

static void seat_add(struct driver *driver, enum topic topic, int32_t partition)
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
    for (size_t k = 0; k < seat->input_count; k++)
        seat->marks[k].replay = -1;
    seat->unsaved = changes_create();
    seat->digest = digest_create();
    seat->tag = heap_format("{plumb:%s:%s:%d}", driver->service->name,
                            driver->names[seat->inputs[0].topic], (int)partition);
}

/* Offsets of all partitions of the inputs, not only of ours: their marks tell of a changed count.
 */
static void list_inputs(struct driver *driver)
{
    if (driver->offsets != NULL)
        rd_kafka_topic_partition_list_destroy(driver->offsets);
    driver->offsets = rd_kafka_topic_partition_list_new(driver->assignment->cnt);
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && driver->service->inputs[i] != TOPIC_NONE; i++) {
        const enum topic topic = driver->service->inputs[i];
        for (int32_t p = 0; p < driver->partitions[topic]; p++)
            (void)rd_kafka_topic_partition_list_add(driver->offsets, driver->names[topic], p);
    }
}

static enum fault job_committed(struct driver *driver)
{
    size_t count = 0;
    enum topic topics[2 * SERVICE_TOPICS_MAX];
    int32_t counts[2 * SERVICE_TOPICS_MAX];
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && driver->service->inputs[i] != TOPIC_NONE; i++)
        topics[count++] = driver->service->inputs[i];
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && driver->service->outputs[i] != TOPIC_NONE; i++)
        topics[count++] = driver->service->outputs[i]; /* clocks go to each of their partitions */
    enum fault fault =
        source_partitions(driver->source, topics, count, counts, 5000, &driver->job_reason);
    for (size_t i = 0; i < count && fault == FAULT_NONE; i++) {
        const enum topic topic = topics[i];
        if (counts[i] == driver->partitions[topic])
            continue;
        reason_set(&driver->job_reason, "topic %s had %d partitions and has %d",
                   driver->names[topic], (int)driver->partitions[topic], (int)counts[i]);
        fault = FAULT_PARTITIONS_CHANGED;
    }
    if (fault == FAULT_NONE)
        fault = source_committed(driver->source, driver->offsets, 5000, &driver->job_reason);
    if (fault == FAULT_NONE)
        fault = driver_find_schemas_end(driver);
    return fault;
}

static void on_read(void *context, const struct store_snapshot *snapshot)
{
    struct seat *seat = context;
    if (snapshot->fault == FAULT_STATE_FOREIGN) {
        char *text =
            heap_format("state %s belongs to %.*s, which is another Kafka cluster or consumer "
                        "group: give each a Redis database of its own (--redis …/N), or, if that "
                        "one is gone for good, plumb state reset %s",
                        seat->tag, (int)snapshot->detail.size, (const char *)snapshot->detail.bytes,
                        seat->driver->service->name);
        driver_fail(seat->driver, FAULT_STATE_FOREIGN, "state_refused", text);
        heap_release(text);
        return;
    }
    if (snapshot->fault != FAULT_NONE)
        log_write(LOG_WARN, "state_damaged", LOG_TEXT("shard", seat->tag),
                  LOG_TEXT("fault", fault_name(snapshot->fault)),
                  LOG_TEXT("effect", "it is rebuilt from Kafka"));
    seat->distrust = snapshot->fault;
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

/* What Kafka remembers of one input: PARTITIONS_CHANGED, or kept in its seat, if it is ours. */
static enum fault read_offset(struct driver *driver, const rd_kafka_topic_partition_t *element,
                              struct reason *out_reason)
{
    const enum topic topic = topic_of(driver, element->topic);
    const struct mark mark = mark_read(span_of(element->metadata, element->metadata_size));
    if (mark.partitions != 0 && mark.partitions != driver->partitions[topic]) {
        reason_set(out_reason,
                   "topic %s has %d partitions, and had %d when offsets were committed: ids have "
                   "moved between partitions; to go on all the same: plumb state reset %s",
                   element->topic, (int)driver->partitions[topic], (int)mark.partitions,
                   driver->service->name);
        return FAULT_PARTITIONS_CHANGED;
    }
    struct seat *seat = driver_seat(driver, topic, element->partition);
    for (size_t k = 0; seat != NULL && k < seat->input_count; k++) {
        if (seat->inputs[k].topic != topic)
            continue;
        seat->committed[k] = element->offset >= 0;
        seat->live_from[k] = seat->committed[k] ? element->offset : 0;
        seat->marks[k] = mark;
        seat->before_ms = mark.before_ms;
        if (mark.clock_ms > seat->sent_ms)
            seat->sent_ms = mark.clock_ms;
    }
    return FAULT_NONE;
}

static void read_offsets(struct driver *driver)
{
    for (int i = 0; i < driver->assignment->cnt; i++) {
        const rd_kafka_topic_partition_t *element = &driver->assignment->elems[i];
        const enum topic topic = topic_of(driver, element->topic);
        if (driver_seat(driver, topic, element->partition) == NULL)
            seat_add(driver, topic, element->partition);
    }
    for (int i = 0; i < driver->offsets->cnt; i++) {
        struct reason reason;
        const enum fault fault = read_offset(driver, &driver->offsets->elems[i], &reason);
        if (fault != FAULT_NONE) {
            driver_fail(driver, fault, "partitions_changed", reason.text);
            return;
        }
    }
    for (size_t i = 0; i < driver->seat_count; i++) {
        struct seat *seat = driver->seats[i];
        int64_t epoch_least = 0;
        for (size_t k = 0; k < seat->input_count; k++) {
            if (seat->marks[k].epoch > epoch_least)
                epoch_least = seat->marks[k].epoch;
        }
        store_read(driver->store, seat->tag, epoch_least, on_read, seat);
    }
}

static void after_committed(struct driver *driver)
{
    if (driver->revoking || driver->stopping) {
        driver_step(driver);
        return;
    }
    if (driver->job_fault == FAULT_PARTITIONS_CHANGED) {
        char *text = heap_format("%s while it was read: start anew", driver->job_reason.text);
        driver_fail(driver, driver->job_fault, "partitions_changed", text);
        heap_release(text);
        return;
    }
    if (driver->job_fault != FAULT_NONE) {
        log_write(LOG_WARN, "waiting_for_offsets", LOG_TEXT("why", driver->job_reason.text));
        driver->restore_at_ns = monotonic_now_ns() + (int64_t)RESTORE_PAUSE_MS * 1000000;
        driver_step(driver); /* meanwhile the group may want something */
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
            const bool begins = position == 0 && seat->marks[k].replay < 0;
            rd_kafka_topic_partition_list_add(list, driver->names[seat->inputs[k].topic],
                                              seat->inputs[k].partition)
                ->offset = begins ? RD_KAFKA_OFFSET_BEGINNING : position;
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
    driver->restore_at_ns = driver->restore_since_ns = 0;
    atomic_store(&driver->ready_group, 0);
    if (driver->assignment->cnt == 0) { /* more instances than partitions: a reserve */
        assign(driver);
        return;
    }
    list_inputs(driver);
    driver_run_job(driver, job_committed, after_committed);
}

/* Whether the offsets that a snapshot covers are those to begin from: FAULT_NONE, STATE_AHEAD, or
 * STATE_CONFLICT: older than what is needed. */
static enum fault judge_positions(const struct seat *seat, const struct shard *shard)
{
    const bool endless = seat->driver->service->endless;
    enum fault fault = FAULT_NONE;
    for (size_t k = 0; k < seat->input_count; k++) {
        const int64_t position = shard_position(shard, seat->inputs[k].topic);
        if (position > seat->live_from[k])
            return FAULT_STATE_AHEAD;
        const int64_t least = endless ? seat->live_from[k] : seat->marks[k].replay;
        if (position < least)
            fault = FAULT_STATE_CONFLICT;
    }
    return fault;
}

static enum fault load_entries(struct seat *seat, struct shard *shard)
{
    struct span positions = span_text(seat->positions);
    digest_destroy(seat->digest);
    seat->digest = digest_create();
    for (size_t i = 0; i < seat->entry_count; i++)
        digest_put(seat->digest, seat->entries[i].field, seat->entries[i].bytes);
    if (seat->positions == NULL && !digest_read(seat->digest, span_text(seat->stored), &positions))
        return FAULT_STATE_MALFORMED;
    enum fault fault = shard_positions_read(shard, positions) ? FAULT_NONE : FAULT_STATE_MALFORMED;
    if (fault == FAULT_NONE)
        fault = judge_positions(seat, shard);
    for (size_t i = 0; i < seat->entry_count && fault == FAULT_NONE; i++)
        fault = shard_load(shard, seat->entries[i].field, seat->entries[i].bytes);
    return fault;
}

/* Nothing of what Redis holds is used: the next write takes it all out. */
static void leave_stored(struct seat *seat, enum fault why)
{
    if (seat->distrust == FAULT_NONE && why == FAULT_STATE_MALFORMED)
        log_write(LOG_WARN, "state_damaged", LOG_TEXT("shard", seat->tag),
                  LOG_TEXT("fault", fault_name(why)),
                  LOG_TEXT("effect", "it is rebuilt from Kafka"));
    for (size_t i = 0; i < seat->entry_count; i++)
        changes_remove(seat->unsaved, seat->entries[i].field);
    digest_destroy(seat->digest);
    seat->digest = digest_create();
    release_entries(seat);
}

/* An empty shard at the beginning of the replay that Kafka remembers. */
static void begin_empty(const struct seat *seat, struct shard *shard)
{
    for (size_t k = 0; k < seat->input_count; k++) {
        const int64_t replay = seat->marks[k].replay; /* later: the offset was moved back by hand */
        const int64_t begin = replay < seat->live_from[k] ? replay : seat->live_from[k];
        shard_set_position(shard, seat->inputs[k].topic, begin < 0 ? 0 : begin);
    }
}

/* What is before the committed offset is about to be replayed. */
static void remind(const struct seat *seat, struct shard *shard)
{
    for (size_t k = 0; k < seat->input_count; k++) {
        if (shard_position(shard, seat->inputs[k].topic) < seat->live_from[k])
            shard_remind(shard, span_text(seat->marks[k].recall), seat->live_from[k]);
    }
}

/* Time at inputs that need no replay. */
static enum fault catch_up(struct driver *driver, struct seat *seat)
{
    enum fault fault = FAULT_NONE;
    for (size_t k = 0; k < seat->input_count && fault == FAULT_NONE; k++) {
        if (shard_position(seat->shard, seat->inputs[k].topic) == seat->live_from[k])
            fault = driver_catch_up(driver, seat, k);
    }
    return fault;
}

/* FAULT_NONE: the shard is there. TABLE_BEHIND: again later. STATE_CONFLICT: Kafka's own snapshot
 * is wanted. Others: a loud stop. */
static enum fault load(struct driver *driver, struct seat *seat)
{
    struct shard *shard = shard_create(driver->service, seat->inputs, seat->input_count,
                                       driver->catalog, driver->options);
    const bool from_kafka = seat->positions != NULL;
    const char *positions = from_kafka ? seat->positions : seat->stored;
    enum fault fault = FAULT_NONE;
    if (!from_kafka && seat->distrust != FAULT_NONE)
        fault = seat->distrust;
    else if (!from_kafka && positions[0] == '\0' && driver->service->endless)
        fault = FAULT_STATE_CONFLICT;
    else if (positions[0] != '\0')
        fault = load_entries(seat, shard);
    else
        fault = judge_positions(seat, shard);
    const bool unusable = fault == FAULT_STATE_MALFORMED || fault == FAULT_STATE_CONFLICT;
    if (unusable && !from_kafka) {
        shard_destroy(shard);
        leave_stored(seat, fault);
        seat->distrust = fault;
        if (driver->service->endless)
            return FAULT_STATE_CONFLICT;
        shard = shard_create(driver->service, seat->inputs, seat->input_count, driver->catalog,
                             driver->options);
        begin_empty(seat, shard);
        fault = FAULT_NONE;
    }
    if (fault != FAULT_NONE) {
        shard_destroy(shard);
        return fault;
    }
    remind(seat, shard);
    seat->shard = shard;
    for (size_t i = 0; i < seat->entry_count && from_kafka; i++)
        changes_put(seat->unsaved, seat->entries[i].field, seat->entries[i].bytes);
    release_entries(seat);
    seat->written_ns = monotonic_now_ns();
    return FAULT_NONE;
}

static void refuse_state(struct driver *driver, const struct seat *seat, enum fault fault)
{
    char *text =
        heap_format("state %s at '%s', Kafka at %lld: plumb state show %s tells more; "
                    "plumb state reset %s rebuilds it from Kafka",
                    seat->tag, seat->positions != NULL ? seat->positions : seat->stored,
                    (long long)seat->live_from[0], driver->service->name, driver->service->name);
    driver_fail(driver, fault, "state_refused", text);
    heap_release(text);
}

static void after_endless(struct driver *driver)
{
    if (driver->job_fault != FAULT_NONE && !driver->revoking && !driver->stopping) {
        log_write(LOG_DEBUG, "waiting_for_snapshot", LOG_TEXT("why", driver->job_reason.text));
        const int64_t now_ns = monotonic_now_ns();
        driver->restore_at_ns = now_ns + (int64_t)RESTORE_PAUSE_MS * 1000000;
        if (driver->job_fault == FAULT_STATE_GAP &&
            now_ns - driver->restore_since_ns > (int64_t)RESTORE_SNAPSHOT_MAX_MS * 1000000) {
            driver_fail(driver, FAULT_STATE_GAP, "state_refused", driver->job_reason.text);
            return;
        }
    }
    driver_step(driver);
}

/* FAULT_NONE: every seat has its shard and its time. TABLE_BEHIND, STATE_CONFLICT: as load. */
static enum fault load_all(struct driver *driver)
{
    enum fault wanted = FAULT_NONE;
    for (size_t i = 0; i < driver->seat_count; i++) {
        struct seat *seat = driver->seats[i];
        enum fault fault = seat->shard == NULL ? load(driver, seat) : FAULT_NONE;
        if (fault == FAULT_NONE)
            fault = catch_up(driver, seat);
        if (fault == FAULT_STATE_CONFLICT && seat->positions == NULL)
            wanted = fault; /* the other seats first: all are read at once */
        else if (fault == FAULT_TABLE_BEHIND)
            return fault;
        else if (fault != FAULT_NONE) {
            refuse_state(driver, seat, fault);
            return fault;
        }
    }
    return wanted;
}

void driver_restore_step(struct driver *driver)
{
    const int64_t now_ns = monotonic_now_ns();
    if (driver->tables_left > 0 || now_ns < driver->restore_at_ns)
        return;
    if (driver->seat_count == 0) { /* the offsets are not read yet */
        driver_run_job(driver, job_committed, after_committed);
        return;
    }
    for (size_t i = 0; i < driver->seat_count; i++) {
        if (driver->seats[i]->stored == NULL)
            return; /* Redis has not answered yet */
    }
    if (!driver_has_schemas(driver))
        return; /* what replayed records are read by is on its way */
    const enum fault fault = load_all(driver);
    if (driver->state != DRIVER_RESTORING)
        return; /* refused */
    atomic_store(&driver->ready_records, fault != FAULT_TABLE_BEHIND);
    if (fault == FAULT_STATE_CONFLICT) {
        if (driver->restore_since_ns == 0)
            driver->restore_since_ns = now_ns;
        driver_run_job(driver, driver_read_endless, after_endless);
    } else if (fault == FAULT_NONE) {
        assign(driver);
    }
}
