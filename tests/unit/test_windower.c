/* Goal: every event is in exactly one pane or in exactly one counter, panes are published once,
 * when nothing more can follow, in the same order however time is cut; state survives a crash after
 * any step; what the tables do not hold yet is waited for. Method: validated events encoded by
 * their schema, given to one shard (fold_fixture.h), each scenario as it is, with deltas
 * saved, and with state saved, dropped and restored after every step. */
#include "avro/datum.h"
#include "avro/wire.h"
#include "memory/heap.h"
#include "model/enrichment.h"
#include "services/windower/windower.h"
#include "statistic/exact_sum.h"
#include "tests/support/fold_fixture.h"
#include "window/span_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after the system's */
#include <cmocka.h>

#define HEAD "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: https://r.example/\n"
/* Panes of 60 s, lateness 30 s, correction 10 m, skew 5 m. */
static const char text[] =
    HEAD "columns:\n  n: {type: number}\nwindows: {pane: 1m, rolling: [1m], lateness: 30s, "
         "correction: 10m}\nmonitors:\n"
         "  - {drift: psi, columns: [n, prediction], window: 1m, reference: baseline, warn: 0.1}\n";
enum { PANE_MS = 60000, LATENESS_MS = 30000, CORRECTION_MS = 600000, SKEW_MS = 300000 };

struct sent {
    int64_t event_time_ms, arrival_ms;
    const char *model, *version, *role;
    int32_t revision; /* 0: 1 */
    double n;
    bool is_duplicate, is_in_range_violation;
    const char *kind; /* NULL: EVENT */
};

static struct baseline *baseline_of(const char *hash, int total)
{
    struct baseline *baseline = NULL;
    const char *const columns[] = {
        "{\"column\": \"n\", \"type\": \"NUMBER\", \"cuts\": [1.0], \"minimum\": 0.0, \"maximum\": "
        "2.0, \"values\": [], \"rows\": 5, \"counts\": [0, 3, 2, 0, 0, 0, 0]}",
        "{\"column\": \"prediction\", \"type\": \"CATEGORY\", \"cuts\": [], \"minimum\": null, "
        "\"maximum\": null, \"values\": [\"0\", \"1\"], \"rows\": 5, \"counts\": [2, 3, 0, 0, 0]}"};
    for (int i = 0; i < 2; i++) {
        json_t *record = json_loads(columns[i], 0, NULL);
        assert_non_null(record);
        assert_int_equal(json_object_set_new(record, "model", json_string("m")), 0);
        assert_int_equal(json_object_set_new(record, "version", json_string("")), 0);
        assert_int_equal(json_object_set_new(record, "hash", json_string(hash)), 0);
        assert_int_equal(json_object_set_new(record, "column_count", json_integer(total)), 0);
        struct reason reason = {""};
        if (baseline_add(&baseline, record, &reason) != FAULT_NONE)
            fail_msg("%s", reason.text);
        json_decref(record);
    }
    return baseline;
}

static struct catalog *catalog_of(int32_t revisions)
{
    struct catalog *catalog = catalog_create();
    struct baseline *baseline = baseline_of("aa", 2);
    for (int32_t revision = 1; revision <= revisions; revision++)
        fold_contract(catalog, text, revision, 0, baseline);
    fold_baseline(catalog, baseline);
    baseline_destroy(baseline);
    return catalog;
}

