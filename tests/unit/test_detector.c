/* Goal: windows close at the right stream time, from the right rows, and are measured as DESIGN.md
 * 6 and INTERFACES.md say.
 *
 * Method: hand-made records of window.panes into one shard, each case plain, with state saved and
 * with state restored after every step; numbers are worked out here by the formulas, not by the
 * code under test. */
#include "memory/heap.h"
#include "services/detector/detector.h"
#include "tests/support/fold_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* fixture: 1970-01-01 00:00 is the start of a window of 5 minutes */

static const char contract_text[] =
    "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: https://runbooks.example/m\n"
    "columns:\n"
    "  x: {type: number, range: [0, 1], nulls: {max_rate: 0.05}}\n"
    "  c: {type: category, values: [a, b]}\n"
    "windows: {pane: 1m, lateness: 30s, correction: 10m}\n"
    "monitors:\n"
    "  - {drift: psi, columns: [x, c], window: 5m, warn: 0.1, critical: 0.25}\n"
    "  - {drift: psi, columns: [prediction], window: 5m}\n"
    "  - {quality: nulls, columns: [x], window: 5m}\n"
    "  - {quality: range, columns: [x], window: 5m, max: 0.1}\n"
    "  - {quality: unseen, columns: [c], window: 5m, max: 0.1}\n";
enum { MEASUREMENTS = 6, PANE = 60000, WINDOW = 300000, LATENESS = 30000, CORRECTION = 600000 };

static struct baseline *make_baseline(void)
{
    static const char *const records[] = {
        ("{\"column\": \"x\", \"type\": \"NUMBER\", \"cuts\": [0.5], \"minimum\": 0, \"maximum\": "
         "1,"
         " \"values\": [], \"counts\": [0, 500, 500, 0, 0, 0, 0]}"),
        ("{\"column\": \"c\", \"type\": \"CATEGORY\", \"values\": [\"a\", \"b\"],"
         " \"counts\": [400, 600, 0, 0, 0]}"),
        ("{\"column\": \"prediction\", \"type\": \"CATEGORY\", \"values\": [\"0\", \"1\"],"
         " \"counts\": [500, 500, 0, 0, 0]}"),
    };
    static const char shared_text[] =
        "{\"model\": \"m\", \"version\": \"\", \"hash\": \"0123456789abcdef0123456789abcdef\","
        " \"column_count\": 3, \"rows\": 1000}";
    static const char missing_text[] = "{\"cuts\": [], \"minimum\": null, \"maximum\": null}";
    struct baseline *baseline = NULL;
    struct reason reason = {""};
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        json_t *record = json_loads(records[i], 0, NULL);
        json_t *shared = json_loads(shared_text, 0, NULL);
        json_t *missing = json_loads(missing_text, 0, NULL);
        (void)json_object_update(record, shared);
        (void)json_object_update_missing(record, missing);
        const enum fault fault = baseline_add(&baseline, record, &reason);
        if (fault != FAULT_NONE)
            (void)fprintf(stderr, "%s\n", reason.text);
        assert_int_equal(fault, FAULT_NONE);
        json_decref(record);
        json_decref(shared);
        json_decref(missing);
    }
    assert_true(baseline_is_complete(baseline));
    return baseline;
}

static struct catalog *make_catalog(void)
{
    struct catalog *catalog = catalog_create();
    struct baseline *baseline = make_baseline();
    fold_baseline(catalog, baseline);
    fold_contract(catalog, contract_text, 1, INT64_MIN, baseline);
    baseline_destroy(baseline);
    return catalog;
}

struct counts { /* rows by cell */
    int x[7], c[5], range, values;
};
static const struct counts calm = {.x = {0, 20, 20, 0, 0, 0, 0}, .c = {16, 24, 0, 0, 0}};

static json_t *cells(const int *counts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_integer(counts[i]));
    return list;
}

static json_t *column(const char *name, json_t *list, int range, int values)
{
    return json_pack("{s:s, s:o, s:i, s:{s:i, s:[]}, s:{s:i, s:[]}, s:n, s:n, s:i, s:i, s:i, s:i}",
                     "name", name, "cells", list, "finite", 0, "sum", "first", 0, "limbs",
                     "squares", "first", 0, "limbs", "minimum", "maximum", "range", range, "values",
                     values, "nulls", 0, "type", 0);
}

struct place {
    int64_t start_ms, offset;
    const char *part;
    int revision;
};

