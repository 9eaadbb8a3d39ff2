#include "sim_model.h"
#include "memory/heap.h"
#include "model/publication.h"
#include "sim_random.h"

#include <math.h>

enum { MINUTE_MS = 60000, TABLES_MAX = 64, CELLS = 20, ROWS = 2000 };

struct making {
    uint64_t random;
    const struct sim_span *span;
    struct arena *arena;
    struct sim_models *models;
};

/* ---- baselines: what the first half of the log looks like, cut at random */

enum shape { SHAPE_FLAT, SHAPE_STEEP, SHAPE_WIDE, SHAPE_POINT, SHAPE_NOTHING };

static double shape_at(enum shape shape, double share)
{
    if (shape == SHAPE_STEEP)
        return exp(8 * share - 4);
    return shape == SHAPE_WIDE ? 200 * share - 100 : share;
}

static int64_t some_rows(struct making *making, int64_t about)
{
    return about - about / 10 + sim_below(&making->random, about / 5 + 1);
}

/* cells: into how many the shape is cut. */
static json_t *number_column(struct making *making, const char *name, enum shape shape, int cells,
                             int64_t nulls)
{
    json_t *cuts = json_array(), *counts = json_array();
    int64_t rows = nulls;
    if (shape == SHAPE_POINT)
        cells = 1;
    if (shape != SHAPE_NOTHING) {
        (void)json_array_append_new(counts, json_integer(0)); /* underflow */
        for (int i = 1; i <= cells; i++) {
            const int64_t here = some_rows(making, (ROWS - nulls) / cells);
            if (i < cells)
                (void)json_array_append_new(cuts, json_real(shape_at(shape, (double)i / cells)));
            (void)json_array_append_new(counts, json_integer(here));
            rows += here;
        }
        (void)json_array_append_new(counts, json_integer(0));
    }
    (void)json_array_append_new(counts, json_integer(nulls));
    (void)json_array_append_new(counts, json_integer(0)); /* nan */
    (void)json_array_append_new(counts, json_integer(0));
    const bool point = shape == SHAPE_POINT, cut = shape != SHAPE_NOTHING;
    return json_pack("{s:s, s:I, s:s, s:o, s:o, s:o, s:[], s:o}", "column", name, "rows",
                     (json_int_t)rows, "type", "NUMBER", "cuts", cuts, "minimum",
                     cut ? json_real(point ? 5 : shape_at(shape, 0)) : json_null(), "maximum",
                     cut ? json_real(point ? 5 : shape_at(shape, 1)) : json_null(), "values",
                     "counts", counts);
}

/* values: ascending, each one letter or word, separated by spaces. */
static json_t *category_column(struct making *making, const char *name, const char *values)
{
    json_t *list = json_array(), *counts = json_array();
    int64_t rows = 0, count = 1;
    for (const char *next = values; *next != '\0'; next++)
        count += *next == ' ';
    for (const char *next = values; *next != '\0';) {
        const size_t size = strcspn(next, " ");
        const int64_t here = some_rows(making, ROWS / count);
        (void)json_array_append_new(list, json_stringn(next, size));
        (void)json_array_append_new(counts, json_integer(here));
        rows += here;
        next += size + (next[size] == ' ');
    }
    for (int i = 0; i < 3; i++)
        (void)json_array_append_new(counts, json_integer(0));
    return json_pack("{s:s, s:I, s:s, s:[], s:n, s:n, s:o, s:o}", "column", name, "rows",
                     (json_int_t)rows, "type", "CATEGORY", "cuts", "minimum", "maximum", "values",
                     list, "counts", counts);
}

/* Takes over the columns. */
static struct baseline *baseline_of(const char *model, const char *version, json_t *columns)
{
    struct baseline *baseline = NULL;
    struct reason reason = {""};
    json_t *column;
    size_t index;
    json_array_foreach(columns, index, column)
    {
        (void)json_object_set_new(column, "model", json_string(model));
        (void)json_object_set_new(column, "version", json_string(version));
        (void)json_object_set_new(column, "hash", json_string(""));
        (void)json_object_set_new(column, "column_count",
                                  json_integer((json_int_t)json_array_size(columns)));
        REQUIRE(baseline_add(&baseline, column, &reason) == FAULT_NONE);
    }
    json_decref(columns);
    heap_release(baseline->hash);
    baseline->hash = baseline_hash(baseline);
    return baseline;
}

