#include "bench_record.h"
#include "avro/datum.h"
#include "bench_client.h"

#include <math.h>

static const char *const texts[BENCH_RECORD_TEXTS][4] = {
    {"western", "eastern", "central", "coastal"},
    {"desktop", "android", "console", "browser"},
    {"weekday", "weekend", "holiday", "evening"},
    {"premium", "classic", "starter", "student"},
};

struct schema *bench_record_schema(void)
{
    struct buffer text = {0};
    buffer_format(&text,
                  "{\"type\":\"record\",\"name\":\"bench.Event\",\"fields\":["
                  "{\"name\":\"event_id\",\"type\":\"string\"},"
                  "{\"name\":\"event_time\",\"type\":{\"type\":\"long\",\"logicalType\":"
                  "\"timestamp-millis\"}},"
                  "{\"name\":\"model_name\",\"type\":\"string\"},"
                  "{\"name\":\"model_version\",\"type\":\"string\"},"
                  "{\"name\":\"entity_id\",\"type\":\"string\"},"
                  "{\"name\":\"prediction\",\"type\":\"string\"},"
                  "{\"name\":\"latency_ms\",\"type\":\"double\"},"
                  "{\"name\":\"features\",\"type\":{\"type\":\"record\",\"name\":\"Features\","
                  "\"fields\":[");
    for (int i = 0; i < BENCH_RECORD_NUMBERS; i++)
        buffer_format(&text, "{\"name\":\"n%d\",\"type\":[\"null\",\"double\"]},", i);
    for (int i = 0; i < BENCH_RECORD_TEXTS; i++)
        buffer_format(&text, "%s{\"name\":\"c%d\",\"type\":[\"null\",\"string\"]}",
                      i == 0 ? "" : ",", i);
    buffer_format(&text, "]}},{\"name\":\"confidence\",\"type\":[\"null\",\"double\"]}]}");
    struct schema *schema = NULL;
    struct reason reason = {""};
    if (schema_parse(buffer_span(&text), &schema, &reason) != FAULT_NONE)
        bench_fail("schema", reason.text);
    buffer_fini(&text);
    return schema;
}

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
struct bench_record bench_record_draw(uint64_t *state)
{
    struct bench_record record = {.score = round(share(state) * 1000) / 1000};
    record.is_fraud = record.score >= 0.5;
    for (size_t i = 0; i < BENCH_RECORD_NUMBERS; i++)
        record.numbers[i] = (share(state) + share(state) + share(state) + share(state)) / 4;
    for (size_t i = 0; i < BENCH_RECORD_TEXTS; i++)
        record.texts[i] = texts[i][draw(state) % 4];
    return record;
}

void bench_record_encode(const struct bench_record *record, const struct schema *schema,
                         struct buffer *out)
{
    json_t *features = json_object();
    char name[16];
    for (int i = 0; i < BENCH_RECORD_NUMBERS; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        (void)json_object_set_new(features, name, json_real(record->numbers[i]));
    }
    for (int i = 0; i < BENCH_RECORD_TEXTS; i++) {
        (void)snprintf(name, sizeof name, "c%d", i);
        (void)json_object_set_new(features, name, json_string(record->texts[i]));
    }
    json_t *event =
        json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:f, s:o, s:f}", "event_id",
                  "00000000-0000-4000-8000-000000000000", "event_time", (json_int_t)1700000000000,
                  "model_name", "bench", "model_version", "17", "entity_id", "customer-0417",
                  "prediction", record->is_fraud ? "fraud" : "legit", "latency_ms",
                  record->score * 20, "features", features, "confidence", record->score);
    const size_t before = out->size;
    struct reason reason = {""};
    if (datum_encode(schema, event, out, &reason) != FAULT_NONE)
        bench_fail("encode", reason.text);
    json_decref(event);
    ENSURE(out->size - before == BENCH_RECORD_SIZE);
}
