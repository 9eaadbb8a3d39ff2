/* Target functions: contract_parse, yaml_tree_parse.
 * Whatever the bytes: a contract, or a refusal with a reason that names a place. */
#include "fuzz.h"
#include "model/contract.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct contract *contract = NULL;
    struct reason reason = {""};
    if (contract_parse("f.yaml", span_of(bytes, size), &contract, &reason) == FAULT_NONE)
        contract_destroy(contract);
    else
        ENSURE(strncmp(reason.text, "f.yaml", 6) == 0);
    return 0;
}
