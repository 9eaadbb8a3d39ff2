/* Goal: measurements become one alert a cause: it fires, is joined, gets more severe, is resolved,
 * at the right stream time and by the right revision of a window.
 *
 * Method: hand-made measurements into one shard, each case plain, with state saved and with state
 * restored after every step; shuffled input must give the same sequence. */
#include "finding/finding.h"
#include "memory/heap.h"
#include "services/alerter/alerter.h"
#include "tests/support/fold_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* fixture */

static const char contract_text[] =
    "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: https://runbooks.example/m\n"
    "columns:\n"
    "  a: {type: number, range: [0, 1]}\n"
    "  b: {type: number, range: [0, 1]}\n"
    "  c: {type: number}\n"
    "windows: {pane: 1h, lateness: 30s, correction: 2h}\n"
    "monitors:\n"
    "  - {drift: psi, columns: [a, b], window: 1d, warn: 0.1, critical: 0.25}\n"
    "  - {drift: psi, columns: [c], window: 1d}\n"
    "  - {drift: psi, columns: [prediction], window: 1d, warn: 0.2, severity: info}\n"
    "  - {quality: nulls, columns: [a], window: 1d, max: 0.01, severity: critical}\n"
    "  - {quality: range, columns: [a, b], window: 1d, max: 0, for: 2 of 3}\n";
enum { DAY = 86400000, LATENESS = 30000, CORRECTION = 7200000 };

struct measured {
    int day, revision;
    const char *column, *metric, *state;
    double value, threshold; /* threshold < 0: none */
};

static json_t *measurement(const struct measured *one)
{
    const int64_t start_ms = one->day * (int64_t)DAY;
    struct identity identity = {0};
    char id[IDENTITY_HEX_SIZE];
    identity_integer(&identity, one->day);
    identity_text(&identity, one->column);
    identity_text(&identity, one->metric);
    identity_hex(&identity, id);
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:n, s:I, s:I, s:s, s:s, s:s, s:n, s:n, s:o, s:o, "
                     "s:n, s:n, s:i, s:i, "
                     "s:s, s:[{s:s, s:f}], s:[{s:i, s:I, s:I}], s:n, s:i}",
                     "id", id, "revision", one->revision, "model", "m", "version", "1", "role",
                     "CHAMPION", "segment", "window_start", (json_int_t)start_ms, "window_end",
                     (json_int_t)(start_ms + DAY), "kind",
                     strcmp(one->metric, "psi") == 0 ? "DRIFT" : "QUALITY", "column", one->column,
                     "metric", one->metric, "preset", "reference", "value",
                     one->value < 0 ? json_null() : json_real(one->value), "threshold",
                     one->threshold < 0 ? json_null() : json_real(one->threshold), "p_value",
                     "e_value", "n_reference", 100, "n_current", 48, "state", one->state,
                     "contributions", "cell", "> 0.003467", "share", 0.98, "offsets", "partition",
                     one->day % 2, "first", (json_int_t)one->day * 100, "last",
                     (json_int_t)one->day * 100 + 47, "reference_hash", "contract_revision", 1);
}

static const struct measured calm_a = {
    .column = "a", .metric = "psi", .state = "OK", .value = 0.01, .threshold = 0.1};
static const struct measured warm_a = {
    .column = "a", .metric = "psi", .state = "BREACH", .value = 0.2, .threshold = 0.1};
static const struct measured hot_a = {
    .column = "a", .metric = "psi", .state = "BREACH", .value = 9.1, .threshold = 0.25};
static const struct measured calm_b = {
    .column = "b", .metric = "psi", .state = "OK", .value = 0.01, .threshold = 0.1};
static const struct measured hot_b = {
    .column = "b", .metric = "psi", .state = "BREACH", .value = 18.41, .threshold = 0.25};
static const struct measured few_a = {
    .column = "a", .metric = "psi", .state = "INSUFFICIENT_DATA", .value = -1, .threshold = 0.1};
static const struct measured free_c = {
    .column = "c", .metric = "psi", .state = "OK", .value = 7, .threshold = -1};

/* helpers */

static void give_revision(struct fold *fold, int day, int revision, struct measured one)
{
    one.day = day;
    one.revision = revision;
    assert_int_equal(fold_give(fold, TOPIC_MEASUREMENTS, measurement(&one)), FAULT_NONE);
}

static void give(struct fold *fold, int day, struct measured one)
{
    give_revision(fold, day, 0, one);
}

