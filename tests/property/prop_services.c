/* Goal: every service is a pure fold: any cut of the input into batches and any number of
 * partitions give the same outputs; a crash with restore at any cut gives the same state and the
 * same outputs; nothing is lost on the way (the ledger holds). Late, too late, future,
 * malformed records and duplicates included. Method: a random log through the whole flow
 * in-process: in one piece on one partition; cut at random on 1 to 5 partitions; and cut alike,
 * every shard of a random service replaced by its restored copy at each cut. Prints the seed of a
 * failure: PROP_SEED replays it. */
#include "alerter/alerter.h"
#include "detector/detector.h"
#include "memory/heap.h"
#include "retrainer/retrainer.h"
#include "service/in_process.h"
#include "services_fixture.h"
#include "validator/validator.h"
#include "windower/windower.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { EVENTS = 1500, ROUNDS = 12 };

static const struct service *const flow[] = {&validator_service, &windower_service,
                                             &detector_service,  &alerter_service,
                                             &retrainer_service, NULL};

struct run {
    struct fixture_lines lines;
    double seen, validated, duplicates, labels_seen, labels_validated;
    struct buffer state; /* after the last record, before the clock that closes everything */
};

/* cut_seed 0: in one piece. Cuts send clocks, so runs with the same cuts take the same records. */
static struct run run_once(const struct fixture_log *log, int32_t partitions, uint64_t cut_seed,
                           bool crash)
{
    struct run run = {.lines = {0}};
    uint64_t random = cut_seed;
    const struct in_process_options options = {.services = flow,
                                               .partition_count = partitions,
                                               .batch = SIZE_MAX,
                                               .on_output = fixture_on_output,
                                               .context = &run.lines};
    struct in_process *driver = in_process_create(&options);
    fixture_publish_model(driver);
    for (size_t i = 0; i < log->count; i++) {
        in_process_feed(driver, &log->records[i]);
        if (cut_seed == 0 || fixture_random(&random) % 20 != 0)
            continue;
        in_process_run(driver);
        const struct service *victim = flow[fixture_random(&random) % (COUNT_OF(flow) - 1)];
        if (crash)
            assert_int_equal(in_process_restore(driver, victim->name), FAULT_NONE);
    }
    in_process_run(driver);
    in_process_state(driver, &run.state);
    in_process_clock(driver, log->close_ms);
    in_process_run(driver);
    run.seen = in_process_count(driver, "validator", "events_seen_total", NULL);
    run.validated = in_process_count(driver, "validator", "events_validated_total", NULL);
    run.labels_seen = in_process_count(driver, "validator", "labels_seen_total", NULL);
    run.labels_validated = in_process_count(driver, "validator", "labels_validated_total", NULL);
    run.duplicates = in_process_count(driver, "validator", "events_duplicate_total", NULL);
    assert_true(run.duplicates ==
                in_process_count(driver, "windower", "events_duplicate_total", NULL));
    in_process_destroy(driver);
    fixture_lines_sort(&run.lines);
    return run;
}

static void run_fini(struct run *run)
{
    fixture_lines_fini(&run->lines);
    buffer_fini(&run->state);
}

static void test_cuts(void **context)
{
    (void)context;
    const char *given = getenv("PROP_SEED");
    const uint64_t first = given == NULL ? (uint64_t)time(NULL) : strtoull(given, NULL, 10);
    for (uint64_t round = 0; round < (given == NULL ? ROUNDS : 1); round++) {
        const uint64_t seed = first + round;
        struct fixture_log log;
        fixture_log_make(&log, seed, EVENTS);
        const int32_t partitions = 1 + (int32_t)(seed % 5);
        struct run whole = run_once(&log, 1, 0, false);
        struct run spread = run_once(&log, partitions, seed * 2 + 1, false);
        struct run cut = run_once(&log, partitions, seed * 2 + 1, true);
        print_message("seed %llu: %zu measurements %zu alerts %zu triggers %zu dead letters\n",
                      (unsigned long long)seed, whole.lines.measurements, whole.lines.alerts,
                      whole.lines.triggers, whole.lines.dead_letters);
        const bool same = fixture_lines_equal(&whole.lines, &spread.lines) &&
                          fixture_lines_equal(&whole.lines, &cut.lines);
        const bool same_state = span_equal(buffer_span(&spread.state), buffer_span(&cut.state));
        if (!same || !same_state) {
            print_error("PROP_SEED=%llu partitions=%d: other %s\n", (unsigned long long)seed,
                        (int)partitions, same ? "state" : "outputs");
            fail();
        }
        assert_true(whole.lines.measurements > 0);
        assert_true(whole.lines.alerts > 0);
        assert_true(cut.state.size > 1000);
        assert_true(whole.seen == EVENTS);
        assert_true(whole.duplicates > 10);
        assert_true(whole.duplicates == spread.duplicates && whole.duplicates == cut.duplicates);
        assert_true(whole.labels_seen > whole.labels_validated && whole.labels_validated > 0);
        assert_true(whole.seen + whole.labels_seen ==
                    whole.validated + whole.labels_validated + (double)whole.lines.dead_letters);
        run_fini(&whole);
        run_fini(&spread);
        run_fini(&cut);
        fixture_log_fini(&log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cuts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
