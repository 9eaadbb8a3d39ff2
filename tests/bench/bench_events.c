/* bench_events.c: fills a topic with inference events, Avro in single-object encoding, as a serving
 * app would that logs at the broker's speed; or (--file) writes their reference as CSV.
 *
 *   bench_events --bootstrap H:P --topic inference.events --count N
 *   bench_events --file reference.csv --count N
 *
 * DISTINCT different records are encoded once; each event is one of them under an id and a time of
 * its own, which lie at known places: the id has always 36 bytes, a time of our days always 6.
 */
#include "avro/datum.h"
#include "avro/wire.h"
#include "bench_client.h"
#include "clock/wall.h"
#include "kafka/topic.h"
#include "memory/heap.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DISTINCT = 4096, COLUMNS = 8, ID_SIZE = 36, TIME_SIZE = 6, FLUSH_MS = 60000 };
/* Frame, length of the id (72 in zigzag: one byte), id, request_id's branch, time. */
enum { ID_AT = WIRE_FRAME_SIZE + 1, TIME_AT = ID_AT + ID_SIZE + 1 };

static const char id_first[] = "00000000-0000-4000-8000-000000000000";
static const char *const regions[] = {"north", "south", "east", "west", "centre"};
static const char *const devices[] = {"phone", "tablet", "desktop", "other"};

struct row {
    double columns[COLUMNS];
    const char *region, *device;
    double score;
};

static uint64_t draw(uint64_t *state) /* splitmix64 */
{
    uint64_t mixed = (*state += UINT64_C(0x9e3779b97f4a7c15));
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

static double share(uint64_t *state) /* [0, 1) */
{
    return (double)(draw(state) >> 11) * 0x1p-53;
}

/* Bell-shaped (a sum of four), so that cells are not equally full of equally wide values. */
static struct row row_draw(uint64_t *state)
{
    struct row row = {0};
    for (size_t i = 0; i < COLUMNS; i++)
        row.columns[i] = (share(state) + share(state) + share(state) + share(state)) / 4;
    row.region = regions[draw(state) % (sizeof regions / sizeof regions[0])];
    row.device = devices[draw(state) % (sizeof devices / sizeof devices[0])];
    row.score = round(share(state) * 1000) / 1000;
    return row;
}

static json_t *event_of(const struct row *row, int64_t time_ms)
{
    json_t *features = json_object();
    char name[16];
    for (int i = 0; i < COLUMNS; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        (void)json_object_set_new(features, name, json_real(row->columns[i]));
    }
    (void)json_object_set_new(features, "region", json_string(row->region));
    (void)json_object_set_new(features, "device", json_string(row->device));
    return json_pack("{s:s, s:I, s:s, s:s, s:o, s:i, s:{s:f, s:f}, s:f, s:f}", "event_id", id_first,
                     "event_time", (json_int_t)time_ms, "model_name", "bench", "model_version", "1",
                     "features", features, "prediction", row->score >= 0.5, "scores", "up",
                     row->score, "down", 1 - row->score, "confidence", row->score, "latency_ms",
                     row->score * 20);
}

static struct buffer encoded(const struct schema *schema, uint64_t *state, int64_t time_ms)
{
    const struct row row = row_draw(state);
    json_t *event = event_of(&row, time_ms);
    struct buffer bytes = {0};
    struct reason reason;
    wire_write_frame(&bytes, schema_fingerprint(schema));
    if (datum_encode(schema, event, &bytes, &reason) != FAULT_NONE)
        bench_fail("encode", reason.text);
    json_decref(event);
    ENSURE(memcmp(bytes.bytes + ID_AT, id_first, ID_SIZE) == 0);
    return bytes;
}

static void put_id(uint8_t *place, int64_t number)
{
    for (int i = ID_SIZE - 1; i >= ID_SIZE - 12; i--, number /= 10)
        place[i] = (uint8_t)('0' + number % 10);
}

static void put_time(uint8_t *place, int64_t time_ms)
{
    uint64_t rest = (uint64_t)time_ms << 1;
    for (int i = 0; i < TIME_SIZE; i++, rest >>= 7)
        place[i] = (uint8_t)((rest & 0x7f) | (i + 1 < TIME_SIZE ? 0x80u : 0));
    ENSURE(rest == 0);
}

static void produce(rd_kafka_t *producer, const char *topic, int32_t partition,
                    const struct buffer *bytes)
{
    const rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {.ptr = bytes->bytes + ID_AT, .size = ID_SIZE}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {.ptr = bytes->bytes, .size = bytes->size}},
    };
    rd_kafka_error_t *error;
    while ((error = rd_kafka_produceva(producer, fields, 5)) != NULL) {
        if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            bench_require("produce", error);
        rd_kafka_error_destroy(error);
        (void)rd_kafka_poll(producer, 50);
    }
}

static uint64_t failed_count;

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    (void)opaque;
    failed_count += message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static int fill(const struct bench_options *options)
{
    const struct schema *schema = schema_embedded("inference.events");
    struct buffer *distinct = heap_zeroed(DISTINCT, sizeof *distinct);
    uint64_t state = 1;
    for (size_t i = 0; i < DISTINCT; i++)
        distinct[i] = encoded(schema, &state, wall_now_ms());
    rd_kafka_t *producer = bench_producer(options, NULL, on_delivery);
    struct bench_reading reading = bench_reading_begin(producer, options->topic);
    reading.first_ns = monotonic_now_ns();
    for (; reading.events < options->count; reading.events++) {
        const struct buffer *bytes = &distinct[reading.events % DISTINCT];
        put_id(bytes->bytes + ID_AT, reading.events);
        put_time(bytes->bytes + TIME_AT, wall_now_ms());
        const struct span key = {bytes->bytes + ID_AT, ID_SIZE};
        produce(producer, options->topic, topic_partition(key, reading.partitions), bytes);
        if (reading.events % 256 == 0)
            (void)rd_kafka_poll(producer, 0);
    }
    if (rd_kafka_flush(producer, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR || failed_count > 0)
        bench_fail("produce", "some were not delivered");
    reading.last_ns = monotonic_now_ns();
    bench_print("events", &reading);
    rd_kafka_destroy(producer);
    for (size_t i = 0; i < DISTINCT; i++)
        buffer_fini(&distinct[i]);
    heap_release(distinct);
    return 0;
}

static int write_reference(const struct bench_options *options)
{
    FILE *file = fopen(options->file, "w");
    if (file == NULL)
        bench_fail(options->file, "cannot be written");
    uint64_t state = 2;
    for (int i = 0; i < COLUMNS; i++)
        (void)fprintf(file, "n%d,", i);
    (void)fprintf(file, "region,device,label,prediction,score\n");
    for (int64_t k = 0; k < options->count; k++) {
        const struct row row = row_draw(&state);
        for (int i = 0; i < COLUMNS; i++)
            (void)fprintf(file, "%.17g,", row.columns[i]);
        const int up = row.score >= 0.5;
        (void)fprintf(file, "%s,%s,%d,%d,%.3f\n", row.region, row.device, up, up, row.score);
    }
    return fclose(file) == 0 ? 0 : 70;
}

int main(int argc, char *argv[])
{
    struct bench_options options;
    if (!bench_options_read(argc, argv, &options) || options.count <= 0)
        return 2;
    return options.file != NULL ? write_reference(&options) : fill(&options);
}
