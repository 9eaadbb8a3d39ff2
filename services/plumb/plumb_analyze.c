/* plumb analyze: the whole pipeline over files, in this process, with no broker: the same
 * descriptors that the services run. */
#include "alerter/alerter.h"
#include "arguments.h"
#include "detector/detector.h"
#include "listing.h"
#include "memory/heap.h"
#include "plumb.h"
#include "prediction_log.h"
#include "presentation.h"
#include "retrainer/retrainer.h"
#include "service/in_process.h"
#include "validator/validator.h"
#include "validator/validator_rows.h"
#include "windower/windower.h"

#include <errno.h>

enum { CONTRACTS_MAX = 64, REFERENCES_MAX = 256, BATCH = 1000 };

static const struct option_row rows[] = {
    {"contract", OPTION_TEXT, NULL, NULL, "contract of a model (may be repeated)", false},
    {"reference", OPTION_TEXT, NULL, NULL,
     "[MODEL[@VERSION]=]FILE of reference rows (may be repeated)", false},
    {"labels", OPTION_TEXT, NULL, NULL, "JSONL(.gz) file of labels", false},
    {"partitions", OPTION_NUMBER, "1", NULL, "partitions of each topic: the result is the same",
     false},
    VALIDATOR_ROWS_OPTIONS,
    {NULL, OPTION_FLAG, NULL, NULL, NULL, false},
};

static const struct service *const flow[] = {&validator_service, &windower_service,
                                             &detector_service,  &alerter_service,
                                             &retrainer_service, NULL};

struct analysis {
    struct contract *contracts[CONTRACTS_MAX]; /* owned */
    size_t contract_count;
    struct baseline *baselines[REFERENCES_MAX]; /* owned */
    size_t baseline_count;
    struct listing *listing;
    bool is_table;
    struct in_process *driver;
    struct prediction_log *log;
    size_t counts[TOPIC_COUNT]; /* records put out, by topic */
};

/* A table shows what somebody has to act on; json and jsonl give every record. */
static void on_output(void *context, const struct record *record)
{
    struct analysis *analysis = context;
    analysis->counts[record->topic]++;
    if (analysis->is_table &&
        (record->topic == TOPIC_MEASUREMENTS || record->topic == TOPIC_INFERENCE_DEAD_LETTER))
        return;
    json_t *object = presentation_record(record);
    if (object != NULL)
        listing_add(analysis->listing, object);
}

static enum fault read_contract(struct analysis *analysis, const char *file, struct reason *reason)
{
    if (analysis->contract_count == CONTRACTS_MAX) {
        reason_set(reason, "--contract: at most %d", (int)CONTRACTS_MAX);
        return FAULT_OPTION_INVALID;
    }
    const enum fault fault =
        plumb_contract_read(file, &analysis->contracts[analysis->contract_count], reason);
    if (fault == FAULT_NONE)
        analysis->contract_count++;
    return fault;
}

static struct contract *contract_of(const struct analysis *analysis, struct span model)
{
    for (size_t i = 0; i < analysis->contract_count; i++) {
        if (span_is(model, analysis->contracts[i]->model))
            return analysis->contracts[i];
    }
    return NULL;
}

/* "MODEL@VERSION=FILE", "MODEL=FILE" or "FILE" (the only contract's model, any version). */
static enum fault read_reference(struct analysis *analysis, const char *text, struct reason *reason)
{
    if (analysis->baseline_count == REFERENCES_MAX) {
        reason_set(reason, "--reference: at most %d", (int)REFERENCES_MAX);
        return FAULT_OPTION_INVALID;
    }
    const char *equal = strchr(text, '=');
    const size_t name_size = equal == NULL ? 0 : (size_t)(equal - text);
    const char *at = name_size == 0 ? NULL : memchr(text, '@', name_size);
    const size_t model_size = at == NULL ? name_size : (size_t)(at - text);
    struct contract *contract = contract_of(analysis, span_of(text, model_size));
    const char *file = text;
    char *version = heap_text("");
    if (contract != NULL && equal != NULL) {
        file = equal + 1;
        if (at != NULL) {
            heap_release(version);
            version = span_copied(span_of(at + 1, name_size - model_size - 1));
        }
    } else if (analysis->contract_count == 1) {
        contract = analysis->contracts[0];
    }
    enum fault fault = FAULT_OPTION_INVALID;
    if (contract == NULL)
        reason_set(reason, "--reference %s: say which model: MODEL=FILE", text);
    else
        fault = baseline_build(contract, version, file,
                               &analysis->baselines[analysis->baseline_count], reason);
    heap_release(version);
    if (fault == FAULT_NONE)
        analysis->baseline_count++;
    return fault;
}

static enum fault publish_models(struct analysis *analysis, struct reason *reason)
{
    enum fault fault = FAULT_NONE;
    for (size_t i = 0; i < analysis->contract_count && fault == FAULT_NONE; i++) {
        const struct baseline *own[REFERENCES_MAX];
        size_t count = 0;
        for (size_t k = 0; k < analysis->baseline_count; k++) {
            if (strcmp(analysis->baselines[k]->model, analysis->contracts[i]->model) == 0)
                own[count++] = analysis->baselines[k];
        }
        fault = in_process_model(analysis->driver, analysis->contracts[i], own, count, reason);
    }
    return fault;
}

static void feed(struct analysis *analysis, const struct prediction_record *line)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%zu", line->line);
    const struct header header = {"plumb-line", span_text(number)};
    const struct record record = {.topic = line->topic,
                                  .arrival_ms = line->arrival_ms,
                                  .key = line->key,
                                  .value = line->value,
                                  .headers = &header,
                                  .header_count = 1};
    in_process_feed(analysis->driver, &record);
}

