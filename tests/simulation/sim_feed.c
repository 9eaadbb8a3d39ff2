#include "sim_feed.h"
#include "service/stream_time.h"
#include "services_fixture.h"
#include "sim_kafka.h"
#include "sim_process.h"

enum { INTERVAL_MS = 40 };

static uint64_t draw(struct sim_feed *feed, uint64_t below)
{
    return fixture_random(feed->random) % below;
}

static void produce(const struct record *record)
{
    const char *topic = topic_row(record->topic)->name;
    const struct span key = record->key.bytes != NULL ? record->key : record->value;
    const int32_t partition = topic_partition(key, sim_kafka_partitions(topic));
    (void)sim_kafka_append(topic, partition, record->key, record->value, record->headers,
                           record->header_count);
}

void sim_feed_tables(const struct sim_log *log)
{
    for (size_t i = 0; i < log->table_count; i++)
        produce(&log->tables[i]);
}

static void send_clock(const struct sim_feed *feed, int64_t time_ms)
{
    static const enum topic topics[] = {TOPIC_INFERENCE_EVENTS, TOPIC_GROUND_TRUTH};
    struct buffer value = {0};
    stream_time_clock_write(&value, time_ms, "outside:0", "outside:1");
    const struct header header = {STREAM_TIME_HEADER, buffer_span(&value)};
    for (size_t i = 0; i < COUNT_OF(topics); i++) {
        for (int32_t p = 0; p < feed->partitions; p++)
            (void)sim_kafka_append(topic_row(topics[i])->name, p, span_text("plumb-clock:outside"),
                                   (struct span){0}, &header, 1);
    }
    buffer_fini(&value);
}

static void send_batch(struct sim_feed *feed, bool faults_are_over)
{
    const struct sim_log *log = feed->log;
    size_t size = (size_t)draw(feed, 2 * feed->batch) + 1;
    if (!faults_are_over && feed->fed > log->count / 10 * 9)
        size = feed->fed + 1 < log->count ? draw(feed, 4) == 0 : 0;
    for (size_t i = 0; i < size && feed->fed < log->count; i++)
        produce(&log->records[feed->fed++]);
    if (size > 0)
        send_clock(feed, log->records[feed->fed - 1].arrival_ms);
    feed->at_ms = sim_clock_now_ms() + INTERVAL_MS;
    if (feed->fed < log->count)
        return;
    send_clock(feed, log->close_ms);
    feed->at_ms = INT64_MAX;
}

/* To the millisecond, or some together, as a producer that lingers. */
static void send_due(struct sim_feed *feed)
{
    const struct sim_log *log = feed->log;
    const int64_t now_ms = sim_clock_now_ms();
    while (feed->fed < log->count && log->records[feed->fed].arrival_ms <= now_ms)
        produce(&log->records[feed->fed++]);
    feed->at_ms = INT64_MAX;
    if (feed->fed < log->count)
        feed->at_ms = log->records[feed->fed].arrival_ms +
                      (draw(feed, 4) == 0 ? 0 : (int64_t)draw(feed, 2 * INTERVAL_MS));
}

void sim_feed_go_on(struct sim_feed *feed, bool faults_are_over)
{
    if (feed->log->arrival == SIM_ARRIVAL_BROKER)
        send_due(feed);
    else
        send_batch(feed, faults_are_over);
}
