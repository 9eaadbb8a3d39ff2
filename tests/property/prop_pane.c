/* Goal: panes merge exactly: random events, dealt to any number of panes in any order, merged in
 * any order and by whatever way, give the same record, and that record is what a naive count says.
 * Method: random events (numbers of every size and special ones, categories known and not, nulls,
 * wrong types, violations) over a contract with a random baseline; one pane that takes all in order
 * against many, each filled in a random order, merged directly or through their records' bytes. The
 * naive model counts by comparing with the cuts one by one. Prints the seed of a failure;
 * PLUMB_SEED=N runs that one alone. */
#include "avro/datum.h"
#include "clock/wall.h"
#include "memory/heap.h"
#include "window/pane.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after the system's */
#include <cmocka.h>

enum {
    ROUND_COUNT = 150,
    EVENT_COUNT_MAX = 120,
    PANE_COUNT_MAX = 6,
    COLUMN_COUNT = 3,
    CUT_COUNT = 4
};

static const char text[] =
    "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: https://r.example/\ncolumns:\n"
    "  n: {type: number}\n  c: {type: category, values: [a, b, c]}\n  b: {type: boolean}\n"
    "monitors:\n  - {quality: nulls, columns: \"*\", window: 1h, max: 0}\n";
static const char *const words[] = {"a", "b", "c", "d", ""};
static const char *const reasons[] = {"range", "unseen_value", "null_value", "type_mismatch"};
static const char *const names[] = {"n", "c", "b"};

struct sample {
    struct value columns[COLUMN_COUNT], scores[1];
    struct event event;
    struct pane_violation violation;
    size_t violation_count;
    int32_t partition;
    int64_t offset;
};

struct world {
    uint64_t random;
    struct contract *contract;
    struct baseline *baseline;
    struct layout *layout;
    double cuts[CUT_COUNT], minimum, maximum;
    struct sample samples[EVENT_COUNT_MAX];
    size_t count;
};

static uint64_t next_random(struct world *world)
{
    uint64_t mixed = world->random += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
}

static struct value random_value(struct world *world)
{
    const double special[] = {(double)NAN, HUGE_VAL, -HUGE_VAL, 0.0,
                              -0.0,        5e-324,   1.7e308,   -1.7e308};
    const uint64_t kind = next_random(world) % 10;
    double number = (double)(int64_t)next_random(world) / 1e17; /* within [-93, 93] */
    if (kind == 0)
        return (struct value){.kind = VALUE_NULL};
    if (kind == 1)
        return (struct value){.kind = VALUE_OTHER};
    if (kind == 2)
        return (struct value){.kind = VALUE_BOOLEAN, .boolean = number > 0};
    if (kind <= 4)
        return (struct value){.kind = VALUE_TEXT,
                              .text = span_text(words[next_random(world) % COUNT_OF(words)])};
    if (kind == 5)
        number = special[next_random(world) % COUNT_OF(special)];
    if (kind == 6)
        number = world->cuts[next_random(world) % CUT_COUNT];
    return (struct value){.kind = VALUE_DOUBLE, .number = number};
}