static int64_t counts_at(int day, int revision)
{
    return (day + 1) * (int64_t)DAY + (revision == 0 ? LATENESS : CORRECTION);
}

/* Past the time at which a revision of the day's window counts. */
static void pass(struct fold *fold, int day, int revision)
{
    assert_int_equal(fold_advance(fold, TOPIC_MEASUREMENTS, counts_at(day, revision) + 1),
                     FAULT_NONE);
}

static const char *text(const json_t *value, const char *name)
{
    return json_string_value(json_object_get(value, name));
}

static int64_t integer(const json_t *value, const char *name)
{
    return json_integer_value(json_object_get(value, name));
}

/* The newest record is this change: state, severity, columns joined by commas, day of the window
 * that decided. Counts what was said. */
static void said(const struct fold *fold, size_t count, const char *state, const char *severity,
                 const char *columns, int day)
{
    assert_int_equal(fold_size(fold), count);
    json_t *alert = fold_output(fold, count - 1), *one = NULL;
    struct buffer names = {0};
    size_t index = 0;
    json_array_foreach(json_object_get(alert, "columns"), index, one)
        buffer_format(&names, "%s%s", index == 0 ? "" : ",", json_string_value(one));
    buffer_append_byte(&names, 0);
    assert_string_equal(text(alert, "state"), state);
    assert_string_equal(text(alert, "severity"), severity);
    assert_string_equal((const char *)names.bytes, columns);
    assert_int_equal(integer(alert, "window_start"), day * (int64_t)DAY);
    buffer_fini(&names);
    json_decref(alert);
}

static void each_care(void (*run)(struct fold *fold))
{
    for (int care = FOLD_PLAIN; care < FOLD_CARE_COUNT; care++) {
        struct catalog *catalog = catalog_create();
        fold_contract(catalog, contract_text, 1, INT64_MIN, NULL);
        struct fold fold;
        fold_open(&fold, &alerter_service, catalog, (enum fold_care)care);
        run(&fold);
        fold_close(&fold);
        catalog_destroy(catalog);
    }
}

/* tests */

static void check_record(const struct fold *fold)
{
    json_t *alert = fold_output(fold, 0);
    assert_string_equal(text(alert, "kind"), "feature_drift");
    assert_string_equal(text(alert, "rule"), "drift psi 1d");
    assert_string_equal(text(alert, "owner"), "o");
    assert_string_equal(text(alert, "runbook"), "https://runbooks.example/m");
    assert_int_equal(integer(alert, "time"), counts_at(5, 0));
    assert_int_equal(integer(alert, "started_at"), 5 * (int64_t)DAY);
    assert_int_equal(integer(alert, "window_end"), 6 * (int64_t)DAY);
    assert_string_equal(text(alert, "sentence"),
                        "m 1: PSI of b 18.4 (limit 0.25), a 9.1 since 1970-01-06 00:00, mostly in "
                        "> 0.003467 (98 %); owner o; runbook https://runbooks.example/m");
    const json_t *labels = json_object_get(alert, "labels");
    assert_string_equal(text(labels, "alertname"), "PlumbFeatureDrift");
    assert_string_equal(text(labels, "severity"), "critical");
    assert_string_equal(text(labels, "model"), "m");
    assert_string_equal(text(labels, "version"), "1");
    assert_string_equal(text(labels, "role"), "CHAMPION");
    assert_string_equal(text(labels, "kind"), "feature_drift");
    assert_string_equal(text(labels, "owner"), "o");
    assert_int_equal(json_object_size(labels), 7);
    const json_t *annotations = json_object_get(alert, "annotations");
    assert_string_equal(text(annotations, "summary"), "m 1: feature drift in b, a");
    assert_string_equal(text(annotations, "description"), text(alert, "sentence"));
    assert_string_equal(text(annotations, "runbook_url"), text(alert, "runbook"));
    const json_t *evidence = json_array_get(json_object_get(alert, "evidence"), 0);
    assert_string_equal(text(evidence, "column"), "b");
    assert_true(json_real_value(json_object_get(evidence, "value")) == 18.41);
    assert_int_equal(json_array_size(json_object_get(alert, "offsets")), 1);
    const struct output *output = outputs_at(fold->outputs, 0);
    assert_int_equal(output->topic, TOPIC_ALERTS);
    assert_true(span_is(output->key, text(alert, "fingerprint")));
    assert_true(span_is(output->route, "m"));
    const struct record record = outputs_record(fold->outputs, 0, 0, 0);
    char *id = heap_format("%s:%lld", text(alert, "fingerprint"), (long long)counts_at(5, 0));
    assert_true(span_is(record_header(&record, "ce_id")->value, id));
    assert_true(span_is(record_header(&record, "ce_type")->value, "io.plumbline.alert"));
    heap_release(id);
    json_decref(alert);
}

