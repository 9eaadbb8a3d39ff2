/* Goal: whatever comes in whatever order, an id is seen exactly when a naive model says so; a save
 * and load at any point, and a replay from what the state needs to any point, change nothing; the
 * bound holds. Method: random sightings, jumps of time and clocks, with small horizons and bounds,
 * against a list of (id, slice) that is searched from end to end; beside it a second module that is
 * saved and loaded, or thrown away and rebuilt by replay (with wrong arrivals: they are not told),
 * at random. Prints the seed of a failure: PROP_SEED replays it. */
#include "container/table.h"
#include "memory/heap.h"
#include "service/outputs.h"
#include "services/validator/seen_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

enum { STEPS = 4000, ROUNDS = 40 };

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(uint64_t *random, size_t bound)
{
    return (size_t)(next_random(random) % bound);
}

/* ---- the naive model: sightings, once a slice, oldest first ---- */

struct sighting {
    size_t id;
    int64_t slice, offset;
};
struct model {
    int64_t width_ms, slices, now;
    size_t max;
    struct sighting sightings[STEPS];
    size_t first, end; /* remembered: [first, end) */
};

static void model_come_to(struct model *model, int64_t arrival_ms)
{
    const int64_t slice = arrival_ms / model->width_ms;
    model->now = slice > model->now ? slice : model->now;
    while (model->first < model->end &&
           model->sightings[model->first].slice < model->now - model->slices)
        model->first++;
}

static bool model_add(struct model *model, size_t id, int64_t arrival_ms, int64_t offset)
{
    model_come_to(model, arrival_ms);
    bool seen = false;
    for (size_t i = model->first; i < model->end; i++) {
        const struct sighting *sighting = &model->sightings[i];
        if (sighting->id == id && sighting->slice == model->now)
            return true;
        seen = seen || sighting->id == id;
    }
    while (model->end - model->first >= model->max) {
        const int64_t oldest = model->sightings[model->first].slice;
        while (model->first < model->end && model->sightings[model->first].slice == oldest)
            model->first++;
    }
    model->sightings[model->end++] = (struct sighting){id, model->now, offset};
    return seen;
}

/* ---- the module, its store, and its log ---- */

struct entry {
    size_t id;
    int64_t arrival_ms; /* of a record */
    bool passed;        /* else it is not remembered */
};
struct subject {
    struct seen_ids_options options;
    struct seen_ids *seen;
    struct table *stored; /* field → struct buffer */
    int64_t stored_to;    /* the offset that it covers */
};

static bool add(struct seen_ids *seen, size_t id, int64_t arrival_ms, int64_t offset)
{
    char text[24];
    size_t forgotten;
    (void)snprintf(text, sizeof text, "%zu", id);
    return seen_ids_add(seen, span_text(text), arrival_ms, offset, &forgotten);
}

static void drop(struct buffer *bytes)
{
    if (bytes == NULL)
        return;
    buffer_fini(bytes);
    heap_release(bytes);
}

static void store(struct subject *subject, int64_t offset)
{
    struct changes *changes = changes_create();
    seen_ids_save(subject->seen, changes);
    for (size_t i = 0; i < changes_size(changes); i++) {
        const struct change *change = changes_at(changes, i);
        drop(table_remove(subject->stored, change->field));
        if (change->bytes.bytes == NULL)
            continue;
        struct buffer *bytes = heap_zeroed(1, sizeof *bytes);
        buffer_append_span(bytes, change->bytes);
        (void)table_put(subject->stored, change->field, bytes);
    }
    changes_destroy(changes);
    subject->stored_to = offset;
}

static void forget_stored(struct subject *subject)
{
    size_t cursor = 0;
    for (struct buffer *bytes; (bytes = table_next(subject->stored, &cursor, NULL)) != NULL;)
        drop(bytes);
    table_destroy(subject->stored);
    subject->stored = table_create();
}

/* Equal states have equal chunks, needs and words. */
static void state_write(const struct subject *subject, struct buffer *out)
{
    struct table_entry *entries = table_sorted(subject->stored);
    for (size_t i = 0; i < table_count(subject->stored); i++) {
        buffer_append_span(out, entries[i].key);
        buffer_append_byte(out, '=');
        buffer_append_span(out, buffer_span(entries[i].value));
    }
    heap_release(entries);
    buffer_format(out, " needs %lld count %llu ", (long long)seen_ids_needs(subject->seen),
                  (unsigned long long)seen_ids_count(subject->seen));
    seen_ids_recall(subject->seen, out);
}

/* As a driver restores: from what is stored, where that is not older than a replay needs, else from
 * nothing; then the log up to here. Arrivals in a replay are not told: any will do. */
static void rebuild(struct subject *subject, const struct entry *log, int64_t offset)
{
    struct buffer word = {0};
    int64_t from = seen_ids_needs(subject->seen);
    from = from < offset ? from : offset;
    seen_ids_recall(subject->seen, &word);
    seen_ids_destroy(subject->seen);
    subject->seen = seen_ids_create(&subject->options);
    if (subject->stored_to >= from) {
        size_t cursor = 0;
        struct span field;
        for (const struct buffer *bytes;
             (bytes = table_next(subject->stored, &cursor, &field)) != NULL;)
            assert_int_equal(seen_ids_load(subject->seen, field, buffer_span(bytes)), FAULT_NONE);
        from = subject->stored_to;
    } else {
        forget_stored(subject);
    }
    if (from < offset)
        seen_ids_remind(subject->seen, buffer_span(&word), offset);
    for (int64_t i = from; i < offset; i++) {
        if (log[i].passed)
            (void)add(subject->seen, log[i].id, i % 3 == 0 ? 0 : log[i].arrival_ms / 2, i);
    }
    buffer_fini(&word);
}