static struct baseline *baseline_of_m(struct making *making, const char *version, int cells)
{
    return baseline_of(
        "m", version,
        json_pack("[o, o, o, o, o, o]", number_column(making, "x", SHAPE_FLAT, cells, 0),
                  number_column(making, "y", SHAPE_STEEP, cells, 270),
                  category_column(making, "c", "a b d"), category_column(making, "k", "false true"),
                  category_column(making, "prediction", "0 1"),
                  number_column(making, "score", SHAPE_FLAT, cells, 0)));
}

static struct baseline *baseline_of_n(struct making *making)
{
    return baseline_of("n", "",
                       json_pack("[o, o, o, o]", number_column(making, "u", SHAPE_POINT, 1, 20),
                                 number_column(making, "w", SHAPE_NOTHING, 1, 40),
                                 category_column(making, "h", "1 2 3"),
                                 number_column(making, "prediction", SHAPE_WIDE, CELLS, 0)));
}

/* ---- contracts */

/* Of what stands in minutes of the log. */
static void write_duration(struct buffer *text, int64_t length_ms)
{
    if (length_ms % MINUTE_MS == 0)
        buffer_format(text, "%lldm", (long long)(length_ms / MINUTE_MS));
    else if (length_ms % 1000 == 0)
        buffer_format(text, "%llds", (long long)(length_ms / 1000));
    else
        buffer_format(text, "%lldms", (long long)length_ms);
}

static void write_windows(struct buffer *text, const struct sim_terms *terms, int64_t minute_ms)
{
    const struct {
        const char *name;
        int64_t length_ms;
    } rows[] = {{"pane", terms->pane_ms},
                {"lateness", terms->lateness_ms},
                {"correction", terms->correction_ms},
                {"skew", SIM_SKEW_MINUTES * minute_ms}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buffer_format(text, "%s\"%s\": \"", i == 0 ? "\"windows\": {" : ", ", rows[i].name);
        write_duration(text, rows[i].length_ms);
        buffer_append_byte(text, '"');
    }
    buffer_append_span(text, span_text("}, "));
}

/* Minutes as the log counts them: "5m". */
struct minutes {
    char text[16];
};

static struct minutes minutes(int64_t count, int64_t minute_ms)
{
    struct buffer text = {0};
    struct minutes minutes = {""};
    write_duration(&text, count * minute_ms);
    REQUIRE(text.size < sizeof minutes.text);
    memcpy(minutes.text, text.bytes, text.size);
    buffer_fini(&text);
    return minutes;
}

