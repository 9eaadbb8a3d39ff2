/* store_advice.h: what a Redis server says of itself that an operator should know.
 *
 * Thread   any.     Cost     O(size of the text).
 */
#ifndef STORE_ADVICE_H
#define STORE_ADVICE_H
#include "check/reason.h"
#include "memory/span.h"

/* The answer to INFO: it evicts keys that have no time to live, as ours; what to do is in reason.
 */
bool store_advice_evicts(struct span info, struct reason *out_reason);
/* The answer to INFO: there is no append-only file. (Save points are CONFIG GET save's to tell.) */
bool store_advice_has_no_log(struct span info);
#endif
