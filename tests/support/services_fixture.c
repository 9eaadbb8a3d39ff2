#include "services_fixture.h"
#include "memory/heap.h"

#include <math.h>
#include <unistd.h>

static const char contract_text[] =
    "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: https://runbooks.example/m\n"
    "columns:\n"
    "  x: {type: number, range: [0, 1]}\n"
    "  y: {type: number, required: false, on_violation: count}\n"
    "  c: {type: category, values: [a, b, d], pattern: '^[a-c]$', on_violation: count}\n"
    "windows: {pane: 1m, rolling: [5m], lateness: 30s, correction: 10m, stale: 30m}\n"
    "labels: {ttl: 1h, type: number, range: [0, 1], on_type: count, on_violation: reject}\n"
    "monitors:\n"
    "  - {drift: psi, columns: \"*\", window: 5m, reference: baseline, warn: 0.1, critical: 0.25}\n"
    "  - {quality: nulls, columns: \"*\", window: 5m, max: 0.2}\n"
    "  - {quality: range, columns: [x], window: 5m, max: 0.05}\n"
    "  - {quality: unseen, columns: [c], window: 5m, max: 0.1}\n"
    "retrain: {when: [drift.critical], for: 2 windows, cooldown: 1h, min_labels: 0}\n";

static const int64_t start_ms = 1700000100000;

uint64_t fixture_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double unit(uint64_t *state)
{
    return (double)(fixture_random(state) >> 11) * 0x1p-53;
}

static char *event_text(uint64_t *random, size_t index, int64_t time_ms, bool shifted)
{
    const uint64_t kind = fixture_random(random) % 40;
    if (kind == 0)
        return heap_text("{\"event_id\": broken");
    const double x = shifted ? 0.7 + 0.3 * unit(random) : unit(random);
    const char *c = kind == 1 ? "z" : &"a\0b\0d"[2 * (fixture_random(random) % 3)];
    char y[40] = "null";
    if (fixture_random(random) % 10 != 0)
        (void)snprintf(y, sizeof y, "%.17g", exp(8 * unit(random) - 4));
    char x_text[60] = "";
    if (kind != 4)
        (void)snprintf(x_text, sizeof x_text, "\"x\": %.17g, ", kind == 2 ? -1.0 : x);
    const double up = unit(random);
    return heap_format("{\"event_id\": \"e%zu\", \"event_time\": %lld, \"model_name\": \"%s\", "
                       "\"model_version\": \"%d\", \"features\": {%s\"y\": %s, \"c\": \"%s\"}, "
                       "\"prediction\": %d, \"scores\": {\"up\": %.6f}}",
                       index, (long long)time_ms, kind == 3 ? "unknown" : "m",
                       kind % 2 == 0 ? 1 : 2, x_text, y, c, up >= 0.5, up);
}

/* A third does not name its model; half break a rule. */
static char *label_text(uint64_t *random, size_t index, int64_t time_ms)
{
    static const char *const labels[] = {"0", "1", "true", "7"};
    const char *label = labels[fixture_random(random) % COUNT_OF(labels)];
    const char *model = fixture_random(random) % 3 == 0 ? "" : ", \"model_name\": \"m\"";
    return heap_format("{\"event_id\": \"e%zu\", \"label\": %s, \"label_time\": %lld%s}", index,
                       label, (long long)time_ms, model);
}

static void add_record(struct fixture_log *log, enum topic topic, int64_t arrival_ms, char *key,
                       char *text)
{
    log->records[log->count++] = (struct record){
        .topic = topic, .arrival_ms = arrival_ms, .key = span_text(key), .value = span_text(text)};
}

void fixture_log_make(struct fixture_log *log, uint64_t seed, size_t events)
{
    uint64_t random = seed;
    *log = (struct fixture_log){.records = heap_zeroed(2 * events, sizeof *log->records)};
    int64_t arrival_ms = start_ms;
    for (size_t i = 0; i < events; i++) {
        arrival_ms += (int64_t)(fixture_random(&random) % 4000);
        int64_t time_ms = arrival_ms - (int64_t)(fixture_random(&random) % 2000);
        const uint64_t kind = fixture_random(&random) % 50;
        if (kind == 0)
            time_ms -= 3 * 60000; /* late */
        if (kind == 1)
            time_ms -= 40 * 60000; /* too late */
        if (kind == 2)
            time_ms += 20 * 60000; /* future */
        size_t id = i; /* or one that came before: within 10 minutes, or up to half an hour ago */
        if (i > 0 && fixture_random(&random) % 12 == 0)
            id = i - 1 - fixture_random(&random) % (i < 900 ? i : 900);
        add_record(log, TOPIC_INFERENCE_EVENTS, arrival_ms, heap_format("e%zu", id),
                   event_text(&random, id, time_ms, i > events / 2));
        if (fixture_random(&random) % 3 == 0)
            add_record(log, TOPIC_GROUND_TRUTH, arrival_ms, heap_format("e%zu", i / 2),
                       label_text(&random, i / 2, arrival_ms));
    }
    log->close_ms = arrival_ms + 2 * 3600000;
}

