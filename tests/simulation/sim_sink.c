/* sim_sink.c: sink.h over the simulated Kafka. What librdkafka knows of its transaction is the
 * state here; what the broker knows is in sim_transaction.c. */
#include "kafka/sink.h"
#include "memory/heap.h"
#include "sim_source.h"

enum { STEP_TIMEOUT_MS = 10000, TRIES = 6, QUEUE_TIMEOUT_MS = 15000 };

enum sink_state {
    SINK_NEW,       /* init is missing */
    SINK_READY,     /* no transaction */
    SINK_OPEN,      /* a transaction, as far as we know */
    SINK_ABORTABLE, /* it cannot be committed any more */
    SINK_UNKNOWN,   /* its end was asked for and not answered */
    SINK_FENCED,
};
struct queued {
    struct sim_partition *log; /* borrowed */
    struct sim_bytes *bytes;   /* owned ref; its time is set when it arrives */
};
struct sink {
    struct sink_options options;         /* borrowed texts */
    struct sim_process *process;         /* borrowed; NULL: the scheduler */
    struct sim_transaction *transaction; /* borrowed */
    int32_t epoch;
    enum sink_state state;
    bool known_to_broker; /* this transaction is, so its end must be told */
    struct queued *queue; /* owned */
    size_t queue_count;
    int64_t queued_at_ms;                 /* the oldest of the queue */
    size_t unserved;                      /* delivery reports */
    int64_t acknowledged_ms;              /* the newest append time in them; 0: none */
    int64_t report_time_ms, report_at_ms; /* as served */
    struct sink *next;
};
static struct sink *sinks; /* all that are open, in the order of opening */

static enum fault fenced(struct reason *out_reason)
{
    reason_set(out_reason, "_FENCED: simulated: Producer fenced by newer instance");
    return FAULT_FENCED;
}

static enum fault wrong_state(struct reason *out_reason)
{
    reason_set(out_reason, "_STATE: simulated: Operation not valid in this transaction state");
    return FAULT_KAFKA_FATAL;
}

static enum fault aborted(struct reason *out_reason, const char *why)
{
    reason_set(out_reason, "%s", why);
    return FAULT_TRANSACTION_ABORTED;
}

static enum fault unreachable(struct reason *out_reason)
{
    reason_set(out_reason, "_TIMED_OUT: simulated: no answer");
    return FAULT_KAFKA_UNREACHABLE;
}

static bool is_dead(const struct sink *sink)
{
    return sink->process != NULL && sink->process->dead;
}

enum fault sink_open(const struct sink_options *options, struct sink **out_sink,
                     struct reason *out_reason)
{
    (void)out_reason;
    struct sink *sink = heap_zeroed(1, sizeof *sink);
    sink->options = *options;
    sink->process = sim_process_current();
    sink->transaction = sim_transaction_find(options->transactional_id);
    sink->epoch = -1;
    struct sink **last = &sinks;
    while (*last != NULL)
        last = &(*last)->next;
    *last = sink;
    *out_sink = sink;
    return FAULT_NONE;
}

/* Waits as long as one try of librdkafka; whether Kafka is reached then. */
static bool reaches(const struct sink *sink, int64_t timeout_ms, int tries)
{
    for (int i = 0; i < tries && !sim_process_is_heard(sink->process); i++)
        sim_process_block(sink->process, timeout_ms);
    return sim_process_is_heard(sink->process);
}

enum fault sink_init(struct sink *sink, int timeout_ms, struct reason *out_reason)
{
    const enum sim_fate fate = sim_process_fate(sink->process, SIM_INIT);
    if (is_dead(sink) || sink->state == SINK_READY)
        return FAULT_NONE;
    if (sink->state != SINK_NEW)
        return sink->state == SINK_FENCED ? fenced(out_reason) : wrong_state(out_reason);
    if (!reaches(sink, timeout_ms, 1) || fate == SIM_FAILS || fate == SIM_IS_REFUSED)
        return unreachable(out_reason);
    sink->epoch = sim_transaction_init(sink->transaction, SINK_TRANSACTION_TIMEOUT_MS);
    if (fate == SIM_IS_LOST)
        return unreachable(out_reason);
    sink->state = SINK_READY;
    sim_process_end(sink->process, fate);
    return FAULT_NONE;
}

