#include "sim_kafka.h"
#include "memory/heap.h"
#include "sim_broker.h"

static struct {
    struct sim_kafka_options options;
    bool runs;
    uint64_t random;
    struct sim_topic **topics; /* owned, in the order of making */
    size_t topic_count;
    struct sim_step *steps; /* owned: of the last look */
    size_t step_count, step_capacity;
} broker;

void sim_kafka_start(const struct sim_kafka_options *options)
{
    REQUIRE(!broker.runs);
    broker.options = *options;
    broker.random = options->seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
    broker.runs = true;
}

void sim_kafka_stop(void)
{
    REQUIRE(broker.runs);
    sim_sink_forget(NULL);
    sim_source_forget(NULL);
    sim_transaction_stop();
    sim_group_stop();
    for (size_t i = 0; i < broker.topic_count; i++) {
        struct sim_topic *topic = broker.topics[i];
        for (int32_t p = 0; p < topic->partition_count; p++)
            sim_partition_fini(&topic->logs[p]);
        heap_release(topic->logs);
        heap_release(topic->name);
        heap_release(topic);
    }
    heap_release(broker.topics);
    heap_release(broker.steps);
    memset(&broker, 0, sizeof broker);
}

/* ---- Topics */

void sim_kafka_topic_create(const char *name, int32_t partition_count)
{
    REQUIRE(broker.runs);
    REQUIRE(partition_count > 0);
    REQUIRE(sim_topic_find(name) == NULL);
    struct sim_topic *topic = heap_zeroed(1, sizeof *topic);
    topic->name = heap_text(name);
    topic->partition_count = partition_count;
    topic->logs = heap_zeroed((size_t)partition_count, sizeof *topic->logs);
    for (int32_t p = 0; p < partition_count; p++) {
        topic->logs[p].topic = topic->name;
        topic->logs[p].partition = p;
    }
    broker.topics = heap_resized(broker.topics, broker.topic_count + 1, sizeof(struct sim_topic *));
    broker.topics[broker.topic_count++] = topic;
}

struct sim_topic *sim_topic_find(const char *name)
{
    for (size_t i = 0; i < broker.topic_count; i++) {
        if (strcmp(broker.topics[i]->name, name) == 0)
            return broker.topics[i];
    }
    return NULL;
}

struct sim_partition *sim_topic_log(const char *name, int32_t partition)
{
    const struct sim_topic *topic = sim_topic_find(name);
    return topic == NULL || partition < 0 || partition >= topic->partition_count
               ? NULL
               : &topic->logs[partition];
}

static struct sim_partition *log_named(const char *name, int32_t partition)
{
    struct sim_partition *log = sim_topic_log(name, partition);
    REQUIRE(log != NULL);
    return log;
}

int32_t sim_kafka_partitions(const char *name)
{
    const struct sim_topic *topic = sim_topic_find(name);
    return topic == NULL ? -1 : topic->partition_count;
}

int64_t sim_kafka_append(const char *name, int32_t partition, struct span key, struct span value,
                         const struct header *headers, size_t header_count)
{
    const struct record record = {
        .key = key, .value = value, .headers = headers, .header_count = header_count};
    return sim_partition_append(log_named(name, partition),
                                sim_bytes_create(&record, sim_clock_now_ms()), NULL);
}

void sim_kafka_trim(const char *name, int32_t partition, int64_t offset)
{
    sim_partition_trim(log_named(name, partition), offset);
}

int64_t sim_kafka_begin_offset(const char *name, int32_t partition)
{
    return log_named(name, partition)->start;
}

int64_t sim_kafka_end_offset(const char *name, int32_t partition)
{
    return sim_partition_end(log_named(name, partition));
}

int64_t sim_kafka_stable_offset(const char *name, int32_t partition)
{
    return sim_partition_stable(log_named(name, partition));
}

/* ---- Steps */

void sim_step_add(const struct sim_step_kind *kind, void *object, size_t detail)
{
    if (broker.step_count == broker.step_capacity) {
        broker.step_capacity = broker.step_capacity == 0 ? 64 : broker.step_capacity * 2;
        broker.steps = heap_resized(broker.steps, broker.step_capacity, sizeof *broker.steps);
    }
    broker.steps[broker.step_count++] = (struct sim_step){kind, object, detail};
}

