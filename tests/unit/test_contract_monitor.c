/* Goal: monitors and the retraining policy of a contract become what they say, and each error in
 * them is told with its place and what is meant. Method: small contracts written here; every kind
 * of refusal by its text. */
#include "contract_fixture.h"
#include "memory/heap.h"
#include "model/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A single monitor (line 13, from column 5 on) is refused. */
static void assert_monitor_refused(const char *monitor, const char *expected)
{
    char *line = heap_format("monitors:\n  - %s", monitor);
    char *whole = heap_format("13:%s", expected);
    contract_fixture_line_refused(line, whole);
    heap_release(line);
    heap_release(whole);
}

/* retrain in line 14, behind a drift monitor with a bound. */
static void assert_retrain_refused(const char *retrain, const char *expected)
{
    char *line = heap_format("monitors:\n  - {drift: psi, columns: \"*\", window: 1h, warn: 0.1}\n"
                             "retrain: %s",
                             retrain);
    char *whole = heap_format("14:%s", expected);
    contract_fixture_line_refused(line, whole);
    heap_release(line);
    heap_release(whole);
}

static void test_monitors(void **state)
{
    (void)state;
    struct contract *contract = contract_fixture_parsed(
        HEAD COLUMNS
        "monitors:\n"
        "  - {drift: psi, columns: \"*\", window: 1h, reference: baseline, warn: 0.1, critical: "
        "0.25, for: 2 of 3}\n"
        "  - {drift: psi, columns: [latency_ms, \"*\"], window: 1d, severity: critical}\n"
        "  - {quality: nulls, columns: [user, amount], window: 1h}\n"
        "  - {quality: unseen, columns: country, window: 1h, max: 0.5, severity: info}\n");
    assert_int_equal(contract->monitor_count, 4);
    const struct contract_monitor *all = &contract->monitors[0];
    assert_int_equal(all->kind, MONITOR_DRIFT);
    assert_int_equal(all->metric, MEASURE_PSI);
    static const char *const expanded[] = {"amount", "country", "fast", "prediction", "score"};
    assert_int_equal(all->column_count, COUNT_OF(expanded));
    for (size_t i = 0; i < COUNT_OF(expanded); i++)
        assert_string_equal(all->columns[i], expanded[i]);
    assert_int_equal(all->window_ms, 3600000);
    assert_string_equal(all->reference, "baseline");
    assert_true(all->has_warn && all->has_critical && !all->has_max);
    assert_true(all->warn == 0.1 && all->critical == 0.25);
    assert_int_equal(all->severity, 0);
    assert_int_equal(all->needed, 2);
    assert_int_equal(all->of, 3);
    assert_int_equal(all->line, 13);
    const struct contract_monitor *measured = &contract->monitors[1];
    assert_int_equal(measured->column_count, 6);
    assert_string_equal(measured->columns[0], "latency_ms");
    assert_false(measured->has_warn || measured->has_critical);
    assert_int_equal(measured->severity, 3);
    assert_int_equal(measured->needed, 1);
    assert_int_equal(measured->of, 1);
    const struct contract_monitor *nulls = &contract->monitors[2];
    assert_int_equal(nulls->kind, MONITOR_QUALITY);
    assert_int_equal(nulls->metric, MEASURE_NULLS);
    assert_null(nulls->reference);
    assert_false(nulls->has_max);
    assert_int_equal(nulls->severity, 2);
    assert_int_equal(contract->monitors[3].severity, 1);
    assert_true(contract->monitors[3].has_max && contract->monitors[3].max == 0.5);

    assert_ptr_equal(contract_monitor(contract, "DRIFT", "psi", 3600000, "score"), all);
    assert_ptr_equal(contract_monitor(contract, "DRIFT", "psi", 86400000, "score"), measured);
    assert_ptr_equal(contract_monitor(contract, "QUALITY", "nulls", 3600000, "user"), nulls);
    assert_null(contract_monitor(contract, "QUALITY", "nulls", 3600000, "country"));
    assert_null(contract_monitor(contract, "QUALITY", "psi", 3600000, "score"));
    assert_null(contract_monitor(contract, "DRIFT", "psi", 60000, "score"));
    contract_destroy(contract);

    contract = contract_fixture_parsed(
        "model: price\ntask: regression\nowner: o\nrunbook: r\ncolumns: {a: {type: "
        "number}}\nmonitors: [{quality: range, columns: \"*\", window: 1m}]\n");
    assert_int_equal(contract->score_count, 0);
    assert_int_equal(contract->monitors[0].column_count, 2);
    assert_string_equal(contract->monitors[0].columns[1], "prediction");
    contract_destroy(contract);
}

