/* sim_source.c: source.h over the simulated Kafka. */
#include "sim_source.h"
#include "memory/heap.h"

static struct source *sources; /* all that are open, in the order of opening */

/* What librdkafka would be configured with: fixed, else by option, else as source.c begins with. */
static const char *property(const struct source_options *options, const char *name,
                            const char *initial)
{
    for (size_t i = 0; source_guarantees[i].name != NULL; i++) {
        if (strcmp(source_guarantees[i].name, name) == 0)
            return source_guarantees[i].value;
    }
    const char *given, *value;
    for (size_t i = 0;
         options->options != NULL && option_prefixed(options->options, "kafka.", i, &given, &value);
         i++) {
        if (strcmp(given, name) == 0)
            return value;
    }
    return initial;
}

static bool is_on(const struct source_options *options, const char *name)
{
    return strcmp(property(options, name, "true"), "true") == 0;
}

enum fault source_open(const struct source_options *options, struct source **out_source,
                       struct reason *out_reason)
{
    (void)out_reason;
    struct source *source = heap_zeroed(1, sizeof *source);
    source->options = *options;
    source->process = sim_process_current();
    source->read_committed =
        strcmp(property(options, "isolation.level", "read_committed"), "read_committed") == 0;
    source->tells_end = strcmp(property(options, "enable.partition.eof", "false"), "true") == 0;
    source->stores = is_on(options, "enable.auto.offset.store");
    source->commits = is_on(options, "enable.auto.commit");
    const char *reset = property(options, "auto.offset.reset", "error");
    source->reset = strcmp(reset, "error") == 0 ? SIM_RESET_ERROR
                    : strcmp(reset, "earliest") == 0 || strcmp(reset, "smallest") == 0
                        ? SIM_RESET_EARLIEST
                        : SIM_RESET_LATEST;
    source->session_ms = strtol(property(options, "session.timeout.ms", "6000"), NULL, 10);
    source->group = sim_group_find(options->group == NULL ? "plumb-tables" : options->group);
    source->member_id = heap_text("");
    source->generation = -1;
    source->heard_ms = sim_clock_now_ms();
    struct source **last = &sources;
    while (*last != NULL)
        last = &(*last)->next;
    *last = source;
    *out_source = source;
    return FAULT_NONE;
}

enum fault source_subscribe(struct source *source, const enum topic *topics, size_t count,
                            struct reason *out_reason)
{
    (void)out_reason;
    REQUIRE(count <= SIM_TOPICS_MAX);
    REQUIRE(source->join == SIM_JOIN_NONE);
    for (size_t i = 0; i < count; i++)
        source->topics[source->topic_count++] = source->options.names[topics[i]];
    source->join = SIM_JOIN_WANTED;
    return FAULT_NONE;
}

/* ---- The queue */

void sim_source_push(struct source *source, struct sim_event event)
{
    const bool was_empty = source->event_first == source->event_count;
    if (was_empty)
        source->event_first = source->event_count = 0;
    if (source->event_count == source->event_capacity) {
        source->event_capacity = source->event_capacity == 0 ? 64 : source->event_capacity * 2;
        source->events = heap_resized(source->events, source->event_capacity, sizeof event);
    }
    source->events[source->event_count++] = event;
    if (!was_empty || source->options.on_wake == NULL)
        return;
    struct sim_process *const caller = sim_process_current();
    sim_process_enter(source->process);
    source->options.on_wake(source->options.context);
    sim_process_enter(caller);
}

void sim_source_purge(struct source *source)
{
    size_t kept = source->event_first;
    for (size_t i = source->event_first; i < source->event_count; i++) {
        const struct sim_event *event = &source->events[i];
        if (event->kind >= SIM_EVENT_ASSIGNED)
            source->events[kept++] = *event;
        else
            sim_bytes_release(event->bytes);
    }
    source->event_count = kept;
}