/* Predictions are as in the baseline. */
static json_t *pane(struct place place, const struct counts *counts)
{
    int rows = 0;
    for (size_t i = 0; i < COUNT_OF(counts->x); i++)
        rows += counts->x[i];
    const int prediction[5] = {rows / 2, rows - rows / 2, 0, 0, 0};
    return json_pack("{s:s, s:s, s:s, s:n, s:s, s:s, s:i, s:I, s:I, s:i, s:i, s:i, s:[{s:i, s:I, "
                     "s:I}], s:[o, o, o]}",
                     "model", "m", "version", "1", "role", "CHAMPION", "segment", "feed",
                     "VALIDATED", "part", place.part, "contract_revision",
                     place.revision == 0 ? 1 : place.revision, "start", (json_int_t)place.start_ms,
                     "end", (json_int_t)(place.start_ms + PANE), "chunk", 0, "chunks", 1, "events",
                     rows, "offsets", "partition", 3, "first", (json_int_t)place.offset, "last",
                     (json_int_t)(place.offset + rows - 1), "columns",
                     column("x", cells(counts->x, 7), counts->range, 0),
                     column("c", cells(counts->c, 5), 0, counts->values),
                     column("prediction", cells(prediction, 5), 0, 0));
}

/* helpers */

static double psi_part(double p, double q)
{
    return (q - p) * log(q / p);
}

static const char *text(const json_t *value, const char *name)
{
    return json_string_value(json_object_get(value, name));
}

static int64_t integer(const json_t *value, const char *name)
{
    return json_integer_value(json_object_get(value, name));
}

static double number(const json_t *value, const char *name)
{
    return json_real_value(json_object_get(value, name));
}

static void give(struct fold *fold, struct place place, const struct counts *counts)
{
    assert_int_equal(fold_give(fold, TOPIC_WINDOW_PANES, pane(place, counts)), FAULT_NONE);
}

static void advance(struct fold *fold, int64_t time_ms)
{
    assert_int_equal(fold_advance(fold, TOPIC_WINDOW_PANES, time_ms), FAULT_NONE);
}

/* Runs a case plain, with state saved and with state restored after every step. */
static void each_care(void (*run)(struct fold *fold))
{
    for (int care = FOLD_PLAIN; care < FOLD_CARE_COUNT; care++) {
        struct catalog *catalog = make_catalog();
        struct fold fold;
        fold_open(&fold, &detector_service, catalog, (enum fold_care)care);
        run(&fold);
        fold_close(&fold);
        catalog_destroy(catalog);
    }
}

static void check_calm_drift(const json_t *record)
{
    assert_string_equal(text(record, "model"), "m");
    assert_string_equal(text(record, "role"), "CHAMPION");
    assert_true(json_is_null(json_object_get(record, "segment")));
    assert_string_equal(text(record, "kind"), "DRIFT");
    assert_string_equal(text(record, "column"), "x");
    assert_string_equal(text(record, "metric"), "psi");
    assert_string_equal(text(record, "reference"), "baseline");
    assert_string_equal(text(record, "reference_hash"), "0123456789abcdef0123456789abcdef");
    assert_string_equal(text(record, "state"), "OK");
    assert_int_equal(integer(record, "window_start"), 0);
    assert_int_equal(integer(record, "window_end"), WINDOW);
    assert_int_equal(integer(record, "n_reference"), 1000);
    assert_int_equal(integer(record, "n_current"), 80);
    assert_true(number(record, "value") == 0);
    assert_true(number(record, "threshold") == 0.1);
    assert_int_equal(json_array_size(json_object_get(record, "contributions")), 0);
    const json_t *offsets = json_array_get(json_object_get(record, "offsets"), 0);
    assert_int_equal(integer(offsets, "partition"), 3);
    assert_int_equal(integer(offsets, "first"), 100);
    assert_int_equal(integer(offsets, "last"), 239);
}

/* tests */

static void run_calm(struct fold *fold)
{
    give(fold, (struct place){.start_ms = 0, .offset = 100, .part = "ON_TIME"}, &calm);
    give(fold, (struct place){.start_ms = 4 * PANE, .offset = 200, .part = "ON_TIME"}, &calm);
    advance(fold, WINDOW + LATENESS);
    assert_int_equal(fold_size(fold), 0); /* reached, not passed */
    advance(fold, WINDOW + LATENESS + 1);
    assert_int_equal(fold_size(fold), MEASUREMENTS);
    json_t *record = fold_output(fold, 0);
    check_calm_drift(record);
    json_decref(record);
    assert_true(span_is(outputs_at(fold->outputs, 0)->key, "m"));
    advance(fold, WINDOW + CORRECTION + 1);
    assert_int_equal(fold_size(fold), MEASUREMENTS); /* nothing late: no revision 1 */
    assert_int_equal(fold_restore(fold), FAULT_NONE);
    assert_int_equal(fold_stored(fold), 0); /* and nothing left of it */
}

