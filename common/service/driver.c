/* driver.c: the cycle: what is next, whenever something has happened. */
#include "service/driver.h"
#include "clock/wall.h"
#include "log/log.h"
#include "memory/heap.h"

enum {
    BATCH_MAX = 1000,         /* records taken before signals, Redis and HTTP get their turn */
    SINK_WAITING_MAX = 50000, /* records not acknowledged: beyond, nothing more is taken */
    ROOM_EVERY = 50,          /* records taken between two looks at that: a look takes locks */
    IDLE_ALLOWANCE_MS =
        250, /* how long after the broker's time a record may still turn up (DESIGN.md 2.3) */
    STALL_ALLOWANCE_MS = 2500, /* after a stall: more than source.c's reconnect.backoff.max.ms */
    HEADERS_MAX = 64,
    DRAIN_MAX_MS = 25000,
};

void driver_stop(struct driver *driver, int exit_code)
{
    if (driver->stopping) {
        log_write(LOG_WARN, "ended_at_once",
                  LOG_TEXT("effect", "what was not committed comes again"));
        driver_exit(driver->exit_code == 0 ? 75 : driver->exit_code);
        return;
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
           topic != TOPIC_MODEL_SCHEMAS && topic != TOPIC_SERVICE_SNAPSHOTS;
}

enum fault driver_publish(struct driver *driver)
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
        tally_add(driver->tally, "records_published_total", topic_row(topic)->name, 1);
    }
    const struct tally *counts = outputs_counts(outputs);
    for (size_t i = 0; i < tally_size(counts); i++) {
        const struct tally_entry *count = tally_at(counts, i);
        tally_add(driver->tally, count->metric, count->label, count->more);
    }
    return FAULT_NONE;
}

static void tell_counts(struct driver *driver)
{
    for (size_t i = 0; i < tally_size(driver->tally); i++) {
        const struct tally_entry *count = tally_at(driver->tally, i);
        metric_count(driver->metrics, count->metric, count->label, count->more);
    }
    tally_clear(driver->tally);
}

static size_t input_of(const struct seat *seat, enum topic topic)
{
    size_t k = 0;
    while (seat->inputs[k].topic != topic)
        k++;
    return k;
}

bool driver_is_caught_up(const struct seat *seat)
{
    for (size_t k = 0; k < seat->input_count; k++) {
        if (!seat->caught_up[k])
            return false;
    }
    return true;
}

enum fault driver_catch_up(struct driver *driver, struct seat *seat, size_t input)
{
    if (seat->caught_up[input])
        return FAULT_NONE;
    seat->reached[input] = true;
    const enum fault fault = shard_reach(seat->shard, seat->inputs[input].topic,
                                         seat->marks[input].time_ms, driver->outputs);
    outputs_clear(driver->outputs); /* it was published when it was time */
    seat->caught_up[input] = fault == FAULT_NONE;
    return fault;
}

enum fault driver_fold(struct driver *driver, struct seat *seat,
                       const struct source_message *message, const int64_t *arrival_ms, bool live)
{
    struct header headers[HEADERS_MAX];
    struct record record = source_record(message, headers, HEADERS_MAX, driver->service->origin);
    if (driver->service->origin && !live) /* what it was is in no log: the shard was reminded */
        record.arrival_ms = shard_lift(seat->shard, record.topic, 0);
    else if (driver->service->origin)
        record.arrival_ms =
            arrival_ms != NULL ? *arrival_ms : driver_arrival(driver, seat, message, &record);
    if (live && driver_begin(driver) != FAULT_NONE)
        return FAULT_TRANSACTION_ABORTED;
    outputs_clear(driver->outputs);
    enum fault fault = shard_take(seat->shard, &record, driver->outputs);
    if (fault == FAULT_NONE && live) {
        driver->taken = true;
        driver->record_count++;
        if (driver->first_record_ns == 0)
            driver->first_record_ns = driver->turned_ns;
        tally_add(driver->tally, "records_taken_total", topic_row(record.topic)->name, 1);
        fault = driver_publish(driver);
    }
    outputs_clear(driver->outputs);
    return fault;
}

