#include "service/in_process.h"
#include "container/table.h"
#include "memory/arena.h"
#include "memory/heap.h"
#include "model/publication.h"

enum { IN_PROCESS_SERVICES_MAX = 16 };

struct entry {
    struct record record; /* spans owned by the queue's arena */
};

/* Records on their way to one service's shards. Two arenas' worth of batches are never mixed: a
 * queue is taken whole. */
struct queue {
    struct arena *arena;   /* owned */
    struct entry *entries; /* owned, [capacity] */
    size_t count, capacity;
};

struct stage {
    const struct service *service;
    struct shard **shards; /* owned, [shard_count] */
    int64_t *sent_ms;      /* the last clock sent, [shard_count] */
    struct table *
        *saved; /* owned: what save has put so far, as Redis would hold it; [shard_count] */
    size_t shard_count, input_count;
    char *set;                  /* owned: the sources that its clocks name */
    struct metric_set *metrics; /* owned */
    struct queue waiting, taken;
};

struct in_process {
    struct in_process_options options;
    struct catalog *catalog;
    struct stage stages[IN_PROCESS_SERVICES_MAX];
    size_t stage_count;
    int64_t *offsets; /* next offset, [TOPIC_COUNT * partition_count] */
    struct outputs *outputs;
    struct changes *changes;
    size_t fed; /* since the last run */
};

static size_t inputs_of(const struct service *service)
{
    size_t count = 0;
    while (count < SERVICE_TOPICS_MAX && service->inputs[count] != TOPIC_NONE)
        count++;
    return count;
}

static struct shard *shard_of(struct in_process *driver, const struct stage *stage, size_t index)
{
    struct shard_input inputs[SERVICE_TOPICS_MAX];
    const size_t per = (size_t)driver->options.partition_count;
    const int32_t partition = (int32_t)(index % per);
    if (!stage->service->joined) {
        inputs[0] = (struct shard_input){stage->service->inputs[index / per], partition};
        return shard_create(stage->service, inputs, 1, driver->catalog, driver->options.options);
    }
    for (size_t i = 0; i < stage->input_count; i++)
        inputs[i] = (struct shard_input){stage->service->inputs[i], partition};
    return shard_create(stage->service, inputs, stage->input_count, driver->catalog,
                        driver->options.options);
}

static void stage_open(struct in_process *driver, const struct service *service)
{
    REQUIRE(driver->stage_count < IN_PROCESS_SERVICES_MAX);
    struct stage *stage = &driver->stages[driver->stage_count++];
    const size_t per = (size_t)driver->options.partition_count;
    stage->service = service;
    stage->input_count = inputs_of(service);
    stage->shard_count = service->joined ? per : per * stage->input_count;
    stage->shards = heap_zeroed(stage->shard_count, sizeof *stage->shards);
    stage->sent_ms = heap_zeroed(stage->shard_count, sizeof *stage->sent_ms);
    stage->saved = heap_zeroed(stage->shard_count, sizeof(struct table *));
    struct buffer set = {0};
    for (size_t i = 0; i < (service->joined ? 1 : stage->input_count); i++)
        buffer_format(&set, "%s%s:%zu", i == 0 ? "" : ",", topic_row(service->inputs[i])->name,
                      per);
    stage->set = span_copied(buffer_span(&set));
    buffer_fini(&set);
    stage->metrics = metric_set_create((const struct metric_row *const[]){service->metrics},
                                       service->metrics == NULL ? 0 : 1);
    stage->waiting.arena = arena_create();
    stage->taken.arena = arena_create();
    for (size_t i = 0; i < stage->shard_count; i++) {
        stage->shards[i] = shard_of(driver, stage, i);
        stage->saved[i] = table_create();
    }
}

struct in_process *in_process_create(const struct in_process_options *options)
{
    REQUIRE(options->partition_count >= 1);
    REQUIRE(options->batch >= 1);
    struct in_process *driver = heap_zeroed(1, sizeof *driver);
    driver->options = *options;
    driver->catalog = catalog_create();
    if (options->lookup != NULL)
        catalog_set_lookup(driver->catalog, options->lookup);
    driver->outputs = outputs_create();
    driver->changes = changes_create();
    driver->offsets =
        heap_zeroed((size_t)TOPIC_COUNT * (size_t)options->partition_count, sizeof(int64_t));
    for (size_t i = 0; options->services[i] != NULL; i++)
        stage_open(driver, options->services[i]);
    return driver;
}