static void test_calm(void **context)
{
    (void)context;
    each_care(run_calm);
}

static void run_drift(struct fold *fold)
{
    const struct counts moved = {.x = {0, 10, 20, 10, 0, 0, 0}, .c = {16, 24, 0, 0, 0}};
    give(fold, (struct place){.start_ms = 0, .offset = 0, .part = "ON_TIME"}, &moved);
    advance(fold, 10 * WINDOW);
    json_t *record = fold_output(fold, 0);
    const double low = psi_part(0.5, 0.25), over = psi_part(1e-4, 0.25);
    assert_true(fabs(number(record, "value") - (low + over)) < 1e-12);
    assert_true(number(record, "threshold") == 0.25);
    assert_string_equal(text(record, "state"), "BREACH");
    const json_t *contributions = json_object_get(record, "contributions");
    assert_int_equal(json_array_size(contributions),
                     2); /* the cell that did not move has no part */
    assert_string_equal(text(json_array_get(contributions, 0), "cell"), "> 1");
    assert_true(fabs(number(json_array_get(contributions, 0), "share") - over / (low + over)) <
                1e-12);
    json_decref(record);
}

static void test_drift(void **context)
{
    (void)context;
    each_care(run_drift);
}

/* Beyond `warn`, but 40 rows against 1,000 may be that far off by chance: noise is chi2(0.999, 1)
 * = 10.8276 · (1/1000 + 1/40). */
static void run_noise(struct fold *fold)
{
    const struct counts moved = {.x = {0, 28, 12, 0, 0, 0, 0}, .c = {16, 24, 0, 0, 0}};
    give(fold, (struct place){.start_ms = 0, .offset = 0, .part = "ON_TIME"}, &moved);
    advance(fold, 10 * WINDOW);
    json_t *record = fold_output(fold, 0);
    const double psi = psi_part(0.5, 0.7) + psi_part(0.5, 0.3);
    assert_true(psi > 0.1 && psi < 10.8276 * (1.0 / 1000 + 1.0 / 40));
    assert_true(fabs(number(record, "value") - psi) < 1e-12);
    assert_string_equal(text(record, "state"), "OK");
    json_decref(record);
}

static void test_noise(void **context)
{
    (void)context;
    each_care(run_noise);
}

static void run_few(struct fold *fold)
{
    const struct counts few = {.x = {29, 0, 0, 0, 0, 0, 0}, .c = {29, 0, 0, 0, 0}};
    give(fold, (struct place){.start_ms = 0, .offset = 0, .part = "ON_TIME"}, &few);
    advance(fold, 10 * WINDOW);
    json_t *record = fold_output(fold, 0);
    assert_string_equal(text(record, "state"), "INSUFFICIENT_DATA");
    assert_int_equal(integer(record, "n_current"), 29);
    json_decref(record);
}

static void test_few(void **context)
{
    (void)context;
    each_care(run_few);
}

static void run_quality(struct fold *fold)
{
    /* 3 of 40 null, 4 out of range (at the bound), 5 unseen by the baseline and 6 by the contract
     */
    const struct counts bad = {
        .x = {0, 20, 17, 0, 3, 0, 0}, .c = {16, 19, 0, 0, 5}, .range = 4, .values = 6};
    give(fold, (struct place){.start_ms = 0, .offset = 0, .part = "ON_TIME"}, &bad);
    advance(fold, 10 * WINDOW);
    static const struct {
        const char *metric, *state;
        double value, threshold;
    } expected[] = {{"nulls", "BREACH", 3.0 / 40, 0.05},
                    {"range", "OK", 4.0 / 40, 0.1},
                    {"unseen", "BREACH", 6.0 / 40, 0.1}};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        json_t *record = fold_output(fold, 3 + i);
        assert_string_equal(text(record, "kind"), "QUALITY");
        assert_string_equal(text(record, "metric"), expected[i].metric);
        assert_string_equal(text(record, "state"), expected[i].state);
        assert_true(number(record, "value") == expected[i].value);
        assert_true(number(record, "threshold") == expected[i].threshold);
        assert_int_equal(integer(record, "n_reference"), 0);
        assert_true(json_is_null(json_object_get(record, "reference")));
        json_decref(record);
    }
}

static void test_quality(void **context)
{
    (void)context;
    each_care(run_quality);
}

