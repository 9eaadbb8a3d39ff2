/* Goal: a training is asked for exactly when the contract's condition has lasted, at most once an
 * episode and cool-down, never on broken data, and names the data.
 *
 * Method: hand-made alerts and measurements into one joined shard, each case plain, with state
 * saved and with state restored after every step; shuffled input must give the same sequence. */
#include "finding/finding.h"
#include "memory/heap.h"
#include "services/retrainer/retrainer.h"
#include "tests/support/fold_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* fixture */

static const char contract_text[] =
    "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: https://runbooks.example/m\n"
    "columns:\n"
    "  a: {type: number}\n"
    "  b: {type: number}\n"
    "windows: {pane: 1h, lateness: 30s, correction: 2h}\n"
    "monitors:\n"
    "  - {drift: psi, columns: [a, b], window: 1d, warn: 0.1, critical: 0.25}\n"
    "  - {quality: nulls, columns: [a], window: 1d, max: 0.01, severity: critical}\n"
    "retrain: {when: [drift.critical], for: 3 windows, cooldown: 5d, max: 2/week, min_labels: 0}\n";
enum { DAY = 86400000, LATENESS = 30000, CORRECTION = 7200000 };
enum { DRIFT, NULLS };
static const char *const metrics[] = {"psi", "nulls"};
static const char *const kinds[] = {"feature_drift", "null_rate"};

struct step {
    int day;
    const char *alert; /* columns of a FIRING record, "" for RESOLVED, NULL: none */
    const char *severity;
    double a, b; /* psi of the day; < 0: not measured */
};

static const char *measurement_id(int day, const char *column, int metric,
                                  char id[IDENTITY_HEX_SIZE])
{
    struct identity identity = {0};
    identity_integer(&identity, day);
    identity_text(&identity, column);
    identity_text(&identity, metrics[metric]);
    identity_hex(&identity, id);
    return id;
}

static json_t *measurement(int day, int revision, const char *column, int metric, double value)
{
    const int64_t start_ms = day * (int64_t)DAY;
    const double limit = metric == NULLS ? 0.01 : value >= 0.25 ? 0.25 : 0.1;
    char id[IDENTITY_HEX_SIZE];
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:n, s:I, s:I, s:s, s:s, s:s, s:n, s:n, s:f, s:f, "
                     "s:n, s:n, s:i, s:i, "
                     "s:s, s:[], s:[{s:i, s:I, s:I}], s:n, s:i}",
                     "id", measurement_id(day, column, metric, id), "revision", revision, "model",
                     "m", "version", "1", "role", "CHAMPION", "segment", "window_start",
                     (json_int_t)start_ms, "window_end", (json_int_t)(start_ms + DAY), "kind",
                     metric == DRIFT ? "DRIFT" : "QUALITY", "column", column, "metric",
                     metrics[metric], "preset", "reference", "value", value, "threshold", limit,
                     "p_value", "e_value", "n_reference", 100, "n_current", 48, "state",
                     value >= limit ? "BREACH" : "OK", "contributions", "offsets", "partition",
                     day % 2, "first", (json_int_t)day * 100, "last", (json_int_t)day * 100 + 47,
                     "reference_hash", "contract_revision", 1);
}

static int64_t counts_at(int day)
{
    return (day + 1) * (int64_t)DAY + LATENESS;
}

static void fingerprint_of(const struct catalog *catalog, int metric,
                           char out_text[IDENTITY_HEX_SIZE])
{
    json_t *record = measurement(1, 0, "a", metric, 1);
    struct finding finding;
    assert_int_equal(finding_read(catalog, record, &finding), FAULT_NONE);
    finding_fingerprint(&finding, out_text);
    json_decref(record);
}

static json_t *alert(const struct catalog *catalog, int day, int metric, const char *columns,
                     const char *severity)
{
    const int64_t start_ms = day * (int64_t)DAY;
    char fingerprint[IDENTITY_HEX_SIZE];
    json_t *names = json_array();
    for (const char *letter = columns; *letter != 0; letter++)
        (void)json_array_append_new(names, json_stringn(letter, 1));
    fingerprint_of(catalog, metric, fingerprint);
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:o, s:I, s:I, s:I, s:s, s:s, "
                     "s:s, s:[], s:[], s:s, "
                     "s:{}, s:{}}",
                     "fingerprint", fingerprint, "time", (json_int_t)counts_at(day), "kind",
                     kinds[metric], "severity", severity, "state",
                     columns[0] == 0 ? "RESOLVED" : "FIRING", "model", "m", "version", "1", "role",
                     "CHAMPION", "segment", "columns", names, "window_start", (json_int_t)start_ms,
                     "window_end", (json_int_t)(start_ms + DAY), "started_at", (json_int_t)start_ms,
                     "sentence", "s", "owner", "o", "runbook", "r", "evidence", "offsets", "rule",
                     "drift psi 1d", "labels", "annotations");
}

