/* Goal: names are stable and tell fields apart; what a measurement means and when it counts follows
 * from its contract; offsets join to what holds both.
 *
 * Method: XXH3-128's published value of the empty input, hand-made measurements and contracts. */
#include "finding/finding.h"
#include "tests/support/fold_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char contract_text[] =
    "model: m\ntask: binary\npositive: up\nowner: o\nrunbook: https://runbooks.example/m\n"
    "columns:\n"
    "  score_old: {type: number}\n"
    "windows: {pane: 1m, lateness: %ds, correction: %dm}\n"
    "monitors:\n"
    "  - {drift: psi, columns: [score_old, score, confidence], window: 5m, warn: 0.1, critical: "
    "0.25}\n"
    "  - {quality: nulls, columns: [score_old], window: 5m, max: 0.1}\n";
enum { WINDOW = 300000 };

static void add_contract(struct catalog *catalog, int32_t revision, int64_t from_ms, int lateness_s,
                         int correction_m)
{
    struct buffer yaml = {0};
    buffer_format(&yaml, contract_text, lateness_s, correction_m);
    buffer_append_byte(&yaml, 0);
    fold_contract(catalog, (const char *)yaml.bytes, revision, from_ms, NULL);
    buffer_fini(&yaml);
}

static json_t *measurement(const char *kind, const char *column, const char *metric, double value)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:s, s:f, s:f, s:s, s:i}", "id",
                     "1", "revision", 0, "model", "m", "version", "1", "role", "CHAMPION",
                     "window_start", 0, "window_end", WINDOW, "kind", kind, "column", column,
                     "metric", metric, "value", value, "threshold", 0.1, "state",
                     value > 0.1 ? "BREACH" : "OK", "contract_revision", 1);
}

static void test_identity(void **context)
{
    (void)context;
    struct identity identity = {0};
    char empty[IDENTITY_HEX_SIZE], one[IDENTITY_HEX_SIZE], other[IDENTITY_HEX_SIZE];
    char uuid[IDENTITY_UUID_SIZE];
    identity_hex(&identity, empty);
    assert_string_equal(empty, "99aa06d3014798d86001c324468d497f");
    identity_text(&identity, "a");
    identity_text(&identity, "bc");
    identity_hex(&identity, one);
    identity_text(&identity, "ab");
    identity_text(&identity, "c");
    identity_hex(&identity, other);
    assert_string_not_equal(one, other);
    identity_text(&identity, NULL);
    identity_integer(&identity, -5);
    identity_hex(&identity, one);
    identity_text(&identity, "");
    identity_text(&identity, "-5");
    identity_hex(&identity, other);
    assert_string_equal(one, other);
    identity_uuid(&identity, uuid);
    assert_string_equal(uuid, "99aa06d3-0147-98d8-6001-c324468d497f");
}

static void test_time(void **context)
{
    (void)context;
    struct catalog *catalog = catalog_create();
    add_contract(catalog, 1, INT64_MIN, 30, 10);
    add_contract(catalog, 2, WINDOW + 60000, 90, 5); /* within the second window */
    add_contract(catalog, 3, 3 * WINDOW, 10, 1);
    const struct contract *first = catalog_contract(catalog, span_text("m"), 1);
    const struct contract *third = catalog_contract(catalog, span_text("m"), 3);
    assert_int_equal(finding_time(catalog, first, 0, WINDOW, 0), WINDOW + 30000);
    assert_int_equal(finding_time(catalog, first, 0, WINDOW, 1), WINDOW + 600000);
    assert_int_equal(finding_time(catalog, first, WINDOW, 2 * WINDOW, 0), 2 * WINDOW + 90000);
    assert_int_equal(finding_time(catalog, first, WINDOW, 2 * WINDOW, 1), 2 * WINDOW + 600000);
    assert_int_equal(finding_time(catalog, third, 3 * WINDOW, 4 * WINDOW, 0), 4 * WINDOW + 10000);
    assert_int_equal(finding_time(catalog, first, 3 * WINDOW, 4 * WINDOW, 0), 4 * WINDOW + 30000);
    catalog_destroy(catalog);
}

static void test_meaning(void **context)
{
    (void)context;
    static const struct {
        const char *kind, *column, *metric;
        double value;
        enum finding_kind meant;
        enum finding_severity severity;
    } rows[] = {
        {"DRIFT", "score_old", "psi", 0.2, FINDING_FEATURE_DRIFT, SEVERITY_WARNING},
        {"DRIFT", "score", "psi", 0.25, FINDING_PREDICTION_DRIFT, SEVERITY_CRITICAL},
        {"DRIFT", "confidence", "psi", 0.05, FINDING_CONFIDENCE_DRIFT, SEVERITY_NONE},
        {"QUALITY", "score_old", "nulls", 0.9, FINDING_NULL_RATE, SEVERITY_WARNING},
        {"DRIFT", "score_old", "js", 0.9, FINDING_NONE, SEVERITY_NONE},
        {"VOLUME", "score_old", "nulls", 0.9, FINDING_NONE, SEVERITY_NONE},
    };
    struct catalog *catalog = catalog_create();
    struct finding finding;
    add_contract(catalog, 1, INT64_MIN, 30, 10);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *record = measurement(rows[i].kind, rows[i].column, rows[i].metric, rows[i].value);
        assert_int_equal(finding_read(catalog, record, &finding), FAULT_NONE);
        assert_int_equal(finding.kind, rows[i].meant);
        assert_int_equal(finding.severity, rows[i].severity);
        assert_int_equal(finding.watched, rows[i].meant != FINDING_NONE);
        assert_string_equal(finding.segment, "");
        json_decref(record);
    }
    catalog_destroy(catalog);
}

static void test_offsets(void **context)
{
    (void)context;
    json_t *into = json_loads("[{\"partition\": 1, \"first\": 5, \"last\": 9}]", 0, NULL);
    json_t *more = json_loads("[{\"partition\": 0, \"first\": 7, \"last\": 7},"
                              " {\"partition\": 1, \"first\": 3, \"last\": 6},"
                              " {\"partition\": 4, \"first\": 0, \"last\": 2}]",
                              0, NULL);
    json_t *expected = json_loads("[{\"partition\": 0, \"first\": 7, \"last\": 7},"
                                  " {\"partition\": 1, \"first\": 3, \"last\": 9},"
                                  " {\"partition\": 4, \"first\": 0, \"last\": 2}]",
                                  0, NULL);
    finding_offsets_join(into, more);
    finding_offsets_join(into, more); /* again changes nothing */
    assert_true(json_equal(into, expected));
    json_decref(into);
    json_decref(more);
    json_decref(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
