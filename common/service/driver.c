/* driver.c: the cycle: what is next, whenever something has happened. */
#include "service/driver.h"
#include "clock/wall.h"
#include "log/log.h"
#include "memory/heap.h"

#include <unistd.h>

enum {
    BATCH_MAX = 1000,         /* records taken before signals, Redis and HTTP get their turn */
    SINK_WAITING_MAX = 50000, /* records not acknowledged: beyond, nothing more is taken */
    IDLE_ALLOWANCE_MS =
        250, /* how long after the broker's time a record may still turn up (DESIGN.md 2.3) */
    HEADERS_MAX = 64,
};

static void on_work(uv_work_t *work)
{
    struct driver *driver = work->data;
    const enum fault fault = driver->job(driver);
    driver->job_fault = fault;
}

static void on_work_done(uv_work_t *work, int status)
{
    (void)status;
    struct driver *driver = work->data;
    driver->busy = false;
    driver->after_job(driver);
}

void driver_run_job(struct driver *driver, enum fault (*job)(struct driver *driver),
                    void (*after)(struct driver *driver))
{
    REQUIRE(!driver->busy);
    driver->busy = true;
    driver->job = job;
    driver->after_job = after;
    driver->work.data = driver;
    ENSURE(uv_queue_work(driver->loop, &driver->work, on_work, on_work_done) == 0);
}

void driver_stop(struct driver *driver, int exit_code)
{
    if (driver->stopping) {
        log_write(LOG_WARN, "ended_at_once",
                  LOG_TEXT("effect", "what was not committed comes again"));
        _exit(driver->exit_code == 0 ? 75 : driver->exit_code);
    }
    driver->stopping = true;
    driver->exit_code = exit_code;
    driver->stopping_at_ns = monotonic_now_ns();
    log_write(LOG_INFO, "draining", LOG_NUMBER("exit_code", exit_code));
    driver_step(driver);
}

void driver_fail(struct driver *driver, enum fault fault, const char *event, const char *text)
{
    log_write(LOG_ERROR, event, LOG_TEXT("fault", fault_name(fault)), LOG_TEXT("why", text));
    const bool configuration = fault == FAULT_OPTION_INVALID || fault == FAULT_CONTRACT_INVALID;
    driver_drop_seats(driver);
    if (driver->state != DRIVER_STARTING)
        driver->state = DRIVER_IDLE;
    if (!driver->stopping)
        driver_stop(driver, configuration ? 78 : 70);
}

static bool is_awaited(enum topic topic)
{
    return topic != TOPIC_INFERENCE_VALIDATED && topic != TOPIC_INFERENCE_DEAD_LETTER &&
           topic != TOPIC_MODEL_SCHEMAS;
}

static enum fault publish(struct driver *driver)
{
    struct outputs *outputs = driver->outputs;
    struct reason reason;
    for (size_t i = 0; i < outputs_size(outputs); i++) {
        const enum topic topic = outputs_at(outputs, i)->topic;
        const int32_t partition =
            topic_partition(outputs_at(outputs, i)->route, driver->partitions[topic]);
        const struct record record = outputs_record(outputs, i, partition, 0);
        const enum fault fault = sink_publish(driver->sink, &record, &reason);
        if (fault != FAULT_NONE) {
            log_write(LOG_WARN, "publish_failed", LOG_TEXT("why", reason.text));
            return fault;
        }
        driver->urgent = driver->urgent || is_awaited(topic);
        metric_count(driver->metrics, "records_published_total", topic_row(topic)->name, 1);
    }
    for (size_t i = 0; i < outputs_counts_size(outputs); i++) {
        const struct output_count *count = outputs_count_at(outputs, i);
        metric_count(driver->metrics, count->metric, count->label, count->more);
    }
    return FAULT_NONE;
}