/* strict: violations are refused. wide: the length of the wider window in minutes. */
static void write_contract_m(struct buffer *text, const struct sim_terms *terms, bool strict,
                             int64_t wide_minutes, int64_t minute_ms)
{
    const struct minutes five = minutes(5, minute_ms), fifteen = minutes(15, minute_ms);
    const struct minutes wide = minutes(wide_minutes, minute_ms);
    buffer_format(text,
                  "{\"model\": \"m\", \"task\": \"binary\", \"positive\": \"up\", \"owner\": "
                  "\"o\", \"runbook\": \"https://runbooks.example/m\", \"columns\": {"
                  "\"x\": {\"type\": \"number\", \"range\": [0, 1]%s}, "
                  "\"y\": {\"type\": \"number\", \"required\": false, \"on_type\": \"flag\"%s}, "
                  "\"c\": {\"type\": \"category\", \"values\": [\"a\", \"b\", \"d\"]%s}, "
                  "\"k\": {\"type\": \"boolean\", \"on_type\": \"flag\"}, "
                  "\"t\": {\"type\": \"text\", \"required\": false, \"on_type\": \"count\"}}, ",
                  strict ? ", \"on_violation\": \"reject\"" : "",
                  strict ? ", \"nulls\": {\"max_rate\": 0.15}, \"on_violation\": \"reject\""
                         : ", \"on_violation\": \"count\"",
                  strict ? ", \"on_unseen\": \"reject\"" : "");
    write_windows(text, terms, minute_ms);
    buffer_format(
        text,
        "\"labels\": {\"ttl\": \"1h\"}, \"monitors\": ["
        "{\"drift\": \"psi\", \"columns\": \"*\", \"window\": \"%s\", \"reference\": "
        "\"baseline\", \"warn\": 0.1, \"critical\": 0.5}, "
        "{\"drift\": \"psi\", \"columns\": [\"x\", \"score\"], \"window\": \"%s\", "
        "\"critical\": 0.3, \"for\": \"1 of 2\"}, "
        "{\"quality\": \"nulls\", \"columns\": [\"t\", \"y\", \"x\"], \"window\": \"%s\"%s}, "
        "{\"quality\": \"range\", \"columns\": [\"x\"], \"window\": \"%s\", \"max\": "
        "0.05}, "
        "{\"quality\": \"unseen\", \"columns\": [\"c\", \"k\", \"y\"], \"window\": "
        "\"%s\", \"max\": 0.05}], "
        "\"retrain\": {\"when\": [\"drift.critical\"], \"for\": \"2 windows\", "
        "\"cooldown\": \"%s\", \"min_labels\": 0}}",
        five.text, wide.text, five.text, strict ? "" : ", \"max\": 0.2", five.text, wide.text,
        fifteen.text);
}

static void write_contract_n(struct buffer *text, const struct sim_terms *terms, int64_t minute_ms)
{
    const struct minutes five = minutes(5, minute_ms), fifteen = minutes(15, minute_ms);
    buffer_format(text, "{\"model\": \"n\", \"task\": \"regression\", \"owner\": \"o\", "
                        "\"runbook\": \"https://runbooks.example/n\", \"columns\": {"
                        "\"u\": {\"type\": \"number\", \"range\": [-1000, 1000]}, "
                        "\"w\": {\"type\": \"number\", \"required\": false}, "
                        "\"h\": {\"type\": \"category\"}, "
                        "\"g\": {\"type\": \"id\", \"required\": false}}, ");
    write_windows(text, terms, minute_ms);
    buffer_format(text,
                  "\"monitors\": ["
                  "{\"drift\": \"psi\", \"columns\": [\"u\", \"w\", \"h\", \"prediction\", "
                  "\"latency_ms\"], \"window\": \"%s\", \"warn\": 0.2}, "
                  "{\"quality\": \"nulls\", \"columns\": [\"g\", \"w\", \"confidence\", "
                  "\"latency_ms\"], \"window\": \"%s\", \"max\": 0.5, \"severity\": "
                  "\"info\"}, "
                  "{\"quality\": \"unseen\", \"columns\": [\"h\", \"u\", \"latency_ms\"], "
                  "\"window\": \"%s\"}]}",
                  fifteen.text, fifteen.text, five.text);
}

/* ---- records */

static void add_table(struct making *making, enum topic topic, struct buffer *key,
                      struct buffer *value)
{
    struct sim_models *models = making->models;
    REQUIRE(models->table_count < TABLES_MAX);
    models->tables[models->table_count++] =
        (struct record){.topic = topic,
                        .key = arena_span(making->arena, buffer_span(key)),
                        .value = arena_span(making->arena, buffer_span(value))};
    buffer_fini(key);
    buffer_fini(value);
}

static void add_baseline(struct making *making, const struct baseline *baseline)
{
    for (size_t i = 0; i < baseline_record_count(baseline); i++) {
        struct buffer key = {0}, value = {0};
        publication_baseline(baseline, i, &key, &value);
        add_table(making, TOPIC_MODEL_BASELINES, &key, &value);
    }
}

static void add_contract(struct making *making, struct buffer *text,
                         const struct publication *publication)
{
    struct contract *contract = NULL;
    struct reason reason = {""};
    if (contract_parse("sim_model", buffer_span(text), &contract, &reason) != FAULT_NONE) {
        (void)fprintf(stderr, "%s\n", reason.text);
        UNREACHABLE("our own contract parses");
    }
    struct buffer key = {0}, value = {0};
    publication_contract(contract, publication, &key, &value);
    add_table(making, TOPIC_MODEL_CONTRACTS, &key, &value);
    contract_destroy(contract);
    buffer_fini(text);
}