static enum fault run_log(struct analysis *analysis, struct reason *reason)
{
    for (;;) {
        bool is_record;
        struct prediction_record line;
        const enum fault fault = prediction_log_next(analysis->log, &is_record, &line, reason);
        if (fault != FAULT_NONE)
            return fault;
        if (!is_record)
            break;
        feed(analysis, &line);
    }
    in_process_clock(analysis->driver,
                     prediction_log_close_ms(analysis->log,
                                             (const struct contract *const *)analysis->contracts,
                                             analysis->contract_count));
    in_process_run(analysis->driver);
    return FAULT_NONE;
}

static enum fault read_inputs(struct analysis *analysis, const struct option_set *options,
                              struct reason *reason)
{
    enum fault fault = FAULT_NONE;
    const char *text;
    for (size_t i = 0;
         fault == FAULT_NONE && (text = option_repeated(options, "contract", i)) != NULL; i++)
        fault = read_contract(analysis, text, reason);
    for (size_t i = 0;
         fault == FAULT_NONE && (text = option_repeated(options, "reference", i)) != NULL; i++)
        fault = read_reference(analysis, text, reason);
    if (fault != FAULT_NONE)
        return fault;
    if (analysis->contract_count == 0) {
        reason_set(reason, "--contract: give at least one");
        return FAULT_OPTION_INVALID;
    }
    int64_t skew_ms = 0;
    for (size_t i = 0; i < analysis->contract_count; i++) {
        if (analysis->contracts[i]->skew_ms > skew_ms)
            skew_ms = analysis->contracts[i]->skew_ms;
    }
    const struct prediction_log_options log = {.events = option_positional(options, 0),
                                               .labels = option_text(options, "labels"),
                                               .skew_ms = skew_ms};
    return prediction_log_open(&log, &analysis->log, reason);
}

static enum fault analyze(struct analysis *analysis, const struct option_set *options,
                          struct reason *reason)
{
    enum fault fault = read_inputs(analysis, options, reason);
    if (fault != FAULT_NONE)
        return fault;
    const int64_t partitions = option_number(options, "partitions");
    if (partitions < 1 || partitions > 1024) {
        reason_set(reason, "--partitions: from 1 to 1024");
        return FAULT_OPTION_INVALID;
    }
    fault = validator_rows_check(options, reason);
    if (fault != FAULT_NONE)
        return fault;
    analysis->driver =
        in_process_create(&(struct in_process_options){.services = flow,
                                                       .partition_count = (int32_t)partitions,
                                                       .batch = BATCH,
                                                       .options = options,
                                                       .on_output = on_output,
                                                       .context = analysis});
    fault = publish_models(analysis, reason);
    return fault == FAULT_NONE ? run_log(analysis, reason) : fault;
}

/* The bound is a partition's: a live run with more of them may not have reached it. */
static void warn_of_bound(const struct analysis *analysis)
{
    const double cut = in_process_count(analysis->driver, validator_service.name,
                                        "duplicates_horizon_cut_total", NULL);
    if (cut > 0)
        plumb_say(
            "analyze",
            "--duplicates-max was reached: the horizon of duplicates was cut %.0f times; with "
            "more, or with the --partitions of a live run, the result may differ",
            cut);
}

static void print_counts(const struct analysis *analysis)
{
    (void)fprintf(
        stderr,
        "%zu validated, %zu dead letters, %zu measurements, %zu alert records, %zu triggers\n",
        analysis->counts[TOPIC_INFERENCE_VALIDATED], analysis->counts[TOPIC_INFERENCE_DEAD_LETTER],
        analysis->counts[TOPIC_MEASUREMENTS], analysis->counts[TOPIC_ALERTS],
        analysis->counts[TOPIC_RETRAIN_TRIGGERS]);
}

int plumb_analyze_run(int argc, char **argv)
{
    const struct arguments_spec spec = {
        .command = "analyze",
        .usage = "plumb analyze --contract C.yaml [--reference [MODEL[@VERSION]=]FILE] "
                 "EVENTS.jsonl[.gz]",
        .summary = "runs the pipeline over files: measurements, alerts, triggers, dead letters",
        .rows = rows,
        .parts = ARGUMENTS_OUTPUT,
        .least = 1,
        .most = 1};
    int exit_code;
    struct option_set *options = arguments_read(&spec, argc, argv, &exit_code);
    if (options == NULL)
        return exit_code;
    struct analysis analysis = {0};
    struct reason reason = {""};
    const char *form = option_text(options, "output");
    analysis.is_table = strcmp(form, "table") == 0;
    analysis.listing = listing_open(form);
    const enum fault fault = analyze(&analysis, options, &reason);
    if (fault != FAULT_NONE)
        exit_code = plumb_fail(spec.command, fault, &reason);
    else
        exit_code = listing_print(analysis.listing, stdout) ? PLUMB_DONE : PLUMB_OUR_FAULT;
    if (fault == FAULT_NONE && exit_code != PLUMB_DONE)
        plumb_say(spec.command, "the result cannot be written: %s", strerror(errno));
    if (fault == FAULT_NONE)
        warn_of_bound(&analysis);
    if (fault == FAULT_NONE && analysis.is_table)
        print_counts(&analysis);
    listing_destroy(analysis.listing);
    prediction_log_close(analysis.log);
    in_process_destroy(analysis.driver);
    for (size_t i = 0; i < analysis.baseline_count; i++)
        baseline_destroy(analysis.baselines[i]);
    for (size_t i = 0; i < analysis.contract_count; i++)
        contract_destroy(analysis.contracts[i]);
    option_set_destroy(options);
    return exit_code;
}
