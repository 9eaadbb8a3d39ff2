/* bench_decode.c: what reading an event's bytes costs, and no more: records in memory, in turn.
 *
 *   bench_decode decode|decode-projected|decode-avro-c --count N
 *   bench_decode records      the schema on a line, then all records (decode_python.py reads them)
 *
 * The record has 28 fields and 269 bytes: 7 of the envelope, 16 nullable doubles, 4 nullable texts,
 * a nullable confidence. decode wants all of them, decode-projected ten (three of the envelope, six
 * numbers, one text), decode-avro-c is avro_value_read into one value. Every value read goes into a
 * sum, so that none is optimised away. Prints the job's line, then `allocations JOB PER_EVENT`:
 * calls of our own code to malloc and its kin (--wrap) while records are read.
 */
#include "avro/datum.h"
#include "avro/plan.h"
#include "avro/wire.h"
#include "bench_avro_c.h"
#include "bench_client.h"
#include "clock/wall.h"
#include "memory/heap.h"

enum { DISTINCT = 1024, NUMBERS = 16, TEXTS = 4, FIELDS = 28, RECORD_SIZE = 269, PROJECTED = 10 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
static uint64_t allocation_count;

void *__wrap_malloc(size_t size)
{
    allocation_count++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocation_count++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    allocation_count++;
    return __real_realloc(memory, size);
}

static const char *const envelope[] = {"event_id",  "event_time", "model_name", "model_version",
                                       "entity_id", "latency_ms", "prediction"};
static const char *const projected[PROJECTED] = {
    "event_id", "event_time", "model_name", "n0", "n1", "n2", "n3", "n4", "n5", "t0"};

static void write_schema(struct buffer *out)
{
    buffer_format(out, "{\"type\":\"record\",\"name\":\"Event\",\"fields\":["
                       "{\"name\":\"event_id\",\"type\":\"string\"},"
                       "{\"name\":\"event_time\",\"type\":{\"type\":\"long\",\"logicalType\":"
                       "\"timestamp-millis\"}},"
                       "{\"name\":\"model_name\",\"type\":\"string\"},"
                       "{\"name\":\"model_version\",\"type\":\"string\"},"
                       "{\"name\":\"entity_id\",\"type\":\"string\"},"
                       "{\"name\":\"latency_ms\",\"type\":\"double\"},"
                       "{\"name\":\"prediction\",\"type\":\"string\"}");
    for (int i = 0; i < NUMBERS; i++)
        buffer_format(out, ",{\"name\":\"n%d\",\"type\":[\"null\",\"double\"]}", i);
    for (int i = 0; i < TEXTS; i++)
        buffer_format(out, ",{\"name\":\"t%d\",\"type\":[\"null\",\"string\"]}", i);
    buffer_format(out, ",{\"name\":\"confidence\",\"type\":[\"null\",\"double\"]}]}");
}

static uint64_t draw(uint64_t *state) /* splitmix64 */
{
    uint64_t mixed = (*state += UINT64_C(0x9e3779b97f4a7c15));
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

static json_t *record_of(uint64_t *state)
{
    char id[64], entity[64], name[8];
    (void)snprintf(id, sizeof id, "%08x-0000-4000-8000-%012x", (unsigned)draw(state),
                   (unsigned)draw(state));
    (void)snprintf(entity, sizeof entity, "customer-%04u", (unsigned)(draw(state) % 10000));
    json_t *record =
        json_pack("{s:s, s:I, s:s, s:s, s:s, s:f, s:s, s:f}", "event_id", id, "event_time",
                  (json_int_t)(1700000000000 + (int64_t)(draw(state) % 1000000)), "model_name",
                  "fraud", "model_version", "17", "entity_id", entity, "latency_ms",
                  (double)(draw(state) % 100000) / 1024, "prediction", "legit", "confidence",
                  (double)(draw(state) % 100000) / 131072);
    for (int i = 0; i < NUMBERS; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        (void)json_object_set_new(record, name, json_real((double)draw(state) / 3));
    }
    for (int i = 0; i < TEXTS; i++) {
        static const char *const texts[] = {"north  ", "south  ", "east   ", "west   "};
        (void)snprintf(name, sizeof name, "t%d", i);
        (void)json_object_set_new(record, name, json_string(texts[draw(state) % 4]));
    }
    return record;
}

struct input {
    struct buffer schema;
    struct schema *parsed;
    uint8_t (*records)[RECORD_SIZE]; /* [DISTINCT] */
};

static void make_input(struct input *input)
{
    struct reason reason = {""};
    uint64_t state = 1;
    struct buffer bytes = {0};
    write_schema(&input->schema);
    if (schema_parse(buffer_span(&input->schema), &input->parsed, &reason) != FAULT_NONE)
        bench_fail("schema", reason.text);
    input->records = heap_zeroed(DISTINCT, RECORD_SIZE);
    for (size_t i = 0; i < DISTINCT; i++) {
        json_t *record = record_of(&state);
        buffer_clear(&bytes);
        if (datum_encode(input->parsed, record, &bytes, &reason) != FAULT_NONE)
            bench_fail("encode", reason.text);
        if (bytes.size != RECORD_SIZE)
            bench_fail("encode", "the record has another size than it should have");
        memcpy(input->records[i], bytes.bytes, RECORD_SIZE);
        json_decref(record);
    }
    buffer_fini(&bytes);
}

static struct plan *make_plan(const struct input *input, bool all)
{
    const struct schema_node *record = schema_root(input->parsed);
    const size_t count = all ? FIELDS : PROJECTED;
    const char *names[FIELDS];
    struct plan_path paths[FIELDS];
    struct plan_want wants[FIELDS] = {{.path_count = 0}};
    ENSURE(record->field_count == FIELDS);
    ENSURE(strcmp(record->fields[0].name, envelope[0]) == 0);
    for (size_t i = 0; i < count; i++) {
        names[i] = all ? record->fields[i].name : projected[i];
        paths[i] = (struct plan_path){&names[i], 1};
        wants[i] = (struct plan_want){.paths = &paths[i], .path_count = 1, .required = true};
    }
    struct plan *plan = NULL;
    struct reason reason = {""};
    if (plan_create(input->parsed, wants, count, &plan, &reason) != FAULT_NONE)
        bench_fail("plan", reason.text);
    return plan;
}

static double run_plan(struct plan *plan, const struct input *input, int64_t count, size_t wanted)
{
    double sum = 0;
    struct reason reason = {""};
    const struct value *values = plan_values(plan);
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *record = input->records[i % DISTINCT];
        if (plan_run(plan, span_of(record, RECORD_SIZE), &reason) != FAULT_NONE)
            bench_fail("read", reason.text);
        sum += values[wanted - 1].kind == VALUE_DOUBLE ? values[wanted - 1].number
                                                       : (double)values[wanted - 1].text.size;
    }
    return sum;
}

static double run_avro_c(const struct input *input, int64_t count)
{
    const struct span schema = buffer_span(&input->schema);
    struct bench_avro_c *rival = bench_avro_c_open((const char *)schema.bytes, schema.size);
    ENSURE(rival != NULL);
    for (int64_t i = 0; i < count; i++)
        if (!bench_avro_c_read(rival, input->records[i % DISTINCT], RECORD_SIZE))
            bench_fail("read", "avro-c refuses it");
    bench_avro_c_close(rival);
    return 0;
}

static void print_records(const struct input *input)
{
    (void)fwrite(input->schema.bytes, 1, input->schema.size, stdout);
    (void)fputc('\n', stdout);
    (void)fwrite(input->records, RECORD_SIZE, DISTINCT, stdout);
}

static void measure(const char *job, const struct input *input, int64_t count)
{
    const bool is_rival = strcmp(job, "decode-avro-c") == 0, all = strcmp(job, "decode") == 0;
    struct plan *plan = make_plan(input, all);
    const uint64_t allocations_before = allocation_count;
    struct bench_reading reading = {.events = count, .first_ns = monotonic_now_ns()};
    const double sum = is_rival ? run_avro_c(input, count)
                                : run_plan(plan, input, count, all ? FIELDS : PROJECTED);
    reading.last_ns = monotonic_now_ns();
    const uint64_t allocations = allocation_count - allocations_before;
    bench_print(job, &reading);
    (void)fprintf(stderr, "sum %g\n", sum);
    if (!is_rival)
        (void)printf("allocations %s %.6f\n", job, (double)allocations / (double)count);
    plan_destroy(plan);
}

int main(int argc, char *argv[])
{
    struct bench_options options;
    static const char *const jobs[] = {"decode", "decode-projected", "decode-avro-c"};
    const char *job = argc < 2 ? "" : argv[1];
    bool is_known = strcmp(job, "records") == 0;
    struct input input = {.parsed = NULL};
    if (is_known) {
        make_input(&input);
        print_records(&input);
    }
    for (size_t i = 0; i < COUNT_OF(jobs) && !is_known; i++) {
        if (strcmp(job, jobs[i]) != 0)
            continue;
        if (!bench_options_read(argc - 1, argv + 1, &options) || options.count < 1)
            return 2;
        is_known = true;
        make_input(&input);
        measure(job, &input, options.count);
    }
    schema_destroy(input.parsed);
    buffer_fini(&input.schema);
    heap_release(input.records);
    return is_known ? 0 : 2;
}