static void run_fires_once(struct fold *fold)
{
    for (int day = 3; day < 5; day++) {
        give(fold, day, calm_a);
        give(fold, day, free_c);
        pass(fold, day, 0);
    }
    give(fold, 5, free_c); /* seven times any bound, but nobody asked */
    give(fold, 5, hot_a);
    give(fold, 5, hot_b);
    assert_int_equal(fold_advance(fold, TOPIC_MEASUREMENTS, counts_at(5, 0)), FAULT_NONE);
    assert_int_equal(fold_size(fold), 0); /* reached, not passed */
    pass(fold, 5, 0);
    said(fold, 1, "FIRING", "CRITICAL", "b,a", 5);
    check_record(fold);
    give(fold, 6, hot_a);
    give(fold, 6, calm_b);
    pass(fold, 6, 1);
    assert_int_equal(fold_size(fold), 1); /* nothing new */
}

static void test_fires_once(void **context)
{
    (void)context;
    each_care(run_fires_once);
}

/* A column joins, severity rises and does not fall, all calm resolves; then a new alert begins
 * afresh. */
static void run_life(struct fold *fold)
{
    give(fold, 5, warm_a);
    give(fold, 5, calm_b);
    pass(fold, 5, 1);
    said(fold, 1, "FIRING", "WARNING", "a", 5);
    give(fold, 6, calm_a);
    give(fold, 6, hot_b);
    pass(fold, 6, 1);
    said(fold, 2, "FIRING", "CRITICAL", "b,a", 6);
    give(fold, 7, warm_a);
    give(fold, 7, calm_b);
    pass(fold, 7, 1);
    assert_int_equal(fold_size(fold), 2);
    give(fold, 8, few_a); /* decides nothing */
    pass(fold, 8, 1);
    assert_int_equal(fold_size(fold), 2);
    give(fold, 9, calm_a);
    give(fold, 9, calm_b);
    pass(fold, 9, 1);
    said(fold, 3, "RESOLVED", "CRITICAL", "a,b", 9); /* by what they are now */
    json_t *alert = fold_output(fold, 2);
    assert_string_equal(
        text(alert, "sentence"),
        "m 1: resolved, PSI of a, b within limits from 1970-01-10 00:00, was beyond since "
        "1970-01-06 00:00; owner o; runbook https://runbooks.example/m");
    assert_true(json_real_value(json_object_get(
                    json_array_get(json_object_get(alert, "evidence"), 0), "value")) == 0.01);
    json_decref(alert);
    assert_int_equal(fold_restore(fold), FAULT_NONE);
    assert_int_equal(fold_stored(fold), 0); /* a calm shard remembers nothing */
    give(fold, 10, warm_a);
    pass(fold, 10, 0);
    said(fold, 4, "FIRING", "WARNING", "a", 10);
}

static void test_life(void **context)
{
    (void)context;
    each_care(run_life);
}

/* Severity alone is reason enough to say it again. */
static void run_severity(struct fold *fold)
{
    const struct measured *const days[] = {&warm_a, &warm_a, &hot_a, &hot_a, &warm_a};
    for (int day = 5; day < 10; day++) {
        give(fold, day, *days[day - 5]);
        pass(fold, day, 0);
        assert_int_equal(fold_size(fold), day < 7 ? 1 : 2);
    }
    said(fold, 2, "FIRING", "CRITICAL", "a", 7);
}

static void test_severity(void **context)
{
    (void)context;
    each_care(run_severity);
}

/* Beyond a bound of 0 all are infinitely strong: the larger value is the stronger. */
static void run_strength(struct fold *fold)
{
    struct measured bad = {
        .column = "a", .metric = "range", .state = "BREACH", .value = 0.2, .threshold = 0};
    for (int day = 5; day < 7; day++) {
        bad.column = "a";
        bad.value = 0.2;
        give(fold, day, bad);
        bad.column = "b";
        bad.value = 0.5;
        give(fold, day, bad);
        pass(fold, day, 0);
    }
    said(fold, 1, "FIRING", "WARNING", "b,a", 6);
}