static void test_retrain(void **state)
{
    (void)state;
    struct contract *contract = contract_fixture_parsed(HEAD COLUMNS);
    assert_false(contract->retrain.present);
    contract_destroy(contract);
    contract = contract_fixture_parsed(
        HEAD COLUMNS "monitors: [{quality: nulls, columns: amount, window: 1h}]\n"
                     "retrain: {when: [quality.warning], for: 3 windows, cooldown: 3650d, "
                     "min_labels: 0, max: 2/week}\n");
    assert_true(contract->retrain.present);
    assert_int_equal(contract->retrain.when_count, 1);
    assert_string_equal(contract->retrain.when[0], "quality.warning");
    assert_int_equal(contract->retrain.for_windows, 3);
    assert_true(contract->retrain.cooldown_ms == INT64_C(3650) * 86400000);
    assert_int_equal(contract->retrain.min_labels, 0);
    assert_int_equal(contract->retrain.max_count, 2);
    assert_int_equal(contract->retrain.max_period_ms, 7 * 86400000);
    contract_destroy(contract);
    contract = contract_fixture_parsed(
        HEAD COLUMNS "monitors: [{drift: psi, columns: amount, window: 1h, critical: 1}]\n"
                     "retrain: {when: [drift.critical, drift.warning], for: 1 window, max: "
                     "1/36h}\n");
    assert_int_equal(contract->retrain.for_windows, 1);
    assert_int_equal(contract->retrain.cooldown_ms, 86400000);
    assert_int_equal(contract->retrain.max_period_ms, 36 * 3600000);
    contract_destroy(contract);
}

static void test_monitors_refused(void **state)
{
    (void)state;
    contract_fixture_line_refused("monitors: {drift: psi}",
                                  "12:11: monitors must be a list (- {drift: psi, …})");
    assert_monitor_refused("drift", "5: a monitor must be a mapping ({drift: psi, …})");
    assert_monitor_refused("{columns: amount, window: 1h}",
                           "5: a monitor needs the key 'drift' or 'quality'");
    assert_monitor_refused("{drfit: psi, columns: amount, window: 1h}",
                           "6: unknown key 'drfit' (did you mean 'drift'?)");
    assert_monitor_refused("{drift: psi, quality: nulls, columns: amount, window: 1h}",
                           "18: a monitor watches one thing: drift or quality");
    static const char *const kinds[] = {"volume",   "silence",     "status",  "latency",
                                        "estimate", "performance", "concept", "shadow",
                                        "labels",   "generation"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char *monitor = heap_format("{%s: x, window: 1h}", kinds[i]);
        char *expected = heap_format("6: '%s' is known but not supported by this version of "
                                     "Plumbline: remove it",
                                     kinds[i]);
        assert_monitor_refused(monitor, expected);
        heap_release(monitor);
        heap_release(expected);
    }
    static const char *const metrics[] = {"drift: sequential", "drift: auto", "drift: ks",
                                          "quality: schema", "quality: duplicates"};
    for (size_t i = 0; i < COUNT_OF(metrics); i++) {
        char *monitor = heap_format("{%s, columns: amount, window: 1h}", metrics[i]);
        const char *metric = strchr(metrics[i], ' ') + 1;
        char *expected = heap_format("%u: '%s' is known but not supported by this version of "
                                     "Plumbline: remove it",
                                     (unsigned)(metric - metrics[i]) + 6, metric);
        assert_monitor_refused(monitor, expected);
        heap_release(monitor);
        heap_release(expected);
    }
    static const char *const keys[] = {"preset", "segments", "every", "false_alarms", "tolerance"};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        char *monitor = heap_format("{drift: psi, columns: amount, window: 1h, %s: x}", keys[i]);
        char *expected = heap_format("47: '%s' is known but not supported by this version of "
                                     "Plumbline: remove it",
                                     keys[i]);
        assert_monitor_refused(monitor, expected);
        heap_release(monitor);
        heap_release(expected);
    }
}

