/* bench_events.c: fills a topic with inference events, Avro in single-object encoding, as a serving
 * app would that logs at the broker's speed; or (--file) writes their reference as CSV.
 *
 *   bench_events --bootstrap H:P --topic inference.events --count N
 *   bench_events --file reference.csv --count N
 *
 * DISTINCT different records (bench_record.h) are encoded once; each event is one of them under an
 * id and a time of its own. Their schema goes into model.schemas first.
 */
#include "avro/datum.h"
#include "avro/wire.h"
#include "bench_client.h"
#include "bench_record.h"
#include "clock/wall.h"
#include "kafka/topic.h"
#include "memory/heap.h"

#include <stdio.h>
#include <string.h>

enum {
    DISTINCT = 4096,
    FLUSH_MS = 60000,
    ID_AT = WIRE_FRAME_SIZE + BENCH_RECORD_ID_AT,
    ID_SIZE = BENCH_RECORD_ID_SIZE,
    TIME_AT = WIRE_FRAME_SIZE + BENCH_RECORD_TIME_AT,
    TIME_SIZE = BENCH_RECORD_TIME_SIZE
};

static struct buffer encoded(const struct schema *schema, uint64_t *state)
{
    const struct bench_record record = bench_record_draw(state);
    struct buffer bytes = {0};
    wire_write_frame(&bytes, schema_fingerprint(schema));
    bench_record_encode(&record, schema, &bytes);
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

static void produce(rd_kafka_t *producer, const char *topic, int32_t partition, struct span key,
                    struct span value)
{
    const rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = (void *)(uintptr_t)key.bytes, .size = key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = (void *)(uintptr_t)value.bytes, .size = value.size}},
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

/* As the validator publishes schemas: key and value by schemas/model.schemas.avsc. */
static void announce(rd_kafka_t *producer, const struct schema *schema)
{
    const struct schema *table = schema_embedded("model.schemas");
    const struct span text = schema_text(schema);
    char digits[17];
    struct buffer value = {0};
    struct reason reason = {""};
    (void)snprintf(digits, sizeof digits, "%016llx",
                   (unsigned long long)schema_fingerprint(schema));
    json_t *record = json_pack("{s:s, s:s, s:s%}", "fingerprint", digits, "topic",
                               "inference.events", "text", (const char *)text.bytes, text.size);
    wire_write_frame(&value, schema_fingerprint(table));
    if (datum_encode(table, record, &value, &reason) != FAULT_NONE)
        bench_fail("encode", reason.text);
    produce(producer, "model.schemas", 0, span_text(digits), buffer_span(&value));
    if (rd_kafka_flush(producer, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        bench_fail("produce", "the schema was not delivered");
    json_decref(record);
    buffer_fini(&value);
}

static int fill(const struct bench_options *options)
{
    struct schema *schema = bench_record_schema();
    struct buffer *distinct = heap_zeroed(DISTINCT, sizeof *distinct);
    uint64_t state = 1;
    for (size_t i = 0; i < DISTINCT; i++)
        distinct[i] = encoded(schema, &state);
    rd_kafka_t *producer = bench_producer(options, NULL, on_delivery);
    announce(producer, schema);
    struct bench_reading reading = bench_reading_begin(producer, options->topic);
    reading.first_ns = monotonic_now_ns();
    for (; reading.events < options->count; reading.events++) {
        const struct buffer *bytes = &distinct[reading.events % DISTINCT];
        put_id(bytes->bytes + ID_AT, reading.events);
        put_time(bytes->bytes + TIME_AT, wall_now_ms());
        const struct span key = {bytes->bytes + ID_AT, ID_SIZE};
        produce(producer, options->topic, topic_partition(key, reading.partitions), key,
                buffer_span(bytes));
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
    schema_destroy(schema);
    return 0;
}

static int write_reference(const struct bench_options *options)
{
    FILE *file = fopen(options->file, "w");
    if (file == NULL)
        bench_fail(options->file, "cannot be written");
    uint64_t state = 2;
    for (int i = 0; i < BENCH_RECORD_NUMBERS; i++)
        (void)fprintf(file, "n%d,", i);
    for (int i = 0; i < BENCH_RECORD_TEXTS; i++)
        (void)fprintf(file, "c%d,", i);
    (void)fprintf(file, "label,prediction\n");
    for (int64_t k = 0; k < options->count; k++) {
        const struct bench_record record = bench_record_draw(&state);
        for (int i = 0; i < BENCH_RECORD_NUMBERS; i++)
            (void)fprintf(file, "%.17g,", record.numbers[i]);
        for (int i = 0; i < BENCH_RECORD_TEXTS; i++)
            (void)fprintf(file, "%s,", record.texts[i]);
        const char *answer = record.is_fraud ? "fraud" : "legit";
        (void)fprintf(file, "%s,%s\n", answer, answer);
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
