/* oracle_check: seeds of the simulation's log through the services in-process, as dumps for
 * oracle.py.
 *
 *   oracle_check [FIRST_SEED [SEEDS [EVENTS]]]   dumps on stdout, CPU seconds by part on stderr
 *
 * Each log is run cut at random on 1 to 4 partitions, with clocks at the cuts; every third also in
 * one piece on one partition, whose alerts, triggers and decisions are what is expected. */
#include "alerter/alerter.h"
#include "detector/detector.h"
#include "retrainer/retrainer.h"
#include "service/in_process.h"
#include "sim_dump.h"
#include "sim_random.h"
#include "sim_schemas.h"
#include "validator/validator.h"
#include "windower/windower.h"

#include <time.h>

enum { CUT_EVERY = 100, REFERENCE_EVERY = 3, EVENTS = 10000 };

static const struct service *const flow[] = {&validator_service, &windower_service,
                                             &detector_service,  &alerter_service,
                                             &retrainer_service, NULL};

struct spent {
    double log, run, dump; /* CPU seconds; run without dump */
};

/* What a run hands its records to. */
struct taking {
    struct sim_dump *dump;
    bool expected;
    double seconds;
};

static double cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void on_record(void *context, const struct record *record)
{
    struct taking *taking = context;
    if (taking->expected) {
        sim_dump_expected(taking->dump, record);
        return;
    }
    const double began = cpu_seconds();
    sim_dump_record(taking->dump, record);
    taking->seconds += cpu_seconds() - began;
}

static void publish_tables(struct in_process *driver, const struct sim_log *log)
{
    for (size_t i = 0; i < log->table_count; i++) {
        struct reason reason = {""};
        const enum fault fault = in_process_table(driver, &log->tables[i], &reason);
        if (fault != FAULT_NONE)
            (void)fprintf(stderr, "%s\n", reason.text);
        REQUIRE(fault == FAULT_NONE);
    }
}

/* cut 0: in one piece. */
static void run_log(const struct sim_log *log, int32_t partitions, uint64_t cut,
                    struct taking *taking)
{
    struct option_set *given = sim_log_options(log, validator_service.options);
    const struct in_process_options options = {.lookup = &sim_schemas_lookup,
                                               .services = flow,
                                               .partition_count = partitions,
                                               .batch = SIZE_MAX,
                                               .options = given,
                                               .on_record = on_record,
                                               .context = taking};
    struct in_process *driver = in_process_create(&options);
    publish_tables(driver, log);
    for (size_t i = 0; i < log->count; i++) {
        in_process_feed(driver, &log->records[i]);
        if (cut == 0 || !sim_one_in(&cut, CUT_EVERY))
            continue;
        if (sim_one_in(&cut, 2))
            in_process_clock(driver, log->records[i].arrival_ms);
        in_process_run(driver);
    }
    in_process_clock(driver, log->close_ms);
    in_process_run(driver);
    in_process_destroy(driver);
    option_set_destroy(given);
}

static void check_seed(uint64_t seed, size_t events, struct spent *spent)
{
    double began = cpu_seconds();
    struct sim_log *log = sim_log_create(seed, events, SIM_ARRIVAL_HEADER);
    spent->log += cpu_seconds() - began;
    struct taking taking = {.dump = sim_dump_begin(stdout, log)};
    began = cpu_seconds();
    run_log(log, 1 + (int32_t)(seed % 4), seed * 2 + 1, &taking);
    spent->run += cpu_seconds() - began - taking.seconds;
    spent->dump += taking.seconds;
    if (seed % REFERENCE_EVERY == 0) {
        taking.expected = true;
        run_log(log, 1, 0, &taking);
    }
    sim_dump_end(taking.dump);
    sim_log_destroy(log);
}

static uint64_t argument(int argc, char **argv, int index, uint64_t fallback)
{
    return index < argc ? strtoull(argv[index], NULL, 10) : fallback;
}

int main(int argc, char **argv)
{
    const uint64_t first = argument(argc, argv, 1, 1), seeds = argument(argc, argv, 2, 1);
    const size_t events = (size_t)argument(argc, argv, 3, EVENTS);
    struct spent spent = {0};
    for (uint64_t seed = first; seed < first + seeds; seed++)
        check_seed(seed, events, &spent);
    (void)fprintf(stderr, "CPU seconds a seed: log %.3f run %.3f dump %.3f\n",
                  spent.log / (double)seeds, spent.run / (double)seeds, spent.dump / (double)seeds);
    return 0;
}