static void test_bounds_refused(void **state)
{
    (void)state;
    assert_monitor_refused("{drift: pis, columns: amount, window: 1h}",
                           "13: drift must be psi, not 'pis' (did you mean 'psi'?)");
    assert_monitor_refused("{quality: null, columns: amount, window: 1h}",
                           "15: quality must be nulls, range or unseen, not 'null' (did you mean "
                           "'nulls'?)");
    assert_monitor_refused("{drift: psi, columns: amount}",
                           "5: a drift monitor needs the key 'window'");
    assert_monitor_refused("{quality: nulls, window: 1h}",
                           "5: a quality monitor needs the key 'columns'");
    assert_monitor_refused("{drift: psi, columns: amount, window: 1h, max: 1}",
                           "47: unknown key 'max'");
    assert_monitor_refused("{quality: nulls, columns: amount, window: 1h, wran: 1}",
                           "51: unknown key 'wran'");
    assert_monitor_refused(
        "{drift: psi, columns: amount, window: 1h, reference: previous}",
        "58: 'previous' is known but not supported by this version of Plumbline: "
        "remove it");
    assert_monitor_refused("{drift: psi, columns: amount, window: 1h, reference: {trailing: 7d}}",
                           "58: 'reference' is known but not supported by this version of "
                           "Plumbline: remove it");
    assert_monitor_refused("{drift: psi, columns: amount, window: 1h, reference: basline}",
                           "58: reference must be baseline, not 'basline' (did you mean "
                           "'baseline'?)");
    assert_monitor_refused("{drift: psi, columns: amount, window: 1h, warn: 0.3, critical: 0.25}",
                           "53: warn 0.3 is above critical 0.25");
    assert_monitor_refused("{drift: psi, columns: amount, window: 1h, warn: high}",
                           "53: warn must be a number, not 'high'");
    assert_monitor_refused("{quality: nulls, columns: amount, window: 1h, max: 2}",
                           "56: max must not be above 1: 2");
    assert_monitor_refused("{drift: psi, columns: amount, window: 90s}",
                           "43: window 90s is not a multiple of the pane (1m)");
    assert_monitor_refused("{drift: psi, columns: amount, window: 1h, severity: fatal}",
                           "57: severity must be info, warning or critical, not 'fatal'");
    static const char *const bad_for[] = {"3 of 2",   "0 of 2", "1 of 65", "2",
                                          "two of 3", "2 of",   "2 of 3 x"};
    for (size_t i = 0; i < COUNT_OF(bad_for); i++) {
        char *monitor =
            heap_format("{drift: psi, columns: amount, window: 1h, for: %s}", bad_for[i]);
        assert_monitor_refused(monitor, "52: for must be 'k of n' windows, 1 <= k <= n <= 64");
        heap_release(monitor);
    }
}