static void run_late(struct fold *fold)
{
    const struct counts late = {.x = {0, 0, 0, 40, 0, 0, 0}, .c = {16, 24, 0, 0, 0}};
    give(fold, (struct place){.start_ms = 0, .offset = 0, .part = "ON_TIME"}, &calm);
    give(fold, (struct place){.start_ms = 0, .offset = 900, .part = "LATE"}, &late);
    advance(fold, WINDOW + LATENESS + 1);
    advance(fold, WINDOW + LATENESS + 2);
    assert_int_equal(fold_size(fold), MEASUREMENTS); /* once */
    advance(fold, WINDOW + CORRECTION);
    assert_int_equal(fold_size(fold), MEASUREMENTS);
    advance(fold, WINDOW + CORRECTION + 1);
    assert_int_equal(fold_size(fold), 2 * MEASUREMENTS);
    json_t *on_time = fold_output(fold, 0), *all = fold_output(fold, MEASUREMENTS);
    assert_string_equal(text(on_time, "id"), text(all, "id"));
    assert_int_equal(integer(on_time, "revision"), 0);
    assert_int_equal(integer(all, "revision"), 1);
    assert_int_equal(integer(on_time, "n_current"), 40);
    assert_int_equal(integer(all, "n_current"), 80);
    assert_string_equal(text(on_time, "state"), "OK");
    assert_string_equal(text(all, "state"), "BREACH");
    const double psi = 2 * psi_part(0.5, 0.25) + psi_part(1e-4, 0.5);
    assert_true(fabs(number(all, "value") - psi) < 1e-12);
    json_decref(on_time);
    json_decref(all);
}

static void test_late(void **context)
{
    (void)context;
    each_care(run_late);
}

/* Only late rows: revision 0 says nothing, revision 1 is the first. */
static void run_only_late(struct fold *fold)
{
    give(fold, (struct place){.start_ms = 0, .offset = 0, .part = "LATE"}, &calm);
    advance(fold, WINDOW + LATENESS + 1);
    assert_int_equal(fold_size(fold), 0);
    advance(fold, WINDOW + CORRECTION + 1);
    assert_int_equal(fold_size(fold), MEASUREMENTS);
    json_t *record = fold_output(fold, 0);
    assert_int_equal(integer(record, "revision"), 1);
    json_decref(record);
}

static void test_only_late(void **context)
{
    (void)context;
    each_care(run_only_late);
}

/* The order of publishing does not depend on how time is cut: all at once, or each millisecond that
 * matters. */
static void test_order(void **context)
{
    (void)context;
    const struct counts late = {.x = {0, 40, 0, 0, 0, 0, 0}, .c = {16, 24, 0, 0, 0}};
    char *sequences[2] = {NULL, NULL};
    for (int cut = 0; cut <= 1; cut++) {
        struct catalog *catalog = make_catalog();
        struct fold fold;
        fold_open(&fold, &detector_service, catalog, cut == 1 ? FOLD_RESTORED : FOLD_PLAIN);
        for (int64_t window = 0; window < 4; window++) {
            give(&fold, (struct place){.start_ms = window * WINDOW, .part = "ON_TIME"}, &calm);
            give(&fold, (struct place){.start_ms = window * WINDOW, .part = "LATE"}, &late);
        }
        for (int64_t time = WINDOW; cut == 1 && time < 4 * WINDOW + CORRECTION; time += LATENESS)
            advance(&fold, time + 1);
        advance(&fold, 5 * WINDOW + CORRECTION);
        assert_int_equal(fold_size(&fold), 8 * MEASUREMENTS);
        struct buffer sequence = {0};
        for (size_t i = 0; i < fold_size(&fold); i++) {
            json_t *record = fold_output(&fold, i);
            buffer_format(&sequence, "%s %lld\n", text(record, "id"),
                          (long long)integer(record, "revision"));
            json_decref(record);
        }
        sequences[cut] = span_copied(buffer_span(&sequence));
        buffer_fini(&sequence);
        fold_close(&fold);
        catalog_destroy(catalog);
    }
    assert_string_equal(sequences[0], sequences[1]);
    heap_release(sequences[0]);
    heap_release(sequences[1]);
}

/* A contract changes within the window: the highest revision measures; rows of the other count
 * where its cells are the same. */
