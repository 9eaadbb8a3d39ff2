/* plumb baseline: what reference rows look like, as cells, into model.baselines: one record a
 * column. */
#include "arguments.h"
#include "connection.h"
#include "model/baseline.h"
#include "model/publication.h"
#include "plumb.h"

static const struct option_row rows[] = {
    {.name = "contract", .kind = OPTION_TEXT, .help = "the model's contract (needed)"},
    {.name = "reference", .kind = OPTION_TEXT, .help = "CSV or JSONL(.gz) of rows (needed)"},
    {.name = "version",
     .kind = OPTION_TEXT,
     .fallback = "",
     .help = "the model version that it holds for; else any"},
    {.name = "dry-run", .kind = OPTION_FLAG, .help = "print the hash, publish nothing"},
    {.name = NULL},
};

static int publish(const struct option_set *options, const struct baseline *baseline)
{
    struct kafka_client *client;
    int code = connection_open("baseline", options, &client);
    if (code != PLUMB_DONE)
        return code;
    int32_t partitions;
    code = connection_partitions("baseline", client, TOPIC_MODEL_BASELINES, &partitions);
    for (size_t i = 0; code == PLUMB_DONE && i < baseline_record_count(baseline); i++) {
        struct buffer key = {0}, value = {0};
        publication_baseline(baseline, i, &key, &value);
        connection_publish(client, TOPIC_MODEL_BASELINES, partitions, buffer_span(&key),
                           buffer_span(&value));
        buffer_fini(&key);
        buffer_fini(&value);
    }
    if (code == PLUMB_DONE)
        code = connection_settle("baseline", client);
    kafka_client_close(client);
    return code;
}

static int build(const struct option_set *options)
{
    const char *contract_file = option_text(options, "contract");
    const char *reference_file = option_text(options, "reference");
    if (contract_file == NULL || reference_file == NULL) {
        plumb_say("baseline", "--contract and --reference are needed (--help)");
        return PLUMB_USAGE;
    }
    struct contract *contract;
    struct reason reason;
    enum fault fault = plumb_contract_read(contract_file, &contract, &reason);
    if (fault != FAULT_NONE)
        return plumb_fail("baseline", fault, &reason);
    struct baseline *baseline = NULL;
    fault = baseline_build(contract, option_text(options, "version"), reference_file, &baseline,
                           &reason);
    int code = fault == FAULT_NONE ? PLUMB_DONE : plumb_fail("baseline", fault, &reason);
    if (code == PLUMB_DONE && !option_flag(options, "dry-run"))
        code = publish(options, baseline);
    if (code == PLUMB_DONE)
        printf("%s\n", baseline->hash);
    baseline_destroy(baseline);
    contract_destroy(contract);
    return code;
}

int plumb_baseline_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){.command = "baseline",
                                 .usage = "plumb baseline --contract C.yaml --reference FILE "
                                          "[--version V] [--dry-run]",
                                 .summary = "Publishes what reference rows look like and prints "
                                            "the baseline's hash.",
                                 .rows = rows,
                                 .parts = ARGUMENTS_KAFKA},
        argc, argv, &code);
    if (options == NULL)
        return code;
    code = build(options);
    option_set_destroy(options);
    return code;
}