void fixture_log_fini(struct fixture_log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        heap_release((void *)(uintptr_t)log->records[i].key.bytes);
        heap_release((void *)(uintptr_t)log->records[i].value.bytes);
    }
    heap_release(log->records);
}

static char *reference_file(void)
{
    char *name = heap_text("/tmp/plumb-fixture-XXXXXX");
    const int file = mkstemp(name);
    REQUIRE(file >= 0);
    FILE *stream = fdopen(file, "w");
    uint64_t random = 42;
    (void)fprintf(stream, "x,y,c,prediction,score\n");
    for (int i = 0; i < 2000; i++) {
        const double up = unit(&random);
        (void)fprintf(stream, "%.17g,%.17g,%c,%d,%.6f\n", unit(&random), exp(8 * unit(&random) - 4),
                      "abd"[fixture_random(&random) % 3], up >= 0.5, up);
    }
    (void)fclose(stream);
    return name;
}

void fixture_publish_model(struct in_process *driver)
{
    struct contract *contract;
    struct baseline *baseline;
    struct reason reason = {""};
    REQUIRE(contract_parse("fixture.yaml", span_text(contract_text), &contract, &reason) ==
            FAULT_NONE);
    char *name = reference_file();
    REQUIRE(baseline_build(contract, "", name, &baseline, &reason) == FAULT_NONE);
    (void)unlink(name);
    heap_release(name);
    REQUIRE(in_process_model(driver, contract, (const struct baseline *const[]){baseline}, 1,
                             &reason) == FAULT_NONE);
    baseline_destroy(baseline);
    contract_destroy(contract);
}

static void strip_offsets(json_t *value)
{
    const char *key;
    json_t *item;
    size_t index;
    if (json_is_object(value)) {
        (void)json_object_del(value, "offsets");
        json_object_foreach(value, key, item) strip_offsets(item);
    } else if (json_is_array(value)) {
        json_array_foreach(value, index, item) strip_offsets(item);
    }
}

static char *line_of(const struct record *record)
{
    if (record->topic == TOPIC_INFERENCE_DEAD_LETTER) {
        const struct header *why = record_header(record, "plumb.reason");
        return heap_format("dead letter %.*s %.*s", (int)why->value.size,
                           (const char *)why->value.bytes, (int)record->value.size,
                           (const char *)record->value.bytes);
    }
    json_t *value;
    struct reason reason;
    REQUIRE(record_json(record, &value, &reason) == FAULT_NONE);
    strip_offsets(value);
    char *text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(value);
    return text;
}

void fixture_on_output(void *context, const struct record *record)
{
    struct fixture_lines *lines = context;
    lines->measurements += record->topic == TOPIC_MEASUREMENTS;
    lines->alerts += record->topic == TOPIC_ALERTS;
    lines->triggers += record->topic == TOPIC_RETRAIN_TRIGGERS;
    lines->dead_letters += record->topic == TOPIC_INFERENCE_DEAD_LETTER;
    if (record->topic == TOPIC_INFERENCE_VALIDATED || record->topic == TOPIC_WINDOW_PANES ||
        record->topic == TOPIC_MODEL_SCHEMAS)
        return; /* what they led to is compared; their keys' partitions differ */
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity == 0 ? 256 : lines->capacity * 2;
        lines->lines = heap_resized(lines->lines, lines->capacity, sizeof *lines->lines);
    }
    lines->lines[lines->count++] = line_of(record);
}

static int line_order(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void fixture_lines_sort(struct fixture_lines *lines)
{
    if (lines->count > 1)
        qsort(lines->lines, lines->count, sizeof *lines->lines, line_order);
}

bool fixture_lines_equal(const struct fixture_lines *left, const struct fixture_lines *right)
{
    for (size_t i = 0; i < left->count || i < right->count; i++) {
        const char *a = i < left->count ? left->lines[i] : "(nothing)";
        const char *b = i < right->count ? right->lines[i] : "(nothing)";
        if (strcmp(a, b) == 0)
            continue;
        (void)fprintf(stderr, "first difference of %zu and %zu lines:\n%s\n%s\n", left->count,
                      right->count, a, b);
        return false;
    }
    return true;
}

void fixture_lines_fini(struct fixture_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        heap_release(lines->lines[i]);
    heap_release(lines->lines);
}
