/* reason.h: one line for the operator, where a fault's name is not enough. Set where found, wrapped
 * going up.
 *
 * Owner    caller, on its stack.     Memory   256 bytes; longer text is cut.
 */
#ifndef REASON_H
#define REASON_H
#include "check/check.h"

struct reason {
    char text[256];
};

void reason_set(struct reason *reason, const char *format, ...)
    PRINTF_LIKE(2, 3); /* NULL reason: ignored */
void reason_wrap(struct reason *reason, const char *format, ...)
    PRINTF_LIKE(2, 3); /* "context: what was there" */
#endif
