/* bench_decode.c: what reading an event's bytes costs, and no more: records in memory, in turn.
 *
 *   bench_decode decode|decode-projected|decode-avro-c --count N
 *   bench_decode records      the schema on a line, then all records (decode_python.py reads them)
 *
 * The records are those of bench_record.h. decode wants all of them, decode-projected ten (three of
 * the envelope, six numbers, one text), decode-avro-c is avro_value_read into one value. Every
 * value read goes into a sum, so that none is optimised away. Prints the job's line, then
 * `allocations JOB PER_EVENT`: calls of our own code to malloc and its kin (--wrap) while records
 * are read.
 */
#include "avro/plan.h"
#include "bench_avro_c.h"
#include "bench_client.h"
#include "bench_record.h"
#include "clock/wall.h"
#include "memory/heap.h"

enum { DISTINCT = 1024, PROJECTED = 10 };

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

struct input {
    struct schema *schema;
    uint8_t (*records)[BENCH_RECORD_SIZE]; /* owned, [DISTINCT] */
};

static void make_input(struct input *input)
{
    uint64_t state = 1;
    struct buffer bytes = {0};
    input->schema = bench_record_schema();
    input->records = heap_zeroed(DISTINCT, BENCH_RECORD_SIZE);
    for (size_t i = 0; i < DISTINCT; i++) {
        const struct bench_record record = bench_record_draw(&state);
        buffer_clear(&bytes);
        bench_record_encode(&record, input->schema, &bytes);
        memcpy(input->records[i], bytes.bytes, BENCH_RECORD_SIZE);
    }
    buffer_fini(&bytes);
}

/* Fields of the record and of its features, in their order: all, or ten of the 28. */
struct wishes {
    const char *segments[BENCH_RECORD_FIELDS][2];
    struct plan_path paths[BENCH_RECORD_FIELDS];
    struct plan_want wants[BENCH_RECORD_FIELDS];
    size_t count;
};

static bool is_projected(const char *name)
{
    static const char *const names[] = {"event_id", "event_time", "model_name", "n0",  "n3",
                                        "n6",       "n9",         "n12",        "n15", "c2"};
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        found = found || strcmp(names[i], name) == 0;
    return found;
}

static void wish(struct wishes *wishes, const struct schema_node *record, const char *within,
                 bool all)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const struct schema_field *field = &record->fields[i];
        if (field->type->kind == SCHEMA_RECORD) {
            wish(wishes, field->type, field->name, all);
            continue;
        }
        if (!all && !is_projected(field->name))
            continue;
        const size_t want = wishes->count++;
        size_t size = 0;
        if (within != NULL)
            wishes->segments[want][size++] = within;
        wishes->segments[want][size++] = field->name;
        wishes->paths[want] = (struct plan_path){wishes->segments[want], size};
        wishes->wants[want] =
            (struct plan_want){.paths = &wishes->paths[want], .path_count = 1, .required = true};
    }
}

static struct plan *make_plan(const struct input *input, bool all, size_t *out_count)
{
    struct wishes wishes = {.count = 0};
    wish(&wishes, schema_root(input->schema), NULL, all);
    ENSURE(wishes.count == (all ? BENCH_RECORD_FIELDS : PROJECTED));
    struct plan *plan = NULL;
    struct reason reason = {""};
    if (plan_create(input->schema, wishes.wants, wishes.count, &plan, &reason) != FAULT_NONE)
        bench_fail("plan", reason.text);
    *out_count = wishes.count;
    return plan;
}

static double run_plan(struct plan *plan, const struct input *input, int64_t count, size_t wanted)
{
    double sum = 0;
    struct reason reason = {""};
    const struct value *values = plan_values(plan);
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *record = input->records[i % DISTINCT];
        if (plan_run(plan, span_of(record, BENCH_RECORD_SIZE), &reason) != FAULT_NONE)
            bench_fail("read", reason.text);
        sum += values[wanted - 1].kind == VALUE_DOUBLE ? values[wanted - 1].number
                                                       : (double)values[wanted - 1].text.size;
    }
    return sum;
}

static double run_avro_c(const struct input *input, int64_t count)
{
    const struct span schema = schema_text(input->schema);
    struct bench_avro_c *rival = bench_avro_c_open((const char *)schema.bytes, schema.size);
    ENSURE(rival != NULL);
    for (int64_t i = 0; i < count; i++)
        if (!bench_avro_c_read(rival, input->records[i % DISTINCT], BENCH_RECORD_SIZE))
            bench_fail("read", "avro-c refuses it");
    bench_avro_c_close(rival);
    return 0;
}

static void print_records(const struct input *input)
{
    const struct span text = schema_text(input->schema);
    (void)fwrite(text.bytes, 1, text.size, stdout);
    (void)fputc('\n', stdout);
    (void)fwrite(input->records, BENCH_RECORD_SIZE, DISTINCT, stdout);
}

static void measure(const char *job, const struct input *input, int64_t count)
{
    const bool is_rival = strcmp(job, "decode-avro-c") == 0, all = strcmp(job, "decode") == 0;
    size_t wanted = 0;
    struct plan *plan = make_plan(input, all, &wanted);
    const uint64_t allocations_before = allocation_count;
    struct bench_reading reading = {.events = count, .first_ns = monotonic_now_ns()};
    const double sum = is_rival ? run_avro_c(input, count) : run_plan(plan, input, count, wanted);
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
    struct input input = {.schema = NULL};
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
    schema_destroy(input.schema);
    heap_release(input.records);
    return is_known ? 0 : 2;
}
