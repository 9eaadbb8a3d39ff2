/* transaction.c: commit, abort, and the snapshot that follows a commit and never leads it. */
#include "clock/wall.h"
#include "log/log.h"
#include "memory/heap.h"
#include "service/driver.h"

enum { STATE_INTERVAL_MS = 250, STATE_INTERVAL_MAX_MS = 5000, STATE_COST_FACTOR = 20 };

enum fault driver_begin(struct driver *driver)
{
    if (driver->transaction_open)
        return FAULT_NONE;
    struct reason reason;
    const enum fault fault = sink_begin(driver->sink, &reason);
    if (fault != FAULT_NONE) {
        log_write(LOG_WARN, "transaction_refused", LOG_TEXT("why", reason.text),
                  LOG_TEXT("effect", "starting anew from the committed offsets"));
        return fault;
    }
    driver->transaction_open = true;
    driver->transaction_at_ns = monotonic_now_ns();
    return FAULT_NONE;
}

/* The sources that this service's clocks come from: all partitions of its inputs (joined: of the
 * first, they count alike). */
static void write_set(const struct driver *driver, struct buffer *out)
{
    const struct service *service = driver->service;
    const char *fed = service->origin ? option_text(driver->options, "inputs") : NULL;
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && service->inputs[i] != TOPIC_NONE; i++) {
        const enum topic topic = service->inputs[i];
        if ((service->joined && i > 0) ||
            (fed != NULL && strstr(fed, topic_row(topic)->name) == NULL))
            continue;
        buffer_format(out, "%s%s:%d", out->size == 0 ? "" : ",", topic_row(topic)->name,
                      (int)driver->partitions[topic]);
    }
}

static enum fault send_clock(struct driver *driver, struct seat *seat, struct span set)
{
    const struct service *service = driver->service;
    char *source = heap_format("%s:%d", topic_row(seat->inputs[0].topic)->name,
                               (int)seat->inputs[0].partition);
    char *key = heap_format("plumb-clock:%s", source);
    char *set_text = span_copied(set);
    struct buffer value = {0};
    stream_time_clock_write(&value, seat->sent_ms, source, set_text);
    const struct header header = {STREAM_TIME_HEADER, buffer_span(&value)};
    struct record record = {.key = span_text(key), .headers = &header, .header_count = 1};
    enum fault fault = FAULT_NONE;
    struct reason reason;
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && service->outputs[i] != TOPIC_NONE; i++) {
        record.topic = service->outputs[i];
        if (!topic_row(record.topic)->clocked)
            continue;
        for (int32_t p = 0; p < driver->partitions[record.topic] && fault == FAULT_NONE; p++) {
            record.partition = p;
            fault = sink_publish(driver->sink, &record, &reason);
        }
    }
    buffer_fini(&value);
    heap_release(set_text);
    heap_release(key);
    heap_release(source);
    return fault;
}

static enum fault send_clocks(struct driver *driver)
{
    struct buffer set = {0};
    write_set(driver, &set);
    enum fault fault = FAULT_NONE;
    for (size_t i = 0; i < driver->seat_count && fault == FAULT_NONE; i++) {
        struct seat *seat = driver->seats[i];
        const int64_t time_ms = shard_time(seat->shard);
        if (!driver_is_caught_up(seat) || time_ms <= seat->sent_ms)
            continue;
        seat->sent_ms = time_ms;
        seat->clocked = true;
        fault = send_clock(driver, seat, buffer_span(&set));
    }
    buffer_fini(&set);
    return fault;
}

static void list_offset(struct driver *driver, const struct seat *seat, size_t input)
{
    const enum topic topic = seat->inputs[input].topic;
    struct mark mark = {.clock_ms = seat->sent_ms,
                        .time_ms = shard_stream_time(seat->shard, topic),
                        .replay = shard_needs(seat->shard, topic),
                        .before_ms = seat->before_ms,
                        .epoch = seat->epoch,
                        .partitions = driver->partitions[topic]};
    struct buffer text = {0};
    shard_recall(seat->shard, &text);
    if (text.size > 0)
        memcpy(mark.recall, text.bytes, text.size);
    buffer_clear(&text);
    mark_write(&mark, &text);
    rd_kafka_topic_partition_t *element = rd_kafka_topic_partition_list_add(
        driver->offsets, driver->names[topic], seat->inputs[input].partition);
    element->offset = shard_position(seat->shard, topic);
    element->metadata = span_copied(buffer_span(&text)); /* librdkafka frees it */
    element->metadata_size = text.size;
    buffer_fini(&text);
}