enum fault in_process_table(struct in_process *driver, const struct record *record,
                            struct reason *out_reason)
{
    return catalog_apply(driver->catalog, record, out_reason);
}

static enum fault apply_and_clear(struct in_process *driver, enum topic topic, struct buffer *key,
                                  struct buffer *value, struct reason *out_reason)
{
    const struct record record = {
        .topic = topic, .key = buffer_span(key), .value = buffer_span(value)};
    const enum fault fault = catalog_apply(driver->catalog, &record, out_reason);
    buffer_clear(key);
    buffer_clear(value);
    return fault;
}

enum fault in_process_model(struct in_process *driver, const struct contract *contract,
                            const struct baseline *const *baselines, size_t baseline_count,
                            struct reason *out_reason)
{
    struct buffer key = {0}, value = {0};
    enum fault fault = FAULT_NONE;
    for (size_t i = 0; i < baseline_count; i++) {
        for (size_t k = 0; k < baseline_record_count(baselines[i]) && fault == FAULT_NONE; k++) {
            publication_baseline(baselines[i], k, &key, &value);
            fault = apply_and_clear(driver, TOPIC_MODEL_BASELINES, &key, &value, out_reason);
        }
    }
    if (fault == FAULT_NONE) {
        const struct publication publication = {.revision = 1,
                                                .effective_from_ms = INT64_MIN,
                                                .baselines = baselines,
                                                .baseline_count = baseline_count};
        publication_contract(contract, &publication, &key, &value);
        fault = apply_and_clear(driver, TOPIC_MODEL_CONTRACTS, &key, &value, out_reason);
    }
    buffer_fini(&key);
    buffer_fini(&value);
    return fault;
}

static void queue_add(struct queue *queue, const struct record *record)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity == 0 ? 256 : queue->capacity * 2;
        queue->entries = heap_resized(queue->entries, queue->capacity, sizeof *queue->entries);
    }
    struct record *copy = &queue->entries[queue->count++].record;
    *copy = *record;
    if (record->key.bytes != NULL)
        copy->key = arena_span(queue->arena, record->key);
    if (record->value.bytes != NULL)
        copy->value = arena_span(queue->arena, record->value);
    struct header *headers = arena_take(queue->arena, record->header_count * sizeof *headers);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct span name = span_text(record->headers[i].name);
        headers[i].name = (const char *)arena_span(queue->arena, name).bytes;
        headers[i].value = arena_span(queue->arena, record->headers[i].value);
    }
    copy->headers = headers;
}

/* Appends a record to a topic's partition: to every service that reads the topic. */
static void deliver(struct in_process *driver, struct record *record)
{
    const size_t place =
        (size_t)record->topic * (size_t)driver->options.partition_count + (size_t)record->partition;
    record->offset = driver->offsets[place]++;
    for (size_t i = 0; i < driver->stage_count; i++) {
        struct stage *stage = &driver->stages[i];
        for (size_t k = 0; k < stage->input_count; k++) {
            if (stage->service->inputs[k] == record->topic)
                queue_add(&stage->waiting, record);
        }
    }
    if (driver->options.on_record != NULL)
        driver->options.on_record(driver->options.context, record);
}

static void publish(struct in_process *driver, struct stage *stage)
{
    struct outputs *outputs = driver->outputs;
    for (size_t i = 0; i < outputs_size(outputs); i++) {
        struct record record = outputs_record(outputs, i, 0, 0);
        record.partition =
            topic_partition(outputs_at(outputs, i)->route, driver->options.partition_count);
        if (record.topic == TOPIC_MODEL_SCHEMAS) {
            struct reason reason = {""};
            ENSURE(catalog_apply(driver->catalog, &record, &reason) == FAULT_NONE);
        }
        deliver(driver, &record);
        if (driver->options.on_output != NULL)
            driver->options.on_output(driver->options.context, &record);
    }
    const struct tally *counts = outputs_counts(outputs);
    for (size_t i = 0; i < tally_size(counts); i++) {
        const struct tally_entry *count = tally_at(counts, i);
        metric_count(stage->metrics, count->metric, count->label, count->more);
    }
    outputs_clear(outputs);
}

