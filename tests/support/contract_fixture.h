/* contract_fixture.h: a contract to begin with, and what it is to be parsed or refused. For the
 * tests of contracts. */
#ifndef CONTRACT_FIXTURE_H
#define CONTRACT_FIXTURE_H
#include "memory/heap.h"
#include "model/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "model: fraud\ntask: binary\npositive: fraud\nowner: payments-ml\nrunbook: https://r/f\n"
#define COLUMNS                                                                                    \
    "columns:\n"                                                                                   \
    "  amount: {type: number, range: [0, 10000], nulls: {max_rate: 0.01}}\n"                       \
    "  country: {type: category, values: [DE, FR, NO], on_unseen: count}\n"                        \
    "  fast: {type: boolean, required: false}\n"                                                   \
    "  note: {type: text}\n"                                                                       \
    "  user: {type: id}\n" /* to line 11 */

static inline struct contract *contract_fixture_parsed(const char *text)
{
    struct contract *contract = NULL;
    struct reason reason = {{0}};
    if (contract_parse("c.yaml", span_text(text), &contract, &reason) != FAULT_NONE)
        fail_msg("%s", reason.text);
    return contract;
}

static inline void contract_fixture_refused(const char *text, const char *expected)
{
    struct contract *contract = NULL;
    struct reason reason = {{0}};
    assert_int_equal(contract_parse("c.yaml", span_text(text), &contract, &reason),
                     FAULT_CONTRACT_INVALID);
    assert_null(contract);
    assert_string_equal(reason.text, expected);
    assert_int_equal(contract_parse("c.yaml", span_text(text), &contract, NULL),
                     FAULT_CONTRACT_INVALID);
}

/* One more line (12) behind HEAD and COLUMNS is refused with the text, which begins behind
 * "c.yaml:". */
static inline void contract_fixture_line_refused(const char *line, const char *expected)
{
    char *text = heap_format("%s%s\n", HEAD COLUMNS, line);
    char *whole = heap_format("c.yaml:%s", expected);
    contract_fixture_refused(text, whole);
    heap_release(text);
    heap_release(whole);
}

#endif