static int64_t arrival_of(const struct driver *driver, const struct seat *seat,
                          const struct source_message *message, const struct record *record)
{
    int64_t arrival_ms = message->timestamp_ms;
    if (driver->arrival_is_header) {
        const struct header *header = record_header(record, "plumb-arrival");
        char text[24] = "";
        if (header != NULL && header->value.size < sizeof text)
            memcpy(text, header->value.bytes, header->value.size);
        char *end;
        const long long value = strtoll(text, &end, 10);
        if (end != text && *end == '\0' && value > 0)
            arrival_ms = value;
    } else if (seat->sent_ms > arrival_ms) {
        arrival_ms = seat->sent_ms; /* a clock said that nothing earlier follows */
    }
    return shard_lift(seat->shard, record->topic, arrival_ms);
}

static size_t input_of(const struct seat *seat, enum topic topic)
{
    size_t k = 0;
    while (seat->inputs[k].topic != topic)
        k++;
    return k;
}

static bool is_caught_up(const struct seat *seat)
{
    for (size_t k = 0; k < seat->input_count; k++) {
        if (!seat->caught_up[k])
            return false;
    }
    return true;
}

static void hold(struct seat *seat, struct source_message *message)
{
    if (seat->held_count == seat->held_capacity) {
        seat->held_capacity = seat->held_capacity == 0 ? 64 : seat->held_capacity * 2;
        seat->held = heap_resized(seat->held, seat->held_capacity, sizeof *seat->held);
    }
    seat->held[seat->held_count++] = *message;
    message->message = NULL;
}

static enum fault fold(struct driver *driver, struct seat *seat, struct source_message *message,
                       bool live)
{
    struct header headers[HEADERS_MAX];
    const bool want_headers = driver->service->origin || message->message->len == 0;
    struct record record = source_record(message, headers, HEADERS_MAX, want_headers);
    if (driver->service->origin)
        record.arrival_ms = arrival_of(driver, seat, message, &record);
    if (live && driver_begin(driver) != FAULT_NONE)
        return FAULT_TRANSACTION_ABORTED;
    outputs_clear(driver->outputs);
    enum fault fault = shard_take(seat->shard, &record, driver->outputs);
    if (fault == FAULT_NONE && live) {
        driver->taken = true;
        driver->record_count++;
        driver->last_record_ns = monotonic_now_ns();
        if (driver->first_record_ns == 0)
            driver->first_record_ns = driver->last_record_ns;
        metric_count(driver->metrics, "records_taken_total", topic_row(record.topic)->name, 1);
        fault = publish(driver);
    }
    outputs_clear(driver->outputs);
    return fault;
}

/* FAULT_NONE: taken or held, the message is released. TABLE_BEHIND: still the caller's. Others:
 * rewind. */
enum fault driver_take(struct driver *driver, struct source_message *message)
{
    struct seat *seat = driver_seat(driver, message->topic, message->partition);
    if (seat == NULL || seat->shard == NULL) {
        source_release(message);
        return FAULT_NONE;
    }
    const size_t k = input_of(seat, message->topic);
    seat->at_end[k] = false;
    const bool live = message->offset >= seat->live_from[k];
    if (live)
        seat->caught_up[k] = true;
    if (live && !is_caught_up(seat)) {
        hold(seat, message);
        return FAULT_NONE;
    }
    if (message->offset < shard_position(seat->shard, message->topic)) {
        source_release(message);
        return FAULT_NONE;
    }
    const enum fault fault = fold(driver, seat, message, live);
    if (fault == FAULT_NONE)
        source_release(message);
    return fault;
}

/* A joined shard whose last input has caught up: what was held comes now, in the order it came. */
static enum fault take_held(struct driver *driver, struct seat *seat)
{
    size_t done = 0;
    enum fault fault = FAULT_NONE;
    while (done < seat->held_count && fault == FAULT_NONE) {
        fault = fold(driver, seat, &seat->held[done], true);
        if (fault == FAULT_NONE)
            source_release(&seat->held[done++]);
    }
    seat->held_count -= done;
    memmove(seat->held, seat->held + done, seat->held_count * sizeof *seat->held);
    return fault;
}

