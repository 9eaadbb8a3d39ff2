/* fault.h: what went wrong, by name, and what the caller must do next (fault.def).
 *
 * Fallible functions return enum fault, are MUST_USE, write outputs only on success and leave the
 * object unchanged on fault. Running out of memory is not among the faults: heap.h ends the
 * process, because a crash is safe and a half-done operation is not.
 */
#ifndef FAULT_H
#define FAULT_H
#include "check/check.h"

enum fault {
    FAULT_NONE = 0,
#define FAULT(name, class, text) FAULT_##name,
#include "check/fault.def"
#undef FAULT
    FAULT_COUNT
};

enum fault_class { FAULT_CLASS_NONE, FAULT_CLASS_REJECT, FAULT_CLASS_RETRY, FAULT_CLASS_STOP };

const char *fault_name(enum fault fault); /* "RECORD_MALFORMED": stable, also the metric label */
const char *fault_text(enum fault fault); /* a sentence */
enum fault_class fault_class(enum fault fault);
#endif