/* helpers */

static void give_measurement(struct fold *fold, int day, const char *column, double value)
{
    if (value >= 0)
        assert_int_equal(
            fold_give(fold, TOPIC_MEASUREMENTS, measurement(day, 0, column, DRIFT, value)),
            FAULT_NONE);
}

static void give_alert(struct fold *fold, int day, int metric, const char *columns,
                       const char *severity)
{
    assert_int_equal(
        fold_give(fold, TOPIC_ALERTS, alert(fold->catalog, day, metric, columns, severity)),
        FAULT_NONE);
}

static void advance(struct fold *fold, enum topic topic, int64_t time_ms)
{
    assert_int_equal(fold_advance(fold, topic, time_ms), FAULT_NONE);
}

static void pass(struct fold *fold, int day)
{
    advance(fold, TOPIC_MEASUREMENTS, counts_at(day) + 1);
    advance(fold, TOPIC_ALERTS, counts_at(day) + 1);
}

static void play(struct fold *fold, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct step *step = &steps[i];
        give_measurement(fold, step->day, "a",
                         step->a); /* before the alert: topics have no order */
        give_measurement(fold, step->day, "b", step->b);
        if (step->alert != NULL)
            give_alert(fold, step->day, DRIFT, step->alert, step->severity);
        pass(fold, step->day);
    }
}

static const char *text(const json_t *value, const char *name)
{
    return json_string_value(json_object_get(value, name));
}

static int64_t integer(const json_t *value, const char *name)
{
    return json_integer_value(json_object_get(value, name));
}

/* The record at index is a trigger of this day, or a refusal of this day for that reason. */
static void said(const struct fold *fold, size_t index, int day, const char *blocked_by)
{
    assert_true(index < fold_size(fold));
    json_t *record = fold_output(fold, index);
    assert_int_equal(outputs_at(fold->outputs, index)->topic,
                     blocked_by == NULL ? TOPIC_RETRAIN_TRIGGERS : TOPIC_ROLLOUT_DECISIONS);
    assert_int_equal(integer(record, "time"), counts_at(day));
    if (blocked_by != NULL) {
        assert_string_equal(text(record, "decision"), "REFUSED");
        assert_string_equal(text(record, "blocked_by"), blocked_by);
    }
    json_decref(record);
}

static void each_care(void (*run)(struct fold *fold))
{
    for (int care = FOLD_PLAIN; care < FOLD_CARE_COUNT; care++) {
        struct catalog *catalog = catalog_create();
        fold_contract(catalog, contract_text, 1, INT64_MIN, NULL);
        struct fold fold;
        fold_open(&fold, &retrainer_service, catalog, (enum fold_care)care);
        run(&fold);
        fold_close(&fold);
        catalog_destroy(catalog);
    }
}

/* tests */