static void test_monitor_columns_refused(void **state)
{
    (void)state;
    assert_monitor_refused("{drift: psi, columns: amont, window: 1h}",
                           "27: no column 'amont' in this contract (did you mean 'amount'?)");
    assert_monitor_refused("{drift: psi, columns: [amount, elsewhere], window: 1h}",
                           "36: no column 'elsewhere' in this contract");
    assert_monitor_refused("{drift: psi, columns: [predicton], window: 1h}",
                           "28: no column 'predicton' in this contract (did you mean "
                           "'prediction'?)");
    assert_monitor_refused("{drift: psi, columns: [], window: 1h}",
                           "27: columns must be a list of names, not empty, or \"*\"");
    assert_monitor_refused("{drift: psi, columns: {a: b}, window: 1h}",
                           "27: columns must be a list of names, not empty, or \"*\"");
    assert_monitor_refused("{drift: psi, columns: [amount, amount], window: 1h}",
                           "36: column 'amount' again in one monitor");
    assert_monitor_refused("{drift: psi, columns: [amount, \"*\"], window: 1h}",
                           "36: column 'amount' again in one monitor");
    assert_monitor_refused("{drift: psi, columns: [user], window: 1h}",
                           "28: column 'user' is of type id: only its nulls can be watched");
    assert_monitor_refused("{quality: unseen, columns: [note], window: 1h}",
                           "33: column 'note' is of type text: only its nulls can be watched");
    contract_fixture_refused(
        "model: m\ntask: regression\nowner: o\nrunbook: r\ncolumns: {}\nmonitors: "
        "[{drift: psi, columns: score, window: 1h}]\n",
        "c.yaml:6:34: 'score' is only there with task: binary");
    contract_fixture_line_refused(
        "monitors:\n"
        "  - {drift: psi, columns: [country, amount], window: 60m}\n"
        "  - {drift: psi, columns: [amount], window: 1d}\n"
        "  - {drift: psi, columns: \"*\", window: 1h}",
        "15:5: psi of 'amount' over 1h is already watched by the monitor in line "
        "13");
}

static void test_retrain_refused(void **state)
{
    (void)state;
    assert_retrain_refused("{for: 3 windows}", "10: retrain needs the key 'when'");
    assert_retrain_refused("{when: drift.critical}", "17: when must be a list of KIND.SEVERITY");
    assert_retrain_refused("{when: []}", "17: when must be a list of KIND.SEVERITY");
    assert_retrain_refused("{when: [drift]}",
                           "18: when must be KIND.SEVERITY (drift.critical), not 'drift'");
    assert_retrain_refused("{when: [drift.bad]}",
                           "18: when must be KIND.SEVERITY (drift.critical), not 'drift.bad'");
    assert_retrain_refused("{when: [performance.critical]}",
                           "18: 'performance.critical' is known but not supported by this version "
                           "of Plumbline: remove it");
    assert_retrain_refused("{when: [wind.critical]}",
                           "18: when must be of drift or quality, not 'wind.critical'");
    assert_retrain_refused("{when: [drift.critical, drift.critical]}",
                           "34: 'drift.critical' again");
    assert_retrain_refused("{when: [quality.critical]}",
                           "18: no quality monitor has a bound: 'quality.critical' never comes");
    assert_retrain_refused("{when: [drift.critical], for: 3}",
                           "40: for must be 'N windows', N from 1 to 1000");
    assert_retrain_refused("{when: [drift.critical], for: 0 windows}",
                           "40: for must be 'N windows', N from 1 to 1000");
    assert_retrain_refused("{when: [drift.critical], cooldown: 1w}",
                           "45: cooldown must be a duration (a whole number and ms, s, m, h or d), "
                           "not '1w'");
    assert_retrain_refused("{when: [drift.critical], min_labels: 1000}",
                           "47: min_labels above 0 is known but not supported by this version of "
                           "Plumbline: labels are not joined, use 0");
    assert_retrain_refused("{when: [drift.critical], min_labels: some}",
                           "47: min_labels must be a whole number");
    assert_retrain_refused("{when: [drift.critical], max: 2}",
                           "40: max must be 'N/week' (or hour, day, 36h)");
    assert_retrain_refused("{when: [drift.critical], max: 0/week}",
                           "40: max must be 'N/week' (or hour, day, 36h)");
    assert_retrain_refused("{when: [drift.critical], max: 2/year}",
                           "40: the period of max must be a duration (a whole number and ms, s, m, "
                           "h or d), not 'year'");
    assert_retrain_refused("{when: [drift.critical], max: 2/0h}",
                           "40: the period of max must not be 0");
    assert_retrain_refused("{when: [drift.critical], cooldwn: 1h}",
                           "35: unknown key 'cooldwn' (did you mean 'cooldown'?)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_monitors),
        cmocka_unit_test(test_retrain),
        cmocka_unit_test(test_monitors_refused),
        cmocka_unit_test(test_bounds_refused),
        cmocka_unit_test(test_monitor_columns_refused),
        cmocka_unit_test(test_retrain_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