static void call_back(struct source *source, enum sim_event_kind kind)
{
    heap_release(source->given_member_id);
    source->given_member_id = NULL;
    if (kind != SIM_EVENT_ASSIGNED) {
        source->options.on_revoked(source->options.context, kind == SIM_EVENT_LOST);
        return;
    }
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)source->given_count);
    for (size_t i = 0; i < source->given_count; i++)
        (void)rd_kafka_topic_partition_list_add(list, source->given[i]->topic,
                                                source->given[i]->partition);
    source->given_member_id = heap_text(source->member_id);
    source->given_generation = source->generation;
    source->options.on_assigned(source->options.context, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static enum topic topic_of(const struct source *source, const struct sim_partition *log)
{
    for (int i = TOPIC_NONE + 1; i < TOPIC_COUNT; i++) {
        if (strcmp(source->options.names[i], log->topic) == 0)
            return (enum topic)i;
    }
    return TOPIC_NONE;
}

static void *lend(struct source *source, struct sim_bytes *bytes)
{
    struct sim_message *message = heap_zeroed(1, sizeof *message);
    *message = (struct sim_message){.source = source, .next = source->messages, .bytes = bytes};
    if (message->next != NULL)
        message->next->previous = message;
    source->messages = message;
    return message;
}

static void remember_position(struct source *source, const struct sim_event *event)
{
    for (size_t i = 0; i < source->fetch_count; i++) {
        if (source->fetches[i].log == event->log)
            source->fetches[i].position = event->offset + 1;
    }
}

static enum source_event hand_over(struct source *source, const struct sim_event *event,
                                   struct source_message *out_message, struct reason *out_reason)
{
    if (event->kind == SIM_EVENT_TROUBLE) {
        reason_set(out_reason,
                   "_AUTO_OFFSET_RESET: %s[%d]: fetch failed due to requested offset not available "
                   "on the broker: Broker: Offset out of range (broker 1)",
                   event->log->topic, (int)event->log->partition);
        return SOURCE_TROUBLE;
    }
    *out_message = (struct source_message){.topic = topic_of(source, event->log),
                                           .partition = event->log->partition,
                                           .offset = event->offset,
                                           .timestamp_ms = -1};
    if (event->kind == SIM_EVENT_END)
        return SOURCE_END;
    remember_position(source, event);
    out_message->message = lend(source, event->bytes);
    out_message->timestamp_ms = event->bytes->time_ms;
    out_message->append_time = true;
    return SOURCE_RECORD;
}

enum source_event source_poll(struct source *source, int timeout_ms,
                              struct source_message *out_message, struct reason *out_reason)
{
    if (timeout_ms > 0 && source->event_first == source->event_count)
        sim_process_block(source->process, timeout_ms);
    while (source->event_first < source->event_count) {
        if (source->process != NULL && source->process->dead)
            return SOURCE_EMPTY;
        struct sim_event event = source->events[source->event_first];
        enum sim_fate fate = SIM_GOES_WELL;
        if (event.kind == SIM_EVENT_RECORD)
            fate = sim_process_fate(source->process, SIM_POLL);
        if (fate == SIM_DIES_BEFORE)
            return SOURCE_EMPTY;
        if (fate == SIM_FAILS || fate == SIM_IS_REFUSED) {
            reason_set(out_reason, "_TRANSPORT: simulated: disconnected");
            return SOURCE_TROUBLE;
        }
        source->event_first++;
        if (event.kind < SIM_EVENT_ASSIGNED) {
            const enum source_event found = hand_over(source, &event, out_message, out_reason);
            sim_process_end(source->process, fate);
            return found;
        }
        call_back(source, event.kind);
    }
    return SOURCE_EMPTY;
}

struct record source_record(const struct source_message *message, struct header *headers,
                            size_t header_max, bool want_headers)
{
    const struct sim_message *raw = message->message;
    const struct sim_bytes *bytes = raw->bytes;
    struct record record = {.topic = message->topic,
                            .partition = message->partition,
                            .offset = message->offset,
                            .key = bytes->key,
                            .value = bytes->value,
                            .headers = headers};
    if (!want_headers && bytes->value.size > 0)
        return record;
    for (; record.header_count < header_max && record.header_count < bytes->header_count;
         record.header_count++)
        headers[record.header_count] = bytes->headers[record.header_count];
    return record;
}

static void message_destroy(struct sim_message *message)
{
    sim_bytes_release(message->bytes);
    heap_release(message);
}

void source_release(struct source_message *message)
{
    struct sim_message *raw = message->message;
    message->message = NULL;
    if (raw == NULL)
        return;
    if (raw->next != NULL)
        raw->next->previous = raw->previous;
    if (raw->previous != NULL)
        raw->previous->next = raw->next;
    else if (raw->source != NULL)
        raw->source->messages = raw->next;
    message_destroy(raw);
}

/* ---- Assignment and questions */

enum fault source_assign(struct source *source, const rd_kafka_topic_partition_list_t *partitions,
                         struct reason *out_reason)
{
    (void)out_reason;
    if (source->process != NULL && source->process->dead)
        return FAULT_NONE;
    sim_source_purge(source);
    source->paused = false;
    source->fetch_count = 0;
    source->fetches =
        heap_resized(source->fetches, (size_t)partitions->cnt + 1, sizeof *source->fetches);
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *element = &partitions->elems[i];
        struct sim_partition *log = sim_topic_log(element->topic, element->partition);
        if (log != NULL)
            sim_fetch_begin(source, log, element->offset);
    }
    sim_membership_assigned(source, partitions->cnt > 0);
    return FAULT_NONE;
}