enum fault sink_begin(struct sink *sink, struct reason *out_reason)
{
    const enum sim_fate fate = sim_process_fate(sink->process, SIM_BEGIN);
    if (is_dead(sink))
        return FAULT_NONE;
    if (sink->state == SINK_FENCED)
        return fenced(out_reason);
    if (sink->state == SINK_ABORTABLE)
        return aborted(out_reason, "_STATE: simulated: the transaction must be aborted");
    if (sink->state != SINK_READY)
        return wrong_state(out_reason);
    if (fate == SIM_FAILS || fate == SIM_IS_LOST || fate == SIM_IS_REFUSED)
        return aborted(out_reason, "_STATE: simulated: this producer begins no transaction");
    sink->state = SINK_OPEN;
    sink->known_to_broker = false;
    sim_process_end(sink->process, fate);
    return FAULT_NONE;
}

/* ---- The queue of records on their way */

static void drop_queue(struct sink *sink)
{
    for (size_t i = 0; i < sink->queue_count; i++)
        sim_bytes_release(sink->queue[i].bytes);
    sink->unserved += sink->queue_count;
    sink->queue_count = 0;
}

/* All that is queued arrives, or finds out that the producer is fenced. */
static void deliver(struct sink *sink)
{
    const int64_t now_ms = sim_clock_now_ms();
    for (size_t i = 0; i < sink->queue_count; i++) {
        const struct queued *queued = &sink->queue[i];
        if (!sim_transaction_enlist(sink->transaction, sink->epoch, queued->log)) {
            sink->state = SINK_FENCED;
            drop_queue(sink);
            return;
        }
        sink->known_to_broker = true;
        queued->bytes->time_ms = now_ms;
        (void)sim_partition_append(queued->log, sim_bytes_share(queued->bytes), sink->transaction);
        sink->acknowledged_ms = now_ms;
    }
    drop_queue(sink);
}

enum fault sink_publish(struct sink *sink, const struct record *record, struct reason *out_reason)
{
    const enum sim_fate fate = sim_process_fate(sink->process, SIM_PUBLISH);
    if (is_dead(sink))
        return FAULT_NONE;
    struct sim_partition *log =
        sim_topic_log(sink->options.names[record->topic], record->partition);
    if (sink->state != SINK_OPEN || log == NULL || fate == SIM_IS_REFUSED) {
        if (sink->state == SINK_OPEN)
            sink->state = SINK_ABORTABLE;
        reason_set(out_reason, "publish to %s: simulated: refused",
                   sink->options.names[record->topic]);
        return FAULT_TRANSACTION_ABORTED;
    }
    if (fate == SIM_FAILS) { /* accepted, and never delivered */
        sink->state = SINK_ABORTABLE;
        return FAULT_NONE;
    }
    if (sink->queue_count == 0)
        sink->queued_at_ms = sim_clock_now_ms();
    sink->queue = heap_resized(sink->queue, sink->queue_count + 1, sizeof *sink->queue);
    sink->queue[sink->queue_count++] = (struct queued){log, sim_bytes_create(record, 0)};
    if (fate == SIM_IS_LOST) { /* delivered, but the acknowledgement is not */
        deliver(sink);
        if (sink->state == SINK_OPEN)
            sink->state = SINK_ABORTABLE;
    }
    sim_process_end(sink->process, fate);
    return FAULT_NONE;
}

static void serve_reports(struct sink *sink)
{
    sink->unserved = 0;
    if (sink->acknowledged_ms == 0 || sink->acknowledged_ms <= sink->report_time_ms)
        return;
    sink->report_time_ms = sink->acknowledged_ms;
    sink->report_at_ms = sim_clock_now_ms();
}

/* ---- Commit and abort */

static void add_offsets(struct sink *sink, const rd_kafka_topic_partition_list_t *offsets,
                        struct sim_group *group)
{
    for (int i = 0; i < offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *element = &offsets->elems[i];
        struct sim_partition *log = sim_topic_log(element->topic, element->partition);
        if (log == NULL || element->offset < 0)
            continue;
        const struct span metadata = span_of(element->metadata, element->metadata_size);
        sim_transaction_offset(sink->transaction,
                               (struct sim_offset){.group = group,
                                                   .log = log,
                                                   .offset = element->offset,
                                                   .metadata = span_copied(metadata),
                                                   .sequence = sim_group_sequence()});
    }
}

