#include "sim_expected.h"
#include "avro/wire.h"
#include "memory/heap.h"
#include "model/enrichment.h"
#include "service/in_process.h"
#include "sim_kafka.h"
#include "sim_schemas.h"

#include <stdlib.h>

/* A record of the log and when it arrived. */
struct arrived {
    int64_t arrival_ms;
    size_t line;
};

/* Which line stands where: an input partition holds records of the log and nothing else. */
struct place {
    enum topic topic;
    int32_t partition;
    size_t *lines; /* owned, [count]: by offset */
    size_t count;
};

static struct place place_read(enum topic topic, int32_t partition, struct arrived *arrived,
                               size_t line_count)
{
    struct place place = {.topic = topic, .partition = partition};
    const char *name = topic_row(topic)->name;
    place.lines =
        heap_zeroed((size_t)sim_kafka_end_offset(name, partition) + 1, sizeof *place.lines);
    int64_t cursor = 0;
    struct sim_kafka_record one;
    while (sim_kafka_read(name, partition, &cursor, &one)) {
        const struct record record = {.headers = one.headers, .header_count = one.header_count};
        const struct header *header = record_header(&record, "plumb-line");
        char text[24] = "";
        REQUIRE(header != NULL && header->value.size < sizeof text);
        memcpy(text, header->value.bytes, header->value.size);
        const size_t line = (size_t)strtoull(text, NULL, 10);
        REQUIRE(line < line_count && (size_t)one.offset == place.count);
        place.lines[place.count++] = line;
        arrived[line].arrival_ms = one.time_ms;
    }
    return place;
}

/* source: "inference.events:3". */
static const struct place *place_find(const struct place *places, size_t count, struct span source)
{
    for (size_t i = 0; i < count; i++) {
        char name[80];
        (void)snprintf(name, sizeof name, "%s:%d", topic_row(places[i].topic)->name,
                       (int)places[i].partition);
        if (span_is(source, name))
            return &places[i];
    }
    UNREACHABLE("what is validated comes from an input");
}

static void read_stamps(const struct place *places, size_t count, struct arrived *arrived)
{
    const char *name = topic_row(TOPIC_INFERENCE_VALIDATED)->name;
    struct enrichment enrichment = {0};
    for (int32_t p = 0; p < sim_kafka_partitions(name); p++) {
        int64_t cursor = 0;
        struct sim_kafka_record one;
        while (sim_kafka_read(name, p, &cursor, &one)) {
            uint64_t fingerprint;
            struct span body;
            size_t used;
            if (one.value.bytes == NULL) /* a clock */
                continue;
            REQUIRE(wire_read_frame(one.value, &fingerprint, &body));
            REQUIRE(enrichment_read(body, &enrichment, &used) == FAULT_NONE);
            const struct place *place = place_find(places, count, enrichment.source);
            REQUIRE((size_t)enrichment.offset < place->count);
            arrived[place->lines[enrichment.offset]].arrival_ms = enrichment.arrival_ms;
        }
    }
    enrichment_fini(&enrichment);
}

static int compare(const void *left, const void *right)
{
    const struct arrived *a = left, *b = right;
    if (a->arrival_ms != b->arrival_ms)
        return a->arrival_ms < b->arrival_ms ? -1 : 1;
    return a->line < b->line ? -1 : a->line > b->line;
}

/* Lines of the log as they arrived. */
static struct arrived *arrived_create(const struct sim_log *log)
{
    static const enum topic topics[] = {TOPIC_INFERENCE_EVENTS, TOPIC_GROUND_TRUTH};
    struct arrived *arrived = heap_zeroed(log->count, sizeof *arrived);
    for (size_t i = 0; i < log->count; i++)
        arrived[i] = (struct arrived){log->records[i].arrival_ms, i};
    if (log->arrival == SIM_ARRIVAL_HEADER)
        return arrived;
    struct place *places = NULL;
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(topics); i++) {
        for (int32_t p = 0; p < sim_kafka_partitions(topic_row(topics[i])->name); p++) {
            places = heap_resized(places, count + 1, sizeof *places);
            places[count++] = place_read(topics[i], p, arrived, log->count);
        }
    }
    read_stamps(places, count, arrived);
    for (size_t i = 0; i < count; i++)
        heap_release(places[i].lines);
    heap_release(places);
    qsort(arrived, log->count, sizeof *arrived, compare);
    return arrived;
}

static void on_output(void *context, const struct record *record)
{
    sim_dump_expected(context, record);
}

void sim_expected_run(const struct service *const *services, const struct sim_log *log,
                      struct sim_dump *dump)
{
    struct option_set *given = sim_log_options(log, services[0]->options);
    const struct in_process_options options = {.lookup = &sim_schemas_lookup,
                                               .services = services,
                                               .partition_count = 1,
                                               .batch = 1000,
                                               .options = given,
                                               .on_output = on_output,
                                               .context = dump};
    struct in_process *driver = in_process_create(&options);
    for (size_t i = 0; i < log->table_count; i++) {
        struct reason reason;
        ENSURE(in_process_table(driver, &log->tables[i], &reason) == FAULT_NONE);
    }
    struct arrived *arrived = arrived_create(log);
    for (size_t i = 0; i < log->count; i++) {
        struct record record = log->records[arrived[i].line];
        record.arrival_ms = arrived[i].arrival_ms;
        in_process_feed(driver, &record);
    }
    heap_release(arrived);
    in_process_run(driver);
    in_process_clock(driver, log->close_ms);
    in_process_run(driver);
    in_process_destroy(driver);
    option_set_destroy(given);
}