static const char *refusal(const struct source *source,
                           const rd_kafka_topic_partition_list_t *partitions)
{
    if (!sim_process_is_heard(source->process))
        return "Local: Timed out";
    for (int i = 0; i < partitions->cnt; i++) {
        const rd_kafka_topic_partition_t *element = &partitions->elems[i];
        const struct sim_partition *log = sim_topic_log(element->topic, element->partition);
        if (source->read_committed && log != NULL && sim_transaction_holds(source->group, log))
            return "Broker: There are unstable offsets that need to be cleared";
    }
    return NULL;
}

static void fill(const struct source *source, rd_kafka_topic_partition_t *element)
{
    const struct sim_partition *log = sim_topic_log(element->topic, element->partition);
    const struct sim_offset *found = log == NULL ? NULL : sim_group_offset(source->group, log);
    element->offset = found == NULL ? RD_KAFKA_OFFSET_INVALID : found->offset;
    heap_release(element->metadata); /* librdkafka's memory is malloc's, as ours */
    element->metadata = NULL;
    element->metadata_size = 0;
    if (found == NULL || found->metadata == NULL)
        return;
    element->metadata = heap_text(found->metadata);
    element->metadata_size = strlen(found->metadata);
}

enum fault source_committed(struct source *source, rd_kafka_topic_partition_list_t *partitions,
                            int timeout_ms, struct reason *out_reason)
{
    const enum sim_fate fate = sim_process_fate(source->process, SIM_OFFSETS_READ);
    if (source->process != NULL && source->process->dead)
        return FAULT_NONE;
    const char *why = refusal(source, partitions);
    if (why != NULL) {
        sim_process_block(source->process, timeout_ms);
        why = refusal(source, partitions);
    }
    if (fate == SIM_FAILS || fate == SIM_IS_LOST || fate == SIM_IS_REFUSED)
        why = "Local: Timed out";
    if (why != NULL) {
        reason_set(out_reason, "committed offsets: %s", why);
        return FAULT_KAFKA_UNREACHABLE;
    }
    for (int i = 0; i < partitions->cnt; i++)
        fill(source, &partitions->elems[i]);
    sim_process_end(source->process, fate);
    return FAULT_NONE;
}

enum fault source_partitions(struct source *source, const enum topic *topics, size_t count,
                             int32_t *out_counts, int timeout_ms, struct reason *out_reason)
{
    if (!sim_process_is_heard(source->process))
        sim_process_block(source->process, timeout_ms);
    if (!sim_process_is_heard(source->process)) {
        reason_set(out_reason, "metadata: Local: Timed out");
        return FAULT_KAFKA_UNREACHABLE;
    }
    for (size_t i = 0; i < count; i++)
        out_counts[i] = sim_kafka_partitions(source->options.names[topics[i]]);
    return FAULT_NONE;
}