static void take_end(struct driver *driver, const struct source_message *message)
{
    struct seat *seat = driver_seat(driver, message->topic, message->partition);
    if (seat == NULL || seat->shard == NULL)
        return;
    const size_t k = input_of(seat, message->topic);
    seat->at_end[k] = true;
    if (message->offset >= seat->live_from[k])
        seat->caught_up[k] = true;
    if (seat->ended[k])
        return;
    seat->ended[k] = true;
    if (--driver->ends_left == 0 && option_flag(driver->options, "bounded"))
        driver_stop(driver, 0);
}

/* The broker's time comes with delivery reports: where nothing was published yet, a clock that says
 * nothing new is. */
static void ask_time(struct driver *driver)
{
    if (driver->asked_time || driver->seat_count == 0)
        return;
    struct seat *seat = driver->seats[0];
    if (shard_time(seat->shard) == 0)
        ENSURE(shard_raise(seat->shard, seat->inputs[0].topic, 1, driver->outputs) == FAULT_NONE);
    seat->sent_ms = shard_time(seat->shard) - 1;
    driver->asked_time = true;
    driver->taken = true;
}

/* --arrival broker: at the end of a partition the broker's own clock moves time (DESIGN.md 2.3). */
static void raise_idle(struct driver *driver)
{
    const int64_t broker_ms = sink_broker_time_ms(driver->sink);
    if (!driver->service->origin || driver->arrival_is_header)
        return;
    if (broker_ms == 0) {
        ask_time(driver);
        return;
    }
    for (size_t i = 0; i < driver->seat_count; i++) {
        struct seat *seat = driver->seats[i];
        for (size_t k = 0; k < seat->input_count; k++) {
            /* An origin has nothing that follows from time: it only passes the clock on. */
            if (seat->at_end[k])
                ENSURE(shard_raise(seat->shard, seat->inputs[k].topic,
                                   broker_ms - IDLE_ALLOWANCE_MS, driver->outputs) == FAULT_NONE);
        }
        if (shard_time(seat->shard) > seat->sent_ms)
            driver->taken = true;
    }
}

static bool may_take(const struct driver *driver)
{
    return store_is_ready(driver->store) && sink_waiting(driver->sink) < SINK_WAITING_MAX;
}

static void trouble(struct driver *driver, const char *text)
{
    if (strncmp(text, "_AUTO_OFFSET_RESET", 18) == 0 || strncmp(text, "_FATAL", 6) == 0) {
        driver_fail(driver, FAULT_KAFKA_FATAL, "input_lost", text);
        return;
    }
    log_write(LOG_DEBUG, "kafka", LOG_TEXT("text", text));
}

static enum fault take_next(struct driver *driver, bool *out_more)
{
    *out_more = true;
    if (driver->blocked.message != NULL)
        return driver_take(driver, &driver->blocked);
    struct source_message message = {0};
    struct reason reason;
    switch (source_poll(driver->source, &message, &reason)) {
    case SOURCE_EMPTY:
        *out_more = false;
        return FAULT_NONE;
    case SOURCE_TROUBLE:
        trouble(driver, reason.text);
        return FAULT_NONE;
    case SOURCE_END:
        take_end(driver, &message);
        return FAULT_NONE;
    case SOURCE_RECORD:
        break;
    }
    driver->blocked = message; /* ours until it is taken */
    return driver_take(driver, &driver->blocked);
}