/* FAULT_NONE: taken, the message is released. TABLE_BEHIND: still the caller's. Others:
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
    enum fault fault = FAULT_NONE;
    if (message->offset < shard_position(seat->shard, message->topic)) {
        source_release(message);
        return FAULT_NONE;
    }
    if (live)
        fault = driver_catch_up(driver, seat, k);
    if (fault == FAULT_NONE && live && driver->arrival == ARRIVAL_EVENT_TIME)
        return driver_queue(driver, seat, message);
    if (fault == FAULT_NONE)
        fault = driver_fold(driver, seat, message, NULL, live);
    if (fault == FAULT_NONE)
        source_release(message);
    return fault;
}

static void take_end(struct driver *driver, const struct source_message *message)
{
    struct seat *seat = driver_seat(driver, message->topic, message->partition);
    if (seat == NULL || seat->shard == NULL)
        return;
    const size_t k = input_of(seat, message->topic);
    if (message->offset < seat->live_from[k]) {
        char *why = heap_format(
            "%s[%d] ends at %lld, and %lld was committed: Kafka lost records, or "
            "the topic was made anew; to go on with what there is: plumb state "
            "reset %s",
            driver->names[message->topic], (int)message->partition, (long long)message->offset,
            (long long)seat->live_from[k], driver->service->name);
        driver_fail(driver, FAULT_STATE_AHEAD, "input_lost", why);
        heap_release(why);
        return;
    }
    seat->at_end[k] = true;
    seat->reached[k] = true;
    if (seat->ended[k])
        return;
    seat->ended[k] = true;
    if (option_flag(driver->options, "bounded") && driver_settle(driver, seat, true) != FAULT_NONE)
        return; /* what waits is not committed, so it comes again */
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

/* Where this process did not run, or Kafka did not answer it, for a while, an empty queue says
 * nothing yet: what came meanwhile is on its way. */
static bool stall_is_over(const struct driver *driver, int64_t now_ns)
{
    return now_ns - driver->stalled_ns >= (int64_t)STALL_ALLOWANCE_MS * 1000000;
}

/* Not while one is waited for: where each commit is a stall, time goes on when the first is over.
 */
static void note_stall(struct driver *driver)
{
    const int64_t now_ns = monotonic_now_ns(), before_ns = driver->turned_ns;
    driver->turned_ns = now_ns;
    if (before_ns != 0 && now_ns - before_ns > (int64_t)IDLE_ALLOWANCE_MS * 1000000 &&
        stall_is_over(driver, before_ns))
        driver->stalled_ns = now_ns;
}