/* Whatever is in the transaction has its input's offset beside it, also a clock that says nothing
 * new: it is the offsets that Kafka fences. */
static void list_offsets(struct driver *driver)
{
    if (driver->offsets != NULL)
        rd_kafka_topic_partition_list_destroy(driver->offsets);
    driver->offsets = rd_kafka_topic_partition_list_new((int)driver->seat_count);
    for (size_t i = 0; i < driver->seat_count; i++) {
        struct seat *seat = driver->seats[i];
        for (size_t k = 0; k < seat->input_count; k++) {
            const int64_t position = shard_position(seat->shard, seat->inputs[k].topic);
            if (!seat->caught_up[k] || (position == seat->live_from[k] && !seat->clocked))
                continue; /* still in replay, or nothing since the last commit */
            list_offset(driver, seat, k);
        }
    }
}

static enum fault job_commit(struct driver *driver)
{
    return sink_commit(driver->sink, driver->offsets, driver->source, &driver->job_reason);
}

static void after_commit(struct driver *driver)
{
    if (driver->job_fault != FAULT_NONE) {
        log_write(LOG_WARN, "commit_failed", LOG_TEXT("fault", fault_name(driver->job_fault)),
                  LOG_TEXT("why", driver->job_reason.text),
                  LOG_TEXT("effect", "starting anew from the committed offsets"));
        metric_count(driver->metrics, "transactions_failed_total", NULL, 1);
        driver_rewind(driver);
        return;
    }
    driver->transaction_open = false;
    driver->taken = false;
    driver->urgent = false;
    driver->state = DRIVER_RUNNING;
    for (size_t i = 0; i < driver->seat_count; i++) {
        struct seat *seat = driver->seats[i];
        for (size_t k = 0; k < seat->input_count; k++) {
            const int64_t position = shard_position(seat->shard, seat->inputs[k].topic);
            if (position > seat->live_from[k])
                seat->live_from[k] = position;
        }
        seat->clocked = false;
    }
    metric_count(driver->metrics, "transactions_total", NULL, 1);
    (void)driver_write_state(driver, false);
    driver_step(driver);
}

void driver_commit(struct driver *driver)
{
    REQUIRE(driver->state == DRIVER_RUNNING && !driver->busy);
    if (driver_begin(driver) != FAULT_NONE || send_clocks(driver) != FAULT_NONE ||
        driver_publish_endless(driver) != FAULT_NONE) {
        driver->job_fault = FAULT_TRANSACTION_ABORTED; /* not what the last job left */
        driver_rewind(driver);
        return;
    }
    list_offsets(driver);
    driver->state = DRIVER_COMMITTING;
    driver_run_job(driver, job_commit, after_commit);
}

static enum fault job_open_sink(struct driver *driver)
{
    const struct sink_options options = {.options = driver->options,
                                         .transactional_id = driver->transactional_id,
                                         .client = driver->client,
                                         .names = driver->names};
    enum fault fault = FAULT_NONE;
    if (driver->sink == NULL)
        fault = sink_open(&options, &driver->sink, &driver->job_reason);
    if (fault == FAULT_NONE)
        fault = sink_init(driver->sink, 2000, &driver->job_reason);
    return fault;
}

/* A producer that only lost its transaction goes on; one whose outcome is unknown or that is fenced
 * is made anew, with the same identity, which ends whatever it left open. A fence on a young
 * transaction can only come from a new owner: stop. */
static enum fault job_abort(struct driver *driver)
{
    const bool old = monotonic_now_ns() - driver->transaction_at_ns >
                     (int64_t)SINK_TRANSACTION_TIMEOUT_MS * 500000;
    if (driver->job_fault == FAULT_FENCED && driver->transaction_open && !old)
        return FAULT_FENCED;
    if (driver->job_fault == FAULT_NONE || driver->job_fault == FAULT_TRANSACTION_ABORTED ||
        driver->job_fault == FAULT_STATE_CONFLICT) {
        /* Not open and yet aborted: it could not be begun, so this producer begins none again. */
        if (!driver->transaction_open && driver->job_fault != FAULT_TRANSACTION_ABORTED)
            return FAULT_NONE;
        if (driver->transaction_open && sink_abort(driver->sink, &driver->job_reason) == FAULT_NONE)
            return FAULT_NONE;
    }
    sink_close(driver->sink);
    driver->sink = NULL;
    return job_open_sink(driver);
}