static void test_revisions(void **context)
{
    (void)context;
    for (int same = 0; same <= 1; same++) {
        struct catalog *catalog = catalog_create();
        struct baseline *baseline = make_baseline();
        fold_baseline(catalog, baseline);
        fold_contract(catalog, contract_text, 1, INT64_MIN, baseline);
        fold_contract(catalog, contract_text, 2, PANE, same ? baseline : NULL);
        struct fold fold;
        fold_open(&fold, &detector_service, catalog, same ? FOLD_RESTORED : FOLD_SAVED);
        give(&fold, (struct place){.start_ms = 0, .part = "ON_TIME", .revision = 1}, &calm);
        if (same) {
            give(&fold, (struct place){.start_ms = PANE, .part = "ON_TIME", .revision = 2}, &calm);
        } else { /* without a baseline, numbers have only the special cells */
            json_t *record =
                pane((struct place){.start_ms = PANE, .part = "ON_TIME", .revision = 2}, &calm);
            const int x[3] = {0, 0, 40}, prediction[3] = {0, 0, 40};
            json_t *columns = json_object_get(record, "columns");
            (void)json_array_set_new(columns, 0, column("x", cells(x, 3), 0, 0));
            (void)json_array_set_new(columns, 2, column("prediction", cells(prediction, 3), 0, 0));
            assert_int_equal(fold_give(&fold, TOPIC_WINDOW_PANES, record), FAULT_NONE);
        }
        advance(&fold, WINDOW + LATENESS + 1);
        assert_int_equal(fold_size(&fold), MEASUREMENTS);
        json_t *record = fold_output(&fold, 0);
        assert_int_equal(integer(record, "contract_revision"), 2);
        assert_int_equal(integer(record, "n_current"), same ? 80 : 40);
        assert_string_equal(text(record, "state"), same ? "OK" : "INSUFFICIENT_DATA");
        assert_int_equal((int)fold_counted(&fold, "other_revision_total", NULL), same ? 0 : 40);
        json_decref(record);
        baseline_destroy(baseline);
        fold_close(&fold);
        catalog_destroy(catalog);
    }
}

/* Lateness grows within the window: both windows' records and the alerter's clock go by the
 * longest. */
static void test_longest_lateness(void **context)
{
    (void)context;
    struct catalog *catalog = make_catalog();
    struct buffer slower = {0};
    const char *lateness = strstr(contract_text, "lateness: 30s");
    buffer_append(&slower, contract_text, (size_t)(lateness - contract_text));
    buffer_format(&slower, "lateness: 90s%s", lateness + strlen("lateness: 30s"));
    buffer_append_byte(&slower, 0);
    fold_contract(catalog, (const char *)slower.bytes, 2, 2 * PANE, NULL);
    buffer_fini(&slower);
    struct fold fold;
    fold_open(&fold, &detector_service, catalog, FOLD_PLAIN);
    give(&fold, (struct place){.start_ms = 0, .part = "ON_TIME", .revision = 1}, &calm);
    advance(&fold, WINDOW + 90000);
    assert_int_equal(fold_size(&fold), 0);
    advance(&fold, WINDOW + 90001);
    assert_int_equal(fold_size(&fold), MEASUREMENTS);
    fold_close(&fold);
    catalog_destroy(catalog);
}

static void test_waits_and_refuses(void **context)
{
    (void)context;
    struct catalog *catalog = make_catalog();
    struct fold fold;
    fold_open(&fold, &detector_service, catalog, FOLD_RESTORED);
    json_t *unknown = pane((struct place){.start_ms = 0, .part = "ON_TIME", .revision = 9}, &calm);
    assert_int_equal(fold_give(&fold, TOPIC_WINDOW_PANES, unknown), FAULT_TABLE_BEHIND);
    json_t *broken = pane((struct place){.start_ms = 0, .part = "ON_TIME"}, &calm);
    (void)json_object_set_new(broken, "end", json_integer(1));
    assert_int_equal(fold_give(&fold, TOPIC_WINDOW_PANES, broken), FAULT_NONE);
    json_t *cut = pane((struct place){.start_ms = 0, .part = "ON_TIME"}, &calm);
    (void)json_array_remove(
        json_object_get(json_array_get(json_object_get(cut, "columns"), 0), "cells"), 0);
    assert_int_equal(fold_give(&fold, TOPIC_WINDOW_PANES, cut), FAULT_NONE);
    assert_int_equal((int)fold_counted(&fold, "panes_malformed_total", NULL), 2);
    advance(&fold, 10 * WINDOW);
    assert_int_equal(fold_size(&fold), 0);
    assert_int_equal(fold.service->load(fold.shard, span_text("pane|x|0"), span_text("not framed")),
                     FAULT_STATE_MALFORMED);
    assert_int_equal(fold.service->load(fold.shard, span_text("nobody's"), span_text("x")),
                     FAULT_STATE_MALFORMED);
    fold_close(&fold);
    catalog_destroy(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calm),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_quality),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_only_late),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_revisions),
        cmocka_unit_test(test_longest_lateness),
        cmocka_unit_test(test_waits_and_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