static json_t *validated(const struct sent *sent, int64_t offset)
{
    static const char *const names[] = {"ON_TIME", "LATE", "TOO_LATE", "FUTURE"};
    const enum lateness lateness = span_time_lateness(sent->event_time_ms, sent->arrival_ms,
                                                      PANE_MS, LATENESS_MS, CORRECTION_MS, SKEW_MS);
    json_t *reasons = sent->is_in_range_violation
                          ? json_pack("[{s:s, s:s}]", "reason", "range", "column", "n")
                          : json_array();
    json_t *enrichment =
        json_pack("{s:s, s:I, s:I, s:s, s:s, s:i, s:s, s:o, s:b}", "source", "inference.events:0",
                  "offset", (json_int_t)offset, "arrival", (json_int_t)sent->arrival_ms, "kind",
                  sent->kind == NULL ? "EVENT" : sent->kind, "schema", "0123456789abcdef",
                  "contract_revision", sent->revision == 0 ? 1 : (int)sent->revision, "lateness",
                  names[lateness], "reasons", reasons, "duplicate", sent->is_duplicate);
    json_t *event = json_pack(
        "{s:s, s:I, s:s, s:s, s:s, s:{s:f}, s:i}", "event_id", "e", "event_time",
        (json_int_t)sent->event_time_ms, "model_name", sent->model == NULL ? "m" : sent->model,
        "model_version", sent->version == NULL ? "1" : sent->version, "role",
        sent->role == NULL ? "CHAMPION" : sent->role, "features", "n", sent->n, "prediction", 1);
    json_t *value = json_pack("{s:o, s:o}", "enrichment", enrichment, "event", event);
    assert_non_null(value);
    return value;
}

static enum fault give_bytes(struct fold *fold, struct span bytes)
{
    const struct record record = {.topic = TOPIC_INFERENCE_VALIDATED,
                                  .partition = 4,
                                  .offset = fold->offset++,
                                  .value = bytes};
    const enum fault fault = fold->service->handle(fold->shard, &record, fold->outputs);
    if (fault == FAULT_NONE && fold->care == FOLD_RESTORED)
        assert_int_equal(fold_restore(fold), FAULT_NONE);
    return fault;
}