/* --arrival broker: at the end of a partition the broker's own clock moves time (DESIGN.md 2.3). */
static void raise_idle(struct driver *driver)
{
    const int64_t broker_ms = sink_broker_time_ms(driver->sink);
    if (!driver->service->origin || driver->arrival != ARRIVAL_BROKER)
        return;
    if (broker_ms == 0) {
        ask_time(driver);
        return;
    }
    if (!stall_is_over(driver, monotonic_now_ns()))
        return;
    for (size_t i = 0; i < driver->seat_count; i++) {
        struct seat *seat = driver->seats[i];
        for (size_t k = 0; k < seat->input_count; k++) {
            /* An origin publishes nothing that follows from time: it passes the clock on. */
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
    if (strncmp(text, "_AUTO_OFFSET_RESET", 18) == 0) {
        char *why = heap_format("%s: records that the state is rebuilt from, or that were not read "
                                "yet, are gone; to go on without them: plumb state reset %s",
                                text, driver->service->name);
        driver_fail(driver, FAULT_STATE_GAP, "input_lost", why);
        heap_release(why);
        return;
    }
    if (strncmp(text, "_FATAL", 6) == 0) {
        driver_fail(driver, FAULT_KAFKA_FATAL, "kafka_refuses", text);
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
    switch (source_poll(driver->source, 0, &message, &reason)) {
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

/* While state is read nothing is taken, but the group may want the partitions back, or have given
 * them away already. What comes beside that is read again from where the restored state begins. */
static void serve_group(struct driver *driver)
{
    enum source_event event = SOURCE_RECORD;
    for (int i = 0; i < BATCH_MAX && event != SOURCE_EMPTY && !driver->revoking; i++) {
        struct source_message message = {0};
        struct reason reason;
        event = source_poll(driver->source, 0, &message, &reason);
        source_release(&message);
        if (event == SOURCE_TROUBLE)
            trouble(driver, reason.text);
    }
}

/* Inputs whose end came before a live record did. */
static enum fault finish_replay(struct driver *driver, struct seat *seat)
{
    enum fault fault = FAULT_NONE;
    for (size_t k = 0; k < seat->input_count && fault == FAULT_NONE; k++) {
        if (seat->reached[k])
            fault = driver_catch_up(driver, seat, k);
    }
    return fault;
}

static void take_batch(struct driver *driver)
{
    bool more = true, drained = false;
    enum fault fault = FAULT_NONE;
    driver->awaited_schema[0] = '\0';
    note_stall(driver);
    for (size_t i = 0; i < driver->seat_count && fault == FAULT_NONE; i++) {
        fault = finish_replay(driver, driver->seats[i]);
        if (fault == FAULT_NONE && driver->seats[i]->waiting_count > 0)
            fault = driver_settle(driver, driver->seats[i], false);
    }
    const uint64_t taken_before = driver->record_count;
    for (int i = 0; i < BATCH_MAX && more && fault == FAULT_NONE; i++) {
        if (i % ROOM_EVERY == 0 && !may_take(driver))
            break;
        fault = take_next(driver, &more);
        if (driver->busy || driver->stopping || driver->revoking) {
            driver_wake(driver);
            return;
        }
    }
    if (driver->record_count != taken_before)
        driver->last_record_ns = monotonic_now_ns();
    drained = !more; /* nothing waits behind what cannot be taken */
    if (fault != FAULT_TABLE_BEHIND) {
        atomic_store(&driver->ready_records, 1);
        driver->awaited_before[0] = '\0';
    }
    if (fault == FAULT_TABLE_BEHIND) {
        more = false;
        if (driver_say_awaited(driver))
            atomic_store(&driver->ready_records, 0);
    } else if (fault != FAULT_NONE) {
        driver->job_fault = FAULT_TRANSACTION_ABORTED;
        driver_rewind(driver);
        return;
    }
    if (drained && !driver->transaction_open && !driver->taken)
        raise_idle(driver);
    const int64_t age_ns = monotonic_now_ns() - driver->transaction_at_ns;
    if ((driver->taken || driver->transaction_open) &&
        (age_ns >= driver->transaction_interval_ns || (driver->urgent && !more))) {
        if (drained)
            raise_idle(driver);
        driver_commit(driver);
        return;
    }
    if (!driver->transaction_open && !driver->taken && store_is_ready(driver->store))
        (void)driver_write_state(driver, false);
    if (more && may_take(driver)) /* else the store's on_state or the tick comes back */
        driver_wake(driver);
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
        driver_leave(driver);
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
        serve_group(driver);
        if (driver->state == DRIVER_RESTORING && !driver->busy && !driver->revoking)
            driver_restore_step(driver);
        else
            driver_wake(driver);
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

/* The tick comes each 50 ms, also while a job runs: where it did not, the process stood still, and
 * so did librdkafka's threads. */
static void note_pause(struct driver *driver)
{
    const int64_t now_ns = monotonic_now_ns(), before_ns = driver->stepped_ns;
    driver->stepped_ns = now_ns;
    if (before_ns != 0 && now_ns - before_ns > (int64_t)IDLE_ALLOWANCE_MS * 1000000)
        driver->stalled_ns = now_ns;
}

void driver_step(struct driver *driver)
{
    note_pause(driver);
    if (driver->busy || driver->stepping || driver->state == DRIVER_STOPPED) {
        if (driver->stepping)
            driver_wake(driver);
        return;
    }
    driver->stepping = true;
    step(driver);
    tell_counts(driver);
    driver->stepping = false;
}

void driver_turn(struct driver *driver)
{
    if (driver->state == DRIVER_STOPPED)
        return; /* the clients are being closed */
    if (driver->tables != NULL)
        driver_poll_tables(driver);
    driver_step(driver);
}

void driver_tick(struct driver *driver)
{
    const int64_t now_ns = monotonic_now_ns();
    atomic_store(&driver->heartbeat_ns, now_ns);
    if (driver->stopping && now_ns - driver->stopping_at_ns > (int64_t)DRAIN_MAX_MS * 1000000) {
        log_write(LOG_WARN, "drain_took_too_long",
                  LOG_TEXT("effect", "what was not committed comes again"));
        driver_exit(driver->exit_code == 0 ? 75 : driver->exit_code);
        return;
    }
    if (!driver->busy && driver->sink != NULL) /* NULL: it could not be made anew; draining */
        sink_poll(driver->sink);
    store_tick(driver->store);
    driver_turn(driver);
}
