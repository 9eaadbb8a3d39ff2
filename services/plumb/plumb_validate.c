/* plumb validate: checks contract files, without Kafka. */
#include "arguments.h"
#include "plumb.h"

int plumb_validate_run(int argc, char **argv)
{
    int code;
    struct option_set *options = arguments_read(
        &(struct arguments_spec){.command = "validate",
                                 .usage = "plumb validate CONTRACT.yaml...",
                                 .summary = "Checks contracts; each error is one line, "
                                            "file:line:column: what.",
                                 .least = 1,
                                 .most = SIZE_MAX},
        argc, argv, &code);
    if (options == NULL)
        return code;
    code = PLUMB_DONE;
    for (size_t i = 0; i < option_positional_count(options); i++) {
        struct contract *contract;
        struct reason reason;
        const enum fault fault =
            plumb_contract_read(option_positional(options, i), &contract, &reason);
        if (fault != FAULT_NONE) {
            code = plumb_fail("validate", fault, &reason);
            continue;
        }
        printf("%s: ok (%s: %zu columns, %zu monitors)\n", option_positional(options, i),
               contract->model, contract->column_count, contract->monitor_count);
        contract_destroy(contract);
    }
    option_set_destroy(options);
    return code;
}