static void send_clock(struct in_process *driver, const struct stage *stage, size_t index)
{
    const struct shard_input input = shard_input(stage->shards[index], 0);
    char *source = heap_format("%s:%d", topic_row(input.topic)->name, (int)input.partition);
    char *key = heap_format("plumb-clock:%s", source);
    struct buffer value = {0};
    stream_time_clock_write(&value, stage->sent_ms[index], source, stage->set);
    const struct header header = {STREAM_TIME_HEADER, buffer_span(&value)};
    for (size_t i = 0; i < SERVICE_TOPICS_MAX && stage->service->outputs[i] != TOPIC_NONE; i++) {
        if (!topic_row(stage->service->outputs[i])->clocked)
            continue;
        for (int32_t p = 0; p < driver->options.partition_count; p++) {
            struct record record = {.topic = stage->service->outputs[i],
                                    .partition = p,
                                    .key = span_text(key),
                                    .headers = &header,
                                    .header_count = 1};
            deliver(driver, &record);
        }
    }
    buffer_fini(&value);
    heap_release(key);
    heap_release(source);
}

static void stage_run(struct in_process *driver, struct stage *stage)
{
    const struct queue whole = stage->waiting; /* what comes meanwhile waits for the next turn */
    stage->waiting = stage->taken;
    stage->taken = whole;
    for (size_t i = 0; i < stage->taken.count; i++) {
        const struct record *record = &stage->taken.entries[i].record;
        for (size_t k = 0; k < stage->shard_count; k++) {
            if (!shard_has(stage->shards[k], record->topic, record->partition))
                continue;
            /* Tables were read first and schemas are published before their records. */
            ENSURE(shard_take(stage->shards[k], record, driver->outputs) == FAULT_NONE);
            publish(driver, stage);
        }
    }
    arena_reset(stage->taken.arena);
    stage->taken.count = 0;
    for (size_t k = 0; k < stage->shard_count; k++) {
        const int64_t time_ms = shard_time(stage->shards[k]);
        if (time_ms <= stage->sent_ms[k])
            continue;
        stage->sent_ms[k] = time_ms;
        send_clock(driver, stage, k);
    }
}

void in_process_run(struct in_process *driver)
{
    driver->fed = 0;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < driver->stage_count; i++) {
            if (driver->stages[i].waiting.count == 0)
                continue;
            stage_run(driver, &driver->stages[i]);
            more = true;
        }
    }
}

void in_process_feed(struct in_process *driver, const struct record *record)
{
    struct record copy = *record;
    const struct span key = record->key.bytes != NULL ? record->key : record->value;
    copy.partition = topic_partition(key, driver->options.partition_count);
    deliver(driver, &copy);
    if (++driver->fed >= driver->options.batch)
        in_process_run(driver);
}

void in_process_clock(struct in_process *driver, int64_t time_ms)
{
    struct buffer value = {0};
    stream_time_clock_write(&value, time_ms, "outside:0", "outside:1");
    const struct header header = {STREAM_TIME_HEADER, buffer_span(&value)};
    for (size_t i = 0; i < driver->stage_count; i++) {
        const struct stage *stage = &driver->stages[i];
        for (size_t k = 0; stage->service->origin && k < stage->input_count; k++) {
            for (int32_t p = 0; p < driver->options.partition_count; p++) {
                struct record record = {.topic = stage->service->inputs[k],
                                        .partition = p,
                                        .headers = &header,
                                        .header_count = 1};
                deliver(driver, &record);
            }
        }
    }
    buffer_fini(&value);
}

const struct catalog *in_process_catalog(const struct in_process *driver)
{
    return driver->catalog;
}

double in_process_count(const struct in_process *driver, const char *service, const char *metric,
                        const char *label)
{
    for (size_t i = 0; i < driver->stage_count; i++) {
        if (strcmp(driver->stages[i].service->name, service) == 0)
            return metric_value(driver->stages[i].metrics, metric, label);
    }
    UNREACHABLE("no such service in this process");
}