static bool any_valid(const rd_kafka_topic_partition_list_t *offsets)
{
    for (int i = 0; i < offsets->cnt; i++) {
        if (offsets->elems[i].offset >= 0)
            return true;
    }
    return false;
}

static enum fault send_offsets(struct sink *sink, const rd_kafka_topic_partition_list_t *offsets,
                               const struct source *source, struct reason *out_reason)
{
    const enum sim_fate fate = sim_process_fate(sink->process, SIM_SEND_OFFSETS);
    if (is_dead(sink))
        return FAULT_NONE;
    if (!any_valid(offsets))
        return FAULT_NONE;
    const bool is_reached = reaches(sink, STEP_TIMEOUT_MS, TRIES);
    if (!is_reached || fate == SIM_FAILS || fate == SIM_IS_REFUSED) {
        sink->state = SINK_ABORTABLE;
        return aborted(out_reason, "_TIMED_OUT: simulated: offsets not sent");
    }
    if (!sim_transaction_enlist_group(sink->transaction, sink->epoch, source->group)) {
        sink->state = SINK_FENCED;
        return fenced(out_reason);
    }
    sink->known_to_broker = true;
    if (!sim_group_admits(source->group, source->given_member_id, source->given_generation)) {
        sink->state = SINK_ABORTABLE;
        return aborted(out_reason, "ILLEGAL_GENERATION: simulated: not a member");
    }
    add_offsets(sink, offsets, source->group);
    if (fate == SIM_IS_LOST) {
        sink->state = SINK_ABORTABLE;
        return aborted(out_reason, "_TIMED_OUT: simulated: the answer to the offsets is lost");
    }
    sim_process_end(sink->process, fate);
    return FAULT_NONE;
}

static enum fault outcome_unknown(struct sink *sink, struct reason *out_reason)
{
    sink->state = SINK_UNKNOWN;
    reason_set(out_reason, "_TIMED_OUT: simulated: the end of the transaction is not answered");
    return FAULT_OUTCOME_UNKNOWN;
}

/* EndTxn. A lost one takes effect now, or later, when whatever comes first has come first. */
static enum fault end(struct sink *sink, bool commit, enum sim_fate fate, struct reason *out_reason)
{
    if (!reaches(sink, STEP_TIMEOUT_MS, TRIES) || fate == SIM_FAILS)
        return outcome_unknown(sink, out_reason);
    if (fate == SIM_IS_LOST && sim_broker_draw(2) == 0) {
        sim_transaction_end_later(sink->transaction, sink->epoch, commit);
        return outcome_unknown(sink, out_reason);
    }
    const bool taken = sim_transaction_end(sink->transaction, sink->epoch, commit);
    if (fate == SIM_IS_LOST)
        return outcome_unknown(sink, out_reason);
    if (!taken) {
        sink->state = SINK_FENCED;
        return fenced(out_reason);
    }
    sink->state = SINK_READY;
    sim_process_end(sink->process, fate);
    return FAULT_NONE;
}

static enum fault require_committable(const struct sink *sink, struct reason *out_reason)
{
    switch (sink->state) {
    case SINK_OPEN:
        return FAULT_NONE;
    case SINK_ABORTABLE:
        return aborted(out_reason, "_STATE: simulated: the transaction must be aborted");
    case SINK_FENCED:
        return fenced(out_reason);
    case SINK_UNKNOWN:
        return FAULT_OUTCOME_UNKNOWN;
    case SINK_NEW:
    case SINK_READY:
        break;
    }
    return wrong_state(out_reason);
}

