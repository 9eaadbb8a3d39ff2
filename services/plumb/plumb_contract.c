/* plumb contract infer: writes a first contract from reference rows. */
#include "arguments.h"
#include "model/infer.h"
#include "plumb.h"

static const struct option_row rows[] = {
    {.name = "reference", .kind = OPTION_TEXT, .help = "CSV or JSONL(.gz) of rows (needed)"},
    {.name = "model", .kind = OPTION_TEXT, .help = "its name; else the file's"},
    {.name = "owner", .kind = OPTION_TEXT, .help = "who every alert names"},
    {.name = "runbook", .kind = OPTION_TEXT, .help = "address of the runbook"},
    {.name = "positive", .kind = OPTION_TEXT, .help = "the positive class of a binary task"},
    {.name = NULL},
};

static int infer(const struct option_set *options)
{
    const char *reference = option_text(options, "reference");
    if (strcmp(option_positional(options, 0), "infer") != 0 || reference == NULL) {
        plumb_say("contract", "usage: plumb contract infer --reference FILE [--model NAME]");
        return PLUMB_USAGE;
    }
    const struct infer_options wishes = {
        .model = option_text(options, "model"),
        .owner = option_text(options, "owner"),
        .runbook = option_text(options, "runbook"),
        .positive = option_text(options, "positive"),
    };
    struct buffer yaml = {0};
    struct reason reason;
    const enum fault fault = infer_contract(reference, &wishes, &yaml, &reason);
    int code = fault == FAULT_NONE ? PLUMB_DONE : plumb_fail("contract", fault, &reason);
    if (code == PLUMB_DONE &&
        (fwrite(yaml.bytes, 1, yaml.size, stdout) != yaml.size || fflush(stdout) != 0))
        code = PLUMB_OUR_FAULT;
    buffer_fini(&yaml);
    return code;
}

int plumb_contract_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){.command = "contract",
                                 .usage = "plumb contract infer --reference FILE [--model NAME]",
                                 .summary = "Writes a first contract from rows that a model was "
                                            "trained on; read it before you apply it.",
                                 .rows = rows,
                                 .least = 1,
                                 .most = 1},
        argc, argv, &code);
    if (options == NULL)
        return code;
    code = infer(options);
    option_set_destroy(options);
    return code;
}