enum fault source_end(struct source *source, enum topic topic, int32_t partition, int timeout_ms,
                      int64_t *out_offset)
{
    if (!sim_process_is_heard(source->process))
        sim_process_block(source->process, timeout_ms);
    const struct sim_partition *log = sim_topic_log(source->options.names[topic], partition);
    if (log == NULL || !sim_process_is_heard(source->process))
        return FAULT_KAFKA_UNREACHABLE;
    *out_offset = sim_partition_end(log);
    return FAULT_NONE;
}

enum fault source_append_time(struct source *source, enum topic topic, bool *out_append,
                              struct reason *out_reason)
{
    if (!sim_process_is_heard(source->process))
        sim_process_block(source->process, 5000);
    if (sim_process_is_heard(source->process) &&
        sim_kafka_partitions(source->options.names[topic]) >= 0) {
        *out_append = true;
        return FAULT_NONE;
    }
    reason_set(out_reason, "topic %s: its configuration cannot be read",
               source->options.names[topic]);
    return FAULT_KAFKA_UNREACHABLE;
}

const char *source_cluster(struct source *source, int timeout_ms)
{
    if (!sim_process_is_heard(source->process))
        sim_process_block(source->process, timeout_ms);
    return sim_process_is_heard(source->process) ? sim_broker_cluster() : "";
}

const rd_kafka_consumer_group_metadata_t *source_membership(const struct source *source)
{
    (void)source; /* sim_sink.c looks at the source itself */
    return NULL;
}

const char *source_name(const struct source *source, enum topic topic)
{
    return source->options.names[topic];
}

/* ---- The end of a source */

static void destroy(struct source *source, bool with_messages)
{
    struct source **place = &sources;
    while (*place != source)
        place = &(*place)->next;
    *place = source->next;
    for (size_t i = source->event_first; i < source->event_count; i++)
        sim_bytes_release(source->events[i].bytes);
    for (struct sim_message *message = source->messages, *next; message != NULL; message = next) {
        next = message->next;
        message->source = NULL;
        if (with_messages)
            message_destroy(message);
    }
    heap_release(source->events);
    heap_release(source->fetches);
    heap_release(source->given);
    heap_release(source->member_id);
    heap_release(source->given_member_id);
    heap_release(source);
}

void source_close(struct source *source, bool reachable)
{
    if (source == NULL)
        return;
    if (reachable)
        sim_membership_leave(source);
    destroy(source, false);
}

void sim_source_forget(const struct sim_process *process)
{
    for (struct source *source = sources, *next; source != NULL; source = next) {
        next = source->next;
        if (process == NULL || source->process == process)
            destroy(source, true);
    }
}

/* ---- Steps */

/* Whoever is heard now and was at the last look has sent heartbeats all the while. After a silence
 * longer than a session a step decides who finds out first. */
static void hear(struct source *source, int64_t now_ms)
{
    const bool is_heard = sim_process_is_heard(source->process);
    struct sim_member *member = sim_membership_member(source);
    if (member != NULL && is_heard && !source->was_heard &&
        (now_ms - member->heard_ms >= member->session_ms ||
         now_ms - source->heard_ms >= source->session_ms))
        return;
    source->was_heard = is_heard;
    if (member == NULL || !is_heard)
        return;
    member->silent = false;
    member->heard_ms = now_ms;
    source->heard_ms = now_ms;
}

void sim_source_hear(void)
{
    sim_group_hush();
    for (struct source *source = sources; source != NULL; source = source->next)
        hear(source, sim_clock_now_ms());
}

void sim_source_steps(void)
{
    for (struct source *source = sources; source != NULL; source = source->next) {
        sim_membership_steps(source);
        sim_fetch_steps(source);
    }
}

int64_t sim_source_due_ms(void)
{
    int64_t due_ms = INT64_MAX;
    for (const struct source *source = sources; source != NULL; source = source->next) {
        if (!sim_membership_is_waiting(source) || sim_process_is_heard(source->process))
            continue;
        const int64_t next_ms = source->heard_ms + source->session_ms;
        due_ms = next_ms < due_ms ? next_ms : due_ms;
    }
    return due_ms;
}
