/* plumb: what an operator does, one verb each. This table is the whole of it; plumb_NAME.c has each
 * command. */
#include "config/option.h"
#include "log/log.h"
#include "plumb.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    {"validate", plumb_validate_run, "check contract files"},
    {"contract", plumb_contract_run, "infer a first contract from reference rows"},
    {"topics", plumb_topics_run, "make the topics, or say what is missing"},
    {"baseline", plumb_baseline_run, "publish what reference rows look like"},
    {"apply", plumb_apply_run, "publish a contract"},
    {"register", plumb_register_run, "publish what is known of a model's version"},
    {"schema", plumb_schema_run, "check an event schema, or register it"},
    {"models", plumb_models_run, "what is running, trained when, on what"},
    {"send", plumb_send_run, "send a prediction log"},
    {"drained", plumb_drained_run, "wait until all that was sent is judged"},
    {"summary", plumb_summary_run, "count events in, validated, dead-lettered"},
    {"alerts", plumb_results_run, "list alerts"},
    {"measurements", plumb_results_run, "list measurements"},
    {"triggers", plumb_results_run, "list retrain triggers"},
    {"decisions", plumb_results_run, "list rollout decisions"},
    {"signals", plumb_results_run, "list signals to the serving apps"},
    {"panes", plumb_results_run, "list closed panes"},
    {"dead-letters", plumb_dead_letters_run, "list and show refused records, send them back"},
    {"ledger", plumb_ledger_run, "compare the topics: nothing lost, nothing twice"},
    {"state", plumb_state_run, "show what services would start from, or reset it"},
    {"analyze", plumb_analyze_run, "the whole pipeline over files, without Kafka"},
    {"version", plumb_version_run, "print the version"},
};

static void print_help(FILE *out)
{
    (void)fputs("Plumbline says when a model in production has gone out of true.\n\n"
                "usage: plumb COMMAND [OPTION]... (plumb COMMAND --help)\n\n",
                out);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        (void)fprintf(out, "  %-14s%s\n", commands[i].name, commands[i].summary);
}

static int refuse(const char *name)
{
    const char *names[COUNT_OF(commands) + 1] = {NULL};
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        names[i] = commands[i].name;
    const char *near = option_nearest(name, names);
    if (near != NULL)
        (void)fprintf(stderr, "plumb: no such command: '%s' (did you mean %s?)\n", name, near);
    else
        (void)fprintf(stderr, "plumb: no such command: '%s' (plumb --help)\n", name);
    return PLUMB_USAGE;
}

int main(int argc, char *argv[])
{
    log_open("plumb", LOG_WARN, 0);
    if (argc < 2) {
        print_help(stderr);
        return PLUMB_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return PLUMB_DONE;
    }
    if (strcmp(name, "--version") == 0)
        return plumb_version_run(1, argv);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return refuse(name);
}