static void make_baseline(struct world *world)
{
    world->minimum = -50;
    world->maximum = 50;
    for (size_t i = 0; i < CUT_COUNT; i++)
        world->cuts[i] = -40 + 20 * (double)i + (double)(next_random(world) % 10);
    json_t *record =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:[f,f,f,f], s:f, s:f, s:[], "
                  "s:[i,i,i,i,i,i,i,i,i,i]}",
                  "model", "m", "version", "", "hash", "00", "column", "n", "column_count", 1,
                  "type", "NUMBER", "cuts", world->cuts[0], world->cuts[1], world->cuts[2],
                  world->cuts[3], "minimum", world->minimum, "maximum", world->maximum, "values",
                  "counts", 0, 1, 1, 1, 1, 1, 0, 0, 0, 0);
    struct reason reason = {""};
    if (baseline_add(&world->baseline, record, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    json_decref(record);
}

static void make_samples(struct world *world)
{
    world->count = next_random(world) % EVENT_COUNT_MAX;
    for (size_t i = 0; i < world->count; i++) {
        struct sample *sample = &world->samples[i];
        for (size_t j = 0; j < COLUMN_COUNT; j++)
            sample->columns[j] = random_value(world);
        sample->scores[0] = random_value(world);
        sample->event = (struct event){.columns = sample->columns,
                                       .scores = sample->scores,
                                       .prediction = random_value(world)};
        sample->violation.column = span_text(names[next_random(world) % COUNT_OF(names)]);
        sample->violation.reason = span_text(reasons[next_random(world) % COUNT_OF(reasons)]);
        sample->violation_count = next_random(world) % 2;
        sample->partition = (int32_t)(next_random(world) % 3);
        sample->offset = (int64_t)(next_random(world) % 1000);
    }
}

static struct world *world_create(uint64_t seed)
{
    struct world *world = heap_zeroed(1, sizeof *world);
    struct reason reason = {""};
    world->random = seed;
    if (contract_parse("test.yaml", span_text(text), &world->contract, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    make_baseline(world);
    world->layout = layout_create(world->contract, world->baseline);
    make_samples(world);
    return world;
}

static void world_destroy(struct world *world)
{
    layout_destroy(world->layout);
    baseline_destroy(world->baseline);
    contract_destroy(world->contract);
    heap_release(world);
}

static struct pane *pane_of(const struct world *world)
{
    return pane_create(&(struct pane_key){.model = span_text("m"),
                                          .version = span_text("1"),
                                          .revision = 1,
                                          .start_ms = 0,
                                          .end_ms = 60000},
                       world->layout);
}

static void take(struct pane *pane, const struct sample *sample)
{
    pane_add(pane, &sample->event, &sample->violation, sample->violation_count, sample->partition,
             sample->offset);
}

/* Merges by the records' bytes, as a service that restores or reads window.panes does. */
static void merge_by_bytes(struct pane *into, const struct pane *from)
{
    const struct schema *schema = schema_embedded("window.panes");
    json_t *records = pane_records(from);
    for (size_t i = 0; i < json_array_size(records); i++) {
        struct buffer bytes = {0};
        struct reason reason = {""};
        json_t *record = NULL;
        if (datum_encode(schema, json_array_get(records, i), &bytes, &reason) != FAULT_NONE ||
            datum_decode(schema, buffer_span(&bytes), &record, &reason) != FAULT_NONE ||
            pane_add_record(into, record, &reason) != FAULT_NONE)
            fail_msg("%s", reason.text);
        json_decref(record);
        buffer_fini(&bytes);
    }
    json_decref(records);
}

static json_t *dealt(struct world *world)
{
    size_t order[EVENT_COUNT_MAX];
    struct pane *panes[PANE_COUNT_MAX];
    const size_t pane_count = 1 + next_random(world) % PANE_COUNT_MAX;
    for (size_t i = 0; i < pane_count; i++)
        panes[i] = pane_of(world);
    for (size_t i = 0; i < world->count; i++)
        order[i] = i;
    for (size_t i = world->count; i > 0; i--) {
        const size_t other = next_random(world) % i, index = order[other];
        order[other] = order[i - 1];
        take(panes[next_random(world) % pane_count], &world->samples[index]);
    }
    for (size_t left = pane_count; left > 1; left--) {
        struct pane *into = panes[next_random(world) % (left - 1)];
        if (next_random(world) % 2 == 0)
            pane_merge(into, panes[left - 1]);
        else
            merge_by_bytes(into, panes[left - 1]);
        pane_destroy(panes[left - 1]);
    }
    json_t *records = pane_records(panes[0]);
    pane_destroy(panes[0]);
    return records;
}

/* The cell of column n, one comparison after the other. */
static size_t naive_cell(const struct world *world, const struct value *value)
{
    if (value->kind == VALUE_NULL)
        return 7;
    if (value->kind != VALUE_DOUBLE)
        return 9;
    if (isnan(value->number))
        return 8;
    if (value->number < world->minimum)
        return 0;
    for (size_t i = 0; i < CUT_COUNT; i++) {
        if (value->number <= world->cuts[i])
            return i + 1;
    }
    return value->number <= world->maximum ? 5 : 6;
}

static bool model_holds(const struct world *world, const struct pane *pane)
{
    uint64_t cells[10] = {0}, violations = 0, finite = 0;
    for (size_t i = 0; i < world->count; i++) {
        const struct sample *sample = &world->samples[i];
        const struct value *value = &sample->columns[0];
        cells[naive_cell(world, value)]++;
        finite += value->kind == VALUE_DOUBLE && isfinite(value->number);
        violations += sample->violation_count;
    }
    uint64_t counted = 0;
    for (size_t i = 0; i < pane->layout->column_count; i++) {
        const struct pane_column *column = &pane->columns[i];
        uint64_t rows = 0;
        for (size_t j = 0; j < cells_count(pane->layout->columns[i].cells); j++)
            rows += column->cells[j];
        if (rows != world->count)
            return false;
        counted += column->range + column->values + column->nulls + column->type;
    }
    return memcmp(cells, pane->columns[0].cells, sizeof cells) == 0 &&
           finite == pane->columns[0].finite && counted == violations &&
           pane->events == world->count;
}

static bool round_holds(uint64_t seed)
{
    struct world *world = world_create(seed);
    struct pane *plain = pane_of(world);
    for (size_t i = 0; i < world->count; i++)
        take(plain, &world->samples[i]);
    json_t *expected = pane_records(plain);
    bool holds = model_holds(world, plain);
    for (int i = 0; i < 3 && holds; i++) {
        json_t *actual = dealt(world);
        /* Texts, not values: 0.0 and -0.0 are equal, but not the same bits. */
        char *one = json_dumps(expected, JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
        char *other = json_dumps(actual, JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
        holds = strcmp(one, other) == 0;
        heap_release(one);
        heap_release(other);
        json_decref(actual);
    }
    json_decref(expected);
    pane_destroy(plain);
    world_destroy(world);
    return holds;
}

static void test_any_order(void **state)
{
    (void)state;
    const char *given = getenv("PLUMB_SEED");
    const uint64_t seed = given == NULL ? (uint64_t)wall_now_ms() : strtoull(given, NULL, 10);
    for (uint64_t i = 0; i < (given == NULL ? ROUND_COUNT : 1); i++) {
        if (!round_holds(seed + i))
            fail_msg("PLUMB_SEED=%llu", (unsigned long long)(seed + i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