enum fault sink_commit(struct sink *sink, const rd_kafka_topic_partition_list_t *offsets,
                       const struct source *group, struct reason *out_reason)
{
    if (is_dead(sink))
        return FAULT_NONE;
    if (group->given_member_id == NULL)
        return aborted(out_reason, "the partitions were taken away");
    enum fault fault = require_committable(sink, out_reason);
    if (fault == FAULT_NONE)
        fault = send_offsets(sink, offsets, group, out_reason);
    if (fault != FAULT_NONE || is_dead(sink))
        return fault;
    const enum sim_fate fate = sim_process_fate(sink->process, SIM_COMMIT);
    if (is_dead(sink))
        return FAULT_NONE;
    if (sink->queue_count > 0 && !reaches(sink, STEP_TIMEOUT_MS, TRIES))
        sink->state = SINK_ABORTABLE;
    else
        deliver(sink);
    serve_reports(sink);
    fault = require_committable(sink, out_reason);
    if (fault != FAULT_NONE)
        return fault;
    if (fate == SIM_IS_REFUSED) {
        sink->state = SINK_ABORTABLE;
        return aborted(out_reason, "simulated: the commit is refused");
    }
    if (sink->known_to_broker)
        return end(sink, true, fate, out_reason);
    sink->state = SINK_READY;
    sim_process_end(sink->process, fate);
    return FAULT_NONE;
}

enum fault sink_abort(struct sink *sink, struct reason *out_reason)
{
    const enum sim_fate fate = sim_process_fate(sink->process, SIM_ABORT);
    if (is_dead(sink))
        return FAULT_NONE;
    if (sink->state == SINK_FENCED)
        return fenced(out_reason);
    if (sink->state == SINK_UNKNOWN)
        return outcome_unknown(sink, out_reason);
    if (sink->state != SINK_OPEN && sink->state != SINK_ABORTABLE)
        return wrong_state(out_reason);
    drop_queue(sink);
    serve_reports(sink);
    if (sink->known_to_broker)
        return end(sink, false, fate == SIM_IS_REFUSED ? SIM_FAILS : fate, out_reason);
    sink->state = SINK_READY;
    sim_process_end(sink->process, fate);
    return FAULT_NONE;
}

void sink_poll(struct sink *sink)
{
    if (!is_dead(sink))
        serve_reports(sink);
}

int sink_waiting(const struct sink *sink)
{
    return (int)(sink->queue_count + sink->unserved);
}

int64_t sink_broker_time_ms(const struct sink *sink)
{
    if (sink->report_time_ms == 0)
        return 0;
    return sink->report_time_ms + (sim_clock_now_ms() - sink->report_at_ms);
}

/* ---- The end of a sink, and steps */

void sink_close(struct sink *sink)
{
    if (sink == NULL)
        return;
    struct sink **place = &sinks;
    while (*place != sink)
        place = &(*place)->next;
    *place = sink->next;
    drop_queue(sink);
    heap_release(sink->queue);
    heap_release(sink);
}

void sim_sink_forget(const struct sim_process *process)
{
    for (struct sink *sink = sinks, *next; sink != NULL; sink = next) {
        next = sink->next;
        if (process == NULL || sink->process == process)
            sink_close(sink);
    }
}

static void run_delivery(const struct sim_step *step)
{
    deliver(step->object);
}

static void run_timeout(const struct sim_step *step)
{
    struct sink *sink = step->object;
    drop_queue(sink);
    if (sink->state == SINK_OPEN)
        sink->state = SINK_ABORTABLE;
}

static void describe(const struct sim_step *step, struct reason *out_text)
{
    const struct sink *sink = step->object;
    reason_set(out_text, "%s, %zu records", sink->options.transactional_id, sink->queue_count);
}

static bool is_running(const struct sink *sink)
{
    return sink->process == NULL || (!sink->process->dead && !sink->process->paused);
}

void sim_sink_steps(void)
{
    static const struct sim_step_kind delivery = {"delivery", run_delivery, describe};
    static const struct sim_step_kind timeout = {"delivery time-out", run_timeout, describe};
    for (struct sink *sink = sinks; sink != NULL; sink = sink->next) {
        if (sink->queue_count == 0 || !is_running(sink))
            continue;
        if (sim_process_is_heard(sink->process))
            sim_step_add(&delivery, sink, 0);
        if (sim_clock_now_ms() - sink->queued_at_ms >= QUEUE_TIMEOUT_MS)
            sim_step_add(&timeout, sink, 0);
    }
}

int64_t sim_sink_due_ms(void)
{
    int64_t due_ms = INT64_MAX;
    for (const struct sink *sink = sinks; sink != NULL; sink = sink->next) {
        const int64_t next_ms = sink->queued_at_ms + QUEUE_TIMEOUT_MS;
        if (sink->queue_count > 0 && is_running(sink) && next_ms < due_ms)
            due_ms = next_ms;
    }
    return due_ms;
}