static struct buffer framed(const struct sent *sent, int64_t offset)
{
    const struct schema *schema = schema_embedded("inference.validated");
    struct buffer bytes = {0};
    struct reason reason = {""};
    json_t *value = validated(sent, offset);
    wire_write_frame(&bytes, schema_fingerprint(schema));
    if (datum_encode(schema, value, &bytes, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    json_decref(value);
    return bytes;
}

static enum fault give(struct fold *fold, struct sent sent)
{
    struct buffer bytes = framed(&sent, fold->offset);
    const enum fault fault = give_bytes(fold, buffer_span(&bytes));
    buffer_fini(&bytes);
    return fault;
}

static void must_give(struct fold *fold, struct sent sent)
{
    assert_int_equal(give(fold, sent), FAULT_NONE);
}

static void advance(struct fold *fold, int64_t time_ms)
{
    assert_int_equal(fold_advance(fold, TOPIC_INFERENCE_VALIDATED, time_ms), FAULT_NONE);
}

static void assert_field(const json_t *record, const char *name, const char *expected)
{
    json_t *value = json_loads(expected, JSON_DECODE_ANY, NULL);
    if (!json_equal(json_object_get(record, name), value)) {
        char *actual = json_dumps(json_object_get(record, name), JSON_ENCODE_ANY);
        fail_msg("%s is %s, not %s", name, actual, expected);
    }
    json_decref(value);
}

typedef void scenario_fn(struct fold *fold);

/* Runs a scenario as it is, then with deltas saved at every step of time, then with a crash after
 * every step. */
static void run(scenario_fn *scenario, int32_t revisions)
{
    for (int care = FOLD_PLAIN; care < FOLD_CARE_COUNT; care++) {
        struct catalog *catalog = catalog_of(revisions);
        struct fold fold;
        fold_open(&fold, &windower_service, catalog, (enum fold_care)care);
        scenario(&fold);
        fold_close(&fold);
        catalog_destroy(catalog);
    }
}

/* ---- closing ---- */

static void closing_late(struct fold *fold)
{
    /* The next pane, then the late part of the first. */
    advance(fold, 180000 + LATENESS_MS + 1);
    advance(fold, 120000 + CORRECTION_MS);
    assert_int_equal(fold_size(fold), 2);
    json_t *record = fold_output(fold, 1);
    assert_field(record, "start", "120000");
    assert_field(json_array_get(json_object_get(record, "columns"), 0), "range", "1");
    json_decref(record);
    advance(fold, 120000 + CORRECTION_MS + 1);
    assert_int_equal(fold_size(fold), 3);
    record = fold_output(fold, 2);
    assert_field(record, "part", "\"LATE\"");
    assert_field(record, "start", "60000");
    assert_field(record, "offsets", "[{\"partition\": 4, \"first\": 2, \"last\": 2}]");
    assert_field(json_array_get(json_object_get(record, "columns"), 0), "cells",
                 "[0, 0, 0, 1, 0, 0, 0]");
    json_decref(record);
    advance(fold, INT64_C(1) << 50);
    assert_int_equal(fold_size(fold), 3);
    assert_true(fold_counted(fold, "panes_published_total", "on_time") == 2);
    assert_true(fold_counted(fold, "panes_published_total", "late") == 1);
    assert_int_equal(fold_restore(fold), FAULT_NONE);
    assert_int_equal(fold_stored(fold), 0);
}

static void closing(struct fold *fold)
{
    must_give(fold, (struct sent){.event_time_ms = 60000, .arrival_ms = 60000, .n = 0.5});
    must_give(fold, (struct sent){.event_time_ms = 119999, .arrival_ms = 150000, .n = 1.5});
    must_give(fold, (struct sent){.event_time_ms = 61000, .arrival_ms = 150001, .n = 7});
    must_give(fold, (struct sent){.event_time_ms = 120000,
                                  .arrival_ms = 120000,
                                  .n = 0,
                                  .is_in_range_violation = true});
    /* An arrival at the bound may still come: the pane closes only after it. */
    advance(fold, 120000 + LATENESS_MS);
    assert_int_equal(fold_size(fold), 0);
    advance(fold, 120000 + LATENESS_MS + 1);
    assert_int_equal(fold_size(fold), 1);
    json_t *record = fold_output(fold, 0);
    assert_field(record, "model", "\"m\"");
    assert_field(record, "version", "\"1\"");
    assert_field(record, "role", "\"CHAMPION\"");
    assert_field(record, "segment", "null");
    assert_field(record, "feed", "\"VALIDATED\"");
    assert_field(record, "part", "\"ON_TIME\"");
    assert_field(record, "contract_revision", "1");
    assert_field(record, "start", "60000");
    assert_field(record, "end", "120000");
    assert_field(record, "events", "2");
    assert_field(record, "offsets", "[{\"partition\": 4, \"first\": 0, \"last\": 1}]");
    const json_t *n = json_array_get(json_object_get(record, "columns"), 0);
    assert_field(n, "name", "\"n\"");
    assert_field(n, "cells", "[0, 1, 1, 0, 0, 0, 0]");
    assert_field(n, "finite", "2");
    assert_field(n, "minimum", "0.5");
    assert_field(n, "maximum", "1.5");
    struct exact_sum sum;
    assert_true(exact_sum_read(json_object_get(n, "sum"), &sum));
    assert_true(exact_sum_round(&sum) == 2.0);
    assert_true(exact_sum_read(json_object_get(n, "squares"), &sum));
    assert_true(exact_sum_round(&sum) == 2.5);
    const json_t *prediction = json_array_get(json_object_get(record, "columns"), 1);
    assert_field(prediction, "cells", "[0, 2, 0, 0, 0]");
    json_decref(record);
    closing_late(fold);
}

static void test_closing(void **state)
{
    (void)state;
    run(closing, 1);
}

/* ---- the ledger ---- */

static void ledger(struct fold *fold)
{
    must_give(fold, (struct sent){.event_time_ms = 60000, .arrival_ms = 60000});
    must_give(fold, (struct sent){.event_time_ms = 60000, .arrival_ms = 200000});
    must_give(fold, (struct sent){.event_time_ms = 60000, .arrival_ms = 200000});
    must_give(fold, (struct sent){.event_time_ms = 60000, .arrival_ms = 5000000});
    must_give(fold, (struct sent){.event_time_ms = 900000, .arrival_ms = 60000});
    must_give(fold,
              (struct sent){.event_time_ms = 60000, .arrival_ms = 60000, .is_duplicate = true});
    must_give(fold, (struct sent){.event_time_ms = 60000, .arrival_ms = 1, .kind = "LABEL"});
    must_give(fold, (struct sent){.event_time_ms = 60000, .arrival_ms = 1, .kind = "PAIR"});
    /* Bytes that are no record of ours: no frame, a cut enrichment, a cut event, none. */
    struct buffer bytes = framed(&(struct sent){.event_time_ms = 60000, .arrival_ms = 60000}, 0);
    assert_int_equal(give_bytes(fold, span_text("{}")), FAULT_NONE);
    assert_int_equal(give_bytes(fold, span_of(bytes.bytes, 20)), FAULT_NONE);
    assert_int_equal(give_bytes(fold, span_of(bytes.bytes, bytes.size - 6)), FAULT_NONE);
    assert_int_equal(give_bytes(fold, (struct span){0}), FAULT_NONE);
    buffer_fini(&bytes);
    assert_true(fold_counted(fold, "events_seen_total", NULL) == 10);
    assert_true(fold_counted(fold, "events_counted_total", "on_time") == 1);
    assert_true(fold_counted(fold, "events_counted_total", "late") == 2);
    assert_true(fold_counted(fold, "events_too_late_total", NULL) == 1);
    assert_true(fold_counted(fold, "events_future_total", NULL) == 1);
    assert_true(fold_counted(fold, "events_duplicate_total", NULL) == 1);
    assert_true(fold_counted(fold, "events_rejected_total", fault_name(FAULT_RECORD_MALFORMED)) ==
                4);
    advance(fold, INT64_C(1) << 50);
    assert_int_equal(fold_size(fold), 2);
    for (size_t i = 0; i < 2; i++) {
        json_t *record = fold_output(fold, i);
        assert_field(record, "events", i == 0 ? "1" : "2");
        json_decref(record);
    }
}

static void test_ledger(void **state)
{
    (void)state;
    run(ledger, 1);
}

/* ---- what keeps panes apart, and the order of publishing ---- */

static void apart(struct fold *fold)
{
    const struct sent sent[] = {
        {.event_time_ms = 70000, .arrival_ms = 70000, .version = "2"},
        {.event_time_ms = 70000, .arrival_ms = 70000, .role = "SHADOW"},
        {.event_time_ms = 70000, .arrival_ms = 70000, .revision = 2},
        {.event_time_ms = 70000, .arrival_ms = 70000},
        {.event_time_ms = 10000, .arrival_ms = 100000, .version = "2"}, /* late */
        {.event_time_ms = 70001, .arrival_ms = 70001},
        {.event_time_ms = 10000, .arrival_ms = 70000},
    };
    for (size_t i = 0; i < COUNT_OF(sent); i++)
        must_give(fold, sent[i]);
}

/* Everything published, one line a pane. */
static char *published(const struct fold *fold)
{
    struct buffer lines = {0};
    for (size_t i = 0; i < fold_size(fold); i++) {
        json_t *record = fold_output(fold, i);
        buffer_format(&lines, "%s %s %s %d %s %lld: %lld\n",
                      json_string_value(json_object_get(record, "model")),
                      json_string_value(json_object_get(record, "version")),
                      json_string_value(json_object_get(record, "role")),
                      (int)json_integer_value(json_object_get(record, "contract_revision")),
                      json_string_value(json_object_get(record, "part")),
                      (long long)json_integer_value(json_object_get(record, "start")),
                      (long long)json_integer_value(json_object_get(record, "events")));
        json_decref(record);
    }
    char *text_of_lines = span_copied(buffer_span(&lines));
    buffer_fini(&lines);
    return text_of_lines;
}

static const char apart_expected[] = "m 1 CHAMPION 1 ON_TIME 0: 1\n"
                                     "m 1 CHAMPION 1 ON_TIME 60000: 2\n"
                                     "m 1 CHAMPION 2 ON_TIME 60000: 1\n"
                                     "m 1 SHADOW 1 ON_TIME 60000: 1\n"
                                     "m 2 CHAMPION 1 ON_TIME 60000: 1\n"
                                     "m 2 CHAMPION 1 LATE 0: 1\n";

static void apart_at_once(struct fold *fold)
{
    apart(fold);
    advance(fold, INT64_C(1) << 50);
    char *lines = published(fold);
    assert_string_equal(lines, apart_expected);
    heap_release(lines);
}

static void apart_in_steps(struct fold *fold)
{
    apart(fold);
    for (int64_t time_ms = 70001; time_ms < 800000; time_ms += 9001)
        advance(fold, time_ms);
    char *lines = published(fold);
    assert_string_equal(lines, apart_expected);
    heap_release(lines);
}

static void test_apart(void **state)
{
    (void)state;
    run(apart_at_once, 2);
    run(apart_in_steps, 2);
}

/* ---- tables that are behind ---- */

static void test_tables_behind(void **state)
{
    (void)state;
    struct catalog *catalog = catalog_create();
    struct baseline *baseline = baseline_of("aa", 2);
    struct fold fold;
    fold_open(&fold, &windower_service, catalog, FOLD_PLAIN);
    const struct sent sent = {.event_time_ms = 60000, .arrival_ms = 60000, .n = 1};
    assert_int_equal(give(&fold, sent), FAULT_TABLE_BEHIND); /* no contract */
    fold_contract(catalog, text, 2, 0, baseline);
    assert_int_equal(give(&fold, sent), FAULT_TABLE_BEHIND); /* another revision */
    fold_contract(catalog, text, 1, 0, baseline);
    assert_int_equal(give(&fold, sent), FAULT_TABLE_BEHIND); /* no baseline */
    fold_baseline(catalog, baseline);
    /* A schema that no table holds: the same bytes under another fingerprint. */
    struct buffer bytes = framed(&sent, 0);
    bytes.bytes[2] ^= 1;
    assert_int_equal(give_bytes(&fold, buffer_span(&bytes)), FAULT_TABLE_BEHIND);
    buffer_fini(&bytes);
    assert_int_equal(fold_restore(&fold), FAULT_NONE);
    assert_int_equal(fold_stored(&fold), 0);
    assert_true(fold_counted(&fold, "events_seen_total", NULL) == 0);
    fold.offset = 9;
    must_give(&fold, sent);
    assert_true(fold_counted(&fold, "events_seen_total", NULL) == 1);
    assert_int_equal(fold_restore(&fold), FAULT_NONE);
    assert_int_equal(fold_stored(&fold), 1);
    /* Stored state waits for the tables, too. */
    struct span field;
    size_t cursor = 0;
    const struct buffer *stored = table_next(fold.stored, &cursor, &field);
    struct catalog *empty = catalog_create();
    void *shard = windower_service.open(&(struct service_environment){.catalog = empty});
    assert_int_equal(windower_service.load(shard, field, buffer_span(stored)), FAULT_TABLE_BEHIND);
    windower_service.close(shard);
    catalog_destroy(empty);
    advance(&fold, INT64_C(1) << 50);
    assert_int_equal(fold_size(&fold), 1);
    json_t *record = fold_output(&fold, 0);
    assert_field(record, "events", "1");
    assert_field(record, "offsets", "[{\"partition\": 4, \"first\": 9, \"last\": 9}]");
    json_decref(record);
    fold_close(&fold);
    baseline_destroy(baseline);
    catalog_destroy(catalog);
}

static void test_state_malformed(void **state)
{
    (void)state;
    struct catalog *catalog = catalog_of(1);
    void *shard = windower_service.open(&(struct service_environment){.catalog = catalog});
    const struct span field = span_text("field");
    assert_int_equal(windower_service.load(shard, field, span_text("junk")), FAULT_STATE_MALFORMED);
    const struct schema *schema = schema_embedded("model.schemas");
    struct buffer bytes = {0};
    wire_write_frame(&bytes, schema_fingerprint(schema));
    assert_int_equal(windower_service.load(shard, field, buffer_span(&bytes)),
                     FAULT_STATE_MALFORMED);
    buffer_fini(&bytes);
    windower_service.close(shard);
    catalog_destroy(catalog);
}

/* ---- 300 columns: several stored fields and several records a pane ---- */

static void test_wide(void **state)
{
    (void)state;
    struct buffer yaml = {0};
    buffer_format(&yaml, HEAD "columns:\n  n: {type: number}\n");
    for (int i = 0; i < 300; i++)
        buffer_format(&yaml, "  c%d: {type: number, required: false}\n", i);
    buffer_format(&yaml, "windows: {pane: 1m, rolling: [1m], lateness: 30s, correction: 10m}\n"
                         "monitors:\n  - {quality: nulls, columns: \"*\", window: 1m, max: 0}\n");
    buffer_append_byte(&yaml, 0);
    struct catalog *catalog = catalog_create();
    fold_contract(catalog, (const char *)yaml.bytes, 1, 0, NULL);
    struct fold fold;
    fold_open(&fold, &windower_service, catalog, FOLD_RESTORED);
    for (int i = 0; i < 3; i++)
        must_give(&fold, (struct sent){.event_time_ms = 60000, .arrival_ms = 60000 + i, .n = i});
    const size_t fields = fold_stored(&fold);
    assert_true(fields > 1);
    advance(&fold, INT64_C(1) << 50);
    assert_int_equal(fold_size(&fold), fields);
    assert_int_equal(fold_stored(&fold), 0);
    size_t columns = 0;
    for (size_t i = 0; i < fields; i++) {
        json_t *record = fold_output(&fold, i);
        assert_field(record, "events", i == 0 ? "3" : "0");
        assert_int_equal(json_integer_value(json_object_get(record, "chunk")), i);
        columns += json_array_size(json_object_get(record, "columns"));
        json_decref(record);
    }
    assert_int_equal(columns, 303); /* n, c0 … c299, prediction, score */
    fold_close(&fold);
    catalog_destroy(catalog);
    buffer_fini(&yaml);
}

static void test_observe(void **state)
{
    (void)state;
    struct buffer bytes = framed(&(struct sent){.event_time_ms = 5, .arrival_ms = 77}, 3);
    char source[300];
    int64_t arrival_ms;
    struct record record = {.topic = TOPIC_INFERENCE_VALIDATED, .value = buffer_span(&bytes)};
    assert_true(windower_service.observe(&record, source, &arrival_ms));
    assert_string_equal(source, "inference.events:0");
    assert_true(arrival_ms == 77);
    record.value = span_text("{}");
    assert_false(windower_service.observe(&record, source, &arrival_ms));
    record.value = span_of(bytes.bytes, 12);
    assert_false(windower_service.observe(&record, source, &arrival_ms));
    buffer_fini(&bytes);
}

/* The two orders that the windower and the enrichment promise to share. */
static void test_lateness_order(void **state)
{
    (void)state;
    for (int i = LATENESS_ON_TIME; i <= LATENESS_FUTURE; i++)
        assert_string_equal(span_time_lateness_name((enum lateness)i),
                            enrichment_lateness_name((enum enrichment_lateness)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closing),         cmocka_unit_test(test_ledger),
        cmocka_unit_test(test_apart),           cmocka_unit_test(test_tables_behind),
        cmocka_unit_test(test_state_malformed), cmocka_unit_test(test_wide),
        cmocka_unit_test(test_observe),         cmocka_unit_test(test_lateness_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