size_t sim_kafka_steps(void)
{
    REQUIRE(broker.runs);
    broker.step_count = 0;
    sim_source_hear();
    sim_transaction_steps();
    sim_group_steps();
    sim_source_steps();
    sim_sink_steps();
    return broker.step_count;
}

void sim_kafka_step(size_t which)
{
    REQUIRE(which < sim_kafka_steps());
    const struct sim_step step = broker.steps[which];
    step.kind->run(&step);
}

const char *sim_kafka_step_name(size_t which)
{
    static struct reason text;
    REQUIRE(which < sim_kafka_steps());
    const struct sim_step *step = &broker.steps[which];
    reason_set(&text, "%s", "");
    if (step->kind->describe != NULL)
        step->kind->describe(step, &text);
    reason_wrap(&text, "%s", step->kind->name);
    return text.text;
}

bool sim_kafka_advance(void)
{
    if (sim_kafka_steps() == 0)
        return false;
    sim_kafka_step(0);
    return true;
}

void sim_kafka_settle(void)
{
    while (sim_kafka_advance())
        ;
}

int64_t sim_kafka_due_ms(void)
{
    (void)sim_kafka_steps(); /* who is heard now has been heard now */
    const int64_t due_ms[] = {sim_transaction_due_ms(), sim_group_due_ms(), sim_source_due_ms(),
                              sim_sink_due_ms()};
    int64_t least_ms = INT64_MAX;
    for (size_t i = 0; i < COUNT_OF(due_ms); i++) {
        if (due_ms[i] < least_ms)
            least_ms = due_ms[i];
    }
    return least_ms;
}

/* Marsaglia's xorshift64*. */
int64_t sim_broker_slow_fetch_ms(bool is_behind)
{
    const int64_t max_ms = broker.options.slow_fetch_max_ms * (is_behind ? 3 : 1);
    return max_ms > 0 && sim_broker_draw(300) == 0 ? (int64_t)sim_broker_draw((uint64_t)max_ms) : 0;
}

uint64_t sim_broker_draw(uint64_t below)
{
    REQUIRE(below > 0);
    broker.random ^= broker.random >> 12;
    broker.random ^= broker.random << 25;
    broker.random ^= broker.random >> 27;
    return (broker.random * 0x2545f4914f6cdd1du >> 32) % below;
}

const char *sim_broker_cluster(void)
{
    return broker.options.cluster == NULL ? "" : broker.options.cluster;
}

bool sim_process_is_heard(const struct sim_process *process)
{
    return process == NULL || (!process->dead && !process->paused && !process->kafka_is_away);
}

/* ---- What the checker looks at */

bool sim_kafka_read(const char *name, int32_t partition, int64_t *cursor,
                    struct sim_kafka_record *out_record)
{
    const struct sim_partition *log = log_named(name, partition);
    const int64_t stable = sim_partition_stable(log);
    for (int64_t offset = *cursor < log->start ? log->start : *cursor; offset < stable; offset++) {
        const struct sim_entry *entry = sim_partition_at(log, offset);
        if (entry->mark != SIM_MARK_PLAIN && entry->mark != SIM_MARK_COMMITTED)
            continue;
        *out_record = (struct sim_kafka_record){.offset = offset,
                                                .time_ms = entry->bytes->time_ms,
                                                .key = entry->bytes->key,
                                                .value = entry->bytes->value,
                                                .headers = entry->bytes->headers,
                                                .header_count = entry->bytes->header_count};
        *cursor = offset + 1;
        return true;
    }
    return false;
}

int64_t sim_kafka_committed(const char *group, const char *name, int32_t partition,
                            const char **out_metadata)
{
    const struct sim_offset *found =
        sim_group_offset(sim_group_find(group), log_named(name, partition));
    if (found == NULL)
        return -1;
    if (out_metadata != NULL)
        *out_metadata = found->metadata == NULL ? "" : found->metadata;
    return found->offset;
}

size_t sim_kafka_open_transactions(void)
{
    return sim_transaction_count();
}

void sim_kafka_forget(const struct sim_process *process)
{
    REQUIRE(process != NULL);
    sim_sink_forget(process);
    sim_source_forget(process);
}