static void test_strength(void **context)
{
    (void)context;
    each_care(run_strength);
}

/* Revision 1 acts only where revision 0 had not enough data. */
static void run_revisions(struct fold *fold)
{
    give(fold, 5, calm_a);
    give(fold, 5,
         (struct measured){.column = "b",
                           .metric = "psi",
                           .state = "INSUFFICIENT_DATA",
                           .value = -1,
                           .threshold = 0.1});
    pass(fold, 5, 0);
    give_revision(fold, 5, 1, hot_a); /* corrects the record only */
    give_revision(fold, 5, 1, hot_b);
    pass(fold, 5, 0);
    assert_int_equal(fold_size(fold), 0);
    pass(fold, 5, 1);
    said(fold, 1, "FIRING", "CRITICAL", "b", 5);
    json_t *alert = fold_output(fold, 0);
    assert_int_equal(integer(alert, "time"), counts_at(5, 1));
    assert_int_equal(integer(json_array_get(json_object_get(alert, "evidence"), 0), "revision"), 1);
    json_decref(alert);
}

static void test_revisions(void **context)
{
    (void)context;
    each_care(run_revisions);
}

/* for: 2 of 3 */
static void run_persistence(struct fold *fold)
{
    const struct measured bad = {
        .column = "a", .metric = "range", .state = "BREACH", .value = 0.5, .threshold = 0};
    const struct measured good = {
        .column = "a", .metric = "range", .state = "OK", .value = 0, .threshold = 0};
    const struct measured *const days[] = {&bad, &good, &good, &bad, &good, &bad, &good, &good};
    for (int day = 1; day <= 8; day++) {
        give(fold, day, *days[day - 1]);
        pass(fold, day, 1);
        assert_int_equal(fold_size(fold), day < 6 ? 0 : day < 7 ? 1 : 2);
    }
    json_t *alert = fold_output(fold, 0);
    assert_string_equal(text(alert, "kind"), "range_violation");
    assert_string_equal(text(alert, "severity"), "WARNING");
    assert_int_equal(integer(alert, "window_start"), 6 * (int64_t)DAY);
    assert_int_equal(integer(alert, "started_at"), 4 * (int64_t)DAY); /* the first of the two */
    json_decref(alert);
    said(fold, 2, "RESOLVED", "WARNING", "a", 7);
}

static void test_persistence(void **context)
{
    (void)context;
    each_care(run_persistence);
}

static void run_kinds(struct fold *fold)
{
    give(fold, 5,
         (struct measured){.column = "prediction",
                           .metric = "psi",
                           .state = "BREACH",
                           .value = 0.5,
                           .threshold = 0.2});
    give(fold, 5,
         (struct measured){.column = "a",
                           .metric = "nulls",
                           .state = "BREACH",
                           .value = 0.125,
                           .threshold = 0.01});
    give(fold, 5, hot_a);
    pass(fold, 5, 0);
    static const char *const kinds[] = {"feature_drift", "prediction_drift", "null_rate"};
    static const char *const severities[] = {"CRITICAL", "INFO", "CRITICAL"};
    assert_int_equal(fold_size(fold), COUNT_OF(kinds));
    for (size_t i = 0; i < COUNT_OF(kinds); i++) { /* three causes */
        json_t *alert = fold_output(fold, i);
        assert_string_equal(text(alert, "kind"), kinds[i]);
        assert_string_equal(text(alert, "severity"), severities[i]);
        json_decref(alert);
    }
}

static void test_kinds(void **context)
{
    (void)context;
    each_care(run_kinds);
}

/* A new contract that no longer bounds the column ends its alert. */
static void test_bound_is_gone(void **context)
{
    (void)context;
    struct catalog *catalog = catalog_create();
    fold_contract(catalog, contract_text, 1, INT64_MIN, NULL);
    struct fold fold;
    fold_open(&fold, &alerter_service, catalog, FOLD_RESTORED);
    give(&fold, 5, hot_a);
    pass(&fold, 5, 1);
    assert_int_equal(fold_size(&fold), 1);
    struct measured unbounded = hot_a;
    unbounded.state = "OK";
    unbounded.threshold = -1;
    give(&fold, 6, unbounded);
    pass(&fold, 6, 1);
    said(&fold, 2, "RESOLVED", "CRITICAL", "a", 6);
    fold_close(&fold);
    catalog_destroy(catalog);
}

static uint64_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* What all days' measurements lead to, as text; shuffled and in one advance, or in order and step
 * by step with restores. */