static void keep(struct table *saved, struct span field, struct span bytes)
{
    struct buffer *old = table_remove(saved, field);
    if (old != NULL) {
        buffer_fini(old);
        heap_release(old);
    }
    if (bytes.bytes == NULL)
        return;
    struct buffer *entry = heap_zeroed(1, sizeof *entry);
    buffer_append_span(entry, bytes);
    (void)table_put(saved, field, entry);
}

static void save_shard(struct in_process *driver, struct stage *stage, size_t index)
{
    shard_save(stage->shards[index], driver->changes);
    for (size_t i = 0; i < changes_size(driver->changes); i++) {
        const struct change *change = changes_at(driver->changes, i);
        keep(stage->saved[index], change->field, change->bytes);
    }
    changes_clear(driver->changes);
}

void in_process_state(struct in_process *driver, struct buffer *out)
{
    for (size_t i = 0; i < driver->stage_count; i++) {
        struct stage *stage = &driver->stages[i];
        for (size_t k = 0; k < stage->shard_count; k++) {
            save_shard(driver, stage, k);
            buffer_format(out, "%s %zu ", stage->service->name, k);
            shard_positions_write(stage->shards[k], out);
            struct table_entry *entries = table_sorted(stage->saved[k]);
            for (size_t e = 0; e < table_count(stage->saved[k]); e++) {
                buffer_append_byte(out, '\n');
                buffer_append_span(out, entries[e].key);
                buffer_append_byte(out, '=');
                buffer_append_span(out, buffer_span(entries[e].value));
            }
            buffer_append_byte(out, '\n');
            heap_release(entries);
        }
    }
}

static enum fault shard_reborn(struct in_process *driver, struct stage *stage, size_t index)
{
    save_shard(driver, stage, index);
    struct buffer positions = {0};
    shard_positions_write(stage->shards[index], &positions);
    struct shard *fresh = shard_of(driver, stage, index);
    ENSURE(shard_positions_read(fresh, buffer_span(&positions)));
    buffer_fini(&positions);
    enum fault fault = FAULT_NONE;
    size_t cursor = 0;
    struct span field;
    for (const struct buffer *entry;
         fault == FAULT_NONE && (entry = table_next(stage->saved[index], &cursor, &field)) != NULL;)
        fault = shard_load(fresh, field, buffer_span(entry));
    shard_destroy(stage->shards[index]);
    stage->shards[index] = fresh;
    return fault;
}

enum fault in_process_restore(struct in_process *driver, const char *service)
{
    for (size_t i = 0; i < driver->stage_count; i++) {
        struct stage *stage = &driver->stages[i];
        if (strcmp(stage->service->name, service) != 0)
            continue;
        for (size_t k = 0; k < stage->shard_count; k++) {
            const enum fault fault = shard_reborn(driver, stage, k);
            if (fault != FAULT_NONE)
                return fault;
        }
    }
    return FAULT_NONE;
}

static void stage_close(struct stage *stage)
{
    for (size_t i = 0; i < stage->shard_count; i++) {
        shard_destroy(stage->shards[i]);
        size_t cursor = 0;
        for (struct buffer *entry; (entry = table_next(stage->saved[i], &cursor, NULL)) != NULL;) {
            buffer_fini(entry);
            heap_release(entry);
        }
        table_destroy(stage->saved[i]);
    }
    heap_release(stage->shards);
    heap_release(stage->sent_ms);
    heap_release(stage->saved);
    heap_release(stage->set);
    metric_set_destroy(stage->metrics);
    arena_destroy(stage->waiting.arena);
    arena_destroy(stage->taken.arena);
    heap_release(stage->waiting.entries);
    heap_release(stage->taken.entries);
}

void in_process_destroy(struct in_process *driver)
{
    if (driver == NULL)
        return;
    for (size_t i = 0; i < driver->stage_count; i++)
        stage_close(&driver->stages[i]);
    outputs_destroy(driver->outputs);
    changes_destroy(driver->changes);
    catalog_destroy(driver->catalog);
    heap_release(driver->offsets);
    heap_release(driver);
}