static void take_batch(struct driver *driver)
{
    bool more = true;
    enum fault fault = FAULT_NONE;
    for (size_t i = 0; i < driver->seat_count && fault == FAULT_NONE; i++) {
        if (driver->seats[i]->held_count > 0 && is_caught_up(driver->seats[i]))
            fault = take_held(driver, driver->seats[i]);
    }
    for (int i = 0; i < BATCH_MAX && more && fault == FAULT_NONE && may_take(driver); i++) {
        fault = take_next(driver, &more);
        if (driver->busy || driver->stopping || driver->revoking) {
            (void)uv_async_send(&driver->wake);
            return;
        }
    }
    atomic_store(&driver->ready_records, fault != FAULT_TABLE_BEHIND);
    if (fault == FAULT_TABLE_BEHIND) {
        more = false;
        log_write(LOG_WARN, "waiting_for_tables",
                  LOG_TEXT("effect", "a record names a contract, baseline or schema not read yet"));
    } else if (fault != FAULT_NONE) {
        driver->job_fault = FAULT_TRANSACTION_ABORTED;
        driver_rewind(driver);
        return;
    }
    if (!driver->transaction_open && !driver->taken)
        raise_idle(driver);
    const int64_t age_ns = monotonic_now_ns() - driver->transaction_at_ns;
    if ((driver->taken || driver->transaction_open) &&
        (age_ns >= driver->transaction_interval_ns || (driver->urgent && !more))) {
        raise_idle(driver);
        driver_commit(driver);
        return;
    }
    if (!driver->transaction_open && !driver->taken && store_is_ready(driver->store))
        (void)driver_write_state(driver, false);
    if (more && may_take(driver)) /* else the store's on_state or the tick comes back */
        (void)uv_async_send(&driver->wake);
}

static void release_assignment(struct driver *driver)
{
    if (driver->assignment != NULL)
        rd_kafka_topic_partition_list_destroy(driver->assignment);
    driver->assignment = NULL;
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
    struct reason reason;
    if (source_assign(driver->source, none, &reason) != FAULT_NONE)
        log_write(LOG_WARN, "unassign_failed", LOG_TEXT("why", reason.text));
    rd_kafka_topic_partition_list_destroy(none);
}

/* The partitions go back, or the process ends: commit, write all state, let go. */
static void step_down(struct driver *driver)
{
    if (driver->state == DRIVER_RUNNING) {
        if (driver->lost && (driver->transaction_open || driver->taken)) {
            driver->job_fault = FAULT_TRANSACTION_ABORTED;
            driver_rewind(driver);
            return;
        }
        if (driver->transaction_open || driver->taken) {
            driver_commit(driver);
            return;
        }
        if (store_is_ready(driver->store) && !driver_write_state(driver, true))
            return; /* on_written steps on */
    }
    driver_drop_seats(driver);
    atomic_store(&driver->ready_group, 0);
    if (driver->subscribed)
        release_assignment(driver);
    driver->revoking = false;
    driver->lost = false;
    driver->state = driver->subscribed ? DRIVER_IDLE : DRIVER_STARTING;
    if (driver->stopping) {
        driver->state = DRIVER_STOPPED;
        uv_stop(driver->loop);
    }
}

static void subscribe(struct driver *driver)
{
    size_t count = 0;
    while (count < SERVICE_TOPICS_MAX && driver->service->inputs[count] != TOPIC_NONE)
        count++;
    struct reason reason;
    const enum fault fault =
        source_subscribe(driver->source, driver->service->inputs, count, &reason);
    if (fault != FAULT_NONE) {
        driver_fail(driver, fault, "subscribe_failed", reason.text);
        return;
    }
    driver->subscribed = true;
    driver->state = DRIVER_IDLE;
}

static void step(struct driver *driver)
{
    if (driver->stopping || driver->revoking) {
        step_down(driver);
        return;
    }
    switch (driver->state) {
    case DRIVER_STARTING:
        if (driver->tables_left == 0)
            subscribe(driver);
        return;
    case DRIVER_RESTORING:
        driver_restore_step(driver);
        return;
    case DRIVER_IDLE:
    case DRIVER_RUNNING:
        take_batch(driver);
        return;
    case DRIVER_COMMITTING:
    case DRIVER_ABORTING:
    case DRIVER_STOPPED:
        return;
    }
}

void driver_step(struct driver *driver)
{
    if (driver->busy || driver->stepping || driver->state == DRIVER_STOPPED) {
        if (driver->stepping)
            (void)uv_async_send(&driver->wake);
        return;
    }
    driver->stepping = true;
    step(driver);
    driver->stepping = false;
}