static void check_trigger(const struct fold *fold)
{
    static const struct {
        int day;
        const char *column;
    } counted[] = {{5, "a"}, {6, "a"}, {6, "b"}, {7, "a"}, {7, "b"}};
    json_t *trigger = fold_output(fold, 0);
    char fingerprint[IDENTITY_HEX_SIZE], id[IDENTITY_HEX_SIZE];
    assert_string_equal(text(trigger, "model"), "m");
    assert_string_equal(text(trigger, "version"), "1");
    assert_string_equal(text(trigger, "reason"), "drift.critical for 3 windows");
    fingerprint_of(fold->catalog, DRIFT, fingerprint);
    const json_t *alerts = json_object_get(trigger, "alerts");
    assert_int_equal(json_array_size(alerts), 1);
    assert_string_equal(json_string_value(json_array_get(alerts, 0)), fingerprint);
    const json_t *measurements = json_object_get(trigger, "measurements");
    assert_int_equal(json_array_size(measurements), COUNT_OF(counted));
    for (size_t i = 0; i < COUNT_OF(counted); i++) {
        bool there = false;
        size_t index = 0;
        json_t *one = NULL;
        (void)measurement_id(counted[i].day, counted[i].column, DRIFT, id);
        json_array_foreach(measurements, index, one) there =
            there || strcmp(json_string_value(one), id) == 0;
        assert_true(there);
    }
    const json_t *used = json_object_get(trigger, "data");
    assert_int_equal(integer(used, "time_start"), 5 * (int64_t)DAY);
    assert_int_equal(integer(used, "time_end"), 8 * (int64_t)DAY);
    assert_int_equal(integer(used, "labels"), 0);
    const json_t *offsets = json_object_get(used, "offsets");
    assert_int_equal(json_array_size(offsets), 2); /* day 6 on partition 0; 5 and 7 on 1 */
    assert_int_equal(integer(json_array_get(offsets, 0), "first"), 600);
    assert_int_equal(integer(json_array_get(offsets, 0), "last"), 647);
    assert_int_equal(integer(json_array_get(offsets, 1), "first"), 500);
    assert_int_equal(integer(json_array_get(offsets, 1), "last"), 747);
    const json_t *parameters = json_object_get(trigger, "parameters");
    assert_int_equal(json_object_size(parameters), 6);
    assert_string_equal(text(parameters, "trigger_id"), text(trigger, "trigger_id"));
    assert_string_equal(text(parameters, "time_start"), "432000000");
    assert_string_equal(text(parameters, "time_end"), "691200000");
    const char *uuid = text(trigger, "trigger_id");
    assert_int_equal(strlen(uuid), 36);
    assert_true(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-');
    assert_true(span_is(outputs_at(fold->outputs, 0)->key, "m"));
    const struct record record = outputs_record(fold->outputs, 0, 0, 0);
    assert_true(span_is(record_header(&record, "ce_type")->value, "io.plumbline.retrain"));
    assert_true(record.value.bytes[0] == '{'); /* JSON text */
    json_decref(trigger);
}

static void run_lasts(struct fold *fold)
{
    static const struct step steps[] = {{5, "a", "CRITICAL", 9, 0},
                                        {6, "ab", "CRITICAL", 9, 8},
                                        {7, NULL, NULL, 9, 8},
                                        {8, NULL, NULL, 9, 8}};
    play(fold, steps, 2);
    assert_int_equal(fold_size(fold), 0);
    play(fold, steps + 2, 2);
    for (int day = 9; day < 20; day++)
        play(fold, &(struct step){day, NULL, NULL, 9, 8}, 1);
    assert_int_equal(fold_size(fold), 1); /* once an episode, said or refused */
    said(fold, 0, 7, NULL);
    check_trigger(fold);
}

static void test_lasts(void **context)
{
    (void)context;
    each_care(run_lasts);
}

static void run_interrupted(struct fold *fold)
{
    static const struct step steps[] = {
        {1, "a", "CRITICAL", 9, 0},
        {2, NULL, NULL, 9, 0},
        {3, "", "CRITICAL", 0, 0}, /* resolved */
        {4, "a", "WARNING", 0.2, 0},
        {5, NULL, NULL, 0.2, 0}, /* a warning is not critical */
        {6, NULL, NULL, 0.2, 0},
        {7, "a", "CRITICAL", 9, 0},
        {8, NULL, NULL, 9, 0},
        {9, NULL, NULL, 0.2, 0}, /* still firing, below critical: the count begins anew */
        {10, NULL, NULL, 9, 0},
        {11, NULL, NULL, -1, -1}, /* nothing decided: no matter */
        {12, NULL, NULL, 9, 0},
    };
    play(fold, steps, COUNT_OF(steps));
    assert_int_equal(fold_size(fold), 0);
    const struct step third = {13, NULL, NULL, 9, 0};
    play(fold, &third, 1);
    assert_int_equal(fold_size(fold), 1);
    said(fold, 0, 13, NULL);
    json_t *trigger = fold_output(fold, 0);
    assert_int_equal(integer(json_object_get(trigger, "data"), "time_start"), 10 * (int64_t)DAY);
    assert_int_equal(json_array_size(json_object_get(trigger, "measurements")), 3);
    json_decref(trigger);
}

static void test_interrupted(void **context)
{
    (void)context;
    each_care(run_interrupted);
}

/* Three days make a trigger; a second episode within the cool-down is refused once and may act when
 * the cool-down has passed. */
static void run_cooldown(struct fold *fold)
{
    for (int day = 1; day <= 3; day++)
        play(fold, &(struct step){day, day == 1 ? "a" : NULL, "CRITICAL", 9, 0}, 1);
    said(fold, 0, 3, NULL);
    play(fold, &(struct step){4, "", "CRITICAL", 0, 0}, 1);
    for (int day = 5; day <= 9; day++) {
        play(fold, &(struct step){day, day == 5 ? "a" : NULL, "CRITICAL", 9, 0}, 1);
        assert_int_equal(fold_size(fold), day < 7 ? 1 : day < 8 ? 2 : 3);
    }
    said(fold, 1, 7, "cooldown");
    said(fold, 2, 8, NULL); /* five days after the first */
    json_t *trigger = fold_output(fold, 2);
    assert_int_equal(integer(json_object_get(trigger, "data"), "time_start"), 6 * (int64_t)DAY);
    json_decref(trigger);
}

static void test_cooldown(void **context)
{
    (void)context;
    each_care(run_cooldown);
}

static void test_budget(void **context)
{
    (void)context;
    struct catalog *catalog = catalog_create();
    char *yaml = heap_text(contract_text);
    memcpy(strstr(yaml, "cooldown: 5d"), "cooldown: 0d", 12);
    memcpy(strstr(yaml, "for: 3 windows"), "for: 1 window ", 14);
    fold_contract(catalog, yaml, 1, INT64_MIN, NULL);
    heap_release(yaml);
    struct fold fold;
    fold_open(&fold, &retrainer_service, catalog, FOLD_RESTORED);
    for (int day = 1; day <= 16; day += 2) {
        play(&fold, &(struct step){day, "a", "CRITICAL", 9, 0}, 1);
        play(&fold, &(struct step){day + 1, "", "CRITICAL", 0, 0}, 1);
    }
    static const char *const expected[] = {NULL, NULL, "budget", "budget",
                                           NULL, NULL, "budget", "budget"};
    assert_int_equal(fold_size(&fold), COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        said(&fold, i, 1 + 2 * (int)i, expected[i]);
    json_t *trigger = fold_output(&fold, 0);
    assert_string_equal(text(trigger, "reason"), "drift.critical for 1 window");
    json_decref(trigger);
    fold_close(&fold);
    catalog_destroy(catalog);
}

/* Broken data blocks: refused once; when it is mended, the same episode may act. */
static void run_broken_data(struct fold *fold)
{
    give_alert(fold, 2, NULLS, "a", "CRITICAL");
    for (int day = 1; day <= 4; day++)
        play(fold, &(struct step){day, day == 1 ? "a" : NULL, "CRITICAL", 9, 0}, 1);
    assert_int_equal(fold_size(fold), 1);
    said(fold, 0, 3, "data_quality");
    assert_true(fold_counted(fold, "retrain_refusals_total", "data_quality") == 1);
    give_alert(fold, 5, NULLS, "", "CRITICAL");
    play(fold, &(struct step){5, NULL, NULL, 9, 0}, 1);
    assert_int_equal(fold_size(fold), 2);
    said(fold, 1, 5, NULL);
}

static void test_broken_data(void **context)
{
    (void)context;
    each_care(run_broken_data);
}

/* A correction of a window already decided changes nothing; time needs both topics. */
static void run_corrections_and_time(struct fold *fold)
{
    for (int day = 1; day <= 2; day++) {
        play(fold, &(struct step){day, day == 1 ? "a" : NULL, "CRITICAL", 9, 0}, 1);
        assert_int_equal(
            fold_give(fold, TOPIC_MEASUREMENTS, measurement(day, 1, "a", DRIFT, day == 1 ? 9 : 0)),
            FAULT_NONE);
    }
    advance(fold, TOPIC_MEASUREMENTS, 3 * (int64_t)DAY + CORRECTION + 1);
    advance(fold, TOPIC_ALERTS, 3 * (int64_t)DAY + CORRECTION + 1);
    assert_int_equal(fold_size(fold), 0);
    give_measurement(fold, 3, "a", 9);
    advance(fold, TOPIC_MEASUREMENTS, counts_at(3) + 1);
    assert_int_equal(fold_size(fold), 0); /* alerts of that time may still come */
    advance(fold, TOPIC_ALERTS, counts_at(3));
    assert_int_equal(fold_size(fold), 0);
    advance(fold, TOPIC_ALERTS, counts_at(3) + 1);
    assert_int_equal(fold_size(fold), 1);
    said(fold, 0, 3, NULL);
}

static void test_corrections_and_time(void **context)
{
    (void)context;
    each_care(run_corrections_and_time);
}

static uint64_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

struct given {
    enum topic topic;
    json_t *value;
};

/* A random month, in order with restores or shuffled with one advance; what follows, as text. */
static char *run_shuffled(uint64_t seed, bool shuffle)
{
    enum { DAYS = 40 };
    struct given list[3 * DAYS];
    struct catalog *catalog = catalog_create();
    fold_contract(catalog, contract_text, 1, INT64_MIN, NULL);
    struct fold fold;
    fold_open(&fold, &retrainer_service, catalog, shuffle ? FOLD_PLAIN : FOLD_RESTORED);
    uint64_t random = seed;
    size_t count = 0;
    bool firing = false;
    for (int day = 0; day < DAYS; day++) {
        const size_t first = count;
        const double value = random_next(&random) % 5 == 0 ? 0.01 : 9;
        list[count++] = (struct given){TOPIC_MEASUREMENTS, measurement(day, 0, "a", DRIFT, value)};
        list[count++] = (struct given){TOPIC_MEASUREMENTS, measurement(day, 0, "b", DRIFT, value)};
        if (firing != (value > 1))
            list[count++] = (struct given){
                TOPIC_ALERTS, alert(catalog, day, DRIFT, firing ? "" : "ab", "CRITICAL")};
        firing = value > 1;
        for (size_t i = first; !shuffle && i < count; i++)
            assert_int_equal(fold_give(&fold, list[i].topic, list[i].value), FAULT_NONE);
        if (!shuffle)
            pass(&fold, day);
    }
    for (size_t i = count; shuffle && i > 0; i--) {
        const size_t other = random_next(&random) % i;
        const struct given last = list[other];
        list[other] = list[i - 1];
        assert_int_equal(fold_give(&fold, last.topic, last.value), FAULT_NONE);
    }
    pass(&fold, DAYS);
    struct buffer all = {0};
    for (size_t i = 0; i < fold_size(&fold); i++) {
        json_t *record = fold_output(&fold, i);
        char *line = json_dumps(record, JSON_SORT_KEYS);
        buffer_format(&all, "%s\n", line);
        heap_release(line);
        json_decref(record);
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
    fold_open(&fold, &retrainer_service, catalog, FOLD_RESTORED);
    assert_int_equal(fold_give(&fold, TOPIC_MEASUREMENTS, measurement(1, 0, "a", DRIFT, 9)),
                     FAULT_TABLE_BEHIND);
    fold_contract(catalog, contract_text, 1, INT64_MIN, NULL);
    json_t *broken = alert(catalog, 1, DRIFT, "a", "CRITICAL");
    (void)json_object_del(broken, "state");
    assert_int_equal(fold_give(&fold, TOPIC_ALERTS, broken), FAULT_NONE);
    broken = measurement(1, 0, "a", DRIFT, 9);
    (void)json_object_del(broken, "id");
    assert_int_equal(fold_give(&fold, TOPIC_MEASUREMENTS, broken), FAULT_NONE);
    assert_true(fold_counted(&fold, "retrain_malformed_total", "alerts") == 1);
    assert_true(fold_counted(&fold, "retrain_malformed_total", "measurements") == 1);
    assert_int_equal(
        fold.service->load(fold.shard, span_text("episode|x"), span_text("not framed")),
        FAULT_STATE_MALFORMED);
    assert_int_equal(fold.service->load(fold.shard, span_text("nobody's"), span_text("x")),
                     FAULT_STATE_MALFORMED);
    fold_close(&fold);
    catalog_destroy(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lasts),       cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_cooldown),    cmocka_unit_test(test_budget),
        cmocka_unit_test(test_broken_data), cmocka_unit_test(test_corrections_and_time),
        cmocka_unit_test(test_any_order),   cmocka_unit_test(test_waits_and_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