/* first: of both versions, for revision 1. */
static void publish_m(struct making *making, const struct baseline *const *first,
                      const struct baseline *const *second, size_t second_count)
{
    const struct sim_terms *terms = making->models->terms;
    const int64_t middle_ms = making->span->middle_ms, minute_ms = making->span->minute_ms;
    struct buffer text = {0};
    write_contract_m(&text, &terms[SIM_M1], false, 15, minute_ms);
    add_contract(making, &text,
                 &(struct publication){.revision = 1,
                                       .effective_from_ms = INT64_MIN,
                                       .baselines = first,
                                       .baseline_count = 2});
    const bool strict = sim_one_in(&making->random, 2);
    write_contract_m(&text, &terms[SIM_M2], strict, sim_one_in(&making->random, 3) ? 10 : 15,
                     minute_ms);
    add_contract(making, &text,
                 &(struct publication){.revision = 2,
                                       .effective_from_ms = middle_ms,
                                       .applied_at_ms = middle_ms - minute_ms,
                                       .baselines = second,
                                       .baseline_count = second_count});
}

/* The second revision of "m" keeps the baselines, has others, or one for version 1 alone. */
static void make_m(struct making *making)
{
    struct baseline *any = baseline_of_m(making, "", CELLS);
    struct baseline *shadow = baseline_of_m(making, "2", CELLS);
    struct baseline *other = baseline_of_m(making, "", 10);
    struct baseline *champion = baseline_of_m(making, "1", 12);
    const struct baseline *const all[] = {any, shadow, other, champion};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        add_baseline(making, all[i]);
    const int64_t choice = sim_below(&making->random, 3);
    publish_m(making, &all[0], &all[choice == 0 ? 0 : choice == 1 ? 2 : 3], choice == 2 ? 1 : 2);
    baseline_destroy(any);
    baseline_destroy(shadow);
    baseline_destroy(other);
    baseline_destroy(champion);
}

static void make_n(struct making *making)
{
    struct baseline *baseline = baseline_of_n(making);
    add_baseline(making, baseline);
    struct buffer text = {0};
    const struct sim_span *span = making->span;
    write_contract_n(&text, &making->models->terms[SIM_N1], span->minute_ms);
    add_contract(making, &text,
                 &(struct publication){.revision = 1,
                                       .effective_from_ms = span->first_ms + 3 * span->minute_ms,
                                       .baselines = (const struct baseline *const[]){baseline},
                                       .baseline_count = 1});
    baseline_destroy(baseline);
}

void sim_model_make(uint64_t seed, const struct sim_span *span, struct arena *arena,
                    struct sim_models *out_models)
{
    const int64_t minute = span->minute_ms;
    const int64_t allowances[][2] = {
        {minute / 6, 20 * minute}, {minute * 3 / 2, 8 * minute}, {minute / 2, 10 * minute}};
    struct making making = {
        .random = seed ^ 0x6d6f64656c73u, .span = span, .arena = arena, .models = out_models};
    *out_models = (struct sim_models){
        .tables = arena_take(arena, TABLES_MAX * sizeof(struct record)),
        .terms = {[SIM_M1] = {minute, minute / 2, 10 * minute},
                  [SIM_N1] = {5 * minute, minute, 30 * minute}},
    };
    if (minute < MINUTE_MS) /* simulated time has to go by until the last correction */
        out_models->terms[SIM_N1].correction_ms = 15 * minute;
    const int64_t *allowance = allowances[sim_below(&making.random, COUNT_OF(allowances))];
    out_models->terms[SIM_M2] =
        (struct sim_terms){.pane_ms = sim_one_in(&making.random, 4) ? minute / 2 : minute,
                           .lateness_ms = allowance[0],
                           .correction_ms = allowance[1]};
    make_m(&making);
    make_n(&making);
}