static char *run_shuffled(uint64_t seed, bool shuffle)
{
    static const struct measured *const choices[] = {&calm_a, &warm_a, &hot_a,
                                                     &few_a,  &calm_b, &hot_b};
    enum { DAYS = 12, EACH = 4 };
    struct measured list[DAYS * EACH];
    uint64_t random = seed;
    size_t count = 0;
    for (int day = 1; day <= DAYS; day++) {
        for (int i = 0; i < EACH; i++) { /* a and b, each with two revisions */
            list[count] = i % 2 == 0 ? *choices[random_next(&random) % 4]
                                     : *choices[4 + random_next(&random) % 2];
            list[count].day = day;
            list[count++].revision = i / 2;
        }
    }
    struct catalog *catalog = catalog_create();
    fold_contract(catalog, contract_text, 1, INT64_MIN, NULL);
    struct fold fold;
    fold_open(&fold, &alerter_service, catalog, shuffle ? FOLD_PLAIN : FOLD_RESTORED);
    for (size_t i = count; shuffle && i > 1; i--) {
        const size_t other = random_next(&random) % i;
        const struct measured swapped = list[i - 1];
        list[i - 1] = list[other];
        list[other] = swapped;
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fold_give(&fold, TOPIC_MEASUREMENTS, measurement(&list[i])), FAULT_NONE);
        if (!shuffle && i % EACH == EACH / 2 - 1)
            pass(&fold, list[i].day, 0);
        if (!shuffle && i % EACH == EACH - 1)
            pass(&fold, list[i].day, 1);
    }
    pass(&fold, DAYS, 1);
    struct buffer all = {0};
    for (size_t i = 0; i < fold_size(&fold); i++) {
        json_t *alert = fold_output(&fold, i);
        char *line = json_dumps(alert, JSON_SORT_KEYS);
        buffer_format(&all, "%s\n", line);
        heap_release(line);
        json_decref(alert);
    }
    assert_true(fold_size(&fold) > 0);
    char *copy = span_copied(buffer_span(&all));
    buffer_fini(&all);
    fold_close(&fold);
    catalog_destroy(catalog);
    return copy;
}

static void test_any_order(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char *ordered = run_shuffled(seed, false), *shuffled = run_shuffled(seed, true);
        if (strcmp(ordered, shuffled) != 0)
            (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        assert_string_equal(ordered, shuffled);
        heap_release(ordered);
        heap_release(shuffled);
    }
}

static void test_waits_and_refuses(void **context)
{
    (void)context;
    struct catalog *catalog = catalog_create();
    struct fold fold;
    fold_open(&fold, &alerter_service, catalog, FOLD_RESTORED);
    assert_int_equal(fold_give(&fold, TOPIC_MEASUREMENTS, measurement(&hot_a)), FAULT_TABLE_BEHIND);
    fold_contract(catalog, contract_text, 1, INT64_MIN, NULL);
    assert_int_equal(fold_give(&fold, TOPIC_MEASUREMENTS, measurement(&hot_a)), FAULT_NONE);
    json_t *broken = measurement(&hot_a);
    (void)json_object_del(broken, "metric");
    assert_int_equal(fold_give(&fold, TOPIC_MEASUREMENTS, broken), FAULT_NONE);
    json_t *backwards = measurement(&hot_a);
    (void)json_object_set_new(backwards, "window_end", json_integer(-1));
    assert_int_equal(fold_give(&fold, TOPIC_MEASUREMENTS, backwards), FAULT_NONE);
    assert_int_equal((int)fold_counted(&fold, "measurements_malformed_total", NULL), 2);
    pass(&fold, 0, 0);
    assert_int_equal(fold_size(&fold), 1);
    assert_int_equal(fold.service->load(fold.shard, span_text("group|x"), span_text("not framed")),
                     FAULT_STATE_MALFORMED);
    assert_int_equal(fold.service->load(fold.shard, span_text("nobody's"), span_text("x")),
                     FAULT_STATE_MALFORMED);
    fold_close(&fold);
    catalog_destroy(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fires_once), cmocka_unit_test(test_life),
        cmocka_unit_test(test_severity),   cmocka_unit_test(test_strength),
        cmocka_unit_test(test_revisions),  cmocka_unit_test(test_persistence),
        cmocka_unit_test(test_kinds),      cmocka_unit_test(test_bound_is_gone),
        cmocka_unit_test(test_any_order),  cmocka_unit_test(test_waits_and_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