static void after_abort(struct driver *driver)
{
    driver->transaction_open = false;
    driver->taken = false;
    driver->urgent = false;
    if (driver->job_fault == FAULT_KAFKA_UNREACHABLE && !driver->stopping) {
        driver_run_job(driver, job_open_sink, after_abort); /* as long as it takes */
        return;
    }
    if (driver->job_fault != FAULT_NONE && !driver->stopping) {
        driver_fail(driver, driver->job_fault, "producer_refused", driver->job_reason.text);
        return;
    }
    if (driver->assignment == NULL || driver->revoking || driver->stopping) {
        driver_drop_seats(driver);
        driver->state = DRIVER_IDLE;
        driver_step(driver);
        return;
    }
    driver_restore(driver);
}

void driver_rewind(struct driver *driver)
{
    REQUIRE(!driver->busy);
    driver->state = DRIVER_ABORTING;
    driver->asked_time = false; /* the clock that asked may never have left */
    metric_count(driver->metrics, "rewinds_total", NULL, 1);
    driver_run_job(driver, job_abort, after_abort);
}

static void on_written(void *context, enum store_outcome outcome)
{
    struct seat *seat = context;
    struct driver *driver = seat->driver;
    seat->writing = false;
    seat->written_ns = monotonic_now_ns();
    seat->write_cost_ns = seat->written_ns - seat->write_began_ns;
    if (outcome == STORE_APPLIED) {
        driver_step(driver);
        return;
    }
    log_write(LOG_WARN, outcome == STORE_FENCED ? "state_fenced" : "state_conflict",
              LOG_TEXT("shard", seat->tag),
              LOG_TEXT("effect", "restoring all shards and replaying"));
    if (driver->busy || driver->state != DRIVER_RUNNING) {
        heap_release(seat->stored);
        seat->stored = heap_text(
            "?"); /* no offset is called so: the next write conflicts again, then we restore */
        return;
    }
    driver->job_fault = FAULT_STATE_CONFLICT;
    driver_rewind(driver);
}

/* Whether Redis holds the state at these positions. */
static bool is_stored(const struct seat *seat, struct span positions)
{
    return strncmp(seat->stored, (const char *)positions.bytes, positions.size) == 0 &&
           (seat->stored[positions.size] == ' ');
}

static void write_seat(struct driver *driver, struct seat *seat)
{
    struct buffer positions = {0}, to = {0};
    shard_positions_write(seat->shard, &positions);
    if (!is_stored(seat, buffer_span(&positions))) {
        if (!driver->service->endless) { /* else it was saved with the transaction */
            shard_save(seat->shard, seat->unsaved);
            digest_add(seat->digest, seat->unsaved);
        }
        digest_write(seat->digest, buffer_span(&positions), &to);
        const size_t count = changes_size(seat->unsaved);
        seat->writing = true;
        seat->write_began_ns = monotonic_now_ns();
        struct store_entry *entries = heap_zeroed(count, sizeof *entries);
        for (size_t i = 0; i < count; i++) {
            const struct change *change = changes_at(seat->unsaved, i);
            entries[i] = (struct store_entry){change->field, change->bytes};
        }
        store_write(driver->store, seat->tag, seat->epoch, span_text(seat->stored),
                    buffer_span(&to), entries, count, on_written, seat);
        heap_release(entries);
        changes_clear(seat->unsaved);
        heap_release(seat->stored);
        seat->stored = span_copied(buffer_span(&to));
    }
    buffer_fini(&positions);
    buffer_fini(&to);
}

/* A write may cost a twentieth of the time. An outage is no cost: hence the upper bound. */
static int64_t write_interval_ns(const struct seat *seat)
{
    const int64_t least_ns = (int64_t)STATE_INTERVAL_MS * 1000000;
    const int64_t most_ns = (int64_t)STATE_INTERVAL_MAX_MS * 1000000;
    const int64_t fair_ns = seat->write_cost_ns * STATE_COST_FACTOR;
    return fair_ns < least_ns ? least_ns : fair_ns > most_ns ? most_ns : fair_ns;
}

bool driver_write_state(struct driver *driver, bool all)
{
    REQUIRE(!driver->transaction_open && !driver->taken);
    const int64_t now_ns = monotonic_now_ns();
    bool still = true;
    for (size_t i = 0; i < driver->seat_count; i++) {
        struct seat *seat = driver->seats[i];
        const int64_t interval_ns = write_interval_ns(seat);
        if (!driver_is_caught_up(seat))
            continue; /* on its way to an offset that Redis may hold already */
        if (!seat->writing && (all || now_ns - seat->written_ns >= interval_ns))
            write_seat(driver, seat);
        still = still && !seat->writing;
    }
    return still;
}