/* ---- a round ---- */

struct round {
    uint64_t random;
    struct model model;
    struct subject steady, shaken;
    struct entry log[STEPS];
    int64_t arrival_ms, step_ms, jump_in;
    size_t id_count;
    uint64_t duplicates, rebuilt;
};

static void subject_init(struct subject *subject, const struct seen_ids_options *options)
{
    *subject = (struct subject){
        .options = *options, .seen = seen_ids_create(options), .stored = table_create()};
}

static void subject_fini(struct subject *subject)
{
    seen_ids_destroy(subject->seen);
    forget_stored(subject);
    table_destroy(subject->stored);
}

static void round_init(struct round *round, uint64_t seed)
{
    static const uint64_t bounds[] = {1, 7, 100, 1500, 100000};
    static const int64_t horizons_ms[] = {1, 25, 1000, 600000};
    *round = (struct round){.random = seed};
    uint64_t *random = &round->random;
    const struct seen_ids_options options = {.horizon_ms =
                                                 horizons_ms[below(random, COUNT_OF(horizons_ms))],
                                             .ids_max = bounds[below(random, COUNT_OF(bounds))]};
    round->model.width_ms = (options.horizon_ms + 9) / 10;
    round->model.slices = (options.horizon_ms + round->model.width_ms - 1) / round->model.width_ms;
    round->model.max = options.ids_max;
    subject_init(&round->steady, &options);
    subject_init(&round->shaken, &options);
    round->arrival_ms = (int64_t)below(random, 2000000000000u);
    round->step_ms = options.horizon_ms / (int64_t)(1 + below(random, 3000));
    round->jump_in = (int64_t)(50 + below(random, 2000));
    round->id_count = 1 + below(random, 4000);
}

static void compare_states(struct round *round, int64_t offset)
{
    struct buffer left = {0}, right = {0};
    store(&round->steady, offset);
    store(&round->shaken, offset);
    state_write(&round->steady, &left);
    state_write(&round->shaken, &right);
    assert_true(span_equal(buffer_span(&left), buffer_span(&right)));
    buffer_fini(&left);
    buffer_fini(&right);
}

static void tell_time(struct round *round)
{
    model_come_to(&round->model, round->arrival_ms);
    seen_ids_advance(round->steady.seen, round->arrival_ms);
    seen_ids_advance(round->shaken.seen, round->arrival_ms);
}

static void shake(struct round *round, int64_t offset)
{
    uint64_t *random = &round->random;
    const size_t chance = below(random, 300);
    if (chance < 8)
        store(&round->shaken, offset);
    if (chance == 8 || chance == 9) { /* all of Redis is lost, or its last seconds */
        if (chance == 8) {
            forget_stored(&round->shaken);
            round->shaken.stored_to = -1;
        }
        rebuild(&round->shaken, round->log, offset);
        tell_time(round); /* what was committed with the offset */
        round->rebuilt++;
    }
    if (chance == 10)
        compare_states(round, offset);
    if (chance == 11) { /* a clock */
        round->arrival_ms += (int64_t)below(random, (size_t)(3 * round->model.width_ms));
        tell_time(round);
    }
}

static void step(struct round *round, int64_t offset)
{
    uint64_t *random = &round->random;
    round->arrival_ms += (int64_t)below(random, (size_t)(2 * round->step_ms + 1));
    if (below(random, (size_t)round->jump_in) == 0)
        round->arrival_ms += (int64_t)below(random, (size_t)(2 * round->steady.options.horizon_ms));
    const struct entry entry = {.id = below(random, round->id_count),
                                .arrival_ms = round->arrival_ms,
                                .passed = below(random, 10) > 0};
    round->log[offset] = entry;
    if (entry.passed) {
        const bool expected = model_add(&round->model, entry.id, entry.arrival_ms, offset);
        assert_int_equal(add(round->steady.seen, entry.id, entry.arrival_ms, offset), expected);
        assert_int_equal(add(round->shaken.seen, entry.id, entry.arrival_ms, offset), expected);
        round->duplicates += expected;
    }
    const struct model *model = &round->model;
    tell_time(round);
    assert_int_equal(seen_ids_count(round->steady.seen), model->end - model->first);
    assert_true(model->end - model->first <= model->max);
    if (entry.passed)
        assert_int_equal(seen_ids_needs(round->steady.seen), model->sightings[model->first].offset);
    shake(round, offset + 1);
}

static void test_model(void **context)
{
    (void)context;
    const char *given = getenv("PROP_SEED");
    const uint64_t first = given == NULL ? (uint64_t)time(NULL) : strtoull(given, NULL, 10);
    uint64_t duplicates = 0, rebuilt = 0;
    struct round *round = heap_zeroed(1, sizeof *round);
    for (uint64_t i = 0; i < (given == NULL ? ROUNDS : 1); i++) {
        const uint64_t seed = first + i;
        print_message("PROP_SEED=%llu\n", (unsigned long long)seed);
        round_init(round, seed);
        for (int64_t offset = 0; offset < STEPS; offset++)
            step(round, offset);
        compare_states(round, STEPS);
        duplicates += round->duplicates;
        rebuilt += round->rebuilt;
        subject_fini(&round->steady);
        subject_fini(&round->shaken);
    }
    heap_release(round);
    print_message("%llu duplicates, rebuilt %llu times\n", (unsigned long long)duplicates,
                  (unsigned long long)rebuilt);
    assert_true(given != NULL || (duplicates > 3000 && rebuilt > 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
